//! Whole server sessions.
#![allow(missing_docs, reason = "criterion's macros make a public function")]

use std::hint::black_box;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use rtmp_benches::{
    Contender, Workload,
    dialogue::{Dialogue, digest_hello},
    ours::Ours,
    ratios::PIECES,
};

fn ingest(c: &mut Criterion) {
    let workload = Workload::live(4096);
    let dialogue = Dialogue::publishing(4096);
    let mut group = c.benchmark_group("ingest");
    group.throughput(Throughput::Bytes(workload.wire.bytes.len() as u64));
    for piece in PIECES {
        group.bench_function(piece.to_string(), |b| {
            b.iter(|| Ours.ingest(&dialogue, &workload, piece, &mut discard));
        });
    }
    group.finish();
}

fn set_up(c: &mut Criterion) {
    let dialogue = Dialogue::publishing(4096);
    c.bench_function("set-up", |b| b.iter(|| Ours.set_up(&dialogue)));
}

fn handshake(c: &mut Criterion) {
    let hello = digest_hello();
    c.bench_function("handshake/digest", |b| {
        b.iter(|| Ours.digest_handshake(&hello))
    });
    let hello = Dialogue::publishing(4096).handshake;
    let hello = hello.get(..1537).expect("C0 and C1");
    c.bench_function("handshake/simple", |b| {
        b.iter(|| Ours.digest_handshake(hello))
    });
}

fn discard(message_type: u8, timestamp: u32, payload: &[u8]) {
    black_box((message_type, timestamp, payload));
}

criterion_group!(benches, ingest, set_up, handshake);
criterion_main!(benches);
