//! `rtmp://` and `rtmps://` URLs, and those of their relatives.

use alloc::{
    format,
    string::{String, ToString},
};
use core::{fmt, net::Ipv6Addr, str::FromStr};

use thiserror::Error;

mod redirect;

pub use redirect::RedirectError;

/// Where a client connects to, and what it publishes or plays there.
///
/// ```text
/// rtmp://user:password@host:1935/app/instance/stream?token=secret
/// scheme userinfo      host port app          stream
/// ```
///
/// The path is split as ffmpeg does: the first segment is the app; of three segments or more the
/// first two are, unless the second holds a colon, as in `/vod/mp4:movies/1`. A query belongs to
/// the stream; if the path has no second segment, to the app. Servers that count differently need
/// [`with_stream`](Self::with_stream). Percent-encoding passes through untouched.
///
/// The stream, the query and the user are secrets: [`Display`](fmt::Display) and `Debug` leave
/// them out. They show the app, so a stream key that stands in the place of the app is shown.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct RtmpUrl {
    scheme: Scheme,
    userinfo: Option<String>,
    /// Without the brackets of an IPv6 address.
    host: String,
    port: u16,
    app: String,
    stream: String,
}

impl RtmpUrl {
    /// The scheme.
    pub fn scheme(&self) -> Scheme {
        self.scheme
    }

    /// Whether the connection is made over TLS.
    pub fn is_tls(&self) -> bool {
        match self.scheme {
            Scheme::Rtmps => true,
            #[cfg(feature = "rtmpt")]
            Scheme::Rtmpts => true,
            _ => false,
        }
    }

    /// Whether RTMP goes inside HTTP, which the `rtmpt` feature does.
    pub fn is_tunnelled(&self) -> bool {
        match self.scheme {
            #[cfg(feature = "rtmpt")]
            Scheme::Rtmpt | Scheme::Rtmpts => true,
            #[cfg(all(feature = "rtmpe", feature = "rtmpt"))]
            Scheme::Rtmpte => true,
            _ => false,
        }
    }

    /// The host name or address; an IPv6 address without brackets.
    pub fn host(&self) -> &str {
        &self.host
    }

    /// The port, the scheme's default if the URL names none.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// The user, if the URL names one. A secret.
    pub fn user(&self) -> Option<&str> {
        let userinfo = self.userinfo.as_deref()?;
        Some(userinfo.split_once(':').map_or(userinfo, |(user, _)| user))
    }

    /// The password, if the URL holds one. A secret.
    pub fn password(&self) -> Option<&str> {
        Some(self.userinfo.as_deref()?.split_once(':')?.1)
    }

    /// The app as sent in `connect`, possibly empty. May hold a query, which is a secret.
    pub fn app(&self) -> &str {
        &self.app
    }

    /// The stream name with its query as sent in `publish` or `play`, possibly empty. A secret.
    pub fn stream(&self) -> &str {
        &self.stream
    }

    /// The URL without user and stream as sent in `connect`. Like the app it may hold a query.
    pub fn tc_url(&self) -> String {
        format!("{}/{}", self.origin(), self.app)
    }

    /// This URL with another app and stream, for callers who know where one ends and the other
    /// begins.
    ///
    /// # Errors
    ///
    /// [`UrlError::ForbiddenCharacter`] if either holds a space or a control character.
    pub fn with_stream(mut self, app: &str, stream: &str) -> Result<Self, UrlError> {
        check_characters(app)?;
        check_characters(stream)?;
        self.app = app.to_string();
        self.stream = stream.to_string();
        Ok(self)
    }

    /// Scheme, host, and port unless it is the default.
    fn origin(&self) -> String {
        let scheme = self.scheme.as_str();
        let host = match self.host.contains(':') {
            true => format!("[{}]", self.host),
            false => self.host.clone(),
        };
        match self.port == self.scheme.default_port() {
            true => format!("{scheme}://{host}"),
            false => format!("{scheme}://{host}:{}", self.port),
        }
    }
}

impl FromStr for RtmpUrl {
    type Err = UrlError;

