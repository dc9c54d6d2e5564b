//! The report: one HTML file that stands alone.
//!
//! It needs no network, no other file and no script of anyone else's; it reads in
//! sequence without JavaScript and prints whole. A policy in its head allows nothing but
//! its own style and its one script, by hash, so that text from an article could not run
//! even if it were not escaped; and all of it is escaped, by the template engine.
//!
//! The wording is neutral throughout: what was observed, in how many sentences, how sure.
//!
//! ```text
//! SentenceRow, MentionRow ─► evidence ─► ReportInput ─► render ─► report.html
//! ```

mod context;
mod contrasts;
pub mod cues;
mod data;
pub mod evidence;
pub mod input;
mod matrix;
pub mod notebook;
mod outlet;
mod overview;
mod palette;
mod shared_words;
mod targets;
mod text;

use std::io::Write;
use std::path::Path;

use askama::Template;
use base64::Engine;
use sha2::{Digest, Sha256};

use crate::error::{Error, Result};
use context::Context;
pub use input::ReportInput;

const STYLE: &str = include_str!("../../templates/report.css");
const SCRIPT: &str = include_str!("../../templates/report.js");

/// Outlets that get a page each; those with most sentences go first.
const MOST_OUTLETS: usize = 200;

#[derive(Template)]
#[template(path = "report.html", whitespace = "minimize")]
struct Page<'a> {
    input: &'a ReportInput,
    title: String,
    summary: String,
    style: &'static str,
    script: &'static str,
    script_hash: String,
    data: String,
    overview: overview::Overview,
    pages: Vec<outlet::OutletPage>,
    contrasts: contrasts::ContrastsPage,
    targets: Option<targets::TargetsPage>,
    method: Method,
}

