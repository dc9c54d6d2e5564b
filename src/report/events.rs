//! The page of an event: what several outlets report, claims down and outlets across.

use std::collections::{BTreeMap, BTreeSet};

use super::claims::{self, Claim};
use super::context::{Context, Event};
use super::matrix::{self, Head, Matrix, Row};
use super::palette::Chip;
use super::text::{self, Mark, Segment};
use crate::profile::ProfileRow;
use crate::profile::alignment::{FactKind, Group, GroupKind, MarkKind, Member};

/// Outlets that still stand side by side in a table; more are stacked.
const MOST_COLUMNS: usize = 6;

/// The page.
#[derive(Debug)]
pub(super) struct EventPage {
    pub event: Event,
    /// Outlets, articles and sentences.
    pub note: String,
    /// Outlets of the table: name and address of the page.
    pub columns: Vec<(String, String)>,
    /// Whether there are too many outlets to stand side by side.
    pub stacked: bool,
    pub claims: Vec<ClaimView>,
    pub n_contested: usize,
    /// The lead layer in this event.
    pub matrix: Option<(String, Matrix)>,
    /// What the marks are.
    pub legend: Vec<(&'static str, &'static str, &'static str)>,
}

/// A claim and how each outlet puts it.
#[derive(Debug, Clone)]
pub(super) struct ClaimView {
    /// Name of the row in addresses.
    pub id: String,
    /// The representative wording.
    pub wording: String,
    pub kind: &'static str,
    pub contested: bool,
    pub differs: bool,
    /// Who passes it on and who holds it off, in a sentence.
    pub sides: String,
    /// What differs: sort of fact, then each value with its outlets.
    pub facts: Vec<(&'static str, Vec<(String, String)>)>,
    pub cells: Vec<ClaimCell>,
    /// Outlets without it.
    pub absent: Vec<String>,
    pub n_outlets: usize,
}

/// An outlet's wording of a claim.
#[derive(Debug, Clone)]
pub(super) struct ClaimCell {
    pub outlet: String,
    pub outlet_path: String,
    pub members: Vec<MemberView>,
    /// Further sentences that are not shown.
    pub left_out: usize,
    /// Why there is none.
    pub absent: &'static str,
}

/// A sentence with the claim in it.
#[derive(Debug, Clone)]
pub(super) struct MemberView {
    pub chip: Option<Chip>,
    pub p: String,
    pub segments: Vec<Segment>,
    /// Where it stands in its article.
    pub address: String,
    /// How it stands to a contested claim.
    pub side: &'static str,
}

/// Puts the page together.
pub(super) fn event_page(cx: &Context, event: &Event) -> EventPage {
    let claims = of_event(cx, event);
    let (n, rows) = figures(cx, event);
    let mut names: BTreeSet<&str> = rows.keys().copied().collect();
    for claim in &claims {
        names.extend(claims::outlets(&claim.group));
        names.extend(claim.group.absent.iter().map(String::as_str));
    }
    let outlets: Vec<&str> =
        cx.outlets.iter().map(|o| o.key.as_str()).filter(|o| names.contains(o)).collect();
    let views: Vec<ClaimView> = claims.iter().map(|c| claim_view(cx, c, &outlets)).collect();
    let used: BTreeSet<MarkKind> = claims
        .iter()
        .flat_map(|c| &c.group.members)
        .flat_map(|m| &m.marks)
        .map(|m| m.kind)
        .collect();
    EventPage {
        note: n,
        columns: outlets.iter().map(|o| named(cx, o)).collect(),
        stacked: outlets.len() > MOST_COLUMNS,
        n_contested: views.iter().filter(|c| c.contested).count(),
        claims: views,
        matrix: by_outlet(cx, event, &rows),
        legend: used.into_iter().map(mark_look).collect(),
        event: event.clone(),
    }
}

/// The claims of an event, the most telling first.
fn of_event<'a>(cx: &Context<'a>, event: &Event) -> Vec<&'a Claim> {
    let all = cx.input.claims.iter().flat_map(|c| &c.shown);
    let mut mine: Vec<(f64, &Claim)> =
        all.filter(|c| c.group.event == event.key).map(|c| (interest(cx, &c.group), c)).collect();
    mine.sort_by(|a, b| b.0.total_cmp(&a.0).then(a.1.group.id.cmp(&b.1.group.id)));
    mine.into_iter().map(|(_, c)| c).collect()
}

