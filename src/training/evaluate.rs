//! Measuring a model against labelled sentences.

use std::collections::{HashMap, HashSet};

use serde::Serialize;

use super::breakdown::{Breakdown, breakdown, by_length};
use super::data::{Answer, Example};
use super::metrics::{Decision, LayerFigures, Named, figures};
use super::mistakes::{Mistake, mistakes};
use super::withheld::{AtConfidence, at_confidence};
use crate::error::Result;
use crate::model::predict::{Batching, predict_all};
use crate::model::sentence::{Prepared, SentenceScores};
use crate::model::{Codebook, Layer, LayerKind, Model, Prediction, Scores, Unit};

/// What is measured beside the figures of each layer.
#[derive(Debug, Clone, PartialEq)]
pub struct Options {
    /// Bootstrap samples of the documents for the 95% intervals; below 40 there are none.
    pub resamples: usize,
    /// Fields of the rows to break the figures down by; `outlet`, `topic` and the length are
    /// taken anyway, where the rows have them.
    pub by: Vec<String>,
    /// How many of the most confident errors to list for each layer.
    pub mistakes: usize,
    /// Labels with less than this probability are withheld.
    pub min_confidence: Option<f32>,
    /// Outlets of the training data: figures are given for these and for others.
    pub training_outlets: Option<HashSet<String>>,
}

impl Default for Options {
    fn default() -> Self {
        Options {
            resamples: 1000,
            by: Vec::new(),
            mistakes: 5,
            min_confidence: None,
            training_outlets: None,
        }
    }
}

/// Figures of every layer that the data say something about.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct Evaluation {
    /// By layer name, in codebook order.
    pub layers: Named<LayerFigures>,
    /// The same by outlet, length and other fields.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub breakdowns: Vec<Breakdown>,
    /// What is left if unsure labels are withheld.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub min_confidence: Option<AtConfidence>,
    /// The most confident errors of each layer.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub mistakes: Vec<Mistake>,
}

/// The raw predictions for labelled sentences.
pub struct Predictions {
    prepared: Vec<Prepared>,
    units: Vec<Vec<Prediction>>,
}

/// Runs the model on every example, with the mentions that its answers name.
///
/// # Errors
/// If the model fails.
pub fn predict(model: &Model, examples: &[Example], batching: Batching) -> Result<Predictions> {
    let prepared: Vec<Prepared> = examples
        .iter()
        .map(|e| {
            let mentions: Vec<_> = mentions(e).map(|(bytes, _)| bytes.clone()).collect();
            model.prepare(&e.model_text, &mentions)
        })
        .collect::<Result<_>>()?;
    let units: Vec<&Unit> = prepared.iter().flat_map(|p| &p.units).collect();
    let mut predictions = predict_all(model, &units, batching, &|_| {})?.into_iter();
    let units =
        prepared.iter().map(|p| predictions.by_ref().take(p.units.len()).collect()).collect();
    Ok(Predictions { prepared, units })
}

/// The mentions that an example's answers name, each with the layer of its answer, in order.
fn mentions(example: &Example) -> impl Iterator<Item = (&std::ops::Range<usize>, usize)> {
    example.answers.iter().enumerate().flat_map(|(layer, answer)| {
        let list = if let Answer::Target(list) = answer { list.as_slice() } else { &[] };
        list.iter().map(move |(bytes, _)| (bytes, layer))
    })
}

impl Predictions {
    /// Calibrated scores of each example.
    pub fn scores(&self, model: &Model) -> Vec<SentenceScores> {
        self.prepared.iter().zip(&self.units).map(|(p, u)| model.scores(p, u)).collect()
    }

