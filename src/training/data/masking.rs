//! Names taken out of sentences, to see whether a model reads them where it should read how
//! something is said. A model that has learnt who speaks falls with them.

use std::ops::Range;
use std::sync::LazyLock;

use regex::Regex;

use super::{Answer, Example};

/// What stands for a name of several words …
const FULL: &str = "Alex Morgan";
/// … and of one.
const SINGLE: &str = "Morgan";

/// Runs of capitalised words: people, outlets, places, parties. More than names of people, so what
/// masking costs is an upper bound.
static NAMES: LazyLock<Option<Regex>> = LazyLock::new(|| {
    let word = r"(?:\p{Lu}\.(?:\p{Lu}\.)*|\p{Lu}[\p{L}\p{M}’'\-]*\p{L})";
    Regex::new(&format!(r"\b{word}(?:\s+(?:(?:of|the|de|van|von|al)\s+)?{word})*")).ok()
});

/// The example with every name in it replaced by one that says nothing. The first word of a
/// sentence, which has a capital anyway, stays unless a name goes on from it. Mentions follow.
pub fn mask_names(example: &Example) -> Example {
    let text = &example.model_text;
    let Some(names) = NAMES.as_ref() else { return example.clone() };
    let mut masked = String::with_capacity(text.len());
    // For each replaced stretch where it was and where it is.
    let mut moved: Vec<(Range<usize>, Range<usize>)> = Vec::new();
    let mut at = 0;
    for name in names.find_iter(text) {
        let words = name.as_str().split_whitespace().count();
        let first = !text[..name.start()].contains(char::is_alphanumeric);
        if first && words == 1 {
            continue;
        }
        masked.push_str(&text[at..name.start()]);
        let from = masked.len();
        masked.push_str(if words == 1 { SINGLE } else { FULL });
        moved.push((name.range(), from..masked.len()));
        at = name.end();
    }
    masked.push_str(&text[at..]);
    let place = |bytes: &Range<usize>| -> Range<usize> {
        let shift = |byte: usize, end: bool| {
            let mut place = byte as isize;
            for (old, new) in &moved {
                if byte >= old.end {
                    place = byte as isize + new.end as isize - old.end as isize;
                } else if byte > old.start || !end && byte == old.start {
                    return if end { new.end } else { new.start };
                }
            }
            place.max(0) as usize
        };
        shift(bytes.start, false)..shift(bytes.end, true)
    };
    let answers = example.answers.iter().map(|answer| match answer {
        Answer::Target(list) => {
            Answer::Target(list.iter().map(|(bytes, c)| (place(bytes), *c)).collect())
        }
        other => other.clone(),
    });
    Example { answers: answers.collect(), model_text: masked.clone(), ..example.clone() }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::Choice;
    use super::*;

    fn masked(text: &str, mention: Range<usize>) -> (String, String) {
        let choice = Choice { label: 0, alternative: None };
        let example = Example {
            model_text: text.to_owned(),
            answers: vec![Answer::Target(vec![(mention, choice)])],
            ..Example::default()
        };
        let masked = mask_names(&example);
        let Answer::Target(list) = &masked.answers[0] else { panic!() };
        (masked.model_text.clone(), masked.model_text[list[0].0.clone()].to_owned())
    }

    #[test]
    fn names_go_and_mentions_follow() {
        let text = "The Harbour Post said that Ilse Brandt met U.S. envoys in Sael on Monday.";
        let at = text.find("envoys").unwrap();
        let (masked, mention) = masked(text, at..at + 6);
        assert_eq!(
            masked,
            "Alex Morgan said that Alex Morgan met Morgan envoys in Morgan on Morgan."
        );
        assert_eq!(mention, "envoys");
    }

    #[test]
    fn a_mention_that_is_masked_is_the_mask() {
        let text = "Critics blamed Ilse Brandt for it.";
        assert_eq!(masked(text, 15..26).1, "Alex Morgan");
        assert_eq!(masked(text, 20..26).1, "Alex Morgan");
        // The first word of a sentence stays.
        assert!(masked(text, 0..7).0.starts_with("Critics blamed"));
        assert_eq!(masked(text, 0..7).1, "Critics");
    }

    proptest! {
        #[test]
        fn mentions_stay_inside_the_text(text in "(\\PC|[A-Z][a-z]{1,5} ){0,30}", a in 0usize..60, b in 0usize..60) {
            let boundary = |at: usize| (0..=at.min(text.len())).rev().find(|i| text.is_char_boundary(*i)).unwrap_or(0);
            let (from, to) = (boundary(a.min(b)), boundary(a.max(b)));
            prop_assume!(from < to);
            let (masked, _) = masked(&text, from..to);
            prop_assert!(masked.len() <= text.len() * 12 + 12);
        }
    }
}
