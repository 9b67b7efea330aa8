//! What identifies a stream on a server.

use alloc::{borrow::Cow, string::String, sync::Arc, vec::Vec};
use core::{cmp, fmt, hash, str};

use sha2::{Digest, Sha256};

/// A stream that a peer asks for: its identity, and the parameters that came along.
///
/// Peers disagree about where the app ends, where slashes go and which part carries the query.
/// Once normalised, these all name the stream `live/key` with the parameter `token`:
///
/// | app | name |
/// |---|---|
/// | `live` | `key?token=x` |
/// | `live?token=x` | `key` |
/// | `/live/` | `/key?token=x` |
/// | `live/_definst_` | `key?token=x` |
/// | `live/key?token=x` | |
/// | | `live/key?token=x` |
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct StreamTarget {
    /// The identity.
    pub name: StreamName,
    /// The parameters: those of the app, then those of the name.
    pub query: Query,
}

impl StreamTarget {
    /// The stream meant by the `app` of `connect` and the `name` of `publish` or `play`, both as
    /// the peer sent them.
    pub fn new(app: &str, name: &str) -> Self {
        let (app, app_query) = app.split_once('?').unwrap_or((app, ""));
        let (name, name_query) = name.split_once('?').unwrap_or((name, ""));
        Self {
            name: StreamName::new(trim_app(app), name.trim_matches('/')),
            query: Query::new(&[app_query, name_query]),
        }
    }
}

/// The normalised identity of a stream: app, slash, name.
///
/// Slashes at either end of app and name are dropped, and so is the component `_definst_` at the
/// end of the app (Flash's name for the default instance of an app). All else is kept as it came:
/// upper and lower case, percent-encoding, prefixes such as `flv:` and `mp4:`.
///
/// The name is usually the stream key, a secret, so [`Display`](fmt::Display) and `Debug` show the
/// app and, for the rest, the first 16 bits of the SHA-256 of the whole: `live/#3f9a`. This is
/// enough to find the lines of a log that speak of one stream. If app or name is empty, the text
/// may be all key, and only the digest is shown.
///
/// Comparing, hashing and ordering look at [`as_str`](Self::as_str) alone, so it does not matter
/// where the app ended. Clones share the text.
#[derive(Clone)]
pub struct StreamName {
    text: Arc<str>,
    /// Length of the app in `text`, 0 if either part is empty.
    app_len: usize,
}

impl StreamName {
    /// The whole: `app/name`, or the one that is not empty. A secret.
    ///
    /// This is text from the peer, unchecked: any length, any character, NUL, line breaks and `../`
    /// included. It is a key for a map, not a file path.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    fn new(app: &str, name: &str) -> Self {
        if app.is_empty() || name.is_empty() {
            return Self {
                text: [app, name].concat().into(),
                app_len: 0,
            };
        }
        Self {
            text: [app, "/", name].concat().into(),
            app_len: app.len(),
        }
    }

    /// The part that may be shown.
    fn app(&self) -> &str {
        self.text.get(..self.app_len).unwrap_or_default()
    }
}

impl fmt::Display for StreamName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let app = self.app();
        if !app.is_empty() {
            // Escaped and cut short: a peer must not be able to forge or flood a log.
            for c in app.chars().take(APP_SHOWN) {
                write!(f, "{}", c.escape_debug())?;
            }
            let ellipsis = match app.chars().nth(APP_SHOWN) {
                Some(_) => "…",
                None => "",
            };
            write!(f, "{ellipsis}/")?;
        }
        let [a, b, ..] = <[u8; 32]>::from(Sha256::digest(self.as_str()));
        write!(f, "#{a:02x}{b:02x}")
    }
}

impl fmt::Debug for StreamName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "StreamName({self})")
    }
}

impl PartialEq for StreamName {
    fn eq(&self, other: &Self) -> bool {
        self.text == other.text
    }
}

impl Eq for StreamName {}

impl PartialOrd for StreamName {
    fn partial_cmp(&self, other: &Self) -> Option<cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for StreamName {
    fn cmp(&self, other: &Self) -> cmp::Ordering {
        self.text.cmp(&other.text)
    }
}

impl hash::Hash for StreamName {
    fn hash<H: hash::Hasher>(&self, state: &mut H) {
        self.text.hash(state);
    }
}

/// The parameters of a stream: `key=value` pairs in the order they came, separated by `&`.
///
/// They hold tokens, so `Debug` shows only how many there are.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Query(String);

impl Query {
    /// The pairs as they came, not decoded. A secret.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether there are no parameters.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The value of the first parameter called `key`, empty if it has no `=`.
    ///
    /// Percent-encoding is decoded, unless the outcome is not UTF-8 or an escape is malformed: such
    /// a text is left as it is. `+` stands for itself, since tokens in base64 arrive unescaped.
    pub fn get(&self, key: &str) -> Option<Cow<'_, str>> {
        self.iter()
            .find_map(|(name, value)| (name == key).then_some(value))
    }

