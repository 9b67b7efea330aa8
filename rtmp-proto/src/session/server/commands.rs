//! What a client asks for, command by command.

use alloc::{borrow::ToOwned, boxed::Box, string::String};

use super::{Server, ServerEvent};
use crate::{
    amf::{Object, Value},
    chunk::MessageStreamId,
    message::{Command, Status, StatusCode, UserControl},
    session::{
        Phase, Session,
        request::{
            ConnectRequest, PlayRequest, PublishKind, PublishRequest, SeekRequest, Transition,
        },
        state::StreamState,
    },
    stream_name::StreamTarget,
    time::Instant,
};

impl Session<Server> {
    pub(super) fn on_connect(&mut self, now: Instant, command: Command) {
        if self.phase != Phase::Open {
            let status = Status::error(StatusCode::CONNECT_REJECTED, "already connected");
            return self.answer_error(command.transaction_id, &status);
        }
        let id = self.begin_request(now);
        self.enter(Phase::Connecting);
        self.emit(ServerEvent::Connect(ConnectRequest::new(id, command)));
    }

    pub(super) fn on_create_stream(&mut self, command: &Command) {
        let limit = self.limits().message_streams;
        if self.streams.len() >= limit {
            let status = Status::error(StatusCode::STREAM_FAILED, "too many streams");
            return self.answer_error(command.transaction_id, &status);
        }
        let stream = self.streams.free_id();
        self.streams.create(stream);
        self.answer(command.transaction_id, f64::from(stream.get()));
    }

    pub(super) fn on_publish(&mut self, now: Instant, stream: MessageStreamId, command: &Command) {
        let Some(stream) = self.idle_stream(stream, command, &StatusCode::PUBLISH_BAD_NAME) else {
            return;
        };
        let name = command.argument(0).as_str().unwrap_or_default();
        let kind = command.argument(1).as_str().unwrap_or_default();
        let id = self.begin_request(now);
        self.remember_name(stream, name);
        self.set_stream_state(stream, StreamState::PublishRequested);
        self.emit(ServerEvent::Publish(PublishRequest {
            id,
            stream,
            target: StreamTarget::new(&self.role.app.0, name),
            kind: PublishKind::from_name(kind),
        }));
    }

    pub(super) fn on_play(&mut self, now: Instant, stream: MessageStreamId, command: &Command) {
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
        self.request_play(now, stream, name, request, None);
    }

    pub(super) fn on_play2(&mut self, now: Instant, stream: MessageStreamId, command: &Command) {
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
        self.request_play(now, stream, name, request, Some(transition));
    }

    pub(super) fn request_play(
        &mut self,
        now: Instant,
        stream: MessageStreamId,
        name: &str,
        (start, duration, reset): (f64, f64, bool),
        transition: Option<Transition>,
    ) {
        let id = self.begin_request(now);
        self.emit(ServerEvent::Play(PlayRequest {
            id,
            stream,
            raw_name: name.to_owned(),
            target: StreamTarget::new(&self.role.app.0, name),
            start,
            duration,
            reset,
            transition: transition.map(Box::new),
        }));
        if self.stream_state(stream) == Some(StreamState::Idle) {
            self.set_stream_state(stream, StreamState::PlayRequested);
        }
    }

    /// The stream on which `command` may begin something: idle, or the connection's only idle one if
    /// the command came on stream 0. Otherwise the client is told, and the session goes on.
    pub(super) fn idle_stream(
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

    pub(super) fn refuse_stream(
        &mut self,
        stream: MessageStreamId,
        command: &Command,
        code: &StatusCode,
    ) {
        self.say(stream, &not_possible(command, code));
    }

    /// As [`refuse_stream`](Self::refuse_stream), for commands whose failure is told by `_error` if
    /// an answer is awaited (CHECKLIST A-30).
    pub(super) fn refuse_call(
        &mut self,
        stream: MessageStreamId,
        command: &Command,
        code: &StatusCode,
    ) {
        if command.transaction_id.wants_answer() {
            self.answer_error(command.transaction_id, &not_possible(command, code));
        } else {
            self.refuse_stream(stream, command, code);
        }
    }

    /// `deleteStream` names its stream in an argument: a number, or the stream's name (GStreamer), or
    /// nothing, which means the stream it came on.
    pub(super) fn on_delete_stream(&mut self, stream: MessageStreamId, command: &Command) {
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
    pub(super) fn stop_stream(&mut self, stream: MessageStreamId) {
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
            stream.first_media_due = None;
        }
    }

    /// `FCUnpublish` names the stream that an FMLE-like encoder ends, perhaps without the query it
    /// published with; it may publish again on it.
    pub(super) fn on_fc_unpublish(&mut self, command: &Command) {
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
    pub(super) fn on_fc_command(
        &mut self,
        command: &Command,
        notification: &str,
        code: StatusCode,
    ) {
        self.answer(command.transaction_id, Value::Undefined);
        let description = command.argument(0).as_str().unwrap_or_default();
        let description = description.chars().take(ECHO_LEN_MAX).collect::<String>();
        let status = Object::new()
            .with("code", code.as_str())
            .with("description", description);
        self.reply(&Command::new(notification, command.transaction_id).with(status));
    }

    pub(super) fn on_pause(&mut self, stream: MessageStreamId, command: &Command) {
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

    pub(super) fn on_seek(&mut self, now: Instant, stream: MessageStreamId, command: &Command) {
        let Some(stream) = self.playing_stream(stream) else {
            return self.refuse_call(stream, command, &StatusCode::SEEK_FAILED);
        };
        let id = self.begin_request(now);
        self.emit(ServerEvent::Seek(SeekRequest {
            id,
            stream,
            transaction_id: command.transaction_id,
            millis: command.argument(0).as_number().unwrap_or_default(),
        }));
    }

    pub(super) fn on_receive(&mut self, stream: MessageStreamId, command: &Command) {
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

    pub(super) fn playing_stream(&self, stream: MessageStreamId) -> Option<MessageStreamId> {
        self.streams
            .resolve(stream, |state| state == StreamState::Playing)
    }

    pub(super) fn remember_name(&mut self, stream: MessageStreamId, name: &str) {
        if let Some(stream) = self.streams.get_mut(stream) {
            name.clone_into(&mut stream.name);
        }
    }
}

/// Why a command that came at the wrong moment is refused.
fn not_possible(command: &Command, code: &StatusCode) -> Status {
    let mut description = String::from(command.name.as_str());
    description.push_str(" is not possible on this stream now");
    Status::error(code.clone(), description)
}

/// `play` without a start: the live stream, else the recorded one. [RTMP 1.0 §7.2.2.1]
const START_DEFAULT: f64 = -2.0;

/// Characters of a client's own words that an answer repeats.
const ECHO_LEN_MAX: usize = 256;
