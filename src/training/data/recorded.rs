//! What a bundle says of the data that it was trained on.

use std::path::Path;

use super::{Example, read_source, without};
use crate::error::Result;
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

    /// The training sentences, read from the recorded files in `folder`; what was held out is
    /// taken out again.
    ///
    /// # Errors
    /// If a recorded file is not in the folder, or cannot be read.
    pub fn read(&self, folder: &Path, codebook: &crate::model::Codebook) -> Result<Vec<Example>> {
        let all = |sources: &[Source]| -> Result<Vec<Example>> {
            let mut examples = Vec::new();
            for source in sources {
                let read = read_source(source, &|path| folder.join(path), codebook)?;
                examples.extend(read.examples);
            }
            Ok(examples)
        };
        Ok(without(all(&self.data)?, &all(&self.held_out)?).0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Bundle;

    #[test]
    fn the_built_in_model_names_its_data() {
        let recorded = Recorded::of(&Bundle::embedded().unwrap().meta);
        assert!(recorded.trained_on(Path::new("../shared/labels/train.jsonl")));
        assert!(!recorded.trained_on(Path::new("../shared/labels/test.jsonl")));
        assert!(!recorded.trained_on(Path::new("mylabels/train.jsonl")));
        assert!(recorded.document_pattern(Path::new("x/labels/test.jsonl")).is_some());
    }
}
