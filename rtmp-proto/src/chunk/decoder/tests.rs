use alloc::{vec, vec::Vec};

use bytes::BytesMut;
use hex_literal::hex;

use super::*;
use crate::chunk::assembly::{ALLOCATED_AHEAD, FIRST_ALLOCATION, Partial};

/// Timestamp, message type, message stream and payload.
type Seen = (u32, u8, u32, Vec<u8>);

fn seen(message: &RawMessage) -> Seen {
    (
        message.timestamp.as_millis(),
        message.message_type.0,
        message.stream.get(),
        message.payload().to_vec(),
    )
}

fn decoder(leniency: Leniency) -> ChunkDecoder {
    ChunkDecoder::new(&Limits::default(), leniency)
}

fn limited(change: impl FnOnce(&mut Limits)) -> ChunkDecoder {
    let mut limits = Limits::default();
    change(&mut limits);
    ChunkDecoder::new(&limits, Leniency::default())
}

fn rule(extended_timestamp: ExtendedTimestampRule) -> Leniency {
    Leniency {
        extended_timestamp,
        ..Leniency::default()
    }
}

/// Feeds `bytes` to `decoder` in pieces of `step`.
fn feed(decoder: &mut ChunkDecoder, bytes: &[u8], step: usize) -> Result<Vec<Seen>, ChunkError> {
    let mut messages = Vec::new();
    for mut piece in bytes.chunks(step) {
        while let Some(message) = decoder.decode(&mut piece)? {
            messages.push(seen(&message));
        }
        assert!(piece.is_empty(), "None means that all input was taken");
    }
    Ok(messages)
}

/// GEN-10: what `bytes` hold, whole and at every step from 1 to 5 alike.
fn decode(leniency: Leniency, bytes: &[u8]) -> Result<Vec<Seen>, ChunkError> {
    let whole = feed(&mut decoder(leniency), bytes, usize::MAX);
    for step in 1..=5 {
        assert_eq!(feed(&mut decoder(leniency), bytes, step), whole);
    }
    whole
}

fn timestamps(leniency: Leniency, bytes: &[u8]) -> Vec<u32> {
    let messages = decode(leniency, bytes).unwrap();
    messages.into_iter().map(|message| message.0).collect()
}

/// A type 0 chunk header on a chunk stream of the one-byte form: data on message stream 1.
fn type0(csid: u8, timestamp: u32, length: u32) -> Vec<u8> {
    let mut bytes = vec![csid];
    bytes.extend_from_slice(&timestamp.min(0xFF_FFFF).to_be_bytes()[1..]);
    bytes.extend_from_slice(&length.to_be_bytes()[1..]);
    bytes.extend_from_slice(&[18, 1, 0, 0, 0]);
    if timestamp >= 0xFF_FFFF {
        bytes.extend_from_slice(&timestamp.to_be_bytes());
    }
    bytes
}

fn type0_message(csid: u8, timestamp: u32, payload: &[u8]) -> Vec<u8> {
    let mut bytes = type0(csid, timestamp, u32::try_from(payload.len()).unwrap());
    bytes.extend_from_slice(payload);
    bytes
}

const EVERY_LENIENCY: [Leniency; 2] = [Leniency::ALL, Leniency::STRICT];

/// CH-12, CH-13, CH-16, CH-19, CH-21, CH-23, CH-26, CH-31.
#[test]
fn every_header_form() {
    let wire = hex!(
        "03 0003E8 000003 09 01020304 AABBCC"
        "43 000014 000002 08 AABB"
        "83 000005 AACC"
        "C3 AADD"
    );
    for leniency in EVERY_LENIENCY {
        assert_eq!(
            decode(leniency, &wire).unwrap(),
            [
                (1000, 9, 0x0403_0201, hex!("AABBCC").to_vec()),
                (1020, 8, 0x0403_0201, hex!("AABB").to_vec()),
                (1025, 8, 0x0403_0201, hex!("AACC").to_vec()),
                (1030, 8, 0x0403_0201, hex!("AADD").to_vec()),
            ]
        );
    }
}

/// CH-55.
#[test]
fn worked_example_1() {
    let payload = [0x5A; 32];
    let mut wire = Vec::new();
    for (header, len) in [
        (&hex!("03 0003E8 000020 08 39300000")[..], 44),
        (&hex!("83 000014"), 36),
        (&hex!("C3"), 33),
        (&hex!("C3"), 33),
    ] {
        assert_eq!(header.len() + payload.len(), len);
        wire.extend_from_slice(header);
        wire.extend_from_slice(&payload);
    }
    let expected = [1000, 1020, 1040, 1060].map(|at| (at, 8, 12345, payload.to_vec()));
    for leniency in EVERY_LENIENCY {
        assert_eq!(decode(leniency, &wire).unwrap(), expected);
    }
}

