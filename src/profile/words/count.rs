//! Counting terms by group in bounded memory, in two readings of a corpus.
//!
//! Most terms of a corpus occur once or twice and are never compared, but they fill the
//! memory. So a first reading takes a [`Census`] under 12 bytes a term, and only what occurs
//! often enough is counted by group and article in the second ([`Counts`]). Where even the
//! census would grow too large it forgets the rarest terms (lossy counting: Manku & Motwani
//! 2002) and knows how often a forgotten term can have occurred.

use std::collections::HashMap;
use std::hash::{BuildHasherDefault, DefaultHasher, Hash, Hasher};

use super::log_odds::{Prior, Usage};

/// Which terms occur often enough to be counted.
#[derive(Debug, Clone)]
pub struct Census {
    /// By the term's hash, how often it occurs at most.
    seen: HashMap<u64, u32, BuildHasherDefault<Identity>>,
    most: usize,
    /// Terms that were forgotten occurred at most so often until then.
    floor: u32,
}

impl Census {
    /// An empty census that holds at most `most` terms at a time.
    pub fn new(most: usize) -> Self {
        Census { seen: HashMap::default(), most: most.max(1), floor: 0 }
    }

    /// Counts a term.
    pub fn add(&mut self, term: &str) {
        *self.seen.entry(hash(term)).or_insert(self.floor) += 1;
        while self.seen.len() > self.most {
            self.floor += 1;
            let floor = self.floor;
            self.seen.retain(|_, count| *count > floor);
        }
    }

    /// Keeps the terms that may occur at least `least` times.
    pub fn finish(mut self, least: u32) -> Vocabulary {
        self.seen.retain(|_, count| *count >= least);
        self.seen.shrink_to_fit();
        Vocabulary { kept: self.seen, floor: self.floor }
    }
}

/// The terms that are counted.
#[derive(Debug, Clone)]
pub struct Vocabulary {
    kept: HashMap<u64, u32, BuildHasherDefault<Identity>>,
    floor: u32,
}

impl Vocabulary {
    /// A term that is missing occurs at most so often, or less than was asked for.
    pub fn floor(&self) -> u32 {
        self.floor
    }
}

fn hash(term: &str) -> u64 {
    let mut hasher = DefaultHasher::new();
    term.hash(&mut hasher);
    hasher.finish()
}

/// The keys are hashes already.
#[derive(Debug, Clone, Default)]
struct Identity(u64);

impl Hasher for Identity {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        self.0 = bytes.iter().fold(self.0, |h, &b| h.rotate_left(8) ^ u64::from(b));
    }

    fn write_u64(&mut self, hash: u64) {
        self.0 = hash;
    }
}

/// Occurrences of a term in a group.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Cell {
    /// Occurrences.
    pub count: u64,
    /// Articles of the group that hold it.
    pub n_articles: u64,
    /// The last article counted.
    last: u64,
}

impl Cell {
    fn add(&mut self, article: u64) {
        self.count += 1;
        if self.last != article {
            self.last = article;
            self.n_articles += 1;
        }
    }
}

/// A term that was counted.
#[derive(Debug, Clone)]
pub struct Counted {
    /// The form under which it is counted.
    pub key: String,
    /// Number of words; terms of the same number are compared with each other.
    pub n_words: usize,
    /// The groups that use it, by their numbers, and how often they do.
    cells: Vec<(usize, Cell)>,
    /// All groups together.
    all: Cell,
    /// The spelling that more than half of its occurrences have, if there is one (majority
    /// vote: Boyer & Moore 1991), and its lead.
    spelling: (String, u32),
}

impl Counted {
    /// The term as it is mostly written.
    pub fn written(&self) -> &str {
        if self.spelling.0.is_empty() { &self.key } else { &self.spelling.0 }
    }

    fn vote(&mut self, spelling: Option<&str>) {
        let Some(spelling) = spelling else { return };
        match &mut self.spelling {
            (leader, votes) if leader == spelling => *votes = votes.saturating_add(1),
            (leader, 0) => {
                leader.clear();
                leader.push_str(spelling);
                self.spelling.1 = 1;
            }
            (_, votes) => *votes -= 1,
        }
    }

    /// All groups together.
    pub fn all(&self) -> Cell {
        self.all
    }

    /// A group, by its number.
    pub fn of(&self, group: usize) -> Cell {
        let at = self.cells.binary_search_by_key(&group, |(g, _)| *g);
        at.ok().and_then(|i| self.cells.get(i)).map(|(_, cell)| *cell).unwrap_or_default()
    }
}

/// Occurrences of terms by group.
#[derive(Debug, Clone)]
pub struct Counts {
    vocabulary: Vocabulary,
    groups: Vec<String>,
    group_numbers: HashMap<String, usize>,
    terms: Vec<Counted>,
    term_numbers: HashMap<String, usize>,
    /// By number of words and group, occurrences of all terms, those not kept among them.
    totals: Vec<Vec<u64>>,
    /// By number of words.
    all_totals: Vec<u64>,
    /// The group and id of the article that is being counted, and its number.
    article: (usize, String),
    n_articles: u64,
}

impl Counts {
    /// Starts counting the terms of a vocabulary.
    pub fn new(vocabulary: Vocabulary) -> Self {
        Counts {
            vocabulary,
            groups: Vec::new(),
            group_numbers: HashMap::new(),
            terms: Vec::new(),
            term_numbers: HashMap::new(),
            totals: Vec::new(),
            all_totals: Vec::new(),
            article: (0, String::new()),
            n_articles: 0,
        }
    }

