//! `axes.parquet`, `axis_profiles.parquet` and `axis_contrasts.parquet`.

use std::sync::Arc;

use arrow::array::{ArrayRef, Float32Array};
use arrow::datatypes::{DataType, Schema, SchemaRef};

use super::super::tables::{counts, fields, numbers, optional_numbers, text};
use crate::error::Result;
use crate::model::codebook::Codebook;
use crate::profile::axes::{AxisContrastRow, AxisProfileRow};
use crate::scoring::tables::{TableRow, table_schema};

type Columns = std::result::Result<Vec<ArrayRef>, String>;

/// The place of a sentence on an axis: a row of `axes.parquet`.
#[derive(Debug, Clone, PartialEq)]
pub struct AxisPlace {
    /// The article.
    pub article_id: String,
    /// Its outlet.
    pub outlet: String,
    /// The sentence, by its index in the article.
    pub sentence_index: u64,
    /// The axis.
    pub axis: String,
    /// The cosine of the sentence's vector with the axis, −1 (negative pole) to +1.
    pub place: f32,
}

/// The columns of `axes`: see [`AxisPlace`].
///
/// # Errors
/// If the codebook cannot be written as JSON.
pub fn axes_schema(codebook: &Codebook) -> Result<SchemaRef> {
    use DataType::{Float32, Int64, Utf8};
    let columns = [
        ("article_id", Utf8, false),
        ("outlet", Utf8, false),
        ("sentence_index", Int64, false),
        ("axis", Utf8, false),
        ("place", Float32, false),
    ];
    table_schema(fields(&columns), codebook)
}

/// The columns of `axis_profiles`: see [`AxisProfileRow`].
///
/// # Errors
/// If the codebook cannot be written as JSON.
pub fn axis_profiles_schema(codebook: &Codebook) -> Result<SchemaRef> {
    use DataType::{Float64, Int64, Utf8};
    let columns = [
        ("outlet", Utf8, false),
        ("axis", Utf8, false),
        ("n_articles", Int64, false),
        ("n_sentences", Int64, false),
        ("baseline", Float64, false),
        ("bias", Float64, false),
        ("bias_low", Float64, true),
        ("bias_high", Float64, true),
        ("intensity", Float64, false),
        ("intensity_low", Float64, true),
        ("intensity_high", Float64, true),
    ];
    table_schema(fields(&columns), codebook)
}

/// The columns of `axis_contrasts`: see [`AxisContrastRow`].
///
/// # Errors
/// If the codebook cannot be written as JSON.
pub fn axis_contrasts_schema(codebook: &Codebook) -> Result<SchemaRef> {
    use DataType::{Float64, Utf8};
    let columns = [
        ("outlet_a", Utf8, false),
        ("outlet_b", Utf8, false),
        ("axis", Utf8, false),
        ("difference", Float64, false),
        ("low", Float64, true),
        ("high", Float64, true),
    ];
    table_schema(fields(&columns), codebook)
}

impl TableRow for AxisPlace {
    type Layout = ();

    fn layout(_: &Schema) -> Result<()> {
        Ok(())
    }

    fn encode(rows: &[Self], (): &()) -> Columns {
        Ok(vec![
            text(rows, |r| &r.article_id),
            text(rows, |r| &r.outlet),
            counts(rows, |r| r.sentence_index),
            text(rows, |r| &r.axis),
            Arc::new(Float32Array::from_iter_values(rows.iter().map(|r| r.place))),
        ])
    }

    fn text_bytes(&self) -> usize {
        self.article_id.len() + self.outlet.len() + self.axis.len()
    }
}

impl TableRow for AxisProfileRow {
    type Layout = ();

    fn layout(_: &Schema) -> Result<()> {
        Ok(())
    }

    fn encode(rows: &[Self], (): &()) -> Columns {
        Ok(vec![
            text(rows, |r| &r.outlet),
            text(rows, |r| &r.axis),
            counts(rows, |r| r.n_articles),
            counts(rows, |r| r.n_sentences),
            numbers(rows, |r| r.baseline),
            numbers(rows, |r| r.bias),
            optional_numbers(rows, |r| r.bias_low),
            optional_numbers(rows, |r| r.bias_high),
            numbers(rows, |r| r.intensity),
            optional_numbers(rows, |r| r.intensity_low),
            optional_numbers(rows, |r| r.intensity_high),
        ])
    }

    fn text_bytes(&self) -> usize {
        self.outlet.len() + self.axis.len()
    }
}

impl TableRow for AxisContrastRow {
    type Layout = ();

    fn layout(_: &Schema) -> Result<()> {
        Ok(())
    }

    fn encode(rows: &[Self], (): &()) -> Columns {
        Ok(vec![
            text(rows, |r| &r.outlet_a),
            text(rows, |r| &r.outlet_b),
            text(rows, |r| &r.axis),
            numbers(rows, |r| r.difference),
            optional_numbers(rows, |r| r.low),
            optional_numbers(rows, |r| r.high),
        ])
    }

    fn text_bytes(&self) -> usize {
        self.outlet_a.len() + self.outlet_b.len() + self.axis.len()
    }
}
