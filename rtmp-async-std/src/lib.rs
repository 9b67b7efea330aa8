//! [`rtmp_proto`] driven by async-std or smol.
//!
//! [`Connection`] drives a session of either role over any `AsyncRead + AsyncWrite`: it reads, writes
//! and keeps time, and everything else is the session's. [`Publisher`] and [`Player`] are what most
//! clients need, `Server` what most servers begin with. A [`ReconnectingPublisher`] does not end with
//! its connection.
//!
//! The traits are those of `futures_io` and the timers those of `async-io`, which needs no runtime of
//! its own: over smol's sockets all this runs on smol, or on any other executor. Without the default
//! feature `async-std` there are no sockets in here and async-std is not linked.
//!
//! async-std is discontinued (RUSTSEC-2025-0052), and new programs better choose tokio, with
//! `rtmp-tokio`, or smol. This crate is for those that exist, and for smol.
//!
//! The transport's `poll_close` must tell the peer that nothing more comes. async-std's `TcpStream`
//! does not; wrap it in a `Socket`.
#![forbid(unsafe_code)]

mod client;
mod connection;
mod error;
mod reconnecting;
mod server;
#[cfg(feature = "async-std")]
mod sign_in;
#[cfg(feature = "async-std")]
mod socket;
mod timer;
#[cfg(feature = "async-std")]
pub mod tls;
mod transport;

pub use client::{Player, Publisher};
pub use connection::Connection;
pub use error::Error;
pub use reconnecting::{PublisherEvent, ReconnectingPublisher, random};
pub use server::{Asked, FrameSink, FrameSource, PlayerEvent, Presence, Request, ServerConnection};
#[cfg(feature = "async-std")]
pub use server::{IncomingConnection, Server};
#[cfg(feature = "async-std")]
pub use socket::Socket;
pub use transport::{BoxedTransport, Transport};
#[cfg(feature = "async-std")]
pub use transport::{Incoming, Listener, dial};
