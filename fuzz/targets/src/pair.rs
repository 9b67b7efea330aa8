//! A client and a server, and the world between them.

use std::{fmt::Debug, sync::Arc, time::Duration};

use arbitrary::{Result, Unstructured};
use bytes::Bytes;
use rtmp_proto::{
    ClientConfig, ClientSession, CloseReason, ConnectParams, ConnectionConfig, Instant,
    MessageStreamId, PlayOptions, PublishKind, Role, RtmpUrl, ServerConfig, ServerEvent,
    ServerSession, Session, Status, StatusCode, Timestamp, UserControl, chunk::ChunkSize,
    handshake::HandshakeMode,
};

use crate::{
    flv::frame,
    input::{configure, payload, take_output, text, value},
    session::Application,
    shared_object::shared_object_message,
};

/// Whatever both applications do, and whatever becomes of the bytes: no session panics, wedges or ends
/// twice, and as long as the bytes arrive as they were sent, neither accuses the other.
pub fn pair(data: &[u8]) {
    let mut u = Unstructured::new(data);
    let Ok(mut world) = World::new(&mut u) else {
        return;
    };
    while !u.is_empty() {
        if world.step(&mut u).is_err() {
            break;
        }
        world.check();
    }
    world.finish();
}

struct World {
    client: End<rtmp_proto::Client>,
    server: End<rtmp_proto::Server>,
    now: Instant,
    /// The request whose answer takes its time.
    waiting: Option<ServerEvent>,
    /// Requests are answered at once.
    is_prompt: bool,
    /// The bytes arrive as they were sent, and no limit stands in their way.
    is_honest: bool,
}

/// A session and the bytes on their way to it.
struct End<R: Role> {
    session: Session<R>,
    incoming: Vec<u8>,
    closed: Option<CloseReason>,
}

impl<R: Application> End<R> {
    fn new(session: Session<R>) -> Self {
        Self {
            session,
            incoming: Vec::new(),
            closed: None,
        }
    }

    /// The session takes what it wants of the first `len` bytes.
    fn deliver(&mut self, now: Instant, len: usize) -> bool {
        let len = self.incoming.len().min(len);
        let mut bytes = &self.incoming[..len];
        self.session.handle_input(now, &mut bytes);
        let taken = len - bytes.len();
        self.incoming.drain(..taken);
        taken > 0
    }

    fn poll_event(&mut self) -> Option<R::Event> {
        let event = self.session.poll_event()?;
        assert_eq!(self.closed, None, "an event after the last");
        self.closed = R::closed(&event).cloned();
        let _ = format!("{event:?}");
        Some(event)
    }

    fn check(&self) {
        assert_eq!(
            self.session.is_closed(),
            self.session.close_reason().is_some()
        );
        let _ = format!("{:?} {:?}", self.session, self.session.stats());
        let closed = !self.session.is_closed() || self.session.poll_timeout().is_none();
        assert!(closed, "a deadline after the end");
    }
}

impl World {
    fn new(u: &mut Unstructured<'_>) -> Result<Self> {
        let [bits, sending] = u.arbitrary::<[u8; 2]>()?;
        let mut client = ClientConfig::default();
        configure(&mut client.connection, bits);
        configure_sending(&mut client.connection, sending);
        if bits & 8 != 0 {
            client.handshake = HandshakeMode::Digest;
            client.connection.ping_interval = Some(Duration::from_secs(5));
        }
        let mut server = ServerConfig::default();
        configure(&mut server.connection, bits >> 4);
        configure_sending(&mut server.connection, sending >> 4);
        let now = Instant::ORIGIN;
        Ok(Self {
            client: End::new(ClientSession::new(now, Arc::new(client), [1; 32])),
            server: End::new(ServerSession::new(now, Arc::new(server), [2; 32])),
            now,
            waiting: None,
            is_prompt: true,
            // Small limits are passed by honest peers, too.
            is_honest: bits & 0x22 == 0,
        })
    }

    fn step(&mut self, u: &mut Unstructured<'_>) -> Result<()> {
        let now = self.now;
        match u.int_in_range(0..=15)? {
            0..=2 => self.drive(),
            3 => {
                let len = u.int_in_range(0..=5000)?;
                self.client.deliver(now, len);
                self.client_events();
            }
            4 => {
                let len = u.int_in_range(0..=5000)?;
                self.server.deliver(now, len);
                self.server_events();
            }
            5 => take_output(&mut self.client.session, &mut self.server.incoming),
            6 => take_output(&mut self.server.session, &mut self.client.incoming),
            7 => self.tamper(u)?,
            8 => {
                let end = self.now + Duration::from_millis(u.int_in_range(0..=15_000)?);
                self.wait_until(end);
            }
            9 => self.is_prompt = u.arbitrary()?,
            10 => self.answer(u)?,
            11..=13 => self.client_does(u)?,
            _ => self.server_does(u)?,
        }
        Ok(())
    }

