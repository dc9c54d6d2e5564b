//! The map that undoes what fine-tuning did to the sentence vectors.
//!
//! The vectors of a sentence encoder tell paraphrases from other sentences; fine-tuning it
//! for labels blurs that. Most of it is still there: a linear map, fitted by ridge
//! regression so that the fine-tuned encoder's mean vectors give back the base encoder's, or those
//! of another sentence encoder, restores it (training fits one where a recipe has `keep_vectors`). A bundle without the file `vectors.safetensors` has no map, and its
//! vectors stay as they are.

use std::collections::HashMap;

use candle_core::{Device, Tensor};

use super::load_weights;
use crate::error::{Error, Result};

/// Name of the file in a bundle.
pub(super) const FILE: &str = "vectors.safetensors";

/// A linear map of sentence vectors.
pub(super) struct VectorMap {
    /// Numbers that go in.
    width: usize,
    /// Row by row: one row for each number that goes in.
    weight: Vec<f32>,
    bias: Vec<f32>,
}

impl VectorMap {
    /// Reads a map from vectors of `width` numbers that was fitted to the weights with the
    /// checksum `weights_sha256`.
    ///
    /// # Errors
    /// If the data hold no such map, or one for other weights.
    pub(super) fn read(
        data: &[u8],
        width: usize,
        weights_sha256: &str,
        place: &str,
    ) -> Result<Self> {
        let wrong = |message: &str| Error::model(place, format!("{FILE}: {message}"));
        let (_, header) =
            safetensors::SafeTensors::read_metadata(data).map_err(|e| wrong(&e.to_string()))?;
        let fitted_to = header.metadata().as_ref().and_then(|m| m.get("weights_sha256"));
        if fitted_to.map(String::as_str) != Some(weights_sha256) {
            return Err(wrong("it was fitted to other weights than these")
                .with_hint("take the file away, or train with keep_vectors, which fits one"));
        }
        let tensors: HashMap<String, Tensor> = load_weights(data, &Device::Cpu, place)?;
        let numbers = |name: &str, shape: &[usize]| -> Result<Vec<f32>> {
            let tensor = tensors.get(name).filter(|t| t.dims() == shape);
            let tensor = tensor.ok_or_else(|| wrong(&format!("{name} is missing or misshapen")))?;
            Ok(tensor.flatten_all()?.to_vec1::<f32>()?)
        };
        let outputs = tensors.get("bias").map_or(0, Tensor::elem_count);
        let weight = numbers("weight", &[width, outputs])?;
        Ok(Self { width, weight, bias: numbers("bias", &[outputs])? })
    }

    /// The vector as the base encoder would have it; unchanged if its width is another.
    pub(super) fn apply(&self, vector: Vec<f32>) -> Vec<f32> {
        if vector.len() != self.width || self.bias.is_empty() {
            return vector;
        }
        let mut out = self.bias.clone();
        for (x, row) in vector.iter().zip(self.weight.chunks_exact(out.len())) {
            out.iter_mut().zip(row).for_each(|(o, w)| *o += x * w);
        }
        out
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(sha: &str) -> Vec<u8> {
        let tensor =
            |values: &[f32], shape: &[usize]| Tensor::from_slice(values, shape, &Device::Cpu);
        let tensors = [
            ("weight", tensor(&[0.0, 2.0, 1.0, 0.0], &[2, 2]).unwrap()),
            ("bias", tensor(&[0.5, 0.0], &[2]).unwrap()),
        ];
        let metadata = HashMap::from([("weights_sha256".to_owned(), sha.to_owned())]);
        safetensors::serialize(tensors, Some(metadata)).unwrap()
    }

    #[test]
    fn a_map_is_applied_and_only_to_the_weights_it_was_fitted_to() {
        let map = VectorMap::read(&file("abc"), 2, "abc", "here").unwrap();
        assert_eq!(map.apply(vec![3.0, 10.0]), [10.5, 6.0]);
        assert_eq!(map.apply(vec![1.0]), [1.0]);
        assert!(
            VectorMap::read(&file("abc"), 2, "other", "here").is_err_and(|e| e.hint().is_some())
        );
        assert!(VectorMap::read(&file("abc"), 3, "abc", "here").is_err());
        assert!(VectorMap::read(b"nothing", 2, "abc", "here").is_err());
    }

    #[test]
    fn a_map_may_lead_to_narrower_vectors() {
        let weight = Tensor::from_slice(&[1f32, 10.0, 100.0], (3, 1), &Device::Cpu).unwrap();
        let bias = Tensor::from_slice(&[0.5f32], 1, &Device::Cpu).unwrap();
        let metadata = HashMap::from([("weights_sha256".to_owned(), "abc".to_owned())]);
        let file = safetensors::serialize([("weight", weight), ("bias", bias)], Some(metadata));
        let map = VectorMap::read(&file.unwrap(), 3, "abc", "here").unwrap();
        assert_eq!(map.apply(vec![1.0, 2.0, 3.0]), [321.5]);
    }
}
