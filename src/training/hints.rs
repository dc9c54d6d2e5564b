//! What a teacher's encoder makes of each token, to be learnt besides what it says of the sentence
//! (hints: Romero et al. 2015; of the hidden states of transformers: Jiao et al. 2020, TinyBERT, eq. 8).
//!
//! A few probabilities tell little of how the teacher came to them; the vectors of its last block
//! tell much more. A linear map is trained along, from the student's token vectors to the
//! teacher's; it begins as their ridge regression and is thrown away in the end.

use candle_core::{D, DType, Device, Tensor};
use half::f16;

use super::similarity::Map;
use super::teacher::Unlabelled;
use crate::error::{Error, Result};
use crate::model::predict::{Batching, over_batches};
use crate::model::{Model, Unit};

/// Sentences whose tokens the map is fitted to, about.
const FITTED_TO: usize = 500;

/// The token vectors of sentences, in the order of the sentences.
#[derive(Debug, Clone, PartialEq)]
pub struct Hints {
    /// Numbers in a vector.
    width: usize,
    /// Those of each sentence end to end, special tokens included, centred and scaled to a mean
    /// variance of 1; none of a sentence that is longer than the teacher takes. In half
    /// precision, for they are many: 1.5 kB a token for a width of 768.
    of: Vec<Vec<f16>>,
}

impl Hints {
    /// What `teacher` gives of each sentence. `done` is told how many more units were read, from
    /// any thread.
    ///
    /// # Errors
    /// If the teacher fails.
    pub fn of(
        teacher: &Model,
        sentences: &[Unlabelled],
        done: &(dyn Fn(usize) + Sync),
    ) -> Result<Self> {
        let units = sentences.iter().map(|s| Ok(teacher.prepare(&s.model_text, &[])?.units));
        let units: Vec<Vec<Unit>> = units.collect::<Result<_>>()?;
        let whole: Vec<Option<&Unit>> =
            units.iter().map(|u| u.first().filter(|_| u.len() == 1)).collect();
        let asked: Vec<&Unit> = whole.iter().copied().flatten().collect();
        let mut given = tokens(teacher, &asked, done)?.into_iter();
        let of: Vec<Vec<f16>> = whole
            .into_iter()
            .map(|unit| unit.and_then(|_| given.next()).unwrap_or_default())
            .collect();
        let n_tokens: usize = asked.iter().map(|u| u.ids.len()).sum();
        let width = of.iter().map(Vec::len).sum::<usize>().checked_div(n_tokens).unwrap_or(0);
        let mut hints = Hints { width, of };
        hints.standardise();
        Ok(hints)
    }

    /// Takes the mean vector away and divides by the root of the mean variance, so that a loss of 1
    /// says that nothing is known of the vectors.
    fn standardise(&mut self) {
        let width = self.width.max(1);
        let (mut n, mut sums, mut squares) = (0usize, vec![0f64; width], 0f64);
        for row in self.of.iter().flat_map(|tokens| tokens.chunks_exact(width)) {
            n += 1;
            for (sum, x) in sums.iter_mut().zip(row) {
                *sum += x.to_f64();
                squares += x.to_f64().powi(2);
            }
        }
        let n = n.max(1) as f64;
        let means: Vec<f64> = sums.iter().map(|sum| sum / n).collect();
        let square_of_means = means.iter().map(|m| m * m).sum::<f64>();
        let variance = (squares / n - square_of_means).max(1e-12) / width as f64;
        for row in self.of.iter_mut().flat_map(|tokens| tokens.chunks_exact_mut(width)) {
            for (x, mean) in row.iter_mut().zip(&means) {
                *x = f16::from_f64((x.to_f64() - mean) / variance.sqrt());
            }
        }
    }

    /// The vectors of a sentence's tokens, if the teacher gave as many as `n_tokens`.
    pub(super) fn get(&self, sentence: usize, n_tokens: usize) -> Option<&[f16]> {
        let tokens = self.of.get(sentence)?;
        (!tokens.is_empty() && tokens.len() == n_tokens * self.width).then_some(tokens)
    }

