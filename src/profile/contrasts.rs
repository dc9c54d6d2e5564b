//! Differences between outlets, pair by pair.

use ndarray::Axis;
use rayon::prelude::*;
use serde::{Deserialize, Serialize};

use super::{
    MIN_ARTICLES_FOR_INTERVAL, Observations, Settings,
    bootstrap::{Ratio, Resampled},
    profiles::{matrix, resampled_articles},
    resample, table,
};

/// Articles drawn for one pair of outlets over all permutations. Pairs of very large
/// outlets get fewer permutations, so that a corpus of millions still ends.
const MAX_DRAWS: usize = 20_000_000;
/// But never fewer than this.
const MIN_PERMUTATIONS: usize = 999;

/// How two outlets differ in a label: a row of `contrasts.parquet`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ContrastRow {
    /// The first outlet.
    pub outlet_a: String,
    /// The second outlet.
    pub outlet_b: String,
    /// The layer.
    pub layer: String,
    /// The label.
    pub label: String,
    /// Share in the first outlet less share in the second: −1 to 1.
    pub difference: f64,
    /// Lower end of the bootstrap interval; `None` where either outlet has too few articles.
    pub low: Option<f64>,
    /// Upper end of the bootstrap interval.
    pub high: Option<f64>,
    /// Two-sided p-value of the permutation test; `None` likewise.
    pub p: Option<f64>,
    /// The p-value corrected for all contrasts of the run (false discovery rate).
    pub q: Option<f64>,
}

/// All contrasts of a corpus.
#[derive(Debug, Clone, PartialEq)]
pub struct Contrasts {
    /// A row for each pair of outlets and each label.
    pub rows: Vec<ContrastRow>,
    /// Number of outlets left out because there were more than [`Settings::max_outlets`].
    pub outlets_left_out: usize,
    /// The least number of permutations that a pair got; `None` where none was tested.
    pub permutations: Option<usize>,
}

/// One outlet's counts.
struct Side<'a> {
    outlet: &'a str,
    articles: Vec<usize>,
    resampled: Resampled,
}

/// Compares every pair of outlets on every label of the sentence layers.
///
/// The p-value comes from a permutation test that deals whole articles out to the two
/// outlets anew and asks how often the shares then differ as much as they did: with `b`
/// such cases in `m` permutations, (b+1)/(m+1) (Phipson & Smyth 2010). The q-value is
/// Benjamini & Hochberg's (1995) over all contrasts of the run.
pub fn contrasts(observations: &Observations, settings: &Settings) -> Contrasts {
    let mut members: Vec<Vec<usize>> = vec![Vec::new(); observations.outlets.len()];
    for (i, a) in observations.articles.iter().enumerate() {
        if !(a.duplicate && settings.exclude_duplicates) {
            members[a.outlet].push(i);
        }
    }
    let mut chosen: Vec<usize> = (0..members.len()).filter(|&o| !members[o].is_empty()).collect();
    // Sorting is stable: among equals the first by name stay.
    chosen.sort_by_key(|&o| std::cmp::Reverse(members[o].len()));
    let outlets_left_out = chosen.len().saturating_sub(settings.max_outlets);
    chosen.truncate(settings.max_outlets);
    chosen.sort_unstable();

    let sides: Vec<Side> = chosen
        .into_par_iter()
        .map(|o| {
            let outlet = observations.outlets[o].as_str();
            let articles = members[o].clone();
            let resampled =
                resampled_articles(observations, &articles, settings, outlet, None, None);
            Side { outlet, articles, resampled }
        })
        .collect();
    let pairs: Vec<(&Side, &Side)> = sides
        .iter()
        .enumerate()
        .flat_map(|(i, a)| sides[i + 1..].iter().map(move |b| (a, b)))
        .collect();
    let permutations = pairs.iter().filter_map(|(a, b)| permutations_for(a, b, settings)).min();
    let mut rows: Vec<ContrastRow> =
        pairs.par_iter().flat_map_iter(|(a, b)| pair_rows(observations, settings, a, b)).collect();

    let p: Vec<f64> = rows.iter().filter_map(|row| row.p).collect();
    let tested = rows.iter_mut().filter(|row| row.p.is_some());
    for (row, q) in tested.zip(benjamini_hochberg(&p)) {
        row.q = Some(q);
    }
    Contrasts { rows, outlets_left_out, permutations }
}

