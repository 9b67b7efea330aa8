//! Deployed clients and servers as they speak, message by message, against our sessions.
//!
//! Each test names the peer that speaks so and what that peer depends on.

mod common;

use std::time::Duration;

use common::scripted::{Scripted, app, command, data, handshake, success};
use rtmp_proto::{
    Capabilities, CapsEx, ClientEvent, CloseReason, FourCcInfo, Instant, MessageStreamId,
    PlayOptions, PublishKind, RequestError, ServerConfig, ServerEvent, ServerSession, SessionState,
    Status, StatusCode, StreamState, Timestamp,
    amf::{Object, Value, amf0, amf3},
    chunk::ChunkSize,
    flv::FourCc,
    message::{BandwidthLimit, Control},
};

const NULL: Value = Value::Null;
const ONE: MessageStreamId = MessageStreamId::new(1);

/// What our server answers to `connect`.
const CONNECT_REPLIES: [&str; 5] = [
    "WindowAckSize { window: 2500000 }",
    "SetPeerBandwidth { window: 2500000, limit: BandwidthLimit(2) }",
    "StreamBegin(MessageStreamId(0))",
    "SetChunkSize(ChunkSize(65536))",
    "0:_result(1) {} status/NetConnection.Connect.Success",
];

fn text(value: &str) -> Value {
    value.into()
}

fn metadata() -> Value {
    Value::EcmaArray(Object::new().with("width", 64.0))
}

fn reject_publish(
    server: &mut ServerSession,
    now: Instant,
    event: ServerEvent,
) -> Option<ServerEvent> {
    if let ServerEvent::Publish(request) = event {
        let status = Status::error(StatusCode::PUBLISH_BAD_NAME, "in use");
        server.reject(now, request, status).unwrap();
        return None;
    }
    common::accept_all(server, now, event)
}

// Publishers.

/// ffmpeg: waits for each `_result` by transaction, publishes on chunk stream 8, ends with
/// FCUnpublish and deleteStream.
#[test]
fn ffmpeg_publishes() {
    let mut peer = Scripted::server();
    let object = Object::new()
        .with("app", "live")
        .with("type", "nonprivate")
        .with("flashVer", "FMLE/3.0 (compatible; Lavf59.27.100)")
        .with("tcUrl", "rtmp://host:1935/live");
    peer.command(0, "connect", 1.0, [object.into()]);
    assert_eq!(peer.replies(), CONNECT_REPLIES);
    peer.command(0, "releaseStream", 2.0, [NULL, text("key")]);
    peer.command(0, "FCPublish", 3.0, [NULL, text("key")]);
    peer.command(0, "createStream", 4.0, [NULL]);
    assert_eq!(
        peer.replies(),
        [
            "0:_result(2) null undefined",
            "0:_result(3) null undefined",
            "0:onFCPublish(3) null -/NetStream.Publish.Start",
            "0:_result(4) null 1",
        ]
    );
    let publish = command("publish", 5.0, &[NULL, text("key"), text("live")]);
    peer.message(8, 20, 1, 0, &publish);
    assert_eq!(
        peer.replies(),
        [
            "StreamBegin(MessageStreamId(1))",
            "1:onStatus(0) null status/NetStream.Publish.Start",
        ]
    );
    let set = data(&[text("@setDataFrame"), text("onMetaData"), metadata()]);
    peer.message(4, 18, 1, 0, &set);
    peer.message(6, 9, 1, 0, &[0x17, 0, 0, 0, 0, 1]);
    peer.message(4, 8, 1, 0, &[0xAF, 0, 0x12, 0x10]);
    peer.message(6, 9, 1, 40, &[0x17, 1, 0, 0, 0]);
    let bare = data(&[text("onMetaData"), metadata()]).len();
    assert_eq!(
        peer.frames(),
        [(1, 18, 0, bare), (1, 9, 0, 6), (1, 8, 0, 4), (1, 9, 40, 5)]
    );
    peer.command(0, "FCUnpublish", 6.0, [NULL, text("key")]);
    peer.command(0, "deleteStream", 7.0, [NULL, 1.0.into()]);
    assert_eq!(
        peer.replies(),
        [
            "0:_result(6) null undefined",
            "0:onFCUnpublish(6) null -/NetStream.Unpublish.Success",
            "1:onStatus(0) null status/NetStream.Unpublish.Success",
        ]
    );
    assert_eq!(peer.session.stream_state(ONE), None);
}

/// OBS: Set Chunk Size before `connect`, everything pipelined behind C2, media and `publish` on
/// chunk stream 4, footers with timestamp 0, never a pong. H3 items 2, 6.
#[test]
fn obs_publishes() {
    let mut peer = Scripted::fresh_server(ServerConfig::default());
    let mut bytes = handshake();
    let size = ChunkSize::new(4096).unwrap();
    bytes.extend(peer.encode(2, 1, 0, 0, &4096_u32.to_be_bytes()));
    let object = Object::new()
        .with("app", "live")
        .with("type", "nonprivate")
        .with("flashVer", "FMLE/3.0 (compatible; FMSc/1.0)")
        .with("swfUrl", "rtmp://host/live")
        .with("tcUrl", "rtmp://host/live")
        .with("padding", "x".repeat(300));
    peer.bytes(&bytes);
    peer.control(Control::SetChunkSize(size));
    peer.command(0, "connect", 1.0, [object.into()]);
    assert_eq!(peer.replies(), CONNECT_REPLIES);
    peer.command(0, "releaseStream", 2.0, [NULL, text("key?a=b")]);
    peer.command(0, "FCPublish", 3.0, [NULL, text("key?a=b")]);
    peer.command(0, "createStream", 4.0, [NULL]);
    let publish = command("publish", 5.0, &[NULL, text("key?a=b"), text("live")]);
    peer.message(4, 20, 1, 0, &publish);
    assert_eq!(peer.replies().len(), 6);
    peer.message(4, 9, 1, 33, &[0x17; 9000]);
    peer.message(4, 8, 1, 40, &[0xAF; 300]);
    peer.message(4, 9, 1, 0, &[0x17, 2, 0, 0, 0]);
    assert_eq!(
        peer.frames(),
        [(1, 9, 33, 9000), (1, 8, 40, 300), (1, 9, 0, 5)]
    );
    for minute in 0..10 {
        peer.now += Duration::from_secs(20);
        peer.message(4, 8, 1, minute, &[0xAF; 3]);
        peer.session.handle_timeout(peer.now);
    }
    assert_eq!(peer.session.state(), SessionState::Publishing);
}

