//! Action Message Format: the values of commands, metadata and shared objects.
//!
//! ```text
//! +--------+------------------------+
//! | marker | data                   |   one value; a message holds one after another until it ends
//! | 1      | depends on the marker  |
//! +--------+------------------------+
//! ```
//!
//! [`Value`] is what both versions of the format decode to; [`amf0`] is the version in use on
//! nearly every connection.
//!
//! Strings are UTF-8. Sequences that are not (cameras put Latin-1 into their metadata) are replaced
//! by U+FFFD wherever they occur, so that a stream does not end over the name of a device.

use alloc::{boxed::Box, string::String, vec, vec::Vec};
use core::{iter, slice, str};

use crate::limits::AmfLimits;

pub mod amf0;

/// One AMF value.
///
/// Equality is that of the parts: a NaN differs from itself, and the order of properties counts.
/// `Debug` shows strings, which may be secret; types that hold the arguments of commands redact
/// them.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum Value {
    /// A double [AMF0 §2.2].
    Number(f64),
    /// A truth value [AMF0 §2.3].
    Boolean(bool),
    /// A string of any length [AMF0 §2.4, §2.14].
    String(String),
    /// An anonymous object [AMF0 §2.5].
    Object(Object),
    /// Null [AMF0 §2.7].
    Null,
    /// Undefined, which is not null [AMF0 §2.8].
    Undefined,
    /// An array with string keys [AMF0 §2.10].
    EcmaArray(Object),
    /// An array without keys; gaps are [`Undefined`](Self::Undefined) [AMF0 §2.12].
    StrictArray(Vec<Self>),
    /// A point in time [AMF0 §2.13].
    Date(Date),
    /// Stands for a value its sender could not write [AMF0 §2.15].
    Unsupported,
    /// The text of an XML document [AMF0 §2.17].
    XmlDocument(String),
    /// An object of a named class [AMF0 §2.18].
    TypedObject(Box<TypedObject>),
}

impl Value {
    /// The number, if this is one.
    pub const fn as_number(&self) -> Option<f64> {
        match *self {
            Self::Number(number) => Some(number),
            _ => None,
        }
    }

    /// The truth value, if this is one.
    pub const fn as_bool(&self) -> Option<bool> {
        match *self {
            Self::Boolean(boolean) => Some(boolean),
            _ => None,
        }
    }

    /// The text, if this is a string.
    pub fn as_str(&self) -> Option<&str> {
        match self {
            Self::String(string) => Some(string),
            _ => None,
        }
    }

    /// The properties of an object, an ECMA array or a typed object: peers use them
    /// interchangeably.
    pub fn as_object(&self) -> Option<&Object> {
        match self {
            Self::Object(object) | Self::EcmaArray(object) => Some(object),
            Self::TypedObject(object) => Some(&object.properties),
            _ => None,
        }
    }
}

impl From<f64> for Value {
    fn from(number: f64) -> Self {
        Self::Number(number)
    }
}

impl From<bool> for Value {
    fn from(boolean: bool) -> Self {
        Self::Boolean(boolean)
    }
}

impl From<&str> for Value {
    fn from(string: &str) -> Self {
        Self::String(string.into())
    }
}

impl From<String> for Value {
    fn from(string: String) -> Self {
        Self::String(string)
    }
}

impl From<Object> for Value {
    fn from(object: Object) -> Self {
        Self::Object(object)
    }
}

impl From<TypedObject> for Value {
    fn from(object: TypedObject) -> Self {
        Self::TypedObject(Box::new(object))
    }
}

impl From<Date> for Value {
    fn from(date: Date) -> Self {
        Self::Date(date)
    }
}

/// Named values in the order they were sent or added.
///
/// A name takes at most 65 535 bytes: the format has no longer form [AMF0 §2.5]. A decoded object
/// keeps names that occur more than once; one built with [`insert`](Self::insert) has none.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Object {
    properties: Vec<(String, Value)>,
}

impl Object {
    /// An object without properties.
    pub const fn new() -> Self {
        Self {
            properties: Vec::new(),
        }
    }

    /// The value called `name`; of several the last one, as if each had overwritten the one before.
    ///
    /// Takes time proportional to the number of properties.
    pub fn get(&self, name: &str) -> Option<&Value> {
        let mut from_last = self.properties.iter().rev();
        from_last
            .find(|(candidate, _)| candidate == name)
            .map(|(_, value)| value)
    }

