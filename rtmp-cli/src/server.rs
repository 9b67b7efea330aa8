//! The way to a server.

use std::{path::Path, sync::Arc};

use anyhow::Context;
use rtmp_proto::{ClientConfig, ReconnectConfig, RtmpUrl};
use rtmp_tokio::{BoxedTransport, ReconnectingPublisher, tls};

use crate::failure::{peer, session_failure};

/// Connects to the host of `url`, over TLS if it says so.
pub(crate) async fn connect(
    url: &RtmpUrl,
    tls_ca: Option<&Path>,
) -> anyhow::Result<BoxedTransport> {
    let tls = connector(url, tls_ca)?;
    rtmp_tokio::dial(url, tls.as_ref(), ClientConfig::default().dial_timeout)
        .await
        .map_err(|error| session_failure(&error, url))
        .with_context(|| format!("cannot connect to {}", peer(url)))
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

/// What `url` needs for TLS, if anything.
fn connector(url: &RtmpUrl, tls_ca: Option<&Path>) -> anyhow::Result<Option<tls::Connector>> {
    match url.is_tls() {
        true => Ok(Some(
            tls::Connector::new(tls_ca).context("cannot set up TLS")?,
        )),
        false => Ok(None),
    }
}
