//! One client: its requests, what it publishes and what it plays.

use std::{
    fmt, future, io,
    net::SocketAddr,
    sync::{Arc, Mutex, MutexGuard, PoisonError, Weak},
    task::{Context, Poll, Waker, ready},
};

use rtmp_proto::{
    CloseReason, MessageStreamId, PlayRequest, PublishRequest, Query, RequestError, ServerEvent,
    Status, StatusCode, StreamName,
};
use rtmp_tokio::{BoxedTransport, Error, IncomingConnection, Presence};
use tokio::{sync::Notify, task::coop::consume_budget};
use tracing::{debug, info};

use super::{
    admission::ConnectionPermit,
    channel::Player,
    hub::{Hub, Publication, Subscription},
};
use crate::{args::Key, description::Description};

/// Who may do what.
#[derive(Debug)]
pub(super) struct Access {
    pub(super) publish_key: Option<Key>,
    pub(super) play_key: Option<Key>,
}

/// Serves a client until it leaves, misbehaves, or the program stops. Holds on to `_permit` until then.
pub(super) async fn serve(
    hub: Arc<Hub>,
    access: Arc<Access>,
    incoming: IncomingConnection,
    _permit: ConnectionPermit,
) {
    let peer = incoming.peer_addr();
    // In a box, since what this takes is not to be kept for as long as the connection lasts.
    let (connection, mut presence) = match Box::pin(incoming.establish()).await {
        Ok(connection) => connection.into_parts(),
        Err(Error::Closed(CloseReason::Local)) => return,
        Err(error) => return info!(%peer, "connection not established: {}", Chain(&error)),
    };
    let client = Shared::new(hub, access, connection, peer);
    let outcome = client.run(&mut presence).await;
    client.lock().report(outcome);
}

type Connection = rtmp_tokio::Connection<BoxedTransport, rtmp_proto::Server>;

/// A client, shared by its own task, which waits for the network, and the tasks that bring it frames and
/// write them while the network takes them.
struct Shared(Mutex<Client>);

struct Client {
    hub: Arc<Hub>,
    access: Arc<Access>,
    peer: SocketAddr,
    connection: Connection,
    /// One, nearly always.
    streams: Vec<(MessageStreamId, Activity)>,
    /// Called when one of its publications is replaced.
    wake: Arc<Notify>,
    /// Of its own task.
    waker: Waker,
    this: Weak<Shared>,
    /// Why the server itself ended the connection.
    end: Option<&'static str>,
}

/// What a message stream does.
enum Activity {
    Publishing(Publication, Description),
    Playing(Subscription),
}

impl Shared {
    fn new(
        hub: Arc<Hub>,
        access: Arc<Access>,
        connection: Connection,
        peer: SocketAddr,
    ) -> Arc<Self> {
        Arc::new_cyclic(|this| {
            Self(Mutex::new(Client {
                hub,
                access,
                peer,
                connection,
                streams: Vec::new(),
                wake: Arc::default(),
                waker: Waker::noop().clone(),
                this: Weak::clone(this),
                end: None,
            }))
        })
    }

    /// Up to the end of the connection, which a shutdown brings about in good order.
    async fn run(&self, presence: &mut Presence) -> Result<CloseReason, Error> {
        tokio::select! {
            outcome = self.serve() => return outcome,
            () = presence.stopping() => {}
        }
        // Everything published has been passed on; players get it, and what others still pass on.
        self.lock().stop_publishing(|_| true);
        presence.set_sourceless();
        if !self.lock().streams.is_empty() {
            tokio::select! {
                outcome = self.serve() => return outcome,
                () = presence.stopping() => {}
            }
            future::poll_fn(|cx| self.lock().poll_rest(cx)).await?;
        }
        future::poll_fn(|cx| self.lock().connection.poll_close(cx)).await?;
        // The client's own, if that came first.
        let reason = self.lock().connection.session().close_reason().cloned();
        Ok(reason.unwrap_or(CloseReason::Local))
    }

