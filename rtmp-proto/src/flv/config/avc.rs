//! AVC (H.264).
//!
//! ```text
//! | 1 | profile 1 | compatibility 1 | level 1 | 111111, length size - 1 (2 bits)
//! | 111, SPS count (5 bits) { length 2 | SPS } ... | PPS count 1 { length 2 | PPS } ... | extension
//! ```
//!
//! [ISO/IEC 14496-15 §5.3.3.1.2], [H.264 §7.3.2.1.1]

use alloc::{format, string::String, vec, vec::Vec};

use nom::{
    IResult, Parser,
    number::complete::{be_u8, u8},
};

use super::{
    ConfigError, ParameterSet,
    bits::{BitReader, unescape},
};

/// The decoder configuration of AVC: the record of a sequence header.
///
/// [E-RTMP v2 "Enhanced Video"], [FLV §E.4.3.2]
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct AvcConfig {
    profile: u8,
    compatibility: u8,
    level: u8,
    length_size_bits: u8,
    sps: Vec<ParameterSet>,
    pps: Vec<ParameterSet>,
    /// Chroma format, bit depths and extensions of parameter sets: there from High profile on, if
    /// the encoder knows of it.
    extension: Vec<u8>,
}

impl AvcConfig {
    /// A configuration with one parameter set of each kind; frames give lengths in four bytes.
    ///
    /// # Errors
    ///
    /// If `sps` is not a sequence parameter set.
    pub fn new(sps: ParameterSet, pps: ParameterSet) -> Result<Self, ConfigError> {
        let info = AvcSps::decode(sps.as_bytes())?;
        // [ISO/IEC 14496-15 §5.3.3.1.2]: of the profiles that have it.
        let extension = match info.has_chroma_info {
            true => vec![
                0xFC | info.chroma_format,
                0xF8 | (info.bit_depth_luma - 8),
                0xF8 | (info.bit_depth_chroma - 8),
                0,
            ],
            false => Vec::new(),
        };
        Ok(Self {
            profile: info.profile,
            compatibility: info.compatibility,
            level: info.level,
            length_size_bits: 3,
            sps: vec![sps],
            pps: vec![pps],
            extension,
        })
    }

    /// Reads a record.
    ///
    /// # Errors
    ///
    /// If it is cut off or of another version.
    pub fn decode(record: &[u8]) -> Result<Self, ConfigError> {
        match record.first() {
            None => return Err(ConfigError::Truncated),
            Some(1) => {}
            Some(&version) => return Err(ConfigError::Version { version }),
        }
        fn fields(input: &[u8]) -> IResult<&[u8], AvcConfig> {
            let (input, (_, profile, compatibility, level, length_size_bits, sps_count)) =
                (u8, u8, u8, u8, u8, u8).parse(input)?;
            let (input, sps) = ParameterSet::decode_all(input, usize::from(sps_count & 0x1F))?;
            let (input, pps_count) = be_u8(input)?;
            let (extension, pps) = ParameterSet::decode_all(input, usize::from(pps_count))?;
            let config = AvcConfig {
                profile,
                compatibility,
                level,
                length_size_bits: length_size_bits & 0b11,
                sps,
                pps,
                extension: extension.to_vec(),
            };
            Ok((&[], config))
        }
        let (_, config) = fields(record)?;
        Ok(config)
    }

    /// The record.
    pub fn encode(&self) -> Vec<u8> {
        let count = |sets: &[ParameterSet]| u8::try_from(sets.len()).expect("counted in a byte");
        let mut out = vec![
            1,
            self.profile,
            self.compatibility,
            self.level,
            0xFC | self.length_size_bits,
            0xE0 | count(&self.sps),
        ];
        for sps in &self.sps {
            sps.encode(&mut out);
        }
        out.push(count(&self.pps));
        for pps in &self.pps {
            pps.encode(&mut out);
        }
        out.extend(&self.extension);
        out
    }

