//! The client's role.

use alloc::{borrow::ToOwned, string::String, vec::Vec};
use core::fmt;

use bytes::Bytes;

use super::{
    Phase, Role, Session,
    call::{Call, Purpose, RESULT, Response},
    request::PublishKind,
    role::{Behaviour, Shared},
    state::{SessionState, StreamState},
};
use crate::{
    amf::{Object, Value},
    chunk::{MessageStreamId, RawMessage},
    config::{ClientConfig, ConnectionConfig},
    error::{CloseReason, RequestError, Timeout},
    flv::{DataKind, Frame, FrameKind},
    handshake::{HANDSHAKE_RANDOM_LEN, Handshake},
    message::{
        Command, Control, Level, Status, StatusCode, TransactionId, UserControl,
        encode_set_data_frame,
    },
    time::Instant,
    url::RtmpUrl,
};

/// The client's role in a [`Session`].
#[derive(Debug, Default)]
pub struct Client {
    /// `connect` was asked for before the handshake was done.
    connect_when_open: Option<ConnectParams>,
    /// What the session was asked to do in one call.
    goal: Option<Goal>,
    has_checked_bandwidth: bool,
}

/// What happens on a client session.
#[derive(Debug)]
#[non_exhaustive]
pub enum ClientEvent {
    /// The session moved on.
    StateChanged(SessionState),
    /// The server accepted `connect`.
    Connected(ConnectInfo),
    /// The server created a message stream.
    StreamCreated {
        /// What `create_stream` returned.
        transaction_id: TransactionId,
        /// The new stream.
        stream: MessageStreamId,
    },
    /// The server accepted `publish`: media may be sent.
    Publishing {
        /// The stream.
        stream: MessageStreamId,
    },
    /// The server accepted `play`: media comes when there is some.
    Playing {
        /// The stream.
        stream: MessageStreamId,
    },
    /// The server refused a single step: `createStream` (stream 0), `publish` or `play`.
    Refused {
        /// The stream, idle again.
        stream: MessageStreamId,
        /// Why.
        status: Status,
    },
    /// Any other status.
    Status {
        /// The stream it is about; 0 for the connection.
        stream: MessageStreamId,
        /// What the server says.
        status: Status,
    },
    /// Audio, video or data of a playing stream.
    Frame {
        /// The stream.
        stream: MessageStreamId,
        /// The frame.
        frame: Frame,
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

/// What the server said when it accepted `connect`.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct ConnectInfo {
    /// The server's properties: `fmsVer`, `capabilities`, the enhanced capabilities…
    pub properties: Object,
    /// The information object, if there was one.
    pub status: Option<Status>,
}

/// The command object of `connect`, and the arguments after it.
///
/// [RTMP 1.0 §7.2.1.1]
#[derive(Clone, PartialEq)]
pub struct ConnectParams {
    properties: Object,
    arguments: Vec<Value>,
    /// `flashVer` is filled in from the configuration.
    is_player: bool,
}

impl ConnectParams {
    /// What an encoder sends: as OBS and FMLE do.
    pub fn publisher(url: &RtmpUrl) -> Self {
        let tc_url = url.tc_url();
        Self {
            properties: Object::new()
                .with("app", url.app())
                .with("type", "nonprivate")
                .with("flashVer", "")
                .with("swfUrl", tc_url.as_str())
                .with("tcUrl", tc_url.as_str()),
            arguments: Vec::new(),
            is_player: false,
        }
    }

    /// What a player sends: as ffmpeg does, with the enhanced codecs besides (mediamtx sends HEVC,
    /// AV1 or VP9 only to players that name them).
    pub fn player(url: &RtmpUrl) -> Self {
        let codecs = ENHANCED_CODECS.iter().map(|&codec| Value::from(codec));
        Self {
            properties: Object::new()
                .with("app", url.app())
                .with("flashVer", "")
                .with("tcUrl", url.tc_url().as_str())
                .with("fpad", false)
                .with("capabilities", 15.0)
                .with("audioCodecs", AUDIO_CODECS)
                .with("videoCodecs", VIDEO_CODECS)
                .with("videoFunction", 1.0)
                .with("fourCcList", Value::StrictArray(codecs.collect())),
            arguments: Vec::new(),
            is_player: true,
        }
    }

