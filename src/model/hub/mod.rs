//! The files of a model, from a folder or from the Hugging Face Hub.
//!
//! `hf-hub` says where the Hub keeps a file and where its cache lies (the cache that Python's
//! `huggingface_hub` uses too, so that what one has fetched the other finds). The transfer
//! itself is done here, with the HTTP client that `hf-hub` uses: a stranger's repository or
//! mirror must not be able to name a path outside the cache, send more than it announced, or
//! send something else than what it is listed with ([`client`], [`repository`]).
//!
//! Heeded: `HF_ENDPOINT`, `HF_HOME`, `HF_HUB_CACHE`, `HF_TOKEN`, and `HF_HUB_OFFLINE=1`, with
//! which nothing but the cache is looked at.

mod client;
mod repository;

use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use hf_hub::Cache;

use super::bundle::{Bundle, read_at_most};
use crate::error::{Error, Result};
use repository::Repository;

/// Most bytes of a file of weights, or of all shards together.
pub const MOST_WEIGHTS: u64 = 8 << 30;
/// Most bytes of a `tokenizer.json`; that of a vocabulary of 250,000 pieces takes 17 MB.
pub const MOST_TOKENIZER: u64 = 128 << 20;
/// Most bytes of a configuration or an index.
pub const MOST_CONFIG: u64 = 16 << 20;

/// A repository of the Hub at one of its revisions: `ORG/NAME` or `ORG/NAME@REV`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HubId {
    name: String,
    revision: String,
}

impl HubId {
    /// Reads `ORG/NAME[@REV]`; `None` if the text cannot be one. REV is a branch, a tag, a
    /// commit or such as `refs/pr/3`; without it `main`.
    pub fn parse(text: &str) -> Option<Self> {
        let (name, revision) = text.split_once('@').unwrap_or((text, "main"));
        let (org, model) = name.split_once('/')?;
        // The cache writes `--` for the slash.
        let named = |part: &str| is_plain(part) && !part.contains("--");
        let fit = named(org) && named(model) && revision.split('/').all(is_plain);
        (fit && revision.len() <= 256)
            .then(|| HubId { name: name.to_owned(), revision: revision.to_owned() })
    }

    /// `ORG/NAME`.
    pub fn name(&self) -> &str {
        &self.name
    }
}

impl fmt::Display for HubId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.revision.as_str() {
            "main" => f.write_str(&self.name),
            revision => write!(f, "{}@{revision}", self.name),
        }
    }
}

/// Whether a text can be one part of a path and mean nothing else there: letters, digits,
/// `-`, `_` and dots, but no dot in front and no two in a row.
fn is_plain(part: &str) -> bool {
    (1..=128).contains(&part.len())
        && !part.starts_with(['.', '-'])
        && !part.contains("..")
        && part.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'.'))
}

/// Told of a download: the file, the bytes that are there and the bytes that it has.
pub type Observer = Arc<dyn Fn(&str, u64, u64) + Send + Sync>;

/// How the Hub is reached.
#[derive(Clone)]
pub struct Settings {
    /// Address of the Hub or a mirror of it, such as `https://huggingface.co`.
    pub endpoint: String,
    /// Folder of the cache (`…/huggingface/hub`).
    pub cache: PathBuf,
    /// Sent to the endpoint, and to no other host that it points to.
    pub token: Option<String>,
    /// Whether nothing but the cache is looked at.
    pub offline: bool,
    /// Told of downloads.
    pub observer: Option<Observer>,
}

impl Settings {
    /// What the environment says.
    ///
    /// # Errors
    /// If it names no folder for the cache and there is no home folder.
    pub fn from_env() -> Result<Self> {
        let set = |name: &str| std::env::var(name).ok().filter(|v| !v.trim().is_empty());
        // `Cache::from_env` panics without either.
        let has_home = set("HF_HOME").is_some() || std::env::home_dir().is_some();
        let home = has_home.then(Cache::from_env);
        let cache = set("HF_HUB_CACHE").map(|folder| Cache::new(folder.into()));
        let cache = cache.or_else(|| home.clone()).ok_or_else(|| {
            Error::setting("there is no folder for the Hub's cache").with_hint("set HF_HOME to one")
        })?;
        let logged_in = || home.and_then(|h| h.token());
        let offline = set("HF_HUB_OFFLINE")
            .is_some_and(|v| ["1", "true", "yes", "on"].contains(&v.to_lowercase().as_str()));
        Ok(Settings {
            endpoint: set("HF_ENDPOINT").unwrap_or_else(|| "https://huggingface.co".into()),
            token: set("HF_TOKEN").or_else(logged_in).map(|t| t.trim().to_owned()),
            cache: cache.path().clone(),
            offline,
            observer: None,
        })
    }
}

/// The files of a model.
pub struct Files {
    /// Folder or Hub id, for messages.
    place: String,
    source: Source,
}

enum Source {
    Folder(PathBuf),
    Hub(Box<Repository>),
}

impl Files {
    /// The files in a folder, or, where there is none of this name, on the Hub.
    ///
    /// # Errors
    /// If the text names neither, or the Hub or its cache has no such repository.
    pub fn open(model: &str, settings: impl FnOnce() -> Result<Settings>) -> Result<Self> {
        if Path::new(model).is_dir() {
            return Ok(Self::in_folder(Path::new(model)));
        }
        let Some(id) = HubId::parse(model) else {
            return Err(Error::model(model, "there is no such model folder").with_hint(
                "give a bundle's or checkpoint's folder, or ORG/NAME[@REV] of one on the Hub; \
                 without --model the built-in model is used",
            ));
        };
        let repository = Repository::open(id, settings()?)?;
        Ok(Files { place: model.to_owned(), source: Source::Hub(Box::new(repository)) })
    }

