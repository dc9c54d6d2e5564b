//! The model: a bundle on disk, its encoder and layers in candle, devices and the Hub.
//! Knows nothing of articles or outlets.

mod backbone;
pub mod bundle;
pub mod calibration;
pub mod checkpoint;
mod classifier;
pub mod codebook;
mod context;
pub mod device;
pub mod encoder;
pub mod explain;
pub mod heads;
pub mod hub;
mod pairs;
pub mod precision;
pub mod predict;
pub mod sentence;
mod vectors;
pub mod weights;
pub mod words;

use std::collections::BTreeMap;
use std::ops::Range;

use candle_core::{DType, Device, Tensor};
use candle_nn::VarBuilder;

pub use bundle::{Bundle, Meta};
pub use calibration::{Calibration, Scores};
pub use checkpoint::{Hypothesis, Questions};
pub use codebook::{Codebook, Layer, LayerKind};
pub use precision::{Precision, PrecisionChoice};
pub use weights::load_weights;

use crate::error::{Error, Result};
use crate::text::tokens::Tokenizer;
use backbone::Backbone;
use classifier::{ClassifierHead, Parts};
use encoder::inference::Inference;
use encoder::ops::dropout::Dropout;
use encoder::{Encoder, EncoderConfig, Packed, Parameters};
use heads::Head;
use pairs::Pairs;
use weights::Storage;

/// A model ready to run on a device: tokenizer, encoder and a head for each layer.
pub struct Model {
    /// What the outputs mean and how they are calibrated.
    pub meta: Meta,
    /// The tokenizer front end.
    pub tokenizer: Tokenizer,
    backbone: Backbone,
    /// One for each layer of the codebook, in order; none where there is a `classifier`.
    heads: Vec<Head>,
    /// The one head of a checkpoint of the Hub.
    classifier: Option<ClassifierHead>,
    /// What such a checkpoint is asked about each sentence, where it reads two texts together.
    pairs: Option<Pairs>,
    /// Undoes what fine-tuning did to the sentence vectors.
    vector_map: Option<vectors::VectorMap>,
    device: Device,
    precision: Precision,
    storage: Storage,
    /// The same model on further GPUs.
    twins: Vec<Model>,
}

/// One piece of text for the encoder: a sentence, or a window of a long one; or one of these
/// with a second text.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash)]
pub struct Unit {
    /// Token ids with the special tokens around them.
    pub ids: Vec<u32>,
    /// Type of each token, which tells two texts apart; empty where all are of the first.
    pub types: Vec<u32>,
    /// Mentions of targets, as non-empty ranges of tokens in `ids`.
    pub mentions: Vec<Range<usize>>,
}

/// What the model makes of a [`Unit`].
#[derive(Debug, Clone, PartialEq)]
pub struct Prediction {
    /// Logits of each single or multi layer, in codebook order.
    pub layers: Vec<Vec<f32>>,
    /// For each mention, logits of each target layer in codebook order.
    pub mentions: Vec<Vec<Vec<f32>>>,
    /// Mean of the tokens' vectors: the sentence vector.
    pub vector: Vec<f32>,
}

/// What the heads read of a batch.
pub struct Features {
    /// First token beside the mean of all tokens: (units, 2 · width).
    pub sentences: Tensor,
    /// The same of the sentence, and the mean of the mention's tokens: (mentions, 3 · width).
    pub mentions: Option<Tensor>,
    /// Sentence vectors: (units, width).
    pub vectors: Tensor,
    /// The tokens' vectors, unit after unit: (tokens, width); not of features that were kept.
    pub tokens: Option<Tensor>,
}

/// A batch's outputs as tensors, for training.
pub struct Forward {
    /// For each layer of the codebook its logits: (units, labels), or (mentions, labels) for
    /// a target layer; `None` for a target layer where the batch has no mentions. A checkpoint's
    /// one head gives one entry: (units, labels).
    pub logits: Vec<Option<Tensor>>,
    /// Sentence vectors: (units, width).
    pub vectors: Tensor,
}

impl Model {
    /// Puts a bundle on a device in full precision, fit for training and gradients.
    ///
    /// # Errors
    /// If its files do not fit each other or the device refuses the weights.
    pub fn load(bundle: &Bundle, device: &Device) -> Result<Self> {
        Self::load_as(bundle, device, DType::F32)
    }