    /// These parameters of a client that connects elsewhere when it is asked to, as a
    /// [`Reconnect`](crate::Reconnect) decides.
    ///
    /// [E-RTMP v2 "Enhancing NetConnection connect Command"]
    #[must_use]
    pub fn reconnecting(self) -> Self {
        self.with_property("capsEx", CAPS_EX_RECONNECT)
    }

    /// These parameters with one more property, or another value of one.
    #[must_use]
    pub fn with_property(mut self, name: &str, value: impl Into<Value>) -> Self {
        self.properties.insert(name, value);
        self
    }

    /// These parameters with one more argument after the command object.
    #[must_use]
    pub fn with_argument(mut self, value: impl Into<Value>) -> Self {
        self.arguments.push(value.into());
        self
    }
}

impl fmt::Debug for ConnectParams {
    /// Leaves out what may hold tokens.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ConnectParams").finish_non_exhaustive()
    }
}

/// What to play: the arguments of `play` after the name.
///
/// [RTMP 1.0 §7.2.2.1]
#[derive(Clone, Copy, Debug, PartialEq)]
#[non_exhaustive]
pub struct PlayOptions {
    /// -2 the live stream, else the recorded one; -1 live only; from 0 on a position in a recording,
    /// in seconds. Default -2.
    pub start: f64,
    /// Seconds to play; negative for all. Not sent if negative. Default -1.
    pub duration: f64,
    /// Whether earlier entries of the playlist go. Not sent if true. Default true.
    pub reset: bool,
}

impl Default for PlayOptions {
    fn default() -> Self {
        Self {
            start: -2.0,
            duration: -1.0,
            reset: true,
        }
    }
}

/// One call for the whole way.
impl Session<Client> {
    /// Publishes to `url`: connects, announces the stream, creates it and publishes. Media may be sent
    /// from [`ClientEvent::Publishing`] on. If the server refuses any step, the session ends with
    /// [`CloseReason::Refused`].
    ///
    /// # Errors
    ///
    /// The session has connected already, or has ended.
    pub fn publish_to(&mut self, now: Instant, url: &RtmpUrl) -> Result<(), RequestError> {
        self.publish_with(now, url, ConnectParams::publisher(url))
    }

    /// As [`publish_to`](Self::publish_to), with other parameters for `connect`: what the application
    /// can do besides ([`ConnectParams::reconnecting`]), or what the server wants to know.
    ///
    /// # Errors
    ///
    /// The session has connected already, or has ended.
    pub fn publish_with(
        &mut self,
        now: Instant,
        url: &RtmpUrl,
        params: ConnectParams,
    ) -> Result<(), RequestError> {
        self.connect(now, params)?;
        self.role.goal = Some(Goal::Publish(url.stream().to_owned()));
        Ok(())
    }

    /// Plays `url`: connects, creates a stream and plays. Media comes from [`ClientEvent::Playing`]
    /// on. If the server refuses any step, the session ends with [`CloseReason::Refused`].
    ///
    /// # Errors
    ///
    /// The session has connected already, or has ended.
    pub fn play_from(&mut self, now: Instant, url: &RtmpUrl) -> Result<(), RequestError> {
        self.connect(now, ConnectParams::player(url))?;
        self.role.goal = Some(Goal::Play(url.stream().to_owned()));
        Ok(())
    }
}

/// Single steps.
impl Session<Client> {
    /// Sends `connect`, as soon as the handshake is done. Answered by [`ClientEvent::Connected`], or
    /// by the end of the session.
    ///
    /// # Errors
    ///
    /// The session has connected already, or has ended.
    pub fn connect(&mut self, now: Instant, params: ConnectParams) -> Result<(), RequestError> {
        match self.phase {
            Phase::Open => {
                self.require_room()?;
                self.queue_connect(now, params)
            }
            Phase::Handshaking if self.role.connect_when_open.is_none() => {
                self.role.connect_when_open = Some(params);
                Ok(())
            }
            Phase::Closed => Err(RequestError::Closed),
            _ => Err(RequestError::WrongState),
        }
    }

    /// Asks for a message stream. Answered by [`ClientEvent::StreamCreated`] or
    /// [`ClientEvent::Refused`]. [RTMP 1.0 §7.2.1.3]
    ///
    /// # Errors
    ///
    /// The session is not connected, or too much waits already.
    pub fn create_stream(&mut self, now: Instant) -> Result<TransactionId, RequestError> {
        self.require(Phase::Connected)?;
        self.require_room()?;
        self.queue_create_stream(now)
    }

