//! Statistics: what share of an outlet's sentences carries a label, how sure that is, and
//! how outlets differ. Plain numbers in and out; knows no files and no HTML.
//!
//! Sentences of one article resemble each other, so the article, not the sentence, is
//! what is resampled and permuted everywhere: see [`bootstrap`] and [`contrasts`].

pub mod alignment;
pub mod axes;
pub mod bootstrap;
mod contrasts;
mod profiles;
mod resample;
mod table;
pub mod words;

use serde::{Deserialize, Serialize};

pub use contrasts::{ContrastRow, Contrasts, benjamini_hochberg, contrasts};
pub use profiles::{MEAN, ProfileRow, TargetProfileRow, profiles, target_profiles};
pub use table::{Observations, ObservationsBuilder};

use crate::error::{Error, Result};

/// An outlet with fewer articles than this gets shares without intervals: to resample so
/// few would pretend to know a spread that was never observed.
pub const MIN_ARTICLES_FOR_INTERVAL: usize = 5;

/// How the statistics are made.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Settings {
    /// Resamples of the bootstrap.
    pub resamples: usize,
    /// Permutations of each pair of outlets; fewer for very large pairs (see [`contrasts`]).
    pub permutations: usize,
    /// Coverage of the intervals, between 0.5 and 1.
    pub level: f64,
    /// Seed of all random draws: the same corpus and settings give the same figures.
    pub seed: u64,
    /// Leave out articles that nearly repeat an earlier one (wire copy).
    pub exclude_duplicates: bool,
    /// Outlets that are compared in pairs; where there are more, those with most articles.
    pub max_outlets: usize,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            resamples: 2000,
            permutations: 9999,
            level: 0.95,
            seed: 1,
            exclude_duplicates: false,
            max_outlets: 40,
        }
    }
}

impl Settings {
    /// Checks that the settings make sense.
    ///
    /// # Errors
    /// Names the setting that does not.
    pub fn validate(&self) -> Result<()> {
        let in_range = |name: &str, value: usize, least: usize, most: usize| {
            if (least..=most).contains(&value) {
                return Ok(());
            }
            Err(Error::setting(format!("{name} is {value}, but must be from {least} to {most}")))
        };
        in_range("resamples", self.resamples, 100, 100_000)?;
        in_range("permutations", self.permutations, 99, 1_000_000)?;
        in_range("max_outlets", self.max_outlets, 2, 500)?;
        if !(self.level > 0.5 && self.level < 1.0) {
            return Err(Error::setting(format!(
                "level is {}, but must lie between 0.5 and 1",
                self.level
            ))
            .with_hint("0.95 is usual"));
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests;
