//! RTMP as a sans-IO state machine.
#![no_std]
#![forbid(unsafe_code)]

extern crate alloc;
#[cfg(feature = "std")]
extern crate std;

pub mod amf;
pub mod chunk;
mod config;
mod connection;
mod error;
pub mod flv;
pub mod handshake;
mod limits;
pub mod message;
pub mod relay;
mod session;
mod stats;
mod stream_name;
mod time;
mod timestamp;
mod transmit;
mod url;

pub use chunk::MessageStreamId;
pub use config::{ClientConfig, ConnectionConfig, ServerConfig};
pub use error::{CloseReason, Error, RequestError, SendError, Timeout};
pub use limits::{AmfLimits, Limits};
pub use message::{Status, StatusCode, UserControl};
pub use session::{
    Call, Client, ClientEvent, ClientSession, ConnectInfo, ConnectParams, ConnectRequest,
    PlayOptions, PlayRequest, PublishKind, PublishRequest, Request, Response, Role, SeekRequest,
    Server, ServerEvent, ServerSession, Session, SessionState, StreamState, Transition,
};
pub use stats::{MessageCounts, Stats};
pub use stream_name::{Query, StreamName, StreamTarget};
pub use time::Instant;
pub use timestamp::{Timestamp, TimestampDelta};
pub use transmit::{SendQueue, Transmit};
pub use url::{RtmpUrl, Scheme, UrlError};
