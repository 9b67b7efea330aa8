//! Transports that misbehave, and callers that change their minds.

use std::io::ErrorKind;

use rtmp_proto::{ClientEvent, CloseReason, Role, ServerEvent, amf::Value};

use crate::{
    Connection, Failure, Faults, Mode, OverPipes, Pipe, apart,
    app::{ONE, answer, begin, frames, key_frame, key_frames, publish, serve, url, watch},
    patience::patient,
    pipe,
    task::{cut_off, once},
};

/// Two and three bytes at a time, and not ready every other time.
pub fn small_pieces<P: OverPipes>() {
    for len in [2, 3] {
        let (a, b) = pipe(100);
        for end in [&a, &b] {
            set(end, |faults| (faults.len, faults.is_hesitant) = (len, true));
        }
        let sent = key_frames(10);
        let (mut client, mut server) = connect::<P>(a, b);
        let publishing = async {
            publish(&mut client).await.unwrap();
            for frame in &sent {
                client.session().send_frame(ONE, frame).unwrap();
            }
            client.close().await.unwrap();
        };
        let ((), events) = P::block_on(apart(publishing, serve(&mut server)));
        assert_eq!(frames(&events), sent);
    }
}

/// A player that takes a byte at a time, with a pause after each, gets everything; meanwhile little
/// more waits than the sender wants, and it has to wait for nearly every frame.
pub fn slow_reader<P: OverPipes>() {
    const ROOM: usize = 4000;
    let (a, b) = pipe(100);
    set(&a, |faults| (faults.len, faults.is_hesitant) = (1, true));
    let frame = key_frame(0, 2000);
    let (mut client, mut server) = connect::<P>(a, b);
    let serving = async {
        begin(&mut server).await;
        let (mut longest, mut waits) = (0, 0);
        for _ in 0..50 {
            let is_full = server.session().queued_len() > ROOM;
            waits += u32::from(is_full);
            while server.next_event_or_room(ROOM).await.unwrap().is_some() {}
            server.session().send_frame(ONE, &frame).unwrap();
            longest = longest.max(server.session().queued_len());
        }
        server.close().await.unwrap();
        (longest, waits)
    };
    let playing = async {
        crate::app::play(&mut client).await.unwrap();
        watch(&mut client).await.len()
    };
    let ((longest, waits), count) = P::block_on(apart(serving, playing));
    assert_eq!(count, 50);
    assert!(waits > 40, "{waits}");
    assert!(longest < ROOM + frame.payload.len() + 200, "{longest}");
}

