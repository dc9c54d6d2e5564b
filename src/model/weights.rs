//! `model.safetensors`, read as 32-bit floats and written in one of two ways.
//!
//! [`Storage::Half`] keeps every tensor under its name as 16-bit floats, which other programs read
//! too. [`Storage::Compact`] keeps large matrices as integers with a step, so that a number is the
//! integer times the step of its group: `NAME.q8`, 8 bits, a step for each row, and for the word
//! table, which is the largest of all and bears it best, `NAME.q4`, 4 bits, two in a byte and a step
//! for every [`GROUP`] numbers of a row. The steps are 16-bit floats, `NAME.step` (rows, groups).

use std::collections::{BTreeMap, HashMap};

use candle_core::safetensors::Load;
use candle_core::{DType, Device, Tensor};
use half::f16;
use rayon::prelude::*;
use safetensors::tensor::{Dtype, TensorView};
use safetensors::{SafeTensorError, SafeTensors};

use crate::error::{Error, Result};

/// Numbers of the word table that share a step.
const GROUP: usize = 32;
/// Largest integer of 8 bits that is used: the largest of the encoder laid out in 8 bits
/// ([`Weights::Int8`](super::encoder::inference::Weights)) too, which rounds what is read here once
/// more, with a step for every few hundred inputs of a row.
const MOST_8: f32 = 63.0;
/// Largest integer of 4 bits that is used, so that a step serves both signs alike.
const MOST_4: f32 = 7.0;
/// In 4 bits a few large numbers are better cut off than given a step that is coarse for all others:
/// of these shares of the largest the one with the least squared error is taken.
const CUTS: [f32; 7] = [1.0, 0.95, 0.9, 0.85, 0.8, 0.75, 0.7];
/// Matrices with fewer rows or columns stay 16-bit floats: they weigh nothing.
const SMALLEST: usize = 64;
/// What the name of the word table ends with.
const WORDS: &str = "word_embeddings.weight";

/// How weights are kept on disk.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Storage {
    /// 16-bit floats.
    #[default]
    Half,
    /// Matrices in 8 bits and the word table in 4.
    Compact,
}

/// A tensor as it lies in the file, in its parts.
type Parts = Vec<(String, Dtype, Vec<usize>, Vec<u8>)>;

