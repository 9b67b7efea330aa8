//! A publisher whose connections end, in simulated time.

mod common;

use std::{
    collections::VecDeque,
    io::{self, ErrorKind},
    sync::{Arc, Mutex},
    time::Duration,
};

use bytes::Bytes;
use common::{ONE, answer, frames, key_frame, serve, server, url};
use rtmp_conformance::once;
use rtmp_proto::{
    CloseReason, PublisherState, ReconnectConfig, RtmpUrl, ServerEvent, Status, StatusCode,
    Timestamp, flv::Frame,
};
use rtmp_tokio::{BoxedTransport, Error, PublisherEvent, ReconnectingPublisher};
use tokio::{
    io::{DuplexStream, duplex},
    time::{Instant, sleep},
};

/// What attempts come to, in order, and where they went. When there are no more, they are refused.
#[derive(Clone, Default)]
struct Network {
    outcomes: Arc<Mutex<VecDeque<io::Result<DuplexStream>>>>,
    dialled: Arc<Mutex<Vec<String>>>,
}

impl Network {
    /// The next attempt gets through to the returned end.
    fn accepts(&self) -> DuplexStream {
        let (ours, theirs) = duplex(1 << 20);
        self.outcomes.lock().unwrap().push_back(Ok(ours));
        theirs
    }

    /// The next attempt is refused.
    fn refuses(&self) {
        let refused = Err(ErrorKind::ConnectionRefused.into());
        self.outcomes.lock().unwrap().push_back(refused);
    }

    fn dialled(&self) -> Vec<String> {
        self.dialled.lock().unwrap().clone()
    }

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
        let config = ReconnectConfig::default();
        ReconnectingPublisher::with_dialler(url(), Arc::default(), config, dialler)
    }
}

fn frame(millis: u32, payload: &'static [u8]) -> Frame {
    let timestamp = Timestamp::from_millis(millis);
    match payload.first().copied().unwrap_or_default() {
        0x02 => Frame::data(timestamp, Bytes::from_static(payload)),
        0xAF => Frame::audio(timestamp, Bytes::from_static(payload)),
        _ => Frame::video(timestamp, Bytes::from_static(payload)),
    }
}

const METADATA: &[u8] = b"\x02\x00\x0AonMetaData\x08\0\0\0\0\0\0\x09";
const CONFIG: &[u8] = &[0x17, 0, 0, 0, 0, 1];
const KEY: &[u8] = &[0x17, 1, 0, 0, 0, 2];
const INTER: &[u8] = &[0x27, 1, 0, 0, 0, 3];
const AUDIO: &[u8] = &[0xAF, 1, 4];

/// A frame every 100 ms: a key frame every second, sound in between.
fn stream(seconds: u32) -> Vec<Frame> {
    let mut frames = vec![frame(0, METADATA), frame(0, CONFIG)];
    for n in 0..seconds * 10 {
        frames.push(match (n % 10, n % 2) {
            (0, _) => frame(n * 100, KEY),
            (_, 0) => frame(n * 100, INTER),
            _ => frame(n * 100, AUDIO),
        });
    }
    frames
}

/// Sends `frames` when they are due, then ends the stream; every event as its name. Stops early when
/// it gives up.
async fn publish(mut publisher: ReconnectingPublisher, frames: Vec<Frame>) -> Vec<String> {
    let began = Instant::now();
    let mut events = Vec::new();
    for frame in frames {
        let due = began + Duration::from_millis(frame.timestamp.as_millis().into());
        loop {
            tokio::select! {
                event = publisher.next_event() => match event {
                    Some(event) => events.push(name(&event)),
                    None => return events,
                },
                () = tokio::time::sleep_until(due) => break,
            }
        }
        assert!(once(publisher.send(&frame)).await.is_some());
    }
    loop {
        match publisher.flush().await {
            Ok(()) => break,
            Err(Some(event)) => events.push(name(&event)),
            Err(None) => return events,
        }
    }
    publisher.finish().await.unwrap();
    events
}

fn name(event: &PublisherEvent) -> String {
    match event {
        PublisherEvent::Connected { connection } => format!("connected {connection}"),
        PublisherEvent::Reconnecting { attempt, .. } => format!("attempt {attempt}"),
        PublisherEvent::Moving { to } => format!("moving to {}", to.tc_url()),
        PublisherEvent::NotMoving(error) => format!("not moving: {error}"),
        PublisherEvent::GaveUp(error) => format!("gave up: {error}"),
        other => panic!("{other:?}"),
    }
}

/// Serves until the first `count` frames have come, then cuts the connection.
async fn serve_some(io: DuplexStream, count: usize) -> Vec<Frame> {
    let mut server = server(io);
    let mut events = Vec::new();
    while frames(&events).len() < count {
        let event = server.next_event().await.unwrap();
        events.extend(answer(&mut server, event));
    }
    frames(&events)
}

async fn deny(io: DuplexStream, code: StatusCode) {
    let mut server = server(io);
    loop {
        match server.next_event().await.unwrap() {
            ServerEvent::Publish(request) => {
                let now = server.now();
                let status = Status::error(code.clone(), "no");
                server.session().reject(now, request, status).unwrap();
            }
            ServerEvent::Closed(_) => return,
            event => drop(answer(&mut server, event)),
        }
    }
}

fn payloads(frames: &[Frame]) -> Vec<&[u8]> {
    frames.iter().map(|frame| &frame.payload[..]).collect()
}

