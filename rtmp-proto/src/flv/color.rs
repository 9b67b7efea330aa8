//! The metadata of a video track: colours and brightness of HDR.
//!
//! ```text
//! { AMF0 string: name | AMF0 value } ...        "colorInfo", { colorConfig, hdrCll, hdrMdcv }
//! ```
//!
//! [E-RTMP v2 "Metadata Frame"]

use alloc::vec::Vec;

use crate::{
    amf::{AmfError, Object, Text, Value, amf0},
    limits::AmfLimits,
};

/// The names and values of a video metadata message. Unknown ones are kept, as is the order.
///
/// [E-RTMP v2 "Metadata Frame"]
#[derive(Clone, Debug, Default, PartialEq)]
pub struct VideoMetadata {
    entries: Vec<(Text, Value)>,
}

impl VideoMetadata {
    /// Metadata that says which colours what follows has; `None` resets them to those of the codec.
    pub fn new(color_info: Option<&ColorInfo>) -> Self {
        let value = color_info.map_or(Value::Undefined, |info| info.to_object().into());
        Self::default().with(COLOR_INFO, value)
    }

    /// This with another name and value.
    #[must_use]
    pub fn with(mut self, name: impl Into<Text>, value: impl Into<Value>) -> Self {
        self.entries.push((name.into(), value.into()));
        self
    }

    /// Reads the body of a video metadata message, up to what does not come in pairs.
    ///
    /// # Errors
    ///
    /// The body is not a sequence of AMF0 values, or passes `limits`.
    pub fn decode(body: &[u8], limits: &AmfLimits) -> Result<Self, AmfError> {
        let mut values = amf0::decode(body, limits)?.into_iter();
        let mut entries = Vec::new();
        while let (Some(Value::String(name)), Some(value)) = (values.next(), values.next()) {
            entries.push((name, value));
        }
        Ok(Self { entries })
    }

    /// The body of a video metadata message.
    pub fn encode(&self) -> Vec<u8> {
        let mut out = Vec::new();
        for (name, value) in &self.entries {
            amf0::encode(&Value::from(name.as_str()), &mut out);
            amf0::encode(value, &mut out);
        }
        out
    }

    /// Names and values in order.
    pub fn entries(&self) -> &[(Text, Value)] {
        &self.entries
    }

    /// The colours of what follows: `Some(None)` if those before are void and the codec decides,
    /// which both an undefined value and an empty object say; `None` if this is not about colours.
    pub fn color_info(&self) -> Option<Option<ColorInfo>> {
        let mut from_last = self.entries.iter().rev();
        let (_, value) = from_last.find(|(name, _)| name == COLOR_INFO)?;
        let properties = value.as_object().filter(|object| !object.is_empty());
        Some(properties.map(ColorInfo::from_object))
    }
}

/// The colours and brightness of a video track. All of it may be absent.
///
/// [E-RTMP v2 "Metadata Frame"]
#[derive(Clone, Debug, Default, PartialEq)]
#[non_exhaustive]
pub struct ColorInfo {
    /// How samples stand for colours.
    pub color_config: ColorConfig,
    /// How bright the pictures become.
    pub hdr_cll: Option<ContentLight>,
    /// The display on which the work was made.
    pub hdr_mdcv: Option<MasteringDisplay>,
}

impl ColorInfo {
    /// Reads the properties; those of other types than expected are as if absent.
    pub fn from_object(object: &Object) -> Self {
        let part = |name| object.get(name).and_then(Value::as_object);
        Self {
            color_config: part(COLOR_CONFIG).map_or_else(Default::default, |part| ColorConfig {
                bit_depth: index(part, BIT_DEPTH),
                color_primaries: index(part, COLOR_PRIMARIES),
                transfer_characteristics: index(part, TRANSFER_CHARACTERISTICS),
                matrix_coefficients: index(part, MATRIX_COEFFICIENTS),
            }),
            hdr_cll: part(HDR_CLL).map(|part| ContentLight {
                max_fall: number(part, MAX_FALL),
                max_cll: number(part, MAX_CLL),
            }),
            hdr_mdcv: part(HDR_MDCV).map(|part| MasteringDisplay {
                red: point(part, RED),
                green: point(part, GREEN),
                blue: point(part, BLUE),
                white_point: point(part, WHITE_POINT),
                max_luminance: number(part, MAX_LUMINANCE),
                min_luminance: number(part, MIN_LUMINANCE),
            }),
        }
    }

