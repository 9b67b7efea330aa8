//! Writing the payloads of enhanced audio and video messages.
//!
//! [E-RTMP v2 "Enhanced Audio", "Enhanced Video"]

use alloc::vec::Vec;

use bytes::{BufMut, Bytes, BytesMut};

use super::{
    audio::packet_type as audio_packet,
    channels::ChannelConfig,
    color::VideoMetadata,
    enhanced::{FourCc, MOD_EX, TIMESTAMP_OFFSET_NANO},
    video::{EX_HEADER, FrameType, VideoCommand, packet_type as video_packet},
};

/// An enhanced video message of one track, to be written.
///
/// ```
/// use rtmp_proto::flv::{CompositionTime, EnhancedVideo, FourCc, Frame, FrameType};
///
/// let time = CompositionTime::new(40).expect("within 24 bits");
/// let message = EnhancedVideo::coded_frames(FrameType::KEY, FourCc::HEVC, time, &b"picture"[..]);
/// let frame = Frame::video(Default::default(), message.encode());
/// assert!(frame.is_key_frame());
/// assert_eq!((frame.composition_time(), &frame.body()[..]), (40, &b"picture"[..]));
///
/// // The same beside another track: only to a peer that declared `CapsEx::MULTITRACK`.
/// let other = EnhancedVideo::coded_frames(FrameType::KEY, FourCc::AV1, Default::default(), &b"x"[..]);
/// let payload = EnhancedVideo::encode_many(&[message, other.on_track(1)])?;
/// assert_eq!(Frame::video(Default::default(), payload).tracks().count(), 2);
/// # Ok::<(), rtmp_proto::flv::MultitrackError>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EnhancedVideo {
    frame_type: FrameType,
    content: VideoContent,
    part: Part,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum VideoContent {
    /// Whatever has a packet type of its own and nothing before its data.
    Plain(u8),
    CodedFrames(CompositionTime),
    Command(VideoCommand),
}

impl EnhancedVideo {
    /// The decoder configuration: the record of [`config`](super::config).
    pub fn sequence_start(codec: FourCc, record: impl Into<Bytes>) -> Self {
        Self::plain(video_packet::SEQUENCE_START, codec, record)
    }

    /// The decoder configuration of AV1 as MPEG-TS descriptor, instead of a sequence start.
    pub fn mpeg_ts_sequence_start(descriptor: impl Into<Bytes>) -> Self {
        Self::plain(
            video_packet::MPEG2TS_SEQUENCE_START,
            FourCc::AV1,
            descriptor,
        )
    }

    /// Coded frames. The composition time counts only for codecs that have one: AVC, HEVC, VVC.
    pub fn coded_frames(
        frame_type: FrameType,
        codec: FourCc,
        composition_time: CompositionTime,
        data: impl Into<Bytes>,
    ) -> Self {
        let composition_time = match codec.has_composition_time() {
            true => composition_time,
            false => CompositionTime::ZERO,
        };
        Self {
            // Three bits.
            frame_type: FrameType(frame_type.0 & 0x07),
            content: VideoContent::CodedFrames(composition_time),
            part: Part::new(codec, data),
        }
    }

    /// The end of the track's sequence.
    pub fn sequence_end(codec: FourCc) -> Self {
        Self::plain(video_packet::SEQUENCE_END, codec, Bytes::new())
    }

    /// The colours of what follows.
    pub fn metadata(codec: FourCc, metadata: &VideoMetadata) -> Self {
        Self::plain(video_packet::METADATA, codec, metadata.encode())
    }

    /// A command to the player, which belongs to no track and has no codec.
    pub fn command(command: VideoCommand) -> Self {
        Self {
            frame_type: FrameType::COMMAND,
            content: VideoContent::Command(command),
            part: Part::new(FourCc::AVC, Bytes::new()),
        }
    }

    /// The same on another track than the default one.
    #[must_use]
    pub fn on_track(mut self, id: u8) -> Self {
        self.part.track = id;
        self
    }

