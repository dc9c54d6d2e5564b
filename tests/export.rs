//! Tables in other forms: the same rows, and nothing in them that a program would run.

#[path = "browser/folder.rs"]
mod folder;
#[path = "browser/synthetic.rs"]
mod synthetic;

use std::path::{Path, PathBuf};
use std::process::Command;

use parallax::pipeline::export::{ExportFormat, export_tables, tables};
use serde_json::json;

/// A folder with two tables: one of scored sentences' shape, one with lists, records and
/// hostile text.
fn home() -> (tempfile::TempDir, PathBuf) {
    let home = tempfile::tempdir().unwrap();
    let dir = home.path().join("scored");
    std::fs::create_dir(&dir).unwrap();
    let rows = [
        json!({"article_id": "a", "outlet": "=1+1", "n": 3, "share": 0.25, "frames": ["x", "y"],
            "marks": [{"start": 1, "end": 2}], "yes": true, "long": "x".repeat(40_000)}),
        json!({"article_id": "b", "outlet": "@cmd", "n": null, "share": null, "frames": [],
            "marks": [], "yes": false, "long": "<b>&\u{202e}\u{1}"}),
        json!({"article_id": "c", "outlet": "-2", "n": -1, "share": -0.5, "frames": ["=z"],
            "marks": [], "yes": null, "long": ""}),
    ];
    folder::table(&dir.join("rows.parquet"), &rows);
    let more: Vec<_> = (0..5_000).map(|i| json!({"outlet": format!("o{i}"), "n": i})).collect();
    folder::table(&dir.join("more.parquet"), &more);
    (home, dir)
}

fn export(dir: &Path, format: ExportFormat, out: &Path) -> (Vec<PathBuf>, Vec<String>) {
    export_tables(dir, &tables(dir).unwrap(), format, out).unwrap()
}

