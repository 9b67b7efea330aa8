//! Data messages with a known meaning beside the metadata: text, cue points, access to samples.
//!
//! ```text
//! "onTextData"         object: text, language, trackid…
//! "onCuePoint"         object: name, time (s), type, parameters
//! "|RtmpSampleAccess"  audio(boolean) video(boolean)
//! ```
//!
//! They travel as data frames ([`Frame::data`](crate::flv::Frame::data)): `decode` reads the payload
//! of one and `encode` writes it. Properties that are not known are kept.
//!
//! Flash Media Server and encoders; no Adobe specification of RTMP or FLV lists them.

use alloc::vec::Vec;
use core::fmt;

use bytes::Bytes;

use super::decode_data;
use crate::{
    amf::{Object, Value, amf0},
    limits::AmfLimits,
};

/// `onTextData`: a subtitle or caption.
#[derive(Clone, PartialEq)]
pub struct TextData(Object);

impl TextData {
    /// The text `text`.
    pub fn new(text: &str) -> Self {
        Self(Object::new().with("text", text))
    }

    /// These properties, of which `text` is the one that must be there.
    pub const fn from_properties(properties: Object) -> Self {
        Self(properties)
    }

    /// This text in a language (ISO 639-2).
    #[must_use]
    pub fn with_language(self, language: &str) -> Self {
        Self(self.0.with("language", language))
    }

    /// This text on a track.
    #[must_use]
    pub fn with_track(self, track: u32) -> Self {
        Self(self.0.with("trackid", f64::from(track)))
    }

    /// The text, empty if it is missing.
    pub fn text(&self) -> &str {
        text(&self.0, "text").unwrap_or_default()
    }

    /// The language.
    pub fn language(&self) -> Option<&str> {
        text(&self.0, "language")
    }

    /// The track.
    pub fn track(&self) -> Option<f64> {
        self.0.get("trackid")?.as_number()
    }

    /// All properties.
    pub const fn properties(&self) -> &Object {
        &self.0
    }

    /// Reads the payload of a data message; `None` if it is not such a one.
    pub fn decode(payload: &[u8], limits: &AmfLimits) -> Option<Self> {
        handler_object(payload, ON_TEXT_DATA, limits).map(Self)
    }

    /// The payload of the data message.
    pub fn encode(&self) -> Bytes {
        encode(ON_TEXT_DATA, &[self.0.clone().into()])
    }
}

impl fmt::Debug for TextData {
    /// Leaves the text out: it is media.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TextData").finish_non_exhaustive()
    }
}

/// `onCuePoint`: a point in time that means something to the player's application.
#[derive(Clone, PartialEq)]
pub struct CuePoint(Object);

impl CuePoint {
    /// The cue point `name` of type `event`, at `seconds`.
    pub fn new(name: &str, seconds: f64) -> Self {
        Self(
            Object::new()
                .with("name", name)
                .with("time", seconds)
                .with("type", "event"),
        )
    }

    /// These properties.
    pub const fn from_properties(properties: Object) -> Self {
        Self(properties)
    }

    /// This cue point with another type: `event`, `navigation` or `actionscript`.
    #[must_use]
    pub fn with_type(self, kind: &str) -> Self {
        Self(self.0.with("type", kind))
    }

    /// This cue point with parameters.
    #[must_use]
    pub fn with_parameters(self, parameters: Object) -> Self {
        Self(self.0.with("parameters", parameters))
    }

    /// The name, empty if it is missing.
    pub fn name(&self) -> &str {
        text(&self.0, "name").unwrap_or_default()
    }

    /// When it is, in seconds.
    pub fn seconds(&self) -> Option<f64> {
        self.0.get("time")?.as_number()
    }

    /// Its type.
    pub fn cue_type(&self) -> Option<&str> {
        text(&self.0, "type")
    }

    /// Its parameters.
    pub fn parameters(&self) -> Option<&Object> {
        self.0.get("parameters")?.as_object()
    }

    /// All properties.
    pub const fn properties(&self) -> &Object {
        &self.0
    }

    /// Reads the payload of a data message; `None` if it is not such a one.
    pub fn decode(payload: &[u8], limits: &AmfLimits) -> Option<Self> {
        handler_object(payload, ON_CUE_POINT, limits).map(Self)
    }

    /// The payload of the data message.
    pub fn encode(&self) -> Bytes {
        encode(ON_CUE_POINT, &[self.0.clone().into()])
    }
}

impl fmt::Debug for CuePoint {
    /// Leaves the properties out, which are the application's.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CuePoint").finish_non_exhaustive()
    }
}

/// `|RtmpSampleAccess`: whether the player's application may look at decoded samples.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(clippy::exhaustive_structs, reason = "the two values of the message")]
pub struct SampleAccess {
    /// Audio.
    pub audio: bool,
    /// Video.
    pub video: bool,
}

impl SampleAccess {
    /// Reads the payload of a data message; `None` if it is not such a one. What is missing is
    /// denied.
    pub fn decode(payload: &[u8], limits: &AmfLimits) -> Option<Self> {
        let values = handler_values(payload, SAMPLE_ACCESS, limits)?;
        let allowed = |index: usize| values.get(index).and_then(Value::as_bool) == Some(true);
        Some(Self {
            audio: allowed(0),
            video: allowed(1),
        })
    }

