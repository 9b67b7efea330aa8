//! Each budget walked up to and past, and what a peer can make a session queue.
//!
//! | budget | test |
//! |---|---|
//! | `message_len` | `message_len` |
//! | `incomplete_bytes`, `incomplete_messages` | `incomplete_bytes_and_messages` |
//! | `chunk_streams` | `chunk_streams` |
//! | `chunks_per_message`: work per byte with chunks of 1 | `chunks_per_message`, `tiny_chunks` |
//! | `aggregate_parts` | `aggregate_parts` |
//! | `command`: depth, values, strings | `command_values` |
//! | `command`: copies by reference, AMF0 and AMF3 | `copies_by_reference` |
//! | `command`: events of a shared object | `shared_object_events` |
//! | `data` | `data_values` |
//! | `message_streams` | `message_streams` |
//! | `pending_calls` | `pending_calls` |
//! | `output_queue` | `output_queue` |
//! | `output_queue`: answers nobody reads | `reply_storms` |
//! | one control answer of each kind: pings, windows, acknowledgements | `control_storms` |
//! | `before_connect`, each field, both roles | `before_connect_on_a_server`, `before_connect_on_a_client` |
//! | nothing behind a request is looked at before the answer | `what_follows_a_request_waits` |
//! | two events from one call, and `Closed` | `events_per_input`; every message in every state in `hostile` |
//! | `handshake_timeout`, `connect_timeout`, `request_timeout`, `idle_timeout` | `deadlines`, `endless_deadlines` |
//! | `write_stall_timeout` | `write_stall` in `dialogue`, `output_stalls_at_every_byte` in `faults` |
//! | `first_media_timeout` | `first_media`, `first_media_of_each_stream`, `answering_takes_no_time_of_the_publisher` |
//!
//! What the budgets come to in bytes is measured in `memory`.

mod common;

use std::{iter, sync::Arc, time::Duration};

use bytes::Bytes;
use common::scripted::{Scripted, app, command, data, handshake, success};
use rtmp_proto::{
    AmfLimits, ClientConfig, ClientEvent, ClientSession, CloseReason, EarlyLimits, Error, Instant,
    Limits, MessageStreamId, RequestError, Role, SendError, ServerConfig, ServerEvent,
    ServerSession, Session, SessionState, Timeout, Timestamp,
    amf::{AmfError, Object, Value},
    chunk::{ChunkError, ChunkSize},
    flv::Frame,
    message::{AggregateBuilder, BandwidthLimit, Control, MessageError, UserControl},
};

const NULL: Value = Value::Null;
const ONE: MessageStreamId = MessageStreamId::new(1);

fn config(change: impl FnOnce(&mut Limits)) -> ServerConfig {
    let mut config = ServerConfig::default();
    change(&mut config.connection.limits);
    config
}

fn server(change: impl FnOnce(&mut Limits)) -> ServerSession {
    Session::new(Instant::ORIGIN, Arc::new(config(change)), [2; 32])
}

/// The payload of an aggregate of audio messages of these lengths.
fn aggregate(lengths: &[usize]) -> Bytes {
    let mut builder = AggregateBuilder::new();
    for len in lengths {
        let frame = Frame::audio(Timestamp::ZERO, vec![0xAF; *len].into());
        builder.push(&frame).unwrap();
    }
    builder.finish(ONE).unwrap().into_payload()
}

fn chunk_error<R: Role>(peer: &Scripted<R>) -> Option<&ChunkError> {
    match peer.session.close_reason() {
        Some(CloseReason::Protocol(Error::Chunk(error))) => Some(error),
        _ => None,
    }
}

fn amf_error<R: Role>(peer: &Scripted<R>) -> Option<&AmfError> {
    match peer.session.close_reason() {
        Some(CloseReason::Protocol(Error::Message(MessageError::Amf(error)))) => Some(error),
        _ => None,
    }
}

#[test]
fn message_len() {
    let limit = 10_000;
    let mut peer = Scripted::publishing_with(config(|limits| limits.message_len = limit));
    peer.message(6, 9, 1, 0, &vec![0x17; limit]);
    assert_eq!(peer.frames(), [(1, 9, 0, limit)]);
    peer.message(6, 9, 1, 0, &vec![0x17; limit + 1]);
    assert_eq!(
        chunk_error(&peer),
        Some(&ChunkError::MessageTooLong {
            length: limit + 1,
            limit
        })
    );
}

