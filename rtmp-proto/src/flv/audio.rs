//! The header of an audio message.
//!
//! [FLV §E.4.2.1], [E-RTMP v2 "Enhanced Audio"]

use nom::IResult;

use super::{
    enhanced::{ExHeader, Tracks, mod_ex},
    frame::Codec,
};

/// The header of an audio message, legacy or enhanced.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub struct AudioHeader {
    /// The codec, of the first track if there are several; `None` if the header does not tell.
    pub codec: Option<Codec>,
    /// What the message holds.
    pub packet: AudioPacket,
    /// The tracks it holds that for.
    pub tracks: Tracks,
    /// Nanoseconds to add to the presentation time, at most 999 999 if the sender is correct.
    pub timestamp_nanos: Option<u32>,
    /// Where the data begins in the payload. With several tracks, where the first track's entry
    /// begins; in a message that is not understood, 0.
    pub header_len: usize,
    /// Rate, size and channels of a legacy header: its low four bits.
    sound: u8,
}

impl AudioHeader {
    /// Classifies a payload. Never fails: what is not understood is [`AudioPacket::Unknown`].
    #[inline]
    pub fn decode(payload: &[u8]) -> Self {
        let Some((&first, rest)) = payload.split_first() else {
            return Self {
                packet: AudioPacket::Silence,
                ..Self::UNKNOWN
            };
        };
        match SoundFormat(first >> 4) {
            SoundFormat::EX_HEADER => match Self::decode_enhanced(first & 0x0F, rest) {
                Ok((body, header)) => Self {
                    header_len: payload.len() - body.len(),
                    ..header
                },
                Err(_) => Self::UNKNOWN,
            },
            format => Self::decode_legacy(format, first & 0x0F, rest),
        }
    }

    /// Samples a second as the header states it; `None` where the codec's own configuration
    /// decides (AAC and every enhanced message) or the format is unknown.
    ///
    /// The 5.5 and 11 kHz of the format are 5512 and 11 025 Hz.
    pub const fn sample_rate(&self) -> Option<u32> {
        match self.codec {
            Some(Codec::SoundFormat(format)) => match format {
                SoundFormat::AAC => None,
                SoundFormat::NELLYMOSER_16K | SoundFormat::SPEEX => Some(16_000),
                SoundFormat::NELLYMOSER_8K
                | SoundFormat::MP3_8K
                | SoundFormat::G711_ALAW
                | SoundFormat::G711_MULAW => Some(8_000),
                _ => Some(match self.sound >> 2 {
                    0 => 5_512,
                    1 => 11_025,
                    2 => 22_050,
                    _ => 44_100,
                }),
            },
            _ => None,
        }
    }

    /// Bits a sample, of the formats that hold uncompressed samples.
    pub const fn sample_bits(&self) -> Option<u8> {
        match self.codec {
            Some(Codec::SoundFormat(SoundFormat::PCM_PLATFORM | SoundFormat::PCM_LE)) => {
                Some(if self.sound & 0b10 == 0 { 8 } else { 16 })
            }
            _ => None,
        }
    }

    /// Channels as the header states them, `None` where the codec's own configuration decides.
    pub const fn channels(&self) -> Option<u8> {
        match self.codec {
            Some(Codec::SoundFormat(format)) => match format {
                SoundFormat::AAC => None,
                SoundFormat::NELLYMOSER_16K | SoundFormat::NELLYMOSER_8K | SoundFormat::SPEEX => {
                    Some(1)
                }
                _ => Some(1 + (self.sound & 1)),
            },
            _ => None,
        }
    }

    fn decode_legacy(format: SoundFormat, sound: u8, rest: &[u8]) -> Self {
        let (packet, header_len) = match *rest {
            _ if format != SoundFormat::AAC => (AudioPacket::CodedFrames, 1),
            [0, ..] => (AudioPacket::SequenceStart, 2),
            [1, ..] => (AudioPacket::CodedFrames, 2),
            [_, ..] => (AudioPacket::Unknown, 2),
            [] => return Self::UNKNOWN,
        };
        Self {
            codec: Some(Codec::SoundFormat(format)),
            packet,
            header_len,
            sound,
            ..Self::UNKNOWN
        }
    }

