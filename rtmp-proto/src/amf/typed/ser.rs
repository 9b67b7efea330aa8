//! Making values.

use alloc::{string::ToString, vec::Vec};

use serde_core::{Serialize, ser};

use super::{INTEGER_MAX, SerdeError};
use crate::amf::{NameTooLong, Object, Text, Value, checked_name};

/// Makes a value.
pub(super) struct Serializer;

impl ser::Serializer for Serializer {
    type Ok = Value;
    type Error = SerdeError;
    type SerializeSeq = Elements;
    type SerializeTuple = Elements;
    type SerializeTupleStruct = Elements;
    type SerializeTupleVariant = Elements;
    type SerializeMap = Properties;
    type SerializeStruct = Properties;
    type SerializeStructVariant = Properties;

    fn serialize_bool(self, boolean: bool) -> Result<Value, SerdeError> {
        Ok(boolean.into())
    }

    fn serialize_i8(self, number: i8) -> Result<Value, SerdeError> {
        Ok(i32::from(number).into())
    }

    fn serialize_i16(self, number: i16) -> Result<Value, SerdeError> {
        Ok(i32::from(number).into())
    }

    fn serialize_i32(self, number: i32) -> Result<Value, SerdeError> {
        Ok(number.into())
    }

    fn serialize_i64(self, number: i64) -> Result<Value, SerdeError> {
        if number.unsigned_abs() > INTEGER_MAX {
            return Err(SerdeError::IntegerTooLong);
        }
        #[expect(clippy::cast_precision_loss, reason = "checked above")]
        Ok(Value::Number(number as f64))
    }

    fn serialize_u8(self, number: u8) -> Result<Value, SerdeError> {
        Ok(u32::from(number).into())
    }

    fn serialize_u16(self, number: u16) -> Result<Value, SerdeError> {
        Ok(u32::from(number).into())
    }

    fn serialize_u32(self, number: u32) -> Result<Value, SerdeError> {
        Ok(number.into())
    }

    fn serialize_u64(self, number: u64) -> Result<Value, SerdeError> {
        let number = i64::try_from(number).map_err(|_| SerdeError::IntegerTooLong)?;
        self.serialize_i64(number)
    }

    fn serialize_f32(self, number: f32) -> Result<Value, SerdeError> {
        Ok(f64::from(number).into())
    }

    fn serialize_f64(self, number: f64) -> Result<Value, SerdeError> {
        Ok(number.into())
    }

    fn serialize_char(self, char: char) -> Result<Value, SerdeError> {
        self.serialize_str(char.encode_utf8(&mut [0; 4]))
    }

    fn serialize_str(self, string: &str) -> Result<Value, SerdeError> {
        Ok(string.into())
    }

    fn serialize_bytes(self, bytes: &[u8]) -> Result<Value, SerdeError> {
        Ok(Value::ByteArray(bytes.into()))
    }

    fn serialize_none(self) -> Result<Value, SerdeError> {
        Ok(Value::Null)
    }

    fn serialize_some<T: Serialize + ?Sized>(self, value: &T) -> Result<Value, SerdeError> {
        value.serialize(self)
    }

    fn serialize_unit(self) -> Result<Value, SerdeError> {
        Ok(Value::Null)
    }

    fn serialize_unit_struct(self, _: &'static str) -> Result<Value, SerdeError> {
        Ok(Value::Null)
    }

    fn serialize_unit_variant(
        self,
        _: &'static str,
        _: u32,
        variant: &'static str,
    ) -> Result<Value, SerdeError> {
        Ok(variant.into())
    }

    fn serialize_newtype_struct<T: Serialize + ?Sized>(
        self,
        _: &'static str,
        value: &T,
    ) -> Result<Value, SerdeError> {
        value.serialize(self)
    }

    fn serialize_newtype_variant<T: Serialize + ?Sized>(
        self,
        _: &'static str,
        _: u32,
        variant: &'static str,
        value: &T,
    ) -> Result<Value, SerdeError> {
        in_variant(Some(variant), value.serialize(self)?)
    }

    fn serialize_seq(self, len: Option<usize>) -> Result<Elements, SerdeError> {
        Ok(Elements {
            variant: None,
            values: Vec::with_capacity(len.unwrap_or_default()),
        })
    }

    fn serialize_tuple(self, len: usize) -> Result<Elements, SerdeError> {
        self.serialize_seq(Some(len))
    }

