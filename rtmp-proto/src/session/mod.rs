//! Sessions: handshake, commands and message streams of one connection, for either role.

mod call;
mod client;
mod request;
mod role;
mod server;
mod state;

use alloc::{collections::VecDeque, sync::Arc, vec::Vec};
use core::fmt;

use bytes::{Buf, Bytes};

use self::{
    call::{ERROR, PendingCalls, Purpose, RESULT},
    role::{Behaviour, Shared},
    state::{Stream, Streams},
};
use crate::{
    amf::Value,
    chunk::{ChunkStreamId, MessageStreamId, MessageType, PayloadTooLong, RawMessage},
    connection::Connection,
    error::{CloseReason, Error, RequestError, SendError, Timeout},
    flv::Frame,
    handshake::{HANDSHAKE_RANDOM_LEN, HandshakeReport},
    limits::Limits,
    message::{
        AggregateBuilder, Command, Message, SharedObject, Status, TransactionId, UserControl,
        decode_frame,
    },
    stats::Stats,
    time::Instant,
    timestamp::Timestamp,
    transmit::Transmit,
};

pub use self::{
    call::{Call, Response},
    client::{Client, ClientEvent, ConnectInfo, ConnectParams, PlayOptions, Playback, SEND_AHEAD},
    request::{
        ConnectRequest, PlayRequest, PublishKind, PublishRequest, Request, SeekRequest, Transition,
    },
    server::{Server, ServerEvent},
    state::{SessionState, StreamState},
};

/// The client's end of a connection.
pub type ClientSession = Session<Client>;

/// The server's end of a connection.
pub type ServerSession = Session<Server>;

/// One end of an RTMP connection: a deterministic state machine without input or output of its own.
///
/// Four families of methods:
///
/// - *queries* look and change nothing;
/// - `handle_*` tell what happened: input, its end, time. They cannot fail; the outcome is an event;
/// - *commands* ask for something. On `Err` nothing has changed;
/// - `poll_*` take what is ready: an event, output, the next deadline. Any order, any number of times.
///
/// Whatever ends the session, its last event is `Closed`, exactly once. Output queued before it stays
/// available: write it, then shut the transport down. After it handlers do nothing and commands
/// return an error.
pub struct Session<R: Role> {
    config: Arc<R::Config>,
    connection: Connection,
    phase: Phase,
    streams: Streams,
    calls: PendingCalls,
    events: VecDeque<R::Event>,
    announced: SessionState,
    deadline: Option<(Instant, Timeout)>,
    close_reason: Option<CloseReason>,
    /// Whether the event `Closed` is still to come.
    owes_closed: bool,
    role: R,
}

/// Client or server. Sealed.
pub trait Role: Behaviour {}

/// Progress of the connection itself; message streams add to it ([`SessionState`]).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    Handshaking,
    Open,
    Connecting,
    Connected,
    Closed,
}

/// Arrivals and time.
impl<R: Role> Session<R> {
    /// A session at the beginning of a fresh connection.
    ///
    /// `random` seeds the handshake's filler; it need not be secret, only different each time. For
    /// RTMPE it is the private key and must be unpredictable.
    pub fn new(now: Instant, config: Arc<R::Config>, random: [u8; HANDSHAKE_RANDOM_LEN]) -> Self {
        let handshake = R::handshake(now, &config, random);
        let connection_config = R::connection_config(&config);
        let limits = &connection_config.limits;
        Self {
            connection: Connection::new(now, handshake, connection_config, R::swf(&config)),
            phase: Phase::Handshaking,
            streams: Streams::new(connection_config.leniency.misplaced_messages),
            calls: PendingCalls::default(),
            events: VecDeque::new(),
            announced: SessionState::Handshaking,
            deadline: Some((now + limits.handshake_timeout, Timeout::Handshake)),
            close_reason: None,
            owes_closed: false,
            role: R::new(&random),
            config,
        }
    }

    /// Consumes `input` up to the end of one message that produced an event, or all of it.
    ///
    /// Does nothing while an event or a request waits, the peer does not take our output, or the
    /// session is closed. So bytes left in `input` mean: take the events, answer the request they
    /// brought, write the output, and call again. Any split of the input gives the same events.
    ///
    /// However long the input is, no more than two events wait after it, and `Closed`: a command may
    /// change the state and begin or end something.
    pub fn handle_input(&mut self, now: Instant, input: &mut impl Buf) {
        while self.is_receptive() {
            match self.receive(now, input) {
                Ok(true) => {}
                Ok(false) => break,
                Err(error) => self.end(error.into()),
            }
        }
    }