    /// Asks to publish on an idle stream. Answered by [`ClientEvent::Publishing`] or
    /// [`ClientEvent::Refused`]. [RTMP 1.0 §7.2.2.6]
    ///
    /// # Errors
    ///
    /// The stream is not idle, or too much waits already.
    pub fn publish(
        &mut self,
        now: Instant,
        stream: MessageStreamId,
        name: &str,
        kind: PublishKind,
    ) -> Result<(), RequestError> {
        self.require_stream(stream, |state| state == StreamState::Idle)?;
        self.require_room()?;
        self.queue_publish(now, stream, name, kind)
    }

    /// Asks to play on an idle stream, or to change what plays. Answered by
    /// [`ClientEvent::Playing`] or [`ClientEvent::Refused`]. [RTMP 1.0 §7.2.2.1]
    ///
    /// # Errors
    ///
    /// The stream is publishing or waits for an answer, or too much waits already.
    pub fn play(
        &mut self,
        now: Instant,
        stream: MessageStreamId,
        name: &str,
        options: PlayOptions,
    ) -> Result<(), RequestError> {
        self.require_stream(stream, |state| {
            matches!(state, StreamState::Idle | StreamState::Playing)
        })?;
        self.require_room()?;
        self.queue_play(now, stream, name, options)
    }

    /// Changes what plays, with the options of NetStreamPlayOptions (`streamName`, `oldStreamName`,
    /// `start`, `len`, `offset`, `transition`). [RTMP 1.0 §7.2.2.2]
    ///
    /// # Errors
    ///
    /// The stream does not play, or too much waits already.
    pub fn play2(&mut self, stream: MessageStreamId, options: Object) -> Result<(), RequestError> {
        self.player_command(stream, "play2", [options.into()])
    }

    /// Pauses (`true`) or resumes at `millis` of the stream. [RTMP 1.0 §7.2.2.8]
    ///
    /// # Errors
    ///
    /// The stream does not play, or too much waits already.
    pub fn pause(
        &mut self,
        stream: MessageStreamId,
        is_paused: bool,
        millis: f64,
    ) -> Result<(), RequestError> {
        self.player_command(stream, "pause", [is_paused.into(), millis.into()])
    }

    /// Goes to `millis` of the stream. [RTMP 1.0 §7.2.2.7]
    ///
    /// # Errors
    ///
    /// The stream does not play, or too much waits already.
    pub fn seek(&mut self, stream: MessageStreamId, millis: f64) -> Result<(), RequestError> {
        self.player_command(stream, "seek", [millis.into()])
    }

    /// Turns the audio of a playing stream on or off. [RTMP 1.0 §7.2.2.4]
    ///
    /// # Errors
    ///
    /// The stream does not play, or too much waits already.
    pub fn receive_audio(
        &mut self,
        stream: MessageStreamId,
        is_on: bool,
    ) -> Result<(), RequestError> {
        self.player_command(stream, "receiveAudio", [is_on.into()])
    }

    /// Turns the video of a playing stream on or off. [RTMP 1.0 §7.2.2.5]
    ///
    /// # Errors
    ///
    /// The stream does not play, or too much waits already.
    pub fn receive_video(
        &mut self,
        stream: MessageStreamId,
        is_on: bool,
    ) -> Result<(), RequestError> {
        self.player_command(stream, "receiveVideo", [is_on.into()])
    }

    /// Ends publishing or playing on `stream`, which stays.
    ///
    /// # Errors
    ///
    /// There is no such stream, or too much waits already.
    pub fn close_stream(&mut self, stream: MessageStreamId) -> Result<(), RequestError> {
        self.require_stream(stream, |_| true)?;
        self.send_command(stream, &Command::new("closeStream", TransactionId::NONE))?;
        self.set_stream_state(stream, StreamState::Idle);
        self.settle();
        Ok(())
    }

    /// Ends publishing or playing on `stream` and gives it back. [RTMP 1.0 §7.2.2.3]
    ///
    /// # Errors
    ///
    /// There is no such stream, or too much waits already.
    pub fn delete_stream(&mut self, stream: MessageStreamId) -> Result<(), RequestError> {
        self.require_stream(stream, |_| true)?;
        self.require_room()?;
        self.queue_delete_stream(stream);
        self.streams.remove(stream);
        self.settle();
        self.announce_state();
        Ok(())
    }

