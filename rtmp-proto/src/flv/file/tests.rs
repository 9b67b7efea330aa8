use alloc::{vec, vec::Vec};

use bytes::Bytes;
use hex_literal::hex;
use proptest::prelude::*;

use super::{reader::FileReader, *};

const HEADER: [u8; 13] = hex!("464C56 01 05 00000009 00000000");
/// Video, five bytes, time 0x01020304.
const TAG: [u8; 20] = hex!("09 000005 020304 01 000000" "90 61763031" "00000010");

/// Everything a reader makes of `file` when it arrives in pieces of `step` bytes.
fn read(file: &[u8], step: usize) -> (Vec<Frame>, FileReader) {
    let mut reader = FileReader::new();
    let mut frames = Vec::new();
    for mut piece in file.chunks(step) {
        while let Some(frame) = reader.decode(&mut piece).expect("a valid file") {
            frames.push(frame);
        }
        assert!(piece.is_empty());
    }
    while let Ok(Some(frame)) = reader.finish() {
        frames.push(frame);
    }
    (frames, reader)
}

/// FLV-1 to FLV-4, FLV-8, FLV-13, FLV-16, FLV-17.
/// A live stream that is far along, with headers and metadata at time 0 all the same.
#[test]
fn media_starts_at_zero() {
    let at = Timestamp::from_millis;
    let header = |millis| Frame::video(at(millis), Bytes::from_static(&[0x17, 0, 0, 0, 0, 1]));
    let key = |millis| Frame::video(at(millis), Bytes::from_static(&[0x17, 1, 0, 0, 0, 1]));
    let metadata = || Frame::data(at(0), Bytes::from_static(b"\x02\x00\x0AonMetaData\x08"));
    let frames = [
        metadata(),
        header(0),
        key(5_000_000),
        key(5_000_040),
        header(0),
        metadata(),
        header(5_000_050),
        key(5_000_080),
    ];
    let times = |mut writer: FileWriter| {
        let mut file = FileWriter::header(true, true).to_vec();
        for frame in &frames {
            writer.encode(frame, &mut file).unwrap();
        }
        let (mut reader, mut input) = (FileReader::new(), &file[..]);
        let mut times = Vec::new();
        while let Some(frame) = reader.decode(&mut input).unwrap() {
            times.push(frame.timestamp.as_millis());
        }
        times
    };
    assert_eq!(times(FileWriter::new()), [0, 0, 0, 40, 40, 0, 50, 80]);
    let kept = frames.each_ref().map(|frame| frame.timestamp.as_millis());
    assert_eq!(times(FileWriter::keeping_timestamps()), kept);
}

#[test]
fn one_tag() {
    let (frames, mut reader) = read(&[&HEADER[..], &TAG].concat(), 100);
    let frame = Frame::video(
        Timestamp::from_millis(0x0102_0304),
        Bytes::from_static(&hex!("90 61763031")),
    );
    assert_eq!(frames, core::slice::from_ref(&frame));
    assert_eq!(reader.finish(), Ok(None));
    assert_eq!((reader.wrong_back_pointers(), reader.offset()), (0, 33));

    let mut file = FileWriter::header(true, true).to_vec();
    FileWriter::keeping_timestamps()
        .encode(&frame, &mut file)
        .expect("a short payload");
    assert_eq!(file, [&HEADER[..], &TAG].concat());
}

/// FLV-5, FLV-7, FLV-19: a longer header, no flags, a stream ID.
#[test]
fn header_is_not_relied_on() {
    let file = hex!(
        "464C56 01 00 0000000C AABBCC 00000000"
        "08 000001 000000 00 000007 2F 0000000C"
    );
    for step in [1, 100] {
        let (frames, reader) = read(&file, step);
        assert_eq!(frames.len(), 1);
        assert_eq!(reader.wrong_back_pointers(), 0);
    }
}

/// FLV-10.
#[test]
fn wrong_back_pointers_are_counted() {
    let mut file = [&HEADER[..], &TAG, &TAG].concat();
    file[12] = 1;
    file[32] = 0;
    let (frames, reader) = read(&file, 3);
    assert_eq!((frames.len(), reader.wrong_back_pointers()), (2, 2));
}

