//! A labelled file, whatever its form, to examples.

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use regex::Regex;

use super::exports::as_plain_row;
use super::row::example;
use super::second::{Second, agree};
use super::standoff::Texts;
use super::{Answer, Example, LabelledData, split};
use crate::corpus::{Record, Records, Skip};
use crate::error::{Error, Result};
use crate::model::Codebook;
use crate::training::recipe::Source;

/// Reads labelled sentences: JSON lines, JSON, CSV, TSV or Parquet, and the JSON exports of Label
/// Studio and doccano. The form is told by the name's ending and the rows themselves.
///
/// A row has a `text` and, for each layer of `codebook`, a field (or column) of its name:
/// - single: a label, and in `LAYER_alt` a second answer that counts as right;
/// - multi: a list of labels, or text `a|b` or `["a","b"]` (`none` for none), and in
///   `LAYER_optional` labels that are neither right nor wrong; or a column of 0 and 1 for each
///   label, named `LAYER:LABEL`, empty for neither;
/// - target: `target: {mention, start, end, LAYER}`, or these side by side in a row for each
///   mention (NewsMTSC calls the mention `target`), or a list of `{start, end, text, choices}`.
///   Offsets count characters of `text`; without them the mention must occur once.
///
/// Missing and empty fields mean that the sentence says nothing on that layer. Rows of a document
/// with the same text are merged. The document is named by the field `document`, else by `id` if
/// `document_pattern`, a regular expression, matches it; the pattern's first group cuts the name
/// out of either.
///
/// # Errors
/// If the file cannot be read or not one row can be used.
pub fn read_labelled(
    path: &Path,
    codebook: &Codebook,
    document_pattern: Option<&str>,
) -> Result<LabelledData> {
    read(path, codebook, document_pattern, &Beside::default())
}

/// Reads stand-off labels: rows like those of [`read_labelled`] that have, instead of a `text`,
/// an `article_id` with `start` and `end`, in Unicode characters, as `sentences.parquet` has them.
/// The sentences are looked up in `articles`, read as `score` reads them. A row's `text_sha256`,
/// eight hexadecimal digits or more, must be how the SHA-256 of the sentence begins.
///
/// # Errors
/// If a file cannot be read or not one row can be used.
pub fn read_standoff(
    path: &Path,
    articles: &Path,
    codebook: &Codebook,
    document_pattern: Option<&str>,
) -> Result<LabelledData> {
    let beside = Beside { articles: Some(articles.to_owned()), second: None };
    read(path, codebook, document_pattern, &beside)
}

/// Reads the share of a recipe's file that is used. `find` says where a path of the recipe is.
///
/// # Errors
/// As [`read_labelled`] and [`read_standoff`].
pub fn read_source(
    source: &Source,
    find: &dyn Fn(&Path) -> PathBuf,
    codebook: &Codebook,
) -> Result<LabelledData> {
    let beside = Beside {
        articles: source.articles.as_deref().map(find),
        second: source.second.as_deref().map(find),
    };
    let pattern = source.document_pattern.as_deref();
    let mut data = read(&find(&source.path), codebook, pattern, &beside)?;
    (data.examples, _) = split(data.examples, 1.0 - source.share, 0);
    Ok(data)
}

/// Files that a labelled file is read together with.
#[derive(Default)]
struct Beside {
    /// Articles that its rows point into.
    articles: Option<PathBuf>,
    /// A second annotator's answers.
    second: Option<PathBuf>,
}

fn read(
    path: &Path,
    codebook: &Codebook,
    document_pattern: Option<&str>,
    beside: &Beside,
) -> Result<LabelledData> {
    let pattern = document_pattern
        .map(Regex::new)
        .transpose()
        .map_err(|e| Error::setting(format!("document_pattern is no regular expression: {e}")))?;
    let mut data = LabelledData::default();
    let texts = beside.articles.as_ref().map(|articles| pointed_to(path, articles)).transpose()?;
    let second = match &beside.second {
        Some(second) => Second::read(second, &mut data.skipped)?,
        None => Second::default(),
    };
    let plain_example =
        |row| as_plain_row(row, codebook).and_then(|row| example(row, codebook, pattern.as_ref()));
    let mut by_text: HashMap<(String, String), usize> = HashMap::new();
    for record in Records::open(path)? {
        let parsed = record?.and_then(|Record { number, mut values }| {
            let filled = texts.as_ref().map_or(Ok(()), |texts| texts.fill(&mut values));
            filled
                .and_then(|()| {
                    let again = second.of(&values);
                    let mut example = plain_example(values)?;
                    if let Some(again) = again {
                        agree(&mut example, plain_example(again)?);
                    }
                    Ok(example)
                })
                .map_err(|reason| Skip { file: path.display().to_string(), row: number, reason })
        });
        match parsed {
            Ok(example) => {
                let key = (example.document.clone(), example.text.clone());
                match by_text.get(&key) {
                    Some(&at) => merge(&mut data.examples[at], example),
                    None => {
                        by_text.insert(key, data.examples.len());
                        data.examples.push(example);
                    }
                }
            }
            Err(skip) => data.skipped.push(skip),
        }
    }
    if data.examples.is_empty() {
        let message = match data.skipped.first() {
            Some(skip) => format!(
                "no row can be used; the first, row {}, because: {}",
                skip.row.unwrap_or(1),
                skip.reason
            ),
            None => "the file has no rows".into(),
        };
        let layers: Vec<&str> = codebook.layers.iter().map(|l| l.name.as_str()).collect();
        return Err(Error::input(path.display(), message).with_hint(format!(
            "a row has a field `text` and one for each layer that it answers ({}); \
             `parallax evaluate --help` lists the forms",
            layers.join(", ")
        )));
    }
    Ok(data)
}

/// The sentences in `articles` that the rows of `path` point to.
fn pointed_to(path: &Path, articles: &Path) -> Result<Texts> {
    let mut records = Vec::new();
    for record in Records::open(path)? {
        // What cannot be read is told of when the rows are.
        records.extend(record?.ok());
    }
    Texts::of(&records, articles)
}

/// Adds the answers of `other` where `example` has none; mentions are joined.
fn merge(example: &mut Example, other: Example) {
    for (mine, theirs) in example.answers.iter_mut().zip(other.answers) {
        match (mine, theirs) {
            (Answer::Target(mine), Answer::Target(theirs)) => {
                mine.extend(theirs);
            }
            (mine @ Answer::None, theirs) => *mine = theirs,
            _ => {}
        }
    }
}