    /// Asks the server to free the name `stream_name` of a publisher that is gone (FMLE).
    ///
    /// # Errors
    ///
    /// The session is not connected, or too much waits already.
    pub fn release_stream(&mut self, stream_name: &str) -> Result<(), RequestError> {
        self.courtesy("releaseStream", stream_name)
    }

    /// Announces that `stream_name` will be published (FMLE).
    ///
    /// # Errors
    ///
    /// The session is not connected, or too much waits already.
    pub fn fc_publish(&mut self, stream_name: &str) -> Result<(), RequestError> {
        self.courtesy("FCPublish", stream_name)
    }

    /// Announces that `stream_name` is not published any more (FMLE).
    ///
    /// # Errors
    ///
    /// The session is not connected, or too much waits already.
    pub fn fc_unpublish(&mut self, stream_name: &str) -> Result<(), RequestError> {
        self.courtesy("FCUnpublish", stream_name)
    }

    /// Subscribes to `stream_name` at a CDN's edge (Limelight, Akamai).
    ///
    /// # Errors
    ///
    /// The session is not connected, or too much waits already.
    pub fn fc_subscribe(&mut self, stream_name: &str) -> Result<(), RequestError> {
        self.courtesy("FCSubscribe", stream_name)
    }

    /// Asks for the length of a recording; the answer is an event `Response`.
    ///
    /// # Errors
    ///
    /// The session is not connected, or too much waits already.
    pub fn get_stream_length(&mut self, stream_name: &str) -> Result<TransactionId, RequestError> {
        self.call("getStreamLength", Value::Null, [stream_name.into()])
    }

    fn queue_connect(&mut self, now: Instant, params: ConnectParams) -> Result<(), RequestError> {
        let version = match params.is_player {
            true => &self.config.player_version,
            false => &self.config.publisher_version,
        };
        let mut properties = params.properties;
        if properties.get("flashVer").and_then(Value::as_str) == Some("") {
            properties.insert("flashVer", version.as_str());
        }
        let chunk_size = self.config.connection.chunk_size;
        let mut command = Command::new("connect", TransactionId::NONE).with_object(properties);
        command.arguments = params.arguments;
        let length = command.encode().len();
        if length > RawMessage::MAX_PAYLOAD_LEN {
            return Err(RequestError::TooLong { length });
        }
        // Before connect, as OBS: it may be longer than one initial chunk.
        self.connection
            .send_control(Control::SetChunkSize(chunk_size));
        self.queue_call(MessageStreamId::CONTROL, command, Purpose::Connect)?;
        self.deadline = Some((now + self.limits().connect_timeout, Timeout::Connect));
        self.enter(Phase::Connecting);
        Ok(())
    }

    fn queue_create_stream(&mut self, now: Instant) -> Result<TransactionId, RequestError> {
        let command = Command::new("createStream", TransactionId::NONE);
        let id = self.queue_call(MessageStreamId::CONTROL, command, Purpose::CreateStream)?;
        self.expect_answer(now);
        Ok(id)
    }

    fn queue_publish(
        &mut self,
        now: Instant,
        stream: MessageStreamId,
        name: &str,
        kind: PublishKind,
    ) -> Result<(), RequestError> {
        let command = Command::new("publish", TransactionId::NONE)
            .with(name)
            .with(kind.name());
        self.queue_call(stream, command, Purpose::Start(stream))?;
        self.begin_stream(now, stream, name, StreamState::PublishRequested);
        Ok(())
    }

    fn queue_play(
        &mut self,
        now: Instant,
        stream: MessageStreamId,
        name: &str,
        options: PlayOptions,
    ) -> Result<(), RequestError> {
        let mut command = Command::new("play", TransactionId::NONE)
            .with(name)
            .with(options.start);
        if options.duration >= 0.0 || !options.reset {
            command = command.with(options.duration);
        }
        if !options.reset {
            command = command.with(options.reset);
        }
        self.queue_call(stream, command, Purpose::Start(stream))?;
        self.begin_stream(now, stream, name, StreamState::PlayRequested);
        let millis = self.config.buffer.as_millis();
        let millis = u32::try_from(millis).unwrap_or(u32::MAX);
        self.connection
            .send_user_control(&UserControl::SetBufferLength { stream, millis });
        Ok(())
    }