/// CH-24, CH-29, CH-35, CH-36, CH-49, CH-56.
#[test]
fn worked_example_2() {
    let payload: Vec<u8> = (0..307_u32).map(|i| (i % 251) as u8).collect();
    let wire = [
        &hex!("04 0003E8 000133 09 3A300000")[..],
        &payload[..128],
        &hex!("C4"),
        &payload[128..256],
        &hex!("C4"),
        &payload[256..],
    ]
    .concat();
    assert_eq!(wire.len(), 140 + 129 + 52);
    assert_eq!(
        decode(Leniency::STRICT, &wire),
        Ok(vec![(1000, 9, 12346, payload)])
    );
}

/// CH-27: the delta is the type 0 timestamp, again and again; CH-28.
#[test]
fn type3_message_after_type0() {
    let wire = [type0_message(4, 26, &[1]), hex!("C4 02 C4 03").to_vec()].concat();
    for leniency in EVERY_LENIENCY {
        assert_eq!(timestamps(leniency, &wire), [26, 52, 78]);
    }
}

/// The exception to CH-27 begins right above 10 s, and only where it is wanted.
#[test]
fn type3_message_after_late_type0_means_same_time() {
    let wire = |at| [type0_message(4, at, &[1]), hex!("C4 02 C4 03").to_vec()].concat();
    let lenient = Leniency::default();
    assert_eq!(timestamps(lenient, &wire(10_000)), [10_000, 20_000, 30_000]);
    assert_eq!(timestamps(lenient, &wire(10_001)), [10_001; 3]);
    assert_eq!(
        timestamps(Leniency::STRICT, &wire(10_001)),
        [10_001, 20_002, 30_003]
    );
}

/// CH-26: a delta of types 1 and 2 is repeated however long it is.
#[test]
fn type3_message_after_type1_and_type2() {
    let wire = [
        type0_message(4, 20_000, &[1]),
        hex!("44 004E20 000001 12 02  C4 03").to_vec(),
        hex!("84 000001 04  C4 05").to_vec(),
    ]
    .concat();
    for leniency in EVERY_LENIENCY {
        assert_eq!(
            timestamps(leniency, &wire),
            [20_000, 40_000, 60_000, 60_001, 60_002]
        );
    }
}

/// CH-52.
#[test]
fn compressed_header_on_a_fresh_chunk_stream() {
    // librtmp's ping: type 1 as the first chunk of chunk stream 2.
    let ping = hex!("42 000007 000006 04 0003 00000001");
    assert_eq!(
        decode(Leniency::default(), &ping),
        Ok(vec![(7, 4, 0, hex!("0003 00000001").to_vec())])
    );
    assert_eq!(
        decode(Leniency::default(), &hex!("A1 000007")),
        Ok(vec![(7, 0, 0, vec![])])
    );
    let refused = |csid| Err(ChunkError::NoPrecedingHeader { csid });
    assert_eq!(decode(Leniency::STRICT, &ping), refused(2));
    assert_eq!(decode(Leniency::STRICT, &hex!("A1 000007")), refused(33));
    for leniency in EVERY_LENIENCY {
        assert_eq!(decode(leniency, &hex!("C3")), refused(3));
        assert_eq!(decode(leniency, &hex!("C0 00")), refused(64));
    }
}

/// CH-30: a zero-length message leaves its header in force, also on a fresh chunk stream.
#[test]
fn type3_after_a_fresh_compressed_header() {
    assert_eq!(
        decode(Leniency::default(), &hex!("83 000007 C3")),
        Ok(vec![(7, 0, 0, vec![]), (14, 0, 0, vec![])])
    );
}

/// CH-17, CH-43, CH-44, CH-48.
#[test]
fn absolute_timestamps_at_the_edges() {
    for at in [0xFF_FFFE, 0xFF_FFFF, 0x100_0000, 0x8000_0000, u32::MAX] {
        for leniency in EVERY_LENIENCY {
            let wire = type0_message(3, at, &[7]);
            assert_eq!(timestamps(leniency, &wire), [at]);
        }
    }
}

