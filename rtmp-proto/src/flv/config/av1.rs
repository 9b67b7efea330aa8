//! AV1.
//!
//! ```text
//! | 1 (1 bit), 1 (7 bits) | profile 3, level 5 | tier, depth 2, mono, chroma 4 | delay | OBUs ...
//! ```
//!
//! [AV1-ISOBMFF §2.3], [AV1 §5.5]

use alloc::{format, string::String, vec::Vec};

use super::{ConfigError, bits::BitReader};

/// The decoder configuration of AV1: the record of a sequence header.
///
/// [E-RTMP v2 "Enhanced Video"]
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Av1Config {
    head: [u8; HEAD_LEN],
    obus: Vec<u8>,
}

impl Av1Config {
    /// A configuration with `sequence_header`, an OBU with its header and size.
    ///
    /// # Errors
    ///
    /// If it is not a sequence header.
    pub fn new(sequence_header: impl Into<Vec<u8>>) -> Result<Self, ConfigError> {
        let obus = sequence_header.into();
        let info = Av1Sequence::decode(&obus)?;
        let depth = match info.bit_depth {
            8 => 0b00,
            10 => 0b10,
            _ => 0b11,
        };
        let head = [
            MARKER_AND_VERSION,
            info.profile << 5 | info.level,
            u8::from(info.is_high_tier) << 7
                | depth << 5
                | u8::from(info.is_monochrome) << 4
                | info.chroma,
            0,
        ];
        Ok(Self { head, obus })
    }

    /// Reads a record.
    ///
    /// # Errors
    ///
    /// If it is cut off or of another version.
    pub fn decode(record: &[u8]) -> Result<Self, ConfigError> {
        let (&head, obus) = record
            .split_first_chunk::<HEAD_LEN>()
            .ok_or(ConfigError::Truncated)?;
        let [version, ..] = head;
        if version != MARKER_AND_VERSION {
            return Err(ConfigError::Version { version });
        }
        Ok(Self {
            head,
            obus: obus.to_vec(),
        })
    }

    /// The record.
    pub fn encode(&self) -> Vec<u8> {
        [&self.head[..], &self.obus].concat()
    }

    /// seq_profile: 0 Main, 1 High, 2 Professional.
    pub const fn profile(&self) -> u8 {
        self.head[1] >> 5
    }

    /// seq_level_idx of the first operating point: 0 is level 2.0, 1 is 2.1, 4 is 3.0…
    pub const fn level(&self) -> u8 {
        self.head[1] & 0x1F
    }

    /// Whether the bit rates are those of the High tier.
    pub const fn is_high_tier(&self) -> bool {
        self.head[2] & 0x80 != 0
    }

    /// Bits of a sample: 8, 10 or 12.
    pub const fn bit_depth(&self) -> u8 {
        match self.head[2] >> 5 & 0b11 {
            0b10 => 10,
            0b11 => 12,
            _ => 8,
        }
    }

    /// The OBUs: usually the sequence header, possibly nothing.
    pub fn obus(&self) -> &[u8] {
        &self.obus
    }

    /// What the sequence header says.
    ///
    /// # Errors
    ///
    /// If there is none, or it is not understood.
    pub fn sequence(&self) -> Result<Av1Sequence, ConfigError> {
        Av1Sequence::decode(&self.obus)
    }

    /// [AV1-ISOBMFF §5]
    pub(super) fn codec_string(&self) -> String {
        let tier = if self.is_high_tier() { 'H' } else { 'M' };
        let (profile, level, depth) = (self.profile(), self.level(), self.bit_depth());
        format!("av01.{profile}.{level:02}{tier}.{depth:02}")
    }

    pub(super) const fn profile_name(&self) -> Option<&'static str> {
        Some(match self.profile() {
            0 => "Main",
            1 => "High",
            2 => "Professional",
            _ => return None,
        })
    }
}

/// What a sequence header of AV1 says of the pictures.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub struct Av1Sequence {
    /// seq_profile.
    pub profile: u8,
    /// seq_level_idx of the first operating point.
    pub level: u8,
    /// Pixels of the largest pictures.
    pub width: u32,
    /// Pixels of the largest pictures.
    pub height: u32,
    /// Bits of a sample: 8, 10 or 12.
    pub bit_depth: u8,
    is_high_tier: bool,
    is_monochrome: bool,
    /// Subsampling in x and y and position, as the record has them.
    chroma: u8,
}

