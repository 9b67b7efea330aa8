//! The header of a video message.
//!
//! [FLV §E.4.3.1], [E-RTMP v2 "Enhanced Video"]

use nom::{IResult, Parser, combinator::fail, number::complete::be_i24};

use super::{
    enhanced::{ExHeader, FourCc, Tracks, four_cc, mod_ex},
    frame::Codec,
};

/// The header of a video message, legacy or enhanced.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub struct VideoHeader {
    /// Key, inter and so on. Means nothing when [`packet`](Self::packet) is `Metadata` (FFmpeg
    /// writes 5, OBS writes 0).
    pub frame_type: FrameType,
    /// The codec, of the first track if there are several; `None` if the header does not tell.
    pub codec: Option<Codec>,
    /// What the message holds.
    pub packet: VideoPacket,
    /// The tracks it holds that for.
    pub tracks: Tracks,
    /// Presentation time minus the message's timestamp in milliseconds, of the first track if
    /// there are several; 0 where the format has none. [FLV §E.4.3.1]
    pub composition_time: i32,
    /// Nanoseconds to add to the presentation time, at most 999 999 if the sender is correct.
    pub timestamp_nanos: Option<u32>,
    /// Where the data begins in the payload. With several tracks, where the first track's entry
    /// begins; in a message that is not understood, 0.
    pub header_len: usize,
    /// Whether the coded frames of each track begin with a composition time, if its codec has one.
    pub(super) has_composition_times: bool,
}

impl VideoHeader {
    /// Classifies a payload. Never fails: what is not understood is [`VideoPacket::Unknown`].
    #[inline]
    pub fn decode(payload: &[u8]) -> Self {
        let Some((&first, rest)) = payload.split_first() else {
            return Self::unknown(FrameType::RESERVED);
        };
        let frame_type = FrameType(first >> 4 & 0x07);
        if first & EX_HEADER == 0 {
            return Self::decode_legacy(frame_type, CodecId(first & 0x0F), rest);
        }
        match Self::decode_enhanced(frame_type, first & 0x0F, rest) {
            Ok((body, header)) => Self {
                header_len: payload.len() - body.len(),
                ..header
            },
            Err(_) => Self::unknown(frame_type),
        }
    }

    /// Whether the message holds coded frames from which decoding can start.
    pub fn is_key_frame(&self) -> bool {
        self.packet == VideoPacket::CodedFrames && self.frame_type.is_key()
    }

    fn decode_legacy(frame_type: FrameType, codec: CodecId, rest: &[u8]) -> Self {
        let mut composition_time = 0;
        let (packet, header_len) = match *rest {
            // With AVC the command might come after the AVC header, and nobody is known to send
            // that: only the form without doubt is interpreted.
            [command] if frame_type == FrameType::COMMAND => {
                (VideoPacket::Command(VideoCommand(command)), 2)
            }
            _ if frame_type == FrameType::COMMAND => (VideoPacket::Unknown, 1),
            _ if !codec.has_packet_type() => (VideoPacket::CodedFrames, 1),
            [0, _, _, _, ..] => (VideoPacket::SequenceStart, 5),
            [1, high, middle, low, ..] => {
                composition_time = i32::from_be_bytes([high, middle, low, 0]) >> 8;
                (VideoPacket::CodedFrames, 5)
            }
            // There is no data, so a missing composition time does no harm.
            [2, ..] => (VideoPacket::SequenceEnd, 1 + rest.len()),
            [0 | 1, ..] | [] => return Self::unknown(frame_type),
            [_, ..] => (VideoPacket::Unknown, 2),
        };
        Self {
            codec: Some(Codec::CodecId(codec)),
            packet,
            composition_time,
            header_len,
            ..Self::unknown(frame_type)
        }
    }

