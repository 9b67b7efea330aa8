//! Dictionaries: maps with keys of any type.

use alloc::{string::ToString, vec::Vec};

use super::{Object, Value, checked_name};

/// A map whose keys may be any values.
///
/// [AMF3 §3.16]
#[derive(Clone, Debug, Default, PartialEq)]
#[non_exhaustive]
pub struct Dictionary {
    /// Keys with their values, in the order sent. A key that is an integer is written as its
    /// decimal digits.
    pub entries: Vec<(Value, Value)>,
    /// Whether the sender's dictionary does not keep its keys alive.
    pub has_weak_keys: bool,
}

impl Dictionary {
    /// A dictionary that keeps its keys alive.
    pub const fn new(entries: Vec<(Value, Value)>) -> Self {
        Self {
            entries,
            has_weak_keys: false,
        }
    }

    /// The entries as properties, if all keys are strings or numbers and not too long for names.
    pub fn into_object(self) -> Option<Object> {
        let entries = self.entries.into_iter().map(|(key, value)| {
            let name = match key {
                Value::String(name) => name,
                Value::Number(number) => number.to_string().into(),
                _ => return None,
            };
            Some((checked_name(name).ok()?, value))
        });
        let properties = entries.collect::<Option<_>>()?;
        Some(Object { properties })
    }
}
