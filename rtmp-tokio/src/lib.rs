//! [`rtmp_proto`] driven by tokio.
//!
//! [`Connection`] drives a session of either role over any `AsyncRead + AsyncWrite`: it reads, writes
//! and keeps time, and everything else is the session's. [`Publisher`] and [`Player`] are what most
//! clients need, [`Server`] what most servers begin with. A [`ReconnectingPublisher`] does not end with
//! its connection.
#![forbid(unsafe_code)]

mod client;
mod connection;
mod error;
mod reconnecting;
mod server;
mod sign_in;
mod timer;
pub mod tls;
mod transport;

pub use client::{Player, Publisher};
pub use connection::Connection;
pub use error::Error;
pub use reconnecting::{PublisherEvent, ReconnectingPublisher, random};
pub use server::{
    Asked, FrameSink, FrameSource, IncomingConnection, PlayerEvent, Presence, Request, Server,
    ServerConnection,
};
pub use transport::{BoxedTransport, Incoming, Listener, Transport, dial};

/// The examples of the README.
#[cfg(doctest)]
#[doc = include_str!("../../README.md")]
struct Readme;
