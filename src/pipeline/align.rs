//! From a scored folder to its alignments.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::time::Instant;

use candle_core::Device;

use super::alignments::{ALIGNMENTS, AlignmentRow, alignments_schema};
use super::run::{AlignmentRecord, RunRecord};
use crate::error::{Error, Result};
use crate::model::Model;
use crate::model::codebook::{Codebook, LayerKind};
use crate::model::predict::Batching;
use crate::profile::alignment::{
    Group, Meanings, MeasuredPair, Passage, Sentence, SentenceKey, Settings, Side, align, measure,
    usual_likeness,
};
use crate::scoring::rows::SentenceRow;
use crate::scoring::tables::{Format, ScoredFolder, TableWriter};
use crate::text::Role;

/// What came out of aligning a folder.
#[derive(Debug, Clone, PartialEq)]
pub struct AlignSummary {
    /// The groups.
    pub groups: Vec<Group>,
    /// The file written.
    pub file: PathBuf,
    /// Sentences that were compared.
    pub n_sentences: usize,
    /// The likeness that groups have.
    pub likeness: f32,
    /// Whether the folder holds the sentences' vectors; without them only words count.
    pub with_vectors: bool,
}

/// Finds what outlets report in common and writes `alignments.parquet` into the scored
/// folder `dir`. `model` lends its table of words and reads them in context; it should be the one
/// that scored.
///
/// # Errors
/// If the folder holds no scored corpus in Parquet, a table cannot be read or written, or
/// the model's device fails.
pub fn align_folder(dir: &Path, model: &Model, settings: &Settings) -> Result<AlignSummary> {
    let started = Instant::now();
    settings.validate()?;
    let folder = ScoredFolder::open(dir)?;
    let sentences = sentences(&folder)?;
    let with_vectors = sentences.iter().any(|s| !s.vector.is_empty());
    let n_sentences = sentences.len();
    let likeness = settings.likeness.unwrap_or_else(|| usual_likeness(n_sentences));
    let settings = &Settings { likeness: Some(likeness) };
    let groups = with_meanings(model, |meanings| align(sentences, meanings, settings))?;
    let schema = alignments_schema(folder.codebook())?;
    let mut writer = TableWriter::create(dir, ALIGNMENTS, schema, Format::Parquet)?;
    for group in &groups {
        writer.write(&AlignmentRow::of(group))?;
    }
    let file = writer.finish()?;
    // A folder may have been made by other means than `score`.
    if let Ok(mut run) = RunRecord::read(dir) {
        run.alignment = Some(AlignmentRecord {
            likeness,
            sentences: n_sentences,
            groups: groups.len(),
            seconds: started.elapsed().as_secs_f64(),
        });
        run.write(dir)?;
    }
    Ok(AlignSummary { groups, file, n_sentences, likeness, with_vectors })
}

/// What alignment measures on the pairs of clauses of a scored folder: see
/// [`measure`](crate::profile::alignment::measure).
///
/// # Errors
/// As for [`align_folder`], which writes; this does not.
pub fn measure_folder(dir: &Path, model: &Model) -> Result<Vec<MeasuredPair>> {
    let sentences = sentences(&ScoredFolder::open(dir)?)?;
    with_meanings(model, |meanings| measure(sentences, meanings))
}

/// Lends the model's table of words, and its reading in context where it has that.
fn with_meanings<T>(model: &Model, run: impl FnOnce(&Meanings) -> Result<T>) -> Result<T> {
    let table = model.word_table()?;
    let batching = Batching::for_device(model.devices().next().unwrap_or(&Device::Cpu));
    let contexts = |passages: &[Passage]| {
        let texts: Vec<_> = passages.iter().map(|p| (p.text, p.words.as_slice())).collect();
        model.contexts(&texts, batching)
    };
    run(&Meanings {
        words: &|word| table.vector(word),
        contexts: model.gives_contexts().then_some(&contexts),
    })
}

/// The sentences of a folder that were scored, with their vectors where there are any.
fn sentences(folder: &ScoredFolder) -> Result<Vec<Sentence>> {
    let sides = Sides::of(folder.codebook());
    let mut places: HashMap<SentenceKey, usize> = HashMap::new();
    let mut sentences: Vec<Sentence> = Vec::new();
    for rows in folder.sentences()? {
        for row in rows? {
            if row.role == Role::Boilerplate {
                continue;
            }
            let sentence = sentence(row, &sides);
            places.insert(sentence.key.clone(), sentences.len());
            sentences.push(sentence);
        }
    }
    let mut width = None;
    for rows in folder.vectors()? {
        for row in rows? {
            let key =
                SentenceKey { article_id: row.article_id, sentence_index: row.sentence_index };
            if *width.get_or_insert(row.vector.len()) != row.vector.len() {
                return Err(Error::input(folder.dir().display(), "its vectors differ in length"));
            }
            let place = places.get(&key).and_then(|&i| sentences.get_mut(i));
            if let Some(sentence) = place {
                sentence.vector = row.vector;
            }
        }
    }
    Ok(sentences)
}

fn sentence(row: SentenceRow, sides: &Sides) -> Sentence {
    Sentence {
        side: sides.side(&row),
        key: SentenceKey { article_id: row.article_id, sentence_index: row.sentence_index },
        outlet: row.outlet,
        date: row.date,
        event: row.event,
        text: row.text,
        quotation: row.role == Role::Quote,
        vector: Vec::new(),
    }
}

/// Which labels hold off what a sentence reports, as the codebook says.
struct Sides(Vec<Vec<bool>>);

impl Sides {
    fn of(codebook: &Codebook) -> Self {
        // One entry for each sentence layer; empty where the layer tells no sides.
        let of_layer = codebook.sentence_layers().map(|layer| {
            let holds: Vec<bool> = layer.labels.iter().map(|l| l.holds_off).collect();
            let tells = layer.kind == LayerKind::Single && holds.contains(&true);
            if tells { holds } else { Vec::new() }
        });
        Self(of_layer.collect())
    }

    fn side(&self, row: &SentenceRow) -> Option<Side> {
        let layers = row.layers.as_ref()?;
        let told = self.0.iter().zip(layers).filter(|(holds, _)| !holds.is_empty());
        let holds = told.filter_map(|(holds, scores)| holds.get(*scores.labels.first()?).copied());
        let holds: Vec<bool> = holds.collect();
        (!holds.is_empty())
            .then(|| if holds.contains(&true) { Side::HeldOff } else { Side::PassedOn })
    }
}
