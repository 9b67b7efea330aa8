//! `rtmp serve`: whatever is published goes to whoever plays it.
//!
//! ```text
//! client --> connection (one task each) --> channel (one per stream name) --> connections --> clients
//!                                      \--> recorder
//! ```
//!
//! The publisher's task appends each frame to its channel. A few tasks take what is new to all players,
//! and write it while their sockets have room; where one has none, the player's own task goes on, at the
//! player's pace. So a slow player holds up nobody, and a quick one needs no task to be woken.

mod admission;
mod channel;
mod connection;
mod feed;
mod hub;
mod memory;
mod notice;
mod origin;
mod permit;
mod recorder;

use std::{io, sync::Arc, time::Duration};

use anyhow::Context;
use rtmp_proto::ServerConfig;
use rtmp_tokio::{Error, Listener, Server, tls};
use tokio::time;
use tracing::{info, warn};

use self::{
    admission::Admission,
    connection::Access,
    hub::{Hub, Policy},
    notice::Notice,
};
use crate::{
    args::{ListenAddress, ServeArgs},
    deadlines::Deadlines,
    shutdown::Shutdown,
};

pub(crate) async fn run(args: ServeArgs, shutdown: &mut Shutdown) -> anyhow::Result<()> {
    let config = Arc::new(config(&args.deadlines));
    let server = tokio::select! {
        opened = open(&args, &config) => opened?,
        () = shutdown.requested() => return Ok(()),
    };
    let admission = Arc::new(Admission::new(&args.limits));
    let hub = Hub::new(Policy {
        on_duplicate: args.on_duplicate,
        republish_wait: args.republish_wait,
        flush_interval: args.flush_interval,
        chunk_size: config.connection.chunk_size,
        record: args.record,
        admission: Arc::clone(&admission),
    });
    let access = Arc::new(Access {
        publish_key: args.publish_key,
        play_key: args.play_key,
    });
    let failures = Notice::default();
    loop {
        let accepted = tokio::select! {
            accepted = server.accept() => accepted,
            () = shutdown.requested() => break,
        };
        match accepted {
            Ok(incoming) => {
                // Who is refused is not told why: before the handshake there is no way to say it.
                if let Some(permit) = admission.connection(incoming.peer_addr().ip()) {
                    let (hub, access) = (Arc::clone(&hub), Arc::clone(&access));
                    tokio::spawn(connection::serve(hub, access, incoming, permit));
                }
                if let Some(failures) = failures.is_over() {
                    info!(failures, "connections are accepted again");
                }
            }
            // It was gone before its turn came, and holds up nobody.
            Err(Error::Io(error)) if error.kind() == io::ErrorKind::ConnectionAborted => {}
            Err(error) => {
                // Out of file descriptors, most likely: some connection has to end first.
                if let Some(failures) = failures.happens() {
                    let connections = admission.connections();
                    warn!(connections, failures, "cannot accept connections: {error}");
                }
                tokio::select! {
                    () = time::sleep(ACCEPT_PAUSE) => {}
                    () = shutdown.requested() => break,
                }
            }
        }
    }
    info!("shutting down");
    let left = server.shutdown(SHUTDOWN_MAX).await;
    if left > 0 {
        warn!("{left} connections did not end in time");
    }
    let recordings = time::timeout(RECORDINGS_MAX, hub.finish_recordings());
    if recordings.await.is_err() {
        warn!("some recordings did not end in time");
    }
    Ok(())
}

/// Listens, once it is known that recordings and TLS have what they need.
async fn open(args: &ServeArgs, config: &Arc<ServerConfig>) -> anyhow::Result<Server> {
    if let Some(directory) = &args.record {
        recorder::prepare(directory).await?;
    }
    let acceptor = match (&args.tls_cert, &args.tls_key) {
        (Some(certificate), Some(key)) => Some(tls::Acceptor::new(certificate, key)?),
        _ => None,
    };
    let mut server = Server::new(Arc::clone(config));
    for address in &args.listen {
        server = server.with_listener(listen(address, acceptor.as_ref()).await?);
    }
    Ok(server)
}

/// The defaults, with fewer streams for each connection: what the server keeps for late joiners and
/// slow players, it keeps for each stream.
fn config(deadlines: &Deadlines) -> ServerConfig {
    let mut config = ServerConfig::default();
    let limits = &mut config.connection.limits;
    limits.message_streams = MESSAGE_STREAMS;
    deadlines.apply(limits);
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

/// How long streams may take to end properly.
const SHUTDOWN_MAX: Duration = Duration::from_secs(8);

/// How long the disk may take after that.
const RECORDINGS_MAX: Duration = Duration::from_secs(2);

/// Encoders and players use one; more are for those that do several things at once.
const MESSAGE_STREAMS: usize = 4;

/// Between attempts while the system has no room for connections.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);
