//! AMF0 written by hand.

pub(crate) fn number(value: f64) -> Vec<u8> {
    let mut bytes = vec![0];
    bytes.extend(value.to_be_bytes());
    bytes
}

pub(crate) fn string(text: &str) -> Vec<u8> {
    let mut bytes = vec![2];
    bytes.extend(name(text));
    bytes
}

/// Of any length.
pub(crate) fn long_string(text: &str) -> Vec<u8> {
    let mut bytes = vec![12];
    bytes.extend(
        u32::try_from(text.len())
            .expect("short enough")
            .to_be_bytes(),
    );
    bytes.extend(text.as_bytes());
    bytes
}

/// A property name: a string without its marker.
pub(crate) fn name(text: &str) -> Vec<u8> {
    let length = u16::try_from(text.len()).expect("a long string has another marker");
    [&length.to_be_bytes(), text.as_bytes()].concat()
}

pub(crate) fn object(properties: &[(&str, Vec<u8>)]) -> Vec<u8> {
    let mut bytes = vec![3];
    for (key, value) in properties {
        bytes.extend(name(key));
        bytes.extend(value);
    }
    bytes.extend(OBJECT_END);
    bytes
}

/// The payload of a command.
pub(crate) fn command(command: &str, transaction: f64, values: &[Vec<u8>]) -> Vec<u8> {
    let mut bytes = string(command);
    bytes.extend(number(transaction));
    bytes.extend(values.concat());
    bytes
}

pub(crate) fn null() -> Vec<u8> {
    vec![5]
}

pub(crate) const OBJECT_END: [u8; 3] = [0, 0, 9];
