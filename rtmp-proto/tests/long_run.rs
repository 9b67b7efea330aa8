//! Fifty days of a stream, from its publisher through a server to a player.
#![allow(clippy::indexing_slicing, reason = "a panic is a failure")]

mod common;

use std::{sync::Arc, time::Duration};

use bytes::{Buf, Bytes};
use rtmp_proto::{
    ClientConfig, ClientEvent, ClientSession, Instant, MessageStreamId, Role, ServerConfig,
    ServerEvent, ServerSession, Session, SessionState, Timestamp,
    chunk::HeaderCompression,
    flv::Frame,
    relay::{
        Broadcast, BroadcastLimits, Cached, Cursor, DropCounts, GopCache, Pushed, Queue, Timeline,
    },
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

/// The same stream for any number of players: one sees all of it, and others come and go around the wraps.
/// Each has headers and a key frame first, and from there on every frame at its own time.
#[test]
fn fifty_days_of_players() {
    let mut studio = Studio::new();
    let mut viewers = vec![Viewer::new(0)];
    let mut arrivals: Vec<u64> = WRAPS
        .iter()
        .flat_map(|wrap| [wrap - 100, *wrap, wrap + 100, wrap + 5000])
        .collect();
    arrivals.reverse();
    let mut time = 0_u64;
    let mut gone = 0;
    while time < FIFTY_DAYS {
        if arrivals.last().is_some_and(|arrival| time >= *arrival) {
            arrivals.pop();
            viewers.push(Viewer::new(time));
        }
        studio.publish(time);
        for viewer in &mut viewers {
            viewer.drive(&mut studio, time);
        }
        let has_seen_enough =
            |viewer: &mut Viewer| viewer.joined > 0 && time > viewer.joined + 20_000;
        for mut viewer in viewers.extract_if(.., has_seen_enough) {
            viewer.leave(&mut studio);
            viewer.assert_saw_all(&studio.sent);
            gone += 1;
        }
        time += step(time);
    }
    assert_eq!(gone, 4 * WRAPS.len());
    let [viewer] = &mut *viewers else {
        panic!("one has stayed")
    };
    assert_eq!(viewer.received.len(), studio.sent.len());
    viewer.assert_saw_all(&studio.sent);
}

/// What publishes, and what players are served from.
struct Studio {
    publisher: ClientSession,
    ingest: ServerSession,
    broadcast: Broadcast,
    now: Instant,
    count: u64,
    sent: Vec<Seen>,
}

/// A coded frame.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Seen {
    millis: u32,
    is_video: bool,
    is_key: bool,
    count: u32,
}

impl Seen {
    fn new(frame: &Frame) -> Self {
        Self {
            millis: frame.timestamp.as_millis(),
            is_video: frame.is_video(),
            is_key: frame.is_key_frame(),
            count: u32::from_be_bytes(*frame.payload.last_chunk().unwrap()),
        }
    }
}

impl Studio {
    fn new() -> Self {
        let now = Instant::ORIGIN;
        let mut config = ClientConfig::default();
        config.connection.header_compression = HeaderCompression::Deltas;
        let chunk_size = ServerConfig::default().connection.chunk_size;
        let mut studio = Self {
            publisher: Session::new(now, Arc::new(config), [1; 32]),
            ingest: Session::new(now, Arc::new(ServerConfig::default()), [2; 32]),
            broadcast: Broadcast::new(BroadcastLimits::default(), chunk_size),
            now,
            count: 0,
            sent: Vec::new(),
        };
        studio.publisher.publish_to(now, &common::url()).unwrap();
        studio.drive();
        studio.broadcast.begin();
        for header in [
            Frame::video(Timestamp::ZERO, Bytes::from_static(&VIDEO_HEADER)),
            Frame::audio(Timestamp::ZERO, Bytes::from_static(&AUDIO_HEADER)),
        ] {
            studio.publisher.send_frame(ONE, &header).unwrap();
        }
        studio.drive();
        studio
    }

    fn publish(&mut self, time: u64) {
        self.now = Instant::from_origin(Duration::from_millis(time));
        self.publisher.handle_timeout(self.now);
        self.ingest.handle_timeout(self.now);
        let timestamp = Timestamp::from_millis((time & 0xFFFF_FFFF).try_into().unwrap());
        let is_key = self.count.is_multiple_of(10);
        let count = u32::try_from(self.count).unwrap().to_be_bytes();
        let video = [&[if is_key { 0x17 } else { 0x27 }, 1, 0, 0, 0][..], &count].concat();
        let audio = [&[0xAF, 1][..], &count].concat();
        for frame in [
            Frame::video(timestamp, video.into()),
            Frame::audio(timestamp, audio.into()),
        ] {
            self.publisher.send_frame(ONE, &frame).unwrap();
            self.sent.push(Seen::new(&frame));
        }
        self.count += 1;
        self.drive();
        self.broadcast.flush(self.now);
    }

