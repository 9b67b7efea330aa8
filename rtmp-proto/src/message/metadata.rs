//! Metadata: what `onMetaData` says of a stream.
//!
//! ```text
//! "onMetaData" ECMA array of
//!     width, height, videodatarate…             of the stream, and of track 0 of each medium
//!     videoTrackIdInfoMap { "1": { width… } }   of the other tracks, complete or only what differs
//!     audioTrackIdInfoMap { "1": { channels… } }
//! ```
//!
//! [FLV §E.5], [E-RTMP v2 "Enhancing onMetaData"]

use alloc::{collections::BTreeSet, string::ToString, vec::Vec};
use core::num::NonZero;

use super::data::{ON_META_DATA, decode_data};
use crate::{
    amf::{Object, Text, Value, amf0},
    flv::{Codec, CodecId, FourCc, Frame, SoundFormat},
    limits::AmfLimits,
    timestamp::Timestamp,
};

/// What a stream says of itself: properties in the order sent, and what is known of their meaning.
///
/// Whatever is not understood is kept, and written again where it was. A property of an unexpected
/// type counts as absent.
///
/// ```
/// use rtmp_proto::{AmfLimits, Timestamp, flv::{Codec, CodecId}, message::Metadata};
///
/// let metadata = Metadata::new()
///     .with_width(1920)
///     .with_height(1080)
///     .with_video_codec(Codec::CodecId(CodecId::AVC))
///     .with("rotation", 90);
/// let frame = metadata.to_frame(Timestamp::ZERO);
/// assert_eq!(Metadata::from_frame(&frame, &AmfLimits::DATA), Some(metadata));
/// ```
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Metadata {
    properties: Object,
}

impl Metadata {
    /// Metadata that says nothing.
    pub const fn new() -> Self {
        Self {
            properties: Object::new(),
        }
    }

    /// Reads the metadata in `frame`, `None` if it is none or does not decode.
    pub fn from_frame(frame: &Frame, limits: &AmfLimits) -> Option<Self> {
        if !frame.is_metadata() {
            return None;
        }
        let mut values = decode_data(&frame.payload, limits).ok()?.into_iter();
        match values.nth(1)? {
            Value::Object(properties) | Value::EcmaArray(properties) => Some(properties.into()),
            _ => None,
        }
    }

    /// The data message, in the form players read.
    pub fn to_frame(&self, timestamp: Timestamp) -> Frame {
        let mut payload = Vec::with_capacity(512);
        amf0::encode(&ON_META_DATA.into(), &mut payload);
        let properties = Value::EcmaArray(self.properties.clone());
        amf0::encode(&properties.into_amf0(), &mut payload);
        Frame::data(timestamp, payload.into())
    }

    /// All properties.
    pub const fn properties(&self) -> &Object {
        &self.properties
    }

    /// All properties, to change them.
    pub const fn properties_mut(&mut self) -> &mut Object {
        &mut self.properties
    }

    /// This metadata with one more property, or another value of one.
    ///
    /// # Panics
    ///
    /// If `name` takes more than 65 535 bytes.
    #[must_use]
    pub fn with(mut self, name: &str, value: impl Into<Value>) -> Self {
        self.properties.insert(name, value);
        self
    }

    /// The video codec. Strings of four letters, as FMLE writes them, are read too.
    pub fn video_codec(&self) -> Option<Codec> {
        self.codec(VIDEO_CODEC, |id| Codec::CodecId(CodecId(id)))
    }

    /// The audio codec. Strings of four letters, as FMLE writes them, are read too.
    pub fn audio_codec(&self) -> Option<Codec> {
        self.codec(AUDIO_CODEC, |id| Codec::SoundFormat(SoundFormat(id)))
    }

    /// This metadata with `videocodecid`.
    #[must_use]
    pub fn with_video_codec(self, codec: Codec) -> Self {
        self.with(VIDEO_CODEC, codec_number(codec))
    }

