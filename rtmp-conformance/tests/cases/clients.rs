//! Clients for those who do one thing only. The module around it says which adapter's and how to run
//! it.

use std::{
    collections::VecDeque,
    future,
    io::{self, ErrorKind},
    sync::{Arc, Mutex},
    time::Duration,
};

use bytes::Bytes;
use rtmp_conformance::{Pipe, apart, patient, pipe};
use rtmp_proto::{
    ClientConfig, CloseReason, ConnectParams, MessageStreamId, PublisherState, ReconnectConfig,
    Retry, RtmpUrl, Server, ServerEvent, Status, StatusCode, Timestamp, flv::Frame,
};

use super::{
    adapter::{
        BoxedTransport, Connection, Error, Listener, Player, Publisher, PublisherEvent,
        ReconnectingPublisher,
    },
    block_on,
};

#[test]
fn a_publisher_counts_and_finishes() {
    let (here, there) = pipe(1000);
    let publishing = async {
        let mut publisher = Publisher::over(here, &url(), patient()).await.unwrap();
        for frame in stream(20) {
            publisher.send(&frame).await.unwrap();
        }
        assert_eq!(publisher.stats().sent.video, 20);
        publisher.finish().await.unwrap();
    };
    let ((), frames) = block_on(apart(publishing, take(there, usize::MAX)));
    assert_eq!(frames, stream(20));
}

#[test]
fn a_player_ends_with_the_stream() {
    let (here, there) = pipe(1000);
    let playing = async {
        let mut player = Player::over(here, &url(), patient()).await.unwrap();
        let mut frames = Vec::new();
        while let Some(frame) = player.next_frame().await.unwrap() {
            frames.push(frame);
        }
        assert!(player.stats().bytes_received > 1000);
        player.finish().await.unwrap();
        frames
    };
    let serving = async {
        let mut server = accepted(there).await;
        for frame in stream(20) {
            server.session().send_frame(ONE, &frame).unwrap();
        }
        server.close().await.unwrap();
    };
    let (frames, ()) = block_on(apart(playing, serving));
    let sent: Vec<_> = stream(20).into_iter().filter(Frame::is_video).collect();
    let received = frames.into_iter().filter(Frame::is_video);
    assert_eq!(received.collect::<Vec<_>>(), sent);
}

#[test]
fn refusals_are_told() {
    let (here, there) = pipe(1000);
    let url = url();
    let publishing = Publisher::over(here, &url, patient());
    let denying = deny(there, StatusCode::PUBLISH_BAD_NAME);
    let (refused, ()) = block_on(apart(publishing, denying));
    let Err(Error::Closed(CloseReason::Refused(status))) = refused else {
        panic!("refused: {refused:?}")
    };
    assert_eq!(status.code, StatusCode::PUBLISH_BAD_NAME);
}

/// A server that has moved on without closing.
#[test]
fn an_error_status_ends_a_publisher() {
    let (here, there) = pipe(1000);
    let publishing = async {
        let mut publisher = Publisher::over(here, &url(), patient()).await.unwrap();
        publisher.ended().await
    };
    let serving = async {
        let mut server = accepted(there).await;
        let status = Status::error(StatusCode::PUBLISH_BAD_NAME, "somebody else's now");
        server.session().send_status(ONE, &status).unwrap();
        server.flush().await.unwrap();
        server
    };
    let (ended, _server) = block_on(apart(publishing, serving));
    assert!(
        matches!(ended, Error::Closed(CloseReason::Refused(_))),
        "{ended}"
    );
}

/// The request is told, and who stays gets what follows.
#[test]
fn a_player_is_asked_to_reconnect() {
    let (here, there) = pipe(1000);
    let playing = async {
        let params = ConnectParams::player(&url()).reconnecting();
        let player = Player::with_params(here, &url(), patient(), params).await;
        let mut player = player.unwrap();
        let status = loop {
            match player.next_frame().await {
                Err(Error::ReconnectRequest(status)) => break status,
                frame => assert!(!frame.unwrap().unwrap().is_video()),
            }
        };
        let mut count = 0;
        while let Some(frame) = player.next_frame().await.unwrap() {
            count += u32::from(frame.is_video());
        }
        (status.code, count)
    };
    let serving = async {
        let mut server = accepted(there).await;
        ask_to_move(&mut server, "//other/live");
        server.session().send_frame(ONE, &frame(0, KEY)).unwrap();
        server.close().await.unwrap();
    };
    let (asked, ()) = block_on(apart(playing, serving));
    assert_eq!(asked, (StatusCode::CONNECT_RECONNECT_REQUEST, 1));
}

