//! Where encoded rows go: one file for each format.

mod csv;
mod jsonl;
mod parquet;

use std::io::{self, Write};

use arrow::{array::RecordBatch, datatypes::SchemaRef};

use super::Format;

/// What a sink can run into: the disk, or the format's own library.
#[derive(Debug)]
pub(super) enum SinkError {
    /// The disk; the kind is kept, so that a full disk is told apart.
    Io(io::Error),
    /// Anything else, in the library's words.
    Encoding(String),
}

impl From<io::Error> for SinkError {
    fn from(e: io::Error) -> Self {
        SinkError::Io(e)
    }
}

/// Takes batches of one schema and writes them in one format.
pub(super) trait Sink: Send {
    /// Writes a batch.
    fn write(&mut self, batch: &RecordBatch) -> Result<(), SinkError>;
    /// Writes what is still held back and the format's ending, if it has one.
    fn finish(self: Box<Self>) -> Result<(), SinkError>;
}

/// A sink of a format over `out`.
pub(super) fn open(
    format: Format,
    schema: &SchemaRef,
    out: impl Write + Send + 'static,
) -> Result<Box<dyn Sink>, SinkError> {
    Ok(match format {
        Format::Parquet => Box::new(parquet::ParquetSink::new(schema, out)?),
        Format::Csv => Box::new(csv::CsvSink::new(schema, out)?),
        Format::Jsonl => Box::new(jsonl::JsonlSink::new(out)),
    })
}
