//! Codec configuration records: what a sequence header holds.
//!
//! [`CodecConfig`] reads any of them; each codec's type has what a muxer needs and builds the record
//! from parameter sets or numbers. What a person wants to see is a
//! [`VideoInfo`](super::VideoInfo) or [`AudioInfo`](super::AudioInfo).
//!
//! Every reader takes arbitrary bytes: its work is bounded by their number.

mod aac;
mod av1;
mod avc;
mod bits;
mod flac;
mod frame_header;
mod hevc;
mod opus;
mod parameter_sets;
mod vp;
mod vvc;

use alloc::{string::String, vec::Vec};

pub use aac::AacConfig;
pub use av1::{Av1Config, Av1Sequence};
pub use avc::{AvcConfig, AvcSps};
pub use flac::FlacConfig;
pub use hevc::{HevcConfig, HevcSps};
pub use opus::OpusConfig;
pub use parameter_sets::ParameterSet;
pub use vp::{VpConfig, vp8_frame_size, vp9_frame_size};
pub use vvc::{VvcConfig, VvcProfile};

pub(super) use frame_header::{SoundHeader, ac3_header, mp3_header};

use super::enhanced::FourCc;

/// The configuration record of a codec that has one.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum CodecConfig {
    /// AVC (H.264).
    Avc(AvcConfig),
    /// HEVC (H.265).
    Hevc(HevcConfig),
    /// VVC (H.266).
    Vvc(VvcConfig),
    /// AV1.
    Av1(Av1Config),
    /// VP8.
    Vp8(VpConfig),
    /// VP9.
    Vp9(VpConfig),
    /// AAC.
    Aac(AacConfig),
    /// Opus.
    Opus(OpusConfig),
    /// FLAC.
    Flac(FlacConfig),
}

impl CodecConfig {
    /// Reads the body of a sequence start of `codec`.
    ///
    /// # Errors
    ///
    /// If the record is not understood (an empty one is [`ConfigError::Truncated`]), or the codec has
    /// none: AC-3, E-AC-3, MP3.
    pub fn decode(codec: FourCc, record: &[u8]) -> Result<Self, ConfigError> {
        Ok(match codec {
            FourCc::AVC => Self::Avc(AvcConfig::decode(record)?),
            FourCc::HEVC => Self::Hevc(HevcConfig::decode(record)?),
            FourCc::VVC => Self::Vvc(VvcConfig::decode(record)?),
            FourCc::AV1 => Self::Av1(Av1Config::decode(record)?),
            FourCc::VP8 => Self::Vp8(VpConfig::decode(record)?),
            FourCc::VP9 => Self::Vp9(VpConfig::decode(record)?),
            FourCc::AAC => Self::Aac(AacConfig::decode(record)?),
            FourCc::OPUS => Self::Opus(OpusConfig::decode(record)?),
            FourCc::FLAC => Self::Flac(FlacConfig::decode(record)?),
            codec => return Err(ConfigError::NoRecord { codec }),
        })
    }

    /// The record.
    pub fn encode(&self) -> Vec<u8> {
        match self {
            Self::Avc(config) => config.encode(),
            Self::Hevc(config) => config.encode(),
            Self::Vvc(config) => config.encode(),
            Self::Av1(config) => config.encode(),
            Self::Vp8(config) | Self::Vp9(config) => config.encode(),
            Self::Aac(config) => config.encode(),
            Self::Opus(config) => config.encode(),
            Self::Flac(config) => config.encode(),
        }
    }

    /// The codec.
    pub const fn codec(&self) -> FourCc {
        match self {
            Self::Avc(_) => FourCc::AVC,
            Self::Hevc(_) => FourCc::HEVC,
            Self::Vvc(_) => FourCc::VVC,
            Self::Av1(_) => FourCc::AV1,
            Self::Vp8(_) => FourCc::VP8,
            Self::Vp9(_) => FourCc::VP9,
            Self::Aac(_) => FourCc::AAC,
            Self::Opus(_) => FourCc::OPUS,
            Self::Flac(_) => FourCc::FLAC,
        }
    }

