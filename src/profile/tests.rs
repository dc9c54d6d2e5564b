use proptest::prelude::*;

use super::{bootstrap::*, *};
use crate::{
    model::codebook::Codebook,
    scoring::rows::{MentionRow, Scores, SentenceRow},
    text::Role,
};

fn codebook() -> Codebook {
    Codebook::from_toml(
        r#"
        name = "test"
        [[layer]]
        name = "voice"
        kind = "single"
        labels = [{ name = "own" }, { name = "other" }]
        [[layer]]
        name = "frames"
        kind = "multi"
        labels = [{ name = "money" }, { name = "law" }]
        [[layer]]
        name = "stance"
        kind = "target"
        labels = [{ name = "against" }, { name = "neutral" }, { name = "for" }]
        "#,
    )
    .unwrap()
}

fn scores(labels: &[usize], n: usize) -> Scores {
    Scores { probabilities: vec![0.5; n], labels: labels.to_vec(), ..Scores::default() }
}

fn sentence(outlet: &str, article: &str, voice: usize, frames: &[usize]) -> SentenceRow {
    SentenceRow {
        article_id: article.into(),
        outlet: outlet.into(),
        date: Some("2031-05-06".into()),
        event: Some("bridge".into()),
        topic: None,
        sentence_index: 0,
        start: None,
        end: None,
        text: String::new(),
        role: Role::Body,
        n_tokens: 1,
        windowed: false,
        duplicate_group: article.into(),
        layers: Some(vec![scores(&[voice], 2), scores(frames, 2)]),
    }
}

fn mention(outlet: &str, article: &str, stance: &[usize]) -> MentionRow {
    MentionRow {
        article_id: article.into(),
        outlet: outlet.into(),
        sentence_index: 0,
        target: "Mayor".into(),
        mention: "mayor".into(),
        start: None,
        end: None,
        layers: vec![scores(stance, 3)],
    }
}

fn observe(sentences: &[SentenceRow], mentions: &[MentionRow]) -> Observations {
    let mut builder = Observations::builder(&codebook());
    sentences.iter().for_each(|s| builder.push(s).unwrap());
    mentions.iter().for_each(|m| builder.push_mention(m).unwrap());
    builder.finish()
}

fn find<'a>(rows: &'a [ProfileRow], outlet: &str, label: &str) -> &'a ProfileRow {
    rows.iter().find(|r| r.outlet == outlet && r.label == label && r.period.is_none()).unwrap()
}

#[test]
fn shares_are_counts_over_sentences() {
    let mut clutter = sentence("A", "a1", 1, &[]);
    clutter.role = Role::Boilerplate;
    let mut unscored = sentence("A", "a1", 1, &[]);
    unscored.layers = None;
    let observations = observe(
        &[
            sentence("A", "a1", 0, &[0, 1]),
            sentence("A", "a1", 1, &[1]),
            sentence("A", "a2", 0, &[]),
            clutter,
            unscored,
        ],
        &[],
    );
    assert_eq!(observations.n_sentences(), 3);
    let rows = profiles(&observations, &Settings::default());
    // Four labels, for all, the event and the month.
    assert_eq!(rows.len(), 12);
    let own = find(&rows, "A", "own");
    assert_eq!((own.n_articles, own.n_sentences, own.share), (2, 3, 2.0 / 3.0));
    assert_eq!((own.low, own.high), (None, None));
    assert_eq!(find(&rows, "A", "law").share, 2.0 / 3.0);
    assert_eq!(find(&rows, "A", "money").share, 1.0 / 3.0);
    let scopes: Vec<_> =
        rows.iter().step_by(4).map(|r| (r.event.as_deref(), r.period.as_deref())).collect();
    assert_eq!(scopes, [(None, None), (Some("bridge"), None), (None, Some("2031-05"))]);
}

#[test]
fn a_date_that_is_none_has_no_month_and_an_empty_event_is_none() {
    let mut row = sentence("A", "a1", 0, &[]);
    row.date = Some("last Tuesday".into());
    row.event = Some(" ".into());
    let rows = profiles(&observe(&[row], &[]), &Settings::default());
    assert!(rows.iter().all(|r| r.event.is_none() && r.period.is_none()));
}

#[test]
fn few_articles_get_no_interval_and_enough_do() {
    for n in [1, MIN_ARTICLES_FOR_INTERVAL - 1, MIN_ARTICLES_FOR_INTERVAL] {
        let rows: Vec<_> = (0..n)
            .flat_map(|i| {
                ["A", "B"].map(|outlet| sentence(outlet, &format!("{outlet}{i}"), i % 2, &[]))
            })
            .collect();
        let observations = observe(&rows, &[]);
        let enough = n >= MIN_ARTICLES_FOR_INTERVAL;
        let profiles = profiles(&observations, &Settings::default());
        assert!(profiles.iter().all(|r| r.low.is_some() == enough && r.high.is_some() == enough));
        let contrasts = contrasts(&observations, &Settings::default());
        assert_eq!(contrasts.rows.len(), 4);
        assert_eq!(contrasts.permutations.is_some(), enough);
        assert!(
            contrasts.rows.iter().all(|r| {
                [r.low, r.high, r.p, r.q].iter().all(|value| value.is_some() == enough)
            })
        );
    }
}

