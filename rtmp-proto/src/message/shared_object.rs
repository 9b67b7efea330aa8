//! Shared objects: named values that a server keeps the same on all its clients.
//!
//! ```text
//! name(16-bit length, UTF-8) version(32) flags(64)  then any number of events:
//! type(8) data length(32) data
//!
//!  1 Use             client                   7 Status          server  code, level (as name)
//!  2 Release         client                   8 Clear           server
//!  3 Request Change  client  slots            9 Remove          server  name
//!  4 Change          server  slots           10 Request Remove  client  name
//!  5 Success         server  name            11 Use Success     server
//!  6 Send Message    both    AMF values
//!
//! slots = *(name, AMF value)
//! ```
//!
//! Type 19 holds AMF0 values. Type 16 puts a format selector byte, 0, in front. The specification
//! leaves the widths out; these are what Flash Player and Red5 write.
//!
//! [RTMP 1.0 §7.1.3]

use alloc::{string::String, vec::Vec};
use core::fmt;

use bytes::Bytes;
use nom::{
    IResult, Parser,
    multi::length_data,
    number::complete::{be_u8, be_u16, be_u32, be_u64},
};

use super::MessageError;
use crate::{
    amf::{AmfError, Value, amf0},
    chunk::{MessageStreamId, MessageType, RawMessage},
    limits::AmfLimits,
    timestamp::Timestamp,
};

/// A message about one shared object: what has happened to it, in order.
///
/// `Debug` leaves names and values out, which are the application's.
#[derive(Clone, PartialEq)]
#[non_exhaustive]
pub struct SharedObject {
    /// Which object.
    pub name: SharedName,
    /// Counted up by the server with every change.
    pub version: u32,
    /// How the object is kept.
    pub flags: SharedObjectFlags,
    /// What has happened.
    pub events: Vec<SharedObjectEvent>,
}

impl SharedObject {
    /// A message about the object `name` without events, version 0.
    pub const fn new(name: SharedName) -> Self {
        Self {
            name,
            version: 0,
            flags: SharedObjectFlags(0),
            events: Vec::new(),
        }
    }

    /// This message with another version.
    #[must_use]
    pub fn with_version(mut self, version: u32) -> Self {
        self.version = version;
        self
    }

    /// This message with other flags.
    #[must_use]
    pub fn with_flags(mut self, flags: SharedObjectFlags) -> Self {
        self.flags = flags;
        self
    }

    /// This message with one more event.
    #[must_use]
    pub fn with(mut self, event: SharedObjectEvent) -> Self {
        self.events.push(event);
        self
    }

    /// Reads a message of type 19 or 16. The values of all events share `limits`, and so do the
    /// events themselves, as if each were a value.
    ///
    /// # Errors
    ///
    /// The message or an event is cut short, has values that do not decode, passes `limits`, or is
    /// of type 16 with a selector other than 0.
    pub fn decode(raw: &RawMessage, limits: &AmfLimits) -> Result<Self, MessageError> {
        let payload = match (raw.message_type, raw.payload().split_first()) {
            (MessageType::SHARED_OBJECT_AMF3, Some((0, rest))) => rest,
            (MessageType::SHARED_OBJECT_AMF3, Some((&selector, _))) => {
                return Err(MessageError::FormatSelector { selector });
            }
            _ => raw.payload(),
        };
        let cut_short = |_| MessageError::Truncated {
            message_type: raw.message_type,
            length: raw.payload().len(),
        };
        let (mut rest, (name, version, flags)) = header(payload).map_err(cut_short)?;
        let mut values = amf0::Decoder::new(&[], limits);
        let mut message = Self {
            name: SharedName::decode(name)?,
            version,
            flags: SharedObjectFlags(flags),
            events: Vec::new(),
        };
        while !rest.is_empty() {
            if message.events.len() >= limits.nodes {
                return Err(MessageError::TooManyEvents {
                    limit: limits.nodes,
                });
            }
            let (after, (event_type, data)) = event(rest).map_err(cut_short)?;
            let event = SharedObjectEvent::decode(event_type, data, &mut values);
            message.events.push(event.map_err(|error| match error {
                EventError::Truncated => cut_short(nom::Err::Incomplete(nom::Needed::Unknown)),
                EventError::Message(error) => error,
            })?);
            rest = after;
        }
        Ok(message)
    }

