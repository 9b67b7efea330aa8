//! A publisher that outlives its connections.

use std::{
    collections::VecDeque,
    fmt, future,
    io::ErrorKind,
    mem,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
    time::Duration,
};

use rtmp_proto::{
    ClientConfig, ClientEvent, ConnectParams, Instant, Next, Reconnect, ReconnectConfig,
    RedirectError, Retry, RtmpUrl,
    flv::Frame,
    relay::{DropCounts, Queue, QueueLimits, Resume},
};
use tokio::time::{self, Sleep};

use crate::{
    client::{Publisher, QUEUED_LEN_MAX},
    error::Error,
    tls,
    transport::{BoxedTransport, dial},
};

/// Publishes one stream, on one connection after another if need be.
///
/// [`send`](Self::send) never waits for the network: frames wait in a bounded [`Queue`], whose rules
/// say what is dropped when the network or the server is too slow or gone. A new connection begins with
/// the metadata and configurations in force, sound goes on at once and video with a key frame.
///
/// There is no task inside. Things move while [`next_event`](Self::next_event) or
/// [`finish`](Self::finish) is awaited, and a little with each `send`; so await the next event whenever
/// there is nothing to send:
///
/// ```no_run
/// # use rtmp_tokio::{PublisherEvent, ReconnectingPublisher};
/// # use rtmp_proto::flv::Frame;
/// # async fn next_frame() -> Option<Frame> { None }
/// # async fn example(publisher: &mut ReconnectingPublisher) {
/// loop {
///     tokio::select! {
///         frame = next_frame() => match frame {
///             Some(frame) => publisher.send(&frame).await,
///             None => break,
///         },
///         event = publisher.next_event() => match event {
///             Some(event) => println!("{event:?}"),
///             None => break, // it gave up
///         },
///     }
/// }
/// # }
/// ```
pub struct ReconnectingPublisher {
    dialler: Dialler,
    client: Arc<ClientConfig>,
    reconnect: Reconnect,
    queue: Queue,
    resume: Resume,
    /// Taken from the queue, to be sent next.
    next: Option<Frame>,
    link: Link,
    /// When the server asked for a reconnect, while that waits for a key frame.
    asked: Option<Instant>,
    has_video: bool,
    origin: time::Instant,
    events: VecDeque<PublisherEvent>,
    /// Of the connections before this one.
    bytes_sent: u64,
    connections: u64,
}

/// Where a [`ReconnectingPublisher`] stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum PublisherState {
    /// A connection is being made.
    Connecting,
    /// The server takes the stream.
    Connected,
    /// Between two attempts.
    Waiting,
    /// It is over.
    GaveUp,
}

/// What a [`ReconnectingPublisher`] tells.
#[derive(Debug)]
#[non_exhaustive]
pub enum PublisherEvent {
    /// The server takes the stream.
    Connected {
        /// Which one it is, from 1.
        connection: u64,
    },
    /// There is no connection, and there will be another attempt.
    Reconnecting {
        /// Which attempt in a row that will be, from 1.
        attempt: u32,
        /// When, from now.
        delay: Duration,
        /// Why the connection ended or was not made.
        why: Error,
    },
    /// The server asks for a reconnect, which follows at the next key frame.
    Moving {
        /// Where to.
        to: RtmpUrl,
    },
    /// The server asks for a reconnect that is not made.
    NotMoving(RedirectError),
    /// It is over; the last event.
    GaveUp(Error),
}

impl ReconnectingPublisher {
    /// Publishes to `url`, as soon as something is awaited.
    pub fn new(
        url: RtmpUrl,
        client: Arc<ClientConfig>,
        tls: Option<tls::Connector>,
        config: ReconnectConfig,
    ) -> Self {
        Self::with_dialler(url, client, config, move |url| {
            let tls = tls.clone();
            async move { dial(&url, tls.as_ref()).await }
        })
    }

