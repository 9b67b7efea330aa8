//! Aggregates, shared objects and SWF verification, as sessions see them.
#![allow(clippy::indexing_slicing, reason = "a panic is a failure")]

mod common;

use bytes::Bytes;
use common::{Pair, scripted::Scripted};
use hex_literal::hex;
use proptest::prelude::*;
use rtmp_proto::{
    ClientConfig, ClientEvent, CloseReason, Error, MessageStreamId, RequestError, SendError,
    ServerConfig, ServerEvent, SessionState, Timestamp, UserControl,
    flv::Frame,
    message::{
        AggregateBuilder, MessageError, SharedName, SharedObject, SharedObjectEvent,
        SharedObjectFlags, Slot, SwfVerification,
    },
};

fn audio(millis: u32, payload: &'static [u8]) -> Frame {
    Frame::audio(Timestamp::from_millis(millis), Bytes::from_static(payload))
}

fn video(millis: u32, payload: &'static [u8]) -> Frame {
    Frame::video(Timestamp::from_millis(millis), Bytes::from_static(payload))
}

/// The payload of an aggregate of `frames`.
fn aggregate(frames: &[Frame]) -> Vec<u8> {
    let mut builder = AggregateBuilder::new();
    for frame in frames {
        builder.push(frame).unwrap();
    }
    let raw = builder.finish(MessageStreamId::new(1)).unwrap();
    raw.payload().to_vec()
}

/// MSG-40 to MSG-43, MSG-48, in both roles and at any split.
#[test]
fn parts_come_out_as_frames() {
    let payload = aggregate(&[
        audio(5, &hex!("AF01 AA")),
        video(7, &hex!("2701000000")),
        audio(9, &[]),
        audio(11, &hex!("AF01 BBCC")),
    ]);
    let expected = [(1, 8, 1000, 3), (1, 9, 1002, 5), (1, 8, 1006, 4)];
    for piece in [1, 7, usize::MAX] {
        let mut server = Scripted::publishing();
        server.piece = piece;
        server.message(6, 22, 1, 1000, &payload);
        assert_eq!(server.frames(), expected);
        let stats = server.session.stats();
        assert_eq!((stats.received.audio, stats.received.video), (2, 1));
        assert_eq!(stats.ignored, 1, "the empty one");

        let mut client = Scripted::client_playing();
        client.piece = piece;
        client.message(6, 22, 1, 1000, &payload);
        let frames: Vec<_> = client
            .events
            .iter()
            .filter_map(|event| match event {
                ClientEvent::Frame { stream, frame } => Some((
                    stream.get(),
                    frame.message_type().0,
                    frame.timestamp.as_millis(),
                    frame.payload.len(),
                )),
                _ => None,
            })
            .collect();
        assert_eq!(frames, expected);
    }
}

/// A thousand parts never wait as a thousand events, and no input is asked for before they are
/// taken.
#[test]
fn parts_wait_as_bytes() {
    let payload = aggregate(&vec![audio(0, &hex!("AF01 AA")); 1000]);
    let mut server = Scripted::publishing();
    let bytes = server.encode(6, 22, 1, 0, &payload);
    let mut input = &bytes[..];
    server.session.handle_input(server.now, &mut input);
    assert!(input.is_empty());
    for _ in 0..1000 {
        assert!(!server.session.wants_read());
        let event = server.session.poll_event();
        assert!(matches!(event, Some(ServerEvent::Frame { .. })));
    }
    assert!(server.session.poll_event().is_none());
    assert!(server.session.wants_read());
}

/// What comes after an aggregate comes after its parts.
#[test]
fn parts_come_before_later_messages() {
    let payload = aggregate(&[audio(0, &[0xAF, 1, 1]), audio(0, &[0xAF, 1, 1, 1])]);
    let mut server = Scripted::publishing();
    let mut bytes = server.encode(6, 22, 1, 0, &payload);
    bytes.extend(server.encode(4, 8, 1, 0, &[0xAF]));
    server.bytes(&bytes);
    let lengths: Vec<_> = server.frames().iter().map(|frame| frame.3).collect();
    assert_eq!(lengths, [3, 4, 1]);
}

/// Parts for a stream that nobody publishes are ignored, and do not hold up what follows.
#[test]
fn parts_for_nobody() {
    let payload = aggregate(&vec![audio(0, &hex!("AF01 AA")); 10]);
    let mut server = Scripted::connected();
    let mut bytes = server.encode(6, 22, 1, 0, &payload);
    bytes.extend(server.encode(2, 4, 0, 0, &hex!("0003 00000000 00000BB8")));
    let mut input = &bytes[..];
    server.session.handle_input(server.now, &mut input);
    assert!(input.is_empty());
    let event = server.session.poll_event();
    assert!(matches!(event, Some(ServerEvent::UserControl(_))));
    assert_eq!(server.session.stats().ignored, 10);
}

