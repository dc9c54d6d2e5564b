//! An evaluation on data of others, as a file: which field holds what, and how it maps onto a
//! layer's labels.
//!
//! ```toml
//! name = "polnear"
//! description = "is a sentence attributed to a source?"
//! layer = "engagement"
//! unit = "sentence"                # row, sentence or article
//! figure = "f1"                    # f1, macro_f1 or micro_f1
//!
//! [gold]                           # what is right: one of spans, flag and labels
//! spans = "spans"                  # a list of {start, end, …}, in characters of the text, where
//! where = { kind = "Content" }     #   spans with these values cover at least
//! cover = 0.2                      #   this share of a sentence; or
//! # flag = "biased"                # a field that is true or false; or
//! # labels = "frames"              # a list of the layer's labels,
//! # rename = { Economy = "economic" }   # some of which the data call otherwise
//!
//! [predicted]
//! label = "attributed"             # the question that spans or a flag answer, and
//! from = ["acknowledge", "deny"]   #   the layer's labels that mean yes
//!
//! [threshold]                      # without it, labels as the model gives them
//! rows = 200                       # chosen on so many rows, which are then left out, or
//! # folds = 5                      # for each part of the documents on the others
//! seed = 1
//! ```
//!
//! `unit = "row"` takes each row's text as one sentence. `sentence` and `article` cut it into
//! sentences as `parallax score` does; boilerplate is not scored and counts as a sentence without
//! a label (`--by role` tells the parts apart). `quotations = "alone"` reads each sentence by
//! itself, as labels of single sentences are made; by default a sentence inside a longer quotation
//! gets its marks back. For articles the probabilities of a label are summed over the sentences,
//! and the sum needs a threshold.

mod items;
mod judge;

use std::collections::BTreeMap;
use std::path::Path;

use serde::{Deserialize, Serialize};

use super::data::Example;
use super::evaluate::{Evaluation, Options, measure};
use crate::corpus::Skip;
use crate::error::{Error, Result};
use crate::model::codebook::Label;
use crate::model::predict::Batching;
use crate::model::{Codebook, Layer, LayerKind, Model};

/// What the file says: see the module.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Task {
    /// Short name.
    pub name: String,
    /// What is asked, of which data.
    pub description: String,
    /// The layer that is measured.
    pub layer: String,
    /// What is judged.
    pub unit: Unit,
    /// The figure that counts, and that a threshold is chosen for.
    pub figure: Figure,
    /// How sentences of a text are read.
    #[serde(default)]
    pub quotations: Quotations,
    /// What is right.
    pub gold: Gold,
    /// What the model's labels mean.
    #[serde(default)]
    pub predicted: Predicted,
    /// How a threshold is chosen.
    #[serde(default)]
    pub threshold: Option<Threshold>,
}

/// What is judged.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Unit {
    /// A row's text as one sentence.
    Row,
    /// Each sentence of a row's text.
    Sentence,
    /// A row's text as an article.
    Article,
}

/// How sentences of a text are read.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Quotations {
    /// As when scoring: a sentence inside a longer quotation gets its marks back.
    #[default]
    Restored,
    /// Each by itself.
    Alone,
}

/// A figure of merit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Figure {
    /// F1 of the one label that is asked for.
    F1,
    /// Mean F1 of all labels; of the question and its opposite where there is one question.
    MacroF1,
    /// F1 over all decisions.
    MicroF1,
}

impl Figure {
    /// As people write it.
    pub fn name(self) -> &'static str {
        match self {
            Figure::F1 => "F1",
            Figure::MacroF1 => "macro-F1",
            Figure::MicroF1 => "micro-F1",
        }
    }
}

/// What is right.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Gold {
    /// A field that is true or false.
    pub flag: Option<String>,
    /// A field that lists labels of the layer.
    pub labels: Option<String>,
    /// A field that lists spans of the text.
    pub spans: Option<String>,
    /// What a span must say to count.
    #[serde(rename = "where")]
    pub filter: BTreeMap<String, String>,
    /// The share of a sentence that spans must cover.
    pub cover: f64,
    /// Labels of the data by another name than the layer's.
    pub rename: BTreeMap<String, String>,
}

/// What the model's labels mean.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Predicted {
    /// The question that a flag or spans answer.
    pub label: String,
    /// The layer's labels that mean yes.
    pub from: Vec<String>,
}

