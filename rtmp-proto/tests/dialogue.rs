//! The whole dialogue, both roles, in memory.

mod common;

use std::time::Duration;

use bytes::{Bytes, BytesMut};
use common::{
    Pair, give_input, names,
    scripted::{Scripted, success},
    take_output, url,
};
use rtmp_proto::{
    ClientEvent, CloseReason, ConnectParams, MessageStreamId, PlayOptions, PublishKind,
    RequestError, SendError, ServerEvent, ServerSession, SessionState, Status, StatusCode,
    StreamState, Timeout, Timestamp, UserControl,
    amf::{Object, Value},
    flv::Frame,
};

const ONE: MessageStreamId = MessageStreamId::new(1);

fn at(millis: u32) -> Timestamp {
    Timestamp::from_millis(millis)
}

fn key_frame(millis: u32, len: usize) -> Frame {
    let mut payload = vec![0x17, 1, 0, 0, 0];
    payload.resize(len.max(5), 0xAB);
    Frame::video(at(millis), payload.into())
}

fn states<E: std::fmt::Debug>(events: &[E]) -> Vec<String> {
    let mut names = names(events);
    names.retain(|name| name.starts_with("StateChanged"));
    names
}

fn frames(events: &[ServerEvent]) -> Vec<Frame> {
    let frame = |event: &ServerEvent| match event {
        ServerEvent::Frame { stream, frame } => {
            assert_eq!(*stream, ONE);
            Some(frame.clone())
        }
        _ => None,
    };
    events.iter().filter_map(frame).collect()
}

#[test]
fn publish_in_one_call() {
    let mut pair = Pair::publishing();
    let expected = [
        "StateChanged(Open)",
        "StateChanged(Connecting)",
        "StateChanged(Connected)",
        "StateChanged(Publishing)",
    ];
    assert_eq!(states(&pair.client_events), expected);
    assert_eq!(states(&pair.server_events), expected);
    assert_eq!(pair.client.state(), SessionState::Publishing);
    assert_eq!(pair.client.stream_state(ONE), Some(StreamState::Publishing));

    pair.server_events.clear();
    let sent: Vec<_> = (0..20).map(|n| key_frame(n * 40, 1 << n.min(17))).collect();
    for frame in &sent {
        pair.client.send_frame(ONE, frame).unwrap();
    }
    pair.drive();
    assert_eq!(frames(&pair.server_events), sent);
    assert_eq!(pair.client.stats().sent.video, 20);
    assert_eq!(pair.server.stats().received.video, 20);

    pair.client.close(pair.now);
    pair.drive();
    let last = names(&pair.server_events);
    assert!(last.contains(&"PublishStopped { stream: MessageStreamId(1) }".into()));
    assert!(matches!(
        pair.client_events.last(),
        Some(ClientEvent::Closed(CloseReason::Local))
    ));
    pair.server.handle_eof(pair.now);
    pair.drive();
    assert!(matches!(
        pair.server_events.last(),
        Some(ServerEvent::Closed(CloseReason::EndOfInput {
            mid_message: false
        }))
    ));
}

/// Metadata goes out wrapped in `@setDataFrame` and arrives as players get it (MSG-23, MSG-24).
#[test]
fn metadata_loses_its_wrapping() {
    let mut pair = Pair::publishing();
    let mut payload = Vec::new();
    let properties = Object::new().with("width", 1280.0);
    rtmp_proto::amf::amf0::encode(&"onMetaData".into(), &mut payload);
    rtmp_proto::amf::amf0::encode(&Value::EcmaArray(properties), &mut payload);
    let payload = Bytes::from(payload);
    pair.client.send_data(ONE, at(0), payload.clone()).unwrap();
    pair.drive();
    assert_eq!(frames(&pair.server_events), [Frame::data(at(0), payload)]);
}

#[test]
fn play_in_one_call() {
    let mut pair = Pair::playing();
    assert_eq!(pair.client.state(), SessionState::Playing);
    assert_eq!(pair.server.state(), SessionState::Playing);
    let sent = key_frame(7, 100_000);
    pair.server.send_frame(ONE, &sent).unwrap();
    pair.server.notify_unpublished(ONE).unwrap();
    pair.drive();
    let received = pair.client_events.iter().find_map(|event| match event {
        ClientEvent::Frame { frame, .. } if frame.is_video() => Some(frame),
        _ => None,
    });
    assert_eq!(received, Some(&sent));
    let statuses: Vec<_> = pair
        .client_events
        .iter()
        .filter_map(|event| match event {
            ClientEvent::Status { status, .. } => Some(&status.code),
            _ => None,
        })
        .collect();
    assert_eq!(
        statuses,
        [&StatusCode::PLAY_RESET, &StatusCode::PLAY_UNPUBLISH_NOTIFY]
    );
}

