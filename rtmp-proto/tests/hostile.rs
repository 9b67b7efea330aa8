//! Input that has broken other implementations: each ends its own session with a reason, or is
//! ignored where deployed peers need that. Nothing panics, and what came before it is kept.
//!
//! The numbers are those of the list of known bugs that the tests were derived from.

mod common;

use std::time::Duration;

use bytes::BytesMut;
use common::scripted::{COMMANDS, Scripted, app, command, data, handshake, success};
use proptest::prelude::*;
use rtmp_proto::{
    AmfLimits, ClientConfig, CloseReason, Error, MessageStreamId, Role, ServerConfig, ServerEvent,
    SessionState, Timeout,
    amf::{AmfError, Object, Value},
    chunk::{ChunkError, ChunkSize},
    message::{Control, MessageError},
};

const NULL: Value = Value::Null;

fn assert_protocol_error<R: Role>(peer: &Scripted<R>, expected: impl Into<Error>) {
    let expected = CloseReason::Protocol(expected.into());
    assert_eq!(peer.session.close_reason(), Some(&expected));
    assert!(peer.event_names().last().unwrap().starts_with("Closed("));
}

/// A message header of type 0.
fn header(csid: u8, length: u32, message_type: u8, stream: u8) -> Vec<u8> {
    let [_, a, b, c] = length.to_be_bytes();
    vec![csid, 0, 0, 0, a, b, c, message_type, stream, 0, 0, 0]
}

/// 1, 2, 22: a header with another length while a message is incomplete.
#[test]
fn new_lengths_inside_a_message() {
    for chunk_type in [0x00, 0x40] {
        for length in [0, 1, 127, 128, 129, 299, 300, 301, 0xFF_FFFF] {
            let mut peer = Scripted::publishing();
            peer.bytes(&header(6, 300, 9, 1));
            peer.bytes(&[0x17; 128]);
            let mut again = header(6 | chunk_type, length, 9, 1);
            if chunk_type == 0x40 {
                again.truncate(8);
            }
            peer.bytes(&again);
            let first = usize::try_from(length).unwrap().min(128);
            peer.bytes(&vec![0x27; first]);
            assert!(!peer.session.is_closed());
            assert_eq!(peer.session.stats().dropped_by_peer, 1);
            let expected = usize::from((1..=128).contains(&length));
            assert_eq!(peer.frames().len(), expected, "{chunk_type:#x} {length}");
        }
    }
    let mut peer = Scripted::publishing();
    peer.bytes(&header(6, 300, 9, 1));
    peer.bytes(&[0x17; 128]);
    peer.bytes(&[0x86, 0, 0, 5]);
    peer.bytes(&[0x27; 128]);
    peer.bytes(&[0xC6]);
    peer.bytes(&[0x27; 128]);
    peer.bytes(&[0xC6]);
    peer.bytes(&[0x27; 44]);
    assert_eq!(peer.frames(), [(1, 9, 5, 300)], "type 2 keeps the length");
}

/// 3: three chunk streams interleaved in every order, in every form of their IDs.
#[test]
fn interleaved_chunk_streams() {
    let begin = |csid: &[u8], length: u32, payload: u8| {
        let mut bytes = csid.to_vec();
        bytes.extend(&header(0, length, 9, 1)[1..]);
        bytes.extend(vec![payload; 128]);
        bytes
    };
    let go_on = |csid: &[u8], len: usize, payload: u8| {
        let mut bytes = csid.to_vec();
        bytes[0] |= 0xC0;
        bytes.extend(vec![payload; len]);
        bytes
    };
    let csids: [&[u8]; 3] = [&[6], &[0, 10], &[1, 200, 200]];
    for order in [
        [0, 1, 2],
        [0, 2, 1],
        [1, 0, 2],
        [1, 2, 0],
        [2, 0, 1],
        [2, 1, 0],
    ] {
        for piece in [1, 7, usize::MAX] {
            let mut peer = Scripted::publishing();
            peer.piece = piece;
            for (n, csid) in csids.iter().enumerate() {
                let rest = u32::try_from(10 * (n + 1)).unwrap();
                peer.bytes(&begin(csid, 128 + rest, 0x17));
            }
            for n in order {
                peer.bytes(&go_on(csids[n], 10 * (n + 1), 0x17));
            }
            let lengths: Vec<_> = peer.frames().iter().map(|frame| frame.3).collect();
            assert_eq!(lengths, order.map(|n| 128 + 10 * (n + 1)));
        }
    }
}

