//! BERT's encoder (Devlin et al. 2019) and its kin ([`Family`]) on packed rows.
//!
//! The sentences of a batch lie end to end without padding; see [`ops`]. The same code
//! scores and trains: parameters are plain tensors, and training swaps them for variables
//! ([`Encoder::parameters_mut`]).

mod config;
mod distance;
pub mod inference;
pub mod ops;

use std::collections::HashMap;
use std::ops::Range;

use candle_core::{DType, Device, IndexOp, Tensor};
use candle_nn::VarBuilder;
pub use config::{EncoderConfig, Family};
pub use distance::DistanceBias;

use crate::error::Result;
use config::Names;
use ops::dropout::Dropout;

/// Sentences laid end to end, ready for the encoder.
#[derive(Debug, Clone, Default)]
pub struct Packed {
    /// Token ids of all sentences, special tokens included.
    pub ids: Vec<u32>,
    /// First row of each sentence and, last, the number of rows.
    pub offsets: Vec<usize>,
    /// Type of each token; empty where all are of the first.
    pub types: Vec<u32>,
}

impl Packed {
    /// Lays `sentences` (token ids with special tokens) end to end.
    pub fn new<'a>(sentences: impl IntoIterator<Item = &'a [u32]>) -> Self {
        Self::with_types(sentences.into_iter().map(|ids| (ids, &[][..])))
    }

    /// Lays sentences end to end that come with their tokens' types, or with none where all
    /// are of the first.
    pub fn with_types<'a>(sentences: impl IntoIterator<Item = (&'a [u32], &'a [u32])>) -> Self {
        let mut packed = Packed { offsets: vec![0], ..Packed::default() };
        for (ids, types) in sentences {
            if !types.is_empty() {
                packed.types.resize(packed.ids.len(), 0);
                packed.types.extend_from_slice(types);
            }
            packed.ids.extend_from_slice(ids);
            packed.offsets.push(packed.ids.len());
        }
        if !packed.types.is_empty() {
            packed.types.resize(packed.ids.len(), 0);
        }
        packed
    }

    /// Number of sentences.
    pub fn len(&self) -> usize {
        self.offsets.len().saturating_sub(1)
    }

    /// Whether there are no sentences.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The rows of each sentence.
    pub fn rows(&self) -> impl Iterator<Item = Range<usize>> + '_ {
        self.offsets.windows(2).map(|w| w[0]..w[1])
    }
}

/// Weight (out, in) and bias (out) of a linear layer.
#[derive(Debug, Clone)]
pub struct Linear {
    weight: Tensor,
    bias: Tensor,
}

impl Linear {
    /// Reads `weight` and `bias` of the given shape.
    ///
    /// # Errors
    /// If one is missing or has another shape.
    pub fn load(inputs: usize, outputs: usize, vb: VarBuilder) -> candle_core::Result<Self> {
        Ok(Linear { weight: vb.get((outputs, inputs), "weight")?, bias: vb.get(outputs, "bias")? })
    }

    /// Small random weights (normal, 0.02, as BERT's) and no bias.
    ///
    /// # Errors
    /// If the device refuses the tensor.
    pub fn random(
        inputs: usize,
        outputs: usize,
        rng: &mut impl rand::Rng,
        device: &Device,
    ) -> candle_core::Result<Self> {
        use rand::RngExt;
        // The sum of twelve uniform draws is near enough to a normal one for an initialisation.
        let weights: Vec<f32> = (0..inputs * outputs)
            .map(|_| ((0..12).map(|_| rng.random::<f32>()).sum::<f32>() - 6.0) * 0.02)
            .collect();
        Ok(Linear {
            weight: Tensor::from_vec(weights, (outputs, inputs), device)?,
            bias: Tensor::zeros(outputs, DType::F32, device)?,
        })
    }

    /// `x · Wᵀ + b` for `x` (rows, in).
    ///
    /// # Errors
    /// If shapes do not fit.
    pub fn forward(&self, x: &Tensor) -> candle_core::Result<Tensor> {
        ops::linear::linear(x, &self.weight, &self.bias)
    }

    /// The parameters with their names under `prefix`.
    pub fn parameters_mut<'a>(&'a mut self, prefix: &str, into: &mut Parameters<'a>) {
        into.push((format!("{prefix}.weight"), &mut self.weight));
        into.push((format!("{prefix}.bias"), &mut self.bias));
    }
}

/// Names and places of a model's parameters.
pub type Parameters<'a> = Vec<(String, &'a mut Tensor)>;

#[derive(Debug, Clone)]
struct Norm {
    weight: Tensor,
    bias: Tensor,
    eps: f64,
}

impl Norm {
    fn load(width: usize, eps: f64, vb: VarBuilder) -> candle_core::Result<Self> {
        // Checkpoints converted from TensorFlow still call them gamma and beta.
        let names =
            if vb.contains_tensor("gamma") { ["gamma", "beta"] } else { ["weight", "bias"] };
        Ok(Norm { weight: vb.get(width, names[0])?, bias: vb.get(width, names[1])?, eps })
    }

