//! The page of an evaluation: figures, confusion, reliability and coverage as one HTML file
//! without script, that loads nothing.

use askama::Template;
use serde::Serialize;

use super::text;
use crate::error::{Error, Result};
use crate::training::breakdown::Breakdown;
use crate::training::evaluate::Evaluation;
use crate::training::metrics::{LayerFigures, Named};
use crate::training::mistakes::Mistake;
use crate::training::paired::{Difference, Paired};

const STYLE: &str = include_str!("../../templates/evaluation.css");

/// Two models on the same sentences.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Comparison {
    /// The second model, as the user named it.
    pub against: String,
    /// By layer name.
    pub layers: Named<Paired>,
}

/// What the page shows.
#[derive(Debug, Clone, PartialEq)]
pub struct EvaluationPage<'a> {
    /// Headline.
    pub title: String,
    /// A line below it.
    pub summary: String,
    /// The figures.
    pub evaluation: &'a Evaluation,
    /// How a second model does.
    pub comparison: Option<&'a Comparison>,
}

/// Draws the page.
///
/// # Errors
/// If the template fails.
pub fn page(page: &EvaluationPage) -> Result<String> {
    let evaluation = page.evaluation;
    let view = Page {
        title: text::clip(&page.title, 160),
        summary: &page.summary,
        style: STYLE,
        version: env!("CARGO_PKG_VERSION"),
        layers: evaluation.layers.0.iter().map(|(name, f)| layer(name, f)).collect(),
        breakdowns: evaluation.breakdowns.iter().map(table).collect(),
        comparison: page.comparison.map(compared).unwrap_or_default(),
        against: page.comparison.map(|c| c.against.as_str()).unwrap_or_default(),
        withheld: withheld(evaluation),
        confidence: evaluation.min_confidence.as_ref().map(|m| m.confidence.to_string()),
        mistakes: &evaluation.mistakes,
    };
    view.render().map_err(|e| Error::table("evaluation page", e))
}

#[derive(Template)]
#[template(path = "evaluation.html")]
struct Page<'a> {
    title: String,
    summary: &'a str,
    style: &'static str,
    version: &'static str,
    layers: Vec<LayerView>,
    breakdowns: Vec<Table>,
    comparison: Vec<Vec<String>>,
    against: &'a str,
    withheld: Vec<Vec<String>>,
    confidence: Option<String>,
    mistakes: &'a [Mistake],
}

struct LayerView {
    name: String,
    summary: String,
    labels: Vec<LabelRow>,
    /// Right label, then cells of the given ones.
    confusion: Vec<(String, Vec<Cell>)>,
    reliability: Option<Plot>,
    coverage: Option<Plot>,
}

struct LabelRow {
    name: String,
    cells: [String; 4],
    interval: String,
    /// F1 and the ends of its interval, in percent.
    f1: String,
    low: String,
    high: String,
}

struct Cell {
    n: usize,
    /// Share of the row, 0 to 9.
    shade: usize,
    on_diagonal: bool,
}

/// Points in a square of 100 by 100, from the lower left.
struct Plot {
    /// Centre and radius.
    points: Vec<(String, String, String, String)>,
    line: String,
    /// What it shows, for those who do not see it.
    spoken: String,
    /// Value at the bottom of the vertical axis.
    bottom: String,
    table: Vec<Vec<String>>,
}

/// Rows of one breakdown.
struct Table {
    by: String,
    layers: Vec<String>,
    /// The value, then for each layer n, macro-F1, micro-F1 and its interval.
    rows: Vec<(String, Vec<[String; 3]>)>,
}

fn three(value: f64) -> String {
    format!("{value:.3}")
}

fn bounds(interval: Option<&[f64; 2]>) -> String {
    interval.map(|[low, high]| format!("{low:.3} to {high:.3}")).unwrap_or_default()
}

