//! The rate of one engine on a bundle's encoder: sentences in, vectors and labels out. What
//! `benches/compare.sh` runs beside the engines under `benches/peers/`.
//!
//!     cargo bench --bench rate -- ENGINE BUNDLE SENTENCES.jsonl [--threads N] [--passes N]
//!
//! ENGINE is f32, int8, bf16 or f16. Reading, tokenizing and loading are not timed; one pass warms up.
//! Prints one JSON line. Ours computes all heads too; the others only the encoder.

use std::error::Error;
use std::time::Instant;

use candle_core::Device;
use clap::Parser;
use parallax::model::predict::{Batching, predict_all};
use parallax::model::{Bundle, Model, PrecisionChoice, Unit};

#[derive(Parser)]
struct Args {
    engine: String,
    bundle: std::path::PathBuf,
    sentences: std::path::PathBuf,
    #[arg(long)]
    threads: Option<usize>,
    #[arg(long, default_value_t = 3)]
    passes: usize,
    /// Most tokens in a batch of ours
    #[arg(long)]
    tokens: Option<usize>,
    /// Only sentences of so many tokens, such as 16-32
    #[arg(long, value_parser = range)]
    lengths: Option<(usize, usize)>,
    #[arg(long, default_value = "cpu")]
    device: parallax::model::device::DeviceChoice,
    /// Write the vectors here, as JSON, in the file's order
    #[arg(long)]
    vectors: Option<std::path::PathBuf>,
    /// Given by `cargo bench`
    #[arg(long, hide = true)]
    bench: bool,
}

fn range(text: &str) -> Result<(usize, usize), String> {
    let (from, to) = text.split_once('-').ok_or("write FROM-TO")?;
    let parse = |s: &str| s.parse().map_err(|e| format!("{s}: {e}"));
    Ok((parse(from)?, parse(to)?))
}

fn main() -> Result<(), Box<dyn Error>> {
    let args = Args::parse();
    let bundle = Bundle::open(&args.bundle)?;
    let devices = args.device.open_all()?;
    // As the program does: a worker has a core of its own.
    // SAFETY: no other thread has been started yet.
    unsafe { std::env::set_var("CANDLE_NUM_THREADS", "1") };
    let plain = Model::load(&bundle, &Device::Cpu)?;
    let units: Vec<Unit> = std::fs::read_to_string(&args.sentences)?
        .lines()
        .map(|line| {
            let row: serde_json::Value = serde_json::from_str(line)?;
            let text = row["text"].as_str().ok_or("a row has no text")?;
            let mut prepared = plain.prepare(text, &[])?;
            Ok(prepared.units.swap_remove(0))
        })
        .collect::<Result<_, Box<dyn Error>>>()?;
    let within = |u: &&Unit| args.lengths.is_none_or(|(a, b)| (a..=b).contains(&u.ids.len()));
    let units: Vec<&Unit> = units.iter().filter(within).collect();
    let mut batching = Batching::for_device(&devices[0]);
    batching.workers = args.threads.unwrap_or(batching.workers);
    batching.tokens = args.tokens.unwrap_or(batching.tokens);

    let precision: PrecisionChoice = args.engine.parse()?;
    let model = Model::load_for_scoring(&bundle, &devices, precision)?;
    let run = || -> Result<Vec<Vec<f32>>, Box<dyn Error>> {
        let predictions = predict_all(&model, &units, batching, &|_| {})?;
        Ok(predictions.into_iter().map(|p| p.vector).collect())
    };
    let mut vectors = run()?;
    let mut seconds = Vec::new();
    for _ in 0..args.passes.max(1) {
        let started = Instant::now();
        vectors = run()?;
        seconds.push(started.elapsed().as_secs_f64());
    }
    seconds.sort_by(f64::total_cmp);
    let tokens: usize = units.iter().map(|u| u.ids.len()).sum();
    println!(
        "{}",
        serde_json::json!({
            "engine": args.engine, "version": env!("CARGO_PKG_VERSION"),
            "threads": batching.workers, "sentences": units.len(), "tokens": tokens,
            "rate": (units.len() as f64 / seconds[seconds.len() / 2] * 10.0).round() / 10.0,
        })
    );
    if let Some(path) = args.vectors {
        std::fs::write(path, serde_json::to_string(&vectors)?)?;
    }
    Ok(())
}