    /// The peer will send nothing more: the session ends.
    pub fn handle_eof(&mut self, _now: Instant) {
        self.end(CloseReason::EndOfInput {
            mid_message: self.connection.is_mid_message(),
        });
    }

    /// Time has passed. Calling it early does nothing; calling it at the moment
    /// [`poll_timeout`](Self::poll_timeout) gave always makes progress.
    pub fn handle_timeout(&mut self, now: Instant) {
        if self.is_closed() {
            return;
        }
        if let Some((_, timeout)) = self.deadline.filter(|(at, _)| now >= *at) {
            self.end(CloseReason::Timeout(timeout));
        } else if self.first_media_deadline().is_some_and(|at| now >= at) {
            self.end(CloseReason::Timeout(Timeout::FirstMedia));
        } else if self.idle_deadline().is_some_and(|at| now >= at) {
            self.end(CloseReason::Timeout(Timeout::Idle));
        } else if let Err(timeout) = self.connection.handle_timeout(now, self.is_listening()) {
            self.end(CloseReason::Timeout(timeout));
        }
    }

    /// The next event.
    #[must_use = "an event that is not looked at is lost"]
    pub fn poll_event(&mut self) -> Option<R::Event> {
        if self.connection.has_parts() {
            self.take_parts();
        }
        match self.events.is_empty() {
            false => self.events.pop_front(),
            true if self.owes_closed => self.take_closed(),
            true => None,
        }
    }

    /// What waits to be written, if anything.
    pub fn poll_transmit(&mut self) -> Option<Transmit<'_>> {
        self.connection.poll_transmit()
    }

    /// The next moment at which [`handle_timeout`](Self::handle_timeout) has something to do.
    /// It changes with every other call.
    #[must_use]
    pub fn poll_timeout(&self) -> Option<Instant> {
        if self.is_closed() {
            return None;
        }
        let phase = self.deadline.map(|(at, _)| at);
        let connection = self.connection.poll_timeout(self.is_listening());
        let (first_media, idle) = (self.first_media_deadline(), self.idle_deadline());
        let deadlines = [phase, first_media, idle, connection];
        deadlines.into_iter().flatten().min()
    }
}

/// Queries.
impl<R: Role> Session<R> {
    /// Whether input can be taken now: no event waits, nor a part of an aggregate that may become
    /// one, no request waits for the application's answer, the peer takes our output, and the session
    /// is not closed.
    pub fn wants_read(&self) -> bool {
        self.is_receptive() && !self.connection.has_parts()
    }

    /// Whether the session has ended. Events and output may still wait.
    pub fn is_closed(&self) -> bool {
        self.phase == Phase::Closed
    }

    /// Why the session ended, once it has.
    pub fn close_reason(&self) -> Option<&CloseReason> {
        self.close_reason.as_ref()
    }

    /// Bytes of output that wait to be written.
    pub fn queued_len(&self) -> usize {
        self.connection.queued_len()
    }

    /// Where the session stands.
    pub fn state(&self) -> SessionState {
        match self.phase {
            Phase::Handshaking => SessionState::Handshaking,
            Phase::Open => SessionState::Open,
            Phase::Connecting => SessionState::Connecting,
            Phase::Closed => SessionState::Closed,
            Phase::Connected if self.streams.any_in(StreamState::Publishing) => {
                SessionState::Publishing
            }
            Phase::Connected if self.streams.any_in(StreamState::Playing) => SessionState::Playing,
            Phase::Connected => SessionState::Connected,
        }
    }

    /// Where the message stream `stream` stands, `None` if there is none.
    pub fn stream_state(&self, stream: MessageStreamId) -> Option<StreamState> {
        Some(self.streams.get(stream)?.state)
    }

    /// What was done so far.
    pub fn stats(&self) -> Stats {
        self.connection.stats()
    }

    /// How the handshake went: which variant ran, and whether the peer's answer was right.
    pub fn handshake_report(&self) -> &HandshakeReport {
        self.connection.handshake_report()
    }

    /// The configuration.
    pub fn config(&self) -> &Arc<R::Config> {
        &self.config
    }
}

/// Media.
impl<R: Role> Session<R> {
    /// Queues an audio message: `payload` is an FLV audio tag body.
    ///
    /// # Errors
    ///
    /// See [`SendError`], which gives the payload back.
    pub fn send_audio(
        &mut self,
        stream: MessageStreamId,
        timestamp: Timestamp,
        payload: Bytes,
    ) -> Result<(), SendError> {
        self.send_frame(stream, &Frame::audio(timestamp, payload))
    }