    /// The same with another ModEx block behind those that it has. To peers that declared
    /// `CapsEx::MOD_EX`, and for an offset in nanoseconds `CapsEx::TIMESTAMP_NANO_OFFSET`.
    #[must_use]
    pub fn with_mod_ex(mut self, mod_ex: ModEx) -> Self {
        self.part.mod_ex.push(mod_ex);
        self
    }

    /// The payload of the message: for the default track without, for others with the multitrack
    /// header of a single track, as OBS and FFmpeg do.
    pub fn encode(&self) -> Bytes {
        let mut out = BytesMut::with_capacity(self.part.data.len() + HEADER_ROOM);
        if let VideoContent::Command(command) = self.content {
            // What packet type it states means nothing; it is not Metadata.
            let first = EX_HEADER | FrameType::COMMAND.0 << 4;
            self.part
                .put_mod_ex(first, video_packet::SEQUENCE_START, &mut out);
            out.put_u8(command.0);
            return out.freeze();
        }
        let is_multitrack = self.part.track != 0;
        let (first, packet) = (self.first_byte(is_multitrack), self.packet_type());
        let header = self.part.header(first, packet, video_packet::MULTITRACK);
        out.put(header);
        self.put_data(packet, &mut out);
        out.freeze()
    }

    /// The payload with the header of FLV before it was enhanced, which every player understands:
    /// AVC on the default track, without ModEx blocks. `None` for everything else.
    pub fn encode_legacy(&self) -> Option<Bytes> {
        let (packet, time) = match self.content {
            VideoContent::Plain(video_packet::SEQUENCE_START) => (0, CompositionTime::ZERO),
            VideoContent::CodedFrames(time) => (1, time),
            VideoContent::Plain(video_packet::SEQUENCE_END) => (2, CompositionTime::ZERO),
            _ => return None,
        };
        if self.part.codec != FourCc::AVC || !self.part.is_plain() {
            return None;
        }
        let mut out = BytesMut::with_capacity(self.part.data.len() + HEADER_ROOM);
        out.put_u8(self.frame_type.0 << 4 | AVC);
        out.put_u8(packet);
        out.put(time.to_be_bytes().as_slice());
        out.put(self.part.data.clone());
        Some(out.freeze())
    }

    /// One payload for several tracks: with one codec in the header if they have it in common, else
    /// with one for each. Few readers know either; most know a message for each track.
    ///
    /// ModEx blocks are those of the first.
    ///
    /// # Errors
    ///
    /// If the messages do not go together.
    pub fn encode_many(messages: &[Self]) -> Result<Bytes, MultitrackError> {
        let first = messages.first().ok_or(MultitrackError::Empty)?;
        // Codecs that never have a composition time have no frames "without".
        let packet = messages.iter().map(Self::packet_type).min();
        let packet = packet.ok_or(MultitrackError::Empty)?;
        let bodies = messages.iter().map(|message| {
            let is_alike = match (message.content, first.content) {
                (VideoContent::CodedFrames(_), VideoContent::CodedFrames(_)) => true,
                (VideoContent::Plain(one), VideoContent::Plain(other)) => one == other,
                _ => false,
            };
            if !is_alike || message.frame_type != first.frame_type {
                return Err(MultitrackError::Mixed);
            }
            let mut data = BytesMut::new();
            message.put_data(packet, &mut data);
            Ok((&message.part, data.freeze()))
        });
        let first_byte = first.first_byte(true);
        encode_many(first_byte, packet, video_packet::MULTITRACK, bodies)
    }

    fn plain(packet: u8, codec: FourCc, data: impl Into<Bytes>) -> Self {
        Self {
            frame_type: FrameType::KEY,
            content: VideoContent::Plain(packet),
            part: Part::new(codec, data),
        }
    }

    /// Frame type 5 with metadata is what FFmpeg looks for. Inside a multitrack message it would be
    /// a command.
    fn first_byte(&self, is_multitrack: bool) -> u8 {
        let frame_type = match self.content {
            VideoContent::Plain(video_packet::METADATA) if !is_multitrack => FrameType::COMMAND,
            _ => self.frame_type,
        };
        EX_HEADER | frame_type.0 << 4
    }

