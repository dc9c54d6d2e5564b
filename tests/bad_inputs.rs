//! The README's table of bad inputs: what each gets, what is said, and what is left.

use std::path::Path;
use std::process::{Command as System, Stdio};

use assert_cmd::Command;
use predicates::prelude::*;
use predicates::str::contains;

fn parallax() -> Command {
    Command::new(env!("CARGO_BIN_EXE_parallax"))
}

const GOOD: &str = r#"{"outlet": "The Ferry", "text": "The bridge was closed on Monday."}"#;

/// Scores `contents` as a file of the given name; targets are off to keep it short.
fn score(name: &str, contents: &[u8]) -> (tempfile::TempDir, assert_cmd::assert::Assert) {
    let dir = tempfile::tempdir().unwrap();
    let input = dir.path().join(name);
    std::fs::write(&input, contents).unwrap();
    let assert = parallax()
        .args(["score", input.to_str().unwrap(), "--top-targets", "0", "--format", "jsonl"])
        .args(["--out", dir.path().join("out").to_str().unwrap()])
        .assert();
    (dir, assert)
}

fn rows(dir: &tempfile::TempDir) -> Vec<serde_json::Value> {
    let text = std::fs::read_to_string(dir.path().join("out/sentences.jsonl")).unwrap();
    text.lines().map(|l| serde_json::from_str(l).unwrap()).collect()
}

fn run_record(dir: &tempfile::TempDir) -> serde_json::Value {
    serde_json::from_slice(&std::fs::read(dir.path().join("out/run.json")).unwrap()).unwrap()
}

/// No table and no temporary file stands in the folder.
fn nothing_left(out: &Path) {
    let left: Vec<_> = std::fs::read_dir(out)
        .map(|entries| entries.flatten().map(|e| e.file_name()).collect())
        .unwrap_or_default();
    assert!(left.is_empty(), "{left:?}");
}

#[test]
fn empty_file() {
    let (dir, assert) = score("empty.jsonl", b"");
    assert.failure().code(1).stderr(contains("empty.jsonl"));
    nothing_left(&dir.path().join("out"));
}

#[test]
fn empty_file_among_good_ones() {
    let dir = tempfile::tempdir().unwrap();
    std::fs::create_dir(dir.path().join("in")).unwrap();
    std::fs::write(dir.path().join("in/a.jsonl"), "").unwrap();
    std::fs::write(dir.path().join("in/b.jsonl"), GOOD).unwrap();
    parallax()
        .args(["score", dir.path().join("in").to_str().unwrap(), "--top-targets", "0"])
        .args(["--out", dir.path().join("out").to_str().unwrap()])
        .assert()
        .code(3)
        .stderr(contains("a.jsonl"));
    assert_eq!(run_record(&dir)["counts"]["articles"], 1);
}

#[test]
fn missing_text_column() {
    let (dir, assert) = score("articles.csv", b"paper,story_html\nThe Ferry,All quiet.\n");
    assert.failure().code(1).stderr(contains("story_html").and(contains("--map text=")));
    nothing_left(&dir.path().join("out"));
}

#[test]
fn not_utf8() {
    let line = [b"{\"text\": \"Caf\xe9 closed.\"}\n".as_slice(), GOOD.as_bytes()].concat();
    let (dir, assert) = score("latin1.jsonl", &line);
    assert.code(3).stderr(contains("UTF-8"));
    assert_eq!(rows(&dir).len(), 1);
}

#[test]
fn byte_order_mark() {
    let (dir, assert) = score("bom.jsonl", format!("\u{feff}{GOOD}\n").as_bytes());
    assert.success();
    assert_eq!(rows(&dir)[0]["text"], "The bridge was closed on Monday.");
}

#[test]
fn crlf() {
    let (dir, assert) =
        score("the-ferry.txt", b"The bridge was closed.\r\n\r\nNobody was hurt.\r\n");
    assert.success();
    let rows = rows(&dir);
    let last = rows.last().unwrap();
    assert_eq!(
        (last["text"].as_str(), last["start"].as_u64()),
        (Some("Nobody was hurt."), Some(26))
    );
}

#[test]
fn nul_bytes() {
    let line = br#"{"text": "The bridge\u0000was closed. Nobody was hurt."}"#;
    let (dir, assert) = score("nul.jsonl", line);
    assert.success();
    assert_eq!(rows(&dir)[0]["text"], "The bridge\0was closed.");
}

#[test]
fn broken_json_in_line_7() {
    let mut lines = vec![GOOD.to_owned(); 9];
    for (i, line) in lines.iter_mut().enumerate() {
        *line = line.replace("Monday", &format!("day {i}"));
    }
    lines[6] = "{\"text\": \"cut off".into();
    let (dir, assert) = score("articles.jsonl", lines.join("\n").as_bytes());
    assert.code(3).stderr(contains("articles.jsonl, row 7"));
    assert_eq!(rows(&dir).len(), 8);
    let record = run_record(&dir);
    assert_eq!(
        (record["n_skipped"].as_u64(), record["skipped"][0]["row"].as_u64()),
        (Some(1), Some(7))
    );
}

