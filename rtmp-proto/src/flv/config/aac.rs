//! AAC: AudioSpecificConfig.
//!
//! ```text
//! | object type 5 (31: and 6 more) | rate index 4 (15: and 24 more) | channels 4 | details ... (bits)
//! ```
//!
//! [ISO/IEC 14496-3 §1.6.2.1]

use alloc::{format, string::String, vec::Vec};

use super::{
    ConfigError,
    bits::{BitReader, BitWriter},
};

/// The decoder configuration of AAC: AudioSpecificConfig.
///
/// [FLV §E.4.2.2], [E-RTMP v2 "Enhanced Audio"]
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct AacConfig {
    record: Vec<u8>,
    object_type: u8,
    sample_rate: u32,
    channels: u8,
}

impl AacConfig {
    /// AAC-LC with so many samples a second and so many channels: 1 to 6, or 8 (7.1).
    ///
    /// # Errors
    ///
    /// [`ConfigError::Invalid`] if the format has no number for these channels, or the rate takes
    /// more than 24 bits.
    pub fn low_complexity(sample_rate: u32, channels: u8) -> Result<Self, ConfigError> {
        let layout = match channels {
            1..=6 => u32::from(channels),
            8 => 7,
            _ => return Err(ConfigError::Invalid),
        };
        if sample_rate == 0 || sample_rate >= 1 << 24 {
            return Err(ConfigError::Invalid);
        }
        let mut bits = BitWriter::default();
        bits.put(5, u32::from(LOW_COMPLEXITY));
        match (0..)
            .zip(SAMPLE_RATES)
            .find(|&(_, rate)| rate == sample_rate)
        {
            Some((index, _)) => bits.put(4, index),
            None => {
                bits.put(4, RATE_ESCAPE);
                bits.put(24, sample_rate);
            }
        }
        bits.put(4, layout);
        bits.put(3, 0); // frame length 1024, no core coder, no extension
        Ok(Self {
            record: bits.into_bytes(),
            object_type: LOW_COMPLEXITY,
            sample_rate,
            channels,
        })
    }

    /// Reads a record.
    ///
    /// # Errors
    ///
    /// If it is cut off, or holds values that cannot be.
    pub fn decode(record: &[u8]) -> Result<Self, ConfigError> {
        let bits = &mut BitReader::new(record);
        let mut object_type = object_type_of(bits)?;
        let mut sample_rate = rate(bits)?;
        let layout = bits.byte(4)?;
        let is_explicit = matches!(object_type, SBR | PARAMETRIC_STEREO);
        let mut base_type = object_type;
        if is_explicit {
            sample_rate = rate(bits)?;
            base_type = object_type_of(bits)?;
        }
        let mut channels = match layout {
            0 => {
                skip_general_config(bits, base_type)?;
                program_channels(bits)?
            }
            7 | 12 | 14 => 8,
            11 => 7,
            13 => 24,
            1..=6 => layout,
            _ => return Err(ConfigError::Invalid),
        };
        // Backward compatible signalling: behind what older decoders read.
        if !is_explicit
            && layout != 0
            && skip_general_config(bits, base_type).is_ok()
            && bits.bits(11) == Ok(SYNC_EXTENSION)
            && object_type_of(bits) == Ok(SBR)
            && bits.flag() == Ok(true)
        {
            sample_rate = rate(bits)?;
            object_type = SBR;
            if bits.bits(11) == Ok(SYNC_EXTENSION_PS) && bits.flag() == Ok(true) {
                object_type = PARAMETRIC_STEREO;
            }
        }
        if object_type == PARAMETRIC_STEREO {
            channels = channels.max(2);
        }
        Ok(Self {
            record: record.to_vec(),
            object_type,
            sample_rate,
            channels,
        })
    }

    /// The record.
    pub fn encode(&self) -> Vec<u8> {
        self.record.clone()
    }

    /// The audio object type as far as it is signalled: 2 is AAC-LC, 5 HE-AAC, 29 HE-AAC v2.
    pub const fn object_type(&self) -> u8 {
        self.object_type
    }

    /// Samples a second of what comes out of a decoder.
    pub const fn sample_rate(&self) -> u32 {
        self.sample_rate
    }

    /// Channels of what comes out of a decoder.
    pub const fn channels(&self) -> u8 {
        self.channels
    }

    /// [RFC 6381 §3.3]
    pub(super) fn codec_string(&self) -> String {
        format!("mp4a.40.{}", self.object_type)
    }

    pub(super) const fn profile_name(&self) -> Option<&'static str> {
        Some(match self.object_type {
            1 => "Main",
            LOW_COMPLEXITY => "LC",
            3 => "SSR",
            4 => "LTP",
            SBR => "HE",
            PARAMETRIC_STEREO => "HEv2",
            39 => "ELD",
            42 => "xHE",
            _ => return None,
        })
    }
}

fn object_type_of(bits: &mut BitReader<'_>) -> Result<u8, ConfigError> {
    match bits.byte(5)? {
        31 => Ok(32 + bits.byte(6)?),
        object_type => Ok(object_type),
    }
}

