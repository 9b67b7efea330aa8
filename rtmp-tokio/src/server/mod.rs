//! Servers: accepted connections, what their clients ask for, and an end in good order.

mod connection;
mod listen;
mod media;
mod shutdown;

pub use self::listen::{IncomingConnection, Server};
pub use self::{
    connection::{Asked, Request, ServerConnection},
    media::{FrameSink, FrameSource, PlayerEvent},
    shutdown::Presence,
};
