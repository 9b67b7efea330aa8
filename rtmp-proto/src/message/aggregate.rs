//! Aggregates: several messages in one.
//!
//! ```text
//! +------+--------+-----------+---------------+--------+------+--------------+
//! | type | length | timestamp | timestamp     | stream | data | back pointer |   once for each part
//! | 1    | 3      | 3, low    | 1, high       | 3      |      | 4: 11 + data |
//! +------+--------+-----------+---------------+--------+------+--------------+
//! ```
//!
//! That is the layout of FLV tags, which is what deployed servers write and read, although the
//! specification draws another one. Parts count their time from the first of them, which is at the
//! time of the aggregate, and belong to its message stream.
//!
//! [RTMP 1.0 §7.1.6]

use alloc::vec::Vec;
use core::fmt;

use bytes::Bytes;
use nom::{
    IResult, Parser,
    bytes::complete::take,
    number::complete::{be_u8, be_u24},
};

use super::MessageError;
use crate::{
    chunk::{MessageStreamId, MessageType, RawMessage},
    flv::Frame,
    timestamp::{Timestamp, TimestampDelta},
};

/// The parts of an aggregate that have not been taken yet.
///
/// An iterator: it costs nothing until it is asked for a part, and ends after the first error.
#[derive(Clone)]
pub struct Aggregate {
    stream: MessageStreamId,
    timestamp: Timestamp,
    /// From the time of a part to the time of the stream; known once the first part is read.
    offset: Option<TimestampDelta>,
    payload: Bytes,
    /// Bytes of `payload` that have been read.
    position: usize,
    /// Parts that have been read.
    taken: usize,
    /// Most parts there may be.
    limit: usize,
}

impl Aggregate {
    /// The parts of `raw`, a message of type 22, however many there are.
    pub fn new(raw: RawMessage) -> Self {
        Self {
            stream: raw.stream,
            timestamp: raw.timestamp,
            offset: None,
            payload: raw.into_payload(),
            position: 0,
            taken: 0,
            limit: usize::MAX,
        }
    }

    /// The same with an error in the place of the part that follows `parts` others
    /// ([`Limits::aggregate_parts`](crate::Limits::aggregate_parts)).
    #[must_use]
    pub const fn with_limit(mut self, parts: usize) -> Self {
        self.limit = parts;
        self
    }

    /// Whether all parts have been taken.
    pub fn is_empty(&self) -> bool {
        self.position >= self.payload.len()
    }

    fn next_part(&mut self) -> Result<RawMessage, MessageError> {
        if self.taken >= self.limit {
            return Err(MessageError::TooManyParts { limit: self.limit });
        }
        self.taken += 1;
        let input = self.payload.get(self.position..).unwrap_or_default();
        let truncated = |_| MessageError::Truncated {
            message_type: MessageType::AGGREGATE,
            length: self.payload.len(),
        };
        let (rest, header) = PartHeader::decode(input).map_err(truncated)?;
        if header.message_type == MessageType::AGGREGATE {
            return Err(MessageError::NestedAggregate);
        }
        let start = self.payload.len() - rest.len();
        let remaining = rest.len();
        if header.length > remaining {
            return Err(MessageError::PartTooLong {
                length: header.length,
                remaining,
            });
        }
        let end = start + header.length;
        // The last back pointer is left out by some, and what it says is of no use.
        self.position = end.saturating_add(BACK_POINTER_LEN);
        let offset = *self
            .offset
            .get_or_insert_with(|| self.timestamp.delta_since(header.timestamp));
        let part = RawMessage::new(
            header.message_type,
            self.stream,
            header.timestamp.wrapping_add(offset),
            self.slice(start, end),
        );
        Ok(part.expect("a part is shorter than the whole"))
    }

    /// A part of the payload, shared if it is most of it: a small part must not keep the whole.
    fn slice(&self, start: usize, end: usize) -> Bytes {
        let part = self.payload.slice(start..end);
        match part.len() * 2 > self.payload.len() {
            true => part,
            false => Bytes::copy_from_slice(&part),
        }
    }
}

impl Iterator for Aggregate {
    type Item = Result<RawMessage, MessageError>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.is_empty() {
            return None;
        }
        let part = self.next_part();
        if part.is_err() {
            self.position = self.payload.len();
        }
        Some(part)
    }
}

impl fmt::Debug for Aggregate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Aggregate")
            .field("stream", &self.stream)
            .field("timestamp", &self.timestamp)
            .field("payload_len", &self.payload.len())
            .field("position", &self.position)
            .finish()
    }
}

impl PartialEq for Aggregate {
    fn eq(&self, other: &Self) -> bool {
        (self.stream, self.timestamp, self.offset, self.position)
            == (other.stream, other.timestamp, other.offset, other.position)
            && self.payload == other.payload
    }
}

