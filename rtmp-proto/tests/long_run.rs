//! Fifty days of a stream, from its publisher through a server to a player.

mod common;

use std::{sync::Arc, time::Duration};

use bytes::{Buf, Bytes};
use rtmp_proto::{
    ClientConfig, ClientEvent, ClientSession, Instant, MessageStreamId, Role, ServerConfig,
    ServerEvent, ServerSession, Session, SessionState, Timestamp,
    chunk::HeaderCompression,
    flv::Frame,
    relay::{Cached, GopCache, Pushed, Queue, Timeline},
};

/// Timestamps pass 24, 31 and 32 bits, and byte counts 32 bits, without a frame that is lost or moved. The
/// publisher compresses its headers, the server does not; media of both waits for acknowledgements.
///
/// Frames are 25 s apart, except around the wraps, where there are 30 pictures a second.
#[test]
fn fifty_days() {
    let mut world = World::new();
    let mut time = 0_u64;
    let mut count = 0_u64;
    while time < FIFTY_DAYS {
        world.publish(time, count);
        time += step(time);
        count += 1;
    }
    world.finish(count);
}

struct World {
    publisher: ClientSession,
    ingest: ServerSession,
    relay: Relay,
    egress: ServerSession,
    player: ClientSession,
    now: Instant,
    video: [Bytes; 2],
    audio: Bytes,
    sent: Frames,
    received: Frames,
}

struct Relay {
    cache: GopCache,
    timeline: Timeline,
    queue: Queue,
}

/// How many frames there were, and a digest of what they were.
#[derive(Debug, Default, PartialEq)]
struct Frames {
    count: u64,
    digest: u64,
}

impl Frames {
    fn note(&mut self, frame: &Frame) {
        self.count += 1;
        let facts = [
            u64::from(frame.timestamp.as_millis()),
            u64::from(frame.is_video()),
            u64::from(frame.is_key_frame()),
            frame.payload.len() as u64,
        ];
        for fact in facts {
            self.digest = self.digest.wrapping_mul(0x100_0000_01B3).wrapping_add(fact);
        }
    }
}

impl World {
    fn new() -> Self {
        let mut client = ClientConfig::default();
        client.connection.header_compression = HeaderCompression::Deltas;
        client.connection.enforce_peer_bandwidth = true;
        client.connection.ping_interval = Some(Duration::from_secs(60));
        let mut server = ServerConfig::default();
        server.connection.enforce_peer_bandwidth = true;
        let (client, server) = (Arc::new(client), Arc::new(server));
        let now = Instant::ORIGIN;
        let picture = |first| {
            let mut payload = vec![first, 1, 0, 0, 0];
            payload.resize(PICTURE_LEN, 0x42);
            Bytes::from(payload)
        };
        let mut world = Self {
            publisher: Session::new(now, Arc::clone(&client), [1; 32]),
            ingest: Session::new(now, Arc::clone(&server), [2; 32]),
            relay: Relay {
                cache: GopCache::default(),
                timeline: Timeline::default(),
                queue: Queue::default(),
            },
            egress: Session::new(now, server, [3; 32]),
            player: Session::new(now, client, [4; 32]),
            now,
            video: [picture(0x17), picture(0x27)],
            audio: Bytes::from_static(&[0xAF, 1, 0x21]),
            sent: Frames::default(),
            received: Frames::default(),
        };
        world.publisher.publish_to(now, &common::url()).unwrap();
        world.player.play_from(now, &common::url()).unwrap();
        world.drive();
        assert_eq!(world.publisher.state(), SessionState::Publishing);
        assert_eq!(world.player.state(), SessionState::Playing);
        world
    }

    /// A picture and a sound at `time`.
    fn publish(&mut self, time: u64, count: u64) {
        self.now = Instant::from_origin(Duration::from_millis(time));
        self.publisher.handle_timeout(self.now);
        self.ingest.handle_timeout(self.now);
        self.egress.handle_timeout(self.now);
        self.player.handle_timeout(self.now);
        let timestamp = Timestamp::from_millis((time & 0xFFFF_FFFF).try_into().unwrap());
        let [key, inter] = &self.video;
        let picture = if count.is_multiple_of(10) { key } else { inter };
        let frames = [
            Frame::video(timestamp, picture.clone()),
            Frame::audio(timestamp, self.audio.clone()),
        ];
        for frame in frames {
            self.publisher.send_frame(ONE, &frame).unwrap();
            self.sent.note(&frame);
        }
        self.drive();
    }

