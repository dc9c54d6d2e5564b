//! Do the words that explain a label carry it? Measured on labelled sentences.
//!
//! The words are cut out of the sentence and it is scored anew, as any sentence would be: the
//! share of labels that change is the rate of decision flips (Serrano & Smith 2019; DeYoung et
//! al. 2020 call what is measured *comprehensiveness*). As many words drawn by chance show
//! what cutting alone does.

use std::ops::Range;

use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use serde::Serialize;

use super::folder::labels;
use crate::error::{Error, Result};
use crate::model::explain::gradient::{self, Method};
use crate::model::explain::{Question, Settings, explain, leave_one_out, margins};
use crate::model::predict::Batching;
use crate::model::{LayerKind, Model};
use crate::training::data::{Answer, Choice, Example};

/// How explanations are measured.
#[derive(Debug, Clone)]
pub struct MeasureOptions {
    /// How far the search for words goes.
    pub search: Settings,
    /// The layer, of one label for a sentence or a mention.
    pub layer: String,
    /// Its labels; if empty, all.
    pub labels: Vec<String>,
    /// Draws of random words for each sentence.
    pub draws: usize,
    /// Seed of the draws.
    pub seed: u64,
    /// How the model runs.
    pub batching: Batching,
}

/// How far explanations hold.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Faithfulness {
    /// The layer.
    pub layer: String,
    /// The figures of all labels together, then of each.
    pub labels: Vec<LabelFaithfulness>,
    /// Most words that an explanation has.
    pub words: usize,
    /// How gradients (times the embeddings) agree with leave-one-out: the share of the three words
    /// with the highest weights that both name, on average.
    /// `None` for a model that gives no gradients.
    pub gradient_overlap: Option<f64>,
}

/// The figures of one label, or of all.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct LabelFaithfulness {
    /// The label; `None`: all.
    pub label: Option<String>,
    /// Sentences (or mentions) that have it by the data and get it by the model.
    pub n: usize,
    /// Share that lose it when the explanation's words are cut out.
    pub without_words: f64,
    /// Share that lose it when as many random words as an explanation can have are cut out.
    pub without_random: f64,
    /// Words of an explanation on average.
    pub n_words: f64,
}

/// Explains every label that `model` gets right and measures what the explanations are worth.
///
/// # Errors
/// If the layer or a label is not there, no label is right, or the model fails.
pub fn measure(
    model: &Model,
    examples: &[Example],
    options: &MeasureOptions,
) -> Result<Faithfulness> {
    let codebook = model.codebook();
    let layer = codebook.layers.iter().position(|l| l.name == options.layer);
    let Some(layer) = layer.filter(|&l| codebook.layers[l].kind != LayerKind::Multi) else {
        return Err(Error::setting(format!(
            "the model has no layer {:?} of one label",
            options.layer
        )));
    };
    let wanted = labels(&codebook.layers[layer], &options.labels)?;
    let asked: Vec<Question> = examples.iter().flat_map(|e| questions(e, layer, &wanted)).collect();
    let margins_of = |questions: &[Question]| margins(model, questions, options.batching);
    let sure = margins_of(&asked)?;
    let right: Vec<Question> =
        asked.into_iter().zip(sure).filter(|(_, m)| *m >= 0.0).map(|(q, _)| q).collect();
    if right.is_empty() {
        return Err(Error::setting("the model gets none of the labels right"));
    }
    let found = explain(model, &right, options.search, options.batching)?;
    let explained: Vec<Question> = right
        .iter()
        .zip(&found)
        .map(|(q, e)| q.without(&e.words.iter().map(|w| w.bytes.clone()).collect::<Vec<_>>()))
        .collect();
    let explained = margins_of(&explained)?;
    let mut rng = ChaCha8Rng::seed_from_u64(options.seed);
    let draws = options.draws.max(1);
    let random: Vec<Question> = right
        .iter()
        .flat_map(|q| std::iter::repeat_n(q, draws))
        .map(|q| q.without(&random_words(q, options.search.words, &mut rng)))
        .collect();
    let random = margins_of(&random)?;

    let figures = |label: Option<usize>| {
        let mine: Vec<usize> =
            (0..right.len()).filter(|&i| label.is_none_or(|l| right[i].label == l)).collect();
        let share = |gone: usize, n: usize| gone as f64 / n.max(1) as f64;
        let gone = mine.iter().filter(|&&i| explained[i] < 0.0).count();
        let by_chance = mine.iter().flat_map(|&i| &random[i * draws..(i + 1) * draws]);
        let by_chance = by_chance.filter(|m| **m < 0.0).count();
        let words: usize = mine.iter().map(|&i| found[i].words.len()).sum();
        LabelFaithfulness {
            label: label
                .and_then(|l| codebook.layers[layer].label_names().nth(l))
                .map(str::to_owned),
            n: mine.len(),
            without_words: share(gone, mine.len()),
            without_random: share(by_chance, mine.len() * draws),
            n_words: share(words, mine.len()),
        }
    };
    Ok(Faithfulness {
        layer: options.layer.clone(),
        labels: std::iter::once(None)
            .chain(wanted.iter().copied().map(Some))
            .map(figures)
            .collect(),
        words: options.search.words,
        gradient_overlap: model
            .gives_gradients()
            .then(|| gradient_overlap(model, &right, options.batching))
            .transpose()?,
    })
}

