//! The form in which the model reads a sentence. Typography that carries no meaning
//! (which quotation mark, which space, which invisible character) is made uniform,
//! so that it can change no label; a byte map leads back to the text as it stands.

use std::ops::Range;

use unicode_normalization::char::{compose, is_combining_mark};

/// A normalised text with the way back to its source.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Normal {
    /// The normalised text.
    pub text: String,
    /// For each byte of `text`, and one past the end, the byte of the source that it came from.
    pub map: Vec<u32>,
}

/// What the model reads for a sentence that stands alone; training data goes through
/// the same function. Quotation marks of all kinds become `"` and `'`, two single marks side
/// by side become `"`; runs of spaces, line breaks, control characters (NUL among
/// them) and escaped line breaks (a backslash and an `n`) become one space; characters
/// that do not show (zero-width, soft hyphen, byte order and direction marks) are
/// removed; a letter and its accent become one character; a space lost after a closing
/// quotation mark is put back. Dashes, case and everything else stay.
///
/// ```
/// let shown = parallax::text::model_text("the\u{a0}“so\u{ad}-called”\u{200b}ally");
/// assert_eq!(shown, r#"the "so-called" ally"#);
/// ```
pub fn model_text(text: &str) -> String {
    Normal::read(text, 0..text.len(), false).text
}

impl Normal {
    /// Normalises `range` of `text`; the map leads to bytes of that part. `inside` says
    /// whether it begins inside a quotation, in which case the first straight mark closes one.
    pub(crate) fn read(text: &str, range: Range<usize>, inside: bool) -> Self {
        let mut out = Builder {
            text: String::with_capacity(range.len() + 2),
            map: Vec::with_capacity(range.len() + 3),
            space_at: None,
            base: range.start,
        };
        let mut inside = inside;
        let mut at = range.start;
        while at < range.end {
            let Some(c) = text[at..].chars().next() else { break };
            // Most of most texts.
            if c.is_ascii_alphanumeric() || matches!(c, ',' | '.' | '-') {
                out.settle_space();
                out.text.push(c);
                out.map.push(offset(at - range.start));
                at += 1;
                continue;
            }
            let len = blank_len(text, at);
            if len > 0 {
                if !is_invisible(c) {
                    out.space(at);
                }
                at += len;
                continue;
            }
            let next = at + c.len_utf8();
            let single = plain_quote(c) == Some('\'');
            let twin = if single { skip_invisible(text, next) } else { next };
            let doubled = text[twin..]
                .chars()
                .next()
                .filter(|&d| single && twin < range.end && plain_quote(d) == Some('\''));
            let end = doubled.map_or(next, |d| twin + d.len_utf8());
            let plain = if doubled.is_some() { Some('"') } else { plain_quote(c) };
            match plain {
                Some('"') => {
                    inside = match c {
                        '“' | '„' | '«' | '〝' => true,
                        '”' | '»' | '〞' => false,
                        _ => !inside,
                    };
                    let hugs = out.space_at.is_none()
                        && out
                            .text
                            .ends_with(|c: char| c.is_alphanumeric() || ".,!?;:…)]'".contains(c));
                    out.push('"', at);
                    if hugs && !inside {
                        let follow = skip_invisible(text, end);
                        if follow < range.end && text[follow..].starts_with(char::is_alphanumeric) {
                            out.space(follow);
                        }
                    }
                }
                Some(mark) => out.push(mark, at),
                None => out.copy(c, at),
            }
            at = end;
        }
        out.map.push(offset(range.len()));
        Normal { text: out.text, map: out.map }
    }

    /// Puts `mark` before the text.
    pub(crate) fn prepend(&mut self, mark: char) {
        self.text.insert(0, mark);
        let first = self.map.first().copied().unwrap_or(0);
        self.map.splice(0..0, std::iter::repeat_n(first, mark.len_utf8()));
    }

    /// Puts `mark` after the text.
    pub(crate) fn append(&mut self, mark: char) {
        self.text.push(mark);
        let last = self.map.last().copied().unwrap_or(0);
        self.map.extend(std::iter::repeat_n(last, mark.len_utf8()));
    }
}

