//! Words by which an outlet passes on, hedges or holds off what it reports, from the list
//! that the report marks words by as well.

use std::collections::{HashMap, HashSet};

use serde::Deserialize;

use super::types::MarkKind;
use super::words::{Word, words};

/// Entries of the list that pass nothing on by themselves: *false*, *allegedly*.
#[rustfmt::skip]
const NO_VERBS: &[&str] = &[
    "allegation", "allegations", "alleged", "allegedly", "apparently", "assertion", "assertions",
    "baseless", "denial", "denials", "discredited", "fabricated", "fake", "false", "falsely",
    "found", "groundless", "ostensible", "ostensibly", "purported", "purportedly", "reportedly",
    "selfproclaimed", "selfstyled", "show", "showed", "shown", "shows", "socalled", "supposed",
    "supposedly", "unfounded", "untrue",
];

#[derive(Deserialize)]
struct CueFile {
    group: Vec<CueGroup>,
}

#[derive(Deserialize)]
struct CueGroup {
    name: String,
    #[serde(default)]
    words: Vec<String>,
}

/// The words, ready to look up.
pub(super) struct Cues {
    /// By first word: the whole entry, as its words, and its kind; longest first.
    entries: HashMap<String, Vec<(Vec<String>, MarkKind)>>,
    verbs: HashSet<String>,
}

impl Cues {
    /// The list that the crate carries; a test reads it.
    pub(super) fn shipped() -> Self {
        let file = toml::from_str(include_str!("../cues.toml"));
        let file: CueFile = file.unwrap_or(CueFile { group: Vec::new() });
        let mut cues = Cues { entries: HashMap::new(), verbs: HashSet::new() };
        for group in file.group {
            let kind =
                if group.name == "hedges" { MarkKind::Hedge } else { MarkKind::ReportingVerb };
            for entry in &group.words {
                let entry: Vec<String> = words(entry).into_iter().map(|w| w.plain).collect();
                let Some(first) = entry.first() else { continue };
                if kind == MarkKind::ReportingVerb
                    && entry.len() == 1
                    && !NO_VERBS.contains(&first.as_str())
                {
                    cues.verbs.insert(first.clone());
                }
                cues.entries.entry(first.clone()).or_default().push((entry, kind));
            }
        }
        for entries in cues.entries.values_mut() {
            entries.sort_by_key(|(entry, _)| std::cmp::Reverse(entry.len()));
        }
        cues
    }

    /// Whether a word passes on what somebody says.
    pub(super) fn says(&self, word: &Word) -> bool {
        !word.capital && self.verbs.contains(&word.plain)
    }

    /// The entries among some words: places of first and last word, and the kind.
    pub(super) fn find(&self, words: &[Word]) -> Vec<(usize, usize, MarkKind)> {
        let mut found = Vec::new();
        let mut at = 0;
        while let Some(word) = words.get(at) {
            // May the month is no hedge.
            let name = word.capital && at > 0;
            let entries = self.entries.get(&word.plain).filter(|_| !name);
            let hit = entries.into_iter().flatten().find(|(entry, _)| {
                let here = words.get(at..at + entry.len());
                here.is_some_and(|here| here.iter().zip(entry).all(|(w, e)| w.plain == *e))
            });
            match hit {
                Some((entry, kind)) => {
                    found.push((at, at + entry.len() - 1, *kind));
                    at += entry.len();
                }
                None => at += 1,
            }
        }
        found
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_list_can_be_read_and_finds_phrases() {
        let cues = Cues::shipped();
        assert!(cues.verbs.contains("claimed") && !cues.verbs.contains("allegedly"));
        let found = cues.find(&words("What it called a raid may, according to them, go on in May"));
        let kinds: Vec<_> = found.iter().map(|(a, b, kind)| (*a, *b, *kind)).collect();
        use MarkKind::{Hedge, ReportingVerb};
        assert_eq!(kinds, [(0, 2, ReportingVerb), (5, 5, Hedge), (6, 7, ReportingVerb)]);
    }
}
