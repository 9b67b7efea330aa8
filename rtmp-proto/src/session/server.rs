//! The server's role.

use alloc::{
    borrow::ToOwned,
    string::{String, ToString},
    vec::Vec,
};

use bytes::Bytes;

use super::{
    Phase, Role, Session,
    call::{Call, ERROR, Purpose, RESULT, Response},
    request::{
        ConnectRequest, PlayRequest, PublishKind, PublishRequest, Request, RequestId, SeekRequest,
        Transition,
    },
    role::{Behaviour, Shared},
    state::{SessionState, StreamState},
};
use crate::{
    amf::{Object, Value, amf0},
    chunk::{ChunkStreamId, MessageStreamId, MessageType, RawMessage},
    config::{ConnectionConfig, ServerConfig},
    error::{CloseReason, RequestError, Timeout},
    flv::Frame,
    handshake::{HANDSHAKE_RANDOM_LEN, Handshake},
    message::{BandwidthLimit, Command, Control, Status, StatusCode, TransactionId, UserControl},
    stream_name::StreamTarget,
    time::Instant,
    timestamp::Timestamp,
};

/// The server's role in a [`Session`].
#[derive(Debug)]
pub struct Server {
    /// The application connected to, as sent. May hold a token.
    app: Secret,
    waiting: Option<RequestId>,
    next_request: u64,
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

/// Answers and what a server tells its players.
impl Session<Server> {
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

    fn take_waiting(&mut self, now: Instant, id: RequestId) -> Result<(), RequestError> {
        if self.is_closed() {
            return Err(RequestError::Closed);
        }
        if self.role.waiting != Some(id) {
            return Err(RequestError::Stale);
        }
        self.role.waiting = None;
        self.connection.listen_again(now);
        Ok(())
    }

    /// A new request, for whose answer the session waits. The client's deadline stops meanwhile.
    fn begin_request(&mut self) -> RequestId {
        let id = RequestId(self.role.next_request);
        self.role.next_request = self.role.next_request.wrapping_add(1);
        self.role.waiting = Some(id);
        self.deadline = None;
        id
    }

    fn on_connect(&mut self, command: Command) {
        if self.phase != Phase::Open {
            let status = Status::error(StatusCode::CONNECT_REJECTED, "already connected");
            return self.answer_error(command.transaction_id, &status);
        }
        let id = self.begin_request();
        self.enter(Phase::Connecting);
        self.emit(ServerEvent::Connect(ConnectRequest::new(id, command)));
    }

    fn on_create_stream(&mut self, command: &Command) {
        let limit = self.limits().message_streams;
        if self.streams.len() >= limit {
            let status = Status::error(StatusCode::STREAM_FAILED, "too many streams");
            return self.answer_error(command.transaction_id, &status);
        }
        let stream = self.streams.free_id();
        self.streams.create(stream);
        self.answer(command.transaction_id, f64::from(stream.get()));
    }

    fn on_publish(&mut self, stream: MessageStreamId, command: &Command) {
        let Some(stream) = self.idle_stream(stream, command, &StatusCode::PUBLISH_BAD_NAME) else {
            return;
        };
        let name = command.argument(0).as_str().unwrap_or_default();
        let kind = command.argument(1).as_str().unwrap_or_default();
        let id = self.begin_request();
        self.remember_name(stream, name);
        self.set_stream_state(stream, StreamState::PublishRequested);
        self.emit(ServerEvent::Publish(PublishRequest {
            id,
            stream,
            target: StreamTarget::new(&self.role.app.0, name),
            kind: PublishKind::from_name(kind),
        }));
    }

    fn on_play(&mut self, stream: MessageStreamId, command: &Command) {
        let playable = |state| matches!(state, StreamState::Idle | StreamState::Playing);
        let Some(stream) = self.streams.resolve(stream, playable) else {
            return self.refuse_stream(stream, command, &StatusCode::PLAY_FAILED);
        };
        let number = |index, default| command.argument(index).as_number().unwrap_or(default);
        let reset = match command.argument(3) {
            Value::Boolean(reset) => *reset,
            Value::Number(reset) => *reset != 0.0,
            _ => true,
        };
        let name = command.argument(0).as_str().unwrap_or_default();
        let request = (number(1, START_DEFAULT), number(2, -1.0), reset);
        self.request_play(stream, name, request, None);
    }