    /// The payload in the form of type 19.
    pub fn encode(&self) -> Vec<u8> {
        let mut out = Vec::with_capacity(128);
        self.name.encode(&mut out);
        out.extend_from_slice(&self.version.to_be_bytes());
        out.extend_from_slice(&self.flags.0.to_be_bytes());
        for event in &self.events {
            event.encode(&mut out);
        }
        out
    }

    /// The message of type 19, ready for message stream 0.
    ///
    /// # Errors
    ///
    /// The events take more bytes than a message can carry; gives their number.
    pub fn to_raw(&self) -> Result<RawMessage, usize> {
        RawMessage::new(
            MessageType::SHARED_OBJECT,
            MessageStreamId::CONTROL,
            Timestamp::ZERO,
            self.encode().into(),
        )
        .map_err(|refused| refused.0.len())
    }
}

impl fmt::Debug for SharedObject {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SharedObject")
            .field("version", &self.version)
            .field("flags", &self.flags)
            .field("events", &self.events)
            .finish_non_exhaustive()
    }
}

/// How a shared object is kept: 64 bits of which one is understood.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[expect(clippy::exhaustive_structs, reason = "a field of the wire format")]
pub struct SharedObjectFlags(pub u64);

impl SharedObjectFlags {
    /// It outlives the last client that uses it.
    pub const PERSISTENT: Self = Self(2 << 32);

    /// Whether it outlives the last client that uses it.
    pub const fn is_persistent(self) -> bool {
        self.0 & Self::PERSISTENT.0 != 0
    }
}

/// The name of a shared object, or of a slot of one: up to 65 535 bytes.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SharedName(String);

impl SharedName {
    /// The name `name`.
    ///
    /// # Errors
    ///
    /// It takes more than 65 535 bytes.
    pub fn new(name: impl Into<String>) -> Result<Self, SharedNameTooLong> {
        let name = name.into();
        match u16::try_from(name.len()) {
            Ok(_) => Ok(Self(name)),
            Err(_) => Err(SharedNameTooLong { length: name.len() }),
        }
    }

    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Invalid UTF-8 is replaced as in all AMF strings, which can make a name too long.
    fn decode(bytes: &[u8]) -> Result<Self, MessageError> {
        let name = String::from_utf8_lossy(bytes).into_owned();
        Self::new(name).map_err(|SharedNameTooLong { length }| {
            AmfError::NameTooLong { length, offset: 0 }.into()
        })
    }

    fn encode(&self, out: &mut Vec<u8>) {
        let length = u16::try_from(self.0.len()).expect("`new` refuses longer names");
        out.extend_from_slice(&length.to_be_bytes());
        out.extend_from_slice(self.0.as_bytes());
    }
}

impl fmt::Debug for SharedName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SharedName({} bytes)", self.0.len())
    }
}

/// The name of a shared object or of a slot takes more than 65 535 bytes.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("name of {length} bytes is longer than 65535")]
#[non_exhaustive]
pub struct SharedNameTooLong {
    /// Bytes of the name.
    pub length: usize,
}

/// A named value of a shared object.
#[derive(Clone, PartialEq)]
#[expect(clippy::exhaustive_structs, reason = "a name and a value")]
pub struct Slot {
    /// Its name.
    pub name: SharedName,
    /// Its value.
    pub value: Value,
}

impl fmt::Debug for Slot {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Slot")
    }
}

/// What happens to a shared object.
#[derive(Clone, PartialEq)]
#[non_exhaustive]
pub enum SharedObjectEvent {
    /// The client wants to use the object.
    Use,
    /// The client does not use the object any more.
    Release,
    /// The client wants slots to have these values.
    RequestChange(Vec<Slot>),
    /// Slots have these values now: to every client but the one who asked.
    Change(Vec<Slot>),
    /// The slot has the value that was asked for: to the client who asked.
    Success(SharedName),
    /// A call for all clients: the handler's name, then its arguments.
    SendMessage(Vec<Value>),
    /// The object is in trouble.
    Status {
        /// What has happened (`SharedObject.NoWriteAccess`…).
        code: SharedName,
        /// How serious it is.
        level: SharedName,
    },
    /// All slots are gone; also answers [`Use`](Self::Use).
    Clear,
    /// The slot is gone.
    Remove(SharedName),
    /// The client wants the slot to go.
    RequestRemove(SharedName),
    /// The client may use the object.
    UseSuccess,
    /// An event with no meaning here (12 to 14 of FMS, for instance).
    Unknown {
        /// Its type.
        event_type: u8,
        /// Its data.
        data: Bytes,
    },
}

