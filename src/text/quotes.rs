//! Quotations of a whole article: which marks open and close them, and how far they
//! run. Newspapers open every paragraph of a long quotation with a mark and close only
//! the last; scraped pages lose marks. Both must not turn a speaker's words into the
//! outlet's own, nor the rest of an article into one quotation.

use std::ops::Range;

use super::normal::{blank_len, is_invisible, plain_quote};

/// No quotation runs longer than this many bytes: beyond, a closing mark was lost.
const LONGEST: usize = 3000;

/// What a quotation mark does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Turn {
    Open,
    Close,
    /// Nothing that could be told: an inch mark, a mark whose partner was lost.
    Stray,
}

/// A quotation mark, apostrophes excepted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Mark {
    /// Bytes of the text.
    pub range: Range<usize>,
    pub turn: Turn,
    /// `"` or `'`.
    pub mark: char,
}

/// A quotation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Span {
    /// Bytes of the text, marks included.
    pub range: Range<usize>,
    /// `"` or `'`.
    pub mark: char,
    /// Whether its closing mark was found. Without one, it is taken to end with the
    /// sentence in which it opened.
    pub closed: bool,
}

/// The quotations of an article.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Quotations {
    /// All marks, in order.
    pub marks: Vec<Mark>,
    /// Outermost quotations, in order; they do not overlap.
    pub spans: Vec<Span>,
}

/// What a mark's own form and neighbours say.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Hint {
    Open,
    Close,
    Either,
}

struct Raw {
    range: Range<usize>,
    hint: Hint,
}

/// Finds the quotations in the paragraphs `units` (byte ranges in order) of `text`.
pub(crate) fn quotations(text: &str, units: &[Range<usize>]) -> Quotations {
    let doubles: Vec<Vec<Raw>> = units.iter().map(|u| double_marks(text, u)).collect();
    let mut tracker = Tracker { text, open: None, depth: 0, found: Quotations::default() };
    let next_marked = next_marked(&doubles);
    for (i, unit) in units.iter().enumerate() {
        for (j, raw) in doubles[i].iter().enumerate() {
            tracker.turn(raw, raw.range.start == unit.start, &doubles[i][j + 1..]);
        }
        if let Some(start) = tracker.open {
            let goes_on = next_marked[i + 1].is_some_and(|k| {
                let Some(first) = doubles[k].first() else { return false };
                let reopens = first.range.start == units[k].start;
                first.range.start - start <= LONGEST
                    && if reopens {
                        // Only the very next paragraph can take a quotation up with a mark of its own.
                        k == i + 1
                    } else {
                        match first.hint {
                            Hint::Close => true,
                            Hint::Open => false,
                            Hint::Either => doubles[k].len() % 2 == 1,
                        }
                    }
            });
            if !goes_on {
                tracker.lose(unit.end);
            }
        }
        let singles = single_marks(text, units, i);
        tracker.found.marks.extend(singles.marks);
        tracker.found.spans.extend(singles.spans);
    }
    let mut found = tracker.found;
    found.marks.sort_by_key(|m| (m.range.start, m.range.end));
    found.spans.sort_by_key(|s| (s.range.start, std::cmp::Reverse(s.range.end)));
    // Inner quotations belong to the speaker; only the outermost count.
    let mut end = 0;
    found.spans.retain(|s| {
        let outermost = s.range.start >= end;
        if outermost {
            end = s.range.end;
        }
        outermost
    });
    found
}

/// For each unit, the first one from it on that has a mark; one entry more than units.
fn next_marked(doubles: &[Vec<Raw>]) -> Vec<Option<usize>> {
    let mut next = vec![None; doubles.len() + 1];
    for i in (0..doubles.len()).rev() {
        next[i] = if doubles[i].is_empty() { next[i + 1] } else { Some(i) };
    }
    next
}

struct Tracker<'a> {
    text: &'a str,
    /// Where the quotation that is open began.
    open: Option<usize>,
    /// How many quotations are open inside it.
    depth: usize,
    found: Quotations,
}

