//! `parallax compare`, and its two later halves `parallax profile` and `parallax report`.

use std::path::{Path, PathBuf};

use super::OK;
use super::score::{Common, exit_code, score};
use crate::pipeline::report::report_folder;
use crate::pipeline::words::{WordsOptions, words_folder};
use crate::pipeline::{ProfileOptions, ProfileSummary, profile_folder};
use crate::profile::Settings;
use crate::report::Form;
use crate::scoring::tables::Format;

/// Label a corpus, compare its outlets and write one report
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  parallax compare demo --out out/demo
  parallax compare press-conference/ --target \"NATO=NATO,the alliance,the bloc\" --out out/nato
  parallax compare year.parquet --map text=body,outlet=source --out out/year --title \"2024\"

Does what `score --vectors`, `profile`, `align`, `words` and `report` do one after the other. Open
report.html in any browser; it needs no network. `parallax score --help` says what inputs can be.")]
pub struct Args {
    #[command(flatten)]
    common: Common,
    #[command(flatten)]
    statistics: Statistics,
    /// Headline of the report
    #[arg(long, default_value = "How the outlets put it")]
    title: String,
}

/// Estimate shares and differences with intervals from a scored folder
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Example:
  parallax profile scored --exclude-duplicates

Writes profiles.parquet, contrasts.parquet and target_profiles.parquet into the folder. Intervals
come from a bootstrap that resamples whole articles; with too few articles there are none.")]
pub struct ProfileArgs {
    /// A folder written by `parallax score`
    folder: PathBuf,
    #[command(flatten)]
    statistics: Statistics,
}

/// Write the report of a scored folder
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  parallax report scored --title \"The press conference of 7 January\"
  parallax report scored --format md
  parallax report scored --format pdf-ready-html

html writes report.html, with pages, filters and downloads; of a large corpus the whole articles go
to report-sentences/ beside it. md writes report.md. pdf-ready-html writes report-print.html, all of
it in view and without script, for any browser to print or save as PDF.")]
pub struct ReportArgs {
    /// A folder written by `parallax score`
    folder: PathBuf,
    #[command(flatten)]
    statistics: Statistics,
    /// Headline of the report
    #[arg(long, default_value = "How the outlets put it")]
    title: String,
    /// Form of the report
    #[arg(long, default_value = "html")]
    format: ReportFormat,
}

#[derive(Debug, Clone, Copy, clap::ValueEnum)]
enum ReportFormat {
    Html,
    Md,
    PdfReadyHtml,
}

/// How the statistics are made.
#[derive(Debug, clap::Args)]
struct Statistics {
    /// Bootstrap samples of the articles
    #[arg(long, default_value_t = Settings::default().resamples)]
    resamples: usize,
    /// Permutations of the articles for each difference between outlets
    #[arg(long, default_value_t = Settings::default().permutations)]
    permutations: usize,
    /// Leave out articles that nearly repeat an earlier one, such as wire copy
    #[arg(long)]
    exclude_duplicates: bool,
    /// Seed of the random draws
    #[arg(long, default_value_t = Settings::default().seed)]
    seed: u64,
}

impl Statistics {
    fn profile(&self, folder: &Path) -> anyhow::Result<ProfileSummary> {
        let statistics = Settings {
            resamples: self.resamples,
            permutations: self.permutations,
            exclude_duplicates: self.exclude_duplicates,
            seed: self.seed,
            ..Settings::default()
        };
        let options = ProfileOptions { statistics, format: Format::Parquet, out: None };
        Ok(profile_folder(folder, &options)?)
    }
}

pub fn run(args: &Args) -> anyhow::Result<u8> {
    let record = score(&args.common, Format::Parquet, true)?;
    let folder = &args.common.out;
    let summary = args.statistics.profile(folder)?;
    super::align::align(folder, &args.common.model, &Default::default())?;
    let exclude_duplicates = args.statistics.exclude_duplicates;
    words_folder(folder, &WordsOptions { exclude_duplicates, ..WordsOptions::default() })?;
    let report = report_folder(folder, summary, &args.title, Form::Html)?;
    println!("report: {}", report.display());
    println!("tables: {}", folder.display());
    Ok(exit_code(&record))
}

pub fn run_profile(args: &ProfileArgs) -> anyhow::Result<u8> {
    let summary = args.statistics.profile(&args.folder)?;
    for note in &summary.notes {
        eprintln!("note: {note}");
    }
    for file in &summary.files {
        println!("{}", file.display());
    }
    Ok(OK)
}

pub fn run_report(args: &ReportArgs) -> anyhow::Result<u8> {
    let summary = args.statistics.profile(&args.folder)?;
    let form = match args.format {
        ReportFormat::Html => Form::Html,
        ReportFormat::Md => Form::Markdown,
        ReportFormat::PdfReadyHtml => Form::Print,
    };
    println!("{}", report_folder(&args.folder, summary, &args.title, form)?.display());
    Ok(OK)
}