/// More than the buffers of two sockets hold.
#[test]
fn a_publisher_that_ends_at_once_loses_nothing() {
    let frames = long_frames();
    let count = block_on(async {
        let (listener, url) = listen().await;
        let publishing = async {
            let publisher = Publisher::connect(&url, patient(), None).await;
            let mut publisher = publisher.unwrap();
            for frame in &frames {
                publisher.send(frame).await.unwrap();
            }
            publisher.finish().await.unwrap();
        };
        let serving = async { take(established(&listener).await, usize::MAX).await };
        apart(publishing, serving).await.1.len()
    });
    assert_eq!(count, frames.len());
}

/// The same, though the player still talks.
#[test]
fn a_server_that_ends_at_once_loses_nothing() {
    let frames = long_frames();
    let count = block_on(async {
        let (listener, url) = listen().await;
        let serving = async {
            let mut server = accepted(established(&listener).await).await;
            for frame in &frames {
                server.session().send_frame(ONE, frame).unwrap();
            }
            server.close().await.unwrap();
        };
        let playing = async {
            let player = Player::connect(&url, patient(), None).await;
            let mut player = player.unwrap();
            let mut count = 0;
            while let Some(frame) = player.next_frame().await.unwrap() {
                count += usize::from(frame.is_video());
            }
            count
        };
        apart(serving, playing).await.1
    });
    assert_eq!(count, frames.len());
}

#[test]
fn a_lost_connection_is_resumed() {
    let network = Network::default();
    let first = network.accepts();
    network.refuses();
    let second = network.accepts();
    let all = stream(40);
    let publishing = async {
        let mut publisher = network.publisher();
        let mut events = Vec::new();
        let (before, after) = all.split_at(15);
        send(&mut publisher, before).await;
        events.extend(until_connected(&mut publisher, 1).await);
        flush(&mut publisher).await;
        events.extend(until_connected(&mut publisher, 2).await);
        send(&mut publisher, after).await;
        flush(&mut publisher).await;
        assert_eq!(publisher.state(), PublisherState::Connected);
        assert!(publisher.bytes_sent() > 3000);
        publisher.finish().await.unwrap();
        events
    };
    let serving = async { (take(first, 15).await, take(second, usize::MAX).await) };
    let (events, (before, after)) = block_on(apart(publishing, serving));
    assert_eq!(
        events,
        ["connected 1", "attempt 1", "attempt 2", "connected 2"]
    );
    assert_eq!(before, all[..15]);
    assert_eq!(payloads(&after[..2]), [METADATA, CONFIG]);
    let video = after[2..].iter().find(|frame| frame.is_video()).unwrap();
    assert!(video.is_key_frame());
    assert_eq!(after.last(), all.last());
}

#[test]
fn a_request_to_move_is_followed_at_a_key_frame() {
    let network = Network::default();
    let (first, second) = (network.accepts(), network.accepts());
    let all = stream(40);
    let publishing = async {
        let mut publisher = network.publisher();
        let (before, after) = all.split_at(17);
        send(&mut publisher, before).await;
        let mut events = until_connected(&mut publisher, 1).await;
        flush(&mut publisher).await;
        events.extend(publisher.next_event().await.map(|event| name(&event)));
        send(&mut publisher, after).await;
        events.extend(until_connected(&mut publisher, 2).await);
        flush(&mut publisher).await;
        publisher.finish().await.unwrap();
        events
    };
    let serving = async {
        let mut server = accepted(first).await;
        let mut frames = some_frames(&mut server, 17).await;
        ask_to_move(&mut server, "//other/live2");
        frames.extend(some_frames(&mut server, usize::MAX).await);
        (frames, take(second, usize::MAX).await)
    };
    let (events, (before, after)) = block_on(apart(publishing, serving));
    assert_eq!(
        events,
        ["connected 1", "moving to rtmp://other/live2", "connected 2"]
    );
    let dialled = network.dialled.lock().unwrap().clone();
    assert_eq!(dialled, ["rtmp://host/live", "rtmp://other/live2"]);
    assert_eq!(payloads(&after[..2]), [METADATA, CONFIG]);
    assert!(after[2].is_key_frame());
    assert_eq!([&before[..], &after[2..]].concat(), all);
}

