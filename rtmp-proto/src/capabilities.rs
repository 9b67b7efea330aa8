//! What each side of a connection says it can do beyond RTMP 1.0.
//!
//! ```text
//! fourCcList: ["av01", "Opus", ...] or ["*"]
//! videoFourCcInfoMap, audioFourCcInfoMap: { "*": 4, "vp09": 3, ... }
//! capsEx: flags
//! ```
//!
//! [E-RTMP v2 "Enhancing NetConnection connect Command"]

use alloc::{collections::BTreeMap, string::ToString, vec::Vec};
use core::fmt;

use crate::{
    amf::{Object, Value},
    flv::FourCc,
};

/// What one side of a connection says it can do: in the command object of `connect`, and in the
/// answer.
///
/// The default is to say nothing. What is not said is not known: OBS names no codecs and publishes
/// HEVC and AV1 all the same.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Capabilities {
    /// Video codecs, with what for; `None` if it was not said.
    pub video: Option<CodecSupport>,
    /// Audio codecs, with what for; `None` if it was not said.
    pub audio: Option<CodecSupport>,
    /// Codecs of both kinds in the list that is older than the two above, each with all flags since
    /// it does not say what for; `None` if there was none.
    pub listed: Option<CodecSupport>,
    /// Features other than codecs; empty if it was not said.
    pub caps_ex: CapsEx,
}

impl Capabilities {
    /// Of a server or recorder that passes on whatever comes: every codec, every feature.
    pub fn forwarding() -> Self {
        let any = CodecSupport::any(FourCcInfo::CAN_FORWARD);
        Self {
            video: Some(any.clone()),
            audio: Some(any),
            listed: Some(CodecSupport::any(FourCcInfo::ALL)),
            caps_ex: CapsEx::ALL,
        }
    }

    /// Of a player that decodes these codecs. Features are up to the application.
    pub fn decoding(
        video: impl IntoIterator<Item = FourCc>,
        audio: impl IntoIterator<Item = FourCc>,
    ) -> Self {
        let support = |codecs: &[FourCc], flags| {
            let codecs = codecs.iter();
            codecs.fold(CodecSupport::default(), |all, &codec| {
                all.with(codec, flags)
            })
        };
        let video: Vec<_> = video.into_iter().collect();
        let audio: Vec<_> = audio.into_iter().collect();
        Self {
            video: Some(support(&video, FourCcInfo::CAN_DECODE)),
            audio: Some(support(&audio, FourCcInfo::CAN_DECODE)),
            listed: Some(support(&[video, audio].concat(), FourCcInfo::ALL)),
            caps_ex: CapsEx::NONE,
        }
    }

    /// These with other features.
    #[must_use]
    pub fn with_caps_ex(self, caps_ex: CapsEx) -> Self {
        Self { caps_ex, ..self }
    }

    /// What is said of the video codec `codec`; `None` if nothing is said of codecs at all.
    pub fn video_codec(&self, codec: FourCc) -> Option<FourCcInfo> {
        said_of(codec, self.video.as_ref(), self.listed.as_ref())
    }

    /// What is said of the audio codec `codec`; `None` if nothing is said of codecs at all.
    pub fn audio_codec(&self, codec: FourCc) -> Option<FourCcInfo> {
        said_of(codec, self.audio.as_ref(), self.listed.as_ref())
    }

    /// What both sides can do: of what `peer` says, the codecs that this side says anything of, too,
    /// and the features that both have. What either side did not say is not known.
    #[must_use]
    pub fn shared_with(&self, peer: &Self) -> Self {
        let share = |ours: &Option<CodecSupport>, theirs: &Option<CodecSupport>| {
            Some(ours.as_ref()?.shared_with(theirs.as_ref()?))
        };
        Self {
            video: share(&self.video, &peer.video),
            audio: share(&self.audio, &peer.audio),
            listed: share(&self.listed, &peer.listed),
            caps_ex: self.caps_ex.intersection(peer.caps_ex),
        }
    }

    /// Reads them from the properties of a command object or of an answer. What is of another type
    /// than it should be was not said.
    pub fn from_properties(properties: &Object) -> Self {
        let map = |name| {
            properties
                .get(name)?
                .as_object()
                .map(CodecSupport::from_map)
        };
        Self {
            video: map(VIDEO_MAP),
            audio: map(AUDIO_MAP),
            listed: properties.get(LIST).and_then(CodecSupport::from_list),
            caps_ex: CapsEx(properties.get(CAPS_EX).map_or(0, flags)),
        }
    }

