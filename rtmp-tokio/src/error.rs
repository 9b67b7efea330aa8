//! What can go wrong on a connection.

use std::{io, time::Duration};

use rtmp_proto::{
    CloseReason, RequestError, Retry, Status,
    auth::{self, AuthError},
};

use crate::reconnecting::random;

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
    /// Name resolution and TCP took longer than they may.
    #[error("no connection within {limit:?}")]
    ConnectTimeout {
        /// What they may take.
        limit: Duration,
    },
    /// TCP is connected, and TLS was not agreed upon in what was left of the time.
    #[error("no TLS handshake within {limit:?}")]
    TlsTimeout {
        /// What name resolution, TCP and TLS may take together.
        limit: Duration,
    },
    /// The server asks a player to connect again, perhaps elsewhere: to be given to
    /// [`Reconnect::redirect`](rtmp_proto::Reconnect::redirect). The connection goes on for now.
    #[error("server asks for a reconnect")]
    ReconnectRequest(Status),
    /// The session has ended.
    #[error(transparent)]
    Closed(CloseReason),
    /// The server wants a user and a password, and those of the URL are not the right ones.
    #[error(transparent)]
    Auth(#[from] AuthError),
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
    /// The URL asks for RTMP in HTTP, which needs more than a byte stream.
    #[error("rtmpt is not supported here")]
    Tunnelled,
    /// The host name is not one that a certificate can be for.
    #[error("host name is not valid for TLS")]
    InvalidServerName,
}

impl Error {
    /// Whether a client may try again after this.
    pub fn retry(&self) -> Retry {
        match self {
            Self::Closed(reason) => reason.retry(),
            Self::Io(_) | Self::ConnectTimeout { .. } | Self::TlsTimeout { .. } => Retry::Always,
            Self::ReconnectRequest(_) => Retry::Always,
            // A certificate that is refused, or no TLS at all; else the connection was cut.
            Self::Tls(error) if error.kind() == io::ErrorKind::InvalidData => Retry::Never,
            Self::Tls(_) => Retry::Always,
            Self::Auth(_) | Self::Request(_) | Self::FrameTooLong { .. } => Retry::Never,
            Self::StreamEnded | Self::NoTls | Self::Tunnelled | Self::InvalidServerName => {
                Retry::Never
            }
        }
    }

    /// What is left of this error if the server only wants `auth` to connect again: nothing.
    pub(crate) fn answered_by(self, auth: &mut auth::Client) -> Result<(), Self> {
        let Self::Closed(CloseReason::Refused(status)) = &self else {
            return Err(self);
        };
        match auth.refused(status, random()) {
            Ok(()) => Ok(()),
            Err(AuthError::NotAsked) => Err(self),
            Err(error) => Err(error.into()),
        }
    }
}
