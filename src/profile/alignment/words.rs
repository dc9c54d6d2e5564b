//! Words of a sentence with the characters they stand on, brought to a form in which
//! outlets' spellings and inflections agree.

use std::collections::HashMap;
use std::sync::LazyLock;

use rust_stemmers::{Algorithm, Stemmer};
use serde::Deserialize;

/// Words of a sentence that are read at most; what comes later counts for nothing.
const MOST_WORDS: usize = 400;
/// Letters of a word at most: longer strings are no words.
const LONGEST: usize = 40;

/// A word.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Word {
    /// First character, counted into the sentence's text.
    pub start: usize,
    /// One past the last; a possessive `'s` is left out.
    pub end: usize,
    /// Lower case, without hyphens and full stops.
    pub plain: String,
    /// What is compared: the stem, a state for its capital or adjective, digits for a number.
    pub term: String,
    /// What sort of word.
    pub kind: Kind,
    /// Whether it begins with a capital.
    pub capital: bool,
}

/// What sort of word.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// Carries meaning of its own.
    Content,
    /// Carries little: *the*, *of*, *said*.
    Function,
    /// A number.
    Number,
}

/// Words that the same thing is called by, whatever the outlet.
#[derive(Deserialize)]
struct Lexicon {
    /// Words that carry little.
    function: Vec<String>,
    /// Numbers that are written out.
    numbers: HashMap<String, String>,
    /// For each state, the words that stand for it or its government.
    states: HashMap<String, Vec<String>>,
}

struct Tables {
    function: std::collections::HashSet<String>,
    numbers: HashMap<String, String>,
    states: HashMap<String, String>,
    stemmer: Stemmer,
}

/// The word lists that the crate carries; a unit test reads them.
static TABLES: LazyLock<Tables> = LazyLock::new(|| {
    let lexicon: Lexicon = toml::from_str(include_str!("lexicon.toml")).unwrap_or(Lexicon {
        function: Vec::new(),
        numbers: HashMap::new(),
        states: HashMap::new(),
    });
    let states = lexicon
        .states
        .into_iter()
        .flat_map(|(state, words)| words.into_iter().map(move |w| (w, state.clone())))
        .collect();
    Tables {
        function: lexicon.function.into_iter().collect(),
        numbers: lexicon.numbers,
        states,
        stemmer: Stemmer::create(Algorithm::English),
    }
});

/// The words of a text, in order.
pub(super) fn words(text: &str) -> Vec<Word> {
    let chars: Vec<char> = text.chars().collect();
    let at = |i: usize| chars.get(i).copied().unwrap_or(' ');
    let mut found = Vec::new();
    let mut start = 0;
    while start < chars.len() && found.len() < MOST_WORDS {
        if !at(start).is_alphanumeric() {
            start += 1;
            continue;
        }
        let mut end = start + 1;
        loop {
            let (c, next) = (at(end), at(end + 1));
            let inside = next.is_alphanumeric()
                && match c {
                    // 100,000 and 2.5; U.S. and U.N.
                    ',' => at(end - 1).is_ascii_digit() && next.is_ascii_digit(),
                    '.' => {
                        at(end - 1).is_ascii_digit() && next.is_ascii_digit()
                            || at(end - 1).is_uppercase()
                                && next.is_uppercase()
                                && (end < 2 || !at(end - 2).is_alphanumeric())
                    }
                    // build-up is one word, NATO-Russia and Moscow-backed are two.
                    '-' | '\u{2010}' | '\u{2011}' => {
                        !at(start).is_uppercase() && !next.is_uppercase()
                    }
                    '\'' | '’' => true,
                    // Invisible: a soft hyphen, a zero-width space.
                    '\u{ad}' | '\u{200b}' => true,
                    _ => false,
                };
            if inside {
                end += 2;
            } else if c.is_alphanumeric() && end < chars.len() {
                end += 1;
            } else {
                break;
            }
        }
        push(&mut found, &chars, start, end);
        start = end;
    }
    lighten(&mut found);
    found
}

/// Forms of *take* before *place*: together they say that something happens, not what.
const TAKE: &[&str] = &["take", "takes", "taking", "taken", "took"];
/// What stands before *to* where something is to come: *the meeting is expected to begin*.
#[rustfmt::skip]
const TO_COME: &[&str] = &[
    "due", "expected", "poised", "scheduled", "set", "slated",
];

/// Takes the weight from words that carry none where they stand: light verbs (Huddleston and Pullum
/// 2002, chapter 4, section 7) and what only says that something is to come.
fn lighten(words: &mut [Word]) {
    for i in 1..words.len() {
        let [before, word] = &mut words[i - 1..=i] else { continue };
        if word.plain == "place" && TAKE.contains(&before.plain.as_str()) {
            word.kind = Kind::Function;
        }
        if word.plain == "to" && TO_COME.contains(&before.plain.as_str()) {
            before.kind = Kind::Function;
        }
    }
}