    /// Publishes to `url` over connections that `dialler` makes to the URLs it is given: through a
    /// proxy, from a certain address, in memory. Each has 10 s.
    pub fn with_dialler<F>(
        url: RtmpUrl,
        client: Arc<ClientConfig>,
        config: ReconnectConfig,
        dialler: impl Fn(RtmpUrl) -> F + Send + 'static,
    ) -> Self
    where
        F: Future<Output = Result<BoxedTransport, Error>> + Send + 'static,
    {
        Self {
            dialler: Box::new(move |url| Box::pin(dialler(url))),
            client,
            reconnect: Reconnect::new(url, config),
            queue: Queue::new(QueueLimits::default()),
            resume: Resume::new(),
            next: None,
            link: Link::Waiting(None),
            asked: None,
            has_video: false,
            origin: time::Instant::now(),
            events: VecDeque::new(),
            bytes_sent: 0,
            connections: 0,
        }
    }

    /// The same with other bounds for the frames that wait. To be called before the first
    /// [`send`](Self::send).
    #[must_use]
    pub fn with_queue(mut self, limits: QueueLimits) -> Self {
        self.queue = Queue::new(limits);
        self
    }

    /// Sends `frame`, or keeps it until it can be sent, or drops it or others if too much waits
    /// ([`dropped`](Self::dropped)). Ready at the first poll.
    pub async fn send(&mut self, frame: &Frame) {
        if matches!(self.link, Link::GaveUp) {
            return;
        }
        self.has_video |= frame.is_video() && frame.is_coded_media();
        // What finds no room is counted there.
        let _ = self.queue.push(frame.clone());
        future::poll_fn(|cx| {
            // Ready or not, it is woken again by whoever awaits an event.
            let _ = self.poll_drive(cx);
            Poll::Ready(())
        })
        .await;
    }

    /// Waits for the next event; `None` after the last one. Cancel-safe. If nobody takes them, the
    /// oldest events are forgotten.
    pub async fn next_event(&mut self) -> Option<PublisherEvent> {
        future::poll_fn(|cx| {
            loop {
                if let Some(event) = self.events.pop_front() {
                    return Poll::Ready(Some(event));
                }
                if matches!(self.link, Link::GaveUp) {
                    return Poll::Ready(None);
                }
                ready!(self.poll_drive(cx));
            }
        })
        .await
    }

    /// Waits until everything is given to the transport, over new connections if necessary, or until
    /// there is an event. Cancel-safe; `Ok` when nothing waits any more.
    ///
    /// # Errors
    ///
    /// The event that came instead; `None` after the last one.
    pub async fn flush(&mut self) -> Result<(), Option<PublisherEvent>> {
        future::poll_fn(|cx| {
            loop {
                if let Some(event) = self.events.pop_front() {
                    return Poll::Ready(Err(Some(event)));
                }
                if matches!(self.link, Link::GaveUp) {
                    return Poll::Ready(Err(None));
                }
                if self.is_flushed() {
                    return Poll::Ready(Ok(()));
                }
                if self.poll_drive(cx).is_pending() {
                    // Driving may have written the last of it.
                    return match self.is_flushed() {
                        true => Poll::Ready(Ok(())),
                        false => Poll::Pending,
                    };
                }
            }
        })
        .await
    }

    /// Ends the stream in good order, if there is a connection; what waits for one is lost, so
    /// [`flush`](Self::flush) first.
    ///
    /// # Errors
    ///
    /// The transport fails.
    pub async fn finish(self) -> Result<(), Error> {
        match self.link {
            Link::Up(publisher) => publisher.finish().await,
            _ => Ok(()),
        }
    }

    /// Where it stands.
    pub fn state(&self) -> PublisherState {
        match self.link {
            Link::Connecting(_) => PublisherState::Connecting,
            Link::Up(_) => PublisherState::Connected,
            Link::Waiting(_) => PublisherState::Waiting,
            Link::GaveUp => PublisherState::GaveUp,
        }
    }

    /// Where it is connected, or will be: the URL it began with, unless a server has asked for another.
    pub fn url(&self) -> &RtmpUrl {
        self.reconnect.target()
    }

    /// What was dropped because it found no room, or because the key frame before it was lost with a
    /// connection. What is lost with a connection itself nobody knows.
    pub fn dropped(&self) -> DropCounts {
        let mut dropped = self.queue.dropped();
        dropped.video += self.resume.dropped();
        dropped
    }

