//! CSV for spreadsheets: no cell of text can run as a formula.

use std::{borrow::Cow, io::Write, sync::Arc};

use arrow::{
    array::{Array, ArrayRef, AsArray, RecordBatch},
    datatypes::{
        DataType, Field, Float32Type, Float64Type, Int32Type, Int64Type, Schema, SchemaRef,
        UInt32Type,
    },
};

use super::{Sink, SinkError};

pub(super) struct CsvSink<W: Write>(::csv::Writer<W>);

impl From<::csv::Error> for SinkError {
    fn from(e: ::csv::Error) -> Self {
        let message = e.to_string();
        match e.into_kind() {
            ::csv::ErrorKind::Io(io) => SinkError::Io(io),
            _ => SinkError::Encoding(message),
        }
    }
}

impl<W: Write> CsvSink<W> {
    pub(super) fn new(schema: &SchemaRef, out: W) -> Result<Self, SinkError> {
        let mut writer = ::csv::Writer::from_writer(out);
        writer.write_record(schema.fields().iter().map(|f| harmless(f.name()).into_owned()))?;
        Ok(Self(writer))
    }
}

impl<W: Write + Send> Sink for CsvSink<W> {
    fn write(&mut self, batch: &RecordBatch) -> Result<(), SinkError> {
        for row in 0..batch.num_rows() {
            for column in batch.columns() {
                self.0.write_field(cell(column, row)?.as_bytes())?;
            }
            self.0.write_record(None::<&[u8]>)?;
        }
        Ok(())
    }

    fn finish(mut self: Box<Self>) -> Result<(), SinkError> {
        Ok(self.0.flush()?)
    }
}

/// Text that a spreadsheet shows and does not run: an apostrophe before what would start
/// a formula (OWASP, "CSV Injection").
fn harmless(text: &str) -> Cow<'_, str> {
    if text.starts_with(['=', '+', '-', '@', '\t', '\r', '\n']) {
        Cow::Owned(format!("'{text}"))
    } else {
        Cow::Borrowed(text)
    }
}

/// One cell as text; nulls and not-a-number are empty.
fn cell(column: &ArrayRef, row: usize) -> Result<Cow<'_, str>, SinkError> {
    if column.is_null(row) {
        return Ok(Cow::Borrowed(""));
    }
    let float = |text: String, finite: bool| Cow::Owned(if finite { text } else { String::new() });
    Ok(match column.data_type() {
        DataType::Utf8 => harmless(column.as_string::<i32>().value(row)),
        DataType::Boolean => column.as_boolean().value(row).to_string().into(),
        DataType::Int32 => column.as_primitive::<Int32Type>().value(row).to_string().into(),
        DataType::Int64 => column.as_primitive::<Int64Type>().value(row).to_string().into(),
        DataType::Float32 => {
            let v = column.as_primitive::<Float32Type>().value(row);
            float(v.to_string(), v.is_finite())
        }
        DataType::Float64 => {
            let v = column.as_primitive::<Float64Type>().value(row);
            float(v.to_string(), v.is_finite())
        }
        DataType::UInt32 => column.as_primitive::<UInt32Type>().value(row).to_string().into(),
        DataType::List(field) if field.data_type() != &DataType::Utf8 => {
            nested(column, row)?.into()
        }
        DataType::List(_) => {
            let values = column.as_list::<i32>().value(row);
            let labels: Vec<&str> =
                values.as_string_opt::<i32>().into_iter().flatten().flatten().collect();
            harmless(&labels.join(";")).into_owned().into()
        }
        other => return Err(SinkError::Encoding(format!("CSV has no form for {other}"))),
    })
}

/// A nested value as JSON, which begins with a bracket and so is no formula.
fn nested(column: &ArrayRef, row: usize) -> Result<String, SinkError> {
    let encoding = |e: String| SinkError::Encoding(e);
    let field = Arc::new(Field::new("value", column.data_type().clone(), true));
    let batch = RecordBatch::try_new(Arc::new(Schema::new([field])), vec![column.slice(row, 1)])
        .map_err(|e| encoding(e.to_string()))?;
    let mut writer = arrow::json::LineDelimitedWriter::new(Vec::new());
    writer.write(&batch)?;
    writer.finish()?;
    let line: serde_json::Value =
        serde_json::from_slice(&writer.into_inner()).map_err(|e| encoding(e.to_string()))?;
    Ok(line.get("value").map(ToString::to_string).unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::harmless;

    #[test]
    fn formulas_are_disarmed_and_other_text_is_left() {
        for formula in ["=1+1", "+1", "-1", "@SUM(A1)", "\t=1", "\r=1", "\n=1"] {
            assert_eq!(harmless(formula), format!("'{formula}"));
        }
        for plain in ["", "a = b", "“=”", "5-1", "'quoted'"] {
            assert_eq!(harmless(plain), plain);
        }
    }
}
