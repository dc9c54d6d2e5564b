//! From a sentence's text to units for the encoder and back: windows over long sentences,
//! mentions from bytes to tokens, calibrated scores.

use std::ops::Range;

use super::codebook::LayerKind;
use super::{Model, Prediction, Scores, Unit};
use crate::error::Result;
use crate::text::tokens::windows;

/// A sentence cut into units.
#[derive(Debug, Clone, PartialEq)]
pub struct Prepared {
    /// One unit, or several windows of a sentence longer than the model takes; where the model
    /// is asked hypotheses, those of each.
    pub units: Vec<Unit>,
    /// Tokens of the whole sentence, special tokens not counted.
    pub n_tokens: usize,
    /// Whether the sentence is longer than the model takes.
    pub windowed: bool,
    /// For each mention asked for, its unit and place there; `None` if it covers no token.
    pub(super) places: Vec<Option<(usize, usize)>>,
    /// The units of each hypothesis on the sentence.
    pub(super) questions: Vec<Range<usize>>,
}

/// The model's answer for a sentence.
#[derive(Debug, Clone, PartialEq)]
pub struct SentenceScores {
    /// Scores of each single or multi layer, in codebook order.
    pub layers: Vec<Scores>,
    /// For each mention asked for, scores of each target layer; `None` if it covers no token.
    pub mentions: Vec<Option<Vec<Scores>>>,
    /// The sentence vector; empty if the model [gives none](Model::gives_vectors).
    pub vector: Vec<f32>,
}

/// The mean of what `pick` takes of the predictions for `units`, weighted by their tokens.
pub(super) fn average(
    units: &[Unit],
    predictions: &[Prediction],
    pick: &dyn Fn(&Prediction) -> Vec<f32>,
) -> Vec<f32> {
    let total: f32 = units.iter().map(|u| u.ids.len() as f32).sum();
    let mut sums = Vec::new();
    for (unit, prediction) in units.iter().zip(predictions) {
        let values = pick(prediction);
        sums.resize(values.len(), 0.0);
        for (sum, value) in sums.iter_mut().zip(values) {
            *sum += value * (unit.ids.len() as f32 / total);
        }
    }
    sums
}

/// Of the windows over a sentence the one in whose middle the tokens `covered` lie, which sees
/// most of their surroundings; and its position.
pub(super) fn window_around<'a>(
    windows: &'a [Range<usize>],
    covered: &Range<usize>,
) -> Option<(usize, &'a Range<usize>)> {
    let middle = covered.start + covered.end;
    windows.iter().enumerate().min_by_key(|(_, w)| {
        let reaches = w.start <= covered.start && covered.end <= w.end;
        (!reaches, (w.start + w.end).abs_diff(middle))
    })
}

impl Model {
    /// Cuts a sentence, in the form of [`crate::text::Sentence::model_text`], into units;
    /// `mentions` are bytes of it.
    ///
    /// # Errors
    /// If the tokenizer fails.
    pub fn prepare(&self, model_text: &str, mentions: &[Range<usize>]) -> Result<Prepared> {
        let tokens = self.tokenizer.encode(model_text)?;
        if let Some(pairs) = &self.pairs {
            return pairs.prepare(&self.tokenizer, model_text, &tokens, mentions);
        }
        let n_tokens = tokens.ids.len();
        let capacity = self.meta.max_length.saturating_sub(self.tokenizer.n_special());
        let windows = windows(n_tokens, capacity);
        let mut units: Vec<Unit> = windows
            .iter()
            .map(|w| Unit { ids: self.tokenizer.frame(&tokens.ids[w.clone()]), ..Unit::default() })
            .collect();
        let places = mentions
            .iter()
            .map(|bytes| {
                let covered = tokens.covering(bytes);
                if covered.is_empty() {
                    return None;
                }
                let (i, window) = window_around(&windows, &covered)?;
                let first = covered.start.max(window.start);
                let last = covered.end.min(window.end);
                if first >= last {
                    return None;
                }
                let shift = self.tokenizer.n_before();
                let unit = &mut units[i];
                unit.mentions.push(first - window.start + shift..last - window.start + shift);
                Some((i, unit.mentions.len() - 1))
            })
            .collect();
        let windowed = units.len() > 1;
        Ok(Prepared { units, n_tokens, windowed, places, questions: Vec::new() })
    }

    /// Calibrated scores of a sentence from the predictions for its units, in order.
    /// Logits and vectors of several windows are averaged, weighted by their tokens.
    pub fn scores(&self, prepared: &Prepared, predictions: &[Prediction]) -> SentenceScores {
        if let Some(pairs) = &self.pairs {
            return pairs.scores(self, prepared, predictions);
        }
        let layers = &self.meta.codebook.layers;
        let average =
            |pick: &dyn Fn(&Prediction) -> Vec<f32>| average(&prepared.units, predictions, pick);
        let of_sentence = layers
            .iter()
            .filter(|l| l.kind != LayerKind::Target)
            .enumerate()
            .map(|(i, l)| {
                self.meta
                    .calibration(l)
                    .scores(l.kind, &average(&|p| p.layers.get(i).cloned().unwrap_or_default()))
            })
            .collect();
        let mentions = prepared
            .places
            .iter()
            .map(|place| {
                let (unit, at) = (*place)?;
                let logits = predictions.get(unit)?.mentions.get(at)?;
                let target_layers = layers.iter().filter(|l| l.kind == LayerKind::Target);
                Some(
                    target_layers
                        .zip(logits)
                        .map(|(l, z)| self.meta.calibration(l).scores(l.kind, z))
                        .collect(),
                )
            })
            .collect();
        let vector = average(&|p| p.vector.clone());
        let vector = match &self.vector_map {
            Some(map) => map.apply(vector),
            None => vector,
        };
        SentenceScores { layers: of_sentence, mentions, vector }
    }
}
