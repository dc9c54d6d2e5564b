//! Does one part of the data know the other? A model that was trained on the test sentences, on
//! others of their articles or on reprints of them looks better than it is.

use std::collections::HashSet;
use std::fmt;

use serde::Serialize;

use super::Example;
use crate::corpus::{Article, Duplicates};

/// What training and test data have in common.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct Overlap {
    /// Training sentences of a document of the test data.
    pub of_documents: usize,
    /// Other training sentences with the text of a test sentence.
    pub same: usize,
    /// Other training sentences that nearly repeat a test sentence: see [`Duplicates::of_sentences`].
    pub near: usize,
}

impl Overlap {
    /// All training sentences concerned.
    pub fn total(&self) -> usize {
        self.of_documents + self.same + self.near
    }
}

impl fmt::Display for Overlap {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{} sentences of documents in the test data, {} with the text of a test sentence, {} that \
             nearly repeat one",
            self.of_documents, self.same, self.near
        )
    }
}

/// How a training sentence is known to the test data.
enum Known {
    Document,
    Same,
    Near,
}

struct Test<'a> {
    documents: HashSet<&'a str>,
    texts: HashSet<&'a str>,
    near: Duplicates,
}

impl<'a> Test<'a> {
    fn new(examples: &'a [Example]) -> Self {
        let texts: HashSet<&str> = examples.iter().map(|e| e.model_text.as_str()).collect();
        let mut near = Duplicates::of_sentences();
        for example in examples {
            near.insert(&Article { text: example.model_text.clone(), ..Article::default() });
        }
        let documents = examples.iter().map(|e| e.document.as_str()).collect();
        Test { documents, texts, near }
    }

    fn knows(&self, example: &Example) -> Option<Known> {
        if self.documents.contains(example.document.as_str()) {
            Some(Known::Document)
        } else if self.texts.contains(example.model_text.as_str()) {
            Some(Known::Same)
        } else {
            self.near.find(&example.model_text).map(|_| Known::Near)
        }
    }
}

impl Overlap {
    fn count(&mut self, known: &Known) {
        match known {
            Known::Document => self.of_documents += 1,
            Known::Same => self.same += 1,
            Known::Near => self.near += 1,
        }
    }
}

/// Counts what `train` has in common with `test`.
pub fn overlap(train: &[Example], test: &[Example]) -> Overlap {
    let test = Test::new(test);
    let mut overlap = Overlap::default();
    train.iter().filter_map(|e| test.knows(e)).for_each(|known| overlap.count(&known));
    overlap
}

/// Takes out of `examples` what must stay unseen: every sentence of a document that occurs in
/// `held_out`, and every sentence that repeats or nearly repeats one there. Says how many those
/// were.
pub fn without(examples: Vec<Example>, held_out: &[Example]) -> (Vec<Example>, Overlap) {
    let test = Test::new(held_out);
    let mut overlap = Overlap::default();
    let unknown = |e: &Example| match test.knows(e) {
        Some(known) => {
            overlap.count(&known);
            false
        }
        None => true,
    };
    (examples.into_iter().filter(unknown).collect(), overlap)
}
