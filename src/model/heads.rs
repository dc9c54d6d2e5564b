//! The layers' heads: one hidden layer each, on top of the shared encoder.

use candle_core::{D, Device, Result, Tensor};
use candle_nn::VarBuilder;

use super::codebook::{Layer, LayerKind};
use super::encoder::ops::dropout::Dropout;
use super::encoder::ops::gelu::gelu;
use super::encoder::{Linear, Parameters};

/// From features to the logits of one layer.
#[derive(Debug, Clone)]
pub enum Head {
    /// Learnt from labelled sentences.
    Learnt {
        /// What it looks at.
        reads: Reads,
        /// From there to half the encoder's width.
        hidden: Linear,
        /// From there to the labels.
        output: Linear,
    },
    /// The likeness of the sentence to a label's description.
    Likeness(Likeness),
}

/// What a learnt head looks at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reads {
    /// All features.
    Everything,
    /// The mean of the sentence's tokens, brought to length 1: what pairs of sentences are compared
    /// by, so all that a stage of pairs teaches (SetFit, Tunstall et al. 2022).
    Direction,
}

/// Logits from cosines: of the sentence's mean vector, mapped as the bundle maps its sentence
/// vectors, with a vector for each label.
#[derive(Debug, Clone)]
pub struct Likeness {
    /// (labels, width of the mapped vectors), rows of length 1.
    labels: Tensor,
    map: Linear,
    kind: LayerKind,
}

/// Logits are so many times the cosine: sentence encoders are trained with it (Reimers and Gurevych
/// 2019 and the models after it).
const COSINE_SCALE: f64 = 20.0;
/// In a multi layer a label is as likely as not at this cosine.
const EVEN_COSINE: f64 = 0.35;

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
        if layer.by_description {
            // As wide as the map makes the vectors.
            let (_, mapped) = vb.get_unchecked("likeness.labels")?.dims2()?;
            return Ok(Head::Likeness(Likeness {
                labels: vb.get((layer.labels.len(), mapped), "likeness.labels")?,
                map: Linear::load(width, mapped, vb.pp("likeness.map"))?,
                kind: layer.kind,
            }));
        }
        // Which of the two it is, its weights' shape tells.
        let all = features(layer, width);
        let direction = Linear::load(width, width / 2, vb.pp("hidden"));
        let (reads, hidden) = match direction {
            Ok(hidden) if layer.kind != LayerKind::Target => (Reads::Direction, hidden),
            _ => (Reads::Everything, Linear::load(all, width / 2, vb.pp("hidden"))?),
        };
        let output = Linear::load(width / 2, layer.labels.len(), vb.pp("output"))?;
        Ok(Head::Learnt { reads, hidden, output })
    }

    /// A new head with small random weights. One for a target reads everything: what is said of it
    /// stands at its mentions.
    ///
    /// # Errors
    /// If the device refuses the tensors.
    pub fn random(
        layer: &Layer,
        width: usize,
        reads: Reads,
        rng: &mut impl rand::Rng,
        device: &Device,
    ) -> Result<Self> {
        let (reads, read) = match (reads, layer.kind) {
            (Reads::Direction, LayerKind::Single | LayerKind::Multi) => (Reads::Direction, width),
            _ => (Reads::Everything, features(layer, width)),
        };
        Ok(Head::Learnt {
            reads,
            hidden: Linear::random(read, width / 2, rng, device)?,
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
        match self {
            Head::Learnt { reads, hidden, output } => {
                let read = match reads {
                    Reads::Everything => features.clone(),
                    Reads::Direction => unit_length(&mean(features, features.dim(1)? / 2)?)?,
                };
                let hidden = gelu(&hidden.forward(&drop(read)?)?)?;
                output.forward(&drop(hidden)?)
            }
            Head::Likeness(likeness) => likeness.forward(features),
        }
    }

    /// The parameters with their names under `prefix`.
    pub fn parameters_mut<'a>(&'a mut self, prefix: &str, into: &mut Parameters<'a>) {
        match self {
            Head::Learnt { hidden, output, .. } => {
                hidden.parameters_mut(&format!("{prefix}.hidden"), into);
                output.parameters_mut(&format!("{prefix}.output"), into);
            }
            Head::Likeness(likeness) => {
                into.push((format!("{prefix}.likeness.labels"), &mut likeness.labels));
                likeness.map.parameters_mut(&format!("{prefix}.likeness.map"), into);
            }
        }
    }
}

/// The mean of a sentence's tokens: features are the first token's vector and then the mean of all.
fn mean(features: &Tensor, width: usize) -> Result<Tensor> {
    features.narrow(1, width, width)?.contiguous()
}

/// Rows brought to length 1.
///
/// # Errors
/// If the device refuses.
pub(crate) fn unit_length(rows: &Tensor) -> Result<Tensor> {
    let length = (rows.sqr()?.sum_keepdim(D::Minus1)? + 1e-12)?.sqrt()?;
    rows.broadcast_div(&length)
}

impl Likeness {
    fn forward(&self, features: &Tensor) -> Result<Tensor> {
        let width = features.dim(1)? / 2;
        let mapped = unit_length(&self.map.forward(&mean(features, width)?)?)?;
        let cosines = mapped.matmul(&self.labels.t()?)?;
        match self.kind {
            LayerKind::Multi => cosines.affine(COSINE_SCALE, -COSINE_SCALE * EVEN_COSINE),
            _ => cosines * COSINE_SCALE,
        }
    }
}
