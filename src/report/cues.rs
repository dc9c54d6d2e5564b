//! Marks words that carry a device, by word list.
//!
//! The lists are data (`cues.toml`). They help a reader's eye and are not what the
//! model decides by; the report says so. What stands inside a longer quotation is the
//! speaker's and stays unmarked.

use std::ops::Range;

use aho_corasick::{AhoCorasick, MatchKind};
use serde::Deserialize;

use super::input::Device;
use crate::error::{Error, Result};

/// A list of cue words.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CueGroup {
    /// What the words do, in two words.
    pub name: String,
    /// The same as a phrase.
    pub description: String,
    /// Layer whose colour the mark takes, with [`CueGroup::label`].
    pub layer: Option<String>,
    /// Label whose colour the mark takes.
    pub label: Option<String>,
    /// The words and phrases, in lower case.
    #[serde(default)]
    pub words: Vec<String>,
    /// Mark quotations of at most this many words instead.
    pub max_quoted_words: Option<usize>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct CueFile {
    group: Vec<CueGroup>,
}

/// Cue lists, ready to search with.
#[derive(Debug, Clone)]
pub struct Cues {
    groups: Vec<CueGroup>,
    searcher: AhoCorasick,
    group_of: Vec<usize>,
}

impl Cues {
    /// The lists that parallax carries.
    ///
    /// # Errors
    /// Never for the lists as shipped; a test reads them.
    pub fn shipped() -> Result<Self> {
        Self::from_toml(include_str!("../profile/cues.toml"))
    }

    /// Reads cue lists.
    ///
    /// # Errors
    /// If the text is no such TOML, or an entry is empty.
    pub fn from_toml(text: &str) -> Result<Self> {
        let file: CueFile = toml::from_str(text).map_err(|e| Error::input("cues", e))?;
        let (mut words, mut group_of) = (Vec::new(), Vec::new());
        for (g, group) in file.group.iter().enumerate() {
            for word in &group.words {
                if word.trim().is_empty() {
                    return Err(Error::input("cues", format!("{}: an empty word", group.name)));
                }
                words.push(word.as_str());
                group_of.push(g);
            }
        }
        let searcher = AhoCorasick::builder()
            .ascii_case_insensitive(true)
            .match_kind(MatchKind::LeftmostLongest)
            .build(&words)
            .map_err(|e| Error::input("cues", e))?;
        Ok(Cues { groups: file.group, searcher, group_of })
    }

    /// The lists, in file order.
    pub fn groups(&self) -> &[CueGroup] {
        &self.groups
    }

    /// The marks for one sentence, in order and without overlap.
    pub fn mark(&self, text: &str) -> Vec<Device> {
        // One character for one character, so that offsets hold.
        let plain: String = text.chars().map(plain).collect();
        let chars: Vec<char> = plain.chars().collect();
        let quotes = quotations(&chars);
        let char_at = char_index(&plain);
        let mut found = Vec::new();
        for hit in self.searcher.find_iter(&plain) {
            let (start, end) = (char_at(hit.start()), char_at(hit.end()));
            let whole = !touches_word(&chars, start, end);
            let quoted = quotes.iter().any(|q| q.span.start <= start && end <= q.span.end);
            if let (true, false, Some(&group)) = (
                whole && !name_like(&chars, start),
                quoted,
                self.group_of.get(hit.pattern().as_usize()),
            ) {
                found.push(Device { start, end, group });
            }
        }
        for (group, at_most) in
            self.groups.iter().enumerate().filter_map(|(i, g)| Some((i, g.max_quoted_words?)))
        {
            for Quotation { span, .. } in quotes.iter().filter(|q| q.whole) {
                let inside: String = chars.get(span.clone()).unwrap_or_default().iter().collect();
                let words = inside.split_whitespace().count();
                let clear = !found.iter().any(|d| d.start < span.end && span.start < d.end);
                if (1..=at_most).contains(&words) && span.len() < chars.len() && clear {
                    found.push(Device { start: span.start, end: span.end, group });
                }
            }
        }
        found.sort_by_key(|d| (d.start, d.end));
        found
    }
}

/// Straightens marks and spaces, character by character.
fn plain(c: char) -> char {
    match c {
        '\u{2018}' | '\u{2019}' | '\u{201B}' => '\'',
        '\u{2010}' | '\u{2011}' => '-',
        c if c.is_whitespace() => ' ',
        c => c,
    }
}

/// Maps byte offsets of `text`, asked in rising order or not, to character offsets.
fn char_index(text: &str) -> impl Fn(usize) -> usize {
    let starts: Vec<usize> = text.char_indices().map(|(i, _)| i).collect();
    move |byte| starts.partition_point(|&s| s < byte)
}

