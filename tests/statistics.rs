//! The statistics against independent oracles (`tests/oracles/statistics.py` made the
//! golden file), and the coverage of the intervals on synthetic corpora.

use ndarray::Array2;
use parallax::{
    model::codebook::Codebook,
    profile::{
        Observations, Settings, benjamini_hochberg,
        bootstrap::{Ratio, Resampled},
        contrasts, profiles,
    },
    scoring::rows::{Scores, SentenceRow},
    text::Role,
};
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use serde::Deserialize;

#[derive(Deserialize)]
struct Golden {
    groups: Vec<Group>,
    pair: Pair,
    tiny: Vec<Tiny>,
    benjamini_hochberg: Adjusted,
}

#[derive(Deserialize)]
struct Group {
    y: Vec<u32>,
    x: Vec<u32>,
    clustered: Clustered,
    interval: (f64, f64),
}

#[derive(Deserialize)]
struct Clustered {
    share: f64,
    se: f64,
    naive_se: f64,
}

/// Labelled sentences and sentences of each article.
type Counts = (Vec<u32>, Vec<u32>);

#[derive(Deserialize)]
struct Pair {
    a: Counts,
    b: Counts,
    difference: f64,
    se: f64,
    interval: (f64, f64),
}

#[derive(Deserialize)]
struct Tiny {
    a: Counts,
    b: Counts,
    p: f64,
}

#[derive(Deserialize)]
struct Adjusted {
    p: Vec<f64>,
    q: Vec<f64>,
}

fn golden() -> Golden {
    serde_json::from_str(include_str!("golden/statistics.json")).unwrap()
}

/// Sentence rows of an outlet with the given counts, through the public door.
fn observe(outlets: &[(&str, &Counts)]) -> Observations {
    let codebook = Codebook::from_toml(
        r#"
        name = "test"
        [[layer]]
        name = "voice"
        kind = "multi"
        labels = [{ name = "marked" }]
        "#,
    )
    .unwrap();
    let mut builder = Observations::builder(&codebook);
    for (outlet, (y, x)) in outlets {
        for (article, (&y, &x)) in y.iter().zip(x).enumerate() {
            for sentence_index in 0..x {
                let labels = if sentence_index < y { vec![0] } else { vec![] };
                let row = SentenceRow {
                    article_id: format!("{outlet}{article:04}"),
                    outlet: (*outlet).into(),
                    date: None,
                    event: None,
                    topic: None,
                    sentence_index,
                    start: None,
                    end: None,
                    text: String::new(),
                    role: Role::Body,
                    n_tokens: 1,
                    windowed: false,
                    duplicate_group: format!("{outlet}{article:04}"),
                    layers: Some(vec![Scores {
                        probabilities: vec![0.5],
                        labels,
                        ..Scores::default()
                    }]),
                };
                builder.push(&row).unwrap();
            }
        }
    }
    builder.finish()
}

/// Asserts that two intervals agree to a part of the expected one's width.
fn close(got: (f64, f64), expected: (f64, f64), part: f64) {
    let width = expected.1 - expected.0;
    for (g, e) in [(got.0, expected.0), (got.1, expected.1)] {
        assert!((g - e).abs() <= part * width, "{got:?} is not within {part} of {expected:?}");
    }
}

fn standard_deviation(values: &[f64]) -> f64 {
    let n = values.len() as f64;
    let mean = values.iter().sum::<f64>() / n;
    (values.iter().map(|v| (v - mean).powi(2)).sum::<f64>() / (n - 1.0)).sqrt()
}

fn matrix((y, x): &Counts) -> Array2<f64> {
    Array2::from_shape_fn((x.len(), 2), |(i, j)| f64::from(if j == 0 { y[i] } else { x[i] }))
}

#[test]
fn shares_and_intervals_equal_those_of_scipy_and_statsmodels() {
    let settings = Settings { resamples: 20_000, ..Settings::default() };
    for group in golden().groups {
        let counts = (group.y, group.x);
        let n = counts.1.len();
        let row = profiles(&observe(&[("A", &counts)]), &settings).remove(0);
        // The same two integers; serde_json reads the last digit of a float only nearly.
        assert!((row.share - group.clustered.share).abs() < 1e-15);
        assert_eq!(row.n_articles, n as u64);
        // The same method by scipy, 200,000 resamples: only the draws differ.
        close(row.low.zip(row.high).unwrap(), group.interval, 0.02);

        // Another method altogether: the linearised clustered variance, which has the factor
        // n/(n−1) that the bootstrap's lacks.
        let resampled = Resampled::new(matrix(&counts), &settings, &["A"]);
        let spread = standard_deviation(&resampled.replicates(Ratio::share(0, 1)).unwrap());
        let se = spread * (n as f64 / (n as f64 - 1.0)).sqrt();
        println!("{n} articles: {se} against {}", group.clustered.se);
        assert!((se / group.clustered.se - 1.0).abs() < 0.02);
        // What ignoring articles would claim: less than half of it.
        assert!(group.clustered.naive_se < 0.5 * se);
    }
}

