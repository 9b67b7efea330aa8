//! AMF3: the compact encoding of Flash Player 9 and later.
//!
//! ```text
//! 00 undefined                        09 array           header, properties, values
//! 01 null                             0A object          header, class, names, values, properties
//! 02 false                            0B XML             header, UTF-8
//! 03 true                             0C byte array      header, bytes
//! 04 integer         U29              0D vector of int   header, u8, i32...
//! 05 double          f64              0E         of uint header, u8, u32...
//! 06 string          header, UTF-8    0F       of double header, u8, f64...
//! 07 XML document    header, UTF-8    10      of objects header, u8, string, values
//! 08 date            header, f64      11 dictionary      header, u8, keys and values
//!
//! U29        = seven bits a byte, most significant first, bit 80 set in all but the last; a fourth byte
//!              is the last and holds eight bits
//! header     = U29: bit 0 clear and the index of something sent before, or set and a length
//! properties = *(string, value) 01
//! ```
//!
//! Numbers are big-endian. Strings, objects (everything else that has a header) and the traits of
//! objects (class and names) each count from 0 in the order they begin. [AMF3 §2.2, §3]
//!
//! In RTMP it never stands alone: a message is AMF0, in which the marker 0x11 announces one value
//! in AMF3 [AMF0 §3.1], [E-RTMP v2 "Important AMF3-encoded Historical Specification
//! Clarification"]. [`amf0`](super::amf0) reads and writes those. The indexes of all values of one
//! message count on. What is written here is for what else holds AMF3: byte arrays, files, other
//! protocols.
//!
//! What ActionScript does not tell apart, [`Value`] does not either:
//!
//! * Numbers are written as integers where they are integers of 29 bits.
//! * An array that has both named properties and elements is an [`EcmaArray`](Value::EcmaArray) in
//!   which the elements come last, named by their ordinals. An array that is empty is a
//!   [`StrictArray`](Value::StrictArray).
//! * Of an anonymous object all properties are dynamic, or all are sealed if one has an empty name. One
//!   of a class with an empty name is anonymous.
//!
//! And what this version cannot express is left out: properties of arrays with an empty name, the time
//! zone of a [`Date`]. [`Unsupported`](Value::Unsupported), and what is longer than 2^28-1 bytes or
//! elements, becomes undefined.

use alloc::{
    borrow::Cow,
    collections::{BTreeMap, btree_map::Entry},
    string::ToString,
    vec::Vec,
};

use super::{
    AmfError, Date, Dictionary, Object, TypedObject, Value, VectorItems,
    externalizable::{self, MORE_FLAGS},
    reader::Reader,
    source::{self, Head, Source, ordinal},
    vector::Vector,
};
#[cfg(feature = "serde")]
use super::{SerdeError, typed};
use crate::limits::AmfLimits;

/// Decodes every value of `input`, which share their indexes.
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

/// Appends the encoding of `value` to `out`, with indexes of its own.
///
/// Strings and traits that occur again are written as references. Recurses as deep as the value.
pub fn encode(value: &Value, out: &mut Vec<u8>) {
    encode_all([value], out);
}

/// Appends the encodings of `values` to `out`, one after another, with indexes that count on.
pub fn encode_all<'a>(values: impl IntoIterator<Item = &'a Value>, out: &mut Vec<u8>) {
    let mut encoder = Encoder {
        out,
        references: Some(References::default()),
    };
    for value in values {
        encoder.value(value);
    }
}

/// Makes a `T` of the one value in `input`, from which it may borrow strings.
///
/// ```
/// use rtmp_proto::{AmfLimits, amf::amf3};
///
/// #[derive(serde::Deserialize, serde::Serialize)]
/// struct CuePoint<'a> {
///     name: &'a str,
///     time: f64,
/// }
///
/// let cue_point = CuePoint { name: "start", time: 1.5 };
/// let encoded = amf3::to_vec(&cue_point)?;
/// let decoded: CuePoint<'_> = amf3::from_slice(&encoded, &AmfLimits::DATA)?;
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

