//! The words in which members of a group differ: how they pass the thing on, whether
//! they hedge it or put it in scare quotes, and what they call it.

use std::collections::BTreeSet;

use super::days;
use super::groups::Corpus;
use super::units::{Read, Unit};
use super::vocabulary::Term;
use super::words::{Kind, Word};
use super::{Mark, MarkKind};

/// A quotation of so many words at most, in a sentence that is not all quotation, is
/// scare quotes (or a title; the words cannot tell).
const SCARE_QUOTE: usize = 3;
/// Words before and after a clause in which its verb of saying may stand.
const AROUND: usize = 10;
/// Likeness from which on two different words name the same thing.
const NAMES_THE_SAME: f32 = 0.2;

/// The marks of each unit of a group, in order.
pub(super) fn marks(units: &[&Unit], corpus: &Corpus) -> Vec<Vec<Mark>> {
    let read = |u: &Unit| corpus.reads.get(u.sentence);
    units
        .iter()
        .map(|unit| {
            let Some(mine) = read(unit) else { return Vec::new() };
            let mut marks = cues(unit, mine, corpus);
            marks.extend(scare_quotes(unit, mine));
            marks.extend(figures(unit, mine));
            let others: Vec<&Unit> =
                units.iter().copied().filter(|o| o.sentence != unit.sentence).collect();
            let taken: Vec<Mark> = marks.clone();
            let free = |m: &Mark| !taken.iter().any(|t| t.start < m.end && m.start < t.end);
            marks.extend(naming(unit, mine, &others, corpus).into_iter().filter(free));
            marks.sort_by_key(|m| (m.start, m.end, m.kind));
            marks
        })
        .collect()
}

fn mark(words: &[Word], first: usize, last: usize, kind: MarkKind) -> Option<Mark> {
    Some(Mark { start: words.get(first)?.start, end: words.get(last)?.end, kind })
}

/// Whether a word belongs to a unit: stands in it.
fn inside(unit: &Unit, word: &Word) -> bool {
    unit.span.start <= word.start && word.end <= unit.span.end
}

fn cues(unit: &Unit, read: &Read, corpus: &Corpus) -> Vec<Mark> {
    let first = read.words.partition_point(|w| w.start < unit.span.start);
    let last = read.words.partition_point(|w| w.end <= unit.span.end);
    // Inside a quotation the speaker's words are not the outlet's.
    let own = |i: usize| read.words.get(i).is_some_and(|w| !read.quoted.covers(w.start, w.end));
    corpus
        .cues
        .find(&read.words)
        .into_iter()
        .filter(|&(a, b, kind)| match kind {
            MarkKind::Hedge => a >= first && b < last,
            _ => a + AROUND >= first && b < last + AROUND,
        })
        .filter(|&(a, _, _)| own(a))
        .filter_map(|(a, b, kind)| mark(&read.words, a, b, kind))
        .collect()
}

fn scare_quotes(unit: &Unit, read: &Read) -> Vec<Mark> {
    let words_in = |start: usize, end: usize| {
        read.words.iter().filter(|w| start <= w.start && w.end <= end).count()
    };
    read.quoted
        .closed()
        .filter(|s| s.start + 1 >= unit.span.start && s.end <= unit.span.end + 1)
        .filter(|s| (1..=SCARE_QUOTE).contains(&words_in(s.start, s.end)))
        .map(|s| Mark { start: s.start, end: s.end, kind: MarkKind::ScareQuote })
        .collect()
}

/// Numbers, without those of dates: what day it was is told under the facts that differ.
fn figures(unit: &Unit, read: &Read) -> Vec<Mark> {
    let number =
        |w: &Word| w.kind == Kind::Number && w.plain.starts_with(|c: char| c.is_ascii_digit());
    let of_date: Vec<usize> = (0..read.words.len())
        .filter_map(|at| days::named(&read.words, at).map(|(_, length)| at..at + length))
        .flatten()
        .collect();
    let with_noun = |i: usize| {
        let next = read.words.get(i + 1).filter(|w| inside(unit, w) && w.kind == Kind::Content);
        if next.is_some() { i + 1 } else { i }
    };
    let numbers = read.words.iter().enumerate().filter(|(i, w)| {
        inside(unit, w) && number(w) && !of_date.contains(i) && !(is_year(w) && with_noun(*i) == *i)
    });
    numbers.filter_map(|(i, _)| mark(&read.words, i, with_noun(i), MarkKind::Figure)).collect()
}

/// Whether a number is written as years are.
fn is_year(word: &Word) -> bool {
    word.plain.len() == 4 && matches!(word.plain.get(..2), Some("19" | "20"))
}

/// Runs of content words that stand where other members put it in other words: at least
/// one word is near a word of another member, and no other member has just this run.
fn naming(unit: &Unit, read: &Read, others: &[&Unit], corpus: &Corpus) -> Vec<Mark> {
    let plain = |i: usize| {
        read.words
            .get(i)
            .is_some_and(|w| inside(unit, w) && w.kind == Kind::Content && !corpus.cues.says(w))
    };
    let theirs: BTreeSet<Term> =
        others.iter().flat_map(|o| o.terms.iter().map(|(t, _)| *t)).collect();
    let near = |i: usize| {
        read.terms.get(i).is_some_and(|&t| {
            !corpus.vocabulary.is_name(t)
                && (theirs.contains(&t) || others.iter().any(|o| o.likeness(t) >= NAMES_THE_SAME))
        })
    };
    let mut marks = Vec::new();
    let mut at = 0;
    while at < read.words.len() {
        if !plain(at) {
            at += 1;
            continue;
        }
        let mut end = at + 1;
        while plain(end) {
            end += 1;
        }
        let run: Vec<Term> = read.terms.get(at..end).unwrap_or_default().to_vec();
        let elsewhere = others.iter().any(|o| {
            let sequence: Vec<Term> = o.sequence.iter().map(|(t, _)| *t).collect();
            sequence.windows(run.len().max(1)).any(|w| w == run)
        });
        if !elsewhere && (at..end).any(near) {
            marks.extend(mark(&read.words, at, end - 1, MarkKind::Naming));
        }
        at = end;
    }
    marks
}
