//! `parallax train`

use std::io::Write;
use std::path::{Path, PathBuf};
use std::time::Instant;

use anyhow::Context;

use super::{OK, SKIPPED, progress};
use crate::corpus::Skip;
use crate::error::Error;
use crate::files::write_whole;
use crate::model::{Bundle, Codebook};
use crate::pipeline::draw_training;
use crate::pipeline::train::{Event, TrainOptions, discard, train};
use crate::pipeline::validate::{Together, Trial, Trials, cross_validate, summary};
use crate::training::recipe::Recipe;
use crate::training::{extend, trainer, zero_shot};

/// Make a model from labelled sentences
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  parallax train --codebook mine.toml --out first-look
  parallax train --codebook mine.toml --labelled rows.csv --out my-model
  parallax train --codebook mine.toml --labelled rows.csv --add-to default --out my-model
  parallax train --codebook mine.toml --labelled rows.csv --folds 5 --curve --out measured
  parallax train models/recipes/accurate.toml --data ../data --base ./all-mpnet-base-v2 --out accurate

Without a recipe the settings follow from the data: with few sentences the encoder first learns to
tell the labels apart from pairs; with --add-to it stays as it is, so that the layers that are
there say what they said. A recipe is a TOML file that names the base encoder, the codebook, the
labelled data and all settings; models/recipes/default.toml, which learns from the model that
accurate.toml makes, is the one that made the built-in model. What a row holds is told by
`parallax evaluate --help`.")]
pub struct Args {
    /// The recipe
    #[arg(required_unless_present = "codebook")]
    recipe: Option<PathBuf>,
    /// The layers to be learnt, instead of a recipe
    #[arg(long, value_name = "FILE", conflicts_with = "recipe")]
    codebook: Option<PathBuf>,
    /// Labelled sentences for --codebook; can be repeated. Without any, labels are given by
    /// likeness to their descriptions and examples in the codebook: zero-shot, a first look
    #[arg(long, value_name = "FILE", conflicts_with = "recipe")]
    labelled: Vec<PathBuf>,
    /// Folder to write the model to
    #[arg(long, value_name = "FOLDER")]
    out: PathBuf,
    /// Folder that the recipe's data paths start from
    #[arg(long, value_name = "FOLDER", default_value = ".")]
    data: PathBuf,
    /// Base encoder, instead of the recipe's; `default` is the built-in model's
    #[arg(long, value_name = "FOLDER|ORG/NAME")]
    base: Option<String>,
    /// Add the layers to this model (`default`: the built-in one), its encoder left as it is
    #[arg(long, value_name = "MODEL", conflicts_with = "base")]
    add_to: Option<String>,
    /// With --add-to, train its encoder as well: better for the new layers; the others learn to
    /// say what they said, and how often they do is printed
    #[arg(long, requires = "add_to")]
    fine_tune: bool,
    /// A model to learn from besides: its labels, as probabilities, on the data and on
    /// unlabelled sentences; can be repeated, for the mean of several
    #[arg(long, value_name = "MODEL")]
    teacher: Vec<String>,
    /// Encoder whose sentence vectors are kept where the recipe asks for that, instead of the
    /// recipe's
    #[arg(long, value_name = "FOLDER|ORG/NAME")]
    vectors_of: Option<String>,
    /// Articles whose sentences the teacher labels, instead of the recipe's; can be repeated
    #[arg(long, value_name = "INPUT", requires = "teacher")]
    unlabelled: Vec<PathBuf>,
    /// Seed, instead of the recipe's
    #[arg(long)]
    seed: Option<u64>,
    /// Epochs, instead of the recipe's
    #[arg(long)]
    epochs: Option<usize>,
    /// Only measure: cut the documents into so many parts, test on each what the others teach
    #[arg(long, value_name = "PARTS", conflicts_with_all = ["teacher", "resume"])]
    folds: Option<usize>,
    /// What stays together in the cross-validation; by outlets it shows how the model does on
    /// outlets that it has not seen
    #[arg(long, value_name = "UNIT", requires = "folds", default_value = "document")]
    folds_by: FoldsBy,
    /// Repeat the cross-validation with so many seeds
    #[arg(long, value_name = "N", requires = "folds", default_value_t = 1,
          value_parser = clap::value_parser!(u64).range(1..=100))]
    seeds: u64,
    /// Cross-validate on 1/8, 1/4, 1/2 and all of the documents, to see whether more would help
    #[arg(long, requires = "folds")]
    curve: bool,
    /// Go on with a run that was interrupted; its checkpoint is in --out
    #[arg(long, conflicts_with = "force")]
    resume: bool,
    /// Overwrite the model in --out, and begin anew where a run was interrupted
    #[arg(long)]
    force: bool,
}

