//! The tables behind the charts, as JSON inside the page, for downloads.

use std::collections::HashMap;

use serde_json::{Map, Value, json};

use super::context::Context;
use super::{contrasts, text, words};
use crate::error::{Error, Result};

/// Most profile rows carried; rows over all events and periods come first.
const MOST_ROWS: usize = 16_000;

/// Texts by number: names stand in thousands of rows.
#[derive(Default)]
struct Names<'a> {
    list: Vec<&'a str>,
    number: HashMap<&'a str, usize>,
}

impl<'a> Names<'a> {
    fn of(&mut self, name: &'a str) -> Value {
        let next = self.list.len();
        let number = *self.number.entry(name).or_insert(next);
        if number == next {
            self.list.push(name);
        }
        json!(number)
    }

    fn of_any(&mut self, name: Option<&'a str>) -> Value {
        name.map_or(Value::Null, |n| self.of(n))
    }
}

/// The tables as JSON that may stand inside a `script` element: no character in it can
/// end the element or a line.
///
/// A table has `columns`, of which the first `named` hold numbers of entries of `names`.
pub(super) fn embedded(cx: &Context) -> Result<String> {
    let mut names = Names::default();
    let mut profiles: Vec<_> = cx.input.profiles.iter().collect();
    profiles.sort_by_key(|r| usize::from(r.event.is_some()) + 2 * usize::from(r.period.is_some()));
    let profiles: Vec<Value> = profiles
        .into_iter()
        .take(MOST_ROWS)
        .map(|r| {
            json!([
                names.of(&r.outlet),
                names.of_any(r.event.as_deref()),
                names.of_any(r.period.as_deref()),
                names.of(&r.layer),
                names.of(&r.label),
                r.n_articles,
                r.n_sentences,
                round(Some(r.share)),
                round(r.low),
                round(r.high)
            ])
        })
        .collect();
    let contrasts: Vec<Value> = contrasts::shown(cx)
        .into_iter()
        .map(|r| {
            json!([
                names.of(&r.outlet_a),
                names.of(&r.outlet_b),
                names.of(&r.layer),
                names.of(&r.label),
                round(Some(r.difference)),
                round(r.low),
                round(r.high),
                round(r.p),
                round(r.q)
            ])
        })
        .collect();
    let targets: Vec<Value> = cx
        .input
        .target_profiles
        .iter()
        .take(MOST_ROWS)
        .map(|r| {
            json!([
                names.of(&r.outlet),
                names.of(&r.target),
                names.of(&r.layer),
                names.of(&r.label),
                r.n_articles,
                r.n_mentions,
                round(Some(r.share)),
                round(r.low),
                round(r.high)
            ])
        })
        .collect();
    let words: Vec<Value> = words::shown(cx)
        .into_iter()
        .flatten()
        .flatten()
        .map(|w| {
            json!([
                names.of(&w.outlet),
                names.of_any(w.against.as_deref()),
                names.of(&w.scope),
                names.of_any(w.layer.as_deref()),
                names.of_any(w.label.as_deref()),
                names.of_any(w.target.as_deref()),
                names.of(&w.term),
                w.count,
                w.count_rest,
                w.n_articles,
                round(Some(w.log_odds)),
                round(Some(w.z))
            ])
        })
        .collect();
    let all = json!({
        "names": names.list,
        "labels": labels(cx),
        "profiles": {
            "columns": ["outlet", "event", "period", "layer", "label", "n_articles",
                "n_sentences", "share", "low", "high"],
            "named": 5,
            "rows": profiles,
        },
        "contrasts": {
            "columns": ["outlet_a", "outlet_b", "layer", "label", "difference", "low", "high",
                "p", "q"],
            "named": 4,
            "rows": contrasts,
        },
        "targets": {
            "columns": ["outlet", "target", "layer", "label", "n_articles", "n_mentions",
                "share", "low", "high"],
            "named": 4,
            "rows": targets,
        },
        "words": {
            "columns": ["outlet", "against", "scope", "layer", "label", "target", "term",
                "count", "count_rest", "n_articles", "log_odds", "z"],
            "named": 7,
            "rows": words,
        },
    });
    let text = serde_json::to_string(&all).map_err(|e| Error::table("report", e))?;
    Ok(harmless(&text))
}

/// What the keys of a sentence stand for.
fn labels(cx: &Context) -> Map<String, Value> {
    let layers = cx.layers.iter().enumerate().flat_map(|(i, l)| {
        let name = text::spaced(&l.layer.name);
        l.chips
            .iter()
            .enumerate()
            .map(move |(j, c)| (format!("{i}.{j}"), json!(format!("{name}: {}", c.name))))
    });
    layers.collect()
}

/// Four digits are more than the sample carries, and half the bytes.
fn round(x: Option<f64>) -> Option<f64> {
    x.filter(|x| x.is_finite()).map(|x| (x * 1e4).round() / 1e4)
}

/// Writes the characters that mean something to HTML or to old JavaScript as escapes;
/// they occur in JSON only inside strings, where the escape means the same.
fn harmless(json: &str) -> String {
    let mut out = String::with_capacity(json.len());
    for c in json.chars() {
        match c {
            '<' | '>' | '&' | '\u{2028}' | '\u{2029}' => {
                out.push_str(&format!("\\u{:04x}", u32::from(c)));
            }
            c => out.push(c),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn escaping_changes_no_value(text in "(\\PC|[<>&\u{2028}\u{2029}\"\\\\]){0,40}") {
            let safe = harmless(&serde_json::to_string(&text).unwrap());
            let unsafe_left = safe.contains(['<', '>', '&', '\u{2028}', '\u{2029}']);
            prop_assert!(!unsafe_left);
            let back: String = serde_json::from_str(&safe).unwrap();
            prop_assert_eq!(back, text);
        }
    }
}
