//! The tables of an invented corpus in a folder, as scoring and profiling would write them.

#![allow(dead_code)] // each test program uses a part of it

use std::path::Path;
use std::sync::Arc;

use arrow::json::ReaderBuilder;
use parallax::profile::alignment::Group;
use parallax::profile::{self, Observations};
use parquet::arrow::ArrowWriter;
use serde_json::{Map, Value, json};

use crate::synthetic;

/// Writes rows as a table; columns and types are taken from the rows.
pub fn table(file: &Path, rows: &[Value]) {
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
pub fn scored_folder(corpus: &synthetic::Corpus, folder: &Path) {
    let sentences: Vec<Value> = corpus
        .sentences
        .iter()
        .map(|s| {
            let mut row = Map::new();
            row.insert("article_id".into(), json!(s.article_id));
            row.insert("sentence_index".into(), json!(s.sentence_index));
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
    let settings = synthetic::settings();
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
    let rows: Vec<Value> = corpus.groups.iter().flatten().flat_map(member_rows).collect();
    if !rows.is_empty() {
        table(&folder.join("alignments.parquet"), &rows);
    }
    if let Some(words) = &corpus.words {
        let rows: Vec<Value> = words
            .iter()
            .map(|w| {
                // The table has every column, also one that is empty throughout.
                let mut row = serde_json::to_value(w).unwrap();
                for column in ["against", "label"] {
                    row[column] = json!(row[column].as_str());
                }
                row
            })
            .collect();
        table(&folder.join("words.parquet"), &rows);
    }
}

/// The members of a group as rows of `alignments.parquet`, as far as the notebook reads them.
fn member_rows(group: &Group) -> Vec<Value> {
    let side = |i: usize| {
        let sides = group.contested.as_ref()?;
        let held = sides.held_off.contains(&i).then_some("held_off");
        held.or_else(|| sides.passed_on.contains(&i).then_some("passed_on"))
    };
    let members = group.members.iter().enumerate();
    members
        .map(|(i, m)| {
            json!({
                "group": group.id, "event": group.event, "kind": "claim",
                "article_id": m.sentence.article_id, "outlet": m.outlet,
                "sentence_index": m.sentence.sentence_index, "start": m.span.start,
                "end": m.span.end, "similarity": m.similarity,
                "representative": i == group.representative, "contested": side(i),
                "marks": m.marks.iter().map(|m| json!({"start": m.start, "end": m.end, "kind": "hedge"})).collect::<Vec<_>>(),
            })
        })
        .collect()
}
