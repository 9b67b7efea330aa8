//! The side that knows the passwords.

use alloc::{
    format,
    string::{String, ToString},
};
use core::{fmt, time::Duration};

use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;

use super::{Credentials, Scheme, app_path, parameter, repeatable, response};
use crate::{
    message::{Status, StatusCode},
    session::ConnectRequest,
    stream_name::percent_decode,
    time::Instant,
};

/// Decides who may connect. One for all connections: it keeps nothing of any of them.
///
/// Challenges are computed from a secret and the time, and are valid for one to two minutes, so a
/// response that was overheard can be used again for as long.
#[derive(Clone)]
pub struct Server {
    scheme: Scheme,
    secret: [u8; 32],
}

/// What to do with a [`ConnectRequest`].
#[derive(Clone, Debug, PartialEq)]
#[must_use]
#[expect(clippy::exhaustive_enums, reason = "either it gets in or it does not")]
pub enum Decision {
    /// Accept it: it comes from this user.
    Accept {
        /// The name of the user.
        user: String,
    },
    /// Reject it with this status, by which a client that has a password knows what to do next.
    Reject(Status),
}

impl Server {
    /// A server of `scheme`. `secret` must be unknown to others, and random.
    pub const fn new(scheme: Scheme, secret: [u8; 32]) -> Self {
        Self { scheme, secret }
    }

    /// Decides about `request`. `password_of` gives the password of a user, `None` if there is no
    /// such user, and is asked only when a response must be checked.
    ///
    /// `now` counts from the same origin for all connections, other than the `now` of sessions.
    pub fn decide(
        &self,
        now: Instant,
        request: &ConnectRequest,
        password_of: impl FnOnce(&str) -> Option<String>,
    ) -> Decision {
        self.decide_for_app(now, request.app(), password_of)
    }

    fn decide_for_app(
        &self,
        now: Instant,
        app: &str,
        password_of: impl FnOnce(&str) -> Option<String>,
    ) -> Decision {
        let name = self.scheme.name();
        let user = parameter(app, "user").filter(|_| parameter(app, "authmod") == Some(name));
        let Some(raw_user) = user else {
            return rejection(&format!("code=403 need auth; authmod={name}"), "");
        };
        let method = format!("authmod={name}");
        let Some(raw_user) = repeatable(raw_user) else {
            return rejection(&method, "?reason=authfailed");
        };
        let user = percent_decode(&raw_user);
        let Some(response) = parameter(app, "response") else {
            let challenge = self.challenge(&user, window(now));
            let salt = self.salt(&user);
            return rejection(
                &method,
                &match self.scheme {
                    // Without `opaque`: some clients would answer that, others the challenge.
                    Scheme::Adobe => format!(
                        "?reason=needauth&user={raw_user}&salt={salt}&challenge={challenge}"
                    ),
                    Scheme::Limelight => {
                        format!("?reason=needauth&user={raw_user}&nonce={challenge}")
                    }
                },
            );
        };
        // Whether there is such a user takes no less time to say.
        let password = password_of(&user);
        let exists = password.is_some();
        let credentials = Credentials::new(&*user, password.unwrap_or_default());
        let value = |key| parameter(app, key).unwrap_or_default();
        let is_right = [window(now), window(now).wrapping_sub(1)]
            .map(|window| {
                let challenge = self.challenge(&user, window);
                let expected = match self.scheme {
                    Scheme::Adobe => {
                        let salt = self.salt(&user);
                        response::adobe(&credentials, &salt, &challenge, value("challenge"))
                    }
                    Scheme::Limelight => response::limelight(
                        &credentials,
                        app_path(app),
                        &challenge,
                        value("nc"),
                        value("cnonce"),
                    ),
                };
                is_same(&expected, response)
            })
            .contains(&true);
        match exists && is_right {
            true => Decision::Accept {
                user: user.to_string(),
            },
            false => rejection(&method, "?reason=authfailed"),
        }
    }

    fn challenge(&self, user: &str, window: u64) -> String {
        self.token(&[b"challenge", &window.to_be_bytes(), user.as_bytes()])
    }

    /// The same for a user each time, so that a server could keep what is hashed with it.
    fn salt(&self, user: &str) -> String {
        self.token(&[b"salt", user.as_bytes()])
    }

    fn token(&self, parts: &[&[u8]]) -> String {
        let mut hmac =
            Hmac::<Sha256>::new_from_slice(&self.secret).expect("HMAC takes keys of any length");
        for part in parts {
            hmac.update(part);
        }
        let token: [u8; 32] = hmac.finalize().into_bytes().into();
        let short = token.iter().take(TOKEN_LEN);
        short.map(|byte| format!("{byte:02x}")).collect()
    }
}

impl fmt::Debug for Server {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Server")
            .field("scheme", &self.scheme)
            .finish_non_exhaustive()
    }
}

