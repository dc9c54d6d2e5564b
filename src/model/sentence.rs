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
    /// One unit, or several windows of a sentence longer than the model takes.
    pub units: Vec<Unit>,
    /// Tokens of the whole sentence, special tokens not counted.
    pub n_tokens: usize,
    /// For each mention asked for, its unit and place there; `None` if it covers no token.
    places: Vec<Option<(usize, usize)>>,
}

/// The model's answer for a sentence.
#[derive(Debug, Clone, PartialEq)]
pub struct SentenceScores {
    /// Scores of each single or multi layer, in codebook order.
    pub layers: Vec<Scores>,
    /// For each mention asked for, scores of each target layer; `None` if it covers no token.
    pub mentions: Vec<Option<Vec<Scores>>>,
    /// The sentence vector.
    pub vector: Vec<f32>,
}

impl Model {
    /// Cuts a sentence, in the form of [`crate::text::Sentence::model_text`], into units;
    /// `mentions` are bytes of it.
    ///
    /// # Errors
    /// If the tokenizer fails.
    pub fn prepare(&self, model_text: &str, mentions: &[Range<usize>]) -> Result<Prepared> {
        let tokens = self.tokenizer.encode(model_text)?;
        let n_tokens = tokens.ids.len();
        let capacity = self.meta.max_length.saturating_sub(self.tokenizer.n_special());
        let windows = windows(n_tokens, capacity);
        let mut units: Vec<Unit> = windows
            .iter()
            .map(|w| Unit {
                ids: self.tokenizer.frame(&tokens.ids[w.clone()]),
                mentions: Vec::new(),
            })
            .collect();
        let places = mentions
            .iter()
            .map(|bytes| {
                let covered = tokens.covering(bytes);
                if covered.is_empty() {
                    return None;
                }
                // The window in whose middle the mention lies sees most of its surroundings.
                let middle = covered.start + covered.end;
                let (i, window) = windows.iter().enumerate().min_by_key(|(_, w)| {
                    let reaches = w.start <= covered.start && covered.end <= w.end;
                    (!reaches, (w.start + w.end).abs_diff(middle))
                })?;
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
        Ok(Prepared { units, n_tokens, places })
    }

    /// Calibrated scores of a sentence from the predictions for its units, in order.
    /// Logits and vectors of several windows are averaged, weighted by their tokens.
    pub fn scores(&self, prepared: &Prepared, predictions: &[Prediction]) -> SentenceScores {
        let layers = &self.meta.codebook.layers;
        let weights: Vec<f32> = prepared.units.iter().map(|u| u.ids.len() as f32).collect();
        let average = |pick: &dyn Fn(&Prediction) -> &Vec<f32>| -> Vec<f32> {
            let total: f32 = weights.iter().sum();
            let width = predictions.first().map_or(0, |p| pick(p).len());
            let mut sums = vec![0f32; width];
            for (prediction, weight) in predictions.iter().zip(&weights) {
                for (sum, value) in sums.iter_mut().zip(pick(prediction)) {
                    *sum += value * (weight / total);
                }
            }
            sums
        };
        let of_sentence = layers
            .iter()
            .filter(|l| l.kind != LayerKind::Target)
            .enumerate()
            .map(|(i, l)| self.meta.calibration(l).scores(l.kind, &average(&|p| &p.layers[i])))
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
        let vector = average(&|p| &p.vector);
        let vector = match &self.vector_map {
            Some(map) => map.apply(vector),
            None => vector,
        };
        SentenceScores { layers: of_sentence, mentions, vector }
    }
}
