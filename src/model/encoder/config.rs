//! What an encoder's `config.json` says, for each family that shares BERT's architecture.
//!
//! BERT (Devlin et al. 2019), RoBERTa (Liu et al. 2019) and XLM-R (Conneau et al. 2020),
//! DistilBERT (Sanh et al. 2019) and MPNet (Song et al. 2020) compute the same blocks. They
//! differ in the names of their weights, in where positions begin, in whether there are token
//! types, and MPNet adds a bias for the distance between two tokens to every block's scores.

use serde_json::Value;

use crate::error::{Error, Result};

/// The kin of an encoder.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Family {
    /// BERT.
    Bert,
    /// RoBERTa and XLM-R, which differ in their vocabulary alone.
    Roberta,
    /// DistilBERT.
    DistilBert,
    /// MPNet.
    MpNet,
}

/// The names of a family's weights on the Hub.
#[derive(Debug)]
pub(super) struct Names {
    /// What stands before all names in checkpoints that have a head.
    pub prefix: &'static str,
    /// The blocks.
    pub blocks: &'static str,
    /// Queries, keys and values.
    pub qkv: [&'static str; 3],
    pub attention_out: &'static str,
    pub attention_norm: &'static str,
    pub up: &'static str,
    pub down: &'static str,
    pub output_norm: &'static str,
}

const BERT: Names = Names {
    prefix: "bert",
    blocks: "encoder.layer",
    qkv: ["attention.self.query", "attention.self.key", "attention.self.value"],
    attention_out: "attention.output.dense",
    attention_norm: "attention.output.LayerNorm",
    up: "intermediate.dense",
    down: "output.dense",
    output_norm: "output.LayerNorm",
};

const ROBERTA: Names = Names { prefix: "roberta", ..BERT };

const MPNET: Names = Names {
    prefix: "mpnet",
    qkv: ["attention.attn.q", "attention.attn.k", "attention.attn.v"],
    attention_out: "attention.attn.o",
    attention_norm: "attention.LayerNorm",
    ..BERT
};

const DISTILBERT: Names = Names {
    prefix: "distilbert",
    blocks: "transformer.layer",
    qkv: ["attention.q_lin", "attention.k_lin", "attention.v_lin"],
    attention_out: "attention.out_lin",
    attention_norm: "sa_layer_norm",
    up: "ffn.lin1",
    down: "ffn.lin2",
    output_norm: "output_layer_norm",
};

impl Family {
    pub(super) fn names(self) -> &'static Names {
        match self {
            Family::Bert => &BERT,
            Family::Roberta => &ROBERTA,
            Family::DistilBert => &DISTILBERT,
            Family::MpNet => &MPNET,
        }
    }

    /// The family of a `model_type`.
    pub fn of(model_type: &str) -> Option<Self> {
        match model_type {
            "bert" => Some(Family::Bert),
            "roberta" | "xlm-roberta" => Some(Family::Roberta),
            "distilbert" => Some(Family::DistilBert),
            "mpnet" => Some(Family::MpNet),
            _ => None,
        }
    }
}

/// The sizes of an encoder.
#[derive(Debug, Clone, PartialEq)]
pub struct EncoderConfig {
    /// Which kin it is of.
    pub family: Family,
    /// Entries of the vocabulary.
    pub vocab_size: usize,
    /// Numbers in a token's vector.
    pub width: usize,
    /// Transformer blocks.
    pub depth: usize,
    /// Attention heads of a block.
    pub heads: usize,
    /// Width inside a block's feed-forward layer.
    pub inner: usize,
    /// Rows of the position table.
    pub positions: usize,
    /// The row of the first token's position; the rows before it are padding's.
    pub first_position: usize,
    /// Rows of the table of token types; 0 where there is none.
    pub token_types: usize,
    /// Added to a layer norm's variance.
    pub norm_epsilon: f64,
    /// Buckets of distances between tokens, where those add to the attention's scores.
    pub distance_buckets: Option<usize>,
}

