//! What is shown of sessions, requests and errors holds no stream key and no token.
#![allow(clippy::indexing_slicing, reason = "a panic is a failure")]

mod common;

use std::{collections::BTreeSet, fmt::Debug};

use bytes::Bytes;
use common::{Pair, accept_all};
use rtmp_proto::{
    AmfLimits, ConnectParams, Instant, MessageStreamId, ReconnectConfig, Republisher, RtmpUrl,
    SendError, SendQueue, SessionState, StreamState, Timeout, Timestamp,
    chunk::{
        ChunkEncoder, ChunkSize, ChunkStreamId, HeaderCompression, Interleaver, MessageType,
        RawMessage, Turn,
    },
    flv::{FileReader, FileRecorder, Frame},
    message::{
        Aggregate, AggregateBuilder, SharedName, SharedObject, SharedObjectEvent, Slot,
        SwfVerification,
    },
    relay::{self, Batch, Broadcast, BroadcastLimits, GopCache, Resume},
};

/// Everything that happens while a key is published and played, on both sides.
#[test]
fn debug_output() {
    let url: RtmpUrl = "rtmp://me:hidden@host/live?token=hidden/hidden?sign=hidden"
        .parse()
        .unwrap();
    for is_publisher in [true, false] {
        let mut pair = Pair::new();
        pair.policy = |server, now, event| {
            check(&event);
            accept_all(server, now, event)
        };
        let told = match is_publisher {
            true => pair.client.publish_to(pair.now, &url),
            false => pair.client.play_from(pair.now, &url),
        };
        told.unwrap();
        check(&pair.client);
        pair.drive();
        check(&pair.client);
        check(&pair.server);
        check(&pair.client_events);
        check(&pair.server_events);
        let payload = b"hidden".as_slice().into();
        let sent = pair.client.send_audio(STREAM, Timestamp::ZERO, payload);
        assert_eq!(sent.is_ok(), is_publisher);
        if let Err(error) = sent {
            assert!(matches!(error, SendError::NotActive(_)));
            check(&error);
            assert!(!error.to_string().contains("hidden"));
        }
    }
    check(&url);
    check(&ConnectParams::publisher(&url));
    check(&ConnectParams::player(&url));
    assert!(!url.to_string().contains("hidden"));
}

