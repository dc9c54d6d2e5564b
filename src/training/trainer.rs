//! Training: from a base, a recipe and labelled sentences to a bundle, all layers at once.

use std::collections::BTreeMap;
use std::path::Path;

use candle_core::{Device, Tensor};

use super::build::{encoder_parameters, fresh_model, make_parameters, settle};
use super::contrast::{Drawn, contrast};
use super::data::{Answer, Example};
use super::epochs::{Epochs, stream};
use super::finish::{finish, recorded};
use super::hints::Hints;
use super::loss::LayerLoss;
use super::optimizer::AdamW;
use super::prepared::{Prepared, freeze};
use super::recipe::Recipe;
use super::similarity::{Map, bare, vectors};
use super::step::Objective;
use super::teacher::{Opinion, Unlabelled, ask};
use crate::error::{Error, Result};
use crate::model::bundle::sha256_hex;
use crate::model::hub::EncoderFiles;
use crate::model::predict::Batching;
use crate::model::weights::Storage;
use crate::model::{Bundle, Codebook, Model, Precision, PrecisionChoice, Unit};

pub use super::finish::{Trained, recalibrate};

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
    /// Its token vectors of all these, in this order, if they are to be learnt.
    pub hints: Option<Hints>,
}

/// Fine-tunes the base on the training part as the recipe says, keeps the epoch that does best
/// on the dev part and calibrates on it. Runs on the CPU.
///
/// # Errors
/// If the base is unusable, the data say nothing about a layer, a checkpoint is of another
/// run or cannot be written, or a computation fails.
pub fn train(run: Run<'_>, observe: &mut dyn FnMut(Event)) -> Result<Trained> {
    check_every_layer(&run)?;
    let Run { recipe, codebook, train, dev, lesson, checkpoint, .. } = run;
    let o = &recipe.optimizer;
    let mut model = fresh_model(recipe, codebook, &run.base)?;
    let drawn = contrastive_stage(&mut model, recipe, train, observe)?;
    let mut parameters = make_parameters(&mut model, recipe)?;
    let similarity = Similarity::wanted(&model, &run)?;
    if let Some(similarity) = &similarity {
        parameters.extend(similarity.map.parameters("vectors", o.head_rate));
    }
    let mut prepared = prepare(&model, train, lesson, similarity.as_ref())?;
    let hints = lesson.and_then(|l| l.hints.as_ref()).filter(|_| !recipe.is_frozen());
    let units: Vec<&Unit> = prepared.iter().map(|p| &p.unit).collect();
    let to_hints = hints.map(|hints| hints.fit(&model, &units)).transpose()?;
    if let Some(map) = &to_hints {
        parameters.extend(map.parameters("hints", o.head_rate));
    }
    let mut optimizer = AdamW::new(parameters);
    let losses: Vec<LayerLoss> = codebook
        .layers
        .iter()
        .enumerate()
        .map(|(i, l)| LayerLoss::new(l, i, &recipe.layer(&l.name), o.label_smoothing, train))
        .collect();
    if recipe.is_frozen() {
        freeze(&model, &mut prepared, Batching::for_device(&Device::Cpu).workers)?;
    }
    let start = optimizer.values()?;
    let epochs = Epochs {
        recipe,
        codebook,
        prepared: &prepared,
        objective: &Objective {
            layers: &losses,
            opinions: recipe.distillation.weight,
            vectors: similarity.as_ref().map(|s| (o.keep_vectors, &s.map)),
            hints: hints
                .zip(to_hints.as_ref())
                .map(|(hints, map)| (recipe.distillation.hints, map, hints)),
        },
        dev,
        fingerprint: fingerprint(recipe, codebook, &run.base, train, lesson),
        checkpoint,
    };
    let best = epochs.run(&mut model, &mut optimizer, observe)?;
    let best_epoch = best.as_ref().map_or(0, |best| best.epoch);
    if let Some(best) = best {
        let storage = model.storage();
        interpolate(&optimizer, &start, &best.values, o.interpolate, storage)?;
    }
    let mut counts =
        vec![("best_epoch", best_epoch), ("n_train", train.len()), ("n_dev", dev.len())];
    counts.extend(drawn.map(|drawn| ("contrast_pairs", drawn.pairs)));
    let mut record = recorded(recipe, &counts)?;
    if let Some(share) = drawn.and_then(|drawn| drawn.triplet_accuracy) {
        record.insert("triplet_accuracy".into(), ((share * 1e4).round() / 1e4).into());
    }
    if let Some(lesson) = lesson {
        record.insert("teacher".into(), lesson.teacher.clone().into());
        record.insert("n_unlabelled".into(), (lesson.unlabelled.len() as i64).into());
    }
    // The map that was trained along followed weights that moved; this one fits those that stay.
    let map = similarity.map(|s| s.fit(&model)).transpose()?;
    finish(model, record, run.base, dev, map)
}

