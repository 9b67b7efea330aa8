//! Reading values from their encoding, without a [`Value`](crate::amf::Value) in between.

use alloc::borrow::Cow;

use serde_core::{
    Deserialize, Deserializer as _,
    de::{
        self, DeserializeSeed, IgnoredAny, IntoDeserializer, SeqAccess as _, Visitor,
        value::SeqDeserializer,
    },
    forward_to_deserialize_any,
};

use super::{SerdeError, name::Name, number::Number};
use crate::amf::{
    externalizable,
    source::{Head, Source, numbers, ordinal},
};

/// Makes a `T` of the next value of `source`.
pub(in crate::amf) fn deserialize<'de, T: Deserialize<'de>, S: Source<'de>>(
    source: &mut S,
) -> Result<T, SerdeError> {
    T::deserialize(Deserializer::new(source))
}

/// A value to be read, of which the head may have been.
struct Deserializer<'s, 'de, S: Source<'de>> {
    source: &'s mut S,
    head: Option<Head<'de, S::Container>>,
}

impl<'s, 'de, S: Source<'de>> Deserializer<'s, 'de, S> {
    fn new(source: &'s mut S) -> Self {
        Self { source, head: None }
    }
}

impl<'de, S: Source<'de>> de::Deserializer<'de> for Deserializer<'_, 'de, S> {
    type Error = SerdeError;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, SerdeError> {
        let source = self.source;
        let head = match self.head {
            Some(head) => head,
            None => source.head()?,
        };
        match head {
            Head::Null | Head::Undefined | Head::Unsupported => visitor.visit_unit(),
            Head::Boolean(boolean) => visitor.visit_bool(boolean),
            Head::Number(number) => Number(number).deserialize_any(visitor),
            Head::Date(date) => Number(date.unix_millis).deserialize_any(visitor),
            Head::String(text) | Head::XmlDocument(text) | Head::Xml(text) => {
                Name(text).deserialize_any(visitor)
            }
            Head::ByteArray(bytes) => visitor.visit_borrowed_bytes(bytes),
            Head::IntVector(_, bytes) => visit_numbers(bytes, i32::from_be_bytes, visitor),
            Head::UintVector(_, bytes) => visit_numbers(bytes, u32::from_be_bytes, visitor),
            Head::DoubleVector(_, bytes) => visit_numbers(bytes, f64::from_be_bytes, visitor),
            Head::Object(container)
            | Head::EcmaArray(container, _)
            | Head::TypedObject(container, ..) => visit_properties(source, container, 0, visitor),
            Head::MixedArray(container, count) => {
                visit_properties(source, container, count, visitor)
            }
            Head::StrictArray(container, count) | Head::ObjectVector(container, _, _, count) => {
                let mut elements = Elements {
                    source,
                    left: count,
                };
                let value = visitor.visit_seq(&mut elements)?;
                while elements.next_element::<IgnoredAny>()?.is_some() {}
                source.leave(container);
                Ok(value)
            }
            Head::Dictionary(container, _, count) => {
                let mut entries = Entries {
                    source,
                    left: count,
                };
                let value = visitor.visit_map(&mut entries)?;
                while de::MapAccess::next_entry::<IgnoredAny, IgnoredAny>(&mut entries)?.is_some() {
                }
                source.leave(container);
                Ok(value)
            }
            Head::External(container, class_name) => {
                if !externalizable::stands_for_a_value(&class_name) {
                    return Err(SerdeError::Externalizable);
                }
                let value = Deserializer::new(source).deserialize_any(visitor)?;
                source.leave(container);
                Ok(value)
            }
            Head::Reference(place) => {
                let value = Deserializer::new(source).deserialize_any(visitor)?;
                source.reader().resume(place);
                Ok(value)
            }
            Head::Avm => Deserializer::new(source.amf3()).deserialize_any(visitor),
        }
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, SerdeError> {
        let source = self.source;
        match source.head()? {
            Head::Null | Head::Undefined | Head::Unsupported => visitor.visit_none(),
            Head::Avm => Deserializer::new(source.amf3()).deserialize_option(visitor),
            head => visitor.visit_some(Deserializer {
                source,
                head: Some(head),
            }),
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
        name: &'static str,
        variants: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, SerdeError> {
        let source = self.source;
        let head = match self.head {
            Some(head) => head,
            None => source.head()?,
        };
        match head {
            Head::String(variant) => visitor.visit_enum(variant.into_deserializer()),
            Head::Object(mut container)
            | Head::EcmaArray(mut container, _)
            | Head::TypedObject(mut container, ..) => {
                let name = source.name(&mut container)?;
                let value = visitor.visit_enum(Variant {
                    source,
                    name: name.ok_or_else(not_an_enum)?,
                })?;
                if source.name(&mut container)?.is_some() {
                    return Err(not_an_enum());
                }
                source.leave(container);
                Ok(value)
            }
            Head::Reference(place) => {
                let deserializer = Deserializer::new(source);
                let value = deserializer.deserialize_enum(name, variants, visitor)?;
                source.reader().resume(place);
                Ok(value)
            }
            Head::Avm => Deserializer::new(source.amf3()).deserialize_enum(name, variants, visitor),
            _ => Err(not_an_enum()),
        }
    }

    forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf unit
        unit_struct seq tuple tuple_struct map struct identifier ignored_any
    }
}

fn visit_numbers<'de, T: Into<f64>, const N: usize, V: Visitor<'de>>(
    bytes: &[u8],
    parse: impl Fn([u8; N]) -> T,
    visitor: V,
) -> Result<V::Value, SerdeError> {
    let numbers = numbers(bytes, |bytes| Number(parse(bytes).into()));
    visitor.visit_seq(SeqDeserializer::new(numbers.into_iter()))
}

/// Shows `visitor` the properties of `container`, and the elements behind them.
fn visit_properties<'de, S: Source<'de>, V: Visitor<'de>>(
    source: &mut S,
    container: S::Container,
    element_count: usize,
    visitor: V,
) -> Result<V::Value, SerdeError> {
    let mut properties = Properties {
        source,
        container,
        has_ended: false,
        next_element: 0,
        element_count,
    };
    let value = visitor.visit_map(&mut properties)?;
    while de::MapAccess::next_entry::<IgnoredAny, IgnoredAny>(&mut properties)?.is_some() {}
    let container = properties.container;
    properties.source.leave(container);
    Ok(value)
}

