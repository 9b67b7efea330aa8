//! The chunk stream: messages cut into chunks and multiplexed over one connection.
//!
//! ```text
//! +--------------+----------------+--------------------+-----------+
//! | basic header | message header | extended timestamp | data      |
//! | 1, 2 or 3    | 0, 3, 7 or 11  | 0 or 4             | 1 to size |
//! +--------------+----------------+--------------------+-----------+
//! ```
//!
//! [RTMP 1.0 §5.3]

mod assembly;
mod decoder;
mod encoder;
mod header;
mod interleaver;

use core::fmt;

use bytes::Bytes;

pub(crate) use self::header::{CONTINUATION_LEN_MAX, Continuation, HEADER_LEN_MAX};
pub use self::{
    decoder::{ChunkDecoder, ChunkError},
    encoder::{ChunkEncoder, HeaderCompression},
    interleaver::{Interleaver, Turn},
};

use crate::timestamp::Timestamp;

/// The chunk stream a message travels on: 2 to 65 599. Often "csid".
///
/// [RTMP 1.0 §5.3.1.1]
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ChunkStreamId(u32);

impl ChunkStreamId {
    /// Protocol control and user control messages [RTMP 1.0 §5.4].
    pub const CONTROL: Self = Self(2);
    /// Commands, by convention.
    pub const COMMAND: Self = Self(3);
    /// Audio messages, by convention.
    pub const AUDIO: Self = Self(4);
    /// Data messages, by convention.
    pub const DATA: Self = Self(5);
    /// Video messages, by convention.
    pub const VIDEO: Self = Self(6);
    /// The greatest ID the three-byte form can express.
    pub const MAX: Self = Self(65_599);

    /// The chunk stream `id`, `None` unless it lies in 2..=65599.
    pub const fn new(id: u32) -> Option<Self> {
        if id >= 2 && id <= Self::MAX.0 {
            Some(Self(id))
        } else {
            None
        }
    }

    /// The number.
    pub const fn get(self) -> u32 {
        self.0
    }
}

/// The message stream a message belongs to; 0 is the connection itself.
///
/// [RTMP 1.0 §5.1]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct MessageStreamId(u32);

impl MessageStreamId {
    /// The connection's own stream: control messages and NetConnection commands.
    pub const CONTROL: Self = Self(0);

    /// The message stream `id`.
    pub const fn new(id: u32) -> Self {
        Self(id)
    }

    /// The number.
    pub const fn get(self) -> u32 {
        self.0
    }
}

impl fmt::Display for MessageStreamId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// The `fmt` field of a chunk: how much of the message header is present.
///
/// [RTMP 1.0 §5.3.1.2]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(clippy::exhaustive_enums, reason = "the field has two bits")]
pub enum ChunkType {
    /// Absolute timestamp, length, type and message stream: 11 bytes.
    Type0,
    /// Timestamp delta, length and type: 7 bytes.
    Type1,
    /// Timestamp delta: 3 bytes.
    Type2,
    /// Nothing: a continuation, or a message just like the last one.
    Type3,
}

/// Largest payload of a chunk in one direction: 1 to 16 777 215 bytes, initially 128.
///
/// [RTMP 1.0 §5.4.1]
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct ChunkSize(u32);

impl ChunkSize {
    /// The size both directions begin with.
    pub const INITIAL: Self = Self(128);
    /// The greatest size that makes a difference: no message is longer.
    pub const MAX: Self = Self(0xFF_FFFF);

    /// A chunk size of `bytes`, `None` unless it lies in 1..=0x7FFFFFFF. Sizes above
    /// [`MAX`](Self::MAX) mean the same as `MAX` and become it.
    pub const fn new(bytes: u32) -> Option<Self> {
        match bytes {
            0 | 0x8000_0000.. => None,
            0x100_0000.. => Some(Self::MAX),
            _ => Some(Self(bytes)),
        }
    }

    /// The number of bytes.
    pub const fn get(self) -> u32 {
        self.0
    }

    /// The number of bytes.
    pub const fn as_usize(self) -> usize {
        self.0 as usize
    }
}