/// What is kept shows how much it is, and nothing of it: frames, files, queues, credentials.
#[test]
fn contents_are_not_shown() {
    let frame = Frame::video(Timestamp::ZERO, Bytes::from_static(b"\x17\x01\0\0\0hidden"));
    let header = Frame::audio(Timestamp::ZERO, Bytes::from_static(b"\xAF\0hidden"));
    let frames = [header.clone(), frame.clone()];
    check(&frames);

    let raw = RawMessage::new(
        MessageType::VIDEO,
        STREAM,
        Timestamp::ZERO,
        frame.payload.clone(),
    );
    let mut interleaver = Interleaver::new();
    interleaver.push(ChunkStreamId::VIDEO, raw.unwrap(), Turn::InTurn);
    check(&interleaver);
    let mut queue = SendQueue::new();
    ChunkEncoder::new(HeaderCompression::Off).encode(
        ChunkStreamId::VIDEO,
        &RawMessage::new(MessageType::DATA, STREAM, Timestamp::ZERO, "hidden".into()).unwrap(),
        &mut queue,
    );
    check(&queue);
    check(&queue.transmit());
    let mut aggregate = AggregateBuilder::new();
    aggregate.push(&frame).unwrap();
    check(&Aggregate::new(aggregate.finish(STREAM).unwrap()));
    let long = vec![0; RawMessage::MAX_PAYLOAD_LEN + 1].into();
    let too_long = RawMessage::new(MessageType::VIDEO, STREAM, Timestamp::ZERO, long);
    check(&too_long.unwrap_err());

    let mut cache = GopCache::default();
    let mut waiting = relay::Queue::default();
    let mut resume = Resume::default();
    let mut broadcast = Broadcast::new(BroadcastLimits::default(), ChunkSize::INITIAL);
    broadcast.join();
    let mut recorder = FileRecorder::default();
    let mut file = recorder.head();
    for frame in &frames {
        cache.push(frame);
        let _ = waiting.push(frame.clone());
        resume.admit(frame);
        broadcast.push(frame);
        recorder.encode(frame, &mut file).unwrap();
    }
    broadcast.flush(Instant::ORIGIN);
    assert_eq!(broadcast.players(), 1);
    check(&cache);
    check(&waiting);
    check(&resume);
    check(&broadcast);
    check(&recorder);
    check(&Batch::new(frames.to_vec(), ChunkSize::INITIAL));

    // The same file, its video tag marked as encrypted.
    let at = file.len() - frame.payload.len() - 4 - 11;
    assert_eq!(file[at], 9);
    file[at] |= 0x20;
    let mut reader = FileReader::default();
    let mut input = &file[..];
    let mut opaque = 0;
    while let Some(tag) = reader.decode_tag(&mut input).unwrap() {
        check(&tag);
        assert_eq!(tag.timestamp(), Timestamp::ZERO);
        opaque += usize::from(tag.into_frame().is_none());
    }
    let last = reader.finish_tag().unwrap();
    check(&last);
    opaque += usize::from(last.is_some_and(|tag| tag.into_frame().is_none()));
    assert_eq!(opaque, 1);
    check(&reader);

    let url: RtmpUrl = "rtmp://host/live/hidden".parse().unwrap();
    let mut republisher = Republisher::<SendError>::new(url, ReconnectConfig::default());
    republisher.push(frame);
    check(&republisher);
    check(&SwfVerification::new(
        *b"hiddenhiddenhiddenhiddenhidden12",
        5,
    ));
    let name = || SharedName::new("hidden").unwrap();
    let slot = || Slot {
        name: name(),
        value: "hidden".into(),
    };
    let mut object = SharedObject::new(name());
    object.events = vec![
        SharedObjectEvent::Use,
        SharedObjectEvent::Release,
        SharedObjectEvent::RequestChange(vec![slot()]),
        SharedObjectEvent::Change(vec![slot()]),
        SharedObjectEvent::Success(name()),
        SharedObjectEvent::SendMessage(vec!["hidden".into()]),
        SharedObjectEvent::Status {
            code: name(),
            level: name(),
        },
        SharedObjectEvent::Clear,
        SharedObjectEvent::Remove(name()),
        SharedObjectEvent::RequestRemove(name()),
        SharedObjectEvent::UseSuccess,
        SharedObjectEvent::Unknown {
            event_type: 12,
            data: "hidden".into(),
        },
    ];
    check(&object);
    check(&slot());
    check(&name());
    let shown: BTreeSet<_> = object
        .events
        .iter()
        .map(|event| format!("{event:?}"))
        .collect();
    assert_eq!(shown.len(), object.events.len());
    // And it comes back as it was.
    let raw = object.to_raw().unwrap();
    let read = SharedObject::decode(&raw, &AmfLimits::COMMAND);
    assert_eq!(read, Ok(object));
}

/// What logs say of states and deadlines: each has a word of its own.
#[test]
fn names() {
    use SessionState::{Closed, Connected, Connecting, Handshaking, Open, Playing, Publishing};
    assert_distinct(&[
        Handshaking,
        Open,
        Connecting,
        Connected,
        Publishing,
        Playing,
        Closed,
    ]);
    assert_distinct(&[
        StreamState::Idle,
        StreamState::PublishRequested,
        StreamState::Publishing,
        StreamState::PlayRequested,
        StreamState::Playing,
    ]);
    assert_distinct(&[
        Timeout::Handshake,
        Timeout::Connect,
        Timeout::Request,
        Timeout::FirstMedia,
        Timeout::Idle,
        Timeout::Ping,
        Timeout::WriteStall,
    ]);
}

fn assert_distinct(values: &[impl ToString]) {
    let names: BTreeSet<_> = values.iter().map(ToString::to_string).collect();
    assert_eq!(names.len(), values.len(), "{names:?}");
    assert!(!names.contains(""));
}

fn check(value: &impl Debug) {
    let shown = format!("{value:?}");
    assert!(!shown.contains("hidden"), "{shown}");
    let shown = format!("{value:#?}");
    assert!(!shown.contains("hidden"), "{shown}");
}

const STREAM: MessageStreamId = MessageStreamId::new(1);
