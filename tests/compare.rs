//! Whole runs of the binary on the demonstration corpus.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::process::Command as System;

use assert_cmd::Command;
use parallax::scoring::rows::SentenceRow;
use parallax::scoring::tables::ScoredFolder;
use parallax::text::model_text;

fn parallax() -> Command {
    Command::new(env!("CARGO_BIN_EXE_parallax"))
}

fn sentences(dir: &Path) -> Vec<SentenceRow> {
    let folder = ScoredFolder::open(dir).unwrap();
    folder.sentences().unwrap().flat_map(|rows| rows.unwrap()).collect()
}

/// `shared/` beside the checkout, where it is there.
fn shared(path: &str) -> Option<PathBuf> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared").join(path);
    if !path.exists() {
        println!("skipped: {path:?} is not here");
        return None;
    }
    Some(path)
}

#[test]
fn compares_the_demonstration_corpus() {
    let dir = tempfile::tempdir().unwrap();
    let out = dir.path().join("out");
    let output = parallax()
        .args(["compare", "demo", "--out", out.to_str().unwrap(), "--resamples", "400"])
        .args(["--permutations", "999"])
        .assert()
        .success()
        .get_output()
        .clone();
    assert!(String::from_utf8_lossy(&output.stdout).contains("report.html"));
    assert!(!String::from_utf8_lossy(&output.stderr).contains('\r'), "no bar when piped");
    for table in ["sentences", "mentions", "articles", "profiles", "contrasts", "target_profiles"] {
        assert!(out.join(format!("{table}.parquet")).is_file(), "{table}");
    }
    let record: serde_json::Value =
        serde_json::from_slice(&std::fs::read(out.join("run.json")).unwrap()).unwrap();
    assert_eq!(record["counts"]["outlets"], 5);
    assert!(record["counts"]["articles"].as_u64().unwrap() >= 40);
    assert_eq!(record["counts"]["duplicates"], 2, "two pieces of wire copy");
    assert_eq!(record["targets_discovered"], true);

    // Offsets cut each sentence out of its article.
    let articles: HashMap<String, Vec<char>> = std::fs::read_to_string("demo/articles.jsonl")
        .unwrap()
        .lines()
        .map(|line| {
            let row: serde_json::Value = serde_json::from_str(line).unwrap();
            let text = row["text"].as_str().unwrap().chars().collect();
            (row["id"].as_str().unwrap().to_owned(), text)
        })
        .collect();
    let rows = sentences(&out);
    assert!(rows.len() >= 400);
    for row in &rows {
        let (Some(start), Some(end)) = (row.start, row.end) else { continue };
        let cut: String = articles[&row.article_id][start as usize..end as usize].iter().collect();
        assert_eq!(cut, row.text);
    }
    let html = std::fs::read_to_string(out.join("report.html")).unwrap();
    assert!(html.len() < 5_000_000 && html.contains("Halvian Standard"));

    let notebook = dir.path().join("demo.ipynb");
    parallax()
        .args(["export", "notebook", out.to_str().unwrap(), "--out", notebook.to_str().unwrap()])
        .assert()
        .success();
    execute(&notebook);
}

/// Runs a notebook; its own cells compare its figures with the tables.
fn execute(notebook: &Path) {
    let python = std::env::var("PARALLAX_TEST_PYTHON").unwrap_or_else(|_| "python3".into());
    let needs = "import nbconvert, ipykernel, pandas, pyarrow, matplotlib";
    let has = System::new(&python).args(["-c", needs]).output().is_ok_and(|o| o.status.success());
    if !has {
        println!("skipped: {python} cannot run notebooks");
        return;
    }
    let output = System::new(&python)
        .args(["-m", "nbconvert", "--to", "notebook", "--execute", "--output", "done.ipynb"])
        .arg(notebook)
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}

