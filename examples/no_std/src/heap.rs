//! What `std` would bring: the allocator, and what happens on a panic.

use core::{
    alloc::{GlobalAlloc, Layout},
    ffi::c_void,
    panic::PanicInfo,
    ptr,
};

/// The heap of the C library, which ESP-IDF, Zephyr and newlib have too.
struct Heap;

// SAFETY: `malloc` gives memory of the size asked for that nothing else uses, or null, and it is
// aligned for every C type; what asks for more alignment than two words gets null.
unsafe impl GlobalAlloc for Heap {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        if layout.align() > 2 * size_of::<usize>() {
            return ptr::null_mut();
        }
        // SAFETY: any size is fine.
        unsafe { malloc(layout.size()) }.cast()
    }

    unsafe fn dealloc(&self, memory: *mut u8, _: Layout) {
        // SAFETY: the caller got it from `alloc`.
        unsafe { free(memory.cast()) }
    }
}

#[global_allocator]
static HEAP: Heap = Heap;

#[panic_handler]
fn panic(_: &PanicInfo<'_>) -> ! {
    // SAFETY: it takes nothing and does not return.
    unsafe { abort() }
}

/// The `core` that comes with the compiler may ask for it in unoptimized builds; nobody calls it.
#[unsafe(no_mangle)]
extern "C" fn rust_eh_personality() {}

unsafe extern "C" {
    fn malloc(size: usize) -> *mut c_void;
    fn free(memory: *mut c_void);
    fn abort() -> !;
}
