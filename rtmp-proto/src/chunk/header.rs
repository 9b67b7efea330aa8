//! Chunk headers: a stateless codec.
//!
//! ```text
//! basic header    fmt(2) csid(6)                      csid 2..=63
//!                 fmt(2) 000000  csid-64(8)           csid 64..=319
//!                 fmt(2) 000001  csid-64(16, little)  csid 64..=65599
//! message header  time(3) length(3) type(1) stream(4, little)    type 0
//!                 delta(3) length(3) type(1)                     type 1
//!                 delta(3)                                       type 2
//!                                                                type 3
//! extended        time or delta(4), if the 3-byte field is 0xFFFFFF
//! ```
//!
//! [RTMP 1.0 §5.3.1]

use alloc::vec::Vec;

use nom::{
    IResult, Parser,
    number::streaming::{be_u24, be_u32, le_u16, le_u32, u8},
};

use super::{ChunkStreamId, ChunkType, MessageStreamId, MessageType};

/// The first one to three bytes of a chunk.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct BasicHeader {
    pub(super) chunk_type: ChunkType,
    pub(super) csid: ChunkStreamId,
}

impl BasicHeader {
    #[inline(always)]
    pub(super) fn decode(input: &[u8]) -> IResult<&[u8], Self> {
        let (rest, first) = u8.parse(input)?;
        let (rest, csid) = match first & 0x3F {
            0 => u8.map(|id| u32::from(id) + 64).parse(rest)?,
            1 => le_u16.map(|id| u32::from(id) + 64).parse(rest)?,
            id => (rest, u32::from(id)),
        };
        let chunk_type = match first >> 6 {
            0 => ChunkType::Type0,
            1 => ChunkType::Type1,
            2 => ChunkType::Type2,
            _ => ChunkType::Type3,
        };
        let csid = ChunkStreamId::new(csid).expect("every form expresses 2..=65599 only");
        Ok((rest, Self { chunk_type, csid }))
    }

    /// Appends the shortest form (CH-8).
    #[inline]
    pub(super) fn encode(self, out: &mut Vec<u8>) {
        let chunk_type = match self.chunk_type {
            ChunkType::Type0 => 0x00,
            ChunkType::Type1 => 0x40,
            ChunkType::Type2 => 0x80,
            ChunkType::Type3 => 0xC0,
        };
        let [.., high, low] = self.csid.get().wrapping_sub(64).to_be_bytes();
        match self.csid.get() {
            id @ ..64 => out.push(chunk_type | u8::try_from(id).expect("below 64")),
            64..320 => out.extend_from_slice(&[chunk_type, low]),
            _ => out.extend_from_slice(&[chunk_type | 1, low, high]),
        }
    }
}

/// The header of every chunk of a message but the first: of type 3, with the extended timestamp
/// repeated.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Continuation {
    /// Zero behind `len`, which is seven at most.
    bytes: [u8; 8],
    len: u8,
}

impl Continuation {
    /// Put together as a number, since there is one for each message.
    #[inline]
    pub(crate) fn new(csid: ChunkStreamId, extended: Option<u32>) -> Self {
        let (basic, len) = match csid.get() {
            id @ ..64 => (0xC0 | id, 1),
            id @ 64..320 => (0xC0 | (id - 64) << 8, 2),
            id => (0xC1 | (id - 64) << 8, 3),
        };
        let (extension, extension_len) = match extended {
            Some(extended) => (u64::from(extended.swap_bytes()) << (8 * len), 4),
            None => (0, 0),
        };
        Self {
            bytes: (u64::from(basic) | extension).to_le_bytes(),
            len: len + extension_len,
        }
    }

    #[inline]
    pub(crate) fn bytes(&self) -> &[u8] {
        self.bytes.get(..usize::from(self.len)).unwrap_or_default()
    }

    /// What follows it in `bytes`, if they begin with it.
    #[inline]
    pub(super) fn strip_from<'a>(&self, bytes: &'a [u8]) -> Option<&'a [u8]> {
        // There is one for each 128 bytes: a comparison of a number, not of a slice.
        let Some(first) = bytes.first_chunk() else {
            return bytes.strip_prefix(self.bytes());
        };
        let mask = (1_u64 << (8 * self.len)) - 1;
        let is_next = u64::from_le_bytes(*first) & mask == u64::from_le_bytes(self.bytes);
        bytes.get(usize::from(self.len)..).filter(|_| is_next)
    }
}

/// Bytes of the longest [`Continuation`]: 3 + 4.
pub(crate) const CONTINUATION_LEN_MAX: usize = 7;

