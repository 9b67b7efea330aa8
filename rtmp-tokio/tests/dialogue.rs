//! Both roles over in-memory pipes, whole and in the smallest pieces.

mod common;

use std::{sync::Arc, time::Duration};

use common::{
    Faults, Faulty, ONE, answer, apart, client, end, frames, key_frame, next_event_cancelled, once,
    serve, server, started, url,
};
use rtmp_proto::{
    ClientConfig, ClientEvent, CloseReason, ServerConfig, ServerEvent, Status, StatusCode,
};
use rtmp_tokio::{Error, Player, Publisher};
use tokio::{
    io::{AsyncRead, AsyncWrite, duplex},
    time::Instant,
};

async fn publish(
    client_io: impl AsyncRead + AsyncWrite + Unpin,
    server_io: impl AsyncRead + AsyncWrite + Unpin,
) {
    let sent: Vec<_> = (0..20).map(|n| key_frame(n * 40, 300 << (n % 5))).collect();
    let mut server = server(server_io);
    let publishing = async {
        let config = Arc::new(ClientConfig::default());
        let mut publisher = Publisher::over(client_io, &url(), config).await.unwrap();
        for frame in &sent {
            publisher.send(frame).await.unwrap();
        }
        assert_eq!(publisher.stats().sent.video, 20);
        publisher.finish().await.unwrap();
    };
    let ((), events) = apart(publishing, serve(&mut server)).await;
    assert_eq!(frames(&events), sent);
    let reason = CloseReason::EndOfInput { mid_message: false };
    assert!(matches!(events.last(), Some(ServerEvent::Closed(last)) if *last == reason));
    assert!(matches!(server.next_event().await, Err(Error::Closed(last)) if last == reason));
}

#[tokio::test(start_paused = true)]
async fn publish_over_any_pipe() {
    let start = Instant::now();
    for size in [1, 7, 4096, 1 << 20] {
        let (a, b) = duplex(size);
        publish(a, b).await;
    }
    assert_eq!(
        start.elapsed(),
        Duration::ZERO,
        "nothing waited for a timer"
    );
}

#[tokio::test(start_paused = true)]
async fn publish_over_hesitant_transports() {
    let faults = || Faults {
        read_len: 3,
        write_len: 2,
        is_hesitant: true,
        ..Faults::default()
    };
    let (a, b) = duplex(100);
    publish(Faulty::new(a, faults()).0, Faulty::new(b, faults()).0).await;
}

#[tokio::test(start_paused = true)]
async fn play_over_any_pipe() {
    for size in [1, 7, 4096, 1 << 20] {
        let (a, b) = duplex(size);
        let sent: Vec<_> = (0..20).map(|n| key_frame(n * 40, 300 << (n % 5))).collect();
        let mut server = server(b);
        let serving = async {
            loop {
                let event = server.next_event().await.unwrap();
                let is_play = matches!(event, ServerEvent::Play(_));
                answer(&mut server, event);
                if is_play {
                    break;
                }
            }
            for frame in &sent {
                server.session().send_frame(ONE, frame).unwrap();
            }
            server.close().await.unwrap();
        };
        let playing = async {
            let config = Arc::new(ClientConfig::default());
            let mut player = Player::over(a, &url(), config).await.unwrap();
            let mut received = Vec::new();
            while let Some(frame) = player.next_frame().await.unwrap() {
                received.push(frame);
            }
            player.finish().await.unwrap();
            received
        };
        let ((), mut received) = apart(serving, playing).await;
        received.retain(rtmp_proto::flv::Frame::is_video);
        assert_eq!(received, sent);
    }
}

/// Design decision 8: told first, then closed, and the client closes too.
#[tokio::test(start_paused = true)]
async fn rejection_arrives_before_the_end() {
    for size in [1, 4096] {
        let (a, b) = duplex(size);
        let mut server = server(b);
        let serving = async {
            loop {
                match server.next_event().await.unwrap() {
                    ServerEvent::Publish(request) => {
                        let status = Status::error(StatusCode::PUBLISH_BAD_NAME, "in use");
                        let now = server.now();
                        server.session().reject(now, request, status).unwrap();
                    }
                    ServerEvent::Closed(reason) => break reason,
                    event => drop(answer(&mut server, event)),
                }
            }
        };
        let config = Arc::new(ClientConfig::default());
        let url = url();
        let (reason, refused) = apart(serving, Publisher::over(a, &url, config)).await;
        assert!(matches!(reason, CloseReason::Rejected(_)));
        let Err(Error::Closed(CloseReason::Refused(status))) = refused else {
            panic!("refused: {refused:?}")
        };
        assert_eq!(status.code, StatusCode::PUBLISH_BAD_NAME);
    }
}

/// Flushing is enough to have a rejection told.
#[tokio::test(start_paused = true)]
async fn flush_writes_what_a_closed_session_has_left() {
    let (a, b) = duplex(64);
    let mut server = server(b);
    let rejecting = async {
        loop {
            match server.next_event().await.unwrap() {
                ServerEvent::Connect(request) => {
                    let status = Status::error(StatusCode::CONNECT_INVALID_APP, "no such app");
                    let now = server.now();
                    server.session().reject(now, request, status).unwrap();
                    server.flush().await.unwrap();
                    return end(&mut server).await;
                }
                event => drop(answer(&mut server, event)),
            }
        }
    };
    let config = Arc::new(ClientConfig::default());
    let url = url();
    let (reason, refused) = apart(rejecting, Player::over(a, &url, config)).await;
    assert!(matches!(reason, CloseReason::Rejected(_)));
    assert!(matches!(
        refused,
        Err(Error::Closed(CloseReason::Refused(_)))
    ));
}

