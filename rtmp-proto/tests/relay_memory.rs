//! What players that do not get ahead make a stream hold, counted by the allocator.

use peak_alloc::PeakAlloc;
use rtmp_proto::{
    Instant, Timestamp,
    chunk::ChunkSize,
    flv::Frame,
    relay::{Broadcast, BroadcastLimits},
};

/// A thousand players that have begun with the longest group there may be, and read one frame of it. The
/// stream goes on between them, so that no two begin with the same.
#[test]
fn groups_are_shared() {
    let mut broadcast = Broadcast::new(BroadcastLimits::default(), ChunkSize::INITIAL);
    let frame = |first: u8, n: u32| {
        let payload = vec![first, 1, 0, 0, 0].into();
        Frame::video(Timestamp::from_millis(n), payload)
    };
    broadcast.push(&frame(0x17, 0));
    for n in 1..7000 {
        broadcast.push(&frame(0x27, n));
    }
    let before = HEAP.current_usage();
    let mut cursors = Vec::new();
    for n in 7000..8000 {
        let mut cursor = broadcast.join();
        assert!(broadcast.next(&mut cursor, Instant::ORIGIN).is_some());
        cursors.push(cursor);
        broadcast.push(&frame(0x27, n));
    }
    let each = (HEAP.current_usage() - before) / cursors.len();
    assert!(each < 12 << 10, "{each} bytes for each player");
}

#[global_allocator]
static HEAP: PeakAlloc = PeakAlloc;
