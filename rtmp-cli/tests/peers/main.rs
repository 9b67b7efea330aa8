//! `rtmp` against the programs it will meet.
//!
//! Run by `cargo test -p rtmp-cli --features peers --test peers`. A program that is not installed is
//! a failure. On Debian: ffmpeg, rtmpdump, gstreamer1.0-tools with the plugins base, good, bad, ugly
//! and libav, libnginx-mod-rtmp, mpv and tshark (which must be allowed to capture). For Enhanced RTMP
//! also an ffmpeg of version 8 or newer, from the variable `RTMP_PEERS_FFMPEG` or the Python module
//! `imageio_ffmpeg`.

#[path = "../common/mod.rs"]
mod common;

mod clients;
mod compatibility;
mod enhanced;
mod media;
mod players;
mod policy;
mod programs;
mod publishers;
mod recording;
mod timestamps;
mod wire;
