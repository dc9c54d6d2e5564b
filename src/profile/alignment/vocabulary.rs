//! The terms of a corpus: how rare each is, whether it is a name, and the vector of its
//! word, by which *troops* and *soldiers* are told to be near.

use std::collections::{BTreeMap, HashMap, HashSet};

use ndarray::{Array2, Axis};

use super::units::Read;
use super::words::{Kind, Word};

/// Vectors of single words, as the model's own table of words gives them; `None` for a
/// word that it does not know.
pub type WordVectors<'a> = dyn Fn(&str) -> Option<Vec<f32>> + 'a;

/// Cosine (of centred vectors) from which on two words count as near: 17 in 10,000 pairs of words
/// of newswcl50 are. Below it lie most pairs of unrelated words.
const NEAR: f32 = 0.25;
/// What two numbers have in common for being numbers: outlets that differ on a figure
/// still report the same thing.
const NUMBERS: f32 = 0.6;
/// What two different words can have in common at most: only the same word is the same.
const MOST: f32 = 0.8;

/// Rows of word vectors that are multiplied at a time, so that memory stays small.
const BLOCK: usize = 256;

/// A term, by its place in the [`Vocabulary`].
pub(super) type Term = u32;

/// The terms of a corpus.
#[derive(Debug, Default)]
pub(super) struct Vocabulary {
    ids: HashMap<String, Term>,
    of: Vec<Entry>,
    /// Unit vectors, one after the other.
    vectors: Vec<f32>,
    width: usize,
}

#[derive(Debug, Clone)]
struct Entry {
    kind: Kind,
    name: bool,
    /// Sentences that hold it.
    sentences: u32,
    /// Its place among the vectors.
    vector: Option<usize>,
    /// As it is written most.
    form: String,
}

#[derive(Default)]
struct Seen {
    kind: Option<Kind>,
    sentences: u32,
    capital: u32,
    inside: u32,
    forms: BTreeMap<String, u32>,
}

impl Vocabulary {
    /// Collects the terms of some sentences.
    pub(super) fn new(sentences: &[Read], word_vectors: &WordVectors) -> Self {
        let mut seen: BTreeMap<&str, Seen> = BTreeMap::new();
        for words in sentences.iter().map(|read| &read.words) {
            let mut here = HashSet::new();
            // In a headline of capitals, a capital tells nothing.
            let capitals = words.iter().filter(|w| w.capital).count();
            let plain = capitals * 10 <= words.len() * 6;
            for (i, word) in words.iter().enumerate() {
                let entry = seen.entry(&word.term).or_default();
                entry.kind = Some(word.kind);
                entry.sentences += u32::from(here.insert(&word.term));
                if plain && i > 0 {
                    entry.inside += 1;
                    entry.capital += u32::from(word.capital);
                }
                *entry.forms.entry(word.plain.clone()).or_default() += 1;
            }
        }
        let mut vocabulary = Vocabulary::default();
        for (term, seen) in seen {
            let id = vocabulary.of.len() as Term;
            let kind = seen.kind.unwrap_or(Kind::Function);
            let form = seen.forms.iter().max_by(|a, b| a.1.cmp(b.1).then(b.0.cmp(a.0)));
            let form = form.map(|(form, _)| form.clone()).unwrap_or_default();
            let vector = match kind {
                Kind::Content => word_vectors(&form),
                _ => None,
            };
            let vector = vector.and_then(|v| vocabulary.add_vector(&v));
            let name = seen.inside > 0 && seen.capital * 10 >= seen.inside * 7;
            vocabulary.of.push(Entry { kind, name, sentences: seen.sentences, vector, form });
            vocabulary.ids.insert(term.to_owned(), id);
        }
        vocabulary.centre();
        vocabulary
    }

    fn add_vector(&mut self, vector: &[f32]) -> Option<usize> {
        if self.width == 0 {
            self.width = vector.len();
        }
        if vector.is_empty() || vector.len() != self.width || vector.iter().any(|x| !x.is_finite())
        {
            return None;
        }
        let norm = vector.iter().map(|x| x * x).sum::<f32>().sqrt().max(1e-9);
        self.vectors.extend(vector.iter().map(|x| x / norm));
        Some(self.vectors.len() / self.width - 1)
    }

