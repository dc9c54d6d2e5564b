//! The encoder's operations on packed rows: tokens of all sentences of a batch laid end
//! to end, so that nothing is spent on padding.
//!
//! On the CPU each is one fused, single-threaded kernel with a backward pass of its own
//! (candle's fused layer norm has none, and would silently cut the gradient); a caller
//! uses the cores by running several batches at once. On other devices the same functions
//! are made of ordinary candle operations.

pub mod attention;
pub mod dropout;
pub mod gelu;
pub mod linear;
pub mod matrix;
pub mod norm;
pub mod pool;

use candle_core::{CpuStorage, Layout, Result, Storage, Tensor, bail};

/// The contiguous `f32` data behind a custom operation's argument.
pub(crate) fn floats<'a>(storage: &'a CpuStorage, layout: &Layout) -> Result<&'a [f32]> {
    match (storage, layout.contiguous_offsets()) {
        (CpuStorage::F32(data), Some((from, to))) => Ok(&data[from..to]),
        (CpuStorage::F32(_), None) => bail!("a packed operation needs contiguous rows"),
        _ => bail!("a packed operation needs f32 values"),
    }
}

/// Runs `f` on the `f32` data of a CPU tensor, made contiguous if need be.
pub(crate) fn with_floats<R>(tensor: &Tensor, f: impl FnOnce(&[f32]) -> Result<R>) -> Result<R> {
    let tensor = tensor.contiguous()?;
    let (storage, layout) = tensor.storage_and_layout();
    match &*storage {
        Storage::Cpu(cpu) => f(floats(cpu, layout)?),
        _ => bail!("a packed operation's gradient needs a CPU tensor"),
    }
}
