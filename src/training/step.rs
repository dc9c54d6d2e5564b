//! One step: examples cut for the encoder, a batch cut into shards, and its gradient.

use std::ops::Range;
use std::sync::atomic::{AtomicUsize, Ordering};

use candle_core::Tensor;
use candle_core::backprop::GradStore;
use half::f16;
use rand::RngExt;
use rand_chacha::ChaCha8Rng;

use super::data::{Answer, Choice, Example};
use super::hints::{self, Hints};
use super::loss::{LayerLoss, Normaliser};
use super::similarity::Map;
use super::teacher::{Opinion, Unlabelled};
use crate::error::Result;
use crate::model::encoder::ops::dropout::Dropout;
use crate::model::{Features, LayerKind, Model, Unit};

/// A sentence cut for the encoder, with what is to be learnt from it.
pub(super) struct Prepared {
    unit: Unit,
    answers: Vec<Answer>,
    /// For each of the unit's mentions the target layer that has an answer to it, and the answer.
    choices: Vec<Option<(usize, Choice)>>,
    /// What a teacher says; its mentions are the unit's.
    opinion: Option<Opinion>,
    /// The vector that the base encoder gives the sentence, of length 1.
    vector: Option<Vec<f32>>,
    /// What the heads read, where the encoder stays as it is.
    features: Option<Frozen>,
    /// Its place among all sentences that are learnt from.
    number: usize,
}

/// What the heads read of a sentence, computed once.
struct Frozen {
    sentence: Vec<f32>,
    mentions: Vec<Vec<f32>>,
}

/// A mention, as bytes of the text, and the target layer that has an answer to it.
type Asked = (Range<usize>, Option<(usize, Choice)>);

impl Prepared {
    /// The sentence at this place among all that are learnt from.
    pub(super) fn numbered(self, number: usize) -> Self {
        Prepared { number, ..self }
    }

    /// What the encoder reads of it.
    pub(super) fn unit(&self) -> &Unit {
        &self.unit
    }

    /// What layer `i` is to say of each row of its logits that this sentence makes.
    fn wanted(&self, i: usize, kind: LayerKind) -> Vec<Option<Choice>> {
        match (&self.answers[i], kind) {
            (_, LayerKind::Target) => {
                let of_layer = |c: &Option<(usize, Choice)>| {
                    c.filter(|(layer, _)| *layer == i).map(|(_, choice)| choice)
                };
                self.choices.iter().map(of_layer).collect()
            }
            (Answer::Single(choice), _) => vec![Some(*choice)],
            _ => vec![None],
        }
    }

    /// What a teacher says of each row of layer `i`'s logits that this sentence makes.
    fn opinions(&self, i: usize, kind: LayerKind) -> Vec<Option<&[f32]>> {
        match (&self.opinion, kind) {
            (None, LayerKind::Target) => vec![None; self.unit.mentions.len()],
            (None, _) => vec![None],
            (Some(o), LayerKind::Target) => o.mentions.iter().map(|m| row(m, i)).collect(),
            (Some(o), _) => vec![row(&o.sentence, i)],
        }
    }

    /// Leaves the labels out, for what only a teacher has seen.
    pub(super) fn unlabelled(
        model: &Model,
        sentence: &Unlabelled,
        opinion: Option<Opinion>,
        vector: Option<Vec<f32>>,
    ) -> Result<Self> {
        let answers = vec![Answer::None; model.codebook().layers.len()];
        let mentions = sentence.mentions.iter().map(|bytes| (bytes.clone(), None)).collect();
        Self::new(model, &sentence.model_text, answers, mentions, opinion, vector)
    }

    /// An example, and what a teacher says of it.
    pub(super) fn labelled(
        model: &Model,
        example: &Example,
        opinion: Option<Opinion>,
        vector: Option<Vec<f32>>,
    ) -> Result<Self> {
        let mut mentions = Vec::new();
        for (layer, answer) in example.answers.iter().enumerate() {
            if let Answer::Target(list) = answer {
                mentions.extend(list.iter().map(|(bytes, c)| (bytes.clone(), Some((layer, *c)))));
            }
        }
        let answers = example.answers.clone();
        Self::new(model, &example.model_text, answers, mentions, opinion, vector)
    }

