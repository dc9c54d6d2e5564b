//! How likely two clauses are to report the same thing.

use super::units::Unit;
use super::vocabulary::{Term, Vocabulary};

/// Share of a clause's words that are quoted for it to be a quotation.
pub(super) const IS_QUOTED: f32 = 0.6;
/// Words in order that two quotations share at least.
const LEAST_RUN: usize = 4;

/// What is found in common.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Score {
    /// Likeness from 0 to 1.
    pub value: f32,
    /// Whether it is one quotation by its words.
    pub quotation: bool,
}

/// What a pair of clauses is judged by.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Features {
    /// Weighted overlap measured against both clauses: an F-measure.
    pub both: f32,
    /// The same against the clause that is covered more.
    pub one: f32,
    /// Weight of what is in common (the smaller of the two sides), squashed to 0..1.
    pub evidence: f32,
    /// The F-measure on words that are no names.
    pub worded: f32,
    /// Cosine of the sentences' vectors, without what all of the event have in common.
    pub cosine: f32,
    /// Share of the shorter clause that stands in the other in the same order.
    pub run: f32,
    /// Share of neighbouring words that are neighbours in the other.
    pub pairs: f32,
    /// Weight of the lighter clause, squashed to 0..1.
    pub lighter: f32,
}

impl Features {
    pub(super) fn list(&self) -> [f32; 8] {
        [self.both, self.one, self.evidence, self.worded, self.cosine, self.run, self.pairs, self.lighter]
    }
}

/// Compares two clauses. `cosine` is that of their sentences' vectors, with what all
/// sentences of the event have in common taken out.
pub(super) fn score(a: &Unit, b: &Unit, cosine: f32, vocabulary: &Vocabulary) -> (Score, Features) {
    let name = |t: Term| vocabulary.is_name(t);
    let (mine, theirs) = (covered(a, b, &|_| true), covered(b, a, &|_| true));
    let both = f_measure(mine, theirs);
    let one = mine.share().max(theirs.share());
    let worded = f_measure(covered(a, b, &|t| !name(t)), covered(b, a, &|t| !name(t)));
    let (words, share) = in_order(a, b);
    let run = if words >= LEAST_RUN { share } else { 0.0 };
    let features = Features {
        both,
        one,
        evidence: squashed(mine.matched.min(theirs.matched)),
        worded,
        cosine,
        run,
        pairs: bigrams(a, b),
        lighter: squashed(a.weight.min(b.weight)),
    };
    let quotation = run > 0.6 && (a.quoted >= IS_QUOTED || b.quoted >= IS_QUOTED);
    (Score { value: likelihood(&features), quotation }, features)
}

fn likelihood(f: &Features) -> f32 {
    let z: f32 = INTERCEPT + f.list().iter().zip(WEIGHTS).map(|(x, w)| x * w).sum::<f32>();
    1.0 / (1.0 + (-z).exp())
}
const INTERCEPT: f32 = -3.5;
const WEIGHTS: [f32; 8] = [3.0, 1.0, 1.0, 2.0, 1.0, 1.0, 1.0, 0.0];

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
