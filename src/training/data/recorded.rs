//! What a bundle says of the data that it was trained on.

use std::path::{Path, PathBuf};

use super::{Example, read_source, without};
use crate::error::{Error, Result};
use crate::model::Meta;
use crate::training::recipe::Source;

/// The data that a bundle's recipe names.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Recorded {
    /// Trained on.
    pub data: Vec<Source>,
    /// Kept apart: what repeats it was taken out of the training data.
    pub held_out: Vec<Source>,
}

impl Recorded {
    /// Reads the record; what is not there or not understood is empty.
    pub fn of(meta: &Meta) -> Self {
        let sources = |name: &str| {
            let value = meta.training.get(name).cloned();
            value.and_then(|v| v.try_into().ok()).unwrap_or_default()
        };
        Recorded { data: sources("data"), held_out: sources("held_out") }
    }

    /// Whether the record names `path` among its training data, by the end of the path.
    pub fn trained_on(&self, path: &Path) -> bool {
        self.data.iter().any(|s| path.ends_with(&s.path))
    }

    /// The pattern by which the record cuts the document's name out of the rows of `path`.
    pub fn document_pattern(&self, path: &Path) -> Option<&str> {
        let mut sources = self.data.iter().chain(&self.held_out);
        sources.find(|s| path.ends_with(&s.path))?.document_pattern.as_deref()
    }

    /// The training sentences, read from the recorded files in `folder`, and the recorded files that
    /// are not there, as those written for a recipe and kept beside it. What was held out is taken
    /// out again.
    ///
    /// # Errors
    /// If none of the recorded files is in the folder, or one cannot be read.
    pub fn read(
        &self,
        folder: &Path,
        codebook: &crate::model::Codebook,
    ) -> Result<(Vec<Example>, Vec<PathBuf>)> {
        let find = |path: &Path| folder.join(path);
        let all = |sources: &[&Source]| -> Result<Vec<Example>> {
            let mut examples = Vec::new();
            for source in sources {
                // A second annotator's answers do not change which sentences they are.
                let source = Source { second: None, ..(*source).clone() };
                examples.extend(read_source(&source, &find, codebook)?.examples);
            }
            Ok(examples)
        };
        let there = |s: &&Source| find(&s.path).exists();
        let (found, missing): (Vec<_>, Vec<_>) = self.data.iter().partition(there);
        if found.is_empty() {
            let message = "none of the files that the model's record names is in this folder";
            return Err(Error::input(folder.display(), message)
                .with_hint("give --train the files themselves"));
        }
        let held_out: Vec<&Source> = self.held_out.iter().filter(there).collect();
        let missing = missing.into_iter().map(|s| s.path.clone()).collect();
        Ok((without(all(&found)?, &all(&held_out)?).0, missing))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{Bundle, Codebook};

    #[test]
    fn the_built_in_model_names_its_data() {
        let recorded = Recorded::of(&Bundle::embedded().unwrap().meta);
        assert!(recorded.trained_on(Path::new("../shared/labels/train.jsonl")));
        assert!(!recorded.trained_on(Path::new("../shared/labels/test.jsonl")));
        assert!(!recorded.trained_on(Path::new("mylabels/train.jsonl")));
        assert!(recorded.document_pattern(Path::new("x/labels/test.jsonl")).is_some());
    }

    #[test]
    fn files_that_are_not_in_the_folder_are_named() {
        let codebook = Codebook::from_toml(
            r#"
            name = "test"
            [[layer]]
            name = "tone"
            kind = "single"
            labels = [{ name = "calm" }, { name = "loud" }]
            "#,
        )
        .unwrap();
        let source = |path: &str| Source {
            path: path.into(),
            articles: None,
            second: Some("again.jsonl".into()),
            document_pattern: None,
            share: 1.0,
        };
        let data = vec![source("labels.jsonl"), source("own.jsonl")];
        let recorded = Recorded { data, held_out: Vec::new() };
        let folder = tempfile::tempdir().unwrap();
        let error = recorded.read(folder.path(), &codebook).unwrap_err();
        assert!(error.to_string().contains("none of the files"), "{error}");
        let row = r#"{"text": "The ferry sank.", "tone": "calm"}"#;
        std::fs::write(folder.path().join("labels.jsonl"), row).unwrap();
        let (examples, missing) = recorded.read(folder.path(), &codebook).unwrap();
        assert_eq!(examples.len(), 1);
        assert_eq!(missing, [PathBuf::from("own.jsonl")]);
    }
}