/// What a labelled sentence asks: its answers that are wanted.
fn questions(example: &Example, layer: usize, wanted: &[usize]) -> Vec<Question> {
    let ask = |choice: &Choice, mention: Option<Range<usize>>| {
        let answers = std::iter::once(choice.label).chain(choice.alternative);
        let wanted = answers.filter(|l| wanted.contains(l));
        wanted
            .map(|label| Question {
                text: example.model_text.clone(),
                layer,
                label,
                mention: mention.clone(),
            })
            .collect::<Vec<_>>()
    };
    match example.answers.get(layer) {
        Some(Answer::Single(choice)) => ask(choice, None),
        Some(Answer::Target(mentions)) => {
            mentions.iter().flat_map(|(bytes, choice)| ask(choice, Some(bytes.clone()))).collect()
        }
        _ => Vec::new(),
    }
}

fn random_words(question: &Question, n: usize, rng: &mut ChaCha8Rng) -> Vec<Range<usize>> {
    let mut words = question.words();
    let mut drawn = Vec::new();
    while drawn.len() < n && !words.is_empty() {
        drawn.push(words.swap_remove(rng.random_range(0..words.len())));
    }
    drawn
}

/// Of the three words with the highest weights by gradient and by leave-one-out, the share
/// that both have, on average.
fn gradient_overlap(model: &Model, questions: &[Question], batching: Batching) -> Result<f64> {
    let exact = leave_one_out(model, questions, batching)?;
    let words: Vec<Vec<Range<usize>>> =
        exact.iter().map(|ws| ws.iter().map(|(w, _)| w.clone()).collect()).collect();
    let asked: Vec<_> = questions.iter().zip(&words).map(|(q, w)| (q, w.as_slice())).collect();
    let gradients = gradient::weights(model, &asked, Method::default(), batching)?;
    let top = |weights: &[f32]| {
        let mut order: Vec<usize> = (0..weights.len()).collect();
        order.sort_by(|&a, &b| weights[b].total_cmp(&weights[a]));
        order.truncate(3);
        order
    };
    let shares = exact.iter().zip(&gradients).map(|(exact, gradient)| {
        let exact = top(&exact.iter().map(|(_, w)| *w).collect::<Vec<_>>());
        let gradient = top(gradient);
        let both = exact.iter().filter(|w| gradient.contains(w)).count();
        both as f64 / exact.len().max(1) as f64
    });
    Ok(shares.sum::<f64>() / questions.len().max(1) as f64)
}
