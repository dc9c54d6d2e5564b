//! The rate of candle-transformers' BERT of a bundle's sizes, as `../encode.py` measures others.
//!
//!     candle-peer BUNDLE SENTENCES.jsonl
//!
//! Sentences are sorted by length and cut into batches of 32; the threads are those of
//! `RAYON_NUM_THREADS`. Reading, tokenizing and loading are not timed; one pass warms up, three are
//! timed. Prints one JSON line.

use std::error::Error;
use std::path::Path;
use std::time::Instant;

use candle_core::{DType, Device, Tensor};
use candle_nn::{VarBuilder, VarMap};
use candle_transformers::models::bert::BertModel;
use tokenizers::{Tokenizer, TruncationParams};

/// Sentences in a batch.
const BATCH: usize = 32;
/// Passes that are timed.
const PASSES: usize = 3;

fn main() -> Result<(), Box<dyn Error>> {
    let mut args = std::env::args().skip(1);
    let (Some(bundle), Some(sentences)) = (args.next(), args.next()) else {
        return Err("candle-peer BUNDLE SENTENCES.jsonl".into());
    };
    let ids = tokenize(&bundle, &sentences)?;
    let model = load(&bundle)?;
    run(&model, &ids)?;
    let mut seconds = Vec::new();
    for _ in 0..PASSES {
        let started = Instant::now();
        run(&model, &ids)?;
        seconds.push(started.elapsed().as_secs_f64());
    }
    seconds.sort_by(f64::total_cmp);
    let threads = std::thread::available_parallelism().map_or(1, |n| n.get());
    let threads =
        std::env::var("RAYON_NUM_THREADS").ok().and_then(|n| n.parse().ok()).unwrap_or(threads);
    println!(
        "{}",
        serde_json::json!({
            "engine": "candle", "version": "0.11", "threads": threads, "sentences": ids.len(),
            "tokens": ids.iter().map(Vec::len).sum::<usize>(),
            "rate": (ids.len() as f64 / seconds[seconds.len() / 2] * 10.0).round() / 10.0,
        })
    );
    Ok(())
}

/// Token ids of each sentence, the shortest first.
fn tokenize(bundle: &str, sentences: &str) -> Result<Vec<Vec<u32>>, Box<dyn Error>> {
    let path = Path::new(bundle).join("tokenizer.json");
    let mut tokenizer = Tokenizer::from_file(path).map_err(|e| e.to_string())?;
    let longest = TruncationParams { max_length: 256, ..Default::default() };
    tokenizer.with_padding(None).with_truncation(Some(longest)).map_err(|e| e.to_string())?;
    let mut ids = Vec::new();
    for line in std::fs::read_to_string(sentences)?.lines() {
        let row: serde_json::Value = serde_json::from_str(line)?;
        let text = row["text"].as_str().ok_or("a row has no text")?;
        ids.push(tokenizer.encode(text, true).map_err(|e| e.to_string())?.get_ids().to_vec());
    }
    ids.sort_by_key(Vec::len);
    Ok(ids)
}

/// BERT of the sizes of the bundle's encoder, with random weights: the crate has no MPNet, and what it
/// takes does not depend on the numbers. MPNet's bias for distances is left out, in its favour.
fn load(bundle: &str) -> Result<BertModel, Box<dyn Error>> {
    let config = std::fs::read(Path::new(bundle).join("config.json"))?;
    let mut config: serde_json::Value = serde_json::from_slice(&config)?;
    config["model_type"] = "bert".into();
    config["type_vocab_size"] = 2.into();
    let weights = VarMap::new();
    let vb = VarBuilder::from_varmap(&weights, DType::F32, &Device::Cpu);
    Ok(BertModel::load(vb, &serde_json::from_value(config)?)?)
}

/// The mean vector of each sentence.
fn run(model: &BertModel, ids: &[Vec<u32>]) -> candle_core::Result<Vec<Vec<f32>>> {
    let mut vectors = Vec::with_capacity(ids.len());
    for batch in ids.chunks(BATCH) {
        let longest = batch.iter().map(Vec::len).max().unwrap_or(0);
        let (mut tokens, mut mask) = (Vec::new(), Vec::new());
        for ids in batch {
            let padding = longest - ids.len();
            tokens.extend(ids.iter().copied().chain(std::iter::repeat_n(0, padding)));
            mask.extend((0..longest).map(|at| u32::from(at < ids.len())));
        }
        let shape = (batch.len(), longest);
        let tokens = Tensor::from_vec(tokens, shape, &Device::Cpu)?;
        let mask = Tensor::from_vec(mask, shape, &Device::Cpu)?;
        let hidden = model.forward(&tokens, &tokens.zeros_like()?, Some(&mask))?;
        let weights = mask.to_dtype(DType::F32)?.unsqueeze(2)?;
        let mean = hidden.broadcast_mul(&weights)?.sum(1)?.broadcast_div(&weights.sum(1)?)?;
        vectors.extend(mean.to_vec2::<f32>()?);
    }
    Ok(vectors)
}
