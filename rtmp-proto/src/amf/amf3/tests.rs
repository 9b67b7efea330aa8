use alloc::{format, vec};

use hex_literal::hex;
use proptest::{collection, prelude::*};

use super::*;
use crate::amf::{
    ExternalBody, Externalizable, Text,
    arbitrary::{Cost, any_amf3_value},
};

const LIMITS: AmfLimits = AmfLimits::COMMAND;

fn decode_one(input: &[u8]) -> Result<Value, AmfError> {
    let mut decoder = Decoder::new(input, &LIMITS);
    let value = decoder.next_value()?.expect("a value");
    assert_eq!(decoder.remaining(), b"");
    Ok(value)
}

fn encoded(value: &Value) -> Vec<u8> {
    let mut out = Vec::new();
    encode(value, &mut out);
    out
}

#[track_caller]
fn round_trips(wire: &[u8], value: impl Into<Value>) {
    let value = value.into();
    assert_eq!(decode_one(wire).as_ref(), Ok(&value));
    assert_eq!(encoded(&value), wire);
}

fn array(values: impl Into<Vec<Value>>) -> Value {
    Value::StrictArray(values.into())
}

/// AMF3-5, AMF3-7, AMF3-8 [AMF3 §3.2 to §3.5]
#[test]
fn values_without_data() {
    round_trips(&hex!("00"), Value::Undefined);
    round_trips(&hex!("01"), Value::Null);
    round_trips(&hex!("02"), false);
    round_trips(&hex!("03"), true);
}

/// AMF3-1, AMF3-3, AMF3-9: the edges of each length and of the sign [AMF3 §1.3.1, §3.6]
#[test]
fn integers() {
    for (wire, number) in [
        (&hex!("04 00")[..], 0),
        (&hex!("04 7F"), 0x7F),
        (&hex!("04 8100"), 0x80),
        (&hex!("04 FF7F"), 0x3FFF),
        (&hex!("04 818000"), 0x4000),
        (&hex!("04 FFFF7F"), 0x1F_FFFF),
        (&hex!("04 80C08000"), 0x20_0000),
        (&hex!("04 BFFFFFFF"), 0x0FFF_FFFF),
        (&hex!("04 C0808000"), -0x1000_0000),
        (&hex!("04 FFFFFFFF"), -1),
    ] {
        round_trips(wire, number);
    }
}

/// AMF3-4
#[test]
fn longer_forms_of_integers_are_read() {
    for wire in [
        &hex!("04 8005")[..],
        &hex!("04 808005"),
        &hex!("04 80808005"),
    ] {
        assert_eq!(decode_one(wire), Ok(5.into()));
    }
}

/// AMF3-2, AMF3-10, AMF3-11 [AMF3 §3.6, §3.7]
#[test]
fn doubles() {
    round_trips(&hex!("05 3FF8000000000000"), 1.5);
    round_trips(&hex!("05 41B0000000000000"), 268_435_456.0);
    round_trips(&hex!("05 C1B0000001000000"), -268_435_457.0);
    round_trips(&hex!("05 41F0000000000000"), 4_294_967_296.0);
    round_trips(&hex!("05 7FF0000000000000"), f64::INFINITY);
    let negative_zero = hex!("05 8000000000000000");
    assert_eq!(encoded(&(-0.0).into()), negative_zero);
    let number = decode_one(&negative_zero).unwrap().as_number().unwrap();
    assert!(number.is_sign_negative());
    assert_eq!(
        encoded(&f64::NAN.into())[1..],
        f64::NAN.to_be_bytes(),
        "a NaN is no integer"
    );
    assert_eq!(decode_one(&hex!("05 4014000000000000")), Ok(5.0.into()));
}

/// AMF3-12, AMF3-13 [AMF3 §1.3.2, §3.8]
#[test]
fn strings() {
    round_trips(&hex!("06 01"), "");
    round_trips(&hex!("06 09 6C C3A9 76"), "l\u{e9}v");
    assert_eq!(decode_one(&hex!("06 05 61FF")), Ok("a\u{fffd}".into()));
    let long = "x".repeat(0x1_0000);
    let wire = encoded(&long.as_str().into());
    assert_eq!(wire[..4], hex!("06 888001"));
    assert_eq!(decode_one(&wire), Ok(long.into()));
}