    /// Up to the end that the client brings about.
    async fn serve(&self) -> Result<CloseReason, Error> {
        let wake = Arc::clone(&self.lock().wake);
        loop {
            // One read may hold thousands of frames, each for hundreds of players: without a pause
            // between them, a few such publishers would keep everybody else waiting.
            consume_budget().await;
            let event = tokio::select! {
                event = future::poll_fn(|cx| self.lock().poll_event(cx)) => Some(event?),
                () = wake.notified() => None,
            };
            let mut client = self.lock();
            match event {
                Some(ServerEvent::Closed(reason)) => return Ok(reason),
                Some(event) => match client.on_event(event) {
                    // It has ended meanwhile, and why is its last event.
                    Err(Error::Request(RequestError::Closed)) => {}
                    outcome => outcome?,
                },
                None => client.check_streams(),
            }
        }
    }

    fn lock(&self) -> MutexGuard<'_, Client> {
        // A panic is a bug, and no reason to fail elsewhere too.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Player for Shared {
    fn advance(&self) {
        self.lock().advance();
    }
}

impl Client {
    /// The next event. Meanwhile sends what there is to play.
    fn poll_event(&mut self, cx: &mut Context<'_>) -> Poll<Result<ServerEvent, Error>> {
        self.waker.clone_from(cx.waker());
        loop {
            let has_more = self.fill_output();
            let event = self.connection.poll_event(cx);
            let has_room = self.connection.session().queued_len() <= OUTPUT_LOW;
            if event.is_pending() {
                self.end_streams();
            }
            if event.is_ready() || !(has_more && has_room) {
                return event;
            }
        }
    }

