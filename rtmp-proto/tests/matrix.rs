//! Every message in every state of both roles.
#![allow(clippy::indexing_slicing, reason = "a panic is a failure")]

mod common;

use std::iter;

use common::scripted::{COMMANDS, Scripted, app, command, data, success};
use rtmp_proto::{
    Client, ClientConfig, ConnectParams, MessageStreamId, PlayOptions, PublishKind, Role, Server,
    ServerConfig, ServerEvent, SessionState, StreamState,
    amf::{Object, Value},
};

const NULL: Value = Value::Null;

/// Nothing panics, and the session still answers a ping or has ended with a reason. One message makes two
/// events at most, and `Closed`; nothing is left to be written but what was asked for. While a request
/// waits for the application nothing is read, and afterwards all of it.
///
/// NS-57
#[test]
fn state_by_message_matrix() {
    let states: [(&str, Start<Server>); 12] = [
        ("handshaking", || {
            Scripted::fresh_server(ServerConfig::default())
        }),
        ("open", Scripted::server),
        ("connecting", connecting),
        ("connected", Scripted::connected),
        ("idle stream", idle_stream),
        ("publish requested", || requested("publish")),
        ("publishing", publishing),
        ("play requested", || requested("play")),
        ("playing", Scripted::playing),
        ("paused", paused),
        ("seek requested", seeking),
        ("closed", || closed(Scripted::publishing())),
    ];
    for (state, peer) in states {
        for message in messages() {
            run(state, peer(), &message, answer);
        }
    }
}

/// The same for a client.
///
/// NS-57
#[test]
fn state_by_message_matrix_of_clients() {
    let states: [(&str, Start<Client>); 11] = [
        ("handshaking", || {
            let mut peer = Scripted::fresh_client(ClientConfig::default());
            peer.session.publish_to(peer.now, &common::url()).unwrap();
            peer
        }),
        ("open", Scripted::client),
        ("connecting", Scripted::publisher),
        ("connected", client_connected),
        ("creating a stream", client_creating),
        ("idle stream", client_idle),
        ("publish requested", client_publish_requested),
        ("publishing", Scripted::client_publishing),
        ("play requested", client_play_requested),
        ("playing", Scripted::client_playing),
        ("closed", || closed(Scripted::client_playing())),
    ];
    for (state, peer) in states {
        for message in messages() {
            run(state, peer(), &message, |_| {});
        }
    }
}

/// The states above are those that there are.
#[test]
fn states_are_what_they_are_called() {
    let session = |peer: &Scripted<Server>| peer.session.state();
    assert_eq!(session(&connecting()), SessionState::Connecting);
    assert_eq!(session(&idle_stream()), SessionState::Connected);
    assert_eq!(session(&publishing()), SessionState::Publishing);
    assert_eq!(session(&paused()), SessionState::Playing);
    assert_eq!(session(&seeking()), SessionState::Playing);
    let stream = |peer: &Scripted<Server>| peer.session.stream_state(ONE);
    assert_eq!(stream(&idle_stream()), Some(StreamState::Idle));
    assert_eq!(
        [stream(&requested("publish")), stream(&requested("play"))],
        [
            Some(StreamState::PublishRequested),
            Some(StreamState::PlayRequested)
        ]
    );
    for waiting in [
        connecting(),
        requested("publish"),
        requested("play"),
        seeking(),
    ] {
        assert!(waiting.events.iter().any(is_request));
        assert!(!waiting.session.wants_read());
    }
    assert_eq!(client_connected().session.state(), SessionState::Connected);
    assert_eq!(client_creating().session.state(), SessionState::Connected);
    let stream = |peer: &Scripted<Client>| peer.session.stream_state(ONE);
    assert_eq!(stream(&client_idle()), Some(StreamState::Idle));
    assert_eq!(
        [
            stream(&client_publish_requested()),
            stream(&client_play_requested())
        ],
        [
            Some(StreamState::PublishRequested),
            Some(StreamState::PlayRequested)
        ]
    );
}

fn run<R: Role>(state_name: &str, mut peer: Scripted<R>, message: &Message, answer: Answer<R>) {
    let case = Case {
        state: state_name,
        message,
    };
    let state = peer.session.state();
    let is_waiting = !peer.session.is_closed() && !peer.session.wants_read();
    let bytes = peer.encode(3, message.kind, message.stream, 0, &message.payload);
    if is_waiting {
        assert_eq!(feed(&mut peer, &bytes, case), 0, "{case:?}");
        answer(&mut peer);
    }
    let taken = feed(&mut peer, &bytes, case);
    match state {
        SessionState::Closed => {
            assert_eq!(taken, 0, "{case:?}");
            assert!(peer.session.is_closed());
        }
        // The bytes were not those of a message.
        SessionState::Handshaking => {
            let is_unchanged = peer.session.state() == state;
            assert!(peer.session.is_closed() || is_unchanged, "{case:?}");
        }
        _ => {
            if !peer.session.is_closed() {
                assert_eq!(taken, bytes.len(), "{case:?}");
            }
            peer.assert_alive_or_closed(state_name);
        }
    }
    peer.replies();
    assert_eq!(peer.session.queued_len(), 0, "{case:?}");
}

