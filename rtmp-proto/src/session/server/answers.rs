//! What a server says: answers to requests and to commands, statuses.

use alloc::string::ToString;

use super::{Secret, Server};
use crate::{
    amf::{Object, Value},
    chunk::{ChunkStreamId, MessageStreamId, MessageType, RawMessage},
    error::{CloseReason, Timeout},
    message::{
        BandwidthLimit, Command, Control, SampleAccess, Status, StatusCode, TransactionId,
        UserControl,
    },
    session::{
        Phase, Session,
        call::{ERROR, RESULT},
        request::{ConnectRequest, PlayRequest, PublishRequest, RequestId, SeekRequest},
        state::StreamState,
    },
    time::Instant,
    timestamp::Timestamp,
};

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

        let mut properties = Object::new()
            .with("fmsVer", &*session.config.fms_version)
            .with("capabilities", 31.0)
            .with("mode", 1.0);
        let mut status = Status::new(StatusCode::CONNECT_SUCCESS, "connection succeeded")
            .with("objectEncoding", self.object_encoding());
        session.role.client = self.capabilities();
        if !session.role.client.is_empty() {
            // In both places, since the specification does not say in which.
            for (name, value) in &session.config.capabilities.to_properties() {
                properties.insert(name, value.clone());
                status = status.with(name, value.clone());
            }
        }
        let answer = Command::new(RESULT, self.transaction_id).with(status.to_object());
        session.reply(&answer.with_object(properties));
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

    fn accept(self, session: &mut Session<Server>, now: Instant) {
        session
            .connection
            .send_user_control(&UserControl::StreamBegin(self.stream));
        let status = Status::new(StatusCode::PUBLISH_START, "publishing");
        session.say(self.stream, &status);
        let due = now + session.limits().first_media_timeout;
        if let Some(stream) = session.streams.get_mut(self.stream) {
            stream.first_media_due = Some(due);
        }
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

impl Session<Server> {
    /// `_result` with `value`, if the client waits for one.
    pub(super) fn answer(&mut self, transaction_id: TransactionId, value: impl Into<Value>) {
        if transaction_id.wants_answer() {
            self.reply(&Command::new(RESULT, transaction_id).with(value));
        }
    }

    /// `_error` with `status`, if the client waits for an answer. A status of the application's
    /// making is cut to size if it is absurdly long.
    pub(super) fn answer_error(&mut self, transaction_id: TransactionId, status: &Status) {
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
    pub(super) fn say(&mut self, stream: MessageStreamId, status: &Status) {
        self.queue_status(stream, status)
            .expect("a status of ours is short");
    }

    /// A status of the application's making, cut to size if it is absurdly long.
    pub(super) fn say_rejection(&mut self, stream: MessageStreamId, status: &Status) {
        if self.queue_status(stream, status).is_err() {
            self.say(stream, &Status::error(status.code.clone(), ""));
        }
    }

    /// A player hears before the first frame that it may look at the samples.
    pub(super) fn queue_sample_access(&mut self, stream: MessageStreamId) {
        let access = SampleAccess {
            audio: true,
            video: true,
        };
        let payload = access.encode();
        let raw = RawMessage::new(MessageType::DATA, stream, Timestamp::ZERO, payload);
        let raw = raw.expect("a name and two booleans");
        self.connection.send(ChunkStreamId::DATA, &raw);
    }
}
