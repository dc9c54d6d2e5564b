//! The bundle: a model as a folder on disk.
//!
//! `config.json`, `tokenizer.json` and `model.safetensors` are as on the Hub;
//! `parallax.toml` ([`Meta`]) says what the outputs mean and how they were calibrated.
//! Only safetensors are read, never a pickle.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::path::Path;

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::calibration::Calibration;
use super::checkpoint::Questions;
use super::codebook::{Codebook, Layer};
use super::hub::{Files, MOST_CONFIG, MOST_TOKENIZER, MOST_WEIGHTS};
use crate::error::{Error, Result};

/// The version of `parallax.toml` that this library writes and reads.
pub const FORMAT: u32 = 1;

/// Name of the file that makes a folder a bundle.
pub(super) const META: &str = "parallax.toml";

/// What `parallax.toml` says of a model.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Meta {
    /// Version of this file's layout; see [`FORMAT`].
    pub format: u32,
    /// Short name of the model.
    pub name: String,
    /// Version of the model.
    pub version: String,
    /// The encoder that it was fine-tuned from.
    pub base: String,
    /// Licence of the weights.
    pub licence: String,
    /// Longest input in tokens, special tokens included; longer sentences are windowed.
    pub max_length: usize,
    /// SHA-256 of `model.safetensors`, in hexadecimal.
    pub weights_sha256: String,
    /// The most that a layer's macro-F1 was measured to lose by 8-bit weights, as a share
    /// (0.004 is 0.4 points); without it they are used only when asked for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub int8_loss: Option<f64>,
    /// What it was trained on and how, for people and for repeating it.
    #[serde(default)]
    pub training: toml::Table,
    /// For a checkpoint of the Hub that is asked as it is: the questions.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub checkpoint: Option<Questions>,
    /// Temperature and thresholds of each layer.
    pub calibration: BTreeMap<String, Calibration>,
    /// Figures reached, by data set and layer.
    #[serde(default)]
    pub evaluation: toml::Table,
    /// The layers and labels.
    pub codebook: Codebook,
}

impl Meta {
    /// The calibration of `layer`, or none.
    pub fn calibration(&self, layer: &Layer) -> Calibration {
        self.calibration.get(&layer.name).cloned().unwrap_or_else(|| Calibration::none(layer))
    }

    /// Layers whose probabilities are the model's own, neither fitted nor given thresholds on
    /// labelled sentences.
    pub fn uncalibrated(&self) -> impl Iterator<Item = &Layer> {
        self.codebook.layers.iter().filter(|l| !self.calibration.contains_key(&l.name))
    }

    /// Layers that are asked as hypotheses, with those.
    pub fn zero_shot(&self) -> BTreeMap<String, String> {
        let hypotheses = self.checkpoint.iter().flat_map(|q| &q.hypotheses);
        let layers = self.codebook.layers.iter().zip(hypotheses);
        layers.map(|(layer, hypothesis)| (layer.name.clone(), hypothesis.clone())).collect()
    }

    pub(super) fn validate(&self, place: &str) -> Result<()> {
        if self.format != FORMAT {
            return Err(Error::model(
                place,
                format!("parallax.toml has format {}, this program reads {FORMAT}", self.format),
            )
            .with_hint("use the parallax version that wrote it, or train it again"));
        }
        self.codebook.validate()?;
        if let Some(questions) = &self.checkpoint {
            questions.validate(&self.codebook, place)?;
        }
        if self.max_length < 8 {
            return Err(Error::model(place, "parallax.toml: max_length is below 8"));
        }
        for layer in &self.codebook.layers {
            let c = self.calibration(layer);
            let expected = Calibration::none(layer).thresholds.len();
            if !(c.temperature.is_finite() && c.temperature > 0.0) || c.thresholds.len() != expected
            {
                return Err(Error::model(
                    place,
                    format!("parallax.toml: the calibration of layer {:?} is unusable", layer.name),
                ));
            }
        }
        Ok(())
    }
}

/// A bundle's files in memory, checked but not yet on a device.
pub struct Bundle {
    /// What the outputs mean.
    pub meta: Meta,
    /// Where it came from, for messages.
    pub place: String,
    /// Contents of `config.json`.
    pub config: Cow<'static, [u8]>,
    /// Contents of `tokenizer.json`.
    pub tokenizer: Cow<'static, [u8]>,
    /// Contents of `model.safetensors`.
    pub weights: Cow<'static, [u8]>,
    /// Contents of `vectors.safetensors`, where there is one: see [`super::vectors`].
    pub vector_map: Option<Cow<'static, [u8]>>,
}

impl Bundle {
    /// Reads the bundle in the folder `dir` and checks its weights against the checksum.
    ///
    /// # Errors
    /// If a file is missing, the metadata is not understood or the weights are not those
    /// that the metadata names.
    pub fn open(dir: &Path) -> Result<Self> {
        let files = Files::in_folder(dir);
        match files.read(META, MOST_CONFIG)? {
            Some(meta) => Self::read(&files, &meta),
            None if dir.is_dir() => {
                Err(Error::model(files.place(), "the folder has no parallax.toml")
                    .with_hint("a bundle is made by `parallax train`"))
            }
            None => Err(Error::model(files.place(), "there is no such model folder")
                .with_hint("leave --model out for the built-in model, or give a bundle's folder")),
        }
    }

