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

/// `per_sentence` pairs with the same label and as many with different ones for each sentence
/// and layer, as far as there are any. Of a multi layer two sentences are the same that share a
/// label, or have none both.
fn pairs(examples: &[Example], per_sentence: usize, rng: &mut ChaCha8Rng) -> Vec<Pair> {
    let mut pairs = Vec::new();
    let layers = examples.first().map_or(0, |e| e.answers.len());
    for layer in 0..layers {
        let labelled: Vec<(usize, Vec<usize>)> =
            examples.iter().enumerate().filter_map(|(i, e)| Some((i, labels(e, layer)?))).collect();
        for (first, mine) in &labelled {
            let alike = |(other, theirs): &&(usize, Vec<usize>)| -> Option<bool> {
                let same =
                    mine.iter().any(|l| theirs.contains(l)) || mine.is_empty() && theirs.is_empty();
                (other != first).then_some(same)
            };
            for same in [true, false] {
                let others: Vec<usize> = labelled
                    .iter()
                    .filter(|o| alike(o) == Some(same))
                    .map(|(other, _)| *other)
                    .collect();
                if others.is_empty() {
                    continue;
                }
                for _ in 0..per_sentence {
                    let second = others[rng.random_range(0..others.len())];
                    pairs.push(Pair { first: *first, second, same });
                }
            }
        }
    }
    pairs.shuffle(rng);
    pairs
}

/// Moves the encoder, whose trained parameters are in `optimizer`. `observe` is told the
/// steps taken, the steps of the stage, and the loss.
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
) -> Result<()> {
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
    let pairs = pairs(examples, contrast.pairs, rng);
    let total = pairs.len().div_ceil(contrast.batch_size.max(1));
    for (step, batch) in pairs.chunks(contrast.batch_size.max(1)).enumerate() {
        let shard = batch.len().div_ceil(workers.max(1));
        let seeds: Vec<u64> = batch.chunks(shard).map(|_| rng.random()).collect();
        let one = |pairs: &[Pair], seed: u64| -> candle_core::Result<(f32, GradStore)> {
            let both = pairs.iter().flat_map(|p| [&units[p.first], &units[p.second]]);
            let both: Vec<&Unit> = both.collect();
            let vectors = model.features(&both, &mut Some(Dropout::new(o.dropout, seed)))?.vectors;
            let (n, width) = (pairs.len(), vectors.dim(1)?);
            let vectors = vectors.reshape((n, 2, width))?;
            let length = (vectors.sqr()?.sum_keepdim(D::Minus1)? + 1e-12)?.sqrt()?;
            let vectors = vectors.broadcast_div(&length)?;
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
    Ok(())
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
