//! HEVC (H.265).
//!
//! ```text
//! | 1 | profile space 2, tier 1, profile 5 | compatibility 4 | constraints 6 | level 1
//! | segmentation 2 | parallelism 1 | chroma 1 | luma bits 1 | chroma bits 1 | frame rate 2
//! | layers, length size - 1 (2 bits) | arrays 1 { type 1 | count 2 { length 2 | NAL unit } ... } ...
//! ```
//!
//! [ISO/IEC 14496-15 §8.3.3.1.2], [H.265 §7.3.2.2]

use alloc::{format, string::String, vec, vec::Vec};
use core::fmt::Write as _;

use nom::{
    IResult, Parser,
    bytes::complete::take,
    number::complete::{be_u8, be_u16},
};

use super::{
    ConfigError, ParameterSet,
    avc::{Crop, bit_depth, crop_units},
    bits::{BitReader, unescape},
    parameter_sets::NalArray,
};

/// The decoder configuration of HEVC: the record of a sequence header.
///
/// [E-RTMP v2 "Enhanced Video"]
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct HevcConfig {
    /// What precedes the arrays, as it is.
    head: [u8; HEAD_LEN],
    arrays: Vec<NalArray>,
}

impl HevcConfig {
    /// A configuration with one parameter set of each kind; frames give lengths in four bytes.
    ///
    /// # Errors
    ///
    /// If `sps` is not a sequence parameter set.
    pub fn new(
        vps: ParameterSet,
        sps: ParameterSet,
        pps: ParameterSet,
    ) -> Result<Self, ConfigError> {
        let info = HevcSps::decode(sps.as_bytes())?;
        let mut head = [0; HEAD_LEN];
        let [version, profile @ .., _, _, _, _, _, _, _, _, _] = &mut head;
        *version = 1;
        *profile = info.profile_tier_level;
        if let Some(
            [
                segmentation,
                _,
                parallelism,
                chroma,
                luma,
                chroma_bits,
                _,
                _,
                layers,
            ],
        ) = head.last_chunk_mut()
        {
            *segmentation = 0xF0;
            *parallelism = 0xFC;
            *chroma = 0xFC | info.chroma_format;
            *luma = 0xF8 | (info.bit_depth_luma - 8) & 7;
            *chroma_bits = 0xF8 | (info.bit_depth_chroma - 8) & 7;
            // Temporal layers, nesting, four bytes of length.
            *layers = info.sub_layers << 3 | u8::from(info.is_nested) << 2 | 0b11;
        }
        let array = |kind: u8, set| NalArray {
            kind: COMPLETE | kind,
            units: vec![set],
        };
        let arrays = vec![array(VPS, vps), array(SPS, sps), array(PPS, pps)];
        Ok(Self { head, arrays })
    }

    /// Reads a record.
    ///
    /// # Errors
    ///
    /// If it is cut off or of another version (0 was written before the standard was, and is read).
    pub fn decode(record: &[u8]) -> Result<Self, ConfigError> {
        match record.first() {
            None => return Err(ConfigError::Truncated),
            Some(0 | 1) => {}
            Some(&version) => return Err(ConfigError::Version { version }),
        }
        fn fields(input: &[u8]) -> IResult<&[u8], HevcConfig> {
            let (input, head) = take(HEAD_LEN)(input)?;
            let head = *head.first_chunk().expect("that many were taken");
            let (mut input, count) = be_u8(input)?;
            let mut arrays = Vec::new();
            for _ in 0..count {
                let (rest, (kind, number)) = (be_u8, be_u16).parse(input)?;
                let (rest, units) = ParameterSet::decode_all(rest, usize::from(number))?;
                arrays.push(NalArray { kind, units });
                input = rest;
            }
            Ok((input, HevcConfig { head, arrays }))
        }
        let (_, config) = fields(record)?;
        Ok(config)
    }

    /// The record.
    pub fn encode(&self) -> Vec<u8> {
        let mut out = self.head.to_vec();
        out.push(u8::try_from(self.arrays.len()).expect("counted in a byte"));
        for array in &self.arrays {
            let count = u16::try_from(array.units.len()).expect("counted in two bytes");
            out.push(array.kind);
            out.extend(count.to_be_bytes());
            for unit in &array.units {
                unit.encode(&mut out);
            }
        }
        out
    }

    /// general_profile_idc: 1 Main, 2 Main 10…
    pub const fn profile(&self) -> u8 {
        self.head[1] & 0x1F
    }

