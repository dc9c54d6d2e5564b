//! The report as Markdown.

use std::fmt::Write;

use super::context::Context;
use super::pieces::{ClaimPiece, Extent, Piece, Table, pieces};
use super::{ReportInput, check};
use crate::error::Result;

/// How much the Markdown report says.
const EXTENT: Extent = Extent { claims: 60, differences: 60, words: 10, method: true };

/// Draws the report as Markdown: the figures of the HTML report, and what each outlet wrote on
/// the claims that several report.
///
/// Text of articles cannot become markup: what Markdown or HTML would read as such is escaped.
///
/// # Errors
/// If the input names no outlets.
pub fn markdown(input: &ReportInput) -> Result<String> {
    check(input)?;
    let mut out = String::new();
    for piece in pieces(&Context::new(input)?, EXTENT) {
        match piece {
            Piece::Heading(level, text) => {
                let _ = writeln!(out, "{} {}\n", "#".repeat(level), escaped(&text));
            }
            Piece::Text(text) if text.is_empty() => {}
            Piece::Text(text) => {
                let _ = writeln!(out, "{}\n", escaped(&text));
            }
            Piece::Table(t) => table(&mut out, &t),
            Piece::Claim(c) => claim(&mut out, &c),
        }
    }
    let _ = writeln!(
        out,
        "Made by parallax {} on {}. Sentences are their publishers’.",
        escaped(&input.run.version),
        escaped(&input.generated)
    );
    Ok(out)
}

fn table(out: &mut String, table: &Table) {
    let row = |out: &mut String, cells: &[String]| {
        let cells: Vec<String> = cells.iter().map(|c| escaped(c)).collect();
        let _ = writeln!(out, "| {} |", cells.join(" | "));
    };
    row(out, &table.head);
    let _ = writeln!(out, "|{}", " --- |".repeat(table.head.len()));
    table.rows.iter().for_each(|r| row(out, r));
    out.push('\n');
}

fn claim(out: &mut String, claim: &ClaimPiece) {
    let _ = writeln!(out, "#### {}\n", escaped(&claim.wording));
    let _ = writeln!(out, "{}\n", escaped(&claim.about.join(". ")));
    let _ = writeln!(out, "| Outlet | Label | Sentence |\n| --- | --- | --- |");
    for (outlet, label, words) in &claim.lines {
        let words: String = words
            .iter()
            .map(|(text, marked)| {
                let (core, text) = (text.trim(), escaped(text));
                // Markdown takes no space inside the marks of strong text.
                if *marked && !core.is_empty() {
                    text.replacen(&escaped(core), &format!("**{}**", escaped(core)), 1)
                } else {
                    text
                }
            })
            .collect();
        let _ = writeln!(out, "| {} | {} | {words} |", escaped(outlet), escaped(label));
    }
    if !claim.absent.is_empty() {
        let _ = writeln!(out, "\nAbsent in {}.", escaped(&claim.absent.join(", ")));
    }
    out.push('\n');
}

/// Text with everything escaped that Markdown or HTML would read as markup.
fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for (i, c) in text.chars().enumerate() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '\\' | '`' | '*' | '_' | '[' | ']' | '|' | '~' | '$' => {
                out.push('\\');
                out.push(c);
            }
            '#' | '+' | '-' | '=' | '!' if i == 0 => {
                out.push('\\');
                out.push(c);
            }
            c if c.is_control() => out.push(' '),
            c => out.push(c),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_text_becomes_markup() {
        assert_eq!(
            escaped("<img src=x> [a](javascript:b) | **c** `d`\n# e"),
            "&lt;img src=x&gt; \\[a\\](javascript:b) \\| \\*\\*c\\*\\* \\`d\\` # e"
        );
        assert_eq!(escaped("# a - b"), "\\# a - b");
    }
}