    fn on_play2(&mut self, stream: MessageStreamId, command: &Command) {
        let playable = |state| matches!(state, StreamState::Idle | StreamState::Playing);
        let Some(stream) = self.streams.resolve(stream, playable) else {
            return self.refuse_stream(stream, command, &StatusCode::PLAY_FAILED);
        };
        let empty = Object::new();
        let options = command.argument(0).as_object().unwrap_or(&empty);
        let text = |name| options.get(name).and_then(Value::as_str);
        let number = |name| options.get(name).and_then(Value::as_number);
        let transition = Transition {
            old_stream_name: text("oldStreamName").map(ToOwned::to_owned),
            kind: text("transition").unwrap_or_default().to_owned(),
            offset: number("offset"),
        };
        let name = text("streamName").unwrap_or_default();
        let request = (
            number("start").unwrap_or(START_DEFAULT),
            number("len").unwrap_or(-1.0),
            false,
        );
        self.request_play(stream, name, request, Some(transition));
    }

    fn request_play(
        &mut self,
        stream: MessageStreamId,
        name: &str,
        (start, duration, reset): (f64, f64, bool),
        transition: Option<Transition>,
    ) {
        let id = self.begin_request();
        self.emit(ServerEvent::Play(PlayRequest {
            id,
            stream,
            raw_name: name.to_owned(),
            target: StreamTarget::new(&self.role.app.0, name),
            start,
            duration,
            reset,
            transition,
        }));
        if self.stream_state(stream) == Some(StreamState::Idle) {
            self.set_stream_state(stream, StreamState::PlayRequested);
        }
    }

    /// The stream on which `command` may begin something: idle, or the connection's only idle one if
    /// the command came on stream 0. Otherwise the client is told, and the session goes on.
    fn idle_stream(
        &mut self,
        stream: MessageStreamId,
        command: &Command,
        code: &StatusCode,
    ) -> Option<MessageStreamId> {
        let idle = self
            .streams
            .resolve(stream, |state| state == StreamState::Idle);
        if idle.is_none() {
            self.refuse_stream(stream, command, code);
        }
        idle
    }

    fn refuse_stream(&mut self, stream: MessageStreamId, command: &Command, code: &StatusCode) {
        self.say(stream, &not_possible(command, code));
    }

    /// As [`refuse_stream`](Self::refuse_stream), for commands whose failure is told by `_error` if
    /// an answer is awaited (CHECKLIST A-30).
    fn refuse_call(&mut self, stream: MessageStreamId, command: &Command, code: &StatusCode) {
        if command.transaction_id.wants_answer() {
            self.answer_error(command.transaction_id, &not_possible(command, code));
        } else {
            self.refuse_stream(stream, command, code);
        }
    }

    /// `deleteStream` names its stream in an argument: a number, or the stream's name (GStreamer), or
    /// nothing, which means the stream it came on.
    fn on_delete_stream(&mut self, stream: MessageStreamId, command: &Command) {
        let target = match command.argument(0) {
            Value::Number(number) => self
                .streams
                .iter()
                .find(|stream| f64::from(stream.id.get()) == *number)
                .map(|stream| stream.id),
            _ => self.streams.resolve(stream, |_| true),
        };
        if let Some(target) = target {
            self.stop_stream(target);
            self.streams.remove(target);
            self.announce_state();
        }
    }

    /// Ends publishing or playing on `stream`, which stays.
    fn stop_stream(&mut self, stream: MessageStreamId) {
        match self.stream_state(stream) {
            Some(StreamState::Publishing) => {
                let status = Status::new(StatusCode::UNPUBLISH_SUCCESS, "stream is unpublished");
                self.say(stream, &status);
                self.set_stream_state(stream, StreamState::Idle);
                self.emit(ServerEvent::PublishStopped { stream });
            }
            Some(StreamState::Playing) => {
                self.set_stream_state(stream, StreamState::Idle);
                self.emit(ServerEvent::PlayStopped { stream });
            }
            _ => {}
        }
        if let Some(stream) = self.streams.get_mut(stream) {
            stream.is_paused = false;
            stream.wants_audio = true;
            stream.wants_video = true;
        }
    }

