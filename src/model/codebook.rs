//! A codebook is data: layers, each with a kind and its labels. The code knows the
//! three kinds and no label by name.

use serde::{Deserialize, Serialize};

use crate::error::{Error, Result};

/// What kind of answer a layer gives.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum LayerKind {
    /// One label of several for a sentence (softmax).
    Single,
    /// Any number of labels for a sentence (a sigmoid and a threshold each).
    Multi,
    /// One label of several for each mention of a target in a sentence (softmax).
    Target,
}

/// One label of a layer.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Label {
    /// Name as it stands in tables: letters, digits and `_`.
    pub name: String,
    /// What it means, for people.
    #[serde(default)]
    pub description: String,
    /// Whether a sentence with this label does not pass on what it reports, but holds it at
    /// a distance or denies it. Claims that some sentences pass on and others hold off are
    /// contested.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub holds_off: bool,
    /// Sentences that have it: with the description they are all that a layer without labelled
    /// sentences knows.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub examples: Vec<String>,
}

/// One question that the model answers.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Layer {
    /// Name as it stands in tables: letters, digits and `_`.
    pub name: String,
    /// What kind of answer it gives.
    pub kind: LayerKind,
    /// What it asks, for people.
    #[serde(default)]
    pub description: String,
    /// Whether labels are given by the likeness of a sentence's vector to their descriptions and
    /// examples, with nothing learnt: zero-shot.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub by_description: bool,
    /// The labels, in the order of the model's outputs.
    pub labels: Vec<Label>,
}

impl Layer {
    /// The label names in order.
    pub fn label_names(&self) -> impl Iterator<Item = &str> {
        self.labels.iter().map(|l| l.name.as_str())
    }

    /// Position of the label called `name`.
    pub fn index_of(&self, name: &str) -> Option<usize> {
        self.labels.iter().position(|l| l.name == name)
    }
}

/// A codebook: the layers of a model, in order.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Codebook {
    /// Short name.
    pub name: String,
    /// The layers.
    #[serde(rename = "layer")]
    pub layers: Vec<Layer>,
}

impl Codebook {
    /// Reads a codebook's file.
    ///
    /// # Errors
    /// If the file cannot be read, or as for [`Codebook::from_toml`].
    pub fn open(path: &std::path::Path) -> Result<Self> {
        let text = std::fs::read_to_string(path).map_err(|e| Error::io(path, e))?;
        Self::from_toml(&text)
    }

    /// Reads a codebook from TOML.
    ///
    /// # Errors
    /// If the text is no TOML of this shape, or the codebook is not [valid](Self::validate).
    pub fn from_toml(text: &str) -> Result<Self> {
        let codebook: Codebook =
            toml::from_str(text).map_err(|e| Error::model("codebook", e.to_string()))?;
        codebook.validate()?;
        Ok(codebook)
    }

    /// Layers that label whole sentences (single and multi), in order.
    pub fn sentence_layers(&self) -> impl Iterator<Item = &Layer> {
        self.layers.iter().filter(|l| l.kind != LayerKind::Target)
    }

    /// Layers that label mentions of targets, in order.
    pub fn target_layers(&self) -> impl Iterator<Item = &Layer> {
        self.layers.iter().filter(|l| l.kind == LayerKind::Target)
    }

    /// The layer called `name`.
    pub fn layer(&self, name: &str) -> Option<&Layer> {
        self.layers.iter().find(|l| l.name == name)
    }

    /// Checks that names are usable as column names and unique, and that every layer
    /// has enough labels.
    ///
    /// # Errors
    /// Names the layer or label that is wrong.
    pub fn validate(&self) -> Result<()> {
        let usable = |name: &str| {
            !name.is_empty()
                && name.len() <= 64
                && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
        };
        if self.layers.is_empty() {
            return Err(Error::model("codebook", "it has no layers"));
        }
        let mut layer_names = std::collections::HashSet::new();
        for layer in &self.layers {
            let place = format!("codebook, layer {:?}", layer.name);
            if !usable(&layer.name) {
                return Err(Error::model(place, "a name is 1 to 64 letters, digits or '_'"));
            }
            if !layer_names.insert(&layer.name) {
                return Err(Error::model(place, "two layers have this name"));
            }
            let least = if layer.kind == LayerKind::Multi { 1 } else { 2 };
            if layer.labels.len() < least {
                return Err(Error::model(place, format!("it needs at least {least} labels")));
            }
            let mut label_names = std::collections::HashSet::new();
            for label in &layer.labels {
                if !usable(&label.name) {
                    return Err(Error::model(
                        &place,
                        format!("label {:?}: a name is 1 to 64 letters, digits or '_'", label.name),
                    ));
                }
                if !label_names.insert(&label.name) {
                    return Err(Error::model(
                        &place,
                        format!("two labels are called {:?}", label.name),
                    ));
                }
            }
        }
        Ok(())
    }
}
