//! Calibration on the dev part: a temperature for each layer, a threshold for each label of
//! a multi layer.

use super::data::{Answer, Example};
use super::evaluate::Predictions;
use super::metrics::Decision;
use crate::model::{Calibration, LayerKind, Model};

/// A label's own best threshold counts as much as the common one at this many positives.
const PRIOR_POSITIVES: f32 = 30.0;

/// F1 that is as good as the best.
const FLAT: f32 = 0.005;

/// Fits every layer's calibration to the predictions for `examples` and puts it into the model.
///
/// Temperatures minimise the negative log-likelihood (Guo et al. 2017, section 4.2). A multi
/// layer's threshold starts from the common one that is best for micro-F1; each label's own
/// best for F1 is mixed in by the number of positives that speak for it. Of thresholds that are
/// about as good the middle is taken.
pub fn calibrate(model: &mut Model, examples: &[Example], predictions: &Predictions) {
    let layers = model.meta.codebook.layers.clone();
    for layer in &layers {
        model.meta.calibration.insert(layer.name.clone(), Calibration::none(layer));
    }
    let decisions = predictions.decisions(model, examples);
    let scores = predictions.scores(model);
    let mut sentence_layer = 0;
    for (i, layer) in layers.iter().enumerate() {
        let mut calibration = Calibration::none(layer);
        if layer.kind == LayerKind::Multi {
            let rows: Vec<(&[f32], &[Option<bool>])> = examples
                .iter()
                .zip(&scores)
                .filter_map(|(e, s)| match &e.answers[i] {
                    Answer::Multi(labels) => Some((
                        s.layers.get(sentence_layer)?.probabilities.as_slice(),
                        labels.as_slice(),
                    )),
                    _ => None,
                })
                .collect();
            calibration.temperature = binary_temperature(&rows);
            calibration.thresholds = thresholds(&rows, layer.labels.len(), calibration.temperature);
        } else {
            calibration.temperature =
                choice_temperature(model, examples, predictions, i, &decisions[i]);
        }
        if layer.kind != LayerKind::Target {
            sentence_layer += 1;
        }
        model.meta.calibration.insert(layer.name.clone(), calibration);
    }
}

fn logit(p: f32) -> f32 {
    let p = p.clamp(1e-7, 1.0 - 1e-7);
    (p / (1.0 - p)).ln()
}

fn sigmoid(z: f32) -> f32 {
    1.0 / (1.0 + (-z).exp())
}

/// Minimises `f` over temperatures from 0.2 to 5 by a golden-section search on the logarithm.
fn best_temperature(f: impl Fn(f32) -> f64) -> f32 {
    let ratio = (5f32.sqrt() - 1.0) / 2.0;
    let (mut low, mut high) = (0.2f32.ln(), 5f32.ln());
    for _ in 0..30 {
        let (a, b) = (high - ratio * (high - low), low + ratio * (high - low));
        if f(a.exp()) < f(b.exp()) { high = b } else { low = a }
    }
    let best = ((low + high) / 2.0).exp();
    // Four digits are plenty, and keep the bundle's file readable.
    (best * 1e4).round() / 1e4
}

fn binary_temperature(rows: &[(&[f32], &[Option<bool>])]) -> f32 {
    if rows.is_empty() {
        return 1.0;
    }
    best_temperature(|t| {
        let pairs = rows.iter().flat_map(|(ps, ls)| ps.iter().zip(*ls));
        pairs
            .filter_map(|(p, l)| l.map(|l| (logit(*p) / t, l)))
            .map(|(z, l)| -f64::from(sigmoid(if l { z } else { -z }).max(1e-12)).ln())
            .sum()
    })
}

/// For a layer of one label. The model's calibration must be none when this is called.
fn choice_temperature(
    model: &Model,
    examples: &[Example],
    predictions: &Predictions,
    layer: usize,
    decisions: &[Decision],
) -> f32 {
    if decisions.is_empty() {
        return 1.0;
    }
    let rows = predictions.choices(model, examples, layer);
    best_temperature(|t| {
        rows.iter()
            .map(|(probabilities, gold)| {
                let scaled: Vec<f32> =
                    probabilities.iter().map(|p| p.max(1e-12).ln() / t).collect();
                let highest = scaled.iter().copied().fold(f32::NEG_INFINITY, f32::max);
                let total: f32 = scaled.iter().map(|z| (z - highest).exp()).sum();
                f64::from(highest + total.ln() - scaled[*gold])
            })
            .sum()
    })
}

