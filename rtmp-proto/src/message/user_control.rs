//! User control messages: events about streams, buffers and liveness.
//!
//! ```text
//! event type(16) event data
//!  0 StreamBegin       stream(32)            6 PingRequest   time(32)
//!  1 StreamEOF         stream(32)            7 PingResponse  time(32)
//!  2 StreamDry         stream(32)           26 SWFVerifyRequest   nothing, or one byte
//!  3 SetBufferLength   stream(32) ms(32)    27 SWFVerifyResponse  42 bytes
//!  4 StreamIsRecorded  stream(32)           31 BufferEmpty, 32 BufferReady  stream(32)
//! ```
//!
//! [RTMP 1.0 §6.2, §7.1.7]; 26 to 32 are de facto (FMS, librtmp)

use alloc::vec::Vec;

use bytes::Bytes;
use nom::{
    IResult, Parser,
    number::complete::{be_u16, be_u32},
};

use super::control::control_message;
use crate::chunk::{MessageStreamId, MessageType, RawMessage};

/// A user control event.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum UserControl {
    /// The stream has become functional.
    StreamBegin(MessageStreamId),
    /// Playback of the stream is over.
    StreamEof(MessageStreamId),
    /// The stream has had no data for a while.
    StreamDry(MessageStreamId),
    /// The player buffers so much of the stream.
    SetBufferLength {
        /// The stream; 0 before any exists (librtmp, GStreamer).
        stream: MessageStreamId,
        /// Milliseconds.
        millis: u32,
    },
    /// The stream is a recording.
    StreamIsRecorded(MessageStreamId),
    /// "Answer this": the sender's time.
    PingRequest(u32),
    /// The answer: the time of the request.
    PingResponse(u32),
    /// "Prove which SWF you run" (FMS).
    SwfVerifyRequest,
    /// The proof (FMS).
    SwfVerifyResponse(Bytes),
    /// The server has sent a whole client buffer (FMS 3.5).
    BufferEmpty(MessageStreamId),
    /// The server begins the next client buffer (FMS 3.5).
    BufferReady(MessageStreamId),
    /// An event with no meaning here.
    Unknown {
        /// The event type.
        event_type: u16,
        /// Its data.
        data: Bytes,
    },
}

impl UserControl {
    /// Reads an event, `None` if its data is shorter than its type needs. Bytes beyond the known
    /// fields are ignored.
    pub fn decode(payload: &Bytes) -> Option<Self> {
        let (data, event_type) = event_type(payload).ok()?;
        let stream = || Some(MessageStreamId::new(number(data)?));
        Some(match event_type {
            0 => Self::StreamBegin(stream()?),
            1 => Self::StreamEof(stream()?),
            2 => Self::StreamDry(stream()?),
            3 => Self::SetBufferLength {
                stream: stream()?,
                millis: number(data.get(4..)?)?,
            },
            4 => Self::StreamIsRecorded(stream()?),
            6 => Self::PingRequest(number(data)?),
            7 => Self::PingResponse(number(data)?),
            26 => Self::SwfVerifyRequest,
            27 => Self::SwfVerifyResponse(payload.slice_ref(data)),
            31 => Self::BufferEmpty(stream()?),
            32 => Self::BufferReady(stream()?),
            event_type => Self::Unknown {
                event_type,
                data: payload.slice_ref(data),
            },
        })
    }

    /// The message, ready for chunk stream 2.
    pub fn encode(&self) -> RawMessage {
        let mut payload = Vec::with_capacity(10);
        let mut put = |event_type: u16, data: &[u8]| {
            payload.extend_from_slice(&event_type.to_be_bytes());
            payload.extend_from_slice(data);
        };
        match self {
            Self::StreamBegin(stream) => put(0, &stream.get().to_be_bytes()),
            Self::StreamEof(stream) => put(1, &stream.get().to_be_bytes()),
            Self::StreamDry(stream) => put(2, &stream.get().to_be_bytes()),
            Self::SetBufferLength { stream, millis } => {
                put(3, &stream.get().to_be_bytes());
                payload.extend_from_slice(&millis.to_be_bytes());
            }
            Self::StreamIsRecorded(stream) => put(4, &stream.get().to_be_bytes()),
            Self::PingRequest(time) => put(6, &time.to_be_bytes()),
            Self::PingResponse(time) => put(7, &time.to_be_bytes()),
            Self::SwfVerifyRequest => put(26, &[]),
            Self::SwfVerifyResponse(data) => put(27, data),
            Self::BufferEmpty(stream) => put(31, &stream.get().to_be_bytes()),
            Self::BufferReady(stream) => put(32, &stream.get().to_be_bytes()),
            Self::Unknown { event_type, data } => put(*event_type, data),
        }
        control_message(MessageType::USER_CONTROL, payload.into())
    }
}

fn event_type(payload: &[u8]) -> IResult<&[u8], u16> {
    be_u16.parse(payload)
}

fn number(data: &[u8]) -> Option<u32> {
    let parsed: IResult<&[u8], u32> = be_u32.parse(data);
    parsed.ok().map(|(_, number)| number)
}

#[cfg(test)]
mod tests {
    use alloc::vec;

    use hex_literal::hex;

    use super::*;

    /// UC-6 to UC-25.
    #[test]
    fn vectors() {
        let one = MessageStreamId::new(1);
        let cases: [(UserControl, Vec<u8>); 12] = [
            (
                UserControl::StreamBegin(one),
                hex!("0000 00000001").to_vec(),
            ),
            (UserControl::StreamEof(one), hex!("0001 00000001").to_vec()),
            (UserControl::StreamDry(one), hex!("0002 00000001").to_vec()),
            (
                UserControl::SetBufferLength {
                    stream: one,
                    millis: 3000,
                },
                hex!("0003 00000001 00000BB8").to_vec(),
            ),
            (
                UserControl::StreamIsRecorded(one),
                hex!("0004 00000001").to_vec(),
            ),
            (UserControl::PingRequest(7), hex!("0006 00000007").to_vec()),
            (UserControl::PingResponse(7), hex!("0007 00000007").to_vec()),
            (UserControl::SwfVerifyRequest, hex!("001A").to_vec()),
            (
                UserControl::SwfVerifyResponse(vec![1; 42].into()),
                [&hex!("001B")[..], &[1; 42]].concat(),
            ),
            (
                UserControl::BufferEmpty(one),
                hex!("001F 00000001").to_vec(),
            ),
            (
                UserControl::BufferReady(one),
                hex!("0020 00000001").to_vec(),
            ),
            (
                UserControl::Unknown {
                    event_type: 5,
                    data: vec![1, 2].into(),
                },
                hex!("0005 0102").to_vec(),
            ),
        ];
        for (event, payload) in cases {
            let raw = event.encode();
            assert_eq!(raw.payload(), &payload);
            assert_eq!(raw.message_type, MessageType::USER_CONTROL);
            assert_eq!(UserControl::decode(&payload.into()), Some(event));
        }
    }

    /// UC-21, UC-24.
    #[test]
    fn short_and_long_data() {
        let decode = |bytes: &[u8]| UserControl::decode(&Bytes::copy_from_slice(bytes));
        assert_eq!(decode(&hex!("00")), None);
        assert_eq!(decode(&hex!("0000 000001")), None);
        assert_eq!(decode(&hex!("0003 00000001 0000")), None);
        assert_eq!(
            decode(&hex!("001A 01")),
            Some(UserControl::SwfVerifyRequest)
        );
        assert_eq!(
            decode(&hex!("0006 00000009 FFFF")),
            Some(UserControl::PingRequest(9))
        );
    }
}