    /// Sets the one value called `name`: in the place of the first that has the name, or at the
    /// end.
    ///
    /// # Panics
    ///
    /// If `name` takes more than 65 535 bytes; [`try_insert`](Self::try_insert) is for names from
    /// elsewhere.
    pub fn insert(&mut self, name: impl Into<String>, value: impl Into<Value>) {
        if let Err(error) = self.try_insert(name, value) {
            panic!("{error}");
        }
    }

    /// Sets the one value called `name`, as [`insert`](Self::insert) does.
    ///
    /// # Errors
    ///
    /// [`NameTooLong`] if `name` takes more than 65 535 bytes; nothing has changed then.
    pub fn try_insert(
        &mut self,
        name: impl Into<String>,
        value: impl Into<Value>,
    ) -> Result<(), NameTooLong> {
        let name = checked_name(name.into())?;
        let mut new = Some(value.into());
        self.properties.retain_mut(|(candidate, old)| {
            if *candidate != name {
                return true;
            }
            match new.take() {
                Some(value) => {
                    *old = value;
                    true
                }
                None => false,
            }
        });
        if let Some(value) = new {
            self.properties.push((name, value));
        }
        Ok(())
    }

    /// This object with `name` set to `value`, as by [`insert`](Self::insert).
    ///
    /// # Panics
    ///
    /// If `name` takes more than 65 535 bytes.
    #[must_use]
    pub fn with(mut self, name: impl Into<String>, value: impl Into<Value>) -> Self {
        self.insert(name, value);
        self
    }

    /// Removes every property called `name` and returns the value [`get`](Self::get) would have
    /// found.
    pub fn remove(&mut self, name: &str) -> Option<Value> {
        let removed = self
            .properties
            .extract_if(.., |(candidate, _)| candidate == name);
        removed.last().map(|(_, value)| value)
    }

    /// The properties in order.
    pub fn iter(&self) -> Iter<'_> {
        self.into_iter()
    }

    /// The number of properties, repeated names included.
    pub const fn len(&self) -> usize {
        self.properties.len()
    }

    /// Whether there are no properties.
    pub const fn is_empty(&self) -> bool {
        self.properties.is_empty()
    }
}

impl IntoIterator for Object {
    type Item = (String, Value);
    type IntoIter = vec::IntoIter<(String, Value)>;

    fn into_iter(self) -> Self::IntoIter {
        self.properties.into_iter()
    }
}

impl<'a> IntoIterator for &'a Object {
    type Item = (&'a str, &'a Value);
    type IntoIter = Iter<'a>;

    fn into_iter(self) -> Self::IntoIter {
        self.properties
            .iter()
            .map(|(name, value)| (name.as_str(), value))
    }
}

/// The properties of an [`Object`] in order.
pub type Iter<'a> =
    iter::Map<slice::Iter<'a, (String, Value)>, fn(&'a (String, Value)) -> (&'a str, &'a Value)>;

/// An object of a class that has a name.
///
/// [AMF0 §2.18]
#[derive(Clone, Debug, PartialEq)]
pub struct TypedObject {
    class_name: String,
    properties: Object,
}

impl TypedObject {
    /// An object of the class `class_name`.
    ///
    /// # Errors
    ///
    /// [`NameTooLong`] if the name takes more than 65 535 bytes.
    pub fn new(class_name: impl Into<String>, properties: Object) -> Result<Self, NameTooLong> {
        Ok(Self {
            class_name: checked_name(class_name.into())?,
            properties,
        })
    }

    /// The name of the class.
    pub fn class_name(&self) -> &str {
        &self.class_name
    }

    /// The properties.
    pub const fn properties(&self) -> &Object {
        &self.properties
    }

    /// The properties without the class: what an object of an unknown class amounts to
    /// [AMF0 §2.5].
    pub fn into_properties(self) -> Object {
        self.properties
    }
}

/// A point in time.
///
/// [AMF0 §2.13]
#[derive(Clone, Copy, Debug, PartialEq)]
#[expect(clippy::exhaustive_structs, reason = "the fields of the wire format")]
pub struct Date {
    /// Milliseconds since 1970-01-01 00:00 UTC, whatever `time_zone` says.
    pub unix_millis: f64,
    /// Reserved: write 0. Some writers put an offset in minutes here [FLV §E.4.4.3].
    pub time_zone: i16,
}

/// The name of a property or class takes more than 65 535 bytes.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a name of {length} bytes is longer than {MAX_NAME_LEN}")]
#[non_exhaustive]
pub struct NameTooLong {
    /// Bytes of the name.
    pub length: usize,
}

