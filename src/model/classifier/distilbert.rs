//! DistilBERT (Sanh et al. 2019, <https://arxiv.org/abs/1910.01108>): a hidden layer with ReLU
//! over the first token.

use candle_core::Result;
use candle_nn::{VarBuilder, linear};

use super::head::{Activation, ClassifierHead, Pooling};

pub(super) fn head(width: usize, labels: usize, vb: VarBuilder) -> Result<ClassifierHead> {
    Ok(ClassifierHead {
        pooling: Pooling::First,
        hidden: linear(width, width, vb.pp("pre_classifier"))?,
        activation: Activation::Relu,
        norm: None,
        output: linear(width, labels, vb.pp("classifier"))?,
    })
}
