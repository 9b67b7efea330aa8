//! The server's role.

mod answers;
mod commands;

use alloc::{string::String, vec::Vec};

use bytes::Bytes;

use super::{
    Phase, Role, Session,
    call::{Call, Purpose, Response},
    request::{ConnectRequest, PlayRequest, PublishRequest, Request, RequestId, SeekRequest},
    role::{Behaviour, Shared},
    state::{SessionState, StreamState},
};
use crate::{
    amf::Value,
    capabilities::{Capabilities, CapsEx},
    chunk::{MessageStreamId, RawMessage},
    config::{ConnectionConfig, ServerConfig},
    error::{CloseReason, RequestError, Timeout},
    flv::Frame,
    handshake::{HANDSHAKE_RANDOM_LEN, Handshake},
    message::{Command, SharedObject, Status, StatusCode, SwfVerification, UserControl},
    relay::{Batch, Portion},
    time::Instant,
};

pub(super) use self::answers::Answer;

/// The server's role in a [`Session`].
#[derive(Debug)]
pub struct Server {
    /// The application connected to, as sent. May hold a token.
    app: Secret,
    /// What the client said it can do.
    client: Capabilities,
    waiting: Option<Waiting>,
    next_request: u64,
}

/// The request that waits for the application's answer.
#[derive(Clone, Copy, Debug)]
struct Waiting {
    id: RequestId,
    since: Instant,
}

/// What happens on a server session.
#[derive(Debug)]
#[non_exhaustive]
pub enum ServerEvent {
    /// The session moved on.
    StateChanged(SessionState),
    /// The client wants to connect.
    Connect(ConnectRequest),
    /// The client wants to publish.
    Publish(PublishRequest),
    /// The client wants to play.
    Play(PlayRequest),
    /// A player wants to go to another position.
    Seek(SeekRequest),
    /// Audio, video or data of a publishing stream.
    Frame {
        /// The stream.
        stream: MessageStreamId,
        /// The frame.
        frame: Frame,
    },
    /// The client ended publishing on this stream; the connection goes on.
    PublishStopped {
        /// The stream.
        stream: MessageStreamId,
    },
    /// The client ended playing on this stream; the connection goes on.
    PlayStopped {
        /// The stream.
        stream: MessageStreamId,
    },
    /// The player paused or resumed, which was confirmed. What is sent meanwhile is left out; after
    /// resuming, video should begin with a key frame.
    Paused {
        /// The stream.
        stream: MessageStreamId,
        /// Paused rather than resumed.
        is_paused: bool,
        /// The player's position in milliseconds.
        millis: f64,
    },
    /// The player turned audio or video on or off. What it does not want is left out; video turned
    /// on should begin with a key frame.
    Receives {
        /// The stream.
        stream: MessageStreamId,
        /// Whether it wants audio.
        audio: bool,
        /// Whether it wants video.
        video: bool,
    },
    /// A message about a shared object. What it means is up to the application.
    SharedObject(SharedObject),
    /// A user control event other than a ping.
    UserControl(UserControl),
    /// A command without a meaning here.
    Call(Call),
    /// The answer to a call of ours.
    Response(Response),
    /// A message that was ignored.
    Unhandled(RawMessage),
    /// The end; always the last event.
    Closed(CloseReason),
}

impl ServerEvent {
    /// Whether the player on `stream` goes on after it missed something: it had paused, or had video
    /// switched off. It should get headers and a key frame next.
    pub fn is_resumption(&self, on: MessageStreamId) -> bool {
        match *self {
            Self::Paused {
                stream, is_paused, ..
            } => stream == on && !is_paused,
            Self::Receives { stream, video, .. } => stream == on && video,
            _ => false,
        }
    }
}

