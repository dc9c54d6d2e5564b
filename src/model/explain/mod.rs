//! Which words of a sentence made the model give a label.
//!
//! The answer is a counterfactual (Martens & Provost 2014, "Explaining data-driven document
//! classifications"): the few words without which the model gives another label. They are
//! searched for greedily. Each word is cut out of the sentence in turn and the model asked
//! again; the word whose loss costs the label most stays out, and the search goes on until
//! the label is gone or so many words were taken. So every weight is what the model was
//! seen to do, on the sentence as it would read it, and not an estimate.
//!
//! The first word is chosen from all, the next from those that weighed most alone. Where a
//! sentence has very many words, [`gradient`]s choose which are tried at all. They are no
//! substitute for the search: they are cheap, and agree with it in part only.

pub mod gradient;

use std::ops::Range;

use super::predict::{Batching, predict_all};
use super::sentence::{Prepared, SentenceScores};
use super::{LayerKind, Model, Prediction, Unit};
use crate::error::{Error, Result};
use crate::text::word_spans;

/// A label that a model gave, to be explained.
#[derive(Debug, Clone, PartialEq)]
pub struct Question {
    /// The sentence in the form that the model reads.
    pub text: String,
    /// The layer, by its position in the codebook.
    pub layer: usize,
    /// The label, by its position in the layer.
    pub label: usize,
    /// For a target layer the bytes of the mention. Its words are never taken out.
    pub mention: Option<Range<usize>>,
}

impl Question {
    /// The words that can be taken out: all but those of the mention.
    pub fn words(&self) -> Vec<Range<usize>> {
        let apart = |word: &Range<usize>| {
            self.mention.as_ref().is_none_or(|m| word.end <= m.start || m.end <= word.start)
        };
        word_spans(&self.text).filter(apart).collect()
    }

    /// The same question about the sentence without some of its [words](Self::words).
    pub fn without(&self, words: &[Range<usize>]) -> Self {
        let mut words: Vec<&Range<usize>> = words.iter().collect();
        words.sort_by_key(|w| w.start);
        let mut text = String::with_capacity(self.text.len());
        let mut at = 0;
        for word in &words {
            text.push_str(self.text.get(at..word.start).unwrap_or_default());
            at = word.end;
        }
        text.push_str(self.text.get(at..).unwrap_or_default());
        let moved = |at: usize| {
            let before: usize = words.iter().filter(|w| w.end <= at).map(|w| w.len()).sum();
            at.saturating_sub(before)
        };
        let mention = self.mention.as_ref().map(|m| moved(m.start)..moved(m.end));
        Question { text, mention, ..*self }
    }
}

/// How far the search goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Settings {
    /// Most words that are taken out together.
    pub words: usize,
    /// Most words of a sentence that are tried one by one, chosen by their gradients where
    /// there are more; a model that gives none tries all.
    pub tried: usize,
    /// Words that are tried again when the first is out: those that weigh most alone.
    pub kept: usize,
    /// Whether words are taken out only until the label is gone.
    pub stop: bool,
}

impl Default for Settings {
    fn default() -> Self {
        Settings { words: 3, tried: 60, kept: 10, stop: true }
    }
}

/// A word that was taken out.
#[derive(Debug, Clone, PartialEq)]
pub struct Word {
    /// Its bytes in the sentence as the model reads it.
    pub bytes: Range<usize>,
    /// By how much the label's [margin](Explanation::margin) fell when it was taken out in
    /// addition to the words before it; below zero where the label only grew surer.
    pub weight: f32,
    /// Whether the label is gone without this word and those before it.
    pub gone: bool,
}

/// The words that made the model give a label.
#[derive(Debug, Clone, PartialEq)]
pub struct Explanation {
    /// How sure the label was: for a layer of one label the logarithm of its probability
    /// over that of the runner-up, for a multi layer the logit of its probability less that
    /// of the threshold. Below zero where the model does not give the label.
    pub margin: f32,
    /// The words in the order in which they were taken out.
    pub words: Vec<Word>,
    /// The label that the model gives without them; `None` in a multi layer, and while the label stays.
    pub instead: Option<usize>,
}

/// The words behind each label, in the order of `questions`.
///
/// # Errors
/// If a question names a layer, label or mention that is not there, or the model fails.
pub fn explain(
    model: &Model,
    questions: &[Question],
    settings: Settings,
    batching: Batching,
) -> Result<Vec<Explanation>> {
    let mut searches = start(model, questions, settings, batching)?;
    for _ in 0..settings.words {
        let variants = next_round(&searches, settings);
        let mut answers = answers(model, questions, &variants, batching)?.into_iter();
        for of_question in variants.chunk_by(|a, b| a.question == b.question) {
            let answers: Vec<Answer> = answers.by_ref().take(of_question.len()).collect();
            let search = of_question.first().and_then(|v| searches.get_mut(v.question));
            if let Some(search) = search {
                search.take(&answers, settings.kept);
            }
        }
    }
    Ok(searches.into_iter().map(|s| s.explanation).collect())
}

