//! CSV, TSV and Parquet.

use std::fs::File;
use std::io::{self, BufRead, Read};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use arrow::array::{Array, RecordBatch};
use arrow::datatypes::DataType;
use arrow::util::display::{ArrayFormatter, FormatOptions};
use parquet::arrow::arrow_reader::{ParquetRecordBatchReader, ParquetRecordBatchReaderBuilder};

use super::fields::Cell;
use super::rows::{Problem, Row, Rows};
use super::sources::{Stream, not_utf8};

/// Rows of a Parquet file that are unpacked at once.
const BATCH: usize = 32;

/// A CSV or TSV file with a header row.
pub(crate) struct Csv {
    reader: csv::Reader<RowMeter>,
    /// Bytes read since the last row ended.
    since: Arc<AtomicU64>,
    columns: Option<Vec<String>>,
    record: csv::ByteRecord,
}

/// Fails once a single row has taken more than the limit, as an unclosed quotation mark makes it.
struct RowMeter {
    stream: Stream,
    since: Arc<AtomicU64>,
    limit: u64,
}

impl Read for RowMeter {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.since.load(Ordering::Relaxed) > self.limit {
            return Err(io::Error::other(format!(
                "a row is larger than {} bytes; perhaps a quotation mark in it is never closed",
                self.limit
            )));
        }
        let n = self.stream.read(buffer)?;
        self.since.fetch_add(n as u64, Ordering::Relaxed);
        Ok(n)
    }
}

impl Csv {
    /// `tabs` says that the file's name promises tabs; else the header row tells what separates its columns.
    pub(crate) fn new(mut stream: Stream, tabs: bool, limit: u64) -> Self {
        let delimiter = if tabs { b'\t' } else { stream.fill_buf().map_or(b',', delimiter) };
        let since = Arc::new(AtomicU64::new(0));
        let meter = RowMeter { stream, since: Arc::clone(&since), limit };
        let reader = csv::ReaderBuilder::new()
            .delimiter(delimiter)
            .has_headers(false)
            .flexible(true)
            .from_reader(meter);
        Csv { reader, since, columns: None, record: csv::ByteRecord::new() }
    }

    fn read(&mut self) -> Option<Result<(), Problem>> {
        let read = self.reader.read_byte_record(&mut self.record);
        self.since.store(0, Ordering::Relaxed);
        match read {
            Ok(true) => Some(Ok(())),
            Ok(false) => None,
            Err(e) => {
                let line = e.position().map_or_else(|| self.reader.position().line(), |p| p.line());
                let reason = match e.into_kind() {
                    csv::ErrorKind::Io(e) => e.to_string(),
                    other => format!("{other:?}"),
                };
                Some(Err(Problem::File(Some(line), format!("cannot be read further: {reason}"))))
            }
        }
    }

    fn header(&mut self) -> Option<Result<Vec<String>, Problem>> {
        if let Err(problem) = self.read()? {
            return Some(Err(problem));
        }
        if self
            .record
            .get(0)
            .is_some_and(|f| f.starts_with(b"\xff\xfe") || f.starts_with(b"\xfe\xff"))
        {
            let reason = "is UTF-16; convert it, for example with: iconv -f UTF-16 -t UTF-8";
            return Some(Err(Problem::File(None, reason.to_owned())));
        }
        let mut columns = Vec::with_capacity(self.record.len());
        for (i, field) in self.record.iter().enumerate() {
            let field =
                if i == 0 { field.strip_prefix(b"\xef\xbb\xbf").unwrap_or(field) } else { field };
            match std::str::from_utf8(field) {
                Ok(name) => columns.push(name.trim().trim_matches('"').to_owned()),
                Err(e) => {
                    return Some(Err(Problem::File(
                        Some(1),
                        format!("the header {}", not_utf8(e)),
                    )));
                }
            }
        }
        Some(Ok(columns))
    }
}

/// The separator that the header row has most of.
fn delimiter(head: &[u8]) -> u8 {
    let end = head.iter().position(|&b| b == b'\n').unwrap_or(head.len());
    let count = |d: u8| head[..end].iter().filter(|&&b| b == d).count();
    [b'\t', b';', b'|']
        .into_iter()
        .fold(b',', |best, d| if count(d) > count(best) { d } else { best })
}

