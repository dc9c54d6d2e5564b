//! `explanations.parquet`: its columns, how rows are written and read back.

use std::fs::File;
use std::path::Path;
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, BooleanArray, Float32Array, RecordBatch};
use arrow::datatypes::{DataType, Float32Type, Int64Type, Schema, SchemaRef};
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;

use super::super::tables::{counts, fields, optional_text, text};
use crate::error::{Error, Result};
use crate::model::codebook::Codebook;
use crate::scoring::tables::{TableRow, table_schema};

/// A word that made the model give a label: a row of `explanations.parquet`.
///
/// The rows of a label stand together, the word that weighs most first. `start`, `end` and
/// `mention_start` count Unicode characters of the sentence's text.
#[derive(Debug, Clone, PartialEq)]
pub struct ExplainedWord {
    /// The article.
    pub article_id: String,
    /// The sentence, by its index in the article.
    pub sentence_index: u64,
    /// The layer.
    pub layer: String,
    /// The label.
    pub label: String,
    /// For a target layer, the target.
    pub target: Option<String>,
    /// For a target layer, where its mention begins.
    pub mention_start: Option<u64>,
    /// 1 for the word that was taken out first.
    pub rank: u64,
    /// First character of the word.
    pub start: u64,
    /// One past its last character.
    pub end: u64,
    /// The word.
    pub word: String,
    /// By how much the label's margin fell when the word was taken out after those before it,
    /// in nats: see [`crate::model::explain::Word::weight`].
    pub weight: f32,
    /// Whether the label is gone without this word and those before it.
    pub gone: bool,
    /// The label in its place, in a layer of one label.
    pub instead: Option<String>,
}

/// The columns of `explanations`: see [`ExplainedWord`].
///
/// # Errors
/// If the codebook cannot be written as JSON.
pub fn explanations_schema(codebook: &Codebook) -> Result<SchemaRef> {
    use DataType::{Boolean, Float32, Int64, Utf8};
    let columns = [
        ("article_id", Utf8, false),
        ("sentence_index", Int64, false),
        ("layer", Utf8, false),
        ("label", Utf8, false),
        ("target", Utf8, true),
        ("mention_start", Int64, true),
        ("rank", Int64, false),
        ("start", Int64, false),
        ("end", Int64, false),
        ("word", Utf8, false),
        ("weight", Float32, false),
        ("gone", Boolean, false),
        ("instead", Utf8, true),
    ];
    table_schema(fields(&columns), codebook)
}

impl TableRow for ExplainedWord {
    type Layout = ();

    fn layout(_: &Schema) -> Result<()> {
        Ok(())
    }

    fn encode(rows: &[Self], (): &()) -> std::result::Result<Vec<ArrayRef>, String> {
        let signed = |n: u64| i64::try_from(n).unwrap_or(i64::MAX);
        let mention_start: arrow::array::Int64Array =
            rows.iter().map(|r| r.mention_start.map(signed)).collect();
        Ok(vec![
            text(rows, |r| &r.article_id),
            counts(rows, |r| r.sentence_index),
            text(rows, |r| &r.layer),
            text(rows, |r| &r.label),
            optional_text(rows, |r| r.target.as_deref()),
            Arc::new(mention_start),
            counts(rows, |r| r.rank),
            counts(rows, |r| r.start),
            counts(rows, |r| r.end),
            text(rows, |r| &r.word),
            Arc::new(Float32Array::from_iter_values(rows.iter().map(|r| r.weight))),
            Arc::new(rows.iter().map(|r| Some(r.gone)).collect::<BooleanArray>()),
            optional_text(rows, |r| r.instead.as_deref()),
        ])
    }

    fn text_bytes(&self) -> usize {
        self.article_id.len() + self.word.len() + self.target.as_ref().map_or(0, String::len)
    }
}

/// Reads `explanations.parquet` of a scored folder; no rows where the folder has none.
///
/// # Errors
/// If the file is there and cannot be read.
pub fn read_explanations(dir: &Path) -> Result<Vec<ExplainedWord>> {
    let path = dir.join("explanations.parquet");
    if !path.is_file() {
        return Ok(Vec::new());
    }
    let place = |e: &dyn std::fmt::Display| Error::table(path.display(), e);
    let file = File::open(&path).map_err(|e| Error::io(&path, e))?;
    let reader = ParquetRecordBatchReaderBuilder::try_new(file)
        .and_then(ParquetRecordBatchReaderBuilder::build)
        .map_err(|e| place(&e))?;
    let mut rows = Vec::new();
    for batch in reader {
        rows.extend(decode(&batch.map_err(|e| place(&e))?).map_err(|e| place(&e))?);
    }
    Ok(rows)
}

fn decode(batch: &RecordBatch) -> std::result::Result<Vec<ExplainedWord>, String> {
    let column =
        |name: &str| batch.column_by_name(name).ok_or_else(|| format!("it has no column {name}"));
    let wrong = |name: &str| format!("column {name} holds something else than it should");
    let text = |name: &'static str| {
        column(name)?
            .as_string_opt::<i32>()
            .ok_or_else(|| wrong(name))
            .map(|c| move |i: usize| c.is_valid(i).then(|| c.value(i).to_owned()))
    };
    let number = |name: &'static str| {
        column(name)?.as_primitive_opt::<Int64Type>().ok_or_else(|| wrong(name)).map(|c| {
            move |i: usize| c.is_valid(i).then(|| u64::try_from(c.value(i)).ok()).flatten()
        })
    };
    let (article_id, layer, label) = (text("article_id")?, text("layer")?, text("label")?);
    let (target, word, instead) = (text("target")?, text("word")?, text("instead")?);
    let (sentence_index, mention_start) = (number("sentence_index")?, number("mention_start")?);
    let (rank, start, end) = (number("rank")?, number("start")?, number("end")?);
    let weight = column("weight")?;
    let weight = weight.as_primitive_opt::<Float32Type>().ok_or_else(|| wrong("weight"))?;
    let gone = column("gone")?.as_boolean_opt().ok_or_else(|| wrong("gone"))?;
    (0..batch.num_rows())
        .map(|i| {
            let row = || {
                Some(ExplainedWord {
                    article_id: article_id(i)?,
                    sentence_index: sentence_index(i)?,
                    layer: layer(i)?,
                    label: label(i)?,
                    target: target(i),
                    mention_start: mention_start(i),
                    rank: rank(i)?,
                    start: start(i)?,
                    end: end(i)?,
                    word: word(i)?,
                    weight: weight.is_valid(i).then(|| weight.value(i))?,
                    gone: gone.is_valid(i) && gone.value(i),
                    instead: instead(i),
                })
            };
            row().ok_or_else(|| format!("row {} lacks a value", i + 1))
        })
        .collect()
}
