//! Requests of a client, which the server's application answers.
//!
//! A request is a token: not `Clone`, and consumed by `accept` or `reject`, so it is answered at most
//! once. While one waits the session takes no input, so the application always decides on `connect`
//! before a pipelined `publish` is looked at, and media that follows `publish` at once waits too.

use alloc::{boxed::Box, string::String, vec::Vec};
use core::fmt;

use crate::{
    amf::{Object, Value},
    capabilities::Capabilities,
    chunk::MessageStreamId,
    message::{Command, TransactionId},
    stream_name::{Query, StreamName, StreamTarget},
};

/// What can be accepted or rejected: [`ConnectRequest`], [`PublishRequest`], [`PlayRequest`] and
/// [`SeekRequest`]. Sealed.
pub trait Request: super::server::Answer {}

impl Request for ConnectRequest {}
impl Request for PublishRequest {}
impl Request for PlayRequest {}
impl Request for SeekRequest {}

/// Which request of which session: starts at a random number in each session.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(unnameable_types, reason = "only compared inside")]
pub struct RequestId(pub(super) u64);

/// A client wants to connect to an application.
///
/// [RTMP 1.0 §7.2.1.1]
pub struct ConnectRequest {
    pub(super) id: RequestId,
    pub(super) transaction_id: TransactionId,
    pub(super) properties: Object,
    pub(super) arguments: Vec<Value>,
}

impl ConnectRequest {
    pub(super) fn new(id: RequestId, command: Command) -> Self {
        // Some clients send an ECMA array; a missing object is an empty one (NC-19, NC-20).
        let properties = match command.object {
            Value::Object(properties) | Value::EcmaArray(properties) => properties,
            _ => Object::new(),
        };
        Self {
            id,
            transaction_id: command.transaction_id,
            properties,
            arguments: command.arguments,
        }
    }

    /// The application, with the query if the client put one there. Empty if absent.
    pub fn app(&self) -> &str {
        self.text(&["app"]).unwrap_or_default()
    }

    /// The URL the client connects to, without the stream name.
    pub fn tc_url(&self) -> Option<&str> {
        self.text(&["tcUrl", "tcurl"])
    }

    /// The client's version.
    pub fn flash_version(&self) -> Option<&str> {
        self.text(&["flashVer", "flashver"])
    }

    /// The AMF version the client asks for: 0 or 3.
    pub fn object_encoding(&self) -> f64 {
        self.properties
            .get("objectEncoding")
            .and_then(Value::as_number)
            .unwrap_or(0.0)
    }

    /// What the client says it can do. [E-RTMP v2 "Enhancing NetConnection connect Command"]
    pub fn capabilities(&self) -> Capabilities {
        Capabilities::from_properties(&self.properties)
    }

    /// All properties of the command object. They may hold tokens.
    pub fn properties(&self) -> &Object {
        &self.properties
    }

    /// The arguments after the command object.
    pub fn arguments(&self) -> &[Value] {
        &self.arguments
    }

    fn text(&self, names: &[&str]) -> Option<&str> {
        names
            .iter()
            .find_map(|name| self.properties.get(name)?.as_str())
    }
}

impl fmt::Debug for ConnectRequest {
    /// Leaves out what may hold tokens.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ConnectRequest")
            .field("flash_version", &self.flash_version())
            .finish_non_exhaustive()
    }
}

/// A client wants to publish a stream.
///
/// [RTMP 1.0 §7.2.2.6]
pub struct PublishRequest {
    pub(super) id: RequestId,
    pub(super) stream: MessageStreamId,
    pub(super) target: StreamTarget,
    pub(super) kind: PublishKind,
}

impl PublishRequest {
    /// The message stream it will use.
    pub fn stream(&self) -> MessageStreamId {
        self.stream
    }

    /// The stream's identity: app and name, normalised.
    pub fn name(&self) -> &StreamName {
        &self.target.name
    }