impl Rows for Csv {
    fn next_row(&mut self) -> Option<Result<Row, Problem>> {
        if self.columns.is_none() {
            match self.header()? {
                Ok(columns) => self.columns = Some(columns),
                Err(problem) => return Some(Err(problem)),
            }
        }
        if let Err(problem) = self.read()? {
            return Some(Err(problem));
        }
        let number = self.record.position().map(csv::Position::line);
        let columns = self.columns.as_deref().unwrap_or_default();
        if self.record.len() != columns.len() {
            let reason = format!(
                "the row has {} values, the header {} columns",
                self.record.len(),
                columns.len()
            );
            return Some(Err(Problem::Row(number, reason)));
        }
        let mut values = Vec::with_capacity(columns.len());
        for (name, field) in columns.iter().zip(&self.record) {
            match std::str::from_utf8(field) {
                Ok("") => values.push((name.clone(), Cell::Null)),
                Ok(text) => values.push((name.clone(), Cell::Text(text.to_owned()))),
                Err(e) => {
                    return Some(Err(Problem::Row(
                        number,
                        format!("the value of {name:?} {}", not_utf8(e)),
                    )));
                }
            }
        }
        Some(Ok(Row { number, values }))
    }
}

/// A Parquet file.
pub(crate) struct Parquet {
    reader: ParquetRecordBatchReader,
    batch: Option<RecordBatch>,
    at: usize,
    number: u64,
}

impl Parquet {
    pub(crate) fn open(path: &Path) -> Result<Self, String> {
        let file = File::open(path).map_err(|e| format!("cannot be read: {e}"))?;
        let reader = ParquetRecordBatchReaderBuilder::try_new(file)
            .and_then(|b| b.with_batch_size(BATCH).build())
            .map_err(|e| format!("is not a readable Parquet file: {e}"))?;
        Ok(Parquet { reader, batch: None, at: 0, number: 0 })
    }
}

impl Rows for Parquet {
    fn next_row(&mut self) -> Option<Result<Row, Problem>> {
        loop {
            match &self.batch {
                Some(batch) if self.at < batch.num_rows() => {
                    self.number += 1;
                    let number = Some(self.number);
                    let row = row(batch, self.at);
                    self.at += 1;
                    return Some(match row {
                        Ok(values) => Ok(Row { number, values }),
                        Err(e) => Err(Problem::Row(number, format!("cannot be read: {e}"))),
                    });
                }
                _ => match self.reader.next()? {
                    Ok(batch) => (self.batch, self.at) = (Some(batch), 0),
                    Err(e) => {
                        return Some(Err(Problem::File(
                            Some(self.number + 1),
                            format!("cannot be read further: {e}"),
                        )));
                    }
                },
            }
        }
    }
}

fn row(batch: &RecordBatch, at: usize) -> Result<Vec<(String, Cell)>, arrow::error::ArrowError> {
    let options = FormatOptions::default();
    let schema = batch.schema();
    let columns = schema.fields().iter().zip(batch.columns());
    columns
        .map(|(field, column)| {
            let cell = if column.is_null(at) {
                Cell::Null
            } else {
                let value =
                    ArrayFormatter::try_new(column.as_ref(), &options)?.value(at).to_string();
                match kind(field.data_type()) {
                    None => Cell::Text(value),
                    Some(kind) => Cell::Other(kind, value),
                }
            };
            Ok((field.name().clone(), cell))
        })
        .collect()
}

/// What a column holds if not text.
fn kind(data_type: &DataType) -> Option<&'static str> {
    match data_type {
        DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View | DataType::Null => None,
        DataType::Dictionary(_, values) => kind(values),
        DataType::Boolean => Some("true or false"),
        t if t.is_numeric() => Some("a number"),
        t if t.is_temporal() => Some("a time"),
        DataType::Struct(_) | DataType::Map(..) => Some("an object"),
        t if t.is_nested() => Some("a list"),
        _ => Some("bytes"),
    }
}
