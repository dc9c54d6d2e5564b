//! `parallax evaluate`

use std::collections::HashSet;
use std::io::Write;
use std::path::{Path, PathBuf};

use serde::Serialize;

pub use super::figures::print;
use super::model::CheckpointArgs;
use super::{OK, SKIPPED, figures};
use crate::corpus::Skip;
use crate::error::Error;
use crate::files::write_whole;
use crate::model::device::DeviceChoice;
use crate::model::predict::Batching;
use crate::model::{Model, PrecisionChoice};
use crate::report::evaluation::{Comparison, EvaluationPage, page};
use crate::training::data::{Example, Overlap, Recorded, mask_names, overlap, read_labelled};
use crate::training::evaluate::{Evaluated, Evaluation, Options, evaluate};
use crate::training::paired::{Answers, Draws, paired};
use crate::training::task::{Task, TaskEvaluation, carry_out};

/// Measure a model against labelled sentences
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  parallax evaluate models/default labels/demo.jsonl
  parallax evaluate default test.csv --by topic --errors 20 --out evaluation
  parallax evaluate my-model test.jsonl --against default --train ../data
  parallax evaluate ORG/NAME test.jsonl --layer-name loaded --against default
  parallax evaluate default articles.jsonl --task models/evaluations/semeval2023t3.toml

DATA is JSON lines, JSON, CSV, TSV or Parquet with a column `text` and one for each layer:
  single  a label; LAYER_alt may hold a second answer that counts as right
  multi   a list of labels, or a|b, or a column LAYER:LABEL of 0 and 1 for each label;
          labels in LAYER_optional are neither right nor wrong
  target  mention, start, end and LAYER, a row for each mention, or target: {…} in JSON
or an export of Label Studio (JSON, controls called like the layers) or doccano (JSONL).
`document` groups sentences of an article, `outlet` and other columns serve --by.

Figures come with 95% intervals from a bootstrap that resamples documents.")]
pub struct Args {
    /// The model: a folder, ORG/NAME[@REV] of the Hugging Face Hub, or `default`
    bundle: String,
    /// Labelled sentences
    data: PathBuf,
    /// A second model to compare with on the same sentences, by a paired test
    #[arg(long, value_name = "BUNDLE", conflicts_with = "task")]
    against: Option<String>,
    /// A TOML file that says how other people's data map onto a layer (see models/evaluations)
    #[arg(long, value_name = "FILE")]
    task: Option<PathBuf>,
    /// Break the figures down by this column too (repeatable); outlet, topic and length are anyway
    #[arg(long, value_name = "FIELD")]
    by: Vec<String>,
    /// Show so many of the most confident errors of each layer
    #[arg(long, value_name = "N", default_value_t = 3)]
    errors: usize,
    /// Say what is left if labels with less than this probability are withheld
    #[arg(long, value_name = "P", value_parser = super::probability)]
    min_confidence: Option<f32>,
    /// Put one and the same name in the place of every name: a model that reads who speaks, and not
    /// how it is said, does worse then
    #[arg(long, conflicts_with_all = ["task", "against"])]
    mask_names: bool,
    /// Training data to look for test sentences in: files, or the folder in which the files lie
    /// that the model records
    #[arg(long, value_name = "PATH", conflicts_with = "task")]
    train: Vec<PathBuf>,
    /// Regular expression that cuts the document's name out of `document` or `id` [default: the
    /// one that the model records for this file]
    #[arg(long, value_name = "REGEX")]
    document_pattern: Option<String>,
    #[command(flatten)]
    checkpoint: CheckpointArgs,
    /// Write the figures to this file as JSON
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
    /// Write a page with plots and tables to this file
    #[arg(long, value_name = "FILE")]
    html: Option<PathBuf>,
    /// Write both to this folder: evaluation.json, evaluation.html
    #[arg(long, value_name = "FOLDER")]
    out: Option<PathBuf>,
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
    /// Permutations of the documents for the test of --against
    #[arg(long, default_value_t = 4999)]
    permutations: usize,
    /// Seed of the test's random draws
    #[arg(long, default_value_t = 1)]
    seed: u64,
}

