//! How likely two clauses are to report the same thing.

use super::units::Unit;
use super::vocabulary::{Term, Vocabulary};

/// Share of a clause's words that are quoted for it to be a quotation.
pub(super) const IS_QUOTED: f32 = 0.6;
/// Words in order that two clauses share at least for that to count.
const LEAST_RUN: usize = 4;
/// Share of the lighter clause that stands in the other in the same order, from which on
/// two quotations are one: cut or rephrased, but the same words.
const SAME_QUOTATION: f32 = 0.6;

/// What is found in common.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Score {
    /// Likeness from 0 to 1.
    pub value: f32,
    /// Whether it is one quotation by its words.
    pub quotation: bool,
}

/// What is measured on a pair of clauses. All lie between 0 and 1, the cosine between -1 and 1.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Measures {
    /// Overlap of the clauses, measured against both: an F-measure.
    both: f32,
    /// Weight of what the clauses have in common, squashed.
    evidence: f32,
    /// The F-measure on words that are no names.
    worded: f32,
    /// Cosine of the sentences' vectors, without what all of the event have in common.
    cosine: f32,
    /// Share of the lighter clause that stands in the other in the same order.
    run: f32,
    /// Share of neighbouring words that are neighbours in the other clause.
    pairs: f32,
    /// Weight of the lighter clause, squashed: a short clause proves little.
    lighter: f32,
    /// Share of a clause that finds its like in the other, words read in context: of the clause
    /// that is covered more. At first sight by single words.
    pub covered_more: f32,
    /// The same of the clause that is covered less.
    pub covered_less: f32,
    /// Cosine of the mean vectors of the clauses' words in context. At first sight that of the
    /// sentences' vectors.
    pub meant: f32,
    /// Whether one of the clauses is quoted.
    quoted: bool,
}

/// One of the measures.
type Measure = fn(&Measures) -> f32;

/// What each measure counts for.
///
/// The weights are those of a logistic regression on 202 pairs of clauses of the corpora newswcl50
/// and of the demonstration, sampled over the whole range of overlap and judged by hand: same
/// claim, act or quotation, or not. Measures were brought to one variance. They lean on the model's
/// vectors, so a new default model wants them fitted again: `tests/alignment/fit.py`. Of the
/// penalties from C = 0.01 to 1, which hardly differ on judged pairs, 0.03 was chosen once by the
/// table of the five articles, `tests/alignment/nato.json`.
const WEIGHTS: [(&str, f32, Measure); 10] = [
    ("both", 0.61, |m| m.both),
    ("evidence", 1.29, |m| m.evidence),
    ("worded", 0.72, |m| m.worded),
    ("cosine", 1.82, |m| m.cosine),
    ("run", 0.47, |m| m.run),
    ("pairs", 0.08, |m| m.pairs),
    ("lighter", 1.06, |m| m.lighter),
    ("covered_more", 1.06, |m| m.covered_more),
    ("meant", 0.73, |m| m.meant),
    ("covered_less", 0.98, |m| m.covered_less),
];
const INTERCEPT: f32 = -4.57;
/// What the log-odds are divided by, for a likeness that is averaged over a group's pairs: pairs
/// that are all but sure would otherwise outvote the doubtful ones.
const TEMPERATURE: f32 = 2.0;

impl Measures {
    /// Compares two clauses at first sight, by their single words. `cosine` is that of the
    /// sentences' vectors, with what all sentences of the event have in common taken out.
    pub(super) fn new(a: &Unit, b: &Unit, cosine: f32, vocabulary: &Vocabulary) -> Self {
        let all = |_: Term| true;
        let worded = |t: Term| !vocabulary.is_name(t);
        let (mine, theirs) = (covered(a, b, &all), covered(b, a, &all));
        let (words, share) = in_order(a, b);
        Measures {
            both: f_measure(mine, theirs),
            evidence: squashed(mine.matched.min(theirs.matched)),
            worded: f_measure(covered(a, b, &worded), covered(b, a, &worded)),
            cosine,
            meant: cosine,
            run: if words >= LEAST_RUN { share } else { 0.0 },
            pairs: bigrams(a, b),
            lighter: squashed(a.weight.min(b.weight)),
            covered_more: mine.share().max(theirs.share()),
            covered_less: mine.share().min(theirs.share()),
            quoted: a.quoted >= IS_QUOTED || b.quoted >= IS_QUOTED,
        }
    }