/// That both parts, or a teacher, say something about each layer.
fn check_every_layer(run: &Run<'_>) -> Result<()> {
    for (i, layer) in run.codebook.layers.iter().enumerate() {
        // A teacher may speak on what the labels leave out.
        if run.lesson.is_some_and(|l| l.layers.contains(&layer.name)) {
            continue;
        }
        for (part, examples) in [("training", run.train), ("dev", run.dev)] {
            if part == "dev" && examples.is_empty() {
                continue;
            }
            if examples.iter().all(|e| e.answers[i] == Answer::None) {
                return Err(Error::setting(format!(
                    "the {part} data say nothing about layer {:?}",
                    layer.name
                ))
                .with_hint("add labelled sentences for it, or take it out of the codebook"));
            }
        }
    }
    Ok(())
}

/// The stream of the stage of pairs; those of the epochs have their numbers.
const CONTRAST: u64 = 0;

/// The stage of pairs, if the recipe asks for it.
fn contrastive_stage(
    model: &mut Model,
    recipe: &Recipe,
    train: &[Example],
    observe: &mut dyn FnMut(Event),
) -> Result<Option<Drawn>> {
    let Some(settings) = &recipe.contrast else { return Ok(None) };
    let mut stage = AdamW::new(encoder_parameters(model, recipe, settings.rate)?);
    let mut rng = stream(recipe.seed, CONTRAST);
    let workers = Batching::for_device(&Device::Cpu).workers;
    let settings = (settings, &recipe.optimizer);
    let mut observe = |step, of, loss| observe(Event::Step { step, of, loss });
    let drawn = contrast(model, &mut stage, train, settings, workers, &mut rng, &mut observe)?;
    settle(model)?;
    Ok(Some(drawn))
}

/// Puts the parameters where `share` of the way from `start` to `end` is (Wortsman et al. 2022), in
/// the precision that the bundle holds and is calibrated on.
fn interpolate(
    optimizer: &AdamW,
    start: &[Tensor],
    end: &[Tensor],
    share: f64,
    storage: Storage,
) -> Result<()> {
    for ((parameter, start), end) in optimizer.parameters.iter().zip(start).zip(end) {
        let values = ((start * (1.0 - share))? + (end * share)?)?;
        parameter.var.set(&storage.rounded(&parameter.name, &values)?)?;
    }
    Ok(())
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
    let numbered = |(i, sentence): (usize, Result<Prepared>)| Ok(sentence?.numbered(i));
    labelled.chain(unlabelled).enumerate().map(numbered).collect()
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
const FITTED_TO: usize = 12_000;

impl Similarity {
    /// What the recipe asks for, if it does.
    fn wanted(model: &Model, run: &Run<'_>) -> Result<Option<Self>> {
        if run.recipe.optimizer.keep_vectors <= 0.0 || run.recipe.is_frozen() {
            return Ok(None);
        }
        let base;
        let vectors_of = match run.vectors_of {
            Some(bundle) => bundle,
            None => {
                base = bare(run.base.clone(), model.meta.max_length);
                &base
            }
        };
        Self::new(model, vectors_of, run.train, run.lesson).map(Some)
    }

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

/// Fits the map of a finished model's sentence vectors anew, to those that `vectors_of` gives the
/// sentences of the training part.
///
/// # Errors
/// If a model is unusable or fails, or there are no sentences.
pub fn fit_vectors(bundle: &mut Bundle, vectors_of: &Bundle, train: &[Example]) -> Result<()> {
    let apart = train.len().div_ceil(FITTED_TO).max(1);
    let sentences: Vec<_> = train.iter().step_by(apart).map(Unlabelled::of).collect();
    let wanted = vectors(vectors_of, &sentences)?;
    bundle.vector_map = None;
    let exactly = PrecisionChoice::Exactly(Precision::F32);
    let model = Model::load_for_scoring(bundle, &[Device::Cpu], exactly)?;
    let sample: Vec<_> = sentences.into_iter().enumerate().collect();
    let map = fit(&model, &sample, &wanted)?;
    bundle.vector_map = Some(map.to_safetensors(&bundle.meta.weights_sha256)?.into());
    Ok(())
}

/// The map from the vectors of `model` to those that are `wanted` of the sentences numbered so.
fn fit(model: &Model, sample: &[(usize, Unlabelled)], wanted: &[Vec<f32>]) -> Result<Map> {
    let (numbers, sentences): (Vec<usize>, Vec<Unlabelled>) = sample.iter().cloned().unzip();
    let given = ask(model, &sentences)?;
    let given: Vec<Vec<f32>> = given.into_iter().map(|scores| scores.vector).collect();
    let wanted: Vec<Vec<f32>> = numbers.into_iter().map(|i| wanted[i].clone()).collect();
    Map::fit(&given, &wanted)
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
