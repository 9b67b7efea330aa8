//! The NetConnection commands, field by field: `connect` and its answer, calls, statuses of the
//! connection, and its end.

mod common;

use bytes::{Buf, BytesMut};
use common::{
    scripted::{Scripted, app, success},
    take_output,
};
use rtmp_proto::{
    CapsEx, ClientConfig, ClientEvent, ClientSession, CloseReason, ConnectParams, Instant,
    Leniency, Limits, MessageStreamId, ServerEvent, ServerSession, Session, SessionState, Status,
    StatusCode,
    amf::{Object, Value},
    chunk::{ChunkDecoder, ChunkSize, MessageType},
    message::{BandwidthLimit, Command, Control, Level, Message},
};

const NULL: Value = Value::Null;

/// NC-2 to NC-14, NC-58, MSG-5, MSG-8, MSG-18: what an encoder and a player say of themselves.
#[test]
fn connect_says_what_the_client_is() {
    let publisher = connect_of(ConnectParams::publisher(&common::url()));
    let player = connect_of(ConnectParams::player(&common::url()));
    for object in [&publisher, &player] {
        assert_eq!(text(object, "app"), "live");
        assert_eq!(text(object, "tcUrl"), "rtmp://host/live");
        assert!(!text(object, "flashVer").is_empty());
    }
    assert_eq!(text(&publisher, "type"), "nonprivate");
    assert_eq!(text(&publisher, "swfUrl"), "rtmp://host/live");
    assert_eq!(player.get("fpad"), Some(&false.into()));
    assert_eq!(player.get("capabilities"), Some(&15.0.into()));

    let params = ConnectParams::player(&common::url()).with_property("pageUrl", "http://a/");
    assert_eq!(text(&connect_of(params), "pageUrl"), "http://a/");
}

/// NC-16 to NC-18: a player names every audio codec but Intel's and the unused one, every video codec
/// but JPEG and the unused one, and that it can seek to any frame.
#[test]
fn codec_flags_of_a_player() {
    let player = connect_of(ConnectParams::player(&common::url()));
    let audio_codecs = 0x0FFF & !0x0008 & !0x0010;
    let video_codecs = 0x00FF & !0x0001 & !0x0002;
    for (name, flags) in [
        ("audioCodecs", audio_codecs),
        ("videoCodecs", video_codecs),
        ("videoFunction", 1),
    ] {
        assert_eq!(player.get(name), Some(&f64::from(flags).into()), "{name}");
    }
}

/// ERTMP-64, ERTMP-136, ERTMP-137, ERTMP-139, ERTMP-140, ERTMP-142: a player names every codec of
/// Enhanced RTMP, and what else it can do if it is told to.
#[test]
fn a_player_names_every_codec() {
    let player = connect_of(ConnectParams::player(&common::url()).reconnecting());
    for (map, codecs) in [
        (
            "videoFourCcInfoMap",
            ["vp08", "vp09", "av01", "avc1", "hvc1", "vvc1"],
        ),
        (
            "audioFourCcInfoMap",
            ["ac-3", "ec-3", "Opus", ".mp3", "fLaC", "mp4a"],
        ),
    ] {
        let map = player.get(map).and_then(Value::as_object).unwrap();
        for codec in codecs {
            let flags = map.get(codec).and_then(Value::as_number).unwrap();
            assert_eq!(flags.to_bits(), 1.0_f64.to_bits(), "{codec} is decoded");
        }
    }
    assert_eq!(player.get("capsEx"), Some(&1.0.into()));
}

/// ERTMP-138, ERTMP-146, A-58: a client finds what the server can do in either object.
#[test]
fn capabilities_in_either_place() {
    let said = || Object::new().with("capsEx", 3.0);
    let info = success().as_object().unwrap().clone();
    let with_capabilities = info.clone().with("capsEx", 3.0);
    for (properties, info, expected) in [
        (said(), info.clone(), 3),
        (Object::new(), with_capabilities, 3),
        (Object::new(), info, 0),
    ] {
        let mut peer = Scripted::client();
        let params = ConnectParams::player(&common::url());
        peer.session.connect(peer.now, params).unwrap();
        peer.command(0, "_result", 1.0, [properties.into(), info.into()]);
        let Some(ClientEvent::Connected(info)) = peer.events.pop() else {
            panic!("{:?}", peer.events)
        };
        assert_eq!(info.capabilities().caps_ex, CapsEx(expected));
    }
}