/// The budget for incomplete messages comes back when they are finished, dropped or aborted.
#[test]
fn incomplete_bytes_and_messages() {
    let limits = |limits: &mut Limits| {
        // Three messages, and the Abort that comes meanwhile.
        limits.incomplete_bytes = 3004;
        limits.incomplete_messages = 4;
    };
    let begin = |csid: u8| {
        let mut bytes = vec![csid, 0, 0, 0, 0, 0x03, 0xE8, 9, 1, 0, 0, 0];
        bytes.extend([0x17; 128]);
        bytes
    };
    let mut peer = Scripted::publishing_with(config(limits));
    for round in 0..20 {
        for csid in 6..9 {
            peer.bytes(&begin(csid));
        }
        peer.message(2, 2, 0, 0, &6_u32.to_be_bytes());
        for csid in 7..9 {
            // A new message drops the old one, and is finished.
            peer.message(csid, 9, 1, 0, &[0x17; 1000]);
        }
        assert_eq!(peer.frames().len(), 2 * (round + 1));
    }
    for csid in 6..10 {
        assert!(!peer.session.is_closed());
        peer.bytes(&begin(csid));
    }
    assert!(chunk_error(&peer).is_some());

    let mut peer = Scripted::publishing_with(config(|limits| limits.incomplete_messages = 3));
    for csid in 6..10 {
        peer.bytes(&begin(csid));
    }
    assert_eq!(
        chunk_error(&peer),
        Some(&ChunkError::TooManyIncompleteMessages { limit: 3 })
    );
}

/// Chunk stream 3 is in use already, by the commands.
#[test]
fn chunk_streams() {
    let mut peer = Scripted::publishing_with(config(|limits| limits.chunk_streams = 11));
    for _ in 0..3 {
        for csid in [4, 5, 6, 63, 64, 319, 320, 1000, 65_598, 65_599] {
            peer.message(csid, 9, 1, 0, &[0x17]);
        }
    }
    assert_eq!(peer.frames().len(), 30);
    peer.message(7, 9, 1, 0, &[0x17]);
    assert_eq!(
        chunk_error(&peer),
        Some(&ChunkError::TooManyChunkStreams { limit: 11 })
    );
}

#[test]
fn chunks_per_message() {
    let mut peer = Scripted::publishing_with(config(|limits| limits.chunks_per_message = 10));
    for _ in 0..3 {
        peer.message(6, 9, 1, 0, &[0x17; 1280]);
    }
    assert_eq!(peer.frames().len(), 3, "each message has its own budget");
    peer.message(6, 9, 1, 0, &[0x17; 1281]);
    assert_eq!(
        chunk_error(&peer),
        Some(&ChunkError::TooManyChunks { limit: 10 })
    );
}

/// With chunks of a single byte, the budget is one of bytes.
#[test]
fn tiny_chunks() {
    let mut peer = Scripted::publishing_with(config(|limits| limits.chunks_per_message = 1000));
    peer.control(Control::SetChunkSize(ChunkSize::new(1).unwrap()));
    for _ in 0..3 {
        peer.message(6, 9, 1, 0, &[0x17; 1000]);
    }
    assert_eq!(peer.frames().len(), 3);
    peer.message(6, 9, 1, 0, &[0x17; 1001]);
    assert_eq!(
        chunk_error(&peer),
        Some(&ChunkError::TooManyChunks { limit: 1000 })
    );
}

/// The parts up to the limit arrive, whatever follows them.
#[test]
fn aggregate_parts() {
    for (payloads, frames) in [
        (vec![3; 5], 5),
        (vec![3; 6], 5),
        (vec![3; 1000], 5),
        // Empty parts are ignored, but counted.
        (vec![0, 3, 0, 3, 0], 2),
        (vec![0, 3, 0, 3, 0, 3], 2),
    ] {
        let limits = |limits: &mut Limits| limits.aggregate_parts = 5;
        let mut peer = Scripted::publishing_with(config(limits));
        for _ in 0..2 {
            peer.message(6, 22, 1, 0, &aggregate(&payloads));
        }
        let is_closed = payloads.len() > 5;
        assert_eq!(peer.session.is_closed(), is_closed, "{payloads:?}");
        let rounds = if is_closed { 1 } else { 2 };
        assert_eq!(peer.frames().len(), frames * rounds, "{payloads:?}");
        if is_closed {
            let error = MessageError::TooManyParts { limit: 5 };
            let reason = CloseReason::Protocol(error.into());
            assert_eq!(peer.session.close_reason(), Some(&reason));
        }
    }
}

#[test]
fn command_values() {
    let limits = |limits: &mut Limits| {
        limits.command = AmfLimits::COMMAND
            .with_nodes(10)
            .with_depth(2)
            .with_string_bytes(100);
    };
    let nested = |depth| (0..depth).fold(Value::Null, |inner, _| Value::StrictArray(vec![inner]));
    // The name and the transaction ID are values too.
    for (values, is_accepted) in [
        (vec![NULL; 8], true),
        (vec![NULL; 9], false),
        (vec![NULL, nested(2)], true),
        (vec![NULL, nested(3)], false),
        (vec![NULL, "x".repeat(96).into()], true),
        (vec![NULL, "x".repeat(97).into()], false),
    ] {
        let mut peer = Scripted::connected_with(config(limits));
        peer.message(3, 20, 0, 0, &command("call", 5.0, &values));
        assert_eq!(!peer.session.is_closed(), is_accepted, "{values:?}");
        assert_eq!(amf_error(&peer).is_none(), is_accepted, "{values:?}");
    }
}

