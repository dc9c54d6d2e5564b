//! One row of named values to an example. Values may be typed, as in JSON, or all text, as in CSV.

use regex::Regex;
use serde_json::{Map, Value};

use super::{Answer, Choice, Example};
use crate::model::bundle::sha256_hex;
use crate::model::{Codebook, Layer, LayerKind};
use crate::text::normal::Normal;

pub(in crate::training) type Row = Map<String, Value>;
/// What was found, or what is wrong and where.
pub(super) type Parsed<T> = Result<T, String>;

/// Characters of a field that is kept for breakdowns.
const LONGEST_FIELD: usize = 200;

/// The example that a row tells.
pub(super) fn example(row: Row, codebook: &Codebook, pattern: Option<&Regex>) -> Parsed<Example> {
    let text = row.get("text").and_then(Value::as_str).ok_or_else(|| {
        let names: Vec<&str> = row.keys().map(String::as_str).take(20).collect();
        format!("field `text` is missing; the fields are: {}", names.join(", "))
    })?;
    if text.trim().is_empty() {
        return Err("field `text` is empty".into());
    }
    let normal = Normal::read(text, 0..text.len(), false);
    let named = |name: &str| {
        let captures = pattern?.captures(name)?;
        captures.get(1).or_else(|| captures.get(0)).map(|m| m.as_str().to_owned())
    };
    let answers = codebook
        .layers
        .iter()
        .map(|layer| match layer.kind {
            LayerKind::Single => single_answer(&row, layer),
            LayerKind::Multi => multi(&row, layer),
            LayerKind::Target => target(&row, layer, text, &normal),
        })
        .collect::<Parsed<_>>()?;
    let fields = row
        .iter()
        .filter(|(name, _)| *name != "text")
        .filter_map(|(name, value)| Some((name.clone(), plain(value)?)))
        .filter(|(_, value)| value.chars().count() <= LONGEST_FIELD)
        .collect();
    let value = |name: &str| row.get(name).and_then(plain);
    Ok(Example {
        document: value("document")
            .map(|d| named(&d).unwrap_or(d))
            .or_else(|| named(&value("id")?))
            .unwrap_or_else(|| sha256_hex(text.as_bytes())[..16].to_owned()),
        outlet: value("outlet"),
        fields,
        model_text: normal.text,
        answers,
        text: text.to_owned(),
    })
}

/// A simple value as text; `None` for nothing, lists and objects.
pub(in crate::training) fn plain(value: &Value) -> Option<String> {
    match value {
        Value::String(s) => Some(s.trim().to_owned()).filter(|s| !s.is_empty()),
        Value::Number(n) => Some(n.to_string()),
        Value::Bool(b) => Some(b.to_string()),
        Value::Null | Value::Array(_) | Value::Object(_) => None,
    }
}

fn present<'a>(row: &'a Row, field: &str) -> Option<&'a Value> {
    row.get(field).filter(|v| !v.is_null() && v.as_str().is_none_or(|s| !s.trim().is_empty()))
}

fn label(layer: &Layer, name: &str, field: &str) -> Parsed<usize> {
    layer.index_of(name).ok_or_else(|| {
        let known: Vec<&str> = layer.label_names().collect();
        format!("field `{field}`: {name:?} is no label of the codebook ({})", known.join(", "))
    })
}

/// The names in a list, however it is written: a JSON list, such a list as text (Python's too),
/// Label Studio's `{"choices": […]}`, or names with `|` between them.
pub(in crate::training) fn names(value: &Value, field: &str) -> Parsed<Vec<String>> {
    let wrong = || format!("field `{field}` is no list of labels but {value}");
    match value {
        Value::Array(items) => items.iter().map(|v| plain(v).ok_or_else(wrong)).collect(),
        Value::Object(object) => match object.get("choices") {
            Some(choices) => names(choices, field),
            None => Err(wrong()),
        },
        Value::String(text) => {
            let text = text.trim();
            if text.starts_with('{') {
                let value = serde_json::from_str::<Row>(text).map_err(|_| wrong())?;
                return names(value.get("choices").ok_or_else(wrong)?, field);
            }
            let bare = text.strip_prefix('[').and_then(|t| t.strip_suffix(']'));
            let separator = if bare.is_some() { ',' } else { '|' };
            let trim = |name: &str| name.trim().trim_matches(['"', '\'']).to_owned();
            let parts = bare.unwrap_or(text).split(separator).map(trim);
            Ok(parts.filter(|name| !name.is_empty()).collect())
        }
        _ => plain(value).map(|name| vec![name]).ok_or_else(wrong),
    }
}

