//! The page of words: what sets each outlet's wording apart from the others'.

use std::collections::BTreeMap;

use super::context::Context;
use super::input::Word;
use super::matrix::Cell;
use super::text;

/// Most words shown of an outlet: overall, and within a label or around a target.
const MOST_OVERALL: usize = 15;
const MOST_WITHIN: usize = 6;
/// Words shown of an outlet that none sets apart for sure.
const IF_UNSURE: usize = 5;
/// Most labels and targets shown; the table holds all.
const MOST_SCOPES: usize = 16;
/// Words of an outlet among which those to be shown are looked for.
const CANDIDATES: usize = 100;
/// Share of a word's uses that a phrase covers for the word to be left out beside it.
const NEARLY_ALWAYS: f64 = 0.75;
/// An interval of 95% reaches so many standard deviations to each side.
const REACH: f64 = 1.959_964;
/// A word of fewer articles than this is marked: it may be one story's.
const FEW_ARTICLES: u64 = 3;

/// The page.
#[derive(Debug)]
pub(super) struct WordsPage {
    pub scopes: Vec<Scope>,
    /// Said where some scopes are not shown.
    pub note: String,
    pub few: u64,
}

/// The sentences in which words were counted.
#[derive(Debug)]
pub(super) struct Scope {
    pub title: String,
    /// Whether these are all sentences.
    pub overall: bool,
    /// What the full width of a chart stands for.
    pub scale: String,
    pub outlets: Vec<OutletWords>,
}

/// An outlet's words.
#[derive(Debug)]
pub(super) struct OutletWords {
    pub outlet: String,
    pub path: String,
    /// Whether the interval of at least one word lies above 0.
    pub sure: bool,
    pub rows: Vec<WordView>,
}

/// One word.
#[derive(Debug)]
pub(super) struct WordView {
    pub term: String,
    pub cell: Cell,
    pub z: String,
    pub count: u64,
    pub count_rest: u64,
    pub n_articles: u64,
    pub few: bool,
}

/// The scope of the words by which a target is named.
const NAMING: &str = "naming";

/// What was counted, as the table names it: all sentences first, then the names of targets.
type Key<'a> = (u8, &'a str, Option<&'a str>, Option<&'a str>, Option<&'a str>, Option<&'a str>);

fn key(word: &Word) -> Key<'_> {
    let within = word.label.is_some() || word.target.is_some();
    (
        match (word.against.is_some(), within) {
            (true, _) => 3,
            (_, true) if word.scope != NAMING => 2,
            (_, true) => 1,
            _ => 0,
        },
        &word.scope,
        word.target.as_deref(),
        word.layer.as_deref(),
        word.label.as_deref(),
        word.against.as_deref(),
    )
}

/// The words that are shown, by scope and outlet, the strongest first.
pub(super) fn shown<'a>(cx: &Context<'a>) -> Vec<Vec<Vec<&'a Word>>> {
    let mut scopes: BTreeMap<Key, BTreeMap<&str, Vec<&Word>>> = BTreeMap::new();
    for word in cx.input.words.iter().flatten() {
        // An outlet's own words are those that it uses more.
        if word.z > 0.0 && word.z.is_finite() && word.log_odds.is_finite() {
            scopes.entry(key(word)).or_default().entry(&word.outlet).or_default().push(word);
        }
    }
    scopes
        .into_iter()
        .map(|(key, outlets)| {
            let most = if key.0 > 0 { MOST_WITHIN } else { MOST_OVERALL };
            outlets
                .into_values()
                .map(|mut words| {
                    words.sort_by(|a, b| b.z.total_cmp(&a.z).then_with(|| a.term.cmp(&b.term)));
                    without_parts(&mut words);
                    let sure = words.iter().filter(|w| w.z >= REACH).count();
                    words.truncate(sure.max(IF_UNSURE).min(most));
                    words
                })
                .collect()
        })
        .take(MOST_SCOPES)
        .collect()
}

/// Leaves out words that stand in one phrase nearly always, where the phrase is listed too: of
/// *USA*, *TODAY* and *USA TODAY* the last. `words` are sorted, the strongest first.
fn without_parts(words: &mut Vec<&Word>) {
    words.truncate(CANDIDATES);
    let part = |word: &Word, phrase: &Word| {
        word.term.len() < phrase.term.len()
            && phrase.count as f64 >= NEARLY_ALWAYS * word.count as f64
            && format!(" {} ", phrase.term).contains(&format!(" {} ", word.term))
    };
    let all = words.clone();
    words.retain(|word| !all.iter().any(|phrase| part(word, phrase)));
}

