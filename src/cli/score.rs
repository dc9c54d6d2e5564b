//! `parallax score`, and the arguments that `parallax compare` shares with it.

use std::path::{Path, PathBuf};

use super::model::ModelArgs;
use super::{OK, SKIPPED, progress};
use crate::corpus::ReadOptions;
use crate::error::Error;
use crate::model::device::DeviceChoice;
use crate::model::predict::Batching;
use crate::model::{Model, PrecisionChoice};
use crate::pipeline::run::RunRecord;
use crate::pipeline::score::{Progress, ScoreOptions, score_corpus};
use crate::scoring::tables::Format;
use crate::text::targets::{Target, parse_target, read_targets};

/// Label every sentence of a corpus and write the tables
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  parallax score articles.jsonl --out scored
  parallax score news/ more.csv.gz --map text=body,outlet=source --out scored
  zcat dump.jsonl.gz | parallax score - --out scored --format jsonl
  parallax score news/ --out scored --model ORG/NAME@v1.0 --layer-name topic
  parallax score news/ --out scored --model ORG/NLI-MODEL \\
    --hypothesis \"critical=The sentence is critical of {target}\"

Inputs are folders or files: .txt (outlet from the sub-folder, else the file name), .html, .jsonl,
.json, .csv, .tsv, .parquet, plain or .gz or .zst; `-` reads JSON lines from standard input.
Fields: id, outlet, date, title, text, url, event, topic; usual other names are recognised.
Models of the Hub are kept in its cache (HF_HOME); HF_TOKEN opens private ones, HF_ENDPOINT names a
mirror, and with HF_HUB_OFFLINE=1 only the cache is looked at.")]
pub struct Args {
    #[command(flatten)]
    pub common: Common,
    /// Format of the tables: parquet, csv or jsonl (profiles and reports need parquet)
    #[arg(long, default_value = "parquet")]
    format: Format,
    /// Write each sentence's vector too (vectors.parquet), which `parallax align` needs
    #[arg(long)]
    vectors: bool,
}

/// What scoring needs to know.
#[derive(Debug, clap::Args)]
pub struct Common {
    /// Files or folders of articles, or `-`
    #[arg(required = true, value_name = "INPUT")]
    pub inputs: Vec<PathBuf>,
    /// Folder to write to
    #[arg(long, value_name = "FOLDER")]
    pub out: PathBuf,
    #[command(flatten)]
    pub model: ModelArgs,
    /// Columns of the input by field, such as text=body,outlet=source
    #[arg(long, value_name = "FIELD=COLUMN", value_delimiter = ',', value_parser = field_column)]
    map: Vec<(String, String)>,
    /// TOML file of outlet names: [outlets] "Name" = ["alias", ...]
    #[arg(long, value_name = "FILE")]
    aliases: Option<PathBuf>,
    /// Event of articles that name none
    #[arg(long)]
    event: Option<String>,
    /// A name whose mentions get a stance, such as "NATO=NATO,the alliance" (repeatable)
    #[arg(long, value_name = "NAME=ALIAS,...", value_parser = parse_target)]
    target: Vec<Target>,
    /// TOML file of such names: [[target]] name, aliases
    #[arg(long, value_name = "FILE")]
    targets: Option<PathBuf>,
    /// With no target given: so many of the corpus' most frequent names; 0 for none
    #[arg(long, default_value_t = 10, value_name = "N")]
    top_targets: usize,
    /// Where to run: auto, cpu, cuda, cuda:N or cuda:N,M
    #[arg(long, default_value = "auto")]
    device: DeviceChoice,
    /// Numbers it runs in: auto, f32, int8 (CPU), bf16 or f16 (GPU)
    #[arg(long, default_value = "auto")]
    precision: PrecisionChoice,
    /// Threads that run the model [default: one a core]
    #[arg(long, value_parser = clap::value_parser!(u16).range(1..))]
    workers: Option<u16>,
    /// Most tokens in a batch [default: by device]
    #[arg(long, value_parser = clap::value_parser!(u32).range(1..))]
    batch_tokens: Option<u32>,
    /// Withhold labels with less than this calibrated probability: the label is left empty, its
    /// probability is kept, and profiles leave it out
    #[arg(long, value_name = "P", value_parser = super::probability)]
    min_confidence: Option<f32>,
    /// Stop at the first row or file that cannot be used, instead of passing it over
    #[arg(long)]
    strict: bool,
    /// Replace the results that are in --out
    #[arg(long)]
    force: bool,
}

fn field_column(text: &str) -> Result<(String, String), String> {
    match text.split_once('=') {
        Some((field, column)) if !field.is_empty() && !column.is_empty() => {
            Ok((field.trim().to_owned(), column.trim().to_owned()))
        }
        _ => Err("write FIELD=COLUMN, such as text=body".into()),
    }
}