/// Words (as bytes) with their weights.
pub type WordWeights = Vec<(Range<usize>, f32)>;

/// Asks for the labels of the whole sentences and chooses the words to try.
fn start(
    model: &Model,
    questions: &[Question],
    settings: Settings,
    batching: Batching,
) -> Result<Vec<Search>> {
    questions.iter().try_for_each(|q| check(model, q))?;
    let words: Vec<Vec<Range<usize>>> = questions.iter().map(Question::words).collect();
    let answers = answers(model, questions, &whole(questions), batching)?;
    let shortlists = shortlists(model, questions, words, settings.tried, batching)?;
    let search = |(answer, candidates): (Answer, _)| Search {
        candidates,
        taken: Vec::new(),
        explanation: Explanation { margin: answer.margin, words: Vec::new(), instead: None },
        margin: answer.margin,
    };
    Ok(answers.into_iter().zip(shortlists).map(search).collect())
}

/// Every sentence whose search goes on, without each of its candidates.
fn next_round(searches: &[Search], settings: Settings) -> Vec<Variant> {
    let goes_on = |s: &&(usize, &Search)| !(settings.stop && s.1.margin < 0.0);
    let searches: Vec<(usize, &Search)> = searches.iter().enumerate().collect();
    searches
        .iter()
        .filter(goes_on)
        .flat_map(|(question, s)| s.next().map(|without| Variant { question: *question, without }))
        .collect()
}

/// For each question the weight of each word of its sentence that can be taken out (its bytes and by how much
/// the margin falls without it alone): leave-one-out over all words, what [`gradient`]s are
/// checked against.
///
/// # Errors
/// As [`explain`].
pub fn leave_one_out(
    model: &Model,
    questions: &[Question],
    batching: Batching,
) -> Result<Vec<WordWeights>> {
    let settings = Settings { words: 1, tried: usize::MAX, kept: 1, stop: false };
    let mut weights: Vec<WordWeights> = vec![Vec::new(); questions.len()];
    let searches = start(model, questions, settings, batching)?;
    let variants = next_round(&searches, settings);
    let answers = answers(model, questions, &variants, batching)?;
    for (variant, answer) in variants.into_iter().zip(answers) {
        let margin = searches[variant.question].margin;
        let words = variant.without.into_iter();
        weights[variant.question].extend(words.map(|w| (w, margin - answer.margin)));
    }
    Ok(weights)
}

/// How sure the model is of each label: see [`Explanation::margin`].
///
/// # Errors
/// As [`explain`].
pub fn margins(model: &Model, questions: &[Question], batching: Batching) -> Result<Vec<f32>> {
    questions.iter().try_for_each(|q| check(model, q))?;
    let answers = answers(model, questions, &whole(questions), batching)?;
    Ok(answers.into_iter().map(|a| a.margin).collect())
}

/// Every sentence as it is.
fn whole(questions: &[Question]) -> Vec<Variant> {
    (0..questions.len()).map(|question| Variant { question, without: vec![] }).collect()
}

fn check(model: &Model, question: &Question) -> Result<()> {
    let Some(layer) = model.codebook().layers.get(question.layer) else {
        return Err(Error::setting(format!("the model has no layer {}", question.layer)));
    };
    if question.label >= layer.labels.len() {
        return Err(Error::setting(format!(
            "layer {} has no label {}",
            layer.name, question.label
        )));
    }
    match (&question.mention, layer.kind) {
        (None, LayerKind::Target) => Err(Error::setting(format!(
            "layer {} is read at a mention, and none is named",
            layer.name
        ))),
        (Some(bytes), LayerKind::Target) if question.text.get(bytes.clone()).is_none() => {
            Err(Error::setting("the mention lies outside the sentence"))
        }
        _ => Ok(()),
    }
}

/// Of each sentence the words that are tried.
fn shortlists(
    model: &Model,
    questions: &[Question],
    words: Vec<Vec<Range<usize>>>,
    most: usize,
    batching: Batching,
) -> Result<Vec<Vec<Range<usize>>>> {
    if !model.gives_gradients() {
        return Ok(words);
    }
    let long: Vec<usize> = (0..words.len()).filter(|&q| words[q].len() > most).collect();
    let asked: Vec<(&Question, &[Range<usize>])> =
        long.iter().map(|&q| (&questions[q], words[q].as_slice())).collect();
    let weights = gradient::weights(model, &asked, gradient::Method::default(), batching)?;
    let mut shortlists = words;
    for (q, weights) in long.into_iter().zip(weights) {
        let mut order: Vec<usize> = (0..weights.len()).collect();
        order.sort_by(|&a, &b| weights[b].total_cmp(&weights[a]).then(a.cmp(&b)));
        order.truncate(most);
        order.sort_unstable();
        shortlists[q] = order.into_iter().map(|i| shortlists[q][i].clone()).collect();
    }
    Ok(shortlists)
}

