//! The head of a sequence classifier: pooling, a hidden layer, the labels' logits.

use candle_core::{Result, Tensor};
use candle_nn::{Linear, Module};

use crate::model::encoder::ops::{gelu, norm};

/// What of the tokens' vectors the head sees.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Pooling {
    /// The first token's.
    First,
    /// The mean of all.
    Mean,
}

/// What is done to the hidden layer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Activation {
    Tanh,
    Relu,
    /// With the error function, not its approximation.
    Gelu,
}

impl Activation {
    /// By the name in a configuration.
    pub(super) fn of(name: &str) -> std::result::Result<Self, String> {
        match name {
            "tanh" => Ok(Activation::Tanh),
            "relu" => Ok(Activation::Relu),
            "gelu" => Ok(Activation::Gelu),
            other => Err(format!("it asks for the activation {other:?}")),
        }
    }

    pub(super) fn apply(self, x: &Tensor) -> Result<Tensor> {
        match self {
            Activation::Tanh => x.tanh(),
            Activation::Relu => x.relu(),
            Activation::Gelu => gelu::gelu(x),
        }
    }
}

/// From pooled vectors to logits.
#[derive(Debug, Clone)]
pub(in crate::model) struct ClassifierHead {
    pub(super) pooling: Pooling,
    pub(super) hidden: Linear,
    pub(super) activation: Activation,
    /// Weight and epsilon of a layer norm without a bias, after the activation.
    pub(super) norm: Option<(Tensor, f64)>,
    pub(super) output: Linear,
}

impl ClassifierHead {
    /// Logits (inputs, labels) for the vectors of the first tokens and the means of all tokens,
    /// both (inputs, width).
    ///
    /// # Errors
    /// If shapes do not fit.
    pub(in crate::model) fn forward(&self, firsts: &Tensor, means: &Tensor) -> Result<Tensor> {
        let pooled = match self.pooling {
            Pooling::First => firsts,
            Pooling::Mean => means,
        };
        let mut hidden = self.activation.apply(&self.hidden.forward(pooled)?)?;
        if let Some((weight, epsilon)) = &self.norm {
            hidden = norm::layer_norm(&hidden, weight, &weight.zeros_like()?, *epsilon)?;
        }
        self.output.forward(&hidden)
    }
}