/// AMF3-12, AMF3-13, AMF3-14: values, names of all kinds, classes and types share one table, in
/// which the empty string has no place [AMF3 §2.2]
#[test]
fn strings_share_one_table() {
    let wire = hex!(
        "09 11 01"                // eight elements
        "06 03 61"                // "a": 0
        "06 01"                   // "": none
        "06 00"                   // "a"
        "0A 13 03 43 03 73 04 01" // class C: 1, sealed member s: 2
        "0A 0B 01 03 64 04 02 01" // dynamic member d: 3
        "10 01 00 03 54"          // vector of T: 4
        "09 01 03 6B 01 01"       // associative name k: 5
        "09 0D 01 06 02 06 04 06 06 06 08 06 0A 06 00"
    );
    let values = decode_one(&wire).unwrap();
    let values = values.as_array().unwrap();
    assert_eq!(values[2], "a".into());
    let strings = ["C", "s", "d", "T", "k", "a"].map(Value::from);
    assert_eq!(values[7], array(strings));
    assert_eq!(encoded(&array(values)), wire);
}

/// AMF3-16, AMF3-29 [AMF3 §3.9, §3.13]
#[test]
fn xml() {
    round_trips(&hex!("07 09 3C612F3E"), Value::XmlDocument("<a/>".into()));
    round_trips(&hex!("0B 09 3C612F3E"), Value::Xml("<a/>".into()));
}

/// AMF3-17: the other bits of the header mean nothing [AMF3 §3.10]
#[test]
fn date() {
    let date = Date {
        unix_millis: 1.0,
        time_zone: 0,
    };
    round_trips(&hex!("08 01 3FF0000000000000"), date);
    assert_eq!(decode_one(&hex!("08 7F 3FF0000000000000")), Ok(date.into()));
    let with_zone = Date {
        time_zone: 60,
        ..date
    };
    assert_eq!(encoded(&with_zone.into()), hex!("08 01 3FF0000000000000"));
}

/// AMF3-18, AMF3-19 [AMF3 §3.11]
#[test]
fn arrays() {
    round_trips(&hex!("09 01 01"), array([]));
    round_trips(
        &hex!("09 05 01 03 00"),
        array([true.into(), Value::Undefined]),
    );
    round_trips(
        &hex!("09 01 03 6B 04 01 01"),
        Value::EcmaArray(Object::new().with("k", 1)),
    );
    round_trips(
        &hex!("09 05 03 6B 04 01 01 04 07 04 08"),
        Value::EcmaArray(Object::new().with("k", 1).with("0", 7).with("1", 8)),
    );
    // The empty name behind which there are none, in two bytes.
    assert_eq!(decode_one(&hex!("09 01 80 01")), Ok(array([])));
    // Ordinals alone are names, to be told from a strict array.
    round_trips(
        &hex!("09 01 03 30 04 07 01"),
        Value::EcmaArray(Object::new().with("0", 7)),
    );
    // So are those that are not the last ones, or not all of them.
    for names in [["0", "k"], ["k", "1"], ["k", "00"]] {
        let object = names
            .iter()
            .fold(Object::new(), |object, name| object.with(*name, 1));
        let value = Value::EcmaArray(object);
        let wire = encoded(&value);
        assert_eq!(wire[1], 1, "{names:?}");
        assert_eq!(decode_one(&wire), Ok(value));
    }
}

/// AMF3-22, AMF3-24, AMF3-26 [AMF3 §3.12]
#[test]
fn anonymous_objects() {
    round_trips(&hex!("0A 0B 01 01"), Object::new());
    round_trips(
        &hex!("0A 0B 01 03 62 01 03 61 03 01"),
        Object::new().with("b", Value::Null).with("a", true),
    );
    // Sealed members of an anonymous class are properties like any other.
    assert_eq!(
        decode_one(&hex!("0A 13 01 03 61 03")),
        Ok(Object::new().with("a", true).into())
    );
}

/// Among dynamic properties an empty name would be their end.
#[test]
fn sealed_properties_without_a_name() {
    round_trips(
        &hex!("0A 23 01 01 03 61 04 01 03"),
        Object::new().with("", 1).with("a", true),
    );
}