/// NC-3, NC-7, NC-9, NC-15, NC-19 to NC-21: a server's application sees everything a client said.
#[test]
fn connect_requests_keep_everything() {
    let object = Object::new()
        .with("app", "live?token=t")
        .with("flashver", "x")
        .with("tcurl", "rtmp://h/live")
        .with("objectEncoding", 3.0)
        .with("custom", "kept");
    let mut peer = holding();
    peer.command(
        0,
        "connect",
        1.0,
        [object.into(), "user".into(), 5.0.into()],
    );
    let Some(ServerEvent::Connect(request)) = peer.events.pop() else {
        panic!("a request")
    };
    assert_eq!(request.app(), "live?token=t");
    assert_eq!(request.flash_version(), Some("x"));
    assert_eq!(request.tc_url(), Some("rtmp://h/live"));
    assert_eq!(request.object_encoding().to_bits(), 3.0_f64.to_bits());
    assert_eq!(request.properties().get("custom"), Some(&"kept".into()));
    assert_eq!(request.arguments(), ["user".into(), 5.0.into()]);

    let mut peer = holding();
    peer.command(0, "connect", 1.0, [NULL]);
    let Some(ServerEvent::Connect(request)) = peer.events.pop() else {
        panic!("a request")
    };
    assert_eq!((request.app(), request.tc_url()), ("", None));
    assert_eq!(request.object_encoding().to_bits(), 0.0_f64.to_bits());
}

/// NC-23 to NC-27, NC-33, ERTMP-33: transaction 1, properties, and an information object.
#[test]
fn an_accepted_connect_is_described() {
    for encoding in [0.0, 3.0] {
        let mut peer = Scripted::server();
        let object = Object::new()
            .with("app", "live")
            .with("objectEncoding", encoding);
        peer.command(0, "connect", 1.0, [object.into()]);
        let answer = last_command(&mut peer);
        assert_eq!(
            (&*answer.name, answer.transaction_id.get()),
            ("_result", 1.0)
        );
        assert!(!text(answer.object.as_object().unwrap(), "fmsVer").is_empty());
        let info = answer.argument(0).as_object().unwrap();
        assert_eq!(text(info, "level"), "status");
        assert_eq!(text(info, "code"), "NetConnection.Connect.Success");
        assert!(!text(info, "description").is_empty());
        assert_eq!(info.get("objectEncoding"), Some(&encoding.into()));
    }
}

/// NC-23, NC-34 to NC-36: refusals of `connect` are `_error` with transaction 1 and the reason.
#[test]
fn a_refused_connect_is_told_why() {
    for code in [
        StatusCode::CONNECT_REJECTED,
        StatusCode::CONNECT_FAILED,
        StatusCode::CONNECT_INVALID_APP,
    ] {
        let mut peer = holding();
        peer.command(0, "connect", 1.0, [NULL]);
        let Some(ServerEvent::Connect(request)) = peer.events.pop() else {
            panic!("a request")
        };
        let status = Status::error(code.clone(), "no");
        peer.session.reject(peer.now, request, status).unwrap();
        assert_eq!(
            peer.replies(),
            [format!("0:_error(1) null error/{}", code.as_str())]
        );
    }
}

/// NC-31, NC-32: nothing is done before `connect`, and there is one `connect` only.
#[test]
fn nothing_before_connect_and_no_second_one() {
    let mut peer = holding();
    for name in ["createStream", "publish", "play", "anything"] {
        peer.command(0, name, 2.0, [NULL, "key".into()]);
        assert_eq!(
            peer.replies(),
            ["0:_error(2) null error/NetConnection.Call.Failed"],
            "{name}"
        );
    }
    assert_eq!(peer.event_names(), [""; 0]);
    assert_eq!(peer.session.state(), SessionState::Open);

    let mut peer = Scripted::publishing();
    peer.command(0, "connect", 5.0, [app("other")]);
    assert_eq!(
        peer.replies(),
        ["0:_error(5) null error/NetConnection.Connect.Rejected"]
    );
    assert_eq!(peer.session.state(), SessionState::Publishing);
}

