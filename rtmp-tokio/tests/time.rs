//! Deadlines under a paused clock, and peers that are slow, silent or never stop.

mod common;

use std::{io::ErrorKind, sync::Arc, time::Duration};

use common::{
    Faults, Faulty, Mode, ONE, answer, client, end, frames, key_frame, serve, server, started, url,
};
use rtmp_conformance::{apart, once};
use rtmp_proto::{
    ClientConfig, ClientEvent, CloseReason, ConnectParams, ServerConfig, ServerEvent, Timeout,
    Timestamp, UserControl, amf::Value, message::Metadata,
};
use rtmp_tokio::{Error, Publisher};
use tokio::{
    io::{AsyncWriteExt, duplex},
    time::{Instant, advance, sleep},
};

const LINGER: Duration = Duration::from_secs(5);

fn no_pings() -> ServerConfig {
    let mut config = ServerConfig::default();
    config.connection.ping_interval = None;
    config
}

/// The peer neither speaks nor closes: the deadline, then the time its closing is waited for.
#[tokio::test(start_paused = true)]
async fn handshake() {
    let start = Instant::now();
    let (_peer, b) = duplex(64);
    let reason = end(&mut server(b)).await;
    assert_eq!(reason, CloseReason::Timeout(Timeout::Handshake));
    assert_eq!(start.elapsed(), Duration::from_secs(10) + LINGER);
}

#[tokio::test(start_paused = true)]
async fn connect_and_request() {
    for (is_connecting, timeout, seconds) in
        [(false, Timeout::Connect, 10), (true, Timeout::Request, 20)]
    {
        let start = Instant::now();
        let (a, b) = duplex(64);
        let (mut client, mut server) = (client(a), server(b));
        if is_connecting {
            let now = client.now();
            let params = ConnectParams::player(&url());
            client.session().connect(now, params).unwrap();
        }
        let connecting = async { while client.next_event().await.is_ok() {} };
        let ((), events) = apart(connecting, serve(&mut server)).await;
        let reason = CloseReason::Timeout(timeout);
        assert!(matches!(events.last(), Some(ServerEvent::Closed(last)) if *last == reason));
        assert_eq!(start.elapsed(), Duration::from_secs(seconds));
    }
}

/// A publisher that sends nothing but what says that it will.
#[tokio::test(start_paused = true)]
async fn first_media() {
    let (a, b) = duplex(4096);
    let (mut client, mut server) = started(a, b, ServerConfig::default(), false).await;
    let start = Instant::now();
    let metadata = Metadata::new().to_frame(Timestamp::ZERO);
    client.session().send_frame(ONE, &metadata).unwrap();
    client.flush().await.unwrap();
    let event = server.next_event().await.unwrap();
    assert!(matches!(event, ServerEvent::Frame { .. }), "{event:?}");
    let reason = end(&mut server).await;
    assert_eq!(reason, CloseReason::Timeout(Timeout::FirstMedia));
    assert_eq!(start.elapsed(), Duration::from_secs(20) + LINGER);
}

/// The deadline moves with what arrives: 29 s of silence are forgiven each time, 30 are not.
#[tokio::test(start_paused = true)]
async fn idle() {
    let (a, b) = duplex(4096);
    let publishing = async {
        let config = Arc::new(ClientConfig::default());
        let mut publisher = Publisher::over(a, &url(), config).await.unwrap();
        for n in 0..3 {
            publisher.send(&key_frame(n, 50)).await.unwrap();
            sleep(Duration::from_secs(29)).await;
        }
        publisher.send(&key_frame(3, 50)).await.unwrap();
        let last_sent = Instant::now();
        let error = publisher.ended().await;
        assert!(matches!(
            error,
            Error::Closed(CloseReason::EndOfInput { .. })
        ));
        assert_eq!(last_sent.elapsed(), Duration::from_secs(30));
    };
    let mut server = server(b);
    let ((), events) = apart(publishing, serve(&mut server)).await;
    assert_eq!(frames(&events).len(), 4);
    let reason = CloseReason::Timeout(Timeout::Idle);
    assert!(matches!(events.last(), Some(ServerEvent::Closed(last)) if *last == reason));
}

/// An application that is late does not make the peer late.
#[tokio::test(start_paused = true)]
async fn what_has_arrived_is_not_late() {
    let (a, b) = duplex(4096);
    let (mut client, mut server) = started(a, b, ServerConfig::default(), false).await;
    client.session().send_frame(ONE, &key_frame(0, 50)).unwrap();
    client.flush().await.unwrap();
    advance(Duration::from_secs(40)).await;
    let event = server.next_event().await.unwrap();
    assert!(matches!(event, ServerEvent::Frame { .. }), "{event:?}");
    let start = Instant::now();
    let reason = end(&mut server).await;
    assert_eq!(reason, CloseReason::Timeout(Timeout::Idle));
    assert_eq!(start.elapsed(), Duration::from_secs(30) + LINGER);
}

