//! AMF0: the encoding of commands and metadata.
//!
//! ```text
//! 00 number        f64               08 ECMA array     u32, properties
//! 01 boolean       u8                0A strict array   u32, values
//! 02 string        u16, UTF-8        0B date           f64, i16
//! 03 object        properties        0C long string    u32, UTF-8
//! 05 null                            0D unsupported
//! 06 undefined                       0F XML document   u32, UTF-8
//! 07 reference     u16               10 typed object   u16, UTF-8, properties
//!                                    11 AVM+           a value in AMF3
//!
//! properties = *(u16, UTF-8, value) 00 00 09
//! ```
//!
//! Numbers are big-endian. [AMF0 §2]
//!
//! Decoding is lenient where deployed peers need it:
//!
//! * The count of an ECMA array is not used; encoders write 0, the truth or a constant (OBS 20).
//! * A message may end where the end marker of an object belongs, or within that marker; some
//!   cameras leave it off.
//! * A property may have an empty name, as long as no end marker follows it.
//! * A long string may be short.

use alloc::{borrow::Cow, vec::Vec};
use core::str;

use smallvec::SmallVec;

use super::{
    AmfError, Date, Object, Value,
    amf3::{Amf3, Encoder},
    reader::Reader,
    source::{self, Head, Source},
};
#[cfg(feature = "serde")]
use super::{SerdeError, typed};
use crate::limits::AmfLimits;

/// Decodes every value of a message.
///
/// # Errors
///
/// The first violation; see [`Decoder`].
pub fn decode(input: &[u8], limits: &AmfLimits) -> Result<Vec<Value>, AmfError> {
    let mut decoder = Decoder::new(input, limits);
    let mut values = Vec::new();
    while let Some(value) = decoder.next_value()? {
        values.push(value);
    }
    Ok(values)
}

/// Appends the encoding of `value` to `out`.
///
/// A string or array whose length does not fit 32 bits becomes [`Value::Unsupported`], which exists
/// for values that cannot be written [AMF0 §2.15]. What AMF0 has no type for is written in AMF3
/// behind a marker that says so [AMF0 §3.1]; see [`Value::is_amf0`] and [`Value::into_amf0`].
/// References are never written. Recurses as deep as the value.
#[inline]
pub fn encode(value: &Value, out: &mut Vec<u8>) {
    match value {
        Value::Number(number) => {
            let [a, b, c, d, e, f, g, h] = number.to_be_bytes();
            out.extend_from_slice(&[NUMBER, a, b, c, d, e, f, g, h]);
        }
        Value::Boolean(boolean) => out.extend_from_slice(&[BOOLEAN, u8::from(*boolean)]),
        Value::String(string) => match u16::try_from(string.len()) {
            Ok(len) => {
                let [high, low] = len.to_be_bytes();
                out.extend_from_slice(&[STRING, high, low]);
                out.extend_from_slice(string.as_bytes());
            }
            Err(_) => encode_long_string(LONG_STRING, string, out),
        },
        _ => encode_other(value, out),
    }
}

/// Appends the encodings of `values` to `out`, one after another.
pub fn encode_all<'a>(values: impl IntoIterator<Item = &'a Value>, out: &mut Vec<u8>) {
    for value in values {
        encode(value, out);
    }
}

/// Makes a `T` of the one value in `input`, from which it may borrow strings.
///
/// ```
/// use rtmp_proto::{AmfLimits, amf::amf0};
///
/// #[derive(serde::Deserialize, serde::Serialize)]
/// struct CuePoint<'a> {
///     name: &'a str,
///     time: f64,
/// }
///
/// let cue_point = CuePoint { name: "start", time: 1.5 };
/// let encoded = amf0::to_vec(&cue_point)?;
/// let decoded: CuePoint<'_> = amf0::from_slice(&encoded, &AmfLimits::DATA)?;
/// assert_eq!(decoded.name, "start");
/// # Ok::<(), rtmp_proto::amf::SerdeError>(())
/// ```
///
/// # Errors
///
/// [`SerdeError::Amf`], there is no value or more than one, or it is not what `T` expects.
#[cfg(feature = "serde")]
pub fn from_slice<'de, T: serde_core::Deserialize<'de>>(
    input: &'de [u8],
    limits: &AmfLimits,
) -> Result<T, SerdeError> {
    let mut decoder = Decoder::new(input, limits);
    let value = decoder.next_typed()?.ok_or(SerdeError::NoValue)?;
    match decoder.remaining().len() {
        0 => Ok(value),
        length => Err(SerdeError::TrailingBytes { length }),
    }
}