    /// This metadata with `audiocodecid`.
    #[must_use]
    pub fn with_audio_codec(self, codec: Codec) -> Self {
        self.with(AUDIO_CODEC, codec_number(codec))
    }

    /// What is said of a video track: the properties of the stream, and behind them its own, which
    /// count where they have the same names. `None` if the track is not mentioned; track 0 always is.
    pub fn video_track(&self, track: u8) -> Option<Self> {
        self.track(VIDEO_TRACKS, track)
    }

    /// What is said of an audio track, as [`video_track`](Self::video_track).
    pub fn audio_track(&self, track: u8) -> Option<Self> {
        self.track(AUDIO_TRACKS, track)
    }

    /// The video tracks that are mentioned besides track 0.
    pub fn video_tracks(&self) -> BTreeSet<u8> {
        self.tracks(VIDEO_TRACKS).map(|(track, _)| track).collect()
    }

    /// The audio tracks that are mentioned besides track 0.
    pub fn audio_tracks(&self) -> BTreeSet<u8> {
        self.tracks(AUDIO_TRACKS).map(|(track, _)| track).collect()
    }

    /// This metadata with what `properties` say of a video track. Readers expect them to be complete.
    #[must_use]
    pub fn with_video_track(self, track: NonZero<u8>, properties: Self) -> Self {
        self.with_track(VIDEO_TRACKS, track, properties)
    }

    /// This metadata with what `properties` say of an audio track. Readers expect them to be
    /// complete.
    #[must_use]
    pub fn with_audio_track(self, track: NonZero<u8>, properties: Self) -> Self {
        let own = properties.properties.into_iter();
        let own =
            own.map(
                |(name, value)| match IN_AUDIO_TRACKS.iter().find(|(_, of)| name == *of) {
                    Some((in_track, _)) => ((*in_track).into(), value),
                    None => (name, value),
                },
            );
        let properties = own.collect::<Object>().into();
        self.with_track(AUDIO_TRACKS, track, properties)
    }

    fn codec(&self, name: &str, legacy: impl Fn(u8) -> Codec) -> Option<Codec> {
        match self.properties.get(name)? {
            Value::String(name) => Some(Codec::FourCc(FourCc(name.as_bytes().try_into().ok()?))),
            Value::Number(number) => {
                let number = exact_u32(*number)?;
                Some(match u8::try_from(number) {
                    Ok(id) => legacy(id),
                    Err(_) => Codec::FourCc(FourCc::from_u32(number)),
                })
            }
            _ => None,
        }
    }

    /// The tracks in the map `name`: properties named by the track's number, or elements of an
    /// array, of which the index is that number (CHECKLIST A-62).
    fn tracks(&self, name: &str) -> impl Iterator<Item = (u8, &Object)> {
        let map = self.properties.get(name);
        let named = map.and_then(Value::as_object).into_iter().flatten();
        let named = named.filter_map(|(name, track)| Some((name.parse().ok()?, track)));
        let counted = map.and_then(Value::as_array).into_iter().flatten();
        let counted = (0..=u8::MAX).zip(counted);
        let tracks = named.chain(counted).filter(|(number, _)| *number > 0);
        tracks.filter_map(|(number, track)| Some((number, track.as_object()?)))
    }

    fn track(&self, map: &str, track: u8) -> Option<Self> {
        let mut merged = self.properties.clone();
        merged.remove(VIDEO_TRACKS);
        merged.remove(AUDIO_TRACKS);
        if track > 0 {
            let of_track = self.tracks(map).filter(|(number, _)| *number == track);
            let (_, own) = of_track.last()?;
            let own = own.iter().map(|(name, value)| {
                let renamed = IN_AUDIO_TRACKS
                    .iter()
                    .find(|(in_track, _)| *in_track == name);
                let name = renamed.map_or(name, |(_, name)| name);
                (name.into(), value.clone())
            });
            // Of properties with one name the last counts.
            merged = merged.into_iter().chain(own).collect();
        }
        Some(merged.into())
    }

