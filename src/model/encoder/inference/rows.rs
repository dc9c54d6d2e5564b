//! Element by element work on rows, compiled for the vector registers that the CPU has.
//!
//! The loops are plain; [`pulp`] compiles them once for each instruction set and picks one
//! when the program runs.

use pulp::{Arch, Simd, WithSimd};
use rten_simd::SimdUnaryOp;

use crate::model::encoder::ops::norm::{moments, scale_and_shift};

/// GELU in place; see [`crate::model::encoder::ops::gelu`].
pub fn gelu(x: &mut [f32]) {
    rten_vecmath::Gelu {}.map_mut(x);
}

/// Layer norm of each row of `x`, whose width is that of `weight`.
pub fn norm(x: &mut [f32], weight: &[f32], bias: &[f32], eps: f32) {
    Arch::new().dispatch(Norm { x, add: None, weight, bias, eps });
}

/// `x = norm(x + y)`, row by row.
pub fn add_and_norm(x: &mut [f32], y: &[f32], weight: &[f32], bias: &[f32], eps: f32) {
    Arch::new().dispatch(Norm { x, add: Some(y), weight, bias, eps });
}

struct Norm<'a> {
    x: &'a mut [f32],
    add: Option<&'a [f32]>,
    weight: &'a [f32],
    bias: &'a [f32],
    eps: f32,
}

impl WithSimd for Norm<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, _: S) {
        let Norm { x, add, weight, bias, eps } = self;
        let width = weight.len();
        let mut add = add.map(|y| y.chunks_exact(width));
        for x in x.chunks_exact_mut(width) {
            if let Some(y) = add.as_mut().and_then(Iterator::next) {
                x.iter_mut().zip(y).for_each(|(x, y)| *x += y);
            }
            let (mean, scale) = moments(x, eps);
            scale_and_shift(x, mean, scale, weight, bias);
        }
    }
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
/// `x ≈ (q − zero) · scale`. What `q` has beyond the row stays as it is.
pub fn quantise(x: &[f32], q: &mut [u8]) -> Quantised {
    Arch::new().dispatch(Quantise { x, q })
}

struct Quantise<'a> {
    x: &'a [f32],
    q: &'a mut [u8],
}

impl WithSimd for Quantise<'_> {
    type Output = Quantised;

    #[inline(always)]
    fn with_simd<S: Simd>(self, _: S) -> Quantised {
        /// Adding this rounds a float of small magnitude to an integer in its lowest bits.
        const ROUND: f32 = 12_582_912.0;
        let Quantise { x, q } = self;
        let (low, high) = range(x);
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
    }
}

/// The smallest and the largest value, and 0.
#[inline(always)]
fn range(x: &[f32]) -> (f32, f32) {
    let smaller = |a: f32, b: f32| if b < a { b } else { a };
    let larger = |a: f32, b: f32| if b > a { b } else { a };
    let (mut low, mut high) = ([0f32; 32], [0f32; 32]);
    let (chunks, rest) = x.as_chunks::<32>();
    for chunk in chunks {
        for i in 0..chunk.len() {
            low[i] = smaller(low[i], chunk[i]);
            high[i] = larger(high[i], chunk[i]);
        }
    }
    // Halves on one another: one after the other each would wait for the one before.
    let mut half = low.len();
    while half > 1 {
        half /= 2;
        for i in 0..half {
            low[i] = smaller(low[i], low[i + half]);
            high[i] = larger(high[i], high[i + half]);
        }
    }
    rest.iter().fold((low[0], high[0]), |(low, high), x| (smaller(low, *x), larger(high, *x)))
}

/// What belongs to the output channels of 8-bit weights.
#[derive(Debug, Default)]
pub struct Channels {
    /// What one step of a channel's weights is worth.
    pub scales: Vec<f32>,
    /// The sum of its weights, in steps; a whole number.
    pub sums: Vec<f32>,
}

/// `y += (sums − zero · channel's sum) · row's step · channel's step`: the product of a
/// quantised row and the weights. All whole numbers here must be below 2²⁴, so that floats hold them.
pub fn add_dequantised(sums: &[i32], row: Quantised, channels: &Channels, y: &mut [f32]) {
    Arch::new().dispatch(AddDequantised { sums, row, channels, y });
}

struct AddDequantised<'a> {
    sums: &'a [i32],
    row: Quantised,
    channels: &'a Channels,
    y: &'a mut [f32],
}

impl WithSimd for AddDequantised<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, _: S) {
        let AddDequantised { sums, row, channels, y } = self;
        let zero = f32::from(row.zero);
        let channels = channels.scales.iter().zip(&channels.sums);
        for ((y, sum), (scale, of_weights)) in y.iter_mut().zip(sums).zip(channels) {
            *y += (*sum as f32 - zero * of_weights) * (row.scale * scale);
        }
    }
}
