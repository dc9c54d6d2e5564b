//! Shares of labels: of an outlet, of an outlet in an event or a month, and of an outlet
//! for a target.

use std::collections::BTreeMap;

use ndarray::{Array2, ArrayView1};
use rayon::prelude::*;
use serde::{Deserialize, Serialize};

use super::{
    Observations, Settings,
    bootstrap::{Ratio, Resampled},
    table,
};
use crate::model::codebook::Layer;

/// The label under which [`TargetProfileRow`] gives the mean of a target layer.
pub const MEAN: &str = "mean";

/// What share of an outlet's sentences carries a label: a row of `profiles.parquet`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ProfileRow {
    /// The outlet.
    pub outlet: String,
    /// The event; `None`: all.
    pub event: Option<String>,
    /// The month `YYYY-MM`; `None`: all.
    pub period: Option<String>,
    /// The layer.
    pub layer: String,
    /// The label.
    pub label: String,
    /// Articles with at least one scored sentence.
    pub n_articles: u64,
    /// Scored sentences, those left out in which the label was withheld.
    pub n_sentences: u64,
    /// Sentences with the label, divided by those sentences: 0 to 1.
    pub share: f64,
    /// Lower end of the interval; `None` where the articles are too few.
    pub low: Option<f64>,
    /// Upper end of the interval.
    pub high: Option<f64>,
}

/// What share of an outlet's mentions of a target carries a label: a row of
/// `target_profiles.parquet`.
///
/// The label [`MEAN`] gives the mean instead, with the layer's labels spread evenly from
/// −1 to +1 in the order of the codebook: for unfavourable, neutral, favourable it is
/// −1, 0, +1. Mentions on which the model gave no answer, or withheld it, are left out.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct TargetProfileRow {
    /// The outlet.
    pub outlet: String,
    /// The target.
    pub target: String,
    /// The layer.
    pub layer: String,
    /// The label, or [`MEAN`].
    pub label: String,
    /// Articles that mention the target.
    pub n_articles: u64,
    /// Mentions of the target with an answer.
    pub n_mentions: u64,
    /// Mentions with the label, divided by mentions (0 to 1); for [`MEAN`], −1 to +1.
    pub share: f64,
    /// Lower end of the interval; `None` where the articles are too few.
    pub low: Option<f64>,
    /// Upper end of the interval.
    pub high: Option<f64>,
}

/// The articles that a set of rows is about.
struct Group {
    outlet: usize,
    event: Option<usize>,
    month: Option<usize>,
    articles: Vec<usize>,
}

/// The shares of every label: for each outlet over all its articles, then for each of its
/// events, then for each of its months. Groups without articles have no rows.
pub fn profiles(observations: &Observations, settings: &Settings) -> Vec<ProfileRow> {
    let mut groups: BTreeMap<_, Vec<usize>> = BTreeMap::new();
    for (i, a) in observations.articles.iter().enumerate() {
        if a.duplicate && settings.exclude_duplicates {
            continue;
        }
        let mut add = |event, month| groups.entry((a.outlet, event, month)).or_default().push(i);
        add(None, None);
        a.event.iter().for_each(|&e| add(Some(e), None));
        a.month.iter().for_each(|&m| add(None, Some(m)));
    }
    // `None` sorts first: all of the outlet, then its events, then its months.
    let mut groups: Vec<Group> = groups
        .into_iter()
        .map(|((outlet, event, month), articles)| Group { outlet, event, month, articles })
        .collect();
    groups.sort_by_key(|g| (g.outlet, g.month, g.event));
    groups.par_iter().flat_map_iter(|group| group_rows(observations, settings, group)).collect()
}

fn group_rows(observations: &Observations, settings: &Settings, group: &Group) -> Vec<ProfileRow> {
    let outlet = &observations.outlets[group.outlet];
    let event = group.event.map(|e| &observations.events[e]);
    let period = group.month.map(|m| &observations.months[m]);
    let resampled =
        resampled_articles(observations, &group.articles, settings, outlet, event, period);
    let n_labels = table::labels(&observations.sentence_layers);
    let labels = observations
        .sentence_layers
        .iter()
        .flat_map(|layer| layer.label_names().map(move |label| (&layer.name, label)));
    labels
        .enumerate()
        .filter_map(|(column, (layer, label))| {
            let decided = table::denominator(observations.counts.ncols(), n_labels, column);
            let estimate = resampled.estimate(Ratio::share(column, decided));
            Some(ProfileRow {
                outlet: outlet.clone(),
                event: event.cloned(),
                period: period.cloned(),
                layer: layer.clone(),
                label: label.to_owned(),
                n_articles: resampled.n_articles() as u64,
                n_sentences: resampled.total(decided) as u64,
                share: estimate.value?,
                low: estimate.interval.map(|i| i.0),
                high: estimate.interval.map(|i| i.1),
            })
        })
        .collect()
}

