//! AMF values and FLV files both ways.
#![allow(missing_docs, reason = "criterion's macros make a public function")]

use std::hint::black_box;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use rtmp_benches::{
    Contender, Workload, contender::Encode, ours::Ours, ratios::PIECES, values::Sample,
    wire::flv_file,
};

fn amf0(c: &mut Criterion) {
    let mut group = c.benchmark_group("amf0");
    for sample in Sample::all() {
        group.bench_function(format!("decode {}", sample.name), |b| {
            b.iter(|| Ours.decode_values(black_box(&sample.bytes)));
        });
        let mut encode = Ours.encode_values(&sample).expect("it decodes");
        group.bench_function(format!("encode {}", sample.name), |b| {
            let mut out = Vec::new();
            b.iter(|| again(&mut encode, &mut out));
        });
    }
}

fn amf3(c: &mut Criterion) {
    let mut group = c.benchmark_group("amf3");
    for sample in Sample::amf3() {
        group.bench_function(format!("decode {}", sample.name), |b| {
            b.iter(|| Ours.decode_amf3(black_box(&sample.bytes)));
        });
        let mut encode = Ours.encode_amf3(&sample).expect("it decodes");
        group.bench_function(format!("encode {}", sample.name), |b| {
            let mut out = Vec::new();
            b.iter(|| again(&mut encode, &mut out));
        });
    }
}

fn flv(c: &mut Criterion) {
    let messages = Workload::live(4096).messages;
    let file = flv_file(&messages);
    let mut group = c.benchmark_group("flv");
    group.throughput(Throughput::Bytes(file.len() as u64));
    group.bench_function("read", |b| {
        b.iter(|| {
            Ours.read_flv(&file, PIECES[1], &mut |kind, time, payload| {
                black_box((kind, time, payload));
            })
        });
    });
    let mut write = Ours.write_flv(&messages).expect("it writes");
    group.bench_function("write", |b| {
        let mut out = Vec::new();
        b.iter(|| again(&mut write, &mut out));
    });
    group.finish();
}

fn again(encode: &mut Encode, out: &mut Vec<u8>) {
    out.clear();
    encode(black_box(out));
}

criterion_group!(benches, amf0, amf3, flv);
criterion_main!(benches);
