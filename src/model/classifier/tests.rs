//! Small random checkpoints of each family against PyTorch's logits
//! (tests/golden/classifiers.py).

use std::collections::BTreeMap;

use candle_core::Device;
use serde::Deserialize;

use crate::error::Result;
use crate::model::checkpoint::CheckpointOptions;
use crate::model::{Bundle, LayerKind, Model, Precision, PrecisionChoice, Prediction, Unit};

#[derive(Deserialize)]
struct Golden {
    text: String,
    pair: Option<String>,
    ids: Vec<u32>,
    types: Vec<u32>,
    logits: Vec<f32>,
}

const FAMILIES: [&str; 8] = [
    "bert",
    "distilbert",
    "roberta",
    "xlm-roberta",
    "mpnet",
    "modernbert",
    "deberta-v2",
    "deberta-v3",
];

fn folder(family: &str) -> String {
    format!("{}/tests/golden/classifiers/{family}", env!("CARGO_MANIFEST_DIR"))
}

fn golden() -> BTreeMap<String, Vec<Golden>> {
    let json = std::fs::read(folder("logits.json")).expect("the golden file is there");
    serde_json::from_slice(&json).expect("it is JSON")
}

fn bundle(family: &str, options: &CheckpointOptions) -> Result<Bundle> {
    Bundle::find(&folder(family), options, || panic!("the Hub is not asked"))
}

fn hypotheses(texts: &[&str]) -> CheckpointOptions {
    let hypotheses = texts.iter().map(|t| t.parse().expect("it is one")).collect();
    CheckpointOptions { hypotheses, ..Default::default() }
}

/// The unit that a row of the golden file is, with this library's tokenizer.
fn unit(model: &Model, row: &Golden) -> Unit {
    let tokens = |text: &str| model.tokenizer.encode(text).expect("it is cut").ids;
    let Some(pair) = &row.pair else {
        let ids = model.tokenizer.frame(&tokens(&row.text));
        assert_eq!(ids, row.ids);
        return Unit { ids, ..Unit::default() };
    };
    let (ids, types) =
        model.tokenizer.frame_pair(&tokens(&row.text), &tokens(pair)).expect("it takes pairs");
    assert_eq!((&ids, &types), (&row.ids, &row.types));
    let config = super::Config::parse(&std::fs::read(folder_of(model)).unwrap(), "").unwrap();
    let typed = config.token_types() > 1;
    Unit { ids, types: if typed { types } else { Vec::new() }, ..Unit::default() }
}

fn folder_of(model: &Model) -> String {
    format!("{}/config.json", folder(&model.meta.name))
}

fn furthest(found: &[Prediction], expected: &[Golden]) -> f32 {
    let pairs = found.iter().zip(expected).flat_map(|(f, e)| f.layers[0].iter().zip(&e.logits));
    pairs.map(|(a, b)| (a - b).abs()).fold(0.0, f32::max)
}

#[test]
fn logits_are_those_of_pytorch() {
    let golden = golden();
    for family in FAMILIES {
        let bundle = bundle(family, &CheckpointOptions::default()).expect("it opens");
        let models = [
            Model::load(&bundle, &Device::Cpu),
            Model::load_for_scoring(&bundle, &[Device::Cpu], PrecisionChoice::Auto),
        ];
        for model in models.map(|m| m.expect("it loads")) {
            let rows = &golden[family];
            let units: Vec<Unit> = rows.iter().map(|row| unit(&model, row)).collect();
            // All lengths, with and without a second text, in one batch.
            let batch: Vec<&Unit> = units.iter().collect();
            let found = model.predict(&batch).expect("it runs");
            assert_eq!(found[0].layers[0].len(), rows[0].logits.len(), "{family}");
            let off = furthest(&found, rows);
            assert!(off < 1e-4, "{family}: {off}");
            // Neighbours matter no more than rounding does: products of other shapes add up in
            // another order.
            for (unit, together) in units.iter().zip(&found) {
                let alone = &model.predict(&[unit]).expect("it runs")[0];
                let differences = alone.layers[0].iter().zip(&together.layers[0]);
                let off = differences.map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
                assert!(off < 1e-5, "{family}: {off}");
            }
        }
    }
}

#[test]
fn modernbert_pools_as_it_is_told() {
    let mut bundle = bundle("modernbert", &CheckpointOptions::default()).expect("it opens");
    let config = String::from_utf8(bundle.config.to_vec()).expect("it is text");
    bundle.config = config.replace("\"mean\"", "\"cls\"").into_bytes().into();
    let model = Model::load(&bundle, &Device::Cpu).expect("it loads");
    let rows = &golden()["modernbert, cls"];
    let units: Vec<Unit> = rows.iter().map(|row| unit(&model, row)).collect();
    let found = model.predict(&units.iter().collect::<Vec<_>>()).expect("it runs");
    assert!(furthest(&found, rows) < 1e-4);
}

