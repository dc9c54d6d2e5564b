//! `parallax evaluate` as a user runs it, on invented sentences.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use arrow::array::{ArrayRef, Int64Array, ListBuilder, RecordBatch, StringArray, StringBuilder};
use assert_cmd::Command;
use predicates::prelude::*;
use predicates::str::contains;
use serde_json::{Value, json};

fn parallax() -> Command {
    Command::new(env!("CARGO_BIN_EXE_parallax"))
}

/// Sentences on which the built-in model is right, with their engagement.
const SENTENCES: [(&str, &str); 6] = [
    ("The ferry was closed on Monday after a storm.", "assert"),
    ("The mayor said the bridge would open in June.", "acknowledge"),
    ("The ministry denied that the dam had been opened at night.", "deny"),
    ("The company may sell its harbour next year.", "entertain"),
    ("Officials alleged that the guards had opened fire first.", "distance"),
    ("The inquiry showed that the gates were opened by hand.", "endorse"),
];

struct Data {
    dir: tempfile::TempDir,
}

impl Data {
    fn new() -> Self {
        Data { dir: tempfile::tempdir().unwrap() }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    fn write(&self, name: &str, text: &str) -> PathBuf {
        std::fs::write(self.path(name), text).unwrap();
        self.path(name)
    }
}

/// Runs `evaluate default DATA --json …` and reads the figures.
fn figures(data: &Path, more: &[&str]) -> Value {
    let json = data.with_extension("figures.json");
    parallax()
        .args(["evaluate", "default", data.to_str().unwrap(), "--resamples", "100"])
        .args(["--json", json.to_str().unwrap()])
        .args(more)
        .assert()
        .success();
    serde_json::from_slice(&std::fs::read(json).unwrap()).unwrap()
}

#[test]
fn one_set_of_labels_in_every_form_gives_the_same_figures() {
    let data = Data::new();
    let frames = |i: usize| if i.is_multiple_of(2) { "political" } else { "economic" };
    let rows = || SENTENCES.iter().enumerate();
    let stance = json!({"mention": "The", "start": 0, "end": 3, "stance": "neutral"});
    let jsonl: Vec<String> = rows()
        .map(|(i, (text, label))| {
            let mut row =
                json!({"id": i, "text": text, "engagement": label, "frames": [frames(i)]});
            if text.starts_with("The") {
                row["target"] = stance.clone();
            }
            row.to_string()
        })
        .collect();
    let expected = figures(&data.write("rows.jsonl", &jsonl.join("\n")), &[]);
    assert_eq!(expected["layers"]["engagement"]["n"], 6);
    assert_eq!(expected["layers"]["engagement"]["accuracy"], 1.0);
    assert_eq!(expected["layers"]["stance"]["n"], 5);

    let csv = |head: &str, row: &dyn Fn(usize, &str, &str, &str) -> String| {
        let of_row = |(i, (text, label)): (usize, &(&str, &str))| {
            let target = if text.starts_with("The") { "The,0,3,neutral" } else { ",,," };
            row(i, text, label, target)
        };
        let lines: Vec<String> = rows().map(of_row).collect();
        format!("{head}\n{}\n", lines.join("\n"))
    };
    let listed =
        csv("text,engagement,frames,mention,start,end,stance", &|i, text, label, target| {
            format!("{text},{label},{},{target}", frames(i))
        });
    let politics = csv(
        "text,engagement,mention,start,end,stance,frames:political,frames:economic",
        &|i, text, label, target| format!("{text},{label},{target},{},{}", (i + 1) % 2, i % 2),
    );
    for (name, text) in [("listed.csv", &listed), ("columns.csv", &politics)] {
        let mut found = figures(&data.write(name, text), &[]);
        if name == "columns.csv" {
            // The other twelve frames are neither right nor wrong there.
            found["layers"]["frames"] = expected["layers"]["frames"].clone();
        }
        assert_eq!(found["layers"], expected["layers"], "{name}");
    }

    let parquet = data.path("rows.parquet");
    write_parquet(&parquet, &rows().map(|(i, (t, l))| (*t, *l, frames(i))).collect::<Vec<_>>());
    assert_eq!(figures(&parquet, &[])["layers"], expected["layers"]);

    let task = |(i, (text, label)): (usize, &(&str, &str))| {
        let choices = |control: &str, value: Value| json!({"from_name": control, "to_name": "text", "type": "choices", "value": value});
        let mut result = vec![
            choices("engagement", json!({"choices": [label]})),
            choices("frames", json!({"choices": [frames(i)]})),
        ];
        if text.starts_with("The") {
            let region = json!({"start": 0, "end": 3, "text": "The", "choices": ["neutral"]});
            result.push(choices("stance", region));
        }
        json!({"id": i, "data": {"text": text}, "annotations": [{"id": 1, "result": result}]})
    };
    let tasks: Vec<Value> = rows().map(task).collect();
    let tasks = data.write("label-studio.json", &serde_json::to_string_pretty(&tasks).unwrap());
    assert_eq!(figures(&tasks, &[])["layers"], expected["layers"]);

    let doccano: Vec<String> = rows()
        .map(|(i, (text, label))| {
            json!({"id": i, "text": text, "label": [format!("engagement:{label}"), frames(i)]})
                .to_string()
        })
        .collect();
    let found = figures(&data.write("doccano.jsonl", &doccano.join("\n")), &[]);
    for layer in ["engagement", "frames"] {
        assert_eq!(found["layers"][layer], expected["layers"][layer]);
    }
}

fn write_parquet(path: &Path, rows: &[(&str, &str, &str)]) {
    let texts = |value: fn(&(&str, &str, &str)) -> Option<String>| -> ArrayRef {
        Arc::new(rows.iter().map(value).collect::<StringArray>())
    };
    let the = |r: &(&str, &str, &str)| r.0.starts_with("The");
    let numbers = |n: i64| -> ArrayRef {
        Arc::new(rows.iter().map(|r| the(r).then_some(n)).collect::<Int64Array>())
    };
    let mut frames = ListBuilder::new(StringBuilder::new());
    for row in rows {
        frames.values().append_value(row.2);
        frames.append(true);
    }
    let batch = RecordBatch::try_from_iter([
        ("text", texts(|r| Some(r.0.into()))),
        ("engagement", texts(|r| Some(r.1.into()))),
        ("frames", Arc::new(frames.finish()) as ArrayRef),
        ("mention", texts(|r| r.0.starts_with("The").then(|| "The".into()))),
        ("start", numbers(0)),
        ("end", numbers(3)),
        ("stance", texts(|r| r.0.starts_with("The").then(|| "neutral".into()))),
    ])
    .unwrap();
    let file = std::fs::File::create(path).unwrap();
    let mut writer = parquet::arrow::ArrowWriter::try_new(file, batch.schema(), None).unwrap();
    writer.write(&batch).unwrap();
    writer.close().unwrap();
}

#[test]
fn a_bad_row_is_named_and_passed_over() {
    let data = Data::new();
    let csv = "text,engagement\nThe ferry sank.,assert\nThe bridge stands.,asserted\n,assert\n";
    parallax()
        .args(["evaluate", "default", data.write("rows.csv", csv).to_str().unwrap()])
        .assert()
        .code(3)
        .stderr(
            contains("row 3: field `engagement`: \"asserted\" is no label").and(contains("row 4")),
        );
    let none = data.write("none.csv", "sentence_text,voice\nThe ferry sank.,assert\n");
    parallax()
        .args(["evaluate", "default", none.to_str().unwrap()])
        .assert()
        .code(1)
        .stderr(contains("`text` is missing").and(contains("hint: ")).and(contains("engagement")));
    let text = data.write("rows.txt", "The ferry sank.");
    parallax()
        .args(["evaluate", "default", text.to_str().unwrap()])
        .assert()
        .code(1)
        .stderr(contains("rows.txt").and(contains(".jsonl")));
}

const DEMO: &str = "labels/demo.jsonl";

#[test]
fn everything_at_once_on_the_demonstration_labels() {
    let data = Data::new();
    let out = data.path("out");
    let output = parallax()
        .args(["evaluate", "default", DEMO, "--against", "models/default", "--by", "document"])
        .args(["--errors", "2", "--min-confidence", "0.8", "--resamples", "100"])
        .args(["--permutations", "199", "--out", out.to_str().unwrap()])
        .assert()
        .success()
        .get_output()
        .clone();
    let text = String::from_utf8(output.stdout).unwrap();
    for part in [
        "engagement (labels/demo.jsonl, n = 536",
        "reliability",
        "by outlet",
        "Corriden Wire",
        "by document",
        "by tokens",
        "below 0.8 withheld",
        "most confident errors",
        "against models/default",
        "A - B +0.000",
        "p 1.0000",
    ] {
        assert!(text.contains(part), "{part} is not in:\n{text}");
    }
    let found: Value =
        serde_json::from_slice(&std::fs::read(out.join("evaluation.json")).unwrap()).unwrap();
    let engagement = &found["layers"]["engagement"];
    let bins = engagement["reliability"].as_array().unwrap();
    assert_eq!(bins.iter().map(|b| b["n"].as_u64().unwrap()).sum::<u64>(), 536);
    assert_eq!(engagement["coverage"][0]["coverage"], 1.0);
    assert!(engagement["labels"]["assert"]["interval"][0].is_number());
    let kept = &found["min_confidence"]["layers"]["engagement"];
    assert!(kept["coverage"].as_f64().unwrap() < 1.0);
    assert!(kept["accuracy"].as_f64() > engagement["accuracy"].as_f64());
    let comparison = &found["comparison"]["layers"]["engagement"]["macro_f1"];
    assert_eq!((&comparison["difference"], &comparison["p"]), (&json!(0.0), &json!(1.0)));
    let outlets = found["breakdowns"][0]["groups"].as_array().unwrap();
    assert_eq!((&found["breakdowns"][0]["by"], outlets.len()), (&json!("outlet"), 5));
    let page = std::fs::read_to_string(out.join("evaluation.html")).unwrap();
    assert!(page.contains("<svg") && page.contains("Corriden Wire") && !page.contains("<script"));
}

#[test]
fn test_sentences_that_were_trained_on_are_told() {
    let data = Data::new();
    let long = "The council of the old harbour town said that the ferry to the northern islands will \
                not sail before the storm has passed";
    let row = |document: &str, text: &str, outlet: &str| {
        json!({"document": document, "text": text, "outlet": outlet, "engagement": "assert"})
            .to_string()
    };
    let test = data.write(
        "test.jsonl",
        &[row("a", "The ferry sank.", "One"), row("b", long, "Two")].join("\n"),
    );
    let train = data.write(
        "train.jsonl",
        &[
            row("a", "Another sentence.", "One"),
            row("c", "The ferry sank.", "Three"),
            row("d", &long.replace("harbour", "market"), "Three"),
            row("e", "Nothing in common.", "Three"),
        ]
        .join("\n"),
    );
    parallax()
        .args(["evaluate", "default", test.to_str().unwrap(), "--train", train.to_str().unwrap()])
        .assert()
        .success()
        .stderr(contains("warning: training and test data overlap: 1 sentences of documents").and(
            contains(
                "1 with the text of a test sentence, 1 that nearly repeat one, of 4 trained on",
            ),
        ))
        .stdout(contains("by outlet in training").and(contains("not trained on")));
    // The built-in model's record names this file.
    std::fs::create_dir(data.path("labels")).unwrap();
    std::fs::copy(&test, data.path("labels/train.jsonl")).unwrap();
    parallax()
        .args(["evaluate", "default", data.path("labels/train.jsonl").to_str().unwrap()])
        .assert()
        .success()
        .stderr(contains("names train.jsonl among its training data"));
}

#[test]
fn tasks_map_other_peoples_data_onto_a_layer() {
    let data = Data::new();
    let articles: Vec<String> = (0..12)
        .map(|i| {
            let text = format!(
                "The ferry was closed on Monday for the {i}th time. The mayor said that it would open again \
                 before the summer of that year."
            );
            let from = text.find("that it").unwrap();
            let content = json!({"kind": "Content", "start": from, "end": text.len()});
            let source = json!({"kind": "Source", "start": 0, "end": 40});
            json!({"id": i, "text": text, "spans": [content, source], "frames": ["political"]})
                .to_string()
        })
        .collect();
    let path = data.write("articles.jsonl", &articles.join("\n"));
    let run = |task: &str| {
        let found = figures(&path, &["--task", task]);
        assert_eq!(found["task"], Path::new(task).file_stem().unwrap().to_str().unwrap());
        found
    };
    let found = run("models/evaluations/polnear.toml");
    assert_eq!((&found["n"], &found["value"]), (&json!(24), &json!(1.0)));
    assert_eq!(found["layers"]["attributed"]["confusion"], json!([[12, 0], [0, 12]]));
    let found = run("models/evaluations/semeval2023t3.toml");
    assert_eq!((&found["n"], found["thresholds"].as_array().unwrap().len()), (&json!(12), 5));
    assert!(found["layers"]["frames"]["reliability"].as_array().unwrap().is_empty());

    let rows: Vec<String> = (0..260)
        .map(|i| {
            let (text, biased) = if i % 2 == 0 {
                (format!("The council met on day {i}."), false)
            } else {
                (format!("The shameless council wrecked day {i} with its idiotic greed."), true)
            };
            json!({"text": text, "biased": biased}).to_string()
        })
        .collect();
    let path = data.write("rows.jsonl", &rows.join("\n"));
    let found = figures(&path, &["--task", "models/evaluations/babe.toml"]);
    assert_eq!((&found["n"], &found["left_out"]), (&json!(60), &json!(200)));
    assert!(found["value"].as_f64().unwrap() > 0.95, "{}", found["value"]);

    let wrong = data.write("task.toml", "name = \"x\"\n");
    parallax()
        .args(["evaluate", "default", path.to_str().unwrap(), "--task", wrong.to_str().unwrap()])
        .assert()
        .code(1)
        .stderr(contains("task.toml"));
}

#[test]
fn unsure_labels_are_withheld_from_tables_and_profiles() {
    let data = Data::new();
    let out = data.path("out");
    let score = |more: &[&str]| {
        parallax()
            .args(["score", "demo/articles.jsonl", "--force", "--out", out.to_str().unwrap()])
            .args(["--target", "Ketria=Ketria"])
            .args(more)
            .assert()
            .success()
    };
    score(&["--min-confidence", "0.9"])
        .stderr(contains("labels withheld for a probability below 0.9"));
    let record: Value =
        serde_json::from_slice(&std::fs::read(out.join("run.json")).unwrap()).unwrap();
    assert!((record["min_confidence"].as_f64().unwrap() - 0.9).abs() < 1e-6);
    let withheld = &record["counts"]["withheld"];
    parallax()
        .args(["profile", out.to_str().unwrap(), "--resamples", "100", "--permutations", "99"])
        .assert()
        .success()
        .stderr(contains(format!("{} labels of engagement were withheld", withheld["engagement"])));

    score(&["--min-confidence", "0.9", "--format", "jsonl"]);
    let text = std::fs::read_to_string(out.join("sentences.jsonl")).unwrap();
    let rows: Vec<Value> = text.lines().map(|l| serde_json::from_str(l).unwrap()).collect();
    let scored = || rows.iter().filter(|r| r["engagement_p_assert"].is_number());
    let empty = scored().filter(|r| r["engagement"].is_null()).count();
    assert_eq!(json!(empty), withheld["engagement"]);
    let frames = scored().map(|r| r["frames_withheld"].as_array().unwrap().len()).sum::<usize>();
    assert_eq!(json!(frames), withheld["frames"]);
    for row in scored() {
        if let Some(label) = row["engagement"].as_str() {
            assert!(row[format!("engagement_p_{label}")].as_f64().unwrap() >= 0.9 - 1e-6);
        }
        for label in row["frames_withheld"].as_array().unwrap() {
            let label = label.as_str().unwrap();
            assert!(row[format!("frames_p_{label}")].as_f64().unwrap() < 0.9);
            assert!(!row["frames"].as_array().unwrap().contains(&json!(label)));
        }
    }
    // Without the option nothing is withheld and the tables are as they were.
    score(&["--format", "jsonl"]);
    let text = std::fs::read_to_string(out.join("sentences.jsonl")).unwrap();
    assert!(!text.contains("frames_withheld"));
}
