//! The page of one outlet: its profile, and the sentences behind each figure.

use std::collections::BTreeMap;

use super::context::{Context, Outlet, SentenceLayer};
use super::input::EvidenceSentence;
use super::matrix::{self, Cell, Head, Matrix, Row};
use super::palette::Chip;
use super::sentences::{ArticleView, articles};
use super::text;
use super::trends::{TrendGroup, by_month};
use crate::profile::ProfileRow;

/// Most events shown on a page; the table holds all.
const MOST_EVENTS: usize = 30;

/// The page.
#[derive(Debug)]
pub(super) struct OutletPage {
    pub outlet: Outlet,
    pub layers: Vec<LayerBars>,
    pub targets: Vec<TargetBars>,
    pub events: Vec<Matrix>,
    pub trends: Vec<TrendGroup>,
    pub articles: Vec<ArticleView>,
    /// Of how many sentences these were chosen.
    pub kept: String,
}

/// A layer of the profile.
#[derive(Debug)]
pub(super) struct LayerBars {
    pub title: String,
    pub name: String,
    pub scale: String,
    pub bars: Vec<Bar>,
}

/// A figure that leads to its sentences.
#[derive(Debug)]
pub(super) struct Bar {
    pub head: Head,
    /// What its sentences are found by.
    pub key: String,
    pub cell: Cell,
    /// How many of the sentences behind it are in the report, and of how many.
    pub kept: usize,
    pub total: u64,
}

/// Mean stance to each target.
#[derive(Debug)]
pub(super) struct TargetBars {
    pub title: String,
    pub scale: String,
    pub bars: Vec<Bar>,
}

/// Puts the page of an outlet together.
pub(super) fn outlet_page(cx: &Context, outlet: &Outlet) -> OutletPage {
    let sentences: Vec<(usize, &EvidenceSentence)> = cx
        .input
        .evidence
        .sentences
        .iter()
        .enumerate()
        .filter(|(_, s)| s.outlet == outlet.key)
        .collect();
    let n = sentences.len() as u64;
    let kept = if cx.input.evidence.complete || n >= outlet.n_sentences {
        format!("All {} are in this file.", text::counted(n, "scored sentence", "scored sentences"))
    } else {
        format!(
            "{} of {} scored sentences are in this file: for each label those of which the model \
             is surest and others by chance. A sentence’s number leads to its whole article.",
            text::count(n),
            text::count(outlet.n_sentences)
        )
    };
    OutletPage {
        layers: (0..cx.layers.len()).filter_map(|i| bars(cx, outlet, i, &sentences)).collect(),
        targets: target_bars(cx, outlet, &sentences),
        events: cx.layers.iter().filter_map(|l| by_event(cx, outlet, l)).collect(),
        trends: cx.layers.iter().filter_map(|l| by_month(cx, outlet, l)).collect(),
        articles: articles(cx, &sentences),
        kept,
        outlet: outlet.clone(),
    }
}

fn bars(
    cx: &Context,
    outlet: &Outlet,
    at: usize,
    sentences: &[(usize, &EvidenceSentence)],
) -> Option<LayerBars> {
    let look = cx.layers.get(at)?;
    let name = look.layer.name.as_str();
    let row = |label: &str| cx.profile(&outlet.key, name, label);
    let end = matrix::scale_end(look.layer.label_names().filter_map(row));
    let bars = look
        .chips
        .iter()
        .zip(look.layer.label_names())
        .enumerate()
        .map(|(i, (chip, label))| {
            let has = |s: &EvidenceSentence| {
                s.labels.get(at).is_some_and(|l| l.iter().any(|(given, _)| *given == i))
            };
            let href = format!("{}/{name}/{label}", outlet.path);
            Bar {
                head: label_head(chip),
                key: format!("{at}.{i}"),
                cell: matrix::share_cell(row(label), end, &chip.class(), href, &chip.name),
                kept: sentences.iter().filter(|(_, s)| has(s)).count(),
                total: cx
                    .input
                    .evidence
                    .counts
                    .get(&(outlet.key.clone(), at, i))
                    .copied()
                    .unwrap_or(0),
            }
        })
        .collect();
    Some(LayerBars {
        title: text::spaced(name),
        name: name.to_owned(),
        scale: format!("0 to {}", text::percent(end)),
        bars,
    })
}

