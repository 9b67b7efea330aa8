//! Opus: the identification header.
//!
//! ```text
//! | "OpusHead" | version 1 | channels 1 | pre-skip 2 | rate 4 | gain 2 | family 1
//! | [ streams 1 | coupled 1 | mapping, one byte a channel ]        all little-endian
//! ```
//!
//! [RFC 7845 §5.1]

use alloc::vec::Vec;

use nom::{
    IResult, Parser,
    bytes::complete::{tag, take},
    number::complete::{le_i16, le_u16, le_u32, u8},
};

use super::ConfigError;

/// The decoder configuration of Opus.
///
/// [RFC 7845 §5.1], [E-RTMP v2 "Enhanced Audio"]
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct OpusConfig {
    version: u8,
    channels: u8,
    pre_skip: u16,
    input_sample_rate: u32,
    gain: i16,
    family: u8,
    /// What families other than 0 have: streams, coupled streams, mapping.
    mapping: Vec<u8>,
}

impl OpusConfig {
    /// Mono or stereo.
    ///
    /// `pre_skip` counts samples at 48 kHz; `input_sample_rate` is that of the original, which does
    /// not concern a decoder.
    pub const fn new(is_stereo: bool, pre_skip: u16, input_sample_rate: u32) -> Self {
        Self {
            version: 1,
            channels: 1 + is_stereo as u8,
            pre_skip,
            input_sample_rate,
            gain: 0,
            family: 0,
            mapping: Vec::new(),
        }
    }

    /// Reads a record.
    ///
    /// # Errors
    ///
    /// If it is cut off, has no channels, or is of another version.
    pub fn decode(record: &[u8]) -> Result<Self, ConfigError> {
        fn fields(input: &[u8]) -> IResult<&[u8], OpusConfig> {
            let (input, _) = tag(MAGIC)(input)?;
            let (input, (version, channels, pre_skip, input_sample_rate, gain, family)) =
                (u8, u8, le_u16, le_u32, le_i16, u8).parse(input)?;
            let len = if family == 0 {
                0
            } else {
                2 + usize::from(channels)
            };
            let (input, mapping) = take(len)(input)?;
            let config = OpusConfig {
                version,
                channels,
                pre_skip,
                input_sample_rate,
                gain,
                family,
                mapping: mapping.to_vec(),
            };
            Ok((input, config))
        }
        let (_, config) = fields(record)?;
        match (config.version, config.channels) {
            // The low half of the version is compatible.
            (16.., _) => Err(ConfigError::Version {
                version: config.version,
            }),
            (_, 0) => Err(ConfigError::Invalid),
            _ => Ok(config),
        }
    }

    /// The record.
    pub fn encode(&self) -> Vec<u8> {
        let mut out = MAGIC.to_vec();
        out.extend([self.version, self.channels]);
        out.extend(self.pre_skip.to_le_bytes());
        out.extend(self.input_sample_rate.to_le_bytes());
        out.extend(self.gain.to_le_bytes());
        out.push(self.family);
        out.extend(&self.mapping);
        out
    }

    /// Channels of what comes out of a decoder.
    pub const fn channels(&self) -> u8 {
        self.channels
    }

    /// Samples at 48 kHz to leave out at the start.
    pub const fn pre_skip(&self) -> u16 {
        self.pre_skip
    }

    /// Samples a second of the original; 0 if it is unknown. Decoders give 48 000.
    pub const fn input_sample_rate(&self) -> u32 {
        self.input_sample_rate
    }

    /// How channels are mapped: 0 mono or stereo, 1 surround in the order of Vorbis…
    pub const fn mapping_family(&self) -> u8 {
        self.family
    }

    /// Opus streams in each packet.
    pub fn streams(&self) -> u8 {
        self.mapping.first().copied().unwrap_or(1)
    }
}

const MAGIC: &[u8] = b"OpusHead";

#[cfg(test)]
mod tests {
    use hex_literal::hex;
    use proptest::prelude::*;

    use super::*;

    /// ERTMP-69: libopus by ffmpeg 9.0.
    #[test]
    fn stereo() {
        let record = hex!("4F70757348656164 01 02 3801 80BB0000 0000 00");
        let config = OpusConfig::decode(&record).unwrap();
        assert_eq!(config, OpusConfig::new(true, 312, 48_000));
        assert_eq!(config.encode(), record);
        assert_eq!(
            (config.channels(), config.streams(), config.mapping_family()),
            (2, 1, 0)
        );
        for len in 0..record.len() {
            assert_eq!(
                OpusConfig::decode(&record[..len]),
                Err(ConfigError::Truncated)
            );
        }
    }

    #[test]
    fn surround() {
        let record = hex!("4F70757348656164 01 06 3801 80BB0000 0000 01 04 02 000401020305");
        let config = OpusConfig::decode(&record).unwrap();
        assert_eq!(config.encode(), record);
        assert_eq!((config.channels(), config.streams()), (6, 4));
    }

    #[test]
    fn other_versions_are_refused() {
        let record = hex!("4F70757348656164 10 02 3801 80BB0000 0000 00");
        assert_eq!(
            OpusConfig::decode(&record),
            Err(ConfigError::Version { version: 16 })
        );
        let record = hex!("4F70757348656164 01 00 3801 80BB0000 0000 00");
        assert_eq!(OpusConfig::decode(&record), Err(ConfigError::Invalid));
    }

    proptest! {
        #[test]
        fn what_is_read_is_written(rest: Vec<u8>) {
            let record = [MAGIC, &rest].concat();
            if let Ok(config) = OpusConfig::decode(&record) {
                prop_assert!(record.starts_with(&config.encode()));
            }
        }
    }
}
