//! AdamW (Loshchilov and Hutter 2019) with a learning rate for each parameter group.
//!
//! One pass over each parameter in place, all cores at work; candle-nn's AdamW allocates a
//! dozen tensors a parameter and step, a third of the step's time on the CPU.

use std::sync::Mutex;

use candle_core::backprop::GradStore;
use candle_core::{CpuStorage, InplaceOp1, Layout, Result, Tensor, Var};
use rayon::prelude::*;

use crate::model::encoder::ops::with_floats;

const BETA1: f64 = 0.9;
const BETA2: f64 = 0.999;
const EPSILON: f64 = 1e-8;

/// A parameter in training.
pub struct Parameter {
    /// Its name in the model.
    pub name: String,
    /// Its values.
    pub var: Var,
    /// Its learning rate, as a multiple of the schedule's.
    pub rate: f64,
    /// Its weight decay.
    pub decay: f64,
    first: Vec<f32>,
    second: Vec<f32>,
}

impl Parameter {
    /// A parameter with no history.
    pub fn new(name: String, var: Var, rate: f64, decay: f64) -> Self {
        let n = var.elem_count();
        Parameter { name, var, rate, decay, first: vec![0.0; n], second: vec![0.0; n] }
    }
}

/// The optimizer: parameters and the number of steps taken.
pub struct AdamW {
    /// The parameters.
    pub parameters: Vec<Parameter>,
    steps: i32,
}

impl AdamW {
    /// An optimizer of `parameters`.
    pub fn new(parameters: Vec<Parameter>) -> Self {
        AdamW { parameters, steps: 0 }
    }

    /// Steps taken.
    pub fn steps(&self) -> usize {
        self.steps.unsigned_abs() as usize
    }

    /// A copy of each parameter's values.
    ///
    /// # Errors
    /// If one cannot be copied.
    pub fn values(&self) -> Result<Vec<Tensor>> {
        self.parameters.iter().map(|p| p.var.as_tensor().copy()).collect()
    }

    /// Each parameter's two moments, for a checkpoint.
    pub fn moments(&self) -> impl Iterator<Item = (&Parameter, [&[f32]; 2])> {
        self.parameters.iter().map(|p| (p, [p.first.as_slice(), p.second.as_slice()]))
    }

    /// Goes on from a checkpoint: `state` gives each parameter's values and two moments.
    ///
    /// # Errors
    /// If one is missing or has another size.
    pub fn restore(
        &mut self,
        steps: usize,
        state: impl Fn(&str) -> Option<[Vec<f32>; 3]>,
    ) -> Result<()> {
        for p in &mut self.parameters {
            let n = p.var.elem_count();
            let Some([values, first, second]) =
                state(&p.name).filter(|s| s.iter().all(|part| part.len() == n))
            else {
                candle_core::bail!("the checkpoint does not hold the parameter {}", p.name)
            };
            let var = p.var.as_tensor();
            p.var.set(&Tensor::from_vec(values, var.shape(), var.device())?)?;
            (p.first, p.second) = (first, second);
        }
        self.steps = steps.try_into().map_err(candle_core::Error::wrap)?;
        Ok(())
    }

    /// Takes a step against the sum of the shards' gradients, first scaled down to the norm
    /// `clip` if it is longer. `factor` is the schedule's, 0 to 1. Returns the gradient's norm.
    ///
    /// # Errors
    /// If a parameter has no gradient: the graph was cut somewhere.
    pub fn step(&mut self, shards: &[GradStore], factor: f64, clip: f64) -> Result<f64> {
        let gradients: Vec<Vec<f32>> = self
            .parameters
            .par_iter()
            .map(|p| {
                let mut sum = vec![0f32; p.var.elem_count()];
                let mut found = false;
                for shard in shards {
                    let Some(gradient) = shard.get(p.var.as_tensor()) else { continue };
                    found = true;
                    with_floats(gradient, |g| {
                        sum.iter_mut().zip(g).for_each(|(s, g)| *s += g);
                        Ok(())
                    })?;
                }
                // A batch without mentions leaves a target head alone, one of long sentences the
                // map to a teacher's tokens; all others are always used.
                if !found && !["layers.", "hints."].iter().any(|of| p.name.starts_with(of)) {
                    candle_core::bail!("no gradient reached the parameter {}", p.name)
                }
                Ok(sum)
            })
            .collect::<Result<_>>()?;
        let square: f64 = gradients
            .par_iter()
            .map(|g| g.iter().map(|x| f64::from(*x) * f64::from(*x)).sum::<f64>())
            .collect::<Vec<f64>>()
            .iter()
            .sum();
        let norm = square.sqrt();
        let scale = if norm > clip && norm > 0.0 { clip / norm } else { 1.0 };
        self.steps += 1;
        let (correct1, correct2) = (1.0 - BETA1.powi(self.steps), 1.0 - BETA2.powi(self.steps));
        self.parameters.par_iter_mut().zip(&gradients).try_for_each(|(p, gradient)| {
            let rate = p.rate * factor;
            let update = Update {
                gradient,
                moments: Mutex::new((&mut p.first, &mut p.second)),
                scale: scale as f32,
                keep: (1.0 - rate * p.decay) as f32,
                step: (rate / correct1) as f32,
                correct2: (1.0 / correct2) as f32,
            };
            p.var.as_tensor().inplace_op1(&update)
        })?;
        Ok(norm)
    }
}