/// How a threshold is chosen: for the best [`Task::figure`] on rows that are not judged by it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Threshold {
    /// On so many rows, drawn by the seed and then left out.
    #[serde(default)]
    pub rows: Option<usize>,
    /// By cross-validation over so many parts of the documents.
    #[serde(default)]
    pub folds: Option<usize>,
    /// Seed of the draw.
    #[serde(default)]
    pub seed: u64,
}

impl Task {
    /// Reads a task and checks that it makes sense for `codebook`.
    ///
    /// # Errors
    /// If the file cannot be read or does not fit; says which field.
    pub fn open(path: &Path, codebook: &Codebook) -> Result<Self> {
        let text = std::fs::read_to_string(path).map_err(|e| Error::io(path, e))?;
        let task: Task =
            toml::from_str(&text).map_err(|e| Error::model(path.display(), e.to_string()))?;
        match task.problem(codebook) {
            Some(problem) => Err(Error::model(path.display(), problem)),
            None => Ok(task),
        }
    }

    fn problem(&self, codebook: &Codebook) -> Option<String> {
        let Some(layer) = codebook.layer(&self.layer) else {
            return Some(format!("the model has no layer {:?}", self.layer));
        };
        if layer.kind == LayerKind::Target {
            return Some("a task asks about sentences, not about mentions of targets".into());
        }
        let ways = [&self.gold.flag, &self.gold.labels, &self.gold.spans];
        if ways.into_iter().flatten().count() != 1 {
            return Some("gold: give one of flag, labels and spans".into());
        }
        if self.gold.spans.is_some() && self.unit != Unit::Sentence {
            return Some("gold.spans needs unit = \"sentence\"".into());
        }
        if self.gold.spans.is_none() && self.unit == Unit::Sentence {
            return Some("unit = \"sentence\" needs gold.spans".into());
        }
        let asks = self.asks();
        if asks && self.predicted.from.is_empty() {
            return Some("predicted.from: list the labels that mean yes".into());
        }
        if let Some(name) = self.predicted.from.iter().find(|n| layer.index_of(n).is_none()) {
            return Some(format!("predicted.from: layer {} has no label {name:?}", layer.name));
        }
        if let Some(name) = self.gold.rename.values().find(|n| layer.index_of(n).is_none()) {
            return Some(format!("gold.rename: layer {} has no label {name:?}", layer.name));
        }
        if !asks && self.figure == Figure::F1 {
            return Some("figure = \"f1\" is of one question; use macro_f1 or micro_f1".into());
        }
        if !asks && layer.kind == LayerKind::Single && self.threshold.is_some() {
            return Some("the layer gives one label of several: there is no threshold".into());
        }
        let Some(threshold) = &self.threshold else {
            return (self.unit == Unit::Article)
                .then(|| "unit = \"article\" needs a [threshold] for the sums".into());
        };
        match (threshold.rows, threshold.folds) {
            (Some(n), None) if n >= 2 => None,
            (None, Some(n)) if (2..=100).contains(&n) => None,
            _ => Some("threshold: give rows (2 or more) or folds (2 to 100)".into()),
        }
    }

    /// Whether one question is asked, and not the layer's labels themselves.
    pub fn asks(&self) -> bool {
        self.gold.labels.is_none()
    }

    /// The layer that is judged: the model's own, or one with the question and its opposite.
    fn judged_layer(&self, layer: &Layer) -> Layer {
        if !self.asks() {
            return layer.clone();
        }
        let label = |name: String| Label { name, ..Label::default() };
        let yes = &self.predicted.label;
        Layer {
            name: yes.clone(),
            kind: LayerKind::Single,
            description: self.description.clone(),
            by_description: layer.by_description,
            labels: vec![label(format!("not_{yes}")), label(yes.clone())],
        }
    }
}

/// What came out of a task.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct TaskEvaluation {
    /// The task's name.
    pub task: String,
    /// What was asked.
    pub description: String,
    /// The figure that counts.
    pub figure: Figure,
    /// Its value.
    pub value: f64,
    /// Its 95% interval, from a bootstrap over documents.
    pub interval: Option<[f64; 2]>,
    /// Sentences or articles judged.
    pub n: usize,
    /// The threshold chosen, or that of each part.
    pub thresholds: Vec<f32>,
    /// Rows that it was chosen on and that are left out.
    pub left_out: usize,
    /// All figures, of the layer or of the one question.
    #[serde(flatten)]
    pub evaluation: Evaluation,
    /// Rows that could not be used.
    #[serde(skip)]
    pub skipped: Vec<Skip>,
}