    fn courtesy(&mut self, name: &str, stream_name: &str) -> Result<(), RequestError> {
        self.require(Phase::Connected)?;
        self.require_room()?;
        self.queue_courtesy(name, stream_name)
    }

    fn queue_courtesy(&mut self, name: &str, stream_name: &str) -> Result<(), RequestError> {
        let command = Command::new(name, TransactionId::NONE).with(stream_name);
        self.queue_call(MessageStreamId::CONTROL, command, Purpose::Courtesy)?;
        Ok(())
    }

    fn player_command<const N: usize>(
        &mut self,
        stream: MessageStreamId,
        name: &str,
        arguments: [Value; N],
    ) -> Result<(), RequestError> {
        self.require_stream(stream, |state| state == StreamState::Playing)?;
        self.notify(stream, name, Value::Null, arguments)
    }

    fn queue_delete_stream(&mut self, stream: MessageStreamId) {
        let command = Command::new("deleteStream", TransactionId::NONE);
        self.reply(&command.with(f64::from(stream.get())));
    }

    fn expect_answer(&mut self, now: Instant) {
        self.deadline = Some((now + self.limits().request_timeout, Timeout::Request));
    }

    /// Stops the clock once no request waits for its answer: it came, or was taken back.
    fn settle(&mut self) {
        let is_requested = self.streams.any_in(StreamState::PublishRequested)
            || self.streams.any_in(StreamState::PlayRequested);
        if !is_requested && !self.calls.any_for(Purpose::CreateStream) {
            self.deadline = None;
        }
    }

    /// A stream that plays already goes on until the server changes over, so nothing is waited for.
    fn begin_stream(
        &mut self,
        now: Instant,
        id: MessageStreamId,
        name: &str,
        requested: StreamState,
    ) {
        if let Some(stream) = self.streams.get_mut(id) {
            name.clone_into(&mut stream.name);
            if stream.state == StreamState::Idle {
                self.set_stream_state(id, requested);
                self.expect_answer(now);
            }
        }
    }

    /// Takes the next step to the goal; what cannot be sent now never can, so it is the end.
    fn pursue(&mut self, step: impl FnOnce(&mut Self) -> Result<(), RequestError>) {
        if self.role.goal.is_some() && step(self).is_err() {
            self.end(CloseReason::Local);
        }
    }

    fn on_connected(&mut self, now: Instant, response: Response) {
        let info = ConnectInfo {
            status: response.status(),
            properties: response.object.as_object().cloned().unwrap_or_default(),
        };
        self.deadline = None;
        self.enter(Phase::Connected);
        self.emit(ClientEvent::Connected(info));
        self.pursue(|session| {
            if let Some(Goal::Publish(name)) = session.role.goal.clone() {
                session.queue_courtesy("releaseStream", &name)?;
                session.queue_courtesy("FCPublish", &name)?;
            }
            session.queue_create_stream(now).map(drop)
        });
    }

    fn on_stream_created(&mut self, now: Instant, response: &Response) {
        let stream = match *response.value() {
            Value::Number(id) if response.is_success => stream_id(id),
            _ => None,
        };
        self.settle();
        let Some(stream) = stream else {
            let status = failure(response, StatusCode::STREAM_FAILED);
            return self.on_refused(MessageStreamId::CONTROL, status);
        };
        self.streams.create(stream);
        self.emit(ClientEvent::StreamCreated {
            transaction_id: response.transaction_id,
            stream,
        });
        if self.stream_state(stream) != Some(StreamState::Idle) {
            return;
        }
        self.pursue(|session| match session.role.goal.clone() {
            Some(Goal::Publish(name)) => {
                session.queue_publish(now, stream, &name, PublishKind::Live)
            }
            Some(Goal::Play(name)) => {
                session.queue_play(now, stream, &name, PlayOptions::default())
            }
            None => Ok(()),
        });
    }

    /// The goal is reached with this: what comes after it fails or succeeds on its own.
    fn start_stream(&mut self, stream: MessageStreamId, state: StreamState) {
        self.role.goal = None;
        self.set_stream_state(stream, state);
        self.settle();
    }

