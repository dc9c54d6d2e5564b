//! Products of rows and a weight matrix in `f32`.
//!
//! The weights lie in panels: as many output channels as two vector registers hold, input by
//! input. A panel is read from its beginning to its end for every few rows, whose sums stay in
//! registers all the while and get the bias before they are written. The loop is plain; [`pulp`]
//! compiles it for each instruction set and picks one when the program runs.
//!
//! Why not the crate `rten-gemm`, which multiplies 8-bit integers here where there is no AVX-512 VNNI:
//! it cuts the inputs at 256, writes sums and reads them back, and adds the bias afterwards.

use pulp::{Arch, Simd, WithSimd};

/// Registers of output channels in a panel.
const REGISTERS: usize = 2;

/// Rows whose sums are kept in registers at a time, where there are 32 registers: 28 sums, and the
/// weights and the input that are being multiplied.
const ROWS: usize = 14;

/// The same where there are 16, as in AVX2: twelve sums, enough for two units with a latency of
/// four cycles.
const FEW_ROWS: usize = 6;

/// The same where there are fewer rows than that.
const HANDFUL: usize = 4;

/// A cache line: a register of AVX-512 is as long, and must not lie across two.
const LINE: usize = 64 / size_of::<f32>();

/// Floats that begin at a cache line. They are kept from use to use, and never shrink.
#[derive(Default)]
pub struct Lines {
    data: Vec<f32>,
    start: usize,
}

impl Lines {
    /// `n` floats, which may hold what was there before.
    pub fn of(&mut self, n: usize) -> &mut [f32] {
        if self.data.len() < n + LINE - 1 {
            // With something over, for the next may be a little longer.
            self.data = vec![0.0; n + n / 4 + LINE - 1];
            let start = self.data.as_ptr().align_offset(LINE * size_of::<f32>());
            self.start = start.min(LINE - 1);
        }
        &mut self.data[self.start..][..n]
    }
}

/// A weight matrix and its bias, laid out for the registers of this CPU.
pub struct Panels {
    /// Panels one after the other, each (inputs, width). Channels that fill up the last panel have
    /// weights of zero.
    weights: Lines,
    /// Filled up likewise.
    bias: Vec<f32>,
    inputs: usize,
    outputs: usize,
}

impl Panels {
    /// Lays out `weights` (outputs, inputs), an output for each value of `bias`.
    ///
    /// # Panics
    /// If there are no inputs, or not so many weights.
    pub fn new(weights: &[f32], bias: &[f32], inputs: usize) -> Self {
        let outputs = bias.len();
        assert!(inputs > 0, "a linear layer needs inputs");
        assert_eq!(weights.len(), outputs * inputs, "weights of a linear layer");
        let width = Arch::new().dispatch(Width);
        let padded = outputs.next_multiple_of(width);
        let mut panels = Lines::default();
        let laid_out = panels.of(padded * inputs);
        for (output, row) in weights.chunks_exact(inputs).enumerate() {
            lay_out_channel(row, output, width, 1.0, laid_out);
        }
        let mut bias = bias.to_vec();
        bias.resize(padded, 0.0);
        Panels { weights: panels, bias, inputs, outputs }
    }

    /// `y = x · Wᵀ + b` for `x` (rows, inputs) and `y` (rows, outputs).
    ///
    /// # Panics
    /// If the two do not have the same number of whole rows.
    pub fn multiply(&self, x: &[f32], y: &mut [f32]) {
        let rows = x.len() / self.inputs;
        assert_eq!(x.len(), rows * self.inputs, "rows of a linear layer's inputs");
        assert_eq!(y.len(), rows * self.outputs, "rows of a linear layer's results");
        Arch::new().dispatch(Product {
            rows,
            x,
            x_stride: self.inputs,
            inputs: self.inputs,
            panels: &self.weights.data[self.weights.start..][..self.bias.len() * self.inputs],
            bias: Some(&self.bias),
            outputs: self.outputs,
            y_stride: self.outputs,
            y,
        });
    }
}

/// Puts the weights of one output channel, times `scale`, where they belong in panels of `width`
/// channels.
#[inline(always)]
pub fn lay_out_channel(
    weights: &[f32],
    channel: usize,
    width: usize,
    scale: f32,
    panels: &mut [f32],
) {
    let first = channel / width * width * weights.len() + channel % width;
    let places = panels[first..].iter_mut().step_by(width);
    places.zip(weights).for_each(|(to, weight)| *to = weight * scale);
}

/// How many channels a panel has on this CPU.
struct Width;

impl WithSimd for Width {
    type Output = usize;

    fn with_simd<S: Simd>(self, _: S) -> usize {
        panel_width::<S>()
    }
}

/// How many channels a panel has.
#[inline(always)]
pub fn panel_width<S: Simd>() -> usize {
    REGISTERS * S::F32_LANES
}

