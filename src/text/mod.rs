//! Sentences: where they begin and end in an article, what part of it they belong to,
//! which quotation they stand in, and the form in which the model is shown them.
//! Knows nothing of labels.

mod boilerplate;
mod discovery;
mod lines;
pub(crate) mod normal;
mod quotes;
mod segment;
mod spans;
mod split;
pub mod targets;
#[cfg(test)]
mod tests;
pub mod tokens;
mod words;

use serde::{Deserialize, Serialize};

pub use discovery::TargetDiscovery;
pub use normal::model_text;
pub use spans::{source_span, word_spans};
pub use split::split;
pub use targets::{Found, Target, TargetFinder, parse_target, read_targets};

/// The part of an article that a sentence belongs to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Role {
    /// A headline or sub-headline.
    Headline,
    /// Running text.
    Body,
    /// A sentence that is quotation throughout.
    Quote,
    /// Navigation, share buttons, comment forms: not scored, not profiled.
    Boilerplate,
}

/// A sentence of an article.
#[derive(Debug, Clone, PartialEq)]
pub struct Sentence {
    /// First character, in Unicode characters into [`crate::corpus::Article::text`].
    /// `None` for a headline that came in the title field and is not part of the text.
    pub start: Option<usize>,
    /// One past the last character, likewise.
    pub end: Option<usize>,
    /// The sentence exactly as it stands in the article.
    pub text: String,
    /// The form that the model reads: quotation marks restored and made straight,
    /// odd spaces and invisible characters normalised.
    pub model_text: String,
    /// For each byte of `model_text` (plus one past the end), the byte of `text` it came from.
    /// A restored mark maps to the nearest byte.
    pub map: Vec<u32>,
    /// The part of the article.
    pub role: Role,
}