/// Answers and what a server tells its players.
impl Session<Server> {
    /// Answers an event that has no meaning for the application: `connect` is accepted, seeking fails as
    /// it does in live streams, unknown commands get an error, and a `publish` or `play` is rejected.
    /// What needs no answer gets none.
    ///
    /// # Errors
    ///
    /// The session has ended, the request is not the one that waits here, or too much waits already.
    pub fn answer_by_default(
        &mut self,
        now: Instant,
        event: ServerEvent,
    ) -> Result<(), RequestError> {
        match event {
            ServerEvent::Connect(request) => self.accept(now, request),
            ServerEvent::Seek(request) => {
                let status =
                    Status::error(StatusCode::SEEK_FAILED, "live streams cannot be sought");
                self.reject(now, request, status)
            }
            ServerEvent::Publish(request) => {
                let status = Status::error(StatusCode::PUBLISH_DENIED, "nothing can be published");
                self.reject(now, request, status)
            }
            ServerEvent::Play(request) => {
                let status = Status::error(StatusCode::PLAY_FAILED, "nothing can be played");
                self.reject(now, request, status)
            }
            ServerEvent::Call(call) => {
                let status = Status::error(StatusCode::CALL_FAILED, "no such procedure");
                self.respond(call, Err(status))
            }
            _ => Ok(()),
        }
    }

    /// Accepts `request` and tells the client.
    ///
    /// # Errors
    ///
    /// The session has ended, or the request is not the one that waits here.
    pub fn accept(&mut self, now: Instant, request: impl Request) -> Result<(), RequestError> {
        self.take_waiting(now, request.id())?;
        request.accept(self, now);
        Ok(())
    }

    /// Rejects `request` with `status`, which should have level error.
    ///
    /// The client is told, before anything that would say "started"; then the session ends with
    /// [`CloseReason::Rejected`], since encoders that ignore a rejection (DJI) would go on sending.
    /// A rejected seek leaves the session going.
    ///
    /// # Errors
    ///
    /// The session has ended, or the request is not the one that waits here.
    pub fn reject(
        &mut self,
        now: Instant,
        request: impl Request,
        status: Status,
    ) -> Result<(), RequestError> {
        self.take_waiting(now, request.id())?;
        request.reject(self, now, status);
        Ok(())
    }

    /// Sends `onStatus` with `status` on `stream`, or about the connection on stream 0.
    ///
    /// # Errors
    ///
    /// The session is not connected, there is no such stream, or too much waits already.
    pub fn send_status(
        &mut self,
        stream: MessageStreamId,
        status: &Status,
    ) -> Result<(), RequestError> {
        self.require(Phase::Connected)?;
        if stream != MessageStreamId::CONTROL {
            self.require_stream(stream, |_| true)?;
        }
        self.require_room()?;
        self.queue_status(stream, status)
    }

    /// What the client said it can do; nothing before `connect` was accepted.
    pub fn client_capabilities(&self) -> &Capabilities {
        &self.role.client
    }

    /// Asks the client to connect again: to `tc_url`, absolute or relative to where it is connected,
    /// or to the same place. It goes on here until it has moved, so go on serving it.
    /// [E-RTMP v2 "Reconnect Request"]
    ///
    /// # Errors
    ///
    /// [`RequestError::NotSupported`] if the client does not say that it understands this; the
    /// session is not connected, or too much waits already.
    pub fn request_reconnect(
        &mut self,
        tc_url: Option<&str>,
        description: &str,
    ) -> Result<(), RequestError> {
        self.require(Phase::Connected)?;
        if !self.role.client.caps_ex.contains(CapsEx::RECONNECT) {
            return Err(RequestError::NotSupported);
        }
        let mut status = Status::new(StatusCode::CONNECT_RECONNECT_REQUEST, description);
        if let Some(tc_url) = tc_url {
            status = status.with("tcUrl", tc_url);
        }
        self.send_status(MessageStreamId::CONTROL, &status)
    }

    /// Tells a player that its stream has a publisher: StreamBegin and `Play.PublishNotify`.
    ///
    /// # Errors
    ///
    /// The stream does not play, or too much waits already.
    pub fn notify_published(&mut self, stream: MessageStreamId) -> Result<(), RequestError> {
        self.require_stream(stream, |state| state == StreamState::Playing)?;
        self.require_room()?;
        self.connection
            .send_user_control(&UserControl::StreamBegin(stream));
        let status = Status::new(StatusCode::PLAY_PUBLISH_NOTIFY, "stream is published");
        self.queue_status(stream, &status)
    }

