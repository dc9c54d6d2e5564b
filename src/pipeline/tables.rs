//! The tables of `profile/`'s rows. They stand here because `profile/` knows no files and
//! `scoring/` no statistics.

use std::sync::Arc;

use arrow::{
    array::{ArrayRef, Float64Array, Int64Array, StringArray},
    datatypes::{DataType, Field, Schema, SchemaRef},
};

use crate::{
    error::Result,
    model::codebook::Codebook,
    profile::{ContrastRow, ProfileRow, TargetProfileRow},
    scoring::tables::{TableRow, table_schema},
};

pub(super) fn fields(columns: &[(&str, DataType, bool)]) -> Vec<Field> {
    columns.iter().map(|(name, kind, null)| Field::new(*name, kind.clone(), *null)).collect()
}

/// The columns of `profiles`: see [`ProfileRow`].
///
/// # Errors
/// If the codebook cannot be written as JSON.
pub fn profiles_schema(codebook: &Codebook) -> Result<SchemaRef> {
    use DataType::{Float64, Int64, Utf8};
    let columns = [
        ("outlet", Utf8, false),
        ("event", Utf8, true),
        ("period", Utf8, true),
        ("layer", Utf8, false),
        ("label", Utf8, false),
        ("n_articles", Int64, false),
        ("n_sentences", Int64, false),
        ("share", Float64, false),
        ("low", Float64, true),
        ("high", Float64, true),
    ];
    table_schema(fields(&columns), codebook)
}

/// The columns of `target_profiles`: see [`TargetProfileRow`].
///
/// # Errors
/// If the codebook cannot be written as JSON.
pub fn target_profiles_schema(codebook: &Codebook) -> Result<SchemaRef> {
    use DataType::{Float64, Int64, Utf8};
    let columns = [
        ("outlet", Utf8, false),
        ("target", Utf8, false),
        ("layer", Utf8, false),
        ("label", Utf8, false),
        ("n_articles", Int64, false),
        ("n_mentions", Int64, false),
        ("share", Float64, false),
        ("low", Float64, true),
        ("high", Float64, true),
    ];
    table_schema(fields(&columns), codebook)
}

/// The columns of `contrasts`: see [`ContrastRow`].
///
/// # Errors
/// If the codebook cannot be written as JSON.
pub fn contrasts_schema(codebook: &Codebook) -> Result<SchemaRef> {
    use DataType::{Float64, Utf8};
    let columns = [
        ("outlet_a", Utf8, false),
        ("outlet_b", Utf8, false),
        ("layer", Utf8, false),
        ("label", Utf8, false),
        ("difference", Float64, false),
        ("low", Float64, true),
        ("high", Float64, true),
        ("p", Float64, true),
        ("q", Float64, true),
    ];
    table_schema(fields(&columns), codebook)
}

type Columns = std::result::Result<Vec<ArrayRef>, String>;

pub(super) fn text<'a, T: 'a>(rows: &'a [T], value: impl Fn(&'a T) -> &'a str) -> ArrayRef {
    Arc::new(StringArray::from_iter_values(rows.iter().map(value)))
}

pub(super) fn optional_text<'a, T: 'a>(
    rows: &'a [T],
    value: impl Fn(&'a T) -> Option<&'a str>,
) -> ArrayRef {
    Arc::new(rows.iter().map(value).collect::<StringArray>())
}

pub(super) fn counts<T>(rows: &[T], value: impl Fn(&T) -> u64) -> ArrayRef {
    let signed = |v: u64| i64::try_from(v).unwrap_or(i64::MAX);
    Arc::new(Int64Array::from_iter_values(rows.iter().map(|r| signed(value(r)))))
}

pub(super) fn numbers<T>(rows: &[T], value: impl Fn(&T) -> f64) -> ArrayRef {
    Arc::new(Float64Array::from_iter_values(rows.iter().map(value)))
}

pub(super) fn optional_numbers<T>(rows: &[T], value: impl Fn(&T) -> Option<f64>) -> ArrayRef {
    Arc::new(rows.iter().map(value).collect::<Float64Array>())
}

impl TableRow for ProfileRow {
    type Layout = ();

    fn layout(_: &Schema) -> Result<()> {
        Ok(())
    }

    fn encode(rows: &[Self], (): &()) -> Columns {
        Ok(vec![
            text(rows, |r| &r.outlet),
            optional_text(rows, |r| r.event.as_deref()),
            optional_text(rows, |r| r.period.as_deref()),
            text(rows, |r| &r.layer),
            text(rows, |r| &r.label),
            counts(rows, |r| r.n_articles),
            counts(rows, |r| r.n_sentences),
            numbers(rows, |r| r.share),
            optional_numbers(rows, |r| r.low),
            optional_numbers(rows, |r| r.high),
        ])
    }

    fn text_bytes(&self) -> usize {
        self.outlet.len() + self.event.as_ref().map_or(0, String::len)
    }
}

impl TableRow for TargetProfileRow {
    type Layout = ();

    fn layout(_: &Schema) -> Result<()> {
        Ok(())
    }

    fn encode(rows: &[Self], (): &()) -> Columns {
        Ok(vec![
            text(rows, |r| &r.outlet),
            text(rows, |r| &r.target),
            text(rows, |r| &r.layer),
            text(rows, |r| &r.label),
            counts(rows, |r| r.n_articles),
            counts(rows, |r| r.n_mentions),
            numbers(rows, |r| r.share),
            optional_numbers(rows, |r| r.low),
            optional_numbers(rows, |r| r.high),
        ])
    }

    fn text_bytes(&self) -> usize {
        self.outlet.len() + self.target.len()
    }
}

impl TableRow for ContrastRow {
    type Layout = ();

    fn layout(_: &Schema) -> Result<()> {
        Ok(())
    }

    fn encode(rows: &[Self], (): &()) -> Columns {
        Ok(vec![
            text(rows, |r| &r.outlet_a),
            text(rows, |r| &r.outlet_b),
            text(rows, |r| &r.layer),
            text(rows, |r| &r.label),
            numbers(rows, |r| r.difference),
            optional_numbers(rows, |r| r.low),
            optional_numbers(rows, |r| r.high),
            optional_numbers(rows, |r| r.p),
            optional_numbers(rows, |r| r.q),
        ])
    }

    fn text_bytes(&self) -> usize {
        self.outlet_a.len() + self.outlet_b.len()
    }
}
