//! What an interrupted run goes on from: parameters, the optimizer's moments, the best epoch
//! so far and where in the data it stood, in one safetensors file.

use std::collections::{BTreeMap, HashMap};
use std::path::Path;

use candle_core::{Device, Tensor};
use serde::{Deserialize, Serialize};

use super::optimizer::AdamW;
use crate::error::{Error, Result};

/// The header's key under which [`Position`] stands.
const POSITION: &str = "position";

/// Where a run stands.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub(super) struct Position {
    /// Hash of the recipe and the data; a checkpoint fits no other run.
    pub run: String,
    /// Steps taken.
    pub step: usize,
    /// Sum of the losses of the epoch's steps so far.
    pub epoch_loss: f32,
    /// Score and number of the best epoch so far.
    pub best: Option<(f64, usize)>,
}

/// Writes a checkpoint; the earlier one stays until this one is whole.
///
/// # Errors
/// If the file cannot be written.
pub(super) fn save(
    path: &Path,
    position: &Position,
    optimizer: &AdamW,
    best: Option<&[Tensor]>,
) -> Result<()> {
    let mut tensors: BTreeMap<String, Tensor> = BTreeMap::new();
    for (i, (parameter, moments)) in optimizer.moments().enumerate() {
        let name = &parameter.name;
        tensors.insert(format!("value {name}"), parameter.var.as_tensor().detach());
        for (moment, number) in moments.iter().zip(["first", "second"]) {
            let moment = Tensor::from_slice(moment, moment.len(), &Device::Cpu)?;
            tensors.insert(format!("{number} {name}"), moment);
        }
        if let Some(best) = best.and_then(|b| b.get(i)) {
            tensors.insert(format!("best {name}"), best.clone());
        }
    }
    let position = serde_json::to_string(position)
        .map_err(|e| Error::model(path.display(), format!("no checkpoint can be written: {e}")))?;
    let header = HashMap::from([(POSITION.to_owned(), position)]);
    let data = safetensors::serialize(tensors, Some(header))
        .map_err(|e| Error::model(path.display(), format!("no checkpoint can be written: {e}")))?;
    crate::files::write_whole(path, &data)
}

/// Puts a checkpoint's state into `optimizer` and returns where the run stood, with the best
/// epoch's parameters.
///
/// # Errors
/// If the file is unusable or belongs to another run than `run`.
pub(super) fn load(
    path: &Path,
    run: &str,
    optimizer: &mut AdamW,
) -> Result<(Position, Option<Vec<Tensor>>)> {
    let wrong = |message: String| {
        Error::model(path.display(), format!("the checkpoint {message}"))
            .with_hint("take it away, or give --force, to begin anew")
    };
    let data = std::fs::read(path).map_err(|e| Error::io(path, e))?;
    let (_, header) = safetensors::SafeTensors::read_metadata(&data)
        .map_err(|e| wrong(format!("is unusable: {e}")))?;
    let position: Position = header
        .metadata()
        .as_ref()
        .and_then(|m| serde_json::from_str(m.get(POSITION)?).ok())
        .ok_or_else(|| wrong("is none of a training run".into()))?;
    if position.run != run {
        return Err(wrong("belongs to a run with another recipe or other data".into()));
    }
    let tensors = candle_core::safetensors::load_buffer(&data, &Device::Cpu)
        .map_err(|e| wrong(format!("is unusable: {e}")))?;
    drop(data);
    let values = |name: String| -> Option<Vec<f32>> {
        tensors.get(&name)?.flatten_all().ok()?.to_vec1().ok()
    };
    optimizer
        .restore(position.step, |name| {
            let [value, first, second] =
                ["value", "first", "second"].map(|part| values(format!("{part} {name}")));
            Some([value?, first?, second?])
        })
        .map_err(|e| wrong(e.to_string()))?;
    let best = position.best.map(|_| {
        let best = |p: &super::optimizer::Parameter| tensors.get(&format!("best {}", p.name));
        optimizer.parameters.iter().map(|p| best(p).cloned()).collect::<Option<Vec<Tensor>>>()
    });
    match best {
        Some(None) => Err(wrong("lacks the best epoch".into())),
        Some(best) => Ok((position, best)),
        None => Ok((position, None)),
    }
}

#[cfg(test)]
mod tests {
    use candle_core::Var;

    use super::super::optimizer::Parameter;
    use super::*;

    fn optimizer(start: f32) -> AdamW {
        let var = Var::new(&[[start, 2.0], [3.0, 4.0]], &Device::Cpu).unwrap();
        AdamW::new(vec![Parameter::new("encoder.x".into(), var, 0.1, 0.0)])
    }

    fn step(optimizer: &mut AdamW) {
        let loss = optimizer.parameters[0].var.sqr().unwrap().sum_all().unwrap();
        optimizer.step(&[loss.backward().unwrap()], 1.0, 1.0).unwrap();
    }

    fn values(optimizer: &AdamW) -> Vec<f32> {
        optimizer.parameters[0].var.flatten_all().unwrap().to_vec1().unwrap()
    }

    #[test]
    fn a_run_goes_on_as_if_it_had_not_stopped() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("checkpoint.safetensors");
        let mut whole = optimizer(1.0);
        step(&mut whole);
        let best = [whole.parameters[0].var.as_tensor().copy().unwrap()];
        let run = "a".to_owned();
        let position = Position { run, step: 1, epoch_loss: 0.5, best: Some((0.7, 1)) };
        save(&path, &position, &whole, Some(&best)).unwrap();
        step(&mut whole);
        let mut second = optimizer(9.0);
        let (found, best) = load(&path, "a", &mut second).unwrap();
        assert_eq!(found, position);
        assert_eq!(best.unwrap()[0].dims(), [2, 2]);
        step(&mut second);
        assert_eq!(values(&whole), values(&second));
    }

    #[test]
    fn a_checkpoint_of_another_run_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("checkpoint.safetensors");
        save(&path, &Position::default(), &optimizer(1.0), None).unwrap();
        let other = load(&path, "b", &mut optimizer(1.0)).unwrap_err();
        assert!(other.to_string().contains("another recipe") && other.hint().is_some());
        std::fs::write(&path, b"nothing").unwrap();
        assert!(load(&path, "b", &mut optimizer(1.0)).is_err());
    }
}
