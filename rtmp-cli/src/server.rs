//! The way to a server.

use std::{path::Path, sync::Arc};

use anyhow::Context;
use rtmp_proto::{ReconnectConfig, RtmpUrl};
use rtmp_tokio::{Error, Player, Publisher, ReconnectingPublisher, tls};

use crate::failure::{peer, session_failure};

/// Publishes to `url`, over TLS if it says so.
pub(crate) async fn publisher(url: &RtmpUrl, tls_ca: Option<&Path>) -> anyhow::Result<Publisher> {
    let tls = connector(url, tls_ca)?;
    let publisher = Publisher::connect(url, Arc::default(), tls.as_ref()).await;
    publisher.map_err(|error| refusal(&error, url, "publish to"))
}

/// Plays `url`, over TLS if it says so.
pub(crate) async fn player(url: &RtmpUrl, tls_ca: Option<&Path>) -> anyhow::Result<Player> {
    let tls = connector(url, tls_ca)?;
    let player = Player::connect(url, Arc::default(), tls.as_ref()).await;
    player.map_err(|error| refusal(&error, url, "play from"))
}

/// A publisher that connects to `url` as often as necessary.
pub(crate) fn lasting_publisher(
    url: &RtmpUrl,
    tls_ca: Option<&Path>,
) -> anyhow::Result<ReconnectingPublisher> {
    let tls = lasting_connector(url, tls_ca)?;
    let config = ReconnectConfig::default();
    Ok(ReconnectingPublisher::new(
        url.clone(),
        Arc::default(),
        tls,
        config,
    ))
}

/// What `url` needs for TLS, and what it may need if the server asks for a reconnect with TLS.
pub(crate) fn lasting_connector(
    url: &RtmpUrl,
    tls_ca: Option<&Path>,
) -> anyhow::Result<Option<tls::Connector>> {
    match url.is_tls() {
        true => connector(url, tls_ca),
        false => Ok(tls::Connector::new(tls_ca).ok()),
    }
}

/// Why there is no stream: the server does not want it, or cannot be talked to.
fn refusal(error: &Error, url: &RtmpUrl, task: &str) -> anyhow::Error {
    let what = match error {
        Error::Closed(_) | Error::Auth(_) => task,
        _ => "connect to",
    };
    session_failure(error, url).context(format!("cannot {what} {}", peer(url)))
}

/// What `url` needs for TLS, if anything.
fn connector(url: &RtmpUrl, tls_ca: Option<&Path>) -> anyhow::Result<Option<tls::Connector>> {
    match url.is_tls() {
        true => Ok(Some(
            tls::Connector::new(tls_ca).context("cannot set up TLS")?,
        )),
        false => Ok(None),
    }
}
