//! Keeping the sentence vectors of the base encoder, or learning those of another, while labels are
//! learnt.
//!
//! Fine-tuning for labels blurs which sentences say the same. So a linear map is trained along,
//! from the encoder's mean vectors to those that the base encoder gives the same sentences;
//! it begins as their ridge regression (Hoerl and Kennard 1970), and its loss is one minus the
//! cosine. The same regression on the finished weights is the bundle's `vectors.safetensors`.

use std::collections::BTreeMap;

use candle_core::{D, DType, Device, Tensor, Var};
use nalgebra::{DMatrix, RowDVector};

use super::optimizer::Parameter;
use super::teacher::{Unlabelled, ask};
use crate::error::{Error, Result};
use crate::model::bundle::{FORMAT, sha256_hex};
use crate::model::hub::EncoderFiles;
use crate::model::sentence::SentenceScores;
use crate::model::{Bundle, Codebook, Meta, Model, Precision, PrecisionChoice};

/// Weights of the ridge that are tried, in units of the variance of a row, the heaviest first.
const RIDGES: [f64; 6] = [30.0, 10.0, 3.0, 1.0, 0.3, 0.1];
/// One row in so many is kept apart to choose among them ...
const APART: usize = 10;
/// ... if that is at least so many; else the heaviest is taken.
const FEWEST: usize = 20;

/// The map that is trained along.
pub(super) struct Map {
    /// (width of the base's vectors, width of the encoder's).
    pub weight: Var,
    /// (width of the base's vectors).
    pub bias: Var,
}

impl Map {
    /// The ridge regression from `x` to `y`, a row for each sentence: what a linear map can give
    /// back at once. The weight of the ridge is the one with the highest mean cosine on rows kept
    /// apart.
    ///
    /// # Errors
    /// If there are no rows, or none that say anything.
    pub(super) fn fit(x: &[Vec<f32>], y: &[Vec<f32>]) -> Result<Self> {
        let alike = || {
            Error::setting("the sentence vectors are all alike, so no map can be fitted to them")
                .with_hint("set keep_vectors to 0, or give more sentences")
        };
        if x.is_empty() || x.len() != y.len() {
            return Err(alike());
        }
        let apart = |i: &usize| i % APART == APART - 1;
        let (held_out, kept): (Vec<usize>, Vec<usize>) = (0..x.len()).partition(apart);
        let mut ridge = RIDGES[0];
        if held_out.len() >= FEWEST {
            let regression = Regression::new(x, y, &kept);
            let mut best = f64::NEG_INFINITY;
            for candidate in RIDGES {
                let Some(solved) = regression.solve(candidate) else { continue };
                let cosine = solved.mean_cosine(x, y, &held_out);
                if cosine > best {
                    (best, ridge) = (cosine, candidate);
                }
            }
        }
        let everything: Vec<usize> = (0..x.len()).collect();
        Regression::new(x, y, &everything).solve(ridge).ok_or_else(alike)?.into_map()
    }

    /// Its parameters, `NAME.weight` and `NAME.bias`, with the learning rate `rate`.
    pub(super) fn parameters(&self, name: &str, rate: f64) -> [Parameter; 2] {
        [("weight", &self.weight), ("bias", &self.bias)]
            .map(|(part, var)| Parameter::new(format!("{name}.{part}"), var.clone(), rate, 0.0))
    }

    /// The vectors (rows, width) mapped.
    ///
    /// # Errors
    /// If the shape does not fit.
    pub(super) fn apply(&self, vectors: &Tensor) -> candle_core::Result<Tensor> {
        vectors.matmul(&self.weight.as_tensor().t()?)?.broadcast_add(self.bias.as_tensor())
    }

    /// Sum over the rows of one minus the cosine of the mapped `vectors` (rows, width) and
    /// `wanted` (rows, width), whose rows have length 1.
    ///
    /// # Errors
    /// If shapes do not fit.
    pub(super) fn loss(&self, vectors: &Tensor, wanted: &Tensor) -> candle_core::Result<Tensor> {
        let mapped = self.apply(vectors)?;
        let length = (mapped.sqr()?.sum_keepdim(D::Minus1)? + 1e-12)?.sqrt()?;
        let cosines = (mapped * wanted)?.sum_keepdim(D::Minus1)?.div(&length)?;
        cosines.affine(-1.0, 1.0)?.sum_all()
    }