struct Properties<'s, 'de, S: Source<'de>> {
    source: &'s mut S,
    container: S::Container,
    has_ended: bool,
    next_element: usize,
    element_count: usize,
}

impl<'de, S: Source<'de>> de::MapAccess<'de> for Properties<'_, 'de, S> {
    type Error = SerdeError;

    fn next_key_seed<K: DeserializeSeed<'de>>(
        &mut self,
        seed: K,
    ) -> Result<Option<K::Value>, SerdeError> {
        if !self.has_ended {
            if let Some(name) = self.source.name(&mut self.container)? {
                return seed.deserialize(Name(name)).map(Some);
            }
            self.has_ended = true;
        }
        if self.next_element == self.element_count {
            return Ok(None);
        }
        let name = ordinal(self.next_element);
        self.next_element += 1;
        seed.deserialize(Name(name.into())).map(Some)
    }

    fn next_value_seed<V: DeserializeSeed<'de>>(
        &mut self,
        seed: V,
    ) -> Result<V::Value, SerdeError> {
        seed.deserialize(Deserializer::new(self.source))
    }
}

struct Elements<'s, S> {
    source: &'s mut S,
    left: usize,
}

impl<'de, S: Source<'de>> de::SeqAccess<'de> for Elements<'_, S> {
    type Error = SerdeError;

    fn next_element_seed<T: DeserializeSeed<'de>>(
        &mut self,
        seed: T,
    ) -> Result<Option<T::Value>, SerdeError> {
        let Some(left) = self.left.checked_sub(1) else {
            return Ok(None);
        };
        self.left = left;
        seed.deserialize(Deserializer::new(self.source)).map(Some)
    }

    // No more than there are bytes, and serde itself takes no hint of megabytes at its word.
    fn size_hint(&self) -> Option<usize> {
        Some(self.left)
    }
}

struct Entries<'s, S> {
    source: &'s mut S,
    left: usize,
}

impl<'de, S: Source<'de>> de::MapAccess<'de> for Entries<'_, S> {
    type Error = SerdeError;

    fn next_key_seed<K: DeserializeSeed<'de>>(
        &mut self,
        seed: K,
    ) -> Result<Option<K::Value>, SerdeError> {
        let Some(left) = self.left.checked_sub(1) else {
            return Ok(None);
        };
        self.left = left;
        seed.deserialize(Deserializer::new(self.source)).map(Some)
    }

    fn next_value_seed<V: DeserializeSeed<'de>>(
        &mut self,
        seed: V,
    ) -> Result<V::Value, SerdeError> {
        seed.deserialize(Deserializer::new(self.source))
    }
}

/// One property of an object, as the variant of an enum.
struct Variant<'s, 'de, S> {
    source: &'s mut S,
    name: Cow<'de, str>,
}

impl<'s, 'de, S: Source<'de>> de::EnumAccess<'de> for Variant<'s, 'de, S> {
    type Error = SerdeError;
    type Variant = Deserializer<'s, 'de, S>;

    fn variant_seed<V: DeserializeSeed<'de>>(
        self,
        seed: V,
    ) -> Result<(V::Value, Self::Variant), SerdeError> {
        let variant = seed.deserialize(Name(self.name))?;
        Ok((variant, Deserializer::new(self.source)))
    }
}

impl<'de, S: Source<'de>> de::VariantAccess<'de> for Deserializer<'_, 'de, S> {
    type Error = SerdeError;

    fn unit_variant(self) -> Result<(), SerdeError> {
        Deserialize::deserialize(self)
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

fn not_an_enum() -> SerdeError {
    de::Error::custom("expected a string or an object with one property")
}
