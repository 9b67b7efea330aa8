//! Types of one's own in the place of AMF values.

use std::{borrow::Cow, collections::BTreeMap, fmt};

use rtmp_proto::{
    AmfLimits,
    amf::{SerdeError, Value, amf0, amf3, from_value},
};
use serde::{
    Deserialize, Deserializer, Serialize, Serializer,
    de::{self, Visitor},
    ser::SerializeMap,
};

/// What is read from bytes at once is what is read by way of a value, and means the same once it was
/// written. The first byte is the version.
pub fn amf_typed(data: &[u8]) {
    let Some((&version, data)) = data.split_first() else {
        return;
    };
    let version = match version & 1 {
        0 => AMF0,
        _ => AMF3,
    };
    for limits in [
        AmfLimits::DATA,
        AmfLimits::COMMAND.with_depth(3).with_nodes(20),
    ] {
        let values = (version.decode)(data, &limits);
        let value = match values.as_deref() {
            Ok([value]) => Some(value),
            _ => None,
        };
        let any = (version.any)(data, &limits);
        let settings = (version.settings)(data, &limits);
        if let Some(value) = value {
            assert_same(&any, &from_value(value));
            assert_same(&settings, &from_value(value));
        }
        if let Ok(any) = any {
            // Keys that are numbers are names now, and there are none that are empty.
            // Not with keys that are no names, and integers that no double can hold.
            let Ok(once) = (version.to_vec_any)(&any) else {
                continue;
            };
            let once = (version.any)(&once, &UNLIMITED).expect("our own");
            let twice = (version.to_vec_any)(&once).expect("our own");
            let twice = (version.any)(&twice, &UNLIMITED).expect("our own");
            assert_same(&Ok(once), &Ok(twice));
        }
        if let Ok(settings) = settings {
            let Ok(once) = (version.to_vec_settings)(&settings) else {
                continue;
            };
            let again = (version.settings)(&once, &UNLIMITED);
            assert_same(&Ok(settings), &again);
        }
    }
}

/// As they are shown, since a NaN differs from itself; errors need not be the same.
fn assert_same<T: fmt::Debug>(left: &Result<T, SerdeError>, right: &Result<T, SerdeError>) {
    match (left, right) {
        (Ok(left), Ok(right)) => assert_eq!(format!("{left:?}"), format!("{right:?}")),
        (Err(_), Err(_)) => {}
        _ => panic!("{left:?} and {right:?}"),
    }
}

/// The functions of a version of AMF.
struct Version {
    decode: fn(&[u8], &AmfLimits) -> Result<Vec<Value>, rtmp_proto::amf::AmfError>,
    any: for<'a> fn(&'a [u8], &AmfLimits) -> Result<Any, SerdeError>,
    settings: for<'a> fn(&'a [u8], &AmfLimits) -> Result<Settings<'a>, SerdeError>,
    to_vec_any: fn(&Any) -> Result<Vec<u8>, SerdeError>,
    to_vec_settings: for<'a> fn(&Settings<'a>) -> Result<Vec<u8>, SerdeError>,
}

const AMF0: Version = Version {
    decode: amf0::decode,
    any: |data, limits| amf0::from_slice(data, limits),
    settings: |data, limits| amf0::from_slice(data, limits),
    to_vec_any: |any| amf0::to_vec(any),
    to_vec_settings: |settings| amf0::to_vec(settings),
};

const AMF3: Version = Version {
    decode: amf3::decode,
    any: |data, limits| amf3::from_slice(data, limits),
    settings: |data, limits| amf3::from_slice(data, limits),
    to_vec_any: |any| amf3::to_vec(any),
    to_vec_settings: |settings| amf3::to_vec(settings),
};

const UNLIMITED: AmfLimits = AmfLimits::DATA
    .with_depth(usize::MAX)
    .with_nodes(usize::MAX)
    .with_string_bytes(usize::MAX);

