//! `explanations.parquet`: its columns, how rows are written and read back.

use std::path::Path;

use serde::Deserialize;

use super::super::read::read_rows;
use crate::error::Result;
use crate::scoring::tables::{Cell, Column, FlatRow};

/// A word that made the model give a label: a row of `explanations.parquet`.
///
/// The rows of a label stand together, the word that weighs most first. `start`, `end` and
/// `mention_start` count Unicode characters of the sentence's text.
#[derive(Debug, Clone, PartialEq, Deserialize)]
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

impl FlatRow for ExplainedWord {
    const COLUMNS: &'static [Column<Self>] = &[
        ("article_id", Cell::Text(|r| &r.article_id)),
        ("sentence_index", Cell::Count(|r| r.sentence_index)),
        ("layer", Cell::Text(|r| &r.layer)),
        ("label", Cell::Text(|r| &r.label)),
        ("target", Cell::MaybeText(|r| r.target.as_deref())),
        ("mention_start", Cell::MaybeCount(|r| r.mention_start)),
        ("rank", Cell::Count(|r| r.rank)),
        ("start", Cell::Count(|r| r.start)),
        ("end", Cell::Count(|r| r.end)),
        ("word", Cell::Text(|r| &r.word)),
        ("weight", Cell::Float(|r| r.weight)),
        ("gone", Cell::Flag(|r| r.gone)),
        ("instead", Cell::MaybeText(|r| r.instead.as_deref())),
    ];
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
    Ok(read_rows(&path)?.collect::<Result<Vec<_>>>()?.concat())
}
