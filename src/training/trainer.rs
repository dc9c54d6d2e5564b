//! The training loop: all layers at once, a batch cut into shards on all cores, the best
//! epoch kept.

use std::collections::BTreeMap;

use candle_core::backprop::GradStore;
use candle_core::{DType, Device, Tensor, Var};
use candle_nn::VarBuilder;
use rand::seq::SliceRandom;
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

use super::calibrate::calibrate;
use super::data::{Answer, Choice, Example};
use super::evaluate::{Evaluation, evaluation, predict};
use super::loss::{LayerLoss, Normaliser};
use super::optimizer::{AdamW, Parameter, schedule};
use super::recipe::Recipe;
use crate::error::{Error, Result};
use crate::model::bundle::{FORMAT, sha256_hex};
use crate::model::encoder::ops::dropout::Dropout;
use crate::model::encoder::{Encoder, parse_config};
use crate::model::heads::Head;
use crate::model::hub::EncoderFiles;
use crate::model::predict::Batching;
use crate::model::{
    Bundle, Codebook, LayerKind, Meta, Model, Precision, PrecisionChoice, Unit, load_weights,
};
use crate::text::tokens::Tokenizer;

/// What happens during a run, for a progress bar or a log.
#[derive(Debug, Clone, PartialEq)]
pub enum Event {
    /// A step was taken.
    Step {
        /// Steps taken so far.
        step: usize,
        /// Steps of the whole run.
        of: usize,
        /// The step's loss.
        loss: f32,
    },
    /// An epoch ended and was measured on the dev part.
    Epoch {
        /// 1-based number of the epoch.
        epoch: usize,
        /// Mean loss of its steps.
        loss: f32,
        /// Mean over the layers of macro-F1 (micro-F1 for multi layers) on the dev part.
        score: f64,
        /// That figure of each layer.
        layers: BTreeMap<String, f64>,
        /// Whether it is the best so far.
        best: bool,
    },
}

/// A trained model and what its dev part says of it.
pub struct Trained {
    /// The bundle, ready to be written.
    pub bundle: Bundle,
    /// Figures on the dev part, after calibration.
    pub dev: Evaluation,
}

/// An example cut for the encoder, with what is to be learnt from it.
struct Prepared {
    unit: Unit,
    answers: Vec<Answer>,
    /// For each of the unit's mentions the target layer that has an answer to it, and the answer.
    choices: Vec<(usize, Choice)>,
}

impl Prepared {
    /// What layer `i` is to say of each row of its logits that this example makes.
    fn wanted(&self, i: usize, kind: LayerKind) -> Vec<Option<Choice>> {
        match (&self.answers[i], kind) {
            (_, LayerKind::Target) => {
                self.choices.iter().map(|(layer, c)| (*layer == i).then_some(*c)).collect()
            }
            (Answer::Single(choice), _) => vec![Some(*choice)],
            _ => vec![None],
        }
    }
}

