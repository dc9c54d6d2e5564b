//! What a training run is measured by on its way: the file `metrics.jsonl` in the model's
//! folder, and a page of it.

use std::io::Write;
use std::path::{Path, PathBuf};

use serde_json::json;

use crate::error::{Error, Result};
use crate::files::write_whole;
use crate::report::training::page;
use crate::training::trainer;

const FILE: &str = "metrics.jsonl";
/// Steps between two lines of it.
const EVERY: usize = 20;

/// Draws the training run in the folder `out` as `training.html` beside its `metrics.jsonl`.
///
/// # Errors
/// If one cannot be read or the other not be written.
pub fn draw_training(out: &Path, model: &str) -> Result<PathBuf> {
    let path = out.join(FILE);
    let metrics = std::fs::read_to_string(&path).map_err(|e| Error::io(&path, e))?;
    let drawn = out.join("training.html");
    write_whole(&drawn, page(&format!("Training of {model}"), &metrics)?.as_bytes())?;
    Ok(drawn)
}

/// The file `metrics.jsonl`: a line for every few steps and for every epoch.
pub(super) struct Metrics {
    path: PathBuf,
    recipe: String,
    file: std::fs::File,
    failed: Option<std::io::Error>,
}

impl Metrics {
    /// Opens it in the folder `out`; goes on where it ends if `append` is set.
    ///
    /// # Errors
    /// If it cannot be written.
    pub(super) fn open(out: &Path, recipe: &str, append: bool) -> Result<Self> {
        let path = out.join(FILE);
        let mut options = std::fs::OpenOptions::new();
        let options = options.create(true).append(append).write(true).truncate(!append);
        let file = options.open(&path).map_err(|e| Error::io(&path, e))?;
        Ok(Metrics { path, recipe: recipe.to_owned(), file, failed: None })
    }

    /// Writes what happened. A failure shows at the end: it is not worth a run.
    pub(super) fn add(&mut self, event: &trainer::Event) {
        let line = match event {
            trainer::Event::Resumed { step } => json!({"resumed_after_step": step}),
            trainer::Event::Step { step, of, loss } if step % EVERY == 0 || step == of => {
                json!({"step": step, "of": of, "loss": loss})
            }
            trainer::Event::Step { .. } => return,
            trainer::Event::Epoch { epoch, loss, score, layers, best } => json!({
                "epoch": epoch, "loss": loss, "dev_f1": score, "layers": layers, "best": best
            }),
        };
        let mut whole = json!({"recipe": self.recipe});
        if let (Some(whole), Some(line)) = (whole.as_object_mut(), line.as_object()) {
            whole.extend(line.clone());
        }
        if let Err(e) = writeln!(self.file, "{whole}") {
            self.failed.get_or_insert(e);
        }
    }

    /// # Errors
    /// If something could not be written.
    pub(super) fn finish(self) -> Result<()> {
        self.failed.map_or(Ok(()), |e| Err(Error::io(&self.path, e)))
    }
}
