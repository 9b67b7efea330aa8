//! `rtmp serve`: whatever is published goes to whoever plays it.
//!
//! ```text
//! client --> connection (one task each) --> channel (one per stream name) --> feeds --> connections
//!                                                                                  \--> recorder
//! ```
//!
//! The publisher's task appends each frame to the feed of every player and wakes the player's task,
//! which writes it. Feeds are bounded, so a slow player holds up nobody.

mod channel;
mod connection;
mod feed;
mod hub;
mod recorder;

use std::{sync::Arc, time::Duration};

use anyhow::Context;
use rtmp_proto::ServerConfig;
use rtmp_tokio::{Listener, tls};
use tokio::{sync::watch, task::JoinSet, time};
use tracing::{info, warn};

use self::{connection::Access, hub::Hub};
use crate::{
    args::{ListenAddress, ServeArgs},
    shutdown,
};

pub(crate) async fn run(args: ServeArgs) -> anyhow::Result<()> {
    if let Some(directory) = &args.record {
        recorder::prepare(directory).await?;
    }
    let acceptor = match (&args.tls_cert, &args.tls_key) {
        (Some(certificate), Some(key)) => Some(tls::Acceptor::new(certificate, key)?),
        _ => None,
    };
    let mut listeners = Vec::new();
    for address in &args.listen {
        listeners.push(listen(address, acceptor.as_ref()).await?);
    }
    let server = Arc::new(Server {
        hub: Hub::new(args.on_duplicate, args.republish_wait, args.record),
        access: Access {
            publish_key: args.publish_key,
            play_key: args.play_key,
        },
        config: Arc::new(config()),
    });
    let (stop, stopping) = watch::channel(());
    let mut accepting = JoinSet::new();
    for listener in listeners {
        accepting.spawn(accept(listener, Arc::clone(&server), stopping.clone()));
    }
    shutdown::requested().await?;
    info!("shutting down");
    drop(stop);
    drop(stopping);
    let all_ended = async {
        while accepting.join_next().await.is_some() {}
        server.hub.finish_recordings().await;
    };
    if time::timeout(SHUTDOWN_MAX, all_ended).await.is_err() {
        warn!("some connections did not end in time");
    }
    Ok(())
}

/// What all connections share.
struct Server {
    hub: Arc<Hub>,
    access: Access,
    config: Arc<ServerConfig>,
}

/// The defaults, with fewer streams for each connection: what the server keeps for late joiners and
/// slow players, it keeps for each stream.
fn config() -> ServerConfig {
    let mut config = ServerConfig::default();
    config.connection.limits.message_streams = MESSAGE_STREAMS;
    config
}

async fn listen(
    address: &ListenAddress,
    acceptor: Option<&tls::Acceptor>,
) -> anyhow::Result<Listener> {
    let listener = Listener::bind(&address.address)
        .await
        .with_context(|| format!("cannot listen on {}", address.address))?;
    let local = listener.local_addr()?;
    if !address.is_tls {
        info!("listening on rtmp://{local}");
        return Ok(listener);
    }
    let acceptor = acceptor.context("rtmps needs --tls-cert and --tls-key")?;
    info!("listening on rtmps://{local}");
    Ok(listener.with_tls(acceptor.clone()))
}

/// Accepts connections until the program stops, then waits for them to end.
async fn accept(listener: Listener, server: Arc<Server>, mut stopping: watch::Receiver<()>) {
    let mut connections = JoinSet::new();
    loop {
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            Some(_) = connections.join_next() => continue,
            // The sender is never used, only dropped.
            _ = stopping.changed() => break,
        };
        match accepted {
            Ok((incoming, peer)) => {
                let server = Arc::clone(&server);
                connections.spawn(connection::serve(server, incoming, peer, stopping.clone()));
            }
            Err(error) => {
                // Out of file descriptors, most likely: some connection has to end first.
                warn!("cannot accept connections: {error}");
                time::sleep(ACCEPT_PAUSE).await;
            }
        }
    }
    while connections.join_next().await.is_some() {}
}

/// How long streams may take to end properly.
const SHUTDOWN_MAX: Duration = Duration::from_secs(8);

/// Encoders and players use one; more are for those that do several things at once.
const MESSAGE_STREAMS: usize = 4;

/// Between attempts while the system has no room for connections.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);