    fn drive(&mut self) {
        let now = self.now;
        loop {
            let mut moved = pass(&mut self.publisher, &mut self.ingest, now);
            moved |= pass(&mut self.ingest, &mut self.publisher, now);
            while let Some(event) = self.publisher.poll_event() {
                moved = true;
                assert!(!matches!(event, ClientEvent::Closed(_)), "{event:?}");
            }
            while let Some(event) = self.ingest.poll_event() {
                moved = true;
                match common::accept_all(&mut self.ingest, now, event) {
                    Some(ServerEvent::Frame { frame, .. }) => self.broadcast.push(&frame),
                    Some(ServerEvent::Closed(reason)) => panic!("{reason:?}"),
                    _ => {}
                }
            }
            if !moved {
                return;
            }
        }
    }
}

struct Viewer {
    joined: u64,
    egress: ServerSession,
    player: ClientSession,
    cursor: Option<Cursor>,
    /// Headers that came before the first coded frame, and their time.
    headers: Vec<(Bytes, u32)>,
    received: Vec<Seen>,
}

impl Viewer {
    fn new(time: u64) -> Self {
        let now = Instant::from_origin(Duration::from_millis(time));
        let mut player = ClientSession::new(now, Arc::new(ClientConfig::default()), [4; 32]);
        player.play_from(now, &common::url()).unwrap();
        Self {
            joined: time,
            egress: Session::new(now, Arc::new(ServerConfig::default()), [3; 32]),
            player,
            cursor: None,
            headers: Vec::new(),
            received: Vec::new(),
        }
    }

    fn drive(&mut self, studio: &mut Studio, time: u64) {
        let now = Instant::from_origin(Duration::from_millis(time));
        self.egress.handle_timeout(now);
        self.player.handle_timeout(now);
        loop {
            let mut moved = pass(&mut self.egress, &mut self.player, now);
            moved |= pass(&mut self.player, &mut self.egress, now);
            while let Some(event) = self.egress.poll_event() {
                moved = true;
                let event = common::accept_all(&mut self.egress, now, event);
                assert!(!matches!(event, Some(ServerEvent::Closed(_))), "{event:?}");
            }
            if self.egress.state() == SessionState::Playing {
                let cursor = self.cursor.get_or_insert_with(|| studio.broadcast.join());
                while let Some(portion) = studio.broadcast.next(cursor, now) {
                    moved = true;
                    self.egress.send_portion(ONE, &portion).unwrap();
                }
            }
            while let Some(event) = self.player.poll_event() {
                moved = true;
                match event {
                    ClientEvent::Frame { frame, .. } if frame.is_coded_media() => {
                        self.received.push(Seen::new(&frame));
                    }
                    ClientEvent::Frame { frame, .. } if frame.is_configuration() => {
                        assert!(self.received.is_empty(), "a header comes once");
                        self.headers
                            .push((frame.payload, frame.timestamp.as_millis()));
                    }
                    ClientEvent::Closed(reason) => panic!("{reason:?}"),
                    _ => {}
                }
            }
            if !moved {
                return;
            }
        }
    }

    fn leave(&mut self, studio: &mut Studio) {
        let cursor = self.cursor.take().expect("it has played");
        assert_eq!(cursor.dropped(), DropCounts::default());
        studio.broadcast.leave(&cursor);
    }

    /// All that was sent from a key frame on, which was the latest when the player came, up to when it left.
    fn assert_saw_all(&self, sent: &[Seen]) {
        let first = self.received.first().expect("a picture at once");
        assert!(first.is_key && first.is_video);
        let start = sent.iter().position(|frame| frame == first).unwrap();
        let end = start + self.received.len();
        assert_eq!(self.received, sent[start..end]);
        let headers: Vec<_> = self
            .headers
            .iter()
            .map(|(payload, _)| &payload[..])
            .collect();
        assert_eq!(headers, [&VIDEO_HEADER[..], &AUDIO_HEADER]);
        if self.joined > 0 {
            assert!(
                self.headers
                    .iter()
                    .all(|(_, millis)| *millis == first.millis)
            );
            // A group is ten pictures.
            let (joined, began) = (self.joined, u64::from(first.millis));
            let behind = (joined & 0xFFFF_FFFF).wrapping_sub(began) & 0xFFFF_FFFF;
            assert!(behind <= 10 * 33, "{behind} ms");
        }
    }
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
const VIDEO_HEADER: [u8; 6] = [0x17, 0, 0, 0, 0, 1];
const AUDIO_HEADER: [u8; 4] = [0xAF, 0, 0x12, 0x10];
const ONE: MessageStreamId = MessageStreamId::new(1);
