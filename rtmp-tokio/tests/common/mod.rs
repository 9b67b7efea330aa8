//! Transports that misbehave, and a server application in a few lines.
#![allow(
    dead_code,
    unreachable_pub,
    reason = "each test file uses its own part"
)]

use std::{
    cell::RefCell,
    io::{self, IoSlice},
    pin::Pin,
    rc::Rc,
    sync::Arc,
    task::{Context, Poll, ready},
};

use bytes::Bytes;
use rtmp_conformance::once;
use rtmp_proto::{
    Client, ClientConfig, ClientEvent, CloseReason, MessageStreamId, RtmpUrl, Server, ServerConfig,
    ServerEvent, Timestamp, flv::Frame,
};
use rtmp_tokio::Connection;
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
    pub write: Mode,
    pub flush: Mode,
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
            write: Mode::Works,
            flush: Mode::Works,
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
}

impl Faulty {
    pub fn new(io: DuplexStream, faults: Faults) -> (Self, Rc<RefCell<Faults>>) {
        let faults = Rc::new(RefCell::new(faults));
        let faulty = Self {
            io,
            faults: Rc::clone(&faults),
        };
        (faulty, faults)
    }
}

impl AsyncRead for Faulty {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let len = buf.remaining().min(self.faults.borrow().read_len);
        let mut bytes = vec![0; len];
        let mut part = ReadBuf::new(&mut bytes);
        ready!(Pin::new(&mut self.io).poll_read(cx, &mut part))?;
        self.faults.borrow_mut().reads += 1;
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
        let mode = {
            let mut faults = self.faults.borrow_mut();
            faults.writes += 1;
            faults.write
        };
        match mode {
            Mode::Works => Pin::new(&mut self.io).poll_write(cx, buf),
            Mode::Fails => Poll::Ready(Err(io::ErrorKind::BrokenPipe.into())),
            Mode::Zero => Poll::Ready(Ok(0)),
            Mode::Blocks => Poll::Pending,
        }
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        if slices.len() > 1 {
            self.faults.borrow_mut().vectored += 1;
        }
        let all = slices.iter().flat_map(|slice| slice.iter().copied());
        let all: Vec<u8> = all.collect();
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
