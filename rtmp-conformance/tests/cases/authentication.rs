//! Clients whose URL holds a user and a password, and servers that ask for them. The module around it
//! says which adapter's and how to run it.

use std::time::Duration;

use rtmp_conformance::{apart, patient};
use rtmp_proto::{
    CloseReason, ConnectParams, Instant, PublisherState, ReconnectConfig, RtmpUrl, Server,
    ServerEvent, Status, StatusCode,
    auth::{self, AuthError, Decision, Scheme},
};

use super::{
    adapter::{
        Connection, Error, Listener, Player, Publisher, PublisherEvent, ReconnectingPublisher,
    },
    block_on,
};

#[test]
fn a_publisher_signs_in() {
    for scheme in [Scheme::Adobe, Scheme::Limelight] {
        let (outcome, connections) = attempt(scheme, "user:p%40ss@", async |url| {
            Publisher::connect(&url, patient(), None)
                .await?
                .finish()
                .await
        });
        outcome.unwrap();
        assert_eq!(connections, 3, "{scheme:?}");
    }
}

#[test]
fn a_player_signs_in() {
    let (outcome, connections) = attempt(Scheme::Adobe, "user:p%40ss@", async |url| {
        let params = ConnectParams::player(&url).reconnecting();
        let player = Player::connect_with(&url, patient(), None, params).await?;
        player.finish().await
    });
    outcome.unwrap();
    assert_eq!(connections, 3);
}

/// Asking for a password is no failure, so it does not wait before it answers.
#[test]
fn a_publisher_that_connects_again_signs_in() {
    let (events, connections) = attempt(Scheme::Adobe, "user:p%40ss@", async |url| {
        let mut publisher = reconnecting(url);
        let event = publisher.next_event().await;
        publisher.finish().await.unwrap();
        event
    });
    assert!(
        matches!(events, Some(PublisherEvent::Connected { connection: 1 })),
        "{events:?}"
    );
    assert_eq!(connections, 3);
}

#[test]
fn a_wrong_password_is_told() {
    let (outcome, connections) = attempt(Scheme::Adobe, "user:wrong@", async |url| {
        Publisher::connect(&url, patient(), None).await
    });
    let error = outcome.unwrap_err();
    assert!(
        matches!(error, Error::Auth(AuthError::WrongPassword)),
        "{error:?}"
    );
    assert_eq!(error.to_string(), "wrong user or password");
    assert_eq!(connections, 3);
}

#[test]
fn a_wrong_password_is_final() {
    let (state, connections) = attempt(Scheme::Limelight, "user:wrong@", async |url| {
        let mut publisher = reconnecting(url);
        let event = publisher.next_event().await;
        assert!(
            matches!(
                event,
                Some(PublisherEvent::GaveUp(Error::Auth(
                    AuthError::WrongPassword
                )))
            ),
            "{event:?}"
        );
        publisher.state()
    });
    assert_eq!(state, PublisherState::GaveUp);
    assert_eq!(connections, 3);
}

#[test]
fn a_missing_password_is_told() {
    let (outcome, connections) = attempt(Scheme::Adobe, "", async |url| {
        Player::connect(&url, patient(), None).await
    });
    let error = outcome.unwrap_err();
    assert!(
        matches!(error, Error::Auth(AuthError::NoCredentials)),
        "{error:?}"
    );
    assert_eq!(connections, 1);
}

/// A password does not make another refusal something else.
#[test]
fn a_refusal_for_another_reason_stays() {
    let (outcome, connections) = attempt(Scheme::Adobe, "user:p%40ss@", async |mut url| {
        url = url.with_stream("closed", "key").unwrap();
        Publisher::connect(&url, patient(), None).await
    });
    let error = outcome.unwrap_err();
    assert!(
        matches!(error, Error::Closed(CloseReason::Refused(_))),
        "{error:?}"
    );
    assert_eq!(connections, 1);
}

/// What comes of `client` at a server that wants a password, and how many connections it made.
fn attempt<T>(
    scheme: Scheme,
    userinfo: &str,
    client: impl AsyncFnOnce(RtmpUrl) -> T,
) -> (T, usize) {
    block_on(async {
        let listener = Listener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let url = format!("rtmp://{userinfo}{address}/live/key").parse();
        let client = async {
            let outcome = client(url.unwrap()).await;
            // One more connection tells the server that this was all.
            let stop = format!("rtmp://{address}/stop").parse().unwrap();
            let _ = Publisher::connect(&stop, patient(), None).await;
            outcome
        };
        apart(client, guard(&listener, scheme)).await
    })
}

/// Serves one connection after the other until one asks for the app "stop", and counts those before.
async fn guard(listener: &Listener, scheme: Scheme) -> usize {
    let auth = auth::Server::new(scheme, [5; 32]);
    let mut count = 0;
    loop {
        let (incoming, _) = listener.accept().await.unwrap();
        let io = incoming.establish().await.unwrap();
        let mut server: Connection<_, Server> = Connection::new(io, patient()).unwrap();
        let mut is_last = false;
        while let Ok(event) = server.next_event().await {
            let now = server.now();
            match event {
                ServerEvent::Connect(request) => {
                    is_last = request.app() == "stop";
                    if is_last || request.app() == "closed" {
                        let status = Status::error(StatusCode::CONNECT_REJECTED, "closed");
                        server.session().reject(now, request, status).unwrap();
                        continue;
                    }
                    let password_of = |user: &str| (user == "user").then(|| "p@ss".to_owned());
                    match auth.decide(Instant::ORIGIN, &request, password_of) {
                        Decision::Accept { .. } => server.session().accept(now, request).unwrap(),
                        Decision::Reject(status) => {
                            server.session().reject(now, request, status).unwrap();
                        }
                    }
                }
                ServerEvent::Publish(request) => server.session().accept(now, request).unwrap(),
                ServerEvent::Play(request) => server.session().accept(now, request).unwrap(),
                _ => {}
            }
        }
        if is_last {
            return count;
        }
        count += 1;
    }
}

/// It does not wait between attempts.
fn reconnecting(url: RtmpUrl) -> ReconnectingPublisher {
    let mut config = ReconnectConfig::default();
    config.backoff.initial = Duration::ZERO;
    ReconnectingPublisher::new(url, patient(), None, config)
}
