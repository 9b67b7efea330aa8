//! Reading values of either version head by head, and what whole values are made of.

use alloc::{
    borrow::Cow,
    string::{String, ToString},
    vec::Vec,
};

use core::iter;

use super::{
    AmfError, Date, Dictionary, Externalizable, Object, TypedObject, Value, Vector, VectorItems,
    amf3::Amf3,
    externalizable,
    reader::{Reader, Return},
};

/// An encoding that is read one head at a time.
pub(super) trait Source<'a> {
    /// A container that has begun and not ended.
    type Container;

    /// Reads the beginning of the next value: all of it, or up to the members of a container.
    fn head(&mut self) -> Result<Head<'a, Self::Container>, AmfError>;

    /// Reads the next value if it is a number, else nothing. Only for the sake of speed, as the next
    /// two.
    fn number(&mut self) -> Result<Option<f64>, AmfError>;

    fn boolean(&mut self) -> Result<Option<bool>, AmfError>;

    fn string(&mut self) -> Result<Option<&'a str>, AmfError>;

    /// Reads the name of the next property of `container`, `None` behind the last.
    fn name(&mut self, container: &mut Self::Container) -> Result<Option<Cow<'a, str>>, AmfError>;

    /// Leaves `container`, all members of which have been read.
    fn leave(&mut self, container: Self::Container);

    fn reader(&mut self) -> &mut Reader<'a>;

    /// Where values in AMF3 are read from.
    fn amf3(&mut self) -> &mut Amf3<'a>;
}

