//! Reading names of properties.

use alloc::borrow::Cow;

use serde_core::{
    de::{self, IntoDeserializer, Visitor},
    forward_to_deserialize_any,
};

use super::SerdeError;

/// A name to be read: as a string, or as the integer that a map has for a key.
pub(super) struct Name<'de>(pub(super) Cow<'de, str>);

macro_rules! integers {
    ($($method:ident)*) => {
        $(fn $method<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, SerdeError> {
            if let Ok(integer) = self.0.parse() {
                visitor.visit_u64(integer)
            } else if let Ok(integer) = self.0.parse() {
                visitor.visit_i64(integer)
            } else {
                self.deserialize_any(visitor)
            }
        })*
    };
}

impl<'de> de::Deserializer<'de> for Name<'de> {
    type Error = SerdeError;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, SerdeError> {
        match self.0 {
            Cow::Borrowed(name) => visitor.visit_borrowed_str(name),
            Cow::Owned(name) => visitor.visit_string(name),
        }
    }

    integers! {
        deserialize_i8 deserialize_i16 deserialize_i32 deserialize_i64 deserialize_i128
        deserialize_u8 deserialize_u16 deserialize_u32 deserialize_u64 deserialize_u128
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
        visitor.visit_enum(self.0.into_deserializer())
    }

    forward_to_deserialize_any! {
        bool f32 f64 char str string bytes byte_buf option unit unit_struct seq tuple tuple_struct
        map struct identifier ignored_any
    }
}
