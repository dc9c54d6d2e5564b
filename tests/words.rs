//! Distinctive words against an independent implementation (`tests/oracles/log_odds.py` made
//! the golden file with convokit), and the command on the demonstration corpus.

use std::collections::BTreeMap;

use parallax::profile::words::count::{Census, Counts};
use parallax::profile::words::terms::{terms, tokens};
use parallax::profile::words::{Scope, Settings, compare, log_odds::log_odds};
use serde::Deserialize;

#[derive(Deserialize)]
struct Golden {
    corpus: BTreeMap<String, Vec<String>>,
    comparisons: Vec<Comparison>,
}

#[derive(Deserialize)]
struct Comparison {
    outlet: String,
    against: Option<String>,
    z: BTreeMap<String, f64>,
}

fn golden() -> Golden {
    serde_json::from_str(include_str!("golden/log_odds.json")).unwrap()
}

/// Counts the golden corpus as the program does, function words among the terms if `all`.
fn counts(golden: &Golden, all: bool) -> Counts {
    let mut census = Census::new(1000);
    for text in golden.corpus.values().flatten() {
        terms(&tokens(text), 1).for_each(|t| census.add(&t.key));
    }
    let mut counts = Counts::new(census.finish(1));
    for (outlet, texts) in &golden.corpus {
        for (i, text) in texts.iter().enumerate() {
            counts.article(outlet, &i.to_string());
            for t in terms(&tokens(text), 1) {
                counts.add(&t.key, t.n_words, t.written.as_deref(), all || !t.empty);
            }
        }
    }
    counts
}

#[test]
fn z_scores_equal_convokits() {
    let golden = golden();
    let counts = counts(&golden, true);
    let number = |outlet: &String| counts.groups().iter().position(|g| g == outlet).unwrap();
    let mut n = 0;
    for comparison in &golden.comparisons {
        let outlet = number(&comparison.outlet);
        for term in counts.terms() {
            let mine = counts.usage(term, outlet);
            let theirs = match &comparison.against {
                Some(other) => counts.usage(term, number(other)),
                None => counts.usage_of_all(term) - mine,
            };
            let ours = log_odds(mine, theirs, counts.prior(term, None)).unwrap().z;
            let golden = comparison.z[&term.key];
            assert!((ours - golden).abs() < 1e-6, "{}: {ours} {golden}", term.key);
            n += 1;
        }
        assert_eq!(counts.terms().len(), comparison.z.len());
    }
    println!("{n} z-scores equal convokit's to 1e-6");
}

#[test]
fn the_rows_are_the_same_figures() {
    let golden = golden();
    let settings = Settings { least: 1, most: 1000, ..Settings::default() };
    let rows = compare(&counts(&golden, false), &Scope::All, &settings);
    let mut n = 0;
    for row in &rows {
        let term = row.term.to_lowercase();
        let found = golden.comparisons.iter().find_map(|c| {
            if c.outlet == row.outlet && c.against == row.against {
                Some(c.z[&term])
            } else if c.against.as_ref() == Some(&row.outlet)
                && row.against.as_ref() == Some(&c.outlet)
            {
                Some(-c.z[&term])
            } else {
                None
            }
        });
        assert!((row.z - found.unwrap()).abs() < 1e-6, "{row:?}");
        n += 1;
    }
    assert!(n > 50, "{n} rows");
    let first = rows.iter().find(|r| r.outlet == "Standard").unwrap();
    assert_eq!(first.term, "exercise");
    assert_eq!((first.count, first.count_rest, first.n_articles), (4, 1, 3));
}
