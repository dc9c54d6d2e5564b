use candle_core::{Device, Tensor};
use candle_nn::VarBuilder;
use proptest::prelude::*;
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

use super::dense::{Dense, Scratch};
use super::rows::{Channels, add_dequantised, quantise};
use super::{Inference, Weights};
use crate::model::encoder::{Encoder, EncoderConfig, Packed};

fn random(n: usize, seed: u64) -> Vec<f32> {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    (0..n).map(|_| rng.random_range(-1.0..1.0)).collect()
}

/// A small encoder with random weights.
fn encoder() -> Encoder {
    let config = serde_json::json!({
        "vocab_size": 50, "hidden_size": 24, "num_hidden_layers": 2, "num_attention_heads": 3,
        "intermediate_size": 70, "max_position_embeddings": 40,
    });
    let config = EncoderConfig::parse(config.to_string().as_bytes(), "test").unwrap();
    let vars = candle_nn::VarMap::new();
    let vb = VarBuilder::from_varmap(&vars, candle_core::DType::F32, &Device::Cpu);
    let mut encoder = Encoder::load(vb, &config).unwrap();
    for (seed, (_, tensor)) in encoder.parameters_mut().into_iter().enumerate() {
        let values = random(tensor.elem_count(), seed as u64);
        *tensor = Tensor::from_vec(values, tensor.shape(), &Device::Cpu).unwrap();
    }
    encoder
}

fn sentences() -> Vec<Vec<u32>> {
    let mut rng = ChaCha8Rng::seed_from_u64(7);
    // One longer than a tile and many short ones.
    [40, 3, 1, 17, 8, 8, 25, 2, 33]
        .map(|n| (0..n).map(|_| rng.random_range(0..50)).collect())
        .into()
}

fn rows(hidden: &Tensor) -> Vec<Vec<f32>> {
    hidden.to_vec2().unwrap()
}

fn largest_difference(a: &[Vec<f32>], b: &[Vec<f32>]) -> f32 {
    let pairs = a.iter().flatten().zip(b.iter().flatten());
    pairs.map(|(a, b)| (a - b).abs()).fold(0.0, f32::max)
}

#[test]
fn floats_agree_with_the_trainable_encoder() {
    let encoder = encoder();
    let sentences = sentences();
    let batch = Packed::new(sentences.iter().map(Vec::as_slice));
    let plain = rows(&encoder.forward(&batch, &mut None).unwrap());
    let inference = Inference::new(&encoder, Weights::F32).unwrap();
    // Twice, for the buffers of the first pass are used again.
    for _ in 0..2 {
        let laid_out = rows(&inference.forward(&batch).unwrap());
        assert!(largest_difference(&plain, &laid_out) < 2e-4);
    }
}

#[test]
fn integers_come_near_and_do_not_depend_on_the_batch() {
    let encoder = encoder();
    let sentences = sentences();
    let inference = Inference::new(&encoder, Weights::Int8).unwrap();
    let batch = Packed::new(sentences.iter().map(Vec::as_slice));
    let plain = rows(&encoder.forward(&batch, &mut None).unwrap());
    let together = rows(&inference.forward(&batch).unwrap());
    let squares = |rows: &[Vec<f32>]| rows.iter().flatten().map(|x| x * x).sum::<f32>();
    let differences: Vec<Vec<f32>> = plain
        .iter()
        .zip(&together)
        .map(|(a, b)| a.iter().zip(b).map(|(a, b)| a - b).collect())
        .collect();
    assert!(squares(&differences) < 0.01 * squares(&plain));
    let alone: Vec<Vec<f32>> = sentences
        .iter()
        .flat_map(|s| rows(&inference.forward(&Packed::new([s.as_slice()])).unwrap()))
        .collect();
    assert!(largest_difference(&alone, &together) < 1e-5);
}

