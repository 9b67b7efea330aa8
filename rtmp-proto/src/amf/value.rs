//! Values: what both versions of the format decode to.

use alloc::{boxed::Box, string::String, vec::Vec};

use super::{Date, Dictionary, Externalizable, Object, Text, TypedObject, Vector, VectorItems};

/// One AMF value.
///
/// Equality is that of the parts: a NaN differs from itself, and the order of properties counts.
/// `Debug` shows strings, which may be secret; types that hold the arguments of commands redact
/// them.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum Value {
    /// A double, and in AMF3 also an integer, which is its shorter form [AMF0 §2.2], [AMF3 §3.6,
    /// §3.7].
    Number(f64),
    /// A truth value [AMF0 §2.3], [AMF3 §3.4, §3.5].
    Boolean(bool),
    /// A string of any length [AMF0 §2.4, §2.14], [AMF3 §3.8].
    String(Text),
    /// An anonymous object [AMF0 §2.5], [AMF3 §3.12].
    Object(Object),
    /// Null [AMF0 §2.7], [AMF3 §3.3].
    Null,
    /// Undefined, which is not null [AMF0 §2.8], [AMF3 §3.2].
    Undefined,
    /// An array with string keys, among which there may be ordinals [AMF0 §2.10], [AMF3 §3.11].
    EcmaArray(Object),
    /// An array without keys; gaps are [`Undefined`](Self::Undefined) [AMF0 §2.12], [AMF3 §3.11].
    StrictArray(Vec<Self>),
    /// A point in time [AMF0 §2.13], [AMF3 §3.10].
    Date(Date),
    /// Stands for a value its sender could not write [AMF0 §2.15]. AMF0 only.
    Unsupported,
    /// The text of an XML document [AMF0 §2.17], [AMF3 §3.9].
    XmlDocument(Text),
    /// An object of a named class [AMF0 §2.18], [AMF3 §3.12].
    TypedObject(Box<TypedObject>),
    /// The text of an E4X document [AMF3 §3.13]. AMF3 only.
    Xml(Text),
    /// Bytes [AMF3 §3.14]. AMF3 only.
    ByteArray(Vec<u8>),
    /// Values of one type [AMF3 §3.15]. AMF3 only.
    Vector(Box<Vector>),
    /// A map whose keys may be any values [AMF3 §3.16]. AMF3 only.
    Dictionary(Box<Dictionary>),
    /// An object that its class has written as it sees fit [AMF3 §3.12]. AMF3 only.
    Externalizable(Box<Externalizable>),
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

    /// The properties of an object, an ECMA array, a typed object or what an `ObjectProxy` stands
    /// for: peers use them interchangeably.
    pub fn as_object(&self) -> Option<&Object> {
        match self {
            Self::Object(object) | Self::EcmaArray(object) => Some(object),
            Self::TypedObject(object) => Some(object.properties()),
            Self::Externalizable(object) => object.value()?.as_object(),
            _ => None,
        }
    }

    /// The elements of a strict array, a vector of objects or an `ArrayCollection`.
    pub fn as_array(&self) -> Option<&[Self]> {
        match self {
            Self::StrictArray(values) => Some(values),
            Self::Vector(vector) => vector.values(),
            Self::Externalizable(object) => object.value()?.as_array(),
            _ => None,
        }
    }

    /// Whether this is null or undefined.
    pub const fn is_nullish(&self) -> bool {
        matches!(self, Self::Null | Self::Undefined)
    }

    /// Whether AMF0 has a type for this value and every value in it. One for which it has none is
    /// written in AMF3 behind a marker, which only peers that announced object encoding 3
    /// understand [AMF0 §3.1].
    pub fn is_amf0(&self) -> bool {
        match self {
            Self::Xml(_)
            | Self::ByteArray(_)
            | Self::Vector(_)
            | Self::Dictionary(_)
            | Self::Externalizable(_) => false,
            Self::StrictArray(values) => values.iter().all(Self::is_amf0),
            Self::Object(object) | Self::EcmaArray(object) => object.is_amf0(),
            Self::TypedObject(object) => object.properties().is_amf0(),
            _ => true,
        }
    }

    /// This value as near as AMF0 comes to it: XML becomes an XML document, a vector a strict array, a
    /// dictionary an object if its keys are strings or numbers, an externalizable object what it stands
    /// for. Everything else that AMF0 has no type for becomes [`Unsupported`](Self::Unsupported).
    #[must_use]
    pub fn into_amf0(self) -> Self {
        match self {
            Self::Xml(text) => Self::XmlDocument(text),
            Self::ByteArray(_) => Self::Unsupported,
            Self::StrictArray(values) => Self::StrictArray(all_into_amf0(values)),
            Self::Object(object) => Self::Object(object.into_amf0()),
            Self::EcmaArray(object) => Self::EcmaArray(object.into_amf0()),
            Self::TypedObject(object) => Self::TypedObject(Box::new(object.into_amf0())),
            Self::Vector(vector) => Self::StrictArray(match vector.items {
                VectorItems::Int(items) => items.into_iter().map(Self::from).collect(),
                VectorItems::Uint(items) => items.into_iter().map(Self::from).collect(),
                VectorItems::Double(items) => items.into_iter().map(Self::from).collect(),
                VectorItems::Object { values, .. } => all_into_amf0(values),
            }),
            Self::Dictionary(dictionary) => match dictionary.into_object() {
                Some(object) => Self::Object(object.into_amf0()),
                None => Self::Unsupported,
            },
            Self::Externalizable(object) => match object.into_value() {
                Some(value) => value.into_amf0(),
                None => Self::Unsupported,
            },
            other => other,
        }
    }
}

fn all_into_amf0(values: Vec<Value>) -> Vec<Value> {
    values.into_iter().map(Value::into_amf0).collect()
}

impl From<f64> for Value {
    fn from(number: f64) -> Self {
        Self::Number(number)
    }
}

impl From<i32> for Value {
    fn from(number: i32) -> Self {
        Self::Number(number.into())
    }
}

impl From<u32> for Value {
    fn from(number: u32) -> Self {
        Self::Number(number.into())
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
        Self::String(string.into())
    }
}

impl From<Text> for Value {
    fn from(text: Text) -> Self {
        Self::String(text)
    }
}

impl From<Object> for Value {
    fn from(object: Object) -> Self {
        Self::Object(object)
    }
}

impl From<Vec<Self>> for Value {
    fn from(values: Vec<Self>) -> Self {
        Self::StrictArray(values)
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

impl From<Vector> for Value {
    fn from(vector: Vector) -> Self {
        Self::Vector(Box::new(vector))
    }
}

impl From<Dictionary> for Value {
    fn from(dictionary: Dictionary) -> Self {
        Self::Dictionary(Box::new(dictionary))
    }
}

impl From<Externalizable> for Value {
    fn from(object: Externalizable) -> Self {
        Self::Externalizable(Box::new(object))
    }
}
