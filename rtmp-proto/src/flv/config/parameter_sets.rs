//! What the records of AVC, HEVC and VVC have in common: NAL units with a 16-bit length each.

use alloc::vec::Vec;

use nom::{
    IResult, Parser,
    multi::{count, length_data},
    number::complete::be_u16,
};

use super::ConfigError;

/// A NAL unit that fits into a configuration record: 1 to 65 535 bytes.
///
/// The bytes are the NAL unit itself, its header included, without a start code.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct ParameterSet(Vec<u8>);

impl ParameterSet {
    /// The NAL unit `nal`.
    ///
    /// # Errors
    ///
    /// [`ConfigError::ParameterSetLength`] if it is empty or too long.
    pub fn new(nal: impl Into<Vec<u8>>) -> Result<Self, ConfigError> {
        let nal = nal.into();
        match nal.len() {
            1..=0xFFFF => Ok(Self(nal)),
            length => Err(ConfigError::ParameterSetLength { length }),
        }
    }

    /// The NAL unit.
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    /// Reads `number` of them. Empty ones, which some encoders write, are left out.
    pub(super) fn decode_all(input: &[u8], number: usize) -> IResult<&[u8], Vec<Self>> {
        let (input, units) = count(length_data(be_u16), number).parse(input)?;
        let units = units.into_iter().filter(|unit: &&[u8]| !unit.is_empty());
        Ok((input, units.map(|unit| Self(unit.to_vec())).collect()))
    }

    pub(super) fn encode(&self, out: &mut Vec<u8>) {
        let length = u16::try_from(self.0.len()).expect("checked by the constructor");
        out.extend(length.to_be_bytes());
        out.extend(&self.0);
    }
}

/// NAL units of one type in the record of HEVC or VVC.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct NalArray {
    /// Completeness flag, reserved bits and type.
    pub(super) kind: u8,
    pub(super) units: Vec<ParameterSet>,
}