    fn decode_enhanced(packet_type: u8, input: &[u8]) -> IResult<&[u8], Self> {
        let (input, (packet_type, timestamp_nanos)) = mod_ex(input, packet_type)?;
        let (_, ex) = ExHeader::decode(packet_type, packet_type::MULTITRACK, input)?;
        let packet = match ex.packet_type {
            packet_type::SEQUENCE_START => AudioPacket::SequenceStart,
            packet_type::CODED_FRAMES => AudioPacket::CodedFrames,
            packet_type::SEQUENCE_END => AudioPacket::SequenceEnd,
            packet_type::MULTICHANNEL_CONFIG => AudioPacket::MultichannelConfig,
            _ => AudioPacket::Unknown,
        };
        let header = Self {
            codec: Some(Codec::FourCc(ex.four_cc)),
            packet,
            tracks: ex.tracks,
            timestamp_nanos,
            ..Self::UNKNOWN
        };
        Ok((ex.body, header))
    }

    const UNKNOWN: Self = Self {
        codec: None,
        packet: AudioPacket::Unknown,
        tracks: Tracks::Default,
        timestamp_nanos: None,
        header_len: 0,
        sound: 0,
    };
}

/// What an audio message holds: the packet type without the details of its encoding.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum AudioPacket {
    /// Nothing: the sender has fallen silent. [E-RTMP v2 "Enhanced Audio"]
    Silence,
    /// The decoder configuration; may be empty.
    SequenceStart,
    /// Coded frames.
    CodedFrames,
    /// The end of the sequence; no data.
    SequenceEnd,
    /// The number, order and places of the channels.
    MultichannelConfig,
    /// Cut off, or of a kind nobody has defined.
    Unknown,
}

/// The sound format: an open registry.
///
/// [FLV §E.4.2.1]
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[expect(clippy::exhaustive_structs, reason = "a number from an open registry")]
pub struct SoundFormat(pub u8);

registry!(SoundFormat {
    /// Linear PCM in the byte order of the machine that wrote it.
    PCM_PLATFORM = 0,
    /// ADPCM.
    ADPCM = 1,
    /// MP3.
    MP3 = 2,
    /// Linear PCM, little-endian.
    PCM_LE = 3,
    /// Nellymoser, 16 kHz mono.
    NELLYMOSER_16K = 4,
    /// Nellymoser, 8 kHz mono.
    NELLYMOSER_8K = 5,
    /// Nellymoser.
    NELLYMOSER = 6,
    /// G.711 A-law.
    G711_ALAW = 7,
    /// G.711 mu-law.
    G711_MULAW = 8,
    /// Not a format: selects the enhanced header. [E-RTMP v2 "Enhanced Audio"]
    EX_HEADER = 9,
    /// AAC.
    AAC = 10,
    /// Speex, 16 kHz mono.
    SPEEX = 11,
    /// MP3 at 8 kHz.
    MP3_8K = 14,
    /// Device-specific sound.
    DEVICE_SPECIFIC = 15,
});

/// AudioPacketType [E-RTMP v2 "Enhanced Audio"].
pub(super) mod packet_type {
    pub(in crate::flv) const SEQUENCE_START: u8 = 0;
    pub(in crate::flv) const CODED_FRAMES: u8 = 1;
    pub(in crate::flv) const SEQUENCE_END: u8 = 2;
    pub(in crate::flv) const MULTICHANNEL_CONFIG: u8 = 4;
    pub(in crate::flv) const MULTITRACK: u8 = 5;
}

#[cfg(test)]
mod tests {
    use alloc::vec::Vec;

    use hex_literal::hex;
    use proptest::prelude::*;

    use super::*;
    use crate::flv::FourCc;

    /// FLV-23, FLV-29, FLV-31, FLV-36.
    #[test]
    fn aac() {
        let start = AudioHeader::decode(&hex!("AF 00 1210"));
        assert_eq!(start.packet, AudioPacket::SequenceStart);
        assert_eq!(start.codec, Some(Codec::SoundFormat(SoundFormat::AAC)));
        assert_eq!(
            (start.header_len, start.sample_rate(), start.channels()),
            (2, None, None)
        );
        let raw = AudioHeader::decode(&hex!("AF 01 2110"));
        assert_eq!(raw.packet, AudioPacket::CodedFrames);
        assert_eq!(
            AudioHeader::decode(&hex!("AF 02")).packet,
            AudioPacket::Unknown
        );
        assert_eq!(
            AudioHeader::decode(&hex!("AF")).packet,
            AudioPacket::Unknown
        );
    }

