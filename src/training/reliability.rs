//! Can the probabilities be relied on? How often statements of a probability are true, and how
//! much is right if only the surest answers are kept.

use serde::Serialize;

/// Bins of equal width between 0 and 1.
const BINS: usize = 15;
/// Points of the coverage curve.
const POINTS: usize = 20;

/// Statements whose probability lies in one interval.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Bin {
    /// Lower end of the interval.
    pub from: f64,
    /// Upper end.
    pub to: f64,
    /// Statements in it.
    pub n: usize,
    /// Their mean probability.
    pub confidence: f64,
    /// Share of them that are true.
    pub accuracy: f64,
}

/// The reliability table of statements, each a probability and whether it is true (DeGroot and
/// Fienberg 1983; Niculescu-Mizil and Caruana 2005): 15 bins of equal width, empty ones left out.
pub fn reliability(statements: &[(f32, bool)]) -> Vec<Bin> {
    let mut bins = [(0usize, 0f64, 0usize); BINS];
    for (confidence, truth) in statements {
        let bin = ((confidence * BINS as f32) as usize).min(BINS - 1);
        bins[bin].0 += 1;
        bins[bin].1 += f64::from(*confidence);
        bins[bin].2 += usize::from(*truth);
    }
    let at = |i: usize| i as f64 / BINS as f64;
    let bin = |(i, &(n, sum, truths)): (usize, &(usize, f64, usize))| Bin {
        from: at(i),
        to: at(i + 1),
        n,
        confidence: sum / n as f64,
        accuracy: truths as f64 / n as f64,
    };
    bins.iter().enumerate().filter(|(_, b)| b.0 > 0).map(bin).collect()
}

/// Expected calibration error: the mean gap between probability and truth over the bins, weighted
/// by their statements (Naeini et al. 2015).
pub fn expected_calibration_error(bins: &[Bin]) -> f64 {
    let n: usize = bins.iter().map(|b| b.n).sum();
    let gaps = bins.iter().map(|b| (b.confidence - b.accuracy).abs() * b.n as f64);
    gaps.sum::<f64>() / n.max(1) as f64
}

/// One point of the coverage curve.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Coverage {
    /// Labels with at least this probability are kept.
    pub confidence: f64,
    /// Share of the given labels that are kept.
    pub coverage: f64,
    /// Share of those kept that are right.
    pub accuracy: f64,
}

/// The coverage-accuracy curve (El-Yaniv and Wiener 2010) of given labels, each a probability and
/// whether it is right: 20 steps from all of them to the surest twentieth. Labels of the same
/// probability are kept or withheld together.
pub fn coverage(given: &[(f32, bool)]) -> Vec<Coverage> {
    let mut sorted = given.to_vec();
    sorted.sort_by(|a, b| b.0.total_cmp(&a.0));
    let mut right = Vec::with_capacity(sorted.len());
    let mut sum = 0usize;
    for (_, truth) in &sorted {
        sum += usize::from(*truth);
        right.push(sum);
    }
    let mut curve: Vec<Coverage> = Vec::new();
    for step in (1..=POINTS).rev() {
        let at_least = (sorted.len() * step).div_ceil(POINTS);
        let Some(&(confidence, _)) = at_least.checked_sub(1).and_then(|i| sorted.get(i)) else {
            continue;
        };
        let kept = sorted.partition_point(|(c, _)| *c >= confidence);
        let Some(&right) = kept.checked_sub(1).and_then(|i| right.get(i)) else { continue };
        let point = Coverage {
            confidence: f64::from(confidence),
            coverage: kept as f64 / sorted.len() as f64,
            accuracy: right as f64 / kept as f64,
        };
        if curve.last() != Some(&point) {
            curve.push(point);
        }
    }
    curve
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn error(statements: &[(f32, bool)]) -> f64 {
        expected_calibration_error(&reliability(statements))
    }

    #[test]
    fn calibration_error_of_a_known_case() {
        // Four statements made at 0.75, three of them true: no error. One at 1.0, false: all error.
        assert!(error(&[(0.75, true), (0.75, true), (0.75, true), (0.75, false)]).abs() < 1e-9);
        assert!((error(&[(1.0, false)]) - 1.0).abs() < 1e-9);
        assert_eq!(error(&[]), 0.0);
    }

    #[test]
    fn the_curve_runs_from_all_to_the_surest() {
        let given = [(0.9, true), (0.8, true), (0.7, false), (0.6, true)];
        let curve = coverage(&given);
        assert_eq!(curve.first().map(|p| (p.coverage, p.accuracy)), Some((1.0, 0.75)));
        assert_eq!(curve.last().map(|p| (p.coverage, p.accuracy)), Some((0.25, 1.0)));
        assert_eq!(curve.len(), 4);
        assert!(coverage(&[]).is_empty());
    }

    proptest! {
        #[test]
        fn bins_hold_all_statements_and_coverage_falls(
            given in prop::collection::vec((0f32..=1.0, any::<bool>()), 1..200),
        ) {
            let bins = reliability(&given);
            prop_assert_eq!(bins.iter().map(|b| b.n).sum::<usize>(), given.len());
            for b in &bins {
                prop_assert!(b.from - 1e-6 <= b.confidence && b.confidence <= b.to + 1e-6);
            }
            let curve = coverage(&given);
            prop_assert_eq!(curve[0].coverage, 1.0);
            prop_assert!(curve.windows(2).all(|w| w[0].coverage > w[1].coverage));
            prop_assert!(curve.windows(2).all(|w| w[0].confidence < w[1].confidence));
        }
    }
}
