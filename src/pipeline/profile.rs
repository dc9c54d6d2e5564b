//! From a scored folder to its profiles.

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::tables::write_flat;
use crate::{
    error::Result,
    model::codebook::Codebook,
    profile::{
        self, ContrastRow, Contrasts, MIN_ARTICLES_FOR_INTERVAL, Observations, ProfileRow,
        Settings, TargetProfileRow,
    },
    scoring::tables::{Format, ScoredFolder},
};

/// How a folder is profiled.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ProfileOptions {
    /// How the statistics are made.
    pub statistics: Settings,
    /// Format of the tables that are written.
    pub format: Format,
    /// Where they go; `None`: into the scored folder itself.
    pub out: Option<PathBuf>,
}

/// What came out of profiling a folder.
#[derive(Debug, Clone, PartialEq)]
pub struct ProfileSummary {
    /// The codebook that the folder was scored with.
    pub codebook: Codebook,
    /// The settings that the figures were made with.
    pub settings: Settings,
    /// Shares by outlet, event and month.
    pub profiles: Vec<ProfileRow>,
    /// Differences between outlets.
    pub contrasts: Vec<ContrastRow>,
    /// Shares and means by outlet and target.
    pub target_profiles: Vec<TargetProfileRow>,
    /// What a reader of the figures should know, in sentences.
    pub notes: Vec<String>,
    /// The files written.
    pub files: Vec<PathBuf>,
}

/// Profiles a scored folder and writes `profiles`, `contrasts` and `target_profiles`.
///
/// # Errors
/// If the settings make no sense, the folder holds no scored corpus in Parquet, or the
/// tables cannot be written.
pub fn profile_folder(dir: &Path, options: &ProfileOptions) -> Result<ProfileSummary> {
    let settings = &options.statistics;
    settings.validate()?;
    let folder = ScoredFolder::open(dir)?;
    let codebook = folder.codebook().clone();
    let observations = observe(&folder)?;

    let profiles = profile::profiles(&observations, settings);
    let contrasts = profile::contrasts(&observations, settings);
    let target_profiles = profile::target_profiles(&observations, settings);
    let notes = notes(&observations, settings, &profiles, &contrasts);

    let out = options.out.as_deref().unwrap_or(dir);
    let format = options.format;
    let files = vec![
        write_flat(out, "profiles", &codebook, format, &profiles)?,
        write_flat(out, "contrasts", &codebook, format, &contrasts.rows)?,
        write_flat(out, "target_profiles", &codebook, format, &target_profiles)?,
    ];
    let contrasts = contrasts.rows;
    let settings = settings.clone();
    Ok(ProfileSummary { codebook, settings, profiles, contrasts, target_profiles, notes, files })
}

/// Reads a scored folder into counts.
fn observe(folder: &ScoredFolder) -> Result<Observations> {
    let mut builder = Observations::builder(folder.codebook());
    for batch in folder.sentences()? {
        batch?.iter().try_for_each(|row| builder.push(row))?;
    }
    for batch in folder.mentions()? {
        batch?.iter().try_for_each(|row| builder.push_mention(row))?;
    }
    Ok(builder.finish())
}

/// What a reader of the figures should know.
fn notes(
    observations: &Observations,
    settings: &Settings,
    profiles: &[ProfileRow],
    contrasts: &Contrasts,
) -> Vec<String> {
    let mut notes = Vec::new();
    let overall = |row: &&ProfileRow| row.event.is_none() && row.period.is_none();
    let mut few: Vec<&str> = profiles
        .iter()
        .filter(overall)
        .filter(|row| row.n_articles < MIN_ARTICLES_FOR_INTERVAL as u64)
        .map(|row| row.outlet.as_str())
        .collect();
    few.dedup();
    if !few.is_empty() {
        notes.push(format!(
            "{} of {} outlets {} fewer than {MIN_ARTICLES_FOR_INTERVAL} articles ({}): shares are \
             given without intervals or tests there, because articles differ, and so few do not \
             show by how much.",
            few.len(),
            observations.outlets().len(),
            if few.len() == 1 { "has" } else { "have" },
            listed(&few),
        ));
    }
    let duplicates = observations.n_duplicates();
    if duplicates > 0 {
        notes.push(format!(
            "{duplicates} of {} articles nearly {} an earlier one (wire copy, reprints) and {}.",
            observations.n_articles(),
            if duplicates == 1 { "repeats" } else { "repeat" },
            match (duplicates, settings.exclude_duplicates) {
                (1, true) => "is left out",
                (_, true) => "are left out",
                (1, false) => "is counted all the same",
                (_, false) => "are counted all the same",
            },
        ));
    }
    for (layer, withheld, all) in observations.withheld() {
        notes.push(format!(
            "{withheld} labels of {layer} were withheld, in {all} sentences or mentions, because the              model was not sure enough of them (--min-confidence): shares leave them out."
        ));
    }
    if contrasts.outlets_left_out > 0 {
        notes.push(format!(
            "Only the {} outlets with most articles are compared in pairs; {} are not.",
            settings.max_outlets, contrasts.outlets_left_out
        ));
    }
    if let Some(m) = contrasts.permutations.filter(|&m| m < settings.permutations) {
        notes.push(format!(
            "Pairs of very large outlets were tested with fewer permutations, at least {m} \
             instead of {}.",
            settings.permutations
        ));
    }
    notes
}

/// The first few names, and how many more there are.
fn listed(names: &[&str]) -> String {
    const SHOWN: usize = 5;
    let shown = names.iter().take(SHOWN).copied().collect::<Vec<_>>().join(", ");
    match names.len().saturating_sub(SHOWN) {
        0 => shown,
        more => format!("{shown} and {more} more"),
    }
}