/// GStreamer rtmp2sink: courtesies and `publish` with transaction 0, which get no `_result`; it
/// hangs unless onStatus comes on the created stream; deleteStream names the stream by a string.
/// H3 items 19, 23.
#[test]
fn gstreamer_rtmp2sink_publishes() {
    let mut peer = Scripted::connected();
    peer.control(Control::WindowAckSize { window: 2_500_000 });
    peer.command(0, "releaseStream", 0.0, [NULL, text("key")]);
    peer.command(0, "FCPublish", 0.0, [NULL, text("key")]);
    peer.command(0, "createStream", 2.0, [NULL]);
    let replies = peer.replies();
    assert!(!replies.iter().any(|reply| reply.contains("_result(0)")));
    assert_eq!(replies.last().unwrap(), "0:_result(2) null 1");
    peer.command(1, "publish", 0.0, [NULL, text("key"), text("live")]);
    assert_eq!(
        peer.replies().last().unwrap(),
        "1:onStatus(0) null status/NetStream.Publish.Start"
    );
    // Set Chunk Size as a type 1 chunk, the first header ever on chunk stream 2 but one.
    peer.bytes(&[0x42, 0, 0, 0, 0, 0, 4, 1, 0, 0, 0, 128]);
    peer.message(5, 8, 1, 5, &[0xAF, 1, 2]);
    peer.command(0, "FCUnpublish", 0.0, [NULL, text("key")]);
    peer.command(0, "deleteStream", 0.0, [NULL, text("key")]);
    assert_eq!(peer.frames(), [(1, 8, 5, 3)]);
    assert_eq!(peer.session.stream_state(ONE), None);
    assert!(!peer.session.is_closed());
}

/// FMLE and appliances: wait for a `_result` and onFCPublish with the same transaction; after
/// FCUnpublish they publish again on the same connection and stream. H3 item 24.
#[test]
fn fmle_publishes_twice() {
    let mut peer = Scripted::connected();
    peer.command(0, "createStream", 4.0, [NULL]);
    for round in 0..3 {
        let id = 10.0 * f64::from(round);
        peer.replies();
        peer.command(0, "releaseStream", id + 5.0, [NULL, text("key")]);
        peer.command(0, "FCPublish", id + 6.0, [NULL, text("key")]);
        peer.command(0, "_checkbw", id + 7.0, [NULL]);
        assert_eq!(
            peer.replies(),
            [
                format!("0:_result({}) null undefined", id + 5.0),
                format!("0:_result({}) null undefined", id + 6.0),
                format!("0:onFCPublish({}) null -/NetStream.Publish.Start", id + 6.0),
                format!("0:_result({}) null undefined", id + 7.0),
            ]
        );
        peer.command(1, "publish", 0.0, [NULL, text("key"), text("live")]);
        peer.message(4, 9, 1, 0, &[0x17, 1, 0, 0, 0]);
        assert_eq!(peer.session.state(), SessionState::Publishing);
        peer.replies();
        peer.command(0, "FCUnpublish", id + 8.0, [NULL, text("key")]);
        assert_eq!(
            peer.replies(),
            [
                format!("0:_result({}) null undefined", id + 8.0),
                format!(
                    "0:onFCUnpublish({}) null -/NetStream.Unpublish.Success",
                    id + 8.0
                ),
                "1:onStatus(0) null status/NetStream.Unpublish.Success".into(),
            ]
        );
        assert_eq!(peer.session.state(), SessionState::Connected);
    }
    assert_eq!(peer.frames().len(), 3);
}

/// The name of FCUnpublish may come without the token that `publish` had.
#[test]
fn fc_unpublish_is_matched_without_the_query() {
    let mut peer = Scripted::connected();
    peer.command(0, "createStream", 4.0, [NULL]);
    peer.command(1, "publish", 5.0, [NULL, text("key?token=x"), text("live")]);
    peer.command(0, "FCUnpublish", 6.0, [NULL, text("other")]);
    assert_eq!(peer.session.state(), SessionState::Publishing);
    peer.command(0, "FCUnpublish", 7.0, [NULL, text("key")]);
    assert_eq!(peer.session.state(), SessionState::Connected);
}

/// Haivision: `_checkbw` and createStream before FCPublish. H3 item 20.
#[test]
fn haivision_publishes() {
    let mut peer = Scripted::connected();
    peer.command(0, "_checkbw", 2.0, [NULL]);
    peer.command(0, "createStream", 3.0, [NULL]);
    peer.command(0, "releaseStream", 4.0, [NULL, text("key")]);
    peer.command(0, "FCPublish", 5.0, [NULL, text("key")]);
    assert_eq!(
        peer.replies(),
        [
            "0:_result(2) null undefined",
            "0:_result(3) null 1",
            "0:_result(4) null undefined",
            "0:_result(5) null undefined",
            "0:onFCPublish(5) null -/NetStream.Publish.Start",
        ]
    );
    peer.command(1, "publish", 6.0, [NULL, text("key"), text("live")]);
    assert_eq!(peer.session.state(), SessionState::Publishing);
}

/// Flash: createStream and publish only, and the type left out. H3 item 21.
#[test]
fn flash_publishes_without_type() {
    let mut peer = Scripted::connected();
    peer.policy = |server, now, event| {
        if let ServerEvent::Publish(request) = &event {
            assert_eq!(request.kind(), PublishKind::Live);
        }
        common::accept_all(server, now, event)
    };
    peer.command(0, "createStream", 2.0, [NULL]);
    peer.command(1, "publish", 0.0, [NULL, text("key")]);
    assert_eq!(peer.session.state(), SessionState::Publishing);
}