    /// FLV-24 to FLV-28, FLV-33.
    #[test]
    fn legacy_formats() {
        for (first, rate, bits, channels) in [
            (0x2F, 44_100, None, 2), // MP3, 44 kHz stereo
            (0x2A, 22_050, None, 1), // MP3, 22 kHz mono
            (0x3E, 44_100, Some(16), 1),
            (0x35, 11_025, Some(8), 2),
            (0x30, 5_512, Some(8), 1),
            (0x4F, 16_000, None, 1),
            (0x5F, 8_000, None, 1),
            (0xB2, 16_000, None, 1),
            (0xE2, 8_000, None, 1),
        ] {
            let header = AudioHeader::decode(&[first, 0]);
            assert_eq!(header.packet, AudioPacket::CodedFrames);
            assert_eq!(header.sample_rate(), Some(rate));
            assert_eq!(header.sample_bits(), bits);
            assert_eq!(header.channels(), Some(channels));
            assert_eq!(header.header_len, 1);
        }
    }

    /// ERTMP-36: G.711 whose low bits look like ModEx or a sequence start.
    #[test]
    fn g711_is_not_mod_ex() {
        for first in [0x87, 0x80, 0x77] {
            let header = AudioHeader::decode(&[first, 0xFF, 0xFF]);
            assert_eq!(header.packet, AudioPacket::CodedFrames);
            assert_eq!((header.header_len, header.timestamp_nanos), (1, None));
        }
    }

    /// ERTMP-34, ERTMP-37, ERTMP-78: the Opus messages of files by Lavf62.3.100 (veovera's
    /// e-rtmp-lab, bbb.flv and testsrc.flv).
    #[test]
    fn opus() {
        for (payload, packet) in [
            (
                &hex!("90 4F707573 4F70757348656164 01")[..],
                AudioPacket::SequenceStart,
            ),
            (
                &hex!("94 4F707573 01 02 00000003"),
                AudioPacket::MultichannelConfig,
            ),
            (
                &hex!("94 4F707573 01 01 00000004"),
                AudioPacket::MultichannelConfig,
            ),
            (&hex!("91 4F707573 FC"), AudioPacket::CodedFrames),
            (&hex!("92 4F707573"), AudioPacket::SequenceEnd),
            (&hex!("93 4F707573"), AudioPacket::Unknown),
        ] {
            let header = AudioHeader::decode(payload);
            assert_eq!(header.packet, packet);
            assert_eq!(header.codec, Some(Codec::FourCc(FourCc::OPUS)));
            assert_eq!((header.header_len, header.channels()), (5, None));
        }
    }

    /// ERTMP-48 to ERTMP-54: an empty Opus sequence start in ManyTracks is legal.
    #[test]
    fn multitrack() {
        let one = AudioHeader::decode(&hex!("95 01 6D703461 01 2110"));
        assert_eq!((one.tracks, one.header_len), (Tracks::One(1), 7));
        let many = AudioHeader::decode(&hex!("95 10 4F707573 00 000000 01 000000"));
        assert_eq!((many.tracks, many.header_len), (Tracks::Many(0), 6));
        assert_eq!(many.packet, AudioPacket::SequenceStart);
        let codecs = AudioHeader::decode(&hex!("95 21 664C6143 04 000001 FF"));
        assert_eq!(
            (codecs.tracks, codecs.header_len),
            (Tracks::ManyCodecs(4), 2)
        );
        assert_eq!(codecs.codec, Some(Codec::FourCc(FourCc::FLAC)));
        let nested = AudioHeader::decode(&hex!("95 05 4F707573 00"));
        assert_eq!(nested.packet, AudioPacket::Unknown);
    }

    /// ERTMP-40: ModEx, then Multitrack.
    #[test]
    fn mod_ex() {
        let header = AudioHeader::decode(&hex!("97 02 000001 05 01 4F707573 02 FC"));
        assert_eq!(header.timestamp_nanos, Some(1));
        assert_eq!((header.tracks, header.header_len), (Tracks::One(2), 12));
        assert_eq!(header.packet, AudioPacket::CodedFrames);
    }

    /// ERTMP-76.
    #[test]
    fn empty_is_silence() {
        assert_eq!(AudioHeader::decode(&[]).packet, AudioPacket::Silence);
    }

    proptest! {
        #[test]
        fn any_payload_is_classified(payload: Vec<u8>) {
            let header = AudioHeader::decode(&payload);
            prop_assert!(header.header_len <= payload.len());
            prop_assert_eq!(header.packet == AudioPacket::Silence, payload.is_empty());
        }
    }
}
