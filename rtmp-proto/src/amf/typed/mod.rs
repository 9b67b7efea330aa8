//! Types of your own in the place of values.

mod impls;
mod name;
mod number;
mod ser;
mod source;
mod value;

use alloc::{
    format,
    string::{String, ToString},
};
use core::fmt;

use serde_core::{
    Deserialize, Serialize,
    de::{self, Expected, Unexpected},
    ser as serde_ser,
};

pub(super) use self::source::deserialize;
use super::{AmfError, Value};

/// Makes a `T` of `value`, from which it may borrow strings.
///
/// # Errors
///
/// `value` is not what `T` expects.
pub fn from_value<'de, T: Deserialize<'de>>(value: &'de Value) -> Result<T, SerdeError> {
    T::deserialize(value::Deserializer(value))
}

/// Makes a value of `value`.
///
/// # Errors
///
/// A key of a map is neither string nor number nor truth value, a name is longer than 65 535 bytes,
/// an integer is none that a double can hold, or `T` itself refuses.
pub fn to_value<T: Serialize + ?Sized>(value: &T) -> Result<Value, SerdeError> {
    value.serialize(ser::Serializer)
}

/// What converting between AMF and other types can fail with.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SerdeError {
    /// The input is no AMF.
    #[error(transparent)]
    Amf(#[from] AmfError),
    /// The input ends where a value should be.
    #[error("there is no value")]
    NoValue,
    /// There is more behind the value.
    #[error("{length} bytes behind the value")]
    TrailingBytes {
        /// How much.
        length: usize,
    },
    /// An externalizable object in which values cannot be told.
    #[error("externalizable object")]
    Externalizable,
    /// A key of a map is not what can be a name.
    #[error("a key is neither string nor number nor truth value")]
    KeyNotAString,
    /// A name takes more than 65 535 bytes.
    #[error("a name of {length} bytes is too long")]
    NameTooLong {
        /// Bytes of the name.
        length: usize,
    },
    /// An integer that a double cannot hold.
    #[error("an integer of more than 53 bits")]
    IntegerTooLong,
    /// What the type has to say.
    #[error("{0}")]
    Custom(String),
}

impl de::Error for SerdeError {
    fn custom<T: fmt::Display>(message: T) -> Self {
        Self::Custom(message.to_string())
    }

    // What serde says by itself repeats the value, which may be a stream key.

    fn invalid_type(unexpected: Unexpected<'_>, expected: &dyn Expected) -> Self {
        let kind = kind(unexpected);
        Self::Custom(format!("invalid type: {kind}, expected {expected}"))
    }

    fn invalid_value(unexpected: Unexpected<'_>, expected: &dyn Expected) -> Self {
        let kind = kind(unexpected);
        Self::Custom(format!("invalid value: {kind}, expected {expected}"))
    }

    fn unknown_variant(_: &str, _: &'static [&'static str]) -> Self {
        Self::Custom("unknown variant".to_string())
    }
}

/// What kind of value it is.
fn kind(unexpected: Unexpected<'_>) -> Unexpected<'_> {
    Unexpected::Other(match unexpected {
        Unexpected::Bool(_) => "boolean",
        Unexpected::Unsigned(_) | Unexpected::Signed(_) => "integer",
        Unexpected::Float(_) => "number",
        Unexpected::Char(_) | Unexpected::Str(_) => "string",
        Unexpected::Bytes(_) => "byte array",
        other => return other,
    })
}

impl serde_ser::Error for SerdeError {
    fn custom<T: fmt::Display>(message: T) -> Self {
        Self::Custom(message.to_string())
    }
}

/// Up to here a double holds every integer.
const INTEGER_MAX: u64 = 1 << 53;

#[cfg(test)]
mod tests;
