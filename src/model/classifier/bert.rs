//! BERT (Devlin et al. 2019, <https://arxiv.org/abs/1810.04805>): the pooler that was trained
//! with the encoder, then a linear layer.

use candle_core::Result;
use candle_nn::VarBuilder;

use super::head::{Activation, ClassifierHead, Dense, Pooling};

pub(super) fn head(width: usize, labels: usize, vb: VarBuilder) -> Result<ClassifierHead> {
    Ok(ClassifierHead {
        pooling: Pooling::First,
        hidden: Dense::load(width, width, true, vb.pp("bert.pooler.dense"))?,
        activation: Activation::Tanh,
        norm: None,
        output: Dense::load(width, labels, true, vb.pp("classifier"))?,
    })
}