/// The encoding of what [`to_value`](super::to_value) makes of `value`.
///
/// # Errors
///
/// Those of `to_value`.
#[cfg(feature = "serde")]
pub fn to_vec<T: serde_core::Serialize + ?Sized>(value: &T) -> Result<Vec<u8>, SerdeError> {
    let mut out = Vec::new();
    encode(&super::to_value(value)?, &mut out);
    Ok(out)
}

/// Reads the values of one message one by one.
///
/// References [AMF0 §2.9] become copies, paid for like values that were sent. Reference indexes and
/// limits span the decoder's life, those of values in AMF3 too; the depth is capped at 128 whatever
/// the limits say. Once an error is returned the decoder is at its end.
#[derive(Clone, Debug)]
pub struct Decoder<'a> {
    amf3: Amf3<'a>,
    /// The containers that have an index, in the order they began.
    containers: SmallVec<[Place; 8]>,
}

/// A container that can be referred to. It is not kept but read again when that happens, since
/// hardly anybody writes references.
#[derive(Clone, Copy, Debug)]
struct Place {
    /// Where its marker stands.
    offset: usize,
    /// Whether its end has not been read.
    is_open: bool,
}

/// A container that is being read: its index, if it has been given one.
#[derive(Clone, Copy, Debug)]
pub(super) struct Container(Option<usize>);

impl<'a> Decoder<'a> {
    /// A decoder at the beginning of a message.
    pub fn new(input: &'a [u8], limits: &AmfLimits) -> Self {
        Self {
            amf3: Amf3::new(Reader::new(input, limits)),
            containers: SmallVec::new(),
        }
    }

    /// Reads the next value, `None` at the end of the input.
    ///
    /// # Errors
    ///
    /// Any [`AmfError`].
    pub fn next_value(&mut self) -> Result<Option<Value>, AmfError> {
        if self.remaining().is_empty() {
            return Ok(None);
        }
        let result = source::value(self);
        if result.is_err() {
            self.amf3.reader.rest = &[];
        }
        result.map(Some)
    }

    /// Makes a `T` of the next value, `None` at the end of the input. Strings can be borrowed from the
    /// input.
    ///
    /// # Errors
    ///
    /// [`SerdeError::Amf`], or the value is not what `T` expects.
    #[cfg(feature = "serde")]
    pub fn next_typed<T: serde_core::Deserialize<'a>>(&mut self) -> Result<Option<T>, SerdeError> {
        if self.remaining().is_empty() {
            return Ok(None);
        }
        let result = typed::deserialize(self);
        if result.is_err() {
            self.amf3.reader.rest = &[];
        }
        result.map(Some)
    }

    /// Goes on with `input`, as the next part of the same message: what was read so far stays paid
    /// for, and cannot be referred to.
    pub(crate) fn restart(&mut self, input: &'a [u8]) {
        self.amf3.restart(input);
        self.containers.clear();
    }

    /// The input not read yet; empty after an error.
    pub const fn remaining(&self) -> &'a [u8] {
        self.amf3.reader.rest
    }

    /// Begins the container whose marker stands at `offset`; it has its index before its members
    /// have theirs.
    fn begin(&mut self, offset: usize) -> Result<Container, AmfError> {
        self.amf3.reader.budget.enter(offset)?;
        if self.amf3.reader.is_rereading {
            return Ok(Container(None));
        }
        self.containers.push(Place {
            offset,
            is_open: true,
        });
        Ok(Container(Some(self.containers.len() - 1)))
    }

    /// Goes to the container again that the reference at `offset` means.
    ///
    /// A container that has been read whole refers to none that was open, so this ends; how much
    /// work it may be is up to the budget.
    fn reference(&mut self, offset: usize) -> Result<Head<'a, Container>, AmfError> {
        let index = usize::from(self.amf3.reader.u16()?);
        match self.containers.get(index) {
            None => Err(AmfError::ReferenceOutOfRange { index, offset }),
            Some(place) if place.is_open => Err(AmfError::CyclicReference { index, offset }),
            Some(place) => Ok(Head::Reference(self.amf3.reader.jump(place.offset))),
        }
    }

    /// Reads the end marker of an object, or as much of it as there is before the input ends.
    fn ends_properties(&mut self) -> bool {
        let reader = &mut self.amf3.reader;
        if let Some(rest) = reader.rest.strip_prefix(&END_OF_PROPERTIES) {
            reader.rest = rest;
            return true;
        }
        let is_cut_short = reader.rest.len() < END_OF_PROPERTIES.len()
            && END_OF_PROPERTIES.starts_with(reader.rest);
        if is_cut_short {
            reader.rest = &[];
        }
        is_cut_short
    }

    fn long_string(&mut self, offset: usize) -> Result<Cow<'a, str>, AmfError> {
        let bytes = self.amf3.reader.long_bytes()?;
        self.amf3.reader.text(bytes, offset)
    }

    /// The name of a property or class.
    #[inline(always)]
    fn short_name(&mut self) -> Result<Cow<'a, str>, AmfError> {
        let offset = self.amf3.reader.offset();
        let bytes = self.amf3.reader.short_bytes()?;
        self.amf3.reader.name(bytes, offset)
    }
}