/// What a reference copies counts as if it were written out, be it in AMF0 or in AMF3.
#[test]
fn copies_by_reference() {
    let string = [b'x'; 30];
    // An object with one string in it, and references to the object.
    let amf0 = |copies: usize| {
        let object = [&[3, 0, 1, b'a', 2, 0, 30], &string[..], &[0, 0, 9]].concat();
        [object, [7, 0, 0].repeat(copies)].concat()
    };
    // The same in a dense array.
    let amf3 = |copies: usize| {
        let count = u8::try_from(2 * (copies + 1) + 1).unwrap();
        let object = [&[0x0A, 0x0B, 1, 3, b'a', 6, 61], &string[..], &[1]].concat();
        [vec![0x11, 9, count, 1], object, [0x0A, 2].repeat(copies)].concat()
    };
    let strings = AmfLimits::COMMAND.with_string_bytes(160);
    let values = AmfLimits::COMMAND.with_nodes(12);
    let too_long = |error: &AmfError| matches!(error, AmfError::StringsTooLong { limit: 160, .. });
    let too_many = |error: &AmfError| matches!(error, AmfError::TooManyValues { limit: 12, .. });
    let accepted = |command: AmfLimits, is_expected: fn(&AmfError) -> bool, is_amf3: bool| {
        let copies = (0..50).find(|&copies| {
            let mut peer = Scripted::connected_with(config(|limits| limits.command = command));
            let mut payload = self::command("call", 5.0, &[]);
            payload.extend(if is_amf3 { amf3(copies) } else { amf0(copies) });
            peer.message(3, 20, 0, 0, &payload);
            assert!(
                amf_error(&peer).is_none_or(is_expected),
                "{:?}",
                amf_error(&peer)
            );
            peer.session.is_closed()
        });
        copies.expect("a limit is reached") - 1
    };
    // "call", and 31 bytes for the object and for each copy of it.
    assert_eq!(accepted(strings, too_long, false), 4);
    assert_eq!(accepted(strings, too_long, true), 4);
    // The name, the transaction ID, the array of AMF3, and two values for the object and each copy.
    assert_eq!(accepted(values, too_many, false), 4);
    assert_eq!(accepted(values, too_many, true), 3);
}

/// One message about a shared object has no more events than a command has values. Past that it is
/// not understood, and handed up as it is.
#[test]
fn shared_object_events() {
    let limits = |limits: &mut Limits| limits.command = AmfLimits::COMMAND.with_nodes(10);
    for (count, is_understood) in [(10, true), (11, false), (10_000, false)] {
        let mut peer = Scripted::connected_with(config(limits));
        let mut payload = vec![0, 1, b'x', 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0];
        payload.extend([1, 0, 0, 0, 0].repeat(count));
        peer.message(3, 19, 0, 0, &payload);
        let is_shared_object = |event: &ServerEvent| matches!(event, ServerEvent::SharedObject(_));
        assert_eq!(peer.events.iter().any(is_shared_object), is_understood);
        assert_eq!(peer.session.stats().ignored, u64::from(!is_understood));
        peer.assert_alive_or_closed("shared object");
        assert!(!peer.session.is_closed());
    }
}

/// A data message past its limits is ignored, not fatal.
#[test]
fn data_values() {
    let limits = |limits: &mut Limits| limits.data = AmfLimits::DATA.with_nodes(5);
    let mut peer = Scripted::publishing_with(config(limits));
    for count in [4, 5] {
        let mut values = vec!["onTextData".into()];
        values.extend(vec![NULL; count]);
        peer.message(4, 18, 1, 0, &data(&values));
    }
    assert_eq!(peer.frames().len(), 1);
    assert_eq!(peer.session.state(), SessionState::Publishing);
    assert_eq!(peer.session.stats().ignored, 1);
}

/// A stream that is deleted makes room for another.
#[test]
fn message_streams() {
    let mut peer = Scripted::connected_with(config(|limits| limits.message_streams = 2));
    for _ in 0..10 {
        for id in [2.0, 3.0, 4.0] {
            peer.command(0, "createStream", id, [NULL]);
        }
        assert_eq!(
            peer.replies(),
            [
                "0:_result(2) null 1",
                "0:_result(3) null 2",
                "0:_error(4) null error/NetStream.Failed",
            ]
        );
        peer.command(0, "deleteStream", 0.0, [NULL, 1.0.into()]);
        peer.command(0, "deleteStream", 0.0, [NULL, 2.0.into()]);
    }
}

#[test]
fn pending_calls() {
    let mut config = ClientConfig::default();
    config.connection.limits.pending_calls = 3;
    let mut peer = Scripted::client_with(config);
    let params = rtmp_proto::ConnectParams::player(&common::url());
    peer.session.connect(peer.now, params).unwrap();
    peer.command(0, "_result", 1.0, [NULL, success()]);
    for _ in 0..10 {
        peer.session.fc_subscribe("x").unwrap();
    }
    let ids: Vec<_> = (0..3)
        .map(|_| peer.session.call("a", NULL, []).unwrap().get())
        .collect();
    let refused = Err(RequestError::TooManyCalls { limit: 3 });
    peer.replies();
    assert_eq!(peer.session.call("a", NULL, []), refused);
    assert!(peer.replies().is_empty(), "nothing was sent");
    peer.command(0, "_result", ids[1], [NULL]);
    assert!(peer.session.call("a", NULL, []).is_ok());
    assert_eq!(peer.session.call("a", NULL, []), refused);
}

