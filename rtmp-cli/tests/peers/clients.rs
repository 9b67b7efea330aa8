//! `rtmp publish` and `rtmp play` with servers of others.

use std::{path::Path, process::Command};

use crate::{
    common::{Process, TempDir, rtmp},
    media::{Kind, Source, assert_is_tail, assert_same, of, packets},
    programs::{HeldPublisher, Nginx, Player, free_port, wait_until_listening, words},
};

#[test]
fn publish_to_nginx() {
    let directory = TempDir::new();
    // Else its players are not told of the end.
    let nginx = Nginx::start("publish_notify on;");
    let url = nginx.url("stream");
    let mut player = Player::Ffmpeg.play(&url, &directory);
    nginx.wait_for_connection();
    let mut publisher = Process::spawn(publish(&Source::Both.path(), &url));
    publisher.succeed();
    let got = packets(player.finish());
    assert_is_tail(&Source::Both.packets(), &got);
    let pictures = of(Kind::Video, &got).len();
    assert!(pictures >= 120, "{pictures} pictures");
}

#[test]
fn publish_to_ffmpeg() {
    let directory = TempDir::new();
    let file = directory.file("received.flv");
    let port = free_port();
    let url = format!("rtmp://127.0.0.1:{port}/live/stream");
    let arguments = "-y -nostdin -v info -listen 1 -i URL -c copy -copyts -f flv";
    let mut server = Process::start("ffmpeg", words(arguments, &url, &[file.as_os_str()]));
    wait_until_listening(&server, port);
    Process::spawn(publish(&Source::Both.path(), &url)).succeed();
    server.succeed();
    assert_same(&Source::Both.packets(), &packets(&file));
}

#[test]
fn play_from_nginx() {
    let directory = TempDir::new();
    let file = directory.file("played.flv");
    let nginx = Nginx::start("publish_notify on;");
    let url = nginx.url("stream");
    let publisher = HeldPublisher::start(&Source::Both.path(), 1500, &url);
    let mut command = rtmp();
    command.args(["play", &url, "--output"]).arg(&file);
    let mut player = Process::spawn(command);
    // It is made when the stream begins.
    directory.wait_for_file("played.flv", 0);
    publisher.go_on().succeed();
    player.succeed();
    let got = packets(&file);
    let pictures = of(Kind::Video, &got).len();
    assert!(pictures >= 90, "{pictures} pictures");
    // nginx sends what comes, so the first pictures may not be from a key frame on.
    let from_key: Vec<_> = got
        .iter()
        .skip_while(|packet| packet.kind != Kind::Video || !packet.is_key)
        .cloned()
        .collect();
    assert_is_tail(&Source::Both.packets(), &from_key);
}

fn publish(file: &Path, url: &str) -> Command {
    let mut command = rtmp();
    command.arg("publish").arg(file).arg(url);
    command
}
