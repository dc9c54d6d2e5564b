//! The layer that a checkpoint's `id2label` and `problem_type` make.

use std::collections::HashSet;

use serde_json::Value;

use crate::error::{Error, Result};
use crate::model::codebook::{Label, Layer, LayerKind};

/// Most labels of a checkpoint; tables have a column for each.
const MOST_LABELS: usize = 2000;

/// The layer called `name` of a checkpoint's `config.json`.
///
/// # Errors
/// If it has no labels, or it estimates a number.
pub(in crate::model) fn layer(config: &Value, name: &str, place: &str) -> Result<Layer> {
    let labels = label_texts(config, place)?;
    let kind = match config.get("problem_type").and_then(Value::as_str) {
        Some("multi_label_classification") => LayerKind::Multi,
        None | Some("single_label_classification") if labels.len() > 1 => LayerKind::Single,
        _ => {
            return Err(Error::model(place, "it estimates a number, which is no layer of labels")
                .with_hint("single- and multi-label classifiers can be read"));
        }
    };
    let mut taken = HashSet::new();
    let labels = labels
        .into_iter()
        .enumerate()
        .map(|(i, text)| {
            let plain = usable_name(&text).unwrap_or_else(|| format!("label_{i}"));
            let (mut name, mut n) = (plain.clone(), i);
            while !taken.insert(name.clone()) {
                name = format!("{plain:.50}_{n}");
                n += 1;
            }
            let description = if text == name { String::new() } else { text };
            Label { name, description, ..Label::default() }
        })
        .collect();
    Ok(Layer {
        name: name.to_owned(),
        kind,
        description: String::new(),
        by_description: false,
        labels,
    })
}

/// The texts of `id2label` in the order of the outputs. transformers leaves them out where
/// there are two labels without names.
fn label_texts(config: &Value, place: &str) -> Result<Vec<String>> {
    let wrong = |message: &str| Error::model(place, format!("config.json: {message}"));
    let Some(named) = config.get("id2label").and_then(Value::as_object) else {
        let n = config.get("num_labels").and_then(Value::as_u64).unwrap_or(2);
        return Ok((0..n.min(MOST_LABELS as u64)).map(|i| format!("LABEL_{i}")).collect());
    };
    if named.is_empty() || named.len() > MOST_LABELS {
        return Err(wrong(&format!("id2label has {} labels", named.len())));
    }
    (0..named.len())
        .map(|i| match named.get(&i.to_string()) {
            Some(Value::String(text)) => Ok(text.trim().to_owned()),
            Some(Value::Number(number)) => Ok(number.to_string()),
            _ => Err(wrong(&format!("id2label names no label {i}"))),
        })
        .collect()
}

/// A text as a name of a layer or label: letters, digits and `_`, at most 64; `None` if nothing
/// is left.
pub(in crate::model) fn usable_name(text: &str) -> Option<String> {
    let mut name = String::new();
    for c in text.chars() {
        if c.is_ascii_alphanumeric() || c == '_' {
            name.push(c);
        } else if !name.is_empty() && !name.ends_with('_') {
            name.push('_');
        }
    }
    name.truncate(64);
    let name = name.trim_end_matches('_');
    (!name.is_empty()).then(|| name.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn names(config: Value) -> Result<(LayerKind, Vec<String>)> {
        let layer = layer(&config, "topic", "here")?;
        Ok((layer.kind, layer.label_names().map(str::to_owned).collect()))
    }

    #[test]
    fn labels_become_names_of_columns() {
        let texts = json!({"0": "anger", "1": "Joy & pride", "2": "anger!", "3": "怒り", "4": 5});
        let (kind, labels) = names(json!({"id2label": texts})).expect("it is a layer");
        assert_eq!(kind, LayerKind::Single);
        assert_eq!(labels, ["anger", "Joy_pride", "anger_2", "label_3", "5"]);
        let layer = layer(&json!({"id2label": texts}), "topic", "here").expect("it is a layer");
        assert_eq!(layer.labels[1].description, "Joy & pride");
        assert_eq!(layer.labels[0].description, "");
        let codebook = crate::model::Codebook { name: "x".into(), layers: vec![layer] };
        codebook.validate().expect("the names are fit");
    }

    #[test]
    fn the_kind_is_that_of_the_problem() {
        let one = json!({"0": "yes"});
        let multi = json!({"id2label": one, "problem_type": "multi_label_classification"});
        assert_eq!(names(multi).expect("it is a layer").0, LayerKind::Multi);
        assert!(names(json!({"id2label": one})).is_err_and(|e| e.to_string().contains("number")));
        let regression = json!({"id2label": {"0": "a", "1": "b"}, "problem_type": "regression"});
        assert!(names(regression).is_err());
        let unnamed = names(json!({"num_labels": 3})).expect("it is a layer");
        assert_eq!(unnamed.1, ["LABEL_0", "LABEL_1", "LABEL_2"]);
        assert!(names(json!({"id2label": {"0": "a", "2": "b"}})).is_err());
        assert!(names(json!({"id2label": {}})).is_err());
    }

    proptest::proptest! {
        #[test]
        fn names_are_usable_whatever_the_labels_are(texts in proptest::collection::vec(".{0,80}", 2..6)) {
            let id2label: serde_json::Map<String, Value> =
                texts.iter().enumerate().map(|(i, t)| (i.to_string(), t.as_str().into())).collect();
            let layer = layer(&json!({"id2label": id2label}), "x", "here").expect("it is a layer");
            let codebook = crate::model::Codebook { name: "x".into(), layers: vec![layer] };
            proptest::prop_assert!(codebook.validate().is_ok());
        }
    }
}
