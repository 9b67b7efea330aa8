use alloc::{format, sync::Arc, vec, vec::Vec};
use core::time::Duration;

use bytes::{Buf, Bytes, BytesMut};
use hex_literal::hex;
use proptest::prelude::*;

use super::*;
use crate::{
    ClientConfig, ClientEvent, ClientSession, Instant, MessageStreamId, Role, ServerConfig,
    ServerEvent, ServerSession, Session, SessionState, Timestamp,
};

fn id() -> SessionId {
    SessionId::new("0123abcd").unwrap()
}

fn no_output() -> &'static [u8] {
    &[]
}

#[test]
fn paths() {
    let session = id();
    for (path, request) in [
        ("/fcs/ident2", Request::Ident),
        ("/open/1", Request::Open),
        (
            "/send/0123abcd/0",
            Request::Send {
                session: session.clone(),
                sequence: 0,
            },
        ),
        (
            "/idle/0123abcd/4294967295",
            Request::Idle {
                session: session.clone(),
                sequence: u32::MAX,
            },
        ),
        (
            "/close/0123abcd/7",
            Request::Close {
                session,
                sequence: 7,
            },
        ),
    ] {
        assert_eq!(Request::decode(path).as_ref(), Ok(&request));
        assert_eq!(request.path(), path);
    }
    for path in [
        "",
        "/",
        "/index.html",
        "/fcs/other",
        "/open/1/2",
        "/send",
        "/send/0123abcd",
        "/send/0123abcd/",
        "/send/0123abcd/+1",
        "/send/0123abcd/-1",
        "/send/0123abcd/4294967296",
        "/send/0123abcd/1/2",
        "/send//1",
        "/send/a b/1",
        "/send/%2E/1",
        "/stop/0123abcd/1",
    ] {
        let refused = Err(TunnelError::UnknownRequest);
        assert_eq!(Request::decode(path), refused, "{path}");
    }
}

#[test]
fn session_ids() {
    assert_eq!(SessionId::random([0xA5; 16]).as_str(), "a5".repeat(16));
    assert!(SessionId::new(&"x".repeat(64)).is_some());
    assert!(SessionId::new(&"x".repeat(65)).is_none());
    assert!(!format!("{:?}", id()).contains("0123"));
}

#[test]
fn client_dialogue() {
    let at = |millis| Instant::from_origin(Duration::from_millis(millis));
    let mut client = Client::new();
    let opening = client.poll_request(at(0), &mut no_output());
    assert_eq!(opening, Some((Request::Open, vec![0])));
    assert_eq!(client.poll_request(at(0), &mut &b"C0"[..]), None);
    let response = Bytes::from_static(b"0123abcd\n");
    let bytes = client.handle_response(at(0), 200, response).unwrap();
    assert!(bytes.is_empty());

    let mut output = &b"C0C1"[..];
    let (request, body) = client.poll_request(at(0), &mut output).unwrap();
    assert_eq!(
        (&*request.path(), &body[..]),
        ("/send/0123abcd/0", &b"C0C1"[..])
    );
    assert!(output.is_empty());
    let response = Bytes::from_static(&hex!("09 535053"));
    let bytes = client.handle_response(at(0), 200, response).unwrap();
    assert_eq!((&bytes[..], client.interval()), (&b"SPS"[..], 9));

    // Bytes came, so it asks for more at once; none came, so it waits.
    let (request, body) = client.poll_request(at(0), &mut no_output()).unwrap();
    assert_eq!(
        (&*request.path(), &body[..]),
        ("/idle/0123abcd/1", &[0][..])
    );
    let response = Bytes::from_static(&[0x11]);
    client.handle_response(at(0), 200, response).unwrap();
    assert_eq!(client.poll_request(at(49), &mut no_output()), None);
    assert_eq!(client.poll_timeout(), Some(at(50)));
    let (request, _) = client.poll_request(at(50), &mut no_output()).unwrap();
    assert_eq!(request.path(), "/idle/0123abcd/2");

    client.close();
    let response = Bytes::from_static(&[1, 2]);
    client.handle_response(at(50), 200, response).unwrap();
    assert!(!client.is_closed());
    let (request, _) = client.poll_request(at(50), &mut no_output()).unwrap();
    assert_eq!(request.path(), "/close/0123abcd/3");
    let response = Bytes::from_static(&[0]);
    client.handle_response(at(50), 200, response).unwrap();
    assert!(client.is_closed());
    assert_eq!(client.poll_request(at(99), &mut no_output()), None);
}

