//! A publisher that outlives its connections.

use std::{
    fmt, future, mem,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
    time,
};

use rtmp_proto::{
    ClientConfig, ConnectParams, Instant, PublisherState, ReconnectConfig, Republisher, RtmpUrl,
    SEND_AHEAD, Step, auth,
    flv::Frame,
    relay::{DropCounts, QueueLimits},
};

use crate::{
    client::Publisher,
    error::Error,
    timer::{sleep, within},
    transport::BoxedTransport,
};
#[cfg(feature = "async-std")]
use crate::{tls, transport::dial};

/// Publishes one stream, on one connection after another if need be.
///
/// [`send`](Self::send) never waits for the network: frames wait in a bounded queue and are dropped by
/// its rules, those of a [`Republisher`], which decides all there is to decide.
///
/// There is no task inside. Things move while [`next_event`](Self::next_event) or
/// [`finish`](Self::finish) is awaited, and a little with each `send`; so await the next event whenever
/// there is nothing to send:
///
/// ```no_run
/// # use rtmp_async_std::{PublisherEvent, ReconnectingPublisher};
/// # use rtmp_proto::flv::Frame;
/// # use smol::future;
/// # async fn next_frame() -> Option<Frame> { None }
/// # async fn example(publisher: &mut ReconnectingPublisher) {
/// enum Next {
///     Frame(Option<Frame>),
///     Event(Option<PublisherEvent>),
/// }
/// loop {
///     let frame = async { Next::Frame(next_frame().await) };
///     let event = async { Next::Event(publisher.next_event().await) };
///     match future::or(frame, event).await {
///         Next::Frame(Some(frame)) => publisher.send(&frame).await,
///         Next::Event(Some(event)) => println!("{event:?}"),
///         Next::Frame(None) | Next::Event(None) => break,
///     }
/// }
/// # }
/// ```
pub struct ReconnectingPublisher {
    dialler: Dialler,
    client: Arc<ClientConfig>,
    publisher: Republisher<Error>,
    link: Link,
    /// While the server asks for a user and a password.
    auth: Option<auth::Client>,
    origin: time::Instant,
    /// Of the connections before this one.
    bytes_sent: u64,
}

/// What a [`ReconnectingPublisher`] tells.
pub type PublisherEvent = rtmp_proto::PublisherEvent<Error>;

impl ReconnectingPublisher {
    /// Publishes to `url`, as soon as something is awaited.
    #[cfg(feature = "async-std")]
    pub fn new(
        url: RtmpUrl,
        client: Arc<ClientConfig>,
        tls: Option<tls::Connector>,
        config: ReconnectConfig,
    ) -> Self {
        let limit = client.dial_timeout;
        let dialler: Dialler = Box::new(move |url| {
            let tls = tls.clone();
            Box::pin(async move { dial(&url, tls.as_ref(), limit).await })
        });
        Self::build(url, client, config, dialler)
    }

    /// Publishes to `url` over connections that `dialler` makes to the URLs it is given: through a
    /// proxy, from a certain address, in memory. Each may take [`ClientConfig::dial_timeout`].
    pub fn with_dialler<F>(
        url: RtmpUrl,
        client: Arc<ClientConfig>,
        config: ReconnectConfig,
        dialler: impl Fn(RtmpUrl) -> F + Send + 'static,
    ) -> Self
    where
        F: Future<Output = Result<BoxedTransport, Error>> + Send + 'static,
    {
        let limit = client.dial_timeout;
        let dialler: Dialler = Box::new(move |url| {
            let dialled = within(limit, dialler(url));
            let late = Err(Error::ConnectTimeout { limit });
            Box::pin(async move { dialled.await.unwrap_or(late) })
        });
        Self::build(url, client, config, dialler)
    }

    /// The same with other bounds for the frames that wait. To be called before the first
    /// [`send`](Self::send).
    #[must_use]
    pub fn with_queue(mut self, limits: QueueLimits) -> Self {
        self.publisher = self.publisher.with_queue(limits);
        self
    }

