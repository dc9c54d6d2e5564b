//! Is one model better than another, or only luckier on these documents?
//!
//! Both answer the same sentences, so the difference is looked at within documents: its interval
//! comes from a bootstrap that draws whole documents for both at once, its p-value from
//! approximate randomisation (Noreen 1989; Yeh 2000), in which the two models' answers to a whole
//! document change hands by the toss of a coin. For accuracy that is McNemar's test, clustered by
//! document (for a layer of one label micro-F1 is accuracy).

use std::collections::HashMap;
use std::ops::Range;

use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use serde::Serialize;

use super::data::Example;
use super::metrics::{Counts, Decision, Named, by_document, percentiles};
use crate::model::Layer;

/// Two models on one layer.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Paired {
    /// Sentences or mentions that both answered.
    pub n: usize,
    /// Documents they come from.
    pub documents: usize,
    /// Macro-F1 of both.
    pub macro_f1: Difference,
    /// Micro-F1 of both.
    pub micro_f1: Difference,
}

/// A figure of two models.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Difference {
    /// Of the first.
    pub a: f64,
    /// Of the second.
    pub b: f64,
    /// The first less the second.
    pub difference: f64,
    /// 95% percentile interval of the difference; `None` for fewer than five documents.
    pub interval: Option<[f64; 2]>,
    /// Two-sided p-value, (k + 1) / (permutations + 1); `None` for fewer than five documents.
    pub p: Option<f64>,
}

/// How the test is made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Draws {
    /// Bootstrap samples of the documents.
    pub resamples: usize,
    /// Permutations.
    pub permutations: usize,
    /// Seed of both.
    pub seed: u64,
}

/// With fewer documents than this there is neither interval nor test: of four, sixteen deals are
/// all there are.
const FEWEST_DOCUMENTS: usize = 5;

/// One model's decisions on some examples, for each layer of its codebook.
pub struct Answers<'a> {
    /// The layers.
    pub layers: &'a [Layer],
    /// The examples, as read with its codebook.
    pub examples: &'a [Example],
    /// The decisions on each layer.
    pub decisions: &'a [Vec<Decision>],
}

/// Compares two models on every layer that both have, with the same labels in any order, and that
/// both answered. Sentences are matched by document and text.
pub fn paired(a: &Answers, b: &Answers, draws: Draws) -> Named<Paired> {
    let mut layers = Vec::new();
    for (layer, of_a) in a.layers.iter().zip(a.decisions) {
        let Some(at) = b.layers.iter().position(|l| l.name == layer.name && l.kind == layer.kind)
        else {
            continue;
        };
        // Labels of the second by their place in the first.
        let places: Option<Vec<usize>> =
            b.layers[at].label_names().map(|name| layer.index_of(name)).collect();
        let same_number = b.layers[at].labels.len() == layer.labels.len();
        let (Some(places), true, Some(of_b)) = (places, same_number, b.decisions.get(at)) else {
            continue;
        };
        let matched = matched(a.examples, of_a, b.examples, of_b, &places);
        if !matched.is_empty() {
            layers.push((layer.name.clone(), compare(layer.labels.len(), &matched, draws)));
        }
    }
    Named(layers)
}

type Key<'a> = (&'a str, &'a str, Option<Range<usize>>);

/// Decisions of both on the same sentence or mention; those of `b` in the labels of `a`.
fn matched(
    examples_a: &[Example],
    of_a: &[Decision],
    examples_b: &[Example],
    of_b: &[Decision],
    places: &[usize],
) -> Vec<(Decision, Decision)> {
    fn key<'a>(examples: &'a [Example], d: &Decision) -> Option<Key<'a>> {
        let example = examples.get(d.example)?;
        Some((&example.document, &example.text, d.mention.clone()))
    }
    let mut by_key: HashMap<Key, Vec<&Decision>> = HashMap::new();
    for d in of_b.iter().rev() {
        if let Some(key) = key(examples_b, d) {
            by_key.entry(key).or_default().push(d);
        }
    }
    let renamed = |labels: &[usize]| {
        labels.iter().filter_map(|&l| places.get(l).copied()).collect::<Vec<usize>>()
    };
    of_a.iter()
        .filter_map(|d| {
            let other = by_key.get_mut(&key(examples_a, d)?)?.pop()?;
            let other = Decision {
                document: d.document,
                gold: renamed(&other.gold),
                predicted: renamed(&other.predicted),
                ignored: renamed(&other.ignored),
                ..Decision::default()
            };
            Some((d.clone(), other))
        })
        .collect()
}