    fn drive(&mut self) {
        let now = self.now;
        loop {
            let mut moved = pass(&mut self.publisher, &mut self.ingest, now);
            moved |= pass(&mut self.ingest, &mut self.publisher, now);
            moved |= pass(&mut self.egress, &mut self.player, now);
            moved |= pass(&mut self.player, &mut self.egress, now);
            while let Some(event) = self.publisher.poll_event() {
                moved = true;
                assert!(!matches!(event, ClientEvent::Closed(_)), "{event:?}");
            }
            while let Some(event) = self.ingest.poll_event() {
                moved = true;
                match common::accept_all(&mut self.ingest, now, event) {
                    Some(ServerEvent::Frame { frame, .. }) => self.relay.push(frame),
                    Some(ServerEvent::Closed(reason)) => panic!("{reason:?}"),
                    _ => {}
                }
            }
            while let Some(event) = self.egress.poll_event() {
                moved = true;
                let event = common::accept_all(&mut self.egress, now, event);
                assert!(!matches!(event, Some(ServerEvent::Closed(_))), "{event:?}");
            }
            while let Some(event) = self.player.poll_event() {
                moved = true;
                match event {
                    // `|RtmpSampleAccess` comes first, as data.
                    ClientEvent::Frame { frame, .. } if frame.is_coded_media() => {
                        self.received.note(&frame);
                    }
                    ClientEvent::Closed(reason) => panic!("{reason:?}"),
                    _ => {}
                }
            }
            while let Some(frame) = self.relay.queue.pop() {
                moved = true;
                self.egress.send_frame(ONE, &frame).unwrap();
            }
            if !moved {
                return;
            }
        }
    }

    fn finish(self, count: u64) {
        assert_eq!(self.sent.count, 2 * count);
        assert_eq!(self.received, self.sent);
        assert_eq!(self.relay.queue.dropped().video, 0);
        let pairs = [
            (self.publisher.stats(), self.ingest.stats()),
            (self.egress.stats(), self.player.stats()),
        ];
        for (sender, receiver) in pairs {
            assert!(sender.bytes_sent > 1 << 32);
            assert_eq!(sender.bytes_sent, receiver.bytes_received);
            // Acknowledged up to half a window ago, modulo 2^32.
            let [.., a, b, c, d] = sender.bytes_sent.to_be_bytes();
            let behind = u32::from_be_bytes([a, b, c, d]).wrapping_sub(sender.acknowledged);
            assert!(behind <= 2_500_000, "{behind}");
        }
    }
}

impl Relay {
    fn push(&mut self, frame: Frame) {
        let frame = self.timeline.place(frame);
        assert_eq!(self.cache.push(&frame), Cached::New);
        assert_eq!(self.queue.push(frame), Pushed::Queued { dropped: 0 });
    }
}

/// Hands over what `from` has to say, as far as `to` takes it, without a copy on the way.
fn pass<A: Role, B: Role>(from: &mut Session<A>, to: &mut Session<B>, now: Instant) -> bool {
    let mut moved = false;
    while let Some(mut transmit) = from.poll_transmit() {
        let mut bytes = transmit.chunk();
        let len = bytes.len();
        to.handle_input(now, &mut bytes);
        let taken = len - bytes.len();
        transmit.advance(taken);
        if taken == 0 {
            break;
        }
        moved = true;
    }
    moved
}

/// To the next frame.
fn step(time: u64) -> u64 {
    let windows = WRAPS.map(|wrap| wrap - 20_000..wrap + 20_000);
    match windows.iter().find(|window| window.contains(&time)) {
        Some(_) => 33,
        None => windows
            .iter()
            .filter(|window| window.start > time)
            .map(|window| window.start - time)
            .fold(25_000, u64::min),
    }
}

const FIFTY_DAYS: u64 = 50 * 24 * 60 * 60 * 1000;
const WRAPS: [u64; 3] = [1 << 24, 1 << 31, 1 << 32];
/// So that both directions of media pass 4 GiB.
const PICTURE_LEN: usize = 26_000;
const ONE: MessageStreamId = MessageStreamId::new(1);
