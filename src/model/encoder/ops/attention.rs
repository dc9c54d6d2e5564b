//! Scaled dot-product attention (Vaswani et al. 2017, eq. 1) within each sentence of a
//! packed batch.

use candle_core::{CpuStorage, CustomOp1, D, Layout, Result, Shape, Tensor};
use rten_simd::SimdOp;
use rten_vecmath::Softmax;

use super::matrix::{View, multiply};
use super::{floats, with_floats};
use crate::model::encoder::DistanceBias;

/// Attention of each sentence's tokens to one another.
///
/// `qkv` (rows, 3 · width) holds the queries, keys and values of all heads side by side;
/// `offsets` are the sentences' first rows and, last, the number of rows. `distance` is added to the
/// scores and gets no gradient. Returns (rows, width).
///
/// # Errors
/// If the width is not a multiple of `heads` or types do not fit.
pub fn attention(
    qkv: &Tensor,
    offsets: &[usize],
    heads: usize,
    distance: Option<&DistanceBias>,
) -> Result<Tensor> {
    let (rows, triple) = qkv.dims2()?;
    let width = triple / 3;
    if triple % 3 != 0 || width % heads != 0 || offsets.last() != Some(&rows) {
        candle_core::bail!("attention with {heads} heads over shape {:?}", qkv.shape())
    }
    if qkv.device().is_cpu() {
        let distance = distance.cloned();
        qkv.contiguous()?.apply_op1(Packed { offsets: offsets.to_vec(), heads, distance })
    } else {
        padded(qkv, offsets, heads, distance)
    }
}

/// The same by candle's own operations, on any device: rows are gathered into a padded
/// rectangle for the attention alone.
pub(crate) fn padded(
    qkv: &Tensor,
    offsets: &[usize],
    heads: usize,
    distance: Option<&DistanceBias>,
) -> Result<Tensor> {
    let device = qkv.device();
    let (rows, triple) = qkv.dims2()?;
    let (width, depth) = (triple / 3, triple / 3 / heads);
    let lengths: Vec<usize> = offsets.windows(2).map(|w| w[1] - w[0]).collect();
    let (batch, longest) = (lengths.len(), lengths.iter().copied().max().unwrap_or(0));
    let mut gather = vec![0u32; batch * longest];
    let mut mask = vec![f32::NEG_INFINITY; batch * longest];
    let mut scatter = Vec::with_capacity(rows);
    for (sentence, length) in lengths.iter().enumerate() {
        for i in 0..*length {
            gather[sentence * longest + i] = (offsets[sentence] + i) as u32;
            mask[sentence * longest + i] = 0.0;
            scatter.push((sentence * longest + i) as u32);
        }
    }
    let gather = Tensor::from_vec(gather, batch * longest, device)?;
    let scatter = Tensor::from_vec(scatter, rows, device)?;
    let mask = Tensor::from_vec(mask, (batch, 1, 1, longest), device)?.to_dtype(qkv.dtype())?;
    let part = |i: usize| {
        qkv.narrow(1, i * width, width)?
            .contiguous()?
            .index_select(&gather, 0)?
            .reshape((batch, longest, heads, depth))?
            .transpose(1, 2)?
            .contiguous()
    };
    let (q, k, v) = (part(0)?, part(1)?, part(2)?);
    let mut scores = (q.matmul(&k.t()?)? * (1.0 / (depth as f64).sqrt()))?.broadcast_add(&mask)?;
    if let Some(distance) = distance {
        let rows = (0..heads).flat_map(|h| (0..longest).map(move |i| (h, i)));
        let bias: Vec<f32> = rows.flat_map(|(h, i)| distance.of(h, i, longest)).copied().collect();
        let bias = Tensor::from_vec(bias, (1, heads, longest, longest), device)?;
        scores = scores.broadcast_add(&bias.to_dtype(qkv.dtype())?)?;
    }
    let weights = candle_nn::ops::softmax(&scores, D::Minus1)?;
    weights
        .matmul(&v)?
        .transpose(1, 2)?
        .contiguous()?
        .reshape((batch * longest, width))?
        .index_select(&scatter, 0)
}

/// The same on plain slices: `qkv` (rows, 3 · width) to `out` (rows, width). `weights` is a
/// buffer whose contents do not matter.
fn attend(
    qkv: &[f32],
    offsets: &[usize],
    heads: usize,
    distance: Option<&DistanceBias>,
    out: &mut [f32],
    weights: &mut Vec<f32>,
) {
    let width = out.len() / offsets.last().copied().unwrap_or(0).max(1);
    for head in Head::all(offsets, heads, width) {
        head.weights(qkv, distance, weights);
        let w = View::new(weights, head.length, head.length, head.length);
        multiply(&mut out[head.output()..], width, w, head.part(qkv, 2), 1.0, false);
    }
}

