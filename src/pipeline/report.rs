//! From a scored and profiled folder to its report.

use std::collections::{BTreeMap, HashMap};
use std::path::{Path, PathBuf};

use serde::Deserialize;

use super::ProfileSummary;
use super::read::read_rows;
use super::run::RunRecord;
use crate::error::{Error, Result};
use crate::files::write_whole;
use crate::model::checkpoint::TARGET;
use crate::model::codebook::Codebook;
use crate::profile::Settings;
use crate::report::claims::Claims;
use crate::report::evidence::{Chosen, Evidence, EvidenceBuilder, Limits};
use crate::report::input::{ModelInfo, Moved, OutletInfo, ReportInput, RunInfo, Word};
use crate::report::side::{self, ArticleHead, SideFolder};
use crate::report::{Form, draw, terminal};
use crate::scoring::rows::SentenceRow;
use crate::scoring::tables::ScoredFolder;

/// Most bytes of a report: a browser opens it at once, and it can be sent by mail. One that would
/// be larger shows fewer of the sentences behind its numbers ...
const MOST_BYTES: usize = 5_000_000;
/// ... but never less than about this many.
const FEWEST_SENTENCES: usize = 300;
/// A corpus with more sentences than this has in its side folder only those articles of which a
/// sentence stands in the report.
const MOST_BESIDE: u64 = 200_000;

/// Writes the report of the scored folder `dir` into it; returns its path. Of a corpus that is
/// too large for one file, the whole articles go to a folder beside it.
///
/// # Errors
/// If the folder's tables cannot be read or the report cannot be written.
pub fn report_folder(
    dir: &Path,
    summary: ProfileSummary,
    title: &str,
    form: Form,
) -> Result<PathBuf> {
    let path = dir.join(form.file_name());
    let beside = (form == Form::Html).then_some(path.as_path());
    let mut limits = Limits::default();
    let mut input = report_input(dir, summary, title, beside, limits)?;
    let mut text = draw(&input, form)?;
    while form == Form::Html && text.len() > MOST_BYTES && limits.sentences > FEWEST_SENTENCES {
        limits = limits.halved();
        let folder = ScoredFolder::open(dir)?;
        (input.evidence, input.explained) =
            evidence(&folder, input.claims.as_ref(), title, beside, limits)?;
        text = draw(&input, form)?;
    }
    write_whole(&path, text.as_bytes())?;
    Ok(path)
}

/// The terminal's summary of the profiled folder `dir`: the report's figures, read from its
/// tables. Nothing is written. `width` and `styled` are those of [`terminal`].
///
/// # Errors
/// If the folder's tables cannot be read.
pub fn show_folder(dir: &Path, width: usize, styled: bool) -> Result<String> {
    let folder = ScoredFolder::open(dir)?;
    if !dir.join("profiles.parquet").is_file() {
        return Err(Error::input(dir.display(), "it holds no profiles (no profiles.parquet)")
            .with_hint("make them with `parallax profile DIR`"));
    }
    let summary = ProfileSummary {
        codebook: folder.codebook().clone(),
        settings: Settings::default(),
        profiles: read_rows(&dir.join("profiles.parquet"))?.collect::<Result<Vec<_>>>()?.concat(),
        contrasts: all_rows(dir, "contrasts")?,
        target_profiles: all_rows(dir, "target_profiles")?,
        notes: Vec::new(),
        files: Vec::new(),
    };
    let input = report_input(dir, summary, "How the outlets put it", None, Limits::default())?;
    terminal(&input, width, styled)
}

/// The rows of a table, or none where it is not there.
fn all_rows<T: serde::de::DeserializeOwned + Clone>(dir: &Path, name: &str) -> Result<Vec<T>> {
    let path = dir.join(format!("{name}.parquet"));
    if !path.is_file() {
        return Ok(Vec::new());
    }
    Ok(read_rows(&path)?.collect::<Result<Vec<_>>>()?.concat())
}

/// Puts together what the report shows. Where `beside` names the report's file and the corpus is
/// too large for it, the side folder is written.
fn report_input(
    dir: &Path,
    summary: ProfileSummary,
    title: &str,
    beside: Option<&Path>,
    limits: Limits,
) -> Result<ReportInput> {
    let folder = ScoredFolder::open(dir)?;
    let run = RunRecord::read(dir)?;
    let claims = claims(dir)?;
    let (evidence, explained) = evidence(&folder, claims.as_ref(), title, beside, limits)?;
    let words = dir.join("words.parquet");
    Ok(ReportInput {
        title: title.to_owned(),
        generated: chrono::Utc::now().format("%-d %B %Y").to_string(),
        outlets: outlets(&folder)?,
        evidence,
        claims,
        words: words.is_file().then(|| all_rows::<Word>(dir, "words")).transpose()?,
        explained,
        model: model_info(&run),
        run: run_info(&run, summary.settings.level),
        codebook: summary.codebook,
        profiles: summary.profiles,
        contrasts: summary.contrasts,
        target_profiles: summary.target_profiles,
        notes: notes_on_the_model(&run, folder.codebook())
            .into_iter()
            .chain(summary.notes)
            .collect(),
    })
}

