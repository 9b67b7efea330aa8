//! Chunks that contradict each other.

use crate::{
    attacker::Attacker,
    scene::Scene,
    wire::{self, AUDIO, header, header_at, message},
    witness::Witness,
};

/// Row 1, FFmpeg CVE-2016-10191: a header with another length while a message is incomplete. The old
/// message is dropped, the new one is whole and has nothing of the old one in it.
#[test]
fn new_lengths_inside_a_message() {
    let scene = Scene::new();
    scene.survive(4, |server| {
        let mut attacker = Attacker::publishing(server, "attack");
        let mut witness = Witness::new(server, "attack");
        let begun = [header(6, 300, AUDIO, 1), sound(128, 0xEE)].concat();
        for (chunk_type, header_len) in [(0x00, 12), (0x40, 8)] {
            for length in [0, 1, 127, 128, 129, 299, 300, 301] {
                let payload = sound(length, 0xAA);
                let mut whole = message(6, AUDIO, 1, &payload);
                // A header of type 1 lacks the message stream.
                whole.drain(header_len..12);
                whole[0] |= chunk_type;
                attacker.send([&begun[..], &whole].concat());
                if length > 0 {
                    witness.sees(&payload);
                }
                assert!(attacker.is_served(), "{chunk_type:#x} {length}");
            }
            // The most there is, which is begun and given up in turn.
            let mut most = header(6 | chunk_type, 0xFF_FFFF, AUDIO, 1);
            most.truncate(header_len);
            attacker.send([begun.clone(), most, sound(128, 0xBB)].concat());
            attacker.send(message(6, AUDIO, 1, &sound(10, 0xCC)));
            witness.sees(&sound(10, 0xCC));
        }
        // Type 2 keeps the length, and type 3 goes on with the message that type 2 began.
        attacker.send(&begun);
        let mut again = message(6, AUDIO, 1, &sound(300, 0xAA));
        again.splice(..12, [0x86, 0, 0, 5]);
        attacker.send(again);
        witness.sees(&sound(300, 0xAA));
        (attacker, witness)
    });
    scene.finish();
}

/// Row 3, `KallDrexx` PR 50 and moq 3632: messages on three chunk streams, in every form of their
/// numbers, finished in every order, and cut anywhere. Each arrives whole when its last byte does.
#[test]
fn interleaved_chunk_streams() {
    let scene = Scene::new();
    scene.survive(4, |server| {
        let mut attacker = Attacker::publishing(server, "attack");
        let mut witness = Witness::new(server, "attack");
        let csids: [&[u8]; 3] = [&[6], &[0, 10], &[1, 200, 200]];
        let payloads = [(138, 0x11), (148, 0x22), (400, 0x33)].map(|(len, fill)| sound(len, fill));
        for order in [
            [0, 1, 2],
            [0, 2, 1],
            [1, 0, 2],
            [1, 2, 0],
            [2, 0, 1],
            [2, 1, 0],
        ] {
            let mut bytes = Vec::new();
            for (csid, payload) in csids.iter().zip(&payloads) {
                let length = u32::try_from(payload.len()).unwrap();
                bytes.extend(*csid);
                bytes.extend(&header(0, length, AUDIO, 1)[1..]);
                bytes.extend(&payload[..128]);
            }
            for n in order {
                for piece in payloads[n][128..].chunks(128) {
                    bytes.extend(csids[n]);
                    let last = bytes.len() - csids[n].len();
                    bytes[last] |= 0xC0;
                    bytes.extend(piece);
                }
            }
            for cut in [1, 7, usize::MAX] {
                for piece in bytes.chunks(cut) {
                    attacker.send(piece);
                }
                for n in order {
                    witness.sees(&payloads[n]);
                }
            }
        }
        (attacker, witness)
    });
    scene.finish();
}

/// Row 4, go-rtmp PR 72 and livekit/ingress PR 80: empty messages of every type, and type 3 chunks with
/// an extended timestamp. What is empty is ignored.
#[test]
fn empty_messages_of_every_type() {
    let scene = Scene::new();
    scene.survive(4, |server| {
        let mut attacker = Attacker::publishing(server, "attack");
        for kind in 0..=255 {
            for stream in [0, 1, 9] {
                attacker.send(header(6, 0, kind, stream));
                attacker.send(header_at(6, u32::MAX, 0, kind, stream));
                // The next message, as empty and as late.
                attacker.send([0xC6, 0xFF, 0xFF, 0xFF, 0xFF]);
            }
            assert!(attacker.is_served(), "{kind}");
        }
        let mut witness = Witness::new(server, "attack");
        let mut late = message(6, AUDIO, 1, &sound(300, 0xAA));
        // The time, and behind each header its field.
        for at in [12 + 128, 12 + 128 + 1 + 128] {
            assert_eq!(late[at], 0xC6);
        }
        late.splice(269..270, [0xC6, 0xFF, 0xFF, 0xFF, 0xFF]);
        late.splice(140..141, [0xC6, 0xFF, 0xFF, 0xFF, 0xFF]);
        late.splice(..12, header_at(6, u32::MAX, 300, AUDIO, 1));
        attacker.send(late);
        witness.sees(&sound(300, 0xAA));
        (attacker, witness)
    });
    scene.finish();
}

