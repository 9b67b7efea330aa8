//! What every adapter needs around a session: everything but the transport.

use core::{mem, time::Duration};

use bytes::{Buf, BytesMut};

use crate::{
    session::{Role, Session},
    time::Instant,
    transmit::Transmit,
};

/// A [`Session`] with its unused input, its deadlines and its way to end, for adapters that bind it to
/// a runtime.
///
/// An adapter moves bytes and wakes up; what to do next is asked here, in this order, until nothing
/// moves:
///
/// 1. [`poll_event`](Self::poll_event) and hand the event to the application; at the end of all,
///    [`is_finished`](Self::is_finished);
/// 2. write what [`poll_transmit`](Self::poll_transmit) gives, and flush;
/// 3. shut the write side down if [`wants_shutdown`](Self::wants_shutdown);
/// 4. [`feed`](Self::feed) what was read before, else read if [`wants_read`](Self::wants_read), as
///    below;
/// 5. [`handle_timeout`](Self::handle_timeout) if [`poll_timeout`](Self::poll_timeout) has passed, be
///    there input or not; after input, since what has arrived is not late because the task was;
/// 6. wait for the transport, or for that deadline.
///
/// # Reading
///
/// Whatever a read gives goes to [`handle_input`](Self::handle_input), the end of input to
/// [`handle_eof`](Self::handle_eof), and an error to
/// [`handle_read_failure`](Self::handle_read_failure). Three ways of reading:
///
/// - `read(&mut [u8])`, blocking or not: into an array that all connections of a thread may share,
///   then `handle_input(now, &array[..count])`;
/// - into spare capacity, as tokio's `read_buf`: into [`take_buffer`](Self::take_buffer), which the
///   adapter keeps until something has come;
/// - completions, as `io_uring` has them: the system gets [`take_buffer`](Self::take_buffer), and
///   `handle_input` what the system gives back.
///
/// # The end
///
/// When the session closes, what it has queued is written and the write side is shut down; then input
/// is read and dropped until the peer has closed too, because closing earlier could make the peer's
/// system throw away the last bytes. All this takes 5 s at most. Only then comes the last event.
#[derive(Debug)]
pub struct Driver<R: Role> {
    session: Session<R>,
    /// Bytes read and not yet taken by the session.
    input: BytesMut,
    /// It fills most of its memory, so payloads may stay in it.
    is_dense: bool,
    read_size: usize,
    /// An event of the closed session that may be its last.
    held: Option<R::Event>,
    ending: Ending,
    input_ended: bool,
    /// The transport takes no output any more; what the peer sent before may still arrive, until then.
    output_failed_until: Option<Instant>,
    /// The transport failed, which stands for the last event.
    has_failed: bool,
}

/// How far the end of the transport has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Ending {
    /// The session goes on.
    NotYet,
    /// Writing what is queued, then shutting the write side down.
    Flushing { until: Instant },
    /// Reading until the peer has closed too.
    Draining { until: Instant },
    /// All is done.
    Done,
}

impl<R: Role> Driver<R> {
    /// Drives `session`, whose transport has just been connected.
    pub fn new(session: Session<R>) -> Self {
        Self {
            session,
            input: BytesMut::new(),
            is_dense: false,
            read_size: READ_SIZE_MIN,
            held: None,
            ending: Ending::NotYet,
            input_ended: false,
            output_failed_until: None,
            has_failed: false,
        }
    }

    /// The session, for queries.
    pub fn session(&self) -> &Session<R> {
        &self.session
    }

    /// The session, for commands. Take its events with [`poll_event`](Self::poll_event).
    pub fn session_mut(&mut self) -> &mut Session<R> {
        &mut self.session
    }

    /// The next event. The last one comes when the transport has ended, and not at all if it failed.
    #[must_use = "an event that is not looked at is lost"]
    pub fn poll_event(&mut self, now: Instant) -> Option<R::Event> {
        loop {
            match (self.held.is_some(), self.session.poll_event()) {
                (false, Some(event)) if !self.session.is_closed() => return Some(event),
                (false, Some(event)) => self.held = Some(event),
                // Another one follows, so the one held was not the last.
                (true, Some(event)) => return self.held.replace(event),
                (true, None) => {
                    self.settle(now);
                    let last = self.held.take_if(|_| self.ending == Ending::Done);
                    return last.filter(|_| !self.has_failed);
                }
                (false, None) if self.feed(now) => {}
                (false, None) => {
                    self.settle(now);
                    return None;
                }
            }
        }
    }

    /// Whether the transport has ended and every event was taken.
    pub fn is_finished(&self) -> bool {
        self.ending == Ending::Done && self.held.is_none()
    }

    /// Whether the transport has ended, be it that events wait.
    pub fn has_ended(&self) -> bool {
        self.ending == Ending::Done
    }

    /// Whether the transport failed, and so ended the session without a last event.
    pub fn has_failed(&self) -> bool {
        self.has_failed
    }

