//! `parallax train`

use std::path::{Path, PathBuf};

use anyhow::Context;

use super::{OK, SKIPPED, progress};
use crate::corpus::Skip;
use crate::error::Error;
use crate::model::hub::EncoderFiles;
use crate::model::{Bundle, Codebook};
use crate::training::data::{self, Example};
use crate::training::recipe::{Recipe, Source};
use crate::training::trainer::{self, Event, Run, Trained};

/// What ends the name of a checkpoint …
const CHECKPOINT: &str = ".checkpoint.safetensors";
/// … and of the model of an earlier recipe, until the whole run is done.
const PART: &str = ".part";

/// Make a model from labelled sentences
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  parallax train models/recipes/default.toml --data ../data --base ./all-MiniLM-L6-v2 --out my-model
  parallax train my-recipe.toml --seed 7 --out my-model-7

A recipe is a TOML file that names the base encoder, the codebook, the labelled data and the
settings; models/recipes/default.toml is the one that made the built-in model.")]
pub struct Args {
    /// The recipe
    recipe: PathBuf,
    /// Folder to write the model to
    #[arg(long, value_name = "FOLDER")]
    out: PathBuf,
    /// Folder that the recipe's data paths start from
    #[arg(long, value_name = "FOLDER", default_value = ".")]
    data: PathBuf,
    /// Base encoder: a folder or a Hub id, instead of the recipe's
    #[arg(long, value_name = "FOLDER|ORG/NAME")]
    base: Option<String>,
    /// Seed, instead of the recipe's
    #[arg(long)]
    seed: Option<u64>,
    /// Epochs, instead of the recipe's
    #[arg(long)]
    epochs: Option<usize>,
    /// Go on with a run that was interrupted; its checkpoint is in --out
    #[arg(long, conflicts_with = "force")]
    resume: bool,
    /// Overwrite the model in --out, and begin anew where a run was interrupted
    #[arg(long)]
    force: bool,
}

pub fn run(args: &Args) -> anyhow::Result<u8> {
    if args.out.join("parallax.toml").exists() && !args.force {
        anyhow::bail!(
            "{} holds a model already; give --force to overwrite it, or another --out",
            args.out.display()
        );
    }
    std::fs::create_dir_all(&args.out).map_err(|e| Error::io(&args.out, e))?;
    let mut skipped = Vec::new();
    let trained = train(&args.recipe, args, &mut skipped)?;
    trained.bundle.write(&args.out).context("the trained model could not be written")?;
    discard(&args.out)?;
    super::evaluate::print(&mut std::io::stdout().lock(), "dev part", &trained.dev)?;
    eprintln!("wrote the model to {}", args.out.display());
    Ok(if skipped.is_empty() { OK } else { SKIPPED })
}

/// Takes away what was kept in case the run was interrupted.
fn discard(out: &Path) -> anyhow::Result<()> {
    for entry in std::fs::read_dir(out).map_err(|e| Error::io(out, e))? {
        let path = entry.map_err(|e| Error::io(out, e))?.path();
        let name = path.file_name().map(|n| n.to_string_lossy().into_owned()).unwrap_or_default();
        if name.ends_with(CHECKPOINT) {
            std::fs::remove_file(&path).map_err(|e| Error::io(&path, e))?;
        } else if name.ends_with(PART) {
            std::fs::remove_dir_all(&path).map_err(|e| Error::io(&path, e))?;
        }
    }
    Ok(())
}

