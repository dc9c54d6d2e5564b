//! Rows to columns.

use std::{collections::HashMap, sync::Arc};

use arrow::{
    array::{
        ArrayRef, BooleanArray, Float32Array, Int32Array, ListBuilder, StringArray, StringBuilder,
    },
    datatypes::Schema,
};
use serde_json::{Map, Value};

use super::{
    OTHER_COLUMN, TableRow, codebook_of,
    schema::{input_names, withheld_column},
};
use crate::{
    error::Result,
    model::codebook::{Layer, LayerKind},
    scoring::rows::{ArticleRow, MentionRow, Scores, SentenceRow},
    text::Role,
};

/// A role as it stands in the tables.
pub(super) fn role_name(role: Role) -> &'static str {
    match role {
        Role::Headline => "headline",
        Role::Body => "body",
        Role::Quote => "quote",
        Role::Boilerplate => "boilerplate",
    }
}

/// A column of text.
fn text<'a>(values: impl Iterator<Item = &'a str>) -> ArrayRef {
    Arc::new(StringArray::from_iter_values(values))
}

/// A column of text with nulls.
fn optional_text<'a>(values: impl Iterator<Item = Option<&'a str>>) -> ArrayRef {
    Arc::new(values.collect::<StringArray>())
}

/// A column of counts or offsets.
fn integers(
    name: &str,
    values: impl Iterator<Item = Option<u32>>,
) -> std::result::Result<ArrayRef, String> {
    let signed = values
        .map(|v| v.map(i32::try_from).transpose())
        .collect::<std::result::Result<Int32Array, _>>()
        .map_err(|_| format!("a value of {name} is above {}", i32::MAX))?;
    Ok(Arc::new(signed))
}

/// Whether scores fit their layer.
fn check(layer: &Layer, scores: &Scores) -> std::result::Result<(), String> {
    let n = layer.labels.len();
    if scores.probabilities.len() != n {
        let given = scores.probabilities.len();
        return Err(format!("layer {} has {n} labels, but {given} probabilities", layer.name));
    }
    if layer.kind != LayerKind::Multi && scores.labels.len() > 1 {
        return Err(format!("layer {} takes one label, but has several", layer.name));
    }
    match scores.labels.iter().chain(&scores.withheld).find(|&&i| i >= n) {
        Some(i) => Err(format!("layer {} has {n} labels, but label {i} was given", layer.name)),
        None => Ok(()),
    }
}

/// The columns of all layers; `rows` holds the scores of each row, `None` if not scored.
fn layer_columns(
    layers: &[Layer],
    rows: &[Option<&[Scores]>],
) -> std::result::Result<Vec<ArrayRef>, String> {
    for scores in rows.iter().flatten() {
        if scores.len() != layers.len() {
            let (given, n) = (scores.len(), layers.len());
            return Err(format!("a row has scores of {given} layers, the codebook has {n}"));
        }
        layers.iter().zip(*scores).try_for_each(|(layer, s)| check(layer, s))?;
    }
    let mut columns: Vec<ArrayRef> = Vec::new();
    for (k, layer) in layers.iter().enumerate() {
        let scores = || rows.iter().map(|row| row.map(|s| &s[k]));
        let name = |&i: &usize| layer.labels[i].name.as_str();
        if layer.kind == LayerKind::Multi {
            columns.push(lists(layer, scores().map(|s| s.map(|s| &s.labels[..]))));
        } else {
            columns
                .push(optional_text(scores().map(|s| s.and_then(|s| s.labels.first()).map(name))));
        }
        for j in 0..layer.labels.len() {
            let p: Float32Array = scores().map(|s| s.map(|s| s.probabilities[j])).collect();
            columns.push(Arc::new(p));
        }
    }
    Ok(columns)
}

/// A column of lists of labels; `rows` holds those of each row, which [`check`] has seen.
fn lists<'a>(layer: &Layer, rows: impl Iterator<Item = Option<&'a [usize]>>) -> ArrayRef {
    let mut lists = ListBuilder::new(StringBuilder::new());
    for labels in rows {
        for label in labels.into_iter().flatten().filter_map(|&i| layer.labels.get(i)) {
            lists.values().append_value(&label.name);
        }
        lists.append(labels.is_some());
    }
    Arc::new(lists.finish())
}

impl TableRow for SentenceRow {
    /// The sentence layers of the codebook, and of those the places of the ones that have a
    /// column of withheld labels.
    type Layout = (Vec<Layer>, Vec<usize>);

    fn layout(schema: &Schema) -> Result<Self::Layout> {
        let layers: Vec<Layer> = codebook_of(schema)?.sentence_layers().cloned().collect();
        let has_column = |l: &Layer| {
            l.kind == LayerKind::Multi && schema.index_of(&withheld_column(&l.name)).is_ok()
        };
        let withheld = (0..layers.len()).filter(|&i| has_column(&layers[i])).collect();
        Ok((layers, withheld))
    }