    /// profile_idc: 66 Baseline, 77 Main, 100 High…
    pub const fn profile(&self) -> u8 {
        self.profile
    }

    /// level_idc: ten times the level.
    pub const fn level(&self) -> u8 {
        self.level
    }

    /// Bytes of the length before each NAL unit of a frame: 1, 2 or 4.
    pub const fn nal_length_size(&self) -> u8 {
        self.length_size_bits + 1
    }

    /// The sequence parameter sets.
    pub fn sps(&self) -> &[ParameterSet] {
        &self.sps
    }

    /// The picture parameter sets.
    pub fn pps(&self) -> &[ParameterSet] {
        &self.pps
    }

    /// What the first sequence parameter set says.
    ///
    /// # Errors
    ///
    /// If there is none, or it is not understood.
    pub fn sequence(&self) -> Result<AvcSps, ConfigError> {
        let sps = self.sps.first().ok_or(ConfigError::Truncated)?;
        AvcSps::decode(sps.as_bytes())
    }

    pub(super) fn codec_string(&self) -> String {
        let (profile, compatibility) = (self.profile, self.compatibility);
        format!("avc1.{profile:02x}{compatibility:02x}{:02x}", self.level)
    }

    pub(super) const fn profile_name(&self) -> Option<&'static str> {
        Some(match self.profile {
            66 if self.compatibility & CONSTRAINT_SET_1 != 0 => "Constrained Baseline",
            66 => "Baseline",
            77 => "Main",
            88 => "Extended",
            100 => "High",
            110 => "High 10",
            122 => "High 4:2:2",
            244 => "High 4:4:4",
            _ => return None,
        })
    }
}

/// What a sequence parameter set of AVC says of the pictures.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub struct AvcSps {
    /// profile_idc.
    pub profile: u8,
    /// The constraint flags, in the order of the record.
    pub compatibility: u8,
    /// level_idc.
    pub level: u8,
    /// Pixels, after cropping.
    pub width: u32,
    /// Pixels, after cropping.
    pub height: u32,
    /// 0 monochrome, 1 4:2:0, 2 4:2:2, 3 4:4:4.
    pub chroma_format: u8,
    /// Bits of a luma sample, 8 to 14.
    pub bit_depth_luma: u8,
    /// Bits of a chroma sample, 8 to 14.
    pub bit_depth_chroma: u8,
    has_chroma_info: bool,
}

