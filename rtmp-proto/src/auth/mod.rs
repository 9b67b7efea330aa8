//! Authentication by challenge and response inside `connect`: Adobe's and Limelight's.
//!
//! ```text
//! client                                         server
//!   | connect app                                  |
//!   |--------------------------------------------->|
//!   |      _error code=403 need auth; authmod=adobe|  and the connection ends
//!   |<---------------------------------------------|
//!   | connect app?authmod=adobe&user=U             |  on a second connection
//!   |--------------------------------------------->|
//!   |     _error ?reason=needauth&salt=S&challenge=|  and that one ends
//!   |<---------------------------------------------|
//!   | connect app?authmod=adobe&user=U&response=R  |  on a third
//!   |--------------------------------------------->|
//!   |                                       _result|
//!   |<---------------------------------------------|
//! ```
//!
//! This is for compatibility, not security: it rests on MD5, the server is not proven to be one,
//! nothing ties the response to what follows, and everything else goes over the network in the
//! clear. Use `rtmps://`, and a stream key, where there is a choice.
//!
//! Both sides are pure state: [`Client`] says with which parameters to connect next, [`Server`]
//! decides about a [`ConnectRequest`](crate::ConnectRequest). Making connections is the caller's.
//!
//! Not documented by Adobe; what Flash Media Server, Wowza and Limelight ask for and FMLE, ffmpeg,
//! librtmp, OBS and gortmplib answer.

mod client;
mod response;
mod server;

use alloc::string::{String, ToString};
use core::fmt;

use crate::{stream_name::percent_decode, url::RtmpUrl};

pub use self::{
    client::{AuthError, Client},
    server::{Decision, Server},
};

/// A user and a password. Secrets: `Debug` shows neither.
#[derive(Clone, PartialEq, Eq)]
pub struct Credentials {
    user: String,
    password: String,
}

impl Credentials {
    /// These two.
    pub fn new(user: impl Into<String>, password: impl Into<String>) -> Self {
        Self {
            user: user.into(),
            password: password.into(),
        }
    }

    /// Those of `rtmp://user:password@host/…`, percent-decoded; `None` unless there are both.
    pub fn of(url: &RtmpUrl) -> Option<Self> {
        let decoded = |text| percent_decode(text).into_owned();
        Some(Self::new(decoded(url.user()?), decoded(url.password()?)))
    }
}

impl fmt::Debug for Credentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Credentials")
    }
}

/// Which of the two.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Scheme {
    /// `authmod=adobe`: Flash Media Server, Wowza, Akamai.
    Adobe,
    /// `authmod=llnw`: Limelight.
    Limelight,
}

impl Scheme {
    /// The name on the wire.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Adobe => "adobe",
            Self::Limelight => "llnw",
        }
    }

    /// The scheme that `text` names with `authmod=`.
    fn named_in(text: &str) -> Option<Self> {
        let (_, name) = text.split_once("authmod=")?;
        [Self::Adobe, Self::Limelight]
            .into_iter()
            .find(|scheme| name.starts_with(scheme.name()))
    }
}

/// The value of `key` in a list of `key=value` behind the first question mark, as sent. Clients add
/// theirs behind another question mark if there is one already.
fn parameter<'a>(text: &'a str, key: &str) -> Option<&'a str> {
    let (_, query) = text.split_once('?')?;
    query.split(['&', '?']).rev().find_map(|pair| {
        let (candidate, value) = pair.split_once('=')?;
        (candidate == key).then_some(value)
    })
}

/// `text` as the value of a parameter: what would end it is percent-encoded.
fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' | '?' | '=' | '#' | '%' | ' ' => {
                out.push_str(&alloc::format!("%{:02X}", u32::from(c)));
            }
            c => out.push(c),
        }
    }
    out
}

/// The app without its query.
fn app_path(app: &str) -> &str {
    app.split_once('?').map_or(app, |(path, _)| path)
}

/// Whatever a peer sends is repeated to it up to this many bytes: real values have a tenth of it.
const VALUE_LEN_MAX: usize = 256;

/// A value short enough to repeat.
fn repeatable(value: &str) -> Option<String> {
    (value.len() <= VALUE_LEN_MAX).then(|| value.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn credentials_of_a_url() {
        let of = |url: &str| Credentials::of(&url.parse().unwrap());
        assert_eq!(
            of("rtmp://me%40home:p%3Aw@host/live/key"),
            Some(Credentials::new("me@home", "p:w"))
        );
        assert_eq!(of("rtmp://me@host/live/key"), None);
        assert_eq!(of("rtmp://host/live/key"), None);
        let shown = alloc::format!("{:?}", Credentials::new("SECRET", "SECRET"));
        assert!(!shown.contains("SECRET"));
    }

    #[test]
    fn parameters() {
        let app = "live?token=a=b?authmod=adobe&user=u&empty=";
        assert_eq!(parameter(app, "token"), Some("a=b"));
        assert_eq!(parameter(app, "authmod"), Some("adobe"));
        assert_eq!(parameter(app, "empty"), Some(""));
        assert_eq!(parameter(app, "live"), None);
        assert_eq!(parameter("live", "live"), None);
        assert_eq!(escaped("a&b=c%d"), "a%26b%3Dc%25d");
    }
}
