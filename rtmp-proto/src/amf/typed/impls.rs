//! Values within types of your own, and in other formats.

use alloc::vec::Vec;
use core::fmt;

use serde_core::{
    Deserialize, Deserializer, Serialize, Serializer,
    de::{self, Visitor},
    ser::{self, SerializeMap as _},
};

use crate::amf::{Object, Text, Value, VectorItems, checked_name};

/// As a string.
impl Serialize for Text {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self)
    }
}

/// From a string.
impl<'de> Deserialize<'de> for Text {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct TextVisitor;

        impl Visitor<'_> for TextVisitor {
            type Value = Text;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a string")
            }

            fn visit_str<E>(self, string: &str) -> Result<Text, E> {
                Ok(string.into())
            }
        }

        deserializer.deserialize_str(TextVisitor)
    }
}

/// As a map.
impl Serialize for Object {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(self)
    }
}

/// From a map or struct, names that occur more than once included.
impl<'de> Deserialize<'de> for Object {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct ObjectVisitor;

        impl<'de> Visitor<'de> for ObjectVisitor {
            type Value = Object;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a map")
            }

            fn visit_map<A: de::MapAccess<'de>>(self, entries: A) -> Result<Object, A::Error> {
                object(entries)
            }
        }

        deserializer.deserialize_map(ObjectVisitor)
    }
}

/// As what is nearest in serde's terms: a date is a number, an object of any kind a map.
impl Serialize for Value {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Null | Self::Undefined | Self::Unsupported => serializer.serialize_unit(),
            Self::Boolean(boolean) => serializer.serialize_bool(*boolean),
            Self::Number(number) => serializer.serialize_f64(*number),
            Self::Date(date) => serializer.serialize_f64(date.unix_millis),
            Self::String(text) | Self::XmlDocument(text) | Self::Xml(text) => {
                serializer.serialize_str(text)
            }
            Self::ByteArray(bytes) => serializer.serialize_bytes(bytes),
            Self::Object(object) | Self::EcmaArray(object) => object.serialize(serializer),
            Self::TypedObject(object) => object.properties().serialize(serializer),
            Self::StrictArray(values) => serializer.collect_seq(values),
            Self::Vector(vector) => match &vector.items {
                VectorItems::Int(items) => serializer.collect_seq(items),
                VectorItems::Uint(items) => serializer.collect_seq(items),
                VectorItems::Double(items) => serializer.collect_seq(items),
                VectorItems::Object { values, .. } => serializer.collect_seq(values),
            },
            Self::Dictionary(dictionary) => {
                let mut map = serializer.serialize_map(Some(dictionary.entries.len()))?;
                for (key, value) in &dictionary.entries {
                    map.serialize_entry(key, value)?;
                }
                map.end()
            }
            Self::Externalizable(object) => match object.value() {
                Some(value) => value.serialize(serializer),
                None => Err(ser::Error::custom("opaque externalizable object")),
            },
        }
    }
}

/// From anything: what [`to_value`](super::to_value) would make of it.
impl<'de> Deserialize<'de> for Value {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(ValueVisitor)
    }
}

struct ValueVisitor;

impl<'de> Visitor<'de> for ValueVisitor {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a value")
    }

    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_none<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_some<D: Deserializer<'de>>(self, deserializer: D) -> Result<Value, D::Error> {
        deserializer.deserialize_any(self)
    }

    fn visit_newtype_struct<D: Deserializer<'de>>(
        self,
        deserializer: D,
    ) -> Result<Value, D::Error> {
        deserializer.deserialize_any(self)
    }

    fn visit_bool<E>(self, boolean: bool) -> Result<Value, E> {
        Ok(boolean.into())
    }

    #[expect(clippy::cast_precision_loss, reason = "numbers are doubles")]
    fn visit_i64<E>(self, number: i64) -> Result<Value, E> {
        Ok(Value::Number(number as f64))
    }

    #[expect(clippy::cast_precision_loss, reason = "numbers are doubles")]
    fn visit_u64<E>(self, number: u64) -> Result<Value, E> {
        Ok(Value::Number(number as f64))
    }

    fn visit_f64<E>(self, number: f64) -> Result<Value, E> {
        Ok(number.into())
    }

    fn visit_str<E>(self, string: &str) -> Result<Value, E> {
        Ok(string.into())
    }

    fn visit_bytes<E>(self, bytes: &[u8]) -> Result<Value, E> {
        Ok(Value::ByteArray(bytes.into()))
    }

    fn visit_seq<A: de::SeqAccess<'de>>(self, mut elements: A) -> Result<Value, A::Error> {
        let mut values = Vec::new();
        while let Some(value) = elements.next_element()? {
            values.push(value);
        }
        Ok(Value::StrictArray(values))
    }

    fn visit_map<A: de::MapAccess<'de>>(self, entries: A) -> Result<Value, A::Error> {
        object(entries).map(Value::Object)
    }
}

fn object<'de, A: de::MapAccess<'de>>(mut entries: A) -> Result<Object, A::Error> {
    let mut properties = Vec::new();
    while let Some((name, value)) = entries.next_entry()? {
        let name = checked_name(name).map_err(de::Error::custom)?;
        properties.push((name, value));
    }
    Ok(Object { properties })
}
