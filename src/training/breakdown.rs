//! The figures by group: is the model as good for one outlet, topic or length as for another?

use std::collections::HashMap;

use serde::Serialize;

use super::metrics::{Decision, Named, figures};
use crate::model::{Layer, LayerKind};

/// Most groups of a breakdown; the smaller ones are joined.
const MOST_GROUPS: usize = 30;
/// The group of rows that do not have the field.
const NOT_GIVEN: &str = "(not given)";

/// The figures by the values of one field.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Breakdown {
    /// The field, or `tokens`.
    pub by: String,
    /// Its values, those with most decisions first.
    pub groups: Vec<Group>,
}

/// The figures of the sentences with one value.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Group {
    /// The value.
    pub value: String,
    /// By layer name.
    pub layers: Named<GroupFigures>,
}

/// Figures of one layer in one group.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct GroupFigures {
    /// Sentences or mentions judged.
    pub n: usize,
    /// Documents they come from.
    pub documents: usize,
    /// Share judged right throughout.
    pub accuracy: f64,
    /// Mean F1 of the labels that occur in the group.
    pub macro_f1: f64,
    /// F1 over all decisions together.
    pub micro_f1: f64,
    /// 95% interval of the micro-F1, from a bootstrap over documents. The macro-F1 of a small
    /// group hangs on single sentences of rare labels.
    pub interval: Option<[f64; 2]>,
}

/// Breaks the decisions on each of `layers` down by the value of their sentence; `None` where no
/// sentence has one.
pub fn breakdown(
    by: &str,
    layers: &[Layer],
    decisions: &[Vec<Decision>],
    value: &dyn Fn(usize) -> Option<String>,
    resamples: usize,
) -> Option<Breakdown> {
    let mut sizes: HashMap<String, usize> = HashMap::new();
    for d in decisions.iter().flatten() {
        *sizes.entry(value(d.example).unwrap_or_else(|| NOT_GIVEN.to_owned())).or_default() += 1;
    }
    if sizes.keys().all(|value| value == NOT_GIVEN) {
        return None;
    }
    let mut values: Vec<(String, usize)> = sizes.into_iter().collect();
    values.sort_by(|a, b| b.1.cmp(&a.1).then_with(|| a.0.cmp(&b.0)));
    let rest = values.split_off(values.len().min(MOST_GROUPS));
    let joined = format!("({} others)", rest.len());
    let mut names: Vec<String> = values.into_iter().map(|(value, _)| value).collect();
    let place: HashMap<String, usize> =
        names.iter().enumerate().map(|(i, name)| (name.clone(), i)).collect();
    if !rest.is_empty() {
        names.push(joined);
    }
    let last = names.len() - 1;
    let group_of = |example: usize| {
        let value = value(example).unwrap_or_else(|| NOT_GIVEN.to_owned());
        place.get(&value).copied().unwrap_or(last)
    };
    Some(Breakdown {
        by: by.to_owned(),
        groups: groups(names, layers, decisions, &group_of, resamples),
    })
}

/// Breaks the decisions down by the quarters of the sentences' lengths in tokens; `None` for
/// fewer than eight sentences. Sentences of one length stay together.
pub fn by_length(
    layers: &[Layer],
    decisions: &[Vec<Decision>],
    lengths: &[usize],
    resamples: usize,
) -> Option<Breakdown> {
    let mut sorted = lengths.to_vec();
    sorted.sort_unstable();
    let (least, most) = (*sorted.first()?, *sorted.last()?);
    if sorted.len() < 8 {
        return None;
    }
    // The first length of the second to the fourth quarter.
    let mut starts: Vec<usize> =
        (1..4).filter_map(|q| sorted.get(sorted.len() * q / 4).copied()).collect();
    starts.dedup();
    starts.retain(|&s| s > least);
    let from = |i: usize| if i == 0 { least } else { starts[i - 1] };
    let to = |i: usize| starts.get(i).map_or(most, |next| next - 1);
    let names = (0..=starts.len()).map(|i| format!("{} to {} tokens", from(i), to(i))).collect();
    let group_of = |example: usize| {
        let length = lengths.get(example).copied().unwrap_or_default();
        starts.iter().filter(|&&s| s <= length).count()
    };
    let groups = groups(names, layers, decisions, &group_of, resamples);
    Some(Breakdown { by: "tokens".to_owned(), groups })
}