    fn forward(&self, x: &Tensor) -> candle_core::Result<Tensor> {
        ops::norm::layer_norm(x, &self.weight, &self.bias, self.eps)
    }

    fn parameters_mut<'a>(&'a mut self, prefix: &str, into: &mut Parameters<'a>) {
        into.push((format!("{prefix}.weight"), &mut self.weight));
        into.push((format!("{prefix}.bias"), &mut self.bias));
    }
}

#[derive(Debug, Clone)]
struct Block {
    /// Queries, keys and values in one product: (3 · width, width).
    qkv: Linear,
    attention_out: Linear,
    attention_norm: Norm,
    up: Linear,
    down: Linear,
    output_norm: Norm,
}

impl Block {
    fn load(config: &EncoderConfig, names: &Names, vb: VarBuilder) -> candle_core::Result<Self> {
        let (width, inner, eps) = (config.width, config.inner, config.norm_epsilon);
        let [q, k, v] = names.qkv.map(|name| Linear::load(width, width, vb.pp(name)));
        let (q, k, v) = (q?, k?, v?);
        Ok(Block {
            qkv: Linear {
                weight: Tensor::cat(&[&q.weight, &k.weight, &v.weight], 0)?,
                bias: Tensor::cat(&[&q.bias, &k.bias, &v.bias], 0)?,
            },
            attention_out: Linear::load(width, width, vb.pp(names.attention_out))?,
            attention_norm: Norm::load(width, eps, vb.pp(names.attention_norm))?,
            up: Linear::load(width, inner, vb.pp(names.up))?,
            down: Linear::load(inner, width, vb.pp(names.down))?,
            output_norm: Norm::load(width, eps, vb.pp(names.output_norm))?,
        })
    }

    fn forward(
        &self,
        x: &Tensor,
        offsets: &[usize],
        heads: usize,
        distance: Option<&DistanceBias>,
        dropout: &mut Option<Dropout>,
    ) -> candle_core::Result<Tensor> {
        let mut drop = |x: Tensor| match dropout {
            Some(dropout) => dropout.apply(&x),
            None => Ok(x),
        };
        let context = ops::attention::attention(&self.qkv.forward(x)?, offsets, heads, distance)?;
        let attended = drop(self.attention_out.forward(&context)?)?;
        let x = self.attention_norm.forward(&(attended + x)?)?;
        let inner = ops::gelu::gelu(&self.up.forward(&x)?)?;
        let outer = drop(self.down.forward(&inner)?)?;
        self.output_norm.forward(&(outer + x)?)
    }
}

/// An encoder: word pieces in, one vector for each out.
#[derive(Debug, Clone)]
pub struct Encoder {
    words: Tensor,
    positions: Tensor,
    first_position: usize,
    token_types: Option<Tensor>,
    /// Not trained: a few hundred numbers that hold for any text.
    distance: Option<DistanceBias>,
    norm: Norm,
    blocks: Vec<Block>,
    heads: usize,
    names: &'static Names,
}

/// The table of MPNet's bias.
const DISTANCE_TABLE: &str = "encoder.relative_attention_bias.weight";

impl Encoder {
    /// The table of words: a row for each entry of the vocabulary.
    pub fn words(&self) -> &Tensor {
        &self.words
    }

    /// Reads the weights under the Hub's names, with or without the family's prefix.
    ///
    /// # Errors
    /// If a tensor is missing or has a shape that `config` does not say.
    pub fn load(vb: VarBuilder, config: &EncoderConfig) -> candle_core::Result<Self> {
        let names = config.family.names();
        let words = format!("{}.embeddings.word_embeddings.weight", names.prefix);
        let vb = if vb.contains_tensor(&words) { vb.pp(names.prefix) } else { vb };
        let (embeddings, width) = (vb.pp("embeddings"), config.width);
        let table = |name, rows| embeddings.get((rows, width), name);
        let types = config.token_types;
        let distance = |buckets| -> candle_core::Result<DistanceBias> {
            DistanceBias::new(vb.get((buckets, config.heads), DISTANCE_TABLE)?, config.longest())
        };
        Ok(Encoder {
            words: table("word_embeddings.weight", config.vocab_size)?,
            positions: table("position_embeddings.weight", config.positions)?,
            first_position: config.first_position,
            token_types: (types > 0)
                .then(|| table("token_type_embeddings.weight", types))
                .transpose()?,
            distance: config.distance_buckets.map(distance).transpose()?,
            norm: Norm::load(width, config.norm_epsilon, embeddings.pp("LayerNorm"))?,
            blocks: (0..config.depth)
                .map(|i| Block::load(config, names, vb.pp(format!("{}.{i}", names.blocks))))
                .collect::<candle_core::Result<_>>()?,
            heads: config.heads,
            names,
        })
    }