/// Reads values one by one.
///
/// References [AMF3 §2.2] become copies, paid for like values that were sent; one from within what
/// it means is an error. Indexes and limits span the decoder's life; the depth is capped at 128
/// whatever the limits say. Once an error is returned the decoder is at its end.
///
/// Of an externalizable object of an unknown class nobody can tell where it ends: within another
/// value it is an error, else the rest of the input is taken for its body.
#[derive(Clone, Debug)]
pub struct Decoder<'a> {
    amf3: Amf3<'a>,
}

impl<'a> Decoder<'a> {
    /// A decoder at the beginning of `input`.
    pub fn new(input: &'a [u8], limits: &AmfLimits) -> Self {
        Self {
            amf3: Amf3::new(Reader::new(input, limits)),
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
        let result = source::value(&mut self.amf3);
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
        let result = typed::deserialize(&mut self.amf3);
        if result.is_err() {
            self.amf3.reader.rest = &[];
        }
        result.map(Some)
    }

    /// The input not read yet; empty after an error.
    pub const fn remaining(&self) -> &'a [u8] {
        self.amf3.reader.rest
    }
}

/// Input with values in AMF3, and the tables that references in it mean.
#[derive(Clone, Debug)]
pub(super) struct Amf3<'a> {
    pub(super) reader: Reader<'a>,
    strings: Vec<&'a [u8]>,
    objects: Vec<Place>,
    traits: Vec<Traits<'a>>,
    /// The names that traits declare.
    names: Vec<&'a [u8]>,
}

/// Something that can be referred to. It is not kept but read again when that happens.
#[derive(Clone, Copy, Debug)]
struct Place {
    /// Where its marker stands.
    offset: usize,
    /// Whether its end has not been read.
    is_open: bool,
}

/// What the class of an object is and declares.
#[derive(Clone, Copy, Debug)]
struct Traits<'a> {
    /// Where they stand.
    offset: usize,
    class_name: &'a [u8],
    /// The place of the declared names among all of them.
    first_name: usize,
    name_count: usize,
    is_dynamic: bool,
    is_externalizable: bool,
}

/// A container that is being read.
#[derive(Clone, Copy, Debug)]
pub(super) struct Container {
    /// Which of the objects it is, if it has been given an index.
    index: Option<usize>,
    /// The declared names that have not been read yet.
    next_name: usize,
    end_of_names: usize,
    /// Whether properties with their names follow.
    is_dynamic: bool,
}

impl<'a> Amf3<'a> {
    pub(super) const fn new(reader: Reader<'a>) -> Self {
        Self {
            reader,
            strings: Vec::new(),
            objects: Vec::new(),
            traits: Vec::new(),
            names: Vec::new(),
        }
    }

    /// Goes on with `input`, which refers to nothing before it.
    pub(super) fn restart(&mut self, input: &'a [u8]) {
        self.reader.restart(input);
        self.strings.clear();
        self.objects.clear();
        self.traits.clear();
        self.names.clear();
    }