/// The peer takes everything and says nothing.
#[tokio::test(start_paused = true)]
async fn ping() {
    let (a, b) = duplex(4096);
    let (_client, mut server) = started(a, b, ServerConfig::default(), true).await;
    let start = Instant::now();
    let reason = end(&mut server).await;
    assert_eq!(reason, CloseReason::Timeout(Timeout::Ping));
    assert_eq!(start.elapsed(), Duration::from_secs(120) + LINGER);
}

/// A player that reads nothing is given up; `flush` tells too.
#[tokio::test(start_paused = true)]
async fn stall() {
    let (a, b) = duplex(4096);
    let (_client, mut server) = started(a, b, no_pings(), true).await;
    let start = Instant::now();
    server
        .session()
        .send_frame(ONE, &key_frame(0, 50_000))
        .unwrap();
    let stalled = CloseReason::Timeout(Timeout::WriteStall);
    let flushed = server.flush().await;
    assert!(matches!(flushed, Err(Error::Closed(reason)) if reason == stalled));
    assert_eq!(end(&mut server).await, stalled);
    let took = start.elapsed().as_secs();
    assert!((10..=20).contains(&took), "{took} s");
}

/// What the session itself has to say may begin to stall while nothing else is under way.
#[tokio::test(start_paused = true)]
async fn stall_of_a_reply() {
    let (a, b) = duplex(4096);
    let (b, faults) = Faulty::new(b, Faults::default());
    let (mut client, mut server) = started(a, b, no_pings(), true).await;
    sleep(Duration::from_secs(100)).await;
    faults.borrow_mut().write = Mode::Blocks;
    let ping = UserControl::PingRequest(7);
    client.session().send_user_control(&ping).unwrap();
    client.flush().await.unwrap();
    let start = Instant::now();
    let (reason, ()) = apart(end(&mut server), async {}).await;
    assert_eq!(reason, CloseReason::Timeout(Timeout::WriteStall));
    let took = start.elapsed().as_secs();
    assert!((10..=20).contains(&took), "{took} s");
}

/// A player that reads slowly gets everything and is not given up.
#[tokio::test(start_paused = true)]
async fn slow_reader() {
    let (a, b) = duplex(1000);
    let (mut client, mut server) = started(a, b, ServerConfig::default(), true).await;
    for n in 0..50 {
        server
            .session()
            .send_frame(ONE, &key_frame(n, 1000))
            .unwrap();
    }
    let start = Instant::now();
    let playing = async {
        let mut count = 0;
        while count < 50 {
            let event = client.next_event().await.unwrap();
            count += u32::from(matches!(event, ClientEvent::Frame { .. }));
            sleep(Duration::from_secs(4)).await;
        }
    };
    let (flushed, ()) = apart(server.flush(), playing).await;
    flushed.unwrap();
    assert!(start.elapsed() > Duration::from_secs(100));
    assert!(!server.session().is_closed());
}

/// Input that was read before the queue filled up is used as soon as it has drained.
#[tokio::test(start_paused = true)]
async fn leftover_input_after_a_full_queue() {
    let (a, b) = duplex(8 << 20);
    let (mut client, mut server) = started(a, b, ServerConfig::default(), true).await;
    client.session().call("one", Value::Null, []).unwrap();
    client.session().call("two", Value::Null, []).unwrap();
    client.flush().await.unwrap();
    let start = Instant::now();
    let serving = async {
        let first = server.next_event().await;
        assert!(matches!(first, Ok(ServerEvent::Call(_))), "{first:?}");
        for n in 0..4 {
            let frame = key_frame(n, 1 << 20);
            server.session().send_frame(ONE, &frame).unwrap();
        }
        assert!(!server.session().wants_read());
        let second = server.next_event().await;
        assert!(matches!(second, Ok(ServerEvent::Call(_))), "{second:?}");
        server.close().await.unwrap();
    };
    let playing = async { while client.next_event().await.is_ok() {} };
    apart(serving, playing).await;
    assert_eq!(start.elapsed(), Duration::ZERO, "no timer had to help");
}

