//! What the fuzz targets do, as functions of bytes.
//!
//! The targets in `../fuzz_targets` call these under libFuzzer; `tests/replay.rs` calls them with the
//! corpora and with every input that once failed, on the stable toolchain. A function panics when
//! something is wrong, and does nothing else.
#![allow(
    clippy::indexing_slicing,
    clippy::cast_possible_truncation,
    reason = "a panic is a finding, and numbers are cut to make them small"
)]

mod amf;
mod broadcast;
mod chunk;
mod flv;
mod handshake;
mod input;
mod message;
mod pair;
mod relay;
mod session;
mod stream;
mod url;

pub use self::{
    amf::{amf_values, amf0, amf3},
    broadcast::broadcast,
    chunk::{chunk_decoder, chunk_messages},
    flv::{flv_body, flv_config, flv_file, flv_frames},
    handshake::handshake,
    message::message,
    pair::pair,
    relay::relay,
    session::{client_session, dialogue, server_session},
    url::url,
};

/// What a target does with an input.
pub type Target = fn(&[u8]);

/// Every target by name.
pub const TARGETS: &[(&str, Target)] = &[
    ("amf0", amf0),
    ("amf3", amf3),
    ("amf_values", amf_values),
    ("broadcast", broadcast),
    ("chunk_decoder", chunk_decoder),
    ("chunk_messages", chunk_messages),
    ("client_session", client_session),
    ("dialogue", dialogue),
    ("flv_body", flv_body),
    ("flv_config", flv_config),
    ("flv_file", flv_file),
    ("flv_frames", flv_frames),
    ("handshake", handshake),
    ("message", message),
    ("pair", pair),
    ("relay", relay),
    ("server_session", server_session),
    ("url", url),
];
