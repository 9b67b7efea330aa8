//! Action Message Format: the values of commands, metadata and shared objects.
//!
//! ```text
//! +--------+------------------------+
//! | marker | data                   |   one value; a message holds one after another until it ends
//! | 1      | depends on the marker  |
//! +--------+------------------------+
//! ```
//!
//! [`amf0`] is the version in use on nearly every connection. [`amf3`] is the one that clients with
//! Flash in them prefer; RTMP has it only inside of AMF0.
//!
//! One type, [`Value`], is what both versions decode to and are encoded from. A message mixes them
//! anyway, and who asks for a number or the properties of an object should not have to care which
//! of them the peer chose. What only AMF3 has are the variants that say so, and
//! [`Value::is_amf0`] tells whether a value has any of them.
//!
//! Strings are UTF-8. Sequences that are not (cameras put Latin-1 into their metadata) are replaced
//! by U+FFFD wherever they occur, so that a stream does not end over the name of a device.
//!
//! # Types of your own
//!
//! With the feature `serde` they take the place of values: `from_value` and `to_value`, and `from_slice`
//! and `to_vec` in the module of each version.
//!
//! | AMF | serde |
//! |---|---|
//! | number, date | integer if it is one, else `f64` (a date in milliseconds) |
//! | string, XML | borrowed from the input where it is valid UTF-8 |
//! | null, undefined, unsupported | unit, `None` |
//! | object, ECMA array, typed object, dictionary | map or struct |
//! | strict array, vector | sequence or tuple |
//! | byte array | bytes |
//! | `ArrayCollection`, `ArrayList`, `ObjectProxy` | what they stand for |
//!
//! The other way maps and structs become objects, sequences and tuples strict arrays, and enums what
//! JSON has for them: a string, or an object with one property.

pub mod amf0;
pub mod amf3;
#[cfg(test)]
mod arbitrary;
mod dictionary;
mod error;
mod externalizable;
mod object;
mod reader;
mod source;
mod text;
#[cfg(feature = "serde")]
mod typed;
mod typed_object;
mod value;
mod vector;

#[cfg(feature = "serde")]
pub use self::typed::{SerdeError, from_value, to_value};
pub use self::{
    dictionary::Dictionary,
    error::{AmfError, NameTooLong},
    externalizable::{ExternalBody, Externalizable},
    object::{Iter, Object},
    text::Text,
    typed_object::TypedObject,
    value::Value,
    vector::{Vector, VectorItems},
};

/// A point in time.
///
/// [AMF0 §2.13], [AMF3 §3.10]
#[derive(Clone, Copy, Debug, PartialEq)]
#[expect(clippy::exhaustive_structs, reason = "the fields of the wire format")]
pub struct Date {
    /// Milliseconds since 1970-01-01 00:00 UTC, whatever `time_zone` says.
    pub unix_millis: f64,
    /// Reserved: write 0. Some writers put an offset in minutes here [FLV §E.4.4.3]. AMF3 does not
    /// have it.
    pub time_zone: i16,
}

fn checked_name(name: Text) -> Result<Text, NameTooLong> {
    if name.len() > MAX_NAME_LEN {
        return Err(NameTooLong { length: name.len() });
    }
    Ok(name)
}

/// Names have a 16-bit length [AMF0 §1.3.1].
const MAX_NAME_LEN: usize = 0xFFFF;

#[cfg(test)]
mod tests {
    use alloc::{vec, vec::Vec};

    use super::*;

    /// AMF0-40
    #[test]
    fn insert_replaces_every_duplicate_in_the_first_place() {
        let mut object = Object {
            properties: vec![
                ("a".into(), 1.0.into()),
                ("b".into(), 2.0.into()),
                ("a".into(), 3.0.into()),
            ],
        };
        assert_eq!(object.get("a"), Some(&Value::Number(3.0)));
        object.insert("a", "new");
        let expected = Object::new().with("a", "new").with("b", 2.0);
        assert_eq!(object, expected);
    }

    #[test]
    fn remove_takes_every_duplicate_and_returns_the_last() {
        let mut object = Object {
            properties: vec![
                ("a".into(), 1.0.into()),
                ("b".into(), 2.0.into()),
                ("a".into(), 3.0.into()),
            ],
        };
        assert_eq!(object.remove("a"), Some(Value::Number(3.0)));
        assert_eq!(object.remove("a"), None);
        assert_eq!(object, Object::new().with("b", 2.0));
    }

