//! The words of a sentence, for counting them and for pointing at them.

use std::ops::Range;

use unicode_normalization::char::is_combining_mark;

use super::lines::trim;

/// The bytes of the words of `text`, from left to right.
///
/// A word is a run of letters and digits. An apostrophe or a hyphen between two of them
/// belongs to the word (`don't`, `so-called`), a full stop or comma between two digits
/// (`100,000`), a full stop between two single letters (`U.S`) and `&` (`AT&T`). Other
/// characters, quotation marks among them, belong to none. Made for languages that put blanks
/// between words.
///
/// ```
/// let text = "The \"so-called\" U.S. ally's 1,200 men.";
/// let words: Vec<&str> = parallax::text::word_spans(text).map(|w| &text[w]).collect();
/// assert_eq!(words, ["The", "so-called", "U.S", "ally's", "1,200", "men"]);
/// ```
pub fn word_spans(text: &str) -> impl Iterator<Item = Range<usize>> + '_ {
    let mut at = 0;
    std::iter::from_fn(move || {
        let start = at + text.get(at..)?.find(is_letter)?;
        let mut end = start;
        let mut rest = text.get(start..)?.chars().peekable();
        let mut last = None;
        // Letters since the word or its last full stop began.
        let mut letters = 0;
        while let Some(c) = rest.next() {
            let joins = is_letter(c)
                || last
                    .zip(rest.peek())
                    .is_some_and(|(before, &after)| joins(before, c, after, letters));
            if !joins {
                break;
            }
            letters = if c == '.' { 0 } else { letters + 1 };
            last = Some(c);
            end += c.len_utf8();
        }
        at = end;
        Some(start..end)
    })
}

fn is_letter(c: char) -> bool {
    c.is_alphanumeric() || is_combining_mark(c)
}

/// Whether `c` between two characters makes one word of them; `letters` is the number of
/// characters before it since the word or its last full stop began.
fn joins(before: char, c: char, after: char, letters: usize) -> bool {
    let digits = before.is_numeric() && after.is_numeric();
    is_letter(before)
        && is_letter(after)
        && match c {
            '\'' | '’' | '-' | '\u{2010}' | '\u{2011}' | '&' => true,
            ',' => digits,
            '.' => digits || letters == 1 && before.is_alphabetic() && after.is_alphabetic(),
            _ => false,
        }
}

/// The bytes of `source` behind the bytes `range` of a text made from it, by its `map` (see
/// [`Sentence::map`](super::Sentence::map)), without the blanks at either end.
pub fn source_span(source: &str, map: &[u32], range: Range<usize>) -> Range<usize> {
    let byte = |at: usize| map.get(at).map_or(source.len(), |&b| b as usize).min(source.len());
    let start = source.floor_char_boundary(byte(range.start));
    let end = source.floor_char_boundary(byte(range.end)).max(start);
    trim(source, start..end)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn words(text: &str) -> Vec<&str> {
        word_spans(text).map(|w| &text[w]).collect()
    }

    #[test]
    fn joins_what_belongs_together() {
        assert_eq!(
            words("It’s the states' 3.5-mile wall"),
            ["It’s", "the", "states", "3.5-mile", "wall"]
        );
        assert_eq!(words("end.Begin"), ["end", "Begin"]);
        assert_eq!(
            words("A.B.C. of U.N.-led co-op -- x"),
            ["A.B.C", "of", "U.N", "led", "co-op", "x"]
        );
        assert_eq!(words("e\u{301}lan 'quoted'"), ["e\u{301}lan", "quoted"]);
        assert!(words(" “…” \u{ad}").is_empty());
    }

    #[test]
    fn leads_back_to_the_source() {
        let source = "a\u{a0}so\u{ad}cial  “ally” ";
        let normal = super::super::normal::Normal::read(source, 0..source.len(), false);
        let at = normal.text.find("social").expect("it is there");
        assert_eq!(&source[source_span(source, &normal.map, at..at + 6)], "so\u{ad}cial");
    }

    proptest! {
        #[test]
        fn words_stand_apart_and_hold_every_letter(text in "\\PC{0,80}|[a-z0-9 .,'&\u{301}-]{0,80}") {
            let mut at = 0;
            for word in word_spans(&text) {
                prop_assert!(word.start >= at && word.end > word.start);
                prop_assert!(!text[at..word.start].contains(is_letter));
                prop_assert!(text[word.clone()].starts_with(is_letter) && text[word.clone()].ends_with(is_letter));
                prop_assert!(!text[word.end..].starts_with(is_letter));
                at = word.end;
            }
            prop_assert!(!text[at..].contains(is_letter));
        }
    }
}
