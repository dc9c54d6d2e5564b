//! Labelled sentences: reading them, and splitting them by document.

use std::collections::{HashMap, HashSet};
use std::io::{BufRead, BufReader};
use std::ops::Range;
use std::path::Path;

use regex::Regex;
use serde_json::{Map, Value};

use crate::corpus::Skip;
use crate::error::{Error, Result};
use crate::model::bundle::sha256_hex;
use crate::model::{Codebook, Layer, LayerKind};
use crate::text::normal::Normal;

/// A labelled sentence.
#[derive(Debug, Clone, PartialEq)]
pub struct Example {
    /// The sentence as it stands in the file.
    pub text: String,
    /// The sentence as the model reads it.
    pub model_text: String,
    /// What groups sentences of one article; the sentence itself where nothing is known.
    pub document: String,
    /// The outlet, where known.
    pub outlet: Option<String>,
    /// The answers to each layer of the codebook, in order.
    pub answers: Vec<Answer>,
}

/// What a labelled sentence says on one layer.
#[derive(Debug, Clone, PartialEq)]
pub enum Answer {
    /// Nothing.
    None,
    /// One label; `alternative` counts as right too.
    Single(Choice),
    /// For each label: yes, no, or neither right nor wrong (`None`).
    Multi(Vec<Option<bool>>),
    /// A label for each mention, given as bytes of [`Example::model_text`].
    Target(Vec<(Range<usize>, Choice)>),
}

/// A label and, where annotators differed, a second one that counts as right.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Choice {
    /// The label's index.
    pub label: usize,
    /// A second answer.
    pub alternative: Option<usize>,
}

impl Choice {
    /// The label to score `predicted` against: itself, where it is one of the answers.
    pub fn gold_for(&self, predicted: usize) -> usize {
        if self.alternative == Some(predicted) { predicted } else { self.label }
    }
}

/// Labelled sentences and what was passed over.
#[derive(Debug, Default)]
pub struct LabelledData {
    /// The sentences.
    pub examples: Vec<Example>,
    /// Rows that could not be used.
    pub skipped: Vec<Skip>,
}

/// Reads JSON lines with a `text` and, for each layer of `codebook`, a field of its name:
/// a label for a single layer (and `LAYER_alt` for a second answer), a list of labels for a
/// multi layer (and `LAYER_optional` for labels that are neither right nor wrong). For target
/// layers either `target: {mention, start, end, LAYER}` or, as in NewsMTSC, `target`, `start`,
/// `end` and `LAYER` side by side; offsets count characters of `text`. Missing fields mean
/// that the sentence says nothing on that layer. Rows of a document with the same text are
/// merged. The document is named by the field `document`, else by `id` if `document_pattern`, a
/// regular expression, matches it; the pattern's first group cuts the name out of either.
///
/// # Errors
/// If the file cannot be read or not one row can be used.
pub fn read_labelled(
    path: &Path,
    codebook: &Codebook,
    document_pattern: Option<&str>,
) -> Result<LabelledData> {
    let pattern = document_pattern
        .map(Regex::new)
        .transpose()
        .map_err(|e| Error::setting(format!("document_pattern is no regular expression: {e}")))?;
    let file = std::fs::File::open(path).map_err(|e| Error::io(path, e))?;
    let mut data = LabelledData::default();
    let mut by_text: HashMap<(String, String), usize> = HashMap::new();
    for (row, line) in BufReader::new(file).lines().enumerate() {
        let line = line.map_err(|e| Error::io(path, e))?;
        if line.trim().is_empty() {
            continue;
        }
        let parsed = serde_json::from_str::<Map<String, Value>>(&line)
            .map_err(|e| format!("no JSON object: {e}"))
            .and_then(|row| example(&row, codebook, pattern.as_ref()));
        match parsed {
            Ok(example) => {
                let key = (example.document.clone(), example.text.clone());
                match by_text.get(&key) {
                    Some(&at) => merge(&mut data.examples[at], example),
                    None => {
                        by_text.insert(key, data.examples.len());
                        data.examples.push(example);
                    }
                }
            }
            Err(reason) => data.skipped.push(Skip {
                file: path.display().to_string(),
                row: Some(row as u64 + 1),
                reason,
            }),
        }
    }
    if data.examples.is_empty() {
        let message = match data.skipped.first() {
            Some(skip) => format!(
                "no row can be used; the first, row {}, because: {}",
                skip.row.unwrap_or(1),
                skip.reason
            ),
            None => "the file has no rows".into(),
        };
        return Err(Error::input(path.display(), message)
            .with_hint("a row is a JSON object with `text` and a field for each layer"));
    }
    Ok(data)
}

