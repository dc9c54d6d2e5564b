//! Units: the clauses of the corpus' sentences, ready to be compared.

use std::collections::HashMap;
use std::ops::Range;

use super::Sentence;
use super::clauses::{Extent, clauses};
use super::cues::Cues;
use super::quoted::{Quoted, quoted};
use super::score::IS_QUOTED;
use super::vocabulary::{Term, Vocabulary};
use super::words::{Kind, Word, words};

/// A sentence, read.
pub(super) struct Read {
    /// Its words.
    pub words: Vec<Word>,
    /// The term of each word, once they are known.
    pub terms: Vec<Term>,
    /// What of it is quoted.
    pub quoted: Quoted,
    /// Its clauses.
    pub clauses: Vec<Extent>,
}

impl Read {
    pub(super) fn new(sentence: &Sentence, cues: &Cues) -> Self {
        let chars: Vec<char> = sentence.text.chars().collect();
        let words = words(&sentence.text);
        let quoted = quoted(&chars, sentence.quotation);
        let clauses = if asks(&chars, &quoted) {
            Vec::new()
        } else {
            clauses(&chars, &words, &quoted, &|w| cues.says(w))
        };
        Self { words, terms: Vec::new(), quoted, clauses }
    }

    /// Looks up the terms of the words.
    pub(super) fn resolve(&mut self, vocabulary: &Vocabulary) {
        self.terms = self.words.iter().filter_map(|w| vocabulary.id(w)).collect();
    }
}

/// Whether a sentence is the outlet's own question, such as a subheading, which reports nothing. A
/// question that is quoted is somebody's words, and may be compared.
fn asks(text: &[char], quoted: &Quoted) -> bool {
    let last = text.iter().rposition(|c| !c.is_whitespace() && !")]”\"’'".contains(*c));
    last.is_some_and(|at| text.get(at) == Some(&'?') && !quoted.covers(at, at + 1))
}

/// A clause.
#[derive(Debug, Clone)]
pub(super) struct Unit {
    /// Its sentence, by its place in the corpus.
    pub sentence: usize,
    /// Its own words, by their places in the sentence.
    pub words: Vec<usize>,
    /// Characters of the sentence's text.
    pub span: Range<usize>,
    /// Its terms that carry something, each once, with their weights; sorted.
    pub terms: Vec<(Term, f32)>,
    /// The terms that have something in common with one of its own, and how much; sorted.
    pub reach: Vec<(Term, f32)>,
    /// Sum of the weights.
    pub weight: f32,
    /// All its words in order, with weights.
    pub sequence: Vec<(Term, f32)>,
    /// Share of its words that are quoted.
    pub quoted: f32,
}

/// Words beside names that a clause has at least: who alone is no claim.
const LEAST_WORDS: usize = 2;

/// The units of a sentence: its clauses, without those that only name somebody; a short quotation
/// is one. `weight` is what
/// a term counts for.
pub(super) fn units(
    at: usize,
    read: &Read,
    vocabulary: &Vocabulary,
    weight: &dyn Fn(Term) -> f32,
) -> Vec<Unit> {
    let units = read.clauses.iter().filter_map(|extent| unit(at, read, extent, weight));
    let words = |u: &Unit| u.terms.iter().filter(|(t, _)| !vocabulary.is_name(*t)).count();
    units.filter(|u| words(u) >= LEAST_WORDS || u.quoted >= IS_QUOTED).collect()
}

fn unit(at: usize, read: &Read, extent: &Extent, weight: &dyn Fn(Term) -> f32) -> Option<Unit> {
    let own = |at: &usize| !extent.without.iter().any(|part| part.contains(at));
    let words: Vec<usize> = extent.words.clone().filter(own).collect();
    let slice = words.iter().filter_map(|&at| read.words.get(at));
    let (first, last) = (slice.clone().next()?, slice.clone().next_back()?);
    let sequence: Vec<(Term, f32)> = slice
        .clone()
        .zip(words.iter().filter_map(|&at| read.terms.get(at)))
        .map(|(w, &term)| (term, if w.kind == Kind::Function { 0.0 } else { weight(term) }))
        .collect();
    let mut terms: Vec<(Term, f32)> = sequence.iter().copied().filter(|(_, w)| *w > 0.0).collect();
    terms.sort_by_key(|(term, _)| *term);
    terms.dedup_by_key(|(term, _)| *term);
    let quoted = slice.filter(|w| read.quoted.covers(w.start, w.end)).count();
    Some(Unit {
        sentence: at,
        span: first.start..last.end,
        weight: terms.iter().map(|(_, w)| w).sum(),
        reach: Vec::new(),
        terms,
        sequence,
        quoted: quoted as f32 / words.len() as f32,
        words,
    })
}

impl Unit {
    /// Works out which terms its own reach. `near` says how much terms have in common.
    pub(super) fn set_reach(&mut self, near: &HashMap<Term, Vec<(Term, f32)>>) {
        let of = |(t, _): &(Term, f32)| near.get(t).into_iter().flatten().copied();
        self.reach = self.terms.iter().flat_map(of).collect();
        self.reach.sort_by(|a, b| a.0.cmp(&b.0).then(b.1.total_cmp(&a.1)));
        self.reach.dedup_by_key(|(t, _)| *t);
    }

    /// How much a term has in common with the nearest of its own.
    pub(super) fn likeness(&self, term: Term) -> f32 {
        let at = self.reach.binary_search_by_key(&term, |(t, _)| *t);
        at.ok().and_then(|i| self.reach.get(i)).map_or(0.0, |(_, likeness)| *likeness)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_question_of_the_outlet_reports_nothing() {
        let asked = |text: &str| {
            let text: Vec<char> = text.chars().collect();
            asks(&text, &quoted(&text, false))
        };
        assert!(asked("What have members of the alliance said?"));
        assert!(asked("Who is to blame? "));
        assert!(!asked("“Will they invade?” he asked."));
        assert!(!asked("He asked: “Will they invade?”"));
        assert!(!asked("They left."));
        assert!(!asked(""));
    }
}
