//! The page of one outlet: its profile, and the sentences behind each figure.

use std::collections::BTreeMap;

use super::context::{Context, Outlet, SentenceLayer, day};
use super::input::EvidenceSentence;
use super::matrix::{self, Cell, Head, Matrix, Row};
use super::palette::Chip;
use super::text::{self, Segment};
use crate::profile::ProfileRow;

/// Most events and months shown on a page; the download holds all.
const MOST_EVENTS: usize = 30;
const MOST_MONTHS: usize = 240;

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

/// The course of a layer's labels over time.
#[derive(Debug)]
pub(super) struct TrendGroup {
    pub title: String,
    pub scale: String,
    pub trends: Vec<Trend>,
}

/// The course of one label.
#[derive(Debug)]
pub(super) struct Trend {
    pub chip: Chip,
    /// Points of the line and outline of the intervals, on a field of 200 by 50.
    pub line: String,
    pub band: String,
    pub dots: Vec<(f64, f64, String)>,
    pub first: String,
    pub last: String,
    pub spoken: String,
}

/// The sentences of one article.
#[derive(Debug)]
pub(super) struct ArticleView {
    pub title: String,
    pub meta: String,
    pub url: Option<String>,
    pub sentences: Vec<SentenceView>,
}

/// A sentence.
#[derive(Debug)]
pub(super) struct SentenceView {
    /// Number in the report.
    pub number: usize,
    /// What it is found by.
    pub keys: String,
    pub segments: Vec<Segment>,
    pub role: String,
    pub place: u32,
    pub labels: Vec<Given>,
    pub mentions: Vec<(String, Given)>,
}

/// A label given to a sentence.
#[derive(Debug)]
pub(super) struct Given {
    pub chip: Chip,
    pub layer: String,
    pub p: String,
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
             is surest and others by chance. All are in sentences.parquet.",
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
    })
}

fn by_month(cx: &Context, outlet: &Outlet, look: &SentenceLayer) -> Option<TrendGroup> {
    let name = look.layer.name.as_str();
    let mut labels: BTreeMap<&str, BTreeMap<&str, &ProfileRow>> = BTreeMap::new();
    for row in &cx.input.profiles {
        if let (None, Some(period)) = (&row.event, &row.period)
            && row.outlet == outlet.key
            && row.layer == name
            && row.n_sentences > 0
        {
            labels.entry(&row.label).or_default().insert(period, row);
        }
    }
    let periods: Vec<&str> = {
        let all: std::collections::BTreeSet<&str> =
            labels.values().flat_map(|r| r.keys().copied()).collect();
        all.into_iter().take(MOST_MONTHS).collect()
    };
    if periods.len() < 3 {
        return None;
    }
    let end = matrix::scale_end(labels.values().flat_map(|r| r.values().copied()));
    let trends = look
        .chips
        .iter()
        .zip(look.layer.label_names())
        .filter_map(|(chip, label)| {
            let rows = labels.get(label)?;
            rows.values().any(|r| r.share > 0.0).then(|| trend(chip, rows, &periods, end))
        })
        .collect();
    Some(TrendGroup {
        title: text::spaced(name),
        scale: format!("0 to {}", text::percent(end)),
        trends,
    })
}