/// What figures can be broken down by.
fn fields(item: &items::Item) -> BTreeMap<String, String> {
    let outlet = item.outlet.iter().map(|o| ("outlet".to_owned(), o.clone()));
    let role = item.role.map(|r| ("role".to_owned(), format!("{r:?}").to_lowercase()));
    outlet.chain(role).collect()
}

/// Carries out a task on the file `data`.
///
/// # Errors
/// If the file cannot be read, no row can be used, or the model fails.
pub fn carry_out(
    task: &Task,
    model: &Model,
    data: &Path,
    batching: Batching,
    options: &Options,
) -> Result<TaskEvaluation> {
    let layer = model.codebook().layer(&task.layer).ok_or_else(|| {
        Error::model(&task.name, format!("the model has no layer {:?}", task.layer))
    })?;
    let (items, skipped) = items::items(task, layer, model, data, batching)?;
    let judged = judge::judge(task, &items);
    if judged.decisions.is_empty() {
        return Err(Error::input(data.display(), "no row is left to judge")
            .with_hint("choose the threshold on fewer rows"));
    }
    let examples: Vec<Example> = items
        .into_iter()
        .map(|item| Example {
            fields: fields(&item),
            text: item.text,
            document: item.name,
            outlet: item.outlet,
            ..Example::default()
        })
        .collect();
    let judged_layer = task.judged_layer(layer);
    // An article has no text of its own to read an error in.
    let mistakes = if task.unit == Unit::Article { 0 } else { options.mistakes };
    let options = Options { mistakes, ..options.clone() };
    let layers = std::slice::from_ref(&judged_layer);
    let evaluation =
        measure(layers, std::slice::from_ref(&judged.decisions), &examples, None, &options);
    let figures = evaluation.layers.get(&judged_layer.name);
    let of_label = figures.and_then(|f| f.labels.get(&judged_layer.name));
    let named = |name| figures.and_then(|f| f.intervals.get(name)).copied();
    let (value, interval) = match task.figure {
        Figure::F1 => (of_label.map(|l| l.f1), of_label.and_then(|l| l.interval)),
        Figure::MacroF1 => (figures.map(|f| f.macro_f1), named("macro_f1")),
        Figure::MicroF1 => (figures.map(|f| f.micro_f1), named("micro_f1")),
    };
    Ok(TaskEvaluation {
        task: task.name.clone(),
        description: task.description.clone(),
        figure: task.figure,
        value: value.unwrap_or_default(),
        interval,
        n: judged.decisions.len(),
        thresholds: judged.thresholds,
        left_out: judged.left_out,
        evaluation,
        skipped,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_committed_tasks_fit_the_default_codebook() {
        let toml = std::fs::read_to_string("models/codebooks/default.toml").unwrap();
        let codebook = Codebook::from_toml(&toml).unwrap();
        for name in ["polnear", "babe", "semeval2023t3"] {
            let path = format!("models/evaluations/{name}.toml");
            let task = Task::open(Path::new(&path), &codebook).unwrap();
            assert_eq!(task.name, name);
        }
    }

    #[test]
    fn what_does_not_fit_is_named() {
        let codebook = Codebook::from_toml(
            "name = \"t\"\n[[layer]]\nname = \"voice\"\nkind = \"single\"\n\
             labels = [{ name = \"a\" }, { name = \"b\" }]",
        )
        .unwrap();
        let problem = |text: &str| {
            let start = "name = \"x\"\ndescription = \"\"\nlayer = \"voice\"\n";
            let task: Task = toml::from_str(&format!("{start}{text}")).unwrap();
            task.problem(&codebook).unwrap_or_default()
        };
        let row = "unit = \"row\"\nfigure = \"macro_f1\"\n";
        assert_eq!(problem(&format!("{row}[gold]\nlabels = \"voice\"")), "");
        assert!(problem(&format!("{row}[gold]")).contains("one of flag"));
        let flag = format!("{row}[gold]\nflag = \"f\"\n[predicted]\nlabel = \"q\"\n");
        assert!(problem(&format!("{flag}from = []")).contains("mean yes"));
        assert!(problem(&format!("{flag}from = [\"c\"]")).contains("no label \"c\""));
        let both = format!("{flag}from = [\"a\"]\n[threshold]\nrows = 9\nfolds = 3");
        assert!(problem(&both).contains("rows (2 or more) or folds"));
        let article = "unit = \"article\"\nfigure = \"micro_f1\"\n[gold]\nlabels = \"f\"";
        assert!(problem(article).contains("needs a [threshold]"));
    }
}
