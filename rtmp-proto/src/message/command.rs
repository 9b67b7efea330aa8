//! Commands: remote calls and their answers.
//!
//! ```text
//! name(string) transaction ID(number) command object(object or null) arguments...
//! ```
//!
//! Type 20 is this in AMF0. Type 17 puts a format selector byte, 0, in front, and single values of it
//! may be in AMF3; both are read alike, and answers are of type 20, which everybody reads. Some send
//! type 17 without the selector byte, which shows by the marker of the name (CHECKLIST A-34).
//!
//! [RTMP 1.0 §7.1.1, §7.2], [E-RTMP v2 "Important AMF3-encoded Historical Specification
//! Clarification"]

use alloc::vec::Vec;
use core::fmt;

use super::MessageError;
use crate::{
    amf::{AmfError, Text, Value, amf0},
    chunk::{MessageType, RawMessage},
    limits::AmfLimits,
};

/// A command or the answer to one.
#[derive(Clone, PartialEq)]
#[non_exhaustive]
pub struct Command {
    /// The procedure, or `_result` or `_error` in an answer.
    pub name: Text,
    /// What ties an answer to its command.
    pub transaction_id: TransactionId,
    /// The command object: null, or an object for `connect`.
    pub object: Value,
    /// What follows it.
    pub arguments: Vec<Value>,
}

impl Command {
    /// A command without arguments and with a null command object.
    pub fn new(name: impl Into<Text>, transaction_id: TransactionId) -> Self {
        Self {
            name: name.into(),
            transaction_id,
            object: Value::Null,
            arguments: Vec::new(),
        }
    }

    /// This command with another command object.
    #[must_use]
    pub fn with_object(mut self, object: impl Into<Value>) -> Self {
        self.object = object.into();
        self
    }

    /// This command with one more argument.
    #[must_use]
    pub fn with(mut self, argument: impl Into<Value>) -> Self {
        self.arguments.push(argument.into());
        self
    }

    /// The argument at `index`, undefined where there is none.
    pub fn argument(&self, index: usize) -> &Value {
        self.arguments.get(index).unwrap_or(&Value::Undefined)
    }

    /// Reads a command of type 20 or 17.
    ///
    /// A missing command object is null, and a command that is a name only wants no answer
    /// (`onFCPublish` of ffmpeg's listening mode). A value of an unknown type and those after it are
    /// left out, since their length is not known.
    ///
    /// # Errors
    ///
    /// There is no name, no number behind it, or the values are malformed or pass `limits`.
    pub fn decode(raw: &RawMessage, limits: &AmfLimits) -> Result<Self, MessageError> {
        let payload = match (raw.message_type, raw.payload().split_first()) {
            (MessageType::COMMAND_AMF3, Some((0, rest))) => rest,
            _ => raw.payload(),
        };
        let mut values = amf0::Decoder::new(payload, limits);
        let Some(Value::String(name)) = values.next_value()? else {
            return Err(MessageError::NotACommand);
        };
        let transaction_id = match values.next_value()? {
            Some(Value::Number(id)) => TransactionId(id),
            None => TransactionId::NONE,
            Some(_) => return Err(MessageError::NotACommand),
        };
        let mut next = || match values.next_value() {
            Err(AmfError::UnknownMarker { .. } | AmfError::UnknownExternalizable { .. }) => {
                Ok(None)
            }
            other => other,
        };
        let mut command = Self::new(name, transaction_id);
        if let Some(object) = next()? {
            command.object = object;
            while let Some(argument) = next()? {
                command.arguments.push(argument);
            }
        }
        Ok(command)
    }

    /// The payload, in the form of type 20.
    pub fn encode(&self) -> Vec<u8> {
        let mut out = Vec::with_capacity(TYPICAL_LEN);
        amf0::encode(&Value::from(self.name.as_str()), &mut out);
        amf0::encode(&Value::Number(self.transaction_id.0), &mut out);
        amf0::encode(&self.object, &mut out);
        for argument in &self.arguments {
            amf0::encode(argument, &mut out);
        }
        out
    }
}

impl fmt::Debug for Command {
    /// Leaves the values out: they hold stream keys and tokens.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Command")
            .field("name", &self.name)
            .field("transaction_id", &self.transaction_id)
            .field("arguments", &self.arguments.len())
            .finish_non_exhaustive()
    }
}

/// The number that ties an answer to its command; 0 asks for no answer.
#[derive(Clone, Copy, PartialEq)]
pub struct TransactionId(f64);

impl TransactionId {
    /// No answer wanted.
    pub const NONE: Self = Self(0.0);

    /// The transaction `id`.
    pub const fn new(id: u32) -> Self {
        Self(id as f64)
    }

    /// The number as sent; a peer may have chosen any.
    pub const fn get(self) -> f64 {
        self.0
    }