impl Tracker<'_> {
    fn turn(&mut self, raw: &Raw, at_start: bool, rest: &[Raw]) {
        let turn = match (self.open, raw.hint) {
            (None, Hint::Close) => Turn::Stray,
            (None, _) => {
                self.open = Some(raw.range.start);
                self.depth = 0;
                Turn::Open
            }
            // A paragraph of a long quotation begins.
            (Some(_), Hint::Open | Hint::Either) if at_start => Turn::Open,
            (Some(start), Hint::Open) => {
                let closers = rest.iter().take_while(|r| r.hint == Hint::Close).count();
                if closers >= 2 + self.depth {
                    self.depth += 1;
                } else if closers == 0 && self.depth == 0 && self.is_slip(start, raw) {
                    self.open = None;
                    self.push(start..raw.range.end, true);
                    self.found.marks.push(Mark {
                        range: raw.range.clone(),
                        turn: Turn::Close,
                        mark: '"',
                    });
                    return;
                } else if self.depth == 0 {
                    // Its closing mark was lost before this one opened.
                    self.open = Some(raw.range.start);
                    self.push(start..raw.range.start, false);
                }
                Turn::Open
            }
            (Some(_), _) if self.depth > 0 => {
                self.depth -= 1;
                Turn::Close
            }
            (Some(start), _) => {
                self.open = None;
                if raw.range.end - start <= 2 * LONGEST {
                    self.push(start..raw.range.end, true);
                    Turn::Close
                } else {
                    Turn::Stray
                }
            }
        };
        self.found.marks.push(Mark { range: raw.range.clone(), turn, mark: '"' });
    }

    /// Whether an opening mark was typed for a closing one, as in `“bumps in the road “ahead` and
    /// `“It is shut, “he said`.
    fn is_slip(&self, start: usize, raw: &Raw) -> bool {
        let between = &self.text[start..raw.range.start];
        between.len() <= LONGEST
            && !between.contains(['.', '!', '?'])
            && (between.len() <= 80 || between.trim_end().ends_with(','))
    }

    /// The paragraph ends at `end` and the quotation with it, though nothing closed it.
    fn lose(&mut self, end: usize) {
        if let Some(start) = self.open.take() {
            self.depth = 0;
            self.push(start..end, false);
        }
    }

    fn push(&mut self, range: Range<usize>, closed: bool) {
        self.found.spans.push(Span { range, mark: '"', closed });
    }
}

/// The double marks of a paragraph, `''` and two backticks among them.
fn double_marks(text: &str, unit: &Range<usize>) -> Vec<Raw> {
    let mut marks = Vec::new();
    let bytes = text.as_bytes();
    let mut at = unit.start;
    let mut low_open = false;
    while at < unit.end {
        // All marks are ASCII quotes, start with C2 (« »), or E2 80 (the curly ones), E3 80, EF BC.
        if !matches!(bytes[at], b'"' | b'\'' | b'`' | 0xc2 | 0xe2 | 0xe3 | 0xef) {
            at += 1;
            continue;
        }
        let Some(c) = text[at..].chars().next() else { break };
        let mut end = at + c.len_utf8();
        let doubled =
            matches!(c, '\'' | '`' | '‘' | '’') && end < unit.end && text[end..].starts_with(c);
        if doubled {
            end += c.len_utf8();
        }
        let hint = match c {
            '“' if low_open => Some(Hint::Close),
            '“' | '„' | '‟' | '«' | '〝' => Some(Hint::Open),
            '»' | '〞' => Some(Hint::Close),
            // At the beginning of a word a closing mark was typed for an opening one.
            '”' => Some(match neighbours(text, unit, at..end) {
                Hint::Open => Hint::Either,
                _ => Hint::Close,
            }),
            '"' | '＂' | '″' => Some(neighbours(text, unit, at..end)),
            '`' | '‘' if doubled => Some(Hint::Open),
            '\'' | '’' if doubled => Some(neighbours(text, unit, at..end)),
            _ => None,
        };
        if let Some(hint) = hint {
            low_open = c == '„' || (low_open && c != '“');
            marks.push(Raw { range: at..end, hint });
        }
        at = end;
    }
    marks
}

