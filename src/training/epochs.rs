//! The epochs: step by step, each measured on the dev part, the best one kept, and gone on with after
//! an interruption as if there had been none.

use std::path::Path;
use std::time::{Duration, Instant};

use candle_core::{Device, Tensor};
use rand::SeedableRng;
use rand::seq::SliceRandom;
use rand_chacha::ChaCha8Rng;

use super::calibrate::calibrate;
use super::checkpoint::{self, Position};
use super::data::Example;
use super::evaluate::{evaluation, predict};
use super::finish::layer_scores;
use super::optimizer::{AdamW, schedule};
use super::prepared::Prepared;
use super::recipe::Recipe;
use super::step::{Objective, gradients};
use super::trainer::Event;
use crate::error::{Error, Result};
use crate::model::predict::Batching;
use crate::model::{Codebook, Model};

/// Time between two checkpoints.
const CHECKPOINT_EVERY: Duration = Duration::from_secs(300);

/// A dev part of fewer sentences cannot tell one epoch from the next: the last is taken.
const CHOOSES: usize = 50;

/// What is learnt from, to what end, and where the run is kept.
pub(super) struct Epochs<'a> {
    /// The settings.
    pub recipe: &'a Recipe,
    /// The layers that are learnt.
    pub codebook: &'a Codebook,
    /// All sentences that are learnt from.
    pub prepared: &'a [Prepared],
    /// What they are to teach.
    pub objective: &'a Objective<'a>,
    /// What the best epoch is chosen by.
    pub dev: &'a [Example],
    /// Hash of the recipe and the data; a checkpoint fits no other run.
    pub fingerprint: String,
    /// Where the run is kept, if anywhere.
    pub checkpoint: Option<&'a Path>,
}

/// The epoch that did best on the dev part.
pub(super) struct Best {
    /// Its number, from 1.
    pub epoch: usize,
    /// The values that the optimizer's parameters had at its end.
    pub values: Vec<Tensor>,
}

/// Where a run stands.
struct State {
    at: Position,
    /// Values of the best epoch so far.
    best: Option<Vec<Tensor>>,
    /// When the last checkpoint was written.
    saved: Instant,
}

impl Epochs<'_> {
    /// Trains the parameters of `optimizer`, which are variables of `model`. `None` if the recipe
    /// has no epochs.
    ///
    /// # Errors
    /// If the checkpoint is of another run or cannot be written, the loss is no number any more,
    /// or a computation fails.
    pub(super) fn run(
        &self,
        model: &mut Model,
        optimizer: &mut AdamW,
        observe: &mut dyn FnMut(Event),
    ) -> Result<Option<Best>> {
        let o = &self.recipe.optimizer;
        let mut state = self.begin(optimizer, observe)?;
        for epoch in state.at.step / self.steps_per_epoch() + 1..=o.epochs {
            self.steps(epoch, model, optimizer, &mut state, observe)?;
            self.measure(epoch, model, optimizer, &mut state, observe)?;
            self.save(&mut state, optimizer)?;
            if o.patience > 0 && state.at.best.is_some_and(|(_, e)| epoch - e >= o.patience) {
                break;
            }
        }
        let epoch = state.at.best.map_or(0, |(_, epoch)| epoch);
        Ok(state.best.map(|values| Best { epoch, values }))
    }

    fn steps_per_epoch(&self) -> usize {
        self.prepared.len().div_ceil(self.recipe.optimizer.batch_size).max(1)
    }

    /// At the beginning, or where the checkpoint left off.
    fn begin(&self, optimizer: &mut AdamW, observe: &mut dyn FnMut(Event)) -> Result<State> {
        let mut at = Position { run: self.fingerprint.clone(), ..Position::default() };
        let mut best = None;
        if let Some(path) = self.checkpoint.filter(|p| p.exists()) {
            (at, best) = checkpoint::load(path, &at.run, optimizer)?;
            observe(Event::Resumed { step: at.step });
        }
        Ok(State { at, best, saved: Instant::now() })
    }

    /// The steps of an epoch that have not been taken.
    fn steps(
        &self,
        epoch: usize,
        model: &Model,
        optimizer: &mut AdamW,
        state: &mut State,
        observe: &mut dyn FnMut(Event),
    ) -> Result<()> {
        let o = &self.recipe.optimizer;
        let workers = Batching::for_device(&Device::Cpu).workers;
        let of = self.steps_per_epoch() * o.epochs;
        let mut order: Vec<usize> = (0..self.prepared.len()).collect();
        order.shuffle(&mut stream(self.recipe.seed, epoch as u64));
        let done = state.at.step - (epoch - 1) * self.steps_per_epoch();
        for batch in order.chunks(o.batch_size).skip(done) {
            let batch: Vec<&Prepared> = batch.iter().map(|&i| &self.prepared[i]).collect();
            let at = &mut state.at;
            let mut rng = stream(self.recipe.seed, STEPS + at.step as u64);
            let (loss, gradients) =
                gradients(model, self.objective, &batch, workers, o.dropout, &mut rng)?;
            if !loss.is_finite() {
                return Err(Error::setting(format!("the loss became {loss} at step {}", at.step))
                    .with_hint("lower encoder_rate and head_rate in the recipe"));
            }
            optimizer.step(&gradients, schedule(at.step, of, o.warmup), o.clip)?;
            at.step += 1;
            at.epoch_loss += loss;
            observe(Event::Step { step: at.step, of, loss });
            // The last step's checkpoint is written when its epoch has been measured.
            let whole = at.step == epoch * self.steps_per_epoch();
            if !whole && state.saved.elapsed() > CHECKPOINT_EVERY {
                self.save(state, optimizer)?;
            }
        }
        Ok(())
    }

    /// Measures an epoch on the dev part, and keeps its values if it is the best so far.
    fn measure(
        &self,
        epoch: usize,
        model: &mut Model,
        optimizer: &AdamW,
        state: &mut State,
        observe: &mut dyn FnMut(Event),
    ) -> Result<()> {
        let predictions = predict(model, self.dev, Batching::for_device(&Device::Cpu))?;
        calibrate(model, self.dev, &predictions);
        let figures = evaluation(model, self.dev, &predictions, 0);
        let layers = layer_scores(self.codebook, &figures);
        let score = layers.values().sum::<f64>() / layers.len().max(1) as f64;
        let best = self.dev.len() < CHOOSES || state.at.best.is_none_or(|(s, _)| score > s);
        let loss = std::mem::take(&mut state.at.epoch_loss) / self.steps_per_epoch() as f32;
        observe(Event::Epoch { epoch, loss, score, layers, best });
        if best {
            state.at.best = Some((score, epoch));
            state.best = Some(optimizer.values()?);
        }
        Ok(())
    }

    /// Writes a checkpoint, if the run is kept anywhere.
    fn save(&self, state: &mut State, optimizer: &AdamW) -> Result<()> {
        if let Some(path) = self.checkpoint {
            checkpoint::save(path, &state.at, optimizer, state.best.as_deref())?;
            state.saved = Instant::now();
        }
        Ok(())
    }
}

/// From this stream on the random numbers are the steps'; those before are the epochs'.
const STEPS: u64 = 1 << 32;

/// Random numbers that depend on the seed and the place in the run alone, so that a run that
/// was interrupted draws the same.
pub(super) fn stream(seed: u64, number: u64) -> ChaCha8Rng {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    rng.set_stream(number);
    rng
}