#[derive(Debug, Clone, Copy, clap::ValueEnum)]
enum FoldsBy {
    Document,
    Outlet,
}

impl From<FoldsBy> for Together {
    fn from(by: FoldsBy) -> Self {
        match by {
            FoldsBy::Document => Together::Document,
            FoldsBy::Outlet => Together::Outlet,
        }
    }
}

pub fn run(args: &Args) -> anyhow::Result<u8> {
    if args.out.join("parallax.toml").exists() && !args.force {
        anyhow::bail!(
            "{} holds a model already; give --force to overwrite it, or another --out",
            args.out.display()
        );
    }
    if args.force {
        discard(&args.out)?;
    }
    if let (Some(codebook), true) = (&args.codebook, args.labelled.is_empty()) {
        return first_look(args, codebook);
    }
    let (mut recipe, codebook, beside) = recipe(args)?;
    recipe.seed = args.seed.unwrap_or(recipe.seed);
    recipe.optimizer.epochs = args.epochs.unwrap_or(recipe.optimizer.epochs);
    match (&args.add_to, args.fine_tune) {
        (Some(_), true) => recipe.train_encoder(),
        (Some(_), false) => recipe.leave_encoder(),
        (None, _) => {}
    }
    let options = TrainOptions {
        data: args.data.clone(),
        out: args.out.clone(),
        base: args.base.clone(),
        vectors_of: args.vectors_of.clone(),
        teachers: args.teacher.clone(),
        unlabelled: args.unlabelled.clone(),
        add_to: args.add_to.clone(),
        fine_tune: args.fine_tune,
        resume: args.resume,
    };
    let lines = Lines::new();
    let observe = |event: Event<'_>| lines.tell(event);
    if let Some(folds) = args.folds {
        let trials = Trials {
            folds,
            unit: args.folds_by.into(),
            seeds: (0..args.seeds).map(|i| recipe.seed.wrapping_add(i)).collect(),
            shares: if args.curve { vec![0.125, 0.25, 0.5, 1.0] } else { vec![1.0] },
        };
        let (done, skipped) =
            cross_validate(&recipe, &codebook, &beside, &options, &trials, &observe)?;
        lines.bar.finish_and_clear();
        return validated(args, &done, &skipped);
    }
    let (trained, skipped) = train(&recipe, &codebook, &beside, &options, &observe)?;
    lines.bar.finish_and_clear();
    trained.bundle.write(&args.out).context("the trained model could not be written")?;
    discard(&args.out)?;
    super::evaluate::print(&mut std::io::stdout().lock(), "dev part", &trained.dev)?;
    eprintln!("wrote the model to {}", args.out.display());
    // A model that is done is not lost over a picture of how it was made; one that was only
    // calibrated has none.
    if recipe.optimizer.epochs > 0 {
        match draw_training(&args.out, &trained.bundle.meta.name) {
            Ok(drawn) => eprintln!("how it learnt: {}", drawn.display()),
            Err(e) => eprintln!("warning: the training could not be drawn: {e}"),
        }
    }
    if let (Some(old), false) = (&args.add_to, args.fine_tune) {
        eprintln!("the encoder is that of {old}, so its layers say what they said");
    }
    Ok(if skipped.is_empty() { OK } else { SKIPPED })
}

/// A model of descriptions alone.
fn first_look(args: &Args, codebook: &Path) -> anyhow::Result<u8> {
    let codebook = Codebook::open(codebook)?;
    let base = args.add_to.as_ref().or(args.base.as_ref()).map_or("default", String::as_str);
    let base = Bundle::named(base)?;
    let mut bundle = zero_shot(&base, &codebook)?;
    if args.add_to.is_some() {
        bundle = extend(&base, &bundle)?;
    }
    bundle.write(&args.out).context("the model could not be written")?;
    eprintln!(
        "wrote the model to {}: zero-shot, nothing was learnt and nothing measured; \
         `parallax evaluate` on a few dozen labelled sentences says how good it is",
        args.out.display()
    );
    Ok(OK)
}

