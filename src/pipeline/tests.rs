use std::path::Path;

use super::*;
use crate::{
    model::codebook::Codebook,
    profile::Settings,
    scoring::{
        rows::{MentionRow, Scores, SentenceRow},
        tables::{Format, TableWriter, mentions_schema, sentences_schema},
    },
    text::Role,
};

/// A scored folder: outlets with so many articles of four sentences each.
fn scored(dir: &Path, outlets: &[(&str, usize)]) {
    let codebook = Codebook::from_toml(
        r#"
        name = "test"
        [[layer]]
        name = "voice"
        kind = "single"
        labels = [{ name = "own" }, { name = "other" }]
        [[layer]]
        name = "stance"
        kind = "target"
        labels = [{ name = "against" }, { name = "for" }]
        "#,
    )
    .unwrap();
    let scores = |label: usize| {
        vec![Scores { probabilities: vec![0.5; 2], labels: vec![label], ..Scores::default() }]
    };
    let mut sentences = Vec::new();
    let mut mentions = Vec::new();
    for (outlet, articles) in outlets {
        for article in 0..*articles {
            let id = format!("{outlet}-{article}");
            mentions.push(MentionRow {
                article_id: id.clone(),
                outlet: (*outlet).into(),
                sentence_index: 0,
                target: "Mayor".into(),
                mention: "mayor".into(),
                start: None,
                end: None,
                layers: scores(article % 2),
            });
            sentences.extend((0..4).map(|sentence_index| SentenceRow {
                article_id: id.clone(),
                outlet: (*outlet).into(),
                date: None,
                event: None,
                topic: None,
                sentence_index,
                start: Some(0),
                end: Some(1),
                text: "=".into(),
                role: Role::Body,
                n_tokens: 1,
                windowed: false,
                // The last article of the last outlet repeats the first of the first.
                duplicate_group: if id == "C-5" { "A-0".into() } else { id.clone() },
                layers: Some(scores((article + sentence_index as usize) % 2)),
            }));
        }
    }
    let schema = sentences_schema(&codebook).unwrap();
    let mut writer = TableWriter::create(dir, "sentences", schema, Format::Parquet).unwrap();
    writer.write(&sentences).unwrap();
    writer.finish().unwrap();
    let schema = mentions_schema(&codebook).unwrap();
    let mut writer = TableWriter::create(dir, "mentions", schema, Format::Parquet).unwrap();
    writer.write(&mentions).unwrap();
    writer.finish().unwrap();
}

#[test]
fn a_scored_folder_gets_its_three_tables_and_notes() {
    let dir = tempfile::tempdir().unwrap();
    scored(dir.path(), &[("A", 6), ("B", 1), ("C", 6)]);
    let summary = profile_folder(dir.path(), &ProfileOptions::default()).unwrap();
    assert_eq!(summary.profiles.len(), 3 * 2);
    assert_eq!(summary.contrasts.len(), 3 * 2);
    assert_eq!(summary.target_profiles.len(), 3 * 3);
    assert!(summary.profiles.iter().all(|row| row.share == 0.5));
    assert_eq!(summary.notes.len(), 2, "{:?}", summary.notes);
    assert!(summary.notes[0].starts_with("1 of 3 outlets has fewer than 5 articles (B)"));
    assert!(summary.notes[1].starts_with("1 of 13 articles nearly repeats"));
    for (file, rows) in summary.files.iter().zip([6, 6, 9]) {
        let file = std::fs::File::open(file).unwrap();
        let reader =
            parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder::try_new(file).unwrap();
        assert_eq!(reader.metadata().file_metadata().num_rows(), rows);
    }
}

#[test]
fn the_tables_can_go_elsewhere_and_in_another_format() {
    let dir = tempfile::tempdir().unwrap();
    scored(dir.path(), &[("A", 2), ("=B", 2)]);
    let out = dir.path().join("out");
    std::fs::create_dir(&out).unwrap();
    let options =
        ProfileOptions { format: Format::Csv, out: Some(out), ..ProfileOptions::default() };
    let summary = profile_folder(dir.path(), &options).unwrap();
    let contrasts = std::fs::read_to_string(&summary.files[1]).unwrap();
    assert_eq!(
        contrasts,
        "outlet_a,outlet_b,layer,label,difference,low,high,p,q\n\
         '=B,A,voice,own,0,,,,\n\
         '=B,A,voice,other,0,,,,\n"
    );
    assert_eq!(summary.files[0], dir.path().join("out").join("profiles.csv"));
}

#[test]
fn senseless_settings_are_refused_before_anything_is_read() {
    let statistics = Settings { resamples: 0, ..Settings::default() };
    let options = ProfileOptions { statistics, ..ProfileOptions::default() };
    let error = profile_folder(Path::new("nowhere"), &options).unwrap_err();
    assert!(error.to_string().starts_with("resamples is 0"), "{error}");
}