/// Fine-tunes the encoder in `base` on `train` as `recipe` says, keeps the epoch that does best
/// on `dev` and calibrates on it. Runs on the CPU.
///
/// # Errors
/// If the base is unusable, the data say nothing about a layer, or a computation fails.
pub fn train(
    recipe: &Recipe,
    codebook: &Codebook,
    base: EncoderFiles,
    train: &[Example],
    dev: &[Example],
    observe: &mut dyn FnMut(Event),
) -> Result<Trained> {
    for (i, layer) in codebook.layers.iter().enumerate() {
        for (part, examples) in [("training", train), ("dev", dev)] {
            if examples.iter().all(|e| e.answers[i] == Answer::None) {
                return Err(Error::setting(format!(
                    "the {part} data say nothing about layer {:?}",
                    layer.name
                ))
                .with_hint("add labelled sentences for it, or take it out of the codebook"));
            }
        }
    }
    let mut model = fresh_model(recipe, codebook, &base)?;
    let mut optimizer = AdamW::new(make_parameters(&mut model, recipe)?);
    let o = &recipe.optimizer;
    let losses: Vec<LayerLoss> = codebook
        .layers
        .iter()
        .enumerate()
        .map(|(i, l)| LayerLoss::new(l, i, &recipe.layer(&l.name), o.label_smoothing, train))
        .collect();
    let prepared: Vec<Prepared> =
        train.iter().map(|e| prepare(&model, e)).collect::<Result<_>>()?;
    let batching = Batching::for_device(&Device::Cpu);
    let steps_per_epoch = prepared.len().div_ceil(o.batch_size);
    let total = steps_per_epoch * o.epochs;
    let mut rng = ChaCha8Rng::seed_from_u64(recipe.seed);
    let mut order: Vec<usize> = (0..prepared.len()).collect();
    let start = snapshot(&optimizer)?;
    let mut best: Option<(f64, usize, Vec<Tensor>)> = None;
    let mut step = 0;
    for epoch in 1..=o.epochs {
        order.shuffle(&mut rng);
        let mut epoch_loss = 0.0;
        for batch in order.chunks(o.batch_size) {
            let batch: Vec<&Prepared> = batch.iter().map(|&i| &prepared[i]).collect();
            let (loss, gradients) =
                gradients(&model, &losses, &batch, batching.workers, o.dropout, &mut rng)?;
            if !loss.is_finite() {
                return Err(Error::setting(format!("the loss became {loss} at step {step}"))
                    .with_hint("lower encoder_rate and head_rate in the recipe"));
            }
            optimizer.step(&gradients, schedule(step, total, o.warmup), o.clip)?;
            step += 1;
            epoch_loss += loss;
            observe(Event::Step { step, of: total, loss });
        }
        let predictions = predict(&model, dev, batching)?;
        calibrate(&mut model, dev, &predictions);
        let layers = layer_scores(codebook, &evaluation(&model, dev, &predictions, 0));
        let score = layers.values().sum::<f64>() / layers.len() as f64;
        let better = best.as_ref().is_none_or(|(s, ..)| score > *s);
        let loss = epoch_loss / steps_per_epoch as f32;
        observe(Event::Epoch { epoch, loss, score, layers, best: better });
        if better {
            best = Some((score, epoch, snapshot(&optimizer)?));
        } else if o.patience > 0 && best.as_ref().is_some_and(|(_, e, _)| epoch - e >= o.patience) {
            break;
        }
    }
    let best_epoch = best.as_ref().map_or(0, |(_, epoch, _)| *epoch);
    if let Some((_, _, end)) = best {
        for ((parameter, start), end) in optimizer.parameters.iter().zip(start).zip(end) {
            let values = ((start * (1.0 - o.interpolate))? + (end * o.interpolate)?)?;
            // The bundle holds half precision; calibrate what it will hold.
            parameter.var.set(&values.to_dtype(DType::F16)?.to_dtype(DType::F32)?)?;
        }
    }
    finish(model, recipe, base, train, dev, best_epoch)
}

/// Copies of all parameters.
fn snapshot(optimizer: &AdamW) -> candle_core::Result<Vec<Tensor>> {
    optimizer.parameters.iter().map(|p| p.var.as_tensor().copy()).collect()
}