    /// The map that training begins with: from the tokens of `student`, of the units of the
    /// sentences in their order, to these.
    ///
    /// # Errors
    /// If the two cut sentences into other tokens, or the student fails.
    pub(super) fn fit(&self, student: &Model, units: &[&Unit]) -> Result<Map> {
        let apart = units.len().div_ceil(FITTED_TO).max(1);
        let sample = units.iter().enumerate().step_by(apart);
        let sample = sample.filter_map(|(i, unit)| Some((*unit, self.get(i, unit.ids.len())?)));
        let (units, wanted): (Vec<&Unit>, Vec<&[f16]>) = sample.unzip();
        if units.is_empty() {
            return Err(Error::setting("the teacher cuts sentences into other tokens")
                .with_hint("set hints to 0, or take a teacher with the same words"));
        }
        let rows = |of: &[f16], width: usize| -> Vec<Vec<f32>> {
            of.chunks_exact(width).map(|row| row.iter().map(|x| x.to_f32()).collect()).collect()
        };
        let mut given = Vec::new();
        for (unit, tokens) in units.iter().zip(tokens(student, &units, &|_| {})?) {
            given.extend(rows(&tokens, tokens.len() / unit.ids.len().max(1)));
        }
        let wanted: Vec<Vec<f32>> = wanted.iter().flat_map(|of| rows(of, self.width)).collect();
        Map::fit(&given, &wanted)
    }
}

/// The vectors of each unit's tokens, end to end.
fn tokens(model: &Model, units: &[&Unit], done: &(dyn Fn(usize) + Sync)) -> Result<Vec<Vec<f16>>> {
    let device = model.devices().next().cloned().unwrap_or(Device::Cpu);
    let run = |model: &Model, units: &[&Unit]| -> Result<Vec<Vec<f16>>> {
        let Some(vectors) = model.features(units, &mut None)?.tokens else { return Ok(Vec::new()) };
        let rows = vectors.to_dtype(DType::F16)?.to_vec2::<f16>()?;
        let mut rows = rows.into_iter();
        Ok(units.iter().map(|u| rows.by_ref().take(u.ids.len()).flatten().collect()).collect())
    };
    over_batches(model, units, Batching::for_device(&device), &run, done)
}

/// Sum over the tokens of the mean squared distance of the mapped `tokens` (rows, width of the
/// student) from `wanted` (rows, width of the teacher).
///
/// # Errors
/// If shapes do not fit.
pub(super) fn loss(map: &Map, tokens: &Tensor, wanted: &Tensor) -> candle_core::Result<Tensor> {
    (map.apply(tokens)? - wanted)?.sqr()?.mean(D::Minus1)?.sum_all()
}

#[cfg(test)]
mod tests {
    use super::*;

    const SENTENCES: [&str; 3] =
        ["Officials denied the alleged talks.", "Rain fell.", "The mayor of Sael has won again."];

    #[test]
    fn the_model_itself_gives_its_own_hints_back() {
        let Ok(bundle) = crate::model::Bundle::embedded() else { return };
        let model = Model::load(&bundle, &Device::Cpu).unwrap();
        let sentence =
            |text: &str| Unlabelled { model_text: text.to_owned(), mentions: Vec::new() };
        let mut sentences: Vec<Unlabelled> = SENTENCES.into_iter().map(sentence).collect();
        // One that is read in windows, which gives none.
        sentences.insert(1, sentence(&"word ".repeat(300)));
        let hints = Hints::of(&model, &sentences, &|_| {}).unwrap();
        let of = |text: &str| model.prepare(text, &[]).unwrap().units.remove(0);
        let units: Vec<Unit> = sentences.iter().map(|s| of(&s.model_text)).collect();
        let n = |i: usize| units[i].ids.len();
        assert_eq!(hints.get(1, n(1)), None);
        assert_eq!(hints.get(0, n(0) + 1), None, "another number of tokens");
        assert_eq!(hints.get(9, 4), None);
        let all: Vec<f32> = [0, 2, 3]
            .into_iter()
            .flat_map(|i| hints.get(i, n(i)).unwrap().iter().map(|x| x.to_f32()))
            .collect();
        let rows = all.len() / hints.width;
        let variance = all.iter().map(|x| x * x).sum::<f32>() / all.len() as f32;
        assert!((variance - 1.0).abs() < 0.01, "{variance}");

        let map = hints.fit(&model, &units.iter().collect::<Vec<_>>()).unwrap();
        let read: Vec<&Unit> = [0, 2, 3].map(|i| &units[i]).into();
        let given = model.features(&read, &mut None).unwrap().tokens.unwrap();
        let wanted = Tensor::from_vec(all, (rows, hints.width), &Device::Cpu).unwrap();
        let loss = loss(&map, &given, &wanted).unwrap().to_scalar::<f32>().unwrap();
        // The ridge is heavy on so few tokens, but some of it is explained at once.
        assert!(loss < 0.9 * rows as f32, "{loss} of {rows}");
        let others = [&of("Rain fell.")];
        assert!(hints.fit(&model, &others).is_err_and(|e| e.hint().is_some()));
    }
}