    /// Queues a video message: `payload` is an FLV video tag body.
    ///
    /// # Errors
    ///
    /// See [`SendError`], which gives the payload back.
    pub fn send_video(
        &mut self,
        stream: MessageStreamId,
        timestamp: Timestamp,
        payload: Bytes,
    ) -> Result<(), SendError> {
        self.send_frame(stream, &Frame::video(timestamp, payload))
    }

    /// Queues a data message: `payload` is an FLV script tag body, that is, AMF0 values beginning
    /// with a handler name. Metadata (`onMetaData`) of a client is wrapped in `@setDataFrame`.
    ///
    /// # Errors
    ///
    /// See [`SendError`], which gives the payload back.
    pub fn send_data(
        &mut self,
        stream: MessageStreamId,
        timestamp: Timestamp,
        payload: Bytes,
    ) -> Result<(), SendError> {
        self.send_frame(stream, &Frame::data(timestamp, payload))
    }

    /// Queues a frame of any kind.
    ///
    /// A server sends a player nothing while it is paused, and no audio or video it asked not to
    /// get: such frames are accepted and left out.
    ///
    /// # Errors
    ///
    /// See [`SendError`], which gives the payload back.
    pub fn send_frame(&mut self, stream: MessageStreamId, frame: &Frame) -> Result<(), SendError> {
        self.sending(stream, &frame.payload)?;
        self.queue_frame(stream, frame)
            .map_err(|_| SendError::TooLong(frame.payload.clone()))
    }

    /// Queues a frame for a stream that was looked at, unless the peer does not want it.
    fn queue_frame(
        &mut self,
        stream: MessageStreamId,
        frame: &Frame,
    ) -> Result<(), PayloadTooLong> {
        let state = self.streams.get(stream);
        if state.is_some_and(|state| state.wants(frame)) {
            let raw = RawMessage::new(
                frame.message_type(),
                stream,
                frame.timestamp,
                R::outgoing_payload(frame),
            )?;
            self.connection.send(frame.kind.chunk_stream(), &raw);
            self.connection.count_sent_frame(&frame.kind);
        }
        Ok(())
    }

    /// Queues `frames` as one message, for peers known to read those
    /// ([`AggregateBuilder`]). What [`send_frame`](Self::send_frame) leaves out is left out.
    /// [RTMP 1.0 §7.1.6]
    ///
    /// # Errors
    ///
    /// See [`SendError`]; it has the payload of the first frame, or of the one that does not fit.
    pub fn send_aggregate(
        &mut self,
        stream: MessageStreamId,
        frames: &[Frame],
    ) -> Result<(), SendError> {
        let Some(first) = frames.first() else {
            return Ok(());
        };
        let state = self.sending(stream, &first.payload)?;
        let wanted = || frames.iter().filter(|frame| state.wants(frame));
        let mut builder = AggregateBuilder::new();
        for frame in wanted() {
            let part = Frame {
                payload: R::outgoing_payload(frame),
                ..frame.clone()
            };
            builder
                .push(&part)
                .map_err(|_| SendError::TooLong(frame.payload.clone()))?;
        }
        let kinds: Vec<_> = wanted().map(|frame| frame.kind).collect();
        if let Some(raw) = builder.finish(stream) {
            self.connection.send(ChunkStreamId::VIDEO, &raw);
        }
        for kind in kinds {
            self.connection.count_sent_frame(&kind);
        }
        Ok(())
    }

    /// The stream `id`, if media can be sent on it now.
    fn sending(&self, id: MessageStreamId, payload: &Bytes) -> Result<&Stream, SendError> {
        if self.is_closed() {
            return Err(SendError::Closed(payload.clone()));
        }
        let stream = self.streams.get(id).filter(|s| s.state == R::SENDING);
        match stream {
            None => Err(SendError::NotActive(payload.clone())),
            Some(_) if self.connection.is_congested() => Err(SendError::QueueFull(payload.clone())),
            Some(stream) => Ok(stream),
        }
    }
}