    /// The payload of the data message.
    pub fn encode(self) -> Bytes {
        encode(SAMPLE_ACCESS, &[self.audio.into(), self.video.into()])
    }
}

/// The values behind the handler name, if that is `handler`.
fn handler_values(payload: &[u8], handler: &str, limits: &AmfLimits) -> Option<Vec<Value>> {
    // Most data messages are something else: they are not decoded.
    let name = payload.get(3..)?;
    if !name.starts_with(handler.as_bytes()) {
        return None;
    }
    let mut values = decode_data(payload, limits).ok()?.into_iter();
    let is_handler = values.next()?.as_str() == Some(handler);
    is_handler.then(|| values.collect())
}

fn handler_object(payload: &[u8], handler: &str, limits: &AmfLimits) -> Option<Object> {
    let mut values = handler_values(payload, handler, limits)?.into_iter();
    values.next()?.as_object().cloned()
}

fn text<'a>(properties: &'a Object, name: &str) -> Option<&'a str> {
    properties.get(name)?.as_str()
}

fn encode(handler: &str, values: &[Value]) -> Bytes {
    let mut out = Vec::with_capacity(64);
    amf0::encode(&Value::from(handler), &mut out);
    amf0::encode_all(values, &mut out);
    out.into()
}

const ON_TEXT_DATA: &str = "onTextData";
const ON_CUE_POINT: &str = "onCuePoint";
const SAMPLE_ACCESS: &str = "|RtmpSampleAccess";

#[cfg(test)]
mod tests {
    use alloc::format;

    use hex_literal::hex;
    use proptest::prelude::*;

    use super::*;

    const LIMITS: AmfLimits = AmfLimits::DATA;

    #[test]
    fn text_data_round_trip() {
        let data = TextData::new("hello").with_language("eng").with_track(2);
        let data = TextData(data.0.with("x", 1.0));
        let again = TextData::decode(&data.encode(), &LIMITS).unwrap();
        assert_eq!(again, data);
        assert_eq!((again.text(), again.language()), ("hello", Some("eng")));
        assert_eq!(again.track(), Some(2.0));
        assert_eq!(again.properties().get("x"), Some(&Value::Number(1.0)));
    }

    #[test]
    fn cue_point_round_trip() {
        let cue = CuePoint::new("ad", 1.5)
            .with_type("navigation")
            .with_parameters(Object::new().with("length", "30"));
        let again = CuePoint::decode(&cue.encode(), &LIMITS).unwrap();
        assert_eq!(again, cue);
        assert_eq!((again.name(), again.seconds()), ("ad", Some(1.5)));
        assert_eq!(again.cue_type(), Some("navigation"));
        assert_eq!(again.parameters().map(Object::len), Some(1));
    }

    /// NS-69
    #[test]
    fn sample_access_vector() {
        let payload = hex!("02 0011 7C52746D7053616D706C65416363657373 01 01 01 00");
        let access = SampleAccess {
            audio: true,
            video: false,
        };
        assert_eq!(SampleAccess::decode(&payload, &LIMITS), Some(access));
        assert_eq!(access.encode(), &payload[..]);
        let denied = SampleAccess {
            audio: false,
            video: false,
        };
        assert_eq!(SampleAccess::decode(&payload[..20], &LIMITS), Some(denied));
    }

    #[test]
    fn other_messages_are_none_of_them() {
        for payload in [
            encode("onMetaData", &[Object::new().into()]),
            encode("onTextData2", &[Object::new().into()]),
            encode(ON_TEXT_DATA, &[]),
            encode(ON_TEXT_DATA, &[Value::Null]),
            Bytes::new(),
        ] {
            assert_eq!(TextData::decode(&payload, &LIMITS), None);
            assert_eq!(CuePoint::decode(&payload, &LIMITS), None);
        }
    }

    #[test]
    fn debug_shows_no_text() {
        assert!(!format!("{:?}", TextData::new("SECRET")).contains("SECRET"));
        assert!(!format!("{:?}", CuePoint::new("SECRET", 0.0)).contains("SECRET"));
    }

    proptest! {
        #[test]
        fn any_values(handler in 0..3_usize, tail in prop::collection::vec(any::<u8>(), 0..30)) {
            let handlers = [ON_TEXT_DATA, ON_CUE_POINT, SAMPLE_ACCESS];
            let payload = [&encode(handlers[handler], &[]), &tail[..]].concat();
            if let Some(data) = TextData::decode(&payload, &LIMITS) {
                let again = TextData::decode(&data.encode(), &LIMITS);
                prop_assert_eq!(format!("{:?}", again.map(|t| t.0)), format!("{:?}", Some(data.0)));
            }
            let cue = CuePoint::decode(&payload, &LIMITS);
            prop_assert!(cue.is_none() || handler == 1);
            let access = SampleAccess::decode(&payload, &LIMITS);
            prop_assert!(access.is_none() || handler == 2);
        }
    }
}
