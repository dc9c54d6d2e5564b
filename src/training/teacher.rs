//! Learning from a larger model: what a teacher makes of a sentence, as probabilities, is
//! learnt beside or without people's labels (Hinton et al. 2015, knowledge distillation).

use std::ops::Range;

use serde::{Deserialize, Serialize};

use super::data::{Answer, Example};
use crate::error::{Error, Result};
use crate::model::predict::{Batching, predict_all};
use crate::model::sentence::{Prepared, SentenceScores};
use crate::model::{Codebook, Layer, LayerKind, Model, Unit};

/// A sentence that nobody has labelled.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unlabelled {
    /// The sentence as the model reads it.
    pub model_text: String,
    /// Mentions in it, as bytes of `model_text`.
    pub mentions: Vec<Range<usize>>,
}

impl Unlabelled {
    /// The sentence of an example with the mentions that it has answers to, in their order.
    pub fn of(example: &Example) -> Self {
        let mentions = example.answers.iter().flat_map(|answer| match answer {
            Answer::Target(mentions) => mentions.as_slice(),
            _ => &[],
        });
        Unlabelled {
            model_text: example.model_text.clone(),
            mentions: mentions.map(|(bytes, _)| bytes.clone()).collect(),
        }
    }
}

/// A row of probabilities for each layer of the student's codebook; `None` where the teacher
/// has no such layer.
type Rows = Vec<Option<Vec<f32>>>;

/// What a teacher says of a sentence.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Opinion {
    /// For the layers on sentences.
    pub sentence: Rows,
    /// For each mention, for the target layers.
    pub mentions: Vec<Rows>,
}

/// For each layer of `codebook` its place among the teacher's layers of sentences or of
/// mentions.
fn places(codebook: &Codebook, teacher: &Codebook) -> Result<Vec<Option<usize>>> {
    let same_sort =
        |a: &Layer, b: &Layer| (a.kind == LayerKind::Target) == (b.kind == LayerKind::Target);
    let places: Vec<Option<usize>> = codebook
        .layers
        .iter()
        .map(|layer| {
            let at = teacher.layers.iter().position(|l| l.name == layer.name)?;
            let theirs = &teacher.layers[at];
            let same = theirs.kind == layer.kind && theirs.label_names().eq(layer.label_names());
            let before = || teacher.layers[..at].iter().filter(|l| same_sort(l, layer)).count();
            same.then(before)
        })
        .collect();
    if places.iter().all(Option::is_none) {
        return Err(Error::setting("the teacher has none of the recipe's layers")
            .with_hint("a layer is the same if its name, its kind and its labels are"));
    }
    Ok(places)
}

/// What `teacher` says of each sentence on the layers of `codebook` that it has.
///
/// # Errors
/// If the teacher has none of the layers, or fails.
pub fn opinions(
    teacher: &Model,
    codebook: &Codebook,
    sentences: &[Unlabelled],
) -> Result<Vec<Opinion>> {
    let places = places(codebook, teacher.codebook())?;
    let all = ask(teacher, sentences)?;
    let opinion = |scores: SentenceScores| {
        let rows = |scores: &[crate::model::Scores], of_mention: bool| -> Rows {
            let layers = codebook.layers.iter().zip(&places);
            layers
                .map(|(layer, place)| {
                    let fits = (layer.kind == LayerKind::Target) == of_mention;
                    Some(scores.get((*place).filter(|_| fits)?)?.probabilities.clone())
                })
                .collect()
        };
        let nothing = || vec![None; codebook.layers.len()];
        Opinion {
            sentence: rows(&scores.layers, false),
            mentions: scores
                .mentions
                .iter()
                .map(|m| m.as_ref().map_or_else(nothing, |scores| rows(scores, true)))
                .collect(),
        }
    };
    Ok(all.into_iter().map(opinion).collect())
}

