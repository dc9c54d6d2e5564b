//! Sentences that occur again (wire copy, slogans, the same quotation) are encoded once.

use std::collections::HashMap;
use std::num::NonZeroUsize;

use lru::LruCache;

use crate::error::Result;
use crate::model::predict::{Batching, predict_all};
use crate::model::{Model, Prediction, Unit};

/// Predictions that are kept: about 10 MB, with the vectors of a small model 60 MB. What was not met again for so
/// many different sentences is forgotten, so that memory stays flat.
const MOST_KEPT: NonZeroUsize = NonZeroUsize::new(1 << 15).unwrap();

/// What the model made of the sentences so far.
pub struct Repeats {
    known: LruCache<Unit, Prediction>,
    n_repeated: u64,
    vectors: bool,
}

/// Where a unit's prediction comes from.
enum Source {
    Known(Prediction),
    /// The unit at this place among those that are encoded now.
    New(usize),
}

impl Repeats {
    /// Knows nothing yet. Sentence vectors are most of a prediction: they are dropped at once
    /// unless `vectors` are wanted.
    pub fn new(vectors: bool) -> Self {
        Repeats { known: LruCache::new(MOST_KEPT), n_repeated: 0, vectors }
    }

    /// Units so far whose prediction was taken from an equal one.
    pub fn n_repeated(&self) -> u64 {
        self.n_repeated
    }

    /// A prediction for each unit, in order; `done` is told how many are finished.
    ///
    /// # Errors
    /// If the model fails on a batch.
    pub fn predict(
        &mut self,
        model: &Model,
        units: &[&Unit],
        batching: Batching,
        done: &(dyn Fn(usize) + Sync),
    ) -> Result<Vec<Prediction>> {
        let mut new: Vec<&Unit> = Vec::new();
        let mut places: HashMap<&Unit, usize> = HashMap::new();
        let sources: Vec<Source> = units
            .iter()
            .map(|unit| match self.known.get(*unit) {
                Some(prediction) => Source::Known(prediction.clone()),
                None => Source::New(*places.entry(unit).or_insert_with(|| {
                    new.push(unit);
                    new.len() - 1
                })),
            })
            .collect();
        let repeated = units.len() - new.len();
        self.n_repeated += repeated as u64;
        done(repeated);
        let mut predictions = predict_all(model, &new, batching, done)?;
        if !self.vectors {
            predictions.iter_mut().for_each(|p| p.vector = Vec::new());
        }
        for (unit, prediction) in new.into_iter().zip(&predictions) {
            self.known.put(unit.clone(), prediction.clone());
        }
        let one = |source| match source {
            Source::Known(prediction) => Some(prediction),
            Source::New(place) => predictions.get(place).cloned(),
        };
        Ok(sources.into_iter().filter_map(one).collect())
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use candle_core::Device;

    use super::*;
    use crate::model::Bundle;

    #[test]
    fn an_equal_sentence_is_encoded_once_and_gets_the_same_scores() {
        let model = Model::load(&Bundle::embedded().unwrap(), &Device::Cpu).unwrap();
        let unit = |text: &str| model.prepare(text, &[]).unwrap().units.swap_remove(0);
        let (a, b) = (unit("The ferry sank."), unit("Officials denied the report."));
        // The same words with a mention of a target are another question.
        let c = Unit { mentions: std::iter::once(1..2).collect(), ..a.clone() };
        let mut repeats = Repeats::new(true);
        let batching = Batching { workers: 1, tokens: 512 };
        let finished = AtomicUsize::new(0);
        let mut predict = |units: &[&Unit]| {
            let done = |n| {
                finished.fetch_add(n, Ordering::Relaxed);
            };
            repeats.predict(&model, units, batching, &done).unwrap()
        };
        let first = predict(&[&a, &b, &a, &c]);
        let second = predict(&[&b, &a]);
        assert_eq!(first[0], first[2]);
        assert_eq!([&first[1], &first[0]], [&second[0], &second[1]]);
        assert_eq!(first[3].mentions.len(), 1);
        assert_eq!(repeats.n_repeated(), 3);
        assert_eq!(finished.into_inner(), 6);
        assert!(!first[0].vector.is_empty());
        let bare = Repeats::new(false).predict(&model, &[&a], batching, &|_| {}).unwrap();
        assert!(bare[0].vector.is_empty() && bare[0].layers.len() == first[0].layers.len());
    }
}
