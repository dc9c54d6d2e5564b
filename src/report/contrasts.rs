//! Differences between pairs of outlets.

use super::context::Context;
use super::matrix::{self, Cell};
use super::palette::Chip;
use super::text;
use crate::profile::ContrastRow;

/// Most rows shown and carried; `contrasts.parquet` holds all.
const MOST: usize = 400;
/// Below this a difference counts as told apart, after correction for many comparisons.
const LEVEL: f64 = 0.05;

/// The page of differences.
#[derive(Debug)]
pub(super) struct ContrastsPage {
    pub rows: Vec<ContrastView>,
    pub layers: Vec<(String, String)>,
    pub outlets: Vec<String>,
    /// Said about the number of rows.
    pub note: String,
    pub scale: String,
    /// Differences told apart, of those that were tested.
    pub n_apart: usize,
    pub n_tested: usize,
}

/// One difference.
#[derive(Debug)]
pub(super) struct ContrastView {
    pub a: String,
    pub b: String,
    pub layer: String,
    pub layer_name: String,
    pub chip: Option<Chip>,
    pub label: String,
    pub cell: Cell,
    pub difference: String,
    pub interval: String,
    pub p: String,
    pub q: String,
    /// Numbers to sort by: difference, p, q.
    pub sort: String,
    pub apart: bool,
}

/// The rows shown: those told apart first, then the largest differences.
pub(super) fn shown<'a>(cx: &Context<'a>) -> Vec<&'a ContrastRow> {
    let mut rows: Vec<&ContrastRow> = cx
        .input
        .contrasts
        .iter()
        .filter(|r| r.difference.is_finite() && (r.q.is_some() || r.difference != 0.0))
        .collect();
    rows.sort_by(|a, b| {
        apart(b).cmp(&apart(a)).then(b.difference.abs().total_cmp(&a.difference.abs()))
    });
    rows.truncate(MOST);
    rows
}

fn apart(row: &ContrastRow) -> bool {
    row.q.is_some_and(|q| q < LEVEL)
}

/// Puts the page together.
pub(super) fn contrasts_page(cx: &Context) -> ContrastsPage {
    let rows = shown(cx);
    let bounds = rows.iter().flat_map(|r| {
        let (low, high) = r.low.zip(r.high).unwrap_or_default();
        [r.difference.abs(), low.abs(), high.abs()]
    });
    let largest = bounds.filter(|x| x.is_finite()).fold(0.0, f64::max);
    let end = [0.05, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.8]
        .into_iter()
        .find(|&e| largest <= e)
        .unwrap_or(1.0);
    let note = if rows.len() == MOST {
        format!(
            "The {} largest of {} differences; all are in contrasts.parquet.",
            text::count(rows.len() as u64),
            text::count(cx.input.contrasts.len() as u64)
        )
    } else {
        String::new()
    };
    let views: Vec<ContrastView> = rows.into_iter().map(|r| view(cx, r, end)).collect();
    ContrastsPage {
        n_apart: cx.input.contrasts.iter().filter(|r| apart(r)).count(),
        n_tested: cx.input.contrasts.iter().filter(|r| r.q.is_some()).count(),
        layers: cx
            .layers
            .iter()
            .map(|l| (l.layer.name.clone(), text::spaced(&l.layer.name)))
            .collect(),
        outlets: cx.outlets.iter().map(|o| o.name.clone()).collect(),
        note,
        scale: format!("−{0} to +{0} points", text::percent_bare(end)),
        rows: views,
    }
}

fn view(cx: &Context, row: &ContrastRow, end: f64) -> ContrastView {
    let name = |key: &str| cx.outlet(key).map_or_else(|| text::clip(key, 60), |o| o.name.clone());
    let chip = cx
        .layers
        .iter()
        .find(|l| l.layer.name == row.layer)
        .and_then(|l| l.chips.get(l.layer.index_of(&row.label)?).cloned());
    let interval = row.low.zip(row.high);
    let (a, b, label) = (name(&row.outlet_a), name(&row.outlet_b), text::spaced(&row.label));
    let difference = text::points(row.difference);
    let shown = interval.map_or_else(String::new, |(low, high)| {
        format!("{} to {}", text::points(low), text::points(high))
    });
    let spoken = format!("{a} minus {b}, {label}: {difference} points, interval {shown}");
    let value = (difference.clone(), shown.clone(), spoken);
    let (p, q) = (row.p.unwrap_or(f64::NAN), row.q.unwrap_or(f64::NAN));
    ContrastView {
        cell: matrix::signed_cell(row.difference, interval, end, value, String::new()),
        a,
        b,
        layer: row.layer.clone(),
        layer_name: text::spaced(&row.layer),
        chip,
        label,
        difference,
        interval: shown,
        p: text::p_value(p),
        q: text::p_value(q),
        sort: [row.difference, p, q]
            .map(|x| if x.is_finite() { format!("{x:.4}") } else { "9".to_owned() })
            .join(" "),
        apart: apart(row),
    }
}