impl AvcSps {
    /// Reads a NAL unit. [H.264 §7.3.2.1.1]
    ///
    /// # Errors
    ///
    /// If it is not a sequence parameter set, cut off, or holds values that cannot be.
    pub fn decode(nal: &[u8]) -> Result<Self, ConfigError> {
        let payload = unescape(nal);
        let bits = &mut BitReader::new(&payload);
        if bits.byte(8)? & 0x1F != NAL_TYPE_SPS {
            return Err(ConfigError::Invalid);
        }
        let (profile, compatibility, level) = (bits.byte(8)?, bits.byte(8)?, bits.byte(8)?);
        bits.skip_golomb()?; // seq_parameter_set_id
        let has_chroma_info = PROFILES_WITH_CHROMA_INFO.contains(&profile);
        let (mut chroma_format, mut separate_planes) = (1, false);
        let (mut bit_depth_luma, mut bit_depth_chroma) = (8, 8);
        if has_chroma_info {
            chroma_format = u8::try_from(bits.ue()?.min(4)).map_err(|_| ConfigError::Invalid)?;
            if chroma_format > 3 {
                return Err(ConfigError::Invalid);
            }
            separate_planes = chroma_format == 3 && bits.flag()?;
            bit_depth_luma = bit_depth(bits)?;
            bit_depth_chroma = bit_depth(bits)?;
            bits.skip(1)?; // qpprime_y_zero_transform_bypass_flag
            if bits.flag()? {
                for index in 0..if chroma_format == 3 { 12 } else { 8 } {
                    if bits.flag()? {
                        skip_scaling_list(bits, if index < 6 { 16 } else { 64 })?;
                    }
                }
            }
        }
        bits.skip_golomb()?; // log2_max_frame_num_minus4
        match bits.ue()? {
            0 => bits.skip_golomb()?, // log2_max_pic_order_cnt_lsb_minus4
            1 => {
                bits.skip(1)?; // delta_pic_order_always_zero_flag
                bits.skip_golomb()?; // offset_for_non_ref_pic
                bits.skip_golomb()?; // offset_for_top_to_bottom_field
                let cycle = bits.ue()?;
                if cycle > 255 {
                    return Err(ConfigError::Invalid);
                }
                for _ in 0..cycle {
                    bits.skip_golomb()?; // offset_for_ref_frame
                }
            }
            _ => {}
        }
        bits.skip_golomb()?; // max_num_ref_frames
        bits.skip(1)?; // gaps_in_frame_num_value_allowed_flag
        let width_in_macroblocks = u64::from(bits.ue()?) + 1;
        let height_in_map_units = u64::from(bits.ue()?) + 1;
        let frames_only = bits.flag()?;
        if !frames_only {
            bits.skip(1)?; // mb_adaptive_frame_field_flag
        }
        bits.skip(1)?; // direct_8x8_inference_flag
        let fields = if frames_only { 1 } else { 2 };
        let chroma_format_of_planes = if separate_planes { 0 } else { chroma_format };
        let (unit_x, unit_y) = crop_units(chroma_format_of_planes);
        let crop = Crop::decode(bits, unit_x, unit_y * fields)?;
        Ok(Self {
            profile,
            compatibility,
            level,
            width: crop.width_of(width_in_macroblocks * 16)?,
            height: crop.height_of(height_in_map_units * 16 * fields)?,
            chroma_format,
            bit_depth_luma,
            bit_depth_chroma,
            has_chroma_info,
        })
    }
}

/// A cropping or conformance window.
pub(super) struct Crop {
    x: u64,
    y: u64,
}

impl Crop {
    /// Reads a flag and, if it is set, the four offsets in units of so many pixels.
    pub(super) fn decode(
        bits: &mut BitReader<'_>,
        unit_x: u64,
        unit_y: u64,
    ) -> Result<Self, ConfigError> {
        if !bits.flag()? {
            return Ok(Self { x: 0, y: 0 });
        }
        let mut offset = || bits.ue().map(u64::from);
        let (left, right, top, bottom) = (offset()?, offset()?, offset()?, offset()?);
        Ok(Self {
            x: (left + right) * unit_x,
            y: (top + bottom) * unit_y,
        })
    }

    pub(super) fn width_of(&self, coded: u64) -> Result<u32, ConfigError> {
        size(coded, self.x)
    }

    pub(super) fn height_of(&self, coded: u64) -> Result<u32, ConfigError> {
        size(coded, self.y)
    }
}

/// Pixels of the unit in which windows are given, by chroma format. [H.264 §7.4.2.1.1]
pub(super) const fn crop_units(chroma_format: u8) -> (u64, u64) {
    match chroma_format {
        1 => (2, 2),
        2 => (2, 1),
        _ => (1, 1),
    }
}

/// A bit depth given as what it is beyond 8.
pub(super) fn bit_depth(bits: &mut BitReader<'_>) -> Result<u8, ConfigError> {
    match u8::try_from(bits.ue()?) {
        Ok(beyond @ 0..=8) => Ok(8 + beyond),
        _ => Err(ConfigError::Invalid),
    }
}

fn size(coded: u64, cropped: u64) -> Result<u32, ConfigError> {
    let size = coded.checked_sub(cropped).filter(|&size| size > 0);
    size.and_then(|size| u32::try_from(size).ok())
        .ok_or(ConfigError::Invalid)
}