#[test]
fn wire_copy_can_be_set_apart() {
    let mut copy = sentence("B", "b1", 1, &[]);
    copy.duplicate_group = "a1".into();
    let rows = [sentence("A", "a1", 1, &[]), copy, sentence("B", "b2", 0, &[])];
    let observations = observe(&rows, &[mention("B", "b1", &[0]), mention("B", "b2", &[2])]);
    assert_eq!(observations.n_duplicates(), 1);
    let with = Settings::default();
    let without = Settings { exclude_duplicates: true, ..Settings::default() };
    assert_eq!(find(&profiles(&observations, &with), "B", "own").share, 0.5);
    assert_eq!(find(&profiles(&observations, &without), "B", "own").share, 1.0);
    let mean = |settings| {
        let rows = target_profiles(&observations, settings);
        rows.into_iter().find(|r| r.label == MEAN).unwrap().share
    };
    assert_eq!((mean(&with), mean(&without)), (0.0, 1.0));
}

#[test]
fn the_mean_of_a_target_runs_from_minus_one_to_one() {
    let sentences: Vec<_> = (0..8).map(|i| sentence("A", &format!("a{i}"), 0, &[])).collect();
    let stances: [&[usize]; 8] = [&[0], &[0], &[0], &[1], &[2], &[], &[1], &[0]];
    let mentions: Vec<_> = stances
        .iter()
        .enumerate()
        .map(|(i, stance)| mention("A", &format!("a{i}"), stance))
        .chain([mention("A", "an article that is not there", &[2])])
        .collect();
    let rows = target_profiles(&observe(&sentences, &mentions), &Settings::default());
    let labels: Vec<_> = rows.iter().map(|r| r.label.as_str()).collect();
    assert_eq!(labels, ["against", "neutral", "for", MEAN]);
    assert_eq!((rows[0].n_articles, rows[0].n_mentions), (8, 7));
    assert_eq!(rows[0].share, 4.0 / 7.0);
    // Four against, one for, one without an answer: (−4 + 1) / 7.
    let mean = &rows[3];
    assert!((mean.share + 3.0 / 7.0).abs() < 1e-15);
    assert!(mean.low.unwrap() >= -1.0 && mean.low.unwrap() < mean.share);
    assert!(mean.high.unwrap() > mean.share && mean.high.unwrap() <= 1.0);
}

#[test]
fn withheld_labels_speak_neither_way() {
    let mut unsure = sentence("A", "a1", 0, &[0]);
    let layers = unsure.layers.as_mut().unwrap();
    layers[0] = Scores { labels: vec![], withheld: vec![1], ..layers[0].clone() };
    layers[1] = Scores { withheld: vec![1], ..layers[1].clone() };
    let sure = [sentence("A", "a1", 1, &[0, 1]), sentence("A", "a2", 0, &[])];
    let rows = [unsure, sure[0].clone(), sure[1].clone()];
    let observations = observe(&rows, &[]);
    assert_eq!(observations.withheld(), [("voice", 1, 3), ("frames", 1, 3)]);
    assert_eq!(observations.n_sentences(), 3);
    let rows = profiles(&observations, &Settings::default());
    let of = |label| {
        let row = find(&rows, "A", label);
        (row.n_sentences, row.share)
    };
    assert_eq!([of("own"), of("other")], [(2, 0.5), (2, 0.5)]);
    assert_eq!([of("money"), of("law")], [(3, 2.0 / 3.0), (2, 0.5)]);
}

#[test]
fn a_label_that_never_occurs_is_bounded_and_not_certain() {
    let rows: Vec<_> = (0..20).map(|i| sentence("A", &format!("a{i}"), 0, &[])).collect();
    let rows = profiles(&observe(&rows, &[]), &Settings::default());
    // Clopper & Pearson for 0 of 20 at 95%: 1 − 0.025^(1/20).
    let bound = 0.168_433_480_0;
    let never = find(&rows, "A", "other");
    assert_eq!((never.share, never.low), (0.0, Some(0.0)));
    assert!((never.high.unwrap() - bound).abs() < 1e-6, "{never:?}");
    let always = find(&rows, "A", "own");
    assert_eq!((always.share, always.high), (1.0, Some(1.0)));
    assert!((always.low.unwrap() - (1.0 - bound)).abs() < 1e-6);
}

