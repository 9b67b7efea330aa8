//! Attacks on memory.

use crate::{
    amf,
    attacker::{Attacker, connect_command, create_stream, publish},
    scene::Scene,
    wire::{self, AUDIO, COMMAND, VIDEO, header, message},
};

/// Row 8, Red5 456 and mediamtx 2252: great messages are announced on many chunk streams, by many
/// connections, and not sent. What is announced costs nothing; past 24 MiB, or 64 messages, the
/// connection ends. What little was sent of each message takes a page or two.
#[test]
fn announced_and_not_sent() {
    let scene = Scene::new();
    scene.survive_again(16, |server| {
        let announce = |csid, length| [&header(csid, length, VIDEO, 1)[..], &[0; 128]].concat();
        for _ in 0..5 {
            let mut attacker = Attacker::publishing(server, "attack");
            attacker.send([announce(6, 0xFF_FFFF), announce(7, 0xFF_FFFF)].concat());
            attacker.end(
                server,
                "incomplete messages declare 33554430 bytes, the limit is 25165824",
            );
        }
        let mut attacker = Attacker::publishing(server, "attack");
        for csid in 0..=64 {
            attacker.send([&[0, csid], &announce(0, 129)[1..]].concat());
        }
        attacker.end(server, "more than 64 incomplete messages");
        let mut attacker = Attacker::publishing(server, "attack");
        for csid in 64..=2000_u16 {
            let [high, low] = (csid - 64).to_be_bytes();
            attacker.send([&[1, low, high], &header(0, 0, VIDEO, 1)[1..]].concat());
        }
        attacker.end(server, "more than 1024 chunk streams");
        // The same within the limits, by many at once.
        let attackers = (0..40).map(|_| {
            let mut attacker = Attacker::connected(server);
            for csid in 4..=63 {
                attacker.send(announce(csid, 400_000));
            }
            assert!(attacker.is_served());
            attacker
        });
        attackers.collect::<Vec<_>>()
    });
    scene.finish();
}

/// Row 8 again: what is announced is sent, up to the limit. It costs what was sent, and no more once the
/// connection has ended.
#[test]
fn announced_and_sent() {
    let scene = Scene::new();
    scene.survive(40, |server| {
        let mut attacker = Attacker::publishing(server, "attack");
        attacker.send(wire::chunk_size(1 << 20));
        for csid in [6, 7] {
            // All but the last chunk.
            let whole = wire::chunks(1 << 20, csid, VIDEO, 1, &vec![0x17; 12 << 20]);
            attacker.send(&whole[..whole.len() - (1 << 20) - 1]);
        }
        attacker.finish();
        attacker.end(server, "in the middle of a message");
    });
    scene.finish();
}

/// Row 9, Red5 479: tiny messages without end, and then great ones, while the only player does not read.
/// The player loses some, the server holds no more than its bound of 32 MiB for a stream, in allocations of
/// less than twice their content.
#[test]
fn tiny_messages_for_a_slow_player() {
    let scene = Scene::new();
    scene.survive(64, |server| {
        let mut deaf = Attacker::deaf(server);
        deaf.send(wire::greeting());
        deaf.send(
            [
                connect_command(),
                create_stream(),
                crate::attacker::play(1, "attack"),
            ]
            .concat(),
        );
        server.wait_for_players(2);
        let mut attacker = Attacker::publishing(server, "attack");
        let many = message(6, AUDIO, 1, &[0x2F]).repeat(10_000);
        for _ in 0..10 {
            attacker.send(&many);
        }
        attacker.send(wire::chunk_size(65_536));
        let great = wire::chunks(65_536, 6, AUDIO, 1, &[0x2F; 50_000]);
        for _ in 0..800 {
            attacker.send(&great);
        }
        assert!(attacker.is_served());
        (attacker, deaf)
    });
    scene.finish();
}

/// Row 9 again: questions without end from one who does not read the answers. The server does not read on
/// while they wait, and ends the connection when nothing of them is taken for the time of
/// `--write-timeout`.
#[test]
fn questions_and_no_ear_for_answers() {
    let scene = Scene::with(["--write-timeout", "4"]);
    scene.survive(12, |server| {
        let mut deaf = Attacker::deaf(server);
        deaf.send(wire::greeting());
        deaf.send(connect_command());
        let ping = message(2, 4, 0, &[0, 6, 1, 2, 3, 4]);
        let (question, _) = deaf.probe();
        let call = wire::command(0, &amf::command("getStreamLength", 5.0, &[amf::null()]));
        let many = [ping, question, call, create_stream(), publish(1, "attack")].concat();
        let many = many.repeat(1000);
        // Until the server closes: sockets hold some megabytes.
        while deaf.send(&many) {}
        let is_stalled = |line: &str| line.contains("the peer did not read");
        server
            .process
            .wait_for("end of a deaf client", 1, is_stalled);
    });
    scene.finish();
}

/// Row 12, Red5 469: counts of billions of elements that are not there: AMF0 arrays, and in AMF3 arrays,
/// vectors, dictionaries, objects and byte arrays. Nothing is allocated for them.
#[test]
fn counts_that_lie() {
    let scene = Scene::new();
    scene.survive(8, |server| {
        let tails: [&[u8]; 10] = [
            &[0x0A, 0xFF, 0xFF, 0xFF, 0xFF],
            &[0x08, 0xFF, 0xFF, 0xFF, 0xFF],
            &[0x08, 0x7F, 0xFF, 0xFF, 0xFF, 0, 0, 9],
            // From here on AMF3: markers with the greatest count of 28 bits.
            &[0x11, 0x09, 0xFF, 0xFF, 0xFF, 0xFF, 0x01],
            &[0x11, 0x0D, 0xFF, 0xFF, 0xFF, 0xFF, 0x00],
            &[0x11, 0x0E, 0xFF, 0xFF, 0xFF, 0xFF, 0x00],
            &[0x11, 0x0F, 0xFF, 0xFF, 0xFF, 0xFF, 0x00],
            &[0x11, 0x10, 0xFF, 0xFF, 0xFF, 0xFF, 0x00, 0x01],
            &[0x11, 0x11, 0xFF, 0xFF, 0xFF, 0xFF, 0x00],
            &[0x11, 0x0A, 0xFF, 0xFF, 0xFF, 0xF3, 0x01],
        ];
        let mut attackers = Vec::new();
        for tail in tails {
            for kind in [COMMAND, wire::COMMAND_AMF3, wire::DATA, 15] {
                let mut attacker = Attacker::publishing(server, "attack");
                let mut payload = match kind {
                    wire::COMMAND_AMF3 | 15 => vec![0],
                    _ => Vec::new(),
                };
                payload.extend(amf::command("@setDataFrame", 5.0, &[tail.to_vec()]));
                attacker.send(message(4, kind, 1, &payload));
                let is_data = kind == wire::DATA || kind == 15;
                assert!(attacker.is_served() || !is_data, "{kind} {tail:x?}");
                attackers.push(attacker);
            }
        }
        attackers
    });
    scene.finish();
}
