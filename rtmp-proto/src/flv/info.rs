//! What a stream is made of, for people and players to see.

use alloc::{collections::BTreeMap, string::String};
use core::fmt;

use super::{
    audio::{AudioHeader, AudioPacket, SoundFormat},
    config::{
        CodecConfig, ConfigError, SoundHeader, ac3_header, mp3_header, vp8_frame_size,
        vp9_frame_size,
    },
    enhanced::FourCc,
    frame::{Codec, Frame, FrameKind},
    track::Track,
    video::{CodecId, VideoPacket},
};

/// The tracks of a stream, learnt from its frames: `H.264 High 1280x720, AAC-LC 48 kHz stereo`.
///
/// Holds what is known of at most 256 tracks of each kind.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct StreamInfo {
    video: BTreeMap<u8, VideoInfo>,
    audio: BTreeMap<u8, AudioInfo>,
}

impl StreamInfo {
    /// Nothing is known yet.
    pub const fn new() -> Self {
        Self {
            video: BTreeMap::new(),
            audio: BTreeMap::new(),
        }
    }

    /// Takes note of the next frame of the stream and tells whether it said anything new.
    ///
    /// Cheap for frames of tracks that are known already.
    pub fn push(&mut self, frame: &Frame) -> bool {
        let mut is_new = false;
        match frame.kind {
            FrameKind::Video(header) => {
                for track in frame.tracks().flatten() {
                    is_new |= self.push_video(header.packet, header.is_key_frame(), &track);
                }
            }
            FrameKind::Audio(header) => {
                for track in frame.tracks().flatten() {
                    is_new |= self.push_audio(&header, &track);
                }
            }
            FrameKind::Data(_) => {}
        }
        is_new
    }

    /// The video tracks by number; 0 is the default track.
    pub fn video(&self) -> impl Iterator<Item = (u8, &VideoInfo)> {
        self.video.iter().map(|(&track, info)| (track, info))
    }

    /// The audio tracks by number; 0 is the default track.
    pub fn audio(&self) -> impl Iterator<Item = (u8, &AudioInfo)> {
        self.audio.iter().map(|(&track, info)| (track, info))
    }

    fn push_video(&mut self, packet: VideoPacket, is_key: bool, track: &Track) -> bool {
        let Some(codec) = track.codec else {
            return false;
        };
        let known = self.video.get(&track.id).filter(|info| info.codec == codec);
        let info = match packet {
            VideoPacket::SequenceStart => VideoInfo::of_record(codec, &track.data),
            VideoPacket::CodedFrames if known.is_none_or(|info| is_key && info.size.is_none()) => {
                let known = known.cloned();
                let info = known.unwrap_or_else(|| VideoInfo::of_codec(codec));
                let size = match codec.four_cc() {
                    Some(FourCc::VP8) if is_key => vp8_frame_size(&track.data).ok(),
                    Some(FourCc::VP9) if is_key => vp9_frame_size(&track.data).ok(),
                    _ => None,
                };
                VideoInfo { size, ..info }
            }
            _ => return false,
        };
        // A record may come empty first, or say less than the frames do.
        if known.is_some_and(|known| *known == info || info.is_vague()) {
            return false;
        }
        self.video.insert(track.id, info);
        true
    }

    fn push_audio(&mut self, header: &AudioHeader, track: &Track) -> bool {
        let Some(codec) = track.codec else {
            return false;
        };
        let known = self.audio.get(&track.id).filter(|info| info.codec == codec);
        let info = match header.packet {
            AudioPacket::SequenceStart => AudioInfo::of_record(codec, &track.data),
            AudioPacket::CodedFrames if known.is_none_or(|info| info.sample_rate.is_none()) => {
                AudioInfo::of_frame(codec, header, &track.data)
            }
            _ => return false,
        };
        if known.is_some_and(|known| *known == info || info.is_vague()) {
            return false;
        }
        self.audio.insert(track.id, info);
        true
    }
}

impl fmt::Display for StreamInfo {
    /// The tracks, video first, each with its number if it is not the default one; nothing if there
    /// are none.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let video = self
            .video
            .iter()
            .map(|(id, info)| (id, info as &dyn fmt::Display));
        let audio = self
            .audio
            .iter()
            .map(|(id, info)| (id, info as &dyn fmt::Display));
        for (index, (&id, info)) in video.chain(audio).enumerate() {
            let separator = if index == 0 { "" } else { ", " };
            match id {
                0 => write!(f, "{separator}{info}")?,
                id => write!(f, "{separator}{info} (track {id})")?,
            }
        }
        Ok(())
    }
}

