//! The encoder by length of sentence and precision, one thread.
//!
//!     cargo bench --bench encoder
//!
//! Random word pieces: what a token is does not matter for the time that it takes.

use candle_core::Device;
use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use parallax::model::predict::{Batching, predict_all};
use parallax::model::{Bundle, Model, Precision, PrecisionChoice, Unit};

/// Tokens in all sentences of one measurement.
const TOKENS: usize = 4096;

fn units(length: usize) -> Vec<Unit> {
    let id = |i: usize| 1000 + (i as u32).wrapping_mul(2_654_435_761) % 20_000;
    let sentence = |s: usize| (0..length).map(|i| id(s * length + i)).collect();
    (0..TOKENS / length).map(|s| Unit { ids: sentence(s), ..Unit::default() }).collect()
}

fn lengths(criterion: &mut Criterion) {
    let bundle = Bundle::embedded().expect("the built-in model");
    let mut group = criterion.benchmark_group("tokens in sentences of N");
    group.throughput(Throughput::Elements(TOKENS as u64)).sample_size(10);
    for precision in [Precision::F32, Precision::Int8] {
        let exactly = PrecisionChoice::Exactly(precision);
        let model = Model::load_for_scoring(&bundle, &[Device::Cpu], exactly).expect("the model");
        for length in [8, 16, 32, 64, 128] {
            let units = units(length);
            let units: Vec<&Unit> = units.iter().collect();
            let batching = Batching { workers: 1, tokens: 1024 };
            group.bench_function(BenchmarkId::new(precision.name(), length), |b| {
                b.iter(|| predict_all(&model, &units, batching, &|_| {}).expect("predictions"))
            });
        }
    }
    group.finish();
}

fn batches(criterion: &mut Criterion) {
    let bundle = Bundle::embedded().expect("the built-in model");
    let exactly = PrecisionChoice::Exactly(Precision::Int8);
    let model = Model::load_for_scoring(&bundle, &[Device::Cpu], exactly).expect("the model");
    let units = units(32);
    let units: Vec<&Unit> = units.iter().collect();
    let mut group = criterion.benchmark_group("tokens in batches of N, int8");
    group.throughput(Throughput::Elements(TOKENS as u64)).sample_size(10);
    for tokens in [128, 256, 512, 1024, 2048, 4096] {
        let batching = Batching { workers: 1, tokens };
        group.bench_function(BenchmarkId::from_parameter(tokens), |b| {
            b.iter(|| predict_all(&model, &units, batching, &|_| {}).expect("predictions"))
        });
    }
    group.finish();
}

criterion_group!(benches, lengths, batches);
criterion_main!(benches);
