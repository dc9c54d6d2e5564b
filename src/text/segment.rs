//! Where the sentences of a paragraph end. The crate `sentencex` does the main work; it
//! is shown a copy of the paragraph without quotation marks and brackets (it never
//! splits inside them, news does), and its boundaries are then mended with what holds
//! for newspaper prose.

use std::ops::Range;

use sentencex::languages::Language;

use super::normal::{blank_len, plain_quote};
use super::quotes::{Quotations, Turn};
use super::words::{
    ABBREVIATIONS, AFTER_TIME, NUMBERED, ORDINARY, PARTICLES, PLACES, REPORTING, STARTERS, TITLES,
    WITH_PLACE,
};

/// `sentencex` is shown at most this many bytes at a time: its time grows faster than its input.
const CHUNK: usize = 10_000;
/// Brackets further apart than this are no pair.
const LONGEST_ASIDE: usize = 600;

/// A sentence splitter for one language.
pub(crate) struct Segmenter {
    language: Box<dyn Language>,
}

/// The paragraph as `sentencex` is shown it.
#[derive(Default)]
struct Shadow {
    text: String,
    /// For each byte of `text`, the byte of the article.
    map: Vec<usize>,
    /// Outermost pairs of brackets, as positions in `text`.
    asides: Vec<Range<usize>>,
}

impl Segmenter {
    /// For a language by its ISO 639-3 code; English rules where there are none for it.
    pub(crate) fn new(language: Option<&str>) -> Self {
        let code = match language.unwrap_or("eng") {
            "amh" => "am",
            "ara" => "ar",
            "ben" => "bn",
            "bul" => "bg",
            "cat" => "ca",
            "cmn" => "zh",
            "dan" => "da",
            "deu" => "de",
            "ell" => "el",
            "fin" => "fi",
            "fra" => "fr",
            "guj" => "gu",
            "hin" => "hi",
            "hye" => "hy",
            "ita" => "it",
            "jpn" => "ja",
            "kan" => "kn",
            "kaz" => "kk",
            "mal" => "ml",
            "mar" => "mr",
            "mya" => "my",
            "nld" => "nl",
            "pan" => "pa",
            "pol" => "pl",
            "por" => "pt",
            "rus" => "ru",
            "slk" => "sk",
            "spa" => "es",
            "tam" => "ta",
            "tel" => "te",
            "ukr" => "uk",
            "urd" => "ur",
            _ => "en",
        };
        Segmenter { language: sentencex::language_factory(code) }
    }

    /// The sentences of the paragraph `unit`, in bytes of `text`, not trimmed: together they are the
    /// paragraph.
    pub(crate) fn sentences(
        &self,
        text: &str,
        unit: Range<usize>,
        quotations: &Quotations,
    ) -> Vec<Range<usize>> {
        let shadow = Shadow::of(text, &unit, quotations);
        let boundaries = self.mend(text, &shadow, self.boundaries(&shadow.text), quotations);
        let mut found = Vec::with_capacity(boundaries.len() + 1);
        let mut start = unit.start;
        for boundary in boundaries {
            let cut = shadow.cut(text, &unit, boundary, quotations);
            if cut > start && cut < unit.end {
                found.push(start..cut);
                start = cut;
            }
        }
        found.push(start..unit.end);
        found
    }

    /// Where a sentence begins, by `sentencex` and by its own exceptions.
    fn boundaries(&self, shadow: &str) -> Vec<usize> {
        let mut found = Vec::new();
        let mut at = 0;
        while at < shadow.len() {
            let end = chunk_end(shadow, at);
            let pieces = self.language.get_sentence_boundaries(&shadow[at..end]);
            found.extend(pieces.iter().skip(1).map(|p| at + p.start_byte));
            at = end;
        }
        for (stop, _) in shadow.match_indices(". ") {
            if missed(shadow, stop) {
                found.push(stop + 2);
            }
        }
        found.sort_unstable();
        found.dedup();
        found
    }

    /// Leaves out the boundaries that are none.
    fn mend(
        &self,
        text: &str,
        shadow: &Shadow,
        boundaries: Vec<usize>,
        quotations: &Quotations,
    ) -> Vec<usize> {
        let mut kept: Vec<usize> = Vec::with_capacity(boundaries.len());
        for at in boundaries {
            let start = kept.last().copied().unwrap_or(0);
            if !shadow.text.is_char_boundary(at) || at <= start {
                continue;
            }
            let before = shadow.text[start..at].trim_end();
            let after = shadow.text[at..].trim_start();
            let quote_closes = || shadow.closes_quote_before(text, at, quotations);
            let cry = || before.ends_with(['?', '!']) && is_attribution(after) && quote_closes();
            let none = goes_on(before, after, at - start == before.len())
                || shadow.in_aside(start, start + before.len())
                || cry();
            if !none {
                kept.push(at);
            }
        }
        kept
    }
}

