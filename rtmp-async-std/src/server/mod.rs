//! Servers: accepted connections, what their clients ask for, and an end in good order.

mod connection;
#[cfg(feature = "async-std")]
mod listen;
mod media;
mod shutdown;

#[cfg(feature = "async-std")]
pub use self::listen::{IncomingConnection, Server};
pub use self::{
    connection::{Asked, Request, ServerConnection},
    media::{FrameSink, FrameSource, PlayerEvent},
    shutdown::Presence,
};
