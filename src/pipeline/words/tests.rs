use super::*;
use crate::scoring::rows::{MentionRow, Scores};
use crate::scoring::tables::{TableWriter, mentions_schema, sentences_schema};

const CODEBOOK: &str = r#"
    name = "test"
    [[layer]]
    name = "frames"
    kind = "multi"
    labels = [{ name = "security_defense" }, { name = "economic" }]
    [[layer]]
    name = "stance"
    kind = "target"
    labels = [{ name = "against" }, { name = "for" }]
"#;

/// A sentence: outlet, article, duplicate of, text, labels, mention of Halvia.
type Row<'a> = (&'a str, &'a str, &'a str, &'a str, &'a [usize], &'a str);

/// A scored folder.
fn scored(dir: &Path, rows: &[Row]) {
    let codebook = Codebook::from_toml(CODEBOOK).expect("it is one");
    let (mut sentences, mut mentions) = (Vec::new(), Vec::new());
    for (i, (outlet, id, duplicate_of, text, labels, mention)) in rows.iter().enumerate() {
        let scores =
            Scores { probabilities: vec![0.5; 2], labels: labels.to_vec(), ..Scores::default() };
        sentences.push(SentenceRow {
            article_id: (*id).into(),
            outlet: (*outlet).into(),
            date: None,
            event: None,
            topic: None,
            sentence_index: i as u32,
            start: Some(7),
            end: None,
            text: (*text).into(),
            role: if labels.len() > 2 { Role::Boilerplate } else { Role::Body },
            n_tokens: 1,
            windowed: false,
            duplicate_group: if duplicate_of.is_empty() { *id } else { *duplicate_of }.into(),
            layers: (labels.len() < 3).then(|| vec![scores.clone()]),
        });
        if let Some(at) = text.find(mention).filter(|_| !mention.is_empty()) {
            mentions.push(MentionRow {
                article_id: (*id).into(),
                outlet: (*outlet).into(),
                sentence_index: i as u32,
                target: "Halvia".into(),
                mention: (*mention).into(),
                start: Some(7 + text[..at].chars().count() as u32),
                end: None,
                layers: vec![scores],
            });
        }
    }
    let schema = sentences_schema(&codebook).expect("it fits");
    let mut writer =
        TableWriter::create(dir, "sentences", schema, Format::Parquet).expect("it opens");
    writer.write(&sentences).expect("it writes");
    writer.finish().expect("it ends");
    let schema = mentions_schema(&codebook).expect("it fits");
    let mut writer =
        TableWriter::create(dir, "mentions", schema, Format::Parquet).expect("it opens");
    writer.write(&mentions).expect("it writes");
    writer.finish().expect("it ends");
    let record = serde_json::json!({
        "version": "", "schema_version": "", "finished": "", "device": "", "workers": 1,
        "batch_tokens": 1, "inputs": [], "recognised": [], "outlets_renamed": {},
        "model": {"name": "", "version": "", "hash": "", "licence": "", "base": "", "evaluation": {}},
        "targets": ["Halvia"], "targets_discovered": false, "n_skipped": 0, "skipped": [],
        "counts": crate::pipeline::run::Counts::default(),
        "timing": crate::pipeline::run::Timing::default(),
    });
    std::fs::write(dir.join("run.json"), record.to_string()).expect("it writes");
}

fn folder() -> tempfile::TempDir {
    let dir = tempfile::tempdir().expect("there is room");
    scored(
        dir.path(),
        &[
            (
                "north",
                "n1",
                "",
                "The reckless regime in Merrow, it said, moved a huge army.",
                &[0],
                "regime in Merrow",
            ),
            (
                "north",
                "n2",
                "",
                "The army of the reckless regime in Merrow is an army.",
                &[0],
                "regime in Merrow",
            ),
            ("south", "s1", "", "Hálvia moved peaceful soldiers; prices rose.", &[1], "Hálvia"),
            ("south", "s2", "n1", "The reckless regime in Merrow moved.", &[], "regime in Merrow"),
            ("south", "s3", "", "Share this army army army army", &[0, 0, 0], ""),
        ],
    );
    dir
}

