use std::path::Path;

use candle_core::Device;

use super::*;
use crate::corpus::ReadOptions;
use crate::model::predict::Batching;
use crate::model::{Bundle, Model, explain::Settings};
use crate::pipeline::score::{ScoreOptions, score_corpus};
use crate::scoring::tables::{Format, ScoredFolder};
use crate::text::{parse_target, word_spans};

fn model() -> Model {
    Model::load(&Bundle::embedded().expect("it is built in"), &Device::Cpu).expect("it loads")
}

const BATCHING: Batching = Batching { workers: 1, tokens: 1024 };

/// Scores an invented article: one quotation runs over sentences, so that marks were restored.
fn score(dir: &Path, model: &Model) {
    let text = "The ministry’s allegedly se\u{ad}cret plan was drawn up in March. \
        “We never opened the gates. The regime in Halvia lies about the flood. It must stop,” she said. \
        The army denied that the reckless leaders of Halvia had been warned.";
    let article = serde_json::json!({"id": "1", "outlet": "Wire", "title": "A plan", "text": text});
    std::fs::write(dir.join("in.jsonl"), article.to_string()).expect("it writes");
    let options = ScoreOptions {
        read: ReadOptions::default(),
        targets: vec![parse_target("Halvia").expect("it is one")],
        n_targets: 0,
        batching: BATCHING,
        format: Format::Parquet,
        vectors: false,
        min_confidence: None,
    };
    score_corpus(&[dir.join("in.jsonl")], model, "", dir, &options, &|_| {}).expect("it scores");
}

fn options(layer: &str) -> ExplainOptions {
    ExplainOptions {
        search: Settings { tried: 5, kept: 3, ..Settings::default() },
        layer: layer.into(),
        labels: Vec::new(),
        batching: BATCHING,
        format: Format::Parquet,
    }
}

#[test]
fn every_sentence_of_a_folder_is_explained_in_its_own_words() {
    let (dir, model) = (tempfile::tempdir().expect("there is room"), model());
    score(dir.path(), &model);
    let folder = ScoredFolder::open(dir.path()).expect("it is one");
    let sentences: Vec<_> =
        folder.sentences().expect("it opens").flat_map(|rows| rows.expect("it reads")).collect();
    assert!(sentences.len() >= 6);
    for layer in ["engagement", "stance"] {
        let summary =
            explain_folder(dir.path(), &model, &options(layer), &|_| {}).expect("it explains");
        assert_eq!(summary.not_reproduced, 0, "restored marks are found again");
        let rows = read_explanations(dir.path()).expect("it reads");
        assert!(!rows.is_empty());
        if layer == "engagement" {
            assert_eq!(summary.explained as usize, sentences.len());
        } else {
            assert!(rows.iter().all(|r| r.target.as_deref() == Some("Halvia")));
            assert!(rows.iter().all(|r| r.mention_start.is_some() && r.word != "Halvia"));
        }
        for row in rows {
            let sentence =
                sentences.iter().find(|s| u64::from(s.sentence_index) == row.sentence_index);
            let text = &sentence.expect("it is there").text;
            let byte =
                |at: u64| text.char_indices().nth(at as usize).map_or(text.len(), |(b, _)| b);
            let (start, end) = (byte(row.start), byte(row.end));
            assert_eq!(&text[start..end], row.word);
            // Marks that do not show may stand inside a word of the text; the model's has none.
            assert!(!text[..start].ends_with(char::is_alphanumeric), "{row:?}");
            assert!(!text[end..].starts_with(char::is_alphanumeric), "{row:?}");
            assert_eq!(word_spans(&crate::text::model_text(&row.word)).count(), 1, "{row:?}");
        }
    }
}

#[test]
fn what_is_not_there_is_named() {
    let (dir, model) = (tempfile::tempdir().expect("there is room"), model());
    score(dir.path(), &model);
    let run = |options: ExplainOptions| explain_folder(dir.path(), &model, &options, &|_| {});
    assert!(
        run(options("tone")).is_err_and(|e| e.hint().is_some_and(|h| h.contains("engagement")))
    );
    let wrong = ExplainOptions { labels: vec!["dny".into()], ..options("engagement") };
    assert!(run(wrong).is_err_and(|e| e.hint().is_some_and(|h| h.contains("deny"))));
    assert!(read_explanations(dir.path()).is_ok_and(|rows| rows.is_empty()), "nothing was written");
}
