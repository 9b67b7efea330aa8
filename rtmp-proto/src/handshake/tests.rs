use alloc::{vec, vec::Vec};
use core::time::Duration;

use hmac::{Hmac, KeyInit, Mac};
use proptest::prelude::*;
use sha2::Sha256;

use super::*;

const NOW: Instant = Instant::from_origin(Duration::from_millis(0x0001_0203));
const PLAYER: &[u8] = b"Genuine Adobe Flash Player 001";
const SERVER: &[u8] = b"Genuine Adobe Flash Media Server 001";
const TAIL: [u8; 32] =
    hex_literal::hex!("F0EEC24A8068BEE8 2E00D0D1029E7E57 6EEC5D2D29806FAB 93B8E636CFEB31AE");

fn hmac(key: &[u8], data: &[u8]) -> Vec<u8> {
    let mut hmac = Hmac::<Sha256>::new_from_slice(key).unwrap();
    hmac.update(data);
    hmac.finalize().into_bytes().to_vec()
}

/// The digest a packet carries and the one it ought to carry.
fn digests(packet: &[u8], base: usize, key: &[u8]) -> (Vec<u8>, Vec<u8>) {
    let sum: usize = packet[base..base + 4].iter().map(|&b| usize::from(b)).sum();
    let at = sum % 728 + base + 4;
    let rest = [&packet[..at], &packet[at + 32..]].concat();
    (packet[at..at + 32].to_vec(), hmac(key, &rest))
}

fn signature(reply: &[u8], key: &[u8], answered: &[u8]) -> Vec<u8> {
    hmac(&hmac(&[key, &TAIL].concat(), answered), &reply[..1504])
}

/// C0 and a C1 of `version`, with a digest at `base`.
fn opening(version: u32, base: Option<usize>) -> Vec<u8> {
    let mut c1: Vec<u8> = (0..1536_u32).map(|i| (i * 7 % 251) as u8).collect();
    c1[4..8].copy_from_slice(&version.to_be_bytes());
    if let Some(base) = base {
        let sum: usize = c1[base..base + 4].iter().map(|&b| usize::from(b)).sum();
        let at = sum % 728 + base + 4;
        let (_, digest) = digests(&c1, base, PLAYER);
        c1[at..at + 32].copy_from_slice(&digest);
    }
    [&[3], &c1[..]].concat()
}

/// A server fed `input`, and what it sent.
fn serve(mut input: &[u8]) -> (Handshake, Vec<u8>) {
    let mut server = Handshake::server([9; 32]);
    server.handle_input(NOW, &mut input).unwrap();
    assert!(input.is_empty());
    let output = server.poll_transmit().unwrap_or_default();
    (server, output)
}

/// Runs both roles against each other, `step` bytes at a time.
fn run(mode: HandshakeMode, step: usize) -> (HandshakeReport, HandshakeReport) {
    let mut client = Handshake::client(NOW, mode, [1; 32]);
    let mut server = Handshake::server([2; 32]);
    while !client.is_finished() || !server.is_finished() {
        let mut progress = false;
        for _ in 0..2 {
            while let Some(bytes) = client.poll_transmit() {
                progress = true;
                for mut piece in bytes.chunks(step) {
                    server.handle_input(NOW, &mut piece).unwrap();
                    assert!(piece.is_empty());
                }
            }
            mem::swap(&mut client, &mut server);
        }
        assert!(progress, "the handshake stands still");
    }
    assert_eq!(client.poll_transmit(), None);
    assert_eq!(server.poll_transmit(), None);
    (client.report(), server.report())
}