    fn packet_type(&self) -> u8 {
        match self.content {
            VideoContent::Plain(packet) => packet,
            VideoContent::CodedFrames(time)
                if time == CompositionTime::ZERO && self.part.codec.has_composition_time() =>
            {
                video_packet::CODED_FRAMES_X
            }
            VideoContent::CodedFrames(_) | VideoContent::Command(_) => video_packet::CODED_FRAMES,
        }
    }

    fn put_data(&self, packet: u8, out: &mut BytesMut) {
        if let VideoContent::CodedFrames(time) = self.content
            && packet == video_packet::CODED_FRAMES
            && self.part.codec.has_composition_time()
        {
            out.put(time.to_be_bytes().as_slice());
        }
        out.put(self.part.data.clone());
    }
}

/// An enhanced audio message of one track, to be written.
///
/// ```
/// use rtmp_proto::flv::{EnhancedAudio, FourCc, Frame, config::OpusConfig};
///
/// let record = OpusConfig::new(true, 312, 48_000).encode();
/// let message = EnhancedAudio::sequence_start(FourCc::OPUS, record);
/// assert!(Frame::audio(Default::default(), message.encode()).is_sequence_header());
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EnhancedAudio {
    packet: u8,
    part: Part,
}

impl EnhancedAudio {
    /// The decoder configuration: the record of [`config`](super::config), nothing for AC-3, E-AC-3
    /// and MP3.
    pub fn sequence_start(codec: FourCc, record: impl Into<Bytes>) -> Self {
        Self::new(audio_packet::SEQUENCE_START, codec, record)
    }

    /// Coded frames.
    pub fn coded_frames(codec: FourCc, data: impl Into<Bytes>) -> Self {
        Self::new(audio_packet::CODED_FRAMES, codec, data)
    }

    /// The end of the track's sequence.
    pub fn sequence_end(codec: FourCc) -> Self {
        Self::new(audio_packet::SEQUENCE_END, codec, Bytes::new())
    }

    /// The number, order and places of the channels.
    pub fn multichannel_config(codec: FourCc, config: &ChannelConfig) -> Self {
        Self::new(audio_packet::MULTICHANNEL_CONFIG, codec, config.encode())
    }

    /// The same on another track than the default one.
    #[must_use]
    pub fn on_track(mut self, id: u8) -> Self {
        self.part.track = id;
        self
    }

    /// The same with another ModEx block behind those that it has. To peers that declared
    /// `CapsEx::MOD_EX`, and for an offset in nanoseconds `CapsEx::TIMESTAMP_NANO_OFFSET`.
    #[must_use]
    pub fn with_mod_ex(mut self, mod_ex: ModEx) -> Self {
        self.part.mod_ex.push(mod_ex);
        self
    }

    /// The payload of the message: for the default track without, for others with the multitrack
    /// header of a single track, as OBS and FFmpeg do.
    pub fn encode(&self) -> Bytes {
        let mut out = BytesMut::with_capacity(self.part.data.len() + HEADER_ROOM);
        out.put(
            self.part
                .header(EX_AUDIO, self.packet, audio_packet::MULTITRACK),
        );
        out.put(self.part.data.clone());
        out.freeze()
    }

    /// The payload with the header of FLV before it was enhanced, which every player understands:
    /// AAC on the default track, without ModEx blocks. `None` for everything else.
    pub fn encode_legacy(&self) -> Option<Bytes> {
        if self.part.codec != FourCc::AAC || !self.part.is_plain() {
            return None;
        }
        let packet = match self.packet {
            audio_packet::SEQUENCE_START => 0,
            audio_packet::CODED_FRAMES => 1,
            _ => return None,
        };
        Some([&[AAC, packet][..], &self.part.data].concat().into())
    }

