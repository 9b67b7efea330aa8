//! `rtmp serve` as clients see it.

mod common;

use std::{fs, io::Write, net::TcpStream, process::Command};

use bytes::Bytes;
use common::{
    Process, Server, TempDir,
    live::{bounded, config, header, key_frame, next, picture, play, publish, refused, url},
    rtmp,
};
use rtmp_proto::{RtmpUrl, Timestamp, flv::Frame};
use rtmp_tokio::{Error, Player, Publisher, tls};

#[tokio::test(flavor = "multi_thread")]
async fn a_late_joiner_begins_with_the_last_key_frame() {
    let server = start([]);
    let url = url(&server, "live/stream");
    let mut publisher = publish(&url).await;
    let mut early = play(&url).await;
    server.wait_for_players(1);
    let mut sent = vec![header()];
    for group in 0..3 {
        sent.push(key_frame(group * 120, 2000));
        sent.push(picture(group * 120 + 40, 700));
        sent.push(sound(group * 120 + 50));
        sent.push(picture(group * 120 + 80, 700));
    }
    for frame in &sent {
        publisher.send(frame).await.unwrap();
        assert_eq!(&next(&mut early).await, frame);
    }

    let mut late = play(&url).await;
    // The header is told at the time of what follows.
    let got = next(&mut late).await;
    assert_eq!(got.payload, header().payload);
    for expected in &sent[9..] {
        assert_eq!(&next(&mut late).await, expected);
    }
    let live = picture(360, 10);
    publisher.send(&live).await.unwrap();
    assert_eq!(next(&mut late).await, live);
    assert_eq!(next(&mut early).await, live);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_player_that_stops_reading_holds_up_nobody() {
    let server = start(["--flush-interval", "0"]);
    let url = url(&server, "live/stream");
    let mut publisher = publish(&url).await;
    let mut quick = play(&url).await;
    let mut slow = play(&url).await;
    server.wait_for_players(2);

    // 16 seconds and 40 MB: more than sockets and the queue hold.
    let (count, group) = (400, 25);
    let frame = |index: u32| match index % group {
        0 => key_frame(index * 40, 100_000),
        _ => picture(index * 40, 100_000),
    };
    publisher.send(&header()).await.unwrap();
    next(&mut quick).await;
    for index in 0..count {
        publisher.send(&frame(index)).await.unwrap();
        assert_eq!(next(&mut quick).await, frame(index));
    }

    // Where something is missing, it goes on with a key frame, and it ends with the latest.
    next(&mut slow).await;
    let (mut expected, mut skipped) = (0, 0);
    while expected < count {
        let got = next(&mut slow).await;
        if got == header().with_timestamp(got.timestamp) {
            // It begins anew.
            continue;
        }
        let index = got.timestamp.as_millis() / 40;
        assert_eq!(got, frame(index));
        if index != expected {
            assert!(
                index > expected && got.is_key_frame(),
                "{index} after {expected}"
            );
            skipped += index - expected;
        }
        expected = index + 1;
    }
    assert!(skipped > 50, "only {skipped} frames skipped");
    slow.finish().await.unwrap();
    server.wait_for(&format!("({skipped} video and 0 audio frames dropped)"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_newer_publisher_takes_over() {
    let server = start([]);
    let url = url(&server, "live/stream");
    let mut player = play(&url).await;
    let mut first = publish(&url).await;
    first.send(&key_frame(7000, 9)).await.unwrap();
    assert_eq!(next(&mut player).await, key_frame(7000, 9));
    let mut second = publish(&url).await;
    assert!(matches!(bounded(first.ended()).await, Error::Closed(_)));
    // Time goes on.
    second.send(&key_frame(0, 9)).await.unwrap();
    second.send(&picture(40, 9)).await.unwrap();
    assert_eq!(next(&mut player).await, key_frame(7040, 9));
    assert_eq!(next(&mut player).await, picture(7080, 9));
    server.wait_for("replaced by another publisher");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_second_publisher_is_rejected() {
    let server = start(["--on-duplicate", "reject"]);
    let url = url(&server, "live/stream");
    let mut player = play(&url).await;
    let mut first = publish(&url).await;
    let error = refused(Publisher::connect(&url, config(), None)).await;
    assert!(error.contains("stream is being published"), "{error}");
    first.send(&key_frame(0, 9)).await.unwrap();
    assert_eq!(next(&mut player).await, key_frame(0, 9));
    first.finish().await.unwrap();
    server.wait_for("publishing ended");
    publish(&url).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn keys() {
    let mut command = rtmp();
    command.env("RTMP_PUBLISH_KEY", "Pub-73");
    let server = Server::spawn(command, "127.0.0.1:0", ["--play-key", "Play-91"]);
    for name in [
        "live/stream",
        "live/stream?key=Play-91",
        "live/stream?key=Pub-7",
    ] {
        let error = refused(Publisher::connect(&url(&server, name), config(), None)).await;
        assert!(error.contains("wrong or missing key"), "{error}");
    }
    for name in ["live/stream", "live/stream?key=Pub-73"] {
        let error = refused(Player::connect(&url(&server, name), config(), None)).await;
        assert!(error.contains("wrong or missing key"), "{error}");
    }
    let mut player = play(&url(&server, "live/stream?key=Play-91")).await;
    let mut publisher = publish(&url(&server, "live/stream?key=Pub-73")).await;
    publisher.send(&key_frame(0, 9)).await.unwrap();
    assert_eq!(next(&mut player).await, key_frame(0, 9));
    let log = server.process.text();
    assert!(!log.contains("Pub-73") && !log.contains("Play-91"), "{log}");
}

#[tokio::test(flavor = "multi_thread")]
async fn termination_ends_streams() {
    let mut server = start([]);
    let url = url(&server, "live/stream");
    let mut player = play(&url).await;
    let mut publisher = publish(&url).await;
    publisher.send(&key_frame(0, 9)).await.unwrap();
    assert_eq!(next(&mut player).await, key_frame(0, 9));
    server.process.signal("TERM");
    // In good order, not by a reset.
    assert!(matches!(bounded(publisher.ended()).await, Error::Closed(_)));
    let end = bounded(player.next_frame()).await;
    assert!(matches!(end, Ok(None) | Err(Error::Closed(_))), "{end:?}");
    drop((publisher, player));
    server.process.succeed();
}

/// A client that broke the protocol and does not hang up is told of, though the server ends first.
#[test]
fn termination_after_a_violation() {
    let mut server = start([]);
    let mut client = TcpStream::connect(("127.0.0.1", server.port)).unwrap();
    let mut wire = vec![0; 1 + 2 * 1536];
    wire[0] = 3;
    let connect = b"\x02\0\x07connect\0\x3F\xF0\0\0\0\0\0\0\x03\0\x03app\x02\0\x01a\0\0\x09";
    let create = b"\x02\0\x0CcreateStream\0\x40\0\0\0\0\0\0\0\x05";
    let publish = b"\x02\0\x07publish\0\0\0\0\0\0\0\0\0\x05\x02\0\x01s\x02\0\x04live";
    for (stream, command) in [(0, &connect[..]), (0, create), (1, publish)] {
        let length = u8::try_from(command.len()).unwrap();
        wire.extend([3, 0, 0, 0, 0, 0, length, 20, stream, 0, 0, 0]);
        wire.extend(command);
    }
    // A compressed header with none before it.
    wire.push(0xC9);
    client.write_all(&wire).unwrap();
    server.wait_for("publishing ended: ");
    server.process.signal("TERM");
    server.process.succeed();
    let log = server.process.text();
    assert!(log.contains("connection ended: "), "{log}");
}

/// Who is told where it listens may ask it to end at once.
#[test]
fn termination_right_after_the_start() {
    for signal in ["INT", "TERM"] {
        let mut server = start([]);
        server.process.signal(signal);
        server.process.succeed();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn tls() {
    let directory = TempDir::new();
    let names = ["localhost".to_owned()];
    let issued = rcgen::generate_simple_self_signed(names).unwrap();
    let (certificate, key) = (directory.file("cert.pem"), directory.file("key.pem"));
    fs::write(&certificate, issued.cert.pem()).unwrap();
    fs::write(&key, issued.signing_key.serialize_pem()).unwrap();
    let server = Server::listen(
        "rtmps://127.0.0.1:0",
        [
            "--tls-cert".as_ref(),
            certificate.as_os_str(),
            "--tls-key".as_ref(),
            key.as_os_str(),
        ],
    );
    let url: RtmpUrl = format!("rtmps://localhost:{}/live/stream", server.port)
        .parse()
        .unwrap();
    let connector = tls::Connector::new(Some(&certificate)).unwrap();
    let mut player = bounded(Player::connect(&url, config(), Some(&connector)))
        .await
        .unwrap();
    let publisher = bounded(Publisher::connect(&url, config(), Some(&connector))).await;
    let mut publisher = publisher.unwrap();
    for millis in 0..20 {
        let frame = key_frame(millis, 100_000);
        publisher.send(&frame).await.unwrap();
        assert_eq!(next(&mut player).await, frame);
    }
    // Plain RTMP is no TLS.
    let plain = format!("rtmp://127.0.0.1:{}/live/stream", server.port)
        .parse()
        .unwrap();
    refused(Player::connect(&plain, config(), None)).await;
    server.wait_for("connection not established");
}

#[test]
fn unusable_certificates_are_one_line() {
    let directory = TempDir::new();
    let issue = || rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    let (one, other) = (issue(), issue());
    let write = |name: &str, text: String| {
        let path = directory.file(name);
        fs::write(&path, text).unwrap();
        path.display().to_string()
    };
    let certificate = write("cert.pem", one.cert.pem());
    let other_key = write("key.pem", other.signing_key.serialize_pem());
    let nothing = write("nothing.pem", String::new());
    let missing = directory.file("missing.pem").display().to_string();
    for (certificate, key, reason) in [
        (&missing, &other_key, "missing.pem"),
        (&certificate, &missing, "missing.pem"),
        (&nothing, &other_key, "nothing.pem"),
        (&certificate, &nothing, "nothing.pem"),
        (&certificate, &other_key, "refused"),
    ] {
        let listen = "rtmps://127.0.0.1:0";
        let line = failure([
            "--listen",
            listen,
            "--tls-cert",
            certificate,
            "--tls-key",
            key,
        ]);
        assert!(line.contains(reason), "{line}");
    }
    let line = failure(["--listen", "rtmps://127.0.0.1:0"]);
    assert!(line.contains("--tls-cert"), "{line}");
}

#[test]
fn an_address_in_use_is_one_line() {
    let server = start([]);
    let address = format!("127.0.0.1:{}", server.port);
    let line = failure(["--listen", &address]);
    assert!(line.contains(&address) && line.contains("in use"), "{line}");
}

fn start<const N: usize>(arguments: [&str; N]) -> Server {
    Server::start(arguments)
}

/// The only line that `rtmp serve` has to say when it cannot start.
fn failure<const N: usize>(arguments: [&str; N]) -> String {
    let mut command: Command = rtmp();
    command.arg("serve").args(arguments);
    let log = Process::spawn(command).exit_in_failure();
    assert_eq!(log.lines().count(), 1, "{log}");
    log
}

fn sound(millis: u32) -> Frame {
    let payload = Bytes::from_static(&[0xAF, 1, 0x21, 0x10]);
    Frame::audio(Timestamp::from_millis(millis), payload)
}
