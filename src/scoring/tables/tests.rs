use std::{fs, io, path::Path};

use proptest::prelude::*;

use super::{
    sink::{self, SinkError},
    *,
};
use crate::{
    corpus::Article,
    model::codebook::Codebook,
    scoring::rows::{ArticleRow, MentionRow, Scores, SentenceRow},
    text::Role,
};

fn codebook() -> Codebook {
    Codebook::from_toml(
        r#"
        name = "test"
        [[layer]]
        name = "voice"
        kind = "single"
        labels = [{ name = "own" }, { name = "other" }]
        [[layer]]
        name = "frames"
        kind = "multi"
        labels = [{ name = "money" }, { name = "law" }, { name = "health" }]
        [[layer]]
        name = "stance"
        kind = "target"
        labels = [{ name = "against" }, { name = "neutral" }, { name = "for" }]
        "#,
    )
    .unwrap()
}

fn sentence() -> SentenceRow {
    SentenceRow {
        article_id: "a1".into(),
        outlet: "The Lantern".into(),
        date: Some("2031-05-06".into()),
        event: None,
        topic: None,
        sentence_index: 3,
        start: Some(10),
        end: Some(42),
        text: "=SUM(A1) is what the mayor wrote.".into(),
        role: Role::Body,
        n_tokens: 9,
        windowed: false,
        duplicate_group: "a1".into(),
        layers: Some(vec![
            Scores { probabilities: vec![0.25, 0.75], labels: vec![1], ..Scores::default() },
            Scores {
                probabilities: vec![0.5, 0.625, 0.0],
                labels: vec![0, 1],
                ..Scores::default()
            },
        ]),
    }
}

fn mention() -> MentionRow {
    MentionRow {
        article_id: "a1".into(),
        outlet: "The Lantern".into(),
        sentence_index: 3,
        target: "Mayor".into(),
        mention: "the mayor".into(),
        start: Some(27),
        end: Some(36),
        layers: vec![Scores {
            probabilities: vec![0.5, 0.25, 0.25],
            labels: vec![0],
            ..Scores::default()
        }],
    }
}

fn write<T: TableRow>(
    dir: &Path,
    name: &str,
    schema: arrow::datatypes::SchemaRef,
    format: Format,
    rows: &[T],
) -> std::path::PathBuf {
    let mut writer = TableWriter::create(dir, name, schema, format).unwrap();
    writer.write(rows).unwrap();
    writer.finish().unwrap()
}

fn write_sentences(dir: &Path, format: Format, rows: &[SentenceRow]) -> std::path::PathBuf {
    write(dir, "sentences", sentences_schema(&codebook()).unwrap(), format, rows)
}

fn all<T>(batches: impl Iterator<Item = Result<Vec<T>>>) -> Vec<T> {
    batches.flat_map(|batch| batch.unwrap()).collect()
}

fn optional_text() -> impl Strategy<Value = Option<String>> {
    proptest::option::of(".{0,12}")
}