    /// general_level_idc: thirty times the level.
    pub const fn level(&self) -> u8 {
        self.head[12]
    }

    /// Whether the bit rates are those of the High tier.
    pub const fn is_high_tier(&self) -> bool {
        self.head[1] & 0x20 != 0
    }

    /// Bits of a luma sample.
    pub const fn bit_depth(&self) -> u8 {
        8 + (self.head[17] & 7)
    }

    /// Bytes of the length before each NAL unit of a frame: 1, 2 or 4.
    pub const fn nal_length_size(&self) -> u8 {
        (self.head[21] & 0b11) + 1
    }

    /// The video parameter sets.
    pub fn vps(&self) -> impl Iterator<Item = &ParameterSet> {
        self.units(VPS)
    }

    /// The sequence parameter sets.
    pub fn sps(&self) -> impl Iterator<Item = &ParameterSet> {
        self.units(SPS)
    }

    /// The picture parameter sets.
    pub fn pps(&self) -> impl Iterator<Item = &ParameterSet> {
        self.units(PPS)
    }

    /// What the first sequence parameter set says.
    ///
    /// # Errors
    ///
    /// If there is none, or it is not understood.
    pub fn sequence(&self) -> Result<HevcSps, ConfigError> {
        let sps = self.sps().next().ok_or(ConfigError::Truncated)?;
        HevcSps::decode(sps.as_bytes())
    }

    /// [ISO/IEC 14496-15 §E.3]
    pub(super) fn codec_string(&self) -> String {
        let [_, profile, c0, c1, c2, c3, constraints @ .., level] =
            *self.head.first_chunk::<13>().expect("the head is longer");
        let space = [None, Some('A'), Some('B'), Some('C')]
            .get(usize::from(profile >> 6))
            .copied()
            .flatten();
        let mut text = String::from("hvc1.");
        text.extend(space);
        let compatibility = u32::from_be_bytes([c0, c1, c2, c3]).reverse_bits();
        let tier = if self.is_high_tier() { 'H' } else { 'L' };
        text += &format!("{}.{compatibility:X}.{tier}{level}", profile & 0x1F);
        let constraints: [u8; 6] = constraints;
        let len = constraints.iter().rposition(|&byte| byte != 0);
        for byte in constraints.iter().take(len.map_or(0, |last| last + 1)) {
            // Writing to a string does not fail.
            let _ = write!(text, ".{byte:X}");
        }
        text
    }

    pub(super) const fn profile_name(&self) -> Option<&'static str> {
        Some(match self.profile() {
            1 => "Main",
            2 => "Main 10",
            3 => "Main Still Picture",
            4 => "Range Extensions",
            _ => return None,
        })
    }

    fn units(&self, kind: u8) -> impl Iterator<Item = &ParameterSet> {
        let arrays = self.arrays.iter();
        arrays
            .filter(move |array| array.kind & 0x3F == kind)
            .flat_map(|array| &array.units)
    }
}

/// What a sequence parameter set of HEVC says of the pictures.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub struct HevcSps {
    /// Pixels, after cropping.
    pub width: u32,
    /// Pixels, after cropping.
    pub height: u32,
    /// 0 monochrome, 1 4:2:0, 2 4:2:2, 3 4:4:4.
    pub chroma_format: u8,
    /// Bits of a luma sample, 8 to 16.
    pub bit_depth_luma: u8,
    /// Bits of a chroma sample, 8 to 16.
    pub bit_depth_chroma: u8,
    /// Temporal sub-layers, 1 to 7.
    pub sub_layers: u8,
    is_nested: bool,
    /// As the record has it.
    profile_tier_level: [u8; 12],
}

impl HevcSps {
    /// Reads a NAL unit. [H.265 §7.3.2.2]
    ///
    /// # Errors
    ///
    /// If it is not a sequence parameter set, cut off, or holds values that cannot be.
    pub fn decode(nal: &[u8]) -> Result<Self, ConfigError> {
        let payload = unescape(nal);
        let bits = &mut BitReader::new(&payload);
        if bits.bits(16)? >> 9 & 0x3F != u32::from(SPS) {
            return Err(ConfigError::Invalid);
        }
        bits.skip(4)?; // sps_video_parameter_set_id
        let sub_layers = bits.byte(3)? + 1;
        let is_nested = bits.flag()?;
        let mut profile_tier_level = [0; 12];
        for byte in &mut profile_tier_level {
            *byte = bits.byte(8)?;
        }
        skip_sub_layers(bits, sub_layers - 1)?;
        bits.skip_golomb()?; // sps_seq_parameter_set_id
        let chroma_format = bits.ue()?;
        let separate_planes = chroma_format == 3 && bits.flag()?;
        let Ok(chroma_format @ 0..=3) = u8::try_from(chroma_format) else {
            return Err(ConfigError::Invalid);
        };
        let (width, height) = (u64::from(bits.ue()?), u64::from(bits.ue()?));
        let (unit_x, unit_y) = crop_units(if separate_planes { 0 } else { chroma_format });
        let crop = Crop::decode(bits, unit_x, unit_y)?;
        Ok(Self {
            width: crop.width_of(width)?,
            height: crop.height_of(height)?,
            chroma_format,
            bit_depth_luma: bit_depth(bits)?,
            bit_depth_chroma: bit_depth(bits)?,
            sub_layers,
            is_nested,
            profile_tier_level,
        })
    }
}

