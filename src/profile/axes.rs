//! Framing axes between opposed words or sentences (FrameAxis: Kwak, An, Jing & Ahn 2021,
//! "FrameAxis: characterizing microframe bias and intensity with word embedding", *PeerJ
//! Computer Science* 7).
//!
//! An axis leads from the mean of its negative pole's vectors to that of its positive pole's. Each
//! sentence has its place on it, the cosine. An outlet's *bias* is the mean place of its
//! sentences, its *intensity* the mean square of their distances from the mean
//! place of the whole corpus: how much the outlet leaves the middle, to whichever side.
//! Where the paper weighs the words of a document, a sentence is one observation here. Bias is
//! the paper's word for a mean; it says nothing on whether the outlet is fair.

use std::collections::BTreeMap;

use ndarray::Array2;
use rayon::prelude::*;
use serde::{Deserialize, Serialize};

use super::{
    Settings,
    bootstrap::{Estimate, Ratio, Resampled},
};
use crate::error::{Error, Result};

/// An axis through the space of sentence vectors.
#[derive(Debug, Clone, PartialEq)]
pub struct Axis {
    name: String,
    /// Of length 1.
    direction: Vec<f32>,
    apart: Option<(usize, usize)>,
}

impl Axis {
    /// The axis between the mean directions of two poles' vectors.
    ///
    /// # Errors
    /// If a pole is empty, vectors differ in width, or the poles cannot be told apart.
    pub fn new(name: &str, positive: &[Vec<f32>], negative: &[Vec<f32>]) -> Result<Self> {
        let wrong = |what: &str| Error::setting(format!("axis {name:?}: {what}"));
        let width = positive.first().map_or(0, Vec::len);
        if positive.is_empty() || negative.is_empty() || width == 0 {
            return Err(wrong("each pole needs at least one word or sentence"));
        }
        if positive.iter().chain(negative).any(|v| v.len() != width) {
            return Err(wrong("its poles' vectors differ in width"));
        }
        let unit = |pole: &[Vec<f32>]| -> Option<Vec<Vec<f32>>> {
            pole.iter().map(|v| normalised(v)).collect()
        };
        let poles = unit(positive).zip(unit(negative));
        let (positive, negative) = poles.ok_or_else(|| wrong("a pole's vector has no length"))?;
        let direction = normalised(&minus(&mean(&positive, width), &mean(&negative, width)))
            .ok_or_else(|| wrong("its poles have the same vector"))?;
        let apart = told_apart(&positive, &negative, width);
        Ok(Axis { name: name.to_owned(), direction, apart })
    }

    /// Its name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The cosine of a vector with the axis, −1 to +1; `None` for another width or no length.
    pub fn place(&self, vector: &[f32]) -> Option<f32> {
        let length = dot(vector, vector).sqrt();
        let fits = vector.len() == self.direction.len() && length > 0.0;
        fits.then(|| (dot(vector, &self.direction) / length).clamp(-1.0, 1.0) as f32)
    }

    /// How many of the poles' words or sentences lie on the right side of an axis made from
    /// the others, and how many there are; `None` where a pole has only one. An axis that
    /// does not tell its own poles apart measures something else.
    pub fn apart(&self) -> Option<(usize, usize)> {
        self.apart
    }
}

fn dot(a: &[f32], b: &[f32]) -> f64 {
    a.iter().zip(b).map(|(x, y)| f64::from(*x) * f64::from(*y)).sum()
}

fn normalised(v: &[f32]) -> Option<Vec<f32>> {
    let length = dot(v, v).sqrt();
    let usable = length.is_finite() && length > 1e-9;
    usable.then(|| v.iter().map(|x| (f64::from(*x) / length) as f32).collect())
}

fn mean(vectors: &[Vec<f32>], width: usize) -> Vec<f32> {
    let mut sum = vec![0f64; width];
    for vector in vectors {
        sum.iter_mut().zip(vector).for_each(|(s, x)| *s += f64::from(*x));
    }
    sum.into_iter().map(|s| (s / vectors.len() as f64) as f32).collect()
}

