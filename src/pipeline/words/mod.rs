//! From a scored folder to its distinctive words.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use super::joined::{Joined, each_sentence, place};
use super::run::RunRecord;
use super::tables::write_flat;
use crate::error::{Error, Result};
use crate::model::codebook::{Codebook, LayerKind};
use crate::profile::MIN_ARTICLES_FOR_INTERVAL;
use crate::profile::words::count::{Census, Counts};
use crate::profile::words::terms::{Term, Token, terms, tokens};
use crate::profile::words::{Scope, Settings, WordRow, compare};
use crate::scoring::rows::SentenceRow;
use crate::scoring::tables::{Format, ScoredFolder};
use crate::text::Role;
use crate::text::model_text;
use crate::text::normal::Normal;

/// What is compared, and how.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct WordsOptions {
    /// How words are compared.
    pub statistics: Settings,
    /// What is compared; if empty, all words, and the names of each target of the run.
    pub scopes: Vec<Scope>,
    /// Groups of outlets by name; if empty, each outlet is one. Outlets in no group are left out.
    pub groups: BTreeMap<String, Vec<String>>,
    /// Leave out articles that nearly repeat an earlier one (wire copy).
    pub exclude_duplicates: bool,
    /// Format of the table.
    pub format: Format,
}

/// What came out.
#[derive(Debug, Clone, PartialEq)]
pub struct WordsSummary {
    /// The rows of the table.
    pub rows: Vec<WordRow>,
    /// What a reader of the figures should know, in sentences.
    pub notes: Vec<String>,
    /// The table.
    pub file: PathBuf,
}

/// Compares the words of a scored folder and writes `words` into it.
///
/// The sentences are read twice, so that memory holds the terms that occur often enough and
/// not all of them.
///
/// # Errors
/// If a setting makes no sense, a layer, label, target or outlet that was asked for is not
/// there, or a table cannot be read or written.
pub fn words_folder(dir: &Path, options: &WordsOptions) -> Result<WordsSummary> {
    let settings = &options.statistics;
    settings.validate()?;
    let folder = ScoredFolder::open(dir)?;
    let scopes = scopes(&folder, &options.scopes)?;
    let groups = Groups::new(&options.groups)?;

    let mut censuses = vec![Census::new(settings.max_terms); scopes.len()];
    each_term(&folder, options, &scopes, &groups, &mut |scope, _, _, term| {
        if !term.empty {
            censuses[scope].add(&term.key);
        }
    })?;
    let mut counts: Vec<Counts> = censuses
        .into_iter()
        .zip(&scopes)
        .map(|(census, scope)| {
            let naming = matches!(scope, Scope::Naming { .. });
            Counts::new(census.finish(if naming { 1 } else { settings.least }))
        })
        .collect();
    let mut articles: BTreeMap<String, (String, u64)> = BTreeMap::new();
    each_term(&folder, options, &scopes, &groups, &mut |scope, group, article, term| {
        let counts = &mut counts[scope];
        counts.article(group, article);
        counts.add(&term.key, term.n_words, term.written.as_deref(), !term.empty);
        match articles.get_mut(group) {
            Some((last, _)) if last == article => {}
            Some((last, n)) => (*last, *n) = (article.to_owned(), *n + 1),
            None => drop(articles.insert(group.to_owned(), (article.to_owned(), 1))),
        }
    })?;
    groups.check_found(&articles)?;

    let rows: Vec<WordRow> =
        scopes.iter().zip(&counts).flat_map(|(scope, c)| compare(c, scope, settings)).collect();
    let file = write_flat(dir, "words", folder.codebook(), options.format, &rows)?;
    let notes = notes(&articles, &counts, settings);
    Ok(WordsSummary { rows, notes, file })
}

