//! The report in plain pieces, from which the forms without pages are made: the same figures in
//! the same words.

use super::context::Context;
use super::events::{self, ClaimView, MemberView};
use super::matrix::{Cell, Matrix};
use super::{contrasts, frames, method, overview, summary, targets, text, words};

/// A piece of the report.
#[derive(Debug)]
pub(super) enum Piece {
    /// A heading of a level from 1.
    Heading(usize, String),
    /// A paragraph.
    Text(String),
    Table(Table),
    Claim(ClaimPiece),
}

/// A table; the first column names the row.
#[derive(Debug, Default)]
pub(super) struct Table {
    pub head: Vec<String>,
    pub rows: Vec<Vec<String>>,
}

/// A sentence in pieces: text, and whether it is marked.
pub(super) type Words = Vec<(String, bool)>;

/// What several outlets report.
#[derive(Debug)]
pub(super) struct ClaimPiece {
    pub wording: String,
    /// Contested, facts that differ, how many outlets.
    pub about: Vec<String>,
    /// Outlet, label and the sentence in pieces: text, and whether it is marked.
    pub lines: Vec<(String, String, Words)>,
    pub absent: Vec<String>,
}

/// How much is said.
#[derive(Debug, Clone, Copy)]
pub(super) struct Extent {
    /// Claims of an event.
    pub claims: usize,
    /// Differences between outlets.
    pub differences: usize,
    /// Words of an outlet.
    pub words: usize,
    /// Whether method and limits are described.
    pub method: bool,
}

/// Takes the report apart.
pub(super) fn pieces(cx: &Context, extent: Extent) -> Vec<Piece> {
    let mut out =
        vec![Piece::Heading(1, text::clip_plain(&cx.input.title, 160)), Piece::Text(summary(cx))];
    claims(cx, extent, &mut out);
    let overview = overview::overview(cx);
    for layer in &overview.layers {
        out.push(Piece::Heading(2, text::capital(&layer.title)));
        out.push(Piece::Table(matrix(&layer.matrix)));
        out.extend(layer.reading.iter().cloned().map(Piece::Text));
    }
    for layer in frames::frames_page(cx).into_iter().flat_map(|p| p.layers) {
        out.push(Piece::Heading(2, text::capital(&layer.title)));
        out.push(Piece::Table(matrix(&layer.matrix)));
        out.extend(layer.reading.iter().cloned().map(Piece::Text));
    }
    if let Some(page) = targets::targets_page(cx) {
        for (title, _, m) in &page.layers {
            out.push(Piece::Heading(2, format!("Mean {title} by target")));
            out.push(Piece::Text(format!("{} Scale: {}.", page.source, m.scale)));
            out.push(Piece::Table(turned(matrix(m))));
        }
    }
    differences(cx, extent, &mut out);
    distinctive(cx, extent, &mut out);
    if extent.method {
        about(cx, &mut out);
    }
    out
}

fn claims(cx: &Context, extent: Extent, out: &mut Vec<Piece>) {
    if cx.input.claims.is_none() {
        out.push(Piece::Text(text::NOT_ALIGNED.to_owned()));
        return;
    }
    out.push(Piece::Heading(2, "How each outlet put it".to_owned()));
    out.push(Piece::Text(overview::claims_note(cx)));
    for event in &cx.events {
        let page = events::event_page(cx, event);
        if page.claims.is_empty() {
            continue;
        }
        if cx.events.len() > 1 {
            out.push(Piece::Heading(3, text::clip_plain(&page.event.name, 80)));
        }
        let n = page.claims.len();
        out.extend(page.claims.iter().take(extent.claims).map(|c| Piece::Claim(claim(c))));
        if n > extent.claims {
            let more = text::count((n - extent.claims) as u64);
            out.push(Piece::Text(format!("{more} more are in the HTML report.")));
        }
    }
}

fn claim(view: &ClaimView) -> ClaimPiece {
    let mut about = vec![text::counted(view.n_outlets as u64, "outlet", "outlets")];
    if view.contested {
        about.push(format!("contested. {}", view.sides));
    }
    for (what, values) in &view.facts {
        let values = values.iter().map(|(v, who)| format!("{} ({who})", text::clip_plain(v, 80)));
        about.push(format!("{what}: {}", values.collect::<Vec<_>>().join("; ")));
    }
    let line = |outlet: &str, m: &MemberView| {
        let label = m.chip.as_ref().map(|c| c.name.clone()).unwrap_or_default();
        let words = m.segments.iter();
        let words = words.map(|s| (text::unturned(&s.text), s.class.starts_with("mk"))).collect();
        (text::clip_plain(outlet, 60), label, words)
    };
    ClaimPiece {
        wording: text::clip_plain(&view.wording, 220),
        about,
        lines: view
            .cells
            .iter()
            .flat_map(|c| c.members.iter().map(|m| line(&c.outlet, m)))
            .collect(),
        absent: view.absent.iter().map(|o| text::clip_plain(o, 60)).collect(),
    }
}

