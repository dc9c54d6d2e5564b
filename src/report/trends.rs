//! The course of labels over the months.

use std::collections::BTreeMap;

use super::context::{Context, Outlet, SentenceLayer};
use super::matrix;
use super::palette::Chip;
use super::text;
use crate::profile::ProfileRow;

/// Most months shown; the table holds all.
const MOST_MONTHS: usize = 240;

/// The course of a layer's labels over time.
#[derive(Debug)]
pub(super) struct TrendGroup {
    pub title: String,
    /// Name of the layer in the tables.
    pub name: String,
    pub scale: String,
    pub trends: Vec<Trend>,
}

/// The course of one label.
#[derive(Debug)]
pub(super) struct Trend {
    pub chip: Chip,
    /// Points of the line and outline of the intervals, on a field of 200 by 50.
    pub line: String,
    pub band: String,
    /// A path with a dot on each month.
    pub dots: String,
    pub first: String,
    pub last: String,
    pub spoken: String,
}

/// The course of a layer's labels at an outlet; `None` for fewer than three months.
pub(super) fn by_month(cx: &Context, outlet: &Outlet, look: &SentenceLayer) -> Option<TrendGroup> {
    let name = look.layer.name.as_str();
    let mut labels: BTreeMap<&str, BTreeMap<&str, &ProfileRow>> = BTreeMap::new();
    for row in &cx.input.profiles {
        if let (None, Some(period)) = (&row.event, &row.period)
            && row.outlet == outlet.key
            && row.layer == name
            && row.n_sentences > 0
        {
            labels.entry(&row.label).or_default().insert(period, row);
        }
    }
    let periods: Vec<&str> = {
        let all: std::collections::BTreeSet<&str> =
            labels.values().flat_map(|r| r.keys().copied()).collect();
        all.into_iter().take(MOST_MONTHS).collect()
    };
    if periods.len() < 3 {
        return None;
    }
    let end = matrix::scale_end(labels.values().flat_map(|r| r.values().copied()));
    let trends = look
        .chips
        .iter()
        .zip(look.layer.label_names())
        .filter_map(|(chip, label)| {
            let rows = labels.get(label)?;
            rows.values().any(|r| r.share > 0.0).then(|| trend(chip, rows, &periods, end))
        })
        .collect();
    Some(TrendGroup {
        title: text::spaced(name),
        name: name.to_owned(),
        scale: format!("0 to {}", text::percent(end)),
        trends,
    })
}

fn trend(chip: &Chip, rows: &BTreeMap<&str, &ProfileRow>, periods: &[&str], end: f64) -> Trend {
    // Months that are missing leave their place empty.
    let month = |p: &str| {
        let (year, month) = p.split_once('-')?;
        Some(year.parse::<i32>().ok()? * 12 + month.parse::<i32>().ok()?)
    };
    let at = |i: usize| {
        let ends =
            (periods.first().copied().and_then(month), periods.last().copied().and_then(month));
        match (periods.get(i).copied().and_then(month), ends) {
            (Some(m), (Some(a), Some(b))) if b > a => f64::from(m - a) / f64::from(b - a),
            _ => i as f64 / (periods.len() - 1).max(1) as f64,
        }
    };
    let (x, y) =
        (|i: usize| 4.0 + at(i) * 192.0, |share: f64| 46.0 - (share / end).min(1.0) * 42.0);
    let (mut line, mut upper, mut lower) = (Vec::new(), Vec::new(), Vec::new());
    let (mut dots, mut spoken) = (String::new(), Vec::new());
    for (i, period) in periods.iter().enumerate() {
        let Some(row) = rows.get(period) else { continue };
        let said = format!("{} {}", period, text::percent(row.share));
        line.push(format!("{:.1},{:.1}", x(i), y(row.share)));
        if let (Some(low), Some(high)) = (row.low, row.high) {
            upper.push(format!("{:.1},{:.1}", x(i), y(high)));
            lower.push(format!("{:.1},{:.1}", x(i), y(low)));
        }
        dots.push_str(&format!("M{:.1},{:.1}h0", x(i), y(row.share)));
        spoken.push((row.share, said));
    }
    lower.reverse();
    upper.extend(lower);
    Trend {
        chip: chip.clone(),
        line: line.join(" "),
        band: upper.join(" "),
        dots,
        first: periods.first().map(|p| text::clip(p, 12)).unwrap_or_default(),
        last: periods.last().map(|p| text::clip(p, 12)).unwrap_or_default(),
        spoken: format!("{} by month: {}", chip.name, in_words(&spoken)),
    }
}

/// A course in words: all of a short one, the ends and extremes of a long one.
fn in_words(course: &[(f64, String)]) -> String {
    let said = |point: Option<&(f64, String)>| point.map(|p| p.1.clone()).unwrap_or_default();
    if course.len() <= 12 {
        return course.iter().map(|p| p.1.as_str()).collect::<Vec<_>>().join(", ");
    }
    format!(
        "{} at first, {} at last, lowest {}, highest {}",
        said(course.first()),
        said(course.last()),
        said(course.iter().min_by(|a, b| a.0.total_cmp(&b.0))),
        said(course.iter().max_by(|a, b| a.0.total_cmp(&b.0)))
    )
}
