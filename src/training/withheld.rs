//! What is left if unsure labels are withheld.

use serde::Serialize;

use super::metrics::{Counts, Decision, Named, share};
use crate::model::{Layer, LayerKind};

/// The layers' figures where labels below a probability are withheld.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct AtConfidence {
    /// The probability.
    pub confidence: f32,
    /// By layer name.
    pub layers: Named<Kept>,
}

/// What is left of one layer.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Kept {
    /// Share of the given labels that are kept.
    pub coverage: f64,
    /// Share of those kept that are right.
    pub accuracy: f64,
    /// Mean F1 of the labels, over the sentences or mentions that still have an answer.
    pub macro_f1: f64,
    /// F1 over their decisions together.
    pub micro_f1: f64,
    /// Labels withheld.
    pub withheld: usize,
}

/// Figures of the labels with a probability of at least `confidence`. A sentence whose one label
/// is withheld is left out; a label withheld from a layer of several is neither right nor wrong.
pub fn at_confidence(
    layers: &[Layer],
    decisions: &[Vec<Decision>],
    confidence: f32,
) -> AtConfidence {
    let judged = layers.iter().zip(decisions).filter(|(_, d)| !d.is_empty());
    let kept = judged.map(|(layer, decisions)| {
        let single = layer.kind != LayerKind::Multi;
        let left: Vec<Decision> =
            decisions.iter().filter_map(|d| d.at_confidence(confidence, single)).collect();
        let counts = Counts::of(layer.labels.len(), &left);
        let given = |decisions: &[Decision]| decisions.iter().flat_map(Decision::given).count();
        let right = left.iter().flat_map(Decision::given).filter(|(_, right)| *right).count();
        let (before, after) = (given(decisions), given(&left));
        let kept = Kept {
            coverage: share(after, before),
            accuracy: share(right, after),
            macro_f1: counts.macro_f1(),
            micro_f1: counts.micro_f1(),
            withheld: before - after,
        };
        (layer.name.clone(), kept)
    });
    AtConfidence { confidence, layers: Named(kept.collect()) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Codebook;

    #[test]
    fn coverage_falls_and_the_rest_is_judged() {
        let toml = "name = \"t\"\n[[layer]]\nname = \"voice\"\nkind = \"single\"\n\
                    labels = [{ name = \"a\" }, { name = \"b\" }]";
        let layers = Codebook::from_toml(toml).unwrap().layers;
        let one = |p: f32, right: bool| Decision {
            gold: vec![usize::from(!right)],
            predicted: vec![0],
            probabilities: vec![p, 1.0 - p],
            ..Decision::default()
        };
        let decisions = [vec![one(0.9, true), one(0.8, true), one(0.6, false), one(0.55, true)]];
        let all = at_confidence(&layers, &decisions, 0.0).layers.0[0].1;
        assert_eq!((all.coverage, all.accuracy, all.withheld), (1.0, 0.75, 0));
        let sure = at_confidence(&layers, &decisions, 0.8).layers.0[0].1;
        assert_eq!((sure.coverage, sure.accuracy, sure.withheld), (0.5, 1.0, 2));
        let none = at_confidence(&layers, &decisions, 0.99).layers.0[0].1;
        assert_eq!((none.coverage, none.accuracy, none.withheld), (0.0, 0.0, 4));
    }
}
