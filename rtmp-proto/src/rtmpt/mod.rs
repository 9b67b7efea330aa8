//! RTMPT: the byte stream of RTMP in the bodies of HTTP requests and responses.
//!
//! ```text
//! POST /fcs/ident2           00        -> 404                     asked by Flash Player first
//! POST /open/1               00        -> session ID, line feed
//! POST /send/ID/SEQUENCE     bytes     -> interval(8) bytes
//! POST /idle/ID/SEQUENCE     00        -> interval(8) bytes       "anything for me?"
//! POST /close/ID/SEQUENCE    00        -> interval(8)
//! ```
//!
//! All are of the type [`CONTENT_TYPE`]. One request waits for its response at a time, and each has
//! the next sequence number. The interval says how soon the server wants to be asked again; only
//! that it grows while nothing happens is certain, and clients ignore it.
//!
//! HTTP itself is the caller's: a [`Client`] says which request to make and a [`Server`] what to
//! respond. Between them and a session nothing is buffered.
//!
//! This is for compatibility with clients behind proxies that let nothing but HTTP pass. It protects
//! nothing: whoever knows a session ID can speak for its owner. Use `rtmps://` where there is a
//! choice.
//!
//! Not documented by Adobe; what Flash Player, librtmp, ffmpeg and Red5 do.

mod client;
mod request;
mod server;

use alloc::vec::Vec;

use bytes::{Buf, BufMut};

pub use self::{
    client::Client,
    request::{Request, SessionId},
    server::Server,
};

/// The `Content-Type` of every request and response.
pub const CONTENT_TYPE: &str = "application/x-fcs";

/// The longest body that is taken, in bytes. Servers of HTTP should take no longer ones either.
pub const BODY_LEN_MAX: usize = 1 << 20;

/// Where a peer breaks the tunnel.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum TunnelError {
    /// A path that is none of those above.
    #[error("request is none of the tunnel's")]
    UnknownRequest,
    /// A response with a status other than 200.
    #[error("tunnel answered with status {status}")]
    Status {
        /// The status.
        status: u16,
    },
    /// A response to `open` that is no session ID.
    #[error("tunnel opened without a session ID")]
    InvalidSessionId,
    /// A body without the byte that every body has.
    #[error("body is empty")]
    EmptyBody,
    /// A body longer than [`BODY_LEN_MAX`].
    #[error("body of {length} bytes is longer than {limit}")]
    BodyTooLong {
        /// Its bytes.
        length: usize,
        /// The limit.
        limit: usize,
    },
    /// A request of another session.
    #[error("request belongs to another session")]
    WrongSession,
    /// A request that was sent before, or the ones between are missing.
    #[error("request {sequence} where {expected} is due")]
    OutOfOrder {
        /// Its number.
        sequence: u32,
        /// The next number.
        expected: u32,
    },
    /// A response without a request, or anything after the end.
    #[error("not possible in this state of the tunnel")]
    WrongState,
}

/// Up to `BODY_SENT_MAX` bytes of `output`, behind `first`.
fn body(first: Option<u8>, output: &mut impl Buf) -> Vec<u8> {
    let len = output.remaining().min(BODY_SENT_MAX);
    let mut body = Vec::with_capacity(len + 1);
    body.extend(first);
    body.put(output.take(len));
    body
}

fn check_len(body: &[u8]) -> Result<(), TunnelError> {
    let (length, limit) = (body.len(), BODY_LEN_MAX);
    match length {
        0 => Err(TunnelError::EmptyBody),
        _ if length > limit => Err(TunnelError::BodyTooLong { length, limit }),
        _ => Ok(()),
    }
}

/// Bytes of output in one body: what waits longer goes with the next.
const BODY_SENT_MAX: usize = 64 << 10;

#[cfg(test)]
mod tests;
