//! From rows to what is judged: texts to sentences, spans to answers, probabilities to scores.

use std::path::Path;

use serde_json::Value;

use super::super::data::row::{Row, names, plain};
use super::{Quotations, Task, Unit};
use crate::corpus::{Article, Record, Records, Skip};
use crate::error::{Error, Result};
use crate::model::bundle::sha256_hex;
use crate::model::predict::{Batching, predict_all};
use crate::model::{Layer, LayerKind, Model, Scores};
use crate::text::{Role, model_text, split};

/// One thing that is judged.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Item {
    /// The document, as an index.
    pub document: usize,
    /// Its name.
    pub name: String,
    /// Its outlet, where known.
    pub outlet: Option<String>,
    /// The sentence; empty for an article.
    pub text: String,
    /// The part of the article that the sentence is.
    pub role: Option<Role>,
    /// For each label whether it is right.
    pub gold: Vec<bool>,
    /// For each label the probability, or for an article their sum.
    pub scores: Vec<f32>,
    /// For each label whether the model gives it.
    pub given: Vec<bool>,
}

/// A sentence on its way through the model.
struct Pending {
    /// The row, as an index.
    row: usize,
    text: String,
    /// `None` for boilerplate.
    model_text: Option<String>,
    role: Option<Role>,
    gold: bool,
}

/// A row, before its sentences are scored.
struct Source {
    name: String,
    document: usize,
    outlet: Option<String>,
    gold: Vec<bool>,
}

/// Reads the rows of `data` and scores them. Returns what is to be judged and the rows passed over.
pub(super) fn items(
    task: &Task,
    layer: &Layer,
    model: &Model,
    data: &Path,
    batching: Batching,
) -> Result<(Vec<Item>, Vec<Skip>)> {
    let (mut sources, mut pending, mut skipped) = (Vec::new(), Vec::new(), Vec::new());
    let mut documents = std::collections::HashMap::new();
    for record in Records::open(data)? {
        let parsed = record?.and_then(|Record { number, values }| {
            row(task, layer, values).map_err(|reason| Skip {
                file: data.display().to_string(),
                row: number,
                reason,
            })
        });
        match parsed {
            Ok((mut source, sentences)) => {
                let next = documents.len();
                source.document = *documents.entry(source.name.clone()).or_insert(next);
                let at = sources.len();
                pending.extend(sentences.into_iter().map(|s| Pending { row: at, ..s }));
                sources.push(source);
            }
            Err(skip) => skipped.push(skip),
        }
    }
    if pending.is_empty() {
        let reason = skipped.first().map_or("it has no rows", |s| &s.reason);
        return Err(Error::input(data.display(), format!("no row can be used: {reason}"))
            .with_hint("the task's file says which fields the rows must have"));
    }
    let scores = score(task, layer, model, &pending, batching)?;
    let answers = scores.iter().map(|s| answers(task, layer, s.as_ref())).collect();
    Ok((judged(task, sources, pending, answers), skipped))
}

/// One row: what it says, and its sentences.
fn row(
    task: &Task,
    layer: &Layer,
    row: Row,
) -> std::result::Result<(Source, Vec<Pending>), String> {
    let text = match row.get("text").and_then(Value::as_str) {
        Some(text) if !text.trim().is_empty() => text,
        _ => return Err("field `text` is missing or empty".into()),
    };
    let gold = &task.gold;
    let field = |name: &str| {
        row.get(name).filter(|v| !v.is_null()).ok_or(format!("field `{name}` is missing"))
    };
    let mut of_row = Vec::new();
    let mut spans = Vec::new();
    if let Some(name) = &gold.flag {
        of_row = vec![truth(name, field(name)?)?];
    } else if let Some(name) = &gold.labels {
        of_row = vec![false; layer.labels.len()];
        for found in names(field(name)?, name)? {
            let label = gold.rename.get(&found).unwrap_or(&found);
            let at = layer.index_of(label).ok_or_else(|| {
                format!("field `{name}`: {label:?} is no label of layer {}", layer.name)
            })?;
            of_row[at] = true;
        }
    } else if let Some(name) = &gold.spans {
        spans = wanted_spans(task, name, field(name)?)?;
    }
    let value = |name: &str| row.get(name).and_then(plain);
    let name = value("document").or_else(|| value("id"));
    let source = Source {
        name: name.unwrap_or_else(|| sha256_hex(text.as_bytes())[..16].to_owned()),
        document: 0,
        outlet: value("outlet"),
        gold: of_row,
    };
    if task.unit == Unit::Row {
        let sentence = Pending {
            row: 0,
            text: text.to_owned(),
            model_text: Some(model_text(text)),
            role: None,
            gold: false,
        };
        return Ok((source, vec![sentence]));
    }
    let characters = covered(text, &spans)?;
    let article = Article { text: text.to_owned(), ..Article::default() };
    let sentences = split(&article).into_iter().filter_map(|s| {
        let covers = characters.get(s.start?..s.end?)?;
        let share = covers.iter().filter(|c| **c).count() as f64 / covers.len().max(1) as f64;
        let read = match task.quotations {
            Quotations::Restored => s.model_text,
            Quotations::Alone => model_text(&s.text),
        };
        Some(Pending {
            row: 0,
            model_text: (s.role != Role::Boilerplate).then_some(read),
            text: s.text,
            role: Some(s.role),
            gold: share >= task.gold.cover && share > 0.0,
        })
    });
    Ok((source, sentences.collect()))
}

