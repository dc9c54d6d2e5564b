//! The second look at pairs of clauses: their words as they are meant where they stand.
//!
//! BERTScore (Zhang et al. 2020, eq. 4 with idf weights) on the vectors that the encoder gives
//! words in context, without what all words have in common.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::ops::Range;

use ndarray::{Array1, Array2, Axis};

use super::Sentence;
use super::units::{Read, Unit};
use super::words::Kind;
use crate::error::Result;

/// A sentence to be read, and its words as bytes of the text.
pub struct Passage<'a> {
    /// The sentence as it stands in the article.
    pub text: &'a str,
    /// Its words.
    pub words: Vec<Range<usize>>,
}

/// Gives each passage's words their vectors in context: (words, width).
pub type Contexts<'a> = dyn Fn(&[Passage]) -> Result<Vec<Array2<f32>>> + 'a;

/// Sentences from which it is told what all words have in common.
const SAMPLE: usize = 500;

/// Reads clauses in context.
pub(super) struct Reader<'a> {
    contexts: &'a Contexts<'a>,
    /// The mean vector of words that carry something.
    common: Array1<f32>,
}

/// The words of a clause that carry something.
pub(super) struct InContext {
    /// Their vectors, of length 1: (words, width).
    rows: Array2<f32>,
    weights: Vec<f32>,
    /// Their weighted mean, of length 1.
    mean: Array1<f32>,
}

impl<'a> Reader<'a> {
    /// Learns from some of the sentences, spread over all, what words have in common.
    pub(super) fn new(
        contexts: &'a Contexts<'a>,
        sentences: &[Sentence],
        reads: &[Read],
    ) -> Result<Self> {
        let apart = sentences.len().div_ceil(SAMPLE).max(1);
        let sample: Vec<(&Sentence, &Read)> = sentences.iter().zip(reads).step_by(apart).collect();
        let passages: Vec<Passage> = sample.iter().map(|(s, r)| passage(s, r)).collect();
        let (mut sum, mut n) = (Array1::zeros(0), 0);
        for (rows, (_, read)) in contexts(&passages)?.iter().zip(&sample) {
            for (row, word) in rows.rows().into_iter().zip(&read.words) {
                if word.kind != Kind::Function {
                    if sum.is_empty() {
                        sum = Array1::zeros(row.len());
                    }
                    sum += &row;
                    n += 1;
                }
            }
        }
        Ok(Reader { contexts, common: sum / n.max(1) as f32 })
    }

    /// Reads the `wanted` of the `units`, by their places.
    pub(super) fn read(
        &self,
        units: &[Unit],
        wanted: &BTreeSet<usize>,
        sentences: &[Sentence],
        reads: &[Read],
    ) -> Result<HashMap<usize, InContext>> {
        let mut of_sentence: BTreeMap<usize, Vec<usize>> = BTreeMap::new();
        for &at in wanted {
            if let Some(unit) = units.get(at) {
                of_sentence.entry(unit.sentence).or_default().push(at);
            }
        }
        let passages: Vec<Passage> = of_sentence
            .keys()
            .filter_map(|&i| Some(passage(sentences.get(i)?, reads.get(i)?)))
            .collect();
        let rows = (self.contexts)(&passages)?;
        let read = of_sentence.values().zip(&rows).flat_map(|(places, rows)| {
            places.iter().filter_map(|&at| Some((at, self.clause(units.get(at)?, rows))))
        });
        Ok(read.collect())
    }

    /// The words of a clause, of which `rows` has the whole sentence's.
    fn clause(&self, unit: &Unit, rows: &Array2<f32>) -> InContext {
        let carrying: Vec<(usize, f32)> = unit
            .words
            .iter()
            .zip(&unit.sequence)
            .filter(|(word, (_, weight))| *weight > 0.0 && **word < rows.nrows())
            .map(|(word, (_, weight))| (*word, *weight))
            .collect();
        let places: Vec<usize> = carrying.iter().map(|(word, _)| *word).collect();
        let mut rows = rows.select(Axis(0), &places);
        for mut row in rows.rows_mut() {
            if row.len() == self.common.len() {
                row -= &self.common;
            }
            let length = row.dot(&row).sqrt().max(1e-6);
            row /= length;
        }
        InContext::new(rows, carrying.into_iter().map(|(_, weight)| weight).collect())
    }
}

impl InContext {
    fn new(rows: Array2<f32>, weights: Vec<f32>) -> Self {
        let mut mean = Array1::zeros(rows.ncols());
        for (row, weight) in rows.rows().into_iter().zip(&weights) {
            mean.scaled_add(*weight, &row);
        }
        let length = mean.dot(&mean).sqrt().max(1e-6);
        mean /= length;
        Self { rows, weights, mean }
    }

    /// Cosine of the mean vectors of two clauses' words.
    pub(super) fn cosine(&self, other: &InContext) -> f32 {
        self.mean.dot(&other.mean)
    }
}

fn passage<'a>(sentence: &'a Sentence, read: &Read) -> Passage<'a> {
    // Words count characters, the tokenizer bytes.
    let mut bytes: Vec<usize> = sentence.text.char_indices().map(|(at, _)| at).collect();
    bytes.push(sentence.text.len());
    let byte = |at: usize| bytes.get(at).copied().unwrap_or(sentence.text.len());
    Passage {
        text: &sentence.text,
        words: read.words.iter().map(|w| byte(w.start)..byte(w.end)).collect(),
    }
}

/// The share of each clause's weight that finds its like in the other: of the one that is covered
/// more, and of the one that is covered less.
pub(super) fn covered(a: &InContext, b: &InContext) -> (f32, f32) {
    if a.weights.is_empty() || b.weights.is_empty() {
        return (0.0, 0.0);
    }
    let likeness = a.rows.dot(&b.rows.t());
    let share = |axis: Axis, weights: &[f32]| {
        let best = likeness.lanes(axis).into_iter().map(|l| l.fold(0f32, |m, x| m.max(*x)));
        let sum: f32 = best.zip(weights).map(|(best, weight)| best * weight).sum();
        sum / weights.iter().sum::<f32>().max(1e-6)
    };
    let (mine, theirs) = (share(Axis(1), &a.weights), share(Axis(0), &b.weights));
    (mine.max(theirs), mine.min(theirs))
}

#[cfg(test)]
mod tests {
    use super::*;
    use ndarray::array;

    #[test]
    fn what_is_covered_is_weighted() {
        let a = InContext::new(array![[1.0, 0.0], [0.0, 1.0]], vec![3.0, 1.0]);
        let b = InContext::new(array![[1.0, 0.0]], vec![2.0]);
        assert_eq!(covered(&a, &b), (1.0, 0.75));
        assert_eq!(covered(&b, &a), (1.0, 0.75));
        let nothing = InContext::new(Array2::zeros((0, 2)), vec![]);
        assert_eq!(covered(&a, &nothing), (0.0, 0.0));
    }
}