/// Row 5, nginx-rtmp 2f2db81: the chunk size shrinks and grows between messages. Each arrives whole.
#[test]
fn chunk_sizes_between_messages() {
    let scene = Scene::new();
    scene.survive(4, |server| {
        let mut attacker = Attacker::publishing(server, "attack");
        let mut witness = Witness::new(server, "attack");
        for size in [
            1_u32,
            4096,
            128,
            2,
            65_536,
            1,
            0xFF_FFFF,
            3,
            0x7FFF_FFFF,
            64,
        ] {
            let payload = sound(1000, size.to_be_bytes()[3]);
            let small = wire::chunk_size(size);
            let size = usize::try_from(size).unwrap();
            attacker.send([small, wire::chunks(size, 6, AUDIO, 1, &payload)].concat());
            witness.sees(&payload);
            // The next announcement is a message of chunks too.
            attacker.send(wire::chunks(size, 2, 1, 0, &128_u32.to_be_bytes()));
        }
        assert!(attacker.is_served());
        (attacker, witness)
    });
    scene.finish();
}

/// Row 29, Node-Media-Server and lal, which count chunks from the beginning of a message: the chunk size
/// changes on chunk stream 2 inside a message on another one. It arrives whole.
#[test]
fn chunk_sizes_inside_a_message() {
    let scene = Scene::new();
    scene.survive(4, |server| {
        let mut attacker = Attacker::publishing(server, "attack");
        let mut witness = Witness::new(server, "attack");
        let payload = sound(1000, 0xAA);
        for sizes in [[50, 128], [1, 3], [700, 5], [10_000, 128], [127, 129]] {
            attacker.send([&header(6, 1000, AUDIO, 1)[..], &payload[..128]].concat());
            let (mut size, mut rest) = (128, &payload[128..]);
            for next in sizes.into_iter().cycle() {
                let wire_size = u32::try_from(next).unwrap();
                attacker.send(wire::chunks(size, 2, 1, 0, &wire_size.to_be_bytes()));
                size = next;
                let (piece, behind) = rest.split_at(rest.len().min(size));
                attacker.send([&[0xC6], piece].concat());
                rest = behind;
                if rest.is_empty() {
                    break;
                }
            }
            witness.sees(&payload);
            attacker.send(wire::chunks(size, 2, 1, 0, &128_u32.to_be_bytes()));
            assert!(attacker.is_served());
        }
        (attacker, witness)
    });
    scene.finish();
}

/// Row 6, nginx-rtmp issue 1042 and ed23a34: chunk sizes at the edges. 1 to 2^31 - 1 are accepted; 0 and
/// those with the highest bit end the connection.
#[test]
fn chunk_sizes_at_the_edges() {
    let scene = Scene::new();
    scene.survive(4, |server| {
        for size in [1, 127, 128, 1 << 24, 0x7FFF_FFFF] {
            let mut attacker = Attacker::publishing(server, "attack");
            attacker.send(wire::chunk_size(size));
            let (question, answer) = attacker.probe();
            attacker.send(wire::chunks(size as usize, 3, 20, 0, &question[12..]));
            attacker.hear(&answer);
        }
        for size in [0, 1 << 31, u32::MAX] {
            let mut attacker = Attacker::publishing(server, "attack");
            attacker.send(wire::chunk_size(size));
            let reason = format!("chunk size {size:#x} is not allowed");
            attacker.end(server, &reason);
        }
    });
    scene.finish();
}

/// Row 26, zenomt/rtmfp-cpp 19: Abort for what is idle, unknown, out of range, or the chunk stream that
/// carries it, and for a message that another one follows. Only the aborted message is missing.
#[test]
fn aborts_of_anything() {
    let scene = Scene::new();
    scene.survive(4, |server| {
        let mut attacker = Attacker::publishing(server, "attack");
        let mut witness = Witness::new(server, "attack");
        for csid in [0, 1, 2, 3, 6, 63, 64, 65_599, 65_600, u32::MAX] {
            attacker.send(wire::abort(csid));
            assert!(attacker.is_served(), "{csid}");
        }
        let begun = [header(6, 300, AUDIO, 1), sound(128, 0xEE)].concat();
        attacker.send([&begun[..], &wire::abort(6)].concat());
        attacker.send(message(6, AUDIO, 1, &sound(200, 0xAA)));
        witness.sees(&sound(200, 0xAA));
        // After an abort, type 3 begins a message of the same length.
        attacker.send([&begun[..], &wire::abort(6)].concat());
        let mut next = message(6, AUDIO, 1, &sound(300, 0xBB));
        next.splice(..12, [0xC6]);
        attacker.send(next);
        witness.sees(&sound(300, 0xBB));
        (attacker, witness)
    });
    scene.finish();
}

/// A frame of MP3, which may be of any length.
fn sound(len: u32, fill: u8) -> Vec<u8> {
    let mut payload = vec![fill; usize::try_from(len).unwrap()];
    if let Some(first) = payload.first_mut() {
        *first = 0x2F;
    }
    payload
}
