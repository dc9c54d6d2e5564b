//! How well a recipe does on sentences that it has not seen: cross-validation by document, over
//! several seeds, and the learning curve.

use std::collections::BTreeMap;
use std::path::Path;

use candle_core::Device;
use serde::Serialize;

use super::train::{Event, Observe, Split, TrainOptions, base, read_split};
use crate::corpus::Skip;
use crate::error::{Error, Result};
use crate::model::bundle::sha256_hex;
use crate::model::predict::Batching;
use crate::model::{Codebook, LayerKind, Model};
use crate::training::data::{self, Example};
use crate::training::evaluate::{evaluation, predict};
use crate::training::recipe::Recipe;
use crate::training::trainer::{self, Run};

/// What is tried.
#[derive(Debug, Clone, PartialEq)]
pub struct Trials {
    /// Parts that the documents are cut into; each is the test part once.
    pub folds: usize,
    /// What stays together.
    pub unit: Together,
    /// Seeds: of the cut, of new layers, of the order of sentences.
    pub seeds: Vec<u64>,
    /// Shares of the training documents that are used, for a learning curve; `[1.0]` for all.
    pub shares: Vec<f64>,
}

/// What is never split between training and testing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Together {
    /// The sentences of a document.
    #[default]
    Document,
    /// The sentences of an outlet: how the model does on outlets that it has not seen. What is
    /// lost against [`Together::Document`] it had learnt of the outlets and not of the labels.
    Outlet,
}

impl Together {
    /// The name of what an example stays together with; of an unknown outlet, its document.
    fn of(self, example: &Example) -> &str {
        match (self, &example.outlet) {
            (Together::Outlet, Some(outlet)) => outlet,
            _ => &example.document,
        }
    }

    /// The word for several of them.
    pub fn plural(self) -> &'static str {
        match self {
            Together::Document => "documents",
            Together::Outlet => "outlets",
        }
    }
}

/// One training run and its test part.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Trial {
    /// The seed.
    pub seed: u64,
    /// 1-based number of the part that was tested on.
    pub fold: usize,
    /// Share of the training documents that was used.
    pub share: f64,
    /// Sentences trained on, those to choose and calibrate on not counted.
    pub n_train: usize,
    /// Sentences tested on.
    pub n_test: usize,
    /// Macro-F1 of each layer (micro-F1 of multi layers) on the test part.
    pub f1: BTreeMap<String, f64>,
}

/// The trials of one share, summed up.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Summary {
    /// Share of the training documents.
    pub share: f64,
    /// Mean number of sentences trained on.
    pub n_train: f64,
    /// Mean and standard deviation (with n - 1) of each layer's F1 over the trials.
    pub f1: BTreeMap<String, [f64; 2]>,
}

/// Trains and tests once for each seed, part and share. Nothing is written.
///
/// # Errors
/// If there are fewer documents than parts, a file is unusable, or a training fails.
pub fn cross_validate(
    recipe: &Recipe,
    codebook: &Codebook,
    beside: &Path,
    options: &TrainOptions,
    trials: &Trials,
    observe: &Observe<'_>,
) -> Result<(Vec<Trial>, Vec<Skip>)> {
    if recipe.optimizer.epochs == 0 {
        return Err(Error::setting(
            "with epochs = 0 nothing is trained, so there is nothing to validate",
        )
        .with_hint("leave out --folds to calibrate, or give --epochs a number of passes"));
    }
    let mut skipped = Vec::new();
    let base = base(recipe, beside, options, observe, &mut skipped)?;
    let (Split { train, dev }, _) =
        read_split(recipe, codebook, beside, options, observe, &mut skipped)?;
    let examples: Vec<Example> = train.into_iter().chain(dev).collect();
    let mut units: Vec<&str> = examples.iter().map(|e| trials.unit.of(e)).collect();
    units.sort_unstable();
    units.dedup();
    if units.len() < trials.folds || trials.folds < 2 {
        return Err(Error::setting(format!(
            "{} {} cannot be cut into {} parts",
            units.len(),
            trials.unit.plural(),
            trials.folds
        ))
        .with_hint(format!("give --folds a number from 2 to that of {}", trials.unit.plural())));
    }
    let mut done = Vec::new();
    for &seed in &trials.seeds {
        for fold in 0..trials.folds {
            let (test, rest): (Vec<Example>, Vec<Example>) = examples
                .iter()
                .cloned()
                .partition(|e| part(trials.unit.of(e), seed, trials.folds) == fold);
            if test.is_empty() {
                continue;
            }
            for &share in &trials.shares {
                let (used, _) = data::split(rest.clone(), 1.0 - share, seed ^ 1);
                let (train, dev) = data::split(used, recipe.dev.share, seed);
                // A small share of few documents may be none.
                if train.is_empty() {
                    continue;
                }
                let recipe = Recipe { seed, ..recipe.clone() };
                let run = Run {
                    recipe: &recipe,
                    codebook,
                    base: base.clone(),
                    train: &train,
                    dev: &dev,
                    lesson: None,
                    vectors_of: None,
                    checkpoint: None,
                };
                // Hundreds of epochs would bury the trials.
                let mut tell = |event| {
                    if !matches!(event, trainer::Event::Epoch { .. }) {
                        observe(Event::Trainer(event));
                    }
                };
                let bundle = trainer::train(run, &mut tell)?.bundle;
                let model = Model::load(&bundle, &Device::Cpu)?;
                let predictions = predict(&model, &test, Batching::for_device(&Device::Cpu))?;
                let figures = evaluation(&model, &test, &predictions, 0);
                let f1 = codebook.layers.iter().filter_map(|l| {
                    let multi = l.kind == LayerKind::Multi;
                    let name = if multi { "micro_f1" } else { "macro_f1" };
                    Some((l.name.clone(), figures.figure(&l.name, name)?))
                });
                let (n_train, n_test) = (train.len(), test.len());
                let trial =
                    Trial { seed, fold: fold + 1, share, n_train, n_test, f1: f1.collect() };
                observe(Event::Trial(&trial));
                done.push(trial);
            }
        }
    }
    Ok((done, skipped))
}