/// CH-32, CH-34, CH-43: deltas add up modulo 2^32.
#[test]
fn deltas_at_the_edges() {
    for delta in [0xFF_FFFE_u32, 0xFF_FFFF, 0x100_0000, 0x8000_0000, u32::MAX] {
        for fmt in [0x40_u8, 0x80] {
            let mut wire = type0_message(3, 1000, &[7]);
            wire.push(fmt | 3);
            wire.extend_from_slice(&delta.min(0xFF_FFFF).to_be_bytes()[1..]);
            if fmt == 0x40 {
                wire.extend_from_slice(&hex!("000001 12"));
            }
            let extension = match delta {
                0xFF_FFFF.. => &delta.to_be_bytes()[..],
                _ => &[],
            };
            // A type 3 message repeats the delta with its extension.
            wire.extend_from_slice(extension);
            wire.extend_from_slice(&hex!("08 C3"));
            wire.extend_from_slice(extension);
            wire.push(9);
            let second = 1000_u32.wrapping_add(delta);
            for leniency in EVERY_LENIENCY {
                assert_eq!(
                    timestamps(leniency, &wire),
                    [1000, second, second.wrapping_add(delta)]
                );
            }
        }
    }
}

/// GStreamer's rtmp2sink steps back by a wrapped delta; GEN-7: the clock wraps forwards too.
#[test]
fn steps_across_the_wrap() {
    let wire = [
        type0_message(3, 5, &[7]),
        hex!("83 FFFFFF FFFFFFF6 07  83 00000F 07").to_vec(),
    ]
    .concat();
    for leniency in EVERY_LENIENCY {
        assert_eq!(timestamps(leniency, &wire), [5, u32::MAX - 4, 10]);
    }
}

/// A type 0 message of `payload` after an extended timestamp of 0x01020304, at chunk size 128,
/// with `extension` in its type 3 chunks, and a message after it.
fn extended_message(payload: &[u8], extension: &[u8]) -> (Vec<u8>, Vec<Seen>) {
    let mut wire = type0(3, 0x0102_0304, u32::try_from(payload.len()).unwrap());
    for (index, chunk) in payload.chunks(128).enumerate() {
        if index > 0 {
            wire.push(0xC3);
            wire.extend_from_slice(extension);
        }
        wire.extend_from_slice(chunk);
    }
    wire.extend(type0_message(5, 9, &[1]));
    let expected = vec![(0x0102_0304, 18, 1, payload.to_vec()), (9, 18, 1, vec![1])];
    (wire, expected)
}

fn payloads() -> impl Iterator<Item = Vec<u8>> {
    [129, 130, 131, 132, 133, 256, 257, 300]
        .into_iter()
        .map(|len| (0..len).map(|i: u32| (i % 200) as u8 + 20).collect())
}

/// CH-45, CH-46.
#[test]
fn extension_repeated_on_type3() {
    for payload in payloads() {
        let (wire, expected) = extended_message(&payload, &hex!("01020304"));
        for leniency in EVERY_LENIENCY {
            assert_eq!(decode(leniency, &wire).unwrap(), expected);
        }
    }
}

/// CH-47: OBS before 30.1, krtmp and go-rtmp leave the extension out.
#[test]
fn extension_left_out_of_type3() {
    for payload in payloads() {
        let (wire, expected) = extended_message(&payload, &[]);
        for rule in [ExtendedTimestampRule::Detect, ExtendedTimestampRule::Never].map(rule) {
            assert_eq!(decode(rule, &wire).unwrap(), expected);
        }
    }
}

/// Where it is known to be left out, what looks like it is payload.
#[test]
fn payload_that_equals_the_extension() {
    let payload = [&[7; 128][..], &hex!("01020304"), &[7; 130]].concat();
    let (wire, expected) = extended_message(&payload, &[]);
    let leniency = rule(ExtendedTimestampRule::Never);
    assert_eq!(decode(leniency, &wire).unwrap(), expected);
}

/// gortmplib writes zeros in place of the value.
#[test]
fn extension_of_zeros_on_type3() {
    for payload in payloads() {
        let (wire, expected) = extended_message(&payload, &[0; 4]);
        for rule in [ExtendedTimestampRule::Detect, ExtendedTimestampRule::Always].map(rule) {
            assert_eq!(decode(rule, &wire).unwrap(), expected);
        }
    }
}