fn sentences() -> impl Strategy<Value = Vec<SentenceRow>> {
    let scores =
        |n: usize, most: usize| {
            let labels = proptest::sample::subsequence((0..n).collect::<Vec<_>>(), 0..=most);
            (prop::collection::vec(0f32..=1.0, n), labels).prop_map(|(probabilities, labels)| {
                Scores { probabilities, labels, ..Scores::default() }
            })
        };
    let layers = proptest::option::of((scores(2, 1), scores(3, 3)).prop_map(|(a, b)| vec![a, b]));
    let offsets = proptest::option::of((0u32..1000, 0u32..1000));
    let role = prop::sample::select(vec![Role::Headline, Role::Body, Role::Quote]);
    let texts = (".{0,20}", ".{0,20}", "\\PC{0,40}", ".{0,8}");
    let row = (texts, optional_text(), optional_text(), offsets, role, layers, any::<bool>());
    let row = row.prop_map(|(texts, event, topic, offsets, role, layers, windowed)| {
        let (article_id, outlet, text, duplicate_group) = texts;
        SentenceRow {
            article_id,
            outlet,
            event,
            topic,
            start: offsets.map(|o| o.0),
            end: offsets.map(|o| o.1),
            text,
            role: if layers.is_none() { Role::Boilerplate } else { role },
            windowed,
            duplicate_group,
            layers,
            ..sentence()
        }
    });
    prop::collection::vec(row, 0..30)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(32))]

    #[test]
    fn sentences_come_back_as_they_were_written(rows in sentences()) {
        let dir = tempfile::tempdir().unwrap();
        write_sentences(dir.path(), Format::Parquet, &rows);
        let folder = ScoredFolder::open(dir.path()).unwrap();
        prop_assert_eq!(folder.codebook(), &codebook());
        prop_assert_eq!(all(folder.sentences().unwrap()), rows);
    }

    #[test]
    fn csv_and_jsonl_take_any_row(rows in sentences()) {
        let dir = tempfile::tempdir().unwrap();
        let path = write_sentences(dir.path(), Format::Csv, &rows);
        let mut reader = csv::Reader::from_path(path).unwrap();
        prop_assert_eq!(reader.headers().unwrap().len(), 13 + 3 + 4);
        prop_assert_eq!(reader.records().filter(|r| r.is_ok()).count(), rows.len());
        let text = fs::read_to_string(write_sentences(dir.path(), Format::Jsonl, &rows)).unwrap();
        for (line, row) in text.lines().zip(&rows) {
            let value: serde_json::Value = serde_json::from_str(line).unwrap();
            prop_assert_eq!(value["text"].as_str(), Some(row.text.as_str()));
        }
        prop_assert_eq!(text.lines().count(), rows.len());
    }
}

#[test]
fn mentions_and_articles_come_back_as_they_were_written() {
    let dir = tempfile::tempdir().unwrap();
    write_sentences(dir.path(), Format::Parquet, &[sentence()]);
    let folder = ScoredFolder::open(dir.path()).unwrap();
    assert!(all(folder.mentions().unwrap()).is_empty(), "no file means no mentions");

    let mut abstained = mention();
    (abstained.start, abstained.end) = (None, None);
    abstained.layers[0].labels.clear();
    let mentions = [mention(), abstained];
    let schema = mentions_schema(&codebook()).unwrap();
    write(dir.path(), "mentions", schema, Format::Parquet, &mentions);
    assert_eq!(all(folder.mentions().unwrap()), mentions);

    let article = |id: &str, extra: &[(&str, &str)]| ArticleRow {
        article: Article {
            id: id.into(),
            outlet: "The Lantern".into(),
            title: Some("Bridge opens".into()),
            extra: extra.iter().map(|(k, v)| ((*k).into(), (*v).into())).collect(),
            ..Article::default()
        },
        n_sentences: 7,
        duplicate_of: Some("a0".into()),
    };
    let articles =
        [article("a1", &[("author", "Ida Wren")]), article("a2", &[("Title", "x"), ("", "y")])];
    let extra = extra_columns(&articles);
    let schema = articles_schema(&codebook(), &extra).unwrap();
    let names: Vec<_> = schema.fields().iter().skip(10).map(|f| f.name().as_str()).collect();
    assert_eq!(names, ["author", "input_Title", "input_"]);
    write(dir.path(), "articles", schema, Format::Parquet, &articles);
    assert_eq!(all(folder.articles().unwrap()), articles);
}

#[test]
fn columns_beyond_the_limit_are_kept_as_json() {
    let dir = tempfile::tempdir().unwrap();
    write_sentences(dir.path(), Format::Parquet, &[sentence()]);
    let extra = |n: usize| (0..n).map(|i| (format!("c{i}"), format!("v{i}"))).collect();
    let row = ArticleRow {
        article: Article {
            id: "a1".into(),
            extra: extra(MAX_EXTRA_COLUMNS + 9),
            ..Article::default()
        },
        n_sentences: 1,
        duplicate_of: None,
    };
    let names = extra_columns([&row]);
    assert_eq!(names.len(), MAX_EXTRA_COLUMNS + 1);
    let schema = articles_schema(&codebook(), &names).unwrap();
    write(dir.path(), "articles", schema, Format::Parquet, std::slice::from_ref(&row));
    let folder = ScoredFolder::open(dir.path()).unwrap();
    assert_eq!(all(folder.articles().unwrap()), [row]);
}

