//! Transports that misbehave, and a server application in a few lines.
#![allow(
    dead_code,
    unreachable_pub,
    reason = "each test file uses its own part"
)]

use std::{
    cell::RefCell,
    future,
    io::{self, IoSlice},
    pin::{Pin, pin},
    rc::Rc,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    task::{Context, Poll, Wake, Waker, ready},
};

use bytes::Bytes;
use rtmp_proto::{
    Client, ClientConfig, ClientEvent, CloseReason, MessageStreamId, Role, RtmpUrl, Server,
    ServerConfig, ServerEvent, Timestamp, flv::Frame,
};
use rtmp_tokio::{Connection, Error};
use tokio::io::{AsyncRead, AsyncWrite, DuplexStream, ReadBuf};

pub const ONE: MessageStreamId = MessageStreamId::new(1);

pub fn url() -> RtmpUrl {
    "rtmp://host/live/key".parse().unwrap()
}

pub fn client<T: AsyncRead + AsyncWrite + Unpin>(io: T) -> Connection<T, Client> {
    Connection::new(io, Arc::new(ClientConfig::default())).unwrap()
}

pub fn server<T: AsyncRead + AsyncWrite + Unpin>(io: T) -> Connection<T, Server> {
    Connection::new(io, Arc::new(ServerConfig::default())).unwrap()
}

pub fn key_frame(millis: u32, len: usize) -> Frame {
    let mut payload = vec![0x17, 1, 0, 0, 0];
    payload.resize(len.max(5), 0xAB);
    Frame::video(Timestamp::from_millis(millis), Bytes::from(payload))
}

/// Accepts a request; gives back anything else.
pub fn answer<T: AsyncRead + AsyncWrite + Unpin>(
    server: &mut Connection<T, Server>,
    event: ServerEvent,
) -> Option<ServerEvent> {
    let now = server.now();
    match event {
        ServerEvent::Connect(request) => server.session().accept(now, request).unwrap(),
        ServerEvent::Publish(request) => server.session().accept(now, request).unwrap(),
        ServerEvent::Play(request) => server.session().accept(now, request).unwrap(),
        other => return Some(other),
    }
    None
}

/// Accepts everything until the end; what is not a request is kept.
pub async fn serve<T: AsyncRead + AsyncWrite + Unpin>(
    server: &mut Connection<T, Server>,
) -> Vec<ServerEvent> {
    let mut events = Vec::new();
    loop {
        let event = server.next_event().await.unwrap();
        events.extend(answer(server, event));
        if let Some(ServerEvent::Closed(_)) = events.last() {
            return events;
        }
    }
}

pub fn frames(events: &[ServerEvent]) -> Vec<Frame> {
    let frame = |event: &ServerEvent| match event {
        ServerEvent::Frame { frame, .. } => Some(frame.clone()),
        _ => None,
    };
    events.iter().filter_map(frame).collect()
}

/// Serves and plays (or publishes) over `client_io` and `server_io` until both sides have started.
pub async fn started<C, S>(
    client_io: C,
    server_io: S,
    config: ServerConfig,
    is_player: bool,
) -> (Connection<C, Client>, Connection<S, Server>)
where
    C: AsyncRead + AsyncWrite + Unpin,
    S: AsyncRead + AsyncWrite + Unpin,
{
    let mut client = client(client_io);
    let mut server = Connection::new(server_io, Arc::new(config)).unwrap();
    let now = client.now();
    match is_player {
        true => client.session().play_from(now, &url()).unwrap(),
        false => client.session().publish_to(now, &url()).unwrap(),
    }
    let mut is_ready = false;
    while !is_ready {
        tokio::select! {
            biased;
            event = server.next_event() => {
                let event = event.unwrap();
                answer(&mut server, event);
            }
            event = client.next_event() => {
                let event = event.unwrap();
                is_ready = matches!(event, ClientEvent::Playing { .. } | ClientEvent::Publishing { .. });
            }
        }
    }
    // What came with or after the start.
    client.flush().await.unwrap();
    while let Some(event) = once(server.next_event()).await {
        let event = event.unwrap();
        answer(&mut server, event);
    }
    while once(client.next_event()).await.is_some() {}
    (client, server)
}

/// Runs two futures to their ends, each polled only when it was woken itself: in one task, as with
/// `join!`, a wake-up that one forgets is made good by the other's.
pub async fn apart<A: Future, B: Future>(a: A, b: B) -> (A::Output, B::Output) {
    let (mut a, mut b) = (pin!(a), pin!(b));
    let (mut a_output, mut b_output) = (None, None);
    let task = future::poll_fn(|cx| Poll::Ready(cx.waker().clone())).await;
    let (a_wake, b_wake) = (Woken::new(&task), Woken::new(&task));
    future::poll_fn(|_| {
        if a_output.is_none() {
            a_output = a_wake.poll(a.as_mut());
        }
        if b_output.is_none() {
            b_output = b_wake.poll(b.as_mut());
        }
        match (a_output.take(), b_output.take()) {
            (Some(a), Some(b)) => return Poll::Ready((a, b)),
            outputs => (a_output, b_output) = outputs,
        }
        Poll::Pending
    })
    .await
}

struct Woken {
    is_woken: AtomicBool,
    task: Waker,
}

impl Woken {
    fn new(task: &Waker) -> Arc<Self> {
        Arc::new(Self {
            is_woken: AtomicBool::new(true),
            task: task.clone(),
        })
    }