fn minus(a: &[f32], b: &[f32]) -> Vec<f32> {
    a.iter().zip(b).map(|(x, y)| x - y).collect()
}

/// Leaves each vector of the poles out in turn and asks which side of the middle it lies on.
fn told_apart(
    positive: &[Vec<f32>],
    negative: &[Vec<f32>],
    width: usize,
) -> Option<(usize, usize)> {
    if positive.len() < 2 || negative.len() < 2 {
        return None;
    }
    let right = |mine: &[Vec<f32>], theirs: &[Vec<f32>]| {
        let theirs = mean(theirs, width);
        let side = |i: &usize| {
            let others: Vec<Vec<f32>> =
                mine.iter().enumerate().filter(|(j, _)| j != i).map(|(_, v)| v.clone()).collect();
            let others = mean(&others, width);
            let direction = minus(&others, &theirs);
            let middle = (dot(&others, &direction) + dot(&theirs, &direction)) / 2.0;
            dot(&mine[*i], &direction) > middle
        };
        (0..mine.len()).filter(side).count()
    };
    let n = right(positive, negative) + right(negative, positive);
    Some((n, positive.len() + negative.len()))
}

/// An outlet's place on an axis: a row of `axis_profiles.parquet`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct AxisProfileRow {
    /// The outlet.
    pub outlet: String,
    /// The axis.
    pub axis: String,
    /// Articles with at least one sentence that has a place.
    pub n_articles: u64,
    /// Such sentences.
    pub n_sentences: u64,
    /// Mean place of all sentences of the corpus, −1 to +1: what the outlet is read against.
    pub baseline: f64,
    /// Mean place of the outlet's sentences, −1 to +1.
    pub bias: f64,
    /// Lower end of the interval of the bias; `None` where the articles are too few.
    pub bias_low: Option<f64>,
    /// Upper end.
    pub bias_high: Option<f64>,
    /// Mean square of the sentences' distances from the baseline.
    pub intensity: f64,
    /// Lower end of the interval of the intensity.
    pub intensity_low: Option<f64>,
    /// Upper end.
    pub intensity_high: Option<f64>,
}

/// How two outlets differ on an axis: a row of `axis_contrasts.parquet`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct AxisContrastRow {
    /// The first outlet by name.
    pub outlet_a: String,
    /// The second.
    pub outlet_b: String,
    /// The axis.
    pub axis: String,
    /// Bias of the first less that of the second.
    pub difference: f64,
    /// Lower end of its interval; `None` where the articles are too few.
    pub low: Option<f64>,
    /// Upper end.
    pub high: Option<f64>,
}

/// Sums over one article's sentences on one axis.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
struct Sums {
    n: f64,
    places: f64,
    squares: f64,
}

/// Places of sentences by outlet and article; no sentence is held.
#[derive(Debug, Clone, Default)]
pub struct Places {
    axes: Vec<String>,
    /// By outlet, then article: the sums on each axis.
    outlets: BTreeMap<String, BTreeMap<String, Vec<Sums>>>,
}

impl Places {
    /// Starts an empty table for some axes.
    pub fn new(axes: &[Axis]) -> Self {
        Places { axes: axes.iter().map(|a| a.name.clone()).collect(), outlets: BTreeMap::new() }
    }

    /// Adds a sentence with its place on each axis.
    pub fn push(&mut self, outlet: &str, article: &str, places: &[Option<f32>]) {
        if !self.outlets.contains_key(outlet) {
            self.outlets.insert(outlet.to_owned(), BTreeMap::new());
        }
        let Some(articles) = self.outlets.get_mut(outlet) else { return };
        if !articles.contains_key(article) {
            articles.insert(article.to_owned(), vec![Sums::default(); self.axes.len()]);
        }
        let Some(sums) = articles.get_mut(article) else { return };
        for (sums, place) in sums.iter_mut().zip(places) {
            let Some(place) = place.map(f64::from) else { continue };
            sums.n += 1.0;
            sums.places += place;
            sums.squares += place * place;
        }
    }