fn layer(name: &str, f: &LayerFigures) -> LayerView {
    let labels = f.labels.0.iter().map(|(name, l)| {
        let [low, high] = l.interval.unwrap_or([l.f1, l.f1]);
        let percent = |v: f64| format!("{:.1}", v.clamp(0.0, 1.0) * 100.0);
        LabelRow {
            name: name.clone(),
            cells: [three(l.precision), three(l.recall), three(l.f1), l.support.to_string()],
            interval: bounds(l.interval.as_ref()),
            f1: percent(l.f1),
            low: percent(low),
            high: percent(high),
        }
    });
    let confusion = f.labels.0.iter().zip(&f.confusion).enumerate().map(|(i, ((name, _), row))| {
        let whole = row.iter().sum::<usize>().max(1);
        let cell = |(j, &n): (usize, &usize)| Cell {
            n,
            shade: (n * 9).div_ceil(whole).min(9),
            on_diagonal: i == j,
        };
        (name.clone(), row.iter().enumerate().map(cell).collect())
    });
    let with = |name: &str| {
        f.intervals.get(name).map(|i| format!(" ({})", bounds(Some(i)))).unwrap_or_default()
    };
    let ece = f.ece.map(|e| format!(" · ECE {e:.3}")).unwrap_or_default();
    LayerView {
        name: text::spaced(name),
        summary: format!(
            "{} judged, {} · macro-F1 {:.3}{} · micro-F1 {:.3}{} · accuracy {:.3}{ece}",
            f.n,
            text::counted(f.documents as u64, "document", "documents"),
            f.macro_f1,
            with("macro_f1"),
            f.micro_f1,
            with("micro_f1"),
            f.accuracy
        ),
        labels: labels.collect(),
        confusion: confusion.collect(),
        reliability: reliability(f),
        coverage: coverage(f),
    }
}

/// A place on the plot.
fn at(value: f64) -> String {
    format!("{:.1}", value.clamp(0.0, 1.0) * 100.0)
}

fn reliability(f: &LayerFigures) -> Option<Plot> {
    let most = f.reliability.iter().map(|b| b.n).max()? as f64;
    let points = f.reliability.iter().map(|b| {
        let radius = 1.0 + 3.5 * (b.n as f64 / most).sqrt();
        let said = format!("{} statements at {:.2}: {:.3} true", b.n, b.confidence, b.accuracy);
        (at(b.confidence), at(1.0 - b.accuracy), format!("{radius:.1}"), said)
    });
    let table = f.reliability.iter().map(|b| {
        vec![
            format!("{:.2} to {:.2}", b.from, b.to),
            b.n.to_string(),
            three(b.confidence),
            three(b.accuracy),
        ]
    });
    Some(Plot {
        points: points.collect(),
        line: String::new(),
        spoken: "Reliability: share of true statements by their probability".to_owned(),
        bottom: "0".to_owned(),
        table: table.collect(),
    })
}

fn coverage(f: &LayerFigures) -> Option<Plot> {
    let least = f.coverage.iter().map(|c| c.accuracy).fold(f64::INFINITY, f64::min);
    if !least.is_finite() {
        return None;
    }
    // The axis begins at a tenth below the curve, so that its course can be seen.
    let bottom = ((least * 10.0).floor() / 10.0).min(0.9);
    let y = |accuracy: f64| at(1.0 - (accuracy - bottom) / (1.0 - bottom));
    let points = f.coverage.iter().map(|c| {
        let said = format!(
            "{:.0}% kept, those with at least {:.2}: {:.3} right",
            c.coverage * 100.0,
            c.confidence,
            c.accuracy
        );
        (at(c.coverage), y(c.accuracy), "1.2".to_owned(), said)
    });
    let line: Vec<String> =
        f.coverage.iter().map(|c| format!("{},{}", at(c.coverage), y(c.accuracy))).collect();
    let table = f.coverage.iter().map(|c| {
        vec![format!("{:.1}%", c.coverage * 100.0), three(c.confidence), three(c.accuracy)]
    });
    Some(Plot {
        points: points.collect(),
        line: line.join(" "),
        spoken: "Coverage: share of right labels if only the surest are kept".to_owned(),
        bottom: format!("{bottom:.1}"),
        table: table.collect(),
    })
}

fn table(breakdown: &Breakdown) -> Table {
    let mut layers: Vec<String> = Vec::new();
    for (name, _) in breakdown.groups.iter().flat_map(|g| &g.layers.0) {
        if !layers.contains(name) {
            layers.push(name.clone());
        }
    }
    let rows = breakdown.groups.iter().map(|group| {
        let cells = layers.iter().map(|name| match group.layers.get(name) {
            Some(f) => {
                let interval = bounds(f.interval.as_ref());
                [f.n.to_string(), three(f.macro_f1), format!("{:.3} {interval}", f.micro_f1)]
            }
            None => Default::default(),
        });
        (group.value.clone(), cells.collect())
    });
    Table { by: breakdown.by.clone(), rows: rows.collect(), layers }
}

