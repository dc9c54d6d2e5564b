//! `parallax axes`

use std::io::Write;
use std::path::PathBuf;

use super::OK;
use super::model::ModelArgs;
use crate::model::Model;
use crate::model::device::DeviceChoice;
use crate::model::predict::Batching;
use crate::pipeline::axes::{AxesOptions, AxesSummary, axes_folder, read_axes};
use crate::profile::Settings;
use crate::scoring::tables::Format;

/// Place sentences and outlets on axes between opposed words or sentences
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Example:
  parallax axes out/demo --axes axes.toml

axes.toml:
  [[axis]]
  name = \"threat\"
  positive = [\"threat\", \"danger\", \"attack\"]
  negative = [\"safety\", \"protection\", \"peace\"]

  [[axis]]
  name = \"military\"
  positive = [\"Soldiers moved to the border.\"]
  negative = [\"Diplomats met for talks.\"]

A sentence's place is the cosine of its vector with the axis (FrameAxis: Kwak et al. 2021). `bias` is the
mean place of an outlet's sentences, `intensity` their mean squared distance from the corpus' mean.
Intervals resample whole articles. Several words for each pole make a steadier axis; the program
tries whether an axis tells its own poles apart. The folder needs sentence vectors (`parallax compare`, or
`parallax score --vectors`). Writes axes, axis_profiles and axis_contrasts.")]
pub struct Args {
    /// A folder written by `parallax compare`
    folder: PathBuf,
    /// TOML file of axes
    #[arg(long, value_name = "FILE")]
    axes: PathBuf,
    #[command(flatten)]
    model: ModelArgs,
    /// Where to run: auto, cpu, cuda or cuda:N
    #[arg(long, default_value = "auto")]
    device: DeviceChoice,
    /// Bootstrap samples of the articles
    #[arg(long, default_value_t = Settings::default().resamples)]
    resamples: usize,
    /// Leave out articles that nearly repeat an earlier one, such as wire copy
    #[arg(long)]
    exclude_duplicates: bool,
    /// Seed of the random draws
    #[arg(long, default_value_t = Settings::default().seed)]
    seed: u64,
    /// Format of the tables: parquet, csv or jsonl
    #[arg(long, default_value = "parquet")]
    format: Format,
}

pub fn run(args: &Args) -> anyhow::Result<u8> {
    let axes = read_axes(&args.axes)?;
    let device = args.device.open()?;
    let bundle = args.model.open()?;
    let model = Model::load(&bundle, &device)?;
    let options = AxesOptions {
        axes,
        statistics: Settings {
            resamples: args.resamples,
            exclude_duplicates: args.exclude_duplicates,
            seed: args.seed,
            ..Settings::default()
        },
        batching: Batching::for_device(&device),
        format: args.format,
    };
    let summary = axes_folder(&args.folder, &model, &bundle.hash(), &options)?;
    print(&mut std::io::stdout().lock(), &summary)?;
    for note in &summary.notes {
        eprintln!("note: {note}");
    }
    for file in &summary.files {
        println!("{}", file.display());
    }
    Ok(OK)
}

fn print(out: &mut impl Write, summary: &AxesSummary) -> std::io::Result<()> {
    for of_axis in summary.profiles.chunk_by(|a, b| a.axis == b.axis) {
        let Some(first) = of_axis.first() else { continue };
        writeln!(out, "{} (mean of the corpus {:+.3})", first.axis, first.baseline)?;
        writeln!(out, "  {:28} {:>8} {:26} intensity", "", "articles", "bias")?;
        for row in of_axis {
            let interval = |low: Option<f64>, high: Option<f64>, sign: bool| match (low, high) {
                (Some(l), Some(h)) if sign => format!(" [{l:+.3}, {h:+.3}]"),
                (Some(l), Some(h)) => format!(" [{l:.4}, {h:.4}]"),
                _ => " too few articles".to_owned(),
            };
            let bias = format!("{:+.3}{}", row.bias, interval(row.bias_low, row.bias_high, true));
            let spread = interval(row.intensity_low, row.intensity_high, false);
            let outlet = super::words::plain(&row.outlet);
            writeln!(
                out,
                "  {outlet:28} {:8} {bias:26} {:.4}{spread}",
                row.n_articles, row.intensity
            )?;
        }
        writeln!(out)?;
    }
    Ok(())
}
