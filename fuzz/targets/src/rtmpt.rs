//! RTMPT: the tunnel through HTTP.

use std::time::Duration;

use arbitrary::{Result, Unstructured};
use bytes::Bytes;
use rtmp_proto::{
    Instant,
    rtmpt::{Client, Request, Server, SessionId},
};

use crate::input::{payload, text};

/// What is shown of a request is the request; no response confuses a client, no request a server; and
/// between the two bytes arrive as they were sent.
pub fn rtmpt(data: &[u8]) {
    let mut u = Unstructured::new(data);
    // A structure that ends early is one as well.
    let _ = match u.int_in_range(0..=3) {
        Ok(0) => {
            check_path(&String::from_utf8_lossy(u.take_rest()));
            Ok(())
        }
        Ok(1) => responses(&mut u),
        Ok(2) => requests(&mut u),
        _ => tunnel(&mut u),
    };
}

fn check_path(path: &str) {
    if let Ok(request) = Request::decode(path) {
        assert_eq!(Request::decode(&request.path()), Ok(request));
    }
}

/// A client, whatever its server responds and whenever.
fn responses(u: &mut Unstructured<'_>) -> Result<()> {
    let mut client = Client::new();
    let mut now = Instant::ORIGIN;
    let mut is_waiting = false;
    while !u.is_empty() {
        let is_closed = client.is_closed();
        match u.int_in_range(0..=5)? {
            0..=1 => {
                let bytes = payload(u)?;
                let mut output = bytes.clone();
                let request = client.poll_request(now, &mut output);
                assert!(request.is_none() || !is_waiting && !is_closed);
                if let Some((request, body)) = request {
                    is_waiting = true;
                    assert_eq!(Request::decode(&request.path()), Ok(request.clone()));
                    let is_send = matches!(request, Request::Send { .. });
                    let sent = bytes.len() - output.len();
                    assert_eq!(sent, if is_send { body.len() } else { 0 });
                    assert!(!body.is_empty());
                }
            }
            2 => {
                let status = *u.choose(&[200, 200, 200, 404, 500])?;
                respond(&mut client, now, status, payload(u)?);
                is_waiting = false;
            }
            3 => {
                respond(&mut client, now, 200, Bytes::from_static(b"session\n"));
                is_waiting = false;
            }
            4 => now += Duration::from_millis(u.int_in_range(0..=100)?),
            _ if u.ratio(1, 4)? => client.close(),
            _ => {}
        }
        if let Some(at) = client.poll_timeout() {
            now = now.max(at);
            let request = client.poll_request(now, &mut Bytes::new());
            assert!(request.is_some(), "no progress");
            is_waiting = true;
        }
        assert!(!is_closed || client.is_closed());
        let _ = (client.interval(), format!("{client:?}"));
    }
    Ok(())
}

fn respond(client: &mut Client, now: Instant, status: u16, body: Bytes) {
    match client.handle_response(now, status, body.clone()) {
        Ok(bytes) => assert!(body.ends_with(&bytes)),
        Err(_) => assert!(client.is_closed()),
    }
}

/// A server, whatever is asked of it.
fn requests(u: &mut Unstructured<'_>) -> Result<()> {
    let session = SessionId::new("session").expect("a name");
    let mut server = Server::new(session.clone());
    let mut next: u32 = u.arbitrary()?;
    while !u.is_empty() {
        let sequence = match u.ratio(7, 8)? {
            true => next,
            false => u.arbitrary()?,
        };
        let session = session.clone();
        let request = match u.int_in_range(0..=8)? {
            0..=2 => Request::Send { session, sequence },
            3 | 4 => Request::Idle { session, sequence },
            5 if u.ratio(1, 4)? => Request::Close { session, sequence },
            6 => Request::Open,
            7 => Request::Ident,
            _ => match Request::decode(&format!("/{}/session/{sequence}", text(u)?)) {
                Ok(request) => request,
                Err(_) => continue,
            },
        };
        let body = payload(u)?;
        let is_send = matches!(request, Request::Send { .. });
        let is_closed = server.is_closed();
        if let Ok(bytes) = server.handle_request(&request, body.clone()) {
            assert!(!is_closed);
            assert_eq!(bytes, if is_send { body } else { Bytes::new() });
            next = sequence.wrapping_add(1);
        }
        let output = payload(u)?;
        let mut left = output.clone();
        let response = server.respond(&mut left);
        assert_eq!(response[1..], output[..output.len() - left.len()]);
        let _ = (server.opening(), format!("{server:?} {request:?}"));
    }
    Ok(())
}

/// Both, with bytes to tell each other.
fn tunnel(u: &mut Unstructured<'_>) -> Result<()> {
    let session = SessionId::random(u.arbitrary()?);
    let mut client = Client::new();
    let mut server = Server::new(session);
    let mut now = Instant::ORIGIN;
    let [mut sent, mut arrived] = [const { (Vec::new(), Vec::new()) }; 2];
    while !u.is_empty() {
        let (mut to_server, mut to_client) = (payload(u)?, payload(u)?);
        sent.0.extend_from_slice(&to_server);
        sent.1.extend_from_slice(&to_client);
        loop {
            now += Duration::from_secs(1);
            let is_done = to_server.is_empty() && to_client.is_empty();
            let Some((request, body)) = client.poll_request(now, &mut to_server) else {
                panic!("no request of {client:?}");
            };
            let response = match Request::decode(&request.path()).expect("a request's path") {
                Request::Open => server.opening(),
                request => {
                    let bytes = server.handle_request(&request, body.into());
                    arrived.0.extend_from_slice(&bytes.expect("our own"));
                    server.respond(&mut to_client)
                }
            };
            let bytes = client.handle_response(now, 200, response.into());
            arrived.1.extend_from_slice(&bytes.expect("our own"));
            if is_done {
                break;
            }
        }
        assert!(sent == arrived, "what arrives is something else");
    }
    client.close();
    let Some((request, body)) = client.poll_request(now, &mut Bytes::new()) else {
        assert!(client.is_closed() && sent.0.is_empty(), "it was open");
        return Ok(());
    };
    let closed = server.handle_request(&request, body.into());
    assert_eq!(closed, Ok(Bytes::new()));
    assert!(server.is_closed());
    let response = server.respond(&mut Bytes::new());
    let _ = client
        .handle_response(now, 200, response.into())
        .expect("our own");
    assert!(client.is_closed());
    Ok(())
}