/// What readers must know of a model that was taken as it is.
fn notes_on_the_model(run: &RunRecord, codebook: &Codebook) -> Vec<String> {
    let mut notes = Vec::new();
    let names = |layers: Vec<&String>| {
        layers.into_iter().map(|l| l.replace('_', " ")).collect::<Vec<_>>().join(", ")
    };
    if !run.model.uncalibrated.is_empty() {
        notes.push(format!(
            "Not calibrated: {}. The probabilities are the model's own; nobody has measured here how \
             often they are right, on these texts or others.",
            names(run.model.uncalibrated.iter().collect())
        ));
    }
    let described: Vec<&String> =
        codebook.layers.iter().filter(|l| l.by_description).map(|l| &l.name).collect();
    if !described.is_empty() {
        notes.push(format!(
            "Zero-shot: {} was not learnt from labelled sentences. A sentence has the label whose \
             description its vector is likest to: a first look, not a finding.",
            names(described)
        ));
    }
    for (layer, hypothesis) in &run.model.zero_shot {
        notes.push(format!(
            "Zero-shot: {} was not learnt from labelled sentences. The model was asked whether \
             “{hypothesis}” follows from each sentence{}; the labels are those of its training.",
            names(vec![layer]),
            if hypothesis.contains(TARGET) { ", with the words of each mention in it" } else { "" },
        ));
    }
    notes
}

/// What several outlets report, where sentences were aligned.
fn claims(dir: &Path) -> Result<Option<Claims>> {
    let aligned = dir.join("alignments.parquet").is_file();
    aligned.then(|| Ok(Claims::choose(super::read_alignments(dir)?))).transpose()
}

/// The sentences that stand behind the numbers, and whether the words that moved the model are
/// known. Mentions and sentences are read twice, so that only what is shown has to be held.
fn evidence(
    folder: &ScoredFolder,
    claims: Option<&Claims>,
    title: &str,
    beside: Option<&Path>,
    limits: Limits,
) -> Result<(Evidence, bool)> {
    let mut builder = EvidenceBuilder::new(folder.codebook(), limits);
    for (article, index) in claims.iter().flat_map(|c| c.sentences()) {
        builder.keep(article, index);
    }
    for rows in folder.mentions()? {
        rows?.iter().for_each(|row| builder.mention(row));
    }
    for rows in folder.sentences()? {
        rows?.iter().for_each(|row| builder.sentence(row));
    }
    let mut chosen = builder.choose();
    for rows in folder.articles()? {
        rows?.iter().for_each(|row| chosen.article(row));
    }
    for rows in folder.mentions()? {
        rows?.iter().for_each(|row| chosen.mention(row));
    }
    let explained = explanations(folder, &mut chosen)?;
    if let Some(report) = beside {
        if chosen.complete() {
            side::remove(&SideFolder::of(report))?;
        } else {
            whole_articles(folder, title, report, &mut chosen)?;
        }
    }
    Ok((chosen.finish()?, explained))
}

/// A row of `explanations.parquet`, as far as the report needs it.
#[derive(Debug, Clone, Deserialize)]
struct Explanation {
    article_id: String,
    sentence_index: u32,
    layer: String,
    label: String,
    start: usize,
    end: usize,
    weight: f32,
}

/// Takes the words that moved the model's decisions, where that was looked into.
fn explanations(folder: &ScoredFolder, chosen: &mut Chosen) -> Result<bool> {
    let path = folder.dir().join("explanations.parquet");
    if !path.is_file() {
        return Ok(false);
    }
    let layers: Vec<_> = folder.codebook().sentence_layers().collect();
    for rows in read_rows::<Explanation>(&path)? {
        for row in rows? {
            let layer = layers.iter().position(|l| l.name == row.layer);
            let label = layer.and_then(|l| layers.get(l)?.index_of(&row.label));
            if let Some((layer, label)) = layer.zip(label) {
                let (start, end, weight) = (row.start, row.end, row.weight);
                let word = Moved { start, end, layer, label, weight };
                chosen.explanation(&row.article_id, row.sentence_index, word);
            }
        }
    }
    Ok(true)
}

