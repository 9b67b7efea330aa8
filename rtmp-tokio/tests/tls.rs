//! TLS with certificates made here.
#![cfg(feature = "rustls")]

mod common;

use std::{error::Error as _, fs, path::PathBuf, sync::Arc};

use common::{frames, key_frame, serve};
use rtmp_proto::{ClientConfig, CloseReason, RtmpUrl, ServerEvent};
use rtmp_tokio::{
    Error, Listener, Publisher,
    tls::{Acceptor, Connector, TlsError},
};

/// A certificate for `localhost` that signs itself, and its key, as PEM files.
fn certificate(name: &str) -> (PathBuf, PathBuf) {
    let certified = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    let directory = PathBuf::from(env!("CARGO_TARGET_TMPDIR"));
    let certificate = directory.join(format!("{name}.crt"));
    let key = directory.join(format!("{name}.key"));
    fs::write(&certificate, certified.cert.pem()).unwrap();
    fs::write(&key, certified.signing_key.serialize_pem()).unwrap();
    (certificate, key)
}

async fn listen(acceptor: Option<Acceptor>) -> (Listener, u16) {
    let listener = Listener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    match acceptor {
        Some(acceptor) => (listener.with_tls(acceptor), port),
        None => (listener, port),
    }
}

async fn publisher(url: &str, connector: Option<&Connector>) -> Result<Publisher, Error> {
    let url: RtmpUrl = url.parse().unwrap();
    Publisher::connect(&url, Arc::new(ClientConfig::default()), connector).await
}

#[tokio::test]
async fn publish_over_tls() {
    let (certificate, key) = certificate("publish");
    let (listener, port) = listen(Some(Acceptor::new(&certificate, &key).unwrap())).await;
    assert!(listener.is_tls());
    let connector = Connector::new(Some(&certificate)).unwrap();
    let publishing = async {
        let url = format!("rtmps://localhost:{port}/live/key");
        let mut publisher = publisher(&url, Some(&connector)).await.unwrap();
        for n in 0..100 {
            publisher.send(&key_frame(n, 20_000)).await.unwrap();
        }
        publisher.finish().await.unwrap();
    };
    let serving = async {
        let (incoming, _) = listener.accept().await.unwrap();
        let io = incoming.establish().await.unwrap();
        serve(&mut common::server(io)).await
    };
    let ((), events) = tokio::join!(publishing, serving);
    assert_eq!(frames(&events).len(), 100);
    let reason = CloseReason::EndOfInput { mid_message: false };
    assert!(matches!(events.last(), Some(ServerEvent::Closed(last)) if *last == reason));
}

/// Peers that drop the connection without TLS's good-bye end as all others do.
#[tokio::test]
async fn no_good_bye() {
    let (certificate, key) = certificate("bye");
    let (listener, port) = listen(Some(Acceptor::new(&certificate, &key).unwrap())).await;
    let connector = Connector::new(Some(&certificate)).unwrap();
    let publishing = async {
        let url = format!("rtmps://localhost:{port}/live/key");
        let mut publisher = publisher(&url, Some(&connector)).await.unwrap();
        publisher.send(&key_frame(0, 100)).await.unwrap();
        drop(publisher);
    };
    let serving = async {
        let (incoming, _) = listener.accept().await.unwrap();
        let io = incoming.establish().await.unwrap();
        serve(&mut common::server(io)).await
    };
    let ((), events) = tokio::join!(publishing, serving);
    assert_eq!(frames(&events).len(), 1);
}

#[tokio::test]
async fn unknown_certificate() {
    let (certificate, key) = certificate("unknown");
    let (other, _) = self::certificate("other");
    let (listener, port) = listen(Some(Acceptor::new(&certificate, &key).unwrap())).await;
    let connector = Connector::new(Some(&other)).unwrap();
    let url = format!("rtmps://localhost:{port}/live/key");
    let serving = async {
        let (incoming, _) = listener.accept().await.unwrap();
        incoming.establish().await.err()
    };
    let (client, server) = tokio::join!(publisher(&url, Some(&connector)), serving);
    let error = client.unwrap_err();
    assert!(matches!(error, Error::Tls(_)), "{error:?}");
    assert_eq!(error.to_string(), "TLS handshake failed");
    let cause = error.source().unwrap().to_string();
    assert!(cause.contains("invalid peer certificate"), "{cause}");
    assert!(matches!(server, Some(Error::Tls(_))), "{server:?}");
}

#[tokio::test]
async fn certificate_for_another_name() {
    let (certificate, key) = certificate("name");
    let (listener, port) = listen(Some(Acceptor::new(&certificate, &key).unwrap())).await;
    let connector = Connector::new(Some(&certificate)).unwrap();
    let url = format!("rtmps://127.0.0.1:{port}/live/key");
    let serving = async { listener.accept().await.unwrap().0.establish().await.err() };
    let (client, _) = tokio::join!(publisher(&url, Some(&connector)), serving);
    let cause = client.unwrap_err().source().unwrap().to_string();
    assert!(cause.contains("not valid for name"), "{cause}");
}

#[tokio::test]
async fn plain_client_at_a_tls_port() {
    let (certificate, key) = certificate("plain");
    let (listener, port) = listen(Some(Acceptor::new(&certificate, &key).unwrap())).await;
    let url = format!("rtmp://localhost:{port}/live/key");
    let serving = async { listener.accept().await.unwrap().0.establish().await.err() };
    let (client, server) = tokio::join!(publisher(&url, None), serving);
    assert!(matches!(server, Some(Error::Tls(_))), "{server:?}");
    let error = client.unwrap_err();
    assert!(
        matches!(error, Error::Closed(_) | Error::Io(_)),
        "{error:?}"
    );
}

#[tokio::test]
async fn tls_client_at_a_plain_port() {
    let (certificate, _) = certificate("tls");
    let (listener, port) = listen(None).await;
    let connector = Connector::new(Some(&certificate)).unwrap();
    let url = format!("rtmps://localhost:{port}/live/key");
    let serving = async {
        let io = listener
            .accept()
            .await
            .unwrap()
            .0
            .establish()
            .await
            .unwrap();
        common::server(io).next_event().await
    };
    let (client, server) = tokio::join!(publisher(&url, Some(&connector)), serving);
    assert!(matches!(client, Err(Error::Tls(_))), "{client:?}");
    let is_end = matches!(
        server,
        Ok(ServerEvent::Closed(
            CloseReason::EndOfInput { .. } | CloseReason::Protocol(_)
        )) | Err(Error::Io(_))
    );
    assert!(is_end, "{server:?}");
}

#[test]
fn files_that_are_no_certificates() {
    let (certificate, key) = certificate("files");
    let empty = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("empty.pem");
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