struct Packed {
    offsets: Vec<usize>,
    heads: usize,
    distance: Option<DistanceBias>,
}

/// Where one head of one sentence lies in the packed rows.
struct Head {
    first: usize,
    length: usize,
    depth: usize,
    width: usize,
    head: usize,
}

impl Head {
    /// The heads of all sentences.
    fn all(offsets: &[usize], heads: usize, width: usize) -> impl Iterator<Item = Head> {
        let depth = width / heads;
        offsets.windows(2).filter(|w| w[1] > w[0]).flat_map(move |w| {
            let (first, length) = (w[0], w[1] - w[0]);
            (0..heads).map(move |head| Head { first, length, depth, width, head })
        })
    }

    /// Queries (0), keys (1) or values (2) in the packed rows.
    fn part<'a>(&self, qkv: &'a [f32], part: usize) -> View<'a> {
        View::new(&qkv[self.start(part)..], self.length, self.depth, 3 * self.width)
    }

    fn start(&self, part: usize) -> usize {
        self.first * 3 * self.width + part * self.width + self.head * self.depth
    }

    /// Start of this head in rows of plain width.
    fn output(&self) -> usize {
        self.first * self.width + self.head * self.depth
    }

    fn scale(&self) -> f32 {
        1.0 / (self.depth as f32).sqrt()
    }

    /// Attention weights (length, length).
    fn weights(&self, qkv: &[f32], distance: Option<&DistanceBias>, weights: &mut Vec<f32>) {
        weights.clear();
        weights.resize(self.length * self.length, 0.0);
        let (q, k) = (self.part(qkv, 0), self.part(qkv, 1));
        multiply(weights, self.length, q, k.t(), self.scale(), false);
        for (i, row) in weights.chunks_exact_mut(self.length).enumerate() {
            if let Some(distance) = distance {
                let bias = distance.of(self.head, i, self.length);
                row.iter_mut().zip(bias).for_each(|(score, bias)| *score += bias);
            }
            Softmax::new_mut(row).dispatch();
        }
    }
}

impl CustomOp1 for Packed {
    fn name(&self) -> &'static str {
        "packed-attention"
    }

    fn cpu_fwd(&self, qkv: &CpuStorage, layout: &Layout) -> Result<(CpuStorage, Shape)> {
        let (rows, triple) = layout.shape().dims2()?;
        let width = triple / 3;
        let mut out = vec![0f32; rows * width];
        let (qkv, distance) = (floats(qkv, layout)?, self.distance.as_ref());
        attend(qkv, &self.offsets, self.heads, distance, &mut out, &mut Vec::new());
        Ok((CpuStorage::F32(out), (rows, width).into()))
    }

    /// With P the weights and O = P·V: dV = Pᵀ·dO, dP = dO·Vᵀ,
    /// dS = P ∘ (dP − rowsum(dP ∘ P)), dQ = dS·K·scale, dK = dSᵀ·Q·scale.
    fn bwd(&self, qkv: &Tensor, _out: &Tensor, grad: &Tensor) -> Result<Option<Tensor>> {
        let (_, triple) = qkv.dims2()?;
        let width = triple / 3;
        let grad_qkv = with_floats(qkv, |qkv| {
            let mut grad_qkv = vec![0f32; qkv.len()];
            let (mut weights, mut scores) = (Vec::new(), Vec::new());
            with_floats(grad, |grad| {
                for head in Head::all(&self.offsets, self.heads, width) {
                    let n = head.length;
                    head.weights(qkv, self.distance.as_ref(), &mut weights);
                    let p = View::new(&weights, n, n, n);
                    let d_out = View::new(&grad[head.output()..], n, head.depth, width);
                    let mut place = |part, lhs, rhs, scale| {
                        let to = &mut grad_qkv[head.start(part)..];
                        multiply(to, triple, lhs, rhs, scale, false);
                    };
                    place(2, p.t(), d_out, 1.0);
                    scores.clear();
                    scores.resize(n * n, 0.0);
                    multiply(&mut scores, n, d_out, head.part(qkv, 2).t(), 1.0, false);
                    for (ds, p) in scores.chunks_exact_mut(n).zip(weights.chunks_exact(n)) {
                        let dot: f32 = ds.iter().zip(p).map(|(ds, p)| ds * p).sum();
                        for (ds, p) in ds.iter_mut().zip(p) {
                            *ds = p * (*ds - dot);
                        }
                    }
                    let ds = View::new(&scores, n, n, n);
                    place(0, ds, head.part(qkv, 1), head.scale());
                    place(1, ds.t(), head.part(qkv, 0), head.scale());
                }
                Ok(())
            })?;
            Ok(grad_qkv)
        })?;
        Ok(Some(Tensor::from_vec(grad_qkv, qkv.shape(), qkv.device())?))
    }
}
