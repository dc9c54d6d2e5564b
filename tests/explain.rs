//! Do the words that explain a label carry it? On the demonstration sentences, and on the test
//! labels where `shared/` stands beside the checkout.

use std::path::Path;

use candle_core::Device;
use parallax::model::explain::Settings;
use parallax::model::predict::Batching;
use parallax::model::{Bundle, Model};
use parallax::pipeline::explain::{Faithfulness, MeasureOptions, measure};
use parallax::training::data::{Example, read_labelled};

/// The labels that a cue makes: the bar is set for them.
const LABELS: [&str; 3] = ["distance", "deny", "endorse"];

fn measured(path: &Path, every: usize) -> Faithfulness {
    let model = Model::load(&Bundle::embedded().unwrap(), &Device::Cpu).unwrap();
    let data = read_labelled(path, model.codebook(), None).unwrap();
    let options = MeasureOptions {
        search: Settings::default(),
        layer: "engagement".into(),
        labels: LABELS.map(String::from).to_vec(),
        draws: 5,
        seed: 1,
        batching: Batching::for_device(&Device::Cpu),
    };
    let examples: Vec<Example> = data.examples.into_iter().step_by(every).collect();
    let figures = measure(&model, &examples, &options).unwrap();
    println!("{}: {figures:#?}", path.display());
    figures
}

#[test]
fn the_words_carry_the_label_on_the_demonstration_corpus() {
    let all = &measured(Path::new("labels/demo.jsonl"), 6).labels[0];
    assert!(all.without_words >= 0.8 && all.without_random < 0.3, "{all:?}");
}

/// A tenth of the sentences, to be quick; `parallax explain --measure` takes them all.
#[test]
fn the_words_carry_the_label_on_the_test_labels() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/labels/test.jsonl");
    if !path.exists() {
        println!("skipped: {path:?} is not here");
        return;
    }
    let all = &measured(&path, 10).labels[0];
    assert!(all.n >= 20, "{all:?}");
    assert!(all.without_words >= 0.8 && all.without_random < 0.25, "{all:?}");
}