/// HS-28 to HS-32, HS-34.
#[test]
fn both_roles_understand_each_other_at_any_split() {
    for step in [1, 2, 1535, 1536, 1537, 1538, 4000] {
        let (client, server) = run(HandshakeMode::Simple, step);
        for report in [client, server] {
            assert_eq!(report.peer_protocol, Some(3));
            assert_eq!(report.peer_version, Some(0));
            assert_eq!(report.variant, Some(HandshakeVariant::Simple));
            assert_eq!(report.reply, Some(HandshakeReply::Echo));
        }
        let (client, server) = run(HandshakeMode::Digest, step);
        assert_eq!(client.peer_version, Some(0x0D0E_0A0D));
        assert_eq!(server.peer_version, Some(0x0900_7C02));
        for report in [client, server] {
            let variant = HandshakeVariant::Digest(DigestBase::At8);
            assert_eq!(report.variant, Some(variant));
            assert_eq!(report.reply, Some(HandshakeReply::Signed));
        }
    }
}

/// HS-5 to HS-7, HS-9, HS-10, HS-16, HS-19, HS-23, HS-25, A-17.
#[test]
fn simple_reply_is_sent_at_once_and_repeats_c1() {
    let c0c1 = opening(0, None);
    let (_, early) = serve(&c0c1[..1536]);
    assert_eq!(early, []);
    let (server, out) = serve(&c0c1);
    assert_eq!(out.len(), 3073);
    assert_eq!(out[..9], hex_literal::hex!("03 00010203 00000000"));
    assert_eq!(out[1537..], c0c1[1..]);
    assert!(!server.is_finished());
}

/// HS-2, HS-3, HS-16, HS-17, HS-19, HS-29.
#[test]
fn client_sends_c0_c1_at_once_and_c2_after_s1() {
    let mut client = Handshake::client(NOW, HandshakeMode::default(), [1; 32]);
    let c0c1 = client.poll_transmit().unwrap();
    assert_eq!(c0c1.len(), 1537);
    assert_eq!(c0c1[..9], hex_literal::hex!("03 00010203 00000000"));
    let (_, reply) = serve(&c0c1);
    client.handle_input(NOW, &mut &reply[..1536]).unwrap();
    assert_eq!(client.poll_transmit(), None);
    client.handle_input(NOW, &mut &reply[1536..1537]).unwrap();
    assert_eq!(client.poll_transmit().unwrap(), reply[1..1537]);
    client.handle_input(NOW, &mut &reply[1537..3072]).unwrap();
    assert!(!client.is_finished());
    client.handle_input(NOW, &mut &reply[3072..]).unwrap();
    assert!(client.is_finished());
}

/// HS-31, HS-33.
#[test]
fn what_follows_the_handshake_stays_in_the_input() {
    let mut server = Handshake::server([9; 32]);
    let bytes = [&opening(0, None)[..], &[0; 1536], b"chunks"].concat();
    let mut input = &bytes[..];
    server.handle_input(NOW, &mut input).unwrap();
    assert!(server.is_finished());
    assert_eq!(input, b"chunks");
    server.handle_input(NOW, &mut input).unwrap();
    assert_eq!(input, b"chunks");

    let mut client = Handshake::client(NOW, HandshakeMode::Digest, [1; 32]);
    let (_, reply) = serve(&client.poll_transmit().unwrap());
    let bytes = [&reply[..], b"chunks"].concat();
    let mut input = &bytes[..];
    client.handle_input(NOW, &mut input).unwrap();
    assert!(client.is_finished());
    assert_eq!(input, b"chunks");
    assert_eq!(client.poll_transmit().unwrap().len(), 1536);
}

#[test]
fn input_may_be_in_several_pieces() {
    let bytes = opening(0, None);
    let (a, b) = bytes.split_at(700);
    let mut input = a.chain(b);
    let mut server = Handshake::server([9; 32]);
    server.handle_input(NOW, &mut input).unwrap();
    assert_eq!(server.poll_transmit().unwrap()[1537..], bytes[1..]);
}