/// 4: type 3 chunks with an extended timestamp, and messages that begin with one.
#[test]
fn extended_timestamps_on_type_3() {
    let mut peer = Scripted::publishing();
    let mut bytes = header(6, 130, 9, 1);
    bytes[1..4].fill(0xFF);
    bytes.extend([0xFF; 4]);
    bytes.extend([0x17; 128]);
    bytes.extend([0xC6, 0xFF, 0xFF, 0xFF, 0xFF, 1, 2]);
    peer.bytes(&bytes);
    assert_eq!(peer.frames(), [(1, 9, u32::MAX, 130)]);
}

/// 5, 29: the chunk size changes between and inside messages.
#[test]
fn chunk_size_shrinks_and_grows() {
    let mut peer = Scripted::publishing();
    for (n, size) in [1, 4096, 128, 2, 65_536, 1, 0xFF_FFFF, 3]
        .into_iter()
        .enumerate()
    {
        peer.control(Control::SetChunkSize(ChunkSize::new(size).unwrap()));
        peer.message(6, 9, 1, 0, &vec![0x17; 1000 + n]);
        assert_eq!(peer.frames().len(), n + 1, "{size}");
    }
}

/// 6: sizes at the edges.
#[test]
fn chunk_sizes_at_the_edges() {
    for size in [1_u32, 127, 128, 1 << 24, 0x7FFF_FFFF] {
        let mut peer = Scripted::publishing();
        peer.message(2, 1, 0, 0, &size.to_be_bytes());
        assert!(!peer.session.is_closed(), "{size}");
        assert_eq!(
            peer.session.stats().chunk_size_in,
            ChunkSize::new(size).unwrap()
        );
    }
    for size in [0, 1 << 31, u32::MAX] {
        let mut peer = Scripted::publishing();
        peer.message(2, 1, 0, 0, &size.to_be_bytes());
        assert_protocol_error(&peer, MessageError::InvalidChunkSize { size });
    }
}

/// 7: a chunk size of 1 buys no more work than a budget.
#[test]
fn tiny_chunks_are_budgeted() {
    let mut config = ServerConfig::default();
    config.connection.limits.chunks_per_message = 1000;
    let mut peer = Scripted::publishing_with(config);
    peer.message(2, 1, 0, 0, &1_u32.to_be_bytes());
    peer.bytes(&header(6, 0xFF_FFFF, 9, 1));
    for _ in 0..999 {
        peer.bytes(&[0x17, 0xC6]);
    }
    assert!(!peer.session.is_closed());
    peer.bytes(&[0x17, 0xC6, 0x17]);
    assert_protocol_error(&peer, ChunkError::TooManyChunks { limit: 1000 });
}

/// 8: 16 MiB declared on many chunk streams and nothing sent.
#[test]
fn declared_memory_is_bounded() {
    let mut peer = Scripted::publishing();
    for csid in 3..=63 {
        peer.bytes(&header(csid, 0xFF_FFFF, 9, 1));
        peer.bytes(&[0x17]);
        if peer.session.is_closed() {
            break;
        }
        // The rest of the chunk, so that the next header is one.
        peer.bytes(&[0x17; 127]);
    }
    assert_protocol_error(
        &peer,
        ChunkError::TooManyIncompleteBytes {
            declared: 2 * 0xFF_FFFF,
            limit: 24 << 20,
        },
    );
}

/// 9: many tiny messages and an application that takes its time: one event at a time.
#[test]
fn events_are_taken_one_by_one() {
    let mut peer = Scripted::publishing();
    let flood: Vec<u8> = (0..10_000)
        .flat_map(|_| [&header(4, 1, 8, 1)[..], &[0xAF]].concat())
        .collect();
    let mut input = &flood[..];
    peer.session.handle_input(peer.now, &mut input);
    assert_eq!(flood.len() - input.len(), 13, "one message");
    assert!(!peer.session.wants_read());
    peer.session.handle_input(peer.now, &mut input);
    assert_eq!(
        flood.len() - input.len(),
        13,
        "and no more before it is taken"
    );
    assert!(peer.session.poll_event().is_some());
    assert!(peer.session.poll_event().is_none());
}

