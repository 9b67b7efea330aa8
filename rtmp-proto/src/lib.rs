//! RTMP as a sans-IO state machine.
#![no_std]
#![forbid(unsafe_code)]

extern crate alloc;
#[cfg(feature = "std")]
extern crate std;

pub mod amf;
pub mod chunk;
pub mod flv;
pub mod handshake;
mod limits;
pub mod message;
pub mod relay;
mod stream_name;
mod time;
mod timestamp;
mod transmit;
mod url;

pub use chunk::MessageStreamId;
pub use limits::{AmfLimits, Limits};
pub use message::{Status, StatusCode, UserControl};
pub use stream_name::{Query, StreamName, StreamTarget};
pub use time::Instant;
pub use timestamp::{Timestamp, TimestampDelta};
pub use transmit::{SendQueue, Transmit};
pub use url::{RtmpUrl, Scheme, UrlError};
