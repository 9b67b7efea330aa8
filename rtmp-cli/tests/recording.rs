//! Recordings that end otherwise than planned.
#![cfg(unix)]

mod common;

use std::process::Command;

use common::{
    Server, TempDir,
    live::{frames, header, key_frame, next, picture, play, publish, url},
    rtmp,
};
use rtmp_proto::flv::Frame;

/// What was written up to a `kill -9` can be played, whole frames from the first on. The signal may
/// interrupt a write, so the last tag may be a part of one.
#[tokio::test(flavor = "multi_thread")]
async fn a_killed_server_leaves_a_playable_file() {
    let directory = TempDir::new();
    let server = Server::start(["--record".as_ref(), directory.path().as_os_str()]);
    let mut publisher = publish(&url(&server, "live/stream")).await;
    let sent = stream(200);
    for frame in &sent {
        publisher.send(frame).await.unwrap();
    }
    let file = directory.wait_for_file(".flv", 500_000);
    server.process.signal("KILL");
    drop(server);
    let (got, _) = frames(&file);
    assert!(got.len() > 80, "{} frames", got.len());
    assert_eq!(sent.get(..got.len()), Some(&got[..]));
}

/// A file that cannot grow, as on a full disk: the recording says so and ends with a whole frame, and
/// the stream goes on.
#[tokio::test(flavor = "multi_thread")]
async fn a_full_disk_ends_the_recording_and_nothing_else() {
    let directory = TempDir::new();
    let mut command = Command::new("sh");
    let program = rtmp().get_program().to_owned();
    // Blocks of 512 bytes: 200 KiB. Without the signal, it is an error of the write.
    let limited = r#"trap "" XFSZ && ulimit -f 400 && exec "$0" "$@""#;
    command.args(["-c", limited]).arg(program);
    command.env_remove("RUST_LOG");
    let arguments = [
        "--flush-interval".as_ref(),
        "0".as_ref(),
        "--record".as_ref(),
        directory.path().as_os_str(),
    ];
    let mut server = Server::spawn(command, "127.0.0.1:0", arguments);
    let url = url(&server, "live/stream");
    let mut player = play(&url).await;
    let mut publisher = publish(&url).await;
    let sent = stream(200);
    for frame in &sent {
        publisher.send(frame).await.unwrap();
        assert_eq!(&next(&mut player).await, frame);
    }
    server.wait_for("recording stopped: cannot write: File too large");
    let (got, is_whole) = frames(&directory.wait_for_file(".flv", 0));
    assert!(is_whole, "the file ends inside a tag");
    assert!(got.len() < sent.len());
    assert_eq!(sent.get(..got.len()), Some(&got[..]));
    // And ends in good order.
    publisher.finish().await.unwrap();
    server.wait_for("publishing ended");
    drop(player);
    server.process.signal("TERM");
    server.process.succeed();
    let log = server.process.text();
    let complaints = log.lines().filter(|line| line.contains("recording"));
    // "recording", and that it has stopped.
    assert_eq!(
        complaints.filter(|line| line.contains("stopped")).count(),
        1
    );
}

/// A header and pictures of 6 kB, a key frame every 50.
fn stream(pictures: u32) -> Vec<Frame> {
    let mut frames = vec![header()];
    frames.extend((0..pictures).map(|n| match n % 50 {
        0 => key_frame(n * 40, 6000),
        _ => picture(n * 40, 6000),
    }));
    frames
}