#[test]
fn csv_and_jsonl_hold_the_rows_and_no_formula() {
    let (home, dir) = home();
    let out = home.path().join("out");
    let (files, _) = export(&dir, ExportFormat::Csv, &out);
    assert_eq!(files, [out.join("more.csv"), out.join("rows.csv")]);
    let mut csv = csv::Reader::from_path(&files[1]).unwrap();
    let head: Vec<String> = csv.headers().unwrap().iter().map(Into::into).collect();
    let at = |name: &str| head.iter().position(|h| h == name).unwrap();
    let rows: Vec<csv::StringRecord> = csv.records().map(Result::unwrap).collect();
    let column = |name: &str| rows.iter().map(|r| &r[at(name)]).collect::<Vec<_>>();
    assert_eq!(column("outlet"), ["'=1+1", "'@cmd", "'-2"]);
    assert_eq!(column("n"), ["3", "", "-1"]);
    assert_eq!(column("frames"), ["x;y", "", "'=z"]);
    assert_eq!(column("marks")[0], r#"[{"start":1,"end":2}]"#);
    let (files, _) = export(&dir, ExportFormat::Jsonl, &out);
    let lines = std::fs::read_to_string(&files[1]).unwrap();
    let first: serde_json::Value = serde_json::from_str(lines.lines().next().unwrap()).unwrap();
    assert_eq!(first["frames"], json!(["x", "y"]));
    assert_eq!(std::fs::read_to_string(&files[0]).unwrap().lines().count(), 5_000);
}

#[test]
fn arrow_and_parquet_hold_the_same_columns() {
    let (home, dir) = home();
    let out = home.path().join("out");
    let (files, _) = export(&dir, ExportFormat::Arrow, &out);
    let file = std::fs::File::open(&files[0]).unwrap();
    let reader = arrow::ipc::reader::FileReader::try_new(file, None).unwrap();
    assert_eq!(reader.map(|b| b.unwrap().num_rows()).sum::<usize>(), 5_000);
    let (files, _) = export(&dir, ExportFormat::Parquet, &out);
    assert!(files[1].is_file());
    let error = export_tables(&dir, &["rows".into()], ExportFormat::Parquet, &dir).unwrap_err();
    assert!(error.hint().is_some());
}

#[test]
fn sqlite_answers_questions() {
    let (home, dir) = home();
    let out = home.path().join("new/all.sqlite");
    export(&dir, ExportFormat::Sqlite, &out);
    let db = rusqlite::Connection::open(&out).unwrap();
    let (n, sum): (i64, f64) = db
        .query_row("SELECT COUNT(*), SUM(share) FROM rows", [], |r| Ok((r.get(0)?, r.get(1)?)))
        .unwrap();
    assert_eq!((n, sum), (3, -0.25));
    let outlet: String =
        db.query_row("SELECT outlet FROM rows WHERE article_id = 'a'", [], |r| r.get(0)).unwrap();
    assert_eq!(outlet, "=1+1", "a database runs no formulas; the text is as it was");
    let more: i64 = db.query_row("SELECT MAX(n) FROM more", [], |r| r.get(0)).unwrap();
    assert_eq!(more, 4_999);
    assert_eq!(std::fs::read_dir(home.path().join("new")).unwrap().count(), 1, "nothing is left");
}

#[test]
fn a_workbook_keeps_text_as_text_and_says_what_it_cut() {
    let (home, dir) = home();
    let out = home.path().join("all.xlsx");
    let (_, notes) = export(&dir, ExportFormat::Xlsx, &out);
    assert_eq!(notes.len(), 1, "{notes:?}");
    assert!(notes[0].contains("32767 characters; 1 texts were cut"), "{notes:?}");
    let python = std::env::var("PARALLAX_TEST_PYTHON").unwrap_or_else(|_| "python3".into());
    let script = "import sys, zipfile, xml.dom.minidom as m\n\
        z = zipfile.ZipFile(sys.argv[1])\n\
        assert z.testzip() is None\n\
        for n in z.namelist():\n\
        \x20   m.parseString(z.read(n))\n\
        b = m.parseString(z.read('xl/workbook.xml'))\n\
        print([s.getAttribute('name') for s in b.getElementsByTagName('sheet')])\n\
        s = m.parseString(z.read('xl/worksheets/sheet2.xml'))\n\
        print(len(s.getElementsByTagName('f')), len(s.getElementsByTagName('row')))\n\
        print('quotePrefix' in z.read('xl/styles.xml').decode())\n";
    let Ok(done) = Command::new(&python).arg("-c").arg(script).arg(&out).output() else {
        println!("skipped: no {python} to read the workbook with");
        return;
    };
    let said = String::from_utf8_lossy(&done.stdout).into_owned();
    let error = String::from_utf8_lossy(&done.stderr);
    assert_eq!(said.trim(), "['more', 'rows']\n0 4\nTrue", "{error}");
}

#[test]
fn what_is_not_there_is_named() {
    let (home, dir) = home();
    let error =
        export_tables(&dir, &["mentions".into()], ExportFormat::Csv, home.path()).unwrap_err();
    assert!(error.to_string().contains("mentions") && error.hint().unwrap().contains("rows"));
    let empty = home.path().join("empty");
    std::fs::create_dir(&empty).unwrap();
    assert!(tables(&empty).unwrap_err().hint().is_some());
    std::fs::write(empty.join("rows.parquet"), "no table").unwrap();
    assert!(
        export_tables(&empty, &["rows".into()], ExportFormat::Xlsx, &empty.join("x.xlsx")).is_err()
    );
    assert!(!empty.join("x.xlsx").exists());
}

#[test]
fn duckdb_is_told_what_it_can_read() {
    let (_home, dir) = home();
    let mut parallax = assert_cmd::Command::new(env!("CARGO_BIN_EXE_parallax"));
    parallax
        .args(["export", "table", dir.to_str().unwrap(), "--format", "duckdb"])
        .assert()
        .failure()
        .code(1)
        .stderr(predicates::str::contains("SELECT * FROM"));
}
