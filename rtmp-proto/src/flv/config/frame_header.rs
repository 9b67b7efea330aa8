//! The headers of sound frames whose codecs have no configuration record.

use super::{ConfigError, bits::BitReader};

/// What a frame of sound says of itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(in crate::flv) struct SoundHeader {
    /// Samples a second.
    pub(in crate::flv) sample_rate: u32,
    pub(in crate::flv) channels: u8,
}

/// The header of an AC-3 or E-AC-3 frame. [ATSC A/52 §5.3, §E.2.2]
pub(in crate::flv) fn ac3_header(frame: &[u8]) -> Result<SoundHeader, ConfigError> {
    let bits = &mut BitReader::new(frame);
    if bits.bits(16)? != 0x0B77 {
        return Err(ConfigError::Invalid);
    }
    // The number of the version stands at the same place in both.
    let mut version = bits.clone();
    version.skip(24)?;
    let (rate, mode, has_low_frequency);
    match version.bits(5)? {
        ..=10 => {
            bits.skip(16)?; // crc1
            rate = AC3_RATES.get(bits.bits(2)? as usize).copied();
            bits.skip(6 + 5 + 3)?; // frmsizecod, bsid, bsmod
            mode = bits.byte(3)?;
            let mix_levels = [mode & 1 != 0 && mode != 1, mode & 4 != 0, mode == 2];
            bits.skip(2 * mix_levels.into_iter().filter(|&has| has).count())?;
            has_low_frequency = bits.flag()?;
        }
        11..=16 => {
            bits.skip(2 + 3 + 11)?; // strmtyp, substreamid, frmsiz
            let (code, half) = (bits.bits(2)? as usize, bits.bits(2)? as usize);
            rate = match AC3_RATES.get(code) {
                Some(&rate) => Some(rate),
                None => AC3_RATES.get(half).map(|rate| rate / 2),
            };
            mode = bits.byte(3)?;
            has_low_frequency = bits.flag()?;
        }
        _ => return Err(ConfigError::Invalid),
    }
    let channels = AC3_CHANNELS.get(usize::from(mode)).copied();
    Ok(SoundHeader {
        sample_rate: rate.ok_or(ConfigError::Invalid)?,
        channels: channels.ok_or(ConfigError::Invalid)? + u8::from(has_low_frequency),
    })
}

/// The header of an MP3 frame. [ISO/IEC 11172-3 §2.4.1.3]
pub(in crate::flv) fn mp3_header(frame: &[u8]) -> Result<SoundHeader, ConfigError> {
    let bits = &mut BitReader::new(frame);
    if bits.bits(11)? != 0x7FF {
        return Err(ConfigError::Invalid);
    }
    let divisor = match bits.bits(2)? {
        0b00 => 4, // MPEG 2.5
        0b10 => 2,
        0b11 => 1,
        _ => return Err(ConfigError::Invalid),
    };
    bits.skip(2 + 1 + 4)?; // layer, protection, bit rate
    let rate = MP3_RATES.get(bits.bits(2)? as usize);
    bits.skip(2)?; // padding, private
    let is_mono = bits.bits(2)? == 0b11;
    Ok(SoundHeader {
        sample_rate: rate.ok_or(ConfigError::Invalid)? / divisor,
        channels: if is_mono { 1 } else { 2 },
    })
}

const AC3_RATES: [u32; 3] = [48_000, 44_100, 32_000];
/// Full-range channels by audio coding mode.
const AC3_CHANNELS: [u8; 8] = [2, 1, 2, 3, 3, 4, 4, 5];
const MP3_RATES: [u32; 3] = [44_100, 48_000, 32_000];

#[cfg(test)]
mod tests {
    use alloc::vec::Vec;

    use hex_literal::hex;
    use proptest::prelude::*;

    use super::*;

    const fn header(sample_rate: u32, channels: u8) -> Result<SoundHeader, ConfigError> {
        Ok(SoundHeader {
            sample_rate,
            channels,
        })
    }

    /// By ffmpeg 9.0: stereo; the 5.1 of E-AC-3 is by hand [ATSC A/52 §E.2.2].
    #[test]
    fn ac3_frames() {
        assert_eq!(ac3_header(&hex!("0B77FE95144043E106F4")), header(48_000, 2));
        assert_eq!(ac3_header(&hex!("0B7702FF3F8600")), header(48_000, 6));
        assert_eq!(ac3_header(&hex!("0B770000")), Err(ConfigError::Truncated));
        assert_eq!(
            ac3_header(&hex!("770B0000000000")),
            Err(ConfigError::Invalid)
        );
    }

    #[test]
    fn mp3_frames() {
        assert_eq!(mp3_header(&hex!("FFFB54C4")), header(48_000, 1));
        assert_eq!(mp3_header(&hex!("FFFB9064")), header(44_100, 2));
        assert_eq!(mp3_header(&hex!("FFF35064")), header(22_050, 2));
        assert_eq!(mp3_header(&hex!("FFEB9064")), Err(ConfigError::Invalid));
    }

    proptest! {
        #[test]
        fn any_frame_is_read_or_refused(rest: Vec<u8>) {
            let ac3 = [&[0x0B, 0x77], &rest[..]].concat();
            let mp3 = [&[0xFF, 0xFB], &rest[..]].concat();
            for header in [ac3_header(&ac3), mp3_header(&mp3)].into_iter().flatten() {
                prop_assert!(header.sample_rate >= 8000 && header.channels > 0);
            }
        }
    }
}