/// A refusal in the words of Flash Media Server, which clients search for what they know.
fn rejection(method: &str, challenge: &str) -> Decision {
    let description = format!("[ AccessManager.Reject ] : [ {method} ] : {challenge}");
    Decision::Reject(Status::error(StatusCode::CONNECT_REJECTED, description))
}

/// The number of the period that `now` is in.
const fn window(now: Instant) -> u64 {
    now.since_origin().as_secs() / WINDOW.as_secs()
}

/// Compares in a time that does not tell where the first difference is.
fn is_same(a: &str, b: &str) -> bool {
    let pairs = a.bytes().zip(b.bytes());
    a.len() == b.len() && pairs.fold(0, |difference, (a, b)| difference | (a ^ b)) == 0
}

/// A challenge is valid to the end of the period after its own.
const WINDOW: Duration = Duration::from_secs(60);

/// Bytes of a challenge or salt, which is written in twice as many digits.
const TOKEN_LEN: usize = 8;

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::{auth, session::ConnectParams};

    const SCHEMES: [Scheme; 2] = [Scheme::Adobe, Scheme::Limelight];

    fn at(seconds: u64) -> Instant {
        Instant::from_origin(Duration::from_secs(seconds))
    }

    fn server(scheme: Scheme) -> Server {
        Server::new(scheme, [5; 32])
    }

    fn password_of(user: &str) -> Option<String> {
        (user == "us&er").then(|| "pass".to_string())
    }

    fn app(client: &auth::Client, url: &str) -> String {
        let params = client.params(ConnectParams::publisher(&url.parse().unwrap()));
        params.property("app").unwrap().to_string()
    }

    /// Connects at each of `times` until the server accepts or the client gives up.
    fn dialogue(
        scheme: Scheme,
        url: &str,
        credentials: Credentials,
        times: [u64; 3],
    ) -> Result<String, auth::AuthError> {
        let mut client = auth::Client::new(credentials);
        for now in times {
            let decision = server(scheme).decide_for_app(at(now), &app(&client, url), password_of);
            match decision {
                Decision::Accept { user } => return Ok(user),
                Decision::Reject(status) => client.refused(&status, 7)?,
            }
        }
        panic!("a client that has responded is accepted or told why not");
    }

    /// NC-59: both schemes, client against server, with one and two parts in the app, and a query.
    #[test]
    fn client_and_server() {
        for scheme in SCHEMES {
            for url in [
                "rtmp://h/live/key",
                "rtmp://h/live/inst/key",
                "rtmp://h/live?token=x",
            ] {
                let credentials = Credentials::new("us&er", "pass");
                let user = dialogue(scheme, url, credentials, [0, 1, 2]);
                assert_eq!(user.as_deref(), Ok("us&er"), "{scheme:?} {url}");
            }
        }
    }

    #[test]
    fn wrong_credentials() {
        for scheme in SCHEMES {
            for (user, password) in [
                ("us&er", "Pass"),
                ("other", "pass"),
                ("other", ""),
                ("", ""),
            ] {
                let credentials = Credentials::new(user, password);
                let outcome = dialogue(scheme, "rtmp://h/live/key", credentials, [0, 1, 2]);
                assert_eq!(outcome, Err(auth::AuthError::WrongPassword));
            }
        }
    }

    /// A challenge is good for a minute at least and for two at most.
    #[test]
    fn challenges_expire() {
        for scheme in SCHEMES {
            for (asked, answered, is_accepted) in [
                (59, 60, true),
                (0, 119, true),
                (0, 120, false),
                (60, 59, false),
            ] {
                let credentials = Credentials::new("us&er", "pass");
                let times = [asked, asked, answered];
                let outcome = dialogue(scheme, "rtmp://h/live/key", credentials, times);
                assert_eq!(outcome.is_ok(), is_accepted, "{asked} {answered}");
            }
        }
    }

    #[test]
    fn the_other_scheme_is_asked_for_again() {
        let app = "live?authmod=llnw&user=u&response=r";
        let decision = server(Scheme::Adobe).decide_for_app(at(0), app, |_| None);
        let Decision::Reject(status) = decision else {
            panic!("nobody has proven anything");
        };
        assert!(
            status
                .description
                .contains("code=403 need auth; authmod=adobe")
        );
    }

    proptest! {
        /// Nobody gets in without the password, and no answer is much longer than what is real.
        #[test]
        fn any_app(
            is_adobe in any::<bool>(),
            app in "live(\\?|\\?authmod=(adobe|llnw)&)?((user|challenge|response|nonce|nc|cnonce)=[a-z%0-9]{0,300}[?&]){0,6}",
        ) {
            let scheme = SCHEMES[usize::from(is_adobe)];
            let decision = server(scheme).decide_for_app(at(0), &app, |_| Some("password".into()));
            match decision {
                Decision::Accept { .. } => prop_assert!(false, "{app}"),
                Decision::Reject(status) => prop_assert!(status.description.len() < 500),
            }
        }
    }
}
