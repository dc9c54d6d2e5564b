//! Parquet: zstd, row groups of bounded size, the schema's metadata in the footer.

use std::io::{self, Write};

use arrow::{array::RecordBatch, datatypes::SchemaRef};
use parquet::{
    arrow::{ArrowSchemaConverter, ArrowWriter},
    basic::{Compression, Type, ZstdLevel},
    errors::ParquetError,
    file::{metadata::KeyValue, properties::WriterProperties},
};

use super::{Sink, SinkError};

/// A row group is held in memory until it is full: whichever limit comes first.
const MAX_ROWS_IN_GROUP: usize = 1 << 16;
const MAX_BYTES_IN_GROUP: usize = 64 << 20;

pub(super) struct ParquetSink<W: Write + Send>(ArrowWriter<W>);

impl From<ParquetError> for SinkError {
    fn from(e: ParquetError) -> Self {
        match e {
            ParquetError::External(inner) => match inner.downcast::<io::Error>() {
                Ok(io) => SinkError::Io(*io),
                Err(other) => SinkError::Encoding(other.to_string()),
            },
            other => SinkError::Encoding(other.to_string()),
        }
    }
}

impl<W: Write + Send> ParquetSink<W> {
    pub(super) fn new(schema: &SchemaRef, out: W) -> Result<Self, SinkError> {
        let mut metadata: Vec<KeyValue> = schema
            .metadata()
            .iter()
            .map(|(key, value)| KeyValue::new(key.clone(), value.clone()))
            .collect();
        metadata.sort_by(|a, b| a.key.cmp(&b.key));
        let level = ZstdLevel::try_new(3)?;
        let mut properties = WriterProperties::builder()
            .set_compression(Compression::ZSTD(level))
            .set_max_row_group_row_count(Some(MAX_ROWS_IN_GROUP))
            .set_max_row_group_bytes(Some(MAX_BYTES_IN_GROUP))
            .set_key_value_metadata(Some(metadata));
        // Hardly two probabilities are equal: a dictionary of them would only take memory until
        // the row group is full, a megabyte or two a column.
        for column in ArrowSchemaConverter::new().convert(schema)?.columns() {
            if matches!(column.physical_type(), Type::FLOAT | Type::FIXED_LEN_BYTE_ARRAY) {
                properties = properties.set_column_dictionary_enabled(column.path().clone(), false);
            }
        }
        Ok(Self(ArrowWriter::try_new(out, schema.clone(), Some(properties.build()))?))
    }
}

impl<W: Write + Send> Sink for ParquetSink<W> {
    fn write(&mut self, batch: &RecordBatch) -> Result<(), SinkError> {
        Ok(self.0.write(batch)?)
    }

    fn finish(mut self: Box<Self>) -> Result<(), SinkError> {
        // Not `into_inner`, which forgets what kind of error the disk gave.
        self.0.finish()?;
        Ok(())
    }
}
