//! Distinctive words: what one group of articles says more often than the others.
//!
//! [`terms`] cuts sentences into words and phrases, [`count`] counts them by group,
//! [`log_odds`] compares. Plain text and numbers in, [`WordRow`]s out.
//!
//! The z-scores take occurrences for independent, and those of one article are not: a
//! word that stands in one article only may be that article's topic. So every row says in how many
//! articles the term occurs.

pub mod count;
pub mod log_odds;
pub mod terms;

use std::cmp::Reverse;

use rayon::prelude::*;
use serde::{Deserialize, Serialize};

use crate::error::{Error, Result};
use count::{Counted, Counts};
use log_odds::log_odds;

/// How words are compared.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Settings {
    /// Words of the longest phrase; 1 for words only.
    pub longest: usize,
    /// Occurrences in all groups below which a term is left out.
    pub least: u32,
    /// Rows of each comparison and number of words; the most distinctive terms.
    pub most: usize,
    /// Pseudo-occurrences of all terms in the prior; `None`: as many as the corpus has.
    pub prior: Option<f64>,
    /// Groups that are compared in pairs; where there are more, those with most words.
    pub max_pairs_of: usize,
    /// Words to either side of a mention that count as around it.
    pub window: usize,
    /// Terms that the first reading holds at a time.
    pub max_terms: usize,
}

impl Default for Settings {
    fn default() -> Self {
        Settings {
            longest: 3,
            least: 5,
            most: 50,
            prior: None,
            max_pairs_of: 12,
            window: 10,
            max_terms: 4_000_000,
        }
    }
}

impl Settings {
    /// Checks that the settings make sense.
    ///
    /// # Errors
    /// Names the setting that does not.
    pub fn validate(&self) -> Result<()> {
        let wrong = |what: String| Err(Error::setting(what));
        if !(1..=5).contains(&self.longest) {
            return wrong(format!("a phrase of {} words: it must be from 1 to 5", self.longest));
        }
        if self.least == 0 || self.most == 0 || self.max_terms == 0 || self.window == 0 {
            return wrong(
                "the least count, the rows, the window and the terms held must be above 0".into(),
            );
        }
        match self.prior {
            Some(prior) if !(prior.is_finite() && prior > 0.0) => {
                wrong(format!("the prior is {prior}, but must be above 0"))
            }
            _ => Ok(()),
        }
    }
}

/// What is compared.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Scope {
    /// The words of all sentences.
    All,
    /// The words of the sentences with a label.
    Label {
        /// The layer.
        layer: String,
        /// The label.
        label: String,
    },
    /// The words around the mentions of a target.
    Around {
        /// The target.
        target: String,
    },
    /// The words by which a target is mentioned.
    Naming {
        /// The target.
        target: String,
    },
}

impl Scope {
    /// Its name in tables.
    pub fn name(&self) -> &'static str {
        match self {
            Scope::All => "all",
            Scope::Label { .. } => "label",
            Scope::Around { .. } => "around",
            Scope::Naming { .. } => "naming",
        }
    }

    /// The target that it is about.
    pub fn target(&self) -> Option<&str> {
        match self {
            Scope::Around { target } | Scope::Naming { target } => Some(target),
            _ => None,
        }
    }

    /// The layer and label that it is about.
    pub fn label(&self) -> Option<(&str, &str)> {
        match self {
            Scope::Label { layer, label } => Some((layer, label)),
            _ => None,
        }
    }
}

/// How much more often an outlet uses a term than others: a row of `words.parquet`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct WordRow {
    /// The outlet, or the group that the user made of some.
    pub outlet: String,
    /// The outlet that it is compared with; `None`: all others together.
    pub against: Option<String>,
    /// What is compared.
    pub scope: Scope,
    /// The word or phrase, as it is mostly written.
    pub term: String,
    /// Number of words.
    pub n_words: u64,
    /// Occurrences in the outlet.
    pub count: u64,
    /// Occurrences in what it is compared with.
    pub count_rest: u64,
    /// Articles of the outlet that hold it. Where it is 1, the term may be that article's topic.
    pub n_articles: u64,
    /// Articles that hold it in what the outlet is compared with.
    pub n_articles_rest: u64,
    /// Difference of the log-odds, in nats: above zero where the outlet uses the term more
    /// (Monroe, Colaresi & Quinn 2008, eq. 16).
    pub log_odds: f64,
    /// The difference over its standard deviation (eq. 22).
    pub z: f64,
}