    /// Everything that is left.
    pub(super) fn rest(&mut self) -> Result<&'a [u8], AmfError> {
        let rest = self.reader.rest;
        self.reader
            .budget
            .take_bytes(rest.len(), self.reader.offset())?;
        self.reader.rest = &[];
        Ok(rest)
    }

    /// Bytes up to the first without [`MORE_FLAGS`].
    pub(super) fn flags(&mut self) -> Result<&'a [u8], AmfError> {
        let rest = self.reader.rest;
        let more = rest.iter().take_while(|&byte| byte & MORE_FLAGS != 0);
        let len = more.count() + 1;
        self.reader.take(len)
    }

    /// A number of 29 bits [AMF3 §1.3.1].
    fn u29(&mut self) -> Result<u32, AmfError> {
        let mut number = 0;
        for _ in 0..3 {
            let byte = self.reader.u8()?;
            number = number << 7 | u32::from(byte & 0x7F);
            if byte & 0x80 == 0 {
                return Ok(number);
            }
        }
        let byte = self.reader.u8()?;
        Ok(number << 8 | u32::from(byte))
    }

    /// A number of 29 bits: the flag in its lowest, and the others.
    fn header(&mut self) -> Result<(bool, usize), AmfError> {
        let header = self.u29()?;
        let number = usize::try_from(header >> 1).unwrap_or(usize::MAX);
        Ok((header & 1 != 0, number))
    }

    /// A string, as it is, and the offset at which it begins.
    fn raw_string(&mut self) -> Result<(&'a [u8], usize), AmfError> {
        let offset = self.reader.offset();
        let (is_inline, number) = self.header()?;
        if !is_inline {
            let string = self.strings.get(number).copied();
            return Ok((string.ok_or_else(|| out_of_range(number, offset))?, offset));
        }
        let bytes = self.reader.take(number)?;
        if !bytes.is_empty() && !self.reader.is_rereading {
            self.strings.push(bytes);
        }
        Ok((bytes, offset))
    }

    fn text(&mut self) -> Result<Cow<'a, str>, AmfError> {
        let (bytes, offset) = self.raw_string()?;
        self.reader.text(bytes, offset)
    }

    /// The name of a class.
    fn class_name(&mut self) -> Result<Cow<'a, str>, AmfError> {
        let (bytes, offset) = self.raw_string()?;
        self.reader.name(bytes, offset)
    }

    /// What a marker that has a header announces.
    fn referable(&mut self, marker: u8, offset: usize) -> Result<Head<'a, Container>, AmfError> {
        let (is_inline, number) = self.header()?;
        if !is_inline {
            return self.reference(number, offset);
        }
        self.reader.budget.take_node(offset)?;
        let is_container = matches!(marker, ARRAY | OBJECT | VECTOR_OBJECT | DICTIONARY);
        let index = self.objects.len();
        let is_new = !self.reader.is_rereading;
        if is_new {
            self.objects.push(Place {
                offset,
                is_open: is_container,
            });
        }
        if !is_container {
            return self.leaf(marker, number, offset);
        }
        self.reader.budget.enter(offset)?;
        let container = Container {
            index: is_new.then_some(index),
            next_name: 0,
            end_of_names: 0,
            is_dynamic: true,
        };
        match marker {
            ARRAY => self.array(container, number, offset),
            OBJECT => self.object(container, number, offset),
            VECTOR_OBJECT => {
                let is_fixed = self.reader.u8()? != 0;
                let type_name = self.class_name()?;
                self.reader.check_count(number, 1, offset)?;
                Ok(Head::ObjectVector(container, is_fixed, type_name, number))
            }
            _ => {
                let has_weak_keys = self.reader.u8()? != 0;
                self.reader
                    .check_count(number.saturating_mul(2), 1, offset)?;
                Ok(Head::Dictionary(container, has_weak_keys, number))
            }
        }
    }

    fn reference(&mut self, index: usize, offset: usize) -> Result<Head<'a, Container>, AmfError> {
        match self.objects.get(index) {
            None => Err(out_of_range(index, offset)),
            Some(place) if place.is_open => Err(AmfError::CyclicReference { index, offset }),
            // What has been read whole refers to nothing that was open, so this ends; how much work
            // it may be is up to the budget.
            Some(place) => Ok(Head::Reference(self.reader.jump(place.offset))),
        }
    }

    /// What has no values in it; `number` is what its header tells.
    fn leaf(
        &mut self,
        marker: u8,
        number: usize,
        offset: usize,
    ) -> Result<Head<'a, Container>, AmfError> {
        if marker == DATE {
            let unix_millis = self.reader.f64()?;
            return Ok(Head::Date(Date {
                unix_millis,
                time_zone: 0,
            }));
        }
        if matches!(marker, XML_DOCUMENT | XML) {
            let bytes = self.reader.take(number)?;
            let text = self.reader.text(bytes, offset)?;
            return Ok(match marker {
                XML => Head::Xml(text),
                _ => Head::XmlDocument(text),
            });
        }
        let (is_fixed, size) = match marker {
            BYTE_ARRAY => (false, 1),
            VECTOR_DOUBLE => (self.reader.u8()? != 0, 8),
            _ => (self.reader.u8()? != 0, 4),
        };
        let len = number.saturating_mul(size);
        let bytes = self.reader.take(len)?;
        self.reader.budget.take_bytes(len, offset)?;
        Ok(match marker {
            BYTE_ARRAY => Head::ByteArray(bytes),
            VECTOR_INT => Head::IntVector(is_fixed, bytes),
            VECTOR_UINT => Head::UintVector(is_fixed, bytes),
            _ => Head::DoubleVector(is_fixed, bytes),
        })
    }

    /// Looks whether there are properties in an array of `count` elements: whoever meets
    /// only elements wants no object.
    fn array(
        &mut self,
        container: Container,
        count: usize,
        offset: usize,
    ) -> Result<Head<'a, Container>, AmfError> {
        self.reader.check_count(count, 1, offset)?;
        let names = self.reader.rest;
        let (is_inline, len) = self.header()?;
        if is_inline && len == 0 {
            return Ok(Head::StrictArray(container, count));
        }
        self.reader.rest = names;
        Ok(match count {
            0 => Head::EcmaArray(container, 0),
            _ => Head::MixedArray(container, count),
        })
    }

    /// Reads the traits of an object, or looks them up; `number` is its header without the lowest
    /// bit.
    fn object(
        &mut self,
        mut container: Container,
        number: usize,
        offset: usize,
    ) -> Result<Head<'a, Container>, AmfError> {
        let is_inline = number & 1 != 0;
        let traits = if is_inline {
            self.inline_traits(number >> 1, offset)?
        } else {
            let traits = self.traits.get(number >> 1).copied();
            traits.ok_or_else(|| out_of_range(number >> 1, offset))?
        };
        let class_name = self.reader.name(traits.class_name, offset)?;
        if traits.is_externalizable {
            return Ok(Head::External(container, class_name));
        }
        self.reader.check_count(traits.name_count, 1, offset)?;
        container.next_name = traits.first_name;
        container.end_of_names = traits.first_name + traits.name_count;
        container.is_dynamic = traits.is_dynamic;
        Ok(if class_name.is_empty() {
            Head::Object(container)
        } else {
            let sealed = traits.is_dynamic.then_some(traits.name_count);
            Head::TypedObject(container, class_name, sealed)
        })
    }

    /// Reads traits; `number` is the header of their object without the two lowest bits.
    fn inline_traits(&mut self, number: usize, offset: usize) -> Result<Traits<'a>, AmfError> {
        let (class_name, _) = self.raw_string()?;
        let is_externalizable = number & 1 != 0;
        let name_count = if is_externalizable { 0 } else { number >> 2 };
        self.reader.check_count(name_count, 2, offset)?;
        let known = self
            .traits
            .binary_search_by_key(&offset, |traits| traits.offset);
        let known = known.ok().and_then(|index| self.traits.get(index)).copied();
        if let Some(traits) = known {
            for _ in 0..name_count {
                self.raw_string()?;
            }
            return Ok(traits);
        }
        let traits = Traits {
            offset,
            class_name,
            first_name: self.names.len(),
            name_count,
            is_dynamic: number & 2 != 0,
            is_externalizable,
        };
        for _ in 0..name_count {
            let (name, _) = self.raw_string()?;
            self.names.push(name);
        }
        self.traits.push(traits);
        Ok(traits)
    }
}

