//! Attention within each sentence, by the products of [`super::panels`].
//!
//! What is computed is that of [`crate::model::encoder::ops::attention`]; here keys and values of
//! one head at a time are laid out as panels.

use pulp::{Arch, Simd, WithSimd};
use rten_simd::SimdUnaryOp;

use super::panels::{Lines, Product, lay_out_channel, panel_width};
use crate::model::encoder::DistanceBias;

/// Attention of the tokens of each sentence to one another: `qkv` (rows, 3 · width) to `out`
/// (rows, width). `offsets` are the sentences' first rows and, last, the number of rows.
pub fn attend(
    qkv: &[f32],
    offsets: &[usize],
    heads: usize,
    distance: Option<&DistanceBias>,
    out: &mut [f32],
    buffers: &mut Buffers,
) {
    Arch::new().dispatch(Attend { qkv, offsets, heads, distance, out, buffers });
}

/// One head's keys, values and weights.
#[derive(Default)]
pub struct Buffers {
    keys: Lines,
    values: Lines,
    weights: Lines,
}

struct Attend<'a> {
    qkv: &'a [f32],
    offsets: &'a [usize],
    heads: usize,
    distance: Option<&'a DistanceBias>,
    out: &'a mut [f32],
    buffers: &'a mut Buffers,
}

impl WithSimd for Attend<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let Attend { qkv, offsets, heads, distance, out, buffers } = self;
        let width = out.len() / offsets.last().copied().unwrap_or(0).max(1);
        let depth = width / heads;
        let panel = panel_width::<S>();
        let scale = 1.0 / (depth as f32).sqrt();
        for sentence in offsets.windows(2).filter(|w| w[1] > w[0]) {
            let tokens = sentence[1] - sentence[0];
            let padded = tokens.next_multiple_of(panel);
            let qkv = &qkv[sentence[0] * 3 * width..sentence[1] * 3 * width];
            let out = &mut out[sentence[0] * width..sentence[1] * width];
            let keys = buffers.keys.of(padded * depth);
            let values = buffers.values.of(tokens * depth.next_multiple_of(panel));
            let weights = buffers.weights.of(tokens * padded);
            for head in 0..heads {
                let from = head * depth;
                for (token, row) in qkv.chunks_exact(3 * width).enumerate() {
                    lay_out_channel(&row[width + from..][..depth], token, panel, scale, keys);
                    let row = &row[2 * width + from..][..depth];
                    for (at, part) in row.chunks(panel).enumerate() {
                        copy::<S>(part, &mut values[(at * tokens + token) * panel..]);
                    }
                }
                let scores = Product {
                    rows: tokens,
                    x: &qkv[from..],
                    x_stride: 3 * width,
                    inputs: depth,
                    panels: keys,
                    bias: None,
                    outputs: padded,
                    y_stride: padded,
                    y: weights,
                };
                scores.with_simd(simd);
                for (place, row) in weights.chunks_exact_mut(padded).enumerate() {
                    if let Some(distance) = distance {
                        let bias = distance.of(head, place, tokens);
                        row.iter_mut().zip(bias).for_each(|(score, bias)| *score += bias);
                    }
                    row[tokens..].fill(f32::NEG_INFINITY);
                    take_off_largest(simd, row);
                }
                rten_vecmath::Exp {}.map_mut(weights);
                for row in weights.chunks_exact_mut(padded) {
                    divide_by_sum(simd, row);
                }
                let mixed = Product {
                    rows: tokens,
                    x: weights,
                    x_stride: padded,
                    inputs: tokens,
                    panels: values,
                    bias: None,
                    outputs: depth,
                    y_stride: width,
                    y: &mut out[from..],
                };
                mixed.with_simd(simd);
            }
        }
    }
}

/// As `copy_from_slice`, which would call a function for these few values.
#[inline(always)]
fn copy<S: Simd>(from: &[f32], to: &mut [f32]) {
    let (from, from_rest) = S::as_simd_f32s(from);
    let (to, to_rest) = to.split_at_mut(from.len() * S::F32_LANES);
    let (to, _) = S::as_mut_simd_f32s(to);
    for (to, from) in to.iter_mut().zip(from) {
        *to = *from;
    }
    for (to, from) in to_rest.iter_mut().zip(from_rest) {
        *to = *from;
    }
}

/// Takes the largest value off each, so that no exponential is larger than 1.
#[inline(always)]
fn take_off_largest<S: Simd>(simd: S, row: &mut [f32]) {
    let (row, _) = S::as_mut_simd_f32s(row);
    let mut largest = simd.splat_f32s(f32::NEG_INFINITY);
    for x in row.iter() {
        largest = simd.max_f32s(largest, *x);
    }
    let largest = simd.splat_f32s(simd.reduce_max_f32s(largest));
    for x in row {
        *x = simd.sub_f32s(*x, largest);
    }
}

#[inline(always)]
fn divide_by_sum<S: Simd>(simd: S, row: &mut [f32]) {
    let (row, _) = S::as_mut_simd_f32s(row);
    let mut sum = simd.splat_f32s(0.0);
    for x in row.iter() {
        sum = simd.add_f32s(sum, *x);
    }
    let inverse = simd.splat_f32s(1.0 / simd.reduce_sum_f32s(sum));
    for x in row {
        *x = simd.mul_f32s(*x, inverse);
    }
}
