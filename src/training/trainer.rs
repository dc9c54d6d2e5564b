//! The training loop: all layers at once, a batch cut into shards on all cores, the best
//! epoch kept.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::{Duration, Instant};

use candle_core::{DType, Device, Tensor};
use rand::SeedableRng;
use rand::seq::SliceRandom;
use rand_chacha::ChaCha8Rng;

use super::build::{encoder_parameters, fresh_model, make_parameters, settle};
use super::calibrate::calibrate;
use super::checkpoint::{self, Position};
use super::contrast::contrast;
use super::data::{Answer, Example};
use super::evaluate::{Evaluation, evaluation, predict};
use super::loss::LayerLoss;
use super::optimizer::{AdamW, schedule};
use super::recipe::Recipe;
use super::similarity::{Map, bare, vectors};
use super::step::{Objective, Prepared, freeze, gradients};
use super::teacher::{Opinion, Unlabelled, ask};
use crate::error::{Error, Result};
use crate::model::bundle::sha256_hex;
use crate::model::hub::EncoderFiles;
use crate::model::predict::Batching;
use crate::model::{Bundle, Codebook, LayerKind, Meta, Model, Precision, PrecisionChoice};

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
    /// What the best epoch is chosen and the layers are calibrated by; if fewer than 50, the last
    /// epoch is taken; if empty, nothing is calibrated.
    pub dev: &'a [Example],
    /// What a teacher says, of the training part and of sentences without labels.
    pub lesson: Option<&'a Lesson>,
    /// The model whose sentence vectors are kept, if the recipe asks for that; else the base.
    pub vectors_of: Option<&'a Bundle>,
    /// Where the run is kept, in case it is interrupted. One that is there is gone on with.
    pub checkpoint: Option<&'a Path>,
}

/// What a teacher has to say.
#[derive(Debug, Clone, PartialEq)]
pub struct Lesson {
    /// Name and version of the teacher, for the record.
    pub teacher: String,
    /// Names of its layers: those it can speak on, though a sentence without mentions gives it
    /// no occasion to speak on targets.
    pub layers: Vec<String>,
    /// Of each sentence of the training part.
    pub labelled: Vec<Opinion>,
    /// Sentences without labels, and what it says of them.
    pub unlabelled: Vec<(Unlabelled, Opinion)>,
}

/// A dev part of fewer sentences cannot tell one epoch from the next: the last is taken.
const CHOOSES: usize = 50;