/// HS-20, HS-35 to HS-37: both bases, whatever version it shows, checked by hand.
#[test]
fn digests_are_answered_at_their_base() {
    for (offset, base) in [(8, DigestBase::At8), (772, DigestBase::At772)] {
        for version in [1, 0x0900_7C02, 0x8000_0302] {
            let c0c1 = opening(version, Some(offset));
            let (mut server, out) = serve(&c0c1);
            let (s1, s2) = (&out[1..1537], &out[1537..]);
            let variant = HandshakeVariant::Digest(base);
            assert_eq!(server.report().variant, Some(variant));
            assert_eq!(server.report().peer_version, Some(version));
            assert!(s1[4] >= 3);
            let (s1_digest, expected) = digests(s1, offset, SERVER);
            assert_eq!(s1_digest, expected);
            let (c1_digest, _) = digests(&c0c1[1..], offset, PLAYER);
            assert_eq!(s2[1504..], signature(s2, SERVER, &c1_digest));

            let mut c2 = vec![0x55; 1536];
            let sign = signature(&c2, PLAYER, &s1_digest);
            c2[1504..].copy_from_slice(&sign);
            server.handle_input(NOW, &mut &c2[..]).unwrap();
            assert_eq!(server.report().reply, Some(HandshakeReply::Signed));
        }
    }
}

/// HS-34 to HS-37 for the client, checked by hand.
#[test]
fn client_signs_c1_and_c2() {
    let mut client = Handshake::client(NOW, HandshakeMode::Digest, [1; 32]);
    let c0c1 = client.poll_transmit().unwrap();
    assert_eq!(c0c1[5..9], hex_literal::hex!("09007C02"));
    let (digest, expected) = digests(&c0c1[1..], 8, PLAYER);
    assert_eq!(digest, expected);
    let (_, reply) = serve(&c0c1);
    let (s1_digest, _) = digests(&reply[1..1537], 8, SERVER);
    client.handle_input(NOW, &mut &reply[..]).unwrap();
    let c2 = client.poll_transmit().unwrap();
    assert_eq!(c2[1504..], signature(&c2, PLAYER, &s1_digest));
}

/// HS-38: ffmpeg's player aborts if S1 shows a version and has no digest.
#[test]
fn a_version_without_valid_digest_gets_the_simple_reply() {
    let mut wrong = opening(0x0900_7C02, Some(8));
    wrong[1536] ^= 1;
    for c0c1 in [opening(0x0900_7C02, None), wrong] {
        let (server, out) = serve(&c0c1);
        assert_eq!(server.report().variant, Some(HandshakeVariant::Simple));
        assert_eq!(out[5..9], [0; 4]);
        assert_eq!(out[1537..], c0c1[1..]);
    }
}

/// HS-34: no digest is looked for where no version is shown.
#[test]
fn version_0_gets_the_simple_reply() {
    for base in [8, 772] {
        let c0c1 = opening(0, Some(base));
        let (server, out) = serve(&c0c1);
        assert_eq!(server.report().variant, Some(HandshakeVariant::Simple));
        assert_eq!(out[5..9], [0; 4]);
        assert_eq!(out[1537..], c0c1[1..]);
    }
}

/// HS-38 for the client: a server without digests.
#[test]
fn a_client_offering_a_digest_accepts_a_simple_server() {
    let mut client = Handshake::client(NOW, HandshakeMode::Digest, [1; 32]);
    let c0c1 = client.poll_transmit().unwrap();
    let s1 = [0x11; 1536];
    let reply = [&[3], &s1[..], &c0c1[1..]].concat();
    client.handle_input(NOW, &mut &reply[..]).unwrap();
    assert_eq!(client.poll_transmit().unwrap(), s1);
    assert_eq!(client.report().variant, Some(HandshakeVariant::Simple));
    assert_eq!(client.report().reply, Some(HandshakeReply::Echo));
}