fn finish(
    mut model: Model,
    recipe: &Recipe,
    base: EncoderFiles,
    train: &[Example],
    dev: &[Example],
    best_epoch: usize,
) -> Result<Trained> {
    let predictions = predict(&model, dev, Batching::for_device(&Device::Cpu))?;
    calibrate(&mut model, dev, &predictions);
    let figures = evaluation(&model, dev, &predictions, 1000);
    let weights = model.to_safetensors()?;
    let mut meta = model.meta.clone();
    meta.weights_sha256 = sha256_hex(&weights);
    let mut record = toml::Table::try_from(recipe)
        .map_err(|e| Error::setting(format!("the recipe cannot be recorded: {e}")))?;
    record.insert("best_epoch".into(), (best_epoch as i64).into());
    record.insert("n_train".into(), (train.len() as i64).into());
    record.insert("n_dev".into(), (dev.len() as i64).into());
    meta.training = record;
    let dev_scores = layer_scores(&meta.codebook, &figures);
    let rounded = |f: f64| toml::Value::from((f * 1e4).round() / 1e4);
    let dev_table: toml::Table = dev_scores.into_iter().map(|(k, v)| (k, rounded(v))).collect();
    meta.evaluation.insert("dev_f1".into(), dev_table.into());
    let mut bundle = Bundle {
        meta,
        place: "new bundle".into(),
        config: base.config.into(),
        tokenizer: base.tokenizer.into(),
        weights: weights.into(),
        vector_map: None,
    };
    bundle.meta.int8_loss = Some(int8_loss(&bundle, dev, &figures)?);
    Ok(Trained { bundle, dev: figures })
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

fn layer_scores(codebook: &Codebook, figures: &Evaluation) -> BTreeMap<String, f64> {
    codebook
        .layers
        .iter()
        .filter_map(|l| {
            let name = if l.kind == LayerKind::Multi { "micro_f1" } else { "macro_f1" };
            Some((l.name.clone(), figures.figure(&l.name, name)?))
        })
        .collect()
}

fn fresh_model(recipe: &Recipe, codebook: &Codebook, base: &EncoderFiles) -> Result<Model> {
    let device = Device::Cpu;
    let config = parse_config(&base.config, &base.place)?;
    let weights = load_weights(&base.weights, &device, &base.place)?;
    let vb = VarBuilder::from_tensors(weights, DType::F32, &device);
    let encoder = Encoder::load(vb.clone(), &config)
        .map_err(|e| Error::model(&base.place, format!("model.safetensors: {e}")))?;
    let mut rng = ChaCha8Rng::seed_from_u64(recipe.seed ^ 0x5eed);
    let heads = codebook
        .layers
        .iter()
        .map(|l| {
            // A bundle as the base: layers that it has already go on from where they are.
            let trained = vb.pp("layers").pp(&l.name);
            Head::load(l, config.hidden_size, trained)
                .or_else(|_| Head::random(l, config.hidden_size, &mut rng, &device))
        })
        .collect::<candle_core::Result<_>>()?;
    let meta = Meta {
        format: FORMAT,
        name: recipe.name.clone(),
        version: recipe.version.clone(),
        base: recipe.base.clone(),
        licence: recipe.licence.clone(),
        max_length: recipe.max_length.min(config.max_position_embeddings),
        weights_sha256: String::new(),
        int8_loss: None,
        training: toml::Table::new(),
        calibration: BTreeMap::new(),
        evaluation: toml::Table::new(),
        codebook: codebook.clone(),
    };
    let tokenizer = Tokenizer::from_json(&base.tokenizer, &base.place)?;
    Ok(Model::assemble(meta, tokenizer, encoder, heads, device))
}

/// Swaps the model's parameters for variables and sets each one's rate and decay.
fn make_parameters(model: &mut Model, recipe: &Recipe) -> Result<Vec<Parameter>> {
    let o = &recipe.optimizer;
    let depth = model.encoder_depth();
    let mut parameters = Vec::new();
    for (name, tensor) in model.parameters_mut() {
        if o.freeze_words && name == "embeddings.word_embeddings.weight" {
            continue;
        }
        let below = |block: usize| o.encoder_rate * o.layer_decay.powi((depth - block) as i32);
        let block = name
            .strip_prefix("encoder.layer.")
            .and_then(|rest| rest.split('.').next()?.parse::<usize>().ok());
        let rate = match block {
            Some(block) => below(block + 1),
            None if name.starts_with("embeddings.") => below(0),
            None => o.head_rate,
        };
        let matrix = tensor.rank() > 1;
        let var = Var::from_tensor(tensor)?;
        *tensor = var.as_tensor().clone();
        parameters.push(Parameter::new(name, var, rate, if matrix { o.weight_decay } else { 0.0 }));
    }
    Ok(parameters)
}

/// Cuts an example for the encoder. Of a sentence that is too long the first window is learnt
/// from; mentions outside it are left out.
fn prepare(model: &Model, example: &Example) -> Result<Prepared> {
    let mut answers = example.answers.clone();
    let tokens = model.tokenizer.encode(&example.model_text)?;
    let capacity = model.meta.max_length.saturating_sub(model.tokenizer.n_special());
    let shift = model.tokenizer.n_before();
    let mut unit = Unit {
        ids: model.tokenizer.frame(&tokens.ids[..tokens.ids.len().min(capacity)]),
        mentions: Vec::new(),
    };
    let mut choices = Vec::new();
    for (layer, answer) in answers.iter_mut().enumerate() {
        if let Answer::Target(mentions) = answer {
            mentions.retain(|(bytes, choice)| {
                let covered = tokens.covering(bytes);
                let fits = !covered.is_empty() && covered.end <= capacity;
                if fits {
                    unit.mentions.push(covered.start + shift..covered.end + shift);
                    choices.push((layer, *choice));
                }
                fits
            });
        }
    }
    Ok(Prepared { unit, answers, choices })
}

/// The batch's loss, and its gradient in as many parts as there are workers.
fn gradients(
    model: &Model,
    losses: &[LayerLoss],
    batch: &[&Prepared],
    workers: usize,
    dropout: f32,
    rng: &mut ChaCha8Rng,
) -> Result<(f32, Vec<GradStore>)> {
    let normalisers: Vec<Normaliser> = losses
        .iter()
        .enumerate()
        .map(|(i, loss)| loss.normaliser(batch.iter().map(|p| &p.answers[i])))
        .collect();
    // The longest first, each to the worker with the fewest tokens so far.
    let mut sorted: Vec<&Prepared> = batch.to_vec();
    sorted.sort_by_key(|p| std::cmp::Reverse(p.unit.ids.len()));
    let mut shards: Vec<(usize, Vec<&Prepared>)> = vec![(0, Vec::new()); workers.max(1)];
    for prepared in sorted {
        if let Some(shard) = shards.iter_mut().min_by_key(|(tokens, _)| *tokens) {
            shard.0 += prepared.unit.ids.len();
            shard.1.push(prepared);
        }
    }
    shards.retain(|(_, shard)| !shard.is_empty());
    let seeds: Vec<u64> = shards.iter().map(|_| rng.random()).collect();
    let one = |shard: &[&Prepared], seed: u64| -> candle_core::Result<(f32, GradStore)> {
        let units: Vec<&Unit> = shard.iter().map(|p| &p.unit).collect();
        let forward = model.forward(&units, &mut Some(Dropout::new(dropout, seed)))?;
        let mut total: Option<Tensor> = None;
        for (i, (layer, loss)) in model.codebook().layers.iter().zip(losses).enumerate() {
            let Some(logits) = &forward.logits[i] else { continue };
            let term = if layer.kind == LayerKind::Multi {
                let answers: Vec<&Answer> = shard.iter().map(|p| &p.answers[i]).collect();
                loss.of_labels(logits, &answers, normalisers[i])?
            } else {
                let wanted: Vec<_> = shard.iter().flat_map(|p| p.wanted(i, layer.kind)).collect();
                loss.of_choices(logits, &wanted, normalisers[i])?
            };
            if let Some(term) = term {
                total = Some(match total {
                    Some(sum) => (sum + term)?,
                    None => term,
                });
            }
        }
        let Some(total) = total else { candle_core::bail!("a shard says nothing on any layer") };
        Ok((total.to_scalar::<f32>()?, total.backward()?))
    };
    let results: Vec<candle_core::Result<(f32, GradStore)>> = std::thread::scope(|scope| {
        let handles: Vec<_> = shards
            .iter()
            .zip(&seeds)
            .map(|((_, shard), seed)| scope.spawn(|| one(shard, *seed)))
            .collect();
        handles
            .into_iter()
            .map(|h| h.join().unwrap_or_else(|p| std::panic::resume_unwind(p)))
            .collect()
    });
    let (mut loss, mut gradients) = (0.0, Vec::new());
    for result in results {
        let (term, gradient) = result?;
        loss += term;
        gradients.push(gradient);
    }
    Ok((loss, gradients))
}