    /// The contents of `vectors.safetensors` for the weights with this checksum.
    ///
    /// # Errors
    /// If it cannot be written.
    pub(super) fn to_safetensors(&self, weights_sha256: &str) -> Result<Vec<u8>> {
        let tensors = BTreeMap::from([
            ("weight", self.weight.as_tensor().t()?.contiguous()?.to_dtype(DType::F16)?),
            ("bias", self.bias.as_tensor().to_dtype(DType::F16)?),
        ]);
        let header = [("weights_sha256".to_owned(), weights_sha256.to_owned())].into();
        safetensors::serialize(tensors, Some(header))
            .map_err(|e| Error::model("new bundle", format!("cannot write the map: {e}")))
    }
}

/// A regression's moments, from which it is solved for any ridge.
struct Regression {
    mean_x: RowDVector<f64>,
    mean_y: RowDVector<f64>,
    /// Of the centred rows: (width in, width in) and (width in, width out).
    xx: DMatrix<f64>,
    xy: DMatrix<f64>,
    /// Variance of a row.
    variance: f64,
}

/// Weight (in, out) and bias of a linear map.
struct Solved(DMatrix<f64>, RowDVector<f64>);

fn matrix(rows: &[Vec<f32>], of: &[usize]) -> DMatrix<f64> {
    let width = rows.first().map_or(0, Vec::len);
    let values = of.iter().flat_map(|&i| &rows[i]).map(|v| f64::from(*v));
    DMatrix::from_row_iterator(of.len(), width, values)
}

impl Regression {
    fn new(x: &[Vec<f32>], y: &[Vec<f32>], rows: &[usize]) -> Self {
        let (mut x, mut y) = (matrix(x, rows), matrix(y, rows));
        let (mean_x, mean_y) = (x.row_mean(), y.row_mean());
        for (matrix, mean) in [(&mut x, &mean_x), (&mut y, &mean_y)] {
            matrix.row_iter_mut().for_each(|mut row| row -= mean);
        }
        let (xx, xy) = (x.tr_mul(&x), x.tr_mul(&y));
        let variance = xx.trace() / rows.len().max(1) as f64;
        Self { mean_x, mean_y, xx, xy, variance }
    }

    /// `None` if the rows say nothing.
    fn solve(&self, ridge: f64) -> Option<Solved> {
        let mut moments = self.xx.clone();
        for i in 0..moments.nrows() {
            moments[(i, i)] += ridge * self.variance;
        }
        let weight = moments.cholesky()?.solve(&self.xy);
        let bias = &self.mean_y - &self.mean_x * &weight;
        Some(Solved(weight, bias))
    }
}

impl Solved {
    /// Mean cosine of the mapped rows of `x` and those of `y`.
    fn mean_cosine(&self, x: &[Vec<f32>], y: &[Vec<f32>], rows: &[usize]) -> f64 {
        let (mut mapped, wanted) = (matrix(x, rows) * &self.0, matrix(y, rows));
        mapped.row_iter_mut().for_each(|mut row| row += &self.1);
        let rows_of = mapped.row_iter().zip(wanted.row_iter());
        let cosines = rows_of.map(|(a, b)| a.dot(&b) / (a.norm() * b.norm()).max(1e-12));
        cosines.sum::<f64>() / rows.len() as f64
    }

    fn into_map(self) -> Result<Map> {
        let (inputs, outputs) = self.0.shape();
        // nalgebra lies column by column: the transpose of (in, out) is what candle reads.
        let weight: Vec<f32> = self.0.iter().map(|v| *v as f32).collect();
        let bias: Vec<f32> = self.1.iter().map(|v| *v as f32).collect();
        let device = &Device::Cpu;
        Ok(Map {
            weight: Var::from_tensor(&Tensor::from_vec(weight, (outputs, inputs), device)?)?,
            bias: Var::from_tensor(&Tensor::from_vec(bias, outputs, device)?)?,
        })
    }
}

