//! Strings and names.

use alloc::{borrow::Cow, string::String};
use core::{borrow::Borrow, fmt, ops::Deref};

use compact_str::CompactString;

/// An immutable string that takes no memory of its own up to 24 bytes, as nearly every name and
/// most values are.
///
/// Dereferences to [`str`].
#[derive(Clone, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Text(CompactString);

impl Text {
    /// The empty string.
    pub const fn new() -> Self {
        Self(CompactString::const_new(""))
    }

    /// The characters.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl Deref for Text {
    type Target = str;

    fn deref(&self) -> &str {
        &self.0
    }
}

impl AsRef<str> for Text {
    fn as_ref(&self) -> &str {
        &self.0
    }
}

impl Borrow<str> for Text {
    fn borrow(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Text {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self.as_str(), f)
    }
}

impl fmt::Display for Text {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self.as_str(), f)
    }
}

impl From<&str> for Text {
    #[inline(always)]
    fn from(string: &str) -> Self {
        Self(string.into())
    }
}

impl From<&String> for Text {
    fn from(string: &String) -> Self {
        string.as_str().into()
    }
}

impl From<String> for Text {
    fn from(string: String) -> Self {
        Self(string.into())
    }
}

impl From<Cow<'_, str>> for Text {
    #[inline(always)]
    fn from(string: Cow<'_, str>) -> Self {
        (*string).into()
    }
}

impl From<Text> for String {
    fn from(text: Text) -> Self {
        text.0.into()
    }
}

impl PartialEq<str> for Text {
    fn eq(&self, other: &str) -> bool {
        self.as_str() == other
    }
}

impl PartialEq<&str> for Text {
    fn eq(&self, other: &&str) -> bool {
        self.as_str() == *other
    }
}

impl PartialEq<Text> for str {
    fn eq(&self, other: &Text) -> bool {
        self == other.as_str()
    }
}

impl PartialEq<Text> for &str {
    fn eq(&self, other: &Text) -> bool {
        *self == other.as_str()
    }
}

#[cfg(test)]
mod tests {
    use alloc::{format, string::ToString};

    use super::*;

    #[test]
    fn behaves_like_str() {
        for string in [
            "",
            "app",
            "of twenty-four bytes 24!",
            "longer than 24 bytes, so elsewhere",
        ] {
            let text = Text::from(string);
            assert_eq!(text, *string);
            assert_eq!(string, text);
            assert_eq!(text, Text::from(string.to_string()));
            assert_eq!(text.len(), string.len());
            assert_eq!(format!("{text} {text:?}"), format!("{string} {string:?}"));
            assert_eq!(String::from(text), string);
        }
        assert_eq!(Text::new(), Text::default());
    }
}