    /// One payload for several tracks: with one codec in the header if they have it in common, else
    /// with one for each. Few readers know either; most know a message for each track.
    ///
    /// ModEx blocks are those of the first.
    ///
    /// # Errors
    ///
    /// If the messages do not go together.
    pub fn encode_many(messages: &[Self]) -> Result<Bytes, MultitrackError> {
        let first = messages.first().ok_or(MultitrackError::Empty)?;
        let bodies = messages.iter().map(|message| {
            if message.packet != first.packet {
                return Err(MultitrackError::Mixed);
            }
            Ok((&message.part, message.part.data.clone()))
        });
        encode_many(EX_AUDIO, first.packet, audio_packet::MULTITRACK, bodies)
    }

    fn new(packet: u8, codec: FourCc, data: impl Into<Bytes>) -> Self {
        Self {
            packet,
            part: Part::new(codec, data),
        }
    }
}

/// A block before the packet type proper that modifies or extends it.
///
/// [E-RTMP v2 "Enhanced Audio", "Enhanced Video"]
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ModEx {
    kind: u8,
    data: Bytes,
}

impl ModEx {
    /// A block of the type `kind`, 0 to 15, with 1 to 65 536 bytes of data; `None` for others.
    pub fn new(kind: u8, data: impl Into<Bytes>) -> Option<Self> {
        let data = data.into();
        ((..16).contains(&kind) && (1..=0x1_0000).contains(&data.len()))
            .then_some(Self { kind, data })
    }

    /// The block that adds `offset` to the presentation time.
    pub fn timestamp_offset(offset: NanoOffset) -> Self {
        let [_, offset @ ..] = offset.0.to_be_bytes();
        Self {
            kind: TIMESTAMP_OFFSET_NANO,
            data: Bytes::copy_from_slice(&offset),
        }
    }

    /// Size and data, as far as the types that follow.
    fn put_data(&self, out: &mut BytesMut) {
        let size = u16::try_from(self.data.len() - 1).expect("checked by the constructor");
        match u8::try_from(size) {
            // 255 says that the size is longer.
            Ok(size @ ..=0xFE) => out.put_u8(size),
            _ => {
                out.put_u8(0xFF);
                out.put_u16(size);
            }
        }
        out.put(self.data.clone());
    }
}

/// Nanoseconds to add to a presentation time: less than a millisecond.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct NanoOffset(u32);

impl NanoOffset {
    /// The offset of `nanos`, at most 999 999; `None` for more.
    pub const fn new(nanos: u32) -> Option<Self> {
        match nanos {
            0..=999_999 => Some(Self(nanos)),
            _ => None,
        }
    }

    /// The number of nanoseconds.
    pub const fn as_nanos(self) -> u32 {
        self.0
    }
}

/// Presentation time minus decoding time in milliseconds: signed and of 24 bits.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct CompositionTime(i32);

impl CompositionTime {
    /// No difference.
    pub const ZERO: Self = Self(0);

    /// The difference of `millis`; `None` beyond 24 bits, which is 2 hours 19 minutes.
    pub const fn new(millis: i32) -> Option<Self> {
        match millis {
            -0x80_0000..=0x7F_FFFF => Some(Self(millis)),
            _ => None,
        }
    }

    /// The number of milliseconds.
    pub const fn as_millis(self) -> i32 {
        self.0
    }

    const fn to_be_bytes(self) -> [u8; 3] {
        let [_, bytes @ ..] = self.0.to_be_bytes();
        bytes
    }
}

/// Why messages do not go into one.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum MultitrackError {
    /// There is no message.
    #[error("no tracks")]
    Empty,
    /// They are of different packet or frame types, or commands.
    #[error("tracks of different packet or frame types")]
    Mixed,
    /// Two are on the same track.
    #[error("track {track} occurs more than once")]
    Repeated {
        /// The track.
        track: u8,
    },
    /// The data of a track is longer than the format can say.
    #[error("{length} bytes do not fit into a track of a multitrack message")]
    TooLong {
        /// The bytes of the track.
        length: usize,
    },
}

/// What audio and video messages have in common.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Part {
    codec: FourCc,
    track: u8,
    mod_ex: Vec<ModEx>,
    data: Bytes,
}

