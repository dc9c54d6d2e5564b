//! The groups of an event: from scored pairs to members, their representative and what
//! they differ in.

use std::collections::{BTreeMap, BTreeSet};

use rayon::prelude::*;

use super::candidates::candidates;
use super::cluster::by_agreement;
use super::context::{Reader, covered};
use super::cues::Cues;
use super::denials::denials;
use super::events::{Article, Event};
use super::score::{IS_QUOTED, Measures, Score};
use super::units::{Read, Unit, units};
use super::vocabulary::{Term, Vocabulary};
use super::weights::{Centred, Weights};
use super::whole::whole_quotations;
use super::words::Kind;
use super::{
    Clause, Contested, Group, GroupKind, MeasuredPair, Member, Sentence, Side, facts, marks,
};
use crate::error::Result;

/// Likeness below which a pair counts as 0.
const FLOOR: f32 = 0.1;
/// Likeness at first sight from which on the words of a pair are read in context.
const LOOK_AGAIN: f32 = 0.15;
/// Likeness to the representative that a member must have, as a share of the bound on
/// whole groups.
const TO_REPRESENTATIVE: f32 = 0.85;
/// How much more a clause that is a whole sentence counts where one is chosen to speak for all.
const WHOLE: f32 = 1.2;
/// How far above the bound two clauses that make a group by themselves must be alike, as a share of
/// the way to 1: no third one bears them out. Of such pairs of newswcl50 close to the bound six in
/// ten were judged right, of others there four in five.
const LONE_PAIR: f32 = 0.1;

/// What groups are made from.
pub(super) struct Corpus<'a> {
    pub sentences: &'a [Sentence],
    pub reads: &'a [Read],
    pub vocabulary: &'a Vocabulary,
    pub articles: &'a [Article],
    pub cues: &'a Cues,
    /// Reads words in context, where the model can.
    pub reader: Option<Reader<'a>>,
    /// Likeness from which on a pair counts for being in one group, and below which against it.
    pub bound: f32,
}

/// The groups of one event, not yet numbered.
///
/// # Errors
/// If words cannot be read in context.
pub(super) fn of_event(event: &Event, corpus: &Corpus) -> Result<Vec<Group>> {
    let (sentences, outlets) = covering(event, corpus);
    if outlets.len() < 2 {
        return Ok(Vec::new());
    }
    let units = clauses(&sentences, corpus);
    let mut scores: Scores = measures(&units, &sentences, corpus)?
        .into_iter()
        .map(|(pair, measures)| (pair, measures.score()))
        .filter(|(_, score)| score.value >= FLOOR)
        .collect();
    with_what_they_deny(&mut scores, &units, corpus);
    let edges: Vec<(usize, usize, f32)> =
        scores.iter().map(|(&(a, b), s)| (a, b, s.value)).collect();
    let clusters = by_agreement(units.len(), &edges, corpus.bound).into_iter();
    let groups = clusters
        .filter(|cluster| cluster.len() > 1)
        .filter_map(|cluster| group(&cluster, &units, &scores, event, &outlets, corpus));
    Ok(whole_quotations(groups.collect()))
}

/// Lets denials that do not say what they deny be like what their antecedents are like.
fn with_what_they_deny(scores: &mut Scores, units: &[Unit], corpus: &Corpus) {
    let article = |at: usize| corpus.sentences.get(at).map(|s| &s.key.article_id);
    let found = denials(units, |u| corpus.reads.get(u.sentence), |a, b| article(a) == article(b));
    for (denial, of) in found {
        scores.retain(|&(a, b), _| a != denial && b != denial);
        let like = |(&(a, b), score): (&(usize, usize), &Score)| match (a == of, b == of) {
            (true, _) => Some((b, score.value)),
            (_, true) => Some((a, score.value)),
            _ => None,
        };
        let its: Vec<(usize, f32)> = scores.iter().filter_map(like).chain([(of, 1.0)]).collect();
        for (other, value) in its {
            let score = Score { value, quotation: false };
            scores.insert((denial.min(other), denial.max(other)), score);
        }
    }
}