    /// The properties that there are, in the order of the specification.
    pub fn to_object(&self) -> Object {
        let config = &self.color_config;
        let mut object = Object::new().with(
            COLOR_CONFIG,
            numbers([
                (BIT_DEPTH, config.bit_depth.map(f64::from)),
                (COLOR_PRIMARIES, config.color_primaries.map(f64::from)),
                (
                    TRANSFER_CHARACTERISTICS,
                    config.transfer_characteristics.map(f64::from),
                ),
                (
                    MATRIX_COEFFICIENTS,
                    config.matrix_coefficients.map(f64::from),
                ),
            ]),
        );
        if let Some(light) = &self.hdr_cll {
            let light = numbers([(MAX_FALL, light.max_fall), (MAX_CLL, light.max_cll)]);
            object.insert(HDR_CLL, light);
        }
        if let Some(display) = &self.hdr_mdcv {
            let points = [
                (RED, display.red),
                (GREEN, display.green),
                (BLUE, display.blue),
                (WHITE_POINT, display.white_point),
            ];
            let points = points.into_iter().flat_map(|((x, y), point)| {
                [(x, point.map(|(x, _)| x)), (y, point.map(|(_, y)| y))]
            });
            let luminance = [
                (MAX_LUMINANCE, display.max_luminance),
                (MIN_LUMINANCE, display.min_luminance),
            ];
            object.insert(HDR_MDCV, numbers(points.chain(luminance)));
        }
        object
    }
}

/// How samples stand for colours, by the numbers of [H.273 §8].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[expect(clippy::exhaustive_structs, reason = "the fields of the format")]
pub struct ColorConfig {
    /// Bits of a sample: 8, 10 or 12.
    pub bit_depth: Option<u8>,
    /// The colour primaries: 9 is BT.2020.
    pub color_primaries: Option<u8>,
    /// The transfer function: 16 is PQ, 18 is HLG.
    pub transfer_characteristics: Option<u8>,
    /// The matrix between colours and luma: 9 is BT.2020 with non-constant luminance.
    pub matrix_coefficients: Option<u8>,
}

/// How bright the pictures of the whole sequence become, in candela per square metre.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
#[expect(clippy::exhaustive_structs, reason = "the fields of the format")]
pub struct ContentLight {
    /// The average of the brightest frame, 0.0001 to 10 000.
    pub max_fall: Option<f64>,
    /// The brightest pixel, 0.0001 to 10 000.
    pub max_cll: Option<f64>,
}

/// The display on which the work was made. [SMPTE ST 2086]
///
/// Points are x and y of CIE 1931, in steps of 0.0001.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
#[expect(clippy::exhaustive_structs, reason = "the fields of the format")]
pub struct MasteringDisplay {
    /// The red primary.
    pub red: Option<(f64, f64)>,
    /// The green primary.
    pub green: Option<(f64, f64)>,
    /// The blue primary.
    pub blue: Option<(f64, f64)>,
    /// White.
    pub white_point: Option<(f64, f64)>,
    /// The brightest it shows, 5 to 10 000 candela per square metre.
    pub max_luminance: Option<f64>,
    /// The darkest, 0.0001 to 5 candela per square metre.
    pub min_luminance: Option<f64>,
}

fn number(object: &Object, name: &str) -> Option<f64> {
    object.get(name)?.as_number()
}

/// A whole number from 0 to 255.
fn index(object: &Object, name: &str) -> Option<u8> {
    let number = number(object, name)?;
    (0..=u8::MAX).find(|&index| f64::from(index) == number)
}

fn point(object: &Object, (x, y): (&str, &str)) -> Option<(f64, f64)> {
    Some((number(object, x)?, number(object, y)?))
}

