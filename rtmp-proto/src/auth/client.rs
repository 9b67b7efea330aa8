//! The side that has a password.

use alloc::{format, string::String};
use core::fmt;

use super::{Credentials, Scheme, app_path, escaped, parameter, repeatable, response};
use crate::{message::Status, session::ConnectParams, url::RtmpUrl};

/// A client's way through the connections that authentication takes.
///
/// ```text
/// Plain -> Introduced -> Responding     one step for each refusal, then AuthError
///   └────────────────────────^          servers may give the challenge at once
/// ```
///
/// Connect with [`params`](Self::params). If the server refuses, ask [`refused`](Self::refused)
/// whether to connect again, and do so until it says no.
///
/// ```
/// use rtmp_proto::{ConnectParams, RtmpUrl, Status, StatusCode, auth};
///
/// let url: RtmpUrl = "rtmp://user:password@host/live/key".parse()?;
/// let mut auth = auth::Client::of(&url);
/// let first = auth.params(ConnectParams::publisher(&url));
/// // Session::publish_with(now, &url, first) ends with CloseReason::Refused(status):
/// # let description = "[ code=403 need auth; authmod=adobe ]";
/// # let status = Status::error(StatusCode::CONNECT_REJECTED, description);
/// auth.refused(&status, 42)?;
/// let second = auth.params(ConnectParams::publisher(&url));
/// // … and so on with a new session.
/// # assert_ne!(first, second);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone)]
pub struct Client {
    /// There are some from the second step on.
    credentials: Option<Credentials>,
    step: Step,
}

impl Client {
    /// Before the first connection.
    pub const fn new(credentials: Credentials) -> Self {
        Self {
            credentials: Some(credentials),
            step: Step::Plain,
        }
    }

    /// The same with the [credentials of `url`](Credentials::of). Where there are none, it gets in as
    /// long as nobody asks.
    pub fn of(url: &RtmpUrl) -> Self {
        Self {
            credentials: Credentials::of(url),
            step: Step::Plain,
        }
    }

    /// What to connect with next: `params` with a query added to `app` and `tcUrl`.
    ///
    /// It is added behind a question mark even where there is one already, as ffmpeg, OBS and
    /// gortmplib do.
    #[must_use]
    pub fn params(&self, params: ConnectParams) -> ConnectParams {
        let Some(credentials) = &self.credentials else {
            return params;
        };
        let user = escaped(&credentials.user);
        let query = match &self.step {
            Step::Plain => return params,
            Step::Introduced(scheme) => format!("?authmod={}&user={user}", scheme.name()),
            Step::Responding(challenge) => {
                let app = params.property("app").unwrap_or_default();
                challenge.answer(credentials, &user, app_path(app))
            }
        };
        ["app", "tcUrl"].into_iter().fold(params, |params, name| {
            let value = format!("{}{query}", params.property(name).unwrap_or_default());
            params.with_property(name, value)
        })
    }

    /// The server refused `connect` with `status` and closes the connection. `Ok` means: connect
    /// again with new [`params`](Self::params). `random` makes the response differ each time.
    ///
    /// # Errors
    ///
    /// Connecting again would not help; this client is as it was.
    pub fn refused(&mut self, status: &Status, random: u32) -> Result<(), AuthError> {
        let text = &*status.description;
        let said = match &self.step {
            Step::Plain => None,
            Step::Introduced(scheme) => Some(*scheme),
            Step::Responding(challenge) => Some(challenge.scheme()),
        };
        let is_about_this = text.contains("authmod=") || text.contains("?reason=");
        let scheme = Scheme::named_in(text).or(said);
        let scheme = match scheme {
            Some(scheme) if is_about_this => scheme,
            _ if is_about_this => return Err(AuthError::UnknownScheme),
            _ => return Err(AuthError::NotAsked),
        };
        if self.credentials.is_none() {
            return Err(AuthError::NoCredentials);
        }
        self.step = match parameter(text, "reason") {
            Some("nosuchuser") => return Err(AuthError::NoSuchUser),
            Some("needauth") => match self.step {
                Step::Responding(_) => return Err(AuthError::Repeated),
                _ => Step::Responding(Challenge::read(scheme, text, random)?),
            },
            Some(_) => return Err(AuthError::WrongPassword),
            None => match self.step {
                Step::Plain => Step::Introduced(scheme),
                _ => return Err(AuthError::Repeated),
            },
        };
        Ok(())
    }
}

impl fmt::Debug for Client {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let step = match self.step {
            Step::Plain => "Plain",
            Step::Introduced(_) => "Introduced",
            Step::Responding(_) => "Responding",
        };
        f.debug_struct("Client")
            .field("step", &step)
            .finish_non_exhaustive()
    }
}

