//! One linear layer with its weights packed for the matrix kernel.

use std::ops::Range;

use rten_gemm::{BiasVector, GemmExecutor, GemmInputA, GemmInputB, GemmOptions, PackedBMatrix};
use rten_tensor::NdTensorView;

use super::Weights;
use super::rows::{Channels, Quantised, add_dequantised, quantise};

/// Largest magnitude of an 8-bit weight. On CPUs without a dot product of 8-bit integers two
/// products are added in 16 bits, which 2 · 255 · 63 does not overflow; the same range is used
/// everywhere, so that a model gives the same labels on every machine.
const MOST: f32 = 63.0;

/// Inputs of a row that are quantised with one step. The inner activations of a feed-forward
/// layer hold a few values far larger than the rest; in groups, these blur only their neighbours.
const GROUP: usize = 384;

/// `x · Wᵀ + b` on rows.
pub struct Dense {
    kernel: Kernel,
    bias: Vec<f32>,
    inputs: usize,
}

enum Kernel {
    F32(PackedBMatrix<f32>),
    Int8(Vec<Group>),
}

/// The weights of some of the inputs.
struct Group {
    inputs: Range<usize>,
    weights: PackedBMatrix<i8>,
    channels: Channels,
}

/// Buffers for quantised rows.
#[derive(Default)]
pub struct Scratch {
    quantised: Vec<u8>,
    steps: Vec<Quantised>,
    sums: Vec<i32>,
}

/// Whether this CPU multiplies 8-bit integers faster than floats.
pub fn int8_is_fast() -> bool {
    !GemmExecutor::<u8, i8, i32>::new().kernel_name().contains("generic")
}

impl Dense {
    /// Packs `weights` (outputs, inputs).
    ///
    /// # Errors
    /// If the lengths do not fit.
    pub fn new(
        weights: &[f32],
        bias: Vec<f32>,
        inputs: usize,
        kind: Weights,
    ) -> candle_core::Result<Self> {
        let outputs = bias.len();
        if inputs == 0 || weights.len() != outputs * inputs {
            candle_core::bail!(
                "{} weights for {inputs} inputs and {outputs} outputs",
                weights.len()
            )
        }
        let kernel = match kind {
            Weights::F32 => {
                let gemm = GemmExecutor::<f32>::new();
                let view = NdTensorView::from_data([outputs, inputs], weights);
                Kernel::F32(gemm.prepack_b(view.transposed()))
            }
            Weights::Int8 => {
                let gemm = GemmExecutor::<u8, i8, i32>::new();
                let group = |from: usize| {
                    let part = from..(from + GROUP).min(inputs);
                    Group::new(
                        &gemm,
                        weights.chunks_exact(inputs).map(|row| &row[part.clone()]),
                        part.clone(),
                    )
                };
                Kernel::Int8((0..inputs).step_by(GROUP).map(group).collect())
            }
        };
        Ok(Dense { kernel, bias, inputs })
    }

    /// Width of the result.
    pub fn outputs(&self) -> usize {
        self.bias.len()
    }

    /// `y = x · Wᵀ + b` for `x` (rows, inputs) and `y` (rows, outputs).
    ///
    /// # Errors
    /// If the lengths do not fit.
    pub fn forward(
        &self,
        x: &[f32],
        y: &mut [f32],
        scratch: &mut Scratch,
    ) -> candle_core::Result<()> {
        let (inputs, outputs) = (self.inputs, self.outputs());
        let rows = x.len() / inputs;
        if x.len() != rows * inputs || y.len() != rows * outputs {
            candle_core::bail!(
                "a linear layer of {inputs} inputs and {outputs} outputs got {} and {}",
                x.len(),
                y.len()
            )
        }
        match &self.kernel {
            // An executor cannot be sent between threads, and making one costs next to nothing.
            Kernel::F32(weights) => GemmExecutor::<f32>::new()
                .gemm(
                    y,
                    GemmInputA::Unpacked(NdTensorView::from_data([rows, inputs], x)),
                    GemmInputB::Packed(weights),
                    GemmOptions { bias: Some(BiasVector::Row(&self.bias)), ..Default::default() },
                )
                .map_err(candle_core::Error::wrap),
            Kernel::Int8(groups) => {
                let gemm = GemmExecutor::<u8, i8, i32>::new();
                for row in y.chunks_exact_mut(outputs) {
                    row.copy_from_slice(&self.bias);
                }
                groups.iter().try_for_each(|group| group.add(&gemm, x, inputs, y, scratch))
            }
        }
    }
}

impl Group {
    /// Quantises `rows`, the weights of this group's inputs for each output.
    fn new<'a>(
        gemm: &GemmExecutor<u8, i8, i32>,
        rows: impl Iterator<Item = &'a [f32]>,
        inputs: Range<usize>,
    ) -> Self {
        let mut quantised: Vec<i8> = Vec::new();
        let mut channels = Channels::default();
        for row in rows {
            let largest = row.iter().fold(0f32, |m, w| m.max(w.abs()));
            let scale = if largest > 0.0 { largest / MOST } else { 1.0 };
            let row = row.iter().map(|w| (w / scale).round() as i8);
            channels.scales.push(scale);
            channels.sums.push(row.clone().map(i32::from).sum());
            quantised.extend(row);
        }
        let view = NdTensorView::from_data([channels.scales.len(), inputs.len()], &quantised[..]);
        Group { inputs, weights: gemm.prepack_b(view.transposed()), channels }
    }

    /// Adds this group's share of the product of `x` (rows, inputs) to `y`.
    fn add(
        &self,
        gemm: &GemmExecutor<u8, i8, i32>,
        x: &[f32],
        inputs: usize,
        y: &mut [f32],
        scratch: &mut Scratch,
    ) -> candle_core::Result<()> {
        let (rows, width, outputs) =
            (x.len() / inputs, self.inputs.len(), self.channels.scales.len());
        let Scratch { quantised, steps, sums } = scratch;
        quantised.resize(rows * width, 0);
        sums.resize(y.len(), 0);
        steps.clear();
        let x = x.chunks_exact(inputs).map(|row| &row[self.inputs.clone()]);
        steps.extend(x.zip(quantised.chunks_exact_mut(width)).map(|(x, q)| quantise(x, q)));
        // The kernel can take zero points itself, but rten-gemm 0.27.0 mixes up those of
        // different rows.
        gemm.gemm(
            sums,
            GemmInputA::Unpacked(NdTensorView::from_data([rows, width], &quantised[..])),
            GemmInputB::Packed(&self.weights),
            GemmOptions::default(),
        )
        .map_err(candle_core::Error::wrap)?;
        let sums = sums.chunks_exact(outputs).zip(y.chunks_exact_mut(outputs));
        for ((sums, y), step) in sums.zip(steps) {
            add_dequantised(sums, *step, &self.channels, y);
        }
        Ok(())
    }
}
