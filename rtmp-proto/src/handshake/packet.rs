//! The 1536 bytes that C1, S1, C2 and S2 have in common.

use alloc::{boxed::Box, vec::Vec};

use nom::{
    IResult, Parser,
    combinator::rest,
    number::complete::{be_u32, be_u64},
};

use crate::time::Instant;

use super::HANDSHAKE_RANDOM_LEN;

/// One packet of the handshake.
///
/// ```text
///  0      4               8                                  1536
/// +------+---------------+-----------------------------------+
/// | time | zero, version | random data, or the peer's echoed |
/// |      | or time2      |                                   |
/// +------+---------------+-----------------------------------+
/// ```
///
/// [RTMP 1.0 §5.2.3, §5.2.4]
#[derive(Clone, PartialEq, Eq)]
pub(super) struct Packet(pub(super) Box<[u8; PACKET_LEN]>);

impl Packet {
    /// A packet with random data made from `seed`, time and version zero.
    pub(super) fn random(seed: [u8; HANDSHAKE_RANDOM_LEN]) -> Self {
        let mut bytes = Box::new([0; PACKET_LEN]);
        let (words, _) = bytes.as_chunks_mut();
        let mut random = SplitMix64::new(&seed);
        if let [_header, data @ ..] = words {
            for word in data {
                *word = random.next().to_be_bytes();
            }
        }
        Self(bytes)
    }

    /// The packet made of `bytes`, `None` unless there are 1536 of them.
    pub(super) fn new(bytes: Vec<u8>) -> Option<Self> {
        bytes.try_into().ok().map(Self)
    }

    /// The memory of this packet, for another one.
    pub(super) fn into_room(self) -> Vec<u8> {
        let mut room = Vec::from(self.0 as Box<[u8]>);
        room.clear();
        room
    }

    pub(super) fn set_time(&mut self, now: Instant) {
        self.write(0, &now.as_wire_millis().to_be_bytes());
    }

    pub(super) fn set_version(&mut self, version: u32) {
        self.write(4, &version.to_be_bytes());
    }

    /// The four bytes after the time.
    pub(super) fn version(&self) -> u32 {
        self.fields().1
    }

    /// The 1528 bytes after the header.
    pub(super) fn data(&self) -> &[u8] {
        self.fields().2
    }

    /// Overwrites the bytes from `start`, which must fit.
    pub(super) fn write(&mut self, start: usize, bytes: &[u8]) {
        self.0
            .get_mut(start..start + bytes.len())
            .expect("fields lie within the packet")
            .copy_from_slice(bytes);
    }

    fn fields(&self) -> (u32, u32, &[u8]) {
        let fields: IResult<_, _> = (be_u32, be_u32, rest).parse(&self.0[..]);
        fields.expect("a packet is longer than its header").1
    }
}

/// Sebastiano Vigna's SplitMix64: enough to fill a packet with bytes that do not repeat.
///
/// It is not a cryptographic generator and need not be one: the data serves to recognise an answer
/// to one's own handshake [RTMP 1.0 §5.2.3].
struct SplitMix64(u64);

impl SplitMix64 {
    /// A generator whose sequence depends on all bytes of `seed`.
    fn new(seed: &[u8; HANDSHAKE_RANDOM_LEN]) -> Self {
        let mut state = 0;
        let mut words = nom::combinator::iterator(&seed[..], word);
        for word in &mut words {
            state = Self::mix(state ^ word);
        }
        Self(state)
    }

    fn mix(mut z: u64) -> u64 {
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }

    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        Self::mix(self.0)
    }
}

fn word(input: &[u8]) -> IResult<&[u8], u64> {
    be_u64(input)
}

/// Length of C1, S1, C2 and S2.
pub(super) const PACKET_LEN: usize = 1536;

#[cfg(test)]
mod tests {
    use super::*;

    /// The first outputs of the reference implementation for this state.
    #[test]
    fn split_mix_64() {
        let mut random = SplitMix64(1_234_567);
        assert_eq!(
            [random.next(), random.next(), random.next()],
            [
                6_457_827_717_110_365_317,
                3_203_168_211_198_807_973,
                9_817_491_932_198_370_423
            ]
        );
    }

    /// HS-16, HS-19, HS-21.
    #[test]
    fn random_packets_differ_in_every_seed_byte() {
        let base = Packet::random([0; HANDSHAKE_RANDOM_LEN]);
        assert_eq!(base.0[..8], [0; 8]);
        assert_eq!(base.data().len(), 1528);
        for i in 0..HANDSHAKE_RANDOM_LEN {
            let mut seed = [0; HANDSHAKE_RANDOM_LEN];
            seed[i] = 1;
            assert!(Packet::random(seed) != base);
        }
    }

    #[test]
    fn header_fields() {
        let mut packet = Packet::random([7; HANDSHAKE_RANDOM_LEN]);
        packet.set_time(Instant::from_origin(core::time::Duration::from_millis(
            0x0102_0304,
        )));
        packet.set_version(0x0900_7C02);
        assert_eq!(packet.0[..8], [1, 2, 3, 4, 9, 0, 0x7C, 2]);
        assert_eq!(packet.version(), 0x0900_7C02);
    }

    #[test]
    fn other_lengths_are_no_packets() {
        assert!(Packet::new(alloc::vec![0; PACKET_LEN - 1]).is_none());
        assert!(Packet::new(alloc::vec![0; PACKET_LEN + 1]).is_none());
    }
}