/// nginx's relay: `publish` with transaction 0, then at once StreamBegin, metadata as a plain
/// object without `@setDataFrame`, and media, all in one segment. H3 item 22.
#[test]
fn nginx_relay_pushes() {
    let mut peer = Scripted::server();
    peer.control(Control::SetChunkSize(ChunkSize::new(4096).unwrap()));
    peer.control(Control::WindowAckSize { window: 5_000_000 });
    let object = Object::new()
        .with("app", "live")
        .with("tcUrl", "rtmp://127.0.0.1/live")
        .with("pageUrl", "")
        .with("swfUrl", "")
        .with("flashVer", "LNX.11,1,102,55")
        .with("audioCodecs", 3575.0)
        .with("videoCodecs", 252.0);
    peer.command(0, "connect", 1.0, [object.into()]);
    peer.command(0, "createStream", 2.0, [NULL]);
    peer.replies();
    let mut burst = peer.encode(
        5,
        20,
        1,
        0,
        &command("publish", 0.0, &[NULL, text("key"), text("live")]),
    );
    burst.extend(peer.encode(2, 4, 0, 0, &[0, 0, 0, 0, 0, 1]));
    let properties = Object::new().with("width", 64.0);
    let object = data(&[text("onMetaData"), properties.into()]);
    burst.extend(peer.encode(6, 18, 1, 0, &object));
    burst.extend(peer.encode(7, 9, 1, 0, &[0x17, 0, 0, 0, 0]));
    burst.extend(peer.encode(6, 8, 1, 0, &[0xAF, 0, 0x12]));
    assert_eq!(peer.bytes(&burst), burst.len());
    let array = data(&[text("onMetaData"), metadata()]).len();
    assert_eq!(
        peer.frames(),
        [(1, 18, 0, array), (1, 9, 0, 5), (1, 8, 0, 3)]
    );
    assert!(
        peer.event_names()
            .contains(&"UserControl(StreamBegin(MessageStreamId(1)))".into())
    );
}

/// SRS forwarding and go-rtmp: media right behind `publish`, which the application has not
/// answered yet, perhaps for as long as a web hook takes: nothing is lost, and the time spent
/// waiting is not the publisher's silence. H3 item 22.
#[test]
fn media_before_the_answer_waits() {
    let mut peer = Scripted::connected();
    peer.command(0, "createStream", 2.0, [NULL]);
    peer.policy = |_, _, event| Some(event);
    let mut burst = peer.encode(
        3,
        20,
        1,
        0,
        &command("publish", 0.0, &[NULL, text("key"), text("live")]),
    );
    let request_len = burst.len();
    burst.extend(peer.encode(6, 9, 1, 0, &[0x17, 0, 0, 0, 0]));
    assert_eq!(peer.bytes(&burst), request_len);
    peer.now += Duration::from_secs(50);
    peer.session.handle_timeout(peer.now);
    let Some(ServerEvent::Publish(request)) = peer.events.pop() else {
        panic!("a request")
    };
    peer.session.accept(peer.now, request).unwrap();
    peer.session.handle_timeout(peer.now);
    peer.policy = common::accept_all;
    assert_eq!(peer.bytes(&burst[request_len..]), burst.len() - request_len);
    assert_eq!(peer.frames(), [(1, 9, 0, 5)]);
    peer.now += Duration::from_secs(30);
    peer.session.handle_timeout(peer.now);
    assert!(peer.session.is_closed(), "now the silence is its own");
}

/// A hook that takes minutes ends nothing: the peer was not listened to meanwhile.
#[test]
fn a_slow_application_is_not_a_silent_peer() {
    let mut peer = Scripted::connected();
    peer.command(0, "createStream", 2.0, [NULL]);
    peer.policy = |_, _, event| Some(event);
    peer.command(1, "publish", 0.0, [NULL, text("key"), text("live")]);
    peer.replies();
    for _ in 0..300 {
        peer.now += Duration::from_secs(1);
        peer.session.handle_timeout(peer.now);
        peer.replies();
    }
    assert!(!peer.session.is_closed());
    let Some(ServerEvent::Publish(request)) = peer.events.pop() else {
        panic!("a request")
    };
    peer.session.accept(peer.now, request).unwrap();
    peer.session.handle_timeout(peer.now);
    assert!(!peer.session.is_closed());
}

/// gortmplib insists on stream 1, on level "status" both in the answer to `connect` and to
/// `publish`, and ends over user control events it does not know.
#[test]
fn gortmplib_publishes() {
    let mut peer = Scripted::server();
    peer.control(Control::WindowAckSize { window: 2_500_000 });
    peer.control(Control::SetPeerBandwidth {
        window: 2_500_000,
        limit: BandwidthLimit::DYNAMIC,
    });
    peer.control(Control::SetChunkSize(ChunkSize::new(65536).unwrap()));
    peer.command(0, "connect", 1.0, [app("live")]);
    peer.command(0, "releaseStream", 2.0, [NULL, text("key")]);
    peer.command(0, "FCPublish", 3.0, [NULL, text("key")]);
    peer.command(0, "createStream", 4.0, [NULL]);
    peer.command(1, "publish", 5.0, [NULL, text("key"), text("live")]);
    let replies = peer.replies();
    assert!(replies.contains(&"0:_result(1) {} status/NetConnection.Connect.Success".into()));
    assert!(replies.contains(&"0:_result(4) null 1".into()));
    assert!(replies.contains(&"1:onStatus(0) null status/NetStream.Publish.Start".into()));
    let windows = replies.iter().filter(|r| r.starts_with("WindowAckSize"));
    assert_eq!(windows.count(), 1, "announced already, so not again");
    for reply in &replies {
        assert!(!reply.starts_with("Unknown"), "{reply}");
    }
}

