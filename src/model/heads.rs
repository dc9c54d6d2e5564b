//! The layers' heads: one hidden layer each, on top of the shared encoder.

use candle_core::{Device, Result, Tensor};
use candle_nn::VarBuilder;

use super::codebook::{Layer, LayerKind};
use super::encoder::ops::dropout::Dropout;
use super::encoder::ops::gelu::gelu;
use super::encoder::{Linear, Parameters};

/// From features to the logits of one layer.
#[derive(Debug, Clone)]
pub struct Head {
    hidden: Linear,
    output: Linear,
}

/// Width of the features that a head reads: `[CLS; mean]` of the sentence, and for a
/// target layer the mean of the mention's tokens besides.
fn features(layer: &Layer, width: usize) -> usize {
    if layer.kind == LayerKind::Target { 3 * width } else { 2 * width }
}

impl Head {
    /// Reads the head of `layer` on an encoder of the given width.
    ///
    /// # Errors
    /// If a tensor is missing or has another shape.
    pub fn load(layer: &Layer, width: usize, vb: VarBuilder) -> Result<Self> {
        Ok(Head {
            hidden: Linear::load(features(layer, width), width / 2, vb.pp("hidden"))?,
            output: Linear::load(width / 2, layer.labels.len(), vb.pp("output"))?,
        })
    }

    /// A new head with small random weights.
    ///
    /// # Errors
    /// If the device refuses the tensors.
    pub fn random(
        layer: &Layer,
        width: usize,
        rng: &mut impl rand::Rng,
        device: &Device,
    ) -> Result<Self> {
        Ok(Head {
            hidden: Linear::random(features(layer, width), width / 2, rng, device)?,
            output: Linear::random(width / 2, layer.labels.len(), rng, device)?,
        })
    }

    /// Logits (rows, labels) for features (rows, width of this layer's features).
    ///
    /// # Errors
    /// If shapes do not fit.
    pub fn forward(&self, features: &Tensor, dropout: &mut Option<Dropout>) -> Result<Tensor> {
        let mut drop = |x: Tensor| match dropout {
            Some(dropout) => dropout.apply(&x),
            None => Ok(x),
        };
        let hidden = gelu(&self.hidden.forward(&drop(features.clone())?)?)?;
        self.output.forward(&drop(hidden)?)
    }

    /// The parameters with their names under `prefix`.
    pub fn parameters_mut<'a>(&'a mut self, prefix: &str, into: &mut Parameters<'a>) {
        self.hidden.parameters_mut(&format!("{prefix}.hidden"), into);
        self.output.parameters_mut(&format!("{prefix}.output"), into);
    }
}