/// Calls in both directions, and the end.
impl<R: Role> Session<R> {
    /// Calls the procedure `name` of the peer; its answer is an event `Response` with the
    /// transaction ID returned here. [RTMP 1.0 §7.2.1.2]
    ///
    /// # Errors
    ///
    /// The session is not connected, too much waits already, or the values are too long.
    pub fn call(
        &mut self,
        name: &str,
        object: Value,
        arguments: impl IntoIterator<Item = Value>,
    ) -> Result<TransactionId, RequestError> {
        self.require(Phase::Connected)?;
        let mut command = Command::new(name, TransactionId::NONE).with_object(object);
        command.arguments.extend(arguments);
        self.send_call(MessageStreamId::CONTROL, command, Purpose::Application)
    }

    /// Calls the procedure `name` of the peer without asking for an answer.
    ///
    /// # Errors
    ///
    /// As [`call`](Self::call).
    pub fn notify(
        &mut self,
        stream: MessageStreamId,
        name: &str,
        object: Value,
        arguments: impl IntoIterator<Item = Value>,
    ) -> Result<(), RequestError> {
        self.require(Phase::Connected)?;
        let mut command = Command::new(name, TransactionId::NONE).with_object(object);
        command.arguments.extend(arguments);
        self.send_command(stream, &command)
    }

    /// Answers a call of the peer: with a value, or with an error. Nothing is sent if the peer did
    /// not ask for an answer.
    ///
    /// # Errors
    ///
    /// The session is closed, too much waits already, or the value is too long.
    pub fn respond(
        &mut self,
        call: Call,
        outcome: Result<Value, Status>,
    ) -> Result<(), RequestError> {
        self.require_open()?;
        if !call.wants_answer() {
            return Ok(());
        }
        let (name, value) = match outcome {
            Ok(value) => (RESULT, value),
            Err(status) => (ERROR, status.to_object().into()),
        };
        let answer = Command::new(name, call.command.transaction_id).with(value);
        self.send_command(call.stream, &answer)
    }

    /// Queues a message about a shared object.
    ///
    /// # Errors
    ///
    /// The session is not connected, too much waits already, or the message is too long.
    pub fn send_shared_object(&mut self, message: &SharedObject) -> Result<(), RequestError> {
        self.require(Phase::Connected)?;
        self.require_room()?;
        let raw = message
            .to_raw()
            .map_err(|length| RequestError::TooLong { length })?;
        self.connection.send_command(&raw, false);
        Ok(())
    }

    /// Queues a user control message.
    ///
    /// # Errors
    ///
    /// The session is closed or still in its handshake, or too much waits already.
    pub fn send_user_control(&mut self, event: &UserControl) -> Result<(), RequestError> {
        self.require_open()?;
        self.require_room()?;
        self.connection.send_user_control(event);
        Ok(())
    }

    /// Ends the session in good order: streams are ended as the role does it, then comes `Closed`.
    pub fn close(&mut self, _now: Instant) {
        if !self.is_closed() {
            if self.connection.is_open() {
                R::on_close(self);
            }
            self.end(CloseReason::Local);
        }
    }
}

/// What both roles build on.
impl<R: Role> Session<R> {
    /// Whether a message can be dealt with now.
    fn is_receptive(&self) -> bool {
        !self.is_closed()
            && self.events.is_empty()
            && !self.role.is_waiting()
            && !self.connection.is_backlogged()
    }

    /// Takes what comes next; all input is consumed when there is nothing.
    fn receive(&mut self, now: Instant, input: &mut impl Buf) -> Result<bool, Error> {
        if self.phase == Phase::Handshaking {
            let is_open = self.connection.shake_hands(now, input)?;
            if is_open {
                self.deadline = None;
                self.enter(Phase::Open);
                R::on_open(self, now);
            }
            return Ok(is_open);
        }
        if self.connection.has_parts() {
            self.take_parts();
            return Ok(true);
        }
        match self.connection.receive(now, input) {
            Ok(Some(raw)) => self.on_message(now, raw).map(|()| true),
            Ok(None) => Ok(false),
            Err(error) => Err(error.into()),
        }
    }

    /// Takes the parts of an aggregate up to one that makes an event, so that no more of them wait
    /// as events than one.
    #[cold]
    #[inline(never)]
    fn take_parts(&mut self) {
        while self.events.is_empty()
            && let Some(part) = self.connection.next_part()
        {
            match part {
                Ok(raw) => self.on_part(raw),
                Err(error) => self.end(Error::from(error).into()),
            }
        }
    }