/// krtmp wants the information object of onStatus as an AMF object with code and level, and keeps
/// chunks of 128 bytes.
#[test]
fn krtmp_publishes() {
    let mut peer = Scripted::server();
    let object = Object::new()
        .with("app", "live")
        .with("objectEncoding", 3.0)
        .with("padding", "y".repeat(500));
    peer.command(0, "connect", 1.0, [object.into()]);
    let connected = peer.messages().pop().unwrap().1;
    let rtmp_proto::message::Message::Command(answer) = connected else {
        panic!("{connected:?}")
    };
    let info = answer.argument(0).as_object().unwrap();
    assert_eq!(info.get("objectEncoding"), Some(&Value::Number(3.0)));
    let properties = answer.object.as_object().unwrap();
    for name in ["fmsVer", "capabilities", "mode"] {
        assert!(properties.get(name).is_some(), "{name}");
    }
    peer.command(0, "createStream", 4.0, [NULL]);
    peer.command(1, "publish", 5.0, [NULL, text("key"), text("live")]);
    let status = peer.messages().pop().unwrap().1;
    let rtmp_proto::message::Message::Command(status) = status else {
        panic!("{status:?}")
    };
    let Value::Object(info) = status.argument(0) else {
        panic!("an object, not {:?}", status.argument(0))
    };
    for name in ["level", "code", "description"] {
        assert!(info.get(name).is_some(), "{name}");
    }
}

/// MSG-9, MSG-11, MSG-15: Flash sends commands and data in AMF3 once it may. They give the same
/// events and answers, which are in AMF0.
#[test]
fn flash_publishes_in_amf3() {
    fn amf3(name: &str, id: Option<f64>, values: &[Value]) -> Vec<u8> {
        let mut payload = vec![0];
        amf0::encode(&name.into(), &mut payload);
        amf0::encode_all(&id.map(Value::from), &mut payload);
        for value in values {
            payload.push(0x11);
            amf3::encode(value, &mut payload);
        }
        payload
    }

    let connect = Object::new()
        .with("app", "live")
        .with("objectEncoding", 3.0);
    let publish = [NULL, text("key?token=1"), text("live")];
    let mut expected = Scripted::server();
    expected.command(0, "connect", 1.0, [connect.clone().into()]);
    expected.command(0, "createStream", 2.0, [NULL]);
    expected.command(1, "publish", 3.0, publish.clone());
    let set = data(&[text("@setDataFrame"), text("onMetaData"), metadata()]);
    expected.message(5, 18, 1, 0, &set);

    let mut peer = Scripted::server();
    let commands: [(u32, &str, f64, &[Value]); 3] = [
        (0, "connect", 1.0, &[connect.into()]),
        (0, "createStream", 2.0, &[NULL]),
        (1, "publish", 3.0, &publish),
    ];
    for (stream, name, id, values) in commands {
        peer.message(3, 17, stream, 0, &amf3(name, Some(id), values));
    }
    let handler = text("onMetaData");
    peer.message(
        5,
        15,
        1,
        0,
        &amf3("@setDataFrame", None, &[handler, metadata()]),
    );

    assert_eq!(peer.frames().len(), 1);
    assert_eq!(peer.frames(), expected.frames());
    let replies = peer.replies();
    assert_eq!(replies, expected.replies());
    assert!(replies.contains(&"1:onStatus(0) null status/NetStream.Publish.Start".into()));
}

/// Sloppy encoders send `publish`, media, and deleteStream without a value on stream 0.
#[test]
fn everything_on_stream_zero() {
    let mut peer = Scripted::connected();
    peer.command(0, "createStream", 2.0, [NULL]);
    peer.command(0, "publish", 3.0, [NULL, text("key"), text("live")]);
    assert_eq!(
        peer.replies().last().unwrap(),
        "1:onStatus(0) null status/NetStream.Publish.Start"
    );
    peer.message(4, 8, 0, 0, &[0xAF, 0, 0x12]);
    peer.message(4, 9, 77, 0, &[0x17, 0, 0, 0, 0]);
    assert_eq!(peer.frames(), [(1, 8, 0, 3), (1, 9, 0, 5)]);
    peer.command(0, "deleteStream", 4.0, []);
    assert_eq!(peer.session.stream_state(ONE), None);
}

/// DJI goes on sending after a refusal: it is told, and the session ends. H3 item 29.
#[test]
fn refusal_is_queued_before_the_end() {
    let mut peer = Scripted::connected();
    peer.policy = reject_publish;
    peer.command(0, "createStream", 2.0, [NULL]);
    peer.replies();
    peer.command(1, "publish", 3.0, [NULL, text("key"), text("live")]);
    peer.message(4, 9, 1, 0, &[0x17, 0, 0, 0, 0]);
    assert_eq!(
        peer.replies(),
        ["1:onStatus(0) null error/NetStream.Publish.BadName"]
    );
    assert!(peer.frames().is_empty());
    assert!(matches!(
        peer.events.last(),
        Some(ServerEvent::Closed(CloseReason::Rejected(_)))
    ));
}

/// nginx's relay answers a simple handshake with random bytes for C2, ffmpeg has a version in C1,
/// encoders in C1 a clock: none of it matters. H3 items 3, 4, 5.
#[test]
fn any_c1_and_c2_will_do() {
    for (time, version, c2) in [
        ([0; 4], [0; 4], 0x00),
        ([1, 2, 3, 4], [0; 4], 0xA5),
        ([0xFF; 4], [9, 0, 0x7C, 2], 0x5A),
        ([0; 4], [128, 0, 7, 2], 0xFF),
    ] {
        let mut bytes = handshake();
        bytes[1..5].copy_from_slice(&time);
        bytes[5..9].copy_from_slice(&version);
        bytes[9..1537].fill(7);
        bytes[1537..].fill(c2);
        let mut peer = Scripted::fresh_server(ServerConfig::default());
        assert_eq!(peer.bytes(&bytes), bytes.len());
        assert_eq!(peer.session.state(), SessionState::Open);
        let mut wire = bytes::BytesMut::new();
        common::take_output(&mut peer.session, &mut wire);
        assert_eq!(wire[5..9], [0; 4], "S1 says it is simple");
        assert_eq!(wire[1537..], bytes[1..1537], "S2 is C1");
    }
}

/// librtmp begins chunk stream 2 with a type 1 chunk and sets a buffer for stream 0 before there is
/// any. H3 item 7.
#[test]
fn librtmp_begins_with_type_1() {
    let mut peer = Scripted::connected();
    let mut fresh = vec![0x42, 0, 0, 0, 0, 0, 10, 4];
    fresh.extend([0, 3, 0, 0, 0, 0, 0, 0, 1, 44]);
    // Chunk stream 9 was never used.
    fresh[0] = 0x49;
    peer.bytes(&fresh);
    assert_eq!(
        peer.event_names(),
        ["UserControl(SetBufferLength { stream: MessageStreamId(0), millis: 300 })"]
    );
}

