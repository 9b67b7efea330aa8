//! Reading numbers.

use serde_core::{
    de::{self, IntoDeserializer, Visitor},
    forward_to_deserialize_any,
};

use super::{INTEGER_MAX, SerdeError};

/// A number to be read: as an integer if it is one, for that may be expected.
pub(super) struct Number(pub(super) f64);

impl<'de> de::Deserializer<'de> for Number {
    type Error = SerdeError;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, SerdeError> {
        let number = self.0;
        #[expect(clippy::cast_possible_truncation, reason = "compared afterwards")]
        let integer = number as i64;
        #[expect(clippy::cast_precision_loss, reason = "compared afterwards")]
        let is_integer = (integer as f64).to_bits() == number.to_bits();
        match u64::try_from(integer) {
            Ok(integer) if is_integer && integer <= INTEGER_MAX => visitor.visit_u64(integer),
            Err(_) if is_integer && integer.unsigned_abs() <= INTEGER_MAX => {
                visitor.visit_i64(integer)
            }
            _ => visitor.visit_f64(number),
        }
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, SerdeError> {
        visitor.visit_some(self)
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        visitor: V,
    ) -> Result<V::Value, SerdeError> {
        visitor.visit_newtype_struct(self)
    }

    forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf unit
        unit_struct seq tuple tuple_struct map struct enum identifier ignored_any
    }
}

impl IntoDeserializer<'_, SerdeError> for Number {
    type Deserializer = Self;

    fn into_deserializer(self) -> Self {
        self
    }
}
