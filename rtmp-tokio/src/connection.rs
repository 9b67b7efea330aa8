//! The driver: a session and the transport it talks over.

use std::{
    fmt, future,
    io::{self, IoSlice},
    pin::Pin,
    task::{Context, Poll, ready},
    time::Duration,
};

use bytes::{Buf, BytesMut};
use rtmp_proto::{Instant, Role, Session};
use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    time::{self, Sleep},
};

use crate::error::Error;

/// A [`Session`] driven over `T`: reads, writes and waits, nothing else.
///
/// The caller owns the task; there is no spawning and no channel inside. Commands go straight to
/// [`session`](Self::session); what they queue is written by the next
/// [`next_event`](Self::next_event), [`flush`](Self::flush) or [`close`](Self::close).
pub struct Connection<T, R: Role> {
    io: T,
    session: Session<R>,
    origin: time::Instant,
    /// Bytes read and not yet taken by the session.
    input: BytesMut,
    read_size: usize,
    timer: Timer,
    /// The event after the one handed out last, once the session is closed.
    next: Option<R::Event>,
    ending: Ending,
    write_failed: bool,
}

/// How far the end of the transport has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Ending {
    /// The session is not closed, or events precede its last one.
    NotYet,
    /// Writing what is queued, then shutting the write side down.
    Flushing { until: Instant },
    /// Reading until the peer has closed too: a reset would destroy the last bytes in flight.
    Draining { until: Instant },
    /// All is done.
    Done,
}

impl<T: AsyncRead + AsyncWrite + Unpin, R: Role> Connection<T, R> {
    /// Drives a new session over `io`, a fresh connection.
    ///
    /// # Errors
    ///
    /// The operating system has no random bytes.
    pub fn new(io: T, config: std::sync::Arc<R::Config>) -> Result<Self, Error> {
        let mut random = [0; rtmp_proto::handshake::HANDSHAKE_RANDOM_LEN];
        getrandom::fill(&mut random).map_err(|error| Error::Io(error.into()))?;
        Ok(Self {
            io,
            session: Session::new(Instant::ORIGIN, config, random),
            origin: time::Instant::now(),
            input: BytesMut::new(),
            read_size: READ_SIZE_MIN,
            timer: Timer::default(),
            next: None,
            ending: Ending::NotYet,
            write_failed: false,
        })
    }

    /// The session, for queries and commands.
    pub fn session(&mut self) -> &mut Session<R> {
        &mut self.session
    }

    /// The time to give to commands of the session.
    pub fn now(&self) -> Instant {
        Instant::from_origin(self.origin.elapsed())
    }

    /// Waits for the next event, reading and writing meanwhile.
    ///
    /// The last one is `Closed`; it comes after everything queued was written and the transport was
    /// shut down. Cancel-safe: a future that is dropped loses neither bytes nor events.
    ///
    /// # Errors
    ///
    /// [`Error::Io`] once if the transport fails, and [`Error::Closed`] after the end.
    pub async fn next_event(&mut self) -> Result<R::Event, Error> {
        future::poll_fn(|cx| self.poll_event(cx)).await
    }

    /// Waits until at most `len` bytes of output wait to be written. Events stay where they are.
    ///
    /// Cancel-safe.
    ///
    /// # Errors
    ///
    /// [`Error::Io`] if the transport fails, and [`Error::Closed`] if it takes nothing for too long.
    pub async fn flush_to(&mut self, len: usize) -> Result<(), Error> {
        future::poll_fn(|cx| self.poll_flush_to(cx, len)).await
    }

    /// Waits for the next event, or until at most `len` bytes of output wait (`None`): what a sender
    /// that holds frames back waits for. Cancel-safe.
    ///
    /// # Errors
    ///
    /// As [`next_event`](Self::next_event).
    pub async fn next_event_or_room(&mut self, len: usize) -> Result<Option<R::Event>, Error> {
        future::poll_fn(|cx| match self.poll_event(cx) {
            Poll::Ready(event) => Poll::Ready(event.map(Some)),
            Poll::Pending if self.session.queued_len() <= len => Poll::Ready(Ok(None)),
            Poll::Pending => Poll::Pending,
        })
        .await
    }

