//! From an article to its sentences.

use std::ops::Range;

use super::boilerplate::{clutter, cut_labels, is_residue};
use super::lines::{joins_next, lines, trim};
use super::normal::Normal;
use super::quotes::{Quotations, Turn, quotations};
use super::segment::Segmenter;
use super::{Role, Sentence};
use crate::corpus::Article;

/// A headline has no more words than this.
const HEADLINE_WORDS: usize = 20;
/// A headline has no more characters than this.
const HEADLINE_LENGTH: usize = 140;

/// Bytes of the first paragraph that are compared with the title.
const LONGEST_TITLE: usize = 1000;

/// A paragraph: one line, or several that belong together.
struct Unit {
    range: Range<usize>,
    clutter: bool,
}

/// The sentences of an article in order: its headline first, where it has one apart from
/// the text, then those of the text.
///
/// Every character of the text that shows, page clutter included, lies in exactly one
/// sentence; sentences are never empty, never overlap and are trimmed of white space
/// (and of the other characters that [`model_text`](super::model_text) makes nothing of).
/// [`Sentence::start`] and [`Sentence::end`] cut exactly [`Sentence::text`] out of
/// [`Article::text`].
///
/// Quotations are followed over sentences and paragraphs. A sentence that lies wholly
/// inside one has [`Role::Quote`]; where its marks stand elsewhere they are put back in [`Sentence::model_text`],
/// so that the model does not take a speaker's words for the outlet's own.
pub fn split(article: &Article) -> Vec<Sentence> {
    let text = article.text.as_str();
    let units = units(text);
    let prose: Vec<Range<usize>> =
        units.iter().filter(|u| !u.clutter).map(|u| u.range.clone()).collect();
    let mut quotations = quotations(text, &prose);
    let segmenter = Segmenter::new(article.language.as_deref());
    let mut offsets = Offsets { text, byte: 0, characters: 0 };
    let mut sentences = Vec::new();

    let title = article.title.as_deref().map(bare).unwrap_or_default();
    let first = units.iter().find(|u| !u.clutter).map_or("", |u| &text[u.range.clone()]);
    let opening = bare(&first[..first.floor_char_boundary(LONGEST_TITLE)]);
    // A text that begins with its title has no need of it a second time.
    let repeats = title == opening || title.len() >= 15 && opening.starts_with(&title);
    if !title.is_empty() && !repeats {
        sentences.extend(article.title.as_deref().and_then(headline));
    }
    let mut title_due = !title.is_empty() && title == opening;

    for unit in &units {
        if unit.clutter {
            let mut sentence = cut(
                text,
                &unit.range,
                Normal::read(text, unit.range.clone(), false),
                Role::Boilerplate,
            );
            offsets.place(&mut sentence, &unit.range);
            sentences.push(sentence);
            continue;
        }
        let ranges: Vec<Range<usize>> = segmenter
            .sentences(text, unit.range.clone(), &quotations)
            .into_iter()
            .map(|r| trim(text, r))
            .filter(|r| !r.is_empty())
            .collect();
        quotations.end_with_sentence(&ranges);
        let is_title = std::mem::take(&mut title_due) && ranges.len() == 1;
        let alone = ranges.len() == 1 && prose.len() > 1;
        for range in &ranges {
            let source = &text[range.clone()];
            let before = quotations.around(range.start);
            let role = if is_residue(source) {
                Role::Boilerplate
            } else if is_title || alone && before.is_none() && is_headline(source) {
                Role::Headline
            } else if quotations.cover(text, range) {
                Role::Quote
            } else {
                Role::Body
            };
            let mut sentence = cut(text, range, shown(text, range, &quotations), role);
            offsets.place(&mut sentence, range);
            sentences.push(sentence);
        }
    }
    sentences
}

/// The paragraphs of a text.
fn units(text: &str) -> Vec<Unit> {
    let lines = cut_labels(text, lines(text));
    let clutter = clutter(text, &lines);
    let joins = joins_next(text, &lines);
    let mut units: Vec<Unit> = Vec::new();
    let mut joined = false;
    for (i, line) in lines.iter().enumerate() {
        match units.last_mut() {
            Some(last) if joined && !last.clutter && !clutter[i] => last.range.end = line.range.end,
            _ => units.push(Unit { range: line.range.clone(), clutter: clutter[i] }),
        }
        joined = joins[i];
    }
    units
}

/// The form of a sentence that the model reads, marks of quotations restored.
fn shown(text: &str, range: &Range<usize>, quotations: &Quotations) -> Normal {
    let before = quotations.around(range.start);
    let inside = before.is_some_and(|s| s.mark == '"');
    // A paragraph of a long quotation begins with a mark of its own.
    let taken_up = before.is_some_and(|span| {
        quotations.mark_at(range.start).is_some_and(|m| m.turn == Turn::Open && m.mark == span.mark)
    });
    let mut normal = Normal::read(text, range.clone(), inside && !taken_up);
    if let Some(span) = before.filter(|_| !taken_up) {
        // The pair of a single mark that the sentence still has is a single one.
        let has_end = span.range.end <= range.end && span.closed;
        normal.prepend(if has_end { span.mark } else { '"' });
    }
    // A quotation that closes with the sentence has its mark in it, one that was never closed has not.
    let after = quotations
        .around(range.end)
        .or_else(|| quotations.around(range.end.saturating_sub(1)).filter(|s| !s.closed));
    if let Some(span) = after {
        let has_start = span.range.start >= range.start || taken_up;
        normal.append(if has_start { span.mark } else { '"' });
    }
    normal
}

fn cut(text: &str, range: &Range<usize>, normal: Normal, role: Role) -> Sentence {
    Sentence {
        start: None,
        end: None,
        text: text[range.clone()].to_owned(),
        model_text: normal.text,
        map: normal.map,
        role,
    }
}

/// The headline from the title field.
fn headline(title: &str) -> Option<Sentence> {
    let range = trim(title, 0..title.len());
    if range.is_empty() {
        return None;
    }
    let normal = Normal::read(title, range.clone(), false);
    Some(cut(title, &range, normal, Role::Headline))
}

/// The letters and digits of a title, by which it is known whatever its marks and spaces.
fn bare(title: &str) -> String {
    title.chars().filter(|c| c.is_alphanumeric()).flat_map(char::to_lowercase).collect()
}

/// Whether a paragraph of one sentence is a headline: short, begun like one, and without a full stop.
fn is_headline(sentence: &str) -> bool {
    if sentence.chars().nth(HEADLINE_LENGTH).is_some() {
        return false;
    }
    let end = sentence.trim_end_matches(|c: char| {
        c.is_whitespace() || super::normal::plain_quote(c).is_some() || ")]".contains(c)
    });
    let first = sentence.chars().find(|c| c.is_alphanumeric());
    first.is_some_and(|c| !c.is_lowercase())
        && end.ends_with(|c: char| c.is_alphanumeric() || "%€$£*".contains(c))
        && sentence.split_whitespace().nth(HEADLINE_WORDS).is_none()
}

/// Counts characters along the text, so that a whole article is counted once.
struct Offsets<'a> {
    text: &'a str,
    byte: usize,
    characters: usize,
}

impl Offsets<'_> {
    fn at(&mut self, byte: usize) -> usize {
        self.characters += self.text[self.byte..byte].chars().count();
        self.byte = byte;
        self.characters
    }

    fn place(&mut self, sentence: &mut Sentence, range: &Range<usize>) {
        sentence.start = Some(self.at(range.start));
        sentence.end = Some(self.at(range.end));
    }
}