    /// Takes the mean out of all vectors: word vectors lie in a narrow cone, and without
    /// this any two words look alike (Mu and Viswanath 2018, first step).
    fn centre(&mut self) {
        if self.width == 0 {
            return;
        }
        let n = (self.vectors.len() / self.width) as f32;
        let mut mean = vec![0f32; self.width];
        for row in self.vectors.chunks_exact(self.width) {
            mean.iter_mut().zip(row).for_each(|(m, x)| *m += x / n);
        }
        for row in self.vectors.chunks_exact_mut(self.width) {
            row.iter_mut().zip(&mean).for_each(|(x, m)| *x -= m);
            let norm = row.iter().map(|x| x * x).sum::<f32>().sqrt().max(1e-9);
            row.iter_mut().for_each(|x| *x /= norm);
        }
    }

    /// The term of a word.
    pub(super) fn id(&self, word: &Word) -> Option<Term> {
        self.ids.get(&word.term).copied()
    }

    /// Sentences that hold a term.
    pub(super) fn sentences(&self, term: Term) -> u32 {
        self.of.get(term as usize).map_or(0, |e| e.sentences)
    }

    /// Whether the term is written with a capital inside sentences.
    pub(super) fn is_name(&self, term: Term) -> bool {
        self.of.get(term as usize).is_some_and(|e| e.name)
    }

    /// The word as it is written most.
    pub(super) fn form(&self, term: Term) -> &str {
        self.of.get(term as usize).map_or("", |e| &e.form)
    }

    /// What sort of word it is.
    pub(super) fn kind(&self, term: Term) -> Kind {
        self.of.get(term as usize).map_or(Kind::Function, |e| e.kind)
    }

    /// For each of some terms the terms among them that it has something in common with,
    /// and how much, from 0 to 1; itself first. Two names are the same or are not.
    pub(super) fn near(&self, terms: &[Term]) -> HashMap<Term, Vec<(Term, f32)>> {
        let mut near: HashMap<Term, Vec<(Term, f32)>> =
            terms.iter().map(|&t| (t, vec![(t, 1.0)])).collect();
        let counts = |t: &Term| self.kind(*t) == Kind::Number && !is_year(self.form(*t));
        let numbers: Vec<Term> = terms.iter().copied().filter(counts).collect();
        for &t in &numbers {
            let others = numbers.iter().filter(|&&u| u != t).map(|&u| (u, NUMBERS));
            near.entry(t).or_default().extend(others);
        }
        let worded = |t: &Term| !self.is_name(*t);
        let (rows, of): (Vec<&[f32]>, Vec<Term>) = terms
            .iter()
            .filter(|t| worded(t))
            .filter_map(|&t| Some((self.vector(self.of.get(t as usize)?)?, t)))
            .unzip();
        let Ok(all) = Array2::from_shape_vec((rows.len(), self.width), rows.concat()) else {
            return near;
        };
        for (block, of_block) in all.axis_chunks_iter(Axis(0), BLOCK).zip(of.chunks(BLOCK)) {
            let cosines = block.dot(&all.t());
            for (row, &t) in cosines.outer_iter().zip(of_block) {
                let likeness = |cosine: f32| ((cosine - NEAR) / (1.0 - NEAR)).min(MOST);
                let others = row.iter().zip(&of).filter(|(c, u)| **c > NEAR && **u != t);
                near.entry(t).or_default().extend(others.map(|(c, u)| (*u, likeness(*c))));
            }
        }
        near
    }

    fn vector(&self, entry: &Entry) -> Option<&[f32]> {
        let at = entry.vector? * self.width;
        self.vectors.get(at..at + self.width)
    }
}

/// Whether a number is most likely a year: two of them are never two counts of one thing.
fn is_year(form: &str) -> bool {
    form.len() == 4 && (form.starts_with("19") || form.starts_with("20"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn years_are_told_from_counts() {
        assert!(is_year("2019") && is_year("1949"));
        assert!(!is_year("100000") && !is_year("12") && !is_year("2500"));
    }
}