impl<'a> Source<'a> for Decoder<'a> {
    type Container = Container;

    #[inline(always)]
    fn head(&mut self) -> Result<Head<'a, Container>, AmfError> {
        let reader = &mut self.amf3.reader;
        let offset = reader.offset();
        let marker = reader.u8()?;
        match marker {
            REFERENCE => return self.reference(offset),
            AVM_PLUS => return Ok(Head::Avm),
            _ => reader.budget.take_node(offset)?,
        }
        Ok(match marker {
            NUMBER => Head::Number(reader.f64()?),
            BOOLEAN => Head::Boolean(reader.u8()? != 0),
            STRING => {
                let bytes = reader.short_bytes()?;
                Head::String(reader.text(bytes, offset)?)
            }
            OBJECT => Head::Object(self.begin(offset)?),
            NULL => Head::Null,
            UNDEFINED => Head::Undefined,
            ECMA_ARRAY => {
                let container = self.begin(offset)?;
                // The count is only a hint [FLV §E.4.4.4].
                let count = self.amf3.reader.u32()?;
                Head::EcmaArray(container, usize::try_from(count).unwrap_or(usize::MAX))
            }
            STRICT_ARRAY => {
                let container = self.begin(offset)?;
                let count = self.amf3.reader.u32()?;
                let count = usize::try_from(count).unwrap_or(usize::MAX);
                self.amf3.reader.check_count(count, 1, offset)?;
                Head::StrictArray(container, count)
            }
            DATE => Head::Date(Date {
                unix_millis: reader.f64()?,
                time_zone: reader.u16()?.cast_signed(),
            }),
            LONG_STRING => Head::String(self.long_string(offset)?),
            UNSUPPORTED => Head::Unsupported,
            XML_DOCUMENT => Head::XmlDocument(self.long_string(offset)?),
            TYPED_OBJECT => {
                let container = self.begin(offset)?;
                Head::TypedObject(container, self.short_name()?, None)
            }
            OBJECT_END => return Err(AmfError::UnexpectedObjectEnd { offset }),
            MOVIE_CLIP | RECORD_SET => return Err(AmfError::ReservedMarker { marker, offset }),
            _ => return Err(AmfError::UnknownMarker { marker, offset }),
        })
    }

    #[inline(always)]
    fn number(&mut self) -> Result<Option<f64>, AmfError> {
        let reader = &mut self.amf3.reader;
        let Some((&[NUMBER, ref number @ ..], rest)) = reader.rest.split_first_chunk::<9>() else {
            return Ok(None);
        };
        reader.budget.take_node(reader.offset())?;
        reader.rest = rest;
        Ok(Some(f64::from_be_bytes(*number)))
    }

    #[inline(always)]
    fn boolean(&mut self) -> Result<Option<bool>, AmfError> {
        let reader = &mut self.amf3.reader;
        let Some((&[BOOLEAN, boolean], rest)) = reader.rest.split_first_chunk() else {
            return Ok(None);
        };
        reader.budget.take_node(reader.offset())?;
        reader.rest = rest;
        Ok(Some(boolean != 0))
    }

    #[inline(always)]
    fn string(&mut self) -> Result<Option<&'a str>, AmfError> {
        let reader = &mut self.amf3.reader;
        let Some((&[STRING, high, low], rest)) = reader.rest.split_first_chunk() else {
            return Ok(None);
        };
        let len = u16::from_be_bytes([high, low]);
        let Some((bytes, rest)) = rest.split_at_checked(len.into()) else {
            return Ok(None);
        };
        let Ok(text) = str::from_utf8(bytes) else {
            return Ok(None);
        };
        let offset = reader.offset();
        reader.budget.take_node(offset)?;
        reader.budget.take_bytes(bytes.len(), offset)?;
        reader.rest = rest;
        Ok(Some(text))
    }

    #[inline(always)]
    fn name(&mut self, _: &mut Container) -> Result<Option<Cow<'a, str>>, AmfError> {
        if self.ends_properties() {
            return Ok(None);
        }
        self.short_name().map(Some)
    }

    fn leave(&mut self, Container(index): Container) {
        if let Some(place) = index.and_then(|index| self.containers.get_mut(index)) {
            place.is_open = false;
        }
        self.amf3.reader.budget.leave();
    }

    fn reader(&mut self) -> &mut Reader<'a> {
        &mut self.amf3.reader
    }

    fn amf3(&mut self) -> &mut Amf3<'a> {
        &mut self.amf3
    }
}

