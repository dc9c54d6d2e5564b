//! `x · Wᵀ + b`.

use candle_core::{CpuStorage, CustomOp3, Layout, Result, Shape, Tensor};

use super::matrix::{View, multiply};
use super::{floats, with_floats};

/// `x · Wᵀ + b` for `x` of shape (rows, in), `weight` (out, in), `bias` (out).
///
/// # Errors
/// If shapes or types do not fit.
pub fn linear(x: &Tensor, weight: &Tensor, bias: &Tensor) -> Result<Tensor> {
    if x.device().is_cpu() {
        x.contiguous()?.apply_op3(&weight.contiguous()?, &bias.contiguous()?, Linear)
    } else {
        x.matmul(&weight.t()?)?.broadcast_add(bias)
    }
}

struct Linear;

impl CustomOp3 for Linear {
    fn name(&self) -> &'static str {
        "packed-linear"
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
        let (rows, inner) = x_layout.shape().dims2()?;
        let (out, w_inner) = w_layout.shape().dims2()?;
        if inner != w_inner || b_layout.shape().dims1()? != out {
            candle_core::bail!(
                "linear layer of shape {:?} on {:?}",
                w_layout.shape(),
                x_layout.shape()
            )
        }
        let bias = floats(b, b_layout)?;
        let mut y = Vec::with_capacity(rows * out);
        for _ in 0..rows {
            y.extend_from_slice(bias);
        }
        multiply(
            &mut y,
            out,
            View::new(floats(x, x_layout)?, rows, inner, inner),
            View::new(floats(w, w_layout)?, out, inner, inner).t(),
            1.0,
            true,
        );
        Ok((CpuStorage::F32(y), (rows, out).into()))
    }

    fn bwd(
        &self,
        x: &Tensor,
        w: &Tensor,
        _b: &Tensor,
        _y: &Tensor,
        grad: &Tensor,
    ) -> Result<(Option<Tensor>, Option<Tensor>, Option<Tensor>)> {
        let (rows, inner) = x.dims2()?;
        let out = w.dim(0)?;
        let mut grad_x = vec![0f32; rows * inner];
        let mut grad_w = vec![0f32; out * inner];
        let mut grad_b = vec![0f32; out];
        with_floats(grad, |g| {
            let g_view = View::new(g, rows, out, out);
            with_floats(w, |w| {
                multiply(&mut grad_x, inner, g_view, View::new(w, out, inner, inner), 1.0, false);
                Ok(())
            })?;
            with_floats(x, |x| {
                multiply(
                    &mut grad_w,
                    inner,
                    g_view.t(),
                    View::new(x, rows, inner, inner),
                    1.0,
                    false,
                );
                Ok(())
            })?;
            for row in g.chunks_exact(out) {
                for (sum, value) in grad_b.iter_mut().zip(row) {
                    *sum += value;
                }
            }
            Ok(())
        })?;
        Ok((
            Some(Tensor::from_vec(grad_x, (rows, inner), x.device())?),
            Some(Tensor::from_vec(grad_w, (out, inner), x.device())?),
            Some(Tensor::from_vec(grad_b, out, x.device())?),
        ))
    }
}