    /// A part is a frame, or nothing known. What else a message can be takes effect by its place in
    /// the chunk stream, which is not in an aggregate.
    fn on_part(&mut self, raw: RawMessage) {
        if raw.payload().is_empty() {
            return self.connection.count_ignored();
        }
        let stream = raw.stream;
        match decode_frame(raw, &self.limits().data) {
            Ok(frame) => self.on_frame(stream, frame),
            Err(raw) => self.on_other(raw),
        }
    }

    #[inline(always)]
    fn on_message(&mut self, now: Instant, raw: RawMessage) -> Result<(), Error> {
        self.connection.count_message(now);
        if raw.payload().is_empty() {
            // Whatever its type: deployed peers send such messages, and they say nothing. Empty audio
            // and video breaks readers (gortmplib).
            self.connection.count_ignored();
            return Ok(());
        }
        let stream = raw.stream;
        // Nearly all messages are these, which need not become a `Message` first.
        let frame = match raw.message_type {
            MessageType::AUDIO => Frame::audio(raw.timestamp, raw.into_payload()),
            MessageType::VIDEO => Frame::video(raw.timestamp, raw.into_payload()),
            _ => return self.on_other_message(now, raw),
        };
        self.on_frame(stream, frame);
        Ok(())
    }

    #[inline(always)]
    fn on_frame(&mut self, stream: MessageStreamId, frame: Frame) {
        self.connection.count_frame(&frame.kind);
        let receiving = |state| state == R::RECEIVING;
        let Some(stream) = self.streams.resolve_mut(stream, receiving) else {
            return self.connection.count_ignored();
        };
        if stream.first_media_due.is_some() && !frame.is_metadata() {
            stream.first_media_due = None;
        }
        let stream = stream.id;
        self.emit(R::event(Shared::Frame { stream, frame }));
    }

    #[inline(never)]
    fn on_other_message(&mut self, now: Instant, raw: RawMessage) -> Result<(), Error> {
        let stream = raw.stream;
        match Message::decode(raw, self.limits())? {
            Message::Control(control) => self.connection.on_control(control),
            Message::UserControl(event) => {
                if let Some(event) = self.connection.on_user_control(event) {
                    self.emit(R::event(Shared::UserControl(event)));
                }
            }
            Message::Aggregate(parts) => self.connection.begin_parts(parts),
            Message::Command(command) if matches!(&*command.name, RESULT | ERROR) => {
                match self.calls.finish(command.transaction_id) {
                    Some(purpose) => R::on_response(self, now, purpose, Response::new(command)),
                    None => self.connection.count_ignored(),
                }
            }
            Message::Command(command) => R::on_command(self, now, stream, command),
            Message::SharedObject(message) if self.phase == Phase::Connected => {
                self.emit(R::event(Shared::SharedObject(message)));
            }
            Message::SharedObject(_) => self.connection.count_ignored(),
            Message::Frame(frame) => self.on_frame(stream, frame),
            Message::Other(raw) => self.on_other(raw),
        }
        Ok(())
    }

    fn on_other(&mut self, raw: RawMessage) {
        self.connection.count_ignored();
        self.emit(R::event(Shared::Unhandled(raw)));
    }

    fn limits(&self) -> &Limits {
        self.connection.limits()
    }

    fn emit(&mut self, event: R::Event) {
        self.events.push_back(event);
    }

    fn enter(&mut self, phase: Phase) {
        self.phase = phase;
        if phase == Phase::Connected {
            self.connection
                .trust(&R::connection_config(&self.config).limits);
        }
        self.announce_state();
    }

    fn set_stream_state(&mut self, stream: MessageStreamId, state: StreamState) {
        if let Some(stream) = self.streams.get_mut(stream) {
            stream.state = state;
        }
        self.announce_state();
    }

    fn announce_state(&mut self) {
        let state = self.state();
        if state != self.announced && state != SessionState::Closed {
            self.announced = state;
            self.emit(R::event(Shared::StateChanged(state)));
        }
    }

    /// The end, once: whatever comes first is the reason.
    fn end(&mut self, reason: CloseReason) {
        if self.is_closed() {
            return;
        }
        self.phase = Phase::Closed;
        self.announced = SessionState::Closed;
        self.close_reason = Some(reason);
        self.owes_closed = true;
    }

    #[cold]
    fn take_closed(&mut self) -> Option<R::Event> {
        self.owes_closed = false;
        let reason = self.close_reason.clone()?;
        Some(R::event(Shared::Closed(reason)))
    }

    /// Stands still while the application holds back an answer, and is put off by as much after it.
    fn first_media_deadline(&self) -> Option<Instant> {
        self.streams
            .first_media_due()
            .filter(|_| self.is_listening())
    }