/// The search for one question.
struct Search {
    /// Words that are still in the sentence and can be taken out.
    candidates: Vec<Range<usize>>,
    /// Those that are out.
    taken: Vec<Range<usize>>,
    explanation: Explanation,
    /// The margin without them.
    margin: f32,
}

impl Search {
    /// What is left out if each candidate is taken out next.
    fn next(&self) -> impl Iterator<Item = Vec<Range<usize>>> + '_ {
        self.candidates.iter().map(|word| {
            let mut without = self.taken.clone();
            without.push(word.clone());
            without
        })
    }

    /// Takes out the candidate that costs the label most. `answers`: what the model says
    /// without each candidate, in their order; `kept`: how many are tried in the next round.
    fn take(&mut self, answers: &[Answer], kept: usize) {
        let mut order: Vec<usize> = (0..self.candidates.len().min(answers.len())).collect();
        order.sort_by(|&a, &b| answers[a].margin.total_cmp(&answers[b].margin).then(a.cmp(&b)));
        let Some((&best, others)) = order.split_first() else { return };
        let (bytes, answer) = (self.candidates[best].clone(), answers[best]);
        let gone = answer.margin < 0.0;
        let weight = self.margin - answer.margin;
        self.explanation.words.push(Word { bytes: bytes.clone(), weight, gone });
        self.explanation.instead = answer.instead.filter(|_| gone);
        self.margin = answer.margin;
        self.taken.push(bytes);
        self.candidates = others.iter().take(kept).map(|&i| self.candidates[i].clone()).collect();
    }
}

/// A sentence without some of its words.
struct Variant {
    question: usize,
    without: Vec<Range<usize>>,
}

/// What the model says of a variant.
#[derive(Debug, Clone, Copy)]
struct Answer {
    margin: f32,
    /// The label given, in a layer of one label.
    instead: Option<usize>,
}

fn answers(
    model: &Model,
    questions: &[Question],
    variants: &[Variant],
    batching: Batching,
) -> Result<Vec<Answer>> {
    let prepared: Vec<Prepared> = variants
        .iter()
        .map(|v| {
            let question = questions[v.question].without(&v.without);
            model.prepare(&question.text, question.mention.as_slice())
        })
        .collect::<Result<_>>()?;
    let units: Vec<&Unit> = prepared.iter().flat_map(|p| &p.units).collect();
    let mut predictions = predict_all(model, &units, batching, &|_| {})?.into_iter();
    Ok(variants
        .iter()
        .zip(&prepared)
        .map(|(variant, prepared)| {
            let mine: Vec<Prediction> = predictions.by_ref().take(prepared.units.len()).collect();
            answer(model, &questions[variant.question], &model.scores(prepared, &mine))
        })
        .collect())
}

fn answer(model: &Model, question: &Question, scores: &SentenceScores) -> Answer {
    let layers = &model.codebook().layers;
    let same_kind = |kind: LayerKind| (kind == LayerKind::Target) == question.mention.is_some();
    let at = layers[..question.layer].iter().filter(|l| same_kind(l.kind)).count();
    let layer = &layers[question.layer];
    let scores = match question.mention {
        Some(_) => scores.mentions.first().and_then(|m| m.as_ref()?.get(at)),
        None => scores.layers.get(at),
    };
    // A mention that covers no token has no label to lose.
    let Some(scores) = scores else { return Answer { margin: f32::NEG_INFINITY, instead: None } };
    let p = |label: usize| f64::from(scores.probabilities.get(label).copied().unwrap_or_default());
    let given = p(question.label);
    if layer.kind == LayerKind::Multi {
        let thresholds = model.meta.calibration(layer).thresholds;
        let threshold = f64::from(thresholds.get(question.label).copied().unwrap_or(0.5));
        return Answer { margin: (logit(given) - logit(threshold)) as f32, instead: None };
    }
    let others = (0..layer.labels.len()).filter(|&l| l != question.label);
    let runner_up = others.map(p).fold(0.0, f64::max);
    let margin = (given.max(TINY).ln() - runner_up.max(TINY).ln()) as f32;
    Answer { margin, instead: scores.labels.first().copied() }
}

/// Probabilities are kept this far from 0 and 1, so that their logits are finite.
const TINY: f64 = 1e-9;

fn logit(p: f64) -> f64 {
    let p = p.clamp(TINY, 1.0 - TINY);
    (p / (1.0 - p)).ln()
}

#[cfg(test)]
mod tests;