fn push(found: &mut Vec<Word>, chars: &[char], start: usize, mut end: usize) {
    let slice = chars.get(start..end).unwrap_or_default();
    let possessive = |c: &char| matches!(c, '\'' | '’');
    if let [.., mark, 's' | 'S'] = slice
        && possessive(mark)
    {
        end -= 2;
    }
    let slice = chars.get(start..end).unwrap_or_default();
    if slice.len() > LONGEST {
        return;
    }
    // U.S. and US are no pronoun.
    if matches!(slice, ['U', 'S'] | ['U', '.', 'S']) {
        let (plain, term) = ("us".to_owned(), "united_states".to_owned());
        found.push(Word { start, end, plain, term, kind: Kind::Content, capital: true });
        return;
    }
    let plain: String = slice
        .iter()
        .filter(|c| c.is_alphanumeric() || possessive(c))
        .flat_map(|c| c.to_lowercase())
        .map(|c| if c == '’' { '\'' } else { c })
        .collect();
    let decimal: String =
        slice.iter().filter(|c| c.is_alphanumeric() || **c == '.').collect::<String>();
    let (term, kind) = term(&plain, &decimal);
    let capital = slice.first().is_some_and(|c| c.is_uppercase());
    found.push(Word { start, end, plain, term, kind, capital });
}

fn term(plain: &str, decimal: &str) -> (String, Kind) {
    let tables = &*TABLES;
    if plain.starts_with(|c: char| c.is_ascii_digit()) {
        let number = decimal.chars().all(|c| c.is_ascii_digit() || c == '.');
        // 2nd-class and second-class; 10th and 10.
        let digits = plain.find(|c: char| !c.is_ascii_digit()).unwrap_or(plain.len());
        let (head, tail) = plain.split_at(digits);
        return match ["st", "nd", "rd", "th"].iter().find_map(|o| tail.strip_prefix(o)) {
            Some("") => (head.to_owned(), Kind::Number),
            Some(rest) => (format!("{head}{}", tables.stemmer.stem(rest)), Kind::Content),
            None if number => (decimal.to_owned(), Kind::Number),
            None => (plain.to_owned(), Kind::Content),
        };
    }
    if tables.function.contains(plain) {
        return (plain.to_owned(), Kind::Function);
    }
    if let Some(number) = tables.numbers.get(plain) {
        return (number.clone(), Kind::Number);
    }
    if let Some(state) = tables.states.get(plain) {
        return (state.clone(), Kind::Content);
    }
    // secondclass, written with a hyphen, is 2class.
    let ordinal = ["first", "second", "third"]
        .iter()
        .zip(["1", "2", "3"])
        .find_map(|(word, digit)| Some((plain.strip_prefix(word)?, digit)));
    match ordinal {
        Some((rest, digit)) if rest.chars().count() > 3 => {
            (format!("{digit}{}", tables.stemmer.stem(rest)), Kind::Content)
        }
        _ => (tables.stemmer.stem(plain).into_owned(), Kind::Content),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn terms(text: &str) -> Vec<String> {
        words(text).into_iter().map(|w| w.term).collect()
    }

    #[test]
    fn the_word_lists_can_be_read() {
        let lexicon: std::result::Result<Lexicon, _> = toml::from_str(include_str!("lexicon.toml"));
        assert!(lexicon.is_ok_and(|l| l.function.len() > 100 && l.states.len() > 30));
    }

    #[test]
    fn spellings_and_inflections_agree() {
        assert_eq!(terms("troop build-ups"), terms("troops buildup"));
        assert_eq!(terms("2nd-class"), terms("second-class"));
        assert_eq!(terms("the 10th"), terms("the 10"));
        assert_eq!(terms("U.S. America’s"), ["united_states", "united_states"]);
        assert_eq!(terms("Moscow-backed NATO–Russia")[..1], ["russia"]);
        assert_eq!(terms("100,000 and 2.5"), ["100000", "and", "2.5"]);
    }

    #[test]
    fn words_that_carry_nothing_where_they_stand_weigh_nothing() {
        let content = |text: &str| -> Vec<String> {
            let carries = |w: &Word| w.kind == Kind::Content;
            words(text).into_iter().filter(carries).map(|w| w.plain).collect()
        };
        assert_eq!(
            content("The vote is expected to take place in the old place"),
            ["vote", "old", "place"]
        );
        assert_eq!(content("a set of expected votes"), ["set", "expected", "votes"]);
    }

    #[test]
    fn places_are_characters_and_possessives_are_left_out() {
        let found = words("“Élan’s end”");
        assert_eq!((found[0].start, found[0].end), (1, 5));
        assert_eq!(found[0].plain, "élan");
    }

    proptest! {
        #[test]
        fn words_stand_in_order_within_the_text(text in "\\PC{0,80}|[a-zA-Z0-9,.'’ -]{0,80}") {
            let n = text.chars().count();
            let mut before = 0;
            for word in words(&text) {
                prop_assert!(before <= word.start && word.start < word.end && word.end <= n);
                before = word.end;
            }
        }
    }
}
