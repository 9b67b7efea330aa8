//! Workloads, a bare `memcpy` and `rtmp-proto` on them; see README.md of this directory.
//!
//! A [`Contender`] is an implementation of RTMP. [`ratios`] measures contenders against each other.
#![allow(
    clippy::indexing_slicing,
    reason = "a panic ends a measurement, and that is all"
)]

pub mod contender;
pub mod dialogue;
pub mod growth;
pub mod memcpy;
pub mod ours;
pub mod ratios;
pub mod socket;
pub mod values;
pub mod wire;
pub mod workload;

pub use contender::{Contender, Outcome, Sink};
pub use workload::{Message, Workload};
