//! Facts on which members of a group differ: numbers of the same thing, days, places and
//! who acts. Told by the words alone, so it says where to look, not who is right.

use std::collections::{BTreeMap, BTreeSet};

use super::days::{self, Day};
use super::groups::Corpus;
use super::units::{Read, Unit};
use super::vocabulary::Term;
use super::words::{Kind, Word};
use super::{DifferingFact, FactKind};

/// Words after a number among which the noun is that it counts.
const NOUN_WITHIN: usize = 2;
/// Words after *of* among which the verb is that says what a part is: two of the dead *were* guards.
const VERB_WITHIN: usize = 4;
/// Such verbs.
const IS: [&str; 4] = ["is", "are", "was", "were"];
/// Words that begin a relative clause.
const RELATIVE: [&str; 4] = ["who", "which", "that", "whose"];
/// Words that put a second number beside a first.
const JOINS: &[&str] = &["and", "or"];
/// Prepositions that a place follows.
const AT: &[&str] = &["in", "at", "near", "outside", "from"];

/// A fact in a unit: of what sort, about what, as compared and as written.
struct Fact {
    what: FactKind,
    about: String,
    value: String,
    written: String,
    /// What it may be about instead, and as written then: 400 *military vehicles*.
    or: Option<(String, String)>,
}

/// By the value as it is compared: as it was first written, and the units that have it.
type Values = BTreeMap<String, (String, Vec<usize>)>;

/// The facts on which some units differ.
pub(super) fn differing(units: &[&Unit], corpus: &Corpus) -> Vec<DifferingFact> {
    let mut by_topic: BTreeMap<(FactKind, String), Values> = BTreeMap::new();
    for (i, fact) in settled(units, corpus) {
        let values = by_topic.entry((fact.what, fact.about)).or_default();
        let of = &mut values.entry(fact.value).or_insert((fact.written, Vec::new())).1;
        if !of.contains(&i) {
            of.push(i);
        }
    }
    let outlet = |i: &usize| {
        let unit = units.get(*i)?;
        Some(corpus.sentences.get(unit.sentence)?.outlet.as_str())
    };
    // A name that a sentence has anywhere is no news to it.
    let says = |i: &usize, value: &String| {
        let read = units.get(*i).and_then(|unit| corpus.reads.get(unit.sentence));
        read.is_some_and(|read| read.words.iter().any(|w| w.term == *value))
    };
    by_topic
        .into_iter()
        .filter(|((what, _), values)| {
            // Two outlets that have no value in common.
            let pairs = || values.values().flat_map(|(_, of)| of);
            let given = |o: Option<&str>| -> Vec<&String> {
                let has = |of: &Vec<usize>| of.iter().any(|i| outlet(i) == o);
                values.iter().filter(|(_, (_, of))| has(of)).map(|(value, _)| value).collect()
            };
            let named = matches!(what, FactKind::Place | FactKind::Actor);
            pairs().any(|a| {
                pairs().any(|b| {
                    let (mine, theirs) = (given(outlet(a)), given(outlet(b)));
                    outlet(a) != outlet(b)
                        && !mine.iter().any(|v| theirs.contains(v) || (named && says(b, v)))
                        && !(named && theirs.iter().any(|v| says(a, v)))
                })
            })
        })
        .map(|((what, _), values)| DifferingFact { what, values: values.into_values().collect() })
        .collect()
}

/// The facts in the units, numbered as these are. What a number may count instead, it does if another
/// counts just that: beside 412 vehicles, 400 military vehicles are vehicles.
fn settled(units: &[&Unit], corpus: &Corpus) -> Vec<(usize, Fact)> {
    let mut found: Vec<(usize, Fact)> = Vec::new();
    for (i, unit) in units.iter().enumerate() {
        let Some(read) = corpus.reads.get(unit.sentence) else { continue };
        found.extend(facts(unit, read, corpus).into_iter().map(|fact| (i, fact)));
    }
    let numbers = || found.iter().map(|(_, f)| f).filter(|f| f.what == FactKind::Number);
    let counted: BTreeSet<String> = numbers().map(|f| f.about.clone()).collect();
    // Those that the same second word always follows are written with it: 6 border guards, not 6 border.
    let always: BTreeSet<String> = counted
        .iter()
        .filter(|about| {
            let second = |f: &Fact| f.or.as_ref().map(|(noun, _)| noun.clone());
            let of: BTreeSet<_> = numbers().filter(|f| f.about == **about).map(second).collect();
            of.len() == 1
        })
        .cloned()
        .collect();
    for (_, fact) in &mut found {
        match fact.or.take() {
            Some((noun, written)) if counted.contains(&noun) => {
                (fact.about, fact.written) = (noun, written);
            }
            Some((_, written)) if always.contains(&fact.about) => fact.written = written,
            _ => {}
        }
    }
    found
}

