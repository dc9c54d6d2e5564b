//! What a report is made of: plain data, so that this room needs no model, no files
//! and no statistics to draw one.

use serde::{Deserialize, Serialize};

use crate::model::codebook::Codebook;
use crate::profile::{ContrastRow, ProfileRow, TargetProfileRow};

use super::claims::Claims;
use super::evidence::Evidence;

/// Everything that one report shows.
#[derive(Debug, Clone)]
pub struct ReportInput {
    /// Headline of the report.
    pub title: String,
    /// Day on which it was made, as people read it.
    pub generated: String,
    /// The layers and labels; the report names no label that is not in here.
    pub codebook: Codebook,
    /// The model that gave the labels.
    pub model: ModelInfo,
    /// The run that they come from.
    pub run: RunInfo,
    /// The outlets, in the order in which they are shown.
    pub outlets: Vec<OutletInfo>,
    /// Shares of each label of the sentence layers.
    pub profiles: Vec<ProfileRow>,
    /// Differences between pairs of outlets; empty where there are too few articles.
    pub contrasts: Vec<ContrastRow>,
    /// Stance to each target: a row for each label, and one called `mean`.
    pub target_profiles: Vec<TargetProfileRow>,
    /// The sentences behind the numbers.
    pub evidence: Evidence,
    /// What several outlets report, side by side; `None` where sentences were not aligned.
    pub claims: Option<Claims>,
    /// Words that set outlets apart; `None` where they were not counted.
    pub words: Option<Vec<Word>>,
    /// Whether the words that moved the model's decisions are known.
    pub explained: bool,
    /// Remarks for the page on method and limits, one paragraph each.
    pub notes: Vec<String>,
}

/// The model, as its bundle describes it.
#[derive(Debug, Clone, Default)]
pub struct ModelInfo {
    /// Name of the bundle.
    pub name: String,
    /// Its version.
    pub version: String,
    /// SHA-256 of its weights.
    pub hash: String,
    /// Licence of the weights.
    pub licence: String,
    /// What it was trained on, a sentence.
    pub trained_on: String,
    /// Measured quality: what was measured, and the figure.
    pub figures: Vec<(String, String)>,
}

/// The run, as `run.json` describes it.
#[derive(Debug, Clone, Default)]
pub struct RunInfo {
    /// Version of parallax.
    pub version: String,
    /// Device it ran on.
    pub device: String,
    /// Articles scored.
    pub n_articles: u64,
    /// Sentences scored.
    pub n_sentences: u64,
    /// Lines set apart as page clutter.
    pub n_boilerplate: u64,
    /// Mentions of targets.
    pub n_mentions: u64,
    /// Rows or files of the input passed over.
    pub n_skipped: u64,
    /// Articles that nearly repeat another.
    pub n_duplicates: u64,
    /// Names of the targets.
    pub targets: Vec<String>,
    /// Whether the targets were found in the corpus, not given by the user.
    pub targets_discovered: bool,
    /// Coverage of the intervals; `None`: 0.95.
    pub level: Option<f64>,
    /// Further settings: name and value.
    pub settings: Vec<(String, String)>,
    /// What was skipped and why: reason and how often.
    pub skipped: Vec<(String, u64)>,
}

/// One outlet.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct OutletInfo {
    /// Its name.
    pub name: String,
    /// Its articles.
    pub n_articles: u64,
    /// Its scored sentences.
    pub n_sentences: u64,
    /// Day of its first article, `YYYY-MM-DD`.
    pub first_date: Option<String>,
    /// Day of its last article.
    pub last_date: Option<String>,
}

/// A sentence behind the numbers, with its labels.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct EvidenceSentence {
    /// The outlet.
    pub outlet: String,
    /// The article.
    pub article_id: String,
    /// Its headline.
    pub article_title: Option<String>,
    /// Its day, `YYYY-MM-DD`.
    pub date: Option<String>,
    /// Its event.
    pub event: Option<String>,
    /// Its address; only `http` and `https` become links.
    pub url: Option<String>,
    /// Position of the sentence in the article.
    pub sentence_index: u32,
    /// The sentence as it stands in the article (the beginning of it where it is very long).
    pub text: String,
    /// Headline, body or quote.
    pub role: String,
    /// One entry for each sentence layer, in codebook order: the labels given, as
    /// position in the layer and probability.
    pub labels: Vec<Vec<(usize, f32)>>,
    /// Mentions of targets in it.
    pub mentions: Vec<EvidenceMention>,
    /// Words that carry a device, found by word list.
    pub devices: Vec<Device>,
    /// Words that moved the model's decision, where that was looked into.
    pub moved: Vec<Moved>,
    /// Address of the sentence in its whole article, where that is in a file of the side
    /// folder; `None` where the report itself holds all sentences.
    pub context: Option<String>,
}

/// A word that moved the model to a label.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Moved {
    /// First character in [`EvidenceSentence::text`].
    pub start: usize,
    /// One past the last.
    pub end: usize,
    /// The layer: its position among the sentence layers.
    pub layer: usize,
    /// The label: its position in the layer.
    pub label: usize,
    /// How much the word weighs.
    pub weight: f32,
}

/// A word or phrase that sets an outlet apart from others: a row of `words.parquet`.
#[derive(Debug, Clone, Default, PartialEq, Deserialize, Serialize)]
pub struct Word {
    /// The outlet that uses it more.
    pub outlet: String,
    /// What it is compared with; `None`: all other outlets.
    #[serde(default)]
    pub against: Option<String>,
    /// What was counted: the words of `all` sentences, of those with a `label`, the words
    /// `around` mentions of a target, or those of the mentions (`naming`).
    pub scope: String,
    /// Layer of the label, for a label's sentences.
    #[serde(default)]
    pub layer: Option<String>,
    /// The label, for a label's sentences.
    #[serde(default)]
    pub label: Option<String>,
    /// The target, for a target's sentences.
    #[serde(default)]
    pub target: Option<String>,
    /// The word or phrase.
    pub term: String,
    /// How often the outlet uses it.
    pub count: u64,
    /// How often the others do.
    pub count_rest: u64,
    /// In how many articles of the outlet.
    pub n_articles: u64,
    /// Weighted log-odds ratio (Monroe, Colaresi and Quinn 2008, equation 16).
    pub log_odds: f64,
    /// The same by its standard deviation (equation 22).
    pub z: f64,
}

/// A mention of a target inside a sentence.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct EvidenceMention {
    /// The target's name.
    pub target: String,
    /// First character of the mention in [`EvidenceSentence::text`].
    pub start: usize,
    /// One past the last.
    pub end: usize,
    /// One entry for each target layer, in codebook order: the label given, as
    /// position in the layer and probability; `None` where the model abstained.
    pub stance: Vec<Option<(usize, f32)>>,
}

/// A word or short span that carries a device.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Device {
    /// First character in [`EvidenceSentence::text`].
    pub start: usize,
    /// One past the last.
    pub end: usize,
    /// Which list it stands on: position in [`super::cues::Cues::groups`].
    pub group: usize,
}