impl Storage {
    /// How the weights in `data` are kept.
    pub fn of(data: &[u8]) -> Self {
        let compact = |tensors: SafeTensors<'_>| {
            tensors.names().iter().any(|n| n.ends_with(".q8") || n.ends_with(".q4"))
        };
        match SafeTensors::deserialize(data).is_ok_and(compact) {
            true => Storage::Compact,
            false => Storage::Half,
        }
    }

    /// The numbers that come back when `tensor` is written under `name` and read again; rounded
    /// once, they stay as they are.
    ///
    /// # Errors
    /// If the tensor cannot be read.
    pub fn rounded(self, name: &str, tensor: &Tensor) -> candle_core::Result<Tensor> {
        let shape = tensor.dims();
        let Some(bits) = self.bits(name, shape) else {
            return tensor.to_dtype(DType::F16)?.to_dtype(DType::F32);
        };
        let mut values = numbers(tensor)?;
        for row in values.chunks_exact_mut(shape[1]) {
            for group in row.chunks_exact_mut(bits.group(shape[1])) {
                let step = bits.step(group).to_f32();
                group.iter_mut().for_each(|x| *x = f32::from(bits.integer(*x, step)) * step);
            }
        }
        Tensor::from_vec(values, shape, tensor.device())
    }

    /// The contents of a `model.safetensors` with these tensors.
    ///
    /// # Errors
    /// If one cannot be read.
    pub fn write(self, tensors: &BTreeMap<String, Tensor>) -> Result<Vec<u8>> {
        let wrong = |e: &dyn std::fmt::Display| {
            Error::model("new bundle", format!("cannot write the weights: {e}"))
        };
        let mut parts = Parts::new();
        for (name, tensor) in tensors {
            parts.extend(self.parts(name, tensor).map_err(|e| wrong(&e))?);
        }
        let views = parts
            .iter()
            .map(|(name, dtype, shape, data)| {
                Ok((name, TensorView::new(*dtype, shape.clone(), data)?))
            })
            .collect::<std::result::Result<Vec<_>, SafeTensorError>>()
            .map_err(|e| wrong(&e))?;
        safetensors::serialize(views, None).map_err(|e| wrong(&e))
    }

    fn parts(self, name: &str, tensor: &Tensor) -> candle_core::Result<Parts> {
        let shape = tensor.dims().to_vec();
        let values = numbers(tensor)?;
        let Some(bits) = self.bits(name, &shape) else {
            let halves = values.iter().flat_map(|x| f16::from_f32(*x).to_le_bytes()).collect();
            return Ok(vec![(name.to_owned(), Dtype::F16, shape, halves)]);
        };
        let (rows, columns) = (shape[0], shape[1]);
        let group = bits.group(columns);
        let (mut integers, mut steps) = (Vec::with_capacity(values.len()), Vec::new());
        for group in values.chunks_exact(group) {
            let step = bits.step(group);
            steps.extend(step.to_le_bytes());
            integers.extend(group.iter().map(|x| bits.integer(*x, step.to_f32())));
        }
        let (name_of, dtype, columns_of, data) = match bits {
            Bits::Eight => {
                ("q8", Dtype::I8, columns, integers.iter().map(|q| *q as u8).collect::<Vec<u8>>())
            }
            Bits::Four => {
                ("q4", Dtype::U8, columns / 2, integers.chunks_exact(2).map(pack).collect())
            }
        };
        Ok(vec![
            (format!("{name}.{name_of}"), dtype, vec![rows, columns_of], data),
            (format!("{name}.step"), Dtype::F16, vec![rows, columns / group], steps),
        ])
    }

    /// The integers that a tensor is kept as, if it is.
    fn bits(self, name: &str, shape: &[usize]) -> Option<Bits> {
        match (self, shape) {
            (Storage::Compact, &[_, columns])
                if name.ends_with(WORDS) && columns.is_multiple_of(GROUP) =>
            {
                Some(Bits::Four)
            }
            (Storage::Compact, &[rows, columns]) if rows.min(columns) >= SMALLEST => {
                Some(Bits::Eight)
            }
            _ => None,
        }
    }
}

/// Width of the integers.
#[derive(Debug, Clone, Copy)]
enum Bits {
    Eight,
    Four,
}

impl Bits {
    /// Numbers that share a step, in rows of so many.
    fn group(self, columns: usize) -> usize {
        match self {
            Bits::Eight => columns,
            Bits::Four => GROUP,
        }
    }

    /// The integer of a number.
    fn integer(self, x: f32, step: f32) -> i8 {
        let most = match self {
            Bits::Eight => MOST_8,
            Bits::Four => MOST_4,
        };
        if step > 0.0 { (x / step).round().clamp(-most, most) as i8 } else { 0 }
    }

    /// The step of a group.
    fn step(self, group: &[f32]) -> f16 {
        let largest = group.iter().fold(0f32, |most, x| most.max(x.abs()));
        let most = match self {
            Bits::Eight => return f16::from_f32(largest / MOST_8),
            Bits::Four => MOST_4,
        };
        let mut best = (f32::INFINITY, f16::ZERO);
        for cut in CUTS {
            let step = f16::from_f32(largest * cut / most);
            let rounded = |x: f32| f32::from(self.integer(x, step.to_f32())) * step.to_f32();
            let error = group.iter().map(|x| (x - rounded(*x)).powi(2)).sum();
            if error < best.0 {
                best = (error, step);
            }
            // What was rounded before, as a table that is not trained, lies on these steps already.
            if error == 0.0 {
                break;
            }
        }
        best.1
    }
}

/// Two integers of 4 bits in a byte, the first in the lower half.
fn pack(pair: &[i8]) -> u8 {
    (pair[0] as u8 & 0x0f) | (pair[1] as u8) << 4
}

