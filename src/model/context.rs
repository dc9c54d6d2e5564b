//! Words in their context: the vectors that the encoder's blocks give the words of a sentence.
//!
//! They are taken two thirds of the way up. Lower down a word is still much the same wherever it
//! stands; at the top of an encoder that was fine-tuned it says what the labels ask for (Tenney et
//! al. 2019 find meaning in the middle blocks too).

use std::ops::Range;

use candle_core::DType;
use ndarray::{Array2, ArrayView1};
use rayon::prelude::*;

use super::encoder::{Packed, ops};
use super::predict::{Batching, over_batches};
use super::sentence::Prepared;
use super::{Model, Unit};
use crate::error::Result;

impl Model {
    /// Whether [`Model::contexts`] can be asked.
    pub fn gives_contexts(&self) -> bool {
        self.pairs.is_none() && self.backbone.own().is_some()
    }

    /// For each text a row for each of its words, given as bytes of the text: the mean of the
    /// vectors of the tokens that the word covers, or zeros if it covers none. (words, width).
    ///
    /// # Errors
    /// If the model gives none, the tokenizer fails, or the device does.
    pub fn contexts(
        &self,
        texts: &[(&str, &[Range<usize>])],
        batching: Batching,
    ) -> Result<Vec<Array2<f32>>> {
        let prepared: Vec<Prepared> = texts
            .par_iter()
            .map(|(text, words)| self.prepare(text, words))
            .collect::<Result<_>>()?;
        let units: Vec<&Unit> = prepared.iter().flat_map(|p| &p.units).collect();
        let width = self.encoder()?.width();
        let run = |model: &Model, units: &[&Unit]| Ok(model.mentions_in_context(units)?);
        let mut vectors = over_batches(self, &units, batching, &run, &|_| {})?.into_iter();
        let rows = |prepared: &Prepared| {
            let of_units: Vec<Vec<Vec<f32>>> =
                vectors.by_ref().take(prepared.units.len()).collect();
            let mut rows = Array2::zeros((prepared.places.len(), width));
            for (mut row, place) in rows.rows_mut().into_iter().zip(&prepared.places) {
                let vector = place.and_then(|(unit, at)| of_units.get(unit)?.get(at));
                if let Some(vector) = vector.filter(|v| v.len() == width) {
                    row.assign(&ArrayView1::from(vector.as_slice()));
                }
            }
            rows
        };
        Ok(prepared.iter().map(rows).collect())
    }

    /// The vector of each unit's mentions, two thirds of the way up.
    fn mentions_in_context(&self, units: &[&Unit]) -> candle_core::Result<Vec<Vec<Vec<f32>>>> {
        let batch =
            Packed::with_types(units.iter().map(|u| (u.ids.as_slice(), u.types.as_slice())));
        let hidden = self.backbone.partial(&batch, (2 * self.encoder_depth()).div_ceil(3))?;
        let runs: Vec<Range<usize>> = units
            .iter()
            .zip(batch.rows())
            .flat_map(|(unit, rows)| {
                unit.mentions.iter().map(move |m| rows.start + m.start..rows.start + m.end)
            })
            .collect();
        let mut means = match runs.is_empty() {
            true => Vec::new(),
            false => ops::pool::mean_of_runs(&hidden, &runs)?.to_dtype(DType::F32)?.to_vec2()?,
        }
        .into_iter();
        Ok(units.iter().map(|u| means.by_ref().take(u.mentions.len()).collect()).collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Bundle;

    #[test]
    fn a_word_is_near_its_like_in_the_same_sense() {
        let Ok(bundle) = Bundle::embedded() else { return };
        let model = Model::load(&bundle, &candle_core::Device::Cpu).unwrap();
        let texts = ["The bank raised its rates.", "A bank cut interest.", "On the river bank."];
        let words: Vec<Vec<Range<usize>>> = texts
            .iter()
            .map(|t| t.find("bank").map(|at| vec![at..at + 4, 0..0]).unwrap())
            .collect();
        let asked: Vec<(&str, &[Range<usize>])> =
            texts.iter().zip(&words).map(|(t, w)| (*t, w.as_slice())).collect();
        let batching = Batching { workers: 2, tokens: 8 };
        let rows = model.contexts(&asked, batching).unwrap();
        let cosine = |a: usize, b: usize| {
            let (a, b) = (rows[a].row(0), rows[b].row(0));
            a.dot(&b) / (a.dot(&a) * b.dot(&b)).sqrt()
        };
        assert!(cosine(0, 1) > cosine(0, 2), "{} {}", cosine(0, 1), cosine(0, 2));
        assert!(rows[0].row(1).iter().all(|x| *x == 0.0), "a word without tokens");
        let together = model.contexts(&asked, Batching { workers: 1, tokens: 1024 }).unwrap();
        for (a, b) in rows.iter().zip(&together) {
            assert!(a.iter().zip(b).all(|(x, y)| (x - y).abs() < 1e-4));
        }
        let scoring = Model::load_for_scoring(
            &bundle,
            &[candle_core::Device::Cpu],
            crate::model::PrecisionChoice::Exactly(crate::model::Precision::F32),
        );
        let fast = scoring.unwrap().contexts(&asked, batching).unwrap();
        assert!(rows[0].iter().zip(&fast[0]).all(|(x, y)| (x - y).abs() < 1e-3));
    }
}