impl<'a> Source<'a> for Amf3<'a> {
    type Container = Container;

    fn head(&mut self) -> Result<Head<'a, Container>, AmfError> {
        let offset = self.reader.offset();
        let marker = self.reader.u8()?;
        if (XML_DOCUMENT..=DICTIONARY).contains(&marker) {
            return self.referable(marker, offset);
        }
        self.reader.budget.take_node(offset)?;
        match marker {
            UNDEFINED => Ok(Head::Undefined),
            NULL => Ok(Head::Null),
            FALSE => Ok(Head::Boolean(false)),
            TRUE => Ok(Head::Boolean(true)),
            INTEGER => {
                // The highest of the 29 bits is the sign.
                let number = (self.u29()? << 3).cast_signed() >> 3;
                Ok(Head::Number(number.into()))
            }
            DOUBLE => Ok(Head::Number(self.reader.f64()?)),
            STRING => Ok(Head::String(self.text()?)),
            _ => Err(AmfError::UnknownMarker { marker, offset }),
        }
    }

    #[inline(always)]
    fn number(&mut self) -> Result<Option<f64>, AmfError> {
        let reader = &mut self.reader;
        let Some((&[DOUBLE, ref number @ ..], rest)) = reader.rest.split_first_chunk::<9>() else {
            return Ok(None);
        };
        reader.budget.take_node(reader.offset())?;
        reader.rest = rest;
        Ok(Some(f64::from_be_bytes(*number)))
    }

    #[inline(always)]
    fn boolean(&mut self) -> Result<Option<bool>, AmfError> {
        let reader = &mut self.reader;
        let Some((&marker @ (FALSE | TRUE), rest)) = reader.rest.split_first() else {
            return Ok(None);
        };
        reader.budget.take_node(reader.offset())?;
        reader.rest = rest;
        Ok(Some(marker == TRUE))
    }

    fn string(&mut self) -> Result<Option<&'a str>, AmfError> {
        Ok(None)
    }

    fn name(&mut self, container: &mut Container) -> Result<Option<Cow<'a, str>>, AmfError> {
        if container.next_name < container.end_of_names {
            let name = self.names.get(container.next_name).copied();
            container.next_name += 1;
            let offset = self.reader.offset();
            return self.reader.name(name.unwrap_or_default(), offset).map(Some);
        }
        if !container.is_dynamic {
            return Ok(None);
        }
        let (name, offset) = self.raw_string()?;
        if name.is_empty() {
            return Ok(None);
        }
        self.reader.name(name, offset).map(Some)
    }

    fn leave(&mut self, container: Container) {
        if let Some(place) = container
            .index
            .and_then(|index| self.objects.get_mut(index))
        {
            place.is_open = false;
        }
        self.reader.budget.leave();
    }

    fn reader(&mut self) -> &mut Reader<'a> {
        &mut self.reader
    }

    fn amf3(&mut self) -> &mut Self {
        self
    }
}

