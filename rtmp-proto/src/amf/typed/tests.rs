use alloc::{
    borrow::Cow,
    collections::BTreeMap,
    string::{String, ToString},
    vec,
    vec::Vec,
};

use hex_literal::hex;
use proptest::{collection, option, prelude::*};
use serde::{Deserialize, Serialize};

use super::*;
use crate::{
    amf::{
        Date, Dictionary, Externalizable, Object, Text, TypedObject, Vector, VectorItems, amf0,
        amf3, arbitrary::any_amf3_value,
    },
    limits::AmfLimits,
};

const LIMITS: AmfLimits = AmfLimits::COMMAND;

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Everything {
    boolean: bool,
    small: i8,
    large: u64,
    float: f64,
    string: String,
    option: Option<u32>,
    unit: (),
    tuple: (u8, String),
    sequence: Vec<Choice>,
    map: BTreeMap<i16, String>,
    wrapped: Wrapped,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Wrapped(u16);

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
enum Choice {
    Unit,
    Newtype(Option<i32>),
    Tuple(u8, bool),
    Struct { x: f64 },
}

fn any_choice() -> impl Strategy<Value = Choice> {
    prop_oneof![
        Just(Choice::Unit),
        any::<Option<i32>>().prop_map(Choice::Newtype),
        any::<(u8, bool)>().prop_map(|(a, b)| Choice::Tuple(a, b)),
        any::<f64>().prop_map(|x| Choice::Struct { x }),
    ]
}

prop_compose! {
    fn any_everything()(
        (boolean, small, large) in (any::<bool>(), any::<i8>(), 0..=INTEGER_MAX),
        float in any::<f64>(),
        string in ".{0,40}",
        option in option::of(any::<u32>()),
        tuple in (any::<u8>(), ".{0,8}"),
        sequence in collection::vec(any_choice(), 0..4),
        map in collection::btree_map(any::<i16>(), ".{0,8}", 0..4),
        wrapped in any::<u16>(),
    ) -> Everything {
        Everything {
            boolean, small, large, float, string, option, unit: (), tuple, sequence, map,
            wrapped: Wrapped(wrapped),
        }
    }
}

proptest! {
    #[test]
    fn what_is_written_is_read(everything in any_everything()) {
        let value = to_value(&everything).unwrap();
        prop_assert_eq!(from_value(&value), Ok(everything.clone()));
        let wire = amf0::to_vec(&everything).unwrap();
        prop_assert_eq!(amf0::from_slice(&wire, &LIMITS), Ok(everything.clone()));
        let wire = amf3::to_vec(&everything).unwrap();
        prop_assert_eq!(amf3::from_slice(&wire, &LIMITS), Ok(everything));
    }

    /// Whatever a type expects, it gets the same from the values as from their encodings.
    #[test]
    fn values_and_their_encodings_read_alike(value in any_amf3_value()) {
        let mut in_amf0 = Vec::new();
        amf0::encode(&value, &mut in_amf0);
        let mut in_amf3 = Vec::new();
        amf3::encode(&value, &mut in_amf3);
        let expected = from_value::<Shape>(&value);
        prop_assert_eq!(&amf0::from_slice::<Shape>(&in_amf0, &AmfLimits::DATA), &expected);
        prop_assert_eq!(&amf3::from_slice::<Shape>(&in_amf3, &AmfLimits::DATA), &expected);
        // All keys are strings, so it can be said in terms of serde.
        prop_assert_eq!(from_value::<Shape>(&to_value(&value).unwrap()), expected);
        let expected = from_value::<Option<Choice>>(&value);
        prop_assert_eq!(
            amf0::from_slice::<Option<Choice>>(&in_amf0, &AmfLimits::DATA).is_ok(),
            expected.is_ok()
        );
        prop_assert_eq!(
            amf3::from_slice::<Option<Choice>>(&in_amf3, &AmfLimits::DATA).is_ok(),
            expected.is_ok()
        );
    }

    #[test]
    fn no_input_panics(wire in any::<Vec<u8>>()) {
        let mut decoder = amf0::Decoder::new(&wire, &LIMITS);
        while let Ok(Some(_)) = decoder.next_typed::<Shape>() {}
        prop_assert!(decoder.remaining().is_empty());
        let mut decoder = amf3::Decoder::new(&wire, &LIMITS);
        while let Ok(Some(_)) = decoder.next_typed::<Shape>() {}
        prop_assert!(decoder.remaining().is_empty());
    }
}

/// What the deserializer shows of a value.
#[derive(Debug, PartialEq)]
enum Shape {
    Unit,
    Boolean(bool),
    Integer(i64),
    Float(u64),
    Text(String),
    Bytes(Vec<u8>),
    Sequence(Vec<Self>),
    Map(Vec<(Self, Self)>),
}

impl<'de> Deserialize<'de> for Shape {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Visitor;

        impl<'de> de::Visitor<'de> for Visitor {
            type Value = Shape;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("anything")
            }

            fn visit_unit<E>(self) -> Result<Shape, E> {
                Ok(Shape::Unit)
            }

            fn visit_bool<E>(self, boolean: bool) -> Result<Shape, E> {
                Ok(Shape::Boolean(boolean))
            }

            fn visit_u64<E>(self, integer: u64) -> Result<Shape, E> {
                Ok(Shape::Integer(integer.try_into().unwrap()))
            }

            fn visit_i64<E>(self, integer: i64) -> Result<Shape, E> {
                Ok(Shape::Integer(integer))
            }

            fn visit_f64<E>(self, float: f64) -> Result<Shape, E> {
                Ok(Shape::Float(float.to_bits()))
            }

            fn visit_str<E>(self, text: &str) -> Result<Shape, E> {
                Ok(Shape::Text(text.to_string()))
            }

            fn visit_bytes<E>(self, bytes: &[u8]) -> Result<Shape, E> {
                Ok(Shape::Bytes(bytes.to_vec()))
            }

            fn visit_seq<A: de::SeqAccess<'de>>(self, mut values: A) -> Result<Shape, A::Error> {
                let mut all = Vec::new();
                while let Some(value) = values.next_element()? {
                    all.push(value);
                }
                Ok(Shape::Sequence(all))
            }

            fn visit_map<A: de::MapAccess<'de>>(self, mut entries: A) -> Result<Shape, A::Error> {
                let mut all = Vec::new();
                while let Some(entry) = entries.next_entry()? {
                    all.push(entry);
                }
                Ok(Shape::Map(all))
            }
        }

        deserializer.deserialize_any(Visitor)
    }
}

