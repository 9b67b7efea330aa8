//! The command line.

use std::{convert::Infallible, fmt, path::PathBuf, str::FromStr, time::Duration};

use clap::{Parser, Subcommand, ValueEnum};
use rtmp_proto::{RtmpUrl, UrlError};

use crate::deadlines::Deadlines;

/// Serve, publish, play and relay RTMP streams.
#[derive(Debug, Parser)]
#[command(name = "rtmp", version, propagate_version = true)]
pub(crate) struct Args {
    #[command(subcommand)]
    pub(crate) command: Command,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Relay whatever is published, under any app and stream name, to whoever plays it.
    Serve(ServeArgs),
    /// Publish an FLV file in real time.
    Publish(PublishArgs),
    /// Play a stream into an FLV file or a pipe.
    Play(PlayArgs),
    /// Pass a stream or an FLV file on to other servers, connecting again whenever it is necessary.
    Relay(RelayArgs),
}

#[derive(Debug, clap::Args)]
pub(crate) struct ServeArgs {
    /// Where to listen: ADDRESS or ADDRESS:PORT, with rtmps:// in front for TLS. May be repeated.
    #[arg(long, value_name = "ADDR", default_value = "0.0.0.0:1935")]
    pub(crate) listen: Vec<ListenAddress>,

    /// Certificate chain in PEM, for rtmps.
    #[arg(long, value_name = "FILE", requires = "tls_key")]
    pub(crate) tls_cert: Option<PathBuf>,

    /// Private key of the certificate in PEM.
    #[arg(long, value_name = "FILE", requires = "tls_cert")]
    pub(crate) tls_key: Option<PathBuf>,

    /// What happens when a stream that has a publisher gets another one.
    #[arg(long, value_name = "WHAT", default_value = "replace")]
    pub(crate) on_duplicate: OnDuplicate,

    /// Write each published stream to an FLV file in this directory.
    #[arg(long, value_name = "DIR")]
    pub(crate) record: Option<PathBuf>,

    /// Publishers must give this key, as `?key=KEY` behind the stream name.
    #[arg(
        long,
        value_name = "KEY",
        env = "RTMP_PUBLISH_KEY",
        hide_env_values = true
    )]
    pub(crate) publish_key: Option<Key>,

    /// Players must give this key, as `?key=KEY` behind the stream name.
    #[arg(
        long,
        value_name = "KEY",
        env = "RTMP_PLAY_KEY",
        hide_env_values = true
    )]
    pub(crate) play_key: Option<Key>,

    /// How long players are kept waiting for a publisher to return before they are told that the
    /// stream has ended.
    #[arg(long, value_name = "SECONDS", default_value = "5", value_parser = seconds)]
    pub(crate) republish_wait: Duration,

    /// How long frames may wait so that a player gets several at once, which saves most of the work
    /// for many players. 0 passes on each frame as it comes.
    #[arg(long, value_name = "MS", default_value = "20", value_parser = millis)]
    pub(crate) flush_interval: Duration,

    #[command(flatten)]
    pub(crate) limits: Limits,

    #[command(flatten)]
    pub(crate) deadlines: Deadlines,
}

/// How much a server takes on. Beyond, it refuses what is new; what it has goes on.
#[derive(Clone, Debug, clap::Args)]
#[command(next_help_heading = "Limits (0 is none)")]
pub(crate) struct Limits {
    /// Connections. One more is closed at once. Each takes a file descriptor, of which a process has
    /// as many as `ulimit -n` says.
    #[arg(long, value_name = "N", default_value = "16384")]
    pub(crate) max_connections: Maximum,

    /// Connections from one IPv4 address or IPv6 /64 network. One more is closed at once. Not for
    /// servers behind a proxy, whose address all connections have, and no less than the players of a
    /// large office.
    #[arg(long, value_name = "N", default_value = "0")]
    pub(crate) max_connections_per_address: Maximum,

    /// Streams that are published. Who takes over a stream from its publisher is always let in.
    #[arg(long, value_name = "N", default_value = "1000")]
    pub(crate) max_publishers: Maximum,

    /// Players of all streams.
    #[arg(long, value_name = "N", default_value = "0")]
    pub(crate) max_players: Maximum,

    /// Players of one stream.
    #[arg(long, value_name = "N", default_value = "0")]
    pub(crate) max_players_per_stream: Maximum,

    /// Media kept for late joiners, slow players and recordings of all streams together. Beyond,
    /// streams that keep more than an equal share go down to it: their slow players and recordings
    /// lose frames.
    #[arg(long, value_name = "MIB", default_value = "1024")]
    pub(crate) max_buffered: Mebibytes,
}