    /// Whether the sender of a command waits for its answer.
    pub fn wants_answer(self) -> bool {
        self != Self::NONE
    }
}

impl fmt::Debug for TransactionId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "TransactionId({})", self.0)
    }
}

/// Room made for a command: `connect` of most clients fits.
const TYPICAL_LEN: usize = 512;

#[cfg(test)]
mod tests {
    use alloc::{format, vec};

    use bytes::Bytes;
    use hex_literal::hex;

    use super::*;
    use crate::{amf::Object, chunk::MessageStreamId, timestamp::Timestamp};

    fn decode(message_type: MessageType, payload: &[u8]) -> Result<Command, MessageError> {
        let raw = RawMessage::new(
            message_type,
            MessageStreamId::CONTROL,
            Timestamp::ZERO,
            Bytes::copy_from_slice(payload),
        );
        Command::decode(&raw.unwrap(), &AmfLimits::COMMAND)
    }

    const CREATE_STREAM: [u8; 25] = hex!("02 000C 63726561746553747265616D 00 4010000000000000 05");

    /// MSG-8, MSG-18.
    #[test]
    fn create_stream_vector() {
        let command = Command::new("createStream", TransactionId::new(4));
        assert_eq!(
            decode(MessageType::COMMAND, &CREATE_STREAM),
            Ok(command.clone())
        );
        assert_eq!(command.encode(), CREATE_STREAM);
    }

    /// MSG-9, MSG-14, MSG-17.
    #[test]
    fn type_17_with_and_without_selector() {
        let framed = [&[0][..], &CREATE_STREAM].concat();
        let expected = decode(MessageType::COMMAND, &CREATE_STREAM);
        assert_eq!(decode(MessageType::COMMAND_AMF3, &framed), expected);
        assert_eq!(decode(MessageType::COMMAND_AMF3, &CREATE_STREAM), expected);
    }

    /// MSG-15, AMF0-34, AMF0-35: values of a type 17 message may be in AMF3, each for itself; their
    /// references reach back to the ones before (CHECKLIST A-35).
    #[test]
    fn amf3_arguments() {
        let payload = [
            &hex!("00")[..],
            &CREATE_STREAM,
            &hex!("11 06 07 6B6579"),
            &hex!("02 0004 6C697665"),
            &hex!("11 0A 0B 01 03 61 06 00 01"),
            &hex!("11 04 07"),
        ]
        .concat();
        let expected = Command::new("createStream", TransactionId::new(4))
            .with("key")
            .with("live")
            .with(Object::new().with("a", "key"))
            .with(7.0);
        let command = decode(MessageType::COMMAND_AMF3, &payload).unwrap();
        assert_eq!(command, expected);
        assert_eq!(
            decode(MessageType::COMMAND, &command.encode()),
            Ok(expected),
            "as AMF0"
        );
    }

    /// Quirks: an argument nobody understands ends the list instead of the connection.
    #[test]
    fn values_after_an_unknown_marker_are_left_out() {
        let unknown_class_in_array = hex!("11 09 03 01 0A 07 03 58 00 05");
        for unknown in [&hex!("12 05")[..], &hex!("11 12"), &unknown_class_in_array] {
            let payload = [&CREATE_STREAM[..], &hex!("0101"), unknown].concat();
            let command = decode(MessageType::COMMAND_AMF3, &payload).unwrap();
            assert_eq!(command.arguments, vec![Value::Boolean(true)]);
        }
    }

    /// ffmpeg -listen 1 answers `FCPublish` so.
    #[test]
    fn a_name_only() {
        assert_eq!(
            decode(
                MessageType::COMMAND,
                &hex!("02 000B 6F6E46435075626C697368")
            ),
            Ok(Command::new("onFCPublish", TransactionId::NONE))
        );
        assert_eq!(
            decode(MessageType::COMMAND, &hex!("02 0001 61 05")),
            Err(MessageError::NotACommand)
        );
    }

    /// Cut at every byte: what follows the name may be missing, values may not be cut.
    #[test]
    fn truncation_at_every_byte() {
        let full = Command::new("publish", TransactionId::new(5))
            .with_object(Object::new().with("a", 1.0))
            .with("key")
            .with("live")
            .encode();
        let outcomes = (0..full.len())
            .filter(|&cut| decode(MessageType::COMMAND, &full[..cut]).is_ok())
            .count();
        let whole_values = 5;
        let unterminated_objects = 4;
        assert!(
            (1..=whole_values + unterminated_objects).contains(&outcomes),
            "{outcomes} of {} cuts decode",
            full.len()
        );
    }

    #[test]
    fn debug_shows_no_values() {
        let command = Command::new("publish", TransactionId::NONE).with("secret-key");
        assert!(!format!("{command:?}").contains("secret"));
    }
}
