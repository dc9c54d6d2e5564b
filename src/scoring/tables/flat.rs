//! Tables whose columns are the same for every codebook. A row type lists them once, each with its
//! name and what a row holds in it, so that schema and writing cannot part.

use std::sync::Arc;

use arrow::{
    array::{ArrayRef, BooleanArray, Float32Array, Float64Array, Int64Array, StringArray},
    datatypes::{DataType, Field, Schema, SchemaRef},
};

use super::{TableRow, table_schema};
use crate::{error::Result, model::codebook::Codebook};

/// A column: its name, and what a row holds in it.
pub type Column<T> = (&'static str, Cell<T>);

/// What a row holds in a column, by its type in the table. `Maybe`: null where there is none.
pub enum Cell<T> {
    /// Text.
    Text(fn(&T) -> &str),
    /// Text or null.
    MaybeText(fn(&T) -> Option<&str>),
    /// A count or a position, as 64-bit integer.
    Count(fn(&T) -> u64),
    /// A count or a position, or null.
    MaybeCount(fn(&T) -> Option<u64>),
    /// A number in double precision.
    Number(fn(&T) -> f64),
    /// A number in double precision, or null.
    MaybeNumber(fn(&T) -> Option<f64>),
    /// A number in single precision.
    Float(fn(&T) -> f32),
    /// True or false.
    Flag(fn(&T) -> bool),
}

/// A row of a table whose columns are the same for every codebook.
pub trait FlatRow: Sized + 'static {
    /// The columns, in the table's order.
    const COLUMNS: &'static [Column<Self>];
}

/// The schema of a flat table.
///
/// # Errors
/// If the codebook cannot be written as JSON.
pub fn flat_schema<T: FlatRow>(codebook: &Codebook) -> Result<SchemaRef> {
    let field = |(name, cell): &Column<T>| Field::new(*name, cell.kind(), cell.may_be_null());
    table_schema(T::COLUMNS.iter().map(field).collect(), codebook)
}

impl<T> Cell<T> {
    fn kind(&self) -> DataType {
        match self {
            Cell::Text(_) | Cell::MaybeText(_) => DataType::Utf8,
            Cell::Count(_) | Cell::MaybeCount(_) => DataType::Int64,
            Cell::Number(_) | Cell::MaybeNumber(_) => DataType::Float64,
            Cell::Float(_) => DataType::Float32,
            Cell::Flag(_) => DataType::Boolean,
        }
    }

    fn may_be_null(&self) -> bool {
        matches!(self, Cell::MaybeText(_) | Cell::MaybeCount(_) | Cell::MaybeNumber(_))
    }

    fn encode(&self, rows: &[T]) -> ArrayRef {
        // Articles and sentences are far fewer than 2⁶³.
        let signed = |n: u64| i64::try_from(n).unwrap_or(i64::MAX);
        let rows = rows.iter();
        match self {
            Cell::Text(of) => Arc::new(StringArray::from_iter_values(rows.map(of))),
            Cell::MaybeText(of) => Arc::new(rows.map(of).collect::<StringArray>()),
            Cell::Count(of) => Arc::new(Int64Array::from_iter_values(rows.map(|r| signed(of(r))))),
            Cell::MaybeCount(of) => {
                Arc::new(rows.map(|r| of(r).map(signed)).collect::<Int64Array>())
            }
            Cell::Number(of) => Arc::new(Float64Array::from_iter_values(rows.map(of))),
            Cell::MaybeNumber(of) => Arc::new(rows.map(of).collect::<Float64Array>()),
            Cell::Float(of) => Arc::new(Float32Array::from_iter_values(rows.map(of))),
            Cell::Flag(of) => Arc::new(rows.map(|r| Some(of(r))).collect::<BooleanArray>()),
        }
    }

    fn text_bytes(&self, row: &T) -> usize {
        match self {
            Cell::Text(of) => of(row).len(),
            Cell::MaybeText(of) => of(row).map_or(0, str::len),
            _ => 0,
        }
    }
}

impl<T: FlatRow> TableRow for T {
    type Layout = ();

    fn layout(_: &Schema) -> Result<()> {
        Ok(())
    }

    fn encode(rows: &[Self], (): &()) -> std::result::Result<Vec<ArrayRef>, String> {
        Ok(T::COLUMNS.iter().map(|(_, cell)| cell.encode(rows)).collect())
    }

    fn text_bytes(&self) -> usize {
        T::COLUMNS.iter().map(|(_, cell)| cell.text_bytes(self)).sum()
    }
}

#[cfg(test)]
mod tests {
    use arrow::array::{Array, AsArray, RecordBatch};

    use super::*;

    struct Ferry {
        name: String,
        port: Option<String>,
        seats: Option<u64>,
        speed: Option<f64>,
        sails: bool,
    }

    impl FlatRow for Ferry {
        const COLUMNS: &'static [Column<Self>] = &[
            ("name", Cell::Text(|f| &f.name)),
            ("port", Cell::MaybeText(|f| f.port.as_deref())),
            ("letters", Cell::Count(|f| f.name.len() as u64)),
            ("seats", Cell::MaybeCount(|f| f.seats)),
            ("share", Cell::Number(|_| 0.1)),
            ("speed", Cell::MaybeNumber(|f| f.speed)),
            ("weight", Cell::Float(|_| 0.1)),
            ("sails", Cell::Flag(|f| f.sails)),
        ];
    }

    #[test]
    fn columns_are_as_listed_and_only_some_may_be_null() {
        let codebook =
            "name = \"t\"\n[[layer]]\nname = \"l\"\nkind = \"multi\"\nlabels = [{ name = \"x\" }]";
        let schema = flat_schema::<Ferry>(&Codebook::from_toml(codebook).unwrap()).unwrap();
        let ferry = |port: Option<&str>| Ferry {
            name: "Ada".into(),
            port: port.map(Into::into),
            seats: port.map(|_| u64::MAX),
            speed: port.map(|_| 12.5),
            sails: port.is_some(),
        };
        let rows = [ferry(Some("Vale")), ferry(None)];
        // A batch is only made where every column fits its field.
        let batch = RecordBatch::try_new(schema, Ferry::encode(&rows, &()).unwrap()).unwrap();
        let nulls: Vec<usize> = batch.columns().iter().map(|c| c.null_count()).collect();
        assert_eq!(nulls, [0, 1, 0, 1, 0, 1, 0, 0]);
        assert_eq!(batch.column(1).as_string::<i32>().value(0), "Vale");
        let seats = batch.column(3).as_primitive::<arrow::datatypes::Int64Type>();
        assert_eq!(seats.value(0), i64::MAX);
        assert_eq!(rows.map(|r| r.text_bytes()), [7, 3]);
    }
}