fn facts(unit: &Unit, read: &Read, corpus: &Corpus) -> Vec<Fact> {
    let first = read.words.partition_point(|w| w.start < unit.span.start);
    // What a relative clause is about stands before it: 9,500 people who fled.
    let relative = read.words.get(first).is_some_and(|w| RELATIVE.contains(&w.plain.as_str()));
    let first = if relative { first.saturating_sub(NOUN_WITHIN) } else { first };
    let last = read.words.partition_point(|w| w.end <= unit.span.end);
    let words = read.words.get(first..last).unwrap_or_default();
    let terms = read.terms.get(first..last).unwrap_or_default();
    let text = corpus.sentences.get(unit.sentence).map_or("", |s| s.text.as_str());
    let mut found = Vec::new();
    let mut counted: Option<String> = None;
    let mut at = 0;
    while let Some(word) = words.get(at) {
        let before = at.checked_sub(1).and_then(|b| words.get(b));
        if let Some((day, length)) = days::named(words, at) {
            found.push(Fact {
                what: FactKind::Date,
                about: if matches!(day, Day::OfWeek(_)) { "weekday" } else { "day" }.to_owned(),
                value: day.term(),
                written: written(text, words, at, at + length),
                or: None,
            });
            at += length;
            continue;
        }
        if word.kind == Kind::Number && word.term != "1" {
            let nouns = counted_nouns(words, at);
            // 9,500 people in the north and 1,200 in the south: both are people.
            let joined = before.is_some_and(|b| JOINS.contains(&b.plain.as_str()));
            let same = counted.clone().filter(|_| nouns.is_empty() && joined);
            let of = nouns.iter().filter_map(|&i| Some((words.get(i)?.term.clone(), i)));
            let mut of = of.chain(same.map(|about| (about, at)));
            if let Some((about, end)) = of.next() {
                let written = |end: usize| written(text, words, at, end + 1);
                counted = Some(about.clone());
                found.push(Fact {
                    what: FactKind::Number,
                    about,
                    value: word.term.clone(),
                    written: written(end),
                    or: of.next().map(|(noun, end)| (noun, written(end))),
                });
            }
        }
        let place = before.is_some_and(|b| AT.contains(&b.plain.as_str()));
        let name = name_length(words, terms, at, corpus);
        if name > 0 {
            if place || at == 0 {
                found.push(Fact {
                    what: if place { FactKind::Place } else { FactKind::Actor },
                    about: String::new(),
                    value: words.get(at + name - 1).map(|w| w.term.clone()).unwrap_or_default(),
                    written: written(text, words, at, at + name),
                    or: None,
                });
            }
            at += name;
            continue;
        }
        at += 1;
    }
    found
}

/// Where the noun stands that the number at `at` counts, and the word after it if that may be the
/// noun instead: 400 *military vehicles*.
fn counted_nouns(words: &[Word], at: usize) -> Vec<usize> {
    let is =
        |i: usize, list: &[&str]| words.get(i).is_some_and(|w| list.contains(&w.plain.as_str()));
    let noun = |i: &usize| words.get(*i).is_some_and(|w| w.kind == Kind::Content && !w.capital);
    // Two of the dead were guards.
    let verb = (at + 3..=at + 1 + VERB_WITHIN).find(|&i| is(at + 1, &["of"]) && is(i, &IS));
    let from = verb.unwrap_or(at);
    let first = (from + 1..=from + NOUN_WITHIN).find(noun);
    first.into_iter().chain(first.map(|i| i + 1).filter(noun)).collect()
}

/// Words of a name that begins at `at`.
fn name_length(words: &[Word], terms: &[Term], at: usize, corpus: &Corpus) -> usize {
    let name = |i: usize| {
        words.get(i).is_some_and(|w| w.capital && w.kind == Kind::Content)
            && terms.get(i).is_some_and(|&t| corpus.vocabulary.is_name(t))
    };
    (at..words.len()).take_while(|&i| name(i)).count()
}

/// The words from `from` to `to` of `text` as they would be written.
fn written(text: &str, words: &[Word], from: usize, to: usize) -> String {
    let slice = words.get(from..to).unwrap_or_default();
    let form = |w: &Word| match (w.kind, w.capital) {
        (Kind::Number, _) => grouped(&w.term),
        (_, true) => text.chars().skip(w.start).take(w.end - w.start).collect(),
        _ => w.plain.clone(),
    };
    slice.iter().map(form).collect::<Vec<String>>().join(" ")
}

/// A number with its thousands set apart.
fn grouped(number: &str) -> String {
    if number.len() < 5 || !number.chars().all(|c| c.is_ascii_digit()) {
        return number.to_owned();
    }
    let mut out = String::new();
    for (i, c) in number.chars().enumerate() {
        if i > 0 && (number.len() - i).is_multiple_of(3) {
            out.push(',');
        }
        out.push(c);
    }
    out
}