impl SharedObjectEvent {
    /// The type on the wire.
    pub const fn event_type(&self) -> u8 {
        match self {
            Self::Use => 1,
            Self::Release => 2,
            Self::RequestChange(_) => 3,
            Self::Change(_) => 4,
            Self::Success(_) => 5,
            Self::SendMessage(_) => 6,
            Self::Status { .. } => 7,
            Self::Clear => 8,
            Self::Remove(_) => 9,
            Self::RequestRemove(_) => 10,
            Self::UseSuccess => 11,
            Self::Unknown { event_type, .. } => *event_type,
        }
    }

    /// Data beyond what an event needs is ignored.
    fn decode<'a>(
        event_type: u8,
        data: &'a [u8],
        values: &mut amf0::Decoder<'a>,
    ) -> Result<Self, EventError> {
        Ok(match event_type {
            1 => Self::Use,
            2 => Self::Release,
            3 => Self::RequestChange(slots(data, values)?),
            4 => Self::Change(slots(data, values)?),
            5 => Self::Success(name(data)?.1),
            6 => {
                values.restart(data);
                let mut arguments = Vec::new();
                while let Some(value) = values.next_value()? {
                    arguments.push(value);
                }
                Self::SendMessage(arguments)
            }
            7 => {
                let (rest, code) = name(data)?;
                let (_, level) = name(rest)?;
                Self::Status { code, level }
            }
            8 => Self::Clear,
            9 => Self::Remove(name(data)?.1),
            10 => Self::RequestRemove(name(data)?.1),
            11 => Self::UseSuccess,
            _ => Self::Unknown {
                event_type,
                data: Bytes::copy_from_slice(data),
            },
        })
    }

    fn encode(&self, out: &mut Vec<u8>) {
        out.push(self.event_type());
        let length_at = out.len();
        out.extend_from_slice(&[0; 4]);
        match self {
            Self::Use | Self::Release | Self::Clear | Self::UseSuccess => {}
            Self::RequestChange(slots) | Self::Change(slots) => {
                for slot in slots {
                    slot.name.encode(out);
                    amf0::encode(&slot.value, out);
                }
            }
            Self::Success(name) | Self::Remove(name) | Self::RequestRemove(name) => {
                name.encode(out);
            }
            Self::SendMessage(values) => amf0::encode_all(values, out),
            Self::Status { code, level } => {
                code.encode(out);
                level.encode(out);
            }
            Self::Unknown { data, .. } => out.extend_from_slice(data),
        }
        // Data this long makes a message that cannot be sent.
        let length = u32::try_from(out.len() - length_at - 4).unwrap_or(u32::MAX);
        if let Some(field) = out.get_mut(length_at..length_at + 4) {
            field.copy_from_slice(&length.to_be_bytes());
        }
    }
}

impl fmt::Debug for SharedObjectEvent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Use => "Use",
            Self::Release => "Release",
            Self::RequestChange(_) => "RequestChange",
            Self::Change(_) => "Change",
            Self::Success(_) => "Success",
            Self::SendMessage(_) => "SendMessage",
            Self::Status { .. } => "Status",
            Self::Clear => "Clear",
            Self::Remove(_) => "Remove",
            Self::RequestRemove(_) => "RequestRemove",
            Self::UseSuccess => "UseSuccess",
            Self::Unknown { event_type, data } => {
                return write!(f, "Unknown({event_type}, {} bytes)", data.len());
            }
        })
    }
}

/// Why an event does not decode.
enum EventError {
    Truncated,
    Message(MessageError),
}

impl From<AmfError> for EventError {
    fn from(error: AmfError) -> Self {
        Self::Message(error.into())
    }
}

impl From<nom::Err<nom::error::Error<&[u8]>>> for EventError {
    fn from(_: nom::Err<nom::error::Error<&[u8]>>) -> Self {
        Self::Truncated
    }
}

/// Name, version and flags.
fn header(input: &[u8]) -> IResult<&[u8], (&[u8], u32, u64)> {
    (length_data(be_u16), be_u32, be_u64).parse(input)
}

/// Type and data.
fn event(input: &[u8]) -> IResult<&[u8], (u8, &[u8])> {
    (be_u8, length_data(be_u32)).parse(input)
}

