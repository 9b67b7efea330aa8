//! Errors as one line that tells no secrets.

use std::{error::Error, io};

use rtmp_proto::RtmpUrl;

/// An error of the operating system in its words, without its number.
pub(crate) fn io_failure(error: io::Error) -> anyhow::Error {
    anyhow::Error::msg(without_number(&error.to_string()).to_owned())
}

/// What ended a session with the server of `url`. Servers echo stream names and tokens in what they
/// say, which must not reach logs.
pub(crate) fn session_failure(error: &rtmp_tokio::Error, url: &RtmpUrl) -> anyhow::Error {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        text = format!("{text}: {error}");
        cause = error.source();
    }
    let text = without_number(&text);
    anyhow::Error::msg(one_line(&redact(text, &secrets(url))))
}

/// The host and port of `url`.
pub(crate) fn peer(url: &RtmpUrl) -> String {
    match url.host().contains(':') {
        true => format!("[{}]:{}", url.host(), url.port()),
        false => format!("{}:{}", url.host(), url.port()),
    }
}

/// The standard library appends "(os error 111)" to what the system says.
fn without_number(text: &str) -> &str {
    match text.rsplit_once(" (os error ") {
        Some((before, _)) => before,
        None => text,
    }
}

/// Everything in `url` that only its owner should know, the longest first.
fn secrets(url: &RtmpUrl) -> Vec<&str> {
    let (name, query) = url
        .stream()
        .split_once('?')
        .unwrap_or_else(|| (url.stream(), ""));
    let app_query = url.app().split_once('?').map_or("", |(_, query)| query);
    let values = [query, app_query].into_iter().flat_map(|query| {
        let values = query.split('&').map(|pair| match pair.split_once('=') {
            Some((_, value)) => value,
            None => pair,
        });
        values.chain([query])
    });
    let mut secrets: Vec<_> = [url.stream(), name]
        .into_iter()
        .chain(name.split('/'))
        .chain(url.user())
        .chain(url.password())
        .chain(values)
        .filter(|secret| !secret.is_empty())
        .collect();
    secrets.sort_by_key(|secret| std::cmp::Reverse(secret.len()));
    secrets
}

/// Replaces `secrets` in `text`. Short ones count only as whole words, or they would be found in
/// anything.
fn redact(text: &str, secrets: &[&str]) -> String {
    let mut redacted = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(next) = rest.chars().next() {
        let is_inside_word = redacted.ends_with(char::is_alphanumeric);
        let found = secrets.iter().find_map(|secret| {
            let after = rest.strip_prefix(secret)?;
            let is_word = !is_inside_word && !after.starts_with(char::is_alphanumeric);
            (is_word || secret.len() >= LONG).then_some(after)
        });
        rest = match found {
            Some(after) => {
                redacted.push('…');
                after
            }
            None => {
                redacted.push(next);
                rest.strip_prefix(next).unwrap_or_default()
            }
        };
    }
    redacted
}

/// Peers choose what their statuses say: no line breaks, no escape sequences, no end without an end.
fn one_line(text: &str) -> String {
    let mut rest = text.chars();
    let shown = rest.by_ref().take(LINE_MAX);
    let mut line: String = shown
        .map(|c| if is_printable(c) { c } else { ' ' })
        .collect();
    if rest.next().is_some() {
        line.push('…');
    }
    line
}

/// Neither a control character nor one that turns the direction of what follows.
fn is_printable(c: char) -> bool {
    matches!(c, '"' | '\'' | '\\') || c.escape_debug().len() == 1
}

/// Secrets from this length on do not occur by chance.
const LONG: usize = 6;

const LINE_MAX: usize = 300;

#[cfg(test)]
mod tests {
    use rtmp_proto::{CloseReason, Error, Status, StatusCode, message::MessageError};

    use super::*;

    fn line(description: &str) -> String {
        let url = "rtmp://me:password@host/app/s?key=hidden1&a=b";
        let url = url.parse().expect("a valid URL");
        let status = Status::error(StatusCode::PUBLISH_DENIED, description);
        let error = rtmp_tokio::Error::Closed(CloseReason::Refused(status));
        session_failure(&error, &url).to_string()
    }

    #[test]
    fn echoed_secrets_are_not_shown() {
        let shown = line("stream s with key=hidden1 (xhidden1x) of me, password: no b or bb");
        assert_eq!(
            shown,
            "rejected by the peer: NetStream.Publish.Denied (stream … with key=… (x…x) of …, …: no … or bb)"
        );
        assert_eq!(
            line("/s?key=hidden1&a=b is bad"),
            "rejected by the peer: NetStream.Publish.Denied (/… is bad)"
        );
    }

    #[test]
    fn causes_follow() {
        let cause = MessageError::InvalidChunkSize { size: 0 };
        let reason = CloseReason::Protocol(Error::Message(cause));
        let url = "rtmp://host/app/s".parse().expect("a valid URL");
        assert_eq!(
            session_failure(&rtmp_tokio::Error::Closed(reason), &url).to_string(),
            "protocol violated by the peer: message broken: chunk size 0x0 is not allowed"
        );
    }

    #[test]
    fn peers_write_one_line() {
        let shown = line(&format!(
            "\x1B[2J\r\nrtmp: \u{202E}all is \"well\" {}",
            "x".repeat(9_000)
        ));
        assert!(!shown.contains(char::is_control) && !shown.contains('\u{202E}'));
        assert!(shown.contains("\"well\""));
        assert!(shown.len() < 400);
    }

    #[test]
    fn system_errors_have_no_number() {
        let error = io::Error::from_raw_os_error(2);
        assert!(error.to_string().contains("os error"));
        assert!(!io_failure(error).to_string().contains("os error"));
    }
}
