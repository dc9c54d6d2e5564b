//! Layers of which only descriptions are there: a sentence gets the label whose description
//! and examples its vector is likest to. A first look that costs nothing; whoever goes on labels
//! sentences.

use std::collections::BTreeMap;

use candle_core::{DType, Device, Tensor};

use super::teacher::{Unlabelled, ask};
use crate::error::{Error, Result};
use crate::model::bundle::sha256_hex;
use crate::model::weights::Storage;
use crate::model::{Bundle, Codebook, Layer, LayerKind, Model, load_weights};
use crate::text::model_text;

/// A model on the encoder of `base` with the layers of `codebook` and no other.
///
/// # Errors
/// If a label has neither description nor examples, a layer is about targets, or the base is
/// unusable.
pub fn zero_shot(base: &Bundle, codebook: &Codebook) -> Result<Bundle> {
    let model = Model::load(base, &Device::Cpu)?;
    let mut tensors: BTreeMap<String, Tensor> =
        load_weights(&base.weights, &Device::Cpu, &base.place)?
            .into_iter()
            .filter(|(name, _)| !name.starts_with("layers."))
            .collect();
    let mut codebook = codebook.clone();
    for layer in &mut codebook.layers {
        let labels = label_vectors(&model, layer)?;
        layer.by_description = true;
        let (_, width) = labels.dims2()?;
        let (weight, bias) = map(base, width)?;
        let prefix = format!("layers.{}.likeness", layer.name);
        tensors.insert(format!("{prefix}.labels"), labels);
        tensors.insert(format!("{prefix}.map.weight"), weight);
        tensors.insert(format!("{prefix}.map.bias"), bias);
    }
    let weights = Storage::of(&base.weights).write(&tensors)?;
    let mut meta = base.meta.clone();
    meta.name.clone_from(&codebook.name);
    meta.weights_sha256 = sha256_hex(&weights);
    meta.calibration.clear();
    meta.evaluation.clear();
    meta.training = [("zero_shot".to_owned(), toml::Value::from(true))].into_iter().collect();
    meta.codebook = codebook;
    let vector_map = base
        .vector_map
        .as_ref()
        .map(|map| super::similarity::tied_to(map, &meta.weights_sha256, &base.place))
        .transpose()?;
    Ok(Bundle {
        meta,
        place: "new bundle".into(),
        config: base.config.clone(),
        tokenizer: base.tokenizer.clone(),
        weights: weights.into(),
        vector_map: vector_map.map(Into::into),
    })
}

/// For each label the mean of the vectors of what is said of it: (labels, width), rows of length 1.
fn label_vectors(model: &Model, layer: &Layer) -> Result<Tensor> {
    if layer.kind == LayerKind::Target {
        return Err(Error::setting(format!(
            "layer {:?} is about targets, which descriptions alone cannot tell",
            layer.name
        ))
        .with_hint("label sentences for it, or ask a model of pairs with --hypothesis"));
    }
    let mut rows = Vec::new();
    for label in &layer.labels {
        if label.description.is_empty() && label.examples.is_empty() {
            return Err(Error::setting(format!(
                "label {:?} of layer {:?} has neither description nor examples",
                label.name, layer.name
            ))
            .with_hint("say in the codebook what the label means: description = \"…\""));
        }
        let described = format!("{}: {}", label.name.replace('_', " "), label.description);
        let texts = std::iter::once(&described).chain(&label.examples);
        let texts: Vec<Unlabelled> = texts
            .map(|text| Unlabelled { model_text: model_text(text), mentions: Vec::new() })
            .collect();
        let mut sum: Vec<f32> = Vec::new();
        for scores in ask(model, &texts)? {
            let scaled = scaled(scores.vector);
            sum.resize(scaled.len(), 0.0);
            sum.iter_mut().zip(scaled).for_each(|(s, x)| *s += x);
        }
        rows.push(scaled(sum));
    }
    let (n, width) = (rows.len(), rows.first().map_or(0, Vec::len));
    Ok(Tensor::from_vec(rows.concat(), (n, width), &Device::Cpu)?)
}

fn scaled(mut vector: Vec<f32>) -> Vec<f32> {
    let length = vector.iter().map(|x| x * x).sum::<f32>().sqrt().max(1e-6);
    vector.iter_mut().for_each(|x| *x /= length);
    vector
}

/// The bundle's map of sentence vectors as weight (out, in) and bias; the identity without one.
fn map(base: &Bundle, width: usize) -> Result<(Tensor, Tensor)> {
    let Some(map) = &base.vector_map else {
        let eye = Tensor::eye(width, DType::F32, &Device::Cpu)?;
        return Ok((eye, Tensor::zeros(width, DType::F32, &Device::Cpu)?));
    };
    let mut tensors = load_weights(map, &Device::Cpu, &base.place)?;
    match (tensors.remove("weight"), tensors.remove("bias")) {
        (Some(weight), Some(bias)) => Ok((weight.t()?.contiguous()?, bias)),
        _ => Err(Error::model(&base.place, "vectors.safetensors has no weight or no bias")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn codebook(second: &str) -> Codebook {
        Codebook::from_toml(&format!(
            r#"
            name = "first_look"
            [[layer]]
            name = "topic"
            kind = "single"
            [[layer.labels]]
            name = "football"
            description = "matches, players and clubs of football"
            [[layer.labels]]
            name = "weather"
            {second}
            "#
        ))
        .unwrap()
    }

    #[test]
    fn descriptions_and_examples_are_enough_for_a_first_look() {
        let Ok(base) = Bundle::embedded() else { return };
        let second = "examples = [\"Heavy rain is expected until Friday.\"]";
        let bundle = zero_shot(&base, &codebook(second)).unwrap();
        let model = Model::load(&bundle, &Device::Cpu).unwrap();
        let ask = |text: &str| {
            let sentence = Unlabelled { model_text: text.into(), mentions: vec![] };
            super::ask(&model, &[sentence]).unwrap().remove(0)
        };
        assert_eq!(ask("The striker scored twice in the second half.").layers[0].labels, [0]);
        assert_eq!(ask("Snow fell on the hills through the night.").layers[0].labels, [1]);
        // The sentence vectors are still the base's.
        let vector = |bundle: &Bundle| {
            let model = Model::load(bundle, &Device::Cpu).unwrap();
            let sentence = Unlabelled { model_text: "A day.".into(), mentions: vec![] };
            super::ask(&model, &[sentence]).unwrap().remove(0).vector
        };
        assert_eq!(vector(&bundle), vector(&base));
    }

    #[test]
    fn a_label_that_nothing_is_said_of_is_an_error() {
        let Ok(base) = Bundle::embedded() else { return };
        let error = zero_shot(&base, &codebook("")).err().unwrap();
        assert!(error.to_string().contains("\"weather\"") && error.hint().is_some());
    }
}