fn label_head(chip: &Chip) -> Head {
    Head { name: chip.name.clone(), chip: Some(chip.clone()), ..Head::default() }
}

fn target_bars(
    cx: &Context,
    outlet: &Outlet,
    sentences: &[(usize, &EvidenceSentence)],
) -> Vec<TargetBars> {
    let names = super::targets::target_names(cx);
    let slugs = text::slugs(names.iter().map(String::as_str));
    cx.target_layers
        .iter()
        .filter_map(|look| {
            let bars: Vec<Bar> = names
                .iter()
                .zip(&slugs)
                .enumerate()
                .filter_map(|(i, (target, slug))| {
                    let mean = super::targets::mean_row(cx, &outlet.key, target, &look.layer.name)?;
                    let kept = sentences
                        .iter()
                        .filter(|(_, s)| s.mentions.iter().any(|m| m.target == *target))
                        .count();
                    let href = format!("{}/{}/{slug}", outlet.path, look.layer.name);
                    Some(Bar {
                        head: Head {
                            name: text::clip(target, 60),
                            note: text::counted(mean.n_mentions, "mention", "mentions"),
                            ..Head::default()
                        },
                        key: format!("t{i}"),
                        cell: super::targets::mean_cell(mean, href, &text::clip(target, 60)),
                        kept,
                        total: if cx.input.evidence.complete { kept as u64 } else { 0 },
                    })
                })
                .collect();
            (!bars.is_empty()).then(|| TargetBars {
                title: text::spaced(&look.layer.name),
                scale: super::targets::scale(look),
                bars,
            })
        })
        .collect()
}

fn by_event(cx: &Context, outlet: &Outlet, look: &SentenceLayer) -> Option<Matrix> {
    let name = look.layer.name.as_str();
    let mut events: BTreeMap<&str, BTreeMap<&str, &ProfileRow>> = BTreeMap::new();
    for row in &cx.input.profiles {
        if let (Some(event), None) = (&row.event, &row.period)
            && row.outlet == outlet.key
            && row.layer == name
        {
            events.entry(event).or_default().insert(&row.label, row);
        }
    }
    if events.len() < 2 {
        return None;
    }
    let end = matrix::scale_end(events.values().flat_map(|e| e.values().copied()));
    let used: Vec<(&Chip, &str)> = look
        .chips
        .iter()
        .zip(look.layer.label_names())
        .filter(|(_, l)| events.values().any(|e| e.get(l).is_some_and(|r| r.share > 0.0)))
        .collect();
    Some(Matrix {
        caption: format!("Observed share of sentences, by event: {}", text::spaced(name)),
        corner: "Event".to_owned(),
        columns: used.iter().map(|(chip, _)| label_head(chip)).collect(),
        rows: events
            .iter()
            .take(MOST_EVENTS)
            .map(|(event, rows)| {
                let any = rows.values().next();
                Row {
                    head: Head {
                        name: text::clip(event, 60),
                        note: any.map_or_else(String::new, |r| {
                            format!(
                                "{}, {}",
                                text::counted(r.n_articles, "article", "articles"),
                                text::counted(r.n_sentences, "sentence", "sentences")
                            )
                        }),
                        ..Head::default()
                    },
                    cells: used
                        .iter()
                        .map(|(chip, label)| {
                            let what = format!("{}, {}", text::clip(event, 60), chip.name);
                            let row = rows.get(label).copied();
                            matrix::share_cell(row, end, &chip.class(), String::new(), &what)
                        })
                        .collect(),
                    ..Row::default()
                }
            })
            .collect(),
        scale: format!("0 to {}", text::percent(end)),
        strip_head: String::new(),
        csv: ("profiles".to_owned(), name.to_owned()),
        event: String::new(),
    })
}
