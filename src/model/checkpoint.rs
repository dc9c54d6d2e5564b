//! From a checkpoint of the Hub, or a folder in its layout, to a bundle.
//!
//! What holds a `parallax.toml` is a bundle and opened as one. Anything else that is a sequence
//! classifier becomes a bundle in memory: a codebook of one layer made from its labels, or one
//! layer for each hypothesis that it is asked. Nothing in it is calibrated, and tables and
//! reports say so.

use std::collections::BTreeMap;
use std::path::Path;
use std::str::FromStr;

use safetensors::SafeTensors;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::bundle::{Bundle, FORMAT, META, Meta, sha256_hex};
use super::classifier::{self, usable_name};
use super::codebook::{Codebook, Layer, LayerKind};
use super::hub::{Files, MOST_CONFIG, MOST_TOKENIZER, MOST_WEIGHTS, Settings};
use crate::error::{Error, Result};

/// What stands in a hypothesis for the words of a mention.
pub const TARGET: &str = "{target}";

/// Sentences longer than this are windowed, however many tokens a checkpoint takes: attention
/// over more costs much and was not trained on sentences.
const LONGEST: usize = 512;
/// Most files that weights come in.
const MOST_SHARDS: usize = 256;

const SAFE: &str = "model.safetensors";
const INDEX: &str = "model.safetensors.index.json";

/// What a checkpoint is asked, as `parallax.toml` records it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Questions {
    /// A hypothesis for each layer of the codebook; empty where the one layer is what the
    /// checkpoint was trained for.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub hypotheses: Vec<String>,
}

impl Questions {
    /// Checks that they go with the codebook.
    pub(super) fn validate(&self, codebook: &Codebook, place: &str) -> Result<()> {
        let wrong = |message: &str| Err(Error::model(place, format!("parallax.toml: {message}")));
        let layers = &codebook.layers;
        if self.hypotheses.is_empty() {
            if layers.len() != 1 || layers.iter().any(|l| l.kind == LayerKind::Target) {
                return wrong("a checkpoint without hypotheses has one layer, and none of targets");
            }
        } else if self.hypotheses.len() != layers.len()
            || layers.iter().zip(&self.hypotheses).any(|(l, h)| l.kind != kind(h))
        {
            return wrong("its hypotheses are not those of its layers");
        }
        Ok(())
    }
}

/// The kind of layer that a hypothesis makes.
fn kind(hypothesis: &str) -> LayerKind {
    if hypothesis.contains(TARGET) { LayerKind::Target } else { LayerKind::Single }
}

/// A statement that a checkpoint is asked to find in each sentence, such as
/// `critical=The sentence is critical of {target}`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Hypothesis {
    /// The layer's name, where one was given.
    pub name: Option<String>,
    /// The statement; `{target}` stands for the words of a mention.
    pub text: String,
}

impl FromStr for Hypothesis {
    type Err = Error;

    fn from_str(given: &str) -> Result<Self> {
        let (name, text) = match given.split_once('=') {
            Some((name, text)) if usable_name(name.trim()).as_deref() == Some(name.trim()) => {
                (Some(name.trim().to_owned()), text)
            }
            _ => (None, given),
        };
        let text = text.trim().to_owned();
        if text.replace(TARGET, "").chars().any(char::is_alphabetic) {
            return Ok(Hypothesis { name, text });
        }
        Err(Error::setting(format!("{given:?} is no statement")).with_hint(
            "write NAME=TEXT, such as critical=\"The sentence is critical of {target}\"",
        ))
    }
}

/// What is made of a checkpoint without a codebook.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct CheckpointOptions {
    /// Name of its layer; by default made from the model's.
    pub layer_name: Option<String>,
    /// Statements to look for, one layer each, in place of the layer it was trained for.
    pub hypotheses: Vec<Hypothesis>,
    /// Whether a bundle, which has a codebook, is opened in spite of them.
    pub ignored_by_bundles: bool,
}

impl Bundle {
    /// Opens a model by its name: `default` for the one built in, a folder, or `ORG/NAME[@REV]`
    /// of the Hub; the folder or repository holds a bundle or a checkpoint of transformers.
    ///
    /// # Errors
    /// If there is no such model, a file of it is missing or damaged, or it is of a kind that is
    /// not read.
    pub fn find(
        model: &str,
        options: &CheckpointOptions,
        settings: impl FnOnce() -> Result<Settings>,
    ) -> Result<Self> {
        if model == "default" && !Path::new(model).is_dir() {
            options.refuse_for("the built-in model")?;
            return Self::embedded();
        }
        let files = Files::open(model, settings)?;
        if let Some(meta) = files.read(META, MOST_CONFIG)? {
            options.refuse_for(files.place())?;
            return Self::read(&files, &meta);
        }
        from_checkpoint(&files, options)
    }
}

