//! One step: what is learnt, a batch cut into shards, and its gradient.

use candle_core::Tensor;
use candle_core::backprop::GradStore;
use half::f16;
use rand::RngExt;
use rand_chacha::ChaCha8Rng;

use super::data::Answer;
use super::hints::{self, Hints};
use super::loss::{LayerLoss, Normaliser};
use super::prepared::{Prepared, frozen};
use super::similarity::Map;
use crate::error::Result;
use crate::model::encoder::ops::dropout::Dropout;
use crate::model::{Layer, LayerKind, Model, Unit};

/// What is learnt, and how much each part counts.
pub(super) struct Objective<'a> {
    /// One loss for each layer of the codebook.
    pub layers: &'a [LayerLoss],
    /// Weight of a teacher's opinion against that of people's labels.
    pub opinions: f64,
    /// Weight of the base encoder's vectors, and the map to them.
    pub vectors: Option<(f64, &'a Map)>,
    /// Weight of a teacher's token vectors, the map to them, and they.
    pub hints: Option<(f64, &'a Map, &'a Hints)>,
}

/// How much there is in a batch of what each term of the loss is a mean over, so that the shards'
/// losses add up to the batch's.
struct Amounts {
    /// For each layer the weight of its labels.
    labels: Vec<Normaliser>,
    /// For each layer the rows on which a teacher speaks.
    opinions: Vec<usize>,
    /// Sentences whose vector is kept.
    vectors: usize,
    /// Tokens of which the teacher's vector is learnt.
    hints: usize,
}

impl Objective<'_> {
    fn amounts(&self, layers: &[Layer], batch: &[&Prepared]) -> Amounts {
        let labels =
            |(i, loss): (usize, &LayerLoss)| loss.normaliser(batch.iter().map(|p| &p.answers[i]));
        let opinions = |(i, layer): (usize, &Layer)| {
            batch.iter().map(|p| p.opinions(i, layer.kind).iter().flatten().count()).sum()
        };
        let hinted = batch.iter().filter(|p| self.hint(p).is_some());
        Amounts {
            labels: self.layers.iter().enumerate().map(labels).collect(),
            opinions: layers.iter().enumerate().map(opinions).collect(),
            vectors: batch.iter().filter(|p| p.vector.is_some()).count(),
            hints: hinted.map(|p| p.unit.ids.len()).sum(),
        }
    }

    /// A teacher's token vectors of a sentence.
    fn hint(&self, sentence: &Prepared) -> Option<&[f16]> {
        let (_, _, hints) = self.hints?;
        hints.get(sentence.number, sentence.unit.ids.len())
    }

    /// What a shard adds to the loss of its batch; `None` if nothing is to be learnt from it.
    fn loss(
        &self,
        model: &Model,
        shard: &[&Prepared],
        amounts: &Amounts,
        dropout: &mut Option<Dropout>,
    ) -> candle_core::Result<Option<Tensor>> {
        let units: Vec<&Unit> = shard.iter().map(|p| &p.unit).collect();
        let features = match frozen(shard)? {
            Some(features) => features,
            None => model.features(&units, dropout)?,
        };
        let logits = model.logits(&features, dropout)?;
        let mut terms: Vec<Tensor> = Vec::new();
        for (i, layer) in model.codebook().layers.iter().enumerate() {
            let Some(logits) = &logits[i] else { continue };
            terms.extend(self.loss_of_labels((i, layer), logits, shard, amounts)?);
            terms.extend(self.loss_of_opinions((i, layer), logits, shard, amounts)?);
        }
        terms.extend(self.loss_of_vectors(shard, &features.vectors, amounts)?);
        if let Some(tokens) = &features.tokens {
            terms.extend(self.loss_of_hints(shard, tokens, amounts)?);
        }
        terms.into_iter().map(Ok).reduce(|a, b| a? + b?).transpose()
    }

    /// The loss against people's labels on a layer.
    fn loss_of_labels(
        &self,
        (i, layer): (usize, &Layer),
        logits: &Tensor,
        shard: &[&Prepared],
        amounts: &Amounts,
    ) -> candle_core::Result<Option<Tensor>> {
        let loss = &self.layers[i];
        if layer.kind == LayerKind::Multi {
            let answers: Vec<&Answer> = shard.iter().map(|p| &p.answers[i]).collect();
            return loss.of_labels(logits, &answers, amounts.labels[i]);
        }
        let wanted: Vec<_> = shard.iter().flat_map(|p| p.wanted(i, layer.kind)).collect();
        loss.of_choices(logits, &wanted, amounts.labels[i])
    }

    /// The loss against a teacher's probabilities on a layer.
    fn loss_of_opinions(
        &self,
        (i, layer): (usize, &Layer),
        logits: &Tensor,
        shard: &[&Prepared],
        amounts: &Amounts,
    ) -> candle_core::Result<Option<Tensor>> {
        let rows: Vec<_> = shard.iter().flat_map(|p| p.opinions(i, layer.kind)).collect();
        let of = amounts.opinions[i];
        let loss = self.layers[i].of_probabilities(logits, &rows, layer.kind, of)?;
        loss.map(|loss| loss * self.opinions).transpose()
    }

    /// The loss against the base encoder's vectors of the sentences.
    fn loss_of_vectors(
        &self,
        shard: &[&Prepared],
        vectors: &Tensor,
        amounts: &Amounts,
    ) -> candle_core::Result<Option<Tensor>> {
        let Some((weight, map)) = self.vectors else { return Ok(None) };
        let (mut rows, mut wanted) = (Vec::new(), Vec::new());
        for (row, sentence) in shard.iter().enumerate() {
            if let Some(vector) = &sentence.vector {
                rows.push(row as u32);
                wanted.extend_from_slice(vector);
            }
        }
        let Some((vectors, wanted)) = beside(vectors, rows, wanted, map)? else { return Ok(None) };
        Ok(Some((map.loss(&vectors, &wanted)? * (weight / amounts.vectors as f64))?))
    }

    /// The loss against a teacher's vectors of the tokens.
    fn loss_of_hints(
        &self,
        shard: &[&Prepared],
        tokens: &Tensor,
        amounts: &Amounts,
    ) -> candle_core::Result<Option<Tensor>> {
        let Some((weight, map, _)) = self.hints else { return Ok(None) };
        let (mut rows, mut wanted, mut row) = (Vec::new(), Vec::new(), 0u32);
        for sentence in shard {
            let end = row + sentence.unit.ids.len() as u32;
            if let Some(hint) = self.hint(sentence) {
                rows.extend(row..end);
                wanted.extend(hint.iter().map(|x| x.to_f32()));
            }
            row = end;
        }
        let Some((tokens, wanted)) = beside(tokens, rows, wanted, map)? else { return Ok(None) };
        Ok(Some((hints::loss(map, &tokens, &wanted)? * (weight / amounts.hints as f64))?))
    }
}

