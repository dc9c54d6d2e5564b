//! Articles: reading them from files, whatever the format, with outlets, dates,
//! events and near-duplicates. Knows nothing of models or labels.

mod dates;
mod documents;
mod duplicates;
mod fields;
mod json;
mod outlets;
mod read;
mod records;
mod rows;
mod sources;
mod tables;
#[cfg(test)]
mod tests;

use serde::{Deserialize, Serialize};

pub use duplicates::Duplicates;
pub use read::{Corpus, ReadNotes, ReadOptions};
pub(crate) use records::{Record, Records};

/// One article as an outlet published it.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Article {
    /// Unique within a run. A content hash where the input has none.
    pub id: String,
    /// Normalised outlet name.
    pub outlet: String,
    /// Publication day as `YYYY-MM-DD`, where the input has a date that parses.
    pub date: Option<String>,
    /// Headline, where the input has it apart from the text.
    pub title: Option<String>,
    /// The text exactly as read (decoded to UTF-8, nothing changed): sentence offsets count into it.
    pub text: String,
    /// Address, where known.
    pub url: Option<String>,
    /// The event that the article reports, where given.
    pub event: Option<String>,
    /// Topic, where given.
    pub topic: Option<String>,
    /// ISO 639-3 code of the detected language, where detection is confident.
    pub language: Option<String>,
    /// The input's other columns, as text, in input order.
    pub extra: Vec<(String, String)>,
}

/// A row or file of the input that was passed over, and why.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Skip {
    /// The file.
    pub file: String,
    /// 1-based line or row in it, where there is one.
    pub row: Option<u64>,
    /// What was wrong.
    pub reason: String,
}