impl Bundle {
    /// Opens a model by its name as [`Bundle::find`] does, with the environment's settings and
    /// nothing asked.
    ///
    /// # Errors
    /// As for [`Bundle::find`].
    pub fn named(model: &str) -> Result<Self> {
        Self::find(model, &CheckpointOptions::default(), Settings::from_env)
    }
}

impl CheckpointOptions {
    /// Refuses options that a bundle has no use for.
    fn refuse_for(&self, place: &str) -> Result<()> {
        let given = self.layer_name.is_some() || !self.hypotheses.is_empty();
        if self.ignored_by_bundles || !given {
            return Ok(());
        }
        Err(Error::setting(format!("{place} has a codebook of its own"))
            .with_hint("leave --layer-name and --hypothesis out; they are for checkpoints without"))
    }
}

/// A bundle in memory of a checkpoint's files.
fn from_checkpoint(files: &Files, options: &CheckpointOptions) -> Result<Bundle> {
    let place = files.place().to_owned();
    let json = files.read("config.json", MOST_CONFIG)?.ok_or_else(|| {
        Error::model(
            &place,
            "it holds neither a bundle (parallax.toml) nor a checkpoint (config.json)",
        )
        .with_hint("a bundle is made by `parallax train`")
    })?;
    let family = classifier::Config::parse(&json, &place)?;
    let config: Value = serde_json::from_slice(&json)
        .map_err(|e| Error::model(&place, format!("config.json is no JSON: {e}")))?;
    let tokenizer = tokenizer(files)?;
    let weights = weights(files)?;
    let (name, version) = match files.commit() {
        Some((id, commit)) => (id.name().to_owned(), commit.to_owned()),
        None => {
            let dir = Path::new(&place).canonicalize().unwrap_or_default();
            let name = dir.file_name().map(|n| n.to_string_lossy().into_owned());
            (name.unwrap_or_else(|| place.clone()), sha256_hex(&weights)[..12].to_owned())
        }
    };
    let layer_name = match &options.layer_name {
        Some(name) => name.clone(),
        None => {
            let last = name.rsplit('/').next().unwrap_or_default();
            usable_name(last).unwrap_or_else(|| "label".into())
        }
    };
    let layer = classifier::layer(&config, &layer_name, &place)?;
    let (layers, questions) = asked(layer, &options.hypotheses, &name, &place)?;
    let text = |field: &str| config.get(field).and_then(Value::as_str).map(str::to_owned);
    let meta = Meta {
        format: FORMAT,
        codebook: Codebook { name: name.clone(), layers },
        name,
        version,
        base: text("_name_or_path")
            .filter(|base| !base.is_empty())
            .or_else(|| text("model_type"))
            .unwrap_or_default(),
        licence: licence(files)?,
        max_length: family.longest().min(LONGEST),
        weights_sha256: sha256_hex(&weights),
        int8_loss: None,
        training: toml::Table::new(),
        checkpoint: Some(questions),
        calibration: BTreeMap::new(),
        evaluation: toml::Table::new(),
    };
    meta.validate(&place)?;
    Ok(Bundle {
        meta,
        place,
        config: json.into(),
        tokenizer: tokenizer.into(),
        weights: weights.into(),
        vector_map: None,
    })
}

/// The layers of a checkpoint whose own layer is `own`, and what it is asked.
fn asked(
    mut own: Layer,
    hypotheses: &[Hypothesis],
    model: &str,
    place: &str,
) -> Result<(Vec<Layer>, Questions)> {
    if hypotheses.is_empty() {
        own.description = format!("As {model} gives it; not calibrated.");
        return Ok((vec![own], Questions::default()));
    }
    if own.kind != LayerKind::Single {
        return Err(Error::model(place, "it gives several labels at once, which is no entailment")
            .with_hint("hypotheses need a model that was trained on pairs of texts (NLI)"));
    }
    let several = hypotheses.iter().filter(|h| h.name.is_none()).count() > 1;
    let mut unnamed = 0;
    let layers = hypotheses
        .iter()
        .map(|hypothesis| {
            let name = hypothesis.name.clone().unwrap_or_else(|| {
                unnamed += 1;
                if several { format!("hypothesis_{unnamed}") } else { "hypothesis".into() }
            });
            let text = &hypothesis.text;
            let description = format!(
                "Zero-shot, by {model}: does {text:?} follow from the sentence? Not calibrated."
            );
            Layer { name, kind: kind(text), description, ..own.clone() }
        })
        .collect();
    let hypotheses = hypotheses.iter().map(|h| h.text.clone()).collect();
    Ok((layers, Questions { hypotheses }))
}