/// What is compared: what was asked for, if it is there, or what is usual.
fn scopes(folder: &ScoredFolder, asked: &[Scope]) -> Result<Vec<Scope>> {
    let needs_targets = asked.is_empty() || asked.iter().any(|s| s.target().is_some());
    let targets = if needs_targets { RunRecord::read(folder.dir())?.targets } else { Vec::new() };
    if asked.is_empty() {
        let naming = targets.into_iter().map(|target| Scope::Naming { target });
        return Ok(std::iter::once(Scope::All).chain(naming).collect());
    }
    let mut scopes = asked.to_vec();
    for scope in &mut scopes {
        if let Some(target) = scope.target().filter(|t| !targets.iter().any(|known| known == t)) {
            let hint = match targets.as_slice() {
                [] => "score the articles with --target".to_owned(),
                known => format!("its targets are {}", known.join(", ")),
            };
            return Err(
                Error::setting(format!("the folder has no target {target:?}")).with_hint(hint)
            );
        }
        if let Scope::Label { layer, label } = scope {
            let (l, k) = find_label(folder.codebook(), layer, label)?;
            let mut layers = folder.codebook().sentence_layers();
            let name = layers.nth(l).and_then(|l| l.label_names().nth(k)).map(str::to_owned);
            *label = name.unwrap_or_default();
        }
    }
    Ok(scopes)
}

/// The positions of a layer among those of its sentences, and of a label in it, both by name;
/// blanks, hyphens and case in a label's name do not matter.
///
/// # Errors
/// Names the layers or labels that there are.
pub fn find_label(codebook: &Codebook, layer: &str, label: &str) -> Result<(usize, usize)> {
    let layers: Vec<_> = codebook.sentence_layers().collect();
    let at = layers.iter().position(|l| l.name == layer).ok_or_else(|| {
        let names: Vec<&str> = layers.iter().map(|l| l.name.as_str()).collect();
        let message = match codebook.layer(layer).map(|l| l.kind) {
            Some(LayerKind::Target) => format!("layer {layer} labels mentions, not sentences"),
            _ => format!("the codebook has no layer {layer:?}"),
        };
        Error::setting(message).with_hint(format!("layers of sentences are {}", names.join(", ")))
    })?;
    let plain = |name: &str| {
        let words = name.split(|c: char| !c.is_alphanumeric()).map(str::to_lowercase);
        words.filter(|w| !w.is_empty() && w != "and").collect::<Vec<_>>()
    };
    let wanted = plain(label);
    let found = layers[at].label_names().position(|l| plain(l) == wanted);
    let label = found.ok_or_else(|| {
        let names: Vec<&str> = layers[at].label_names().collect();
        Error::setting(format!("layer {layer} has no label {label:?}"))
            .with_hint(format!("its labels are {}", names.join(", ")))
    })?;
    Ok((at, label))
}

/// Groups of outlets.
struct Groups<'a> {
    names: &'a BTreeMap<String, Vec<String>>,
    by_outlet: BTreeMap<&'a str, &'a str>,
}

impl<'a> Groups<'a> {
    fn new(names: &'a BTreeMap<String, Vec<String>>) -> Result<Self> {
        let mut by_outlet = BTreeMap::new();
        for (group, outlets) in names {
            for outlet in outlets {
                if let Some(other) = by_outlet.insert(outlet.as_str(), group.as_str()) {
                    return Err(Error::setting(format!(
                        "outlet {outlet:?} is in the groups {other:?} and {group:?}"
                    )));
                }
            }
        }
        Ok(Groups { names, by_outlet })
    }

    fn of<'b>(&'b self, outlet: &'b str) -> Option<&'b str> {
        if self.names.is_empty() { Some(outlet) } else { self.by_outlet.get(outlet).copied() }
    }

    /// A misspelt outlet would leave its group empty.
    fn check_found(&self, articles: &BTreeMap<String, (String, u64)>) -> Result<()> {
        match self.names.keys().find(|g| !articles.contains_key(*g)) {
            Some(empty) => Err(Error::setting(format!("group {empty:?} has no article"))
                .with_hint("give the outlets' names as the tables have them")),
            None => Ok(()),
        }
    }
}