    /// `FCUnpublish` names the stream that an FMLE-like encoder ends, perhaps without the query it
    /// published with; it may publish again on it.
    fn on_fc_unpublish(&mut self, command: &Command) {
        self.on_fc_command(command, "onFCUnpublish", StatusCode::UNPUBLISH_SUCCESS);
        let identity = |name| StreamTarget::new(&self.role.app.0, name).name;
        let ended = identity(command.argument(0).as_str().unwrap_or_default());
        let publishing = self
            .streams
            .iter()
            .filter(|stream| stream.state == StreamState::Publishing)
            .find(|stream| identity(&stream.name) == ended)
            .map(|stream| stream.id);
        if let Some(stream) = publishing {
            self.stop_stream(stream);
        }
    }

    /// Answers FCPublish and its kin the way strict encoders want it: `_result`, and the matching
    /// `on…` call with the same transaction ID (Livestream Studio).
    fn on_fc_command(&mut self, command: &Command, notification: &str, code: StatusCode) {
        self.answer(command.transaction_id, Value::Undefined);
        let description = command.argument(0).as_str().unwrap_or_default();
        let description = description.chars().take(ECHO_LEN_MAX).collect::<String>();
        let status = Object::new()
            .with("code", code.as_str())
            .with("description", description);
        self.reply(&Command::new(notification, command.transaction_id).with(status));
    }

    fn on_pause(&mut self, stream: MessageStreamId, command: &Command) {
        let Some(stream) = self.playing_stream(stream) else {
            return self.refuse_call(stream, command, &StatusCode::STREAM_FAILED);
        };
        let is_paused = command.argument(0).as_bool().unwrap_or(true);
        if let Some(stream) = self.streams.get_mut(stream) {
            stream.is_paused = is_paused;
        }
        let (event, status) = if is_paused {
            let status = Status::new(StatusCode::PAUSE_NOTIFY, "paused");
            (UserControl::StreamEof(stream), status)
        } else {
            let status = Status::new(StatusCode::UNPAUSE_NOTIFY, "resumed");
            (UserControl::StreamBegin(stream), status)
        };
        self.connection.send_user_control(&event);
        self.say(stream, &status);
        self.emit(ServerEvent::Paused {
            stream,
            is_paused,
            millis: command.argument(1).as_number().unwrap_or_default(),
        });
    }

    fn on_seek(&mut self, stream: MessageStreamId, command: &Command) {
        let Some(stream) = self.playing_stream(stream) else {
            return self.refuse_call(stream, command, &StatusCode::SEEK_FAILED);
        };
        let id = self.begin_request();
        self.emit(ServerEvent::Seek(SeekRequest {
            id,
            stream,
            transaction_id: command.transaction_id,
            millis: command.argument(0).as_number().unwrap_or_default(),
        }));
    }

    fn on_receive(&mut self, stream: MessageStreamId, command: &Command) {
        let Some(id) = self.playing_stream(stream) else {
            return self.refuse_call(stream, command, &StatusCode::STREAM_FAILED);
        };
        let Some(stream) = self.streams.get_mut(id) else {
            return;
        };
        let wanted = command.argument(0).as_bool().unwrap_or(true);
        match &*command.name {
            "receiveAudio" => stream.wants_audio = wanted,
            _ => stream.wants_video = wanted,
        }
        let (audio, video) = (stream.wants_audio, stream.wants_video);
        if wanted {
            self.say(id, &Status::new(StatusCode::SEEK_NOTIFY, "seeking"));
            self.say(id, &Status::new(StatusCode::PLAY_START, "playing"));
        }
        self.emit(ServerEvent::Receives {
            stream: id,
            audio,
            video,
        });
    }

    fn playing_stream(&self, stream: MessageStreamId) -> Option<MessageStreamId> {
        self.streams
            .resolve(stream, |state| state == StreamState::Playing)
    }

    fn remember_name(&mut self, stream: MessageStreamId, name: &str) {
        if let Some(stream) = self.streams.get_mut(stream) {
            name.clone_into(&mut stream.name);
        }
    }

    /// `_result` with `value`, if the client waits for one.
    fn answer(&mut self, transaction_id: TransactionId, value: impl Into<Value>) {
        if transaction_id.wants_answer() {
            self.reply(&Command::new(RESULT, transaction_id).with(value));
        }
    }

    /// `_error` with `status`, if the client waits for an answer. A status of the application's
    /// making is cut to size if it is absurdly long.
    fn answer_error(&mut self, transaction_id: TransactionId, status: &Status) {
        if !transaction_id.wants_answer() {
            return;
        }
        let answer = |status: &Status| Command::new(ERROR, transaction_id).with(status.to_object());
        let control = MessageStreamId::CONTROL;
        if self.queue_command(control, &answer(status)).is_err() {
            self.reply(&answer(&Status::error(status.code.clone(), "")));
        }
    }