/// GEN-10: any split of the bytes gives the same events.
#[test]
fn one_byte_at_a_time() {
    let whole = Pair::publishing();
    let mut pair = Pair::new();
    pair.piece = 1;
    pair.client.publish_to(pair.now, &url()).unwrap();
    pair.drive();
    assert_eq!(names(&pair.client_events), names(&whole.client_events));
    assert_eq!(names(&pair.server_events), names(&whole.server_events));
}

/// The application answers `connect` before anything behind it is looked at.
#[test]
fn a_request_holds_back_what_follows() {
    fn hold(
        _: &mut ServerSession,
        _: rtmp_proto::Instant,
        event: ServerEvent,
    ) -> Option<ServerEvent> {
        Some(event)
    }
    let mut pair = Pair::new();
    pair.policy = hold;
    pair.client.publish_to(pair.now, &url()).unwrap();
    pair.drive();
    let Some(ServerEvent::Connect(connect)) = pair.server_events.pop() else {
        panic!("connect is the last event")
    };
    assert_eq!(connect.app(), "live");
    assert!(!pair.server.wants_read());
    pair.server.accept(pair.now, connect).unwrap();
    pair.drive();
    let Some(ServerEvent::Publish(publish)) = pair.server_events.pop() else {
        panic!("publish is the last event")
    };
    assert_eq!(publish.name().as_str(), "live/key");
    assert_eq!(publish.kind(), PublishKind::Live);

    let mut wire = BytesMut::new();
    pair.client.handle_timeout(pair.now);
    take_output(&mut pair.client, &mut wire);
    give_input(&mut pair.server, pair.now, &mut wire, usize::MAX);
    assert!(pair.server.poll_event().is_none());
    pair.server.accept(pair.now, publish).unwrap();
    pair.drive();
    assert_eq!(pair.server.state(), SessionState::Publishing);
}

/// Design decision 8: told first, then closed.
#[test]
fn rejected_publish_is_told_why() {
    fn reject(
        server: &mut ServerSession,
        now: rtmp_proto::Instant,
        event: ServerEvent,
    ) -> Option<ServerEvent> {
        if let ServerEvent::Publish(request) = event {
            let status = Status::error(StatusCode::PUBLISH_BAD_NAME, "in use");
            server.reject(now, request, status).unwrap();
            return None;
        }
        common::accept_all(server, now, event)
    }
    let mut pair = Pair::new();
    pair.policy = reject;
    pair.client.publish_to(pair.now, &url()).unwrap();
    pair.drive();
    let Some(ClientEvent::Closed(CloseReason::Refused(status))) = pair.client_events.last() else {
        panic!("refused: {:?}", pair.client_events.last())
    };
    assert_eq!(status.code, StatusCode::PUBLISH_BAD_NAME);
    assert!(matches!(
        pair.server.close_reason(),
        Some(CloseReason::Rejected(_))
    ));
    assert!(
        !names(&pair.client_events)
            .iter()
            .any(|e| e.contains("Publishing"))
    );
}

#[test]
fn rejected_connect_is_told_why() {
    fn reject(
        server: &mut ServerSession,
        now: rtmp_proto::Instant,
        event: ServerEvent,
    ) -> Option<ServerEvent> {
        if let ServerEvent::Connect(request) = event {
            let status = Status::error(StatusCode::CONNECT_INVALID_APP, "no such app");
            server.reject(now, request, status).unwrap();
        }
        None
    }
    let mut pair = Pair::new();
    pair.policy = reject;
    pair.client.play_from(pair.now, &url()).unwrap();
    pair.drive();
    assert!(matches!(
        pair.client.close_reason(),
        Some(CloseReason::Refused(status)) if status.code == StatusCode::CONNECT_INVALID_APP
    ));
}

