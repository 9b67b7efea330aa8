//! A session against a peer that is written out by hand.
#![allow(
    dead_code,
    unreachable_pub,
    reason = "each test file uses its own part"
)]

use std::sync::Arc;

use bytes::{Buf, Bytes, BytesMut};
use rtmp_proto::{
    ClientConfig, ClientEvent, ClientSession, Instant, Leniency, Limits, MessageStreamId, Role,
    SendQueue, ServerConfig, ServerEvent, ServerSession, Session, Timestamp,
    amf::{Object, Value, amf0},
    chunk::{
        ChunkDecoder, ChunkEncoder, ChunkStreamId, HeaderCompression, MessageType, RawMessage,
    },
    message::{Control, Message},
};

use super::{accept_all, take_output};

/// The session under test and everything it said.
pub struct Scripted<R: Role> {
    pub session: Session<R>,
    pub now: Instant,
    pub events: Vec<R::Event>,
    /// What the application does with an event; what it gives back is kept.
    pub policy: Policy<R, R::Event>,
    /// Bytes the session takes at a time.
    pub piece: usize,
    encoder: ChunkEncoder,
    decoder: ChunkDecoder,
    wire: BytesMut,
    handshake_left: usize,
}

impl Scripted<rtmp_proto::Server> {
    /// A server at the end of the handshake.
    pub fn server() -> Self {
        Self::server_with(ServerConfig::default())
    }

    pub fn server_with(config: ServerConfig) -> Self {
        let mut peer = Self::fresh_server(config);
        peer.bytes(&handshake());
        peer
    }

    /// A server that has heard nothing.
    pub fn fresh_server(config: ServerConfig) -> Self {
        let now = Instant::ORIGIN;
        let session = ServerSession::new(now, Arc::new(config), [2; 32]);
        Self::new(session, accept_all)
    }

    /// A server that has accepted `connect` to `live`.
    pub fn connected() -> Self {
        Self::connected_with(ServerConfig::default())
    }

    pub fn connected_with(config: ServerConfig) -> Self {
        let mut peer = Self::server_with(config);
        peer.command(0, "connect", 1.0, [app("live")]);
        peer.replies();
        peer.events.clear();
        peer
    }

    /// A server that has created stream 1 and accepted that `key` is published on it.
    pub fn publishing() -> Self {
        Self::publishing_with(ServerConfig::default())
    }

    pub fn publishing_with(config: ServerConfig) -> Self {
        let mut peer = Self::connected_with(config);
        peer.command(0, "createStream", 2.0, [Value::Null]);
        peer.command(
            1,
            "publish",
            3.0,
            [Value::Null, "key".into(), "live".into()],
        );
        peer.replies();
        peer.events.clear();
        peer
    }

    /// A server that has created stream 1 and accepted that `key` is played on it.
    pub fn playing() -> Self {
        Self::playing_with(ServerConfig::default())
    }

    pub fn playing_with(config: ServerConfig) -> Self {
        let mut peer = Self::connected_with(config);
        peer.command(0, "createStream", 2.0, [Value::Null]);
        peer.command(1, "play", 0.0, [Value::Null, "key".into()]);
        peer.replies();
        peer.events.clear();
        peer
    }

    /// The frames received, as (stream, type, timestamp, payload length).
    pub fn frames(&self) -> Vec<(u32, u8, u32, usize)> {
        let frame = |event: &ServerEvent| match event {
            ServerEvent::Frame { stream, frame } => Some((
                stream.get(),
                frame.message_type().0,
                frame.timestamp.as_millis(),
                frame.payload.len(),
            )),
            _ => None,
        };
        self.events.iter().filter_map(frame).collect()
    }
}

impl Scripted<rtmp_proto::Client> {
    /// A client at the end of the handshake, told nothing.
    pub fn client() -> Self {
        Self::client_with(ClientConfig::default())
    }

    pub fn client_with(config: ClientConfig) -> Self {
        let mut peer = Self::fresh_client(config);
        peer.bytes(&handshake());
        peer
    }

    /// A client that has heard nothing.
    pub fn fresh_client(config: ClientConfig) -> Self {
        let now = Instant::ORIGIN;
        let session = ClientSession::new(now, Arc::new(config), [1; 32]);
        Self::new(session, |_, _, event: ClientEvent| Some(event))
    }

    /// A client told to publish `rtmp://host/live/key`, whose `connect` was sent.
    pub fn publisher() -> Self {
        let mut peer = Self::fresh_client(ClientConfig::default());
        peer.session.publish_to(peer.now, &super::url()).unwrap();
        peer.bytes(&handshake());
        peer
    }