    /// Sends what there is to play, for the last time.
    fn poll_rest(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Error>> {
        while self.fill_output() {
            ready!(self.connection.poll_flush_to(cx, OUTPUT_LOW))?;
        }
        Poll::Ready(Ok(()))
    }

    /// Sends what is new while the network takes it. What it does not take at once is left to the
    /// client's own task.
    fn advance(&mut self) {
        if self.connection.session().queued_len() > 0 {
            // That task waits for the network, and then looks for more.
            return;
        }
        let has_more = self.fill_output();
        if self.connection.session().queued_len() == 0 {
            return;
        }
        let mut cx = Context::from_waker(&self.waker);
        let flushed = self.connection.poll_flush_to(&mut cx, 0);
        if has_more || !matches!(flushed, Poll::Ready(Ok(()))) {
            self.waker.wake_by_ref();
        }
    }

    /// Moves what waits for this client to the output; whether some is left because there is enough.
    fn fill_output(&mut self) -> bool {
        for (stream, activity) in &mut self.streams {
            let stream = *stream;
            let Activity::Playing(subscription) = activity else {
                continue;
            };
            let session = self.connection.session();
            loop {
                if session.queued_len() > OUTPUT_HIGH {
                    return true;
                }
                let Some(portion) = subscription.next() else {
                    break;
                };
                let sent = session.send_portion(stream, &portion).is_ok();
                if !sent {
                    // There is room, so the session has just ended: its last event comes next.
                    break;
                }
            }
        }
        false
    }

    fn on_event(&mut self, event: ServerEvent) -> Result<(), Error> {
        match event {
            ServerEvent::Publish(request) => self.on_publish(request)?,
            ServerEvent::Play(request) => self.on_play(request)?,
            ServerEvent::Frame { stream, frame } => {
                let peer = self.peer;
                if let Some(Activity::Publishing(publication, description)) = self.activity(stream)
                {
                    publication.push(&frame);
                    if let Some(line) = description.push(&frame) {
                        info!(%peer, name = %publication.name(), "{line}");
                    }
                }
            }
            ServerEvent::PublishStopped { stream } | ServerEvent::PlayStopped { stream } => {
                self.stop(stream);
            }
            ServerEvent::Paused { stream, .. } | ServerEvent::Receives { stream, .. }
                if event.is_resumption(stream) =>
            {
                self.restart(stream);
            }
            ServerEvent::StateChanged(state) => debug!(peer = %self.peer, %state, "state changed"),
            ServerEvent::Unhandled(message) => debug!(peer = %self.peer, ?message, "ignored"),
            other => {
                if let ServerEvent::Call(call) = &other {
                    debug!(peer = %self.peer, command = ?call.command().name, "unknown command");
                }
                let now = self.connection.now();
                self.connection.session().answer_by_default(now, other)?;
            }
        }
        Ok(())
    }

    fn on_publish(&mut self, request: PublishRequest) -> Result<(), Error> {
        let (peer, name) = (self.peer, request.name().clone());
        let now = self.connection.now();
        if !is_allowed(self.access.publish_key.as_ref(), request.query()) {
            info!(%peer, %name, "publisher rejected: wrong or missing key");
            let status = Status::error(StatusCode::PUBLISH_DENIED, "wrong or missing key");
            return Ok(self.connection.session().reject(now, request, status)?);
        }
        if self.hub.replaces() {
            // Taking over from oneself ends that stream, not the connection.
            self.stop_publishing(|other| *other == name);
        }
        let wake = Arc::clone(&self.wake);
        let publication = match self.hub.publish(&name, wake) {
            Ok(publication) => publication,
            Err(refusal) => {
                info!(%peer, %name, "publisher rejected: {}", refusal.reason());
                let status = refusal.status();
                return Ok(self.connection.session().reject(now, request, status)?);
            }
        };
        info!(%peer, %name, "publishing");
        let stream = request.stream();
        self.connection.session().accept(now, request)?;
        self.stop(stream);
        self.streams.push((
            stream,
            Activity::Publishing(publication, Description::default()),
        ));
        Ok(())
    }

    fn on_play(&mut self, request: PlayRequest) -> Result<(), Error> {
        let (peer, name) = (self.peer, request.name().clone());
        let now = self.connection.now();
        if !is_allowed(self.access.play_key.as_ref(), request.query()) {
            info!(%peer, %name, "player rejected: wrong or missing key");
            let status = Status::error(StatusCode::PLAY_FAILED, "wrong or missing key");
            return Ok(self.connection.session().reject(now, request, status)?);
        }
        let stream = request.stream();
        // What it has played so far makes room for what it wants to play.
        self.stop(stream);
        let subscription = match self.hub.play(&name, self.this.clone()) {
            Ok(subscription) => subscription,
            Err(refusal) => {
                info!(%peer, %name, "player rejected: {}", refusal.reason());
                let status = refusal.status();
                return Ok(self.connection.session().reject(now, request, status)?);
            }
        };
        info!(%peer, %name, "playing");
        self.connection.session().accept(now, request)?;
        self.streams.push((stream, Activity::Playing(subscription)));
        Ok(())
    }

    fn activity(&mut self, stream: MessageStreamId) -> Option<&mut Activity> {
        let mut streams = self.streams.iter_mut();
        let (_, activity) = streams.find(|(id, _)| *id == stream)?;
        Some(activity)
    }

    /// The player missed something: it goes on with the latest key frame.
    fn restart(&mut self, stream: MessageStreamId) {
        if let Some(Activity::Playing(subscription)) = self.activity(stream) {
            subscription.restart();
        }
    }

    fn stop_publishing(&mut self, which: impl Fn(&StreamName) -> bool) {
        let is_meant = |activity: &Activity| match activity {
            Activity::Publishing(publication, _) => which(publication.name()),
            Activity::Playing(_) => false,
        };
        let streams = self.streams.iter().filter(|(_, it)| is_meant(it));
        for stream in streams.map(|(id, _)| *id).collect::<Vec<_>>() {
            self.stop(stream);
        }
    }

    fn stop(&mut self, stream: MessageStreamId) {
        let peer = self.peer;
        let position = self.streams.iter().position(|(id, _)| *id == stream);
        let activity = position.map(|position| self.streams.swap_remove(position).1);
        match activity {
            Some(Activity::Publishing(publication, _)) => {
                info!(%peer, name = %publication.name(), "publishing ended");
            }
            Some(Activity::Playing(subscription)) => {
                info!(%peer, name = %subscription.name(), "playing ended{}", Dropped(&subscription));
            }
            None => {}
        }
    }

    /// Looks for what another task has done to this client's streams.
    fn check_streams(&mut self) {
        let is_replaced = self.streams.iter().any(|(_, activity)| match activity {
            Activity::Publishing(publication, _) => publication.is_replaced(),
            Activity::Playing(_) => false,
        });
        if is_replaced {
            self.end = Some("replaced by another publisher");
            let now = self.connection.now();
            self.connection.session().close(now);
        }
    }

    /// Gives up the streams of a session that has ended, not to keep their names for as long as the
    /// peer takes to hang up.
    fn end_streams(&mut self) {
        if self.streams.is_empty() {
            return;
        }
        if let Some(reason) = self.connection.session().close_reason().cloned() {
            self.report_streams(&self.reason(&Ok(reason)));
        }
    }

    /// One line about the end of the connection, and of each stream it still had.
    fn report(&mut self, outcome: Result<CloseReason, Error>) {
        let reason = self.reason(&outcome);
        self.report_streams(&reason);
        let peer = self.peer;
        let stats = self.connection.session().stats();
        let (received, sent) = (stats.bytes_received, stats.bytes_sent);
        match outcome {
            Ok(CloseReason::Protocol(_) | CloseReason::Timeout(_)) => {
                info!(%peer, "connection ended: {reason}");
            }
            _ => debug!(%peer, received, sent, "connection ended: {reason}"),
        }
    }

    /// One line about each stream, of which it is the end.
    fn report_streams(&mut self, reason: &str) {
        let peer = self.peer;
        let stats = self.connection.session().stats();
        let (received, sent) = (stats.bytes_received, stats.bytes_sent);
        for (_, activity) in std::mem::take(&mut self.streams) {
            match activity {
                Activity::Publishing(publication, _) => info!(
                    %peer, name = %publication.name(), received, "publishing ended: {reason}"
                ),
                Activity::Playing(subscription) => info!(
                    %peer, name = %subscription.name(), sent,
                    "playing ended{}: {reason}", Dropped(&subscription)
                ),
            }
        }
    }

    /// Why the connection ends.
    fn reason(&self, outcome: &Result<CloseReason, Error>) -> String {
        match (self.end, outcome) {
            (Some(end), _) => end.to_owned(),
            (None, Ok(reason)) => Chain(reason).to_string(),
            // How most players leave.
            (None, Err(Error::Io(error))) if error.kind() == io::ErrorKind::ConnectionReset => {
                "connection reset by the peer".to_owned()
            }
            (None, Err(error)) => Chain(error).to_string(),
        }
    }
}

fn is_allowed(key: Option<&Key>, query: &Query) -> bool {
    key.is_none_or(|key| query.get("key").is_some_and(|given| key.matches(&given)))
}

/// An error with its causes, in one line.
struct Chain<'a>(&'a dyn std::error::Error);

