//! One JSON object a line; every line has every key, nulls included.

use std::io::{BufWriter, Write};

use arrow::{
    array::RecordBatch,
    error::ArrowError,
    json::{WriterBuilder, writer::LineDelimited},
};

use super::{Sink, SinkError};

pub(super) struct JsonlSink<W: Write>(arrow::json::Writer<BufWriter<W>, LineDelimited>);

impl From<ArrowError> for SinkError {
    fn from(e: ArrowError) -> Self {
        match e {
            ArrowError::IoError(_, io) => SinkError::Io(io),
            other => SinkError::Encoding(other.to_string()),
        }
    }
}

impl<W: Write> JsonlSink<W> {
    pub(super) fn new(out: W) -> Self {
        Self(WriterBuilder::new().with_explicit_nulls(true).build(BufWriter::new(out)))
    }
}

impl<W: Write + Send> Sink for JsonlSink<W> {
    fn write(&mut self, batch: &RecordBatch) -> Result<(), SinkError> {
        Ok(self.0.write(batch)?)
    }

    fn finish(mut self: Box<Self>) -> Result<(), SinkError> {
        self.0.finish()?;
        Ok(self.0.get_mut().flush()?)
    }
}
