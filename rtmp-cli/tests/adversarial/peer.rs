//! One end of a TCP connection, which says what it is told to and hears everything.

use std::{
    io::{Read, Write},
    net::{Shutdown, TcpStream},
    sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError},
    thread,
    time::Instant,
};

use crate::common::DEADLINE;

/// Reads all the time, so that nobody waits for it unless it is meant to be deaf.
pub(crate) struct Peer {
    /// Shared with the thread that reads: one descriptor for each, since hundreds exist at a time.
    socket: Arc<TcpStream>,
    inbox: Arc<Inbox>,
    /// How far [`hear`](Self::hear) has come.
    position: usize,
}

impl Peer {
    pub(crate) fn new(socket: TcpStream) -> Self {
        let peer = Self::deaf(socket);
        let (socket, inbox) = (Arc::clone(&peer.socket), Arc::clone(&peer.inbox));
        thread::spawn(move || inbox.fill(&socket));
        peer
    }

    /// One that never reads.
    pub(crate) fn deaf(socket: TcpStream) -> Self {
        socket.set_nodelay(true).expect("it is a socket");
        socket
            .set_write_timeout(Some(DEADLINE))
            .expect("it is a socket");
        Self {
            socket: Arc::new(socket),
            inbox: Arc::default(),
            position: 0,
        }
    }

    /// The port at this end.
    pub(crate) fn port(&self) -> u16 {
        self.socket.local_addr().expect("it is connected").port()
    }

    /// Writes all of it, unless the other end closes meanwhile, which is its right; whether it did not.
    #[expect(
        clippy::needless_pass_by_ref_mut,
        reason = "what two write at a time would be mixed"
    )]
    pub(crate) fn send(&mut self, bytes: impl AsRef<[u8]>) -> bool {
        (&*self.socket).write_all(bytes.as_ref()).is_ok()
    }

    /// Says no more.
    pub(crate) fn finish(&self) {
        // It may be closed.
        let _ = self.socket.shutdown(Shutdown::Write);
    }

    /// Waits for `wanted` behind all that was waited for before; `None` if the other end closes
    /// instead, else the `behind` bytes after it.
    pub(crate) fn hear_with(&mut self, wanted: &[u8], behind: usize) -> Option<Vec<u8>> {
        let from = self.position;
        let mut searched = from;
        let (at, rest) = self.inbox.wait(|bytes, is_over| {
            let mut places = bytes.get(searched..)?.windows(wanted.len() + behind);
            if let Some(at) = places.position(|place| place.starts_with(wanted)) {
                let at = searched + at + wanted.len();
                return Some(Some((at, bytes.get(at..at + behind)?.to_vec())));
            }
            searched = (bytes.len() + 1)
                .saturating_sub(wanted.len() + behind)
                .max(searched);
            is_over.then_some(None)
        })?;
        self.position = at;
        Some(rest)
    }

    /// Waits for `wanted`; whether it came, and not the end of the connection.
    pub(crate) fn hear(&mut self, wanted: &[u8]) -> bool {
        self.hear_with(wanted, 0).is_some()
    }

    /// Waits until the other end has closed the connection.
    pub(crate) fn wait_for_end(&self) {
        self.inbox.wait(|_, is_over| is_over.then_some(()));
    }

    /// Whether the other end has closed the connection.
    pub(crate) fn is_over(&self) -> bool {
        self.inbox.lock().is_over
    }

    /// Everything heard so far.
    pub(crate) fn heard(&self) -> Vec<u8> {
        self.inbox.lock().bytes.clone()
    }
}

impl Drop for Peer {
    fn drop(&mut self) {
        // Ends the thread that reads. It may be closed already.
        let _ = self.socket.shutdown(Shutdown::Both);
    }
}

/// What a peer hears.
#[derive(Default)]
struct Inbox {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Default)]
struct State {
    bytes: Vec<u8>,
    is_over: bool,
}

impl Inbox {
    fn fill(&self, mut socket: &TcpStream) {
        let mut buffer = vec![0; 16 << 10];
        loop {
            let read = socket.read(&mut buffer).unwrap_or(0);
            let mut state = self.lock();
            state.bytes.extend(buffer.iter().take(read));
            state.is_over = read == 0;
            self.changed.notify_all();
            if read == 0 {
                return;
            }
        }
    }

    /// Waits until `look`, given the bytes and whether there will be no more, has an answer.
    #[track_caller]
    fn wait<T>(&self, mut look: impl FnMut(&[u8], bool) -> Option<T>) -> T {
        let started = Instant::now();
        let mut state = self.lock();
        loop {
            if let Some(answer) = look(&state.bytes, state.is_over) {
                return answer;
            }
            let left = DEADLINE.checked_sub(started.elapsed());
            let left = left.expect("the other end answers or closes");
            let waited = self.changed.wait_timeout(state, left);
            (state, _) = waited.unwrap_or_else(PoisonError::into_inner);
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