/// Puts frames of one message stream into one message.
///
/// It saves chunk headers, and is for peers known to read it: ffmpeg, librtmp, GStreamer, SRS,
/// nginx-rtmp and lal do, gortmplib ends the connection.
#[derive(Clone, Debug, Default)]
pub struct AggregateBuilder {
    timestamp: Option<Timestamp>,
    payload: Vec<u8>,
}

impl AggregateBuilder {
    /// An aggregate without parts.
    pub const fn new() -> Self {
        Self {
            timestamp: None,
            payload: Vec::new(),
        }
    }

    /// Adds `frame` at the end.
    ///
    /// # Errors
    ///
    /// The message would be longer than a message can be. Nothing has changed then.
    pub fn push(&mut self, frame: &Frame) -> Result<(), AggregateFull> {
        let part_len = HEADER_LEN + frame.payload.len();
        let total = self.payload.len() + part_len + BACK_POINTER_LEN;
        if total > RawMessage::MAX_PAYLOAD_LEN {
            return Err(AggregateFull { length: total });
        }
        let low = |number: usize| u32::try_from(number).expect("less than a message, 24 bits");
        let [high, time @ ..] = frame.timestamp.as_millis().to_be_bytes();
        let [_, length @ ..] = low(frame.payload.len()).to_be_bytes();
        self.payload.reserve(part_len + BACK_POINTER_LEN);
        self.payload.push(frame.message_type().0);
        self.payload.extend_from_slice(&length);
        self.payload.extend_from_slice(&time);
        self.payload.push(high);
        self.payload.extend_from_slice(&[0; 3]);
        self.payload.extend_from_slice(&frame.payload);
        self.payload.extend_from_slice(&low(part_len).to_be_bytes());
        self.timestamp.get_or_insert(frame.timestamp);
        Ok(())
    }

    /// Bytes so far.
    pub fn payload_len(&self) -> usize {
        self.payload.len()
    }

    /// The message on `stream`, at the time of the first frame; `None` without frames.
    pub fn finish(self, stream: MessageStreamId) -> Option<RawMessage> {
        let timestamp = self.timestamp?;
        let payload = self.payload.into();
        let raw = RawMessage::new(MessageType::AGGREGATE, stream, timestamp, payload);
        Some(raw.expect("checked with every frame"))
    }
}

/// A frame does not fit into an aggregate any more.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("aggregate of {length} bytes is longer than a message can be")]
#[non_exhaustive]
pub struct AggregateFull {
    /// Bytes that the message would have.
    pub length: usize,
}

/// What precedes the data of a part.
struct PartHeader {
    message_type: MessageType,
    length: usize,
    timestamp: Timestamp,
}

impl PartHeader {
    fn decode(input: &[u8]) -> IResult<&[u8], Self> {
        let (rest, (message_type, length, low, high, _stream)) =
            (be_u8, be_u24, be_u24, be_u8, take(3_usize)).parse(input)?;
        let header = Self {
            message_type: MessageType(message_type),
            length: length as usize,
            timestamp: Timestamp::from_millis(u32::from(high) << 24 | low),
        };
        Ok((rest, header))
    }
}

const HEADER_LEN: usize = 11;
const BACK_POINTER_LEN: usize = 4;

#[cfg(test)]
mod tests {
    use alloc::vec;

    use hex_literal::hex;
    use proptest::prelude::*;

    use super::*;

    fn aggregate(millis: u32, payload: impl Into<Bytes>) -> Aggregate {
        let raw = RawMessage::new(
            MessageType::AGGREGATE,
            MessageStreamId::new(3),
            Timestamp::from_millis(millis),
            payload.into(),
        );
        Aggregate::new(raw.unwrap())
    }

    fn parts(millis: u32, payload: &[u8]) -> Vec<Result<RawMessage, MessageError>> {
        aggregate(millis, payload.to_vec()).collect()
    }

    const TWO_PARTS: [u8; 34] = hex!(
        "08 000002 FFFFFF 01 000007 AF01 0000000D"
        "09 000002 000001 02 000000 2701 0000000D"
    );

    /// MSG-40 to MSG-42, MSG-45: parts are moved to the time and the stream of the whole.
    #[test]
    fn parts_are_moved() {
        for (millis, first, second) in [
            (0x01FF_FFFF, 0x01FF_FFFF, 0x0200_0001),
            (1000, 1000, 1002),
            (u32::MAX, u32::MAX, 1),
        ] {
            let parts: Result<Vec<_>, _> = parts(millis, &TWO_PARTS).into_iter().collect();
            let expected = [
                (MessageType::AUDIO, first, &hex!("AF01")),
                (MessageType::VIDEO, second, &hex!("2701")),
            ]
            .map(|(message_type, millis, payload)| {
                RawMessage::new(
                    message_type,
                    MessageStreamId::new(3),
                    Timestamp::from_millis(millis),
                    Bytes::copy_from_slice(payload),
                )
                .unwrap()
            });
            assert_eq!(parts.unwrap(), expected);
        }
    }

