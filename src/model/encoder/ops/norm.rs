//! Layer normalisation (Ba, Kiros and Hinton 2016) with a backward pass.

use candle_core::{CpuStorage, CustomOp3, Layout, Result, Shape, Tensor};

use super::{floats, with_floats};

/// `(x − mean) / sqrt(variance + eps) · weight + bias` over the last dimension of `x`
/// (rows, width).
///
/// # Errors
/// If shapes or types do not fit.
pub fn layer_norm(x: &Tensor, weight: &Tensor, bias: &Tensor, eps: f64) -> Result<Tensor> {
    if x.device().is_cpu() {
        let eps = eps as f32;
        x.contiguous()?.apply_op3(&weight.contiguous()?, &bias.contiguous()?, LayerNorm { eps })
    } else {
        candle_nn::ops::layer_norm_slow(x, weight, bias, eps as f32)
    }
}

struct LayerNorm {
    eps: f32,
}

/// Sums in sixteen lanes, which the compiler turns into vector registers; a plain float
/// sum may not be reordered and stays scalar.
#[inline(always)]
fn sum_by(row: &[f32], f: impl Fn(f32) -> f32) -> f32 {
    let mut lanes = [0f32; 16];
    let chunks = row.chunks_exact(16);
    let rest: f32 = chunks.remainder().iter().map(|x| f(*x)).sum();
    for chunk in chunks {
        for (lane, x) in lanes.iter_mut().zip(chunk) {
            *lane += f(*x);
        }
    }
    lanes.iter().sum::<f32>() + rest
}

/// Mean and reciprocal standard deviation of a row.
#[inline(always)]
pub(crate) fn moments(row: &[f32], eps: f32) -> (f32, f32) {
    let n = row.len() as f32;
    let mean = sum_by(row, |x| x) / n;
    let variance = sum_by(row, |x| (x - mean) * (x - mean)) / n;
    (mean, 1.0 / (variance + eps).sqrt())
}

/// `(x − mean) · scale · weight + bias` in place.
#[inline(always)]
pub(crate) fn scale_and_shift(
    row: &mut [f32],
    mean: f32,
    scale: f32,
    weight: &[f32],
    bias: &[f32],
) {
    for ((y, weight), bias) in row.iter_mut().zip(weight).zip(bias) {
        *y = (*y - mean) * scale * weight + bias;
    }
}

impl CustomOp3 for LayerNorm {
    fn name(&self) -> &'static str {
        "packed-layer-norm"
    }

    fn cpu_fwd(
        &self,
        x: &CpuStorage,
        x_layout: &Layout,
        w: &CpuStorage,
        w_layout: &Layout,
        b: &CpuStorage,
        b_layout: &Layout,
    ) -> Result<(CpuStorage, Shape)> {
        let (_, width) = x_layout.shape().dims2()?;
        let (weight, bias) = (floats(w, w_layout)?, floats(b, b_layout)?);
        if weight.len() != width || bias.len() != width {
            candle_core::bail!("layer norm of width {} on rows of width {width}", weight.len())
        }
        let mut y = floats(x, x_layout)?.to_vec();
        for row in y.chunks_exact_mut(width.max(1)) {
            let (mean, scale) = moments(row, self.eps);
            scale_and_shift(row, mean, scale, weight, bias);
        }
        Ok((CpuStorage::F32(y), x_layout.shape().clone()))
    }

    fn bwd(
        &self,
        x: &Tensor,
        w: &Tensor,
        _b: &Tensor,
        _y: &Tensor,
        grad: &Tensor,
    ) -> Result<(Option<Tensor>, Option<Tensor>, Option<Tensor>)> {
        let (_, width) = x.dims2()?;
        let mut grad_weight = vec![0f32; width];
        let mut grad_bias = vec![0f32; width];
        let mut normed = vec![0f32; width];
        let mut scaled = vec![0f32; width];
        let grad_x = with_floats(x, |x| {
            let mut grad_x = vec![0f32; x.len()];
            with_floats(w, |weight| {
                with_floats(grad, |grad| {
                    let rows = x.chunks_exact(width).zip(grad.chunks_exact(width));
                    for ((x, g), out) in rows.zip(grad_x.chunks_exact_mut(width)) {
                        let (mean, scale) = moments(x, self.eps);
                        for i in 0..width {
                            normed[i] = (x[i] - mean) * scale;
                            scaled[i] = g[i] * weight[i];
                            grad_weight[i] += g[i] * normed[i];
                            grad_bias[i] += g[i];
                            out[i] = scaled[i] * normed[i];
                        }
                        let n = width as f32;
                        let mean_scaled = sum_by(&scaled, |v| v) / n;
                        let mean_product = sum_by(out, |v| v) / n;
                        for i in 0..width {
                            out[i] = scale * (scaled[i] - mean_scaled - normed[i] * mean_product);
                        }
                    }
                    Ok(())
                })
            })?;
            Ok(grad_x)
        })?;
        let device = x.device();
        Ok((
            Some(Tensor::from_vec(grad_x, x.shape(), device)?),
            Some(Tensor::from_vec(grad_weight, width, device)?),
            Some(Tensor::from_vec(grad_bias, width, device)?),
        ))
    }
}