    /// For a layer of one label: the probabilities of its labels and the right one, for each
    /// sentence or mention that has an answer.
    pub fn choices(
        &self,
        model: &Model,
        examples: &[Example],
        layer: usize,
    ) -> Vec<(Vec<f32>, usize)> {
        let layers = &model.codebook().layers;
        let same_kind =
            |l: &&Layer| (l.kind == LayerKind::Target) == (layers[layer].kind == LayerKind::Target);
        let at = layers[..layer].iter().filter(same_kind).count();
        let mut rows = Vec::new();
        for (example, scores) in examples.iter().zip(self.scores(model)) {
            match &example.answers[layer] {
                Answer::Single(choice) => rows
                    .extend(scores.layers.get(at).map(|s| (s.probabilities.clone(), choice.label))),
                Answer::Target(_) => {
                    let asked = mentions(example).zip(target_choices(example)).zip(scores.mentions);
                    for (((_, of_layer), choice), scores) in asked {
                        let scores = scores.and_then(|s| s.into_iter().nth(at));
                        if let (true, Some(scores)) = (of_layer == layer, scores) {
                            rows.push((scores.probabilities, choice.label));
                        }
                    }
                }
                Answer::None | Answer::Multi(_) => {}
            }
        }
        rows
    }

    /// For each layer of the codebook the decisions on it.
    pub fn decisions(&self, model: &Model, examples: &[Example]) -> Vec<Vec<Decision>> {
        let codebook = model.codebook();
        let mut documents: HashMap<&str, usize> = HashMap::new();
        let mut decisions = vec![Vec::new(); codebook.layers.len()];
        for (i, (example, scores)) in examples.iter().zip(self.scores(model)).enumerate() {
            let n = documents.len();
            let document = *documents.entry(&example.document).or_insert(n);
            for (layer, decision) in decide(codebook, example, &scores) {
                decisions[layer].push(Decision { document, example: i, ..decision });
            }
        }
        decisions
    }

    /// Tokens of each example, special tokens not counted.
    pub fn lengths(&self) -> Vec<usize> {
        self.prepared.iter().map(|p| p.n_tokens).collect()
    }
}

/// The decisions on one example, each with its layer's index.
fn decide(
    codebook: &Codebook,
    example: &Example,
    scores: &SentenceScores,
) -> Vec<(usize, Decision)> {
    let mut decisions = Vec::new();
    let one = |choice: &super::data::Choice, scores: &Scores| {
        let predicted = *scores.labels.first()?;
        let gold = choice.gold_for(predicted);
        Some(Decision {
            gold: vec![gold],
            predicted: vec![predicted],
            probabilities: scores.probabilities.clone(),
            ..Decision::default()
        })
    };
    let (mut sentence_layer, mut target_layer) = (0, 0);
    for (i, (layer, answer)) in codebook.layers.iter().zip(&example.answers).enumerate() {
        if layer.kind == LayerKind::Target {
            // Mentions of all target layers stand in one list; take those asked for by this one.
            for ((bytes, of_layer), (choice, scores)) in
                mentions(example).zip(target_choices(example).zip(&scores.mentions))
            {
                let scores = scores.as_ref().and_then(|s| s.get(target_layer));
                if let (true, Some(scores)) = (of_layer == i, scores) {
                    let about = |d| Decision { mention: Some(bytes.clone()), ..d };
                    decisions.extend(one(&choice, scores).map(|d| (i, about(d))));
                }
            }
            target_layer += 1;
            continue;
        }
        let Some(scores) = scores.layers.get(sentence_layer) else { continue };
        sentence_layer += 1;
        match answer {
            Answer::Single(choice) => decisions.extend(one(choice, scores).map(|d| (i, d))),
            Answer::Multi(labels) => {
                let with = |wanted| {
                    let labels = labels.iter().enumerate();
                    labels.filter(move |(_, l)| **l == wanted).map(|(j, _)| j).collect()
                };
                decisions.push((
                    i,
                    Decision {
                        gold: with(Some(true)),
                        predicted: scores.labels.clone(),
                        ignored: with(None),
                        probabilities: scores.probabilities.clone(),
                        ..Decision::default()
                    },
                ));
            }
            Answer::None | Answer::Target(_) => {}
        }
    }
    decisions
}

fn target_choices(example: &Example) -> impl Iterator<Item = super::data::Choice> + '_ {
    example.answers.iter().flat_map(|answer| {
        let list = if let Answer::Target(list) = answer { list.as_slice() } else { &[] };
        list.iter().map(|(_, choice)| *choice)
    })
}