/// The mean of what several teachers say of the same sentences: of each row, over those who have
/// something to say. An ensemble is right more often than its members, and its doubts are more to
/// the point (Lakshminarayanan et al. 2017).
pub fn mean(mut teachers: Vec<Vec<Opinion>>) -> Vec<Opinion> {
    if teachers.len() == 1 {
        return teachers.remove(0);
    }
    let n = teachers.iter().map(Vec::len).min().unwrap_or(0);
    let of_rows = |rows: Vec<&Rows>| -> Rows {
        let layers = rows.iter().map(|r| r.len()).min().unwrap_or(0);
        let of_layer = |layer: usize| {
            let said: Vec<&Vec<f32>> = rows.iter().filter_map(|r| r[layer].as_ref()).collect();
            let sum = |label: usize| said.iter().map(|row| row[label]).sum::<f32>();
            let labels = 0..said.first()?.len();
            Some(labels.map(|label| sum(label) / said.len() as f32).collect())
        };
        (0..layers).map(of_layer).collect()
    };
    let opinion = |i: usize| {
        let said: Vec<&Opinion> = teachers.iter().map(|t| &t[i]).collect();
        let mentions = said.iter().map(|o| o.mentions.len()).min().unwrap_or(0);
        Opinion {
            sentence: of_rows(said.iter().map(|o| &o.sentence).collect()),
            mentions: (0..mentions)
                .map(|m| of_rows(said.iter().map(|o| &o.mentions[m]).collect()))
                .collect(),
        }
    };
    (0..n).map(opinion).collect()
}

/// For each teacher and layer whether it is further than `margin` behind the best teacher there.
/// `scores`: each teacher's F1 on each layer, where it is known.
///
/// The mean of two is better than either where they are about as good, and worse than the better
/// where they are not.
pub fn behind(scores: &[Vec<Option<f64>>], margin: f64) -> Vec<Vec<bool>> {
    let best = |layer: usize| {
        let known = scores.iter().filter_map(|s| s.get(layer).copied().flatten());
        known.fold(f64::NEG_INFINITY, f64::max)
    };
    let far = |(layer, f1): (usize, &Option<f64>)| f1.is_some_and(|f1| f1 < best(layer) - margin);
    scores.iter().map(|s| s.iter().enumerate().map(far).collect()).collect()
}

/// Takes from each teacher's opinions the layers on which it is not to be heard.
pub fn silence(teachers: &mut [Vec<Opinion>], silent: &[Vec<bool>]) {
    for (opinions, silent) in teachers.iter_mut().zip(silent) {
        for opinion in opinions {
            for rows in std::iter::once(&mut opinion.sentence).chain(&mut opinion.mentions) {
                for (row, _) in rows.iter_mut().zip(silent).filter(|(_, silent)| **silent) {
                    *row = None;
                }
            }
        }
    }
}