/// Every single step, several streams on one connection, publishing and playing mixed.
#[test]
fn single_steps_on_two_streams() {
    let mut pair = Pair::new();
    let params = ConnectParams::player(&url()).with_property("token", "t");
    pair.client.connect(pair.now, params).unwrap();
    assert_eq!(
        pair.client.create_stream(pair.now),
        Err(RequestError::WrongState)
    );
    pair.drive();
    pair.client.create_stream(pair.now).unwrap();
    pair.client.create_stream(pair.now).unwrap();
    pair.drive();
    let two = MessageStreamId::new(2);
    pair.client
        .publish(pair.now, ONE, "a", PublishKind::Record)
        .unwrap();
    pair.client
        .play(pair.now, two, "b", PlayOptions::default())
        .unwrap();
    pair.drive();
    assert_eq!(pair.server.stream_state(ONE), Some(StreamState::Publishing));
    assert_eq!(pair.server.stream_state(two), Some(StreamState::Playing));
    assert_eq!(pair.client.stream_state(two), Some(StreamState::Playing));

    pair.client.send_frame(ONE, &key_frame(1, 10)).unwrap();
    pair.server.send_frame(two, &key_frame(2, 10)).unwrap();
    let sent_to_player = pair.client.send_frame(two, &key_frame(3, 10));
    assert!(matches!(sent_to_player, Err(SendError::NotActive(_))));
    pair.drive();
    assert_eq!(frames(&pair.server_events), [key_frame(1, 10)]);

    pair.client.pause(two, true, 2.0).unwrap();
    pair.drive();
    pair.client_events.clear();
    pair.server.send_frame(two, &key_frame(4, 10)).unwrap();
    pair.client.pause(two, false, 2.0).unwrap();
    pair.drive();
    pair.server.send_frame(two, &key_frame(5, 10)).unwrap();
    pair.client.receive_video(two, false).unwrap();
    pair.drive();
    pair.server.send_frame(two, &key_frame(6, 10)).unwrap();
    pair.client.seek(two, 3.0).unwrap();
    pair.client.close_stream(two).unwrap();
    pair.client.delete_stream(ONE).unwrap();
    pair.drive();
    let got: Vec<_> = pair
        .client_events
        .iter()
        .filter_map(|event| match event {
            ClientEvent::Frame { frame, .. } => Some(frame.clone()),
            _ => None,
        })
        .collect();
    assert_eq!(
        got,
        [key_frame(5, 10)],
        "paused and unwanted frames are left out"
    );
    assert_eq!(pair.server.stream_state(ONE), None);
    assert_eq!(pair.server.stream_state(two), Some(StreamState::Idle));
    assert_eq!(pair.server.state(), SessionState::Connected);
}

/// NC-37 to NC-42: calls go both ways, and an unknown one is the application's to answer.
#[test]
fn calls_in_both_directions() {
    let mut pair = Pair::publishing();
    let id = pair
        .client
        .call("sum", Value::Null, [1.0.into(), 2.0.into()])
        .unwrap();
    pair.server.call("hello", Value::Null, []).unwrap();
    pair.drive();
    let Some(ServerEvent::Call(call)) = pair.server_events.pop() else {
        panic!("the call is the last event")
    };
    assert_eq!(call.command().argument(1), &Value::Number(2.0));
    pair.server.respond(call, Ok(3.0.into())).unwrap();
    let Some(ClientEvent::Call(call)) = pair.client_events.pop() else {
        panic!("the call is the last event")
    };
    pair.client
        .respond(call, Err(Status::error(StatusCode::CALL_FAILED, "no")))
        .unwrap();
    pair.drive();
    let Some(ClientEvent::Response(response)) = pair.client_events.pop() else {
        panic!("the answer is the last event")
    };
    assert_eq!(
        (
            response.transaction_id,
            response.is_success,
            response.value()
        ),
        (id, true, &Value::Number(3.0))
    );
    let Some(ServerEvent::Response(response)) = pair.server_events.pop() else {
        panic!("the answer is the last event")
    };
    assert_eq!(response.status().unwrap().code, StatusCode::CALL_FAILED);
    assert!(!response.is_success);
}

