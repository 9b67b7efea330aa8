//! The embedding API of servers. The module around it says which adapter's and how to run it.

use std::{sync::Mutex, time::Duration};

use futures_lite::future::poll_once;
use rtmp_conformance::{Pipe, all, apart, patient, pipe};
use rtmp_proto::{
    Client, ClientEvent, CloseReason, PublishKind, RtmpUrl, Status, StatusCode, Timestamp,
    flv::Frame,
};

use super::{
    adapter::{
        Connection, Error, IncomingConnection, Player, PlayerEvent, Publisher, Request, Server,
        ServerConnection,
    },
    block_on,
};

#[test]
fn frames_come_in() {
    let (here, there) = pipe(1000);
    let publishing = async {
        let mut publisher = Publisher::over(here, &url(), patient()).await.unwrap();
        for n in 0..20 {
            publisher.send(&frame(n)).await.unwrap();
        }
        publisher.finish().await.unwrap();
    };
    let serving = async {
        let mut client = serve(there);
        let Request::Publish(asked) = client.next_request().await.unwrap() else {
            panic!("it publishes");
        };
        assert_eq!(asked.request().name().as_str(), "live/stream");
        let mut source = asked.accept().unwrap();
        let mut frames = Vec::new();
        while let Ok(Some(frame)) = source.next_frame().await {
            frames.push(frame);
        }
        assert_eq!(frames, (0..20).map(frame).collect::<Vec<_>>());
        let end = client.next_request().await.unwrap_err();
        assert!(matches!(end, Error::Closed(_)), "{end}");
    };
    block_on(apart(publishing, serving));
}

#[test]
fn frames_go_out() {
    let (here, there) = pipe(1000);
    let playing = async {
        let mut player = Player::over(here, &url(), patient()).await.unwrap();
        let mut frames = Vec::new();
        while let Some(frame) = player.next_frame().await.unwrap() {
            frames.extend(frame.is_video().then_some(frame));
        }
        assert_eq!(frames, (0..20).map(frame).collect::<Vec<_>>());
    };
    let serving = async {
        let mut client = serve(there);
        let Request::Play(asked) = client.next_request().await.unwrap() else {
            panic!("it plays");
        };
        let mut sink = asked.accept().unwrap();
        for n in 0..20 {
            sink.send(&frame(n)).await.unwrap();
        }
        sink.finish().await.unwrap();
    };
    block_on(apart(playing, serving));
}

#[test]
fn rejections_arrive() {
    let (here, there) = pipe(1000);
    let publishing = async {
        let refused = Publisher::over(here, &url(), patient()).await;
        match refused.unwrap_err() {
            Error::Closed(CloseReason::Refused(status)) => {
                assert_eq!(status.code, StatusCode::PUBLISH_UNAUTHORIZED);
            }
            other => panic!("{other}"),
        }
    };
    let serving = async {
        let mut client = serve(there);
        let Request::Publish(asked) = client.next_request().await.unwrap() else {
            panic!("it publishes");
        };
        let status = Status::error(StatusCode::PUBLISH_UNAUTHORIZED, "wrong key");
        asked.reject(status).await.unwrap();
        match client.next_request().await.unwrap_err() {
            Error::Closed(CloseReason::Rejected(_)) => {}
            other => panic!("{other}"),
        }
    };
    block_on(apart(publishing, serving));
}

/// A request without an answer would keep the client waiting for ever.
#[test]
fn forgotten_requests_end_the_connection() {
    let (here, there) = pipe(1000);
    let publishing = async {
        let refused = Publisher::over(here, &url(), patient()).await;
        assert!(matches!(refused, Err(Error::Closed(_))));
    };
    let serving = async {
        let mut client = serve(there);
        drop(client.next_request().await.unwrap());
        match client.next_request().await.unwrap_err() {
            Error::Closed(CloseReason::Local) => {}
            other => panic!("{other}"),
        }
    };
    block_on(apart(publishing, serving));
}

