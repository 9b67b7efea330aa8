//! `rtmp` against the programs it will meet.
//!
//! Run by `cargo test -p rtmp-cli --features peers --test peers`. A program that is not installed is
//! a failure. On Debian: ffmpeg, rtmpdump, gstreamer1.0-tools with the plugins base, good, bad, ugly
//! and libav, libnginx-mod-rtmp, mpv and tshark (which must be allowed to capture).

#[path = "../common/mod.rs"]
mod common;

mod clients;
mod media;
mod players;
mod policy;
mod programs;
mod publishers;
mod recording;
mod timestamps;
mod wire;
