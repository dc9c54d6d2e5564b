//! ModernBERT (Warner et al. 2024, <https://arxiv.org/abs/2412.13663>): rotary positions, gated
//! feed-forward layers, and attention that is local in two blocks of three. The blocks are those
//! of candle-transformers.

use candle_core::{DType, Device, Result, Tensor};
use candle_nn::VarBuilder;
use candle_transformers::models::modernbert as candle_modernbert;
use serde::Deserialize;
use serde_json::Value;

use super::Blocks;
use super::head::{Activation, ClassifierHead, Dense, Pooling};

/// Positions beyond this are not laid out: sentences are windowed long before.
const MOST_POSITIONS: usize = 8192;

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
    norm_eps: Option<f64>,
    layer_norm_eps: Option<f64>,
    global_attn_every_n_layers: Option<usize>,
    layer_types: Option<Vec<String>>,
    local_attention: Option<usize>,
    global_rope_theta: Option<f64>,
    local_rope_theta: Option<f64>,
    rope_parameters: Option<RopeParameters>,
    hidden_activation: Option<String>,
    classifier_activation: Option<String>,
    classifier_pooling: Option<String>,
    #[serde(default)]
    classifier_bias: bool,
    #[serde(default)]
    norm_bias: bool,
    #[serde(default)]
    attention_bias: bool,
    #[serde(default)]
    mlp_bias: bool,
}

/// Rotary positions as version 5 of transformers writes them.
#[derive(Debug, Clone, PartialEq, Deserialize)]
struct RopeParameters {
    full_attention: Option<Rope>,
    sliding_attention: Option<Rope>,
}

#[derive(Debug, Clone, PartialEq, Deserialize)]
struct Rope {
    rope_theta: Option<f64>,
    rope_type: Option<String>,
}

/// A ModernBERT's sizes and head.
#[derive(Debug, Clone, PartialEq)]
pub(in crate::model) struct Config {
    blocks: candle_modernbert::Config,
    pooling: Pooling,
    activation: Activation,
    classifier_bias: bool,
}

impl Config {
    pub(super) fn parse(json: &Value) -> std::result::Result<Self, String> {
        let f: Fields = serde_json::from_value(json.clone()).map_err(|e| e.to_string())?;
        if f.norm_bias || f.attention_bias || f.mlp_bias {
            return Err("it has biases that ModernBERT does not have".into());
        }
        if f.hidden_activation.as_deref().is_some_and(|a| a != "gelu") {
            return Err(format!("it asks for the activation {:?}", f.hidden_activation));
        }
        let every = f.global_attn_every_n_layers.unwrap_or(3);
        let local = |i: usize| !i.is_multiple_of(every.max(1));
        if let Some(types) = &f.layer_types {
            let agrees = |(i, t): (usize, &String)| (t == "sliding_attention") == local(i);
            if types.len() != f.num_hidden_layers || !types.iter().enumerate().all(agrees) {
                return Err("its local and global layers do not alternate evenly".into());
            }
        }
        let theta = |rope: Option<&Rope>, older: Option<f64>, default: f64| match rope {
            Some(Rope { rope_type: Some(other), .. }) if other != "default" => {
                Err(format!("it asks for rotary positions of type {other:?}"))
            }
            rope => Ok(rope.and_then(|r| r.rope_theta).or(older).unwrap_or(default)),
        };
        let ropes = f.rope_parameters.as_ref();
        let full = ropes.and_then(|r| r.full_attention.as_ref());
        let sliding = ropes.and_then(|r| r.sliding_attention.as_ref());
        let blocks = candle_modernbert::Config {
            vocab_size: f.vocab_size,
            hidden_size: f.hidden_size,
            num_hidden_layers: f.num_hidden_layers,
            num_attention_heads: f.num_attention_heads,
            intermediate_size: f.intermediate_size,
            max_position_embeddings: f
                .max_position_embeddings
                .map_or(MOST_POSITIONS, |n| n.min(MOST_POSITIONS)),
            layer_norm_eps: f.norm_eps.or(f.layer_norm_eps).unwrap_or(1e-5),
            pad_token_id: 0,
            global_attn_every_n_layers: every,
            global_rope_theta: theta(full, f.global_rope_theta, 160_000.0)?,
            local_attention: f.local_attention.unwrap_or(128),
            local_rope_theta: theta(sliding, f.local_rope_theta, 10_000.0)?,
            classifier_config: None,
        };
        let sizes = [
            blocks.vocab_size,
            blocks.hidden_size,
            blocks.num_hidden_layers,
            blocks.num_attention_heads,
            blocks.intermediate_size,
            blocks.max_position_embeddings,
            every,
        ];
        // Rotary positions turn pairs of numbers.
        let pairs = blocks.hidden_size.is_multiple_of(2 * blocks.num_attention_heads.max(1));
        let fits = |size: &usize| (1..=1 << 24).contains(size);
        if !sizes.iter().all(fits) || !fits(&(blocks.local_attention + 1)) || !pairs {
            return Err("its sizes make no sense together".into());
        }
        let pooling = match f.classifier_pooling.as_deref() {
            None | Some("cls") => Pooling::First,
            Some("mean") => Pooling::Mean,
            Some(other) => return Err(format!("it asks for the pooling {other:?}")),
        };
        let activation = Activation::of(f.classifier_activation.as_deref().unwrap_or("gelu"))?;
        Ok(Config { blocks, pooling, activation, classifier_bias: f.classifier_bias })
    }

