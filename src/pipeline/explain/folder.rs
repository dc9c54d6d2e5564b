//! From a scored folder to `explanations.parquet`.

use std::path::{Path, PathBuf};

use super::super::joined::{Joined, each_sentence, place};
use super::forms::forms;
use super::table::ExplainedWord;
use crate::error::{Error, Result};
use crate::model::explain::{Question, Settings, explain};
use crate::model::predict::Batching;
use crate::model::{Layer, LayerKind, Model};
use crate::scoring::rows::{Scores, SentenceRow};
use crate::scoring::tables::{Format, ScoredFolder, TableWriter, flat_schema};
use crate::text::normal::Normal;
use crate::text::source_span;

/// Sentences that are explained together.
const AT_A_TIME: usize = 512;

/// What is explained, and how.
#[derive(Debug, Clone)]
pub struct ExplainOptions {
    /// How far the search for words goes.
    pub search: Settings,
    /// The layer.
    pub layer: String,
    /// Its labels that are explained; if empty, all.
    pub labels: Vec<String>,
    /// How the model runs.
    pub batching: Batching,
    /// Format of the table.
    pub format: Format,
}

/// What came out.
#[derive(Debug, Clone, PartialEq)]
pub struct ExplainSummary {
    /// Labels that were explained.
    pub explained: u64,
    /// Of those, labels that are gone without the words found.
    pub gone: u64,
    /// Sentences passed over because the model does not give their probabilities again.
    pub not_reproduced: u64,
    /// The table.
    pub file: PathBuf,
}

/// Finds the words behind the labels of a scored folder and writes `explanations` into it.
/// `done` is told how many labels were explained since it was last called.
///
/// # Errors
/// If the layer or a label is not there, no sentence can be reproduced because `model` is not the
/// one that scored the folder, the model fails, or a table cannot be read or written.
pub fn explain_folder(
    dir: &Path,
    model: &Model,
    options: &ExplainOptions,
    done: &dyn Fn(u64),
) -> Result<ExplainSummary> {
    let folder = ScoredFolder::open(dir)?;
    let asked = Asked::new(&folder, model, options)?;
    let schema = flat_schema::<ExplainedWord>(folder.codebook())?;
    let mut run = Run {
        model,
        options,
        asked,
        writer: TableWriter::create(dir, "explanations", schema, options.format)?,
        waiting: Vec::new(),
        done,
        summary: ExplainSummary { explained: 0, gone: 0, not_reproduced: 0, file: PathBuf::new() },
    };
    each_sentence(&folder, |joined| run.take(joined))?;
    run.flush()?;
    let Run { writer, mut summary, .. } = run;
    if summary.explained == 0 && summary.not_reproduced > 0 {
        return Err(Error::setting("the model gives other probabilities than the folder has")
            .with_hint("give the model that scored it with --model, or score the articles again"));
    }
    summary.file = writer.finish()?;
    Ok(summary)
}

/// The layer and labels that are explained.
struct Asked {
    /// Position of the layer in the codebook.
    layer: usize,
    /// Its position among the layers of sentences, or of mentions.
    at: usize,
    labels: Vec<usize>,
}

impl Asked {
    fn new(folder: &ScoredFolder, model: &Model, options: &ExplainOptions) -> Result<Self> {
        let codebook = folder.codebook();
        if codebook.layers != model.codebook().layers {
            return Err(Error::setting(
                "the folder was scored with another codebook than the model's",
            )
            .with_hint("give the model that scored it with --model"));
        }
        let layers = &codebook.layers;
        let layer = layers.iter().position(|l| l.name == options.layer).ok_or_else(|| {
            let names: Vec<&str> = layers.iter().map(|l| l.name.as_str()).collect();
            Error::setting(format!("the codebook has no layer {:?}", options.layer))
                .with_hint(format!("its layers are {}", names.join(", ")))
        })?;
        let target = |l: &Layer| l.kind == LayerKind::Target;
        let at = layers[..layer].iter().filter(|l| target(l) == target(&layers[layer])).count();
        let labels = labels(&layers[layer], &options.labels)?;
        Ok(Asked { layer, at, labels })
    }
}

/// The positions of labels by name; all if none is named.
///
/// # Errors
/// Names the labels that there are.
pub(super) fn labels(layer: &Layer, names: &[String]) -> Result<Vec<usize>> {
    if names.is_empty() {
        return Ok((0..layer.labels.len()).collect());
    }
    let find = |name: &String| {
        layer.index_of(name).ok_or_else(|| {
            let known: Vec<&str> = layer.label_names().collect();
            Error::setting(format!("layer {} has no label {name:?}", layer.name))
                .with_hint(format!("its labels are {}", known.join(", ")))
        })
    };
    names.iter().map(find).collect()
}