    /// Of a sentence that is too long the first window is learnt from; mentions outside it
    /// are left out.
    fn new(
        model: &Model,
        model_text: &str,
        mut answers: Vec<Answer>,
        mentions: Vec<Asked>,
        mut opinion: Option<Opinion>,
        vector: Option<Vec<f32>>,
    ) -> Result<Self> {
        let tokens = model.tokenizer.encode(model_text)?;
        let capacity = model.meta.max_length.saturating_sub(model.tokenizer.n_special());
        let shift = model.tokenizer.n_before();
        let mut unit = Unit {
            ids: model.tokenizer.frame(&tokens.ids[..tokens.ids.len().min(capacity)]),
            ..Unit::default()
        };
        let (mut choices, mut fitting) = (Vec::new(), Vec::new());
        for (bytes, choice) in &mentions {
            let covered = tokens.covering(bytes);
            let fits = !covered.is_empty() && covered.end <= capacity;
            if fits {
                unit.mentions.push(covered.start + shift..covered.end + shift);
                choices.push(*choice);
            }
            fitting.push(fits);
        }
        // An answer to a mention that does not fit does not count in the batch either.
        for (layer, answer) in answers.iter_mut().enumerate() {
            let mut fits = mentions
                .iter()
                .zip(&fitting)
                .filter(|((_, c), _)| c.is_some_and(|(of, _)| of == layer))
                .map(|(_, fits)| *fits);
            if let Answer::Target(list) = answer {
                list.retain(|_| fits.next().unwrap_or(false));
            }
        }
        if let Some(opinion) = &mut opinion {
            let mut fits = fitting.iter();
            opinion.mentions.retain(|_| fits.next().copied().unwrap_or(false));
        }
        Ok(Prepared { unit, answers, choices, opinion, vector, features: None, number: 0 })
    }
}

/// Runs the encoder once over all sentences, for training heads alone.
///
/// # Errors
/// If the encoder fails.
pub(super) fn freeze(model: &Model, prepared: &mut [Prepared], workers: usize) -> Result<()> {
    const BATCH: usize = 32;
    let mut order: Vec<usize> = (0..prepared.len()).collect();
    order.sort_by_key(|&i| prepared[i].unit.ids.len());
    let next = AtomicUsize::new(0);
    let batches: Vec<&[usize]> = order.chunks(BATCH).collect();
    let all: &[Prepared] = prepared;
    let work = || -> Result<Vec<(usize, Frozen)>> {
        let mut mine = Vec::new();
        while let Some(batch) = batches.get(next.fetch_add(1, Ordering::Relaxed)) {
            let units: Vec<&Unit> = batch.iter().map(|&i| &all[i].unit).collect();
            let features = model.features(&units, &mut None)?;
            let sentences = features.sentences.to_vec2::<f32>()?.into_iter();
            let mentions = features.mentions.map(|m| m.to_vec2::<f32>()).transpose()?;
            let mut mentions = mentions.unwrap_or_default().into_iter();
            for (&i, sentence) in batch.iter().zip(sentences) {
                let mentions = mentions.by_ref().take(all[i].unit.mentions.len()).collect();
                mine.push((i, Frozen { sentence, mentions }));
            }
        }
        Ok(mine)
    };
    let parts: Vec<Result<Vec<(usize, Frozen)>>> = std::thread::scope(|scope| {
        let handles: Vec<_> = (0..workers.max(1)).map(|_| scope.spawn(work)).collect();
        handles
            .into_iter()
            .map(|h| h.join().unwrap_or_else(|p| std::panic::resume_unwind(p)))
            .collect()
    });
    for part in parts {
        for (i, features) in part? {
            prepared[i].features = Some(features);
        }
    }
    Ok(())
}

/// The features of a shard, where they were computed before.
fn frozen(shard: &[&Prepared]) -> candle_core::Result<Option<Features>> {
    let Some(all) = shard.iter().map(|p| p.features.as_ref()).collect::<Option<Vec<_>>>() else {
        return Ok(None);
    };
    let matrix = |rows: Vec<&[f32]>| -> candle_core::Result<Tensor> {
        let width = rows.first().map_or(0, |r| r.len());
        let n = rows.len();
        Tensor::from_vec(rows.concat(), (n, width), &candle_core::Device::Cpu)
    };
    let sentences = matrix(all.iter().map(|f| f.sentence.as_slice()).collect())?;
    let mentions: Vec<&[f32]> =
        all.iter().flat_map(|f| f.mentions.iter().map(Vec::as_slice)).collect();
    let mentions = (!mentions.is_empty()).then(|| matrix(mentions)).transpose()?;
    let vectors = sentences.clone();
    Ok(Some(Features { sentences, mentions, vectors, tokens: None }))
}

