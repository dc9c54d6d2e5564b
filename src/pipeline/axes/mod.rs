//! From a scored folder with sentence vectors to places on framing axes.

mod table;

use std::collections::HashSet;
use std::path::{Path, PathBuf};

use serde::Deserialize;

use super::joined::flat;
use super::run::RunRecord;
use super::tables::write_flat;
use crate::error::{Error, Result};
use crate::model::predict::{Batching, predict_all};
use crate::model::sentence::Prepared;
use crate::model::{Model, Unit};
use crate::profile::Settings;
use crate::profile::axes::{Axis, AxisContrastRow, AxisProfileRow, Places};
use crate::scoring::rows::SentenceRow;
use crate::scoring::tables::{Format, ScoredFolder, TableWriter, flat_schema};
use crate::text::{Role, model_text};

pub use table::AxisPlace;

const EXAMPLE: &str = "an axis is a table like: [[axis]] name = \"threat\" \
    positive = [\"threat\", \"danger\"] negative = [\"safety\", \"protection\"]";

/// An axis as the user gives it.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AxisSpec {
    /// Its name.
    pub name: String,
    /// Words or sentences of the pole that counts as +1.
    pub positive: Vec<String>,
    /// Words or sentences of the other pole.
    pub negative: Vec<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct AxisFile {
    axis: Vec<AxisSpec>,
}

/// Reads axes from a TOML file of tables `[[axis]]` with `name`, `positive` and `negative`.
///
/// # Errors
/// If the file cannot be read, is not of this shape, or two axes have one name.
pub fn read_axes(path: &Path) -> Result<Vec<AxisSpec>> {
    let text = std::fs::read_to_string(path).map_err(|e| Error::io(path, e))?;
    let file: AxisFile = toml::from_str(&text)
        .map_err(|e| Error::input(path.display(), e.message()).with_hint(EXAMPLE))?;
    let mut names = HashSet::new();
    for axis in &file.axis {
        let wrong = |what: String| Err(Error::input(path.display(), what).with_hint(EXAMPLE));
        if axis.name.trim().is_empty() {
            return wrong("an axis has no name".into());
        }
        if !names.insert(&axis.name) {
            return wrong(format!("two axes are called {:?}", axis.name));
        }
        let letters = |pole: &String| pole.contains(char::is_alphanumeric);
        if let Some(empty) = axis.positive.iter().chain(&axis.negative).find(|p| !letters(p)) {
            return wrong(format!("axis {:?}: {empty:?} holds no word", axis.name));
        }
    }
    Ok(file.axis)
}

/// How axes are laid through a folder.
#[derive(Debug, Clone)]
pub struct AxesOptions {
    /// The axes.
    pub axes: Vec<AxisSpec>,
    /// How the intervals are made, and whether wire copy is left out.
    pub statistics: Settings,
    /// How the model runs.
    pub batching: Batching,
    /// Format of the tables.
    pub format: Format,
}

/// What came out.
#[derive(Debug, Clone, PartialEq)]
pub struct AxesSummary {
    /// Bias and intensity of each outlet on each axis.
    pub profiles: Vec<AxisProfileRow>,
    /// Differences between outlets.
    pub contrasts: Vec<AxisContrastRow>,
    /// What a reader of the figures should know, in sentences.
    pub notes: Vec<String>,
    /// The files written.
    pub files: Vec<PathBuf>,
}