/// A run over a folder.
struct Run<'a> {
    model: &'a Model,
    options: &'a ExplainOptions,
    asked: Asked,
    writer: TableWriter<ExplainedWord>,
    /// Sentences with something to explain.
    waiting: Vec<Joined>,
    done: &'a dyn Fn(u64),
    summary: ExplainSummary,
}

/// A question with what its rows need besides.
struct Pending<'a> {
    sentence: &'a SentenceRow,
    form: &'a Normal,
    label: usize,
    /// The target and the first byte of its mention in the sentence's text.
    target: Option<(&'a str, usize)>,
}

impl Run<'_> {
    fn take(&mut self, joined: Joined) -> Result<()> {
        if !self.wanted(&joined).is_empty() {
            self.waiting.push(joined);
        }
        if self.waiting.len() >= AT_A_TIME { self.flush() } else { Ok(()) }
    }

    /// The labels of a sentence that are to be explained, each with its mention, if it has one.
    fn wanted(&self, joined: &Joined) -> Vec<(usize, Option<usize>)> {
        let Asked { layer, at, labels } = &self.asked;
        let of = |scores: Option<&Scores>| -> Vec<usize> {
            let given = scores.into_iter().flat_map(|s| &s.labels).copied();
            given.filter(|l| labels.contains(l)).collect()
        };
        let Some(layers) = &joined.sentence.layers else { return Vec::new() };
        if self.model.codebook().layers[*layer].kind != LayerKind::Target {
            return of(layers.get(*at)).into_iter().map(|l| (l, None)).collect();
        }
        let mentions = joined.mentions.iter().enumerate();
        mentions
            .flat_map(|(i, m)| of(m.layers.get(*at)).into_iter().map(move |l| (l, Some(i))))
            .collect()
    }

    /// Explains the sentences that wait.
    fn flush(&mut self) -> Result<()> {
        let waiting = std::mem::take(&mut self.waiting);
        let sentences: Vec<&SentenceRow> = waiting.iter().map(|j| &j.sentence).collect();
        let forms = forms(self.model, &sentences, self.options.batching)?;
        let mut pending: Vec<Pending> = Vec::new();
        let mut questions: Vec<Question> = Vec::new();
        for (joined, form) in waiting.iter().zip(&forms) {
            let Some(form) = form else {
                self.summary.not_reproduced += 1;
                continue;
            };
            for (label, mention) in self.wanted(joined) {
                let target = match mention.and_then(|i| joined.mentions.get(i)) {
                    None => None,
                    Some(mention) => match place(&joined.sentence, mention) {
                        Some(bytes) => Some((mention, bytes)),
                        None => continue,
                    },
                };
                let shown = |at: usize| form.map.partition_point(|&source| (source as usize) < at);
                questions.push(Question {
                    text: form.text.clone(),
                    layer: self.asked.layer,
                    label,
                    mention: target.as_ref().map(|(_, b)| shown(b.start)..shown(b.end)),
                });
                pending.push(Pending {
                    sentence: &joined.sentence,
                    form,
                    label,
                    target: target.map(|(m, b)| (m.target.as_str(), b.start)),
                });
            }
        }
        let found = explain(self.model, &questions, self.options.search, self.options.batching)?;
        for (pending, explanation) in pending.iter().zip(found) {
            let rows = self.rows(pending, &explanation);
            self.summary.explained += 1;
            self.summary.gone += u64::from(rows.last().is_some_and(|r| r.gone));
            self.writer.write(&rows)?;
        }
        (self.done)(pending.len() as u64);
        Ok(())
    }

    fn rows(
        &self,
        pending: &Pending,
        explanation: &crate::model::explain::Explanation,
    ) -> Vec<ExplainedWord> {
        let Pending { sentence, form, label, target } = pending;
        let layer = &self.model.codebook().layers[self.asked.layer];
        let name = |label: usize| layer.label_names().nth(label).map(str::to_owned);
        let text = sentence.text.as_str();
        let characters = |byte: usize| text.get(..byte).map_or(0, |t| t.chars().count()) as u64;
        let words = explanation.words.iter().enumerate();
        words
            .map(|(i, word)| {
                let bytes = source_span(text, &form.map, word.bytes.clone());
                ExplainedWord {
                    article_id: sentence.article_id.clone(),
                    sentence_index: sentence.sentence_index.into(),
                    layer: layer.name.clone(),
                    label: name(*label).unwrap_or_default(),
                    target: target.map(|(name, _)| name.to_owned()),
                    mention_start: target.map(|(_, byte)| characters(byte)),
                    rank: i as u64 + 1,
                    start: characters(bytes.start),
                    end: characters(bytes.end),
                    word: text.get(bytes).unwrap_or_default().to_owned(),
                    weight: word.weight,
                    gone: word.gone,
                    instead: explanation.instead.filter(|_| word.gone).and_then(name),
                }
            })
            .collect()
    }
}
