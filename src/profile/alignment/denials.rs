//! Denials that do not say what they deny: *The allegations were dismissed by the ministry*. By its
//! own words such a clause is like any other denial; what it is about stands in the clause before.
//!
//! *Allegation*, *charge* and their like stand for a clause: shell nouns (Schmid 2000, English
//! Abstract Nouns as Conceptual Shells, the linguistic ones).

use super::units::{Read, Unit};
use super::words::{Kind, Word};

/// How words begin that hold off.
#[rustfmt::skip]
const DENIES: &[&str] = &[
    "deny", "denie", "denial", "dismiss", "disput", "rebut", "refut", "reject", "baseless", "false",
    "groundless", "unfounded", "untrue",
];
/// How nouns begin that stand for what was said.
#[rustfmt::skip]
const SHELLS: &[&str] = &[
    "accusation", "allegation", "assertion", "charge", "claim", "suggestion",
];

/// For each unit that denies what was said right before, its place and that of the unit that says
/// it. `units` are in the order of their sentences and words, `read` gives the sentence of one, and
/// `same_article` tells whether two sentences, by their places, are from one.
pub(super) fn denials<'a>(
    units: &[Unit],
    read: impl Fn(&Unit) -> Option<&'a Read>,
    same_article: impl Fn(usize, usize) -> bool,
) -> Vec<(usize, usize)> {
    let mut found: Vec<(usize, usize)> = Vec::new();
    for (at, pair) in units.windows(2).enumerate() {
        let [before, unit] = pair else { continue };
        let next = unit.sentence.saturating_sub(before.sentence) <= 1;
        if !next || !same_article(before.sentence, unit.sentence) {
            continue;
        }
        let Some(read) = read(unit) else { continue };
        let words: Vec<&Word> = unit.words.iter().filter_map(|&at| read.words.get(at)).collect();
        if only_denies(&words) {
            // One denial after another is of the same.
            let denied = found.last().filter(|(last, _)| *last == at).map_or(at, |(_, of)| *of);
            found.push((at + 1, denied));
        }
    }
    found
}

/// Whether a clause denies, names what it denies by a shell noun, and has nothing else to say than
/// who does so and how.
fn only_denies(words: &[&Word]) -> bool {
    let begins = |word: &Word, with: &[&str]| with.iter().any(|w| word.plain.starts_with(w));
    let of_its_own = |w: &Word| {
        let name = w.capital && w.start != words.first().map_or(0, |first| first.start);
        let manner = w.plain.ends_with("ly");
        w.kind != Kind::Function && !name && !manner && !begins(w, DENIES) && !begins(w, SHELLS)
    };
    words.iter().any(|w| begins(w, DENIES))
        && words.iter().any(|w| begins(w, SHELLS))
        && !words.iter().any(|w| of_its_own(w))
}

#[cfg(test)]
mod tests {
    use super::super::words::words;
    use super::*;

    fn denies(text: &str) -> bool {
        only_denies(&words(text).iter().collect::<Vec<_>>())
    }

    #[test]
    fn a_denial_without_its_object_is_told_from_others() {
        for text in [
            "The allegations were firmly dismissed by Halvia",
            "a charge angrily denied by the Halvian Standard",
            "These claims are false",
        ] {
            assert!(denies(text), "{text}");
        }
        for text in [
            "Halvia dismissed allegations that its barges had flooded the valley",
            "The court rejected the appeal",
            "The charges were filed on Monday",
            "Ketria repeated the allegations",
            "",
        ] {
            assert!(!denies(text), "{text}");
        }
    }
}