/// Whether a word inside a sentence begins with a capital: *May* the month is no hedge.
fn name_like(chars: &[char], start: usize) -> bool {
    let capital = chars.get(start).is_some_and(|c| c.is_uppercase());
    let before = chars.get(..start).unwrap_or_default();
    let before = before.iter().rev().find(|c| !c.is_whitespace() && !"\"'“”".contains(**c));
    capital && before.is_some_and(|c| !".!?:–—".contains(*c))
}

fn touches_word(chars: &[char], start: usize, end: usize) -> bool {
    let word = |i: usize| chars.get(i).is_some_and(|c| c.is_alphanumeric());
    (start > 0 && word(start - 1)) || word(end)
}

/// A quotation in a sentence, marks included.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Quotation {
    span: Range<usize>,
    /// Whether both marks are in the sentence.
    whole: bool,
}

/// Quotations in `chars`: double marks of any kind, and single marks that stand like
/// quotation marks and not like apostrophes. One that is not closed runs to the end; one
/// that was not opened runs from the beginning.
fn quotations(chars: &[char]) -> Vec<Quotation> {
    let letter =
        |i: Option<usize>| i.and_then(|i| chars.get(i)).is_some_and(|c| c.is_alphanumeric());
    let mut found = Vec::new();
    let mut open: Option<(usize, bool)> = None;
    for (i, &c) in chars.iter().enumerate() {
        let double = matches!(c, '"' | '\u{201C}' | '\u{201D}' | '\u{201E}' | '«' | '»');
        let single = matches!(c, '\'' | '\u{2018}' | '\u{2019}');
        let (before, after) = (letter(i.checked_sub(1)), letter(Some(i + 1)));
        let space_after = chars.get(i + 1).is_none_or(|c| c.is_whitespace() || ".,;".contains(*c));
        match open {
            // A closing mark: of a quotation that began before the sentence, or astray.
            None if c == '\u{201D}' || (c == '"' && i > 0 && space_after) => {
                let from_start = Quotation { span: 0..i + 1, whole: false };
                found.extend(found.is_empty().then_some(from_start));
            }
            None if double => open = Some((i, true)),
            None if single && !before && after => open = Some((i, false)),
            Some((start, is_double))
                if (double && is_double) || (single && !is_double && !after) =>
            {
                found.push(Quotation { span: start..i + 1, whole: true });
                open = None;
            }
            _ => {}
        }
    }
    if let Some((start, true)) = open {
        found.push(Quotation { span: start..chars.len(), whole: false });
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn marked(text: &str) -> Vec<String> {
        let cues = Cues::shipped().unwrap();
        let chars: Vec<char> = text.chars().collect();
        cues.mark(text).iter().map(|d| chars[d.start..d.end].iter().collect()).collect()
    }

    #[test]
    fn marks_devices_as_whole_words() {
        assert_eq!(
            marked("Critics claimed the dam was allegedly unsafe; the mayor denied it."),
            ["claimed", "allegedly", "denied"]
        );
        assert!(marked("The reclaimed mayflower stateside essays.").is_empty());
        assert_eq!(
            marked("In May it may rain. May it? He said: May."),
            ["may", "May", "said", "May"]
        );
        assert_eq!(marked("According\u{a0}to the board, it holds."), ["According\u{a0}to"]);
    }

    #[test]
    fn marks_short_quotations_and_spares_what_speakers_say() {
        assert_eq!(
            marked("They spoke of a “water grab”allegedly planned upstream."),
            ["“water grab”", "allegedly"]
        );
        assert_eq!(marked("A 'real risk' remains."), ["'real risk'"]);
        assert_eq!(marked("“It may well fail, perhaps,” she said."), ["said"]);
        assert_eq!(marked("It may rain over Europe\", he claimed."), ["claimed"]);
        assert!(marked("The dam’s wall and the towns’ wells.").is_empty());
    }

    #[test]
    fn no_word_stands_on_two_lists() {
        let cues = Cues::shipped().unwrap();
        let mut seen = std::collections::HashSet::new();
        for word in cues.groups().iter().flat_map(|g| &g.words) {
            assert!(seen.insert(word), "{word} stands twice");
            assert_eq!(word, &word.to_lowercase());
        }
    }

    proptest! {
        #[test]
        fn marks_stay_inside_and_apart(text in "\\PC{0,80}|[a-z “”‘’'\"]{0,80}( (said|may|so-called) )?[“a-z” ]{0,20}") {
            let n = text.chars().count();
            let mut last = 0;
            for d in Cues::shipped().unwrap().mark(&text) {
                prop_assert!(last <= d.start && d.start < d.end && d.end <= n);
                last = d.end;
            }
        }
    }
}
