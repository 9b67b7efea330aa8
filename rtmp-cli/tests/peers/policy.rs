//! Who may publish and play, as ffmpeg is told.

use crate::{
    common::{Server, TempDir},
    media::{Kind, Source, assert_is_tail, of, packets},
    programs::{FfmpegPublisher, HeldPublisher, Player},
};

#[test]
fn a_newer_publisher_takes_over() {
    let (old, new) = (Source::Both.packets(), Source::Short.packets());
    let directory = TempDir::new();
    let server = Server::start(["--republish-wait", "0.5"]);
    let url = server.url("live/stream");
    let mut player = Player::Ffmpeg.play(&url, &directory);
    server.wait_for_players(1);
    let first = HeldPublisher::start(&Source::Both.path(), 2000, &url);
    let mut second = FfmpegPublisher::start(&Source::Short.path(), &url);
    server.wait_for("replaced by another publisher");
    first.go_on().exit_in_failure();
    second.0.succeed();

    let got = packets(player.finish());
    let (mut before, mut after) = (Vec::new(), Vec::new());
    for kind in [Kind::Video, Kind::Audio] {
        let mut got = of(kind, &got);
        let kept = got.len() - of(kind, &new).len();
        assert!(kept > 40, "{kind:?}: only {kept} packets before");
        after.extend(got.split_off(kept));
        let sent = of(kind, &old).into_iter().take(kept).collect::<Vec<_>>();
        assert_eq!(got, sent);
        before.extend(got);
    }
    assert_is_tail(&new, &after);
    let end = before.iter().map(|packet| packet.dts).max();
    assert!(
        after.iter().all(|packet| Some(packet.dts) > end),
        "time goes on"
    );
}

#[test]
fn a_second_publisher_is_rejected_with_a_reason() {
    let directory = TempDir::new();
    let server = Server::start(["--republish-wait", "0.5", "--on-duplicate", "reject"]);
    let url = server.url("live/stream");
    let mut player = Player::Ffmpeg.play(&url, &directory);
    server.wait_for_players(1);
    let first = HeldPublisher::start(&Source::Both.path(), 1500, &url);
    let log = FfmpegPublisher::start(&Source::Short.path(), &url)
        .0
        .exit_in_failure();
    assert!(log.contains("stream is being published"), "{log}");
    first.go_on().succeed();
    assert_eq!(packets(player.finish()), Source::Both.packets());
}

#[test]
fn keys_are_asked_for_and_never_shown() {
    let directory = TempDir::new();
    let keys = [
        "--publish-key",
        "Pub-73",
        "--play-key",
        "Play-91",
        "--republish-wait",
        "0.5",
    ];
    let server = Server::start(keys);
    let url = |key: &str| server.url(&format!("live/stream{key}"));

    for wrong in ["", "?key=Play-91", "?key="] {
        let mut publisher = FfmpegPublisher::start(&Source::Short.path(), &url(wrong));
        let log = publisher.0.exit_in_failure();
        assert!(log.contains("wrong or missing key"), "{log}");
    }
    for wrong in ["", "?key=Pub-73"] {
        let mut player = Player::Ffmpeg.play(&url(wrong), &directory);
        let log = player.process.exit_in_failure();
        assert!(log.contains("wrong or missing key"), "{log}");
    }
    let mut player = Player::Ffmpeg.play(&url("?key=Play-91"), &directory);
    server.wait_for_players(1);
    FfmpegPublisher::start(&Source::Short.path(), &url("?key=Pub-73"))
        .0
        .succeed();
    assert_eq!(packets(player.finish()), Source::Short.packets());

    let log = server.process.text();
    assert!(!log.contains("Pub-73") && !log.contains("Play-91"), "{log}");
    // Names of streams are as good as keys.
    assert!(!log.contains("live/stream"), "{log}");
}