#[derive(Debug, PartialEq, Serialize, Deserialize)]
struct Borrowed<'a> {
    name: &'a str,
    #[serde(borrow)]
    title: Cow<'a, str>,
}

#[test]
fn strings_are_borrowed() {
    let wire = hex!("03 0004 6E616D65 02 0001 61 0005 7469746C65 02 0001 62 0000 09");
    let borrowed: Borrowed<'_> = amf0::from_slice(&wire, &LIMITS).unwrap();
    assert!(wire.as_ptr_range().contains(&borrowed.name.as_ptr()));
    assert_eq!((borrowed.name, &*borrowed.title), ("a", "b"));
    let value = to_value(&borrowed).unwrap();
    assert_eq!(from_value(&value), Ok(borrowed));

    // By reference, and what is no UTF-8 is not borrowed.
    let wire = hex!("0A 0B 01 09 6E616D65 06 00 0B 7469746C65 06 05 62FF 01");
    let borrowed: Borrowed<'_> = amf3::from_slice(&wire, &LIMITS).unwrap();
    assert!(wire.as_ptr_range().contains(&borrowed.name.as_ptr()));
    assert_eq!((borrowed.name, &*borrowed.title), ("name", "b\u{fffd}"));
}

#[test]
fn numbers_are_integers_where_they_can_be() {
    assert_eq!(from_value::<u8>(&255.into()), Ok(255));
    assert!(from_value::<u8>(&256.into()).is_err());
    assert!(from_value::<i32>(&0.5.into()).is_err());
    assert_eq!(from_value::<f64>(&5.into()), Ok(5.0));
    assert_eq!(from_value::<i64>(&(-5).into()), Ok(-5));
    let negative_zero: f64 = from_value(&(-0.0).into()).unwrap();
    assert!(negative_zero.is_sign_negative());
    assert!(from_value::<u64>(&1e300.into()).is_err());
    for number in [f64::NAN, f64::INFINITY] {
        let read: f64 = from_value(&number.into()).unwrap();
        assert_eq!(read.to_bits(), number.to_bits());
    }
    assert_eq!(to_value(&u64::MAX), Err(SerdeError::IntegerTooLong));
    assert_eq!(to_value(&i64::MIN), Err(SerdeError::IntegerTooLong));
}

