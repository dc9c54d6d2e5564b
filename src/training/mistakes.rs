//! The most confident errors, with their text: what to read first.

use serde::Serialize;

use super::data::Example;
use super::metrics::Decision;
use crate::model::{Layer, LayerKind};

/// Something that the model said and that is wrong.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Mistake {
    /// The layer.
    pub layer: String,
    /// Probability of what was said; for a label missed, that it is not there.
    pub confidence: f32,
    /// The label given; `None` where a label is missed.
    pub given: Option<String>,
    /// What is right: the label, or the labels of a multi layer that are there.
    pub right: Vec<String>,
    /// For a multi layer, the label missed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub missed: Option<String>,
    /// The words of the mention, for a target layer.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub mention: Option<String>,
    /// The sentence.
    pub text: String,
    /// Its document.
    pub document: String,
    /// Its outlet, where known.
    pub outlet: Option<String>,
}

/// The `most` most confident errors of each of `layers`, the surest first.
pub fn mistakes(
    layers: &[Layer],
    decisions: &[Vec<Decision>],
    examples: &[Example],
    most: usize,
) -> Vec<Mistake> {
    let mut all = Vec::new();
    for (layer, decisions) in layers.iter().zip(decisions) {
        // (confidence, decision, label, whether it was given)
        let mut wrong: Vec<(f32, &Decision, usize, bool)> = Vec::new();
        for d in decisions {
            let p = |l: usize| d.probabilities.get(l).copied().unwrap_or_default();
            let given =
                d.predicted.iter().filter(|l| !d.gold.contains(l) && !d.ignored.contains(l));
            wrong.extend(given.map(|&l| (p(l), d, l, true)));
            if layer.kind == LayerKind::Multi {
                let missed = d.gold.iter().filter(|l| !d.predicted.contains(l));
                wrong.extend(missed.map(|&l| (1.0 - p(l), d, l, false)));
            }
        }
        // A stable sort: among equals the first in the data.
        wrong.sort_by(|a, b| b.0.total_cmp(&a.0));
        let name = |l: usize| layer.labels.get(l).map(|l| l.name.clone());
        for (confidence, d, label, given) in wrong.into_iter().take(most) {
            let Some(example) = examples.get(d.example) else { continue };
            let mention = d.mention.clone().and_then(|m| example.model_text.get(m));
            all.push(Mistake {
                layer: layer.name.clone(),
                confidence,
                given: name(label).filter(|_| given),
                missed: name(label).filter(|_| !given),
                right: d.gold.iter().filter_map(|&l| name(l)).collect(),
                mention: mention.map(str::to_owned),
                text: example.text.clone(),
                document: example.document.clone(),
                outlet: example.outlet.clone(),
            });
        }
    }
    all
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Codebook;

    #[test]
    fn the_surest_come_first_and_optional_labels_never() {
        let toml = "name = \"t\"\n[[layer]]\nname = \"frames\"\nkind = \"multi\"\n\
                    labels = [{ name = \"a\" }, { name = \"b\" }, { name = \"c\" }]";
        let layers = Codebook::from_toml(toml).unwrap().layers;
        let d = Decision {
            gold: vec![1],
            predicted: vec![0, 2],
            ignored: vec![2],
            probabilities: vec![0.7, 0.1, 0.99],
            ..Decision::default()
        };
        let example = Example { text: "The ferry sank.".into(), ..Example::default() };
        let found = mistakes(&layers, &[vec![d]], &[example], 5);
        let said: Vec<_> =
            found.iter().map(|m| (m.given.as_deref(), m.missed.as_deref())).collect();
        assert_eq!(said, [(None, Some("b")), (Some("a"), None)]);
        assert!((found[0].confidence - 0.9).abs() < 1e-6);
        assert_eq!(found[0].right, ["b"]);
    }
}