    /// The files in a folder.
    pub fn in_folder(dir: &Path) -> Self {
        Files { place: dir.display().to_string(), source: Source::Folder(dir.to_owned()) }
    }

    /// Folder or Hub id, as it was given.
    pub fn place(&self) -> &str {
        &self.place
    }

    /// The repository and the commit that its files are of, where they come from the Hub.
    pub fn commit(&self) -> Option<(&HubId, &str)> {
        match &self.source {
            Source::Folder(_) => None,
            Source::Hub(repository) => Some((repository.id(), repository.commit())),
        }
    }

    /// The contents of a file, checked against its checksum where one is known; `None` if
    /// there is no such file.
    ///
    /// # Errors
    /// If it is larger than `most` bytes or not what its checksum says, or cannot be fetched.
    pub fn read(&self, name: &str, most: u64) -> Result<Option<Vec<u8>>> {
        // Names of shards come from the repository.
        if !is_plain(name) {
            return Err(Error::model(&self.place, format!("{name:?} is no name of a file")));
        }
        match &self.source {
            Source::Folder(dir) => {
                let path = dir.join(name);
                path.is_file().then(|| read_at_most(&path, most)).transpose()
            }
            Source::Hub(repository) => repository.read(name, most),
        }
    }

    /// The contents of a file that must be there.
    ///
    /// # Errors
    /// As for [`Files::read`], or if there is none.
    pub fn require(&self, name: &str, most: u64) -> Result<Vec<u8>> {
        self.read(name, most)?.ok_or_else(|| self.missing(name))
    }

    /// Whether there is a file of this name, which is not fetched.
    ///
    /// # Errors
    /// If the Hub cannot be asked.
    pub fn has(&self, name: &str) -> Result<bool> {
        match &self.source {
            Source::Folder(dir) => Ok(is_plain(name) && dir.join(name).is_file()),
            Source::Hub(repository) => repository.has(name),
        }
    }

    /// That a file is not there.
    pub fn missing(&self, name: &str) -> Error {
        match &self.source {
            Source::Hub(repository) if repository.is_offline() => {
                Error::model(&self.place, format!("{name} is not in the cache"))
                    .with_hint("run once without HF_HUB_OFFLINE, to fetch it")
            }
            _ => Error::model(&self.place, format!("it has no {name}")),
        }
    }
}

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
    /// (`ORG/NAME[@REV]`).
    ///
    /// # Errors
    /// If a file is missing or the Hub cannot be reached.
    pub fn open(base: &str) -> Result<Self> {
        Self::read(&Files::open(base, Settings::from_env)?)
    }

    /// Reads an encoder's files; weights in several are put together.
    ///
    /// # Errors
    /// If one is missing or of a kind that is not read.
    pub fn read(files: &Files) -> Result<Self> {
        Ok(EncoderFiles {
            place: files.place().to_owned(),
            config: files.require("config.json", MOST_CONFIG)?,
            tokenizer: super::checkpoint::tokenizer(files)?,
            weights: super::checkpoint::weights(files)?,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_are_read_and_paths_are_not() {
        let id = HubId::parse("some-org/a.model_2@refs/pr/3").expect("it is one");
        assert_eq!((id.name(), id.revision.as_str()), ("some-org/a.model_2", "refs/pr/3"));
        assert_eq!(HubId::parse("a/b").expect("it is one").to_string(), "a/b");
        for wrong in [
            "a", "a/b/c", "/a/b", "../b", "a/..", "a/b@", "a/b@../x", "a/b@x//y", "./a", "a/b@/x",
            "a/b c", "a--b/c", "a/b@-x", "a/b?x=1", "a/b#x", "a\\b/c", "ä/b",
        ] {
            assert_eq!(HubId::parse(wrong), None, "{wrong}");
        }
    }

    proptest::proptest! {
        #[test]
        fn no_id_leads_out_of_the_cache(text in "[a-z./@\\\\~ -]{0,24}") {
            use std::path::Component;
            if let Some(id) = HubId::parse(&text) {
                let inside = |path: &str| {
                    Path::new(path).components().all(|c| matches!(c, Component::Normal(_)))
                };
                proptest::prop_assert!(inside(&id.name) && inside(&id.revision));
                proptest::prop_assert!(!text.contains("..") && !text.contains('\\'));
            }
        }
    }

    #[test]
    fn what_is_neither_folder_nor_id_is_told() {
        let settings = || -> Result<Settings> { panic!("the Hub is not asked") };
        let Err(error) = Files::open("no/such/model", settings) else { panic!("it opened") };
        assert!(error.to_string().contains("no/such/model") && error.hint().is_some());
    }

    #[test]
    fn a_folder_gives_its_own_files_only() {
        let dir = tempfile::tempdir().expect("a folder");
        std::fs::write(dir.path().join("config.json"), "{}").expect("it is written");
        let place = dir.path().display().to_string();
        let files = Files::open(&place, || panic!("no Hub")).expect("it opens");
        assert_eq!(files.read("config.json", 10).expect("it is there"), Some(b"{}".to_vec()));
        assert_eq!(files.read("other.json", 10).expect("it is not"), None);
        assert!(files.read("config.json", 1).is_err());
        assert!(files.read("../config.json", 10).is_err());
        assert!(files.require("other.json", 10).is_err());
    }
}