/// Puts the sentences of a scored folder on axes and writes `axes`, `axis_profiles` and
/// `axis_contrasts` into it. `model` must be the one that scored the folder.
///
/// # Errors
/// If a setting or an axis makes no sense, the folder has no vectors or those of another
/// model, the model fails, or a table cannot be read or written.
pub fn axes_folder(
    dir: &Path,
    model: &Model,
    model_hash: &str,
    options: &AxesOptions,
) -> Result<AxesSummary> {
    options.statistics.validate()?;
    if !model.gives_vectors() {
        return Err(Error::setting("a model that is asked hypotheses gives sentences no vectors")
            .with_hint("score the articles with another model"));
    }
    let folder = ScoredFolder::open(dir)?;
    let scored_with = RunRecord::read(dir)?.model;
    if scored_with.hash != model_hash {
        return Err(Error::setting(format!(
            "the folder was scored with another model ({} {})",
            scored_with.name, scored_with.version
        ))
        .with_hint("give that model with --model, or score the articles again"));
    }
    let axes: Vec<Axis> = options
        .axes
        .iter()
        .map(|spec| lay(spec, model, options.batching))
        .collect::<Result<_>>()?;

    let format = options.format;
    let codebook = folder.codebook();
    let mut writer = TableWriter::create(dir, "axes", flat_schema::<AxisPlace>(codebook)?, format)?;
    let mut places = Places::new(&axes);
    each_vector(&folder, |sentence, vector| {
        let repeated = sentence.duplicate_group != sentence.article_id;
        let left_out = repeated && options.statistics.exclude_duplicates;
        if sentence.role == Role::Boilerplate || left_out {
            return Ok(());
        }
        let found: Vec<Option<f32>> = axes.iter().map(|axis| axis.place(vector)).collect();
        places.push(&sentence.outlet, &sentence.article_id, &found);
        let rows: Vec<AxisPlace> = axes
            .iter()
            .zip(found)
            .filter_map(|(axis, place)| {
                Some(AxisPlace {
                    article_id: sentence.article_id.clone(),
                    outlet: sentence.outlet.clone(),
                    sentence_index: sentence.sentence_index.into(),
                    axis: axis.name().to_owned(),
                    place: place?,
                })
            })
            .collect();
        writer.write(&rows)
    })?;
    let (profiles, contrasts) = places.profiles(&options.statistics);
    let files = vec![
        writer.finish()?,
        write_flat(dir, "axis_profiles", codebook, format, &profiles)?,
        write_flat(dir, "axis_contrasts", codebook, format, &contrasts)?,
    ];
    Ok(AxesSummary { notes: notes(&axes), profiles, contrasts, files })
}

/// Encodes an axis' poles, as any sentence is encoded.
fn lay(spec: &AxisSpec, model: &Model, batching: Batching) -> Result<Axis> {
    let encode = |texts: &[String]| -> Result<Vec<Vec<f32>>> {
        let prepared: Vec<Prepared> =
            texts.iter().map(|t| model.prepare(&model_text(t), &[])).collect::<Result<_>>()?;
        let units: Vec<&Unit> = prepared.iter().flat_map(|p| &p.units).collect();
        let mut predictions = predict_all(model, &units, batching, &|_| {})?.into_iter();
        Ok(prepared
            .iter()
            .map(|p| {
                let mine: Vec<_> = predictions.by_ref().take(p.units.len()).collect();
                model.scores(p, &mine).vector
            })
            .collect())
    };
    Axis::new(&spec.name, &encode(&spec.positive)?, &encode(&spec.negative)?)
}

/// Hands each sentence that has a vector to `each` with it. Both tables are read once, side by
/// side.
fn each_vector(
    folder: &ScoredFolder,
    mut each: impl FnMut(&SentenceRow, &[f32]) -> Result<()>,
) -> Result<()> {
    let mut vectors = flat(folder.vectors()?).peekable();
    if vectors.peek().is_none() {
        return Err(Error::input(folder.dir().display(), "it holds no sentence vectors")
            .with_hint(
                "score the articles again with `parallax compare`, or `parallax score --vectors`",
            ));
    }
    for sentence in flat(folder.sentences()?) {
        let sentence = sentence?;
        let mine = vectors.next_if(|v| {
            v.as_ref().map_or(true, |v| {
                v.sentence_index == sentence.sentence_index && v.article_id == sentence.article_id
            })
        });
        if let Some(vector) = mine {
            each(&sentence, &vector?.vector)?;
        }
    }
    match vectors.next() {
        None => Ok(()),
        Some(_) => Err(Error::input(
            folder.dir().join("vectors.parquet").display(),
            "the vectors do not stand in the order of the sentences",
        )
        .with_hint("keep the tables as parallax wrote them, or score the articles again")),
    }
}

/// What a reader of the figures should know.
fn notes(axes: &[Axis]) -> Vec<String> {
    axes.iter()
        .filter_map(|axis| {
            let name = axis.name();
            Some(match axis.apart() {
                None => format!(
                    "Axis {name:?} has a pole of one word or sentence: whether it tells its poles \
                     apart cannot be tried."
                ),
                Some((right, of)) if right < of => format!(
                    "Axis {name:?} puts {right} of the {of} words or sentences of its own poles on \
                     the right side, when laid without them."
                ),
                Some(_) => return None,
            })
        })
        .collect()
}

#[cfg(test)]
mod tests;
