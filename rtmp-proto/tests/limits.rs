//! Each limit walked up to and past, and what a peer can make a session queue.

mod common;

use std::time::Duration;

use common::scripted::{Scripted, app, command, data, success};
use rtmp_proto::{
    AmfLimits, ClientConfig, CloseReason, Error, Limits, MessageStreamId, RequestError, SendError,
    ServerConfig, SessionState, Timestamp,
    amf::{AmfError, Value},
    chunk::{ChunkError, ChunkSize},
    message::{BandwidthLimit, Control, MessageError, UserControl},
};

const NULL: Value = Value::Null;
const ONE: MessageStreamId = MessageStreamId::new(1);

fn config(change: impl FnOnce(&mut Limits)) -> ServerConfig {
    let mut config = ServerConfig::default();
    change(&mut config.connection.limits);
    config
}

fn chunk_error(peer: &Scripted<rtmp_proto::Server>) -> Option<&ChunkError> {
    match peer.session.close_reason() {
        Some(CloseReason::Protocol(Error::Chunk(error))) => Some(error),
        _ => None,
    }
}

fn amf_error(peer: &Scripted<rtmp_proto::Server>) -> Option<&AmfError> {
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
    let payload = bytes::Bytes::from(vec![0x17; 3000]);
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
        if let rtmp_proto::ServerEvent::Call(call) = event {
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
        let payload = bytes::Bytes::from(vec![0x17; 1000]);
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

/// Deadlines of any length, none included.
#[test]
fn endless_deadlines() {
    let limits = |limits: &mut Limits| {
        limits.handshake_timeout = Duration::MAX;
        limits.connect_timeout = Duration::MAX;
        limits.request_timeout = Duration::MAX;
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