/// What is wrong with encoded values.
///
/// An `offset` counts bytes from the beginning of the decoder's input.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum AmfError {
    /// The input ends within a value.
    #[error("the input ends within the field at byte {offset}")]
    UnexpectedEnd {
        /// Where the field that is cut short begins.
        offset: usize,
    },
    /// No type has this marker.
    #[error("unknown marker {marker:#04x} at byte {offset}")]
    UnknownMarker {
        /// The marker.
        marker: u8,
        /// Where it stands.
        offset: usize,
    },
    /// The marker belongs to a type that was never defined: movie clip or record set.
    #[error("reserved marker {marker:#04x} at byte {offset}")]
    ReservedMarker {
        /// The marker.
        marker: u8,
        /// Where it stands.
        offset: usize,
    },
    /// An object end marker stands where a value belongs.
    #[error("object end marker in the place of a value at byte {offset}")]
    UnexpectedObjectEnd {
        /// Where it stands.
        offset: usize,
    },
    /// Containers nest deeper than allowed.
    #[error("containers nest deeper than {limit} at byte {offset}")]
    TooDeep {
        /// The depth allowed.
        limit: usize,
        /// Where the container beyond it begins.
        offset: usize,
    },
    /// There are more values than allowed.
    #[error("more than {limit} values at byte {offset}")]
    TooManyValues {
        /// The number allowed.
        limit: usize,
        /// Where the value beyond it begins, or the array that announces it.
        offset: usize,
    },
    /// The strings take more bytes than allowed.
    #[error("strings of more than {limit} bytes in all at byte {offset}")]
    StringsTooLong {
        /// The bytes allowed.
        limit: usize,
        /// Where the string beyond them begins.
        offset: usize,
    },
    /// A name has outgrown 65 535 bytes because invalid UTF-8 in it was replaced.
    #[error("the name at byte {offset} takes {length} bytes in valid UTF-8")]
    NameTooLong {
        /// Bytes of the name after the replacement.
        length: usize,
        /// Where the name begins.
        offset: usize,
    },
    /// A reference to a container that has not begun.
    #[error("reference {index} at byte {offset} to a container not yet met")]
    ReferenceOutOfRange {
        /// The index of the container.
        index: u16,
        /// Where the reference stands.
        offset: usize,
    },
    /// A reference to a container from within itself.
    #[error("reference {index} at byte {offset} to a container around it")]
    CyclicReference {
        /// The index of the container.
        index: u16,
        /// Where the reference stands.
        offset: usize,
    },
}

/// What is left of an [`AmfLimits`], shared by everything that decodes one message.
#[derive(Clone, Debug)]
struct Budget {
    limits: AmfLimits,
    depth: usize,
    nodes: usize,
    string_bytes: usize,
}

impl Budget {
    fn new(limits: &AmfLimits) -> Self {
        Self {
            limits: limits.with_depth(limits.depth.min(MAX_DEPTH)),
            depth: 0,
            nodes: limits.nodes,
            string_bytes: limits.string_bytes,
        }
    }

    /// Pays for one value.
    fn take_node(&mut self, offset: usize) -> Result<(), AmfError> {
        self.check_nodes(1, offset)?;
        self.nodes -= 1;
        Ok(())
    }

    /// Makes sure that `count` values could be paid for.
    fn check_nodes(&self, count: usize, offset: usize) -> Result<(), AmfError> {
        if count > self.nodes {
            return Err(AmfError::TooManyValues {
                limit: self.limits.nodes,
                offset,
            });
        }
        Ok(())
    }

    /// Goes one container deeper. Every `enter` is followed by a `leave` or an error that ends
    /// the decoding.
    fn enter(&mut self, offset: usize) -> Result<(), AmfError> {
        if self.depth >= self.limits.depth {
            return Err(AmfError::TooDeep {
                limit: self.limits.depth,
                offset,
            });
        }
        self.depth += 1;
        Ok(())
    }

    fn leave(&mut self) {
        self.depth -= 1;
    }

    /// Pays for and copies a string; invalid UTF-8 in it is replaced.
    fn take_string(&mut self, bytes: &[u8], offset: usize) -> Result<String, AmfError> {
        self.take_string_bytes(bytes.len(), offset)?;
        if let Ok(string) = str::from_utf8(bytes) {
            return Ok(string.into());
        }
        let string = String::from_utf8_lossy(bytes).into_owned();
        // A replacement character takes three bytes and replaces one to three.
        self.take_string_bytes(string.len().saturating_sub(bytes.len()), offset)?;
        Ok(string)
    }

