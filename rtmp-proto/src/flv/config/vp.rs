//! VP8 and VP9.
//!
//! ```text
//! | 1 | flags 3 | profile 1 | level 1 | depth 4, chroma 3, full range 1 (bits) | primaries 1
//! | transfer 1 | matrix 1 | length 2, 0 |
//! ```
//!
//! [VP Codec ISO Media File Format Binding]

use alloc::{format, string::String, vec::Vec};

use super::{ConfigError, bits::BitReader};

/// The decoder configuration of VP8 and VP9: the record of a sequence header.
///
/// Written with the version and flags of the box that it comes from, as ffmpeg does; read with and
/// without them.
///
/// [E-RTMP v2 "Enhanced Video"]
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub struct VpConfig {
    /// 0 to 3.
    pub profile: u8,
    /// Ten times the level; 0 if it is unknown.
    pub level: u8,
    /// Bits of a sample: 8, 10 or 12.
    pub bit_depth: u8,
    /// 0 and 1 are 4:2:0, 2 is 4:2:2, 3 is 4:4:4.
    pub chroma_subsampling: u8,
    /// Whether samples use the full range.
    pub is_full_range: bool,
    /// An index of [H.273 §8.1].
    pub color_primaries: u8,
    /// An index of [H.273 §8.2].
    pub transfer_characteristics: u8,
    /// An index of [H.273 §8.3].
    pub matrix_coefficients: u8,
}

impl VpConfig {
    /// A configuration with 8 bits a sample, 4:2:0, and colours unspecified.
    pub const fn new(profile: u8, level: u8) -> Self {
        Self {
            profile,
            level,
            bit_depth: 8,
            chroma_subsampling: 1,
            is_full_range: false,
            color_primaries: UNSPECIFIED,
            transfer_characteristics: UNSPECIFIED,
            matrix_coefficients: UNSPECIFIED,
        }
    }

    /// Reads a record.
    ///
    /// # Errors
    ///
    /// If it is cut off.
    pub fn decode(record: &[u8]) -> Result<Self, ConfigError> {
        // A record of its own does not begin so: its samples would have no bits.
        let fields = record.strip_prefix(&BOX_VERSION).unwrap_or(record);
        let [profile, level, format, primaries, transfer, matrix, ..] = *fields else {
            return Err(ConfigError::Truncated);
        };
        Ok(Self {
            profile,
            level,
            bit_depth: format >> 4,
            chroma_subsampling: format >> 1 & 0b111,
            is_full_range: format & 1 != 0,
            color_primaries: primaries,
            transfer_characteristics: transfer,
            matrix_coefficients: matrix,
        })
    }

    /// The record. Of bit depth and subsampling the low bits count that it has room for.
    pub fn encode(&self) -> Vec<u8> {
        let format = self.bit_depth << 4
            | (self.chroma_subsampling & 0b111) << 1
            | u8::from(self.is_full_range);
        let mut out = BOX_VERSION.to_vec();
        out.extend([
            self.profile,
            self.level,
            format,
            self.color_primaries,
            self.transfer_characteristics,
            self.matrix_coefficients,
            0,
            0,
        ]);
        out
    }

    pub(super) fn codec_string(&self, four_cc: &str) -> String {
        let (profile, level, depth) = (self.profile, self.level, self.bit_depth);
        format!("{four_cc}.{profile:02}.{level:02}.{depth:02}")
    }

    pub(super) const fn profile_name(&self) -> Option<&'static str> {
        Some(match self.profile {
            0 => "Profile 0",
            1 => "Profile 1",
            2 => "Profile 2",
            3 => "Profile 3",
            _ => return None,
        })
    }
}

