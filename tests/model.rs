//! The default model against independent implementations, and what it gets right.

use std::collections::BTreeMap;

use assert_cmd::Command;
use candle_core::Device;
use parallax::model::predict::{Batching, predict_all};
use parallax::model::{Bundle, LayerKind, Model, Precision, PrecisionChoice, Unit};
use serde_json::Value;

fn model() -> Model {
    Model::load(&Bundle::embedded().unwrap(), &Device::Cpu).unwrap()
}

/// The same, laid out for scoring.
fn for_scoring(precision: PrecisionChoice) -> Model {
    Model::load_for_scoring(&Bundle::embedded().unwrap(), &[Device::Cpu], precision).unwrap()
}

fn exactly(precision: Precision) -> PrecisionChoice {
    PrecisionChoice::Exactly(precision)
}

fn lines(path: &str) -> Vec<Value> {
    let text = std::fs::read_to_string(path).unwrap();
    text.lines().map(|l| serde_json::from_str(l).unwrap()).collect()
}

fn floats(value: &Value) -> Vec<f32> {
    value.as_array().unwrap().iter().map(|v| v.as_f64().unwrap() as f32).collect()
}

/// `tests/golden/encoder.py` made the vectors with PyTorch and transformers.
#[test]
fn equals_pytorch_on_the_same_weights() {
    equals_pytorch(&model());
}

#[test]
fn laid_out_for_scoring_it_equals_pytorch_too() {
    equals_pytorch(&for_scoring(exactly(Precision::F32)));
}

fn equals_pytorch(model: &Model) {
    let golden: Vec<Value> =
        serde_json::from_str(&std::fs::read_to_string("tests/golden/encoder.json").unwrap())
            .unwrap();
    let units: Vec<Unit> = golden
        .iter()
        .map(|row| {
            let ids: Vec<u32> =
                row["ids"].as_array().unwrap().iter().map(|v| v.as_u64().unwrap() as u32).collect();
            let tokens = model.tokenizer.encode(row["text"].as_str().unwrap()).unwrap();
            assert_eq!(model.tokenizer.frame(&tokens.ids), ids, "tokens of {}", row["text"]);
            Unit { ids, mentions: std::iter::once(1..2).collect(), ..Unit::default() }
        })
        .collect();
    let units: Vec<&Unit> = units.iter().collect();
    let predictions = model.predict(&units).unwrap();
    let close = |a: &[f32], b: &[f32], what: &str| {
        assert_eq!(a.len(), b.len());
        let largest = a.iter().zip(b).map(|(x, y)| (x - y).abs()).fold(0.0, f32::max);
        assert!(largest <= 1e-4, "{what}: {largest}");
    };
    for (row, prediction) in golden.iter().zip(&predictions) {
        close(&prediction.vector, &floats(&row["vector"]), "sentence vector");
        let (mut sentence, mut target) = (prediction.layers.iter(), prediction.mentions[0].iter());
        for layer in &model.codebook().layers {
            let logits = match layer.kind {
                LayerKind::Target => target.next(),
                _ => sentence.next(),
            };
            close(logits.unwrap(), &floats(&row["logits"][&layer.name]), &layer.name);
        }
    }
}

/// The same weights in candle-transformers' own BERT.
#[test]
fn equals_candle_transformers() {
    use candle_core::{DType, Tensor};
    use parallax::model::encoder::{Encoder, EncoderConfig, Packed};
    let read = |name: &str| std::fs::read(format!("tests/golden/classifiers/bert/{name}")).unwrap();
    let (config, weights) = (read("config.json"), read("model.safetensors"));
    let weights = parallax::model::load_weights(&weights, &Device::Cpu, "bert").unwrap();
    let vb = candle_nn::VarBuilder::from_tensors(weights, DType::F32, &Device::Cpu);
    let sizes = EncoderConfig::parse(&config, "bert").unwrap();
    let encoder = Encoder::load(vb.clone(), &sizes).unwrap();
    let reference = serde_json::from_slice(&config).unwrap();
    let reference = candle_transformers::models::bert::BertModel::load(vb, &reference).unwrap();
    let ids: Vec<u32> = (0..30).map(|i| i * 7 % sizes.vocab_size as u32).collect();
    let ours = encoder.forward(&Packed::new([ids.as_slice()]), &mut None).unwrap();
    let ids = Tensor::new(ids.as_slice(), &Device::Cpu).unwrap().unsqueeze(0).unwrap();
    let theirs = reference.forward(&ids, &ids.zeros_like().unwrap(), None).unwrap();
    let difference = (ours - theirs.squeeze(0).unwrap()).unwrap().abs().unwrap();
    let largest: f32 = difference.max_all().unwrap().to_scalar().unwrap();
    assert!(largest < 1e-4, "{largest}");
}