/// Writes values.
pub(super) struct Encoder<'v, 'o> {
    out: &'o mut Vec<u8>,
    /// What can be referred to, if references are to be written.
    references: Option<References<'v>>,
}

/// What has been written, and the index it has.
#[derive(Default)]
struct References<'v> {
    strings: BTreeMap<Cow<'v, str>, u32>,
    traits: BTreeMap<(&'v str, Vec<&'v str>, bool), u32>,
    // There are some in no map.
    strings_count: u32,
    traits_count: u32,
}

impl<'v, 'o> Encoder<'v, 'o> {
    /// An encoder that writes no references: readers disagree on whether the indexes of one value
    /// in a message of AMF0 count on in the next one (CHECKLIST A-35).
    pub(super) const fn without_references(out: &'o mut Vec<u8>) -> Self {
        Self {
            out,
            references: None,
        }
    }

    pub(super) fn raw(&mut self, bytes: &[u8]) {
        self.out.extend_from_slice(bytes);
    }

    pub(super) fn value(&mut self, value: &'v Value) {
        match value {
            Value::Undefined | Value::Unsupported => self.out.push(UNDEFINED),
            Value::Null => self.out.push(NULL),
            Value::Boolean(boolean) => self.out.push(if *boolean { TRUE } else { FALSE }),
            Value::Number(number) => self.number(*number),
            Value::String(string) if inline(string.len()).is_some() => {
                self.out.push(STRING);
                self.string(&**string);
            }
            Value::String(_) => self.out.push(UNDEFINED),
            Value::XmlDocument(text) => self.bytes(XML_DOCUMENT, text.as_bytes()),
            Value::Xml(text) => self.bytes(XML, text.as_bytes()),
            Value::ByteArray(bytes) => self.bytes(BYTE_ARRAY, bytes),
            Value::Date(date) => {
                self.raw(&[DATE, 1]);
                self.raw(&date.unix_millis.to_be_bytes());
            }
            Value::StrictArray(values) => self.strict_array(values),
            Value::EcmaArray(properties) => self.ecma_array(properties),
            Value::Object(properties) => self.object(properties),
            Value::TypedObject(object) => self.typed_object(object),
            Value::Vector(vector) => self.vector(vector),
            Value::Dictionary(dictionary) => self.dictionary(dictionary),
            Value::Externalizable(object) => {
                self.out.push(OBJECT);
                self.u29(INLINE_TRAITS_EXTERNALIZABLE);
                self.string(object.class_name());
                if let Some(references) = &mut self.references {
                    references.traits_count += 1;
                }
                externalizable::encode(object, self);
            }
        }
    }

