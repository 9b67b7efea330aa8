//! What any two connections do together, over whatever the adapter has between them.

use std::{sync::Arc, time::Duration};

use rtmp_proto::{
    CloseReason, SendError, ServerConfig, ServerEvent, Status, StatusCode, Timeout, amf::Value,
};

use crate::{
    Adapter, Connection, Failure,
    app::{
        ONE, answer, begin, frames, key_frame, key_frames, play as start_playing, publish as start,
        serve, watch,
    },
    patience::patient,
};

/// What is sent before the end arrives, and the end is told once, then as a failure.
pub fn publish<A: Adapter>() {
    let sent = key_frames(20);
    let ((), (events, after)) = pair::<A, _, _>(
        async |mut client| {
            start(&mut client).await.unwrap();
            for frame in &sent {
                client.session().send_frame(ONE, frame).unwrap();
            }
            client.flush().await.unwrap();
            client.close().await.unwrap();
        },
        async |mut server| {
            (
                serve(&mut server).await,
                server.next_event().await.unwrap_err(),
            )
        },
    );
    assert_eq!(frames(&events), sent);
    let reason = CloseReason::EndOfInput { mid_message: false };
    assert!(matches!(events.last(), Some(ServerEvent::Closed(last)) if *last == reason));
    assert_eq!(after, Failure::Closed(reason));
}

/// The server closes while the last frame still waits.
pub fn play<A: Adapter>() {
    let sent = key_frames(20);
    let (received, ()) = pair::<A, _, _>(
        async |mut client| {
            start_playing(&mut client).await.unwrap();
            watch(&mut client).await
        },
        async |mut server| {
            begin(&mut server).await;
            for frame in &sent {
                server.session().send_frame(ONE, frame).unwrap();
            }
            // Closing has a deadline, which byte by byte is too short for all of it.
            server.flush_to(1000).await.unwrap();
            server.close().await.unwrap();
        },
    );
    assert_eq!(received, sent);
}

/// Told first, then closed.
pub fn rejection<A: Adapter>() {
    let (refused, reason) = pair::<A, _, _>(
        async |mut client| start(&mut client).await.unwrap_err(),
        async |mut server| {
            loop {
                match server.next_event().await.unwrap() {
                    ServerEvent::Publish(request) => {
                        let status = Status::error(StatusCode::PUBLISH_BAD_NAME, "in use");
                        let now = server.now();
                        server.session().reject(now, request, status).unwrap();
                    }
                    ServerEvent::Closed(reason) => return reason,
                    event => drop(answer(&mut server, event)),
                }
            }
        },
    );
    assert!(matches!(reason, CloseReason::Rejected(_)));
    let Failure::Closed(CloseReason::Refused(status)) = refused else {
        panic!("refused: {refused:?}")
    };
    assert_eq!(status.code, StatusCode::PUBLISH_BAD_NAME);
}

/// A peer that has finished writing still takes what was queued.
pub fn half_close<A: Adapter>() {
    let (ended, (events, queued)) = pair::<A, _, _>(
        async |mut client| {
            start(&mut client).await.unwrap();
            client.session().send_frame(ONE, &key_frame(0, 50)).unwrap();
            client.close().await
        },
        async |mut server| {
            begin(&mut server).await;
            server.session().call("onInfo", long(), []).unwrap();
            (serve(&mut server).await, server.session().queued_len())
        },
    );
    assert_eq!(ended, Ok(()));
    assert_eq!((frames(&events).len(), queued), (1, 0));
}

/// A sender that is told to wait waits, and a receiver that is slow gets everything.
pub fn more_than_the_queue_holds<A: Adapter>() {
    let mut config = ServerConfig::default();
    config.connection.limits.output_queue = 16 << 10;
    let (count, refusals) = A::run(
        1,
        &Arc::new(config),
        async |mut client| {
            start_playing(&mut client).await.unwrap();
            watch(&mut client).await.len()
        },
        async |mut server| {
            begin(&mut server).await;
            let mut refusals = 0;
            for n in 0..40 {
                let frame = key_frame(n, 2 << 10);
                while let Err(error) = server.session().send_frame(ONE, &frame) {
                    assert!(matches!(error, SendError::QueueFull(_)), "{error:?}");
                    refusals += 1;
                    server.flush().await.unwrap();
                }
            }
            server.flush().await.unwrap();
            server.close().await.unwrap();
            refusals
        },
    )
    .remove(0);
    assert_eq!(count, 40);
    assert!(refusals > 3, "{refusals}");
}