struct Builder {
    text: String,
    map: Vec<u32>,
    /// Where a space is due, should anything follow.
    space_at: Option<usize>,
    /// Where the part begins that the map leads to.
    base: usize,
}

impl Builder {
    fn space(&mut self, at: usize) {
        if !self.text.is_empty() && self.space_at.is_none() {
            self.space_at = Some(at);
        }
    }

    fn settle_space(&mut self) {
        if let Some(at) = self.space_at.take() {
            self.text.push(' ');
            self.map.push(offset(at - self.base));
        }
    }

    /// A character that replaces what stands at `at`.
    fn push(&mut self, c: char, at: usize) {
        self.settle_space();
        self.text.push(c);
        self.map.extend(std::iter::repeat_n(offset(at - self.base), c.len_utf8()));
    }

    /// A character of the source as it stands, composed with the one before where it is an accent.
    fn copy(&mut self, c: char, at: usize) {
        if self.space_at.is_none()
            && c >= '\u{300}'
            && is_combining_mark(c)
            && let Some(base) = self.text.chars().next_back()
            && let Some(one) = compose(base, c)
        {
            self.text.pop();
            let from = self.map[self.text.len()];
            self.map.truncate(self.text.len());
            self.text.push(one);
            self.map.extend(std::iter::repeat_n(from, one.len_utf8()));
            return;
        }
        self.settle_space();
        self.text.push(c);
        self.map.extend((0..c.len_utf8()).map(|i| offset(at - self.base + i)));
    }
}

/// A position within one sentence; texts over 4 GiB are refused long before.
fn offset(at: usize) -> u32 {
    u32::try_from(at).unwrap_or(u32::MAX)
}

/// The straight form of a quotation mark.
pub(crate) fn plain_quote(c: char) -> Option<char> {
    match c {
        '"' | '“' | '”' | '„' | '‟' | '«' | '»' | '〝' | '〞' | '＂' | '″' => {
            Some('"')
        }
        '\'' | '‘' | '’' | '‚' | '‛' | '‹' | '›' | '`' | '´' | 'ʼ' | '＇' => {
            Some('\'')
        }
        _ => None,
    }
}

/// Characters that show as nothing, not even as a space.
pub(crate) fn is_invisible(c: char) -> bool {
    matches!(c,
        '\u{ad}' | '\u{34f}' | '\u{61c}' | '\u{180e}' | '\u{200b}'..='\u{200f}'
        | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}'
        | '\u{fe00}'..='\u{fe0f}' | '\u{e0000}'..='\u{e01ef}')
}

/// Length in bytes of the blank at `at`, 0 if what stands there is not blank. Blank is what the model
/// never sees: white space, control characters, invisible characters, and the two
/// characters of an escaped line break.
pub(crate) fn blank_len(text: &str, at: usize) -> usize {
    // Everything in ASCII that shows, but the backslash.
    if matches!(text.as_bytes().get(at), Some(b'!'..=b'[' | b']'..=b'~')) {
        return 0;
    }
    match text[at..].chars().next() {
        Some('\\') if is_escaped_break(text, at) => 2,
        Some(c) if c.is_whitespace() || c.is_control() || c == '\u{2800}' || is_invisible(c) => {
            c.len_utf8()
        }
        _ => 0,
    }
}

/// Whether a backslash and an `n` (or `r`) stand for a line break at `at`, as in texts that were escaped
/// once too often, rather than being part of a path such as `C:\new`.
pub(crate) fn is_escaped_break(text: &str, at: usize) -> bool {
    let bytes = text.as_bytes();
    if bytes.get(at) != Some(&b'\\') || !matches!(bytes.get(at + 1), Some(b'n' | b'r')) {
        return false;
    }
    let before = text[..at].chars().next_back();
    let after = text[at + 2..].chars().next();
    after.is_none_or(|c| c.is_whitespace() || c.is_control() || c == '\\')
        || before
            .is_none_or(|c| c.is_whitespace() || ".!?…)]".contains(c) || plain_quote(c).is_some())
}