    /// An integer if it is one and fits 29 bits, else a double [AMF3 §3.6].
    fn number(&mut self, number: f64) {
        match integer(number) {
            Some(integer) if (INTEGER_MIN..=INTEGER_MAX).contains(&integer) => {
                self.out.push(INTEGER);
                self.u29(integer.cast_unsigned() & U29_MAX);
            }
            _ => {
                self.out.push(DOUBLE);
                self.raw(&number.to_be_bytes());
            }
        }
    }

    /// `number` must be less than 2^29.
    fn u29(&mut self, number: u32) {
        let byte = |shift: u32| {
            let [low, ..] = (number >> shift).to_le_bytes();
            low
        };
        match number {
            0..0x80 => self.out.push(byte(0)),
            0x80..0x4000 => self.raw(&[byte(7) | MORE, byte(0) & !MORE]),
            0x4000..0x20_0000 => {
                self.raw(&[byte(14) | MORE, byte(7) | MORE, byte(0) & !MORE]);
            }
            _ => self.raw(&[byte(22) | MORE, byte(15) | MORE, byte(8) | MORE, byte(0)]),
        }
    }

    /// A marker and the header that tells `len`; undefined if no header can.
    fn begin(&mut self, marker: u8, len: usize) -> bool {
        let len = inline(len);
        match len {
            Some(header) => {
                self.out.push(marker);
                self.u29(header);
            }
            None => self.out.push(UNDEFINED),
        }
        len.is_some()
    }

    fn bytes(&mut self, marker: u8, bytes: &[u8]) {
        if self.begin(marker, bytes.len()) {
            self.raw(bytes);
        }
    }

    /// A string without its marker. One that is too long for a header, which no name is, becomes
    /// empty.
    fn string(&mut self, string: impl Into<Cow<'v, str>>) {
        let string = string.into();
        let header = inline(string.len());
        let (Some(header), false) = (header, string.is_empty()) else {
            return self.out.push(EMPTY_STRING);
        };
        if let Some(&index) = self
            .references
            .as_ref()
            .and_then(|references| references.strings.get(&*string))
        {
            return self.u29(index << 1);
        }
        self.u29(header);
        self.raw(string.as_bytes());
        if let Some(references) = &mut self.references {
            references.strings.insert(string, references.strings_count);
            references.strings_count += 1;
        }
    }