    fn decode_enhanced(
        frame_type: FrameType,
        packet_type: u8,
        input: &[u8],
    ) -> IResult<&[u8], Self> {
        let (input, (packet_type, timestamp_nanos)) = mod_ex(input, packet_type)?;
        let header = Self {
            timestamp_nanos,
            ..Self::unknown(frame_type)
        };
        if frame_type == FrameType::COMMAND
            && let Ok((rest, (codec, command))) = command(input)
        {
            let header = Self { codec, ..header };
            return Ok((rest, header.with(VideoPacket::Command(command))));
        }
        let (_, ex) = ExHeader::decode(packet_type, packet_type::MULTITRACK, input)?;
        if frame_type == FrameType::COMMAND && ex.packet_type != packet_type::METADATA {
            return fail().parse(input);
        }
        let mut header = Self {
            codec: Some(Codec::FourCc(ex.four_cc)),
            tracks: ex.tracks,
            ..header
        };
        let mut body = ex.body;
        header.has_composition_times = ex.packet_type == packet_type::CODED_FRAMES;
        header.packet = match ex.packet_type {
            packet_type::SEQUENCE_START => VideoPacket::SequenceStart,
            packet_type::CODED_FRAMES if ex.four_cc.has_composition_time() => {
                let (rest, composition_time) = be_i24(ex.first)?;
                header.composition_time = composition_time;
                if !ex.tracks.is_many() {
                    body = rest;
                }
                VideoPacket::CodedFrames
            }
            // The variant without composition time is not defined for codecs that never have one,
            // and can mean only one thing.
            packet_type::CODED_FRAMES | packet_type::CODED_FRAMES_X => VideoPacket::CodedFrames,
            packet_type::SEQUENCE_END => VideoPacket::SequenceEnd,
            packet_type::METADATA => VideoPacket::Metadata,
            packet_type::MPEG2TS_SEQUENCE_START => VideoPacket::MpegTsSequenceStart,
            _ => VideoPacket::Unknown,
        };
        Ok((body, header))
    }

    const fn unknown(frame_type: FrameType) -> Self {
        Self {
            frame_type,
            codec: None,
            packet: VideoPacket::Unknown,
            tracks: Tracks::Default,
            composition_time: 0,
            timestamp_nanos: None,
            header_len: 0,
            has_composition_times: false,
        }
    }

    const fn with(self, packet: VideoPacket) -> Self {
        Self { packet, ..self }
    }
}

/// What a video message holds: the packet type without the details of its encoding.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum VideoPacket {
    /// The decoder configuration; may be empty, which changes nothing (FFmpeg sends an empty one
    /// while it does not know better).
    SequenceStart,
    /// The decoder configuration as MPEG-TS descriptor (AV1 only).
    MpegTsSequenceStart,
    /// Coded frames.
    CodedFrames,
    /// The end of the sequence; no data.
    SequenceEnd,
    /// AMF names and values such as `colorInfo`. [E-RTMP v2 "Metadata Frame"]
    Metadata,
    /// A command to the player; no data.
    Command(VideoCommand),
    /// Empty, cut off, or of a kind nobody has defined.
    Unknown,
}

/// The frame type: an open registry.
///
/// mediamtx writes 0 in every multitrack message, key frames included.
///
/// [FLV §E.4.3.1]
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[expect(clippy::exhaustive_structs, reason = "a number from an open registry")]
pub struct FrameType(pub u8);

registry!(FrameType {
    /// Reserved.
    RESERVED = 0,
    /// A frame from which decoding can start.
    KEY = 1,
    /// A frame that depends on others.
    INTER = 2,
    /// An inter frame on which no other depends (H.263 only).
    DISPOSABLE_INTER = 3,
    /// A key frame made by a server.
    GENERATED_KEY = 4,
    /// Not a frame but a command or other information.
    COMMAND = 5,
});

impl FrameType {
    /// Whether decoding can start here.
    pub const fn is_key(self) -> bool {
        matches!(self, Self::KEY | Self::GENERATED_KEY)
    }
}

/// The codec of a legacy video header: an open registry.
///
/// [FLV §E.4.3.1]
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[expect(clippy::exhaustive_structs, reason = "a number from an open registry")]
pub struct CodecId(pub u8);