    /// A client told to play `rtmp://host/live/key`, whose `connect` was sent.
    pub fn player() -> Self {
        let mut peer = Self::fresh_client(ClientConfig::default());
        peer.session.play_from(peer.now, &super::url()).unwrap();
        peer.bytes(&handshake());
        peer
    }

    /// Accepts what a publisher asks for, up to `publish`.
    pub fn client_publishing() -> Self {
        let mut peer = Self::publisher();
        peer.command(0, "_result", 1.0, [Value::Null, success()]);
        peer.command(0, "_result", 4.0, [Value::Null, 1.0.into()]);
        peer.status(1, "status", "NetStream.Publish.Start");
        peer.replies();
        peer.events.clear();
        peer
    }

    /// Accepts what a player asks for, up to `play`.
    pub fn client_playing() -> Self {
        let mut peer = Self::player();
        peer.command(0, "_result", 1.0, [Value::Null, success()]);
        peer.command(0, "_result", 2.0, [Value::Null, 1.0.into()]);
        peer.status(1, "status", "NetStream.Play.Start");
        peer.replies();
        peer.events.clear();
        peer
    }
}

impl<R: Role> Scripted<R> {
    fn new(session: Session<R>, policy: Policy<R, R::Event>) -> Self {
        Self {
            session,
            now: Instant::ORIGIN,
            events: Vec::new(),
            policy,
            piece: usize::MAX,
            encoder: ChunkEncoder::new(HeaderCompression::Off),
            decoder: ChunkDecoder::new(&Limits::default(), Leniency::default()),
            wire: BytesMut::new(),
            handshake_left: HANDSHAKE_LEN,
        }
    }

    /// Gives the session `bytes` as far as it takes them, with its events answered in between.
    /// Returns how many it took.
    pub fn bytes(&mut self, bytes: &[u8]) -> usize {
        let mut rest = bytes;
        loop {
            let mut piece = &rest[..rest.len().min(self.piece)];
            let before = piece.len();
            self.session.handle_input(self.now, &mut piece);
            let taken = before - piece.len();
            rest = &rest[taken..];
            let mut moved = taken > 0;
            while let Some(event) = self.session.poll_event() {
                moved = true;
                if let Some(event) = (self.policy)(&mut self.session, self.now, event) {
                    self.events.push(event);
                }
            }
            if !moved {
                return bytes.len() - rest.len();
            }
        }
    }

    /// Sends a message in the plainest form.
    pub fn message(&mut self, csid: u32, message_type: u8, stream: u32, time: u32, payload: &[u8]) {
        let bytes = self.encode(csid, message_type, stream, time, payload);
        self.bytes(&bytes);
    }

    /// The bytes of a message.
    pub fn encode(
        &mut self,
        csid: u32,
        message_type: u8,
        stream: u32,
        time: u32,
        payload: &[u8],
    ) -> Vec<u8> {
        let message = RawMessage::new(
            MessageType(message_type),
            MessageStreamId::new(stream),
            Timestamp::from_millis(time),
            Bytes::copy_from_slice(payload),
        );
        let mut queue = SendQueue::new();
        let csid = ChunkStreamId::new(csid).unwrap();
        self.encoder.encode(csid, &message.unwrap(), &mut queue);
        let mut bytes = Vec::new();
        while let Some(mut transmit) = queue.transmit() {
            let len = transmit.chunk().len();
            bytes.extend_from_slice(transmit.chunk());
            transmit.advance(len);
        }
        bytes
    }

    /// Sends a command; the first of `values` is the command object.
    pub fn command<const N: usize>(
        &mut self,
        stream: u32,
        name: &str,
        transaction_id: f64,
        values: [Value; N],
    ) {
        let payload = command(name, transaction_id, &values);
        self.message(3, 20, stream, 0, &payload);
    }

    /// Sends `onStatus`.
    pub fn status(&mut self, stream: u32, level: &str, code: &str) {
        let status = Object::new().with("level", level).with("code", code);
        self.command(stream, "onStatus", 0.0, [Value::Null, status.into()]);
    }

    /// Sends a protocol control message and applies it to what is sent after it.
    pub fn control(&mut self, control: Control) {
        let raw = control.encode();
        self.message(2, raw.message_type.0, 0, 0, raw.payload());
        if let Control::SetChunkSize(size) = control {
            self.encoder.set_chunk_size(size);
        }
    }

    /// Takes the session's output and says in one line each what it means.
    pub fn replies(&mut self) -> Vec<String> {
        self.messages()
            .iter()
            .map(|(stream, message)| describe(*stream, message))
            .collect()
    }

