//! Measuring a model against labelled sentences.

use std::collections::HashMap;

use serde::Serialize;

use super::data::{Answer, Example};
use super::metrics::{Decision, LayerFigures, figures};
use crate::error::Result;
use crate::model::predict::{Batching, predict_all};
use crate::model::sentence::{Prepared, SentenceScores};
use crate::model::{Codebook, Layer, LayerKind, Model, Prediction, Scores, Unit};

/// Figures of every layer that the data say something about.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Evaluation {
    /// By layer name, in codebook order.
    pub layers: serde_json::Map<String, serde_json::Value>,
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
        for (example, scores) in examples.iter().zip(self.scores(model)) {
            let n = documents.len();
            let document = *documents.entry(&example.document).or_insert(n);
            for (layer, decision) in decide(codebook, example, &scores, document) {
                decisions[layer].push(decision);
            }
        }
        decisions
    }
}

/// The decisions on one example, each with its layer's index.
fn decide(
    codebook: &Codebook,
    example: &Example,
    scores: &SentenceScores,
    document: usize,
) -> Vec<(usize, Decision)> {
    let mut decisions = Vec::new();
    let one = |choice: &super::data::Choice, scores: &Scores| {
        let predicted = *scores.labels.first()?;
        let gold = choice.gold_for(predicted);
        let confidence = scores.probabilities.get(predicted).copied().unwrap_or_default();
        Some(Decision {
            document,
            gold: vec![gold],
            predicted: vec![predicted],
            ignored: vec![],
            confidences: vec![(confidence, gold == predicted)],
        })
    };
    let (mut sentence_layer, mut target_layer) = (0, 0);
    for (i, (layer, answer)) in codebook.layers.iter().zip(&example.answers).enumerate() {
        if layer.kind == LayerKind::Target {
            // Mentions of all target layers stand in one list; take those asked for by this one.
            for ((_, of_layer), (choice, scores)) in
                mentions(example).zip(target_choices(example).zip(&scores.mentions))
            {
                let scores = scores.as_ref().and_then(|s| s.get(target_layer));
                if let (true, Some(scores)) = (of_layer == i, scores) {
                    decisions.extend(one(&choice, scores).map(|d| (i, d)));
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
                        document,
                        gold: with(Some(true)),
                        predicted: scores.labels.clone(),
                        ignored: with(None),
                        confidences: labels
                            .iter()
                            .zip(&scores.probabilities)
                            .filter_map(|(l, p)| l.map(|l| (*p, l)))
                            .collect(),
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

/// Measures `model` on `examples`, with 95% intervals from `resamples` bootstrap samples of
/// the documents.
///
/// # Errors
/// If the model fails.
pub fn evaluate(
    model: &Model,
    examples: &[Example],
    batching: Batching,
    resamples: usize,
) -> Result<Evaluation> {
    let predictions = predict(model, examples, batching)?;
    Ok(evaluation(model, examples, &predictions, resamples))
}

/// The figures of finished predictions.
pub fn evaluation(
    model: &Model,
    examples: &[Example],
    predictions: &Predictions,
    resamples: usize,
) -> Evaluation {
    let decisions = predictions.decisions(model, examples);
    let mut layers = serde_json::Map::new();
    for (layer, decisions) in model.codebook().layers.iter().zip(&decisions) {
        if decisions.is_empty() {
            continue;
        }
        let names: Vec<String> = layer.label_names().map(str::to_owned).collect();
        let single = layer.kind != LayerKind::Multi;
        let figures: LayerFigures = figures(&names, decisions, single, resamples, 1);
        layers.insert(layer.name.clone(), serde_json::to_value(figures).unwrap_or_default());
    }
    Evaluation { layers }
}

impl Evaluation {
    /// One figure, such as `("engagement", "macro_f1")`.
    pub fn figure(&self, layer: &str, name: &str) -> Option<f64> {
        self.layers.get(layer)?.get(name)?.as_f64()
    }
}