/// The same map for weights with another checksum, whose encoder is the same.
///
/// # Errors
/// If `map` is none.
pub(super) fn tied_to(map: &[u8], weights_sha256: &str, place: &str) -> Result<Vec<u8>> {
    let wrong =
        |e: safetensors::SafeTensorError| Error::model(place, format!("vectors.safetensors: {e}"));
    let tensors = safetensors::SafeTensors::deserialize(map).map_err(wrong)?;
    let header = [("weights_sha256".to_owned(), weights_sha256.to_owned())].into();
    safetensors::serialize(tensors.tensors(), Some(header)).map_err(wrong)
}

/// An encoder without layers as a bundle, to be asked for its vectors alone.
pub fn bare(base: EncoderFiles, max_length: usize) -> Bundle {
    let meta = Meta {
        format: FORMAT,
        name: base.place.clone(),
        version: String::new(),
        base: base.place.clone(),
        licence: String::new(),
        max_length,
        weights_sha256: sha256_hex(&base.weights),
        int8_loss: None,
        training: toml::Table::new(),
        checkpoint: None,
        calibration: BTreeMap::new(),
        evaluation: toml::Table::new(),
        codebook: Codebook { name: String::new(), layers: Vec::new() },
    };
    Bundle {
        meta,
        place: base.place,
        config: base.config.into(),
        tokenizer: base.tokenizer.into(),
        weights: base.weights.into(),
        vector_map: None,
    }
}

/// The vectors that a model gives the sentences, scaled to length 1.
///
/// # Errors
/// If the model is unusable or fails.
pub(super) fn vectors(bundle: &Bundle, sentences: &[Unlabelled]) -> Result<Vec<Vec<f32>>> {
    let precision = PrecisionChoice::Exactly(Precision::F32);
    let model = Model::load_for_scoring(bundle, &[Device::Cpu], precision)?;
    let scaled = |scores: SentenceScores| {
        let mut vector = scores.vector;
        let length = vector.iter().map(|x| x * x).sum::<f32>().sqrt().max(1e-6);
        vector.iter_mut().for_each(|x| *x /= length);
        vector
    };
    Ok(ask(&model, sentences)?.into_iter().map(scaled).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_linear_map_is_found_again() {
        let x: Vec<Vec<f32>> = (0..400)
            .map(|i| {
                let t = i as f32;
                vec![(t * 0.7).sin() * 3.0, (t * 1.3).cos() * 3.0]
            })
            .collect();
        let y: Vec<Vec<f32>> = x.iter().map(|v| vec![2.0 * v[1] + 1.0, v[0] - v[1], 0.5]).collect();
        let map = Map::fit(&x, &y).unwrap();
        let weight = map.weight.to_vec2::<f32>().unwrap();
        let bias = map.bias.to_vec1::<f32>().unwrap();
        // A ridge shrinks a little.
        let expected = [[0.0, 2.0], [1.0, -1.0], [0.0, 0.0]];
        for (row, expected) in weight.iter().zip(expected) {
            row.iter().zip(expected).for_each(|(w, e)| assert!((w - e).abs() < 0.2, "{weight:?}"));
        }
        assert!((bias[0] - 1.0).abs() < 0.2 && (bias[2] - 0.5).abs() < 1e-4, "{bias:?}");
        assert!(Map::fit(&[], &[]).is_err());
        assert!(Map::fit(&[vec![1.0], vec![1.0]], &[vec![1.0], vec![2.0]]).is_err());
    }

    #[test]
    fn the_loss_is_one_minus_the_cosine() {
        let x = [vec![1.0, 0.0], vec![0.0, 1.0], vec![-1.0, 0.0], vec![0.0, -1.0]];
        let map = Map::fit(&x, &x).unwrap();
        let vectors = Tensor::new(&[[3f32, 0.0], [0.0, -2.0]], &Device::Cpu).unwrap();
        let wanted = Tensor::new(&[[0.6f32, 0.8], [0.0, 1.0]], &Device::Cpu).unwrap();
        let loss = map.loss(&vectors, &wanted).unwrap();
        assert!((loss.to_scalar::<f32>().unwrap() - (0.4 + 2.0)).abs() < 1e-5);
        let gradients = loss.backward().unwrap();
        assert!(gradients.get(map.weight.as_tensor()).is_some());
        assert!(gradients.get(map.bias.as_tensor()).is_some());
    }
}
