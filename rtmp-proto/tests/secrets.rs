//! What is shown of sessions, requests and errors holds no stream key and no token.

mod common;

use std::{collections::BTreeSet, fmt::Debug};

use common::{Pair, accept_all};
use rtmp_proto::{
    ConnectParams, MessageStreamId, RtmpUrl, SendError, SessionState, StreamState, Timeout,
    Timestamp,
};

/// Everything that happens while a key is published and played, on both sides.
#[test]
fn debug_output() {
    let url: RtmpUrl = "rtmp://me:hidden@host/live?token=hidden/hidden?sign=hidden"
        .parse()
        .unwrap();
    for is_publisher in [true, false] {
        let mut pair = Pair::new();
        pair.policy = |server, now, event| {
            check(&event);
            accept_all(server, now, event)
        };
        let told = match is_publisher {
            true => pair.client.publish_to(pair.now, &url),
            false => pair.client.play_from(pair.now, &url),
        };
        told.unwrap();
        check(&pair.client);
        pair.drive();
        check(&pair.client);
        check(&pair.server);
        check(&pair.client_events);
        check(&pair.server_events);
        let payload = b"hidden".as_slice().into();
        let sent = pair.client.send_audio(STREAM, Timestamp::ZERO, payload);
        assert_eq!(sent.is_ok(), is_publisher);
        if let Err(error) = sent {
            assert!(matches!(error, SendError::NotActive(_)));
            check(&error);
            assert!(!error.to_string().contains("hidden"));
        }
    }
    check(&url);
    check(&ConnectParams::publisher(&url));
    check(&ConnectParams::player(&url));
    assert!(!url.to_string().contains("hidden"));
}

/// What logs say of states and deadlines: each has a word of its own.
#[test]
fn names() {
    use SessionState::{Closed, Connected, Connecting, Handshaking, Open, Playing, Publishing};
    assert_distinct(&[
        Handshaking,
        Open,
        Connecting,
        Connected,
        Publishing,
        Playing,
        Closed,
    ]);
    assert_distinct(&[
        StreamState::Idle,
        StreamState::PublishRequested,
        StreamState::Publishing,
        StreamState::PlayRequested,
        StreamState::Playing,
    ]);
    assert_distinct(&[
        Timeout::Handshake,
        Timeout::Connect,
        Timeout::Request,
        Timeout::FirstMedia,
        Timeout::Idle,
        Timeout::Ping,
        Timeout::WriteStall,
    ]);
}

fn assert_distinct(values: &[impl ToString]) {
    let names: BTreeSet<_> = values.iter().map(ToString::to_string).collect();
    assert_eq!(names.len(), values.len(), "{names:?}");
    assert!(!names.contains(""));
}

fn check(value: &impl Debug) {
    let shown = format!("{value:?}");
    assert!(!shown.contains("hidden"), "{shown}");
    let shown = format!("{value:#?}");
    assert!(!shown.contains("hidden"), "{shown}");
}

const STREAM: MessageStreamId = MessageStreamId::new(1);
