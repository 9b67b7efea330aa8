//! What goes over the wire whatever is said: the first bytes, chunk streams, sizes, timestamps,
//! control messages, and messages without a meaning.

mod common;

use bytes::{Bytes, BytesMut};
use common::{
    Pair,
    scripted::{Scripted, handshake},
    take_output,
};
use rtmp_proto::{
    ClientConfig, ClientEvent, MessageStreamId, RequestError, SendError, ServerConfig, ServerEvent,
    SessionState, Timestamp, UserControl,
    amf::Value,
    chunk::{ChunkSize, MessageType, RawMessage},
    message::Control,
};

const NULL: Value = Value::Null;
const ONE: MessageStreamId = MessageStreamId::new(1);

/// GEN-4, GEN-5, GEN-7, NS-72: a stream begins anywhere and goes on over the wrap, and what is
/// received has the timestamps that were sent.
#[test]
fn timestamps_arrive_as_sent() {
    let mut pair = Pair::publishing();
    let times = [4_000_000_000, u32::MAX, 0, 16_777_215, 16_777_216, 3];
    for time in times {
        let payload = Bytes::from_static(&[0xAF, 1, 2]);
        let time = Timestamp::from_millis(time);
        pair.client.send_audio(ONE, time, payload).unwrap();
    }
    pair.drive();
    let received: Vec<_> = pair
        .server_events
        .iter()
        .filter_map(|event| match event {
            ServerEvent::Frame { frame, .. } => Some(frame.timestamp.as_millis()),
            _ => None,
        })
        .collect();
    assert_eq!(received, times);
}

/// GEN-11, MSG-1: the length field has 24 bits.
#[test]
fn no_message_is_longer_than_its_length_field() {
    let message = |payload| RawMessage::new(MessageType::VIDEO, ONE, Timestamp::ZERO, payload);
    let longest = Bytes::from(vec![0x17; 0xFF_FFFF]);
    let too_long = Bytes::from(vec![0x17; 0x100_0000]);
    assert!(message(longest.clone()).is_ok());
    assert_eq!(message(too_long.clone()).unwrap_err().0, too_long);

    let mut pair = Pair::publishing();
    let refused = pair
        .client
        .send_video(ONE, Timestamp::ZERO, too_long.clone());
    assert_eq!(refused, Err(SendError::TooLong(too_long)));
    assert_eq!(pair.client.queued_len(), 0);
    pair.client
        .send_video(ONE, Timestamp::ZERO, longest)
        .unwrap();
    pair.drive();
    assert!(matches!(
        pair.server_events.last(),
        Some(ServerEvent::Frame { frame, .. }) if frame.payload.len() == 0xFF_FFFF
    ));
}

/// HS-1, HS-3, HS-4, HS-22: a client that wants to publish sends C0, C1 and C2 and nothing else
/// until all of S2 is there.
#[test]
fn a_client_waits_for_s2() {
    let mut peer = Scripted::fresh_client(ClientConfig::default());
    peer.session.publish_to(peer.now, &common::url()).unwrap();
    assert_eq!(output(&mut peer).len(), 1 + 1536);
    let reply = handshake();
    peer.bytes(&reply[..1 + 1536]);
    assert_eq!(output(&mut peer).len(), 1536);
    peer.bytes(&reply[1 + 1536..1536 + 1536]);
    assert_eq!(output(&mut peer), []);
    peer.bytes(&reply[1536 + 1536..]);
    assert_eq!(output(&mut peer)[0], 0x02, "Set Chunk Size, then connect");
}

/// HS-1, HS-5, HS-8, HS-22: a server sends S0, S1 and S2 and nothing else until all of C2 is there.
#[test]
fn a_server_waits_for_c2() {
    let mut peer = Scripted::fresh_server(ServerConfig::default());
    assert_eq!(output(&mut peer), []);
    peer.bytes(&handshake()[..1 + 1536]);
    let too_early = peer
        .session
        .send_user_control(&UserControl::StreamBegin(ONE));
    assert_eq!(too_early, Err(RequestError::WrongState));
    assert_eq!(output(&mut peer).len(), 1 + 1536 + 1536);
    peer.bytes(&handshake()[1 + 1536..1536 + 1536]);
    assert_eq!(peer.session.state(), SessionState::Handshaking);
    peer.bytes(&[0]);
    assert_eq!(peer.session.state(), SessionState::Open);
    assert_eq!(output(&mut peer), []);
}

