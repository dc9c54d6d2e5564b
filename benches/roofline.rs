//! How near the encoder comes to what the machine can do at most.
//!
//!     cargo bench --bench roofline -- [--threads N] [--charts FOLDER]
//!
//! Measures how fast the cores multiply and add what already is in their registers: fused
//! multiply-adds of floats and, where there is AVX-512 VNNI, dot products of four 8-bit integers.
//! Then the whole encoder with its heads by length of sentence and by tokens in a batch. Prints
//! Markdown; draws `rate-by-length.svg` and `rate-by-batch.svg` into the folder, if one is given.

use std::error::Error;
use std::hint::black_box;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use candle_core::Device;
use clap::Parser;
use parallax::model::predict::{Batching, predict_all};
use parallax::model::{Bundle, Model, Precision, PrecisionChoice, Unit};
use plotters::prelude::*;
use pulp::{Arch, Simd, WithSimd};

/// Tokens in all sentences of one measurement.
const TOKENS: usize = 8192;
/// Sums that a core works on at a time when its peak is measured: enough for two units with a
/// latency of four cycles.
const SUMS: usize = 12;
/// Steps between two looks at the clock.
const STEPS: usize = 100_000;
/// Repetitions of which the median counts.
const TIMES: usize = 7;
const LENGTHS: [usize; 6] = [8, 16, 24, 32, 64, 128];
const BATCHES: [usize; 6] = [128, 256, 512, 1024, 2048, 4096];
/// Length of the sentences in the batches.
const USUAL: usize = 24;

#[derive(Parser)]
struct Args {
    #[arg(long)]
    threads: Option<usize>,
    /// Folder for the charts
    #[arg(long)]
    charts: Option<PathBuf>,
    /// Given by `cargo bench`
    #[arg(long, hide = true)]
    bench: bool,
}

/// What the encoder is made of.
struct Shape {
    blocks: usize,
    width: usize,
    inner: usize,
}

impl Shape {
    fn of(bundle: &Bundle) -> Result<Self, Box<dyn Error>> {
        let config: serde_json::Value = serde_json::from_slice(&bundle.config)?;
        let field = |name: &str| config[name].as_u64().map(|n| n as usize).ok_or("no such field");
        Ok(Shape {
            blocks: field("num_hidden_layers")?,
            width: field("hidden_size")?,
            inner: field("intermediate_size")?,
        })
    }

    /// Inputs and outputs of a block's linear layers.
    fn layers(&self) -> [(usize, usize); 4] {
        let (width, inner) = (self.width, self.inner);
        [(width, 3 * width), (width, width), (width, inner), (inner, width)]
    }

    /// Operations of a sentence of `n` tokens: two for each weight and token, and in each block
    /// queries by keys and probabilities by values.
    fn operations(&self, n: usize) -> f64 {
        let weights: usize = self.layers().iter().map(|(i, o)| i * o).sum();
        let attention = 2 * n * self.width;
        (2 * self.blocks * n * (weights + attention)) as f64
    }
}

fn main() -> Result<(), Box<dyn Error>> {
    let args = Args::parse();
    let bundle = Bundle::embedded()?;
    let shape = Shape::of(&bundle)?;
    let mut batching = Batching::for_device(&Device::Cpu);
    batching.workers = args.threads.unwrap_or(batching.workers);
    let workers = batching.workers;
    let peaks = [Some(peak(workers, || Arch::new().dispatch(Floats))), bytes_peak(workers)];
    let said =
        peaks.map(|peak| peak.map_or("not measured".into(), |p| format!("{:.0} G", p / 1e9)));
    println!("Operations a second in registers, {workers} threads:");
    println!("{} in f32, {} in int8\n", said[0], said[1]);

    let precisions = [Precision::F32, Precision::Int8];
    let models = precisions
        .map(|p| Model::load_for_scoring(&bundle, &[Device::Cpu], PrecisionChoice::Exactly(p)));
    let [f32, int8] = models;
    let models = [f32?, int8?];
    let rates = |length: usize, batching: Batching| -> Result<[f64; 2], Box<dyn Error>> {
        let mut found = [0.0; 2];
        for (model, rate) in models.iter().zip(&mut found) {
            *rate = sentences_a_second(model, length, batching)?;
        }
        Ok(found)
    };
    println!(
        "| tokens | MFLOP | f32, sentences/s | of the peak | int8, sentences/s | of the peak |"
    );
    println!("|---:|---:|---:|---:|---:|---:|");
    let mut by_length = Vec::new();
    for length in LENGTHS {
        let rate = rates(length, batching)?;
        let operations = shape.operations(length);
        let share = |i: usize| {
            let share = |peak| format!("{:.0}%", 100.0 * rate[i] * operations / peak);
            peaks[i].map_or(String::new(), share)
        };
        println!(
            "| {length} | {:.0} | {:.0} | {} | {:.0} | {} |",
            operations / 1e6,
            rate[0],
            share(0),
            rate[1],
            share(1)
        );
        by_length.push((length, rate.map(|r| r * length as f64)));
    }
    println!("\n| tokens in a batch | f32, sentences of {USUAL} tokens/s | int8 |");
    println!("|---:|---:|---:|");
    let mut by_batch = Vec::new();
    for tokens in BATCHES {
        let rate = rates(USUAL, Batching { tokens, ..batching })?;
        println!("| {tokens} | {:.0} | {:.0} |", rate[0], rate[1]);
        by_batch.push((tokens, rate.map(|r| r * USUAL as f64)));
    }
    if let Some(folder) = &args.charts {
        std::fs::create_dir_all(folder)?;
        chart(&folder.join("rate-by-length.svg"), "tokens in a sentence", &by_length)?;
        chart(&folder.join("rate-by-batch.svg"), "tokens in a batch", &by_batch)?;
    }
    Ok(())
}

