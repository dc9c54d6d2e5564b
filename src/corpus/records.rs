//! Rows of any table or JSON file as JSON objects, for data that are no articles. They are read
//! by the readers of articles, within the same bounds.

use std::fs::File;
use std::path::Path;

use arrow::json::{WriterBuilder, writer::JsonArray};
use parquet::arrow::arrow_reader::{ParquetRecordBatchReader, ParquetRecordBatchReaderBuilder};
use serde_json::{Map, Value};

use super::Skip;
use super::fields::Cell;
use super::json::{JsonLines, JsonObjects};
use super::rows::{Problem, Row, Rows};
use super::sources::{Kind, find, open};
use super::tables::Csv;
use crate::error::{Error, Result};

/// Bytes that one row may take.
const MOST_ROW_BYTES: u64 = 64 << 20;
/// Rows of a Parquet file that are unpacked at once.
const BATCH: usize = 64;

/// One row: named values.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Record {
    /// 1-based line or row in the file, where there is one.
    pub number: Option<u64>,
    /// The values; empty cells of a table are not there.
    pub values: Map<String, Value>,
}

/// The rows of one file. An item is `Ok(Err(_))` for a row that cannot be used, and `Err` where
/// nothing more can be read.
pub(crate) struct Records {
    name: String,
    rows: Form,
    ended: bool,
}

enum Form {
    Plain(Box<dyn Rows>),
    Parquet { reader: ParquetRecordBatchReader, batch: std::vec::IntoIter<Value>, number: u64 },
}

impl Records {
    /// Opens JSON lines, JSON, CSV, TSV (each also packed) or Parquet, told by the name's ending;
    /// `-` is JSON lines on standard input. A file of JSON lines that begins with a bracket is
    /// read as JSON.
    ///
    /// # Errors
    /// If there is no such file, or it is of no such kind.
    pub(crate) fn open(path: &Path) -> Result<Self> {
        let wrong = |message: &str| {
            Error::input(path.display(), message).with_hint(
                "labelled data end in .jsonl, .json, .csv, .tsv (each also with .gz or .zst) or .parquet",
            )
        };
        if path.is_dir() {
            return Err(wrong("it is a folder, not a file"));
        }
        let (sources, _) = find(&[path.to_owned()]).map_err(|e| {
            if path.exists() { wrong("cannot tell what the file holds") } else { e }
        })?;
        let source = sources.into_iter().next().ok_or_else(|| wrong("there is no file"))?;
        let stream = || open(&source).map_err(|e| Error::io(path, e));
        let rows: Box<dyn Rows> = match source.kind {
            Kind::JsonLines => {
                let mut stream = stream()?;
                let head = stream.fill_buf().map_err(|e| Error::io(path, e))?;
                let head = head.strip_prefix(b"\xef\xbb\xbf").unwrap_or(head);
                if head.trim_ascii_start().first() == Some(&b'[') {
                    Box::new(JsonObjects::flat(stream, MOST_ROW_BYTES))
                } else {
                    Box::new(JsonLines::new(stream, MOST_ROW_BYTES))
                }
            }
            Kind::Json => Box::new(JsonObjects::flat(stream()?, MOST_ROW_BYTES)),
            Kind::Csv => Box::new(Csv::new(stream()?, false, MOST_ROW_BYTES)),
            Kind::Tsv => Box::new(Csv::new(stream()?, true, MOST_ROW_BYTES)),
            Kind::Parquet => {
                let file = File::open(path).map_err(|e| Error::io(path, e))?;
                let reader = ParquetRecordBatchReaderBuilder::try_new(file)
                    .and_then(|b| b.with_batch_size(BATCH).build())
                    .map_err(|e| Error::table(path.display(), e))?;
                let rows = Form::Parquet { reader, batch: Vec::new().into_iter(), number: 0 };
                return Ok(Records { name: source.name(), rows, ended: false });
            }
            Kind::Text | Kind::Html => return Err(wrong("it holds no rows")),
        };
        Ok(Records { name: source.name(), rows: Form::Plain(rows), ended: false })
    }

    fn passed_over(&self, row: Option<u64>, reason: String) -> Skip {
        Skip { file: self.name.clone(), row, reason }
    }
}

impl Iterator for Records {
    type Item = Result<std::result::Result<Record, Skip>>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.ended {
            return None;
        }
        let next = match &mut self.rows {
            Form::Plain(rows) => rows.next_row().map(|row| row.map(record)),
            Form::Parquet { reader, batch, number } => next_of_parquet(reader, batch, number),
        };
        let item = match next {
            Some(Ok(record)) => Some(Ok(Ok(record))),
            Some(Err(Problem::Row(row, reason))) => Some(Ok(Err(self.passed_over(row, reason)))),
            Some(Err(Problem::File(row, reason))) => {
                let row = row.map(|r| format!(", row {r}")).unwrap_or_default();
                Some(Err(Error::input(format!("{}{row}", self.name), reason)))
            }
            None => None,
        };
        self.ended = !matches!(item, Some(Ok(_)));
        item
    }
}

fn record(row: Row) -> Record {
    let value = |cell| match cell {
        Cell::Null => None,
        Cell::Text(text) => Some(Value::String(text)),
        Cell::Other(_, json) => Some(serde_json::from_str(&json).unwrap_or(Value::String(json))),
    };
    let values = row.values.into_iter().filter_map(|(name, cell)| Some((name, value(cell)?)));
    Record { number: row.number, values: values.collect() }
}

fn next_of_parquet(
    reader: &mut ParquetRecordBatchReader,
    batch: &mut std::vec::IntoIter<Value>,
    number: &mut u64,
) -> Option<std::result::Result<Record, Problem>> {
    loop {
        if let Some(value) = batch.next() {
            *number += 1;
            let Value::Object(values) = value else { continue };
            return Some(Ok(Record { number: Some(*number), values }));
        }
        let unpack = |b: std::result::Result<_, arrow::error::ArrowError>| {
            let mut writer = WriterBuilder::new().build::<_, JsonArray>(Vec::new());
            let text = b.and_then(|b| {
                writer.write(&b)?;
                writer.finish()?;
                Ok(writer.into_inner())
            });
            let text = text.map_err(|e| e.to_string())?;
            // An empty batch is written as nothing at all.
            let text = if text.is_empty() { b"[]".to_vec() } else { text };
            serde_json::from_slice::<Vec<Value>>(&text).map_err(|e| e.to_string())
        };
        match unpack(reader.next()?) {
            Ok(rows) => *batch = rows.into_iter(),
            Err(e) => {
                let reason = format!("cannot be read further: {e}");
                return Some(Err(Problem::File(Some(*number + 1), reason)));
            }
        }
    }
}