/// Each deadline ends the session with its own reason, exactly once.
#[test]
fn deadlines() {
    let mut pair = Pair::new();
    pair.server
        .handle_timeout(pair.now + Duration::from_millis(9_999));
    assert!(!pair.server.is_closed());
    pair.server
        .handle_timeout(pair.now + Duration::from_secs(10));
    assert_eq!(
        pair.server.close_reason(),
        Some(&CloseReason::Timeout(Timeout::Handshake))
    );

    let mut pair = Pair::new();
    pair.drive();
    assert_eq!(pair.server.state(), SessionState::Open);
    pair.next_deadline();
    assert_eq!(
        pair.server.close_reason(),
        Some(&CloseReason::Timeout(Timeout::Connect))
    );

    let mut pair = Pair::new();
    pair.client
        .connect(pair.now, ConnectParams::player(&url()))
        .unwrap();
    pair.drive();
    pair.next_deadline();
    assert_eq!(
        pair.server.close_reason(),
        Some(&CloseReason::Timeout(Timeout::Request))
    );

    let mut pair = Pair::publishing();
    pair.wait(Duration::from_secs(19));
    assert!(!pair.server.is_closed());
    pair.wait(Duration::from_secs(1));
    assert_eq!(
        pair.server.close_reason(),
        Some(&CloseReason::Timeout(Timeout::FirstMedia))
    );

    let mut pair = Pair::publishing();
    pair.wait(Duration::from_secs(19));
    assert!(!pair.server.is_closed());
    pair.client.send_frame(ONE, &key_frame(0, 10)).unwrap();
    pair.drive();
    pair.wait(Duration::from_secs(29));
    assert!(!pair.server.is_closed());
    pair.wait(Duration::from_secs(1));
    assert_eq!(
        pair.server.close_reason(),
        Some(&CloseReason::Timeout(Timeout::Idle))
    );
    let closed = |event: &&ServerEvent| matches!(event, ServerEvent::Closed(_));
    pair.server
        .handle_timeout(pair.now + Duration::from_secs(99));
    pair.server.handle_eof(pair.now);
    pair.server.close(pair.now);
    pair.drive();
    assert_eq!(pair.server_events.iter().filter(closed).count(), 1);
    assert!(closed(&pair.server_events.last().unwrap()));
}

/// A player that reads nothing is given up after 10 to 15 s, one that reads a byte now and then is
/// not.
#[test]
fn write_stall() {
    let mut pair = Pair::playing();
    let mut wire = BytesMut::new();
    pair.wait(Duration::from_secs(3));
    for second in 0..40 {
        pair.server
            .send_frame(ONE, &key_frame(second, 1000))
            .unwrap();
        if let Some(mut transmit) = pair.server.poll_transmit() {
            bytes::Buf::advance(&mut transmit, 1);
        }
        pair.now += Duration::from_secs(1);
        pair.server.handle_timeout(pair.now);
    }
    assert!(!pair.server.is_closed());
    let stalled_at = pair.now;
    while !pair.server.is_closed() {
        pair.now = pair.server.poll_timeout().expect("output waits");
        pair.server.handle_timeout(pair.now);
    }
    let took = pair.now - stalled_at;
    assert!((10..=16).contains(&took.as_secs()), "{took:?}");
    assert_eq!(
        pair.server.close_reason(),
        Some(&CloseReason::Timeout(Timeout::WriteStall))
    );
    take_output(&mut pair.server, &mut wire);
    assert!(!wire.is_empty(), "what was queued stays available");
}

/// A silent player is pinged and stays if it answers.
#[test]
fn pings() {
    let mut pair = Pair::playing();
    pair.wait(Duration::from_secs(300));
    assert!(!pair.server.is_closed());
    assert!(pair.server.stats().sent.messages > 10);

    let before = pair.now;
    while !pair.server.is_closed() {
        pair.now = pair.server.poll_timeout().expect("a ping is due");
        pair.server.handle_timeout(pair.now);
        take_output(&mut pair.server, &mut BytesMut::new());
    }
    assert_eq!(
        pair.server.close_reason(),
        Some(&CloseReason::Timeout(Timeout::Ping))
    );
    assert!(pair.now - before <= Duration::from_secs(120));
}

/// An interval of zero is none, not a ping at every moment.
#[test]
fn no_pings() {
    for interval in [None, Some(Duration::ZERO)] {
        let mut config = rtmp_proto::ServerConfig::default();
        config.connection.ping_interval = interval;
        let mut pair = Pair::with(rtmp_proto::ClientConfig::default(), config);
        pair.client.play_from(pair.now, &url()).unwrap();
        pair.drive();
        assert_eq!(pair.server.poll_timeout(), None);
    }
}

