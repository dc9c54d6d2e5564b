//! A table whose cells are small charts: outlets down, labels across, one scale.
//!
//! A cell shows a share and its interval, or, where there are too few articles for an
//! interval, the count behind it. Bars of one column stand on one base line, so that
//! outlets compare at a glance.

use super::palette::Chip;
use super::text;
use crate::profile::ProfileRow;

/// The head of a row or column.
#[derive(Debug, Clone, Default)]
pub(super) struct Head {
    pub name: String,
    /// Address it leads to; empty for none.
    pub href: String,
    /// Second line.
    pub note: String,
    /// Letter and colour, for a label.
    pub chip: Option<Chip>,
}

/// One small chart. Places on the scale are per cent of its width.
#[derive(Debug, Clone, Default)]
pub(super) struct Cell {
    /// The figure; empty where there is nothing to show.
    pub value: String,
    /// Interval or count, in small print.
    pub sub: String,
    /// The whole in words, for those who hear the page.
    pub spoken: String,
    /// Address of the sentences behind it; empty for none.
    pub href: String,
    /// Style class of the bar.
    pub class: String,
    /// Where the bar begins and how long it is.
    pub from: f64,
    pub width: f64,
    /// Where the point is.
    pub point: f64,
    /// The interval: where it begins and ends.
    pub interval: Option<(f64, f64)>,
    /// Where zero is, if not at the left.
    pub zero: Option<f64>,
}

/// A table of small charts.
#[derive(Debug, Clone, Default)]
pub(super) struct Matrix {
    pub caption: String,
    pub corner: String,
    pub columns: Vec<Head>,
    pub rows: Vec<Row>,
    /// What the full width of a cell stands for.
    pub scale: String,
    /// Heading of the strips; empty for none.
    pub strip_head: String,
    /// Table and layer that the download takes its rows from.
    pub csv: (String, String),
    /// Event of those rows; empty for all.
    pub event: String,
}

/// A row of small charts.
#[derive(Debug, Clone, Default)]
pub(super) struct Row {
    pub head: Head,
    pub strip: Vec<Tick>,
    /// The strip in words.
    pub strip_spoken: String,
    pub cells: Vec<Cell>,
}

/// One sentence in a strip.
#[derive(Debug, Clone)]
pub(super) struct Tick {
    pub letter: char,
    pub class: String,
    pub title: String,
    /// Number of the sentence in the report.
    pub sentence: usize,
}

/// The end of a scale from 0 that holds all shares and intervals, a round number.
pub(super) fn scale_end<'a>(rows: impl Iterator<Item = &'a ProfileRow>) -> f64 {
    let largest = rows
        .flat_map(|r| [r.share, r.high.unwrap_or(0.0)])
        .filter(|x| x.is_finite())
        .fold(0.0, f64::max);
    [0.02, 0.05, 0.1, 0.15, 0.2, 0.25, 0.3, 0.4, 0.5, 0.6, 0.8]
        .into_iter()
        .find(|&end| largest <= end)
        .unwrap_or(1.0)
}

/// The cell of a share on a scale from 0 to `end`.
pub(super) fn share_cell(
    row: Option<&ProfileRow>,
    end: f64,
    class: &str,
    href: String,
    what: &str,
) -> Cell {
    let Some(row) = row.filter(|r| r.share.is_finite() && r.n_sentences > 0) else {
        return Cell { spoken: format!("{what}: no sentences"), ..Cell::default() };
    };
    let place = |x: f64| (x / end * 100.0).clamp(0.0, 100.0);
    let number = behind(row);
    let (value, sub, interval, spoken) = match (row.low, row.high) {
        (Some(low), Some(high)) => (
            text::percent(row.share),
            format!("{}–{}", text::percent_bare(low), text::percent_bare(high)),
            Some((place(low), place(high))),
            format!(
                "{what}: {} of {}, interval {} to {}",
                text::percent(row.share),
                text::counted(row.n_sentences, "sentence", "sentences"),
                text::percent(low),
                text::percent(high)
            ),
        ),
        _ => (
            number.to_string(),
            format!("of {}", text::count(row.n_sentences)),
            None,
            format!(
                "{what}: {number} of {}",
                text::counted(row.n_sentences, "sentence", "sentences")
            ),
        ),
    };
    Cell {
        value,
        sub,
        spoken,
        href,
        class: if interval.is_some() { class.to_owned() } else { format!("{class} counted") },
        from: 0.0,
        width: place(row.share),
        point: place(row.share),
        interval,
        zero: None,
    }
}

/// The number of sentences that a share stands for.
pub(super) fn behind(row: &ProfileRow) -> u64 {
    (row.share * row.n_sentences as f64).round().max(0.0) as u64
}

/// The cell of a mean or difference on a scale from `-end` to `end`.
pub(super) fn signed_cell(
    value: f64,
    interval: Option<(f64, f64)>,
    end: f64,
    shown: (String, String, String),
    href: String,
) -> Cell {
    let place = |x: f64| ((x / end + 1.0) * 50.0).clamp(0.0, 100.0);
    let (at, zero) = (place(value), 50.0);
    let (value, sub, spoken) = shown;
    Cell {
        value,
        sub,
        spoken,
        href,
        class: if interval.is_some() { "lean".to_owned() } else { "lean counted".to_owned() },
        from: f64::min(at, zero),
        width: (at - zero).abs(),
        point: at,
        interval: interval.map(|(a, b)| (place(a), place(b))),
        zero: Some(zero),
    }
}
