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

use alloc::{string::String, vec::Vec};

use nom::{
    Parser,
    bytes::complete::tag,
    multi::length_data,
    number::complete::{be_f64, be_i16, be_u8, be_u16, be_u32},
};
use smallvec::SmallVec;

use super::{AmfError, Budget, Date, Object, TypedObject, Value};
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
/// for values that cannot be written [AMF0 §2.15]. References are never written. Recurses as deep
/// as the value.
pub fn encode(value: &Value, out: &mut Vec<u8>) {
    match value {
        Value::Number(number) => {
            out.push(NUMBER);
            out.extend_from_slice(&number.to_be_bytes());
        }
        Value::Boolean(boolean) => out.extend_from_slice(&[BOOLEAN, u8::from(*boolean)]),
        Value::String(string) => match u16::try_from(string.len()) {
            Ok(len) => {
                out.push(STRING);
                out.extend_from_slice(&len.to_be_bytes());
                out.extend_from_slice(string.as_bytes());
            }
            Err(_) => encode_long_string(LONG_STRING, string, out),
        },
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
    }
}

/// Appends the encodings of `values` to `out`, one after another.
pub fn encode_all<'a>(values: impl IntoIterator<Item = &'a Value>, out: &mut Vec<u8>) {
    for value in values {
        encode(value, out);
    }
}

/// Reads the values of one message one by one.
///
/// References [AMF0 §2.9] become copies, paid for like values that were sent. Reference indexes and
/// limits span the decoder's life; the depth is capped at 128 whatever the limits say. Once an error
/// is returned the decoder is at its end.
#[derive(Clone, Debug)]
pub struct Decoder<'a> {
    input: &'a [u8],
    rest: &'a [u8],
    budget: Budget,
    /// The containers that have an index, in the order they began.
    containers: SmallVec<[Container; 8]>,
    /// Whether a reference is being resolved: containers read again get no second index.
    resolving: bool,
}

/// A container that can be referred to. It is not kept but read again when that happens, since
/// hardly anybody writes references.
#[derive(Clone, Copy, Debug)]
struct Container {
    /// Where its marker stands.
    offset: usize,
    /// Whether its end has not been read.
    is_open: bool,
}

impl<'a> Decoder<'a> {
    /// A decoder at the beginning of a message.
    pub fn new(input: &'a [u8], limits: &AmfLimits) -> Self {
        Self {
            input,
            rest: input,
            budget: Budget::new(limits),
            containers: SmallVec::new(),
            resolving: false,
        }
    }

    /// Reads the next value, `None` at the end of the input.
    ///
    /// # Errors
    ///
    /// Any [`AmfError`]. The marker 0x11, which announces an AMF3 value, is an unknown one.
    pub fn next_value(&mut self) -> Result<Option<Value>, AmfError> {
        if self.rest.is_empty() {
            return Ok(None);
        }
        let result = self.value();
        if result.is_err() {
            self.rest = &[];
        }
        result.map(Some)
    }