#[test]
fn a_contrast_with_a_constant_side_joins_both_intervals() {
    let mut rows: Vec<_> = (0..30).map(|i| sentence("A", &format!("a{i}"), 0, &[])).collect();
    rows.extend((0..30).map(|i| sentence("B", &format!("b{i}"), usize::from(i % 3 == 0), &[])));
    let observations = observe(&rows, &[]);
    let contrasts = contrasts(&observations, &Settings::default());
    let own = &contrasts.rows[0];
    assert!((own.difference - 1.0 / 3.0).abs() < 1e-12);
    let profile =
        |outlet| find(&profiles(&observations, &Settings::default()), outlet, "own").clone();
    let (a, b) = (profile("A"), profile("B"));
    let low = own.difference - (1.0 - a.low.unwrap()).hypot(b.high.unwrap() - b.share);
    assert!((own.low.unwrap() - low).abs() < 1e-12);
    assert!(own.p.unwrap() < 0.01, "{own:?}");
    // Neither outlet has the label: no difference, and nothing against that.
    let money = contrasts.rows.iter().find(|r| r.label == "money").unwrap();
    assert_eq!((money.difference, money.p), (0.0, Some(1.0)));
}

#[test]
fn pairs_are_capped_at_the_outlets_with_most_articles() {
    let mut rows = Vec::new();
    for (outlet, n) in [("A", 1), ("B", 3), ("C", 2), ("D", 3)] {
        rows.extend((0..n).map(|i| sentence(outlet, &format!("{i}"), 0, &[])));
    }
    let settings = Settings { max_outlets: 2, ..Settings::default() };
    let contrasts = contrasts(&observe(&rows, &[]), &settings);
    assert_eq!(contrasts.outlets_left_out, 2);
    assert!(contrasts.rows.iter().all(|r| r.outlet_a == "B" && r.outlet_b == "D"));
}

#[test]
fn scores_that_do_not_fit_are_refused() {
    let mut builder = Observations::builder(&codebook());
    let message = builder.push(&sentence("A", "a1", 5, &[])).unwrap_err().to_string();
    assert!(message.contains("layer voice has 2 labels, but label 5 was given"), "{message}");
    let mut row = mention("A", "a1", &[0]);
    row.layers.clear();
    let message = builder.push_mention(&row).unwrap_err().to_string();
    assert!(message.contains("scores of 0 layers, the codebook has 1"), "{message}");
}

#[test]
fn an_empty_corpus_has_no_rows() {
    let observations = observe(&[], &[]);
    assert!(profiles(&observations, &Settings::default()).is_empty());
    assert!(target_profiles(&observations, &Settings::default()).is_empty());
    assert!(contrasts(&observations, &Settings::default()).rows.is_empty());
    assert_eq!(observations.n_sentences(), 0);
}

#[test]
fn settings_are_checked() {
    assert!(Settings::default().validate().is_ok());
    let refused = |settings: Settings| settings.validate().unwrap_err().to_string();
    let message = refused(Settings { resamples: 1, ..Settings::default() });
    assert_eq!(message, "resamples is 1, but must be from 100 to 100000");
    for level in [0.0, 1.0, f64::NAN, 95.0] {
        assert!(refused(Settings { level, ..Settings::default() }).starts_with("level is"));
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn neither_row_order_nor_other_outlets_change_a_figure(
        drawn in prop::collection::vec((0usize..3, 0usize..9, 0usize..2), 1..80),
        seed: u64,
    ) {
        let outlets = ["A", "B", "C"];
        let mut rows: Vec<_> = drawn
            .iter()
            .map(|&(o, a, voice)| sentence(outlets[o], &format!("{a}"), voice, &[voice]))
            .collect();
        let settings = Settings { resamples: 200, permutations: 99, seed, ..Settings::default() };
        let before = observe(&rows, &[]);
        rows.reverse();
        let after = observe(&rows, &[]);
        prop_assert_eq!(&before, &after);

        rows.retain(|row| row.outlet == "A");
        let of_a: Vec<_> = profiles(&before, &settings)
            .into_iter()
            .filter(|row| row.outlet == "A")
            .collect();
        prop_assert_eq!(of_a, profiles(&observe(&rows, &[]), &settings));
    }

    #[test]
    fn intervals_are_ordered_and_stay_in_range(
        counts in prop::collection::vec((0u32..10, 1u32..20), 5..40),
        seed: u64,
    ) {
        let counts = ndarray::Array2::from_shape_fn((counts.len(), 2), |(i, j)| {
            let (y, x) = counts[i];
            f64::from(if j == 0 { y.min(x) } else { x })
        });
        let settings = Settings { resamples: 200, seed, ..Settings::default() };
        let group = Resampled::new(counts, &settings, &["x"]);
        let estimate = group.estimate(Ratio::share(0, 1));
        let (low, high) = estimate.interval.unwrap();
        let value = estimate.value.unwrap();
        prop_assert!(0.0 <= low && low <= value && value <= high && high <= 1.0, "{estimate:?}");
    }

    #[test]
    fn q_values_keep_the_order_of_p_and_are_never_smaller(
        p in prop::collection::vec(0.0f64..=1.0, 0..50),
    ) {
        let q = benjamini_hochberg(&p);
        prop_assert_eq!(q.len(), p.len());
        for i in 0..p.len() {
            prop_assert!(q[i] >= p[i] && q[i] <= 1.0);
            for j in 0..p.len() {
                prop_assert!(p[i] > p[j] || q[i] <= q[j]);
            }
        }
    }
}