/// [H.264 §7.3.2.1.1.1]
fn skip_scaling_list(bits: &mut BitReader<'_>, len: usize) -> Result<(), ConfigError> {
    let (mut last, mut next) = (8, 8);
    for _ in 0..len {
        if next != 0 {
            next = (last + bits.se()?).rem_euclid(256);
        }
        if next != 0 {
            last = next;
        }
    }
    Ok(())
}

const NAL_TYPE_SPS: u8 = 7;
/// constraint_set1_flag.
const CONSTRAINT_SET_1: u8 = 0x40;
/// [H.264 §7.3.2.1.1]
const PROFILES_WITH_CHROMA_INFO: [u8; 13] =
    [100, 110, 122, 244, 44, 83, 86, 118, 128, 138, 139, 134, 135];

#[cfg(test)]
mod tests {
    use hex_literal::hex;
    use proptest::prelude::*;

    use super::*;

    /// FLV-45, ERTMP-98: libx264 by ffmpeg 9.0, 1280x720.
    const RECORD: [u8; 38] = hex!(
        "01 42C01F FF E1 0017 6742C01FDA014016EC0440000003004000000F03C60CA8 01 0004 68CE0FC8"
    );

    #[test]
    fn x264_record() {
        let config = AvcConfig::decode(&RECORD).unwrap();
        assert_eq!(config.encode(), RECORD);
        assert_eq!(
            (config.profile(), config.level(), config.nal_length_size()),
            (66, 31, 4)
        );
        assert_eq!((config.sps().len(), config.pps().len()), (1, 1));
        let sequence = config.sequence().unwrap();
        assert_eq!((sequence.width, sequence.height), (1280, 720));
        assert_eq!((sequence.chroma_format, sequence.bit_depth_luma), (1, 8));
        assert_eq!(config.codec_string(), "avc1.42c01f");
        assert_eq!(config.profile_name(), Some("Constrained Baseline"));
        let rebuilt = AvcConfig::new(config.sps()[0].clone(), config.pps()[0].clone());
        assert_eq!(rebuilt, Ok(config));
    }

    /// The SPS of a High profile encoder at 1920x1080: eight lines are cropped.
    #[test]
    fn high_profile_with_cropping() {
        let sps = hex!("67 640028 ACD940780227E5C05A808080A0000003002000000781E30632C0");
        let info = AvcSps::decode(&sps).unwrap();
        assert_eq!((info.width, info.height), (1920, 1080));
        let sps = ParameterSet::new(sps).unwrap();
        let pps = ParameterSet::new(hex!("68EBE3CB22C0")).unwrap();
        let config = AvcConfig::new(sps, pps).unwrap();
        assert_eq!(config.profile_name(), Some("High"));
        assert!(config.encode().ends_with(&hex!("FD F8 F8 00")));
        assert_eq!(AvcConfig::decode(&config.encode()), Ok(config));
    }

    #[test]
    fn cut_records_and_other_versions_are_refused() {
        for len in 0..RECORD.len() {
            assert_eq!(
                AvcConfig::decode(&RECORD[..len]),
                Err(ConfigError::Truncated),
                "{len}"
            );
        }
        assert_eq!(
            AvcConfig::decode(&[0, 0, 0, 1, 0x67]),
            Err(ConfigError::Version { version: 0 })
        );
    }

    proptest! {
        #[test]
        fn any_sps_is_read_or_refused(mut nal: Vec<u8>) {
            nal.insert(0, 0x67);
            if let Ok(info) = AvcSps::decode(&nal) {
                prop_assert!(info.width > 0 && info.height > 0);
            }
        }

        #[test]
        fn what_is_read_is_written(mut record: Vec<u8>) {
            record.insert(0, 1);
            if let Ok(config) = AvcConfig::decode(&record) {
                let written = config.encode();
                prop_assert_eq!(AvcConfig::decode(&written), Ok(config));
            }
        }
    }
}