/// AMF3-22, AMF3-25, AMF3-26 [AMF3 §3.12]
#[test]
fn typed_objects() {
    let sealed = || TypedObject::new("C", Object::new().with("x", 1).with("y", 2)).unwrap();
    round_trips(&hex!("0A 23 03 43 03 78 03 79 04 01 04 02"), sealed());
    let dynamic = sealed().with_dynamic(Object::new().with("z", 3));
    round_trips(
        &hex!("0A 2B 03 43 03 78 03 79 04 01 04 02 03 7A 04 03 01"),
        dynamic.clone(),
    );
    assert_eq!(dynamic.sealed_len(), 2);
    assert!(dynamic.is_dynamic() && !sealed().is_dynamic());
    assert_eq!(dynamic.properties().len(), 3);
}

/// AMF3-21, AMF3-41: traits that are inline have an index each, by which others follow
/// [AMF3 §3.12]
#[test]
fn traits_by_reference() {
    let point = |x: i32, y: i32| {
        let properties = Object::new().with("x", x).with("y", y);
        Value::from(TypedObject::new("P", properties).unwrap())
    };
    round_trips(
        &hex!(
            "09 0B 01"
            "0A 23 03 50 03 78 03 79 04 01 04 02" // P: 0
            "0A 0B 01 01"                         // anonymous: 1
            "0A 01 04 03 04 04"                   // P
            "0A 05 01"                            // anonymous
            "0A 01 04 05 04 06"                   // P
        ),
        array([
            point(1, 2),
            Object::new().into(),
            point(3, 4),
            Object::new().into(),
            point(5, 6),
        ]),
    );
    // Externalizable ones count too.
    round_trips(
        &hex!(
            "09 07 01"
            "0A 07 43 666C65782E6D6573736167696E672E696F2E4172726179436F6C6C656374696F6E 09 01 01"
            "0A 0B 01 01" // 1
            "0A 05 01"
        ),
        array([
            Externalizable::array_collection(vec![]).into(),
            Object::new().into(),
            Object::new().into(),
        ]),
    );
}

/// AMF3-20, AMF3-38, AMF3-39, AMF3-40: whatever has a header counts, from its beginning
/// [AMF3 §2.2]
#[test]
fn references_count_objects() {
    let pieces = [
        hex!("09 03 01 04 01").to_vec(),          // array: 0
        hex!("0A 0B 01 03 61 04 01 01").to_vec(), // object: 1
        hex!("08 01 3FF0000000000000").to_vec(),  // date: 2
        hex!("07 03 61").to_vec(),                // XML document: 3
        hex!("0B 03 61").to_vec(),                // XML: 4
        hex!("0C 03 61").to_vec(),                // byte array: 5
        hex!("0D 03 00 00000001").to_vec(),       // vectors: 6 to 9
        hex!("0E 03 00 00000001").to_vec(),
        hex!("0F 03 00 3FF0000000000000").to_vec(),
        hex!("10 03 00 03 2A 04 01").to_vec(),
        hex!("11 03 00 06 03 62 04 01").to_vec(), // dictionary: 10
        hex!("06 03 63 04 05 05 3FF8000000000000").to_vec(), // no objects
    ];
    let wire = pieces.concat();
    let values = decode(&wire, &LIMITS).unwrap();
    for (index, expected) in values[..11].iter().enumerate() {
        let index = u8::try_from(2 * index).unwrap();
        // The marker of a reference says nothing.
        for marker in [ARRAY, OBJECT] {
            let wire = [&wire[..], &[marker, index]].concat();
            assert_eq!(decode(&wire, &LIMITS).unwrap().last(), Some(expected));
        }
    }
    let beyond = [&wire[..], &[OBJECT, 22]].concat();
    let error = AmfError::ReferenceOutOfRange {
        index: 11,
        offset: wire.len(),
    };
    assert_eq!(decode(&beyond, &LIMITS), Err(error));
}

/// AMF3-40: the outer one has index 0, the inner one 1; copies get none, nor do the strings and
/// traits in them.
#[test]
fn copies_get_no_index() {
    let wire = hex!(
        "09 03 01 0A 23 03 43 03 78 03 79 06 03 61 04 02" // [C{x: "a", y: 2}]: 0 and 1
        "09 00 09 00"
        "0A 01 06 06 04 03"                               // C{x: "a", y: 3}: 2
        "0A 02 0A 04"
        "06 03 62 06 08"                                  // "b" is the fifth string
    );
    let c = |y: i32| {
        let properties = Object::new().with("x", "a").with("y", y);
        Value::from(TypedObject::new("C", properties).unwrap())
    };
    let outer = array([c(2)]);
    assert_eq!(
        decode(&wire, &LIMITS),
        Ok(vec![
            outer.clone(),
            outer.clone(),
            outer,
            c(3),
            c(2),
            c(3),
            "b".into(),
            "b".into()
        ])
    );
}

