use candle_core::{DType, Device, Result, Tensor, Var};
use candle_nn::VarBuilder;
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

use super::inference::{Inference, Weights};
use super::ops::{attention, gelu, linear, norm, pool};
use super::{Encoder, EncoderConfig, Packed};

fn random(shape: (usize, usize), rng: &mut ChaCha8Rng) -> Tensor {
    let values: Vec<f32> = (0..shape.0 * shape.1).map(|_| rng.random_range(-1.5..1.5)).collect();
    Tensor::from_vec(values, shape, &Device::Cpu).unwrap()
}

fn difference(a: &Tensor, b: &Tensor) -> f32 {
    let d = (a - b).unwrap().abs().unwrap().flatten_all().unwrap();
    d.max(0).unwrap().to_scalar().unwrap()
}

/// The kernel and candle's own operations give the same values and the same gradients.
fn agree(
    inputs: &[Tensor],
    ours: impl Fn(&[Tensor]) -> Result<Tensor>,
    theirs: impl Fn(&[Tensor]) -> Result<Tensor>,
) {
    let run = |f: &dyn Fn(&[Tensor]) -> Result<Tensor>| {
        let vars: Vec<Var> = inputs.iter().map(|t| Var::from_tensor(t).unwrap()).collect();
        let tensors: Vec<Tensor> = vars.iter().map(|v| v.as_tensor().clone()).collect();
        let out = f(&tensors).unwrap();
        // A loss with a different gradient for every element.
        let n = out.elem_count();
        let slope = Tensor::arange(0f32, n as f32, &Device::Cpu).unwrap();
        let slope = (slope.reshape(out.shape()).unwrap() * 0.1).unwrap().sin().unwrap();
        let grads = (&out * slope).unwrap().sum_all().unwrap().backward().unwrap();
        let grads: Vec<Tensor> =
            vars.iter().map(|v| grads.get(v.as_tensor()).unwrap().clone()).collect();
        (out, grads)
    };
    let ((a, a_grads), (b, b_grads)) = (run(&ours), run(&theirs));
    assert!(difference(&a, &b) < 1e-5, "values differ by {}", difference(&a, &b));
    for (i, (a, b)) in a_grads.iter().zip(&b_grads).enumerate() {
        assert!(difference(a, b) < 5e-5, "gradient {i} differs by {}", difference(a, b));
    }
}

#[test]
fn linear_agrees_with_candle() {
    let mut rng = ChaCha8Rng::seed_from_u64(1);
    let bias = random((1, 5), &mut rng).flatten_all().unwrap();
    let inputs = [random((7, 12), &mut rng), random((5, 12), &mut rng), bias];
    agree(
        &inputs,
        |t| linear::linear(&t[0], &t[1], &t[2]),
        |t| t[0].matmul(&t[1].t()?)?.broadcast_add(&t[2]),
    );
}

#[test]
fn gelu_agrees_with_candle() {
    let mut rng = ChaCha8Rng::seed_from_u64(2);
    let x = (random((9, 33), &mut rng) * 4.0).unwrap();
    agree(&[x], |t| gelu::gelu(&t[0]), |t| t[0].gelu_erf());
}

#[test]
fn layer_norm_agrees_with_candle() {
    let mut rng = ChaCha8Rng::seed_from_u64(3);
    let row = |rng: &mut ChaCha8Rng| random((1, 37), rng).flatten_all().unwrap();
    let inputs = [random((6, 37), &mut rng), row(&mut rng), row(&mut rng)];
    agree(
        &inputs,
        |t| norm::layer_norm(&t[0], &t[1], &t[2], 1e-12),
        |t| candle_nn::ops::layer_norm_slow(&t[0], &t[1], &t[2], 1e-12),
    );
}

#[test]
fn attention_agrees_with_padding() {
    let mut rng = ChaCha8Rng::seed_from_u64(4);
    let offsets = [0, 3, 4, 11];
    agree(
        &[random((11, 3 * 24), &mut rng)],
        |t| attention::attention(&t[0], &offsets, 3, None),
        |t| attention::padded(&t[0], &offsets, 3, None),
    );
    let distance = super::DistanceBias::new(random((8, 3), &mut rng), 20).unwrap();
    agree(
        &[random((11, 3 * 24), &mut rng)],
        |t| attention::attention(&t[0], &offsets, 3, Some(&distance)),
        |t| attention::padded(&t[0], &offsets, 3, Some(&distance)),
    );
}

/// PyTorch's vectors of small random checkpoints of each family, by tests/golden/families.py.
#[test]
fn families_equal_the_reference() {
    for family in ["roberta", "distilbert", "mpnet"] {
        let folder = format!("{}/tests/golden/families/{family}", env!("CARGO_MANIFEST_DIR"));
        let read = |name: &str| std::fs::read(format!("{folder}/{name}")).unwrap();
        let config = EncoderConfig::parse(&read("config.json"), &folder).unwrap();
        let weights =
            crate::model::load_weights(&read("model.safetensors"), &Device::Cpu, &folder).unwrap();
        let vb = VarBuilder::from_tensors(weights.clone(), DType::F32, &Device::Cpu);
        let mut encoder = Encoder::load(vb, &config).unwrap();
        let golden =
            candle_core::safetensors::load_buffer(&read("golden.safetensors"), &Device::Cpu);
        let golden = golden.unwrap();
        let sentences: Vec<Vec<u32>> = ["ids.0", "ids.1"]
            .map(|name| golden[name].to_dtype(DType::U32).unwrap().to_vec1().unwrap())
            .into();
        let batch = Packed::new(sentences.iter().map(Vec::as_slice));
        let hidden = encoder.forward(&batch, &mut None).unwrap();
        let expected = Tensor::cat(&[&golden["hidden.0"], &golden["hidden.1"]], 0).unwrap();
        assert!(difference(&hidden, &expected) < 1e-4, "{family}");
        let laid_out = Inference::new(&encoder, Weights::F32).unwrap().forward(&batch).unwrap();
        assert!(difference(&laid_out, &expected) < 1e-4, "{family}");
        // What is written is what was read.
        let written = encoder.to_tensors().unwrap();
        for (name, tensor) in weights.iter().filter(|(name, _)| !name.starts_with("pooler.")) {
            let written = written.get(name).unwrap_or_else(|| panic!("{family}: {name}"));
            assert_eq!(written.dims(), tensor.dims(), "{family}: {name}");
        }
    }
}

#[test]
fn means_agree_with_a_product() {
    let mut rng = ChaCha8Rng::seed_from_u64(5);
    let average = [[0.5f32, 0.5, 0.0, 0.0, 0.0], [0.0, 0.0, 1.0, 0.0, 0.0]];
    agree(
        &[random((5, 8), &mut rng)],
        |t| pool::mean_of_runs(&t[0], &[0..2, 2..3]),
        |t| Tensor::new(&average, &Device::Cpu)?.matmul(&t[0]),
    );
    assert!(pool::mean_of_runs(&random((5, 8), &mut rng), std::slice::from_ref(&(2..2))).is_err());
}

#[test]
fn dropout_keeps_the_mean_and_can_be_repeated() {
    let x = Tensor::ones((200, 100), candle_core::DType::F32, &Device::Cpu).unwrap();
    let drop = |seed| super::ops::dropout::Dropout::new(0.1, seed).apply(&x).unwrap();
    let mean = drop(1).mean_all().unwrap().to_scalar::<f32>().unwrap();
    assert!((mean - 1.0).abs() < 0.01, "{mean}");
    assert_eq!(difference(&drop(1), &drop(1)), 0.0);
    assert!(difference(&drop(1), &drop(2)) > 0.0);
}
