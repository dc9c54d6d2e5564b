use candle_core::Device;
use proptest::prelude::*;

use super::*;
use crate::model::Bundle;

fn model() -> &'static Model {
    static MODEL: std::sync::OnceLock<Model> = std::sync::OnceLock::new();
    MODEL.get_or_init(|| {
        let bundle = Bundle::embedded().expect("it is built in");
        Model::load(&bundle, &Device::Cpu).expect("it loads")
    })
}

const ONE: Batching = Batching { workers: 1, tokens: 1024 };

/// A question for the label that the model gives `text` on its first sentence layer of the kind.
fn question(text: &str) -> Question {
    let model = model();
    let layer = model.codebook().layers.iter().position(|l| l.kind == LayerKind::Single);
    let prepared = model.prepare(text, &[]).expect("it can be cut");
    let units: Vec<&Unit> = prepared.units.iter().collect();
    let predictions = model.predict(&units).expect("it runs");
    let label = model.scores(&prepared, &predictions).layers[0].labels[0];
    Question { text: text.into(), layer: layer.expect("there is one"), label, mention: None }
}

#[test]
fn taking_the_words_out_does_what_the_explanation_says() {
    let q = question("The ministry's allegedly secret plan for the dam was drawn up in March.");
    let all = Settings { stop: false, ..Settings::default() };
    for settings in [Settings::default(), all] {
        let found = explain(model(), std::slice::from_ref(&q), settings, ONE).expect("it runs");
        let Explanation { margin, words, .. } = &found[0];
        assert!(*margin >= 0.0 && !words.is_empty() && words.len() <= 3);
        let parts: Vec<_> = words.iter().map(|w| w.bytes.clone()).collect();
        let left = margins(model(), &[q.without(&parts)], ONE).expect("it runs")[0];
        let told = margin - words.iter().map(|w| w.weight).sum::<f32>();
        assert!((left - told).abs() < 1e-3, "{left} {told}");
        assert_eq!(words.last().map(|w| w.gone), Some(left < 0.0));
        assert_eq!(found[0].instead.is_some(), left < 0.0);
    }
}

#[test]
fn a_label_says_which_words_a_person_would_name() {
    let text = "The ministry's allegedly secret plan for the dam was drawn up in March.";
    let found = explain(model(), &[question(text)], Settings::default(), ONE).expect("it runs");
    assert_eq!(&text[found[0].words[0].bytes.clone()], "allegedly");
}

#[test]
fn targets_keep_their_mention() {
    let model = model();
    let layer = model.codebook().layers.iter().position(|l| l.kind == LayerKind::Target);
    let text = "The corrupt and reckless Halvia betrayed its allies.";
    let at = text.find("Halvia").expect("it is there");
    let q = Question {
        text: text.into(),
        layer: layer.expect("there is one"),
        label: 0,
        mention: Some(at..at + 6),
    };
    let settings = Settings { tried: 4, ..Settings::default() };
    let found = explain(model, std::slice::from_ref(&q), settings, ONE).expect("it runs");
    assert!(found[0].margin > 0.0, "the sentence is meant to be unfavourable");
    assert!(found[0].words.iter().all(|w| w.bytes.end <= at || w.bytes.start >= at + 6));
    assert!(explain(model, &[Question { mention: None, ..q.clone() }], settings, ONE).is_err());
    assert!(explain(model, &[Question { layer: 99, ..q.clone() }], settings, ONE).is_err());
    assert!(explain(model, &[Question { label: 99, ..q }], settings, ONE).is_err());
}

#[test]
fn nothing_to_take_out_is_no_error() {
    for text in ["", "…", "\"\"", "Go"] {
        let q = question(text);
        assert!(explain(model(), &[q], Settings::default(), ONE).is_ok(), "{text:?}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(12))]
    #[test]
    fn words_are_whole(text in "\\PC{0,40}|[a-z \"'.-]{0,60}") {
        let text = crate::text::model_text(&text);
        let found = explain(model(), &[question(&text)], Settings { tried: 3, kept: 2, ..Settings::default() }, ONE);
        let whole: Vec<_> = word_spans(&text).collect();
        for word in found.expect("it runs").iter().flat_map(|e| &e.words) {
            prop_assert!(whole.contains(&word.bytes));
        }
    }
}
