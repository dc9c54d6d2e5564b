//! What two commas set off within a sentence: *the vote, held for the closest in years, is on
//! Monday* (supplements: Huddleston and Pullum 2002, The Cambridge Grammar of the English Language,
//! chapter 15). Told by the word that begins it.

use std::ops::{Range, RangeInclusive};

use super::quoted::Quoted;
use super::words::Word;

/// Words that begin a supplement: a relative clause, or one without its pronoun.
#[rustfmt::skip]
const SUPPLEMENTS: &[&str] = &[
    "which", "who", "whose", "due", "set", "held", "led", "known", "seen", "made", "sent", "given",
    "built", "brought", "born", "found", "meant", "put",
];
/// What follows *the* where a supplement says which one it is: *the first of its kind*.
const RANKS: &[&str] =
    &["first", "second", "third", "last", "latest", "only", "biggest", "largest"];
/// A supplement has as many words at least and at most.
const SUPPLEMENT: RangeInclusive<usize> = 3..=14;

/// What two commas set off, and which begins as a supplement does.
pub(super) fn supplements(
    text: &[char],
    words: &[Word],
    quoted: &Quoted,
    says: &dyn Fn(&Word) -> bool,
) -> Vec<Range<usize>> {
    let comma = |i: usize| -> bool {
        let (Some(before), Some(word)) =
            (i.checked_sub(1).and_then(|b| words.get(b)), words.get(i))
        else {
            return false;
        };
        text.get(before.end..word.start).unwrap_or_default().contains(&',')
    };
    let plain = |i: usize| words.get(i).map_or("", |w| w.plain.as_str());
    let begins = |i: usize| match plain(i) {
        "the" | "its" | "their" | "his" | "her" => RANKS.contains(&plain(i + 1)),
        word => SUPPLEMENTS.contains(&word) || word.len() > 4 && word.ends_with("ed"),
    };
    let mut found: Vec<Range<usize>> = Vec::new();
    let mut i = 1;
    while i < words.len() {
        let end = (i + 1..words.len()).find(|&j| comma(j));
        match end {
            Some(end)
                if comma(i)
                    && begins(i)
                    && SUPPLEMENT.contains(&(end - i))
                    && !words.get(i..end).unwrap_or_default().iter().any(says)
                    && words.get(i).is_some_and(|w| !quoted.covers(w.start, w.end)) =>
            {
                found.push(i..end);
                i = end;
            }
            _ => i += 1,
        }
    }
    found
}
