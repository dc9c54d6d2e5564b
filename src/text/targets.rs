//! Targets: the people, states and bodies towards which stance is read, and where a sentence mentions them.

use std::collections::{BTreeMap, HashMap};
use std::ops::Range;
use std::path::Path;

use aho_corasick::AhoCorasick;
use serde::{Deserialize, Serialize};

use super::{Sentence, model_text};
use crate::error::{Error, Result};

const EXAMPLE: &str = "a target is given as \"NATO=NATO,the alliance,the bloc\"";

/// Somebody or something that sentences speak of.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Target {
    /// Name as tables show it.
    pub name: String,
    /// The words by which it is mentioned; the name is always one of them.
    #[serde(default)]
    pub aliases: Vec<String>,
}

/// A mention of a target in a sentence.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Found {
    /// Position of the target in the finder's list.
    pub target: usize,
    /// Bytes of [`Sentence::model_text`].
    pub model_bytes: Range<usize>,
    /// Bytes of [`Sentence::text`].
    pub text_bytes: Range<usize>,
}

/// Reads a target from `NAME` or `NAME=ALIAS,ALIAS,…`.
///
/// # Errors
/// If there is no name.
pub fn parse_target(text: &str) -> Result<Target> {
    let (name, aliases) = text.split_once('=').unwrap_or((text, ""));
    let target = Target {
        name: name.trim().to_owned(),
        aliases: aliases
            .split(',')
            .map(|a| a.trim().to_owned())
            .filter(|a| !a.is_empty())
            .collect(),
    };
    if target.name.is_empty() {
        return Err(Error::setting(format!("{text:?} names no target")).with_hint(EXAMPLE));
    }
    Ok(target)
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct TargetFile {
    target: Vec<Target>,
}

/// Reads targets from a TOML file of tables `[[target]]` with `name` and `aliases`.
///
/// # Errors
/// If the file cannot be read or is not of this shape.
pub fn read_targets(path: &Path) -> Result<Vec<Target>> {
    let text = std::fs::read_to_string(path).map_err(|e| Error::io(path, e))?;
    let file: TargetFile = toml::from_str(&text).map_err(|e| {
        Error::input(path.display(), e.message())
            .with_hint("a target file holds tables like: [[target]] name = \"NATO\" aliases = [\"the alliance\"]")
    })?;
    Ok(file.target)
}

/// Finds the mentions of targets.
///
/// An alias is found as whole words, as the model reads them. One with capitals is
/// found as it is written (`US`, not `us`); one without, in any case (`the alliance`, `The alliance`). Where aliases
/// overlap, the longest that begins first counts (`New York Times`, not `New York`). A
/// possessive `'s` is no part of the mention.
#[derive(Debug)]
pub struct TargetFinder {
    targets: Vec<Target>,
    exact: Aliases,
    any_case: Aliases,
}

#[derive(Debug)]
struct Aliases {
    automaton: AhoCorasick,
    /// Target of each pattern.
    owners: Vec<usize>,
}

impl Aliases {
    fn new(patterns: Vec<(String, usize)>, any_case: bool) -> Result<Self> {
        let (patterns, owners): (Vec<String>, Vec<usize>) = patterns.into_iter().unzip();
        let automaton =
            AhoCorasick::builder().ascii_case_insensitive(any_case).build(&patterns).map_err(
                |e| Error::setting(format!("the targets' aliases cannot be searched for: {e}")),
            )?;
        Ok(Aliases { automaton, owners })
    }
}

impl TargetFinder {
    /// Makes ready to find `targets`.
    ///
    /// # Errors
    /// If a target has no name, two have the same name, or an alias belongs to two.
    pub fn new(targets: Vec<Target>) -> Result<Self> {
        let mut owners: BTreeMap<String, usize> = BTreeMap::new();
        let mut names: HashMap<&str, usize> = HashMap::new();
        for (i, target) in targets.iter().enumerate() {
            if names.insert(&target.name, i).is_some() {
                return Err(Error::setting(format!("two targets are called {:?}", target.name)));
            }
            for alias in target.aliases.iter().chain([&target.name]) {
                let alias = model_text(alias);
                if !alias.contains(char::is_alphanumeric) {
                    return Err(Error::setting(format!(
                        "{alias:?} is no alias that could be found in a text"
                    ))
                    .with_hint(EXAMPLE));
                }
                if let Some(&other) = owners.get(&alias).filter(|&&other| other != i) {
                    return Err(Error::setting(format!(
                        "{alias:?} is an alias of both {:?} and {:?}",
                        targets[other].name, target.name
                    )));
                }
                owners.insert(alias, i);
            }
        }
        let (exact, any_case): (Vec<_>, Vec<_>) =
            owners.into_iter().partition(|(alias, _)| alias.contains(char::is_uppercase));
        Ok(TargetFinder {
            targets,
            exact: Aliases::new(exact, false)?,
            any_case: Aliases::new(any_case, true)?,
        })
    }

    /// The targets, in the order in which [`Found::target`] counts them.
    pub fn targets(&self) -> &[Target] {
        &self.targets
    }

    /// The mentions in a sentence, from left to right; they do not overlap.
    pub fn find(&self, sentence: &Sentence) -> Vec<Found> {
        let text = sentence.model_text.as_str();
        let mut hits: Vec<(usize, usize, usize)> = Vec::new();
        for aliases in [&self.exact, &self.any_case] {
            if aliases.owners.is_empty() {
                continue;
            }
            hits.extend(
                aliases
                    .automaton
                    .find_overlapping_iter(text)
                    .filter(|m| is_word(text, m.start(), m.end()))
                    .map(|m| (m.start(), m.end(), aliases.owners[m.pattern().as_usize()])),
            );
        }
        hits.sort_by_key(|&(start, end, target)| (start, std::cmp::Reverse(end), target));
        let mut found = Vec::new();
        let mut at = 0;
        for (start, end, target) in hits {
            if start >= at {
                at = end;
                let text_bytes = source_range(sentence, start..end);
                found.push(Found { target, model_bytes: start..end, text_bytes });
            }
        }
        found
    }
}

/// Whether `start..end` begins and ends with the words of `text`.
fn is_word(text: &str, start: usize, end: usize) -> bool {
    !text[..start].ends_with(char::is_alphanumeric)
        && !text[end..].starts_with(char::is_alphanumeric)
}

/// The bytes of the sentence's text behind a range of its model text, without the blanks after it.
fn source_range(sentence: &Sentence, range: Range<usize>) -> Range<usize> {
    let byte = |at: usize| sentence.map.get(at).map_or(sentence.text.len(), |&b| b as usize);
    super::lines::trim(&sentence.text, byte(range.start)..byte(range.end).max(byte(range.start)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::corpus::Article;

    fn sentence(text: &str) -> Sentence {
        let article = Article { text: text.to_owned(), ..Article::default() };
        super::super::split(&article).remove(0)
    }

    fn mentions(targets: &[&str], text: &str) -> Vec<(usize, String)> {
        let targets = targets.iter().map(|t| parse_target(t).expect("it is well formed")).collect();
        let finder = TargetFinder::new(targets).expect("they are well formed");
        let sentence = sentence(text);
        finder
            .find(&sentence)
            .into_iter()
            .inspect(|f| {
                assert_eq!(
                    model_text(&sentence.text[f.text_bytes.clone()]),
                    sentence.model_text[f.model_bytes.clone()]
                )
            })
            .map(|f| (f.target, sentence.text[f.text_bytes].to_owned()))
            .collect()
    }

    #[test]
    fn mentions_are_whole_words_without_possessives() {
        let found = mentions(
            &["NATO=the alliance,the bloc", "US=U.S."],
            "The alliance’s head told us the U.S.-led NATO\u{ad} bloc and the NATOs of the US\u{a0}agree.",
        );
        let words: Vec<&str> = found.iter().map(|(_, w)| w.as_str()).collect();
        assert_eq!(words, ["The alliance", "U.S.", "NATO", "US"]);
    }

    #[test]
    fn the_longest_alias_counts() {
        let found = mentions(
            &["New York", "The Times=New York Times"],
            "The New York Times is read in New York.",
        );
        assert_eq!(found, [(1, "New York Times".to_owned()), (0, "New York".to_owned())]);
    }

    #[test]
    fn typography_does_not_hide_a_mention() {
        let found = mentions(
            &["O'Vale", "Ursula von der Leyen"],
            "Ursula\u{a0}von  der\u{2009}Leyen met Mayor O’Vale.",
        );
        assert_eq!(found.len(), 2);
        assert_eq!(found[0].1, "Ursula\u{a0}von  der\u{2009}Leyen");
    }

    #[test]
    fn restored_marks_do_not_shift_mentions() {
        let article = Article {
            text: "“It is late. NATO must act. We wait,” she said.".into(),
            ..Article::default()
        };
        let finder = TargetFinder::new(vec![parse_target("NATO").expect("well formed")])
            .expect("well formed");
        let second = &super::super::split(&article)[1];
        assert_eq!(second.model_text, "\"NATO must act.\"");
        assert_eq!(finder.find(second)[0].text_bytes, 0..4);
    }

    #[test]
    fn wrong_targets_are_told() {
        assert!(parse_target("=x").is_err_and(|e| e.hint().is_some()));
        let both = vec![parse_target("A=x").expect("ok"), parse_target("B=x").expect("ok")];
        assert!(TargetFinder::new(both).is_err_and(|e| e.to_string().contains("both")));
        assert!(TargetFinder::new(vec![parse_target("…").expect("ok")]).is_err());
        assert!(TargetFinder::new(Vec::new()).is_ok_and(|f| f.find(&sentence("NATO")).is_empty()));
    }
}