    fn poll<F: Future>(self: &Arc<Self>, future: Pin<&mut F>) -> Option<F::Output> {
        if !self.is_woken.swap(false, Ordering::Relaxed) {
            return None;
        }
        let waker = Waker::from(Arc::clone(self));
        match future.poll(&mut Context::from_waker(&waker)) {
            Poll::Ready(output) => Some(output),
            Poll::Pending => None,
        }
    }
}

impl Wake for Woken {
    fn wake(self: Arc<Self>) {
        self.is_woken.store(true, Ordering::Relaxed);
        self.task.wake_by_ref();
    }
}

/// Polls a future once and drops it.
pub async fn once<F: Future>(future: F) -> Option<F::Output> {
    let mut future = pin!(future);
    future::poll_fn(|cx| match future.as_mut().poll(cx) {
        Poll::Ready(output) => Poll::Ready(Some(output)),
        Poll::Pending => Poll::Ready(None),
    })
    .await
}

/// The next event, though every future is dropped after its first poll.
pub async fn next_event_cancelled<T: AsyncRead + AsyncWrite + Unpin, R: Role>(
    connection: &mut Connection<T, R>,
) -> Result<R::Event, Error> {
    future::poll_fn(|cx| {
        // Whether it was flushed does not matter: `next_event` writes too.
        let _ = pin!(connection.flush()).poll(cx);
        pin!(connection.next_event()).poll(cx)
    })
    .await
}

/// The reason in the `Closed` that must be next.
pub async fn end<T: AsyncRead + AsyncWrite + Unpin>(
    server: &mut Connection<T, Server>,
) -> CloseReason {
    match server.next_event().await.unwrap() {
        ServerEvent::Closed(reason) => reason,
        other => panic!("not the end: {other:?}"),
    }
}

/// What a [`Faulty`] does to reads and writes from now on.
#[derive(Debug)]
pub struct Faults {
    pub read_len: usize,
    pub write_len: usize,
    /// Every other call is not ready, though it wakes the task at once.
    pub is_hesitant: bool,
    pub write: Mode,
    pub flush: Mode,
    /// The end of input is a reset.
    pub is_reset: bool,
    /// Vectored writes with more than one slice.
    pub vectored: usize,
    pub writes: usize,
    pub reads: usize,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    Works,
    Fails,
    Zero,
    /// Not ready, and nothing will wake the task.
    Blocks,
}

impl Default for Faults {
    fn default() -> Self {
        Self {
            read_len: usize::MAX,
            write_len: usize::MAX,
            is_hesitant: false,
            write: Mode::Works,
            flush: Mode::Works,
            is_reset: false,
            vectored: 0,
            writes: 0,
            reads: 0,
        }
    }
}

/// A pipe end with [`Faults`].
pub struct Faulty {
    io: DuplexStream,
    faults: Rc<RefCell<Faults>>,
    read_hesitates: bool,
    write_hesitates: bool,
}

impl Faulty {
    pub fn new(io: DuplexStream, faults: Faults) -> (Self, Rc<RefCell<Faults>>) {
        let faults = Rc::new(RefCell::new(faults));
        let faulty = Self {
            io,
            faults: Rc::clone(&faults),
            read_hesitates: false,
            write_hesitates: false,
        };
        (faulty, faults)
    }
}

/// Not ready every other time.
fn poll_hesitation(is_on: bool, hesitates: &mut bool, cx: &Context<'_>) -> Poll<()> {
    *hesitates = !*hesitates && is_on;
    if *hesitates {
        cx.waker().wake_by_ref();
        return Poll::Pending;
    }
    Poll::Ready(())
}

impl AsyncRead for Faulty {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let is_hesitant = self.faults.borrow().is_hesitant;
        ready!(poll_hesitation(is_hesitant, &mut self.read_hesitates, cx));
        let len = buf.remaining().min(self.faults.borrow().read_len);
        let mut bytes = vec![0; len];
        let mut part = ReadBuf::new(&mut bytes);
        ready!(Pin::new(&mut self.io).poll_read(cx, &mut part))?;
        let mut faults = self.faults.borrow_mut();
        faults.reads += 1;
        if part.filled().is_empty() && faults.is_reset {
            return Poll::Ready(Err(io::ErrorKind::ConnectionReset.into()));
        }
        buf.put_slice(part.filled());
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Faulty {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        let is_hesitant = self.faults.borrow().is_hesitant;
        ready!(poll_hesitation(is_hesitant, &mut self.write_hesitates, cx));
        let len = {
            let mut faults = self.faults.borrow_mut();
            faults.writes += 1;
            match faults.write {
                Mode::Works => buf.len().min(faults.write_len),
                Mode::Fails => return Poll::Ready(Err(io::ErrorKind::BrokenPipe.into())),
                Mode::Zero => return Poll::Ready(Ok(0)),
                Mode::Blocks => return Poll::Pending,
            }
        };
        let part = buf.get(..len).unwrap_or_default();
        Pin::new(&mut self.io).poll_write(cx, part)
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        if slices.len() > 1 {
            self.faults.borrow_mut().vectored += 1;
        }
        let write_len = self.faults.borrow().write_len;
        let all = slices.iter().flat_map(|slice| slice.iter().copied());
        let all: Vec<u8> = all.take(write_len).collect();
        self.poll_write(cx, &all)
    }

    fn is_write_vectored(&self) -> bool {
        true
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let mode = self.faults.borrow().flush;
        match mode {
            Mode::Works => Pin::new(&mut self.io).poll_flush(cx),
            Mode::Blocks => Poll::Pending,
            _ => Poll::Ready(Err(io::ErrorKind::BrokenPipe.into())),
        }
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_shutdown(cx)
    }
}
