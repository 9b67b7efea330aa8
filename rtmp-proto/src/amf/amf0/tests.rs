use alloc::vec;

use hex_literal::hex;
use proptest::{collection, prelude::*};

use super::*;
use crate::amf::{
    TypedObject,
    arbitrary::{Cost, any_amf0_value, any_amf3_value},
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

fn typed(class_name: &str, properties: Object) -> Value {
    TypedObject::new(class_name, properties).unwrap().into()
}

/// AMF0-1, AMF0-3
#[test]
fn number() {
    round_trips(&hex!("00 3FF8000000000000"), 1.5);
    round_trips(&hex!("00 7FF0000000000000"), f64::INFINITY);
}

/// AMF0-4
#[test]
fn numbers_survive_bit_for_bit() {
    for bits in [
        0x8000_0000_0000_0000,
        0x7FF8_0000_0000_0001,
        0x7FF0_0000_0000_0001,
        0xFFFF_FFFF_FFFF_FFFF,
    ] {
        let wire = encoded(&f64::from_bits(bits).into());
        let number = decode_one(&wire).unwrap().as_number().unwrap();
        assert_eq!(number.to_bits(), bits);
    }
}

/// AMF0-5, AMF0-6
#[test]
fn boolean() {
    round_trips(&hex!("01 00"), false);
    round_trips(&hex!("01 01"), true);
    assert_eq!(decode_one(&hex!("01 80")), Ok(true.into()));
}

/// AMF0-2, AMF0-7
#[test]
fn string() {
    round_trips(&hex!("02 0000"), "");
    round_trips(&hex!("02 0004 6C C3A9 76"), "l\u{e9}v");
}

/// AMF0-8
#[test]
fn long_string_is_written_when_needed() {
    let longest_short = "x".repeat(0xFFFF);
    assert_eq!(encoded(&longest_short.into())[..3], hex!("02 FFFF"));
    let long = Value::from("x".repeat(0x1_0000));
    let wire = encoded(&long);
    assert_eq!(wire[..5], hex!("0C 00010000"));
    assert_eq!(decode_one(&wire), Ok(long));
}

/// AMF0-9
#[test]
fn long_string_may_be_short_and_anywhere() {
    assert_eq!(decode_one(&hex!("0C 00000001 61")), Ok("a".into()));
    assert_eq!(
        decode_one(&hex!("03 0001 6B 0C 00000001 61 0000 09")),
        Ok(Object::new().with("k", "a").into())
    );
}

/// AMF0-41
#[test]
fn invalid_utf8_is_replaced_everywhere() {
    let latin1 = Object::new().with("caf\u{fffd}", "\u{fffd}t\u{fffd}");
    assert_eq!(
        decode_one(&hex!("10 0001 FF 0004 636166E9 02 0003 E974E9 0000 09")),
        Ok(typed("\u{fffd}", latin1))
    );
    assert_eq!(
        decode_one(&hex!("0F 00000002 61FF")),
        Ok(Value::XmlDocument("a\u{fffd}".into()))
    );
}

#[test]
fn name_that_outgrows_its_length_field_is_refused() {
    let mut wire = hex!("03 5556").to_vec();
    wire.extend([0xFF; 0x5556]);
    wire.extend(hex!("05 0000 09"));
    let length = 3 * 0x5556;
    let error = AmfError::NameTooLong { length, offset: 1 };
    assert_eq!(decode_one(&wire), Err(error));
}

/// AMF0-10, AMF0-40
#[test]
fn object() {
    round_trips(&hex!("03 0000 09"), Object::new());
    round_trips(
        &hex!("03 0001 62 05 0001 61 01 01 0000 09"),
        Object::new().with("b", Value::Null).with("a", true),
    );
}

/// AMF0-40
#[test]
fn duplicates_are_kept() {
    let wire = hex!("03 0001 61 01 00 0001 61 01 01 0000 09");
    let value = decode_one(&wire).unwrap();
    let object = value.as_object().unwrap();
    assert_eq!(object.len(), 2);
    assert_eq!(object.get("a"), Some(&true.into()));
    assert_eq!(encoded(&value), wire);
}

#[test]
fn empty_name_is_a_name_unless_the_end_follows() {
    round_trips(&hex!("03 0000 01 01 0000 09"), Object::new().with("", true));
}

/// Cameras that leave off the end marker; also an end marker cut short.
#[test]
fn end_of_message_ends_open_objects() {
    let object = Object::new().with("a", true);
    for end in [&hex!("")[..], &hex!("00"), &hex!("0000")] {
        let wire = [&hex!("03 0001 61 01 01"), end].concat();
        assert_eq!(decode_one(&wire), Ok(object.clone().into()));
        let wire = [&hex!("08 00000000 0001 61 01 01"), end].concat();
        assert_eq!(decode_one(&wire), Ok(Value::EcmaArray(object.clone())));
    }
    assert_eq!(
        decode_one(&hex!("03 0001 6F 03 0001 61 01 01")),
        Ok(Object::new().with("o", object).into())
    );
    let missing_element = decode_one(&hex!("0A 00000002 03 0001 61 01 01"));
    assert_eq!(missing_element, Err(AmfError::UnexpectedEnd { offset: 11 }));
}

/// AMF0-23
#[test]
fn object_end_elsewhere_is_an_error() {
    let at = |offset| Err(AmfError::UnexpectedObjectEnd { offset });
    assert_eq!(decode_one(&hex!("09")), at(0));
    assert_eq!(decode_one(&hex!("03 0001 61 09")), at(4));
    assert_eq!(decode_one(&hex!("0A 00000001 09")), at(5));
}

/// AMF0-12, AMF0-30, AMF0-37
#[test]
fn other_markers_are_errors_with_their_offset() {
    for marker in [0x04, 0x0E] {
        let wire = [0x0A, 0, 0, 0, 2, 0x05, marker];
        let error = AmfError::ReservedMarker { marker, offset: 6 };
        assert_eq!(decode_one(&wire), Err(error));
    }
    for marker in 0x12..=0xFF {
        let wire = [0x0A, 0, 0, 0, 2, 0x05, marker];
        let error = AmfError::UnknownMarker { marker, offset: 6 };
        assert_eq!(decode_one(&wire), Err(error));
    }
}

/// AMF0-13, AMF0-14, AMF0-29
#[test]
fn values_without_data() {
    round_trips(&hex!("05"), Value::Null);
    round_trips(&hex!("06"), Value::Undefined);
    round_trips(&hex!("0D"), Value::Unsupported);
}

/// AMF0-21, AMF0-22
#[test]
fn ecma_array_ends_at_its_end_marker() {
    let array = Value::EcmaArray(Object::new().with("0", 1.0).with("k", "v"));
    round_trips(
        &hex!("08 00000002 0001 30 00 3FF0000000000000 0001 6B 02 0001 76 0000 09"),
        array.clone(),
    );
    for count in [0, 1, 20, u32::MAX] {
        let mut wire = encoded(&array);
        wire[1..5].copy_from_slice(&count.to_be_bytes());
        assert_eq!(decode_one(&wire).as_ref(), Ok(&array));
    }
}

/// AMF0-24, AMF0-25
#[test]
fn strict_array() {
    round_trips(
        &hex!("0A 00000003 01 01 06 02 0001 61"),
        Value::StrictArray(vec![true.into(), Value::Undefined, "a".into()]),
    );
    round_trips(&hex!("0A 00000000"), Value::StrictArray(vec![]));
}

/// AMF0-26, AMF0-27, AMF0-28
#[test]
fn date() {
    round_trips(
        &hex!("0B 3FF0000000000000 FFC4"),
        Date {
            unix_millis: 1.0,
            time_zone: -60,
        },
    );
}

/// AMF0-31
#[test]
fn xml_document() {
    round_trips(
        &hex!("0F 00000004 3C612F3E"),
        Value::XmlDocument("<a/>".into()),
    );
}

/// AMF0-32, AMF0-33
#[test]
fn typed_object() {
    round_trips(
        &hex!("10 0001 43 0001 61 01 01 0000 09"),
        typed("C", Object::new().with("a", true)),
    );
}

/// AMF0-15, AMF0-16: the four containers count in the order they begin, other values do not.
#[test]
fn references_count_containers() {
    let containers = [
        hex!("03 0001 61 05 0000 09").to_vec(),
        hex!("0B 0000000000000000 0000").to_vec(),
        hex!("0F 00000000").to_vec(),
        hex!("08 00000000 0000 09").to_vec(),
        hex!("0A 00000001 05").to_vec(),
        hex!("10 0001 43 0000 09").to_vec(),
    ]
    .concat();
    let met = decode(&containers, &LIMITS).unwrap();
    for (index, referred) in [(0, &met[0]), (1, &met[3]), (2, &met[4]), (3, &met[5])] {
        let wire = [&containers[..], &[0x07, 0, index]].concat();
        assert_eq!(decode(&wire, &LIMITS).unwrap().last(), Some(referred));
    }
    let wire = [&containers[..], &hex!("07 0004")].concat();
    let error = AmfError::ReferenceOutOfRange {
        index: 4,
        offset: containers.len(),
    };
    assert_eq!(decode(&wire, &LIMITS), Err(error));
}

/// AMF0-18: the outer container has index 0, the inner one 1; a copy gets no index.
#[test]
fn indexes_are_given_at_the_beginning_and_not_to_copies() {
    let wire = hex!(
        "03 0001 69 03 0001 78 01 01 0000 09 0000 09" // {i: {x: true}}: 0 and 1
        "07 0000"                                     // a copy of both
        "03 0001 79 01 00 0000 09"                    // {y: false}: 2
        "0A 00000002 07 0001 07 0002"
    );
    let inner = Value::from(Object::new().with("x", true));
    let outer = Value::from(Object::new().with("i", inner.clone()));
    let last = Value::from(Object::new().with("y", false));
    let both = Value::StrictArray(vec![inner, last.clone()]);
    assert_eq!(
        decode(&wire, &LIMITS),
        Ok(vec![outer.clone(), outer, last, both])
    );
}

/// References within what a reference means.
#[test]
fn references_nest() {
    let wire = hex!(
        "0A 00000001 05"                // 0: [null]
        "0A 00000002 07 0000 07 0000"   // 1
        "0A 00000002 07 0001 07 0000"   // 2
        "07 0002"
    );
    let array = Value::StrictArray;
    let zero = array(vec![Value::Null]);
    let one = array(vec![zero.clone(), zero.clone()]);
    let two = array(vec![one.clone(), zero.clone()]);
    assert_eq!(
        decode(&wire, &LIMITS),
        Ok(vec![zero, one, two.clone(), two])
    );
}

/// AMF0-19
#[test]
fn cycles_and_forward_references_are_errors() {
    let cyclic = |index, offset| Err(AmfError::CyclicReference { index, offset });
    assert_eq!(
        decode_one(&hex!("03 0001 61 07 0000 0000 09")),
        cyclic(0, 4)
    );
    assert_eq!(
        decode_one(&hex!("0A 00000001 0A 00000001 07 0000")),
        cyclic(0, 10)
    );
    assert_eq!(
        decode_one(&hex!("0A 00000002 07 0001 03 0000 09")),
        Err(AmfError::ReferenceOutOfRange {
            index: 1,
            offset: 5
        })
    );
}

/// AMF0-20
#[test]
fn indexes_do_not_outlive_the_decoder() {
    assert!(decode(&hex!("0A 00000000 07 0000"), &LIMITS).is_ok());
    assert_eq!(
        decode(&hex!("07 0000"), &LIMITS),
        Err(AmfError::ReferenceOutOfRange {
            index: 0,
            offset: 0
        })
    );
}

/// Each array holds the one before it ten times: 10^30 values if it were expanded.
#[test]
fn billion_laughs_end_at_the_limits() {
    let mut wire = hex!("0A 00000001 02 0003 6C6F6C").to_vec();
    for index in 0..30 {
        wire.extend(hex!("0A 0000000A"));
        wire.extend([0x07, 0, index].repeat(10));
    }
    let nodes = AmfLimits::DATA.with_nodes(5000);
    let Err(AmfError::TooManyValues { limit: 5000, .. }) = decode(&wire, &nodes) else {
        panic!("too many values");
    };
    let strings = AmfLimits::DATA.with_string_bytes(5000);
    let Err(AmfError::StringsTooLong { limit: 5000, .. }) = decode(&wire, &strings) else {
        panic!("too many bytes in strings");
    };
    let depth = AmfLimits::DATA.with_nodes(usize::MAX).with_depth(4);
    let Err(AmfError::TooDeep { limit: 4, .. }) = decode(&wire, &depth) else {
        panic!("too deep");
    };
}

/// AMF0-39
#[test]
fn depth_is_bounded() {
    let level = hex!("0A 00000001");
    let nested = |depth: usize| [level.repeat(depth), vec![NULL]].concat();
    assert!(decode_one(&nested(32)).is_ok());
    let error = AmfError::TooDeep {
        limit: 32,
        offset: 32 * level.len(),
    };
    assert_eq!(decode_one(&nested(33)), Err(error));

    let unbounded = LIMITS.with_depth(usize::MAX).with_nodes(usize::MAX);
    let error = AmfError::TooDeep {
        limit: 128,
        offset: 128 * level.len(),
    };
    assert_eq!(decode(&nested(100_000), &unbounded), Err(error.clone()));
    let objects = hex!("03 0000").repeat(100_000);
    assert!(matches!(
        decode(&objects, &unbounded),
        Err(AmfError::TooDeep { limit: 128, .. })
    ));
    assert!(decode(&nested(128), &unbounded).is_ok());
}

#[test]
fn values_and_string_bytes_are_bounded() {
    let wire = hex!("03 0001 6B 02 0002 6161 0000 09 05");
    let exact = LIMITS.with_nodes(3).with_string_bytes(3);
    assert!(decode(&wire, &exact).is_ok());
    assert_eq!(
        decode(&wire, &exact.with_nodes(2)),
        Err(AmfError::TooManyValues {
            limit: 2,
            offset: 12
        })
    );
    assert_eq!(
        decode(&wire, &exact.with_string_bytes(2)),
        Err(AmfError::StringsTooLong {
            limit: 2,
            offset: 4
        })
    );
    // What replaces invalid UTF-8 is paid for.
    assert_eq!(
        decode(&hex!("02 0001 FF"), &LIMITS.with_string_bytes(2)),
        Err(AmfError::StringsTooLong {
            limit: 2,
            offset: 0
        })
    );
}

/// AMF0-38: lengths that are negative or overflow when taken for signed.
#[test]
fn huge_lengths_and_counts_are_cut_short() {
    for length in [0x7FFF_FFFF, 0x8000_0000, 0xFFFF_FFFB_u32, 0xFFFF_FFFF] {
        for marker in [LONG_STRING, XML_DOCUMENT] {
            let wire = [&[marker][..], &length.to_be_bytes(), b"abc"].concat();
            let error = AmfError::UnexpectedEnd { offset: 1 };
            assert_eq!(decode_one(&wire), Err(error));
        }
        let wire = [&[STRICT_ARRAY][..], &length.to_be_bytes(), &[NULL; 3]].concat();
        let error = AmfError::UnexpectedEnd { offset: 5 };
        assert_eq!(decode_one(&wire), Err(error));
    }
    let wire = [&hex!("0A 00010000")[..], &[NULL; 0x1_0000]].concat();
    let error = AmfError::TooManyValues {
        limit: 4096,
        offset: 0,
    };
    assert_eq!(decode_one(&wire), Err(error));
}

/// A count is believed as far as the input goes.
#[test]
fn room_is_made_for_what_the_input_can_hold() {
    let value = decode_one(&[&hex!("08 FFFFFFFF 0001 61 05")[..], &END_OF_PROPERTIES].concat());
    let Ok(Value::EcmaArray(object)) = value else {
        panic!("{value:?}");
    };
    assert!(object.properties.capacity() < 16);
}

/// Only where properties could end is a cut not an error.
#[test]
fn truncation_at_every_byte() {
    // Each piece with whether properties of all open containers could end after it.
    let pieces: [(&[u8], bool); 13] = [
        (&hex!("03"), true),
        (&hex!("0001 6C 0A 00000002 00 3FF0000000000000"), false),
        (&hex!("03 0001 73 02 0002 7474 0000 09"), true), // the last element
        (&hex!("0001 6D 08 00000002"), true),
        (&hex!("0001 64 0B 3FF0000000000000 0000"), true),
        (&hex!("0001 62 01 01"), true),
        (&hex!("0000 09"), true),
        (&hex!("0001 78 0F 00000004 3C612F3E"), true),
        (&hex!("0001 74 10 0001 43"), true),
        (&hex!("0001 75 0C 00000001 61"), true),
        (&hex!("0000 09"), true),
        (&hex!("0001 6E 05"), true),
        (&hex!("0000 09"), false),
    ];
    let mut wire = Vec::new();
    let mut ends = Vec::new();
    for (piece, may_end) in pieces {
        wire.extend_from_slice(piece);
        if may_end {
            ends.push(wire.len());
        }
    }
    // Within the last element, whose own properties could end: before the first and after it.
    ends.extend([19, 27]);
    assert!(decode_one(&wire).is_ok());

    for len in 1..wire.len() {
        let is_end_cut_short = |end: &usize| {
            let Some(tail) = wire[..len].get(*end..) else {
                return false;
            };
            END_OF_PROPERTIES.starts_with(tail)
        };
        match decode_one(&wire[..len]) {
            Ok(_) => assert!(ends.iter().any(is_end_cut_short), "cut at {len}"),
            Err(AmfError::UnexpectedEnd { offset }) => {
                assert!(!ends.iter().any(is_end_cut_short), "cut at {len}");
                assert!(offset <= len);
            }
            Err(error) => panic!("cut at {len}: {error}"),
        }
    }
}

/// AMF0-42
#[test]
fn values_are_read_until_the_input_ends() {
    let wire = hex!("02 0001 61 05 FF");
    let mut decoder = Decoder::new(&wire, &LIMITS);
    assert_eq!(decoder.next_value(), Ok(Some("a".into())));
    assert_eq!(decoder.remaining(), hex!("05 FF"));
    assert_eq!(decoder.next_value(), Ok(Some(Value::Null)));
    assert!(decoder.next_value().is_err());
    assert_eq!(decoder.next_value(), Ok(None));
    assert_eq!(decode(b"", &LIMITS), Ok(vec![]));
}

#[test]
fn encode_all_concatenates() {
    let values = [Value::Null, true.into()];
    let mut out = vec![0xAA];
    encode_all(&values, &mut out);
    assert_eq!(out, hex!("AA 05 01 01"));
}

/// Bytes that often are markers and small lengths.
fn any_wire() -> impl Strategy<Value = Vec<u8>> {
    let piece = prop_oneof![
        any::<u8>().prop_map(|byte| vec![byte]),
        (0_u8..0x12).prop_map(|marker| vec![marker]),
        Just(END_OF_PROPERTIES.to_vec()),
        (0_u8..4).prop_map(|count| vec![STRICT_ARRAY, 0, 0, 0, count]),
        Just(vec![OBJECT, 0, 1, b'a']),
        Just(vec![STRING, 0, 1, 0xFF]),
        (0_u8..4).prop_map(|index| vec![REFERENCE, 0, index]),
        (0_u8..0x12).prop_map(|marker| vec![AVM_PLUS, marker]),
    ];
    collection::vec(piece, 0..64).prop_map(|pieces| pieces.concat())
}

proptest! {
    #[test]
    fn what_is_encoded_is_decoded(values in collection::vec(any_amf0_value(), 0..4)) {
        let mut wire = Vec::new();
        encode_all(&values, &mut wire);
        prop_assert_eq!(decode(&wire, &AmfLimits::DATA), Ok(values));
    }

    /// AMF0-34, AMF0-35: what AMF0 has no type for too.
    #[test]
    fn what_is_encoded_behind_avm_plus_is_decoded(
        values in collection::vec(any_amf3_value(), 0..4),
    ) {
        let mut wire = Vec::new();
        encode_all(&values, &mut wire);
        prop_assert_eq!(decode(&wire, &AmfLimits::DATA), Ok(values));
    }

    #[test]
    fn no_input_panics_or_passes_a_limit(wire in any_wire()) {
        let limits = LIMITS.with_depth(3).with_nodes(24).with_string_bytes(16);
        let mut decoder = Decoder::new(&wire, &limits);
        let mut cost = Cost::default();
        while let Ok(Some(value)) = decoder.next_value() {
            cost.add(&value, 0);
        }
        prop_assert!(cost.depth <= limits.depth);
        prop_assert!(cost.nodes <= limits.nodes);
        prop_assert!(cost.bytes <= limits.string_bytes);
        prop_assert!(cost.room <= cost.room_allowed(wire.len()), "{:?}", cost);
    }
}
