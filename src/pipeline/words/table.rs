//! `words.parquet`: its columns and how rows are written.

use arrow::array::ArrayRef;
use arrow::datatypes::{DataType, Schema, SchemaRef};

use super::super::tables::{counts, fields, numbers, optional_text, text};
use crate::error::Result;
use crate::model::codebook::Codebook;
use crate::profile::words::WordRow;
use crate::scoring::tables::{TableRow, table_schema};

/// The columns of `words`: see [`WordRow`].
///
/// # Errors
/// If the codebook cannot be written as JSON.
pub fn words_schema(codebook: &Codebook) -> Result<SchemaRef> {
    use DataType::{Float64, Int64, Utf8};
    let columns = [
        ("outlet", Utf8, false),
        ("against", Utf8, true),
        ("scope", Utf8, false),
        ("layer", Utf8, true),
        ("label", Utf8, true),
        ("target", Utf8, true),
        ("term", Utf8, false),
        ("n_words", Int64, false),
        ("count", Int64, false),
        ("count_rest", Int64, false),
        ("n_articles", Int64, false),
        ("n_articles_rest", Int64, false),
        ("log_odds", Float64, false),
        ("z", Float64, false),
    ];
    table_schema(fields(&columns), codebook)
}

impl TableRow for WordRow {
    type Layout = ();

    fn layout(_: &Schema) -> Result<()> {
        Ok(())
    }

    fn encode(rows: &[Self], (): &()) -> std::result::Result<Vec<ArrayRef>, String> {
        Ok(vec![
            text(rows, |r| &r.outlet),
            optional_text(rows, |r| r.against.as_deref()),
            text(rows, |r| r.scope.name()),
            optional_text(rows, |r| r.scope.label().map(|(layer, _)| layer)),
            optional_text(rows, |r| r.scope.label().map(|(_, label)| label)),
            optional_text(rows, |r| r.scope.target()),
            text(rows, |r| &r.term),
            counts(rows, |r| r.n_words),
            counts(rows, |r| r.count),
            counts(rows, |r| r.count_rest),
            counts(rows, |r| r.n_articles),
            counts(rows, |r| r.n_articles_rest),
            numbers(rows, |r| r.log_odds),
            numbers(rows, |r| r.z),
        ])
    }

    fn text_bytes(&self) -> usize {
        self.outlet.len() + self.against.as_ref().map_or(0, String::len) + self.term.len()
    }
}
