//! A publisher for firmware: `rtmp-proto` behind five C functions, with `alloc` and no `std`.
//!
//! ```sh
//! cargo build --manifest-path examples/no_std/Cargo.toml
//! ```
//!
//! `demo.c` beside it uses them over a POSIX socket. The build proves that the core needs no `std`: a
//! second panic handler would be an error. The core has no `unsafe` code; here it cannot be avoided,
//! since a global allocator is an `unsafe` trait, and C hands over bare pointers.
#![no_std]

extern crate alloc;

mod heap;

use alloc::{boxed::Box, sync::Arc};
use core::{ptr, slice, time::Duration};

use bytes::{Buf, Bytes};
use rtmp_proto::{
    ClientConfig, ClientEvent, ClientSession, Instant, MessageStreamId, Timestamp,
    handshake::HANDSHAKE_RANDOM_LEN,
};

/// A session, and the stream once the server has accepted it.
pub struct Publisher {
    session: ClientSession,
    stream: Option<MessageStreamId>,
}

/// Begins to publish to a URL; null if it is none.
///
/// # Safety
///
/// `url` points to `url_len` bytes, and `random` to 32 random ones.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn rtmp_new(
    url: *const u8,
    url_len: usize,
    random: *const [u8; HANDSHAKE_RANDOM_LEN],
    now_ms: u64,
) -> *mut Publisher {
    // SAFETY: promised by the caller.
    let (url, random) = unsafe { (slice::from_raw_parts(url, url_len), *random) };
    let Some(url) = str::from_utf8(url).ok().and_then(|url| url.parse().ok()) else {
        return ptr::null_mut();
    };
    let config = Arc::new(ClientConfig::default());
    let mut session = ClientSession::new(at(now_ms), config, random);
    let stream = None;
    match session.publish_to(at(now_ms), &url) {
        Ok(()) => Box::into_raw(Box::new(Publisher { session, stream })),
        Err(_) => ptr::null_mut(),
    }
}

/// Takes bytes from the network and the time; to be called every second at least, with or without
/// bytes. How many it took: fewer than there are if output is to be sent first. -1 when the session
/// has ended: send what there is and hang up.
///
/// # Safety
///
/// `publisher` is from [`rtmp_new`], and `bytes` points to `len` bytes.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn rtmp_feed(
    publisher: &mut Publisher,
    bytes: *const u8,
    len: usize,
    now_ms: u64,
) -> isize {
    let Publisher { session, stream } = publisher;
    let mut input = match len {
        0 => &[][..],
        // SAFETY: promised by the caller.
        _ => unsafe { slice::from_raw_parts(bytes, len) },
    };
    session.handle_input(at(now_ms), &mut input);
    session.handle_timeout(at(now_ms));
    while let Some(event) = session.poll_event() {
        if let ClientEvent::Publishing { stream: new } = event {
            *stream = Some(new);
        }
        session.handle_input(at(now_ms), &mut input);
    }
    if session.is_closed() {
        return -1;
    }
    len.cast_signed() - input.len().cast_signed()
}

/// Takes up to `len` bytes for the network; how many there were.
///
/// # Safety
///
/// `publisher` is from [`rtmp_new`], and `out` points to room for `len` bytes.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn rtmp_take(publisher: &mut Publisher, out: *mut u8, len: usize) -> usize {
    let mut taken = 0;
    while let Some(mut transmit) = publisher.session.poll_transmit()
        && taken < len
    {
        let count = transmit.chunk().len().min(len - taken);
        // SAFETY: promised by the caller; `count` bytes fit behind the `taken` ones.
        unsafe { ptr::copy_nonoverlapping(transmit.chunk().as_ptr(), out.add(taken), count) };
        transmit.advance(count);
        taken += count;
    }
    taken
}

/// Queues a video frame, an FLV video tag body. 0, or -1 if the server has not accepted the stream
/// yet or too much waits: drop frames up to the next key frame.
///
/// # Safety
///
/// `publisher` is from [`rtmp_new`], and `body` points to `len` bytes.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn rtmp_video(
    publisher: &mut Publisher,
    timestamp_ms: u32,
    body: *const u8,
    len: usize,
) -> i32 {
    let Some(stream) = publisher.stream else {
        return -1;
    };
    // SAFETY: promised by the caller.
    let body = Bytes::copy_from_slice(unsafe { slice::from_raw_parts(body, len) });
    let timestamp = Timestamp::from_millis(timestamp_ms);
    match publisher.session.send_video(stream, timestamp, body) {
        Ok(()) => 0,
        Err(_) => -1,
    }
}

/// Frees the session.
///
/// # Safety
///
/// `publisher` is from [`rtmp_new`], and is not used any more.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn rtmp_free(publisher: *mut Publisher) {
    // SAFETY: promised by the caller.
    drop(unsafe { Box::from_raw(publisher) });
}

fn at(millis: u64) -> Instant {
    Instant::from_origin(Duration::from_millis(millis))
}