fn median(mut seconds: Vec<f64>) -> f64 {
    seconds.sort_by(f64::total_cmp);
    seconds[seconds.len() / 2]
}

/// Operations a second of all threads, each of which calls `run` again and again; `run` gives the
/// number of its operations.
fn peak(threads: usize, run: impl Fn() -> usize + Sync) -> f64 {
    let one = || {
        let started = Instant::now();
        let mut operations = 0;
        while started.elapsed() < Duration::from_secs(2) {
            operations += run();
        }
        operations as f64 / started.elapsed().as_secs_f64()
    };
    std::thread::scope(|scope| {
        let running: Vec<_> = (0..threads).map(|_| scope.spawn(one)).collect();
        running.into_iter().map(|thread| thread.join().unwrap_or(0.0)).sum()
    })
}

/// Fused multiply-adds of floats.
struct Floats;

impl WithSimd for Floats {
    type Output = usize;

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) -> usize {
        let x = simd.splat_f32s(black_box(0.5));
        let mut sums = [simd.splat_f32s(0.0); SUMS];
        for _ in 0..STEPS {
            for sum in &mut sums {
                *sum = simd.mul_add_e_f32s(x, x, *sum);
            }
        }
        black_box(sums);
        2 * STEPS * SUMS * S::F32_LANES
    }
}

/// Dot products of four 8-bit integers, where the CPU has them for 512 bits.
fn bytes_peak(threads: usize) -> Option<f64> {
    #[cfg(target_arch = "x86_64")]
    if is_x86_feature_detected!("avx512f") && is_x86_feature_detected!("avx512vnni") {
        // SAFETY: the CPU has what the function was compiled for.
        return Some(peak(threads, || unsafe { bytes() }));
    }
    let _ = threads;
    None
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx512f,avx512vnni")]
fn bytes() -> usize {
    use std::arch::x86_64::*;
    let x = _mm512_set1_epi8(black_box(1));
    let mut sums = [_mm512_setzero_si512(); SUMS];
    for _ in 0..STEPS {
        for sum in &mut sums {
            *sum = _mm512_dpbusd_epi32(*sum, x, x);
        }
    }
    black_box(sums);
    2 * STEPS * SUMS * 64
}

/// Sentences of `length` tokens that the model labels in a second. Random word pieces: what a
/// token is does not matter for the time that it takes.
fn sentences_a_second(
    model: &Model,
    length: usize,
    batching: Batching,
) -> Result<f64, Box<dyn Error>> {
    let id = |i: usize| 1000 + (i as u32).wrapping_mul(2_654_435_761) % 20_000;
    let sentence = |s: usize| (0..length).map(|i| id(s * length + i)).collect();
    let units: Vec<Unit> =
        (0..TOKENS / length).map(|s| Unit { ids: sentence(s), ..Unit::default() }).collect();
    let units: Vec<&Unit> = units.iter().collect();
    predict_all(model, &units, batching, &|_| {})?;
    let mut seconds = Vec::new();
    for _ in 0..TIMES {
        let started = Instant::now();
        predict_all(model, &units, batching, &|_| {})?;
        seconds.push(started.elapsed().as_secs_f64());
    }
    Ok(units.len() as f64 / median(seconds))
}

/// Tokens a second in both precisions. What was measured stands at even distances.
fn chart(path: &Path, what: &str, rates: &[(usize, [f64; 2])]) -> Result<(), Box<dyn Error>> {
    let top = rates.iter().flat_map(|(_, r)| r).fold(0.0, |top: f64, r| top.max(*r)) / 1000.0;
    let last = rates.len().saturating_sub(1) as f64;
    let root = SVGBackend::new(path, (640, 360)).into_drawing_area();
    root.fill(&WHITE)?;
    let mut chart = ChartBuilder::on(&root)
        .margin(16)
        .margin_right(48)
        .x_label_area_size(40)
        .y_label_area_size(56)
        .build_cartesian_2d(0.0..last, 0.0..top * 1.1)?;
    let measured =
        |at: &f64| rates.get(at.round() as usize).map_or(String::new(), |(n, _)| n.to_string());
    chart
        .configure_mesh()
        .disable_x_mesh()
        .max_light_lines(0)
        .x_labels(rates.len())
        .x_desc(what)
        .y_desc("thousand tokens a second")
        .x_label_formatter(&measured)
        .y_label_formatter(&|rate| format!("{rate:.0}"))
        .draw()?;
    let looks = [("f32", RGBColor(90, 95, 102)), ("int8", RGBColor(0, 88, 143))];
    for (i, (name, colour)) in looks.into_iter().enumerate() {
        let mut points =
            rates.iter().enumerate().map(|(at, (_, rate))| (at as f64, rate[i] / 1000.0));
        chart.draw_series(LineSeries::new(points.clone(), colour.stroke_width(2)))?;
        chart.draw_series(points.clone().map(|p| Circle::new(p, 3, colour.filled())))?;
        let label = |p| {
            EmptyElement::at(p)
                + Text::new(name, (8, -6), ("sans-serif", 14).into_font().color(&colour))
        };
        chart.draw_series(points.next_back().map(label))?;
    }
    root.present()?;
    Ok(())
}
