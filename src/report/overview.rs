//! The first screen: the outlets side by side, and what they say in their words.

use super::context::{Context, Outlet};
use super::input::EvidenceSentence;
use super::matrix::{self, Head, Matrix, Row, Tick};
use super::palette::Chip;
use super::shared_words;
use super::text::{self, Mark, Segment};
use crate::model::codebook::LayerKind;

/// Longest strip, in sentences, that still fits beside the charts.
const LONGEST_STRIP: u64 = 90;
/// Labels of which sentences are shown.
const LABELS_QUOTED: usize = 3;
/// Terms shown under "the same words".
const TERMS: usize = 3;

/// The overview.
#[derive(Debug)]
pub(super) struct Overview {
    pub layers: Vec<LayerView>,
    pub terms: Vec<TermView>,
    /// Heading of the sentences by label.
    pub quoted_layer: String,
    pub quoted: Vec<QuotedLabel>,
}

/// One layer with the outlets side by side.
#[derive(Debug)]
pub(super) struct LayerView {
    pub title: String,
    pub description: String,
    pub matrix: Matrix,
    /// The labels of the strips.
    pub legend: Vec<Chip>,
    /// What to know when reading it.
    pub reading: Vec<String>,
}

/// A term and how each outlet puts it.
#[derive(Debug)]
pub(super) struct TermView {
    pub term: String,
    pub note: String,
    pub lines: Vec<Line>,
}

/// A label and a sentence of each outlet that has it.
#[derive(Debug)]
pub(super) struct QuotedLabel {
    pub chip: Chip,
    pub note: String,
    pub lines: Vec<Line>,
}

/// An outlet and one sentence of it.
#[derive(Debug)]
pub(super) struct Line {
    pub outlet: String,
    pub outlet_path: String,
    pub chip: Option<Chip>,
    pub segments: Vec<Segment>,
    /// Said instead where there is no sentence.
    pub none: String,
    /// Number of the sentence in the report.
    pub sentence: usize,
}

/// Puts the overview together.
pub(super) fn overview(cx: &Context) -> Overview {
    let lead = cx.lead_layer();
    let mut order: Vec<usize> = (0..cx.layers.len()).collect();
    order.sort_by_key(|i| Some(*i) != lead);
    let quoted_layer = lead.and_then(|l| cx.layers.get(l));
    Overview {
        layers: order.into_iter().filter_map(|i| layer_view(cx, i, Some(i) == lead)).collect(),
        terms: lead.map(|l| term_views(cx, l)).unwrap_or_default(),
        quoted_layer: quoted_layer.map(|l| text::spaced(&l.layer.name)).unwrap_or_default(),
        quoted: lead.map(|l| quoted_labels(cx, l)).unwrap_or_default(),
    }
}

fn layer_view(cx: &Context, at: usize, with_strip: bool) -> Option<LayerView> {
    let look = cx.layers.get(at)?;
    let (layer, name) = (look.layer, look.layer.name.as_str());
    let all = |outlet: &Outlet, label: &str| cx.profile(&outlet.key, name, label);
    let end = matrix::scale_end(
        cx.outlets.iter().flat_map(|o| layer.label_names().filter_map(|l| all(o, l))),
    );
    // Labels that no outlet has need no column; they are named below the table.
    let used: Vec<(usize, &Chip, &str)> = look
        .chips
        .iter()
        .zip(layer.label_names())
        .enumerate()
        .filter(|(_, (_, l))| cx.outlets.iter().any(|o| all(o, l).is_some_and(|r| r.share > 0.0)))
        .map(|(i, (chip, l))| (i, chip, l))
        .collect();
    let strip = with_strip
        && cx.input.evidence.complete
        && cx.outlets.iter().all(|o| o.n_sentences <= LONGEST_STRIP);
    let rows = cx
        .outlets
        .iter()
        .map(|o| {
            let strip = if strip { ticks(cx, o, at) } else { Vec::new() };
            Row {
                head: Head {
                    name: o.name.clone(),
                    href: o.path.clone(),
                    note: format!(
                        "{}, {}",
                        text::counted(o.n_articles, "article", "articles"),
                        text::counted(o.n_sentences, "sentence", "sentences")
                    ),
                    ..Head::default()
                },
                strip_spoken: spoken(&strip),
                strip,
                cells: used
                    .iter()
                    .map(|(_, chip, label)| {
                        let what = format!("{}, {}", o.name, chip.name);
                        let href = format!("{}/{name}/{label}", o.path);
                        matrix::share_cell(all(o, label), end, &chip.class(), href, &what)
                    })
                    .collect(),
            }
        })
        .collect();
    let matrix = Matrix {
        caption: format!("Observed share of sentences, by outlet: {}", text::spaced(name)),
        corner: "Outlet".to_owned(),
        columns: used
            .iter()
            .map(|(_, chip, _)| Head {
                name: chip.name.clone(),
                chip: Some((*chip).clone()),
                title: chip.description.clone(),
                ..Head::default()
            })
            .collect(),
        rows,
        scale: format!("0 to {}", text::percent(end)),
        strip_head: if strip { "Sentence by sentence".to_owned() } else { String::new() },
        csv: ("profiles".to_owned(), name.to_owned()),
    };
    let unused: Vec<String> = layer
        .label_names()
        .filter(|l| !used.iter().any(|(_, _, u)| u == l))
        .map(text::spaced)
        .collect();
    Some(LayerView {
        title: text::spaced(name),
        description: layer.description.clone(),
        legend: if strip { look.chips.clone() } else { Vec::new() },
        reading: reading(cx, at, &unused),
        matrix,
    })
}