/// AMF3-43
#[test]
fn references_to_nothing_and_to_what_is_around_them_are_errors() {
    let out_of_range = |index, offset| Err(AmfError::ReferenceOutOfRange { index, offset });
    let cyclic = |index, offset| Err(AmfError::CyclicReference { index, offset });
    assert_eq!(decode_one(&hex!("06 00")), out_of_range(0, 1));
    assert_eq!(decode_one(&hex!("0A 00")), out_of_range(0, 0));
    assert_eq!(decode_one(&hex!("0A 01")), out_of_range(0, 0));
    assert_eq!(decode_one(&hex!("0A 0B 00")), out_of_range(0, 2));
    assert_eq!(
        decode_one(&hex!("09 FFFFFFFE")),
        out_of_range((1 << 28) - 1, 0)
    );
    assert_eq!(decode_one(&hex!("09 03 01 09 00")), cyclic(0, 3));
    assert_eq!(decode_one(&hex!("0A 0B 01 03 61 0A 00 01")), cyclic(0, 5));
    assert_eq!(decode_one(&hex!("11 03 00 11 00 01")), cyclic(0, 3));
}

/// AMF3-42
#[test]
fn indexes_do_not_outlive_the_decoder() {
    assert!(decode(&hex!("06 03 61 06 00"), &LIMITS).is_ok());
    assert!(decode(&hex!("06 00"), &LIMITS).is_err());
}

/// AMF3-30 [AMF3 §3.14]
#[test]
fn byte_array() {
    round_trips(
        &hex!("0C 07 00FF80"),
        Value::ByteArray(hex!("00FF80").into()),
    );
    round_trips(&hex!("0C 01"), Value::ByteArray(vec![]));
}

/// AMF3-31 to AMF3-34, AMF3-46 [AMF3 §3.15]
#[test]
fn vectors() {
    let fixed = |items| Vector {
        is_fixed: true,
        ..Vector::new(items)
    };
    round_trips(
        &hex!("0D 05 00 FFFFFFFF 7FFFFFFF"),
        Vector::new(VectorItems::Int(vec![-1, i32::MAX])),
    );
    round_trips(
        &hex!("0E 03 01 FFFFFFFF"),
        fixed(VectorItems::Uint(vec![u32::MAX])),
    );
    round_trips(
        &hex!("0F 03 00 3FF8000000000000"),
        Vector::new(VectorItems::Double(vec![1.5])),
    );
    let values = vec![Value::Undefined, 1.into()];
    round_trips(
        &hex!("10 05 00 03 2A 00 04 01"),
        Vector::of_objects("*", values.clone()).unwrap(),
    );
    let type_name = Text::from("C");
    round_trips(
        &hex!("10 05 01 03 43 00 04 01"),
        fixed(VectorItems::Object { type_name, values }),
    );
}

/// AMF3-36, AMF3-37, AMF3-46 [AMF3 §3.16]
#[test]
fn dictionary() {
    let entries = vec![
        ("k".into(), 1.into()),
        (Object::new().into(), true.into()),
        (1.5.into(), Value::Null),
    ];
    let mut dictionary = Dictionary::new(entries);
    dictionary.has_weak_keys = true;
    round_trips(
        &hex!("11 07 01 06 03 6B 04 01 0A 0B 01 01 03 05 3FF8000000000000 01"),
        dictionary,
    );
    let integer_keys = Dictionary::new(vec![((-12).into(), Value::Null), ("x".into(), "x".into())]);
    assert_eq!(
        encoded(&integer_keys.into()),
        hex!("11 05 00 06 07 2D3132 01 06 03 78 06 02")
    );
}

/// What was written for an integer key can be referred to like any string.
#[test]
fn integer_keys_that_occur_again_are_references() {
    let entry = (Value::from(4), Value::from("4"));
    let dictionary = Dictionary::new(vec![entry.clone(), entry]);
    assert_eq!(
        encoded(&dictionary.into()),
        hex!("11 05 00 06 03 34 06 00 06 00 06 00")
    );
}

