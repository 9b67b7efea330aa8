//! The driver, with a transport and a clock made of plain values.

#![expect(clippy::indexing_slicing, reason = "a wrong index fails the test")]

mod common;

use std::{sync::Arc, time::Duration};

use bytes::Buf;
use common::url;
use rtmp_proto::{
    Client, ClientEvent, CloseReason, Driver, Instant, MessageStreamId, Role, Server, ServerEvent,
    Session, Timeout, flv::Frame,
};

const ONE: MessageStreamId = MessageStreamId::new(1);

fn client() -> Driver<Client> {
    Driver::new(Session::new(Instant::ORIGIN, Arc::default(), [1; 32]))
}

fn server() -> Driver<Server> {
    Driver::new(Session::new(Instant::ORIGIN, Arc::default(), [2; 32]))
}

fn at(seconds: u64) -> Instant {
    Instant::from_origin(Duration::from_secs(seconds))
}

/// Moves what one side wants to write to the other, as one read; whether there was anything.
fn pass<A: Role, B: Role>(from: &mut Driver<A>, to: &mut Driver<B>, now: Instant) -> bool {
    let mut moved = false;
    while to.wants_read()
        && let Some(mut transmit) = from.poll_transmit()
    {
        let mut buffer = to.take_buffer();
        assert!(buffer.is_empty());
        let len = transmit.chunk().len().min(buffer.capacity());
        buffer.extend_from_slice(&transmit.chunk()[..len]);
        transmit.advance(len);
        to.handle_input(now, buffer);
        moved = true;
    }
    moved
}

/// A client that publishes and its server, after the dialogue.
fn publishing(now: Instant) -> (Driver<Client>, Driver<Server>) {
    let (mut client, mut server) = (client(), server());
    client.session_mut().publish_to(now, &url()).unwrap();
    let mut is_publishing = false;
    while !is_publishing {
        pass(&mut client, &mut server, now);
        pass(&mut server, &mut client, now);
        while let Some(event) = server.poll_event(now) {
            common::accept_all(server.session_mut(), now, event);
        }
        while let Some(event) = client.poll_event(now) {
            is_publishing |= matches!(event, ClientEvent::Publishing { .. });
        }
    }
    while server.poll_event(now).is_some() {}
    (client, server)
}

fn frame(len: usize) -> Frame {
    Frame::video(Default::default(), vec![0x27; len].into())
}

/// Both sides end: write, shut down, read until the other side has, and only then say `Closed`.
#[test]
fn orderly_end() {
    let now = at(1);
    let (mut client, mut server) = publishing(now);
    client
        .session_mut()
        .send_frame(ONE, &frame(100_000))
        .unwrap();
    client.session_mut().close(now);
    let mut last = None;
    while let Some(event) = client.poll_event(now) {
        last = Some(event);
    }
    assert!(
        !matches!(last, Some(ClientEvent::Closed(_))),
        "not before the transport's end"
    );
    assert!(!client.wants_shutdown(), "output waits");

    let mut frames = 0;
    let mut stopped = false;
    while pass(&mut client, &mut server, now) || server.feed(now) {
        while let Some(event) = server.poll_event(now) {
            frames += usize::from(matches!(event, ServerEvent::Frame { .. }));
            stopped |= matches!(event, ServerEvent::PublishStopped { .. });
        }
    }
    assert_eq!((frames, stopped), (1, true));
    assert!(client.wants_shutdown());
    client.handle_shutdown();
    assert!(!client.wants_shutdown() && client.wants_read() && !client.has_ended());

    // The server reads the client's end, and shuts down in turn.
    server.handle_eof(now);
    assert!(server.poll_event(now).is_none());
    let mut rest = Vec::new();
    while let Some(mut transmit) = server.poll_transmit() {
        rest.extend_from_slice(transmit.chunk());
        let len = transmit.chunk().len();
        transmit.advance(len);
    }
    assert!(server.wants_shutdown());
    server.handle_shutdown();
    assert!(matches!(
        server.poll_event(now),
        Some(ServerEvent::Closed(CloseReason::EndOfInput {
            mid_message: false
        }))
    ));
    assert!(server.is_finished());

    // What the server still said is dropped, and its end ends the client.
    client.handle_input(now, &rest[..]);
    assert!(client.poll_event(now).is_none());
    client.handle_eof(now);
    assert!(matches!(
        client.poll_event(now),
        Some(ClientEvent::Closed(CloseReason::Local))
    ));
    assert!(client.is_finished() && client.poll_event(now).is_none());
}

/// A peer that neither reads nor closes holds the end up for 5 s.
#[test]
fn the_end_is_bounded() {
    let now = at(1);
    let (mut client, _) = publishing(now);
    client
        .session_mut()
        .send_frame(ONE, &frame(100_000))
        .unwrap();
    client.session_mut().close(now);
    while client.poll_event(now).is_some() {}
    assert_eq!(client.poll_timeout(), Some(at(6)));
    client.handle_timeout(at(5));
    assert!(!client.has_ended());
    client.handle_timeout(at(6));
    assert!(client.has_ended());
    assert!(matches!(
        client.poll_event(at(6)),
        Some(ClientEvent::Closed(CloseReason::Local))
    ));
}

