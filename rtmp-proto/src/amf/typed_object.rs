//! Objects whose class has a name.

use super::{NameTooLong, Object, Text, checked_name};

/// An object of a class that has a name.
///
/// [AMF0 §2.18], [AMF3 §3.12]
#[derive(Clone, Debug, PartialEq)]
pub struct TypedObject {
    class_name: Text,
    properties: Object,
    /// How many properties the class declares, if its objects may have others.
    dynamic_from: Option<usize>,
}

impl TypedObject {
    /// An object of the class `class_name`, which declares all of `properties` and allows no
    /// others.
    ///
    /// # Errors
    ///
    /// [`NameTooLong`] if the name takes more than 65 535 bytes.
    pub fn new(class_name: impl Into<Text>, properties: Object) -> Result<Self, NameTooLong> {
        Ok(Self {
            class_name: checked_name(class_name.into())?,
            properties,
            dynamic_from: None,
        })
    }

    /// An object with names that a decoder has checked.
    pub(super) const fn from_parts(
        class_name: Text,
        properties: Object,
        dynamic_from: Option<usize>,
    ) -> Self {
        Self {
            class_name,
            properties,
            dynamic_from,
        }
    }

    /// This object with properties that its class does not declare, but allows. AMF0 does not tell
    /// them from the others.
    #[must_use]
    pub fn with_dynamic(mut self, properties: Object) -> Self {
        self.dynamic_from.get_or_insert(self.properties.len());
        self.properties.extend(properties);
        self
    }

    /// The name of the class.
    pub fn class_name(&self) -> &str {
        &self.class_name
    }

    /// The properties, those that the class declares first.
    pub const fn properties(&self) -> &Object {
        &self.properties
    }

    /// How many of the properties, from the first, the class declares.
    pub fn sealed_len(&self) -> usize {
        self.dynamic_from.unwrap_or(self.properties.len())
    }

    /// Whether the class allows properties that it does not declare.
    pub const fn is_dynamic(&self) -> bool {
        self.dynamic_from.is_some()
    }

    pub(super) fn into_amf0(self) -> Self {
        Self {
            properties: self.properties.into_amf0(),
            ..self
        }
    }

    /// The properties without the class: what an object of an unknown class amounts to
    /// [AMF0 §2.5].
    pub fn into_properties(self) -> Object {
        self.properties
    }
}
