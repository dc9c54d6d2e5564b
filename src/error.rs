//! The library's one error type: what was wrong, where, and what to do about it.
//!
//! A message is one sentence that names the file (and row and field, where there is
//! one); the advice stands apart in [`Error::hint`], so that the command line can
//! print it on a line of its own and a program can leave it out.

use std::path::{Path, PathBuf};

/// A result whose error is [`Error`].
pub type Result<T> = std::result::Result<T, Error>;

/// Everything that can go wrong in the library.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A file or folder could not be read or written.
    #[error("{}: {source}", path.display())]
    Io {
        /// The file or folder.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// Input articles or labelled data are not usable.
    #[error("{place}: {message}")]
    Input {
        /// File, and row or field where known.
        place: String,
        /// What is wrong.
        message: String,
        /// What to do.
        hint: Option<String>,
    },
    /// A model bundle, codebook or recipe is not usable.
    #[error("model {place}: {message}")]
    Model {
        /// The bundle's folder or file.
        place: String,
        /// What is wrong.
        message: String,
        /// What to do.
        hint: Option<String>,
    },
    /// A setting given by the user makes no sense.
    #[error("{message}")]
    Setting {
        /// What is wrong.
        message: String,
        /// What to do.
        hint: Option<String>,
    },
    /// A tensor operation failed.
    #[error("computation failed: {0}")]
    Candle(#[from] candle_core::Error),
    /// A table could not be encoded or decoded.
    #[error("{place}: {message}")]
    Table {
        /// The table's file.
        place: String,
        /// What the format's library said.
        message: String,
    },
}

impl Error {
    /// An input/output error at `path`.
    pub fn io(path: impl AsRef<Path>, source: std::io::Error) -> Self {
        Error::Io { path: path.as_ref().to_owned(), source }
    }

    /// Unusable input at `place`.
    pub fn input(place: impl ToString, message: impl ToString) -> Self {
        Error::Input { place: place.to_string(), message: message.to_string(), hint: None }
    }

    /// An unusable model, codebook or recipe at `place`.
    pub fn model(place: impl ToString, message: impl ToString) -> Self {
        Error::Model { place: place.to_string(), message: message.to_string(), hint: None }
    }

    /// A setting that makes no sense.
    pub fn setting(message: impl ToString) -> Self {
        Error::Setting { message: message.to_string(), hint: None }
    }

    /// A table that could not be read or written.
    pub fn table(place: impl ToString, message: impl ToString) -> Self {
        Error::Table { place: place.to_string(), message: message.to_string() }
    }

    /// The same error with advice on what to do. Only [`Error::Input`], [`Error::Model`]
    /// and [`Error::Setting`] carry advice; others are returned as they are.
    pub fn with_hint(mut self, advice: impl ToString) -> Self {
        match &mut self {
            Error::Input { hint, .. } | Error::Model { hint, .. } | Error::Setting { hint, .. } => {
                *hint = Some(advice.to_string())
            }
            _ => {}
        }
        self
    }

    /// What the user can do about it, if anything is known.
    pub fn hint(&self) -> Option<&str> {
        match self {
            Error::Input { hint, .. } | Error::Model { hint, .. } | Error::Setting { hint, .. } => {
                hint.as_deref()
            }
            Error::Io { source, .. } => match source.kind() {
                std::io::ErrorKind::NotFound => Some("check the spelling of the path"),
                std::io::ErrorKind::PermissionDenied => Some("check the file's permissions"),
                std::io::ErrorKind::StorageFull => Some(
                    "free some space and run the command again; nothing half-written was left behind",
                ),
                _ => None,
            },
            _ => None,
        }
    }
}