/// AMF3-23, AMF3-28 [AMF3 §3.12]
#[test]
fn known_externalizable_classes() {
    let collection = Externalizable::array_collection(vec![1.into(), 2.into()]);
    round_trips(
        &hex!(
            "0A 07 43 666C65782E6D6573736167696E672E696F2E4172726179436F6C6C656374696F6E"
            "09 05 01 04 01 04 02"
        ),
        collection.clone(),
    );
    let values = [1, 2].map(Value::from);
    assert_eq!(Value::from(collection).as_array(), Some(&values[..]));

    let properties = Object::new().with("a", 1);
    let proxy = Externalizable::object_proxy(properties.clone());
    round_trips(
        &hex!(
            "0A 07 3B 666C65782E6D6573736167696E672E696F2E4F626A65637450726F7879"
            "0A 0B 01 03 61 04 01 01"
        ),
        proxy.clone(),
    );
    assert_eq!(Value::from(proxy).as_object(), Some(&properties));
}

/// The flags of BlazeDS: body, message ID and time stamp; the bytes of the client ID; the ID of what
/// is answered; and something of a later version.
#[test]
fn small_messages() {
    let wire = hex!(
        "0A 07 07 44534B"
        "B1 01 06 03 62 06 03 6D 04 07 0C 03 FF"
        "01 06 03 63"
        "20 04 09"
    );
    let message = decode_one(&wire).unwrap();
    let expected = Object::new()
        .with("body", "b")
        .with("messageId", "m")
        .with("timestamp", 7)
        .with("clientIdBytes", Value::ByteArray(vec![0xFF]))
        .with("correlationId", "c")
        .with("2.5", 9);
    assert_eq!(message.as_object(), Some(&expected));
    assert_eq!(encoded(&message), wire);

    let endless = [&hex!("0A 07 07 44534B")[..], &[0x80; 9], &[0; 9]].concat();
    let class_name = "DSK".into();
    assert_eq!(
        decode_one(&endless),
        Err(AmfError::UnknownExternalizable { class_name })
    );
}

/// AMF3-27
#[test]
fn unknown_externalizable_classes() {
    let object = Externalizable::opaque("X", vec![1, 2, 3]).unwrap();
    assert_eq!(object.class_name(), "X");
    assert_eq!(object.body(), &ExternalBody::Opaque(vec![1, 2, 3]));
    round_trips(&hex!("0A 07 03 58 010203"), object);

    let class_name = "X".into();
    let error = AmfError::UnknownExternalizable { class_name };
    assert_eq!(
        error.to_string(),
        "externalizable class X within another value"
    );
    assert_eq!(decode_one(&hex!("09 03 01 0A 07 03 58 010203")), Err(error));
}

/// AMF3-45, AMF3-47
#[test]
fn other_markers_are_errors_with_their_offset() {
    for marker in 0x12..=0xFF {
        let error = AmfError::UnknownMarker { marker, offset: 4 };
        assert_eq!(decode_one(&[ARRAY, 5, 1, NULL, marker]), Err(error));
    }
}

/// AMF3 has no such value.
#[test]
fn unsupported_becomes_undefined() {
    assert_eq!(encoded(&Value::Unsupported), hex!("00"));
}

/// AMF3-44
#[test]
fn lengths_and_counts_are_checked_before_anything_is_allocated() {
    let longest = hex!("FFFFFFFF");
    for marker in XML_DOCUMENT..=DICTIONARY {
        // Of dates the length is not used, of objects it is that of the traits.
        if matches!(marker, DATE | OBJECT) {
            continue;
        }
        let wire = [&[marker][..], &longest, &[1; 16]].concat();
        let Err(AmfError::UnexpectedEnd { .. }) = decode_one(&wire) else {
            panic!("marker {marker:#x}");
        };
    }
    let many_names = hex!("0A FFFFFFF3 03 43 010101");
    assert!(matches!(
        decode_one(&many_names),
        Err(AmfError::UnexpectedEnd { .. })
    ));
    let wire = [&hex!("09 84 80 01 01")[..], &[NULL; 0x1_0000]].concat();
    assert_eq!(
        decode_one(&wire),
        Err(AmfError::TooManyValues {
            limit: 4096,
            offset: 0
        })
    );
}