/// A sender that holds frames back never has more waiting than it wants, and still hears the peer.
pub fn back_pressure<A: Adapter>() {
    let frame = key_frame(0, 4 << 10);
    let (count, (longest, calls)) = pair::<A, _, _>(
        async |mut client| {
            start_playing(&mut client).await.unwrap();
            client.session().call("hello", long(), []).unwrap();
            watch(&mut client).await.len()
        },
        async |mut server| {
            begin(&mut server).await;
            let (mut longest, mut calls) = (0, 0);
            for _ in 0..40 {
                while let Some(event) = server.next_event_or_room(ROOM).await.unwrap() {
                    calls += u32::from(matches!(event, ServerEvent::Call(_)));
                }
                server.session().send_frame(ONE, &frame).unwrap();
                longest = longest.max(server.session().queued_len());
            }
            while calls == 0 {
                let event = server.next_event().await.unwrap();
                calls += u32::from(matches!(event, ServerEvent::Call(_)));
            }
            server.flush_to(1000).await.unwrap();
            server.close().await.unwrap();
            (longest, calls)
        },
    );
    assert_eq!((count, calls), (40, 1));
    assert!(longest < ROOM + frame.payload.len() + 200, "{longest}");
}

/// Flushing is enough to have a rejection told.
pub fn rejection_is_flushed<A: Adapter>() {
    let (refused, reason) = pair::<A, _, _>(
        async |mut client| start_playing(&mut client).await.unwrap_err(),
        async |mut server| {
            loop {
                match server.next_event().await.unwrap() {
                    ServerEvent::Connect(request) => {
                        let status = Status::error(StatusCode::CONNECT_INVALID_APP, "no such app");
                        let now = server.now();
                        server.session().reject(now, request, status).unwrap();
                        server.flush().await.unwrap();
                    }
                    ServerEvent::Closed(reason) => return reason,
                    event => drop(answer(&mut server, event)),
                }
            }
        },
    );
    assert!(matches!(reason, CloseReason::Rejected(_)), "{reason:?}");
    assert!(
        matches!(refused, Failure::Closed(CloseReason::Refused(_))),
        "{refused:?}"
    );
}

/// Two sides that both have much to say while they close: each takes the other's bytes.
pub fn both_close_at_once<A: Adapter>() {
    let ended = pair::<A, _, _>(
        async |mut client| {
            start_playing(&mut client).await.unwrap();
            client.session().call("a", long(), []).unwrap();
            client.close().await
        },
        async |mut server| {
            begin(&mut server).await;
            server.session().call("b", long(), []).unwrap();
            server.close().await
        },
    );
    assert_eq!(ended, (Ok(()), Ok(())));
}

/// A client that vanishes is an end or a failure, as the transport tells it; then only the end.
pub fn gone_without_a_word<A: Adapter>() {
    let ((), (last, after)) = pair::<A, _, _>(
        async |mut client| {
            start(&mut client).await.unwrap();
            drop(client);
        },
        async |mut server| {
            let last = loop {
                match server.next_event().await {
                    Ok(ServerEvent::Closed(reason)) => break Failure::Closed(reason),
                    Ok(event) => drop(answer(&mut server, event)),
                    Err(failure) => break failure,
                }
            };
            (last, server.next_event().await.unwrap_err())
        },
    );
    let is_end =
        |failure: &Failure| matches!(failure, Failure::Closed(CloseReason::EndOfInput { .. }));
    assert!(is_end(&last) || matches!(last, Failure::Io(_)), "{last:?}");
    assert!(is_end(&after), "{after:?}");
}

/// The adapter wakes up for deadlines, and not before: nothing else ends this wait.
pub fn deadline<A: Adapter>() {
    let limit = Duration::from_millis(20);
    let mut config = ServerConfig::default();
    config.connection.limits.connect_timeout = limit;
    let ((), (reason, ended)) = A::run(
        1,
        &Arc::new(config),
        // Shakes hands and asks for nothing.
        async |mut client| while client.next_event().await.is_ok() {},
        async |mut server| {
            let events = serve(&mut server).await;
            (events.into_iter().next_back(), server.now())
        },
    )
    .remove(0);
    let timeout = CloseReason::Timeout(Timeout::Connect);
    assert!(
        matches!(&reason, Some(ServerEvent::Closed(last)) if *last == timeout),
        "{reason:?}"
    );
    assert!(ended.since_origin() >= limit);
}

/// Each gets what is its own.
pub fn a_hundred_at_once<A: Adapter>() {
    let counts = A::run(
        100,
        &patient(),
        async |mut client| {
            start(&mut client).await.unwrap();
            for n in 0..5 {
                client
                    .session()
                    .send_frame(ONE, &key_frame(n, 500))
                    .unwrap();
            }
            client.close().await.unwrap();
        },
        async |mut server| frames(&serve(&mut server).await).len(),
    );
    assert_eq!(counts, [((), 5); 100]);
}

fn pair<A: Adapter, X: Send, Y: Send>(
    client: impl AsyncFn(A::Client) -> X + Sync,
    server: impl AsyncFn(A::Server) -> Y + Sync,
) -> (X, Y) {
    A::run(1, &patient(), client, server).remove(0)
}

/// What a sender that holds back lets wait.
const ROOM: usize = 8 << 10;

fn long() -> Value {
    "x".repeat(5000).as_str().into()
}
