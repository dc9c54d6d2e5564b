//! Cells of a table as the forms with few types take them.

use arrow::array::RecordBatch;
use arrow::datatypes::DataType;
use arrow::util::display::{ArrayFormatter, FormatOptions};

/// A cell as the forms with few types take it.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Cell {
    Null,
    Number(f64),
    Whole(i64),
    Bool(bool),
    Text(String),
}

/// The cells of a batch, column by column. Lists of text are joined by `;`, other nested values
/// are written as JSON.
pub(super) fn columns(batch: &RecordBatch) -> std::result::Result<Vec<Vec<Cell>>, String> {
    batch.columns().iter().map(column).collect()
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
    let batch = RecordBatch::try_new(schema, vec![std::sync::Arc::clone(one)])
        .map_err(|e| e.to_string())?;
    let mut writer = arrow::json::LineDelimitedWriter::new(Vec::new());
    writer.write(&batch).and_then(|()| writer.finish()).map_err(|e| e.to_string())?;
    let line: serde_json::Value =
        serde_json::from_slice(&writer.into_inner()).map_err(|e| e.to_string())?;
    Ok(line.get("v").cloned().unwrap_or_default().to_string())
}
