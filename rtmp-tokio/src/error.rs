//! What can go wrong on a connection.

use std::io;

use rtmp_proto::{CloseReason, RequestError};

/// Why a connection cannot go on, or a command on it was not carried out.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The transport failed.
    #[error(transparent)]
    Io(#[from] io::Error),
    /// TLS was not agreed upon: a certificate is refused, or the peer does not speak TLS.
    #[error("TLS handshake failed")]
    Tls(#[source] io::Error),
    /// The session has ended.
    #[error(transparent)]
    Closed(CloseReason),
    /// The session refused a command.
    #[error(transparent)]
    Request(#[from] RequestError),
    /// A frame's payload is longer than a message can be.
    #[error("frame of {length} bytes is longer than a message can be")]
    FrameTooLong {
        /// Its length.
        length: usize,
    },
    /// The player has ended the stream; the connection goes on.
    #[error("stream ended by the player")]
    StreamEnded,
    /// The URL asks for TLS, which this build or this call has none of.
    #[error("rtmps needs TLS, which is not enabled here")]
    NoTls,
    /// The host name is not one that a certificate can be for.
    #[error("host name is not valid for TLS")]
    InvalidServerName,
}
