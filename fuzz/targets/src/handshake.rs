//! The handshake.

use bytes::Buf;
use rtmp_proto::{
    Instant,
    handshake::{Handshake, HandshakeError, HandshakeMode, HandshakeReport},
};

/// Any split of the bytes gives the same answers, and what is behind the handshake is left alone.
///
/// The first byte picks the role and the length of the pieces. Since nobody guesses a digest, the second
/// takes bits of the peer's packets from a true one.
pub fn handshake(data: &[u8]) {
    let [config, corrupt, data @ ..] = data else {
        return;
    };
    let make = || match config & 3 {
        0 => Handshake::client(Instant::ORIGIN, HandshakeMode::Simple, [1; 32]),
        1 => Handshake::client(Instant::ORIGIN, HandshakeMode::Digest, [1; 32]),
        _ => Handshake::server([1; 32]),
    };
    let mut input = data.to_vec();
    if *corrupt != 0 {
        let peer = peer(config & 3);
        input.resize(peer.len().max(input.len()), 0);
        for (index, byte) in peer.iter().enumerate() {
            // As it is, except where the input says otherwise.
            input[index] ^= byte;
        }
    }
    let whole = run(make(), &input, usize::MAX);
    let pieces = run(make(), &input, 1 + usize::from(config >> 2));
    assert_eq!(whole, pieces);
    let (output, left, report, error) = whole;
    assert!(output.len() <= 1 + 2 * 1536);
    assert_eq!(report.variant.is_some(), report.peer_version.is_some());
    assert!(error.is_some() || left == input.len().saturating_sub(1 + 2 * 1536));
}

type Outcome = (Vec<u8>, usize, HandshakeReport, Option<HandshakeError>);

/// What a handshake sends, the bytes it leaves, and what it found.
fn run(mut handshake: Handshake, input: &[u8], piece: usize) -> Outcome {
    let mut output = Vec::new();
    let mut left = input;
    let mut error = None;
    loop {
        while let Some(bytes) = handshake.poll_transmit() {
            output.extend(bytes);
        }
        let mut bytes = &left[..left.len().min(piece)];
        let before = bytes.len();
        if let Err(violation) = handshake.handle_input(Instant::ORIGIN, &mut bytes) {
            error = Some(violation);
        }
        left.advance(before - bytes.len());
        if before == bytes.len() || error.is_some() {
            // Bytes behind the first are not looked at after a failure.
            let left = error.map_or(left.len(), |_| 0);
            return (output, left, handshake.report(), error);
        }
    }
}

/// What the other role sends up to its first answer.
fn peer(role: u8) -> Vec<u8> {
    let now = Instant::ORIGIN;
    let mut peer = match role {
        0 | 1 => Handshake::server([2; 32]),
        2 => Handshake::client(now, HandshakeMode::Simple, [2; 32]),
        _ => Handshake::client(now, HandshakeMode::Digest, [2; 32]),
    };
    let mut own = match role {
        0 => Handshake::client(now, HandshakeMode::Simple, [1; 32]),
        1 => Handshake::client(now, HandshakeMode::Digest, [1; 32]),
        _ => Handshake::server([1; 32]),
    };
    let mut sent = Vec::new();
    for _ in 0..3 {
        while let Some(bytes) = own.poll_transmit() {
            peer.handle_input(now, &mut &*bytes).expect("our own");
        }
        while let Some(bytes) = peer.poll_transmit() {
            sent.extend_from_slice(&bytes);
            own.handle_input(now, &mut &*bytes).expect("our own");
        }
    }
    assert!(own.is_finished() && peer.is_finished());
    sent
}