#[derive(Debug, clap::Args)]
pub(crate) struct PublishArgs {
    /// An FLV file, or `-` for standard input.
    pub(crate) file: PathBuf,

    /// rtmp://HOST/APP/STREAM or rtmps://HOST/APP/STREAM; HOST:PORT for another port than usual,
    /// USER:PASSWORD@HOST where the server wants them (Adobe's and Limelight's authentication).
    #[arg(value_parser = url)]
    pub(crate) url: Url,

    /// Begin again at the end of the file.
    #[arg(long = "loop")]
    pub(crate) repeat: bool,

    /// Connect again when the connection is lost or the server is not there. The stream goes on
    /// meanwhile, and what is older than 10 seconds is lost. At the end of the file, a server has 30
    /// seconds to take what is left.
    #[arg(long)]
    pub(crate) reconnect: bool,

    /// Trust the certificates in this PEM file too, for rtmps.
    #[arg(long, value_name = "FILE")]
    pub(crate) tls_ca: Option<PathBuf>,
}

#[derive(Debug, clap::Args)]
pub(crate) struct PlayArgs {
    /// rtmp://HOST/APP/STREAM or rtmps://HOST/APP/STREAM; HOST:PORT for another port than usual,
    /// USER:PASSWORD@HOST where the server wants them (Adobe's and Limelight's authentication).
    #[arg(value_parser = url)]
    pub(crate) url: Url,

    /// The FLV file to write, or `-` for standard output.
    #[arg(short, long, value_name = "FILE")]
    pub(crate) output: PathBuf,

    /// Stop after this much of the stream.
    #[arg(long, value_name = "SECONDS", value_parser = seconds)]
    pub(crate) duration: Option<Duration>,

    /// Trust the certificates in this PEM file too, for rtmps.
    #[arg(long, value_name = "FILE")]
    pub(crate) tls_ca: Option<PathBuf>,
}

#[derive(Debug, clap::Args)]
pub(crate) struct RelayArgs {
    /// rtmp://HOST/APP/STREAM or rtmps://HOST/APP/STREAM to play, or an FLV file to pass on in real
    /// time, `-` being standard input.
    #[arg(value_parser = relay_source)]
    pub(crate) source: RelaySource,

    /// Where to publish it: rtmp://HOST/APP/STREAM or rtmps://HOST/APP/STREAM.
    #[arg(value_parser = url, required = true, value_name = "DESTINATION")]
    pub(crate) destinations: Vec<Url>,

    /// Trust the certificates in this PEM file too, for rtmps.
    #[arg(long, value_name = "FILE")]
    pub(crate) tls_ca: Option<PathBuf>,
}

/// Where the stream of a relay comes from.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum RelaySource {
    Url(Url),
    File(PathBuf),
}

/// What happens to the second publisher of a stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum OnDuplicate {
    /// It takes over, and the first one is disconnected.
    Replace,
    /// It is rejected.
    Reject,
}

#[cfg(test)]
impl Limits {
    pub(crate) fn none() -> Self {
        Self {
            max_connections: Maximum::from(0),
            max_connections_per_address: Maximum::from(0),
            max_publishers: Maximum::from(0),
            max_players: Maximum::from(0),
            max_players_per_stream: Maximum::from(0),
            max_buffered: Mebibytes(0),
        }
    }
}

/// The largest number that is allowed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Maximum(usize);

impl Maximum {
    /// Whether there may be one more than `count`.
    pub(crate) const fn allows(self, count: usize) -> bool {
        count < self.0
    }
}

/// 0 is no limit.
impl From<usize> for Maximum {
    fn from(number: usize) -> Self {
        match number {
            0 => Self(usize::MAX),
            number => Self(number),
        }
    }
}

impl FromStr for Maximum {
    type Err = std::num::ParseIntError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        text.parse::<usize>().map(Self::from)
    }
}

impl fmt::Display for Maximum {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// An amount of memory, 0 for no limit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Mebibytes(usize);

impl Mebibytes {
    pub(crate) const fn bytes(self) -> usize {
        match self.0 {
            0 => usize::MAX,
            mebibytes => mebibytes.saturating_mul(1 << 20),
        }
    }
}

impl FromStr for Mebibytes {
    type Err = std::num::ParseIntError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        text.parse().map(Self)
    }
}

/// An address to listen on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct ListenAddress {
    /// HOST:PORT
    pub(crate) address: String,
    pub(crate) is_tls: bool,
}