    /// A status of this session's own making.
    fn say(&mut self, stream: MessageStreamId, status: &Status) {
        self.queue_status(stream, status)
            .expect("a status of ours is short");
    }

    /// A status of the application's making, cut to size if it is absurdly long.
    fn say_rejection(&mut self, stream: MessageStreamId, status: &Status) {
        if self.queue_status(stream, status).is_err() {
            self.say(stream, &Status::error(status.code.clone(), ""));
        }
    }

    /// A player hears before the first frame that it may look at the samples.
    fn queue_sample_access(&mut self, stream: MessageStreamId) {
        let mut payload = Vec::new();
        amf0::encode(&Value::from("|RtmpSampleAccess"), &mut payload);
        amf0::encode(&Value::Boolean(true), &mut payload);
        amf0::encode(&Value::Boolean(true), &mut payload);
        let raw = RawMessage::new(MessageType::DATA, stream, Timestamp::ZERO, payload.into());
        let raw = raw.expect("a name and two booleans");
        self.connection.send(ChunkStreamId::DATA, &raw);
    }
}

/// How a request is answered on the wire.
#[expect(unnameable_types, reason = "seals `Request`")]
pub trait Answer: Sized {
    fn id(&self) -> RequestId;
    fn accept(self, session: &mut Session<Server>, now: Instant);
    fn reject(self, session: &mut Session<Server>, now: Instant, status: Status);
}

impl Answer for ConnectRequest {
    fn id(&self) -> RequestId {
        self.id
    }

    /// Window, bandwidth, StreamBegin 0 and chunk size go before the answer, in the order of
    /// [RTMP 1.0 §7.2.1.1]; the chunk size because the answer is longer than 128 bytes and some
    /// clients read single-chunk replies only.
    fn accept(self, session: &mut Session<Server>, now: Instant) {
        let window = session.config.connection.window_ack_size;
        session
            .connection
            .send_control(Control::WindowAckSize { window });
        session.connection.send_control(Control::SetPeerBandwidth {
            window,
            limit: BandwidthLimit::DYNAMIC,
        });
        session
            .connection
            .send_user_control(&UserControl::StreamBegin(MessageStreamId::CONTROL));
        let chunk_size = session.config.connection.chunk_size;
        session
            .connection
            .send_control(Control::SetChunkSize(chunk_size));

        let plain = Object::new()
            .with("fmsVer", &*session.config.fms_version)
            .with("capabilities", 31.0)
            .with("mode", 1.0);
        let mut properties = plain.clone();
        for name in ECHOED_CAPABILITIES {
            if let Some(value) = self.properties.get(name) {
                properties.insert(*name, value.clone());
            }
        }
        let status = Status::new(StatusCode::CONNECT_SUCCESS, "connection succeeded")
            .with("objectEncoding", self.object_encoding());
        let answer = Command::new(RESULT, self.transaction_id).with(status.to_object());
        let echo = answer.clone().with_object(properties);
        // References can make an echo longer than what was sent, and than a message can be.
        if session
            .queue_command(MessageStreamId::CONTROL, &echo)
            .is_err()
        {
            session.reply(&answer.with_object(plain));
        }
        session.role.app = Secret(self.app().to_string());
        session.deadline = Some((now + session.limits().request_timeout, Timeout::Request));
        session.enter(Phase::Connected);
    }

    fn reject(self, session: &mut Session<Server>, _now: Instant, status: Status) {
        session.answer_error(self.transaction_id, &status);
        session.end(CloseReason::Rejected(status));
    }
}

impl Answer for PublishRequest {
    fn id(&self) -> RequestId {
        self.id
    }

    fn accept(self, session: &mut Session<Server>, _now: Instant) {
        session
            .connection
            .send_user_control(&UserControl::StreamBegin(self.stream));
        let status = Status::new(StatusCode::PUBLISH_START, "publishing");
        session.say(self.stream, &status);
        session.set_stream_state(self.stream, StreamState::Publishing);
    }

    fn reject(self, session: &mut Session<Server>, _now: Instant, status: Status) {
        session.say_rejection(self.stream, &status);
        session.end(CloseReason::Rejected(status));
    }
}

impl Answer for PlayRequest {
    fn id(&self) -> RequestId {
        self.id
    }