    /// What a client's application does.
    fn client_does(&mut self, u: &mut Unstructured<'_>) -> Result<()> {
        let (client, now) = (&mut self.client.session, self.now);
        let stream = MessageStreamId::new(u.int_in_range(0..=3)?);
        let url: RtmpUrl = "rtmp://host/live/key".parse().expect("a URL");
        let name = text(u)?;
        // Nothing needs to succeed.
        match u.int_in_range(0..=22)? {
            0 => drop(client.publish_to(now, &url)),
            1 => drop(client.play_from(now, &url)),
            2 => drop(client.connect(now, ConnectParams::publisher(&url))),
            3 => drop(client.create_stream(now)),
            4 => drop(client.publish(now, stream, &name, PublishKind::Live)),
            5 => drop(client.play(now, stream, &name, PlayOptions::default())),
            6 => drop(client.play2(stream, crate::input::object(u, 2)?)),
            7 => drop(client.pause(stream, u.arbitrary()?, u.arbitrary()?)),
            8 => drop(client.seek(stream, u.arbitrary()?)),
            9 => drop(client.receive_audio(stream, u.arbitrary()?)),
            10 => drop(client.receive_video(stream, u.arbitrary()?)),
            11 => drop(client.close_stream(stream)),
            12 => drop(client.delete_stream(stream)),
            13 => drop(client.release_stream(&name)),
            14 => drop(client.fc_publish(&name)),
            15 => drop(client.fc_subscribe(&name)),
            16 => drop(client.get_stream_length(&name)),
            17 => drop(client.call(&name, value(u, 2)?, [value(u, 2)?])),
            18 => drop(client.notify(stream, &name, value(u, 2)?, [value(u, 2)?])),
            19 if u.ratio(1, 8)? => client.close(now),
            _ => send(client, u)?,
        }
        Ok(())
    }

    /// What a server's application does.
    fn server_does(&mut self, u: &mut Unstructured<'_>) -> Result<()> {
        let (server, now) = (&mut self.server.session, self.now);
        let stream = MessageStreamId::new(u.int_in_range(0..=3)?);
        match u.int_in_range(0..=9)? {
            0 => drop(server.notify_published(stream)),
            1 => drop(server.notify_unpublished(stream)),
            2 => {
                let status = Status::new(StatusCode::new(text(u)?), text(u)?);
                drop(server.send_status(stream, &status));
            }
            3 => drop(server.call(&text(u)?, value(u, 2)?, [value(u, 2)?])),
            4 => drop(server.send_user_control(&UserControl::PingRequest(u.arbitrary()?))),
            5 => drop(server.send_user_control(&UserControl::StreamDry(stream))),
            6 if u.ratio(1, 8)? => server.close(now),
            _ => send(server, u)?,
        }
        Ok(())
    }

    /// Answers the request that waits, or refuses it.
    fn answer(&mut self, u: &mut Unstructured<'_>) -> Result<()> {
        let (server, now) = (&mut self.server.session, self.now);
        match self.waiting.take() {
            Some(ServerEvent::Publish(request)) if u.ratio(1, 4)? => {
                let status = Status::error(StatusCode::PUBLISH_DENIED, text(u)?);
                drop(server.reject(now, request, status));
            }
            Some(ServerEvent::Play(request)) if u.ratio(1, 4)? => {
                let status = Status::error(StatusCode::PLAY_STREAM_NOT_FOUND, text(u)?);
                drop(server.reject(now, request, status));
            }
            Some(ServerEvent::Connect(request)) if u.ratio(1, 4)? => {
                // Clients take no long ones before they are connected.
                let [code, description]: [String; 2] =
                    [text(u)?, text(u)?].map(|text| text.chars().take(99).collect());
                let status = Status::error(StatusCode::new(code), description);
                drop(server.reject(now, request, status));
            }
            Some(event) if u.ratio(1, 4)? => drop(server.answer_by_default(now, event)),
            Some(event) => rtmp_proto::Server::answer(server, event),
            None => {}
        }
        Ok(())
    }

    /// The network or an attacker.
    fn tamper(&mut self, u: &mut Unstructured<'_>) -> Result<()> {
        let now = self.now;
        let is_client = u.arbitrary()?;
        match u.int_in_range(0..=3)? {
            0 if is_client => self.client.session.handle_eof(now),
            0 => self.server.session.handle_eof(now),
            kind => {
                self.is_honest = false;
                let wire = match is_client {
                    true => &mut self.client.incoming,
                    false => &mut self.server.incoming,
                };
                let at = u.choose_index(wire.len().max(1))?;
                match kind {
                    1 => drop(wire.drain(at..)),
                    2 => wire.extend_from_slice(u.arbitrary()?),
                    _ => {
                        if let Some(byte) = wire.get_mut(at) {
                            *byte ^= u.arbitrary::<u8>()?;
                        }
                    }
                }
            }
        }
        Ok(())
    }