    fn idle_deadline(&self) -> Option<Instant> {
        let is_receiving = R::IDLE_LIMITED && self.streams.any_in(R::RECEIVING);
        (is_receiving && self.is_listening())
            .then(|| self.connection.silent_since() + self.limits().idle_timeout)
    }

    /// Whether the peer's silence is its own: not while the application holds back the answer to a
    /// request, and with it all input.
    fn is_listening(&self) -> bool {
        !self.role.is_waiting()
    }

    fn require(&self, phase: Phase) -> Result<(), RequestError> {
        if self.is_closed() {
            Err(RequestError::Closed)
        } else if self.phase != phase {
            Err(RequestError::WrongState)
        } else {
            Ok(())
        }
    }

    /// The handshake is done and the session has not ended.
    fn require_open(&self) -> Result<(), RequestError> {
        match self.phase {
            Phase::Closed => Err(RequestError::Closed),
            Phase::Handshaking => Err(RequestError::WrongState),
            _ => Ok(()),
        }
    }

    fn require_room(&self) -> Result<(), RequestError> {
        if self.connection.is_backlogged() {
            let queued = self.connection.queued_len();
            return Err(RequestError::QueueFull { queued });
        }
        Ok(())
    }

    fn require_stream(
        &self,
        stream: MessageStreamId,
        is_ready: impl Fn(StreamState) -> bool,
    ) -> Result<(), RequestError> {
        self.require(Phase::Connected)?;
        match self.streams.get(stream) {
            Some(found) if is_ready(found.state) => Ok(()),
            _ => Err(RequestError::WrongStream { stream }),
        }
    }

    /// Sends `command` with a new transaction ID, to be answered to `purpose`.
    fn send_call(
        &mut self,
        stream: MessageStreamId,
        command: Command,
        purpose: Purpose,
    ) -> Result<TransactionId, RequestError> {
        self.require_room()?;
        self.queue_call(stream, command, purpose)
    }

    /// Sends `command` as [`send_call`](Self::send_call) does, even if the queue is full: for the
    /// steps of a dialogue, which are few.
    fn queue_call(
        &mut self,
        stream: MessageStreamId,
        mut command: Command,
        purpose: Purpose,
    ) -> Result<TransactionId, RequestError> {
        let limit = self.limits().pending_calls;
        let id = self.calls.begin(purpose, limit)?;
        command.transaction_id = id;
        if let Err(error) = self.queue_command(stream, &command) {
            self.calls.finish(id);
            return Err(error);
        }
        Ok(id)
    }

    /// Sends `command` as it is.
    fn send_command(
        &mut self,
        stream: MessageStreamId,
        command: &Command,
    ) -> Result<(), RequestError> {
        self.require_room()?;
        self.queue_command(stream, command)
    }

    /// Sends `command` even if the queue is full: for answers, of which the peer can cause only so
    /// many before its input is left alone.
    fn queue_command(
        &mut self,
        stream: MessageStreamId,
        command: &Command,
    ) -> Result<(), RequestError> {
        let payload = command.encode();
        let length = payload.len();
        let raw = RawMessage::new(
            MessageType::COMMAND,
            stream,
            Timestamp::ZERO,
            payload.into(),
        )
        .map_err(|_| RequestError::TooLong { length })?;
        let is_answer = matches!(&*command.name, RESULT | ERROR);
        self.connection.send_command(&raw, is_answer);
        Ok(())
    }

    /// Answers a command of the peer, which echoes nothing long.
    fn reply(&mut self, answer: &Command) {
        self.queue_command(MessageStreamId::CONTROL, answer)
            .expect("answers are far shorter than a message can be");
    }

    /// Sends `onStatus` with `status` on `stream`.
    fn queue_status(
        &mut self,
        stream: MessageStreamId,
        status: &Status,
    ) -> Result<(), RequestError> {
        let command = Command::new("onStatus", TransactionId::NONE).with(status.to_object());
        self.queue_command(stream, &command)
    }
}

impl<R: Role> fmt::Debug for Session<R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Session")
            .field("role", &self.role)
            .field("state", &self.state())
            .field("streams", &self.streams)
            .field("connection", &self.connection)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// They are moved several times on their way. What is longer than 128 bytes takes a call of
    /// `memcpy` each time.
    #[test]
    fn events_are_small() {
        assert!(size_of::<ServerEvent>() <= 128);
        assert!(size_of::<ClientEvent>() <= 128);
    }
}
