//! The page of a training run: loss by step and F1 on the dev part by epoch, as one HTML file
//! without script, that loads nothing.

use std::collections::BTreeMap;

use askama::Template;
use serde::Deserialize;

use super::text;
use crate::error::{Error, Result};

const STYLE: &str = include_str!("../../templates/evaluation.css");
/// Height of a line of text on a plot, in its units.
const LINE: f64 = 6.0;
/// Dots of the loss at most; each is then the mean of several lines.
const MOST_DOTS: usize = 60;

/// Draws the page of the run that `metrics`, the contents of `metrics.jsonl`, tells of.
///
/// # Errors
/// If a line is not one of that file's, or the template fails.
pub fn page(title: &str, metrics: &str) -> Result<String> {
    let mut parts: Vec<Part> = Vec::new();
    for (i, line) in metrics.lines().enumerate() {
        let line: Line = serde_json::from_str(line)
            .map_err(|e| Error::model("metrics.jsonl", format!("line {}: {e}", i + 1)))?;
        match parts.iter_mut().find(|p| p.recipe == line.recipe) {
            Some(part) => part.add(line),
            None => {
                let mut part = Part { recipe: line.recipe.clone(), ..Part::default() };
                part.add(line);
                parts.push(part);
            }
        }
    }
    let view = Page {
        title: text::clip(title, 160),
        style: STYLE,
        version: env!("CARGO_PKG_VERSION"),
        parts: parts.iter().map(Part::view).collect(),
    };
    view.render().map_err(|e| Error::table("page of the training", e))
}

/// A line of `metrics.jsonl`: of a step, of an epoch, or of a run that goes on.
#[derive(Deserialize)]
struct Line {
    recipe: String,
    resumed_after_step: Option<usize>,
    step: Option<usize>,
    #[serde(default)]
    of: usize,
    loss: Option<f64>,
    epoch: Option<usize>,
    dev_f1: Option<f64>,
    #[serde(default)]
    layers: BTreeMap<String, f64>,
    #[serde(default)]
    best: bool,
}

/// What one recipe's training went through.
#[derive(Default)]
struct Part {
    recipe: String,
    /// Steps of the whole run.
    of: usize,
    loss: BTreeMap<usize, f64>,
    epochs: BTreeMap<usize, Epoch>,
}

struct Epoch {
    loss: Option<f64>,
    score: Option<f64>,
    layers: BTreeMap<String, f64>,
    best: bool,
}

impl Part {
    fn add(&mut self, line: Line) {
        if let Some(step) = line.resumed_after_step {
            // What came after the checkpoint was lost, and is done again.
            self.loss.split_off(&(step + 1));
        } else if let (Some(step), Some(loss)) = (line.step, line.loss) {
            self.of = self.of.max(line.of);
            self.loss.insert(step, loss);
        } else if let Some(number) = line.epoch {
            let Line { loss, dev_f1: score, layers, best, .. } = line;
            self.epochs.insert(number, Epoch { loss, score, layers, best });
        }
    }

    fn view(&self) -> PartView {
        let kept = self.epochs.iter().rev().find(|(_, e)| e.best).map(|(number, _)| number);
        let row = |(number, e): (&usize, &Epoch)| {
            let mark = if Some(number) == kept { " (kept)" } else { "" };
            let mut cells = vec![format!("{number}{mark}"), three(e.loss), three(e.score)];
            cells.extend(self.layers().iter().map(|l| three(e.layers.get(*l).copied())));
            cells
        };
        PartView {
            recipe: self.recipe.clone(),
            loss: self.loss_plot(),
            f1: self.f1_plot(),
            layers: self.layers().into_iter().map(text::spaced).collect(),
            epochs: self.epochs.iter().map(row).collect(),
        }
    }

    fn layers(&self) -> Vec<&str> {
        let mut names: Vec<&str> =
            self.epochs.values().flat_map(|e| e.layers.keys()).map(String::as_str).collect();
        names.sort_unstable();
        names.dedup();
        names
    }

    fn loss_plot(&self) -> Option<Plot> {
        let steps: Vec<(f64, f64)> = self.loss.iter().map(|(s, l)| (*s as f64, *l)).collect();
        let mean = |chunk: &[(f64, f64)]| {
            let n = chunk.len() as f64;
            (chunk.iter().map(|p| p.0).sum::<f64>() / n, chunk.iter().map(|p| p.1).sum::<f64>() / n)
        };
        let points: Vec<(f64, f64)> =
            steps.chunks(steps.len().div_ceil(MOST_DOTS).max(1)).map(mean).collect();
        let top = points.iter().map(|p| p.1).fold(f64::NAN, f64::max);
        let (top, right) = (rounded_up(top)?, self.of.max(1) as f64);
        Some(Plot {
            lines: vec![Curve::new("", &points, [0.0, right], [0.0, top], |x, y| {
                format!("step {x:.0}: {y:.3}")
            })],
            x: ["0".into(), self.of.to_string(), "step".into()],
            y: ["0".into(), format!("{top}"), "loss".into()],
            spoken: "Loss by step".into(),
        })
    }

