//! The exports of annotation tools, row by row, as rows with a field for each layer.
//!
//! Label Studio (JSON): a task with `data` and `annotations`. A control that is called like a
//! layer answers it, else the one layer that knows its choices. Choices of a region are the
//! answer of a target layer for that span. Where annotators differ, the most frequent answer
//! comes first and the next counts as right too; labels of a multi layer that not all of them
//! gave are neither right nor wrong. Its smaller JSON and CSV have a field for each control
//! already, and so have doccano's layers if the label is written `LAYER:LABEL`.
//!
//! doccano (JSONL, JSON, CSV): `label`, `labels` or `cats` lists labels, or spans
//! `[start, end, label]`; `entities` lists spans. A label answers the one layer that has it, or
//! the one that is named before it.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::row::{Parsed, Row, names, plain};
use crate::model::{Codebook, Layer, LayerKind};

/// A row of an export as a plain one; a plain row as it is.
pub(super) fn as_plain_row(mut row: Row, codebook: &Codebook) -> Parsed<Row> {
    let tasks = row.contains_key("annotations") || row.contains_key("completions");
    if tasks && row.get("data").is_some_and(Value::is_object) {
        return label_studio(row, codebook);
    }
    if !row.contains_key("text") {
        let other = ["data", "sentence"]
            .into_iter()
            .find(|f| row.get(*f).is_some_and(Value::is_string) && codebook.layer(f).is_none());
        if let Some(text) = other.and_then(|name| row.remove(name)) {
            row.insert("text".into(), text);
        }
    }
    doccano(row, codebook)
}

/// The layer that a label answers, and the label's own name. `spans` asks for target layers.
fn layer_of<'a, 'n>(
    codebook: &'a Codebook,
    name: &'n str,
    spans: bool,
) -> Parsed<(&'a Layer, &'n str)> {
    let fits = |l: &&Layer| (l.kind == LayerKind::Target) == spans;
    if let Some((layer, label)) = name.split_once(':')
        && let Some(layer) = codebook.layer(layer.trim()).filter(fits)
    {
        return Ok((layer, label.trim()));
    }
    let mut known = codebook.layers.iter().filter(fits).filter(|l| l.index_of(name).is_some());
    match (known.next(), known.next()) {
        (Some(layer), None) => Ok((layer, name)),
        (Some(a), Some(b)) => Err(format!(
            "label {name:?} is one of layer {} and one of layer {}; write LAYER:LABEL",
            a.name, b.name
        )),
        (None, _) => Err(format!(
            "label {name:?} is no label of the codebook's {} layers",
            if spans { "target" } else { "sentence" }
        )),
    }
}

fn doccano(mut row: Row, codebook: &Codebook) -> Parsed<Row> {
    let fields: Vec<&str> = ["label", "labels", "cats", "entities"]
        .into_iter()
        .filter(|f| codebook.layer(f).is_none() && row.contains_key(*f))
        .collect();
    // A row that answers a layer by its name may use these fields for anything.
    let plain_row = codebook.layers.iter().any(|l| row.contains_key(&l.name));
    if plain_row || fields.is_empty() {
        return Ok(row);
    }
    let mut found: BTreeMap<&str, Vec<Value>> = BTreeMap::new();
    for field in fields {
        let items = match row.remove(field) {
            Some(Value::Array(items)) => items,
            Some(Value::String(text)) => {
                let list = names(&Value::String(text.replace('#', "|")), field)?;
                list.into_iter().map(Value::String).collect()
            }
            Some(Value::Null) | None => continue,
            Some(other) => vec![other],
        };
        for item in items {
            let (name, span) = match &item {
                Value::Array(span) => match &span[..] {
                    [start, end, label] => (plain(label), Some((start.clone(), end.clone()))),
                    _ => (None, None),
                },
                Value::Object(span) => {
                    let offset = |name: &str| span.get(name).cloned();
                    let ends = offset("start_offset").zip(offset("end_offset"));
                    (span.get("label").and_then(plain), ends)
                }
                other => (plain(other), None),
            };
            let Some(name) = name else {
                return Err(format!("field `{field}` holds {item}, which is no label and no span"));
            };
            let (layer, label) = layer_of(codebook, &name, span.is_some())?;
            found.entry(&layer.name).or_default().push(match span {
                Some((start, end)) => json!({"start": start, "end": end, "label": label}),
                None => Value::from(label),
            });
        }
    }
    row.extend(found.into_iter().map(|(layer, items)| (layer.to_owned(), Value::Array(items))));
    Ok(row)
}

/// Answers of annotators to one question, the most frequent first, the earlier among equals.
#[derive(Default)]
struct Votes(Vec<(String, usize)>);

impl Votes {
    fn add(&mut self, answer: String) {
        match self.0.iter_mut().find(|(a, _)| *a == answer) {
            Some((_, n)) => *n += 1,
            None => self.0.push((answer, 1)),
        }
    }

    fn ranked(mut self) -> Vec<String> {
        self.0.sort_by_key(|(_, n)| std::cmp::Reverse(*n));
        self.0.into_iter().map(|(answer, _)| answer).collect()
    }
}

/// What the annotators of a task said on one layer.
#[derive(Default)]
struct Said {
    /// Annotators that answered.
    n: usize,
    of_sentence: Votes,
    /// By start and end, with the words between them.
    of_spans: BTreeMap<(u64, u64), (Value, Votes)>,
}

