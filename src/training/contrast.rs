//! The first stage of learning from few sentences, after SetFit (Tunstall et al. 2022): pairs of
//! sentences with the same label are drawn together, pairs with different ones apart, so
//! that a handful of labels says something about the whole space. The layers are trained on top
//! afterwards, the encoder left as this stage leaves it.

use candle_core::backprop::GradStore;
use candle_core::{D, Tensor};
use rand::RngExt;
use rand::seq::SliceRandom;
use rand_chacha::ChaCha8Rng;

use super::data::{Answer, Example};
use super::optimizer::{AdamW, schedule};
use super::recipe::{Contrast, Optimizer};
use super::step::in_parallel;
use crate::error::{Error, Result};
use crate::model::encoder::ops::dropout::Dropout;
use crate::model::heads::unit_length;
use crate::model::{Model, Unit};

/// Two sentences and whether they have the same label.
struct Pair {
    first: usize,
    second: usize,
    same: bool,
}

/// What a sentence says on a layer, as far as two can say the same.
fn labels(example: &Example, layer: usize) -> Option<Vec<usize>> {
    match &example.answers[layer] {
        Answer::Single(choice) => Some(vec![choice.label]),
        Answer::Multi(labels) => {
            Some((0..labels.len()).filter(|&i| labels[i] == Some(true)).collect())
        }
        Answer::Target(mentions) => mentions.first().map(|(_, choice)| vec![choice.label]),
        Answer::None => None,
    }
}

/// Pairs of each sort for every sentence where the base's vectors tell the labels apart already, and
/// where they do not. Both were tried on tasks of three labels and 32 sentences a label: topics, at a
/// triplet accuracy of .64 to .69, come out best with few; engagement and loaded words, at .52 to .54,
/// need many (docs/TRAINING.md has the figures).
const FEW: usize = 5;
const MANY: usize = 20;
/// The triplet accuracy that parts the two.
const APART: f64 = 0.6;
/// Sentences that the triplet accuracy is measured on at most.
const MEASURED: usize = 500;

/// How often a sentence lies closer to one with the same label than to one with another, over
/// all such triplets: one half if the vectors (rows of length 1) know nothing of the labels. A mean over
/// sentences and layers; `None` if there is no triplet.
fn triplet_accuracy(vectors: &Tensor, examples: &[&Example]) -> Result<Option<f64>> {
    let cosines: Vec<Vec<f32>> = vectors.matmul(&vectors.t()?)?.to_vec2()?;
    let mut shares = Vec::new();
    for layer in 0..examples.first().map_or(0, |e| e.answers.len()) {
        let said: Vec<_> = examples.iter().map(|e| labels(e, layer)).collect();
        for (i, mine) in said.iter().enumerate() {
            let Some(mine) = mine else { continue };
            let (mut alike, mut others) = (Vec::new(), Vec::new());
            for (j, theirs) in said.iter().enumerate() {
                match theirs {
                    Some(theirs) if i != j && same(mine, theirs) => alike.push(cosines[i][j]),
                    Some(_) if i != j => others.push(cosines[i][j]),
                    _ => {}
                }
            }
            others.sort_by(f32::total_cmp);
            let below: usize = alike.iter().map(|c| others.partition_point(|o| o < c)).sum();
            if !alike.is_empty() && !others.is_empty() {
                shares.push(below as f64 / (alike.len() * others.len()) as f64);
            }
        }
    }
    Ok((!shares.is_empty()).then(|| shares.iter().sum::<f64>() / shares.len() as f64))
}

/// What the stage found and did.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Drawn {
    /// Pairs of each sort that every sentence had.
    pub pairs: usize,
    /// How far the base tells the labels apart, if that was asked: see [`triplet_accuracy`].
    pub triplet_accuracy: Option<f64>,
}

