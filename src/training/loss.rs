//! The losses of the three kinds of layer.
//!
//! A batch is trained in shards on several threads. So that the shards' gradients add up to
//! the batch's, every loss is a sum divided by a [`Normaliser`] of the whole batch.

use candle_core::{D, Device, Result, Tensor};
use candle_nn::ops::log_softmax;

use super::data::{Answer, Choice, Example};
use super::recipe::LayerSettings;
use crate::model::{Layer, LayerKind};

/// The loss of one layer.
#[derive(Debug, Clone)]
pub struct LayerLoss {
    /// Weight of each label of a single or target layer.
    class_weights: Vec<f32>,
    positive_weight: f32,
    weight: f32,
    smoothing: f32,
}

/// What a layer's summed loss is divided by.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Normaliser(f32);

impl LayerLoss {
    /// The loss of layer number `index`, weighted by the labels' shares in `examples`.
    pub fn new(
        layer: &Layer,
        index: usize,
        settings: &LayerSettings,
        smoothing: f32,
        examples: &[Example],
    ) -> Self {
        let mut counts = vec![0f32; layer.labels.len()];
        for choice in examples.iter().flat_map(|e| choices(&e.answers[index])) {
            counts[choice.label] += 1.0;
        }
        let most = counts.iter().copied().fold(1.0, f32::max);
        let class_weights =
            counts.iter().map(|n| (most / n.max(1.0)).min(settings.max_class_weight)).collect();
        LayerLoss {
            class_weights,
            positive_weight: settings.positive_weight,
            weight: settings.weight,
            smoothing,
        }
    }

    /// The part of an answer in its batch's normaliser.
    pub fn share(&self, answer: &Answer) -> f32 {
        match answer {
            Answer::Multi(labels) => labels.len() as f32,
            other => choices(other).map(|c| self.class_weights[c.label]).sum(),
        }
    }

    /// The normaliser of a batch's answers to this layer.
    pub fn normaliser<'a>(&self, answers: impl Iterator<Item = &'a Answer>) -> Normaliser {
        Normaliser(answers.map(|a| self.share(a)).sum())
    }

    /// The loss of a single or target layer: one row of `logits` for each of `choices`.
    /// `None` if there is no choice among them.
    ///
    /// # Errors
    /// If shapes do not fit.
    pub fn of_choices(
        &self,
        logits: &Tensor,
        choices: &[Option<Choice>],
        normaliser: Normaliser,
    ) -> Result<Option<Tensor>> {
        self.scaled(self.choice(logits, choices)?, normaliser)
    }

    /// The loss of a multi layer: one row of `logits` for each of `answers`. `None` if none
    /// of them says anything.
    ///
    /// # Errors
    /// If shapes do not fit.
    pub fn of_labels(
        &self,
        logits: &Tensor,
        answers: &[&Answer],
        normaliser: Normaliser,
    ) -> Result<Option<Tensor>> {
        self.scaled(self.multi(logits, answers)?, normaliser)
    }

    /// The loss against a teacher's probabilities, one row of `logits` for each of `rows`, as a
    /// mean over `count` rows (those of the whole batch). `None` if there is no row among them.
    ///
    /// # Errors
    /// If shapes do not fit.
    pub fn of_probabilities(
        &self,
        logits: &Tensor,
        rows: &[Option<&[f32]>],
        kind: LayerKind,
        count: usize,
    ) -> Result<Option<Tensor>> {
        if rows.iter().all(Option::is_none) {
            return Ok(None);
        }
        let n = logits.dim(1)?;
        let (mut wanted, mut weights) = (vec![0f32; rows.len() * n], vec![0f32; rows.len() * n]);
        for (i, row) in rows.iter().enumerate() {
            let Some(row) = row else { continue };
            if row.len() != n {
                candle_core::bail!("a teacher's {} probabilities for {n} labels", row.len())
            }
            wanted[i * n..(i + 1) * n].copy_from_slice(row);
            weights[i * n..(i + 1) * n].fill(1.0);
        }
        let wanted = tensor(wanted, (rows.len(), n), logits.device())?;
        let (sum, parts) = match kind {
            LayerKind::Multi => {
                let weights = tensor(weights, (rows.len(), n), logits.device())?;
                ((binary(logits, &wanted)? * weights)?.sum_all()?, count * n)
            }
            _ => ((log_softmax(logits, D::Minus1)? * wanted)?.sum_all()?.neg()?, count),
        };
        Ok(Some((sum * (f64::from(self.weight) / parts.max(1) as f64))?))
    }

    fn scaled(&self, loss: Option<Tensor>, normaliser: Normaliser) -> Result<Option<Tensor>> {
        let scale = f64::from(self.weight / normaliser.0.max(f32::MIN_POSITIVE));
        loss.map(|l| l * scale).transpose()
    }

    /// Weighted cross-entropy with label smoothing.
    fn choice(&self, logits: &Tensor, choices: &[Option<Choice>]) -> Result<Option<Tensor>> {
        let n = self.class_weights.len();
        let mut wanted = vec![0f32; choices.len() * n];
        for (row, choice) in wanted.chunks_exact_mut(n).zip(choices) {
            let Some(choice) = choice else { continue };
            let weight = self.class_weights[choice.label];
            row.fill(weight * self.smoothing / n as f32);
            let answers = [Some(choice.label), choice.alternative];
            let count = answers.iter().flatten().count() as f32;
            for &label in answers.iter().flatten() {
                row[label] += weight * (1.0 - self.smoothing) / count;
            }
        }
        if choices.iter().all(Option::is_none) {
            return Ok(None);
        }
        let wanted = tensor(wanted, (choices.len(), n), logits.device())?;
        Ok(Some((log_softmax(logits, D::Minus1)? * wanted)?.sum_all()?.neg()?))
    }

    /// Weighted binary cross-entropy of each label.
    fn multi(&self, logits: &Tensor, answers: &[&Answer]) -> Result<Option<Tensor>> {
        let n = logits.dim(1)?;
        let mut wanted = vec![0f32; answers.len() * n];
        let mut weights = vec![0f32; answers.len() * n];
        let mut any = false;
        for (i, answer) in answers.iter().enumerate() {
            let Answer::Multi(labels) = answer else { continue };
            any = true;
            for (j, label) in labels.iter().enumerate() {
                wanted[i * n + j] = if *label == Some(true) { 1.0 } else { 0.0 };
                weights[i * n + j] = match label {
                    Some(true) => self.positive_weight,
                    Some(false) => 1.0,
                    None => 0.0,
                };
            }
        }
        if !any {
            return Ok(None);
        }
        let shape = (answers.len(), n);
        let wanted = tensor(wanted, shape, logits.device())?;
        let weights = tensor(weights, shape, logits.device())?;
        Ok(Some((binary(logits, &wanted)? * weights)?.sum_all()?))
    }
}