/// FLV-15, FLV-21.
#[test]
fn unknown_and_encrypted_tags_are_skipped_or_passed_through() {
    let mut file = [&HEADER[..], &TAG, &TAG, &TAG].concat();
    file[13] = 0x29;
    file[33] = 0x1F;
    let (frames, reader) = read(&file, 7);
    assert_eq!(frames.len(), 1);
    assert_eq!((reader.encrypted_tags(), reader.skipped_tags()), (1, 1));

    let (mut reader, mut input) = (FileReader::new(), &file[..]);
    let mut copy = HEADER.to_vec();
    let mut encrypted = Vec::new();
    while let Some(tag) = reader.decode_tag(&mut input).unwrap() {
        FileWriter::keeping_timestamps()
            .encode_tag(&tag, &mut copy)
            .unwrap();
        if let Tag::Opaque(tag) = tag {
            assert_eq!(
                (tag.payload().len(), tag.timestamp().as_millis()),
                (5, 0x0102_0304)
            );
            encrypted.push((tag.is_encrypted(), tag.message_type()));
        }
    }
    assert_eq!(copy, file);
    let unknown = MessageType(0x1F);
    assert_eq!(encrypted, [(true, MessageType::VIDEO), (false, unknown)]);
}

/// `count` audio tags of `len` bytes with their numbers as times and contents.
fn numbered(count: u8, len: usize) -> Vec<u8> {
    let mut file = HEADER.to_vec();
    for number in 0..count {
        let mut payload = vec![0x2F; len];
        payload[1] = number;
        let frame = Frame::audio(Timestamp::from_millis(number.into()), payload.into());
        FileWriter::keeping_timestamps()
            .encode(&frame, &mut file)
            .expect("a short payload");
    }
    file
}

/// The numbers of the tags that come out undamaged.
fn numbers(frames: &[Frame]) -> Vec<u32> {
    let whole = frames.iter().filter(|frame| {
        let number = frame.timestamp.as_millis();
        frame.payload.get(1).map(|&byte| u32::from(byte)) == Some(number)
    });
    whole.map(|frame| frame.timestamp.as_millis()).collect()
}

/// A length that is too great swallows nothing but its own tag: neither when the file goes on behind
/// it, nor when it ends within.
#[test]
fn damaged_length() {
    for (length, count) in [(60, 4), (100, 4), (0xFF_0000, 4), (1, 4)] {
        let mut file = numbered(5, 20);
        let second = 13 + 35;
        file[second + 1..second + 4].copy_from_slice(&u32::to_be_bytes(length)[1..]);
        for step in [1, 7, 1000] {
            let (frames, reader) = read(&file, step);
            assert_eq!(numbers(&frames), [0, 2, 3, 4], "{length}");
            assert_eq!(frames.len(), count);
            assert_eq!((reader.damaged_places(), reader.lost_bytes()), (1, 35));
        }
    }
}

/// The same when the file ends just behind what it swallows.
#[test]
fn damaged_length_at_the_end() {
    let second = 13 + 35;
    for end in 0..16 {
        let mut file = numbered(5, 20);
        let length = u32::try_from(file.len() - second - 11 - end).unwrap();
        file[second + 1..second + 4].copy_from_slice(&length.to_be_bytes()[1..]);
        for step in [1, 1000] {
            let (frames, reader) = read(&file, step);
            assert_eq!(numbers(&frames), [0, 2, 3, 4], "{end}");
            assert_eq!((reader.damaged_places(), reader.lost_bytes()), (1, 35));
        }
    }
}

/// The last tag counts, whatever is behind it.
#[test]
fn last_tag_with_a_wrong_back_pointer() {
    let mut file = numbered(2, 20);
    let len = file.len();
    file[len - 1] ^= 1;
    let (frames, mut reader) = read(&file, 100);
    assert_eq!(numbers(&frames), [0, 1]);
    assert_eq!(reader.finish(), Ok(None));
    file.push(8);
    let (frames, mut reader) = read(&file, 100);
    assert_eq!(numbers(&frames), [0, 1]);
    let truncated = FlvError::Truncated { offset: len as u64 };
    assert_eq!(reader.finish(), Err(truncated));
}

