//! Status objects: what `onStatus`, `_result` and `_error` carry about the fate of a request.
//!
//! [RTMP 1.0 §7.2.2], [E-RTMP v2 "Detailed Overview of the onStatus Command for NetConnection"]

use alloc::{
    borrow::{Cow, ToOwned},
    string::String,
};
use core::fmt;

use crate::amf::{Object, Value};

/// An information object: level, code, description and whatever else the sender adds.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct Status {
    /// How serious it is.
    pub level: Level,
    /// What happened.
    pub code: StatusCode,
    /// The same for humans.
    pub description: String,
    /// Further properties in the order sent (`details`, `clientid`, `tcUrl`…).
    pub details: Object,
}

impl Status {
    /// A status of level "status".
    pub fn new(code: StatusCode, description: impl Into<String>) -> Self {
        Self {
            level: Level::Status,
            code,
            description: description.into(),
            details: Object::new(),
        }
    }

    /// A status of level "error".
    pub fn error(code: StatusCode, description: impl Into<String>) -> Self {
        Self {
            level: Level::Error,
            ..Self::new(code, description)
        }
    }

    /// This status with one more property.
    #[must_use]
    pub fn with(mut self, name: &str, value: impl Into<Value>) -> Self {
        self.details.insert(name, value);
        self
    }

    /// Reads an information object: an object or ECMA array with at least a code.
    pub fn from_value(value: &Value) -> Option<Self> {
        let object = value.as_object()?;
        let code = object.get("code")?.as_str()?;
        let text = |name| object.get(name).and_then(Value::as_str);
        let mut details = object.clone();
        for name in ["level", "code", "description"] {
            details.remove(name);
        }
        Some(Self {
            level: Level::from_name(text("level").unwrap_or_default()),
            code: StatusCode(code.to_owned().into()),
            description: text("description").unwrap_or_default().to_owned(),
            details,
        })
    }

    /// The information object.
    pub fn to_object(&self) -> Object {
        let mut object = Object::new()
            .with("level", self.level.name())
            .with("code", self.code.as_str())
            .with("description", self.description.as_str());
        for (name, value) in self.details.iter() {
            object.insert(name, value.clone());
        }
        object
    }
}

impl fmt::Display for Status {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.code.as_str())?;
        if !self.description.is_empty() {
            write!(f, " ({})", self.description)?;
        }
        Ok(())
    }
}

/// The level of a status.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Level {
    /// For information.
    Status,
    /// Something is not as it should be.
    Warning,
    /// The request failed.
    Error,
    /// Anything else a peer writes, nothing included.
    Other(String),
}

impl Level {
    fn from_name(name: &str) -> Self {
        match name {
            "status" => Self::Status,
            "warning" => Self::Warning,
            "error" => Self::Error,
            other => Self::Other(other.to_owned()),
        }
    }

    /// The name on the wire.
    pub fn name(&self) -> &str {
        match self {
            Self::Status => "status",
            Self::Warning => "warning",
            Self::Error => "error",
            Self::Other(name) => name,
        }
    }
}

/// A status code: an open registry of dotted names.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct StatusCode(Cow<'static, str>);

impl StatusCode {
    /// A code that is not among the constants.
    pub fn new(code: impl Into<Cow<'static, str>>) -> Self {
        Self(code.into())
    }

