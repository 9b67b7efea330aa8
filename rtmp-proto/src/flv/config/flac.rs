//! FLAC: the stream information.
//!
//! ```text
//! | [ "fLaC" ] [ last 1, type 7 (bits) | length 3 ]
//! | block sizes 4 | frame sizes 6 | rate 20, channels - 1 3, bits - 1 5, samples 36 (bits) | MD5 16
//! ```
//!
//! [RFC 9639 §8.2]

use alloc::vec::Vec;

use super::{ConfigError, bits::BitReader};

/// The decoder configuration of FLAC: STREAMINFO.
///
/// [RFC 9639 §8.2], [E-RTMP v2 "Enhanced Audio"]
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct FlacConfig {
    stream_info: [u8; STREAM_INFO_LEN],
}

impl FlacConfig {
    /// The configuration in `stream_info`, the block without its header.
    pub const fn new(stream_info: [u8; STREAM_INFO_LEN]) -> Self {
        Self { stream_info }
    }

    /// Reads a record in each of three forms: the bare STREAMINFO that FFmpeg, mediamtx and the
    /// demonstration player of the specification's editors know, the same with its block header, and
    /// with the "fLaC" of the specification as well.
    ///
    /// # Errors
    ///
    /// If it is cut off or begins with another block, or the STREAMINFO itself begins with "fLaC".
    pub fn decode(record: &[u8]) -> Result<Self, ConfigError> {
        // A bare STREAMINFO does not begin with "fLaC": its greatest block would be smaller than its
        // least.
        let block = record.strip_prefix(MAGIC);
        let is_bare = block.is_none() && record.len() == STREAM_INFO_LEN;
        let stream_info = match (is_bare, block.unwrap_or(record)) {
            (true, stream_info) => stream_info,
            // The block header: type 0 and 34 bytes.
            (false, [0 | 0x80, 0, 0, 34, stream_info @ ..]) => stream_info,
            (false, [_, _, _, _, ..]) => return Err(ConfigError::Invalid),
            (false, _) => return Err(ConfigError::Truncated),
        };
        let stream_info = stream_info.first_chunk().ok_or(ConfigError::Truncated)?;
        if stream_info.starts_with(MAGIC) {
            return Err(ConfigError::Invalid);
        }
        Ok(Self::new(*stream_info))
    }

    /// The record as deployed readers want it: the bare STREAMINFO.
    pub fn encode(&self) -> Vec<u8> {
        self.stream_info.to_vec()
    }

    /// The record as the specification describes it: "fLaC", a block header and STREAMINFO. No
    /// deployed reader is known to understand it.
    pub fn encode_as_specified(&self) -> Vec<u8> {
        // The last block before the frames.
        [MAGIC, &[0x80, 0, 0, 34], &self.stream_info].concat()
    }

    /// Samples a second.
    pub fn sample_rate(&self) -> u32 {
        self.field(80, 20)
    }

    /// Channels, 1 to 8.
    pub fn channels(&self) -> u8 {
        u8::try_from(self.field(100, 3) + 1).expect("three bits")
    }

    /// Bits of a sample, 1 to 32.
    pub fn sample_bits(&self) -> u8 {
        u8::try_from(self.field(103, 5) + 1).expect("five bits")
    }

    fn field(&self, offset: usize, count: u32) -> u32 {
        let mut bits = BitReader::new(&self.stream_info);
        let field = bits.skip(offset).and_then(|()| bits.bits(count));
        field.expect("within the block")
    }
}

/// Bytes of STREAMINFO.
const STREAM_INFO_LEN: usize = 34;
const MAGIC: &[u8] = b"fLaC";

#[cfg(test)]
mod tests {
    use hex_literal::hex;
    use proptest::prelude::*;

    use super::*;

    /// ffmpeg 9.0 with a live stream: neither frame sizes nor MD5 are known.
    const RECORD: [u8; 34] =
        hex!("0400 0400 000000 000815 0BB800F000000000 00000000000000000000000000000000");

    /// ERTMP-67: all three forms are read, and that of FFmpeg is written.
    #[test]
    fn three_forms() {
        let config = FlacConfig::decode(&RECORD).unwrap();
        assert_eq!(config.encode(), RECORD);
        assert_eq!(
            (
                config.sample_rate(),
                config.channels(),
                config.sample_bits()
            ),
            (48_000, 1, 16)
        );
        let with_header = [&hex!("00 000022")[..], &RECORD].concat();
        assert_eq!(FlacConfig::decode(&with_header), Ok(config));
        let specified = config.encode_as_specified();
        assert_eq!(specified.len(), 42);
        assert_eq!(FlacConfig::decode(&specified), Ok(config));
        // More blocks may follow.
        let more = [&specified[..], &hex!("84 000000")].concat();
        assert_eq!(FlacConfig::decode(&more), Ok(config));
    }

    #[test]
    fn anything_else_is_refused() {
        let specified = FlacConfig::new(RECORD).encode_as_specified();
        for len in 0..specified.len() {
            let cut = FlacConfig::decode(&specified[..len]);
            assert!(cut.is_err(), "{len}");
        }
        let comment = [MAGIC, &hex!("04 000000"), &[0; 34]].concat();
        assert_eq!(FlacConfig::decode(&comment), Err(ConfigError::Invalid));
    }

    /// Its greatest block would be smaller than its least, and written bare it could not be told from
    /// the magic.
    #[test]
    fn stream_information_that_begins_like_the_magic() {
        let mut stream_info = RECORD;
        stream_info[..4].copy_from_slice(MAGIC);
        let specified = FlacConfig::new(stream_info).encode_as_specified();
        assert_eq!(FlacConfig::decode(&specified), Err(ConfigError::Invalid));
    }

    proptest! {
        #[test]
        fn any_record_is_read_or_refused(record: Vec<u8>) {
            if let Ok(config) = FlacConfig::decode(&record) {
                prop_assert_eq!(FlacConfig::decode(&config.encode()), Ok(config));
            }
        }

        #[test]
        fn any_stream_info_round_trips(stream_info: [u8; 34]) {
            let config = FlacConfig::new(stream_info);
            prop_assert!((1..=8).contains(&config.channels()));
            prop_assume!(!stream_info.starts_with(MAGIC));
            prop_assert_eq!(FlacConfig::decode(&config.encode_as_specified()), Ok(config));
        }
    }
}
