//! Data messages: metadata and whatever else a publisher sends beside audio and video.
//!
//! ```text
//! handler name(string) values...           as players get it
//! "@setDataFrame" handler name values...   as publishers send metadata
//! ```
//!
//! Type 15 puts a format selector byte, 0, before the values, single ones of which may be in AMF3.
//!
//! [RTMP 1.0 §7.1.2], [E-RTMP v2 "Enhancing onMetaData"]

use alloc::vec::Vec;

use bytes::Bytes;

use crate::{
    amf::{AmfError, Value, amf0},
    chunk::{MessageType, RawMessage},
    limits::AmfLimits,
};

/// The values of a data message's payload as [`normalise_data`] or an FLV script tag gives it: the
/// handler name first.
///
/// # Errors
///
/// The payload is not a sequence of AMF0 values, or passes `limits`.
pub fn decode_data(payload: &[u8], limits: &AmfLimits) -> Result<Vec<Value>, AmfError> {
    amf0::decode(payload, limits)
}

/// The payload of a data message in the form players understand: the selector byte of type 15 and a
/// leading `@setDataFrame` removed, metadata as an ECMA array.
///
/// `None` if it does not decode or does not begin with a handler name of 1 to 63 bytes: ffmpeg's
/// player gives up on such a message, so it must not be relayed. Metadata is re-encoded (cameras
/// leave out end markers, nginx-rtmp sends a plain object), and so is what holds AMF3, which hardly
/// any player reads; other payloads stay as they are.
pub fn normalise_data(raw: &RawMessage, limits: &AmfLimits) -> Option<Bytes> {
    let payload = match raw.message_type {
        MessageType::DATA_AMF3 if raw.payload().first() == Some(&0) => raw.payload().slice(1..),
        _ => raw.payload().clone(),
    };
    let mut values = amf0::Decoder::new(&payload, limits);
    let mut handler = values.next_value().ok()??;
    let mut start = 0;
    if handler.as_str() == Some(SET_DATA_FRAME) {
        start = payload.len() - values.remaining().len();
        handler = values.next_value().ok()??;
    }
    let name = handler.as_str()?;
    if name.is_empty() || name.len() > HANDLER_LEN_MAX {
        return None;
    }
    let mut encoded = Vec::new();
    if name == ON_META_DATA {
        let mut metadata = match values.next_value().ok()?? {
            Value::Object(properties) | Value::EcmaArray(properties) => {
                Value::EcmaArray(properties)
            }
            // Dahua cameras send null.
            _ => return None,
        };
        if !metadata.is_amf0() {
            metadata = metadata.into_amf0();
        }
        encoded.reserve(payload.len());
        amf0::encode(&handler, &mut encoded);
        amf0::encode(&metadata, &mut encoded);
    } else {
        let begin = payload.len() - values.remaining().len();
        let may_hold_amf3 = payload.get(begin..)?.contains(&amf0::AVM_PLUS);
        amf0::encode(&handler, &mut encoded);
        while let Some(value) = values.next_value().ok()? {
            if may_hold_amf3 {
                amf0::encode(&value.into_amf0(), &mut encoded);
            }
        }
        if !may_hold_amf3 {
            return Some(payload.slice(start..));
        }
    }
    Some(encoded.into())
}

/// The payload with which a publisher announces `payload`, a normalised data message: the same
/// behind `@setDataFrame`, which tells a server to keep it for late joiners.
pub fn encode_set_data_frame(payload: &[u8]) -> Bytes {
    let mut out = Vec::with_capacity(payload.len() + SET_DATA_FRAME.len() + 3);
    amf0::encode(&Value::from(SET_DATA_FRAME), &mut out);
    out.extend_from_slice(payload);
    out.into()
}

const SET_DATA_FRAME: &str = "@setDataFrame";
pub(super) const ON_META_DATA: &str = "onMetaData";

