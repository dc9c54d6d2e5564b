//! The exported notebook runs, and its figures are the report's.
//!
//! Needs a Python with nbconvert, ipykernel, pandas, pyarrow and matplotlib: the one
//! named by `PARALLAX_TEST_PYTHON`, else `python3` where it has them.

#[path = "browser/synthetic.rs"]
mod synthetic;

use std::path::Path;
use std::process::Command;
use std::sync::Arc;

use arrow::json::ReaderBuilder;
use parallax::profile::{self, Observations, Settings};
use parallax::report::notebook::python_notebook;
use parquet::arrow::ArrowWriter;
use serde_json::{Map, Value, json};

fn python() -> Option<String> {
    let python = std::env::var("PARALLAX_TEST_PYTHON").unwrap_or_else(|_| "python3".into());
    let needs = "import nbconvert, ipykernel, pandas, pyarrow, matplotlib";
    let has = Command::new(&python).args(["-c", needs]).output().is_ok_and(|o| o.status.success());
    if !has {
        println!("skipped: {python} lacks nbconvert, ipykernel, pandas, pyarrow or matplotlib");
    }
    has.then_some(python)
}

/// Writes rows as a table; columns and types are taken from the rows.
fn table(file: &Path, rows: &[Value]) {
    let schema = arrow::json::reader::infer_json_schema_from_iterator(rows.iter().map(Ok)).unwrap();
    let schema = Arc::new(schema);
    let mut decoder = ReaderBuilder::new(Arc::clone(&schema))
        .with_batch_size(rows.len().max(1))
        .build_decoder()
        .unwrap();
    decoder.serialize(rows).unwrap();
    let mut writer =
        ArrowWriter::try_new(std::fs::File::create(file).unwrap(), schema, None).unwrap();
    while let Some(batch) = decoder.flush().unwrap() {
        writer.write(&batch).unwrap();
    }
    writer.close().unwrap();
}

/// The tables of a scored folder, as far as the notebook reads them.
fn scored_folder(corpus: &synthetic::Corpus, folder: &Path) {
    let sentences: Vec<Value> = corpus
        .sentences
        .iter()
        .map(|s| {
            let mut row = Map::new();
            row.insert("article_id".into(), json!(s.article_id));
            row.insert("outlet".into(), json!(s.outlet));
            row.insert("date".into(), json!(s.date));
            row.insert("text".into(), json!(s.text));
            row.insert("role".into(), json!(s.role));
            row.insert("duplicate_group".into(), json!(s.duplicate_group));
            for (layer, scores) in corpus.codebook.sentence_layers().zip(s.layers.iter().flatten())
            {
                let names: Vec<&str> = layer.label_names().collect();
                let given: Vec<&str> = scores.labels.iter().map(|&l| names[l]).collect();
                let value = match layer.kind {
                    parallax::model::codebook::LayerKind::Multi => json!(given),
                    _ => json!(given.first()),
                };
                row.insert(layer.name.clone(), value);
                for (name, p) in names.iter().zip(&scores.probabilities) {
                    row.insert(format!("{}_p_{name}", layer.name), json!(p));
                }
            }
            Value::Object(row)
        })
        .collect();
    let articles: Vec<Value> = corpus
        .articles
        .iter()
        .map(|a| json!({"article_id": a.article.id, "outlet": a.article.outlet, "title": a.article.title}))
        .collect();
    let mut observations = Observations::builder(&corpus.codebook);
    corpus.sentences.iter().for_each(|s| observations.push(s).unwrap());
    corpus.mentions.iter().for_each(|m| observations.push_mention(m).unwrap());
    let observations = observations.finish();
    let settings = Settings { resamples: 100, permutations: 99, ..Settings::default() };
    let values =
        |rows: &[_]| rows.iter().map(|r| serde_json::to_value(r).unwrap()).collect::<Vec<_>>();
    table(&folder.join("sentences.parquet"), &sentences);
    table(&folder.join("articles.parquet"), &articles);
    table(&folder.join("profiles.parquet"), &values(&profile::profiles(&observations, &settings)));
    let contrasts = profile::contrasts(&observations, &settings).rows;
    let contrasts: Vec<Value> =
        contrasts.iter().map(|r| serde_json::to_value(r).unwrap()).collect();
    table(&folder.join("contrasts.parquet"), &contrasts);
    let targets = profile::target_profiles(&observations, &settings);
    let targets: Vec<Value> = targets.iter().map(|r| serde_json::to_value(r).unwrap()).collect();
    table(&folder.join("target_profiles.parquet"), &targets);
}

#[test]
fn the_notebook_runs_and_its_shares_are_the_tables() {
    let Some(python) = python() else { return };
    let folder = tempfile::tempdir().unwrap();
    let scored = folder.path().join("scored");
    std::fs::create_dir(&scored).unwrap();
    scored_folder(&synthetic::many(4, 8, 6), &scored);
    // A path as seen from the notebook.
    std::fs::write(folder.path().join("demo.ipynb"), python_notebook(Path::new("scored")).unwrap())
        .unwrap();
    let run = || {
        Command::new(&python)
            .args(["-m", "nbconvert", "--to", "notebook", "--execute", "--inplace", "demo.ipynb"])
            .current_dir(folder.path())
            .output()
            .unwrap()
    };
    let done = run();
    assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
    let text = std::fs::read_to_string(folder.path().join("demo.ipynb")).unwrap();
    assert!(text.contains("all 60 shares agree"), "4 outlets × 15 labels");
    assert!(text.matches("image/png").count() >= 2, "two charts are drawn");

    // A share that is not what the sentences say stops the notebook.
    let text = std::fs::read(scored.join("sentences.parquet")).unwrap();
    let mut corpus = synthetic::many(4, 8, 6);
    if let Some(layers) = &mut corpus.sentences[0].layers {
        layers[0].labels = vec![(layers[0].labels[0] + 1) % 6];
    }
    scored_folder(&corpus, &scored);
    std::fs::write(scored.join("sentences.parquet"), text).unwrap();
    assert!(!run().status.success());
}