/// NC-29, NC-30, PC-24: what comes around the answer to `connect` may come in any order or not at all.
#[test]
fn servers_say_it_in_any_order() {
    type Said = fn(&mut Scripted<rtmp_proto::Client>);
    let window: Said = |peer| peer.control(Control::WindowAckSize { window: 9000 });
    let bandwidth: Said = |peer| {
        peer.control(Control::SetPeerBandwidth {
            window: 7000,
            limit: BandwidthLimit::DYNAMIC,
        });
    };
    let begin: Said = |peer| peer.message(2, 4, 0, 0, &[0; 6]);
    let size: Said = |peer| peer.control(Control::SetChunkSize(ChunkSize::new(4096).unwrap()));
    let done: Said = |peer| peer.command(0, "onBWDone", 0.0, [NULL]);
    let answer: Said = |peer| peer.command(0, "_result", 1.0, [NULL, success()]);
    let orders: [&[Said]; 6] = [
        &[window, bandwidth, begin, answer],
        &[answer],
        &[answer, begin, bandwidth, window],
        &[size, bandwidth, done, window, answer],
        &[bandwidth, answer, done, size],
        &[begin, size, answer, done, window],
    ];
    for (index, order) in orders.into_iter().enumerate() {
        let mut peer = Scripted::publisher();
        peer.replies();
        for said in order {
            said(&mut peer);
        }
        assert_eq!(peer.session.state(), SessionState::Connected, "{index}");
        let replies = peer.replies();
        let announced = replies.contains(&"WindowAckSize { window: 7000 }".into());
        assert_eq!(announced, order.contains(&bandwidth), "{replies:?}");
    }
}

/// NC-37 to NC-42, A-29: calls are answered by `_result` or `_error` under their own number, unless
/// it is 0; one that nobody knows fails.
#[test]
fn calls_are_answered_if_they_want_to_be() {
    let mut peer = Scripted::connected();
    peer.policy = |session, now, event| {
        session.answer_by_default(now, event).unwrap();
        None
    };
    peer.command(0, "anything", 0.0, [NULL]);
    assert_eq!(peer.replies(), [""; 0]);
    peer.command(0, "anything", 7.0, [NULL, 1.0.into()]);
    assert_eq!(
        peer.replies(),
        ["0:_error(7) null error/NetConnection.Call.Failed"]
    );
    peer.policy = |session, _, event| {
        let ServerEvent::Call(call) = event else {
            return Some(event);
        };
        let sum = call.command().arguments.iter().filter_map(Value::as_number);
        let sum = sum.sum::<f64>();
        session.respond(call, Ok(sum.into())).unwrap();
        None
    };
    peer.command(0, "sum", 7.0, [NULL, 1.0.into(), 2.0.into()]);
    peer.command(0, "sum", 0.0, [NULL, 1.0.into(), 2.0.into()]);
    assert_eq!(peer.replies(), ["0:_result(7) null 3"]);
    let id = peer.session.call("hello", NULL, []).unwrap();
    assert_eq!(id.get().to_bits(), 1.0_f64.to_bits(), "its own count");
    assert_eq!(peer.replies(), ["0:hello(1) null"]);
}

/// An application that wants nothing to do with requests: who connects is let in, and is refused the rest
/// in the way each is refused. What needs no answer gets none.
#[test]
fn requests_are_answered_by_default() {
    let by_default = |session: &mut ServerSession, now, event| {
        session.answer_by_default(now, event).unwrap();
        None
    };
    for (name, code) in [
        ("publish", "NetStream.Publish.Denied"),
        ("play", "NetStream.Play.Failed"),
    ] {
        let mut peer = Scripted::server();
        peer.policy = by_default;
        peer.command(0, "connect", 1.0, [app("live")]);
        assert_eq!(peer.session.state(), SessionState::Connected);
        peer.command(0, "createStream", 2.0, [NULL]);
        peer.replies();
        peer.command(1, name, 3.0, [NULL, "key".into()]);
        let refusal = format!("1:onStatus(0) null error/{code}");
        assert_eq!(peer.replies(), [refusal]);
        let reason = peer.session.close_reason();
        assert!(matches!(reason, Some(CloseReason::Rejected(_))));
    }
    let mut peer = Scripted::playing();
    peer.policy = by_default;
    peer.command(1, "seek", 7.0, [NULL, 5.0.into()]);
    assert_eq!(
        peer.replies(),
        ["0:_error(7) null error/NetStream.Seek.Failed"]
    );
    peer.command(1, "receiveAudio", 0.0, [NULL, false.into()]);
    assert_eq!(peer.replies(), [""; 0]);
    assert_eq!(peer.session.state(), SessionState::Playing);
}

