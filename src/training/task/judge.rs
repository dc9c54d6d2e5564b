//! From scores to answers by a threshold, and from answers to figures.

use rand::SeedableRng;
use rand::seq::SliceRandom;
use rand_chacha::ChaCha8Rng;

use super::items::Item;
use super::{Figure, Task, Threshold, Unit};
use crate::training::metrics::{Counts, Decision};

/// Most thresholds that are tried, at even steps through the scores.
const MOST_THRESHOLDS: usize = 400;

/// Items with their answers.
pub(super) struct Judged {
    /// A decision for each item that is judged.
    pub decisions: Vec<Decision>,
    /// The threshold, or that of each part; empty where labels are as the model gives them.
    pub thresholds: Vec<f32>,
    /// Items that the threshold was chosen on and that are left out.
    pub left_out: usize,
}

/// Answers every item as the task says.
pub(super) fn judge(task: &Task, items: &[Item]) -> Judged {
    let all: Vec<usize> = (0..items.len()).collect();
    match &task.threshold {
        None => Judged {
            decisions: all.iter().filter_map(|&i| Some(given(task, i, items.get(i)?))).collect(),
            thresholds: Vec::new(),
            left_out: 0,
        },
        Some(Threshold { folds: Some(folds), seed, .. }) => {
            let parts = parts(items, *folds, *seed);
            let mut decisions = Vec::with_capacity(items.len());
            let mut thresholds = Vec::new();
            for part in 0..*folds {
                let (judged, others): (Vec<usize>, Vec<usize>) =
                    all.iter().partition(|&&i| parts[i] == part);
                if judged.is_empty() || others.is_empty() {
                    continue;
                }
                let threshold = best_threshold(task, items, &others);
                thresholds.push(threshold);
                decisions.extend(judged.iter().map(|&i| at(task, i, &items[i], threshold)));
            }
            Judged { decisions, thresholds, left_out: 0 }
        }
        Some(Threshold { rows, seed, .. }) => {
            let documents = 1 + items.iter().map(|i| i.document).max().unwrap_or_default();
            // Whole documents, until there are so many rows: a part for each, in drawn order.
            let order = parts(items, documents, *seed);
            let mut sizes = vec![0; documents];
            order.iter().for_each(|&part| sizes[part] += 1);
            let (mut chosen_on, mut last) = (0, 0);
            while last < documents && chosen_on < rows.unwrap_or_default() {
                chosen_on += sizes[last];
                last += 1;
            }
            let (others, judged): (Vec<usize>, Vec<usize>) =
                all.iter().partition(|&&i| order[i] < last);
            let threshold = best_threshold(task, items, &others);
            Judged {
                decisions: judged.iter().map(|&i| at(task, i, &items[i], threshold)).collect(),
                thresholds: vec![threshold],
                left_out: others.len(),
            }
        }
    }
}

/// For each item its part of `n`: documents in an order drawn by the seed, dealt out in turn.
fn parts(items: &[Item], n: usize, seed: u64) -> Vec<usize> {
    let documents = 1 + items.iter().map(|i| i.document).max().unwrap_or_default();
    let mut order: Vec<usize> = (0..documents).collect();
    order.shuffle(&mut ChaCha8Rng::seed_from_u64(seed));
    items.iter().map(|i| order.get(i.document).copied().unwrap_or_default() % n.max(1)).collect()
}

/// The threshold with the best figure on some items; the lowest among equals.
fn best_threshold(task: &Task, items: &[Item], on: &[usize]) -> f32 {
    let mut scores: Vec<f32> =
        on.iter().filter_map(|&i| items.get(i)).flat_map(|i| i.scores.iter().copied()).collect();
    scores.sort_by(f32::total_cmp);
    scores.dedup();
    let step = scores.len().div_ceil(MOST_THRESHOLDS).max(1);
    let mut best = (f64::NEG_INFINITY, 0.5);
    for &threshold in scores.iter().step_by(step) {
        let decisions: Vec<Decision> =
            on.iter().filter_map(|&i| Some(at(task, i, items.get(i)?, threshold))).collect();
        let figure = figure(task, &decisions);
        if figure > best.0 {
            best = (figure, threshold);
        }
    }
    best.1
}