/// The queue holds up to its limit and one message more, media and commands alike.
#[test]
fn output_queue() {
    let mut peer = Scripted::playing_with(config(|limits| limits.output_queue = 10_000));
    let payload = Bytes::from(vec![0x17; 3000]);
    let mut sent = 0;
    while peer
        .session
        .send_video(ONE, Timestamp::ZERO, payload.clone())
        .is_ok()
    {
        sent += 1;
    }
    assert_eq!(sent, 4);
    assert!(matches!(
        peer.session.send_video(ONE, Timestamp::ZERO, payload),
        Err(SendError::QueueFull(_))
    ));
    let queued = peer.session.queued_len();
    assert_eq!(
        peer.session.notify_unpublished(ONE),
        Err(RequestError::QueueFull { queued })
    );
    assert_eq!(
        peer.session.send_user_control(&UserControl::StreamEof(ONE)),
        Err(RequestError::QueueFull { queued })
    );
    assert_eq!(peer.session.queued_len(), queued);
    assert_eq!(peer.replies().len(), 4);
    assert_eq!(peer.session.notify_unpublished(ONE), Ok(()));
}

/// A peer that asks and does not read: the session stops taking its questions.
#[test]
fn reply_storms() {
    let limit = 5000;
    let storms: [(&str, Vec<u8>); 7] = [
        ("createStream", command("createStream", 9.0, &[NULL])),
        (
            "releaseStream",
            command("releaseStream", 9.0, &[NULL, "x".into()]),
        ),
        (
            "FCPublish",
            command("FCPublish", 9.0, &[NULL, "x".repeat(5000).into()]),
        ),
        ("connect", command("connect", 9.0, &[app("live")])),
        (
            "pause",
            command("pause", 9.0, &[NULL, true.into(), 1.0.into()]),
        ),
        (
            "receiveVideo",
            command("receiveVideo", 0.0, &[NULL, true.into()]),
        ),
        ("play", command("play", 0.0, &[NULL, "x".into()])),
    ];
    for (name, payload) in storms {
        let mut peer = Scripted::playing_with(config(|limits| limits.output_queue = limit));
        let storm: Vec<u8> = (0..2000)
            .flat_map(|_| peer.encode(3, 20, 1, 0, &payload))
            .collect();
        let taken = peer.bytes(&storm);
        assert!(taken < storm.len(), "{name}");
        assert!(!peer.session.wants_read(), "{name}");
        assert!(
            (limit..limit + 1000).contains(&peer.session.queued_len()),
            "{name}"
        );
        peer.replies();
        assert!(peer.session.wants_read(), "{name}: reading on resumes");
        assert!(peer.bytes(&storm[taken..]) > 0, "{name}");
    }
    // An application that answers every call it does not know.
    let mut peer = Scripted::connected_with(config(|limits| limits.output_queue = limit));
    peer.policy = |server, now, event| {
        if let ServerEvent::Call(call) = event {
            server.respond(call, Ok(Value::Null)).unwrap();
            return None;
        }
        common::accept_all(server, now, event)
    };
    let storm: Vec<u8> = (0..2000)
        .flat_map(|_| peer.encode(3, 20, 0, 0, &command("what", 9.0, &[NULL])))
        .collect();
    assert!(peer.bytes(&storm) < storm.len());
    assert!((limit..limit + 100).contains(&peer.session.queued_len()));
}

/// Answers to control messages coalesce: whatever the peer sends, one of each kind waits.
#[test]
fn control_storms() {
    let mut peer = Scripted::publishing();
    for n in 1..10_000_u32 {
        peer.control(Control::SetPeerBandwidth {
            window: n,
            limit: BandwidthLimit::HARD,
        });
        peer.control(Control::WindowAckSize { window: 1 });
        peer.message(2, 4, 0, 0, &[0, 6, 0, 0, 0, 1]);
        peer.command(0, "_error", 99.0, [NULL, NULL]);
        if n % 7 == 0 {
            let _ = peer.session.poll_transmit();
        }
    }
    assert!(peer.session.queued_len() <= 2 * (16 + 16 + 18));
    let replies = peer.replies();
    let count = |name: &str| replies.iter().filter(|r| r.starts_with(name)).count();
    for name in ["WindowAckSize", "Acknowledgement", "PingResponse"] {
        assert!((1..=2).contains(&count(name)), "{name}: {replies:?}");
    }
}

/// PC-31: a window of 0 turns acknowledgements off; one of 1 does not ask for one per byte.
#[test]
fn acknowledgement_windows() {
    let acknowledgements = |window: Option<u32>, len: usize| {
        let mut peer = Scripted::publishing();
        if let Some(window) = window {
            peer.control(Control::WindowAckSize { window });
        }
        peer.control(Control::SetChunkSize(ChunkSize::MAX));
        peer.message(6, 9, 1, 0, &vec![0x17; len]);
        let replies = peer.replies();
        replies.iter().filter(|r| r.starts_with("Ack")).count()
    };
    assert_eq!(acknowledgements(Some(0), 3_000_000), 0);
    assert_eq!(acknowledgements(Some(1), 1000), 1);
    assert_eq!(acknowledgements(Some(5_000_000), 2_000_000), 0);
    assert_eq!(acknowledgements(Some(5_000_000), 2_600_000), 1);
    assert_eq!(acknowledgements(None, 1_200_000), 0);
    assert_eq!(acknowledgements(None, 1_250_000), 1);
}

