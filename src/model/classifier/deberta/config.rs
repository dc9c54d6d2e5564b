//! A DeBERTa's configuration, and the rows of its table of distances.

use candle_core::{Device, Result, Tensor};
use candle_nn::VarBuilder;
use serde::Deserialize;
use serde_json::Value;

use crate::model::classifier::head::{Activation, ClassifierHead, Dense, Pooling};

/// What is read of `config.json`. The defaults are those of transformers, which leaves out what
/// equals them.
#[derive(Debug, Clone, PartialEq, Deserialize)]
struct Fields {
    vocab_size: usize,
    hidden_size: usize,
    num_hidden_layers: usize,
    num_attention_heads: usize,
    intermediate_size: usize,
    max_position_embeddings: Option<usize>,
    type_vocab_size: Option<usize>,
    layer_norm_eps: Option<f64>,
    hidden_act: Option<String>,
    relative_attention: Option<bool>,
    max_relative_positions: Option<i64>,
    position_buckets: Option<i64>,
    position_biased_input: Option<bool>,
    pos_att_type: Option<Kinds>,
    share_att_key: Option<bool>,
    norm_rel_ebd: Option<String>,
    conv_kernel_size: Option<usize>,
    conv_groups: Option<usize>,
    conv_act: Option<String>,
    embedding_size: Option<usize>,
    attention_head_size: Option<usize>,
    pooler_hidden_size: Option<usize>,
    pooler_hidden_act: Option<String>,
}

/// `"c2p|p2c"` or `["c2p", "p2c"]`.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(untagged)]
enum Kinds {
    Text(String),
    List(Vec<String>),
}

/// A DeBERTa's sizes and what it computes.
#[derive(Debug, Clone, PartialEq)]
pub(in crate::model) struct Config {
    pub(in crate::model::classifier) vocab_size: usize,
    pub(in crate::model::classifier) positions: usize,
    pub(super) width: usize,
    pub(super) depth: usize,
    pub(super) heads: usize,
    pub(super) inner: usize,
    /// Width of the table of words, where a product widens it.
    pub(super) embedding: usize,
    pub(in crate::model::classifier) token_types: usize,
    pub(super) epsilon: f64,
    pub(super) activation: Activation,
    /// Whether words carry their position too, as in BERT.
    pub(super) absolute: bool,
    pub(super) distances: Option<Distances>,
    pub(super) convolution: Option<Convolution>,
    pub(super) pooler: Activation,
}

/// How distances enter the scores.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Distances {
    /// Rows of the table on either side of distance 0.
    pub(super) span: usize,
    /// Distances from half of this share buckets; 0 where each has its own row.
    pub(super) buckets: i64,
    pub(super) furthest: i64,
    /// Content to distance, and distance to content.
    pub(super) c2p: bool,
    pub(super) p2c: bool,
    /// Whether distances go through the same matrices as contents.
    pub(super) shared: bool,
    pub(super) normed: bool,
}

#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Convolution {
    pub(super) kernel: usize,
    pub(super) groups: usize,
    pub(super) activation: Activation,
}

impl Config {
    pub(in crate::model::classifier) fn parse(json: &Value) -> std::result::Result<Self, String> {
        let f: Fields = serde_json::from_value(json.clone()).map_err(|e| e.to_string())?;
        let positions = f.max_position_embeddings.unwrap_or(512);
        let kinds: Vec<String> = match &f.pos_att_type {
            None => Vec::new(),
            Some(Kinds::Text(text)) => {
                text.to_lowercase().split('|').map(|k| k.trim().into()).collect()
            }
            Some(Kinds::List(list)) => list.clone(),
        };
        let furthest = match f.max_relative_positions {
            Some(n) if n > 0 => n,
            _ => positions as i64,
        };
        let buckets = f.position_buckets.unwrap_or(-1).max(0);
        let has = |kind: &str| kinds.iter().any(|k| k == kind);
        let norms = f.norm_rel_ebd.unwrap_or_default().to_lowercase();
        let distances = f.relative_attention.unwrap_or(false).then(|| Distances {
            span: if buckets > 0 { buckets as usize } else { furthest as usize },
            buckets,
            furthest,
            c2p: has("c2p"),
            p2c: has("p2c"),
            shared: f.share_att_key.unwrap_or(false),
            normed: norms.split('|').any(|n| n.trim() == "layer_norm"),
        });
        let convolution = match f.conv_kernel_size.unwrap_or(0) {
            0 => None,
            kernel => Some(Convolution {
                kernel,
                groups: f.conv_groups.unwrap_or(1),
                activation: Activation::of(f.conv_act.as_deref().unwrap_or("tanh"))?,
            }),
        };
        let config = Config {
            vocab_size: f.vocab_size,
            positions,
            width: f.hidden_size,
            depth: f.num_hidden_layers,
            heads: f.num_attention_heads,
            inner: f.intermediate_size,
            embedding: f.embedding_size.unwrap_or(f.hidden_size),
            token_types: f.type_vocab_size.unwrap_or(0),
            epsilon: f.layer_norm_eps.unwrap_or(1e-7),
            activation: Activation::of(f.hidden_act.as_deref().unwrap_or("gelu"))?,
            absolute: f.position_biased_input.unwrap_or(true),
            distances,
            convolution,
            pooler: Activation::of(f.pooler_hidden_act.as_deref().unwrap_or("gelu"))?,
        };
        let sizes = [
            config.vocab_size,
            config.positions,
            config.width,
            config.depth,
            config.heads,
            config.inner,
            config.embedding,
            config.distances.map_or(1, |d| d.span),
        ];
        let odd = |c: Convolution| c.kernel % 2 == 1 && c.kernel < 64 && c.groups > 0;
        if sizes.iter().any(|s| *s == 0 || *s > 1 << 24)
            || !config.width.is_multiple_of(config.heads)
            || !config.convolution.is_none_or(odd)
        {
            return Err("its sizes make no sense together".into());
        }
        if f.attention_head_size.is_some_and(|s| s * config.heads != config.width)
            || f.pooler_hidden_size.is_some_and(|s| s != config.width)
        {
            return Err("its heads or its pooler are of another width than its vectors".into());
        }
        Ok(config)
    }

