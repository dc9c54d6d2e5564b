//! DistilBERT (Sanh et al. 2019, <https://arxiv.org/abs/1910.01108>): a hidden layer with ReLU
//! over the first token.

use candle_core::Result;
use candle_nn::VarBuilder;

use super::head::{Activation, ClassifierHead, Dense, Pooling};

pub(super) fn head(width: usize, labels: usize, vb: VarBuilder) -> Result<ClassifierHead> {
    Ok(ClassifierHead {
        pooling: Pooling::First,
        hidden: Dense::load(width, width, true, vb.pp("pre_classifier"))?,
        activation: Activation::Relu,
        norm: None,
        output: Dense::load(width, labels, true, vb.pp("classifier"))?,
    })
}
