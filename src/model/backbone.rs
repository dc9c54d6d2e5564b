//! What turns tokens into vectors.

use candle_core::{Device, Result, Tensor};

use super::classifier::{self, Blocks};
use super::encoder::inference::Inference;
use super::encoder::ops::dropout::Dropout;
use super::encoder::{Encoder, Packed};

/// The encoder of a model.
pub(super) enum Backbone {
    /// This library's own, which can be trained too.
    Own {
        /// As it is trained.
        encoder: Box<Encoder>,
        /// Laid out for scoring, on the CPU.
        inference: Option<Box<Inference>>,
    },
    /// One of other blocks, for scoring alone.
    Other(Box<dyn Blocks>),
}

impl Backbone {
    /// The vectors (rows, width) of the tokens of a batch.
    ///
    /// # Errors
    /// If a sentence is longer than the model takes, or the device fails.
    pub(super) fn forward(
        &self,
        batch: &Packed,
        device: &Device,
        dropout: &mut Option<Dropout>,
    ) -> Result<Tensor> {
        match (self, &dropout) {
            (Backbone::Own { inference: Some(inference), .. }, None) => inference.forward(batch),
            (Backbone::Own { encoder, .. }, _) => encoder.forward(batch, dropout),
            (Backbone::Other(blocks), _) => classifier::forward(blocks.as_ref(), batch, device),
        }
    }

    /// The vectors that the first so many blocks give the tokens of a batch: (rows, width).
    ///
    /// # Errors
    /// As for [`Backbone::forward`], or if the blocks are not this library's own.
    pub(super) fn partial(&self, batch: &Packed, blocks: usize) -> Result<Tensor> {
        match self {
            Backbone::Own { inference: Some(inference), .. } => inference.partial(batch, blocks),
            Backbone::Own { encoder, .. } => encoder.partial(batch, blocks, &mut None),
            Backbone::Other(_) => candle_core::bail!("the model's blocks cannot be run in part"),
        }
    }

    /// The table of words: a row for each entry of the vocabulary.
    pub(super) fn words(&self) -> &Tensor {
        match self {
            Backbone::Own { encoder, .. } => encoder.words(),
            Backbone::Other(blocks) => blocks.words(),
        }
    }

    /// The encoder, where it is this library's own.
    pub(super) fn own(&self) -> Option<&Encoder> {
        match self {
            Backbone::Own { encoder, .. } => Some(encoder),
            Backbone::Other(_) => None,
        }
    }

    /// The same, to be changed.
    pub(super) fn own_mut(&mut self) -> Option<&mut Encoder> {
        match self {
            Backbone::Own { encoder, .. } => Some(encoder),
            Backbone::Other(_) => None,
        }
    }
}
