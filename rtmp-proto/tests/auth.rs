//! Authentication over sessions: each attempt is a connection of its own.
#![allow(clippy::indexing_slicing, reason = "a panic is a failure")]

mod common;

use common::{Pair, accept_all};
use rtmp_proto::{
    CloseReason, ConnectParams, Instant, RtmpUrl, ServerEvent, ServerSession, SessionState,
    StatusCode,
    auth::{self, AuthError, Credentials, Decision, Scheme},
};

fn with_adobe(server: &mut ServerSession, now: Instant, event: ServerEvent) -> Option<ServerEvent> {
    guarded(Scheme::Adobe, server, now, event)
}

fn with_limelight(
    server: &mut ServerSession,
    now: Instant,
    event: ServerEvent,
) -> Option<ServerEvent> {
    guarded(Scheme::Limelight, server, now, event)
}

/// An application that lets `user` in.
fn guarded(
    scheme: Scheme,
    server: &mut ServerSession,
    now: Instant,
    event: ServerEvent,
) -> Option<ServerEvent> {
    let ServerEvent::Connect(request) = event else {
        return accept_all(server, now, event);
    };
    let auth = auth::Server::new(scheme, [5; 32]);
    let password_of = |user: &str| (user == "user").then(|| "p@ss".to_owned());
    match auth.decide(now, &request, password_of) {
        Decision::Accept { user } => {
            assert_eq!(user, "user");
            server.accept(now, request).unwrap();
        }
        Decision::Reject(status) => server.reject(now, request, status).unwrap(),
    }
    None
}

/// Connects until something other than a request for authentication comes of it, and counts.
fn publish(
    url: &str,
    policy: fn(&mut ServerSession, Instant, ServerEvent) -> Option<ServerEvent>,
) -> (Pair, u32, Result<(), AuthError>) {
    let url: RtmpUrl = url.parse().unwrap();
    let mut auth = auth::Client::new(Credentials::of(&url).unwrap());
    for attempt in 1.. {
        let mut pair = Pair::new();
        pair.policy = policy;
        let params = auth.params(ConnectParams::publisher(&url));
        pair.client.publish_with(pair.now, &url, params).unwrap();
        pair.drive();
        let outcome = match pair.client.close_reason() {
            Some(CloseReason::Refused(status)) => {
                assert_eq!(status.code, StatusCode::CONNECT_REJECTED);
                auth.refused(status, attempt)
            }
            _ => return (pair, attempt, Ok(())),
        };
        if outcome.is_err() {
            return (pair, attempt, outcome);
        }
    }
    unreachable!("the client gives up before the numbers run out")
}

/// NC-59
#[test]
fn three_connections_and_in() {
    for policy in [with_adobe, with_limelight] {
        let (pair, attempts, outcome) = publish("rtmp://user:p%40ss@host/live/key", policy);
        assert_eq!(outcome, Ok(()));
        assert_eq!(attempts, 3);
        assert_eq!(pair.client.state(), SessionState::Publishing);
        assert_eq!(pair.server.state(), SessionState::Publishing);
    }
}

#[test]
fn three_connections_and_out() {
    for policy in [with_adobe, with_limelight] {
        let (pair, attempts, outcome) = publish("rtmp://user:wrong@host/live/key", policy);
        assert_eq!(outcome, Err(AuthError::WrongPassword));
        assert_eq!(attempts, 3);
        assert!(matches!(
            pair.server.close_reason(),
            Some(CloseReason::Rejected(_))
        ));
    }
}

/// The stream has the same name with the query of authentication and without.
#[test]
fn the_name_is_not_changed() {
    fn policy(server: &mut ServerSession, now: Instant, event: ServerEvent) -> Option<ServerEvent> {
        if let ServerEvent::Publish(request) = &event {
            assert_eq!(request.name().as_str(), "live/key");
        }
        with_adobe(server, now, event)
    }
    let (pair, ..) = publish("rtmp://user:p%40ss@host/live/key", policy);
    assert_eq!(pair.server.state(), SessionState::Publishing);
}