/// Messages without a payload, of any type, say nothing and end nothing. H3 item 13.
#[test]
fn empty_messages_of_every_type() {
    let mut peer = Scripted::publishing();
    for message_type in 0..=255 {
        peer.message(4, message_type, 1, 0, &[]);
        assert!(!peer.session.is_closed(), "type {message_type}");
    }
    assert!(peer.frames().is_empty());
    peer.assert_alive_or_closed("after empty messages");
    assert!(!peer.session.is_closed());
}

/// Set Chunk Size between the chunks of another chunk stream's message holds for its next chunk.
/// H3 item 14, E2 #29.
#[test]
fn set_chunk_size_inside_a_message() {
    let mut peer = Scripted::publishing();
    let payload: Vec<u8> = (0..=255).cycle().take(400).collect();
    let mut bytes = vec![0x06, 0, 0, 1, 0, 1, 0x90, 9, 1, 0, 0, 0];
    bytes.extend(&payload[..128]);
    bytes.extend([0x02, 0, 0, 0, 0, 0, 4, 1, 0, 0, 0, 0, 0, 0, 0, 200]);
    bytes.push(0xC6);
    bytes.extend(&payload[128..328]);
    bytes.extend([0x02, 0, 0, 0, 0, 0, 4, 1, 0, 0, 0, 0, 0, 0, 0, 1]);
    for byte in &payload[328..] {
        bytes.extend([0xC6, *byte]);
    }
    peer.bytes(&bytes);
    let Some(ServerEvent::Frame { frame, .. }) = peer.events.last() else {
        panic!("{:?}", peer.events)
    };
    assert_eq!(frame.payload, payload);
}

/// Abort drops the message begun on its chunk stream; other chunk streams, idle ones and its own
/// do not matter. H3 item 15, E2 #26.
#[test]
fn abort_messages() {
    let mut peer = Scripted::publishing();
    peer.bytes(&[0x06, 0, 0, 1, 0, 1, 0x90, 9, 1, 0, 0, 0]);
    peer.bytes(&[0x17; 128]);
    for csid in [6, 6, 2, 3, 64, 0, 1, 65_599, 65_600, u32::MAX] {
        peer.message(2, 2, 0, 0, &csid.to_be_bytes());
    }
    peer.message(6, 9, 1, 40, &[0x17, 1, 0, 0, 0]);
    assert_eq!(peer.frames(), [(1, 9, 40, 5)]);
    assert_eq!(peer.session.stats().dropped_by_peer, 1);
}

/// Flash and librtmp with AMF3: type 17 with a selector byte, values in AMF0. H3 item 17.
#[test]
fn commands_of_type_17() {
    let mut peer = Scripted::server();
    let object: Value = Object::new()
        .with("app", "live")
        .with("objectEncoding", 3.0)
        .into();
    let amf3 = |payload: Vec<u8>| [&[0][..], &payload].concat();
    peer.message(3, 17, 0, 0, &amf3(command("connect", 1.0, &[object])));
    peer.message(3, 17, 0, 0, &amf3(command("createStream", 2.0, &[NULL])));
    let publish = command("publish", 3.0, &[NULL, text("key"), text("live")]);
    peer.message(3, 17, 1, 0, &amf3(publish));
    let set = data(&[text("@setDataFrame"), text("onMetaData"), metadata()]);
    peer.message(4, 15, 1, 0, &amf3(set));
    assert_eq!(peer.session.state(), SessionState::Publishing);
    let bare = data(&[text("onMetaData"), metadata()]).len();
    assert_eq!(peer.frames(), [(1, 18, 0, bare)]);
}

/// `connect` as an ECMA array, in other spellings, without tcUrl, without app, or without any
/// object. H3 item 18.
#[test]
fn odd_connect_objects() {
    let lower = Object::new()
        .with("app", "live")
        .with("tcurl", "rtmp://h/live");
    for object in [
        Value::EcmaArray(lower.clone()),
        lower.into(),
        Object::new().into(),
        Object::new().with("app", "").into(),
        Object::new().with("app", 7.0).into(),
        Value::Null,
        Value::Undefined,
        text("nonsense"),
    ] {
        let mut peer = Scripted::server();
        peer.command(
            0,
            "connect",
            1.0,
            [object.clone(), text("extra"), 5.0.into()],
        );
        assert_eq!(peer.replies(), CONNECT_REPLIES, "{object:?}");
        peer.command(0, "createStream", 2.0, [NULL]);
        peer.command(1, "publish", 3.0, [NULL, text("live/key"), text("live")]);
        assert_eq!(peer.session.state(), SessionState::Publishing, "{object:?}");
    }
    let mut peer = Scripted::server();
    peer.command(0, "connect", 1.0, []);
    assert_eq!(peer.replies(), CONNECT_REPLIES);
}

/// ERTMP-8, ERTMP-146: a client that says what it can do is told what the server can do, and another
/// one is not bothered with it.
#[test]
fn capabilities_are_answered() {
    let mut peer = Scripted::server();
    let codecs = Value::StrictArray(vec![text("av01"), text("hvc1")]);
    let object = Object::new()
        .with("app", "live")
        .with("fourCcList", codecs.clone())
        .with("capsEx", 3.0);
    peer.command(0, "connect", 1.0, [object.into()]);
    let Some((0, rtmp_proto::message::Message::Command(answer))) = peer.messages().pop() else {
        panic!("an answer")
    };
    let expected = Capabilities::forwarding();
    let places = [&answer.object, answer.arguments.first().unwrap()];
    for place in places.map(|place| place.as_object().unwrap()) {
        assert_eq!(Capabilities::from_properties(place), expected);
    }
    let client = peer.session.client_capabilities();
    assert_eq!(client.caps_ex, CapsEx(3));
    assert_eq!(client.video_codec(FourCc::HEVC), Some(FourCcInfo::ALL));

    let mut peer = Scripted::server();
    peer.command(
        0,
        "connect",
        1.0,
        [Object::new().with("app", "live").into()],
    );
    assert_eq!(peer.replies(), CONNECT_REPLIES);
    assert!(peer.session.client_capabilities().is_empty());
}