    /// Takes the session's output.
    pub fn messages(&mut self) -> Vec<(u32, Message)> {
        take_output(&mut self.session, &mut self.wire);
        let skip = self.handshake_left.min(self.wire.len());
        self.wire.advance(skip);
        self.handshake_left -= skip;
        let mut messages = Vec::new();
        while let Some(raw) = self.decoder.decode(&mut self.wire).unwrap() {
            let stream = raw.stream.get();
            let message = Message::decode(raw, &Limits::default()).unwrap();
            if let Message::Control(Control::SetChunkSize(size)) = message {
                self.decoder.set_chunk_size(size);
            }
            messages.push((stream, message));
        }
        messages
    }

    /// The names of the events, in order.
    pub fn event_names(&self) -> Vec<String> {
        super::names(&self.events)
    }

    /// The session still answers a ping, or has ended and said why.
    pub fn assert_alive_or_closed(&mut self, context: &str) {
        if self.session.is_closed() {
            assert!(self.session.close_reason().is_some(), "{context}");
            let last = self.event_names().pop().unwrap_or_default();
            assert!(last.starts_with("Closed("), "{context}: {last}");
            return;
        }
        self.replies();
        self.message(2, 4, 0, 0, &[0, 6, 0, 0, 0x12, 0x34]);
        let replies = self.replies();
        assert!(
            replies.contains(&"PingResponse(4660)".into()),
            "{context}: {replies:?}"
        );
    }
}

/// What an application does with an event.
pub type Policy<R, E> = fn(&mut Session<R>, Instant, E) -> Option<E>;

/// C0, C1, C2 or S0, S1, S2 of a peer without digests.
pub fn handshake() -> Vec<u8> {
    let mut bytes = vec![0; HANDSHAKE_LEN];
    bytes[0] = 3;
    bytes
}

/// The payload of a command.
pub fn command(name: &str, transaction_id: f64, values: &[Value]) -> Vec<u8> {
    let mut payload = Vec::new();
    amf0::encode(&name.into(), &mut payload);
    amf0::encode(&transaction_id.into(), &mut payload);
    amf0::encode_all(values, &mut payload);
    payload
}

/// The payload of a data message.
pub fn data(values: &[Value]) -> Vec<u8> {
    let mut payload = Vec::new();
    amf0::encode_all(values, &mut payload);
    payload
}

/// The smallest command object of `connect`.
pub fn app(name: &str) -> Value {
    Object::new().with("app", name).into()
}

/// The information object of an accepted `connect`.
pub fn success() -> Value {
    Object::new()
        .with("level", "status")
        .with("code", "NetConnection.Connect.Success")
        .into()
}

fn describe(stream: u32, message: &Message) -> String {
    match message {
        Message::Control(control) => format!("{control:?}"),
        Message::UserControl(event) => format!("{event:?}"),
        Message::Command(command) => {
            let values = [&command.object].into_iter().chain(&command.arguments);
            let values: Vec<_> = values.map(describe_value).collect();
            let id = command.transaction_id.get();
            format!("{stream}:{}({id}) {}", command.name, values.join(" "))
        }
        Message::Frame(frame) => format!("{stream}:{:?}", frame.message_type()),
        Message::Other(raw) => format!("{stream}:{raw:?}"),
        _ => "?".into(),
    }
}

fn describe_value(value: &Value) -> String {
    match value {
        Value::Number(number) => number.to_string(),
        Value::Boolean(boolean) => boolean.to_string(),
        Value::String(string) => format!("{string:?}"),
        Value::Null => "null".into(),
        Value::Undefined => "undefined".into(),
        Value::Object(object) => match object.get("code").and_then(Value::as_str) {
            Some(code) => {
                let level = object.get("level").and_then(Value::as_str).unwrap_or("-");
                format!("{level}/{code}")
            }
            None => "{}".into(),
        },
        other => format!("{other:?}"),
    }
}

/// Every command that either role knows, and some that neither does.
pub const COMMANDS: &[&str] = &[
    "connect",
    "createStream",
    "publish",
    "play",
    "play2",
    "deleteStream",
    "closeStream",
    "pause",
    "pauseRaw",
    "seek",
    "receiveAudio",
    "receiveVideo",
    "releaseStream",
    "_checkbw",
    "getStreamLength",
    "FCPublish",
    "FCUnpublish",
    "FCSubscribe",
    "FCUnsubscribe",
    "close",
    "_result",
    "_error",
    "onStatus",
    "onBWDone",
    "_onbwcheck",
    "onFCPublish",
    "call",
    "",
];

/// C0 and C1 and C2.
const HANDSHAKE_LEN: usize = 1 + 2 * 1536;
