//! Random weights for whole articles, and the totals under them.
//!
//! The bootstrap and the permutation test are the same computation: draw a weight for
//! each article, multiply the weights with the articles' counts. Only the weights differ:
//! how often an article was drawn with replacement, or whether it fell to the first
//! outlet. Weights are drawn for a block of repetitions at a time and multiplied as one
//! matrix product, so the cost depends on articles and labels and never on sentences.

use ndarray::{Array2, ArrayView2, ArrayViewMut1, Axis};
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use rayon::prelude::*;
use sha2::{Digest, Sha256};

/// Weights held at a time by one thread: 8 MB of them.
const MAX_WEIGHTS: usize = 1 << 20;
/// Repetitions that are drawn and multiplied together.
const BLOCK: usize = 64;

/// Where a stream of random numbers comes from: the run's seed and the name of what is
/// computed, so that no figure depends on what else is computed, nor on threads.
#[derive(Debug, Clone, Copy)]
pub(super) struct Source([u8; 32]);

impl Source {
    pub(super) fn new(seed: u64, name: &[&str]) -> Self {
        let mut hash = Sha256::new();
        hash.update(seed.to_le_bytes());
        for part in name {
            hash.update((part.len() as u64).to_le_bytes());
            hash.update(part.as_bytes());
        }
        Self(hash.finalize().into())
    }

    fn stream(&self, number: usize) -> ChaCha8Rng {
        let mut rng = ChaCha8Rng::from_seed(self.0);
        rng.set_stream(number as u64);
        rng
    }
}

/// Totals of `counts` (articles × columns) when articles are drawn with replacement, as
/// many as there are: repetitions × columns.
pub(super) fn with_replacement(
    counts: ArrayView2<f64>,
    repetitions: usize,
    source: Source,
) -> Array2<f64> {
    let n = counts.nrows();
    weighted_totals(counts, repetitions, source, move |rng, mut weights| {
        for _ in 0..n {
            weights[rng.random_range(0..n)] += 1.0;
        }
    })
}

/// Totals of `counts` over `size` articles drawn without replacement: repetitions × columns.
pub(super) fn subsets(
    counts: ArrayView2<f64>,
    size: usize,
    repetitions: usize,
    source: Source,
) -> Array2<f64> {
    let n = counts.nrows();
    weighted_totals(counts, repetitions, source, move |rng, mut weights| {
        // Floyd's algorithm (Bentley & Floyd 1987): the weights are themselves the set.
        for j in n.saturating_sub(size)..n {
            let drawn = rng.random_range(0..=j);
            let new = if weights[drawn] == 0.0 { drawn } else { j };
            weights[new] = 1.0;
        }
    })
}

fn weighted_totals(
    counts: ArrayView2<f64>,
    repetitions: usize,
    source: Source,
    draw: impl Fn(&mut ChaCha8Rng, ArrayViewMut1<f64>) + Sync,
) -> Array2<f64> {
    let n = counts.nrows();
    let mut totals = Array2::zeros((repetitions, counts.ncols()));
    if n == 0 {
        return totals;
    }
    let block = (MAX_WEIGHTS / n).clamp(1, BLOCK);
    let chunks: Vec<_> = totals.axis_chunks_iter_mut(Axis(0), block).collect();
    chunks.into_par_iter().enumerate().for_each(|(k, mut chunk)| {
        let mut weights = Array2::zeros((chunk.nrows(), n));
        for (i, row) in weights.rows_mut().into_iter().enumerate() {
            draw(&mut source.stream(k * block + i), row);
        }
        ndarray::linalg::general_mat_mul(1.0, &weights, &counts, 0.0, &mut chunk);
    });
    totals
}

#[cfg(test)]
mod tests {
    use ndarray::Array2;
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn streams_differ_by_seed_and_name_and_are_not_fooled_by_joined_names() {
        let counts = Array2::from_shape_fn((50, 1), |(i, _)| i as f64);
        let totals = |source| with_replacement(counts.view(), 10, source);
        let a = totals(Source::new(1, &["ab", "c"]));
        assert_eq!(a, totals(Source::new(1, &["ab", "c"])));
        assert_ne!(a, totals(Source::new(2, &["ab", "c"])));
        assert_ne!(a, totals(Source::new(1, &["a", "bc"])));
    }

    #[test]
    fn the_number_of_threads_changes_nothing() {
        let counts = Array2::from_shape_fn((30, 3), |(i, j)| (i * 7 + j) as f64);
        let run = |threads| {
            let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
            pool.install(|| with_replacement(counts.view(), 500, Source::new(1, &["x"])))
        };
        assert_eq!(run(1), run(3));
    }

    #[test]
    fn every_subset_is_equally_likely() {
        // Powers of two make each subset of 2 out of 4 readable from its total.
        let counts = Array2::from_shape_fn((4, 1), |(i, _)| f64::from(1 << i));
        let totals = subsets(counts.view(), 2, 60_000, Source::new(1, &["subsets"]));
        let mut seen = std::collections::BTreeMap::new();
        for &t in &totals {
            *seen.entry(t as u32).or_insert(0u32) += 1;
        }
        assert_eq!(seen.keys().copied().collect::<Vec<_>>(), [3, 5, 6, 9, 10, 12]);
        // 10,000 expected each, standard deviation 91: five of them either way.
        assert!(seen.values().all(|&n| (9_540..=10_460).contains(&n)), "{seen:?}");
    }

    proptest! {
        #[test]
        fn weights_keep_the_number_of_articles(n in 1usize..200, size in 0usize..200, seed: u64) {
            let ones = Array2::ones((n, 1));
            let source = Source::new(seed, &["ones"]);
            let drawn = with_replacement(ones.view(), 20, source);
            prop_assert!(drawn.iter().all(|&t| t == n as f64));
            let size = size.min(n);
            let chosen = subsets(ones.view(), size, 20, source);
            prop_assert!(chosen.iter().all(|&t| t == size as f64));
        }
    }
}