/// What to know when reading a layer: where outlets lie furthest apart, why intervals
/// are missing, which labels no sentence has.
fn reading(cx: &Context, at: usize, unused: &[String]) -> Vec<String> {
    let Some(look) = cx.layers.get(at) else { return Vec::new() };
    let name = look.layer.name.as_str();
    let mut out = Vec::new();
    if let Some((label, low, high)) = spread(cx, at).first()
        && let Some(chip) = look.chips.get(*label)
    {
        let put = |o: &Outlet| {
            let label = look.layer.labels.get(*label);
            let row = label.and_then(|l| cx.profile(&o.key, name, &l.name));
            row.map_or_else(String::new, |r| {
                format!(
                    "{} {} ({} of {})",
                    o.name,
                    text::percent(r.share),
                    text::count(matrix::behind(r)),
                    text::count(r.n_sentences)
                )
            })
        };
        out.push(format!("Widest range: {} – {}; {}.", chip.name, put(high), put(low)));
    }
    let bare: Vec<&Outlet> = cx
        .outlets
        .iter()
        .filter(|o| {
            look.layer
                .label_names()
                .filter_map(|l| cx.profile(&o.key, name, l))
                .any(|r| r.low.is_none() && r.n_sentences > 0)
        })
        .collect();
    if !bare.is_empty() {
        let who = if bare.len() == cx.outlets.len() {
            "Counts, no intervals".to_owned()
        } else {
            let names: Vec<&str> = bare.iter().map(|o| o.name.as_str()).take(8).collect();
            format!("Counts, no intervals, for {}", names.join(", "))
        };
        out.push(format!(
            "{who}: an interval comes from resampling whole articles, and there are too few of \
             them. The figures describe these articles, not the outlet."
        ));
    }
    if look.layer.kind == LayerKind::Multi {
        out.push("A sentence can have several of these labels, or none.".to_owned());
    }
    if !unused.is_empty() {
        out.push(format!("In no sentence: {}.", unused.join(", ")));
    }
    out
}

/// Labels of a layer by the range of their shares over the outlets, widest first, with
/// the outlets of the lowest and highest share.
fn spread<'c>(cx: &'c Context, at: usize) -> Vec<(usize, &'c Outlet, &'c Outlet)> {
    let Some(look) = cx.layers.get(at) else { return Vec::new() };
    let mut out: Vec<(f64, usize, &Outlet, &Outlet)> = look
        .layer
        .label_names()
        .enumerate()
        .filter_map(|(i, label)| {
            let share = |o: &&Outlet| {
                let row = cx.profile(&o.key, &look.layer.name, label);
                row.filter(|r| r.n_sentences > 0).map_or(f64::NAN, |r| r.share)
            };
            let known: Vec<&Outlet> =
                cx.outlets.iter().filter(|o| share(o).is_finite()).collect();
            let low = known.iter().copied().min_by(|a, b| share(a).total_cmp(&share(b)))?;
            let high = known.iter().copied().max_by(|a, b| share(a).total_cmp(&share(b)))?;
            let range = share(&high) - share(&low);
            (range > 0.0).then_some((range, i, low, high))
        })
        .collect();
    out.sort_by(|a, b| b.0.total_cmp(&a.0));
    out.into_iter().map(|(_, i, low, high)| (i, low, high)).collect()
}

