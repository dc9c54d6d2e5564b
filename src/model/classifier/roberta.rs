//! RoBERTa (Liu et al. 2019, <https://arxiv.org/abs/1907.11692>) and XLM-R (Conneau et al. 2020,
//! <https://arxiv.org/abs/1911.02116>): a hidden layer with tanh over the first token.

use candle_core::Result;
use candle_nn::VarBuilder;

use super::head::{Activation, ClassifierHead, Dense, Pooling};

pub(super) fn head(width: usize, labels: usize, vb: VarBuilder) -> Result<ClassifierHead> {
    Ok(ClassifierHead {
        pooling: Pooling::First,
        hidden: Dense::load(width, width, true, vb.pp("classifier.dense"))?,
        activation: Activation::Tanh,
        norm: None,
        output: Dense::load(width, labels, true, vb.pp("classifier.out_proj"))?,
    })
}