    fn from_str(url: &str) -> Result<Self, UrlError> {
        check_characters(url)?;
        let (scheme, rest) = url.split_once("://").ok_or(UrlError::MissingScheme)?;
        let scheme = Scheme::parse(scheme).ok_or(UrlError::UnknownScheme)?;
        let authority_len = rest.find(['/', '?', '#']).unwrap_or(rest.len());
        let (authority, path) = rest.split_at(authority_len);
        let (userinfo, host_port) = match authority.rsplit_once('@') {
            Some((userinfo, host_port)) => (Some(userinfo.to_string()), host_port),
            None => (None, authority),
        };
        let (host, port) = split_port(host_port)?;
        let (app, stream) = split_path(path.strip_prefix('/').unwrap_or(path));
        Ok(Self {
            scheme,
            userinfo,
            host: host.to_string(),
            port: port.unwrap_or_else(|| scheme.default_port()),
            app: app.to_string(),
            stream: stream.to_string(),
        })
    }
}

impl fmt::Display for RtmpUrl {
    /// Writes the URL with `…` in place of its secrets.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (app, query) = split_query(&self.app);
        write!(f, "{}/{app}", self.origin())?;
        match (query, self.stream.is_empty()) {
            (Some(_), true) => f.write_str("?…"),
            (Some(_), false) => f.write_str("?…/…"),
            (None, true) => Ok(()),
            (None, false) => f.write_str("/…"),
        }
    }
}

impl fmt::Debug for RtmpUrl {
    /// As [`Display`](fmt::Display), in quotation marks.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "\"{self}\"")
    }
}

/// The scheme of a URL.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Scheme {
    /// RTMP over TCP.
    Rtmp,
    /// RTMP over TLS.
    Rtmps,
    /// [RTMPE](crate::rtmpe) over TCP.
    #[cfg(feature = "rtmpe")]
    Rtmpe,
    /// [RTMPT](crate::rtmpt): RTMP in HTTP.
    #[cfg(feature = "rtmpt")]
    Rtmpt,
    /// RTMP in HTTPS.
    #[cfg(feature = "rtmpt")]
    Rtmpts,
    /// RTMPE in HTTP.
    #[cfg(all(feature = "rtmpe", feature = "rtmpt"))]
    Rtmpte,
}

impl Scheme {
    /// As written in a URL.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Rtmp => "rtmp",
            Self::Rtmps => "rtmps",
            #[cfg(feature = "rtmpe")]
            Self::Rtmpe => "rtmpe",
            #[cfg(feature = "rtmpt")]
            Self::Rtmpt => "rtmpt",
            #[cfg(feature = "rtmpt")]
            Self::Rtmpts => "rtmpts",
            #[cfg(all(feature = "rtmpe", feature = "rtmpt"))]
            Self::Rtmpte => "rtmpte",
        }
    }

    /// The port used when a URL names none: 1935, 443 with TLS, 80 in HTTP.
    pub const fn default_port(self) -> u16 {
        match self {
            Self::Rtmp => 1935,
            Self::Rtmps => 443,
            #[cfg(feature = "rtmpe")]
            Self::Rtmpe => 1935,
            #[cfg(feature = "rtmpt")]
            Self::Rtmpt => 80,
            #[cfg(feature = "rtmpt")]
            Self::Rtmpts => 443,
            #[cfg(all(feature = "rtmpe", feature = "rtmpt"))]
            Self::Rtmpte => 80,
        }
    }

    fn parse(scheme: &str) -> Option<Self> {
        let known = &[
            Self::Rtmp,
            Self::Rtmps,
            #[cfg(feature = "rtmpe")]
            Self::Rtmpe,
            #[cfg(feature = "rtmpt")]
            Self::Rtmpt,
            #[cfg(feature = "rtmpt")]
            Self::Rtmpts,
            #[cfg(all(feature = "rtmpe", feature = "rtmpt"))]
            Self::Rtmpte,
        ];
        known
            .iter()
            .copied()
            .find(|known| known.as_str().eq_ignore_ascii_case(scheme))
    }
}

