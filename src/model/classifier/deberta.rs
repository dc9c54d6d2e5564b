//! DeBERTa of version 2 (He et al. 2021, <https://arxiv.org/abs/2006.03654>) and 3 (He et al. 2023,
//! <https://arxiv.org/abs/2111.09543>): attention whose scores add content to content, content to
//! distance and distance to content.
//!
//! Written here and not taken from candle-transformers, whose DeBERTa has no convolution (the
//! large models of version 2 have one after the first block) and multiplies the table of
//! distances anew in every block of every batch; here that is done once, at loading.

use candle_core::{Device, Module, Result, Tensor};
use candle_nn::ops::softmax_last_dim;
use candle_nn::{Conv1d, Conv1dConfig, VarBuilder, conv1d, linear_no_bias};
use serde::Deserialize;
use serde_json::Value;

use super::Blocks;
use super::head::{Activation, ClassifierHead, Dense, Pooling};
use crate::model::encoder::Linear;
use crate::model::encoder::ops::norm::layer_norm;

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
    pub(super) vocab_size: usize,
    pub(super) positions: usize,
    width: usize,
    depth: usize,
    heads: usize,
    inner: usize,
    /// Width of the table of words, where a product widens it.
    embedding: usize,
    pub(super) token_types: usize,
    epsilon: f64,
    activation: Activation,
    /// Whether words carry their position too, as in BERT.
    absolute: bool,
    distances: Option<Distances>,
    convolution: Option<Convolution>,
    pooler: Activation,
}

/// How distances enter the scores.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Distances {
    /// Rows of the table on either side of distance 0.
    span: usize,
    /// Distances from half of this share buckets; 0 where each has its own row.
    buckets: i64,
    furthest: i64,
    /// Content to distance, and distance to content.
    c2p: bool,
    p2c: bool,
    /// Whether distances go through the same matrices as contents.
    shared: bool,
    normed: bool,
}

#[derive(Debug, Clone, Copy, PartialEq)]
struct Convolution {
    kernel: usize,
    groups: usize,
    activation: Activation,
}