fn label_studio(mut task: Row, codebook: &Codebook) -> Parsed<Row> {
    let Some(Value::Object(mut row)) = task.remove("data") else {
        return Err("field `data` is no object".into());
    };
    if !row.contains_key("text") {
        let mut texts = row.iter().filter(|(_, v)| v.is_string());
        let only = match (texts.next(), texts.next()) {
            (Some((name, _)), None) => name.clone(),
            _ => return Err("field `text` of the task's `data` is missing".into()),
        };
        if let Some(text) = row.remove(&only) {
            row.insert("text".into(), text);
        }
    }
    let annotations = ["annotations", "completions"].iter().find_map(|f| task.remove(*f));
    let Some(Value::Array(annotations)) = annotations else {
        return Err("field `annotations` is no list".into());
    };
    let mut said: BTreeMap<usize, Said> = BTreeMap::new();
    for annotation in &annotations {
        if annotation.get("was_cancelled").and_then(Value::as_bool) == Some(true) {
            continue;
        }
        let results = annotation.get("result").and_then(Value::as_array);
        let mut answered = Vec::new();
        for result in results.into_iter().flatten() {
            if let Some(layer) = add_result(result, codebook, &mut said)? {
                answered.push(layer);
            }
        }
        answered.sort_unstable();
        answered.dedup();
        answered.iter().filter_map(|l| said.get_mut(l).map(|s| s.n += 1)).for_each(drop);
    }
    if said.is_empty() {
        let layers: Vec<&str> = codebook.layers.iter().map(|l| l.name.as_str()).collect();
        return Err(format!(
            "no annotation of the task answers a layer; call the controls like the layers ({})",
            layers.join(", ")
        ));
    }
    for (at, said) in said {
        if let Some(layer) = codebook.layers.get(at) {
            write_answers(&mut row, layer, said);
        }
    }
    if let Some(id) = task.remove("id") {
        row.entry("id").or_insert(id);
    }
    Ok(row)
}

/// Adds one result of an annotation; returns the layer that it answers, if it answers one.
fn add_result(
    result: &Value,
    codebook: &Codebook,
    said: &mut BTreeMap<usize, Said>,
) -> Parsed<Option<usize>> {
    let Some(value) = result.get("value").and_then(Value::as_object) else { return Ok(None) };
    let Some(field) = ["choices", "labels"].into_iter().find(|f| value.contains_key(*f)) else {
        return Ok(None);
    };
    let labels = names(value.get(field).unwrap_or(&Value::Null), field)?;
    let offset = |name: &str| value.get(name).and_then(Value::as_u64);
    let span = offset("start").zip(offset("end"));
    let control = result.get("from_name").and_then(Value::as_str).unwrap_or_default();
    let fits = |l: &Layer| (l.kind == LayerKind::Target) == span.is_some();
    let named = codebook.layers.iter().position(|l| l.name == control && fits(l));
    let Some(layer) = named.or_else(|| {
        let all = |l: &Layer| fits(l) && labels.iter().all(|name| l.index_of(name).is_some());
        let mut known = (0..codebook.layers.len()).filter(|&i| all(&codebook.layers[i]));
        known.next().filter(|_| known.next().is_none() && !labels.is_empty())
    }) else {
        return Ok(None);
    };
    let said = said.entry(layer).or_default();
    let votes = match span {
        Some(span) => {
            let words = value.get("text").cloned().unwrap_or_default();
            &mut said.of_spans.entry(span).or_insert_with(|| (words, Votes::default())).1
        }
        None => &mut said.of_sentence,
    };
    labels.into_iter().for_each(|label| votes.add(label));
    Ok(Some(layer))
}

/// Writes what annotators said into the fields of a plain row.
fn write_answers(row: &mut Row, layer: &Layer, said: Said) {
    let alternative = format!("{}_alt", layer.name);
    match layer.kind {
        LayerKind::Single => {
            let mut answers = said.of_sentence.ranked().into_iter();
            row.extend(answers.next().map(|a| (layer.name.clone(), a.into())));
            row.extend(answers.next().map(|a| (alternative, a.into())));
        }
        LayerKind::Multi => {
            let (all, some): (Vec<_>, Vec<_>) =
                said.of_sentence.0.into_iter().partition(|(_, n)| *n >= said.n);
            let list = |answers: Vec<(String, usize)>| -> Value {
                answers.into_iter().map(|(a, _)| Value::from(a)).collect()
            };
            row.insert(layer.name.clone(), list(all));
            row.insert(format!("{}_optional", layer.name), list(some));
        }
        LayerKind::Target => {
            let spans = said.of_spans.into_iter().map(|((start, end), (text, votes))| {
                let mut span = Row::new();
                let mut answers = votes.ranked().into_iter();
                span.insert("start".into(), start.into());
                span.insert("end".into(), end.into());
                span.insert("text".into(), text);
                span.extend(answers.next().map(|a| (layer.name.clone(), a.into())));
                span.extend(answers.next().map(|a| (alternative.clone(), a.into())));
                Value::Object(span)
            });
            let spans: Vec<Value> = spans.collect();
            row.insert(layer.name.clone(), spans.into());
        }
    }
}