/// NC-49, NC-50: two codes end the connection.
#[test]
fn statuses_that_end_the_connection() {
    for code in [
        "NetConnection.Connect.Closed",
        "NetConnection.Connect.AppShutdown",
    ] {
        let mut peer = Scripted::client_publishing();
        peer.status(0, "status", code);
        assert!(matches!(
            peer.session.close_reason(),
            Some(CloseReason::Peer(Some(status))) if status.code.as_str() == code
        ));
    }
}

/// NC-48, NC-51 to NC-53, NS-5: other statuses of the connection are told as they are, as ones of
/// stream 0, and end nothing.
#[test]
fn statuses_of_the_connection_are_told() {
    for (level, code) in [
        (Level::Error, "NetConnection.Call.Failed"),
        (Level::Error, "NetConnection.Proxy.NotResponding"),
        (Level::Warning, "NetConnection.Some.Day"),
        (Level::Status, "NetConnection.Connect.ReconnectRequest"),
    ] {
        let mut peer = Scripted::client_publishing();
        peer.status(0, level.name(), code);
        let [ClientEvent::Status { stream, status }] = &peer.events[..] else {
            panic!("{:?}", peer.events)
        };
        assert_eq!(*stream, MessageStreamId::CONTROL, "{code}");
        assert_eq!((&status.level, status.code.as_str()), (&level, code));
        assert_eq!(peer.session.state(), SessionState::Publishing);
    }
}

/// NC-48, ERTMP-21 to ERTMP-24, ERTMP-27, ERTMP-29, ERTMP-33: a server sends statuses of the
/// connection on stream 0, a request to connect elsewhere among them, and goes on.
#[test]
fn reconnect_request_on_the_wire() {
    let mut peer = Scripted::publishing();
    let status = Status::new(StatusCode::CONNECT_RECONNECT_REQUEST, "maintenance")
        .with("tcUrl", "rtmp://other/live");
    peer.session
        .send_status(MessageStreamId::CONTROL, &status)
        .unwrap();
    let (stream, message) = peer.messages().pop().unwrap();
    let Message::Command(command) = message else {
        panic!("{message:?}")
    };
    assert_eq!((stream, &*command.name), (0, "onStatus"));
    assert!(!command.transaction_id.wants_answer());
    assert_eq!(command.object, NULL);
    let info = command.argument(0).as_object().unwrap();
    for (name, value) in [
        ("level", "status"),
        ("code", "NetConnection.Connect.ReconnectRequest"),
        ("description", "maintenance"),
        ("tcUrl", "rtmp://other/live"),
    ] {
        assert_eq!(text(info, name), value);
    }
    peer.message(4, 8, 1, 0, &[0xAF, 1, 2]);
    assert_eq!(peer.frames(), [(1, 8, 0, 3)]);
}

/// NC-43 to NC-46: streams count from 1, none twice at a time.
#[test]
fn streams_of_a_connection() {
    let mut peer = Scripted::connected();
    for id in [2.0, 3.0] {
        peer.command(0, "createStream", id, [NULL]);
    }
    peer.command(0, "deleteStream", 0.0, [NULL, 1.0.into()]);
    peer.command(0, "createStream", 4.0, [NULL]);
    peer.command(0, "createStream", 5.0, [NULL]);
    assert_eq!(
        peer.replies(),
        [
            "0:_result(2) null 1",
            "0:_result(3) null 2",
            "0:_result(4) null 1",
            "0:_result(5) null 3",
        ]
    );
}

