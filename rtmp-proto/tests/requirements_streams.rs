//! The NetStream commands, argument by argument: playing, publishing, and what a server answers.

mod common;

use bytes::Bytes;
use common::scripted::{Scripted, data, success};
use rtmp_proto::{
    ClientEvent, CloseReason, MessageStreamId, PlayOptions, PlayRequest, PublishKind, RequestError,
    ServerEvent, SessionState, Status, StatusCode, StreamState, Timestamp,
    amf::{Object, Value},
    message::Level,
};

const NULL: Value = Value::Null;
const ONE: MessageStreamId = MessageStreamId::new(1);

/// NS-7, NS-10 to NS-18, NS-56, A-26: what `play` says after the name, with defaults for what it
/// leaves out, is handed up as numbers.
#[test]
fn arguments_of_play() {
    let cases: [(&[Value], f64, f64, bool); 10] = [
        (&[], -2.0, -1.0, true),
        (&[(-1.0).into()], -1.0, -1.0, true),
        (&[(-2000.0).into()], -2000.0, -1.0, true),
        (&[5.0.into()], 5.0, -1.0, true),
        (&[5.0.into(), 0.0.into()], 5.0, 0.0, true),
        (&[0.0.into(), 10.0.into(), false.into()], 0.0, 10.0, false),
        (&[NULL, NULL, true.into()], -2.0, -1.0, true),
        (&[0.0.into(), (-7.0).into(), 0.0.into()], 0.0, -7.0, false),
        (&["5".into(), "x".into(), 2.0.into()], -2.0, -1.0, true),
        (
            &[1.0.into(), 2.0.into(), false.into(), "more".into()],
            1.0,
            2.0,
            false,
        ),
    ];
    for (arguments, start, duration, reset) in cases {
        let request = play(arguments);
        assert_eq!(request.name().as_str(), "live/key");
        let got = (request.start(), request.duration(), request.reset());
        assert_eq!(got, (start, duration, reset), "{arguments:?}");
    }
}

/// NS-7, NS-8, UC-15: a player asks on the stream it has created, leaves out what has its default,
/// and tells its buffer in the same breath.
#[test]
fn play_of_a_client() {
    let mut peer = connected_client();
    let default = PlayOptions::default();
    let refused = peer.session.play(peer.now, ONE, "key", default);
    assert_eq!(refused, Err(RequestError::WrongStream { stream: ONE }));
    peer.session.create_stream(peer.now).unwrap();
    peer.command(0, "_result", 2.0, [NULL, 1.0.into()]);
    peer.replies();
    peer.session.play(peer.now, ONE, "key", default).unwrap();
    let buffer = "SetBufferLength { stream: MessageStreamId(1), millis: 3000 }";
    assert_eq!(peer.replies(), ["1:play(3) null \"key\" -2", buffer]);
    peer.status(1, "status", "NetStream.Play.Start");
    let mut options = default;
    (options.start, options.duration, options.reset) = (7.0, 5.0, false);
    peer.session.play(peer.now, ONE, "b", options).unwrap();
    assert_eq!(peer.replies(), ["1:play(4) null \"b\" 7 5 false", buffer]);
}

/// NS-3, NS-4, NS-21 to NS-23, NS-25, NS-58, NS-69, UC-8, A-23, A-25: the answer to `play`, whatever
/// its transaction.
#[test]
fn answer_to_play() {
    for id in [0.0, 7.0] {
        for reset in [true, false] {
            let mut peer = with_stream();
            let arguments = [NULL, "key".into(), NULL, NULL, reset.into()];
            peer.command(1, "play", id, arguments);
            let mut expected = vec![
                "StreamBegin(MessageStreamId(1))",
                "1:onStatus(0) null status/NetStream.Play.Reset",
                "1:onStatus(0) null status/NetStream.Play.Start",
                "1:DATA",
            ];
            if !reset {
                expected.remove(1);
            }
            assert_eq!(peer.replies(), expected);
            assert_eq!(send_audio(&mut peer), ["1:AUDIO"]);
        }
    }
}