/// As [`Scripted::bytes`], with a look at how much waits at a time.
fn feed<R: Role>(peer: &mut Scripted<R>, bytes: &[u8], case: Case<'_>) -> usize {
    let mut input = bytes;
    loop {
        let before = input.len();
        peer.session.handle_input(peer.now, &mut input);
        let events: Vec<_> = iter::from_fn(|| peer.session.poll_event()).collect();
        let most = EVENTS_MAX + usize::from(peer.session.is_closed());
        assert!(events.len() <= most, "{case:?}: {events:?}");
        if events.is_empty() && input.len() == before {
            return bytes.len() - input.len();
        }
        for event in events {
            let event = (peer.policy)(&mut peer.session, peer.now, event);
            peer.events.extend(event);
        }
    }
}

/// For the words of a failure.
#[derive(Clone, Copy, Debug)]
#[expect(dead_code, reason = "shown by Debug")]
struct Case<'a> {
    state: &'a str,
    message: &'a Message,
}

#[derive(Debug)]
struct Message {
    kind: u8,
    stream: u32,
    payload: Vec<u8>,
}

fn messages() -> Vec<Message> {
    let mut messages = Vec::new();
    let mut add = |kind, stream, payload: &[u8]| {
        messages.push(Message {
            kind,
            stream,
            payload: payload.to_vec(),
        });
    };
    for (kind, payload) in (0..=255).flat_map(|kind| [(kind, vec![]), (kind, vec![0])]) {
        add(kind, 1, &payload);
    }
    for kind in 0..=25 {
        add(kind, 1, &[0, 0, 0, 128]);
        add(kind, 0, &[2, 0, 1, 97, 0, 0, 0, 0, 0, 0, 0, 0, 0]);
    }
    // Protocol control, of what there is and what there is not.
    for word in [0, 2, 3, 6, 1 << 24, 0x7FFF_FFFF, 1 << 31, u32::MAX] {
        let word = word.to_be_bytes();
        for kind in [2, 3, 5] {
            add(kind, 0, &word);
        }
        for limit in [0, 1, 2, 3, 255] {
            add(6, 0, &[&word[..], &[limit]].concat());
        }
    }
    for size in [0_u32, 1 << 31, u32::MAX] {
        add(1, 0, &size.to_be_bytes());
    }
    for event in 0..=40_u8 {
        for len in [0, 1, 4, 8, 42] {
            add(4, 0, &[&[0, event][..], &vec![0; len]].concat());
        }
    }
    let objects: [&[Value]; 4] = [
        &[],
        &[NULL, "key".into(), 1.0.into()],
        &[app("live"), success(), true.into(), "x".into()],
        &[Value::StrictArray(vec![NULL; 3]), success(), success()],
    ];
    for name in COMMANDS {
        for (id, values) in [0.0, 1.0, 2.0, 4.0].into_iter().zip(objects) {
            let payload = command(name, id, values);
            for stream in [0, 1, 9] {
                add(20, stream, &payload);
            }
            // Type 17: with the selector byte, without it, and a value in AMF3.
            add(17, 1, &[&[0][..], &payload].concat());
            add(17, 1, &payload);
            add(17, 1, &[&[0][..], &payload, &[0x11, 6, 3, b'x']].concat());
        }
    }
    let metadata = Object::new().with("width", 1.0);
    for values in [
        vec!["onMetaData".into(), metadata.clone().into()],
        vec!["@setDataFrame".into(), "onMetaData".into(), metadata.into()],
        vec!["@clearDataFrame".into(), "onMetaData".into()],
        vec!["@setDataFrame".into()],
        vec!["onTextData".into(), NULL],
        vec![NULL],
        vec![1.0.into(), "onMetaData".into()],
    ] {
        for stream in [0, 1, 9] {
            let payload = data(&values);
            add(18, stream, &payload);
            add(15, stream, &[&[0][..], &payload].concat());
            add(
                15,
                stream,
                &[&[0][..], &payload, &[0x11, 10, 11, 1, 1]].concat(),
            );
        }
    }
    for event in 0..=12 {
        for body in [&[][..], &[0, 1, b'a', 5], &[2, 0, 1, b'x', 5]] {
            let mut payload = vec![0, 1, b'o', 0, 0, 0, 1, 0, 0, 0, 2, 0, 0, 0, 0, event];
            payload.extend(u32::try_from(body.len()).unwrap().to_be_bytes());
            payload.extend(body);
            add(19, 0, &payload);
            add(16, 0, &[&[0][..], &payload].concat());
        }
    }
    for payload in [
        &[0x17, 0, 0, 0, 0, 1][..],
        &[0x17, 1, 0, 0, 0],
        &[0x27, 1],
        &[0x52, 0],
        &[0x90, b'a', b'v', b'0', b'1', 1],
        &[0x96, 0x11, b'a', b'v', b'0', b'1', 3],
        &[0xFF; 20],
    ] {
        for stream in [0, 1, 9] {
            add(8, stream, payload);
            add(9, stream, payload);
        }
    }
    for parts in [
        part(8, &[0xAF, 1]),
        part(20, &command("deleteStream", 0.0, &[NULL, 1.0.into()])),
        part(1, &[0, 0, 0, 1]),
        part(18, &data(&["onMetaData".into(), NULL])),
        part(22, &part(8, &[0xAF, 1])),
        [part(9, &[0x17, 1]), part(255, &[1])].concat(),
        part(8, &[])[..10].to_vec(),
        part(8, &[0xAF, 1])[..12].to_vec(),
    ] {
        for stream in [0, 1, 9] {
            add(22, stream, &parts);
        }
    }
    messages
}

