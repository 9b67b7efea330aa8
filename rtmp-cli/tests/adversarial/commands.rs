//! Commands in the wrong place, for nothing, or with names that are none.

use std::fs;

use crate::{
    amf,
    attacker::{Attacker, connect_command, create_stream, play, publish},
    common::TempDir,
    scene::{HEALTHY, Scene},
    wire::{self, AUDIO, COMMAND, VIDEO, greeting, key_frame, message},
    witness::Witness,
};

/// Row 19, the asserts of SRS 183, 29 and 416: every command and every message type in every state. The
/// server answers or closes, and does nothing else.
#[test]
fn everything_in_every_state() {
    let scene = Scene::new();
    scene.survive(8, |server| {
        for before in STATES {
            let mut told = Vec::new();
            for name in COMMANDS {
                for (stream, id) in [(0, 0.0), (0, 9.0), (1, 1.0), (9, 9.0)] {
                    let values = [amf::null(), amf::string("attack"), amf::number(1.0)];
                    let payload = amf::command(name, id, &values);
                    told.push(message(3, COMMAND, stream, &payload));
                }
            }
            for kind in (0..=24).chain([32, 100, 127, 128, 254, 255]) {
                for payload in [
                    &[0][..],
                    &[0, 0, 0, 128],
                    &[2, 0, 1, 97, 0, 0, 0, 0, 0, 0, 0, 0, 0],
                ] {
                    told.push(message(3, kind, 1, payload));
                }
            }
            // A type 3 chunk before any other.
            told.push(vec![0xC3]);
            for bytes in told {
                let mut attacker = Attacker::connect(server);
                let all = [&greeting()[..], &state(before), &bytes, &connect_command()];
                attacker.send(all.concat());
                attacker.is_served();
            }
        }
    });
    scene.finish();
}

/// Row 19: a type 3 chunk before any other ends the connection.
#[test]
fn type_3_first() {
    let scene = Scene::new();
    scene.survive(4, |server| {
        let mut attacker = Attacker::greeted(server);
        attacker.send([0xC3]);
        let reason = "first chunk of chunk stream 3 has a compressed header";
        attacker.end(server, reason);
    });
    scene.finish();
}

/// Row 20, nginx-http-flv 170: names of every length, with everything in them, and recordings of them. No
/// name leads out of the directory, and none appears in the log.
#[test]
fn names_of_all_kinds() {
    let directory = TempDir::new();
    let recordings = directory.file("recordings");
    let scene = Scene::with(["--record".as_ref(), recordings.as_os_str()]);
    scene.survive(8, |server| {
        let long = "n".repeat(65_000);
        for name in [
            "",
            "/",
            "..",
            "../../secret",
            "%2e%2e%2fsecret",
            "secret\0b",
            "secret\r\nINFO",
            "\u{202E}secret\u{FFFD}",
            "con.flv",
            "secret?key=secret&key",
            &long[..255],
            &long[..256],
            &long,
        ] {
            let mut attacker = Attacker::connected(server);
            attacker.send([create_stream(), publish(1, name)].concat());
            attacker.hear(b"NetStream.Publish.Start");
            attacker.send(message(6, VIDEO, 1, &key_frame(100, 0x17)));
            assert!(attacker.is_served());
            let mut player = Attacker::connected(server);
            player.send([create_stream(), play(1, name)].concat());
            player.hear(&key_frame(100, 0x17));
            assert!(attacker.heard().len() < 10_000, "echoes are short");
        }
        // Longer than a short string can be.
        let mut attacker = Attacker::connected(server);
        let endless = amf::long_string(&"n".repeat(200_000));
        let payload = amf::command("publish", 3.0, &[amf::null(), endless]);
        attacker.send([create_stream(), wire::command(1, &payload)].concat());
        assert!(attacker.is_served());
    });
    let log = scene.server.process.text();
    assert!(!log.contains("secret") && !log.contains("nnnn"), "{log}");
    scene.finish();
    let entries = fs::read_dir(directory.path()).unwrap();
    assert_eq!(entries.count(), 1, "only the directory for recordings");
    let written = fs::read_dir(&recordings).unwrap();
    assert!(written.count() > 10, "what is published is recorded");
}