/// 10, 17: nested and surplus values where none are expected.
#[test]
fn unexpected_values_everywhere() {
    let nested: Value = Object::new()
        .with(
            "a",
            Object::new().with("b", Value::StrictArray(vec![NULL, 1.0.into()])),
        )
        .into();
    for name in COMMANDS {
        let mut peer = Scripted::connected();
        peer.command(0, "createStream", 2.0, [NULL]);
        let values = [(); 9].map(|()| nested.clone());
        peer.command(1, name, 3.0, values);
        peer.assert_alive_or_closed(name);
    }
}

/// 11: nesting without end costs neither stack nor time.
#[test]
fn deep_nesting() {
    for marker in [
        &[0x03, 0, 1, b'a'][..],
        &[0x08, 0, 0, 0, 0, 0, 1, b'a'],
        &[0x0A, 0, 0, 0, 1],
    ] {
        let peers: [(Start<rtmp_proto::Server>, _, _); 2] = [
            (Scripted::server, "connect", 5000),
            (Scripted::connected, "call", 100_000),
        ];
        for (peer, name, depth) in peers {
            let mut payload = command(name, 1.0, &[]);
            for _ in 0..depth {
                payload.extend(marker);
            }
            let mut peer = peer();
            peer.message(3, 20, 0, 0, &payload);
            assert!(matches!(
                peer.session.close_reason(),
                Some(CloseReason::Protocol(Error::Message(MessageError::Amf(
                    AmfError::TooDeep { limit: 32, .. }
                ))))
            ));
        }

        let mut peer = Scripted::publishing();
        let mut payload = data(&["onTextData".into()]);
        for _ in 0..100_000 {
            payload.extend(marker);
        }
        peer.message(4, 18, 1, 0, &payload);
        assert!(!peer.session.is_closed(), "a data message is only ignored");
        assert!(peer.frames().is_empty());
    }
}

/// 12, 13: counts and lengths that lie.
#[test]
fn lying_counts_and_lengths() {
    for tail in [
        &[0x0A, 0xFF, 0xFF, 0xFF, 0xFF][..],
        &[0x08, 0xFF, 0xFF, 0xFF, 0xFF],
        &[0x0C, 0x7F, 0xFF, 0xFF, 0xFF],
        &[0x0C, 0x80, 0x00, 0x00, 0x00],
        &[0x0C, 0xFF, 0xFF, 0xFF, 0xFB],
        &[0x0F, 0xFF, 0xFF, 0xFF, 0xFF],
        &[0x02, 0xFF, 0xFF],
        &[0x10, 0xFF, 0xFF],
        &[0x07, 0xFF, 0xFF],
    ] {
        let mut payload = command("connect", 1.0, &[]);
        payload.extend(tail);
        let mut peer = Scripted::server();
        peer.message(3, 20, 0, 0, &payload);
        peer.assert_alive_or_closed(&format!("{tail:x?}"));
    }
}

/// 15: `play` and everything else without arguments, without an object, with nulls.
#[test]
fn commands_without_arguments() {
    for name in COMMANDS {
        for values in [&[][..], &[NULL], &[NULL, NULL, NULL, NULL, NULL]] {
            for id in [0.0, 7.0, -1.0, f64::NAN, f64::INFINITY] {
                let mut peer = Scripted::connected();
                peer.command(0, "createStream", 2.0, [NULL]);
                peer.message(3, 20, 1, 0, &command(name, id, values));
                peer.assert_alive_or_closed(name);
            }
        }
    }
}

/// 16: every command cut at every byte: understood as far as it goes, or a typed end.
#[test]
fn commands_cut_at_every_byte() {
    let object: Value = Object::new().with("app", "live").with("n", 1.0).into();
    for name in COMMANDS {
        let full = command(
            name,
            3.0,
            &[object.clone(), "key".into(), 1.0.into(), true.into()],
        );
        for cut in 0..full.len() {
            let mut peer = Scripted::connected();
            peer.command(0, "createStream", 2.0, [NULL]);
            peer.message(3, 20, 1, 0, &full[..cut]);
            peer.assert_alive_or_closed(name);
            let mut peer = Scripted::client_publishing();
            peer.message(3, 20, 1, 0, &full[..cut]);
            peer.assert_alive_or_closed(name);
        }
    }
}