    fn with_track(mut self, map: &str, track: NonZero<u8>, properties: Self) -> Self {
        let tracks = self
            .tracks(map)
            .filter(|(number, _)| *number != track.get());
        let mut tracks: Object = tracks
            .map(|(number, properties)| (number.to_string().into(), properties.clone().into()))
            .collect();
        tracks.insert(track.to_string(), properties.properties);
        self.properties.insert(map, tracks);
        self
    }
}

impl From<Object> for Metadata {
    fn from(properties: Object) -> Self {
        Self { properties }
    }
}

impl From<Metadata> for Object {
    fn from(metadata: Metadata) -> Self {
        metadata.properties
    }
}

macro_rules! properties {
    ($($(#[$doc:meta])* $get:ident $with:ident $name:literal: $read:ident $type:ty, $input:ty;)*) => {
        impl Metadata {
            $(
                $(#[$doc])*
                pub fn $get(&self) -> Option<$type> {
                    self.properties.get($name)?.$read()
                }

                #[doc = concat!("This metadata with `", $name, "`.")]
                #[must_use]
                pub fn $with(self, value: impl Into<$input>) -> Self {
                    let value: $input = value.into();
                    self.with($name, value)
                }
            )*
        }
    };
}

properties! {
    /// Seconds of the whole; 0 or absent for live streams.
    duration with_duration "duration": as_number f64, f64;
    /// Bytes of the file.
    file_size with_file_size "filesize": as_number f64, f64;
    /// Pixels.
    width with_width "width": as_number f64, f64;
    /// Pixels.
    height with_height "height": as_number f64, f64;
    /// Frames a second.
    frame_rate with_frame_rate "framerate": as_number f64, f64;
    /// Kilobits a second.
    video_data_rate with_video_data_rate "videodatarate": as_number f64, f64;
    /// Kilobits a second.
    audio_data_rate with_audio_data_rate "audiodatarate": as_number f64, f64;
    /// Samples a second.
    audio_sample_rate with_audio_sample_rate "audiosamplerate": as_number f64, f64;
    /// Bits a sample.
    audio_sample_size with_audio_sample_size "audiosamplesize": as_number f64, f64;
    /// The number of channels, as OBS and others tell it.
    audio_channels with_audio_channels "audiochannels": as_number f64, f64;
    /// Seconds that the audio codec delays.
    audio_delay with_audio_delay "audiodelay": as_number f64, f64;
    /// Whether there are two channels.
    is_stereo with_stereo "stereo": as_bool bool, bool;
    /// Whether the last video frame is a key frame.
    can_seek_to_end with_can_seek_to_end "canSeekToEnd": as_bool bool, bool;
    /// When it was made, in no particular format.
    creation_date with_creation_date "creationdate": as_str &str, Text;
    /// What made it.
    encoder with_encoder "encoder": as_str &str, Text;
}

fn codec_number(codec: Codec) -> u32 {
    match codec {
        Codec::SoundFormat(SoundFormat(id)) | Codec::CodecId(CodecId(id)) => id.into(),
        Codec::FourCc(four_cc) => four_cc.as_u32(),
    }
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "compared afterwards"
)]
fn exact_u32(number: f64) -> Option<u32> {
    let integer = number as u32;
    (f64::from(integer) == number).then_some(integer)
}

const VIDEO_CODEC: &str = "videocodecid";
const AUDIO_CODEC: &str = "audiocodecid";
const VIDEO_TRACKS: &str = "videoTrackIdInfoMap";
const AUDIO_TRACKS: &str = "audioTrackIdInfoMap";

/// What the properties of an audio track are called that have other names at the top.
const IN_AUDIO_TRACKS: [(&str, &str); 2] = [
    ("channels", "audiochannels"),
    ("samplerate", "audiosamplerate"),
];

#[cfg(test)]
mod tests {
    use alloc::vec;

    use bytes::Bytes;
    use hex_literal::hex;

    use super::*;

    fn read(metadata: &Metadata) -> Metadata {
        let frame = metadata.to_frame(Timestamp::ZERO);
        Metadata::from_frame(&frame, &AmfLimits::DATA).unwrap()
    }

    const TRACK_1: NonZero<u8> = NonZero::new(1).unwrap();
    const TRACK_2: NonZero<u8> = NonZero::new(2).unwrap();

    /// FLV-55 to FLV-68, ERTMP-13
    #[test]
    fn every_property_is_read_as_written() {
        let metadata = Metadata::new()
            .with_duration(12.5)
            .with_file_size(1 << 20)
            .with_width(1920)
            .with_height(1080)
            .with_frame_rate(29.97)
            .with_video_data_rate(6000)
            .with_audio_data_rate(160)
            .with_audio_sample_rate(48_000)
            .with_audio_sample_size(16)
            .with_audio_channels(2)
            .with_audio_delay(0.02)
            .with_stereo(true)
            .with_can_seek_to_end(false)
            .with_creation_date("today")
            .with_encoder("test")
            .with_video_codec(Codec::CodecId(CodecId::AVC))
            .with_audio_codec(Codec::SoundFormat(SoundFormat::AAC));
        let read = read(&metadata);
        assert_eq!(read, metadata);
        assert_eq!(read.duration(), Some(12.5));
        assert_eq!(read.file_size(), Some(1_048_576.0));
        assert_eq!((read.width(), read.height()), (Some(1920.0), Some(1080.0)));
        assert_eq!(read.frame_rate(), Some(29.97));
        assert_eq!(read.video_data_rate(), Some(6000.0));
        assert_eq!(read.audio_data_rate(), Some(160.0));
        assert_eq!(read.audio_sample_rate(), Some(48_000.0));
        assert_eq!(read.audio_sample_size(), Some(16.0));
        assert_eq!(read.audio_channels(), Some(2.0));
        assert_eq!(read.audio_delay(), Some(0.02));
        assert_eq!(read.is_stereo(), Some(true));
        assert_eq!(read.can_seek_to_end(), Some(false));
        assert_eq!(read.creation_date(), Some("today"));
        assert_eq!(read.encoder(), Some("test"));
        assert_eq!(read.video_codec(), Some(Codec::CodecId(CodecId::AVC)));
        let aac = Codec::SoundFormat(SoundFormat::AAC);
        assert_eq!(read.audio_codec(), Some(aac));
    }

    /// The form of [E-RTMP v2 "Enhancing onMetaData"]: a name and an ECMA array.
    #[test]
    fn wire_form() {
        let frame = Metadata::new()
            .with_width(1)
            .to_frame(Timestamp::from_millis(7));
        assert_eq!(frame.timestamp, Timestamp::from_millis(7));
        assert!(frame.is_metadata());
        assert_eq!(
            frame.payload,
            hex!(
                "02 000A 6F6E4D65746144617461"
                "08 00000001 0005 7769647468 00 3FF0000000000000 0000 09"
            )[..]
        );
    }

    /// ERTMP-14, ERTMP-15: the numbers of the specification's examples.
    #[test]
    fn codecs() {
        let four_cc = Codec::FourCc;
        let metadata = Metadata::new()
            .with_video_codec(four_cc(FourCc::AV1))
            .with_audio_codec(four_cc(FourCc::OPUS));
        let properties = metadata.properties();
        assert_eq!(properties.get("videocodecid"), Some(&1_635_135_537.into()));
        assert_eq!(properties.get("audiocodecid"), Some(&1_332_770_163.into()));
        assert_eq!(metadata.video_codec(), Some(four_cc(FourCc::AV1)));
        assert_eq!(metadata.audio_codec(), Some(four_cc(FourCc::OPUS)));

        let codec = |value: Value| Metadata::new().with("videocodecid", value).video_codec();
        assert_eq!(codec("avc1".into()), Some(four_cc(FourCc::AVC)));
        for unknown in [
            "".into(),
            "h264!".into(),
            7.5.into(),
            (-1).into(),
            Value::Null,
        ] {
            assert_eq!(codec(unknown), None);
        }
        assert_eq!(codec(f64::NAN.into()), None);
    }

    #[test]
    fn what_is_unknown_keeps_its_place() {
        let properties = Object::new()
            .with("2.1", false)
            .with("width", "wide")
            .with("nested", Object::new().with("a", Value::Undefined))
            .with("height", 2);
        let mut metadata = Metadata::from(properties.clone());
        assert_eq!(Object::from(read(&metadata)), properties);
        assert_eq!(metadata.width(), None, "no number");
        metadata = metadata.with_width(4).with_height(5);
        metadata.properties_mut().remove("nested");
        let names = metadata.properties().iter().map(|(name, _)| name);
        assert_eq!(names.collect::<Vec<_>>(), ["2.1", "width", "height"]);
    }

    /// ERTMP-16 to ERTMP-18, ERTMP-20
    #[test]
    fn tracks() {
        let metadata = Metadata::new()
            .with_width(1280)
            .with_height(720)
            .with_audio_sample_rate(44_100)
            .with_audio_channels(2)
            .with_video_track(TRACK_1, Metadata::new().with_width(1024))
            .with_video_track(TRACK_2, Metadata::new().with_width(3840).with_height(2160))
            .with_video_track(TRACK_1, Metadata::new().with_width(640))
            .with_audio_track(TRACK_1, Metadata::new().with_audio_sample_rate(48_000));
        let metadata = read(&metadata);
        assert_eq!(metadata.video_tracks(), [1, 2].into());
        assert_eq!(metadata.audio_tracks(), [1].into());

        let size = |track| {
            let track = metadata.video_track(track)?;
            Some((track.width()?, track.height()?))
        };
        assert_eq!(size(0), Some((1280.0, 720.0)));
        assert_eq!(size(1), Some((640.0, 720.0)), "the height of the stream");
        assert_eq!(size(2), Some((3840.0, 2160.0)));
        assert_eq!(size(3), None);
        let first = metadata.video_track(1).unwrap();
        assert_eq!(first.video_tracks(), [].into());

        let audio = metadata.audio_track(1).unwrap();
        assert_eq!(audio.audio_sample_rate(), Some(48_000.0));
        assert_eq!(audio.audio_channels(), Some(2.0));
        let own = metadata.properties().get("audioTrackIdInfoMap").unwrap();
        let own = own.as_object().unwrap().get("1").unwrap().as_object();
        assert_eq!(own, Some(&Object::new().with("samplerate", 48_000)));
    }

    /// ERTMP-16: other forms of the map.
    #[test]
    fn tracks_in_an_array_and_strange_names() {
        let track = |width: i32| Value::from(Object::new().with("width", width));
        let metadata = |map: Value| Metadata::new().with("videoTrackIdInfoMap", map);
        let array = metadata(vec![Value::Null, track(1), Value::Undefined, track(3)].into());
        assert_eq!(array.video_tracks(), [1, 3].into());
        assert_eq!(array.video_track(3).unwrap().width(), Some(3.0));
        let named = Object::new()
            .with("0", track(0))
            .with("256", track(256))
            .with("x", track(1))
            .with("7", track(7))
            .with("8", 8);
        let named = metadata(Value::EcmaArray(named));
        assert_eq!(named.video_tracks(), [7].into());
        assert_eq!(metadata(1.into()).video_tracks(), [].into());
    }

    #[test]
    fn other_messages_are_no_metadata() {
        for payload in [
            &hex!("02 000A 6F6E4D65746144617461")[..],
            &hex!("02 000A 6F6E4D65746144617461 05"),
            &hex!("02 000A 6F6E4D65746144617461 FF"),
            &hex!("02 0001 61 03 0000 09"),
        ] {
            let frame = Frame::data(Timestamp::ZERO, Bytes::copy_from_slice(payload));
            assert_eq!(Metadata::from_frame(&frame, &AmfLimits::DATA), None);
        }
    }
}
