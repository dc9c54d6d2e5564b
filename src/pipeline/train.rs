//! A whole training run: data read, test data kept apart, earlier parts of the recipe and a
//! teacher first, checkpoints and `metrics.jsonl` in the model's folder.

use std::collections::{BTreeMap, HashSet};
use std::path::{Path, PathBuf};

use candle_core::Device;

use super::lesson::{lesson, unlabelled_sentences};
use super::metrics::Metrics;
use crate::corpus::Skip;
use crate::error::{Error, Result};
use crate::model::encoder::EncoderConfig;
use crate::model::hub::EncoderFiles;
use crate::model::{Bundle, Codebook, Model};
use crate::training::data::{self, Example, Overlap};
use crate::training::recipe::{Recipe, Source};
use crate::training::teacher::Unlabelled;
use crate::training::trainer::{self, Lesson, Run, Trained};
use crate::training::{agreement, bare, carried_over, extend};

/// What ends the name of a checkpoint …
const CHECKPOINT: &str = ".checkpoint.safetensors";
/// … of what a teacher said …
const ANSWERS: &str = ".teacher.jsonl";
/// … and of the model of an earlier recipe, until the whole run is done.
const PART: &str = ".part";

/// What a run is given besides its recipe.
#[derive(Debug, Clone, Default)]
pub struct TrainOptions {
    /// Folder that the recipe's data paths start from.
    pub data: PathBuf,
    /// Folder of the model to be made; checkpoints lie there until it is done.
    pub out: PathBuf,
    /// Base encoder instead of the recipe's: a folder, a Hub id, or `default` for the built-in
    /// model's.
    pub base: Option<String>,
    /// The encoder whose sentence vectors are kept, instead of the recipe's: a folder, or a Hub id.
    pub vectors_of: Option<String>,
    /// Models to learn from, each a folder or `default`; of several, the mean.
    pub teachers: Vec<String>,
    /// Articles whose sentences the teacher labels, instead of the recipe's.
    pub unlabelled: Vec<PathBuf>,
    /// A model that the recipe's layers are added to: a folder, or `default`.
    pub add_to: Option<String>,
    /// Whether its encoder is trained with them. Its own layers then learn to say on the new
    /// sentences what they said before.
    pub fine_tune: bool,
    /// Go on with a run that was interrupted.
    pub resume: bool,
}

