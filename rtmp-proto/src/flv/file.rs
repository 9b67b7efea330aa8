//! FLV files and streams of that form: frames with headers and back-pointers.
//!
//! ```text
//! "FLV" | version 1 | flags 1 | header length 4 | 0 (4 bytes)
//! { filter and type 1 | length 3 | timestamp 3, its high byte 1 | 0 (3 bytes) | data
//!   | 11 + length (4 bytes) } ...
//! ```
//!
//! [FLV §E.2, §E.3, §E.4.1]

mod reader;
mod recorder;
mod writer;

use core::fmt;

use bytes::Bytes;

pub use reader::FileReader;
pub use recorder::FileRecorder;
pub use writer::FileWriter;

use super::frame::Frame;
use crate::{chunk::MessageType, timestamp::Timestamp};

/// A tag of a file.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(
    clippy::exhaustive_enums,
    reason = "either it is understood or it is not"
)]
pub enum Tag {
    /// An audio, video or data message.
    Frame(Frame),
    /// An encrypted tag, or one of a type that nobody has defined.
    Opaque(OpaqueTag),
}

impl Tag {
    /// When it applies.
    pub const fn timestamp(&self) -> Timestamp {
        match self {
            Self::Frame(frame) => frame.timestamp,
            Self::Opaque(tag) => tag.timestamp,
        }
    }

    /// The frame, if it is one.
    pub fn into_frame(self) -> Option<Frame> {
        match self {
            Self::Frame(frame) => Some(frame),
            Self::Opaque(_) => None,
        }
    }
}

/// A tag whose data is not looked at: it can be passed on to another file and nothing else.
#[derive(Clone, PartialEq, Eq)]
pub struct OpaqueTag {
    /// Filter bit, type and bits that should be 0.
    first_byte: u8,
    timestamp: Timestamp,
    payload: Bytes,
}

impl OpaqueTag {
    /// The type.
    pub const fn message_type(&self) -> MessageType {
        MessageType(self.first_byte & TYPE_BITS)
    }

    /// Whether it is encrypted. [FLV §F.3]
    pub const fn is_encrypted(&self) -> bool {
        self.first_byte & FILTER != 0
    }

    /// When it applies.
    pub const fn timestamp(&self) -> Timestamp {
        self.timestamp
    }

    /// The data: of an encrypted tag, headers and encrypted body.
    pub const fn payload(&self) -> &Bytes {
        &self.payload
    }
}

impl fmt::Debug for OpaqueTag {
    /// Shows the payload's length only.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("OpaqueTag")
            .field("message_type", &self.message_type())
            .field("is_encrypted", &self.is_encrypted())
            .field("timestamp", &self.timestamp)
            .field("payload_len", &self.payload.len())
            .finish()
    }
}

/// Why something is not an FLV file, or cannot be put into one.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum FlvError {
    /// The input does not begin with "FLV".
    #[error("not an flv file")]
    Signature,
    /// The file has a version other than 1.
    #[error("flv version {version} is not supported")]
    Version {
        /// The version it states.
        version: u8,
    },
    /// The file header states a length that it cannot have.
    #[error("flv header of {length} bytes is shorter than 9")]
    HeaderLength {
        /// The length it states.
        length: u32,
    },
    /// The input ended in the middle of a tag or of the file header.
    #[error("flv file ends inside the tag at byte {offset}")]
    Truncated {
        /// Where the tag begins.
        offset: u64,
    },
    /// A payload is longer than a tag can be.
    #[error("payload of {length} bytes does not fit into an flv tag")]
    PayloadTooLarge {
        /// The payload's length.
        length: usize,
    },
}

const VERSION: u8 = 1;
const FILE_HEADER_LEN: usize = 9;
const BACK_POINTER_LEN: usize = 4;
const TAG_HEADER_LEN: usize = 11;
const TAG_HEADER_LEN_U32: u32 = 11;
const MAX_DATA_LEN: u32 = 0xFF_FFFF;
/// The flag of encrypted tags.
const FILTER: u8 = 0x20;
const TYPE_BITS: u8 = 0x1F;

#[cfg(test)]
mod tests;