/// What is known of a video track.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct VideoInfo {
    /// The codec, in the registry its header used.
    pub codec: Codec,
    /// The codec as browsers and HLS playlists name it, such as `avc1.64001f`. [RFC 6381]
    pub codec_string: Option<String>,
    /// The name of the profile.
    pub profile: Option<&'static str>,
    /// The level.
    pub level: Option<Level>,
    /// Width and height in pixels.
    pub size: Option<(u32, u32)>,
    /// Bits of a sample.
    pub bit_depth: Option<u8>,
}

impl VideoInfo {
    /// What `config` says; `None` if it is that of an audio codec.
    pub fn from_config(config: &CodecConfig) -> Option<Self> {
        let four_cc = config.codec();
        let (level, size, bit_depth) = match config {
            CodecConfig::Avc(avc) => {
                let sequence = avc.sequence().ok();
                (
                    Level::tenths(avc.level()),
                    sequence.map(|sequence| (sequence.width, sequence.height)),
                    sequence.map(|sequence| sequence.bit_depth_luma),
                )
            }
            CodecConfig::Hevc(hevc) => {
                let sequence = hevc.sequence().ok();
                (
                    Level::tenths(hevc.level() / 3),
                    sequence.map(|sequence| (sequence.width, sequence.height)),
                    Some(hevc.bit_depth()),
                )
            }
            CodecConfig::Vvc(vvc) => {
                let profile = vvc.profile()?;
                let size = (u32::from(profile.width), u32::from(profile.height));
                let level = Level {
                    major: profile.level >> 4,
                    minor: (profile.level & 0xF) / 3,
                };
                (level, Some(size), Some(profile.bit_depth))
            }
            CodecConfig::Av1(av1) => {
                let sequence = av1.sequence().ok();
                let level = Level {
                    major: 2 + (av1.level() >> 2),
                    minor: av1.level() & 0b11,
                };
                let size = sequence.map(|sequence| (sequence.width, sequence.height));
                (level, size, Some(av1.bit_depth()))
            }
            CodecConfig::Vp8(vp) | CodecConfig::Vp9(vp) => {
                (Level::tenths(vp.level), None, Some(vp.bit_depth))
            }
            CodecConfig::Aac(_) | CodecConfig::Opus(_) | CodecConfig::Flac(_) => return None,
        };
        Some(Self {
            codec: Codec::FourCc(four_cc),
            codec_string: Some(config.codec_string()),
            profile: config.profile_name(),
            level: (level.major > 0).then_some(level),
            size,
            bit_depth,
        })
    }

    const fn of_codec(codec: Codec) -> Self {
        Self {
            codec,
            codec_string: None,
            profile: None,
            level: None,
            size: None,
            bit_depth: None,
        }
    }

    fn of_record(codec: Codec, record: &[u8]) -> Self {
        let config = decode(codec, record).ok();
        let info = config.and_then(|config| Self::from_config(&config));
        match info {
            Some(info) => Self { codec, ..info },
            None => Self::of_codec(codec),
        }
    }

    fn is_vague(&self) -> bool {
        *self == Self::of_codec(self.codec)
    }
}

impl fmt::Display for VideoInfo {
    /// `H.264 High 1280x720`, as far as it is known.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.codec {
            Codec::CodecId(id) if self.codec.four_cc().is_none() => {
                (match id {
                    CodecId::SORENSON_H263 => f.write_str("H.263"),
                    CodecId::VP6 | CodecId::VP6_ALPHA => f.write_str("VP6"),
                    CodecId::SCREEN | CodecId::SCREEN_2 => f.write_str("Screen video"),
                    CodecId(id) => write!(f, "video codec {id}"),
                })?
            }
            codec => write_name(f, codec)?,
        }
        if let Some(profile) = self.profile {
            write!(f, " {profile}")?;
        }
        if let Some(bits) = self.bit_depth.filter(|&bits| bits > 8)
            && self.profile.is_none_or(|profile| !profile.contains("10"))
        {
            write!(f, " {bits}-bit")?;
        }
        match self.size {
            Some((width, height)) => write!(f, " {width}x{height}"),
            None => Ok(()),
        }
    }
}

/// What is known of an audio track.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct AudioInfo {
    /// The codec, in the registry its header used.
    pub codec: Codec,
    /// The codec as browsers and HLS playlists name it, such as `mp4a.40.2`. [RFC 6381]
    pub codec_string: Option<String>,
    /// The name of the profile.
    pub profile: Option<&'static str>,
    /// Samples a second.
    pub sample_rate: Option<u32>,
    /// Channels.
    pub channels: Option<u8>,
}

