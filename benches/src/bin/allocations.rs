//! Prints how often a message is allocated for and copied, as a table in Markdown.
//!
//! Bytes allocated are an upper bound of bytes copied: what is allocated for a message is filled once,
//! and what is allocated again is copied again.

use std::{alloc::System, hint::black_box};

use rtmp_benches::{Contender, Workload, ours::Ours, ratios::PIECES, socket::Sender};
use stats_alloc::{INSTRUMENTED_SYSTEM, Region, StatsAlloc};

#[global_allocator]
static ALLOCATOR: &StatsAlloc<System> = &INSTRUMENTED_SYSTEM;

fn main() {
    println!("| workload | allocations a message | bytes allocated for a byte of payload |");
    println!("|---|---:|---:|");
    for (name, workload) in Workload::all() {
        let decode = || {
            let sink = &mut |_, _, payload: &[u8]| {
                black_box(payload);
            };
            Ours.decode(&workload, PIECES[1], sink).expect("it decodes");
        };
        row(&format!("decode {name}"), &workload, decode);
        let (messages, chunk_size) = (&workload.messages, workload.wire.chunk_size);
        let mut encode = Ours.encoder(messages, chunk_size).expect("it encodes");
        let mut sender = Sender::new();
        row(&format!("encode {name}"), &workload, || encode(&mut sender));
    }
}

fn row(title: &str, workload: &Workload, mut work: impl FnMut()) {
    work();
    let region = Region::new(ALLOCATOR);
    work();
    let change = region.change();
    let messages = workload.messages.len() as f64;
    let payload = workload.payload_len() as f64;
    let allocations = (change.allocations + change.reallocations) as f64 / messages;
    let bytes = change.bytes_allocated as f64 / payload;
    println!("| {title} | {allocations:.2} | {bytes:.2} |");
}