    /// The codec as browsers and HLS playlists name it, such as `avc1.64001f` or `mp4a.40.2`.
    /// [RFC 6381]
    pub fn codec_string(&self) -> String {
        match self {
            Self::Avc(config) => config.codec_string(),
            Self::Hevc(config) => config.codec_string(),
            Self::Vvc(config) => config.codec_string(),
            Self::Av1(config) => config.codec_string(),
            Self::Vp8(config) => config.codec_string("vp08"),
            Self::Vp9(config) => config.codec_string("vp09"),
            Self::Aac(config) => config.codec_string(),
            Self::Opus(_) => "opus".into(),
            Self::Flac(_) => "flac".into(),
        }
    }

    /// The name of the profile, if it has one.
    pub fn profile_name(&self) -> Option<&'static str> {
        match self {
            Self::Avc(config) => config.profile_name(),
            Self::Hevc(config) => config.profile_name(),
            Self::Vvc(config) => config.profile_name(),
            Self::Av1(config) => config.profile_name(),
            Self::Vp8(config) | Self::Vp9(config) => config.profile_name(),
            Self::Aac(config) => config.profile_name(),
            Self::Opus(_) | Self::Flac(_) => None,
        }
    }
}

/// Why a configuration record is not understood or cannot be made.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ConfigError {
    /// The record ends too early, or is empty.
    #[error("configuration record ends too early")]
    Truncated,
    /// The record has another version.
    #[error("configuration record of version {version} is not supported")]
    Version {
        /// The version it states.
        version: u8,
    },
    /// A value is not one that the codec allows.
    #[error("configuration record holds a value that cannot be")]
    Invalid,
    /// A parameter set is empty, or too long for a record.
    #[error("parameter set of {length} bytes is not within 1 to 65535")]
    ParameterSetLength {
        /// Bytes of the NAL unit.
        length: usize,
    },
    /// The codec has no configuration record.
    #[error("no configuration record is defined for {codec}")]
    NoRecord {
        /// The codec.
        codec: FourCc,
    },
}

impl From<nom::Err<nom::error::Error<&[u8]>>> for ConfigError {
    /// The records have no choices: a reader fails where bytes are missing, or where a fixed value
    /// does not stand.
    fn from(error: nom::Err<nom::error::Error<&[u8]>>) -> Self {
        match error {
            nom::Err::Error(error) | nom::Err::Failure(error)
                if error.code == nom::error::ErrorKind::Tag && error.input.len() >= 8 =>
            {
                Self::Invalid
            }
            _ => Self::Truncated,
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// ERTMP-71.
    #[test]
    fn some_codecs_have_no_record() {
        for codec in [FourCc::AC3, FourCc::EAC3, FourCc::MP3] {
            assert_eq!(
                CodecConfig::decode(codec, &[]),
                Err(ConfigError::NoRecord { codec })
            );
        }
    }

    /// ERTMP-70, ERTMP-101: an empty body is no record.
    #[test]
    fn an_empty_body_is_no_record() {
        for codec in CODECS {
            assert_eq!(CodecConfig::decode(codec, &[]), Err(ConfigError::Truncated));
        }
    }

    const CODECS: [FourCc; 9] = [
        FourCc::AVC,
        FourCc::HEVC,
        FourCc::VVC,
        FourCc::AV1,
        FourCc::VP8,
        FourCc::VP9,
        FourCc::AAC,
        FourCc::OPUS,
        FourCc::FLAC,
    ];

    proptest! {
        #[test]
        fn any_record_is_read_or_refused(
            codec in proptest::sample::select(&CODECS[..]),
            record: Vec<u8>,
        ) {
            if let Ok(config) = CodecConfig::decode(codec, &record) {
                prop_assert_eq!(config.codec(), codec);
                prop_assert!(!config.codec_string().is_empty());
                let written = config.encode();
                prop_assert_eq!(CodecConfig::decode(codec, &written), Ok(config));
            }
        }
    }
}
