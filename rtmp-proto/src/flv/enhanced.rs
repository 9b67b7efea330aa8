//! What the enhanced audio and video headers share: FOURCC, ModEx blocks and multitrack.
//!
//! ```text
//! | first byte: packet type 4 bits | ModEx blocks ... | FOURCC 4 | data               one stream
//! | ... 6 or 5                     | 0, type | FOURCC 4 | track 1 | data            one track
//! |                                | 1, type | FOURCC 4 | { track 1 | size 3 | data } ...
//! |                                | 2, type | { FOURCC 4 | track 1 | size 3 | data } ...
//! ```
//!
//! [E-RTMP v2 "Enhanced Audio", "Enhanced Video"]

use core::fmt;

use nom::{
    IResult, Parser,
    bytes::complete::take,
    combinator::fail,
    number::complete::{be_u8, be_u16, be_u24, be_u32},
};

/// A codec by its four ASCII characters: an open registry.
///
/// [E-RTMP v2 "Simple Data Types"]
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[expect(clippy::exhaustive_structs, reason = "a code from an open registry")]
pub struct FourCc(pub [u8; 4]);

impl FourCc {
    /// AVC (H.264).
    pub const AVC: Self = Self(*b"avc1");
    /// HEVC (H.265).
    pub const HEVC: Self = Self(*b"hvc1");
    /// VVC (H.266).
    pub const VVC: Self = Self(*b"vvc1");
    /// VP8.
    pub const VP8: Self = Self(*b"vp08");
    /// VP9.
    pub const VP9: Self = Self(*b"vp09");
    /// AV1.
    pub const AV1: Self = Self(*b"av01");
    /// AC-3.
    pub const AC3: Self = Self(*b"ac-3");
    /// E-AC-3.
    pub const EAC3: Self = Self(*b"ec-3");
    /// Opus.
    pub const OPUS: Self = Self(*b"Opus");
    /// MP3.
    pub const MP3: Self = Self(*b".mp3");
    /// FLAC.
    pub const FLAC: Self = Self(*b"fLaC");
    /// AAC.
    pub const AAC: Self = Self(*b"mp4a");

    /// The code as `videocodecid` and `audiocodecid` of `onMetaData` state it.
    pub const fn as_u32(self) -> u32 {
        u32::from_be_bytes(self.0)
    }

    /// The code of the number `value`.
    pub const fn from_u32(value: u32) -> Self {
        Self(value.to_be_bytes())
    }

    /// Whether coded frames of this codec begin with a composition time.
    pub(super) const fn has_composition_time(self) -> bool {
        matches!(self, Self::AVC | Self::HEVC | Self::VVC)
    }
}

impl fmt::Debug for FourCc {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl fmt::Display for FourCc {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.escape_ascii().fmt(f)
    }
}

/// The tracks a message carries.
///
/// [E-RTMP v2 "Multitrack Streaming via Enhanced RTMP"]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Tracks {
    /// Not a multitrack message: the default track, 0 (so do OBS and FFmpeg send it).
    #[default]
    Default,
    /// This track alone.
    One(u8),
    /// Several tracks of one codec, of which this comes first.
    Many(u8),
    /// Several tracks, each with a codec of its own, of which this comes first.
    ManyCodecs(u8),
}

impl Tracks {
    /// The first or only track; 0 is the default track.
    pub const fn first(self) -> u8 {
        match self {
            Self::Default => 0,
            Self::One(track) | Self::Many(track) | Self::ManyCodecs(track) => track,
        }
    }

    /// Whether the message may carry more than one track.
    pub const fn is_many(self) -> bool {
        matches!(self, Self::Many(_) | Self::ManyCodecs(_))
    }
}

/// An enhanced header up to the data, the same for audio and video.
pub(super) struct ExHeader<'a> {
    pub(super) packet_type: u8,
    pub(super) tracks: Tracks,
    pub(super) four_cc: FourCc,
    /// What follows the header: data, or the first track's entry.
    pub(super) body: &'a [u8],
    /// The data of the first or only track and what follows it.
    pub(super) first: &'a [u8],
}

