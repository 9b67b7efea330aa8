//! Listening, accepting, and the end of it all.

use std::{
    future,
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    task::Poll,
    time::Duration,
};

use async_io::Timer;
use async_std::net::ToSocketAddrs;
use futures_lite::future::or;
use rtmp_proto::{CloseReason, ServerConfig, Timeout};

use super::{
    connection::ServerConnection,
    shutdown::{Presence, Shutdown},
};
use crate::{
    error::Error,
    transport::{Incoming, Listener},
};

/// Accepts connections and ends them in good order.
///
/// ```no_run
/// use rtmp_async_std::{Error, Request, Server, ServerConnection};
/// use async_std::{future::timeout, task};
/// use std::time::Duration;
///
/// async fn serve() -> Result<(), Error> {
///     let server = Server::bind("0.0.0.0:1935", Default::default()).await?;
///     let an_hour = Duration::from_secs(3600);
///     while let Ok(incoming) = timeout(an_hour, server.accept()).await {
///         let incoming = incoming?;
///         task::spawn(async move {
///             let peer = incoming.peer_addr();
///             if let Err(end) = serve_client(incoming.establish().await?).await {
///                 println!("{peer}: {end}");
///             }
///             Ok::<_, Error>(())
///         });
///     }
///     server.shutdown(Duration::from_secs(10)).await;
///     Ok(())
/// }
///
/// async fn serve_client(mut client: ServerConnection) -> Result<(), Error> {
///     loop {
///         match client.next_request().await? {
///             Request::Publish(asked) => {
///                 let mut frames = asked.accept()?;
///                 while let Some(frame) = frames.next_frame().await? {
///                     println!("{} bytes at {}", frame.payload.len(), frame.timestamp);
///                 }
///             }
///             Request::Play(asked) => {
///                 let mut player = asked.accept()?;
///                 player.next_event().await?; // or player.send(&frame)
///             }
///             _ => {}
///         }
///     }
/// }
/// ```
#[derive(Debug)]
pub struct Server {
    listeners: Vec<Listener>,
    /// Where the next look for connections begins, so that a flood at one listener does not shut out
    /// the others.
    turn: AtomicUsize,
    config: Arc<ServerConfig>,
    shutdown: Shutdown,
}

impl Server {
    /// Listens on `address`.
    ///
    /// # Errors
    ///
    /// The address is in use, not this machine's, or not allowed.
    pub async fn bind(
        address: impl ToSocketAddrs,
        config: Arc<ServerConfig>,
    ) -> Result<Self, Error> {
        let listener = Listener::bind(address).await?;
        Ok(Self::new(config).with_listener(listener))
    }

    /// A server that listens nowhere yet.
    pub fn new(config: Arc<ServerConfig>) -> Self {
        Self {
            listeners: Vec::new(),
            turn: AtomicUsize::new(0),
            config,
            shutdown: Shutdown::new(),
        }
    }

    /// Accepts what comes to `listener` too, which may have TLS.
    #[must_use]
    pub fn with_listener(mut self, listener: Listener) -> Self {
        self.listeners.push(listener);
        self
    }

    /// What it listens on.
    pub fn listeners(&self) -> &[Listener] {
        &self.listeners
    }

    /// Waits for the next connection. Cancel-safe.
    ///
    /// # Errors
    ///
    /// The process or the system is out of a resource, file descriptors most likely: once some
    /// connection has ended, trying again works.
    pub async fn accept(&self) -> Result<IncomingConnection, Error> {
        let mut accepting: Vec<_> = self
            .listeners
            .iter()
            .map(|listener| Box::pin(listener.accept()))
            .collect();
        let turn = self.turn.fetch_add(1, Ordering::Relaxed);
        accepting.rotate_left(turn.checked_rem(self.listeners.len()).unwrap_or(0));
        let accepted = future::poll_fn(|cx| {
            let mut polled = accepting.iter_mut().map(|next| next.as_mut().poll(cx));
            polled.find(Poll::is_ready).unwrap_or(Poll::Pending)
        });
        let (incoming, peer) = accepted.await?;
        Ok(IncomingConnection {
            incoming,
            peer,
            config: Arc::clone(&self.config),
            presence: self.shutdown.presence(),
        })
    }

    /// Connections that were accepted and have not ended.
    pub fn connections(&self) -> usize {
        self.shutdown.connections()
    }

    /// Accepts no more, and ends all connections in good order: publishers first, for half of `limit` at
    /// most, then players, which get what is left for them. Those that take longer than `limit` are
    /// dropped; how many is returned.
    ///
    /// Connections end when the tasks that have them drop them, which they do if they return when a
    /// method fails.
    pub async fn shutdown(self, limit: Duration) -> usize {
        drop(self.listeners);
        self.shutdown.run(limit).await
    }
}

/// An accepted connection before TLS.
#[derive(Debug)]
pub struct IncomingConnection {
    incoming: Incoming,
    peer: SocketAddr,
    config: Arc<ServerConfig>,
    presence: Presence,
}

impl IncomingConnection {
    /// Where it comes from.
    pub fn peer_addr(&self) -> SocketAddr {
        self.peer
    }

    /// Negotiates TLS if the listener has a certificate, within
    /// [`Limits::handshake_timeout`](rtmp_proto::Limits::handshake_timeout). Best called in a task of the
    /// connection's own, so that a slow client does not hold up the next one.
    ///
    /// # Errors
    ///
    /// The connection is gone, TLS fails or takes too long, or the server shuts down.
    pub async fn establish(mut self) -> Result<ServerConnection, Error> {
        let limit = self.config.connection.limits.handshake_timeout;
        let late = async {
            Timer::after(limit).await;
            Err(Error::Closed(CloseReason::Timeout(Timeout::Handshake)))
        };
        let established = or(self.incoming.establish(), late);
        let transport = match self.presence.unless_stopping(established).await {
            Some(established) => established?,
            None => return Err(Error::Closed(CloseReason::Local)),
        };
        ServerConnection::new(transport, self.config, self.presence)
    }
}
