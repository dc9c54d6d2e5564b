//! Events: articles that cover one occurrence. Given by the corpus, or found: articles a
//! few days apart at most that share rare words.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use super::cluster::average_linkage;
use super::vocabulary::{Term, Vocabulary};

/// Days between two articles on one event at most.
const DAYS: i64 = 3;
/// Mean cosine of the articles' weighted terms from which on they cover one event.
const BOUND: f32 = 0.16;
/// Terms of an article that are compared: its heaviest.
const TERMS: usize = 60;
/// Of these, so many lead to other articles …
const PROBES: usize = 25;
/// … unless so many articles have the term.
const MOST_ARTICLES: usize = 400;
/// A corpus of fewer articles is weighted as if it had so many: in a handful of articles
/// on one event the words that all of them use are what puts them together.
const SMALL: usize = 200;
/// Words in a found event's name.
const NAMED_BY: usize = 3;

/// An article as events are found by it.
#[derive(Debug, Default)]
pub(super) struct Article {
    pub outlet: String,
    pub given: Option<String>,
    /// Days since some day.
    pub day: Option<i64>,
    pub date: Option<String>,
    /// Its sentences, by their place in the corpus.
    pub sentences: Vec<usize>,
    /// How often it uses each term.
    pub terms: BTreeMap<Term, u32>,
}

/// Articles that cover one event.
#[derive(Debug, PartialEq)]
pub(super) struct Event {
    /// As given, or the first day and the words that set its articles apart.
    pub name: String,
    /// Articles, by their place in the list.
    pub articles: Vec<usize>,
}

/// The events of some articles; those that one outlet alone covers are left out.
pub(super) fn events(articles: &[Article], vocabulary: &Vocabulary) -> Vec<Event> {
    let mut given: BTreeMap<&str, Vec<usize>> = BTreeMap::new();
    let mut free = Vec::new();
    for (i, article) in articles.iter().enumerate() {
        match &article.given {
            Some(event) => given.entry(event).or_default().push(i),
            None => free.push(i),
        }
    }
    let several = |of: &[usize]| {
        let outlets: BTreeSet<&str> =
            of.iter().filter_map(|&i| articles.get(i)).map(|a| a.outlet.as_str()).collect();
        outlets.len() > 1
    };
    let given = given.into_iter().map(|(name, of)| Event { name: name.to_owned(), articles: of });
    let mut all: Vec<Event> = given.chain(found(articles, &free, vocabulary)).collect();
    all.retain(|event| several(&event.articles));
    all
}

fn found(articles: &[Article], free: &[usize], vocabulary: &Vocabulary) -> Vec<Event> {
    let of = |i: usize| free.get(i).and_then(|&at| articles.get(at));
    let mut frequency: HashMap<Term, usize> = HashMap::new();
    for term in (0..free.len()).filter_map(of).flat_map(|a| a.terms.keys()) {
        *frequency.entry(*term).or_default() += 1;
    }
    let n = free.len().max(SMALL) as f32;
    let weighted: Vec<Vec<(Term, f32)>> = (0..free.len())
        .map(|i| of(i).map_or_else(Vec::new, |a| heaviest(a, &frequency, n)))
        .collect();
    let mut postings: HashMap<Term, Vec<usize>> = HashMap::new();
    let mut edges = Vec::new();
    for (i, terms) in weighted.iter().enumerate() {
        let probes = || {
            let frequent = |t: Term| frequency.get(&t).copied().unwrap_or(0) > MOST_ARTICLES;
            terms.iter().filter(move |(t, _)| !frequent(*t)).take(PROBES)
        };
        let near: BTreeSet<usize> = probes()
            .filter_map(|(term, _)| postings.get(term))
            .flatten()
            .copied()
            .filter(|&j| match (of(i).and_then(|a| a.day), of(j).and_then(|a| a.day)) {
                (Some(a), Some(b)) => (a - b).abs() <= DAYS,
                _ => true,
            })
            .collect();
        let mine: HashMap<Term, f32> = terms.iter().copied().collect();
        for j in near {
            let theirs = weighted.get(j).into_iter().flatten();
            let cosine: f32 = theirs.filter_map(|(term, w)| Some(w * mine.get(term)?)).sum();
            if cosine > BOUND / 2.0 {
                edges.push((j, i, cosine));
            }
        }
        for (term, _) in probes() {
            postings.entry(*term).or_default().push(i);
        }
    }
    average_linkage(free.len(), &edges, BOUND)
        .into_iter()
        .filter(|cluster| cluster.len() > 1)
        .map(|cluster| {
            let name = name(articles, free, &cluster, &weighted, vocabulary);
            let articles = cluster.iter().filter_map(|&i| free.get(i)).copied().collect();
            Event { name, articles }
        })
        .collect()
}

/// The heaviest terms of an article as a unit vector, heaviest first.
fn heaviest(article: &Article, frequency: &HashMap<Term, usize>, n: f32) -> Vec<(Term, f32)> {
    let weight = |(&term, &count): (&Term, &u32)| {
        let articles = frequency.get(&term).copied().unwrap_or(1) as f32;
        (term, (1.0 + (count as f32).ln()) * ((n + 1.0) / articles).ln())
    };
    let mut terms: Vec<(Term, f32)> = article.terms.iter().map(weight).collect();
    terms.sort_by(|a, b| b.1.total_cmp(&a.1).then(a.0.cmp(&b.0)));
    terms.truncate(TERMS);
    let norm = terms.iter().map(|(_, w)| w * w).sum::<f32>().sqrt().max(1e-6);
    terms.iter_mut().for_each(|(_, w)| *w /= norm);
    terms
}

/// The first day and the words that weigh most in all articles together.
fn name(
    articles: &[Article],
    free: &[usize],
    cluster: &[usize],
    weighted: &[Vec<(Term, f32)>],
    vocabulary: &Vocabulary,
) -> String {
    let mut sums: BTreeMap<Term, f32> = BTreeMap::new();
    for (term, weight) in cluster.iter().filter_map(|&i| weighted.get(i)).flatten() {
        *sums.entry(*term).or_default() += weight;
    }
    let mut sums: Vec<(Term, f32)> = sums.into_iter().collect();
    sums.sort_by(|a, b| b.1.total_cmp(&a.1).then(a.0.cmp(&b.0)));
    let words: Vec<&str> =
        sums.iter().take(NAMED_BY).map(|(term, _)| vocabulary.form(*term)).collect();
    let date = cluster
        .iter()
        .filter_map(|&i| articles.get(*free.get(i)?)?.date.as_deref())
        .min()
        .map_or(String::new(), |day| format!("{day} "));
    format!("{date}{}", words.join(" "))
}