    /// Puts a bundle on a device, or on several that share the work, for scoring alone and as
    /// fast as `precision` allows.
    ///
    /// # Errors
    /// As for [`Model::load`], or if a device does not offer the precision.
    pub fn load_for_scoring(
        bundle: &Bundle,
        devices: &[Device],
        precision: PrecisionChoice,
    ) -> Result<Self> {
        let (first, others) = devices
            .split_first()
            .ok_or_else(|| Error::setting("a model needs a device to run on"))?;
        let mut model = Self::load_for_scoring_on(bundle, first, precision)?;
        for device in others {
            model.twins.push(Self::load_for_scoring_on(bundle, device, precision)?);
        }
        Ok(model)
    }

    fn load_for_scoring_on(
        bundle: &Bundle,
        device: &Device,
        precision: PrecisionChoice,
    ) -> Result<Self> {
        let is_own = match &bundle.meta.checkpoint {
            Some(_) => classifier::Config::parse(&bundle.config, &bundle.place)?.is_own(),
            None => true,
        };
        let precision = match is_own {
            true => precision.choose(&bundle.meta, device)?,
            false => precision.only_f32()?,
        };
        let mut model = Self::load_as(bundle, device, precision.dtype())?;
        let weights = precision.weights_on(device);
        if let (Some(weights), Backbone::Own { encoder, inference }) =
            (weights, &mut model.backbone)
        {
            *inference = Some(Box::new(Inference::new(encoder, weights)?));
        }
        model.precision = precision;
        Ok(model)
    }

    fn load_as(bundle: &Bundle, device: &Device, dtype: DType) -> Result<Self> {
        if let Some(questions) = &bundle.meta.checkpoint {
            return Self::load_checkpoint(bundle, questions, device, dtype);
        }
        let place = &bundle.place;
        let config = EncoderConfig::parse(&bundle.config, place)?;
        let tokenizer = tokenizer(bundle, config.vocab_size, config.longest())?;
        let weights = load_weights(&bundle.weights, device, place)?;
        let vb = VarBuilder::from_tensors(weights, dtype, device);
        let weights_wrong =
            |e: candle_core::Error| Error::model(place, format!("model.safetensors: {e}"));
        let encoder = Encoder::load(vb.clone(), &config).map_err(weights_wrong)?;
        let heads = bundle
            .meta
            .codebook
            .layers
            .iter()
            .map(|layer| Head::load(layer, config.width, vb.pp("layers").pp(&layer.name)))
            .collect::<candle_core::Result<_>>()
            .map_err(weights_wrong)?;
        let vector_map = bundle
            .vector_map
            .as_ref()
            .map(|map| {
                let sha = &bundle.meta.weights_sha256;
                vectors::VectorMap::read(map, config.width, sha, place)
            })
            .transpose()?;
        let (meta, device) = (bundle.meta.clone(), device.clone());
        let storage = Storage::of(&bundle.weights);
        let model = Self::assemble(meta, tokenizer, encoder, heads, device);
        Ok(Model { vector_map, storage, ..model })
    }

    /// Puts a checkpoint of the Hub on a device.
    fn load_checkpoint(
        bundle: &Bundle,
        questions: &Questions,
        device: &Device,
        dtype: DType,
    ) -> Result<Self> {
        let (place, meta) = (&bundle.place, &bundle.meta);
        let config = classifier::Config::parse(&bundle.config, place)?;
        let tokenizer = tokenizer(bundle, config.vocab_size(), config.longest())?;
        let weights = load_weights(&bundle.weights, device, place)?;
        let vb = VarBuilder::from_tensors(weights, dtype, device);
        let labels = meta.codebook.layers.first().map_or(0, |l| l.labels.len());
        let (parts, head) = config
            .load(labels, vb)
            .map_err(|e| Error::model(place, format!("model.safetensors: {e}")))?;
        let pairs = Pairs::new(meta, questions, &tokenizer, config.token_types(), place)?;
        Ok(Model {
            meta: meta.clone(),
            tokenizer,
            backbone: match parts {
                Parts::Own(encoder) => {
                    Backbone::Own { encoder: Box::new(encoder), inference: None }
                }
                Parts::Other(blocks) => Backbone::Other(blocks),
            },
            heads: Vec::new(),
            classifier: Some(head),
            pairs,
            vector_map: None,
            device: device.clone(),
            precision: Precision::F32,
            storage: Storage::Half,
            twins: Vec::new(),
        })
    }