fn run(options: WordsOptions) -> Result<WordsSummary> {
    let statistics = Settings { least: 1, ..options.statistics };
    words_folder(folder().path(), &WordsOptions { statistics, ..options })
}

fn terms_of<'a>(rows: &'a [WordRow], outlet: &str, scope: &str) -> Vec<&'a str> {
    let mine = rows.iter().filter(|r| r.outlet == outlet && r.scope.name() == scope);
    mine.map(|r| r.term.as_str()).collect()
}

#[test]
fn compares_all_words_and_the_names_of_targets() {
    let summary = run(WordsOptions::default()).expect("it runs");
    assert!(terms_of(&summary.rows, "north", "all").contains(&"army"));
    assert_eq!(terms_of(&summary.rows, "south", "naming"), ["Hálvia", "regime in Merrow"]);
    let name = summary.rows.iter().find(|r| r.outlet == "north" && r.scope.name() == "naming");
    assert_eq!(name.map(|r| (r.count, r.count_rest, r.n_articles)), Some((2, 1, 2)));
    assert!(summary.file.ends_with("words.parquet"));
    assert!(summary.notes[0].contains("2 of 2 outlets have fewer than 5"), "{:?}", summary.notes);
}

#[test]
fn wire_copy_can_be_left_out() {
    let options = WordsOptions { exclude_duplicates: true, ..WordsOptions::default() };
    let summary = run(options).expect("it runs");
    assert_eq!(terms_of(&summary.rows, "south", "naming"), ["Hálvia"]);
}

#[test]
fn a_label_or_a_target_narrows_it_down() {
    let label = Scope::Label { layer: "frames".into(), label: "Security and Defense".into() };
    let near = Scope::Around { target: "Halvia".into() };
    let statistics = Settings { window: 2, ..Settings::default() };
    let options = WordsOptions { scopes: vec![label, near], statistics, ..WordsOptions::default() };
    let summary = run(options).expect("it runs");
    assert!(terms_of(&summary.rows, "south", "label").is_empty(), "it has no such sentence");
    let near = terms_of(&summary.rows, "north", "around");
    assert!(near.contains(&"reckless") && near.contains(&"said"), "{near:?}");
    assert!(!near.iter().any(|t| t.contains("Merrow") || t.contains("huge")), "{near:?}");
    assert!(terms_of(&summary.rows, "south", "around").contains(&"peaceful"));
}

#[test]
fn outlets_can_be_grouped() {
    let group = |outlets: &[&str]| outlets.iter().map(|o| (*o).to_owned()).collect::<Vec<_>>();
    let groups = [("a".to_owned(), group(&["north"])), ("b".to_owned(), group(&["south"]))];
    let summary = run(WordsOptions { groups: groups.into(), ..WordsOptions::default() });
    assert!(terms_of(&summary.expect("it runs").rows, "a", "all").contains(&"army"));
    let wrong = [("a".to_owned(), group(&["North"]))];
    let error = run(WordsOptions { groups: wrong.into(), ..WordsOptions::default() });
    assert!(error.is_err_and(|e| e.hint().is_some()));
}

#[test]
fn what_is_not_there_is_named() {
    let label =
        |layer: &str, label: &str| Scope::Label { layer: layer.into(), label: label.into() };
    for (scope, hint) in [
        (label("frames", "weather"), "security_defense, economic"),
        (label("tone", "x"), "frames"),
        (label("stance", "for"), "frames"),
        (Scope::Naming { target: "Ketria".into() }, "Halvia"),
    ] {
        let error = run(WordsOptions { scopes: vec![scope], ..WordsOptions::default() });
        assert!(error.is_err_and(|e| e.hint().is_some_and(|h| h.contains(hint))), "{hint}");
    }
}