registry!(CodecId {
    /// Sorenson H.263.
    SORENSON_H263 = 2,
    /// Screen video.
    SCREEN = 3,
    /// On2 VP6.
    VP6 = 4,
    /// On2 VP6 with alpha channel.
    VP6_ALPHA = 5,
    /// Screen video version 2.
    SCREEN_2 = 6,
    /// AVC (H.264).
    AVC = 7,
    /// HEVC (H.265) with the header of AVC: in no specification, sent by Chinese encoders and
    /// CDNs, known to SRS and lal.
    HEVC = 12,
});

impl CodecId {
    /// Whether packet type and composition time follow the first byte.
    const fn has_packet_type(self) -> bool {
        matches!(self, Self::AVC | Self::HEVC)
    }
}

/// A command to the player: an open registry.
///
/// [FLV §E.4.3.1], [E-RTMP v2 "Enhanced Video"]
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[expect(clippy::exhaustive_structs, reason = "a number from an open registry")]
pub struct VideoCommand(pub u8);

registry!(VideoCommand {
    /// A client-side seek begins.
    START_SEEK = 0,
    /// A client-side seek ends.
    END_SEEK = 1,
});

/// A command with nothing after it: alone (v2), or behind a FOURCC (v1).
fn command(input: &[u8]) -> IResult<&[u8], (Option<Codec>, VideoCommand)> {
    match *input {
        [command] => Ok((&[], (None, VideoCommand(command)))),
        [_, _, _, _, command] => {
            let (_, four_cc) = four_cc(input)?;
            if !KNOWN.contains(&four_cc) {
                return fail().parse(input);
            }
            Ok((&[], (Some(Codec::FourCc(four_cc)), VideoCommand(command))))
        }
        _ => fail().parse(input),
    }
}

/// The flag of the first byte that selects the enhanced header.
pub(super) const EX_HEADER: u8 = 0x80;

const KNOWN: [FourCc; 6] = [
    FourCc::AVC,
    FourCc::HEVC,
    FourCc::VVC,
    FourCc::VP8,
    FourCc::VP9,
    FourCc::AV1,
];

/// VideoPacketType [E-RTMP v2 "Enhanced Video"].
pub(super) mod packet_type {
    pub(in crate::flv) const SEQUENCE_START: u8 = 0;
    pub(in crate::flv) const CODED_FRAMES: u8 = 1;
    pub(in crate::flv) const SEQUENCE_END: u8 = 2;
    pub(in crate::flv) const CODED_FRAMES_X: u8 = 3;
    pub(in crate::flv) const METADATA: u8 = 4;
    pub(in crate::flv) const MPEG2TS_SEQUENCE_START: u8 = 5;
    pub(in crate::flv) const MULTITRACK: u8 = 6;
}

#[cfg(test)]
mod tests {
    use alloc::vec::Vec;

    use hex_literal::hex;
    use proptest::prelude::*;

    use super::*;

    fn four_cc_codec(code: FourCc) -> Option<Codec> {
        Some(Codec::FourCc(code))
    }

    /// FLV-37 to FLV-43: AVC as every encoder sends it.
    #[test]
    fn avc() {
        let start = VideoHeader::decode(&hex!("17 00 000000 0142C01F"));
        assert_eq!(start.packet, VideoPacket::SequenceStart);
        assert_eq!(start.codec, Some(Codec::CodecId(CodecId::AVC)));
        assert_eq!(start.header_len, 5);
        assert!(!start.is_key_frame());

        let key = VideoHeader::decode(&hex!("17 01 000050 00000001 65"));
        assert_eq!(key.packet, VideoPacket::CodedFrames);
        assert_eq!((key.composition_time, key.header_len), (80, 5));
        assert!(key.is_key_frame());

        let inter = VideoHeader::decode(&hex!("27 01 FFFFD8 00000001 41"));
        assert_eq!(inter.composition_time, -40);
        assert!(!inter.is_key_frame());

        for end in [&hex!("17 02 000000")[..], &hex!("17 02")] {
            let end = VideoHeader::decode(end);
            assert_eq!(end.packet, VideoPacket::SequenceEnd);
            assert!(!end.is_key_frame());
        }
    }