impl AudioInfo {
    /// What `config` says; `None` if it is that of a video codec.
    pub fn from_config(config: &CodecConfig) -> Option<Self> {
        let (sample_rate, channels) = match config {
            CodecConfig::Aac(aac) => (aac.sample_rate(), aac.channels()),
            // Whatever it was made from. [RFC 7845 §5.1]
            CodecConfig::Opus(opus) => (48_000, opus.channels()),
            CodecConfig::Flac(flac) => (flac.sample_rate(), flac.channels()),
            _ => return None,
        };
        Some(Self {
            codec: Codec::FourCc(config.codec()),
            codec_string: Some(config.codec_string()),
            profile: config.profile_name(),
            sample_rate: Some(sample_rate),
            channels: Some(channels),
        })
    }

    fn of_codec(codec: Codec) -> Self {
        let codec_string = match codec.four_cc() {
            Some(FourCc::AC3) => Some("ac-3"),
            Some(FourCc::EAC3) => Some("ec-3"),
            Some(FourCc::MP3) => Some("mp3"),
            _ => None,
        };
        Self {
            codec,
            codec_string: codec_string.map(Into::into),
            profile: None,
            sample_rate: None,
            channels: None,
        }
    }

    fn of_record(codec: Codec, record: &[u8]) -> Self {
        let config = decode(codec, record).ok();
        let info = config.and_then(|config| Self::from_config(&config));
        match info {
            Some(info) => Self { codec, ..info },
            None => Self::of_codec(codec),
        }
    }

    /// For codecs that have no record.
    fn of_frame(codec: Codec, header: &AudioHeader, frame: &[u8]) -> Self {
        let sound = match codec {
            Codec::FourCc(FourCc::AC3 | FourCc::EAC3) => ac3_header(frame).ok(),
            Codec::FourCc(FourCc::MP3) | Codec::SoundFormat(SoundFormat::MP3) => {
                mp3_header(frame).ok()
            }
            _ => None,
        };
        let sound = sound.or_else(|| {
            Some(SoundHeader {
                sample_rate: header.sample_rate()?,
                channels: header.channels()?,
            })
        });
        Self {
            sample_rate: sound.map(|sound| sound.sample_rate),
            channels: sound.map(|sound| sound.channels),
            ..Self::of_codec(codec)
        }
    }

    fn is_vague(&self) -> bool {
        *self == Self::of_codec(self.codec)
    }
}

impl fmt::Display for AudioInfo {
    /// `AAC-LC 48 kHz stereo`, as far as it is known.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.codec {
            Codec::SoundFormat(format) if self.codec.four_cc().is_none() => {
                (match format {
                    SoundFormat::PCM_PLATFORM | SoundFormat::PCM_LE => f.write_str("PCM"),
                    SoundFormat::ADPCM => f.write_str("ADPCM"),
                    SoundFormat::NELLYMOSER_16K
                    | SoundFormat::NELLYMOSER_8K
                    | SoundFormat::NELLYMOSER => f.write_str("Nellymoser"),
                    SoundFormat::G711_ALAW | SoundFormat::G711_MULAW => f.write_str("G.711"),
                    SoundFormat::SPEEX => f.write_str("Speex"),
                    SoundFormat(format) => write!(f, "audio codec {format}"),
                })?
            }
            codec => write_name(f, codec)?,
        }
        if let Some(profile) = self.profile {
            write!(f, "-{profile}")?;
        }
        if let Some(rate) = self.sample_rate {
            let (whole, tenth) = (rate / 1000, rate % 1000 / 100);
            match tenth {
                0 => write!(f, " {whole} kHz")?,
                _ => write!(f, " {whole}.{tenth} kHz")?,
            }
        }
        match self.channels {
            Some(1) => f.write_str(" mono"),
            Some(2) => f.write_str(" stereo"),
            Some(6) => f.write_str(" 5.1"),
            Some(8) => f.write_str(" 7.1"),
            Some(channels) => write!(f, " {channels} channels"),
            None => Ok(()),
        }
    }
}

/// The level of a video stream: `3.1`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[expect(clippy::exhaustive_structs, reason = "levels have these two parts")]
pub struct Level {
    /// Before the point.
    pub major: u8,
    /// Behind it.
    pub minor: u8,
}

impl Level {
    const fn tenths(tenths: u8) -> Self {
        Self {
            major: tenths / 10,
            minor: tenths % 10,
        }
    }
}

impl fmt::Display for Level {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.major, self.minor)
    }
}

fn decode(codec: Codec, record: &[u8]) -> Result<CodecConfig, ConfigError> {
    let four_cc = codec.four_cc().ok_or(ConfigError::Invalid)?;
    CodecConfig::decode(four_cc, record)
}

