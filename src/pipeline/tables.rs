//! The tables of `profile/`'s rows. They stand here because `profile/` knows no files and
//! `scoring/` no statistics.

use std::path::{Path, PathBuf};

use crate::{
    error::Result,
    model::codebook::Codebook,
    profile::{
        ContrastRow, ProfileRow, TargetProfileRow,
        axes::{AxisContrastRow, AxisProfileRow},
        words::WordRow,
    },
    scoring::tables::{Cell, Column, FlatRow, Format, TableWriter, flat_schema},
};

/// Writes a whole flat table into the folder `dir`, and says where.
///
/// # Errors
/// If it cannot be written.
pub(super) fn write_flat<T: FlatRow>(
    dir: &Path,
    name: &str,
    codebook: &Codebook,
    format: Format,
    rows: &[T],
) -> Result<PathBuf> {
    let mut writer = TableWriter::create(dir, name, flat_schema::<T>(codebook)?, format)?;
    writer.write(rows)?;
    writer.finish()
}

impl FlatRow for ProfileRow {
    const COLUMNS: &'static [Column<Self>] = &[
        ("outlet", Cell::Text(|r| &r.outlet)),
        ("event", Cell::MaybeText(|r| r.event.as_deref())),
        ("period", Cell::MaybeText(|r| r.period.as_deref())),
        ("layer", Cell::Text(|r| &r.layer)),
        ("label", Cell::Text(|r| &r.label)),
        ("n_articles", Cell::Count(|r| r.n_articles)),
        ("n_sentences", Cell::Count(|r| r.n_sentences)),
        ("share", Cell::Number(|r| r.share)),
        ("low", Cell::MaybeNumber(|r| r.low)),
        ("high", Cell::MaybeNumber(|r| r.high)),
    ];
}

impl FlatRow for TargetProfileRow {
    const COLUMNS: &'static [Column<Self>] = &[
        ("outlet", Cell::Text(|r| &r.outlet)),
        ("target", Cell::Text(|r| &r.target)),
        ("layer", Cell::Text(|r| &r.layer)),
        ("label", Cell::Text(|r| &r.label)),
        ("n_articles", Cell::Count(|r| r.n_articles)),
        ("n_mentions", Cell::Count(|r| r.n_mentions)),
        ("share", Cell::Number(|r| r.share)),
        ("low", Cell::MaybeNumber(|r| r.low)),
        ("high", Cell::MaybeNumber(|r| r.high)),
    ];
}

impl FlatRow for ContrastRow {
    const COLUMNS: &'static [Column<Self>] = &[
        ("outlet_a", Cell::Text(|r| &r.outlet_a)),
        ("outlet_b", Cell::Text(|r| &r.outlet_b)),
        ("layer", Cell::Text(|r| &r.layer)),
        ("label", Cell::Text(|r| &r.label)),
        ("difference", Cell::Number(|r| r.difference)),
        ("low", Cell::MaybeNumber(|r| r.low)),
        ("high", Cell::MaybeNumber(|r| r.high)),
        ("p", Cell::MaybeNumber(|r| r.p)),
        ("q", Cell::MaybeNumber(|r| r.q)),
    ];
}

impl FlatRow for WordRow {
    const COLUMNS: &'static [Column<Self>] = &[
        ("outlet", Cell::Text(|r| &r.outlet)),
        ("against", Cell::MaybeText(|r| r.against.as_deref())),
        ("scope", Cell::Text(|r| r.scope.name())),
        ("layer", Cell::MaybeText(|r| r.scope.label().map(|(layer, _)| layer))),
        ("label", Cell::MaybeText(|r| r.scope.label().map(|(_, label)| label))),
        ("target", Cell::MaybeText(|r| r.scope.target())),
        ("term", Cell::Text(|r| &r.term)),
        ("n_words", Cell::Count(|r| r.n_words)),
        ("count", Cell::Count(|r| r.count)),
        ("count_rest", Cell::Count(|r| r.count_rest)),
        ("n_articles", Cell::Count(|r| r.n_articles)),
        ("n_articles_rest", Cell::Count(|r| r.n_articles_rest)),
        ("log_odds", Cell::Number(|r| r.log_odds)),
        ("z", Cell::Number(|r| r.z)),
    ];
}

impl FlatRow for AxisProfileRow {
    const COLUMNS: &'static [Column<Self>] = &[
        ("outlet", Cell::Text(|r| &r.outlet)),
        ("axis", Cell::Text(|r| &r.axis)),
        ("n_articles", Cell::Count(|r| r.n_articles)),
        ("n_sentences", Cell::Count(|r| r.n_sentences)),
        ("baseline", Cell::Number(|r| r.baseline)),
        ("bias", Cell::Number(|r| r.bias)),
        ("bias_low", Cell::MaybeNumber(|r| r.bias_low)),
        ("bias_high", Cell::MaybeNumber(|r| r.bias_high)),
        ("intensity", Cell::Number(|r| r.intensity)),
        ("intensity_low", Cell::MaybeNumber(|r| r.intensity_low)),
        ("intensity_high", Cell::MaybeNumber(|r| r.intensity_high)),
    ];
}

impl FlatRow for AxisContrastRow {
    const COLUMNS: &'static [Column<Self>] = &[
        ("outlet_a", Cell::Text(|r| &r.outlet_a)),
        ("outlet_b", Cell::Text(|r| &r.outlet_b)),
        ("axis", Cell::Text(|r| &r.axis)),
        ("difference", Cell::Number(|r| r.difference)),
        ("low", Cell::MaybeNumber(|r| r.low)),
        ("high", Cell::MaybeNumber(|r| r.high)),
    ];
}