fn compare(n_labels: usize, pairs: &[(Decision, Decision)], draws: Draws) -> Paired {
    let (a, b): (Vec<Decision>, Vec<Decision>) = pairs.iter().cloned().unzip();
    let counts = |decisions: &[Decision]| -> Vec<Counts> {
        let documents = by_document(decisions);
        documents.values().map(|ds| Counts::of(n_labels, ds.iter().copied())).collect()
    };
    let documents: Vec<(Counts, Counts)> = counts(&a).into_iter().zip(counts(&b)).collect();
    let enough = documents.len() >= FEWEST_DOCUMENTS;
    let sum = |chosen: &mut dyn Iterator<Item = (&Counts, &Counts)>| {
        let mut sums = (Counts::new(n_labels), Counts::new(n_labels));
        chosen.for_each(|(a, b)| {
            sums.0.add(a);
            sums.1.add(b);
        });
        sums
    };
    let observed = sum(&mut documents.iter().map(|(a, b)| (a, b)));
    let difference =
        |(a, b): &(Counts, Counts)| [a.macro_f1() - b.macro_f1(), a.micro_f1() - b.micro_f1()];
    let mut rng = ChaCha8Rng::seed_from_u64(draws.seed);
    let resampled: Vec<[f64; 2]> = (0..if enough { draws.resamples } else { 0 })
        .map(|_| {
            difference(&sum(&mut (0..documents.len()).map(|_| {
                let (a, b) = &documents[rng.random_range(0..documents.len())];
                (a, b)
            })))
        })
        .collect();
    let seen = difference(&observed);
    let mut as_far = [0usize; 2];
    for _ in 0..if enough { draws.permutations } else { 0 } {
        let dealt = difference(&sum(&mut documents
            .iter()
            .map(|(a, b)| if rng.random::<bool>() { (a, b) } else { (b, a) })));
        for (count, (dealt, seen)) in as_far.iter_mut().zip(dealt.iter().zip(&seen)) {
            // Ties must count, and rounding must not hide them.
            *count += usize::from(dealt.abs() >= seen.abs() - 1e-12);
        }
    }
    let figure = |i: usize, a: f64, b: f64| Difference {
        a,
        b,
        difference: a - b,
        interval: (resampled.len() >= 40)
            .then(|| percentiles(resampled.iter().map(|d| d[i]).collect())),
        p: (enough && draws.permutations > 0)
            .then(|| (as_far[i] + 1) as f64 / (draws.permutations + 1) as f64),
    };
    Paired {
        n: pairs.len(),
        documents: documents.len(),
        macro_f1: figure(0, observed.0.macro_f1(), observed.1.macro_f1()),
        micro_f1: figure(1, observed.0.micro_f1(), observed.1.micro_f1()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Codebook;

    fn layers(labels: &str) -> Vec<Layer> {
        let toml = format!(
            "name = \"t\"\n[[layer]]\nname = \"voice\"\nkind = \"single\"\nlabels = [{labels}]"
        );
        Codebook::from_toml(&toml).unwrap().layers
    }

    const DRAWS: Draws = Draws { resamples: 200, permutations: 999, seed: 1 };

    /// A model that is right on the examples for which `right` says so.
    fn decisions(n: usize, zero: usize, right: impl Fn(usize) -> bool) -> Vec<Vec<Decision>> {
        let one = |i: usize| {
            let gold = if i.is_multiple_of(2) { zero } else { 1 - zero };
            Decision {
                document: i / 2,
                example: i,
                gold: vec![gold],
                predicted: vec![if right(i) { gold } else { 1 - gold }],
                ..Decision::default()
            }
        };
        vec![(0..n).map(one).collect()]
    }

    fn examples(n: usize) -> Vec<Example> {
        let one = |i: usize| Example {
            text: i.to_string(),
            document: (i / 2).to_string(),
            ..Example::default()
        };
        (0..n).map(one).collect()
    }

    fn test(n: usize, a: impl Fn(usize) -> bool, b: impl Fn(usize) -> bool) -> Paired {
        let (of_a, of_b) = (decisions(n, 0, a), decisions(n, 1, b));
        let (layers_a, layers_b) = (
            layers(r#"{ name = "x" }, { name = "y" }"#),
            layers(r#"{ name = "y" }, { name = "x" }"#),
        );
        let examples = examples(n);
        let answers = |layers, decisions| Answers { layers, examples: &examples, decisions };
        let found = paired(&answers(&layers_a, &of_a), &answers(&layers_b, &of_b), DRAWS);
        found.0[0].1.clone()
    }

    #[test]
    fn a_clear_difference_is_told_from_none() {
        let clear = test(80, |i| i % 10 != 0, |i| i % 2 == 0);
        assert!((clear.micro_f1.a - 0.9).abs() < 1e-12 && (clear.micro_f1.b - 0.5).abs() < 1e-12);
        assert!(clear.micro_f1.p.unwrap() < 0.01, "{clear:?}");
        assert!(clear.macro_f1.interval.unwrap()[0] > 0.0);
        let same = test(80, |i| i % 10 != 0, |i| i % 10 != 0);
        assert_eq!((same.macro_f1.difference, same.macro_f1.p), (0.0, Some(1.0)));
        assert_eq!(same.macro_f1.interval, Some([0.0, 0.0]));
    }

    #[test]
    fn few_documents_have_no_test() {
        let few = test(8, |_| true, |i| i % 2 == 0);
        assert_eq!((few.documents, few.n), (4, 8));
        assert_eq!((few.macro_f1.interval, few.macro_f1.p), (None, None));
    }

    #[test]
    fn the_p_value_is_that_of_the_exact_test() {
        // Six documents; the first is better in all of them, so only two deals of 64 are as far.
        let p = test(12, |_| true, |i| i % 2 == 0).micro_f1.p.unwrap();
        assert!((p - 2.0 / 64.0).abs() < 0.02, "{p}");
    }
}