pub fn run(args: &Args) -> anyhow::Result<u8> {
    let record = score(&args.common, args.format, args.vectors)?;
    println!("tables: {}", args.common.out.display());
    Ok(exit_code(&record))
}

/// The exit code of a finished run.
pub fn exit_code(record: &RunRecord) -> u8 {
    if record.n_skipped > 0 { SKIPPED } else { OK }
}

/// Scores the inputs and says how it went.
pub fn score(args: &Common, format: Format, vectors: bool) -> anyhow::Result<RunRecord> {
    prepare_out(&args.out, args.force)?;
    let devices = args.device.open_all()?;
    let bundle = args.model.open()?;
    let model = Model::load_for_scoring(&bundle, &devices, args.precision)?;
    let model_hash = bundle.hash();
    drop(bundle);
    let mut targets = args.target.clone();
    if let Some(file) = &args.targets {
        targets.extend(read_targets(file)?);
    }
    let mut batching = Batching::for_device(&devices[0]);
    batching.workers = args.workers.map_or(batching.workers, usize::from);
    batching.tokens = args.batch_tokens.map_or(batching.tokens, |n| n as usize);
    let options = ScoreOptions {
        read: ReadOptions {
            map: args.map.clone(),
            aliases: args.aliases.clone(),
            strict: args.strict,
            default_event: args.event.clone(),
            ..ReadOptions::default()
        },
        targets,
        n_targets: args.top_targets,
        batching,
        format,
        vectors,
        min_confidence: args.min_confidence,
    };
    let template = "{bar:30} {pos} of {len} sentences found, {per_sec}, {eta} left";
    let bar = progress::bar(1, template);
    bar.set_length(0);
    let progress = |event: Progress| match event {
        Progress::Found(n) => bar.inc_length(n as u64),
        Progress::Done(n) => bar.inc(n as u64),
    };
    let record = score_corpus(&args.inputs, &model, &model_hash, &args.out, &options, &progress)?;
    bar.finish_and_clear();
    summarise(&record);
    Ok(record)
}

/// Makes the output folder, and refuses to mix results.
fn prepare_out(out: &Path, force: bool) -> anyhow::Result<()> {
    if out.exists() && !out.is_dir() {
        return Err(Error::setting(format!("--out {} is a file", out.display()))
            .with_hint("give a folder")
            .into());
    }
    if out.join("run.json").exists() && !force {
        return Err(Error::setting(format!("{} holds results already", out.display()))
            .with_hint("give --force to replace them, or another --out")
            .into());
    }
    std::fs::create_dir_all(out).map_err(|e| Error::io(out, e))?;
    Ok(())
}

fn summarise(record: &RunRecord) {
    let c = &record.counts;
    eprintln!(
        "{} articles of {} outlets, {} sentences labelled in {:.1} s ({:.0} a second on {}, {} workers)",
        c.articles,
        c.outlets,
        c.scored,
        record.timing.total_s,
        record.timing.sentences_per_second,
        record.device,
        record.workers
    );
    let mut asides = Vec::new();
    let mut aside = |n: u64, what: &str| {
        if n > 0 {
            asides.push(format!("{n} {what}"));
        }
    };
    aside(c.boilerplate, "lines of page clutter set apart");
    aside(c.duplicates, "articles that nearly repeat another");
    aside(c.windowed, "sentences longer than the model takes, read in windows");
    if !asides.is_empty() {
        eprintln!("{}", asides.join("; "));
    }
    if let Some(confidence) = record.min_confidence {
        let layers: Vec<String> = c.withheld.iter().map(|(l, n)| format!("{n} of {l}")).collect();
        let said = if layers.is_empty() { "none".to_owned() } else { layers.join(", ") };
        eprintln!("labels withheld for a probability below {confidence}: {said}");
    }
    for (field, column) in &record.recognised {
        eprintln!("{field} is taken from the column {column:?}");
    }
    for (found, used) in &record.outlets_renamed {
        eprintln!("outlet {found:?} is counted as {used:?}");
    }
    if !record.model.uncalibrated.is_empty() {
        let layers = record.model.uncalibrated.join(", ");
        eprintln!("note: {layers}: the model's own probabilities, not calibrated");
    }
    if record.targets_discovered {
        eprintln!("targets, the most frequent names: {}", record.targets.join(", "));
    }
    super::evaluate::warn_of_skips(&record.skipped);
    if record.n_skipped > 0 {
        eprintln!("{} rows or files were passed over, see run.json", record.n_skipped);
    }
}