/// Resamples the sentence counts of some articles of an outlet.
pub(super) fn resampled_articles(
    observations: &Observations,
    articles: &[usize],
    settings: &Settings,
    outlet: &str,
    event: Option<&String>,
    period: Option<&String>,
) -> Resampled {
    let counts = matrix(articles.iter().map(|&a| observations.article_counts(a)));
    let part = |p: Option<&String>| p.map_or(String::new(), |p| format!("={p}"));
    let name = ["sentences", outlet, &part(event), &part(period)];
    Resampled::new(counts, settings, &name)
}

/// Rows of counts as a matrix of floats.
pub(super) fn matrix<'a>(rows: impl ExactSizeIterator<Item = ArrayView1<'a, u32>>) -> Array2<f64> {
    let rows: Vec<_> = rows.collect();
    let width = rows.first().map_or(0, |row| row.len());
    Array2::from_shape_fn((rows.len(), width), |(i, j)| f64::from(rows[i][j]))
}

/// The shares of every label of the target layers, and their mean, for each outlet and
/// target that it mentions.
pub fn target_profiles(observations: &Observations, settings: &Settings) -> Vec<TargetProfileRow> {
    let mut groups: BTreeMap<(usize, usize), Vec<usize>> = BTreeMap::new();
    for (i, mention) in observations.mentions.iter().enumerate() {
        let article = &observations.articles[mention.article];
        if !(article.duplicate && settings.exclude_duplicates) {
            groups.entry((article.outlet, mention.target)).or_default().push(i);
        }
    }
    let groups: Vec<_> = groups.into_iter().collect();
    groups
        .par_iter()
        .flat_map_iter(|((outlet, target), mentions)| {
            let outlet = &observations.outlets[*outlet];
            let target = &observations.targets[*target];
            target_rows(observations, settings, outlet, target, mentions)
        })
        .collect()
}

fn target_rows(
    observations: &Observations,
    settings: &Settings,
    outlet: &str,
    target: &str,
    mentions: &[usize],
) -> Vec<TargetProfileRow> {
    let layers = &observations.target_layers;
    let mut counts = matrix(mentions.iter().map(|&m| observations.mention_counts.row(m)));
    let n_labels = table::labels(layers);
    let n_columns = counts.ncols();
    let first_sum = n_columns;
    add_sums(&mut counts, layers);
    let resampled = Resampled::new(counts, settings, &["mentions", outlet, target]);

    let mut rows = Vec::new();
    let mut column = 0;
    for (k, layer) in layers.iter().enumerate() {
        let mut add = |label: &str, ratio, decided| {
            let estimate = resampled.estimate(ratio);
            rows.extend(estimate.value.map(|share| TargetProfileRow {
                outlet: outlet.to_owned(),
                target: target.to_owned(),
                layer: layer.name.clone(),
                label: label.to_owned(),
                n_articles: resampled.n_articles() as u64,
                n_mentions: resampled.total(decided) as u64,
                share,
                low: estimate.interval.map(|i| i.0),
                high: estimate.interval.map(|i| i.1),
            }));
        };
        for label in layer.label_names() {
            let decided = table::denominator(n_columns, n_labels, column);
            add(label, Ratio::share(column, decided), decided);
            column += 1;
        }
        let (numerator, denominator) = (first_sum + 2 * k, first_sum + 2 * k + 1);
        add(MEAN, Ratio { numerator, denominator, range: (-1.0, 1.0) }, denominator);
    }
    rows
}

/// Appends two columns for each layer: the sum of its labels' positions, and the number
/// of mentions with an answer.
fn add_sums(counts: &mut Array2<f64>, layers: &[Layer]) {
    let (n, width) = counts.dim();
    let mut offset = 0;
    let mut extended = Array2::zeros((n, width + 2 * layers.len()));
    extended.slice_mut(ndarray::s![.., ..width]).assign(counts);
    for (k, layer) in layers.iter().enumerate() {
        let steps = layer.labels.len().saturating_sub(1).max(1) as f64;
        for j in 0..layer.labels.len() {
            let position = 2.0 * j as f64 / steps - 1.0;
            for i in 0..n {
                let count = counts[[i, offset + j]];
                extended[[i, width + 2 * k]] += position * count;
                extended[[i, width + 2 * k + 1]] += count;
            }
        }
        offset += layer.labels.len();
    }
    *counts = extended;
}