/// HS-27: reported, not enforced.
#[test]
fn any_reply_is_accepted() {
    for c0c1 in [opening(0, None), opening(0x0C00_0D0E, Some(8))] {
        let (mut server, out) = serve(&c0c1);
        server.handle_input(NOW, &mut &[0xAB; 1536][..]).unwrap();
        assert!(server.is_finished());
        assert_eq!(server.report().reply, Some(HandshakeReply::Unrelated));

        // ffmpeg's publisher echoes S1 even to a server with digests; GStreamer writes its own
        // time into bytes 4 to 7.
        let (mut server, _) = serve(&c0c1);
        let mut c2 = out[1..1537].to_vec();
        c2[4..8].copy_from_slice(&[1, 2, 3, 4]);
        server.handle_input(NOW, &mut &c2[..]).unwrap();
        assert_eq!(server.report().reply, Some(HandshakeReply::Echo));
    }
}

/// HS-11 to HS-15, HS-39, A-15.
#[test]
fn first_byte() {
    let first = |mut handshake: Handshake, byte: u8| {
        let bytes = [byte, 0xFF];
        let mut input = &bytes[..];
        let result = handshake.handle_input(NOW, &mut input);
        assert_eq!(input.is_empty(), result.is_ok());
        // Whatever it was, it stays so.
        assert_eq!(handshake.handle_input(NOW, &mut &[][..]), result);
        assert_eq!(handshake.report().peer_protocol, Some(byte));
        result
    };
    let client = || Handshake::client(NOW, HandshakeMode::Simple, [1; 32]);
    for byte in 0..=255 {
        let as_server = first(Handshake::server([1; 32]), byte);
        let as_client = first(client(), byte);
        let common = match byte {
            0x15 | 0x16 => Err(HandshakeError::Tls { first: byte }),
            b'C' | b'D' | b'G' | b'H' | b'O' | b'P' | b'T' => {
                Err(HandshakeError::Http { first: byte })
            }
            32.. => Err(HandshakeError::NotRtmp { first: byte }),
            _ => Ok(()),
        };
        assert_eq!(as_client, common);
        match byte {
            0..=2 => assert_eq!(
                as_server,
                Err(HandshakeError::ObsoleteVersion { version: byte })
            ),
            _ => assert_eq!(as_server, common),
        }
    }
}

/// HS-13.
#[test]
fn rtmpe_is_answered_with_version_3() {
    let mut c0c1 = opening(0x8000_0302, Some(772));
    c0c1[0] = 6;
    let (server, out) = serve(&c0c1);
    assert_eq!(out[0], 3);
    assert_eq!(server.report().peer_protocol, Some(6));
}

proptest! {
    /// GEN-13.
    #[test]
    fn arbitrary_bytes_at_arbitrary_splits(
        first in 0_u8..40,
        bytes in proptest::collection::vec(any::<u8>(), 0..4000),
        steps in proptest::collection::vec(1_usize..2000, 1..50),
        is_client in any::<bool>(),
    ) {
        let start = || match is_client {
            true => Handshake::client(NOW, HandshakeMode::Digest, [1; 32]),
            false => Handshake::server([1; 32]),
        };
        let bytes = [&[first], &bytes[..]].concat();
        let mut whole = start();
        let mut rest = &bytes[..];
        let result = whole.handle_input(NOW, &mut rest);

        let mut split = start();
        let mut input = &bytes[..];
        let mut sent = Vec::new();
        let mut split_result = Ok(());
        for step in steps.into_iter().cycle() {
            let mut piece = &input[..step.min(input.len())];
            let len = piece.len();
            split_result = split.handle_input(NOW, &mut piece);
            input = &input[len - piece.len()..];
            sent.extend(split.poll_transmit().unwrap_or_default());
            if input.is_empty() || split.is_finished() || split_result.is_err() {
                break;
            }
        }
        prop_assert_eq!(split_result, result);
        prop_assert_eq!(input, rest);
        prop_assert_eq!(split.report(), whole.report());
        prop_assert_eq!(sent, whole.poll_transmit().unwrap_or_default());
    }
}