/// A part of an aggregate.
fn part(kind: u8, payload: &[u8]) -> Vec<u8> {
    let len = u32::try_from(payload.len()).unwrap();
    let mut part = (u32::from(kind) << 24 | len).to_be_bytes().to_vec();
    part.extend([0; 7]);
    part.extend(payload);
    part.extend((len + 11).to_be_bytes());
    part
}

fn keep_requests(mut peer: Scripted<Server>) -> Scripted<Server> {
    peer.policy = |_, _, event| Some(event);
    peer
}

fn connecting() -> Scripted<Server> {
    let mut peer = keep_requests(Scripted::server());
    peer.command(0, "connect", 1.0, [app("live")]);
    peer
}

fn idle_stream() -> Scripted<Server> {
    let mut peer = Scripted::connected();
    peer.command(0, "createStream", 2.0, [NULL]);
    peer
}

fn requested(name: &str) -> Scripted<Server> {
    let mut peer = keep_requests(idle_stream());
    peer.command(1, name, 3.0, [NULL, "key".into()]);
    peer
}

fn publishing() -> Scripted<Server> {
    let mut peer = Scripted::publishing();
    peer.message(6, 9, 1, 0, &[0x17, 1, 0, 0, 0]);
    peer.events.clear();
    peer
}

fn paused() -> Scripted<Server> {
    let mut peer = Scripted::playing();
    peer.command(1, "pause", 0.0, [NULL, true.into(), 5.0.into()]);
    peer.events.clear();
    peer
}

fn seeking() -> Scripted<Server> {
    let mut peer = keep_requests(Scripted::playing());
    peer.command(1, "seek", 7.0, [NULL, 1000.0.into()]);
    peer
}

fn client_connected() -> Scripted<Client> {
    let mut peer = Scripted::client();
    let params = ConnectParams::publisher(&common::url());
    peer.session.connect(peer.now, params).unwrap();
    peer.command(0, "_result", 1.0, [NULL, success()]);
    peer
}

fn client_creating() -> Scripted<Client> {
    let mut peer = client_connected();
    peer.session.create_stream(peer.now).unwrap();
    peer
}

fn client_idle() -> Scripted<Client> {
    let mut peer = client_creating();
    peer.command(0, "_result", 2.0, [NULL, 1.0.into()]);
    peer
}

fn client_publish_requested() -> Scripted<Client> {
    let mut peer = client_idle();
    let publish = peer
        .session
        .publish(peer.now, ONE, "key", PublishKind::Live);
    publish.unwrap();
    peer
}

fn client_play_requested() -> Scripted<Client> {
    let mut peer = client_idle();
    let options = PlayOptions::default();
    peer.session.play(peer.now, ONE, "key", options).unwrap();
    peer
}

fn closed<R: Role>(mut peer: Scripted<R>) -> Scripted<R> {
    peer.session.close(peer.now);
    peer.replies();
    peer.bytes(&[]);
    peer
}

fn is_request(event: &ServerEvent) -> bool {
    matches!(
        event,
        ServerEvent::Connect(_)
            | ServerEvent::Publish(_)
            | ServerEvent::Play(_)
            | ServerEvent::Seek(_)
    )
}

/// Accepts the request that waits, and from then on all that come.
fn answer(peer: &mut Scripted<Server>) {
    peer.policy = common::accept_all;
    let events: Vec<_> = peer.events.drain(..).collect();
    for event in events {
        common::accept_all(&mut peer.session, peer.now, event);
    }
}

/// A peer in some state.
type Start<R> = fn() -> Scripted<R>;

type Answer<R> = fn(&mut Scripted<R>);

/// What one message can make.
const EVENTS_MAX: usize = 2;

const ONE: MessageStreamId = MessageStreamId::new(1);