fn groups(
    names: Vec<String>,
    layers: &[Layer],
    decisions: &[Vec<Decision>],
    group_of: &dyn Fn(usize) -> usize,
    resamples: usize,
) -> Vec<Group> {
    let mut groups: Vec<Group> =
        names.into_iter().map(|value| Group { value, layers: Named::default() }).collect();
    for (layer, decisions) in layers.iter().zip(decisions) {
        let labels: Vec<String> = layer.label_names().map(str::to_owned).collect();
        let mut parts: Vec<Vec<Decision>> = vec![Vec::new(); groups.len()];
        for d in decisions {
            if let Some(part) = parts.get_mut(group_of(d.example)) {
                part.push(d.clone());
            }
        }
        for (group, part) in groups.iter_mut().zip(parts).filter(|(_, part)| !part.is_empty()) {
            let f = figures(&labels, &part, layer.kind != LayerKind::Multi, resamples, 1);
            let interval = f.intervals.get("micro_f1").copied();
            let figures = GroupFigures {
                n: f.n,
                documents: f.documents,
                accuracy: f.accuracy,
                macro_f1: f.macro_f1,
                micro_f1: f.micro_f1,
                interval,
            };
            group.layers.0.push((layer.name.clone(), figures));
        }
    }
    groups
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Codebook;

    fn layers() -> Vec<Layer> {
        let toml = "name = \"t\"\n[[layer]]\nname = \"voice\"\nkind = \"single\"\n\
                    labels = [{ name = \"a\" }, { name = \"b\" }]";
        Codebook::from_toml(toml).unwrap().layers
    }

    fn decisions(n: usize) -> Vec<Vec<Decision>> {
        let one = |i: usize| Decision {
            document: i,
            example: i,
            gold: vec![0],
            predicted: vec![usize::from(i.is_multiple_of(4))],
            probabilities: vec![0.5, 0.5],
            ..Decision::default()
        };
        vec![(0..n).map(one).collect()]
    }

    #[test]
    fn groups_hold_all_decisions_the_largest_first() {
        let value = |i: usize| (i > 1).then(|| format!("{}", usize::from(i.is_multiple_of(3))));
        let found = breakdown("outlet", &layers(), &decisions(30), &value, 0).unwrap();
        let sizes: Vec<(&str, usize)> =
            found.groups.iter().map(|g| (g.value.as_str(), g.layers.0[0].1.n)).collect();
        assert_eq!(sizes, [("0", 19), ("1", 9), (NOT_GIVEN, 2)]);
        assert_eq!(breakdown("topic", &layers(), &decisions(3), &|_| None, 0), None);

        let many =
            breakdown("id", &layers(), &decisions(50), &|i| Some(format!("{i:02}")), 0).unwrap();
        assert_eq!(many.groups.len(), MOST_GROUPS + 1);
        assert_eq!(many.groups.last().map(|g| g.value.as_str()), Some("(20 others)"));
        assert_eq!(many.groups.iter().map(|g| g.layers.0[0].1.n).sum::<usize>(), 50);
    }

    #[test]
    fn quarters_of_lengths() {
        let lengths: Vec<usize> = (1..=40).collect();
        let found = by_length(&layers(), &decisions(40), &lengths, 0).unwrap();
        let said: Vec<(&str, usize)> =
            found.groups.iter().map(|g| (g.value.as_str(), g.layers.0[0].1.n)).collect();
        assert_eq!(
            said,
            [
                ("1 to 10 tokens", 10),
                ("11 to 20 tokens", 10),
                ("21 to 30 tokens", 10),
                ("31 to 40 tokens", 10)
            ]
        );
        // One length makes one group.
        let alike = by_length(&layers(), &decisions(9), &[7; 9], 0).unwrap();
        assert_eq!(alike.groups.len(), 1);
        assert_eq!(by_length(&layers(), &decisions(3), &[1, 2, 3], 0), None);
    }
}