/// Bytes that are missing, and bytes that do not belong there.
#[test]
fn lost_and_inserted_bytes() {
    let file = numbered(5, 20);
    let third = 13 + 2 * 35;
    let mut short = file.clone();
    short.drain(third + 5..third + 25);
    let (frames, reader) = read(&short, 11);
    assert_eq!(numbers(&frames), [0, 1, 3, 4]);
    assert_eq!((reader.damaged_places(), reader.lost_bytes()), (1, 15));

    let mut long = file;
    long.splice(third..third, [0xEE; 1000]);
    let (frames, reader) = read(&long, 11);
    // Without a back-pointer before it the tag behind them is not recognised.
    assert_eq!(numbers(&frames), [0, 1, 3, 4]);
    assert_eq!(reader.damaged_places(), 1);
}

/// Tags each of which claims everything behind it cost no more than two looks.
#[test]
fn nested_claims_are_linear() {
    let mut file = HEADER.to_vec();
    while file.len() < 4 << 20 {
        file.extend(hex!("08 1FFFFF 000000 00 000000 000000FF"));
    }
    let (_, reader) = read(&file, 1 << 16);
    assert_eq!(reader.offset(), file.len() as u64);
    assert!(reader.damaged_places() < 10);
}

/// ERTMP-150: the selector byte goes.
#[test]
fn amf3_script_tag() {
    let file = [
        &HEADER[..],
        &hex!("0F 000002 000000 00 000000 00 05 0000000D"),
        &hex!("0F 000002 000000 00 000000 11 05 0000000D"),
    ];
    let (frames, reader) = read(&file.concat(), 100);
    assert_eq!(
        frames,
        [Frame::data(Timestamp::ZERO, Bytes::from_static(&[5]))]
    );
    assert_eq!(reader.skipped_tags(), 1);
}

/// FLV-82: whole tags, then the report.
#[test]
fn truncation_is_reported() {
    let file = [&HEADER[..], &TAG, &TAG].concat();
    for len in 0..file.len() {
        let (frames, mut reader) = read(&file[..len], 100);
        let (count, end) = match len {
            0..9 => (0, Err(0)),
            9..14 => (0, Ok(None)),
            14..29 => (0, Err(13)),
            29..34 => (1, Ok(None)),
            34..49 => (1, Err(33)),
            _ => (2, Ok(None)),
        };
        assert_eq!(frames.len(), count, "{len}");
        assert_eq!(
            reader.finish(),
            end.map_err(|offset| FlvError::Truncated { offset }),
            "{len}"
        );
    }
}

/// FLV-1, FLV-2, FLV-6.
#[test]
fn other_files_are_refused() {
    for (file, error) in [
        (hex!("464C57 01 05 00000009"), FlvError::Signature),
        (
            hex!("464C56 02 05 00000009"),
            FlvError::Version { version: 2 },
        ),
        (
            hex!("464C56 01 05 00000008"),
            FlvError::HeaderLength { length: 8 },
        ),
    ] {
        let mut reader = FileReader::new();
        assert_eq!(reader.decode(&mut &file[..]), Err(error.clone()));
        assert_eq!(reader.decode(&mut &HEADER[..]), Err(error.clone()));
        assert_eq!(reader.finish(), Err(error));
    }
}

/// A tag that announces 16 MiB costs no more than what arrives of it.
#[test]
fn memory_follows_the_input() {
    let mut reader = FileReader::new();
    let mut input = &[&HEADER[..], &hex!("09 FFFFFF 000000 00 000000"), &[0; 100]].concat()[..];
    assert_eq!(reader.decode(&mut input), Ok(None));
    assert!(reader.buffered_capacity() <= 200);
}