#[test]
fn the_end_comes_after_the_parts() {
    let payload = aggregate(&vec![audio(0, &hex!("AF01 AA")); 3]);
    for is_local in [false, true] {
        let mut server = Scripted::publishing();
        let bytes = server.encode(6, 22, 1, 0, &payload);
        server.session.handle_input(server.now, &mut &bytes[..]);
        match is_local {
            true => server.session.close(server.now),
            false => server.session.handle_eof(server.now),
        }
        server.bytes(&[]);
        assert_eq!(server.frames().len(), 3);
        let closed: Vec<_> = server
            .events
            .iter()
            .map(|event| matches!(event, ServerEvent::Closed(_)))
            .collect();
        assert_eq!(closed, [false, false, false, true]);
    }
}

/// MSG-46, MSG-47: what is right comes out before the session ends.
#[test]
fn broken_aggregates_end_the_session() {
    let good = aggregate(&[audio(0, &hex!("AF01 AA"))]);
    let cases: [(&[u8], MessageError); 2] = [
        (
            &hex!("08 000009 000000 00 000000 AA"),
            MessageError::PartTooLong {
                length: 9,
                remaining: 1,
            },
        ),
        (
            &hex!("16 000000 000000 00 000000"),
            MessageError::NestedAggregate,
        ),
    ];
    for (bad, error) in cases {
        let mut server = Scripted::publishing();
        server.message(6, 22, 1, 0, &[&good[..], bad].concat());
        assert_eq!(server.frames().len(), 1);
        let reason = CloseReason::Protocol(Error::Message(error));
        assert_eq!(server.session.close_reason(), Some(&reason));
    }
}

/// Only frames come out of an aggregate: a command or a chunk size in one has no effect.
#[test]
fn other_parts_have_no_effect() {
    let chunk_size = hex!("01 000004 000000 00 000000 00000001 0000000F");
    let mut server = Scripted::publishing();
    let before = server.session.stats().chunk_size_in;
    server.message(6, 22, 1, 0, &chunk_size);
    assert_eq!(server.session.stats().chunk_size_in, before);
    assert!(matches!(
        server.events.last(),
        Some(ServerEvent::Unhandled(_))
    ));
}

/// MSG-48: sent and received by sessions, in both directions.
#[test]
fn aggregates_between_sessions() {
    let frames = [
        audio(20, &hex!("AF01 AA")),
        video(21, &hex!("2701000000")),
        audio(43, &hex!("AF01 BBCC")),
    ];
    let stream = MessageStreamId::new(1);
    let mut pair = Pair::publishing();
    pair.client.send_aggregate(stream, &frames).unwrap();
    pair.client.send_aggregate(stream, &[]).unwrap();
    assert_eq!(pair.client.stats().sent.audio, 2);
    pair.drive();
    let seen = pair.server_events.iter().filter_map(|event| match event {
        ServerEvent::Frame { frame, .. } => Some(frame),
        _ => None,
    });
    assert!(seen.eq(&frames));

    let mut pair = Pair::playing();
    pair.client.receive_video(stream, false).unwrap();
    pair.drive();
    pair.server.send_aggregate(stream, &frames).unwrap();
    pair.drive();
    let seen = pair.client_events.iter().filter_map(|event| match event {
        ClientEvent::Frame { frame, .. } if !frame.payload.starts_with(b"\x02") => Some(frame),
        _ => None,
    });
    assert!(seen.eq([&frames[0], &frames[2]]));

    let refused = pair.client.send_aggregate(stream, &frames);
    assert!(matches!(refused, Err(SendError::NotActive(_))));
    let mut pair = Pair::publishing();
    let long = Frame::video(Timestamp::ZERO, vec![0; 0xFF_FFFF - 15].into());
    let refused = pair
        .client
        .send_aggregate(stream, &[frames[0].clone(), long]);
    assert!(matches!(refused, Err(SendError::TooLong(_))));
    assert_eq!(pair.client.queued_len(), 0);
}

fn name(text: &str) -> SharedName {
    SharedName::new(text).unwrap()
}