fn name(input: &[u8]) -> Result<(&[u8], SharedName), EventError> {
    let parsed: IResult<&[u8], &[u8]> = length_data(be_u16).parse(input);
    let (rest, bytes) = parsed?;
    Ok((
        rest,
        SharedName::decode(bytes).map_err(EventError::Message)?,
    ))
}

fn slots<'a>(mut data: &'a [u8], values: &mut amf0::Decoder<'a>) -> Result<Vec<Slot>, EventError> {
    let mut slots = Vec::new();
    while !data.is_empty() {
        let (rest, name) = name(data)?;
        values.restart(rest);
        let value = values.next_value()?.ok_or(EventError::Truncated)?;
        slots.push(Slot { name, value });
        data = values.remaining();
    }
    Ok(slots)
}

#[cfg(test)]
mod tests {
    use alloc::{format, vec};

    use hex_literal::hex;
    use proptest::prelude::*;

    use super::*;

    fn decode(message_type: MessageType, payload: &[u8]) -> Result<SharedObject, MessageError> {
        let raw = RawMessage::new(
            message_type,
            MessageStreamId::CONTROL,
            Timestamp::ZERO,
            Bytes::copy_from_slice(payload),
        );
        SharedObject::decode(&raw.unwrap(), &AmfLimits::COMMAND)
    }

    fn named(text: &str) -> SharedName {
        SharedName::new(text).unwrap()
    }

    fn slot(name: &str, value: impl Into<Value>) -> Slot {
        Slot {
            name: named(name),
            value: value.into(),
        }
    }

    fn every_event() -> Vec<(SharedObjectEvent, Vec<u8>)> {
        use SharedObjectEvent as Event;
        let a = || named("a");
        vec![
            (Event::Use, hex!("01 00000000").to_vec()),
            (Event::Release, hex!("02 00000000").to_vec()),
            (
                Event::RequestChange(vec![slot("a", true)]),
                hex!("03 00000005 0001 61 01 01").to_vec(),
            ),
            (
                Event::Change(vec![slot("a", true), slot("b", Value::Null)]),
                hex!("04 00000009 0001 61 01 01 0001 62 05").to_vec(),
            ),
            (Event::Success(a()), hex!("05 00000003 0001 61").to_vec()),
            (
                Event::SendMessage(vec!["f".into(), 0.0.into()]),
                hex!("06 0000000D 02 0001 66 00 0000000000000000").to_vec(),
            ),
            (
                Event::Status {
                    code: named("c"),
                    level: named("l"),
                },
                hex!("07 00000006 0001 63 0001 6C").to_vec(),
            ),
            (Event::Clear, hex!("08 00000000").to_vec()),
            (Event::Remove(a()), hex!("09 00000003 0001 61").to_vec()),
            (
                Event::RequestRemove(a()),
                hex!("0A 00000003 0001 61").to_vec(),
            ),
            (Event::UseSuccess, hex!("0B 00000000").to_vec()),
            (
                Event::Unknown {
                    event_type: 13,
                    data: vec![1, 2].into(),
                },
                hex!("0D 00000002 0102").to_vec(),
            ),
        ]
    }

    /// MSG-12, MSG-26 to MSG-39: each event alone, and all of them in one message.
    #[test]
    fn vectors() {
        let header = hex!("0002 736F 00000007 00000002 00000000");
        let message = SharedObject::new(named("so"))
            .with_version(7)
            .with_flags(SharedObjectFlags::PERSISTENT);
        let (mut all, mut all_bytes) = (message.clone(), header.to_vec());
        for (event, bytes) in every_event() {
            let payload = [&header[..], &bytes].concat();
            let message = message.clone().with(event.clone());
            assert_eq!(message.encode(), payload, "{event:?}");
            assert_eq!(decode(MessageType::SHARED_OBJECT, &payload), Ok(message));
            all = all.with(event);
            all_bytes.extend_from_slice(&bytes);
        }
        assert_eq!(all.encode(), all_bytes);
        assert_eq!(decode(MessageType::SHARED_OBJECT, &all_bytes), Ok(all));
    }