/// PC-1, PC-2, UC-2, UC-3, UC-5, CH-3, CH-14: the messages before the answer to `connect` are each
/// one chunk of type 0 on chunk stream 2 and message stream 0.
#[test]
fn control_messages_leave_on_chunk_stream_2() {
    let mut peer = Scripted::server();
    output(&mut peer);
    peer.command(0, "connect", 1.0, [common::scripted::app("live")]);
    let bytes = output(&mut peer);
    let mut rest = &bytes[..];
    let mut types = Vec::new();
    while rest[0] == 0x02 {
        let header = &rest[1..12];
        assert_eq!(header[..3], [0; 3], "timestamp");
        assert_eq!(header[7..], [0; 4], "message stream");
        let length = usize::from(header[5]);
        assert_eq!(header[3..5], [0; 2]);
        assert!(length <= 128);
        types.push(header[6]);
        rest = &rest[12 + length..];
    }
    assert_eq!(types, [5, 6, 4, 1]);
    assert_eq!(rest[0], 0x03, "the answer has another chunk stream");
}

/// PC-3, PC-4, PC-12, UC-4: what a control message says holds at once, whatever the chunk stream,
/// message stream and timestamp it came with, and whenever it comes.
#[test]
fn control_messages_work_from_anywhere() {
    let mut peer = Scripted::publishing();
    for (round, size) in [(0_u32, 256_u16), (1, 4), (2, 300)] {
        let [high, low] = size.to_be_bytes();
        let time = 0xFF_0000 - round;
        peer.message(7, 1, 5, time, &[0, 0, high, low]);
        let mut chunk = vec![0x06, 0, 0, 1, 0, high, low, 9, 1, 0, 0, 0];
        chunk.resize(12 + usize::from(size), 0x17);
        peer.bytes(&chunk);
        assert_eq!(peer.frames().last(), Some(&(1, 9, 1, size.into())));
        peer.message(7, 1, 5, time, &[0, 0, 0, 128]);
    }
    peer.message(9, 4, 3, 77, &[0, 6, 0, 0, 0, 9]);
    assert_eq!(peer.replies(), ["PingResponse(9)"]);
}

/// PC-6 to PC-8, PC-11: sizes that can be announced have a clear top bit, are never 0, and are 128
/// or more unless the application says otherwise.
#[test]
fn announced_chunk_sizes() {
    assert_eq!(ChunkSize::new(0), None);
    for size in [1, 128, 65_536, 0x7FFF_FFFF] {
        let size = ChunkSize::new(size).unwrap();
        let payload = Control::SetChunkSize(size).encode().into_payload();
        assert!(payload[0] < 0x80);
        assert_eq!(payload, size.get().to_be_bytes()[..]);
    }
    for connection in [
        ClientConfig::default().connection,
        ServerConfig::default().connection,
    ] {
        assert!(connection.chunk_size >= ChunkSize::INITIAL);
    }
}

/// PC-16 to PC-18: every window's worth of bytes is acknowledged with the number received so far,
/// the handshake included.
#[test]
fn every_window_is_acknowledged() {
    let mut peer = Scripted::publishing();
    peer.control(Control::WindowAckSize { window: 10_000 });
    let mut last = peer.session.stats().bytes_received;
    for _ in 0..200 {
        peer.message(4, 8, 1, 0, &[0xAF; 500]);
        let received = peer.session.stats().bytes_received;
        for reply in peer.replies() {
            assert_eq!(reply, format!("Acknowledgement {{ sequence: {received} }}"));
            last = received;
        }
        assert!(received - last <= 10_000);
    }
    assert!(last > 100_000);
}

