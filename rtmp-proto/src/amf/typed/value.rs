//! Reading values that are decoded.

use core::slice;

use serde_core::{
    Deserializer as _,
    de::{self, DeserializeSeed, IntoDeserializer as _, Visitor, value::SeqDeserializer},
    forward_to_deserialize_any,
};

use super::{SerdeError, name::Name, number::Number};
use crate::amf::{Object, Value, VectorItems};

/// A value to be read.
pub(super) struct Deserializer<'de>(pub(super) &'de Value);

impl<'de> de::Deserializer<'de> for Deserializer<'de> {
    type Error = SerdeError;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, SerdeError> {
        match self.0 {
            Value::Null | Value::Undefined | Value::Unsupported => visitor.visit_unit(),
            Value::Boolean(boolean) => visitor.visit_bool(*boolean),
            Value::Number(number) => Number(*number).deserialize_any(visitor),
            Value::Date(date) => Number(date.unix_millis).deserialize_any(visitor),
            Value::String(text) | Value::XmlDocument(text) | Value::Xml(text) => {
                visitor.visit_borrowed_str(text)
            }
            Value::ByteArray(bytes) => visitor.visit_borrowed_bytes(bytes),
            Value::Object(object) | Value::EcmaArray(object) => visit_object(object, visitor),
            Value::TypedObject(object) => visit_object(object.properties(), visitor),
            Value::StrictArray(values) => visit_values(values, visitor),
            Value::Vector(vector) => match &vector.items {
                VectorItems::Int(items) => visit_numbers(items, visitor),
                VectorItems::Uint(items) => visit_numbers(items, visitor),
                VectorItems::Double(items) => visit_numbers(items, visitor),
                VectorItems::Object { values, .. } => visit_values(values, visitor),
            },
            Value::Dictionary(dictionary) => {
                let entries = dictionary.entries.iter();
                visitor.visit_map(Entries {
                    entries: entries.map(|(key, value)| (Key::Any(key), value)),
                    value: None,
                })
            }
            Value::Externalizable(object) => match object.value() {
                Some(value) => Self(value).deserialize_any(visitor),
                None => Err(SerdeError::Externalizable),
            },
        }
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, SerdeError> {
        match self.0 {
            Value::Null | Value::Undefined | Value::Unsupported => visitor.visit_none(),
            _ => visitor.visit_some(self),
        }
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        visitor: V,
    ) -> Result<V::Value, SerdeError> {
        visitor.visit_newtype_struct(self)
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        _: &'static str,
        _: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, SerdeError> {
        if let Some(variant) = self.0.as_str() {
            return visitor.visit_enum(variant.into_deserializer());
        }
        let mut properties = self.0.as_object().into_iter().flatten();
        match (properties.next(), properties.next()) {
            (Some((name, content)), None) => visitor.visit_enum(Variant { name, content }),
            _ => Err(de::Error::custom(
                "expected a string or an object with one property",
            )),
        }
    }

    forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf unit
        unit_struct seq tuple tuple_struct map struct identifier ignored_any
    }
}

fn visit_object<'de, V: Visitor<'de>>(
    object: &'de Object,
    visitor: V,
) -> Result<V::Value, SerdeError> {
    let properties = object.iter();
    visitor.visit_map(Entries {
        entries: properties.map(|(name, value)| (Key::Name(name), value)),
        value: None,
    })
}

fn visit_values<'de, V: Visitor<'de>>(
    values: &'de [Value],
    visitor: V,
) -> Result<V::Value, SerdeError> {
    visitor.visit_seq(Values(values.iter()))
}

fn visit_numbers<'de, V: Visitor<'de>, T: Copy + Into<f64>>(
    numbers: &[T],
    visitor: V,
) -> Result<V::Value, SerdeError> {
    let numbers = numbers.iter().map(|&number| Number(number.into()));
    visitor.visit_seq(SeqDeserializer::new(numbers))
}

struct Values<'de>(slice::Iter<'de, Value>);

impl<'de> de::SeqAccess<'de> for Values<'de> {
    type Error = SerdeError;

    fn next_element_seed<T: DeserializeSeed<'de>>(
        &mut self,
        seed: T,
    ) -> Result<Option<T::Value>, SerdeError> {
        let value = self.0.next();
        value
            .map(|value| seed.deserialize(Deserializer(value)))
            .transpose()
    }

    fn size_hint(&self) -> Option<usize> {
        Some(self.0.len())
    }
}

struct Entries<'de, I> {
    entries: I,
    value: Option<&'de Value>,
}

enum Key<'de> {
    Name(&'de str),
    Any(&'de Value),
}

impl<'de, I: Iterator<Item = (Key<'de>, &'de Value)>> de::MapAccess<'de> for Entries<'de, I> {
    type Error = SerdeError;

    fn next_key_seed<K: DeserializeSeed<'de>>(
        &mut self,
        seed: K,
    ) -> Result<Option<K::Value>, SerdeError> {
        let Some((key, value)) = self.entries.next() else {
            return Ok(None);
        };
        self.value = Some(value);
        match key {
            Key::Name(name) => seed.deserialize(Name(name.into())),
            Key::Any(key) => seed.deserialize(Deserializer(key)),
        }
        .map(Some)
    }

    fn next_value_seed<V: DeserializeSeed<'de>>(
        &mut self,
        seed: V,
    ) -> Result<V::Value, SerdeError> {
        let value = self.value.take().ok_or(SerdeError::NoValue)?;
        seed.deserialize(Deserializer(value))
    }
}

/// One property of an object, as the variant of an enum.
struct Variant<'de> {
    name: &'de str,
    content: &'de Value,
}

impl<'de> de::EnumAccess<'de> for Variant<'de> {
    type Error = SerdeError;
    type Variant = Deserializer<'de>;

    fn variant_seed<V: DeserializeSeed<'de>>(
        self,
        seed: V,
    ) -> Result<(V::Value, Deserializer<'de>), SerdeError> {
        let variant = seed.deserialize(Name(self.name.into()))?;
        Ok((variant, Deserializer(self.content)))
    }
}

impl<'de> de::VariantAccess<'de> for Deserializer<'de> {
    type Error = SerdeError;

    fn unit_variant(self) -> Result<(), SerdeError> {
        de::Deserialize::deserialize(self)
    }

    fn newtype_variant_seed<T: DeserializeSeed<'de>>(
        self,
        seed: T,
    ) -> Result<T::Value, SerdeError> {
        seed.deserialize(self)
    }

    fn tuple_variant<V: Visitor<'de>>(self, _: usize, visitor: V) -> Result<V::Value, SerdeError> {
        self.deserialize_any(visitor)
    }

    fn struct_variant<V: Visitor<'de>>(
        self,
        _: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, SerdeError> {
        self.deserialize_any(visitor)
    }
}
