//! Publishers other than ffmpeg, played by ffmpeg.

use crate::{
    common::{Process, Server, TempDir},
    media::{Kind, Source, assert_is_tail, assert_same, of, packets},
    programs::{FfmpegPublisher, Nginx, Player, words},
};

/// GStreamer encodes and publishes through `sink`, and keeps what it sends in a file.
#[track_caller]
fn gstreamer(sink: &str) {
    let directory = TempDir::new();
    let server = Server::start(["--republish-wait", "0.5"]);
    let url = server.url("live/stream");
    let mut player = Player::Ffmpeg.play(&url, &directory);
    server.wait_for_players(1);
    let sent = directory.file("sent.flv");
    let pipeline = format!(
        "-q -e flvmux name=mux streamable=true ! tee name=t
         t. ! queue ! {sink} location=URL
         t. ! queue ! filesink location={}
         videotestsrc is-live=true num-buffers=120 ! video/x-raw,width=320,height=240,framerate=30/1
           ! x264enc tune=zerolatency speed-preset=ultrafast key-int-max=30 ! h264parse ! mux.
         audiotestsrc is-live=true num-buffers=172 ! audio/x-raw,rate=44100,channels=1
           ! avenc_aac ! aacparse ! mux.",
        sent.display()
    );
    Process::start("gst-launch-1.0", words(&pipeline, &url, &[])).succeed();
    let (sent, got) = (packets(&sent), packets(player.finish()));
    assert!(
        of(Kind::Video, &sent).len() >= 119,
        "{} packets",
        sent.len()
    );
    for kind in [Kind::Video, Kind::Audio] {
        assert_same(&of(kind, &sent), &of(kind, &got));
    }
}

#[test]
fn gstreamer_rtmp2sink() {
    gstreamer("rtmp2sink");
}

#[test]
fn gstreamer_rtmpsink() {
    gstreamer("rtmpsink");
}

#[test]
fn nginx_push() {
    let directory = TempDir::new();
    let server = Server::start(["--republish-wait", "0.5"]);
    let nginx = Nginx::start(&format!("push {};", server.url("live")));
    let mut player = Player::Ffmpeg.play(&server.url("live/stream"), &directory);
    server.wait_for_players(1);
    let mut publisher = FfmpegPublisher::start(&Source::Both.path(), &nginx.url("stream"));
    server.wait_for_publishers(1);
    publisher.0.succeed();
    let got = packets(player.finish());
    assert_is_tail(&Source::Both.packets(), &got);
    // nginx passes on what comes after its connection is made, which takes a moment.
    let pictures = of(Kind::Video, &got).len();
    assert!(pictures >= 120, "{pictures} pictures");
}
