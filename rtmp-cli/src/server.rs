//! The way to a server.

use std::{path::Path, time::Duration};

use anyhow::{Context, anyhow};
use rtmp_proto::RtmpUrl;
use rtmp_tokio::{BoxedTransport, tls};

use crate::failure::{peer, session_failure};

/// Connects to the host of `url`, over TLS if it says so.
pub(crate) async fn connect(
    url: &RtmpUrl,
    tls_ca: Option<&Path>,
) -> anyhow::Result<BoxedTransport> {
    let tls = match url.is_tls() {
        true => Some(tls::Connector::new(tls_ca).context("cannot set up TLS")?),
        false => None,
    };
    let dialled = tokio::time::timeout(CONNECT_TIMEOUT, rtmp_tokio::dial(url, tls.as_ref()));
    let dialled = match dialled.await {
        Ok(dialled) => dialled.map_err(|error| session_failure(&error, url)),
        Err(_) => Err(anyhow!("no answer for {} s", CONNECT_TIMEOUT.as_secs())),
    };
    dialled.with_context(|| format!("cannot connect to {}", peer(url)))
}

/// How long name resolution, TCP and TLS may take.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);