/// An evaluation and the decisions that it rests on, for each layer of the codebook.
pub struct Evaluated {
    /// The figures.
    pub evaluation: Evaluation,
    /// The decisions on each layer.
    pub decisions: Vec<Vec<Decision>>,
}

/// Measures `model` on `examples` in all that `options` asks for.
///
/// # Errors
/// If the model fails.
pub fn evaluate(
    model: &Model,
    examples: &[Example],
    batching: Batching,
    options: &Options,
) -> Result<Evaluated> {
    let predictions = predict(model, examples, batching)?;
    let decisions = predictions.decisions(model, examples);
    let lengths = predictions.lengths();
    let layers = &model.codebook().layers;
    let evaluation = measure(layers, &decisions, examples, Some(&lengths), options);
    Ok(Evaluated { evaluation, decisions })
}

/// Everything that `options` asks for of finished decisions on `layers`. `lengths` are the
/// examples' tokens.
pub(super) fn measure(
    layers: &[Layer],
    decisions: &[Vec<Decision>],
    examples: &[Example],
    lengths: Option<&[usize]>,
    options: &Options,
) -> Evaluation {
    let mut evaluation = of_decisions(layers, decisions, options.resamples);
    let usual = ["outlet", "topic"];
    let asked_for = |field: &str| options.by.iter().any(|b| b == field);
    let others = options.by.iter().map(String::as_str).filter(|f| !usual.contains(f));
    for field in usual.into_iter().chain(others) {
        let value = |e: usize| examples.get(e)?.fields.get(field).cloned();
        let found = breakdown(field, layers, decisions, &value, options.resamples);
        // Nothing is learnt from a field with one value.
        evaluation.breakdowns.extend(found.filter(|b| b.groups.len() > 1 || asked_for(field)));
    }
    if let Some(seen) = &options.training_outlets {
        let value = |e: usize| {
            let outlet = examples.get(e)?.outlet.as_ref()?;
            Some(if seen.contains(outlet) { "trained on" } else { "not trained on" }.to_owned())
        };
        let found = breakdown("outlet in training", layers, decisions, &value, options.resamples);
        evaluation.breakdowns.extend(found);
    }
    let by_length = lengths.and_then(|l| by_length(layers, decisions, l, options.resamples));
    evaluation.breakdowns.extend(by_length);
    evaluation.min_confidence = options.min_confidence.map(|p| at_confidence(layers, decisions, p));
    evaluation.mistakes = mistakes(layers, decisions, examples, options.mistakes);
    evaluation
}

/// The figures of finished predictions, with 95% intervals from `resamples` bootstrap samples of
/// the documents.
pub fn evaluation(
    model: &Model,
    examples: &[Example],
    predictions: &Predictions,
    resamples: usize,
) -> Evaluation {
    of_decisions(&model.codebook().layers, &predictions.decisions(model, examples), resamples)
}

fn of_decisions(layers: &[Layer], decisions: &[Vec<Decision>], resamples: usize) -> Evaluation {
    let judged = layers.iter().zip(decisions).filter(|(_, decisions)| !decisions.is_empty());
    let figures = judged.map(|(layer, decisions)| {
        let names: Vec<String> = layer.label_names().map(str::to_owned).collect();
        let single = layer.kind != LayerKind::Multi;
        (layer.name.clone(), figures(&names, decisions, single, resamples, 1))
    });
    Evaluation { layers: Named(figures.collect()), ..Evaluation::default() }
}

impl Evaluation {
    /// One figure, such as `("engagement", "macro_f1")`.
    pub fn figure(&self, layer: &str, name: &str) -> Option<f64> {
        let figures = self.layers.get(layer)?;
        match name {
            "accuracy" => Some(figures.accuracy),
            "macro_f1" => Some(figures.macro_f1),
            "micro_f1" => Some(figures.micro_f1),
            "ece" => figures.ece,
            _ => None,
        }
    }
}
