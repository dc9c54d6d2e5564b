//! The head of a sequence classifier: pooling, a hidden layer, the labels' logits.

use candle_core::{Result, Tensor};
use candle_nn::VarBuilder;

use crate::model::encoder::ops::{gelu, linear, norm};

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

/// Weight and bias of a layer.
#[derive(Debug, Clone)]
pub(super) struct Dense {
    weight: Tensor,
    bias: Tensor,
}

impl Dense {
    /// Reads a layer; one without a bias gets zeros.
    pub(super) fn load(
        inputs: usize,
        outputs: usize,
        has_bias: bool,
        vb: VarBuilder,
    ) -> Result<Self> {
        let weight = vb.get((outputs, inputs), "weight")?;
        let bias = match has_bias {
            true => vb.get(outputs, "bias")?,
            false => Tensor::zeros(outputs, weight.dtype(), weight.device())?,
        };
        Ok(Dense { weight, bias })
    }

    fn forward(&self, x: &Tensor) -> Result<Tensor> {
        linear::linear(x, &self.weight, &self.bias)
    }
}

/// From pooled vectors to logits.
#[derive(Debug, Clone)]
pub(in crate::model) struct ClassifierHead {
    pub(super) pooling: Pooling,
    pub(super) hidden: Dense,
    pub(super) activation: Activation,
    /// Weight and epsilon of a layer norm without a bias, after the activation.
    pub(super) norm: Option<(Tensor, f64)>,
    pub(super) output: Dense,
}

impl ClassifierHead {
    /// Logits (inputs, labels) for the features (inputs, 2 · width) of inputs: the vector of the
    /// first token beside the mean of all.
    ///
    /// # Errors
    /// If shapes do not fit.
    pub(in crate::model) fn forward(&self, features: &Tensor) -> Result<Tensor> {
        let width = features.dim(1)? / 2;
        let at = match self.pooling {
            Pooling::First => 0,
            Pooling::Mean => width,
        };
        let pooled = features.narrow(1, at, width)?.contiguous()?;
        let mut hidden = self.activation.apply(&self.hidden.forward(&pooled)?)?;
        if let Some((weight, epsilon)) = &self.norm {
            hidden = norm::layer_norm(&hidden, weight, &weight.zeros_like()?, *epsilon)?;
        }
        self.output.forward(&hidden)
    }
}
