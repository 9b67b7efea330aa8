//! What ends a session, and what commands on it can fail with.

use core::fmt;

use bytes::Bytes;

use crate::{
    chunk::{ChunkError, MessageStreamId},
    handshake::HandshakeError,
    message::{MessageError, Status},
};

/// What the peer did wrong, by layer.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// In the handshake.
    #[error("handshake failed")]
    Handshake(#[from] HandshakeError),
    /// In the chunk stream.
    #[error("chunk stream broken")]
    Chunk(#[from] ChunkError),
    /// In a message.
    #[error("message broken")]
    Message(#[from] MessageError),
}

/// Why a session ended.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum CloseReason {
    /// `close` was called.
    #[error("closed by this side")]
    Local,
    /// The peer ended the connection with a command or a status.
    #[error("closed by the peer{}", Because(.0.as_ref()))]
    Peer(Option<Status>),
    /// The transport ended. Whether that cut a message or the handshake short.
    #[error("connection ended by the peer{}", if *.mid_message { " in the middle of a message" } else { "" })]
    EndOfInput {
        /// Something was begun and not finished.
        mid_message: bool,
    },
    /// The application rejected a request of the peer, which was told so.
    #[error("request rejected: {0}")]
    Rejected(Status),
    /// The peer rejected our request.
    #[error("rejected by the peer: {0}")]
    Refused(Status),
    /// The peer broke the protocol or passed a limit.
    #[error("protocol violated by the peer")]
    Protocol(#[from] Error),
    /// Something took too long.
    #[error("timed out: {0}")]
    Timeout(Timeout),
}

/// What took too long.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Timeout {
    /// The peer's handshake ([`Limits::handshake_timeout`](crate::Limits::handshake_timeout)).
    Handshake,
    /// The peer's `connect` or the answer to ours
    /// ([`Limits::connect_timeout`](crate::Limits::connect_timeout)).
    Connect,
    /// The peer's first `publish` or `play`, or the answer to ours
    /// ([`Limits::request_timeout`](crate::Limits::request_timeout)).
    Request,
    /// The first audio, video or data of a publisher
    /// ([`Limits::first_media_timeout`](crate::Limits::first_media_timeout)).
    FirstMedia,
    /// The next message of a publisher ([`Limits::idle_timeout`](crate::Limits::idle_timeout)).
    Idle,
    /// The answer to a ping, or anything else from the peer.
    Ping,
    /// The transport taking any byte of what is queued
    /// ([`Limits::write_stall_timeout`](crate::Limits::write_stall_timeout)).
    WriteStall,
}

impl fmt::Display for Timeout {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Handshake => "the peer did not finish the handshake",
            Self::Connect => "no connect, or no answer to it",
            Self::Request => "no publish or play, or no answer to it",
            Self::FirstMedia => "the publisher sent no media",
            Self::Idle => "the publisher sent nothing",
            Self::Ping => "the peer did not answer a ping",
            Self::WriteStall => "the peer did not read",
        })
    }
}

/// Why a command on a session was not carried out. The session is as it was.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum RequestError {
    /// The session has ended.
    #[error("session is closed")]
    Closed,
    /// The session is not ready for it: not connected yet, or connected already.
    #[error("not possible in this state of the session")]
    WrongState,
    /// There is no such message stream, or it is not in a state for this.
    #[error("message stream {stream} is not ready for this")]
    WrongStream {
        /// The stream.
        stream: MessageStreamId,
    },
    /// The peer does not say that it understands it.
    #[error("the peer does not support it")]
    NotSupported,
    /// The request was made by another session.
    #[error("request does not belong to this session")]
    Stale,
    /// Too many calls wait for their answer ([`Limits::pending_calls`](crate::Limits::pending_calls)).
    #[error("{limit} calls wait for an answer")]
    TooManyCalls {
        /// The limit.
        limit: usize,
    },
    /// More output waits than [`Limits::output_queue`](crate::Limits::output_queue) allows.
    #[error("{queued} bytes of output wait to be written")]
    QueueFull {
        /// Bytes that wait.
        queued: usize,
    },
    /// The URL asks for RTMPE, which the handshake of this session does not offer
    /// ([`HandshakeMode::Encrypted`](crate::handshake::HandshakeMode::Encrypted)).
    #[cfg(feature = "rtmpe")]
    #[error("the URL asks for encryption, the handshake does not")]
    NotEncrypted,
    /// The values take more than a message can carry.
    #[error("command of {length} bytes is longer than a message can be")]
    TooLong {
        /// Bytes of the encoded command.
        length: usize,
    },
}