fn rate(bits: &mut BitReader<'_>) -> Result<u32, ConfigError> {
    match bits.bits(4)? {
        RATE_ESCAPE => bits.bits(24),
        index => SAMPLE_RATES
            .get(index as usize)
            .copied()
            .ok_or(ConfigError::Invalid),
    }
}

/// GASpecificConfig up to the program config element. [ISO/IEC 14496-3 §4.4.1]
fn skip_general_config(bits: &mut BitReader<'_>, object_type: u8) -> Result<(), ConfigError> {
    if !matches!(object_type, 1..=4 | 6 | 7 | 17 | 19..=23) {
        return Err(ConfigError::Invalid);
    }
    bits.skip(1)?; // frameLengthFlag
    let depends_on_core_coder = bits.flag()?;
    bits.skip(if depends_on_core_coder { 14 + 1 } else { 1 })
}

/// The channels of a program config element. [ISO/IEC 14496-3 §4.4.1.1]
fn program_channels(bits: &mut BitReader<'_>) -> Result<u8, ConfigError> {
    bits.skip(4 + 2 + 4)?;
    let elements = bits.byte(4)? + bits.byte(4)? + bits.byte(4)?;
    let low_frequency = bits.byte(2)?;
    bits.skip(3 + 4)?; // associated data, coupling channels
    for len in [4, 4, 3] {
        if bits.flag()? {
            bits.skip(len)?; // mono, stereo and matrix mixdown
        }
    }
    let mut channels = low_frequency;
    for _ in 0..elements {
        channels += 1 + u8::from(bits.flag()?);
        bits.skip(4)?;
    }
    Ok(channels)
}

const LOW_COMPLEXITY: u8 = 2;
const SBR: u8 = 5;
const PARAMETRIC_STEREO: u8 = 29;
const SYNC_EXTENSION: u32 = 0x2B7;
const SYNC_EXTENSION_PS: u32 = 0x548;
const RATE_ESCAPE: u32 = 15;
/// [ISO/IEC 14496-3 table 1.18]
const SAMPLE_RATES: [u32; 13] = [
    96_000, 88_200, 64_000, 48_000, 44_100, 32_000, 24_000, 22_050, 16_000, 12_000, 11_025, 8_000,
    7_350,
];

#[cfg(test)]
mod tests {
    use hex_literal::hex;
    use proptest::prelude::*;

    use super::*;

    fn read(record: &[u8]) -> (u8, u32, u8) {
        let config = AacConfig::decode(record).unwrap();
        assert_eq!(config.encode(), record);
        (
            config.object_type(),
            config.sample_rate(),
            config.channels(),
        )
    }

    /// FLV-36, ERTMP-65, ERTMP-66. The first two are ffmpeg's.
    #[test]
    fn records() {
        assert_eq!(read(&hex!("1190 56E500")), (2, 48_000, 2));
        assert_eq!(read(&hex!("11B0 56E500")), (2, 48_000, 6));
        assert_eq!(read(&hex!("1210")), (2, 44_100, 2));
        // HE-AAC explicitly (libfdk_aac), and in a way that older decoders pass over.
        assert_eq!(read(&hex!("2B11 8800")), (5, 48_000, 2));
        assert_eq!(read(&hex!("1310 56E598")), (5, 48_000, 2));
        // HE-AAC v2: mono in, stereo out.
        assert_eq!(read(&hex!("EB09 8800")), (29, 48_000, 2));
        // A rate of its own.
        assert_eq!(read(&hex!("1780 4E20 10")), (2, 40_000, 2));
        // xHE-AAC: object type 42.
        assert_eq!(read(&hex!("F94640")).0, 42);
    }

    /// Two front pairs and a low frequency channel in a program config element.
    #[test]
    fn program_config_element() {
        let mut bits = BitWriter::default();
        for (count, value) in [(5, 2), (4, 3), (4, 0), (3, 0)] {
            bits.put(count, value);
        }
        for (count, value) in [(10, 0), (4, 2), (4, 0), (4, 0), (2, 1), (7, 0), (3, 0)] {
            bits.put(count, value);
        }
        for (count, value) in [(1, 1), (4, 0), (1, 1), (4, 1)] {
            bits.put(count, value);
        }
        assert_eq!(read(&bits.into_bytes()), (2, 48_000, 5));
    }

    #[test]
    fn low_complexity() {
        let config = AacConfig::low_complexity(44_100, 2).unwrap();
        assert_eq!(config.encode(), hex!("1210"));
        assert_eq!(config.codec_string(), "mp4a.40.2");
        for (rate, channels) in [(48_000, 8), (12_345, 1)] {
            let config = AacConfig::low_complexity(rate, channels).unwrap();
            assert_eq!(AacConfig::decode(&config.encode()), Ok(config));
        }
        for (rate, channels) in [(48_000, 7), (48_000, 0), (0, 2), (1 << 24, 2)] {
            assert_eq!(
                AacConfig::low_complexity(rate, channels),
                Err(ConfigError::Invalid)
            );
        }
    }

    proptest! {
        #[test]
        fn any_record_is_read_or_refused(record: Vec<u8>) {
            if let Ok(config) = AacConfig::decode(&record) {
                prop_assert_eq!(config.encode(), record);
            }
        }
    }
}
