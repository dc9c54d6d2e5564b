//! A recipe: everything that a training run depends on, as a TOML file, so that one
//! command repeats it.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::error::{Error, Result};
use crate::model::Codebook;

/// A training run as data.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Recipe {
    /// Name of the model to be made.
    pub name: String,
    /// Its version.
    pub version: String,
    /// Base encoder: a folder, or a Hub id `ORG/NAME`. `--base` overrides it.
    pub base: String,
    /// Licence of the weights to be made.
    pub licence: String,
    /// A recipe, relative to this one, whose result is the base instead: training goes on from
    /// its encoder and its layers.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub after: Option<PathBuf>,
    /// The codebook's file, relative to the recipe.
    pub codebook: PathBuf,
    /// Longest input in tokens, special tokens included.
    #[serde(default = "defaults::max_length")]
    pub max_length: usize,
    /// Seed of everything random.
    #[serde(default)]
    pub seed: u64,
    /// How the weights are fitted.
    #[serde(default)]
    pub optimizer: Optimizer,
    /// What is kept apart to choose the best epoch and to calibrate.
    #[serde(default)]
    pub dev: Dev,
    /// Settings of single layers, by name.
    #[serde(default, rename = "layer")]
    pub layers: BTreeMap<String, LayerSettings>,
    /// Labelled data.
    pub data: Vec<Source>,
    /// Test data: none of its documents and none of its sentences is trained on.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub held_out: Vec<Source>,
}

/// How the weights are fitted: AdamW (Loshchilov and Hutter 2019) with linear warm-up and decay.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Optimizer {
    /// Passes over the data.
    pub epochs: usize,
    /// Sentences in a step.
    pub batch_size: usize,
    /// Highest learning rate of the encoder's last block.
    pub encoder_rate: f64,
    /// The rate of each block is this times that of the block above (Howard and Ruder 2018); 1 for none.
    pub layer_decay: f64,
    /// Highest learning rate of the heads.
    pub head_rate: f64,
    /// Decoupled weight decay, on matrices only.
    pub weight_decay: f64,
    /// Share of the steps in which the rate rises.
    pub warmup: f64,
    /// Dropout after the embeddings, the blocks' sub-layers and in the heads.
    pub dropout: f32,
    /// Largest norm of a step's gradient.
    pub clip: f64,
    /// Probability mass spread over all labels of a single or target layer (Szegedy et al. 2016).
    pub label_smoothing: f32,
    /// Leave the word table as it is: a quicker step, and rare words keep their places.
    pub freeze_words: bool,
    /// Leave the embeddings and the lowest so many blocks as they are: they know words and
    /// grammar, and a step costs less.
    pub freeze_blocks: usize,
    /// How far the result goes from the weights that training began with to those that it
    /// ended with (Wortsman et al. 2022, weight-space ensembles): 1 all the way, 0.5 the average.
    pub interpolate: f64,
    /// Stop after this many epochs without a better dev score; 0 never stops early.
    pub patience: usize,
}

impl Default for Optimizer {
    fn default() -> Self {
        Optimizer {
            epochs: 5,
            batch_size: 32,
            encoder_rate: 1e-4,
            layer_decay: 1.0,
            head_rate: 1e-3,
            weight_decay: 0.01,
            warmup: 0.06,
            dropout: 0.1,
            clip: 1.0,
            label_smoothing: 0.05,
            freeze_words: false,
            freeze_blocks: 0,
            interpolate: 1.0,
            patience: 2,
        }
    }
}

/// What is kept apart to choose the best epoch and to calibrate.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Dev {
    /// Share of the documents, drawn by a hash of their names.
    pub share: f64,
}

impl Default for Dev {
    fn default() -> Self {
        Dev { share: 0.08 }
    }
}

/// Settings of one layer.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct LayerSettings {
    /// Weight of this layer's loss in the sum.
    pub weight: f32,
    /// Single and target layers: a label's loss is weighted by the inverse of its share,
    /// but by no more than this times the weight of the most frequent label.
    pub max_class_weight: f32,
    /// Multi layers: weight of the labels that a sentence has against those it has not.
    pub positive_weight: f32,
}

impl Default for LayerSettings {
    fn default() -> Self {
        LayerSettings { weight: 1.0, max_class_weight: 1.0, positive_weight: 1.0 }
    }
}

/// A file of labelled sentences.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Source {
    /// The file, relative to `--data`.
    pub path: PathBuf,
    /// A regular expression whose first group, or whole match, cuts the document's name out of
    /// the field `document` or, where rows have none, `id`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub document_pattern: Option<String>,
    /// Share of the file's documents that is used, drawn by a hash of their names.
    #[serde(default = "defaults::all", skip_serializing_if = "is_all")]
    pub share: f64,
}

fn is_all(share: &f64) -> bool {
    *share >= 1.0
}

mod defaults {
    pub fn max_length() -> usize {
        128
    }

    pub fn all() -> f64 {
        1.0
    }
}

impl Recipe {
    /// Reads a recipe and the codebook that it names.
    ///
    /// # Errors
    /// If a file is missing or not of the right shape, or a setting makes no sense.
    pub fn open(path: &Path) -> Result<(Self, Codebook)> {
        let text = std::fs::read_to_string(path).map_err(|e| Error::io(path, e))?;
        let recipe: Recipe =
            toml::from_str(&text).map_err(|e| Error::model(path.display(), e.to_string()))?;
        let codebook_path = path.parent().unwrap_or(Path::new(".")).join(&recipe.codebook);
        let codebook =
            std::fs::read_to_string(&codebook_path).map_err(|e| Error::io(&codebook_path, e))?;
        let codebook = Codebook::from_toml(&codebook)?;
        recipe.validate(&codebook, path)?;
        Ok((recipe, codebook))
    }

    fn validate(&self, codebook: &Codebook, path: &Path) -> Result<()> {
        let wrong = |message: String| Err(Error::model(path.display(), message));
        let o = &self.optimizer;
        if o.epochs == 0 || o.batch_size == 0 || self.max_length < 8 {
            return wrong("epochs and batch_size must be at least 1, max_length at least 8".into());
        }
        if !(0.01..=0.5).contains(&self.dev.share) {
            return wrong(format!("dev.share is {}, it must be 0.01 to 0.5", self.dev.share));
        }
        if !(0.0..1.0).contains(&o.dropout) || !(0.0..1.0).contains(&o.label_smoothing) {
            return wrong("dropout and label_smoothing must be 0 to below 1".into());
        }
        if !(0.0..=1.0).contains(&o.interpolate) {
            return wrong(format!("interpolate is {}, it must be 0 to 1", o.interpolate));
        }
        for source in self.data.iter().chain(&self.held_out) {
            if !(source.share > 0.0 && source.share <= 1.0) {
                return wrong(format!(
                    "{}: share is {}, it must be above 0 and at most 1",
                    source.path.display(),
                    source.share
                ));
            }
        }
        for name in self.layers.keys() {
            if codebook.layer(name).is_none() {
                return wrong(format!(
                    "there are settings for layer {name:?}, which the codebook has not"
                ));
            }
        }
        Ok(())
    }

    /// The settings of a layer, or the defaults.
    pub fn layer(&self, name: &str) -> LayerSettings {
        self.layers.get(name).cloned().unwrap_or_default()
    }
}
