//! The rows that a scored corpus is made of, before any file format.

use crate::text::Role;

pub use crate::model::calibration::Scores;

/// One sentence with its labels: a row of `sentences.parquet`.
#[derive(Debug, Clone, PartialEq)]
pub struct SentenceRow {
    /// The article.
    pub article_id: String,
    /// Its outlet.
    pub outlet: String,
    /// Its day, `YYYY-MM-DD`.
    pub date: Option<String>,
    /// Its event.
    pub event: Option<String>,
    /// Its topic.
    pub topic: Option<String>,
    /// 0-based position of the sentence in the article.
    pub sentence_index: u32,
    /// First character in the article's text; `None` for a headline from the title field.
    pub start: Option<u32>,
    /// One past the last character.
    pub end: Option<u32>,
    /// The sentence as it stands in the article.
    pub text: String,
    /// The part of the article.
    pub role: Role,
    /// Tokens of the whole sentence, special tokens not counted. 0 for boilerplate.
    pub n_tokens: u32,
    /// Whether the sentence was longer than the model takes and was read in windows.
    pub windowed: bool,
    /// Id of the first article of the near-duplicate group that this article belongs to
    /// (its own id where it is the first or the only one).
    pub duplicate_group: String,
    /// One entry for each single or multi layer, in codebook order; `None` where the
    /// sentence was not scored (boilerplate).
    pub layers: Option<Vec<Scores>>,
}

/// One mention of a target with its stance: a row of `mentions.parquet`.
#[derive(Debug, Clone, PartialEq)]
pub struct MentionRow {
    /// The article.
    pub article_id: String,
    /// Its outlet.
    pub outlet: String,
    /// The sentence, by its index in the article.
    pub sentence_index: u32,
    /// The target's name.
    pub target: String,
    /// The words of the mention.
    pub mention: String,
    /// First character of the mention in the article's text; `None` in a headline from the title field.
    pub start: Option<u32>,
    /// One past the last character.
    pub end: Option<u32>,
    /// One entry for each target layer, in codebook order.
    pub layers: Vec<Scores>,
}

/// The vector of a sentence: a row of `vectors.parquet`.
#[derive(Debug, Clone, PartialEq)]
pub struct VectorRow {
    /// The article.
    pub article_id: String,
    /// The sentence, by its index in the article.
    pub sentence_index: u32,
    /// The mean of its tokens' vectors.
    pub vector: Vec<f32>,
}

/// One article: a row of `articles.parquet`.
#[derive(Debug, Clone, PartialEq)]
pub struct ArticleRow {
    /// The article itself; its `text` is not written.
    pub article: crate::corpus::Article,
    /// Number of sentences, boilerplate included.
    pub n_sentences: u32,
    /// Id of the article that this one nearly repeats, where there is one.
    pub duplicate_of: Option<String>,
}