    /// Mean place of all sentences on an axis.
    fn baseline(&self, axis: usize) -> f64 {
        let all = self.outlets.values().flat_map(BTreeMap::values).filter_map(|a| a.get(axis));
        let (n, places) = all.fold((0.0, 0.0), |(n, p), s| (n + s.n, p + s.places));
        if n > 0.0 { places / n } else { 0.0 }
    }

    /// Bias and intensity of each outlet on each axis, and for each pair of outlets the
    /// difference of their biases (of at most [`Settings::max_outlets`], those with most articles). Intervals
    /// are from a bootstrap of whole articles; the baseline is taken as it is.
    pub fn profiles(&self, settings: &Settings) -> (Vec<AxisProfileRow>, Vec<AxisContrastRow>) {
        let axes = (0..self.axes.len()).into_par_iter();
        let of_axes: Vec<_> = axes.map(|axis| self.on_axis(axis, settings)).collect();
        let (profiles, contrasts): (Vec<_>, Vec<_>) = of_axes.into_iter().unzip();
        (profiles.concat(), contrasts.concat())
    }

    fn on_axis(
        &self,
        axis: usize,
        settings: &Settings,
    ) -> (Vec<AxisProfileRow>, Vec<AxisContrastRow>) {
        let baseline = self.baseline(axis);
        let name = self.axes[axis].as_str();
        let outlets: Vec<(&String, Resampled)> = self
            .outlets
            .iter()
            .filter_map(|(outlet, articles)| {
                let sums: Vec<&Sums> =
                    articles.values().filter_map(|a| a.get(axis)).filter(|s| s.n > 0.0).collect();
                let counts = Array2::from_shape_fn((sums.len(), 3), |(i, column)| {
                    let s = sums[i];
                    match column {
                        PLACES => s.places,
                        SQUARES => {
                            s.squares - 2.0 * baseline * s.places + baseline * baseline * s.n
                        }
                        _ => s.n,
                    }
                });
                let any = !sums.is_empty();
                any.then(|| (outlet, Resampled::new(counts, settings, &["axis", name, outlet])))
            })
            .collect();
        let profiles = outlets.iter().map(|(outlet, r)| row(outlet, name, baseline, r)).collect();
        let mut compared: Vec<&(&String, Resampled)> = outlets.iter().collect();
        compared.sort_by_key(|(_, r)| std::cmp::Reverse(r.n_articles()));
        compared.truncate(settings.max_outlets);
        compared.sort_by_key(|(outlet, _)| *outlet);
        let mut contrasts = Vec::new();
        for (i, (a, ra)) in compared.iter().enumerate() {
            for (b, rb) in compared.iter().skip(i + 1) {
                let Estimate { value, interval } = ra.difference(rb, BIAS);
                contrasts.push(AxisContrastRow {
                    outlet_a: (*a).clone(),
                    outlet_b: (*b).clone(),
                    axis: name.to_owned(),
                    difference: value.unwrap_or_default(),
                    low: interval.map(|i| i.0),
                    high: interval.map(|i| i.1),
                });
            }
        }
        (profiles, contrasts)
    }
}

const PLACES: usize = 0;
const SQUARES: usize = 1;
const SENTENCES: usize = 2;
const BIAS: Ratio = Ratio { numerator: PLACES, denominator: SENTENCES, range: (-1.0, 1.0) };
/// Two cosines are at most 2 apart.
const INTENSITY: Ratio = Ratio { numerator: SQUARES, denominator: SENTENCES, range: (0.0, 4.0) };