/// How far the base's vectors tell the labels apart. `None` if there is no triplet to tell it by.
fn base_accuracy(model: &Model, units: &[Unit], examples: &[Example]) -> Result<Option<f64>> {
    let step = units.len().div_ceil(MEASURED).max(1);
    let sample: Vec<(&Unit, &Example)> = units.iter().zip(examples).step_by(step).collect();
    let mut rows = Vec::new();
    for batch in sample.chunks(32) {
        let batch: Vec<&Unit> = batch.iter().map(|(unit, _)| *unit).collect();
        rows.push(unit_length(&model.features(&batch, &mut None)?.vectors.detach())?);
    }
    if rows.is_empty() {
        return Ok(None);
    }
    let examples: Vec<&Example> = sample.iter().map(|(_, example)| *example).collect();
    triplet_accuracy(&Tensor::cat(&rows, 0)?, &examples)
}

/// Whether two sentences say the same on a layer: of a multi layer, if they share a label, or
/// have none both.
fn same(mine: &[usize], theirs: &[usize]) -> bool {
    mine.iter().any(|l| theirs.contains(l)) || mine.is_empty() && theirs.is_empty()
}

/// `per_sentence` pairs with the same label and as many with different ones for each sentence
/// and layer, as far as there are any.
fn pairs(examples: &[Example], per_sentence: usize, rng: &mut ChaCha8Rng) -> Vec<Pair> {
    let mut pairs = Vec::new();
    let layers = examples.first().map_or(0, |e| e.answers.len());
    for layer in 0..layers {
        let labelled: Vec<(usize, Vec<usize>)> =
            examples.iter().enumerate().filter_map(|(i, e)| Some((i, labels(e, layer)?))).collect();
        for (first, mine) in &labelled {
            for wanted in [true, false] {
                let others: Vec<usize> = labelled
                    .iter()
                    .filter(|(other, theirs)| other != first && same(mine, theirs) == wanted)
                    .map(|(other, _)| *other)
                    .collect();
                if others.is_empty() {
                    continue;
                }
                for _ in 0..per_sentence {
                    let second = others[rng.random_range(0..others.len())];
                    pairs.push(Pair { first: *first, second, same: wanted });
                }
            }
        }
    }
    pairs.shuffle(rng);
    pairs
}

/// Moves the encoder, whose trained parameters are in `optimizer`, and says what was drawn. `observe`
/// is told the steps taken, the steps of the stage, and the loss.
///
/// # Errors
/// If the model fails or the loss is no number any more.
pub(super) fn contrast(
    model: &Model,
    optimizer: &mut AdamW,
    examples: &[Example],
    settings: (&Contrast, &Optimizer),
    workers: usize,
    rng: &mut ChaCha8Rng,
    observe: &mut dyn FnMut(usize, usize, f32),
) -> Result<Drawn> {
    let (contrast, o) = settings;
    let units: Vec<Unit> = examples
        .iter()
        .map(|e| {
            let prepared = model.prepare(&e.model_text, &[])?;
            Ok(prepared
                .units
                .into_iter()
                .next()
                .unwrap_or(Unit { ids: model.tokenizer.frame(&[]), ..Unit::default() }))
        })
        .collect::<Result<_>>()?;
    let drawn = match contrast.pairs {
        Some(pairs) => Drawn { pairs, triplet_accuracy: None },
        None => {
            let known = base_accuracy(model, &units, examples)?;
            let pairs = if known.is_some_and(|share| share >= APART) { FEW } else { MANY };
            Drawn { pairs, triplet_accuracy: known }
        }
    };
    let pairs = pairs(examples, drawn.pairs, rng);
    let total = pairs.len().div_ceil(contrast.batch_size.max(1));
    for (step, batch) in pairs.chunks(contrast.batch_size.max(1)).enumerate() {
        let shard = batch.len().div_ceil(workers.max(1));
        let seeds: Vec<u64> = batch.chunks(shard).map(|_| rng.random()).collect();
        let one = |pairs: &[Pair], seed: u64| -> candle_core::Result<(f32, GradStore)> {
            let both = pairs.iter().flat_map(|p| [&units[p.first], &units[p.second]]);
            let both: Vec<&Unit> = both.collect();
            let vectors = model.features(&both, &mut Some(Dropout::new(o.dropout, seed)))?.vectors;
            let (n, width) = (pairs.len(), vectors.dim(1)?);
            let vectors = unit_length(&vectors)?.reshape((n, 2, width))?;
            let part = |i| vectors.narrow(1, i, 1)?.squeeze(1);
            let cosines = (part(0)? * part(1)?)?.sum(D::Minus1)?;
            let wanted: Vec<f32> = pairs.iter().map(|p| f32::from(p.same)).collect();
            let wanted = Tensor::from_vec(wanted, n, cosines.device())?;
            let loss = ((cosines - wanted)?.sqr()?.sum_all()? / batch.len() as f64)?;
            Ok((loss.to_scalar()?, loss.backward()?))
        };
        let shards: Vec<&[Pair]> = batch.chunks(shard).collect();
        let (loss, gradients) = in_parallel(&shards, &seeds, |pairs, seed| one(pairs, seed))?;
        if !loss.is_finite() {
            return Err(Error::setting(format!("the loss of pair step {step} became {loss}"))
                .with_hint("lower contrast.rate in the recipe"));
        }
        optimizer.step(&gradients, schedule(step, total, o.warmup), o.clip)?;
        observe(step + 1, total, loss);
    }
    Ok(drawn)
}