/// NS-24, NS-65: a refusal of `play` has the code the application gives it.
#[test]
fn refused_play() {
    for code in [StatusCode::PLAY_STREAM_NOT_FOUND, StatusCode::PLAY_FAILED] {
        let mut peer = with_stream();
        peer.policy = |_, _, event| Some(event);
        peer.command(1, "play", 0.0, [NULL, "key".into()]);
        let Some(ServerEvent::Play(request)) = peer.events.pop() else {
            panic!("a request")
        };
        let status = Status::error(code.clone(), "no");
        peer.session.reject(peer.now, request, status).unwrap();
        assert_eq!(
            peer.replies(),
            [format!("1:onStatus(0) null error/{}", code.as_str())]
        );
    }
}

/// NS-26, NS-27: `play2` with its options, both sides.
#[test]
fn play2_changes_over() {
    let mut client = Scripted::client_playing();
    let options = Object::new().with("streamName", "high");
    client.session.play2(ONE, options).unwrap();
    assert_eq!(client.replies(), ["1:play2(0) null {}"]);

    let mut peer = Scripted::playing();
    peer.policy = |_, _, event| Some(event);
    let options = Object::new()
        .with("streamName", "high")
        .with("oldStreamName", "key")
        .with("start", 3.0)
        .with("len", 60.0)
        .with("offset", 1.5)
        .with("transition", "switch");
    peer.command(1, "play2", 0.0, [NULL, options.into()]);
    let Some(ServerEvent::Play(request)) = peer.events.pop() else {
        panic!("a request")
    };
    assert_eq!(request.name().as_str(), "live/high");
    assert_eq!((request.start(), request.duration()), (3.0, 60.0));
    let transition = request.transition().unwrap();
    assert_eq!(transition.kind, "switch");
    assert_eq!(transition.old_stream_name.as_deref(), Some("key"));
    assert_eq!(transition.offset, Some(1.5));
    peer.session.accept(peer.now, request).unwrap();
    assert_eq!(
        peer.replies(),
        [
            "StreamBegin(MessageStreamId(1))",
            "1:onStatus(0) null status/NetStream.Play.Transition",
            "1:onStatus(0) null status/NetStream.Play.Start",
            "1:DATA",
        ]
    );
}

/// NS-2, NS-30 to NS-33, NS-61, NC-45, A-27, A-28: closing a stream keeps it, deleting gives it back,
/// and deleting is not answered.
#[test]
fn ends_of_a_stream() {
    let mut client = Scripted::client_publishing();
    client.session.close_stream(ONE).unwrap();
    client.session.delete_stream(ONE).unwrap();
    assert_eq!(
        client.replies(),
        ["1:closeStream(0) null", "0:deleteStream(0) null 1"]
    );

    let mut peer = Scripted::publishing();
    peer.command(1, "closeStream", 0.0, [NULL]);
    assert_eq!(
        peer.replies(),
        ["1:onStatus(0) null status/NetStream.Unpublish.Success"]
    );
    assert_eq!(peer.session.stream_state(ONE), Some(StreamState::Idle));
    peer.command(1, "publish", 0.0, [NULL, "key".into(), "live".into()]);
    assert_eq!(peer.session.state(), SessionState::Publishing);
    peer.command(1, "closeStream", 0.0, [NULL]);
    peer.replies();
    peer.command(0, "deleteStream", 9.0, [NULL, 1.0.into()]);
    assert_eq!(peer.replies(), [""; 0]);
    assert_eq!(peer.session.stream_state(ONE), None);
}