/// AMF3-44
#[test]
fn depth_is_bounded() {
    let unbounded = LIMITS.with_depth(usize::MAX).with_nodes(usize::MAX);
    for level in [
        &hex!("09 03 01")[..],
        &hex!("0A 0B 01 03 61"),
        &hex!("10 03 00 01"),
        &hex!("11 03 00 01"),
        &hex!("11 03 00"),
    ] {
        let wire = [&level.repeat(32)[..], &[NULL; 64]].concat();
        assert!(!matches!(
            decode(&wire, &LIMITS),
            Err(AmfError::TooDeep { .. })
        ));
        let error = AmfError::TooDeep {
            limit: 32,
            offset: 32 * level.len(),
        };
        assert_eq!(decode(&level.repeat(1000), &LIMITS), Err(error));
        let error = AmfError::TooDeep {
            limit: 128,
            offset: 128 * level.len(),
        };
        assert_eq!(decode(&level.repeat(100_000), &unbounded), Err(error));
    }
}

/// Each array holds the one before it ten times: in 2 kB, more than there is memory for.
#[test]
fn billion_laughs_end_at_the_limits() {
    let mut wire = hex!("09 03 01 06 07 6C6F6C").to_vec();
    for index in 0..80 {
        wire.extend(hex!("09 15 01"));
        let reference = match 2 * index {
            short @ ..=0x7F => vec![ARRAY, short],
            long => vec![ARRAY, 0x81, long & 0x7F],
        };
        wire.extend(reference.repeat(10));
    }
    assert!(wire.len() < 2400);
    let nodes = AmfLimits::DATA.with_nodes(5000);
    let Err(AmfError::TooManyValues { limit: 5000, .. }) = decode(&wire, &nodes) else {
        panic!("too many values");
    };
    let bytes = AmfLimits::DATA.with_string_bytes(5000);
    let Err(AmfError::StringsTooLong { limit: 5000, .. }) = decode(&wire, &bytes) else {
        panic!("too many bytes in strings");
    };
    let depth = AmfLimits::DATA.with_nodes(usize::MAX).with_depth(4);
    let Err(AmfError::TooDeep { limit: 4, .. }) = decode(&wire, &depth) else {
        panic!("too deep");
    };
}

/// One long string, byte array or vector, many times; and one long name.
#[test]
fn copies_of_long_values_are_paid_for() {
    let limits = AmfLimits::DATA.with_string_bytes(10_000);
    let kilobyte = [0x61; 1024];
    for (first, again) in [
        (&hex!("06 9001")[..], hex!("06 00")),
        (&hex!("0C 9001"), hex!("0C 02")),
        (&hex!("0B 9001"), hex!("0B 02")),
        (&hex!("0D 8401 00"), hex!("0D 02")),
    ] {
        let wire = [&hex!("09 41 01")[..], first, &kilobyte, &again.repeat(31)].concat();
        let Err(AmfError::StringsTooLong { limit: 10_000, .. }) = decode(&wire, &limits) else {
            panic!("marker {:#x}", first[0]);
        };
    }
    let object = [&hex!("0A 13 01 9001")[..], &kilobyte, &[NULL]].concat();
    let wire = [&hex!("09 41 01")[..], &object, &hex!("0A 01 01").repeat(31)].concat();
    let Err(AmfError::StringsTooLong { limit: 10_000, .. }) = decode(&wire, &limits) else {
        panic!("names");
    };
}

/// Numbers that are written as text count as text from the beginning, or what fits the limits of one
/// reader would pass those of the next.
#[test]
fn digits_of_keys_and_ordinals_are_paid_for() {
    let limits = LIMITS.with_string_bytes(5);
    // A dictionary with the keys -12 and 345, an array with a property and the elements 0 to 4.
    for wire in [
        &hex!("11 05 00 04 FFFFFFF4 01 04 8259 01")[..],
        &hex!("09 0B 03 61 01 01 01 01 01 01 01"),
    ] {
        let Err(AmfError::StringsTooLong { limit: 5, .. }) = decode(wire, &limits) else {
            panic!("{wire:x?}");
        };
        let enough = LIMITS.with_string_bytes(6);
        let values = decode(wire, &enough).unwrap();
        let mut amf0 = Vec::new();
        crate::amf::amf0::encode_all(&values, &mut amf0);
        assert_eq!(
            crate::amf::amf0::decode(&amf0, &enough).map(|values| values.len()),
            Ok(1)
        );
    }
}