/// Every future is dropped after its first poll, on both sides, from the handshake to the end.
#[tokio::test(start_paused = true)]
async fn cancellation_loses_nothing() {
    async fn run(size: usize, is_cancelled: bool) -> (Vec<String>, Vec<String>) {
        let (a, b) = duplex(size);
        let (mut client, mut server) = (client(a), server(b));
        let now = client.now();
        client.session().publish_to(now, &url()).unwrap();
        let serving = async {
            let mut names = Vec::new();
            loop {
                let event = match is_cancelled {
                    true => next_event_cancelled(&mut server).await,
                    false => server.next_event().await,
                };
                let event = event.unwrap();
                names.push(format!("{event:?}"));
                let event = answer(&mut server, event);
                if let Some(ServerEvent::Closed(_)) = event {
                    return names;
                }
            }
        };
        let publishing = async {
            let mut names = Vec::new();
            loop {
                let event = match is_cancelled {
                    true => next_event_cancelled(&mut client).await,
                    false => client.next_event().await,
                };
                let event = event.unwrap();
                names.push(format!("{event:?}"));
                match event {
                    ClientEvent::Publishing { stream } => {
                        for n in 0..10 {
                            let frame = key_frame(n, 2000);
                            client.session().send_frame(stream, &frame).unwrap();
                        }
                        let now = client.now();
                        client.session().close(now);
                    }
                    ClientEvent::Closed(_) => return names,
                    _ => {}
                }
            }
        };
        apart(publishing, serving).await
    }
    let expected = run(1 << 20, false).await;
    assert!(expected.1.len() > 15);
    for size in [1, 5, 1000, 1 << 20] {
        assert_eq!(run(size, true).await, expected, "pipe of {size} bytes");
    }
}

/// A close that is dropped after every poll is as good.
#[tokio::test(start_paused = true)]
async fn close_can_be_cancelled() {
    let (a, b) = duplex(50);
    let (mut client, mut server) = started(a, b, ServerConfig::default(), true).await;
    for n in 0..10 {
        server
            .session()
            .send_frame(ONE, &key_frame(n, 500))
            .unwrap();
    }
    let closing = async {
        loop {
            if let Some(result) = once(server.close()).await {
                return result.unwrap();
            }
            tokio::task::yield_now().await;
        }
    };
    let playing = async {
        let mut count = 0;
        loop {
            match client.next_event().await.unwrap() {
                ClientEvent::Frame { .. } => count += 1,
                ClientEvent::Closed(_) => return count,
                _ => {}
            }
        }
    };
    let ((), count) = apart(closing, playing).await;
    assert_eq!(count, 10);
}

/// A peer that has finished writing still gets what was queued.
#[tokio::test(start_paused = true)]
async fn half_close() {
    let (a, b) = duplex(100);
    let (mut client, mut server) = started(a, b, ServerConfig::default(), false).await;
    client.session().send_frame(ONE, &key_frame(0, 50)).unwrap();
    let big = "x".repeat(5000).as_str().into();
    server.session().call("onInfo", big, []).unwrap();
    let now = client.now();
    client.session().close(now);
    // The client's session is closed, so it throws away what arrives; that it is taken is the point.
    let (events, ended) = apart(serve(&mut server), client.close()).await;
    assert_eq!(frames(&events).len(), 1);
    assert_eq!(server.session().queued_len(), 0);
    ended.unwrap();
}

/// Events before a reset are delivered, then the failure, then the end.
#[tokio::test(start_paused = true)]
async fn reset() {
    let (a, b) = duplex(1 << 20);
    let (b, faults) = Faulty::new(b, Faults::default());
    let (mut client, mut server) = started(a, b, ServerConfig::default(), false).await;
    for n in 0..3 {
        client
            .session()
            .send_frame(ONE, &key_frame(n, 100))
            .unwrap();
    }
    client.flush().await.unwrap();
    drop(client);
    faults.borrow_mut().is_reset = true;
    for _ in 0..3 {
        let event = server.next_event().await.unwrap();
        assert!(matches!(event, ServerEvent::Frame { .. }), "{event:?}");
    }
    let failure = server.next_event().await;
    let Err(Error::Io(error)) = failure else {
        panic!("a failure: {failure:?}")
    };
    assert_eq!(error.kind(), std::io::ErrorKind::ConnectionReset);
    assert!(matches!(
        server.next_event().await,
        Err(Error::Closed(CloseReason::EndOfInput { .. }))
    ));
}

/// A frame cut short by the end of the connection says so.
#[tokio::test(start_paused = true)]
async fn cut_short() {
    let (a, b) = duplex(1000);
    let (mut client, mut server) = started(a, b, ServerConfig::default(), false).await;
    client
        .session()
        .send_frame(ONE, &key_frame(0, 5000))
        .unwrap();
    assert!(once(client.flush()).await.is_none());
    drop(client);
    let reason = CloseReason::EndOfInput { mid_message: true };
    assert_eq!(end(&mut server).await, reason);
}
