//! A recipe: everything that a training run depends on, as a TOML file, so that one
//! command repeats it.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::error::{Error, Result};
use crate::model::{Codebook, PrecisionChoice};

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
    /// The encoder whose sentence vectors are kept (`keep_vectors`), if not the base's own: a
    /// folder, or a Hub id. `--vectors-of` overrides it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub vectors_of: Option<String>,
    /// A recipe, relative to this one, whose result is the base instead: training goes on from
    /// its encoder and its layers.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub after: Option<PathBuf>,
    /// Only the lowest so many blocks of the base, for a smaller and quicker model: the lower blocks of
    /// a fine-tuned encoder keep most of what it knows (Sajjad et al. 2023, "On the effect of dropping
    /// layers of pre-trained transformer models").
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub blocks: Option<usize>,
    /// Keep the weights in 8 bits and the word table in 4, at a quarter to a half of the size. A base
    /// that is kept so stays so.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub compact: bool,
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
    /// What is learnt from a teacher.
    #[serde(default, skip_serializing_if = "Distillation::is_none")]
    pub distillation: Distillation,
    /// The stage before the layers are trained, for few sentences.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub contrast: Option<Contrast>,
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
    /// Passes over the data. With 0 nothing is trained: the base, a bundle with these layers, is
    /// calibrated anew on the part kept apart, and with `keep_vectors` and `vectors_of` the map of
    /// its sentence vectors is fitted anew.
    pub epochs: usize,
    /// Sentences in a step.
    pub batch_size: usize,
    /// Highest learning rate of the encoder's last block; 0 leaves the encoder as it is, which
    /// is quick, for it then reads every sentence only once.
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
    /// Weight of keeping the base encoder's sentence vectors, so that alignment can still tell
    /// paraphrases; 0 lets them go.
    pub keep_vectors: f64,
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
            keep_vectors: 0.0,
            interpolate: 1.0,
            patience: 2,
        }
    }
}

/// What is learnt from a teacher (`--teacher`), a model that is better and slower.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Distillation {
    /// Articles whose sentences the teacher labels, relative to `--data`, as `score` reads them.
    pub unlabelled: Vec<PathBuf>,
    /// Sentences of them that are used at most, drawn by a hash of their text.
    pub sentences: usize,
    /// Another number draws other sentences.
    pub draw: u64,
    /// Names that are taken for targets in them: the most frequent.
    pub targets: usize,
    /// Of several teachers those are not heard on a layer whose F1 on their development part is
    /// further than this below the best one's.
    pub margin: f64,
    /// Weight of the teacher's probabilities against people's labels.
    pub weight: f64,
    /// Weight of the (first) teacher's token vectors, see the module `hints`; 0 for none. They are held
    /// in memory: 1.5 kB a token for a teacher of width 768.
    pub hints: f64,
    /// What the teachers run in. 8-bit weights answer in about half the time.
    pub precision: PrecisionChoice,
}

impl Default for Distillation {
    fn default() -> Self {
        Distillation {
            unlabelled: Vec::new(),
            sentences: 50_000,
            draw: 0,
            targets: 1000,
            margin: 0.04,
            weight: 1.0,
            hints: 0.0,
            precision: PrecisionChoice::Auto,
        }
    }
}

impl Distillation {
    fn is_none(&self) -> bool {
        self.unlabelled.is_empty()
    }
}

/// Learning from few sentences: before the layers are trained, the encoder learns to place
/// sentences with the same label together. See the module `contrast`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Contrast {
    /// Pairs of each sort for every sentence. Left open: 5 where the base's vectors tell the labels
    /// apart already, 20 where they do not.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pairs: Option<usize>,
    /// Highest learning rate of the encoder in this stage.
    pub rate: f64,
    /// Pairs in a step.
    pub batch_size: usize,
}

impl Default for Contrast {
    fn default() -> Self {
        Contrast { pairs: None, rate: 2e-5, batch_size: 16 }
    }
}

/// What is kept apart to choose the best epoch and to calibrate.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Dev {
    /// Share of the documents, drawn by a hash of their names.
    pub share: f64,
    /// Train once more, on this part as well, for as many epochs as did best. The
    /// calibration and the figures stay those of the first time.
    pub refit: bool,
}