/// The claims that the overview shows, each with its event's page, the most telling first. No
/// two of them show the same sentence.
pub(super) fn most_telling(cx: &Context, most: usize) -> Vec<(ClaimView, Event)> {
    let all = cx.input.claims.iter().flat_map(|c| &c.shown);
    let mut ranked: Vec<(f64, &Claim)> = all.map(|c| (interest(cx, &c.group), c)).collect();
    ranked.sort_by(|a, b| b.0.total_cmp(&a.0).then(a.1.group.id.cmp(&b.1.group.id)));
    let mut shown = BTreeSet::new();
    let mut out = Vec::new();
    for (_, claim) in ranked {
        let keys: Vec<_> = claim.group.members.iter().map(|m| &m.sentence).collect();
        let Some(event) = cx.events.iter().find(|e| e.key == claim.group.event) else { continue };
        if out.len() < most && !keys.iter().any(|k| shown.contains(k)) {
            shown.extend(keys);
            let mut outlets = claims::outlets(&claim.group);
            outlets.extend(claim.group.absent.iter().map(String::as_str));
            let ordered: Vec<&str> =
                cx.outlets.iter().map(|o| o.key.as_str()).filter(|o| outlets.contains(o)).collect();
            out.push((claim_view(cx, claim, &ordered), event.clone()));
        }
    }
    out
}

/// How much a claim tells: how many outlets have it, whether they stand on two sides, whether
/// facts differ, and how evenly their sentences spread over the labels of the lead layer.
fn interest(cx: &Context, group: &Group) -> f64 {
    let lead = cx.lead_layer().unwrap_or(0);
    let mut labels: BTreeMap<usize, f64> = BTreeMap::new();
    for member in &group.members {
        if let Some((label, _)) = label_of(cx, member, lead) {
            *labels.entry(label).or_default() += 1.0;
        }
    }
    let n: f64 = labels.values().sum();
    let entropy: f64 = labels.values().map(|k| -(k / n) * (k / n).ln()).sum();
    claims::weight(group) + entropy
}

fn label_of(cx: &Context, member: &Member, layer: usize) -> Option<(usize, f32)> {
    let key = &member.sentence;
    let (_, sentence) = cx.sentence(&key.article_id, key.sentence_index)?;
    sentence.labels.get(layer)?.first().copied()
}

fn named(cx: &Context, key: &str) -> (String, String) {
    cx.outlet(key)
        .map_or_else(|| (text::clip(key, 60), String::new()), |o| (o.name.clone(), o.path.clone()))
}

fn claim_view(cx: &Context, claim: &Claim, outlets: &[&str]) -> ClaimView {
    let group = &claim.group;
    let name = |i: &usize| group.members.get(*i).map(|m| named(cx, &m.outlet).0);
    let listed = |list: &[usize]| {
        let mut names: Vec<String> = list.iter().filter_map(name).collect();
        names.dedup();
        names.join(", ")
    };
    let sides = group.contested.as_ref().map_or_else(String::new, |c| {
        format!(
            "Stated or passed on by {}; held at a distance or denied in {}.",
            listed(&c.passed_on),
            listed(&c.held_off)
        )
    });
    let have = claims::outlets(group);
    let cells: Vec<ClaimCell> =
        outlets.iter().map(|outlet| claim_cell(cx, claim, outlet)).collect();
    ClaimView {
        id: format!("g{}", group.id),
        wording: wording(cx, group),
        kind: match group.kind {
            GroupKind::Claim => "claim",
            GroupKind::Quotation => "quotation",
        },
        contested: group.contested.is_some(),
        differs: !group.differing.is_empty(),
        sides,
        facts: group
            .differing
            .iter()
            .map(|d| {
                let values = d.values.iter().map(|(v, who)| (text::clip(v, 80), listed(who)));
                (fact_name(d.what), values.filter(|(_, who)| !who.is_empty()).collect())
            })
            .collect(),
        absent: cells
            .iter()
            .filter(|c| c.members.is_empty() && c.absent == ABSENT)
            .map(|c| c.outlet.clone())
            .collect(),
        cells,
        n_outlets: have.len(),
    }
}