/// The part of profile_tier_level for the `count` lower sub-layers. [H.265 §7.3.3]
fn skip_sub_layers(bits: &mut BitReader<'_>, count: u8) -> Result<(), ConfigError> {
    let mut len = 0;
    for _ in 0..count {
        len += if bits.flag()? { 88 } else { 0 };
        len += if bits.flag()? { 8 } else { 0 };
    }
    if count > 0 {
        len += usize::from(8 - count) * 2;
    }
    bits.skip(len)
}

const HEAD_LEN: usize = 22;
const COMPLETE: u8 = 0x80;
const VPS: u8 = 32;
const SPS: u8 = 33;
const PPS: u8 = 34;

#[cfg(test)]
mod tests {
    use hex_literal::hex;
    use proptest::prelude::*;

    use super::*;

    /// ERTMP-99: libx265 by ffmpeg 9.0, 642x362 in 10 bits; its SEI array is left out.
    const RECORD: [u8; 113] = hex!(
        "01 02 20000000 900000000000 3F F000 FC FD FA FA 0000 0F 03"
        "20 0001 0018 40010C01FFFF02200000030090000003000003003F959409"
        "21 0001 002D 42010102200000030090000003000003003FA005220171C448D965654A4C2F016808"
        "000003000800000300F040"
        "22 0001 0006 4401C073C189"
    );

    #[test]
    fn x265_record() {
        let config = HevcConfig::decode(&RECORD).unwrap();
        assert_eq!(config.encode(), RECORD);
        assert_eq!((config.profile(), config.level()), (2, 63));
        assert_eq!((config.bit_depth(), config.nal_length_size()), (10, 4));
        let sequence = config.sequence().unwrap();
        assert_eq!((sequence.width, sequence.height), (642, 362));
        assert_eq!(
            (sequence.bit_depth_luma, sequence.bit_depth_chroma),
            (10, 10)
        );
        assert_eq!(config.codec_string(), "hvc1.2.4.L63.90");
        assert_eq!(config.profile_name(), Some("Main 10"));
    }

    #[test]
    fn from_parameter_sets() {
        let config = HevcConfig::decode(&RECORD).unwrap();
        let [vps, sps, pps] =
            [VPS, SPS, PPS].map(|kind| config.units(kind).next().unwrap().clone());
        let rebuilt = HevcConfig::new(vps, sps, pps).unwrap();
        // Each array is complete there.
        let mut record = RECORD;
        for offset in [23, 52, 102] {
            record[offset] |= COMPLETE;
        }
        assert_eq!(rebuilt.encode(), record);
    }

    #[test]
    fn cut_records_and_other_versions_are_refused() {
        for len in 0..RECORD.len() {
            assert_eq!(
                HevcConfig::decode(&RECORD[..len]),
                Err(ConfigError::Truncated),
                "{len}"
            );
        }
        assert_eq!(
            HevcConfig::decode(&[2; 40]),
            Err(ConfigError::Version { version: 2 })
        );
    }

    proptest! {
        #[test]
        fn any_sps_is_read_or_refused(mut nal: Vec<u8>) {
            nal.splice(0..0, [0x42, 0x01]);
            if let Ok(info) = HevcSps::decode(&nal) {
                prop_assert!(info.width > 0 && info.height > 0);
            }
        }

        #[test]
        fn what_is_read_is_written(mut record in proptest::collection::vec(any::<u8>(), 22..200)) {
            record[0] = 1;
            if let Ok(config) = HevcConfig::decode(&record) {
                prop_assert!(!config.codec_string().is_empty());
                let written = config.encode();
                prop_assert_eq!(HevcConfig::decode(&written), Ok(config));
            }
        }
    }
}
