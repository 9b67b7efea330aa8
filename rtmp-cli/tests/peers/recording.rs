//! What `--record` leaves behind.

use crate::{
    common::{Server, TempDir},
    media::{Kind, Source, assert_same, duration, frames, packets, packets_from},
    programs::{FfmpegPublisher, HeldPublisher, Player},
};

/// The signal may interrupt a write, so the last tag may be a part of one.
#[test]
fn a_killed_server_leaves_a_playable_file() {
    let directory = TempDir::new();
    let server = Server::start(["--record".as_ref(), directory.path().as_os_str()]);
    let _publisher = HeldPublisher::start(&Source::Both.path(), 2000, &server.url("live/stream"));
    let file = directory.wait_for_file(".flv", 300_000);
    server.process.signal("KILL");
    drop(server);

    let (expected, mut got) = (Source::Both.packets(), packets(&file));
    if !frames(&file).1 {
        // ffmpeg makes something of a part, too.
        got.pop();
    }
    assert!(got.len() > 80, "{} packets", got.len());
    let expected = expected
        .get(..got.len())
        .expect("no more than was published");
    assert_same(expected, &got);
}

#[test]
fn termination_ends_streams_and_recordings_properly() {
    let (directory, recordings) = (TempDir::new(), TempDir::new());
    let mut server = Server::start(["--record".as_ref(), recordings.path().as_os_str()]);
    let url = server.url("live/stream");
    let mut player = Player::Ffmpeg.play(&url, &directory);
    server.wait_for_players(1);
    let _publisher = HeldPublisher::start(&Source::Both.path(), 2000, &url);
    server.process.signal("TERM");
    server.process.succeed();

    let played = packets(player.finish());
    let file = recordings.wait_for_file(".flv", 0);
    let (_, is_whole) = frames(&file);
    assert!(is_whole, "the recording ends inside a tag");
    let recorded = packets(&file);
    assert!(recorded.len() > 120, "{} packets", recorded.len());
    assert_same(&recorded, &played);
    let expected = Source::Both.packets();
    assert_same(
        expected
            .get(..recorded.len())
            .expect("no more than was published"),
        &recorded,
    );
}

#[test]
fn a_recording_is_the_stream() {
    let directory = TempDir::new();
    let server = Server::start(["--record".as_ref(), directory.path().as_os_str()]);
    let url = server.url("live/../stream");
    FfmpegPublisher::start(&Source::Short.path(), &url)
        .0
        .succeed();
    server.wait_for("recording ended");
    let file = directory.wait_for_file(".flv", 0);
    assert_same(&Source::Short.packets(), &packets(&file));
}

/// FLV-63, FLV-71: a finished recording has its duration and an index of its key frames.
#[test]
fn a_recording_can_be_searched() {
    let directory = TempDir::new();
    let server = Server::start(["--record".as_ref(), directory.path().as_os_str()]);
    let url = server.url("live/stream");
    FfmpegPublisher::start(&Source::Both.path(), &url)
        .0
        .succeed();
    server.wait_for("recording ended");
    let file = directory.wait_for_file(".flv", 0);
    let seconds = duration(&file);
    assert!((5.9..6.2).contains(&seconds), "{seconds} s");
    let key = Source::Both
        .packets()
        .into_iter()
        .rfind(|packet| packet.kind == Kind::Video && packet.is_key && packet.dts < 4500)
        .expect("there is one each second");
    let found = packets_from(&file, 4.5)
        .into_iter()
        .find(|packet| packet.kind == Kind::Video);
    assert_eq!(found, Some(key));
}
