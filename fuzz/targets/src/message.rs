//! Messages.

use bytes::Bytes;
use rtmp_proto::{
    Limits, MessageStreamId, Status, Timestamp, UserControl,
    chunk::{MessageType, RawMessage},
    flv::Frame,
    message::{Command, Control, Message},
};

use crate::input::small_limits;

/// Every message that decodes means the same once it was encoded. The first byte is its type.
pub fn message(data: &[u8]) {
    let Some((&message_type, payload)) = data.split_first() else {
        return;
    };
    let message_type = MessageType(message_type);
    let payload = Bytes::copy_from_slice(payload);
    let stream = MessageStreamId::new(1);
    let raw = RawMessage::new(message_type, stream, Timestamp::ZERO, payload.clone());
    let Ok(raw) = raw else { return };
    let _ = Message::decode(raw.clone(), &small_limits());
    let limits = Limits::default();
    match Message::decode(raw.clone(), &limits) {
        Ok(Message::Control(control)) => {
            let raw = control.encode();
            assert_eq!(
                Control::decode(raw.message_type, raw.payload()),
                Ok(control)
            );
        }
        Ok(Message::UserControl(event)) => {
            let again = UserControl::decode(event.encode().payload());
            assert_eq!(again, Some(event));
        }
        Ok(Message::Command(command)) => check_command(&command, &limits),
        Ok(Message::Frame(frame)) => check_frame(&frame, raw, &limits),
        Ok(Message::Other(other)) => assert_eq!(other, raw),
        Ok(_) | Err(_) => {}
    }
}

fn check_command(command: &Command, limits: &Limits) {
    // Secrets are left out; it only must not panic.
    let _ = format!("{command:?}");
    let encoded = command.encode();
    let raw = RawMessage::new(
        MessageType::COMMAND,
        MessageStreamId::CONTROL,
        Timestamp::ZERO,
        encoded.clone().into(),
    );
    let Ok(raw) = raw else { return };
    // An object that was missing is null now, which is one value more.
    let mut limits = limits.command;
    limits.nodes += 1;
    let again = Command::decode(&raw, &limits).expect("what was decoded can be encoded");
    assert_eq!(again.encode(), encoded);
    for value in [&command.object].into_iter().chain(&command.arguments) {
        if let Some(status) = Status::from_value(value) {
            let again = Status::from_value(&status.to_object().into());
            assert_eq!(again.map(|status| status.code), Some(status.code));
        }
    }
}

/// What was normalised stays as it is.
fn check_frame(frame: &Frame, raw: RawMessage, limits: &Limits) {
    let payload = frame.payload.clone();
    if frame.is_audio() || frame.is_video() {
        assert_eq!(payload, raw.into_payload());
        return;
    }
    let raw = RawMessage::new(
        MessageType::DATA,
        raw.stream,
        raw.timestamp,
        payload.clone(),
    );
    let again = raw.map(|raw| Message::decode(raw, limits));
    match again {
        Ok(Ok(Message::Frame(frame))) => assert_eq!(frame.payload, payload),
        other => panic!("normalised data is not data: {other:?}"),
    }
}