fn unpack(byte: u8) -> [i8; 2] {
    // Shifting right brings the sign down.
    [(byte << 4) as i8 >> 4, byte as i8 >> 4]
}

fn numbers(tensor: &Tensor) -> candle_core::Result<Vec<f32>> {
    tensor.to_device(&Device::Cpu)?.to_dtype(DType::F32)?.flatten_all()?.to_vec1()
}

/// Reads safetensors as `f32` tensors on a device, however they are kept.
///
/// # Errors
/// If the data are no safetensors, hold another kind of number than floats, or integers without
/// fitting steps.
pub fn load_weights(data: &[u8], device: &Device, place: &str) -> Result<HashMap<String, Tensor>> {
    let wrong = |e: &dyn std::fmt::Display| {
        Error::model(place, format!("model.safetensors is unusable: {e}"))
    };
    let tensors = SafeTensors::deserialize(data).map_err(|e| wrong(&e))?;
    let all: Vec<_> = tensors.iter().filter(|(name, _)| !is_step(name, &tensors)).collect();
    let read = |(name, view): &(&str, TensorView)| {
        let integers = name.strip_suffix(".q8").or_else(|| name.strip_suffix(".q4"));
        let steps = |name: &str| tensors.tensor(&format!("{name}.step")).ok();
        let (name, tensor) = match integers.and_then(|name| Some((name, steps(name)?))) {
            Some((name, steps)) => {
                let tensor = restored(view, &steps)
                    .ok_or_else(|| wrong(&format!("{name} and its steps do not fit")))?;
                (name, tensor)
            }
            None => (*name, view.load(&Device::Cpu)),
        };
        let tensor = tensor.and_then(|t| t.to_dtype(DType::F32));
        Ok((name.to_owned(), tensor.map_err(|e| wrong(&e))?))
    };
    let read: Vec<(String, Tensor)> = all.par_iter().map(read).collect::<Result<_>>()?;
    let on_device = |(name, t): (String, Tensor)| Ok((name, t.to_device(device)?));
    read.into_iter().map(on_device).collect::<candle_core::Result<_>>().map_err(|e| wrong(&e))
}

/// Whether a tensor is the steps of another.
fn is_step(name: &str, tensors: &SafeTensors<'_>) -> bool {
    let has = |name: &str, kind: &str| tensors.tensor(&format!("{name}.{kind}")).is_ok();
    name.strip_suffix(".step").is_some_and(|name| has(name, "q8") || has(name, "q4"))
}