/// PC-21, PC-23: media waits for acknowledgements only where that is configured, and commands never.
#[test]
fn enforced_peer_bandwidth() {
    for is_enforced in [false, true] {
        let mut config = ServerConfig::default();
        config.connection.enforce_peer_bandwidth = is_enforced;
        let mut peer = Scripted::playing_with(config);
        peer.control(Control::SetPeerBandwidth {
            window: 20_000,
            limit: BandwidthLimit::HARD,
        });
        let mut sent = 0;
        let payload = Bytes::from(vec![0x17; 1000]);
        while sent < 100
            && peer
                .session
                .send_video(ONE, Timestamp::ZERO, payload.clone())
                .is_ok()
        {
            sent += 1;
            peer.replies();
        }
        if !is_enforced {
            assert_eq!(sent, 100);
            continue;
        }
        assert!((15..=20).contains(&sent), "{sent}");
        peer.command(0, "createStream", 5.0, [NULL]);
        assert_eq!(peer.replies(), ["0:_result(5) null 2"]);
        let sequence = u32::try_from(peer.session.stats().bytes_sent).unwrap();
        peer.control(Control::Acknowledgement { sequence });
        assert!(
            peer.session
                .send_video(ONE, Timestamp::ZERO, payload)
                .is_ok()
        );
    }
}

/// A peer that was not let in has smaller budgets, and the usual ones from then on.
#[test]
fn before_connect_on_a_server() {
    let early = EarlyLimits::default();
    // `connect` of so many bytes.
    let connect = |len: usize| {
        let payload = |filler| command("connect", 1.0, &[app("live"), "x".repeat(filler).into()]);
        // A string of 64 KiB and more has two bytes more in front.
        let filler = len - payload(0).len();
        payload(filler)
    };
    for (len, is_accepted) in [
        (4000, true),
        (early.message_len, true),
        (early.message_len + 1, false),
    ] {
        let mut peer = Scripted::server();
        peer.message(3, 20, 0, 0, &connect(len));
        assert_eq!(peer.session.state() == SessionState::Connected, is_accepted);
        let error = ChunkError::MessageTooLong {
            length: len,
            limit: early.message_len,
        };
        assert_eq!(chunk_error(&peer), Some(&error).filter(|_| !is_accepted));
    }
    // Messages that are begun, of a quarter of the budget each.
    let length = u32::try_from(early.incomplete_bytes / 4).unwrap();
    let [_, a, b, c] = length.to_be_bytes();
    let begin = |csid: u8| {
        let mut bytes = vec![csid, 0, 0, 0, a, b, c, 9, 0, 0, 0, 0];
        bytes.extend([0x17; 128]);
        bytes
    };
    let mut peer = Scripted::server();
    for csid in 10..14 {
        peer.bytes(&begin(csid));
        assert!(!peer.session.is_closed());
    }
    peer.bytes(&begin(14));
    assert_eq!(
        chunk_error(&peer),
        Some(&ChunkError::TooManyIncompleteBytes {
            declared: early.incomplete_bytes / 4 * 5,
            limit: early.incomplete_bytes
        })
    );
    let mut peer = Scripted::server();
    for csid in 3..u32::try_from(early.chunk_streams + 3).unwrap() {
        peer.message(csid, 9, 0, 0, &[0x17]);
        assert!(!peer.session.is_closed());
    }
    peer.message(1000, 9, 0, 0, &[0x17]);
    let limit = early.chunk_streams;
    assert_eq!(
        chunk_error(&peer),
        Some(&ChunkError::TooManyChunkStreams { limit })
    );
    // The name, the transaction ID, the object and `app` are values, too.
    let values = |count: usize| [vec![app("live")], vec![NULL; count - 4]].concat();
    for (count, is_accepted) in [
        (early.command.nodes, true),
        (early.command.nodes + 1, false),
    ] {
        let mut peer = Scripted::server();
        peer.message(3, 20, 0, 0, &command("connect", 1.0, &values(count)));
        assert_eq!(peer.session.state() == SessionState::Connected, is_accepted);
        assert_eq!(amf_error(&peer).is_some(), !is_accepted);
    }
    // Answers to commands that come too early.
    let mut peer = Scripted::server();
    let storm = peer.encode(3, 20, 0, 0, &command("createStream", 2.0, &[NULL]));
    let storm = storm.repeat(10_000);
    assert!(peer.bytes(&storm) < storm.len());
    let queued = peer.session.queued_len();
    assert!((early.output_queue..early.output_queue + 3500).contains(&queued));

    // Once it is in, none of these holds any more.
    let mut peer = Scripted::connected();
    peer.message(
        3,
        20,
        0,
        0,
        &command("call", 2.0, &vec![NULL; early.command.nodes]),
    );
    peer.message(
        3,
        20,
        0,
        0,
        &command("call", 2.0, &[NULL, "x".repeat(100_000).into()]),
    );
    for csid in 3..200 {
        peer.message(csid, 9, 0, 0, &[0x17]);
    }
    for csid in 10..30 {
        peer.bytes(&begin(csid));
    }
    peer.bytes(&storm);
    assert!(peer.session.queued_len() > 2 * early.output_queue);
    assert!(!peer.session.is_closed());
}