#[test]
fn hypotheses_are_asked_as_pairs() {
    let golden = golden();
    for family in ["bert", "xlm-roberta", "deberta-v3"] {
        // The same pair as in the golden file, as a hypothesis on the sentence and on a mention.
        let row = golden[family].iter().find(|r| r.pair.is_some() && r.text.contains("Halvia"));
        let row = row.expect("there is one");
        let text = row.pair.clone().expect("it is a pair");
        assert_eq!(text, "The sentence is critical of Halvia.");
        let options =
            hypotheses(&[&format!("whole={text}"), "of=The sentence is critical of {target}."]);
        let bundle = bundle(family, &options).expect("it opens");
        let model = Model::load(&bundle, &Device::Cpu).expect("it loads");
        let kinds: Vec<LayerKind> = model.codebook().layers.iter().map(|l| l.kind).collect();
        assert_eq!(kinds, [LayerKind::Single, LayerKind::Target]);
        let start = row.text.find("Halvia").expect("it is there");
        let nothing = row.text.len()..row.text.len();
        let mentions = [start..start + "Halvia".len(), nothing];
        let prepared = model.prepare(&row.text, &mentions).expect("it is cut");
        assert!(!prepared.windowed);
        let units: Vec<&Unit> = prepared.units.iter().collect();
        let scores = model.scores(&prepared, &model.predict(&units).expect("it runs"));
        let layer = &model.codebook().layers[0];
        let expected = model.meta.calibration(layer).scores(layer.kind, &row.logits);
        let near = |found: &[f32]| {
            found.iter().zip(&expected.probabilities).all(|(a, b)| (a - b).abs() < 1e-4)
        };
        assert!(near(&scores.layers[0].probabilities), "{family}");
        let of_mention = scores.mentions[0].as_ref().expect("it is a mention");
        assert!(near(&of_mention[0].probabilities), "{family}");
        assert_eq!(scores.mentions[1], None);
        assert!(scores.vector.is_empty() && !model.gives_vectors() && !model.gives_gradients());
    }
}

#[test]
fn a_long_sentence_is_asked_in_windows() {
    let options = hypotheses(&["It is critical.", "stance=It is critical of {target}."]);
    let bundle = bundle("deberta-v3", &options).expect("it opens");
    let model = Model::load(&bundle, &Device::Cpu).expect("it loads");
    let text = "The council closed the bridge. ".repeat(40) + "Halvia praised it.";
    let start = text.find("Halvia").expect("it is there");
    let mention = start..start + 6;
    let prepared = model.prepare(&text, std::slice::from_ref(&mention)).expect("it is cut");
    assert!(prepared.windowed && prepared.units.len() > 3);
    assert!(prepared.units.iter().all(|u| u.ids.len() <= model.meta.max_length));
    let units: Vec<&Unit> = prepared.units.iter().collect();
    let scores = model.scores(&prepared, &model.predict(&units).expect("it runs"));
    let sum: f32 = scores.layers[0].probabilities.iter().sum();
    assert!((sum - 1.0).abs() < 1e-5);
    assert!(scores.mentions[0].is_some());
}

#[test]
fn a_bundle_made_of_a_checkpoint_can_be_kept() {
    let dir = tempfile::tempdir().expect("a folder");
    let options = hypotheses(&["critical=The sentence is critical of {target}."]);
    let made = bundle("bert", &options).expect("it opens");
    made.write(dir.path()).expect("it is written");
    let read = Bundle::open(dir.path()).expect("it opens");
    assert_eq!((read.meta.clone(), read.hash()), (made.meta.clone(), made.hash()));
    assert_eq!(read.meta.uncalibrated().count(), 1);
    assert_eq!(read.meta.zero_shot()["critical"], "The sentence is critical of {target}.");
    let again = Bundle::find(&dir.path().display().to_string(), &options, || panic!("no Hub"));
    assert!(again.is_err_and(|e| e.to_string().contains("codebook of its own")));
}

#[test]
fn layers_come_from_the_labels() {
    let layers = |family: &str, options: &CheckpointOptions| {
        bundle(family, options).expect("it opens").meta.codebook.layers
    };
    let named = CheckpointOptions { layer_name: Some("mood".into()), ..Default::default() };
    let roberta = layers("roberta", &named);
    assert_eq!((roberta[0].name.as_str(), roberta[0].kind), ("mood", LayerKind::Multi));
    let labels: Vec<&str> = roberta[0].label_names().collect();
    assert_eq!(labels, ["anger", "Joy_pride", "money_trade", "anger_3"]);
    assert_eq!(layers("deberta-v3", &CheckpointOptions::default())[0].name, "deberta_v3");
    let wrong = CheckpointOptions { layer_name: Some("two words".into()), ..Default::default() };
    assert!(bundle("bert", &wrong).is_err());
    // Several labels at once are no entailment.
    assert!(
        bundle("roberta", &hypotheses(&["It is critical."])).is_err_and(|e| e.hint().is_some())
    );
}

#[test]
fn other_families_score_in_f32_alone() {
    let other = bundle("modernbert", &CheckpointOptions::default()).expect("it opens");
    let int8 = PrecisionChoice::Exactly(Precision::Int8);
    assert!(Model::load_for_scoring(&other, &[Device::Cpu], int8).is_err());
    let kin = bundle("distilbert", &CheckpointOptions::default()).expect("it opens");
    let model = Model::load_for_scoring(&kin, &[Device::Cpu], int8).expect("it loads");
    assert_eq!(model.precision(), Precision::Int8);
}
