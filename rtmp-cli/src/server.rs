//! The way to a server.

use std::{io, path::Path, sync::Arc, time::Duration};

use anyhow::{Context, anyhow};
use rtmp_proto::{ReconnectConfig, RtmpUrl};
use rtmp_tokio::{BoxedTransport, ReconnectingPublisher, tls};
use tokio::time::timeout;

use crate::failure::{peer, session_failure};

/// Connects to the host of `url`, over TLS if it says so.
pub(crate) async fn connect(
    url: &RtmpUrl,
    tls_ca: Option<&Path>,
) -> anyhow::Result<BoxedTransport> {
    let tls = connector(url, tls_ca)?;
    let dialled = timeout(CONNECT_TIMEOUT, rtmp_tokio::dial(url, tls.as_ref())).await;
    let dialled = match dialled {
        Ok(dialled) => dialled.map_err(|error| session_failure(&error, url)),
        Err(_) => Err(anyhow!("no answer for {} s", CONNECT_TIMEOUT.as_secs())),
    };
    dialled.with_context(|| format!("cannot connect to {}", peer(url)))
}

/// The same for those who try again.
pub(crate) async fn dial(
    url: &RtmpUrl,
    tls: Option<&tls::Connector>,
) -> Result<BoxedTransport, rtmp_tokio::Error> {
    match timeout(CONNECT_TIMEOUT, rtmp_tokio::dial(url, tls)).await {
        Ok(dialled) => dialled,
        Err(_) => Err(io::Error::from(io::ErrorKind::TimedOut).into()),
    }
}

/// A publisher that connects to `url` as often as necessary.
pub(crate) fn lasting_publisher(
    url: &RtmpUrl,
    tls_ca: Option<&Path>,
) -> anyhow::Result<ReconnectingPublisher> {
    let tls = match url.is_tls() {
        true => connector(url, tls_ca)?,
        // The server may ask for a reconnect with TLS.
        false => tls::Connector::new(tls_ca).ok(),
    };
    let config = ReconnectConfig::default();
    Ok(ReconnectingPublisher::new(
        url.clone(),
        Arc::default(),
        tls,
        config,
    ))
}

/// What `url` needs for TLS, if anything.
pub(crate) fn connector(
    url: &RtmpUrl,
    tls_ca: Option<&Path>,
) -> anyhow::Result<Option<tls::Connector>> {
    match url.is_tls() {
        true => Ok(Some(
            tls::Connector::new(tls_ca).context("cannot set up TLS")?,
        )),
        false => Ok(None),
    }
}

/// How long name resolution, TCP and TLS may take.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);