/// ffmpeg reads handler names into a buffer of 64 bytes and fails on longer ones.
const HANDLER_LEN_MAX: usize = 63;

#[cfg(test)]
mod tests {
    use alloc::string::String;

    use hex_literal::hex;

    use super::*;
    use crate::{amf::Object, chunk::MessageStreamId, timestamp::Timestamp};

    fn normalised(message_type: MessageType, payload: &[u8]) -> Option<Bytes> {
        let raw = RawMessage::new(
            message_type,
            MessageStreamId::new(1),
            Timestamp::ZERO,
            Bytes::copy_from_slice(payload),
        );
        normalise_data(&raw.unwrap(), &AmfLimits::DATA)
    }

    fn encoded(values: &[Value]) -> Vec<u8> {
        let mut out = Vec::new();
        for value in values {
            amf0::encode(value, &mut out);
        }
        out
    }

    fn properties() -> Object {
        Object::new().with("width", 1280.0).with("encoder", "x")
    }

    /// MSG-23 to MSG-25: every way in which metadata arrives gives the one form players read.
    #[test]
    fn metadata_is_an_ecma_array_without_set_data_frame() {
        let expected = encoded(&["onMetaData".into(), Value::EcmaArray(properties())]);
        for value in [Value::Object(properties()), Value::EcmaArray(properties())] {
            let bare = encoded(&["onMetaData".into(), value]);
            let framed = encode_set_data_frame(&bare);
            let amf3 = [&[0][..], &framed].concat();
            assert_eq!(normalised(MessageType::DATA, &bare).unwrap(), expected);
            assert_eq!(normalised(MessageType::DATA, &framed).unwrap(), expected);
            assert_eq!(normalised(MessageType::DATA_AMF3, &amf3).unwrap(), expected);
            assert_eq!(
                normalised(MessageType::DATA_AMF3, &framed).unwrap(),
                expected,
                "MSG-17: without the selector byte"
            );
            let unterminated = &bare[..bare.len() - 3];
            assert_eq!(
                normalised(MessageType::DATA, unterminated).unwrap(),
                expected
            );
        }
    }

    #[test]
    fn other_handlers_pass_untouched() {
        let payload = encoded(&["onTextData".into(), Value::Object(properties())]);
        assert_eq!(normalised(MessageType::DATA, &payload).unwrap(), payload);
    }

    /// MSG-11, MSG-15: players get what Flash sends in the form they read.
    #[test]
    fn amf3_becomes_amf0() {
        let object = hex!("11 0A 0B 01 0B 7769647468 04 8A00 0F 656E636F646572 06 03 78 01");
        let metadata = [&encoded(&["onMetaData".into()]), &object[..]].concat();
        let expected = encoded(&["onMetaData".into(), Value::EcmaArray(properties())]);
        assert_eq!(
            normalised(MessageType::DATA_AMF3, &metadata).unwrap(),
            expected
        );

        let text = encoded(&["onTextData".into()]);
        let payload = [&text[..], &object[..], &hex!("11 0C 03 FF 02 0001 11")].concat();
        let expected = [
            Value::from("onTextData"),
            Value::Object(properties()),
            Value::Unsupported,
            "\u{11}".into(),
        ];
        assert_eq!(
            normalised(MessageType::DATA_AMF3, &payload).unwrap(),
            encoded(&expected)
        );
    }

    /// What makes ffmpeg's player give up is not passed on.
    #[test]
    fn undecodable_payloads_are_refused() {
        let long: String = "h".repeat(64);
        for payload in [
            &b""[..],
            &[0, 0, 0, 5],
            &encoded(&[Value::Number(1.0)]),
            &encoded(&[long.as_str().into()]),
            &encoded(&["onMetaData".into(), Value::Null]),
            &[encoded(&["onTextData".into()]), alloc::vec![0xFF]].concat(),
        ] {
            assert_eq!(normalised(MessageType::DATA, payload), None, "{payload:x?}");
        }
    }
}