    /// Pays for and copies the name of a property or class.
    fn take_name(&mut self, bytes: &[u8], offset: usize) -> Result<String, AmfError> {
        checked_name(self.take_string(bytes, offset)?)
            .map_err(|NameTooLong { length }| AmfError::NameTooLong { length, offset })
    }

    fn take_string_bytes(&mut self, len: usize, offset: usize) -> Result<(), AmfError> {
        let Some(left) = self.string_bytes.checked_sub(len) else {
            return Err(AmfError::StringsTooLong {
                limit: self.limits.string_bytes,
                offset,
            });
        };
        self.string_bytes = left;
        Ok(())
    }
}

fn checked_name(name: String) -> Result<String, NameTooLong> {
    if name.len() > MAX_NAME_LEN {
        return Err(NameTooLong { length: name.len() });
    }
    Ok(name)
}

/// Names have a 16-bit length [AMF0 §1.3.1].
const MAX_NAME_LEN: usize = 0xFFFF;

/// The depth allowed whatever the limits say, because decoding, dropping and comparing values
/// recurse.
const MAX_DEPTH: usize = 128;

#[cfg(test)]
mod tests {
    use super::*;

    /// AMF0-40
    #[test]
    fn insert_replaces_every_duplicate_in_the_first_place() {
        let mut object = Object {
            properties: vec![
                ("a".into(), 1.0.into()),
                ("b".into(), 2.0.into()),
                ("a".into(), 3.0.into()),
            ],
        };
        assert_eq!(object.get("a"), Some(&Value::Number(3.0)));
        object.insert("a", "new");
        let expected = Object::new().with("a", "new").with("b", 2.0);
        assert_eq!(object, expected);
    }

    #[test]
    fn remove_takes_every_duplicate_and_returns_the_last() {
        let mut object = Object {
            properties: vec![
                ("a".into(), 1.0.into()),
                ("b".into(), 2.0.into()),
                ("a".into(), 3.0.into()),
            ],
        };
        assert_eq!(object.remove("a"), Some(Value::Number(3.0)));
        assert_eq!(object.remove("a"), None);
        assert_eq!(object, Object::new().with("b", 2.0));
    }

    /// AMF0-11, AMF0-32
    #[test]
    fn names_fit_sixteen_bits() {
        let longest = "n".repeat(0xFFFF);
        let too_long = "n".repeat(0x1_0000);
        let error = NameTooLong { length: 0x1_0000 };

        let mut object = Object::new();
        assert_eq!(object.try_insert(longest.clone(), true), Ok(()));
        assert_eq!(
            object.try_insert(too_long.clone(), true),
            Err(error.clone())
        );
        assert_eq!(object.len(), 1);

        assert!(TypedObject::new(longest, Object::new()).is_ok());
        assert_eq!(TypedObject::new(too_long, Object::new()), Err(error));
    }

    #[test]
    #[should_panic(expected = "a name of 65536 bytes is longer than 65535")]
    fn insert_panics_on_a_long_name() {
        Object::new().insert("n".repeat(0x1_0000), true);
    }

    #[test]
    fn accessors_see_their_own_kind_only() {
        let object = Object::new().with("k", 1.0);
        let typed = TypedObject::new("C", object.clone()).unwrap();
        for value in [
            Value::Object(object.clone()),
            Value::EcmaArray(object.clone()),
            typed.into(),
        ] {
            assert_eq!(value.as_object(), Some(&object));
            assert_eq!(value.as_number(), None);
        }
        assert_eq!(Value::from(2.5).as_number(), Some(2.5));
        assert_eq!(Value::from(true).as_bool(), Some(true));
        assert_eq!(Value::from("s").as_str(), Some("s"));
        assert_eq!(Value::XmlDocument("s".into()).as_str(), None);
        assert_eq!(Value::Null.as_bool(), None);
        assert_eq!(Value::Null.as_object(), None);
    }

    #[test]
    fn iteration_is_in_order() {
        let object = Object::new().with("b", 1.0).with("a", 2.0);
        let names: Vec<&str> = object.iter().map(|(name, _)| name).collect();
        assert_eq!(names, ["b", "a"]);
        let owned: Vec<(String, Value)> = object.into_iter().collect();
        assert_eq!(owned, [("b".into(), 1.0.into()), ("a".into(), 2.0.into())]);
    }
}
