//! The transport fails, at every byte of a dialogue: the session ends once, and in order.
#![allow(clippy::indexing_slicing, reason = "a panic is a failure")]

mod common;

use std::{sync::Arc, time::Duration};

use bytes::{Buf, Bytes, BytesMut};
use common::{accept_all, url};
use rtmp_proto::{
    ClientConfig, ClientEvent, ClientSession, CloseReason, Instant, MessageStreamId, Role,
    ServerConfig, ServerEvent, ServerSession, Session, SessionState, Timeout, Timestamp,
};

/// The peer's bytes end, by a reset or a half-close: what came is answered, then comes `Closed`.
#[test]
fn input_ends_at_every_byte() {
    for dialogue in dialogues() {
        for len in places(dialogue.from_client.len()) {
            let mut end = End::server();
            end.feed(&dialogue.from_client[..len]);
            end.end_of_input();
        }
        for len in places(dialogue.from_server.len()) {
            let mut end = End::client(dialogue.is_publisher);
            end.feed(&dialogue.from_server[..len]);
            end.end_of_input();
        }
    }
}

/// The peer says nothing more and takes everything: each deadline leads to the next or to the end, unless
/// a client publishes, which is owed nothing.
#[test]
fn peer_stalls_at_every_byte() {
    for dialogue in dialogues() {
        for len in places(dialogue.from_client.len()) {
            let mut end = End::server();
            end.feed(&dialogue.from_client[..len]);
            let reason = end.wait();
            assert!(
                matches!(reason, Some(CloseReason::Timeout(_))),
                "{reason:?}"
            );
        }
        for len in places(dialogue.from_server.len()) {
            let mut end = End::client(dialogue.is_publisher);
            end.feed(&dialogue.from_server[..len]);
            let reason = end.wait();
            if reason.is_none() {
                let state = end.session.state();
                let is_started = matches!(state, SessionState::Publishing | SessionState::Playing);
                assert!(is_started, "{state}");
            }
        }
    }
}

/// The peer takes nothing, from some byte of ours on: the session ends when that has taken too long.
#[test]
fn output_stalls_at_every_byte() {
    for dialogue in dialogues() {
        let mut end = End::server();
        end.feed(&dialogue.from_client);
        for taken in places(end.output.len() - 1) {
            let mut end = End::server();
            end.room = taken;
            end.feed(&dialogue.from_client);
            let reason = end.wait();
            let expected = CloseReason::Timeout(Timeout::WriteStall);
            assert_eq!(reason, Some(expected), "{taken}");
        }
    }
}

/// We close, whatever has come so far: what was queued can be written, and that is all.
#[test]
fn closed_at_every_byte() {
    for dialogue in dialogues() {
        for len in places(dialogue.from_client.len()) {
            let mut end = End::server();
            end.feed(&dialogue.from_client[..len]);
            end.session.close(end.now);
            end.settle();
            assert_eq!(end.closed, Some(CloseReason::Local));
            end.assert_inert();
        }
    }
}

/// Everything a client and a server say to each other.
struct Dialogue {
    is_publisher: bool,
    from_client: Vec<u8>,
    from_server: Vec<u8>,
}

/// One that publishes and one that plays.
fn dialogues() -> [Dialogue; 2] {
    [true, false].map(|is_publisher| {
        let mut client = End::client(is_publisher);
        let mut server = End::server();
        let mut dialogue = Dialogue {
            is_publisher,
            from_client: Vec::new(),
            from_server: Vec::new(),
        };
        for round in 0..20 {
            if round == 10 {
                for time in [0, 40, 80] {
                    let (time, frame) = (Timestamp::from_millis(time), [0x17; 300]);
                    let frame = Bytes::copy_from_slice(&frame);
                    match is_publisher {
                        true => client.session.send_video(ONE, time, frame).unwrap(),
                        false => server.session.send_video(ONE, time, frame).unwrap(),
                    }
                }
            }
            client.settle();
            let output = client.output.split();
            dialogue.from_client.extend_from_slice(&output);
            server.feed(&output);
            let output = server.output.split();
            dialogue.from_server.extend_from_slice(&output);
            client.feed(&output);
        }
        assert!(client.closed.is_none() && server.closed.is_none());
        dialogue
    })
}

