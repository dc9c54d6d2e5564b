//! The first screen: the outlets side by side, and what they say in their words.

use super::context::{Context, Event, Outlet};
use super::events::{self, ClaimView};
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
/// Claims shown with each outlet's wording.
const CLAIMS: usize = 3;

/// The overview.
#[derive(Debug)]
pub(super) struct Overview {
    /// What several outlets report, the most contested first, each with its event's page.
    pub claims: Vec<(ClaimView, Event)>,
    /// How many claims there are, contested and not.
    pub claims_note: String,
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
    /// What to know when reading it.
    pub reading: Vec<String>,
}

/// A term and how each outlet puts it.
#[derive(Debug)]
pub(super) struct TermView {
    pub term: String,
    pub note: String,
    pub lines: Vec<Line>,
    /// Outlets without a sentence.
    pub absent: Vec<String>,
}

/// A label and a sentence of each outlet that has it.
#[derive(Debug)]
pub(super) struct QuotedLabel {
    pub chip: Chip,
    pub note: String,
    pub lines: Vec<Line>,
    /// Outlets without a sentence.
    pub absent: Vec<String>,
}

/// An outlet and one sentence of it.
#[derive(Debug)]
pub(super) struct Line {
    pub outlet: String,
    pub outlet_path: String,
    pub chip: Option<Chip>,
    pub segments: Vec<Segment>,
    /// Where it stands in its article.
    pub address: String,
}

/// Puts the overview together.
pub(super) fn overview(cx: &Context) -> Overview {
    let lead = cx.lead_layer();
    // Layers with several labels a sentence have a page of their own.
    let single = |i: &usize| cx.layers.get(*i).is_some_and(|l| l.layer.kind == LayerKind::Single);
    let mut order: Vec<usize> = (0..cx.layers.len()).filter(single).collect();
    if order.is_empty() {
        order = (0..cx.layers.len()).collect();
    }
    order.sort_by_key(|i| Some(*i) != lead);
    let quoted_layer = lead.and_then(|l| cx.layers.get(l));
    let claims = events::most_telling(cx, CLAIMS);
    let mut terms = lead.map(|l| term_views(cx, l)).unwrap_or_default();
    if !claims.is_empty() {
        // Alignment is sure rather than complete: the one word that outlets treat most
        // differently may be in no group of claims.
        terms.truncate(1);
    }
    Overview {
        terms,
        claims,
        claims_note: claims_note(cx),
        layers: order
            .iter()
            .filter_map(|&i| layer_view(cx, i, Some(i) == lead, order.first() == Some(&i)))
            .collect(),
        quoted_layer: quoted_layer.map(|l| text::spaced(&l.layer.name)).unwrap_or_default(),
        quoted: lead.map(|l| quoted_labels(cx, l, LABELS_QUOTED)).unwrap_or_default(),
    }
}

/// How many claims there are, and of what kind.
pub(super) fn claims_note(cx: &Context) -> String {
    let Some(claims) = &cx.input.claims else { return String::new() };
    format!(
        "{} found in more than one outlet; {} contested; facts differ in {}.",
        text::counted(claims.total as u64, "claim or quotation", "claims and quotations"),
        text::count(claims.contested as u64),
        text::count(claims.differing as u64),
    )
}

fn layer_view(cx: &Context, at: usize, with_strip: bool, first: bool) -> Option<LayerView> {
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
                        "{} · {}",
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
                ..Head::default()
            })
            .collect(),
        rows,
        scale: format!("0 to {}", text::percent(end)),
        strip_head: if strip {
            "One square a sentence, in order".to_owned()
        } else {
            String::new()
        },
        csv: ("profiles".to_owned(), name.to_owned()),
        event: String::new(),
    };
    let unused: Vec<String> = layer
        .label_names()
        .filter(|l| !used.iter().any(|(_, _, u)| u == l))
        .map(text::spaced)
        .collect();
    Some(LayerView {
        title: text::spaced(name),
        description: layer.description.clone(),
        reading: reading(cx, at, &unused, first),
        matrix,
    })
}

/// What to know when reading a layer: where outlets lie furthest apart, why intervals
/// are missing, which labels no sentence has.
pub(super) fn reading(cx: &Context, at: usize, unused: &[String], first: bool) -> Vec<String> {
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
    // Said once; it is the same for every layer.
    if first && !bare.is_empty() {
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
            let known: Vec<&Outlet> = cx.outlets.iter().filter(|o| share(o).is_finite()).collect();
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
            let chip = s
                .labels
                .get(layer)
                .and_then(|l| l.first())
                .and_then(|&(label, _)| cx.chip(layer, label));
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
    // Where claims were aligned, a word that sentences happen to share says little beside them.
    let aligned = cx.input.claims.as_ref().is_some_and(|c| !c.shown.is_empty());
    shared_words::shared_terms(evidence, layer, TERMS, if aligned { 2 } else { 1 })
        .into_iter()
        .map(|found| {
            let (lines, absent) = by_outlet(cx, |o| {
                let (_, i, span) = found.sentences.iter().find(|(outlet, ..)| *outlet == o.key)?;
                let term = Mark {
                    start: span.start,
                    end: span.end,
                    class: "term".to_owned(),
                    title: String::new(),
                };
                Some(line(cx, o, layer, *i, evidence.sentences.get(*i)?, Some(term)))
            });
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
                absent,
            }
        })
        .collect()
}

/// The line of each outlet that has one, and the names of the others.
fn by_outlet(cx: &Context, line: impl Fn(&Outlet) -> Option<Line>) -> (Vec<Line>, Vec<String>) {
    let (mut lines, mut absent) = (Vec::new(), Vec::new());
    for outlet in &cx.outlets {
        match line(outlet) {
            Some(line) => lines.push(line),
            None => absent.push(outlet.name.clone()),
        }
    }
    (lines, absent)
}

/// The labels on which the outlets lie furthest apart, with a sentence of each outlet.
pub(super) fn quoted_labels(cx: &Context, layer: usize, most: usize) -> Vec<QuotedLabel> {
    let Some(look) = cx.layers.get(layer) else { return Vec::new() };
    let by_label = spread(cx, layer).into_iter().take(most);
    by_label
        .filter_map(|(label, ..)| {
            let chip = look.chips.get(label)?.clone();
            let (lines, absent) = by_outlet(cx, |o| {
                let (i, sentence) = surest(cx, o, layer, label)?;
                // The label stands above the list; on each line it would say nothing new.
                Some(Line { chip: None, ..line(cx, o, layer, i, sentence, None) })
            });
            Some(QuotedLabel { note: chip.description.clone(), chip, lines, absent })
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
        segments: cx.segments(sentence, extra, false),
        address: cx.address(at),
    }
}
