//! The cost of one operation against what might make it grow; see `rtmp_benches::growth`.
#![allow(missing_docs, reason = "criterion's macros make a public function")]

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use rtmp_benches::growth::groups;

fn growth(c: &mut Criterion) {
    for growing in groups() {
        let mut group = c.benchmark_group(growing.title);
        group.sample_size(20);
        for mut case in growing.cases {
            group.throughput(Throughput::Elements(case.operations as u64));
            let id = BenchmarkId::new(growing.operation, case.size);
            group.bench_function(id, |b| b.iter(&mut case.work));
        }
        group.finish();
    }
}

criterion_group!(benches, growth);
criterion_main!(benches);