/// The session's own deadlines pass through, and end the transport in good order.
#[test]
fn deadlines_of_the_session() {
    let mut server = server();
    assert_eq!(server.poll_timeout(), Some(at(10)));
    server.handle_timeout(at(10));
    assert!(server.poll_event(at(10)).is_none());
    assert!(server.wants_shutdown());
    server.handle_shutdown();
    server.handle_read_failure(at(10));
    assert!(matches!(
        server.poll_event(at(10)),
        Some(ServerEvent::Closed(CloseReason::Timeout(
            Timeout::Handshake
        )))
    ));
}

/// What the peer sent before writing failed is delivered; then the failure ends the session, without
/// a last event.
#[test]
fn failed_writes() {
    let now = at(1);
    let (mut client, mut server) = publishing(now);
    server.handle_write_failure(now);
    assert!(server.poll_transmit().is_none());
    client.session_mut().send_frame(ONE, &frame(10)).unwrap();
    pass(&mut client, &mut server, now);
    assert!(matches!(
        server.poll_event(now),
        Some(ServerEvent::Frame { .. })
    ));
    assert_eq!(server.poll_timeout(), Some(at(6)));
    server.handle_timeout(at(6));
    assert!(server.poll_event(at(6)).is_none());
    assert!(server.has_failed() && server.is_finished());
    assert!(server.session().is_closed());
}

#[test]
fn failed_reads() {
    let now = at(1);
    let (_, mut server) = publishing(now);
    server.handle_read_failure(now);
    assert!(server.poll_event(now).is_none());
    assert!(server.has_failed() && server.is_finished() && !server.wants_read());
}

/// Reads grow while they come back full, up to 64 KiB, so that an idle connection stays small.
#[test]
fn reads_grow() {
    let now = at(1);
    let (mut client, mut server) = publishing(now);
    let mut sizes = vec![server.take_buffer().capacity()];
    for _ in 0..4 {
        client
            .session_mut()
            .send_frame(ONE, &frame(1 << 20))
            .unwrap();
        while pass(&mut client, &mut server, now) {
            while server.poll_event(now).is_some() {}
        }
        sizes.push(server.take_buffer().capacity());
    }
    assert!(sizes.is_sorted(), "{sizes:?}");
    assert_eq!((sizes.first(), sizes.last()), (Some(&4096), Some(&65_536)));
}

type Way = fn(&mut Driver<Server>, Instant, &[u8]);

/// However input is read, and whatever becomes of the buffers, the session gets every byte once.
#[test]
fn ways_to_read() {
    let now = at(1);
    let ways: [Way; 4] = [
        // From an array of the caller's.
        |server, now, bytes| server.handle_input(now, bytes),
        // Into spare capacity.
        |server, now, bytes| {
            let mut buffer = server.take_buffer();
            buffer.extend_from_slice(bytes);
            server.handle_input(now, buffer);
        },
        // A read that was given up, one that brought nothing, and a buffer of another's.
        |server, now, bytes| {
            drop(server.take_buffer());
            let buffer = server.take_buffer();
            server.handle_input(now, buffer);
            server.handle_input(now, bytes::Bytes::copy_from_slice(bytes));
        },
        // Two reads at a time, with input that waits already.
        |server, now, bytes| {
            let (mut first, mut second) = (server.take_buffer(), server.take_buffer());
            let (begin, end) = bytes.split_at(bytes.len() / 2);
            first.extend_from_slice(begin);
            second.extend_from_slice(end);
            server.handle_input(now, first);
            server.handle_input(now, second);
        },
    ];
    for way in ways {
        let (mut client, mut server) = publishing(now);
        let session = client.session_mut();
        for len in [1, 100, 5000, 3, 4000] {
            session.send_frame(ONE, &frame(len)).unwrap();
        }
        // All of it as one read: the session takes a message at a time.
        let mut sent = client.poll_transmit().unwrap();
        way(&mut server, now, &sent.copy_to_bytes(sent.remaining()));
        let mut lens = Vec::new();
        while let Some(event) = server.poll_event(now) {
            if let ServerEvent::Frame { frame, .. } = event {
                lens.push(frame.payload.len());
            }
        }
        assert_eq!(lens, [1, 100, 5000, 3, 4000]);
    }
}

/// The allocation of a read serves the next one.
#[test]
fn buffers_are_reused() {
    let now = at(1);
    let (mut client, mut server) = publishing(now);
    let mut places = Vec::new();
    for _ in 0..3 {
        client.session_mut().send_frame(ONE, &frame(100)).unwrap();
        let mut buffer = server.take_buffer();
        places.push(buffer.as_ptr());
        let mut sent = client.poll_transmit().unwrap();
        buffer.extend_from_slice(&sent.copy_to_bytes(sent.remaining()));
        server.handle_input(now, buffer);
        while server.poll_event(now).is_some() {}
    }
    assert!(places.iter().all(|place| *place == places[0]));
}