pub fn run(args: &Args) -> anyhow::Result<u8> {
    let devices = args.device.open_all()?;
    let open = |name: &str| -> anyhow::Result<Model> {
        let bundle = args.checkpoint.open_where_fit(name, args.against.is_some())?;
        Ok(Model::load_for_scoring(&bundle, &devices, args.precision)?)
    };
    let model = open(&args.bundle)?;
    let mut batching = Batching::for_device(&devices[0]);
    batching.workers = args.workers.map_or(batching.workers, usize::from);
    let mut options = Options {
        resamples: args.resamples,
        by: args.by.clone(),
        mistakes: args.errors,
        min_confidence: args.min_confidence,
        training_outlets: None,
    };
    if let Some(task) = &args.task {
        let task = Task::open(task, model.codebook())?;
        let found = carry_out(&task, &model, &args.data, batching, &options)?;
        return finish_task(args, &model, &found);
    }
    let recorded = Recorded::of(&model.meta);
    let pattern = args.document_pattern.as_deref().or(recorded.document_pattern(&args.data));
    let data = read_labelled(&args.data, model.codebook(), pattern)?;
    warn_of_skips(&data.skipped);
    let leak = look_for_leaks(args, &recorded, &model, &data.examples, &mut options)?;
    let masked: Vec<Example>;
    let examples = if args.mask_names {
        masked = data.examples.iter().map(mask_names).collect();
        &masked
    } else {
        &data.examples
    };
    let of_model = evaluate(&model, examples, batching, &options)?;
    if of_model.evaluation.layers.0.is_empty() {
        return Err(Error::input(
            args.data.display(),
            "no row has an answer to any layer of the model",
        )
        .into());
    }
    let comparison = match &args.against {
        None => None,
        Some(name) => {
            let other = open(name)?;
            let theirs = read_labelled(&args.data, other.codebook(), pattern)?.examples;
            let of_other = evaluate(&other, &theirs, batching, &options)?;
            let mine = answers(&model, &data.examples, &of_model);
            Some(compared(args, name, &mine, &answers(&other, &theirs, &of_other))?)
        }
    };
    let place = args.data.display().to_string();
    let zero_shot = zero_shot_layers(&model);
    let mut out = std::io::stdout().lock();
    if let Some(note) = zero_shot_note(&zero_shot) {
        writeln!(out, "{note}\n")?;
    }
    figures::print(&mut out, &place, &of_model.evaluation)?;
    if let Some(comparison) = &comparison {
        figures::print_comparison(&mut out, &args.bundle, comparison)?;
    }
    let found = Found {
        model: &model.meta.name,
        data: &place,
        training_overlap: leak,
        zero_shot: &zero_shot,
        evaluation: &of_model.evaluation,
        comparison: comparison.as_ref(),
    };
    let page = EvaluationPage {
        title: format!("{} on {}", model.meta.name, file_name(&args.data)),
        summary: zero_shot_note(&zero_shot)
            .unwrap_or_else(|| format!("{} {}", model.meta.name, model.meta.version)),
        evaluation: &of_model.evaluation,
        comparison: comparison.as_ref(),
    };
    write(args, &found, &page)?;
    Ok(if data.skipped.is_empty() { OK } else { SKIPPED })
}

/// What a model says of the test sentences.
fn answers<'a>(model: &'a Model, examples: &'a [Example], found: &'a Evaluated) -> Answers<'a> {
    Answers { layers: &model.codebook().layers, examples, decisions: &found.decisions }
}

/// A second model's answers beside the first's, by resampling and exchanging whole documents.
fn compared(
    args: &Args,
    against: &str,
    mine: &Answers<'_>,
    theirs: &Answers<'_>,
) -> anyhow::Result<Comparison> {
    let draws =
        Draws { resamples: args.resamples, permutations: args.permutations, seed: args.seed };
    let layers = paired(mine, theirs, draws);
    if layers.0.is_empty() {
        return Err(Error::setting(format!(
            "{} and {against} have no layer in common that the data answer",
            args.bundle
        ))
        .into());
    }
    Ok(Comparison { against: against.to_owned(), layers })
}