/// A server is a stranger, too, until it accepts the client.
#[test]
fn before_connect_on_a_client() {
    let early = EarlyLimits::default();
    let answer =
        |id: f64, len: usize| command("_result", id, &[NULL, success(), "x".repeat(len).into()]);
    let mut peer = Scripted::publisher();
    peer.message(3, 20, 0, 0, &answer(1.0, early.message_len));
    assert!(matches!(
        chunk_error(&peer),
        Some(ChunkError::MessageTooLong { limit, .. }) if *limit == early.message_len
    ));
    let mut peer = Scripted::publisher();
    peer.message(3, 20, 0, 0, &answer(1.0, 60_000));
    assert_eq!(peer.session.state(), SessionState::Connected);
    peer.message(3, 20, 0, 0, &answer(99.0, 100_000));
    assert!(!peer.session.is_closed());
}

/// Lower limits of the application's hold from the beginning.
#[test]
fn the_lower_limit_holds() {
    let limits = |limits: &mut Limits| {
        limits.message_len = 1000;
        limits.chunk_streams = 2;
    };
    let mut peer = Scripted::server_with(config(limits));
    peer.message(3, 20, 0, 0, &[0; 1001]);
    assert_eq!(
        chunk_error(&peer),
        Some(&ChunkError::MessageTooLong {
            length: 1001,
            limit: 1000
        })
    );
    let mut peer = Scripted::server_with(config(limits));
    for csid in 3..6 {
        peer.message(csid, 9, 0, 0, &[0x17]);
    }
    assert_eq!(
        chunk_error(&peer),
        Some(&ChunkError::TooManyChunkStreams { limit: 2 })
    );
}

/// A client that sends everything at once: nothing behind a request is read before it is answered, so
/// what is meant for an accepted peer is not held against one that is not.
#[test]
fn what_follows_a_request_waits() {
    let mut wire = handshake();
    let mut peer = Scripted::connected();
    let requests = [
        (0, command("connect", 1.0, &[app("live")])),
        (0, command("createStream", 2.0, &[NULL])),
        (1, command("publish", 3.0, &[NULL, "key".into()])),
    ];
    let mut ends = Vec::new();
    for (stream, payload) in requests {
        wire.extend(peer.encode(3, 20, stream, 0, &payload));
        ends.push(wire.len());
    }
    let [connect, _, publish] = *ends else {
        unreachable!("three requests")
    };
    wire.extend(peer.encode(6, 9, 1, 0, &vec![0x17; 1 << 20]));

    let mut session = server(|_| {});
    let mut input = &wire[..];
    for end in [connect, publish] {
        let mut request = None;
        while request.is_none() {
            session.handle_input(Instant::ORIGIN, &mut input);
            let event = session.poll_event().expect("a request is to come");
            request =
                matches!(event, ServerEvent::Connect(_) | ServerEvent::Publish(_)).then_some(event);
        }
        for _ in 0..3 {
            session.handle_input(Instant::ORIGIN, &mut input);
        }
        assert_eq!(wire.len() - input.len(), end);
        assert!(!session.wants_read());
        common::accept_all(&mut session, Instant::ORIGIN, request.unwrap());
    }
    let mut received = 0;
    while !input.is_empty() {
        session.handle_input(Instant::ORIGIN, &mut input);
        while let Some(event) = session.poll_event() {
            if let ServerEvent::Frame { frame, .. } = event {
                received += frame.payload.len();
            }
        }
    }
    assert_eq!(received, 1 << 20);
}