/// 18: createStream without end.
#[test]
fn streams_without_end() {
    let mut peer = Scripted::connected();
    for n in 0..10_000 {
        peer.command(0, "createStream", f64::from(n + 2), [NULL]);
        if n % 100 == 0 {
            peer.replies();
        }
    }
    peer.assert_alive_or_closed("createStream");
    assert!(!peer.session.is_closed());
    assert_eq!(peer.session.stream_state(MessageStreamId::new(33)), None);
    assert!(
        peer.session
            .stream_state(MessageStreamId::new(32))
            .is_some()
    );
}

/// 19: a type 3 chunk before any other.
#[test]
fn type_3_first() {
    let mut peer = Scripted::server();
    peer.bytes(&[0xC3]);
    assert_protocol_error(&peer, ChunkError::NoPrecedingHeader { csid: 3 });
}

/// 20: names of every length, with everything in them.
#[test]
fn odd_names() {
    let long = "n".repeat(70_000);
    let mut config = ServerConfig::default();
    config.connection.limits.before_connect.message_len = 1 << 20;
    config.connection.limits.before_connect.command = AmfLimits::COMMAND;
    for name in [
        "",
        &long[..255],
        &long[..256],
        &long,
        "a\0b",
        "../../etc/passwd",
        "a\r\nb",
        "\u{FFFD}",
    ] {
        let mut peer = Scripted::server_with(config.clone());
        peer.command(0, "connect", 1.0, [app(name)]);
        peer.command(0, "createStream", 2.0, [NULL]);
        peer.command(0, "FCPublish", 3.0, [NULL, name.into()]);
        peer.command(1, "publish", 4.0, [NULL, name.into(), name.into()]);
        assert_eq!(peer.session.state(), SessionState::Publishing);
        assert!(peer.session.queued_len() < 10_000, "echoes are short");
        let shown = format!("{:?} {:?}", peer.session, peer.events);
        assert!(name.len() < 3 || !shown.contains(name), "a secret");
        peer.assert_alive_or_closed("odd name");
    }
}

/// 23: user control events nobody knows, and media before any header.
#[test]
fn unknown_user_control_and_early_media() {
    let mut peer = Scripted::publishing();
    for event in 0..=300_u16 {
        let mut payload = event.to_be_bytes().to_vec();
        payload.extend([0; 8]);
        peer.message(2, 4, 0, 0, &payload);
        peer.message(2, 4, 0, 0, &payload[..2]);
    }
    peer.message(6, 9, 1, 0, &[0x27, 1]);
    peer.message(4, 8, 1, 0, &[0xAF]);
    assert_eq!(peer.frames().len(), 2);
    peer.assert_alive_or_closed("user control");
    assert!(!peer.session.is_closed());
}

/// 24: publish and close over and over, with messages for what is gone.
#[test]
fn republish_and_close() {
    let mut peer = Scripted::connected();
    for round in 0..200 {
        peer.command(0, "createStream", 2.0, [NULL]);
        peer.command(1, "publish", 3.0, [NULL, "key".into()]);
        peer.message(6, 9, 1, 0, &[0x17, 1, 0, 0, 0]);
        peer.command(1, "closeStream", 0.0, [NULL]);
        peer.message(6, 9, 1, 0, &[0x17, 1, 0, 0, 0]);
        peer.command(1, "play", 3.0, [NULL, "key".into()]);
        peer.command(0, "deleteStream", 0.0, [NULL, 1.0.into()]);
        peer.command(0, "deleteStream", 0.0, [NULL, 1.0.into()]);
        peer.message(6, 9, 1, 0, &[0x17, 1, 0, 0, 0]);
        assert_eq!(peer.frames().len(), round + 1);
        peer.replies();
    }
    assert_eq!(peer.session.state(), SessionState::Connected);
}

/// 25: timestamps and deltas that wrap.
#[test]
fn wrapping_timestamps() {
    let mut peer = Scripted::publishing();
    peer.message(6, 9, 1, u32::MAX, &[0x17, 1]);
    for _ in 0..3 {
        peer.bytes(&[
            0x46, 0xFF, 0xFF, 0xFF, 0, 0, 2, 9, 0xFF, 0xFF, 0xFF, 0xFF, 0x17, 1,
        ]);
    }
    let times: Vec<_> = peer.frames().iter().map(|frame| frame.2).collect();
    assert_eq!(times, [u32::MAX, u32::MAX - 1, u32::MAX - 2, u32::MAX - 3]);
}

