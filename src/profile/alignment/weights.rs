//! What an event's sentences have in common says nothing within it: terms that many of them use
//! weigh little, and vectors are compared without their mean.

use std::collections::{BTreeSet, HashMap};

use super::groups::Corpus;
use super::vocabulary::Term;

/// A corpus of fewer sentences is weighted as if it had so many: how rare a word is in the
/// language cannot be told from a few articles.
const SMALL: usize = 1000;
/// A term's weight at most: one that nobody else uses is rare, but not the point.
const MOST_WEIGHT: f32 = 3.5;
/// What a name counts for beside another word: who is in the story is what most of its
/// sentences have in common.
const NAME: f32 = 0.6;

/// What terms count for in an event: how rare they are in it and in the corpus. A word
/// that every sentence of the event has says nothing here, however rare it is elsewhere.
pub(super) struct Weights(HashMap<Term, f32>);

impl Weights {
    pub(super) fn new(sentences: &[usize], corpus: &Corpus) -> Self {
        let mut here: HashMap<Term, u32> = HashMap::new();
        for read in sentences.iter().filter_map(|&i| corpus.reads.get(i)) {
            let terms: BTreeSet<Term> = read.terms.iter().copied().collect();
            terms.into_iter().for_each(|t| *here.entry(t).or_default() += 1);
        }
        let rare = |n: usize, of: u32| ((n as f32 + 1.0) / (of as f32 + 0.5)).ln().max(0.05);
        let weight = |(term, of): (Term, u32)| {
            let n = corpus.sentences.len().max(SMALL);
            let everywhere = rare(n, corpus.vocabulary.sentences(term));
            let weight = (0.5 * (rare(sentences.len(), of) + everywhere)).min(MOST_WEIGHT);
            (term, if corpus.vocabulary.is_name(term) { NAME * weight } else { weight })
        };
        Self(here.into_iter().map(weight).collect())
    }

    pub(super) fn of(&self, term: Term) -> f32 {
        self.0.get(&term).copied().unwrap_or(0.0)
    }
}

/// The sentences' vectors without what all of the event have in common.
pub(super) struct Centred(HashMap<usize, Vec<f32>>);

impl Centred {
    pub(super) fn new(sentences: &[usize], corpus: &Corpus) -> Self {
        let of = |&i: &usize| Some((i, corpus.sentences.get(i)?.vector.as_slice()));
        let vectors: Vec<(usize, &[f32])> =
            sentences.iter().filter_map(of).filter(|(_, v)| !v.is_empty()).collect();
        let width = vectors.first().map_or(0, |(_, v)| v.len());
        let mut mean = vec![0f32; width];
        for (_, vector) in &vectors {
            mean.iter_mut().zip(*vector).for_each(|(m, x)| *m += x / vectors.len() as f32);
        }
        let centred = vectors.into_iter().map(|(i, vector)| {
            let mut centred: Vec<f32> = vector.iter().zip(&mean).map(|(x, m)| x - m).collect();
            let norm = centred.iter().map(|x| x * x).sum::<f32>().sqrt().max(1e-6);
            centred.iter_mut().for_each(|x| *x /= norm);
            (i, centred)
        });
        Self(centred.collect())
    }

    pub(super) fn cosine(&self, a: usize, b: usize) -> f32 {
        match (self.0.get(&a), self.0.get(&b)) {
            (Some(a), Some(b)) => a.iter().zip(b).map(|(x, y)| x * y).sum(),
            _ => 0.0,
        }
    }
}