    fn serialize_tuple_struct(self, _: &'static str, len: usize) -> Result<Elements, SerdeError> {
        self.serialize_seq(Some(len))
    }

    fn serialize_tuple_variant(
        self,
        _: &'static str,
        _: u32,
        variant: &'static str,
        len: usize,
    ) -> Result<Elements, SerdeError> {
        Ok(Elements {
            variant: Some(variant),
            ..self.serialize_seq(Some(len))?
        })
    }

    fn serialize_map(self, len: Option<usize>) -> Result<Properties, SerdeError> {
        Ok(Properties {
            variant: None,
            properties: Vec::with_capacity(len.unwrap_or_default()),
            name: None,
        })
    }

    fn serialize_struct(self, _: &'static str, len: usize) -> Result<Properties, SerdeError> {
        self.serialize_map(Some(len))
    }

    fn serialize_struct_variant(
        self,
        _: &'static str,
        _: u32,
        variant: &'static str,
        len: usize,
    ) -> Result<Properties, SerdeError> {
        Ok(Properties {
            variant: Some(variant),
            ..self.serialize_map(Some(len))?
        })
    }
}

/// The value of an enum: an object with one property.
fn in_variant(variant: Option<&'static str>, value: Value) -> Result<Value, SerdeError> {
    let Some(variant) = variant else {
        return Ok(value);
    };
    let mut object = Object::new();
    object
        .try_insert(variant, value)
        .map_err(|NameTooLong { length }| SerdeError::NameTooLong { length })?;
    Ok(object.into())
}

/// A strict array in the making.
pub(super) struct Elements {
    variant: Option<&'static str>,
    values: Vec<Value>,
}

impl ser::SerializeSeq for Elements {
    type Ok = Value;
    type Error = SerdeError;

    fn serialize_element<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), SerdeError> {
        self.values.push(value.serialize(Serializer)?);
        Ok(())
    }

    fn end(self) -> Result<Value, SerdeError> {
        in_variant(self.variant, self.values.into())
    }
}

macro_rules! elements {
    ($($trait:ident $method:ident)*) => {
        $(impl ser::$trait for Elements {
            type Ok = Value;
            type Error = SerdeError;

            fn $method<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), SerdeError> {
                ser::SerializeSeq::serialize_element(self, value)
            }

            fn end(self) -> Result<Value, SerdeError> {
                ser::SerializeSeq::end(self)
            }
        })*
    };
}

elements! {
    SerializeTuple serialize_element
    SerializeTupleStruct serialize_field
    SerializeTupleVariant serialize_field
}

/// An object in the making.
pub(super) struct Properties {
    variant: Option<&'static str>,
    properties: Vec<(Text, Value)>,
    name: Option<Text>,
}

impl ser::SerializeMap for Properties {
    type Ok = Value;
    type Error = SerdeError;

    fn serialize_key<T: Serialize + ?Sized>(&mut self, key: &T) -> Result<(), SerdeError> {
        let name = match key.serialize(Serializer)? {
            Value::String(name) => name,
            Value::Number(number) => number.to_string().into(),
            Value::Boolean(boolean) => boolean.to_string().into(),
            _ => return Err(SerdeError::KeyNotAString),
        };
        let name = checked_name(name);
        self.name =
            Some(name.map_err(|NameTooLong { length }| SerdeError::NameTooLong { length })?);
        Ok(())
    }

    fn serialize_value<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), SerdeError> {
        let name = self.name.take().ok_or(SerdeError::KeyNotAString)?;
        self.properties.push((name, value.serialize(Serializer)?));
        Ok(())
    }

    fn end(self) -> Result<Value, SerdeError> {
        let properties = self.properties;
        in_variant(self.variant, Object { properties }.into())
    }
}

macro_rules! properties {
    ($($trait:ident)*) => {
        $(impl ser::$trait for Properties {
            type Ok = Value;
            type Error = SerdeError;

            fn serialize_field<T: Serialize + ?Sized>(
                &mut self,
                name: &'static str,
                value: &T,
            ) -> Result<(), SerdeError> {
                ser::SerializeMap::serialize_entry(self, name, value)
            }

            fn end(self) -> Result<Value, SerdeError> {
                ser::SerializeMap::end(self)
            }
        })*
    };
}

properties! { SerializeStruct SerializeStructVariant }
