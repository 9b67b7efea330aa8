//! Requests, by their paths.

use alloc::{
    format,
    string::{String, ToString},
};
use core::fmt;

use super::TunnelError;

/// A request of the tunnel.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(clippy::exhaustive_enums, reason = "the requests there are")]
pub enum Request {
    /// "Which server shall I use?" Answer with status 404 for "this one".
    Ident,
    /// Opens a session.
    Open,
    /// Brings bytes, and asks for some.
    Send {
        /// The session.
        session: SessionId,
        /// Its number in the session.
        sequence: u32,
    },
    /// Asks for bytes.
    Idle {
        /// The session.
        session: SessionId,
        /// Its number in the session.
        sequence: u32,
    },
    /// Closes the session.
    Close {
        /// The session.
        session: SessionId,
        /// Its number in the session.
        sequence: u32,
    },
}

impl Request {
    /// The request with this path. A query is ignored.
    ///
    /// # Errors
    ///
    /// It is none of the tunnel's.
    pub fn decode(path: &str) -> Result<Self, TunnelError> {
        let (path, _) = path.split_once('?').unwrap_or((path, ""));
        let mut segments = path.strip_prefix('/').unwrap_or(path).split('/');
        let [command, first, second, rest] = [(); 4].map(|()| segments.next());
        match (command, first, second, rest) {
            (Some("fcs"), Some("ident" | "ident2"), None, None) => return Ok(Self::Ident),
            // The number is 1, and says nothing.
            (Some("open"), _, None, None) => return Ok(Self::Open),
            _ => {}
        }
        let (Some(command), Some(session), Some(sequence), None) = (command, first, second, rest)
        else {
            return Err(TunnelError::UnknownRequest);
        };
        let session = SessionId::new(session).ok_or(TunnelError::UnknownRequest)?;
        let is_number = sequence.bytes().all(|digit| digit.is_ascii_digit());
        let sequence = sequence.parse().ok().filter(|_| is_number);
        let sequence = sequence.ok_or(TunnelError::UnknownRequest)?;
        match command {
            "send" => Ok(Self::Send { session, sequence }),
            "idle" => Ok(Self::Idle { session, sequence }),
            "close" => Ok(Self::Close { session, sequence }),
            _ => Err(TunnelError::UnknownRequest),
        }
    }

    /// The path.
    pub fn path(&self) -> String {
        let (command, session, sequence) = match self {
            Self::Ident => return "/fcs/ident2".into(),
            Self::Open => return "/open/1".into(),
            Self::Send { session, sequence } => ("send", session, sequence),
            Self::Idle { session, sequence } => ("idle", session, sequence),
            Self::Close { session, sequence } => ("close", session, sequence),
        };
        format!("/{command}/{}/{sequence}", session.as_str())
    }

    /// The session it belongs to, by which a server finds its [`Server`](super::Server).
    pub const fn session(&self) -> Option<&SessionId> {
        match self {
            Self::Ident | Self::Open => None,
            Self::Send { session, .. }
            | Self::Idle { session, .. }
            | Self::Close { session, .. } => Some(session),
        }
    }
}

/// Names a session: 1 to 64 letters, digits, `-`, `_` or `.`. A secret: whoever knows it can speak
/// for the client.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SessionId(String);

impl SessionId {
    /// The session called `id`, `None` if no session can have this name.
    pub fn new(id: &str) -> Option<Self> {
        let is_allowed = |c: u8| c.is_ascii_alphanumeric() || b"-_.".contains(&c);
        let is_valid = (1..=ID_LEN_MAX).contains(&id.len()) && id.bytes().all(is_allowed);
        is_valid.then(|| Self(id.to_string()))
    }

    /// A new name. `random` must be unpredictable.
    pub fn random(random: [u8; 16]) -> Self {
        Self(random.iter().map(|byte| format!("{byte:02x}")).collect())
    }

    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for SessionId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SessionId")
    }
}

const ID_LEN_MAX: usize = 64;
