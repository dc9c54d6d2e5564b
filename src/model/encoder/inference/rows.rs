//! Element by element work on rows, compiled for the vector registers that the CPU has.
//!
//! The loops are plain; [`pulp`] compiles them once for each instruction set and picks one
//! when the program runs.

use pulp::Arch;
use rten_simd::SimdUnaryOp;

use crate::model::encoder::ops::norm::{moments, scale_and_shift};

/// GELU in place; see [`crate::model::encoder::ops::gelu`].
pub fn gelu(x: &mut [f32]) {
    rten_vecmath::Gelu {}.map_mut(x);
}

/// Layer norm of each row of `x`, whose width is that of `weight`.
pub fn norm(x: &mut [f32], weight: &[f32], bias: &[f32], eps: f32) {
    Arch::new().dispatch(|| {
        for row in x.chunks_exact_mut(weight.len()) {
            let (mean, scale) = moments(row, eps);
            scale_and_shift(row, mean, scale, weight, bias);
        }
    });
}

/// `x = norm(x + y)`, row by row.
pub fn add_and_norm(x: &mut [f32], y: &[f32], weight: &[f32], bias: &[f32], eps: f32) {
    Arch::new().dispatch(|| {
        let width = weight.len();
        for (x, y) in x.chunks_exact_mut(width).zip(y.chunks_exact(width)) {
            x.iter_mut().zip(y).for_each(|(x, y)| *x += y);
            let (mean, scale) = moments(x, eps);
            scale_and_shift(x, mean, scale, weight, bias);
        }
    });
}

/// The step and the zero point of a row quantised to `u8`.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Quantised {
    /// What one step is worth.
    pub scale: f32,
    /// The integer that stands for 0.
    pub zero: u8,
}

/// Quantises a row to 0..=255 between its smallest and largest value (0 always among them):
/// `x ≈ (q − zero) · scale`.
pub fn quantise(x: &[f32], q: &mut [u8]) -> Quantised {
    /// Adding this rounds a float of small magnitude to an integer in its lowest bits.
    const ROUND: f32 = 12_582_912.0;
    Arch::new().dispatch(|| {
        let (mut low, mut high) = ([0f32; 16], [0f32; 16]);
        let chunks = x.chunks_exact(16);
        let rest = chunks.remainder();
        for chunk in chunks {
            for ((low, high), x) in low.iter_mut().zip(&mut high).zip(chunk) {
                *low = if *x < *low { *x } else { *low };
                *high = if *x > *high { *x } else { *high };
            }
        }
        let low = low.iter().chain(rest).fold(0f32, |a, b| a.min(*b));
        let high = high.iter().chain(rest).fold(0f32, |a, b| a.max(*b));
        let scale = (high - low) / 255.0;
        if !(scale > 0.0 && scale.is_finite()) {
            q.fill(0);
            // A row of zeros; one with a value that is not finite ends as such.
            return Quantised { scale: if scale == 0.0 { 0.0 } else { f32::NAN }, zero: 0 };
        }
        let inverse = 1.0 / scale;
        let zero = (-low * inverse).round();
        let shift = zero + ROUND;
        for (q, x) in q.iter_mut().zip(x) {
            let value = (x * inverse + shift).clamp(ROUND, ROUND + 255.0);
            *q = value.to_bits() as u8;
        }
        Quantised { scale, zero: zero as u8 }
    })
}

/// What belongs to the output channels of 8-bit weights.
#[derive(Debug, Default)]
pub struct Channels {
    /// What one step of a channel's weights is worth.
    pub scales: Vec<f32>,
    /// The sum of its weights, in steps.
    pub sums: Vec<i32>,
}

/// `y += (sums − zero · channel's sum) · row's step · channel's step`: the product of a
/// quantised row and the weights.
pub fn add_dequantised(sums: &[i32], row: Quantised, channels: &Channels, y: &mut [f32]) {
    Arch::new().dispatch(|| {
        let zero = i32::from(row.zero);
        let channels = channels.scales.iter().zip(&channels.sums);
        for ((y, sum), (scale, of_weights)) in y.iter_mut().zip(sums).zip(channels) {
            *y += (*sum - zero * of_weights) as f32 * (row.scale * scale);
        }
    });
}
