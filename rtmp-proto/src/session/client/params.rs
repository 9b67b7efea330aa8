//! What a client says of itself and asks for.

use alloc::vec::Vec;
use core::fmt;

use crate::{
    amf::{Object, Value},
    capabilities::{Capabilities, CapsEx},
    flv::FourCc,
    url::RtmpUrl,
};

/// The command object of `connect`, and the arguments after it.
///
/// [RTMP 1.0 §7.2.1.1]
#[derive(Clone, PartialEq)]
pub struct ConnectParams {
    pub(super) properties: Object,
    pub(super) arguments: Vec<Value>,
    /// `flashVer` is filled in from the configuration.
    pub(super) is_player: bool,
}

impl ConnectParams {
    /// What an encoder sends: as OBS and FMLE do.
    pub fn publisher(url: &RtmpUrl) -> Self {
        let tc_url = url.tc_url();
        Self {
            properties: Object::new()
                .with("app", url.app())
                .with("type", "nonprivate")
                .with("flashVer", "")
                .with("swfUrl", tc_url.as_str())
                .with("tcUrl", tc_url.as_str()),
            arguments: Vec::new(),
            is_player: false,
        }
    }

    /// What a player sends: as ffmpeg does, with the enhanced codecs besides (mediamtx sends HEVC,
    /// AV1 or VP9 only to players that name them).
    pub fn player(url: &RtmpUrl) -> Self {
        let player = Self {
            properties: Object::new()
                .with("app", url.app())
                .with("flashVer", "")
                .with("tcUrl", url.tc_url().as_str())
                .with("fpad", false)
                .with("capabilities", 15.0)
                .with("audioCodecs", AUDIO_CODECS)
                .with("videoCodecs", VIDEO_CODECS)
                .with("videoFunction", 1.0),
            arguments: Vec::new(),
            is_player: true,
        };
        player.with_capabilities(&Capabilities::decoding(ENHANCED_VIDEO, ENHANCED_AUDIO))
    }

    /// These parameters of a client that can do `capabilities` instead of what they said before.
    ///
    /// [E-RTMP v2 "Enhancing NetConnection connect Command"]
    #[must_use]
    pub fn with_capabilities(mut self, capabilities: &Capabilities) -> Self {
        for (name, _) in &self.capabilities().to_properties() {
            self.properties.remove(name);
        }
        for (name, value) in capabilities.to_properties() {
            self.properties.insert(name, value);
        }
        self
    }

    /// What these parameters say that the client can do.
    pub fn capabilities(&self) -> Capabilities {
        Capabilities::from_properties(&self.properties)
    }

    /// These parameters of a client that connects elsewhere when it is asked to, as a
    /// [`Reconnect`](crate::Reconnect) decides.
    ///
    /// [E-RTMP v2 "Enhancing NetConnection connect Command"]
    #[must_use]
    pub fn reconnecting(self) -> Self {
        let capabilities = self.capabilities();
        let caps_ex = capabilities.caps_ex.union(CapsEx::RECONNECT);
        self.with_capabilities(&capabilities.with_caps_ex(caps_ex))
    }

    /// The text of the property `name`.
    pub(crate) fn property(&self, name: &str) -> Option<&str> {
        self.properties.get(name)?.as_str()
    }

    /// These parameters with one more property, or another value of one.
    #[must_use]
    pub fn with_property(mut self, name: &str, value: impl Into<Value>) -> Self {
        self.properties.insert(name, value);
        self
    }

    /// These parameters with one more argument after the command object.
    #[must_use]
    pub fn with_argument(mut self, value: impl Into<Value>) -> Self {
        self.arguments.push(value.into());
        self
    }
}

impl fmt::Debug for ConnectParams {
    /// Leaves out what may hold tokens.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ConnectParams").finish_non_exhaustive()
    }
}

/// What to play: the arguments of `play` after the name.
///
/// [RTMP 1.0 §7.2.2.1]
#[derive(Clone, Copy, Debug, PartialEq)]
#[non_exhaustive]
pub struct PlayOptions {
    /// -2 the live stream, else the recorded one; -1 live only; from 0 on a position in a recording,
    /// in seconds. Default -2.
    pub start: f64,
    /// Seconds to play; negative for all. Not sent if negative. Default -1.
    pub duration: f64,
    /// Whether earlier entries of the playlist go. Not sent if true. Default true.
    pub reset: bool,
}

impl Default for PlayOptions {
    fn default() -> Self {
        Self {
            start: -2.0,
            duration: -1.0,
            reset: true,
        }
    }
}

/// ffmpeg's values: every audio codec but the reserved one, every video codec since Sorenson.
const AUDIO_CODECS: f64 = 4071.0;
const VIDEO_CODECS: f64 = 252.0;

/// [E-RTMP v2 "Enhancing NetConnection connect Command"]
const ENHANCED_VIDEO: [FourCc; 6] = [
    FourCc::AV1,
    FourCc::VP9,
    FourCc::VP8,
    FourCc::HEVC,
    FourCc::AVC,
    FourCc::VVC,
];
const ENHANCED_AUDIO: [FourCc; 6] = [
    FourCc::AC3,
    FourCc::EAC3,
    FourCc::OPUS,
    FourCc::MP3,
    FourCc::FLAC,
    FourCc::AAC,
];
