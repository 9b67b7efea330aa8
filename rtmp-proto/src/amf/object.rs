//! Objects: values with names.

use alloc::vec::{self, Vec};
use core::{iter, mem, slice};

use super::{NameTooLong, Text, Value, checked_name};

/// Named values in the order they were sent or added.
///
/// A name takes at most 65 535 bytes: the format has no longer form [AMF0 §2.5]. A decoded object
/// keeps names that occur more than once; one built with [`insert`](Self::insert) has none.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Object {
    pub(super) properties: Vec<(Text, Value)>,
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
    pub fn insert(&mut self, name: impl Into<Text>, value: impl Into<Value>) {
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
        name: impl Into<Text>,
        value: impl Into<Value>,
    ) -> Result<(), NameTooLong> {
        let name = checked_name(name.into())?;
        let value = value.into();
        if self.properties.iter().all(|(other, _)| *other != name) {
            self.properties.push((name, value));
            return Ok(());
        }
        let mut new = Some(value);
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
        Ok(())
    }

    /// This object with `name` set to `value`, as by [`insert`](Self::insert).
    ///
    /// # Panics
    ///
    /// If `name` takes more than 65 535 bytes.
    #[must_use]
    pub fn with(mut self, name: impl Into<Text>, value: impl Into<Value>) -> Self {
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

    /// Whether AMF0 has a type for every value.
    pub(super) fn is_amf0(&self) -> bool {
        self.properties.iter().all(|(_, value)| value.is_amf0())
    }

    pub(super) fn into_amf0(mut self) -> Self {
        for (_, value) in &mut self.properties {
            *value = mem::replace(value, Value::Null).into_amf0();
        }
        self
    }

    /// Adds `others` as they are.
    pub(super) fn extend(&mut self, others: Self) {
        self.properties.extend(others.properties);
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

impl FromIterator<(Text, Value)> for Object {
    /// Keeps names that occur more than once, as decoding does.
    ///
    /// # Panics
    ///
    /// If a name takes more than 65 535 bytes.
    fn from_iter<I: IntoIterator<Item = (Text, Value)>>(properties: I) -> Self {
        let properties = properties
            .into_iter()
            .map(|(name, value)| match checked_name(name) {
                Ok(name) => (name, value),
                Err(error) => panic!("{error}"),
            });
        Self {
            properties: properties.collect(),
        }
    }
}

impl IntoIterator for Object {
    type Item = (Text, Value);
    type IntoIter = vec::IntoIter<(Text, Value)>;

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
    iter::Map<slice::Iter<'a, (Text, Value)>, fn(&'a (Text, Value)) -> (&'a str, &'a Value)>;