/// UC-9, UC-11, A-21: the end of a stream is told where it comes, and what a server sends after it
/// is still delivered: servers keep players for the next publisher.
#[test]
fn stream_eof_is_reported_and_drops_nothing() {
    let mut peer = Scripted::client_playing();
    peer.message(6, 9, 1, 0, &[0x17, 1, 0, 0, 0]);
    peer.message(2, 4, 0, 0, &[0, 1, 0, 0, 0, 1]);
    peer.message(6, 9, 1, 40, &[0x17, 1, 0, 0, 0]);
    let is_frame = |event: &ClientEvent| matches!(event, ClientEvent::Frame { .. });
    let [before, end, after] = &peer.events[..] else {
        panic!("{:?}", peer.events)
    };
    assert!(is_frame(before) && is_frame(after));
    assert!(matches!(
        end,
        ClientEvent::UserControl(UserControl::StreamEof(ONE))
    ));
}

/// UC-18: a client answers a ping at once, with the time it came with.
#[test]
fn a_client_answers_pings() {
    let mut peer = Scripted::client_playing();
    peer.message(2, 4, 0, 0, &[0, 6, 0, 1, 2, 3]);
    assert_eq!(peer.replies(), ["PingResponse(66051)"]);
}

/// UC-22, UC-23: FMS tells a player about its buffer.
#[test]
fn buffer_events_are_reported() {
    let mut peer = Scripted::client_playing();
    peer.message(2, 4, 0, 0, &[0, 31, 0, 0, 0, 1]);
    peer.message(2, 4, 0, 0, &[0, 32, 0, 0, 0, 1]);
    assert_eq!(
        peer.event_names(),
        [
            "UserControl(BufferEmpty(MessageStreamId(1)))",
            "UserControl(BufferReady(MessageStreamId(1)))",
        ]
    );
}

/// MSG-3, MSG-4, UC-20: message types and user control events without a meaning are handed up as
/// they are and end nothing.
#[test]
fn what_has_no_meaning_is_handed_up() {
    let without_meaning = [7, 21].into_iter().chain(10..=14).chain(23..=255);
    for message_type in without_meaning {
        let mut peer = Scripted::publishing();
        peer.message(9, message_type, 1, 5, &[1, 2, 3]);
        let [ServerEvent::Unhandled(raw)] = &peer.events[..] else {
            panic!("type {message_type}: {:?}", peer.events)
        };
        assert_eq!(raw.message_type, MessageType(message_type));
        assert_eq!(raw.payload(), &[1, 2, 3][..]);
        assert!(!peer.session.is_closed());
    }
    let mut peer = Scripted::publishing();
    peer.message(2, 4, 0, 0, &[0, 5, 1]);
    assert!(matches!(
        peer.events[..],
        [ServerEvent::UserControl(UserControl::Unknown {
            event_type: 5,
            ..
        })]
    ));
    assert!(!peer.session.is_closed());
}

/// MSG-19 to MSG-21: answers to nothing that was asked are ignored; any other name is a call.
#[test]
fn answers_to_nothing_are_ignored() {
    let mut peer = Scripted::client_publishing();
    for id in [0.0, 99.0, -1.0, 4.5, f64::NAN, 1.0] {
        peer.command(0, "_result", id, [NULL, 1.0.into()]);
        peer.command(0, "_error", id, [NULL, NULL]);
    }
    assert_eq!(peer.event_names(), [""; 0]);
    assert_eq!(peer.session.stats().ignored, 12);
    peer.command(0, "_results", 9.0, [NULL]);
    let [ClientEvent::Call(call)] = &peer.events[..] else {
        panic!("{:?}", peer.events)
    };
    assert_eq!(call.command().name, "_results");
}

/// Everything the session wants to send, as bytes.
fn output<R: rtmp_proto::Role>(peer: &mut Scripted<R>) -> Vec<u8> {
    let mut wire = BytesMut::new();
    take_output(&mut peer.session, &mut wire);
    wire.to_vec()
}