const ABSENT: &str = "absent: no such sentence was found";

fn claim_cell(cx: &Context, claim: &Claim, outlet: &str) -> ClaimCell {
    let group = &claim.group;
    let (name, path) = named(cx, outlet);
    let mut members: Vec<(usize, &Member)> =
        group.members.iter().enumerate().filter(|(_, m)| m.outlet == outlet).collect();
    // What makes a claim contested is seen first.
    members.sort_by_key(|(i, _)| match &group.contested {
        Some(c) if c.held_off.contains(i) => 0,
        Some(c) if c.passed_on.contains(i) => 1,
        _ => 2,
    });
    ClaimCell {
        outlet: name,
        outlet_path: path,
        members: members.into_iter().filter_map(|(i, m)| member_view(cx, group, i, m)).collect(),
        left_out: claim.left_out.get(outlet).copied().unwrap_or(0),
        absent: if group.absent.iter().any(|a| a == outlet) {
            ABSENT
        } else {
            "no article on this"
        },
    }
}

fn member_view(cx: &Context, group: &Group, at: usize, member: &Member) -> Option<MemberView> {
    let key = &member.sentence;
    let (number, sentence) = cx.sentence(&key.article_id, key.sentence_index)?;
    let lead = cx.lead_layer();
    let label = lead.and_then(|l| sentence.labels.get(l)?.first().copied());
    let n = sentence.text.chars().count();
    let mut marks: Vec<Mark> = member
        .marks
        .iter()
        .map(|m| {
            let (class, _, title) = mark_look(m.kind);
            Mark { start: m.start, end: m.end, class: class.to_owned(), title: title.to_owned() }
        })
        .collect();
    // What stands outside the clause is context, and drawn back.
    let outside = |start: usize, end: usize| Mark {
        start,
        end,
        class: "out".to_owned(),
        title: String::new(),
    };
    if member.span.start < member.span.end {
        marks.push(outside(0, member.span.start));
        marks.push(outside(member.span.end, n.max(member.span.end)));
    }
    let side = group.contested.as_ref().map_or("", |c| {
        match (c.passed_on.contains(&at), c.held_off.contains(&at)) {
            (true, _) => "passes it on",
            (_, true) => "holds it off",
            _ => "",
        }
    });
    Some(MemberView {
        chip: lead.zip(label).and_then(|(l, (label, _))| cx.chip(l, label)).cloned(),
        p: label.map(|(_, p)| text::probability(p)).unwrap_or_default(),
        segments: text::segments(&sentence.text, &marks),
        address: cx.address(number),
        side,
    })
}

/// The clause that stands for the group.
fn wording(cx: &Context, group: &Group) -> String {
    let clause = |member: &Member| {
        let key = &member.sentence;
        let (_, sentence) = cx.sentence(&key.article_id, key.sentence_index)?;
        let span = &member.span;
        let cut: String =
            sentence.text.chars().skip(span.start).take(span.len()).collect::<String>();
        Some(if cut.trim().is_empty() { sentence.text.clone() } else { cut })
    };
    let words = group.members.get(group.representative).and_then(clause).unwrap_or_default();
    text::clip(&text::headline(&words), 220)
}

