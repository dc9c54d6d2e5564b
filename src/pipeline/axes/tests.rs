use candle_core::Device;

use super::*;
use crate::corpus::ReadOptions;
use crate::model::Bundle;
use crate::pipeline::score::{ScoreOptions, score_corpus};

const BATCHING: Batching = Batching { workers: 1, tokens: 1024 };

fn spec(positive: &[&str], negative: &[&str]) -> AxisSpec {
    let pole = |words: &[&str]| words.iter().map(|w| (*w).to_owned()).collect();
    AxisSpec { name: "war".into(), positive: pole(positive), negative: pole(negative) }
}

#[test]
fn sentences_and_outlets_find_their_place() {
    let dir = tempfile::tempdir().expect("there is room");
    let bundle = Bundle::embedded().expect("it is built in");
    let model = Model::load(&bundle, &Device::Cpu).expect("it loads");
    let article = |id: &str, outlet: &str, text: &str| {
        serde_json::json!({"id": id, "outlet": outlet, "text": text}).to_string()
    };
    let texts = [
        article("1", "Guns", "Troops attacked the town with rockets. Soldiers died in the battle."),
        article("2", "Butter", "Farmers sold their wheat at the market. The price of bread fell."),
    ];
    std::fs::write(dir.path().join("in.jsonl"), texts.join("\n")).expect("it writes");
    let mut scoring = ScoreOptions {
        read: ReadOptions::default(),
        targets: Vec::new(),
        n_targets: 0,
        batching: BATCHING,
        format: Format::Parquet,
        vectors: false,
        min_confidence: None,
    };
    let mut score = |vectors| {
        scoring.vectors = vectors;
        let input = [dir.path().join("in.jsonl")];
        score_corpus(&input, &model, &bundle.hash(), dir.path(), &scoring, &|_| {})
            .expect("it scores");
    };
    let options = AxesOptions {
        axes: vec![spec(&["war", "soldiers", "battle"], &["trade", "farmers", "market"])],
        statistics: Settings { resamples: 100, ..Settings::default() },
        batching: BATCHING,
        format: Format::Parquet,
    };
    score(false);
    let none = axes_folder(dir.path(), &model, &bundle.hash(), &options);
    assert!(none.is_err_and(|e| e.hint().is_some_and(|h| h.contains("--vectors"))));
    score(true);
    let found = axes_folder(dir.path(), &model, &bundle.hash(), &options).expect("it runs");
    let bias = |outlet: &str| found.profiles.iter().find(|p| p.outlet == outlet).map(|p| p.bias);
    assert!(bias("Guns") > bias("Butter"), "{:?}", found.profiles);
    assert_eq!(found.contrasts.len(), 1);
    assert!(found.notes.is_empty(), "{:?}", found.notes);
    assert_eq!(found.files.iter().filter(|f| f.is_file()).count(), 3);
    assert!(axes_folder(dir.path(), &model, "another", &options).is_err());
}

#[test]
fn axes_that_make_no_sense_are_told() {
    let dir = tempfile::tempdir().expect("there is room");
    let path = dir.path().join("axes.toml");
    let read = |text: &str| {
        std::fs::write(&path, text).expect("it writes");
        read_axes(&path)
    };
    let good = "[[axis]]\nname = \"a\"\npositive = [\"x\"]\nnegative = [\"y\"]\n";
    assert!(read(good).is_ok_and(|axes| axes.len() == 1));
    assert!(read(&good.repeat(2)).is_err_and(|e| e.to_string().contains("two axes")));
    assert!(read(&good.replace("\"y\"", "\"…\"")).is_err_and(|e| e.hint().is_some()));
    assert!(read("axis = 1").is_err_and(|e| e.hint().is_some()));
}