/// Payload that shares its first bytes with the value in force is told from it by the rest, also
/// if that rest is already the next chunk.
#[test]
fn payload_that_begins_like_the_extension() {
    for tail in [
        &hex!("01")[..],
        &hex!("0102"),
        &hex!("010203"),
        &hex!("01020305"),
        &hex!("01020399AA"),
    ] {
        let payload = [&[7; 128], tail].concat();
        let (wire, expected) = extended_message(&payload, &[]);
        assert_eq!(decode(Leniency::default(), &wire).unwrap(), expected);
    }
}

/// A peer that was seen to leave the extension out does not write zeros for it.
#[test]
fn zeros_are_payload_once_the_extension_was_left_out() {
    let payload = [&[7; 256][..], &[0; 128], &[9]].concat();
    let (wire, expected) = extended_message(&payload, &[]);
    assert_eq!(decode(Leniency::default(), &wire).unwrap(), expected);
}

/// OBS begins a message of an extended delta with a bare type 3 header and repeats the extension
/// on the chunks after it.
#[test]
fn extension_left_out_of_the_first_chunk_only() {
    let wire = [
        type0(3, 5, 129),
        vec![7; 128],
        hex!("C3 07 83 FFFFFF 01020304").to_vec(),
        vec![8; 128],
        hex!("C3 01020304 08  C3").to_vec(),
        vec![9; 128],
        hex!("C3 01020304 09").to_vec(),
    ]
    .concat();
    assert_eq!(
        decode(Leniency::default(), &wire),
        Ok(vec![
            (5, 18, 1, vec![7; 129]),
            (0x0102_0309, 18, 1, vec![8; 129]),
            (0x0204_060D, 18, 1, vec![9; 129]),
        ])
    );
}

/// What was taken ahead to tell payload from an extension may hold a whole message.
#[test]
fn message_within_bytes_taken_ahead() {
    let mut decoder = decoder(Leniency::default());
    let setup = [
        type0(3, 0x01C4_C4C4, 129),
        vec![7; 128],
        type0_message(4, 0, &[]),
    ]
    .concat();
    assert_eq!(feed(&mut decoder, &setup, 64).unwrap().len(), 1);
    // The last payload byte, then two messages that are nothing but a type 3 header.
    assert_eq!(feed(&mut decoder, &hex!("C3 01 C4 C4"), 4), Ok(vec![]));
    let mut input = &hex!("04")[..];
    let message = decoder.decode(&mut input).unwrap().unwrap();
    assert_eq!(message.payload().len(), 129);
    assert!(input.is_empty());
    for _ in 0..2 {
        let message = decoder.decode(&mut input).unwrap().unwrap();
        assert!(message.payload().is_empty());
    }
    assert_eq!(decoder.decode(&mut input), Ok(None));
}

/// CH-44: the extension in force goes with the next header that has none.
#[test]
fn extension_ends_with_the_next_short_header() {
    let wire = [
        type0_message(3, 0x0102_0304, &[7]),
        hex!("83 000001 08 C3 09").to_vec(),
    ]
    .concat();
    for leniency in EVERY_LENIENCY {
        assert_eq!(
            timestamps(leniency, &wire),
            [0x0102_0304, 0x0102_0305, 0x0102_0306]
        );
    }
}

/// CH-37.
#[test]
fn zero_length_messages() {
    let wire = hex!(
        "03 000005 000000 08 01000000"
        "83 000001"
        "C3"
        "43 000002 000000 09"
        "C3"
        "43 000001 000001 09 AA"
        "C3 BB"
    );
    for leniency in EVERY_LENIENCY {
        assert_eq!(
            decode(leniency, &wire).unwrap(),
            [
                (5, 8, 1, vec![]),
                (6, 8, 1, vec![]),
                (7, 8, 1, vec![]),
                (9, 9, 1, vec![]),
                (11, 9, 1, vec![]),
                (12, 9, 1, vec![0xAA]),
                (13, 9, 1, vec![0xBB]),
            ]
        );
    }
}

/// CH-2, CH-6, CH-7, CH-9, CH-41: chunk streams 3, 70 and 1000, each cut in two, the middle one
/// in its two-byte form and then in its three-byte form.
#[test]
fn interleaved_chunk_streams() {
    let part = |byte| vec![byte; 128];
    let wire = [
        hex!("03 000001 000081 08 01000000").to_vec(),
        part(1),
        hex!("00 06 000002 000081 09 01000000").to_vec(),
        part(2),
        hex!("01 A8 03 000003 000081 12 01000000").to_vec(),
        part(3),
        hex!("C1 A8 03 33  C1 06 00 22  C3 11").to_vec(),
    ]
    .concat();
    let message = |at, kind, fill, last| (at, kind, 1, [part(fill), vec![last]].concat());
    for leniency in EVERY_LENIENCY {
        assert_eq!(
            decode(leniency, &wire).unwrap(),
            [
                message(3, 18, 3, 0x33),
                message(2, 9, 2, 0x22),
                message(1, 8, 1, 0x11),
            ]
        );
    }
}

