//! Lines and paragraphs: the only layout that survives when an article becomes plain text.

use std::ops::Range;

use super::normal::{blank_len, is_escaped_break};

/// A line of an article with something on it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Line {
    /// Bytes of the text, white space trimmed.
    pub range: Range<usize>,
    /// Whether an empty line, or an escaped break, stands before it.
    pub gap: bool,
    /// Whether a sentence breaks off here for a reason other than the line's end (a
    /// label cut off from the words after it).
    pub cut: bool,
}

/// The lines of `text` that are not blank.
pub(crate) fn lines(text: &str) -> Vec<Line> {
    let mut found: Vec<Line> = Vec::new();
    let (mut start, mut breaks, mut escaped) = (0, 0, false);
    let mut at = 0;
    loop {
        let (len, is_escape) = break_len(text, at);
        let ended = at >= text.len();
        if len == 0 && !ended {
            at += text[at..].chars().next().map_or(1, char::len_utf8);
            continue;
        }
        let range = trim(text, start..at);
        if !range.is_empty() {
            found.push(Line { range, gap: found.is_empty() || breaks > 1 || escaped, cut: false });
            (breaks, escaped) = (0, false);
        }
        if ended {
            return found;
        }
        breaks += 1;
        escaped |= is_escape;
        at += len;
        start = at;
    }
}

/// Length of the line break at `at` (0: none), and whether it is an escaped one.
fn break_len(text: &str, at: usize) -> (usize, bool) {
    let rest = &text[at..];
    match rest.as_bytes().first() {
        Some(b'\r') if rest.as_bytes().get(1) == Some(&b'\n') => (2, false),
        Some(b'\n' | b'\r' | 0x0b | 0x0c) => (1, false),
        Some(b'\\') if is_escaped_break(text, at) => (2, true),
        // U+0085 (C2 85), U+2028 and U+2029 (E2 80 A8 and A9)
        Some(0xc2) if rest.starts_with('\u{85}') => (2, false),
        Some(0xe2) if rest.starts_with(['\u{2028}', '\u{2029}']) => (3, false),
        _ => (0, false),
    }
}

/// `range` without the blanks at both ends.
pub(crate) fn trim(text: &str, range: Range<usize>) -> Range<usize> {
    let mut start = range.start;
    while start < range.end {
        match blank_len(text, start) {
            0 => break,
            len => start += len,
        }
    }
    let mut end = range.end;
    while end > start {
        let Some(last) = text[start..end].chars().next_back() else { break };
        let escaped = end >= start + 2 && is_escaped_break(text, end - 2);
        let from = if escaped { end - 2 } else { end - last.len_utf8() };
        if !escaped && blank_len(text, from) == 0 {
            break;
        }
        end = from;
    }
    start..end.max(start)
}

/// Which lines go on in the next one: broken by a mail program or a typesetter rather than by the writer.
/// `ends_sentence(i)` says whether line `i` ends like a sentence.
pub(crate) fn joins_next(text: &str, lines: &[Line]) -> Vec<bool> {
    let mut joins = vec![false; lines.len()];
    let mut at = 0;
    while at < lines.len() {
        let end = (at + 1..lines.len())
            .find(|&i| lines[i].gap || lines[i].cut || lines[i - 1].cut)
            .unwrap_or(lines.len());
        let wrapped = is_wrapped(text, &lines[at..end]);
        for i in at..end.saturating_sub(1) {
            let next = &text[lines[i + 1].range.clone()];
            joins[i] = wrapped || next.starts_with(char::is_lowercase);
        }
        at = end;
    }
    joins
}

/// Whether lines were filled to a fixed width: no line has room for the first word of the next.
fn is_wrapped(text: &str, lines: &[Line]) -> bool {
    if lines.len() < 3 {
        return false;
    }
    let lengths: Vec<usize> =
        lines.iter().map(|l| text[l.range.clone()].chars().take(200).count()).collect();
    let width = lengths.iter().copied().max().unwrap_or(0);
    (40..=110).contains(&width)
        && lines.windows(2).zip(&lengths).all(|(pair, length)| {
            let word = text[pair[1].range.clone()].chars().take_while(|c| !c.is_whitespace());
            length + 1 + word.count() > width
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn texts(text: &str) -> Vec<(&str, bool)> {
        lines(text).into_iter().map(|l| (&text[l.range], l.gap)).collect()
    }

    #[test]
    fn lines_are_found_whatever_breaks_them() {
        assert_eq!(
            texts("One \r\n\r\n two\nthree \\n\n four \\n Five\u{2029}\u{a0}\n\n"),
            [("One", true), ("two", true), ("three", false), ("four", true), ("Five", true)]
        );
        assert!(texts(" \u{0}\n\u{200b}").is_empty());
    }

    #[test]
    fn filled_lines_are_joined_and_others_are_not() {
        let joined = |text: &str| joins_next(text, &lines(text));
        let filled = "The council of the town has put off the\nVale bridge for another year, it said in a\nStatement on Monday.";
        assert_eq!(joined(filled), [true, true, false]);
        assert_eq!(joined("Bridge put off\nTown says money is short\nMore soon"), [false; 3]);
        assert_eq!(joined("“It is late!”\nhe said."), [true, false]);
        assert_eq!(joined("“It is late!”\n\nhe said."), [false, false]);
    }
}