#[test]
fn what_serde_has_no_kind_for() {
    let date = Date {
        unix_millis: 1.5,
        time_zone: 0,
    };
    assert_eq!(from_value(&date.into()), Ok(1.5));
    assert_eq!(from_value(&Value::Xml("x".into())), Ok("x"));
    assert_eq!(from_value(&Value::Undefined), Ok(None::<u8>));
    assert_eq!(from_value(&Value::Unsupported), Ok(()));
    let vector = Vector::new(VectorItems::Uint(vec![1, 2]));
    let vector = vector.into();
    assert_eq!(from_value(&vector), Ok([1, 2]));
    assert_eq!(from_value(&vector), Ok((Some(Wrapped(1)), 2.0)));
    let collection = Externalizable::array_collection(vec![1.into(), 2.into()]);
    assert_eq!(from_value(&collection.into()), Ok((1, 2)));
    let opaque = Externalizable::opaque("X", vec![]).unwrap().into();
    assert_eq!(from_value::<()>(&opaque), Err(SerdeError::Externalizable));
    let mut wire = Vec::new();
    amf3::encode(&opaque, &mut wire);
    assert_eq!(
        amf3::from_slice::<()>(&wire, &LIMITS),
        Err(SerdeError::Externalizable)
    );
    let typed = TypedObject::new("C", Object::new().with("x", 1.0)).unwrap();
    let map = BTreeMap::from([("x", 1)]);
    assert_eq!(from_value(&typed.into()), Ok(map));
    let dictionary = Dictionary::new(vec![(1.5.into(), "a".into())]);
    assert_eq!(from_value(&dictionary.into()), Ok(OnlyEntry(1.5, "a")));
}

/// The one entry of a map whose key is no string.
#[derive(Debug, PartialEq)]
struct OnlyEntry<'a>(f64, &'a str);

impl<'de> Deserialize<'de> for OnlyEntry<'de> {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Visitor;

        impl<'de> de::Visitor<'de> for Visitor {
            type Value = OnlyEntry<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a map")
            }

            fn visit_map<A: de::MapAccess<'de>>(
                self,
                mut entries: A,
            ) -> Result<OnlyEntry<'de>, A::Error> {
                let (key, value) = entries.next_entry()?.unwrap();
                Ok(OnlyEntry(key, value))
            }
        }

        deserializer.deserialize_map(Visitor)
    }
}

#[test]
fn values_in_a_message_one_by_one() {
    let wire = hex!(
        "02 0001 61"
        "11 0A 0B 01 03 78 04 07 01"
        "03 0001 79 05 0000 09"
        "07 0000"
        "FF"
    );
    let mut decoder = amf0::Decoder::new(&wire, &LIMITS);
    assert_eq!(decoder.next_typed(), Ok(Some("a")));
    assert_eq!(decoder.next_typed(), Ok(Some(BTreeMap::from([("x", 7)]))));
    let empty = BTreeMap::from([("y", None::<u8>)]);
    assert_eq!(decoder.next_typed(), Ok(Some(empty.clone())));
    assert_eq!(decoder.next_typed(), Ok(Some(Some(empty))));
    let error = AmfError::UnknownMarker {
        marker: 0xFF,
        offset: wire.len() - 1,
    };
    assert_eq!(decoder.next_typed::<()>(), Err(SerdeError::Amf(error)));
    assert_eq!(decoder.next_typed::<()>(), Ok(None));
}

