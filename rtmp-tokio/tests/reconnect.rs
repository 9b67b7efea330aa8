//! A publisher whose connections end, in simulated time.

mod common;

use std::{
    collections::VecDeque,
    future,
    io::ErrorKind,
    sync::{Arc, Mutex},
    time::Duration,
};

use common::{ONE, answer, frames, key_frame, serve, server, url};
use rtmp_conformance::once;
use rtmp_proto::{
    CloseReason, PublisherState, ReconnectConfig, ServerConfig, ServerEvent, flv::Frame,
};
use rtmp_tokio::{BoxedTransport, Connection, Error, PublisherEvent, ReconnectingPublisher};
use tokio::{
    io::{DuplexStream, duplex},
    time::{Instant, sleep},
};

/// Where attempts get through, in order. When there are no more, they are refused.
#[derive(Clone, Default)]
struct Network(Arc<Mutex<VecDeque<DuplexStream>>>);

impl Network {
    /// The next attempt gets through to the returned end of a pipe of `len` bytes.
    fn accepts(&self, len: usize) -> DuplexStream {
        let (ours, theirs) = duplex(len);
        self.0.lock().unwrap().push_back(ours);
        theirs
    }

    fn publisher(&self) -> ReconnectingPublisher {
        let network = self.clone();
        let config = ReconnectConfig::default();
        ReconnectingPublisher::with_dialler(url(), Arc::default(), config, move |_| {
            let io = network.0.lock().unwrap().pop_front();
            let refused = Error::Io(ErrorKind::ConnectionRefused.into());
            future::ready(match io {
                Some(io) => Ok::<BoxedTransport, _>(Box::new(io)),
                None => Err(refused),
            })
        })
    }
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
    // And then somebody is, for longer than the longest wait.
    let mut config = ServerConfig::default();
    config.connection.limits.handshake_timeout = Duration::from_secs(60);
    let mut server = Connection::new(network.accepts(1 << 20), Arc::new(config)).unwrap();
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
    let mut stalled = server(network.accepts(1000));
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
    let mut next = server(network.accepts(1 << 20));
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
    let never = |_| future::pending::<Result<BoxedTransport, Error>>();
    let mut publisher = ReconnectingPublisher::with_dialler(url(), Arc::default(), config, never);
    let start = Instant::now();
    let event = publisher.next_event().await;
    let Some(PublisherEvent::Reconnecting { why, .. }) = event else {
        panic!("it tries again: {event:?}");
    };
    assert!(matches!(why, Error::ConnectTimeout { .. }), "{why}");
    assert_eq!(start.elapsed(), Duration::from_secs(10));
}