/// Fine-tunes the base on the training part as the recipe says, keeps the epoch that does best
/// on the dev part and calibrates on it. Runs on the CPU.
///
/// # Errors
/// If the base is unusable, the data say nothing about a layer, a checkpoint is of another
/// run or cannot be written, or a computation fails.
pub fn train(run: Run<'_>, observe: &mut dyn FnMut(Event)) -> Result<Trained> {
    let Run { recipe, codebook, base, train, dev, lesson, vectors_of, checkpoint } = run;
    for (i, layer) in codebook.layers.iter().enumerate() {
        for (part, examples) in [("training", train), ("dev", dev)] {
            if part == "dev" && dev.is_empty() {
                continue;
            }
            // A teacher may speak on what the labels leave out.
            let taught = lesson.is_some_and(|l| l.layers.contains(&layer.name));
            if !taught && examples.iter().all(|e| e.answers[i] == Answer::None) {
                return Err(Error::setting(format!(
                    "the {part} data say nothing about layer {:?}",
                    layer.name
                ))
                .with_hint("add labelled sentences for it, or take it out of the codebook"));
            }
        }
    }
    let mut model = fresh_model(recipe, codebook, &base)?;
    let o = &recipe.optimizer;
    let workers = Batching::for_device(&Device::Cpu).workers;
    let mut contrast_pairs = None;
    if let Some(settings) = &recipe.contrast {
        let mut stage = AdamW::new(encoder_parameters(&mut model, recipe, settings.rate)?);
        let mut rng = stream(recipe.seed, CONTRAST);
        let mut observe = |step, of, loss| observe(Event::Step { step, of, loss });
        let settings = (settings, o);
        let pairs = contrast(&model, &mut stage, train, settings, workers, &mut rng, &mut observe)?;
        contrast_pairs = Some(("contrast_pairs", pairs));
        settle(&mut model)?;
    }
    let mut parameters = make_parameters(&mut model, recipe)?;
    let similarity = (o.keep_vectors > 0.0 && !recipe.is_frozen())
        .then(|| match vectors_of {
            Some(bundle) => Similarity::new(&model, bundle, train, lesson),
            None => {
                let base = bare(base.clone(), model.meta.max_length);
                Similarity::new(&model, &base, train, lesson)
            }
        })
        .transpose()?;
    if let Some(similarity) = &similarity {
        parameters.extend(similarity.map.parameters(o.head_rate));
    }
    let mut optimizer = AdamW::new(parameters);
    let losses: Vec<LayerLoss> = codebook
        .layers
        .iter()
        .enumerate()
        .map(|(i, l)| LayerLoss::new(l, i, &recipe.layer(&l.name), o.label_smoothing, train))
        .collect();
    let objective = Objective {
        layers: &losses,
        opinions: recipe.distillation.weight,
        vectors: similarity.as_ref().map(|s| (o.keep_vectors, &s.map)),
    };
    let mut prepared = prepare(&model, train, lesson, similarity.as_ref())?;
    let batching = Batching::for_device(&Device::Cpu);
    if recipe.is_frozen() {
        freeze(&model, &mut prepared, batching.workers)?;
    }
    let steps_per_epoch = prepared.len().div_ceil(o.batch_size);
    let total = steps_per_epoch * o.epochs;
    let start = snapshot(&optimizer)?;
    let mut at = Position {
        run: fingerprint(recipe, codebook, &base, train, lesson),
        ..Position::default()
    };
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
                gradients(&model, &objective, &batch, batching.workers, o.dropout, &mut rng)?;
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
        let score = layers.values().sum::<f64>() / layers.len().max(1) as f64;
        let better = dev.len() < CHOOSES || at.best.is_none_or(|(s, _)| score > s);
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
    let best_epoch = at.best.map_or(0, |(_, epoch)| epoch);
    let mut counts =
        vec![("best_epoch", best_epoch), ("n_train", train.len()), ("n_dev", dev.len())];
    counts.extend(contrast_pairs);
    let mut record = recorded(recipe, &counts)?;
    if let Some(lesson) = lesson {
        record.insert("teacher".into(), lesson.teacher.clone().into());
        record.insert("n_unlabelled".into(), (lesson.unlabelled.len() as i64).into());
    }
    // The map that was trained along followed weights that moved; this one fits those that stay.
    let map = similarity.map(|s| s.fit(&model)).transpose()?;
    finish(model, record, base, dev, map)
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

/// All sentences that are learnt from, cut for the encoder.
fn prepare(
    model: &Model,
    train: &[Example],
    lesson: Option<&Lesson>,
    similarity: Option<&Similarity>,
) -> Result<Vec<Prepared>> {
    let vector = |i: usize| similarity.and_then(|s| s.wanted.get(i).cloned());
    let labelled = train.iter().enumerate().map(|(i, example)| {
        let opinion = lesson.and_then(|l| l.labelled.get(i).cloned());
        Prepared::labelled(model, example, opinion, vector(i))
    });
    let unlabelled = lesson.iter().flat_map(|l| &l.unlabelled).enumerate();
    let unlabelled = unlabelled.map(|(i, (sentence, opinion))| {
        let vector = vector(train.len() + i);
        Prepared::unlabelled(model, sentence, Some(opinion.clone()), vector)
    });
    labelled.chain(unlabelled).collect()
}

/// The vectors that are kept, and the map to them.
struct Similarity {
    map: Map,
    /// Of each sentence that is learnt from.
    wanted: Vec<Vec<f32>>,
    /// Every so many of the sentences, so that labelled and unlabelled ones are among them.
    sample: Vec<(usize, Unlabelled)>,
}

/// Sentences that the map is fitted to, before the training and after it.
const FITTED_TO: usize = 6000;

impl Similarity {
    fn new(
        model: &Model,
        vectors_of: &Bundle,
        train: &[Example],
        lesson: Option<&Lesson>,
    ) -> Result<Self> {
        let unlabelled = lesson.iter().flat_map(|l| &l.unlabelled).map(|(s, _)| s.clone());
        let sentences: Vec<Unlabelled> =
            train.iter().map(Unlabelled::of).chain(unlabelled).collect();
        let wanted = vectors(vectors_of, &sentences)?;
        let apart = sentences.len().div_ceil(FITTED_TO).max(1);
        let sample: Vec<_> = sentences.into_iter().enumerate().step_by(apart).collect();
        Ok(Similarity { map: fit(model, &sample, &wanted)?, wanted, sample })
    }

    /// A map for the weights that `model` has now.
    fn fit(&self, model: &Model) -> Result<Map> {
        fit(model, &self.sample, &self.wanted)
    }
}

/// The map from the vectors of `model` to those that are `wanted` of the sentences numbered so.
fn fit(model: &Model, sample: &[(usize, Unlabelled)], wanted: &[Vec<f32>]) -> Result<Map> {
    let (numbers, sentences): (Vec<usize>, Vec<Unlabelled>) = sample.iter().cloned().unzip();
    let given = ask(model, &sentences, &|_, _| {})?;
    let given: Vec<Vec<f32>> = given.into_iter().map(|scores| scores.vector).collect();
    let wanted: Vec<Vec<f32>> = numbers.into_iter().map(|i| wanted[i].clone()).collect();
    Map::fit(&given, &wanted)
}

/// From this stream on the random numbers are the steps'; those before are the epochs'.
const STEPS: u64 = 1 << 32;

/// The stream of the stage before.
const CONTRAST: u64 = 0;

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
    lesson: Option<&Lesson>,
) -> String {
    let unlabelled = lesson.iter().flat_map(|l| &l.unlabelled).map(|(s, _)| &s.model_text);
    let texts = train.iter().map(|e| &e.text).chain(unlabelled);
    let texts: String = texts.map(|text| sha256_hex(text.as_bytes())).collect();
    let weights = sha256_hex(&base.weights);
    sha256_hex(format!("{recipe:?} {codebook:?} {weights} {texts}").as_bytes())
}

/// Copies of all parameters.
fn snapshot(optimizer: &AdamW) -> candle_core::Result<Vec<Tensor>> {
    optimizer.parameters.iter().map(|p| p.var.as_tensor().copy()).collect()
}

fn finish(
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
fn recorded(recipe: &Recipe, counts: &[(&str, usize)]) -> Result<toml::Table> {
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
