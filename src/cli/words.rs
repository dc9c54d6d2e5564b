//! `parallax words`

use std::collections::BTreeMap;
use std::io::Write;
use std::path::PathBuf;

use super::OK;
use crate::error::Error;
use crate::pipeline::words::{WordsOptions, WordsSummary, words_folder};
use crate::profile::words::{Scope, Settings, WordRow};
use crate::scoring::tables::{Format, ScoredFolder};

/// Find the words and phrases that set each outlet apart
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  parallax words out/demo
  parallax words out/demo --layer frames --label \"security and defense\"
  parallax words out/demo --target Halvia            the words around it, and how each outlet names it
  parallax words out/demo --group \"capitals=The Lindal Courier,The Estuary\" --group agency=\"Corriden Wire\"

Writes words.parquet into the folder and prints the first rows of each outlet against the rest.
Terms are ranked by weighted log-odds with a Dirichlet prior (Monroe, Colaresi and Quinn 2008): z
above 2 is more than chance would make of words that are independent of each other. Words of one article
are not: a term marked 1! occurs in one article only.")]
pub struct Args {
    /// A folder written by `parallax score` or `parallax compare`
    folder: PathBuf,
    /// Only sentences with a label of this layer: each label in turn, or those of --label
    #[arg(long)]
    layer: Option<String>,
    /// Labels of --layer, separated by commas
    #[arg(long, value_delimiter = ',', requires = "layer")]
    label: Vec<String>,
    /// Only around the mentions of this target, and how it is named (repeatable)
    #[arg(long, value_name = "NAME")]
    target: Vec<String>,
    /// Compare groups of outlets instead of outlets (repeatable)
    #[arg(long, value_name = "NAME=OUTLET,...", value_parser = group)]
    group: Vec<(String, Vec<String>)>,
    /// Words of the longest phrase; 1 for words only
    #[arg(long, default_value_t = Settings::default().longest, value_name = "N")]
    longest: usize,
    /// Leave out terms that occur less often
    #[arg(long, default_value_t = Settings::default().least, value_name = "N")]
    min_count: u32,
    /// Rows of each comparison and number of words
    #[arg(long, default_value_t = Settings::default().most, value_name = "N")]
    top: usize,
    /// Words to either side of a mention that count as around it
    #[arg(long, default_value_t = Settings::default().window, value_name = "N")]
    window: usize,
    /// Weight of the prior in words [default: as many as the corpus has]
    #[arg(long, value_name = "WORDS")]
    prior: Option<f64>,
    /// Leave out articles that nearly repeat an earlier one, such as wire copy
    #[arg(long)]
    exclude_duplicates: bool,
    /// Format of the table: parquet, csv or jsonl
    #[arg(long, default_value = "parquet")]
    format: Format,
}

fn group(text: &str) -> Result<(String, Vec<String>), String> {
    let (name, outlets) = text.split_once('=').unwrap_or_default();
    let outlets: Vec<String> =
        outlets.split(',').map(|o| o.trim().to_owned()).filter(|o| !o.is_empty()).collect();
    if name.trim().is_empty() || outlets.is_empty() {
        return Err("write NAME=OUTLET,OUTLET".into());
    }
    Ok((name.trim().to_owned(), outlets))
}

pub fn run(args: &Args) -> anyhow::Result<u8> {
    let mut groups: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for (name, outlets) in &args.group {
        groups.entry(name.clone()).or_default().extend(outlets.iter().cloned());
    }
    let options = WordsOptions {
        statistics: Settings {
            longest: args.longest,
            least: args.min_count,
            most: args.top,
            prior: args.prior,
            window: args.window,
            ..Settings::default()
        },
        scopes: scopes(args)?,
        groups,
        exclude_duplicates: args.exclude_duplicates,
        format: args.format,
    };
    let summary = words_folder(&args.folder, &options)?;
    print(&mut std::io::stdout().lock(), &summary)?;
    for note in &summary.notes {
        eprintln!("note: {note}");
    }
    println!("{}", summary.file.display());
    Ok(OK)
}

fn scopes(args: &Args) -> anyhow::Result<Vec<Scope>> {
    let mut scopes = Vec::new();
    if let Some(layer) = &args.layer {
        let mut labels = args.label.clone();
        if labels.is_empty() {
            let folder = ScoredFolder::open(&args.folder)?;
            let found = folder.codebook().layer(layer).map(|l| l.label_names().map(str::to_owned));
            labels = found
                .ok_or_else(|| Error::setting(format!("the codebook has no layer {layer:?}")))?
                .collect();
        }
        scopes.extend(labels.into_iter().map(|label| Scope::Label { layer: layer.clone(), label }));
    }
    for target in &args.target {
        scopes.push(Scope::Naming { target: target.clone() });
        scopes.push(Scope::Around { target: target.clone() });
    }
    Ok(scopes)
}

/// Terms of an outlet that are printed.
const SHOWN: usize = 8;

/// Prints the first terms of each outlet against the rest, scope by scope.
fn print(out: &mut impl Write, summary: &WordsSummary) -> std::io::Result<()> {
    let overall: Vec<&WordRow> = summary.rows.iter().filter(|r| r.against.is_none()).collect();
    for of_scope in overall.chunk_by(|a, b| a.scope == b.scope) {
        let Some(first) = of_scope.first() else { continue };
        writeln!(out, "{}", heading(&first.scope))?;
        for of_outlet in of_scope.chunk_by(|a, b| a.outlet == b.outlet) {
            let Some(first) = of_outlet.first() else { continue };
            writeln!(
                out,
                "  {:34} {:>6} {:>6} {:>9} {:>6}",
                plain(&first.outlet),
                "count",
                "rest",
                "articles",
                "z"
            )?;
            let naming = matches!(first.scope, Scope::Naming { .. });
            // Words first, then phrases, half and half.
            let words = of_outlet.iter().filter(|r| naming || r.n_words == 1).take(SHOWN);
            let mut phrases: Vec<_> =
                of_outlet.iter().filter(|r| !naming && r.n_words > 1).collect();
            phrases.sort_by(|a, b| b.z.total_cmp(&a.z));
            for row in words.chain(phrases.into_iter().take(SHOWN)) {
                let one =
                    if row.n_articles == 1 { "1!".into() } else { row.n_articles.to_string() };
                writeln!(
                    out,
                    "    {:32} {:6} {:6} {:>9} {:6.1}",
                    row.term, row.count, row.count_rest, one, row.z
                )?;
            }
        }
        writeln!(out)?;
    }
    Ok(())
}

/// A name from the input without characters that would steer a terminal.
pub(super) fn plain(name: &str) -> String {
    name.chars().filter(|c| !c.is_control()).collect()
}

fn heading(scope: &Scope) -> String {
    match scope {
        Scope::All => "All sentences: each outlet against the rest".into(),
        Scope::Label { layer, label } => format!("Sentences labelled {label} ({layer})"),
        Scope::Around { target } => format!("Around the mentions of {}", plain(target)),
        Scope::Naming { target } => format!("How {} is named", plain(target)),
    }
}