/// 30: a byte now and then, at every stage.
#[test]
fn slow_loris() {
    let trickle = |peer: &mut Scripted<rtmp_proto::Server>, bytes: &mut dyn Iterator<Item = u8>| {
        let begun = peer.now;
        while !peer.session.is_closed() {
            peer.now += Duration::from_secs(5);
            assert!((peer.now - begun).as_secs() < 60, "it goes on for ever");
            peer.session.handle_timeout(peer.now);
            peer.bytes(&[bytes.next().unwrap()]);
            peer.replies();
        }
        let Some(CloseReason::Timeout(timeout)) = peer.session.close_reason() else {
            panic!("{:?}", peer.session.close_reason())
        };
        (*timeout, (peer.now - begun).as_secs())
    };
    let mut peer = Scripted::fresh_server(ServerConfig::default());
    let outcome = trickle(&mut peer, &mut handshake().into_iter());
    assert_eq!(outcome, (Timeout::Handshake, 10));

    let mut peer = Scripted::server();
    let connect = peer.encode(3, 20, 0, 0, &command("connect", 1.0, &[app("live")]));
    assert_eq!(
        trickle(&mut peer, &mut connect.into_iter()),
        (Timeout::Connect, 10)
    );

    let mut peer = Scripted::connected();
    let create = peer.encode(3, 20, 0, 0, &command("createStream", 1.0, &[NULL]));
    assert_eq!(
        trickle(&mut peer, &mut create.into_iter()),
        (Timeout::Request, 20)
    );

    let frame = || {
        let header = header(6, 0xFF_FFFF, 9, 1);
        header.into_iter().chain(std::iter::repeat(0x17))
    };
    let mut peer = Scripted::publishing();
    assert_eq!(trickle(&mut peer, &mut frame()), (Timeout::FirstMedia, 20));
    let mut peer = Scripted::publishing();
    peer.message(6, 9, 1, 0, &[0x17, 1, 0, 0, 0]);
    assert_eq!(trickle(&mut peer, &mut frame()), (Timeout::Idle, 30));
}

/// What came before the bad message is delivered and answered.
#[test]
fn nothing_before_the_violation_is_lost() {
    let mut peer = Scripted::publishing();
    let mut bytes = peer.encode(6, 9, 1, 1, &[0x17, 1]);
    bytes.extend(peer.encode(3, 20, 0, 0, &command("createStream", 9.0, &[NULL])));
    bytes.extend(peer.encode(2, 1, 0, 0, &[0; 4]));
    bytes.extend(peer.encode(6, 9, 1, 2, &[0x17, 1]));
    peer.bytes(&bytes);
    assert_eq!(peer.frames(), [(1, 9, 1, 2)]);
    assert_eq!(peer.replies(), ["0:_result(9) null 2"]);
    assert!(matches!(peer.events.last(), Some(ServerEvent::Closed(_))));
}

/// References that blow up in what a client says it can do are not kept and not sent back.
#[test]
fn references_in_capabilities() {
    let mut config = ServerConfig::default();
    let limits = &mut config.connection.limits;
    limits.command = limits.command.with_string_bytes(64 << 20);
    limits.before_connect.message_len = limits.message_len;
    limits.before_connect.incomplete_bytes = limits.incomplete_bytes;
    limits.before_connect.command = limits.command;
    let mut peer = Scripted::server_with(config);
    let mut payload = command("connect", 1.0, &[]);
    // {fourCcList: [{s: 1 MiB}, then references to it]}
    payload.extend([0x03, 0, 10]);
    payload.extend(b"fourCcList");
    payload.extend([0x0A, 0, 0, 0, 31, 0x03, 0, 1, b's', 0x0C, 0, 0x10, 0, 0]);
    payload.extend(vec![b'x'; 1 << 20]);
    payload.extend([0, 0, 9]);
    for _ in 0..30 {
        payload.extend([0x07, 0, 2]);
    }
    payload.extend([0, 0, 9]);
    peer.message(2, 1, 0, 0, &0xFF_FFFF_u32.to_be_bytes());
    peer.control(Control::SetChunkSize(ChunkSize::MAX));
    peer.message(3, 20, 0, 0, &payload);
    assert_eq!(peer.session.state(), SessionState::Connected);
    assert!(peer.session.queued_len() < 5000, "left out");
    let replies = peer.replies();
    assert_eq!(
        replies.last().unwrap(),
        "0:_result(1) {} status/NetConnection.Connect.Success"
    );
}