impl Part {
    fn new(codec: FourCc, data: impl Into<Bytes>) -> Self {
        Self {
            codec,
            track: 0,
            mod_ex: Vec::new(),
            data: data.into(),
        }
    }

    fn is_plain(&self) -> bool {
        self.track == 0 && self.mod_ex.is_empty()
    }

    /// The header of a message of one track.
    fn header(&self, first: u8, packet: u8, multitrack: u8) -> Bytes {
        let mut out = BytesMut::new();
        if self.track == 0 {
            self.put_mod_ex(first, packet, &mut out);
            out.put_slice(&self.codec.0);
        } else {
            self.put_mod_ex(first, multitrack, &mut out);
            out.put_u8(ONE_TRACK << 4 | packet);
            out.put_slice(&self.codec.0);
            out.put_u8(self.track);
        }
        out.freeze()
    }

    /// The first byte and the ModEx blocks, and in the last of these places the packet type.
    fn put_mod_ex(&self, first: u8, packet: u8, out: &mut BytesMut) {
        let mut high = first;
        for block in &self.mod_ex {
            out.put_u8(high | MOD_EX);
            block.put_data(out);
            high = block.kind << 4;
        }
        out.put_u8(high | packet);
    }
}

/// A message for several tracks, of which `parts` gives each with its data.
fn encode_many<'a>(
    first: u8,
    packet: u8,
    multitrack: u8,
    parts: impl Iterator<Item = Result<(&'a Part, Bytes), MultitrackError>>,
) -> Result<Bytes, MultitrackError> {
    let parts = parts.collect::<Result<Vec<_>, _>>()?;
    let (head, _) = parts.first().ok_or(MultitrackError::Empty)?;
    let has_one_codec = parts.iter().all(|(part, _)| part.codec == head.codec);
    let mut out = BytesMut::new();
    head.put_mod_ex(first, multitrack, &mut out);
    if has_one_codec {
        out.put_u8(MANY_TRACKS << 4 | packet);
        out.put_slice(&head.codec.0);
    } else {
        out.put_u8(MANY_TRACKS_MANY_CODECS << 4 | packet);
    }
    let mut seen = [false; 256];
    for (part, data) in parts.iter() {
        let track = part.track;
        match seen.get_mut(usize::from(track)) {
            Some(seen) if !*seen => *seen = true,
            _ => return Err(MultitrackError::Repeated { track }),
        }
        let length = data.len();
        let size = u32::try_from(length).ok().filter(|size| size >> 24 == 0);
        let [_, size @ ..] = size
            .ok_or(MultitrackError::TooLong { length })?
            .to_be_bytes();
        if !has_one_codec {
            out.put_slice(&part.codec.0);
        }
        out.put_u8(track);
        out.put_slice(&size);
        out.put_slice(data);
    }
    Ok(out.freeze())
}

/// The first byte of an enhanced audio message, without the packet type.
const EX_AUDIO: u8 = 0x90;
/// AAC with the rate and channels that all AAC has. [FLV §E.4.2.1]
const AAC: u8 = 0xAF;
/// The codec ID of AVC. [FLV §E.4.3.1]
const AVC: u8 = 7;
/// AvMultitrackType.
const ONE_TRACK: u8 = 0;
const MANY_TRACKS: u8 = 1;
const MANY_TRACKS_MANY_CODECS: u8 = 2;
/// More than a header without unknown ModEx blocks takes.
const HEADER_ROOM: usize = 32;

#[cfg(test)]
mod tests {
    use alloc::vec;

    use hex_literal::hex;
    use proptest::prelude::*;

    use super::*;
    use crate::{
        flv::{AudioPacket, Codec, Frame, FrameKind, Tracks, VideoPacket},
        timestamp::Timestamp,
    };

    const DATA: &[u8] = &[0xAA, 0xBB];

    fn time(millis: i32) -> CompositionTime {
        CompositionTime::new(millis).unwrap()
    }

    fn frames(codec: FourCc, millis: i32) -> EnhancedVideo {
        EnhancedVideo::coded_frames(FrameType::KEY, codec, time(millis), DATA)
    }