    /// All parameters in order, decoded as [`get`](Self::get) does.
    pub fn iter(&self) -> impl Iterator<Item = (Cow<'_, str>, Cow<'_, str>)> {
        pairs(&self.0).map(|pair| {
            let (key, value) = pair.split_once('=').unwrap_or((pair, ""));
            (percent_decode(key), percent_decode(value))
        })
    }

    fn new(queries: &[&str]) -> Self {
        let all: Vec<&str> = queries.iter().flat_map(|query| pairs(query)).collect();
        Self(all.join("&"))
    }
}

impl fmt::Debug for Query {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Query({} parameters)", pairs(&self.0).count())
    }
}

/// The parts of a query that are not empty.
fn pairs(query: &str) -> impl Iterator<Item = &str> {
    query.split('&').filter(|pair| !pair.is_empty())
}

pub(crate) fn percent_decode(text: &str) -> Cow<'_, str> {
    match text.contains('%').then(|| decoded(text)).flatten() {
        Some(text) => Cow::Owned(text),
        None => Cow::Borrowed(text),
    }
}

fn decoded(text: &str) -> Option<String> {
    let mut parts = text.split('%');
    let mut bytes = parts.next()?.as_bytes().to_vec();
    for part in parts {
        let (digits, rest) = part.as_bytes().split_at_checked(2)?;
        if !digits.iter().all(u8::is_ascii_hexdigit) {
            return None;
        }
        let digits = str::from_utf8(digits).ok()?;
        bytes.push(u8::from_str_radix(digits, 16).ok()?);
        bytes.extend_from_slice(rest);
    }
    String::from_utf8(bytes).ok()
}

/// The app without slashes at its ends and without `_definst_`.
fn trim_app(app: &str) -> &str {
    let mut app = app.trim_matches('/');
    while let Some(rest) = app.strip_suffix(DEFAULT_INSTANCE) {
        if !rest.is_empty() && !rest.ends_with('/') {
            break;
        }
        app = rest.trim_end_matches('/');
    }
    app
}

/// The instance of an app when the client names none.
const DEFAULT_INSTANCE: &str = "_definst_";

/// Characters of an app that are shown.
const APP_SHOWN: usize = 64;

#[cfg(test)]
mod tests {
    use alloc::{format, string::ToString, vec};

    use proptest::prelude::*;

    use super::*;

    fn name(app: &str, name: &str) -> StreamName {
        StreamTarget::new(app, name).name
    }

    fn query(app: &str, name: &str) -> Query {
        StreamTarget::new(app, name).query
    }

    #[test]
    fn one_stream_has_one_name() {
        for (app, key) in [
            ("live", "key"),
            ("live/", "key"),
            ("/live", "/key/"),
            ("//live//", "//key"),
            ("live/_definst_", "key"),
            ("live/_definst_/", "key"),
            ("live/_definst_/_definst_", "key"),
            ("live?a=b", "key?c=d"),
            ("live/?a=b", "key/?c=d"),
            ("live/_definst_?a=b", "key"),
            ("live/key", ""),
            ("", "live/key"),
            ("_definst_", "live/key"),
            ("/", "live/key"),
        ] {
            let name = name(app, key);
            assert_eq!(name.as_str(), "live/key", "{app} {key}");
            assert_eq!(name, StreamTarget::new("live", "key").name);
        }
    }

    #[test]
    fn all_else_is_kept() {
        for (app, key, expected) in [
            ("", "", ""),
            ("?", "?x", ""),
            ("a/b", "c/d", "a/b/c/d"),
            ("Live", "Key", "Live/Key"),
            ("vod", "mp4:a.mp4", "vod/mp4:a.mp4"),
            ("vod", "flv:a", "vod/flv:a"),
            ("live", "a%2Fb", "live/a%2Fb"),
            ("live", "_definst_", "live/_definst_"),
            ("live_definst_", "x", "live_definst_/x"),
            ("_definst_/live", "x", "_definst_/live/x"),
            ("live", "../../etc/passwd", "live/../../etc/passwd"),
            ("li\nve", "k\0ey", "li\nve/k\0ey"),
        ] {
            assert_eq!(name(app, key).as_str(), expected);
        }
    }

    #[test]
    fn names_of_any_length() {
        for len in [0, 1, 255, 256, 65_535, 65_536] {
            let long = "x".repeat(len);
            assert_eq!(name("live", &long).as_str().len(), 4 + len + len.min(1));
            assert_eq!(name(&long, "k").as_str().len(), 1 + len + len.min(1));
            assert_eq!(name(&"/".repeat(len), "k").as_str(), "k");
            assert_eq!(name(&"/_definst_".repeat(len), "k").as_str(), "k");
        }
    }

