//! The driver: a session and the transport it talks over.

use std::{
    fmt, future,
    io::{self, IoSlice},
    mem,
    pin::{Pin, pin},
    sync::Arc,
    task::{Context, Poll, Waker, ready},
    time::Duration,
};

use bytes::{Buf, BytesMut};
use rtmp_proto::{Driver, Instant, Role, Session, handshake::HANDSHAKE_RANDOM_LEN};
use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWrite},
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
    driver: Driver<R>,
    /// For the next read: empty, without capacity if none is under way.
    buffer: BytesMut,
    origin: time::Instant,
    timer: Timer,
    /// The failure of the transport that ends the connection, or will.
    failure: Option<io::Error>,
}

impl<T: AsyncRead + AsyncWrite + Unpin, R: Role> Connection<T, R> {
    /// Drives a new session over `io`, a fresh connection.
    ///
    /// # Errors
    ///
    /// The operating system has no random bytes.
    pub fn new(io: T, config: Arc<R::Config>) -> Result<Self, Error> {
        let mut random = [0; HANDSHAKE_RANDOM_LEN];
        getrandom::fill(&mut random).map_err(|error| Error::Io(error.into()))?;
        Ok(Self {
            io,
            driver: Driver::new(Session::new(Instant::ORIGIN, config, random)),
            buffer: BytesMut::new(),
            origin: time::Instant::now(),
            timer: Timer::default(),
            failure: None,
        })
    }

    /// The session, for queries and commands. Take its events with [`next_event`](Self::next_event).
    pub fn session(&mut self) -> &mut Session<R> {
        self.driver.session_mut()
    }

    /// The time to give to commands of the session.
    pub fn now(&self) -> Instant {
        Instant::from_origin(self.origin.elapsed())
    }

    /// Waits for the next event, reading and writing meanwhile.
    ///
    /// The last one is `Closed`; it comes after everything queued was written, the transport was shut
    /// down and the peer has closed it too, for which it waits 5 s at most. While a request waits for
    /// its answer nothing is read, so no other event comes, not even for the peer's going away.
    ///
    /// Cancel-safe: a future that is dropped loses neither bytes nor events.
    ///
    /// # Errors
    ///
    /// [`Error::Io`] once if the transport fails, after all events that preceded it, and
    /// [`Error::Closed`] after the end.
    pub async fn next_event(&mut self) -> Result<R::Event, Error> {
        future::poll_fn(|cx| self.poll_event(cx)).await
    }

