//! RTMP as a sans-IO state machine: bytes in; events and outgoing buffers out.
//!
//! A [`ServerSession`] or [`ClientSession`] is one end of one connection. It never touches a socket, a
//! clock, a thread or a source of random numbers; the caller passes in what it needs and so can run it
//! on any runtime, in firmware, in WebAssembly, or in a fuzzer.
//!
//! # The driving loop
//!
//! Whatever carries the bytes, the loop is this one: take events, write output, read input, tell the
//! time.
//!
//! ```
//! use bytes::{Buf, BytesMut};
//! use rtmp_proto::{Instant, Role, Session};
//! use std::io::{self, Read, Write};
//!
//! fn drive<R: Role>(
//!     session: &mut Session<R>,
//!     transport: &mut (impl Read + Write),
//!     clock: impl Fn() -> Instant,
//!     mut on_event: impl FnMut(&mut Session<R>, R::Event),
//! ) -> io::Result<()> {
//!     let mut input = BytesMut::new();
//!     loop {
//!         while let Some(event) = session.poll_event() {
//!             on_event(session, event); // answer requests, send media, call other commands
//!         }
//!         while let Some(mut transmit) = session.poll_transmit() {
//!             let written = transport.write(transmit.chunk())?;
//!             transmit.advance(written);
//!         }
//!         if session.is_closed() {
//!             return Ok(()); // shut the transport down, then drop it
//!         }
//!         if input.is_empty() && session.wants_read() {
//!             let mut bytes = [0; 4096];
//!             match transport.read(&mut bytes)? {
//!                 0 => session.handle_eof(clock()),
//!                 count => input.extend_from_slice(&bytes[..count]),
//!             }
//!         }
//!         session.handle_input(clock(), &mut input);
//!         session.handle_timeout(clock()); // and wait no longer than until poll_timeout()
//!     }
//! }
//! ```
//!
//! Adapters to a runtime build on [`Driver`], which has this loop's decisions and the orderly end of a
//! connection in it.
//!
//! # Events and requests
//!
//! Events come one at a time: [`handle_input`](Session::handle_input) stops behind each message that
//! caused one. What a client asks of a server is a request, a token that [`accept`](Session::accept) or
//! [`reject`](Session::reject) consumes. While a request waits, no further input is taken, so decisions
//! may take their time and nothing overtakes them.
//!
//! Servers that want a user and a password ask for them with `connect`: [`auth`] has both sides.
//!
//! # Media
//!
//! Audio, video and data travel as [`flv::Frame`]s: a timestamp, the payload as shared
//! [`Bytes`](bytes::Bytes), and what its header says about it. Frames of a publisher can be handed to
//! any number of players without copying. [`relay`] has what a server needs between the two.
//!
//! Encoders write payloads with [`flv::EnhancedVideo`] and [`flv::EnhancedAudio`], and the records that
//! go before them with [`flv::config`]; [`flv::StreamInfo`] reads them back for people to see. What the
//! peer understands of all that is in its [`Capabilities`].
//!
//! # Limits
//!
//! Everything a peer can make a session store, reply or work through has a bound, listed with its
//! default in [`Limits`]. Where deployed peers break the specification in ways that can be understood,
//! they are understood: each such rule is named in [`Leniency`] or where it is applied.
//!
//! # Layers
//!
//! ```text
//! amf -> chunk -> message, flv -> handshake -> session
//!                        \-> relay
//! ```
//!
//! Each layer is public and usable alone: a [`chunk::ChunkDecoder`] decodes a capture, a
//! [`flv::FileReader`] reads a file. A layer knows only those to its left.
//!
//! # Features
//!
//! - `serde`: types of your own in the place of [`amf`] values. Off by default.
//! - `std`: [`Transmit`] has `chunks_vectored`, for vectored writes. Off by default; the adapters turn
//!   it on.
//! - `rtmpe`: RTMPE, the encryption of Flash Player (module `rtmpe`). Off by default: it is for
//!   compatibility, not security.
//! - `rtmpt`: RTMPT, the tunnel through HTTP (module `rtmpt`). Off by default.
#![no_std]
#![forbid(unsafe_code)]

extern crate alloc;
#[cfg(feature = "std")]
extern crate std;

pub mod amf;
pub mod auth;
mod backoff;
mod capabilities;
pub mod chunk;
mod config;
mod connection;
mod driver;
mod error;
pub mod flv;
pub mod handshake;
mod leniency;
mod limits;
pub mod message;
mod reconnect;
pub mod relay;
mod republisher;
mod retry;
#[cfg(feature = "rtmpe")]
pub mod rtmpe;
#[cfg(feature = "rtmpt")]
pub mod rtmpt;
mod session;
mod stats;
mod stream_name;
mod time;
mod timestamp;
mod transmit;
mod url;

pub use backoff::{Backoff, BackoffConfig};
pub use capabilities::{Capabilities, CapsEx, CodecSupport, FourCcInfo};
pub use chunk::MessageStreamId;
pub use config::{ClientConfig, ConnectionConfig, ServerConfig};
pub use driver::Driver;
pub use error::{CloseReason, Error, RequestError, SendError, Timeout};
pub use leniency::{ExtendedTimestampRule, Leniency};
pub use limits::{AmfLimits, EarlyLimits, Limits};
pub use message::{Status, StatusCode, UserControl};
pub use reconnect::{Next, Reconnect, ReconnectConfig};
pub use republisher::{PublisherEvent, PublisherState, Republisher, Step};
pub use retry::Retry;
pub use session::{
    Call, Client, ClientEvent, ClientSession, ConnectInfo, ConnectParams, ConnectRequest,
    PlayOptions, PlayRequest, Playback, PublishKind, PublishRequest, Request, Response, Role,
    SEND_AHEAD, SeekRequest, Server, ServerEvent, ServerSession, Session, SessionState,
    StreamState, Transition,
};
pub use stats::{MessageCounts, Stats};
pub use stream_name::{Query, StreamName, StreamTarget};
pub use time::Instant;
pub use timestamp::{Timestamp, TimestampDelta};
pub use transmit::{SendQueue, Transmit};
pub use url::{RedirectError, RtmpUrl, Scheme, UrlError};
