//! A publisher whose connections end, in simulated time.

mod common;

use std::{
    collections::VecDeque,
    io::{self, ErrorKind},
    sync::{Arc, Mutex},
    time::Duration,
};

use bytes::Bytes;
use common::{ONE, answer, frames, key_frame, once, serve, server, url};
use rtmp_proto::{
    CloseReason, MessageStreamId, PublisherState, ReconnectConfig, RtmpUrl, ServerEvent, Status,
    StatusCode, Timestamp, flv::Frame,
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

#[tokio::test(start_paused = true)]
async fn a_denial_is_final() {
    let network = Network::default();
    let serving = deny(network.accepts(), StatusCode::PUBLISH_DENIED);
    let (events, ()) = tokio::join!(publish(network.publisher(), stream(60)), serving);
    assert_eq!(
        events,
        ["gave up: rejected by the peer: NetStream.Publish.Denied (no)"]
    );
    assert_eq!(network.dialled().len(), 1);
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

#[tokio::test(start_paused = true)]
async fn a_reconnect_request_moves_at_a_key_frame_and_loses_nothing() {
    let network = Network::default();
    let (first, second) = (network.accepts(), network.accepts());
    let serving = async {
        let mut server = server(first);
        let mut events = Vec::new();
        while frames(&events).len() < 2 + 15 {
            let event = server.next_event().await.unwrap();
            events.extend(answer(&mut server, event));
        }
        let request = Status::new(StatusCode::CONNECT_RECONNECT_REQUEST, "update")
            .with("tcUrl", "//other/live2");
        let control = MessageStreamId::CONTROL;
        server.session().send_status(control, &request).unwrap();
        events.extend(serve(&mut server).await);
        events
    };
    let all = stream(4);
    let mut other = server(second);
    let (events, first, second) = tokio::join!(
        publish(network.publisher(), all.clone()),
        serving,
        serve(&mut other),
    );
    assert_eq!(
        events,
        ["connected 1", "moving to rtmp://other/live2", "connected 2"]
    );
    assert_eq!(
        network.dialled(),
        ["rtmp://host/live", "rtmp://other/live2"]
    );
    let (first_frames, second_frames) = (frames(&first), frames(&second));
    assert!(matches!(
        first.as_slice(),
        [
            ..,
            ServerEvent::PublishStopped { .. },
            _,
            ServerEvent::Closed(_)
        ] | [
            ..,
            ServerEvent::PublishStopped { .. },
            ServerEvent::Closed(_)
        ]
    ));
    assert_eq!(payloads(&second_frames[..2]), [METADATA, CONFIG]);
    assert!(second_frames[2].is_key_frame());
    let both = [&first_frames[..], &second_frames[2..]].concat();
    assert_eq!(both, all);
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

/// A certificate that nobody vouches for does not get better.
#[cfg(feature = "rustls")]
#[tokio::test]
async fn a_refused_certificate_is_final() {
    use rtmp_tokio::{
        Listener,
        tls::{Acceptor, Connector},
    };

    let made = |name: &str| {
        let certified = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
        let path = std::path::Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
        let (certificate, key) = (path.with_extension("crt"), path.with_extension("key"));
        std::fs::write(&certificate, certified.cert.pem()).unwrap();
        std::fs::write(&key, certified.signing_key.serialize_pem()).unwrap();
        (certificate, key)
    };
    let (certificate, key) = made("reconnect-server");
    let (other, _) = made("reconnect-other");
    let acceptor = Acceptor::new(&certificate, &key).unwrap();
    let listener = Listener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let listener = listener.with_tls(acceptor);
    let url = format!("rtmps://localhost:{port}/live/key");
    let mut publisher = ReconnectingPublisher::new(
        url.parse().unwrap(),
        Arc::default(),
        Some(Connector::new(Some(&other)).unwrap()),
        ReconnectConfig::default(),
    );
    let serving = async { listener.accept().await.unwrap().0.establish().await.err() };
    let (event, refused) = tokio::join!(publisher.next_event(), serving);
    assert!(matches!(event, Some(PublisherEvent::GaveUp(Error::Tls(_)))));
    assert!(refused.is_some());
    assert_eq!(publisher.state(), PublisherState::GaveUp);
    assert!(publisher.next_event().await.is_none());
}

/// Without video there is no key frame to wait for.
#[tokio::test(start_paused = true)]
async fn sound_alone_moves_at_once() {
    let network = Network::default();
    let (first, second) = (network.accepts(), network.accepts());
    let serving = async {
        let mut server = server(first);
        let mut events = Vec::new();
        while frames(&events).len() < 5 {
            let event = server.next_event().await.unwrap();
            events.extend(answer(&mut server, event));
        }
        let request = Status::new(StatusCode::CONNECT_RECONNECT_REQUEST, "update");
        let control = MessageStreamId::CONTROL;
        server.session().send_status(control, &request).unwrap();
        events.extend(serve(&mut server).await);
        frames(&events)
    };
    let all: Vec<_> = (0..20).map(|n| frame(n * 100, AUDIO)).collect();
    let mut same = server(second);
    let (events, before, after) = tokio::join!(
        publish(network.publisher(), all.clone()),
        serving,
        serve(&mut same),
    );
    assert_eq!(
        events,
        ["connected 1", "moving to rtmp://host/live", "connected 2"]
    );
    assert_eq!(before, all[..5]);
    assert_eq!(frames(&after), all[5..]);
}