/// What is measured on the pairs of one event.
///
/// # Errors
/// If words cannot be read in context.
pub(super) fn measured(event: &Event, corpus: &Corpus) -> Result<Vec<MeasuredPair>> {
    let (sentences, outlets) = covering(event, corpus);
    if outlets.len() < 2 {
        return Ok(Vec::new());
    }
    let units = clauses(&sentences, corpus);
    let clause = |at: usize| {
        let unit = units.get(at)?;
        let sentence = corpus.sentences.get(unit.sentence)?.key.clone();
        Some(Clause { sentence, span: unit.span.clone() })
    };
    let pairs = measures(&units, &sentences, corpus)?.into_iter();
    let pairs = pairs.filter_map(|((a, b), measures)| {
        Some(MeasuredPair { a: clause(a)?, b: clause(b)?, measures: measures.named() })
    });
    Ok(pairs.collect())
}

/// The sentences of an event, by their places, and its outlets.
fn covering<'a>(event: &Event, corpus: &Corpus<'a>) -> (Vec<usize>, BTreeSet<&'a str>) {
    let articles = || event.articles.iter().filter_map(|&i| corpus.articles.get(i));
    let sentences = articles().flat_map(|a| a.sentences.iter().copied()).collect();
    (sentences, articles().map(|a| a.outlet.as_str()).collect())
}

/// The clauses of some sentences, ready to be compared.
fn clauses(sentences: &[usize], corpus: &Corpus) -> Vec<Unit> {
    let weights = Weights::new(sentences, corpus);
    let of_sentence = |&at: &usize| {
        Some(units(at, corpus.reads.get(at)?, corpus.vocabulary, &|term| weights.of(term)))
    };
    let mut units: Vec<Unit> = sentences.iter().filter_map(of_sentence).flatten().collect();
    let terms: BTreeSet<Term> = sentences
        .iter()
        .filter_map(|&i| corpus.reads.get(i))
        .flat_map(|read| read.terms.iter().copied())
        .filter(|&t| corpus.vocabulary.kind(t) != Kind::Function)
        .collect();
    let near = corpus.vocabulary.near(&Vec::from_iter(terms));
    units.par_iter_mut().for_each(|unit| unit.set_reach(&near));
    units
}

/// By pair of units.
type Scores = BTreeMap<(usize, usize), Score>;
type PairMeasures = ((usize, usize), Measures);

/// Compares the units that are worth it, and those that may be the same once more in context.
fn measures(units: &[Unit], sentences: &[usize], corpus: &Corpus) -> Result<Vec<PairMeasures>> {
    let centred = Centred::new(sentences, corpus);
    let mut pairs: Vec<PairMeasures> = candidates(units)
        .into_par_iter()
        .filter_map(|(i, j)| {
            let (a, b) = (units.get(i)?, units.get(j)?);
            let cosine = centred.cosine(a.sentence, b.sentence);
            Some(((i, j), Measures::new(a, b, cosine, corpus.vocabulary)))
        })
        .collect();
    if let Some(reader) = &corpus.reader {
        let promising = pairs.iter().filter(|(_, m)| m.score().value >= LOOK_AGAIN);
        let wanted: BTreeSet<usize> = promising.flat_map(|((i, j), _)| [*i, *j]).collect();
        let read = reader.read(units, &wanted, corpus.sentences, corpus.reads)?;
        pairs.par_iter_mut().for_each(|((i, j), measures)| {
            if let (Some(a), Some(b)) = (read.get(i), read.get(j)) {
                (measures.covered_more, measures.covered_less) = covered(a, b);
                measures.meant = a.cosine(b);
            }
        });
    }
    Ok(pairs)
}