fn trend(chip: &Chip, rows: &BTreeMap<&str, &ProfileRow>, periods: &[&str], end: f64) -> Trend {
    // Months that are missing leave their place empty.
    let month = |p: &str| {
        let (year, month) = p.split_once('-')?;
        Some(year.parse::<i32>().ok()? * 12 + month.parse::<i32>().ok()?)
    };
    let at = |i: usize| {
        let ends =
            (periods.first().copied().and_then(month), periods.last().copied().and_then(month));
        match (periods.get(i).copied().and_then(month), ends) {
            (Some(m), (Some(a), Some(b))) if b > a => f64::from(m - a) / f64::from(b - a),
            _ => i as f64 / (periods.len() - 1).max(1) as f64,
        }
    };
    let (x, y) =
        (|i: usize| 4.0 + at(i) * 192.0, |share: f64| 46.0 - (share / end).min(1.0) * 42.0);
    let (mut line, mut upper, mut lower) = (Vec::new(), Vec::new(), Vec::new());
    let (mut dots, mut spoken) = (Vec::new(), Vec::new());
    for (i, period) in periods.iter().enumerate() {
        let Some(row) = rows.get(period) else { continue };
        let said = format!("{period}: {}", text::percent(row.share));
        line.push(format!("{:.1},{:.1}", x(i), y(row.share)));
        if let (Some(low), Some(high)) = (row.low, row.high) {
            upper.push(format!("{:.1},{:.1}", x(i), y(high)));
            lower.push(format!("{:.1},{:.1}", x(i), y(low)));
        }
        let of = text::counted(row.n_sentences, "sentence", "sentences");
        dots.push((x(i), y(row.share), format!("{said} of {of}")));
        spoken.push(said);
    }
    lower.reverse();
    upper.extend(lower);
    Trend {
        chip: chip.clone(),
        line: line.join(" "),
        band: upper.join(" "),
        dots,
        first: periods.first().map(|p| text::clip(p, 12)).unwrap_or_default(),
        last: periods.last().map(|p| text::clip(p, 12)).unwrap_or_default(),
        spoken: format!("{} by month: {}", chip.name, spoken.join(", ")),
    }
}

fn articles(cx: &Context, sentences: &[(usize, &EvidenceSentence)]) -> Vec<ArticleView> {
    let targets = super::targets::target_names(cx);
    let mut out: Vec<ArticleView> = Vec::new();
    let mut last: Option<&str> = None;
    for &(number, sentence) in sentences {
        if last != Some(sentence.article_id.as_str()) {
            let title = sentence.article_title.as_deref().unwrap_or(&sentence.article_id);
            let event = sentence.event.as_deref().map(|e| text::clip(e, 60));
            let parts = [sentence.date.as_deref().map(day), event];
            out.push(ArticleView {
                title: text::clip(title, 160),
                meta: parts.into_iter().flatten().collect::<Vec<_>>().join(" · "),
                url: sentence.url.as_deref().and_then(text::web_address),
                sentences: Vec::new(),
            });
            last = Some(&sentence.article_id);
        }
        if let Some(article) = out.last_mut() {
            article.sentences.push(sentence_view(cx, number, sentence, &targets));
        }
    }
    out
}

fn sentence_view(
    cx: &Context,
    number: usize,
    sentence: &EvidenceSentence,
    targets: &[String],
) -> SentenceView {
    let mut keys: Vec<String> = Vec::new();
    let mut labels = Vec::new();
    for (layer, given) in sentence.labels.iter().enumerate() {
        for &(label, p) in given {
            keys.push(format!("{layer}.{label}"));
            if let (Some(chip), Some(look)) = (cx.chip(layer, label), cx.layers.get(layer)) {
                labels.push(Given {
                    chip: chip.clone(),
                    layer: text::spaced(&look.layer.name),
                    p: format!("{p:.2}"),
                });
            }
        }
    }
    let mut mentions: Vec<(String, Given)> = Vec::new();
    for mention in &sentence.mentions {
        if let Some(i) = targets.iter().position(|t| *t == mention.target) {
            keys.push(format!("t{i}"));
        }
        for (look, stance) in cx.target_layers.iter().zip(&mention.stance) {
            let Some((chip, p)) = stance.and_then(|(l, p)| Some((look.chips.get(l)?, p))) else {
                continue;
            };
            let name = text::clip(&mention.target, 60);
            let said = Given {
                chip: chip.clone(),
                layer: text::spaced(&look.layer.name),
                p: format!("{p:.2}"),
            };
            // The same target named twice with one stance is said once.
            if !mentions.iter().any(|(n, g)| *n == name && g.chip == said.chip) {
                mentions.push((name, said));
            }
        }
    }
    keys.dedup();
    SentenceView {
        number,
        keys: keys.join(" "),
        segments: cx.segments(sentence, None, true),
        role: sentence.role.clone(),
        place: sentence.sentence_index + 1,
        labels,
        mentions,
    }
}