/// NS-34 to NS-39, A-31: audio and video are turned off in silence, and on with two statuses.
#[test]
fn receive_audio_and_video() {
    let mut client = Scripted::client_playing();
    client.session.receive_audio(ONE, false).unwrap();
    client.session.receive_video(ONE, true).unwrap();
    assert_eq!(
        client.replies(),
        [
            "1:receiveAudio(0) null false",
            "1:receiveVideo(0) null true"
        ]
    );

    let mut peer = Scripted::playing();
    let resumed = [
        "1:onStatus(0) null status/NetStream.Seek.Notify",
        "1:onStatus(0) null status/NetStream.Play.Start",
    ];
    let none = [""; 0];
    for (name, audio, video) in [
        ("receiveAudio", &none[..], &["1:VIDEO"][..]),
        ("receiveVideo", &["1:AUDIO"], &none),
    ] {
        peer.command(1, name, 0.0, [NULL, false.into()]);
        assert_eq!(peer.replies(), none, "{name}");
        assert_eq!(send_audio(&mut peer), audio, "{name}");
        assert_eq!(send_video(&mut peer), video, "{name}");
        peer.command(1, name, 0.0, [NULL, true.into()]);
        assert_eq!(peer.replies(), resumed, "{name}");
        assert_eq!(send_audio(&mut peer), ["1:AUDIO"], "{name}");
        assert_eq!(send_video(&mut peer), ["1:VIDEO"], "{name}");
    }
}

/// NS-40 to NS-44: what the server is to do with the stream.
#[test]
fn kinds_of_publishing() {
    for (kind, expected) in [
        (Some("live"), PublishKind::Live),
        (Some("record"), PublishKind::Record),
        (Some("append"), PublishKind::Append),
        (Some("nonsense"), PublishKind::Live),
        (None, PublishKind::Live),
    ] {
        let mut peer = with_stream();
        peer.policy = |_, _, event| Some(event);
        match kind {
            Some(kind) => peer.command(1, "publish", 0.0, [NULL, "key".into(), kind.into()]),
            None => peer.command(1, "publish", 0.0, [NULL, "key".into()]),
        }
        let Some(ServerEvent::Publish(request)) = peer.events.pop() else {
            panic!("a request")
        };
        assert_eq!(request.kind(), expected, "{kind:?}");
    }
    for kind in [PublishKind::Live, PublishKind::Record, PublishKind::Append] {
        let mut peer = connected_client();
        peer.session.create_stream(peer.now).unwrap();
        peer.command(0, "_result", 2.0, [NULL, 1.0.into()]);
        peer.replies();
        peer.session.publish(peer.now, ONE, "key", kind).unwrap();
        let expected = format!("1:publish(3) null \"key\" \"{}\"", kind.name());
        assert_eq!(peer.replies(), [expected]);
    }
}

/// NS-45, NS-46, NS-58, UC-8, A-24: the answer to `publish`, whatever its transaction.
#[test]
fn answer_to_publish() {
    for id in [0.0, 7.0] {
        let mut peer = with_stream();
        peer.command(1, "publish", id, [NULL, "key".into(), "live".into()]);
        assert_eq!(
            peer.replies(),
            [
                "StreamBegin(MessageStreamId(1))",
                "1:onStatus(0) null status/NetStream.Publish.Start",
            ]
        );
    }
}

/// NS-57: commands for streams that do not exist, or that do something else, are refused by a status,
/// or ignored, and disturb no other stream.
#[test]
fn commands_for_no_stream() {
    let mut peer = Scripted::publishing();
    for (stream, name, refusal) in [
        (
            1,
            "publish",
            "1:onStatus(0) null error/NetStream.Publish.BadName",
        ),
        (
            9,
            "publish",
            "9:onStatus(0) null error/NetStream.Publish.BadName",
        ),
        (1, "play", "1:onStatus(0) null error/NetStream.Play.Failed"),
        (9, "play2", "9:onStatus(0) null error/NetStream.Play.Failed"),
        (9, "seek", "9:onStatus(0) null error/NetStream.Seek.Failed"),
        (9, "pause", "9:onStatus(0) null error/NetStream.Failed"),
        (
            9,
            "receiveVideo",
            "9:onStatus(0) null error/NetStream.Failed",
        ),
    ] {
        peer.command(stream, name, 0.0, [NULL, "key".into()]);
        assert_eq!(peer.replies(), [refusal], "{name}");
    }
    peer.command(0, "deleteStream", 0.0, [NULL, 9.0.into()]);
    peer.message(4, 8, 1, 0, &[0xAF, 1, 2]);
    assert_eq!(peer.replies(), [""; 0]);
    assert_eq!(peer.frames(), [(1, 8, 0, 3)]);
}

