//! From a sentence to the terms that are counted: words, and phrases of words side by side.
//!
//! A word is counted in lower case, so that `The` and `the` are one, but for a word of
//! capitals in a sentence that has others (`US` and `us` are two). A possessive `'s` is cut off. A
//! *phrase* is two or more words with nothing but blanks between them that neither begins nor
//! ends with a function word or a number: `troop build-up`, `movement of troops`. That is no
//! parser, but it finds most noun phrases, and the log-odds leave little of the rest.

use std::ops::Range;

use crate::text::word_spans;

/// A word of a sentence.
#[derive(Debug, Clone, PartialEq)]
pub struct Token<'a> {
    /// The word as it is written, without a possessive `'s`.
    pub written: &'a str,
    /// The form under which it is counted.
    pub key: String,
    /// Its bytes in the sentence, possessive and all.
    pub bytes: Range<usize>,
    /// It is a function word or a number, which says nothing alone.
    pub empty: bool,
    /// It begins the sentence, so that a capital means nothing.
    pub first: bool,
    /// Nothing but a blank stands between it and the word before.
    pub joined: bool,
}

/// A word or a phrase.
#[derive(Debug, Clone, PartialEq)]
pub struct Term {
    /// The form under which it is counted.
    pub key: String,
    /// As it is written; `None` at the beginning of a sentence.
    pub written: Option<String>,
    /// Number of words.
    pub n_words: usize,
    /// It is a single function word or number.
    pub empty: bool,
}

/// The words of a sentence.
pub fn tokens(text: &str) -> Vec<Token<'_>> {
    let shouting = !text.contains(char::is_lowercase);
    let mut before: Option<usize> = None;
    word_spans(text)
        .filter_map(|mut bytes| {
            if text.get(bytes.clone()).is_some_and(is_dotted)
                && text.get(bytes.end..).is_some_and(|rest| rest.starts_with('.'))
            {
                bytes.end += 1;
            }
            let word = text.get(bytes.clone())?;
            let written = word
                .strip_suffix("'s")
                .or_else(|| word.strip_suffix("’s"))
                .or_else(|| word.strip_suffix("'S").filter(|_| shouting))
                .unwrap_or(word);
            let capitals = written.chars().filter(|c| c.is_uppercase()).count();
            let acronym = capitals > 1 && !shouting && !written.contains(char::is_lowercase);
            let key = if acronym { written.to_owned() } else { written.to_lowercase() };
            let key = key.replace('’', "'").replace(['\u{2010}', '\u{2011}'], "-");
            let joined = before.is_some_and(|end| {
                text.get(end..bytes.start).is_some_and(|gap| gap.chars().all(char::is_whitespace))
            });
            let first = before.replace(bytes.end).is_none();
            let empty = !written.contains(char::is_alphabetic) || is_function_word(&key);
            Some(Token { written, key, bytes, empty, first, joined })
        })
        .collect()
}

/// The words and the phrases of up to `longest` words in a run of tokens.
pub fn terms<'a>(tokens: &'a [Token], longest: usize) -> impl Iterator<Item = Term> + 'a {
    tokens.iter().enumerate().flat_map(move |(start, first)| {
        let rest = tokens.get(start..).unwrap_or_default();
        let run = 1 + rest.iter().skip(1).take_while(|t| t.joined).count();
        let length = if first.empty { 1 } else { run.min(longest.max(1)) };
        (1..=length).filter_map(move |n| {
            let words = rest.get(..n)?;
            let last = words.last()?;
            (n == 1 || !last.empty).then(|| Term {
                key: joined(words, |t| &t.key),
                written: (!first.first).then(|| joined(words, |t| t.written)),
                n_words: n,
                empty: n == 1 && first.empty,
            })
        })
    })
}

fn joined<'a>(words: &'a [Token], part: impl Fn(&'a Token) -> &'a str) -> String {
    words.iter().map(part).collect::<Vec<_>>().join(" ")
}

/// Whether a word is letters with full stops between them, which has one at its end too: *U.S.*
fn is_dotted(word: &str) -> bool {
    let mut parts = word.split('.').map(|part| part.chars());
    word.contains('.')
        && parts.all(|mut c| c.next().is_some_and(char::is_alphabetic) && c.next().is_none())
}