    fn on_refused(&mut self, stream: MessageStreamId, status: Status) {
        self.set_stream_state(stream, StreamState::Idle);
        self.settle();
        match self.role.goal {
            Some(_) => self.end(CloseReason::Refused(status)),
            None => self.emit(ClientEvent::Refused { stream, status }),
        }
    }

    /// A status belongs to the stream it came on. Servers that send all of them on stream 0 or on a
    /// wrong one are understood as long as one stream only can be meant.
    fn on_status(&mut self, stream: MessageStreamId, status: Status) {
        if END_OF_CONNECTION.contains(&status.code) {
            return self.end(CloseReason::Peer(Some(status)));
        }
        if self.phase == Phase::Connecting && is_refusal(&status) {
            return self.end(CloseReason::Refused(status));
        }
        let in_use = |state| state != StreamState::Idle;
        let target = self.streams.resolve(stream, in_use).unwrap_or(stream);
        match self.stream_state(target) {
            Some(StreamState::PublishRequested) if status.code == StatusCode::PUBLISH_START => {
                self.start_stream(target, StreamState::Publishing);
                return self.emit(ClientEvent::Publishing { stream: target });
            }
            Some(StreamState::PlayRequested) if status.code == StatusCode::PLAY_START => {
                self.start_stream(target, StreamState::Playing);
                return self.emit(ClientEvent::Playing { stream: target });
            }
            Some(StreamState::PublishRequested | StreamState::PlayRequested)
                if is_refusal(&status) =>
            {
                return self.on_refused(target, status);
            }
            Some(StreamState::Publishing) if status.code == StatusCode::UNPUBLISH_SUCCESS => {
                self.set_stream_state(target, StreamState::Idle);
            }
            _ => {}
        }
        self.emit(ClientEvent::Status {
            stream: target,
            status,
        });
    }
}

impl Role for Client {}

impl Behaviour for Client {
    type Config = ClientConfig;
    type Event = ClientEvent;

    const RECEIVING: StreamState = StreamState::Playing;
    const SENDING: StreamState = StreamState::Publishing;
    const IDLE_LIMITED: bool = false;

    fn new(_random: &[u8; HANDSHAKE_RANDOM_LEN]) -> Self {
        Self::default()
    }

    fn handshake(
        now: Instant,
        config: &ClientConfig,
        random: [u8; HANDSHAKE_RANDOM_LEN],
    ) -> Handshake {
        Handshake::client(now, config.handshake, random)
    }

    fn connection_config(config: &ClientConfig) -> &ConnectionConfig {
        &config.connection
    }

    fn event(shared: Shared) -> ClientEvent {
        match shared {
            Shared::StateChanged(state) => ClientEvent::StateChanged(state),
            Shared::Frame { stream, frame } => ClientEvent::Frame { stream, frame },
            Shared::UserControl(event) => ClientEvent::UserControl(event),
            Shared::Call(call) => ClientEvent::Call(call),
            Shared::Response(response) => ClientEvent::Response(response),
            Shared::Unhandled(raw) => ClientEvent::Unhandled(raw),
            Shared::Closed(reason) => ClientEvent::Closed(reason),
        }
    }

    fn is_waiting(&self) -> bool {
        false
    }

    fn outgoing_payload(frame: &Frame) -> Bytes {
        match frame.kind {
            FrameKind::Data(DataKind::Metadata) => encode_set_data_frame(&frame.payload),
            _ => frame.payload.clone(),
        }
    }

    fn on_open(session: &mut Session<Self>, now: Instant) {
        if let Some(params) = session.role.connect_when_open.take()
            && session.queue_connect(now, params).is_err()
        {
            // Only a command object of 16 MiB and more gets here.
            session.end(CloseReason::Local);
        }
    }

    fn on_command(
        session: &mut Session<Self>,
        _now: Instant,
        stream: MessageStreamId,
        command: Command,
    ) {
        match &*command.name {
            "onStatus" => match command.arguments.iter().find_map(Status::from_value) {
                Some(status) => session.on_status(stream, status),
                None => session.connection.count_ignored(),
            },
            "close" => session.end(CloseReason::Peer(None)),
            // FMS measures the bandwidth of clients that ask back, once.
            "onBWDone" if !session.role.has_checked_bandwidth => {
                session.role.has_checked_bandwidth = true;
                let command = Command::new("_checkbw", TransactionId::NONE);
                let asked = session.send_call(MessageStreamId::CONTROL, command, Purpose::Courtesy);
                // Nothing depends on it.
                drop(asked);
            }
            "_onbwcheck" if command.transaction_id.wants_answer() => {
                session.reply(&Command::new(RESULT, command.transaction_id).with(0.0));
            }
            _ => session.emit(ClientEvent::Call(Call { stream, command })),
        }
    }