/// Width and height in pixels that a key frame of VP8 states. [RFC 6386 §9.1]
///
/// # Errors
///
/// If it is not a key frame, or cut off.
pub fn vp8_frame_size(frame: &[u8]) -> Result<(u32, u32), ConfigError> {
    let [tag, _, _, 0x9D, 0x01, 0x2A, w0, w1, h0, h1, ..] = *frame else {
        return Err(ConfigError::Invalid);
    };
    if tag & 1 != 0 {
        return Err(ConfigError::Invalid);
    }
    // The two high bits tell how to scale.
    let size = |low, high| u32::from(u16::from_le_bytes([low, high]) & 0x3FFF);
    Ok((size(w0, w1), size(h0, h1)))
}

/// Width and height in pixels that a key frame of VP9 states. [VP9 §6.2]
///
/// # Errors
///
/// If it is not a key frame, or cut off.
pub fn vp9_frame_size(frame: &[u8]) -> Result<(u32, u32), ConfigError> {
    let bits = &mut BitReader::new(frame);
    if bits.bits(2)? != 0b10 {
        return Err(ConfigError::Invalid);
    }
    let profile = bits.bits(1)? | bits.bits(1)? << 1;
    if profile == 3 {
        bits.skip(1)?;
    }
    let (shows_existing, is_inter) = (bits.flag()?, bits.flag()?);
    bits.skip(2)?; // show_frame, error_resilient_mode
    if shows_existing || is_inter || bits.bits(24)? != VP9_SYNC_CODE {
        return Err(ConfigError::Invalid);
    }
    if profile >= 2 {
        bits.skip(1)?; // ten_or_twelve_bit
    }
    let has_chroma_info = profile % 2 == 1;
    if bits.bits(3)? == VP9_COLOR_SPACE_RGB {
        bits.skip(if has_chroma_info { 1 } else { 0 })?;
    } else {
        bits.skip(if has_chroma_info { 1 + 3 } else { 1 })?;
    }
    Ok((bits.bits(16)? + 1, bits.bits(16)? + 1))
}

const BOX_VERSION: [u8; 4] = [1, 0, 0, 0];
/// [H.273 §8.1]
const UNSPECIFIED: u8 = 2;
const VP9_SYNC_CODE: u32 = 0x49_8342;
const VP9_COLOR_SPACE_RGB: u32 = 7;

#[cfg(test)]
mod tests {
    use hex_literal::hex;
    use proptest::prelude::*;

    use super::*;

    /// ERTMP-96: libvpx by ffmpeg 9.0.
    #[test]
    fn with_and_without_box_version() {
        let record = hex!("01000000 00 15 82 02 02 02 0000");
        let config = VpConfig::decode(&record).unwrap();
        assert_eq!(config, VpConfig::new(0, 21));
        assert_eq!(config.encode(), record);
        assert_eq!(VpConfig::decode(&record[4..]), Ok(config));
        assert_eq!(config.codec_string("vp09"), "vp09.00.21.08");
        assert_eq!(VpConfig::decode(&record[..9]), Err(ConfigError::Truncated));
    }

    /// Key frames of libvpx by ffmpeg 9.0; that of VP8 is from RFC 6386.
    #[test]
    fn frame_sizes() {
        let vp9 = hex!("82 498342 0027F016760638241C");
        assert_eq!(vp9_frame_size(&vp9), Ok((640, 360)));
        assert!(vp9_frame_size(&hex!("86 004092F1")).is_err());
        let vp8 = hex!("500D00 9D012A 8002 6801 00");
        assert_eq!(vp8_frame_size(&vp8), Ok((640, 360)));
        assert!(vp8_frame_size(&hex!("510D00 9D012A 8002 6801 00")).is_err());
    }

    proptest! {
        #[test]
        fn any_frame_is_read_or_refused(frame: Vec<u8>) {
            let _ = (vp8_frame_size(&frame), vp9_frame_size(&frame));
        }

        #[test]
        fn what_is_read_is_written(record: Vec<u8>) {
            if let Ok(config) = VpConfig::decode(&record) {
                prop_assert_eq!(VpConfig::decode(&config.encode()), Ok(config));
            }
        }
    }
}