    /// Properties with their names, and their end. An empty name would be the end.
    fn properties(&mut self, properties: impl Iterator<Item = (&'v str, &'v Value)>) {
        for (name, value) in properties.filter(|(name, _)| !name.is_empty()) {
            self.string(name);
            self.value(value);
        }
        self.out.push(EMPTY_STRING);
    }

    fn values(&mut self, values: impl IntoIterator<Item = &'v Value>) {
        for value in values {
            self.value(value);
        }
    }

    fn strict_array(&mut self, values: &'v [Value]) {
        if self.begin(ARRAY, values.len()) {
            self.out.push(EMPTY_STRING);
            self.values(values);
        }
    }

    /// Properties at the end that are called 0, 1, 2… behind others are elements; where all are
    /// called so, they are properties, to be told from a strict array.
    fn ecma_array(&mut self, properties: &'v Object) {
        let len = properties.len();
        let last = properties.iter().next_back();
        let last: Option<usize> = last.and_then(|(name, _)| name.parse().ok());
        let count = last.map_or(0, |last| last.saturating_add(1));
        let named = len.saturating_sub(count);
        let are_elements = count < len && {
            let mut elements = properties.iter().skip(named).enumerate();
            elements.all(|(index, (name, _))| name == ordinal(index))
        };
        let (named, count) = if are_elements {
            (named, count)
        } else {
            (len, 0)
        };
        if self.begin(ARRAY, count) {
            self.properties(properties.iter().take(named));
            self.values(properties.iter().skip(named).map(|(_, value)| value));
        }
    }

    /// All properties are dynamic, unless one has an empty name, which only traits can declare.
    fn object(&mut self, properties: &'v Object) {
        let has_empty_name = properties.iter().any(|(name, _)| name.is_empty());
        self.out.push(OBJECT);
        if has_empty_name && properties.len() <= SEALED_LEN_MAX {
            let names = properties.iter().map(|(name, _)| name).collect();
            self.traits("", names, false);
            self.values(properties.iter().map(|(_, value)| value));
        } else {
            self.traits("", Vec::new(), true);
            self.properties(properties.iter());
        }
    }

    fn typed_object(&mut self, object: &'v TypedObject) {
        let properties = object.properties();
        let (sealed, is_dynamic) = match object.sealed_len() {
            len @ ..=SEALED_LEN_MAX => (len, object.is_dynamic()),
            _ => (0, true),
        };
        let names: Vec<_> = properties
            .iter()
            .take(sealed)
            .map(|(name, _)| name)
            .collect();
        self.out.push(OBJECT);
        self.traits(object.class_name(), names, is_dynamic);
        self.values(properties.iter().take(sealed).map(|(_, value)| value));
        if is_dynamic {
            self.properties(properties.iter().skip(sealed));
        }
    }

    /// Traits that declare `names`, fewer than 2^25.
    fn traits(&mut self, class_name: &'v str, names: Vec<&'v str>, is_dynamic: bool) {
        let count = u32::try_from(names.len()).unwrap_or_default();
        if let Some(references) = &mut self.references {
            match references
                .traits
                .entry((class_name, names.clone(), is_dynamic))
            {
                Entry::Occupied(index) => {
                    let index = *index.get();
                    return self.u29(index << 2 | INLINE);
                }
                Entry::Vacant(place) => {
                    place.insert(references.traits_count);
                    references.traits_count += 1;
                }
            }
        }
        let dynamic = if is_dynamic { DYNAMIC } else { 0 };
        self.u29(count << 4 | dynamic | INLINE_TRAITS);
        self.string(class_name);
        for name in names {
            self.string(name);
        }
    }