/// What the characters around a straight mark say of it.
fn neighbours(text: &str, unit: &Range<usize>, mark: Range<usize>) -> Hint {
    let before = text[unit.start..mark.start].chars().rev().find(|&c| !is_invisible(c));
    let after = text[mark.end..unit.end].chars().find(|&c| !is_invisible(c));
    let opens_after = before.is_none_or(|c| c.is_whitespace() || "([{—–-/‘'".contains(c));
    let closes_before = after.is_none_or(|c| c.is_whitespace() || ".,;:!?)]}…—–-/’'".contains(c));
    match (before, after) {
        (None, _) => Hint::Open,
        (_, None) => Hint::Close,
        _ if opens_after && !closes_before => Hint::Open,
        _ if closes_before && !opens_after => Hint::Close,
        _ => Hint::Either,
    }
}

/// A single mark that may open or close a quotation.
struct Single {
    range: Range<usize>,
    opens: bool,
    closes: bool,
    /// It may be the apostrophe of a possessive plural instead.
    doubtful: bool,
    /// A full stop, comma or the like stands before it, as at the end of speech.
    after_stop: bool,
}

/// The quotations of paragraph `i` that stand in single marks.
fn single_marks(text: &str, units: &[Range<usize>], i: usize) -> Quotations {
    let mut found = Quotations::default();
    let candidates = single_candidates(text, &units[i]);
    let mut at = 0;
    while at < candidates.len() {
        let open = &candidates[at];
        if !open.opens {
            at += 1;
            continue;
        }
        // Up to the next mark that can only open one.
        let closers = || {
            (at + 1..candidates.len())
                .take_while(|&k| {
                    let next = &candidates[k];
                    next.range.end - open.range.start <= LONGEST && (next.closes || !next.opens)
                })
                .filter(|&k| candidates[k].closes && candidates[k].range.start > open.range.end)
        };
        let first = closers().next();
        let close = match first {
            Some(k) if candidates[k].doubtful => {
                closers().find(|&k| !candidates[k].doubtful && candidates[k].after_stop).or(first)
            }
            other => other,
        };
        let reopened = || {
            let next = units.get(i + 1)?;
            (open.range.start == units[i].start && text[next.clone()].starts_with('‘'))
                .then_some(units[i].end)
        };
        if let Some(k) = close {
            found.marks.push(Mark { range: open.range.clone(), turn: Turn::Open, mark: '\'' });
            found.marks.push(Mark {
                range: candidates[k].range.clone(),
                turn: Turn::Close,
                mark: '\'',
            });
            let range = open.range.start..candidates[k].range.end;
            found.spans.push(Span { range, mark: '\'', closed: true });
            at = k + 1;
        } else if let (true, Some(end)) = (text[open.range.clone()].starts_with('‘'), reopened())
        {
            found.marks.push(Mark { range: open.range.clone(), turn: Turn::Open, mark: '\'' });
            found.spans.push(Span { range: open.range.start..end, mark: '\'', closed: true });
            break;
        } else {
            at += 1;
        }
    }
    found
}

fn single_candidates(text: &str, unit: &Range<usize>) -> Vec<Single> {
    let mut found: Vec<Single> = Vec::new();
    let bytes = text.as_bytes();
    let mut at = unit.start;
    while at < unit.end {
        if !matches!(bytes[at], b'\'' | b'`' | 0xe2) {
            at += 1;
            continue;
        }
        let Some(c) = text[at..].chars().next() else { break };
        let end = at + c.len_utf8();
        if plain_quote(c) == Some('\'') && c != '‹' && c != '›' {
            let before = text[unit.start..at].chars().rev().find(|&c| !is_invisible(c));
            let rest = &text[end..unit.end];
            let after = rest.chars().find(|&c| !is_invisible(c));
            let doubled = before.is_some_and(|b| b == c) || after == Some(c);
            let word_before = before.is_some_and(char::is_alphanumeric);
            let word_after = after.is_some_and(char::is_alphanumeric);
            let blank = |c: Option<char>| c.is_none_or(char::is_whitespace);
            let double = |c: Option<char>| c.and_then(plain_quote) == Some('"');
            let opens = !doubled
                && c != '’'
                && !word_before
                && !before.is_some_and(|b| ".,!?;:…)]".contains(b))
                && (blank(before)
                    || double(before)
                    || before.is_some_and(|b| "([{—–-/:".contains(b)))
                && (!blank(after) || c == '‘')
                && !is_elision(rest);
            let detached = blank(before) && blank(after) && !is_clitic(rest);
            let closes = !doubled
                && c != '‘'
                && !word_after
                && (!blank(before) || detached)
                && (blank(after)
                    || double(after)
                    || after.is_some_and(|a| ".,;:!?)]}…—–-/".contains(a)));
            if opens || closes {
                let doubtful = matches!(before, Some('s' | 'S' | 'z' | 'x'))
                    && blank(after)
                    && rest.trim_start().starts_with(char::is_lowercase);
                let after_stop = before.is_some_and(|b| ".,!?…".contains(b));
                found.push(Single { range: at..end, opens, closes, doubtful, after_stop });
            }
        }
        at = end;
    }
    found
}

