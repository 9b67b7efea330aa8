//! A media or data message: what publishers send, players receive and files hold.

use core::fmt;

use bytes::Bytes;

use super::{
    audio::{AudioHeader, AudioPacket, SoundFormat},
    enhanced::{FourCc, Tracks},
    track::TrackIter,
    video::{CodecId, VideoHeader, VideoPacket},
};
use crate::{chunk::MessageType, timestamp::Timestamp};

/// An audio, video or data message, its payload classified and untouched.
///
/// The constructors read the header and never fail, so a payload that is empty, cut off or of an
/// unknown kind passes through like any other. Cloning shares the payload.
#[derive(Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Frame {
    /// When it applies; the decoding time of coded frames.
    pub timestamp: Timestamp,
    /// What the payload is.
    pub kind: FrameKind,
    /// The message's payload: the body of an FLV tag.
    pub payload: Bytes,
}

impl Frame {
    /// An audio message.
    #[inline]
    pub fn audio(timestamp: Timestamp, payload: Bytes) -> Self {
        Self {
            timestamp,
            kind: FrameKind::Audio(AudioHeader::decode(&payload)),
            payload,
        }
    }

    /// A video message.
    #[inline]
    pub fn video(timestamp: Timestamp, payload: Bytes) -> Self {
        Self {
            timestamp,
            kind: FrameKind::Video(VideoHeader::decode(&payload)),
            payload,
        }
    }

    /// A data message in AMF0, without a leading `@setDataFrame`.
    pub fn data(timestamp: Timestamp, payload: Bytes) -> Self {
        Self {
            timestamp,
            kind: FrameKind::Data(DataKind::of(&payload)),
            payload,
        }
    }

    /// The type of the message, and of the tag in a file.
    pub const fn message_type(&self) -> MessageType {
        match self.kind {
            FrameKind::Audio(_) => MessageType::AUDIO,
            FrameKind::Video(_) => MessageType::VIDEO,
            FrameKind::Data(_) => MessageType::DATA,
        }
    }

    /// Whether it is an audio message.
    pub const fn is_audio(&self) -> bool {
        matches!(self.kind, FrameKind::Audio(_))
    }

    /// Whether it is a video message.
    pub const fn is_video(&self) -> bool {
        matches!(self.kind, FrameKind::Video(_))
    }

    /// Whether it is the `onMetaData` of the stream.
    pub const fn is_metadata(&self) -> bool {
        matches!(self.kind, FrameKind::Data(DataKind::Metadata))
    }

    /// Whether it holds coded video from which decoding can start. A sequence header does not,
    /// though encoders mark it as key frame.
    pub fn is_key_frame(&self) -> bool {
        matches!(self.kind, FrameKind::Video(header) if header.is_key_frame())
    }

    /// Whether it holds a decoder configuration.
    pub const fn is_sequence_header(&self) -> bool {
        match self.kind {
            FrameKind::Audio(header) => matches!(header.packet, AudioPacket::SequenceStart),
            FrameKind::Video(header) => matches!(
                header.packet,
                VideoPacket::SequenceStart | VideoPacket::MpegTsSequenceStart
            ),
            FrameKind::Data(_) => false,
        }
    }

    /// Whether it holds what a late joiner needs before coded frames: a sequence header, a channel
    /// configuration, or video metadata such as `colorInfo`.
    pub const fn is_configuration(&self) -> bool {
        self.is_sequence_header()
            || match self.kind {
                FrameKind::Audio(header) => {
                    matches!(header.packet, AudioPacket::MultichannelConfig)
                }
                FrameKind::Video(header) => matches!(header.packet, VideoPacket::Metadata),
                FrameKind::Data(_) => false,
            }
    }

    /// Whether it says that the sequence of a track has ended.
    pub const fn is_sequence_end(&self) -> bool {
        match self.kind {
            FrameKind::Audio(header) => matches!(header.packet, AudioPacket::SequenceEnd),
            FrameKind::Video(header) => matches!(header.packet, VideoPacket::SequenceEnd),
            FrameKind::Data(_) => false,
        }
    }

