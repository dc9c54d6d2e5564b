//! Figures of an evaluation as tables in the terminal.

use std::io::Write;

use crate::report::evaluation::Comparison;
use crate::training::breakdown::Breakdown;
use crate::training::evaluate::Evaluation;
use crate::training::metrics::LayerFigures;
use crate::training::mistakes::Mistake;
use crate::training::task::TaskEvaluation;
use crate::training::withheld::AtConfidence;

/// Groups of a breakdown that are printed; all are in the JSON and on the page.
const MOST_GROUPS: usize = 12;

fn interval(bounds: Option<&[f64; 2]>) -> String {
    bounds.map(|[low, high]| format!(" [{low:.3}, {high:.3}]")).unwrap_or_default()
}

/// Prints figures as tables.
pub fn print(out: &mut impl Write, data: &str, evaluation: &Evaluation) -> anyhow::Result<()> {
    for (name, layer) in &evaluation.layers.0 {
        print_layer(out, name, data, layer)?;
        writeln!(out)?;
    }
    for breakdown in &evaluation.breakdowns {
        print_breakdown(out, breakdown)?;
    }
    if let Some(at) = &evaluation.min_confidence {
        print_withheld(out, at)?;
    }
    if !evaluation.mistakes.is_empty() {
        writeln!(out, "most confident errors")?;
        evaluation.mistakes.iter().try_for_each(|m| print_mistake(out, m))?;
        writeln!(out)?;
    }
    Ok(())
}

fn print_layer(
    out: &mut impl Write,
    name: &str,
    data: &str,
    layer: &LayerFigures,
) -> anyhow::Result<()> {
    let ece = layer.ece.map(|e| format!("  ECE {e:.3}")).unwrap_or_default();
    writeln!(out, "{name} ({data}, n = {}, {} documents)", layer.n, layer.documents)?;
    writeln!(
        out,
        "  macro-F1 {:.3}{}  micro-F1 {:.3}{}  accuracy {:.3}{ece}",
        layer.macro_f1,
        interval(layer.intervals.get("macro_f1")),
        layer.micro_f1,
        interval(layer.intervals.get("micro_f1")),
        layer.accuracy,
    )?;
    writeln!(out, "  {:32} precision  recall     F1  support", "")?;
    for (label, f) in &layer.labels.0 {
        writeln!(
            out,
            "  {label:32} {:9.3} {:7.3} {:6.3} {:8}{}",
            f.precision,
            f.recall,
            f.f1,
            f.support,
            interval(f.interval.as_ref())
        )?;
    }
    if !layer.confusion.is_empty() {
        writeln!(out, "  confusion (rows right, columns given)")?;
        for ((label, _), row) in layer.labels.0.iter().zip(&layer.confusion) {
            let cells: Vec<String> = row.iter().map(|c| format!("{c:>6}")).collect();
            writeln!(out, "  {label:32} {}", cells.concat())?;
        }
    }
    if !layer.reliability.is_empty() {
        writeln!(out, "  reliability            n  confidence  true")?;
        for b in &layer.reliability {
            writeln!(
                out,
                "  {:4.2} to {:4.2} {:12}  {:10.3} {:5.3}",
                b.from, b.to, b.n, b.confidence, b.accuracy
            )?;
        }
        let shown = layer.coverage.iter().filter(|c| c.coverage > 0.09);
        let points: Vec<String> = shown
            .step_by(2)
            .map(|c| format!("{:.0}% {:.3}", c.coverage * 100.0, c.accuracy))
            .collect();
        writeln!(out, "  share kept, surest first, and share right: {}", points.join(", "))?;
    }
    Ok(())
}

fn print_breakdown(out: &mut impl Write, breakdown: &Breakdown) -> anyhow::Result<()> {
    writeln!(out, "by {}", breakdown.by)?;
    for group in breakdown.groups.iter().take(MOST_GROUPS) {
        writeln!(out, "  {}", group.value)?;
        for (layer, f) in &group.layers.0 {
            writeln!(
                out,
                "    {layer:20} n {:5}  macro-F1 {:.3}  micro-F1 {:.3}{}",
                f.n,
                f.macro_f1,
                f.micro_f1,
                interval(f.interval.as_ref())
            )?;
        }
    }
    if let Some(more) = breakdown.groups.len().checked_sub(MOST_GROUPS).filter(|n| *n > 0) {
        writeln!(out, "  and {more} more, see --json or --html")?;
    }
    writeln!(out)?;
    Ok(())
}