/// Whatever lies in the input, one call brings a command's worth of events: that the state has changed,
/// and what has begun or ended. The parts of an aggregate come one by one.
#[test]
fn events_per_input() {
    let publish = |id: f64| command("publish", id, &[NULL, "key".into()]);
    let mut peer = Scripted::connected();
    let mut wire = peer.encode(3, 20, 0, 0, &command("createStream", 2.0, &[NULL]));
    for id in 1..100_u16 {
        let id = f64::from(id);
        wire.extend(peer.encode(3, 20, 1, 0, &publish(id)));
        wire.extend(peer.encode(6, 22, 1, 0, &aggregate(&[3; 50])));
        wire.extend(peer.encode(3, 20, 0, 0, &command("what", id, &[NULL])));
        wire.extend(peer.encode(
            3,
            20,
            0,
            0,
            &command("FCUnpublish", id, &[NULL, "key".into()]),
        ));
        wire.extend(peer.encode(2, 4, 0, 0, &[0, 3, 0, 0, 0, 1, 0, 0, 0, 1]));
    }
    let mut input = &wire[..];
    let mut most = 0;
    let mut frames = 0;
    let mut calls = 0;
    loop {
        let before = input.len();
        peer.session.handle_input(peer.now, &mut input);
        let mut count = 0;
        while let Some(event) = peer.session.poll_event() {
            match common::accept_all(&mut peer.session, peer.now, event) {
                // Made from what is left of the aggregate, not queued.
                Some(ServerEvent::Frame { .. }) => frames += 1,
                event => count += usize::from(event.is_some()),
            }
        }
        most = most.max(count);
        calls += 1;
        if input.len() == before {
            break;
        }
    }
    assert!(input.is_empty());
    assert_eq!(frames, 99 * 50);
    assert_eq!(most, 2);
    assert!(calls > 99 * 4, "{calls}");

    let mut peer = Scripted::publisher();
    let mut wire = peer.encode(3, 20, 0, 0, &command("_result", 1.0, &[NULL, success()]));
    let started: Value = Object::new()
        .with("level", "status")
        .with("code", "NetStream.Publish.Start")
        .into();
    wire.extend(peer.encode(3, 20, 0, 0, &command("_result", 4.0, &[NULL, 1.0.into()])));
    wire.extend(peer.encode(3, 20, 1, 0, &command("onStatus", 0.0, &[NULL, started])));
    wire.extend(
        peer.encode(3, 20, 0, 0, &command("what", 0.0, &[NULL]))
            .repeat(1000),
    );
    let mut input = &wire[..];
    while !input.is_empty() {
        peer.session.handle_input(peer.now, &mut input);
        let events: Vec<ClientEvent> = iter::from_fn(|| peer.session.poll_event()).collect();
        assert!((1..=2).contains(&events.len()), "{events:?}");
    }
    assert_eq!(peer.session.state(), SessionState::Publishing);
}

/// Each deadline is the one configured: a moment before it nothing has happened.
#[test]
fn deadlines() {
    let seconds = Duration::from_secs;
    let limits = |limits: &mut Limits| {
        limits.handshake_timeout = seconds(3);
        limits.connect_timeout = seconds(5);
        limits.request_timeout = seconds(7);
        limits.first_media_timeout = seconds(11);
        limits.idle_timeout = seconds(13);
    };
    let fresh = || Scripted::fresh_server(config(limits));
    let open = || Scripted::server_with(config(limits));
    let connected = || Scripted::connected_with(config(limits));
    let reserved = || Scripted::publishing_with(config(limits));
    let publishing = || {
        let mut peer = reserved();
        peer.message(4, 8, 1, 0, &[0xAF, 1]);
        peer
    };
    let states: [(&dyn Fn() -> Scripted<rtmp_proto::Server>, _, u64); 5] = [
        (&fresh, Timeout::Handshake, 3),
        (&open, Timeout::Connect, 5),
        (&connected, Timeout::Request, 7),
        (&reserved, Timeout::FirstMedia, 11),
        (&publishing, Timeout::Idle, 13),
    ];
    for (peer, timeout, after) in states {
        assert_deadline(peer(), timeout, seconds(after));
    }

    let mut config = ClientConfig::default();
    limits(&mut config.connection.limits);
    let mut session = ClientSession::new(Instant::ORIGIN, Arc::new(config.clone()), [1; 32]);
    session.publish_to(Instant::ORIGIN, &common::url()).unwrap();
    assert_eq!(
        session.poll_timeout(),
        Some(Instant::from_origin(seconds(3)))
    );
    let connecting = || {
        let mut peer = Scripted::client_with(config.clone());
        let params = rtmp_proto::ConnectParams::player(&common::url());
        peer.session.connect(peer.now, params).unwrap();
        peer.replies();
        peer
    };
    let requesting = || {
        let mut peer = connecting();
        peer.command(0, "_result", 1.0, [NULL, success()]);
        peer.session.create_stream(peer.now).unwrap();
        peer.replies();
        peer
    };
    assert_deadline(connecting(), Timeout::Connect, seconds(5));
    assert_deadline(requesting(), Timeout::Request, seconds(7));
}

fn assert_deadline<R: Role>(mut peer: Scripted<R>, timeout: Timeout, after: Duration) {
    peer.replies();
    let due = Instant::from_origin(after);
    assert_eq!(peer.session.poll_timeout(), Some(due), "{timeout}");
    peer.session
        .handle_timeout(Instant::from_origin(after - Duration::from_nanos(1)));
    assert!(!peer.session.is_closed(), "{timeout}");
    for _ in 0..2 {
        peer.session.handle_timeout(due);
        peer.bytes(&[]);
    }
    let closed = format!("Closed(Timeout({timeout:?}))");
    assert_eq!(peer.event_names().last(), Some(&closed));
    let ends = peer.event_names();
    assert_eq!(ends.iter().filter(|name| **name == closed).count(), 1);
}

