//! Tests that every adapter of [`rtmp_proto`] passes.
//!
//! An adapter says in an [`Adapter`] how two of its [`Connection`]s are connected and run;
//! [`dialogues!`] then makes a test of each function in [`dialogue`]. One that works over any byte
//! stream says so in an [`OverPipes`]; [`faults!`] makes a test of each function in [`fault`], and
//! [`Piped`] runs the dialogues over pipes too.
//!
//! No test sleeps. Deadlines are those of the session, and the adapter only has to wake up for them;
//! the default ones (10 s for the handshake, say) run in real time and are never reached.
#![forbid(unsafe_code)]

mod app;
mod certificate;
pub mod dialogue;
pub mod fault;
mod pipe;
mod task;

use std::{io, sync::Arc};

use rtmp_proto::{Client, ClientConfig, CloseReason, Instant, Role, Server, ServerConfig, Session};

pub use certificate::certificate;
pub use pipe::{Faults, Mode, Pipe, Piped, pipe};
pub use task::{all, apart};

/// A session that an adapter drives.
pub trait Connection<R: Role> {
    /// The session, for queries and commands.
    fn session(&mut self) -> &mut Session<R>;

    /// The time to give to commands.
    fn now(&self) -> Instant;

    /// Waits for the next event; after the last one, the reason of the end.
    fn next_event(&mut self) -> impl Future<Output = Result<R::Event, Failure>>;

    /// Writes everything that waits.
    fn flush(&mut self) -> impl Future<Output = Result<(), Failure>>;

    /// Closes in good order.
    fn close(&mut self) -> impl Future<Output = Result<(), Failure>>;
}

/// Why a connection cannot go on.
#[derive(Clone, Debug, PartialEq)]
#[expect(
    clippy::exhaustive_enums,
    reason = "adapters have these two and no more"
)]
pub enum Failure {
    /// The transport failed.
    Io(io::ErrorKind),
    /// The session has ended.
    Closed(CloseReason),
}

/// A way to connect two sessions and to run them.
pub trait Adapter {
    /// The client's side.
    type Client: Connection<Client>;
    /// The server's side.
    type Server: Connection<Server>;

    /// Connects `count` clients with as many servers and runs a script on each, all at the same
    /// time, to their ends.
    fn run<A: Send, B: Send>(
        count: usize,
        config: &Arc<ServerConfig>,
        client: impl AsyncFn(Self::Client) -> A + Sync,
        server: impl AsyncFn(Self::Server) -> B + Sync,
    ) -> Vec<(A, B)>;
}

/// An adapter over any byte stream.
pub trait OverPipes {
    /// The client's side.
    type Client: Connection<Client>;
    /// The server's side.
    type Server: Connection<Server>;

    /// Drives a client over one end of a pipe.
    fn client(io: Pipe, config: Arc<ClientConfig>) -> Self::Client;

    /// Drives a server over one end of a pipe.
    fn server(io: Pipe, config: Arc<ServerConfig>) -> Self::Server;

    /// Runs a future to its end, with what the adapter's timers need.
    fn block_on<F: Future>(future: F) -> F::Output;
}

/// A module `$name` with the tests of [`dialogue`] on the adapter `$adapter`.
#[macro_export]
macro_rules! dialogues {
    ($name:ident, $adapter:ty) => {
        $crate::tests!($name, $adapter, dialogue:
            publish, play, rejection, half_close, more_than_the_queue_holds, both_close_at_once,
            gone_without_a_word, deadline);
    };
}

/// A module `$name` with the test of many connections at once, which byte by byte would take longer
/// than a handshake may.
#[macro_export]
macro_rules! crowds {
    ($name:ident, $adapter:ty) => {
        $crate::tests!($name, $adapter, dialogue: a_hundred_at_once);
    };
}

/// A module `$name` with the tests of [`fault`] on the adapter `$adapter`.
#[macro_export]
macro_rules! faults {
    ($name:ident, $adapter:ty) => {
        $crate::tests!($name, $adapter, fault:
            small_pieces, cancellation, close_cancelled, reset, cut_short, failing_writes,
            another_protocol);
    };
}

#[doc(hidden)]
#[macro_export]
macro_rules! tests {
    ($name:ident, $adapter:ty, $suite:ident: $($test:ident),+) => {
        mod $name {
            #[allow(unused_imports, reason = "the adapter may be named by a path")]
            use super::*;

            $(#[test]
            fn $test() {
                $crate::$suite::$test::<$adapter>();
            })+
        }
    };
}