/// The given rows of `of`, and beside each what `map` is to make of it; `None` if there are none.
fn beside(
    of: &Tensor,
    rows: Vec<u32>,
    wanted: Vec<f32>,
    map: &Map,
) -> candle_core::Result<Option<(Tensor, Tensor)>> {
    if rows.is_empty() {
        return Ok(None);
    }
    let (n, device) = (rows.len(), of.device());
    let wanted = Tensor::from_vec(wanted, (n, map.bias.dims1()?), device)?;
    Ok(Some((of.index_select(&Tensor::from_vec(rows, n, device)?, 0)?, wanted)))
}

/// The batch's loss, and its gradient in as many parts as there are workers.
pub(super) fn gradients(
    model: &Model,
    objective: &Objective<'_>,
    batch: &[&Prepared],
    workers: usize,
    dropout: f32,
    rng: &mut ChaCha8Rng,
) -> Result<(f32, Vec<GradStore>)> {
    let amounts = objective.amounts(&model.codebook().layers, batch);
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
    let shards: Vec<Vec<&Prepared>> = shards.into_iter().map(|(_, shard)| shard).collect();
    in_parallel(&shards, &seeds, |shard, seed| {
        let mut dropout = Some(Dropout::new(dropout, seed));
        let Some(loss) = objective.loss(model, shard, &amounts, &mut dropout)? else {
            candle_core::bail!("a shard says nothing on any layer")
        };
        Ok((loss.to_scalar::<f32>()?, loss.backward()?))
    })
}

/// Runs every shard on a thread of its own, with its seed, and adds up their losses.
///
/// # Errors
/// If one fails.
pub(super) fn in_parallel<S: Sync>(
    shards: &[S],
    seeds: &[u64],
    one: impl Fn(&S, u64) -> candle_core::Result<(f32, GradStore)> + Sync,
) -> Result<(f32, Vec<GradStore>)> {
    let one = &one;
    let results: Vec<candle_core::Result<(f32, GradStore)>> = std::thread::scope(|scope| {
        let shards = shards.iter().zip(seeds);
        let handles: Vec<_> =
            shards.map(|(shard, seed)| scope.spawn(move || one(shard, *seed))).collect();
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