impl fmt::Display for Chain<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0)?;
        let mut cause = self.0.source();
        while let Some(error) = cause {
            write!(f, ": {error}")?;
            cause = error.source();
        }
        Ok(())
    }
}

/// How much a player was too slow for, if anything.
struct Dropped<'a>(&'a Subscription);

impl fmt::Display for Dropped<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let dropped = self.0.dropped();
        match (dropped.video, dropped.audio) {
            (0, 0) => Ok(()),
            (video, audio) => write!(f, " ({video} video and {audio} audio frames dropped)"),
        }
    }
}

/// Output that may wait in a session, out of reach of the dropping policy: enough to keep the network
/// busy, not more.
const OUTPUT_HIGH: usize = 128 << 10;

/// Output below which more is added.
const OUTPUT_LOW: usize = 32 << 10;

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use bytes::Bytes;
    use rtmp_proto::{
        ClientConfig, ClientEvent, StreamTarget, Timeout, Timestamp, chunk::ChunkSize, flv::Frame,
        relay::Portion,
    };
    use tokio::{io::AsyncWriteExt, task};

    use super::{
        super::{admission::Admission, hub::Policy},
        *,
    };
    use crate::args::{Limits, OnDuplicate};

    const FRAMES: usize = 2000;

    /// What arrives at once is not passed on at once, so that other tasks have their turn.
    #[tokio::test]
    async fn floods_leave_time_for_others() {
        let hub = hub();
        let name = StreamTarget::new("live", "stream").name;
        let mut player = hub.play(&name, nobody()).unwrap();
        assert!(player.next().is_none());
        let (here, there) = tokio::io::duplex(1 << 20);
        let serving = task::spawn(async move { client(hub, there).serve().await });
        let publisher = publish_at_once(here).await;
        let (mut received, mut most_at_once) = (0, 0);
        while received < FRAMES {
            let at_once = frames(&mut player).len();
            received += at_once;
            most_at_once = most_at_once.max(at_once);
            task::yield_now().await;
        }
        assert!(most_at_once < FRAMES / 4, "{most_at_once} at once");
        drop(publisher);
        serving.await.unwrap().unwrap();
    }

    /// A question that is taken together with the end of the session does not hide why it ended.
    #[tokio::test(start_paused = true)]
    async fn the_end_is_told_whatever_comes_with_it() {
        let question = hex("03 000000 00000E 14 00000000  02 0001 78  00 3FF0000000000000  05");
        let (here, mut there) = tokio::io::duplex(8192);
        let client = client(hub(), here);
        let mut serving = std::pin::pin!(client.serve());
        let mut bytes = vec![0; 1 + 2 * 1536];
        bytes[0] = 3;
        bytes.extend(hex(
            "03 000000 000020 14 00000000  02 0007 636F6E6E656374  00 3FF0000000000000
             03 0003 617070  02 0001 61 000009",
        ));
        bytes.extend(question.repeat(1000));
        // Nobody reads the answers, so that they wait.
        tokio::select! {
            outcome = &mut serving => panic!("{outcome:?}"),
            written = there.write_all(&bytes) => written.unwrap(),
        }
        there.write_all(&question).await.unwrap();
        tokio::time::advance(Duration::from_secs(30)).await;
        let reason = serving.await.unwrap();
        assert_eq!(reason, CloseReason::Timeout(Timeout::Request));
    }

    /// What the network does not take from those who pass frames on, the player's own task writes.
    #[tokio::test]
    async fn narrow_networks_get_everything() {
        let hub = hub();
        let (here, there) = tokio::io::duplex(1000);
        let shared = client(Arc::clone(&hub), there);
        let serving = task::spawn(async move { shared.serve().await });
        let config = Arc::new(ClientConfig::default());
        let mut connection = rtmp_tokio::Connection::new(here, config).unwrap();
        let now = connection.now();
        let url = "rtmp://host/live/stream".parse().unwrap();
        connection.session().play_from(now, &url).unwrap();
        while !matches!(
            connection.next_event().await.unwrap(),
            ClientEvent::Playing { .. }
        ) {}
        let name = StreamTarget::new("live", "stream").name;
        let publication = hub.publish(&name, Arc::default()).unwrap();
        let frame = |n: u8| {
            let mut payload = vec![0xAF, 1, n];
            payload.resize(700, 0);
            Frame::audio(Timestamp::ZERO, payload.into())
        };
        for n in 0..=u8::MAX {
            publication.push(&frame(n));
            if n % 8 == 0 {
                task::yield_now().await;
            }
        }
        let mut received = Vec::new();
        while received.len() <= usize::from(u8::MAX) {
            match connection.next_event().await.unwrap() {
                ClientEvent::Frame { frame, .. } if frame.is_audio() => received.push(frame),
                _ => {}
            }
        }
        assert!(received.into_iter().eq((0..=u8::MAX).map(frame)));
        drop(connection);
        serving.await.unwrap().unwrap();
    }

    /// A publisher that breaks the protocol keeps nobody from publishing, though it does not hang up.
    #[tokio::test(start_paused = true)]
    async fn a_stream_ends_with_its_session() {
        let hub = hub_with(OnDuplicate::Reject);
        let name = StreamTarget::new("a", "s").name;
        let mut player = hub.play(&name, nobody()).unwrap();
        assert!(player.next().is_none());
        let (here, mut there) = tokio::io::duplex(8192);
        let client = client(Arc::clone(&hub), here);
        let mut serving = std::pin::pin!(client.serve());
        let mut bytes = vec![0; 1 + 2 * 1536];
        bytes[0] = 3;
        bytes.extend(hex(
            "03 000000 000020 14 00000000  02 0007 636F6E6E656374  00 3FF0000000000000
             03 0003 617070  02 0001 61 000009
             03 000000 000019 14 00000000  02 000C 63726561746553747265616D
             00 4000000000000000  05
             03 000000 00001F 14 01000000  02 0007 7075626C697368  00 0000000000000000  05
             02 0001 73  02 0004 6C697665
             04 000000 000003 08 01000000  AF0100
             C9",
        ));
        there.write_all(&bytes).await.unwrap();
        for _ in 0..100 {
            tokio::select! {
                biased;
                outcome = &mut serving => panic!("{outcome:?}"),
                () = task::yield_now() => {}
            }
        }
        let frame = Frame::audio(Timestamp::ZERO, Bytes::from_static(&[0xAF, 1, 0]));
        assert_eq!(frames(&mut player), [frame]);
        assert!(hub.publish(&name, Arc::default()).is_ok());
        let reason = serving.await.unwrap();
        assert!(matches!(reason, CloseReason::Protocol(_)), "{reason}");
    }

    /// The newest wins among the streams of one connection too, which goes on.
    #[tokio::test]
    async fn a_client_takes_over_from_itself() {
        let hub = hub();
        let mut player = hub
            .play(&StreamTarget::new("live", "stream").name, nobody())
            .unwrap();
        assert!(player.next().is_none());
        let (here, there) = tokio::io::duplex(1 << 20);
        let serving = task::spawn(async move { client(hub, there).serve().await });
        let config = Arc::new(ClientConfig::default());
        let mut connection = rtmp_tokio::Connection::new(here, config).unwrap();
        let now = connection.now();
        let url = "rtmp://host/live/stream".parse().unwrap();
        connection.session().publish_to(now, &url).unwrap();
        let mut publishing = Vec::new();
        while publishing.len() < 2 {
            match connection.next_event().await.unwrap() {
                ClientEvent::Publishing { stream } => {
                    publishing.push(stream);
                    connection.session().create_stream(now).unwrap();
                }
                ClientEvent::StreamCreated { stream, .. } if publishing.len() == 1 => {
                    let kind = rtmp_proto::PublishKind::Live;
                    let session = connection.session();
                    session.publish(now, stream, "stream", kind).unwrap();
                }
                _ => {}
            }
        }
        let frame = |n: u8| Frame::audio(Timestamp::ZERO, Bytes::copy_from_slice(&[0xAF, 1, n]));
        for (n, stream) in (1..).zip(publishing) {
            connection.session().send_frame(stream, &frame(n)).unwrap();
        }
        connection.close().await.unwrap();
        serving.await.unwrap().unwrap();
        assert_eq!(frames(&mut player), [frame(2)]);
    }

    fn hex(digits: &str) -> Vec<u8> {
        let digits: Vec<_> = digits.chars().filter_map(|c| c.to_digit(16)).collect();
        let byte = |pair: &[u32]| u8::try_from(pair[0] << 4 | pair[1]).unwrap();
        digits.chunks(2).map(byte).collect()
    }

    fn hub() -> Arc<Hub> {
        hub_with(OnDuplicate::Replace)
    }

    fn hub_with(on_duplicate: OnDuplicate) -> Arc<Hub> {
        Hub::new(Policy {
            on_duplicate,
            republish_wait: Duration::ZERO,
            flush_interval: Duration::ZERO,
            chunk_size: ChunkSize::INITIAL,
            record: None,
            admission: Arc::new(Admission::new(&Limits::none())),
        })
    }

    /// What a player gets now.
    fn frames(player: &mut Subscription) -> Vec<Frame> {
        let mut frames = Vec::new();
        while let Some(portion) = player.next() {
            match portion {
                Portion::Batch(batch) => frames.extend_from_slice(batch.frames()),
                Portion::Frame(frame) => frames.push(frame),
                Portion::Published | Portion::Unpublished => {}
            }
        }
        frames
    }

    fn nobody() -> Weak<dyn Player> {
        Weak::<Shared>::new()
    }

    fn client(hub: Arc<Hub>, transport: tokio::io::DuplexStream) -> Arc<Shared> {
        let access = Arc::new(Access {
            publish_key: None,
            play_key: None,
        });
        let transport: BoxedTransport = Box::new(transport);
        let connection = Connection::new(transport, Arc::default()).unwrap();
        Shared::new(hub, access, connection, ([127, 0, 0, 1], 1).into())
    }

    /// Publishes frames in one write.
    async fn publish_at_once(
        io: tokio::io::DuplexStream,
    ) -> rtmp_tokio::Connection<tokio::io::DuplexStream, rtmp_proto::Client> {
        let mut connection =
            rtmp_tokio::Connection::new(io, Arc::new(ClientConfig::default())).unwrap();
        let url = "rtmp://host/live/stream".parse().unwrap();
        let now = connection.now();
        connection.session().publish_to(now, &url).unwrap();
        let stream = loop {
            if let ClientEvent::Publishing { stream } = connection.next_event().await.unwrap() {
                break stream;
            }
        };
        let frame = Frame::audio(Timestamp::ZERO, Bytes::from_static(&[0xAF, 1, 0]));
        for _ in 0..FRAMES {
            connection.session().send_frame(stream, &frame).unwrap();
        }
        connection.flush().await.unwrap();
        connection
    }
}
