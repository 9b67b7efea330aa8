//! A relay without any I/O, for the servers of one thread among the examples: `mio_server` and
//! `io_uring_server`. What they show is how to drive it.

mod channel;
mod client;

pub use client::{Client, Hub};
