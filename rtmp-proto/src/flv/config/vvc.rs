//! VVC (H.266).
//!
//! ```text
//! | 11111, length size - 1 (2 bits), profile follows (1 bit)
//! | [ layer set 9, sub-layers 3, constant rate 2, chroma 2 | bit depth 3, 11111 (5 bits)
//! |   | profile, tier, level ... | width 2 | height 2 | frame rate 2 ]
//! | arrays 1 { type 1 | [ count 2 ] { length 2 | NAL unit } ... } ...
//! ```
//!
//! [ISO/IEC 14496-15 §11.2.4.2]

use alloc::{format, string::String, vec::Vec};

use nom::{
    IResult, Parser,
    number::complete::{be_u8, be_u16},
};

use super::{ConfigError, ParameterSet, bits::BitReader, parameter_sets::NalArray};

/// The decoder configuration of VVC: the record of a sequence header.
///
/// [E-RTMP v2 "Enhanced Video"]
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct VvcConfig {
    /// What precedes the arrays, as it is.
    head: Vec<u8>,
    profile: Option<VvcProfile>,
    arrays: Vec<NalArray>,
}

impl VvcConfig {
    /// Reads a record.
    ///
    /// # Errors
    ///
    /// If it is cut off.
    pub fn decode(record: &[u8]) -> Result<Self, ConfigError> {
        let mut bits = BitReader::new(record);
        bits.skip(7)?;
        let profile = match bits.flag()? {
            true => Some(VvcProfile::decode(&mut bits)?),
            false => None,
        };
        let rest = bits.rest();
        let (head, _) = record.split_at(record.len() - rest.len());
        let (_, arrays) = arrays(rest)?;
        Ok(Self {
            head: head.to_vec(),
            profile,
            arrays,
        })
    }

    /// The record.
    pub fn encode(&self) -> Vec<u8> {
        let mut out = self.head.clone();
        out.push(u8::try_from(self.arrays.len()).expect("counted in a byte"));
        for array in &self.arrays {
            out.push(array.kind);
            if !is_single(array.kind) {
                let count = u16::try_from(array.units.len()).expect("counted in two bytes");
                out.extend(count.to_be_bytes());
            }
            for unit in &array.units {
                unit.encode(&mut out);
            }
        }
        out
    }

    /// Profile and size, if the record has them.
    pub const fn profile(&self) -> Option<VvcProfile> {
        self.profile
    }

    /// Bytes of the length before each NAL unit of a frame: 1, 2 or 4.
    pub fn nal_length_size(&self) -> u8 {
        let first = self.head.first().copied().unwrap_or_default();
        (first >> 1 & 0b11) + 1
    }

    /// The parameter sets and other NAL units, each with its type.
    pub fn parameter_sets(&self) -> impl Iterator<Item = (u8, &ParameterSet)> {
        let units = |array: &'_ NalArray| array.kind & 0x1F;
        self.arrays
            .iter()
            .flat_map(move |array| array.units.iter().map(move |unit| (units(array), unit)))
    }

    pub(super) fn codec_string(&self) -> String {
        match self.profile {
            Some(VvcProfile {
                idc,
                is_high_tier,
                level,
                ..
            }) => {
                let tier = if is_high_tier { 'H' } else { 'L' };
                format!("vvc1.{idc}.{tier}{level}")
            }
            None => "vvc1".into(),
        }
    }

    pub(super) fn profile_name(&self) -> Option<&'static str> {
        Some(match self.profile?.idc {
            1 => "Main 10",
            17 => "Multilayer Main 10",
            33 => "Main 10 4:4:4",
            _ => return None,
        })
    }
}

/// Profile and size of the pictures in a [`VvcConfig`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub struct VvcProfile {
    /// general_profile_idc: 1 Main 10…
    pub idc: u8,
    /// Whether the bit rates are those of the High tier.
    pub is_high_tier: bool,
    /// general_level_idc: sixteen times the level, and three for each tenth.
    pub level: u8,
    /// Bits of a sample, 8 to 15.
    pub bit_depth: u8,
    /// 0 monochrome, 1 4:2:0, 2 4:2:2, 3 4:4:4.
    pub chroma_format: u8,
    /// Pixels of the largest pictures.
    pub width: u16,
    /// Pixels of the largest pictures.
    pub height: u16,
}

