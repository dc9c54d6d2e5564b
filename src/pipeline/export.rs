//! The tables of a folder in other forms.

use std::fs::File;
use std::io::BufWriter;
use std::path::{Path, PathBuf};

use arrow::array::RecordBatch;
use arrow::datatypes::{DataType, SchemaRef};
use arrow::util::display::{ArrayFormatter, FormatOptions};
use rusqlite::types::{ToSqlOutput, Value, ValueRef};
use rust_xlsxwriter::{Format as CellFormat, Workbook, Worksheet};

use super::read::batches;
use crate::error::{Error, Result};
use crate::scoring::tables::{Format, copy_table};

/// A form that tables are exported to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ExportFormat {
    /// Comma-separated values, one file a table. Cells that a spreadsheet would run as a formula
    /// get a leading apostrophe.
    Csv,
    /// One JSON object a line, one file a table.
    Jsonl,
    /// Parquet, one file a table.
    Parquet,
    /// Arrow's file format (Feather version 2), one file a table.
    Arrow,
    /// An Excel workbook with a sheet for each table.
    Xlsx,
    /// An SQLite database with its tables.
    Sqlite,
}

impl ExportFormat {
    /// The file name's ending.
    pub fn extension(self) -> &'static str {
        match self {
            ExportFormat::Csv => "csv",
            ExportFormat::Jsonl => "jsonl",
            ExportFormat::Parquet => "parquet",
            ExportFormat::Arrow => "arrow",
            ExportFormat::Xlsx => "xlsx",
            ExportFormat::Sqlite => "sqlite",
        }
    }

    /// Whether all tables go into one file.
    pub fn is_one_file(self) -> bool {
        matches!(self, ExportFormat::Xlsx | ExportFormat::Sqlite)
    }
}

/// The names of the tables in a folder, in the order of their names.
///
/// # Errors
/// If the folder cannot be read, or holds no Parquet table.
pub fn tables(dir: &Path) -> Result<Vec<String>> {
    let mut names = Vec::new();
    for entry in std::fs::read_dir(dir).map_err(|e| Error::io(dir, e))? {
        let path = entry.map_err(|e| Error::io(dir, e))?.path();
        let parquet = path.extension().is_some_and(|e| e == "parquet") && path.is_file();
        let stem = path.file_stem().and_then(|s| s.to_str());
        names.extend(stem.filter(|s| parquet && !s.starts_with('.')).map(str::to_owned));
    }
    names.sort();
    if names.is_empty() {
        return Err(Error::input(dir.display(), "it holds no tables (no Parquet file)")
            .with_hint("make them with `parallax score` or `parallax compare`"));
    }
    Ok(names)
}

/// Writes tables of the folder `dir` in another form: into the folder `out`, or, for a form that
/// holds all in one file, to the file `out`. Returns the files written and what a reader of them
/// should know. Each file appears whole or not at all.
///
/// # Errors
/// If a table is not there or cannot be read, does not fit into the form, or the files cannot be
/// written.
pub fn export_tables(
    dir: &Path,
    names: &[String],
    format: ExportFormat,
    out: &Path,
) -> Result<(Vec<PathBuf>, Vec<String>)> {
    let there = tables(dir)?;
    if let Some(missing) = names.iter().find(|n| !there.contains(n)) {
        return Err(Error::setting(format!("{} holds no table {missing:?}", dir.display()))
            .with_hint(format!("it holds {}", there.join(", "))));
    }
    let source = |name: &String| dir.join(format!("{name}.parquet"));
    let home = if format.is_one_file() {
        out.parent().filter(|p| !p.as_os_str().is_empty()).unwrap_or(Path::new("."))
    } else {
        out
    };
    std::fs::create_dir_all(home).map_err(|e| Error::io(home, e))?;
    if same_folder(dir, home) && format == ExportFormat::Parquet {
        return Err(Error::setting("the tables are there as Parquet already")
            .with_hint("give another folder with --out"));
    }
    let copy = |format: Format| -> Result<Vec<PathBuf>> {
        names.iter().map(|n| copy_table(&source(n), home, n, format)).collect()
    };
    Ok(match format {
        ExportFormat::Csv => (copy(Format::Csv)?, Vec::new()),
        ExportFormat::Jsonl => (copy(Format::Jsonl)?, Vec::new()),
        ExportFormat::Parquet => (copy(Format::Parquet)?, Vec::new()),
        ExportFormat::Arrow => {
            let files: Result<Vec<PathBuf>> = names
                .iter()
                .map(|n| arrow_file(&source(n), &home.join(format!("{n}.arrow"))))
                .collect();
            (files?, Vec::new())
        }
        ExportFormat::Xlsx => {
            let tables: Vec<_> = names.iter().map(|n| (n.as_str(), source(n))).collect();
            let notes = workbook(&tables, out)?;
            (vec![out.to_owned()], notes)
        }
        ExportFormat::Sqlite => {
            let tables: Vec<_> = names.iter().map(|n| (n.as_str(), source(n))).collect();
            database(&tables, out)?;
            (vec![out.to_owned()], Vec::new())
        }
    })
}

