//! The model that a run begins with, and which of its parameters are trained how fast.

use std::collections::BTreeMap;

use candle_core::{DType, Device, Var};
use candle_nn::VarBuilder;
use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;

use super::optimizer::Parameter;
use super::recipe::Recipe;
use crate::error::{Error, Result};
use crate::model::bundle::FORMAT;
use crate::model::encoder::{Encoder, EncoderConfig, block_of};
use crate::model::heads::{Head, Reads};
use crate::model::hub::EncoderFiles;
use crate::model::weights::Storage;
use crate::model::{Codebook, Meta, Model, load_weights};
use crate::text::tokens::Tokenizer;

/// The encoder in `base` with a head for each layer of `codebook`.
///
/// # Errors
/// If the base is unusable.
pub(super) fn fresh_model(
    recipe: &Recipe,
    codebook: &Codebook,
    base: &EncoderFiles,
) -> Result<Model> {
    let device = Device::Cpu;
    let config = EncoderConfig::parse(&base.config, &base.place)?;
    let weights = load_weights(&base.weights, &device, &base.place)?;
    let vb = VarBuilder::from_tensors(weights, DType::F32, &device);
    let encoder = Encoder::load(vb.clone(), &config)
        .map_err(|e| Error::model(&base.place, format!("model.safetensors: {e}")))?;
    let mut rng = ChaCha8Rng::seed_from_u64(recipe.seed ^ 0x5eed);
    // What a stage of pairs moves is the direction of sentences' means.
    let reads = if recipe.contrast.is_some() { Reads::Direction } else { Reads::Everything };
    let heads = codebook
        .layers
        .iter()
        .map(|l| {
            // A bundle as the base: layers that it has already go on from where they are.
            let trained = vb.pp("layers").pp(&l.name);
            Head::load(l, config.width, trained)
                .or_else(|_| Head::random(l, config.width, reads, &mut rng, &device))
        })
        .collect::<candle_core::Result<_>>()?;
    let meta = Meta {
        format: FORMAT,
        name: recipe.name.clone(),
        version: recipe.version.clone(),
        base: recipe.base.clone(),
        licence: recipe.licence.clone(),
        max_length: recipe.max_length.min(config.longest()),
        weights_sha256: String::new(),
        int8_loss: None,
        training: toml::Table::new(),
        checkpoint: None,
        calibration: BTreeMap::new(),
        evaluation: toml::Table::new(),
        codebook: codebook.clone(),
    };
    let tokenizer = Tokenizer::from_json(&base.tokenizer, &base.place)?;
    let storage = if recipe.compact { Storage::Compact } else { Storage::of(&base.weights) };
    let mut model = Model::assemble(meta, tokenizer, encoder, heads, device).stored(storage);
    if Storage::of(&base.weights) != storage {
        // What stays as it is, the word table above all, is rounded before the rest learns to live
        // with it.
        settle(&mut model)?;
    }
    Ok(model)
}

/// Swaps the encoder's parameters for variables, for a stage before the layers are trained,
/// with the learning rate `rate`.
///
/// # Errors
/// If a variable cannot be made.
pub(super) fn encoder_parameters(
    model: &mut Model,
    recipe: &Recipe,
    rate: f64,
) -> Result<Vec<Parameter>> {
    let mut stage = recipe.clone();
    stage.optimizer.encoder_rate = rate;
    let mut parameters = make_parameters(model, &stage)?;
    parameters.retain(|p| !p.name.starts_with("layers."));
    Ok(parameters)
}

/// Takes the variables out of the model again, with the values that they have, rounded as the bundle
/// keeps them.
///
/// # Errors
/// If a value cannot be copied.
pub(super) fn settle(model: &mut Model) -> Result<()> {
    let storage = model.storage();
    for (name, tensor) in model.parameters_mut() {
        // What is trained on top should see what the bundle will hold.
        *tensor = storage.rounded(&name, &tensor.detach())?;
    }
    Ok(())
}

/// Swaps the model's parameters for variables and sets each one's rate and decay.
pub(super) fn make_parameters(model: &mut Model, recipe: &Recipe) -> Result<Vec<Parameter>> {
    let o = &recipe.optimizer;
    let depth = model.encoder_depth();
    let mut parameters = Vec::new();
    for (name, tensor) in model.parameters_mut() {
        let block = block_of(&name);
        let embedding = name.starts_with("embeddings.");
        let of_encoder = embedding || block.is_some();
        if (o.encoder_rate == 0.0 && of_encoder)
            || (o.freeze_words && name == "embeddings.word_embeddings.weight")
            || (o.freeze_blocks > 0 && embedding)
            || block.is_some_and(|b| b < o.freeze_blocks)
        {
            continue;
        }
        let below = |block: usize| o.encoder_rate * o.layer_decay.powi((depth - block) as i32);
        let rate = match block {
            Some(block) => below(block + 1),
            None if embedding => below(0),
            None => o.head_rate,
        };
        let matrix = tensor.rank() > 1;
        let var = Var::from_tensor(tensor)?;
        *tensor = var.as_tensor().clone();
        parameters.push(Parameter::new(name, var, rate, if matrix { o.weight_decay } else { 0.0 }));
    }
    Ok(parameters)
}