/// The terms that each group uses more than all others together, and then than each other
/// group: the [`Settings::most`] with the highest z-scores of each number of words, z above zero. For
/// [`Scope::Naming`] every name that the group uses, whatever its z-score.
pub fn compare(counts: &Counts, scope: &Scope, settings: &Settings) -> Vec<WordRow> {
    let names = counts.groups();
    let mut order: Vec<usize> = (0..names.len()).collect();
    order.sort_by(|&a, &b| names[a].cmp(&names[b]));
    let mut largest = order.clone();
    largest.sort_by_key(|&g| Reverse(words(counts, g)));
    largest.truncate(settings.max_pairs_of);

    let mut pairs: Vec<(usize, Option<usize>)> = Vec::new();
    if names.len() > 1 {
        pairs.extend(order.iter().map(|&g| (g, None)));
    }
    // Where there are two groups, the rest is the other one.
    if names.len() > 2 {
        let in_pairs = |g: &&usize| largest.contains(g);
        for &a in order.iter().filter(in_pairs) {
            let others = order.iter().filter(in_pairs).filter(|&&b| b != a);
            pairs.extend(others.map(|&b| (a, Some(b))));
        }
    }
    pairs.into_par_iter().flat_map_iter(|(a, b)| pair(counts, scope, settings, a, b)).collect()
}

/// Occurrences of the terms of a group.
fn words(counts: &Counts, group: usize) -> u64 {
    counts.terms().iter().map(|t| t.of(group).count).sum()
}

fn pair(
    counts: &Counts,
    scope: &Scope,
    settings: &Settings,
    outlet: usize,
    against: Option<usize>,
) -> Vec<WordRow> {
    let naming = matches!(scope, Scope::Naming { .. });
    let mut found: Vec<(f64, f64, &Counted)> = counts
        .terms()
        .iter()
        .filter(|t| naming || t.all().count >= u64::from(settings.least))
        .filter(|t| t.of(outlet).count > 0)
        .filter_map(|term| {
            let mine = counts.usage(term, outlet);
            let theirs = match against {
                Some(other) => counts.usage(term, other),
                None => counts.usage_of_all(term) - mine,
            };
            let found = log_odds(mine, theirs, counts.prior(term, settings.prior))?;
            (naming || found.z > 0.0).then_some((found.z, found.difference, term))
        })
        .collect();
    found.sort_by(|a, b| {
        a.2.n_words.cmp(&b.2.n_words).then(b.0.total_cmp(&a.0)).then_with(|| a.2.key.cmp(&b.2.key))
    });
    let name = |g: usize| counts.groups().get(g).cloned().unwrap_or_default();
    let mut rows: Vec<WordRow> = Vec::new();
    let mut same = (0, 0);
    for (z, log_odds, term) in found {
        same = if same.0 == term.n_words { (same.0, same.1 + 1) } else { (term.n_words, 1) };
        if same.1 > settings.most {
            continue;
        }
        let mine = term.of(outlet);
        let (count_rest, n_articles_rest) = match against.map(|other| term.of(other)) {
            Some(theirs) => (theirs.count, theirs.n_articles),
            None => (term.all().count - mine.count, term.all().n_articles - mine.n_articles),
        };
        rows.push(WordRow {
            outlet: name(outlet),
            against: against.map(name),
            scope: scope.clone(),
            term: term.written().to_owned(),
            n_words: if naming { term.key.split_whitespace().count() } else { term.n_words } as u64,
            count: mine.count,
            count_rest,
            n_articles: mine.n_articles,
            n_articles_rest,
            log_odds,
            z,
        });
    }
    rows
}

#[cfg(test)]
mod tests;