    pub(in crate::model::classifier) fn head(
        &self,
        labels: usize,
        vb: VarBuilder,
    ) -> Result<ClassifierHead> {
        let width = self.width;
        Ok(ClassifierHead {
            pooling: Pooling::First,
            hidden: Dense::load(width, width, true, vb.pp("pooler.dense"))?,
            activation: self.pooler,
            norm: None,
            output: Dense::load(width, labels, true, vb.pp("classifier"))?,
        })
    }
}

impl Distances {
    /// The bucket of a distance: its own near 0, shared by ever more of them further away.
    fn bucket(&self, distance: i64) -> i64 {
        let middle = self.buckets / 2;
        if self.buckets == 0 || distance.abs() <= middle {
            return distance;
        }
        let ratio = |a: i64| (a as f32 / middle as f32).ln();
        let share = ratio(distance.abs()) / ratio(self.furthest - 1) * (middle - 1) as f32;
        (share.ceil() as i64).saturating_add(middle).saturating_mul(distance.signum())
    }

    /// The table's rows for a pair of tokens so far apart.
    fn row(&self, bucket: i64) -> u32 {
        let span = self.span as i64;
        bucket.saturating_add(span).clamp(0, 2 * span - 1) as u32
    }

    /// For all pairs of tokens of a sentence the rows for content to distance, and for distance
    /// to content (by key and query), both (length, length).
    pub(super) fn rows(&self, length: usize, device: &Device) -> Result<(Tensor, Tensor)> {
        let pairs = |sign: i64| -> Result<Tensor> {
            let n = length as i64;
            let rows: Vec<u32> = (0..n)
                .flat_map(|i| (0..n).map(move |j| self.row(sign * self.bucket(i - j))))
                .collect();
            Tensor::from_vec(rows, (length, length), device)
        };
        Ok((pairs(1)?, pairs(-1)?))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    /// As version 3's base model was published.
    fn published() -> Value {
        json!({
            "model_type": "deberta-v2", "vocab_size": 128100, "hidden_size": 768,
            "num_hidden_layers": 12, "num_attention_heads": 12, "intermediate_size": 3072,
            "hidden_act": "gelu", "max_position_embeddings": 512, "type_vocab_size": 0,
            "layer_norm_eps": 1e-7, "relative_attention": true, "position_buckets": 256,
            "norm_rel_ebd": "layer_norm", "share_att_key": true, "pos_att_type": "p2c|c2p",
            "max_relative_positions": -1, "position_biased_input": false,
        })
    }

    /// By `make_log_bucket_position` of transformers, with 256 buckets and 512 positions.
    #[test]
    fn buckets_are_those_of_the_reference() {
        let distances =
            Config::parse(&published()).expect("it is read").distances.expect("it has some");
        let reference =
            [(0, 0), (127, 127), (-128, -128), (129, 129), (200, 169), (-300, -207), (511, 255)];
        for (distance, bucket) in reference {
            assert_eq!(distances.bucket(distance), bucket, "distance {distance}");
        }
        assert_eq!([distances.row(-600), distances.row(0), distances.row(600)], [0, 256, 511]);
    }

    #[test]
    fn what_is_not_computed_here_is_refused() {
        let cases = [
            ("hidden_act", json!("gelu_new")),
            ("attention_head_size", json!(32)),
            ("num_attention_heads", json!(7)),
            ("conv_kernel_size", json!(4)),
            ("hidden_size", json!(0)),
            ("max_position_embeddings", json!(0)),
        ];
        for (field, value) in cases {
            let mut config = published();
            config[field] = value;
            assert!(Config::parse(&config).is_err(), "{field}");
        }
    }
}
