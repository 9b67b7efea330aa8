//! Sessions that send small messages between the chunks of large ones.
#![allow(clippy::indexing_slicing, reason = "a panic is a failure")]

mod common;

use bytes::{Buf, Bytes, BytesMut};
use common::{Pair, accept_all, take_output, url};
use proptest::prelude::*;
use rtmp_proto::{
    ClientConfig, MessageStreamId, SendError, ServerConfig, ServerEvent, SessionState, Timestamp,
    UserControl, chunk::ChunkSize,
};

const STREAM: MessageStreamId = MessageStreamId::new(1);

fn client_config(is_interleaving: bool, chunk_size: u32) -> ClientConfig {
    let mut config = ClientConfig::default();
    config.connection.interleaving = is_interleaving;
    config.connection.chunk_size = ChunkSize::new(chunk_size).unwrap();
    config
}

fn publishing(config: ClientConfig) -> Pair {
    let mut pair = Pair::with(config, ServerConfig::default());
    pair.client.publish_to(pair.now, &url()).unwrap();
    pair.drive();
    assert_eq!(pair.client.state(), SessionState::Publishing);
    pair.server_events.clear();
    pair
}

/// Takes `len` bytes of the client's output, as a slow transport does.
fn take(pair: &mut Pair, wire: &mut BytesMut, len: usize) {
    let target = wire.len() + len;
    while wire.len() < target {
        let Some(mut transmit) = pair.client.poll_transmit() else {
            return;
        };
        let step = transmit.chunk().len().min(target - wire.len());
        wire.extend_from_slice(&transmit.chunk()[..step]);
        transmit.advance(step);
    }
}

/// Gives the server `wire` and names what comes of it.
fn arrivals(pair: &mut Pair, wire: &mut BytesMut) -> Vec<&'static str> {
    let mut names = Vec::new();
    loop {
        pair.server.handle_input(pair.now, wire);
        while let Some(event) = pair.server.poll_event() {
            names.extend(match &event {
                ServerEvent::Frame { frame, .. } if frame.is_audio() => Some("audio"),
                ServerEvent::Frame { frame, .. } if frame.is_video() => Some("video"),
                ServerEvent::UserControl(_) => Some("user control"),
                ServerEvent::PublishStopped { .. } => Some("stopped"),
                _ => None,
            });
            accept_all(&mut pair.server, pair.now, event);
        }
        if wire.is_empty() {
            return names;
        }
    }
}

#[test]
fn small_messages_pass_a_key_frame() {
    for (is_interleaving, expected) in [
        (true, ["user control", "audio", "video"]),
        (false, ["video", "audio", "user control"]),
    ] {
        let mut pair = publishing(client_config(is_interleaving, 4096));
        let mut wire = BytesMut::new();
        let key_frame = Bytes::from(vec![0x17; 300_000]);
        pair.client
            .send_video(STREAM, Timestamp::ZERO, key_frame)
            .unwrap();
        take(&mut pair, &mut wire, 50_000);
        let audio = Bytes::from(vec![0xAF; 300]);
        pair.client
            .send_audio(STREAM, Timestamp::ZERO, audio)
            .unwrap();
        let (stream, millis) = (STREAM, 100);
        let event = UserControl::SetBufferLength { stream, millis };
        pair.client.send_user_control(&event).unwrap();
        take_output(&mut pair.client, &mut wire);
        assert_eq!(arrivals(&mut pair, &mut wire), expected);
    }
}

/// The end of a stream comes after all of it.
#[test]
fn the_end_waits_for_the_media() {
    let mut pair = publishing(client_config(true, 4096));
    let mut wire = BytesMut::new();
    for millis in 0..3 {
        let timestamp = Timestamp::from_millis(millis);
        let frame = Bytes::from(vec![0x17; 100_000]);
        pair.client.send_video(STREAM, timestamp, frame).unwrap();
    }
    pair.client.close(pair.now);
    take_output(&mut pair.client, &mut wire);
    let names = arrivals(&mut pair, &mut wire);
    assert_eq!(names, ["video", "video", "video", "stopped"]);
}

/// What waits for its turn counts as queued, and is bounded as the rest.
#[test]
fn what_waits_is_bounded() {
    let mut config = client_config(true, 4096);
    config.connection.limits.output_queue = 500_000;
    let mut pair = publishing(config);
    let frame = Bytes::from(vec![0x17; 100_000]);
    let mut sent = 0;
    let refused = loop {
        match pair
            .client
            .send_video(STREAM, Timestamp::ZERO, frame.clone())
        {
            Ok(()) => sent += 1,
            Err(error) => break error,
        }
    };
    assert_eq!(sent, 5);
    assert!(matches!(refused, SendError::QueueFull(_)));
    assert!((500_000..510_000).contains(&pair.client.queued_len()));
    pair.drive();
    assert_eq!(pair.client.queued_len(), 0);
}

/// A player that sends nothing else acknowledges all the same, again and again.
#[test]
fn acknowledgements_go_on() {
    let mut pair = Pair::with(client_config(true, 4096), ServerConfig::default());
    pair.client.play_from(pair.now, &url()).unwrap();
    pair.drive();
    let mut acknowledged = Vec::new();
    for millis in 0..10 {
        let timestamp = Timestamp::from_millis(millis);
        let frame = Bytes::from(vec![0x17; 2_000_000]);
        pair.server.send_video(STREAM, timestamp, frame).unwrap();
        pair.drive();
        acknowledged.push(pair.server.stats().acknowledged);
    }
    assert!(acknowledged.is_sorted_by(|a, b| a < b), "{acknowledged:?}");
    assert_eq!(pair.client.queued_len(), 0);
}

proptest! {
    /// Whatever is sent, in whatever pieces the transport takes it: the frames of each kind arrive
    /// as they were sent, with turns and without.
    #[test]
    fn frames_arrive_in_order(
        sends in prop::collection::vec((any::<bool>(), 1..20_000_usize, 0..30_000_usize), 1..12),
        chunk_size in 1..6000_u32,
    ) {
        let run = |is_interleaving| {
            let mut pair = publishing(client_config(is_interleaving, chunk_size.max(128)));
            let mut wire = BytesMut::new();
            for (index, &(is_audio, len, taken)) in sends.iter().enumerate() {
                let mark = u8::try_from(index).unwrap();
                let timestamp = Timestamp::from_millis(u32::from(mark) * 20);
                let payload = Bytes::from(vec![mark; len]);
                match is_audio {
                    true => pair.client.send_audio(STREAM, timestamp, payload),
                    false => pair.client.send_video(STREAM, timestamp, payload),
                }
                .unwrap();
                take(&mut pair, &mut wire, taken);
            }
            take_output(&mut pair.client, &mut wire);
            let mut kinds = [Vec::new(), Vec::new()];
            loop {
                pair.server.handle_input(pair.now, &mut wire);
                while let Some(event) = pair.server.poll_event() {
                    if let ServerEvent::Frame { frame, .. } = event {
                        kinds[usize::from(frame.is_audio())].push(frame);
                    }
                }
                if wire.is_empty() {
                    return kinds;
                }
            }
        };
        let kinds = run(true);
        prop_assert_eq!(kinds[0].len() + kinds[1].len(), sends.len());
        prop_assert_eq!(kinds, run(false));
    }
}