/// FLV-18: relative to the first tag, over the wrap, never before it.
#[test]
fn writer_moves_the_first_tag_to_zero() {
    let mut writer = FileWriter::new();
    let mut file = FileWriter::header(true, false).to_vec();
    for millis in [u32::MAX - 10, u32::MAX - 30, 9, 1 << 31] {
        let frame = Frame::audio(Timestamp::from_millis(millis), Bytes::from_static(&[0x2F]));
        writer.encode(&frame, &mut file).expect("a short payload");
    }
    let (frames, _) = read(&file, 100);
    let times: Vec<_> = frames
        .iter()
        .map(|frame| frame.timestamp.as_millis())
        .collect();
    assert_eq!(times, [0, 0, 20, (1 << 31) + 11]);
}

/// A length that does not fit is an error, not a shorter length.
#[test]
fn oversized_payload_is_refused() {
    let length = 1 << 24;
    let frame = Frame::audio(Timestamp::ZERO, vec![0; length].into());
    let mut out = Vec::new();
    assert_eq!(
        FileWriter::new().encode(&frame, &mut out),
        Err(FlvError::PayloadTooLarge { length })
    );
    assert!(out.is_empty());
}

fn any_frame() -> impl Strategy<Value = Frame> {
    (
        0..3,
        any::<u32>(),
        proptest::collection::vec(any::<u8>(), 0..200),
    )
        .prop_map(|(kind, millis, payload)| {
            let (timestamp, payload) = (Timestamp::from_millis(millis), payload.into());
            match kind {
                0 => Frame::audio(timestamp, payload),
                1 => Frame::video(timestamp, payload),
                _ => Frame::data(timestamp, payload),
            }
        })
}

proptest! {
    /// FLV-9, FLV-81.
    #[test]
    fn what_is_written_is_read_at_any_split(
        frames in proptest::collection::vec(any_frame(), 0..20),
        step in 1_usize..300,
    ) {
        let mut file = FileWriter::header(true, true).to_vec();
        let mut writer = FileWriter::keeping_timestamps();
        for frame in &frames {
            writer.encode(frame, &mut file).expect("a short payload");
        }
        let (decoded, mut reader) = read(&file, step);
        prop_assert_eq!(decoded, frames);
        prop_assert_eq!(reader.wrong_back_pointers(), 0);
        prop_assert_eq!(reader.finish(), Ok(None));
    }

    #[test]
    fn any_input_is_consumed(input: Vec<u8>, step in 1_usize..50) {
        let file = [&HEADER[..], &input].concat();
        let (_, reader) = read(&file, step);
        prop_assert_eq!(reader.offset(), file.len() as u64);
        let (whole, reader) = read(&file, usize::MAX);
        let (pieces, in_pieces) = read(&file, step);
        prop_assert_eq!(pieces, whole);
        prop_assert_eq!(in_pieces.lost_bytes(), reader.lost_bytes());
        prop_assert!(reader.lost_bytes() <= file.len() as u64);
    }

    /// A wrong bit costs two tags at most, wherever it is.
    #[test]
    fn a_wrong_bit_costs_little(bit in 13 * 8..(13 + 20 * 65) * 8_usize, step in 1_usize..300) {
        let mut file = numbered(20, 50);
        file[bit / 8] ^= 1 << (bit % 8);
        let (frames, _) = read(&file, step);
        prop_assert!(numbers(&frames).len() >= 18, "{:?}", numbers(&frames));
    }

    /// Damage of any kind: what is read is bounded, and the same however the input is split.
    #[test]
    fn damage_is_survived(
        damage in proptest::collection::vec((13_usize..1000, any::<u8>()), 1..20),
        cut in 0_usize..100,
        step in 1_usize..300,
    ) {
        let mut file = numbered(30, 20);
        for (offset, byte) in damage {
            file[offset] = byte;
        }
        file.drain(500..500 + cut);
        let (frames, reader) = read(&file, step);
        prop_assert_eq!(&frames, &read(&file, usize::MAX).0);
        prop_assert_eq!(reader.offset(), file.len() as u64);
        let total: usize = frames.iter().map(|frame| frame.payload.len() + 11).sum();
        prop_assert!(total <= file.len());
    }
}