/// Adds the answers of `other` where `example` has none; mentions are joined.
fn merge(example: &mut Example, other: Example) {
    for (mine, theirs) in example.answers.iter_mut().zip(other.answers) {
        match (mine, theirs) {
            (Answer::Target(mine), Answer::Target(theirs)) => {
                mine.extend(theirs);
            }
            (mine @ Answer::None, theirs) => *mine = theirs,
            _ => {}
        }
    }
}

type Row = Map<String, Value>;
type Parsed<T> = std::result::Result<T, String>;

fn example(row: &Row, codebook: &Codebook, pattern: Option<&Regex>) -> Parsed<Example> {
    let text = row.get("text").and_then(Value::as_str).ok_or("field `text` is missing")?;
    if text.trim().is_empty() {
        return Err("field `text` is empty".into());
    }
    let normal = Normal::read(text, 0..text.len(), false);
    let string = |name: &str| row.get(name).and_then(Value::as_str);
    let named = |name: &str| {
        let captures = pattern?.captures(name)?;
        captures.get(1).or_else(|| captures.get(0)).map(|m| m.as_str().to_owned())
    };
    let answers = codebook
        .layers
        .iter()
        .map(|layer| match layer.kind {
            LayerKind::Single => single(row, layer, &layer.name).map(|c| match c {
                Some(choice) => Answer::Single(choice),
                None => Answer::None,
            }),
            LayerKind::Multi => multi(row, layer),
            LayerKind::Target => target(row, layer, text, &normal),
        })
        .collect::<Parsed<_>>()?;
    Ok(Example {
        document: string("document")
            .map(|d| named(d).unwrap_or_else(|| d.to_owned()))
            .or_else(|| named(string("id")?))
            .unwrap_or_else(|| sha256_hex(text.as_bytes())[..16].to_owned()),
        outlet: string("outlet").map(str::to_owned),
        text: text.to_owned(),
        model_text: normal.text,
        answers,
    })
}

fn label(layer: &Layer, value: &Value, field: &str) -> Parsed<usize> {
    let name = value.as_str().ok_or_else(|| format!("field `{field}` is no label but {value}"))?;
    layer.index_of(name).ok_or_else(|| {
        let known: Vec<&str> = layer.label_names().collect();
        format!("field `{field}`: {name:?} is no label of the codebook ({})", known.join(", "))
    })
}

fn present<'a>(row: &'a Row, field: &str) -> Option<&'a Value> {
    row.get(field).filter(|v| !v.is_null())
}

fn single(row: &Row, layer: &Layer, field: &str) -> Parsed<Option<Choice>> {
    let Some(value) = present(row, field) else { return Ok(None) };
    let alternative = format!("{field}_alt");
    Ok(Some(Choice {
        label: label(layer, value, field)?,
        alternative: present(row, &alternative)
            .map(|v| label(layer, v, &alternative))
            .transpose()?,
    }))
}

fn multi(row: &Row, layer: &Layer) -> Parsed<Answer> {
    let Some(value) = present(row, &layer.name) else { return Ok(Answer::None) };
    let mut labels = vec![Some(false); layer.labels.len()];
    let mut mark = |field: &str, value: &Value, as_: Option<bool>| -> Parsed<()> {
        let list =
            value.as_array().ok_or_else(|| format!("field `{field}` is no list of labels"))?;
        for v in list {
            labels[label(layer, v, field)?] = as_;
        }
        Ok(())
    };
    let optional = format!("{}_optional", layer.name);
    if let Some(value) = present(row, &optional) {
        mark(&optional, value, None)?;
    }
    mark(&layer.name, value, Some(true))?;
    Ok(Answer::Multi(labels))
}

fn target(row: &Row, layer: &Layer, text: &str, normal: &Normal) -> Parsed<Answer> {
    let source = match present(row, "target") {
        Some(Value::Object(inner)) => inner,
        Some(Value::String(_)) => row,
        _ => return Ok(Answer::None),
    };
    let Some(choice) = single(source, layer, &layer.name)? else { return Ok(Answer::None) };
    let offset = |name: &str| {
        source
            .get(name)
            .and_then(Value::as_u64)
            .ok_or_else(|| format!("field `{name}` of the target is no offset"))
    };
    let (start, end) = (offset("start")? as usize, offset("end")? as usize);
    let mut bytes = text.char_indices().map(|(at, _)| at).chain([text.len()]);
    let from = bytes.nth(start);
    let to = if end > start { bytes.nth(end - start - 1) } else { None };
    let (Some(from), Some(to)) = (from, to) else {
        return Err(format!("the target's offsets {start} to {end} are outside the text"));
    };
    let first = normal.map.partition_point(|&at| (at as usize) < from);
    let last = normal.map.partition_point(|&at| (at as usize) < to);
    if first >= last {
        return Err(format!("the target's offsets {start} to {end} hold no words"));
    }
    Ok(Answer::Target(vec![(first..last, choice)]))
}