/// CH-39: message streams and types change on one chunk stream.
#[test]
fn message_streams_share_a_chunk_stream() {
    let wire = hex!(
        "03 000001 000001 08 01000000 AA"
        "03 000002 000001 09 02000000 BB"
        "83 000001 CC"
    );
    let messages = decode(Leniency::STRICT, &wire).unwrap();
    let heads: Vec<_> = messages.iter().map(|m| (m.0, m.1, m.2)).collect();
    assert_eq!(heads, [(1, 8, 1), (2, 9, 2), (3, 9, 2)]);
}

/// CH-50: a new size holds from the next chunk on, in the middle of messages too.
#[test]
fn chunk_size_changes_between_any_two_chunks() {
    for (first, second) in [(128, 1), (2, 128), (1, 3), (5, 0xFF_FFFF)] {
        for step in [1, 7, usize::MAX] {
            let mut decoder = decoder(Leniency::default());
            decoder.set_chunk_size(ChunkSize::new(first).unwrap());
            let payload: Vec<u8> = (0..200).collect();
            let (begin, rest) = payload.split_at(first as usize);
            let wire = [type0(3, 5, 200), begin.to_vec()].concat();
            assert_eq!(feed(&mut decoder, &wire, step), Ok(vec![]));
            decoder.set_chunk_size(ChunkSize::new(second).unwrap());
            assert_eq!(decoder.chunk_size().get(), second);
            let mut wire = Vec::new();
            for chunk in rest.chunks(second as usize) {
                wire.push(0xC3);
                wire.extend_from_slice(chunk);
            }
            let expected = (5, 18, 1, payload.clone());
            assert_eq!(feed(&mut decoder, &wire, step), Ok(vec![expected]));
        }
    }
}

/// CH-50: the chunk being read keeps the size it began with.
#[test]
fn chunk_size_changes_inside_a_chunk() {
    let mut decoder = decoder(Leniency::default());
    let wire = [type0(3, 5, 129), vec![7; 100]].concat();
    assert_eq!(feed(&mut decoder, &wire, 50), Ok(vec![]));
    decoder.set_chunk_size(ChunkSize::new(1).unwrap());
    let wire = [&[7; 28][..], &hex!("C3 07")].concat();
    let expected = (5, 18, 1, vec![7; 129]);
    assert_eq!(feed(&mut decoder, &wire, 50), Ok(vec![expected]));
}

/// CH-51, PC-14.
#[test]
fn abort_drops_the_unfinished_message() {
    let mut decoder = decoder(Leniency::default());
    let csid = ChunkStreamId::COMMAND;
    let wire = [type0(3, 5, 129), vec![7; 128]].concat();
    assert_eq!(feed(&mut decoder, &wire, 50), Ok(vec![]));
    decoder.abort(csid);
    assert_eq!(decoder.dropped_messages(), 1);
    assert_eq!(
        (decoder.incomplete.bytes, decoder.incomplete.messages),
        (0, 0)
    );
    let wire = [&hex!("C3")[..], &[8; 128], &hex!("C3 08")].concat();
    let expected = (10, 18, 1, vec![8; 129]);
    assert_eq!(feed(&mut decoder, &wire, 50), Ok(vec![expected]));
}

/// PC-14.
#[test]
fn abort_of_idle_and_unknown_chunk_streams_does_nothing() {
    let mut decoder = decoder(Leniency::default());
    let wire = [type0_message(3, 5, &[1]), type0(4, 6, 129), vec![7; 128]].concat();
    assert_eq!(feed(&mut decoder, &wire, 50).unwrap().len(), 1);
    for csid in [2, 3, 5, 63, 64, 65_599] {
        decoder.abort(ChunkStreamId::new(csid).unwrap());
    }
    assert_eq!(decoder.dropped_messages(), 0);
    let expected = (6, 18, 1, vec![7; 129]);
    assert_eq!(feed(&mut decoder, &hex!("C4 07"), 1), Ok(vec![expected]));
}