    /// Waits until at most `len` bytes of output wait to be written. Events stay where they are, and
    /// while one waits nothing more is read.
    ///
    /// Cancel-safe. What a closed session has left to say is written too, within 5 s.
    ///
    /// # Errors
    ///
    /// [`Error::Io`] if the transport fails, and [`Error::Closed`] if the session ends before. Either
    /// way [`next_event`](Self::next_event) may still bring events that tell more.
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
            Poll::Pending if self.driver.session().queued_len() <= len => Poll::Ready(Ok(None)),
            Poll::Pending => Poll::Pending,
        })
        .await
    }

    /// Writes everything that waits, and flushes the transport. Cancel-safe.
    ///
    /// # Errors
    ///
    /// As [`flush_to`](Self::flush_to).
    pub async fn flush(&mut self) -> Result<(), Error> {
        self.flush_to(0).await
    }

    /// Closes the session in good order and waits for its end, dropping the events before it.
    ///
    /// What waits has 5 s to be written; [`flush`](Self::flush) first if that may be too short.
    /// Cancel-safe: call it again to go on.
    ///
    /// # Errors
    ///
    /// [`Error::Io`] if not everything was written: the transport failed, or was too slow.
    pub async fn close(&mut self) -> Result<(), Error> {
        future::poll_fn(|cx| self.poll_close(cx)).await
    }

    /// [`next_event`](Self::next_event) for callers that poll.
    pub fn poll_event(&mut self, cx: &mut Context<'_>) -> Poll<Result<R::Event, Error>> {
        loop {
            let now = self.now();
            if let Some(event) = self.driver.poll_event(now) {
                return Poll::Ready(Ok(event));
            }
            if self.driver.is_finished() {
                return Poll::Ready(Err(self.end()));
            }
            ready!(self.poll_drive(cx));
        }
    }

    /// [`flush_to`](Self::flush_to) for callers that poll.
    pub fn poll_flush_to(&mut self, cx: &mut Context<'_>, len: usize) -> Poll<Result<(), Error>> {
        loop {
            // The transport may have a buffer of its own, as TLS has.
            let is_flushed = self.poll_write(cx).is_ready() && self.failure.is_none();
            if self.driver.session().queued_len() <= len && (len > 0 || is_flushed) {
                return Poll::Ready(Ok(()));
            }
            if let Some(failure) = &self.failure {
                return Poll::Ready(Err(Error::Io(copy(failure))));
            }
            if self.driver.has_ended() {
                return Poll::Ready(Err(self.end()));
            }
            ready!(self.poll_drive(cx));
        }
    }

    /// [`close`](Self::close) for callers that poll.
    pub fn poll_close(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Error>> {
        let now = self.now();
        self.driver.session_mut().close(now);
        while ready!(self.poll_event(cx)).is_ok() {}
        Poll::Ready(match self.failure.take() {
            Some(failure) => Err(Error::Io(failure)),
            None if self.driver.session().queued_len() > 0 => {
                Err(Error::Io(io::ErrorKind::TimedOut.into()))
            }
            None => Ok(()),
        })
    }

    /// Does what there is to do; ready when something has moved.
    fn poll_drive(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let now = self.now();
        self.driver.settle(now);
        // Writing may make the session want input, and move its deadline.
        let is_written = self.poll_write(cx).is_ready();
        if is_written
            && self.driver.wants_shutdown()
            && let Poll::Ready(result) = Pin::new(&mut self.io).poll_shutdown(cx)
        {
            match result {
                Ok(()) => self.driver.handle_shutdown(),
                Err(error) => self.write_failed(error),
            }
            return Poll::Ready(());
        }
        let has_input =
            self.driver.feed(now) || self.driver.wants_read() && self.poll_read(cx).is_ready();
        let time = self.poll_timer(cx);
        match has_input {
            true => Poll::Ready(()),
            false => time,
        }
    }

    /// Ready when a deadline has passed.
    fn poll_timer(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let Some(deadline) = self.driver.poll_timeout() else {
            return Poll::Pending;
        };
        ready!(self.timer.poll(cx, self.origin, deadline));
        let now = self.now();
        self.driver.handle_timeout(now);
        Poll::Ready(())
    }

    /// Reads once.
    fn poll_read(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        if self.buffer.capacity() == 0 {
            self.buffer = self.driver.take_buffer();
        }
        let result = ready!(pin!(self.io.read_buf(&mut self.buffer)).poll(cx));
        let now = self.now();
        match result {
            Ok(0) => self.driver.handle_eof(now),
            Ok(_) => self.driver.handle_input(now, mem::take(&mut self.buffer)),
            // TLS without its own good-bye. Where that cuts something short, the session tells.
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => {
                self.driver.handle_eof(now);
            }
            Err(error) => {
                self.driver.handle_read_failure(now);
                // At the end of a connection it makes no difference.
                if self.driver.has_failed() {
                    self.failure.get_or_insert(error);
                }
            }
        }
        Poll::Ready(())
    }

    /// Writes what the transport takes; ready when nothing waits any more, or nothing ever will be
    /// written.
    fn poll_write(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        if self.failure.is_some() {
            return Poll::Ready(());
        }
        if let Err(error) = ready!(self.poll_write_all(cx)) {
            self.write_failed(error);
        }
        Poll::Ready(())
    }

    fn poll_write_all(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        while let Some(mut transmit) = self.driver.poll_transmit() {
            let mut slices = [IoSlice::new(&[]); WRITE_SLICES];
            let count = transmit.chunks_vectored(&mut slices);
            let io = Pin::new(&mut self.io);
            let written = match slices.get(..count).unwrap_or_default() {
                // The system is faster with one piece than with a list of one.
                [slice] => io.poll_write(cx, slice),
                slices => io.poll_write_vectored(cx, slices),
            };
            match ready!(written)? {
                0 => return Poll::Ready(Err(io::ErrorKind::WriteZero.into())),
                written => transmit.advance(written),
            }
        }
        Pin::new(&mut self.io).poll_flush(cx)
    }

    fn write_failed(&mut self, error: io::Error) {
        let now = self.now();
        self.driver.handle_write_failure(now);
        self.failure.get_or_insert(error);
    }

    /// The error after the end: the failure of the transport if that ended it, once.
    fn end(&mut self) -> Error {
        if self.driver.has_failed()
            && let Some(failure) = self.failure.take()
        {
            return Error::Io(failure);
        }
        let reason = self.driver.session().close_reason().cloned();
        Error::Closed(reason.expect("the session has ended"))
    }
}

/// An error for one who asks before it ends the connection.
fn copy(error: &io::Error) -> io::Error {
    match error.raw_os_error() {
        Some(code) => io::Error::from_raw_os_error(code),
        None => error.kind().into(),
    }
}

impl<T, R: Role> fmt::Debug for Connection<T, R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Connection")
            .field("session", self.driver.session())
            .finish_non_exhaustive()
    }
}

/// A timer that is set anew only for an earlier deadline, since most are put off again and again. The
/// clock decides whether it has expired, the future only wakes the task: perhaps to wait once more.
#[derive(Default)]
struct Timer {
    sleep: Option<Pin<Box<Sleep>>>,
    /// When the future wakes the task, and which.
    armed: Option<(time::Instant, Waker)>,
}

impl Timer {
    fn poll(&mut self, cx: &mut Context<'_>, origin: time::Instant, deadline: Instant) -> Poll<()> {
        let at = origin
            .checked_add(deadline.since_origin())
            .unwrap_or_else(|| time::Instant::now() + FAR_FUTURE);
        let now = time::Instant::now();
        if now >= at {
            return Poll::Ready(());
        }
        if let Some((armed, waker)) = &self.armed
            && (now < *armed && *armed <= at)
            && waker.will_wake(cx.waker())
        {
            return Poll::Pending;
        }
        let sleep = self
            .sleep
            .get_or_insert_with(|| Box::pin(time::sleep_until(at)));
        sleep.as_mut().reset(at);
        self.armed = Some((at, cx.waker().clone()));
        Pin::new(sleep).poll(cx)
    }
}

/// Pieces given to one vectored write.
const WRITE_SLICES: usize = 64;

/// Stands for a deadline beyond what the clock can express.
const FAR_FUTURE: Duration = Duration::from_secs(86_400 * 365);
