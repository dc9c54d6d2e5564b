//! The columns of the tables, made from a codebook.
//!
//! Types are chosen so that pandas, R and DuckDB read them without help: text is plain
//! UTF-8 (no dictionaries), counts and offsets are signed 32-bit integers, and days are
//! text `YYYY-MM-DD`, because pandas reads Parquet's day type as Python objects, not as
//! timestamps, and because text is the same in all three formats.

use std::{
    collections::{HashMap, HashSet},
    sync::Arc,
};

use arrow::datatypes::{DataType, Field, Schema, SchemaRef};

use crate::{
    SCHEMA_VERSION,
    error::{Error, Result},
    model::codebook::{Codebook, Layer, LayerKind},
    scoring::rows::ArticleRow,
};

/// Metadata key: version of the table contract.
pub(super) const VERSION_KEY: &str = "parallax.schema_version";
/// Metadata key: the codebook as JSON.
pub(super) const CODEBOOK_KEY: &str = "parallax.codebook";
/// Metadata key: version of the program that wrote the file.
pub(super) const PROGRAM_KEY: &str = "parallax.version";
/// Field metadata key: what the input called a column of `articles`.
const INPUT_NAME_KEY: &str = "parallax.input_name";

/// Most columns that `articles` takes over from the input one by one.
pub const MAX_EXTRA_COLUMNS: usize = 256;

/// Column of `articles` that holds, as a JSON object, what the input had beyond the
/// columns that were taken over one by one.
pub const OTHER_COLUMN: &str = "input_other";

/// Number of columns of `articles` before those of the input.
pub(super) const ARTICLE_COLUMNS: usize = 10;

/// A column that is never null.
fn required(name: &str, kind: DataType) -> Field {
    Field::new(name, kind, false)
}

/// A column that may be null.
fn optional(name: &str, kind: DataType) -> Field {
    Field::new(name, kind, true)
}

/// A list of texts as all readers expect it.
pub(super) fn list_of_text() -> DataType {
    DataType::List(Arc::new(Field::new_list_field(DataType::Utf8, true)))
}

/// Name of the column that holds the probability of a label.
pub(super) fn probability_column(layer: &str, label: &str) -> String {
    format!("{layer}_p_{label}")
}

/// The columns of one layer: the answer, then each label's probability.
fn layer_fields(layer: &Layer) -> impl Iterator<Item = Field> + '_ {
    let answer = if layer.kind == LayerKind::Multi { list_of_text() } else { DataType::Utf8 };
    std::iter::once(optional(&layer.name, answer)).chain(
        layer
            .label_names()
            .map(|label| optional(&probability_column(&layer.name, label), DataType::Float32)),
    )
}

/// A table's schema: the columns, and in the metadata what a reader needs to know.
///
/// # Errors
/// If two columns have the same name, whatever the case (DuckDB and spreadsheets do not
/// tell case apart).
pub fn table_schema(fields: Vec<Field>, codebook: &Codebook) -> Result<SchemaRef> {
    let mut names = HashSet::new();
    for field in &fields {
        if !names.insert(field.name().to_lowercase()) {
            return Err(Error::model(
                format!("codebook {:?}", codebook.name),
                format!("two columns of a table would be called {:?}", field.name()),
            )
            .with_hint(
                "rename the layer or label in the codebook; of a checkpoint without one, with \
                 --layer-name",
            ));
        }
    }
    let json = serde_json::to_string(codebook)
        .map_err(|e| Error::model(format!("codebook {:?}", codebook.name), e))?;
    let metadata = HashMap::from([
        (VERSION_KEY.to_owned(), SCHEMA_VERSION.to_owned()),
        (CODEBOOK_KEY.to_owned(), json),
        (PROGRAM_KEY.to_owned(), env!("CARGO_PKG_VERSION").to_owned()),
    ]);
    Ok(Arc::new(Schema::new_with_metadata(fields, metadata)))
}

/// The codebook that a schema was made from.
///
/// # Errors
/// If the schema's metadata holds none, or one that is not valid.
pub fn codebook_of(schema: &Schema) -> Result<Codebook> {
    let json = schema
        .metadata()
        .get(CODEBOOK_KEY)
        .ok_or_else(|| Error::model("table", "its metadata holds no codebook"))?;
    let codebook: Codebook = serde_json::from_str(json)
        .map_err(|e| Error::model("codebook in the table's metadata", e))?;
    codebook.validate()?;
    Ok(codebook)
}

/// Name of the column that holds the labels of a multi layer that were withheld.
pub(super) fn withheld_column(layer: &str) -> String {
    format!("{layer}_withheld")
}