/// Layers that nothing was learnt for.
fn zero_shot_layers(model: &Model) -> Vec<&str> {
    let layers = model.codebook().layers.iter().filter(|l| l.by_description);
    layers.map(|l| l.name.as_str()).collect()
}

fn zero_shot_note(layers: &[&str]) -> Option<String> {
    let names = layers.join(", ");
    (!layers.is_empty()).then(|| {
        format!("zero-shot: {names} was not learnt; a label's description is what it is likest to")
    })
}

/// What the JSON file holds.
#[derive(Serialize)]
struct Found<'a> {
    model: &'a str,
    data: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    training_overlap: Option<Overlap>,
    /// Layers of descriptions alone.
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    zero_shot: &'a [&'a str],
    #[serde(flatten)]
    evaluation: &'a Evaluation,
    #[serde(skip_serializing_if = "Option::is_none")]
    comparison: Option<&'a Comparison>,
}

fn finish_task(args: &Args, model: &Model, found: &TaskEvaluation) -> anyhow::Result<u8> {
    warn_of_skips(&found.skipped);
    if Recorded::of(&model.meta).trained_on(&args.data) {
        eprintln!("warning: the model was trained on {}", args.data.display());
    }
    let mut out = std::io::stdout().lock();
    figures::print_task(&mut out, &args.data.display().to_string(), found)?;
    let page = EvaluationPage {
        title: format!("{} on {}", model.meta.name, found.task),
        summary: found.description.clone(),
        evaluation: &found.evaluation,
        comparison: None,
    };
    write(args, found, &page)?;
    Ok(if found.skipped.is_empty() { OK } else { SKIPPED })
}

/// Writes the files that were asked for.
fn write(args: &Args, found: &impl Serialize, drawn: &EvaluationPage) -> anyhow::Result<()> {
    let in_folder = |name: &str| args.out.as_ref().map(|folder| folder.join(name));
    if let Some(folder) = &args.out {
        std::fs::create_dir_all(folder).map_err(|e| Error::io(folder, e))?;
    }
    let json = serde_json::to_string_pretty(found)?;
    for path in args.json.iter().cloned().chain(in_folder("evaluation.json")) {
        write_whole(&path, json.as_bytes())?;
    }
    for path in args.html.iter().cloned().chain(in_folder("evaluation.html")) {
        write_whole(&path, page(drawn)?.as_bytes())?;
        eprintln!("page: {}", path.display());
    }
    Ok(())
}

fn file_name(path: &Path) -> String {
    path.file_name().unwrap_or_default().to_string_lossy().into_owned()
}

/// Warns where the model may know the test sentences from training, as far as that can be told.
fn look_for_leaks(
    args: &Args,
    recorded: &Recorded,
    model: &Model,
    test: &[Example],
    options: &mut Options,
) -> anyhow::Result<Option<Overlap>> {
    if recorded.trained_on(&args.data) {
        eprintln!(
            "warning: the model's record names {} among its training data; the figures say how well it \
             remembers, not how good it is",
            file_name(&args.data)
        );
    }
    if args.train.is_empty() {
        return Ok(None);
    }
    let mut train = Vec::new();
    for path in &args.train {
        if path.is_dir() {
            if recorded.data.is_empty() {
                return Err(Error::setting("the model does not record its training data")
                    .with_hint("give --train the files themselves")
                    .into());
            }
            let (found, missing) = recorded.read(path, model.codebook())?;
            train.extend(found);
            for missing in missing {
                eprintln!(
                    "warning: the model was trained also on {}, which is not in {}",
                    missing.display(),
                    path.display()
                );
            }
        } else {
            let pattern = args.document_pattern.as_deref().or(recorded.document_pattern(path));
            train.extend(read_labelled(path, model.codebook(), pattern)?.examples);
        }
    }
    let found = overlap(&train, test);
    if found.total() > 0 {
        eprintln!(
            "warning: training and test data overlap: {found}, of {} trained on",
            train.len()
        );
    }
    let outlets: HashSet<String> = train.into_iter().filter_map(|e| e.outlet).collect();
    options.training_outlets = Some(outlets).filter(|o| !o.is_empty());
    Ok(Some(found))
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