impl FromStr for ListenAddress {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (rest, is_tls, port) = match text.split_once("://") {
            None => (text, false, 1935),
            Some(("rtmp", rest)) => (rest, false, 1935),
            Some(("rtmps", rest)) => (rest, true, 443),
            Some((scheme, _)) => return Err(format!("scheme {scheme} is not rtmp or rtmps")),
        };
        let rest = rest.trim_end_matches('/');
        if rest.is_empty() {
            return Err("no address".into());
        }
        let has_port = match rest.rsplit_once(':') {
            // A colon inside brackets, or one of several, belongs to an IPv6 address.
            Some((host, port)) => {
                (!host.contains(':') || host.ends_with(']')) && port.parse::<u16>().is_ok()
            }
            None => false,
        };
        let address = match rest.parse::<std::net::Ipv6Addr>() {
            Ok(ip) => format!("[{ip}]:{port}"),
            Err(_) if has_port => rest.to_owned(),
            Err(_) if rest.contains(':') && !rest.ends_with(']') => {
                return Err("port is not a number up to 65535".into());
            }
            Err(_) => format!("{rest}:{port}"),
        };
        Ok(Self { address, is_tls })
    }
}

/// A secret that logs and usage messages never show.
#[derive(Clone)]
pub(crate) struct Key(String);

impl Key {
    /// Compares in a time that tells nothing about where the difference is.
    pub(crate) fn matches(&self, given: &str) -> bool {
        let differences = self
            .0
            .bytes()
            .zip(given.bytes())
            .fold(0, |seen, (ours, theirs)| seen | (ours ^ theirs));
        self.0.len() == given.len() && differences == 0
    }
}

impl FromStr for Key {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "" => Err("an empty key would let everybody in".into()),
            _ => Ok(Self(text.to_owned())),
        }
    }
}

impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Key(…)")
    }
}

/// A URL, or what is wrong with it. Not an error to the parser of the command line, which would show
/// the text that was given and with it the stream key.
pub(crate) type Url = Result<RtmpUrl, UrlError>;

fn url(text: &str) -> Result<Url, Infallible> {
    Ok(text.parse())
}

fn relay_source(text: &str) -> Result<RelaySource, Infallible> {
    Ok(match text.contains("://") {
        true => RelaySource::Url(text.parse()),
        false => RelaySource::File(text.into()),
    })
}

pub(crate) fn seconds(text: &str) -> Result<Duration, String> {
    let seconds: f64 = text
        .parse()
        .map_err(|_| "not a number of seconds".to_owned())?;
    Duration::try_from_secs_f64(seconds).map_err(|_| "not a duration".to_owned())
}

/// Up to as long as it makes sense for something that is live.
fn millis(text: &str) -> Result<Duration, String> {
    match text.parse() {
        Ok(millis @ 0..=10_000) => Ok(Duration::from_millis(millis)),
        _ => Err("not a number of milliseconds up to 10000".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn the_command_line_is_consistent() {
        Args::command().debug_assert();
    }

    #[test]
    fn listen_addresses() {
        let address = |text: &str| text.parse::<ListenAddress>().map(|a| (a.address, a.is_tls));
        assert_eq!(address("127.0.0.1"), Ok(("127.0.0.1:1935".into(), false)));
        assert_eq!(address("[::]:80"), Ok(("[::]:80".into(), false)));
        assert_eq!(address("::1"), Ok(("[::1]:1935".into(), false)));
        assert_eq!(address("[::1]"), Ok(("[::1]:1935".into(), false)));
        assert_eq!(address("rtmps://host"), Ok(("host:443".into(), true)));
        assert_eq!(address("rtmps://host:1/"), Ok(("host:1".into(), true)));
        assert!(address("http://host").is_err());
        assert!(address("host:99999").is_err());
        assert!(address("").is_err());
    }

    #[test]
    fn zero_is_no_limit() {
        let maximum = |text: &str| text.parse::<Maximum>().unwrap();
        assert!(maximum("0").allows(usize::MAX - 1));
        assert!(maximum("2").allows(1) && !maximum("2").allows(2));
        assert!("-1".parse::<Maximum>().is_err());
        let mebibytes = |text: &str| text.parse::<Mebibytes>().unwrap().bytes();
        assert_eq!(mebibytes("3"), 3 << 20);
        assert_eq!(mebibytes("0"), usize::MAX);
    }

    #[test]
    fn keys_are_compared_whole_and_never_shown() {
        let key: Key = "secret".parse().unwrap();
        assert!(key.matches("secret"));
        assert!(!key.matches("secre") && !key.matches("secrets") && !key.matches("Secret"));
        assert_eq!(format!("{key:?}"), "Key(…)");
        assert!("".parse::<Key>().is_err());
    }
}
