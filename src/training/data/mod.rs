//! Labelled sentences: what they say, reading them in every usual form, splitting them by
//! document, and telling training from test data.

mod exports;
mod leaks;
mod masking;
mod read;
mod recorded;
pub(super) mod row;
mod second;
mod standoff;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::ops::Range;

pub use leaks::{Overlap, overlap, without};
pub use masking::mask_names;
pub use read::{read_labelled, read_source, read_standoff};
pub use recorded::Recorded;

use crate::corpus::Skip;
use crate::model::bundle::sha256_hex;

/// A labelled sentence.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Example {
    /// The sentence as it stands in the file.
    pub text: String,
    /// The sentence as the model reads it.
    pub model_text: String,
    /// What groups sentences of one article; the sentence itself where nothing is known.
    pub document: String,
    /// The outlet, where known.
    pub outlet: Option<String>,
    /// The row's other short values, by field.
    pub fields: BTreeMap<String, String>,
    /// The answers to each layer of the codebook, in order.
    pub answers: Vec<Answer>,
}

/// What a labelled sentence says on one layer.
#[derive(Debug, Clone, PartialEq)]
pub enum Answer {
    /// Nothing.
    None,
    /// One label; `alternative` counts as right too.
    Single(Choice),
    /// For each label: yes, no, or neither right nor wrong (`None`).
    Multi(Vec<Option<bool>>),
    /// A label for each mention, given as bytes of [`Example::model_text`].
    Target(Vec<(Range<usize>, Choice)>),
}

/// A label and, where annotators differed, a second one that counts as right.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Choice {
    /// The label's index.
    pub label: usize,
    /// A second answer.
    pub alternative: Option<usize>,
}

impl Choice {
    /// The label to score `predicted` against: itself, where it is one of the answers.
    pub fn gold_for(&self, predicted: usize) -> usize {
        if self.alternative == Some(predicted) { predicted } else { self.label }
    }
}

/// Labelled sentences and what was passed over.
#[derive(Debug, Default)]
pub struct LabelledData {
    /// The sentences.
    pub examples: Vec<Example>,
    /// Rows that could not be used.
    pub skipped: Vec<Skip>,
}

/// Splits by document: whether a document goes into the dev part depends on its name and the
/// seed alone.
pub fn split(examples: Vec<Example>, share: f64, seed: u64) -> (Vec<Example>, Vec<Example>) {
    examples.into_iter().partition(|e| {
        let hash = sha256_hex(format!("{seed} {}", e.document).as_bytes());
        let draw = u32::from_str_radix(&hash[..8], 16).unwrap_or(0);
        f64::from(draw) / f64::from(u32::MAX) >= share
    })
}