/// The numbers of integers and their steps; `None` if the two do not fit each other.
fn restored(integers: &TensorView, steps: &TensorView) -> Option<candle_core::Result<Tensor>> {
    let (&[rows, bytes], &[rows_of_steps, groups]) = (integers.shape(), steps.shape()) else {
        return None;
    };
    let in_a_byte = match integers.dtype() {
        Dtype::I8 => 1,
        Dtype::U8 => 2,
        _ => return None,
    };
    let columns = bytes.checked_mul(in_a_byte)?;
    if rows != rows_of_steps
        || steps.dtype() != Dtype::F16
        || columns == 0
        || groups == 0
        || !columns.is_multiple_of(groups)
        || !bytes.is_multiple_of(groups)
    {
        return None;
    }
    let group = columns / groups;
    let mut values = vec![0f32; rows * columns];
    let rows_of = integers.data().par_chunks(bytes).zip(steps.data().par_chunks(2 * groups));
    values.par_chunks_mut(columns).zip(rows_of).for_each(|(row, (integers, steps))| {
        let steps = steps.chunks_exact(2).map(|b| f16::from_le_bytes([b[0], b[1]]).to_f32());
        let parts = row.chunks_exact_mut(group).zip(integers.chunks_exact(bytes / groups));
        for ((values, integers), step) in parts.zip(steps) {
            if in_a_byte == 1 {
                let integers = integers.iter().map(|b| *b as i8);
                values.iter_mut().zip(integers).for_each(|(x, q)| *x = f32::from(q) * step);
                continue;
            }
            for (pair, byte) in values.chunks_exact_mut(2).zip(integers) {
                let [first, second] = unpack(*byte);
                pair[0] = f32::from(first) * step;
                pair[1] = f32::from(second) * step;
            }
        }
    });
    Some(Tensor::from_vec(values, (rows, columns), &Device::Cpu))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn random(rows: usize, columns: usize) -> Tensor {
        Tensor::randn(0f32, 0.05, (rows, columns), &Device::Cpu).unwrap()
    }

    fn tensors() -> BTreeMap<String, Tensor> {
        [
            ("embeddings.word_embeddings.weight", random(70, 96)),
            ("encoder.layer.0.output.dense.weight", random(64, 128)),
            ("layers.topic.output.weight", random(3, 96)),
            ("encoder.layer.0.output.dense.bias", random(1, 64).squeeze(0).unwrap()),
            ("zeros.weight", Tensor::zeros((64, 64), DType::F32, &Device::Cpu).unwrap()),
        ]
        .map(|(name, tensor)| (name.to_owned(), tensor))
        .into()
    }

    fn error(a: &Tensor, b: &Tensor) -> f32 {
        let size = |t: &Tensor| t.sqr().unwrap().sum_all().unwrap().to_scalar::<f32>().unwrap();
        (size(&(a - b).unwrap()) / size(a).max(1e-9)).sqrt()
    }

    #[test]
    fn what_is_written_is_read_again() {
        for storage in [Storage::Half, Storage::Compact] {
            let tensors = tensors();
            let file = storage.write(&tensors).unwrap();
            assert_eq!(Storage::of(&file), storage);
            let read = load_weights(&file, &Device::Cpu, "here").unwrap();
            assert_eq!(read.len(), tensors.len());
            for (name, tensor) in &tensors {
                assert_eq!(read[name].dims(), tensor.dims());
                let rounded = storage.rounded(name, tensor).unwrap();
                assert_eq!(error(&rounded, &read[name]), 0.0, "{name}");
                // Four bits cost a tenth of a number's size, eight about a hundredth.
                let most = match (storage, name.ends_with(WORDS)) {
                    (Storage::Half, _) => 0.0004,
                    (Storage::Compact, true) => 0.11,
                    (Storage::Compact, false) => 0.016,
                };
                assert!(error(tensor, &read[name]) <= most, "{name}");
                // Written again it is the same.
                assert_eq!(error(&storage.rounded(name, &read[name]).unwrap(), &read[name]), 0.0);
            }
            let again: BTreeMap<String, Tensor> = read.into_iter().collect();
            assert_eq!(storage.write(&again).unwrap(), file);
        }
    }

    #[test]
    fn every_integer_of_four_bits_comes_back() {
        for first in -7..=7 {
            for second in -7..=7 {
                assert_eq!(unpack(pack(&[first, second])), [first, second]);
            }
        }
    }

    #[test]
    fn integers_without_fitting_steps_are_refused() {
        let file = |steps: Vec<usize>, dtype: Dtype| {
            let (integers, bytes) = ([1u8; 64], [0u8; 256]);
            let size = steps.iter().product::<usize>() * if dtype == Dtype::F16 { 2 } else { 4 };
            let tensors = [
                ("w.q8", TensorView::new(Dtype::I8, vec![8, 8], &integers).unwrap()),
                ("w.step", TensorView::new(dtype, steps, &bytes[..size]).unwrap()),
            ];
            safetensors::serialize(tensors, None).unwrap()
        };
        let load = |data: &[u8]| load_weights(data, &Device::Cpu, "here");
        assert!(load(&file(vec![8, 1], Dtype::F16)).is_ok());
        for (steps, dtype) in [
            (vec![7, 1], Dtype::F16),
            (vec![8, 3], Dtype::F16),
            (vec![8, 0], Dtype::F16),
            (vec![8], Dtype::F16),
            (vec![8, 1], Dtype::F32),
        ] {
            let error = load(&file(steps, dtype)).unwrap_err();
            assert!(error.to_string().contains("w and its steps"), "{error}");
        }
        assert!(load(b"nothing").is_err());
    }
}