/// PC-14: the rest of the chunk being read still belongs to the aborted message.
#[test]
fn abort_inside_a_chunk() {
    let mut decoder = decoder(Leniency::default());
    let wire = [type0(3, 5, 129), vec![7; 100]].concat();
    assert_eq!(feed(&mut decoder, &wire, 50), Ok(vec![]));
    decoder.abort(ChunkStreamId::COMMAND);
    decoder.abort(ChunkStreamId::COMMAND);
    assert_eq!(decoder.dropped_messages(), 1);
    let wire = [vec![7; 28], type0_message(3, 6, &[1])].concat();
    assert_eq!(feed(&mut decoder, &wire, 5), Ok(vec![(6, 18, 1, vec![1])]));
    assert_eq!(
        (decoder.incomplete.bytes, decoder.incomplete.messages),
        (0, 0)
    );
}

/// CH-53.
#[test]
fn header_in_the_middle_of_a_message_drops_it() {
    let begun = [type0(3, 5, 129), vec![7; 128]].concat();
    let long = [&hex!("43 000001 000080 12")[..], &[8; 128]].concat();
    let same = [&hex!("83 000001")[..], &[8; 128], &hex!("C3 08")].concat();
    for (header, timestamp, payload) in [
        (type0_message(3, 9, &[8]), 9, vec![8]),
        (type0_message(3, 9, &[]), 9, vec![]),
        (hex!("43 000001 000000 12").to_vec(), 6, vec![]),
        (long, 6, vec![8; 128]),
        (same, 6, vec![8; 129]),
    ] {
        let wire = [&begun[..], &header, &type0_message(4, 1, &[])].concat();
        let mut decoder = decoder(Leniency::default());
        assert_eq!(
            feed(&mut decoder, &wire, usize::MAX),
            Ok(vec![(timestamp, 18, 1, payload), (1, 18, 1, vec![])])
        );
        assert_eq!(decoder.dropped_messages(), 1);
        assert_eq!(
            (decoder.incomplete.bytes, decoder.incomplete.messages),
            (0, 0)
        );
        assert_eq!(
            decode(Leniency::STRICT, &wire),
            Err(ChunkError::UnfinishedMessage { csid: 3 })
        );
    }
}

/// CH-54.
#[test]
fn message_length_limit() {
    let mut decoder = limited(|limits| limits.message_len = 3);
    let wire = type0_message(3, 0, &[7; 3]);
    assert_eq!(feed(&mut decoder, &wire, 4).unwrap().len(), 1);
    assert_eq!(
        feed(&mut decoder, &type0(3, 0, 4), 4),
        Err(ChunkError::MessageTooLong {
            length: 4,
            limit: 3
        })
    );
}

/// CH-54: completed and aborted messages give their share back.
#[test]
fn incomplete_bytes_limit() {
    let mut decoder = limited(|limits| limits.incomplete_bytes = 400);
    let begin = |csid| [type0(csid, 0, 200), vec![7; 128]].concat();
    for _ in 0..100 {
        assert_eq!(feed(&mut decoder, &begin(3), 64), Ok(vec![]));
        assert_eq!(feed(&mut decoder, &begin(4), 64), Ok(vec![]));
        decoder.abort(ChunkStreamId::new(3).unwrap());
        assert_eq!(feed(&mut decoder, &begin(4), 64), Ok(vec![]), "restarts");
        let end = [&hex!("C4")[..], &[7; 72]].concat();
        assert_eq!(feed(&mut decoder, &end, 64).unwrap().len(), 1);
    }
    assert_eq!(feed(&mut decoder, &begin(3), 64), Ok(vec![]));
    assert_eq!(feed(&mut decoder, &begin(4), 64), Ok(vec![]));
    assert_eq!(feed(&mut decoder, &type0(5, 0, 0), 64).unwrap().len(), 1);
    assert_eq!(
        feed(&mut decoder, &type0(5, 0, 1), 64),
        Err(ChunkError::TooManyIncompleteBytes {
            declared: 401,
            limit: 400
        })
    );
}

/// CH-54.
#[test]
fn incomplete_messages_limit() {
    let mut decoder = limited(|limits| limits.incomplete_messages = 2);
    let begin = |csid| [type0(csid, 0, 129), vec![7; 128]].concat();
    for _ in 0..100 {
        assert_eq!(feed(&mut decoder, &begin(3), 64), Ok(vec![]));
        assert_eq!(feed(&mut decoder, &begin(4), 64), Ok(vec![]));
        assert_eq!(feed(&mut decoder, &hex!("C3 07"), 64).unwrap().len(), 1);
        decoder.abort(ChunkStreamId::new(4).unwrap());
    }
    assert_eq!(feed(&mut decoder, &begin(3), 64), Ok(vec![]));
    assert_eq!(feed(&mut decoder, &begin(4), 64), Ok(vec![]));
    assert_eq!(
        feed(&mut decoder, &type0(5, 0, 1), 64),
        Err(ChunkError::TooManyIncompleteMessages { limit: 2 })
    );
}

