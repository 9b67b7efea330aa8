//! The digest variant: packets and replies signed with HMAC-SHA256 under keys everybody knows.
//!
//! No Adobe document describes it; this is what Flash Player, ffmpeg, nginx-rtmp and SRS do. C1 and
//! S1 carry a digest of themselves at a place computed from four of their bytes:
//!
//! ```text
//!  base                base + 4                                        base + 764
//! +-------------------+------------------------------+----------+-----+
//! | a, b, c, d        | (a + b + c + d) mod 728 bytes | digest 32 | ... |
//! +-------------------+------------------------------+----------+-----+
//! ```
//!
//! with the base 8 (most clients) or 772 (those made for RTMPE). C2 and S2 end in a signature over
//! their first 1504 bytes, keyed by the digest they answer.

use alloc::vec::Vec;

use hmac::{Hmac, KeyInit, Mac};
use nom::{IResult, Parser, bytes::complete::take, number::complete::u8, sequence::preceded};
use sha2::Sha256;

use super::packet::{PACKET_LEN, Packet};
#[cfg(feature = "rtmpe")]
use crate::rtmpe::PUBLIC_KEY_LEN;

/// Where in C1 or S1 the four bytes stand that locate the digest.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(clippy::exhaustive_enums, reason = "a packet has two such blocks")]
pub enum DigestBase {
    /// Byte 8: ffmpeg, nginx-rtmp, SRS, Flash Player over plain RTMP.
    At8,
    /// Byte 772: clients made for RTMPE.
    At772,
}

impl DigestBase {
    /// The offset in bytes.
    pub const fn offset(self) -> usize {
        match self {
            Self::At8 => 8,
            Self::At772 => 772,
        }
    }
}

/// Where the public key of RTMPE stands in a packet whose digest is at `base`: in the block that
/// the digest is not in, at a place computed from its last four bytes.
#[cfg(feature = "rtmpe")]
fn key_position(packet: &Packet, base: DigestBase) -> usize {
    let (offsets, start) = match base {
        DigestBase::At8 => (1532, 772),
        DigestBase::At772 => (768, 8),
    };
    let bytes = packet.0.iter().skip(offsets).take(4);
    let sum: usize = bytes.copied().map(usize::from).sum();
    start + sum % KEY_POSITIONS
}

/// The public key in a packet whose digest is at `base`.
#[cfg(feature = "rtmpe")]
pub(super) fn public_key(packet: &Packet, base: DigestBase) -> [u8; PUBLIC_KEY_LEN] {
    let start = key_position(packet, base);
    let rest = packet.0.get(start..).and_then(<[u8]>::first_chunk);
    *rest.expect("the last key position ends before its offset bytes")
}

/// Puts a public key into a packet whose digest will be at `base`.
#[cfg(feature = "rtmpe")]
pub(super) fn set_public_key(packet: &mut Packet, base: DigestBase, key: &[u8; PUBLIC_KEY_LEN]) {
    packet.write(key_position(packet, base), key);
}

/// A digest or signature.
pub(super) type Digest = [u8; DIGEST_LEN];

/// Whose key signs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Signer {
    Client,
    Server,
}

impl Signer {
    /// Key of the digest inside C1 or S1.
    fn short_key(self) -> &'static [u8] {
        match self {
            Self::Client => b"Genuine Adobe Flash Player 001",
            Self::Server => b"Genuine Adobe Flash Media Server 001",
        }
    }

    /// Key of the signature of C2 or S2.
    fn full_key(self) -> Vec<u8> {
        [self.short_key(), &KEY_TAIL].concat()
    }
}

/// Finds the valid digest that `signer` put into its C1 or S1.
///
/// Where the version is 0 there is none, and looking for it would be most of the work of answering
/// a simple handshake: whoever signs shows a version (Flash Player, FMLE, ffmpeg, nginx-rtmp, SRS,
/// lal, and librtmp and gortmplib for RTMPE), and nginx-rtmp has never looked any further. A version
/// alone proves nothing, but a packet without digest matches with a probability of 2^-255.
pub(super) fn find(packet: &Packet, signer: Signer) -> Option<(DigestBase, Digest)> {
    if packet.version() == 0 {
        return None;
    }
    [DigestBase::At8, DigestBase::At772]
        .into_iter()
        .find_map(|base| {
            let layout = Layout::of(packet, base);
            let digest = layout.compute(signer);
            (layout.digest == digest).then_some((base, digest))
        })
}

/// Puts the digest of `signer` into its C1 or S1.
pub(super) fn sign(packet: &mut Packet, base: DigestBase, signer: Signer) -> Digest {
    let layout = Layout::of(packet, base);
    let (start, digest) = (layout.before.len(), layout.compute(signer));
    packet.write(start, &digest);
    digest
}

/// Signs a C2 or S2 that answers the packet with the digest `answered`.
pub(super) fn sign_reply(reply: &mut Packet, signer: Signer, answered: &Digest) {
    let (_, signature) = reply_signature(reply, signer, answered);
    reply.write(SIGNED_LEN, &signature);
}

/// Whether a C2 or S2 is signed by `signer` in answer to the packet with the digest `answered`.
pub(super) fn is_signed_reply(reply: &Packet, signer: Signer, answered: &Digest) -> bool {
    let (present, signature) = reply_signature(reply, signer, answered);
    present == signature
}

