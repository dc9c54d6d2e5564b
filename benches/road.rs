//! What an article passes on its way besides the encoder: splitting and tokenizing, and the whole
//! way from a file to tables, on the demonstration corpus.
//!
//!     cargo bench --bench road

use std::path::PathBuf;

use candle_core::Device;
use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use parallax::corpus::{Article, Corpus, ReadOptions};
use parallax::model::predict::Batching;
use parallax::model::{Bundle, Model, PrecisionChoice};
use parallax::pipeline::score::{ScoreOptions, score_corpus};
use parallax::scoring::tables::Format;
use parallax::text::{Sentence, split};

fn road(criterion: &mut Criterion) {
    let inputs = [PathBuf::from("demo/articles.jsonl")];
    let corpus = Corpus::open(&inputs, ReadOptions::default()).expect("run from the root");
    let articles: Vec<Article> = corpus.collect::<Result<_, _>>().expect("articles");
    let bytes = articles.iter().map(|a| a.text.len() as u64).sum();
    let sentences: Vec<Sentence> = articles.iter().flat_map(split).collect();
    let bundle = Bundle::embedded().expect("the built-in model");
    let model = Model::load_for_scoring(&bundle, &[Device::Cpu], PrecisionChoice::Auto)
        .expect("the built-in model loads");

    let mut group = criterion.benchmark_group("text");
    group.throughput(Throughput::Bytes(bytes));
    group.bench_function("split into sentences", |b| {
        b.iter(|| articles.iter().map(|a| split(a).len()).sum::<usize>())
    });
    group.bench_function("tokenize", |b| {
        b.iter(|| {
            let tokens = |s: &Sentence| model.prepare(&s.model_text, &[]).map(|p| p.n_tokens);
            sentences.iter().map(|s| tokens(s).expect("tokens")).sum::<usize>()
        })
    });
    group.finish();

    let mut group = criterion.benchmark_group("sentences, file to tables");
    group.throughput(Throughput::Elements(sentences.len() as u64)).sample_size(10);
    let options = ScoreOptions {
        read: ReadOptions::default(),
        targets: Vec::new(),
        n_targets: 10,
        batching: Batching::for_device(&Device::Cpu),
        format: Format::Parquet,
        vectors: false,
        min_confidence: None,
    };
    let out = tempfile::tempdir().expect("a temporary folder");
    group.bench_function("score", |b| {
        b.iter(|| {
            score_corpus(&inputs, &model, "bench", out.path(), &options, &|_| {}).expect("a run")
        })
    });
    group.finish();
}

criterion_group!(benches, road);
criterion_main!(benches);
