//! Pairs of clauses that are worth a look: those that share words which few others have.

use std::collections::HashMap;

use super::units::Unit;
use super::vocabulary::Term;

/// Up to so many clauses, every pair is looked at.
const EVERY_PAIR: usize = 400;
/// A term that more clauses have leads nowhere.
const MOST_CLAUSES: usize = 400;
/// Share of a clause's weight that a candidate shares at least, in the same words.
const LEAST_SHARED: f32 = 0.2;
/// Candidates of a clause at most: those that share most. With it, the pairs to be scored
/// grow as the clauses do, not as their square.
const MOST: usize = 40;

/// Pairs of units of different sentences, as places in `units`, the smaller first; sorted.
pub(super) fn candidates(units: &[Unit]) -> Vec<(usize, usize)> {
    let apart = |a: usize, b: usize| match (units.get(a), units.get(b)) {
        (Some(a), Some(b)) => a.sentence != b.sentence,
        _ => false,
    };
    if units.len() <= EVERY_PAIR {
        let all = (0..units.len()).flat_map(|a| (a + 1..units.len()).map(move |b| (a, b)));
        return all.filter(|&(a, b)| apart(a, b)).collect();
    }
    let mut postings: HashMap<Term, Vec<(usize, f32)>> = HashMap::new();
    for (i, unit) in units.iter().enumerate() {
        for &(term, weight) in &unit.terms {
            postings.entry(term).or_default().push((i, weight));
        }
    }
    postings.retain(|_, of| of.len() > 1 && of.len() <= MOST_CLAUSES);
    let mut pairs = Vec::new();
    let mut shared: HashMap<usize, f32> = HashMap::new();
    for (i, unit) in units.iter().enumerate() {
        shared.clear();
        for (term, weight) in &unit.terms {
            for &(j, _) in postings.get(term).into_iter().flatten() {
                *shared.entry(j).or_default() += weight;
            }
        }
        let least = |j: usize| units.get(j).map_or(f32::MAX, |u| u.weight.min(unit.weight));
        let mut near: Vec<(usize, f32)> = shared
            .iter()
            .map(|(&j, &weight)| (j, weight))
            .filter(|&(j, weight)| apart(i, j) && weight >= LEAST_SHARED * least(j))
            .collect();
        near.sort_by(|a, b| b.1.total_cmp(&a.1).then(a.0.cmp(&b.0)));
        near.truncate(MOST);
        pairs.extend(near.into_iter().map(|(j, _)| (i.min(j), i.max(j))));
    }
    pairs.sort_unstable();
    pairs.dedup();
    pairs
}
