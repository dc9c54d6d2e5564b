//! `run.json`: what a run did, with what, and what it passed over.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::score::ScoreOptions;
use crate::corpus::{ReadNotes, Skip};
use crate::error::{Error, Result};
use crate::files::write_whole;
use crate::model::{Codebook, Model, device};
use crate::scoring::scorer::Rows;
use crate::text::Role;
use crate::text::targets::Target;

/// The contents of `run.json`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct RunRecord {
    /// Version of parallax.
    pub version: String,
    /// Version of the tables' layout.
    pub schema_version: String,
    /// When the run ended, RFC 3339 in UTC.
    pub finished: String,
    /// The model.
    pub model: ModelRecord,
    /// Where the model ran.
    pub device: String,
    /// The numbers it ran in: f32, int8, bf16 or f16.
    #[serde(default)]
    pub precision: String,
    /// Threads that ran it.
    pub workers: usize,
    /// Most tokens in a batch.
    pub batch_tokens: usize,
    /// Labels with less than this probability were withheld.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub min_confidence: Option<f32>,
    /// The inputs as they were given.
    pub inputs: Vec<String>,
    /// Fields of the input that were recognised by their column's usual name.
    pub recognised: Vec<(String, String)>,
    /// Outlet names as found and as used, where the two differ.
    pub outlets_renamed: BTreeMap<String, String>,
    /// Names whose mentions were given a stance.
    pub targets: Vec<String>,
    /// Whether the targets are the corpus' most frequent names, not the user's choice.
    pub targets_discovered: bool,
    /// How much there was of everything.
    pub counts: Counts,
    /// Seconds and rates.
    pub timing: Timing,
    /// How its sentences were aligned, if they were.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub alignment: Option<AlignmentRecord>,
    /// Files or rows passed over, in full.
    pub n_skipped: u64,
    /// The first of them, with reasons.
    pub skipped: Vec<Skip>,
}

/// How sentences were aligned.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct AlignmentRecord {
    /// Mean likeness of the pairs in a group, from 0 to 1.
    pub likeness: f32,
    /// Sentences that were compared.
    pub sentences: usize,
    /// Groups that were found.
    pub groups: usize,
    /// Seconds it took, reading and writing included.
    pub seconds: f64,
}

/// The model of a run.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ModelRecord {
    /// Name.
    pub name: String,
    /// Version.
    pub version: String,
    /// Hash of weights and metadata.
    pub hash: String,
    /// Licence.
    pub licence: String,
    /// Base encoder.
    pub base: String,
    /// Figures reached, as the bundle records them.
    pub evaluation: toml::Table,
    /// Layers whose probabilities are the model's own, not calibrated on labelled sentences.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub uncalibrated: Vec<String>,
    /// Layers that were not trained, but are asked as hypotheses: layer and hypothesis.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub zero_shot: BTreeMap<String, String>,
}

/// How much there was of everything.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Counts {
    /// Outlets.
    pub outlets: usize,
    /// Articles.
    pub articles: u64,
    /// Articles that nearly repeat an earlier one.
    pub duplicates: u64,
    /// Sentences, boilerplate included.
    pub sentences: u64,
    /// Sentences that were scored.
    pub scored: u64,
    /// Sentences (or windows of long ones) that are equal to an earlier one and were not encoded
    /// again.
    #[serde(default)]
    pub repeated: u64,
    /// Lines of page clutter, set apart.
    pub boilerplate: u64,
    /// Sentences read in windows.
    pub windowed: u64,
    /// Tokens of the scored sentences.
    pub tokens: u64,
    /// Mentions of targets.
    pub mentions: u64,
    /// Labels that were withheld, by layer.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub withheld: BTreeMap<String, u64>,
    #[serde(skip)]
    names: BTreeSet<String>,
}

