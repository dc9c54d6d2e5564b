//! The tables of a folder in other forms.

mod cells;
mod sqlite;
mod xlsx;

use std::fs::File;
use std::io::BufWriter;
use std::path::{Path, PathBuf};

use arrow::datatypes::SchemaRef;

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
            let notes = xlsx::workbook(&tables, out)?;
            (vec![out.to_owned()], notes)
        }
        ExportFormat::Sqlite => {
            let tables: Vec<_> = names.iter().map(|n| (n.as_str(), source(n))).collect();
            sqlite::database(&tables, out)?;
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
