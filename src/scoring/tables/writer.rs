//! Writing a table: whole or not at all.

use std::path::{Path, PathBuf};

use arrow::{
    array::{RecordBatch, RecordBatchReader},
    datatypes::SchemaRef,
};
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use tempfile::NamedTempFile;

use super::{
    Format, TableRow,
    sink::{self, Sink, SinkError},
};
use crate::error::{Error, Result};

/// A batch is cut at so many rows …
const MAX_BATCH_ROWS: usize = 8192;
/// … or so many bytes of text, whichever comes first.
const MAX_BATCH_BYTES: usize = 32 << 20;
/// A row with more text than this cannot be told in 32-bit offsets.
const MAX_ROW_BYTES: usize = 1 << 30;

/// Writes the rows of one table into one file.
///
/// The rows go to a temporary file in the same folder, which [`finish`](Self::finish)
/// brings to disk and renames; so the file is there whole or not at all, and a writer
/// that is dropped unfinished leaves nothing behind.
pub struct TableWriter<T: TableRow> {
    path: PathBuf,
    file: NamedTempFile,
    sink: Box<dyn Sink>,
    schema: SchemaRef,
    layout: T::Layout,
}

impl<T: TableRow> TableWriter<T> {
    /// Starts the table `NAME.FORMAT` in the folder `dir`, which must exist.
    ///
    /// # Errors
    /// If the folder cannot be written to, or `schema` was not made for this row type.
    pub fn create(dir: &Path, name: &str, schema: SchemaRef, format: Format) -> Result<Self> {
        let layout = T::layout(&schema)?;
        let (path, file, sink) = open(dir, name, &schema, format)?;
        Ok(Self { path, file, sink, schema, layout })
    }

    /// Appends rows.
    ///
    /// # Errors
    /// If a row does not fit the schema, or the disk is full or fails.
    pub fn write(&mut self, rows: &[T]) -> Result<()> {
        let mut rest = rows;
        while !rest.is_empty() {
            let (batch, later) = rest.split_at(batch_length(rest));
            self.write_batch(batch)?;
            rest = later;
        }
        Ok(())
    }

    fn write_batch(&mut self, rows: &[T]) -> Result<()> {
        if rows.iter().any(|row| row.text_bytes() > MAX_ROW_BYTES) {
            return Err(Error::table(self.path.display(), "a row holds more than 1 GB of text"));
        }
        let columns = T::encode(rows, &self.layout)
            .map_err(|message| Error::table(self.path.display(), message))?;
        let batch = RecordBatch::try_new(self.schema.clone(), columns)
            .map_err(|e| Error::table(self.path.display(), e))?;
        self.sink.write(&batch).map_err(|e| at(&self.path, e))
    }

    /// Ends the table, brings it to disk and gives it its name; returns the path.
    /// A file of that name is replaced.
    ///
    /// # Errors
    /// If the disk is full or fails; the temporary file is removed then.
    pub fn finish(self) -> Result<PathBuf> {
        close(self.path, self.file, self.sink)
    }
}

/// Writes a Parquet table of any columns in another format: the table `NAME.FORMAT` in the
/// folder `dir`, whole or not at all. Returns its path.
///
/// # Errors
/// If the table cannot be read, has a column that the format has no form for, or the file cannot
/// be written.
pub fn copy_table(source: &Path, dir: &Path, name: &str, format: Format) -> Result<PathBuf> {
    let failed = |e: String| Error::table(source.display(), e);
    let file = std::fs::File::open(source).map_err(|e| Error::io(source, e))?;
    let reader = ParquetRecordBatchReaderBuilder::try_new(file)
        .and_then(|builder| builder.with_batch_size(MAX_BATCH_ROWS).build())
        .map_err(|e| failed(e.to_string()))?;
    let (path, file, mut sink) = open(dir, name, &reader.schema(), format)?;
    for batch in reader {
        let batch = batch.map_err(|e| failed(e.to_string()))?;
        sink.write(&batch).map_err(|e| at(&path, e))?;
    }
    close(path, file, sink)
}

type Open = (PathBuf, NamedTempFile, Box<dyn Sink>);

/// Starts a table's temporary file.
fn open(dir: &Path, name: &str, schema: &SchemaRef, format: Format) -> Result<Open> {
    let path = dir.join(format!("{name}.{format}"));
    let mut builder = tempfile::Builder::new();
    let prefix = format!(".{name}.{format}.");
    builder.prefix(&prefix).suffix(".tmp");
    // Temporary files are private by default; a table is as readable as any other file.
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        builder.permissions(std::fs::Permissions::from_mode(0o666));
    }
    let file = builder.tempfile_in(dir).map_err(|e| Error::io(dir, unwrapped(e)))?;
    let out = file.as_file().try_clone().map_err(|e| Error::io(&path, e))?;
    let sink = sink::open(format, schema, out).map_err(|e| at(&path, e))?;
    Ok((path, file, sink))
}

/// Ends a table, brings it to disk and gives it its name.
fn close(path: PathBuf, file: NamedTempFile, sink: Box<dyn Sink>) -> Result<PathBuf> {
    sink.finish().map_err(|e| at(&path, e))?;
    file.as_file().sync_all().map_err(|e| Error::io(&path, e))?;
    file.persist(&path).map_err(|e| Error::io(&path, e.error))?;
    Ok(path)
}

/// How many of the first rows make a batch: at least one.
fn batch_length<T: TableRow>(rows: &[T]) -> usize {
    let mut bytes = 0;
    let fits = rows.iter().take(MAX_BATCH_ROWS).take_while(|row| {
        bytes += row.text_bytes();
        bytes <= MAX_BATCH_BYTES
    });
    fits.count().max(1)
}

/// `tempfile` adds the path to the message, and so do we: once is enough.
fn unwrapped(e: std::io::Error) -> std::io::Error {
    e.raw_os_error().map_or_else(|| e.kind().into(), std::io::Error::from_raw_os_error)
}

fn at(path: &Path, e: SinkError) -> Error {
    match e {
        SinkError::Io(source) => Error::io(path, source),
        SinkError::Encoding(message) => Error::table(path.display(), message),
    }
}
