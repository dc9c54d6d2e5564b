//! Figures of merit for classifiers: precision, recall, F1, accuracy, confusion, and bootstrap
//! intervals that resample documents.

use std::collections::BTreeMap;
use std::ops::Range;

use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use serde::Serialize;

use super::reliability::{Bin, Coverage, coverage, expected_calibration_error, reliability};

/// One decision: what was right, what was said, and how surely.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Decision {
    /// The document, as an index: the unit that intervals resample.
    pub document: usize,
    /// The sentence, as an index into the examples.
    pub example: usize,
    /// The mention, as bytes of the sentence, where it is about one.
    pub mention: Option<Range<usize>>,
    /// Labels that are right.
    pub gold: Vec<usize>,
    /// Labels that were given.
    pub predicted: Vec<usize>,
    /// Labels that are neither right nor wrong.
    pub ignored: Vec<usize>,
    /// Calibrated probability of each label.
    pub probabilities: Vec<f32>,
}

impl Decision {
    fn probability(&self, label: usize) -> f32 {
        self.probabilities.get(label).copied().unwrap_or_default()
    }

    /// The labels that were given and are right or wrong, each with its probability and whether
    /// it is right.
    pub fn given(&self) -> impl Iterator<Item = (f32, bool)> + '_ {
        let judged = self.predicted.iter().filter(|l| !self.ignored.contains(l));
        judged.map(|&l| (self.probability(l), self.gold.contains(&l)))
    }

    /// The statements whose probability calibration is about, and whether each is true: that the
    /// label is the given one, or, where any number of labels can be given, each label that it
    /// is there.
    pub fn statements(&self, single: bool) -> Vec<(f32, bool)> {
        if single {
            return self.given().collect();
        }
        let judged = (0..self.probabilities.len()).filter(|l| !self.ignored.contains(l));
        judged.map(|l| (self.probability(l), self.gold.contains(&l))).collect()
    }

    /// Whether all that was given is right, and nothing that is right is missing.
    pub fn is_right(&self) -> bool {
        self.gold.iter().all(|l| self.predicted.contains(l))
            && self.predicted.iter().all(|l| self.gold.contains(l) || self.ignored.contains(l))
    }

    /// The same decision where labels with less than `confidence` are withheld; `None` if that
    /// leaves a decision for one label without an answer. A label that is withheld from a
    /// decision for several is neither right nor wrong there.
    pub fn at_confidence(&self, confidence: f32, single: bool) -> Option<Decision> {
        let (kept, withheld): (Vec<usize>, Vec<usize>) =
            self.predicted.iter().partition(|l| self.probability(**l) >= confidence);
        if single && kept.is_empty() {
            return None;
        }
        let mut decision = Decision { predicted: kept, ..self.clone() };
        decision.gold.retain(|l| !withheld.contains(l));
        decision.ignored.extend(withheld);
        Some(decision)
    }
}

/// Things by name, in order; written as a JSON object.
#[derive(Debug, Clone, PartialEq)]
pub struct Named<T>(pub Vec<(String, T)>);

impl<T> Default for Named<T> {
    fn default() -> Self {
        Named(Vec::new())
    }
}

impl<T> Named<T> {
    /// The thing called `name`.
    pub fn get(&self, name: &str) -> Option<&T> {
        self.0.iter().find(|(n, _)| n == name).map(|(_, thing)| thing)
    }
}

impl<T: Serialize> Serialize for Named<T> {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(self.0.iter().map(|(name, thing)| (name, thing)))
    }
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
    /// 95% interval of F1, where the documents allow one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub interval: Option<[f64; 2]>,
}

/// Figures of one layer.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct LayerFigures {
    /// Sentences or mentions judged.
    pub n: usize,
    /// Documents they come from.
    pub documents: usize,
    /// Share judged right throughout.
    pub accuracy: f64,
    /// Mean F1 of the labels that occur in gold or prediction.
    pub macro_f1: f64,
    /// F1 over all decisions together.
    pub micro_f1: f64,
    /// Expected calibration error (Naeini et al. 2015), 15 bins of equal width; `None` where
    /// decisions have no probabilities.
    pub ece: Option<f64>,
    /// 95% percentile intervals from a bootstrap over documents.
    pub intervals: BTreeMap<&'static str, [f64; 2]>,
    /// Figures of each label.
    pub labels: Named<LabelFigures>,
    /// For layers of one label: rows are right labels, columns given ones.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub confusion: Vec<Vec<usize>>,
    /// How often statements of a probability are true; empty bins are left out.
    pub reliability: Vec<Bin>,
    /// What share of the given labels is right if only the surest are kept.
    pub coverage: Vec<Coverage>,
}