/// ERTMP-21 to ERTMP-24, ERTMP-28, ERTMP-32: only who understands it is asked to reconnect.
#[test]
fn reconnect_requests() {
    let mut peer = Scripted::connected();
    let asked = peer.session.request_reconnect(None, "");
    assert_eq!(asked, Err(RequestError::NotSupported));

    let mut peer = Scripted::server();
    let asked = peer.session.request_reconnect(None, "");
    assert_eq!(asked, Err(RequestError::WrongState));
    let object = Object::new().with("app", "live").with("capsEx", 1.0);
    peer.command(0, "connect", 1.0, [object.into()]);
    peer.replies();
    peer.session
        .request_reconnect(Some("//b/live"), "maintenance")
        .unwrap();
    let Some((0, rtmp_proto::message::Message::Command(command))) = peer.messages().pop() else {
        panic!("a command")
    };
    assert_eq!((&*command.name, command.object), ("onStatus", NULL));
    let status = Status::from_value(&command.arguments[0]).unwrap();
    let expected = Status::new(StatusCode::CONNECT_RECONNECT_REQUEST, "maintenance");
    assert_eq!(status, expected.with("tcUrl", "//b/live"));
}

/// restream.io pings the server it publishes to.
#[test]
fn pings_of_a_client_are_answered() {
    let mut peer = Scripted::publishing();
    peer.message(2, 4, 0, 0, &[0, 6, 0xDE, 0xAD, 0xBE, 0xEF]);
    assert_eq!(peer.replies(), ["PingResponse(3735928559)"]);
}

// Players.

/// ffmpeg: SetBufferLength and getStreamLength around `play`, both on chunk stream 8; needs
/// Play.Start, not just Play.Reset.
#[test]
fn ffmpeg_plays() {
    let mut peer = Scripted::connected();
    peer.control(Control::WindowAckSize { window: 2_500_000 });
    peer.command(0, "createStream", 2.0, [NULL]);
    peer.command(0, "FCSubscribe", 3.0, [NULL, text("key")]);
    peer.command(0, "getStreamLength", 4.0, [NULL, text("key")]);
    assert_eq!(
        peer.replies(),
        [
            "0:_result(2) null 1",
            "0:_result(3) null undefined",
            "0:onFCSubscribe(3) null -/NetStream.Play.Start",
            "0:_result(4) null 0",
        ]
    );
    peer.policy = |server, now, event| {
        if let ServerEvent::Play(request) = &event {
            assert_eq!((request.start(), request.duration()), (-2000.0, -1.0));
            assert!(request.reset());
        }
        common::accept_all(server, now, event)
    };
    let play = command("play", 5.0, &[NULL, text("key"), (-2000.0).into()]);
    peer.message(8, 20, 1, 0, &play);
    peer.message(2, 4, 0, 1, &[0, 3, 0, 0, 0, 1, 0, 0, 0x0B, 0xB8]);
    assert_eq!(
        peer.replies(),
        [
            "StreamBegin(MessageStreamId(1))",
            "1:onStatus(0) null status/NetStream.Play.Reset",
            "1:onStatus(0) null status/NetStream.Play.Start",
            "1:DATA",
        ]
    );
    peer.command(0, "deleteStream", 6.0, [NULL, 1.0.into()]);
    assert_eq!(peer.session.state(), SessionState::Connected);
    assert!(!peer.session.is_closed());
}

/// rtmp2src: the first onStatus must be on the created stream; `play` has transaction 0.
#[test]
fn gstreamer_rtmp2src_plays() {
    let mut peer = Scripted::connected();
    peer.message(2, 4, 0, 0, &[0, 3, 0, 0, 0, 0, 0, 0, 1, 44]);
    peer.command(0, "createStream", 2.0, [NULL]);
    peer.command(1, "play", 0.0, [NULL, text("key"), (-2.0).into()]);
    let replies = peer.replies();
    let statuses: Vec<_> = replies.iter().filter(|r| r.contains("onStatus")).collect();
    assert_eq!(statuses.len(), 2);
    assert!(statuses.iter().all(|status| status.starts_with("1:")));
}

/// A player that pauses, then asks for another stream, gets it: nothing is left out any more.
#[test]
fn play_ends_a_pause() {
    let mut peer = Scripted::playing();
    peer.command(1, "pause", 0.0, [NULL, true.into(), 0.0.into()]);
    peer.command(1, "play", 0.0, [NULL, text("other")]);
    peer.replies();
    let payload = vec![0xAF, 1, 2].into();
    peer.session
        .send_audio(ONE, Timestamp::ZERO, payload)
        .unwrap();
    assert_eq!(peer.replies(), ["1:AUDIO"]);
}

/// A player that never answers pings stays as long as it takes what it is sent.
#[test]
fn a_player_without_pongs_stays_while_it_reads() {
    let mut peer = Scripted::playing();
    for second in 0..600 {
        peer.now += Duration::from_secs(1);
        let payload = vec![0xAF, 1, 2].into();
        let time = Timestamp::from_millis(second);
        peer.session.send_audio(ONE, time, payload).unwrap();
        peer.replies();
        peer.session.handle_timeout(peer.now);
    }
    assert!(!peer.session.is_closed());
    for _ in 0..130 {
        peer.now += Duration::from_secs(1);
        peer.session.handle_timeout(peer.now);
        peer.replies();
    }
    assert!(peer.session.is_closed(), "nothing in either direction");
}

// Servers.

/// nginx, mediamtx, lal: no answer at all to releaseStream and FCPublish.
#[test]
fn server_that_answers_no_courtesies() {
    let mut peer = Scripted::publisher();
    assert_eq!(
        peer.replies(),
        ["SetChunkSize(ChunkSize(65536))", "0:connect(1) {}"]
    );
    peer.control(Control::WindowAckSize { window: 5_000_000 });
    peer.control(Control::SetPeerBandwidth {
        window: 5_000_000,
        limit: BandwidthLimit::DYNAMIC,
    });
    peer.control(Control::SetChunkSize(ChunkSize::new(4096).unwrap()));
    peer.command(0, "_result", 1.0, [Object::new().into(), success()]);
    assert_eq!(
        peer.replies(),
        [
            "0:releaseStream(2) null \"key\"",
            "0:FCPublish(3) null \"key\"",
            "0:createStream(4) null",
            "WindowAckSize { window: 5000000 }",
        ]
    );
    peer.command(0, "_result", 4.0, [NULL, 1.0.into()]);
    assert_eq!(peer.replies(), ["1:publish(5) null \"key\" \"live\""]);
    peer.status(1, "status", "NetStream.Publish.Start");
    assert_eq!(peer.session.state(), SessionState::Publishing);
}

