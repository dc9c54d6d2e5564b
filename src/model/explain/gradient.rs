//! How much each word pulls at a label, from the gradient of the label's margin with respect
//! to the embeddings of the word's pieces. One pass forth and back for all words together,
//! and an estimate: taking words out ([`super::explain`]) tells what they do.

use std::ops::Range;

use candle_core::{Tensor, Var};

use super::Question;
use crate::error::{Error, Result};
use crate::model::encoder::Packed;
use crate::model::predict::Batching;
use crate::model::{LayerKind, Model, Unit};

/// How gradients become weights.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Method {
    /// The gradient times the embedding (Shrikumar et al. 2017), less the mean embedding of
    /// the vocabulary: what replacing a word by no word in particular would do. Times the
    /// embedding alone would be next to nothing, because the encoder's first norm takes out its length.
    #[default]
    GradientTimesInput,
    /// The same, averaged over so many steps on the way from mean embeddings to those of the
    /// sentence: integrated gradients (Sundararajan, Taly & Yan 2017).
    Integrated(u16),
}

/// For each question the weight of each of its words (bytes of the sentence): the sum over
/// the word's pieces. Above zero, the word speaks for the label.
///
/// Only the first window of a sentence longer than the model takes is looked at; words
/// after it weigh nothing.
///
/// # Errors
/// If the model fails, or is one that gives [no gradients](Model::gives_gradients).
pub fn weights(
    model: &Model,
    questions: &[(&Question, &[Range<usize>])],
    method: Method,
    batching: Batching,
) -> Result<Vec<Vec<f32>>> {
    if !model.gives_gradients() && !questions.is_empty() {
        return Err(Error::setting("this kind of model gives no gradients"));
    }
    let mut weights = Vec::with_capacity(questions.len());
    let mut batch: Vec<(&Question, &[Range<usize>], Input)> = Vec::new();
    let mut tokens = 0;
    for &(question, words) in questions {
        let input = Input::new(model, question)?;
        if !batch.is_empty() && tokens + input.unit.ids.len() > batching.tokens {
            weights.extend(of_batch(model, &batch, method)?);
            batch.clear();
            tokens = 0;
        }
        tokens += input.unit.ids.len();
        batch.push((question, words, input));
    }
    if !batch.is_empty() {
        weights.extend(of_batch(model, &batch, method)?);
    }
    Ok(weights)
}

/// A sentence for the encoder.
struct Input {
    unit: Unit,
    /// The bytes of each token but the special ones.
    offsets: Vec<Range<usize>>,
}

impl Input {
    fn new(model: &Model, question: &Question) -> Result<Self> {
        let tokens = model.tokenizer.encode(&question.text)?;
        let prepared = model.prepare(&question.text, question.mention.as_slice())?;
        let unit = prepared.units.into_iter().next().unwrap_or_default();
        Ok(Input { unit, offsets: tokens.offsets })
    }
}

/// Questions that go through the encoder together.
type Batch<'a> = [(&'a Question, &'a [Range<usize>], Input)];

fn of_batch(model: &Model, batch: &Batch, method: Method) -> Result<Vec<Vec<f32>>> {
    let (packed, embedded, mean) = embed(model, batch)?;
    let from_mean = embedded.broadcast_sub(&mean)?;
    let steps = match method {
        Method::GradientTimesInput => vec![1.0],
        Method::Integrated(steps) => {
            let steps = steps.max(1);
            (0..steps).map(|i| (f64::from(i) + 0.5) / f64::from(steps)).collect()
        }
    };
    let mut sums = vec![0f32; packed.ids.len()];
    for step in &steps {
        let input = Var::from_tensor(&(&from_mean * *step)?.broadcast_add(&mean)?)?;
        let Some(objective) = objective(model, batch, &packed, &input)? else { break };
        let gradients = objective.backward()?;
        let Some(gradient) = gradients.get(&input) else { break };
        let products = (gradient * &from_mean)?.sum(1)?.to_vec1::<f32>()?;
        for (sum, product) in sums.iter_mut().zip(products) {
            *sum += product / steps.len() as f32;
        }
    }
    let before = model.tokenizer.n_before();
    Ok(batch
        .iter()
        .zip(packed.rows())
        .map(|((_, words, input), rows)| {
            let n = input.offsets.len().min(rows.len().saturating_sub(model.tokenizer.n_special()));
            let products = &sums[rows.start + before..];
            words
                .iter()
                .map(|word| {
                    let inside = |o: &Range<usize>| o.start < word.end && word.start < o.end;
                    let pieces = input.offsets.iter().take(n).zip(products);
                    pieces.filter(|(o, _)| inside(o)).map(|(_, p)| p).sum()
                })
                .collect()
        })
        .collect())
}