/// Row 23, gortmplib 5512, mediamtx 1459 and 1819: user control events nobody knows, tracks without headers,
/// and codecs nobody knows. All is ignored or passed on.
#[test]
fn unknown_events_and_early_media() {
    let scene = Scene::new();
    scene.survive(4, |server| {
        let mut attacker = Attacker::publishing(server, "attack");
        let mut witness = Witness::new(server, "attack");
        for event in 0..=300_u16 {
            let mut payload = event.to_be_bytes().to_vec();
            attacker.send(message(2, 4, 0, &payload));
            payload.extend([0; 8]);
            attacker.send(message(2, 4, 0, &payload));
        }
        assert!(attacker.is_served());
        // Video before its header, sound that nobody announced, unknown codecs, headers cut short.
        for payload in [
            &[0x27, 1][..],
            &[0x17],
            &[0x97, 0, b'x'],
            &[0x1F, 1, 2],
            &[0x90],
        ] {
            attacker.send(message(6, VIDEO, 1, payload));
        }
        for payload in [&[0xAF][..], &[0xAF, 0], &[0xFF], &[0x9F, 1, 2], &[0x90]] {
            attacker.send(message(4, AUDIO, 1, payload));
        }
        assert!(attacker.is_served());
        attacker.send(message(6, VIDEO, 1, &key_frame(100, 0x17)));
        while witness.see().payload != key_frame(100, 0x17) {}
        (attacker, witness)
    });
    scene.finish();
}

/// Row 24, ireader/media-server 235 and ZLMediaKit 1839: streams are published, closed, deleted and taken
/// over again and again, by one connection and by several, with messages for what is gone.
#[test]
fn streams_come_and_go() {
    let scene = Scene::new();
    scene.survive(8, |server| {
        let delete = wire::command(
            0,
            &amf::command("deleteStream", 0.0, &[amf::null(), amf::number(1.0)]),
        );
        let close = wire::command(1, &amf::command("closeStream", 0.0, &[amf::null()]));
        let frame = message(6, VIDEO, 1, &key_frame(100, 0x17));
        let mut witness = Witness::new(server, "attack");
        let mut attacker = Attacker::connected(server);
        let round = [
            create_stream(),
            publish(1, "attack"),
            frame.clone(),
            close.clone(),
            frame.clone(),
            play(1, "attack"),
            publish(1, "attack"),
            delete.clone(),
            delete.clone(),
            close,
            frame.clone(),
        ]
        .concat();
        for _ in 0..100 {
            attacker.send(&round);
            witness.sees(&key_frame(100, 0x17));
        }
        assert!(attacker.is_served());
        // Each takes the stream from the one before, and is gone the next moment.
        for n in 0..100 {
            let mut publisher = Attacker::publishing(server, "attack");
            publisher.send(&frame);
            witness.sees(&key_frame(100, 0x17));
            if n % 2 == 0 {
                publisher.send(&delete);
            }
        }
        let mut publishers: Vec<_> = (0..20)
            .map(|_| Attacker::publishing(server, "attack"))
            .collect();
        let mut last = publishers.pop().unwrap();
        for publisher in publishers {
            publisher.end(server, "replaced by another publisher");
        }
        assert!(last.is_served());
        (attacker, witness, last)
    });
    scene.finish();
}

/// Row 24: where publishers are not replaced, nobody takes the healthy stream over, however often one asks.
#[test]
fn takeovers_of_the_healthy_stream() {
    let scene = Scene::with(["--on-duplicate", "reject"]);
    scene.survive(4, |server| {
        let name = HEALTHY.trim_start_matches("live/");
        for _ in 0..100 {
            let mut attacker = Attacker::connected(server);
            attacker.send([create_stream(), publish(1, name)].concat());
            attacker.send(message(6, VIDEO, 1, &key_frame(100, 0x17)));
            attacker.hear(b"NetStream.Publish.BadName");
            attacker.wait_for_end();
        }
    });
    scene.finish();
}

/// What a client says after the handshake to get into a state.
#[derive(Clone, Copy)]
enum State {
    Fresh,
    Connected,
    Publishing,
    Playing,
}

const STATES: [State; 4] = [
    State::Fresh,
    State::Connected,
    State::Publishing,
    State::Playing,
];

fn state(state: State) -> Vec<u8> {
    let all = match state {
        State::Fresh => vec![],
        State::Connected => vec![connect_command()],
        State::Publishing => vec![connect_command(), create_stream(), publish(1, "state")],
        State::Playing => vec![connect_command(), create_stream(), play(1, "state")],
    };
    all.concat()
}

/// Every command that servers know, and some that none does.
pub(crate) const COMMANDS: [&str; 28] = [
    "connect",
    "createStream",
    "publish",
    "play",
    "play2",
    "deleteStream",
    "closeStream",
    "pause",
    "pauseRaw",
    "seek",
    "receiveAudio",
    "receiveVideo",
    "releaseStream",
    "_checkbw",
    "getStreamLength",
    "FCPublish",
    "FCUnpublish",
    "FCSubscribe",
    "FCUnsubscribe",
    "close",
    "_result",
    "_error",
    "onStatus",
    "onBWDone",
    "_onbwcheck",
    "onFCPublish",
    "call",
    "",
];