/// Why a client does not get in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum AuthError {
    /// The refusal has to do with something else.
    #[error("the server refuses for another reason")]
    NotAsked,
    /// The server wants a user and a password, and there are none.
    #[error("the server wants a user and a password")]
    NoCredentials,
    /// The server wants another kind of authentication.
    #[error("the server wants an authentication that is not known")]
    UnknownScheme,
    /// The challenge lacks something, or is absurdly long.
    #[error("the server's challenge is malformed")]
    MalformedChallenge,
    /// The server asks again for what it was told.
    #[error("the server asks for the same again")]
    Repeated,
    /// The server does not know the user.
    #[error("the server does not know the user")]
    NoSuchUser,
    /// The response was wrong.
    #[error("wrong user or password")]
    WrongPassword,
}

#[derive(Clone)]
enum Step {
    Plain,
    Introduced(Scheme),
    Responding(Challenge),
}

/// What the server wants an answer to.
#[derive(Clone)]
enum Challenge {
    Adobe {
        salt: String,
        challenge: String,
        opaque: Option<String>,
        counter: String,
    },
    Limelight {
        nonce: String,
        counter: String,
    },
}

impl Challenge {
    fn read(scheme: Scheme, text: &str, random: u32) -> Result<Self, AuthError> {
        let value = |key| match parameter(text, key) {
            Some("") | None => Ok(None),
            Some(value) => match repeatable(value) {
                Some(value) => Ok(Some(value)),
                None => Err(AuthError::MalformedChallenge),
            },
        };
        let counter = format!("{random:08x}");
        Ok(match scheme {
            Scheme::Adobe => {
                let opaque = value("opaque")?;
                let challenge = value("challenge")?.or_else(|| opaque.clone());
                Self::Adobe {
                    salt: value("salt")?.unwrap_or_default(),
                    challenge: challenge.ok_or(AuthError::MalformedChallenge)?,
                    opaque,
                    counter,
                }
            }
            Scheme::Limelight => Self::Limelight {
                nonce: value("nonce")?.ok_or(AuthError::MalformedChallenge)?,
                counter,
            },
        })
    }

    const fn scheme(&self) -> Scheme {
        match self {
            Self::Adobe { .. } => Scheme::Adobe,
            Self::Limelight { .. } => Scheme::Limelight,
        }
    }

    fn answer(&self, credentials: &Credentials, user: &str, app_path: &str) -> String {
        match self {
            Self::Adobe {
                salt,
                challenge,
                opaque,
                counter,
            } => {
                // Where the server sends both, the response is about `opaque` (ffmpeg, librtmp).
                let about = opaque.as_ref().unwrap_or(challenge);
                let response = response::adobe(credentials, salt, about, counter);
                let opaque = opaque
                    .as_ref()
                    .map_or_else(String::new, |opaque| format!("&opaque={opaque}"));
                format!(
                    "?authmod=adobe&user={user}&challenge={counter}&response={response}{opaque}"
                )
            }
            Self::Limelight { nonce, counter } => {
                let response =
                    response::limelight(credentials, app_path, nonce, NONCE_COUNT, counter);
                format!(
                    "?authmod=llnw&user={user}&nonce={nonce}&cnonce={counter}&nc={NONCE_COUNT}\
                     &response={response}"
                )
            }
        }
    }
}

/// Each nonce is used once.
const NONCE_COUNT: &str = "00000001";

#[cfg(test)]
mod tests {
    use alloc::{string::ToString, vec::Vec};

    use proptest::prelude::*;

    use super::*;
    use crate::message::StatusCode;

    fn client() -> Client {
        Client::new(Credentials::new("us&er", "pass"))
    }

    fn params(client: &Client) -> [String; 2] {
        let url = "rtmp://user:pass@host/live/key".parse().unwrap();
        let params = client.params(ConnectParams::publisher(&url));
        ["app", "tcUrl"].map(|name| params.property(name).unwrap().to_string())
    }

    fn refused(client: &mut Client, description: &str) -> Result<(), AuthError> {
        let status = Status::error(StatusCode::CONNECT_REJECTED, description);
        client.refused(&status, 42)
    }