impl EncoderConfig {
    /// Reads an encoder's `config.json`.
    ///
    /// # Errors
    /// If it is no configuration of a family that is known here, or its sizes make no sense
    /// together.
    pub fn parse(json: &[u8], place: &str) -> Result<Self> {
        let wrong = |message: String| Error::model(place, format!("config.json {message}"));
        let config: Value =
            serde_json::from_slice(json).map_err(|e| wrong(format!("is no JSON: {e}")))?;
        // Configurations from before there were families are BERT's.
        let model_type = config.get("model_type").and_then(Value::as_str).unwrap_or("bert");
        let family = Family::of(model_type).ok_or_else(|| {
            wrong(format!("describes a {model_type:?} model"))
                .with_hint("encoders read here are bert, roberta, xlm-roberta, distilbert, mpnet")
        })?;
        let size = |name: &str| -> Result<usize> {
            let value = config.get(name).and_then(Value::as_u64).and_then(|n| n.try_into().ok());
            value.ok_or_else(|| wrong(format!("has no number {name:?}")))
        };
        let size_or = |name: &str, default: usize| -> Result<usize> {
            if config.get(name).is_none_or(Value::is_null) { Ok(default) } else { size(name) }
        };
        let [width, depth, heads, inner, activation] = match family {
            Family::DistilBert => ["dim", "n_layers", "n_heads", "hidden_dim", "activation"],
            _ => [
                "hidden_size",
                "num_hidden_layers",
                "num_attention_heads",
                "intermediate_size",
                "hidden_act",
            ],
        };
        let epsilon =
            |default| config.get("layer_norm_eps").and_then(Value::as_f64).unwrap_or(default);
        let parsed = EncoderConfig {
            family,
            vocab_size: size("vocab_size")?,
            width: size(width)?,
            depth: size(depth)?,
            heads: size(heads)?,
            inner: size(inner)?,
            positions: size("max_position_embeddings")?,
            first_position: match family {
                Family::Roberta => size_or("pad_token_id", 1)? + 1,
                Family::MpNet => 2,
                Family::Bert | Family::DistilBert => 0,
            },
            token_types: match family {
                Family::Bert => size_or("type_vocab_size", 2)?,
                Family::Roberta => size_or("type_vocab_size", 1)?,
                Family::DistilBert | Family::MpNet => 0,
            },
            norm_epsilon: if family == Family::DistilBert { 1e-12 } else { epsilon(1e-12) },
            distance_buckets: match family {
                Family::MpNet => Some(size_or("relative_attention_num_buckets", 32)?),
                _ => None,
            },
        };
        let sizes = [parsed.width, parsed.depth, parsed.heads, parsed.inner, parsed.vocab_size];
        if sizes.contains(&0)
            || sizes.iter().any(|s| *s > 1 << 24)
            || parsed.positions <= parsed.first_position
            || parsed.positions > 1 << 20
            || !parsed.width.is_multiple_of(parsed.heads)
            || parsed.distance_buckets.is_some_and(|b| !(4..=1 << 12).contains(&b))
        {
            return Err(wrong("has sizes that make no sense together".into()));
        }
        let activation = config.get(activation).and_then(Value::as_str).unwrap_or("gelu");
        if activation != "gelu" {
            return Err(wrong(format!("asks for the activation {activation:?}, not gelu")));
        }
        let scheme = config.get("position_embedding_type").and_then(Value::as_str);
        if scheme.is_some_and(|s| s != "absolute") {
            return Err(wrong(format!("asks for {scheme:?} positions, not absolute ones")));
        }
        Ok(parsed)
    }

    /// The same `config.json` for the lowest `depth` blocks alone.
    ///
    /// # Errors
    /// If it cannot be read, or the encoder has fewer blocks.
    pub fn cut(json: &[u8], depth: usize, place: &str) -> Result<Vec<u8>> {
        let whole = Self::parse(json, place)?;
        if !(1..=whole.depth).contains(&depth) {
            return Err(Error::model(
                place,
                format!("{depth} blocks are asked for of the {} that it has", whole.depth),
            ));
        }
        let name = match whole.family {
            Family::DistilBert => "n_layers",
            _ => "num_hidden_layers",
        };
        let unreadable = |e: serde_json::Error| Error::model(place, format!("config.json: {e}"));
        let mut config: Value = serde_json::from_slice(json).map_err(unreadable)?;
        config[name] = depth.into();
        serde_json::to_vec_pretty(&config).map_err(unreadable)
    }

    /// Tokens in the longest input, special tokens included.
    pub fn longest(&self) -> usize {
        self.positions - self.first_position
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(json: Value) -> Result<EncoderConfig> {
        EncoderConfig::parse(json.to_string().as_bytes(), "here")
    }

    fn bert() -> Value {
        serde_json::json!({
            "vocab_size": 50, "hidden_size": 24, "num_hidden_layers": 2,
            "num_attention_heads": 3, "intermediate_size": 70, "max_position_embeddings": 40,
        })
    }

    #[test]
    fn families_count_positions_from_where_they_do() {
        let longest = |family: &str| {
            let mut json = bert();
            json["model_type"] = family.into();
            parse(json).map(|c| c.longest())
        };
        assert_eq!(longest("bert").unwrap(), 40);
        assert_eq!(longest("xlm-roberta").unwrap(), 38);
        assert_eq!(longest("mpnet").unwrap(), 38);
        let other = longest("t5").unwrap_err();
        assert!(other.to_string().contains("\"t5\"") && other.hint().is_some());
        assert!(longest("distilbert").unwrap_err().to_string().contains("dim"));
    }

    #[test]
    fn an_encoder_can_be_cut() {
        let json = bert().to_string();
        let cut = EncoderConfig::cut(json.as_bytes(), 1, "here").unwrap();
        let whole = parse(bert()).unwrap();
        assert_eq!(
            EncoderConfig::parse(&cut, "here").unwrap(),
            EncoderConfig { depth: 1, ..whole }
        );
        for depth in [0, 3] {
            assert!(EncoderConfig::cut(json.as_bytes(), depth, "here").is_err());
        }
    }

    #[test]
    fn senseless_sizes_are_refused() {
        for (field, value) in [
            ("num_attention_heads", 5),
            ("hidden_size", 0),
            ("vocab_size", 1 << 30),
            ("max_position_embeddings", 0),
        ] {
            let mut json = bert();
            json[field] = value.into();
            assert!(parse(json).is_err(), "{field}");
        }
        let mut json = bert();
        json["hidden_act"] = "relu".into();
        assert!(parse(json).unwrap_err().to_string().contains("relu"));
        assert!(EncoderConfig::parse(b"[1", "here").is_err());
    }
}