/// Follows a recipe, and first the one that it comes after.
fn train(path: &Path, args: &Args, skipped: &mut Vec<Skip>) -> anyhow::Result<Trained> {
    let (mut recipe, codebook) = Recipe::open(path)?;
    recipe.seed = args.seed.unwrap_or(recipe.seed);
    recipe.optimizer.epochs = args.epochs.unwrap_or(recipe.optimizer.epochs);
    let base = match (&args.base, &recipe.after) {
        // A bundle given as the base is the earlier recipe's result.
        (Some(base), Some(_)) if Path::new(base).join("parallax.toml").is_file() => {
            EncoderFiles::open(base)?
        }
        (_, Some(earlier)) => {
            let earlier = path.parent().unwrap_or(Path::new(".")).join(earlier);
            let name = earlier.file_stem().map(|s| s.to_string_lossy().into_owned());
            let part = args.out.join(format!("{}{PART}", name.unwrap_or_default()));
            // An interrupted run may have its earlier part behind it.
            let bundle = if args.resume && part.join("parallax.toml").is_file() {
                Bundle::open(&part)?
            } else {
                let bundle = train(&earlier, args, skipped)?.bundle;
                bundle.write(&part)?;
                bundle
            };
            let Bundle { config, tokenizer, weights, .. } = bundle;
            EncoderFiles {
                place: earlier.display().to_string(),
                config: config.into_owned(),
                tokenizer: tokenizer.into_owned(),
                weights: weights.into_owned(),
            }
        }
        (Some(base), None) => EncoderFiles::open(base)?,
        (None, None) => EncoderFiles::open(&recipe.base)?,
    };
    let mut read = |sources: &[Source]| -> anyhow::Result<Vec<Example>> {
        let mut examples = Vec::new();
        for source in sources {
            examples.extend(read_source(source, args, &codebook, skipped)?);
        }
        Ok(examples)
    };
    let examples = read(&recipe.data)?;
    let held_out = read(&recipe.held_out)?;
    let n = examples.len();
    let examples = data::without(examples, &held_out);
    let (train, dev) = data::split(examples, recipe.dev.share, recipe.seed);
    eprintln!(
        "{}: {} sentences to train on, {} to choose and calibrate on, {} left out as test data",
        path.display(),
        train.len(),
        dev.len(),
        n - train.len() - dev.len()
    );
    let name = path.file_stem().map(|s| s.to_string_lossy().into_owned()).unwrap_or_default();
    let checkpoint = args.out.join(format!("{name}{CHECKPOINT}"));
    if checkpoint.exists() && args.force {
        std::fs::remove_file(&checkpoint).map_err(|e| Error::io(&checkpoint, e))?;
    } else if checkpoint.exists() && !args.resume {
        anyhow::bail!(
            "{} is left from a run that was interrupted; give --resume to go on with it, or \
             --force to begin anew",
            checkpoint.display()
        );
    }
    let started = std::time::Instant::now();
    let bar = progress::bar(1, "{bar:30} step {pos} of {len}, {msg}, {eta} left");
    let mut observe = |event: Event| match event {
        Event::Resumed { step } => bar.suspend(|| eprintln!("going on after step {step}")),
        Event::Step { step, of, loss } => {
            bar.set_length(of as u64);
            bar.set_position(step as u64);
            bar.set_message(format!("loss {loss:.3}"));
        }
        Event::Epoch { epoch, loss, score, layers, best } => {
            let layers: Vec<String> =
                layers.iter().map(|(name, f1)| format!("{name} {f1:.3}")).collect();
            let line = format!(
                "epoch {epoch}: loss {loss:.3}, dev F1 {score:.4} ({}){}, {:.0} s",
                layers.join(", "),
                if best { ", best so far" } else { "" },
                started.elapsed().as_secs_f64()
            );
            bar.suspend(|| eprintln!("{line}"));
        }
    };
    let run = Run {
        recipe: &recipe,
        codebook: &codebook,
        base,
        train: &train,
        dev: &dev,
        checkpoint: Some(&checkpoint),
    };
    let trained = trainer::train(run, &mut observe)?;
    bar.finish_and_clear();
    Ok(trained)
}

fn read_source(
    source: &Source,
    args: &Args,
    codebook: &Codebook,
    skipped: &mut Vec<Skip>,
) -> anyhow::Result<Vec<Example>> {
    let path = args.data.join(&source.path);
    let read = data::read_labelled(&path, codebook, source.document_pattern.as_deref())?;
    super::evaluate::warn_of_skips(&read.skipped);
    skipped.extend(read.skipped);
    let (used, _) = data::split(read.examples, 1.0 - source.share, 0);
    Ok(used)
}