/// The one label in a field.
fn one(row: &Row, layer: &Layer, field: &str) -> Parsed<Option<usize>> {
    let Some(value) = present(row, field) else { return Ok(None) };
    let found = names(value, field)?;
    match &found[..] {
        [] => Ok(None),
        [name] => label(layer, name, field).map(Some),
        _ => Err(format!(
            "field `{field}` has {} labels ({}), the layer takes one",
            found.len(),
            found.join(", ")
        )),
    }
}

fn single(row: &Row, layer: &Layer) -> Parsed<Option<Choice>> {
    let Some(label) = one(row, layer, &layer.name)? else { return Ok(None) };
    let alternative = one(row, layer, &format!("{}_alt", layer.name))?;
    Ok(Some(Choice { label, alternative }))
}

fn single_answer(row: &Row, layer: &Layer) -> Parsed<Answer> {
    if let Some(choice) = single(row, layer)? {
        return Ok(Answer::Single(choice));
    }
    let Some(columns) = label_columns(row, layer)? else { return Ok(Answer::None) };
    let given: Vec<usize> = (0..columns.len()).filter(|&i| columns[i] == Some(true)).collect();
    match given[..] {
        [label] => Ok(Answer::Single(Choice { label, alternative: None })),
        _ => Err(format!(
            "the columns `{}:…` give {} labels, the layer takes one",
            layer.name,
            given.len()
        )),
    }
}

/// The values of the columns `LAYER:LABEL`, if there is one with a value.
fn label_columns(row: &Row, layer: &Layer) -> Parsed<Option<Vec<Option<bool>>>> {
    let mut labels = vec![None; layer.labels.len()];
    let mut any = false;
    for (field, value) in row {
        let Some(name) = field.strip_prefix(&layer.name).and_then(|f| f.strip_prefix(':')) else {
            continue;
        };
        let at = label(layer, name.trim(), field)?;
        let Some(text) = plain(value) else { continue };
        labels[at] = Some(match text.to_ascii_lowercase().as_str() {
            "1" | "1.0" | "true" | "yes" => true,
            "0" | "0.0" | "false" | "no" => false,
            _ => return Err(format!("field `{field}` is {text:?}, it must be 0 or 1")),
        });
        any = true;
    }
    Ok(any.then_some(labels))
}