impl Av1Sequence {
    /// Reads the first sequence header among `obus`. [AV1 §5.3, §5.5]
    ///
    /// # Errors
    ///
    /// If there is none, it is cut off, or holds values that cannot be.
    pub fn decode(obus: &[u8]) -> Result<Self, ConfigError> {
        let mut rest = obus;
        loop {
            let bits = &mut BitReader::new(rest);
            bits.skip(1)?;
            let kind = bits.bits(4)?;
            let (has_extension, has_size) = (bits.flag()?, bits.flag()?);
            bits.skip(if has_extension { 1 + 8 } else { 1 })?;
            let size = match has_size {
                true => usize::try_from(bits.leb128()?).map_err(|_| ConfigError::Truncated)?,
                false => bits.rest().len(),
            };
            let (body, next) = bits
                .rest()
                .split_at_checked(size)
                .ok_or(ConfigError::Truncated)?;
            if kind == OBU_SEQUENCE_HEADER {
                return Self::decode_body(&mut BitReader::new(body));
            }
            rest = next;
        }
    }

    fn decode_body(bits: &mut BitReader<'_>) -> Result<Self, ConfigError> {
        let profile = bits.byte(3)?;
        bits.skip(1)?; // still_picture
        let is_reduced = bits.flag()?;
        let (level, is_high_tier) = match is_reduced {
            true => (bits.byte(5)?, false),
            false => operating_points(bits)?,
        };
        let (width_bits, height_bits) = (bits.bits(4)? + 1, bits.bits(4)? + 1);
        let (width, height) = (bits.bits(width_bits)? + 1, bits.bits(height_bits)? + 1);
        skip_tools(bits, is_reduced)?;
        let color = Color::decode(bits, profile)?;
        Ok(Self {
            profile,
            level,
            width,
            height,
            bit_depth: color.bit_depth,
            is_high_tier,
            is_monochrome: color.is_monochrome,
            chroma: color.chroma,
        })
    }
}

/// Level and tier of the first operating point, and everything around it. [AV1 §5.5.1]
fn operating_points(bits: &mut BitReader<'_>) -> Result<(u8, bool), ConfigError> {
    let mut delay_bits = None;
    if bits.flag()? {
        bits.skip(64)?; // num_units_in_display_tick, time_scale
        if bits.flag()? {
            bits.skip_golomb()?; // num_ticks_per_picture_minus_1 is such a code, too
        }
        if bits.flag()? {
            delay_bits = Some(bits.bits(5)? as usize + 1);
            bits.skip(32 + 5 + 5)?;
        }
    }
    let has_display_delay = bits.flag()?;
    let count = bits.bits(5)? + 1;
    let mut first = None;
    for _ in 0..count {
        bits.skip(12)?; // operating_point_idc
        let level = bits.byte(5)?;
        let is_high_tier = level > 7 && bits.flag()?;
        first.get_or_insert((level, is_high_tier));
        if let Some(delay_bits) = delay_bits
            && bits.flag()?
        {
            bits.skip(2 * delay_bits + 1)?;
        }
        if has_display_delay && bits.flag()? {
            bits.skip(4)?;
        }
    }
    first.ok_or(ConfigError::Invalid)
}

/// What lies between the size and the colours. [AV1 §5.5.1]
fn skip_tools(bits: &mut BitReader<'_>, is_reduced: bool) -> Result<(), ConfigError> {
    if !is_reduced && bits.flag()? {
        bits.skip(4 + 3)?; // lengths of frame IDs
    }
    bits.skip(3)?; // superblocks, filter_intra, intra_edge_filter
    if !is_reduced {
        bits.skip(4)?; // interintra to dual_filter
        let has_order_hint = bits.flag()?;
        if has_order_hint {
            bits.skip(2)?; // jnt_comp, ref_frame_mvs
        }
        let chooses_screen_content_tools = bits.flag()?;
        // Set, or left to each frame, the choice about integer motion vectors follows.
        if (chooses_screen_content_tools || bits.flag()?) && !bits.flag()? {
            bits.skip(1)?; // seq_force_integer_mv
        }
        if has_order_hint {
            bits.skip(3)?;
        }
    }
    bits.skip(3) // superres, cdef, restoration
}

