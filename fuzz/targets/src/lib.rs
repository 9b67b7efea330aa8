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

mod aggregate;
mod amf;
mod auth;
mod broadcast;
mod chunk;
mod flv;
mod handshake;
mod input;
mod message;
mod pair;
mod relay;
mod rtmpe;
mod rtmpt;
mod session;
mod shared_object;
mod stream;
mod typed;
mod url;

pub use self::{
    aggregate::aggregate,
    amf::{amf_values, amf0, amf3},
    auth::auth,
    broadcast::broadcast,
    chunk::{chunk_decoder, chunk_messages},
    flv::{flv_body, flv_config, flv_file, flv_frames},
    handshake::handshake,
    message::message,
    pair::pair,
    relay::relay,
    rtmpe::rtmpe,
    rtmpt::rtmpt,
    session::{client_session, dialogue, server_session},
    shared_object::shared_object,
    typed::amf_typed,
    url::url,
};

/// What a target does with an input.
pub type Target = fn(&[u8]);

/// Every target by name.
pub const TARGETS: &[(&str, Target)] = &[
    ("aggregate", aggregate),
    ("amf0", amf0),
    ("amf3", amf3),
    ("amf_typed", amf_typed),
    ("amf_values", amf_values),
    ("auth", auth),
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
    ("rtmpe", rtmpe),
    ("rtmpt", rtmpt),
    ("server_session", server_session),
    ("shared_object", shared_object),
    ("url", url),
];