    fn encode(
        rows: &[Self],
        (layers, withheld): &Self::Layout,
    ) -> std::result::Result<Vec<ArrayRef>, String> {
        let mut columns = vec![
            text(rows.iter().map(|r| r.article_id.as_str())),
            text(rows.iter().map(|r| r.outlet.as_str())),
            optional_text(rows.iter().map(|r| r.date.as_deref())),
            optional_text(rows.iter().map(|r| r.event.as_deref())),
            optional_text(rows.iter().map(|r| r.topic.as_deref())),
            integers("sentence_index", rows.iter().map(|r| Some(r.sentence_index)))?,
            integers("start", rows.iter().map(|r| r.start))?,
            integers("end", rows.iter().map(|r| r.end))?,
            text(rows.iter().map(|r| r.text.as_str())),
            text(rows.iter().map(|r| role_name(r.role))),
            integers("n_tokens", rows.iter().map(|r| Some(r.n_tokens)))?,
            Arc::new(rows.iter().map(|r| Some(r.windowed)).collect::<BooleanArray>()),
            text(rows.iter().map(|r| r.duplicate_group.as_str())),
        ];
        let scores: Vec<_> = rows.iter().map(|r| r.layers.as_deref()).collect();
        columns.extend(layer_columns(layers, &scores)?);
        for &at in withheld {
            let of_row =
                |s: &Option<&'_ [Scores]>| s.and_then(|s| Some(s.get(at)?.withheld.clone()));
            let labels: Vec<_> = scores.iter().map(of_row).collect();
            columns.push(lists(&layers[at], labels.iter().map(Option::as_deref)));
        }
        Ok(columns)
    }

    fn text_bytes(&self) -> usize {
        self.text.len() + self.article_id.len() + self.duplicate_group.len() + self.outlet.len()
    }
}

impl TableRow for MentionRow {
    /// The target layers of the codebook.
    type Layout = Vec<Layer>;

    fn layout(schema: &Schema) -> Result<Self::Layout> {
        Ok(codebook_of(schema)?.target_layers().cloned().collect())
    }

    fn encode(rows: &[Self], layers: &Vec<Layer>) -> std::result::Result<Vec<ArrayRef>, String> {
        let mut columns = vec![
            text(rows.iter().map(|r| r.article_id.as_str())),
            text(rows.iter().map(|r| r.outlet.as_str())),
            integers("sentence_index", rows.iter().map(|r| Some(r.sentence_index)))?,
            text(rows.iter().map(|r| r.target.as_str())),
            text(rows.iter().map(|r| r.mention.as_str())),
            integers("start", rows.iter().map(|r| r.start))?,
            integers("end", rows.iter().map(|r| r.end))?,
        ];
        let scores: Vec<_> = rows.iter().map(|r| Some(r.layers.as_slice())).collect();
        columns.extend(layer_columns(layers, &scores)?);
        Ok(columns)
    }

    fn text_bytes(&self) -> usize {
        self.article_id.len() + self.outlet.len() + self.target.len() + self.mention.len()
    }
}

impl TableRow for ArticleRow {
    /// What the input called its other columns, in order.
    type Layout = Vec<String>;

    fn layout(schema: &Schema) -> Result<Self::Layout> {
        Ok(input_names(schema))
    }

    fn encode(rows: &[Self], extra: &Vec<String>) -> std::result::Result<Vec<ArrayRef>, String> {
        let articles = || rows.iter().map(|r| &r.article);
        let mut columns = vec![
            text(articles().map(|a| a.id.as_str())),
            text(articles().map(|a| a.outlet.as_str())),
            optional_text(articles().map(|a| a.date.as_deref())),
            optional_text(articles().map(|a| a.event.as_deref())),
            optional_text(articles().map(|a| a.topic.as_deref())),
            optional_text(articles().map(|a| a.title.as_deref())),
            optional_text(articles().map(|a| a.url.as_deref())),
            optional_text(articles().map(|a| a.language.as_deref())),
            integers("n_sentences", rows.iter().map(|r| Some(r.n_sentences)))?,
            optional_text(rows.iter().map(|r| r.duplicate_of.as_deref())),
        ];
        columns.extend(extra_arrays(rows, extra)?);
        Ok(columns)
    }

    fn text_bytes(&self) -> usize {
        let a = &self.article;
        let optional = [&a.event, &a.topic, &a.title, &a.url, &self.duplicate_of];
        a.id.len()
            + a.outlet.len()
            + optional.into_iter().flatten().map(String::len).sum::<usize>()
            + a.extra.iter().map(|(k, v)| k.len() + v.len()).sum::<usize>()
    }
}

/// The input's other columns; what has no column of its own goes to [`OTHER_COLUMN`].
fn extra_arrays(
    rows: &[ArticleRow],
    names: &[String],
) -> std::result::Result<Vec<ArrayRef>, String> {
    let place: HashMap<&str, usize> =
        names.iter().enumerate().map(|(i, name)| (name.as_str(), i)).collect();
    let rest = place.get(OTHER_COLUMN).copied();
    let mut builders: Vec<StringBuilder> = names.iter().map(|_| StringBuilder::new()).collect();
    for row in rows {
        let mut cells: Vec<Option<&str>> = vec![None; names.len()];
        let mut others = Map::new();
        for (name, value) in &row.article.extra {
            match place.get(name.as_str()) {
                Some(&i) if Some(i) != rest => cells[i] = Some(value),
                _ if rest.is_some() => {
                    others.insert(name.clone(), Value::String(value.clone()));
                }
                _ => {
                    let id = &row.article.id;
                    return Err(format!("article {id:?}: the table has no column {name:?}"));
                }
            }
        }
        let others = (!others.is_empty()).then(|| Value::Object(others).to_string());
        for (i, (builder, cell)) in builders.iter_mut().zip(cells).enumerate() {
            let cell = if Some(i) == rest { others.as_deref() } else { cell };
            builder.append_option(cell);
        }
    }
    Ok(builders.into_iter().map(|mut b| Arc::new(b.finish()) as ArrayRef).collect())
}