/// Reading is always possible, yet answers are written meanwhile.
#[tokio::test(start_paused = true)]
async fn endless_input_does_not_starve_writes() {
    let (a, b) = duplex(1 << 20);
    let (b, faults) = Faulty::new(b, Faults::default());
    let (mut client, mut server) = started(a, b, ServerConfig::default(), false).await;
    for n in 0..100 {
        client
            .session()
            .send_frame(ONE, &key_frame(n, 1000))
            .unwrap();
    }
    client.flush().await.unwrap();
    faults.borrow_mut().read_len = 300;
    server.session().call("hello", Value::Null, []).unwrap();
    for _ in 0..2 {
        let event = server.next_event().await.unwrap();
        assert!(matches!(event, ServerEvent::Frame { .. }), "{event:?}");
    }
    assert_eq!(server.session().queued_len(), 0);
}

/// Reading is always possible, yet deadlines hold.
#[tokio::test(start_paused = true)]
async fn endless_input_does_not_starve_timers() {
    let (a, b) = duplex(1 << 20);
    let (b, faults) = Faulty::new(b, Faults::default());
    let (mut client, mut server) = started(a, b, ServerConfig::default(), false).await;
    for n in 0..100 {
        client
            .session()
            .send_frame(ONE, &key_frame(n, 1000))
            .unwrap();
    }
    client.flush().await.unwrap();
    faults.borrow_mut().read_len = 300;
    faults.borrow_mut().write = Mode::Blocks;
    server.session().call("hello", Value::Null, []).unwrap();
    let mut count = 0;
    while let ServerEvent::Frame { .. } = server.next_event().await.unwrap() {
        count += 1;
        advance(Duration::from_secs(1)).await;
    }
    assert!((9..=16).contains(&count), "{count} frames");
    let stalled = CloseReason::Timeout(Timeout::WriteStall);
    assert_eq!(server.session().close_reason(), Some(&stalled));
}

/// Nothing moves, so nothing is tried: the task is woken by deadlines only.
#[tokio::test(start_paused = true)]
async fn waiting_is_not_spinning() {
    let (a, b) = duplex(1 << 20);
    let (b, faults) = Faulty::new(b, Faults::default());
    let (_client, mut server) = started(a, b, no_pings(), true).await;
    let before = (faults.borrow().reads, faults.borrow().writes);
    tokio::select! {
        event = server.next_event() => panic!("{event:?}"),
        () = sleep(Duration::from_secs(3600)) => {}
    }
    assert_eq!((faults.borrow().reads, faults.borrow().writes), before);
    faults.borrow_mut().write = Mode::Fails;
    server.session().call("hello", Value::Null, []).unwrap();
    let failure = server.next_event().await;
    assert!(matches!(failure, Err(Error::Io(_))));
    assert_eq!(
        faults.borrow().writes,
        before.1 + 1,
        "a failed write is not repeated"
    );
}

/// The peer never closes: what it sent before is waited for, then the failure is told.
#[tokio::test(start_paused = true)]
async fn failing_writes() {
    for (mode, kind) in [
        (Mode::Fails, ErrorKind::BrokenPipe),
        (Mode::Zero, ErrorKind::WriteZero),
    ] {
        let (a, b) = duplex(1 << 20);
        let (b, faults) = Faulty::new(b, Faults::default());
        let (mut client, mut server) = started(a, b, ServerConfig::default(), false).await;
        client.session().send_frame(ONE, &key_frame(0, 50)).unwrap();
        client.flush().await.unwrap();
        faults.borrow_mut().write = mode;
        server.session().call("hello", Value::Null, []).unwrap();

        let flushed = server.flush().await;
        assert!(matches!(flushed, Err(Error::Io(error)) if error.kind() == kind));
        let event = server.next_event().await.unwrap();
        assert!(matches!(event, ServerEvent::Frame { .. }), "{event:?}");
        let start = Instant::now();
        let failure = server.next_event().await;
        assert!(matches!(failure, Err(Error::Io(error)) if error.kind() == kind));
        assert_eq!(start.elapsed(), LINGER);
        let ended = server.next_event().await;
        assert!(matches!(ended, Err(Error::Closed(_))));
    }
}

/// A transport with a buffer of its own, as TLS: its failure counts, and `flush` waits for it.
#[tokio::test(start_paused = true)]
async fn flushing_the_transport() {
    let (a, b) = duplex(1 << 20);
    let (b, faults) = Faulty::new(b, Faults::default());
    let (_client, mut server) = started(a, b, no_pings(), true).await;
    faults.borrow_mut().flush = Mode::Blocks;
    server.session().call("hello", Value::Null, []).unwrap();
    assert!(once(server.flush()).await.is_none());
    assert_eq!(server.session().queued_len(), 0);
    assert!(once(server.flush_to(1)).await.is_some());
    faults.borrow_mut().flush = Mode::Fails;
    assert!(matches!(server.flush().await, Err(Error::Io(_))));
    assert!(matches!(server.next_event().await, Err(Error::Io(_))));
}