/// The end of the piece that starts at `at`: everything, or the last space before the limit that
/// follows no full stop, so that no boundary is lost.
fn chunk_end(shadow: &str, at: usize) -> usize {
    if shadow.len() - at <= CHUNK {
        return shadow.len();
    }
    let limit = shadow.floor_char_boundary(at + CHUNK);
    let bytes = shadow.as_bytes();
    (at + CHUNK / 2..limit)
        .rev()
        .find(|&i| bytes[i] == b' ' && bytes[i - 1].is_ascii_alphabetic())
        .map_or(limit, |i| i + 1)
}

/// Whether a sentence ends at the full stop at `stop` though it looks like an abbreviation's.
fn missed(shadow: &str, stop: usize) -> bool {
    let word = last_word(&shadow[..stop]);
    let after = &shadow[stop + 2..];
    let next = first_word(after);
    if ORDINARY.contains(&word) {
        return next.starts_with(char::is_uppercase);
    }
    let abbreviation = ABBREVIATIONS.contains(&word) || PLACES.contains(&word);
    abbreviation
        && (STARTERS.contains(&next)
            || (next == "A" && second_word(after).starts_with(char::is_lowercase)))
}

/// Whether a sentence goes on across a boundary.
fn goes_on(before: &str, after: &str, no_space: bool) -> bool {
    let next = first_word(after);
    let word = last_word(before.strip_suffix('.').unwrap_or(before));
    // A look at the beginning is enough, and keeps texts of nothing but marks cheap.
    let has_words = |s: &str| s.chars().take(300).any(char::is_alphanumeric);
    if !has_words(before) || next.is_empty() && !has_words(after) {
        return true;
    }
    if starts_lower(after) {
        return true;
    }
    if !before.ends_with('.') {
        return false;
    }
    if no_space {
        // "forward.This" lost its space; "Node.Js" never had one.
        let word_end = before.trim_end_matches('.');
        return !(STARTERS.contains(&next) && word_end.ends_with(char::is_lowercase));
    }
    let capital = next.starts_with(char::is_uppercase);
    let ordinal =
        || WITH_PLACE.contains(&next) && second_word(after).starts_with(char::is_uppercase);
    TITLES.contains(&word) && capital
        || matches!(word, "a.m" | "p.m" | "A.M" | "P.M") && AFTER_TIME.contains(&next)
        || ABBREVIATIONS.contains(&word) && ordinal()
        || is_initial(before, word) && capital && !STARTERS.contains(&next)
        || NUMBERED.contains(&word) && is_numeral(next)
        || is_number(before)
}

/// Digits, or a Roman numeral.
fn is_numeral(word: &str) -> bool {
    word.starts_with(|c: char| c.is_ascii_digit())
        || !word.is_empty() && word.bytes().all(|b| b"IVXLC".contains(&b))
}

/// A middle or first initial: one capital letter that stands after a name or at the beginning.
fn is_initial(before: &str, word: &str) -> bool {
    let mut letters = word.chars().filter(|&c| c != '.');
    let one =
        word.chars().count() == 1 && letters.next().is_some_and(char::is_uppercase) && word != "I";
    let head = before.trim_end_matches('.').strip_suffix(word).unwrap_or("").trim_end();
    one && (head.is_empty() || last_word(head).starts_with(char::is_uppercase))
}

/// The number of a list entry.
fn is_number(before: &str) -> bool {
    let digits = before.trim_end_matches('.');
    (1..=3).contains(&digits.len()) && digits.bytes().all(|b| b.is_ascii_digit())
}

/// Whether the text begins like the middle of a sentence.
fn starts_lower(after: &str) -> bool {
    let word = after.split(' ').next().unwrap_or_default();
    word.starts_with(char::is_lowercase)
        && !word.chars().take(30).any(char::is_uppercase)
        && !(PARTICLES.contains(&word) && second_word(after).starts_with(char::is_uppercase))
}

/// Whether a name and a verb of saying follow, as in `“Why?” Sen. Vale asked.`
fn is_attribution(after: &str) -> bool {
    for (names, word) in after.split(' ').take(6).enumerate() {
        let bare = word.trim_end_matches([',', '.']);
        if REPORTING.contains(&bare) {
            return names > 0;
        }
        let name = bare.starts_with(char::is_uppercase) && (names > 0 || !STARTERS.contains(&bare));
        if !name {
            return false;
        }
    }
    false
}