/// The task's figure of some decisions.
fn figure(task: &Task, decisions: &[Decision]) -> f64 {
    let labels = decisions.iter().flat_map(|d| d.gold.iter().chain(&d.predicted)).max();
    let n = if task.asks() { 2 } else { labels.map_or(0, |l| l + 1) };
    let counts = Counts::of(n, decisions);
    match task.figure {
        Figure::F1 => counts.label(n.saturating_sub(1)).f1,
        Figure::MacroF1 => counts.macro_f1(),
        Figure::MicroF1 => counts.micro_f1(),
    }
}

/// The answer where a label is given from `threshold` on.
fn at(task: &Task, index: usize, item: &Item, threshold: f32) -> Decision {
    let given: Vec<bool> = item.scores.iter().map(|s| *s >= threshold).collect();
    decision(task, index, item, &given)
}

/// The answer as the model gives it.
fn given(task: &Task, index: usize, item: &Item) -> Decision {
    decision(task, index, item, &item.given)
}

fn decision(task: &Task, index: usize, item: &Item, given: &[bool]) -> Decision {
    let on = |labels: &[bool]| -> Vec<usize> {
        labels.iter().enumerate().filter(|(_, on)| **on).map(|(l, _)| l).collect()
    };
    let yes = |labels: &[bool]| vec![usize::from(labels.first() == Some(&true))];
    let (gold, predicted) =
        if task.asks() { (yes(&item.gold), yes(given)) } else { (on(&item.gold), on(given)) };
    let probabilities = match (task.unit, &item.scores[..]) {
        // Sums are no probabilities.
        (Unit::Article, _) => Vec::new(),
        (_, [yes]) if task.asks() => vec![1.0 - yes, *yes],
        (_, scores) => scores.to_vec(),
    };
    Decision {
        document: item.document,
        example: index,
        gold,
        predicted,
        probabilities,
        ..Decision::default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn task(threshold: &str) -> Task {
        toml::from_str(&format!(
            "name = \"x\"\ndescription = \"\"\nlayer = \"voice\"\nunit = \"row\"\nfigure = \"macro_f1\"\n\
             [gold]\nflag = \"f\"\n[predicted]\nlabel = \"q\"\nfrom = [\"a\"]\n{threshold}"
        ))
        .unwrap()
    }

    /// Yes from 0.3 on; the model itself says yes from one half on.
    fn items(n: usize) -> Vec<Item> {
        let one = |i: usize| {
            let score = (i * 37 % 100) as f32 / 100.0;
            Item {
                document: i / 2,
                name: String::new(),
                outlet: None,
                text: String::new(),
                role: None,
                gold: vec![score >= 0.3],
                scores: vec![score],
                given: vec![score >= 0.5],
            }
        };
        (0..n).map(one).collect()
    }

    fn accuracy(judged: &Judged) -> f64 {
        judged.decisions.iter().filter(|d| d.is_right()).count() as f64
            / judged.decisions.len() as f64
    }

    #[test]
    fn without_a_threshold_answers_are_the_models() {
        let judged = judge(&task(""), &items(100));
        assert_eq!((judged.decisions.len(), judged.thresholds.len()), (100, 0));
        assert!((accuracy(&judged) - 0.8).abs() < 1e-9);
        assert_eq!(judged.decisions[1].probabilities, [1.0 - 0.37, 0.37]);
    }

    #[test]
    fn a_threshold_is_chosen_on_rows_that_are_left_out() {
        let items = items(300);
        let judged = judge(&task("[threshold]\nrows = 60\nseed = 3"), &items);
        assert_eq!((judged.left_out, judged.decisions.len()), (60, 240));
        assert!((judged.thresholds[0] - 0.3).abs() < 0.05 && accuracy(&judged) > 0.94);
        // No document is on both sides.
        let of_judged: std::collections::HashSet<_> =
            judged.decisions.iter().map(|d| d.document).collect();
        assert_eq!(of_judged.len(), 120);
        let again = judge(&task("[threshold]\nrows = 60\nseed = 3"), &items);
        assert_eq!(again.decisions, judged.decisions);
    }

    #[test]
    fn cross_validation_judges_all_items_once() {
        let judged = judge(&task("[threshold]\nfolds = 5"), &items(300));
        let mut seen: Vec<usize> = judged.decisions.iter().map(|d| d.example).collect();
        seen.sort_unstable();
        assert_eq!(seen, (0..300).collect::<Vec<_>>());
        assert_eq!(judged.thresholds.len(), 5);
        assert!(accuracy(&judged) > 0.97);
    }
}