#[test]
fn what_does_not_fit_is_an_error() {
    let inference = Inference::new(&encoder(), Weights::F32).unwrap();
    assert!(inference.forward(&Packed::new([[50u32].as_slice()])).is_err());
    assert!(inference.forward(&Packed::new([[1u32; 41].as_slice()])).is_err());
    assert_eq!(inference.forward(&Packed::new([])).unwrap().dims(), [0, 24]);
}

#[test]
fn largest_weights_and_inputs_do_not_overflow() {
    // All products at the ends of their ranges: what 16-bit sums of two would not survive with
    // full 8-bit weights.
    let (inputs, outputs) = (1536, 5);
    let dense = Dense::new(&vec![1.0; inputs * outputs], vec![0.5; outputs], inputs, Weights::Int8);
    let mut y = vec![0.0; 2 * outputs];
    let x = vec![2.0; 2 * inputs];
    dense.unwrap().forward(&x, &mut y, &mut Scratch::default()).unwrap();
    assert!(y.iter().all(|y| (y - (2.0 * inputs as f32 + 0.5)).abs() < 1.0), "{y:?}");
}

proptest! {
    #[test]
    fn quantising_loses_half_a_step_at_most(x in prop::collection::vec(-50f32..50.0, 1..70)) {
        let mut q = vec![0; x.len()];
        let row = quantise(&x, &mut q);
        for (x, q) in x.iter().zip(&q) {
            let back = (i32::from(*q) - i32::from(row.zero)) as f32 * row.scale;
            prop_assert!((x - back).abs() <= row.scale * 1.01, "{x} came back as {back}");
        }
        // With weights of one, the product is the sum of the inputs.
        let channels = Channels { scales: vec![1.0], sums: vec![x.len() as f32] };
        let mut y = [0.25];
        add_dequantised(&[q.iter().map(|q| i32::from(*q)).sum()], row, &channels, &mut y);
        let expected = x.iter().sum::<f32>() + 0.25;
        prop_assert!((y[0] - expected).abs() <= x.len() as f32 * row.scale + 1e-3);
    }
}

/// Attention by panels is that of the trainable encoder, sentences of a token and of many tiles.
#[test]
fn attention_agrees_with_the_trainable_one() {
    let (heads, width) = (3, 24);
    let offsets = [0, 1, 6, 20, 87];
    let qkv = random(87 * 3 * width, 5);
    let mut out = vec![f32::NAN; 87 * width];
    let mut buffers = super::attention::Buffers::default();
    super::attention::attend(&qkv, &offsets, heads, None, &mut out, &mut buffers);
    let qkv = Tensor::from_vec(qkv, (87, 3 * width), &Device::Cpu).unwrap();
    let plain = crate::model::encoder::ops::attention::attention(&qkv, &offsets, heads, None);
    let plain: Vec<f32> = plain.unwrap().flatten_all().unwrap().to_vec1().unwrap();
    let difference = out.iter().zip(&plain).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
    assert!(difference < 1e-6, "{difference}");
}

/// A model gives the same labels whichever kernel a CPU has.
#[test]
fn both_kernels_of_integers_give_the_same_bits() {
    for (rows, inputs, outputs) in [(1, 5, 3), (14, 384, 64), (31, 70, 45), (3, 800, 33)] {
        let weights = random(outputs * inputs, 1);
        let bias = random(outputs, 2);
        let x = random(rows * inputs, 3);
        let here = Dense::new(&weights, bias.clone(), inputs, Weights::Int8).unwrap();
        let results = [here, Dense::without_vnni(&weights, bias, inputs)].map(|dense| {
            let mut y = vec![f32::NAN; rows * outputs];
            dense.forward(&x, &mut y, &mut Scratch::default()).unwrap();
            y.into_iter().map(f32::to_bits).collect::<Vec<_>>()
        });
        assert_eq!(results[0], results[1], "{rows} rows, {inputs} inputs, {outputs} outputs");
    }
}