/// The sentences laid end to end, the embedding of each of their word pieces, and the mean
/// embedding of the vocabulary.
fn embed(model: &Model, batch: &Batch) -> Result<(Packed, Tensor, Tensor)> {
    let packed = Packed::new(batch.iter().map(|(_, _, input)| input.unit.ids.as_slice()));
    let ids = Tensor::from_slice(&packed.ids, packed.ids.len(), &model.device)?;
    let mut encoder = model.encoder()?.clone();
    let table = encoder.word_embeddings_mut();
    Ok((packed, table.index_select(&ids, 0)?, table.mean_keepdim(0)?))
}

/// The sum of all questions' margins, in logits, for the embeddings `input` of the word pieces. Sentences
/// do not see each other, so the gradient of the sum is each sentence's own.
fn objective(
    model: &Model,
    batch: &Batch,
    packed: &Packed,
    input: &Tensor,
) -> candle_core::Result<Option<Tensor>> {
    // The probe's vocabulary is the batch: its piece i has embedding i.
    let mut probe = model.encoder()?.clone();
    *probe.word_embeddings_mut() = input.clone();
    let ids = (0..packed.ids.len() as u32).collect();
    let renumbered = Packed { ids, ..packed.clone() };
    let hidden = probe.forward(&renumbered, &mut None)?;
    let units: Vec<&Unit> = batch.iter().map(|(_, _, input)| &input.unit).collect();
    let logits = model.logits(&model.read(&units, packed, hidden)?, &mut None)?;
    let mut sum: Option<Tensor> = None;
    let mut mention = 0;
    for (i, (question, _, input)) in batch.iter().enumerate() {
        let row = if question.mention.is_some() { mention } else { i };
        mention += input.unit.mentions.len();
        if question.mention.is_some() && input.unit.mentions.is_empty() {
            continue;
        }
        let Some(Some(logits)) = logits.get(question.layer) else { continue };
        let row = logits.get(row)?;
        let mine = row.get(question.label)?;
        let margin = match model.codebook().layers[question.layer].kind {
            LayerKind::Multi => mine,
            _ => {
                let values = row.to_vec1::<f32>()?;
                let others = (0..values.len()).filter(|&l| l != question.label);
                match others.max_by(|&a, &b| values[a].total_cmp(&values[b])) {
                    Some(other) => (mine - row.get(other)?)?,
                    None => mine,
                }
            }
        };
        sum = Some(match sum {
            Some(sum) => (sum + margin)?,
            None => margin,
        });
    }
    Ok(sum)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Bundle;

    #[test]
    fn gradients_are_the_slope() {
        let bundle = Bundle::embedded().expect("it is built in");
        let model = Model::load(&bundle, &candle_core::Device::Cpu).expect("it loads");
        let question =
            |text: &str, label| Question { text: text.into(), layer: 0, label, mention: None };
        let asked = [
            question("The ministry denied that the dam had been opened.", 5),
            question("It claims so.", 4),
        ];
        let words: Vec<_> = asked.iter().map(Question::words).collect();
        let pairs: Vec<_> = asked.iter().zip(&words).map(|(q, w)| (q, w.as_slice())).collect();
        let batching = Batching { workers: 1, tokens: 1024 };
        let found = weights(&model, &pairs, Method::GradientTimesInput, batching).expect("it runs");

        // Moving a word's embeddings away from the mean moves the margin by the word's weight.
        let batch: Vec<_> = pairs
            .iter()
            .map(|(q, w)| (*q, *w, Input::new(&model, q).expect("it can be cut")))
            .collect();
        let (packed, embedded, mean) = embed(&model, &batch).expect("it runs");
        let rows = packed.ids.len();
        let objective_at = |row: usize, by: f32| {
            let mut scale = vec![1f32; rows];
            scale[row] += by;
            let scale =
                Tensor::from_vec(scale, (rows, 1), &candle_core::Device::Cpu).expect("it fits");
            let away = embedded.broadcast_sub(&mean).expect("it fits");
            let input = away.broadcast_mul(&scale).expect("it fits");
            let input = input.broadcast_add(&mean).expect("it fits");
            let sum =
                objective(&model, &batch, &packed, &input).expect("it runs").expect("it is there");
            sum.to_scalar::<f32>().expect("it is one number")
        };
        // "ministry" and "denied" are single pieces after [CLS] and "the".
        for (word, row) in [(1, 2), (2, 3)] {
            let slope = (objective_at(row, 0.01) - objective_at(row, -0.01)) / 0.02;
            let told = found[0][word];
            assert!(
                (slope - told).abs() < 0.02 + 0.02 * slope.abs(),
                "word {word}: {told} {slope}"
            );
        }
    }
}