impl VvcProfile {
    fn decode(bits: &mut BitReader<'_>) -> Result<Self, ConfigError> {
        bits.skip(9)?; // ols_idx
        let sub_layers = bits.byte(3)?;
        bits.skip(2)?; // constant_frame_rate
        let chroma_format = bits.byte(2)?;
        let bit_depth = 8 + bits.byte(3)?;
        bits.skip(5 + 2)?;
        let constraint_bytes = bits.bits(6)?;
        let idc = bits.byte(7)?;
        let is_high_tier = bits.flag()?;
        let level = bits.byte(8)?;
        // ptl_frame_only_constraint_flag, ptl_multilayer_enabled_flag and the constraints. The
        // standard asks for at least one byte; with none there would be a negative number of bits.
        bits.skip(8 * constraint_bytes.max(1) as usize)?;
        let mut levels = 0;
        for _ in 1..sub_layers {
            levels += usize::from(bits.flag()?);
        }
        bits.align();
        bits.skip(levels * 8)?;
        let sub_profiles = bits.bits(8)? as usize;
        bits.skip(sub_profiles * 32)?;
        let mut number = || {
            bits.bits(16)
                .and_then(|bits| u16::try_from(bits).map_err(|_| ConfigError::Invalid))
        };
        let (width, height, _frame_rate) = (number()?, number()?, number()?);
        Ok(Self {
            idc,
            is_high_tier,
            level,
            bit_depth,
            chroma_format,
            width,
            height,
        })
    }
}

fn arrays(input: &[u8]) -> IResult<&[u8], Vec<NalArray>> {
    let (mut input, count) = be_u8(input)?;
    let mut arrays = Vec::new();
    for _ in 0..count {
        let (rest, kind) = be_u8(input)?;
        let (rest, number) = match is_single(kind) {
            true => (rest, 1),
            false => be_u16.parse(rest)?,
        };
        let (rest, units) = ParameterSet::decode_all(rest, usize::from(number))?;
        if !(is_single(kind) && units.is_empty()) {
            arrays.push(NalArray { kind, units });
        }
        input = rest;
    }
    Ok((input, arrays))
}

/// Whether an array has no count, since there is one of its kind.
const fn is_single(kind: u8) -> bool {
    matches!(kind & 0x1F, OPI | DCI)
}

const OPI: u8 = 12;
const DCI: u8 = 13;

#[cfg(test)]
mod tests {
    use hex_literal::hex;
    use proptest::prelude::*;

    use super::*;

    /// ERTMP-100: libvvenc by ffmpeg 9.0, 640x360; the parameter sets are cut short.
    const RECORD: [u8; 39] = hex!(
        "FF 0065 5F 01 02 23 80 00 00 0280 0168 0000 02"
        "8F 0001 0006 007900AB0223 90 0001 0006 008100002002"
    );

    #[test]
    fn vvenc_record() {
        let config = VvcConfig::decode(&RECORD).unwrap();
        assert_eq!(config.encode(), RECORD);
        assert_eq!(config.nal_length_size(), 4);
        let profile = config.profile().unwrap();
        assert_eq!((profile.width, profile.height), (640, 360));
        assert_eq!((profile.idc, profile.bit_depth), (1, 10));
        assert_eq!(profile.chroma_format, 1);
        assert_eq!(config.codec_string(), "vvc1.1.L35");
        let kinds: Vec<_> = config.parameter_sets().map(|(kind, _)| kind).collect();
        assert_eq!(kinds, [15, 16]);
    }

    #[test]
    fn cut_records_are_refused() {
        for len in 0..RECORD.len() {
            assert!(VvcConfig::decode(&RECORD[..len]).is_err(), "{len}");
        }
    }

    /// Without a profile there are the arrays alone, and those of one unit have no count.
    #[test]
    fn without_profile() {
        let record = hex!("FE 01 8D 0003 006801");
        let config = VvcConfig::decode(&record).unwrap();
        assert_eq!(config.profile(), None);
        assert_eq!(config.encode(), record);
    }

    proptest! {
        #[test]
        fn what_is_read_is_written(record: Vec<u8>) {
            if let Ok(config) = VvcConfig::decode(&record) {
                let written = config.encode();
                prop_assert_eq!(VvcConfig::decode(&written), Ok(config));
            }
        }
    }
}