/// Writes the side folder and tells the sentences of the report where they stand in it.
fn whole_articles(
    folder: &ScoredFolder,
    title: &str,
    report: &Path,
    chosen: &mut Chosen,
) -> Result<()> {
    let all = chosen.total() <= MOST_BESIDE;
    let mut heads: HashMap<String, ArticleHead> = HashMap::new();
    for rows in folder.articles()? {
        for row in rows?.into_iter().filter(|r| all || chosen.has_article(&r.article.id)) {
            let article = row.article;
            let head = ArticleHead {
                outlet: article.outlet,
                title: article.title,
                date: article.date,
                url: article.url,
            };
            heads.insert(article.id, head);
        }
    }
    let codebook: &Codebook = folder.codebook();
    let mut beside = SideFolder::create(report, title, codebook)?;
    let mut article: Vec<SentenceRow> = Vec::new();
    let mut close = |article: &mut Vec<SentenceRow>| -> Result<()> {
        if let Some(first) = article.first()
            && let Some(head) = heads.get(&first.article_id)
        {
            let place = beside.article(head, article)?;
            chosen.context(&first.article_id, &place);
        }
        article.clear();
        Ok(())
    };
    for rows in folder.sentences()? {
        for row in rows? {
            if article.first().is_some_and(|first| first.article_id != row.article_id) {
                close(&mut article)?;
            }
            article.push(row);
        }
    }
    close(&mut article)?;
    beside.finish()
}

/// The outlets in the order of their names.
fn outlets(folder: &ScoredFolder) -> Result<Vec<OutletInfo>> {
    let mut outlets: BTreeMap<String, OutletInfo> = BTreeMap::new();
    for rows in folder.articles()? {
        for row in rows? {
            let article = row.article;
            let info = outlets.entry(article.outlet.clone()).or_default();
            info.name = article.outlet;
            info.n_articles += 1;
            if let Some(date) = article.date {
                let earlier = info.first_date.as_ref().is_none_or(|first| date < *first);
                let later = info.last_date.as_ref().is_none_or(|last| date > *last);
                if earlier {
                    info.first_date = Some(date.clone());
                }
                if later {
                    info.last_date = Some(date);
                }
            }
        }
    }
    for rows in folder.sentences()? {
        for row in rows?.iter().filter(|row| row.layers.is_some()) {
            if let Some(info) = outlets.get_mut(&row.outlet) {
                info.n_sentences += 1;
            }
        }
    }
    Ok(outlets.into_values().collect())
}

fn model_info(run: &RunRecord) -> ModelInfo {
    let mut figures = Vec::new();
    for (data, layers) in &run.model.evaluation {
        for (layer, value) in layers.as_table().into_iter().flatten() {
            let data = match data.as_str() {
                "dev_f1" => "F1 on sentences kept apart in training",
                other => other,
            };
            figures.push((format!("{data}: {layer}"), value.to_string()));
        }
    }
    ModelInfo {
        name: run.model.name.clone(),
        version: run.model.version.clone(),
        hash: run.model.hash.clone(),
        licence: run.model.licence.clone(),
        trained_on: format!("fine-tuned from {}", run.model.base),
        figures,
    }
}

fn run_info(run: &RunRecord, level: f64) -> RunInfo {
    let mut skipped: BTreeMap<String, u64> = BTreeMap::new();
    for skip in &run.skipped {
        *skipped.entry(skip.reason.clone()).or_default() += 1;
    }
    let renamed = run.outlets_renamed.iter().map(|(found, used)| format!("{found} → {used}"));
    let renamed = renamed.collect::<Vec<_>>().join("; ");
    // A report is handed round; where on somebody's disk the articles lie is nobody's business.
    let name = |input: &String| {
        Path::new(input).file_name().map_or_else(|| input.clone(), |n| n.to_string_lossy().into())
    };
    let inputs = run.inputs.iter().map(name).collect::<Vec<String>>().join(", ");
    let mut settings = vec![
        ("workers".to_owned(), run.workers.to_string()),
        ("tokens in a batch".to_owned(), run.batch_tokens.to_string()),
        ("inputs".to_owned(), inputs),
    ];
    if let Some(alignment) = &run.alignment {
        let likeness = format!("{:.2} of 1", alignment.likeness);
        settings.push(("likeness of the sentences in a group".to_owned(), likeness));
    }
    if !renamed.is_empty() {
        settings.push(("outlet names as found and as shown".to_owned(), renamed));
    }
    RunInfo {
        version: run.version.clone(),
        device: run.device.clone(),
        n_articles: run.counts.articles,
        n_sentences: run.counts.scored,
        n_boilerplate: run.counts.boilerplate,
        n_mentions: run.counts.mentions,
        n_skipped: run.n_skipped,
        n_duplicates: run.counts.duplicates,
        targets: run.targets.clone(),
        targets_discovered: run.targets_discovered,
        settings,
        skipped: skipped.into_iter().collect(),
        level: Some(level),
    }
}