fn same_folder(a: &Path, b: &Path) -> bool {
    a.canonicalize().ok().zip(b.canonicalize().ok()).is_some_and(|(a, b)| a == b)
}

/// A file that gets its name when it is whole.
fn temporary(path: &Path) -> Result<tempfile::NamedTempFile> {
    let dir = path.parent().filter(|p| !p.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let mut builder = tempfile::Builder::new();
    builder.prefix(".export-").suffix(".tmp");
    #[cfg(unix)]
    builder.permissions(std::os::unix::fs::PermissionsExt::from_mode(0o666));
    builder.tempfile_in(dir).map_err(|e| Error::io(path, e))
}

fn persist(file: tempfile::NamedTempFile, path: &Path) -> Result<()> {
    file.as_file().sync_all().map_err(|e| Error::io(path, e))?;
    file.persist(path).map_err(|e| Error::io(path, e.error))?;
    Ok(())
}

fn arrow_file(source: &Path, path: &Path) -> Result<PathBuf> {
    let file = temporary(path)?;
    let failed = |e: arrow::error::ArrowError| Error::table(path.display(), e);
    let reader = batches(source)?;
    let schema: SchemaRef = arrow::array::RecordBatchReader::schema(&reader);
    let out: BufWriter<&File> = BufWriter::new(file.as_file());
    let mut writer = arrow::ipc::writer::FileWriter::try_new(out, &schema).map_err(failed)?;
    for batch in reader {
        writer.write(&batch.map_err(failed)?).map_err(failed)?;
    }
    writer.finish().map_err(failed)?;
    drop(writer);
    persist(file, path)?;
    Ok(path.to_owned())
}

// --- cells ---------------------------------------------------------------------------

/// A cell as the forms with few types take it.
#[derive(Debug, Clone, PartialEq)]
enum Cell {
    Null,
    Number(f64),
    Whole(i64),
    Bool(bool),
    Text(String),
}

/// The cells of a batch, column by column. Lists of text are joined by `;`, other nested values
/// are written as JSON.
fn columns(batch: &RecordBatch) -> std::result::Result<Vec<Vec<Cell>>, String> {
    batch.columns().iter().map(|c| column(c)).collect()
}

fn column(array: &arrow::array::ArrayRef) -> std::result::Result<Vec<Cell>, String> {
    use arrow::array::AsArray;
    use arrow::datatypes as t;
    let options = FormatOptions::default();
    let shown = ArrayFormatter::try_new(array.as_ref(), &options).map_err(|e| e.to_string())?;
    let number = |x: f64| if x.is_finite() { Cell::Number(x) } else { Cell::Null };
    let cell = |i: usize| -> std::result::Result<Cell, String> {
        Ok(match array.data_type() {
            _ if array.is_null(i) => Cell::Null,
            DataType::Utf8 => Cell::Text(array.as_string::<i32>().value(i).to_owned()),
            DataType::Boolean => Cell::Bool(array.as_boolean().value(i)),
            DataType::Float32 => number(f64::from(array.as_primitive::<t::Float32Type>().value(i))),
            DataType::Float64 => number(array.as_primitive::<t::Float64Type>().value(i)),
            DataType::Int32 => Cell::Whole(array.as_primitive::<t::Int32Type>().value(i).into()),
            DataType::Int64 => Cell::Whole(array.as_primitive::<t::Int64Type>().value(i)),
            DataType::UInt32 => Cell::Whole(array.as_primitive::<t::UInt32Type>().value(i).into()),
            DataType::List(field) if field.data_type() == &DataType::Utf8 => {
                let values = array.as_list::<i32>().value(i);
                let texts: Vec<&str> = values.as_string::<i32>().iter().flatten().collect();
                Cell::Text(texts.join(";"))
            }
            DataType::List(_) | DataType::Struct(_) => Cell::Text(json_of(&array.slice(i, 1))?),
            _ => Cell::Text(shown.value(i).try_to_string().map_err(|e| e.to_string())?),
        })
    };
    (0..array.len()).map(cell).collect()
}

/// A nested value as JSON.
fn json_of(one: &arrow::array::ArrayRef) -> std::result::Result<String, String> {
    let field = arrow::datatypes::Field::new("v", one.data_type().clone(), true);
    let schema = std::sync::Arc::new(arrow::datatypes::Schema::new(vec![field]));
    let batch =
        RecordBatch::try_new(schema, vec![std::sync::Arc::clone(one)]).map_err(|e| e.to_string())?;
    let mut writer = arrow::json::LineDelimitedWriter::new(Vec::new());
    writer.write(&batch).and_then(|()| writer.finish()).map_err(|e| e.to_string())?;
    let line: serde_json::Value =
        serde_json::from_slice(&writer.into_inner()).map_err(|e| e.to_string())?;
    Ok(line.get("v").cloned().unwrap_or_default().to_string())
}

// --- Excel ---------------------------------------------------------------------------

/// Excel's limits.
const MOST_ROWS: u32 = 1_048_576;
const MOST_COLUMNS: u16 = 16_384;
const MOST_CHARACTERS: usize = 32_767;
const MOST_NAME: usize = 31;

/// Writes a workbook; returns what was cut.
fn workbook(tables: &[(&str, PathBuf)], path: &Path) -> Result<Vec<String>> {
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

fn worksheet(
    sheet: &mut Worksheet,
    name: &str,
    source: &Path,
    path: &Path,
) -> Result<Vec<String>> {
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

// --- SQLite --------------------------------------------------------------------------

fn database(tables: &[(&str, PathBuf)], path: &Path) -> Result<()> {
    let failed = |e: rusqlite::Error| Error::table(path.display(), e);
    let file = temporary(path)?;
    {
        let mut db = rusqlite::Connection::open(file.path()).map_err(failed)?;
        // The file is thrown away if the program ends early, so no journal is needed.
        db.pragma_update(None, "journal_mode", "OFF").map_err(failed)?;
        db.pragma_update(None, "synchronous", "OFF").map_err(failed)?;
        for (name, source) in tables {
            let all = db.transaction().map_err(failed)?;
            table(&all, name, source, path)?;
            all.commit().map_err(failed)?;
        }
        db.close().map_err(|(_, e)| failed(e))?;
    }
    persist(file, path)
}

fn table(db: &rusqlite::Connection, name: &str, source: &Path, path: &Path) -> Result<()> {
    let failed = |e: rusqlite::Error| Error::table(path.display(), e);
    let reader = batches(source)?;
    let schema: SchemaRef = arrow::array::RecordBatchReader::schema(&reader);
    let quoted = |name: &str| format!("\"{}\"", name.replace('"', "\"\""));
    let kind = |kind: &DataType| match kind {
        DataType::Float32 | DataType::Float64 => "REAL",
        DataType::Boolean => "INTEGER",
        kind if kind.is_integer() => "INTEGER",
        _ => "TEXT",
    };
    let declared: Vec<String> = schema
        .fields()
        .iter()
        .map(|f| format!("{} {}", quoted(f.name()), kind(f.data_type())))
        .collect();
    let table = quoted(name);
    db.execute(&format!("CREATE TABLE {table} ({})", declared.join(", ")), []).map_err(failed)?;
    let places = vec!["?"; declared.len()].join(", ");
    let mut insert =
        db.prepare(&format!("INSERT INTO {table} VALUES ({places})")).map_err(failed)?;
    for batch in reader {
        let batch = batch.map_err(|e| Error::table(source.display(), e))?;
        let columns = columns(&batch).map_err(|e| Error::table(source.display(), e))?;
        for i in 0..batch.num_rows() {
            let row = columns.iter().map(|c| c.get(i).unwrap_or(&Cell::Null));
            insert.execute(rusqlite::params_from_iter(row)).map_err(failed)?;
        }
    }
    for key in ["article_id", "outlet"] {
        if schema.field_with_name(key).is_ok() {
            let index = quoted(&format!("{name}_{key}"));
            db.execute(&format!("CREATE INDEX {index} ON {table} ({})", quoted(key)), [])
                .map_err(failed)?;
        }
    }
    Ok(())
}

impl rusqlite::ToSql for Cell {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        Ok(match self {
            Cell::Null => ToSqlOutput::Owned(Value::Null),
            Cell::Number(x) => ToSqlOutput::Owned(Value::Real(*x)),
            Cell::Whole(n) => ToSqlOutput::Owned(Value::Integer(*n)),
            Cell::Bool(b) => ToSqlOutput::Owned(Value::Integer((*b).into())),
            Cell::Text(t) => ToSqlOutput::Borrowed(ValueRef::Text(t.as_bytes())),
        })
    }
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
