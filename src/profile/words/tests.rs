use super::count::Census;
use super::*;

/// Counts of words by outlet: each text is an article.
fn counts(articles: &[(&str, &str)], longest: usize) -> Counts {
    let mut census = Census::new(1000);
    let each = |add: &mut dyn FnMut(usize, terms::Term)| {
        for (i, (_, text)) in articles.iter().enumerate() {
            terms::terms(&terms::tokens(text), longest).for_each(|t| add(i, t));
        }
    };
    each(&mut |_, t| census.add(&t.key));
    let mut counts = Counts::new(census.finish(1));
    each(&mut |i, t| {
        counts.article(articles[i].0, &i.to_string());
        counts.add(&t.key, t.n_words, t.written.as_deref(), !t.empty);
    });
    counts
}

const ARTICLES: [(&str, &str); 4] = [
    ("north", "So the troop buildup goes on and the troop buildup grows, the ministry said"),
    ("north", "A troop buildup was seen and the ministry said nothing"),
    ("south", "So the movement of troops goes on and the ministry said the movement is small"),
    ("south", "The movement ended and the ministry said so"),
];

#[test]
fn finds_what_each_outlet_says() {
    let settings = Settings { least: 2, ..Settings::default() };
    let rows = compare(&counts(&ARTICLES, 2), &Scope::All, &settings);
    let first = |outlet: &str, n: u64| {
        rows.iter().find(|r| r.outlet == outlet && r.n_words == n).map(|r| r.term.as_str())
    };
    assert_eq!(first("north", 2), Some("troop buildup"));
    assert_eq!(first("south", 1), Some("movement"));
    assert!(rows.iter().all(|r| r.against.is_none()), "of two, the rest is the other");
    assert!(rows.iter().all(|r| r.term != "the"), "function words are counted, not shown");
    let buildup = rows.iter().find(|r| r.term == "troop buildup").expect("it is there");
    assert_eq!((buildup.count, buildup.count_rest, buildup.n_articles), (3, 0, 2));
}

#[test]
fn each_pair_is_compared_both_ways() {
    let mut articles = ARTICLES.to_vec();
    articles.push(("east", "The dam holds and the ministry said so"));
    let settings = Settings { least: 1, ..Settings::default() };
    let rows = compare(&counts(&articles, 1), &Scope::All, &settings);
    let pairs: std::collections::BTreeSet<_> =
        rows.iter().map(|r| (r.outlet.as_str(), r.against.as_deref())).collect();
    assert_eq!(pairs.len(), 3 + 6);
    let few = Settings { max_pairs_of: 2, ..settings };
    let rows = compare(&counts(&articles, 1), &Scope::All, &few);
    assert!(rows.iter().all(|r| r.against.is_none() || r.outlet != "east"), "it has fewest words");
}

#[test]
fn shows_no_more_than_asked_for() {
    let settings = Settings { least: 1, most: 2, ..Settings::default() };
    let rows = compare(&counts(&ARTICLES, 3), &Scope::All, &settings);
    for n in 1..=3 {
        assert!(rows.iter().filter(|r| r.outlet == "north" && r.n_words == n).count() <= 2);
    }
}

#[test]
fn one_outlet_has_nothing_to_compare_with() {
    assert!(compare(&counts(&ARTICLES[..2], 2), &Scope::All, &Settings::default()).is_empty());
}
