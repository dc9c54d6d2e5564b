//! The encoder laid out for scoring on the CPU.
//!
//! [`super::Encoder`] is what is trained, and says what is computed. This is the same
//! computation arranged for speed: each weight matrix is packed once in the order in which
//! the matrix kernel reads it, as `f32` or as 8-bit integers, everything after the attention
//! is done for a few rows at a time while they lie in the core's cache, and buffers are kept
//! from batch to batch.

mod attention;
mod dense;
mod panels;
mod rows;
#[cfg(target_arch = "x86_64")]
mod vnni;

use std::sync::Mutex;

use candle_core::{Storage, Tensor};

use super::{Block, DistanceBias, Encoder, Linear, Norm, Packed, ops};
use crate::error::{Error, Result};
pub use dense::int8_is_fast;
use dense::{Dense, Scratch};
use panels::Lines;

/// Rows that go through the feed-forward layer together: a multiple of the rows that the products
/// take at a time, 14 or 6.
const TILE: usize = 84;
/// Width of the inner activations of which so many rows take half a megabyte: a server core's
/// second-level cache of one or two holds them with weights beside.
const INNER: usize = 1536;

/// Rows that go through the feed-forward layer together. Products in 8 bits gain by fewer where the
/// inner activations are wider (6% with 42 rows at 3072); those of floats wait for their weights, which
/// every tile reads anew.
fn tile(weights: Weights, inner: usize) -> usize {
    if weights == Weights::Int8 && inner >= 2 * INNER { TILE / 2 } else { TILE }
}

/// How the weights of the linear layers are kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Weights {
    /// 32-bit floats.
    F32,
    /// 8-bit integers, one scale an output channel; inputs are quantised row by row as they
    /// come, so that a row's result does not depend on the rows beside it.
    Int8,
}

/// An encoder's layers, laid out.
pub struct Inference {
    words: Tensor,
    /// Position embeddings from the first token's on, with the first token type's added:
    /// (positions, width).
    positions: Vec<f32>,
    /// What the other types add to that: (types, width), the first of them zeros.
    type_steps: Vec<f32>,
    distance: Option<DistanceBias>,
    norm: RowNorm,
    blocks: Vec<Layer>,
    heads: usize,
    width: usize,
    /// Rows that go through the feed-forward layer together.
    tile: usize,
    spare: Mutex<Vec<Buffers>>,
}

struct Layer {
    qkv: Dense,
    attention_out: Dense,
    attention_norm: RowNorm,
    up: Dense,
    down: Dense,
    output_norm: RowNorm,
}

struct RowNorm {
    weight: Vec<f32>,
    bias: Vec<f32>,
    eps: f32,
}

/// What a batch needs besides its result; kept for the next batch.
#[derive(Default)]
struct Buffers {
    x: Lines,
    qkv: Lines,
    context: Lines,
    attention: attention::Buffers,
    inner: Lines,
    outer: Lines,
    scratch: Scratch,
}

impl Inference {
    /// Lays out the weights of `encoder`, which must be on the CPU.
    ///
    /// # Errors
    /// If a tensor cannot be read.
    pub fn new(encoder: &Encoder, weights: Weights) -> Result<Self> {
        let build = || -> candle_core::Result<Self> {
            let (_, width) = encoder.words.dims2()?;
            let mut positions = flat(&encoder.positions)?.split_off(encoder.first_position * width);
            let mut type_steps = Vec::new();
            if let Some(types) = &encoder.token_types {
                let first = types.narrow(0, 0, 1)?;
                type_steps = flat(&types.broadcast_sub(&first)?)?;
                let first = flat(&first)?;
                for row in positions.chunks_exact_mut(width) {
                    row.iter_mut().zip(&first).for_each(|(p, t)| *p += t);
                }
            }
            Ok(Inference {
                words: encoder.words.contiguous()?,
                positions,
                type_steps,
                distance: encoder.distance.clone(),
                norm: RowNorm::new(&encoder.norm)?,
                blocks: encoder
                    .blocks
                    .iter()
                    .map(|b| Layer::new(b, weights))
                    .collect::<candle_core::Result<_>>()?,
                heads: encoder.heads,
                width,
                tile: tile(weights, encoder.blocks.first().map_or(0, |b| b.up.bias.elem_count())),
                spare: Mutex::default(),
            })
        };
        build().map_err(Error::from)
    }

    /// The last layer's vector of each token: (rows, width).
    ///
    /// # Errors
    /// If a sentence is longer than the position table or an id is outside the vocabulary.
    pub fn forward(&self, batch: &Packed) -> candle_core::Result<Tensor> {
        self.partial(batch, self.blocks.len())
    }

