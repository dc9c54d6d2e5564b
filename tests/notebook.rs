//! The exported notebook runs, and its figures are the report's.
//!
//! Needs a Python with nbconvert, ipykernel, pandas, pyarrow and matplotlib: the one
//! named by `PARALLAX_TEST_PYTHON`, else `python3` where it has them.

#[path = "browser/folder.rs"]
mod folder;
#[path = "browser/synthetic.rs"]
mod synthetic;

use std::path::Path;
use std::process::Command;

use folder::scored_folder;
use parallax::report::evidence::Limits;
use parallax::report::notebook::{python_notebook, r_notebook};
use parallax::report::render;
use serde_json::Value;

fn python() -> Option<String> {
    let python = std::env::var("PARALLAX_TEST_PYTHON").unwrap_or_else(|_| "python3".into());
    let needs = "import nbconvert, ipykernel, pandas, pyarrow, matplotlib";
    let has = Command::new(&python).args(["-c", needs]).output().is_ok_and(|o| o.status.success());
    if !has {
        println!("skipped: {python} lacks nbconvert, ipykernel, pandas, pyarrow or matplotlib");
    }
    has.then_some(python)
}

#[test]
fn the_notebook_runs_and_its_shares_are_the_tables() {
    let Some(python) = python() else { return };
    let home = tempfile::tempdir().unwrap();
    let scored = home.path().join("scored");
    std::fs::create_dir(&scored).unwrap();
    let corpus = synthetic::aligned_many();
    scored_folder(&corpus, &scored);
    // A path as seen from the notebook. One more cell prints the figures for this test.
    let mut notebook: Value =
        serde_json::from_str(&python_notebook(Path::new("scored")).unwrap()).unwrap();
    let mut cell = notebook["cells"].as_array().unwrap().last().unwrap().clone();
    cell["id"] = "figures".into();
    cell["source"] = "print('FIGURES' + compared[['outlet', 'layer', 'label', 'recounted', \
        'low', 'high']].to_json(orient='values'))"
        .into();
    notebook["cells"].as_array_mut().unwrap().push(cell);
    std::fs::write(home.path().join("demo.ipynb"), notebook.to_string()).unwrap();
    let run = || {
        Command::new(&python)
            .args(["-m", "nbconvert", "--to", "notebook", "--execute", "--inplace", "demo.ipynb"])
            .current_dir(home.path())
            .output()
            .unwrap()
    };
    let done = run();
    assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
    let text = std::fs::read_to_string(home.path().join("demo.ipynb")).unwrap();
    assert!(text.contains("all 60 shares agree"), "4 outlets × 15 labels");
    assert!(text.matches("image/png").count() >= 2, "two charts are drawn");
    assert!(text.contains("2 claims and quotations in more than one outlet"));
    assert!(text.contains("water grab"), "the words are shown");
    let html = render(&corpus.input("Lake", Limits::default())).unwrap();
    assert_eq!(figures_of_notebook(&text), figures_of_report(&html), "notebook and report agree");

    // A share that is not what the sentences say stops the notebook.
    let text = std::fs::read(scored.join("sentences.parquet")).unwrap();
    let mut corpus = synthetic::aligned_many();
    if let Some(layers) = &mut corpus.sentences[0].layers {
        layers[0].labels = vec![(layers[0].labels[0] + 1) % 6];
    }
    scored_folder(&corpus, &scored);
    std::fs::write(scored.join("sentences.parquet"), text).unwrap();
    assert!(!run().status.success());
}

/// Outlet, layer, label; share and interval to four places.
type Figures = std::collections::BTreeMap<(String, String, String), [Option<i64>; 3]>;

fn places(value: &Value) -> Option<i64> {
    value.as_f64().map(|x| (x * 1e4).round() as i64)
}

fn figures_of_notebook(text: &str) -> Figures {
    let notebook: Value = serde_json::from_str(text).unwrap();
    let cells = notebook["cells"].as_array().unwrap();
    let printed = cells.last().unwrap()["outputs"][0]["text"].to_owned();
    let lines = match &printed {
        Value::Array(lines) => lines.iter().map(|l| l.as_str().unwrap()).collect::<String>(),
        line => line.as_str().unwrap().to_owned(),
    };
    let rows: Vec<Vec<Value>> =
        serde_json::from_str(lines.trim().strip_prefix("FIGURES").unwrap()).unwrap();
    let name = |v: &Value| v.as_str().unwrap().to_owned();
    rows.iter()
        .map(|r| {
            ((name(&r[0]), name(&r[1]), name(&r[2])), [places(&r[3]), places(&r[4]), places(&r[5])])
        })
        .collect()
}

fn figures_of_report(html: &str) -> Figures {
    let data = html.split("id=\"data\">").nth(1).unwrap().split("</script>").next().unwrap();
    let data: Value = serde_json::from_str(data).unwrap();
    let name = |v: &Value| data["names"][v.as_u64().unwrap() as usize].as_str().unwrap().to_owned();
    let rows = data["profiles"]["rows"].as_array().unwrap();
    rows.iter()
        .filter(|r| r[1].is_null() && r[2].is_null())
        .map(|r| {
            ((name(&r[0]), name(&r[3]), name(&r[4])), [places(&r[7]), places(&r[8]), places(&r[9])])
        })
        .collect()
}

#[test]
fn the_r_notebook_parses() {
    let text = r_notebook(Path::new("a \"b\"\\c")).unwrap();
    assert!(text.contains(r#"DIR <- "a \"b\"\\c""#));
    let mut code = String::new();
    let mut inside = false;
    for line in text.lines() {
        match line {
            l if l.starts_with("```{r") => inside = true,
            "```" => inside = false,
            l if inside => code += &format!("{l}\n"),
            _ => {}
        }
    }
    assert!(!inside && code.contains("stopifnot"), "every chunk ends");
    let home = tempfile::tempdir().unwrap();
    std::fs::write(home.path().join("notebook.R"), code).unwrap();
    match Command::new("Rscript")
        .args(["-e", "invisible(parse('notebook.R'))"])
        .current_dir(home.path())
        .output()
    {
        Ok(done) => {
            assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
        }
        Err(_) => println!("skipped: no Rscript on the path"),
    }
}