    /// Each measure by its name.
    pub(super) fn named(&self) -> Vec<(&'static str, f32)> {
        WEIGHTS.iter().map(|(name, _, of)| (*name, of(self))).collect()
    }

    /// How likely it is the same thing.
    pub(super) fn score(&self) -> Score {
        let z = INTERCEPT + WEIGHTS.iter().map(|(_, weight, of)| weight * of(self)).sum::<f32>();
        Score {
            value: 1.0 / (1.0 + (-z / TEMPERATURE).exp()),
            quotation: self.quoted && self.run >= SAME_QUOTATION,
        }
    }
}

/// A weight brought to 0..1; half way at about two rare words.
fn squashed(weight: f32) -> f32 {
    weight / (weight + 6.0)
}

/// What of a clause finds its like in another.
#[derive(Clone, Copy)]
struct Covered {
    matched: f32,
    weight: f32,
}

impl Covered {
    fn share(self) -> f32 {
        self.matched / self.weight.max(1e-6)
    }
}

/// After BERTScore (Zhang et al. 2020, eq. 4 with idf weights), on the model's table of
/// words instead of its last layer.
fn covered(a: &Unit, b: &Unit, counts: &dyn Fn(Term) -> bool) -> Covered {
    let mut covered = Covered { matched: 0.0, weight: 0.0 };
    for &(term, weight) in a.terms.iter().filter(|(t, _)| counts(*t)) {
        covered.weight += weight;
        covered.matched += weight * b.likeness(term);
    }
    covered
}

fn f_measure(a: Covered, b: Covered) -> f32 {
    let (p, r) = (a.share(), b.share());
    if p + r > 0.0 { 2.0 * p * r / (p + r) } else { 0.0 }
}

/// Pairs of neighbouring words that carry something, as a share of those of the clause
/// that has fewer.
fn bigrams(a: &Unit, b: &Unit) -> f32 {
    let of = |u: &Unit| -> Vec<(Term, Term)> {
        let carrying: Vec<Term> =
            u.sequence.iter().filter(|(_, w)| *w > 0.0).map(|(t, _)| *t).collect();
        carrying.windows(2).filter_map(|w| Some((*w.first()?, *w.get(1)?))).collect()
    };
    let (mine, theirs) = (of(a), of(b));
    let shared = mine.iter().filter(|pair| theirs.contains(pair)).count();
    shared as f32 / mine.len().min(theirs.len()).max(2) as f32
}

/// The longest sequence of words that both have in the same order: its length, and its
/// share of the shorter clause's weight.
fn in_order(a: &Unit, b: &Unit) -> (usize, f32) {
    // Cells hold (weight, words) of the best common subsequence of two prefixes.
    let mut row = vec![(0f32, 0usize); b.sequence.len() + 1];
    for &(t, weight) in &a.sequence {
        let mut diagonal = (0f32, 0usize);
        for (j, &(u, _)) in b.sequence.iter().enumerate() {
            let above = row.get(j + 1).copied().unwrap_or_default();
            let left = row.get(j).copied().unwrap_or_default();
            let best = if t == u {
                (diagonal.0 + weight, diagonal.1 + 1)
            } else if above.0 > left.0 || above.0 == left.0 && above.1 >= left.1 {
                above
            } else {
                left
            };
            diagonal = above;
            if let Some(cell) = row.get_mut(j + 1) {
                *cell = best;
            }
        }
    }
    let (weight, words) = row.last().copied().unwrap_or_default();
    let total = |u: &Unit| u.sequence.iter().map(|(_, w)| w).sum::<f32>();
    (words, weight / total(a).min(total(b)).max(1e-6))
}