#[test]
fn names_fit_sixteen_bits() {
    // 0x10000 bytes: a header of (0x10000 << 1 | 1).
    let name = [&hex!("888001")[..], &[b'n'; 0x1_0000]].concat();
    let wire = [&hex!("0A 0B 01")[..], &name, &hex!("01 01")].concat();
    assert_eq!(
        decode_one(&wire),
        Err(AmfError::NameTooLong {
            length: 0x1_0000,
            offset: 3
        })
    );
}

/// Cut at every byte, an array of everything ends too early.
#[test]
fn truncation_at_every_byte() {
    let wire = hex!(
        "09 1B 03 6B 04 8100 01" // {k: 128, and 13 elements}
        "05 3FF8000000000000"
        "06 05 6161"
        "07 03 61"
        "08 01 3FF0000000000000"
        "0A 1B 03 43 03 78 04 01 03 79 04 02 01"
        "0B 03 61"
        "0C 03 61"
        "0D 03 00 00000001"
        "0E 03 00 00000001"
        "0F 03 00 3FF0000000000000"
        "10 03 00 03 2A 04 01"
        "11 03 00 06 03 62 04 01"
        "0A 0B 01 01"
    );
    assert!(decode_one(&wire).is_ok());
    for len in 1..wire.len() {
        match decode_one(&wire[..len]) {
            Err(AmfError::UnexpectedEnd { offset }) => assert!(offset <= len),
            other => panic!("cut at {len}: {other:?}"),
        }
    }
}

/// Bytes that often are markers and small headers.
fn any_wire() -> impl Strategy<Value = Vec<u8>> {
    let piece = prop_oneof![
        any::<u8>().prop_map(|byte| vec![byte]),
        (0_u8..0x12).prop_map(|marker| vec![marker]),
        (0_u8..8, 0_u8..8).prop_map(|(marker, header)| vec![marker, header]),
        (0_u8..8).prop_map(|count| vec![ARRAY, 2 * count + 1, 1]),
        (0_u8..8).prop_map(|index| vec![OBJECT, index]),
        Just(hex!("0A 0B 01 03 61").to_vec()),
        Just(hex!("0A 13 03 43 03 78").to_vec()),
        Just(hex!("06 05 FFFF").to_vec()),
        Just(hex!("0A 07 07 44534B").to_vec()),
    ];
    collection::vec(piece, 0..64).prop_map(|pieces| pieces.concat())
}

proptest! {
    #[test]
    fn what_is_encoded_is_decoded(values in collection::vec(any_amf3_value(), 0..4)) {
        let mut wire = Vec::new();
        encode_all(&values, &mut wire);
        prop_assert_eq!(decode(&wire, &AmfLimits::DATA), Ok(values));
    }

    #[test]
    fn every_integer_of_29_bits_is_one(number in -0x1000_0000..0x1000_0000_i32) {
        let wire = encoded(&number.into());
        prop_assert_eq!(wire[0], INTEGER);
        prop_assert!(wire.len() <= 5);
        prop_assert_eq!(decode_one(&wire), Ok(number.into()));
    }

    #[test]
    fn no_input_panics_or_passes_a_limit(wire in any_wire()) {
        let limits = LIMITS.with_depth(3).with_nodes(24).with_string_bytes(64);
        let mut decoder = Decoder::new(&wire, &limits);
        let mut cost = Cost::default();
        while let Ok(Some(value)) = decoder.next_value() {
            cost.add(&value, 0);
        }
        prop_assert!(cost.depth <= limits.depth);
        prop_assert!(cost.nodes <= limits.nodes, "{:?}", cost);
        prop_assert!(cost.bytes <= limits.string_bytes, "{:?}", cost);
        prop_assert!(cost.room <= cost.room_allowed(wire.len()), "{:?}", cost);
    }

    /// What has been decoded from anything is written so that it can be read, and then always the
    /// same.
    #[test]
    fn decoded_values_settle(wire in any_wire()) {
        let mut decoder = Decoder::new(&wire, &LIMITS);
        let mut values = Vec::new();
        while let Ok(Some(value)) = decoder.next_value() {
            values.push(value);
        }
        let mut once = Vec::new();
        encode_all(&values, &mut once);
        let again = decode(&once, &AmfLimits::DATA).unwrap();
        let mut twice = Vec::new();
        encode_all(&again, &mut twice);
        let settled = decode(&twice, &AmfLimits::DATA).unwrap();
        // A NaN differs from itself, but not in this.
        prop_assert_eq!(format!("{settled:?}"), format!("{again:?}"));
    }
}
