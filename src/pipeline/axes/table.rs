//! `axes.parquet`: the place of every sentence on every axis.

use crate::scoring::tables::{Cell, Column, FlatRow};

/// The place of a sentence on an axis: a row of `axes.parquet`.
#[derive(Debug, Clone, PartialEq)]
pub struct AxisPlace {
    /// The article.
    pub article_id: String,
    /// Its outlet.
    pub outlet: String,
    /// The sentence, by its index in the article.
    pub sentence_index: u64,
    /// The axis.
    pub axis: String,
    /// The cosine of the sentence's vector with the axis, −1 (negative pole) to +1.
    pub place: f32,
}

impl FlatRow for AxisPlace {
    const COLUMNS: &'static [Column<Self>] = &[
        ("article_id", Cell::Text(|r| &r.article_id)),
        ("outlet", Cell::Text(|r| &r.outlet)),
        ("sentence_index", Cell::Count(|r| r.sentence_index)),
        ("axis", Cell::Text(|r| &r.axis)),
        ("place", Cell::Float(|r| r.place)),
    ];
}