/// `y = x · panels + bias`, row by row.
pub struct Product<'a> {
    /// Rows of `x` and `y`.
    pub rows: usize,
    /// Rows of inputs, the first of each `x_stride` after that of the one before.
    pub x: &'a [f32],
    /// See `x`.
    pub x_stride: usize,
    /// Width of a row of inputs.
    pub inputs: usize,
    /// Whole panels, each (inputs, [`panel_width`]), for at least so many outputs.
    pub panels: &'a [f32],
    /// A value for each channel of the panels.
    pub bias: Option<&'a [f32]>,
    /// Width of a row of results.
    pub outputs: usize,
    /// See `y`.
    pub y_stride: usize,
    /// Rows of results, the first of each `y_stride` after that of the one before.
    pub y: &'a mut [f32],
}

impl WithSimd for Product<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(mut self, simd: S) {
        if S::REGISTER_COUNT >= 32 {
            self.with_tiles::<S, ROWS>(simd);
        } else {
            self.with_tiles::<S, FEW_ROWS>(simd);
        }
    }
}

impl Product<'_> {
    /// All panels with all rows, `N` or fewer at a time. The last of them go together with some
    /// before that are computed again.
    #[inline(always)]
    fn with_tiles<S: Simd, const N: usize>(&mut self, simd: S) {
        let (panels, _) = S::as_simd_f32s(self.panels);
        let (panels, _) = panels.as_chunks::<REGISTERS>();
        let bias = self.bias.map(|bias| S::as_simd_f32s(bias).0.as_chunks::<REGISTERS>().0);
        for (at, panel) in panels.chunks_exact(self.inputs).enumerate() {
            let first = at * panel_width::<S>();
            let bias = bias.map_or([simd.splat_f32s(0.0); REGISTERS], |bias| bias[at]);
            match self.rows {
                0..HANDFUL => {
                    for row in 0..self.rows {
                        self.tile::<S, 1>(simd, row, first, panel, bias);
                    }
                }
                rows if rows < N => {
                    for row in (0..rows).step_by(HANDFUL) {
                        self.tile::<S, HANDFUL>(simd, row.min(rows - HANDFUL), first, panel, bias);
                    }
                }
                rows => {
                    for row in (0..rows).step_by(N) {
                        self.tile::<S, N>(simd, row.min(rows - N), first, panel, bias);
                    }
                }
            }
        }
    }

    /// The panel whose first channel is `first`, with `N` rows from `row` on.
    #[inline(always)]
    fn tile<S: Simd, const N: usize>(
        &mut self,
        simd: S,
        row: usize,
        first: usize,
        panel: &[[S::f32s; REGISTERS]],
        bias: [S::f32s; REGISTERS],
    ) {
        let x: [&[f32]; N] =
            std::array::from_fn(|i| &self.x[(row + i) * self.x_stride..][..panel.len()]);
        let mut sums = [[simd.splat_f32s(0.0); REGISTERS]; N];
        for (k, weights) in panel.iter().enumerate() {
            for i in 0..N {
                // SAFETY: each row was cut to the length over which `k` runs. The compiler does not
                // see it, and would check each time.
                let x = simd.splat_f32s(unsafe { *x[i].get_unchecked(k) });
                for j in 0..REGISTERS {
                    sums[i][j] = simd.mul_add_e_f32s(x, weights[j], sums[i][j]);
                }
            }
        }
        // A copy: what is indexed in a loop that the compiler does not unroll lies in memory, and the
        // sums must not.
        let mut done = sums;
        for i in 0..N {
            for j in 0..REGISTERS {
                done[i][j] = simd.add_f32s(sums[i][j], bias[j]);
            }
        }
        let used = (self.outputs - first).min(panel_width::<S>());
        for (i, done) in done.iter().enumerate() {
            let y = &mut self.y[(row + i) * self.y_stride + first..][..used];
            if used == panel_width::<S>() {
                let (y, _) = S::as_mut_simd_f32s(y);
                y.copy_from_slice(done);
            } else {
                let (now, after) = y.split_at_mut(used.min(S::F32_LANES));
                simd.partial_store_f32s(now, done[0]);
                simd.partial_store_f32s(after, done[1]);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        /// Whole and partial panels, whole and partial tiles.
        #[test]
        fn equals_the_sums_written_out(
            rows in 0usize..15, inputs in 1usize..40, outputs in 1usize..80, seed in 0u32..1000,
        ) {
            let value = |i: usize| {
                (((i as u32).wrapping_mul(2_654_435_761) ^ seed) % 17) as f32 / 4.0 - 2.0
            };
            let x: Vec<f32> = (0..rows * inputs).map(value).collect();
            let weights: Vec<f32> = (0..outputs * inputs).map(|i| value(i + 7)).collect();
            let bias: Vec<f32> = (0..outputs).map(|i| value(i + 3)).collect();
            let mut y = vec![f32::NAN; rows * outputs];
            Panels::new(&weights, &bias, inputs).multiply(&x, &mut y);
            let expected = x.chunks_exact(inputs).flat_map(|x| {
                weights.chunks_exact(inputs).zip(&bias).map(|(w, b)| {
                    b + x.iter().zip(w).map(|(x, w)| x * w).sum::<f32>()
                })
            });
            // Sixteenths that fit into 24 bits: exact in any order.
            prop_assert_eq!(y, expected.collect::<Vec<_>>());
        }
    }
}