    /// Passes bytes until nothing moves.
    fn drive(&mut self) {
        loop {
            take_output(&mut self.client.session, &mut self.server.incoming);
            take_output(&mut self.server.session, &mut self.client.incoming);
            let mut moved = self.client_events();
            moved |= self.server_events();
            moved |= self.client.deliver(self.now, usize::MAX);
            moved |= self.server.deliver(self.now, usize::MAX);
            if !moved {
                break;
            }
        }
        let is_wedged = !self.client.incoming.is_empty() && !self.client.session.is_closed();
        assert!(!is_wedged, "{:?}", self.client.session);
        let is_waiting = self.waiting.is_some() || self.server.session.is_closed();
        assert!(
            self.server.incoming.is_empty() || is_waiting,
            "{:?}",
            self.server.session
        );
    }

    fn client_events(&mut self) -> bool {
        let mut moved = false;
        while let Some(event) = self.client.poll_event() {
            moved = true;
            rtmp_proto::Client::answer(&mut self.client.session, event);
        }
        moved
    }

    fn server_events(&mut self) -> bool {
        let mut moved = false;
        while let Some(event) = self.server.poll_event() {
            moved = true;
            let is_request = matches!(
                event,
                ServerEvent::Connect(_) | ServerEvent::Publish(_) | ServerEvent::Play(_)
            );
            match is_request && !self.is_prompt {
                true => self.waiting = Some(event),
                false => rtmp_proto::Server::answer(&mut self.server.session, event),
            }
        }
        moved
    }

    fn wait_until(&mut self, end: Instant) {
        loop {
            let deadlines = [
                self.client.session.poll_timeout(),
                self.server.session.poll_timeout(),
            ];
            let next = deadlines.into_iter().flatten().min();
            let Some(at) = next.filter(|at| *at <= end) else {
                break;
            };
            self.now = self.now.max(at);
            self.client.session.handle_timeout(self.now);
            self.server.session.handle_timeout(self.now);
            for next in [
                self.client.session.poll_timeout(),
                self.server.session.poll_timeout(),
            ] {
                assert!(next.is_none_or(|next| next > self.now), "no progress");
            }
        }
        self.now = self.now.max(end);
    }

    fn check(&self) {
        self.client.check();
        self.server.check();
        if self.is_honest {
            for reason in [&self.client.closed, &self.server.closed] {
                assert!(
                    !matches!(reason, Some(CloseReason::Protocol(_))),
                    "{reason:?}"
                );
            }
        }
    }

    /// Everything arrives, both transports end, and so do both sessions.
    fn finish(mut self) {
        self.is_prompt = true;
        if let Some(event) = self.waiting.take() {
            rtmp_proto::Server::answer(&mut self.server.session, event);
        }
        self.drive();
        self.check();
        self.client.session.handle_eof(self.now);
        self.server.session.handle_eof(self.now);
        self.client_events();
        self.server_events();
        self.check();
        assert!(self.client.closed.is_some() && self.server.closed.is_some());
    }
}

/// Bit 0 is whether small messages pass large ones, the next three are the size of chunks.
fn configure_sending(config: &mut ConnectionConfig, bits: u8) {
    config.interleaving = bits & 1 != 0;
    let size = [65_536, 4096, 128, 1, 500, 10_000, 1 << 20, 65_536][usize::from(bits >> 1 & 7)];
    config.chunk_size = ChunkSize::new(size).expect("within bounds");
}

fn send<R: Role<Event: Debug>>(session: &mut Session<R>, u: &mut Unstructured<'_>) -> Result<()> {
    let stream = MessageStreamId::new(u.int_in_range(0..=3)?);
    if u.ratio(1, 8)? {
        return send_several(session, stream, u);
    }
    let timestamp = Timestamp::from_millis(u.arbitrary()?);
    let payload = payload(u)?;
    let given = payload.clone();
    let before = session.queued_len();
    let result = match u.int_in_range(0..=2)? {
        0 => session.send_audio(stream, timestamp, payload),
        1 => session.send_video(stream, timestamp, payload),
        _ => session.send_data(stream, timestamp, payload),
    };
    if let Err(error) = result {
        assert_eq!(session.queued_len(), before, "refused and sent");
        let back: Bytes = error.into_payload();
        assert_eq!(back, given);
    }
    Ok(())
}

/// Frames in one message, or a message about a shared object.
fn send_several<R: Role<Event: Debug>>(
    session: &mut Session<R>,
    stream: MessageStreamId,
    u: &mut Unstructured<'_>,
) -> Result<()> {
    let before = session.queued_len();
    let is_refused = match u.arbitrary()? {
        true => {
            let frames = [frame(u)?, frame(u)?];
            session.send_aggregate(stream, &frames).is_err()
        }
        false => {
            let message = shared_object_message(u)?;
            session.send_shared_object(&message).is_err()
        }
    };
    assert!(
        !is_refused || session.queued_len() == before,
        "refused and sent"
    );
    Ok(())
}