/// SRS: `_result` with undefined for both, onBWDone, onFCPublish before the status.
#[test]
fn srs_accepts_a_publisher() {
    let mut peer = Scripted::publisher();
    peer.command(0, "_result", 1.0, [Object::new().into(), success()]);
    peer.command(0, "onBWDone", 0.0, [NULL]);
    peer.command(0, "_result", 2.0, [NULL, Value::Undefined]);
    peer.command(0, "_result", 3.0, [NULL, Value::Undefined]);
    peer.command(0, "_result", 4.0, [NULL, 1.0.into()]);
    let status = Object::new().with("code", "NetStream.Publish.Start");
    peer.command(1, "onFCPublish", 0.0, [NULL, status.into()]);
    peer.status(1, "status", "NetStream.Publish.Start");
    assert_eq!(peer.session.state(), SessionState::Publishing);
    assert!(peer.replies().iter().any(|r| r.contains("_checkbw")));
}

/// `_error` to the courtesies is no reason to stop.
#[test]
fn refused_courtesies() {
    let mut peer = Scripted::publisher();
    peer.command(0, "_result", 1.0, [NULL, success()]);
    for id in [2.0, 3.0] {
        let status = Object::new()
            .with("level", "error")
            .with("code", "NetConnection.Call.Failed");
        peer.command(0, "_error", id, [NULL, status.into()]);
    }
    peer.command(0, "_result", 4.0, [NULL, 1.0.into()]);
    peer.status(1, "status", "NetStream.Publish.Start");
    assert_eq!(peer.session.state(), SessionState::Publishing);
}

/// Onstatus on stream 0, with the request's transaction, or without a level: understood.
#[test]
fn sloppy_publish_start() {
    for (stream, id, has_level) in [(0, 0.0, true), (1, 5.0, true), (7, 0.0, false)] {
        let mut peer = Scripted::publisher();
        peer.command(0, "_result", 1.0, [NULL, success()]);
        peer.command(0, "_result", 4.0, [NULL, 1.0.into()]);
        let mut status = Object::new().with("code", "NetStream.Publish.Start");
        if has_level {
            status.insert("level", "status");
        }
        peer.command(stream, "onStatus", id, [NULL, status.into()]);
        assert_eq!(peer.session.state(), SessionState::Publishing, "{stream}");
    }
}

/// Refusals by status, with and without a level, and by `_error`.
#[test]
fn refused_publishers() {
    for code in [
        "NetStream.Publish.BadName",
        "NetStream.Publish.Denied",
        "NetStream.Publish.Unauthorized",
        "NetStream.Failed",
        "NetConnection.Connect.InvalidApp",
    ] {
        for level in ["error", ""] {
            let mut peer = Scripted::publisher();
            peer.command(0, "_result", 1.0, [NULL, success()]);
            peer.command(0, "_result", 4.0, [NULL, 1.0.into()]);
            peer.status(1, level, code);
            assert!(
                matches!(peer.session.close_reason(), Some(CloseReason::Refused(status)) if status.code.as_str() == code),
                "{code} {level}"
            );
        }
    }
}

/// A server that refuses `connect` by a status instead of `_error`.
#[test]
fn connect_refused_by_status() {
    for code in [
        "NetConnection.Connect.Rejected",
        "NetConnection.Connect.InvalidApp",
        "NetConnection.Connect.Failed",
    ] {
        let mut peer = Scripted::publisher();
        peer.status(0, "error", code);
        assert!(
            matches!(peer.session.close_reason(), Some(CloseReason::Refused(status)) if status.code.as_str() == code),
            "{code}"
        );
    }
}

/// Node-Media-Server sends all media on message stream 0, mediamtx sends StreamIsRecorded first.
#[test]
fn media_on_stream_zero_reaches_the_player() {
    let mut peer = Scripted::player();
    peer.command(0, "_result", 1.0, [NULL, success()]);
    peer.command(0, "_result", 2.0, [NULL, 1.0.into()]);
    peer.message(2, 4, 0, 0, &[0, 4, 0, 0, 0, 1]);
    peer.message(2, 4, 0, 0, &[0, 0, 0, 0, 0, 1]);
    peer.status(1, "status", "NetStream.Play.Reset");
    peer.status(1, "status", "NetStream.Play.Start");
    assert_eq!(peer.session.state(), SessionState::Playing);
    peer.message(4, 9, 0, 0, &[0x17, 0, 0, 0, 0]);
    assert!(matches!(
        peer.events.last(),
        Some(ClientEvent::Frame { stream, .. }) if *stream == ONE
    ));
}

/// YouTube acknowledges increments instead of totals; nginx restarts at 0xF0000000. Nothing depends
/// on the numbers.
#[test]
fn odd_acknowledgements() {
    let mut peer = Scripted::playing();
    for sequence in [100, 100, 0xF000_0000, 5, u32::MAX, 0] {
        peer.control(Control::Acknowledgement { sequence });
        let payload = vec![0xAF, 1, 2].into();
        peer.session
            .send_audio(ONE, Timestamp::ZERO, payload)
            .unwrap();
    }
    assert_eq!(peer.session.state(), SessionState::Playing);
}

