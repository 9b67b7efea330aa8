//! The end of a server, in order: publishers first, so that players still get their last frames.
#![cfg_attr(
    not(feature = "async-std"),
    allow(dead_code, reason = "only a server with sockets shuts down")
)]

use std::{
    convert::Infallible,
    sync::Arc,
    time::{Duration, Instant},
};

use async_channel::{Receiver, Sender};
use async_io::Timer;
use futures_lite::future::or;

/// How far the end has come. Each phase includes those before it.
#[derive(Debug)]
struct Phases {
    /// Connections end, except those that only play.
    publishers: Signal,
    /// Players end too, with what waits for them.
    players: Signal,
    /// Nothing is waited for any more.
    now: Signal,
}

/// Tells all connections of a server when to end, and knows when they have.
#[derive(Debug)]
pub(super) struct Shutdown {
    phases: Arc<Phases>,
    /// Its senders are the connections that may still bring frames for players.
    sources: Receiver<Infallible>,
    source: Sender<Infallible>,
    /// Its senders are all connections.
    connections: Receiver<Infallible>,
    connection: Sender<Infallible>,
}

impl Shutdown {
    pub(super) fn new() -> Self {
        let (source, sources) = async_channel::bounded(1);
        let (connection, connections) = async_channel::bounded(1);
        Self {
            phases: Arc::new(Phases {
                publishers: Signal::new(),
                players: Signal::new(),
                now: Signal::new(),
            }),
            sources,
            source,
            connections,
            connection,
        }
    }

    pub(super) fn presence(&self) -> Presence {
        Presence {
            phases: Arc::clone(&self.phases),
            source: Some(self.source.clone()),
            _connection: self.connection.clone(),
        }
    }

    pub(super) fn connections(&self) -> usize {
        // One is kept here.
        self.connections.sender_count() - 1
    }

    /// Ends everything within `limit`; returns how many connections did not end in good order.
    pub(super) async fn run(self, limit: Duration) -> usize {
        let begin = Instant::now();
        drop((self.source, self.connection));
        self.phases.publishers.give();
        // A publisher's frames end at once, unless its task is busy elsewhere.
        all_gone(&self.sources, begin + limit / 2).await;
        self.phases.players.give();
        all_gone(&self.connections, begin + limit).await;
        let left = self.connections.sender_count();
        self.phases.now.give();
        left
    }
}

/// Waits until `channel` has no senders, but not beyond `deadline`.
async fn all_gone(channel: &Receiver<Infallible>, deadline: Instant) {
    let gone = async {
        let _ = channel.recv().await;
    };
    let late = async {
        Timer::at(deadline).await;
    };
    or(gone, late).await;
}

/// Something that happens once, and can be waited for by any number: a channel that is closed then.
#[derive(Debug)]
struct Signal(Sender<Infallible>, Receiver<Infallible>);

impl Signal {
    fn new() -> Self {
        let (sender, receiver) = async_channel::bounded(1);
        Self(sender, receiver)
    }

    fn give(&self) {
        self.0.close();
    }

    async fn given(&self) {
        let _ = self.1.recv().await;
    }
}

/// A connection as the server that accepted it counts it: it tells when to end, and while it exists
/// the server waits for it.
#[derive(Debug)]
pub struct Presence {
    phases: Arc<Phases>,
    /// Given up when no frames for others will come from here.
    source: Option<Sender<Infallible>>,
    _connection: Sender<Infallible>,
}

impl Presence {
    /// Of a connection that belongs to no server.
    pub(super) fn alone() -> Self {
        Shutdown::new().presence()
    }

    /// No frames for players come from here, or no more: it plays, or its last frame was passed on. A
    /// server that shuts down waits for the others first.
    pub fn set_sourceless(&mut self) {
        self.source = None;
    }

    /// Waits until this connection is to end in good order: for a player, after it was sent what waits.
    /// Cancel-safe.
    pub async fn stopping(&mut self) {
        match self.source {
            Some(_) => self.phases.publishers.given().await,
            None => self.phases.players.given().await,
        }
    }

    /// Waits until this connection is to be dropped as it is. Cancel-safe.
    pub async fn aborted(&mut self) {
        self.phases.now.given().await;
    }

    /// Does `work` unless the connection is to end before it is done.
    pub(super) async fn unless_stopping<T>(&mut self, work: impl Future<Output = T>) -> Option<T> {
        let stopping = async {
            self.stopping().await;
            None
        };
        // That first, since a publisher may always have something.
        or(stopping, async { Some(work.await) }).await
    }

    /// Does `work` unless the connection is to be dropped before it is done.
    pub(super) async fn unless_aborted<T>(&mut self, work: impl Future<Output = T>) -> Option<T> {
        let aborted = async {
            self.aborted().await;
            None
        };
        or(aborted, async { Some(work.await) }).await
    }
}