impl Default for Dev {
    fn default() -> Self {
        Dev { share: 0.08, refit: false }
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
    /// The file, relative to `--data` or else to the recipe.
    pub path: PathBuf,
    /// The articles that its rows point into, if they are stand-off labels: see
    /// [`read_standoff`](super::data::read_standoff). A file or folder, found like `path`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub articles: Option<PathBuf>,
    /// A second annotator's answers to some of its rows, told by `id`, found like `path`. Where
    /// the two differ both count as right, or, in a multi layer, the label as neither right nor
    /// wrong.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub second: Option<PathBuf>,
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

/// Labelled files below this size hold few sentences: some five hundred.
const FEW_BYTES: u64 = 150_000;

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
        let codebook =
            Codebook::open(&path.parent().unwrap_or(Path::new(".")).join(&recipe.codebook))?;
        recipe.validate(&codebook, path)?;
        Ok((recipe, codebook))
    }

    fn validate(&self, codebook: &Codebook, path: &Path) -> Result<()> {
        let wrong = |message: String| Err(Error::model(path.display(), message));
        let o = &self.optimizer;
        if o.batch_size == 0 || self.max_length < 8 {
            return wrong("batch_size must be at least 1, max_length at least 8".into());
        }
        if !(0.01..=0.5).contains(&self.dev.share) {
            return wrong(format!("dev.share is {}, it must be 0.01 to 0.5", self.dev.share));
        }
        if !(0.0..1.0).contains(&o.dropout) || !(0.0..1.0).contains(&o.label_smoothing) {
            return wrong("dropout and label_smoothing must be 0 to below 1".into());
        }
        if !(o.encoder_rate >= 0.0 && o.head_rate > 0.0) {
            return wrong("encoder_rate must not be below 0, head_rate must be above".into());
        }
        let d = &self.distillation;
        if !(o.keep_vectors >= 0.0 && d.weight >= 0.0 && d.hints >= 0.0) {
            return wrong("keep_vectors and distillation's weights must not be below 0".into());
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

    /// A recipe for labelled sentences without one: on the built-in model's encoder, with
    /// settings by the size of the files (relative to `data`). With few sentences there is a stage
    /// of pairs before.
    ///
    /// # Errors
    /// If a file cannot be read.
    pub fn for_codebook(
        codebook: &Codebook,
        path: &Path,
        labelled: &[PathBuf],
        data: &Path,
    ) -> Result<Self> {
        let mut bytes = 0;
        for file in labelled {
            let file = data.join(file);
            bytes += std::fs::metadata(&file).map_err(|e| Error::io(&file, e))?.len();
        }
        let few = bytes < FEW_BYTES;
        let optimizer = if few {
            Optimizer { epochs: 20, encoder_rate: 0.0, patience: 10, ..Optimizer::default() }
        } else {
            Optimizer { encoder_rate: 6e-5, freeze_words: true, ..Optimizer::default() }
        };
        let source = |path: &PathBuf| Source {
            path: path.clone(),
            articles: None,
            second: None,
            document_pattern: None,
            share: 1.0,
        };
        Ok(Recipe {
            name: codebook.name.clone(),
            version: "0.1.0".into(),
            base: "default".into(),
            licence: "not stated".into(),
            vectors_of: None,
            after: None,
            blocks: None,
            compact: false,
            codebook: path.to_owned(),
            max_length: defaults::max_length(),
            seed: 0,
            optimizer,
            dev: Dev { share: if few { 0.2 } else { 0.1 }, refit: few },
            layers: BTreeMap::new(),
            distillation: Distillation::default(),
            contrast: few.then(Contrast::default),
            data: labelled.iter().map(source).collect(),
            held_out: Vec::new(),
        })
    }

    /// Trains the layers alone, and the encoder in no stage.
    pub fn leave_encoder(&mut self) {
        if !self.is_frozen() {
            self.optimizer.epochs = self.optimizer.epochs.max(30);
        }
        self.optimizer.encoder_rate = 0.0;
        self.contrast = None;
    }

    /// Trains the encoder with the layers that are added, gently, and keeps its vectors.
    pub fn train_encoder(&mut self) {
        if self.is_frozen() {
            self.optimizer.epochs = self.optimizer.epochs.min(5);
            self.optimizer.encoder_rate = 3e-5;
        }
        self.optimizer.keep_vectors = self.optimizer.keep_vectors.max(1.0);
        self.contrast = None;
        // Calibration and agreement are those of the weights that are kept.
        self.dev.refit = false;
    }

    /// Whether the encoder stays as it is and the layers alone are trained.
    pub fn is_frozen(&self) -> bool {
        self.optimizer.encoder_rate == 0.0
    }

    /// The settings of a layer, or the defaults.
    pub fn layer(&self, name: &str) -> LayerSettings {
        self.layers.get(name).cloned().unwrap_or_default()
    }
}
