//! Sequence classifiers in the layout of transformers: an encoder, a pooled vector of the input,
//! and logits of the labels in `id2label`.
//!
//! BERT's kin run on this library's own encoder ([`super::encoder`]) and bring only their head
//! along. ModernBERT and DeBERTa compute other blocks; they are here behind [`Blocks`], for
//! scoring alone. One file a family; `tests/golden/classifiers.py` makes what they are held to.

mod bert;
mod deberta;
mod distilbert;
mod groups;
mod head;
mod labels;
mod modernbert;
mod mpnet;
mod roberta;

use candle_core::Tensor;
use candle_nn::VarBuilder;
use serde_json::Value;

use super::encoder::{Encoder, EncoderConfig, Family};
use crate::error::{Error, Result};
pub(super) use groups::forward;
pub(super) use head::ClassifierHead;
pub(super) use labels::{layer, usable_name};

/// An encoder of other blocks than BERT's.
pub(super) trait Blocks: Send + Sync {
    /// The vectors (sentences, length, width) of tokens `ids` of the types `types`, both
    /// (sentences, length). All sentences have the same length, so nothing is padded and
    /// nothing masked.
    ///
    /// # Errors
    /// If an input is longer than the model takes, or the device fails.
    fn forward(&self, ids: &Tensor, types: &Tensor) -> candle_core::Result<Tensor>;

    /// The table of words: a row for each entry of the vocabulary.
    fn words(&self) -> &Tensor;
}

/// The configuration of a classifier, by family.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Config {
    /// BERT's kin.
    Kin(EncoderConfig),
    /// ModernBERT.
    ModernBert(modernbert::Config),
    /// DeBERTa of version 2 or 3.
    Deberta(deberta::Config),
}

/// The encoder of a classifier.
pub(super) enum Parts {
    /// This library's own.
    Own(Encoder),
    /// Another.
    Other(Box<dyn Blocks>),
}

/// What people are told if a family is not among these.
const FAMILIES: &str =
    "read are bert, distilbert, roberta, xlm-roberta, mpnet, modernbert and deberta-v2 (and v3)";

impl Config {
    /// Reads a classifier's `config.json`.
    ///
    /// # Errors
    /// If it is of no family here, of no classifier, or asks for what is not read here.
    pub(super) fn parse(json: &[u8], place: &str) -> Result<Self> {
        let wrong = |message: String| Error::model(place, format!("config.json {message}"));
        let config: Value =
            serde_json::from_slice(json).map_err(|e| wrong(format!("is no JSON: {e}")))?;
        let architecture = config.pointer("/architectures/0").and_then(Value::as_str);
        if let Some(other) = architecture.filter(|a| !a.ends_with("ForSequenceClassification")) {
            return Err(wrong(format!("describes a {other}, no sequence classifier")).with_hint(
                "an encoder without labels is a base to train on: `parallax train --base`",
            ));
        }
        let family = config.get("model_type").and_then(Value::as_str).unwrap_or("bert");
        match family {
            "modernbert" => modernbert::Config::parse(&config)
                .map(Config::ModernBert)
                .map_err(|e| wrong(format!("is not read: {e}"))),
            "deberta-v2" => deberta::Config::parse(&config)
                .map(Config::Deberta)
                .map_err(|e| wrong(format!("is not read: {e}"))),
            _ if Family::of(family).is_some() => EncoderConfig::parse(json, place).map(Config::Kin),
            _ => Err(wrong(format!("describes a {family:?} model")).with_hint(FAMILIES)),
        }
    }

    /// Entries of the vocabulary.
    pub(super) fn vocab_size(&self) -> usize {
        match self {
            Config::Kin(c) => c.vocab_size,
            Config::ModernBert(c) => c.vocab_size(),
            Config::Deberta(c) => c.vocab_size,
        }
    }

    /// Tokens in the longest input, special tokens included.
    pub(super) fn longest(&self) -> usize {
        match self {
            Config::Kin(c) => c.longest(),
            Config::ModernBert(c) => c.longest(),
            Config::Deberta(c) => c.positions,
        }
    }

    /// Types of tokens that it tells apart.
    pub(super) fn token_types(&self) -> usize {
        match self {
            Config::Kin(c) => c.token_types,
            Config::ModernBert(_) => 0,
            Config::Deberta(c) => c.token_types,
        }
    }

    /// Whether it runs on this library's own encoder, with all that offers.
    pub(super) fn is_own(&self) -> bool {
        matches!(self, Config::Kin(_))
    }

    /// Reads the encoder and the head for so many labels.
    ///
    /// # Errors
    /// If a tensor is missing or has another shape.
    pub(super) fn load(
        &self,
        labels: usize,
        vb: VarBuilder,
    ) -> candle_core::Result<(Parts, ClassifierHead)> {
        match self {
            Config::Kin(config) => {
                let head = match config.family {
                    Family::Bert => bert::head(config.width, labels, vb.clone())?,
                    Family::Roberta => roberta::head(config.width, labels, vb.clone())?,
                    Family::DistilBert => distilbert::head(config.width, labels, vb.clone())?,
                    Family::MpNet => mpnet::head(config.width, labels, vb.clone())?,
                };
                Ok((Parts::Own(Encoder::load(vb, config)?), head))
            }
            Config::ModernBert(config) => {
                let head = config.head(labels, vb.clone())?;
                Ok((Parts::Other(Box::new(modernbert::ModernBert::load(config, vb)?)), head))
            }
            Config::Deberta(config) => {
                let head = config.head(labels, vb.clone())?;
                Ok((Parts::Other(Box::new(deberta::Deberta::load(config, vb)?)), head))
            }
        }
    }
}

#[cfg(test)]
mod tests;
