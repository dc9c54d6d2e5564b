//! The report for a terminal: the same figures, as far as a screen or two can hold them.

use super::context::Context;
use super::pieces::{ClaimPiece, Extent, Piece, Table, pieces};
use super::{ReportInput, check};
use crate::error::Result;

/// How much the terminal says.
const EXTENT: Extent = Extent { claims: 5, differences: 12, words: 5, method: false };

/// Draws a summary of the report in `width` columns. `styled` sets headings and the words that
/// differ in bold by ANSI escapes; without it the text is plain, for pipes and files.
///
/// Control characters of articles do not reach the terminal.
///
/// # Errors
/// If the input names no outlets.
pub fn terminal(input: &ReportInput, width: usize, styled: bool) -> Result<String> {
    check(input)?;
    let mut page = Screen { out: String::new(), width: width.clamp(40, 400), styled };
    for piece in pieces(&Context::new(input)?, EXTENT) {
        match piece {
            Piece::Heading(level, text) => page.heading(level, &text),
            Piece::Text(text) if text.is_empty() => {}
            Piece::Text(text) => page.wrapped(&[(text, false)], "", ""),
            Piece::Table(t) => page.table(&t),
            Piece::Claim(c) => page.claim(&c),
        }
    }
    Ok(page.out)
}

struct Screen {
    out: String,
    width: usize,
    styled: bool,
}

impl Screen {
    fn line(&mut self, text: &str) {
        self.out.push_str(text.trim_end());
        self.out.push('\n');
    }

    fn bold(&self, text: &str) -> String {
        if self.styled { format!("\u{1b}[1m{text}\u{1b}[0m") } else { text.to_owned() }
    }

    fn heading(&mut self, level: usize, text: &str) {
        if !self.out.is_empty() {
            self.out.push('\n');
        }
        let shown = self.bold(text);
        self.line(&shown);
        if level < 3 && !self.styled {
            self.line(&"-".repeat(text.chars().count().min(self.width)));
        }
    }

    /// Words from left to right, broken between words; the first line begins with `first`, the
    /// others with `later`.
    fn wrapped(&mut self, pieces: &[(String, bool)], first: &str, later: &str) {
        let (mut line, mut at, mut fresh) = (first.to_owned(), first.chars().count(), true);
        let mut glued = true;
        for (text, marked) in pieces {
            glued = glued && !text.starts_with(char::is_whitespace);
            for word in text.split_whitespace() {
                let length = word.chars().count();
                let space = usize::from(!fresh && !glued);
                if !fresh && !glued && at + space + length > self.width {
                    self.line(&line);
                    (line, at, fresh) = (later.to_owned(), later.chars().count(), true);
                }
                if !fresh && !glued {
                    line.push(' ');
                    at += 1;
                }
                line.push_str(&if *marked { self.bold(word) } else { word.to_owned() });
                (at, fresh, glued) = (at + length, false, false);
            }
            glued = !text.ends_with(char::is_whitespace) && !fresh;
        }
        self.line(&line);
    }

    /// A table in columns; one that is too wide is cut into several below one another.
    fn table(&mut self, table: &Table) {
        let wide = |i: usize| {
            let cells = table.rows.iter().filter_map(|r| r.get(i)).chain(table.head.get(i));
            cells.map(|c| c.chars().count()).max().unwrap_or(0)
        };
        let widths: Vec<usize> = (0..table.head.len()).map(wide).collect();
        let first = widths.first().copied().unwrap_or(0);
        let mut from = 1;
        while from < widths.len() {
            let mut used = first;
            let more = widths.iter().skip(from).take_while(|w| {
                used += *w + 2;
                used <= self.width
            });
            let to = from + more.count().max(1);
            for (i, row) in std::iter::once(&table.head).chain(&table.rows).enumerate() {
                let mut line = String::new();
                for column in std::iter::once(0).chain(from..to) {
                    let cell = row.get(column).map_or("", String::as_str);
                    let width = widths.get(column).copied().unwrap_or(0);
                    let pad = " ".repeat(width.saturating_sub(cell.chars().count()) + 2);
                    line.push_str(&if i == 0 { self.bold(cell) } else { cell.to_owned() });
                    line.push_str(&pad);
                }
                self.line(&line);
            }
            from = to;
        }
    }

    fn claim(&mut self, claim: &ClaimPiece) {
        self.out.push('\n');
        self.wrapped(&[(claim.wording.clone(), true)], "* ", "  ");
        self.wrapped(&[(claim.about.join(". "), false)], "  ", "  ");
        let wide = claim.lines.iter().map(|(o, ..)| o.chars().count()).max().unwrap_or(0).min(24);
        for (outlet, label, words) in &claim.lines {
            let first = format!("  {outlet:wide$}  {label:11}  ");
            self.wrapped(words, &first, &" ".repeat(wide + 17));
        }
        if !claim.absent.is_empty() {
            let absent = format!("Absent in {}.", claim.absent.join(", "));
            self.wrapped(&[(absent, false)], "  ", "  ");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn screen(width: usize) -> Screen {
        Screen { out: String::new(), width, styled: false }
    }

    #[test]
    fn breaks_between_words_and_joins_pieces_as_they_stood() {
        let mut s = screen(20);
        let pieces = [("They ".to_owned(), false), ("claimed".to_owned(), true)];
        let pieces = [&pieces[..], &[(", he said, that it rained".to_owned(), false)]].concat();
        s.wrapped(&pieces, "- ", "  ");
        assert_eq!(s.out, "- They claimed, he\n  said, that it\n  rained\n");
    }

    #[test]
    fn cuts_wide_tables() {
        let mut s = screen(12);
        let row = |c: &str| vec![c.to_owned(); 4];
        s.table(&Table { head: row("head"), rows: vec![row("a")] });
        assert!(s.out.lines().all(|l| l.chars().count() <= 12), "{}", s.out);
        assert_eq!(s.out.lines().count(), 6);
    }
}