/// Whether a word in lower case only holds a sentence together.
fn is_function_word(word: &str) -> bool {
    FUNCTION_WORDS.binary_search(&word).is_ok()
}

/// English words that only hold a sentence together: articles, pronouns, prepositions,
/// conjunctions, auxiliary verbs. Sorted.
#[rustfmt::skip]
const FUNCTION_WORDS: &[&str] = &[
    "a", "about", "above", "after", "again", "against", "ago", "all", "along", "also", "although", "am", "amid",
    "among", "an", "and", "another", "any", "anyone", "anything", "are", "aren't", "around", "as", "at", "away",
    "be", "because", "been", "before", "behind", "being", "below", "between", "both", "but", "by", "can", "can't",
    "cannot", "could", "couldn't", "did", "didn't", "do", "does", "doesn't", "doing", "don't", "down", "during", "each", "either",
    "else", "ever", "every", "for", "from", "had", "hadn't", "has", "hasn't", "have", "haven't", "having", "he", "he'd", "he'll", "he's", "her",
    "here", "hers", "herself", "him", "himself", "his", "how", "however", "i", "i'd", "i'll", "i'm", "i've", "if", "in", "into", "is", "isn't", "it",
    "it's", "its", "itself", "just", "let", "many", "may", "me", "might", "mine", "more", "most", "mr", "mrs", "ms", "much", "must",
    "my", "myself", "n't", "near", "neither", "no", "nor", "not", "now", "of", "off", "on", "once", "one", "only", "onto", "or", "other", "others",
    "our", "ours", "ourselves", "out", "over", "own", "per", "s", "same", "shall", "she", "she'd", "she'll", "she's", "should", "since",
    "so", "some", "someone", "something", "still", "such", "than", "that", "that's", "the", "their", "theirs", "them", "themselves",
    "then", "there", "there's", "these", "they", "they'd", "they'll", "they're", "they've", "this", "those", "though", "through", "to", "too",
    "toward", "towards", "under", "until", "up", "upon", "us", "very", "via", "was", "wasn't", "we", "we'd", "we'll", "we're", "we've", "were",
    "weren't", "what", "what's", "when", "where", "whether", "which", "while", "who", "who's", "whom", "whose", "why", "will", "with", "within", "without",
    "won't", "would", "wouldn't", "yet", "you", "you'd", "you'll", "you're", "you've", "your", "yours", "yourself",
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn abbreviations_keep_their_last_stop() {
        let written = |text| tokens(text).into_iter().map(|t| t.written).collect::<Vec<_>>();
        assert_eq!(
            written("The U.S. Senate left the D.N.C. at 2.5."),
            ["The", "U.S.", "Senate", "left", "the", "D.N.C.", "at", "2.5"]
        );
        assert_eq!(written("U.S.’s"), ["U.S.", "s"]);
        assert!(tokens("the U.S. Senate")[2].joined);
    }

    fn keys(text: &str, longest: usize) -> Vec<String> {
        terms(&tokens(text), longest).map(|t| t.key).collect()
    }

    #[test]
    fn the_list_is_sorted() {
        assert!(FUNCTION_WORDS.is_sorted(), "it is searched by halves");
    }

    #[test]
    fn phrases_hold_together() {
        assert_eq!(
            keys("The movement of troops, Halvia’s army said", 3),
            [
                "the",
                "movement",
                "movement of troops",
                "of",
                "troops",
                "halvia",
                "halvia army",
                "halvia army said",
                "army",
                "army said",
                "said"
            ]
        );
        assert_eq!(keys("in 100,000 men", 2), ["in", "100,000", "men"]);
    }

    #[test]
    fn capitals_tell_acronyms_apart() {
        assert_eq!(keys("The US told us", 1), ["the", "US", "told", "us"]);
        assert_eq!(keys("US TOLD US", 1), ["us", "told", "us"], "capitals mean nothing here");
        let sentence = tokens("Talks between Halvia and Ketria");
        let written: Vec<_> = terms(&sentence, 1).map(|t| t.written).collect();
        assert_eq!(written[0], None, "the first word's capital may be the sentence's");
        assert_eq!(written[2].as_deref(), Some("Halvia"));
    }
}