    fn vector(&mut self, vector: &'v Vector) {
        let fixed = [u8::from(vector.is_fixed)];
        match &vector.items {
            VectorItems::Int(items) => {
                self.numbers(VECTOR_INT, fixed, items, |item| item.to_be_bytes());
            }
            VectorItems::Uint(items) => {
                self.numbers(VECTOR_UINT, fixed, items, |item| item.to_be_bytes());
            }
            VectorItems::Double(items) => {
                self.numbers(VECTOR_DOUBLE, fixed, items, |item| item.to_be_bytes());
            }
            VectorItems::Object { type_name, values } => {
                if self.begin(VECTOR_OBJECT, values.len()) {
                    self.raw(&fixed);
                    self.string(&**type_name);
                    self.values(values);
                }
            }
        }
    }

    fn numbers<T: Copy, const N: usize>(
        &mut self,
        marker: u8,
        fixed: [u8; 1],
        items: &[T],
        encode: impl Fn(T) -> [u8; N],
    ) {
        if self.begin(marker, items.len()) {
            self.raw(&fixed);
            for &item in items {
                self.raw(&encode(item));
            }
        }
    }

    fn dictionary(&mut self, dictionary: &'v Dictionary) {
        if !self.begin(DICTIONARY, dictionary.entries.len()) {
            return;
        }
        self.out.push(u8::from(dictionary.has_weak_keys));
        for (key, value) in &dictionary.entries {
            match key.as_number().and_then(integer) {
                // Integers are strings where they are keys [AMF3 §3.16].
                Some(key) => {
                    self.out.push(STRING);
                    self.string(key.to_string());
                }
                None => self.value(key),
            }
            self.value(value);
        }
    }
}

/// The header of something that is not a reference and has this length or count.
fn inline(len: usize) -> Option<u32> {
    let len = u32::try_from(len).ok()?;
    (len < 1 << 28).then_some(len << 1 | INLINE)
}

/// The integer that `number` is exactly. Negative zero is none.
#[expect(clippy::cast_possible_truncation, reason = "compared afterwards")]
fn integer(number: f64) -> Option<i32> {
    let integer = number as i32;
    (f64::from(integer).to_bits() == number.to_bits()).then_some(integer)
}

fn out_of_range(index: usize, offset: usize) -> AmfError {
    AmfError::ReferenceOutOfRange { index, offset }
}

// The markers [AMF3 §3.1].
const UNDEFINED: u8 = 0x00;
const NULL: u8 = 0x01;
const FALSE: u8 = 0x02;
const TRUE: u8 = 0x03;
const INTEGER: u8 = 0x04;
const DOUBLE: u8 = 0x05;
const STRING: u8 = 0x06;
const XML_DOCUMENT: u8 = 0x07;
const DATE: u8 = 0x08;
const ARRAY: u8 = 0x09;
const OBJECT: u8 = 0x0A;
const XML: u8 = 0x0B;
const BYTE_ARRAY: u8 = 0x0C;
const VECTOR_INT: u8 = 0x0D;
const VECTOR_UINT: u8 = 0x0E;
const VECTOR_DOUBLE: u8 = 0x0F;
const VECTOR_OBJECT: u8 = 0x10;
const DICTIONARY: u8 = 0x11;

/// The bit of a header that tells it from a reference.
const INLINE: u32 = 1;

// The low bits of the header of an object [AMF3 §3.12].
const INLINE_TRAITS: u32 = 0b0011;
const INLINE_TRAITS_EXTERNALIZABLE: u32 = 0b0111;
const DYNAMIC: u32 = 0b1000;

/// The names that fit the rest of that header.
const SEALED_LEN_MAX: usize = (1 << 25) - 1;

/// The header of the empty string, which ends properties.
const EMPTY_STRING: u8 = 0x01;

/// Another byte of a U29 follows [AMF3 §1.3.1].
const MORE: u8 = 0x80;

// What an integer can be [AMF3 §3.6].
const INTEGER_MIN: i32 = -(1 << 28);
const INTEGER_MAX: i32 = (1 << 28) - 1;
const U29_MAX: u32 = (1 << 29) - 1;

#[cfg(test)]
mod tests;