/// The columns of `sentences`.
///
/// # Errors
/// If a layer's columns clash with others, for instance a layer called `text`.
pub fn sentences_schema(codebook: &Codebook) -> Result<SchemaRef> {
    table_schema(sentence_fields(codebook), codebook)
}

/// The columns of `sentences` where labels of little confidence are withheld: for each multi
/// layer one more, `LAYER_withheld`, lists those labels. A layer of one label needs none: its
/// label is empty, its probabilities are not.
///
/// # Errors
/// As for [`sentences_schema`].
pub fn sentences_schema_with_withheld(codebook: &Codebook) -> Result<SchemaRef> {
    let mut fields = sentence_fields(codebook);
    let multi = codebook.sentence_layers().filter(|l| l.kind == LayerKind::Multi);
    fields.extend(multi.map(|l| optional(&withheld_column(&l.name), list_of_text())));
    table_schema(fields, codebook)
}

fn sentence_fields(codebook: &Codebook) -> Vec<Field> {
    use DataType::{Boolean, Int32, Utf8};
    let mut fields = vec![
        required("article_id", Utf8),
        required("outlet", Utf8),
        optional("date", Utf8),
        optional("event", Utf8),
        optional("topic", Utf8),
        required("sentence_index", Int32),
        optional("start", Int32),
        optional("end", Int32),
        required("text", Utf8),
        required("role", Utf8),
        required("n_tokens", Int32),
        required("windowed", Boolean),
        required("duplicate_group", Utf8),
    ];
    fields.extend(codebook.sentence_layers().flat_map(layer_fields));
    fields
}

/// The columns of `mentions`.
///
/// # Errors
/// If a layer's columns clash with others, for instance a layer called `target`.
pub fn mentions_schema(codebook: &Codebook) -> Result<SchemaRef> {
    use DataType::{Int32, Utf8};
    let mut fields = vec![
        required("article_id", Utf8),
        required("outlet", Utf8),
        required("sentence_index", Int32),
        required("target", Utf8),
        required("mention", Utf8),
        optional("start", Int32),
        optional("end", Int32),
    ];
    fields.extend(codebook.target_layers().flat_map(layer_fields));
    table_schema(fields, codebook)
}

/// The columns of `articles`. `extra` names the input's other columns, as
/// [`extra_columns`] finds them; a name that clashes with one of ours gets the prefix
/// `input_`. Where `extra` holds [`OTHER_COLUMN`], whatever else the rows carry goes
/// there as JSON.
///
/// # Errors
/// If the codebook cannot be written as JSON.
pub fn articles_schema(codebook: &Codebook, extra: &[String]) -> Result<SchemaRef> {
    use DataType::{Int32, Utf8};
    let mut fields = vec![
        required("article_id", Utf8),
        required("outlet", Utf8),
        optional("date", Utf8),
        optional("event", Utf8),
        optional("topic", Utf8),
        optional("title", Utf8),
        optional("url", Utf8),
        optional("language", Utf8),
        required("n_sentences", Int32),
        optional("duplicate_of", Utf8),
    ];
    debug_assert_eq!(fields.len(), ARTICLE_COLUMNS);
    let mut taken: HashSet<String> = fields.iter().map(|f| f.name().to_lowercase()).collect();
    let mut seen = HashSet::new();
    for input_name in extra {
        if !seen.insert(input_name) {
            continue;
        }
        let mut name = input_name.clone();
        while name.is_empty() || !taken.insert(name.to_lowercase()) {
            name.insert_str(0, "input_");
        }
        let metadata = HashMap::from([(INPUT_NAME_KEY.to_owned(), input_name.clone())]);
        fields.push(optional(&name, Utf8).with_metadata(metadata));
    }
    table_schema(fields, codebook)
}

/// The input's names of the columns after our own, in order.
pub(super) fn input_names(schema: &Schema) -> Vec<String> {
    let name = |f: &Arc<Field>| f.metadata().get(INPUT_NAME_KEY).unwrap_or(f.name()).clone();
    schema.fields().iter().skip(ARTICLE_COLUMNS).map(name).collect()
}

/// Names of the input's other columns over all `rows`, in order of first appearance:
/// at most [`MAX_EXTRA_COLUMNS`], then [`OTHER_COLUMN`] for the rest.
pub fn extra_columns<'a>(rows: impl IntoIterator<Item = &'a ArticleRow>) -> Vec<String> {
    let mut seen = HashSet::new();
    let mut names = Vec::new();
    for (name, _) in rows.into_iter().flat_map(|row| &row.article.extra) {
        if seen.contains(name) {
            continue;
        }
        if names.len() == MAX_EXTRA_COLUMNS {
            names.push(OTHER_COLUMN.to_owned());
            break;
        }
        seen.insert(name);
        names.push(name.clone());
    }
    names
}
