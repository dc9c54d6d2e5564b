//! One linear layer with its weights laid out for the kernel that this CPU runs best.

use std::ops::Range;

use rten_gemm::{GemmExecutor, GemmInputA, GemmInputB, GemmOptions, PackedBMatrix};
use rten_tensor::NdTensorView;

use super::Weights;
use super::panels::Panels;
use super::rows::{Channels, Quantised, add_dequantised, quantise};
#[cfg(target_arch = "x86_64")]
use super::vnni;

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
    F32(Panels),
    Int8(Vec<Group>),
}

/// The weights of some of the inputs.
struct Group {
    inputs: Range<usize>,
    weights: Bytes,
    channels: Channels,
}

/// 8-bit weights as this CPU reads them.
enum Bytes {
    #[cfg(target_arch = "x86_64")]
    Vnni(vnni::Panels),
    Packed(PackedBMatrix<i8>),
}

thread_local! {
    /// An executor cannot be sent between threads, and making one asks the CPU what it can do, which
    /// takes long in a virtual machine.
    static GEMM: GemmExecutor<u8, i8, i32> = GemmExecutor::new();
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
    GEMM.with(|gemm| !gemm.kernel_name().contains("generic"))
}

impl Dense {
    /// Lays out `weights` (outputs, inputs).
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
            Weights::F32 => Kernel::F32(Panels::new(weights, &bias, inputs)),
            Weights::Int8 => Kernel::Int8(groups(weights, inputs, has_vnni())),
        };
        Ok(Dense { kernel, bias, inputs })
    }

    /// 8-bit weights as on a CPU without AVX-512 VNNI.
    #[cfg(test)]
    pub fn without_vnni(weights: &[f32], bias: Vec<f32>, inputs: usize) -> Self {
        Dense { kernel: Kernel::Int8(groups(weights, inputs, false)), bias, inputs }
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
            Kernel::F32(panels) => {
                panels.multiply(x, y);
                Ok(())
            }
            Kernel::Int8(groups) => {
                let mut bias = Some(&self.bias[..]);
                groups.iter().try_for_each(|group| group.add(x, inputs, bias.take(), y, scratch))
            }
        }
    }
}

/// Whether the CPU has AVX-512 VNNI.
fn has_vnni() -> bool {
    #[cfg(target_arch = "x86_64")]
    return vnni::is_available();
    #[cfg(not(target_arch = "x86_64"))]
    false
}

/// Quantises `weights` (outputs, inputs), so many inputs at a time.
fn groups(weights: &[f32], inputs: usize, vnni: bool) -> Vec<Group> {
    let group = |from: usize| {
        let part = from..(from + GROUP).min(inputs);
        let rows = weights.chunks_exact(inputs).map(|row| &row[part.clone()]);
        Group::new(rows, part.clone(), vnni)
    };
    (0..inputs).step_by(GROUP).map(group).collect()
}

impl Group {
    /// Quantises `rows`, the weights of this group's inputs for each output.
    fn new<'a>(rows: impl Iterator<Item = &'a [f32]>, inputs: Range<usize>, vnni: bool) -> Self {
        let mut quantised: Vec<i8> = Vec::new();
        let mut channels = Channels::default();
        for row in rows {
            let largest = row.iter().fold(0f32, |m, w| m.max(w.abs()));
            let scale = if largest > 0.0 { largest / MOST } else { 1.0 };
            let row = row.iter().map(|w| (w / scale).round() as i8);
            channels.scales.push(scale);
            channels.sums.push(row.clone().map(f32::from).sum());
            quantised.extend(row);
        }
        let weights = Bytes::new(&quantised, channels.scales.len(), inputs.len(), vnni);
        Group { inputs, weights, channels }
    }

    /// Adds this group's share of the product of `x` (rows, inputs) to `bias`, if given, or else to
    /// `y`, and puts it into `y`.
    fn add(
        &self,
        x: &[f32],
        inputs: usize,
        bias: Option<&[f32]>,
        y: &mut [f32],
        scratch: &mut Scratch,
    ) -> candle_core::Result<()> {
        let (rows, outputs) = (x.len() / inputs, self.channels.scales.len());
        let width = self.weights.width(self.inputs.len());
        let Scratch { quantised, steps, sums } = scratch;
        let quantised = at_least(quantised, rows * width);
        steps.clear();
        let x = x.chunks_exact(inputs).map(|row| &row[self.inputs.clone()]);
        steps.extend(x.zip(quantised.chunks_exact_mut(width)).map(|(x, q)| quantise(x, q)));
        let packed = match &self.weights {
            #[cfg(target_arch = "x86_64")]
            Bytes::Vnni(panels) => {
                panels.multiply(quantised, steps, &self.channels, bias, y);
                return Ok(());
            }
            Bytes::Packed(packed) => packed,
        };
        let sums = at_least(sums, y.len());
        // The kernel can take zero points itself, but rten-gemm 0.27.0 mixes up those of
        // different rows.
        let product = |gemm: &GemmExecutor<u8, i8, i32>| {
            gemm.gemm(
                sums,
                GemmInputA::Unpacked(NdTensorView::from_data([rows, width], &quantised[..])),
                GemmInputB::Packed(packed),
                GemmOptions::default(),
            )
            .map(|_| ())
        };
        GEMM.with(product).map_err(candle_core::Error::wrap)?;
        let sums = sums.chunks_exact(outputs).zip(y.chunks_exact_mut(outputs));
        for ((sums, y), step) in sums.zip(steps) {
            if let Some(bias) = bias {
                y.copy_from_slice(bias);
            }
            add_dequantised(sums, *step, &self.channels, y);
        }
        Ok(())
    }
}

impl Bytes {
    /// Lays out `weights` (outputs, inputs).
    #[cfg_attr(not(target_arch = "x86_64"), expect(unused_variables, reason = "no such CPU"))]
    fn new(weights: &[i8], outputs: usize, inputs: usize, vnni: bool) -> Self {
        #[cfg(target_arch = "x86_64")]
        if vnni {
            return Bytes::Vnni(vnni::Panels::new(weights, inputs));
        }
        let view = NdTensorView::from_data([outputs, inputs], weights);
        Bytes::Packed(GEMM.with(|gemm| gemm.prepack_b(view.transposed())))
    }

    /// Bytes of a quantised row of so many inputs.
    fn width(&self, inputs: usize) -> usize {
        match self {
            #[cfg(target_arch = "x86_64")]
            Bytes::Vnni(_) => vnni::padded(inputs),
            Bytes::Packed(_) => inputs,
        }
    }
}

/// The first `n` values of a buffer, which grows if it must and never shrinks: growing again would
/// fill it with zeros each time.
fn at_least<T: Clone + Default>(buffer: &mut Vec<T>, n: usize) -> &mut [T] {
    if buffer.len() < n {
        buffer.resize(n, T::default());
    }
    &mut buffer[..n]
}
