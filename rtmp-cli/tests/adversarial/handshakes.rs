//! What comes in the place of a handshake.

use crate::{
    attacker::{Attacker, connect_command},
    scene::Scene,
    wire::{self, COMMAND, GREETING_LEN, Noise, greeting, header, message},
};

/// Row 28, krtmp: C1 and C2 of all kinds, at once or byte by byte. The server enforces nothing that deployed
/// clients get wrong: whatever version up to 31 they ask for, and whatever C2 echoes.
#[test]
fn lenient_where_clients_are_wrong() {
    let scene = Scene::new();
    scene.survive(4, |server| {
        let noise = Noise::new(1).bytes(GREETING_LEN);
        let contents = [vec![0; GREETING_LEN], vec![0xFF; GREETING_LEN], noise];
        for version in [3, 6, 31] {
            for content in &contents {
                for cut in [GREETING_LEN, 1, 700, 1537, 1538] {
                    let mut bytes = content.clone();
                    bytes[0] = version;
                    bytes.extend(connect_command());
                    let mut attacker = Attacker::connect(server);
                    for piece in bytes.chunks(cut).take(2000) {
                        attacker.send(piece);
                    }
                    attacker.send(
                        bytes
                            .chunks(cut)
                            .skip(2000)
                            .flatten()
                            .copied()
                            .collect::<Vec<_>>(),
                    );
                    attacker.hear(b"NetConnection.Connect.Success");
                }
            }
        }
    });
    scene.finish();
}

/// Row 28: what is not RTMP is told apart by its first byte.
#[test]
fn other_protocols() {
    let scene = Scene::new();
    scene.survive(4, |server| {
        for (bytes, reason) in [
            (
                &b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n"[..],
                "speaks HTTP",
            ),
            (
                b"POST /open/1 HTTP/1.1\r\nContent-Length: 1\r\n\r\n\0",
                "speaks HTTP",
            ),
            (&[0x16, 3, 1, 2, 0], "speaks TLS"),
            (&[0], "protocol version 0 is obsolete"),
            (&[2; 2000], "protocol version 2 is obsolete"),
            (&[0xFF; 10_000], "does not speak RTMP"),
        ] {
            let mut attacker = Attacker::connect(server);
            attacker.send(bytes);
            attacker.end(server, reason);
        }
    });
    scene.finish();
}

/// Clients that leave at every stage of the handshake, in good order or not, with noise behind it.
#[test]
fn clients_that_leave() {
    let scene = Scene::new();
    scene.survive(4, |server| {
        let all = [greeting(), connect_command()].concat();
        for len in [0, 1, 2, 1536, 1537, 1538, 3072, 3073, 3074, 3085, 3100] {
            let mut attacker = Attacker::connect(server);
            attacker.send(&all[..len]);
            drop(attacker);
            let mut attacker = Attacker::connect(server);
            attacker.send(&all[..len]);
            attacker.finish();
            attacker.wait_for_end();
        }
        // A command of 16 MiB that never comes, on many chunk streams; and media before connect.
        let commands: Vec<_> = (3..64)
            .flat_map(|csid| header(csid, 0xFF_FFFF, COMMAND, 0))
            .collect();
        let media = message(6, wire::VIDEO, 1, &[0x17, 1]);
        let mut noise = Noise::new(2);
        let inputs = [commands, media].into_iter();
        for input in inputs.chain((0..40).map(|_| noise.bytes(20_000))) {
            let mut attacker = Attacker::greeted(server);
            attacker.send(input);
            attacker.finish();
            attacker.wait_for_end();
        }
    });
    scene.finish();
}
