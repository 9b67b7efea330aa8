//! Aggregates.

use arbitrary::{Result, Unstructured};
use bytes::Bytes;
use rtmp_proto::{
    MessageStreamId, Timestamp,
    chunk::{MessageType, RawMessage},
    flv::Frame,
    message::{Aggregate, AggregateBuilder},
};

use crate::flv::frame;

/// The parts of any aggregate that are media, and any frames, survive the way through an aggregate.
///
/// The first byte picks one of the two.
pub fn aggregate(data: &[u8]) {
    let Some((&kind, data)) = data.split_first() else {
        return;
    };
    match kind & 1 {
        0 => split(data),
        _ => {
            // A structure that ends early is one as well.
            let _ = join(&mut Unstructured::new(data));
        }
    }
}

/// The first four bytes are the time, the rest is a payload.
fn split(data: &[u8]) {
    let Some((time, payload)) = data.split_first_chunk() else {
        return;
    };
    let time = Timestamp::from_millis(u32::from_be_bytes(*time));
    let payload = Bytes::copy_from_slice(payload);
    let raw = RawMessage::new(MessageType::AGGREGATE, STREAM, time, payload.clone());
    let mut aggregate = Aggregate::new(raw.expect("short enough"));
    let mut parts = Vec::new();
    while let Some(part) = aggregate.next() {
        let Ok(part) = part else {
            assert!(aggregate.is_empty() && aggregate.next().is_none());
            break;
        };
        assert_eq!(part.stream, STREAM);
        parts.push(part);
    }
    let _ = format!("{aggregate:?}");
    assert!(parts.first().is_none_or(|part| part.timestamp == time));
    let bytes: usize = parts.iter().map(|part| 11 + part.payload().len()).sum();
    assert!(bytes <= payload.len());
    let frames = parts.into_iter().filter_map(|part| {
        let make = match part.message_type {
            MessageType::AUDIO => Frame::audio,
            MessageType::VIDEO => Frame::video,
            MessageType::DATA => Frame::data as fn(_, _) -> _,
            _ => return None,
        };
        Some(make(part.timestamp, part.into_payload()))
    });
    check(&frames.collect::<Vec<_>>());
}

fn join(u: &mut Unstructured<'_>) -> Result<()> {
    let mut frames = Vec::new();
    while !u.is_empty() && frames.len() < 100 {
        frames.push(frame(u)?);
    }
    check(&frames);
    Ok(())
}

fn check(frames: &[Frame]) {
    let mut builder = AggregateBuilder::new();
    for frame in frames {
        builder.push(frame).expect("short enough");
    }
    let len = builder.payload_len();
    let Some(raw) = builder.finish(STREAM) else {
        assert!(frames.is_empty());
        return;
    };
    assert_eq!(raw.payload().len(), len);
    let parts: Vec<_> = Aggregate::new(raw)
        .map(|part| part.expect("our own"))
        .collect();
    assert_eq!(parts.len(), frames.len());
    for (part, frame) in parts.iter().zip(frames) {
        assert_eq!(part.message_type, frame.message_type());
        assert_eq!(part.timestamp, frame.timestamp);
        assert_eq!(*part.payload(), frame.payload);
    }
}

const STREAM: MessageStreamId = MessageStreamId::new(1);