fn truth(name: &str, value: &Value) -> std::result::Result<bool, String> {
    match plain(value).map(|v| v.to_ascii_lowercase()).as_deref() {
        Some("true" | "1" | "1.0" | "yes") => Ok(true),
        Some("false" | "0" | "0.0" | "no") => Ok(false),
        _ => Err(format!("field `{name}` is {value}, it must be true or false")),
    }
}

/// The spans that count, in characters.
fn wanted_spans(
    task: &Task,
    name: &str,
    value: &Value,
) -> std::result::Result<Vec<(usize, usize)>, String> {
    let list = value.as_array().ok_or_else(|| format!("field `{name}` is no list of spans"))?;
    let wanted = |span: &&Value| {
        let says = |(key, wanted): (&String, &String)| {
            span.get(key).and_then(plain).as_ref() == Some(wanted)
        };
        task.gold.filter.iter().all(says)
    };
    let ends = |span: &Value| {
        let at = |key: &str| span.get(key).and_then(Value::as_u64).map(|n| n as usize);
        at("start")
            .zip(at("end"))
            .filter(|(start, end)| start <= end)
            .ok_or_else(|| format!("field `{name}` holds a span without `start` and `end`: {span}"))
    };
    list.iter().filter(wanted).map(ends).collect()
}

/// For each character of `text` whether a span covers it.
fn covered(text: &str, spans: &[(usize, usize)]) -> std::result::Result<Vec<bool>, String> {
    let mut covered = vec![false; text.chars().count()];
    let n = covered.len();
    for &(start, end) in spans {
        covered
            .get_mut(start..end)
            .ok_or_else(|| {
                format!("a span, {start} to {end}, ends behind the text's {n} characters")
            })?
            .fill(true);
    }
    Ok(covered)
}

/// The layer's scores of each sentence; `None` for boilerplate.
fn score(
    task: &Task,
    layer: &Layer,
    model: &Model,
    pending: &[Pending],
    batching: Batching,
) -> Result<Vec<Option<Scores>>> {
    let prepared = pending
        .iter()
        .map(|p| p.model_text.as_ref().map(|text| model.prepare(text, &[])).transpose())
        .collect::<Result<Vec<_>>>()?;
    let units: Vec<_> = prepared.iter().flatten().flat_map(|p| &p.units).collect();
    let mut predictions = predict_all(model, &units, batching, &|_| {})?.into_iter();
    let sentence_layers = model.codebook().sentence_layers();
    let at = sentence_layers.map(|l| &l.name).position(|name| *name == layer.name);
    let at = at.ok_or_else(|| Error::model(&task.name, "the model does not have the layer"))?;
    Ok(prepared
        .iter()
        .map(|p| {
            let p = p.as_ref()?;
            let mine: Vec<_> = predictions.by_ref().take(p.units.len()).collect();
            model.scores(p, &mine).layers.into_iter().nth(at)
        })
        .collect())
}

/// The answers to the task's labels, from the layer's.
fn answers(task: &Task, layer: &Layer, scores: Option<&Scores>) -> (Vec<f32>, Vec<bool>) {
    let n = if task.asks() { 1 } else { layer.labels.len() };
    let Some(scores) = scores else { return (vec![0.0; n], vec![false; n]) };
    if !task.asks() {
        let given = (0..n).map(|l| scores.labels.contains(&l)).collect();
        return (scores.probabilities.clone(), given);
    }
    let from: Vec<usize> = task.predicted.from.iter().filter_map(|f| layer.index_of(f)).collect();
    let p = |l: &usize| scores.probabilities.get(*l).copied().unwrap_or_default();
    let yes = if layer.kind == LayerKind::Multi {
        from.iter().map(p).fold(0.0, f32::max)
    } else {
        from.iter().map(p).sum()
    };
    (vec![yes], vec![from.iter().any(|l| scores.labels.contains(l))])
}

fn judged(
    task: &Task,
    sources: Vec<Source>,
    pending: Vec<Pending>,
    answers: Vec<(Vec<f32>, Vec<bool>)>,
) -> Vec<Item> {
    let item = |source: &Source, gold: Vec<bool>, text: String| Item {
        document: source.document,
        name: source.name.clone(),
        outlet: source.outlet.clone(),
        text,
        role: None,
        gold,
        scores: Vec::new(),
        given: Vec::new(),
    };
    let mut items: Vec<Item> = Vec::new();
    if task.unit == Unit::Article {
        items.extend(sources.iter().map(|s| item(s, s.gold.clone(), String::new())));
    }
    for (p, (probabilities, given)) in pending.into_iter().zip(answers) {
        if task.unit == Unit::Article {
            let Some(item) = items.get_mut(p.row) else { continue };
            item.scores.resize(probabilities.len(), 0.0);
            item.given.resize(given.len(), false);
            item.scores.iter_mut().zip(probabilities).for_each(|(sum, p)| *sum += p);
            item.given.iter_mut().zip(given).for_each(|(any, given)| *any |= given);
            continue;
        }
        let Some(source) = sources.get(p.row) else { continue };
        let gold = if task.unit == Unit::Row { source.gold.clone() } else { vec![p.gold] };
        let item = item(source, gold, p.text);
        items.push(Item { role: p.role, scores: probabilities, given, ..item });
    }
    items
}
