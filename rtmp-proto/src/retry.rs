//! Whether trying again can help.

use crate::{
    error::CloseReason,
    message::{Status, StatusCode},
};

/// What another attempt may bring.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[expect(
    clippy::exhaustive_enums,
    reason = "who decides must know all there is"
)]
pub enum Retry {
    /// It may succeed at any time.
    Always,
    /// It may succeed soon, or else never will: a handful of attempts are enough.
    AFewTimes,
    /// The answer will be the same.
    Never,
}

impl CloseReason {
    /// Whether a client whose session ended so may try again.
    ///
    /// A rejection for what was asked is final. A name in use is not: often it is our own connection
    /// that was lost, and the server has not noticed yet. Neither is the end without a word, though
    /// that is how some services answer a wrong key.
    pub fn retry(&self) -> Retry {
        match self {
            Self::Local | Self::Rejected(_) => Retry::Never,
            Self::Refused(status) | Self::Peer(Some(status)) => status.retry(),
            Self::Peer(None) | Self::EndOfInput { .. } | Self::Timeout(_) => Retry::Always,
            // Proxies in front of a server that restarts answer with anything.
            Self::Protocol(_) => Retry::AFewTimes,
        }
    }
}

impl Status {
    fn retry(&self) -> Retry {
        match &self.code {
            code if FINAL.contains(code) => Retry::Never,
            code if PASSING.contains(code) => Retry::Always,
            _ => Retry::AFewTimes,
        }
    }
}

/// What the server says about the request itself.
const FINAL: [StatusCode; 7] = [
    StatusCode::CONNECT_REJECTED,
    StatusCode::CONNECT_INVALID_APP,
    StatusCode::CALL_PROHIBITED,
    StatusCode::PUBLISH_DENIED,
    StatusCode::PUBLISH_REJECTED,
    StatusCode::PUBLISH_UNAUTHORIZED,
    StatusCode::RECORD_NO_ACCESS,
];

/// What the server says about its own condition, or about a stream that may begin later.
const PASSING: [StatusCode; 10] = [
    StatusCode::CONNECT_FAILED,
    StatusCode::CONNECT_CLOSED,
    StatusCode::CONNECT_APP_SHUTDOWN,
    StatusCode::CONNECT_RECONNECT_REQUEST,
    StatusCode::PROXY_NOT_RESPONDING,
    StatusCode::PUBLISH_IDLE,
    StatusCode::PLAY_STREAM_NOT_FOUND,
    StatusCode::PLAY_STOP,
    StatusCode::PLAY_UNPUBLISH_NOTIFY,
    StatusCode::PLAY_INSUFFICIENT_BANDWIDTH,
];

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Error, Timeout, message::MessageError};

    #[test]
    fn verdicts() {
        let refused = |code: &'static str| {
            CloseReason::Refused(Status::error(StatusCode::new(code), "")).retry()
        };
        for code in [
            "NetStream.Publish.Denied",
            "NetStream.Publish.Unauthorized",
            "NetStream.Publish.Rejected",
            "NetConnection.Connect.InvalidApp",
            "NetConnection.Connect.Rejected",
        ] {
            assert_eq!(refused(code), Retry::Never, "{code}");
        }
        assert_eq!(refused("NetStream.Publish.BadName"), Retry::AFewTimes);
        assert_eq!(refused("Something.Else"), Retry::AFewTimes);
        assert_eq!(refused("NetConnection.Connect.AppShutdown"), Retry::Always);
        assert_eq!(refused("NetStream.Play.StreamNotFound"), Retry::Always);
        let protocol = Error::Message(MessageError::InvalidChunkSize { size: 0 });
        for (reason, expected) in [
            (CloseReason::Local, Retry::Never),
            (CloseReason::Peer(None), Retry::Always),
            (CloseReason::EndOfInput { mid_message: true }, Retry::Always),
            (CloseReason::Timeout(Timeout::Connect), Retry::Always),
            (CloseReason::Protocol(protocol), Retry::AFewTimes),
        ] {
            assert_eq!(reason.retry(), expected, "{reason:?}");
        }
    }
}
