//! Tables as an Excel workbook, a sheet for each.

use std::io::BufWriter;
use std::path::{Path, PathBuf};

use arrow::datatypes::SchemaRef;
use rust_xlsxwriter::{Format as CellFormat, Workbook, Worksheet};

use super::super::read::batches;
use super::cells::{Cell, columns};
use super::{persist, temporary};
use crate::error::{Error, Result};

/// Excel's limits.
const MOST_ROWS: u32 = 1_048_576;
const MOST_COLUMNS: u16 = 16_384;
const MOST_CHARACTERS: usize = 32_767;
const MOST_NAME: usize = 31;

/// Writes a workbook; returns what was cut.
pub(super) fn workbook(tables: &[(&str, PathBuf)], path: &Path) -> Result<Vec<String>> {
    let failed = |e: rust_xlsxwriter::XlsxError| Error::table(path.display(), e);
    let mut book = Workbook::new();
    let mut notes = Vec::new();
    for (name, source) in tables {
        // Rows go to a temporary file as they are written, so that memory stays bounded.
        let sheet = book.add_worksheet_with_constant_memory().map_err(failed)?;
        let title: String = name.chars().take(MOST_NAME).collect();
        sheet.set_name(title).map_err(failed)?;
        notes.extend(worksheet(sheet, name, source, path)?);
    }
    let file = temporary(path)?;
    book.save_to_writer(BufWriter::new(file.as_file())).map_err(failed)?;
    persist(file, path)?;
    Ok(notes)
}

fn worksheet(sheet: &mut Worksheet, name: &str, source: &Path, path: &Path) -> Result<Vec<String>> {
    let failed = |e: rust_xlsxwriter::XlsxError| Error::table(path.display(), e);
    let bold = CellFormat::new().set_bold();
    // Text stays text; the mark keeps it so when someone edits the cell.
    let text = CellFormat::new().set_quote_prefix();
    let reader = batches(source)?;
    let schema: SchemaRef = arrow::array::RecordBatchReader::schema(&reader);
    if schema.fields().len() > usize::from(MOST_COLUMNS) {
        let message = format!("{name} has more columns than a sheet ({MOST_COLUMNS})");
        return Err(Error::setting(message).with_hint("use another --format"));
    }
    sheet.set_freeze_panes(1, 0).map_err(failed)?;
    for (i, field) in (0u16..).zip(schema.fields()) {
        sheet.write_string_with_format(0, i, field.name(), &bold).map_err(failed)?;
    }
    let (mut row, mut cut, mut left_out) = (1u32, 0u64, 0u64);
    for batch in reader {
        let batch = batch.map_err(|e| Error::table(source.display(), e))?;
        let columns = columns(&batch).map_err(|e| Error::table(source.display(), e))?;
        for i in 0..batch.num_rows() {
            if row >= MOST_ROWS {
                left_out += 1;
                continue;
            }
            for (at, cells) in (0u16..).zip(&columns) {
                match cells.get(i).unwrap_or(&Cell::Null) {
                    Cell::Null => continue,
                    Cell::Number(x) => sheet.write_number(row, at, *x),
                    // A number of Excel's has 53 bits.
                    Cell::Whole(n) if n.unsigned_abs() < 1 << 53 => {
                        sheet.write_number(row, at, *n as f64)
                    }
                    Cell::Whole(n) => sheet.write_string(row, at, n.to_string()),
                    Cell::Bool(b) => sheet.write_boolean(row, at, *b),
                    Cell::Text(t) => {
                        let (t, shortened) = fitting(t);
                        cut += u64::from(shortened);
                        if like_formula(t) {
                            sheet.write_string_with_format(row, at, t, &text)
                        } else {
                            sheet.write_string(row, at, t)
                        }
                    }
                }
                .map_err(failed)?;
            }
            row += 1;
        }
    }
    let mut notes = Vec::new();
    if left_out > 0 {
        notes.push(format!(
            "{name}: a sheet holds {MOST_ROWS} rows; {left_out} rows were left out. Export as \
             sqlite, csv or parquet to have all"
        ));
    }
    if cut > 0 {
        notes.push(format!(
            "{name}: a cell holds {MOST_CHARACTERS} characters; {cut} texts were cut"
        ));
    }
    Ok(notes)
}

/// The part of a text that fits a cell. Excel counts UTF-16 units.
fn fitting(text: &str) -> (&str, bool) {
    let mut units = 0;
    for (at, c) in text.char_indices() {
        units += c.len_utf16();
        if units > MOST_CHARACTERS {
            return (text.get(..at).unwrap_or_default(), true);
        }
    }
    (text, false)
}

/// Whether a spreadsheet could take the text for a formula.
fn like_formula(text: &str) -> bool {
    text.starts_with(['=', '+', '-', '@', '\t', '\r', '\n'])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cell_is_cut_between_characters() {
        let long = "é😀".repeat(20_000);
        let (cut, shortened) = fitting(&long);
        assert!(shortened && cut.encode_utf16().count() <= MOST_CHARACTERS);
        assert!(cut.encode_utf16().count() > MOST_CHARACTERS - 2);
        assert_eq!(fitting("short"), ("short", false));
    }
}
