//! `rtmp play`, `publish` and `relay` at servers that mean ill.

use std::fs;

use rtmp_proto::flv::{FileReader, FileWriter, Frame};

use crate::{
    amf,
    bystanders::Bystanders,
    common::{Process, TempDir, rtmp},
    host::{Host, status, welcome},
    scene::Scene,
    wire::{self, AUDIO, COMMAND, Noise, greeting, header, message},
};

/// Row 2, librtmp `RTMP_ReadPacket`: the server sends a header with another length while a message is
/// incomplete. Nothing of the old message gets into the new one, which is all that is recorded.
#[test]
fn new_lengths_inside_a_message() {
    let directory = TempDir::new();
    let file = directory.file("played.flv");
    let host = Host::new();
    let mut player = run(["play", &host.url(), "-o", file.to_str().unwrap()]);
    let mut visitor = host.accept();
    visitor.welcome();
    visitor.begin("play");
    let begun = [&header(6, 300, AUDIO, 1)[..], &sound(128, 0xEE)].concat();
    let mut sent = Vec::new();
    for (chunk_type, header_len) in [(0x00, 12), (0x40, 8)] {
        for len in [1, 127, 128, 129, 299, 300, 301, 1000] {
            let payload = sound(len, 0xAA);
            let mut whole = message(6, AUDIO, 1, &payload);
            whole.drain(header_len..12);
            whole[0] |= chunk_type;
            visitor.send([&begun[..], &whole].concat());
            sent.push(payload);
        }
    }
    visitor.send(status("NetStream.Play.UnpublishNotify"));
    visitor.wait_for_end();
    visitor.finish();
    player.succeed();
    assert_eq!(recorded(&fs::read(file).unwrap()), sent);
}

/// Row 21, OBS and librtmp: the server says `close` without end. Players and publishers end once, in one
/// line.
#[test]
fn close_without_end() {
    let directory = TempDir::new();
    let file = directory.file("published.flv");
    fs::write(&file, flv()).unwrap();
    let published = file.to_str().unwrap();
    let close = wire::command(0, &amf::command("close", 0.0, &[amf::null()])).repeat(1000);
    for is_early in [true, false] {
        let host = Host::new();
        let url = host.url();
        for (arguments, command) in [
            (["play", &url, "-o", "-"], "play"),
            (["publish", "--loop", published, &url], "publish"),
        ] {
            let client = run(arguments);
            let mut visitor = host.accept();
            visitor.welcome();
            if !is_early {
                visitor.begin(command);
            }
            visitor.send(&close);
            visitor.finish();
            let log = ended(client);
            assert_eq!(log.lines().count(), 1, "{log}");
            assert!(log.contains("closed by the peer"), "{log}");
        }
    }
}

/// Row 21: those that connect again do so once for each connection, however often it is closed, and go on
/// when the server comes to its senses.
#[test]
fn one_new_connection_for_many_closes() {
    let directory = TempDir::new();
    let file = directory.file("published.flv");
    fs::write(&file, flv()).unwrap();
    let host = Host::new();
    let client = run([
        "publish",
        "--loop",
        "--reconnect",
        file.to_str().unwrap(),
        &host.url(),
    ]);
    let close = wire::command(0, &amf::command("close", 0.0, &[amf::null()])).repeat(1000);
    for is_early in [true, false, true] {
        let mut visitor = host.accept();
        visitor.welcome();
        if !is_early {
            visitor.begin("publish");
        }
        visitor.send(&close);
        visitor.wait_for_end();
    }
    let mut visitor = host.accept();
    visitor.welcome();
    visitor.begin("publish");
    visitor.hear(&sound(2000, 0x11)[..100]);
    // What it has said may still be on its way here.
    client.wait_for("attempts", 3, |line| line.contains("; attempt "));
    let log = client.text();
    assert_eq!(log.matches("; attempt ").count(), 3, "{log}");
}