    /// Bytes written, over all connections.
    pub fn bytes_sent(&mut self) -> u64 {
        self.bytes_sent
            + match &mut self.link {
                Link::Up(publisher) => publisher.stats().bytes_sent,
                _ => 0,
            }
    }

    /// Whether there is a connection and nothing waits for it.
    fn is_flushed(&mut self) -> bool {
        match &mut self.link {
            Link::Up(publisher) => {
                self.queue.is_empty()
                    && self.next.is_none()
                    && publisher.connection_mut().session().queued_len() == 0
            }
            _ => false,
        }
    }

    /// Does what there is to do; ready when the state has changed or there is an event.
    fn poll_drive(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        match &mut self.link {
            Link::GaveUp => return Poll::Ready(()),
            Link::Waiting(sleep) => {
                if let Some(sleep) = sleep {
                    ready!(sleep.as_mut().poll(cx));
                }
                self.connect(None);
            }
            Link::Connecting(attempt) => match ready!(attempt.as_mut().poll(cx)) {
                Ok(publisher) => self.connected(publisher),
                Err(error) => self.ended(error),
            },
            Link::Up(_) => ready!(self.poll_up(cx)),
        }
        Poll::Ready(())
    }

    fn poll_up(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        loop {
            self.feed();
            let Link::Up(publisher) = &mut self.link else {
                // It moves.
                return Poll::Ready(());
            };
            match publisher.connection_mut().poll_event(cx) {
                Poll::Ready(Ok(event)) => self.take_event(event),
                Poll::Ready(Err(error)) => self.ended(error),
                Poll::Pending => {
                    let queued = publisher.connection_mut().session().queued_len();
                    let has_more = self.next.is_some() || !self.queue.is_empty();
                    match queued <= QUEUED_LEN_MAX && has_more {
                        true => continue,
                        false => return Poll::Pending,
                    }
                }
            }
            return Poll::Ready(());
        }
    }

    /// Gives frames to the session as long as it does not hold too many.
    fn feed(&mut self) {
        while let Link::Up(publisher) = &mut self.link
            && publisher.connection_mut().session().queued_len() <= QUEUED_LEN_MAX
            && let Some(frame) = self.next.take().or_else(|| self.queue.pop())
        {
            if self.asked.is_some() && (frame.is_key_frame() || self.moves_without(&frame)) {
                self.next = Some(frame);
                return self.leave();
            }
            if self.resume.admit(&frame)
                && let Link::Up(publisher) = &mut self.link
            {
                // Either the session has ended, which the next event tells, or the frame is longer than
                // any connection would take.
                let _ = publisher.queue(&frame);
            }
        }
    }

    /// Whether there is no use in waiting for a key frame.
    fn moves_without(&self, frame: &Frame) -> bool {
        let is_late = self
            .asked
            .is_some_and(|asked| self.now() - asked >= KEY_FRAME_WAIT);
        is_late || !self.has_video && frame.is_audio()
    }

    fn take_event(&mut self, event: ClientEvent) {
        if let ClientEvent::Status { status, .. } = &event {
            match self.reconnect.redirect(status) {
                Ok(false) => {}
                Ok(true) => {
                    self.asked = Some(self.now());
                    let to = self.reconnect.target().clone();
                    self.tell(PublisherEvent::Moving { to });
                    return;
                }
                Err(error) => return self.tell(PublisherEvent::NotMoving(error)),
            }
        }
        if let Some(error) = crate::client::ending(event) {
            self.ended(error);
        }
    }

    /// Closes this connection, as the server asked, and makes the next one.
    fn leave(&mut self) {
        self.asked = None;
        let delay = self.reconnect.moving(self.now(), random());
        let link = mem::replace(&mut self.link, Link::Waiting(None));
        let Link::Up(mut publisher) = link else {
            return;
        };
        self.bytes_sent += publisher.stats().bytes_sent;
        self.connect(Some((publisher, delay)));
    }

