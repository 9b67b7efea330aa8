//! Externalizable objects: those that their classes write as they see fit.
//!
//! How long such an object is only its class knows. These are the ones that Flex sends:
//!
//! ```text
//! flex.messaging.io.ArrayCollection, ArrayList, ObjectProxy    the value they stand for
//! DSA, DSC, DSK (small messages)                               sections, one per class they inherit from
//!
//! section = flags *(value)      a value for each bit that is set
//! flags   = *(u8 with 80) u8    seven bits each
//! ```
//!
//! [AMF3 §3.12]; the bodies as BlazeDS writes them.

use alloc::{boxed::Box, format, vec::Vec};

use super::{
    AmfError, NameTooLong, Object, Text, Value,
    amf3::{Amf3, Encoder},
    checked_name,
    source::{self, Source},
};

/// An object that its class has written as it sees fit.
///
/// [AMF3 §3.12]
#[derive(Clone, Debug, PartialEq)]
pub struct Externalizable {
    class_name: Text,
    body: ExternalBody,
}

/// What an [`Externalizable`] consists of.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum ExternalBody {
    /// What an `ArrayCollection`, `ArrayList` or `ObjectProxy` stands for; the members of a small
    /// message as an object.
    Value(Value),
    /// The body of a class that is not known, and whatever came behind it: where it ends only its
    /// class could tell.
    Opaque(Vec<u8>),
}

impl Externalizable {
    /// The collection that Flex sends in the place of an array.
    pub fn array_collection(values: Vec<Value>) -> Self {
        Self {
            class_name: ARRAY_COLLECTION.into(),
            body: ExternalBody::Value(values.into()),
        }
    }

    /// The proxy that Flex sends in the place of an object.
    pub fn object_proxy(properties: Object) -> Self {
        Self {
            class_name: OBJECT_PROXY.into(),
            body: ExternalBody::Value(properties.into()),
        }
    }

    /// An object of a class of your own, with the bytes that its readers expect. Where it is not
    /// the last value of a message, only readers that know the class can go on behind it.
    ///
    /// # Errors
    ///
    /// [`NameTooLong`] if the name takes more than 65 535 bytes.
    pub fn opaque(class_name: impl Into<Text>, body: Vec<u8>) -> Result<Self, NameTooLong> {
        Ok(Self {
            class_name: checked_name(class_name.into())?,
            body: ExternalBody::Opaque(body),
        })
    }

    pub(super) const fn from_parts(class_name: Text, body: ExternalBody) -> Self {
        Self { class_name, body }
    }

    /// The name of the class.
    pub fn class_name(&self) -> &str {
        &self.class_name
    }

    /// What it consists of.
    pub const fn body(&self) -> &ExternalBody {
        &self.body
    }

    /// What it stands for, as [`value`](Self::value).
    pub fn into_value(self) -> Option<Value> {
        match self.body {
            ExternalBody::Value(value) => Some(value),
            ExternalBody::Opaque(_) => None,
        }
    }

    /// What it stands for, if its class is known.
    pub const fn value(&self) -> Option<&Value> {
        match &self.body {
            ExternalBody::Value(value) => Some(value),
            ExternalBody::Opaque(_) => None,
        }
    }
}

/// Reads the body of an object of the class `class_name`.
pub(super) fn decode(class_name: &str, amf3: &mut Amf3<'_>) -> Result<ExternalBody, AmfError> {
    match Layout::of(class_name) {
        Layout::Value => source::value(amf3).map(ExternalBody::Value),
        Layout::Sections(sections) => decode_sections(class_name, sections, amf3)
            .map(|object| ExternalBody::Value(object.into())),
        // Within something else, where that goes on could not be told.
        Layout::Unknown if amf3.reader().budget.depth() > 1 => Err(unknown(class_name)),
        Layout::Unknown => amf3.rest().map(|bytes| ExternalBody::Opaque(bytes.into())),
    }
}

/// Whether the body of an object of the class `class_name` is the value it stands for.
#[cfg(feature = "serde")]
pub(super) fn stands_for_a_value(class_name: &str) -> bool {
    matches!(Layout::of(class_name), Layout::Value)
}

/// Appends the body of `object`.
pub(super) fn encode<'v>(object: &'v Externalizable, encoder: &mut Encoder<'v, '_>) {
    match (&object.body, Layout::of(&object.class_name)) {
        (ExternalBody::Value(Value::Object(members)), Layout::Sections(sections)) => {
            encode_sections(members, sections, encoder);
        }
        (ExternalBody::Value(value), _) => encoder.value(value),
        (ExternalBody::Opaque(bytes), _) => encoder.raw(bytes),
    }
}

