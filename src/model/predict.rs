//! Predictions for many units at once: sorted by length, batched by tokens, on all cores.

use std::sync::atomic::{AtomicUsize, Ordering};

use super::{Model, Prediction, Unit};
use crate::error::Result;

/// How units are spread over batches and threads.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Batching {
    /// Threads that run the encoder, each with its own batches. On a GPU one is enough.
    pub workers: usize,
    /// Most tokens in a batch; a single longer unit makes a batch of its own.
    pub tokens: usize,
}

impl Batching {
    /// One worker a core, and batches that stay inside a core's cache; large batches and
    /// one worker on a GPU.
    pub fn for_device(device: &candle_core::Device) -> Self {
        if device.is_cpu() {
            let workers = std::thread::available_parallelism().map_or(1, |n| n.get());
            Batching { workers, tokens: 1024 }
        } else {
            Batching { workers: 1, tokens: 32 * 1024 }
        }
    }
}

/// Cuts `lengths` (in the given order of `order`) into batches of at most `tokens`.
fn batches<'a>(order: &'a [usize], lengths: &[usize], tokens: usize) -> Vec<&'a [usize]> {
    let (mut batches, mut start, mut sum) = (Vec::new(), 0, 0);
    for (i, &unit) in order.iter().enumerate() {
        if sum + lengths[unit] > tokens && i > start {
            batches.push(&order[start..i]);
            (start, sum) = (i, 0);
        }
        sum += lengths[unit];
    }
    if start < order.len() {
        batches.push(&order[start..]);
    }
    batches
}

/// A prediction for each unit, in the order of `units`. `done` is told the number of units
/// of each finished batch, from any thread.
///
/// # Errors
/// If the model fails on a batch.
pub fn predict_all(
    model: &Model,
    units: &[&Unit],
    batching: Batching,
    done: &(dyn Fn(usize) + Sync),
) -> Result<Vec<Prediction>> {
    let lengths: Vec<usize> = units.iter().map(|u| u.ids.len()).collect();
    let mut order: Vec<usize> = (0..units.len()).collect();
    // Longest first, so that no worker is left with a long batch in the end.
    order.sort_by_key(|&i| std::cmp::Reverse(lengths[i]));
    let batches = batches(&order, &lengths, batching.tokens);
    let next = AtomicUsize::new(0);
    let work = || -> Result<Vec<(usize, Prediction)>> {
        let mut mine = Vec::new();
        while let Some(batch) = batches.get(next.fetch_add(1, Ordering::Relaxed)) {
            let of_batch: Vec<&Unit> = batch.iter().map(|&i| units[i]).collect();
            let predictions = model.predict(&of_batch)?;
            mine.extend(batch.iter().copied().zip(predictions));
            done(batch.len());
        }
        Ok(mine)
    };
    let workers = batching.workers.clamp(1, batches.len().max(1));
    let parts: Vec<Result<Vec<(usize, Prediction)>>> = std::thread::scope(|scope| {
        let handles: Vec<_> = (1..workers).map(|_| scope.spawn(work)).collect();
        let mine = work();
        // A panic in a worker is a bug of ours; it must not be swallowed.
        let others =
            handles.into_iter().map(|h| h.join().unwrap_or_else(|p| std::panic::resume_unwind(p)));
        std::iter::once(mine).chain(others).collect()
    });
    let mut all = Vec::with_capacity(units.len());
    for part in parts {
        all.extend(part?);
    }
    all.sort_unstable_by_key(|(i, _)| *i);
    Ok(all.into_iter().map(|(_, p)| p).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn batches_respect_the_budget() {
        let lengths = [5, 3, 9, 2, 2];
        let order = [2, 0, 1, 3, 4];
        let cut = batches(&order, &lengths, 8);
        assert_eq!(cut, [&[2][..], &[0, 1], &[3, 4]]);
    }
}