/// One parameter's step, written into the variable's own memory.
struct Update<'a> {
    gradient: &'a [f32],
    // candle hands the operation out as `&self`; the lock is never contended.
    moments: Mutex<(&'a mut Vec<f32>, &'a mut Vec<f32>)>,
    scale: f32,
    keep: f32,
    step: f32,
    correct2: f32,
}

impl InplaceOp1 for Update<'_> {
    fn name(&self) -> &'static str {
        "adamw"
    }

    fn cpu_fwd(&self, storage: &mut CpuStorage, layout: &Layout) -> Result<()> {
        let Some((from, to)) = layout.contiguous_offsets() else {
            candle_core::bail!("a parameter is not contiguous")
        };
        let CpuStorage::F32(values) = storage else {
            candle_core::bail!("a parameter is not of f32 values")
        };
        let Ok(mut moments) = self.moments.lock() else {
            candle_core::bail!("another thread failed in this step")
        };
        let (first, second) = &mut *moments;
        let (b1, b2, epsilon) = (BETA1 as f32, BETA2 as f32, EPSILON as f32);
        let rows = values[from..to].iter_mut().zip(self.gradient);
        for (((value, g), m), v) in rows.zip(first.iter_mut()).zip(second.iter_mut()) {
            let g = g * self.scale;
            *m = b1 * *m + (1.0 - b1) * g;
            *v = b2 * *v + (1.0 - b2) * g * g;
            *value = *value * self.keep - self.step * *m / ((*v * self.correct2).sqrt() + epsilon);
        }
        Ok(())
    }
}

/// The schedule's factor at `step` of `total`: rises linearly over the first `warmup` share,
/// then falls linearly to nothing.
pub fn schedule(step: usize, total: usize, warmup: f64) -> f64 {
    let (step, total) = (step as f64 + 1.0, total.max(1) as f64);
    let rise = (warmup * total).max(1.0);
    if step < rise {
        step / rise
    } else {
        ((total - step) / (total - rise).max(1.0)).clamp(0.0, 1.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use candle_core::{Device, Tensor};

    /// Against candle-nn's AdamW, step by step.
    #[test]
    fn equals_the_reference_implementation() {
        use candle_nn::optim::{AdamW as Reference, Optimizer, ParamsAdamW};
        let start = [0.3f32, -1.2, 4.0];
        let ours = Var::new(&start, &Device::Cpu).unwrap();
        let theirs = Var::new(&start, &Device::Cpu).unwrap();
        let params = ParamsAdamW { lr: 0.05, weight_decay: 0.1, ..Default::default() };
        let mut reference = Reference::new(vec![theirs.clone()], params).unwrap();
        let parameter = Parameter::new("x".into(), ours.clone(), 0.05, 0.1);
        let mut adamw = AdamW::new(vec![parameter]);
        for _ in 0..20 {
            let loss = |v: &Var| v.as_tensor().powf(4.0).unwrap().sum_all().unwrap();
            reference.backward_step(&loss(&theirs)).unwrap();
            adamw.step(&[loss(&ours).backward().unwrap()], 1.0, f64::INFINITY).unwrap();
        }
        let difference = (ours.as_tensor() - theirs.as_tensor()).unwrap().abs().unwrap();
        let difference = difference.max_all().unwrap().to_scalar::<f32>().unwrap();
        assert!(difference < 1e-5, "{difference}");
    }

    #[test]
    fn a_cut_graph_is_an_error() {
        let var = Var::new(&[1f32], &Device::Cpu).unwrap();
        let other = Tensor::new(1f32, &Device::Cpu).unwrap().backward().unwrap();
        let mut adamw = AdamW::new(vec![Parameter::new("encoder.x".into(), var, 1.0, 0.0)]);
        assert!(adamw.step(&[other], 1.0, 1.0).unwrap_err().to_string().contains("encoder.x"));
    }

    #[test]
    fn the_schedule_rises_and_falls() {
        let factors: Vec<f64> = (0..100).map(|s| schedule(s, 100, 0.1)).collect();
        assert!(factors[0] > 0.05 && (factors[9] - 1.0).abs() < 1e-9 && factors[99] == 0.0);
    }
}
