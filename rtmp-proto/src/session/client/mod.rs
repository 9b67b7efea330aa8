//! The client's role.

mod dialogue;
mod outcome;
mod params;

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
    capabilities::Capabilities,
    chunk::{MessageStreamId, RawMessage},
    config::{ClientConfig, ConnectionConfig},
    error::{CloseReason, RequestError},
    flv::{DataKind, Frame, FrameKind},
    handshake::{HANDSHAKE_RANDOM_LEN, Handshake},
    message::{
        Command, SharedObject, Status, StatusCode, SwfVerification, TransactionId, UserControl,
        encode_set_data_frame,
    },
    time::Instant,
    url::RtmpUrl,
};
#[cfg(feature = "rtmpe")]
use crate::{handshake::HandshakeMode, url::Scheme};

use self::dialogue::failure;
pub use self::{
    outcome::{Playback, SEND_AHEAD},
    params::{ConnectParams, PlayOptions},
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

/// What the server said when it accepted `connect`.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct ConnectInfo {
    /// The server's properties: `fmsVer`, `capabilities`, the enhanced capabilities…
    pub properties: Object,
    /// The information object, if there was one.
    pub status: Option<Status>,
}

impl ConnectInfo {
    /// What the server says it can do, in either place.
    /// [E-RTMP v2 "Enhancing NetConnection connect Command"]
    pub fn capabilities(&self) -> Capabilities {
        let said = Capabilities::from_properties(&self.properties);
        match &self.status {
            Some(status) if said.is_empty() => Capabilities::from_properties(&status.details),
            _ => said,
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
        self.require_scheme(url)?;
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
        self.play_with(now, url, ConnectParams::player(url))
    }

    /// As [`play_from`](Self::play_from), with other parameters for `connect`.
    ///
    /// # Errors
    ///
    /// The session has connected already, or has ended.
    pub fn play_with(
        &mut self,
        now: Instant,
        url: &RtmpUrl,
        params: ConnectParams,
    ) -> Result<(), RequestError> {
        self.require_scheme(url)?;
        self.connect(now, params)?;
        self.role.goal = Some(Goal::Play(url.stream().to_owned()));
        Ok(())
    }

    /// Nobody who asks for encryption shall go without.
    #[cfg(feature = "rtmpe")]
    fn require_scheme(&self, url: &RtmpUrl) -> Result<(), RequestError> {
        let is_asked_for = match url.scheme() {
            Scheme::Rtmpe => true,
            #[cfg(feature = "rtmpt")]
            Scheme::Rtmpte => true,
            _ => false,
        };
        match is_asked_for && self.config.handshake != HandshakeMode::Encrypted {
            true => Err(RequestError::NotEncrypted),
            false => Ok(()),
        }
    }

    #[cfg(not(feature = "rtmpe"))]
    fn require_scheme(&self, _url: &RtmpUrl) -> Result<(), RequestError> {
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

    fn swf(config: &ClientConfig) -> Option<SwfVerification> {
        config.swf_verification
    }

    #[inline]
    fn event(shared: Shared) -> ClientEvent {
        match shared {
            Shared::StateChanged(state) => ClientEvent::StateChanged(state),
            Shared::Frame { stream, frame } => ClientEvent::Frame { stream, frame },
            Shared::SharedObject(message) => ClientEvent::SharedObject(message),
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