/// Bytes of the longest chunk header.
pub(crate) const HEADER_LEN_MAX: usize = 18;

/// A timestamp or timestamp delta with the form it has on the wire.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct WireTime {
    pub(super) millis: u32,
    /// Whether it takes the extended field.
    pub(super) extended: bool,
}

impl WireTime {
    pub(super) fn new(millis: u32) -> Self {
        Self {
            millis,
            extended: millis >= EXTENDED_MARKER,
        }
    }

    /// The value of the extended field, if there is one.
    #[inline]
    pub(super) fn extended_field(self) -> Option<u32> {
        self.extended.then_some(self.millis)
    }

    /// The 3-byte field.
    fn field(self) -> [u8; 3] {
        u24(self.millis.min(EXTENDED_MARKER))
    }

    fn encode_extension(self, out: &mut Vec<u8>) {
        if self.extended {
            out.extend_from_slice(&self.millis.to_be_bytes());
        }
    }
}

/// What a chunk says about the message it belongs to: as much as its type lets it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum MessageHeader {
    Type0 {
        timestamp: WireTime,
        length: u32,
        message_type: MessageType,
        stream: MessageStreamId,
    },
    Type1 {
        delta: WireTime,
        length: u32,
        message_type: MessageType,
    },
    Type2 {
        delta: WireTime,
    },
    Type3,
}

impl MessageHeader {
    /// Reads the message header of a chunk of type `chunk_type` and, for types 0 to 2, the extended
    /// timestamp after it. Whether a type 3 chunk has one depends on the chunks before it.
    #[inline(always)]
    pub(super) fn decode(chunk_type: ChunkType, input: &[u8]) -> IResult<&[u8], Self> {
        match chunk_type {
            ChunkType::Type0 => {
                let (rest, (field, length, message_type, stream)) =
                    (be_u24, be_u24, u8, le_u32).parse(input)?;
                let (rest, timestamp) = extension(field, rest)?;
                let header = Self::Type0 {
                    timestamp,
                    length,
                    message_type: MessageType(message_type),
                    stream: MessageStreamId::new(stream),
                };
                Ok((rest, header))
            }
            ChunkType::Type1 => {
                let (rest, (field, length, message_type)) = (be_u24, be_u24, u8).parse(input)?;
                let (rest, delta) = extension(field, rest)?;
                let header = Self::Type1 {
                    delta,
                    length,
                    message_type: MessageType(message_type),
                };
                Ok((rest, header))
            }
            ChunkType::Type2 => {
                let (rest, field) = be_u24.parse(input)?;
                let (rest, delta) = extension(field, rest)?;
                Ok((rest, Self::Type2 { delta }))
            }
            ChunkType::Type3 => Ok((input, Self::Type3)),
        }
    }

    #[inline]
    pub(super) fn encode(self, out: &mut Vec<u8>) {
        match self {
            Self::Type0 {
                timestamp,
                length,
                message_type,
                stream,
            } => {
                let [t0, t1, t2] = timestamp.field();
                let [l0, l1, l2] = u24(length);
                let [s0, s1, s2, s3] = stream.get().to_le_bytes();
                let kind = message_type.0;
                // At once: one check for room.
                out.extend_from_slice(&[t0, t1, t2, l0, l1, l2, kind, s0, s1, s2, s3]);
                timestamp.encode_extension(out);
            }
            Self::Type1 {
                delta,
                length,
                message_type,
            } => {
                out.extend_from_slice(&delta.field());
                out.extend_from_slice(&u24(length));
                out.push(message_type.0);
                delta.encode_extension(out);
            }
            Self::Type2 { delta } => {
                out.extend_from_slice(&delta.field());
                delta.encode_extension(out);
            }
            Self::Type3 => {}
        }
    }

    /// The value of the extended field, if there is one.
    pub(super) fn extended_field(self) -> Option<u32> {
        match self {
            Self::Type0 { timestamp, .. } => timestamp.extended_field(),
            Self::Type1 { delta, .. } | Self::Type2 { delta } => delta.extended_field(),
            Self::Type3 => None,
        }
    }

    pub(super) fn chunk_type(self) -> ChunkType {
        match self {
            Self::Type0 { .. } => ChunkType::Type0,
            Self::Type1 { .. } => ChunkType::Type1,
            Self::Type2 { .. } => ChunkType::Type2,
            Self::Type3 => ChunkType::Type3,
        }
    }
}