    /// A model of an encoder and new heads, for training.
    pub fn assemble(
        meta: Meta,
        tokenizer: Tokenizer,
        encoder: Encoder,
        heads: Vec<Head>,
        device: Device,
    ) -> Self {
        Model {
            meta,
            tokenizer,
            backbone: Backbone::Own { encoder: Box::new(encoder), inference: None },
            heads,
            classifier: None,
            pairs: None,
            vector_map: None,
            device,
            precision: Precision::F32,
            storage: Storage::Half,
            twins: Vec::new(),
        }
    }

    /// Devices that share the work.
    pub fn n_devices(&self) -> usize {
        1 + self.twins.len()
    }

    /// The model on the device that the worker of this number uses.
    pub(crate) fn for_worker(&self, worker: usize) -> &Model {
        match worker % self.n_devices() {
            0 => self,
            i => &self.twins[i - 1],
        }
    }

    /// The layers and labels.
    pub fn codebook(&self) -> &Codebook {
        &self.meta.codebook
    }

    /// Number of blocks of the encoder.
    pub fn encoder_depth(&self) -> usize {
        self.backbone.own().map_or(0, Encoder::depth)
    }

    /// The devices that it runs on.
    pub fn devices(&self) -> impl Iterator<Item = &Device> {
        std::iter::once(self).chain(&self.twins).map(|m| &m.device)
    }

    /// The precision in which it scores.
    pub fn precision(&self) -> Precision {
        self.precision
    }

    /// Whether sentences get a vector; a model that reads them together with hypotheses has none
    /// of the sentence alone.
    pub fn gives_vectors(&self) -> bool {
        self.pairs.is_none()
    }

    /// Whether [`explain::gradient`] can be asked; the blocks of other families cannot be
    /// followed back.
    pub fn gives_gradients(&self) -> bool {
        self.pairs.is_none() && self.backbone.own().is_some()
    }

    /// The encoder, where it is this library's own.
    fn encoder(&self) -> candle_core::Result<&Encoder> {
        self.backbone.own().ok_or_else(|| {
            candle_core::Error::Msg("the model runs on an encoder that is not trained here".into())
        })
    }

