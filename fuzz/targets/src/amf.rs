//! AMF0 and AMF3.

use arbitrary::Unstructured;
use rtmp_proto::{
    AmfLimits,
    amf::{Value, amf0 as codec, amf3 as codec3},
    message::{Status, decode_data},
};

use crate::input::value;

/// What decodes can be encoded, and the result means the same and fits the same limits.
pub fn amf0(data: &[u8]) {
    let small = AmfLimits::COMMAND
        .with_depth(3)
        .with_nodes(20)
        .with_string_bytes(50);
    for limits in [AmfLimits::COMMAND, AmfLimits::DATA, small] {
        let mut decoder = codec::Decoder::new(data, &limits);
        while let Ok(Some(value)) = decoder.next_value() {
            let _ = Status::from_value(&value);
        }
        assert!(data.ends_with(decoder.remaining()));
        let Ok(values) = decode_data(data, &limits) else {
            continue;
        };
        let mut encoded = Vec::new();
        codec::encode_all(&values, &mut encoded);
        let again = codec::decode(&encoded, &limits).expect("what was decoded can be encoded");
        assert_same(&values, &again);
    }
}

/// The same for AMF3, with the references it makes.
pub fn amf3(data: &[u8]) {
    let small = AmfLimits::COMMAND
        .with_depth(3)
        .with_nodes(20)
        .with_string_bytes(50);
    for limits in [AmfLimits::COMMAND, AmfLimits::DATA, small] {
        let mut decoder = codec3::Decoder::new(data, &limits);
        while let Ok(Some(_)) = decoder.next_value() {}
        assert!(data.ends_with(decoder.remaining()));
        let Ok(values) = codec3::decode(data, &limits) else {
            continue;
        };
        let mut encoded = Vec::new();
        codec3::encode_all(&values, &mut encoded);
        let again = codec3::decode(&encoded, &limits).expect("what was decoded can be encoded");
        assert_same(&values, &again);
        let mut twice = Vec::new();
        codec3::encode_all(&again, &mut twice);
        assert_same_bytes(&encoded, &twice);
    }
}

/// Every value survives the way through bytes of either format.
pub fn amf_values(data: &[u8]) {
    let mut u = Unstructured::new(data);
    let mut values = Vec::new();
    while !u.is_empty() {
        let Ok(value) = value(&mut u, 6) else { break };
        values.push(value);
    }
    let mut encoded = Vec::new();
    codec::encode_all(&values, &mut encoded);
    let unlimited = AmfLimits::DATA
        .with_nodes(usize::MAX)
        .with_string_bytes(usize::MAX);
    let decoded = codec::decode(&encoded, &unlimited).expect("encoded values");
    assert_same(&values, &decoded);

    // AMF3 has fewer kinds of values, so not at once.
    let again = through_amf3(&values, &unlimited);
    assert_same(&again, &through_amf3(&again, &unlimited));
}

fn through_amf3(values: &[Value], limits: &AmfLimits) -> Vec<Value> {
    let mut encoded = Vec::new();
    codec3::encode_all(values, &mut encoded);
    codec3::decode(&encoded, limits).expect("encoded values")
}

/// By their encodings, since a NaN differs from itself.
fn assert_same(left: &[Value], right: &[Value]) {
    let encode = |values| {
        let mut bytes = Vec::new();
        codec::encode_all(values, &mut bytes);
        bytes
    };
    assert_same_bytes(&encode(left), &encode(right));
}

/// Says where they differ, and not what megabytes they are.
fn assert_same_bytes(left: &[u8], right: &[u8]) {
    let at = left
        .iter()
        .zip(right)
        .take_while(|(left, right)| left == right)
        .count();
    let around = |bytes: &[u8]| bytes[at.saturating_sub(16)..bytes.len().min(at + 16)].to_vec();
    assert!(
        left == right,
        "at {at}: {:02X?} and {:02X?}",
        around(left),
        around(right)
    );
}