impl<'a> ExHeader<'a> {
    /// Reads what follows the ModEx blocks; `multitrack` is the packet type of that name.
    pub(super) fn decode(
        packet_type: u8,
        multitrack: u8,
        input: &'a [u8],
    ) -> IResult<&'a [u8], Self> {
        if packet_type != multitrack {
            let (body, four_cc) = four_cc(input)?;
            return Ok((
                body,
                Self::new(packet_type, Tracks::Default, four_cc, body, body),
            ));
        }
        let (input, types) = be_u8(input)?;
        let packet_type = types & 0x0F;
        if packet_type == multitrack {
            return fail().parse(input);
        }
        match types >> 4 {
            0 => {
                let (body, (four_cc, track)) = (four_cc, be_u8).parse(input)?;
                let tracks = Tracks::One(track);
                Ok((body, Self::new(packet_type, tracks, four_cc, body, body)))
            }
            1 => {
                let (body, four_cc) = four_cc(input)?;
                let (first, (track, _size)) = (be_u8, be_u24).parse(body)?;
                let tracks = Tracks::Many(track);
                Ok((first, Self::new(packet_type, tracks, four_cc, body, first)))
            }
            2 => {
                let body = input;
                let (first, (four_cc, track, _size)) = (four_cc, be_u8, be_u24).parse(body)?;
                let tracks = Tracks::ManyCodecs(track);
                Ok((first, Self::new(packet_type, tracks, four_cc, body, first)))
            }
            _ => fail().parse(input),
        }
    }

    fn new(
        packet_type: u8,
        tracks: Tracks,
        four_cc: FourCc,
        body: &'a [u8],
        first: &'a [u8],
    ) -> Self {
        Self {
            packet_type,
            tracks,
            four_cc,
            body,
            first,
        }
    }
}

/// Walks over the ModEx blocks that precede the packet type proper. Returns that type and the
/// nanosecond offset, if a block held one.
pub(super) fn mod_ex(mut input: &[u8], mut packet_type: u8) -> IResult<&[u8], (u8, Option<u32>)> {
    let mut nanos = None;
    while packet_type == MOD_EX {
        let (rest, (kind, data, next)) = mod_ex_block(input)?;
        if kind == TIMESTAMP_OFFSET_NANO
            && let [high, middle, low, ..] = *data
        {
            nanos = Some(u32::from_be_bytes([0, high, middle, low]));
        }
        packet_type = next;
        input = rest;
    }
    Ok((input, (packet_type, nanos)))
}

/// A ModEx block: its type, its data and the packet type that follows.
pub(super) fn mod_ex_block(input: &[u8]) -> IResult<&[u8], (u8, &[u8], u8)> {
    let (input, size) = be_u8(input)?;
    let (input, size) = match size {
        0xFF => be_u16.map(usize::from).parse(input)?,
        _ => (input, usize::from(size)),
    };
    let (input, data) = take(size + 1)(input)?;
    let (input, types) = be_u8(input)?;
    Ok((input, (types >> 4, data, types & 0x0F)))
}

pub(super) fn four_cc(input: &[u8]) -> IResult<&[u8], FourCc> {
    be_u32.map(FourCc::from_u32).parse(input)
}

/// The packet type of a ModEx block, the same for audio and video.
pub(super) const MOD_EX: u8 = 7;
/// The type of a ModEx block whose data is an offset in nanoseconds.
pub(super) const TIMESTAMP_OFFSET_NANO: u8 = 0;

#[cfg(test)]
mod tests {
    use alloc::{format, vec};

    use hex_literal::hex;

    use super::*;

    /// ERTMP-5, ERTMP-14, ERTMP-15.
    #[test]
    fn four_cc_is_text_and_number() {
        assert_eq!(FourCc::AV1.as_u32(), 1_635_135_537);
        assert_eq!(FourCc::from_u32(1_332_770_163), FourCc::OPUS);
        assert_eq!(format!("{:?}", FourCc::EAC3), "ec-3");
        assert_eq!(
            format!("{}", FourCc([0, b'a', 0xFF, b'"'])),
            r#"\x00a\xff\""#
        );
    }

    /// ERTMP-40, ERTMP-42, ERTMP-43, ERTMP-44: an unknown block, then the offset.
    #[test]
    fn mod_ex_chain() {
        let input = hex!("00 AA 17" "02 0F423F 01" "61");
        assert_eq!(mod_ex(&input, 7), Ok((&b"a"[..], (1, Some(999_999)))));
        assert_eq!(mod_ex(&input, 1), Ok((&input[..], (1, None))));
    }

    /// ERTMP-41: 255 bytes is the most the short form holds; the long form may be wasteful.
    #[test]
    fn mod_ex_sizes() {
        for (prefix, len) in [
            (&hex!("FE")[..], 255),
            (&hex!("FF 00FF"), 256),
            (&hex!("FF 0002"), 3),
            (&hex!("FF FFFF"), 65_536),
        ] {
            let input = [prefix, &vec![0; len], &hex!("01")].concat();
            assert_eq!(mod_ex(&input, 7), Ok((&[][..], (1, Some(0)))));
            assert!(mod_ex(&input[..input.len() - 1], 7).is_err());
        }
    }

    /// ERTMP-44: an offset of fewer than three bytes is no offset.
    #[test]
    fn short_nano_offset_is_ignored() {
        assert_eq!(mod_ex(&hex!("01 FFFF 01"), 7), Ok((&[][..], (1, None))));
    }
}