/// CH-54: each message has a budget of its own.
#[test]
fn chunks_per_message_limit() {
    let mut decoder = limited(|limits| limits.chunks_per_message = 3);
    decoder.set_chunk_size(ChunkSize::new(1).unwrap());
    let begin = |length| [type0(3, 0, length), vec![7]].concat();
    for _ in 0..10 {
        let wire = [&begin(3)[..], &hex!("C3 07 C3 07")].concat();
        assert_eq!(feed(&mut decoder, &wire, 2).unwrap().len(), 1);
    }
    let wire = [&begin(4)[..], &hex!("C3 07 C3 07")].concat();
    assert_eq!(feed(&mut decoder, &wire, 2), Ok(vec![]));
    assert_eq!(
        feed(&mut decoder, &hex!("C3 07"), 2),
        Err(ChunkError::TooManyChunks { limit: 3 })
    );
}

/// No limit is so low that messages of one chunk pass it.
#[test]
fn one_chunk_is_always_enough() {
    for piece in [1, usize::MAX] {
        let mut decoder = limited(|limits| limits.chunks_per_message = 0);
        let wire = [type0_message(3, 0, &[7; 3]), type0(3, 0, 129)].concat();
        assert_eq!(feed(&mut decoder, &wire, piece).unwrap().len(), 1);
        let chunks = [&[7; 128][..], &hex!("C3")].concat();
        assert_eq!(
            feed(&mut decoder, &chunks, piece),
            Err(ChunkError::TooManyChunks { limit: 1 })
        );
    }
}

/// The default limits admit the longest message at the initial chunk size.
#[test]
fn longest_message_in_the_smallest_usual_chunks() {
    let mut decoder = decoder(Leniency::default());
    let chunk = [&hex!("C3")[..], &[7; 128]].concat();
    let wire = [type0(3, 0, 0xFF_FFFF), vec![7; 128]].concat();
    assert_eq!(feed(&mut decoder, &wire, usize::MAX), Ok(vec![]));
    for _ in 2..=(0xFF_FFFF_u32 / 128) {
        assert_eq!(decoder.decode(&mut &chunk[..]), Ok(None));
    }
    let last = decoder.decode(&mut &chunk[..]).unwrap().unwrap();
    assert_eq!(last.payload().len(), 0xFF_FFFF);
}

/// An error leaves what follows the header, in one piece as in many.
#[test]
fn errors_consume_the_header() {
    for piece in 1..20 {
        let mut decoder = limited(|limits| limits.message_len = 3);
        let wire = [type0_message(3, 0, &[7; 3]), type0(3, 0, 4)].concat();
        let mut rest = [&wire[..], &hex!("07 07")].concat();
        let mut outcome = Ok(None);
        while outcome.is_ok() {
            let mut input = &rest[..rest.len().min(piece)];
            let len = input.len();
            outcome = decoder.decode(&mut input);
            rest.drain(..len - input.len());
        }
        let expected = ChunkError::MessageTooLong {
            length: 4,
            limit: 3,
        };
        assert_eq!(outcome, Err(expected));
        assert_eq!(rest, hex!("07 07"), "pieces of {piece}");
    }
}

/// GEN-13: memory follows what arrives.
#[test]
fn allocation_does_not_follow_the_announced_length() {
    let mut decoder = decoder(Leniency::default());
    decoder.set_chunk_size(ChunkSize::MAX);
    let wire = [type0(3, 0, 0xFF_FFFF), vec![7]].concat();
    assert_eq!(feed(&mut decoder, &wire, usize::MAX), Ok(vec![]));
    assert_eq!(capacity(&decoder, 3), FIRST_ALLOCATION);
    let mut arrived = 1;
    while arrived < 4 << 20 {
        assert_eq!(feed(&mut decoder, &[7; 5000], 1000), Ok(vec![]));
        arrived += 5000;
        assert!(capacity(&decoder, 3) <= 2 * arrived.max(FIRST_ALLOCATION));
    }
}

