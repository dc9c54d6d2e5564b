//! A sentence cut for the encoder, with what is to be learnt from it.

use std::ops::Range;
use std::sync::atomic::{AtomicUsize, Ordering};

use candle_core::Tensor;

use super::data::{Answer, Choice, Example};
use super::teacher::{Opinion, Unlabelled};
use crate::error::Result;
use crate::model::{Features, LayerKind, Model, Unit};

/// A sentence cut for the encoder, with what is to be learnt from it.
pub(super) struct Prepared {
    /// What the encoder reads of it.
    pub unit: Unit,
    /// An answer for each layer.
    pub answers: Vec<Answer>,
    /// For each of the unit's mentions the target layer that has an answer to it, and the answer.
    choices: Vec<Option<(usize, Choice)>>,
    /// What a teacher says; its mentions are the unit's.
    opinion: Option<Opinion>,
    /// The vector that the base encoder gives the sentence, of length 1.
    pub vector: Option<Vec<f32>>,
    /// What the heads read, where the encoder stays as it is.
    features: Option<Frozen>,
    /// Its place among all sentences that are learnt from.
    pub number: usize,
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

    /// What layer `i` is to say of each row of its logits that this sentence makes.
    pub(super) fn wanted(&self, i: usize, kind: LayerKind) -> Vec<Option<Choice>> {
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
    pub(super) fn opinions(&self, i: usize, kind: LayerKind) -> Vec<Option<&[f32]>> {
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
///
/// # Errors
/// If a tensor cannot be made.
pub(super) fn frozen(shard: &[&Prepared]) -> candle_core::Result<Option<Features>> {
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
