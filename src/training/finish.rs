//! From trained weights to a bundle: calibrated, measured on the dev part, with a record of how it
//! was made.

use std::collections::BTreeMap;

use candle_core::Device;

use super::calibrate::calibrate;
use super::data::Example;
use super::evaluate::{Evaluation, evaluation, predict};
use super::recipe::Recipe;
use super::similarity::Map;
use crate::error::{Error, Result};
use crate::model::bundle::sha256_hex;
use crate::model::hub::EncoderFiles;
use crate::model::predict::Batching;
use crate::model::{Bundle, Codebook, LayerKind, Meta, Model, Precision, PrecisionChoice};

/// A trained model and what its dev part says of it.
pub struct Trained {
    /// The bundle, ready to be written.
    pub bundle: Bundle,
    /// Figures on the dev part, after calibration.
    pub dev: Evaluation,
}

/// Calibrates a finished model anew on a dev part, as a recipe without epochs asks. Its weights, and
/// the map of its sentence vectors, stay as they are.
///
/// # Errors
/// If its layers are not the codebook's, the dev part is empty, or a computation fails.
pub fn recalibrate(
    recipe: &Recipe,
    codebook: &Codebook,
    mut bundle: Bundle,
    dev: &[Example],
) -> Result<Trained> {
    if bundle.meta.codebook.layers != codebook.layers || dev.is_empty() {
        return Err(Error::setting(format!(
            "{} cannot be calibrated: its layers are not the recipe's, or no sentence was kept apart",
            bundle.place
        ))
        .with_hint("epochs = 0 needs a bundle with the codebook's layers as the base, and dev.share"));
    }
    let mut model = Model::load(&bundle, &Device::Cpu)?;
    let predictions = predict(&model, dev, Batching::for_device(&Device::Cpu))?;
    calibrate(&mut model, dev, &predictions);
    let figures = evaluation(&model, dev, &predictions, 1000);
    bundle.meta.name.clone_from(&recipe.name);
    bundle.meta.version.clone_from(&recipe.version);
    bundle.meta.calibration = model.meta.calibration;
    bundle.meta.training = recorded(recipe, &[("n_dev", dev.len())])?;
    record_dev(&mut bundle.meta, &figures);
    bundle.meta.int8_loss = Some(int8_loss(&bundle, dev, &figures)?);
    bundle.place = "new bundle".into();
    Ok(Trained { bundle, dev: figures })
}

/// The bundle of a model whose weights are final. `record` is how it was made, `map` gives the
/// base encoder's sentence vectors back.
///
/// # Errors
/// If the model cannot be run or written.
pub(super) fn finish(
    mut model: Model,
    record: toml::Table,
    base: EncoderFiles,
    dev: &[Example],
    map: Option<Map>,
) -> Result<Trained> {
    let predictions = predict(&model, dev, Batching::for_device(&Device::Cpu))?;
    calibrate(&mut model, dev, &predictions);
    let figures = evaluation(&model, dev, &predictions, 1000);
    let weights = model.to_safetensors()?;
    let mut meta = model.meta.clone();
    meta.weights_sha256 = sha256_hex(&weights);
    meta.training = record;
    record_dev(&mut meta, &figures);
    let vector_map = map.map(|m| m.to_safetensors(&meta.weights_sha256)).transpose()?;
    let mut bundle = Bundle {
        meta,
        place: "new bundle".into(),
        config: base.config.into(),
        tokenizer: base.tokenizer.into(),
        weights: weights.into(),
        vector_map: vector_map.map(Into::into),
    };
    if !dev.is_empty() {
        bundle.meta.int8_loss = Some(int8_loss(&bundle, dev, &figures)?);
    }
    Ok(Trained { bundle, dev: figures })
}

/// A recipe and what was counted, as a bundle keeps them.
///
/// # Errors
/// If the recipe cannot be written as TOML.
pub(super) fn recorded(recipe: &Recipe, counts: &[(&str, usize)]) -> Result<toml::Table> {
    let mut record = toml::Table::try_from(recipe)
        .map_err(|e| Error::setting(format!("the recipe cannot be recorded: {e}")))?;
    record.extend(counts.iter().map(|(name, n)| ((*name).to_owned(), (*n as i64).into())));
    Ok(record)
}

/// Writes a model's figures on its dev part into its record.
fn record_dev(meta: &mut Meta, figures: &Evaluation) {
    let scores = layer_scores(&meta.codebook, figures);
    let rounded = |f: f64| toml::Value::from((f * 1e4).round() / 1e4);
    let table: toml::Table = scores.into_iter().map(|(k, v)| (k, rounded(v))).collect();
    meta.evaluation.insert("dev_f1".into(), table.into());
}

/// The most that a layer's macro-F1 on the development part loses by 8-bit weights.
fn int8_loss(bundle: &Bundle, dev: &[Example], full: &Evaluation) -> Result<f64> {
    let exactly = PrecisionChoice::Exactly(Precision::Int8);
    let model = Model::load_for_scoring(bundle, &[Device::Cpu], exactly)?;
    let predictions = predict(&model, dev, Batching::for_device(&Device::Cpu))?;
    let int8 = evaluation(&model, dev, &predictions, 0);
    let losses = bundle.meta.codebook.layers.iter().filter_map(|l| {
        Some(full.figure(&l.name, "macro_f1")? - int8.figure(&l.name, "macro_f1")?)
    });
    Ok((losses.fold(0.0, f64::max) * 1e4).round() / 1e4)
}

/// The figure by which each layer is judged: macro-F1, of a multi layer micro-F1.
pub(super) fn layer_scores(codebook: &Codebook, figures: &Evaluation) -> BTreeMap<String, f64> {
    codebook
        .layers
        .iter()
        .filter_map(|l| {
            let name = if l.kind == LayerKind::Multi { "micro_f1" } else { "macro_f1" };
            Some((l.name.clone(), figures.figure(&l.name, name)?))
        })
        .collect()
}
