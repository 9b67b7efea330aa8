//! The end of a server, in order: publishers first, so that players still get their last frames.

use std::{future, time::Duration};

use tokio::{
    sync::watch,
    time::{self, Instant},
};

/// How far the end has come. Each phase includes those before it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Phase {
    Running,
    /// Connections end, except those that only play.
    Publishers,
    /// Players end too, with what waits for them.
    Players,
    /// Nothing is waited for any more.
    Now,
}

/// Tells all connections of a server when to end, and knows when they have.
#[derive(Debug)]
pub(super) struct Shutdown {
    phase: watch::Sender<Phase>,
    /// Its receivers are the connections that may still bring frames for players.
    sources: watch::Sender<()>,
}

impl Shutdown {
    pub(super) fn new() -> Self {
        Self {
            phase: watch::Sender::new(Phase::Running),
            sources: watch::Sender::new(()),
        }
    }

    pub(super) fn presence(&self) -> Presence {
        Presence {
            phase: self.phase.subscribe(),
            source: Some(self.sources.subscribe()),
        }
    }

    pub(super) fn connections(&self) -> usize {
        self.phase.receiver_count()
    }

    /// Ends everything within `limit`; returns how many connections did not end in good order.
    pub(super) async fn run(self, limit: Duration) -> usize {
        let deadline = Instant::now() + limit;
        self.phase.send_replace(Phase::Publishers);
        // A publisher's frames end at once, unless its task is busy elsewhere.
        let _ = time::timeout(limit / 2, self.sources.closed()).await;
        self.phase.send_replace(Phase::Players);
        let _ = time::timeout_at(deadline, self.phase.closed()).await;
        let left = self.connections();
        self.phase.send_replace(Phase::Now);
        left
    }
}

/// A connection as the server that accepted it counts it: it tells when to end, and while it exists
/// the server waits for it.
#[derive(Debug)]
pub struct Presence {
    phase: watch::Receiver<Phase>,
    /// Given up when no frames for others will come from here.
    source: Option<watch::Receiver<()>>,
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
        let phase = match self.source {
            Some(_) => Phase::Publishers,
            None => Phase::Players,
        };
        self.reached(phase).await;
    }

    /// Waits until this connection is to be dropped as it is. Cancel-safe.
    pub async fn aborted(&mut self) {
        self.reached(Phase::Now).await;
    }

    /// Does `work` unless the connection is to end before it is done.
    pub(super) async fn unless_stopping<T>(&mut self, work: impl Future<Output = T>) -> Option<T> {
        tokio::select! {
            // First, since a publisher may always have something.
            biased;
            () = self.stopping() => None,
            done = work => Some(done),
        }
    }

    /// Does `work` unless the connection is to be dropped before it is done.
    pub(super) async fn unless_aborted<T>(&mut self, work: impl Future<Output = T>) -> Option<T> {
        tokio::select! {
            biased;
            () = self.aborted() => None,
            done = work => Some(done),
        }
    }

    async fn reached(&mut self, phase: Phase) {
        // A server that is dropped without a shutdown leaves its connections alone.
        if self.phase.wait_for(|now| *now >= phase).await.is_err() {
            future::pending().await
        }
    }
}