#[test]
fn a_result_does_not_depend_on_its_batch() {
    let others = [Precision::F32, Precision::Int8].map(|p| for_scoring(exactly(p)));
    let models = std::iter::once(model()).chain(others);
    models.for_each(|model| does_not_depend_on_its_batch(&model));
}

fn does_not_depend_on_its_batch(model: &Model) {
    let units: Vec<Unit> = lines("labels/demo.jsonl")
        .iter()
        .take(60)
        .flat_map(|row| model.prepare(row["text"].as_str().unwrap(), &[]).unwrap().units)
        .collect();
    let units: Vec<&Unit> = units.iter().collect();
    let together =
        predict_all(model, &units, Batching { workers: 2, tokens: 2000 }, &|_| {}).unwrap();
    for (unit, batched) in units.iter().zip(&together) {
        let alone = &model.predict(&[unit]).unwrap()[0];
        let pairs = alone.layers.iter().flatten().zip(batched.layers.iter().flatten());
        let largest = pairs.map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
        assert!(largest < 1e-4, "logits differ by {largest}");
    }
}

/// The engagement label of each text, by the same way that scoring goes.
fn engagement(model: &Model, texts: &[&str]) -> Vec<String> {
    let layer = model.codebook().layer("engagement").unwrap().clone();
    let at = model.codebook().sentence_layers().position(|l| l.name == layer.name).unwrap();
    texts
        .iter()
        .map(|text| {
            let prepared = model.prepare(&parallax::text::model_text(text), &[]).unwrap();
            let units: Vec<&Unit> = prepared.units.iter().collect();
            let scores = model.scores(&prepared, &model.predict(&units).unwrap());
            layer.labels[scores.layers[at].labels[0]].name.clone()
        })
        .collect()
}

/// Behaviour by capability (CheckList, Ribeiro et al. 2020). The floor is what the model in
/// the repository reaches; the table that this prints is in its card.
#[test]
fn behaviour_by_capability() {
    let model = for_scoring(PrecisionChoice::Auto);
    let cases = lines("tests/behaviour/cases.jsonl");
    assert!(cases.len() >= 300);
    let texts: Vec<&str> = cases.iter().map(|c| c["text"].as_str().unwrap()).collect();
    let labels = engagement(&model, &texts);
    let of_id: BTreeMap<&str, &String> =
        cases.iter().zip(&labels).map(|(c, l)| (c["id"].as_str().unwrap(), l)).collect();
    let mut rates: BTreeMap<&str, (usize, usize)> = BTreeMap::new();
    for (case, label) in cases.iter().zip(&labels) {
        let passed = match (&case["pair"], &case["expect"]["engagement"]) {
            (Value::String(pair), _) => of_id[pair.as_str()] == label,
            (_, allowed) => allowed.as_array().unwrap().iter().any(|a| a == label.as_str()),
        };
        let rate = rates.entry(case["capability"].as_str().unwrap()).or_default();
        rate.0 += usize::from(passed);
        rate.1 += 1;
    }
    let (mut passed, mut all) = (0, 0);
    for (capability, (right, n)) in &rates {
        println!("{capability:30} {right:3} of {n:3}");
        passed += right;
        all += n;
    }
    println!("{:30} {passed:3} of {all:3}", "all");
    assert!(passed as f64 / all as f64 >= 0.92, "{passed} of {all}");
}

#[test]
fn typography_changes_no_label() {
    let model = for_scoring(PrecisionChoice::Auto);
    let texts = [
        r#"The minister rejected the "so-called" blockade's cause."#,
        "The minister\u{a0}rejected the “so\u{ad}-called” blockade’s\u{200b} cause.",
    ];
    let labels = engagement(&model, &texts);
    assert_eq!(labels[0], labels[1]);
}

#[test]
fn evaluate_prints_and_writes_figures() {
    let dir = tempfile::tempdir().unwrap();
    let json = dir.path().join("figures.json");
    let output = Command::new(env!("CARGO_BIN_EXE_parallax"))
        .args(["evaluate", "models/default", "labels/demo.jsonl", "--resamples", "100"])
        .args(["--json", json.to_str().unwrap()])
        .assert()
        .success()
        .get_output()
        .clone();
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(
        text.contains("macro-F1") && text.contains("confusion") && text.contains("ECE"),
        "{text}"
    );
    let figures: Value = serde_json::from_slice(&std::fs::read(json).unwrap()).unwrap();
    let engagement = &figures["layers"]["engagement"];
    for key in ["n", "accuracy", "macro_f1", "micro_f1", "ece"] {
        assert!(engagement[key].is_number(), "{key}");
    }
    assert!(engagement["labels"]["deny"]["support"].as_u64().unwrap() >= 12);
    // Text and labels come from one hand, so this is a smoke alarm and no measurement.
    assert!(engagement["macro_f1"].as_f64().unwrap() > 0.7, "{text}");
}
