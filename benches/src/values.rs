//! AMF values, written without `rtmp-proto`.

/// A value to decode and to encode.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Sample {
    /// What it is.
    pub name: &'static str,
    /// The values in AMF0, or in AMF3.
    pub bytes: Vec<u8>,
    /// Values on the top level.
    pub count: usize,
}

impl Sample {
    /// The three by which codecs are judged.
    pub fn all() -> [Self; 3] {
        [Self::connect(), Self::metadata(), Self::long_array()]
    }

    /// A `connect` command.
    pub fn connect() -> Self {
        let mut bytes = Vec::new();
        string(&mut bytes, "connect");
        number(&mut bytes, 1.0);
        bytes.extend(connect_object());
        Self {
            name: "connect",
            bytes,
            count: 3,
        }
    }

    /// An `onMetaData` of 30 fields.
    pub fn metadata() -> Self {
        let mut bytes = Vec::new();
        string(&mut bytes, "onMetaData");
        bytes.push(8);
        bytes.extend(30_u32.to_be_bytes());
        for index in 0..20 {
            name(&mut bytes, &format!("videoproperty{index}"));
            number(&mut bytes, f64::from(index) * 1.5);
        }
        for index in 0..6 {
            name(&mut bytes, &format!("description{index}"));
            string(&mut bytes, "a short text");
        }
        for index in 0..4 {
            name(&mut bytes, &format!("flag{index}"));
            bytes.extend([1, 1]);
        }
        bytes.extend([0, 0, 9]);
        Self {
            name: "30-field metadata",
            bytes,
            count: 2,
        }
    }

    /// An ECMA array of 1000 numbers.
    pub fn long_array() -> Self {
        let mut bytes = vec![8];
        bytes.extend(1000_u32.to_be_bytes());
        for index in 0..1000 {
            name(&mut bytes, &index.to_string());
            number(&mut bytes, f64::from(index));
        }
        bytes.extend([0, 0, 9]);
        Self {
            name: "1000-element ECMA array",
            bytes,
            count: 1,
        }
    }
}

impl Sample {
    /// Two in AMF3.
    pub fn amf3() -> [Self; 2] {
        [Self::amf3_metadata(), Self::amf3_array()]
    }

    /// An object of 30 fields in AMF3, no text of which occurs twice.
    pub fn amf3_metadata() -> Self {
        // Dynamic, of the class without name.
        let mut bytes = vec![0x0A, 0x0B, 0x01];
        for index in 0..20 {
            amf3_text(&mut bytes, &format!("videoproperty{index}"));
            amf3_double(&mut bytes, f64::from(index) + 0.5);
        }
        for index in 0..6 {
            amf3_text(&mut bytes, &format!("description{index}"));
            bytes.push(6);
            amf3_text(&mut bytes, &format!("short text {index}"));
        }
        for index in 0..4 {
            amf3_text(&mut bytes, &format!("flag{index}"));
            bytes.push(3);
        }
        bytes.push(1);
        Self {
            name: "30-field object",
            bytes,
            count: 1,
        }
    }

    /// An array of 1000 numbers in AMF3.
    pub fn amf3_array() -> Self {
        let count = 1000_u16;
        let [high, low] = (count << 1 | 1).to_be_bytes();
        // The length in 29 bits, seven to a byte.
        let mut bytes = vec![9, 0x80 | high << 1 | low >> 7, low & 0x7F, 1];
        for index in 0..count {
            amf3_double(&mut bytes, f64::from(index) + 0.5);
        }
        Self {
            name: "1000-element array",
            bytes,
            count: 1,
        }
    }
}

/// The command object of `connect`, as OBS sends it.
pub fn connect_object() -> Vec<u8> {
    let mut out = vec![3];
    for (key, value) in [
        ("app", "live"),
        ("type", "nonprivate"),
        ("flashVer", "FMLE/3.0 (compatible; FMSc/1.0)"),
        ("swfUrl", "rtmp://example.org/live"),
        ("tcUrl", "rtmp://example.org/live"),
    ] {
        name(&mut out, key);
        string(&mut out, value);
    }
    out.extend([0, 0, 9]);
    out
}

/// Appends a number.
pub fn number(out: &mut Vec<u8>, value: f64) {
    out.push(0);
    out.extend(value.to_be_bytes());
}

/// Appends a string.
pub fn string(out: &mut Vec<u8>, text: &str) {
    out.push(2);
    name(out, text);
}

/// Appends the name of a property.
pub fn name(out: &mut Vec<u8>, text: &str) {
    let len = u16::try_from(text.len()).expect("a short text");
    out.extend(len.to_be_bytes());
    out.extend(text.as_bytes());
}

/// Appends a double in AMF3.
fn amf3_double(out: &mut Vec<u8>, value: f64) {
    out.push(5);
    out.extend(value.to_be_bytes());
}

/// Appends a text of AMF3 that has not occurred before.
fn amf3_text(out: &mut Vec<u8>, text: &str) {
    let len = u8::try_from(text.len()).expect("a short text");
    out.push(len << 1 | 1);
    out.extend(text.as_bytes());
}