    /// The queries of app and name: where clients put tokens.
    pub fn query(&self) -> &Query {
        &self.target.query
    }

    /// What the client asks the server to do with the stream.
    pub fn kind(&self) -> PublishKind {
        self.kind
    }
}

impl fmt::Debug for PublishRequest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PublishRequest")
            .field("stream", &self.stream)
            .field("name", &self.target.name)
            .field("kind", &self.kind)
            .finish_non_exhaustive()
    }
}

/// The publishing type.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum PublishKind {
    /// Not recorded. What a missing or unknown type means too.
    #[default]
    Live,
    /// Recorded, replacing what there is.
    Record,
    /// Recorded at the end of what there is.
    Append,
}

impl PublishKind {
    /// The type named `name` on the wire.
    pub fn from_name(name: &str) -> Self {
        match name {
            "record" => Self::Record,
            "append" => Self::Append,
            _ => Self::Live,
        }
    }

    /// The name on the wire.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Live => "live",
            Self::Record => "record",
            Self::Append => "append",
        }
    }
}

/// A client wants to play a stream (`play`), or to change to another one (`play2`).
///
/// [RTMP 1.0 §7.2.2.1, §7.2.2.2]
pub struct PlayRequest {
    pub(super) id: RequestId,
    pub(super) stream: MessageStreamId,
    pub(super) raw_name: String,
    pub(super) target: StreamTarget,
    pub(super) start: f64,
    pub(super) duration: f64,
    pub(super) reset: bool,
    pub(super) transition: Option<Box<Transition>>,
}

impl PlayRequest {
    /// The message stream it will use.
    pub fn stream(&self) -> MessageStreamId {
        self.stream
    }

    /// The stream's identity: app and name, normalised.
    pub fn name(&self) -> &StreamName {
        &self.target.name
    }

    /// The queries of app and name: where clients put tokens.
    pub fn query(&self) -> &Query {
        &self.target.query
    }

    /// Where to begin: -2 (or -2000) live, else recorded; -1 (or -1000) live only; from 0 on a
    /// position in a recording, in seconds by the specification and in milliseconds by librtmp and
    /// nginx-rtmp.
    pub fn start(&self) -> f64 {
        self.start
    }

    /// How much to play, in the unit of [`start`](Self::start); negative for all.
    pub fn duration(&self) -> f64 {
        self.duration
    }

    /// Whether earlier entries of the playlist go.
    pub fn reset(&self) -> bool {
        self.reset
    }

    /// How to change over, if this is a `play2`.
    pub fn transition(&self) -> Option<&Transition> {
        self.transition.as_deref()
    }
}

impl fmt::Debug for PlayRequest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PlayRequest")
            .field("stream", &self.stream)
            .field("name", &self.target.name)
            .field("start", &self.start)
            .finish_non_exhaustive()
    }
}

/// The parameters of `play2` beside the name.
#[derive(Clone, PartialEq)]
#[non_exhaustive]
pub struct Transition {
    /// The stream to leave, as sent.
    pub old_stream_name: Option<String>,
    /// `switch`, `swap`, `append`, `stop`…
    pub kind: String,
    /// Seconds into the new stream.
    pub offset: Option<f64>,
}

impl fmt::Debug for Transition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Transition")
            .field("kind", &self.kind)
            .field("offset", &self.offset)
            .finish_non_exhaustive()
    }
}

/// A player wants to go to another position.
///
/// [RTMP 1.0 §7.2.2.7]
#[derive(Debug)]
pub struct SeekRequest {
    pub(super) id: RequestId,
    pub(super) stream: MessageStreamId,
    pub(super) transaction_id: TransactionId,
    pub(super) millis: f64,
}

impl SeekRequest {
    /// The message stream that plays.
    pub fn stream(&self) -> MessageStreamId {
        self.stream
    }

    /// The position in milliseconds.
    pub fn millis(&self) -> f64 {
        self.millis
    }
}