/// Binary cross-entropy of each logit, in the form that does not overflow.
fn binary(logits: &Tensor, wanted: &Tensor) -> Result<Tensor> {
    let log_term = (logits.abs()?.neg()?.exp()? + 1.0)?.log()?;
    (logits.relu()? - (logits * wanted)?)? + log_term
}

fn tensor(values: Vec<f32>, shape: (usize, usize), device: &Device) -> Result<Tensor> {
    Tensor::from_vec(values, shape, device)
}

/// The choices in an answer: one, or one for each mention.
fn choices(answer: &Answer) -> Box<dyn Iterator<Item = Choice> + '_> {
    match answer {
        Answer::Single(choice) => Box::new(std::iter::once(*choice)),
        Answer::Target(mentions) => Box::new(mentions.iter().map(|(_, c)| *c)),
        Answer::None | Answer::Multi(_) => Box::new(std::iter::empty()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plain(classes: usize) -> LayerLoss {
        LayerLoss {
            class_weights: vec![1.0; classes],
            positive_weight: 1.0,
            weight: 1.0,
            smoothing: 0.0,
        }
    }

    #[test]
    fn cross_entropy_of_even_logits_is_the_logarithm_of_the_classes() {
        let logits = Tensor::zeros((2, 4), candle_core::DType::F32, &Device::Cpu).unwrap();
        let one = Answer::Single(Choice { label: 2, alternative: None });
        let answers = [&one, &Answer::None];
        let loss = plain(4);
        let normaliser = loss.normaliser(answers.into_iter());
        let choices = [Some(Choice { label: 2, alternative: None }), None];
        let value = loss.of_choices(&logits, &choices, normaliser).unwrap().unwrap();
        assert!((value.to_scalar::<f32>().unwrap() - 4f32.ln()).abs() < 1e-6);
    }

    /// Against certain probabilities the loss is that against labels.
    #[test]
    fn a_teacher_without_doubt_is_a_label() {
        let logits = Tensor::new(&[[2f32, -1.0], [0.5, 0.25]], &Device::Cpu).unwrap();
        let loss = plain(2);
        let scalar = |t: Option<Tensor>| t.unwrap().to_scalar::<f32>().unwrap();
        let choice = Some(Choice { label: 1, alternative: None });
        let hard = scalar(loss.of_choices(&logits, &[choice, None], Normaliser(1.0)).unwrap());
        let rows: [Option<&[f32]>; 2] = [Some(&[0.0, 1.0]), None];
        let soft = loss.of_probabilities(&logits, &rows, LayerKind::Single, 1).unwrap();
        assert!((hard - scalar(soft)).abs() < 1e-6);
        let answers = [&Answer::Multi(vec![Some(false), Some(true)]), &Answer::None];
        let hard = scalar(loss.of_labels(&logits, &answers, Normaliser(2.0)).unwrap());
        let soft = loss.of_probabilities(&logits, &rows, LayerKind::Multi, 1).unwrap();
        assert!((hard - scalar(soft)).abs() < 1e-6);
        let misfit: [Option<&[f32]>; 1] = [Some(&[1.0])];
        assert!(loss.of_probabilities(&logits, &misfit, LayerKind::Multi, 1).is_err());
    }

    #[test]
    fn optional_labels_cost_nothing() {
        let logits = Tensor::new(&[[100f32, 0.0]], &Device::Cpu).unwrap();
        let answer = Answer::Multi(vec![None, Some(true)]);
        let loss = plain(2);
        let value = loss.of_labels(&logits, &[&answer], Normaliser(1.0)).unwrap().unwrap();
        assert!((value.to_scalar::<f32>().unwrap() - 2f32.ln()).abs() < 1e-6);
    }
}