    /// The name on the wire.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for StatusCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

macro_rules! status_codes {
    ($($(#[$doc:meta])* $name:ident = $value:literal,)*) => {
        impl StatusCode {
            $($(#[$doc])* pub const $name: Self = Self(Cow::Borrowed($value));)*
        }
    };
}

status_codes! {
    /// The connection is accepted.
    CONNECT_SUCCESS = "NetConnection.Connect.Success",
    /// The client may not use the application.
    CONNECT_REJECTED = "NetConnection.Connect.Rejected",
    /// The attempt failed.
    CONNECT_FAILED = "NetConnection.Connect.Failed",
    /// There is no such application.
    CONNECT_INVALID_APP = "NetConnection.Connect.InvalidApp",
    /// The connection was closed in good order.
    CONNECT_CLOSED = "NetConnection.Connect.Closed",
    /// The application or the server shuts down.
    CONNECT_APP_SHUTDOWN = "NetConnection.Connect.AppShutdown",
    /// The server asks the client to connect elsewhere (E-RTMP v2).
    CONNECT_RECONNECT_REQUEST = "NetConnection.Connect.ReconnectRequest",
    /// The method could not be invoked.
    CALL_FAILED = "NetConnection.Call.Failed",
    /// The method is not allowed.
    CALL_PROHIBITED = "NetConnection.Call.Prohibited",
    /// The proxy does not answer.
    PROXY_NOT_RESPONDING = "NetConnection.Proxy.NotResponding",
    /// A stream method failed.
    STREAM_FAILED = "NetStream.Failed",
    /// Publishing begins.
    PUBLISH_START = "NetStream.Publish.Start",
    /// The name is being published already, or is not a name.
    PUBLISH_BAD_NAME = "NetStream.Publish.BadName",
    /// The publisher may not publish.
    PUBLISH_DENIED = "NetStream.Publish.Denied",
    /// The publisher may not publish (Wowza, Limelight).
    PUBLISH_REJECTED = "NetStream.Publish.Rejected",
    /// The publisher has no credentials (mediamtx).
    PUBLISH_UNAUTHORIZED = "NetStream.Publish.Unauthorized",
    /// The publisher has sent nothing for a while.
    PUBLISH_IDLE = "NetStream.Publish.Idle",
    /// Publishing has ended.
    UNPUBLISH_SUCCESS = "NetStream.Unpublish.Success",
    /// Playing begins.
    PLAY_START = "NetStream.Play.Start",
    /// The playlist was cleared.
    PLAY_RESET = "NetStream.Play.Reset",
    /// Playing has ended.
    PLAY_STOP = "NetStream.Play.Stop",
    /// Playing failed.
    PLAY_FAILED = "NetStream.Play.Failed",
    /// There is no such stream.
    PLAY_STREAM_NOT_FOUND = "NetStream.Play.StreamNotFound",
    /// The publisher of the stream began.
    PLAY_PUBLISH_NOTIFY = "NetStream.Play.PublishNotify",
    /// The publisher of the stream ended.
    PLAY_UNPUBLISH_NOTIFY = "NetStream.Play.UnpublishNotify",
    /// The player cannot keep up with the stream.
    PLAY_INSUFFICIENT_BANDWIDTH = "NetStream.Play.InsufficientBW",
    /// The recording was played to its end.
    PLAY_COMPLETE = "NetStream.Play.Complete",
    /// The playlist moved on.
    PLAY_SWITCH = "NetStream.Play.Switch",
    /// `play2` changed the stream.
    PLAY_TRANSITION = "NetStream.Play.Transition",
    /// Playing is paused.
    PAUSE_NOTIFY = "NetStream.Pause.Notify",
    /// Playing goes on.
    UNPAUSE_NOTIFY = "NetStream.Unpause.Notify",
    /// The seek succeeded.
    SEEK_NOTIFY = "NetStream.Seek.Notify",
    /// The seek failed.
    SEEK_FAILED = "NetStream.Seek.Failed",
    /// The seek went beyond what there is.
    SEEK_INVALID_TIME = "NetStream.Seek.InvalidTime",
    /// Recording begins.
    RECORD_START = "NetStream.Record.Start",
    /// Recording has ended.
    RECORD_STOP = "NetStream.Record.Stop",
    /// Recording failed.
    RECORD_FAILED = "NetStream.Record.Failed",
    /// Recording is not allowed.
    RECORD_NO_ACCESS = "NetStream.Record.NoAccess",
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn round_trip_keeps_details() {
        let status = Status::error(StatusCode::PUBLISH_BAD_NAME, "in use")
            .with("clientid", "x")
            .with("n", 3.0);
        let object = Value::from(status.to_object());
        assert_eq!(Status::from_value(&object), Some(status));
    }

    /// NC-53: unknown codes and levels are delivered as they are.
    #[test]
    fn unknown_code_and_level() {
        let object = Object::new().with("level", "panic").with("code", "X.Y");
        let status = Status::from_value(&object.into()).unwrap();
        assert_eq!(status.level.name(), "panic");
        assert_eq!(status.code, StatusCode::new("X.Y"));
    }

    #[test]
    fn a_status_has_a_code() {
        assert_eq!(
            Status::from_value(&Object::new().with("level", "error").into()),
            None
        );
        assert_eq!(Status::from_value(&Value::Null), None);
    }
}