/// The middle of the stretch around the highest of some scores in which they are as good as that.
/// The optimum is flat, and which of its points is highest is chance.
fn middle_of_the_best(scores: &[f32]) -> Option<usize> {
    let highest = (0..scores.len()).max_by(|a, b| scores[*a].total_cmp(&scores[*b]))?;
    let good = |at: &usize| scores[*at] >= scores[highest] - FLAT;
    let first = (0..=highest).rev().take_while(good).last()?;
    let last = (highest..scores.len()).take_while(good).last()?;
    Some((first + last) / 2)
}

fn thresholds(rows: &[(&[f32], &[Option<bool>])], n_labels: usize, temperature: f32) -> Vec<f32> {
    let grid: Vec<f32> = (10..=80).map(|i| i as f32 / 100.0).collect();
    // (true positives, false positives, positives) of a label at a threshold
    let counts = |label: usize, threshold: f32| {
        let mut counts = [0f32; 3];
        for (ps, ls) in rows {
            let Some(truth) = ls[label] else { continue };
            let given = sigmoid(logit(ps[label]) / temperature) >= threshold;
            counts[0] += f32::from(given && truth);
            counts[1] += f32::from(given && !truth);
            counts[2] += f32::from(truth);
        }
        counts
    };
    let f1 = |c: [f32; 3]| 2.0 * c[0] / (c[0] + c[1] + c[2]).max(1.0);
    let best = |score: &dyn Fn(f32) -> f32| {
        let scores: Vec<f32> = grid.iter().map(|t| score(*t)).collect();
        middle_of_the_best(&scores).and_then(|at| grid.get(at).copied()).unwrap_or(0.5)
    };
    let common = best(&|t| {
        let sum = (0..n_labels)
            .map(|l| counts(l, t))
            .fold([0f32; 3], |a, b| [a[0] + b[0], a[1] + b[1], a[2] + b[2]]);
        f1(sum)
    });
    (0..n_labels)
        .map(|label| {
            let positives = counts(label, 0.0)[2];
            let own = best(&|t| f1(counts(label, t)));
            let mixed =
                (positives * own + PRIOR_POSITIVES * common) / (positives + PRIOR_POSITIVES);
            (mixed * 1e3).round() / 1e3
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn overconfident_logits_get_a_temperature_above_one() {
        // Said at 0.99, true three times in four: the temperature that makes 0.75 of it.
        let rows: Vec<(&[f32], &[Option<bool>])> = vec![
            (&[0.99], &[Some(true)]),
            (&[0.99], &[Some(true)]),
            (&[0.99], &[Some(true)]),
            (&[0.99], &[Some(false)]),
        ];
        let t = binary_temperature(&rows);
        assert!((sigmoid(logit(0.99) / t) - 0.75).abs() < 0.01, "{t}");
    }

    #[test]
    fn a_flat_optimum_is_cut_in_the_middle() {
        assert_eq!(middle_of_the_best(&[0.1, 0.798, 0.8, 0.797, 0.5, 0.799]), Some(2));
        assert_eq!(middle_of_the_best(&[0.5; 5]), Some(2));
        assert_eq!(middle_of_the_best(&[0.0, 1.0]), Some(1));
        assert_eq!(middle_of_the_best(&[]), None);
    }

    #[test]
    fn thresholds_follow_the_evidence() {
        let (yes, no): (&[Option<bool>], &[Option<bool>]) = (&[Some(true)], &[Some(false)]);
        let mut rows: Vec<(&[f32], &[Option<bool>])> = vec![(&[0.3], yes); 500];
        rows.extend(vec![(&[0.25f32] as &[f32], no); 500]);
        let t = thresholds(&rows, 1, 1.0);
        assert!(t[0] > 0.25 && t[0] <= 0.3, "{t:?}");
    }
}
