//! AMF values of the implementations: decoded as a whole, encoded from what was decoded.

use std::fmt::Debug;

use broadcast_common::{Parse, Serialize};
use bytes::Bytes;
use rtmp_benches::{Outcome, contender::Encode};

use crate::peers::show;

/// rml_rtmp.
pub mod rml {
    use super::*;

    pub fn decode(mut bytes: &[u8]) -> Outcome<Vec<rml_amf0::Amf0Value>> {
        rml_amf0::deserialize(&mut bytes).map_err(show)
    }

    pub fn encode(bytes: &[u8]) -> Outcome<Encode> {
        let values = decode(bytes)?;
        Ok(Box::new(move |out| {
            if let Ok(bytes) = rml_amf0::serialize(&values) {
                out.extend(bytes);
            }
        }))
    }
}

/// rtmp-rs.
pub mod rtmp_rs {
    use super::*;
    use ::rtmp_rs::amf::{Amf3Decoder, Amf3Encoder, AmfValue, amf0};

    pub fn decode(bytes: &[u8]) -> Outcome<Vec<AmfValue>> {
        amf0::decode_all(bytes).map_err(show)
    }

    pub fn encode(bytes: &[u8]) -> Outcome<Encode> {
        let values = decode(bytes)?;
        Ok(Box::new(move |out| out.extend(amf0::encode_all(&values))))
    }

    pub fn decode_amf3(bytes: &[u8]) -> Outcome<AmfValue> {
        let mut bytes = Bytes::copy_from_slice(bytes);
        Amf3Decoder::new().decode(&mut bytes).map_err(show)
    }

    pub fn encode_amf3(bytes: &[u8]) -> Outcome<Encode> {
        let value = decode_amf3(bytes)?;
        Ok(Box::new(move |out| {
            let mut encoder = Amf3Encoder::new();
            encoder.encode(&value);
            out.extend(encoder.finish());
        }))
    }
}

/// shiguredo_rtmp.
pub mod shiguredo {
    use super::*;
    use shiguredo_rtmp::tests::{Amf0Value, Amf3Value};

    pub fn decode(bytes: &[u8]) -> Outcome<Vec<Amf0Value>> {
        every(bytes, Amf0Value::decode)
    }

    pub fn encode(bytes: &[u8]) -> Outcome<Encode> {
        let values = decode(bytes)?;
        Ok(Box::new(move |out| {
            values.iter().for_each(|value| value.encode(out));
        }))
    }

    pub fn decode_amf3(bytes: &[u8]) -> Outcome<Vec<Amf3Value>> {
        every(bytes, Amf3Value::decode)
    }

    pub fn encode_amf3(bytes: &[u8]) -> Outcome<Encode> {
        let values = decode_amf3(bytes)?;
        Ok(Box::new(move |out| {
            values.iter().for_each(|value| value.encode(out));
        }))
    }
}

/// rtmp-runtime.
pub mod rtmp_runtime {
    use super::*;
    use ::rtmp_runtime::amf0::Amf0Value;

    pub fn decode(bytes: &[u8]) -> Outcome<Vec<Amf0Value>> {
        every(bytes, |bytes| {
            // As its commands find the next value.
            Amf0Value::parse(bytes).map(|value| (value.serialized_len(), value))
        })
    }

    pub fn encode(bytes: &[u8]) -> Outcome<Encode> {
        let values = decode(bytes)?;
        Ok(Box::new(move |out| {
            for value in &values {
                let begin = out.len();
                out.resize(begin + value.serialized_len(), 0);
                let _ = value.serialize_into(&mut out[begin..]);
            }
        }))
    }
}

/// oxideav-rtmp.
pub mod oxideav {
    use super::*;
    use oxideav_rtmp::{amf, amf3};

    pub fn decode(bytes: &[u8]) -> Outcome<Vec<amf::Amf0Value>> {
        amf::decode_all(bytes).map_err(show)
    }

    pub fn encode(bytes: &[u8]) -> Outcome<Encode> {
        let values = decode(bytes)?;
        Ok(Box::new(move |out| {
            values.iter().for_each(|value| amf::encode(out, value));
        }))
    }

    pub fn decode_amf3(bytes: &[u8]) -> Outcome<Vec<amf3::Amf3Value>> {
        amf3::decode_all(bytes).map_err(show)
    }

    pub fn encode_amf3(bytes: &[u8]) -> Outcome<Encode> {
        let values = decode_amf3(bytes)?;
        Ok(Box::new(move |out| {
            values.iter().for_each(|value| amf3::encode(out, value));
        }))
    }
}

/// scuffle-rtmp.
pub mod scuffle {
    use super::*;
    use scuffle_amf0::{Amf0Decoder, Amf0Encoder, Amf0Value};

    pub fn decode(bytes: &[u8]) -> Outcome<Vec<Amf0Value<'_>>> {
        Amf0Decoder::from_slice(bytes).decode_all().map_err(show)
    }

    pub fn encode(bytes: &[u8]) -> Outcome<Encode> {
        let values = decode(bytes)?.into_iter().map(Amf0Value::into_owned);
        let values: Vec<_> = values.collect();
        Ok(Box::new(move |out| {
            let mut encoder = Amf0Encoder::new(out);
            for value in &values {
                let _ = value.encode(&mut encoder);
            }
        }))
    }
}

/// Decodes values one after another: `decode` gives the length of the first and what it is.
fn every<T, E: Debug>(
    bytes: &[u8],
    decode: impl Fn(&[u8]) -> Result<(usize, T), E>,
) -> Outcome<Vec<T>> {
    let mut rest = bytes;
    let mut values = Vec::new();
    while !rest.is_empty() {
        let (len, value) = decode(rest).map_err(show)?;
        rest = rest.get(len..).ok_or("passes the end")?;
        values.push(value);
    }
    Ok(values)
}