#[cfg(test)]
mod tests {
    use rand::SeedableRng;

    use super::super::data::Choice;
    use super::*;

    fn example(answer: Answer) -> Example {
        Example { answers: vec![answer], ..Example::default() }
    }

    #[test]
    fn pairs_are_the_same_by_their_labels() {
        let single = |label| example(Answer::Single(Choice { label, alternative: None }));
        let examples = [single(0), single(0), single(1), example(Answer::None)];
        let mut rng = ChaCha8Rng::seed_from_u64(1);
        let drawn = pairs(&examples, 2, &mut rng);
        // Two sentences have one of their kind; all three have one of the other.
        assert_eq!(drawn.iter().filter(|p| p.same).count(), 4);
        assert_eq!(drawn.iter().filter(|p| !p.same).count(), 6);
        for pair in &drawn {
            assert!(pair.first != pair.second && pair.first < 3 && pair.second < 3);
            assert_eq!(pair.same, (pair.first < 2) == (pair.second < 2));
        }
    }

    #[test]
    fn triplets_tell_whether_vectors_know_the_labels() {
        let single = |label| example(Answer::Single(Choice { label, alternative: None }));
        let examples = [single(0), single(0), single(1), single(1)];
        let examples: Vec<&Example> = examples.iter().collect();
        let device = candle_core::Device::Cpu;
        let measured = |rows: [[f32; 2]; 4]| {
            let vectors = Tensor::new(&rows, &device).unwrap();
            triplet_accuracy(&vectors, &examples).unwrap()
        };
        let (right, up) = ([1.0, 0.0], [0.0, 1.0]);
        assert_eq!(measured([right, right, up, up]), Some(1.0));
        assert_eq!(measured([right, up, right, up]), Some(0.0));
        // The first two lie together, the others each with one label of both.
        assert_eq!(measured([right, right, right, up]), Some(0.25));
        let alone =
            triplet_accuracy(&Tensor::new(&[[1f32, 0.0]], &device).unwrap(), &examples[..1]);
        assert_eq!(alone.unwrap(), None);
    }

    #[test]
    fn sentences_of_a_multi_layer_are_the_same_if_they_share_a_label() {
        let multi = |labels: [bool; 2]| example(Answer::Multi(labels.map(Some).to_vec()));
        let examples = [multi([true, true]), multi([false, true]), multi([false, false])];
        let mut rng = ChaCha8Rng::seed_from_u64(1);
        let drawn = pairs(&examples, 1, &mut rng);
        for pair in drawn {
            assert_eq!(pair.same, pair.first < 2 && pair.second < 2);
        }
    }
}
