//! The output tables: their columns, how rows are written to Parquet, CSV or JSONL,
//! and how a scored folder is read back.
//!
//! The columns are a contract (see the README). Those of sentences, mentions and articles depend on
//! the codebook: `schema.rs` says what they are. Tables with the same columns for every codebook list
//! them with the row ([`FlatRow`]). Every file carries [`crate::SCHEMA_VERSION`] and the codebook in
//! its metadata, so that a folder can be read years later without the model.

mod decode;
mod encode;
mod flat;
mod reader;
mod schema;
mod sink;
mod vectors;
mod writer;

use std::{fmt, str::FromStr};

use arrow::{array::ArrayRef, datatypes::Schema};
use serde::{Deserialize, Serialize};

pub use flat::{Cell, Column, FlatRow, flat_schema};
pub use reader::ScoredFolder;
pub use schema::{
    MAX_EXTRA_COLUMNS, OTHER_COLUMN, articles_schema, codebook_of, extra_columns, mentions_schema,
    sentences_schema, sentences_schema_with_withheld, table_schema,
};
pub use vectors::{VECTORS, VectorWriter, vectors_schema};
pub use writer::{TableWriter, copy_table};

use crate::error::{Error, Result};

/// File format of an output table.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Format {
    /// Apache Parquet, compressed with zstd: typed, small, and the only format that
    /// profiles and reports are made from.
    #[default]
    Parquet,
    /// Comma-separated values for spreadsheets: text cells that a spreadsheet would run
    /// as a formula get a leading apostrophe, lists of labels are joined by `;`.
    Csv,
    /// One JSON object a line.
    Jsonl,
}

impl Format {
    /// All formats, the default first.
    pub const ALL: [Format; 3] = [Format::Parquet, Format::Csv, Format::Jsonl];

    /// The file name's ending, without the dot; also the format's name.
    pub fn extension(self) -> &'static str {
        match self {
            Format::Parquet => "parquet",
            Format::Csv => "csv",
            Format::Jsonl => "jsonl",
        }
    }
}

impl fmt::Display for Format {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.extension())
    }
}

impl FromStr for Format {
    type Err = Error;

    fn from_str(name: &str) -> Result<Self> {
        Format::ALL.into_iter().find(|f| f.extension() == name).ok_or_else(|| {
            Error::setting(format!("{name:?} is no table format"))
                .with_hint("use parquet, csv or jsonl")
        })
    }
}

/// A row that can stand in a table.
pub trait TableRow: Sized {
    /// What encoding needs to know of the schema, worked out once for each file.
    type Layout;

    /// Works out the layout from a schema made for this row type.
    ///
    /// # Errors
    /// If the schema was not made by this crate for this row type.
    fn layout(schema: &Schema) -> Result<Self::Layout>;

    /// The columns of `rows`, in the schema's order.
    ///
    /// # Errors
    /// Says which row cannot be told in the schema's columns, and why.
    fn encode(rows: &[Self], layout: &Self::Layout) -> std::result::Result<Vec<ArrayRef>, String>;

    /// Roughly how many bytes of text the row holds: batches are cut by it, so that a
    /// few enormous rows cannot fill the memory.
    fn text_bytes(&self) -> usize;
}

#[cfg(test)]
mod tests;
