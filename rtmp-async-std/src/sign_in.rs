//! Connections that it takes to be let in.

use std::time::Duration;

use rtmp_proto::{ConnectParams, RtmpUrl, auth};

use crate::{
    error::Error,
    tls,
    transport::{BoxedTransport, dial},
};

/// Connects to the host of `url`, and begins with `begin`: once, or as often as it takes to show a user
/// and a password to a server that wants them.
pub(crate) async fn sign_in<T, F>(
    url: &RtmpUrl,
    limit: Duration,
    tls: Option<&tls::Connector>,
    params: &ConnectParams,
    begin: impl Fn(BoxedTransport, ConnectParams) -> F,
) -> Result<T, Error>
where
    F: Future<Output = Result<T, Error>>,
{
    let mut auth = auth::Client::of(url);
    loop {
        let io = dial(url, tls, limit).await?;
        match begin(io, auth.params(params.clone())).await {
            Err(error) => error.answered_by(&mut auth)?,
            begun => return begun,
        }
    }
}