    /// Sends `frame`, or keeps it until it can be sent, or drops it or others if too much waits
    /// ([`dropped`](Self::dropped)). Ready at the first poll.
    pub async fn send(&mut self, frame: &Frame) {
        self.publisher.push(frame.clone());
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
                if let Some(end) = self.poll_told() {
                    return Poll::Ready(end);
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
                if let Some(end) = self.poll_told() {
                    return Poll::Ready(Err(end));
                }
                let driven = self.poll_drive(cx);
                if self.is_flushed() {
                    return Poll::Ready(Ok(()));
                }
                ready!(driven);
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
        self.publisher.state()
    }

    /// Where it is connected, or will be: the URL it began with, unless a server has asked for another.
    pub fn url(&self) -> &RtmpUrl {
        self.publisher.url()
    }

    /// What was dropped; see [`Republisher::dropped`].
    pub fn dropped(&self) -> DropCounts {
        self.publisher.dropped()
    }

    /// Bytes written, over all connections.
    pub fn bytes_sent(&mut self) -> u64 {
        match &mut self.link {
            Link::Up(publisher) => self.bytes_sent + publisher.stats().bytes_sent,
            _ => self.bytes_sent,
        }
    }

    fn build(
        url: RtmpUrl,
        client: Arc<ClientConfig>,
        config: ReconnectConfig,
        dialler: Dialler,
    ) -> Self {
        Self {
            dialler,
            client,
            publisher: Republisher::new(url, config),
            link: Link::Down,
            auth: None,
            origin: time::Instant::now(),
            bytes_sent: 0,
        }
    }

    /// The next event if there is one, or the end of all.
    fn poll_told(&mut self) -> Option<Option<PublisherEvent>> {
        match self.publisher.poll_event() {
            Some(event) => Some(Some(event)),
            None => self.publisher.has_given_up().then_some(None),
        }
    }

    /// Whether there is a connection and nothing waits for it.
    fn is_flushed(&mut self) -> bool {
        match &mut self.link {
            Link::Up(up) => {
                self.publisher.is_empty() && up.connection_mut().session().queued_len() == 0
            }
            _ => false,
        }
    }

    /// Does what there is to do; ready when something has changed.
    fn poll_drive(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let done = match &mut self.link {
            Link::Up(_) => return self.poll_up(cx),
            Link::Busy(task) => ready!(task.as_mut().poll(cx)),
            Link::Down => Ok(Done::Waited(Instant::ORIGIN)),
        };
        let now = self.now();
        self.link = Link::Down;
        let auth = self.auth.take();
        match done {
            Ok(Done::Connected(publisher)) => {
                self.link = Link::Up(publisher);
                self.publisher.handle_connected(now);
            }
            Ok(Done::Left) => self.publisher.handle_left(now, random()),
            // Timers round: without this, one that is early would be set again and again.
            Ok(Done::Waited(until)) => self.publisher.handle_timeout(now.max(until)),
            Err(why) => {
                let url = self.publisher.url();
                let mut auth = auth.unwrap_or_else(|| auth::Client::of(url));
                match why.answered_by(&mut auth) {
                    Ok(()) => self.auth = Some(auth),
                    Err(why) => self.ended(why),
                }
            }
        }
        self.begin();
        Poll::Ready(())
    }

    fn poll_up(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let now = self.now();
        while let Link::Up(up) = &mut self.link {
            let queued_len = up.connection_mut().session().queued_len();
            if let Some(frame) = self.publisher.poll_frame(now, queued_len) {
                // Either the session has ended, which the next event tells, or the frame is longer than
                // any connection would take.
                let _ = up.queue(&frame);
                continue;
            }
            if self.publisher.step() != Step::Publish {
                break;
            }
            let error = match up.connection_mut().poll_event(cx) {
                Poll::Ready(Ok(event)) => match self.publisher.handle_event(now, event) {
                    Some(reason) => Error::Closed(reason),
                    None => return Poll::Ready(()),
                },
                Poll::Ready(Err(error)) => error,
                Poll::Pending => {
                    let queued_len = up.connection_mut().session().queued_len();
                    match queued_len <= SEND_AHEAD && !self.publisher.is_empty() {
                        true => continue,
                        false => return Poll::Pending,
                    }
                }
            };
            self.ended(error);
        }
        self.begin();
        Poll::Ready(())
    }

    fn ended(&mut self, why: Error) {
        self.bytes_sent = self.bytes_sent();
        self.link = Link::Down;
        let retry = why.retry();
        let now = self.now();
        self.publisher.handle_ended(now, why, retry, random());
    }

    /// Begins what is to be done.
    fn begin(&mut self) {
        let task: Task<Done> = match self.publisher.step() {
            Step::Publish | Step::Stop => return,
            Step::Connect => {
                let url = self.publisher.url().clone();
                let dialled = (self.dialler)(url.clone());
                let client = Arc::clone(&self.client);
                let params = ConnectParams::publisher(&url).reconnecting();
                let params = match &self.auth {
                    Some(auth) => auth.params(params),
                    None => params,
                };
                Box::pin(async move {
                    let io = dialled.await?;
                    let publisher = Publisher::with_params(io, &url, client, params).await?;
                    Ok(Done::Connected(Box::new(publisher)))
                })
            }
            Step::Leave { within: limit } => {
                self.bytes_sent = self.bytes_sent();
                let link = mem::replace(&mut self.link, Link::Down);
                Box::pin(async move {
                    if let Link::Up(publisher) = link {
                        // If it does not end in good order, it ends otherwise.
                        let _ = within(limit, publisher.finish()).await;
                    }
                    Ok(Done::Left)
                })
            }
            Step::Wait { until } => {
                let delay = until - self.now();
                Box::pin(async move {
                    sleep(delay).await;
                    Ok(Done::Waited(until))
                })
            }
        };
        self.link = Link::Busy(task);
    }

    fn now(&self) -> Instant {
        Instant::from_origin(self.origin.elapsed())
    }
}

impl fmt::Debug for ReconnectingPublisher {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("ReconnectingPublisher")
            .field(&self.publisher)
            .finish()
    }
}

type Dialler = Box<dyn Fn(RtmpUrl) -> Task<BoxedTransport> + Send>;

type Task<T> = Pin<Box<dyn Future<Output = Result<T, Error>> + Send>>;

enum Link {
    Up(Box<Publisher>),
    Busy(Task<Done>),
    /// Nothing has begun, or it is over.
    Down,
}

/// What a step came to.
enum Done {
    Connected(Box<Publisher>),
    Left,
    /// Until then.
    Waited(Instant),
}

/// A number for [`Reconnect::ended`](rtmp_proto::Reconnect::ended), drawn evenly from all; zero if the
/// operating system has none, and then attempts are not spread.
pub fn random() -> u32 {
    getrandom::u32().unwrap_or(0)
}
