//! What ffmpeg publishes, played by every player.

use crate::{
    common::{Server, TempDir},
    media::{Kind, Source, assert_in_turn, assert_is_tail, assert_same, of, packets, streams},
    programs::{FfmpegPublisher, HeldPublisher, Player},
};

/// Publishes `source` to a player that waits for it, and returns what the player got.
#[track_caller]
fn published_and_played(source: Source) -> TempDir {
    let source = source.path();
    let directory = TempDir::new();
    let server = Server::start(["--republish-wait", "0.5"]);
    let url = server.url("live/stream");
    let mut player = Player::Ffmpeg.play(&url, &directory);
    server.wait_for_players(1);
    FfmpegPublisher::start(&source, &url).0.succeed();
    player.finish();
    directory
}

#[test]
fn an_early_player_gets_every_packet_with_its_composition_time() {
    let got = published_and_played(Source::Both);
    let got = packets(&got.file("Ffmpeg.flv"));
    assert!(
        got.iter().any(|packet| packet.pts - packet.dts > 67),
        "there are B-frames"
    );
    assert_same(&Source::Both.packets(), &got);
}

#[test]
fn audio_only() {
    let got = published_and_played(Source::Audio);
    assert_same(&Source::Audio.packets(), &packets(&got.file("Ffmpeg.flv")));
    assert_eq!(streams(&got.file("Ffmpeg.flv")), ["audio"]);
}

#[test]
fn video_only() {
    let got = published_and_played(Source::Video);
    assert_same(&Source::Video.packets(), &packets(&got.file("Ffmpeg.flv")));
    assert_eq!(streams(&got.file("Ffmpeg.flv")), ["video"]);
}

#[test]
fn twenty_megabits_a_second() {
    let expected = Source::Heavy.packets();
    let size: u64 = expected.iter().map(|packet| packet.size).sum();
    assert!(
        size > 4 * 20_000_000 / 8 * 9 / 10,
        "the source is lighter: {size}"
    );
    let got = published_and_played(Source::Heavy);
    assert_same(&expected, &packets(&got.file("Ffmpeg.flv")));
}

#[test]
fn late_players_begin_with_a_key_frame_at_once() {
    let expected = Source::Both.packets();
    let directory = TempDir::new();
    let server = Server::start(["--republish-wait", "0.5"]);
    let url = server.url("live/stream");
    let publisher = HeldPublisher::start(&Source::Both.path(), 2500, &url);
    let mut players = Player::ALL.map(|player| player.play(&url, &directory));
    server.wait_for_players(players.len());
    publisher.go_on().succeed();
    // One of them plays again as soon as the stream is over.
    server.wait_for_players(players.len() + 1);
    for playing in &mut players {
        let player = playing.player;
        let file = playing.finish();
        let got = packets(file);
        println!("{player:?}: {} packets", got.len());
        let offset = assert_is_tail(&expected, &got);
        // mpv's recorder begins at 0.
        assert!(
            offset == 0 || player == Player::Mpv,
            "{player:?}: moved by {offset} ms"
        );
        assert_eq!(streams(file), ["audio", "video"], "{player:?}");
        // It has a whole group at least, and was not there for the first one.
        let pictures = of(Kind::Video, &got).len();
        assert!(
            (30..=150).contains(&pictures),
            "{player:?}: {pictures} pictures"
        );
    }
}

#[test]
fn players_stay_through_a_republish() {
    let (first, second) = (Source::Both.packets(), Source::Short.packets());
    let directory = TempDir::new();
    let server = Server::start(["--republish-wait", "10"]);
    let url = server.url("live/stream");
    let mut players = Player::ALL.map(|player| player.play(&url, &directory));
    server.wait_for_players(players.len());
    FfmpegPublisher::start(&Source::Both.path(), &url)
        .0
        .succeed();
    FfmpegPublisher::start(&Source::Short.path(), &url)
        .0
        .succeed();
    // One of them plays again as soon as the stream is over.
    server.wait_for_players(players.len() + 1);
    for playing in &mut players {
        println!("{:?}", playing.player);
        let file = playing.finish();
        assert_in_turn(&first, &second, &packets(file));
        assert_eq!(streams(file), ["audio", "video"], "{:?}", playing.player);
    }
}