#[test]
fn broken_json_stops_a_strict_run() {
    let dir = tempfile::tempdir().unwrap();
    let input = dir.path().join("articles.jsonl");
    std::fs::write(&input, format!("{GOOD}\nnot json\n")).unwrap();
    parallax()
        .args(["score", input.to_str().unwrap(), "--strict"])
        .args(["--out", dir.path().join("out").to_str().unwrap()])
        .assert()
        .code(1)
        .stderr(contains("row 2").or(contains("line 2")));
    nothing_left(&dir.path().join("out"));
}

#[test]
fn sentence_of_many_windows() {
    // Equal windows are encoded once, so this takes seconds; with different words it takes the
    // minutes that a million tokens take.
    let long = "the bridge and the ferry and ".repeat(5_000_000 / 29);
    let (dir, assert) = score("long.jsonl", format!("{{\"text\": \"{long}\"}}").as_bytes());
    assert.success();
    let rows = rows(&dir);
    let read: usize = rows.iter().map(|r| r["text"].as_str().unwrap().len()).sum();
    assert!(read > 4_900_000, "{read}");
    assert!(rows.iter().any(|r| r["windowed"] == true));
}

#[test]
fn duplicate_ids() {
    let text = concat!(
        "{\"id\": \"7\", \"text\": \"The bridge was closed.\"}\n",
        "{\"id\": \"7\", \"text\": \"The ferry ran all night.\"}\n",
        "{\"id\": \"7\", \"text\": \"The bridge was closed.\"}\n"
    );
    let (dir, assert) = score("articles.jsonl", text.as_bytes());
    assert.code(3);
    let ids: Vec<String> =
        rows(&dir).iter().map(|r| r["article_id"].as_str().unwrap().to_owned()).collect();
    assert_eq!(ids, ["7", "7-2"]);
}

#[test]
fn unknown_model() {
    let dir = tempfile::tempdir().unwrap();
    let out = dir.path().join("out");
    parallax()
        .args(["score", "demo", "--model", "no/such/model", "--out", out.to_str().unwrap()])
        .assert()
        .code(1)
        .stderr(contains("no/such/model").and(contains("hint:")));
    nothing_left(&out);
}

#[test]
fn corrupt_weights() {
    let dir = tempfile::tempdir().unwrap();
    for entry in std::fs::read_dir("models/default").unwrap().flatten() {
        std::fs::copy(entry.path(), dir.path().join(entry.file_name())).unwrap();
    }
    let weights = dir.path().join("model.safetensors");
    let mut bytes = std::fs::read(&weights).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 0x40;
    std::fs::write(&weights, bytes).unwrap();
    let out = dir.path().join("out");
    parallax()
        .args(["score", "demo", "--model", dir.path().to_str().unwrap()])
        .args(["--out", out.to_str().unwrap()])
        .assert()
        .code(1)
        .stderr(contains("corrupt").and(contains("SHA-256")));
    nothing_left(&out);
}

#[test]
fn output_folder_with_results() {
    let (dir, assert) = score("articles.jsonl", GOOD.as_bytes());
    assert.success();
    let again = || {
        let mut command = parallax();
        command.args(["score", dir.path().join("articles.jsonl").to_str().unwrap()]).args([
            "--top-targets",
            "0",
            "--out",
            dir.path().join("out").to_str().unwrap(),
        ]);
        command
    };
    again().assert().code(1).stderr(contains("--force"));
    again().arg("--force").assert().success();
    assert!(dir.path().join("out/sentences.parquet").exists());
}

#[test]
fn output_that_is_a_file() {
    let dir = tempfile::tempdir().unwrap();
    let out = dir.path().join("out");
    std::fs::write(&out, "mine").unwrap();
    parallax()
        .args(["score", "demo", "--out", out.to_str().unwrap()])
        .assert()
        .code(1)
        .stderr(contains("is a file"));
    assert_eq!(std::fs::read_to_string(&out).unwrap(), "mine");
}

/// On a file system of 16 kB, mounted in a namespace of its own.
#[test]
fn full_disk() {
    let dir = tempfile::tempdir().unwrap();
    let script = "mount -t tmpfs -o size=16k none \"$0\" && \"$1\" score demo --top-targets 0 --out \"$0\"; \
                  code=$?; ls -A \"$0\"; exit $code";
    let possible = System::new("unshare")
        .args(["-rm", "mount", "-t", "tmpfs", "-o", "size=16k", "none"])
        .arg(dir.path())
        .stderr(Stdio::null())
        .status()
        .is_ok_and(|s| s.success());
    if !possible {
        println!("skipped: this machine lets no test mount a file system");
        return;
    }
    let output = System::new("unshare")
        .args(["-rm", "sh", "-c", script])
        .arg(dir.path())
        .arg(env!("CARGO_BIN_EXE_parallax"))
        .output()
        .unwrap();
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{stderr}");
    assert!(stderr.contains("No space left") && stderr.contains("hint:"), "{stderr}");
    assert_eq!(String::from_utf8_lossy(&output.stdout), "", "nothing is left behind");
}

#[test]
fn wrong_usage() {
    parallax().args(["score", "demo"]).assert().code(2).stderr(contains("--out"));
    parallax().args(["score", "demo", "--out", "x", "--device", "gpu"]).assert().code(2);
}
