//! Whole connections recorded from real peers, replayed against both roles; see
//! `data/PROVENANCE.md`.
//!
//! A peer's bytes do not depend on what we answer as long as it would have said the same: server
//! sessions answer `createStream` with 1 as nginx does, and client sessions number their calls as
//! ffmpeg does.

mod common;

use std::fmt::Debug;

use common::scripted::Scripted;
use proptest::prelude::*;
use rtmp_proto::{
    ClientConfig, ClientEvent, MessageStreamId, Role, RtmpUrl, ServerConfig, ServerEvent,
    SessionState, flv::Frame,
};

const ONE: MessageStreamId = MessageStreamId::new(1);

/// What became of a recording: everything that a split of the input must not change.
#[derive(Debug, PartialEq)]
struct Outcome {
    events: Vec<String>,
    frames: Vec<Frame>,
    output: Vec<u8>,
}

impl Outcome {
    /// Numbers of audio, video and data messages.
    fn counts(&self) -> (usize, usize, usize) {
        let count = |wanted: fn(&Frame) -> bool| self.frames.iter().filter(|f| wanted(f)).count();
        let audio = count(Frame::is_audio);
        let video = count(Frame::is_video);
        (audio, video, self.frames.len() - audio - video)
    }

    fn has(&self, event: &str) -> bool {
        self.events.iter().any(|name| name.starts_with(event))
    }
}

/// Feeds `recording` in pieces of the given lengths, over and over.
fn replay<R: Role>(
    peer: &mut Scripted<R>,
    recording: &[u8],
    pieces: &[usize],
    frame: fn(&R::Event) -> Option<&Frame>,
) -> Outcome
where
    R::Event: Debug,
{
    let mut rest = recording;
    let mut lengths = pieces.iter().cycle();
    while !rest.is_empty() {
        let len = lengths
            .next()
            .copied()
            .unwrap_or(usize::MAX)
            .min(rest.len());
        let (piece, later) = rest.split_at(len);
        let taken = peer.bytes(piece);
        assert_eq!(taken, len, "{:?}", peer.session.close_reason());
        rest = later;
    }
    let mut output = bytes::BytesMut::new();
    common::take_output(&mut peer.session, &mut output);
    Outcome {
        events: peer.event_names(),
        frames: peer.events.iter().filter_map(frame).cloned().collect(),
        output: output.to_vec(),
    }
}

fn at_server(recording: &[u8], pieces: &[usize]) -> Outcome {
    let mut peer = Scripted::fresh_server(ServerConfig::default());
    replay(&mut peer, recording, pieces, |event| match event {
        ServerEvent::Frame { stream, frame } if *stream == ONE => Some(frame),
        _ => None,
    })
}

/// A server's bytes to a client that was told to play, or else to publish.
fn at_client(recording: &[u8], is_player: bool, pieces: &[usize]) -> Outcome {
    let mut peer = Scripted::fresh_client(ClientConfig::default());
    let url: RtmpUrl = "rtmp://127.0.0.1/live/a".parse().unwrap();
    let started = match is_player {
        true => peer.session.play_from(peer.now, &url),
        false => peer.session.publish_to(peer.now, &url),
    };
    started.unwrap();
    replay(&mut peer, recording, pieces, |event| match event {
        ClientEvent::Frame { stream, frame } if *stream == ONE => Some(frame),
        _ => None,
    })
}

/// GEN-10: byte by byte as in one piece.
fn assert_split_independent(replay: impl Fn(&[usize]) -> Outcome) -> Outcome {
    let whole = replay(&[]);
    for pieces in [&[1][..], &[1536], &[3, 1, 4, 1, 5, 926]] {
        assert_eq!(replay(pieces), whole, "in pieces of {pieces:?}");
    }
    whole
}

#[test]
fn publishers_reach_the_server() {
    for (recording, counts) in [
        // Ten frames between the sequence header and the end of the sequence.
        (FFMPEG_PUBLISH, (46, 12, 1)),
        (RTMP2_PUBLISH, (0, 32, 17)),
        (LIBRTMP_PUBLISH, (0, 32, 17)),
        (NGINX_PUSH, (46, 12, 1)),
    ] {
        let outcome = assert_split_independent(|pieces| at_server(recording, pieces));
        assert!(outcome.has("StateChanged(Publishing)"));
        assert_eq!(outcome.counts(), counts);
        assert!(outcome.frames.iter().any(Frame::is_key_frame));
        assert!(!outcome.has("Closed"), "{:?}", outcome.events.last());
    }
}

/// Those that say goodbye, each in its own way, are heard.
#[test]
fn publishers_stop() {
    for recording in [FFMPEG_PUBLISH, RTMP2_PUBLISH, LIBRTMP_PUBLISH] {
        let outcome = at_server(recording, &[]);
        assert!(outcome.has("PublishStopped"), "{:?}", outcome.events.last());
    }
}