fn row(outlet: &str, axis: &str, baseline: f64, resampled: &Resampled) -> AxisProfileRow {
    let bias = resampled.estimate(BIAS);
    let intensity = resampled.estimate(INTENSITY);
    AxisProfileRow {
        outlet: outlet.to_owned(),
        axis: axis.to_owned(),
        n_articles: resampled.n_articles() as u64,
        n_sentences: resampled.total(SENTENCES) as u64,
        baseline,
        bias: bias.value.unwrap_or_default(),
        bias_low: bias.interval.map(|i| i.0),
        bias_high: bias.interval.map(|i| i.1),
        // Rounding can leave less than nothing of a sum of squares.
        intensity: intensity.value.unwrap_or_default().max(0.0),
        intensity_low: intensity.interval.map(|i| i.0.max(0.0)),
        intensity_high: intensity.interval.map(|i| i.1.max(0.0)),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn axis() -> Axis {
        let (east, west) =
            (vec![vec![2.0, 0.0], vec![1.0, 0.1]], vec![vec![-1.0, 0.0], vec![-3.0, 0.2]]);
        Axis::new("east", &east, &west).expect("its poles lie apart")
    }

    #[test]
    fn places_are_cosines() {
        let axis = axis();
        assert_eq!(axis.apart(), Some((4, 4)));
        assert!(axis.place(&[5.0, 0.0]).is_some_and(|p| p > 0.99));
        assert!(axis.place(&[-0.1, 0.0]).is_some_and(|p| p < -0.99));
        assert!(axis.place(&[0.0, 1.0]).is_some_and(|p| p.abs() < 0.1));
        assert_eq!(axis.place(&[0.0, 0.0]), None);
        assert_eq!(axis.place(&[1.0]), None);
    }

    #[test]
    fn poles_must_differ() {
        let one = vec![vec![1.0, 0.0]];
        assert!(Axis::new("x", &one, &one).is_err());
        assert!(Axis::new("x", &one, &[]).is_err());
        assert!(Axis::new("x", &one, &[vec![1.0]]).is_err());
        assert!(Axis::new("x", &one, &[vec![0.0, 0.0]]).is_err());
    }

    #[test]
    fn bias_and_intensity_by_hand() {
        let mut places = Places::new(&[axis()]);
        for article in 0..6 {
            let id = article.to_string();
            for place in [0.1, 0.3] {
                places.push("a", &id, &[Some(place)]);
                places.push("b", &id, &[Some(-place)]);
            }
            places.push("b", &id, &[None]);
        }
        let settings = Settings { resamples: 200, ..Settings::default() };
        let (rows, contrasts) = places.profiles(&settings);
        let a = &rows[0];
        assert_eq!((a.n_articles, a.n_sentences), (6, 12));
        assert!(a.baseline.abs() < 1e-7 && (a.bias - 0.2).abs() < 1e-6);
        // (0.1² + 0.3²) / 2 about a baseline of 0.
        assert!((a.intensity - 0.05).abs() < 1e-6);
        assert!(
            a.bias_low.is_some_and(|l| l <= a.bias) && a.bias_high.is_some_and(|h| h >= a.bias)
        );
        assert!((contrasts[0].difference - 0.4).abs() < 1e-6);
        let mut few = Places::new(&[axis()]);
        few.push("a", "1", &[Some(0.5)]);
        assert_eq!(few.profiles(&settings).0[0].bias_low, None, "one article shows no spread");
    }

    proptest! {
        #[test]
        fn swapped_poles_mirror_the_axis(
            poles in prop::collection::vec(prop::array::uniform3(-1f32..1.0), 2..8),
            at in prop::array::uniform3(-1f32..1.0),
        ) {
            let poles: Vec<Vec<f32>> = poles.iter().map(|p| p.to_vec()).collect();
            let (a, b) = poles.split_at(poles.len() / 2);
            if let (Ok(there), Ok(back)) = (Axis::new("x", a, b), Axis::new("x", b, a)) {
                match (there.place(&at), back.place(&at)) {
                    (Some(p), Some(q)) => prop_assert!((p + q).abs() < 1e-4 && p.abs() <= 1.0),
                    other => prop_assert_eq!(other, (None, None)),
                }
            }
        }
    }
}