fn any_value() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        any::<f64>().prop_map(Value::Number),
        any::<bool>().prop_map(Value::Boolean),
        "[a-z]{0,8}".prop_map(Value::from),
        Just(Value::Null),
        Just(Value::Undefined),
        Just(1.0.into()),
        Just(success()),
    ];
    leaf.prop_recursive(2, 8, 3, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..3).prop_map(Value::StrictArray),
            prop::collection::vec(("[a-z]{0,6}", inner), 0..3).prop_map(|pairs| {
                let object = Object::new();
                pairs
                    .into_iter()
                    .fold(object, |object, (name, value)| object.with(name, value))
                    .into()
            }),
        ]
    })
}

/// A message: stream, command name, transaction ID, values.
fn any_command() -> impl Strategy<Value = (u32, &'static str, f64, Vec<Value>)> {
    (
        0..4_u32,
        prop::sample::select(COMMANDS),
        (0..6_u32).prop_map(f64::from),
        prop::collection::vec(any_value(), 0..4),
    )
}

fn run_commands<R: Role>(mut peer: Scripted<R>, script: &[(u32, &'static str, f64, Vec<Value>)]) {
    for (stream, name, id, values) in script {
        peer.message(3, 20, *stream, 0, &command(name, *id, values));
        peer.message(6, 9, *stream, 0, &[0x17, 1]);
    }
    peer.assert_alive_or_closed("random commands");
}

fn outcome<R: Role>(mut peer: Scripted<R>, bytes: &[u8], piece: usize) -> (Vec<String>, BytesMut) {
    peer.piece = piece;
    peer.bytes(bytes);
    peer.session.handle_eof(peer.now);
    peer.bytes(&[]);
    let mut output = BytesMut::new();
    common::take_output(&mut peer.session, &mut output);
    (peer.event_names(), output)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn random_commands(script in prop::collection::vec(any_command(), 0..30)) {
        run_commands(Scripted::server(), &script);
        run_commands(Scripted::connected(), &script);
        run_commands(Scripted::client_publishing(), &script);
        run_commands(Scripted::player(), &script);
    }

    /// Arbitrary bytes behind a handshake, or in its place.
    #[test]
    fn arbitrary_bytes(
        bytes in prop::collection::vec(any::<u8>(), 0..600),
        piece in 1..40_usize,
    ) {
        let fresh = || Scripted::fresh_server(ServerConfig::default());
        prop_assert_eq!(outcome(fresh(), &bytes, piece), outcome(fresh(), &bytes, usize::MAX));
        let fresh = || Scripted::fresh_client(ClientConfig::default());
        prop_assert_eq!(outcome(fresh(), &bytes, piece), outcome(fresh(), &bytes, usize::MAX));
        for server in [Scripted::server, Scripted::publishing, Scripted::playing] {
            prop_assert_eq!(outcome(server(), &bytes, piece), outcome(server(), &bytes, usize::MAX));
        }
        for client in [Scripted::publisher, Scripted::client_playing] {
            prop_assert_eq!(outcome(client(), &bytes, piece), outcome(client(), &bytes, usize::MAX));
        }
    }

    /// The same with headers that make sense, so that payloads are reached.
    #[test]
    fn arbitrary_payloads(
        messages in prop::collection::vec(
            (2..8_u32, 0..24_u8, 0..3_u32, prop::collection::vec(any::<u8>(), 0..40)),
            0..20,
        ),
        piece in 1..40_usize,
    ) {
        let mut encoder = Scripted::connected();
        let bytes: Vec<u8> = messages
            .iter()
            .flat_map(|(csid, kind, stream, payload)| encoder.encode(*csid, *kind, *stream, 0, payload))
            .collect();
        for server in [Scripted::server, Scripted::publishing, Scripted::playing] {
            prop_assert_eq!(outcome(server(), &bytes, piece), outcome(server(), &bytes, usize::MAX));
        }
        for client in [Scripted::publisher, Scripted::client_playing] {
            prop_assert_eq!(outcome(client(), &bytes, piece), outcome(client(), &bytes, usize::MAX));
        }
    }
}

/// A peer in some state.
type Start<R> = fn() -> Scripted<R>;
