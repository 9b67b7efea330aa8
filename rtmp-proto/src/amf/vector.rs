//! Vectors: arrays of one type.

use alloc::vec::Vec;

use super::{NameTooLong, Text, Value, checked_name};

/// An array whose elements are of one type.
///
/// [AMF3 §3.15]
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct Vector {
    /// The elements.
    pub items: VectorItems,
    /// Whether the sender's vector cannot grow.
    pub is_fixed: bool,
}

impl Vector {
    /// A vector that may grow.
    pub const fn new(items: VectorItems) -> Self {
        Self {
            items,
            is_fixed: false,
        }
    }

    /// A vector of objects of the class `type_name`; `*` stands for any value.
    ///
    /// # Errors
    ///
    /// [`NameTooLong`] if the name takes more than 65 535 bytes.
    pub fn of_objects(type_name: impl Into<Text>, values: Vec<Value>) -> Result<Self, NameTooLong> {
        let type_name = checked_name(type_name.into())?;
        Ok(Self::new(VectorItems::Object { type_name, values }))
    }

    /// The elements, if they are not plain numbers.
    pub fn values(&self) -> Option<&[Value]> {
        match &self.items {
            VectorItems::Object { values, .. } => Some(values),
            _ => None,
        }
    }
}

/// The elements of a [`Vector`], by type.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum VectorItems {
    /// Signed integers.
    Int(Vec<i32>),
    /// Unsigned integers.
    Uint(Vec<u32>),
    /// Doubles.
    Double(Vec<f64>),
    /// Anything else.
    #[non_exhaustive]
    Object {
        /// The class of the elements, `*` for any.
        type_name: Text,
        /// The elements.
        values: Vec<Value>,
    },
}
