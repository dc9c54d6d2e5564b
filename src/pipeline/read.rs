//! Reading any table back into rows that can be deserialised.

use std::fs::File;
use std::path::Path;

use arrow::array::RecordBatch;
use arrow::json::{WriterBuilder, writer::JsonArray};
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use serde::de::DeserializeOwned;

use crate::error::{Error, Result};

/// Rows that are read at a time.
const BATCH_ROWS: usize = 4096;

/// The batches of a Parquet file.
///
/// # Errors
/// If it cannot be opened, or is no Parquet file.
pub(super) fn batches(
    path: &Path,
) -> Result<parquet::arrow::arrow_reader::ParquetRecordBatchReader> {
    let file = File::open(path).map_err(|e| Error::io(path, e))?;
    let failed = |e| Error::table(path.display(), e);
    let builder = ParquetRecordBatchReaderBuilder::try_new(file).map_err(failed)?;
    builder.with_batch_size(BATCH_ROWS).build().map_err(failed)
}

/// The rows of a Parquet file, a few thousand at a time; columns that `T` does not know are left
/// out.
///
/// # Errors
/// If it cannot be opened; each batch, if it has not the columns that `T` needs.
pub(super) fn read_rows<T: DeserializeOwned>(
    path: &Path,
) -> Result<impl Iterator<Item = Result<Vec<T>>> + use<T>> {
    let place = path.display().to_string();
    Ok(batches(path)?.map(move |batch| {
        let failed = |e: String| Error::table(&place, e);
        let batch = batch.map_err(|e| failed(e.to_string()))?;
        rows(&batch).map_err(failed)
    }))
}

fn rows<T: DeserializeOwned>(batch: &RecordBatch) -> std::result::Result<Vec<T>, String> {
    let mut writer = WriterBuilder::new().build::<_, JsonArray>(Vec::new());
    writer.write(batch).map_err(|e| e.to_string())?;
    writer.finish().map_err(|e| e.to_string())?;
    serde_json::from_slice(&writer.into_inner()).map_err(|e| e.to_string())
}
