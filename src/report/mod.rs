//! The report: one HTML file that stands alone.
//!
//! It needs no network, no other file and no script of anyone else's; it reads in
//! sequence without JavaScript and prints whole. A policy in its head allows nothing but
//! its own style and its one script, by hash, so that text from an article could not run
//! even if it were not escaped; and all of it is escaped, by the template engine.
//!
//! The wording is neutral throughout: what was observed, in how many sentences, how sure.
//!
//! Where the corpus is too large for one file, whole articles stand in a [side](side) folder.
//!
//! ```text
//! SentenceRow, MentionRow ─► evidence ─► ReportInput ─► render ─► report.html
//! ```

pub mod claims;
mod context;
mod contrasts;
pub mod cues;
mod data;
pub mod evaluation;
mod events;
pub mod evidence;
mod frames;
pub mod input;
mod markdown;
mod matrix;
mod method;
pub mod notebook;
mod outlet;
mod overview;
mod palette;
mod pieces;
mod sentences;
mod shared_words;
pub mod side;
mod targets;
mod terminal;
mod text;
pub mod training;
mod trends;
mod words;

use askama::Template;
use base64::Engine;
use sha2::{Digest, Sha256};

use crate::error::{Error, Result};
use context::Context;
pub use input::ReportInput;
pub use markdown::markdown;
pub use terminal::terminal;

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
    script_source: String,
    /// Whether the page has a script.
    interactive: bool,
    data: String,
    overview: overview::Overview,
    events: Vec<events::EventPage>,
    frames: Option<frames::FramesPage>,
    words: Option<words::WordsPage>,
    filters: method::SentenceFilters,
    pages: Vec<outlet::OutletPage>,
    contrasts: contrasts::ContrastsPage,
    targets: Option<targets::TargetsPage>,
    method: method::Method,
}

/// Draws the report.
///
/// The result is a whole HTML document. It is the same, byte for byte, for the same input.
///
/// # Errors
/// If the input names no outlets.
pub fn render(input: &ReportInput) -> Result<String> {
    document(input, true)
}

/// Draws the report for paper: without script, everything in view, a sheet for each page.
///
/// # Errors
/// If the input names no outlets.
pub fn render_print(input: &ReportInput) -> Result<String> {
    document(input, false)
}

fn document(input: &ReportInput, interactive: bool) -> Result<String> {
    check(input)?;
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
        script_source: if interactive { format!("sha256-{hash}") } else { "none".to_owned() },
        interactive,
        data: if interactive { data::embedded(&cx)? } else { String::new() },
        overview: overview::overview(&cx),
        events: cx.events.iter().map(|e| events::event_page(&cx, e)).collect(),
        frames: frames::frames_page(&cx),
        words: words::words_page(&cx),
        filters: method::sentence_filters(&cx),
        pages: paged.into_iter().map(|o| outlet::outlet_page(&cx, o)).collect(),
        contrasts: contrasts::contrasts_page(&cx),
        targets: targets::targets_page(&cx),
        method: method::method(&cx),
    };
    page.render().map_err(|e| Error::table("report", e))
}

/// There must be something to report on.
fn check(input: &ReportInput) -> Result<()> {
    if input.outlets.is_empty() {
        return Err(Error::setting("there is nothing to report on: no outlet has an article")
            .with_hint("check that the scored folder holds sentences"));
    }
    Ok(())
}

/// Form of a report.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Form {
    /// One HTML file with pages, filters and downloads.
    #[default]
    Html,
    /// Markdown, for reading and for other programs.
    Markdown,
    /// One HTML file without script, all of it in view, cut into sheets: to be printed or saved
    /// as PDF by any browser.
    Print,
}

impl Form {
    /// Every form.
    pub const ALL: [Form; 3] = [Form::Html, Form::Markdown, Form::Print];

    /// Name of the report's file in a scored folder.
    pub fn file_name(self) -> &'static str {
        match self {
            Form::Html => "report.html",
            Form::Markdown => "report.md",
            Form::Print => "report-print.html",
        }
    }
}

/// The report as text in one of its forms.
///
/// # Errors
/// If it cannot be drawn.
pub fn draw(input: &ReportInput, form: Form) -> Result<String> {
    match form {
        Form::Html => render(input),
        Form::Print => render_print(input),
        Form::Markdown => markdown(input),
    }
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
