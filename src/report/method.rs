//! The page on method and limits, and what sentences can be filtered by.

use super::context::Context;
use super::{palette, targets, text};

/// What the page on method and limits lists.
pub(super) struct Method {
    pub level: String,
    pub model: Vec<(&'static str, String)>,
    pub run: Vec<(&'static str, String)>,
    pub layers: Vec<MethodLayer>,
    pub cues: Vec<(String, String, String)>,
    pub evidence: String,
}

/// What sentences can be filtered by.
pub(super) struct SentenceFilters {
    pub events: Vec<String>,
    /// Layers with their labels: key and name.
    pub layers: Vec<(String, Vec<(String, String)>)>,
    pub targets: Vec<(String, String)>,
    pub dated: bool,
}

/// A layer with its labels.
pub(super) struct MethodLayer {
    pub name: String,
    pub kind: &'static str,
    pub description: String,
    pub chips: Vec<palette::Chip>,
}

/// What the sentences of this report can be filtered by.
pub(super) fn sentence_filters(cx: &Context) -> SentenceFilters {
    let sentences = &cx.input.evidence.sentences;
    let events: std::collections::BTreeSet<String> =
        sentences.iter().filter_map(|s| s.event.as_deref()).map(|e| text::clip(e, 60)).collect();
    SentenceFilters {
        events: events.into_iter().collect(),
        layers: cx
            .layers
            .iter()
            .enumerate()
            .map(|(i, l)| {
                let labels = l.chips.iter().enumerate();
                let labels = labels.map(|(j, c)| (format!("{i}.{j}"), c.name.clone()));
                (text::spaced(&l.layer.name), labels.collect())
            })
            .collect(),
        targets: targets::target_names(cx)
            .iter()
            .enumerate()
            .map(|(i, t)| (format!("t{i}"), text::clip(t, 60)))
            .collect(),
        dated: sentences.iter().any(|s| s.date.is_some()),
    }
}

/// Puts the page together.
pub(super) fn method(cx: &Context) -> Method {
    use crate::model::codebook::LayerKind;
    let (model, run) = (&cx.input.model, &cx.input.run);
    let known = |rows: Vec<(&'static str, String)>| {
        rows.into_iter().filter(|(_, v)| !v.trim().is_empty()).collect()
    };
    let layers = cx.layers.iter().chain(&cx.target_layers);
    let evidence = &cx.input.evidence;
    Method {
        level: text::percent(run.level.unwrap_or(0.95)),
        model: known(vec![
            ("Name", model.name.clone()),
            ("Version", model.version.clone()),
            ("Hash of weights and settings", model.hash.clone()),
            ("Licence", model.licence.clone()),
            ("Trained on", model.trained_on.clone()),
            ("Codebook", cx.input.codebook.name.clone()),
        ]),
        run: known(vec![
            ("parallax", run.version.clone()),
            ("Device", run.device.clone()),
            ("Articles scored", text::count(run.n_articles)),
            ("Sentences scored", text::count(run.n_sentences)),
            ("Lines set apart as page clutter", text::count(run.n_boilerplate)),
            ("Near-duplicate articles", text::count(run.n_duplicates)),
            ("Mentions of targets", text::count(run.n_mentions)),
            ("Rows or files passed over", text::count(run.n_skipped)),
        ]),
        layers: layers
            .map(|l| MethodLayer {
                name: text::spaced(&l.layer.name),
                kind: match l.layer.kind {
                    LayerKind::Single => "one label for each sentence",
                    LayerKind::Multi => "any number of labels for a sentence",
                    LayerKind::Target => "one label for each mention of a target",
                },
                description: l.layer.description.clone(),
                chips: l.chips.clone(),
            })
            .collect(),
        cues: cx.cue_legend(),
        evidence: if evidence.complete {
            format!(
                "All {} are in this file.",
                text::counted(evidence.total, "scored sentence", "scored sentences")
            )
        } else {
            format!(
                "{} of {} are in this file: for each label of each outlet, half of them those of \
                 which the model is surest, half by chance (the same each time).",
                text::count(evidence.sentences.len() as u64),
                text::counted(evidence.total, "scored sentence", "scored sentences")
            )
        },
    }
}