fn row(rows: &[Option<Vec<f32>>], layer: usize) -> Option<&[f32]> {
    rows.get(layer)?.as_deref()
}

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

impl Objective<'_> {
    /// A teacher's token vectors of a sentence.
    fn hint(&self, sentence: &Prepared) -> Option<&[f16]> {
        let (_, _, hints) = self.hints?;
        hints.get(sentence.number, sentence.unit.ids.len())
    }

    /// The loss against a teacher's token vectors, as a share of that of a batch with so many.
    fn loss_of_hints(
        &self,
        shard: &[&Prepared],
        tokens: &Tensor,
        of: usize,
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
        if rows.is_empty() {
            return Ok(None);
        }
        let (n, device) = (rows.len(), tokens.device());
        let wanted = Tensor::from_vec(wanted, (n, map.bias.dims1()?), device)?;
        let tokens = tokens.index_select(&Tensor::from_vec(rows, n, device)?, 0)?;
        Ok(Some((hints::loss(map, &tokens, &wanted)? * (weight / of as f64))?))
    }
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
    let layers = &model.codebook().layers;
    let normalisers: Vec<Normaliser> = objective
        .layers
        .iter()
        .enumerate()
        .map(|(i, loss)| loss.normaliser(batch.iter().map(|p| &p.answers[i])))
        .collect();
    let opinions: Vec<usize> = layers
        .iter()
        .enumerate()
        .map(|(i, l)| batch.iter().map(|p| p.opinions(i, l.kind).iter().flatten().count()).sum())
        .collect();
    let with_hints = batch.iter().filter(|p| objective.hint(p).is_some());
    let hinted: usize = with_hints.map(|p| p.unit.ids.len()).sum();
    let with_vectors = batch.iter().filter(|p| p.vector.is_some()).count();
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
        let mut dropout = Some(Dropout::new(dropout, seed));
        let features = match frozen(shard)? {
            Some(features) => features,
            None => model.features(&units, &mut dropout)?,
        };
        let logits = model.logits(&features, &mut dropout)?;
        let mut terms: Vec<Tensor> = Vec::new();
        for (i, (layer, loss)) in layers.iter().zip(objective.layers).enumerate() {
            let Some(logits) = &logits[i] else { continue };
            let term = if layer.kind == LayerKind::Multi {
                let answers: Vec<&Answer> = shard.iter().map(|p| &p.answers[i]).collect();
                loss.of_labels(logits, &answers, normalisers[i])?
            } else {
                let wanted: Vec<_> = shard.iter().flat_map(|p| p.wanted(i, layer.kind)).collect();
                loss.of_choices(logits, &wanted, normalisers[i])?
            };
            terms.extend(term);
            let rows: Vec<_> = shard.iter().flat_map(|p| p.opinions(i, layer.kind)).collect();
            let term = loss.of_probabilities(logits, &rows, layer.kind, opinions[i])?;
            terms.extend(term.map(|t| t * objective.opinions).transpose()?);
        }
        if let Some((weight, map)) = objective.vectors {
            let (mut rows, mut wanted) = (Vec::new(), Vec::new());
            for (i, prepared) in shard.iter().enumerate() {
                if let Some(vector) = &prepared.vector {
                    rows.push(i as u32);
                    wanted.extend_from_slice(vector);
                }
            }
            if !rows.is_empty() {
                let (n, device) = (rows.len(), features.vectors.device());
                let wanted = Tensor::from_vec(wanted, (n, map.bias.dims1()?), device)?;
                let rows = Tensor::from_vec(rows, n, device)?;
                let loss = map.loss(&features.vectors.index_select(&rows, 0)?, &wanted)?;
                terms.push((loss * (weight / with_vectors as f64))?);
            }
        }
        if let Some(tokens) = &features.tokens {
            terms.extend(objective.loss_of_hints(shard, tokens, hinted)?);
        }
        let Some(total) = terms.into_iter().map(Ok).reduce(|a, b| a? + b?).transpose()? else {
            candle_core::bail!("a shard says nothing on any layer")
        };
        Ok((total.to_scalar::<f32>()?, total.backward()?))
    };
    let shards: Vec<Vec<&Prepared>> = shards.into_iter().map(|(_, shard)| shard).collect();
    in_parallel(&shards, &seeds, |shard, seed| one(shard, seed))
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
