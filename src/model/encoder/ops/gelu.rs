//! GELU in its exact form, `x · Φ(x)` (Hendrycks and Gimpel 2016).

use candle_core::{CpuStorage, CustomOp1, Layout, Result, Shape, Tensor};
use rten_simd::SimdUnaryOp;

use super::{floats, with_floats};

/// `x · Φ(x)` for each value. The CPU kernel's error function is good to 7e-7
/// (Abramowitz and Stegun 1964, 7.1.26).
///
/// # Errors
/// If `x` is not `f32`.
pub fn gelu(x: &Tensor) -> Result<Tensor> {
    if x.device().is_cpu() { x.contiguous()?.apply_op1(Gelu) } else { x.gelu_erf() }
}

struct Gelu;

impl CustomOp1 for Gelu {
    fn name(&self) -> &'static str {
        "packed-gelu"
    }

    fn cpu_fwd(&self, x: &CpuStorage, layout: &Layout) -> Result<(CpuStorage, Shape)> {
        let mut y = floats(x, layout)?.to_vec();
        rten_vecmath::Gelu {}.map_mut(&mut y);
        Ok((CpuStorage::F32(y), layout.shape().clone()))
    }

    /// d/dx x·Φ(x) = Φ(x) + x·φ(x)
    fn bwd(&self, x: &Tensor, _y: &Tensor, grad: &Tensor) -> Result<Option<Tensor>> {
        let derivative = with_floats(x, |x| {
            let mut density: Vec<f32> = x.iter().map(|x| -0.5 * x * x).collect();
            rten_vecmath::Exp {}.map_mut(&mut density);
            let mut erf: Vec<f32> = x.iter().map(|x| x * std::f32::consts::FRAC_1_SQRT_2).collect();
            rten_vecmath::Erf {}.map_mut(&mut erf);
            const SQRT_TAU_RECIPROCAL: f32 = 0.398_942_3;
            with_floats(grad, |grad| {
                for (((out, x), density), g) in erf.iter_mut().zip(x).zip(&density).zip(grad) {
                    *out = (0.5 * (1.0 + *out) + x * density * SQRT_TAU_RECIPROCAL) * g;
                }
                Ok(())
            })?;
            Ok(erf)
        })?;
        Ok(Some(Tensor::from_vec(derivative, x.shape(), x.device())?))
    }
}
