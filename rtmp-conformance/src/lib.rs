//! Tests that every adapter of [`rtmp_proto`] passes.
//!
//! An adapter says in an [`Adapter`] how two of its [`Connection`]s are connected and run;
//! [`dialogues!`] then makes a test of each function in [`dialogue`]. One that works over any byte
//! stream says so in an [`OverPipes`]; [`faults!`] makes a test of each function in [`fault`], and
//! [`Piped`] runs the dialogues over pipes too.
//!
//! What is there on both an adapter's sockets and its pipes, and what only some adapters have, stands in
//! the files `tests/cases`: `authentication`, `clients` (publishers and players, those that connect again
//! too), `security` (TLS that is not agreed upon) and `serving`.
//!
//! # What is tested where
//!
//! A name is that of a function in [`dialogue`] or [`fault`], or of a file in `tests/cases`. "Sockets,
//! TLS, pipes" are three runs of the same functions.
//!
//! | what | tests | tokio, async-std, smol | blocking `std::net` |
//! |---|---|---|---|
//! | both roles to the end | `publish`, `play`, `both_close_at_once` | sockets, TLS, pipes | sockets |
//! | publishers and players | `clients` | pipes, sockets | no such types |
//! | publishers that connect again | `clients` | pipes | no such type |
//! | a user and a password in the URL | `authentication` | sockets | no such types |
//! | servers | `serving` | pipes, sockets | no such type |
//! | rejection | `rejection`, `rejection_is_flushed`, `clients` | sockets, TLS, pipes | sockets |
//! | half-close | `half_close` | sockets, TLS, pipes | sockets |
//! | waking up for deadlines | `deadline` | sockets, TLS, pipes | sockets |
//! | each deadline, to the second | `rtmp-tokio/tests/time.rs`; `rtmp-proto/tests/driver.rs` | tokio with paused time; simulated time for the decisions all adapters share | simulated time |
//! | dialling that takes too long | `clients`, `security`; `rtmp-tokio/tests` | all three; tokio with paused time too | no dialling |
//! | cancellation of `next_event` and `flush`, `flush_to`, `next_event_or_room`, `close` | `cancellation`, `flush_cancelled`, `room_cancelled`, `close_cancelled` | pipes | nothing to cancel |
//! | reset, cut short, gone | `reset`, `cut_short`; `gone_without_a_word` | pipes; sockets, TLS | sockets (the last) |
//! | writes that fail | `failing_writes` | pipes | no faults in sockets |
//! | one byte at a time | dialogues over pipes of one byte; `small_pieces` | pipes | sockets |
//! | slow reader | `slow_reader`; `back_pressure`, `more_than_the_queue_holds` | pipes; sockets, TLS, pipes | sockets (the last two) |
//! | 100 connections at once | `a_hundred_at_once` | sockets, TLS, pipes | sockets |
//! | TLS refused, missing, silent | `security` | sockets | no TLS |
//!
//! smol runs TLS over async-std's sockets, the only ones `rtmp-async-std` has a TLS for.
//!
//! No test sleeps. Deadlines are those of the session, and the adapter only has to wake up for them; where
//! they are not what a test is about, they are those of [`patient`].
#![forbid(unsafe_code)]

mod app;
mod certificate;
pub mod dialogue;
pub mod fault;
mod patience;
mod pipe;
mod task;

use std::{io, sync::Arc};

use rtmp_proto::{Client, ClientConfig, CloseReason, Instant, Role, Server, ServerConfig, Session};

pub use certificate::certificate;
pub use patience::{Config, patient};
pub use pipe::{Faults, Mode, Pipe, Piped, pipe};
pub use task::{all, apart, once};

/// A session that an adapter drives.
pub trait Connection<R: Role> {
    /// The session, for queries and commands.
    fn session(&mut self) -> &mut Session<R>;

    /// The time to give to commands.
    fn now(&self) -> Instant;

    /// Waits for the next event; after the last one, the reason of the end.
    fn next_event(&mut self) -> impl Future<Output = Result<R::Event, Failure>>;

    /// Waits for the next event, or until at most `len` bytes of output wait.
    fn next_event_or_room(
        &mut self,
        len: usize,
    ) -> impl Future<Output = Result<Option<R::Event>, Failure>>;

    /// Writes until at most `len` bytes wait.
    fn flush_to(&mut self, len: usize) -> impl Future<Output = Result<(), Failure>>;

    /// Writes everything that waits.
    fn flush(&mut self) -> impl Future<Output = Result<(), Failure>> {
        self.flush_to(0)
    }

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
            publish, play, rejection, half_close, more_than_the_queue_holds, back_pressure, rejection_is_flushed,
            both_close_at_once,
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
            small_pieces, slow_reader, cancellation, flush_cancelled, room_cancelled, close_cancelled, reset, cut_short, failing_writes,
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
