//! The encoder on packed rows against candle-transformers' own BERT on padded ones: the same
//! weights and sentences (those of the demonstration corpus), one thread each.
//!
//!     CANDLE_NUM_THREADS=1 RAYON_NUM_THREADS=1 cargo bench --bench encoder

use candle_core::{DType, Device, Tensor};
use candle_transformers::models::bert::BertModel;
use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use parallax::model::encoder::parse_config;
use parallax::model::predict::{Batching, predict_all};
use parallax::model::{Bundle, Model, Unit, load_weights};

const BATCH: usize = 32;

fn encoders(criterion: &mut Criterion) {
    let bundle = Bundle::embedded().expect("the built-in model");
    let model = Model::load(&bundle, &Device::Cpu).expect("the built-in model loads");
    let text =
        std::fs::read_to_string("labels/demo.jsonl").expect("run from the repository's root");
    let mut units: Vec<Unit> = text
        .lines()
        .take(256)
        .filter_map(|line| serde_json::from_str::<serde_json::Value>(line).ok())
        .flat_map(|row| {
            model.prepare(row["text"].as_str().unwrap_or("x"), &[]).expect("tokens").units
        })
        .collect();
    units.sort_by_key(|u| u.ids.len());
    let units: Vec<&Unit> = units.iter().collect();

    let mut group = criterion.benchmark_group("256 sentences, one thread");
    group.throughput(Throughput::Elements(units.len() as u64)).sample_size(10);
    group.bench_function("parallax, packed", |b| {
        let batching = Batching { workers: 1, tokens: 1024 };
        b.iter(|| predict_all(&model, &units, batching, &|_| {}).expect("predictions"))
    });
    let weights = load_weights(&bundle.weights, &Device::Cpu, "default").expect("weights");
    let vb = candle_nn::VarBuilder::from_tensors(weights, DType::F32, &Device::Cpu);
    let config = parse_config(&bundle.config, "default").expect("config");
    let reference = BertModel::load(vb, &config).expect("reference model");
    group.bench_function("candle-transformers, padded, without heads", |b| {
        b.iter(|| {
            for batch in units.chunks(BATCH) {
                let longest = batch.iter().map(|u| u.ids.len()).max().unwrap_or(0);
                let (mut ids, mut mask) = (Vec::new(), Vec::new());
                for unit in batch {
                    let pad = longest - unit.ids.len();
                    ids.extend(unit.ids.iter().copied().chain(std::iter::repeat_n(0, pad)));
                    mask.extend((0..longest).map(|i| u32::from(i < unit.ids.len())));
                }
                let shape = (batch.len(), longest);
                let ids = Tensor::from_vec(ids, shape, &Device::Cpu).expect("ids");
                let mask = Tensor::from_vec(mask, shape, &Device::Cpu).expect("mask");
                let types = ids.zeros_like().expect("types");
                reference.forward(&ids, &types, Some(&mask)).expect("hidden states");
            }
        })
    });
    group.finish();
}

criterion_group!(benches, encoders);
criterion_main!(benches);