    /// Writes everything that waits. Cancel-safe.
    ///
    /// # Errors
    ///
    /// As [`flush_to`](Self::flush_to).
    pub async fn flush(&mut self) -> Result<(), Error> {
        self.flush_to(0).await
    }

    /// Closes the session in good order and waits for its end, dropping the events before it.
    ///
    /// # Errors
    ///
    /// The transport fails.
    pub async fn close(&mut self) -> Result<(), Error> {
        let now = self.now();
        self.session.close(now);
        loop {
            match self.next_event().await {
                Ok(_) => {}
                Err(Error::Closed(_)) => return Ok(()),
                Err(error) => return Err(error),
            }
        }
    }

    /// [`next_event`](Self::next_event) for callers that poll.
    pub fn poll_event(&mut self, cx: &mut Context<'_>) -> Poll<Result<R::Event, Error>> {
        loop {
            if let Some(event) = self.next.take().or_else(|| self.session.poll_event()) {
                if !self.session.is_closed() {
                    return Poll::Ready(Ok(event));
                }
                // The last event waits for the transport; those before it do not.
                self.next = self.session.poll_event();
                if self.next.is_some() {
                    return Poll::Ready(Ok(event));
                }
                self.next = Some(event);
                ready!(self.poll_end(cx));
                return Poll::Ready(Ok(self.next.take().expect("put there just above")));
            }
            if let Some(reason) = self.session.close_reason() {
                return Poll::Ready(Err(Error::Closed(reason.clone())));
            }
            if self.take_input() {
                continue;
            }
            let timed_out = self.poll_timer(cx).is_ready();
            let _ = self.poll_write(cx);
            match self.poll_read(cx) {
                Poll::Ready(Err(error)) => return Poll::Ready(Err(self.fail(error))),
                Poll::Ready(Ok(())) => {}
                Poll::Pending if timed_out => {}
                Poll::Pending => return Poll::Pending,
            }
        }
    }

    fn poll_flush_to(&mut self, cx: &mut Context<'_>, len: usize) -> Poll<Result<(), Error>> {
        loop {
            let _ = self.poll_write(cx);
            if self.session.queued_len() <= len {
                return Poll::Ready(Ok(()));
            }
            // A peer that sends without reading must not block both sides.
            let has_read = self.take_input() || matches!(self.poll_read(cx), Poll::Ready(Ok(())));
            if let Some(reason) = self.session.close_reason() {
                return Poll::Ready(Err(Error::Closed(reason.clone())));
            }
            let timed_out = self.poll_timer(cx).is_ready();
            if !has_read && !timed_out {
                return Poll::Pending;
            }
        }
    }

    /// Hands bytes read before to the session; whether it took any.
    fn take_input(&mut self) -> bool {
        if self.input.is_empty() || !self.session.wants_read() {
            return false;
        }
        let now = self.now();
        self.session.handle_input(now, &mut self.input);
        true
    }

    /// Ready when the session was told that time has passed.
    fn poll_timer(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let Some(deadline) = self.session.poll_timeout() else {
            return Poll::Pending;
        };
        ready!(self.timer.poll(cx, self.origin, deadline));
        let now = self.now();
        self.session.handle_timeout(now);
        Poll::Ready(())
    }

    /// Writes what the transport takes; ready when nothing waits.
    fn poll_write(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        if self.write_failed {
            return Poll::Ready(());
        }
        while let Some(mut transmit) = self.session.poll_transmit() {
            let mut slices = [IoSlice::new(&[]); WRITE_SLICES];
            let count = transmit.chunks_vectored(&mut slices);
            let slices = slices.get(..count).unwrap_or_default();
            match ready!(Pin::new(&mut self.io).poll_write_vectored(cx, slices)) {
                Ok(written) if written > 0 => transmit.advance(written),
                // The peer is gone; what it sent before may still be read.
                Ok(_) | Err(_) => {
                    self.write_failed = true;
                    return Poll::Ready(());
                }
            }
        }
        self.write_failed = ready!(Pin::new(&mut self.io).poll_flush(cx)).is_err();
        Poll::Ready(())
    }