    /// NC-59: the descriptions of Flash Media Server.
    #[test]
    fn adobe_dialogue() {
        let mut client = client();
        assert_eq!(params(&client), ["live", "rtmp://host/live"]);
        refused(
            &mut client,
            "[ AccessManager.Reject ] : [ code=403 need auth; authmod=adobe ] : ",
        )
        .unwrap();
        let query = "?authmod=adobe&user=us%26er";
        let expected = ["live", "rtmp://host/live"].map(|text| format!("{text}{query}"));
        assert_eq!(params(&client), expected);
        refused(
            &mut client,
            "[ AccessManager.Reject ] : [ authmod=adobe ] : ?reason=needauth&user=us%26er&salt=s1==\
             &challenge=c1&opaque=o1==",
        )
        .unwrap();
        let credentials = Credentials::new("us&er", "pass");
        let response = response::adobe(&credentials, "s1==", "o1==", "0000002a");
        let query = format!("{query}&challenge=0000002a&response={response}&opaque=o1==");
        let expected = ["live", "rtmp://host/live"].map(|text| format!("{text}{query}"));
        assert_eq!(params(&client), expected);
        assert_eq!(
            refused(&mut client, "authmod=adobe ?reason=authfailed&opaque=o1=="),
            Err(AuthError::WrongPassword)
        );
    }

    /// gortmplib gives no `opaque`, Wowza the challenge with the first refusal.
    #[test]
    fn challenge_without_opaque_at_once() {
        let mut client = client();
        refused(
            &mut client,
            "[ code=403 need auth; authmod=adobe ] : /live : ?reason=needauth&user=&salt=s&challenge=c",
        )
        .unwrap();
        let credentials = Credentials::new("us&er", "pass");
        let response = response::adobe(&credentials, "s", "c", "0000002a");
        let [app, _] = params(&client);
        assert!(app.ends_with(&format!("&challenge=0000002a&response={response}")));
    }

    #[test]
    fn limelight_dialogue() {
        let mut client = client();
        refused(&mut client, "code=403 need auth; authmod=llnw").unwrap();
        assert_eq!(params(&client)[0], "live?authmod=llnw&user=us%26er");
        refused(
            &mut client,
            "authmod=llnw : ?reason=needauth&user=u&nonce=n1",
        )
        .unwrap();
        let credentials = Credentials::new("us&er", "pass");
        let response = response::limelight(&credentials, "live", "n1", "00000001", "0000002a");
        assert_eq!(
            params(&client)[0],
            format!(
                "live?authmod=llnw&user=us%26er&nonce=n1&cnonce=0000002a&nc=00000001\
                 &response={response}"
            )
        );
    }

    #[test]
    fn what_ends_the_attempts() {
        let long = format!(
            "authmod=adobe ?reason=needauth&salt=s&challenge={}",
            "c".repeat(257)
        );
        for (descriptions, error) in [
            (&["no such application"][..], AuthError::NotAsked),
            (&["authmod=kerberos"], AuthError::UnknownScheme),
            (&["?reason=needauth&nonce=x"], AuthError::UnknownScheme),
            (&["authmod=adobe ?reason=nosuchuser"], AuthError::NoSuchUser),
            (
                &["authmod=adobe ?reason=needauth&salt=s"],
                AuthError::MalformedChallenge,
            ),
            (
                &["authmod=llnw ?reason=needauth&nonce="],
                AuthError::MalformedChallenge,
            ),
            (&[&long], AuthError::MalformedChallenge),
            (
                &["authmod=adobe need auth", "authmod=adobe need auth"],
                AuthError::Repeated,
            ),
            (
                &[
                    "authmod=llnw ?reason=needauth&nonce=1",
                    "?reason=needauth&nonce=2",
                ],
                AuthError::Repeated,
            ),
        ] {
            let mut client = client();
            let outcomes: Vec<_> = descriptions
                .iter()
                .map(|description| refused(&mut client, description))
                .collect();
            let (last, before) = outcomes.split_last().unwrap();
            assert!(before.iter().all(Result::is_ok));
            assert_eq!(*last, Err(error), "{descriptions:?}");
        }
    }

    #[test]
    fn without_credentials() {
        let url = "rtmp://user@host/live/key".parse().unwrap();
        let mut client = Client::of(&url);
        let asked = refused(&mut client, "code=403 need auth; authmod=adobe");
        assert_eq!(asked, Err(AuthError::NoCredentials));
        let not_asked = refused(&mut client, "no such application");
        assert_eq!(not_asked, Err(AuthError::NotAsked));
        let params = ConnectParams::publisher(&url);
        assert_eq!(client.params(params.clone()), params);
    }

    proptest! {
        /// Whatever a server says, there are at most two further attempts.
        #[test]
        fn attempts_are_few(texts in prop::collection::vec(
            "(authmod=(adobe|llnw))?(\\?reason=(needauth|authfailed))?(&(salt|nonce|challenge|opaque)=.{0,5}){0,3}",
            3..6,
        )) {
            let mut client = client();
            let further = texts
                .iter()
                .take_while(|text| refused(&mut client, text).is_ok())
                .count();
            prop_assert!(further <= 2);
        }
    }
}