/// What is allocated before it arrives is bounded over all messages begun.
#[test]
fn allocation_is_exact_while_little_is_announced() {
    let mut decoder = decoder(Leniency::default());
    decoder.set_chunk_size(ChunkSize::new(1).unwrap());
    let length = ALLOCATED_AHEAD / 4;
    for csid in 3..9 {
        let wire = [type0(csid, 0, length.try_into().unwrap()), vec![7]].concat();
        assert_eq!(feed(&mut decoder, &wire, usize::MAX), Ok(vec![]));
    }
    let capacities: Vec<_> = (3..9).map(|csid| capacity(&decoder, csid)).collect();
    assert_eq!(capacities[..4], [length; 4]);
    assert_eq!(capacities[4..], [FIRST_ALLOCATION; 2]);
}

/// Of the message begun on `csid`.
fn capacity(decoder: &ChunkDecoder, csid: u8) -> usize {
    let csid = ChunkStreamId::new(csid.into()).unwrap();
    let partial = decoder.streams.get(csid).unwrap().partial.as_ref();
    partial.unwrap().payload.capacity()
}

/// A message handed out has no spare capacity: the payload is where it was assembled.
#[test]
fn allocation_ends_at_the_message_length() {
    for (len, step) in [(1, 1), (300, 1), (20_000, 1400), (300_000, 1400)] {
        let mut partial = Partial::new(len);
        for piece in vec![7; len].chunks(step) {
            partial.extend(piece, 0, len);
        }
        assert_eq!(partial.missing(), 0);
        assert_eq!(partial.payload.capacity(), len);
    }
}

/// CH-10: all of them, twice.
#[test]
fn every_chunk_stream_id() {
    let mut decoder = limited(|limits| limits.chunk_streams = usize::MAX);
    for fmt in [0x00, 0xC0] {
        for id in 2..=ChunkStreamId::MAX.get() {
            let mut wire = match id {
                ..64 => vec![fmt | u8::try_from(id).unwrap()],
                64..320 => vec![fmt, u8::try_from(id - 64).unwrap()],
                _ => {
                    let [low, high, ..] = (id - 64).to_le_bytes();
                    vec![fmt | 1, low, high]
                }
            };
            if fmt == 0 {
                wire.extend_from_slice(&hex!("000001 000001 08 01000000"));
            }
            wire.push(0xAA);
            let message = decoder.decode(&mut &wire[..]).unwrap().unwrap();
            assert_eq!(message.timestamp.as_millis(), if fmt == 0 { 1 } else { 2 });
        }
    }
    assert_eq!(
        (decoder.incomplete.bytes, decoder.incomplete.messages),
        (0, 0)
    );
}

/// A payload is not copied if it makes up most of the memory it would keep.
#[test]
fn large_payloads_are_slices_of_the_input() {
    for (length, following, is_slice) in [
        (10_000, 0, true),
        (10_000, 9_900, true),
        (10_000, 10_000, false),
        (SLICE_LEN_MIN, 0, true),
        (SLICE_LEN_MIN - 1, 0, false),
    ] {
        let mut decoder = decoder(Leniency::default());
        decoder.set_chunk_size(ChunkSize::MAX);
        let mut wire = type0(6, 0, u32::try_from(length).unwrap());
        wire.resize(wire.len() + length, 7);
        wire.extend(type0(4, 0, 0xFF_FFFF));
        wire.resize(wire.len() + following, 8);
        let mut input = BytesMut::from(&wire[..]);
        let memory = input.as_ptr_range();
        let message = decoder.decode(&mut input).unwrap().unwrap();
        assert_eq!(message.payload(), &vec![7; length]);
        let payload = message.payload().as_ptr();
        assert_eq!(memory.contains(&payload), is_slice, "{length}, {following}");
        assert_eq!(decoder.decode(&mut input), Ok(None));
        assert!(decoder.is_mid_message());
    }
}

/// What was read before counts, since it is in the same memory.
#[test]
fn small_part_of_a_large_read_is_copied() {
    let mut decoder = decoder(Leniency::default());
    decoder.set_chunk_size(ChunkSize::MAX);
    let mut wire = Vec::new();
    for _ in 0..4 {
        wire.extend(type0(6, 0, 10_000));
        wire.resize(wire.len() + 10_000, 7);
    }
    let mut input = BytesMut::from(&wire[..]);
    let memory = input.as_ptr_range();
    for _ in 0..4 {
        let message = decoder.decode(&mut input).unwrap().unwrap();
        assert!(!memory.contains(&message.payload().as_ptr()));
    }
    assert!(input.is_empty());
}
