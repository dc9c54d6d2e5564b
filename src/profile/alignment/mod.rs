//! Alignment: how each outlet put *this*. Sentences of different outlets that report the
//! same claim, act or quotation are found and grouped. Plain data in and out.
//!
//! 1. Sentences are cut into clauses, for one sentence may report several things.
//! 2. Articles are put together by event: the one given, or one found from dates and rare
//!    words. Clauses are compared within an event only.
//! 3. Pairs of clauses that share rare words are scored by the words that find their like
//!    in each other (the same, or near by the model's word vectors), by quoted words in
//!    order, and by the sentences' vectors. Those that may be the same get a second look, at
//!    their words in context.
//! 4. Correlation clustering makes groups, and whoever is not near the group's representative is
//!    left out again, so that no chain of likenesses joins two claims. Clauses of one
//!    quotation are put together again.

mod candidates;
mod clauses;
mod cluster;
mod context;
mod cues;
mod days;
mod denials;
mod events;
mod facts;
mod groups;
mod marks;
mod quoted;
mod score;
mod supplements;
mod types;
mod units;
mod vocabulary;
mod weights;
mod whole;
mod words;

use std::collections::BTreeMap;

use rayon::prelude::*;
use serde::{Deserialize, Serialize};

pub use context::{Contexts, Passage};
use cues::Cues;
use events::{Article, Event, events};
pub use types::{
    Clause, Contested, DifferingFact, FactKind, Group, GroupKind, Mark, MarkKind, MeasuredPair,
    Member, SentenceKey,
};
use units::Read;
use vocabulary::Vocabulary;
pub use vocabulary::WordVectors;
use words::Kind;

use crate::error::{Error, Result};

/// How an outlet stands to what a sentence passes on, as far as it makes a claim
/// contested.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Side {
    /// It states it or passes it on.
    PassedOn,
    /// It holds it at a distance or denies it.
    HeldOff,
}

/// A sentence to be aligned.
#[derive(Debug, Clone, PartialEq)]
pub struct Sentence {
    /// Which it is.
    pub key: SentenceKey,
    /// Its outlet.
    pub outlet: String,
    /// Its day, `YYYY-MM-DD`.
    pub date: Option<String>,
    /// The event that its article covers, where the corpus says so.
    pub event: Option<String>,
    /// The sentence as it stands in the article.
    pub text: String,
    /// Whether it is quotation throughout, whatever marks it has.
    pub quotation: bool,
    /// How the outlet stands to it, where that is known.
    pub side: Option<Side>,
    /// Its vector; empty where there is none. All vectors have one length.
    pub vector: Vec<f32>,
}

/// How groups are made.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Settings {
    /// Likeness from which on a pair counts for being in one group, and below which against it,
    /// between 0 and 1. Higher: fewer groups, surer.
    /// `None`: [`usual_likeness`].
    pub likeness: Option<f32>,
}

/// Sentences of a corpus that somebody can read whole.
const READABLE: usize = 300;

/// The likeness for a corpus of so many sentences. Of a few articles every group can be read, and
/// the founding question is how each outlet put *this*: what is missed costs more than what does
/// not belong. Of a large corpus groups are counted: nine in ten of the pairs that 0.55 proposes on
/// newswcl50 are right.
pub fn usual_likeness(n_sentences: usize) -> f32 {
    if n_sentences <= READABLE { 0.35 } else { 0.55 }
}

impl Settings {
    /// Checks that the settings make sense.
    ///
    /// # Errors
    /// If the likeness does not lie between 0 and 1.
    pub fn validate(&self) -> Result<()> {
        match self.likeness {
            Some(likeness) if !(likeness > 0.0 && likeness < 1.0) => {
                Err(Error::setting(format!("likeness is {likeness}, but must lie between 0 and 1"))
                    .with_hint("0.55 is usual; lower values give more and looser groups"))
            }
            _ => Ok(()),
        }
    }
}