    /// ERTMP-84 to ERTMP-111, by v2 "Enhanced Video".
    #[test]
    fn every_video_packet() {
        for (message, payload) in [
            (
                EnhancedVideo::sequence_start(FourCc::VVC, DATA),
                &hex!("90 76766331 AABB")[..],
            ),
            (frames(FourCc::HEVC, -1), &hex!("91 68766331 FFFFFF AABB")),
            (frames(FourCc::HEVC, 0), &hex!("93 68766331 AABB")),
            (frames(FourCc::AV1, 0), &hex!("91 61763031 AABB")),
            (frames(FourCc::AV1, 7), &hex!("91 61763031 AABB")),
            (
                EnhancedVideo::sequence_end(FourCc::VP9),
                &hex!("92 76703039"),
            ),
            (
                EnhancedVideo::metadata(FourCc::AV1, &VideoMetadata::new(None)),
                &hex!("D4 61763031 02 0009 636F6C6F72496E666F 06"),
            ),
            (
                EnhancedVideo::mpeg_ts_sequence_start(DATA),
                &hex!("95 61763031 AABB"),
            ),
            (
                EnhancedVideo::command(VideoCommand::END_SEEK),
                &hex!("D0 01"),
            ),
            (
                EnhancedVideo::metadata(FourCc::AV1, &VideoMetadata::new(None)).on_track(2),
                &hex!("96 04 61763031 02 02 0009 636F6C6F72496E666F 06"),
            ),
        ] {
            assert_eq!(message.encode(), payload);
        }
    }

    /// ERTMP-37, ERTMP-66 to ERTMP-78, by v2 "Enhanced Audio".
    #[test]
    fn every_audio_packet() {
        let stereo = ChannelConfig::native(crate::flv::ChannelMask::STEREO);
        for (message, payload) in [
            (
                EnhancedAudio::sequence_start(FourCc::AC3, Bytes::new()),
                &hex!("90 61632D33")[..],
            ),
            (
                EnhancedAudio::coded_frames(FourCc::FLAC, DATA),
                &hex!("91 664C6143 AABB"),
            ),
            (
                EnhancedAudio::sequence_end(FourCc::MP3),
                &hex!("92 2E6D7033"),
            ),
            (
                EnhancedAudio::multichannel_config(FourCc::OPUS, &stereo),
                &hex!("94 4F707573 01 02 00000003"),
            ),
            (
                EnhancedAudio::coded_frames(FourCc::AAC, DATA).on_track(1),
                &hex!("95 01 6D703461 01 AABB"),
            ),
        ] {
            assert_eq!(message.encode(), payload);
        }
    }

    /// ERTMP-40 to ERTMP-45: two blocks, then Multitrack, by v2 "Enhanced Video".
    #[test]
    fn mod_ex_chain() {
        let offset = NanoOffset::new(999_999).unwrap();
        let message = frames(FourCc::AV1, 0)
            .on_track(3)
            .with_mod_ex(ModEx::new(5, &[0xCC][..]).unwrap())
            .with_mod_ex(ModEx::timestamp_offset(offset));
        let payload = message.encode();
        assert_eq!(
            payload,
            hex!("97 00 CC 57 02 0F423F 06 01 61763031 03 AABB")[..]
        );
        let FrameKind::Video(header) = Frame::video(Timestamp::ZERO, payload).kind else {
            panic!("a video message");
        };
        assert_eq!(header.timestamp_nanos, Some(999_999));
        assert_eq!(header.tracks, Tracks::One(3));
        assert_eq!(NanoOffset::new(1_000_000), None);
        for (kind, len) in [(16, 1), (0, 0), (0, 65_537)] {
            assert_eq!(ModEx::new(kind, vec![0; len]), None);
        }
    }

