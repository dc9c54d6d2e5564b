//! The form in which a sentence of a scored folder was shown to the model.
//!
//! The table holds sentences as they stand in the article. Where a quotation runs over several,
//! the model was shown marks that stand elsewhere in the text. The folder does not say
//! which, but it holds the probabilities that came out: the form that gives them again is
//! the one that was shown.

use crate::error::Result;
use crate::model::predict::{Batching, predict_all};
use crate::model::sentence::{Prepared, SentenceScores};
use crate::model::{Model, Unit};
use crate::scoring::rows::{Scores, SentenceRow};
use crate::text::normal::Normal;

/// Probabilities that differ by no more are the same: other devices and precisions round
/// differently.
const CLOSE: f32 = 0.02;

/// For each sentence the form that gives its probabilities again; `None` where none does, so that the
/// folder was scored by another model.
pub(super) fn forms(
    model: &Model,
    sentences: &[&SentenceRow],
    batching: Batching,
) -> Result<Vec<Option<Normal>>> {
    let plain: Vec<Normal> =
        sentences.iter().map(|s| Normal::read(&s.text, 0..s.text.len(), false)).collect();
    let distances = distances(model, plain.iter().zip(sentences.iter().copied()), batching)?;
    let mut found: Vec<Option<Normal>> = plain
        .into_iter()
        .zip(distances)
        .map(|(form, distance)| (distance <= CLOSE).then_some(form))
        .collect();
    let missing: Vec<usize> = (0..found.len()).filter(|&i| found[i].is_none()).collect();
    let others: Vec<(usize, Normal)> = missing
        .iter()
        .flat_map(|&i| other_forms(&sentences[i].text).into_iter().map(move |form| (i, form)))
        .collect();
    let pairs = others.iter().map(|(i, form)| (form, sentences[*i]));
    let distances = self::distances(model, pairs, batching)?;
    let mut best = vec![CLOSE; found.len()];
    for ((i, form), distance) in others.into_iter().zip(distances) {
        if distance <= best[i] {
            best[i] = distance;
            found[i] = Some(form);
        }
    }
    Ok(found)
}

/// The sentence as it reads inside a quotation that began before it, or goes on after it.
fn other_forms(text: &str) -> Vec<Normal> {
    let mut forms: Vec<Normal> = Vec::new();
    for inside in [true, false] {
        for before in [Some('"'), None, Some('\'')] {
            for after in [Some('"'), None, Some('\'')] {
                let mut form = Normal::read(text, 0..text.len(), inside);
                before.into_iter().for_each(|mark| form.prepend(mark));
                after.into_iter().for_each(|mark| form.append(mark));
                if !forms.contains(&form) {
                    forms.push(form);
                }
            }
        }
    }
    forms
}

/// How far the probabilities of each form are from the sentence's.
fn distances<'a>(
    model: &Model,
    pairs: impl Iterator<Item = (&'a Normal, &'a SentenceRow)>,
    batching: Batching,
) -> Result<Vec<f32>> {
    let pairs: Vec<_> = pairs.collect();
    let prepared: Vec<Prepared> =
        pairs.iter().map(|(form, _)| model.prepare(&form.text, &[])).collect::<Result<_>>()?;
    let units: Vec<&Unit> = prepared.iter().flat_map(|p| &p.units).collect();
    let mut predictions = predict_all(model, &units, batching, &|_| {})?.into_iter();
    Ok(pairs
        .iter()
        .zip(&prepared)
        .map(|((_, sentence), prepared)| {
            let mine: Vec<_> = predictions.by_ref().take(prepared.units.len()).collect();
            let SentenceScores { layers, .. } = model.scores(prepared, &mine);
            sentence.layers.as_ref().map_or(f32::INFINITY, |known| distance(&layers, known))
        })
        .collect())
}

fn distance(a: &[Scores], b: &[Scores]) -> f32 {
    let same = |a: &Scores, b: &Scores| a.probabilities.len() == b.probabilities.len();
    if a.len() != b.len() || !a.iter().zip(b).all(|(a, b)| same(a, b)) {
        return f32::INFINITY;
    }
    let pairs = a.iter().zip(b).flat_map(|(a, b)| a.probabilities.iter().zip(&b.probabilities));
    pairs.map(|(p, q)| (p - q).abs()).fold(0.0, f32::max)
}