/// How many permutations a pair gets; `None` where either outlet has too few articles.
fn permutations_for(a: &Side, b: &Side, settings: &Settings) -> Option<usize> {
    let smaller = a.articles.len().min(b.articles.len());
    let affordable = (MAX_DRAWS / smaller.max(1)).max(MIN_PERMUTATIONS);
    (smaller >= MIN_ARTICLES_FOR_INTERVAL).then(|| settings.permutations.min(affordable))
}

fn pair_rows(
    observations: &Observations,
    settings: &Settings,
    a: &Side,
    b: &Side,
) -> Vec<ContrastRow> {
    let n_labels = table::labels(&observations.sentence_layers);
    let p_values = permutations_for(a, b, settings)
        .map(|permutations| permutation_test(observations, settings, a, b, permutations));
    let labels = observations
        .sentence_layers
        .iter()
        .flat_map(|layer| layer.label_names().map(move |label| (&layer.name, label)));
    labels
        .enumerate()
        .filter_map(|(column, (layer, label))| {
            let decided = table::denominator(observations.counts.ncols(), n_labels, column);
            let estimate = a.resampled.difference(&b.resampled, Ratio::share(column, decided));
            Some(ContrastRow {
                outlet_a: a.outlet.to_owned(),
                outlet_b: b.outlet.to_owned(),
                layer: layer.clone(),
                label: label.to_owned(),
                difference: estimate.value?,
                low: estimate.interval.map(|i| i.0),
                high: estimate.interval.map(|i| i.1),
                p: p_values.as_ref().and_then(|p| p.get(column).copied()),
                q: None,
            })
        })
        .collect()
}

/// The p-value of each label's difference.
fn permutation_test(
    observations: &Observations,
    settings: &Settings,
    a: &Side,
    b: &Side,
    permutations: usize,
) -> Vec<f64> {
    // The smaller outlet is dealt out, the other gets the rest: the test is the same.
    let (small, large) = if a.articles.len() <= b.articles.len() { (a, b) } else { (b, a) };
    let articles = [small.articles.as_slice(), large.articles.as_slice()].concat();
    let counts = matrix(articles.iter().map(|&i| observations.article_counts(i)));
    let all = counts.sum_axis(Axis(0));
    let n_labels = table::labels(&observations.sentence_layers);
    let source = resample::Source::new(settings.seed, &["permutations", a.outlet, b.outlet]);
    let dealt = resample::subsets(counts.view(), small.articles.len(), permutations, source);

    let distance = |totals: ndarray::ArrayView1<f64>, label: usize| {
        let decided = table::denominator(counts.ncols(), n_labels, label);
        let (n, rest) = (totals[decided], all[decided] - totals[decided]);
        (totals[label] / n - (all[label] - totals[label]) / rest).abs()
    };
    let observed = counts.slice(ndarray::s![..small.articles.len(), ..]).sum_axis(Axis(0));
    (0..n_labels)
        .map(|label| {
            // Ties must count, and rounding must not hide them.
            let threshold = distance(observed.view(), label) - 1e-12;
            // A deal that leaves one side without a sentence tells nothing; it counts against.
            let nearer = |t: &ndarray::ArrayView1<f64>| distance(*t, label) < threshold;
            let as_far = dealt.rows().into_iter().filter(|t| !nearer(t));
            (as_far.count() + 1) as f64 / (permutations + 1) as f64
        })
        .collect()
}

/// Benjamini & Hochberg's (1995) adjusted p-values, in the order of `p`.
pub fn benjamini_hochberg(p: &[f64]) -> Vec<f64> {
    let m = p.len() as f64;
    let mut order: Vec<usize> = (0..p.len()).collect();
    order.sort_by(|&i, &j| p[j].total_cmp(&p[i]));
    let mut q = vec![0.0; p.len()];
    let mut least: f64 = 1.0;
    for (above, &i) in order.iter().enumerate() {
        let rank = m - above as f64;
        // At the last rank the factor is exactly 1, so that q is never below p.
        least = least.min(p[i] * (m / rank));
        q[i] = least;
    }
    q
}