/// What a publisher sends to keep its stream without using it does not count; a configuration does. A
/// player owes nothing.
#[test]
fn first_media() {
    let metadata = data(&[
        "@setDataFrame".into(),
        "onMetaData".into(),
        Object::new().with("width", 1.0).into(),
    ]);
    let messages: [(&str, u8, Vec<u8>, bool); 8] = [
        ("metadata", 18, metadata, false),
        ("ping response", 4, vec![0, 7, 0, 0, 0, 1], false),
        ("acknowledgement", 3, vec![0, 0, 0, 1], false),
        ("command", 20, command("what", 5.0, &[NULL]), false),
        ("empty audio", 8, vec![], false),
        ("audio configuration", 8, vec![0xAF, 0, 0x12, 0x10], true),
        ("video", 9, vec![0x17, 1, 0, 0, 0], true),
        ("text", 18, data(&["onTextData".into(), "x".into()]), true),
    ];
    for (name, message_type, payload, counts) in messages {
        let mut peer = Scripted::publishing();
        for _ in 0..19 {
            peer.now += Duration::from_secs(1);
            peer.session.handle_timeout(peer.now);
            peer.message(4, message_type, 1, 0, &payload);
            peer.replies();
        }
        assert!(!peer.session.is_closed(), "{name}");
        peer.now += Duration::from_secs(1);
        peer.session.handle_timeout(peer.now);
        let expected = CloseReason::Timeout(Timeout::FirstMedia);
        let expected = Some(&expected).filter(|_| !counts);
        assert_eq!(peer.session.close_reason(), expected, "{name}");
    }
    let mut peer = Scripted::playing();
    peer.now += Duration::from_secs(59);
    peer.session.handle_timeout(peer.now);
    assert_eq!(peer.session.state(), SessionState::Playing);
}

/// The media of one stream is not that of another; and a stream that is given back owes nothing.
#[test]
fn first_media_of_each_stream() {
    let mut peer = Scripted::publishing();
    peer.message(6, 9, 1, 0, &[0x17, 1]);
    for (id, name) in [(2, "a"), (3, "b")] {
        peer.now += Duration::from_secs(1);
        peer.command(0, "createStream", 5.0, [NULL]);
        peer.command(id, "publish", 6.0, [NULL, name.into()]);
    }
    peer.replies();
    peer.command(2, "closeStream", 0.0, [NULL]);
    let due = |peer: &Scripted<rtmp_proto::Server>| peer.session.poll_timeout().unwrap();
    let second = |second| Instant::from_origin(Duration::from_secs(second));
    peer.now = second(20);
    peer.message(6, 9, 1, 0, &[0x17, 1]);
    peer.replies();
    assert_eq!(due(&peer), second(22));
    peer.command(0, "deleteStream", 0.0, [NULL, 3.0.into()]);
    peer.replies();
    assert_eq!(due(&peer), second(50), "only that of silence is left");
    peer.command(2, "publish", 6.0, [NULL, "a".into()]);
    peer.replies();
    assert_eq!(due(&peer), second(40));
    peer.message(6, 9, 2, 0, &[0x17, 1]);
    peer.replies();
    assert_eq!(due(&peer), second(50));
}

/// While an application takes its time over one request, the session reads nothing, and media is not
/// late; but a client wins no time by asking.
#[test]
fn answering_takes_no_time_of_the_publisher() {
    let second = |second| Instant::from_origin(Duration::from_secs(second));
    let mut peer = Scripted::publishing();
    peer.policy = |_, _, event| Some(event);
    let ask = |peer: &mut Scripted<rtmp_proto::Server>| {
        peer.command(2, "play", 0.0, [NULL, "other".into()]);
        match peer.events.pop() {
            Some(ServerEvent::Play(request)) => request,
            event => panic!("{event:?}"),
        }
    };
    peer.now = second(10);
    peer.command(0, "createStream", 5.0, [NULL]);
    let request = ask(&mut peer);
    peer.now = second(110);
    peer.replies();
    peer.session.handle_timeout(peer.now);
    assert_eq!(peer.session.close_reason(), None);
    peer.session.accept(peer.now, request).unwrap();
    peer.replies();
    // Ten seconds were left, and are.
    assert_eq!(peer.session.poll_timeout(), Some(second(120)));
    peer.now = second(119);
    let request = ask(&mut peer);
    peer.session.accept(peer.now, request).unwrap();
    peer.replies();
    assert_eq!(peer.session.poll_timeout(), Some(second(120)));
    peer.session.handle_timeout(second(120));
    let reason = CloseReason::Timeout(Timeout::FirstMedia);
    assert_eq!(peer.session.close_reason(), Some(&reason));
}

/// Deadlines of any length, none included.
#[test]
fn endless_deadlines() {
    let limits = |limits: &mut Limits| {
        limits.handshake_timeout = Duration::MAX;
        limits.connect_timeout = Duration::MAX;
        limits.request_timeout = Duration::MAX;
        limits.first_media_timeout = Duration::MAX;
        limits.idle_timeout = Duration::MAX;
        limits.write_stall_timeout = Duration::MAX;
    };
    let mut config = config(limits);
    config.connection.ping_interval = None;
    let mut peer = Scripted::publishing_with(config);
    peer.now += Duration::from_secs(1 << 40);
    peer.session.handle_timeout(peer.now);
    assert_eq!(peer.session.state(), SessionState::Publishing);
}
