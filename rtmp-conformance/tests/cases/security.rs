//! TLS that is not agreed upon. The module around it says which adapter's and how to run it.

use std::{
    error::Error as _,
    fs, io,
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use rtmp_conformance::{apart, patient};
use rtmp_proto::{
    ClientConfig, CloseReason, PublisherState, ReconnectConfig, Server, ServerEvent, Timestamp,
    flv::Frame,
};

use super::{
    adapter::{
        Connection, Error, Listener, Publisher, PublisherEvent, ReconnectingPublisher,
        tls::{Acceptor, Connector, TlsError},
    },
    block_on,
};

#[test]
fn an_unknown_certificate() {
    let (certificate, key) = certificate("unknown");
    let (other, _) = self::certificate("other");
    let (client, server) = attempt(
        "rtmps://localhost",
        Some(&other),
        Some((&certificate, &key)),
    );
    let error = client.unwrap_err();
    assert!(matches!(error, Error::Tls(_)), "{error:?}");
    assert_eq!(error.to_string(), "TLS handshake failed");
    let cause = error.source().unwrap().to_string();
    assert!(cause.contains("invalid peer certificate"), "{cause}");
    assert!(matches!(server, Some(Error::Tls(_))), "{server:?}");
}

#[test]
fn a_certificate_for_another_name() {
    let (certificate, key) = certificate("name");
    let (client, _) = attempt(
        "rtmps://127.0.0.1",
        Some(&certificate),
        Some((&certificate, &key)),
    );
    let cause = client.unwrap_err().source().unwrap().to_string();
    assert!(cause.contains("not valid for name"), "{cause}");
}

#[test]
fn a_plain_client_at_a_tls_port() {
    let (certificate, key) = certificate("plain");
    let (client, server) = attempt("rtmp://localhost", None, Some((&certificate, &key)));
    assert!(matches!(server, Some(Error::Tls(_))), "{server:?}");
    let error = client.unwrap_err();
    assert!(
        matches!(error, Error::Closed(_) | Error::Io(_)),
        "{error:?}"
    );
}

#[test]
fn a_tls_client_at_a_plain_port() {
    let (certificate, _) = certificate("port");
    let (client, server) = attempt("rtmps://localhost", Some(&certificate), None);
    assert!(matches!(client, Err(Error::Tls(_))), "{client:?}");
    assert!(matches!(server, None | Some(Error::Io(_))), "{server:?}");
}

#[test]
fn no_tls_where_it_is_asked_for() {
    let url = "rtmps://127.0.0.1:1/live/key".parse().unwrap();
    let refused = block_on(Publisher::connect(&url, patient(), None));
    assert!(matches!(refused, Err(Error::NoTls)), "{refused:?}");
}

/// Nothing else ends this wait: the system accepts the connection and nobody ever speaks.
#[test]
fn a_silent_server() {
    let (certificate, _) = certificate("silent");
    let connector = Connector::new(Some(&certificate)).unwrap();
    let silent = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = silent.local_addr().unwrap().port();
    let url = format!("rtmps://127.0.0.1:{port}/live/key")
        .parse()
        .unwrap();
    let mut config = ClientConfig::default();
    config.dial_timeout = Duration::from_millis(100);
    let late = block_on(Publisher::connect(&url, Arc::new(config), Some(&connector)));
    // On a machine that is very slow, connecting is what takes too long.
    assert!(
        matches!(
            late,
            Err(Error::TlsTimeout { .. } | Error::ConnectTimeout { .. })
        ),
        "{late:?}"
    );
}

/// Peers that drop the connection without TLS's good-bye end as all others do.
#[test]
fn no_good_bye() {
    let (certificate, key) = certificate("bye");
    let connector = Connector::new(Some(&certificate)).unwrap();
    let frame = Frame::video(Timestamp::ZERO, vec![0x17, 1, 0, 0, 0, 2].into());
    let (count, reason) = block_on(async {
        let (listener, url) = listen("rtmps://localhost", Some((&certificate, &key))).await;
        let url = url.parse().unwrap();
        let publishing = async {
            let publisher = Publisher::connect(&url, patient(), Some(&connector)).await;
            let mut publisher = publisher.unwrap();
            publisher.send(&frame).await.unwrap();
        };
        let serving = async {
            let (incoming, _) = listener.accept().await.unwrap();
            let io = incoming.establish().await.unwrap();
            let mut server: Connection<_, Server> = Connection::new(io, patient()).unwrap();
            let mut count = 0;
            loop {
                let now = server.now();
                match server.next_event().await.unwrap() {
                    ServerEvent::Connect(request) => server.session().accept(now, request).unwrap(),
                    ServerEvent::Publish(request) => server.session().accept(now, request).unwrap(),
                    ServerEvent::Frame { .. } => count += 1,
                    ServerEvent::Closed(reason) => return (count, reason),
                    _ => {}
                }
            }
        };
        apart(publishing, serving).await.1
    });
    assert_eq!(count, 1);
    assert_eq!(reason, CloseReason::EndOfInput { mid_message: false });
}

/// A certificate that nobody vouches for does not get better.
#[test]
fn a_refused_certificate_is_final() {
    let (certificate, key) = certificate("final");
    let (other, _) = self::certificate("final-other");
    let connector = Connector::new(Some(&other)).unwrap();
    let (event, state) = block_on(async {
        let (listener, url) = listen("rtmps://localhost", Some((&certificate, &key))).await;
        let mut publisher = ReconnectingPublisher::new(
            url.parse().unwrap(),
            patient(),
            Some(connector),
            ReconnectConfig::default(),
        );
        let serving = async { listener.accept().await.unwrap().0.establish().await.err() };
        let (event, _) = apart(publisher.next_event(), serving).await;
        assert!(publisher.next_event().await.is_none());
        (event, publisher.state())
    });
    assert!(
        matches!(event, Some(PublisherEvent::GaveUp(Error::Tls(_)))),
        "{event:?}"
    );
    assert_eq!(state, PublisherState::GaveUp);
}

#[test]
fn files_that_are_no_certificates() {
    let (certificate, key) = certificate("files");
    let empty = certificate.with_extension("empty");
    fs::write(&empty, "").unwrap();
    assert!(matches!(
        Acceptor::new(&empty, &key),
        Err(TlsError::NoCertificate { .. })
    ));
    assert!(matches!(
        Acceptor::new(&certificate, &empty),
        Err(TlsError::Pem { .. })
    ));
    let missing = Connector::new(Some(&empty.with_extension("missing")));
    assert!(matches!(missing, Err(TlsError::Pem { .. })));
}

/// What a publisher to `to` that trusts `trusted` comes to, and the server, which has `own`.
fn attempt(
    to: &str,
    trusted: Option<&Path>,
    own: Option<(&Path, &Path)>,
) -> (Result<(), Error>, Option<Error>) {
    let connector = trusted.map(|path| Connector::new(Some(path)).unwrap());
    block_on(async {
        let (listener, url) = listen(to, own).await;
        let url = url.parse().unwrap();
        let publishing = Publisher::connect(&url, patient(), connector.as_ref());
        let serving = async {
            let (incoming, _) = listener.accept().await.unwrap();
            let mut server = match incoming.establish().await {
                Ok(io) => Connection::<_, Server>::new(io, patient()).unwrap(),
                Err(error) => return Some(error),
            };
            match server.next_event().await {
                Ok(ServerEvent::Closed(_)) => None,
                Ok(event) => panic!("{event:?}"),
                Err(error) => Some(error),
            }
        };
        let (client, server) = apart(publishing, serving).await;
        (client.map(drop), server)
    })
}

async fn listen(to: &str, own: Option<(&Path, &Path)>) -> (Listener, String) {
    // The same host, since a name may have several addresses, with somebody else at the port of one.
    let (_, host) = to.split_once("://").unwrap();
    let listener = Listener::bind(format!("{host}:0")).await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let url = format!("{to}:{port}/live/key");
    match own {
        Some((certificate, key)) => {
            let acceptor = Acceptor::new(certificate, key).unwrap();
            (listener.with_tls(acceptor), url)
        }
        None => (listener, url),
    }
}

fn certificate(name: &str) -> (PathBuf, PathBuf) {
    let directory = Path::new(env!("CARGO_TARGET_TMPDIR")).join(module_path!().replace("::", "-"));
    match fs::create_dir(&directory) {
        Err(error) if error.kind() != io::ErrorKind::AlreadyExists => panic!("{error}"),
        _ => rtmp_conformance::certificate(&directory, name),
    }
}