#[test]
fn scores_do_not_depend_on_batch_order_or_workers() {
    let dir = tempfile::tempdir().unwrap();
    let lines: Vec<String> = std::fs::read_to_string("demo/articles.jsonl")
        .unwrap()
        .lines()
        .map(str::to_owned)
        .collect();
    let mut reversed: Vec<String> = lines[..12].to_vec();
    reversed.reverse();
    std::fs::write(dir.path().join("a.jsonl"), lines[..12].join("\n")).unwrap();
    std::fs::write(dir.path().join("b.jsonl"), reversed.join("\n")).unwrap();
    let run = |input: &str, extra: &[&str]| {
        let out = dir.path().join(extra.join("").replace('-', "") + input);
        parallax()
            .args(["score", dir.path().join(input).to_str().unwrap(), "--top-targets", "0"])
            .args(["--out", out.to_str().unwrap()])
            .args(extra)
            .assert()
            .success();
        let mut rows = sentences(&out);
        rows.sort_by_key(|r| (r.article_id.clone(), r.sentence_index));
        rows
    };
    let one = run("a.jsonl", &["--workers", "1", "--batch-tokens", "4096"]);
    let other = run("b.jsonl", &["--workers", "3", "--batch-tokens", "50"]);
    assert_eq!(one.len(), other.len());
    let mut largest = 0f32;
    for (a, b) in one.iter().zip(&other) {
        assert_eq!(a.text, b.text);
        let (Some(a), Some(b)) = (&a.layers, &b.layers) else { continue };
        let pairs = a.iter().zip(b).flat_map(|(a, b)| a.probabilities.iter().zip(&b.probabilities));
        largest = pairs.fold(largest, |m, (p, q)| m.max((p - q).abs()));
    }
    assert!(largest <= 1e-5, "{largest}");
}

#[test]
fn reads_articles_from_standard_input() {
    let dir = tempfile::tempdir().unwrap();
    let out = dir.path().join("out");
    parallax()
        .args(["score", "-", "--out", out.to_str().unwrap()])
        .write_stdin(
            "{\"outlet\": \"The Ferry\", \"text\": \"The bridge was closed on Monday.\"}\n",
        )
        .assert()
        .success();
    assert_eq!(sentences(&out).len(), 1);
}

#[test]
fn help_teaches_by_example() {
    for command in ["compare", "score", "profile", "report", "train", "evaluate"] {
        let output = parallax().args([command, "--help"]).assert().success().get_output().clone();
        let help = String::from_utf8_lossy(&output.stdout).into_owned();
        assert!(
            help.contains("Example") && help.contains(&format!("parallax {command}")),
            "{help}"
        );
    }
    parallax().args(["completions", "bash"]).assert().success();
}

/// The case that the program was made for: five outlets on one press conference.
#[test]
fn the_founding_case() {
    let Some(input) = shared("corpus/nato-2022-01-07") else { return };
    let dir = tempfile::tempdir().unwrap();
    let out = dir.path().join("out");
    parallax()
        .args(["compare", input.to_str().unwrap(), "--out", out.to_str().unwrap()])
        .args([
            "--target",
            "NATO=NATO,the alliance,the bloc",
            "--target",
            "Russia=Russia,Moscow,the Kremlin",
        ])
        .assert()
        .success();
    let rows = sentences(&out);
    let folder = ScoredFolder::open(&out).unwrap();
    let engagement =
        folder.codebook().sentence_layers().position(|l| l.name == "engagement").unwrap();
    let layer = folder.codebook().layer("engagement").unwrap().clone();
    // A few words name each sentence; the articles themselves stay out of the repository.
    for (words, expected) in [
        ("allegedly conducted", "distance"),
        ("roughly 100,000 troops", "assert"),
        ("dismissed allegations that", "deny"),
        ("have been consistently dismissed", "deny"),
    ] {
        let row = rows.iter().find(|r| model_text(&r.text).contains(words)).unwrap();
        let scores = &row.layers.as_ref().unwrap()[engagement];
        assert_eq!(layer.labels[scores.labels[0]].name, expected, "{words}");
    }
    for clutter in ["Leave a", "Your email", "Post a Comment", "Log Out", "bloggers like"] {
        let scored = rows.iter().find(|r| r.text.contains(clutter) && r.layers.is_some());
        assert!(scored.is_none(), "{scored:?}");
    }
}