/// The beginning of a value.
#[derive(Debug)]
pub(super) enum Head<'a, C> {
    Null,
    Undefined,
    Unsupported,
    Boolean(bool),
    Number(f64),
    String(Cow<'a, str>),
    XmlDocument(Cow<'a, str>),
    Xml(Cow<'a, str>),
    Date(Date),
    ByteArray(&'a [u8]),
    /// Whether it is fixed, and its elements.
    IntVector(bool, &'a [u8]),
    UintVector(bool, &'a [u8]),
    DoubleVector(bool, &'a [u8]),
    /// Properties follow.
    Object(C),
    /// Properties follow, perhaps as many.
    EcmaArray(C, usize),
    /// As many values follow.
    StrictArray(C, usize),
    /// Properties follow, then as many values.
    MixedArray(C, usize),
    /// Properties follow, of which the class declares as many.
    TypedObject(C, Cow<'a, str>, Option<usize>),
    /// As many values follow.
    ObjectVector(C, bool, Cow<'a, str>, usize),
    /// As many pairs of key and value follow; whether the keys are weak.
    Dictionary(C, bool, usize),
    /// What follows depends on the class.
    External(C, Cow<'a, str>),
    /// The value that is meant follows, and then it goes on elsewhere.
    Reference(Return<'a>),
    /// A value in AMF3 follows.
    Avm,
}

/// Reads the next value.
pub(super) fn value<'a, S: Source<'a>>(source: &mut S) -> Result<Value, AmfError> {
    let head = source.head()?;
    value_from(source, head)
}

/// Appends what `make` makes, in its place. `push` would be given it in another place, for a panic to
/// drop it, and moving it from there takes longer than reading it.
#[inline(always)]
fn push_with<T>(items: &mut Vec<T>, make: impl FnOnce() -> T) {
    items.extend(iter::once_with(make));
}

fn value_from<'a, S: Source<'a>>(
    source: &mut S,
    head: Head<'a, S::Container>,
) -> Result<Value, AmfError> {
    Ok(match head {
        Head::Null => Value::Null,
        Head::Undefined => Value::Undefined,
        Head::Unsupported => Value::Unsupported,
        Head::Boolean(boolean) => Value::Boolean(boolean),
        Head::Number(number) => Value::Number(number),
        Head::String(text) => Value::String(text.into()),
        Head::XmlDocument(text) => Value::XmlDocument(text.into()),
        Head::Xml(text) => Value::Xml(text.into()),
        Head::Date(date) => Value::Date(date),
        Head::ByteArray(bytes) => Value::ByteArray(bytes.into()),
        Head::IntVector(is_fixed, bytes) => vector(
            VectorItems::Int(numbers(bytes, i32::from_be_bytes)),
            is_fixed,
        ),
        Head::UintVector(is_fixed, bytes) => vector(
            VectorItems::Uint(numbers(bytes, u32::from_be_bytes)),
            is_fixed,
        ),
        Head::DoubleVector(is_fixed, bytes) => vector(
            VectorItems::Double(numbers(bytes, f64::from_be_bytes)),
            is_fixed,
        ),
        Head::Object(mut container) => {
            let properties = properties(source, &mut container, TYPICAL_PROPERTIES)?;
            source.leave(container);
            Value::Object(properties)
        }
        Head::EcmaArray(mut container, count) => {
            let properties = properties(source, &mut container, count)?;
            source.leave(container);
            Value::EcmaArray(properties)
        }
        Head::StrictArray(container, count) => {
            let values = elements(source, count)?;
            source.leave(container);
            Value::StrictArray(values)
        }
        Head::MixedArray(mut container, count) => {
            let mut properties = properties(source, &mut container, count)?;
            for (index, value) in elements(source, count)?.into_iter().enumerate() {
                let name = ordinal(index);
                pay_for_digits(source, &name)?;
                properties.properties.push((name.as_str().into(), value));
            }
            source.leave(container);
            Value::EcmaArray(properties)
        }
        Head::TypedObject(mut container, class_name, sealed) => {
            let properties = properties(source, &mut container, TYPICAL_PROPERTIES)?;
            source.leave(container);
            TypedObject::from_parts(class_name.into(), properties, sealed).into()
        }
        Head::ObjectVector(container, is_fixed, type_name, count) => {
            let values = elements(source, count)?;
            source.leave(container);
            let type_name = type_name.into();
            vector(VectorItems::Object { type_name, values }, is_fixed)
        }
        Head::Dictionary(container, has_weak_keys, count) => {
            let mut entries = Vec::with_capacity(source.reader().room_for(count, 2));
            for _ in 0..count {
                let key = value(source)?;
                if let Some(number) = key.as_number() {
                    pay_for_digits(source, &number.to_string())?;
                }
                entries.push((key, value(source)?));
            }
            source.leave(container);
            Dictionary {
                entries,
                has_weak_keys,
            }
            .into()
        }
        Head::External(container, class_name) => {
            let body = externalizable::decode(&class_name, source.amf3())?;
            source.leave(container);
            Externalizable::from_parts(class_name.into(), body).into()
        }
        Head::Reference(place) => {
            let value = value(source)?;
            source.reader().resume(place);
            value
        }
        Head::Avm => value(source.amf3())?,
    })
}

/// Reads the properties of `container`, perhaps `count` of them.
fn properties<'a, S: Source<'a>>(
    source: &mut S,
    container: &mut S::Container,
    count: usize,
) -> Result<Object, AmfError> {
    let mut properties = Vec::new();
    while let Some(name) = source.name(container)? {
        if properties.is_empty() {
            let count = count.max(TYPICAL_PROPERTIES);
            properties.reserve(source.reader().room_for(count, MIN_PROPERTY_LEN) + 1);
        }
        // Without a look at the names there: that would take quadratic time. And `?` would move
        // the value once more, a fifth of the time metadata takes.
        if let Cow::Borrowed(name) = name {
            if let Some(number) = source.number()? {
                push_with(&mut properties, || (name.into(), Value::Number(number)));
                continue;
            }
            if let Some(text) = source.string()? {
                push_with(&mut properties, || {
                    (name.into(), Value::String(text.into()))
                });
                continue;
            }
            if let Some(boolean) = source.boolean()? {
                push_with(&mut properties, || (name.into(), Value::Boolean(boolean)));
                continue;
            }
        }
        let value = value(source)?;
        properties.push((name.into(), value));
    }
    Ok(Object { properties })
}

fn elements<'a, S: Source<'a>>(source: &mut S, count: usize) -> Result<Vec<Value>, AmfError> {
    let mut values = Vec::with_capacity(source.reader().room_for(count, 1));
    for _ in 0..count {
        match source.number()? {
            Some(number) => push_with(&mut values, || Value::Number(number)),
            None => values.push(value(source)?),
        }
    }
    Ok(values)
}

/// Pays for a number that is text wherever the value goes next: a key of a dictionary, the ordinal of
/// an element that has a name.
fn pay_for_digits<'a, S: Source<'a>>(source: &mut S, digits: &str) -> Result<(), AmfError> {
    let reader = source.reader();
    let offset = reader.offset();
    reader.budget.take_bytes(digits.len(), offset)
}

fn vector(items: VectorItems, is_fixed: bool) -> Value {
    Vector { items, is_fixed }.into()
}

/// The numbers in `bytes`, of `N` bytes each.
pub(super) fn numbers<T, const N: usize>(bytes: &[u8], parse: impl Fn([u8; N]) -> T) -> Vec<T> {
    let (numbers, _) = bytes.as_chunks();
    numbers.iter().map(|&number| parse(number)).collect()
}

/// The name that an element of an array has among properties.
pub(super) fn ordinal(index: usize) -> String {
    index.to_string()
}

/// Room made for properties of which nobody has told the number: `connect` has 5 to 12 of them.
const TYPICAL_PROPERTIES: usize = 12;

/// Bytes of the shortest property in AMF3: a name that has occurred before, and null.
const MIN_PROPERTY_LEN: usize = 2;