/// Appends what is longer than a number, a truth value or a string. These are most of what is sent,
/// so their encoding is short enough to stand in the loop over properties.
fn encode_other(value: &Value, out: &mut Vec<u8>) {
    match value {
        Value::Number(_) | Value::Boolean(_) | Value::String(_) => encode(value, out),
        Value::Object(object) => {
            out.push(OBJECT);
            encode_properties(object, out);
        }
        Value::Null => out.push(NULL),
        Value::Undefined => out.push(UNDEFINED),
        Value::EcmaArray(object) => {
            out.push(ECMA_ARRAY);
            let count = u32::try_from(object.len()).unwrap_or(u32::MAX);
            out.extend_from_slice(&count.to_be_bytes());
            encode_properties(object, out);
        }
        Value::StrictArray(values) => {
            let Ok(count) = u32::try_from(values.len()) else {
                out.push(UNSUPPORTED);
                return;
            };
            out.push(STRICT_ARRAY);
            out.extend_from_slice(&count.to_be_bytes());
            encode_all(values, out);
        }
        Value::Date(date) => {
            out.push(DATE);
            out.extend_from_slice(&date.unix_millis.to_be_bytes());
            out.extend_from_slice(&date.time_zone.to_be_bytes());
        }
        Value::Unsupported => out.push(UNSUPPORTED),
        Value::XmlDocument(text) => encode_long_string(XML_DOCUMENT, text, out),
        Value::TypedObject(object) => {
            out.push(TYPED_OBJECT);
            encode_name(object.class_name(), out);
            encode_properties(object.properties(), out);
        }
        Value::Xml(_)
        | Value::ByteArray(_)
        | Value::Vector(_)
        | Value::Dictionary(_)
        | Value::Externalizable(_) => {
            out.push(AVM_PLUS);
            Encoder::without_references(out).value(value);
        }
    }
}

fn encode_properties(object: &Object, out: &mut Vec<u8>) {
    for (name, value) in object {
        encode_name(name, out);
        encode(value, out);
    }
    out.extend_from_slice(&END_OF_PROPERTIES);
}

fn encode_name(name: &str, out: &mut Vec<u8>) {
    let len = u16::try_from(name.len()).expect("Object and TypedObject refuse longer names");
    out.extend_from_slice(&len.to_be_bytes());
    out.extend_from_slice(name.as_bytes());
}

fn encode_long_string(marker: u8, string: &str, out: &mut Vec<u8>) {
    let Ok(len) = u32::try_from(string.len()) else {
        out.push(UNSUPPORTED);
        return;
    };
    out.push(marker);
    out.extend_from_slice(&len.to_be_bytes());
    out.extend_from_slice(string.as_bytes());
}

// The markers [AMF0 §2.1].
const NUMBER: u8 = 0x00;
const BOOLEAN: u8 = 0x01;
const STRING: u8 = 0x02;
const OBJECT: u8 = 0x03;
const MOVIE_CLIP: u8 = 0x04;
const NULL: u8 = 0x05;
const UNDEFINED: u8 = 0x06;
const REFERENCE: u8 = 0x07;
const ECMA_ARRAY: u8 = 0x08;
const OBJECT_END: u8 = 0x09;
const STRICT_ARRAY: u8 = 0x0A;
const DATE: u8 = 0x0B;
const LONG_STRING: u8 = 0x0C;
const UNSUPPORTED: u8 = 0x0D;
const RECORD_SET: u8 = 0x0E;
const XML_DOCUMENT: u8 = 0x0F;
const TYPED_OBJECT: u8 = 0x10;
/// A value in AMF3 follows [AMF0 §3.1].
pub(crate) const AVM_PLUS: u8 = 0x11;

/// An empty name and the object end marker [AMF0 §2.11].
const END_OF_PROPERTIES: [u8; 3] = [0, 0, OBJECT_END];

#[cfg(test)]
mod tests;