/// The signature a reply carries, and the one it should carry.
fn reply_signature<'a>(reply: &'a Packet, signer: Signer, answered: &Digest) -> (&'a [u8], Digest) {
    let (signed, present) = reply.0.split_at(SIGNED_LEN);
    let key = hmac(&signer.full_key(), [answered]);
    (present, hmac(&key, [signed]))
}

/// C1 or S1 cut at the digest.
struct Layout<'a> {
    before: &'a [u8],
    digest: &'a [u8],
    after: &'a [u8],
}

impl<'a> Layout<'a> {
    fn of(packet: &'a Packet, base: DigestBase) -> Self {
        Self::parse(&packet.0[..], base)
            .expect("the last digest position ends one byte before the packet does")
            .1
    }

    fn parse(packet: &'a [u8], base: DigestBase) -> IResult<&'a [u8], Self> {
        let (_, (a, b, c, d)) = preceded(take(base.offset()), (u8, u8, u8, u8)).parse(packet)?;
        let sum: usize = [a, b, c, d].into_iter().map(usize::from).sum();
        let start = base.offset() + 4 + sum % DIGEST_POSITIONS;
        let (after, (before, digest)) = (take(start), take(DIGEST_LEN)).parse(packet)?;
        Ok((
            &[],
            Self {
                before,
                digest,
                after,
            },
        ))
    }

    fn compute(&self, signer: Signer) -> Digest {
        hmac(signer.short_key(), [self.before, self.after])
    }
}

fn hmac<const N: usize>(key: &[u8], parts: [&[u8]; N]) -> Digest {
    let mut hmac = Hmac::<Sha256>::new_from_slice(key).expect("HMAC takes keys of any length");
    for part in parts {
        hmac.update(part);
    }
    hmac.finalize().into_bytes().into()
}

const DIGEST_LEN: usize = 32;

/// Bytes of a reply before its signature.
const SIGNED_LEN: usize = PACKET_LEN - DIGEST_LEN;

/// A block of 764 bytes less four for the offset and the digest itself.
const DIGEST_POSITIONS: usize = 728;

/// A block of 764 bytes less four for the offset and the 128 of the key.
#[cfg(feature = "rtmpe")]
const KEY_POSITIONS: usize = 632;

/// What follows the name in both full keys.
const KEY_TAIL: [u8; 32] = [
    0xF0, 0xEE, 0xC2, 0x4A, 0x80, 0x68, 0xBE, 0xE8, 0x2E, 0x00, 0xD0, 0xD1, 0x02, 0x9E, 0x7E, 0x57,
    0x6E, 0xEC, 0x5D, 0x2D, 0x29, 0x80, 0x6F, 0xAB, 0x93, 0xB8, 0xE6, 0x36, 0xCF, 0xEB, 0x31, 0xAE,
];

#[cfg(test)]
mod tests {
    use hex_literal::hex;

    use super::*;

    /// RFC 4231, test case 2, with the message in two parts.
    #[test]
    fn hmac_sha_256() {
        assert_eq!(
            hmac(b"Jefe", [b"what do ya want ", b"for nothing?"]),
            hex!("5bdcc146bf60754e6a042426089575c7 5a003f089d2739839dec58b964ec3843")
        );
    }

    /// HS-36, HS-37.
    #[test]
    fn key_lengths() {
        assert_eq!(Signer::Client.short_key().len(), 30);
        assert_eq!(Signer::Server.short_key().len(), 36);
        assert_eq!(Signer::Client.full_key().len(), 62);
        assert_eq!(Signer::Server.full_key().len(), 68);
    }

    /// HS-35: every value the offset bytes can sum up to, both bases, both keys.
    #[test]
    fn digests_are_found_wherever_the_offset_points() {
        for sum in (0..=4 * 255_usize).step_by(51).chain([727, 728, 1019]) {
            let offset = [0, 1, 2, 3]
                .map(|i| u8::try_from(sum.saturating_sub(i * 255).min(255)).expect("at most 255"));
            for (base, start) in [(DigestBase::At8, 12), (DigestBase::At772, 776)] {
                for signer in [Signer::Client, Signer::Server] {
                    let mut packet = Packet::random([1; 32]);
                    packet.set_version(1);
                    packet.write(base.offset(), &offset);
                    let digest = sign(&mut packet, base, signer);
                    let position = start + sum % 728;
                    assert_eq!(packet.0[position..position + 32], digest);
                    assert_eq!(find(&packet, signer), Some((base, digest)));
                }
            }
        }
    }

    #[test]
    fn other_packets_have_no_digest() {
        let mut packet = Packet::random([1; 32]);
        packet.set_version(1);
        assert_eq!(find(&packet, Signer::Client), None);
        sign(&mut packet, DigestBase::At8, Signer::Client);
        assert_eq!(find(&packet, Signer::Server), None);
        assert!(find(&packet, Signer::Client).is_some());
        packet.0[1535] ^= 1;
        assert_eq!(find(&packet, Signer::Client), None);
    }

    #[test]
    fn replies_answer_one_digest_of_one_signer() {
        let mut reply = Packet::random([1; 32]);
        sign_reply(&mut reply, Signer::Server, &[5; 32]);
        assert!(is_signed_reply(&reply, Signer::Server, &[5; 32]));
        assert!(!is_signed_reply(&reply, Signer::Client, &[5; 32]));
        assert!(!is_signed_reply(&reply, Signer::Server, &[6; 32]));
        reply.0[0] ^= 1;
        assert!(!is_signed_reply(&reply, Signer::Server, &[5; 32]));
    }
}