#[test]
fn what_closes_a_client() {
    let now = Instant::ORIGIN;
    for (status, body, error) in [
        (404, &b"x"[..], TunnelError::Status { status: 404 }),
        (200, b"", TunnelError::EmptyBody),
        (200, b"a/b\n", TunnelError::InvalidSessionId),
        (200, b"\n", TunnelError::InvalidSessionId),
        (200, b"\xFF", TunnelError::InvalidSessionId),
    ] {
        let mut client = Client::new();
        let request = client.poll_request(now, &mut no_output());
        assert!(request.is_some());
        let outcome = client.handle_response(now, status, Bytes::copy_from_slice(body));
        assert_eq!(outcome, Err(error));
        assert!(client.is_closed());
    }
    let mut client = Client::new();
    let outcome = client.handle_response(now, 200, Bytes::from_static(b"x"));
    assert_eq!(outcome, Err(TunnelError::WrongState));
}

#[test]
fn server_dialogue() {
    let mut server = Server::new(id());
    assert_eq!(server.opening(), b"0123abcd\n");
    let mut handle = |path: &str, body: &[u8], output: &[u8]| {
        let request = Request::decode(path).unwrap();
        let bytes = server.handle_request(&request, Bytes::copy_from_slice(body))?;
        Ok((bytes.to_vec(), server.respond(&mut &output[..])))
    };
    let ok = |bytes: &[u8], body: &[u8]| Ok((bytes.to_vec(), body.to_vec()));
    assert_eq!(
        handle("/send/0123abcd/5", b"C0C1", b"S"),
        ok(b"C0C1", b"\x01S")
    );
    assert_eq!(handle("/idle/0123abcd/6", &[0], b""), ok(b"", &[1]));
    assert_eq!(handle("/idle/0123abcd/7", &[0], b""), ok(b"", &[2]));
    let (sequence, expected) = (7, 8);
    let replayed = TunnelError::OutOfOrder { sequence, expected };
    assert_eq!(handle("/send/0123abcd/7", b"x", b""), Err(replayed));
    let foreign = TunnelError::WrongSession;
    assert_eq!(handle("/send/other/8", b"x", b""), Err(foreign));
    let empty = TunnelError::EmptyBody;
    assert_eq!(handle("/send/0123abcd/8", b"", b""), Err(empty));
    assert_eq!(handle("/idle/0123abcd/8", &[0], b"M"), ok(b"", b"\x04M"));
    assert_eq!(handle("/close/0123abcd/9", &[0], b""), ok(b"", &[1]));
    let closed = TunnelError::WrongState;
    assert_eq!(handle("/send/0123abcd/10", b"x", b""), Err(closed));
}

#[test]
fn bodies_are_bounded() {
    let mut server = Server::new(id());
    let request = Request::decode("/send/0123abcd/0").unwrap();
    let (length, limit) = (BODY_LEN_MAX + 1, BODY_LEN_MAX);
    let long = server.handle_request(&request, vec![0; length].into());
    assert_eq!(long, Err(TunnelError::BodyTooLong { length, limit }));
    let output = vec![7; 200_000];
    let mut rest = &output[..];
    assert_eq!(server.respond(&mut rest).len(), 1 + (64 << 10));
    assert_eq!(rest.len(), 200_000 - (64 << 10));
}

