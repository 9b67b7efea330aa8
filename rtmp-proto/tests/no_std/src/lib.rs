//! A whole program's worth of `rtmp-proto` without std.
//!
//! Anything that links std, be it a dependency of a dependency, brings a second panic handler, which
//! the compiler refuses. So this needs no target without std to prove its point.
#![no_std]

extern crate alloc;

use alloc::sync::Arc;
use core::{
    alloc::{GlobalAlloc, Layout},
    panic::PanicInfo,
    ptr,
};

use rtmp_proto::{ClientConfig, ClientSession, Instant, RtmpUrl};

/// The bytes with which a client begins, as far as there is memory for them.
#[unsafe(no_mangle)]
pub extern "C" fn first_bytes() -> usize {
    let Ok(url) = "rtmp://localhost/live/stream".parse::<RtmpUrl>() else {
        return 0;
    };
    let config = Arc::new(ClientConfig::default());
    let mut session = ClientSession::new(Instant::ORIGIN, config, [7; 32]);
    match session.publish_to(Instant::ORIGIN, &url) {
        Ok(()) => session.queued_len(),
        Err(_) => 0,
    }
}

#[panic_handler]
fn panic(_: &PanicInfo<'_>) -> ! {
    loop {}
}

/// A library for firmware leaves this to the firmware, but a static library must have one. It is why
/// there is unsafe code here, and only here: the trait cannot be implemented without.
struct NoMemory;

// SAFETY: a null pointer says that there is no memory, which is always allowed, and so nothing is
// ever given back.
unsafe impl GlobalAlloc for NoMemory {
    unsafe fn alloc(&self, _: Layout) -> *mut u8 {
        ptr::null_mut()
    }

    unsafe fn dealloc(&self, _: *mut u8, _: Layout) {}
}

#[global_allocator]
static ALLOCATOR: NoMemory = NoMemory;
