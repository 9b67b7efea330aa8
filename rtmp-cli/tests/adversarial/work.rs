//! Attacks on the processor, each beside as many healthy bytes.

use std::slice;

use crate::{
    amf,
    attacker::Attacker,
    common::Server,
    scene::Scene,
    wire::{self, AGGREGATE, COMMAND, DATA, VIDEO, header, key_frame, message},
};

/// Row 7, Red5 475: a chunk size of 1. A message in more than 131 072 chunks ends the connection; below
/// that, the work stays in proportion to the bytes.
#[test]
fn chunks_of_one_byte() {
    let scene = Scene::new();
    costs(&scene, 250, |server| {
        let mut attacker = Attacker::publishing(server, "attack");
        attacker.send(wire::chunk_size(1));
        let tiny = wire::chunks(1, 6, VIDEO, 1, &key_frame(100_000, 0x17));
        for _ in 0..20 {
            attacker.send(&tiny);
        }
        let sent = 20 * tiny.len();
        attacker.send(wire::chunks(1, 2, 1, 0, &128_u32.to_be_bytes()));
        assert!(attacker.is_served());
        (attacker, sent)
    });
    scene.survive(8, |server| {
        let mut attacker = Attacker::publishing(server, "attack");
        attacker.send(wire::chunk_size(1));
        attacker.send(header(6, 0xFF_FFFF, VIDEO, 1));
        attacker.send([0x17, 0xC6].repeat(131_073));
        attacker.end(server, "message in more than 131072 chunks");
    });
    scene.finish();
}

/// Row 11, ZLMediaKit 4787, brpc 3344, Red5 469 and flvmeta 29: values nested 100 000 deep. Where it
/// matters the connection ends, elsewhere they are ignored; neither takes stack or time.
#[test]
fn nesting_without_end() {
    let scene = Scene::new();
    costs(&scene, 20, |server| {
        let mut sent = 0;
        let mut attackers = Vec::new();
        let markers: [&[u8]; 3] = [
            &[0x03, 0, 1, b'a'],
            &[0x08, 0, 0, 0, 0, 0, 1, b'a'],
            &[0x0A, 0, 0, 0, 1],
        ];
        for marker in markers {
            let nested = marker.repeat(100_000);
            let early = amf::command("connect", 1.0, &[marker.repeat(5000)]);
            let late = amf::command("play", 1.0, slice::from_ref(&nested));
            for (mut attacker, command) in [
                (Attacker::greeted(server), &early),
                (Attacker::connected(server), &late),
            ] {
                attacker.send(message(3, COMMAND, 0, command));
                attacker.end(server, "containers nest deeper than 32 at byte");
                sent += command.len();
            }
            let mut attacker = Attacker::publishing(server, "attack");
            let data = [amf::string("onTextData"), nested].concat();
            attacker.send(message(4, DATA, 1, &data));
            assert!(attacker.is_served());
            attackers.push(attacker);
            sent += data.len();
        }
        // In AMF3: arrays in arrays, and objects in dynamic properties.
        for marker in [&[0x09, 0x03, 0x01][..], &[0x0A, 0x0B, 0x01, 0x03, b'a']] {
            let nested = [&[0x11], &marker.repeat(100_000)[..]].concat();
            let command = amf::command("play", 1.0, &[nested]);
            let mut attacker = Attacker::connected(server);
            attacker.send(message(3, COMMAND, 0, &command));
            attacker.end(server, "containers nest deeper than 32 at byte");
            sent += command.len();
        }
        (attackers, sent)
    });
    scene.finish();
}

/// Row 14, Wireshark CVE-2022-0586 and CVE-2017-6472: what makes no progress by itself. Empty messages, and
/// aggregates of empty parts, are over before the next one.
#[test]
fn nothing_over_and_over() {
    let scene = Scene::new();
    costs(&scene, 1000, |server| {
        let mut attacker = Attacker::publishing(server, "attack");
        let empty = header(6, 0, VIDEO, 1).repeat(10_000);
        // Type 3: the next message, of no bytes.
        let shortest = vec![0xC6; 100_000];
        // A tag header of no payload, and its size behind it.
        let part = [9, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 11];
        let aggregate = message(6, AGGREGATE, 1, &part.repeat(8000));
        let mut sent = 0;
        for bytes in [empty, shortest, aggregate] {
            for _ in 0..5 {
                attacker.send(&bytes);
                sent += bytes.len();
            }
        }
        assert!(attacker.is_served());
        (attacker, sent)
    });
    scene.finish();
}

/// Row 18, SRS 607: `createStream` 100 000 times. A few are answered with a stream, the others with an
/// error.
#[test]
fn streams_without_end() {
    let scene = Scene::new();
    costs(&scene, 1000, |server| {
        let mut attacker = Attacker::connected(server);
        let one = |n: u32| amf::command("createStream", f64::from(n), &[amf::null()]);
        let mut all = Vec::new();
        for n in 2..100_002 {
            all.extend(wire::command(0, &one(n)));
        }
        attacker.send(&all);
        assert!(attacker.is_served());
        let heard = attacker.heard();
        let count = |name: &[u8]| {
            let starts = heard.iter().enumerate().filter(|(_, byte)| **byte == b'_');
            let found = starts.filter(|(at, _)| heard[*at..].starts_with(name));
            found.count()
        };
        // One for `connect`, and one error for the question that was asked last.
        assert_eq!((count(b"_result"), count(b"_error")), (1 + 4, 99_996 + 1));
        (attacker, all.len())
    });
    scene.finish();
}

/// Carries out `attack`, which returns what it leaves open and the bytes it sent, and then sends many more
/// of a healthy stream: a byte of the attack must not cost more than `factor` of these.
///
/// The factors are about four times what is measured, in a build without optimization; what grows faster
/// than its bytes is beyond them by orders of magnitude.
#[track_caller]
fn costs<T>(scene: &Scene, factor: u64, attack: impl FnOnce(&Server) -> (T, usize)) {
    let mut sent = 0;
    let cost = scene.work(16, |server| {
        let (attackers, bytes) = attack(server);
        sent = u64::try_from(bytes).unwrap();
        attackers
    });
    let payload = key_frame(15_000, 0x17);
    let healthy = scene.work(40, |server| {
        let mut publisher = Attacker::publishing(server, "other");
        publisher.send(wire::chunk_size(4096));
        let frames = wire::chunks(4096, 6, VIDEO, 1, &payload);
        for _ in 0..HEALTHY_FRAMES {
            publisher.send(&frames);
        }
        assert!(publisher.is_served());
        publisher
    });
    let healthy_sent = HEALTHY_FRAMES * 15_000;
    assert!(
        cost * healthy_sent <= factor * healthy * sent,
        "{cost} for {sent} bytes, {healthy} for {healthy_sent} healthy ones"
    );
}

/// Enough for a clock that counts in steps of 10 ms.
const HEALTHY_FRAMES: u64 = 3000;
