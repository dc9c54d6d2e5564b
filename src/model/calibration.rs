//! From logits to calibrated probabilities and labels.

use serde::{Deserialize, Serialize};

use super::codebook::{Layer, LayerKind};

/// The scores of one layer for one sentence or mention.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Scores {
    /// Calibrated probability of each label, in codebook order.
    pub probabilities: Vec<f32>,
    /// Indices of the labels given: exactly one for single and target layers, any number
    /// for multi layers. Fewer where labels are [withheld](Self::withhold).
    pub labels: Vec<usize>,
    /// Labels that would be given, but with too little confidence.
    pub withheld: Vec<usize>,
}

impl Scores {
    /// Withholds every label whose probability is below `confidence`; the probabilities stay.
    pub fn withhold(&mut self, confidence: f32) {
        let Scores { probabilities, labels, withheld } = self;
        let sure = |l: &usize| probabilities.get(*l).is_some_and(|p| *p >= confidence);
        withheld.extend(labels.iter().filter(|l| !sure(l)));
        labels.retain(sure);
    }
}

/// How a layer's logits become probabilities and labels.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Calibration {
    /// Logits are divided by this (Guo et al. 2017, temperature scaling).
    pub temperature: f32,
    /// For a multi layer, the probability from which each label is given.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub thresholds: Vec<f32>,
}

impl Calibration {
    /// No calibration: temperature 1 and, for a multi layer, thresholds of one half.
    pub fn none(layer: &Layer) -> Self {
        let n = if layer.kind == LayerKind::Multi { layer.labels.len() } else { 0 };
        Calibration { temperature: 1.0, thresholds: vec![0.5; n] }
    }

    /// Probabilities and labels for the logits of one sentence or mention.
    pub fn scores(&self, kind: LayerKind, logits: &[f32]) -> Scores {
        let scaled = logits.iter().map(|z| z / self.temperature);
        match kind {
            LayerKind::Multi => {
                let probabilities: Vec<f32> = scaled.map(|z| 1.0 / (1.0 + (-z).exp())).collect();
                let labels = probabilities
                    .iter()
                    .zip(&self.thresholds)
                    .enumerate()
                    .filter(|(_, (p, t))| p >= t)
                    .map(|(i, _)| i)
                    .collect();
                Scores { probabilities, labels, ..Scores::default() }
            }
            LayerKind::Single | LayerKind::Target => {
                let scaled: Vec<f32> = scaled.collect();
                let highest = scaled.iter().copied().fold(f32::NEG_INFINITY, f32::max);
                let exps: Vec<f32> = scaled.iter().map(|z| (z - highest).exp()).collect();
                let total: f32 = exps.iter().sum();
                let probabilities: Vec<f32> = exps.iter().map(|e| e / total).collect();
                let best = (0..probabilities.len())
                    .max_by(|a, b| probabilities[*a].total_cmp(&probabilities[*b]).then(b.cmp(a)));
                Scores { probabilities, labels: best.into_iter().collect(), withheld: Vec::new() }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn unsure_labels_are_withheld_and_their_probabilities_kept() {
        let mut scores =
            Scores { probabilities: vec![0.9, 0.6, 0.1], labels: vec![0, 1], withheld: vec![] };
        scores.withhold(0.6);
        assert_eq!((&scores.labels[..], &scores.withheld[..]), (&[0, 1][..], &[][..]));
        scores.withhold(0.7);
        assert_eq!((&scores.labels[..], &scores.withheld[..]), (&[0][..], &[1][..]));
        assert_eq!(scores.probabilities.len(), 3);
    }

    #[test]
    fn softmax_and_sigmoid() {
        let sharp = Calibration { temperature: 0.5, thresholds: vec![] };
        let scores = sharp.scores(LayerKind::Single, &[0.0, 0.5 * 3f32.ln()]);
        assert!((scores.probabilities[1] - 0.75).abs() < 1e-6);
        assert_eq!(scores.labels, [1]);

        let multi = Calibration { temperature: 1.0, thresholds: vec![0.4, 0.6] };
        let scores = multi.scores(LayerKind::Multi, &[0.0, 0.0]);
        assert_eq!(scores.probabilities, [0.5, 0.5]);
        assert_eq!(scores.labels, [0]);
    }
}