/// A cluster of units as a group; `None` if fewer than two outlets are left in it.
fn group(
    cluster: &[usize],
    units: &[Unit],
    scores: &Scores,
    event: &Event,
    outlets: &BTreeSet<&str>,
    corpus: &Corpus,
) -> Option<Group> {
    let between = |a: usize, b: usize| scores.get(&(a.min(b), a.max(b)));
    let value = |a: usize, b: usize| between(a, b).map_or(0.0, |s| s.value);
    let outlet = |u: usize| {
        let unit = units.get(u)?;
        Some(corpus.sentences.get(unit.sentence)?.outlet.as_str())
    };
    // The unit that is nearest to those of other outlets speaks for all; rather one that is a whole
    // sentence, for it heads the group.
    let whole = |u: usize| {
        let unit = units.get(u)?;
        Some(unit.words.len() == corpus.reads.get(unit.sentence)?.words.len())
    };
    let centre = |&a: &usize| -> f32 {
        let others = cluster.iter().filter(|&&b| outlet(a) != outlet(b));
        let near: f32 = others.map(|&b| value(a, b)).sum();
        if whole(a) == Some(true) { WHOLE * near } else { near }
    };
    let representative = cluster
        .iter()
        .copied()
        .reduce(|best, next| if centre(&next) > centre(&best) { next } else { best })?;
    let mut of_sentence: BTreeMap<usize, (usize, f32)> = BTreeMap::new();
    for &u in cluster {
        let likeness = if u == representative { 1.0 } else { value(representative, u) };
        let sentence = units.get(u)?.sentence;
        let kept = of_sentence.get(&sentence).is_none_or(|(_, other)| likeness > *other);
        if likeness >= TO_REPRESENTATIVE * corpus.bound && kept {
            of_sentence.insert(sentence, (u, likeness));
        }
    }
    let mut chosen: Vec<(usize, f32)> = of_sentence.into_values().collect();
    chosen.sort_by_cached_key(|(u, _)| {
        let sentence = units.get(*u).and_then(|unit| corpus.sentences.get(unit.sentence));
        sentence.map(|s| (s.outlet.clone(), s.key.clone()))
    });
    let carriers: BTreeSet<&str> = chosen.iter().filter_map(|(u, _)| outlet(*u)).collect();
    let lone = corpus.bound + LONE_PAIR * (1.0 - corpus.bound);
    if carriers.len() < 2 || chosen.len() == 2 && chosen.iter().any(|(_, like)| *like < lone) {
        return None;
    }
    // One quotation: two outlets quote it, and half of the members have its words.
    let same_words =
        |u: usize| u == representative || between(representative, u).is_some_and(|s| s.quotation);
    let alike = chosen.iter().filter(|(u, _)| same_words(*u));
    let quotes = |u: usize| units.get(u).is_some_and(|u| u.quoted >= IS_QUOTED);
    let quoting: BTreeSet<&str> =
        alike.clone().filter(|(u, _)| quotes(*u)).filter_map(|(u, _)| outlet(*u)).collect();
    let kind = if quoting.len() > 1 && alike.count() * 2 > chosen.len() {
        GroupKind::Quotation
    } else {
        GroupKind::Claim
    };
    let of: Vec<&Unit> = chosen.iter().filter_map(|(u, _)| units.get(*u)).collect();
    let marks = marks::marks(&of, corpus);
    let members: Vec<Member> = of
        .iter()
        .zip(&chosen)
        .zip(marks)
        .filter_map(|((unit, (_, similarity)), marks)| {
            let sentence = corpus.sentences.get(unit.sentence)?;
            Some(Member {
                sentence: sentence.key.clone(),
                outlet: sentence.outlet.clone(),
                span: unit.span.clone(),
                similarity: *similarity,
                marks,
            })
        })
        .collect();
    let absent = outlets.iter().filter(|o| !carriers.contains(*o)).map(|o| (*o).to_owned());
    Some(Group {
        id: 0,
        event: Some(event.name.clone()),
        kind,
        representative: chosen.iter().position(|(u, _)| *u == representative)?,
        absent: absent.collect(),
        contested: contested(&of, corpus),
        differing: facts::differing(&of, corpus),
        members,
    })
}

/// The two sides, where an outlet passes on what another holds off.
fn contested(units: &[&Unit], corpus: &Corpus) -> Option<Contested> {
    let on = |side: Side| -> Vec<usize> {
        let stands = |u: &Unit| corpus.sentences.get(u.sentence).and_then(|s| s.side);
        units.iter().enumerate().filter(|(_, u)| stands(u) == Some(side)).map(|(i, _)| i).collect()
    };
    let outlet = |i: &usize| {
        let unit = units.get(*i)?;
        Some(corpus.sentences.get(unit.sentence)?.outlet.as_str())
    };
    let (passed_on, held_off) = (on(Side::PassedOn), on(Side::HeldOff));
    let two = passed_on.iter().any(|a| held_off.iter().any(|b| outlet(a) != outlet(b)));
    two.then_some(Contested { passed_on, held_off })
}