    /// AMF0-11, AMF0-32
    #[test]
    fn names_fit_sixteen_bits() {
        let longest = "n".repeat(0xFFFF);
        let too_long = "n".repeat(0x1_0000);
        let error = NameTooLong { length: 0x1_0000 };

        let mut object = Object::new();
        assert_eq!(object.try_insert(longest.clone(), true), Ok(()));
        assert_eq!(
            object.try_insert(too_long.clone(), true),
            Err(error.clone())
        );
        assert_eq!(object.len(), 1);

        assert!(TypedObject::new(longest, Object::new()).is_ok());
        assert_eq!(TypedObject::new(too_long, Object::new()), Err(error));
    }

    #[test]
    #[should_panic(expected = "a name of 65536 bytes is longer than 65535")]
    fn insert_panics_on_a_long_name() {
        Object::new().insert("n".repeat(0x1_0000), true);
    }

    #[test]
    fn accessors_see_their_own_kind_only() {
        let object = Object::new().with("k", 1.0);
        let typed = TypedObject::new("C", object.clone()).unwrap();
        for value in [
            Value::Object(object.clone()),
            Value::EcmaArray(object.clone()),
            typed.into(),
        ] {
            assert_eq!(value.as_object(), Some(&object));
            assert_eq!(value.as_number(), None);
        }
        assert_eq!(Value::from(2.5).as_number(), Some(2.5));
        assert_eq!(Value::from(true).as_bool(), Some(true));
        assert_eq!(Value::from("s").as_str(), Some("s"));
        assert_eq!(Value::XmlDocument("s".into()).as_str(), None);
        assert_eq!(Value::Null.as_bool(), None);
        assert_eq!(Value::Null.as_object(), None);
    }

    /// What [`AmfLimits::nodes`](crate::AmfLimits::nodes) says, and speed depends on.
    #[test]
    #[cfg(target_pointer_width = "64")]
    fn sizes() {
        assert_eq!(size_of::<Value>(), 32);
        assert_eq!(size_of::<Result<Option<Value>, AmfError>>(), 32);
        assert_eq!(size_of::<(Text, Value)>(), 56);
    }

    #[test]
    fn what_amf0_has_no_type_for_has_a_nearest() {
        let vector = |items| Value::from(Vector::new(items));
        let dictionary =
            |key: Value| Value::from(Dictionary::new(vec![(key, Value::Xml("x".into()))]));
        let document = || Value::XmlDocument("x".into());
        let opaque = Externalizable::opaque("X", vec![0]).unwrap();
        for (value, nearest) in [
            (Value::Xml("x".into()), document()),
            (Value::ByteArray(vec![1]), Value::Unsupported),
            (
                vector(VectorItems::Int(vec![-1])),
                vec![Value::from(-1)].into(),
            ),
            (
                vector(VectorItems::Uint(vec![1])),
                vec![Value::from(1)].into(),
            ),
            (
                vector(VectorItems::Double(vec![0.5])),
                vec![Value::from(0.5)].into(),
            ),
            (
                Vector::of_objects("*", vec![Value::Xml("x".into())])
                    .unwrap()
                    .into(),
                vec![document()].into(),
            ),
            (
                dictionary("k".into()),
                Object::new().with("k", document()).into(),
            ),
            (
                dictionary(1.5.into()),
                Object::new().with("1.5", document()).into(),
            ),
            (dictionary(Value::Null), Value::Unsupported),
            (
                Externalizable::array_collection(vec![Value::Xml("x".into())]).into(),
                vec![document()].into(),
            ),
            (opaque.into(), Value::Unsupported),
        ] {
            let typed = |value: &Value| {
                let object = Object::new().with("k", vec![value.clone()]);
                Value::from(TypedObject::new("C", object).unwrap())
            };
            assert!(!value.is_amf0() && nearest.is_amf0(), "{value:?}");
            assert!(!typed(&value).is_amf0() && typed(&nearest).is_amf0());
            assert_eq!(typed(&value).into_amf0(), typed(&nearest));
        }
        assert_eq!(Value::Unsupported.into_amf0(), Value::Unsupported);
    }

    #[test]
    fn iteration_is_in_order() {
        let object = Object::new().with("b", 1.0).with("a", 2.0);
        let names: Vec<&str> = object.iter().map(|(name, _)| name).collect();
        assert_eq!(names, ["b", "a"]);
        let owned: Vec<(Text, Value)> = object.into_iter().collect();
        assert_eq!(owned, [("b".into(), 1.0.into()), ("a".into(), 2.0.into())]);
    }
}