/// A player that does not read: what waits for it can be seen, and waited for.
#[test]
fn back_pressure_shows() {
    const LEN: usize = 100_000;
    let (here, there) = pipe(1000);
    let (may_read, go) = async_channel::bounded(1);
    let playing = async {
        let mut player = Player::over(here, &url(), patient()).await.unwrap();
        go.recv().await.unwrap();
        let mut len = 0;
        while let Some(frame) = player.next_frame().await.unwrap() {
            len += frame.payload.len();
        }
        assert!(len > 4 * LEN, "{len}");
    };
    let serving = async {
        let mut client = serve(there);
        let Request::Play(asked) = client.next_request().await.unwrap() else {
            panic!("it plays");
        };
        let mut sink = asked.accept().unwrap();
        let large = Frame::video(Timestamp::ZERO, vec![0x17; LEN].into());
        for n in 1..=4 {
            let before = sink.queued_len();
            sink.queue(&large).unwrap();
            assert!(sink.queued_len() >= before + LEN, "{n}");
        }
        assert!(poll_once(sink.drained(LEN)).await.is_none());
        assert!(poll_once(sink.next_event_or_room(LEN)).await.is_none());
        // More than 256 KiB wait.
        assert!(poll_once(sink.send(&large)).await.is_none());
        let before = sink.queued_len();
        may_read.send(()).await.unwrap();
        assert_eq!(sink.next_event_or_room(2 * LEN).await.unwrap(), None);
        sink.drained(LEN).await.unwrap();
        assert!(sink.queued_len() <= LEN && before > 2 * LEN);
        sink.send(&large).await.unwrap();
        sink.finish().await.unwrap();
    };
    block_on(apart(playing, serving));
}

/// One connection, one stream after the other; the second while the first still goes on.
#[test]
fn requests_follow_each_other() {
    let (here, there) = pipe(1000);
    let asking = async {
        let mut connection = Connection::<_, Client>::new(here, patient()).unwrap();
        let now = connection.now();
        connection.session().publish_to(now, &url()).unwrap();
        let mut publishing = Vec::new();
        loop {
            let event = connection.next_event().await.unwrap();
            let session = connection.session();
            match event {
                ClientEvent::Publishing { stream } => {
                    publishing.push(stream);
                    let n = publishing.len().try_into().unwrap();
                    session.send_frame(stream, &frame(n)).unwrap();
                    if n == 2 {
                        session.delete_stream(stream).unwrap();
                    }
                    match n {
                        1 | 2 => drop(session.create_stream(now).unwrap()),
                        _ => session.close(now),
                    }
                }
                ClientEvent::StreamCreated { stream, .. } if !publishing.is_empty() => {
                    let kind = PublishKind::Live;
                    session.publish(now, stream, "other", kind).unwrap();
                }
                ClientEvent::Closed(_) => return,
                _ => {}
            }
        }
    };
    let serving = async {
        let mut client = serve(there);
        let mut seen = Vec::new();
        while let Ok(Request::Publish(asked)) = client.next_request().await {
            let name = asked.request().name().as_str().to_owned();
            let mut source = asked.accept().unwrap();
            let mut frames = Vec::new();
            while let Ok(Some(frame)) = source.next_frame().await {
                frames.push(frame.timestamp.as_millis());
            }
            seen.push((name, frames));
        }
        let seen: Vec<_> = seen
            .iter()
            .map(|(name, frames)| (name.as_str(), frames.as_slice()))
            .collect();
        let expected: [(_, &[u32]); 3] = [
            ("live/stream", &[40]),
            ("live/other", &[80]),
            ("live/other", &[120]),
        ];
        assert_eq!(seen, expected);
    };
    block_on(apart(asking, serving));
}

#[test]
fn players_say_what_they_do() {
    let (here, there) = pipe(1000);
    let playing = async {
        let mut connection = Connection::<_, Client>::new(here, patient()).unwrap();
        let now = connection.now();
        connection.session().play_from(now, &url()).unwrap();
        loop {
            match connection.next_event().await.unwrap() {
                ClientEvent::Playing { stream } => {
                    let session = connection.session();
                    session.pause(stream, true, 0.0).unwrap();
                    session.pause(stream, false, 0.0).unwrap();
                    session.delete_stream(stream).unwrap();
                }
                ClientEvent::Closed(_) => return,
                _ => {}
            }
        }
    };
    let serving = async {
        let mut client = serve(there);
        let Request::Play(asked) = client.next_request().await.unwrap() else {
            panic!("it plays");
        };
        let mut sink = asked.accept().unwrap();
        assert_eq!(sink.next_event().await.unwrap(), PlayerEvent::Resumed);
        assert_eq!(sink.next_event().await.unwrap(), PlayerEvent::Stopped);
        let ended = sink.send(&frame(0)).await.unwrap_err();
        assert!(matches!(ended, Error::StreamEnded), "{ended}");
        sink.finish().await.unwrap();
    };
    block_on(apart(playing, serving));
}

