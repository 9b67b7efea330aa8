//! AMF values and FLV files both ways.
#![allow(missing_docs, reason = "criterion's macros make a public function")]

use std::hint::black_box;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use rtmp_benches::{Contender, Workload, ours::Ours, values::Sample};
use rtmp_proto::{
    Timestamp,
    flv::{FileReader, FileWriter, Frame},
};

fn amf0(c: &mut Criterion) {
    for sample in Sample::all() {
        let mut group = c.benchmark_group("amf0");
        group.bench_function(format!("decode {}", sample.name), |b| {
            b.iter(|| Ours.decode_values(black_box(&sample.bytes)));
        });
        let mut encode = Ours.encode_values(&sample).expect("it decodes");
        let mut out = Vec::new();
        group.bench_function(format!("encode {}", sample.name), |b| {
            b.iter(|| {
                out.clear();
                encode(black_box(&mut out));
            });
        });
    }
}

fn flv(c: &mut Criterion) {
    let frames: Vec<_> = Workload::live(4096)
        .messages
        .into_iter()
        .map(|message| {
            let timestamp = Timestamp::from_millis(message.timestamp);
            match message.message_type {
                8 => Frame::audio(timestamp, message.payload),
                _ => Frame::video(timestamp, message.payload),
            }
        })
        .collect();
    let mut file = FileWriter::header(true, true).to_vec();
    write(&frames, &mut file);
    let mut group = c.benchmark_group("flv");
    group.throughput(Throughput::Bytes(file.len() as u64));
    group.bench_function("read", |b| {
        b.iter(|| {
            let mut reader = FileReader::new();
            for mut piece in file.chunks(64 << 10) {
                while let Ok(Some(frame)) = reader.decode(&mut piece) {
                    black_box(frame);
                }
            }
        });
    });
    let mut out = Vec::new();
    group.bench_function("write", |b| {
        b.iter(|| {
            out.clear();
            write(&frames, &mut out);
        });
    });
    group.finish();
}

fn write(frames: &[Frame], out: &mut Vec<u8>) {
    let mut writer = FileWriter::new();
    for frame in frames {
        writer.encode(frame, out).expect("frames in order");
    }
}

criterion_group!(benches, amf0, flv);
criterion_main!(benches);