/// NC-43, NC-44: a client asks with null and believes whatever number it gets, but not 0.
#[test]
fn created_streams_have_the_number_they_get() {
    for (number, is_created) in [(1.0, true), (7.0, true), (0.0, false), (-1.0, false)] {
        let mut peer = Scripted::client();
        let params = ConnectParams::player(&common::url());
        peer.session.connect(peer.now, params).unwrap();
        peer.command(0, "_result", 1.0, [NULL, success()]);
        peer.replies();
        peer.session.create_stream(peer.now).unwrap();
        assert_eq!(peer.replies(), ["0:createStream(2) null"]);
        peer.command(0, "_result", 2.0, [NULL, number.into()]);
        let created = matches!(
            peer.events.last(),
            Some(ClientEvent::StreamCreated { stream, .. }) if f64::from(stream.get()) == number
        );
        assert_eq!(created, is_created, "{number}");
        assert!(!peer.session.is_closed());
    }
}

/// NC-1, NC-47, A-27: `close` ends the connection, on either side, without an answer.
#[test]
fn close_ends_the_connection() {
    let mut server = Scripted::publishing();
    server.command(0, "close", 0.0, [NULL]);
    assert_eq!(
        server.session.close_reason(),
        Some(&CloseReason::Peer(None))
    );
    assert_eq!(server.replies(), [""; 0]);
    let mut client = Scripted::client_publishing();
    client.command(0, "close", 0.0, [NULL]);
    assert_eq!(
        client.session.close_reason(),
        Some(&CloseReason::Peer(None))
    );
}

/// NC-54, NS-30, A-28: a publisher that closes says goodbye as FMLE does.
#[test]
fn a_publisher_says_goodbye() {
    let mut peer = Scripted::client_publishing();
    peer.session.close(peer.now);
    assert_eq!(
        peer.replies(),
        ["0:FCUnpublish(6) null \"key\"", "0:deleteStream(0) null 1",]
    );
}

/// NC-56: calls that servers make without being asked end nothing.
#[test]
fn unknown_calls_are_tolerated() {
    let mut peer = Scripted::client_publishing();
    for name in [
        "onBWDone",
        "onFCPublish",
        "onFCUnpublish",
        "onFCSubscribe",
        "_onbwcheck",
        "_onbwdone",
        "onSomethingElse",
    ] {
        for id in [0.0, 50.0] {
            peer.command(0, name, id, [NULL]);
            peer.command(1, name, id, []);
        }
    }
    assert_eq!(peer.session.state(), SessionState::Publishing);
}

/// A server that has heard nothing but the handshake and whose application answers nothing.
fn holding() -> Scripted<rtmp_proto::Server> {
    let mut peer = Scripted::server();
    peer.policy = |_, _, event| Some(event);
    peer.events.clear();
    peer.replies();
    peer
}

/// The command object that a client with `params` sends on stream 0, as type 20 and transaction 1.
fn connect_of(params: ConnectParams) -> Object {
    let now = Instant::ORIGIN;
    let mut client: ClientSession = Session::new(now, ClientConfig::default().into(), [1; 32]);
    client.connect(now, params).unwrap();
    client.handle_input(now, &mut &common::scripted::handshake()[..]);
    let mut wire = BytesMut::new();
    take_output(&mut client, &mut wire);
    wire.advance(1 + 2 * 1536);
    let mut decoder = ChunkDecoder::new(&Limits::default(), Leniency::default());
    let size = decoder.decode(&mut wire).unwrap().unwrap();
    let size = Control::decode(size.message_type, size.payload()).unwrap();
    let Control::SetChunkSize(size) = size else {
        panic!("{size:?}")
    };
    decoder.set_chunk_size(size);
    let raw = decoder.decode(&mut wire).unwrap().unwrap();
    assert_eq!(raw.message_type, MessageType::COMMAND);
    assert_eq!(raw.stream, MessageStreamId::CONTROL);
    assert!(wire.is_empty());
    let command = Command::decode(&raw, &Limits::default().command).unwrap();
    assert_eq!(command.name, "connect");
    assert_eq!(command.transaction_id.get().to_bits(), 1.0_f64.to_bits());
    command.object.as_object().unwrap().clone()
}

fn last_command(peer: &mut Scripted<rtmp_proto::Server>) -> Command {
    match peer.messages().pop() {
        Some((0, Message::Command(command))) => command,
        other => panic!("{other:?}"),
    }
}

fn text<'a>(object: &'a Object, name: &str) -> &'a str {
    object.get(name).and_then(Value::as_str).unwrap_or_default()
}