/// A publisher, through the tunnel.
#[test]
fn sessions_through_the_tunnel() {
    let mut now = Instant::ORIGIN;
    let config = Arc::new(ClientConfig::default());
    let mut client = ClientSession::new(now, config, [1; 32]);
    let config = Arc::new(ServerConfig::default());
    let mut server = ServerSession::new(now, config, [2; 32]);
    client
        .publish_to(now, &"rtmp://h/live/key".parse().unwrap())
        .unwrap();
    let mut near = Client::new();
    let mut far = None;
    let mut received = Vec::new();
    let video = Bytes::from(vec![0x17; 100_000]);
    for _ in 0..200 {
        let mut output = pull(&mut client);
        let Some((request, body)) = near.poll_request(now, &mut output) else {
            now = near.poll_timeout().unwrap();
            continue;
        };
        let rest = output;
        let body = match &request {
            Request::Open => far.insert(Server::new(id())).opening(),
            request => {
                let far: &mut Server = far.as_mut().unwrap();
                let mut bytes = far.handle_request(request, body.into()).unwrap();
                feed(&mut server, now, &mut bytes, |server, event| match event {
                    ServerEvent::Connect(request) => server.accept(now, request).unwrap(),
                    ServerEvent::Publish(request) => server.accept(now, request).unwrap(),
                    ServerEvent::Frame { frame, .. } => received.push(frame.payload),
                    _ => {}
                });
                let mut output = pull(&mut server);
                let body = far.respond(&mut output);
                assert!(output.is_empty(), "a server says little");
                body
            }
        };
        let mut bytes = near.handle_response(now, 200, body.into()).unwrap();
        feed(&mut client, now, &mut bytes, |client, event| {
            if let ClientEvent::Publishing { stream } = event {
                client
                    .send_video(stream, Timestamp::ZERO, video.clone())
                    .unwrap();
            }
        });
        // What did not fit goes first the next time.
        if !rest.is_empty() {
            let far = far.as_mut().unwrap();
            let mut rest = rest;
            while !rest.is_empty() {
                let (request, body) = near.poll_request(now, &mut rest).unwrap();
                let mut bytes = far.handle_request(&request, body.into()).unwrap();
                feed(&mut server, now, &mut bytes, |_, event| {
                    if let ServerEvent::Frame { frame, .. } = event {
                        received.push(frame.payload);
                    }
                });
                let body = far.respond(&mut pull(&mut server));
                let mut bytes = near.handle_response(now, 200, body.into()).unwrap();
                feed(&mut client, now, &mut bytes, |_, _| {});
            }
        }
    }
    assert_eq!(client.state(), SessionState::Publishing);
    assert_eq!(received, [video]);
    assert!(server.stream_state(MessageStreamId::new(1)).is_some());
}

fn pull<R: Role>(session: &mut Session<R>) -> BytesMut {
    let mut bytes = BytesMut::new();
    while let Some(mut transmit) = session.poll_transmit() {
        bytes.extend_from_slice(transmit.chunk());
        let len = transmit.chunk().len();
        transmit.advance(len);
    }
    bytes
}

fn feed<R: Role>(
    session: &mut Session<R>,
    now: Instant,
    input: &mut Bytes,
    mut on_event: impl FnMut(&mut Session<R>, R::Event),
) {
    loop {
        session.handle_input(now, input);
        while let Some(event) = session.poll_event() {
            on_event(session, event);
        }
        if input.is_empty() {
            return;
        }
    }
}

proptest! {
    /// What is a request is written as it was read, but for what says nothing.
    #[test]
    fn any_path(path in "/?(open|send|idle|close|fcs)?(/[a-z0-9.%]{0,4}){0,3}(\\?x)?") {
        if let Ok(request) = Request::decode(&path) {
            prop_assert_eq!(Request::decode(&request.path()), Ok(request));
        }
    }

    /// Whatever is responded, a client makes one request at a time and says when it is over.
    #[test]
    fn any_responses(responses in prop::collection::vec(
        (prop::sample::select(vec![200_u16, 200, 200, 404]), prop::collection::vec(any::<u8>(), 0..4)),
        0..8,
    )) {
        let mut client = Client::new();
        let mut now = Instant::ORIGIN;
        for (status, body) in responses {
            now += Duration::from_secs(1);
            let request = client.poll_request(now, &mut no_output());
            prop_assert_eq!(request.is_none(), client.is_closed());
            prop_assert!(client.poll_request(now, &mut no_output()).is_none());
            let is_ok = client.handle_response(now, status, body.into()).is_ok();
            prop_assert!(is_ok || client.is_closed());
        }
    }
}