    /// Reads once if the session wants it; ready when something arrived, be it the end.
    fn poll_read(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        if !self.input.is_empty() || !self.session.wants_read() {
            return Poll::Pending;
        }
        self.input.resize(self.read_size, 0);
        let mut buffer = ReadBuf::new(&mut self.input);
        let result = Pin::new(&mut self.io).poll_read(cx, &mut buffer);
        let count = buffer.filled().len();
        self.input.truncate(count);
        ready!(result)?;
        if count == 0 {
            let now = self.now();
            self.session.handle_eof(now);
        }
        if count == self.read_size {
            self.read_size = (2 * self.read_size).min(READ_SIZE_MAX);
        }
        Poll::Ready(Ok(()))
    }

    /// The transport has failed: the session ends, and the failure stands for its last event.
    fn fail(&mut self, error: io::Error) -> Error {
        let now = self.now();
        self.session.handle_eof(now);
        while self.session.poll_event().is_some() {}
        self.ending = Ending::Done;
        Error::Io(error)
    }

    /// Writes what is queued, shuts down, and waits for the peer to do the same; or long enough.
    fn poll_end(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        loop {
            let until = match self.ending {
                Ending::NotYet => {
                    let until = self.now() + LINGER;
                    self.ending = Ending::Flushing { until };
                    continue;
                }
                Ending::Flushing { until } | Ending::Draining { until } => until,
                Ending::Done => return Poll::Ready(()),
            };
            if self.timer.poll(cx, self.origin, until).is_ready() {
                self.ending = Ending::Done;
                continue;
            }
            self.ending = match self.ending {
                Ending::Flushing { until } => {
                    ready!(self.poll_write(cx));
                    match ready!(Pin::new(&mut self.io).poll_shutdown(cx)) {
                        Ok(()) if !self.write_failed => Ending::Draining { until },
                        _ => Ending::Done,
                    }
                }
                _ => {
                    self.input.resize(READ_SIZE_MIN, 0);
                    let mut buffer = ReadBuf::new(&mut self.input);
                    let result = ready!(Pin::new(&mut self.io).poll_read(cx, &mut buffer));
                    match result {
                        Ok(()) if !buffer.filled().is_empty() => continue,
                        _ => Ending::Done,
                    }
                }
            };
        }
    }
}

impl<T, R: Role> fmt::Debug for Connection<T, R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Connection")
            .field("session", &self.session)
            .finish_non_exhaustive()
    }
}

/// A timer that is set anew only when its deadline changes. The clock decides whether it has expired,
/// the future only wakes the task.
#[derive(Default)]
struct Timer {
    sleep: Option<Pin<Box<Sleep>>>,
    deadline: Option<Instant>,
}

impl Timer {
    fn poll(&mut self, cx: &mut Context<'_>, origin: time::Instant, deadline: Instant) -> Poll<()> {
        let at = origin
            .checked_add(deadline.since_origin())
            .unwrap_or_else(|| time::Instant::now() + FAR_FUTURE);
        if time::Instant::now() >= at {
            return Poll::Ready(());
        }
        let sleep = self
            .sleep
            .get_or_insert_with(|| Box::pin(time::sleep_until(at)));
        if self.deadline != Some(deadline) {
            sleep.as_mut().reset(at);
            self.deadline = Some(deadline);
        }
        Pin::new(sleep).poll(cx)
    }
}

/// Pieces given to one vectored write.
const WRITE_SLICES: usize = 64;

/// A connection begins with small reads, since most players send next to nothing, and doubles them
/// while they come back full.
const READ_SIZE_MIN: usize = 4 << 10;
const READ_SIZE_MAX: usize = 64 << 10;

/// How long the end of a connection may take.
const LINGER: Duration = Duration::from_secs(5);

/// Stands for a deadline beyond what the clock can express.
const FAR_FUTURE: Duration = Duration::from_secs(86_400 * 365);
