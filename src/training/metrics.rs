//! Figures of merit for classifiers: precision, recall, F1, accuracy, confusion, calibration
//! error, and bootstrap intervals that resample documents.

use std::collections::BTreeMap;

use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use serde::Serialize;

/// One decision: what was right, what was said, and how surely.
#[derive(Debug, Clone, PartialEq)]
pub struct Decision {
    /// The document, as an index: the unit that intervals resample.
    pub document: usize,
    /// Labels that are right.
    pub gold: Vec<usize>,
    /// Labels that were given.
    pub predicted: Vec<usize>,
    /// Labels that are neither right nor wrong.
    pub ignored: Vec<usize>,
    /// For the calibration error: probability of a statement, and whether it was true.
    pub confidences: Vec<(f32, bool)>,
}

/// Figures of one label.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct LabelFigures {
    /// Of those given the label, the share that have it.
    pub precision: f64,
    /// Of those that have the label, the share given it.
    pub recall: f64,
    /// Harmonic mean of the two.
    pub f1: f64,
    /// Number that have it.
    pub support: usize,
}

/// Figures of one layer.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct LayerFigures {
    /// Sentences or mentions judged.
    pub n: usize,
    /// Share judged right throughout.
    pub accuracy: f64,
    /// Mean F1 of the labels that occur in gold or prediction.
    pub macro_f1: f64,
    /// F1 over all decisions together.
    pub micro_f1: f64,
    /// Expected calibration error (Naeini et al. 2015), 15 bins of equal width.
    pub ece: f64,
    /// 95% percentile intervals from a bootstrap over documents.
    pub intervals: BTreeMap<&'static str, [f64; 2]>,
    /// Figures of each label.
    pub labels: serde_json::Map<String, serde_json::Value>,
    /// For layers of one label: rows are right labels, columns given ones.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub confusion: Vec<Vec<usize>>,
}

/// True positives, false positives and false negatives of each label.
#[derive(Debug, Clone, PartialEq)]
pub struct Counts {
    tp: Vec<f64>,
    fp: Vec<f64>,
    fn_: Vec<f64>,
}

impl Counts {
    fn new(n: usize) -> Self {
        Counts { tp: vec![0.0; n], fp: vec![0.0; n], fn_: vec![0.0; n] }
    }

    /// Counts over decisions.
    pub fn of<'a>(n_labels: usize, decisions: impl IntoIterator<Item = &'a Decision>) -> Self {
        let mut counts = Counts::new(n_labels);
        for d in decisions {
            for label in &d.predicted {
                if d.gold.contains(label) {
                    counts.tp[*label] += 1.0;
                } else if !d.ignored.contains(label) {
                    counts.fp[*label] += 1.0;
                }
            }
            for label in d.gold.iter().filter(|l| !d.predicted.contains(l)) {
                counts.fn_[*label] += 1.0;
            }
        }
        counts
    }

    fn add(&mut self, other: &Counts) {
        for (mine, theirs) in
            [(&mut self.tp, &other.tp), (&mut self.fp, &other.fp), (&mut self.fn_, &other.fn_)]
        {
            mine.iter_mut().zip(theirs).for_each(|(a, b)| *a += b);
        }
    }

    /// Precision, recall and F1 of a label; nothing over nothing is nothing.
    pub fn label(&self, i: usize) -> LabelFigures {
        let ratio = |a: f64, b: f64| if b > 0.0 { a / b } else { 0.0 };
        let (tp, fp, fn_) = (self.tp[i], self.fp[i], self.fn_[i]);
        LabelFigures {
            precision: ratio(tp, tp + fp),
            recall: ratio(tp, tp + fn_),
            f1: ratio(2.0 * tp, 2.0 * tp + fp + fn_),
            support: (tp + fn_) as usize,
        }
    }

    /// Mean F1 of the labels that occur.
    pub fn macro_f1(&self) -> f64 {
        let present: Vec<f64> = (0..self.tp.len())
            .filter(|&i| self.tp[i] + self.fp[i] + self.fn_[i] > 0.0)
            .map(|i| self.label(i).f1)
            .collect();
        present.iter().sum::<f64>() / (present.len().max(1) as f64)
    }

    /// F1 over all decisions together.
    pub fn micro_f1(&self) -> f64 {
        let sum = |v: &[f64]| v.iter().sum::<f64>();
        let (tp, wrong) = (sum(&self.tp), sum(&self.fp) + sum(&self.fn_));
        if tp + wrong > 0.0 { 2.0 * tp / (2.0 * tp + wrong) } else { 0.0 }
    }
}

/// Expected calibration error: the mean gap between confidence and truth over 15 bins.
pub fn expected_calibration_error(confidences: impl Iterator<Item = (f32, bool)>) -> f64 {
    const BINS: usize = 15;
    let mut bins = [(0usize, 0f64, 0f64); BINS];
    for (confidence, truth) in confidences {
        let bin = ((confidence * BINS as f32) as usize).min(BINS - 1);
        bins[bin].0 += 1;
        bins[bin].1 += f64::from(confidence);
        bins[bin].2 += if truth { 1.0 } else { 0.0 };
    }
    let n: usize = bins.iter().map(|b| b.0).sum();
    bins.iter().map(|(_, sum, truths)| (sum - truths).abs()).sum::<f64>() / n.max(1) as f64
}