#[test]
fn csv_disarms_formulas_joins_labels_and_leaves_nulls_empty() {
    let dir = tempfile::tempdir().unwrap();
    let path = write_sentences(dir.path(), Format::Csv, &[sentence()]);
    assert_eq!(
        fs::read_to_string(path).unwrap(),
        "article_id,outlet,date,event,topic,sentence_index,start,end,text,role,n_tokens,windowed,\
         duplicate_group,voice,voice_p_own,voice_p_other,frames,frames_p_money,frames_p_law,\
         frames_p_health\n\
         a1,The Lantern,2031-05-06,,,3,10,42,'=SUM(A1) is what the mayor wrote.,body,9,false,a1,\
         other,0.25,0.75,money;law,0.5,0.625,0\n"
    );
}

#[test]
fn jsonl_has_every_key_in_every_line() {
    let dir = tempfile::tempdir().unwrap();
    let path = write_sentences(dir.path(), Format::Jsonl, &[sentence()]);
    let line = fs::read_to_string(path).unwrap();
    let value: serde_json::Value = serde_json::from_str(&line).unwrap();
    assert!(value["event"].is_null());
    assert_eq!(value["frames"], serde_json::json!(["money", "law"]));
    assert_eq!(value["voice_p_other"], 0.75);
    assert_eq!(value.as_object().unwrap().len(), 20);
}

#[test]
fn withheld_labels_have_a_column_of_their_own() {
    let dir = tempfile::tempdir().unwrap();
    let mut row = sentence();
    let layers = row.layers.as_mut().unwrap();
    layers[1] = Scores { labels: vec![1], withheld: vec![0], ..layers[1].clone() };
    let schema = sentences_schema_with_withheld(&codebook()).unwrap();
    write(dir.path(), "sentences", schema, Format::Parquet, std::slice::from_ref(&row));
    let folder = ScoredFolder::open(dir.path()).unwrap();
    assert_eq!(all(folder.sentences().unwrap()), [row]);
    write_sentences(dir.path(), Format::Jsonl, &[sentence()]);
    assert!(!fs::read_to_string(dir.path().join("sentences.jsonl")).unwrap().contains("withheld"));
}

#[test]
fn an_unfinished_table_leaves_nothing_behind() {
    let dir = tempfile::tempdir().unwrap();
    for format in Format::ALL {
        let schema = sentences_schema(&codebook()).unwrap();
        let mut writer = TableWriter::create(dir.path(), "sentences", schema, format).unwrap();
        writer.write(&[sentence()]).unwrap();
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 1);
        drop(writer);
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 0);
    }
}

#[cfg(unix)]
#[test]
fn a_table_is_as_readable_as_any_other_file() {
    use std::os::unix::fs::PermissionsExt;
    let dir = tempfile::tempdir().unwrap();
    let plain = dir.path().join("plain");
    fs::write(&plain, "").unwrap();
    let table = write_sentences(dir.path(), Format::Csv, &[]);
    let mode = |path| fs::metadata(path).unwrap().permissions().mode();
    assert_eq!(mode(table), mode(plain));
}

/// A disk with so many bytes left.
struct Disk(usize);