    /// The vectors that the first so many blocks give each token: (rows, width).
    ///
    /// # Errors
    /// As for [`Inference::forward`].
    pub fn partial(&self, batch: &Packed, blocks: usize) -> candle_core::Result<Tensor> {
        let mut buffers = self.spare.lock().map(|mut s| s.pop()).ok().flatten().unwrap_or_default();
        let hidden = self.run(batch, blocks, &mut buffers)?;
        if let Ok(mut spare) = self.spare.lock() {
            spare.push(buffers);
        }
        Tensor::from_vec(hidden, (batch.ids.len(), self.width), self.words.device())
    }

    fn run(
        &self,
        batch: &Packed,
        blocks: usize,
        buffers: &mut Buffers,
    ) -> candle_core::Result<Vec<f32>> {
        let (rows, width, tile) = (batch.ids.len(), self.width, self.tile);
        let Buffers { x, qkv, context, attention, inner, outer, scratch } = buffers;
        let x = x.of(rows * width);
        x.copy_from_slice(&self.embed(batch)?);
        let (qkv, context) = (qkv.of(rows * 3 * width), context.of(rows * width));
        let outer = outer.of(tile * width);
        for layer in self.blocks.iter().take(blocks) {
            let depth = layer.up.outputs();
            let inner = inner.of(tile * depth);
            let tiles = x.chunks(tile * width).zip(qkv.chunks_mut(tile * 3 * width));
            for (x, qkv) in tiles {
                layer.qkv.forward(x, qkv, scratch)?;
            }
            let distance = self.distance.as_ref();
            attention::attend(qkv, &batch.offsets, self.heads, distance, context, attention);
            let tiles = x.chunks_mut(tile * width).zip(context.chunks(tile * width));
            for (x, context) in tiles {
                let n = x.len() / width;
                let (inner, outer) = (&mut inner[..n * depth], &mut outer[..n * width]);
                layer.attention_out.forward(context, outer, scratch)?;
                layer.attention_norm.add_and_norm(x, outer);
                layer.up.forward(x, inner, scratch)?;
                rows::gelu(inner);
                layer.down.forward(inner, outer, scratch)?;
                layer.output_norm.add_and_norm(x, outer);
            }
        }
        Ok(x.to_vec())
    }

    fn embed(&self, batch: &Packed) -> candle_core::Result<Vec<f32>> {
        let width = self.width;
        let mut x = Vec::with_capacity(batch.ids.len() * width);
        let (storage, layout) = self.words.storage_and_layout();
        let Storage::Cpu(storage) = &*storage else {
            candle_core::bail!("this layout of the encoder runs on the CPU alone")
        };
        let words = ops::floats(storage, layout)?;
        for sentence in batch.rows() {
            let types = batch.types.get(sentence.clone()).unwrap_or_default();
            for (position, id) in batch.ids[sentence].iter().enumerate() {
                let from = *id as usize * width;
                let Some(word) = words.get(from..from + width) else {
                    candle_core::bail!("token {id} is outside the vocabulary")
                };
                let Some(place) = self.positions.get(position * width..(position + 1) * width)
                else {
                    candle_core::bail!("a sentence has more tokens than there are positions")
                };
                x.extend(word.iter().zip(place).map(|(w, p)| w + p));
                let kind = types.get(position).map_or(0, |&kind| kind as usize);
                if kind > 0 {
                    let Some(step) = self.type_steps.get(kind * width..(kind + 1) * width) else {
                        candle_core::bail!("a token is of type {kind}, which the model has not")
                    };
                    let token = x.len() - width;
                    x[token..].iter_mut().zip(step).for_each(|(x, s)| *x += s);
                }
            }
        }
        self.norm.norm(&mut x);
        Ok(x)
    }
}

impl Layer {
    fn new(block: &Block, weights: Weights) -> candle_core::Result<Self> {
        let dense = |linear: &Linear| -> candle_core::Result<Dense> {
            let (_, inputs) = linear.weight.dims2()?;
            Dense::new(&flat(&linear.weight)?, flat(&linear.bias)?, inputs, weights)
        };
        Ok(Layer {
            qkv: dense(&block.qkv)?,
            attention_out: dense(&block.attention_out)?,
            attention_norm: RowNorm::new(&block.attention_norm)?,
            up: dense(&block.up)?,
            down: dense(&block.down)?,
            output_norm: RowNorm::new(&block.output_norm)?,
        })
    }
}

impl RowNorm {
    fn new(norm: &Norm) -> candle_core::Result<Self> {
        let (weight, bias) = (flat(&norm.weight)?, flat(&norm.bias)?);
        Ok(RowNorm { weight, bias, eps: norm.eps as f32 })
    }

    fn norm(&self, x: &mut [f32]) {
        rows::norm(x, &self.weight, &self.bias, self.eps);
    }

    /// `x = norm(x + y)`
    fn add_and_norm(&self, x: &mut [f32], y: &[f32]) {
        rows::add_and_norm(x, y, &self.weight, &self.bias, self.eps);
    }
}

fn flat(tensor: &Tensor) -> candle_core::Result<Vec<f32>> {
    tensor.flatten_all()?.to_vec1()
}

#[cfg(test)]
mod tests;