#[test]
fn one_value_and_no_more() {
    assert_eq!(
        amf0::from_slice::<()>(&hex!("05 05 05"), &LIMITS),
        Err(SerdeError::TrailingBytes { length: 2 })
    );
    assert_eq!(
        amf3::from_slice::<()>(b"", &LIMITS),
        Err(SerdeError::NoValue)
    );
}

/// A type that stops early leaves nothing behind.
#[test]
fn what_is_not_wanted_is_passed_over() {
    let wire = hex!("0A 00000002 0A 00000003 05 05 05 01 01");
    assert_eq!(
        amf0::from_slice::<((), bool)>(&wire, &LIMITS),
        Err(de::Error::custom("invalid type: sequence, expected unit"))
    );
    assert_eq!(
        amf0::from_slice::<(((), ()), bool)>(&wire, &LIMITS),
        Ok((((), ()), true))
    );
}

/// A type with what it does not know in it.
#[test]
fn values_within_types() {
    #[derive(Debug, PartialEq, Serialize, Deserialize)]
    struct Partly {
        width: u32,
        encoder: Text,
        #[serde(flatten)]
        others: BTreeMap<String, Value>,
    }

    let object = Object::new()
        .with("width", 640)
        .with("nested", Object::new().with("a", Value::Null))
        .with("encoder", "x")
        .with("list", vec![Value::from(1.5), true.into()]);
    let partly: Partly = from_value(&object.clone().into()).unwrap();
    assert_eq!(partly.encoder, "x");
    assert_eq!(partly.others.len(), 2);
    let again = to_value(&partly).unwrap();
    let again = again.as_object().unwrap();
    assert_eq!(again.len(), object.len());
    for (name, value) in &object {
        assert_eq!(again.get(name), Some(value));
    }
    assert_eq!(from_value(&object.clone().into()), Ok(object));
    let opaque = Externalizable::opaque("X", vec![]).unwrap();
    assert!(to_value(&Value::from(opaque)).is_err());
}

#[test]
fn errors_do_not_repeat_values() {
    let secret = Value::from("secret");
    let number = Value::from(7777);
    let errors = [
        from_value::<bool>(&secret).unwrap_err(),
        from_value::<char>(&secret).unwrap_err(),
        from_value::<Choice>(&secret).unwrap_err(),
        from_value::<bool>(&number).unwrap_err(),
        from_value::<u8>(&number).unwrap_err(),
    ];
    for error in errors {
        let message = error.to_string();
        assert!(
            !message.contains("secret") && !message.contains("7777"),
            "{message}"
        );
    }
    let error = from_value::<u8>(&secret).unwrap_err();
    assert_eq!(error.to_string(), "invalid type: string, expected u8");
}

#[test]
fn limits_hold() {
    let wire = hex!("0A 00000002 05 02 0002 6161");
    let read = |limits| amf0::from_slice::<((), &str)>(&wire, &limits);
    assert!(read(LIMITS.with_nodes(3).with_string_bytes(2)).is_ok());
    for limits in [
        LIMITS.with_nodes(2),
        LIMITS.with_string_bytes(1),
        LIMITS.with_depth(0),
    ] {
        assert!(matches!(read(limits), Err(SerdeError::Amf(_))));
    }
}

#[test]
fn keys_are_names() {
    let map = |key: &str| BTreeMap::from([(key.to_string(), ())]);
    assert_eq!(
        to_value(&map(&"x".repeat(0x1_0000))),
        Err(SerdeError::NameTooLong { length: 0x1_0000 })
    );
    assert_eq!(
        to_value(&BTreeMap::from([((), 1)])),
        Err(SerdeError::KeyNotAString)
    );
    let object = Object::new().with("-5", true).with("7", false);
    let value = to_value(&BTreeMap::from([(-5, true), (7, false)])).unwrap();
    assert_eq!(value, object.into());
}