    /// Whether it holds coded audio or video.
    pub const fn is_coded_media(&self) -> bool {
        match self.kind {
            FrameKind::Audio(header) => matches!(header.packet, AudioPacket::CodedFrames),
            FrameKind::Video(header) => matches!(header.packet, VideoPacket::CodedFrames),
            FrameKind::Data(_) => false,
        }
    }

    /// How it names the tracks it belongs to, `None` for data.
    pub const fn track_layout(&self) -> Option<Tracks> {
        match self.kind {
            FrameKind::Audio(header) => Some(header.tracks),
            FrameKind::Video(header) => Some(header.tracks),
            FrameKind::Data(_) => None,
        }
    }

    /// The first or only track it belongs to, 0 being the default; `None` for data.
    pub const fn track(&self) -> Option<u8> {
        match self.track_layout() {
            Some(tracks) => Some(tracks.first()),
            None => None,
        }
    }

    /// The codec, `None` for data and where the header does not tell.
    pub const fn codec(&self) -> Option<Codec> {
        match self.kind {
            FrameKind::Audio(header) => header.codec,
            FrameKind::Video(header) => header.codec,
            FrameKind::Data(_) => None,
        }
    }

    /// Presentation time minus [`timestamp`](Self::timestamp) in milliseconds.
    pub const fn composition_time(&self) -> i32 {
        match self.kind {
            FrameKind::Video(header) => header.composition_time,
            _ => 0,
        }
    }

    /// The payload behind its header: coded data or a configuration record. With several tracks,
    /// the tracks' entries; of data, everything.
    pub fn body(&self) -> Bytes {
        let header_len = match self.kind {
            FrameKind::Audio(header) => header.header_len,
            FrameKind::Video(header) => header.header_len,
            FrameKind::Data(_) => 0,
        };
        self.payload.slice(header_len.min(self.payload.len())..)
    }

    /// What it holds of each track: of a message that is not multitrack, one of track 0; of data,
    /// none.
    pub fn tracks(&self) -> TrackIter {
        TrackIter::new(self)
    }

    /// The same message at another time.
    #[must_use]
    pub fn with_timestamp(self, timestamp: Timestamp) -> Self {
        Self { timestamp, ..self }
    }
}

impl fmt::Debug for Frame {
    /// Shows the payload's length only.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Frame")
            .field("timestamp", &self.timestamp)
            .field("kind", &self.kind)
            .field("payload_len", &self.payload.len())
            .finish()
    }
}

/// What the payload of a [`Frame`] is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[expect(clippy::exhaustive_enums, reason = "FLV has three kinds of tags")]
pub enum FrameKind {
    /// An audio message.
    Audio(AudioHeader),
    /// A video message.
    Video(VideoHeader),
    /// A data message.
    Data(DataKind),
}

/// What a data message is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum DataKind {
    /// `onMetaData`: properties of the stream. [FLV §E.5]
    Metadata,
    /// Anything else.
    Other,
}

impl DataKind {
    fn of(payload: &[u8]) -> Self {
        if payload.starts_with(ON_META_DATA) {
            Self::Metadata
        } else {
            Self::Other
        }
    }
}

/// A codec, in the registry its header used.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[expect(clippy::exhaustive_enums, reason = "there are these three registries")]
pub enum Codec {
    /// Of a legacy audio header.
    SoundFormat(SoundFormat),
    /// Of a legacy video header.
    CodecId(CodecId),
    /// Of an enhanced header.
    FourCc(FourCc),
}