    /// The properties that say so, with names; what is not said has none.
    pub fn to_properties(&self) -> Object {
        let mut properties = Object::new();
        if let Some(listed) = &self.listed {
            properties.insert(LIST, listed.to_list());
        }
        if let Some(video) = &self.video {
            properties.insert(VIDEO_MAP, video.to_map());
        }
        if let Some(audio) = &self.audio {
            properties.insert(AUDIO_MAP, audio.to_map());
        }
        if self.caps_ex != CapsEx::NONE {
            properties.insert(CAPS_EX, f64::from(self.caps_ex.0));
        }
        properties
    }

    /// Whether anything was said.
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}

/// Codecs, with what for.
///
/// [E-RTMP v2 "Enhancing NetConnection connect Command"]
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CodecSupport {
    any: FourCcInfo,
    codecs: BTreeMap<FourCc, FourCcInfo>,
}

impl CodecSupport {
    /// Every codec, for `flags`.
    pub const fn any(flags: FourCcInfo) -> Self {
        Self {
            any: flags,
            codecs: BTreeMap::new(),
        }
    }

    /// These and `codec`, for `flags`.
    #[must_use]
    pub fn with(mut self, codec: FourCc, flags: FourCcInfo) -> Self {
        self.codecs.insert(codec, flags);
        self
    }

    /// What `codec` is supported for: its own flags and those of every codec.
    ///
    /// The specification says that those of every codec "override" the others, and gives examples in
    /// which they add to them.
    pub fn of(&self, codec: FourCc) -> FourCcInfo {
        let own = self.codecs.get(&codec).copied().unwrap_or_default();
        own.union(self.any)
    }

    /// What every codec is supported for.
    pub const fn of_any(&self) -> FourCcInfo {
        self.any
    }

    /// The codecs named, with their own flags, in order of their names.
    pub fn named(&self) -> impl Iterator<Item = (FourCc, FourCcInfo)> {
        self.codecs.iter().map(|(&codec, &flags)| (codec, flags))
    }

    fn shared_with(&self, peer: &Self) -> Self {
        let is_ours = |codec| self.of(codec) != FourCcInfo::NONE;
        let any = match self.any {
            FourCcInfo::NONE => FourCcInfo::NONE,
            _ => peer.any,
        };
        let named = peer.codecs.keys().chain(self.codecs.keys()).copied();
        let codecs = named
            .filter(|&codec| is_ours(codec) && peer.of(codec) != FourCcInfo::NONE)
            .map(|codec| (codec, peer.of(codec)));
        Self {
            any,
            codecs: codecs.collect(),
        }
    }

    /// Keys that are no FOURCC are left out.
    fn from_map(map: &Object) -> Self {
        let mut support = Self::default();
        for (name, value) in map {
            let info = FourCcInfo(flags(value));
            match four_cc(name) {
                _ if name == ANY => support.any = info,
                Some(codec) => {
                    support.codecs.insert(codec, info);
                }
                None => {}
            }
        }
        support
    }

    fn to_map(&self) -> Object {
        let mut map = Object::new();
        if self.any != FourCcInfo::NONE {
            map.insert(ANY, f64::from(self.any.0));
        }
        for (codec, flags) in &self.codecs {
            map.insert(codec.to_string(), f64::from(flags.0));
        }
        map
    }

    fn from_list(list: &Value) -> Option<Self> {
        let Value::StrictArray(list) = list else {
            return None;
        };
        let mut support = Self::default();
        for name in list.iter().filter_map(Value::as_str) {
            match four_cc(name) {
                _ if name == ANY => support.any = FourCcInfo::ALL,
                Some(codec) => {
                    support.codecs.insert(codec, FourCcInfo::ALL);
                }
                None => {}
            }
        }
        Some(support)
    }

    fn to_list(&self) -> Value {
        let any = (self.any != FourCcInfo::NONE).then(|| ANY.to_string());
        let named = self.codecs.keys().map(ToString::to_string);
        Value::StrictArray(any.into_iter().chain(named).map(Value::from).collect())
    }
}

