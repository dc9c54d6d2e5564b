//! Which model: the arguments that commands share.

use std::sync::Arc;

use super::progress;
use crate::error::Result;
use crate::model::checkpoint::CheckpointOptions;
use crate::model::hub::Settings;
use crate::model::{Bundle, Hypothesis};

/// The model of a command that takes one.
#[derive(Debug, clap::Args)]
pub struct ModelArgs {
    /// A model: a folder, or ORG/NAME[@REV] of the Hugging Face Hub [default: the built-in model]
    #[arg(long, value_name = "MODEL")]
    model: Option<String>,
    #[command(flatten)]
    checkpoint: CheckpointArgs,
}

/// How a checkpoint without a codebook is taken.
#[derive(Debug, clap::Args)]
pub struct CheckpointArgs {
    /// For a sequence classifier without a codebook: name of its layer [default: the model's]
    #[arg(long, value_name = "NAME")]
    layer_name: Option<String>,
    /// For a model trained on pairs of texts (NLI): look for this statement in each sentence, or,
    /// with {target} in it, at each mention of a target (zero-shot; repeatable)
    #[arg(long, value_name = "NAME=TEXT", conflicts_with = "layer_name")]
    hypothesis: Vec<Hypothesis>,
}

impl ModelArgs {
    /// Opens the model that was named, or the built-in one.
    pub fn open(&self) -> Result<Bundle> {
        self.checkpoint.open(self.model.as_deref().unwrap_or("default"))
    }
}

impl CheckpointArgs {
    /// Opens a model by its name; `default` is the built-in one.
    pub fn open(&self, model: &str) -> Result<Bundle> {
        self.open_where_fit(model, false)
    }

    /// The same; with `among_others` one that has a codebook is opened too, since the arguments
    /// may be meant for another.
    pub fn open_where_fit(&self, model: &str, among_others: bool) -> Result<Bundle> {
        let options = CheckpointOptions {
            layer_name: self.layer_name.clone(),
            hypotheses: self.hypothesis.clone(),
            ignored_by_bundles: among_others,
        };
        let bar = progress::bar(1, "{msg} {bar:30} {bytes} of {total_bytes}, {bytes_per_sec}");
        let shown = bar.clone();
        let observer = move |file: &str, done: u64, of: u64| {
            shown.set_length(of);
            shown.set_message(file.to_owned());
            shown.set_position(done);
        };
        let settings = || {
            let settings = Settings::from_env()?;
            Ok(Settings { observer: Some(Arc::new(observer)), ..settings })
        };
        let bundle = Bundle::find(model, &options, settings);
        bar.finish_and_clear();
        bundle
    }
}