/// The part that a document or outlet falls into.
fn part(unit: &str, seed: u64, folds: usize) -> usize {
    let hash = sha256_hex(format!("fold {seed} {unit}").as_bytes());
    u64::from_str_radix(&hash[..12], 16).map_or(0, |n| (n % folds.max(1) as u64) as usize)
}

/// Mean and spread over the trials of each share.
pub fn summary(trials: &[Trial]) -> Vec<Summary> {
    let mut shares: Vec<f64> = trials.iter().map(|t| t.share).collect();
    shares.sort_by(f64::total_cmp);
    shares.dedup();
    let of_share = |share: f64| {
        let of: Vec<&Trial> = trials.iter().filter(|t| t.share == share).collect();
        let mut values: BTreeMap<String, Vec<f64>> = BTreeMap::new();
        for (layer, f1) in of.iter().flat_map(|t| &t.f1) {
            values.entry(layer.clone()).or_default().push(*f1);
        }
        let n_train = of.iter().map(|t| t.n_train as f64).sum::<f64>() / of.len().max(1) as f64;
        let f1 = values.into_iter().map(|(layer, v)| (layer, mean_and_deviation(&v))).collect();
        Summary { share, n_train, f1 }
    };
    shares.into_iter().map(of_share).collect()
}

fn mean_and_deviation(values: &[f64]) -> [f64; 2] {
    use statrs::statistics::Statistics;
    let deviation = if values.len() > 1 { values.std_dev() } else { 0.0 };
    [values.mean(), deviation]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn trials_are_summed_up_by_share() {
        let trial = |share: f64, n_train: usize, f1: f64| Trial {
            seed: 0,
            fold: 1,
            share,
            n_train,
            n_test: 5,
            f1: [("x".to_owned(), f1)].into(),
        };
        let summed = summary(&[trial(1.0, 100, 0.8), trial(0.5, 50, 0.5), trial(1.0, 110, 0.6)]);
        assert_eq!(summed[0], Summary { share: 0.5, n_train: 50.0, f1: summed[0].f1.clone() });
        assert_eq!(summed[0].f1["x"], [0.5, 0.0]);
        let [mean, deviation] = summed[1].f1["x"];
        assert!((mean - 0.7).abs() < 1e-12 && (deviation - 0.02f64.sqrt()).abs() < 1e-12);
        assert_eq!(summed[1].n_train, 105.0);
    }

    #[test]
    fn parts_depend_on_the_name_alone() {
        let of = |i: usize| part(&i.to_string(), 3, 4);
        assert_eq!(of(7), of(7));
        let sizes = (0..400).fold([0; 4], |mut n, i| {
            n[of(i)] += 1;
            n
        });
        assert!(sizes.iter().all(|n| (60..140).contains(n)), "{sizes:?}");
    }
}
