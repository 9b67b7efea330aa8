//! Timestamps without reason.

use crate::{
    attacker::Attacker,
    scene::Scene,
    wire::{AUDIO, header_at},
    witness::Witness,
};

/// Row 25, xiu 25: times and deltas that pass the end of the number. Every frame is passed on, and the times
/// go on from one to the next.
#[test]
fn wrapping_timestamps() {
    let scene = Scene::new();
    scene.survive(4, |server| {
        let mut attacker = Attacker::publishing(server, "attack");
        let mut witness = Witness::new(server, "attack");
        let sound = |n: u8| [0x2F, n];
        let mut n = 0;
        for time in [u32::MAX - 1, 1, u32::MAX, 0, 1 << 31, 0xFF_FFFF, 0xFF_FFFE] {
            n += 1;
            attacker.send(header_at(6, time, 2, AUDIO, 1));
            attacker.send(sound(n));
            witness.sees(&sound(n));
            // Four times with a delta of 2^32 - 1, by type 1 and 2, and then with what is left of it.
            for header in [
                &[
                    0x46, 0xFF, 0xFF, 0xFF, 0, 0, 2, AUDIO, 0xFF, 0xFF, 0xFF, 0xFF,
                ][..],
                &[0x86, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF],
                &[0xC6, 0xFF, 0xFF, 0xFF, 0xFF],
                &[0x86, 0xFF, 0xFF, 0xFE],
            ] {
                n += 1;
                attacker.send([header, &sound(n)].concat());
                witness.sees(&sound(n));
            }
        }
        assert!(attacker.is_served());
        (attacker, witness)
    });
    scene.finish();
}

/// Row 25: one step forward by 20 ms passes the end of 32 bits, and is one of 20 ms for players.
#[test]
fn the_end_of_32_bits() {
    let scene = Scene::new();
    scene.survive(4, |server| {
        let mut attacker = Attacker::publishing(server, "attack");
        let mut witness = Witness::new(server, "attack");
        let mut seen = Vec::new();
        for n in 0..10_u8 {
            let time = (u32::MAX - 90).wrapping_add(20 * u32::from(n));
            attacker.send(header_at(6, time, 2, AUDIO, 1));
            attacker.send([0x2F, n]);
            seen.push(witness.see().timestamp.as_millis());
        }
        let steps: Vec<_> = seen
            .windows(2)
            .map(|two| two[1].wrapping_sub(two[0]))
            .collect();
        assert_eq!(steps, [20; 9]);
        (attacker, witness)
    });
    scene.finish();
}
