//! When and where a client connects again.

use core::time::Duration;

use crate::{
    amf::Value,
    backoff::{Backoff, BackoffConfig},
    message::{Status, StatusCode},
    retry::Retry,
    time::Instant,
    url::{RedirectError, RtmpUrl},
};

/// Decides what a client that outlives its connections does next. Pure: time and chance are passed in.
///
/// ```text
///           connected()            ended() -> Wait: sleep, then connect to target()
/// attempt ─────────────> in use ─────────>
///    └────────────────────────────────────> GiveUp
/// ```
///
/// A server may ask for a reconnect elsewhere ([`redirect`](Self::redirect)). If that fails before it
/// was of use, the next attempt goes to the URL the client began with.
#[derive(Clone, Debug)]
pub struct Reconnect {
    config: ReconnectConfig,
    home: RtmpUrl,
    target: RtmpUrl,
    backoff: Backoff,
    /// Doubtful attempts in a row.
    doubtful: u32,
    is_connected: bool,
}

/// How a [`Reconnect`] decides.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct ReconnectConfig {
    /// The waits between attempts.
    pub backoff: BackoffConfig,
    /// Attempts in a row that may fail before the client gives up. Default `None`: no end.
    pub max_attempts: Option<u32>,
    /// Attempts in a row at what is [doubtful](Retry::AFewTimes). Default 8: with the default waits
    /// about half a minute, in which servers notice that a connection is dead and let go of its name.
    pub max_doubtful: u32,
}

impl Default for ReconnectConfig {
    fn default() -> Self {
        Self {
            backoff: BackoffConfig::default(),
            max_attempts: None,
            max_doubtful: 8,
        }
    }
}

/// What to do after a connection has ended, or an attempt has failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use]
#[expect(clippy::exhaustive_enums, reason = "either it goes on or it does not")]
pub enum Next {
    /// Connect to [`Reconnect::target`] after this time.
    Wait {
        /// Which attempt in a row that will be, from 1.
        attempt: u32,
        /// How long to wait.
        delay: Duration,
    },
    /// It is over.
    GiveUp,
}

impl Reconnect {
    /// Before the first attempt.
    pub fn new(url: RtmpUrl, config: ReconnectConfig) -> Self {
        Self {
            target: url.clone(),
            home: url,
            backoff: Backoff::new(config.backoff),
            config,
            doubtful: 0,
            is_connected: false,
        }
    }

    /// Where to connect to.
    pub const fn target(&self) -> &RtmpUrl {
        &self.target
    }

    /// The server has accepted what was asked.
    pub const fn connected(&mut self, now: Instant) {
        self.is_connected = true;
        self.doubtful = 0;
        self.backoff.succeeded(now);
    }

    /// The attempt has failed, or the connection has ended. `random` is drawn evenly from all numbers.
    pub fn ended(&mut self, now: Instant, retry: Retry, random: u32) -> Next {
        let was_redirected = !self.is_connected && self.target != self.home;
        self.is_connected = false;
        if was_redirected {
            self.target = self.home.clone();
        }
        self.doubtful = match retry {
            Retry::Always => 0,
            Retry::AFewTimes => self.doubtful + 1,
            // The other server has no say in whether this one accepts.
            Retry::Never if was_redirected => 0,
            Retry::Never => return Next::GiveUp,
        };
        let delay = self.backoff.failed(now, random);
        let attempt = self.backoff.failures();
        let is_too_many = self.config.max_attempts.is_some_and(|max| attempt > max);
        if is_too_many || self.doubtful > self.config.max_doubtful {
            return Next::GiveUp;
        }
        Next::Wait { attempt, delay }
    }

    /// Takes note of a status: whether it asks for a reconnect, and then where to.
    ///
    /// The client goes on until a good moment (a key frame), closes, says so by
    /// [`moving`](Self::moving), and connects to [`target`](Self::target).
    /// [E-RTMP v2 "Message Flow When Handling NetConnection.Connect.ReconnectRequest"]
    ///
    /// # Errors
    ///
    /// It asks for a reconnect to somewhere the client does not go; the target stays as it is.
    pub fn redirect(&mut self, status: &Status) -> Result<bool, RedirectError> {
        if status.code != StatusCode::CONNECT_RECONNECT_REQUEST {
            return Ok(false);
        }
        if let Some(tc_url) = status.details.get("tcUrl").and_then(Value::as_str) {
            self.target = self.target.redirected(tc_url)?;
        }
        Ok(true)
    }

