//! What a client sends, and what the answers lead to.

use alloc::borrow::ToOwned;

use super::{Client, ClientEvent, ConnectInfo, ConnectParams, Goal, PlayOptions};
use crate::{
    amf::Value,
    chunk::{MessageStreamId, RawMessage},
    error::{CloseReason, RequestError, Timeout},
    message::{Command, Control, Level, Status, StatusCode, TransactionId, UserControl},
    session::{
        Phase, Session,
        call::{Purpose, Response},
        request::PublishKind,
        state::StreamState,
    },
    time::Instant,
};

impl Session<Client> {
    pub(super) fn queue_connect(
        &mut self,
        now: Instant,
        params: ConnectParams,
    ) -> Result<(), RequestError> {
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

    pub(super) fn queue_create_stream(
        &mut self,
        now: Instant,
    ) -> Result<TransactionId, RequestError> {
        let command = Command::new("createStream", TransactionId::NONE);
        let id = self.queue_call(MessageStreamId::CONTROL, command, Purpose::CreateStream)?;
        self.expect_answer(now);
        Ok(id)
    }

    pub(super) fn queue_publish(
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

    pub(super) fn queue_play(
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

    pub(super) fn courtesy(&mut self, name: &str, stream_name: &str) -> Result<(), RequestError> {
        self.require(Phase::Connected)?;
        self.require_room()?;
        self.queue_courtesy(name, stream_name)
    }

    pub(super) fn queue_courtesy(
        &mut self,
        name: &str,
        stream_name: &str,
    ) -> Result<(), RequestError> {
        let command = Command::new(name, TransactionId::NONE).with(stream_name);
        self.queue_call(MessageStreamId::CONTROL, command, Purpose::Courtesy)?;
        Ok(())
    }

    pub(super) fn player_command<const N: usize>(
        &mut self,
        stream: MessageStreamId,
        name: &str,
        arguments: [Value; N],
    ) -> Result<(), RequestError> {
        self.require_stream(stream, |state| state == StreamState::Playing)?;
        self.notify(stream, name, Value::Null, arguments)
    }

    pub(super) fn queue_delete_stream(&mut self, stream: MessageStreamId) {
        let command = Command::new("deleteStream", TransactionId::NONE);
        self.reply(&command.with(f64::from(stream.get())));
    }

    pub(super) fn expect_answer(&mut self, now: Instant) {
        self.deadline = Some((now + self.limits().request_timeout, Timeout::Request));
    }

    /// Stops the clock once no request waits for its answer: it came, or was taken back.
    pub(super) fn settle(&mut self) {
        let is_requested = self.streams.any_in(StreamState::PublishRequested)
            || self.streams.any_in(StreamState::PlayRequested);
        if !is_requested && !self.calls.any_for(Purpose::CreateStream) {
            self.deadline = None;
        }
    }

    /// A stream that plays already goes on until the server changes over, so nothing is waited for.
    pub(super) fn begin_stream(
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
    pub(super) fn pursue(&mut self, step: impl FnOnce(&mut Self) -> Result<(), RequestError>) {
        if self.role.goal.is_some() && step(self).is_err() {
            self.end(CloseReason::Local);
        }
    }

    pub(super) fn on_connected(&mut self, now: Instant, response: Response) {
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

    pub(super) fn on_stream_created(&mut self, now: Instant, response: &Response) {
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
    pub(super) fn start_stream(&mut self, stream: MessageStreamId, state: StreamState) {
        self.role.goal = None;
        self.set_stream_state(stream, state);
        self.settle();
    }

    pub(super) fn on_refused(&mut self, stream: MessageStreamId, status: Status) {
        self.set_stream_state(stream, StreamState::Idle);
        self.settle();
        match self.role.goal {
            Some(_) => self.end(CloseReason::Refused(status)),
            None => self.emit(ClientEvent::Refused { stream, status }),
        }
    }

    /// A status belongs to the stream it came on. Servers that send all of them on stream 0 or on a
    /// wrong one are understood as long as one stream only can be meant.
    pub(super) fn on_status(&mut self, stream: MessageStreamId, status: Status) {
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
        let is_of_connection = status.code.as_str().starts_with("NetConnection.");
        let stream = if is_of_connection { stream } else { target };
        self.emit(ClientEvent::Status { stream, status });
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
pub(super) fn failure(response: &Response, otherwise: StatusCode) -> Status {
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