fn multi(row: &Row, layer: &Layer) -> Parsed<Answer> {
    let Some(value) = present(row, &layer.name) else {
        return Ok(label_columns(row, layer)?.map_or(Answer::None, Answer::Multi));
    };
    let mut labels = vec![Some(false); layer.labels.len()];
    let mut mark = |field: &str, value: &Value, as_: Option<bool>| -> Parsed<()> {
        for name in names(value, field)? {
            if name != "none" || layer.index_of("none").is_some() {
                labels[label(layer, &name, field)?] = as_;
            }
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
    if let Some(spans) = spans(row, layer)? {
        let mentions = spans
            .iter()
            .map(|span| {
                let span = span.as_object().ok_or_else(|| {
                    format!("field `{}` lists {span} where a span is expected", layer.name)
                })?;
                mention(span, layer, text, normal, true)
            })
            .collect::<Parsed<Vec<_>>>()?;
        let mentions: Vec<_> = mentions.into_iter().flatten().collect();
        return Ok(if mentions.is_empty() { Answer::None } else { Answer::Target(mentions) });
    }
    let source = match (row.get("target"), present(row, "mention")) {
        (Some(Value::Object(inner)), _) => inner,
        (Some(Value::String(_)), _) | (_, Some(_)) => row,
        _ => return Ok(Answer::None),
    };
    Ok(match mention(source, layer, text, normal, false)? {
        Some(mention) => Answer::Target(vec![mention]),
        None => Answer::None,
    })
}

/// A layer's own field as a list of spans, if it is one.
fn spans(row: &Row, layer: &Layer) -> Parsed<Option<Vec<Value>>> {
    match present(row, &layer.name) {
        Some(Value::Array(spans)) => Ok(Some(spans.clone())),
        Some(Value::String(s)) if s.trim_start().starts_with('[') => serde_json::from_str(s)
            .map(Some)
            .map_err(|e| format!("field `{}` is no list of spans: {e}", layer.name)),
        _ => Ok(None),
    }
}

/// A mention and its label: bytes of the normal text. `of_export` says that `source` is a span
/// of an export, which names its label in its own way and repeats the words that it covers.
fn mention(
    source: &Row,
    layer: &Layer,
    text: &str,
    normal: &Normal,
    of_export: bool,
) -> Parsed<Option<(std::ops::Range<usize>, Choice)>> {
    let usual = ["choices", "labels", "label"];
    let other = usual.into_iter().find(|f| of_export && source.contains_key(*f));
    let choice = match (single(source, layer)?, other) {
        (None, Some(field)) => {
            one(source, layer, field)?.map(|label| Choice { label, alternative: None })
        }
        (choice, _) => choice,
    };
    let Some(choice) = choice else { return Ok(None) };
    let (from, to) = place(source, text, of_export)?;
    let first = normal.map.partition_point(|&at| (at as usize) < from);
    let last = normal.map.partition_point(|&at| (at as usize) < to);
    if first >= last {
        return Err(format!("the target's offsets {from} to {to} hold no words"));
    }
    Ok(Some((first..last, choice)))
}

/// The bytes of `text` that a mention stands on.
fn place(source: &Row, text: &str, of_export: bool) -> Parsed<(usize, usize)> {
    let offset = |names: [&str; 2]| -> Parsed<Option<usize>> {
        let Some(value) = names.iter().find_map(|n| present(source, n)) else { return Ok(None) };
        let number = plain(value).and_then(|v| v.parse::<f64>().ok());
        match number.filter(|n| *n >= 0.0 && n.fract() == 0.0 && *n < 1e9) {
            Some(number) => Ok(Some(number as usize)),
            None => Err(format!("field `{}` of the target is no offset but {value}", names[0])),
        }
    };
    let (start, end) = (offset(["start", "start_offset"])?, offset(["end", "end_offset"])?);
    let string = |name: &str| source.get(name).and_then(Value::as_str);
    let (Some(start), Some(end)) = (start, end) else {
        if start.is_some() || end.is_some() {
            return Err("the target has one of `start` and `end`; give both or none".into());
        }
        let mention = string("mention")
            .or_else(|| string("target"))
            .map(str::trim)
            .filter(|m| !m.is_empty())
            .ok_or("field `start` of the target is missing")?;
        let mut found = text.match_indices(mention);
        return match (found.next(), found.next()) {
            (Some((at, _)), None) => Ok((at, at + mention.len())),
            (None, _) => Err(format!("the mention {mention:?} does not stand in the text")),
            _ => Err(format!(
                "the mention {mention:?} stands in the text more than once; give its `start` and `end`"
            )),
        };
    };
    let outside = || format!("the target's offsets {start} to {end} are outside the text");
    let by_chars = cut(text, start, end, |_| 1);
    let Some(words) = string("text").filter(|_| of_export) else {
        return by_chars.ok_or_else(outside);
    };
    let holds = |&(from, to): &(usize, usize)| text.get(from..to) == Some(words);
    by_chars
        .filter(holds)
        // Browsers count in 16-bit units, which differ from characters after an emoji.
        .or_else(|| cut(text, start, end, char::len_utf16).filter(holds))
        .ok_or_else(|| {
            format!("the span's offsets {start} to {end} do not cut out its text {words:?}")
        })
}

/// The bytes from `start` to `end`, counted in units of which a character takes `width`.
fn cut(text: &str, start: usize, end: usize, width: fn(char) -> usize) -> Option<(usize, usize)> {
    let mut units = 0;
    let (mut from, mut to) = (None, None);
    for (at, c) in text.char_indices().chain([(text.len(), '\0')]) {
        if units == start {
            from = Some(at);
        }
        if units == end {
            to = Some(at);
            break;
        }
        units += width(c);
    }
    from.zip(to).filter(|(from, to)| from < to)
}
