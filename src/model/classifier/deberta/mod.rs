//! DeBERTa of version 2 (He et al. 2021, <https://arxiv.org/abs/2006.03654>) and 3 (He et al. 2023,
//! <https://arxiv.org/abs/2111.09543>): attention whose scores add content to content, content to
//! distance and distance to content.
//!
//! Written here and not taken from candle-transformers, whose DeBERTa has no convolution (the
//! large models of version 2 have one after the first block) and multiplies the table of
//! distances anew in every block of every batch; here that is done once, at loading.

mod config;

use candle_core::{Device, Module, Result, Tensor};
use candle_nn::ops::softmax_last_dim;
use candle_nn::{Conv1d, Conv1dConfig, VarBuilder, conv1d, linear_no_bias};

use super::Blocks;
use super::head::Activation;
use crate::model::encoder::Linear;
use crate::model::encoder::ops::norm::layer_norm;
pub(in crate::model) use config::Config;
use config::{Convolution, Distances};

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