/// Hands each term of each scope to `each`, with the scope's position, group and article.
fn each_term(
    folder: &ScoredFolder,
    options: &WordsOptions,
    scopes: &[Scope],
    groups: &Groups,
    each: &mut dyn FnMut(usize, &str, &str, Term),
) -> Result<()> {
    let labels: Vec<Option<(usize, usize)>> = scopes
        .iter()
        .map(|s| s.label().map(|(layer, l)| find_label(folder.codebook(), layer, l)).transpose())
        .collect::<Result<_>>()?;
    let settings = &options.statistics;
    each_sentence(folder, |joined| {
        let sentence = &joined.sentence;
        let repeated = sentence.duplicate_group != sentence.article_id;
        let group = groups.of(&sentence.outlet);
        let Some(group) = group.filter(|_| !(repeated && options.exclude_duplicates)) else {
            return Ok(());
        };
        if sentence.role == Role::Boilerplate {
            return Ok(());
        }
        let normal = Normal::read(&sentence.text, 0..sentence.text.len(), false);
        let words = tokens(&normal.text);
        for (i, (scope, label)) in scopes.iter().zip(&labels).enumerate() {
            let mut each = |term| each(i, group, &sentence.article_id, term);
            match scope {
                Scope::All => terms(&words, settings.longest).for_each(&mut each),
                Scope::Label { .. } => {
                    if label.is_some_and(|(layer, label)| has_label(sentence, layer, label)) {
                        terms(&words, settings.longest).for_each(&mut each);
                    }
                }
                Scope::Around { target } => {
                    let near = around(&joined, target, &normal, &words, settings.window);
                    terms(&near, settings.longest).for_each(&mut each);
                }
                Scope::Naming { target } => {
                    joined.mentions.iter().filter(|m| m.target == *target).for_each(|m| {
                        each(name(&m.mention));
                    });
                }
            }
        }
        Ok(())
    })
}

fn has_label(sentence: &SentenceRow, layer: usize, label: usize) -> bool {
    let scores = sentence.layers.as_ref().and_then(|l| l.get(layer));
    scores.is_some_and(|s| s.labels.contains(&label))
}

/// The words next to the mentions of a target, the mentions themselves left out.
fn around<'a>(
    joined: &Joined,
    target: &str,
    normal: &Normal,
    words: &[Token<'a>],
    window: usize,
) -> Vec<Token<'a>> {
    let mentions: Vec<_> = joined
        .mentions
        .iter()
        .filter(|m| m.target == target)
        .filter_map(|m| place(&joined.sentence, m))
        .map(|bytes| {
            let byte = |at: usize| normal.map.partition_point(|&source| (source as usize) < at);
            let (start, end) = (byte(bytes.start), byte(bytes.end));
            let first = words.partition_point(|w| w.bytes.end <= start);
            let last = words.partition_point(|w| w.bytes.start < end);
            first..last.max(first)
        })
        .collect();
    let named = |i: usize| mentions.iter().any(|m| m.contains(&i));
    let near = |i: usize| {
        mentions.iter().any(|m| i + window >= m.start && i < m.end.saturating_add(window))
    };
    let mut kept = Vec::new();
    let mut before = false;
    for (i, word) in words.iter().enumerate() {
        let keep = near(i) && !named(i);
        if keep {
            // Words that a mention stands between are no phrase.
            kept.push(Token { joined: word.joined && before, ..word.clone() });
        }
        before = keep;
    }
    kept
}

/// A mention as one term, however many words it has: names are compared with each other.
fn name(mention: &str) -> Term {
    let written = model_text(mention);
    let words: Vec<String> = tokens(&written).into_iter().map(|t| t.key).collect();
    Term { key: words.join(" ").to_lowercase(), written: Some(written), n_words: 1, empty: false }
}

/// What a reader of the figures should know.
fn notes(
    articles: &BTreeMap<String, (String, u64)>,
    counts: &[Counts],
    settings: &Settings,
) -> Vec<String> {
    let mut notes = Vec::new();
    if articles.len() < 2 {
        notes.push(
            "There is one outlet, so that there is nothing to compare its words with.".into(),
        );
    }
    let few = articles.values().filter(|(_, n)| *n < MIN_ARTICLES_FOR_INTERVAL as u64).count();
    if few > 0 {
        notes.push(format!(
            "{few} of {} outlets {} fewer than {MIN_ARTICLES_FOR_INTERVAL} articles: their words \
             may be those of an article's topic.",
            articles.len(),
            if few == 1 { "has" } else { "have" },
        ));
    }
    let floor = counts.iter().map(|c| c.vocabulary().floor()).max().unwrap_or_default();
    if floor >= settings.least {
        notes.push(format!(
            "The corpus has more different terms than are held at a time ({}): some that occur \
             up to {floor} times may be missing.",
            settings.max_terms
        ));
    }
    notes
}

#[cfg(test)]
mod tests;