    /// ERTMP-41: from 256 bytes on the size takes three.
    #[test]
    fn mod_ex_sizes() {
        for (len, prefix) in [
            (255, &hex!("97 FE")[..]),
            (256, &hex!("97 FF 00FF")),
            (65_536, &hex!("97 FF FFFF")),
        ] {
            let block = ModEx::new(9, vec![1; len]).unwrap();
            let payload = frames(FourCc::VP8, 0).with_mod_ex(block).encode();
            assert!(payload.starts_with(prefix));
            let frame = Frame::video(Timestamp::ZERO, payload);
            assert_eq!(&frame.body()[..], DATA);
        }
    }

    /// ERTMP-51, ERTMP-52: by v2 "Enhanced Video".
    #[test]
    fn several_tracks() {
        let avc = |track, millis| frames(FourCc::AVC, millis).on_track(track);
        assert_eq!(
            EnhancedVideo::encode_many(&[avc(0, 0), avc(1, 16)]).unwrap(),
            hex!("96 11 61766331 00 000005 000000 AABB 01 000005 000010 AABB")[..]
        );
        assert_eq!(
            EnhancedVideo::encode_many(&[avc(0, 0), avc(1, 0)]).unwrap(),
            hex!("96 13 61766331 00 000002 AABB 01 000002 AABB")[..]
        );
        // AV1 is always "with", so AVC is, too.
        assert_eq!(
            EnhancedVideo::encode_many(&[avc(0, 0), frames(FourCc::AV1, 0).on_track(1)]).unwrap(),
            hex!("96 21 61766331 00 000005 000000 AABB 61763031 01 000002 AABB")[..]
        );
    }

    #[test]
    fn messages_that_do_not_go_together() {
        let avc = || frames(FourCc::AVC, 0);
        let end = EnhancedVideo::sequence_end(FourCc::AVC).on_track(1);
        let inter =
            EnhancedVideo::coded_frames(FrameType::INTER, FourCc::AVC, time(0), DATA).on_track(1);
        let command = EnhancedVideo::command(VideoCommand::START_SEEK);
        for (messages, error) in [
            (vec![], MultitrackError::Empty),
            (vec![avc(), end], MultitrackError::Mixed),
            (vec![avc(), inter], MultitrackError::Mixed),
            (vec![command.clone(), command], MultitrackError::Mixed),
            (vec![avc(), avc()], MultitrackError::Repeated { track: 0 }),
        ] {
            assert_eq!(EnhancedVideo::encode_many(&messages), Err(error));
        }
        let length = 1 << 24;
        let long = EnhancedAudio::coded_frames(FourCc::AAC, vec![0; length]);
        assert_eq!(
            EnhancedAudio::encode_many(&[long]),
            Err(MultitrackError::TooLong { length })
        );
    }

    /// FLV-30, FLV-36, FLV-40 to FLV-43.
    #[test]
    fn legacy_headers() {
        for (message, payload) in [
            (
                EnhancedVideo::sequence_start(FourCc::AVC, DATA),
                Some(&hex!("17 00 000000 AABB")[..]),
            ),
            (frames(FourCc::AVC, -40), Some(&hex!("17 01 FFFFD8 AABB"))),
            (
                EnhancedVideo::sequence_end(FourCc::AVC),
                Some(&hex!("17 02 000000")),
            ),
            (frames(FourCc::HEVC, 0), None),
            (frames(FourCc::AVC, 0).on_track(1), None),
        ] {
            assert_eq!(message.encode_legacy().as_deref(), payload);
        }
        let aac = EnhancedAudio::coded_frames(FourCc::AAC, DATA);
        assert_eq!(aac.encode_legacy().unwrap(), hex!("AF 01 AABB")[..]);
        let opus = EnhancedAudio::coded_frames(FourCc::OPUS, DATA);
        assert_eq!(opus.encode_legacy(), None);
    }

    fn any_codec() -> impl Strategy<Value = FourCc> {
        proptest::sample::select(vec![FourCc::AVC, FourCc::AV1, FourCc::HEVC, FourCc::VP9])
    }

    fn any_mod_ex() -> impl Strategy<Value = Vec<ModEx>> {
        let block = (1_u8..16, 1_usize..600).prop_map(|(kind, len)| ModEx::new(kind, vec![7; len]));
        proptest::collection::vec(block.prop_map(Option::unwrap), 0..3)
    }