/// The first position at or after `at` that holds no invisible character.
fn skip_invisible(text: &str, at: usize) -> usize {
    at + text[at..].chars().take_while(|&c| is_invisible(c)).map(char::len_utf8).sum::<usize>()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn typography_is_made_uniform() {
        for (source, shown) in [
            ("“military build-up”allegedly run", "\"military build-up\" allegedly run"),
            ("a \"build-up\"allegedly run", "a \"build-up\" allegedly run"),
            ("``So be it,'' he said", "\"So be it,\" he said"),
            ("«Oui», ‹non›, „ja“, ‚nein‘", "\"Oui\", 'non', \"ja\", 'nein'"),
            ("it’s the workers’ day", "it's the workers' day"),
            ("\u{feff}A\u{0}\u{0}b\t\r\n c\u{2009}d ", "A b c d"),
            ("so\u{ad}ci\u{200b}al \u{200e}\u{202e}x", "social x"),
            ("1990–95 — and on", "1990–95 — and on"),
            ("Erdog\u{306}an in Co\u{302}te", "Erdo\u{11f}an in C\u{f4}te"),
            ("It ends. \\n\nIt goes on.\\nNext", "It ends. It goes on. Next"),
            (r"in C:\new\red", r"in C:\new\red"),
            ("\u{200b} \n", ""),
            ("", ""),
        ] {
            assert_eq!(model_text(source), shown, "{source:?}");
        }
    }

    #[test]
    fn the_map_leads_back() {
        let source = "The\u{a0}“A\u{ad}lly”left";
        let normal = Normal::read(source, 0..source.len(), false);
        assert_eq!(normal.text, "The \"Ally\" left");
        let at = normal.text.find("lly").expect("it is there");
        assert!(source[normal.map[at] as usize..].starts_with("lly”"));
        let at = normal.text.find("left").expect("it is there");
        assert_eq!(&source[normal.map[at] as usize..], "left");
    }

    #[test]
    fn restored_marks_keep_the_map_whole() {
        let mut normal = Normal::read("It must,” he", 0..14, true);
        normal.prepend('"');
        normal.append('"');
        assert_eq!(normal.text, "\"It must,\" he\"");
        assert_eq!(normal.map.len(), normal.text.len() + 1);
        assert!(normal.map.is_sorted());
    }

    proptest! {
        #[test]
        fn the_map_is_monotone_and_within_bounds(source in "\\PC{0,60}|[ -~\u{a0}“”‘’\u{ad}\u{200f}\u{301}\\\\n\u{0}\r\n]{0,60}") {
            let normal = Normal::read(&source, 0..source.len(), false);
            prop_assert_eq!(normal.map.len(), normal.text.len() + 1);
            prop_assert!(normal.map.is_sorted());
            prop_assert_eq!(*normal.map.last().expect("never empty") as usize, source.len());
            for (at, _) in normal.text.char_indices() {
                prop_assert!(source.is_char_boundary(normal.map[at] as usize));
            }
            let odd_mark = |c| c != '"' && plain_quote(c) == Some('"');
            if !source.contains('\\') && !source.contains(odd_mark) {
                prop_assert_eq!(model_text(&normal.text), normal.text);
            }
        }

        #[test]
        fn typography_changes_nothing(words in prop::collection::vec("[a-zA-Z0-9]{1,8}[,.]?", 1..12), seed in any::<u64>()) {
            let clean = words.join(" ");
            let mut odd = String::new();
            for (i, c) in clean.chars().enumerate() {
                let bit = seed.rotate_left(i as u32 * 7) & 7;
                if c == ' ' && bit < 4 {
                    odd.push_str(["\u{a0}", " \n ", "\t\u{200b}", "\u{2003}"][bit as usize]);
                } else {
                    odd.push(c);
                    if bit == 5 { odd.push('\u{ad}'); }
                    if bit == 6 { odd.push('\u{200d}'); }
                }
            }
            prop_assert_eq!(model_text(&odd), &clean[..]);
            prop_assert_eq!(model_text(&format!("“{odd}”")), format!("\"{clean}\""));
        }
    }
}
