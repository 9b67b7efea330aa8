//! Messages: what the payloads that the chunk layer delivers mean.
//!
//! One file per message family; [`Message::decode`] dispatches on the [`MessageType`].
//!
//! [RTMP 1.0 §5.4, §6.2, §7]

mod aggregate;
mod command;
mod control;
mod cue;
mod data;
mod metadata;
mod shared_object;
mod status;
mod swf;
mod user_control;

use crate::{
    amf::AmfError,
    chunk::{MessageType, RawMessage},
    flv::Frame,
    limits::{AmfLimits, Limits},
};

pub use self::{
    aggregate::{Aggregate, AggregateBuilder, AggregateFull},
    command::{Command, TransactionId},
    control::{BandwidthLimit, Control},
    cue::{CuePoint, SampleAccess, TextData},
    data::{decode_data, encode_set_data_frame, normalise_data},
    metadata::Metadata,
    shared_object::{
        SharedName, SharedNameTooLong, SharedObject, SharedObjectEvent, SharedObjectFlags, Slot,
    },
    status::{Level, Status, StatusCode},
    swf::SwfVerification,
    user_control::UserControl,
};

/// A message with its payload interpreted.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum Message {
    /// Types 1, 2, 3, 5 and 6.
    Control(Control),
    /// Type 4.
    UserControl(UserControl),
    /// Types 20 and 17.
    Command(Command),
    /// Types 8, 9, 18 and 15: audio, video, or data with `@setDataFrame` stripped.
    Frame(Frame),
    /// Types 19 and 16.
    SharedObject(SharedObject),
    /// Type 22: messages in one.
    Aggregate(Aggregate),
    /// A type with no meaning here, or a payload that says nothing in its type: deployed peers
    /// send plenty.
    Other(RawMessage),
}

impl Message {
    /// Interprets `raw`.
    ///
    /// Data messages and shared objects that do not decode, and user control events that are cut
    /// short, become [`Message::Other`]: ffmpeg sends its timecode track as four raw bytes, and a relay must not
    /// pass on what would break its players.
    ///
    /// # Errors
    ///
    /// A protocol control message or a command that is malformed.
    pub fn decode(raw: RawMessage, limits: &Limits) -> Result<Self, MessageError> {
        Ok(match raw.message_type {
            MessageType::SET_CHUNK_SIZE
            | MessageType::ABORT
            | MessageType::ACKNOWLEDGEMENT
            | MessageType::WINDOW_ACK_SIZE
            | MessageType::SET_PEER_BANDWIDTH => {
                Self::Control(Control::decode(raw.message_type, raw.payload())?)
            }
            MessageType::USER_CONTROL => match UserControl::decode(raw.payload()) {
                Some(event) => Self::UserControl(event),
                None => Self::Other(raw),
            },
            MessageType::COMMAND | MessageType::COMMAND_AMF3 => {
                Self::Command(Command::decode(&raw, &limits.command)?)
            }
            MessageType::AUDIO
            | MessageType::VIDEO
            | MessageType::DATA
            | MessageType::DATA_AMF3 => match decode_frame(raw, &limits.data) {
                Ok(frame) => Self::Frame(frame),
                Err(raw) => Self::Other(raw),
            },
            MessageType::SHARED_OBJECT | MessageType::SHARED_OBJECT_AMF3 => {
                match SharedObject::decode(&raw, &limits.command) {
                    Ok(shared_object) => Self::SharedObject(shared_object),
                    Err(_) => Self::Other(raw),
                }
            }
            MessageType::AGGREGATE => {
                Self::Aggregate(Aggregate::new(raw).with_limit(limits.aggregate_parts))
            }
            _ => Self::Other(raw),
        })
    }
}

/// The frame that `raw` is: audio, video, or data that decodes within `limits`. Gives back what is
/// none.
pub(crate) fn decode_frame(raw: RawMessage, limits: &AmfLimits) -> Result<Frame, RawMessage> {
    match raw.message_type {
        MessageType::AUDIO => Ok(Frame::audio(raw.timestamp, raw.into_payload())),
        MessageType::VIDEO => Ok(Frame::video(raw.timestamp, raw.into_payload())),
        MessageType::DATA | MessageType::DATA_AMF3 => match normalise_data(&raw, limits) {
            Some(payload) => Ok(Frame::data(raw.timestamp, payload)),
            None => Err(raw),
        },
        _ => Err(raw),
    }
}

/// A message whose payload breaks its format.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum MessageError {
    /// A message shorter than its fields.
    #[error("{message_type:?} message of {length} bytes is cut short")]
    Truncated {
        /// Its type.
        message_type: MessageType,
        /// Its payload length.
        length: usize,
    },
    /// Set Chunk Size with 0 or with the top bit set.
    #[error("chunk size {size:#x} is not allowed")]
    InvalidChunkSize {
        /// The four bytes.
        size: u32,
    },
    /// A command that does not begin with a name, or goes on with something other than a number.
    #[error("command does not begin with a name and a transaction ID")]
    NotACommand,
    /// A part of an aggregate that is longer than what is left of the aggregate.
    #[error("part of {length} bytes in an aggregate of which {remaining} are left")]
    PartTooLong {
        /// Declared bytes of the part.
        length: usize,
        /// Bytes left.
        remaining: usize,
    },
    /// An aggregate within an aggregate.
    #[error("aggregate within an aggregate")]
    NestedAggregate,
    /// An aggregate of more parts than [`Limits::aggregate_parts`].
    #[error("aggregate with more than {limit} parts")]
    TooManyParts {
        /// The limit.
        limit: usize,
    },
    /// A shared object message with more events than allowed.
    #[error("shared object message with more than {limit} events")]
    TooManyEvents {
        /// The limit.
        limit: usize,
    },
    /// A message of type 16 whose first byte announces a format that does not exist.
    #[error("format selector {selector} is not known")]
    FormatSelector {
        /// The byte.
        selector: u8,
    },
    /// AMF values that do not decode.
    #[error("malformed values")]
    Amf(#[from] AmfError),
}