/// A peer that asks without reading gets one answer, not a queue of them.
#[test]
fn ping_storm_coalesces() {
    let mut pair = Pair::publishing();
    for time in 0..100_000 {
        pair.client
            .send_user_control(&UserControl::PingRequest(time))
            .unwrap();
        let mut wire = BytesMut::new();
        take_output(&mut pair.client, &mut wire);
        give_input(&mut pair.server, pair.now, &mut wire, usize::MAX);
    }
    assert!(pair.server.queued_len() < 100);
    let _ = pair.server.poll_transmit();
    assert!(pair.server.queued_len() < 100);
}

/// A queue that is full gives the payload back and changes nothing.
#[test]
fn full_queue_gives_the_payload_back() {
    let mut pair = Pair::playing();
    let payload = Bytes::from(vec![0x17; 1 << 20]);
    let mut sent = 0;
    let returned = loop {
        match pair.server.send_video(ONE, at(sent), payload.clone()) {
            Ok(()) => sent += 1,
            Err(SendError::QueueFull(payload)) => break payload,
            Err(other) => panic!("{other:?}"),
        }
    };
    assert_eq!(returned, payload);
    assert_eq!(sent, 4);
    assert!(!pair.server.wants_read());
    pair.drive();
    assert!(pair.server.wants_read());
    assert_eq!(pair.client.stats().received.video, u64::from(sent));
}

/// NC-31, NC-32, NS-57: commands out of order are refused and hurt nobody.
#[test]
fn commands_in_the_wrong_state() {
    let mut pair = Pair::publishing();
    for (stream, name) in [
        (0, "connect"),
        (1, "publish"),
        (1, "play"),
        (9, "publish"),
        (1, "pause"),
        (1, "seek"),
        (9, "receiveVideo"),
        (9, "deleteStream"),
        (9, "closeStream"),
    ] {
        pair.client
            .notify(MessageStreamId::new(stream), name, Value::Null, [])
            .unwrap();
        pair.drive();
        assert!(!pair.server.is_closed(), "{name}");
    }
    assert_eq!(pair.server.state(), SessionState::Connected);
}

/// E2 #18: createStream without end gets errors, not streams.
#[test]
fn streams_are_bounded() {
    let mut pair = Pair::new();
    pair.client
        .connect(pair.now, ConnectParams::player(&url()))
        .unwrap();
    pair.drive();
    for _ in 0..1000 {
        pair.client.create_stream(pair.now).unwrap();
        pair.drive();
    }
    let created = |event: &&ClientEvent| matches!(event, ClientEvent::StreamCreated { .. });
    assert_eq!(pair.client_events.iter().filter(created).count(), 32);
    assert!(!pair.server.is_closed());
}

/// Design, "Leniencies": media on stream 0 belongs to the only publishing stream, unless the peer is
/// held to the letter.
#[test]
fn misplaced_media() {
    for is_lenient in [true, false] {
        let mut config = rtmp_proto::ServerConfig::default();
        config.connection.leniency.misplaced_messages = is_lenient;
        let mut pair = Pair::with(rtmp_proto::ClientConfig::default(), config);
        pair.client.publish_to(pair.now, &url()).unwrap();
        pair.drive();
        let frame = key_frame(1, 10);
        let raw = rtmp_proto::chunk::RawMessage::new(
            frame.message_type(),
            MessageStreamId::CONTROL,
            frame.timestamp,
            frame.payload.clone(),
        );
        let mut encoder = rtmp_proto::chunk::ChunkEncoder::new(Default::default());
        let mut queue = rtmp_proto::SendQueue::new();
        let csid = rtmp_proto::chunk::ChunkStreamId::new(40).unwrap();
        encoder.encode(csid, &raw.unwrap(), &mut queue);
        pair.server
            .handle_input(pair.now, &mut queue.transmit().unwrap());
        pair.drive();
        let expected: &[Frame] = if is_lenient { &[frame] } else { &[] };
        assert_eq!(frames(&pair.server_events), expected);
    }
}