    /// Tells a player that its stream has no publisher any more: `Play.UnpublishNotify` and
    /// StreamEOF. ffmpeg ends here; others wait for a republish.
    ///
    /// # Errors
    ///
    /// The stream does not play, or too much waits already.
    pub fn notify_unpublished(&mut self, stream: MessageStreamId) -> Result<(), RequestError> {
        self.require_stream(stream, |state| state == StreamState::Playing)?;
        self.require_room()?;
        let status = Status::new(StatusCode::PLAY_UNPUBLISH_NOTIFY, "stream is unpublished");
        self.queue_status(stream, &status)?;
        self.connection
            .send_user_control(&UserControl::StreamEof(stream));
        Ok(())
    }

    /// Queues a batch of frames for a player, by reference if it was made for players like this one, else
    /// frame by frame. As with [`send_frame`](Self::send_frame), what the player does not want is left
    /// out.
    ///
    /// # Errors
    ///
    /// The session has ended, the stream does not play, or too much waits already.
    pub fn send_batch(
        &mut self,
        stream: MessageStreamId,
        batch: &Batch,
    ) -> Result<(), RequestError> {
        self.require_player_with_room(stream)?;
        let wants_all = self
            .streams
            .get(stream)
            .is_some_and(|state| !state.is_paused && state.wants_audio && state.wants_video);
        let wire = batch.wire();
        if wants_all && stream == wire.stream && self.connection.send_wire(wire) {
            return Ok(());
        }
        for frame in batch.frames() {
            // A batch leaves out what is too long, too.
            let _ = self.queue_frame(stream, frame);
        }
        Ok(())
    }

    /// Queues what a [`Broadcast`](crate::relay::Broadcast) has next for a player.
    ///
    /// # Errors
    ///
    /// The session has ended, the stream does not play, or too much waits already.
    pub fn send_portion(
        &mut self,
        stream: MessageStreamId,
        portion: &Portion,
    ) -> Result<(), RequestError> {
        match portion {
            Portion::Batch(batch) => self.send_batch(stream, batch),
            Portion::Frame(frame) => {
                self.require_player_with_room(stream)?;
                // One that is too long cannot have arrived.
                let _ = self.queue_frame(stream, frame);
                Ok(())
            }
            Portion::Published => self.notify_published(stream),
            Portion::Unpublished => self.notify_unpublished(stream),
        }
    }

    fn require_player_with_room(&self, stream: MessageStreamId) -> Result<(), RequestError> {
        self.require_stream(stream, |state| state == StreamState::Playing)?;
        match self.connection.is_congested() {
            true => Err(RequestError::QueueFull {
                queued: self.connection.queued_len(),
            }),
            false => Ok(()),
        }
    }

    fn take_waiting(&mut self, now: Instant, id: RequestId) -> Result<(), RequestError> {
        if self.is_closed() {
            return Err(RequestError::Closed);
        }
        let waiting = self.role.waiting.take_if(|waiting| waiting.id == id);
        let Some(Waiting { since, .. }) = waiting else {
            return Err(RequestError::Stale);
        };
        self.connection.listen_again(now);
        self.streams.postpone_first_media(now - since);
        Ok(())
    }

    /// A new request, for whose answer the session waits. The client's deadline stops meanwhile.
    fn begin_request(&mut self, now: Instant) -> RequestId {
        let id = RequestId(self.role.next_request);
        self.role.next_request = self.role.next_request.wrapping_add(1);
        self.role.waiting = Some(Waiting { id, since: now });
        self.deadline = None;
        id
    }
}

impl Role for Server {}

impl Behaviour for Server {
    type Config = ServerConfig;
    type Event = ServerEvent;

    const RECEIVING: StreamState = StreamState::Publishing;
    const SENDING: StreamState = StreamState::Playing;
    const IDLE_LIMITED: bool = true;

    fn new(random: &[u8; HANDSHAKE_RANDOM_LEN]) -> Self {
        let (seed, _) = random.split_first_chunk().expect("longer than 8 bytes");
        Self {
            app: Secret(String::new()),
            client: Capabilities::default(),
            waiting: None,
            next_request: u64::from_le_bytes(*seed),
        }
    }

    fn handshake(
        _now: Instant,
        config: &ServerConfig,
        random: [u8; HANDSHAKE_RANDOM_LEN],
    ) -> Handshake {
        let handshake = Handshake::server(random);
        #[cfg(feature = "rtmpe")]
        if config.accepts_encryption {
            return handshake.accepting_encryption();
        }
        let _ = config;
        handshake
    }

