//! A Jupyter notebook that loads the tables of a scored folder and redoes the report's
//! main tables and charts with pandas and matplotlib.
//!
//! It checks as it goes: the shares are counted anew from the sentences and must equal
//! those in `profiles.parquet`.

use std::collections::HashMap;
use std::path::Path;

use nbformat::v4::{Cell, CellId, CellMetadata, KernelSpec, LanguageInfo, Metadata, Notebook};

use crate::error::{Error, Result};

/// The cells: the lines before the first `# %%` of a file are none. `md` after the mark
/// makes a cell of text.
const PYTHON: &str = include_str!("../../templates/notebook.py");

/// The notebook in R: R Markdown as it stands.
const R: &str = include_str!("../../templates/notebook.Rmd");

/// Makes a notebook in R (R Markdown) for the scored folder `dir`. A relative path is meant as
/// seen from the notebook.
///
/// # Errors
/// If the path is not Unicode.
pub fn r_notebook(dir: &Path) -> Result<String> {
    // A string of R's knows the escapes of JSON.
    let literal = serde_json::to_string(unicode(dir)?).map_err(|e| Error::table("notebook", e))?;
    Ok(R.replace("__DIR__", &literal))
}

fn unicode(dir: &Path) -> Result<&str> {
    dir.to_str().ok_or_else(|| {
        Error::setting(format!("{}: the path is not Unicode", dir.display()))
            .with_hint("rename the folder, or copy it to one with a plain name")
    })
}

/// Makes a notebook in Python for the scored folder `dir`. A relative path is meant as
/// seen from the notebook.
///
/// # Errors
/// If the path is not Unicode, or the notebook cannot be written as JSON.
pub fn python_notebook(dir: &Path) -> Result<String> {
    let dir = unicode(dir)?;
    // A JSON string is a Python string too.
    let literal = serde_json::to_string(dir).map_err(|e| Error::table("notebook", e))?;
    let cells = PYTHON
        .split("# %%")
        .skip(1)
        .enumerate()
        .map(|(i, cell)| cell_of(i, &cell.replace("__DIR__", &literal)))
        .collect::<Result<Vec<_>>>()?;
    let notebook = Notebook {
        metadata: Metadata {
            kernelspec: Some(KernelSpec {
                display_name: "Python 3".into(),
                name: "python3".into(),
                language: Some("python".into()),
                additional: HashMap::new(),
            }),
            language_info: Some(LanguageInfo {
                name: "python".into(),
                version: None,
                codemirror_mode: None,
                additional: HashMap::new(),
            }),
            ..Metadata::default()
        },
        nbformat: 4,
        nbformat_minor: 5,
        cells,
    };
    nbformat::serialize_notebook(&nbformat::Notebook::V4(notebook))
        .map_err(|e| Error::table("notebook", e))
}

fn cell_of(number: usize, text: &str) -> Result<Cell> {
    let id = CellId::new(&format!("cell-{number}")).map_err(|e| Error::table("notebook", e))?;
    let metadata = CellMetadata {
        id: None,
        collapsed: None,
        scrolled: None,
        deletable: None,
        editable: None,
        format: None,
        name: None,
        tags: None,
        jupyter: None,
        execution: None,
        additional: HashMap::new(),
    };
    Ok(match text.strip_prefix(" md\n") {
        Some(prose) => {
            let prose: Vec<&str> = prose
                .trim()
                .lines()
                .map(|l| l.strip_prefix("# ").unwrap_or(l.trim_start_matches('#')))
                .collect();
            Cell::Markdown { id, metadata, source: lines(&prose.join("\n")), attachments: None }
        }
        None => Cell::Code {
            id,
            metadata,
            execution_count: None,
            source: lines(text.trim()),
            outputs: Vec::new(),
        },
    })
}

fn lines(text: &str) -> Vec<String> {
    text.split_inclusive('\n').map(str::to_owned).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn is_a_valid_notebook_whatever_the_folder_is_called() {
        let json = python_notebook(Path::new("a \"b\"\\c")).unwrap();
        let parsed = nbformat::parse_notebook(&json).unwrap();
        let nbformat::Notebook::V4(notebook) = parsed else { panic!("not version 4.5") };
        assert!(notebook.cells.len() > 8);
        assert!(json.contains("Path(\\\"a \\\\\\\"b\\\\\\\"\\\\\\\\c\\\")"), "{json}");
        assert!(!json.contains("__DIR__"));
        assert_eq!(json, python_notebook(Path::new("a \"b\"\\c")).unwrap());
    }
}
