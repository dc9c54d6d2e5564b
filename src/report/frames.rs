//! The layers of which a sentence can have several labels: labels down, outlets across.

use super::context::Context;
use super::matrix::{self, Head, Matrix, Row};
use super::overview::{self, QuotedLabel};
use super::text;
use crate::model::codebook::LayerKind;

/// Labels of which sentences are shown.
const LABELS_QUOTED: usize = 4;

/// The page.
#[derive(Debug)]
pub(super) struct FramesPage {
    /// Heading, which is also the name in the list of pages.
    pub title: String,
    pub layers: Vec<FramesLayer>,
}

/// One layer.
#[derive(Debug)]
pub(super) struct FramesLayer {
    pub title: String,
    pub description: String,
    pub matrix: Matrix,
    pub reading: Vec<String>,
    pub quoted: Vec<QuotedLabel>,
}

/// Puts the page together; `None` where the codebook has no such layer.
pub(super) fn frames_page(cx: &Context) -> Option<FramesPage> {
    let multi: Vec<usize> = (0..cx.layers.len())
        .filter(|i| cx.layers.get(*i).is_some_and(|l| l.layer.kind == LayerKind::Multi))
        .collect();
    let names: Vec<String> = multi
        .iter()
        .filter_map(|i| cx.layers.get(*i))
        .map(|l| text::capital(&text::spaced(&l.layer.name)))
        .collect();
    let layers: Vec<FramesLayer> = multi.iter().filter_map(|&i| layer(cx, i)).collect();
    (!layers.is_empty()).then(|| FramesPage { title: text::clip(&names.join(", "), 40), layers })
}

fn layer(cx: &Context, at: usize) -> Option<FramesLayer> {
    let look = cx.layers.get(at)?;
    let name = look.layer.name.as_str();
    let all = |outlet: &str, label: &str| cx.profile(outlet, name, label);
    let end = matrix::scale_end(
        cx.outlets.iter().flat_map(|o| look.layer.label_names().filter_map(|l| all(&o.key, l))),
    );
    let (used, unused): (Vec<_>, Vec<_>) =
        look.chips.iter().zip(&look.layer.labels).partition(|(_, l)| {
            cx.outlets.iter().any(|o| all(&o.key, &l.name).is_some_and(|r| r.share > 0.0))
        });
    let rows = used
        .iter()
        .map(|(chip, label)| Row {
            head: Head {
                name: chip.name.clone(),
                note: chip.description.clone(),
                ..Head::default()
            },
            cells: cx
                .outlets
                .iter()
                .map(|o| {
                    let what = format!("{}, {}", o.name, chip.name);
                    let href = format!("{}/{name}/{}", o.path, label.name);
                    matrix::share_cell(all(&o.key, &label.name), end, &chip.class(), href, &what)
                })
                .collect(),
            ..Row::default()
        })
        .collect();
    let matrix = Matrix {
        caption: format!("Observed share of sentences, by label: {}", text::spaced(name)),
        corner: "Label".to_owned(),
        columns: cx
            .outlets
            .iter()
            .map(|o| Head { name: o.name.clone(), href: o.path.clone(), ..Head::default() })
            .collect(),
        rows,
        scale: format!("0 to {}", text::percent(end)),
        csv: ("profiles".to_owned(), name.to_owned()),
        ..Matrix::default()
    };
    let unused: Vec<String> = unused.into_iter().map(|(chip, _)| chip.name.clone()).collect();
    Some(FramesLayer {
        title: text::spaced(name),
        description: look.layer.description.clone(),
        matrix,
        reading: overview::reading(cx, at, &unused, true),
        quoted: overview::quoted_labels(cx, at, LABELS_QUOTED),
    })
}
