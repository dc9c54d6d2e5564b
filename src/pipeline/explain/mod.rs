//! The words behind the labels of a scored folder, and how far such explanations hold.

mod folder;
mod forms;
mod measure;
mod table;

pub use folder::{ExplainOptions, ExplainSummary, explain_folder};
pub use measure::{Faithfulness, LabelFaithfulness, MeasureOptions, measure};
pub use table::{ExplainedWord, read_explanations};

#[cfg(test)]
mod tests;