    /// FLV-40: other codecs have neither packet type nor composition time.
    #[test]
    fn codec_without_packet_type() {
        let header = VideoHeader::decode(&hex!("24 01 FFFFD8"));
        assert_eq!(header.packet, VideoPacket::CodedFrames);
        assert_eq!(header.codec, Some(Codec::CodecId(CodecId::VP6)));
        assert_eq!((header.composition_time, header.header_len), (0, 1));
        assert!(VideoHeader::decode(&hex!("42 00")).is_key_frame());
    }

    /// FLV-48.
    #[test]
    fn legacy_hevc() {
        let header = VideoHeader::decode(&hex!("1C 01 000021 00000001"));
        assert_eq!(header.codec, Some(Codec::CodecId(CodecId::HEVC)));
        assert_eq!((header.composition_time, header.header_len), (33, 5));
        assert!(header.is_key_frame());
        let header = VideoHeader::decode(&hex!("1C 00 000000 01"));
        assert_eq!(header.packet, VideoPacket::SequenceStart);
    }

    /// FLV-44, ERTMP-85, ERTMP-89, ERTMP-92.
    #[test]
    fn commands() {
        for (payload, command) in [
            (&hex!("52 00")[..], VideoCommand::START_SEEK),
            (&hex!("57 01"), VideoCommand::END_SEEK),
            (&hex!("D0 01"), VideoCommand::END_SEEK),
            (&hex!("D1 61766331 00"), VideoCommand::START_SEEK),
            (&hex!("D1 02"), VideoCommand(2)),
        ] {
            let header = VideoHeader::decode(payload);
            assert_eq!(header.packet, VideoPacket::Command(command));
            assert_eq!(header.header_len, payload.len());
        }
        for payload in [&hex!("57 01 000000 00")[..], &hex!("D1 61766331 00 00")] {
            assert_eq!(VideoHeader::decode(payload).packet, VideoPacket::Unknown);
        }
    }

    /// ERTMP-87, ERTMP-101, ERTMP-106: the AV1 messages of a file by Lavf62.3.100 (veovera's
    /// e-rtmp-lab, bbb.flv); the first SequenceStart is empty there.
    #[test]
    fn av1() {
        for (payload, packet, key) in [
            (&hex!("90 61763031")[..], VideoPacket::SequenceStart, false),
            (&hex!("90 61763031 81"), VideoPacket::SequenceStart, false),
            (&hex!("91 61763031 12"), VideoPacket::CodedFrames, true),
            (&hex!("A1 61763031 12"), VideoPacket::CodedFrames, false),
            (&hex!("92 61763031"), VideoPacket::SequenceEnd, false),
            (
                &hex!("95 61763031 80"),
                VideoPacket::MpegTsSequenceStart,
                false,
            ),
        ] {
            let header = VideoHeader::decode(payload);
            assert_eq!(header.packet, packet);
            assert_eq!(header.codec, four_cc_codec(FourCc::AV1));
            assert_eq!(header.header_len, 5);
            assert_eq!(header.composition_time, 0);
            assert_eq!(header.is_key_frame(), key);
        }
    }

    /// ERTMP-93: 0xD4 as Lavf writes it (same file), and the frame type 0 of OBS.
    #[test]
    fn metadata_is_no_command() {
        for payload in [
            &hex!("D4 61763031 02 0009 636F6C6F72496E666F 03")[..],
            &hex!("84 61763031 02 0009 636F6C6F72496E666F 03"),
            &hex!("94 68766331 02"),
        ] {
            let header = VideoHeader::decode(payload);
            assert_eq!(header.packet, VideoPacket::Metadata);
            assert_eq!(header.header_len, 5);
            assert!(!header.is_key_frame());
        }
        let header = VideoHeader::decode(&hex!("D6 04 61763031 02 02"));
        assert_eq!(header.packet, VideoPacket::Metadata);
        assert_eq!(header.tracks, Tracks::One(2));
    }