/// Why media was not queued; gives the payload back. The session is as it was.
#[derive(Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SendError {
    /// The session has ended.
    #[error("session is closed")]
    Closed(Bytes),
    /// The message stream is not publishing (client) or playing (server).
    #[error("message stream is not active")]
    NotActive(Bytes),
    /// More output waits than [`Limits::output_queue`](crate::Limits::output_queue) allows, or than
    /// the peer's bandwidth limit where that is enforced. Which frame to drop is the application's
    /// choice ([`relay::Queue`](crate::relay::Queue)).
    #[error("output queue is full")]
    QueueFull(Bytes),
    /// The payload is longer than a message can be.
    #[error("payload is longer than a message can be")]
    TooLong(Bytes),
}

impl SendError {
    /// The payload that was not queued.
    pub fn into_payload(self) -> Bytes {
        match self {
            Self::Closed(payload)
            | Self::NotActive(payload)
            | Self::QueueFull(payload)
            | Self::TooLong(payload) => payload,
        }
    }
}

impl fmt::Debug for SendError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (name, payload) = match self {
            Self::Closed(payload) => ("Closed", payload),
            Self::NotActive(payload) => ("NotActive", payload),
            Self::QueueFull(payload) => ("QueueFull", payload),
            Self::TooLong(payload) => ("TooLong", payload),
        };
        f.debug_tuple(name).field(&payload.len()).finish()
    }
}

/// ": status" where there is one.
struct Because<'a>(Option<&'a Status>);

impl fmt::Display for Because<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Some(status) => write!(f, ": {status}"),
            None => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use alloc::{format, string::ToString};
    use core::error::Error as _;

    use super::*;
    use crate::{chunk::ChunkError, message::StatusCode};

    /// What a log shows of the end of a session: one line, and the layers below as sources.
    #[test]
    fn ends_say_what_happened() {
        let status = || Status::error(StatusCode::PUBLISH_BAD_NAME, "in use");
        let cut = |mid_message| CloseReason::EndOfInput { mid_message };
        for (reason, shown) in [
            (CloseReason::Local, "closed by this side"),
            (CloseReason::Peer(None), "closed by the peer"),
            (
                CloseReason::Peer(Some(status())),
                "closed by the peer: NetStream.Publish.BadName (in use)",
            ),
            (cut(false), "connection ended by the peer"),
            (
                cut(true),
                "connection ended by the peer in the middle of a message",
            ),
            (
                CloseReason::Rejected(status()),
                "request rejected: NetStream.Publish.BadName (in use)",
            ),
            (
                CloseReason::Refused(status()),
                "rejected by the peer: NetStream.Publish.BadName (in use)",
            ),
            (
                CloseReason::Timeout(Timeout::FirstMedia),
                "timed out: the publisher sent no media",
            ),
        ] {
            assert_eq!(reason.to_string(), shown);
            assert!(reason.source().is_none());
        }
        let reason = CloseReason::from(Error::from(ChunkError::TooManyChunks { limit: 5 }));
        assert_eq!(reason.to_string(), "protocol violated by the peer");
        let layer = reason.source().expect("the layer");
        assert_eq!(layer.to_string(), "chunk stream broken");
        let cause = layer.source().expect("the violation");
        assert_eq!(cause.to_string(), "message in more than 5 chunks");
    }

    /// A payload that was not queued is given back, and not shown.
    #[test]
    fn payloads_are_given_back() {
        let payload = || Bytes::from_static(b"hidden");
        for (error, name) in [
            (SendError::Closed(payload()), "Closed(6)"),
            (SendError::NotActive(payload()), "NotActive(6)"),
            (SendError::QueueFull(payload()), "QueueFull(6)"),
            (SendError::TooLong(payload()), "TooLong(6)"),
        ] {
            assert_eq!(format!("{error:?}"), name);
            assert_eq!(error.into_payload(), payload());
        }
    }
}
