//! Dropout (Srivastava et al. 2014) with a seeded generator, so that a training run can
//! be repeated.

use candle_core::{Result, Tensor};
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;

/// Zeroes a share of the values and scales the rest up so that the mean stays.
pub struct Dropout {
    /// The share zeroed, in 1/65536.
    threshold: u16,
    scale: f32,
    rng: ChaCha8Rng,
}

impl Dropout {
    /// Dropout of the share `rate` (0 to below 1) with its own random stream.
    pub fn new(rate: f32, seed: u64) -> Self {
        let threshold = (rate.clamp(0.0, 0.99) * 65536.0) as u16;
        let scale = 1.0 / (1.0 - f32::from(threshold) / 65536.0);
        Dropout { threshold, scale, rng: ChaCha8Rng::seed_from_u64(seed) }
    }

    /// Applies it to `x`.
    ///
    /// # Errors
    /// If the product fails on the device.
    pub fn apply(&mut self, x: &Tensor) -> Result<Tensor> {
        if self.threshold == 0 {
            return Ok(x.clone());
        }
        let n = x.elem_count();
        let mut mask = Vec::with_capacity(n + 3);
        while mask.len() < n {
            let bits = self.rng.next_u64();
            for part in 0..4 {
                let draw = (bits >> (16 * part)) as u16;
                mask.push(if draw < self.threshold { 0.0 } else { self.scale });
            }
        }
        mask.truncate(n);
        x.mul(&Tensor::from_vec(mask, x.shape(), x.device())?.to_dtype(x.dtype())?)
    }
}