/// A table of small charts in figures.
fn matrix(m: &Matrix) -> Table {
    let head = |name: &String| text::clip_plain(name, 60);
    Table {
        head: std::iter::once(m.corner.clone())
            .chain(m.columns.iter().map(|h| head(&h.name)))
            .collect(),
        rows: m
            .rows
            .iter()
            .map(|r| {
                std::iter::once(head(&r.head.name)).chain(r.cells.iter().map(figure)).collect()
            })
            .collect(),
    }
}

fn figure(cell: &Cell) -> String {
    match (cell.value.is_empty(), cell.interval) {
        (true, _) => "–".to_owned(),
        (_, Some(_)) => format!("{} [{}]", cell.value, cell.sub),
        _ => format!("{} {}", cell.value, cell.sub),
    }
}

/// The table with rows and columns changed over.
fn turned(table: Table) -> Table {
    let mut rows = vec![table.head];
    rows.extend(table.rows);
    let width = rows.first().map_or(0, Vec::len);
    let mut columns = (0..width)
        .map(|i| rows.iter().map(|r| r.get(i).cloned().unwrap_or_default()).collect::<Vec<_>>());
    let mut head = columns.next().unwrap_or_default();
    if let Some(corner) = head.first_mut() {
        *corner = "Target".to_owned();
    }
    Table { head, rows: columns.collect() }
}

fn differences(cx: &Context, extent: Extent, out: &mut Vec<Piece>) {
    let page = contrasts::contrasts_page(cx);
    if page.rows.is_empty() {
        return;
    }
    out.push(Piece::Heading(2, "Differences between outlets".to_owned()));
    if page.n_tested == 0 {
        out.push(Piece::Text(
            "None could be tested: the outlets have too few articles.".to_owned(),
        ));
        return;
    }
    out.push(Piece::Text(format!(
        "In percentage points. Of {} differences that were tested, {} are told apart (q below \
         0.05); one that is not may still exist.",
        page.n_tested, page.n_apart
    )));
    let rows: Vec<Vec<String>> = page
        .rows
        .iter()
        .filter(|r| r.apart)
        .take(extent.differences)
        .map(|r| {
            vec![
                format!("{} − {}", text::clip_plain(&r.a, 40), text::clip_plain(&r.b, 40)),
                r.label.clone(),
                format!("{} [{}]", r.difference, r.interval),
                r.q.clone(),
            ]
        })
        .collect();
    if !rows.is_empty() {
        let head = ["Outlets", "Label", "Difference", "q"].map(str::to_owned).to_vec();
        out.push(Piece::Table(Table { head, rows }));
    }
}

fn distinctive(cx: &Context, extent: Extent, out: &mut Vec<Piece>) {
    let Some(page) = words::words_page(cx) else { return };
    for scope in page.scopes.iter().filter(|s| s.overall).take(1) {
        out.push(Piece::Heading(2, "Words that set outlets apart".to_owned()));
        out.push(Piece::Text(
            "Weighted log-odds with interval; in brackets how often the outlet uses the word and \
             how often the others do."
                .to_owned(),
        ));
        let rows = scope.outlets.iter().flat_map(|o| {
            o.rows.iter().take(extent.words).map(|w| {
                vec![
                    text::clip_plain(&o.outlet, 40),
                    text::clip_plain(&w.term, 60),
                    format!("{} [{}]", w.cell.value, w.cell.sub),
                    format!("{} ({} against {})", w.z, w.count, w.count_rest),
                ]
            })
        });
        let head = ["Outlet", "Word", "Log-odds", "z"].map(str::to_owned).to_vec();
        out.push(Piece::Table(Table { head, rows: rows.collect() }));
    }
}

fn about(cx: &Context, out: &mut Vec<Piece>) {
    let method = method::method(cx);
    out.push(Piece::Heading(2, "Method and limits".to_owned()));
    out.push(Piece::Text(
        "This says which labels a model gave to sentences as outlets published them, how often, \
         and how sure the frequency is. It does not say whether a sentence is true, why it was \
         written, or what an outlet is like. Labels are a model’s, and err."
            .to_owned(),
    ));
    out.push(Piece::Text(format!(
        "Intervals come from resampling whole articles; between their ends lie {} of the \
         resampled shares. They do not cover the model’s errors. Where an outlet has too few \
         articles, counts stand without an interval.",
        method.level
    )));
    let notes = cx.input.notes.iter().map(|n| text::clip_plain(n, 1_000));
    out.extend(notes.map(Piece::Text));
    let row = |(k, v): (String, String)| vec![k, text::clip_plain(&v, 200)];
    let facts = method.model.into_iter().chain(method.run);
    let facts = facts.map(|(k, v)| row((k.to_owned(), v)));
    let figures = cx.input.model.figures.iter().cloned().map(row);
    let skipped = cx.input.run.skipped.iter();
    let skipped = skipped.map(|(why, n)| row((text::clip_plain(why, 120), n.to_string())));
    out.push(Piece::Table(Table {
        head: vec!["Model and run".to_owned(), String::new()],
        rows: facts.chain(figures).chain(skipped).collect(),
    }));
}