/// FMS checks the bandwidth of clients; nginx forks say `close`, over and over (E2 #21).
#[test]
fn bandwidth_checks_and_close() {
    let mut peer = Scripted::client_publishing();
    peer.command(0, "onBWDone", 0.0, [NULL]);
    peer.command(0, "onBWDone", 0.0, [NULL]);
    peer.command(0, "_onbwcheck", 9.0, [NULL, "x".repeat(1000).into()]);
    peer.command(0, "_onbwdone", 0.0, [NULL, 1.0.into(), 2.0.into()]);
    assert_eq!(
        peer.replies(),
        ["0:_checkbw(6) null", "0:_result(9) null 0"]
    );
    let closes: Vec<u8> = (0..5)
        .flat_map(|_| peer.encode(3, 20, 0, 0, &command("close", 0.0, &[NULL])))
        .collect();
    peer.bytes(&closes);
    let closed = |event: &&ClientEvent| matches!(event, ClientEvent::Closed(_));
    assert_eq!(peer.events.iter().filter(closed).count(), 1);
    assert_eq!(peer.session.close_reason(), Some(&CloseReason::Peer(None)));
}

/// Once the goal is reached, later steps succeed or fail on their own.
#[test]
fn a_second_stream_after_the_goal() {
    let mut peer = Scripted::client_publishing();
    peer.session.create_stream(peer.now).unwrap();
    peer.command(0, "_result", 6.0, [NULL, 2.0.into()]);
    let two = MessageStreamId::new(2);
    assert_eq!(peer.session.stream_state(two), Some(StreamState::Idle));
    peer.session
        .play(peer.now, two, "other", PlayOptions::default())
        .unwrap();
    peer.status(2, "error", "NetStream.Play.StreamNotFound");
    assert!(!peer.session.is_closed());
    assert!(matches!(
        peer.events.last(),
        Some(ClientEvent::Refused { stream, .. }) if *stream == two
    ));
    assert_eq!(peer.session.state(), SessionState::Publishing);
}

/// A request that is taken back is not waited for; one that is not, is.
#[test]
fn deadlines_follow_the_requests() {
    let mut peer = Scripted::client_playing();
    peer.session.create_stream(peer.now).unwrap();
    peer.command(0, "_result", 4.0, [NULL, 2.0.into()]);
    let two = MessageStreamId::new(2);
    peer.session
        .play(peer.now, two, "a", PlayOptions::default())
        .unwrap();
    peer.session.delete_stream(two).unwrap();
    peer.now += Duration::from_secs(60);
    peer.session.handle_timeout(peer.now);
    peer.replies();
    assert!(!peer.session.is_closed(), "nothing is waited for");

    peer.session.create_stream(peer.now).unwrap();
    peer.session.create_stream(peer.now).unwrap();
    peer.replies();
    peer.command(0, "_result", 6.0, [NULL, 3.0.into()]);
    peer.now += Duration::from_secs(20);
    peer.session.handle_timeout(peer.now);
    assert!(peer.session.is_closed(), "the second was never answered");
}

/// On `Err` nothing has changed, and what is accepted is complete.
#[test]
fn a_small_output_queue_breaks_no_dialogue() {
    let mut config = rtmp_proto::ClientConfig::default();
    config.connection.limits.output_queue = 0;
    let mut peer = Scripted::fresh_client(config);
    peer.session.play_from(peer.now, &common::url()).unwrap();
    peer.replies();
    peer.bytes(&handshake());
    peer.replies();
    peer.command(0, "_result", 1.0, [NULL, success()]);
    peer.replies();
    peer.command(0, "_result", 2.0, [NULL, 1.0.into()]);
    assert_eq!(
        peer.replies(),
        [
            "1:play(3) null \"key\" -2",
            "SetBufferLength { stream: MessageStreamId(1), millis: 3000 }",
        ]
    );
    peer.status(1, "status", "NetStream.Play.Start");
    assert_eq!(peer.session.state(), SessionState::Playing);
    peer.session.close_stream(ONE).unwrap();
    peer.replies();
    let options = PlayOptions::default();
    assert_eq!(peer.session.play(peer.now, ONE, "b", options), Ok(()));
    assert_eq!(peer.replies().len(), 2);
}

/// Values too long for a message change nothing, wherever they come from.
#[test]
fn absurdly_long_values() {
    let mut peer = Scripted::client();
    peer.replies();
    let long = "x".repeat(17 << 20);
    let params = rtmp_proto::ConnectParams::player(&common::url());
    let refused = peer
        .session
        .connect(peer.now, params.clone().with_property("x", long.as_str()));
    assert!(refused.is_err());
    assert_eq!(peer.session.queued_len(), 0);
    peer.session.connect(peer.now, params).unwrap();
    assert_eq!(
        peer.replies(),
        ["SetChunkSize(ChunkSize(65536))", "0:connect(1) {}"]
    );

    let mut peer = Scripted::server();
    peer.policy = |server, now, event| {
        if let ServerEvent::Connect(request) = event {
            let status = Status::error(StatusCode::CONNECT_REJECTED, "x".repeat(17 << 20));
            server.reject(now, request, status).unwrap();
            return None;
        }
        Some(event)
    };
    peer.command(0, "connect", 1.0, [app("live")]);
    assert_eq!(
        peer.replies(),
        ["0:_error(1) null error/NetConnection.Connect.Rejected"]
    );
}

/// Seek and pause that fail are answered by `_error` where an answer is awaited, else by a status.
/// A-30, NS-51, NS-55.
#[test]
fn failed_seek_and_pause() {
    let mut peer = Scripted::connected();
    peer.command(0, "createStream", 2.0, [NULL]);
    peer.replies();
    peer.command(1, "seek", 3.0, [NULL, 1.0.into()]);
    peer.command(1, "seek", 0.0, [NULL, 1.0.into()]);
    peer.command(1, "pause", 4.0, [NULL, true.into(), 1.0.into()]);
    assert_eq!(
        peer.replies(),
        [
            "0:_error(3) null error/NetStream.Seek.Failed",
            "1:onStatus(0) null error/NetStream.Seek.Failed",
            "0:_error(4) null error/NetStream.Failed",
        ]
    );
}

/// Changing what plays is not waited for: the old stream goes on until the server changes over.
#[test]
fn changing_the_stream_sets_no_deadline() {
    let mut peer = Scripted::client_playing();
    let options = PlayOptions::default();
    peer.session.play(peer.now, ONE, "other", options).unwrap();
    peer.status(1, "status", "NetStream.Play.Start");
    peer.replies();
    peer.now += Duration::from_secs(60);
    peer.session.handle_timeout(peer.now);
    assert_eq!(peer.session.state(), SessionState::Playing);
}
