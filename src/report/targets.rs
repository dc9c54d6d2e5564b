//! Targets: the mean stance of each outlet toward each.

use super::context::{Context, SentenceLayer};
use super::matrix::{self, Cell, Head, Matrix, Row};
use super::text;
use crate::profile::{MEAN, TargetProfileRow};

/// Most targets shown; the download holds all.
const MOST: usize = 60;

/// The page of targets.
#[derive(Debug)]
pub(super) struct TargetsPage {
    /// Where the targets come from.
    pub source: String,
    pub layers: Vec<(String, String, Matrix)>,
}

/// The names of the targets: those of the run, then any other in the table.
pub(super) fn target_names(cx: &Context) -> Vec<String> {
    let mut names = cx.input.run.targets.clone();
    let mut seen: std::collections::HashSet<String> = names.iter().cloned().collect();
    for row in &cx.input.target_profiles {
        if seen.insert(row.target.clone()) {
            names.push(row.target.clone());
        }
    }
    names.truncate(MOST);
    names
}

/// The mean stance of an outlet to a target, where it mentions it.
pub(super) fn mean_row<'a>(
    cx: &Context<'a>,
    outlet: &str,
    target: &str,
    layer: &str,
) -> Option<&'a TargetProfileRow> {
    cx.input.target_profiles.iter().find(|r| {
        r.outlet == outlet
            && r.target == target
            && r.layer == layer
            && r.label == MEAN
            && r.n_mentions > 0
            && r.share.is_finite()
    })
}

/// The cell of a mean stance.
pub(super) fn mean_cell(row: &TargetProfileRow, href: String, what: &str) -> Cell {
    let interval = row.low.zip(row.high);
    let mentions = text::counted(row.n_mentions, "mention", "mentions");
    let sub = match interval {
        Some((low, high)) => format!("{} to {}", text::signed(low), text::signed(high)),
        None => format!("n {}", text::count(row.n_mentions)),
    };
    let spoken = match interval {
        Some((low, high)) => format!(
            "{what}: mean {}, interval {} to {}, {mentions}",
            text::signed(row.share),
            text::signed(low),
            text::signed(high)
        ),
        None => format!("{what}: mean {}, {mentions}", text::signed(row.share)),
    };
    matrix::signed_cell(row.share, interval, 1.0, (text::signed(row.share), sub, spoken), href)
}

/// What the ends of the scale stand for.
pub(super) fn scale(look: &SentenceLayer) -> String {
    match (look.chips.first(), look.chips.last()) {
        (Some(low), Some(high)) => format!("−1 {} to +1 {}", low.name, high.name),
        _ => "−1 to +1".to_owned(),
    }
}

/// Puts the page together; `None` where there are no targets.
pub(super) fn targets_page(cx: &Context) -> Option<TargetsPage> {
    let names = target_names(cx);
    if names.is_empty() || cx.target_layers.is_empty() {
        return None;
    }
    let slugs = text::slugs(names.iter().map(String::as_str));
    let layers = cx
        .target_layers
        .iter()
        .map(|look| {
            let layer = look.layer.name.as_str();
            let rows = cx
                .outlets
                .iter()
                .map(|o| Row {
                    head: Head {
                        name: o.name.clone(),
                        href: o.path.clone(),
                        note: text::counted(o.n_articles, "article", "articles"),
                        ..Head::default()
                    },
                    cells: names
                        .iter()
                        .zip(&slugs)
                        .map(|(target, slug)| {
                            let what = format!("{}, {}", o.name, text::clip(target, 60));
                            match mean_row(cx, &o.key, target, layer) {
                                Some(row) => {
                                    let href = format!("{}/{layer}/{slug}", o.path);
                                    mean_cell(row, href, &what)
                                }
                                None => Cell {
                                    spoken: format!("{what}: no mention"),
                                    ..Cell::default()
                                },
                            }
                        })
                        .collect(),
                    ..Row::default()
                })
                .collect();
            let matrix = Matrix {
                caption: format!("Mean {} to each target, by outlet", text::spaced(layer)),
                corner: "Outlet".to_owned(),
                columns: names
                    .iter()
                    .map(|n| Head { name: text::clip(n, 60), ..Head::default() })
                    .collect(),
                rows,
                scale: scale(look),
                strip_head: String::new(),
                csv: ("targets".to_owned(), layer.to_owned()),
                event: String::new(),
            };
            (text::spaced(layer), look.layer.description.clone(), matrix)
        })
        .collect();
    let source = if cx.input.run.targets_discovered {
        "These targets were not given: they are the most frequent names of the corpus, found by \
         counting. Names of one and the same may stand apart, or of two together. Give your own \
         with --target."
    } else {
        "These targets were given by whoever made the run."
    };
    Some(TargetsPage { source: source.to_owned(), layers })
}
