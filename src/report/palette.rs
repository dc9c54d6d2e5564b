//! Colours and letters of labels, by position: a codebook is data, and no label is
//! known by name here. Colour never stands alone; a letter or the label's name goes
//! with it.

use crate::model::codebook::{Codebook, Layer, LayerKind};

/// Colours in the style sheet, `k0` to `k7`: a grey for the first label, then the colours
/// of Okabe and Ito (2008), *Color Universal Design*.
pub(super) const COLOURS: usize = 8;

/// How a label looks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Chip {
    /// One letter, unique in the layer while letters last.
    pub letter: char,
    /// The label's name for people.
    pub name: String,
    /// Number of its colour; `None` for a layer that has more labels than there are colours.
    pub colour: Option<usize>,
    /// What the label means.
    pub description: String,
}

impl Chip {
    /// The style class.
    pub(super) fn class(&self) -> String {
        self.colour.map_or_else(|| "plain".to_owned(), |k| format!("k{k}"))
    }
}

/// The chips of a layer, in label order.
pub(super) fn chips(layer: &Layer) -> Vec<Chip> {
    let mut taken: Vec<char> = Vec::new();
    let coloured = layer.kind != LayerKind::Multi && layer.labels.len() <= COLOURS;
    layer
        .labels
        .iter()
        .enumerate()
        .map(|(i, label)| {
            let letter = label
                .name
                .chars()
                .map(|c| c.to_ascii_uppercase())
                .chain('A'..='Z')
                .find(|c| c.is_ascii_alphanumeric() && !taken.contains(c))
                .unwrap_or('·');
            taken.push(letter);
            Chip {
                letter,
                name: super::text::spaced(&label.name),
                colour: coloured.then_some(i),
                description: label.description.clone(),
            }
        })
        .collect()
}

/// The colour of a label, where layer and label are in the codebook.
pub(super) fn colour_of(codebook: &Codebook, layer: &str, label: &str) -> Option<usize> {
    let layer = codebook.layer(layer)?;
    let at = layer.index_of(label)?;
    chips(layer).get(at)?.colour
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::codebook::Label;

    fn layer(kind: LayerKind, names: &[&str]) -> Layer {
        let labels =
            names.iter().map(|n| Label { name: (*n).to_owned(), ..Label::default() }).collect();
        Layer { name: "l".into(), kind, description: String::new(), by_description: false, labels }
    }

    #[test]
    fn letters_are_unique_and_colours_go_by_position() {
        let six = chips(&layer(
            LayerKind::Single,
            &["assert", "entertain", "acknowledge", "endorse", "distance", "deny"],
        ));
        let letters: String = six.iter().map(|c| c.letter).collect();
        assert_eq!(letters, "AECNDY");
        assert_eq!(six[4].class(), "k4");
        let names: Vec<String> = (0..40).map(|i| format!("a{i}")).collect();
        let many: Vec<&str> = names.iter().map(String::as_str).collect();
        assert!(chips(&layer(LayerKind::Single, &many)).iter().all(|c| c.class() == "plain"));
    }
}