/// Some of each of what serde knows.
#[derive(Debug, Deserialize, Serialize)]
#[serde(default)]
struct Settings<'a> {
    #[serde(borrow)]
    app: Cow<'a, str>,
    live: bool,
    duration: f64,
    level: Option<u8>,
    time: i64,
    code: Option<char>,
    width: f32,
    status: Kind,
    key: (u32, String),
    values: Vec<Kind>,
    names: BTreeMap<String, Option<u16>>,
    numbers: BTreeMap<i32, ()>,
    inner: Option<Box<Self>>,
}

impl Default for Settings<'_> {
    fn default() -> Self {
        Self {
            app: "live".into(),
            live: true,
            duration: 1.5,
            level: None,
            time: -1,
            code: None,
            width: 0.5,
            status: Kind::Plain,
            key: (1, String::new()),
            values: Vec::new(),
            names: BTreeMap::new(),
            numbers: BTreeMap::new(),
            inner: None,
        }
    }
}

#[derive(Debug, Deserialize, Serialize)]
#[serde(rename_all = "camelCase")]
enum Kind {
    Plain,
    Number(u64),
    Pair(i8, String),
    Fields { code: String, level: Option<f64> },
}

/// Whatever there is.
#[derive(Debug)]
enum Any {
    Unit,
    Boolean(bool),
    Unsigned(u64),
    Signed(i64),
    Float(f64),
    Text(String),
    Bytes(Vec<u8>),
    Sequence(Vec<Self>),
    Map(Vec<(Self, Self)>),
}

impl Serialize for Any {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Unit => serializer.serialize_unit(),
            Self::Boolean(boolean) => serializer.serialize_bool(*boolean),
            Self::Unsigned(number) => serializer.serialize_u64(*number),
            Self::Signed(number) => serializer.serialize_i64(*number),
            Self::Float(number) => serializer.serialize_f64(*number),
            Self::Text(text) => serializer.serialize_str(text),
            Self::Bytes(bytes) => serializer.serialize_bytes(bytes),
            Self::Sequence(items) => serializer.collect_seq(items),
            Self::Map(entries) => {
                let mut map = serializer.serialize_map(Some(entries.len()))?;
                for (key, value) in entries {
                    map.serialize_entry(key, value)?;
                }
                map.end()
            }
        }
    }
}

impl<'de> Deserialize<'de> for Any {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(AnyVisitor)
    }
}

struct AnyVisitor;

impl<'de> Visitor<'de> for AnyVisitor {
    type Value = Any;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("anything")
    }

    fn visit_unit<E>(self) -> Result<Any, E> {
        Ok(Any::Unit)
    }

    fn visit_bool<E>(self, boolean: bool) -> Result<Any, E> {
        Ok(Any::Boolean(boolean))
    }

    fn visit_u64<E>(self, number: u64) -> Result<Any, E> {
        Ok(Any::Unsigned(number))
    }

    fn visit_i64<E>(self, number: i64) -> Result<Any, E> {
        Ok(Any::Signed(number))
    }

    fn visit_f64<E>(self, number: f64) -> Result<Any, E> {
        Ok(Any::Float(number))
    }

    fn visit_str<E>(self, text: &str) -> Result<Any, E> {
        Ok(Any::Text(text.to_owned()))
    }

    fn visit_bytes<E>(self, bytes: &[u8]) -> Result<Any, E> {
        Ok(Any::Bytes(bytes.to_vec()))
    }

    fn visit_seq<A: de::SeqAccess<'de>>(self, mut elements: A) -> Result<Any, A::Error> {
        let mut items = Vec::new();
        while let Some(item) = elements.next_element()? {
            items.push(item);
        }
        Ok(Any::Sequence(items))
    }

    fn visit_map<A: de::MapAccess<'de>>(self, mut entries: A) -> Result<Any, A::Error> {
        let mut map = Vec::new();
        while let Some(entry) = entries.next_entry()? {
            map.push(entry);
        }
        Ok(Any::Map(map))
    }
}