#[tokio::test(start_paused = true)]
async fn a_lost_connection_is_resumed_with_headers_and_a_key_frame() {
    let network = Network::default();
    let first = network.accepts();
    network.refuses();
    let second = network.accepts();
    let serving = async {
        let before = serve_some(first, 2 + 13).await;
        (before, frames(&serve(&mut server(second)).await))
    };
    let all = stream(5);
    let publishing = publish(network.publisher(), all.clone());
    let (events, (before, after)) = tokio::join!(publishing, serving);
    assert_eq!(
        events,
        ["connected 1", "attempt 1", "attempt 2", "connected 2"]
    );
    assert_eq!(before, all[..15]);
    assert_eq!(payloads(&after[..2]), [METADATA, CONFIG]);
    let video = after[2..].iter().find(|frame| frame.is_video()).unwrap();
    assert!(video.is_key_frame());
    // What waited is not lost: sound from the cut on, video from the next key frame on.
    let expected: Vec<_> = all[15..]
        .iter()
        .filter(|frame| frame.is_audio() || frame.timestamp.as_millis() >= 2000)
        .cloned()
        .collect();
    assert!(after[2..].ends_with(&expected[1..]), "{after:?}");
}

/// The server has not noticed yet that the connection before is dead.
#[tokio::test(start_paused = true)]
async fn a_name_in_use_is_asked_for_a_few_times() {
    let network = Network::default();
    let dialled = Arc::clone(&network.dialled);
    let dialler = move |url: RtmpUrl| {
        dialled.lock().unwrap().push(url.tc_url());
        let (ours, theirs) = duplex(1 << 20);
        tokio::spawn(deny(theirs, StatusCode::PUBLISH_BAD_NAME));
        async { Ok::<BoxedTransport, Error>(Box::new(ours)) }
    };
    let config = ReconnectConfig::default();
    let publisher = ReconnectingPublisher::with_dialler(url(), Arc::default(), config, dialler);
    let events = publish(publisher, stream(200)).await;
    assert_eq!(network.dialled().len(), 9);
    assert!(
        events.last().unwrap().starts_with("gave up: "),
        "{events:?}"
    );
}

/// Nobody is there for a minute; every `send` is ready at once, and memory stays bounded.
#[tokio::test(start_paused = true)]
async fn an_outage_does_not_hold_up_the_sender() {
    let network = Network::default();
    let mut publisher = network.publisher();
    let mut attempts = 0;
    for millis in (0..60_000).step_by(40) {
        let frame = key_frame(millis, 10_000);
        assert!(once(publisher.send(&frame)).await.is_some());
        tokio::select! {
            event = publisher.next_event() => match event {
                Some(PublisherEvent::Reconnecting { .. }) => attempts += 1,
                other => panic!("{other:?}"),
            },
            () = sleep(Duration::from_millis(40)) => {}
        }
    }
    assert!((5..20).contains(&attempts), "{attempts}");
    assert!(publisher.dropped().video > 1000);
    assert_eq!(publisher.state(), PublisherState::Waiting);
    // And then somebody is.
    let mut server = server(network.accepts());
    let publishing = async {
        while publisher.state() != PublisherState::Connected {
            let _ = publisher.next_event().await;
        }
        while publisher.flush().await.is_err() {}
        publisher.finish().await.unwrap();
    };
    let ((), events) = tokio::join!(publishing, serve(&mut server));
    let late = frames(&events);
    assert!(!late.is_empty() && late.len() <= 251, "{}", late.len());
    assert_eq!(late.last().unwrap().timestamp.as_millis(), 59_960);
}

/// A peer that accepts the stream and then takes nothing.
#[tokio::test(start_paused = true)]
async fn a_stalled_server_is_left() {
    let network = Network::default();
    let (ours, theirs) = duplex(1000);
    network.outcomes.lock().unwrap().push_back(Ok(ours));
    let mut stalled = server(theirs);
    let mut publisher = network.publisher();
    while publisher.state() != PublisherState::Connected {
        tokio::select! {
            _ = publisher.next_event() => {}
            event = stalled.next_event() => drop(answer(&mut stalled, event.unwrap())),
        }
    }
    for millis in 0..100 {
        assert!(
            once(publisher.send(&key_frame(millis, 50_000)))
                .await
                .is_some()
        );
    }
    let why = loop {
        if let PublisherEvent::Reconnecting { why, .. } = publisher.next_event().await.unwrap() {
            break why;
        }
    };
    assert!(
        matches!(why, Error::Closed(CloseReason::Timeout(_))),
        "{why}"
    );
    let mut next = server(network.accepts());
    let publishing = async {
        while publisher.flush().await.is_err() {}
        publisher.finish().await.unwrap();
    };
    let ((), events) = tokio::join!(publishing, serve(&mut next));
    assert!(frames(&events).iter().all(Frame::is_key_frame));
    assert!(matches!(
        events.iter().find(|event| matches!(event, ServerEvent::Frame { .. })),
        Some(ServerEvent::Frame { stream, .. }) if *stream == ONE
    ));
}

/// A proxy that never answers has as long as any other way to a server.
#[tokio::test(start_paused = true)]
async fn a_dialler_that_never_ends_is_cut_off() {
    let config = ReconnectConfig::default();
    let never = |_| std::future::pending::<Result<BoxedTransport, Error>>();
    let mut publisher = ReconnectingPublisher::with_dialler(url(), Arc::default(), config, never);
    let start = Instant::now();
    let event = publisher.next_event().await;
    let Some(PublisherEvent::Reconnecting { why, .. }) = event else {
        panic!("it tries again: {event:?}");
    };
    assert!(matches!(why, Error::ConnectTimeout { .. }), "{why}");
    assert_eq!(start.elapsed(), Duration::from_secs(10));
}
