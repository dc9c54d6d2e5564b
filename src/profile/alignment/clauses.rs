//! Clauses: a sentence that reports several things is cut where one report ends and the
//! next begins, and the words that only say who speaks are set apart.
//!
//! No parser is used. The cuts are those that can be told from the words themselves:
//! strong punctuation, long quotations, relative and adverbial clauses, the complement of
//! a verb of saying, and the verb of saying that trails after a quotation. What two commas set
//! off, *the vote, held for the closest in years, is on Monday*, is a report of its own, and
//! the clause that it stands in goes on behind it (supplements: Huddleston and Pullum 2002,
//! chapter 15).

use std::ops::Range;

use super::quoted::Quoted;
use super::supplements::supplements;
use super::words::{Kind, Word};

/// A clause with fewer content words is no report of its own and goes to its neighbour.
const LEAST_CONTENT: usize = 3;
/// A reporting clause that trails after what was said has at most so many words.
const LONGEST_TRAIL: usize = 14;
/// A quotation of fewer words than this is part of the clause that it stands in.
const LEAST_QUOTED: usize = 4;

/// Words that begin a clause of their own.
#[rustfmt::skip]
const OPENERS: &[&str] = &[
    "after", "ahead", "although", "amid", "because", "before", "but", "claiming", "despite",
    "following", "if", "insisting", "noting", "saying", "since", "stating", "telling", "though",
    "unless", "until", "warning", "whereas", "which", "while", "who", "whose", "adding", "arguing",
    "alleging", "asserting", "calling", "promising",
];
/// Words that do so after a comma only.
const OPENERS_AFTER_COMMA: &[&str] = &["and", "as", "or", "so", "when", "where", "with"];
/// What follows *and* where it joins clauses and not things.
#[rustfmt::skip]
const SUBJECTS: &[&str] = &[
    "he", "i", "it", "she", "that", "there", "they", "this", "we", "will", "would", "is", "are",
    "was", "were", "has", "have", "had", "could", "can", "should", "must",
];
/// Adverbs and the like between a verb of saying and what is said: nothing is cut there.
#[rustfmt::skip]
const AFTER_VERB: &[&str] = &[
    "about", "after", "at", "by", "during", "for", "from", "in", "of", "on", "to", "with", "him",
    "her", "them", "us", "me", "it", "earlier", "later", "late", "early", "reporters",
    "journalists", "monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday",
    "yesterday", "today",
];

/// How verbs begin whose object is what is done, and not what is said.
const REJECTS: &[&str] = &["dismiss", "reject"];

/// A clause, as places of its sentence's words.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Extent {
    /// From its first word to its last.
    pub words: Range<usize>,
    /// What stands within and is a clause of its own.
    pub without: Vec<Range<usize>>,
}

/// Cuts a sentence into clauses, in the order of their first words. They do not overlap, but for
/// supplements, which stand within others. What only says who speaks is in none of them.
pub(super) fn clauses(
    text: &[char],
    words: &[Word],
    quoted: &Quoted,
    says: &dyn Fn(&Word) -> bool,
) -> Vec<Extent> {
    let supplements = supplements(text, words, quoted, says);
    let inside = |i: &usize| supplements.iter().any(|s| s.start <= *i && *i <= s.end);
    let mut cuts: Vec<usize> = (1..words.len())
        .filter(|&i| cut_before(text, words, i, says))
        .chain(quoted.spans().iter().flat_map(|span| edges(words, span)))
        .filter(|i| !inside(i))
        .chain([0, words.len()])
        .collect();
    cuts.sort_unstable();
    cuts.dedup();
    let pieces = cuts.windows(2).filter_map(|w| match w {
        [a, b] => Some(*a..*b),
        _ => None,
    });
    let pieces: Vec<Range<usize>> =
        pieces.filter(|piece| !only_says(words, piece, quoted, says)).collect();
    let hosts = joined(words, pieces).into_iter().map(|words| {
        let within = |s: &&Range<usize>| words.start <= s.start && s.end <= words.end;
        Extent { without: supplements.iter().filter(within).cloned().collect(), words }
    });
    let own = supplements.iter().map(|s| Extent { words: s.clone(), without: Vec::new() });
    let mut all: Vec<Extent> = hosts.chain(own).collect();
    all.sort_by_key(|clause| clause.words.start);
    all
}

/// The cuts that a long quotation makes at both its ends.
fn edges(words: &[Word], span: &Range<usize>) -> Vec<usize> {
    let first = words.partition_point(|w| w.start < span.start);
    let last = words.partition_point(|w| w.end <= span.end);
    if last.saturating_sub(first) < LEAST_QUOTED { Vec::new() } else { vec![first, last] }
}

