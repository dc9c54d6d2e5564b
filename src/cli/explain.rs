//! `parallax explain`

use std::io::Write;
use std::path::PathBuf;

use super::model::ModelArgs;
use super::{OK, SKIPPED, progress};
use crate::error::Error;
use crate::files::write_whole;
use crate::model::device::DeviceChoice;
use crate::model::explain::{Question, Settings, explain};
use crate::model::predict::Batching;
use crate::model::{LayerKind, Model, PrecisionChoice, Unit};
use crate::pipeline::explain::{
    ExplainOptions, Faithfulness, MeasureOptions, explain_folder, measure,
};
use crate::scoring::tables::Format;
use crate::text::model_text;
use crate::training::data::read_labelled;

/// Find the words that made the model give a label
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  parallax explain --text \"The ministry's allegedly secret plan was drawn up in March.\"
  parallax explain --text \"The reckless regime in Halvia gave in.\" --mention Halvia
  parallax explain out/demo --layer engagement --label distance,deny,endorse
  parallax explain --measure test.jsonl --layer engagement --label distance,deny,endorse

An explanation is a short list of words without which the model gives another label. The words are
cut out one by one and the model is asked again, so it costs some thirty times as much as scoring.
With a FOLDER, the list of every sentence goes to explanations.parquet; `start` and `end` count the
characters of the sentence. --measure says how often labels that are right change when the words
are cut out, and when random words are.")]
pub struct Args {
    /// A folder written by `parallax score` or `parallax compare`
    #[arg(required_unless_present_any = ["text", "measure"], conflicts_with_all = ["text", "measure"])]
    folder: Option<PathBuf>,
    /// One sentence to explain instead
    #[arg(long, conflicts_with = "measure")]
    text: Option<String>,
    /// With --text: the words of a mention, to explain how it is portrayed
    #[arg(long, requires = "text", value_name = "WORDS")]
    mention: Option<String>,
    /// Labelled sentences, JSON lines, on which explanations are measured instead
    #[arg(long, value_name = "FILE")]
    measure: Option<PathBuf>,
    /// With --measure: write the figures to this file as JSON
    #[arg(long, requires = "measure", value_name = "FILE")]
    json: Option<PathBuf>,
    /// The layer [default with --text: all]
    #[arg(long, required_unless_present = "text")]
    layer: Option<String>,
    /// Its labels, separated by commas [default: all]
    #[arg(long, value_delimiter = ',')]
    label: Vec<String>,
    /// Most words of a list
    #[arg(long, default_value_t = Settings::default().words, value_name = "N")]
    words: usize,
    /// Most words of a sentence that are tried one by one, chosen by their gradients
    #[arg(long, default_value_t = Settings::default().tried, value_name = "N")]
    tried: usize,
    /// Of those, how many are tried again when the first is out
    #[arg(long, default_value_t = Settings::default().kept, value_name = "N")]
    kept: usize,
    #[command(flatten)]
    model: ModelArgs,
    /// Where to run: auto, cpu, cuda or cuda:N
    #[arg(long, default_value = "auto")]
    device: DeviceChoice,
    /// Threads that run the model [default: one a core]
    #[arg(long, value_parser = clap::value_parser!(u16).range(1..))]
    workers: Option<u16>,
    /// Format of the table: parquet, csv or jsonl
    #[arg(long, default_value = "parquet")]
    format: Format,
}

impl Args {
    fn search(&self) -> Settings {
        Settings { words: self.words, tried: self.tried, kept: self.kept, ..Settings::default() }
    }
}

pub fn run(args: &Args) -> anyhow::Result<u8> {
    let device = args.device.open()?;
    let bundle = args.model.open()?;
    let model =
        Model::load_for_scoring(&bundle, std::slice::from_ref(&device), PrecisionChoice::Auto)?;
    drop(bundle);
    let mut batching = Batching::for_device(&device);
    batching.workers = args.workers.map_or(batching.workers, usize::from);
    match (&args.folder, &args.text, &args.measure) {
        (_, Some(text), _) => one(args, text, &model, batching),
        (_, _, Some(_)) => measured(args, &model, batching),
        (Some(_), _, _) => folder(args, &model, batching),
        (None, None, None) => Ok(OK),
    }
}

fn folder(args: &Args, model: &Model, batching: Batching) -> anyhow::Result<u8> {
    let options = ExplainOptions {
        search: args.search(),
        layer: args.layer.clone().unwrap_or_default(),
        labels: args.label.clone(),
        batching,
        format: args.format,
    };
    let bar = progress::bar(0, "{spinner} {pos} labels explained, {per_sec}");
    let dir = args.folder.clone().unwrap_or_default();
    let summary = explain_folder(&dir, model, &options, &|n| bar.inc(n))?;
    bar.finish_and_clear();
    eprintln!(
        "{} labels explained; {} of them change without the words found",
        summary.explained, summary.gone
    );
    println!("{}", summary.file.display());
    if summary.not_reproduced == 0 {
        return Ok(OK);
    }
    eprintln!(
        "{} sentences were passed over: the model gives other probabilities than the folder has",
        summary.not_reproduced
    );
    Ok(SKIPPED)
}