    /// What is to be written, if anything. Flush the transport when there is nothing more.
    pub fn poll_transmit(&mut self) -> Option<Transmit<'_>> {
        match self.output_failed_until {
            None => self.session.poll_transmit(),
            Some(_) => None,
        }
    }

    /// Whether the write side is to be shut down, once what was written is flushed.
    pub fn wants_shutdown(&self) -> bool {
        matches!(self.ending, Ending::Flushing { .. }) && self.session.queued_len() == 0
    }

    /// The write side was shut down.
    pub fn handle_shutdown(&mut self) {
        if let Ending::Flushing { until } = self.ending {
            self.ending = match self.input_ended {
                true => Ending::Done,
                false => Ending::Draining { until },
            };
        }
    }

    /// Hands bytes read before to the session; whether it took any.
    pub fn feed(&mut self, now: Instant) -> bool {
        let can_take = !self.input.is_empty() && self.session.wants_read();
        if can_take && self.is_dense {
            self.session.handle_input(now, &mut self.input);
        } else if can_take {
            let mut input = &*self.input;
            self.session.handle_input(now, &mut input);
            let taken = self.input.len() - input.len();
            self.input.advance(taken);
        }
        can_take
    }

    /// Whether to read.
    pub fn wants_read(&self) -> bool {
        match self.ending {
            Ending::NotYet => self.input.is_empty() && self.session.wants_read(),
            // While flushing too: the peer may have to write before it can read.
            Ending::Flushing { .. } | Ending::Draining { .. } => !self.input_ended,
            Ending::Done => false,
        }
    }

    /// An empty buffer with capacity for one read (4 KiB at first, more while reads come back full).
    ///
    /// It belongs to the caller until [`handle_input`](Self::handle_input), for as long as a read takes;
    /// one that never comes back costs an allocation, nothing else.
    #[must_use = "it is for the next read"]
    pub fn take_buffer(&mut self) -> BytesMut {
        // The allocation of the last read, if the session is done with it.
        match self.input.is_empty() && self.input.try_reclaim(self.read_size) {
            true => mem::take(&mut self.input),
            false => BytesMut::with_capacity(self.read_size),
        }
    }

    /// Bytes were read, into [`take_buffer`](Self::take_buffer) or elsewhere: a slice is copied. No
    /// bytes are no end of input, that is [`handle_eof`](Self::handle_eof).
    ///
    /// A payload may stay in the buffer, which it then keeps in memory: at most four times its length.
    pub fn handle_input(&mut self, now: Instant, input: impl Into<BytesMut>) {
        let input = input.into();
        if input.len() >= self.read_size {
            self.read_size = (2 * self.read_size).min(READ_SIZE_MAX);
        }
        if self.ending != Ending::NotYet {
            return;
        }
        if self.input.is_empty() {
            self.input = input;
            self.is_dense = 2 * self.input.len() >= self.input.capacity();
        } else {
            self.input.extend_from_slice(&input);
            self.is_dense = false;
        }
        self.feed(now);
    }

    /// The input has ended: the peer shut down its side.
    pub fn handle_eof(&mut self, now: Instant) {
        self.input_ended = true;
        match self.ending {
            Ending::NotYet => self.session.handle_eof(now),
            Ending::Draining { .. } => self.ending = Ending::Done,
            // The answer to it is to be written yet.
            Ending::Flushing { .. } | Ending::Done => {}
        }
    }

    /// Reading failed.
    pub fn handle_read_failure(&mut self, now: Instant) {
        match self.ending {
            Ending::NotYet => self.fail(now),
            // What is queued may still be written.
            Ending::Flushing { .. } => self.input_ended = true,
            _ => self.ending = Ending::Done,
        }
    }

    /// Writing failed. What the peer sent before is still waited for, but no longer than 5 s.
    pub fn handle_write_failure(&mut self, now: Instant) {
        match self.ending {
            Ending::NotYet => {
                self.output_failed_until.get_or_insert(now + LINGER);
            }
            _ => self.ending = Ending::Done,
        }
    }

    /// The next moment at which [`handle_timeout`](Self::handle_timeout) has something to do.
    pub fn poll_timeout(&self) -> Option<Instant> {
        match self.ending {
            Ending::NotYet => {
                let deadlines = [self.session.poll_timeout(), self.output_failed_until];
                deadlines.into_iter().flatten().min()
            }
            Ending::Flushing { until } | Ending::Draining { until } => Some(until),
            Ending::Done => None,
        }
    }

    /// Time has passed.
    pub fn handle_timeout(&mut self, now: Instant) {
        match self.ending {
            Ending::NotYet if self.output_failed_until.is_some_and(|until| now >= until) => {
                self.fail(now);
            }
            Ending::NotYet => self.session.handle_timeout(now),
            Ending::Flushing { until } | Ending::Draining { until } if now >= until => {
                self.ending = Ending::Done;
            }
            _ => {}
        }
    }

    /// Begins the end of the transport if the session has closed.
    pub fn settle(&mut self, now: Instant) {
        if self.session.is_closed() && self.ending == Ending::NotYet {
            self.ending = match self.output_failed_until {
                Some(_) => Ending::Done,
                None => Ending::Flushing {
                    until: now + LINGER,
                },
            };
            self.input.clear();
        }
    }

    /// The session ends with the transport, whose failure the adapter reports.
    fn fail(&mut self, now: Instant) {
        self.session.handle_eof(now);
        self.ending = Ending::Done;
        self.has_failed = true;
    }
}

/// A connection begins with small reads, since most players send next to nothing, and doubles them
/// while they come back full.
const READ_SIZE_MIN: usize = 4 << 10;
const READ_SIZE_MAX: usize = 64 << 10;

/// How long the end of a connection may take.
const LINGER: Duration = Duration::from_secs(5);
