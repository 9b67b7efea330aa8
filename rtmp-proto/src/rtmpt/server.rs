//! The side that answers requests.

use alloc::{format, vec::Vec};

use bytes::{Buf, Bytes};

use super::{Request, SessionId, TunnelError, body, check_len};

/// A server's end of the tunnel, one for each session.
///
/// For [`Request::Open`] make one and respond with [`opening`](Self::opening). For each request that
/// names it, [`handle_request`](Self::handle_request) gives the bytes for the session, and
/// [`respond`](Self::respond) makes the body of the response from the session's output. How many
/// sessions there may be, and how long one may be silent, is the caller's to limit.
#[derive(Debug)]
pub struct Server {
    session: SessionId,
    /// The number of the next request; the first may begin anywhere.
    expected: Option<u32>,
    interval: u8,
    is_closed: bool,
}

impl Server {
    /// The tunnel of a new session.
    pub const fn new(session: SessionId) -> Self {
        Self {
            session,
            expected: None,
            interval: INTERVAL_MIN,
            is_closed: false,
        }
    }

    /// The session.
    pub const fn session(&self) -> &SessionId {
        &self.session
    }

    /// The body of the response to [`Request::Open`].
    pub fn opening(&self) -> Vec<u8> {
        format!("{}\n", self.session.as_str()).into_bytes()
    }

    /// Takes a request and returns the bytes it brought.
    ///
    /// # Errors
    ///
    /// The request is not one of this session, is not the next one, or its body is empty or too
    /// long. The tunnel is as it was: respond with an error of HTTP.
    pub fn handle_request(&mut self, request: &Request, body: Bytes) -> Result<Bytes, TunnelError> {
        if self.is_closed {
            return Err(TunnelError::WrongState);
        }
        let sequence = match request {
            Request::Ident | Request::Open => return Err(TunnelError::WrongState),
            Request::Send { sequence, .. }
            | Request::Idle { sequence, .. }
            | Request::Close { sequence, .. } => *sequence,
        };
        if request.session() != Some(&self.session) {
            return Err(TunnelError::WrongSession);
        }
        let expected = self.expected.unwrap_or(sequence);
        if sequence != expected {
            return Err(TunnelError::OutOfOrder { sequence, expected });
        }
        check_len(&body)?;
        self.expected = Some(sequence.wrapping_add(1));
        match request {
            Request::Send { .. } => {
                self.interval = INTERVAL_MIN;
                Ok(body)
            }
            Request::Close { .. } => {
                self.is_closed = true;
                Ok(Bytes::new())
            }
            _ => Ok(Bytes::new()),
        }
    }

    /// The body of the response to the last request, with as much of `output` as fits.
    pub fn respond(&mut self, output: &mut impl Buf) -> Vec<u8> {
        let is_idle = !output.has_remaining();
        let interval = self.interval;
        self.interval = match is_idle {
            true => interval.saturating_mul(2).min(INTERVAL_MAX),
            false => INTERVAL_MIN,
        };
        body(Some(interval), output)
    }

    /// Whether the client has closed the tunnel.
    pub const fn is_closed(&self) -> bool {
        self.is_closed
    }
}

/// The intervals of Flash Media Server and Red5 go from 1 to 33.
const INTERVAL_MIN: u8 = 1;
const INTERVAL_MAX: u8 = 33;
