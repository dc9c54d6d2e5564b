//! The model: a bundle on disk, its encoder and layers in candle, devices and the Hub.
//! Knows nothing of articles or outlets.

pub mod bundle;
pub mod calibration;
pub mod codebook;
pub mod device;
pub mod encoder;
pub mod explain;
pub mod heads;
pub mod hub;
pub mod precision;
pub mod predict;
pub mod sentence;
mod vectors;
pub mod words;

use std::ops::Range;

use candle_core::{DType, Device, Tensor};
use candle_nn::VarBuilder;

pub use bundle::{Bundle, Meta};
pub use calibration::{Calibration, Scores};
pub use codebook::{Codebook, Layer, LayerKind};
pub use precision::{Precision, PrecisionChoice};

use crate::error::{Error, Result};
use crate::text::tokens::Tokenizer;
use encoder::inference::Inference;
use encoder::ops::dropout::Dropout;
use encoder::{Encoder, EncoderConfig, Packed, Parameters};
use heads::Head;

/// A model ready to run on a device: tokenizer, encoder and a head for each layer.
pub struct Model {
    /// What the outputs mean and how they are calibrated.
    pub meta: Meta,
    /// The tokenizer front end.
    pub tokenizer: Tokenizer,
    encoder: Encoder,
    /// One for each layer of the codebook, in order.
    heads: Vec<Head>,
    /// Undoes what fine-tuning did to the sentence vectors.
    vector_map: Option<vectors::VectorMap>,
    device: Device,
    /// The encoder laid out for scoring, on the CPU.
    inference: Option<Inference>,
    precision: Precision,
    /// The same model on further GPUs.
    twins: Vec<Model>,
}

/// One piece of text for the encoder: a sentence, or a window of a long one.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Unit {
    /// Token ids with the special tokens around them.
    pub ids: Vec<u32>,
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

/// A batch's outputs as tensors, for training.
pub struct Forward {
    /// For each layer of the codebook its logits: (units, labels), or (mentions, labels) for
    /// a target layer; `None` for a target layer where the batch has no mentions.
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
        let precision = precision.choose(&bundle.meta, device)?;
        let mut model = Self::load_as(bundle, device, precision.dtype())?;
        if let Some(weights) = precision.weights_on(device) {
            model.inference = Some(Inference::new(&model.encoder, weights)?);
        }
        model.precision = precision;
        Ok(model)
    }

    fn load_as(bundle: &Bundle, device: &Device, dtype: DType) -> Result<Self> {
        let place = &bundle.place;
        let config = EncoderConfig::parse(&bundle.config, place)?;
        let tokenizer = Tokenizer::from_json(&bundle.tokenizer, place)?;
        if tokenizer.vocabulary_size() > config.vocab_size {
            return Err(Error::model(place, "tokenizer.json has more words than the weights"));
        }
        if bundle.meta.max_length > config.longest() {
            return Err(Error::model(
                place,
                format!(
                    "parallax.toml: max_length {} is above the encoder's {} positions",
                    bundle.meta.max_length,
                    config.longest()
                ),
            ));
        }
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
        Ok(Model { vector_map, ..Self::assemble(meta, tokenizer, encoder, heads, device) })
    }

    /// A model of an encoder and new heads, for training.
    pub fn assemble(
        meta: Meta,
        tokenizer: Tokenizer,
        encoder: Encoder,
        heads: Vec<Head>,
        device: Device,
    ) -> Self {
        let (inference, precision) = (None, Precision::F32);
        let (vector_map, twins) = (None, Vec::new());
        Model { meta, tokenizer, encoder, heads, vector_map, device, inference, precision, twins }
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
        self.encoder.depth()
    }

    /// The devices that it runs on.
    pub fn devices(&self) -> impl Iterator<Item = &Device> {
        std::iter::once(self).chain(&self.twins).map(|m| &m.device)
    }

    /// The precision in which it scores.
    pub fn precision(&self) -> Precision {
        self.precision
    }

    /// All parameters by name, to be swapped for variables or saved.
    pub fn parameters_mut(&mut self) -> Parameters<'_> {
        let mut all = self.encoder.parameters_mut();
        for (layer, head) in self.meta.codebook.layers.iter().zip(&mut self.heads) {
            head.parameters_mut(&format!("layers.{}", layer.name), &mut all);
        }
        all
    }

    /// The weights as the contents of a `model.safetensors`, in half precision.
    ///
    /// # Errors
    /// If they cannot be converted.
    pub fn to_safetensors(&mut self) -> Result<Vec<u8>> {
        let mut tensors = self.encoder.to_tensors()?;
        let mut heads = Parameters::new();
        for (layer, head) in self.meta.codebook.layers.iter().zip(&mut self.heads) {
            head.parameters_mut(&format!("layers.{}", layer.name), &mut heads);
        }
        for (name, tensor) in heads {
            tensors.insert(name, tensor.detach());
        }
        let tensors = tensors
            .into_iter()
            .map(|(name, t)| Ok((name, t.to_device(&Device::Cpu)?.to_dtype(DType::F16)?)))
            .collect::<candle_core::Result<std::collections::BTreeMap<_, _>>>()?;
        safetensors::serialize(tensors, None)
            .map_err(|e| Error::model("new bundle", format!("cannot write the weights: {e}")))
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
        let batch = Packed::new(units.iter().map(|u| u.ids.as_slice()));
        let hidden = match (&self.inference, &dropout) {
            (Some(inference), None) => inference.forward(&batch)?,
            _ => self.encoder.forward(&batch, dropout)?,
        };
        self.read(units, &batch, hidden, dropout)
    }

    /// What the heads make of the tokens' vectors `hidden` of a batch.
    fn read(
        &self,
        units: &[&Unit],
        batch: &Packed,
        hidden: Tensor,
        dropout: &mut Option<Dropout>,
    ) -> candle_core::Result<Forward> {
        let rows: Vec<Range<usize>> = batch.rows().collect();
        let firsts: Vec<u32> = rows.iter().map(|r| r.start as u32).collect();
        let firsts = Tensor::from_vec(firsts, rows.len(), &self.device)?;
        let vectors = encoder::ops::pool::mean_of_runs(&hidden, &rows)?;
        // [CLS; mean] reads better than either alone.
        let sentences = Tensor::cat(&[&hidden.index_select(&firsts, 0)?, &vectors], 1)?;
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
        let logits = self
            .meta
            .codebook
            .layers
            .iter()
            .zip(&self.heads)
            .map(|(layer, head)| match (layer.kind, &mentions) {
                (LayerKind::Target, None) => Ok(None),
                (LayerKind::Target, Some(features)) => head.forward(features, dropout).map(Some),
                _ => head.forward(&sentences, dropout).map(Some),
            })
            .collect::<candle_core::Result<_>>()?;
        Ok(Forward { logits, vectors })
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
                LayerKind::Target => target_layers.push(rows),
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

/// Reads safetensors as `f32` tensors on a device.
///
/// # Errors
/// If the data are no safetensors, or hold another kind of number than floats.
pub fn load_weights(
    data: &[u8],
    device: &Device,
    place: &str,
) -> Result<std::collections::HashMap<String, Tensor>> {
    let wrong =
        |e: candle_core::Error| Error::model(place, format!("model.safetensors is unusable: {e}"));
    candle_core::safetensors::load_buffer(data, &Device::Cpu)
        .map_err(wrong)?
        .into_iter()
        .map(|(name, t)| Ok((name, t.to_dtype(DType::F32)?.to_device(device)?)))
        .collect::<candle_core::Result<_>>()
        .map_err(wrong)
}