    /// All parameters by name, to be swapped for variables or saved; of an encoder of another
    /// family there are none.
    pub fn parameters_mut(&mut self) -> Parameters<'_> {
        let mut all = self.backbone.own_mut().map(Encoder::parameters_mut).unwrap_or_default();
        for (layer, head) in self.meta.codebook.layers.iter().zip(&mut self.heads) {
            head.parameters_mut(&format!("layers.{}", layer.name), &mut all);
        }
        all
    }

    /// How its weights are written.
    pub fn storage(&self) -> Storage {
        self.storage
    }

    /// The same model, its weights to be written so.
    pub fn stored(self, storage: Storage) -> Self {
        Model { storage, ..self }
    }

    /// The weights as the contents of a `model.safetensors`.
    ///
    /// # Errors
    /// If they cannot be converted.
    pub fn to_safetensors(&mut self) -> Result<Vec<u8>> {
        self.encoder()?;
        let mut tensors: BTreeMap<String, Tensor> = match self.backbone.own_mut() {
            Some(encoder) => encoder.to_tensors()?.into_iter().collect(),
            None => Default::default(),
        };
        let mut heads = Parameters::new();
        for (layer, head) in self.meta.codebook.layers.iter().zip(&mut self.heads) {
            head.parameters_mut(&format!("layers.{}", layer.name), &mut heads);
        }
        tensors.extend(heads.into_iter().map(|(name, tensor)| (name, tensor.detach())));
        self.storage.write(&tensors)
    }

    /// Runs the encoder and all heads on a batch.
    ///
    /// # Errors
    /// If a unit is longer than the position table, or the device fails.
    pub fn forward(
        &self,
        units: &[&Unit],
        dropout: &mut Option<Dropout>,
    ) -> candle_core::Result<Forward> {
        let features = self.features(units, dropout)?;
        Ok(Forward { logits: self.logits(&features, dropout)?, vectors: features.vectors })
    }

    /// Runs the encoder on a batch.
    ///
    /// # Errors
    /// As for [`Model::forward`].
    pub fn features(
        &self,
        units: &[&Unit],
        dropout: &mut Option<Dropout>,
    ) -> candle_core::Result<Features> {
        let batch =
            Packed::with_types(units.iter().map(|u| (u.ids.as_slice(), u.types.as_slice())));
        let hidden = self.backbone.forward(&batch, &self.device, dropout)?;
        self.read(units, &batch, hidden)
    }

    /// What the heads read of the tokens' vectors `hidden` of a batch.
    fn read(
        &self,
        units: &[&Unit],
        batch: &Packed,
        hidden: Tensor,
    ) -> candle_core::Result<Features> {
        let rows: Vec<Range<usize>> = batch.rows().collect();
        let firsts: Vec<u32> = rows.iter().map(|r| r.start as u32).collect();
        let firsts = Tensor::from_vec(firsts, rows.len(), &self.device)?;
        let vectors = encoder::ops::pool::mean_of_runs(&hidden, &rows)?;
        let firsts = hidden.index_select(&firsts, 0)?;
        // [CLS; mean] reads better than either alone.
        let sentences = Tensor::cat(&[&firsts, &vectors], 1)?;
        let (mut runs, mut owners) = (Vec::new(), Vec::new());
        for (i, (unit, rows)) in units.iter().zip(&rows).enumerate() {
            for mention in &unit.mentions {
                runs.push(rows.start + mention.start..rows.start + mention.end);
                owners.push(i as u32);
            }
        }
        let mentions = if runs.is_empty() {
            None
        } else {
            let owners = Tensor::from_vec(owners, runs.len(), &self.device)?;
            let means = encoder::ops::pool::mean_of_runs(&hidden, &runs)?;
            Some(Tensor::cat(&[&sentences.index_select(&owners, 0)?, &means], 1)?)
        };
        Ok(Features { sentences, mentions, vectors, tokens: Some(hidden) })
    }

    /// Runs all heads: for each layer of the codebook its logits, as in [`Forward`].
    ///
    /// # Errors
    /// If the features are of another width than the heads.
    pub fn logits(
        &self,
        features: &Features,
        dropout: &mut Option<Dropout>,
    ) -> candle_core::Result<Vec<Option<Tensor>>> {
        if let Some(head) = &self.classifier {
            return Ok(vec![Some(head.forward(&features.sentences)?)]);
        }
        let layers = self.meta.codebook.layers.iter().zip(&self.heads);
        layers
            .map(|(layer, head)| match (layer.kind, &features.mentions) {
                (LayerKind::Target, None) => Ok(None),
                (LayerKind::Target, Some(mentions)) => head.forward(mentions, dropout).map(Some),
                _ => head.forward(&features.sentences, dropout).map(Some),
            })
            .collect()
    }

    /// What the model makes of each unit. The result for a unit does not depend on the
    /// others in the batch.
    ///
    /// # Errors
    /// If a unit is longer than the position table, or the device fails.
    pub fn predict(&self, units: &[&Unit]) -> Result<Vec<Prediction>> {
        if units.is_empty() {
            return Ok(Vec::new());
        }
        let forward = self.forward(units, &mut None)?;
        let vectors = forward.vectors.to_dtype(DType::F32)?.to_vec2::<f32>()?;
        let (mut sentence_layers, mut target_layers) = (Vec::new(), Vec::new());
        for (layer, logits) in self.meta.codebook.layers.iter().zip(&forward.logits) {
            let Some(logits) = logits else { continue };
            let rows = logits.to_dtype(DType::F32)?.to_vec2::<f32>()?.into_iter();
            match layer.kind {
                // A hypothesis on a target is read at the whole input all the same.
                LayerKind::Target if self.classifier.is_none() => target_layers.push(rows),
                _ => sentence_layers.push(rows),
            }
        }
        Ok(units
            .iter()
            .zip(vectors)
            .map(|(unit, vector)| Prediction {
                layers: sentence_layers.iter_mut().filter_map(Iterator::next).collect(),
                mentions: (0..unit.mentions.len())
                    .map(|_| target_layers.iter_mut().filter_map(Iterator::next).collect())
                    .collect(),
                vector,
            })
            .collect())
    }
}

/// The tokenizer of a bundle, if it fits the encoder.
fn tokenizer(bundle: &Bundle, vocab_size: usize, longest: usize) -> Result<Tokenizer> {
    let place = &bundle.place;
    let tokenizer = Tokenizer::from_json(&bundle.tokenizer, place)?;
    if tokenizer.vocabulary_size() > vocab_size {
        return Err(Error::model(place, "tokenizer.json has more words than the weights"));
    }
    if bundle.meta.max_length > longest {
        return Err(Error::model(
            place,
            format!(
                "parallax.toml: max_length {} is above the encoder's {longest} positions",
                bundle.meta.max_length
            ),
        ));
    }
    Ok(tokenizer)
}