    /// ERTMP-105, ERTMP-107, A-52.
    #[test]
    fn enhanced_composition_time() {
        for code in ["avc1", "hvc1", "vvc1", "av01", "vp09"] {
            let timed = !matches!(code, "av01" | "vp09");
            let payload = [&hex!("A1")[..], code.as_bytes(), &hex!("FFFFFF 00")].concat();
            let header = VideoHeader::decode(&payload);
            assert_eq!(header.composition_time, if timed { -1 } else { 0 });
            assert_eq!(header.header_len, if timed { 8 } else { 5 });

            let payload = [&hex!("A3")[..], code.as_bytes(), &hex!("FFFFFF 00")].concat();
            let header = VideoHeader::decode(&payload);
            assert_eq!(header.packet, VideoPacket::CodedFrames);
            assert_eq!((header.composition_time, header.header_len), (0, 5));
        }
    }

    /// ERTMP-48 to ERTMP-54, ERTMP-95.
    #[test]
    fn multitrack() {
        let one = VideoHeader::decode(&hex!("96 01 68766331 03 000010 AA"));
        assert_eq!(one.tracks, Tracks::One(3));
        assert_eq!((one.composition_time, one.header_len), (16, 10));
        assert!(one.is_key_frame());

        let many = VideoHeader::decode(&hex!(
            "A6 11 61766331 01 000004 000010 AA 02 000004 000010 BB"
        ));
        assert_eq!(many.tracks, Tracks::Many(1));
        assert_eq!((many.composition_time, many.header_len), (16, 6));

        let codecs = VideoHeader::decode(&hex!("96 20 61763031 00 000001 81"));
        assert_eq!(codecs.tracks, Tracks::ManyCodecs(0));
        assert_eq!(codecs.packet, VideoPacket::SequenceStart);
        assert_eq!(codecs.codec, four_cc_codec(FourCc::AV1));
        assert_eq!(codecs.header_len, 2);

        // Multitrack in Multitrack, a reserved layout, no track.
        for payload in [
            &hex!("96 06 61763031 00")[..],
            &hex!("96 31 61763031 00 00"),
            &hex!("96 10 61763031"),
        ] {
            let header = VideoHeader::decode(payload);
            assert_eq!(
                (header.packet, header.header_len),
                (VideoPacket::Unknown, 0)
            );
        }
    }

    /// ERTMP-40, ERTMP-95.
    #[test]
    fn mod_ex_before_coded_frames() {
        let header = VideoHeader::decode(&hex!("97 02 0003E8 01 61766331 000001 AA"));
        assert_eq!(header.timestamp_nanos, Some(1000));
        assert_eq!((header.composition_time, header.header_len), (1, 13));
        assert!(header.is_key_frame());
    }

    /// ERTMP-90: reserved values are classified, not refused.
    #[test]
    fn reserved_values() {
        let header = VideoHeader::decode(&hex!("98 61763031 00"));
        assert_eq!(header.packet, VideoPacket::Unknown);
        let header = VideoHeader::decode(&hex!("81 7A7A7A7A 00"));
        assert_eq!(header.packet, VideoPacket::CodedFrames);
        assert_eq!(header.codec, four_cc_codec(FourCc(*b"zzzz")));
        assert!(!header.is_key_frame());
        for payload in [
            &hex!("")[..],
            &hex!("17"),
            &hex!("91 6176"),
            &hex!("17 01 00"),
        ] {
            let header = VideoHeader::decode(payload);
            assert_eq!(
                (header.packet, header.header_len),
                (VideoPacket::Unknown, 0)
            );
        }
    }

    proptest! {
        #[test]
        fn any_payload_is_classified(payload: Vec<u8>) {
            let header = VideoHeader::decode(&payload);
            prop_assert!(header.header_len <= payload.len());
            prop_assert!(!header.is_key_frame() || header.codec.is_some());
        }
    }
}