/// The type of a message: an open registry.
///
/// [RTMP 1.0 §5.4, §6.2, §7.1]
#[derive(Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[expect(clippy::exhaustive_structs, reason = "a number from an open registry")]
pub struct MessageType(pub u8);

macro_rules! message_types {
    ($($(#[$doc:meta])* $name:ident = $value:literal,)*) => {
        impl MessageType {
            $($(#[$doc])* pub const $name: Self = Self($value);)*

            /// The name of a registered type.
            pub const fn name(self) -> Option<&'static str> {
                match self {
                    $(Self::$name => Some(stringify!($name)),)*
                    _ => None,
                }
            }
        }
    };
}

message_types! {
    /// Set Chunk Size.
    SET_CHUNK_SIZE = 1,
    /// Abort Message.
    ABORT = 2,
    /// Acknowledgement.
    ACKNOWLEDGEMENT = 3,
    /// User Control.
    USER_CONTROL = 4,
    /// Window Acknowledgement Size.
    WINDOW_ACK_SIZE = 5,
    /// Set Peer Bandwidth.
    SET_PEER_BANDWIDTH = 6,
    /// Audio.
    AUDIO = 8,
    /// Video.
    VIDEO = 9,
    /// Data in the form that may hold AMF3 values.
    DATA_AMF3 = 15,
    /// Shared object in the form that may hold AMF3 values.
    SHARED_OBJECT_AMF3 = 16,
    /// Command in the form that may hold AMF3 values.
    COMMAND_AMF3 = 17,
    /// Data in AMF0.
    DATA = 18,
    /// Shared object in AMF0.
    SHARED_OBJECT = 19,
    /// Command in AMF0.
    COMMAND = 20,
    /// Aggregate.
    AGGREGATE = 22,
}

impl fmt::Debug for MessageType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.name() {
            Some(name) => f.write_str(name),
            None => write!(f, "MessageType({})", self.0),
        }
    }
}

/// One message: header fields as reassembled, payload not interpreted.
///
/// The payload is private so that its length always fits the 24 bits of the header.
#[derive(Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct RawMessage {
    /// What the payload is.
    pub message_type: MessageType,
    /// The message stream it belongs to.
    pub stream: MessageStreamId,
    /// Absolute timestamp.
    pub timestamp: Timestamp,
    payload: Bytes,
}

impl RawMessage {
    /// The longest payload that a message header can express, in bytes [RTMP 1.0 §5.4.1].
    pub const MAX_PAYLOAD_LEN: usize = 0xFF_FFFF;

    /// A message of the given parts.
    ///
    /// # Errors
    ///
    /// Gives the payload back when it is longer than [`MAX_PAYLOAD_LEN`](Self::MAX_PAYLOAD_LEN).
    pub fn new(
        message_type: MessageType,
        stream: MessageStreamId,
        timestamp: Timestamp,
        payload: Bytes,
    ) -> Result<Self, PayloadTooLong> {
        if payload.len() > Self::MAX_PAYLOAD_LEN {
            return Err(PayloadTooLong(payload));
        }
        Ok(Self {
            message_type,
            stream,
            timestamp,
            payload,
        })
    }

    /// The payload.
    pub fn payload(&self) -> &Bytes {
        &self.payload
    }

    /// The payload, taken out of the message.
    pub fn into_payload(self) -> Bytes {
        self.payload
    }
}

impl fmt::Debug for RawMessage {
    /// Shows the payload's length only: it may hold stream keys.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RawMessage")
            .field("message_type", &self.message_type)
            .field("stream", &self.stream)
            .field("timestamp", &self.timestamp)
            .field("payload_len", &self.payload.len())
            .finish()
    }
}

/// A payload of more than 16 777 215 bytes, handed back: no message can carry it.
#[derive(Clone, PartialEq, Eq, thiserror::Error)]
#[error("payload of {} bytes is longer than a message can be", .0.len())]
#[expect(clippy::exhaustive_structs, reason = "gives back what was refused")]
pub struct PayloadTooLong(pub Bytes);

impl fmt::Debug for PayloadTooLong {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("PayloadTooLong")
            .field(&self.0.len())
            .finish()
    }
}