    /// Goes to an article of a group. The terms of an article are counted one after the other.
    pub fn article(&mut self, group: &str, id: &str) {
        let group = match self.group_numbers.get(group) {
            Some(&number) => number,
            None => {
                self.group_numbers.insert(group.to_owned(), self.groups.len());
                self.groups.push(group.to_owned());
                self.groups.len() - 1
            }
        };
        if self.n_articles == 0 || self.article.0 != group || self.article.1 != id {
            self.article = (group, id.to_owned());
            self.n_articles += 1;
        }
    }

    /// Counts a term of `n_words` words in the article. `written`: how it stands there, where
    /// that is worth showing; `listed`: whether it is to be compared, and not only part of the total.
    pub fn add(&mut self, key: &str, n_words: usize, written: Option<&str>, listed: bool) {
        let group = self.article.0;
        if self.totals.len() <= n_words {
            self.totals.resize(n_words + 1, Vec::new());
            self.all_totals.resize(n_words + 1, 0);
        }
        self.all_totals[n_words] += 1;
        let totals = &mut self.totals[n_words];
        if totals.len() <= group {
            totals.resize(group + 1, 0);
        }
        totals[group] += 1;
        if !listed || !self.vocabulary.kept.contains_key(&hash(key)) {
            return;
        }
        let number = match self.term_numbers.get(key) {
            Some(&number) => number,
            None => {
                let term = Counted {
                    key: key.to_owned(),
                    n_words,
                    cells: Vec::new(),
                    all: Cell::default(),
                    spelling: (String::new(), 0),
                };
                self.term_numbers.insert(key.to_owned(), self.terms.len());
                self.terms.push(term);
                self.terms.len() - 1
            }
        };
        let term = &mut self.terms[number];
        let at = match term.cells.binary_search_by_key(&group, |(g, _)| *g) {
            Ok(at) => at,
            Err(at) => {
                term.cells.insert(at, (group, Cell::default()));
                at
            }
        };
        term.all.add(self.n_articles);
        term.cells[at].1.add(self.n_articles);
        term.vote(written);
    }

    /// The groups.
    pub fn groups(&self) -> &[String] {
        &self.groups
    }

    /// The terms counted, those too rare after all among them.
    pub fn terms(&self) -> &[Counted] {
        &self.terms
    }

    /// The vocabulary.
    pub fn vocabulary(&self) -> &Vocabulary {
        &self.vocabulary
    }

    /// Occurrences in a group of a term, and of all terms of as many words.
    pub fn usage(&self, term: &Counted, group: usize) -> Usage {
        let total = self.totals.get(term.n_words).and_then(|t| t.get(group)).copied();
        Usage { count: term.of(group).count as f64, total: total.unwrap_or_default() as f64 }
    }

    /// The same of all groups together.
    pub fn usage_of_all(&self, term: &Counted) -> Usage {
        let total = self.all_totals.get(term.n_words).copied().unwrap_or_default();
        Usage { count: term.all.count as f64, total: total as f64 }
    }

    /// The prior that the whole corpus makes: its counts, scaled to `strength` occurrences of
    /// all terms (`None`: as many as the corpus has).
    pub fn prior(&self, term: &Counted, strength: Option<f64>) -> Prior {
        let Usage { count, total } = self.usage_of_all(term);
        let scale = strength.map_or(1.0, |s| s / total.max(1.0));
        Prior { count: count * scale, total: total * scale }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn counts_by_group_and_article() {
        let mut census = Census::new(100);
        for term in ["dam", "dam", "dam", "gate"] {
            census.add(term);
        }
        let mut counts = Counts::new(census.finish(2));
        for (group, article, term, written) in [
            ("a", "1", "dam", Some("Dam")),
            ("a", "1", "dam", Some("dam")),
            ("b", "1", "dam", Some("dam")),
            ("a", "2", "gate", None),
        ] {
            counts.article(group, article);
            counts.add(term, 1, written, true);
        }
        assert_eq!(counts.terms().len(), 1, "gate is too rare");
        let dam = &counts.terms()[0];
        assert_eq!(dam.written(), "dam");
        let cells = [dam.of(0), dam.of(1), dam.of(7), dam.all()].map(|c| (c.count, c.n_articles));
        assert_eq!(cells, [(2, 1), (1, 1), (0, 0), (3, 2)]);
        assert_eq!(counts.usage(dam, 0), Usage { count: 2.0, total: 3.0 });
        assert_eq!(counts.prior(dam, Some(8.0)), Prior { count: 6.0, total: 8.0 });
    }

    proptest! {
        #[test]
        fn no_frequent_term_is_forgotten(terms in prop::collection::vec(0u8..40, 0..400), most in 3usize..50) {
            let mut census = Census::new(most);
            let mut exact = [0u32; 40];
            for term in &terms {
                census.add(&term.to_string());
                exact[usize::from(*term)] += 1;
            }
            let vocabulary = census.finish(5);
            for (term, &n) in exact.iter().enumerate() {
                let kept = vocabulary.kept.contains_key(&hash(&term.to_string()));
                prop_assert!(kept || n < 5 || n <= vocabulary.floor());
            }
        }
    }
}