impl Config {
    pub(super) fn parse(json: &Value) -> std::result::Result<Self, String> {
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

    pub(super) fn head(&self, labels: usize, vb: VarBuilder) -> Result<ClassifierHead> {
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
    fn rows(&self, length: usize, device: &Device) -> Result<(Tensor, Tensor)> {
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

struct Norm {
    weight: Tensor,
    bias: Tensor,
    epsilon: f64,
}

impl Norm {
    fn load(config: &Config, vb: VarBuilder) -> Result<Self> {
        let get = |name| vb.get(config.width, name);
        Ok(Norm { weight: get("weight")?, bias: get("bias")?, epsilon: config.epsilon })
    }

    /// For `x` (rows, width).
    fn forward(&self, x: &Tensor) -> Result<Tensor> {
        layer_norm(x, &self.weight, &self.bias, self.epsilon)
    }
}

struct Block {
    query: Linear,
    key: Linear,
    value: Linear,
    /// The table of distances as keys and as queries: (heads, width of a head, 2 · span).
    distance_keys: Option<Tensor>,
    distance_queries: Option<Tensor>,
    attention_out: Linear,
    attention_norm: Norm,
    up: Linear,
    down: Linear,
    output_norm: Norm,
}

impl Block {
    fn load(config: &Config, table: Option<&Tensor>, vb: VarBuilder) -> Result<Self> {
        let (width, heads) = (config.width, config.heads);
        let own = vb.pp("attention.self");
        let linear = |name: &str| Linear::load(width, width, own.pp(name));
        let (query, key) = (linear("query_proj")?, linear("key_proj")?);
        let through = |shared: &Linear, name: &str, used: fn(&Distances) -> bool| {
            let Some((distances, table)) = config.distances.as_ref().zip(table) else {
                return Ok(None);
            };
            if !used(distances) {
                return Ok(None);
            }
            let rows = match distances.shared {
                true => shared.forward(table)?,
                false => linear(name)?.forward(table)?,
            };
            let (n, _) = rows.dims2()?;
            let by_head = rows.reshape((n, heads, width / heads))?.permute((1, 2, 0))?;
            Ok::<_, candle_core::Error>(Some(by_head.contiguous()?))
        };
        Ok(Block {
            distance_keys: through(&key, "pos_key_proj", |d| d.c2p)?,
            distance_queries: through(&query, "pos_query_proj", |d| d.p2c)?,
            value: linear("value_proj")?,
            query,
            key,
            attention_out: Linear::load(width, width, vb.pp("attention.output.dense"))?,
            attention_norm: Norm::load(config, vb.pp("attention.output.LayerNorm"))?,
            up: Linear::load(width, config.inner, vb.pp("intermediate.dense"))?,
            down: Linear::load(config.inner, width, vb.pp("output.dense"))?,
            output_norm: Norm::load(config, vb.pp("output.LayerNorm"))?,
        })
    }

    /// For `x` (sentences · length, width).
    fn forward(&self, x: &Tensor, shape: &Shape, config: &Config) -> Result<Tensor> {
        let attended = self.attention_out.forward(&self.attend(x, shape)?)?;
        let x = self.attention_norm.forward(&(attended + x)?)?;
        let inner = config.activation.apply(&self.up.forward(&x)?)?;
        self.output_norm.forward(&(self.down.forward(&inner)? + x)?)
    }

    fn attend(&self, x: &Tensor, shape: &Shape) -> Result<Tensor> {
        let &Shape { sentences, length, heads, head, .. } = shape;
        // (heads, sentences · length, width of a head): a head's table serves all sentences.
        let by_head = |linear: &Linear| -> Result<Tensor> {
            linear
                .forward(x)?
                .reshape((sentences * length, heads, head))?
                .transpose(0, 1)?
                .contiguous()
        };
        let (query, key, value) =
            (by_head(&self.query)?, by_head(&self.key)?, by_head(&self.value)?);
        let each = |t: &Tensor| t.reshape((heads * sentences, length, head));
        let mut scores = each(&query)?.matmul(&each(&key)?.t()?)?;
        let mut terms = 1.0;
        let square = (heads * sentences, length, length);
        if let Some((table, (rows, _))) = self.distance_keys.as_ref().zip(shape.rows.as_ref()) {
            scores = (scores + query.matmul(table)?.gather(rows, 2)?.reshape(square)?)?;
            terms += 1.0;
        }
        if let Some((table, (_, rows))) = self.distance_queries.as_ref().zip(shape.rows.as_ref()) {
            let by_key = key.matmul(table)?.gather(rows, 2)?.reshape(square)?;
            scores = (scores + by_key.t()?)?;
            terms += 1.0;
        }
        let shares = softmax_last_dim(&(scores / (head as f64 * terms).sqrt())?)?;
        shares
            .matmul(&each(&value)?)?
            .reshape((heads, sentences * length, head))?
            .transpose(0, 1)?
            .reshape((sentences * length, heads * head))
    }
}

/// The sizes of a batch of sentences of one length.
struct Shape {
    sentences: usize,
    length: usize,
    heads: usize,
    /// Width of a head.
    head: usize,
    /// [`Distances::rows`] for all heads and sentences: (heads, sentences · length, length).
    rows: Option<(Tensor, Tensor)>,
}

impl Shape {
    fn new(config: &Config, sentences: usize, length: usize, device: &Device) -> Result<Self> {
        let heads = config.heads;
        let spread = |rows: Tensor| {
            rows.broadcast_as((heads, sentences, length, length))?.contiguous()?.reshape((
                heads,
                sentences * length,
                length,
            ))
        };
        let rows = match &config.distances {
            None => None,
            Some(distances) => {
                let (c2p, p2c) = distances.rows(length, device)?;
                Some((spread(c2p)?, spread(p2c)?))
            }
        };
        Ok(Shape { sentences, length, heads, head: config.width / heads, rows })
    }
}

/// What version 2's large models do after the first block.
struct ConvolutionLayer {
    convolution: Conv1d,
    activation: Activation,
    norm: Norm,
}

impl ConvolutionLayer {
    fn load(config: &Config, c: &Convolution, vb: VarBuilder) -> Result<Self> {
        let layout =
            Conv1dConfig { padding: (c.kernel - 1) / 2, groups: c.groups, ..Default::default() };
        Ok(ConvolutionLayer {
            convolution: conv1d(config.width, config.width, c.kernel, layout, vb.pp("conv"))?,
            activation: c.activation,
            norm: Norm::load(config, vb.pp("LayerNorm"))?,
        })
    }

    /// Adds what the convolution makes of the embeddings to the first block's output, both
    /// (sentences · length, width).
    fn forward(&self, embedded: &Tensor, output: &Tensor, shape: &Shape) -> Result<Tensor> {
        let (rows, width) = embedded.dims2()?;
        let by_channel = embedded
            .reshape((shape.sentences, shape.length, width))?
            .transpose(1, 2)?
            .contiguous()?;
        let convolved = self.convolution.forward(&by_channel)?.transpose(1, 2)?;
        let convolved = self.activation.apply(&convolved.contiguous()?.reshape((rows, width))?)?;
        self.norm.forward(&(output + convolved)?)
    }
}

/// The encoder.
pub(super) struct Deberta {
    config: Config,
    words: Tensor,
    positions: Option<Tensor>,
    token_types: Option<Tensor>,
    widen: Option<candle_nn::Linear>,
    norm: Norm,
    blocks: Vec<Block>,
    convolution: Option<ConvolutionLayer>,
}

impl Deberta {
    pub(super) fn load(config: &Config, vb: VarBuilder) -> Result<Self> {
        let vb = vb.pp("deberta");
        let (embeddings, encoder) = (vb.pp("embeddings"), vb.pp("encoder"));
        let table = |name: &str, rows| embeddings.get((rows, config.embedding), name);
        let mut distances = match &config.distances {
            Some(d) => Some(encoder.get((2 * d.span, config.width), "rel_embeddings.weight")?),
            None => None,
        };
        if config.distances.is_some_and(|d| d.normed) {
            let norm = Norm::load(config, encoder.pp("LayerNorm"))?;
            distances = distances.map(|d| norm.forward(&d)).transpose()?;
        }
        Ok(Deberta {
            words: table("word_embeddings.weight", config.vocab_size)?,
            positions: match config.absolute {
                true => Some(table("position_embeddings.weight", config.positions)?),
                false => None,
            },
            token_types: match config.token_types {
                0 => None,
                n => Some(table("token_type_embeddings.weight", n)?),
            },
            widen: match config.embedding == config.width {
                true => None,
                false => Some(linear_no_bias(
                    config.embedding,
                    config.width,
                    embeddings.pp("embed_proj"),
                )?),
            },
            norm: Norm::load(config, embeddings.pp("LayerNorm"))?,
            blocks: (0..config.depth)
                .map(|i| Block::load(config, distances.as_ref(), encoder.pp(format!("layer.{i}"))))
                .collect::<Result<_>>()?,
            convolution: match &config.convolution {
                Some(c) => Some(ConvolutionLayer::load(config, c, encoder.pp("conv"))?),
                None => None,
            },
            config: config.clone(),
        })
    }

    /// (sentences · length, width)
    fn embed(&self, ids: &Tensor, types: &Tensor) -> Result<Tensor> {
        let (sentences, length) = ids.dims2()?;
        let mut x = self.words.index_select(&ids.flatten_all()?, 0)?;
        if let Some(positions) = &self.positions {
            if length > self.config.positions {
                candle_core::bail!("a sentence has more tokens than there are positions")
            }
            let places = (0..sentences).flat_map(|_| 0..length as u32).collect::<Vec<u32>>();
            let places = Tensor::from_vec(places, sentences * length, ids.device())?;
            x = (x + positions.index_select(&places, 0)?)?;
        }
        if let Some(table) = &self.token_types {
            x = (x + table.index_select(&types.flatten_all()?, 0)?)?;
        }
        if let Some(widen) = &self.widen {
            x = widen.forward(&x)?;
        }
        self.norm.forward(&x)
    }
}

impl Blocks for Deberta {
    fn forward(&self, ids: &Tensor, types: &Tensor) -> Result<Tensor> {
        let (sentences, length) = ids.dims2()?;
        let shape = Shape::new(&self.config, sentences, length, ids.device())?;
        let embedded = self.embed(ids, types)?;
        let mut x = embedded.clone();
        for (i, block) in self.blocks.iter().enumerate() {
            x = block.forward(&x, &shape, &self.config)?;
            if let Some(convolution) = self.convolution.as_ref().filter(|_| i == 0) {
                x = convolution.forward(&embedded, &x, &shape)?;
            }
        }
        x.reshape((sentences, length, self.config.width))
    }

    fn words(&self) -> &Tensor {
        &self.words
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
