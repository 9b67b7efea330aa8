//! Pipes in memory, with faults.

use std::{
    collections::VecDeque,
    io::{self, IoSlice},
    marker::PhantomData,
    pin::Pin,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    task::{Context, Poll, Waker},
};

use rtmp_proto::ServerConfig;
use tokio::io::ReadBuf;

use crate::{
    Adapter, OverPipes,
    patience::patient,
    task::{all, apart},
};

/// Dialogues over pipes that hold `LEN` bytes.
#[derive(Debug)]
pub struct Piped<P, const LEN: usize>(PhantomData<P>);

impl<P: OverPipes, const LEN: usize> Adapter for Piped<P, LEN> {
    type Client = P::Client;
    type Server = P::Server;

    fn run<A: Send, B: Send>(
        count: usize,
        config: &Arc<ServerConfig>,
        client: impl AsyncFn(Self::Client) -> A + Sync,
        server: impl AsyncFn(Self::Server) -> B + Sync,
    ) -> Vec<(A, B)> {
        P::block_on(all((0..count).map(|_| {
            let (a, b) = pipe(LEN);
            let a = P::client(a, patient());
            let b = P::server(b, Arc::clone(config));
            apart(client(a), server(b))
        })))
    }
}

/// Two ends of a pipe that holds `len` bytes each way.
pub fn pipe(len: usize) -> (Pipe, Pipe) {
    let (there, back) = (Channel::new(len), Channel::new(len));
    let end = |incoming: &Shared<Channel>, outgoing: &Shared<Channel>| Pipe {
        incoming: Arc::clone(incoming),
        outgoing: Arc::clone(outgoing),
        faults: Arc::default(),
        read_hesitates: false,
        write_hesitates: false,
    };
    (end(&back, &there), end(&there, &back))
}

/// One end of a pipe, for the traits of tokio and of `futures_io`.
#[derive(Debug)]
pub struct Pipe {
    incoming: Shared<Channel>,
    outgoing: Shared<Channel>,
    faults: Shared<Faults>,
    read_hesitates: bool,
    write_hesitates: bool,
}

/// What a pipe's end does to reads and writes from now on.
#[derive(Debug)]
#[expect(clippy::exhaustive_structs, reason = "tests set what they need")]
pub struct Faults {
    /// The most that one read or write moves.
    pub len: usize,
    /// Every other call is not ready, though it wakes the task at once.
    pub is_hesitant: bool,
    /// What writes do.
    pub write: Mode,
    /// The end of input is a reset.
    pub is_reset: bool,
}

impl Default for Faults {
    fn default() -> Self {
        Self {
            len: usize::MAX,
            is_hesitant: false,
            write: Mode::Works,
            is_reset: false,
        }
    }
}

/// What a write does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(clippy::exhaustive_enums, reason = "tests set what they need")]
pub enum Mode {
    /// Moves bytes.
    Works,
    /// Fails as a broken pipe.
    Fails,
    /// Takes nothing.
    Zero,
}

impl Pipe {
    /// What goes wrong at this end, to be changed at any time.
    pub fn faults(&self) -> Arc<Mutex<Faults>> {
        Arc::clone(&self.faults)
    }

    fn poll_take(&mut self, cx: &Context<'_>, len: usize) -> Poll<io::Result<Vec<u8>>> {
        if hesitates(&self.faults, &mut self.read_hesitates, cx) {
            return Poll::Pending;
        }
        let faults = lock(&self.faults);
        let mut channel = lock(&self.incoming);
        let len = len.min(faults.len).min(channel.bytes.len());
        if len == 0 && !channel.has_ended {
            channel.reader = Some(cx.waker().clone());
            return Poll::Pending;
        }
        if len == 0 && faults.is_reset {
            return Poll::Ready(Err(io::ErrorKind::ConnectionReset.into()));
        }
        let bytes = channel.bytes.drain(..len).collect();
        channel.wake_writer();
        Poll::Ready(Ok(bytes))
    }

    fn poll_give(&mut self, cx: &Context<'_>, slices: &[IoSlice<'_>]) -> Poll<io::Result<usize>> {
        if hesitates(&self.faults, &mut self.write_hesitates, cx) {
            return Poll::Pending;
        }
        let faults = lock(&self.faults);
        let mut channel = lock(&self.outgoing);
        if faults.write == Mode::Fails || !channel.has_reader {
            return Poll::Ready(Err(io::ErrorKind::BrokenPipe.into()));
        }
        if faults.write == Mode::Zero {
            return Poll::Ready(Ok(0));
        }
        let room = channel.len - channel.bytes.len();
        if room == 0 {
            channel.writer = Some(cx.waker().clone());
            return Poll::Pending;
        }
        let before = channel.bytes.len();
        let bytes = slices.iter().flat_map(|slice| slice.iter().copied());
        channel.bytes.extend(bytes.take(room.min(faults.len)));
        channel.wake_reader();
        Poll::Ready(Ok(channel.bytes.len() - before))
    }

    fn end(&self) {
        let mut channel = lock(&self.outgoing);
        channel.has_ended = true;
        channel.wake_reader();
    }
}

impl Drop for Pipe {
    fn drop(&mut self) {
        self.end();
        let mut channel = lock(&self.incoming);
        channel.has_reader = false;
        channel.wake_writer();
    }
}

impl tokio::io::AsyncRead for Pipe {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let bytes = self.poll_take(cx, buffer.remaining());
        bytes.map_ok(|bytes| buffer.put_slice(&bytes))
    }
}

impl tokio::io::AsyncWrite for Pipe {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.poll_give(cx, &[IoSlice::new(buffer)])
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        self.poll_give(cx, slices)
    }

    fn is_write_vectored(&self) -> bool {
        true
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.end();
        Poll::Ready(Ok(()))
    }
}

impl futures_io::AsyncRead for Pipe {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut [u8],
    ) -> Poll<io::Result<usize>> {
        self.poll_take(cx, buffer.len()).map_ok(|bytes| {
            let part = buffer.iter_mut().zip(&bytes);
            part.for_each(|(to, from)| *to = *from);
            bytes.len()
        })
    }
}

impl futures_io::AsyncWrite for Pipe {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.poll_give(cx, &[IoSlice::new(buffer)])
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        self.poll_give(cx, slices)
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_close(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.end();
        Poll::Ready(Ok(()))
    }
}

type Shared<T> = Arc<Mutex<T>>;

/// One direction.
#[derive(Debug)]
struct Channel {
    bytes: VecDeque<u8>,
    len: usize,
    has_ended: bool,
    has_reader: bool,
    reader: Option<Waker>,
    writer: Option<Waker>,
}

impl Channel {
    fn new(len: usize) -> Shared<Self> {
        Arc::new(Mutex::new(Self {
            bytes: VecDeque::new(),
            len,
            has_ended: false,
            has_reader: true,
            reader: None,
            writer: None,
        }))
    }

    fn wake_reader(&mut self) {
        self.reader.take().into_iter().for_each(Waker::wake);
    }

    fn wake_writer(&mut self) {
        self.writer.take().into_iter().for_each(Waker::wake);
    }
}

/// Not ready every other time.
fn hesitates(faults: &Mutex<Faults>, hesitates: &mut bool, cx: &Context<'_>) -> bool {
    *hesitates = !*hesitates && lock(faults).is_hesitant;
    if *hesitates {
        cx.waker().wake_by_ref();
    }
    *hesitates
}

fn lock<T>(shared: &Mutex<T>) -> MutexGuard<'_, T> {
    shared.lock().unwrap_or_else(PoisonError::into_inner)
}
