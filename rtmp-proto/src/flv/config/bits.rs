//! Reading and writing fields that do not end at bytes.

use alloc::vec::Vec;

use super::ConfigError;

/// Reads bits from the most significant one on.
#[derive(Clone)]
pub(super) struct BitReader<'a> {
    bytes: &'a [u8],
    /// In bits.
    position: usize,
}

impl<'a> BitReader<'a> {
    pub(super) const fn new(bytes: &'a [u8]) -> Self {
        Self { bytes, position: 0 }
    }

    pub(super) fn flag(&mut self) -> Result<bool, ConfigError> {
        let byte = self.bytes.get(self.position / 8);
        let byte = byte.ok_or(ConfigError::Truncated)?;
        let bit = byte >> (7 - self.position % 8) & 1;
        self.position += 1;
        Ok(bit == 1)
    }

    /// The next `count` bits, at most 32, as a number.
    pub(super) fn bits(&mut self, count: u32) -> Result<u32, ConfigError> {
        (0..count).try_fold(0, |bits, _| Ok(bits << 1 | u32::from(self.flag()?)))
    }

    /// The next `count` bits, at most 8.
    pub(super) fn byte(&mut self, count: u32) -> Result<u8, ConfigError> {
        u8::try_from(self.bits(count)?).map_err(|_| ConfigError::Invalid)
    }

    pub(super) fn skip(&mut self, count: usize) -> Result<(), ConfigError> {
        let position = self.position.saturating_add(count);
        if position > self.bytes.len().saturating_mul(8) {
            return Err(ConfigError::Truncated);
        }
        self.position = position;
        Ok(())
    }

    /// Goes on at the next whole byte.
    pub(super) fn align(&mut self) {
        self.position = self.position.next_multiple_of(8);
    }

    /// What follows, from the next whole byte on.
    pub(super) fn rest(&self) -> &'a [u8] {
        self.bytes
            .get(self.position.div_ceil(8)..)
            .unwrap_or_default()
    }

    /// An unsigned Exp-Golomb code [H.264 §9.1]: at most 32 zeros, so its work is bounded.
    pub(super) fn ue(&mut self) -> Result<u32, ConfigError> {
        let mut zeros = 0;
        while !self.flag()? {
            zeros += 1;
            if zeros > 32 {
                return Err(ConfigError::Invalid);
            }
        }
        let code = (1_u64 << zeros) - 1 + u64::from(self.bits(zeros)?);
        u32::try_from(code).map_err(|_| ConfigError::Invalid)
    }

    /// Passes over a signed or unsigned Exp-Golomb code.
    pub(super) fn skip_golomb(&mut self) -> Result<(), ConfigError> {
        self.ue().map(drop)
    }

    /// A signed Exp-Golomb code [H.264 §9.1.1].
    pub(super) fn se(&mut self) -> Result<i64, ConfigError> {
        let code = i64::from(self.ue()?);
        Ok(match code % 2 {
            0 => -(code / 2),
            _ => code / 2 + 1,
        })
    }

    /// A number in bytes of seven bits, at most 8 of them [AV1 §4.10.5].
    pub(super) fn leb128(&mut self) -> Result<u64, ConfigError> {
        let mut number = 0;
        for shift in (0..56).step_by(7) {
            let byte = self.bits(8)?;
            number |= u64::from(byte & 0x7F) << shift;
            if byte & 0x80 == 0 {
                return Ok(number);
            }
        }
        Err(ConfigError::Invalid)
    }
}

/// Writes bits from the most significant one on.
#[derive(Default)]
pub(super) struct BitWriter {
    bytes: Vec<u8>,
    /// Bits in the last byte that are still free.
    free: u32,
}

impl BitWriter {
    /// Appends the low `count` bits of `value`.
    pub(super) fn put(&mut self, count: u32, value: u32) {
        for index in (0..count).rev() {
            if self.free == 0 {
                self.bytes.push(0);
                self.free = 8;
            }
            self.free -= 1;
            if value >> index & 1 == 1
                && let Some(last) = self.bytes.last_mut()
            {
                *last |= 1 << self.free;
            }
        }
    }

    pub(super) fn into_bytes(self) -> Vec<u8> {
        self.bytes
    }
}

/// The payload of a NAL unit without the bytes that keep start codes out of it [H.264 §7.4.1].
pub(super) fn unescape(nal: &[u8]) -> Vec<u8> {
    let mut payload = Vec::with_capacity(nal.len());
    let mut zeros = 0;
    for &byte in nal {
        if zeros >= 2 && byte == 3 {
            zeros = 0;
            continue;
        }
        zeros = if byte == 0 { zeros + 1 } else { 0 };
        payload.push(byte);
    }
    payload
}

#[cfg(test)]
mod tests {
    use hex_literal::hex;
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn golomb_codes() {
        // 1, 010, 011, 00100, 00101 and padding.
        let mut bits = BitReader::new(&[0b1010_0110, 0b0100_0010, 0b1000_0000]);
        let codes: Vec<_> = core::iter::repeat_with(|| bits.ue()).take(5).collect();
        assert_eq!(codes, [0, 1, 2, 3, 4].map(Ok));
        let mut bits = BitReader::new(&[0b0100_1100, 0b1000_0101]);
        assert_eq!([bits.se(), bits.se(), bits.se()], [1, -1, 2].map(Ok));
    }

    /// 32 zeros and ones reach the greatest code; more zeros are no code at all.
    #[test]
    fn golomb_codes_are_bounded() {
        let most = hex!("00 00 00 00 FF FF FF FF 80");
        assert_eq!(BitReader::new(&most).ue(), Err(ConfigError::Invalid));
        let greatest = hex!("00 00 00 00 80 00 00 00 00");
        assert_eq!(BitReader::new(&greatest).ue(), Ok(u32::MAX));
        assert_eq!(BitReader::new(&[0; 100]).ue(), Err(ConfigError::Invalid));
        assert_eq!(BitReader::new(&[0; 2]).ue(), Err(ConfigError::Truncated));
    }

    #[test]
    fn escapes_go() {
        let nal = hex!("67 0000 03 01 0000 03 0000 03 03");
        assert_eq!(unescape(&nal), hex!("67 0000 01 0000 0000 03"));
    }

    proptest! {
        #[test]
        fn bits_are_read_as_written(
            fields in proptest::collection::vec((1_u32..=32, any::<u32>()), 0..50)
        ) {
            let mut writer = BitWriter::default();
            for &(count, value) in &fields {
                writer.put(count, value);
            }
            let bytes = writer.into_bytes();
            let mut reader = BitReader::new(&bytes);
            for (count, value) in fields {
                let mask = u32::MAX >> (32 - count);
                prop_assert_eq!(reader.bits(count), Ok(value & mask));
            }
        }
    }
}