/// How the body of a class is written.
enum Layout {
    Value,
    /// The names of the members by section and bit.
    Sections(&'static [&'static [&'static str]]),
    Unknown,
}

impl Layout {
    fn of(class_name: &str) -> Self {
        match class_name {
            ARRAY_COLLECTION | "flex.messaging.io.ArrayList" | OBJECT_PROXY => Self::Value,
            "DSA" => Self::Sections(&[MESSAGE, ASYNC_MESSAGE]),
            "DSC" => Self::Sections(&[MESSAGE, ASYNC_MESSAGE, COMMAND_MESSAGE]),
            "DSK" => Self::Sections(&[MESSAGE, ASYNC_MESSAGE, ACKNOWLEDGE_MESSAGE]),
            _ => Self::Unknown,
        }
    }
}

fn decode_sections(
    class_name: &str,
    sections: &[&[&str]],
    amf3: &mut Amf3<'_>,
) -> Result<Object, AmfError> {
    // The object that the members make up is paid for like one that was sent.
    let offset = amf3.reader.offset();
    amf3.reader.budget.take_node(offset)?;
    amf3.reader.budget.enter(offset)?;
    let mut members = Vec::new();
    for (section, names) in sections.iter().enumerate() {
        let flags = amf3.flags()?;
        if flags.len() > FLAGS_LEN_MAX {
            return Err(unknown(class_name));
        }
        for (index, flags) in flags.iter().enumerate() {
            for bit in (0..7).filter(|bit| flags & (1 << bit) != 0) {
                let number = 7 * index + bit;
                let name = match names.get(number) {
                    Some(name) => Text::from(*name),
                    None => unnamed(section, number).into(),
                };
                amf3.reader.budget.take_bytes(name.len(), offset)?;
                members.push((name, source::value(amf3)?));
            }
        }
    }
    amf3.reader.budget.leave();
    Ok(Object {
        properties: members,
    })
}

fn encode_sections<'v>(members: &'v Object, sections: &[&[&str]], encoder: &mut Encoder<'v, '_>) {
    for (section, names) in sections.iter().enumerate() {
        let number_of = |name: &str| match names.iter().position(|candidate| *candidate == name) {
            Some(number) => Some(number),
            None => {
                let (of, number) = name.split_once('.')?;
                let number = number.parse().ok()?;
                (of.parse() == Ok(section)).then_some(number)
            }
        };
        let present = members
            .iter()
            .filter_map(|(name, value)| Some((number_of(name)?, value)));
        let mut present: Vec<_> = present.collect();
        present.sort_by_key(|(number, _)| *number);
        let last_byte = present.last().map_or(0, |(number, _)| number / 7);
        for index in 0..=last_byte {
            let bits = present.iter().filter(|(number, _)| number / 7 == index);
            let flags = bits.fold(0, |flags, (number, _)| flags | 1 << (number % 7));
            let more = if index < last_byte { MORE_FLAGS } else { 0 };
            encoder.raw(&[flags | more]);
        }
        for (_, value) in present {
            encoder.value(value);
        }
    }
}

fn unknown(class_name: &str) -> AmfError {
    let class_name = Box::from(class_name);
    AmfError::UnknownExternalizable { class_name }
}

/// What a member is called for which later versions of the class would have a name.
fn unnamed(section: usize, number: usize) -> alloc::string::String {
    format!("{section}.{number}")
}

const ARRAY_COLLECTION: &str = "flex.messaging.io.ArrayCollection";
const OBJECT_PROXY: &str = "flex.messaging.io.ObjectProxy";

/// `AbstractMessage`: the second byte of flags has two.
const MESSAGE: &[&str] = &[
    "body",
    "clientId",
    "destination",
    "headers",
    "messageId",
    "timestamp",
    "timeToLive",
    "clientIdBytes",
    "messageIdBytes",
];
const ASYNC_MESSAGE: &[&str] = &["correlationId", "correlationIdBytes"];
const COMMAND_MESSAGE: &[&str] = &["operation"];
const ACKNOWLEDGE_MESSAGE: &[&str] = &[];

/// No class has more than two.
const FLAGS_LEN_MAX: usize = 8;

/// Another byte of flags follows.
pub(super) const MORE_FLAGS: u8 = 0x80;
