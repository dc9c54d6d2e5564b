//! Products of 8-bit integers on CPUs with AVX-512 VNNI, whose instruction `vpdpbusd` multiplies
//! and adds four pairs at a time.
//!
//! Laid out and walked through like [`super::panels`], and the sums become floats before they
//! leave the registers. The crate `rten-gemm`, which other CPUs use, lays out the inputs first,
//! writes integers and leaves the rest to a second pass.

use std::arch::x86_64::*;

use super::rows::{Channels, Quantised};

/// Registers of output channels in a panel.
const REGISTERS: usize = 2;
/// 32-bit sums in a register.
const LANES: usize = 16;
/// Output channels in a panel.
const WIDTH: usize = REGISTERS * LANES;
/// Inputs that one instruction adds to a sum.
const STEP: usize = 4;
/// Rows whose sums are kept in registers at a time; see [`super::panels`].
const ROWS: usize = 14;
/// A cache line, and a register.
const LINE: usize = 64;

/// Whether this CPU has the instructions.
pub fn is_available() -> bool {
    is_x86_feature_detected!("avx512f")
        && is_x86_feature_detected!("avx512vl")
        && is_x86_feature_detected!("avx512bw")
        && is_x86_feature_detected!("avx512vnni")
}

/// The inputs of a row, filled up to whole steps.
pub fn padded(inputs: usize) -> usize {
    inputs.next_multiple_of(STEP)
}

/// 8-bit weights laid out for the registers.
pub struct Panels {
    /// From `start` on panels one after the other, each (steps, width, [`STEP`]). Inputs and
    /// channels that fill up have weights of zero.
    weights: Vec<i8>,
    start: usize,
    inputs: usize,
    outputs: usize,
}

impl Panels {
    /// Lays out `weights` (outputs, inputs).
    ///
    /// # Panics
    /// If there are no inputs.
    pub fn new(weights: &[i8], inputs: usize) -> Self {
        let outputs = weights.len() / inputs;
        let depth = padded(inputs);
        let mut laid_out = vec![0; outputs.next_multiple_of(WIDTH) * depth + LINE - 1];
        let start = laid_out.as_ptr().align_offset(LINE).min(LINE - 1);
        for (output, row) in weights.chunks_exact(inputs).enumerate() {
            let channel = start + output / WIDTH * WIDTH * depth + output % WIDTH * STEP;
            for (input, weight) in row.iter().enumerate() {
                laid_out[channel + input / STEP * WIDTH * STEP + input % STEP] = *weight;
            }
        }
        Panels { weights: laid_out, start, inputs: depth, outputs }
    }

    /// `y = b + x · Wᵀ` for `x` (rows, [`padded`] inputs), quantised with a step and a zero point a
    /// row, and `y` (rows, outputs); without `bias` the product is added to `y`.
    ///
    /// # Panics
    /// If the CPU lacks the instructions, or lengths do not fit.
    pub fn multiply(
        &self,
        x: &[u8],
        rows: &[Quantised],
        channels: &Channels,
        bias: Option<&[f32]>,
        y: &mut [f32],
    ) {
        assert!(is_available(), "AVX-512 VNNI");
        assert_eq!(x.len(), rows.len() * self.inputs, "rows of quantised inputs");
        assert_eq!(y.len(), rows.len() * self.outputs, "rows of results");
        // SAFETY: the CPU has what the function was compiled for.
        unsafe { self.multiply_all(x, rows, channels, bias, y) }
    }

    #[target_feature(enable = "avx512f,avx512vl,avx512bw,avx512vnni")]
    fn multiply_all(
        &self,
        x: &[u8],
        rows: &[Quantised],
        channels: &Channels,
        bias: Option<&[f32]>,
        y: &mut [f32],
    ) {
        let length = self.outputs.next_multiple_of(WIDTH) * self.inputs;
        let panels = self.weights[self.start..][..length].chunks_exact(WIDTH * self.inputs);
        for (at, weights) in panels.enumerate() {
            let first = at * WIDTH;
            let panel = Panel { first, inputs: self.inputs, outputs: self.outputs, weights };
            // No row may be done twice, as with floats: it may be added to what is there.
            let whole = rows.len() / ROWS * ROWS;
            for row in (0..whole).step_by(ROWS) {
                panel.multiply::<ROWS>(row, x, rows, channels, bias, y);
            }
            for row in whole..rows.len() {
                panel.multiply::<1>(row, x, rows, channels, bias, y);
            }
        }
    }
}

