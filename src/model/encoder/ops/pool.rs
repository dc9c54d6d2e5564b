//! Means over runs of packed rows: sentence vectors and mention vectors.

use std::ops::Range;

use candle_core::{CpuStorage, CustomOp1, Layout, Result, Shape, Tensor};

use super::{floats, with_floats};

/// The mean of each run of rows: `x` (rows, width) to (runs, width).
///
/// # Errors
/// If a run is empty or reaches past the rows.
pub fn mean_of_runs(x: &Tensor, runs: &[Range<usize>]) -> Result<Tensor> {
    let (rows, _) = x.dims2()?;
    if let Some(run) = runs.iter().find(|r| r.is_empty() || r.end > rows) {
        candle_core::bail!("mean over rows {run:?} of {rows}")
    }
    if x.device().is_cpu() {
        x.contiguous()?.apply_op1(MeanOfRuns { runs: runs.to_vec() })
    } else {
        // A small dense averaging matrix: differentiable, and one product on the device.
        let mut weights = vec![0f32; runs.len() * rows];
        for (i, run) in runs.iter().enumerate() {
            weights[i * rows..][run.clone()].fill(1.0 / run.len() as f32);
        }
        let weights = Tensor::from_vec(weights, (runs.len(), rows), x.device())?;
        weights.to_dtype(x.dtype())?.matmul(x)
    }
}

struct MeanOfRuns {
    runs: Vec<Range<usize>>,
}

impl CustomOp1 for MeanOfRuns {
    fn name(&self) -> &'static str {
        "mean-of-runs"
    }

    fn cpu_fwd(&self, x: &CpuStorage, layout: &Layout) -> Result<(CpuStorage, Shape)> {
        let (_, width) = layout.shape().dims2()?;
        let x = floats(x, layout)?;
        let mut means = vec![0f32; self.runs.len() * width];
        for (run, mean) in self.runs.iter().zip(means.chunks_exact_mut(width)) {
            for row in x[run.start * width..run.end * width].chunks_exact(width) {
                for (mean, x) in mean.iter_mut().zip(row) {
                    *mean += x;
                }
            }
            let scale = 1.0 / run.len() as f32;
            mean.iter_mut().for_each(|m| *m *= scale);
        }
        Ok((CpuStorage::F32(means), (self.runs.len(), width).into()))
    }

    fn bwd(&self, x: &Tensor, _y: &Tensor, grad: &Tensor) -> Result<Option<Tensor>> {
        let (rows, width) = x.dims2()?;
        let mut grad_x = vec![0f32; rows * width];
        with_floats(grad, |grad| {
            for (run, grad) in self.runs.iter().zip(grad.chunks_exact(width)) {
                let scale = 1.0 / run.len() as f32;
                for row in grad_x[run.start * width..run.end * width].chunks_exact_mut(width) {
                    for (x, g) in row.iter_mut().zip(grad) {
                        *x += g * scale;
                    }
                }
            }
            Ok(())
        })?;
        Ok(Some(Tensor::from_vec(grad_x, (rows, width), x.device())?))
    }
}