impl Counts {
    /// Counts some rows, scored with `codebook`.
    pub fn count(&mut self, rows: &Rows, codebook: &Codebook) {
        let of_sentences = rows.sentences.iter().flat_map(|r| &r.layers);
        let of_sentences = of_sentences.flat_map(|s| codebook.sentence_layers().zip(s));
        let of_mentions =
            rows.mentions.iter().flat_map(|r| codebook.target_layers().zip(&r.layers));
        for (layer, scores) in of_sentences.chain(of_mentions) {
            if !scores.withheld.is_empty() {
                *self.withheld.entry(layer.name.clone()).or_default() +=
                    scores.withheld.len() as u64;
            }
        }
        self.articles += rows.articles.len() as u64;
        for row in &rows.articles {
            self.duplicates += u64::from(row.duplicate_of.is_some());
            if !self.names.contains(&row.article.outlet) {
                self.names.insert(row.article.outlet.clone());
            }
        }
        for row in &rows.sentences {
            self.sentences += 1;
            self.scored += u64::from(row.layers.is_some());
            self.boilerplate += u64::from(row.role == Role::Boilerplate);
            self.windowed += u64::from(row.windowed);
            self.tokens += u64::from(row.n_tokens);
        }
        self.mentions += rows.mentions.len() as u64;
        self.outlets = self.names.len();
    }
}

/// Seconds and rates.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Timing {
    /// Looking for targets, seconds.
    pub discovery_s: f64,
    /// Time in which the model ran, seconds.
    pub encoder_s: f64,
    /// Everything, seconds.
    pub total_s: f64,
    /// Scored sentences a second, files in and tables out.
    pub sentences_per_second: f64,
}

impl RunRecord {
    /// Puts the record of a finished run together.
    pub fn new(
        model: &Model,
        model_hash: &str,
        inputs: &[PathBuf],
        notes: &ReadNotes,
        options: &ScoreOptions,
        counts: Counts,
        timing: Timing,
    ) -> Self {
        let meta = &model.meta;
        RunRecord {
            version: env!("CARGO_PKG_VERSION").into(),
            schema_version: crate::SCHEMA_VERSION.into(),
            finished: chrono::Utc::now().to_rfc3339_opts(chrono::SecondsFormat::Secs, true),
            model: ModelRecord {
                name: meta.name.clone(),
                version: meta.version.clone(),
                hash: model_hash.to_owned(),
                licence: meta.licence.clone(),
                base: meta.base.clone(),
                evaluation: meta.evaluation.clone(),
                uncalibrated: meta.uncalibrated().map(|l| l.name.clone()).collect(),
                zero_shot: meta.zero_shot(),
            },
            device: device::name(model.devices()),
            precision: model.precision().name().into(),
            workers: options.batching.workers,
            batch_tokens: options.batching.tokens,
            min_confidence: options.min_confidence,
            inputs: inputs.iter().map(|p| p.display().to_string()).collect(),
            recognised: notes.recognised.clone(),
            outlets_renamed: notes
                .outlets
                .iter()
                .filter(|(found, used)| found != used)
                .map(|(found, used)| (found.clone(), used.clone()))
                .collect(),
            targets: Vec::new(),
            targets_discovered: false,
            counts,
            timing,
            alignment: None,
            n_skipped: notes.n_skipped,
            skipped: notes.skipped.clone(),
        }
    }

    /// The record with the run's targets.
    pub fn with_targets(mut self, targets: &[Target], discovered: bool) -> Self {
        self.targets = targets.iter().map(|t| t.name.clone()).collect();
        self.targets_discovered = discovered;
        self
    }

    /// Writes `run.json` into a folder.
    ///
    /// # Errors
    /// If it cannot be written.
    pub fn write(&self, dir: &Path) -> Result<()> {
        let path = dir.join("run.json");
        let json =
            serde_json::to_string_pretty(self).map_err(|e| Error::table(path.display(), e))?;
        write_whole(&path, json.as_bytes())
    }

    /// Reads `run.json` from a folder.
    ///
    /// # Errors
    /// If there is none, or it is not this version's.
    pub fn read(dir: &Path) -> Result<Self> {
        let path = dir.join("run.json");
        let json = std::fs::read(&path).map_err(|e| Error::io(&path, e))?;
        serde_json::from_slice(&json).map_err(|e| {
            Error::input(path.display(), format!("this is no run record: {e}"))
                .with_hint("score the corpus again with this version of parallax")
        })
    }
}