/// Why a string is no URL of ours. Says nothing of its content.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum UrlError {
    /// Nothing is followed by `://`.
    #[error("the URL has no scheme, such as rtmp://")]
    MissingScheme,
    /// The scheme is neither `rtmp` nor `rtmps`, nor another one that a feature adds.
    #[error("the scheme of the URL is neither rtmp nor rtmps")]
    UnknownScheme,
    /// No host is named.
    #[error("the URL names no host")]
    EmptyHost,
    /// The host is no IPv6 address in brackets, and has characters that no name has.
    #[error("the host of the URL is neither a name nor an address")]
    InvalidHost,
    /// The port is not a number from 1 to 65 535.
    #[error("the port of the URL is not a number from 1 to 65535")]
    InvalidPort,
    /// A space or control character.
    #[error("the URL has a space or control character at byte {position}")]
    ForbiddenCharacter {
        /// Where, counted in bytes from the start of the text given.
        position: usize,
    },
}

fn check_characters(text: &str) -> Result<(), UrlError> {
    match text.find(|c: char| c.is_whitespace() || c.is_control()) {
        Some(position) => Err(UrlError::ForbiddenCharacter { position }),
        None => Ok(()),
    }
}

/// Splits `host:port` or `[address]:port`.
fn split_port(host_port: &str) -> Result<(&str, Option<u16>), UrlError> {
    let (host, port) = match host_port.strip_prefix('[') {
        Some(rest) => {
            let (host, rest) = rest.split_once(']').ok_or(UrlError::InvalidHost)?;
            // The zone of a link-local address, as in `fe80::1%25eth0`, is for the caller to read.
            let (address, _zone) = host.split_once('%').unwrap_or((host, ""));
            if address.parse::<Ipv6Addr>().is_err() {
                return Err(UrlError::InvalidHost);
            }
            match rest.strip_prefix(':') {
                Some(port) => (host, port),
                None if rest.is_empty() => (host, ""),
                None => return Err(UrlError::InvalidPort),
            }
        }
        None => host_port.split_once(':').unwrap_or((host_port, "")),
    };
    if host.is_empty() {
        return Err(UrlError::EmptyHost);
    }
    if host.contains(['[', ']', '@', '\\', '<', '>', '"', '^', '|', '`', '{', '}']) {
        return Err(UrlError::InvalidHost);
    }
    // "An empty port is the default port" [RFC 3986 §3.2.3]; `u16` would also take "+80".
    match (port, port.bytes().all(|digit| digit.is_ascii_digit())) {
        ("", _) => Ok((host, None)),
        (_, false) => Err(UrlError::InvalidPort),
        (_, true) => match port.parse() {
            Ok(0) | Err(_) => Err(UrlError::InvalidPort),
            Ok(port) => Ok((host, Some(port))),
        },
    }
}

/// Splits what follows the slash after the host into app and stream.
///
/// Unlike ffmpeg, which looks for slashes in queries too: tokens may be base64.
fn split_path(path: &str) -> (&str, &str) {
    let path_len = path.find('?').unwrap_or(path.len());
    let mut slashes = path
        .match_indices('/')
        .map(|(position, _)| position)
        .take_while(|&position| position < path_len);
    let Some(first) = slashes.next() else {
        return (path, "");
    };
    let is_instance = |second: &usize| {
        let segment = path.get(first..*second).unwrap_or_default();
        !segment.contains(':')
    };
    let end = slashes.next().filter(is_instance).unwrap_or(first);
    let (app, stream) = path.split_at(end);
    (app, stream.strip_prefix('/').unwrap_or(stream))
}

