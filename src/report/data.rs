//! The tables behind the charts, as JSON inside the page, for downloads.

use serde_json::{Value, json};

use super::context::Context;
use super::contrasts;
use crate::error::{Error, Result};

/// Most profile rows carried; rows over all events and periods come first.
const MOST_ROWS: usize = 20_000;

/// The tables as JSON that may stand inside a `script` element: no character in it can
/// end the element or a line.
pub(super) fn embedded(cx: &Context) -> Result<String> {
    let mut profiles: Vec<_> = cx.input.profiles.iter().collect();
    profiles.sort_by_key(|r| usize::from(r.event.is_some()) + usize::from(r.period.is_some()));
    let profiles: Vec<Value> = profiles
        .into_iter()
        .take(MOST_ROWS)
        .map(|r| {
            json!([
                r.outlet,
                r.event,
                r.period,
                r.layer,
                r.label,
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
                r.outlet_a,
                r.outlet_b,
                r.layer,
                r.label,
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
                r.outlet,
                r.target,
                r.layer,
                r.label,
                r.n_articles,
                r.n_mentions,
                round(Some(r.share)),
                round(r.low),
                round(r.high)
            ])
        })
        .collect();
    let all = json!({
        "profiles": {
            "columns": ["outlet", "event", "period", "layer", "label", "n_articles",
                "n_sentences", "share", "low", "high"],
            "rows": profiles,
        },
        "contrasts": {
            "columns": ["outlet_a", "outlet_b", "layer", "label", "difference", "low", "high",
                "p", "q"],
            "rows": contrasts,
        },
        "targets": {
            "columns": ["outlet", "target", "layer", "label", "n_articles", "n_mentions",
                "share", "low", "high"],
            "rows": targets,
        },
    });
    let text = serde_json::to_string(&all).map_err(|e| Error::table("report", e))?;
    Ok(harmless(&text))
}

/// Six digits are more than the sample carries, and half the bytes.
fn round(x: Option<f64>) -> Option<f64> {
    x.filter(|x| x.is_finite()).map(|x| (x * 1e6).round() / 1e6)
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