/// Row 22, GStreamer's `parse_header`: what a server says is noise, or almost right, or cut off. The player
/// comes to an end each time, in one line.
#[test]
fn noise_in_the_place_of_a_server() {
    let mut noise = Noise::new(3);
    let frames = wire::chunks(128, 6, AUDIO, 1, &sound(1000, 0x11));
    let stream = amf::command("_result", 2.0, &[amf::null(), amf::number(1.0)]);
    let good = [
        welcome(),
        wire::command(0, &stream),
        status("NetStream.Play.Start"),
        wire::chunk_size(4096),
        message(6, AUDIO, 1, &sound(100, 0x11)),
        frames,
    ]
    .concat();
    let host = Host::new();
    for n in 0..60 {
        let mut bytes = match n % 3 {
            0 => noise.bytes(5000),
            _ => good.clone(),
        };
        for _ in 0..n % 3 {
            let at = noise.below(bytes.len());
            bytes[at] ^= 1 << noise.below(8);
        }
        if n % 2 == 0 {
            bytes.truncate(noise.below(bytes.len()));
        }
        let client = run(["play", &host.url(), "-o", "-"]);
        let mut visitor = host.accept();
        if n >= 6 {
            visitor.send(greeting());
        }
        visitor.send(&bytes);
        visitor.finish();
        let log = ended(client);
        assert!(log.starts_with("rtmp: "), "{log}");
        assert_eq!(log.lines().count(), 1, "{log}");
    }
}

/// Rows 8, 11 and 12 the other way round: a server that announces what it does not send, and values without
/// end or bottom. The player ends in one line.
#[test]
fn servers_that_lie() {
    let nested = [0x03, 0, 1, b'a'].repeat(100_000);
    let many: Vec<_> = (4..8)
        .flat_map(|csid| [&header(csid, 0xFF_FFFF, 9, 1)[..], &[0; 128]].concat())
        .collect();
    for (bytes, reason) in [
        (many, "incomplete messages declare"),
        (wire::chunk_size(0), "chunk size 0x0 is not allowed"),
        (
            message(3, COMMAND, 0, &amf::command("onStatus", 0.0, &[nested])),
            "containers nest deeper than 32",
        ),
        (
            message(
                3,
                COMMAND,
                0,
                &amf::command("onStatus", 0.0, &[vec![0x0A, 0xFF, 0xFF, 0xFF, 0xFF]]),
            ),
            "malformed values",
        ),
    ] {
        let host = Host::new();
        let client = run(["play", &host.url(), "-o", "-"]);
        let mut visitor = host.accept();
        visitor.welcome();
        visitor.begin("play");
        visitor.send(bytes);
        visitor.wait_for_end();
        visitor.finish();
        let log = ended(client);
        assert!(log.contains(reason), "{log}");
    }
}

/// Row 21 again, beside others: a relay whose one destination closes, stalls or talks nonsense loses nothing
/// for the other.
#[test]
fn a_relay_with_one_bad_destination() {
    let scene = Scene::new();
    scene.survive(8, |server| {
        let host = Host::new();
        let (source, copy) = (server.url("live/source"), server.url("live/copy"));
        let relay = run(["relay", &source, &host.url(), &copy]);
        relay.wait_for("source", 1, |line| line.contains("playing"));
        let relayed = Bystanders::start(&copy, &source);
        let close = wire::command(0, &amf::command("close", 0.0, &[amf::null()]));
        let mut visitor = host.accept();
        visitor.welcome();
        visitor.begin("publish");
        visitor.send(close.repeat(1000));
        relayed.go_on(100);
        drop(visitor);
        let mut visitor = host.accept();
        visitor.welcome();
        visitor.send(Noise::new(4).bytes(10_000));
        relayed.go_on(100);
        drop(visitor);
        // One that says nothing at all.
        let visitor = host.accept();
        relayed.go_on(100);
        relayed.finish();
        (relay, visitor)
    });
    scene.finish();
}

fn run<const N: usize>(arguments: [&str; N]) -> Process {
    let mut command = rtmp();
    command.args(arguments);
    Process::spawn(command)
}

/// What a client says that ends in failure, and in no other way.
#[track_caller]
fn ended(mut client: Process) -> String {
    let status = client.exit();
    let log = client.text();
    assert_eq!(status.code(), Some(1), "{log}");
    log
}

/// A stream of some hundred milliseconds.
fn flv() -> Vec<u8> {
    let mut file = FileWriter::header(false, true).to_vec();
    for n in 0..10 {
        let time = rtmp_proto::Timestamp::from_millis(n * 20);
        let frame = Frame::audio(time, sound(2000, 0x11).into());
        FileWriter::keeping_timestamps()
            .encode(&frame, &mut file)
            .unwrap();
    }
    file
}

fn recorded(mut file: &[u8]) -> Vec<Vec<u8>> {
    let mut reader = FileReader::new();
    let mut payloads = Vec::new();
    while let Some(frame) = reader.decode(&mut file).unwrap() {
        payloads.push(frame.payload.to_vec());
    }
    assert_eq!(reader.finish(), Ok(None));
    payloads
}

/// A frame of MP3.
fn sound(len: usize, fill: u8) -> Vec<u8> {
    [&[0x2F], &vec![fill; len - 1][..]].concat()
}
