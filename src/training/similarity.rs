//! Keeping the sentence vectors of the base encoder while its labels are learnt.
//!
//! Fine-tuning for labels blurs which sentences say the same. So a linear map is trained along,
//! from the encoder's mean vectors to those that the base encoder gives the same sentences;
//! its loss is one minus the cosine. It becomes the bundle's
//! `vectors.safetensors`.

use std::collections::BTreeMap;

use candle_core::{D, DType, Device, Tensor, Var};

use super::optimizer::Parameter;
use super::teacher::{Unlabelled, ask};
use crate::error::{Error, Result};
use crate::model::bundle::{FORMAT, sha256_hex};
use crate::model::hub::EncoderFiles;
use crate::model::sentence::SentenceScores;
use crate::model::{Bundle, Codebook, Meta, Model, Precision, PrecisionChoice};

/// The map that is trained along.
pub(super) struct Map {
    /// (width of the base's vectors, width of the encoder's).
    pub weight: Var,
    /// (width of the base's vectors).
    pub bias: Var,
}

impl Map {
    /// The map that changes nothing, on vectors of `width` numbers.
    ///
    /// # Errors
    /// If there is no memory for it.
    pub(super) fn identity(width: usize) -> candle_core::Result<Self> {
        Ok(Map {
            weight: Var::from_tensor(&Tensor::eye(width, DType::F32, &Device::Cpu)?)?,
            bias: Var::zeros(width, DType::F32, &Device::Cpu)?,
        })
    }

    /// Its parameters, with the learning rate `rate`.
    pub(super) fn parameters(&self, rate: f64) -> [Parameter; 2] {
        let parameter = |name: &str, var: &Var| Parameter::new(name.into(), var.clone(), rate, 0.0);
        [parameter("vectors.weight", &self.weight), parameter("vectors.bias", &self.bias)]
    }

    /// Sum over the rows of one minus the cosine of the mapped `vectors` (rows, width) and
    /// `wanted` (rows, width), whose rows have length 1.
    ///
    /// # Errors
    /// If shapes do not fit.
    pub(super) fn loss(&self, vectors: &Tensor, wanted: &Tensor) -> candle_core::Result<Tensor> {
        let mapped =
            vectors.matmul(&self.weight.as_tensor().t()?)?.broadcast_add(self.bias.as_tensor())?;
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

/// The same map for weights with another checksum, whose encoder is the same.
///
/// # Errors
/// If `map` is none.
pub(super) fn refit_to(map: &[u8], weights_sha256: &str, place: &str) -> Result<Vec<u8>> {
    let wrong =
        |e: safetensors::SafeTensorError| Error::model(place, format!("vectors.safetensors: {e}"));
    let tensors = safetensors::SafeTensors::deserialize(map).map_err(wrong)?;
    let header = [("weights_sha256".to_owned(), weights_sha256.to_owned())].into();
    safetensors::serialize(tensors.tensors(), Some(header)).map_err(wrong)
}

/// The vectors that the encoder in `base` gives the sentences, scaled to length 1.
///
/// # Errors
/// If the encoder is unusable or fails.
pub(super) fn vectors(
    base: &EncoderFiles,
    max_length: usize,
    sentences: &[Unlabelled],
) -> Result<Vec<Vec<f32>>> {
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
    let bundle = Bundle {
        meta,
        place: base.place.clone(),
        config: base.config.clone().into(),
        tokenizer: base.tokenizer.clone().into(),
        weights: base.weights.clone().into(),
        vector_map: None,
    };
    let precision = PrecisionChoice::Exactly(Precision::F32);
    let model = Model::load_for_scoring(&bundle, &[Device::Cpu], precision)?;
    let scaled = |scores: SentenceScores| {
        let mut vector = scores.vector;
        let length = vector.iter().map(|x| x * x).sum::<f32>().sqrt().max(1e-6);
        vector.iter_mut().for_each(|x| *x /= length);
        vector
    };
    Ok(ask(&model, sentences, &|_, _| {})?.into_iter().map(scaled).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_loss_is_one_minus_the_cosine() {
        let map = Map::identity(2).unwrap();
        let vectors = Tensor::new(&[[3f32, 0.0], [0.0, -2.0]], &Device::Cpu).unwrap();
        let wanted = Tensor::new(&[[0.6f32, 0.8], [0.0, 1.0]], &Device::Cpu).unwrap();
        let loss = map.loss(&vectors, &wanted).unwrap();
        assert!((loss.to_scalar::<f32>().unwrap() - (0.4 + 2.0)).abs() < 1e-5);
        let gradients = loss.backward().unwrap();
        assert!(gradients.get(map.weight.as_tensor()).is_some());
        assert!(gradients.get(map.bias.as_tensor()).is_some());
    }
}
