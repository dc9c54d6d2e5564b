//! `parallax export`

use std::path::{Component, Path, PathBuf};

use super::OK;
use crate::error::Error;
use crate::files::write_whole;
use crate::report::notebook::python_notebook;

/// Write a scored folder in another form
#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, clap::Subcommand)]
enum What {
    /// A Jupyter notebook that loads the tables and draws the profile chart
    #[command(after_help = "\
Example:
  parallax export notebook out/demo --out notebooks-export/demo.ipynb")]
    Notebook {
        /// A folder written by `parallax compare`
        folder: PathBuf,
        /// The notebook [default: notebooks-export/NAME.ipynb, by the folder's name]
        #[arg(long, value_name = "FILE")]
        out: Option<PathBuf>,
        /// The notebook's language
        #[arg(long, default_value = "python")]
        lang: Language,
    },
}

#[derive(Debug, Clone, Copy, clap::ValueEnum)]
enum Language {
    Python,
}

pub fn run(args: &Args) -> anyhow::Result<u8> {
    let What::Notebook { folder, out, lang: Language::Python } = &args.what;
    if !folder.join("profiles.parquet").is_file() {
        return Err(Error::setting(format!("{} holds no profiles", folder.display()))
            .with_hint("make them with `parallax compare` or `parallax profile`")
            .into());
    }
    let out = match out {
        Some(out) => out.clone(),
        None => {
            let name = folder.canonicalize().map_err(|e| Error::io(folder, e))?;
            let name = name.file_name().unwrap_or(folder.as_os_str()).to_owned();
            PathBuf::from("notebooks-export").join(name).with_extension("ipynb")
        }
    };
    if let Some(parent) = out.parent() {
        std::fs::create_dir_all(parent).map_err(|e| Error::io(parent, e))?;
    }
    write_whole(&out, python_notebook(&seen_from(&out, folder))?.as_bytes())?;
    println!("{}", out.display());
    Ok(OK)
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