/// Prints a cross-validation and writes it to --out.
fn validated(args: &Args, trials: &[Trial], skipped: &[Skip]) -> anyhow::Result<u8> {
    let summary = summary(trials);
    let mut out = std::io::stdout().lock();
    let unseen = Together::from(args.folds_by).plural();
    writeln!(out, "documents  sentences  F1 on unseen {unseen}, mean and standard deviation")?;
    for row in &summary {
        let layers: Vec<String> = row
            .f1
            .iter()
            .map(|(layer, [mean, deviation])| format!("{layer} {mean:.3} ({deviation:.3})"))
            .collect();
        writeln!(out, "{:8.1}% {:10.0}  {}", row.share * 100.0, row.n_train, layers.join("  "))?;
    }
    let path = args.out.join("cross_validation.json");
    std::fs::create_dir_all(&args.out).map_err(|e| Error::io(&args.out, e))?;
    let json = serde_json::json!({ "summary": summary, "trials": trials });
    write_whole(&path, serde_json::to_string_pretty(&json)?.as_bytes())?;
    eprintln!("wrote {}", path.display());
    Ok(if skipped.is_empty() { OK } else { SKIPPED })
}

/// The recipe, its codebook, and the folder that it lies in.
fn recipe(args: &Args) -> anyhow::Result<(Recipe, Codebook, PathBuf)> {
    match (&args.recipe, &args.codebook) {
        (Some(path), _) => {
            let (recipe, codebook) = Recipe::open(path)?;
            Ok((recipe, codebook, path.parent().unwrap_or(Path::new(".")).to_owned()))
        }
        (None, Some(path)) => {
            let codebook = Codebook::open(path)?;
            let recipe = Recipe::for_codebook(&codebook, path, &args.labelled, &args.data)?;
            Ok((recipe, codebook, PathBuf::from(".")))
        }
        (None, None) => anyhow::bail!("give a recipe, or --codebook and --labelled"),
    }
}

/// The run in the terminal: a bar, and a line for every epoch.
struct Lines {
    started: Instant,
    bar: indicatif::ProgressBar,
}

impl Lines {
    fn new() -> Self {
        let bar = progress::bar(1, "{bar:30} {pos} of {len} {msg}, {eta} left");
        Lines { started: Instant::now(), bar }
    }

    fn tell(&self, event: Event<'_>) {
        let line = |text: String| self.bar.suspend(|| eprintln!("{text}"));
        match event {
            Event::Skipped(skipped) => self.bar.suspend(|| super::evaluate::warn_of_skips(skipped)),
            Event::Data { recipe, train, dev, left_out } => {
                line(format!(
                    "{recipe}: {train} sentences to train on, {dev} to choose and calibrate on"
                ));
                if left_out.total() > 0 {
                    line(format!("warning: left out, for the test data know them: {left_out}"));
                }
            }
            Event::Unlabelled(n) => line(format!("{n} unlabelled sentences for the teacher")),
            Event::Taught(n, of) => {
                self.bar.set_length(of as u64);
                self.bar.set_position(n as u64);
                self.bar.set_message("labelled by the teacher");
            }
            Event::Agreement(layers) => {
                let layers: Vec<String> = layers
                    .iter()
                    .map(|(layer, (share, n))| format!("{layer} {:.1}% of {n}", share * 100.0))
                    .collect();
                line(format!("labels of the other layers that stayed: {}", layers.join(", ")));
            }
            Event::Trial(t) => {
                let f1: Vec<String> =
                    t.f1.iter().map(|(layer, f1)| format!("{layer} {f1:.3}")).collect();
                line(format!(
                    "seed {}, part {}: trained on {}, tested on {}: {}",
                    t.seed,
                    t.fold,
                    t.n_train,
                    t.n_test,
                    f1.join(", ")
                ));
            }
            Event::Trainer(trainer::Event::Resumed { step }) => {
                line(format!("going on after step {step}"));
            }
            Event::Trainer(trainer::Event::Step { step, of, loss }) => {
                self.bar.set_length(of as u64);
                self.bar.set_position(step as u64);
                self.bar.set_message(format!("steps, loss {loss:.3}"));
            }
            Event::Trainer(trainer::Event::Epoch { epoch, loss, score, layers, best }) => {
                let layers: Vec<String> =
                    layers.iter().map(|(name, f1)| format!("{name} {f1:.3}")).collect();
                line(format!(
                    "epoch {epoch}: loss {loss:.3}, dev F1 {score:.4} ({}){}, {:.0} s",
                    layers.join(", "),
                    if best { ", best so far" } else { "" },
                    self.started.elapsed().as_secs_f64()
                ));
            }
        }
    }
}