/// Splits at the first question mark, which belongs to neither part.
fn split_query(text: &str) -> (&str, Option<&str>) {
    match text.split_once('?') {
        Some((path, query)) => (path, Some(query)),
        None => (text, None),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn parse(url: &str) -> RtmpUrl {
        url.parse().unwrap()
    }

    fn error(url: &str) -> UrlError {
        url.parse::<RtmpUrl>().unwrap_err()
    }

    #[test]
    fn all_parts() {
        let url = parse("RTMPs://me:pa:ss@Example.com:8443/app/inst/key?a=b/c&d=%20");
        assert_eq!(url.scheme(), Scheme::Rtmps);
        assert!(url.is_tls());
        assert_eq!(url.user(), Some("me"));
        assert_eq!(url.password(), Some("pa:ss"));
        assert_eq!(url.host(), "Example.com");
        assert_eq!(url.port(), 8443);
        assert_eq!(url.app(), "app/inst");
        assert_eq!(url.stream(), "key?a=b/c&d=%20");
        assert_eq!(url.tc_url(), "rtmps://Example.com:8443/app/inst");
    }

    #[test]
    fn default_ports_are_left_out_of_tc_url() {
        for (url, port, tc_url) in [
            ("rtmp://h/live/x", 1935, "rtmp://h/live"),
            ("rtmp://h:/live/x", 1935, "rtmp://h/live"),
            ("rtmp://h:1935/live/x", 1935, "rtmp://h/live"),
            ("rtmp://h:443/live/x", 443, "rtmp://h:443/live"),
            ("rtmps://h/live/x", 443, "rtmps://h/live"),
            ("rtmps://h:1935/live/x", 1935, "rtmps://h:1935/live"),
            ("rtmp://u:p@h/live/x", 1935, "rtmp://h/live"),
            ("rtmp://h", 1935, "rtmp://h/"),
        ] {
            assert_eq!(parse(url).port(), port, "{url}");
            assert_eq!(parse(url).tc_url(), tc_url, "{url}");
        }
    }

    /// The split ffmpeg makes, but for slashes in queries.
    #[test]
    fn paths_are_split_into_app_and_stream() {
        for (path, app, stream) in [
            ("", "", ""),
            ("/", "", ""),
            ("/live", "live", ""),
            ("/live/", "live", ""),
            ("/live/key", "live", "key"),
            ("/live/key/", "live/key", ""),
            ("/a/b/c", "a/b", "c"),
            ("/a/b/c/d", "a/b", "c/d"),
            ("//key", "", "key"),
            ("/vod/mp4:movies/1", "vod", "mp4:movies/1"),
            ("/live/key?u=a/b&v=c", "live", "key?u=a/b&v=c"),
            ("/a/b/c?x", "a/b", "c?x"),
            ("/live/?token=x", "live", "?token=x"),
            ("/live?token=x", "live?token=x", ""),
            ("?token=x", "?token=x", ""),
            ("/live/key#x?y", "live", "key#x?y"),
            ("/é/ü%2F", "é", "ü%2F"),
        ] {
            let url = parse(&format!("rtmp://h{path}"));
            assert_eq!((url.app(), url.stream()), (app, stream), "{path}");
        }
    }

    #[test]
    fn ipv6_hosts() {
        let url = parse("rtmp://[2001:db8::1]:1936/live/x");
        assert_eq!((url.host(), url.port()), ("2001:db8::1", 1936));
        assert_eq!(url.tc_url(), "rtmp://[2001:db8::1]:1936/live");
        assert_eq!(parse("rtmp://[::1]/a/b").tc_url(), "rtmp://[::1]/a");
        assert_eq!(parse("rtmp://[fe80::1%25eth0]/").host(), "fe80::1%25eth0");
        for url in ["rtmp://[::1", "rtmp://[x]", "rtmp://[]", "rtmp://[1.2.3.4]"] {
            assert_eq!(error(url), UrlError::InvalidHost, "{url}");
        }
        assert_eq!(error("rtmp://[::1]80/"), UrlError::InvalidPort);
    }

    #[test]
    fn what_is_refused() {
        for url in ["", "live/key", "rtmp:/h/live", "h:1935/live"] {
            assert_eq!(error(url), UrlError::MissingScheme, "{url}");
        }
        for url in [
            "://h",
            "http://h/",
            "rtmpfp://h/",
            #[cfg(not(feature = "rtmpt"))]
            "rtmpt://h/",
            #[cfg(not(feature = "rtmpe"))]
            "rtmpe://h/",
            "/rtmp://h/",
        ] {
            assert_eq!(error(url), UrlError::UnknownScheme, "{url}");
        }
        for url in [
            "rtmp://",
            "rtmp:///live/key",
            "rtmp://u@/x",
            "rtmp://:1935/x",
        ] {
            assert_eq!(error(url), UrlError::EmptyHost, "{url}");
        }
        for port in [
            "0",
            "65536",
            "+80",
            "-1",
            "80a",
            "99999999999999999999",
            "1:2",
        ] {
            let url = format!("rtmp://h:{port}/live/x");
            assert_eq!(error(&url), UrlError::InvalidPort, "{url}");
        }
        assert_eq!(error("rtmp://a]b/"), UrlError::InvalidHost);
        for c in [' ', '\0', '\n', '\r', '\t', '\x7F', '\u{85}', '\u{A0}'] {
            let url = format!("rtmp://h/live/x{c}y");
            let position = 15;
            assert_eq!(error(&url), UrlError::ForbiddenCharacter { position });
        }
    }

    #[cfg(all(feature = "rtmpe", feature = "rtmpt"))]
    #[test]
    fn relatives() {
        for (url, scheme, port, is_tls) in [
            ("rtmpe://h/live/x", Scheme::Rtmpe, 1935, false),
            ("rtmpt://h/live/x", Scheme::Rtmpt, 80, false),
            ("rtmpts://h/live/x", Scheme::Rtmpts, 443, true),
            ("rtmpte://h/live/x", Scheme::Rtmpte, 80, false),
        ] {
            let parsed = parse(url);
            assert_eq!((parsed.scheme(), parsed.port()), (scheme, port));
            assert_eq!(parsed.is_tls(), is_tls);
            assert_eq!(format!("{}/x", parsed.tc_url()), url);
        }
    }

    #[test]
    fn the_caller_may_split() {
        let url = parse("rtmp://h/a/b/c").with_stream("a/b/c", "key").unwrap();
        assert_eq!((url.app(), url.stream()), ("a/b/c", "key"));
        assert_eq!(url.tc_url(), "rtmp://h/a/b/c");
        let forbidden = UrlError::ForbiddenCharacter { position: 1 };
        assert_eq!(url.clone().with_stream("a b", ""), Err(forbidden));
        assert_eq!(url.with_stream("", "a\0"), Err(forbidden));
    }

    #[test]
    fn secrets_are_not_shown() {
        for (url, shown) in [
            ("rtmp://u:SECRET@h/live/SECRET", "rtmp://h/live/…"),
            ("rtmp://SECRET@h:80/a/b/SECRET", "rtmp://h:80/a/b/…"),
            ("rtmp://h/live/?t=SECRET", "rtmp://h/live/…"),
            ("rtmp://h/live?t=SECRET", "rtmp://h/live?…"),
            ("rtmps://h/live", "rtmps://h/live"),
        ] {
            assert_eq!(parse(url).to_string(), shown);
            assert_eq!(format!("{:?}", parse(url)), format!("\"{shown}\""));
        }
        let both = parse("rtmp://h").with_stream("a?SECRET", "SECRET").unwrap();
        assert_eq!(both.to_string(), "rtmp://h/a?…/…");
    }

    proptest! {
        /// GEN-13.
        #[test]
        fn any_text(url in "(rtmps?://)?[\\[\\]a-z0-9:/?@%#.é \\x00]{0,40}") {
            if let Ok(url) = url.parse::<RtmpUrl>() {
                let again: RtmpUrl = url.tc_url().parse().unwrap();
                prop_assert_eq!(again.host(), url.host());
                prop_assert_eq!(again.port(), url.port());
                if !url.stream().is_empty() {
                    let joined = format!("{}/{}", url.tc_url(), url.stream());
                    let joined: RtmpUrl = joined.parse().unwrap();
                    prop_assert_eq!(joined.app(), url.app());
                    prop_assert_eq!(joined.stream(), url.stream());
                }
            }
        }
    }
}
