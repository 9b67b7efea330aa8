//! URLs and stream names.

use rtmp_proto::{RtmpUrl, StreamTarget};

/// What is shown of a URL is a URL again, redirects keep TLS, and normalised names stay as they are.
///
/// The text is a URL and a redirect, or an app and a name, with a line feed in between.
pub fn url(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else {
        return;
    };
    let (first, second) = text.split_once('\n').unwrap_or((text, "key"));
    check_target(first, second);
    let Ok(url) = first.parse::<RtmpUrl>() else {
        return;
    };
    let shown: RtmpUrl = url.to_string().parse().expect("what is shown is a URL");
    assert_eq!(
        (shown.scheme(), shown.host(), shown.port()),
        (url.scheme(), url.host(), url.port())
    );
    let tc_url: RtmpUrl = url.tc_url().parse().expect("a tcUrl is a URL");
    assert_eq!((tc_url.host(), tc_url.port()), (url.host(), url.port()));
    if let Ok(redirected) = url.redirected(second) {
        assert!(redirected.is_tls() || !url.is_tls());
        assert_eq!(redirected.stream(), url.stream());
    }
    if let Ok(other) = url.clone().with_stream(second, first) {
        assert_eq!((other.app(), other.stream()), (second, first));
    }
    check_target(url.app(), url.stream());
}

fn check_target(app: &str, name: &str) {
    let target = StreamTarget::new(app, name);
    let _ = format!("{target:?} {}", target.name);
    for (key, value) in target.query.iter() {
        // The first of several with the same key.
        assert!(target.query.get(&key).is_some(), "{value}");
    }
    // The same text means the same stream wherever app and name are cut.
    assert_eq!(target.name, StreamTarget::new(app, name).name);
}
