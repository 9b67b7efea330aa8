//! Times beyond 24 and 32 bits.

use std::{fs, path::PathBuf};

use rtmp_proto::{
    Timestamp, TimestampDelta,
    flv::{FileWriter, Frame},
};

use crate::{
    common::{Process, Server, TempDir, rtmp},
    media::{Packet, Source, assert_is_tail, assert_same, frames, packets},
    programs::{HeldPublisher, Player},
};

/// 1.2 s before a timestamp needs the extended field.
#[test]
fn a_stream_grows_over_24_bits() {
    let (millis, offset) = (
        16_776_000,
        "-flvflags no_duration_filesize -output_ts_offset 16776",
    );
    let expected: Vec<Packet> = Source::Both
        .packets()
        .into_iter()
        .map(|packet| packet.moved(millis))
        .collect();
    let directory = TempDir::new();
    let server = Server::start(["--republish-wait", "0.5"]);
    let url = server.url("live/stream");
    let mut players =
        [Player::Rtmpdump, Player::Ffmpeg].map(|player| player.play(&url, &directory));
    server.wait_for_players(2);
    let publisher = HeldPublisher::with(&Source::Both.path(), 3000, offset, &url);
    let mut late = Player::Rtmp2Src.play(&url, &directory);
    server.wait_for_players(3);
    publisher.go_on().succeed();
    for player in &mut players {
        println!("{:?}", player.player);
        assert_same(&expected, &packets(player.finish()));
    }
    assert_eq!(assert_is_tail(&expected, &packets(late.finish())), 0);
}

/// 2 s before a timestamp is 0 again, published and played by us and played by rtmpdump.
#[test]
fn a_stream_wraps_at_32_bits() {
    let directory = TempDir::new();
    let start = Timestamp::from_millis(0u32.wrapping_sub(2000));
    let (source, _) = frames(&Source::Both.path());
    let file = moved(&source, start, &directory);

    let server = Server::start(["--republish-wait", "0.5"]);
    let url = server.url("live/stream");
    let mut rtmpdump = Player::Rtmpdump.play(&url, &directory);
    let played = directory.file("played.flv");
    let mut command = rtmp();
    command.args(["play", &url, "--output"]).arg(&played);
    let mut player = Process::spawn(command);
    server.wait_for_players(2);
    let mut command = rtmp();
    command.arg("publish").arg(file).arg(&url);
    Process::spawn(command).succeed();
    player.succeed();
    assert_same_course(&source, &frames(&played).0);
    assert_same_course(&source, &frames(rtmpdump.finish()).0);
}

/// A file with these frames, all of them later.
fn moved(source: &[Frame], start: Timestamp, directory: &TempDir) -> PathBuf {
    let mut writer = FileWriter::keeping_timestamps();
    let mut bytes = FileWriter::header(true, true).to_vec();
    for frame in source {
        let time = TimestampDelta::from_millis(frame.timestamp.as_millis());
        let frame = frame.clone().with_timestamp(start.wrapping_add(time));
        writer
            .encode(&frame, &mut bytes)
            .expect("it came from a file");
    }
    let path = directory.file("moved.flv");
    fs::write(&path, bytes).expect("the directory is ours");
    path
}

/// Asserts the same payloads, as long after the first coded one as in `expected`.
#[track_caller]
fn assert_same_course(expected: &[Frame], got: &[Frame]) {
    let course = |frames: &[Frame]| -> Vec<(u32, usize)> {
        let coded: Vec<_> = frames
            .iter()
            .filter(|frame| frame.is_coded_media())
            .collect();
        let first = coded
            .first()
            .map_or(Timestamp::ZERO, |frame| frame.timestamp);
        let since = |frame: &Frame| frame.timestamp.as_millis().wrapping_sub(first.as_millis());
        coded
            .iter()
            .map(|frame| (since(frame), frame.payload.len()))
            .collect()
    };
    let (expected, got) = (course(expected), course(got));
    for (index, (expected, got)) in expected.iter().zip(&got).enumerate() {
        assert_eq!(expected, got, "frame {index}: milliseconds and length");
    }
    assert_eq!(expected.len(), got.len(), "number of frames");
}