    /// MSG-46: cut at every byte; only the last back pointer may be missing.
    #[test]
    fn cut_at_every_byte() {
        for cut in 0..TWO_PARTS.len() {
            let parts = parts(0, &TWO_PARTS[..cut]);
            let whole = parts.iter().filter(|part| part.is_ok()).count();
            let expected = usize::from(cut >= 13) + usize::from(cut >= 30);
            assert_eq!(whole, expected, "{cut}");
            let is_clean = cut == 0 || (13..=17).contains(&cut) || cut >= 30;
            assert_eq!(parts.len() == whole, is_clean, "{cut}");
        }
        let long = hex!("08 000003 000000 00 000000 AF01");
        let error = MessageError::PartTooLong {
            length: 3,
            remaining: 2,
        };
        assert_eq!(parts(0, &long), [Err(error)]);
    }

    /// MSG-47
    #[test]
    fn aggregates_do_not_nest() {
        let nested = [&hex!("16 000022 000000 00 000000")[..], &TWO_PARTS].concat();
        assert_eq!(parts(0, &nested), [Err(MessageError::NestedAggregate)]);
    }

    #[test]
    fn small_parts_do_not_keep_the_whole() {
        let mut builder = AggregateBuilder::new();
        let small = Frame::audio(Timestamp::ZERO, vec![1; 100].into());
        let large = Frame::video(Timestamp::ZERO, vec![2; 1000].into());
        builder.push(&small).unwrap();
        builder.push(&large).unwrap();
        let raw = builder.finish(MessageStreamId::new(1)).unwrap();
        let whole = raw.payload().clone();
        let range = whole.as_ptr_range();
        let shared: Vec<_> = Aggregate::new(raw)
            .map(|part| range.contains(&part.unwrap().payload().as_ptr()))
            .collect();
        assert_eq!(shared, [false, true]);
    }

    /// MSG-43, MSG-44
    #[test]
    fn builder_vector() {
        let mut builder = AggregateBuilder::new();
        for (millis, payload) in [(0x01FF_FFFF, hex!("AF01")), (0x0200_0001, hex!("AF02"))] {
            let timestamp = Timestamp::from_millis(millis);
            let frame = Frame::audio(timestamp, Bytes::copy_from_slice(&payload));
            builder.push(&frame).unwrap();
        }
        let raw = builder.finish(MessageStreamId::new(1)).unwrap();
        assert_eq!(raw.timestamp, Timestamp::from_millis(0x01FF_FFFF));
        assert_eq!(
            raw.payload(),
            &hex!(
                "08 000002 FFFFFF 01 000000 AF01 0000000D"
                "08 000002 000001 02 000000 AF02 0000000D"
            )[..]
        );
        assert_eq!(
            AggregateBuilder::new().finish(MessageStreamId::CONTROL),
            None
        );
    }

    #[test]
    fn a_full_builder_is_unchanged() {
        let mut builder = AggregateBuilder::new();
        let large = Frame::audio(Timestamp::ZERO, vec![0; 0xFF_FFFF - 15].into());
        builder.push(&large).unwrap();
        let empty = Frame::audio(Timestamp::ZERO, Bytes::new());
        let length = 0xFF_FFFF + 15;
        assert_eq!(builder.push(&empty), Err(AggregateFull { length }));
        assert_eq!(builder.payload_len(), 0xFF_FFFF);
    }

    fn frames() -> impl Strategy<Value = Vec<Frame>> {
        let frame = (
            0..3,
            any::<u32>(),
            prop::collection::vec(any::<u8>(), 0..40),
        );
        let frame = frame.prop_map(|(kind, millis, payload)| {
            let timestamp = Timestamp::from_millis(millis);
            match kind {
                0 => Frame::audio(timestamp, payload.into()),
                1 => Frame::video(timestamp, payload.into()),
                _ => Frame::data(timestamp, payload.into()),
            }
        });
        prop::collection::vec(frame, 1..8)
    }

    proptest! {
        #[test]
        fn round_trip(frames in frames()) {
            let mut builder = AggregateBuilder::new();
            for frame in &frames {
                builder.push(frame).unwrap();
            }
            let stream = MessageStreamId::new(9);
            let raw = builder.finish(stream).unwrap();
            let parts: Result<Vec<_>, _> = Aggregate::new(raw).collect();
            let expected: Vec<_> = frames
                .iter()
                .map(|frame| {
                    let payload = frame.payload.clone();
                    RawMessage::new(frame.message_type(), stream, frame.timestamp, payload).unwrap()
                })
                .collect();
            prop_assert_eq!(parts.unwrap(), expected);
        }

        /// Any bytes come to an end, in fewer parts than there are headers' worth of bytes.
        #[test]
        fn any_bytes(payload in prop::collection::vec(any::<u8>(), 0..200)) {
            let len = payload.len();
            let parts: Vec<_> = aggregate(0, payload).collect();
            prop_assert!(parts.len() <= len / HEADER_LEN + 1);
            let errors = parts.iter().filter(|part| part.is_err()).count();
            prop_assert!(errors <= 1);
        }
    }
}