/// Puts the page together; `None` where words were not counted.
pub(super) fn words_page(cx: &Context) -> Option<WordsPage> {
    cx.input.words.as_ref()?;
    let scopes: Vec<Scope> = shown(cx).into_iter().filter_map(|s| scope(cx, s)).collect();
    let all: std::collections::BTreeSet<Key> = cx.input.words.iter().flatten().map(key).collect();
    let note = if all.len() > scopes.len() {
        format!("{} of {} comparisons are shown; words.parquet has all.", scopes.len(), all.len())
    } else {
        String::new()
    };
    Some(WordsPage { scopes, note, few: FEW_ARTICLES })
}

fn scope(cx: &Context, outlets: Vec<Vec<&Word>>) -> Option<Scope> {
    let first = *outlets.first()?.first()?;
    let high = |w: &&Word| w.log_odds + REACH * w.log_odds / w.z;
    let largest = outlets.iter().flatten().map(high).filter(|x| x.is_finite()).fold(0.0, f64::max);
    let end =
        [1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 8.0].into_iter().find(|e| largest <= *e).unwrap_or(10.0);
    let against = first.against.as_deref().map(|a| format!(", against {}", text::clip(a, 60)));
    let title = match (&first.target, &first.label) {
        (Some(target), _) if first.scope == NAMING => {
            format!("How outlets name {}", text::clip(target, 60))
        }
        (Some(target), _) => format!("Around mentions of {}", text::clip(target, 60)),
        (_, Some(label)) => {
            let layer = first.layer.as_deref().map(text::spaced).unwrap_or_default();
            format!("In sentences labelled {} ({layer})", text::spaced(label))
        }
        _ => "In all sentences".to_owned(),
    };
    Some(Scope {
        title: title + &against.unwrap_or_default(),
        overall: key(first).0 == 0,
        scale: format!("0 to {end}"),
        outlets: outlets
            .iter()
            .filter_map(|words| {
                let key = &words.first()?.outlet;
                Some(OutletWords {
                    outlet: cx.outlet(key).map_or_else(|| text::clip(key, 60), |o| o.name.clone()),
                    path: cx.outlet(key).map(|o| o.path.clone()).unwrap_or_default(),
                    sure: words.iter().any(|w| w.z >= REACH),
                    rows: words.iter().map(|w| view(w, end)).collect(),
                })
            })
            .collect(),
    })
}

fn view(word: &Word, end: f64) -> WordView {
    let deviation = word.log_odds / word.z;
    let (low, high) = (word.log_odds - REACH * deviation, word.log_odds + REACH * deviation);
    let place = |x: f64| (x / end * 100.0).clamp(0.0, 100.0);
    let few = word.n_articles < FEW_ARTICLES;
    let term = text::clip(&word.term, 60);
    WordView {
        cell: Cell {
            value: format!("{:.1}", word.log_odds),
            sub: format!("{low:.1}–{high:.1}"),
            spoken: format!(
                "{term}: log-odds {:.1}, interval {low:.1} to {high:.1}",
                word.log_odds
            ),
            class: if few { "lean counted".to_owned() } else { "lean".to_owned() },
            width: place(word.log_odds),
            point: place(word.log_odds),
            interval: Some((place(low), place(high))),
            ..Cell::default()
        },
        term,
        z: format!("{:.1}", word.z),
        count: word.count,
        count_rest: word.count_rest,
        n_articles: word.n_articles,
        few,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_phrase_stands_for_its_words() {
        let word = |term: &str, count: u64| {
            let json = serde_json::json!({
                "outlet": "Post", "scope": "all", "term": term, "count": count, "count_rest": 1,
                "n_articles": 3, "log_odds": 1.0, "z": 2.0
            });
            serde_json::from_value::<Word>(json).unwrap()
        };
        let all = [
            word("leaked", 5),
            word("DNC", 9),
            word("leaked classified information", 4),
            word("leaked classified", 4),
            word("DNC chairman", 4),
            word("leak", 4),
        ];
        let mut words: Vec<&Word> = all.iter().collect();
        without_parts(&mut words);
        let terms: Vec<&str> = words.iter().map(|w| w.term.as_str()).collect();
        assert_eq!(terms, ["DNC", "leaked classified information", "DNC chairman", "leak"]);
    }
}