/// Every byte behind the handshake, whose own are much the same but for the ends of its packets.
fn places(len: usize) -> impl Iterator<Item = usize> {
    (0..=len).filter(|at| at % 61 == 0 || at % 1536 < 3 || *at > HANDSHAKE_LEN)
}

/// A session, its application, and its end of the transport.
struct End<R: Role> {
    session: Session<R>,
    now: Instant,
    output: BytesMut,
    /// Bytes that the transport takes.
    room: usize,
    closed: Option<CloseReason>,
    answer: Answer<R, R::Event>,
}

/// Gives the reason if the event is the end.
type Answer<R, E> = fn(&mut Session<R>, Instant, E) -> Option<CloseReason>;

impl End<rtmp_proto::Server> {
    fn server() -> Self {
        let config = Arc::new(ServerConfig::default());
        let session = ServerSession::new(Instant::ORIGIN, config, [2; 32]);
        Self::new(session, |server, now, event| {
            match accept_all(server, now, event) {
                Some(ServerEvent::Closed(reason)) => Some(reason),
                _ => None,
            }
        })
    }
}

impl End<rtmp_proto::Client> {
    fn client(is_publisher: bool) -> Self {
        let config = Arc::new(ClientConfig::default());
        let mut session = ClientSession::new(Instant::ORIGIN, config, [1; 32]);
        let told = match is_publisher {
            true => session.publish_to(Instant::ORIGIN, &url()),
            false => session.play_from(Instant::ORIGIN, &url()),
        };
        told.unwrap();
        Self::new(session, |_, _, event| match event {
            ClientEvent::Closed(reason) => Some(reason),
            _ => None,
        })
    }
}

impl<R: Role> End<R> {
    fn new(session: Session<R>, answer: Answer<R, R::Event>) -> Self {
        Self {
            session,
            now: Instant::ORIGIN,
            output: BytesMut::new(),
            room: usize::MAX,
            closed: None,
            answer,
        }
    }

    fn feed(&mut self, mut bytes: &[u8]) {
        loop {
            let before = bytes.len();
            self.session.handle_input(self.now, &mut bytes);
            if !self.settle() && bytes.len() == before {
                return;
            }
        }
    }

    /// Takes events and output.
    fn settle(&mut self) -> bool {
        let mut moved = false;
        while let Some(event) = self.session.poll_event() {
            assert_eq!(self.closed, None, "an event after the last");
            self.closed = (self.answer)(&mut self.session, self.now, event);
            moved = true;
        }
        while self.room > 0
            && let Some(mut transmit) = self.session.poll_transmit()
        {
            let len = transmit.chunk().len().min(self.room);
            self.output.extend_from_slice(&transmit.chunk()[..len]);
            transmit.advance(len);
            self.room -= len;
            moved = true;
        }
        moved
    }

    fn end_of_input(&mut self) {
        self.session.handle_eof(self.now);
        self.settle();
        let reason = &self.closed;
        assert!(
            matches!(reason, Some(CloseReason::EndOfInput { .. })),
            "{reason:?}"
        );
        self.assert_inert();
    }

    /// Lets time pass until the end, or until nothing is to be waited for.
    fn wait(&mut self) -> Option<CloseReason> {
        for _ in 0..100 {
            let Some(at) = self.session.poll_timeout() else {
                break;
            };
            assert!(at > self.now, "a deadline without progress");
            self.now = at;
            self.session.handle_timeout(self.now);
            self.settle();
        }
        assert_eq!(self.session.poll_timeout(), None, "no end");
        if self.closed.is_some() {
            self.assert_inert();
        }
        self.closed.clone()
    }

    /// Nothing happens after the end.
    fn assert_inert(&mut self) {
        let reason = self.session.close_reason().cloned();
        assert_eq!(reason, self.closed);
        self.now += Duration::from_secs(1000);
        self.session.handle_eof(self.now);
        self.session.handle_timeout(self.now);
        self.session.close(self.now);
        let mut bytes = &[0; 100][..];
        self.session.handle_input(self.now, &mut bytes);
        assert_eq!(bytes.len(), 100);
        self.settle();
        assert_eq!(self.session.close_reason().cloned(), reason);
        assert_eq!(self.session.poll_timeout(), None);
        assert!(self.session.is_closed());
    }
}

const ONE: MessageStreamId = MessageStreamId::new(1);
const HANDSHAKE_LEN: usize = 1 + 2 * 1536;