    /// Reads the bundle whose `parallax.toml` is `meta`.
    pub(super) fn read(files: &Files, meta: &[u8]) -> Result<Self> {
        let bundle = Self::from_parts(
            files.place().to_owned(),
            meta,
            files.require("config.json", MOST_CONFIG)?.into(),
            files.require("tokenizer.json", MOST_TOKENIZER)?.into(),
            files.require("model.safetensors", MOST_WEIGHTS)?.into(),
        )?;
        let vector_map = files.read(super::vectors::FILE, MOST_WEIGHTS)?;
        Ok(Bundle { vector_map: vector_map.map(Cow::from), ..bundle })
    }

    /// The default model that is compiled into the program.
    ///
    /// # Errors
    /// If the program was built without it.
    pub fn embedded() -> Result<Self> {
        #[cfg(feature = "embedded-model")]
        {
            macro_rules! file {
                ($name:literal) => {
                    include_bytes!(concat!(env!("CARGO_MANIFEST_DIR"), "/models/default/", $name))
                        as &'static [u8]
                };
            }
            let bundle = Self::from_parts(
                "built into the program".into(),
                file!("parallax.toml"),
                file!("config.json").into(),
                file!("tokenizer.json").into(),
                file!("model.safetensors").into(),
            )?;
            Ok(Bundle { vector_map: Some(file!("vectors.safetensors").into()), ..bundle })
        }
        #[cfg(not(feature = "embedded-model"))]
        Err(Error::setting("this build has no built-in model").with_hint("give --model FOLDER"))
    }

    fn from_parts(
        place: String,
        meta: &[u8],
        config: Cow<'static, [u8]>,
        tokenizer: Cow<'static, [u8]>,
        weights: Cow<'static, [u8]>,
    ) -> Result<Self> {
        let text = std::str::from_utf8(meta)
            .map_err(|e| Error::model(&place, format!("parallax.toml is not UTF-8: {e}")))?;
        let meta: Meta = toml::from_str(text)
            .map_err(|e| Error::model(&place, format!("parallax.toml: {e}")))?;
        meta.validate(&place)?;
        let found = sha256_hex(&weights);
        if found != meta.weights_sha256 {
            return Err(Error::model(
                &place,
                format!(
                    "model.safetensors is corrupt: its SHA-256 is {found}, parallax.toml says {}",
                    meta.weights_sha256
                ),
            )
            .with_hint("copy the bundle again"));
        }
        Ok(Bundle { meta, place, config, tokenizer, weights, vector_map: None })
    }

    /// Writes the bundle into the folder `dir`, made if need be; each file appears whole
    /// or not at all.
    ///
    /// # Errors
    /// If a file cannot be written.
    pub fn write(&self, dir: &Path) -> Result<()> {
        std::fs::create_dir_all(dir).map_err(|e| Error::io(dir, e))?;
        let meta = toml::to_string(&self.meta)
            .map_err(|e| Error::model(dir.display(), format!("cannot write parallax.toml: {e}")))?;
        crate::files::write_whole(&dir.join("config.json"), &self.config)?;
        crate::files::write_whole(&dir.join("tokenizer.json"), &self.tokenizer)?;
        crate::files::write_whole(&dir.join("model.safetensors"), &self.weights)?;
        if let Some(map) = &self.vector_map {
            crate::files::write_whole(&dir.join(super::vectors::FILE), map)?;
        }
        crate::files::write_whole(&dir.join("parallax.toml"), meta.as_bytes())
    }

    /// A short hash that names the model's behaviour: weights and metadata together.
    pub fn hash(&self) -> String {
        let meta = toml::to_string(&self.meta).unwrap_or_default();
        sha256_hex(format!("{}{meta}", self.meta.weights_sha256).as_bytes())[..16].to_owned()
    }
}

/// SHA-256 in hexadecimal.
pub fn sha256_hex(data: &[u8]) -> String {
    hex(&Sha256::digest(data))
}

/// Bytes in hexadecimal.
pub(super) fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|b| format!("{b:02x}")).collect()
}

/// Reads a whole file, if it has at most so many bytes.
pub(super) fn read_at_most(path: &Path, most: u64) -> Result<Vec<u8>> {
    use std::io::Read;
    let io = |e| Error::io(path, e);
    let file = std::fs::File::open(path).map_err(io)?;
    let size = file.metadata().map_err(io)?.len();
    let mut contents = Vec::new();
    if size <= most {
        contents.reserve_exact(usize::try_from(size).unwrap_or_default());
        // It may grow meanwhile.
        file.take(most + 1).read_to_end(&mut contents).map_err(io)?;
    }
    if size > most || contents.len() as u64 > most {
        let message = format!("the file has more than the {most} bytes that are read");
        return Err(Error::model(path.display(), message));
    }
    Ok(contents)
}