fn print_withheld(out: &mut impl Write, at: &AtConfidence) -> anyhow::Result<()> {
    writeln!(out, "labels with a probability below {} withheld", at.confidence)?;
    for (layer, kept) in &at.layers.0 {
        writeln!(
            out,
            "  {layer:22} {:5.1}% of the labels kept ({} withheld), {:.3} of them right; macro-F1 {:.3}, \
             micro-F1 {:.3} of the rest",
            kept.coverage * 100.0,
            kept.withheld,
            kept.accuracy,
            kept.macro_f1,
            kept.micro_f1
        )?;
    }
    writeln!(out)?;
    Ok(())
}

fn print_mistake(out: &mut impl Write, m: &Mistake) -> anyhow::Result<()> {
    let right = if m.right.is_empty() { "none".to_owned() } else { m.right.join(", ") };
    let said = match (&m.given, &m.missed) {
        (Some(given), _) => format!("{given}, right: {right}"),
        (None, Some(missed)) => format!("not {missed}, right: {right}"),
        (None, None) => right,
    };
    let about = m.mention.as_ref().map(|m| format!(" of {m:?}")).unwrap_or_default();
    let outlet = m.outlet.as_ref().map(|o| format!(" ({o})")).unwrap_or_default();
    writeln!(out, "  {}{about}: {said}, at {:.2}{outlet}", m.layer, m.confidence)?;
    writeln!(out, "    {}", shown(&m.text))?;
    Ok(())
}

/// A sentence on one line, without what could steer a terminal.
fn shown(text: &str) -> String {
    let line: String = text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
    if line.chars().count() <= 400 {
        return line;
    }
    line.chars().take(399).chain(['…']).collect()
}

/// Prints how two models differ.
pub fn print_comparison(
    out: &mut impl Write,
    bundle: &str,
    comparison: &Comparison,
) -> anyhow::Result<()> {
    writeln!(out, "{bundle} (A) against {} (B), on the same sentences", comparison.against)?;
    for (name, pair) in &comparison.layers.0 {
        writeln!(out, "  {name} (n = {}, {} documents)", pair.n, pair.documents)?;
        for (figure, d) in [("macro-F1", &pair.macro_f1), ("micro-F1", &pair.micro_f1)] {
            let p = d.p.map(|p| format!(", p {p:.4}")).unwrap_or_default();
            writeln!(
                out,
                "    {figure} A {:.3}  B {:.3}  A - B {:+.3}{}{p}",
                d.a,
                d.b,
                d.difference,
                interval(d.interval.as_ref())
            )?;
        }
    }
    writeln!(
        out,
        "  intervals: 95%, whole documents resampled for both at once; p: answers to whole documents \
         exchanged by chance (two-sided)"
    )?;
    Ok(())
}

/// Prints what came out of a task.
pub fn print_task(out: &mut impl Write, data: &str, found: &TaskEvaluation) -> anyhow::Result<()> {
    let figure = found.figure.name();
    writeln!(
        out,
        "{}: {figure} {:.3}{} (n = {})",
        found.description,
        found.value,
        interval(found.interval.as_ref()),
        found.n
    )?;
    let thresholds: Vec<String> = found.thresholds.iter().map(|t| format!("{t:.3}")).collect();
    match (&thresholds[..], found.left_out) {
        ([], _) => writeln!(out, "labels as the model gives them")?,
        ([threshold], n) if n > 0 => {
            writeln!(out, "threshold {threshold}, chosen on {n} rows that are left out")?;
        }
        (folds, _) => writeln!(
            out,
            "thresholds {}, each chosen on the other parts of {}",
            folds.join(", "),
            folds.len()
        )?,
    }
    writeln!(out)?;
    print(out, data, &found.evaluation)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sentence_cannot_steer_the_terminal() {
        assert_eq!(shown("a\u{1b}[31mb\nc"), "a [31mb c");
        assert_eq!(shown(&"x".repeat(500)).chars().count(), 400);
    }
}
