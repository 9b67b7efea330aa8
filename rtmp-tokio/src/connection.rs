//! The driver: a session and the transport it talks over.

use std::{
    fmt, future,
    io::{self, IoSlice},
    pin::{Pin, pin},
    task::{Context, Poll, ready},
    time::Duration,
};

use bytes::{Buf, BufMut, BytesMut};
use rtmp_proto::{Instant, Role, Session};
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
    session: Session<R>,
    origin: time::Instant,
    /// Bytes read and not yet taken by the session.
    input: BytesMut,
    read_size: usize,
    timer: Timer,
    /// The event after the one handed out last, once the session is closed.
    next: Option<R::Event>,
    ending: Ending,
    input_ended: bool,
    write_failure: Option<WriteFailure>,
}

/// How far the end of the transport has come.
#[derive(Clone, Copy, PartialEq, Eq)]
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

/// The transport takes nothing more. What the peer sent before may still arrive, until then.
struct WriteFailure {
    error: io::Error,
    until: Instant,
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
            input_ended: false,
            write_failure: None,
        })
    }

    /// The session, for queries and commands. Take its events with [`next_event`](Self::next_event).
    pub fn session(&mut self) -> &mut Session<R> {
        &mut self.session
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
            Poll::Pending if self.session.queued_len() <= len => Poll::Ready(Ok(None)),
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
        let now = self.now();
        self.session.close(now);
        while self.next_event().await.is_ok() {}
        match &self.write_failure {
            Some(failure) => Err(failure.to_error()),
            None if self.session.queued_len() > 0 => Err(Error::Io(io::ErrorKind::TimedOut.into())),
            None => Ok(()),
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
            if self.session.is_closed() {
                ready!(self.poll_end(cx));
                return Poll::Ready(Err(self.closed()));
            }
            if self.take_input() {
                continue;
            }
            // Writing may make the session want input, and move its deadline. Input goes before time:
            // what has arrived is not late because this task was.
            let _ = self.poll_write(cx);
            let input = self.poll_input(cx);
            if let Poll::Ready(Err(error)) = input {
                return Poll::Ready(Err(self.fail(error)));
            }
            let time = self.poll_timer(cx);
            if input.is_pending() {
                let now = self.now();
                if let Some(failure) = self.write_failure.take_if(|failure| now >= failure.until) {
                    return Poll::Ready(Err(self.fail(failure.error)));
                }
                ready!(time);
            }
        }
    }

    fn poll_flush_to(&mut self, cx: &mut Context<'_>, len: usize) -> Poll<Result<(), Error>> {
        loop {
            let is_settled = if self.session.is_closed() {
                self.poll_end(cx).is_ready()
            } else {
                self.poll_write(cx).is_ready()
            };
            // The transport may have a buffer of its own, as TLS has.
            let is_flushed = is_settled && self.write_failure.is_none();
            if self.session.queued_len() <= len && (len > 0 || is_flushed) {
                return Poll::Ready(Ok(()));
            }
            if let Some(failure) = &self.write_failure {
                return Poll::Ready(Err(failure.to_error()));
            }
            if self.session.is_closed() {
                return match is_settled {
                    true => Poll::Ready(Err(self.closed())),
                    false => Poll::Pending,
                };
            }
            // A peer that sends without reading must not block both sides.
            let input = self.poll_input(cx);
            if let Poll::Ready(Err(error)) = input {
                return Poll::Ready(Err(self.fail(error)));
            }
            let time = self.poll_timer(cx);
            if input.is_pending() {
                ready!(time);
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

    /// Ready when the session was given input: what was read before, what arrives, or its end.
    fn poll_input(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        if self.take_input() {
            return Poll::Ready(Ok(()));
        }
        if !self.session.wants_read() {
            return Poll::Pending;
        }
        let count = ready!(self.poll_read(cx))?;
        if count == 0 {
            let now = self.now();
            self.session.handle_eof(now);
        }
        if count == self.read_size {
            self.read_size = (2 * self.read_size).min(READ_SIZE_MAX);
        }
        self.take_input();
        Poll::Ready(Ok(()))
    }

    /// Reads once, into the empty `input`.
    fn poll_read(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<usize>> {
        self.input.reserve(self.read_size);
        let mut input = (&mut self.input).limit(self.read_size);
        let count = match ready!(pin!(self.io.read_buf(&mut input)).poll(cx)) {
            Ok(count) => count,
            // TLS without its own good-bye. Where that cuts something short, the session tells.
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => 0,
            Err(error) => return Poll::Ready(Err(error)),
        };
        self.input_ended = count == 0;
        Poll::Ready(Ok(count))
    }

    /// Ready when a deadline has passed; the session was told.
    fn poll_timer(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let failure = self.write_failure.as_ref().map(|failure| failure.until);
        let deadlines = [self.session.poll_timeout(), failure];
        let Some(deadline) = deadlines.into_iter().flatten().min() else {
            return Poll::Pending;
        };
        ready!(self.timer.poll(cx, self.origin, deadline));
        let now = self.now();
        self.session.handle_timeout(now);
        Poll::Ready(())
    }

    /// Writes what the transport takes; ready when nothing waits any more, or nothing ever will be
    /// written.
    fn poll_write(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        if self.write_failure.is_some() {
            return Poll::Ready(());
        }
        if let Err(error) = ready!(self.poll_write_all(cx)) {
            let until = self.now() + LINGER;
            self.write_failure = Some(WriteFailure { error, until });
        }
        Poll::Ready(())
    }

    fn poll_write_all(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        while let Some(mut transmit) = self.session.poll_transmit() {
            let mut slices = [IoSlice::new(&[]); WRITE_SLICES];
            let count = transmit.chunks_vectored(&mut slices);
            let slices = slices.get(..count).unwrap_or_default();
            match ready!(Pin::new(&mut self.io).poll_write_vectored(cx, slices))? {
                0 => return Poll::Ready(Err(io::ErrorKind::WriteZero.into())),
                written => transmit.advance(written),
            }
        }
        Pin::new(&mut self.io).poll_flush(cx)
    }

    /// The transport has failed: the session ends, and the failure stands for its last event.
    fn fail(&mut self, error: io::Error) -> Error {
        let now = self.now();
        self.session.handle_eof(now);
        while self.session.poll_event().is_some() {}
        self.ending = Ending::Done;
        Error::Io(error)
    }

    /// The error after the end.
    fn closed(&self) -> Error {
        let reason = self.session.close_reason().cloned();
        Error::Closed(reason.expect("the session has ended"))
    }

    /// Writes what is queued, shuts down, and waits for the peer to do the same; or long enough.
    fn poll_end(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        loop {
            let until = match self.ending {
                Ending::NotYet => {
                    let until = self.now() + LINGER;
                    self.ending = Ending::Flushing { until };
                    until
                }
                Ending::Flushing { until } | Ending::Draining { until } => until,
                Ending::Done => return Poll::Ready(()),
            };
            if self.timer.poll(cx, self.origin, until).is_ready() {
                self.ending = Ending::Done;
            } else if matches!(self.ending, Ending::Flushing { .. })
                && let Poll::Ready(result) = self.poll_shutdown(cx)
            {
                self.ending = match result {
                    Ok(()) => Ending::Draining { until },
                    Err(_) => Ending::Done,
                };
            } else if self.input_ended {
                match self.ending {
                    Ending::Flushing { .. } => return Poll::Pending,
                    _ => self.ending = Ending::Done,
                }
            } else {
                // While flushing too: the peer may have to write before it can read.
                self.input.clear();
                self.input_ended |= ready!(self.poll_read(cx)).is_err();
            }
        }
    }

    /// Writes what is queued and shuts the write side down.
    fn poll_shutdown(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), ()>> {
        ready!(self.poll_write(cx));
        if self.write_failure.is_some() {
            return Poll::Ready(Err(()));
        }
        let result = ready!(Pin::new(&mut self.io).poll_shutdown(cx));
        Poll::Ready(result.map_err(drop))
    }
}

impl WriteFailure {
    /// The failure for one who asks before it ends the connection.
    fn to_error(&self) -> Error {
        Error::Io(match self.error.raw_os_error() {
            Some(code) => io::Error::from_raw_os_error(code),
            None => self.error.kind().into(),
        })
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
