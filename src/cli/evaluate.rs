//! `parallax evaluate`

use std::io::Write;
use std::path::PathBuf;

use super::model::CheckpointArgs;
use super::{OK, SKIPPED};
use crate::corpus::Skip;
use crate::error::Error;
use crate::files::write_whole;
use crate::model::device::DeviceChoice;
use crate::model::predict::Batching;
use crate::model::{Model, PrecisionChoice};
use crate::training::data::read_labelled;
use crate::training::evaluate::{Evaluation, evaluate};

/// Measure a model against labelled sentences
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  parallax evaluate models/default demo/gold.jsonl
  parallax evaluate default test.jsonl --json figures.json

A row of DATA is a JSON object with `text` and a field for each layer: a label, a list of labels,
or `target: {mention, start, end, LAYER}`. Figures come with 95% intervals from a bootstrap that
resamples documents.")]
pub struct Args {
    /// The model: a folder, ORG/NAME[@REV] of the Hugging Face Hub, or `default`
    bundle: String,
    /// Labelled sentences, JSON lines
    data: PathBuf,
    #[command(flatten)]
    checkpoint: CheckpointArgs,
    /// Write the figures to this file as JSON
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
    /// Where to run: auto, cpu, cuda, cuda:N or cuda:N,M
    #[arg(long, default_value = "auto")]
    device: DeviceChoice,
    /// Numbers it runs in: auto, f32, int8 (CPU), bf16 or f16 (GPU)
    #[arg(long, default_value = "f32")]
    precision: PrecisionChoice,
    /// Threads that run the model [default: one a core]
    #[arg(long, value_parser = clap::value_parser!(u16).range(1..))]
    workers: Option<u16>,
    /// Bootstrap samples for the intervals
    #[arg(long, default_value_t = 1000)]
    resamples: usize,
}

pub fn run(args: &Args) -> anyhow::Result<u8> {
    let bundle = args.checkpoint.open(&args.bundle)?;
    let devices = args.device.open_all()?;
    let model = Model::load_for_scoring(&bundle, &devices, args.precision)?;
    let data = read_labelled(&args.data, model.codebook(), None)?;
    warn_of_skips(&data.skipped);
    let mut batching = Batching::for_device(&devices[0]);
    batching.workers = args.workers.map_or(batching.workers, usize::from);
    let evaluation = evaluate(&model, &data.examples, batching, args.resamples)?;
    if evaluation.layers.is_empty() {
        return Err(Error::input(
            args.data.display(),
            "no row has an answer to any layer of the model",
        )
        .into());
    }
    print(&mut std::io::stdout().lock(), &args.data.display().to_string(), &evaluation)?;
    if let Some(path) = &args.json {
        write_whole(path, serde_json::to_string_pretty(&evaluation)?.as_bytes())?;
    }
    Ok(if data.skipped.is_empty() { OK } else { SKIPPED })
}

/// Says on standard error which rows were passed over.
pub fn warn_of_skips(skipped: &[Skip]) {
    for skip in skipped.iter().take(5) {
        let row = skip.row.map(|r| format!(", row {r}")).unwrap_or_default();
        eprintln!("skipped: {}{row}: {}", skip.file, skip.reason);
    }
    if skipped.len() > 5 {
        eprintln!("skipped: {} more rows", skipped.len() - 5);
    }
}

/// Prints figures as tables.
pub fn print(out: &mut impl Write, data: &str, evaluation: &Evaluation) -> anyhow::Result<()> {
    for (name, layer) in &evaluation.layers {
        let figure = |key: &str| layer[key].as_f64().unwrap_or(f64::NAN);
        let interval = |key: &str| {
            let bounds = &layer["intervals"][key];
            match (bounds[0].as_f64(), bounds[1].as_f64()) {
                (Some(low), Some(high)) => format!(" [{low:.3}, {high:.3}]"),
                _ => String::new(),
            }
        };
        writeln!(out, "{name} ({data}, n = {})", layer["n"])?;
        writeln!(
            out,
            "  macro-F1 {:.3}{}  micro-F1 {:.3}{}  accuracy {:.3}  ECE {:.3}",
            figure("macro_f1"),
            interval("macro_f1"),
            figure("micro_f1"),
            interval("micro_f1"),
            figure("accuracy"),
            figure("ece")
        )?;
        writeln!(out, "  {:32} precision  recall     F1  support", "")?;
        let labels = layer["labels"].as_object().into_iter().flatten();
        for (label, f) in labels.clone() {
            let f1 = |key: &str| f[key].as_f64().unwrap_or(f64::NAN);
            writeln!(
                out,
                "  {label:32} {:9.3} {:7.3} {:6.3} {:8}",
                f1("precision"),
                f1("recall"),
                f1("f1"),
                f["support"]
            )?;
        }
        if let Some(rows) = layer["confusion"].as_array() {
            writeln!(out, "  confusion (rows right, columns given)")?;
            for ((label, _), row) in labels.zip(rows) {
                let cells: Vec<String> =
                    row.as_array().into_iter().flatten().map(|c| format!("{c:>6}")).collect();
                writeln!(out, "  {label:32} {}", cells.concat())?;
            }
        }
        writeln!(out)?;
    }
    Ok(())
}
