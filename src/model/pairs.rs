//! Sentences read together with a hypothesis: zero-shot labels by textual entailment (Yin, Hay
//! and Roth 2019, <https://arxiv.org/abs/1909.00161>).
//!
//! A checkpoint that was trained to tell whether one text follows from another is asked of each
//! sentence whether a hypothesis follows from it. One with `{target}` in it is asked for every
//! mention of a target, with the words of the mention in that place. Each question is a unit of
//! its own; a sentence too long for the model is asked in windows.

use std::ops::Range;

use super::bundle::Meta;
use super::checkpoint::{Questions, TARGET};
use super::codebook::LayerKind;
use super::sentence::{Prepared, SentenceScores, average, window_around};
use super::{Model, Prediction, Scores, Unit};
use crate::error::{Error, Result};
use crate::text::tokens::{Tokenizer, Tokens, windows};

/// Fewest tokens of a sentence that are read beside a hypothesis.
const FEWEST: usize = 16;

/// What a model is asked about each sentence.
pub(super) struct Pairs {
    /// Tokens of the hypotheses on sentences, in codebook order.
    of_sentences: Vec<Vec<u32>>,
    /// Texts of those on targets.
    of_targets: Vec<String>,
    /// Whether the model tells the two texts apart by their tokens' types.
    typed: bool,
    /// Most tokens of a sentence and a hypothesis together.
    capacity: usize,
}

impl Pairs {
    /// The questions to a model; `None` if it is asked none and reads sentences alone.
    ///
    /// # Errors
    /// If its tokenizer puts no two texts together, or a hypothesis is too long.
    pub(super) fn new(
        meta: &Meta,
        questions: &Questions,
        tokenizer: &Tokenizer,
        token_types: usize,
        place: &str,
    ) -> Result<Option<Self>> {
        if questions.hypotheses.is_empty() {
            return Ok(None);
        }
        let special = tokenizer.n_special_of_pair().ok_or_else(|| {
            Error::model(place, "tokenizer.json does not say how two texts are put together")
                .with_hint("hypotheses need a model that was trained on pairs of texts")
        })?;
        let capacity = meta.max_length.saturating_sub(special);
        let (mut of_sentences, mut of_targets) = (Vec::new(), Vec::new());
        for (layer, text) in meta.codebook.layers.iter().zip(&questions.hypotheses) {
            let tokens = tokenizer.encode(text)?.ids;
            if tokens.len() + FEWEST > capacity {
                return Err(Error::model(
                    place,
                    format!(
                        "the hypothesis of layer {:?} leaves no room for a sentence",
                        layer.name
                    ),
                ));
            }
            match layer.kind {
                LayerKind::Target => of_targets.push(text.clone()),
                _ => of_sentences.push(tokens),
            }
        }
        Ok(Some(Pairs { of_sentences, of_targets, typed: token_types > 1, capacity }))
    }

    /// The units that ask whether a hypothesis follows from tokens `ids` of a sentence.
    fn ask(&self, tokenizer: &Tokenizer, ids: &[u32], hypothesis: &[u32]) -> Option<Unit> {
        let (ids, types) = tokenizer.frame_pair(ids, hypothesis)?;
        Some(Unit { ids, types: if self.typed { types } else { Vec::new() }, mentions: Vec::new() })
    }

    /// The windows of a sentence of `n` tokens beside a hypothesis.
    fn windows(&self, n: usize, hypothesis: &[u32]) -> Vec<Range<usize>> {
        windows(n, self.capacity.saturating_sub(hypothesis.len()))
    }

    /// The units of a sentence: for each hypothesis on sentences its windows, then for each
    /// mention and hypothesis on targets one.
    pub(super) fn prepare(
        &self,
        tokenizer: &Tokenizer,
        text: &str,
        tokens: &Tokens,
        mentions: &[Range<usize>],
    ) -> Result<Prepared> {
        let n_tokens = tokens.ids.len();
        let cut = |window: &Range<usize>| tokens.ids.get(window.clone()).unwrap_or_default();
        let mut units = Vec::new();
        let mut questions = Vec::new();
        for hypothesis in &self.of_sentences {
            let first = units.len();
            let windows = self.windows(n_tokens, hypothesis);
            units.extend(windows.iter().filter_map(|w| self.ask(tokenizer, cut(w), hypothesis)));
            questions.push(first..units.len());
        }
        let mut places = Vec::with_capacity(mentions.len());
        for bytes in mentions {
            let covered = tokens.covering(bytes);
            let words = text.get(bytes.clone()).unwrap_or_default();
            if covered.is_empty() || words.is_empty() {
                places.push(None);
                continue;
            }
            places.push(Some((units.len(), 0)));
            for hypothesis in &self.of_targets {
                let mut hypothesis = tokenizer.encode(&hypothesis.replace(TARGET, words))?.ids;
                // A mention as long as a sentence is possible, if not likely.
                hypothesis.truncate(self.capacity.saturating_sub(FEWEST));
                let windows = self.windows(n_tokens, &hypothesis);
                let window = window_around(&windows, &covered).map(|(_, w)| w.clone());
                let ids = cut(&window.unwrap_or_default());
                units.extend(self.ask(tokenizer, ids, &hypothesis));
            }
        }
        let windowed = questions.iter().any(|q| q.len() > 1)
            || (questions.is_empty() && n_tokens + FEWEST > self.capacity);
        Ok(Prepared { units, n_tokens, windowed, places, questions })
    }

    /// What the predictions for the units of a sentence say.
    pub(super) fn scores(
        &self,
        model: &Model,
        prepared: &Prepared,
        predictions: &[Prediction],
    ) -> SentenceScores {
        let layers = &model.meta.codebook.layers;
        let logits = |p: &Prediction| p.layers.first().cloned().unwrap_or_default();
        let of_sentence = layers
            .iter()
            .filter(|l| l.kind != LayerKind::Target)
            .zip(&prepared.questions)
            .map(|(layer, units)| {
                let asked = prepared.units.get(units.clone()).unwrap_or_default();
                let answers = predictions.get(units.clone()).unwrap_or_default();
                let logits = average(asked, answers, &logits);
                model.meta.calibration(layer).scores(layer.kind, &logits)
            })
            .collect();
        let of_mention = |first: usize| -> Option<Vec<Scores>> {
            let answers = predictions.get(first..first + self.of_targets.len())?;
            let targets = layers.iter().filter(|l| l.kind == LayerKind::Target).zip(answers);
            Some(
                targets
                    .map(|(l, p)| model.meta.calibration(l).scores(l.kind, &logits(p)))
                    .collect(),
            )
        };
        let mentions = prepared.places.iter().map(|place| of_mention(place.as_ref()?.0)).collect();
        SentenceScores { layers: of_sentence, mentions, vector: Vec::new() }
    }
}
