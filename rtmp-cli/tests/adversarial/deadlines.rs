//! Clients that take their time.
//!
//! The deadlines are long enough for the healthy clients and for what attackers do before they dawdle, even
//! on a machine that has other things to do for seconds.

use std::thread;

use crate::{
    amf,
    attacker::{Attacker, create_stream},
    common::Server,
    scene::Scene,
    wire::{self, AUDIO, DATA, VIDEO, greeting, header, message},
};

/// Row 30, slow loris: nothing, or a byte now and then. Each stage has a deadline of its own, which bytes do
/// not put off: only whole messages of a publisher do.
#[test]
fn a_byte_now_and_then() {
    let scene = Scene::with([
        "--handshake-timeout=4",
        "--connect-timeout=4",
        "--request-timeout=4",
        "--idle-timeout=8",
    ]);
    // However fast the healthy stream is, these are not sent to their end before the deadline.
    let app = amf::object(&[("app", amf::string(&"a".repeat(4000)))]);
    let connect_command = wire::command(0, &amf::command("connect", 1.0, &[app]));
    let frame = [&header(6, 0xFF_FFFF, VIDEO, 1)[..], &[0x17; 128]].concat();
    let connect = |server: &Server, _: &str| Attacker::connect(server);
    let greeted = |server: &Server, _: &str| Attacker::greeted(server);
    let connected = |server: &Server, _: &str| Attacker::connected(server);
    let publishing = |server: &Server, name: &str| Attacker::publishing(server, name);
    let stages: [(Begin<'_>, Vec<u8>, &str); 4] = [
        (
            &connect,
            greeting(),
            "the peer did not finish the handshake",
        ),
        (&greeted, connect_command, "no connect"),
        (
            &connected,
            create_stream().repeat(100),
            "no publish or play",
        ),
        (&publishing, frame, "the publisher sent nothing"),
    ];
    scene.survive(4, |server| {
        thread::scope(|scope| {
            for (begin, bytes, reason) in &stages {
                scope.spawn(|| begin(server, "silent").end(server, reason));
                let scene = &scene;
                scope.spawn(move || {
                    let mut attacker = begin(server, "slow");
                    // All but the last.
                    for byte in &bytes[..bytes.len() - 1] {
                        // One byte for so many frames of the healthy stream.
                        scene.go_on(10);
                        if !attacker.send([*byte]) || attacker.is_over() {
                            break;
                        }
                    }
                    attacker.end(server, reason);
                });
            }
        });
    });
    scene.finish();
}

/// Row 30: a publisher that keeps its stream busy with everything but media. It is thrown out, and one that
/// sends media is not.
#[test]
fn publishers_without_media() {
    let scene = Scene::with(["--first-media-timeout=4"]);
    scene.survive(4, |server| {
        let mut busy = Attacker::publishing(server, "busy");
        busy.send(message(6, AUDIO, 1, &[0x2F, 1]));
        let mut idle = Attacker::publishing(server, "idle");
        let values = [amf::string("onMetaData"), amf::object(&[])].concat();
        let metadata = message(4, DATA, 1, &values);
        let ping = message(2, 4, 0, &[0, 6, 1, 2, 3, 4]);
        while idle.send([&metadata[..], &ping].concat()) && !idle.is_over() {
            scene.go_on(10);
        }
        idle.end(server, "the publisher sent no media");
        assert!(busy.is_served());
        busy
    });
    scene.finish();
}

/// Row 30: a player may be silent for as long as it likes, and its stream may end for a while.
#[test]
fn silent_players_stay() {
    let scene = Scene::with(["--idle-timeout=8"]);
    scene.survive(4, |server| {
        let mut player = Attacker::playing(server, "attack");
        let publisher = Attacker::publishing(server, "attack");
        publisher.end(server, "the publisher sent nothing");
        assert!(player.is_served());
        player
    });
    scene.finish();
}

/// Row 30, by many: each is thrown out in time, and nobody waits for them.
#[test]
fn many_that_say_nothing() {
    let scene = Scene::with(["--handshake-timeout=4"]);
    scene.survive_again(4, |server| {
        let silent: Vec<_> = (0..200).map(|_| Attacker::connect(server)).collect();
        for attacker in &silent {
            attacker.wait_for_end();
        }
        silent
    });
    scene.finish();
}

/// A way into a stage, with a stream name.
type Begin<'a> = &'a (dyn Fn(&Server, &str) -> Attacker + Sync);
