//! The cluster bootstrap: intervals for shares of sentences that resample whole articles.
//!
//! Sentences of one article share a writer, a topic and a source, so they say less than
//! as many independent sentences would. Articles are drawn with replacement within an
//! outlet, each with all its sentences (Efron & Tibshirani 1993, ch. 8; Davison & Hinkley
//! 1997, §3.8; Cameron, Gelbach & Miller 2008), and a share is the ratio of two totals.
//!
//! The interval is the *expanded percentile* interval (Hesterberg 2015, "What teachers
//! should know about the bootstrap"): the plain percentile interval is too narrow for few
//! articles, because it lacks the factor n/(n−1) and Student's quantile; its tails are
//! moved out so that for a mean it has the width of the t interval. Where a label never
//! occurs (or always), all resamples agree and no spread can be read from them; the bound
//! is then the exact binomial one with whole articles as trials (Clopper & Pearson 1934),
//! which is cautious.

use ndarray::{Array1, Array2, ArrayView2, Axis};
use statrs::{
    distribution::{ContinuousCDF, Normal, StudentsT},
    statistics::{Data, OrderStatistics},
};

use super::{MIN_ARTICLES_FOR_INTERVAL, Settings, resample};

/// The ratio of two columns' totals.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Ratio {
    /// Column summed above the line.
    pub numerator: usize,
    /// Column summed below the line.
    pub denominator: usize,
    /// Least and greatest value that the ratio can take.
    pub range: (f64, f64),
}

impl Ratio {
    /// A share: between 0 and 1.
    pub fn share(numerator: usize, denominator: usize) -> Self {
        Self { numerator, denominator, range: (0.0, 1.0) }
    }
}

/// A ratio with its interval.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Estimate {
    /// The ratio over all articles; `None` where the denominator is zero.
    pub value: Option<f64>,
    /// Lower and upper end; `None` for fewer than [`MIN_ARTICLES_FOR_INTERVAL`] articles.
    pub interval: Option<(f64, f64)>,
}

/// A group of articles with the totals of its resamples.
#[derive(Debug, Clone)]
pub struct Resampled {
    n_articles: usize,
    totals: Array1<f64>,
    /// Resamples × columns; `None` where the articles are too few.
    resamples: Option<Array2<f64>>,
    level: f64,
}

impl Resampled {
    /// Resamples the articles of a group. `counts`: articles × columns. `name` tells this
    /// group's random numbers apart from those of others, so that two outlets of the same
    /// size are resampled independently.
    pub fn new(counts: ArrayView2<f64>, settings: &Settings, name: &[&str]) -> Self {
        let n_articles = counts.nrows();
        let source = resample::Source::new(settings.seed, name);
        let resamples = (n_articles >= MIN_ARTICLES_FOR_INTERVAL)
            .then(|| resample::with_replacement(counts, settings.resamples, source));
        Self { n_articles, totals: counts.sum_axis(Axis(0)), resamples, level: settings.level }
    }

    /// Number of articles.
    pub fn n_articles(&self) -> usize {
        self.n_articles
    }

    /// Total of a column.
    pub fn total(&self, column: usize) -> f64 {
        self.totals[column]
    }

    /// A ratio and its interval.
    pub fn estimate(&self, ratio: Ratio) -> Estimate {
        let value = self.value(ratio);
        let interval = value.zip(self.replicates(ratio)).map(|(value, replicates)| {
            if is_constant(&replicates, value) {
                return self.bound(value, ratio.range);
            }
            percentile_interval(replicates, self.level, self.n_articles)
        });
        Estimate { value, interval }
    }

    /// The difference of a ratio between two groups that were resampled independently.
    ///
    /// The interval is again the expanded percentile one, of the differences between the
    /// resamples. Where one group has no spread to resample, the two groups' own intervals
    /// are joined instead (the MOVER method: Zou & Donner 2008).
    pub fn difference(&self, other: &Self, ratio: Ratio) -> Estimate {
        let (Some(a), Some(b)) = (self.value(ratio), other.value(ratio)) else {
            return Estimate { value: None, interval: None };
        };
        let value = Some(a - b);
        let (Some(ra), Some(rb)) = (self.replicates(ratio), other.replicates(ratio)) else {
            return Estimate { value, interval: None };
        };
        let interval = if is_constant(&ra, a) || is_constant(&rb, b) {
            let interval = |group: &Self| group.estimate(ratio).interval;
            interval(self).zip(interval(other)).map(|((la, ua), (lb, ub))| {
                (a - b - (a - la).hypot(ub - b), a - b + (ua - a).hypot(b - lb))
            })
        } else {
            let differences = ra.iter().zip(&rb).map(|(x, y)| x - y).collect();
            let n = self.n_articles.min(other.n_articles);
            Some(percentile_interval(differences, self.level, n))
        };
        Estimate { value, interval }
    }

    fn value(&self, ratio: Ratio) -> Option<f64> {
        let value = self.totals[ratio.numerator] / self.totals[ratio.denominator];
        value.is_finite().then_some(value)
    }

    /// The ratio in each resample; those with nothing below the line are left out.
    fn replicates(&self, ratio: Ratio) -> Option<Vec<f64>> {
        let totals = self.resamples.as_ref()?;
        let (above, below) = (totals.column(ratio.numerator), totals.column(ratio.denominator));
        let ratios = above.iter().zip(below).map(|(a, b)| a / b);
        let finite: Vec<f64> = ratios.filter(|r| r.is_finite()).collect();
        (!finite.is_empty()).then_some(finite)
    }

    /// Where no article differs from the others: how far off `value` could still be.
    fn bound(&self, value: f64, (least, greatest): (f64, f64)) -> (f64, f64) {
        let alpha = 1.0 - self.level;
        let unseen = 1.0 - (alpha / 2.0).powf(1.0 / self.n_articles as f64);
        (value - unseen * (value - least), value + unseen * (greatest - value))
    }
}

/// Whether resampling showed no spread, but for rounding.
fn is_constant(replicates: &[f64], value: f64) -> bool {
    replicates.iter().all(|r| (r - value).abs() <= 1e-12)
}

/// The expanded percentile interval of a statistic of `n` articles.
fn percentile_interval(replicates: Vec<f64>, level: f64, n: usize) -> (f64, f64) {
    let tail = expanded_tail(level, n);
    let mut data = Data::new(replicates);
    (data.quantile(tail), data.quantile(1.0 - tail))
}

/// The share of resamples below the interval, so that for a mean of `n` it is as wide as
/// Student's (Hesterberg 2015, §4.1).
fn expanded_tail(level: f64, n: usize) -> f64 {
    let plain = (1.0 - level) / 2.0;
    let n = n as f64;
    let (Ok(normal), Ok(student)) = (Normal::new(0.0, 1.0), StudentsT::new(0.0, 1.0, n - 1.0))
    else {
        return plain;
    };
    normal.cdf((n / (n - 1.0)).sqrt() * student.inverse_cdf(plain))
}
