//! Encrypted sessions.
#![cfg(feature = "rtmpe")]
#![allow(clippy::indexing_slicing, reason = "a panic is a failure")]

mod common;

use bytes::{Buf, Bytes};
use common::{Pair, take_output, url};
use proptest::prelude::*;
use rtmp_proto::{
    ClientConfig, ClientEvent, ClientSession, CloseReason, Error, Instant, MessageStreamId,
    RequestError, ServerConfig, ServerEvent, ServerSession, SessionState, Timestamp,
    handshake::{
        DigestBase, Handshake, HandshakeError, HandshakeMode, HandshakeReply, HandshakeVariant,
    },
};

fn pair(is_accepted: bool) -> Pair {
    let mut client = ClientConfig::default();
    client.handshake = HandshakeMode::Encrypted;
    let mut server = ServerConfig::default();
    server.accepts_encryption = is_accepted;
    Pair::with(client, server)
}

/// HS-39
#[test]
fn publishing_at_any_split() {
    for piece in [1, 7, 1537, usize::MAX] {
        let mut pair = pair(true);
        pair.piece = piece;
        pair.client.publish_to(pair.now, &url()).unwrap();
        pair.drive();
        assert_eq!(pair.client.state(), SessionState::Publishing, "{piece}");
        let frame = Bytes::from(vec![0x17; 100_000]);
        for millis in 0..3 {
            let stream = MessageStreamId::new(1);
            let timestamp = Timestamp::from_millis(millis);
            let sent = pair.client.send_video(stream, timestamp, frame.clone());
            sent.unwrap();
        }
        pair.drive();
        let frames = pair.server_events.iter().filter(
            |event| matches!(event, ServerEvent::Frame { frame: got, .. } if got.payload == frame),
        );
        assert_eq!(frames.count(), 3, "{piece}");
        for report in [
            pair.client.handshake_report(),
            pair.server.handshake_report(),
        ] {
            assert_eq!(report.peer_protocol, Some(6));
            let variant = HandshakeVariant::Encrypted(DigestBase::At772);
            assert_eq!(report.variant, Some(variant));
            assert_eq!(report.reply, Some(HandshakeReply::Signed));
        }
    }
}

#[test]
fn playing() {
    let mut pair = pair(true);
    pair.client.play_from(pair.now, &url()).unwrap();
    pair.drive();
    let payload = Bytes::from_static(b"\xAF\x01payload");
    let stream = MessageStreamId::new(1);
    let sent = pair
        .server
        .send_audio(stream, Timestamp::ZERO, payload.clone());
    sent.unwrap();
    pair.drive();
    assert!(matches!(
        pair.client_events.last(),
        Some(ClientEvent::Frame { frame, .. }) if frame.payload == payload
    ));
}

/// Nothing of the chunk stream is on the wire in the clear.
#[test]
fn names_are_not_readable() {
    let mut wire = bytes::BytesMut::new();
    let mut pair = pair(true);
    pair.client.publish_to(pair.now, &url()).unwrap();
    let mut to_server = bytes::BytesMut::new();
    let mut to_client = bytes::BytesMut::new();
    for _ in 0..40 {
        let before = (to_server.len(), to_client.len());
        take_output(&mut pair.client, &mut to_server);
        take_output(&mut pair.server, &mut to_client);
        wire.extend_from_slice(&to_server[before.0..]);
        wire.extend_from_slice(&to_client[before.1..]);
        pair.server.handle_input(pair.now, &mut to_server);
        pair.client.handle_input(pair.now, &mut to_client);
        while let Some(event) = pair.server.poll_event() {
            common::accept_all(&mut pair.server, pair.now, event);
        }
        while pair.client.poll_event().is_some() {}
    }
    assert_eq!(pair.client.state(), SessionState::Publishing);
    for word in [&b"connect"[..], b"publish", b"_result"] {
        assert!(!wire.windows(word.len()).any(|window| window == word));
    }
}

/// A server that does not encrypt answers with version 3, and the client does not go on in the clear.
#[test]
fn no_downgrade() {
    let mut pair = pair(false);
    pair.client.publish_to(pair.now, &url()).unwrap();
    pair.drive();
    let error = HandshakeError::EncryptionRefused { version: 3 };
    let reason = CloseReason::Protocol(Error::Handshake(error));
    assert_eq!(pair.client.close_reason(), Some(&reason));
}

#[test]
fn urls_are_taken_at_their_word() {
    let mut pair = Pair::new();
    let url = "rtmpe://host/live/key".parse().unwrap();
    let refused = Err(RequestError::NotEncrypted);
    assert_eq!(pair.client.publish_to(pair.now, &url), refused);
    assert_eq!(pair.client.play_from(pair.now, &url), refused);
    let mut pair = self::pair(true);
    pair.client.publish_to(pair.now, &url).unwrap();
    pair.drive();
    assert_eq!(pair.client.state(), SessionState::Publishing);
}

/// A server that encrypts serves clients that do not ask for it.
#[test]
fn plain_clients_are_welcome() {
    for mode in [HandshakeMode::Simple, HandshakeMode::Digest] {
        let mut client = ClientConfig::default();
        client.handshake = mode;
        let mut server = ServerConfig::default();
        server.accepts_encryption = true;
        let mut pair = Pair::with(client, server);
        pair.client.publish_to(pair.now, &url()).unwrap();
        pair.drive();
        assert_eq!(pair.client.state(), SessionState::Publishing);
    }
}

fn server_error(input: &[u8]) -> Option<HandshakeError> {
    let mut server = Handshake::server([1; 32]).accepting_encryption();
    server.handle_input(Instant::ORIGIN, &mut &input[..]).err()
}

#[test]
fn encryption_needs_a_digest() {
    let c0c1 = [&[6][..], &[0; 1536]].concat();
    assert_eq!(server_error(&c0c1), Some(HandshakeError::NoDigest));
}

proptest! {
    /// Any bytes where the chunk stream belongs, at any split: the session goes on or ends.
    #[test]
    fn any_bytes_after_the_handshake(
        bytes in prop::collection::vec(any::<u8>(), 0..600),
        piece in 1..100_usize,
    ) {
        let run = |piece| {
            let mut wire = bytes::BytesMut::new();
            let mut config = ClientConfig::default();
            config.handshake = HandshakeMode::Encrypted;
            let mut client = ClientSession::new(Instant::ORIGIN, config.into(), [1; 32]);
            let mut config = ServerConfig::default();
            config.accepts_encryption = true;
            let mut server = ServerSession::new(Instant::ORIGIN, config.into(), [2; 32]);
            for _ in 0..2 {
                take_output(&mut client, &mut wire);
                server.handle_input(Instant::ORIGIN, &mut wire);
                take_output(&mut server, &mut wire);
                client.handle_input(Instant::ORIGIN, &mut wire);
            }
            let mut events = Vec::new();
            for mut piece in bytes.chunks(piece) {
                loop {
                    server.handle_input(Instant::ORIGIN, &mut piece);
                    let before = events.len();
                    while let Some(event) = server.poll_event() {
                        events.push(format!("{event:?}"));
                    }
                    if before == events.len() {
                        break;
                    }
                }
                if piece.has_remaining() {
                    break;
                }
            }
            (events, server.close_reason().cloned())
        };
        prop_assert_eq!(run(piece), run(usize::MAX));
    }
}