#[derive(Debug, PartialEq, Serialize, Deserialize)]
struct Nothing;

#[derive(Debug, PartialEq, Serialize, Deserialize)]
struct Two(f32, char);

#[derive(Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
enum Key {
    Left,
    Right,
}

#[derive(Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
struct Named(String);

/// Structs without names for their fields, and keys that are not plain strings.
#[test]
fn structs_and_keys_of_other_kinds() {
    assert_eq!(to_value(&Nothing), Ok(Value::Null));
    assert_eq!(from_value(&Value::Null), Ok(Nothing));
    let two = to_value(&Two(0.5, 'ß')).unwrap();
    assert_eq!(two, Value::StrictArray(vec![0.5.into(), "ß".into()]));
    assert_eq!(from_value(&two), Ok(Two(0.5, 'ß')));

    let object = |name: &str| Value::from(Object::new().with(name, 1.0));
    assert_eq!(to_value(&BTreeMap::from([(true, 1)])), Ok(object("true")));
    for (key, name) in [(Key::Left, "Left"), (Key::Right, "Right")] {
        let map = BTreeMap::from([(key, 1)]);
        assert_eq!(to_value(&map), Ok(object(name)));
        assert_eq!(from_value(&object(name)), Ok(map));
    }
    let map = BTreeMap::from([(Named("x".into()), 1)]);
    assert_eq!(from_value(&object("x")), Ok(map));
    assert!(from_value::<BTreeMap<Key, u8>>(&object("Up")).is_err());
    assert!(from_value::<BTreeMap<i8, u8>>(&object("x")).is_err());
}

/// A variant may be a reference to an earlier one, or in AMF3; it is one name and one value.
#[test]
fn enums_in_all_forms() {
    let shared = hex!("0A 00000002  03 0007 4E657774797065 00 4014000000000000 000009  07 0001");
    let choice = Choice::Newtype(Some(5));
    assert_eq!(
        amf0::from_slice(&shared, &LIMITS),
        Ok(vec![choice.clone(), choice])
    );
    let unit = hex!("11 06 09 556E6974");
    assert_eq!(amf0::from_slice(&unit, &LIMITS), Ok(Choice::Unit));
    for value in [
        Object::new().into(),
        Object::new().with("Newtype", 1.0).with("Unit", 1.0).into(),
        Value::Number(1.0),
    ] {
        let mut wire = Vec::new();
        amf0::encode(&value, &mut wire);
        assert!(amf0::from_slice::<Choice>(&wire, &LIMITS).is_err());
        assert!(from_value::<Choice>(&value).is_err());
    }
}

/// What was expected is said, and what there was only by its kind.
#[test]
fn errors_say_what_was_expected() {
    let error = |result: Result<(), SerdeError>| result.unwrap_err().to_string();
    let text = from_value::<Text>(&Value::Boolean(true)).map(drop);
    assert_eq!(error(text), "invalid type: boolean, expected a string");
    let object = from_value::<Object>(&Value::ByteArray(vec![1])).map(drop);
    assert_eq!(error(object), "invalid type: byte array, expected a map");
}

/// Values from deserializers of other formats, which tell integers and bytes from the rest.
#[test]
fn values_from_elsewhere() {
    use serde::de::{IntoDeserializer, value::BytesDeserializer};

    let integer = Value::deserialize(IntoDeserializer::<SerdeError>::into_deserializer(-5_i64));
    assert_eq!(integer, Ok(Value::Number(-5.0)));
    let bytes = BytesDeserializer::<SerdeError>::new(&[1, 2]);
    assert_eq!(Value::deserialize(bytes), Ok(Value::ByteArray(vec![1, 2])));
}