/// Every future is dropped at its first, second, … pending poll, on both sides, from the handshake
/// to the end.
pub fn cancellation<P: OverPipes>() {
    fn run<P: OverPipes>(len: usize, polls: usize) -> (Vec<String>, Vec<String>) {
        let (a, b) = pipe(len);
        let (mut client, mut server) = connect::<P>(a, b);
        let now = client.now();
        client.session().publish_to(now, &url()).unwrap();
        let serving = async {
            let mut names = Vec::new();
            loop {
                let event = next_event(&mut server, polls).await.unwrap();
                names.push(format!("{event:?}"));
                if let Some(ServerEvent::Closed(_)) = answer(&mut server, event) {
                    return names;
                }
            }
        };
        let publishing = async {
            let mut names = Vec::new();
            loop {
                let event = next_event(&mut client, polls).await.unwrap();
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
        P::block_on(apart(publishing, serving))
    }
    let expected = run::<P>(1 << 20, usize::MAX);
    assert!(expected.1.len() > 12);
    for len in [1, 5, 1000, 1 << 20] {
        for polls in 1..4 {
            let events = run::<P>(len, polls);
            assert_eq!(events, expected, "pipe of {len} bytes, {polls} polls");
        }
    }
}

/// A flush that is dropped again and again writes as much as was asked for, and nothing twice.
pub fn flush_cancelled<P: OverPipes>() {
    to_a_player::<P>(async |server, polls| {
        send_ten(server);
        for len in [4000, 3999, 1000, 0] {
            persist(async || cut_off(server.flush_to(len), polls).await)
                .await
                .unwrap();
            assert!(server.session().queued_len() <= len);
        }
    });
}

/// A wait for room that is dropped again and again ends when there is room.
pub fn room_cancelled<P: OverPipes>() {
    to_a_player::<P>(async |server, polls| {
        for n in 0..10 {
            loop {
                let waited = persist(async || cut_off(server.next_event_or_room(600), polls).await);
                if waited.await.unwrap().is_none() {
                    break;
                }
            }
            assert!(server.session().queued_len() <= 600);
            server
                .session()
                .send_frame(ONE, &key_frame(n, 500))
                .unwrap();
        }
    });
}

/// A close that is dropped again and again is as good.
pub fn close_cancelled<P: OverPipes>() {
    to_a_player::<P>(async |server, polls| {
        send_ten(server);
        persist(async || cut_off(server.close(), polls).await)
            .await
            .unwrap();
    });
}

/// Events before a reset are delivered, then the failure, then the end.
pub fn reset<P: OverPipes>() {
    let (a, b) = pipe(1 << 20);
    let faults = b.faults();
    P::block_on(async {
        let (client, mut server) = sent_frames::<P>(a, b, 3).await;
        drop(client);
        faults.lock().unwrap().is_reset = true;
        three_frames(&mut server).await;
        let failure = server.next_event().await.unwrap_err();
        assert_eq!(failure, Failure::Io(ErrorKind::ConnectionReset));
        let after = server.next_event().await.unwrap_err();
        assert!(
            matches!(after, Failure::Closed(CloseReason::EndOfInput { .. })),
            "{after:?}"
        );
    });
}

/// A frame cut short by the end of the connection says so.
pub fn cut_short<P: OverPipes>() {
    let (a, b) = pipe(1000);
    P::block_on(async {
        let (mut client, mut server) = sent_frames::<P>(a, b, 0).await;
        client
            .session()
            .send_frame(ONE, &key_frame(0, 5000))
            .unwrap();
        assert!(once(client.flush()).await.is_none());
        drop(client);
        let event = server.next_event().await.unwrap();
        let reason = CloseReason::EndOfInput { mid_message: true };
        assert!(
            matches!(&event, ServerEvent::Closed(last) if last == &reason),
            "{event:?}"
        );
    });
}

/// What the peer sent before is delivered though nothing can be written, and `flush` tells.
pub fn failing_writes<P: OverPipes>() {
    for (mode, kind) in [
        (Mode::Fails, ErrorKind::BrokenPipe),
        (Mode::Zero, ErrorKind::WriteZero),
    ] {
        let (a, b) = pipe(1 << 20);
        let faults = b.faults();
        P::block_on(async {
            let (client, mut server) = sent_frames::<P>(a, b, 3).await;
            faults.lock().unwrap().write = mode;
            server.session().call("hello", Value::Null, []).unwrap();
            assert_eq!(server.flush().await, Err(Failure::Io(kind)));
            three_frames(&mut server).await;
            drop(client);
            let event = server.next_event().await;
            let reason = CloseReason::EndOfInput { mid_message: false };
            assert!(
                matches!(&event, Ok(ServerEvent::Closed(last)) if *last == reason),
                "{event:?}"
            );
        });
    }
}

/// Not RTMP at all.
pub fn another_protocol<P: OverPipes>() {
    let (mut a, b) = pipe(4096);
    let mut server = P::server(b, patient());
    let asking = async {
        let http = b"\x00GET / HTTP/1.1\r\n\r\n";
        write(&mut a, http).await;
        drop(a);
    };
    let (event, ()) = P::block_on(apart(server.next_event(), asking));
    let is_refused = matches!(&event, Ok(ServerEvent::Closed(CloseReason::Protocol(_))));
    assert!(is_refused, "{event:?}");
}

fn connect<P: OverPipes>(a: Pipe, b: Pipe) -> (P::Client, P::Server) {
    (P::client(a, patient()), P::server(b, patient()))
}

/// A player over a narrow pipe gets ten frames from `server`, which is run with 1, 2, … polls.
fn to_a_player<P: OverPipes>(server: impl AsyncFn(&mut P::Server, usize)) {
    for polls in 1..4 {
        let (a, b) = pipe(50);
        let (mut client, mut serving) = connect::<P>(a, b);
        let serving = async {
            begin(&mut serving).await;
            server(&mut serving, polls).await;
            // Nothing happens if it is closed.
            serving.close().await
        };
        let playing = async {
            crate::app::play(&mut client).await.unwrap();
            watch(&mut client).await.len()
        };
        let (closed, count) = P::block_on(apart(serving, playing));
        assert_eq!((closed, count), (Ok(()), 10));
    }
}

fn send_ten(server: &mut impl Connection<rtmp_proto::Server>) {
    for n in 0..10 {
        server
            .session()
            .send_frame(ONE, &key_frame(n, 500))
            .unwrap();
    }
}

/// Tries until there is an outcome.
async fn persist<T>(mut attempt: impl AsyncFnMut() -> Option<T>) -> T {
    loop {
        if let Some(output) = attempt().await {
            return output;
        }
    }
}

/// A publisher that has written `count` frames and a server that has not looked at them.
async fn sent_frames<P: OverPipes>(a: Pipe, b: Pipe, count: u32) -> (P::Client, P::Server) {
    let (mut client, mut server) = connect::<P>(a, b);
    let (published, ()) = apart(publish(&mut client), async {
        begin(&mut server).await;
        server.flush().await.unwrap();
    })
    .await;
    published.unwrap();
    // What the two still have to say to each other.
    for _ in 0..3 {
        while once(client.next_event()).await.is_some() {}
        while once(server.next_event()).await.is_some() {}
    }
    for n in 0..count {
        client
            .session()
            .send_frame(ONE, &key_frame(n, 100))
            .unwrap();
    }
    if count > 0 {
        client.flush().await.unwrap();
    }
    (client, server)
}

async fn three_frames(server: &mut impl Connection<rtmp_proto::Server>) {
    for _ in 0..3 {
        let event = server.next_event().await.unwrap();
        assert!(matches!(event, ServerEvent::Frame { .. }), "{event:?}");
    }
}

/// The next event, though every future is dropped after some polls.
async fn next_event<R: Role>(
    connection: &mut impl Connection<R>,
    polls: usize,
) -> Result<R::Event, Failure> {
    loop {
        // Whether it was flushed does not matter: `next_event` writes too.
        drop(once(connection.flush()).await);
        if let Some(event) = cut_off(connection.next_event(), polls).await {
            return event;
        }
    }
}

async fn write(pipe: &mut Pipe, bytes: &[u8]) {
    let written = std::future::poll_fn(|cx| {
        futures_io::AsyncWrite::poll_write(std::pin::Pin::new(&mut *pipe), cx, bytes)
    });
    assert_eq!(written.await.unwrap(), bytes.len());
}

fn set(pipe: &Pipe, change: impl FnOnce(&mut Faults)) {
    change(&mut pipe.faults().lock().unwrap());
}