/// [AV1 §5.5.2]
struct Color {
    bit_depth: u8,
    is_monochrome: bool,
    chroma: u8,
}

impl Color {
    fn decode(bits: &mut BitReader<'_>, profile: u8) -> Result<Self, ConfigError> {
        let is_deep = bits.flag()?;
        let bit_depth = match is_deep {
            true if profile == 2 && bits.flag()? => 12,
            true => 10,
            false => 8,
        };
        let is_monochrome = profile != 1 && bits.flag()?;
        let description = match bits.flag()? {
            true => Some((bits.bits(8)?, bits.bits(8)?, bits.bits(8)?)),
            false => None,
        };
        let chroma = if is_monochrome {
            bits.skip(1)?; // color_range
            SUBSAMPLED_X | SUBSAMPLED_Y
        } else if description == Some(SRGB) {
            0
        } else {
            bits.skip(1)?; // color_range
            let subsampling = match profile {
                0 => SUBSAMPLED_X | SUBSAMPLED_Y,
                1 => 0,
                _ if bit_depth < 12 => SUBSAMPLED_X,
                _ if !bits.flag()? => 0,
                _ if bits.flag()? => SUBSAMPLED_X | SUBSAMPLED_Y,
                _ => SUBSAMPLED_X,
            };
            match subsampling {
                BOTH => BOTH | bits.byte(2)?,
                other => other,
            }
        };
        Ok(Self {
            bit_depth,
            is_monochrome,
            chroma,
        })
    }
}

const HEAD_LEN: usize = 4;
const MARKER_AND_VERSION: u8 = 0x81;
const OBU_SEQUENCE_HEADER: u32 = 1;
const SUBSAMPLED_X: u8 = 0b1000;
const SUBSAMPLED_Y: u8 = 0b0100;
const BOTH: u8 = SUBSAMPLED_X | SUBSAMPLED_Y;
/// Primaries, transfer and matrix. [AV1 §6.4.2]
const SRGB: (u32, u32, u32) = (1, 13, 0);

#[cfg(test)]
mod tests {
    use hex_literal::hex;
    use proptest::prelude::*;

    use super::*;

    /// ERTMP-97: SVT-AV1 by ffmpeg 9.0, 640x360.
    const RECORD: [u8; 18] = hex!("81 01 0C 00 0A0C 0200000D2627FB3805F00080");

    #[test]
    fn svt_record() {
        let config = Av1Config::decode(&RECORD).unwrap();
        assert_eq!(config.encode(), RECORD);
        assert_eq!(
            (config.profile(), config.level(), config.bit_depth()),
            (0, 1, 8)
        );
        let sequence = config.sequence().unwrap();
        assert_eq!((sequence.width, sequence.height), (640, 360));
        assert_eq!(config.codec_string(), "av01.0.01M.08");
        assert_eq!(config.profile_name(), Some("Main"));
        assert_eq!(Av1Config::new(config.obus()), Ok(config));
    }

    /// The file testsrc.flv of veovera's e-rtmp-lab: RGB, so profile 1 without subsampling.
    #[test]
    fn without_sequence_header() {
        let config = Av1Config::decode(&hex!("81 20 00 00")).unwrap();
        assert_eq!(config.sequence(), Err(ConfigError::Truncated));
        assert_eq!(config.profile_name(), Some("High"));
    }

    #[test]
    fn other_versions_are_refused() {
        assert_eq!(
            Av1Config::decode(&hex!("01 00 00 00")),
            Err(ConfigError::Version { version: 1 })
        );
        assert_eq!(Av1Config::decode(&[0x81]), Err(ConfigError::Truncated));
    }

    proptest! {
        #[test]
        fn any_sequence_is_read_or_refused(mut body: Vec<u8>) {
            body.insert(0, 0x08);
            if let Ok(info) = Av1Sequence::decode(&body) {
                prop_assert!(info.width > 0 && info.height > 0);
                let config = Av1Config::new(body).unwrap();
                prop_assert_eq!(config.bit_depth(), info.bit_depth);
                prop_assert_eq!(config.profile(), info.profile);
                prop_assert_eq!(Av1Config::decode(&config.encode()), Ok(config));
            }
        }

        #[test]
        fn any_obus_are_read_or_refused(obus: Vec<u8>) {
            let _ = Av1Sequence::decode(&obus);
        }
    }
}