    proptest! {
        #[test]
        fn video_is_read_as_written(
            codec in any_codec(),
            frame_type in 1_u8..3,
            millis in -0x80_0000_i32..0x80_0000,
            track: u8,
            nanos in proptest::option::of(0_u32..1_000_000),
            blocks in any_mod_ex(),
            data: Vec<u8>,
        ) {
            let mut message =
                EnhancedVideo::coded_frames(FrameType(frame_type), codec, time(millis), data.clone())
                    .on_track(track);
            for block in blocks {
                message = message.with_mod_ex(block);
            }
            if let Some(nanos) = nanos.and_then(NanoOffset::new) {
                message = message.with_mod_ex(ModEx::timestamp_offset(nanos));
            }
            let frame = Frame::video(Timestamp::ZERO, message.encode());
            let FrameKind::Video(header) = frame.kind else { panic!("{frame:?} is not video") };
            prop_assert_eq!(header.packet, VideoPacket::CodedFrames);
            prop_assert_eq!(header.frame_type, FrameType(frame_type));
            prop_assert_eq!(header.codec, Some(Codec::FourCc(codec)));
            prop_assert_eq!(header.timestamp_nanos, nanos);
            let tracks: Vec<_> = frame.tracks().collect::<Result<_, _>>().unwrap();
            prop_assert_eq!(tracks.len(), 1);
            prop_assert_eq!((tracks[0].id, &tracks[0].data[..]), (track, &data[..]));
            let expected = if codec.has_composition_time() { millis } else { 0 };
            prop_assert_eq!(tracks[0].composition_time, expected);
        }

        #[test]
        fn many_tracks_are_read_as_written(
            parts in proptest::collection::btree_map(
                any::<u8>(),
                (any_codec(), -1000_i32..1000, any::<Vec<u8>>()),
                1..6,
            ),
        ) {
            let messages: Vec<_> = parts
                .iter()
                .map(|(&track, (codec, millis, data))| {
                    EnhancedVideo::coded_frames(FrameType::INTER, *codec, time(*millis), data.clone())
                        .on_track(track)
                })
                .collect();
            let payload = EnhancedVideo::encode_many(&messages).unwrap();
            let frame = Frame::video(Timestamp::ZERO, payload);
            let tracks: Vec<_> = frame.tracks().collect::<Result<_, _>>().unwrap();
            prop_assert_eq!(tracks.len(), parts.len());
            for (track, (id, (codec, millis, data))) in tracks.iter().zip(parts) {
                let millis = if codec.has_composition_time() { millis } else { 0 };
                prop_assert_eq!(track.id, id);
                prop_assert_eq!(track.codec, Some(Codec::FourCc(codec)));
                prop_assert_eq!(track.composition_time, millis);
                prop_assert_eq!(&track.data[..], &data[..]);
            }
        }

        #[test]
        fn audio_is_read_as_written(
            parts in proptest::collection::btree_map(any::<u8>(), any::<Vec<u8>>(), 1..6),
        ) {
            let messages: Vec<_> = parts
                .iter()
                .map(|(&track, data)| {
                    EnhancedAudio::coded_frames(FourCc::OPUS, data.clone()).on_track(track)
                })
                .collect();
            let alone = messages.iter().map(EnhancedAudio::encode);
            let together = EnhancedAudio::encode_many(&messages).unwrap();
            let mut read = Vec::new();
            for payload in alone {
                read.extend(Frame::audio(Timestamp::ZERO, payload).tracks());
            }
            let frame = Frame::audio(Timestamp::ZERO, together);
            let FrameKind::Audio(header) = frame.kind else { panic!("{frame:?} is not audio") };
            prop_assert_eq!(header.packet, AudioPacket::CodedFrames);
            prop_assert_eq!(&frame.tracks().collect::<Vec<_>>(), &read);
            for (track, (id, data)) in read.into_iter().zip(parts) {
                let track = track.unwrap();
                prop_assert_eq!((track.id, &track.data[..]), (id, &data[..]));
            }
        }
    }
}