#[test]
fn a_denial_is_final() {
    let network = Network::default();
    let denying = deny(network.accepts(), StatusCode::PUBLISH_DENIED);
    let mut publisher = network.publisher();
    let (event, ()) = block_on(apart(publisher.next_event(), denying));
    assert!(
        matches!(event, Some(PublisherEvent::GaveUp(Error::Closed(_)))),
        "{event:?}"
    );
    assert_eq!(publisher.state(), PublisherState::GaveUp);
    assert!(block_on(publisher.next_event()).is_none());
}

/// Nothing else ends this wait.
#[test]
fn a_dialler_that_never_ends_is_cut_off() {
    let limit = Duration::from_millis(20);
    let mut client = ClientConfig::default();
    client.dial_timeout = limit;
    let never = |_| future::pending::<Result<BoxedTransport, Error>>();
    let config = ReconnectConfig::default();
    let mut publisher = ReconnectingPublisher::with_dialler(url(), Arc::new(client), config, never);
    let Some(PublisherEvent::Reconnecting { why, .. }) = block_on(publisher.next_event()) else {
        panic!("it tries again");
    };
    assert!(
        matches!(why, Error::ConnectTimeout { limit: told } if told == limit),
        "{why}"
    );
    assert_eq!(why.to_string(), "no connection within 20ms");
}

/// A byte stream alone does not carry it.
#[test]
fn tunnels_are_refused() {
    for scheme in ["rtmpt", "rtmpte", "rtmpts"] {
        let url = format!("{scheme}://127.0.0.1:9/live/key").parse().unwrap();
        let error = block_on(Player::connect(&url, patient(), None)).unwrap_err();
        assert!(matches!(error, Error::Tunnelled), "{scheme}: {error:?}");
        assert_eq!(error.retry(), Retry::Never);
    }
}

/// What attempts come to, in order, and where they went. When there are no more, they are refused.
#[derive(Clone, Default)]
struct Network {
    outcomes: Arc<Mutex<VecDeque<io::Result<Pipe>>>>,
    dialled: Arc<Mutex<Vec<String>>>,
}

impl Network {
    /// The next attempt gets through to the returned end.
    fn accepts(&self) -> Pipe {
        let (ours, theirs) = pipe(1 << 20);
        self.outcomes.lock().unwrap().push_back(Ok(ours));
        theirs
    }

    /// The next attempt is refused.
    fn refuses(&self) {
        let refused = Err(ErrorKind::ConnectionRefused.into());
        self.outcomes.lock().unwrap().push_back(refused);
    }

    /// A publisher that does not wait between attempts.
    fn publisher(&self) -> ReconnectingPublisher {
        let network = self.clone();
        let dialler = move |url: RtmpUrl| {
            network.dialled.lock().unwrap().push(url.tc_url());
            let outcome = network.outcomes.lock().unwrap().pop_front();
            async move {
                let io = outcome.unwrap_or_else(|| Err(ErrorKind::ConnectionRefused.into()))?;
                Ok::<BoxedTransport, Error>(Box::new(io))
            }
        };
        let mut config = ReconnectConfig::default();
        config.backoff.initial = Duration::ZERO;
        ReconnectingPublisher::with_dialler(url(), patient(), config, dialler)
    }
}

async fn send(publisher: &mut ReconnectingPublisher, frames: &[Frame]) {
    for frame in frames {
        publisher.send(frame).await;
    }
}

/// The events up to the connection of this number.
async fn until_connected(publisher: &mut ReconnectingPublisher, number: u64) -> Vec<String> {
    let mut events = Vec::new();
    loop {
        let event = publisher.next_event().await.expect("it goes on");
        events.push(name(&event));
        if matches!(event, PublisherEvent::Connected { connection } if connection == number) {
            return events;
        }
    }
}

async fn flush(publisher: &mut ReconnectingPublisher) {
    publisher.flush().await.expect("nothing happens");
}

fn name(event: &PublisherEvent) -> String {
    match event {
        PublisherEvent::Connected { connection } => format!("connected {connection}"),
        PublisherEvent::Reconnecting { attempt, .. } => format!("attempt {attempt}"),
        PublisherEvent::Moving { to } => format!("moving to {}", to.tc_url()),
        other => panic!("{other:?}"),
    }
}

async fn listen() -> (Listener, RtmpUrl) {
    let listener = Listener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let url = format!("rtmp://127.0.0.1:{port}/live/key").parse();
    (listener, url.unwrap())
}