/// Headers and payloads leave together.
#[tokio::test(start_paused = true)]
async fn writes_are_vectored() {
    let (a, b) = duplex(1 << 20);
    let (b, faults) = Faulty::new(b, Faults::default());
    let (_client, mut server) = started(a, b, ServerConfig::default(), true).await;
    let before = faults.borrow().writes;
    for n in 0..20 {
        server
            .session()
            .send_frame(ONE, &key_frame(n, 5000))
            .unwrap();
    }
    server.flush().await.unwrap();
    let faults = faults.borrow();
    assert_eq!((faults.writes - before, faults.vectored), (1, 1));
}

/// The peer takes nothing, or takes it and goes on and on: closing is bounded.
#[tokio::test(start_paused = true)]
async fn closing_is_bounded() {
    let (a, b) = duplex(4096);
    let (_client, mut server) = started(a, b, ServerConfig::default(), true).await;
    server
        .session()
        .send_frame(ONE, &key_frame(0, 50_000))
        .unwrap();
    let start = Instant::now();
    let closed = server.close().await;
    assert!(matches!(closed, Err(Error::Io(error)) if error.kind() == ErrorKind::TimedOut));
    assert_eq!(start.elapsed(), LINGER);

    let (mut a, b) = duplex(4096);
    let mut server = common::server(b);
    let start = Instant::now();
    let endless = async {
        while a.write_all(&[3; 100]).await.is_ok() {
            sleep(Duration::from_millis(10)).await;
        }
    };
    tokio::select! {
        () = endless => panic!("the pipe stays open"),
        closed = server.close() => closed.unwrap(),
    }
    assert_eq!(start.elapsed(), LINGER);
}

/// Two sides that both have much to say while they close: each takes the other's bytes.
#[tokio::test(start_paused = true)]
async fn both_close_at_once() {
    let (a, b) = duplex(100);
    let (mut client, mut server) = started(a, b, ServerConfig::default(), true).await;
    let start = Instant::now();
    let long: Value = "x".repeat(5000).as_str().into();
    client.session().call("a", long.clone(), []).unwrap();
    server.session().call("b", long, []).unwrap();
    let (client, server) = apart(client.close(), server.close()).await;
    client.unwrap();
    server.unwrap();
    assert_eq!(start.elapsed(), Duration::ZERO);
}

/// While a request waits for its answer nothing is read, but output goes out.
#[tokio::test(start_paused = true)]
async fn a_request_that_waits() {
    let (a, b) = duplex(1 << 20);
    let (mut client, mut server) = (client(a), server(b));
    let now = client.now();
    client.session().publish_to(now, &url()).unwrap();
    let request = tokio::select! {
        () = async { while client.next_event().await.is_ok() {} } => panic!("the client waits"),
        request = async {
            loop {
                match server.next_event().await.unwrap() {
                    ServerEvent::Publish(request) => break request,
                    event => drop(answer(&mut server, event)),
                }
            }
        } => request,
    };
    tokio::select! {
        event = server.next_event() => panic!("{event:?}"),
        () = sleep(Duration::from_secs(15)) => {}
    }
    let now = server.now();
    server.session().accept(now, request).unwrap();
    let publishing = async {
        loop {
            if let ClientEvent::Publishing { .. } = client.next_event().await.unwrap() {
                return;
            }
        }
    };
    let (flushed, ()) = apart(server.flush(), publishing).await;
    flushed.unwrap();
}

/// The system accepts the connection, and nobody speaks TLS there.
#[cfg(feature = "rustls")]
#[tokio::test(start_paused = true)]
async fn dialling_a_silent_server() {
    let silent = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = silent.local_addr().unwrap().port();
    let url = format!("rtmps://127.0.0.1:{port}/live/key");
    let url = url.parse().unwrap();
    let directory = std::path::Path::new(env!("CARGO_TARGET_TMPDIR"));
    let (certificate, _) = rtmp_conformance::certificate(directory, "silent");
    let connector = rtmp_tokio::tls::Connector::new(Some(&certificate)).unwrap();
    let start = Instant::now();
    let late = Publisher::connect(&url, Arc::default(), Some(&connector)).await;
    let limit = Duration::from_secs(10);
    assert!(
        matches!(late, Err(Error::TlsTimeout { limit: told }) if told == limit),
        "{late:?}"
    );
    assert_eq!(start.elapsed().as_secs(), 10);
}