fn numbers(entries: impl IntoIterator<Item = (&'static str, Option<f64>)>) -> Object {
    entries
        .into_iter()
        .filter_map(|(name, number)| Some((name, number?)))
        .fold(Object::new(), |object, (name, number)| {
            object.with(name, number)
        })
}

const COLOR_INFO: &str = "colorInfo";
const COLOR_CONFIG: &str = "colorConfig";
const BIT_DEPTH: &str = "bitDepth";
const COLOR_PRIMARIES: &str = "colorPrimaries";
const TRANSFER_CHARACTERISTICS: &str = "transferCharacteristics";
const MATRIX_COEFFICIENTS: &str = "matrixCoefficients";
const HDR_CLL: &str = "hdrCll";
const MAX_FALL: &str = "maxFall";
/// Capitals as in the specification.
const MAX_CLL: &str = "maxCLL";
const HDR_MDCV: &str = "hdrMdcv";
const RED: (&str, &str) = ("redX", "redY");
const GREEN: (&str, &str) = ("greenX", "greenY");
const BLUE: (&str, &str) = ("blueX", "blueY");
const WHITE_POINT: (&str, &str) = ("whitePointX", "whitePointY");
const MAX_LUMINANCE: &str = "maxLuminance";
const MIN_LUMINANCE: &str = "minLuminance";

#[cfg(test)]
mod tests {
    use hex_literal::hex;
    use proptest::prelude::*;

    use super::*;

    fn decode(body: &[u8]) -> VideoMetadata {
        VideoMetadata::decode(body, &AmfLimits::DATA).unwrap()
    }

    /// ERTMP-112: ffmpeg's, with an empty colorConfig.
    #[test]
    fn empty_color_config() {
        let metadata = decode(&hex!(
            "02 0009 636F6C6F72496E666F 03 000B 636F6C6F72436F6E666967 03 000009 000009"
        ));
        assert_eq!(metadata.color_info(), Some(Some(ColorInfo::default())));
        assert_eq!(metadata, VideoMetadata::new(Some(&ColorInfo::default())));
    }

    /// ERTMP-115, ERTMP-116: undefined and an empty object reset.
    #[test]
    fn reset() {
        let undefined = hex!("02 0009 636F6C6F72496E666F 06");
        assert_eq!(decode(&undefined).color_info(), Some(None));
        assert_eq!(VideoMetadata::new(None).encode(), undefined);
        let empty = hex!("02 0009 636F6C6F72496E666F 03 000009");
        assert_eq!(decode(&empty).color_info(), Some(None));
        assert_eq!(decode(&hex!("02 0001 78 06")).color_info(), None);
        assert_eq!(decode(&[]).color_info(), None);
    }

    /// ERTMP-120 to ERTMP-126: HDR10, by hand from v2 "Metadata Frame".
    #[test]
    fn hdr10() {
        let body = hex!(
            "02 0009 636F6C6F72496E666F 03"
            // colorConfig: 10 bits, BT.2020, PQ.
            "000B 636F6C6F72436F6E666967 03"
            "0008 6269744465707468 00 4024000000000000"
            "000E 636F6C6F725072696D6172696573 00 4022000000000000"
            "0017 7472616E736665724368617261637465726973746963 73 00 4030000000000000"
            "0012 6D6174726978436F656666696369656E7473 00 4022000000000000"
            "000009"
            // hdrCll: maxFall 400, maxCLL 1000.
            "0006 686472436C6C 03"
            "0007 6D617846616C6C 00 4079000000000000"
            "0006 6D6178434C4C 00 408F400000000000"
            "000009"
            "000009"
        );
        let metadata = decode(&body);
        let info = metadata.color_info().unwrap().unwrap();
        assert_eq!(
            info.color_config,
            ColorConfig {
                bit_depth: Some(10),
                color_primaries: Some(9),
                transfer_characteristics: Some(16),
                matrix_coefficients: Some(9),
            }
        );
        let light = ContentLight {
            max_fall: Some(400.0),
            max_cll: Some(1000.0),
        };
        assert_eq!((info.hdr_cll, info.hdr_mdcv), (Some(light), None));
        assert_eq!(VideoMetadata::new(Some(&info)).encode(), body);
    }

    #[test]
    fn unknown_names_are_kept() {
        let metadata = VideoMetadata::new(None).with("other", 1.0);
        assert_eq!(decode(&metadata.encode()), metadata);
        assert_eq!(metadata.entries().len(), 2);
    }

    #[test]
    fn impossible_numbers_are_absent() {
        let config = Object::new()
            .with("bitDepth", 8.5)
            .with("colorPrimaries", 256.0);
        let info = ColorInfo::from_object(&Object::new().with("colorConfig", config));
        assert_eq!(info, ColorInfo::default());
    }

    fn any_color_info() -> impl Strategy<Value = ColorInfo> {
        let luminance = || proptest::option::of(0.0..10_000.0);
        let point = || proptest::option::of((0.0..0.74, 0.0..0.84));
        let config = any::<[Option<u8>; 4]>();
        let light = proptest::option::of((luminance(), luminance()));
        let points = (point(), point(), point(), point());
        let display = proptest::option::of((points, luminance(), luminance()));
        (config, light, display).prop_map(|(config, light, display)| {
            let [
                bit_depth,
                color_primaries,
                transfer_characteristics,
                matrix_coefficients,
            ] = config;
            ColorInfo {
                color_config: ColorConfig {
                    bit_depth,
                    color_primaries,
                    transfer_characteristics,
                    matrix_coefficients,
                },
                hdr_cll: light.map(|(max_fall, max_cll)| ContentLight { max_fall, max_cll }),
                hdr_mdcv: display.map(
                    |((red, green, blue, white_point), max_luminance, min_luminance)| {
                        MasteringDisplay {
                            red,
                            green,
                            blue,
                            white_point,
                            max_luminance,
                            min_luminance,
                        }
                    },
                ),
            }
        })
    }

    proptest! {
        #[test]
        fn round_trip(info in any_color_info()) {
            let metadata = VideoMetadata::new(Some(&info));
            prop_assert_eq!(decode(&metadata.encode()).color_info(), Some(Some(info)));
        }

        #[test]
        fn any_body_is_read_or_refused(body: Vec<u8>) {
            if let Ok(metadata) = VideoMetadata::decode(&body, &AmfLimits::DATA) {
                let _ = metadata.color_info();
            }
        }
    }
}
