//! `parallax align`

use std::path::{Path, PathBuf};

use super::OK;
use super::model::ModelArgs;
use crate::model::{Model, Precision, PrecisionChoice};
use crate::pipeline::{AlignSummary, align_folder};
use crate::profile::alignment::Settings;

/// Find what outlets report in common, in a scored folder
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  parallax score articles.jsonl --vectors --out scored
  parallax align scored
  duckdb -c \"SELECT \\\"group\\\", outlet, contested FROM 'scored/alignments.parquet'\"

Writes alignments.parquet into the folder: a row is a sentence, or a clause of one, that reports
the same claim, act or quotation as others of its group. Groups are made within an event: the
field `event` of the articles where they have one, otherwise one found from dates (three days
apart at most) and rare words. A group holds two outlets at least. `parallax compare` does this
too.")]
pub struct Args {
    /// A folder written by `parallax score --vectors`
    folder: PathBuf,
    #[command(flatten)]
    model: ModelArgs,
    /// How alike the sentences of a group are, from 0 to 1: lower gives more and looser groups
    /// [default: 0.35 up to 300 sentences, 0.55 above]
    #[arg(long)]
    likeness: Option<f32>,
}

pub fn run(args: &Args) -> anyhow::Result<u8> {
    let summary = align(&args.folder, &args.model, &Settings { likeness: args.likeness })?;
    println!("{}", summary.file.display());
    Ok(OK)
}

/// Aligns a folder and says how it went.
pub fn align(
    folder: &Path,
    model: &ModelArgs,
    settings: &Settings,
) -> anyhow::Result<AlignSummary> {
    let started = std::time::Instant::now();
    // The same groups on every machine: full precision whatever the scores were made in.
    let precision = PrecisionChoice::Exactly(Precision::F32);
    let cpu = [candle_core::Device::Cpu];
    let model = Model::load_for_scoring(&model.open()?, &cpu, precision)?;
    let summary = align_folder(folder, &model, settings)?;
    let groups = &summary.groups;
    let contested = groups.iter().filter(|g| g.contested.is_some()).count();
    eprintln!(
        "{} groups that outlets report in common, {contested} of them contested, from {} sentences \
         at likeness {} in {:.1} s",
        groups.len(),
        summary.n_sentences,
        summary.likeness,
        started.elapsed().as_secs_f64()
    );
    if !summary.with_vectors {
        let advice = match model.gives_vectors() {
            true => "; `parallax score --vectors` writes them",
            false => ", which this model does not give",
        };
        eprintln!("note: the folder holds no sentence vectors{advice}; only words were compared");
    }
    Ok(summary)
}