/// What the page on method and limits lists.
struct Method {
    level: String,
    model: Vec<(&'static str, String)>,
    run: Vec<(&'static str, String)>,
    layers: Vec<MethodLayer>,
    cues: Vec<(String, String, String)>,
    evidence: String,
}

struct MethodLayer {
    name: String,
    kind: &'static str,
    description: String,
    chips: Vec<palette::Chip>,
}

/// Draws the report.
///
/// The result is a whole HTML document. It is the same, byte for byte, for the same input.
///
/// # Errors
/// If the input names no outlets.
pub fn render(input: &ReportInput) -> Result<String> {
    if input.outlets.is_empty() {
        return Err(Error::setting("there is nothing to report on: no outlet has an article")
            .with_hint("check that the scored folder holds sentences"));
    }
    let cx = Context::new(input)?;
    let mut paged: Vec<&context::Outlet> = cx.outlets.iter().collect();
    if paged.len() > MOST_OUTLETS {
        paged.sort_by_key(|o| std::cmp::Reverse(o.n_sentences));
        paged.truncate(MOST_OUTLETS);
    }
    let hash = base64::engine::general_purpose::STANDARD.encode(Sha256::digest(SCRIPT));
    let page = Page {
        input,
        title: text::clip(&input.title, 160),
        summary: summary(&cx),
        style: STYLE,
        script: SCRIPT,
        script_hash: format!("sha256-{hash}"),
        data: data::embedded(&cx)?,
        overview: overview::overview(&cx),
        pages: paged.into_iter().map(|o| outlet::outlet_page(&cx, o)).collect(),
        contrasts: contrasts::contrasts_page(&cx),
        targets: targets::targets_page(&cx),
        method: method(&cx),
    };
    page.render().map_err(|e| Error::table("report", e))
}

/// Writes the report to `path`: whole or not at all.
///
/// # Errors
/// If it cannot be drawn, or the file cannot be written.
pub fn write(input: &ReportInput, path: &Path) -> Result<()> {
    let html = render(input)?;
    let folder = match path.parent() {
        Some(p) if !p.as_os_str().is_empty() => p,
        _ => Path::new("."),
    };
    let failed = |e| Error::io(path, e);
    let mut file = tempfile::Builder::new()
        .prefix(".report-")
        .suffix(".tmp")
        .tempfile_in(folder)
        .map_err(failed)?;
    file.write_all(html.as_bytes()).map_err(failed)?;
    file.as_file().sync_all().map_err(failed)?;
    readable(file.as_file()).map_err(failed)?;
    file.persist(path).map_err(|e| failed(e.error))?;
    Ok(())
}

/// A temporary file is the owner's alone; a report is to be handed round.
#[cfg(unix)]
fn readable(file: &std::fs::File) -> std::io::Result<()> {
    use std::os::unix::fs::PermissionsExt;
    file.set_permissions(std::fs::Permissions::from_mode(0o644))
}

#[cfg(not(unix))]
fn readable(_: &std::fs::File) -> std::io::Result<()> {
    Ok(())
}

fn summary(cx: &Context) -> String {
    let dates = |f: fn(&input::OutletInfo) -> Option<&String>| {
        cx.input.outlets.iter().filter_map(f).cloned().collect::<Vec<_>>()
    };
    let (first, last) = (dates(|o| o.first_date.as_ref()), dates(|o| o.last_date.as_ref()));
    let span = context::span(
        first.iter().min().map(String::as_str),
        last.iter().max().map(String::as_str),
    );
    let parts = [
        text::counted(cx.outlets.len() as u64, "outlet", "outlets"),
        text::counted(cx.input.run.n_articles, "article", "articles"),
        text::counted(cx.input.run.n_sentences, "sentence", "sentences"),
        span,
    ];
    parts.into_iter().filter(|p| !p.is_empty()).collect::<Vec<_>>().join(" · ")
}

fn method(cx: &Context) -> Method {
    use crate::model::codebook::LayerKind;
    let (model, run) = (&cx.input.model, &cx.input.run);
    let known = |rows: Vec<(&'static str, String)>| {
        rows.into_iter().filter(|(_, v)| !v.trim().is_empty()).collect()
    };
    let layers = cx.layers.iter().chain(&cx.target_layers);
    let evidence = &cx.input.evidence;
    Method {
        level: text::percent(run.level.unwrap_or(0.95)),
        model: known(vec![
            ("Name", model.name.clone()),
            ("Version", model.version.clone()),
            ("Hash of weights and settings", model.hash.clone()),
            ("Licence", model.licence.clone()),
            ("Trained on", model.trained_on.clone()),
            ("Codebook", cx.input.codebook.name.clone()),
        ]),
        run: known(vec![
            ("parallax", run.version.clone()),
            ("Device", run.device.clone()),
            ("Articles scored", text::count(run.n_articles)),
            ("Sentences scored", text::count(run.n_sentences)),
            ("Lines set apart as page clutter", text::count(run.n_boilerplate)),
            ("Near-duplicate articles", text::count(run.n_duplicates)),
            ("Mentions of targets", text::count(run.n_mentions)),
            ("Rows or files passed over", text::count(run.n_skipped)),
        ]),
        layers: layers
            .map(|l| MethodLayer {
                name: text::spaced(&l.layer.name),
                kind: match l.layer.kind {
                    LayerKind::Single => "one label for each sentence",
                    LayerKind::Multi => "any number of labels for a sentence",
                    LayerKind::Target => "one label for each mention of a target",
                },
                description: l.layer.description.clone(),
                chips: l.chips.clone(),
            })
            .collect(),
        cues: cx.cue_legend(),
        evidence: if evidence.complete {
            format!(
                "All {} are in this file.",
                text::counted(evidence.total, "scored sentence", "scored sentences")
            )
        } else {
            format!(
                "{} of {} are in this file: for each label of each outlet, half of them those of \
                 which the model is surest, half by chance (the same each time).",
                text::count(evidence.sentences.len() as u64),
                text::counted(evidence.total, "scored sentence", "scored sentences")
            )
        },
    }
}

/// Filters of the templates.
mod filters {
    /// A place on a scale, with as many digits as a screen can show.
    #[askama::filter_fn]
    pub fn dec(value: &f64, _: &dyn askama::Values) -> askama::Result<String> {
        Ok(format!("{:.1}", *value))
    }

    /// `1 article`, `2 articles`.
    #[askama::filter_fn]
    pub fn many(n: &u64, _: &dyn askama::Values, one: &str, many: &str) -> askama::Result<String> {
        Ok(super::text::counted(*n, one, many))
    }
}