/// What a model makes of each sentence, mentions and vector included.
///
/// # Errors
/// If the model fails.
pub(super) fn ask(model: &Model, sentences: &[Unlabelled]) -> Result<Vec<SentenceScores>> {
    let prepared: Vec<Prepared> = sentences
        .iter()
        .map(|s| model.prepare(&s.model_text, &s.mentions))
        .collect::<Result<_>>()?;
    let units: Vec<&Unit> = prepared.iter().flat_map(|p| &p.units).collect();
    let device = model.devices().next().cloned().unwrap_or(candle_core::Device::Cpu);
    let predictions = predict_all(model, &units, Batching::for_device(&device), &|_| {})?;
    let mut rest = predictions.as_slice();
    let scores = |prepared: &Prepared| {
        let (mine, others) = rest.split_at(prepared.units.len().min(rest.len()));
        rest = others;
        model.scores(prepared, mine)
    };
    Ok(prepared.iter().map(scores).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn codebook(layers: &[(&str, &str)]) -> Codebook {
        let layers: String = layers
            .iter()
            .map(|(name, kind)| {
                format!(
                    "[[layer]]\nname = \"{name}\"\nkind = \"{kind}\"\n\
                     labels = [{{ name = \"a\" }}, {{ name = \"b\" }}]\n"
                )
            })
            .collect();
        Codebook::from_toml(&format!("name = \"test\"\n{layers}")).unwrap()
    }

    #[test]
    fn layers_are_found_by_name_and_kind() {
        let teacher =
            codebook(&[("x", "multi"), ("t", "target"), ("y", "single"), ("u", "target")]);
        let student =
            codebook(&[("u", "target"), ("y", "single"), ("x", "single"), ("z", "single")]);
        assert_eq!(places(&student, &teacher).unwrap(), [Some(1), Some(1), None, None]);
        let other = codebook(&[("other", "single")]);
        assert!(places(&other, &teacher).is_err_and(|e| e.hint().is_some()));
    }

    #[test]
    fn teachers_are_averaged_where_they_speak() {
        let say = |a: Option<[f32; 2]>, b: Option<[f32; 2]>| {
            let row = |r: Option<[f32; 2]>| r.map(|r| r.to_vec());
            vec![Opinion { sentence: vec![row(a), None], mentions: vec![vec![None, row(b)]] }]
        };
        let both = say(Some([0.25, 0.75]), Some([1.0, 0.0]));
        let one = say(Some([0.75, 0.25]), None);
        let expected = say(Some([0.5, 0.5]), Some([1.0, 0.0]));
        assert_eq!(mean(vec![both.clone(), one]), expected);
        assert_eq!(mean(vec![both.clone()]), both);
        assert!(mean(vec![]).is_empty());
    }

    #[test]
    fn who_is_far_behind_is_not_heard_on_that_layer() {
        let scores = [vec![Some(0.89), Some(0.79), None], vec![Some(0.83), Some(0.76), Some(0.5)]];
        let silent = behind(&scores, 0.04);
        assert_eq!(silent, [[false, false, false], [true, false, false]]);
        let say = |p: f32| {
            let rows = vec![Some(vec![p]), Some(vec![p]), None];
            vec![Opinion { sentence: rows.clone(), mentions: vec![rows] }]
        };
        let mut all = vec![say(0.5), say(1.0)];
        silence(&mut all, &silent);
        let rows = vec![Some(vec![0.5]), Some(vec![0.75]), None];
        assert_eq!(mean(all), [Opinion { sentence: rows.clone(), mentions: vec![rows] }]);
    }

    #[test]
    fn an_opinion_is_what_scoring_says() {
        let Ok(bundle) = crate::model::Bundle::embedded() else { return };
        let teacher = Model::load(&bundle, &candle_core::Device::Cpu).unwrap();
        let mut codebook = bundle.meta.codebook.clone();
        codebook.layers.reverse();
        let sentences = [
            Unlabelled {
                model_text: "Officials denied the alleged talks.".into(),
                mentions: vec![],
            },
            Unlabelled { model_text: "Mayor Ilse Brandt won.".into(), mentions: vec![6..17, 0..0] },
        ];
        let opinions = opinions(&teacher, &codebook, &sentences).unwrap();
        let engagement = codebook.layers.iter().position(|l| l.name == "engagement").unwrap();
        let stance = codebook.layers.iter().position(|l| l.kind == LayerKind::Target).unwrap();
        let deny = codebook.layers[engagement].index_of("deny").unwrap();
        let row = opinions[0].sentence[engagement].as_ref().unwrap();
        assert!((row.iter().sum::<f32>() - 1.0).abs() < 1e-5 && row[deny] > 0.5, "{row:?}");
        assert_eq!(opinions[0].sentence[stance], None);
        assert!(opinions[1].mentions[0][stance].is_some());
        assert_eq!(opinions[1].mentions[0][engagement], None);
        assert_eq!(opinions[1].mentions[1][stance], None);
    }
}