    fn f1_plot(&self) -> Option<Plot> {
        let values = || self.epochs.values().flat_map(|e| e.layers.values().copied());
        let least = values().fold(f64::NAN, f64::min);
        if !least.is_finite() {
            return None;
        }
        let bottom = ((least * 10.0).floor() / 10.0).clamp(0.0, 0.9);
        let right = self.epochs.keys().max().copied().unwrap_or(1).max(2) as f64;
        let mut lines: Vec<Curve> = self
            .layers()
            .into_iter()
            .map(|layer| {
                let points: Vec<(f64, f64)> = self
                    .epochs
                    .iter()
                    .filter_map(|(number, e)| Some((*number as f64, *e.layers.get(layer)?)))
                    .collect();
                Curve::new(&text::spaced(layer), &points, [1.0, right], [bottom, 1.0], |x, y| {
                    format!("{layer}, epoch {x:.0}: {y:.3}")
                })
            })
            .collect();
        spread(&mut lines);
        Some(Plot {
            lines,
            x: ["1".into(), format!("{right:.0}"), "epoch".into()],
            y: [format!("{bottom:.1}"), "1".into(), "F1 on the dev part".into()],
            spoken: "F1 of each layer on the dev part by epoch".into(),
        })
    }
}

/// Moves the names of curves apart that end close together; the highest stays.
fn spread(lines: &mut [Curve]) {
    lines.sort_by(|a, b| a.name_at.total_cmp(&b.name_at));
    let mut next = f64::NEG_INFINITY;
    for line in lines {
        line.name_at = line.name_at.max(next);
        next = line.name_at + LINE;
    }
}

/// The next number above with one leading digit; `None` of what is no number.
fn rounded_up(value: f64) -> Option<f64> {
    if !(value.is_finite() && value > 0.0) {
        return None;
    }
    let unit = 10f64.powf(value.log10().floor());
    Some((value / unit).ceil() * unit)
}

fn three(value: Option<f64>) -> String {
    value.map(|v| format!("{v:.3}")).unwrap_or_default()
}

#[derive(Template)]
#[template(path = "training.html")]
struct Page {
    title: String,
    style: &'static str,
    version: &'static str,
    parts: Vec<PartView>,
}

struct PartView {
    recipe: String,
    loss: Option<Plot>,
    f1: Option<Plot>,
    layers: Vec<String>,
    epochs: Vec<Vec<String>>,
}

/// Curves in a square of 100 by 100, from the upper left.
struct Plot {
    lines: Vec<Curve>,
    /// Left end, right end, name.
    x: [String; 3],
    /// Bottom, top, name.
    y: [String; 3],
    spoken: String,
}

struct Curve {
    name: String,
    /// Height of its name, right of the square.
    name_at: f64,
    line: String,
    /// Place and what it says.
    dots: Vec<(String, String, String)>,
}

impl Curve {
    fn new(
        name: &str,
        points: &[(f64, f64)],
        [left, right]: [f64; 2],
        [bottom, top]: [f64; 2],
        said: impl Fn(f64, f64) -> String,
    ) -> Self {
        let place = |(x, y): (f64, f64)| {
            let x = (x - left) / (right - left).max(f64::MIN_POSITIVE);
            let y = 1.0 - (y - bottom) / (top - bottom).max(f64::MIN_POSITIVE);
            (x.clamp(0.0, 1.0) * 100.0, y.clamp(0.0, 1.0) * 100.0)
        };
        let line: Vec<String> = points
            .iter()
            .map(|p| {
                let (x, y) = place(*p);
                format!("{x:.1},{y:.1}")
            })
            .collect();
        let dots = points.iter().map(|p| {
            let (x, y) = place(*p);
            (format!("{x:.1}"), format!("{y:.1}"), said(p.0, p.1))
        });
        Curve {
            name: name.to_owned(),
            name_at: points.last().map_or(0.0, |p| place(*p).1),
            line: line.join(" "),
            dots: dots.collect(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const METRICS: &str = r#"{"recipe":"first","step":20,"of":40,"loss":3.2}
{"recipe":"first","step":40,"of":40,"loss":99.0}
{"recipe":"first","resumed_after_step":20}
{"recipe":"first","step":40,"of":40,"loss":1.5}
{"recipe":"first","epoch":1,"loss":2.0,"dev_f1":0.71,"layers":{"voice":0.70,"tone":0.72},"best":true}
{"recipe":"<second>","step":20,"of":20,"loss":0.5}
{"recipe":"<second>","epoch":1,"loss":0.5,"dev_f1":0.75,"layers":{"voice":0.8,"tone":0.7},"best":true}
{"recipe":"<second>","epoch":2,"loss":0.4,"dev_f1":0.74,"layers":{"voice":0.8,"tone":0.68},"best":false}
"#;

    #[test]
    fn a_run_is_drawn_part_by_part() {
        let html = page("my <model>", METRICS).unwrap();
        assert!(!html.contains("<second>") && !html.contains("my <model>"));
        assert_eq!(html.matches("<svg").count(), 4);
        // A step that was done again counts once, with what it came to in the end.
        assert!(!html.contains("99.0") && html.contains("step 40: 1.500"), "{html}");
        assert!(html.contains("1 (kept)") && !html.contains("2 (kept)"));
        assert!(html.contains("tone, epoch 2: 0.680"));
    }

    #[test]
    fn names_of_curves_do_not_overlap() {
        let mut lines: Vec<Curve> = [0.80, 0.81, 0.805]
            .iter()
            .map(|y| Curve::new("x", &[(1.0, *y)], [1.0, 2.0], [0.0, 1.0], |_, _| String::new()))
            .collect();
        spread(&mut lines);
        assert!(lines.windows(2).all(|w| w[1].name_at - w[0].name_at >= LINE - 1e-9));
    }

    #[test]
    fn a_run_of_nothing_has_an_empty_page_and_a_strange_line_is_named() {
        assert!(page("m", "").unwrap().contains("</html>"));
        let error = page("m", "{\"recipe\":\"a\"}\nno json\n").unwrap_err();
        assert!(error.to_string().contains("line 2"), "{error}");
    }
}
