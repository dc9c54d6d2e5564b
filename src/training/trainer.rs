//! The training loop: all layers at once, a batch cut into shards on all cores, the best
//! epoch kept.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::{Duration, Instant};

use candle_core::{DType, Device, Tensor};
use rand::SeedableRng;
use rand::seq::SliceRandom;
use rand_chacha::ChaCha8Rng;

use super::build::{fresh_model, make_parameters};
use super::calibrate::calibrate;
use super::checkpoint::{self, Position};
use super::data::{Answer, Example};
use super::evaluate::{Evaluation, evaluation, predict};
use super::loss::LayerLoss;
use super::optimizer::{AdamW, schedule};
use super::recipe::Recipe;
use super::step::{Prepared, gradients, prepare};
use crate::error::{Error, Result};
use crate::model::bundle::sha256_hex;
use crate::model::hub::EncoderFiles;
use crate::model::predict::Batching;
use crate::model::{Bundle, Codebook, LayerKind, Model, Precision, PrecisionChoice};

/// Time between two checkpoints.
const CHECKPOINT_EVERY: Duration = Duration::from_secs(300);

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
    /// The run goes on from a checkpoint.
    Resumed {
        /// Steps that had been taken.
        step: usize,
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

/// What a run is made of.
pub struct Run<'a> {
    /// The settings.
    pub recipe: &'a Recipe,
    /// The layers to be learnt.
    pub codebook: &'a Codebook,
    /// The encoder to begin with; of a bundle, its layers too.
    pub base: EncoderFiles,
    /// What is learnt from.
    pub train: &'a [Example],
    /// What the best epoch is chosen and the layers are calibrated by.
    pub dev: &'a [Example],
    /// Where the run is kept, in case it is interrupted. One that is there is gone on with.
    pub checkpoint: Option<&'a Path>,
}

/// Fine-tunes the base on the training part as the recipe says, keeps the epoch that does best
/// on the dev part and calibrates on it. Runs on the CPU.
///
/// # Errors
/// If the base is unusable, the data say nothing about a layer, a checkpoint is of another
/// run or cannot be written, or a computation fails.
pub fn train(run: Run<'_>, observe: &mut dyn FnMut(Event)) -> Result<Trained> {
    let Run { recipe, codebook, base, train, dev, checkpoint } = run;
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
    let start = snapshot(&optimizer)?;
    let mut at =
        Position { run: fingerprint(recipe, codebook, &base, train), ..Position::default() };
    let mut best: Option<Vec<Tensor>> = None;
    if let Some(path) = checkpoint.filter(|p| p.exists()) {
        (at, best) = checkpoint::load(path, &at.run, &mut optimizer)?;
        observe(Event::Resumed { step: at.step });
    }
    let mut saved = Instant::now();
    for epoch in at.step / steps_per_epoch + 1..=o.epochs {
        let mut order: Vec<usize> = (0..prepared.len()).collect();
        order.shuffle(&mut stream(recipe.seed, epoch as u64));
        let done = at.step - (epoch - 1) * steps_per_epoch;
        for batch in order.chunks(o.batch_size).skip(done) {
            let batch: Vec<&Prepared> = batch.iter().map(|&i| &prepared[i]).collect();
            let mut rng = stream(recipe.seed, STEPS + at.step as u64);
            let (loss, gradients) =
                gradients(&model, &losses, &batch, batching.workers, o.dropout, &mut rng)?;
            if !loss.is_finite() {
                return Err(Error::setting(format!("the loss became {loss} at step {}", at.step))
                    .with_hint("lower encoder_rate and head_rate in the recipe"));
            }
            optimizer.step(&gradients, schedule(at.step, total, o.warmup), o.clip)?;
            at.step += 1;
            at.epoch_loss += loss;
            observe(Event::Step { step: at.step, of: total, loss });
            // The last step's checkpoint is written when its epoch has been measured.
            let whole = at.step == epoch * steps_per_epoch;
            if let Some(path) = checkpoint.filter(|_| !whole && saved.elapsed() > CHECKPOINT_EVERY)
            {
                checkpoint::save(path, &at, &optimizer, best.as_deref())?;
                saved = Instant::now();
            }
        }
        let predictions = predict(&model, dev, batching)?;
        calibrate(&mut model, dev, &predictions);
        let layers = layer_scores(codebook, &evaluation(&model, dev, &predictions, 0));
        let score = layers.values().sum::<f64>() / layers.len() as f64;
        let better = at.best.is_none_or(|(s, _)| score > s);
        let loss = std::mem::take(&mut at.epoch_loss) / steps_per_epoch as f32;
        observe(Event::Epoch { epoch, loss, score, layers, best: better });
        if better {
            at.best = Some((score, epoch));
            best = Some(snapshot(&optimizer)?);
        }
        if let Some(path) = checkpoint {
            checkpoint::save(path, &at, &optimizer, best.as_deref())?;
            saved = Instant::now();
        }
        if o.patience > 0 && at.best.is_some_and(|(_, e)| epoch - e >= o.patience) {
            break;
        }
    }
    if let Some(end) = best {
        for ((parameter, start), end) in optimizer.parameters.iter().zip(start).zip(end) {
            let values = ((start * (1.0 - o.interpolate))? + (end * o.interpolate)?)?;
            // The bundle holds half precision; calibrate what it will hold.
            parameter.var.set(&values.to_dtype(DType::F16)?.to_dtype(DType::F32)?)?;
        }
    }
    finish(model, recipe, base, train, dev, at.best.map_or(0, |(_, epoch)| epoch))
}

/// From this stream on the random numbers are the steps'; those before are the epochs'.
const STEPS: u64 = 1 << 32;

/// Random numbers that depend on the seed and the place in the run alone, so that a run that
/// was interrupted draws the same.
fn stream(seed: u64, number: u64) -> ChaCha8Rng {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    rng.set_stream(number);
    rng
}

/// A hash of what decides how a run goes.
fn fingerprint(
    recipe: &Recipe,
    codebook: &Codebook,
    base: &EncoderFiles,
    train: &[Example],
) -> String {
    let texts: String = train.iter().map(|e| sha256_hex(e.text.as_bytes())).collect();
    let weights = sha256_hex(&base.weights);
    sha256_hex(format!("{recipe:?} {codebook:?} {weights} {texts}").as_bytes())
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
