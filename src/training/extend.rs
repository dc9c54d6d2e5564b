//! Layers added to a model that is there already.

use std::collections::BTreeMap;

use candle_core::{Device, Tensor};

use super::similarity::tied_to;
use super::teacher::{Unlabelled, ask};
use crate::error::{Error, Result};
use crate::model::bundle::sha256_hex;
use crate::model::weights::Storage;
use crate::model::{Bundle, Codebook, Model, load_weights};

/// `old` with the layers of `new`, which was trained on the same encoder, left as it was. The
/// layers of `old` say afterwards what they said before.
///
/// # Errors
/// If the encoders are not equal, or a layer is in both.
pub fn extend(old: &Bundle, new: &Bundle) -> Result<Bundle> {
    if old.meta.checkpoint.is_some() {
        return Err(Error::model(&old.place, "layers are added to bundles, not to checkpoints")
            .with_hint("give it as the base of a model of its own: --base"));
    }
    let mut meta = old.meta.clone();
    for layer in &new.meta.codebook.layers {
        if meta.codebook.layer(&layer.name).is_some() {
            return Err(taken(&layer.name));
        }
        meta.codebook.layers.push(layer.clone());
        if let Some(calibration) = new.meta.calibration.get(&layer.name) {
            meta.calibration.insert(layer.name.clone(), calibration.clone());
        }
    }
    meta.codebook.validate()?;
    let read = |bundle: &Bundle| load_weights(&bundle.weights, &Device::Cpu, &bundle.place);
    let (mut tensors, theirs) = (read(old)?, read(new)?);
    for (name, tensor) in theirs {
        if name.starts_with("layers.") {
            tensors.insert(name, tensor);
        } else if !tensors.get(&name).is_some_and(|t| equal(t, &tensor)) {
            return Err(Error::setting(format!(
                "the new layers were trained on another encoder: {name} differs"
            )));
        }
    }
    let tensors = tensors.into_iter().collect();
    let weights = Storage::of(&old.weights).write(&tensors)?;
    meta.weights_sha256 = sha256_hex(&weights);
    // The encoder is the same, so the map of its vectors still holds.
    let vector_map = old
        .vector_map
        .as_ref()
        .map(|map| tied_to(map, &meta.weights_sha256, &old.place))
        .transpose()?;
    // Where nothing was measured of the new layers, nothing says that they suffer.
    meta.int8_loss = old.meta.int8_loss.map(|a| new.meta.int8_loss.map_or(a, |b| a.max(b)));
    let mut added = toml::Table::new();
    added.insert("added".into(), new.meta.name.clone().into());
    added.extend(new.meta.training.clone());
    let key = format!("added_{}", new.meta.codebook.name);
    meta.training.insert(key.clone(), added.into());
    meta.evaluation.insert(key, new.meta.evaluation.clone().into());
    Ok(Bundle {
        meta,
        place: "new bundle".into(),
        config: old.config.clone(),
        tokenizer: old.tokenizer.clone(),
        weights: weights.into(),
        vector_map: vector_map.map(Into::into),
    })
}

/// The layers of `old`, and those of `added` after them.
///
/// # Errors
/// If a layer is in both.
pub fn carried_over(old: &Codebook, added: &Codebook) -> Result<Codebook> {
    let mut layers = old.layers.clone();
    for layer in &added.layers {
        if old.layer(&layer.name).is_some() {
            return Err(taken(&layer.name));
        }
        layers.push(layer.clone());
    }
    Ok(Codebook { name: old.name.clone(), layers })
}

fn taken(layer: &str) -> Error {
    Error::setting(format!("the model has a layer {layer:?} already"))
        .with_hint("give the new layer another name in its codebook")
}

/// For each layer of `old` the share of sentences, or of mentions, that `new` gives the same
/// labels, and their number.
///
/// # Errors
/// If a model is unusable or fails.
pub fn agreement(
    old: &Bundle,
    new: &Bundle,
    sentences: &[Unlabelled],
) -> Result<BTreeMap<String, (f64, usize)>> {
    let said = |bundle: &Bundle| {
        let model = Model::load(bundle, &Device::Cpu)?;
        ask(&model, sentences)
    };
    let (before, after) = (said(old)?, said(new)?);
    let mut counts: BTreeMap<String, (usize, usize)> = BTreeMap::new();
    // The old layers stand first in the new model, in the same order.
    for (before, after) in before.iter().zip(&after) {
        let layers =
            old.meta.codebook.sentence_layers().zip(before.layers.iter().zip(&after.layers));
        let mentions = before.mentions.iter().flatten().zip(after.mentions.iter().flatten());
        let targets =
            mentions.flat_map(|(b, a)| old.meta.codebook.target_layers().zip(b.iter().zip(a)));
        for (layer, (before, after)) in layers.chain(targets) {
            let count = counts.entry(layer.name.clone()).or_default();
            count.0 += usize::from(before.labels == after.labels);
            count.1 += 1;
        }
    }
    let share = |(same, n): (usize, usize)| (same as f64 / n.max(1) as f64, n);
    Ok(counts.into_iter().map(|(layer, count)| (layer, share(count))).collect())
}

fn equal(a: &Tensor, b: &Tensor) -> bool {
    let values = |t: &Tensor| t.flatten_all().and_then(|t| t.to_vec1::<f32>()).ok();
    a.dims() == b.dims() && values(a).is_some_and(|a| values(b).is_some_and(|b| a == b))
}
