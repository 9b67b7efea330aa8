//! The side that makes requests.

use core::{mem, str, time::Duration};

use alloc::{vec, vec::Vec};

use bytes::{Buf, Bytes};

use super::{Request, SessionId, TunnelError, body, check_len};
use crate::time::Instant;

/// A client's end of the tunnel.
///
/// ```text
/// Opening -> Open -> Closed      `poll_request`, make the request, `handle_response`, and again
/// ```
///
/// The loop: give [`poll_request`](Self::poll_request) what the session has to send; if it wants a
/// request made, make it and give the response to [`handle_response`](Self::handle_response) and
/// what that returns to the session; else wait for output of the session or for
/// [`poll_timeout`](Self::poll_timeout).
#[derive(Debug)]
pub struct Client {
    state: State,
    /// The request that waits for its response.
    waiting: Option<Waiting>,
    sequence: u32,
    idle_at: Instant,
    interval: u8,
}

#[derive(Debug)]
enum State {
    Opening,
    Open(SessionId),
    Closing(SessionId),
    Closed,
}

#[derive(Clone, Copy, Debug)]
enum Waiting {
    Open,
    Data,
    Close,
}

impl Client {
    /// A tunnel that is not open yet.
    pub const fn new() -> Self {
        Self {
            state: State::Opening,
            waiting: None,
            sequence: 0,
            idle_at: Instant::ORIGIN,
            interval: 0,
        }
    }

    /// The next request and its body, if one is due: one that opens the tunnel, brings bytes of
    /// `output`, or asks for bytes because it is time. `None` while one waits for its response.
    #[must_use = "a request that is not made is lost"]
    pub fn poll_request(
        &mut self,
        now: Instant,
        output: &mut impl Buf,
    ) -> Option<(Request, Vec<u8>)> {
        if self.waiting.is_some() {
            return None;
        }
        let sequence = self.sequence;
        let (waiting, request, body) = match mem::replace(&mut self.state, State::Closed) {
            State::Opening => {
                self.state = State::Opening;
                (Waiting::Open, Request::Open, vec![0])
            }
            State::Open(session) if output.has_remaining() => {
                self.state = State::Open(session.clone());
                let request = Request::Send { session, sequence };
                (Waiting::Data, request, body(None, output))
            }
            State::Open(session) => {
                self.state = State::Open(session.clone());
                if now < self.idle_at {
                    return None;
                }
                (Waiting::Data, Request::Idle { session, sequence }, vec![0])
            }
            State::Closing(session) => (
                Waiting::Close,
                Request::Close { session, sequence },
                vec![0],
            ),
            State::Closed => return None,
        };
        if request != Request::Open {
            self.sequence = sequence.wrapping_add(1);
        }
        self.waiting = Some(waiting);
        Some((request, body))
    }

    /// Takes the response to the last request and returns the bytes it brought.
    ///
    /// # Errors
    ///
    /// It is not what a server of the tunnel responds; the tunnel is closed.
    pub fn handle_response(
        &mut self,
        now: Instant,
        status: u16,
        body: Bytes,
    ) -> Result<Bytes, TunnelError> {
        let bytes = self.response(status, body);
        match &bytes {
            // There may be more.
            Ok(bytes) if !bytes.is_empty() => self.idle_at = now,
            Ok(_) => self.idle_at = now + IDLE,
            Err(_) => self.state = State::Closed,
        }
        bytes
    }

    fn response(&mut self, status: u16, mut body: Bytes) -> Result<Bytes, TunnelError> {
        let waiting = self.waiting.take().ok_or(TunnelError::WrongState)?;
        if status != 200 {
            return Err(TunnelError::Status { status });
        }
        check_len(&body)?;
        match waiting {
            Waiting::Open => {
                let id = str::from_utf8(&body).ok().map(str::trim_end);
                let id = id.and_then(SessionId::new);
                let id = id.ok_or(TunnelError::InvalidSessionId)?;
                self.state = match self.state {
                    State::Opening => State::Open(id),
                    _ => State::Closing(id),
                };
                Ok(Bytes::new())
            }
            Waiting::Data | Waiting::Close => {
                self.interval = body.get_u8();
                Ok(body)
            }
        }
    }

    /// When [`poll_request`](Self::poll_request) has a request even without output.
    pub const fn poll_timeout(&self) -> Option<Instant> {
        match (&self.waiting, &self.state) {
            (None, State::Open(_)) => Some(self.idle_at),
            _ => None,
        }
    }

    /// Closes the tunnel: the next request says so, and is the last.
    pub fn close(&mut self) {
        self.state = match mem::replace(&mut self.state, State::Closed) {
            State::Open(session) | State::Closing(session) => State::Closing(session),
            // Nothing was opened, or it is closed as soon as it is.
            State::Opening | State::Closed => State::Closed,
        };
    }

    /// Whether no further request will be made.
    pub const fn is_closed(&self) -> bool {
        matches!(self.state, State::Closed) && self.waiting.is_none()
    }

    /// The interval of the last response: larger when there is less reason to ask.
    pub const fn interval(&self) -> u8 {
        self.interval
    }
}

impl Default for Client {
    fn default() -> Self {
        Self::new()
    }
}

/// How long to wait before asking for bytes when there were none, as ffmpeg.
const IDLE: Duration = Duration::from_millis(50);