struct Panel<'a> {
    /// The first output channel.
    first: usize,
    inputs: usize,
    outputs: usize,
    weights: &'a [i8],
}

impl Panel<'_> {
    /// `N` rows from `row` on.
    #[target_feature(enable = "avx512f,avx512vl,avx512bw,avx512vnni")]
    fn multiply<const N: usize>(
        &self,
        row: usize,
        x: &[u8],
        rows: &[Quantised],
        channels: &Channels,
        bias: Option<&[f32]>,
        y: &mut [f32],
    ) {
        let mut inputs = [&x[..0]; N];
        for (i, inputs) in inputs.iter_mut().enumerate() {
            *inputs = &x[(row + i) * self.inputs..][..self.inputs];
        }
        let (weights, _) = self.weights.as_chunks::<LINE>();
        let (weights, _) = weights.as_chunks::<REGISTERS>();
        assert_eq!(weights.len() * STEP, self.inputs);
        let mut sums = [[_mm512_setzero_si512(); REGISTERS]; N];
        for (k, weights) in weights.iter().enumerate() {
            let mut of_panel = [_mm512_setzero_si512(); REGISTERS];
            for (to, weights) in of_panel.iter_mut().zip(weights) {
                // SAFETY: a chunk is as long as a register.
                *to = unsafe { _mm512_loadu_epi8(weights.as_ptr()) };
            }
            for i in 0..N {
                // SAFETY: each row was cut to four bytes for each `k`.
                let four =
                    unsafe { inputs[i].as_ptr().add(k * STEP).cast::<i32>().read_unaligned() };
                let four = _mm512_set1_epi32(four);
                for j in 0..REGISTERS {
                    sums[i][j] = _mm512_dpbusd_epi32(sums[i][j], four, of_panel[j]);
                }
            }
        }
        // A copy, for the compiler keeps what is indexed in a long loop out of the registers.
        let mut done = [[_mm512_setzero_ps(); REGISTERS]; N];
        for i in 0..N {
            for j in 0..REGISTERS {
                done[i][j] = _mm512_cvtepi32_ps(sums[i][j]);
            }
        }
        for j in 0..REGISTERS {
            let from = (self.first + j * LANES).min(self.outputs);
            let used = (self.outputs - from).min(LANES);
            let mask = ((1u32 << used) - 1) as u16;
            let scales = load(&channels.scales[from..from + used], mask);
            let of_weights = load(&channels.sums[from..from + used], mask);
            let bias = bias.map(|bias| &bias[from..from + used]);
            for (i, done) in done.iter().enumerate() {
                let Quantised { scale, zero } = rows[row + i];
                let y = &mut y[(row + i) * self.outputs + from..][..used];
                let zero = _mm512_mul_ps(_mm512_set1_ps(f32::from(zero)), of_weights);
                let sum = _mm512_sub_ps(done[j], zero);
                let product = _mm512_mul_ps(sum, _mm512_mul_ps(_mm512_set1_ps(scale), scales));
                let result = _mm512_add_ps(load(bias.unwrap_or(y), mask), product);
                // SAFETY: the mask leaves out what lies behind the slice.
                unsafe { _mm512_mask_storeu_ps(y.as_mut_ptr(), mask, result) };
            }
        }
    }
}

/// Up to a register's worth of floats, of which there are as many as `mask` has ones.
#[inline]
#[target_feature(enable = "avx512f")]
fn load(values: &[f32], mask: u16) -> __m512 {
    debug_assert_eq!(values.len(), mask.count_ones() as usize);
    // SAFETY: the mask leaves out what lies behind the slice.
    unsafe { _mm512_maskz_loadu_ps(mask, values.as_ptr()) }
}