/// All figures of a layer. `single` says that a decision gives exactly one label.
pub fn figures(
    labels: &[String],
    decisions: &[Decision],
    single: bool,
    resamples: usize,
    seed: u64,
) -> LayerFigures {
    let counts = Counts::of(labels.len(), decisions);
    let right = |d: &Decision| {
        d.gold.iter().all(|l| d.predicted.contains(l))
            && d.predicted.iter().all(|l| d.gold.contains(l) || d.ignored.contains(l))
    };
    let mut confusion = Vec::new();
    if single {
        confusion = vec![vec![0; labels.len()]; labels.len()];
        for d in decisions {
            if let (Some(&gold), Some(&predicted)) = (d.gold.first(), d.predicted.first()) {
                confusion[gold][predicted] += 1;
            }
        }
    }
    LayerFigures {
        n: decisions.len(),
        accuracy: decisions.iter().filter(|d| right(d)).count() as f64
            / decisions.len().max(1) as f64,
        macro_f1: counts.macro_f1(),
        micro_f1: counts.micro_f1(),
        ece: expected_calibration_error(decisions.iter().flat_map(|d| d.confidences.clone())),
        intervals: intervals(labels.len(), decisions, resamples, seed),
        labels: labels
            .iter()
            .enumerate()
            .map(|(i, name)| {
                (name.clone(), serde_json::to_value(counts.label(i)).unwrap_or_default())
            })
            .collect(),
        confusion,
    }
}

/// Percentile bootstrap (Efron and Tibshirani 1993, ch. 13) over whole documents.
fn intervals(
    n_labels: usize,
    decisions: &[Decision],
    resamples: usize,
    seed: u64,
) -> BTreeMap<&'static str, [f64; 2]> {
    let mut by_document: BTreeMap<usize, Vec<&Decision>> = BTreeMap::new();
    for d in decisions {
        by_document.entry(d.document).or_default().push(d);
    }
    let documents: Vec<Counts> =
        by_document.values().map(|ds| Counts::of(n_labels, ds.iter().copied())).collect();
    if documents.len() < 2 || resamples < 40 {
        return BTreeMap::new();
    }
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    let (mut macros, mut micros) = (Vec::new(), Vec::new());
    for _ in 0..resamples {
        let mut counts = Counts::new(n_labels);
        for _ in 0..documents.len() {
            counts.add(&documents[rng.random_range(0..documents.len())]);
        }
        macros.push(counts.macro_f1());
        micros.push(counts.micro_f1());
    }
    [("macro_f1", macros), ("micro_f1", micros)]
        .into_iter()
        .map(|(name, mut values)| {
            values.sort_by(f64::total_cmp);
            let at = |q: f64| values[((values.len() - 1) as f64 * q).round() as usize];
            (name, [at(0.025), at(0.975)])
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn decision(gold: &[usize], predicted: &[usize], ignored: &[usize]) -> Decision {
        Decision {
            document: 0,
            gold: gold.into(),
            predicted: predicted.into(),
            ignored: ignored.into(),
            confidences: vec![],
        }
    }

    /// scikit-learn: f1_score([0,0,1,2], [0,1,1,1], average=None) = [2/3, 1/2, 0]
    #[test]
    fn f1_as_scikit_learn_has_it() {
        let decisions: Vec<Decision> = [(0, 0), (0, 1), (1, 1), (2, 1)]
            .iter()
            .map(|&(g, p)| decision(&[g], &[p], &[]))
            .collect();
        let counts = Counts::of(3, &decisions);
        assert!((counts.label(0).f1 - 2.0 / 3.0).abs() < 1e-12);
        assert!((counts.label(1).f1 - 0.5).abs() < 1e-12);
        assert!((counts.macro_f1() - (2.0 / 3.0 + 0.5) / 3.0).abs() < 1e-12);
        assert!((counts.micro_f1() - 0.5).abs() < 1e-12);
    }

    #[test]
    fn optional_labels_are_neither_right_nor_wrong() {
        let given = Counts::of(2, &[decision(&[0], &[0, 1], &[1])]);
        let withheld = Counts::of(2, &[decision(&[0], &[0], &[1])]);
        assert_eq!((given.micro_f1(), withheld.micro_f1()), (1.0, 1.0));
    }

    #[test]
    fn calibration_error_of_a_known_case() {
        // Four statements made at 0.75, three of them true: no error. One at 1.0, false: all error.
        let sure = [(0.75, true), (0.75, true), (0.75, true), (0.75, false)];
        assert!(expected_calibration_error(sure.into_iter()).abs() < 1e-9);
        assert!((expected_calibration_error([(1.0, false)].into_iter()) - 1.0).abs() < 1e-9);
    }
}
