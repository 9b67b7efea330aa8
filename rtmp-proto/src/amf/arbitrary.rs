//! Values for property tests.

use alloc::{boxed::Box, string::String, vec::Vec};

use proptest::{collection, prelude::*};

use super::{
    Date, Dictionary, Externalizable, Object, Text, TypedObject, Value, Vector, VectorItems,
};

/// Values for which AMF0 has types.
pub(super) fn any_amf0_value() -> impl Strategy<Value = Value> {
    let date = (any::<f64>(), any::<i16>()).prop_map(|(unix_millis, time_zone)| Date {
        unix_millis,
        time_zone,
    });
    let leaf = prop_oneof![
        6 => leaf(),
        1 => date.prop_map(Value::Date),
        1 => Just(Value::Unsupported),
    ];
    // Names of one letter or digit repeat.
    leaf.prop_recursive(5, 64, 8, |value| container(value, "[a-c0-2]?|.{0,8}", 0))
}

/// Values of every kind that AMF3 can express: not the time zone of a date, properties without a
/// name, an array with string keys and none of them, integers as keys.
pub(super) fn any_amf3_value() -> impl Strategy<Value = Value> {
    let date = any::<f64>().prop_map(|unix_millis| Date {
        unix_millis,
        time_zone: 0,
    });
    let leaf = prop_oneof![
        4 => leaf(),
        1 => date.prop_map(Value::Date),
        1 => any_text().prop_map(Value::Xml),
        1 => any::<Vec<u8>>().prop_map(Value::ByteArray),
        1 => (-0x2000_0000_i32..0x2000_0000).prop_map(Value::from),
        1 => any_numbers(),
    ];
    leaf.prop_recursive(5, 64, 8, |value| {
        let values = collection::vec(value.clone(), 0..8);
        let key = any_text().prop_map(Value::String);
        let entries = collection::vec((key, value.clone()), 0..4);
        prop_oneof![
            4 => container(value, "[a-c0-2]|.{1,8}", 1),
            1 => (values.clone(), any_text(), any::<bool>()).prop_map(|(values, type_name, is_fixed)| {
                let items = VectorItems::Object { type_name, values };
                Vector { items, is_fixed }.into()
            }),
            1 => (entries, any::<bool>()).prop_map(|(entries, has_weak_keys)| {
                Dictionary { entries, has_weak_keys }.into()
            }),
            1 => values.prop_map(|values| Externalizable::array_collection(values).into()),
        ]
    })
}

fn leaf() -> impl Strategy<Value = Value> {
    prop_oneof![
        any::<f64>().prop_map(Value::Number),
        any::<bool>().prop_map(Value::Boolean),
        any_text().prop_map(Value::String),
        any_text().prop_map(Value::XmlDocument),
        Just(Value::Null),
        Just(Value::Undefined),
    ]
}

fn container(
    value: impl Strategy<Value = Value> + Clone,
    name: &'static str,
    least: usize,
) -> impl Strategy<Value = Value> {
    let values = collection::vec(value.clone(), 0..8);
    let property = (name.prop_map(Text::from), value);
    let properties = collection::vec(property, least..8);
    let properties = properties.prop_map(|properties| Object { properties });
    prop_oneof![
        values.prop_map(Value::StrictArray),
        properties.clone().prop_map(Value::Object),
        properties.clone().prop_map(Value::EcmaArray),
        (".{1,8}", properties).prop_map(|(class_name, properties)| {
            let object = TypedObject::from_parts(class_name.into(), properties, None);
            Value::TypedObject(Box::new(object))
        }),
    ]
}

fn any_numbers() -> impl Strategy<Value = Value> {
    let items = prop_oneof![
        any::<Vec<i32>>().prop_map(VectorItems::Int),
        any::<Vec<u32>>().prop_map(VectorItems::Uint),
        any::<Vec<f64>>().prop_map(VectorItems::Double),
    ];
    (items, any::<bool>()).prop_map(|(items, is_fixed)| Vector { items, is_fixed }.into())
}

fn any_text() -> impl Strategy<Value = Text> {
    any::<String>().prop_map(Text::from)
}

/// What a decoded value costs, to compare with the limits.
#[derive(Debug, Default)]
pub(super) struct Cost {
    pub(super) depth: usize,
    pub(super) nodes: usize,
    pub(super) bytes: usize,
    /// Elements and properties there is room for.
    pub(super) room: usize,
}

impl Cost {
    /// The room that growing leaves, and that an input of this length can have made ahead.
    pub(super) fn room_allowed(&self, input_len: usize) -> usize {
        5 * self.nodes + input_len
    }

    pub(super) fn add(&mut self, value: &Value, depth: usize) {
        self.nodes += 1;
        match value {
            Value::String(string) | Value::XmlDocument(string) | Value::Xml(string) => {
                self.bytes += string.len();
            }
            Value::ByteArray(bytes) => self.bytes += bytes.len(),
            Value::StrictArray(values) => {
                self.room += values.capacity();
                self.add_all(values, depth);
            }
            Value::Object(object) | Value::EcmaArray(object) => self.add_properties(object, depth),
            Value::TypedObject(object) => {
                self.bytes += object.class_name().len();
                self.add_properties(object.properties(), depth);
            }
            Value::Vector(vector) => match &vector.items {
                VectorItems::Int(items) => self.bytes += 4 * items.len(),
                VectorItems::Uint(items) => self.bytes += 4 * items.len(),
                VectorItems::Double(items) => self.bytes += 8 * items.len(),
                VectorItems::Object { type_name, values } => {
                    self.room += values.capacity();
                    self.bytes += type_name.len();
                    self.add_all(values, depth);
                }
            },
            Value::Dictionary(dictionary) => {
                self.room += dictionary.entries.capacity();
                for (key, value) in &dictionary.entries {
                    self.add_all([key, value], depth);
                }
            }
            Value::Externalizable(object) => {
                self.bytes += object.class_name().len();
                self.add_all(object.value(), depth);
            }
            _ => {}
        }
    }

    fn add_all<'v>(&mut self, values: impl IntoIterator<Item = &'v Value>, depth: usize) {
        self.depth = self.depth.max(depth + 1);
        for value in values {
            self.add(value, depth + 1);
        }
    }

    fn add_properties(&mut self, object: &Object, depth: usize) {
        self.depth = self.depth.max(depth + 1);
        self.room += object.properties.capacity();
        for (name, value) in object {
            // The names of an array's elements were not sent.
            if name.parse::<usize>().is_err() {
                self.bytes += name.len();
            }
            self.add(value, depth + 1);
        }
    }
}
