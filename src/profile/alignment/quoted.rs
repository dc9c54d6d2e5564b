//! What of a sentence stands in quotation marks. The article is not at hand here, so a
//! mark whose partner is missing is taken to open at the sentence's beginning or close at
//! its end, as in a quotation that runs over several sentences.

use std::ops::Range;

/// The quoted parts of a sentence, in Unicode characters of its text.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Quoted {
    spans: Vec<Range<usize>>,
    /// For each span, whether both its marks stand in the sentence.
    closed: Vec<bool>,
}

impl Quoted {
    /// The parts, marks left out, in order; they do not overlap.
    pub(super) fn spans(&self) -> &[Range<usize>] {
        &self.spans
    }

    /// The parts that have both their marks in the sentence.
    pub(super) fn closed(&self) -> impl Iterator<Item = &Range<usize>> {
        self.spans.iter().zip(&self.closed).filter_map(|(span, closed)| closed.then_some(span))
    }

    /// Whether the characters from `start` to `end` are quoted.
    pub(super) fn covers(&self, start: usize, end: usize) -> bool {
        self.spans.iter().any(|s| s.start <= start && end <= s.end)
    }
}

/// Finds the quoted parts of `text`; `throughout` says that the whole sentence is
/// quotation, whatever marks it has.
pub(super) fn quoted(text: &[char], throughout: bool) -> Quoted {
    if throughout {
        return Quoted { spans: std::iter::once(0..text.len()).collect(), closed: vec![false] };
    }
    let mut found = Quoted::default();
    let mut open: Option<(usize, bool)> = None;
    let mut end = 0;
    for (i, &c) in text.iter().enumerate() {
        let before = i.checked_sub(1).and_then(|b| text.get(b)).copied();
        let after = text.get(i + 1).copied();
        let double = matches!(c, '"' | '“' | '”' | '„' | '«' | '»');
        let single = matches!(c, '\'' | '‘' | '’');
        if !double && !single {
            continue;
        }
        let opens = match c {
            '“' | '„' | '«' | '‘' => true,
            '”' | '»' => false,
            _ => before.is_none_or(|b| b.is_whitespace() || "([-–—".contains(b)),
        };
        match open {
            // An apostrophe stands between letters, or after one inside double marks.
            _ if single
                && before.is_some_and(char::is_alphanumeric)
                && after.is_some_and(char::is_alphanumeric) => {}
            Some((start, by_single)) if !opens && by_single == single => {
                found.spans.push(start..i);
                found.closed.push(true);
                open = None;
                end = i + 1;
            }
            Some((_, true)) if opens && double => open = Some((i + 1, false)),
            Some(_) => {}
            None if opens => open = Some((i + 1, single)),
            None if double => {
                found.spans.push(end..i);
                found.closed.push(false);
                end = i + 1;
            }
            None => {}
        }
    }
    if let Some((start, false)) = open {
        found.spans.push(start..text.len());
        found.closed.push(false);
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn parts(text: &str) -> Vec<String> {
        let chars: Vec<char> = text.chars().collect();
        let found = quoted(&chars, false);
        found.spans().iter().map(|s| chars[s.clone()].iter().collect()).collect()
    }

    #[test]
    fn finds_quotations_and_no_apostrophes() {
        assert_eq!(parts("The “old bridge” isn't Orsa's."), ["old bridge"]);
        assert_eq!(parts("'Real risk' of a flood"), ["Real risk"]);
        assert_eq!(parts("She said: \"It's the workers' day.\""), ["It's the workers' day."]);
        assert_eq!(parts("It fell,” he added."), ["It fell,"]);
        assert_eq!(parts("“It fell."), ["It fell."]);
        assert!(parts("the workers' day").is_empty());
    }

    proptest! {
        #[test]
        fn parts_stand_in_order_within_the_text(text in "[a\"'“”‘’ .]{0,40}") {
            let chars: Vec<char> = text.chars().collect();
            let mut before = 0;
            for span in quoted(&chars, false).spans() {
                prop_assert!(before <= span.start && span.start <= span.end);
                prop_assert!(span.end <= chars.len());
                before = span.end;
            }
        }
    }
}