#[test]
fn a_difference_equals_that_of_numpy_and_statsmodels() {
    let pair = golden().pair;
    let settings = Settings { resamples: 20_000, ..Settings::default() };
    let row = contrasts(&observe(&[("A", &pair.a), ("B", &pair.b)]), &settings).rows.remove(0);
    assert!((row.difference - pair.difference).abs() < 1e-15);
    let interval = row.low.zip(row.high).unwrap();
    close(interval, pair.interval, 0.02);
    // Student's 0.975 quantile with 44 degrees of freedom, as the smaller outlet has 45 articles.
    let width = 2.0 * 2.0154 * pair.se;
    assert!(((interval.1 - interval.0) / width - 1.0).abs() < 0.03);
    assert!(row.p.unwrap() < 0.05 && row.q == row.p, "one contrast needs no correction");
}

#[test]
fn permutation_p_values_equal_exact_enumeration() {
    for tiny in golden().tiny {
        let permutations = 200_000;
        let settings = Settings { permutations, ..Settings::default() };
        let row = contrasts(&observe(&[("A", &tiny.a), ("B", &tiny.b)]), &settings).rows.remove(0);
        // Five standard errors of a share of so many draws.
        let tolerance = 5.0 * (tiny.p * (1.0 - tiny.p) / permutations as f64).sqrt() + 1e-5;
        let p = row.p.unwrap();
        assert!((p - tiny.p).abs() < tolerance, "{p} instead of {}", tiny.p);
    }
}

#[test]
fn q_values_equal_scipys() {
    let Adjusted { p, q } = golden().benjamini_hochberg;
    for (got, expected) in benjamini_hochberg(&p).into_iter().zip(q) {
        assert!((got - expected).abs() < 1e-12);
    }
}

/// An outlet whose articles differ strongly: an article's share is the cube of a uniform
/// number (mean 1/4, correlation within articles 0.43), its length 3 to 30 sentences.
fn synthetic(rng: &mut ChaCha8Rng, articles: usize) -> Array2<f64> {
    let mut counts = Array2::zeros((articles, 2));
    for mut row in counts.rows_mut() {
        let share = rng.random::<f64>().powi(3);
        let length = rng.random_range(3..=30);
        row[0] = f64::from((0..length).map(|_| u32::from(rng.random_bool(share))).sum::<u32>());
        row[1] = f64::from(length);
    }
    counts
}

#[test]
fn intervals_cover_the_truth_as_often_as_they_say() {
    const CORPORA: usize = 400;
    let truth = 0.25;
    let mut rng = ChaCha8Rng::seed_from_u64(7);
    let settings = Settings { resamples: 1000, ..Settings::default() };
    for articles in [15, 40] {
        let (mut covered, mut naive, mut differences) = (0, 0, 0);
        for corpus in 0..CORPORA {
            let mut group = |side: &str| {
                let counts = synthetic(&mut rng, articles);
                Resampled::new(counts, &settings, &[side, &corpus.to_string()])
            };
            let (a, b) = (group("a"), group("b"));
            let holds = |interval: Option<(f64, f64)>, value: f64| {
                interval.is_some_and(|(low, high)| low <= value && value <= high)
            };
            let ratio = Ratio::share(0, 1);
            let estimate = a.estimate(ratio);
            covered += usize::from(holds(estimate.interval, truth));
            differences += usize::from(holds(a.difference(&b, ratio).interval, 0.0));
            // The interval that takes every sentence for independent.
            let share = estimate.value.unwrap();
            let half = 1.96 * (share * (1.0 - share) / a.total(1)).sqrt();
            naive += usize::from(holds(Some((share - half, share + half)), truth));
        }
        let rate = |n: usize| n as f64 / CORPORA as f64;
        let (covered, naive, differences) = (rate(covered), rate(naive), rate(differences));
        println!(
            "{articles} articles: {covered} of 0.95; differences {differences}; naive {naive}"
        );
        assert!((0.92..=0.97).contains(&covered), "{articles} articles: {covered}");
        assert!((0.92..=0.98).contains(&differences), "{articles} articles: {differences}");
        assert!(naive < 0.65, "{articles} articles: {naive}");
    }
}

#[test]
fn permutation_p_values_are_uniform_where_outlets_do_not_differ() {
    let mut rng = ChaCha8Rng::seed_from_u64(11);
    let settings = Settings { resamples: 100, permutations: 199, ..Settings::default() };
    let mut counts = |articles| {
        let m = synthetic(&mut rng, articles);
        let column = |j| m.column(j).iter().map(|&v: &f64| v as u32).collect();
        (column(0), column(1))
    };
    let p: Vec<f64> = (0..300)
        .map(|_| {
            let (a, b) = (counts(12), counts(20));
            contrasts(&observe(&[("A", &a), ("B", &b)]), &settings).rows[0].p.unwrap()
        })
        .collect();
    for level in [0.05, 0.2, 0.5] {
        let below = p.iter().filter(|&&v| v <= level).count() as f64 / p.len() as f64;
        let spread = (level * (1.0 - level) / p.len() as f64).sqrt();
        assert!((below - level).abs() < 3.5 * spread, "{below} of p-values are at most {level}");
    }
}