/// Style class, example of the style, and meaning of a mark.
fn mark_look(kind: MarkKind) -> (&'static str, &'static str, &'static str) {
    match kind {
        MarkKind::ReportingVerb => ("mk verb", "claimed", "reporting verb"),
        MarkKind::Hedge => ("mk hedge", "may", "hedge"),
        MarkKind::ScareQuote => ("mk scare", "“…”", "a few words in quotation marks"),
        MarkKind::Naming => ("mk naming", "name", "named otherwise elsewhere"),
        MarkKind::Figure => ("mk figure", "100", "figure"),
    }
}

fn fact_name(kind: FactKind) -> &'static str {
    match kind {
        FactKind::Number => "Numbers differ",
        FactKind::Date => "Dates differ",
        FactKind::Place => "Places differ",
        FactKind::Actor => "Who acts differs",
    }
}

type OutletRows<'a> = BTreeMap<&'a str, BTreeMap<&'a str, &'a ProfileRow>>;

/// The lead layer's rows of an event by outlet and label, and how much there is in words.
fn figures<'a>(cx: &Context<'a>, event: &Event) -> (String, OutletRows<'a>) {
    let mut rows: OutletRows = BTreeMap::new();
    let lead = cx.lead_layer().and_then(|l| cx.layers.get(l)).map(|l| l.layer.name.as_str());
    for row in &cx.input.profiles {
        if row.event == event.key && row.period.is_none() && Some(row.layer.as_str()) == lead {
            rows.entry(&row.outlet).or_default().insert(&row.label, row);
        }
    }
    let sum = |value: fn(&ProfileRow) -> u64| -> u64 {
        rows.values().filter_map(|r| r.values().next()).map(|r| value(r)).sum()
    };
    // An event that the alignment found has no profiles of its own.
    let note = if event.key.is_none() || rows.is_empty() {
        String::new()
    } else {
        [
            text::counted(rows.len() as u64, "outlet", "outlets"),
            text::counted(sum(|r| r.n_articles), "article", "articles"),
            text::counted(sum(|r| r.n_sentences), "sentence", "sentences"),
        ]
        .join(", ")
    };
    (note, rows)
}

fn by_outlet(cx: &Context, event: &Event, rows: &OutletRows) -> Option<(String, Matrix)> {
    let look = cx.lead_layer().and_then(|l| cx.layers.get(l))?;
    if event.key.is_none() || rows.is_empty() {
        return None;
    }
    let name = look.layer.name.as_str();
    let end = matrix::scale_end(rows.values().flat_map(|r| r.values().copied()));
    let title = text::spaced(name);
    let lines = cx.outlets.iter().filter_map(|o| {
        let mine = rows.get(o.key.as_str())?;
        let any = mine.values().next()?;
        Some(Row {
            head: Head {
                name: o.name.clone(),
                href: o.path.clone(),
                note: format!(
                    "{} · {}",
                    text::counted(any.n_articles, "article", "articles"),
                    text::counted(any.n_sentences, "sentence", "sentences")
                ),
                ..Head::default()
            },
            cells: look
                .chips
                .iter()
                .zip(look.layer.label_names())
                .map(|(chip, label)| {
                    let what = format!("{}, {}", o.name, chip.name);
                    let row = mine.get(label).copied();
                    matrix::share_cell(row, end, &chip.class(), String::new(), &what)
                })
                .collect(),
            ..Row::default()
        })
    });
    let matrix = Matrix {
        caption: format!("Observed share of sentences in this event: {title}"),
        corner: "Outlet".to_owned(),
        columns: look
            .chips
            .iter()
            .map(|c| Head { name: c.name.clone(), chip: Some(c.clone()), ..Head::default() })
            .collect(),
        rows: lines.collect(),
        scale: format!("0 to {}", text::percent(end)),
        strip_head: String::new(),
        csv: ("profiles".to_owned(), name.to_owned()),
        event: event.key.clone().unwrap_or_default(),
    };
    Some((title, matrix))
}