/// NS-49, NS-50: `seek` with milliseconds, and its success.
#[test]
fn seek_succeeds() {
    let mut client = Scripted::client_playing();
    client.session.seek(ONE, 3500.0).unwrap();
    assert_eq!(client.replies(), ["1:seek(0) null 3500"]);

    let mut peer = Scripted::playing();
    peer.policy = |session, now, event| match event {
        ServerEvent::Seek(request) => {
            assert_eq!(request.millis().to_bits(), 3500.0_f64.to_bits());
            session.accept(now, request).unwrap();
            None
        }
        event => Some(event),
    };
    peer.command(1, "seek", 0.0, [NULL, 3500.0.into()]);
    assert_eq!(
        peer.replies(),
        [
            "1:onStatus(0) null status/NetStream.Seek.Notify",
            "1:onStatus(0) null status/NetStream.Play.Start",
        ]
    );
}

/// NS-52 to NS-54, UC-10: nothing is sent to a paused player, and the application learns where it
/// stood.
#[test]
fn pause_and_resume() {
    let mut client = Scripted::client_playing();
    client.session.pause(ONE, true, 1234.0).unwrap();
    assert_eq!(client.replies(), ["1:pause(0) null true 1234"]);

    let mut peer = Scripted::playing();
    peer.command(1, "pause", 0.0, [NULL, true.into(), 1234.0.into()]);
    assert_eq!(
        peer.replies(),
        [
            "StreamEof(MessageStreamId(1))",
            "1:onStatus(0) null status/NetStream.Pause.Notify",
        ]
    );
    assert_eq!(send_audio(&mut peer), [""; 0]);
    peer.command(1, "pause", 0.0, [NULL, false.into(), 1234.0.into()]);
    assert_eq!(
        peer.replies(),
        [
            "StreamBegin(MessageStreamId(1))",
            "1:onStatus(0) null status/NetStream.Unpause.Notify",
        ]
    );
    assert_eq!(send_audio(&mut peer), ["1:AUDIO"]);
    for (event, paused) in peer.events.iter().zip([true, false]) {
        assert!(matches!(
            *event,
            ServerEvent::Paused { stream: ONE, is_paused, millis }
                if is_paused == paused && millis.to_bits() == 1234.0_f64.to_bits()
        ));
    }
}

/// NS-62 to NS-64, UC-9: players are told when the publisher comes and goes, and when playing ends.
#[test]
fn players_are_told_about_the_publisher() {
    let mut peer = Scripted::playing();
    peer.session.notify_unpublished(ONE).unwrap();
    peer.session.notify_published(ONE).unwrap();
    peer.session.close(peer.now);
    assert_eq!(
        peer.replies(),
        [
            "1:onStatus(0) null status/NetStream.Play.UnpublishNotify",
            "StreamEof(MessageStreamId(1))",
            "StreamBegin(MessageStreamId(1))",
            "1:onStatus(0) null status/NetStream.Play.PublishNotify",
            "1:onStatus(0) null status/NetStream.Play.Stop",
            "StreamEof(MessageStreamId(1))",
        ]
    );
}

/// NS-59, NS-60: codes that refuse a publisher, with or without the level.
#[test]
fn refusals_of_publish() {
    for code in [
        "NetStream.Publish.BadName",
        "NetStream.Publish.Denied",
        "NetStream.Publish.Rejected",
    ] {
        for level in ["error", "status"] {
            let mut peer = Scripted::publisher();
            peer.command(0, "_result", 1.0, [NULL, success()]);
            peer.command(0, "_result", 4.0, [NULL, 1.0.into()]);
            peer.status(1, level, code);
            assert!(matches!(
                peer.session.close_reason(),
                Some(CloseReason::Refused(status)) if status.code.as_str() == code
            ));
        }
    }
}