    /// The input not read yet; empty after an error.
    pub const fn remaining(&self) -> &'a [u8] {
        self.rest
    }

    fn value(&mut self) -> Result<Value, AmfError> {
        let offset = self.offset();
        let marker = self.read(be_u8)?;
        if marker == REFERENCE {
            return self.referenced_value(offset);
        }
        self.budget.take_node(offset)?;
        match marker {
            NUMBER => Ok(Value::Number(self.read(be_f64)?)),
            BOOLEAN => Ok(Value::Boolean(self.read(be_u8)? != 0)),
            STRING => {
                let bytes = self.read(length_data(be_u16))?;
                Ok(Value::String(self.budget.take_string(bytes, offset)?))
            }
            OBJECT => self.container(offset, |this| this.properties().map(Value::Object)),
            NULL => Ok(Value::Null),
            UNDEFINED => Ok(Value::Undefined),
            ECMA_ARRAY => self.container(offset, |this| {
                // The count is only a hint [FLV §E.4.4.4].
                let _ = this.read(be_u32)?;
                this.properties().map(Value::EcmaArray)
            }),
            STRICT_ARRAY => {
                self.container(offset, |this| this.elements(offset).map(Value::StrictArray))
            }
            DATE => {
                let (unix_millis, time_zone) = self.read((be_f64, be_i16))?;
                Ok(Value::Date(Date {
                    unix_millis,
                    time_zone,
                }))
            }
            LONG_STRING => Ok(Value::String(self.long_string(offset)?)),
            UNSUPPORTED => Ok(Value::Unsupported),
            XML_DOCUMENT => Ok(Value::XmlDocument(self.long_string(offset)?)),
            TYPED_OBJECT => self.container(offset, |this| {
                let class_name = this.name()?;
                let properties = this.properties()?;
                Ok(TypedObject {
                    class_name,
                    properties,
                }
                .into())
            }),
            OBJECT_END => Err(AmfError::UnexpectedObjectEnd { offset }),
            MOVIE_CLIP | RECORD_SET => Err(AmfError::ReservedMarker { marker, offset }),
            _ => Err(AmfError::UnknownMarker { marker, offset }),
        }
    }

    /// Reads the container whose marker stands at `offset`; it has its index before its members
    /// have theirs.
    fn container(
        &mut self,
        offset: usize,
        members: impl FnOnce(&mut Self) -> Result<Value, AmfError>,
    ) -> Result<Value, AmfError> {
        self.budget.enter(offset)?;
        let index = self.containers.len();
        let is_new = !self.resolving;
        if is_new {
            self.containers.push(Container {
                offset,
                is_open: true,
            });
        }
        let value = members(self)?;
        if is_new && let Some(container) = self.containers.get_mut(index) {
            container.is_open = false;
        }
        self.budget.leave();
        Ok(value)
    }

    /// Reads the container again that the reference at `offset` means.
    ///
    /// A container that has been read whole refers to none that was open, so this ends; how much
    /// work it may be is up to the budget.
    fn referenced_value(&mut self, offset: usize) -> Result<Value, AmfError> {
        let index = self.read(be_u16)?;
        let Some(container) = self.containers.get(usize::from(index)) else {
            return Err(AmfError::ReferenceOutOfRange { index, offset });
        };
        if container.is_open {
            return Err(AmfError::CyclicReference { index, offset });
        }
        let rest = self.rest;
        let resolving = self.resolving;
        self.rest = self.input.get(container.offset..).unwrap_or_default();
        self.resolving = true;
        let value = self.value()?;
        self.resolving = resolving;
        self.rest = rest;
        Ok(value)
    }

    fn properties(&mut self) -> Result<Object, AmfError> {
        let mut properties = Vec::new();
        while !self.ends_properties() {
            let name = self.name()?;
            if properties.is_empty() {
                properties.reserve(TYPICAL_PROPERTIES);
            }
            // Without a look at the names there: that would take quadratic time. And `?` would move
            // the value once more, a fifth of the time metadata takes.
            match self.value() {
                Ok(value) => properties.push((name, value)),
                Err(error) => return Err(error),
            }
        }
        Ok(Object { properties })
    }

    /// Reads the end marker of an object, or as much of it as there is before the input ends.
    fn ends_properties(&mut self) -> bool {
        if self.read(tag(&END_OF_PROPERTIES[..])).is_ok() {
            return true;
        }
        let is_cut_short = END_OF_PROPERTIES.starts_with(self.rest);
        if is_cut_short {
            self.rest = &[];
        }
        is_cut_short
    }

    fn elements(&mut self, offset: usize) -> Result<Vec<Value>, AmfError> {
        let count = self.read(be_u32)?;
        let count = usize::try_from(count).unwrap_or(usize::MAX);
        // A value takes one byte at least.
        if count > self.rest.len() {
            return Err(AmfError::UnexpectedEnd {
                offset: self.offset(),
            });
        }
        self.budget.check_nodes(count, offset)?;
        // Arrays within arrays may each announce as much as the outermost one, so the count is
        // believed up to a point only.
        let mut values = Vec::with_capacity(count.min(MAX_PREALLOCATED_ELEMENTS));
        for _ in 0..count {
            values.push(self.value()?);
        }
        Ok(values)
    }

    fn name(&mut self) -> Result<String, AmfError> {
        let offset = self.offset();
        let bytes = self.read(length_data(be_u16))?;
        self.budget.take_name(bytes, offset)
    }

    fn long_string(&mut self, offset: usize) -> Result<String, AmfError> {
        let bytes = self.read(length_data(be_u32))?;
        self.budget.take_string(bytes, offset)
    }

    /// Runs a parser that fails only for want of bytes.
    fn read<T>(
        &mut self,
        mut parser: impl Parser<&'a [u8], Output = T, Error = ()>,
    ) -> Result<T, AmfError> {
        match parser.parse(self.rest) {
            Ok((rest, output)) => {
                self.rest = rest;
                Ok(output)
            }
            Err(_) => Err(AmfError::UnexpectedEnd {
                offset: self.offset(),
            }),
        }
    }

    const fn offset(&self) -> usize {
        self.input.len() - self.rest.len()
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

/// An empty name and the object end marker [AMF0 §2.11].
const END_OF_PROPERTIES: [u8; 3] = [0, 0, OBJECT_END];

/// Room made for the first property: `connect` has 5 to 12 of them.
const TYPICAL_PROPERTIES: usize = 8;

/// Room made for the elements of a strict array before any of them is read.
const MAX_PREALLOCATED_ELEMENTS: usize = 16;

#[cfg(test)]
mod tests;