#[inline(always)]
fn extension(field: u32, input: &[u8]) -> IResult<&[u8], WireTime> {
    // A field of exactly 0xFFFFFF is the marker, so that value itself needs the extension (CH-48).
    if field == EXTENDED_MARKER {
        be_u32
            .map(|millis| WireTime {
                millis,
                extended: true,
            })
            .parse(input)
    } else {
        Ok((input, WireTime::new(field)))
    }
}

/// The low 24 bits, big-endian.
fn u24(value: u32) -> [u8; 3] {
    let [_, high, middle, low] = value.to_be_bytes();
    [high, middle, low]
}

/// The value of a 3-byte time field that says "see the extended field".
const EXTENDED_MARKER: u32 = 0xFF_FFFF;

#[cfg(test)]
mod tests {
    use hex_literal::hex;

    use super::*;

    fn basic(bytes: &[u8]) -> (u32, ChunkType, usize) {
        let (rest, header) = BasicHeader::decode(bytes).unwrap();
        (
            header.csid.get(),
            header.chunk_type,
            bytes.len() - rest.len(),
        )
    }

    /// CH-4 to CH-10.
    #[test]
    fn basic_header_forms() {
        assert_eq!(basic(&hex!("02")), (2, ChunkType::Type0, 1));
        assert_eq!(basic(&hex!("FF")), (63, ChunkType::Type3, 1));
        assert_eq!(basic(&hex!("40 00")), (64, ChunkType::Type1, 2));
        assert_eq!(basic(&hex!("80 FF")), (319, ChunkType::Type2, 2));
        assert_eq!(basic(&hex!("01 2D 01")), (365, ChunkType::Type0, 3));
        assert_eq!(basic(&hex!("01 00 00")), (64, ChunkType::Type0, 3));
        assert_eq!(basic(&hex!("C1 FF FF")), (65_599, ChunkType::Type3, 3));
    }

    /// CH-8: the smallest form is written, and it reads back.
    #[test]
    fn basic_header_round_trip() {
        for (id, len) in [(2, 1), (63, 1), (64, 2), (319, 2), (320, 3), (65_599, 3)] {
            let mut bytes = Vec::new();
            let header = BasicHeader {
                chunk_type: ChunkType::Type2,
                csid: ChunkStreamId::new(id).unwrap(),
            };
            header.encode(&mut bytes);
            assert_eq!(bytes.len(), len, "csid {id}");
            assert_eq!(BasicHeader::decode(&bytes), Ok((&[][..], header)));
        }
    }

    /// CH-13, CH-17, CH-43, CH-44, CH-48.
    #[test]
    fn message_header_vectors() {
        let type0 = |millis| MessageHeader::Type0 {
            timestamp: WireTime::new(millis),
            length: 0x01_0203,
            message_type: MessageType::VIDEO,
            stream: MessageStreamId::new(0x0403_0201),
        };
        let cases: [(MessageHeader, &[u8]); 7] = [
            (type0(1000), &hex!("0003E8 010203 09 01020304")),
            (type0(0xFF_FFFE), &hex!("FFFFFE 010203 09 01020304")),
            (
                type0(0xFF_FFFF),
                &hex!("FFFFFF 010203 09 01020304 00FFFFFF"),
            ),
            (type0(u32::MAX), &hex!("FFFFFF 010203 09 01020304 FFFFFFFF")),
            (
                MessageHeader::Type1 {
                    delta: WireTime::new(0x0100_0000),
                    length: 5,
                    message_type: MessageType::AUDIO,
                },
                &hex!("FFFFFF 000005 08 01000000"),
            ),
            (
                MessageHeader::Type2 {
                    delta: WireTime::new(23),
                },
                &hex!("000017"),
            ),
            (MessageHeader::Type3, &[]),
        ];
        for (header, bytes) in cases {
            let mut encoded = Vec::new();
            header.encode(&mut encoded);
            assert_eq!(&encoded[..], bytes);
            assert_eq!(
                MessageHeader::decode(header.chunk_type(), bytes),
                Ok((&[][..], header))
            );
            for cut in 0..bytes.len() {
                let cut = MessageHeader::decode(header.chunk_type(), &bytes[..cut]);
                assert!(matches!(cut, Err(nom::Err::Incomplete(_))));
            }
        }
    }

    /// A peer may extend a value that would have fit; the value read is the extended one.
    #[test]
    fn needless_extension_is_read() {
        let bytes = hex!("FFFFFF 00000007");
        let (_, header) = MessageHeader::decode(ChunkType::Type2, &bytes).unwrap();
        let MessageHeader::Type2 { delta } = header else {
            panic!("type 2 was asked for")
        };
        assert_eq!((delta.millis, delta.extended_field()), (7, Some(7)));
    }
}