/// MSG-26 to MSG-38: the dialogue of [RTMP 1.0 §7.3.2].
#[test]
fn shared_object_dialogue() {
    let mut pair = Pair::publishing();
    pair.client_events.clear();
    pair.server_events.clear();
    let object = || SharedObject::new(name("chat")).with_flags(SharedObjectFlags::PERSISTENT);
    let change = || {
        vec![Slot {
            name: name("topic"),
            value: "rtmp".into(),
        }]
    };
    let from_client = [
        object().with(SharedObjectEvent::Use),
        object().with(SharedObjectEvent::RequestChange(change())),
        object().with(SharedObjectEvent::SendMessage(vec!["say".into()])),
    ];
    let from_server = [
        object()
            .with(SharedObjectEvent::UseSuccess)
            .with(SharedObjectEvent::Clear),
        object()
            .with_version(1)
            .with(SharedObjectEvent::Success(name("topic"))),
        object().with(SharedObjectEvent::SendMessage(vec!["say".into()])),
    ];
    for message in &from_client {
        pair.client.send_shared_object(message).unwrap();
    }
    for message in &from_server {
        pair.server.send_shared_object(message).unwrap();
    }
    pair.drive();
    let seen = pair.server_events.iter().filter_map(|event| match event {
        ServerEvent::SharedObject(message) => Some(message),
        _ => None,
    });
    assert!(seen.eq(&from_client));
    let seen = pair.client_events.iter().filter_map(|event| match event {
        ClientEvent::SharedObject(message) => Some(message),
        _ => None,
    });
    assert!(seen.eq(&from_server));
}

#[test]
fn shared_objects_need_a_connection() {
    let mut server = Scripted::server();
    let message = SharedObject::new(name("so")).with(SharedObjectEvent::Use);
    server.message(3, 19, 0, 0, &message.encode());
    assert!(
        server
            .events
            .iter()
            .all(|event| matches!(event, ServerEvent::StateChanged(SessionState::Open)))
    );
    assert_eq!(server.session.stats().ignored, 1);
    assert_eq!(
        server.session.send_shared_object(&message),
        Err(RequestError::WrongState)
    );
}

/// A shared object that does not decode is passed up as it is.
#[test]
fn broken_shared_objects_end_nothing() {
    let mut server = Scripted::connected();
    server.message(3, 19, 0, 0, &hex!("0001 61"));
    assert!(matches!(
        server.events.last(),
        Some(ServerEvent::Unhandled(_))
    ));
    assert!(!server.session.is_closed());
}

/// UC-24, UC-25: however often the server asks, one answer waits at most.
#[test]
fn swf_verification_is_answered() {
    let swf = SwfVerification::new([7; 32], 12_345);
    let mut client = ClientConfig::default();
    client.swf_verification = Some(swf);
    let mut pair = Pair::with(client, ServerConfig::default());
    pair.client.play_from(pair.now, &common::url()).unwrap();
    pair.drive();
    pair.server_events.clear();
    for _ in 0..100 {
        let request = UserControl::SwfVerifyRequest;
        pair.server.send_user_control(&request).unwrap();
    }
    pair.drive();
    let expected = swf.answer(pair.client.handshake_report());
    let answers: Vec<_> = pair
        .server_events
        .iter()
        .filter_map(|event| match event {
            ServerEvent::UserControl(answer) => Some(answer.clone()),
            _ => None,
        })
        .collect();
    assert_eq!(answers, [expected.unwrap()]);
}

/// UC-26: without a SWF file the question is an event.
#[test]
fn swf_verification_may_go_unanswered() {
    let mut client = Scripted::client_playing();
    client.message(2, 4, 0, 0, &hex!("001A 01"));
    assert!(matches!(
        client.events[..],
        [ClientEvent::UserControl(UserControl::SwfVerifyRequest)]
    ));
    assert_eq!(client.replies(), [""; 0]);
}

proptest! {
    /// Any split of any aggregate gives the same frames and the same end.
    #[test]
    fn any_aggregate_at_any_split(
        headers in prop::collection::vec((0..24_u8, 0..6_u8, any::<bool>()), 0..6),
        piece in 1..40_usize,
    ) {
        let mut payload = vec![];
        for (message_type, length, is_true) in headers {
            payload.extend([message_type, 0, 0, length, 0, 0, 0, 0, 0, 0, 0]);
            payload.extend(vec![0xAF; usize::from(length) - usize::from(!is_true && length > 0)]);
            payload.extend([0; 4]);
        }
        let run = |piece| {
            let mut server = Scripted::publishing();
            server.piece = piece;
            server.message(6, 22, 1, 77, &payload);
            (common::names(&server.events), server.session.close_reason().cloned())
        };
        prop_assert_eq!(run(piece), run(usize::MAX));
    }
}