/// The name of a codec that has a FOURCC.
fn write_name(f: &mut fmt::Formatter<'_>, codec: Codec) -> fmt::Result {
    f.write_str(match codec.four_cc() {
        Some(FourCc::AVC) => "H.264",
        Some(FourCc::HEVC) => "H.265",
        Some(FourCc::VVC) => "H.266",
        Some(FourCc::VP8) => "VP8",
        Some(FourCc::VP9) => "VP9",
        Some(FourCc::AV1) => "AV1",
        Some(FourCc::AC3) => "AC-3",
        Some(FourCc::EAC3) => "E-AC-3",
        Some(FourCc::OPUS) => "Opus",
        Some(FourCc::MP3) => "MP3",
        Some(FourCc::FLAC) => "FLAC",
        Some(FourCc::AAC) => "AAC",
        Some(four_cc) => return fmt::Display::fmt(&four_cc, f),
        None => "unknown codec",
    })
}

#[cfg(test)]
mod tests {
    use alloc::string::ToString;

    use bytes::Bytes;
    use hex_literal::hex;

    use super::*;
    use crate::timestamp::Timestamp;

    fn video(payload: &'static [u8]) -> Frame {
        Frame::video(Timestamp::ZERO, Bytes::from_static(payload))
    }

    fn audio(payload: &'static [u8]) -> Frame {
        Frame::audio(Timestamp::ZERO, Bytes::from_static(payload))
    }

    /// The text after all `frames`, and how many of them said something new.
    fn learn(frames: &[Frame]) -> (String, usize) {
        let mut info = StreamInfo::new();
        let news = frames.iter().filter(|frame| info.push(frame)).count();
        (info.to_string(), news)
    }

    #[test]
    fn legacy_avc_and_aac() {
        let start = video(&hex!(
            "17 00 000000 01640028FF E1 001E"
            "67640028ACD940780227E5C05A808080A0000003002000000781E30632C0 01 0006 68EBE3CB22C0"
        ));
        let frames = [
            start.clone(),
            audio(&hex!("AF 00 1190")),
            video(&hex!("17 01 000000 65")),
            audio(&hex!("AF 01 21")),
            start,
        ];
        let text = "H.264 High 1920x1080, AAC-LC 48 kHz stereo";
        assert_eq!(learn(&frames), (text.into(), 2));
        let mut info = StreamInfo::new();
        info.push(&frames[0]);
        let (_, video) = info.video().next().unwrap();
        assert_eq!(video.codec_string.as_deref(), Some("avc1.640028"));
        assert_eq!(video.level.unwrap().to_string(), "4.0");
    }

    /// The empty sequence start of FFmpeg does not undo what is known.
    #[test]
    fn av1_and_opus() {
        let start = video(&hex!("90 61763031 81010C00 0A0C0200000D2627FB3805F00080"));
        let frames = [
            video(&hex!("90 61763031")),
            audio(&hex!(
                "90 4F707573 4F70757348656164 01 02 3801 80BB0000 0000 00"
            )),
            start,
            video(&hex!("90 61763031")),
        ];
        let text = "AV1 Main 640x360, Opus 48 kHz stereo";
        assert_eq!(learn(&frames), (text.into(), 3));
    }

    /// Neither has all of it in a record.
    #[test]
    fn vp9_and_ac3() {
        let frames = [
            video(&hex!("90 76703039 01000000 00 15 82 02 02 02 0000")),
            audio(&hex!("90 61632D33")),
            video(&hex!("91 76703039 82 498342 0027F016760638241C")),
            audio(&hex!("91 61632D33 0B77FE95144043E106F4")),
            video(&hex!("A1 76703039 86004092F1")),
        ];
        let text = "VP9 Profile 0 640x360, AC-3 48 kHz stereo";
        assert_eq!(learn(&frames), (text.into(), 4));
    }

    #[test]
    fn tracks_have_numbers() {
        let frames = [
            audio(&hex!("AF 00 1210")),
            audio(&hex!("95 10 6D703461 01 000002 1190 02 000002 1188")),
        ];
        let text = "AAC-LC 44.1 kHz stereo, AAC-LC 48 kHz stereo (track 1), \
                    AAC-LC 48 kHz mono (track 2)";
        assert_eq!(learn(&frames), (text.into(), 2));
    }

    #[test]
    fn other_codecs() {
        for (frame, text) in [
            (video(&hex!("24 01")), "VP6"),
            (video(&hex!("91 7A7A7A7A 00")), "zzzz"),
            (audio(&hex!("2F FFFB9064")), "MP3 44.1 kHz stereo"),
            (audio(&hex!("B2 00")), "Speex 16 kHz mono"),
            (audio(&hex!("82 00")), "G.711 8 kHz mono"),
        ] {
            assert_eq!(learn(&[frame]), (text.into(), 1));
        }
    }
}