    /// The last layer's vector of each token: (rows, width).
    ///
    /// `dropout` is for training; it is applied after the embeddings and after each
    /// block's two sub-layers.
    ///
    /// # Errors
    /// If a sentence is longer than the position table or an id is outside the vocabulary.
    pub fn forward(
        &self,
        batch: &Packed,
        dropout: &mut Option<Dropout>,
    ) -> candle_core::Result<Tensor> {
        self.partial(batch, self.blocks.len(), dropout)
    }

    /// The vectors that the first so many blocks give each token: (rows, width).
    ///
    /// # Errors
    /// As for [`Encoder::forward`].
    pub fn partial(
        &self,
        batch: &Packed,
        blocks: usize,
        dropout: &mut Option<Dropout>,
    ) -> candle_core::Result<Tensor> {
        let device = self.words.device();
        let rows = batch.ids.len();
        let first = self.first_position as u32;
        let positions: Vec<u32> =
            batch.rows().flat_map(|r| first..first + r.len() as u32).collect();
        let ids = Tensor::from_slice(&batch.ids, rows, device)?;
        let positions = Tensor::from_vec(positions, rows, device)?;
        let mut embedded =
            (self.words.index_select(&ids, 0)? + self.positions.index_select(&positions, 0)?)?;
        if let Some(types) = &self.token_types {
            embedded = match batch.types.as_slice() {
                [] => embedded.broadcast_add(&types.i(0)?)?,
                of_tokens => {
                    let of_tokens = Tensor::from_slice(of_tokens, rows, device)?;
                    (embedded + types.index_select(&of_tokens, 0)?)?
                }
            };
        }
        let mut x = self.norm.forward(&embedded)?;
        if let Some(dropout) = dropout {
            x = dropout.apply(&x)?;
        }
        for block in self.blocks.iter().take(blocks) {
            let distance = self.distance.as_ref();
            x = block.forward(&x, &batch.offsets, self.heads, distance, dropout)?;
        }
        Ok(x)
    }

    /// The embeddings of the word pieces: (vocabulary, width).
    pub(crate) fn word_embeddings_mut(&mut self) -> &mut Tensor {
        &mut self.words
    }

    /// Width of a token's vector.
    pub fn width(&self) -> usize {
        self.words.dims().last().copied().unwrap_or(0)
    }

    /// Number of transformer blocks.
    pub fn depth(&self) -> usize {
        self.blocks.len()
    }

    /// All parameters that are trained. Queries, keys and values of a block are one parameter,
    /// `qkv`.
    pub fn parameters_mut(&mut self) -> Parameters<'_> {
        let names = self.names;
        let mut all: Parameters = vec![
            ("embeddings.word_embeddings.weight".into(), &mut self.words),
            ("embeddings.position_embeddings.weight".into(), &mut self.positions),
        ];
        if let Some(types) = &mut self.token_types {
            all.push(("embeddings.token_type_embeddings.weight".into(), types));
        }
        self.norm.parameters_mut("embeddings.LayerNorm", &mut all);
        for (i, block) in self.blocks.iter_mut().enumerate() {
            let name = |part: &str| format!("{}.{i}.{part}", names.blocks);
            block.qkv.parameters_mut(&name("qkv"), &mut all);
            block.attention_out.parameters_mut(&name(names.attention_out), &mut all);
            block.attention_norm.parameters_mut(&name(names.attention_norm), &mut all);
            block.up.parameters_mut(&name(names.up), &mut all);
            block.down.parameters_mut(&name(names.down), &mut all);
            block.output_norm.parameters_mut(&name(names.output_norm), &mut all);
        }
        all
    }

    /// The weights under the Hub's names, queries, keys and values apart again.
    ///
    /// # Errors
    /// If a tensor cannot be cut.
    pub fn to_tensors(&mut self) -> Result<HashMap<String, Tensor>> {
        let mut tensors = HashMap::new();
        if let Some(distance) = &self.distance {
            tensors.insert(DISTANCE_TABLE.to_owned(), distance.table().clone());
        }
        let names = self.names;
        for (name, tensor) in self.parameters_mut() {
            let tensor = tensor.detach();
            match name.split_once(".qkv.") {
                Some((prefix, suffix)) => {
                    let width = tensor.dim(0)? / 3;
                    for (i, part) in names.qkv.iter().enumerate() {
                        let part_of = tensor.narrow(0, i * width, width)?.contiguous()?;
                        tensors.insert(format!("{prefix}.{part}.{suffix}"), part_of);
                    }
                }
                None => {
                    tensors.insert(name, tensor);
                }
            }
        }
        Ok(tensors)
    }
}

/// The block, counted from 0, that a parameter belongs to by its name.
pub fn block_of(name: &str) -> Option<usize> {
    let rest = ["encoder.layer.", "transformer.layer."].iter().find_map(|b| name.strip_prefix(b));
    rest?.split('.').next()?.parse().ok()
}

#[cfg(test)]
mod tests;