/// NS-5, NS-6, NS-65, NS-67, NS-68: other statuses of a stream are told with all they hold and end
/// nothing.
#[test]
fn other_statuses_of_a_stream() {
    for (level, code) in [
        (Level::Error, "NetStream.Seek.Failed"),
        (Level::Error, "NetStream.Seek.InvalidTime"),
        (Level::Error, "NetStream.Record.NoAccess"),
        (Level::Warning, "NetStream.Play.InsufficientBW"),
        (Level::Status, "NetStream.Record.Start"),
        (Level::Status, "NetStream.Data.Start"),
    ] {
        let mut peer = Scripted::client_playing();
        let info = Object::new()
            .with("level", level.name())
            .with("code", code)
            .with("details", "x")
            .with("clientid", 9.0);
        peer.command(1, "onStatus", 0.0, [NULL, info.into()]);
        let [
            ClientEvent::Status {
                stream: ONE,
                status,
            },
        ] = &peer.events[..]
        else {
            panic!("{:?}", peer.events)
        };
        assert_eq!((&status.level, status.code.as_str()), (&level, code));
        assert_eq!(status.details.get("details"), Some(&"x".into()));
        assert_eq!(status.details.get("clientid"), Some(&9.0.into()));
        assert_eq!(peer.session.state(), SessionState::Playing);
    }
}

/// NS-66, NS-69: data messages that servers send around media are frames like any other.
#[test]
fn data_messages_around_media() {
    let status = Object::new()
        .with("level", "status")
        .with("code", "NetStream.Play.Complete");
    for payload in [
        data(&["|RtmpSampleAccess".into(), true.into(), true.into()]),
        data(&["onPlayStatus".into(), status.into()]),
    ] {
        let mut peer = Scripted::client_playing();
        peer.message(5, 18, 1, 0, &payload);
        let [ClientEvent::Frame { frame, .. }] = &peer.events[..] else {
            panic!("{:?}", peer.events)
        };
        assert_eq!(frame.payload, payload);
        assert_eq!(peer.session.state(), SessionState::Playing);
    }
}

/// A server that has created stream 1.
fn with_stream() -> Scripted<rtmp_proto::Server> {
    let mut peer = Scripted::connected();
    peer.command(0, "createStream", 2.0, [NULL]);
    peer.replies();
    peer.events.clear();
    peer
}

/// A client that has connected and does nothing of its own.
fn connected_client() -> Scripted<rtmp_proto::Client> {
    let mut peer = Scripted::client();
    let params = rtmp_proto::ConnectParams::player(&common::url());
    peer.session.connect(peer.now, params).unwrap();
    peer.command(0, "_result", 1.0, [NULL, success()]);
    peer.replies();
    peer
}

/// The request that `play` with `arguments` after the name leads to.
fn play(arguments: &[Value]) -> PlayRequest {
    let mut peer = with_stream();
    peer.policy = |_, _, event| Some(event);
    let values = [&[NULL, "key".into()], arguments].concat();
    let payload = common::scripted::command("play", 0.0, &values);
    peer.message(3, 20, 1, 0, &payload);
    match peer.events.pop() {
        Some(ServerEvent::Play(request)) => request,
        other => panic!("{other:?}"),
    }
}

fn send_audio(peer: &mut Scripted<rtmp_proto::Server>) -> Vec<String> {
    let payload = Bytes::from_static(&[0xAF, 1, 2]);
    peer.session
        .send_audio(ONE, Timestamp::ZERO, payload)
        .unwrap();
    peer.replies()
}

fn send_video(peer: &mut Scripted<rtmp_proto::Server>) -> Vec<String> {
    let payload = Bytes::from_static(&[0x17, 1, 0, 0, 0]);
    peer.session
        .send_video(ONE, Timestamp::ZERO, payload)
        .unwrap();
    peer.replies()
}