    #[test]
    fn equality_order_and_hash_ignore_the_split() {
        use hash::{BuildHasher, BuildHasherDefault, Hasher};

        #[derive(Default)]
        struct Bytes(u64);
        impl Hasher for Bytes {
            fn finish(&self) -> u64 {
                self.0
            }
            fn write(&mut self, bytes: &[u8]) {
                for &byte in bytes {
                    self.0 = self.0.wrapping_mul(31).wrapping_add(byte.into());
                }
            }
        }

        let (a, b) = (name("a/b", "c"), name("a", "b/c"));
        assert_eq!(a, b);
        assert_eq!(a.cmp(&b), cmp::Ordering::Equal);
        let hasher = BuildHasherDefault::<Bytes>::default();
        assert_eq!(hasher.hash_one(&a), hasher.hash_one(&b));
        assert!(name("a", "b") < name("a", "c"));
        assert_ne!(name("a", "b"), name("a", "c"));
    }

    #[test]
    fn clones_share_the_text() {
        let a = name("live", "key");
        assert!(Arc::ptr_eq(&a.text, &a.clone().text));
    }

    /// As `printf %s live/SECRET | sha256sum` begins.
    #[test]
    fn keys_are_not_shown() {
        assert_eq!(name("live", "SECRET").to_string(), "live/#4fe3");
        assert_eq!(name("", "live/SECRET").to_string(), "#4fe3");
        assert_eq!(name("live/SECRET", "").to_string(), "#4fe3");
        let target = StreamTarget::new("live?t=SECRET", "SECRET?t=SECRET");
        assert_eq!(
            format!("{target:?}"),
            "StreamTarget { name: StreamName(live/#4fe3), query: Query(2 parameters) }"
        );
        // SHA-256 of nothing.
        assert_eq!(name("", "").to_string(), "#e3b0");
    }

    #[test]
    fn shown_apps_are_escaped_and_short() {
        assert!(name("a\nb\0", "k").to_string().starts_with("a\\nb\\0/#"));
        let shown = name(&"é".repeat(1000), "k").to_string();
        assert_eq!(shown.chars().count(), 64 + 1 + 6);
        assert!(shown.contains("…/#"));
        assert!(name(&"x".repeat(64), "k").to_string().contains("xx/#"));
    }

    #[test]
    fn queries_are_merged_in_order() {
        let merged = query("live?a=1&b=2", "key?c=3&a=4");
        assert_eq!(merged.as_str(), "a=1&b=2&c=3&a=4");
        assert_eq!(merged.get("a").as_deref(), Some("1"));
        assert_eq!(merged.get("c").as_deref(), Some("3"));
        assert_eq!(merged.get("d"), None);
        let all: Vec<_> = merged.iter().map(|(key, _)| key).collect();
        assert_eq!(all, ["a", "b", "c", "a"]);

        assert_eq!(query("live", "key?x").as_str(), "x");
        assert_eq!(query("live?x", "key").as_str(), "x");
        assert_eq!(query("live?&&a&", "key?&b&&").as_str(), "a&b");
        assert!(query("live?", "key?&").is_empty());
    }

    #[test]
    fn values_are_decoded_on_access() {
        let query = query(
            "",
            "?key=a%20b%2Fc&flag&eq=a==&plus=a+b&%6Bey2=%C3%A9&=void&q=a?b",
        );
        for (key, value) in [
            ("key", "a b/c"),
            ("flag", ""),
            ("eq", "a=="),
            ("plus", "a+b"),
            ("key2", "é"),
            ("", "void"),
            ("q", "a?b"),
        ] {
            assert_eq!(query.get(key).as_deref(), Some(value), "{key}");
        }
    }

    #[test]
    fn what_cannot_be_decoded_is_left_alone() {
        for text in ["%", "%4", "a%", "%zz", "%+1", "%FF", "%41%", "%é", "%C3%28"] {
            assert_eq!(percent_decode(text), text);
        }
        assert_eq!(percent_decode("%41%4a%4A%25"), "AJJ%");
        assert_eq!(percent_decode("a%00b"), "a\0b");
    }

    proptest! {
        /// GEN-13, and normalising what is normal changes nothing.
        #[test]
        fn any_text(app in "[/a_?&=%é\\x00-\\x20]{0,20}(/_definst_)?/?", key in "[/Z?&=%é\n]{0,20}") {
            let target = StreamTarget::new(&app, &key);
            prop_assert!(!target.name.as_str().starts_with('/'));
            prop_assert!(!target.name.as_str().ends_with('/'));
            let again = StreamTarget::new("", target.name.as_str()).name;
            prop_assert_eq!(&again, &target.name);
            let shown = format!("{target:?} {}", target.name);
            prop_assert!(!shown.contains('Z'), "{}", shown);
            for (key, _) in target.query.iter() {
                prop_assert!(target.query.get(&key).is_some());
            }
        }
    }

    #[test]
    fn queries_of_any_length() {
        let long = vec!["a=b"; 20_000].join("&");
        assert_eq!(query(&format!("?{long}"), "").iter().count(), 20_000);
        assert_eq!(
            query("", &format!("?{}", "%41".repeat(20_000)))
                .iter()
                .count(),
            1
        );
    }
}