/// Publishers end first, and players get what was passed on before they end too.
#[test]
fn shutdown_is_graceful() {
    let relayed = Mutex::new(Vec::new());
    let (ready, is_ready) = async_channel::unbounded();
    let serve = async |incoming: IncomingConnection| {
        let mut client = incoming.establish().await.unwrap();
        match client.next_request().await.unwrap() {
            Request::Publish(asked) => {
                let mut source = asked.accept().unwrap();
                let end = loop {
                    match source.next_frame().await {
                        Ok(frame) => relayed.lock().unwrap().extend(frame),
                        Err(end) => break end,
                    }
                    ready.send(()).await.unwrap();
                };
                assert!(matches!(end, Error::Closed(CloseReason::Local)), "{end}");
            }
            Request::Play(asked) => {
                let mut sink = asked.accept().unwrap();
                ready.send(()).await.unwrap();
                let event = sink.next_event().await.unwrap();
                assert_eq!(event, PlayerEvent::ShuttingDown);
                let frames = std::mem::take(&mut *relayed.lock().unwrap());
                for frame in frames {
                    sink.send(&frame).await.unwrap();
                }
                sink.finish().await.unwrap();
            }
            other => panic!("{other:?}"),
        }
    };
    block_on(async {
        let server = Server::bind("localhost:0", patient()).await.unwrap();
        let url = url_of(&server);
        let publishing = async {
            let mut publisher = Publisher::connect(&url, patient(), None).await.unwrap();
            publisher.send(&frame(1)).await.unwrap();
            publisher.send(&frame(2)).await.unwrap();
            publisher.ended().await;
        };
        let playing = async {
            let mut player = Player::connect(&url, patient(), None).await.unwrap();
            let mut frames = Vec::new();
            while let Some(frame) = player.next_frame().await.unwrap() {
                frames.extend(frame.is_video().then_some(frame));
            }
            assert_eq!(frames, [frame(1), frame(2)]);
        };
        let serving = async {
            let clients = [
                server.accept().await.unwrap(),
                server.accept().await.unwrap(),
            ];
            assert_eq!(server.connections(), 2);
            let shutdown = async {
                for _ in 0..3 {
                    is_ready.recv().await.unwrap();
                }
                assert_eq!(server.shutdown(Duration::from_secs(10)).await, 0);
            };
            apart(all(clients.map(&serve)), shutdown).await;
        };
        apart(apart(publishing, playing), serving).await;
    });
}

/// Connections whose tasks do not let go are counted, and dropped as soon as they do anything.
#[test]
fn shutdown_is_bounded() {
    block_on(async {
        let server = Server::bind("localhost:0", patient()).await.unwrap();
        let url = url_of(&server);
        let playing = async { Player::connect(&url, patient(), None).await.unwrap() };
        let serving = async {
            let mut client = server.accept().await.unwrap().establish().await.unwrap();
            let Request::Play(asked) = client.next_request().await.unwrap() else {
                panic!("it plays");
            };
            asked.accept().unwrap();
            // The player's consent is on its way with this.
            let _ = client.connection().flush().await;
            client
        };
        let (_player, mut client) = apart(playing, serving).await;
        assert_eq!(server.shutdown(Duration::ZERO).await, 1);
        let end = client.next_request().await.unwrap_err();
        assert!(matches!(end, Error::Closed(CloseReason::Local)), "{end}");
    });
}

fn serve(io: Pipe) -> ServerConnection<Pipe> {
    ServerConnection::over(io, patient()).unwrap()
}

fn url() -> RtmpUrl {
    "rtmp://localhost/live/stream".parse().unwrap()
}

fn url_of(server: &Server) -> RtmpUrl {
    let listener = server.listeners().first().unwrap();
    let port = listener.local_addr().unwrap().port();
    format!("rtmp://localhost:{port}/live/stream")
        .parse()
        .unwrap()
}

/// A key frame at `n` × 40 ms.
fn frame(n: u8) -> Frame {
    let timestamp = Timestamp::from_millis(u32::from(n) * 40);
    Frame::video(timestamp, vec![0x17, 1, 0, 0, 0, n].into())
}