/// The last word, inner full stops included: `U.S` of `in the U.S`.
fn last_word(text: &str) -> &str {
    let start = text
        .char_indices()
        .rev()
        .take(24)
        .take_while(|(_, c)| c.is_alphanumeric() || matches!(c, '.' | '\''))
        .last()
        .map_or(text.len(), |(i, _)| i);
    text[start..].trim_start_matches(['.', '\''])
}

/// The first word, without what is attached to it.
fn first_word(text: &str) -> &str {
    let end = text.find(|c: char| !c.is_alphanumeric()).unwrap_or(text.len());
    &text[..end]
}

fn second_word(text: &str) -> &str {
    let rest = &text[first_word(text).len()..];
    first_word(rest.strip_prefix(' ').unwrap_or(""))
}

impl Shadow {
    fn of(text: &str, unit: &Range<usize>, quotations: &Quotations) -> Self {
        let mut shadow = Shadow {
            text: String::with_capacity(unit.len()),
            map: Vec::with_capacity(unit.len()),
            asides: Vec::new(),
        };
        let mut marks = quotations.marks_in(unit).iter().peekable();
        let mut open: Vec<usize> = Vec::new();
        let mut at = unit.start;
        while at < unit.end {
            while marks.next_if(|m| m.range.end <= at).is_some() {}
            if let Some(mark) = marks.next_if(|m| m.range.start <= at) {
                at = mark.range.end;
                // “build-up”allegedly, “No.”He
                if mark.turn == Turn::Close && text[at..unit.end].starts_with(char::is_alphanumeric)
                {
                    shadow.space(at);
                }
                continue;
            }
            let blank = blank_len(text, at);
            let Some(c) = text[at..].chars().next() else { break };
            if blank > 0 {
                if c.is_whitespace() || c == '\\' || c == '\0' {
                    shadow.space(at);
                }
                at += blank;
                continue;
            }
            match c {
                '(' | '[' | '{' => open.push(shadow.text.len()),
                ')' | ']' | '}' => {
                    if let Some(from) = open.pop() {
                        shadow.close_aside(from);
                    }
                }
                // An unpaired mark would start a quotation, a bullet a list.
                _ if plain_quote(c).is_some() || "•●▪■◦‣⁃►▶".contains(c) => {}
                _ => {
                    shadow.text.push(c);
                    shadow.map.extend((0..c.len_utf8()).map(|i| at + i));
                }
            }
            at += c.len_utf8();
        }
        shadow
    }

    fn space(&mut self, at: usize) {
        if !self.text.is_empty() && !self.text.ends_with(' ') {
            self.text.push(' ');
            self.map.push(at);
        }
    }

    fn close_aside(&mut self, from: usize) {
        let to = self.text.trim_end().len();
        if to < from || to - from > LONGEST_ASIDE {
            return;
        }
        while self.asides.last().is_some_and(|a| a.start >= from) {
            self.asides.pop();
        }
        self.asides.push(from..to);
    }

    /// Whether a sentence that began at `start` would end at `end` inside brackets
    /// that it opened on its way.
    fn in_aside(&self, start: usize, end: usize) -> bool {
        let i = self.asides.partition_point(|a| a.end <= end);
        self.asides.get(i).is_some_and(|a| a.start < end && a.start > start)
    }

    /// Whether a closing quotation mark stands between the boundary and the last character before it.
    fn closes_quote_before(&self, text: &str, boundary: usize, quotations: &Quotations) -> bool {
        let end = self.text[..boundary].trim_end().len();
        let from = end.checked_sub(1).and_then(|i| self.map.get(i)).copied().unwrap_or(0);
        let to = self.map.get(boundary).copied().unwrap_or(text.len());
        quotations.marks_in(&(from..to)).iter().any(|m| m.turn == Turn::Close)
    }

    /// The byte of the article where the sentence ends that ends before `boundary`: its
    /// closing marks and brackets belong to it.
    fn cut(
        &self,
        text: &str,
        unit: &Range<usize>,
        boundary: usize,
        quotations: &Quotations,
    ) -> usize {
        let shown = self.text[..boundary].trim_end();
        let Some(last) = shown.chars().next_back() else { return unit.start };
        let mut cut = self.map[shown.len() - last.len_utf8()] + last.len_utf8();
        let mut at = cut;
        while at < unit.end {
            let blank = blank_len(text, at);
            if blank > 0 {
                at += blank;
                continue;
            }
            let Some(c) = text[at..].chars().next() else { break };
            let mark = quotations.mark_at(at);
            let end = match mark {
                Some(m) if m.turn == Turn::Close || m.turn == Turn::Stray && at == cut => {
                    m.range.end
                }
                None if matches!(c, ')' | ']' | '}') => at + c.len_utf8(),
                None if at == cut && plain_quote(c).is_some() => at + c.len_utf8(),
                _ => break,
            };
            cut = end;
            at = end;
        }
        cut
    }
}
