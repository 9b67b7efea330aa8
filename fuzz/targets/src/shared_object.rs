//! Shared objects.

use arbitrary::{Result, Unstructured};
use bytes::Bytes;
use rtmp_proto::{
    AmfLimits, Limits, MessageStreamId, Timestamp,
    amf::Value,
    chunk::{MessageType, RawMessage},
    message::{SharedName, SharedObject, SharedObjectEvent, SharedObjectFlags, Slot},
};

use crate::input::{payload, small_limits, text, value};

/// What decodes means the same once it was encoded, within the same limits; and any events survive the
/// way through a message. The first byte picks the type of the message, or a structure.
pub fn shared_object(data: &[u8]) {
    let Some((&kind, data)) = data.split_first() else {
        return;
    };
    let message_type = match kind & 3 {
        0 | 1 => MessageType::SHARED_OBJECT,
        2 => MessageType::SHARED_OBJECT_AMF3,
        _ => {
            // A structure that ends early is one as well.
            let _ = events(&mut Unstructured::new(data));
            return;
        }
    };
    let payload = Bytes::copy_from_slice(data);
    let raw = RawMessage::new(
        message_type,
        MessageStreamId::CONTROL,
        Timestamp::ZERO,
        payload,
    );
    let raw = raw.expect("short enough");
    for limits in [Limits::default(), small_limits()] {
        if let Ok(message) = SharedObject::decode(&raw, &limits.command) {
            check(&message, &limits.command);
        }
    }
}

/// A message with a few events.
pub(crate) fn shared_object_message(u: &mut Unstructured<'_>) -> Result<SharedObject> {
    let mut message = SharedObject::new(name(u)?)
        .with_version(u.arbitrary()?)
        .with_flags(SharedObjectFlags(u.arbitrary()?));
    for _ in 0..u.int_in_range(0..=9)? {
        message = message.with(event(u)?);
    }
    Ok(message)
}

fn events(u: &mut Unstructured<'_>) -> Result<()> {
    let message = shared_object_message(u)?;
    let unlimited = AmfLimits::COMMAND
        .with_nodes(usize::MAX)
        .with_string_bytes(usize::MAX);
    if is_amf0(&message) {
        check(&message, &unlimited);
    } else if let Ok(raw) = message.to_raw() {
        // AMF3 has fewer kinds of values, so not at once.
        let message = SharedObject::decode(&raw, &unlimited).expect("an encoded message");
        check(&message, &unlimited);
    }
    Ok(())
}

/// Whether no value in it needs AMF3.
fn is_amf0(message: &SharedObject) -> bool {
    message.events.iter().all(|event| match event {
        SharedObjectEvent::RequestChange(slots) | SharedObjectEvent::Change(slots) => {
            slots.iter().all(|slot| slot.value.is_amf0())
        }
        SharedObjectEvent::SendMessage(values) => values.iter().all(Value::is_amf0),
        _ => true,
    })
}

fn event(u: &mut Unstructured<'_>) -> Result<SharedObjectEvent> {
    Ok(match u.int_in_range(0..=11)? {
        0 => SharedObjectEvent::Use,
        1 => SharedObjectEvent::Release,
        2 => SharedObjectEvent::RequestChange(slots(u)?),
        3 => SharedObjectEvent::Change(slots(u)?),
        4 => SharedObjectEvent::Success(name(u)?),
        5 => SharedObjectEvent::SendMessage(vec![value(u, 2)?, value(u, 2)?]),
        6 => SharedObjectEvent::Status {
            code: name(u)?,
            level: name(u)?,
        },
        7 => SharedObjectEvent::Clear,
        8 => SharedObjectEvent::Remove(name(u)?),
        9 => SharedObjectEvent::RequestRemove(name(u)?),
        10 => SharedObjectEvent::UseSuccess,
        _ => SharedObjectEvent::Unknown {
            event_type: u.int_in_range(12..=255)?,
            data: payload(u)?,
        },
    })
}

fn slots(u: &mut Unstructured<'_>) -> Result<Vec<Slot>> {
    let mut slots = Vec::new();
    for _ in 0..u.int_in_range(0..=3)? {
        let (name, value) = (name(u)?, value(u, 2)?);
        slots.push(Slot { name, value });
    }
    Ok(slots)
}

fn name(u: &mut Unstructured<'_>) -> Result<SharedName> {
    let name = SharedName::new(text(u)?);
    Ok(name.unwrap_or_else(|_| SharedName::new("").expect("short enough")))
}

/// By their encodings, since a NaN differs from itself.
fn check(message: &SharedObject, limits: &AmfLimits) {
    let _ = format!("{message:?}");
    // Not if it is longer than a message can be.
    let Ok(raw) = message.to_raw() else { return };
    let again = SharedObject::decode(&raw, limits).expect("what was decoded can be encoded");
    assert!(
        again.encode() == message.encode(),
        "{message:?} and {again:?}"
    );
}
