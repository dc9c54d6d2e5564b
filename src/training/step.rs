//! One step: examples cut for the encoder, a batch cut into shards, and its gradient.

use candle_core::Tensor;
use candle_core::backprop::GradStore;
use rand::RngExt;
use rand_chacha::ChaCha8Rng;

use super::data::{Answer, Choice, Example};
use super::loss::{LayerLoss, Normaliser};
use crate::error::Result;
use crate::model::encoder::ops::dropout::Dropout;
use crate::model::{LayerKind, Model, Unit};

/// An example cut for the encoder, with what is to be learnt from it.
pub(super) struct Prepared {
    unit: Unit,
    answers: Vec<Answer>,
    /// For each of the unit's mentions the target layer that has an answer to it, and the answer.
    choices: Vec<(usize, Choice)>,
}

impl Prepared {
    /// What layer `i` is to say of each row of its logits that this example makes.
    fn wanted(&self, i: usize, kind: LayerKind) -> Vec<Option<Choice>> {
        match (&self.answers[i], kind) {
            (_, LayerKind::Target) => {
                self.choices.iter().map(|(layer, c)| (*layer == i).then_some(*c)).collect()
            }
            (Answer::Single(choice), _) => vec![Some(*choice)],
            _ => vec![None],
        }
    }
}

/// Cuts an example for the encoder. Of a sentence that is too long the first window is learnt
/// from; mentions outside it are left out.
pub(super) fn prepare(model: &Model, example: &Example) -> Result<Prepared> {
    let mut answers = example.answers.clone();
    let tokens = model.tokenizer.encode(&example.model_text)?;
    let capacity = model.meta.max_length.saturating_sub(model.tokenizer.n_special());
    let shift = model.tokenizer.n_before();
    let mut unit = Unit {
        ids: model.tokenizer.frame(&tokens.ids[..tokens.ids.len().min(capacity)]),
        ..Unit::default()
    };
    let mut choices = Vec::new();
    for (layer, answer) in answers.iter_mut().enumerate() {
        if let Answer::Target(mentions) = answer {
            mentions.retain(|(bytes, choice)| {
                let covered = tokens.covering(bytes);
                let fits = !covered.is_empty() && covered.end <= capacity;
                if fits {
                    unit.mentions.push(covered.start + shift..covered.end + shift);
                    choices.push((layer, *choice));
                }
                fits
            });
        }
    }
    Ok(Prepared { unit, answers, choices })
}

/// The batch's loss, and its gradient in as many parts as there are workers.
pub(super) fn gradients(
    model: &Model,
    losses: &[LayerLoss],
    batch: &[&Prepared],
    workers: usize,
    dropout: f32,
    rng: &mut ChaCha8Rng,
) -> Result<(f32, Vec<GradStore>)> {
    let normalisers: Vec<Normaliser> = losses
        .iter()
        .enumerate()
        .map(|(i, loss)| loss.normaliser(batch.iter().map(|p| &p.answers[i])))
        .collect();
    // The longest first, each to the worker with the fewest tokens so far.
    let mut sorted: Vec<&Prepared> = batch.to_vec();
    sorted.sort_by_key(|p| std::cmp::Reverse(p.unit.ids.len()));
    let mut shards: Vec<(usize, Vec<&Prepared>)> = vec![(0, Vec::new()); workers.max(1)];
    for prepared in sorted {
        if let Some(shard) = shards.iter_mut().min_by_key(|(tokens, _)| *tokens) {
            shard.0 += prepared.unit.ids.len();
            shard.1.push(prepared);
        }
    }
    shards.retain(|(_, shard)| !shard.is_empty());
    let seeds: Vec<u64> = shards.iter().map(|_| rng.random()).collect();
    let one = |shard: &[&Prepared], seed: u64| -> candle_core::Result<(f32, GradStore)> {
        let units: Vec<&Unit> = shard.iter().map(|p| &p.unit).collect();
        let forward = model.forward(&units, &mut Some(Dropout::new(dropout, seed)))?;
        let mut total: Option<Tensor> = None;
        for (i, (layer, loss)) in model.codebook().layers.iter().zip(losses).enumerate() {
            let Some(logits) = &forward.logits[i] else { continue };
            let term = if layer.kind == LayerKind::Multi {
                let answers: Vec<&Answer> = shard.iter().map(|p| &p.answers[i]).collect();
                loss.of_labels(logits, &answers, normalisers[i])?
            } else {
                let wanted: Vec<_> = shard.iter().flat_map(|p| p.wanted(i, layer.kind)).collect();
                loss.of_choices(logits, &wanted, normalisers[i])?
            };
            if let Some(term) = term {
                total = Some(match total {
                    Some(sum) => (sum + term)?,
                    None => term,
                });
            }
        }
        let Some(total) = total else { candle_core::bail!("a shard says nothing on any layer") };
        Ok((total.to_scalar::<f32>()?, total.backward()?))
    };
    let results: Vec<candle_core::Result<(f32, GradStore)>> = std::thread::scope(|scope| {
        let handles: Vec<_> = shards
            .iter()
            .zip(&seeds)
            .map(|((_, shard), seed)| scope.spawn(|| one(shard, *seed)))
            .collect();
        handles
            .into_iter()
            .map(|h| h.join().unwrap_or_else(|p| std::panic::resume_unwind(p)))
            .collect()
    });
    let (mut loss, mut gradients) = (0.0, Vec::new());
    for result in results {
        let (term, gradient) = result?;
        loss += term;
        gradients.push(gradient);
    }
    Ok((loss, gradients))
}