/// The contents of `tokenizer.json`.
///
/// # Errors
/// If there is none.
pub(super) fn tokenizer(files: &Files) -> Result<Vec<u8>> {
    files.read("tokenizer.json", MOST_TOKENIZER)?.ok_or_else(|| {
        files.missing("tokenizer.json").with_hint(
            "transformers makes one: AutoTokenizer.from_pretrained(MODEL).save_pretrained(FOLDER); \
             put it beside the model's other files and give the folder",
        )
    })
}

/// The weights as one `model.safetensors`; those that come in several files are put together.
///
/// # Errors
/// If there are none, or only a pickle.
pub(super) fn weights(files: &Files) -> Result<Vec<u8>> {
    if let Some(weights) = files.read(SAFE, MOST_WEIGHTS)? {
        return Ok(weights);
    }
    if let Some(index) = files.read(INDEX, MOST_CONFIG)? {
        return joined(files, &index);
    }
    for pickle in ["pytorch_model.bin", "pytorch_model.bin.index.json"] {
        if files.has(pickle)? {
            return Err(Error::model(
                files.place(),
                "its weights are a pickle (pytorch_model.bin), which can run code and is not read",
            )
            .with_hint(
                "look for a revision with model.safetensors (such as @refs/pr/1), or write one \
                 with transformers: AutoModelForSequenceClassification.from_pretrained(MODEL)\
                 .save_pretrained(FOLDER)",
            ));
        }
    }
    Err(files.missing(SAFE))
}

/// Where each tensor is, in weights that come in several files.
#[derive(Deserialize)]
struct Index {
    weight_map: BTreeMap<String, String>,
}

/// Puts the files of an index together.
fn joined(files: &Files, index: &[u8]) -> Result<Vec<u8>> {
    let wrong = |message: String| Error::model(files.place(), message);
    let index: Index = serde_json::from_slice(index).map_err(|e| wrong(format!("{INDEX}: {e}")))?;
    let names: std::collections::BTreeSet<&String> = index.weight_map.values().collect();
    if names.len() > MOST_SHARDS {
        return Err(wrong(format!("its weights come in {} files", names.len())));
    }
    let mut left = MOST_WEIGHTS;
    let mut shards = Vec::new();
    for name in names {
        let shard = files.require(name, left)?;
        left = left.saturating_sub(shard.len() as u64);
        shards.push((name, shard));
    }
    let mut tensors = Vec::new();
    for (name, shard) in &shards {
        let parsed = SafeTensors::deserialize(shard).map_err(|e| wrong(format!("{name}: {e}")))?;
        // A tensor that stands in several files counts where the index says.
        let here =
            parsed.tensors().into_iter().filter(|(t, _)| index.weight_map.get(t) == Some(*name));
        tensors.extend(here);
    }
    if tensors.len() < index.weight_map.len() {
        return Err(wrong(format!("{INDEX} names tensors that are in none of its files")));
    }
    safetensors::serialize(tensors, None).map_err(|e| wrong(format!("its weights: {e}")))
}

/// The licence that the model's card states.
fn licence(files: &Files) -> Result<String> {
    let unknown = || "not stated".to_owned();
    let Ok(Some(card)) = files.read("README.md", MOST_CONFIG) else { return Ok(unknown()) };
    let card = String::from_utf8_lossy(&card);
    let front = card.strip_prefix("---").and_then(|rest| rest.split_once("\n---")).map(|(f, _)| f);
    let stated = front.into_iter().flat_map(str::lines).find_map(|l| l.strip_prefix("license:"));
    let stated = stated.map(|l| l.trim().trim_matches(['"', '\'']));
    Ok(stated.filter(|l| (1..64).contains(&l.len())).map_or_else(unknown, str::to_owned))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hypotheses_are_read_with_and_without_a_name() {
        let read = |text: &str| text.parse::<Hypothesis>();
        let named = read("critical = It is critical of {target}").expect("it is one");
        assert_eq!(named.name.as_deref(), Some("critical"));
        assert_eq!(named.text, "It is critical of {target}");
        assert_eq!(kind(&named.text), LayerKind::Target);
        // An equals sign in a statement names nothing.
        let formula = read("It says that a = b").expect("it is one");
        assert_eq!((formula.name, formula.text.as_str()), (None, "It says that a = b"));
        for wrong in ["", "critical=", "{target}", "x={target} 1"] {
            assert!(read(wrong).is_err_and(|e| e.hint().is_some()), "{wrong}");
        }
    }

    #[test]
    fn licences_are_taken_from_the_card() {
        let dir = tempfile::tempdir().expect("a folder");
        let stated = |card: &str| {
            std::fs::write(dir.path().join("README.md"), card).expect("it is written");
            licence(&Files::in_folder(dir.path())).expect("it is read")
        };
        assert_eq!(stated("---\nlanguage: en\nlicense: \"mit\"\n---\n# A model"), "mit");
        assert_eq!(stated("# A model\nlicense: mit"), "not stated");
    }
}