/// Explains one sentence.
fn one(args: &Args, text: &str, model: &Model, batching: Batching) -> anyhow::Result<u8> {
    let text = model_text(text);
    let mention = match &args.mention {
        None => None,
        Some(words) => {
            let words = model_text(words);
            let at = text.find(&words).filter(|_| !words.is_empty());
            let at = at.ok_or_else(|| {
                Error::setting(format!("the sentence does not hold the words {words:?}"))
            })?;
            Some(at..at + words.len())
        }
    };
    let prepared = model.prepare(&text, mention.as_slice())?;
    let units: Vec<&Unit> = prepared.units.iter().collect();
    let scores = model.scores(&prepared, &model.predict(&units)?);
    let mentions = scores.mentions.into_iter().next().flatten().unwrap_or_default();
    let (mut of_sentence, mut of_mention) = (scores.layers.into_iter(), mentions.into_iter());
    let mut questions = Vec::new();
    for (layer, facts) in model.codebook().layers.iter().enumerate() {
        let target = facts.kind == LayerKind::Target;
        let scores = if target { of_mention.next() } else { of_sentence.next() };
        if args.layer.as_ref().is_some_and(|l| *l != facts.name) {
            continue;
        }
        let mention = mention.clone().filter(|_| target);
        for label in scores.into_iter().flat_map(|s| s.labels) {
            let wanted = facts
                .label_names()
                .nth(label)
                .filter(|name| args.label.is_empty() || args.label.iter().any(|l| l == name));
            let question = Question { text: text.clone(), layer, label, mention: mention.clone() };
            questions.extend(wanted.map(|name| (facts, name, question)));
        }
    }
    let asked: Vec<Question> = questions.iter().map(|(_, _, q)| q.clone()).collect();
    let found = explain(model, &asked, args.search(), batching)?;
    let mut out = std::io::stdout().lock();
    for ((layer, label, _), explanation) in questions.iter().zip(found) {
        writeln!(out, "{}: {label} (margin {:.1})", layer.name, explanation.margin)?;
        for word in &explanation.words {
            let after = match explanation.instead.and_then(|l| layer.label_names().nth(l)) {
                Some(instead) if word.gone => format!("  then {instead}"),
                _ if word.gone => "  then gone".to_owned(),
                _ => String::new(),
            };
            let written = text.get(word.bytes.clone()).unwrap_or_default();
            writeln!(out, "  without {written:24} {:+6.1}{after}", -word.weight)?;
        }
    }
    Ok(OK)
}

fn measured(args: &Args, model: &Model, batching: Batching) -> anyhow::Result<u8> {
    let path = args.measure.clone().unwrap_or_default();
    let data = read_labelled(&path, model.codebook(), None)?;
    super::evaluate::warn_of_skips(&data.skipped);
    let options = MeasureOptions {
        search: args.search(),
        layer: args.layer.clone().unwrap_or_default(),
        labels: args.label.clone(),
        draws: 5,
        seed: 1,
        batching,
    };
    let figures = measure(model, &data.examples, &options)?;
    print(&mut std::io::stdout().lock(), &figures)?;
    if let Some(json) = &args.json {
        write_whole(json, serde_json::to_string_pretty(&figures)?.as_bytes())?;
    }
    Ok(if data.skipped.is_empty() { OK } else { SKIPPED })
}

fn print(out: &mut impl Write, figures: &Faithfulness) -> std::io::Result<()> {
    let words = figures.words;
    writeln!(out, "{}: labels that are right and change when words are cut out", figures.layer)?;
    writeln!(
        out,
        "  {:24} {:>5} {:>16} {:>16} {:>12}",
        "",
        "n",
        format!("explained, ≤ {words}"),
        format!("random, {words}"),
        "words"
    )?;
    for f in &figures.labels {
        writeln!(
            out,
            "  {:24} {:5} {:15.1}% {:15.1}% {:12.1}",
            f.label.as_deref().unwrap_or("all"),
            f.n,
            100.0 * f.without_words,
            100.0 * f.without_random,
            f.n_words
        )?;
    }
    match figures.gradient_overlap {
        Some(share) => writeln!(
            out,
            "  gradients and leave-one-out share {:.0}% of their three heaviest words",
            100.0 * share
        ),
        None => Ok(()),
    }
}
