//! Our bytes as Wireshark's dissector reads them.

use std::{path::Path, process::Command};

use crate::{
    common::{Process, Server, TempDir},
    media::Source,
    programs::{FfmpegPublisher, Player},
};

#[test]
fn wireshark_finds_nothing_malformed() {
    let directory = TempDir::new();
    let server = Server::start(["--republish-wait", "0.5"]);
    let url = server.url("live/stream");
    let file = directory.file("capture.pcapng");
    let filter = format!("tcp port {}", server.port);
    // What it sees it tells on its standard output, which is to be the log.
    let mut capture = Command::new("sh");
    capture.args(["-c", r#"exec tshark "$@" >&2"#, "tshark"]);
    capture
        // Room for everything, should it not be looked at in time.
        .args(["-B", "64"])
        .args(["-l", "-P", "-i", "lo", "-f", &filter, "-w"])
        .arg(&file);
    capture.args(as_rtmp(server.port));
    let mut capture = Process::spawn(capture);
    // The header is written when the device is open.
    directory.wait_for_file("capture.pcapng", 1);

    let mut players =
        [Player::Ffmpeg, Player::Rtmpdump].map(|player| player.play(&url, &directory));
    server.wait_for_players(2);
    FfmpegPublisher::start(&Source::Short.path(), &url)
        .0
        .succeed();
    for player in &mut players {
        player.finish();
    }
    // What the kernel still holds would be lost.
    capture.wait_for("end of the dialogue", 2, |line| {
        line.contains("Play.UnpublishNotify")
    });
    capture.signal("INT");
    capture.succeed();

    let dissect = |filter: &str| dissect(&file, server.port, filter);
    let dissected = dissect("rtmpt");
    for word in [
        "connect('live')",
        "createStream()",
        "publish('stream')",
        "play('stream')",
        "onStatus('NetStream.Publish.Start')",
        "onStatus('NetStream.Play.Start')",
        "onStatus('NetStream.Play.UnpublishNotify')",
        "Video Data",
        "Audio Data",
    ] {
        assert!(dissected.contains(word), "no {word} in\n{dissected}");
    }
    // Nothing that the dissector took for something else, or could not make sense of.
    assert!(!dissected.contains("Unknown"), "{dissected}");
    assert_eq!(dissect("_ws.malformed"), "");
}

fn dissect(capture: &Path, port: u16, filter: &str) -> String {
    let output = Command::new("tshark")
        .arg("-r")
        .arg(capture)
        .args(as_rtmp(port))
        .args(["-Y", filter])
        .output()
        .expect("tshark is needed for this test");
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{errors}");
    String::from_utf8_lossy(&output.stdout).into_owned()
}

/// Options for the dissector, which overlooks chunk sizes from `max_packet_size` on.
fn as_rtmp(port: u16) -> [String; 4] {
    let decode_as = format!("tcp.port=={port},rtmpt");
    [
        "-d".into(),
        decode_as,
        "-o".into(),
        "rtmpt.max_packet_size:16777215".into(),
    ]
}