fn ticks(cx: &Context, outlet: &Outlet, layer: usize) -> Vec<Tick> {
    let sentences = cx.input.evidence.sentences.iter().enumerate();
    sentences
        .filter(|(_, s)| s.outlet == outlet.key)
        .map(|(i, s)| {
            let chip = s.labels.get(layer).and_then(|l| l.first()).and_then(|&(label, _)| {
                cx.chip(layer, label)
            });
            Tick {
                letter: chip.map_or('·', |c| c.letter),
                class: chip.map_or_else(|| "plain".to_owned(), Chip::class),
                title: format!(
                    "{}: {}",
                    chip.map_or("no label", |c| c.name.as_str()),
                    text::clip(&s.text, 240)
                ),
                sentence: i,
            }
        })
        .collect()
}

fn spoken(strip: &[Tick]) -> String {
    let mut counts: Vec<(&str, usize)> = Vec::new();
    for tick in strip {
        let name = tick.title.split(':').next().unwrap_or_default();
        match counts.iter_mut().find(|(n, _)| *n == name) {
            Some((_, n)) => *n += 1,
            None => counts.push((name, 1)),
        }
    }
    counts.iter().map(|(name, n)| format!("{n} {name}")).collect::<Vec<_>>().join(", ")
}

fn term_views(cx: &Context, layer: usize) -> Vec<TermView> {
    let evidence = &cx.input.evidence;
    shared_words::shared_terms(evidence, layer, TERMS)
        .into_iter()
        .map(|found| {
            let lines = cx
                .outlets
                .iter()
                .map(|o| {
                    let here = found.sentences.iter().find(|(outlet, ..)| *outlet == o.key);
                    match here.and_then(|(_, i, span)| Some((*i, evidence.sentences.get(*i)?, span)))
                    {
                        Some((i, sentence, span)) => {
                            let term = Mark {
                                start: span.start,
                                end: span.end,
                                class: "term".to_owned(),
                                title: String::new(),
                            };
                            line(cx, o, layer, i, sentence, Some(term))
                        }
                        None => absent(o, "not in these words"),
                    }
                })
                .collect();
            let event =
                found.event.map(|e| format!(", event {}", text::clip(&e, 60))).unwrap_or_default();
            TermView {
                term: text::clip(&found.term, 60),
                note: format!(
                    "{} in {}{event}",
                    text::counted(found.n_sentences as u64, "sentence", "sentences"),
                    text::counted(found.sentences.len() as u64, "outlet", "outlets"),
                ),
                lines,
            }
        })
        .collect()
}

fn quoted_labels(cx: &Context, layer: usize) -> Vec<QuotedLabel> {
    let Some(look) = cx.layers.get(layer) else { return Vec::new() };
    let by_label = spread(cx, layer).into_iter().take(LABELS_QUOTED);
    by_label
        .filter_map(|(label, ..)| {
            let chip = look.chips.get(label)?.clone();
            let lines = cx
                .outlets
                .iter()
                .map(|o| match surest(cx, o, layer, label) {
                    Some((i, s)) => line(cx, o, layer, i, s, None),
                    None => absent(o, "no sentence with this label"),
                })
                .collect();
            Some(QuotedLabel { note: chip.description.clone(), chip, lines })
        })
        .collect()
}

/// The sentence of an outlet of which the model is surest that it has a label; one of
/// readable length before others.
fn surest<'c>(
    cx: &'c Context,
    outlet: &Outlet,
    layer: usize,
    label: usize,
) -> Option<(usize, &'c EvidenceSentence)> {
    cx.input
        .evidence
        .sentences
        .iter()
        .enumerate()
        .filter(|(_, s)| s.outlet == outlet.key)
        .filter_map(|(i, s)| {
            let p = s.labels.get(layer)?.iter().find(|(l, _)| *l == label)?.1;
            let readable = (40..=320).contains(&s.text.chars().count());
            Some((readable, p, i, s))
        })
        .max_by(|a, b| a.0.cmp(&b.0).then(a.1.total_cmp(&b.1)).then(b.2.cmp(&a.2)))
        .map(|(_, _, i, s)| (i, s))
}

fn line(
    cx: &Context,
    outlet: &Outlet,
    layer: usize,
    at: usize,
    sentence: &EvidenceSentence,
    extra: Option<Mark>,
) -> Line {
    let label = sentence.labels.get(layer).and_then(|l| l.first());
    Line {
        outlet: outlet.name.clone(),
        outlet_path: outlet.path.clone(),
        chip: label.and_then(|&(l, _)| cx.chip(layer, l)).cloned(),
        segments: cx.segments(sentence, extra),
        none: String::new(),
        sentence: at,
    }
}

fn absent(outlet: &Outlet, why: &str) -> Line {
    Line {
        outlet: outlet.name.clone(),
        outlet_path: outlet.path.clone(),
        chip: None,
        segments: Vec::new(),
        none: why.to_owned(),
        sentence: 0,
    }
}