impl Codec {
    /// The FOURCC that means the same codec, if there is one.
    pub const fn four_cc(self) -> Option<FourCc> {
        match self {
            Self::FourCc(four_cc) => Some(four_cc),
            Self::SoundFormat(SoundFormat::AAC) => Some(FourCc::AAC),
            Self::SoundFormat(SoundFormat::MP3 | SoundFormat::MP3_8K) => Some(FourCc::MP3),
            Self::CodecId(CodecId::AVC) => Some(FourCc::AVC),
            Self::CodecId(CodecId::HEVC) => Some(FourCc::HEVC),
            _ => None,
        }
    }
}

/// `onMetaData` as AMF0 string.
const ON_META_DATA: &[u8] = b"\x02\x00\x0AonMetaData";

#[cfg(test)]
mod tests {
    use alloc::format;

    use hex_literal::hex;

    use super::*;

    fn video(payload: &'static [u8]) -> Frame {
        Frame::video(Timestamp::ZERO, Bytes::from_static(payload))
    }

    fn audio(payload: &'static [u8]) -> Frame {
        Frame::audio(Timestamp::ZERO, Bytes::from_static(payload))
    }

    /// FLV-49, FLV-55.
    #[test]
    fn metadata_is_known_by_its_name() {
        let data = |payload| Frame::data(Timestamp::ZERO, Bytes::from_static(payload));
        assert!(data(b"\x02\x00\x0AonMetaData\x08").is_metadata());
        assert!(!data(b"\x02\x00\x0BonMetaData2").is_metadata());
        assert!(!data(b"\x02\x00\x0AonMeta").is_metadata());
        assert!(!data(b"").is_metadata());
        assert_eq!(data(b"").message_type(), MessageType::DATA);
        assert_eq!(data(b"").track(), None);
    }

    /// The start of every file in veovera's e-rtmp-lab (Lavf62.3.100): audio precedes the real
    /// video sequence header, colorInfo comes before the first key frame.
    #[test]
    fn start_of_an_enhanced_stream() {
        let start = [
            video(&hex!("90 61763031")),
            audio(&hex!("90 4F707573 4F70757348656164")),
            audio(&hex!("94 4F707573 01 02 00000003")),
            audio(&hex!("91 4F707573 FC")),
            video(&hex!("90 61763031 81")),
            video(&hex!("D4 61763031 02 0009 636F6C6F72496E666F 03")),
            video(&hex!("91 61763031 12")),
            video(&hex!("A1 61763031 12")),
        ];
        let header = start.each_ref().map(Frame::is_sequence_header);
        assert_eq!(
            header,
            [true, true, false, false, true, false, false, false]
        );
        let configuration = start.each_ref().map(Frame::is_configuration);
        assert_eq!(
            configuration,
            [true, true, true, false, true, true, false, false]
        );
        let coded = start.each_ref().map(Frame::is_coded_media);
        assert_eq!(coded, [false, false, false, true, false, false, true, true]);
        let key = start.each_ref().map(Frame::is_key_frame);
        assert_eq!(key, [false, false, false, false, false, false, true, false]);
    }

    #[test]
    fn body_follows_the_header() {
        assert_eq!(video(&hex!("17 01 000000 AABB")).body(), &hex!("AABB")[..]);
        assert_eq!(video(&hex!("90 61763031")).body(), &[][..]);
        assert_eq!(audio(&[]).body(), &[][..]);
    }

    #[test]
    fn codecs_in_both_registries() {
        let legacy = video(&hex!("17 01 000000")).codec().expect("a codec");
        let enhanced = video(&hex!("93 61766331")).codec().expect("a codec");
        assert_ne!(legacy, enhanced);
        assert_eq!(legacy.four_cc(), enhanced.four_cc());
        assert_eq!(Codec::CodecId(CodecId::VP6).four_cc(), None);
    }

    #[test]
    fn debug_hides_the_payload() {
        let shown = format!(
            "{:?}",
            Frame::data(Timestamp::ZERO, Bytes::from_static(b"secret"))
        );
        assert!(shown.contains("payload_len: 6"));
        assert!(!shown.contains("secret"));
    }
}