    fn accept(self, session: &mut Session<Server>, _now: Instant) {
        let stream = self.stream;
        session
            .connection
            .send_user_control(&UserControl::StreamBegin(stream));
        if self.reset {
            session.say(
                stream,
                &Status::new(StatusCode::PLAY_RESET, "playlist reset"),
            );
        }
        if self.transition.is_some() {
            session.say(
                stream,
                &Status::new(StatusCode::PLAY_TRANSITION, "changing over"),
            );
        }
        session.say(stream, &Status::new(StatusCode::PLAY_START, "playing"));
        session.queue_sample_access(stream);
        session.remember_name(stream, &self.raw_name);
        if let Some(stream) = session.streams.get_mut(stream) {
            stream.is_paused = false;
        }
        session.set_stream_state(stream, StreamState::Playing);
    }

    fn reject(self, session: &mut Session<Server>, _now: Instant, status: Status) {
        session.say_rejection(self.stream, &status);
        session.end(CloseReason::Rejected(status));
    }
}

impl Answer for SeekRequest {
    fn id(&self) -> RequestId {
        self.id
    }

    fn accept(self, session: &mut Session<Server>, _now: Instant) {
        let stream = self.stream;
        session.say(stream, &Status::new(StatusCode::SEEK_NOTIFY, "seeking"));
        session.say(stream, &Status::new(StatusCode::PLAY_START, "playing"));
    }

    /// `_error` if the player waits for an answer, else a status (CHECKLIST A-30).
    fn reject(self, session: &mut Session<Server>, _now: Instant, status: Status) {
        if self.transaction_id.wants_answer() {
            session.answer_error(self.transaction_id, &status);
        } else {
            session.say_rejection(self.stream, &status);
        }
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
            waiting: None,
            next_request: u64::from_le_bytes(*seed),
        }
    }

    fn handshake(
        _now: Instant,
        _config: &ServerConfig,
        random: [u8; HANDSHAKE_RANDOM_LEN],
    ) -> Handshake {
        Handshake::server(random)
    }

    fn connection_config(config: &ServerConfig) -> &ConnectionConfig {
        &config.connection
    }

    fn event(shared: Shared) -> ServerEvent {
        match shared {
            Shared::StateChanged(state) => ServerEvent::StateChanged(state),
            Shared::Frame { stream, frame } => ServerEvent::Frame { stream, frame },
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
        _now: Instant,
        stream: MessageStreamId,
        command: Command,
    ) {
        if command.name == "connect" {
            return session.on_connect(command);
        }
        if session.phase != Phase::Connected {
            let status = Status::error(StatusCode::CALL_FAILED, "not connected");
            return session.answer_error(command.transaction_id, &status);
        }
        match &*command.name {
            "createStream" => session.on_create_stream(&command),
            "publish" => session.on_publish(stream, &command),
            "play" => session.on_play(stream, &command),
            "play2" => session.on_play2(stream, &command),
            "deleteStream" => session.on_delete_stream(stream, &command),
            "closeStream" => {
                if let Some(stream) = session.streams.resolve(stream, |_| true) {
                    session.stop_stream(stream);
                }
            }
            "pause" | "pauseRaw" => session.on_pause(stream, &command),
            "seek" => session.on_seek(stream, &command),
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

/// Why a command that came at the wrong moment is refused.
fn not_possible(command: &Command, code: &StatusCode) -> Status {
    let mut description = command.name.clone();
    description.push_str(" is not possible on this stream now");
    Status::error(code.clone(), description)
}

/// Text that `Debug` does not show.
struct Secret(String);

impl core::fmt::Debug for Secret {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str("…")
    }
}

/// The capabilities a client declares that the answer echoes: a server that passes every codec and
/// every enhanced header through untouched supports what its clients do.
/// [E-RTMP v2 "Enhancing NetConnection connect Command"]
const ECHOED_CAPABILITIES: &[&str] = &[
    "fourCcList",
    "videoFourCcInfoMap",
    "audioFourCcInfoMap",
    "capsEx",
];

/// `play` without a start: the live stream, else the recorded one. [RTMP 1.0 §7.2.2.1]
const START_DEFAULT: f64 = -2.0;

/// Characters of a client's own words that an answer repeats.
const ECHO_LEN_MAX: usize = 256;