/// Gives a set of flags its operations, and a `Debug` that names the known ones.
macro_rules! flags {
    ($type:ident { $($(#[$doc:meta])* $name:ident = $value:literal,)* }) => {
        impl $type {
            $($(#[$doc])* pub const $name: Self = Self($value);)*
            /// No flag.
            pub const NONE: Self = Self(0);
            /// Every flag that has a name.
            pub const ALL: Self = Self($($value)|*);

            /// Whether all of `other` are set.
            pub const fn contains(self, other: Self) -> bool {
                self.0 & other.0 == other.0
            }

            /// The flags of both together.
            #[must_use]
            pub const fn union(self, other: Self) -> Self {
                Self(self.0 | other.0)
            }

            /// The flags that both have.
            #[must_use]
            pub const fn intersection(self, other: Self) -> Self {
                Self(self.0 & other.0)
            }
        }

        impl fmt::Debug for $type {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                let known = [$((stringify!($name), Self::$name)),*];
                let set = known.iter().filter(|(_, flag)| self.contains(*flag));
                let rest = self.0 & !Self::ALL.0;
                f.debug_set()
                    .entries(set.map(|(name, _)| *name))
                    .entries((rest != 0).then_some(rest))
                    .finish()
            }
        }
    };
}

/// What a codec is supported for: flags, of which unknown ones are kept.
///
/// [E-RTMP v2 "Enhancing NetConnection connect Command"]
#[derive(Clone, Copy, Default, PartialEq, Eq, Hash)]
#[expect(clippy::exhaustive_structs, reason = "flags from an open registry")]
pub struct FourCcInfo(pub u32);

flags!(FourCcInfo {
    /// It can be decoded.
    CAN_DECODE = 0x01,
    /// It can be encoded.
    CAN_ENCODE = 0x02,
    /// It can be passed on.
    CAN_FORWARD = 0x04,
});

/// Features other than codecs: flags, of which unknown ones are kept.
///
/// [E-RTMP v2 "Enhancing NetConnection connect Command"]
#[derive(Clone, Copy, Default, PartialEq, Eq, Hash)]
#[expect(clippy::exhaustive_structs, reason = "flags from an open registry")]
pub struct CapsEx(pub u32);

flags!(CapsEx {
    /// Requests to reconnect.
    RECONNECT = 0x01,
    /// Messages for tracks other than the default one.
    MULTITRACK = 0x02,
    /// Messages with ModEx blocks.
    MOD_EX = 0x04,
    /// Offsets in nanoseconds.
    TIMESTAMP_NANO_OFFSET = 0x08,
});

fn said_of(
    codec: FourCc,
    map: Option<&CodecSupport>,
    list: Option<&CodecSupport>,
) -> Option<FourCcInfo> {
    let of = |support: &CodecSupport| support.of(codec);
    match (map.map(of), list.map(of)) {
        (Some(map), _) if map != FourCcInfo::NONE => Some(map),
        (map, list) => list.or(map),
    }
}

fn four_cc(name: &str) -> Option<FourCc> {
    name.as_bytes().try_into().ok().map(FourCc)
}

/// Flags in a number; what is not a whole number of 32 bits has none.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "checked against the range first"
)]
fn flags(value: &Value) -> u32 {
    match value.as_number() {
        Some(number) if (0.0..=f64::from(u32::MAX)).contains(&number) => number as u32,
        _ => 0,
    }
}

const LIST: &str = "fourCcList";
const VIDEO_MAP: &str = "videoFourCcInfoMap";
const AUDIO_MAP: &str = "audioFourCcInfoMap";
const CAPS_EX: &str = "capsEx";
const ANY: &str = "*";

#[cfg(test)]
mod tests {
    use alloc::{format, vec};

    use proptest::prelude::*;

    use super::*;

    const DECODE: FourCcInfo = FourCcInfo::CAN_DECODE;
    const FORWARD: FourCcInfo = FourCcInfo::CAN_FORWARD;

    /// ERTMP-139 to ERTMP-142: the examples of v2 "Enhancing NetConnection connect Command".
    #[test]
    fn maps_with_a_catch_all() {
        let vp9 = Object::new().with("*", 4.0).with("vp09", 3.0);
        let properties = Object::new()
            .with("videoFourCcInfoMap", vp9)
            .with("capsEx", 3.0);
        let capabilities = Capabilities::from_properties(&properties);
        assert_eq!(capabilities.video_codec(FourCc::VP9), Some(FourCcInfo::ALL));
        assert_eq!(capabilities.video_codec(FourCc::AV1), Some(FORWARD));
        assert_eq!(capabilities.audio_codec(FourCc::OPUS), None);
        assert!(capabilities.caps_ex.contains(CapsEx::MULTITRACK));
        assert!(!capabilities.caps_ex.contains(CapsEx::MOD_EX));
        assert_eq!(capabilities.to_properties(), properties);
    }

    /// ERTMP-136, ERTMP-138: the list of v1, for both kinds of codecs.
    #[test]
    fn lists() {
        let list = |names: &[&str]| {
            let names = names.iter().map(|&name| Value::from(name)).collect();
            let properties = Object::new().with("fourCcList", Value::StrictArray(names));
            Capabilities::from_properties(&properties)
        };
        let named = list(&["av01", "Opus", "too long"]);
        assert_eq!(named.video_codec(FourCc::AV1), Some(FourCcInfo::ALL));
        assert_eq!(named.audio_codec(FourCc::OPUS), Some(FourCcInfo::ALL));
        assert_eq!(named.video_codec(FourCc::HEVC), Some(FourCcInfo::NONE));
        let any = list(&["*"]);
        assert_eq!(any.video_codec(FourCc(*b"zzzz")), Some(FourCcInfo::ALL));
        assert_eq!(any.to_properties().len(), 1);
    }

    /// ERTMP-3, ERTMP-143: an ECMA array is read like an object, nonsense is as if absent.
    #[test]
    fn oddities() {
        let map = Object::new()
            .with("av01", 1.0)
            .with("hvc1", "x")
            .with("x", 1.0);
        let properties = Object::new()
            .with("videoFourCcInfoMap", Value::EcmaArray(map))
            .with("audioFourCcInfoMap", 7.0)
            .with("fourCcList", "av01")
            .with("capsEx", -1.0);
        let capabilities = Capabilities::from_properties(&properties);
        let video = CodecSupport::default()
            .with(FourCc::AV1, DECODE)
            .with(FourCc::HEVC, FourCcInfo::NONE);
        assert_eq!(capabilities.video, Some(video));
        assert_eq!((capabilities.audio, capabilities.listed), (None, None));
        assert_eq!(capabilities.caps_ex, CapsEx::NONE);
        let unknown = Object::new().with("capsEx", f64::from(0x1001));
        let unknown = Capabilities::from_properties(&unknown).caps_ex;
        assert!(unknown.contains(CapsEx::RECONNECT));
        assert_eq!(format!("{unknown:?}"), r#"{"RECONNECT", 4096}"#);
    }

    #[test]
    fn what_both_sides_can_do() {
        let server = Capabilities::forwarding();
        let player = Capabilities::decoding([FourCc::AV1], [FourCc::OPUS])
            .with_caps_ex(CapsEx(CapsEx::MOD_EX.0 | 0x1000));
        let shared = server.shared_with(&player);
        assert_eq!(shared.video_codec(FourCc::AV1), Some(DECODE));
        assert_eq!(shared.video_codec(FourCc::HEVC), Some(FourCcInfo::NONE));
        assert_eq!(shared.caps_ex, CapsEx::MOD_EX);
        // The other way round: what the player knows, the server forwards.
        let shared = player.shared_with(&server);
        assert_eq!(shared.video_codec(FourCc::AV1), Some(FORWARD));
        assert_eq!(shared.video_codec(FourCc::HEVC), Some(FourCcInfo::NONE));
        // Who says nothing may be able to do anything.
        let silent = Capabilities::default();
        assert_eq!(server.shared_with(&silent).video_codec(FourCc::AV1), None);
        assert!(silent.is_empty() && silent.to_properties().is_empty());
    }

    fn any_support() -> impl Strategy<Value = Option<CodecSupport>> {
        let codec = proptest::sample::select(vec![FourCc::AV1, FourCc::HEVC, FourCc::OPUS]);
        let flags = (0..8_u32).prop_map(FourCcInfo);
        let codecs = proptest::collection::btree_map(codec, flags.clone(), 0..3);
        let support = (flags, codecs).prop_map(|(any, codecs)| CodecSupport { any, codecs });
        proptest::option::of(support)
    }

    proptest! {
        #[test]
        fn round_trip(video in any_support(), audio in any_support(), caps_ex: u32) {
            let caps_ex = CapsEx(caps_ex);
            let capabilities = Capabilities { video, audio, listed: None, caps_ex };
            let properties = capabilities.to_properties();
            prop_assert_eq!(Capabilities::from_properties(&properties), capabilities);
        }

        #[test]
        fn shared_codecs_are_those_of_both(ours in any_support(), theirs in any_support()) {
            let side = |video| Capabilities { video, ..Capabilities::default() };
            let (ours, theirs) = (side(ours), side(theirs));
            let shared = ours.shared_with(&theirs);
            for codec in [FourCc::AV1, FourCc::HEVC, FourCc::VP9] {
                let is_ours = ours.video_codec(codec).map(|flags| flags != FourCcInfo::NONE);
                let expected = match (is_ours, theirs.video_codec(codec)) {
                    (Some(true), theirs) => theirs,
                    (Some(false), Some(_)) => Some(FourCcInfo::NONE),
                    _ => None,
                };
                prop_assert_eq!(shared.video_codec(codec), expected);
            }
        }
    }
}
