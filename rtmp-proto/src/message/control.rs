//! Protocol control messages: how the chunk stream itself is run.
//!
//! ```text
//! 1 Set Chunk Size               0(1) size(31)
//! 2 Abort Message                chunk stream ID(32)
//! 3 Acknowledgement              sequence number(32)
//! 5 Window Acknowledgement Size  window(32)
//! 6 Set Peer Bandwidth           window(32) limit type(8)
//! ```
//!
//! They travel on chunk stream 2 and message stream 0, take effect on receipt, and have no use for
//! their timestamp.
//!
//! [RTMP 1.0 §5.4]

use bytes::Bytes;
use nom::{
    IResult, Parser,
    number::complete::{be_u32, u8},
};

use super::MessageError;
use crate::{
    chunk::{ChunkSize, MessageStreamId, MessageType, RawMessage},
    timestamp::Timestamp,
};

/// A protocol control message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Control {
    /// The sender's chunks carry up to this many bytes from now on.
    SetChunkSize(ChunkSize),
    /// The sender will not finish the message it began on this chunk stream.
    Abort {
        /// A chunk stream ID as sent; values that name no chunk stream abort nothing.
        csid: u32,
    },
    /// Bytes received so far, modulo 2^32.
    Acknowledgement {
        /// The sequence number.
        sequence: u32,
    },
    /// The sender expects an Acknowledgement at least every so many bytes.
    WindowAckSize {
        /// Bytes; 0 turns acknowledgements off (SRS, nginx-rtmp).
        window: u32,
    },
    /// The sender wants no more than so many bytes unacknowledged.
    SetPeerBandwidth {
        /// Bytes.
        window: u32,
        /// How to combine it with the limit in force.
        limit: BandwidthLimit,
    },
}

impl Control {
    /// Reads the payload of a message of one of the five types. Bytes beyond the fields are ignored.
    ///
    /// # Errors
    ///
    /// The payload is shorter than its fields, or the chunk size is one that cannot be.
    pub fn decode(message_type: MessageType, payload: &[u8]) -> Result<Self, MessageError> {
        let truncated = |_| MessageError::Truncated {
            message_type,
            length: payload.len(),
        };
        let (rest, first) = field(payload).map_err(truncated)?;
        Ok(match message_type {
            MessageType::SET_CHUNK_SIZE => Self::SetChunkSize(
                ChunkSize::new(first).ok_or(MessageError::InvalidChunkSize { size: first })?,
            ),
            MessageType::ABORT => Self::Abort { csid: first },
            MessageType::ACKNOWLEDGEMENT => Self::Acknowledgement { sequence: first },
            MessageType::WINDOW_ACK_SIZE => Self::WindowAckSize { window: first },
            _ => {
                let parsed: IResult<&[u8], u8> = u8.parse(rest);
                let (_, limit) = parsed.map_err(truncated)?;
                Self::SetPeerBandwidth {
                    window: first,
                    limit: BandwidthLimit(limit),
                }
            }
        })
    }

    /// The message, ready for chunk stream 2.
    pub fn encode(self) -> RawMessage {
        let (message_type, first) = match self {
            Self::SetChunkSize(size) => (MessageType::SET_CHUNK_SIZE, size.get()),
            Self::Abort { csid } => (MessageType::ABORT, csid),
            Self::Acknowledgement { sequence } => (MessageType::ACKNOWLEDGEMENT, sequence),
            Self::WindowAckSize { window } => (MessageType::WINDOW_ACK_SIZE, window),
            Self::SetPeerBandwidth { window, .. } => (MessageType::SET_PEER_BANDWIDTH, window),
        };
        let [a, b, c, d] = first.to_be_bytes();
        let payload = match self {
            Self::SetPeerBandwidth { limit, .. } => Bytes::copy_from_slice(&[a, b, c, d, limit.0]),
            _ => Bytes::copy_from_slice(&[a, b, c, d]),
        };
        control_message(message_type, payload)
    }
}

/// The limit type of Set Peer Bandwidth: an open registry. Unknown types are ignored.
///
/// [RTMP 1.0 §5.4.5]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(clippy::exhaustive_structs, reason = "a number from an open registry")]
pub struct BandwidthLimit(pub u8);

impl BandwidthLimit {
    /// The limit becomes the window.
    pub const HARD: Self = Self(0);
    /// The limit becomes the window if that is smaller.
    pub const SOFT: Self = Self(1);
    /// As hard if the last limit was hard, else ignored.
    pub const DYNAMIC: Self = Self(2);
}

/// A short message on the control stream.
pub(super) fn control_message(message_type: MessageType, payload: Bytes) -> RawMessage {
    RawMessage::new(
        message_type,
        MessageStreamId::CONTROL,
        Timestamp::ZERO,
        payload,
    )
    .expect("control messages are a few bytes long")
}

fn field(payload: &[u8]) -> IResult<&[u8], u32> {
    be_u32.parse(payload)
}

#[cfg(test)]
mod tests {
    use hex_literal::hex;

    use super::*;

    /// PC-5, PC-13, PC-16, PC-19, PC-22.
    #[test]
    fn vectors() {
        let cases: [(Control, MessageType, &[u8]); 5] = [
            (
                Control::SetChunkSize(ChunkSize::new(4096).unwrap()),
                MessageType(1),
                &hex!("00001000"),
            ),
            (
                Control::Abort { csid: 6 },
                MessageType(2),
                &hex!("00000006"),
            ),
            (
                Control::Acknowledgement {
                    sequence: 0xF000_0001,
                },
                MessageType(3),
                &hex!("F0000001"),
            ),
            (
                Control::WindowAckSize { window: 2_500_000 },
                MessageType(5),
                &hex!("002625A0"),
            ),
            (
                Control::SetPeerBandwidth {
                    window: 2_500_000,
                    limit: BandwidthLimit::DYNAMIC,
                },
                MessageType(6),
                &hex!("002625A0 02"),
            ),
        ];
        for (control, message_type, payload) in cases {
            let raw = control.encode();
            assert_eq!(
                (raw.message_type, &raw.payload()[..]),
                (message_type, payload)
            );
            assert_eq!(raw.stream, MessageStreamId::CONTROL);
            assert_eq!(Control::decode(message_type, payload), Ok(control));
            let mut longer = payload.to_vec();
            longer.push(9);
            assert_eq!(Control::decode(message_type, &longer), Ok(control));
            for cut in 0..payload.len() {
                assert_eq!(
                    Control::decode(message_type, &payload[..cut]),
                    Err(MessageError::Truncated {
                        message_type,
                        length: cut
                    }),
                );
            }
        }
    }

    /// PC-9, PC-10, A-11.
    #[test]
    fn chunk_sizes() {
        let decode = |size: u32| Control::decode(MessageType(1), &size.to_be_bytes());
        for size in [1, 127, 128, 0xFF_FFFF] {
            let expected = Control::SetChunkSize(ChunkSize::new(size).unwrap());
            assert_eq!(decode(size), Ok(expected));
        }
        for size in [0x100_0000, 0x7FFF_FFFF] {
            assert_eq!(decode(size), Ok(Control::SetChunkSize(ChunkSize::MAX)));
        }
        for size in [0, 0x8000_0000, u32::MAX] {
            assert_eq!(decode(size), Err(MessageError::InvalidChunkSize { size }));
        }
    }
}