    /// The connection was closed because the server asked for it: how long to wait before the next one.
    /// Not at all, unless this one was short: two servers may send a client back and forth.
    pub fn moving(&mut self, now: Instant, random: u32) -> Duration {
        self.is_connected = false;
        let is_stable = self.backoff.is_stable(now);
        let is_first = self.backoff.failures() == 0;
        let delay = self.backoff.failed(now, random);
        match is_stable || is_first {
            true => Duration::ZERO,
            false => delay,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Instant = Instant::ORIGIN;

    fn reconnect(config: ReconnectConfig) -> Reconnect {
        let url = "rtmp://home/live/key".parse().expect("a valid URL");
        Reconnect::new(url, config)
    }

    fn request(tc_url: &str) -> Status {
        Status::new(StatusCode::CONNECT_RECONNECT_REQUEST, "").with("tcUrl", tc_url)
    }

    fn waits(next: Next) -> bool {
        matches!(next, Next::Wait { .. })
    }

    #[test]
    fn attempts_are_counted_and_waits_grow() {
        let mut reconnect = reconnect(ReconnectConfig::default());
        for (attempt, millis) in [(1, 500), (2, 1000), (3, 2000)] {
            let delay = Duration::from_millis(millis);
            let next = reconnect.ended(NOW, Retry::Always, 0);
            assert_eq!(next, Next::Wait { attempt, delay });
        }
    }

    #[test]
    fn rejections_end_it() {
        let mut reconnect = reconnect(ReconnectConfig::default());
        assert_eq!(reconnect.ended(NOW, Retry::Never, 0), Next::GiveUp);
    }

    #[test]
    fn doubtful_attempts_are_few() {
        let mut reconnect = reconnect(ReconnectConfig::default());
        for _ in 0..8 {
            assert!(waits(reconnect.ended(NOW, Retry::AFewTimes, 0)));
        }
        assert_eq!(
            reconnect.clone().ended(NOW, Retry::AFewTimes, 0),
            Next::GiveUp
        );
        assert!(waits(reconnect.ended(NOW, Retry::Always, 0)));
        assert!(waits(reconnect.ended(NOW, Retry::AFewTimes, 0)));
    }

    #[test]
    fn attempts_may_be_limited() {
        let max_attempts = Some(2);
        let mut reconnect = reconnect(ReconnectConfig {
            max_attempts,
            ..ReconnectConfig::default()
        });
        assert!(waits(reconnect.ended(NOW, Retry::Always, 0)));
        assert!(waits(reconnect.ended(NOW, Retry::Always, 0)));
        assert_eq!(reconnect.ended(NOW, Retry::Always, 0), Next::GiveUp);
    }

    #[test]
    fn redirection() {
        let mut reconnect = reconnect(ReconnectConfig::default());
        reconnect.connected(NOW);
        let other = Status::new(StatusCode::CONNECT_CLOSED, "").with("tcUrl", "//x/y");
        assert_eq!(reconnect.redirect(&other), Ok(false));
        assert_eq!(reconnect.target().host(), "home");
        assert_eq!(reconnect.redirect(&request("//away/else")), Ok(true));
        assert_eq!(reconnect.target().tc_url(), "rtmp://away/else");
        assert_eq!(reconnect.moving(NOW, 0), Duration::ZERO);
        // Its failure, even a final one, sends the client home.
        assert!(waits(reconnect.ended(NOW, Retry::Never, 0)));
        assert_eq!(reconnect.target().host(), "home");
        assert_eq!(reconnect.ended(NOW, Retry::Never, 0), Next::GiveUp);
    }

    /// A server that was of use is connected to again.
    #[test]
    fn a_redirection_that_worked_stays() {
        let mut reconnect = reconnect(ReconnectConfig::default());
        reconnect.connected(NOW);
        assert_eq!(reconnect.redirect(&request("//away/else")), Ok(true));
        let _ = reconnect.moving(NOW, 0);
        reconnect.connected(NOW);
        assert!(waits(reconnect.ended(NOW, Retry::Always, 0)));
        assert_eq!(reconnect.target().host(), "away");
    }

    #[test]
    fn being_sent_back_and_forth_slows_down() {
        let mut reconnect = reconnect(ReconnectConfig::default());
        reconnect.connected(NOW);
        assert_eq!(reconnect.moving(NOW, 0), Duration::ZERO);
        reconnect.connected(NOW);
        assert_eq!(reconnect.moving(NOW, 0), Duration::from_secs(1));
        reconnect.connected(NOW);
        let later = NOW + Duration::from_secs(60);
        assert_eq!(reconnect.moving(later, 0), Duration::ZERO);
    }

    #[test]
    fn bad_targets_change_nothing() {
        let mut reconnect = reconnect(ReconnectConfig::default());
        assert!(reconnect.redirect(&request("http://x/")).is_err());
        assert_eq!(reconnect.target().host(), "home");
        let plain = Status::new(StatusCode::CONNECT_RECONNECT_REQUEST, "");
        assert_eq!(reconnect.redirect(&plain), Ok(true));
        assert_eq!(reconnect.target().host(), "home");
    }
}
