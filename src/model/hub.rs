//! Base encoders from a folder or from the Hugging Face Hub.

use std::path::{Path, PathBuf};

use super::bundle::{Bundle, read_bounded};
use crate::error::{Error, Result};

/// Finds a file of an encoder by its name.
type FindFile<'a> = Box<dyn Fn(&str) -> Result<PathBuf> + 'a>;

/// The files of an encoder as they are on the Hub.
#[derive(Clone)]
pub struct EncoderFiles {
    /// Folder or Hub id.
    pub place: String,
    /// Contents of `config.json`.
    pub config: Vec<u8>,
    /// Contents of `tokenizer.json`.
    pub tokenizer: Vec<u8>,
    /// Contents of `model.safetensors`.
    pub weights: Vec<u8>,
}

impl From<Bundle> for EncoderFiles {
    /// A model as the base of another.
    fn from(bundle: Bundle) -> Self {
        EncoderFiles {
            place: bundle.place,
            config: bundle.config.into_owned(),
            tokenizer: bundle.tokenizer.into_owned(),
            weights: bundle.weights.into_owned(),
        }
    }
}

impl EncoderFiles {
    /// Reads an encoder from a folder, or, where there is none of this name, from the Hub
    /// (`ORG/NAME`; cached, with the token of `HF_TOKEN` or the Hub's own log-in).
    ///
    /// # Errors
    /// If a file is missing or the Hub cannot be reached.
    pub fn open(base: &str) -> Result<Self> {
        let file: FindFile<'_> = if Path::new(base).is_dir() {
            Box::new(|name| Ok(Path::new(base).join(name)))
        } else if base.split('/').count() == 2 && !base.starts_with(['.', '/']) {
            let unreachable = |e: hf_hub::api::sync::ApiError| {
                Error::model(base, format!("cannot be fetched from the Hub: {e}"))
                    .with_hint("download it on a machine with a network and give the folder")
            };
            let mut builder = hf_hub::api::sync::ApiBuilder::from_env();
            if let Ok(token) = std::env::var("HF_TOKEN") {
                builder = builder.with_token(Some(token));
            }
            let repository = builder.build().map_err(unreachable)?.model(base.to_owned());
            Box::new(move |name| repository.get(name).map_err(unreachable))
        } else {
            return Err(Error::model(base, "there is no such folder, and it is no Hub id")
                .with_hint("give a folder or ORG/NAME"));
        };
        Ok(EncoderFiles {
            place: base.to_owned(),
            config: read_bounded(&file("config.json")?)?,
            tokenizer: read_bounded(&file("tokenizer.json")?)?,
            weights: read_bounded(&file("model.safetensors")?)?,
        })
    }
}