#[test]
fn players_reach_the_server() {
    for recording in [FFMPEG_PLAY, RTMPDUMP_PLAY] {
        let outcome = assert_split_independent(|pieces| at_server(recording, pieces));
        assert!(outcome.has("StateChanged(Playing)"));
        assert!(outcome.has("UserControl(SetBufferLength"));
        assert!(outcome.frames.is_empty());
    }
}

/// nginx as a server, to our client in the place of ffmpeg.
#[test]
fn nginx_answers_our_clients() {
    let outcome = assert_split_independent(|pieces| at_client(PUBLISH_SERVER, false, pieces));
    assert!(outcome.has("Publishing"), "{:?}", outcome.events);

    let outcome = assert_split_independent(|pieces| at_client(PLAY_SERVER, true, pieces));
    assert!(outcome.has("Playing"), "{:?}", outcome.events);
    assert_eq!(outcome.counts(), (182, 42, 2));
    assert!(outcome.frames.iter().any(Frame::is_key_frame));
}

/// A recording that breaks off anywhere leaves the session in order, and its end is reported.
#[test]
fn recordings_cut_anywhere() {
    for recording in [FFMPEG_PUBLISH, RTMPDUMP_PLAY] {
        for cut in (0..recording.len().min(5000)).step_by(7) {
            let mut peer = Scripted::fresh_server(ServerConfig::default());
            peer.bytes(&recording[..cut]);
            peer.session.handle_eof(peer.now);
            peer.bytes(&[]);
            assert_eq!(peer.session.state(), SessionState::Closed);
            let last = peer.events.last();
            assert!(matches!(last, Some(ServerEvent::Closed(_))), "{cut}");
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn any_split_gives_the_same(
        index in 0..RECORDINGS.len(),
        pieces in prop::collection::vec(1..2000_usize, 1..30),
    ) {
        let recording = RECORDINGS[index];
        prop_assert_eq!(at_server(recording, &pieces), at_server(recording, &[]));
    }

    #[test]
    fn any_split_gives_a_client_the_same(
        pieces in prop::collection::vec(1..2000_usize, 1..30),
    ) {
        for (recording, is_player) in [(PUBLISH_SERVER, false), (PLAY_SERVER, true)] {
            let split = at_client(recording, is_player, &pieces);
            prop_assert_eq!(split, at_client(recording, is_player, &[]));
        }
    }

    /// Damage anywhere ends the session with a reason or is survived, and what came before it is
    /// what came before it.
    #[test]
    fn damaged_recordings(
        index in 0..RECORDINGS.len(),
        at in any::<prop::sample::Index>(),
        value in any::<u8>(),
    ) {
        let mut recording = RECORDINGS[index].to_vec();
        let at = at.index(recording.len());
        recording[at] = value;
        let mut intact = Scripted::fresh_server(ServerConfig::default());
        intact.bytes(&RECORDINGS[index][..at]);
        let mut peer = Scripted::fresh_server(ServerConfig::default());
        peer.bytes(&recording);
        let before = intact.event_names();
        prop_assert_eq!(&peer.event_names()[..before.len()], &before[..]);
        peer.session.handle_eof(peer.now);
        peer.bytes(&[]);
        prop_assert!(peer.session.close_reason().is_some());
    }
}

const FFMPEG_PUBLISH: &[u8] = include_bytes!("data/dialogue-ffmpeg-publish-client.bin");
const RTMP2_PUBLISH: &[u8] = include_bytes!("data/dialogue-gst-rtmp2-publish-client.bin");
const LIBRTMP_PUBLISH: &[u8] = include_bytes!("data/dialogue-gst-librtmp-publish-client.bin");
const NGINX_PUSH: &[u8] = include_bytes!("data/dialogue-nginx-push-client.bin");
const FFMPEG_PLAY: &[u8] = include_bytes!("data/dialogue-ffmpeg-play-client.bin");
const RTMPDUMP_PLAY: &[u8] = include_bytes!("data/dialogue-rtmpdump-play-client.bin");
const PUBLISH_SERVER: &[u8] = include_bytes!("data/dialogue-ffmpeg-publish-server.bin");
const PLAY_SERVER: &[u8] = include_bytes!("data/dialogue-ffmpeg-play-server.bin");

const RECORDINGS: [&[u8]; 6] = [
    FFMPEG_PUBLISH,
    RTMP2_PUBLISH,
    LIBRTMP_PUBLISH,
    NGINX_PUSH,
    FFMPEG_PLAY,
    RTMPDUMP_PLAY,
];
