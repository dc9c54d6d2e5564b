//! From a scored and profiled folder to its report.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use super::ProfileSummary;
use super::run::RunRecord;
use crate::error::Result;
use crate::report::evidence::{Evidence, EvidenceBuilder, Limits};
use crate::report::input::{ModelInfo, OutletInfo, ReportInput, RunInfo};
use crate::report::write;
use crate::scoring::tables::ScoredFolder;

/// Writes `report.html` into the scored folder `dir`; returns its path.
///
/// # Errors
/// If the folder's tables cannot be read or the report cannot be written.
pub fn report_folder(dir: &Path, summary: ProfileSummary, title: &str) -> Result<PathBuf> {
    let folder = ScoredFolder::open(dir)?;
    let run = RunRecord::read(dir)?;
    let input = ReportInput {
        title: title.to_owned(),
        generated: chrono::Utc::now().format("%-d %B %Y").to_string(),
        outlets: outlets(&folder)?,
        evidence: evidence(&folder)?,
        model: model_info(&run),
        run: run_info(&run, summary.settings.level),
        codebook: summary.codebook,
        profiles: summary.profiles,
        contrasts: summary.contrasts,
        target_profiles: summary.target_profiles,
        notes: summary.notes,
    };
    let path = dir.join("report.html");
    write(&input, &path)?;
    Ok(path)
}

/// The sentences that stand behind the numbers. Mentions and sentences are read twice, so
/// that only what is shown has to be held.
fn evidence(folder: &ScoredFolder) -> Result<Evidence> {
    let mut builder = EvidenceBuilder::new(folder.codebook(), Limits::default());
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
    chosen.finish()
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
    let mut settings = vec![
        ("workers".to_owned(), run.workers.to_string()),
        ("tokens in a batch".to_owned(), run.batch_tokens.to_string()),
        ("inputs".to_owned(), run.inputs.join(", ")),
    ];
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