/// What words mean, from a model.
#[derive(Clone, Copy)]
pub struct Meanings<'a> {
    /// The vector of a single word, for instance a row of the encoder's table of words.
    pub words: &'a WordVectors<'a>,
    /// The vectors of words in context; without them there is no second look.
    pub contexts: Option<&'a Contexts<'a>>,
}

/// Groups the sentences that report the same claim, act or quotation.
///
/// The result does not depend on the order of `sentences`; of two sentences with the same key
/// only one is kept.
///
/// # Errors
/// If the words cannot be read in context.
pub fn align(
    sentences: Vec<Sentence>,
    meanings: &Meanings,
    settings: &Settings,
) -> Result<Vec<Group>> {
    let mut groups = of_each_event(sentences, meanings, settings, groups::of_event)?;
    let first = |g: &Group| g.members.iter().map(|m| &m.sentence).min().cloned();
    groups.sort_by_cached_key(|g| {
        (g.event.clone(), first(g), g.members.first().map(|m| m.span.start))
    });
    for (id, group) in groups.iter_mut().enumerate() {
        group.id = id as u32;
    }
    Ok(groups)
}

/// What is measured on every pair of clauses that [`align`] compares, for whoever fits its weights
/// to judged pairs.
///
/// # Errors
/// If the words cannot be read in context.
pub fn measure(sentences: Vec<Sentence>, meanings: &Meanings) -> Result<Vec<MeasuredPair>> {
    of_each_event(sentences, meanings, &Settings::default(), groups::measured)
}

/// Reads the sentences, puts their articles together by event and collects what `of_event` makes of
/// each.
fn of_each_event<T>(
    mut sentences: Vec<Sentence>,
    meanings: &Meanings,
    settings: &Settings,
    of_event: impl Fn(&Event, &groups::Corpus) -> Result<Vec<T>>,
) -> Result<Vec<T>> {
    sentences.sort_by(|a, b| a.key.cmp(&b.key).then_with(|| a.text.cmp(&b.text)));
    sentences.dedup_by(|a, b| a.key == b.key);
    let cues = Cues::shipped();
    let mut reads: Vec<Read> = sentences.par_iter().map(|s| Read::new(s, &cues)).collect();
    let vocabulary = Vocabulary::new(&reads, meanings.words);
    reads.par_iter_mut().for_each(|read| read.resolve(&vocabulary));
    let articles = articles(&sentences, &reads, &vocabulary);
    let reader = |contexts| context::Reader::new(contexts, &sentences, &reads);
    let corpus = groups::Corpus {
        sentences: &sentences,
        reads: &reads,
        vocabulary: &vocabulary,
        articles: &articles,
        cues: &cues,
        reader: meanings.contexts.map(reader).transpose()?,
        bound: settings.likeness.unwrap_or_else(|| usual_likeness(sentences.len())),
    };
    let mut found = Vec::new();
    for event in events(&articles, &vocabulary) {
        found.extend(of_event(&event, &corpus)?);
    }
    Ok(found)
}

/// The articles of the sentences, in order of their ids.
fn articles(sentences: &[Sentence], reads: &[Read], vocabulary: &Vocabulary) -> Vec<Article> {
    let mut articles: BTreeMap<&str, Article> = BTreeMap::new();
    for (i, (sentence, read)) in sentences.iter().zip(reads).enumerate() {
        let article = articles.entry(&sentence.key.article_id).or_insert_with(|| Article {
            outlet: sentence.outlet.clone(),
            given: sentence.event.clone(),
            day: sentence.date.as_deref().and_then(day),
            date: sentence.date.clone(),
            ..Article::default()
        });
        article.sentences.push(i);
        for &term in &read.terms {
            if vocabulary.kind(term) == Kind::Content {
                *article.terms.entry(term).or_default() += 1;
            }
        }
    }
    articles.into_values().collect()
}

/// Days since a fixed day.
fn day(date: &str) -> Option<i64> {
    let date: chrono::NaiveDate = date.get(..10)?.parse().ok()?;
    Some(i64::from(chrono::Datelike::num_days_from_ce(&date)))
}

#[cfg(test)]
mod tests;
