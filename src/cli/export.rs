//! `parallax export`

use std::path::{Component, Path, PathBuf};

use super::OK;
use crate::error::Error;
use crate::files::write_whole;
use crate::pipeline::export::{ExportFormat, export_tables, tables};
use crate::report::notebook::{python_notebook, r_notebook};

/// Write a scored folder in another form
#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, clap::Subcommand)]
enum What {
    /// A notebook that loads the tables and answers the report's questions anew
    #[command(after_help = "\
Examples:
  parallax export notebook out/demo --out notebooks-export/demo.ipynb
  parallax export notebook out/demo --lang r

python writes a Jupyter notebook (pandas, pyarrow, matplotlib), r an R Markdown notebook (arrow,
dplyr, tidyr, ggplot2) that RStudio opens.")]
    Notebook {
        /// A folder written by `parallax compare`
        folder: PathBuf,
        /// The notebook [default: notebooks-export/NAME.ipynb or .Rmd, by the folder's name]
        #[arg(long, value_name = "FILE")]
        out: Option<PathBuf>,
        /// The notebook's language
        #[arg(long, default_value = "python")]
        lang: Language,
    },
    /// The tables as CSV, JSON lines, Parquet, Arrow, Excel or SQLite
    #[command(after_help = "\
Examples:
  parallax export table out/demo --format xlsx
  parallax export table out/demo --format csv --table profiles,contrasts --out tables/
  parallax export table out/demo --format sqlite --out demo.sqlite

In CSV and Excel, text that begins like a formula cannot run as one. DuckDB needs no export: it
reads the Parquet files (SELECT * FROM 'out/demo/sentences.parquet') and SQLite databases.")]
    Table {
        /// A folder written by `parallax score` or `parallax compare`
        folder: PathBuf,
        /// Format of the tables
        #[arg(long)]
        format: TableFormat,
        /// Tables to export [default: all]
        #[arg(long, value_name = "NAME", value_delimiter = ',')]
        table: Vec<String>,
        /// Folder for the files, or the file for xlsx and sqlite
        /// [default: export/ in the folder, or export/NAME.xlsx or .sqlite]
        #[arg(long, value_name = "PATH")]
        out: Option<PathBuf>,
        /// Overwrite files that are there
        #[arg(long)]
        force: bool,
    },
}

#[derive(Debug, Clone, Copy, clap::ValueEnum)]
enum Language {
    Python,
    R,
}

#[derive(Debug, Clone, Copy, clap::ValueEnum)]
enum TableFormat {
    Csv,
    Jsonl,
    Parquet,
    Arrow,
    Xlsx,
    Sqlite,
    /// Not written: DuckDB reads the Parquet files themselves
    Duckdb,
}

pub fn run(args: &Args) -> anyhow::Result<u8> {
    match &args.what {
        What::Notebook { folder, out, lang } => notebook(folder, out.as_deref(), *lang),
        What::Table { folder, format, table, out, force } => {
            export(folder, *format, table, out.as_deref(), *force)
        }
    }
}

fn export(
    folder: &Path,
    format: TableFormat,
    names: &[String],
    out: Option<&Path>,
    force: bool,
) -> anyhow::Result<u8> {
    let format = match format {
        TableFormat::Csv => ExportFormat::Csv,
        TableFormat::Jsonl => ExportFormat::Jsonl,
        TableFormat::Parquet => ExportFormat::Parquet,
        TableFormat::Arrow => ExportFormat::Arrow,
        TableFormat::Xlsx => ExportFormat::Xlsx,
        TableFormat::Sqlite => ExportFormat::Sqlite,
        TableFormat::Duckdb => {
            return Err(Error::setting("parallax writes no DuckDB database")
                .with_hint(format!(
                    "DuckDB reads the tables as they are: SELECT * FROM '{}/sentences.parquet'; \
                     or export to sqlite and ATTACH that file",
                    folder.display()
                ))
                .into());
        }
    };
    let names = if names.is_empty() { tables(folder)? } else { names.to_vec() };
    let out = match out {
        Some(out) => out.to_owned(),
        None if format.is_one_file() => {
            let name = name_of(folder)?;
            folder.join("export").join(name).with_extension(format.extension())
        }
        None => folder.join("export"),
    };
    let planned: Vec<PathBuf> = if format.is_one_file() {
        vec![out.clone()]
    } else {
        names.iter().map(|n| out.join(format!("{n}.{}", format.extension()))).collect()
    };
    if let Some(there) = planned.iter().find(|p| p.exists() && !force) {
        return Err(Error::setting(format!("{} is there already", there.display()))
            .with_hint("give --force to replace it, or another --out")
            .into());
    }
    let (files, notes) = export_tables(folder, &names, format, &out)?;
    for note in notes {
        eprintln!("note: {note}");
    }
    for file in files {
        println!("{}", file.display());
    }
    Ok(OK)
}

fn notebook(folder: &Path, out: Option<&Path>, lang: Language) -> anyhow::Result<u8> {
    if !folder.join("profiles.parquet").is_file() {
        return Err(Error::setting(format!("{} holds no profiles", folder.display()))
            .with_hint("make them with `parallax compare` or `parallax profile`")
            .into());
    }
    let ending = match lang {
        Language::Python => "ipynb",
        Language::R => "Rmd",
    };
    let out = match out {
        Some(out) => out.to_owned(),
        None => PathBuf::from("notebooks-export").join(name_of(folder)?).with_extension(ending),
    };
    if let Some(parent) = out.parent() {
        std::fs::create_dir_all(parent).map_err(|e| Error::io(parent, e))?;
    }
    let seen = seen_from(&out, folder);
    let text = match lang {
        Language::Python => python_notebook(&seen)?,
        Language::R => r_notebook(&seen)?,
    };
    write_whole(&out, text.as_bytes())?;
    println!("{}", out.display());
    Ok(OK)
}

/// The folder's name.
fn name_of(folder: &Path) -> anyhow::Result<std::ffi::OsString> {
    let full = folder.canonicalize().map_err(|e| Error::io(folder, e))?;
    Ok(full.file_name().unwrap_or(folder.as_os_str()).to_owned())
}

/// The path of `folder` as the notebook at `notebook` sees it, so that both can be moved
/// together. Where one of them is absolute, the folder's path as it is.
fn seen_from(notebook: &Path, folder: &Path) -> PathBuf {
    let plain = |path: &Path| path.components().all(|c| matches!(c, Component::Normal(_)));
    match notebook.parent() {
        Some(home) if plain(home) && plain(folder) => {
            home.components().map(|_| Component::ParentDir).collect::<PathBuf>().join(folder)
        }
        _ => std::path::absolute(folder).unwrap_or_else(|_| folder.to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_notebook_finds_the_folder_beside_it() {
        let seen = |notebook: &str, folder: &str| seen_from(notebook.as_ref(), folder.as_ref());
        assert_eq!(seen("notebooks-export/demo.ipynb", "out/demo"), Path::new("../out/demo"));
        assert_eq!(seen("demo.ipynb", "out/demo"), Path::new("out/demo"));
        assert!(seen("x.ipynb", "../out").is_absolute());
    }
}