/// What happens during a run.
#[derive(Debug, Clone, PartialEq)]
pub enum Event<'a> {
    /// Rows that were passed over.
    Skipped(&'a [Skip]),
    /// A recipe's data were read.
    Data {
        /// The recipe.
        recipe: &'a str,
        /// Sentences to train on.
        train: usize,
        /// Sentences to choose and calibrate on.
        dev: usize,
        /// Sentences left out because the test data know them.
        left_out: Overlap,
    },
    /// So many unlabelled sentences were drawn.
    Unlabelled(usize),
    /// A teacher has labelled so many sentences of so many.
    Taught(usize, usize),
    /// For each layer of the model that was added to, the share of the sentences (or mentions) of
    /// the dev part that it gives the same labels as before, and their number.
    Agreement(&'a BTreeMap<String, (f64, usize)>),
    /// A trial of a cross-validation is done.
    Trial(&'a super::validate::Trial),
    /// The trainer's own.
    Trainer(trainer::Event),
}

/// Tells the caller what happens, from any thread.
pub type Observe<'a> = dyn Fn(Event<'_>) + Sync + 'a;

/// Follows `recipe`, which lies beside what it names in the folder `beside`. Returns the model, not
/// yet written, and the rows that were passed over.
///
/// # Errors
/// If a file is missing or unusable, or the training fails.
pub fn train(
    recipe: &Recipe,
    codebook: &Codebook,
    beside: &Path,
    options: &TrainOptions,
    observe: &Observe<'_>,
) -> Result<(Trained, Vec<Skip>)> {
    std::fs::create_dir_all(&options.out).map_err(|e| Error::io(&options.out, e))?;
    let mut skipped = Vec::new();
    let old = options.add_to.as_deref().map(Bundle::named).transpose()?;
    let whole = match &old {
        Some(old) if options.fine_tune => Some(carried_over(&old.meta.codebook, codebook)?),
        _ => None,
    };
    let codebook = whole.as_ref().unwrap_or(codebook);
    if recipe.optimizer.epochs == 0 {
        let bundle = match finished(recipe, beside, options, observe, &mut skipped)? {
            Some(bundle) => bundle,
            None => Bundle::named(options.base.as_deref().unwrap_or(&recipe.base))?,
        };
        let (split, _) = read_split(recipe, codebook, beside, options, observe, &mut skipped)?;
        let mut trained = trainer::recalibrate(recipe, codebook, bundle, &split.dev)?;
        if let Some(encoder) = vectors_of(recipe, options) {
            let encoder = bare(open_encoder(encoder)?, recipe.max_length);
            trainer::fit_vectors(&mut trained.bundle, &encoder, &split.train)?;
        }
        return Ok((trained, skipped));
    }
    let base = base(recipe, beside, options, observe, &mut skipped)?;
    let (split, held_out) = read_split(recipe, codebook, beside, options, observe, &mut skipped)?;
    let Split { train, dev } = &split;
    let avoid = held_out.iter().chain(train).chain(dev).map(|e| e.model_text.as_str()).collect();
    let lesson = ask_teacher(recipe, codebook, options, train, &avoid, observe, &mut skipped)?;
    let vectors_of = match (&old, vectors_of(recipe, options)) {
        // The model that is added to keeps its own vectors, as its map gives them.
        (Some(_), _) => options.add_to.as_deref().map(Bundle::named).transpose()?,
        (None, Some(encoder)) => Some(bare(open_encoder(encoder)?, recipe.max_length)),
        (None, None) => None,
    };
    let checkpoint = options.out.join(format!("{}{CHECKPOINT}", recipe.name));
    if checkpoint.exists() && !options.resume {
        return Err(Error::setting(format!(
            "{} is left from a run that was interrupted",
            checkpoint.display()
        ))
        .with_hint("give --resume to go on with it, or --force to begin anew"));
    }
    let refit = recipe.dev.refit.then(|| base.clone());
    let run = Run {
        recipe,
        codebook,
        base,
        train,
        dev,
        lesson: lesson.as_ref(),
        vectors_of: vectors_of.as_ref(),
        checkpoint: Some(&checkpoint),
    };
    let goes_on = options.resume || !parts(&options.out).is_empty();
    let mut metrics = Metrics::open(&options.out, &recipe.name, goes_on)?;
    let mut trained = trainer::train(run, &mut |event| {
        metrics.add(&event);
        observe(Event::Trainer(event));
    })?;
    metrics.finish()?;
    if let Some(base) = refit {
        let all: Vec<Example> = train.iter().chain(dev).cloned().collect();
        let recipe = again(recipe, &trained);
        let (lesson, vectors_of) = (lesson.as_ref(), vectors_of.as_ref());
        let (recipe, train, dev) = (&recipe, &all[..], &[][..]);
        let run = Run { recipe, codebook, base, train, dev, lesson, vectors_of, checkpoint: None };
        let mut observe = |event| observe(Event::Trainer(event));
        take_weights(&mut trained.bundle, trainer::train(run, &mut observe)?.bundle);
    }
    match &old {
        Some(old) if options.fine_tune => {
            carry_calibration(old, &mut trained.bundle);
            let sentences: Vec<Unlabelled> = dev.iter().map(Unlabelled::of).collect();
            observe(Event::Agreement(&agreement(old, &trained.bundle, &sentences)?));
        }
        Some(old) => trained.bundle = extend(old, &trained.bundle)?,
        None => {}
    }
    Ok((trained, skipped))
}

/// The recipe for training once more, for as many epochs as did best and with as many pairs.
fn again(recipe: &Recipe, first: &Trained) -> Recipe {
    let count = |name: &str| -> Option<usize> {
        first.bundle.meta.training.get(name)?.as_integer()?.try_into().ok()
    };
    let mut recipe = recipe.clone();
    recipe.optimizer.epochs = count("best_epoch").unwrap_or(1).max(1);
    if let Some(contrast) = &mut recipe.contrast {
        contrast.pairs = count("contrast_pairs");
    }
    recipe.optimizer.patience = 0;
    recipe
}

/// Gives the old layers their calibration back, for the new sentences say nothing on them.
fn carry_calibration(old: &Bundle, new: &mut Bundle) {
    for layer in &old.meta.codebook.layers {
        match old.meta.calibration.get(&layer.name) {
            Some(calibration) => {
                new.meta.calibration.insert(layer.name.clone(), calibration.clone());
            }
            None => {
                new.meta.calibration.remove(&layer.name);
            }
        }
    }
    new.meta.base.clone_from(&old.meta.base);
    new.meta.licence.clone_from(&old.meta.licence);
}

/// Puts the weights of `second` in place of the first's, whose calibration and figures stay.
fn take_weights(first: &mut Bundle, second: Bundle) {
    first.meta.weights_sha256 = second.meta.weights_sha256;
    first.weights = second.weights;
    first.vector_map = second.vector_map;
}

/// The models of earlier recipes in `out`.
fn parts(out: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(out).into_iter().flatten().flatten().map(|e| e.path());
    entries.filter(|p| p.to_string_lossy().ends_with(PART)).collect()
}

/// Takes away what was kept in `out` in case the run was interrupted.
///
/// # Errors
/// If a file cannot be removed.
pub fn discard(out: &Path) -> Result<()> {
    let Ok(entries) = std::fs::read_dir(out) else { return Ok(()) };
    for entry in entries {
        let path = entry.map_err(|e| Error::io(out, e))?.path();
        let name = path.file_name().map(|n| n.to_string_lossy().into_owned()).unwrap_or_default();
        if name.ends_with(CHECKPOINT) || name.ends_with(ANSWERS) {
            std::fs::remove_file(&path).map_err(|e| Error::io(&path, e))?;
        }
    }
    for part in parts(out) {
        std::fs::remove_dir_all(&part).map_err(|e| Error::io(&part, e))?;
    }
    Ok(())
}

/// The labelled sentences of a recipe.
pub(super) struct Split {
    /// What is learnt from.
    pub train: Vec<Example>,
    /// What the best epoch is chosen and the layers are calibrated by.
    pub dev: Vec<Example>,
}

/// Reads a recipe's data, split by document, and its test data.
pub(super) fn read_split(
    recipe: &Recipe,
    codebook: &Codebook,
    beside: &Path,
    options: &TrainOptions,
    observe: &Observe<'_>,
    skipped: &mut Vec<Skip>,
) -> Result<(Split, Vec<Example>)> {
    let find = |path: &Path| {
        let given = options.data.join(path);
        // What was written for the recipe lies beside it.
        let own = Some(beside.join(path)).filter(|own| !given.exists() && own.exists());
        own.unwrap_or(given)
    };
    let mut read = |sources: &[Source]| -> Result<Vec<Example>> {
        let mut examples = Vec::new();
        for source in sources {
            let read = data::read_source(source, &find, codebook)?;
            observe(Event::Skipped(&read.skipped));
            skipped.extend(read.skipped);
            examples.extend(read.examples);
        }
        Ok(examples)
    };
    let examples = read(&recipe.data)?;
    let held_out = read(&recipe.held_out)?;
    let (examples, left_out) = data::without(examples, &held_out);
    let (train, dev) = data::split(examples, recipe.dev.share, recipe.seed);
    observe(Event::Data { recipe: &recipe.name, train: train.len(), dev: dev.len(), left_out });
    Ok((Split { train, dev }, held_out))
}

/// The encoder that a run begins with: the recipe's, or the result of an earlier recipe.
pub(super) fn base(
    recipe: &Recipe,
    beside: &Path,
    options: &TrainOptions,
    observe: &Observe<'_>,
    skipped: &mut Vec<Skip>,
) -> Result<EncoderFiles> {
    if let Some(old) = &options.add_to {
        return Ok(Bundle::named(old)?.into());
    }
    let mut base: EncoderFiles = match finished(recipe, beside, options, observe, skipped)? {
        Some(bundle) => bundle.into(),
        None => open_encoder(options.base.as_deref().unwrap_or(&recipe.base))?,
    };
    if let Some(blocks) = recipe.blocks {
        base.config = EncoderConfig::cut(&base.config, blocks, &base.place)?;
    }
    Ok(base)
}

/// The result of the recipe that this one comes after, if it comes after one.
fn finished(
    recipe: &Recipe,
    beside: &Path,
    options: &TrainOptions,
    observe: &Observe<'_>,
    skipped: &mut Vec<Skip>,
) -> Result<Option<Bundle>> {
    let Some(earlier) = &recipe.after else { return Ok(None) };
    // A bundle given as the base is the earlier recipe's result.
    if let Some(given) = options.base.as_deref()
        && Path::new(given).join("parallax.toml").is_file()
    {
        return Bundle::open(Path::new(given)).map(Some);
    }
    let (recipe, codebook) = Recipe::open(&beside.join(earlier))?;
    let part = options.out.join(format!("{}{PART}", recipe.name));
    // An interrupted run may have its earlier part behind it.
    if options.resume && part.join("parallax.toml").is_file() {
        return Bundle::open(&part).map(Some);
    }
    let earlier = beside.join(earlier);
    let beside = earlier.parent().unwrap_or(Path::new("."));
    // The teacher is for this recipe. An earlier one has it only if it asks for one.
    let asks = !recipe.distillation.unlabelled.is_empty();
    let options = &TrainOptions {
        teachers: if asks { options.teachers.clone() } else { Vec::new() },
        unlabelled: Vec::new(),
        ..options.clone()
    };
    let (trained, more) = train(&recipe, &codebook, beside, options, observe)?;
    skipped.extend(more);
    trained.bundle.write(&part)?;
    Ok(Some(trained.bundle))
}

/// The encoder whose sentence vectors are kept, where it is not the base.
fn vectors_of<'a>(recipe: &'a Recipe, options: &'a TrainOptions) -> Option<&'a String> {
    let named = options.vectors_of.as_ref().or(recipe.vectors_of.as_ref());
    named.filter(|_| recipe.optimizer.keep_vectors > 0.0)
}

fn open_encoder(base: &str) -> Result<EncoderFiles> {
    if base == "default" { Ok(Bundle::embedded()?.into()) } else { EncoderFiles::open(base) }
}

/// Asks the teacher, if there is one.
fn ask_teacher(
    recipe: &Recipe,
    codebook: &Codebook,
    options: &TrainOptions,
    train: &[Example],
    avoid: &HashSet<&str>,
    observe: &Observe<'_>,
    skipped: &mut Vec<Skip>,
) -> Result<Option<Lesson>> {
    let mut settings = recipe.distillation.clone();
    if !options.unlabelled.is_empty() {
        settings.unlabelled.clone_from(&options.unlabelled);
    }
    let mut teachers = options.teachers.clone();
    if teachers.is_empty() && options.fine_tune {
        // A model that is fine-tuned with layers added is its own teacher on the old ones.
        teachers.extend(options.add_to.clone());
    }
    if teachers.is_empty() {
        if settings.unlabelled.is_empty() {
            return Ok(None);
        }
        return Err(Error::setting(format!("the recipe {} learns from a teacher", recipe.name))
            .with_hint(
                "give --teacher FOLDER; models/recipes/accurate.toml makes the default model's",
            ));
    }
    let open = |name: &String| {
        Model::load_for_scoring(&Bundle::named(name)?, &[Device::Cpu], settings.precision)
    };
    let teachers: Vec<Model> = teachers.iter().map(open).collect::<Result<_>>()?;
    let unlabelled = if settings.unlabelled.is_empty() {
        Vec::new()
    } else {
        let inputs: Vec<PathBuf> =
            settings.unlabelled.iter().map(|p| options.data.join(p)).collect();
        let (drawn, notes) = unlabelled_sentences(&inputs, &settings, recipe.seed, avoid)?;
        observe(Event::Skipped(&notes.skipped));
        skipped.extend(notes.skipped);
        drawn
    };
    observe(Event::Unlabelled(unlabelled.len()));
    let kept = |n: usize| options.out.join(format!("{}-{}{ANSWERS}", recipe.name, n + 1));
    let done = |n, of| observe(Event::Taught(n, of));
    lesson(&teachers, &settings, codebook, train, unlabelled, &kept, &done).map(Some)
}