/// What an encoder like FMLE does before and beside `publish`, one step at a time; and a question whose
/// answer is the application's.
#[test]
fn courtesies_one_by_one() {
    let mut peer = Scripted::client();
    let params = ConnectParams::publisher(&url()).with_argument("guest");
    peer.session.connect(peer.now, params).unwrap();
    let connect = peer.replies().pop().unwrap();
    assert!(connect.ends_with("\"guest\""), "{connect}");
    let connected = [Value::Null, success()];
    peer.command(0, "_result", 1.0, connected);
    peer.session.release_stream("key").unwrap();
    peer.session.fc_publish("key").unwrap();
    let id = peer.session.get_stream_length("key").unwrap();
    peer.session.fc_unpublish("key").unwrap();
    let courtesies = peer.replies();
    assert_eq!(
        courtesies,
        [
            "0:releaseStream(2) null \"key\"",
            "0:FCPublish(3) null \"key\"",
            "0:getStreamLength(4) null \"key\"",
            "0:FCUnpublish(5) null \"key\"",
        ]
    );
    // The answers to courtesies are nobody's business.
    peer.events.clear();
    peer.command(0, "_result", 2.0, [Value::Null]);
    peer.command(0, "_error", 3.0, [Value::Null]);
    assert!(peer.events.is_empty());
    peer.command(0, "_result", 4.0, [Value::Null, 12.5.into()]);
    match peer.events.pop() {
        Some(ClientEvent::Response(response)) => {
            assert_eq!(
                (response.transaction_id, response.value()),
                (id, &12.5.into())
            );
            assert!(!format!("{response:?}").contains("12.5"));
        }
        event => panic!("{event:?}"),
    }
}

/// After the end every command says so, and a request that was kept cannot be answered any more, nor
/// by another session.
#[test]
fn commands_after_the_end() {
    let request = || {
        let mut peer = Scripted::connected();
        peer.policy = |_, _, event| Some(event);
        peer.command(0, "createStream", 2.0, [Value::Null]);
        peer.command(1, "publish", 3.0, [Value::Null, "key?token=5".into()]);
        let request = peer.events.pop();
        match request {
            Some(ServerEvent::Publish(request)) => {
                assert_eq!(request.stream(), ONE);
                assert_eq!(request.query().get("token").as_deref(), Some("5"));
                (peer, request)
            }
            event => panic!("{event:?}"),
        }
    };
    let (mut peer, kept) = request();
    peer.session.close(peer.now);
    let now = peer.now;
    assert_eq!(peer.session.accept(now, kept), Err(RequestError::Closed));
    let denied = Status::error(StatusCode::PUBLISH_DENIED, "");
    assert_eq!(
        peer.session.send_status(ONE, &denied),
        Err(RequestError::Closed)
    );
    assert_eq!(
        peer.session.call("x", Value::Null, []),
        Err(RequestError::Closed)
    );
    let ping = UserControl::PingRequest(1);
    assert_eq!(
        peer.session.send_user_control(&ping),
        Err(RequestError::Closed)
    );
    let payload = Bytes::from_static(&[0xAF, 1]);
    assert_eq!(
        peer.session
            .send_audio(ONE, Timestamp::ZERO, payload.clone()),
        Err(SendError::Closed(payload))
    );
    let (_, foreign) = request();
    let mut playing = Scripted::playing();
    assert_eq!(
        playing.session.accept(now, foreign),
        Err(RequestError::Stale)
    );

    let mut client = Scripted::client_publishing();
    client.session.close(client.now);
    let params = || ConnectParams::player(&url());
    let again = client.session.connect(client.now, params());
    assert_eq!(again, Err(RequestError::Closed));
    let mut client = Scripted::client_publishing();
    let again = client.session.connect(client.now, params());
    assert_eq!(again, Err(RequestError::WrongState));
}

/// A player that goes on after a pause, or switches video on again, has missed something.
#[test]
fn resumptions() {
    let mut peer = Scripted::playing();
    for (name, argument, expected) in [
        ("pause", true, false),
        ("pause", false, true),
        ("receiveVideo", false, false),
        ("receiveVideo", true, true),
        ("receiveAudio", true, true),
    ] {
        peer.command(1, name, 0.0, [Value::Null, argument.into(), 0.0.into()]);
        let event = peer.events.pop().unwrap();
        assert_eq!(event.is_resumption(ONE), expected, "{name} {argument}");
        assert!(!event.is_resumption(MessageStreamId::new(2)));
    }
    peer.message(2, 4, 0, 0, &[0, 3, 0, 0, 0, 1, 0, 0, 0, 1]);
    assert!(!peer.events.pop().unwrap().is_resumption(ONE));
}
