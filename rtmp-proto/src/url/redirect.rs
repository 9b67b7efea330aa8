//! Where a server sends its clients.
//!
//! [E-RTMP v2 "Reconnect Request"]

use alloc::{format, string::ToString};

use super::{RtmpUrl, UrlError, check_characters};

impl RtmpUrl {
    /// This URL with the server and app of `tc_url`, a URI reference relative to this URL's
    /// [`tc_url`](Self::tc_url). The stream stays, and so does the user unless the host changes.
    ///
    /// # Errors
    ///
    /// `tc_url` is not a URL, or would have a client give up TLS.
    pub fn redirected(&self, tc_url: &str) -> Result<Self, RedirectError> {
        check_characters(tc_url)?;
        let scheme = self.scheme.as_str();
        let absolute = match tc_url {
            "" => self.tc_url(),
            path if path.starts_with("//") => format!("{scheme}:{path}"),
            path if path.starts_with('/') => format!("{}{path}", self.origin()),
            query if query.starts_with('?') => {
                let (path, _) = super::split_query(&self.app);
                format!("{}/{path}{query}", self.origin())
            }
            url if has_scheme(url) => url.to_string(),
            segment => {
                let (path, _) = super::split_query(&self.app);
                let parent = path.rsplit_once('/').map_or("", |(parent, _)| parent);
                let separator = if parent.is_empty() { "" } else { "/" };
                format!("{}/{parent}{separator}{segment}", self.origin())
            }
        };
        let target: Self = absolute.parse()?;
        if self.is_tls() && !target.is_tls() {
            return Err(RedirectError::LosesTls);
        }
        // A `tcUrl` has no stream: all of its path is the app.
        let (_, rest) = absolute.split_once("://").unwrap_or_default();
        let path_at = rest.find(['/', '?', '#']).unwrap_or(rest.len());
        let path = rest.get(path_at..).unwrap_or_default();
        let app = path.strip_prefix('/').unwrap_or(path);
        let is_same_host = target.host == self.host;
        Ok(Self {
            app: app.strip_suffix('/').unwrap_or(app).to_string(),
            stream: self.stream.clone(),
            userinfo: target
                .userinfo
                .or_else(|| self.userinfo.clone().filter(|_| is_same_host)),
            ..target
        })
    }
}

/// Why a client does not go where a server sends it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum RedirectError {
    /// It is not a URL.
    #[error("server asks for a reconnect to a bad URL")]
    Url(#[from] UrlError),
    /// It is `rtmp://` although this connection is `rtmps://`: the stream key would go over the
    /// network in the clear.
    #[error("server asks for a reconnect without TLS")]
    LosesTls,
}

/// Whether a reference is absolute: a path may hold "://" too, behind its first slash.
fn has_scheme(reference: &str) -> bool {
    reference
        .split_once("://")
        .is_some_and(|(scheme, _)| !scheme.contains(['/', '?', '#']))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn redirected(from: &str, to: &str) -> Result<(alloc::string::String, RtmpUrl), RedirectError> {
        let url: RtmpUrl = from.parse().expect("a valid URL");
        let url = url.redirected(to)?;
        Ok((url.tc_url(), url))
    }

    /// The examples of the specification, and references relative to a path.
    #[test]
    fn references_are_resolved() {
        for (to, tc_url) in [
            (
                "rtmp://foo.mydomain.com:1935/realtimeapp",
                "rtmp://foo.mydomain.com/realtimeapp",
            ),
            (
                "rtmps://127.0.0.1/realtimeapp",
                "rtmps://127.0.0.1/realtimeapp",
            ),
            ("//192.0.2.0/realtimeapp", "rtmp://192.0.2.0/realtimeapp"),
            ("/realtimeapp", "rtmp://host:1936/realtimeapp"),
            ("/a/b/c/", "rtmp://host:1936/a/b/c"),
            ("", "rtmp://host:1936/live/one"),
            ("two", "rtmp://host:1936/live/two"),
            ("?x=1", "rtmp://host:1936/live/one?x=1"),
            ("//[::1]:80", "rtmp://[::1]:80/"),
        ] {
            let (shown, url) = redirected("rtmp://me@host:1936/live/one/key?t=1", to).unwrap();
            assert_eq!(shown, tc_url, "{to}");
            assert_eq!(url.stream(), "key?t=1", "{to}");
        }
    }

    #[test]
    fn users_are_not_told_to_other_hosts() {
        let from = "rtmp://me:pw@host/live/key";
        assert_eq!(redirected(from, "/other").unwrap().1.user(), Some("me"));
        assert_eq!(redirected(from, "//else/live").unwrap().1.user(), None);
    }

    #[test]
    fn what_is_refused() {
        let to = |to| redirected("rtmps://host/live/key", to).map(|(tc_url, _)| tc_url);
        assert_eq!(to("rtmp://host/live"), Err(RedirectError::LosesTls));
        let forbidden = UrlError::ForbiddenCharacter { position: 2 };
        assert_eq!(to("/a b"), Err(RedirectError::Url(forbidden)));
        let unknown = UrlError::UnknownScheme;
        assert_eq!(to("http://host/"), Err(RedirectError::Url(unknown)));
        assert_eq!(to("//"), Err(RedirectError::Url(UrlError::EmptyHost)));
    }
}