fn cut_before(text: &[char], words: &[Word], i: usize, says: &dyn Fn(&Word) -> bool) -> bool {
    let (Some(before), Some(word)) = (i.checked_sub(1).and_then(|b| words.get(b)), words.get(i))
    else {
        return false;
    };
    let gap = text.get(before.end..word.start).unwrap_or_default();
    let spaced_dash = || gap.contains(&'–') && gap.contains(&' ');
    if gap.iter().any(|c| matches!(c, ';' | ':' | '—' | '(' | ')' | '…')) || spaced_dash() {
        return true;
    }
    if gap.iter().filter(|c| **c == '.').count() >= 2 {
        return true;
    }
    let comma = gap.contains(&',');
    let name = word.plain.as_str();
    let next = words.get(i + 1).map_or("", |w| w.plain.as_str());
    if OPENERS.contains(&name) || comma && OPENERS_AFTER_COMMA.contains(&name) {
        return true;
    }
    if name == "and" && SUBJECTS.contains(&next) {
        return true;
    }
    // The Pact said | the bridge had fallen; … said that | the bridge had fallen.
    let said = |at: usize| words.get(at).is_some_and(says);
    if before.plain == "that" && i >= 2 && said(i - 2) {
        return true;
    }
    // He dismissed his minister: that is the act itself, nothing that is said.
    let rejects = REJECTS.iter().any(|verb| before.plain.starts_with(verb));
    if said(i - 1) && !rejects && !comma && name != "that" && !AFTER_VERB.contains(&name) {
        return true;
    }
    // The bridge had fallen, | the mayor said on Friday.
    comma && words.len() - i <= LONGEST_TRAIL && {
        let tail = words.get(i..).unwrap_or_default();
        let verb = tail.iter().position(says);
        verb.is_some_and(|v| v <= 8 && tail.iter().skip(v + 1).all(|w| w.plain != "that"))
    }
}

/// Words that tell who somebody is, at most.
const WHO: usize = 4;

/// Whether a piece tells who speaks and nothing else: *the mayor, Ada Vale, said*.
fn only_says(
    words: &[Word],
    piece: &Range<usize>,
    quoted: &Quoted,
    says: &dyn Fn(&Word) -> bool,
) -> bool {
    let slice = words.get(piece.clone()).unwrap_or_default();
    let own = |w: &&Word| {
        w.kind != Kind::Function && !w.capital && !says(w) || quoted.covers(w.start, w.end)
    };
    let Some(verb) = slice.iter().position(|w| says(w) || w.plain == "according") else {
        return false;
    };
    let of_its_own = slice.iter().filter(own).count();
    // The foreign minister of the republic said: what is said stands elsewhere.
    let nothing_after = !slice.iter().skip(verb + 1).any(|w| w.kind != Kind::Function);
    of_its_own < 2 || nothing_after && of_its_own <= WHO
}

/// Gives pieces that are too short to their neighbours.
fn joined(words: &[Word], pieces: Vec<Range<usize>>) -> Vec<Range<usize>> {
    let content = |piece: &Range<usize>| {
        let slice = words.get(piece.clone()).unwrap_or_default();
        slice.iter().filter(|w| w.kind == Kind::Content).count()
    };
    let mut out: Vec<Range<usize>> = Vec::new();
    for piece in pieces {
        match out.last_mut() {
            Some(last)
                if last.end == piece.start
                    && (content(&piece) < LEAST_CONTENT || content(last) < LEAST_CONTENT) =>
            {
                last.end = piece.end;
            }
            _ => out.push(piece),
        }
    }
    out.retain(|piece| content(piece) >= 1);
    out
}

#[cfg(test)]
mod tests {
    use super::super::quoted::quoted;
    use super::super::words::words;
    use super::*;

    fn cut(text: &str) -> Vec<String> {
        let chars: Vec<char> = text.chars().collect();
        let found = words(text);
        let says = |w: &Word| matches!(w.plain.as_str(), "said" | "claimed" | "dismissed");
        let of = |r: Range<usize>| -> String {
            let span = found[r.start].start..found[r.end - 1].end;
            chars[span].iter().collect()
        };
        let cut = clauses(&chars, &found, &quoted(&chars, false), &says);
        cut.into_iter().map(|clause| of(clause.words)).collect()
    }

    #[test]
    fn what_commas_set_off_is_a_report_of_its_own() {
        let text = "The growers council vote, held by many for the closest in years, is due on \
                    Monday, the office said.";
        assert_eq!(
            cut(text),
            [
                "The growers council vote, held by many for the closest in years, is due on Monday",
                "held by many for the closest in years"
            ]
        );
        let chars: Vec<char> = text.chars().collect();
        let found = words(text);
        let extents = clauses(&chars, &found, &quoted(&chars, false), &|w| w.plain == "said");
        assert_eq!(extents[0].without, [extents[1].words.clone()]);
        assert!(extents[1].without.is_empty());
    }

    #[test]
    fn cuts_where_one_report_ends() {
        assert_eq!(
            cut("The ferry sank off Orsa, while the harbour office closed the strait to ships."),
            ["The ferry sank off Orsa", "while the harbour office closed the strait to ships"]
        );
        assert_eq!(
            cut("Halvia, which keeps sending barges downstream, closed its northern border."),
            [
                "Halvia, which keeps sending barges downstream, closed its northern border",
                "which keeps sending barges downstream"
            ]
        );
    }

    #[test]
    fn who_speaks_is_no_report() {
        assert_eq!(
            cut("Mayor Ada Vale said the old bridge had fallen."),
            ["the old bridge had fallen"]
        );
        assert_eq!(
            cut("The old bridge had fallen, Mayor Vale said."),
            ["The old bridge had fallen"]
        );
        assert_eq!(
            cut("“We will rebuild the old bridge by spring,” she said."),
            ["We will rebuild the old bridge by spring"]
        );
    }

    #[test]
    fn who_is_dismissed_is_no_speech() {
        assert_eq!(
            cut("President Deschel dismissed his water minister on Tuesday, the station said."),
            ["President Deschel dismissed his water minister on Tuesday"]
        );
    }

    #[test]
    fn short_sentences_and_nonsense_stay_whole() {
        assert_eq!(cut("The bridge fell."), ["The bridge fell"]);
        assert!(cut("").is_empty());
        assert!(cut("… – ;").is_empty());
    }
}