async fn established(listener: &Listener) -> BoxedTransport {
    let (incoming, _) = listener.accept().await.unwrap();
    incoming.establish().await.unwrap()
}

/// A server that has accepted everything up to a stream.
async fn accepted(io: impl Into<Io>) -> Connection<BoxedTransport, Server> {
    let mut server = Connection::new(io.into().0, patient()).unwrap();
    loop {
        let now = server.now();
        match server.next_event().await.unwrap() {
            ServerEvent::Connect(request) => server.session().accept(now, request).unwrap(),
            ServerEvent::Publish(request) => {
                server.session().accept(now, request).unwrap();
                return server;
            }
            ServerEvent::Play(request) => {
                server.session().accept(now, request).unwrap();
                return server;
            }
            _ => {}
        }
    }
}

/// Either kind of transport.
struct Io(BoxedTransport);

impl From<Pipe> for Io {
    fn from(pipe: Pipe) -> Self {
        Self(Box::new(pipe))
    }
}

impl From<BoxedTransport> for Io {
    fn from(io: BoxedTransport) -> Self {
        Self(io)
    }
}

/// The first `count` frames of a publisher, or those until its end; then the connection is cut.
async fn take(io: impl Into<Io>, count: usize) -> Vec<Frame> {
    some_frames(&mut accepted(io).await, count).await
}

async fn some_frames(server: &mut Connection<BoxedTransport, Server>, count: usize) -> Vec<Frame> {
    let mut frames = Vec::new();
    while frames.len() < count {
        match server.next_event().await.unwrap() {
            ServerEvent::Frame { frame, .. } => frames.push(frame),
            ServerEvent::Closed(_) => break,
            _ => {}
        }
    }
    frames
}

async fn deny(io: Pipe, code: StatusCode) {
    let mut server: Connection<_, Server> = Connection::new(io, patient()).unwrap();
    loop {
        let now = server.now();
        match server.next_event().await.unwrap() {
            ServerEvent::Connect(request) => server.session().accept(now, request).unwrap(),
            ServerEvent::Publish(request) => {
                let status = Status::error(code.clone(), "no");
                server.session().reject(now, request, status).unwrap();
            }
            ServerEvent::Closed(_) => return,
            _ => {}
        }
    }
}

fn ask_to_move(server: &mut Connection<BoxedTransport, Server>, tc_url: &str) {
    let status = Status::new(StatusCode::CONNECT_RECONNECT_REQUEST, "").with("tcUrl", tc_url);
    let control = MessageStreamId::CONTROL;
    server.session().send_status(control, &status).unwrap();
}

fn url() -> RtmpUrl {
    "rtmp://host/live/key".parse().unwrap()
}

/// Headers, then `count` frames: a key frame each tenth, sound in between.
fn stream(count: u32) -> Vec<Frame> {
    let mut frames = vec![frame(0, METADATA), frame(0, CONFIG)];
    frames.extend((0..count).map(|n| match (n % 10, n % 20) {
        (0, _) => frame(n * 100, KEY),
        (5, 5) => frame(n * 100, AUDIO),
        _ => frame(n * 100, INTER),
    }));
    frames
}

fn frame(millis: u32, payload: &'static [u8]) -> Frame {
    let timestamp = Timestamp::from_millis(millis);
    let bytes = Bytes::from_static(payload);
    match payload.first().copied().unwrap_or_default() {
        0x02 => Frame::data(timestamp, bytes),
        0xAF => Frame::audio(timestamp, bytes),
        _ => Frame::video(timestamp, bytes),
    }
}

fn long_frames() -> Vec<Frame> {
    let mut payload = KEY.to_vec();
    payload.resize(20_000, 0xAB);
    let payload = Bytes::from(payload);
    let long = |n| Frame::video(Timestamp::from_millis(n), payload.clone());
    (0..150).map(long).collect()
}

fn payloads(frames: &[Frame]) -> Vec<&[u8]> {
    frames.iter().map(|frame| &frame.payload[..]).collect()
}

const ONE: MessageStreamId = MessageStreamId::new(1);

const METADATA: &[u8] = b"\x02\x00\x0AonMetaData\x08\0\0\0\0\0\0\x09";
const CONFIG: &[u8] = &[0x17, 0, 0, 0, 0, 1];
const KEY: &[u8] = &[0x17, 1, 0, 0, 0, 2];
const INTER: &[u8] = &[0x27, 1, 0, 0, 0, 3];
const AUDIO: &[u8] = &[0xAF, 1, 4];