    /// Begins an attempt, after `old` is closed: some servers would find the name in use.
    fn connect(&mut self, old: Option<(Box<Publisher>, Duration)>) {
        let url = self.reconnect.target().clone();
        let dialled = (self.dialler)(url.clone());
        let client = Arc::clone(&self.client);
        self.link = Link::Connecting(Box::pin(async move {
            if let Some((old, delay)) = old {
                // If it does not end in good order, it ends otherwise.
                let _ = time::timeout(LEAVE_TIMEOUT, old.finish()).await;
                time::sleep(delay).await;
            }
            let io = match time::timeout(DIAL_TIMEOUT, dialled).await {
                Ok(io) => io?,
                Err(_) => return Err(Error::Io(ErrorKind::TimedOut.into())),
            };
            let params = ConnectParams::publisher(&url).reconnecting();
            Publisher::with_params(io, &url, client, params).await
        }));
    }

    fn connected(&mut self, mut publisher: Publisher) {
        self.reconnect.connected(self.now());
        self.connections += 1;
        for frame in self.resume.restart() {
            // A fresh session takes them: they are bounded far below its limits.
            let _ = publisher.queue(&frame);
        }
        self.link = Link::Up(Box::new(publisher));
        self.tell(PublisherEvent::Connected {
            connection: self.connections,
        });
    }

    fn ended(&mut self, why: Error) {
        self.bytes_sent = self.bytes_sent();
        self.asked = None;
        let next = self.reconnect.ended(self.now(), why.retry(), random());
        match next {
            Next::Wait { attempt, delay } => {
                self.link = Link::Waiting(Some(Box::pin(time::sleep(delay))));
                self.tell(PublisherEvent::Reconnecting {
                    attempt,
                    delay,
                    why,
                });
            }
            Next::GiveUp => {
                self.link = Link::GaveUp;
                self.tell(PublisherEvent::GaveUp(why));
            }
        }
    }

    fn tell(&mut self, event: PublisherEvent) {
        if self.events.len() == EVENTS_MAX {
            self.events.pop_front();
        }
        self.events.push_back(event);
    }

    fn now(&self) -> Instant {
        Instant::from_origin(self.origin.elapsed())
    }
}

impl fmt::Debug for ReconnectingPublisher {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ReconnectingPublisher")
            .field("url", self.url())
            .field("state", &self.state())
            .field("queued", &self.queue.len())
            .field("dropped", &self.dropped())
            .finish_non_exhaustive()
    }
}

impl Error {
    /// Whether a client may try again after this.
    pub fn retry(&self) -> Retry {
        match self {
            Self::Closed(reason) => reason.retry(),
            Self::Io(_) => Retry::Always,
            // A certificate that is refused, or no TLS at all; else the connection was cut.
            Self::Tls(error) if error.kind() == ErrorKind::InvalidData => Retry::Never,
            Self::Tls(_) => Retry::Always,
            Self::Request(_) | Self::FrameTooLong { .. } => Retry::Never,
            Self::StreamEnded | Self::NoTls | Self::InvalidServerName => Retry::Never,
        }
    }
}

type Dialler = Box<dyn Fn(RtmpUrl) -> Attempt<BoxedTransport> + Send>;

type Attempt<T> = Pin<Box<dyn Future<Output = Result<T, Error>> + Send>>;

enum Link {
    Connecting(Attempt<Publisher>),
    Up(Box<Publisher>),
    /// Until the timer ends.
    Waiting(Option<Pin<Box<Sleep>>>),
    GaveUp,
}

/// A number for [`Reconnect::ended`], drawn evenly from all; zero if the operating system has none, and
/// then attempts are not spread.
pub fn random() -> u32 {
    getrandom::u32().unwrap_or(0)
}

/// How long name resolution, TCP and TLS may take.
const DIAL_TIMEOUT: Duration = Duration::from_secs(10);

/// How long a server that asked for a reconnect may take to let go.
const LEAVE_TIMEOUT: Duration = Duration::from_secs(2);

/// How long such a server is kept waiting for a key frame: twice what encoders usually take.
const KEY_FRAME_WAIT: Duration = Duration::from_secs(10);

const EVENTS_MAX: usize = 16;