    /// MSG-13, MSG-14
    #[test]
    fn type_16_has_a_selector() {
        let message = SharedObject::new(named("so")).with(SharedObjectEvent::Use);
        let framed = [&[0][..], &message.encode()].concat();
        assert_eq!(
            decode(MessageType::SHARED_OBJECT_AMF3, &framed),
            Ok(message)
        );
        let selector = 2;
        assert_eq!(
            decode(MessageType::SHARED_OBJECT_AMF3, &hex!("02 0000")),
            Err(MessageError::FormatSelector { selector })
        );
    }

    /// MSG-15: single values may be in AMF3, and refer to nothing in other slots' values.
    #[test]
    fn amf3_values() {
        let payload = hex!(
            "00 0002 736F 00000001 0000000000000000"
            "04 00000005 0001 61 11 01"
            "04 00000007 0001 62 11 06 03 78"
            "04 00000006 0001 63 11 04 05"
        );
        let message = decode(MessageType::SHARED_OBJECT_AMF3, &payload).unwrap();
        let slot = |name, value| {
            let slot = Slot {
                name: named(name),
                value,
            };
            SharedObjectEvent::Change(vec![slot])
        };
        let expected = [
            slot("a", Value::Null),
            slot("b", "x".into()),
            slot("c", 5.0.into()),
        ];
        assert_eq!(message.events, expected);
    }

    /// Cut at every byte: only between events is it a message.
    #[test]
    fn truncation_at_every_byte() {
        let mut message = SharedObject::new(named("so"));
        let mut ends = vec![message.encode().len()];
        for (event, _) in every_event() {
            message = message.with(event);
            ends.push(message.encode().len());
        }
        let payload = message.encode();
        for cut in 0..=payload.len() {
            let is_message = decode(MessageType::SHARED_OBJECT, &payload[..cut]).is_ok();
            assert_eq!(is_message, ends.contains(&cut), "{cut}");
        }
    }

    /// Ten thousand events, and ten thousand values in as many events, are too many.
    #[test]
    fn events_and_values_share_the_limits() {
        let header = hex!("0000 00000000 0000000000000000");
        let many = |event: &[u8], count| [&header[..], &event.repeat(count)].concat();
        let decode = |payload: &[u8]| decode(MessageType::SHARED_OBJECT, payload);
        let events = many(&hex!("01 00000000"), AmfLimits::COMMAND.nodes);
        assert!(decode(&events).is_ok());
        let limit = AmfLimits::COMMAND.nodes;
        let events = many(&hex!("01 00000000"), limit + 1);
        assert_eq!(decode(&events), Err(MessageError::TooManyEvents { limit }));
        let values = many(&hex!("06 00000002 05 05"), limit / 2 + 1);
        assert_eq!(
            decode(&values),
            Err(AmfError::TooManyValues { limit, offset: 0 }.into())
        );
    }

    #[test]
    fn names_are_bounded() {
        assert!(SharedName::new("n".repeat(0xFFFF)).is_ok());
        let length = 0x1_0000;
        assert_eq!(
            SharedName::new("n".repeat(length)),
            Err(SharedNameTooLong { length })
        );
    }

    #[test]
    fn debug_shows_no_values() {
        let secret = SharedObject::new(named("SECRET"))
            .with(SharedObjectEvent::Change(vec![slot("SECRET", "SECRET")]))
            .with(SharedObjectEvent::SendMessage(vec!["SECRET".into()]));
        assert!(!format!("{secret:?}").contains("SECRET"));
    }

    proptest! {
        /// Any bytes decode or fail; what decodes is written again and read the same.
        #[test]
        fn any_bytes(
            is_framed in any::<bool>(),
            name in "[a-z]{0,3}",
            events in prop::collection::vec((0..14_u8, prop::collection::vec(0..10_u8, 0..12)), 0..5),
            tail in prop::collection::vec(any::<u8>(), 0..3),
        ) {
            let mut payload = SharedObject::new(named(&name)).encode();
            for (event_type, data) in events {
                let data = data.into();
                SharedObjectEvent::Unknown { event_type, data }.encode(&mut payload);
            }
            payload.extend_from_slice(&tail);
            let (message_type, payload) = match is_framed {
                true => (MessageType::SHARED_OBJECT_AMF3, [&[0][..], &payload].concat()),
                false => (MessageType::SHARED_OBJECT, payload),
            };
            if let Ok(message) = decode(message_type, &payload) {
                prop_assert_eq!(decode(MessageType::SHARED_OBJECT, &message.encode()), Ok(message));
            }
        }
    }
}
