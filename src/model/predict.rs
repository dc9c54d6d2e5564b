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
    /// On the CPU one worker a core and small batches, which stay in its cache. On a GPU two
    /// workers, so that one batch is laid out while another is computed, and batches for which
    /// there is memory.
    pub fn for_device(device: &candle_core::Device) -> Self {
        if device.is_cpu() {
            let workers = std::thread::available_parallelism().map_or(1, |n| n.get());
            Batching { workers, tokens: 1024 }
        } else {
            Batching { workers: 2, tokens: tokens_for(free_memory()) }
        }
    }
}

/// Tokens in a batch on a GPU with so many bytes free. A token of a base-size encoder holds
/// about 100 kB of activations at a time, and two batches are under way; half of the memory is
/// left to others.
fn tokens_for(free_bytes: Option<u64>) -> usize {
    const BYTES_A_TOKEN: u64 = 100_000;
    let fitting = free_bytes.unwrap_or(4 << 30) / 4 / BYTES_A_TOKEN;
    fitting.clamp(1024, 128 * 1024) as usize
}

/// Bytes free on the current GPU, where that can be told.
fn free_memory() -> Option<u64> {
    #[cfg(feature = "cuda")]
    if let Ok((free, _)) = candle_core::cuda_backend::cudarc::driver::result::mem_get_info() {
        return Some(free as u64);
    }
    None
}

/// Runs a batch; where the device has no memory for the whole of it, its halves.
fn run_or_halve<T>(batch: &[&Unit], run: &dyn Fn(&[&Unit]) -> Result<Vec<T>>) -> Result<Vec<T>> {
    match run(batch) {
        Err(e)
            if batch.len() > 1
                && e.to_string().to_lowercase().replace('_', " ").contains("out of memory") =>
        {
            let (first, second) = batch.split_at(batch.len() / 2);
            let mut all = run_or_halve(first, run)?;
            all.extend(run_or_halve(second, run)?);
            Ok(all)
        }
        outcome => outcome,
    }
}

/// Tokens of a batch below which cutting it smaller costs more than it saves.
const LEAST: usize = 192;

/// Cuts `lengths` (in the given order of `order`) into batches of at most `tokens`; towards the
/// end into smaller ones, so that no worker waits long for another's last (guided
/// self-scheduling: Polychronopoulos and Kuck 1987).
fn batches<'a>(
    order: &'a [usize],
    lengths: &[usize],
    tokens: usize,
    workers: usize,
) -> Vec<&'a [usize]> {
    let mut rest: usize = lengths.iter().sum();
    let budget = |rest: usize| match workers {
        0 | 1 => tokens,
        _ => (rest / (2 * workers)).clamp(LEAST.min(tokens), tokens),
    };
    let (mut batches, mut start, mut sum, mut most) = (Vec::new(), 0, 0, budget(rest));
    for (i, &unit) in order.iter().enumerate() {
        if sum + lengths[unit] > most && i > start {
            batches.push(&order[start..i]);
            rest = rest.saturating_sub(sum);
            (start, sum, most) = (i, 0, budget(rest));
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
    over_batches(model, units, batching, &|model, units| model.predict(units), done)
}

/// What `run` makes of a batch on one device.
type Run<'a, T> = dyn Fn(&Model, &[&Unit]) -> Result<Vec<T>> + Sync + 'a;

/// What `run` gives for each unit, in the order of `units`.
pub(crate) fn over_batches<T: Send>(
    model: &Model,
    units: &[&Unit],
    batching: Batching,
    run: &Run<T>,
    done: &(dyn Fn(usize) + Sync),
) -> Result<Vec<T>> {
    let lengths: Vec<usize> = units.iter().map(|u| u.ids.len()).collect();
    let mut order: Vec<usize> = (0..units.len()).collect();
    // Longest first, so that no worker is left with a long batch in the end.
    order.sort_by_key(|&i| std::cmp::Reverse(lengths[i]));
    let workers = (batching.workers * model.n_devices()).max(1);
    // A GPU is kept busy by few large batches.
    let sharing = if model.devices().all(candle_core::Device::is_cpu) { workers } else { 1 };
    let batches = batches(&order, &lengths, batching.tokens, sharing);
    let next = AtomicUsize::new(0);
    let work = |worker: usize| -> Result<Vec<(usize, T)>> {
        let model = model.for_worker(worker);
        let mut mine = Vec::new();
        while let Some(batch) = batches.get(next.fetch_add(1, Ordering::Relaxed)) {
            let of_batch: Vec<&Unit> = batch.iter().map(|&i| units[i]).collect();
            let found = run_or_halve(&of_batch, &|units| run(model, units))?;
            mine.extend(batch.iter().copied().zip(found));
            done(batch.len());
        }
        Ok(mine)
    };
    // The matrix kernels would spread over all threads that rayon offers, and wait for each other.
    let work = |worker: usize| match rayon::ThreadPoolBuilder::new().num_threads(1).build() {
        Ok(alone) => alone.install(|| work(worker)),
        Err(_) => work(worker),
    };
    let workers = workers.min(batches.len().max(1));
    let parts: Vec<Result<Vec<(usize, T)>>> = std::thread::scope(|scope| {
        let handles: Vec<_> = (1..workers).map(|i| scope.spawn(move || work(i))).collect();
        let mine = work(0);
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
    Ok(all.into_iter().map(|(_, found)| found).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_batch_without_memory_is_halved() {
        let units = vec![Unit { ids: vec![1; 3], ..Unit::default() }; 7];
        let units: Vec<&Unit> = units.iter().collect();
        let largest = std::cell::Cell::new(0);
        let run = |batch: &[&Unit]| {
            if batch.len() > 2 {
                let driver = "DriverError(CUDA_ERROR_OUT_OF_MEMORY, \"out of memory\")";
                return Err(candle_core::Error::Msg(driver.into()).into());
            }
            largest.set(largest.get().max(batch.len()));
            Ok(vec![(); batch.len()])
        };
        assert_eq!(run_or_halve(&units, &run).unwrap().len(), 7);
        assert_eq!(largest.get(), 2);
        let other =
            |_: &[&Unit]| Err::<Vec<()>, _>(candle_core::Error::Msg("broken".into()).into());
        assert!(run_or_halve(&units, &other).is_err());
    }

    #[test]
    fn batches_on_a_gpu_follow_its_memory() {
        assert_eq!(tokens_for(Some(0)), 1024);
        assert_eq!(tokens_for(None), (4 << 30) / 4 / 100_000);
        assert_eq!(tokens_for(Some(140 << 30)), 128 * 1024);
    }

    #[test]
    fn batches_respect_the_budget() {
        let lengths = [5, 3, 9, 2, 2];
        let order = [2, 0, 1, 3, 4];
        let cut = batches(&order, &lengths, 8, 1);
        assert_eq!(cut, [&[2][..], &[0, 1], &[3, 4]]);
    }

    #[test]
    fn the_last_batches_are_small() {
        let lengths = vec![16; 1000];
        let order: Vec<usize> = (0..1000).collect();
        let cut = batches(&order, &lengths, 1024, 2);
        let tokens: Vec<usize> = cut.iter().map(|b| b.len() * 16).collect();
        assert_eq!(cut.concat(), order);
        assert_eq!(tokens[0], 1024);
        assert!(tokens.is_sorted_by(|a, b| a >= b), "{tokens:?}");
        assert!(tokens.last().is_some_and(|t| *t <= LEAST), "{tokens:?}");
    }
}