fn compared(comparison: &Comparison) -> Vec<Vec<String>> {
    let row = |layer: &str, figure: &str, d: &Difference| {
        vec![
            layer.to_owned(),
            figure.to_owned(),
            three(d.a),
            three(d.b),
            format!("{:+.3}", d.difference),
            bounds(d.interval.as_ref()),
            d.p.map(|p| format!("{p:.4}")).unwrap_or_default(),
        ]
    };
    let rows = |(name, pair): &(String, Paired)| {
        [row(name, "macro-F1", &pair.macro_f1), row(name, "micro-F1", &pair.micro_f1)]
    };
    comparison.layers.0.iter().flat_map(rows).collect()
}

fn withheld(evaluation: &Evaluation) -> Vec<Vec<String>> {
    let layers = evaluation.min_confidence.iter().flat_map(|m| &m.layers.0);
    let row = |(name, kept): &(String, crate::training::withheld::Kept)| {
        let share = format!("{:.1}%", kept.coverage * 100.0);
        vec![
            name.clone(),
            share,
            kept.withheld.to_string(),
            three(kept.accuracy),
            three(kept.macro_f1),
            three(kept.micro_f1),
        ]
    };
    layers.map(row).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::training::metrics::{Decision, figures};
    use crate::training::paired::Difference;

    fn evaluation() -> Evaluation {
        let labels = ["plain".to_owned(), "hedged".to_owned()];
        let decisions: Vec<Decision> = (0..40)
            .map(|i| Decision {
                document: i / 2,
                example: i,
                gold: vec![i % 2],
                predicted: vec![usize::from(i % 5 == 0)],
                probabilities: vec![0.9 - i as f32 / 100.0, 0.1 + i as f32 / 100.0],
                ..Decision::default()
            })
            .collect();
        let mistake = Mistake {
            layer: "voice".into(),
            confidence: 0.9,
            given: Some("plain".into()),
            right: vec!["hedged".into()],
            missed: None,
            mention: None,
            text: "</p><script>alert(1)</script> The ferry may sink.".into(),
            document: "a".into(),
            outlet: Some("<b>The Ferry</b>".into()),
        };
        Evaluation {
            layers: Named(vec![("voice".into(), figures(&labels, &decisions, true, 200, 1))]),
            mistakes: vec![mistake],
            ..Evaluation::default()
        }
    }

    #[test]
    fn the_page_stands_alone_and_escapes_what_it_shows() {
        let difference = Difference {
            a: 0.8,
            b: 0.7,
            difference: 0.1,
            interval: Some([0.02, 0.2]),
            p: Some(0.01),
        };
        let pair =
            Paired { n: 40, documents: 20, macro_f1: difference.clone(), micro_f1: difference };
        let comparison =
            Comparison { against: "<other>".into(), layers: Named(vec![("voice".into(), pair)]) };
        let evaluation = evaluation();
        let html = page(&EvaluationPage {
            title: "a <model>".into(),
            summary: "x & y".into(),
            evaluation: &evaluation,
            comparison: Some(&comparison),
        })
        .unwrap();
        assert!(
            !html.contains("<script")
                && !html.contains("<b>The Ferry")
                && !html.contains("<other>")
        );
        assert!(
            html.contains("default-src 'none'")
                && !html.contains("http://")
                && !html.contains("https://")
        );
        let circles =
            evaluation.layers.0[0].1.reliability.len() + evaluation.layers.0[0].1.coverage.len();
        assert_eq!(html.matches("<circle").count(), circles);
        assert!(html.contains("+0.100") && html.contains("0.0100"));
        for (open, close) in [
            ("<table", "</table>"),
            ("<svg", "</svg>"),
            ("<tr", "</tr>"),
            ("<section", "</section>"),
        ] {
            assert_eq!(html.matches(open).count(), html.matches(close).count(), "{open}");
        }
    }

    #[test]
    fn places_on_the_plot_stay_within_it() {
        let f = &evaluation().layers.0[0].1;
        for plot in [reliability(f).unwrap(), coverage(f).unwrap()] {
            for (x, y, ..) in &plot.points {
                let inside = |v: &str| (0.0..=100.0).contains(&v.parse::<f64>().unwrap());
                assert!(inside(x) && inside(y), "{x} {y}");
            }
        }
    }
}
