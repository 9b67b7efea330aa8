//! Chunks both ways.
#![allow(missing_docs, reason = "criterion's macros make a public function")]

use std::hint::black_box;

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use rtmp_benches::{Contender, Workload, ours::Ours, ratios::PIECES, socket::Sender};

fn decode(c: &mut Criterion) {
    let mut group = c.benchmark_group("decode");
    for (name, workload) in Workload::all() {
        group.throughput(Throughput::Bytes(workload.wire.bytes.len() as u64));
        for piece in PIECES {
            group.bench_function(BenchmarkId::new(name, piece), |b| {
                b.iter(|| Ours.decode(&workload, piece, &mut discard));
            });
        }
    }
    group.finish();
}

fn encode(c: &mut Criterion) {
    let mut group = c.benchmark_group("encode");
    let mut sender = Sender::new();
    for (name, workload) in Workload::all() {
        group.throughput(Throughput::Bytes(workload.wire.bytes.len() as u64));
        group.bench_function(name, |b| {
            let encoder = Ours.encoder(&workload.messages, workload.wire.chunk_size);
            let mut encode = encoder.expect("it encodes");
            b.iter(|| encode(&mut sender));
        });
    }
    group.finish();
}

fn relay(c: &mut Criterion) {
    let mut group = c.benchmark_group("relay");
    let mut sender = Sender::new();
    for (name, workload) in Workload::all() {
        group.throughput(Throughput::Bytes(workload.wire.bytes.len() as u64));
        group.bench_function(name, |b| {
            b.iter(|| Ours.relay(&workload, PIECES[1], &mut sender));
        });
    }
    group.finish();
}

fn fan_out(c: &mut Criterion) {
    let workload = Workload::live(4096);
    let messages = workload.messages.get(..20).expect("it has hundreds");
    let mut sender = Sender::new();
    let fan_out = Ours.fan_out(messages, workload.wire.chunk_size, 100);
    let mut fan_out = fan_out.expect("it encodes");
    c.bench_function("fan-out/100", |b| b.iter(|| fan_out(&mut sender)));
}

fn discard(message_type: u8, timestamp: u32, payload: &[u8]) {
    black_box((message_type, timestamp, payload));
}

criterion_group!(benches, decode, encode, relay, fan_out);
criterion_main!(benches);