impl io::Write for Disk {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if self.0 == 0 {
            return Err(io::ErrorKind::StorageFull.into());
        }
        let n = bytes.len().min(self.0);
        self.0 -= n;
        Ok(n)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[test]
fn a_full_disk_is_told_as_such() {
    let schema = sentences_schema(&codebook()).unwrap();
    let rows = vec![sentence(); 1000];
    let columns = SentenceRow::encode(&rows, &SentenceRow::layout(&schema).unwrap()).unwrap();
    let batch = arrow::array::RecordBatch::try_new(schema.clone(), columns).unwrap();
    for format in Format::ALL {
        for room in [0, 3, 500] {
            let write = || -> std::result::Result<(), SinkError> {
                let mut sink = sink::open(format, &schema, Disk(room))?;
                sink.write(&batch)?;
                sink.finish()
            };
            match write() {
                Err(SinkError::Io(e)) => assert_eq!(e.kind(), io::ErrorKind::StorageFull),
                other => panic!("{format} with {room} bytes left: {other:?}"),
            }
        }
    }
}

#[test]
fn scores_that_do_not_fit_the_codebook_are_refused() {
    let dir = tempfile::tempdir().unwrap();
    let schema = sentences_schema(&codebook()).unwrap();
    let refusal = |change: fn(&mut Vec<Scores>)| {
        let mut row = sentence();
        change(row.layers.as_mut().unwrap());
        let schema = schema.clone();
        let mut writer = TableWriter::create(dir.path(), "s", schema, Format::Parquet).unwrap();
        writer.write(&[row]).unwrap_err().to_string()
    };
    let message = refusal(|layers| layers.truncate(1));
    assert!(message.ends_with("a row has scores of 1 layers, the codebook has 2"), "{message}");
    let message = refusal(|layers| layers[0].labels = vec![7]);
    assert!(message.ends_with("layer voice has 2 labels, but label 7 was given"), "{message}");
    let message = refusal(|layers| layers[0].labels = vec![0, 1]);
    assert!(message.ends_with("layer voice takes one label, but has several"), "{message}");
    let message = refusal(|layers| layers[1].probabilities.clear());
    assert!(message.ends_with("layer frames has 3 labels, but 0 probabilities"), "{message}");
}

#[test]
fn clashing_columns_are_refused() {
    let mut codebook = codebook();
    codebook.layers[0].name = "Text".into();
    let message = sentences_schema(&codebook).unwrap_err().to_string();
    assert!(message.contains("two columns of a table would be called \"Text\""), "{message}");
}

#[test]
fn a_folder_that_cannot_be_read_says_why() {
    let refusal = |dir: &Path| ScoredFolder::open(dir).unwrap_err();
    let dir = tempfile::tempdir().unwrap();
    let error = refusal(&dir.path().join("nowhere"));
    assert_eq!(error.hint(), Some("check the spelling of the path"));

    let error = refusal(dir.path());
    assert!(error.to_string().ends_with("it holds no scored corpus (no sentences.parquet)"));
    assert!(error.hint().unwrap().contains("parallax score"));

    write_sentences(dir.path(), Format::Csv, &[sentence()]);
    let error = refusal(dir.path());
    assert!(error.to_string().contains("it was scored as csv"), "{error}");

    let path = dir.path().join("sentences.parquet");
    fs::write(&path, b"PAR1 this is no table PAR1").unwrap();
    let error = refusal(dir.path());
    assert!(error.to_string().contains("sentences.parquet"), "{error}");

    let written = |key: &str, value: Option<&str>| {
        let schema = sentences_schema(&codebook()).unwrap();
        let mut metadata = schema.metadata().clone();
        match value {
            Some(value) => metadata.insert(key.to_owned(), value.to_owned()),
            None => metadata.remove(key),
        };
        let schema = std::sync::Arc::new(schema.as_ref().clone().with_metadata(metadata));
        let file = fs::File::create(&path).unwrap();
        sink::open(Format::Parquet, &schema, file).unwrap().finish().unwrap();
        refusal(dir.path()).to_string()
    };
    let message = written("parallax.schema_version", Some("99"));
    assert!(message.contains("schema version 99, this program reads 1"), "{message}");
    let message = written("parallax.schema_version", None);
    assert!(message.contains("not written by parallax score"), "{message}");
    let message = written("parallax.codebook", None);
    assert!(message.contains("holds no codebook"), "{message}");
    let message = written("parallax.codebook", Some("{]"));
    assert!(message.contains("codebook in the table's metadata"), "{message}");
}

#[test]
fn a_damaged_table_is_an_error_and_no_panic() {
    let dir = tempfile::tempdir().unwrap();
    let path = write_sentences(dir.path(), Format::Parquet, &vec![sentence(); 300]);
    let whole = fs::read(&path).unwrap();
    for cut in [4, whole.len() / 2, whole.len() - 9] {
        fs::write(&path, &whole[..cut]).unwrap();
        assert!(ScoredFolder::open(dir.path()).is_err());
    }
    let mut scrambled = whole.clone();
    scrambled[8..400].fill(0xA5);
    fs::write(&path, &scrambled).unwrap();
    let folder = ScoredFolder::open(dir.path()).unwrap();
    assert!(folder.sentences().unwrap().any(|batch| batch.is_err()));
}