    fn connection_config(config: &ServerConfig) -> &ConnectionConfig {
        &config.connection
    }

    fn swf(_config: &ServerConfig) -> Option<SwfVerification> {
        None
    }

    #[inline]
    fn event(shared: Shared) -> ServerEvent {
        match shared {
            Shared::StateChanged(state) => ServerEvent::StateChanged(state),
            Shared::Frame { stream, frame } => ServerEvent::Frame { stream, frame },
            Shared::SharedObject(message) => ServerEvent::SharedObject(message),
            Shared::UserControl(event) => ServerEvent::UserControl(event),
            Shared::Call(call) => ServerEvent::Call(call),
            Shared::Response(response) => ServerEvent::Response(response),
            Shared::Unhandled(raw) => ServerEvent::Unhandled(raw),
            Shared::Closed(reason) => ServerEvent::Closed(reason),
        }
    }

    fn is_waiting(&self) -> bool {
        self.waiting.is_some()
    }

    fn outgoing_payload(frame: &Frame) -> Bytes {
        frame.payload.clone()
    }

    fn on_open(session: &mut Session<Self>, now: Instant) {
        session.deadline = Some((now + session.limits().connect_timeout, Timeout::Connect));
    }

    fn on_command(
        session: &mut Session<Self>,
        now: Instant,
        stream: MessageStreamId,
        command: Command,
    ) {
        if command.name == "connect" {
            return session.on_connect(now, command);
        }
        if session.phase != Phase::Connected {
            let status = Status::error(StatusCode::CALL_FAILED, "not connected");
            return session.answer_error(command.transaction_id, &status);
        }
        match &*command.name {
            "createStream" => session.on_create_stream(&command),
            "publish" => session.on_publish(now, stream, &command),
            "play" => session.on_play(now, stream, &command),
            "play2" => session.on_play2(now, stream, &command),
            "deleteStream" => session.on_delete_stream(stream, &command),
            "closeStream" => {
                if let Some(stream) = session.streams.resolve(stream, |_| true) {
                    session.stop_stream(stream);
                }
            }
            "pause" | "pauseRaw" => session.on_pause(stream, &command),
            "seek" => session.on_seek(now, stream, &command),
            "receiveAudio" | "receiveVideo" => session.on_receive(stream, &command),
            "releaseStream" | "_checkbw" => {
                session.answer(command.transaction_id, Value::Undefined);
            }
            "getStreamLength" => session.answer(command.transaction_id, 0.0),
            "FCPublish" => {
                session.on_fc_command(&command, "onFCPublish", StatusCode::PUBLISH_START);
            }
            "FCUnpublish" => session.on_fc_unpublish(&command),
            "FCSubscribe" => {
                session.on_fc_command(&command, "onFCSubscribe", StatusCode::PLAY_START);
            }
            "FCUnsubscribe" => {
                session.on_fc_command(&command, "onFCUnsubscribe", StatusCode::PLAY_STOP);
            }
            "close" => session.end(CloseReason::Peer(None)),
            _ => session.emit(ServerEvent::Call(Call { stream, command })),
        }
        if session.streams.iter().any(|s| s.state != StreamState::Idle) {
            session.deadline = None;
        }
    }

    fn on_response(
        session: &mut Session<Self>,
        _now: Instant,
        purpose: Purpose,
        response: Response,
    ) {
        if purpose == Purpose::Application {
            session.emit(ServerEvent::Response(response));
        }
    }

    /// Players hear that it is over; publishers see the connection end.
    fn on_close(session: &mut Session<Self>) {
        let playing = session
            .streams
            .iter()
            .filter(|stream| stream.state == StreamState::Playing)
            .map(|stream| stream.id)
            .collect::<Vec<_>>();
        for stream in playing {
            session.say(stream, &Status::new(StatusCode::PLAY_STOP, "stopped"));
            session
                .connection
                .send_user_control(&UserControl::StreamEof(stream));
        }
    }
}

/// Text that `Debug` does not show.
struct Secret(String);

impl core::fmt::Debug for Secret {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str("…")
    }
}
