//! What every format gives: rows of named values, one at a time.

use super::fields::Cell;

/// A row of a table, or a document with what its file said of it.
#[derive(Debug)]
pub(crate) struct Row {
    /// 1-based line or row in the file, where there is one.
    pub number: Option<u64>,
    /// Columns and values in order.
    pub values: Vec<(String, Cell)>,
}

/// Why there is no row.
#[derive(Debug)]
pub(crate) enum Problem {
    /// This row is not usable; others may be.
    Row(Option<u64>, String),
    /// Nothing more can be read from the file.
    File(Option<u64>, String),
}

/// The rows of one file.
pub(crate) trait Rows: Send {
    /// The next row, `None` at the end. After [`Problem::File`] it is not called again.
    fn next_row(&mut self) -> Option<Result<Row, Problem>>;
}