    fn on_response(
        session: &mut Session<Self>,
        now: Instant,
        purpose: Purpose,
        response: Response,
    ) {
        match purpose {
            Purpose::Connect if response.is_success => session.on_connected(now, response),
            Purpose::Connect => {
                let status = failure(&response, StatusCode::CONNECT_FAILED);
                session.end(CloseReason::Refused(status));
            }
            Purpose::CreateStream => session.on_stream_created(now, &response),
            Purpose::Start(stream) if !response.is_success => {
                let status = failure(&response, StatusCode::STREAM_FAILED);
                session.on_refused(stream, status);
            }
            // `publish` and `play` have begun when a status says so.
            Purpose::Start(_) | Purpose::Courtesy => {}
            Purpose::Application => session.emit(ClientEvent::Response(response)),
        }
    }

    /// Ends every stream as FMLE does, so that the server need not wait for the connection to drop.
    fn on_close(session: &mut Session<Self>) {
        let active = session
            .streams
            .iter()
            .filter(|stream| stream.state != StreamState::Idle)
            .map(|stream| (stream.id, stream.state, stream.name.clone()))
            .collect::<Vec<_>>();
        for (stream, state, name) in active {
            if state == StreamState::Publishing {
                // Refused only when the queue is full, and then the end of the connection says it.
                drop(session.fc_unpublish(&name));
            }
            session.queue_delete_stream(stream);
        }
    }
}

/// What a session was asked to do in one call, with the stream name.
#[derive(Clone)]
enum Goal {
    Publish(String),
    Play(String),
}

impl fmt::Debug for Goal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Publish(_) => "Publish",
            Self::Play(_) => "Play",
        })
    }
}

/// The number of a new stream, unless it is one that cannot be.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "checked against the range first"
)]
fn stream_id(number: f64) -> Option<MessageStreamId> {
    let is_valid = (1.0..=f64::from(u32::MAX)).contains(&number);
    is_valid.then(|| MessageStreamId::new(number as u32))
}

/// The status of an answer that says no.
fn failure(response: &Response, otherwise: StatusCode) -> Status {
    response
        .status()
        .unwrap_or_else(|| Status::error(otherwise, "the server gives no reason"))
}

/// Whether a status that comes instead of "started" means "no". Some servers leave the level out.
fn is_refusal(status: &Status) -> bool {
    status.level == Level::Error || REFUSALS.contains(&status.code)
}

/// Codes with which a server ends the connection.
const END_OF_CONNECTION: [StatusCode; 2] =
    [StatusCode::CONNECT_CLOSED, StatusCode::CONNECT_APP_SHUTDOWN];

/// Codes that refuse `publish` or `play` whatever their level (the list of OBS, and mediamtx's own).
const REFUSALS: [StatusCode; 8] = [
    StatusCode::STREAM_FAILED,
    StatusCode::CONNECT_INVALID_APP,
    StatusCode::PUBLISH_BAD_NAME,
    StatusCode::PUBLISH_DENIED,
    StatusCode::PUBLISH_REJECTED,
    StatusCode::PUBLISH_UNAUTHORIZED,
    StatusCode::PLAY_FAILED,
    StatusCode::PLAY_STREAM_NOT_FOUND,
];

/// ffmpeg's values: every audio codec but the reserved one, every video codec since Sorenson.
const AUDIO_CODECS: f64 = 4071.0;
const VIDEO_CODECS: f64 = 252.0;

/// The flag `Reconnect` of `capsEx`.
const CAPS_EX_RECONNECT: f64 = 1.0;

/// [E-RTMP v2 "Enhancing NetConnection connect Command"]
const ENHANCED_CODECS: &[&str] = &[
    "av01", "vp09", "vp08", "hvc1", "avc1", "vvc1", "ac-3", "ec-3", "Opus", ".mp3", "fLaC", "mp4a",
];