    pub(super) fn vocab_size(&self) -> usize {
        self.blocks.vocab_size
    }

    pub(super) fn longest(&self) -> usize {
        self.blocks.max_position_embeddings
    }

    pub(super) fn head(&self, labels: usize, vb: VarBuilder) -> Result<ClassifierHead> {
        let width = self.blocks.hidden_size;
        Ok(ClassifierHead {
            pooling: self.pooling,
            hidden: Dense::load(width, width, self.classifier_bias, vb.pp("head.dense"))?,
            activation: self.activation,
            norm: Some((vb.get(width, "head.norm.weight")?, self.blocks.layer_norm_eps)),
            output: Dense::load(width, labels, true, vb.pp("classifier"))?,
        })
    }
}

/// The encoder.
pub(super) struct ModernBert {
    blocks: candle_modernbert::ModernBert,
    words: Tensor,
    device: Device,
}

impl ModernBert {
    pub(super) fn load(config: &Config, vb: VarBuilder) -> Result<Self> {
        let c = &config.blocks;
        // candle takes a missing norm for none; only the first block has none.
        for i in 1..c.num_hidden_layers {
            vb.get(c.hidden_size, &format!("model.layers.{i}.attn_norm.weight"))?;
        }
        Ok(ModernBert {
            words: vb
                .get((c.vocab_size, c.hidden_size), "model.embeddings.tok_embeddings.weight")?,
            device: vb.device().clone(),
            blocks: candle_modernbert::ModernBert::load(vb, c)?,
        })
    }
}

impl Blocks for ModernBert {
    fn forward(&self, ids: &Tensor, _types: &Tensor) -> Result<Tensor> {
        let nothing_masked = Tensor::ones(ids.shape(), DType::U32, &self.device)?;
        self.blocks.forward(ids, &nothing_masked)
    }

    fn words(&self) -> &Tensor {
        &self.words
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    /// As the first ModernBERT was published, by version 4 of transformers.
    fn published() -> Value {
        json!({
            "model_type": "modernbert", "vocab_size": 50368, "hidden_size": 768,
            "num_hidden_layers": 22, "num_attention_heads": 12, "intermediate_size": 1152,
            "max_position_embeddings": 8192, "norm_eps": 1e-5, "layer_norm_eps": 1e-5,
            "global_attn_every_n_layers": 3, "global_rope_theta": 160000.0,
            "local_rope_theta": 10000.0, "local_attention": 128, "classifier_pooling": "mean",
            "norm_bias": false, "hidden_activation": "gelu",
        })
    }

    #[test]
    fn both_ways_of_writing_positions_are_read() {
        let older = Config::parse(&published()).expect("it is read");
        let mut newer = published();
        newer["global_rope_theta"] = Value::Null;
        newer["local_rope_theta"] = Value::Null;
        newer["rope_parameters"] = json!({
            "full_attention": {"rope_theta": 160000.0, "rope_type": "default"},
            "sliding_attention": {"rope_theta": 10000.0, "rope_type": "default"},
        });
        assert_eq!(Config::parse(&newer), Ok(older));
    }

    #[test]
    fn what_is_not_computed_here_is_refused() {
        let cases = [
            ("norm_bias", json!(true)),
            ("hidden_activation", json!("silu")),
            ("classifier_pooling", json!("max")),
            ("num_attention_heads", json!(0)),
            ("num_attention_heads", json!(768)),
            ("layer_types", json!(["full_attention"])),
            ("rope_parameters", json!({"full_attention": {"rope_type": "yarn"}})),
        ];
        for (field, value) in cases {
            let mut config = published();
            config[field] = value;
            assert!(Config::parse(&config).is_err(), "{field}");
        }
    }
}
