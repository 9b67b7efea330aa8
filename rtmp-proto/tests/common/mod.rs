//! Two sessions connected in memory.
#![allow(
    dead_code,
    unreachable_pub,
    clippy::indexing_slicing,
    reason = "each test file uses its own part, and a panic is a failure"
)]

pub mod scripted;

use std::{sync::Arc, time::Duration};

use bytes::{Buf, BytesMut};
use rtmp_proto::{
    ClientConfig, ClientEvent, ClientSession, Instant, Role, RtmpUrl, ServerConfig, ServerEvent,
    ServerSession, Session,
};

/// A client and a server, the bytes between them, and the time.
pub struct Pair {
    pub client: ClientSession,
    pub server: ServerSession,
    pub now: Instant,
    to_client: BytesMut,
    to_server: BytesMut,
    /// Bytes that reach a session in one piece.
    pub piece: usize,
    /// What the server application does with requests.
    pub policy: fn(&mut ServerSession, Instant, ServerEvent) -> Option<ServerEvent>,
    pub client_events: Vec<ClientEvent>,
    pub server_events: Vec<ServerEvent>,
}

impl Pair {
    pub fn new() -> Self {
        Self::with(ClientConfig::default(), ServerConfig::default())
    }

    pub fn with(client: ClientConfig, server: ServerConfig) -> Self {
        let now = Instant::ORIGIN;
        Self {
            client: Session::new(now, Arc::new(client), [1; 32]),
            server: Session::new(now, Arc::new(server), [2; 32]),
            now,
            to_client: BytesMut::new(),
            to_server: BytesMut::new(),
            piece: usize::MAX,
            policy: accept_all,
            client_events: Vec::new(),
            server_events: Vec::new(),
        }
    }

    /// A pair whose client has been told to publish, driven until nothing moves.
    pub fn publishing() -> Self {
        let mut pair = Self::new();
        pair.client.publish_to(pair.now, &url()).unwrap();
        pair.drive();
        pair
    }

    /// A pair whose client has been told to play, driven until nothing moves.
    pub fn playing() -> Self {
        let mut pair = Self::new();
        pair.client.play_from(pair.now, &url()).unwrap();
        pair.drive();
        pair
    }

    /// Passes bytes both ways until nothing moves. Events are collected, requests are answered by
    /// the policy.
    pub fn drive(&mut self) {
        loop {
            let before = self.moved();
            take_output(&mut self.client, &mut self.to_server);
            take_output(&mut self.server, &mut self.to_client);
            while let Some(event) = self.client.poll_event() {
                self.client_events.push(event);
            }
            while let Some(event) = self.server.poll_event() {
                if let Some(event) = (self.policy)(&mut self.server, self.now, event) {
                    self.server_events.push(event);
                }
            }
            give_input(&mut self.client, self.now, &mut self.to_client, self.piece);
            give_input(&mut self.server, self.now, &mut self.to_server, self.piece);
            if before == self.moved() {
                return;
            }
        }
    }

    /// A measure of progress.
    fn moved(&self) -> (u64, u64, usize, usize, usize, usize) {
        let client = self.client.stats();
        let server = self.server.stats();
        (
            client.bytes_sent + client.bytes_received,
            server.bytes_sent + server.bytes_received,
            self.client_events.len() + self.client.queued_len(),
            self.server_events.len() + self.server.queued_len(),
            self.to_client.len(),
            self.to_server.len(),
        )
    }

    /// Lets time pass up to the next deadline of either side and drives.
    pub fn next_deadline(&mut self) -> Option<Instant> {
        let deadlines = [self.client.poll_timeout(), self.server.poll_timeout()];
        let deadline = deadlines.into_iter().flatten().min()?;
        self.now = deadline.max(self.now);
        self.client.handle_timeout(self.now);
        self.server.handle_timeout(self.now);
        self.drive();
        Some(deadline)
    }

    pub fn wait(&mut self, duration: Duration) {
        let until = self.now + duration;
        while [self.client.poll_timeout(), self.server.poll_timeout()]
            .into_iter()
            .flatten()
            .any(|at| at <= until)
        {
            self.next_deadline();
        }
        self.now = until;
    }
}

/// Accepts everything; what is not a request is kept.
pub fn accept_all(
    server: &mut ServerSession,
    now: Instant,
    event: ServerEvent,
) -> Option<ServerEvent> {
    match event {
        ServerEvent::Connect(request) => server.accept(now, request).unwrap(),
        ServerEvent::Publish(request) => server.accept(now, request).unwrap(),
        ServerEvent::Play(request) => server.accept(now, request).unwrap(),
        ServerEvent::Seek(request) => server.accept(now, request).unwrap(),
        other => return Some(other),
    }
    None
}

pub fn url() -> RtmpUrl {
    "rtmp://host/live/key".parse().unwrap()
}

/// Moves what a session wants to send, in odd pieces, to `wire`.
pub fn take_output<R: Role>(session: &mut Session<R>, wire: &mut BytesMut) {
    while let Some(mut transmit) = session.poll_transmit() {
        let len = transmit.chunk().len();
        wire.extend_from_slice(transmit.chunk());
        transmit.advance(len);
    }
}

/// Gives a session the bytes on `wire`, `piece` at a time, as far as it takes them.
pub fn give_input<R: Role>(
    session: &mut Session<R>,
    now: Instant,
    wire: &mut BytesMut,
    piece: usize,
) {
    while !wire.is_empty() {
        let len = wire.len().min(piece);
        let mut bytes = &wire[..len];
        session.handle_input(now, &mut bytes);
        let taken = len - bytes.len();
        wire.advance(taken);
        if taken < len {
            return;
        }
    }
}

/// All events of `Debug` form, for comparison.
pub fn names<E: std::fmt::Debug>(events: &[E]) -> Vec<String> {
    events.iter().map(|event| format!("{event:?}")).collect()
}
