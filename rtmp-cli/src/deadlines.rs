//! How long the clients of a server may take.

use std::time::Duration;

use rtmp_proto::Limits;

use crate::args;

/// After these times the server closes a connection.
#[derive(Clone, Copy, Debug, clap::Args)]
#[command(next_help_heading = "Deadlines")]
pub(crate) struct Deadlines {
    /// How long a client may take for TLS, and again for the handshake of RTMP.
    #[arg(long, value_name = "SECONDS", default_value = "10", value_parser = seconds)]
    handshake_timeout: Duration,

    /// How long a client may take to connect to an app after the handshake.
    #[arg(long, value_name = "SECONDS", default_value = "10", value_parser = seconds)]
    connect_timeout: Duration,

    /// How long a client may take to publish or play something after that.
    #[arg(long, value_name = "SECONDS", default_value = "20", value_parser = seconds)]
    request_timeout: Duration,

    /// How long a publisher may take to send media, and not only metadata.
    #[arg(long, value_name = "SECONDS", default_value = "20", value_parser = seconds)]
    first_media_timeout: Duration,

    /// How long a publisher may send nothing.
    #[arg(long, value_name = "SECONDS", default_value = "30", value_parser = seconds)]
    idle_timeout: Duration,

    /// How long a client may read nothing of what waits for it.
    #[arg(long, value_name = "SECONDS", default_value = "10", value_parser = seconds)]
    write_timeout: Duration,
}

impl Deadlines {
    /// Sets the deadlines among `limits`.
    pub(crate) const fn apply(&self, limits: &mut Limits) {
        limits.handshake_timeout = self.handshake_timeout;
        limits.connect_timeout = self.connect_timeout;
        limits.request_timeout = self.request_timeout;
        limits.first_media_timeout = self.first_media_timeout;
        limits.idle_timeout = self.idle_timeout;
        limits.write_stall_timeout = self.write_timeout;
    }
}

/// A deadline that nobody can keep would close every connection.
fn seconds(text: &str) -> Result<Duration, String> {
    let seconds = args::seconds(text).ok().filter(|it| !it.is_zero());
    seconds.ok_or_else(|| "not a number of seconds greater than 0".to_owned())
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    #[derive(Parser)]
    struct Line {
        #[command(flatten)]
        deadlines: Deadlines,
    }

    fn limits(arguments: &[&str]) -> Result<Limits, clap::Error> {
        let line = Line::try_parse_from([&["serve"], arguments].concat())?;
        let mut limits = Limits::default();
        line.deadlines.apply(&mut limits);
        Ok(limits)
    }

    #[test]
    fn the_defaults_are_those_of_the_library() {
        assert_eq!(limits(&[]).unwrap(), Limits::default());
    }

    #[test]
    fn each_is_set() {
        let set = limits(&[
            "--handshake-timeout=1",
            "--connect-timeout=2",
            "--request-timeout=3.5",
            "--first-media-timeout=4",
            "--idle-timeout=5",
            "--write-timeout=6",
        ]);
        let set = set.unwrap();
        assert_eq!(set.handshake_timeout, Duration::from_secs(1));
        assert_eq!(set.connect_timeout, Duration::from_secs(2));
        assert_eq!(set.request_timeout, Duration::from_millis(3500));
        assert_eq!(set.first_media_timeout, Duration::from_secs(4));
        assert_eq!(set.idle_timeout, Duration::from_secs(5));
        assert_eq!(set.write_stall_timeout, Duration::from_secs(6));
    }

    #[test]
    fn nothing_is_no_deadline() {
        for text in ["0", "0.0", "-1", "NaN", "inf", "1e300", "1e-300", "", "ten"] {
            assert!(limits(&["--idle-timeout", text]).is_err(), "{text}");
        }
    }
}