/// Whether what follows an apostrophe is a shortened word: '90s, 'em, 'til.
fn is_elision(rest: &str) -> bool {
    let word = rest.split(|c: char| !c.is_alphanumeric()).next().unwrap_or_default();
    let decade = word.len() >= 2 && word.as_bytes()[..2].iter().all(u8::is_ascii_digit);
    let short = ["em", "til", "tis", "twas", "cause", "bout", "round", "n"];
    (decade && matches!(word.get(2..), Some("" | "s")))
        || short.iter().any(|s| word.eq_ignore_ascii_case(s))
}

/// Whether a detached mark belongs to what follows, as in the tokenised `Vale ’ s`.
fn is_clitic(rest: &str) -> bool {
    let word = rest.trim_start().split(|c: char| !c.is_alphanumeric()).next().unwrap_or_default();
    ["s", "t", "re", "ve", "ll", "d", "m"].iter().any(|s| word.eq_ignore_ascii_case(s))
}

impl Quotations {
    /// The quotation that `at` lies inside, strictly after its beginning.
    pub(crate) fn around(&self, at: usize) -> Option<&Span> {
        let after = self.spans.partition_point(|s| s.range.start < at);
        self.spans[..after].last().filter(|s| at < s.range.end)
    }

    /// The mark that starts at `at`.
    pub(crate) fn mark_at(&self, at: usize) -> Option<&Mark> {
        let i = self.marks.partition_point(|m| m.range.start < at);
        self.marks.get(i).filter(|m| m.range.start == at)
    }

    /// The marks in `range`.
    pub(crate) fn marks_in(&self, range: &Range<usize>) -> &[Mark] {
        let from = self.marks.partition_point(|m| m.range.start < range.start);
        let to = self.marks.partition_point(|m| m.range.start < range.end);
        &self.marks[from..to]
    }

    /// Ends the quotations that were never closed with the sentence in which they opened.
    pub(crate) fn end_with_sentence(&mut self, sentences: &[Range<usize>]) {
        let (Some(first), Some(last)) = (sentences.first(), sentences.last()) else { return };
        let from = self.spans.partition_point(|s| s.range.start < first.start);
        for span in self.spans[from..].iter_mut().take_while(|s| s.range.start < last.end) {
            if !span.closed {
                let i = sentences.partition_point(|s| s.end <= span.range.start);
                if let Some(sentence) = sentences.get(i) {
                    span.range.end = span.range.end.min(sentence.end);
                }
            }
        }
    }

    /// Whether all letters and digits of `range` stand in quotations, and there are some.
    pub(crate) fn cover(&self, text: &str, range: &Range<usize>) -> bool {
        let word = |r: Range<usize>| {
            r.start < r.end && {
                let mut at = r.start;
                let mut found = false;
                while at < r.end && !found {
                    let blank = blank_len(text, at);
                    let Some(c) = text[at..].chars().next() else { break };
                    found = blank == 0 && c.is_alphanumeric();
                    at += if blank > 0 { blank } else { c.len_utf8() };
                }
                found
            }
        };
        let from = self.spans.partition_point(|s| s.range.end <= range.start);
        let mut at = range.start;
        let mut any = false;
        for span in self.spans[from..].iter().take_while(|s| s.range.start < range.end) {
            if word(at..span.range.start) {
                return false;
            }
            any |= word(span.range.start.max(range.start)..span.range.end.min(range.end));
            at = span.range.end;
        }
        any && !word(at..range.end)
    }
}