/// True positives, false positives and false negatives of each label.
#[derive(Debug, Clone, PartialEq)]
pub struct Counts {
    tp: Vec<f64>,
    fp: Vec<f64>,
    fn_: Vec<f64>,
}

impl Counts {
    /// Nothing counted yet, for so many labels.
    pub fn new(n: usize) -> Self {
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

    /// Adds other counts of the same labels.
    pub fn add(&mut self, other: &Counts) {
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
            interval: None,
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

/// All figures of a layer. `single` says that a decision gives exactly one label.
pub fn figures(
    labels: &[String],
    decisions: &[Decision],
    single: bool,
    resamples: usize,
    seed: u64,
) -> LayerFigures {
    let counts = Counts::of(labels.len(), decisions);
    let mut confusion = Vec::new();
    if single {
        confusion = vec![vec![0; labels.len()]; labels.len()];
        for d in decisions {
            if let (Some(&gold), Some(&predicted)) = (d.gold.first(), d.predicted.first()) {
                confusion[gold][predicted] += 1;
            }
        }
    }
    let sure = || decisions.iter().filter(|d| !d.probabilities.is_empty());
    let statements: Vec<(f32, bool)> = sure().flat_map(|d| d.statements(single)).collect();
    let given: Vec<(f32, bool)> = sure().flat_map(Decision::given).collect();
    let documents = by_document(decisions);
    let spread = Spread::of(labels.len(), &documents, resamples, seed);
    let label = |i| LabelFigures {
        interval: spread.as_ref().and_then(|s| s.labels.get(i).copied().flatten()),
        ..counts.label(i)
    };
    let reliability = reliability(&statements);
    LayerFigures {
        n: decisions.len(),
        documents: documents.len(),
        accuracy: share(decisions.iter().filter(|d| d.is_right()).count(), decisions.len()),
        macro_f1: counts.macro_f1(),
        micro_f1: counts.micro_f1(),
        ece: (!reliability.is_empty()).then(|| expected_calibration_error(&reliability)),
        intervals: spread.as_ref().map(|s| s.intervals.clone()).unwrap_or_default(),
        labels: Named(
            labels.iter().enumerate().map(|(i, name)| (name.clone(), label(i))).collect(),
        ),
        confusion,
        reliability,
        coverage: coverage(&given),
    }
}

/// A share; nothing of nothing is nothing.
pub(super) fn share(part: usize, whole: usize) -> f64 {
    part as f64 / whole.max(1) as f64
}

/// Decisions by document, in the order of the documents' numbers.
pub(super) fn by_document(decisions: &[Decision]) -> BTreeMap<usize, Vec<&Decision>> {
    let mut documents: BTreeMap<usize, Vec<&Decision>> = BTreeMap::new();
    for d in decisions {
        documents.entry(d.document).or_default().push(d);
    }
    documents
}

/// 95% percentile interval of some draws.
pub(super) fn percentiles(mut draws: Vec<f64>) -> [f64; 2] {
    draws.sort_by(f64::total_cmp);
    let last = draws.len().saturating_sub(1) as f64;
    let at = |q: f64| draws.get((last * q).round() as usize).copied().unwrap_or(f64::NAN);
    [at(0.025), at(0.975)]
}

/// How far figures vary from one draw of documents to another.
struct Spread {
    intervals: BTreeMap<&'static str, [f64; 2]>,
    /// Of each label's F1; none for a label that hardly any resample has.
    labels: Vec<Option<[f64; 2]>>,
}

/// Fewer resamples do not tell a tail.
const LEAST_RESAMPLES: usize = 40;

impl Spread {
    /// Percentile bootstrap (Efron and Tibshirani 1993, ch. 13) over whole documents; `None` for
    /// fewer than two of them, or too few resamples to read a tail from.
    fn of(
        n_labels: usize,
        documents: &BTreeMap<usize, Vec<&Decision>>,
        resamples: usize,
        seed: u64,
    ) -> Option<Self> {
        if documents.len() < 2 || resamples < LEAST_RESAMPLES {
            return None;
        }
        let documents: Vec<Counts> =
            documents.values().map(|ds| Counts::of(n_labels, ds.iter().copied())).collect();
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        let (mut macros, mut micros) = (Vec::new(), Vec::new());
        let mut labels = vec![Vec::new(); n_labels];
        for _ in 0..resamples {
            let mut counts = Counts::new(n_labels);
            for _ in 0..documents.len() {
                counts.add(&documents[rng.random_range(0..documents.len())]);
            }
            macros.push(counts.macro_f1());
            micros.push(counts.micro_f1());
            for (i, draws) in labels.iter_mut().enumerate() {
                // Where no sentence has the label there is nothing to be right about.
                let label = counts.label(i);
                if label.support > 0 {
                    draws.push(label.f1);
                }
            }
        }
        Some(Spread {
            intervals: [("macro_f1", percentiles(macros)), ("micro_f1", percentiles(micros))]
                .into(),
            labels: labels
                .into_iter()
                .map(|draws| (draws.len() >= LEAST_RESAMPLES).then(|| percentiles(draws)))
                .collect(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn decision(gold: &[usize], predicted: &[usize], ignored: &[usize]) -> Decision {
        Decision {
            gold: gold.into(),
            predicted: predicted.into(),
            ignored: ignored.into(),
            probabilities: vec![0.2, 0.7, 0.9],
            ..Decision::default()
        }
    }

    /// A label that only one of ten documents has is always right there; resamples without that
    /// document say nothing of it.
    #[test]
    fn resamples_without_a_label_do_not_count_against_it() {
        let names = ["a".to_owned(), "b".to_owned(), "never".to_owned()];
        let decisions: Vec<Decision> = (0..10)
            .map(|document| {
                let label = usize::from(document == 3);
                Decision { document, ..decision(&[label], &[label], &[]) }
            })
            .collect();
        let figures = figures(&names, &decisions, true, 400, 1);
        let interval = |i: usize| figures.labels.0[i].1.interval;
        assert_eq!(interval(1), Some([1.0, 1.0]));
        assert_eq!(interval(2), None);
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
    fn a_label_withheld_counts_neither_way() {
        assert_eq!(decision(&[1], &[1], &[]).at_confidence(0.8, true), None);
        let several = decision(&[0, 1], &[1, 2], &[]).at_confidence(0.8, false).unwrap();
        assert_eq!((&several.predicted[..], &several.gold[..]), (&[2][..], &[0][..]));
        assert_eq!(several.ignored, [1]);
        let counts = Counts::of(3, &[several]);
        // Label 0 is missed, label 2 is wrong, label 1 is out of it.
        assert_eq!([0, 1, 2].map(|l| counts.label(l).support), [1, 0, 0]);
        assert_eq!(counts.micro_f1(), 0.0);
    }

    #[test]
    fn statements_of_several_labels_are_one_for_each_judged() {
        let d = decision(&[0], &[1, 2], &[2]);
        assert_eq!(d.given().collect::<Vec<_>>(), [(0.7, false)]);
        assert_eq!(d.statements(false), [(0.2, true), (0.7, false)]);
        assert!(!d.is_right() && decision(&[1], &[1, 2], &[2]).is_right());
    }

    #[test]
    fn intervals_hold_the_figure_and_need_documents() {
        let labels = ["a".to_owned(), "b".to_owned()];
        let mut decisions: Vec<Decision> = (0..60)
            .map(|i| Decision { document: i / 3, ..decision(&[i % 2], &[(i % 5) % 2], &[]) })
            .collect();
        let f = figures(&labels, &decisions, true, 200, 1);
        let [low, high] = f.intervals["macro_f1"];
        assert!(low <= f.macro_f1 && f.macro_f1 <= high && high - low > 0.01);
        let a = f.labels.get("a").unwrap();
        assert!(a.interval.is_some_and(|[low, high]| low <= a.f1 && a.f1 <= high));
        assert_eq!(f.documents, 20);
        decisions.iter_mut().for_each(|d| d.document = 0);
        assert!(figures(&labels, &decisions, true, 200, 1).intervals.is_empty());
    }
}