/// Splits by document: whether a document goes into the dev part depends on its name and the
/// seed alone.
pub fn split(examples: Vec<Example>, share: f64, seed: u64) -> (Vec<Example>, Vec<Example>) {
    examples.into_iter().partition(|e| {
        let hash = sha256_hex(format!("{seed} {}", e.document).as_bytes());
        let draw = u32::from_str_radix(&hash[..8], 16).unwrap_or(0);
        f64::from(draw) / f64::from(u32::MAX) >= share
    })
}

/// Takes out of `examples` what must stay unseen: every sentence of a document that occurs in
/// `held_out`, and every sentence with the text of one there.
pub fn without(examples: Vec<Example>, held_out: &[Example]) -> Vec<Example> {
    let documents: HashSet<&str> = held_out.iter().map(|e| e.document.as_str()).collect();
    let texts: HashSet<&str> = held_out.iter().map(|e| e.model_text.as_str()).collect();
    let seen = |e: &Example| {
        documents.contains(e.document.as_str()) || texts.contains(e.model_text.as_str())
    };
    examples.into_iter().filter(|e| !seen(e)).collect()
}

/// Documents that stand in both parts: a leak if one trains and the other tests.
pub fn shared_documents(a: &[Example], b: &[Example]) -> usize {
    let names: HashSet<&str> = a.iter().map(|e| e.document.as_str()).collect();
    b.iter()
        .map(|e| e.document.as_str())
        .filter(|d| names.contains(d))
        .collect::<HashSet<_>>()
        .len()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn codebook() -> Codebook {
        Codebook::from_toml(
            r#"
            name = "test"
            [[layer]]
            name = "engagement"
            kind = "single"
            labels = [{ name = "assert" }, { name = "deny" }]
            [[layer]]
            name = "frames"
            kind = "multi"
            labels = [{ name = "economic" }, { name = "political" }]
            [[layer]]
            name = "stance"
            kind = "target"
            labels = [{ name = "unfavourable" }, { name = "favourable" }]
            "#,
        )
        .unwrap()
    }

    fn read(text: &str) -> Parsed<Example> {
        let row = serde_json::from_str(text).unwrap();
        example(&row, &codebook(), Some(&Regex::new(r"^(\w+)_\d+").unwrap()))
    }

    #[test]
    fn reads_all_kinds_of_answers() {
        let e = read(
            r#"{"text": "“A\u00a0B” rose", "engagement": "assert", "engagement_alt": "deny",
                "frames": ["political"], "frames_optional": ["economic"], "id": "doc_7",
                "target": {"mention": "B", "start": 3, "end": 4, "stance": "favourable"}}"#,
        )
        .unwrap();
        assert_eq!(e.document, "doc");
        assert_eq!(e.answers[0], Answer::Single(Choice { label: 0, alternative: Some(1) }));
        assert_eq!(e.answers[1], Answer::Multi(vec![None, Some(true)]));
        let Answer::Target(mentions) = &e.answers[2] else { panic!() };
        assert_eq!(&e.model_text[mentions[0].0.clone()], "B");
    }

    #[test]
    fn reads_rows_of_newsmtsc() {
        let e = read(
            r#"{"id": "x", "text": "Ana won", "start": 0, "end": 3, "target": "Ana", "stance": "favourable"}"#,
        )
        .unwrap();
        assert!(matches!(&e.answers[2], Answer::Target(m) if m.len() == 1));
        assert_eq!(e.answers[0], Answer::None);
    }

    #[test]
    fn names_the_field_that_is_wrong() {
        let unknown = read(r#"{"text": "x", "engagement": "assrt"}"#).unwrap_err();
        assert!(unknown.contains("`engagement`") && unknown.contains("assert, deny"), "{unknown}");
        let outside =
            read(r#"{"text": "x", "target": {"start": 3, "end": 9, "stance": "favourable"}}"#);
        assert!(outside.unwrap_err().contains("outside the text"));
    }

    #[test]
    fn splits_by_document() {
        let example = |i: usize| Example {
            text: i.to_string(),
            model_text: i.to_string(),
            document: (i / 3).to_string(),
            outlet: None,
            answers: vec![],
        };
        let (train, dev) = split((0..900).map(example).collect(), 0.2, 1);
        assert_eq!(shared_documents(&train, &dev), 0);
        assert!((120..240).contains(&dev.len()), "{}", dev.len());
    }
}
