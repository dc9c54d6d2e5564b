//! Which groups of the alignment a report shows, and in which order.
//!
//! A large corpus has more groups than a page can hold. Those that are contested come first,
//! then those with facts that differ, then those that most outlets have.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use crate::profile::alignment::{Contested, DifferingFact, Group, Member};

/// Most groups in a report.
const MOST_GROUPS: usize = 200;
/// Most members in a report.
const MOST_MEMBERS: usize = 900;
/// Most members of one outlet in a group.
const MOST_OF_OUTLET: usize = 2;

/// A group as it is shown.
#[derive(Debug, Clone, PartialEq)]
pub struct Claim {
    /// The group, with at most a few members of each outlet.
    pub group: Group,
    /// How many members of an outlet were left out.
    pub left_out: BTreeMap<String, usize>,
}

/// The groups that a report shows.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Claims {
    /// The groups, the most telling first.
    pub shown: Vec<Claim>,
    /// How many groups there are.
    pub total: usize,
    /// How many of them are contested.
    pub contested: usize,
    /// In how many of them facts differ.
    pub differing: usize,
}

impl Claims {
    /// Chooses what is shown of `groups`.
    pub fn choose(groups: Vec<Group>) -> Self {
        let total = groups.len();
        let contested = groups.iter().filter(|g| g.contested.is_some()).count();
        let differing = groups.iter().filter(|g| !g.differing.is_empty()).count();
        let mut ranked: Vec<(f64, Group)> = groups.into_iter().map(|g| (weight(&g), g)).collect();
        ranked.sort_by(|a, b| b.0.total_cmp(&a.0).then(a.1.id.cmp(&b.1.id)));
        let mut members = 0;
        let shown = ranked
            .into_iter()
            .take(MOST_GROUPS)
            .map(|(_, group)| shortened(group))
            .take_while(|claim| {
                members += claim.group.members.len();
                members <= MOST_MEMBERS
            })
            .collect();
        Claims { shown, total, contested, differing }
    }

    /// The sentences that are shown: article and place.
    pub fn sentences(&self) -> impl Iterator<Item = (&str, u32)> {
        self.shown
            .iter()
            .flat_map(|c| &c.group.members)
            .map(|m| (m.sentence.article_id.as_str(), m.sentence.sentence_index))
    }
}

/// The outlets of a group.
pub(super) fn outlets(group: &Group) -> BTreeSet<&str> {
    group.members.iter().map(|m| m.outlet.as_str()).collect()
}

/// How much a group tells, before its labels are looked at.
pub(super) fn weight(group: &Group) -> f64 {
    let have = outlets(group).len() as f64;
    let wide = have / (have + group.absent.len() as f64).max(1.0);
    let contested = if group.contested.is_some() { 3.0 } else { 0.0 };
    let differing = if group.differing.is_empty() { 0.0 } else { 1.0 };
    have.ln() + wide + contested + differing
}

/// The group with at most [`MOST_OF_OUTLET`] members of each outlet: the representative, then of
/// a contested claim the likest on each side, then the most alike.
fn shortened(group: Group) -> Claim {
    let similarity = |i: usize| group.members.get(i).map_or(0.0, |m| m.similarity);
    let mut order: Vec<usize> = (0..group.members.len()).collect();
    order.sort_by(|a, b| similarity(*b).total_cmp(&similarity(*a)).then(a.cmp(b)));
    let outlet = |i: usize| group.members.get(i).map(|m| m.outlet.as_str());
    let first_on = |side: &[usize]| -> Vec<usize> {
        let mut seen = BTreeSet::new();
        let on_side = order.iter().copied().filter(|i| side.contains(i));
        on_side.filter(|i| seen.insert(outlet(*i))).collect()
    };
    let sides = group.contested.iter().map(|c| [first_on(&c.held_off), first_on(&c.passed_on)]);
    let first = std::iter::once(group.representative).chain(sides.flatten().flatten());
    let mut seen = BTreeSet::new();
    let order: Vec<usize> =
        first.chain(order.iter().copied()).filter(|i| seen.insert(*i)).collect();
    let mut taken: BTreeMap<&str, usize> = BTreeMap::new();
    let mut left_out: BTreeMap<String, usize> = BTreeMap::new();
    let mut keep = Vec::new();
    for i in order {
        let Some(member) = group.members.get(i) else { continue };
        let n = taken.entry(&member.outlet).or_default();
        if *n < MOST_OF_OUTLET {
            *n += 1;
            keep.push(i);
        } else {
            *left_out.entry(member.outlet.clone()).or_default() += 1;
        }
    }
    keep.sort_unstable();
    let place: HashMap<usize, usize> =
        keep.iter().enumerate().map(|(new, old)| (*old, new)).collect();
    let moved =
        |list: &[usize]| list.iter().filter_map(|i| place.get(i).copied()).collect::<Vec<_>>();
    let contested = group
        .contested
        .as_ref()
        .map(|c| Contested { passed_on: moved(&c.passed_on), held_off: moved(&c.held_off) });
    let differing = group
        .differing
        .iter()
        .map(|d| DifferingFact {
            what: d.what,
            values: d.values.iter().map(|(v, who)| (v.clone(), moved(who))).collect(),
        })
        .collect();
    let representative = place.get(&group.representative).copied().unwrap_or(0);
    let members: Vec<Member> = keep.iter().filter_map(|i| group.members.get(*i).cloned()).collect();
    Claim { group: Group { members, representative, contested, differing, ..group }, left_out }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::profile::alignment::{GroupKind, SentenceKey};

    fn group(id: u32, outlets: &[&str], contested: bool) -> Group {
        let member = |(i, o): (usize, &&str)| Member {
            sentence: SentenceKey { article_id: format!("a{i}"), sentence_index: 0 },
            outlet: (*o).into(),
            span: 0..4,
            similarity: 0.5 + i as f32 / 100.0,
            marks: Vec::new(),
        };
        let n = outlets.len();
        Group {
            id,
            event: None,
            kind: GroupKind::Claim,
            members: outlets.iter().enumerate().map(member).collect(),
            representative: 0,
            absent: Vec::new(),
            contested: contested.then(|| Contested { passed_on: vec![0], held_off: vec![n - 1] }),
            differing: Vec::new(),
        }
    }

    #[test]
    fn contested_groups_come_first() {
        let chosen = Claims::choose(vec![
            group(0, &["a", "b", "c", "d"], false),
            group(1, &["a", "b"], true),
            group(2, &["a", "b", "c"], false),
        ]);
        let ids: Vec<u32> = chosen.shown.iter().map(|c| c.group.id).collect();
        assert_eq!(ids, [1, 0, 2]);
        assert_eq!((chosen.total, chosen.contested), (3, 1));
    }

    #[test]
    fn both_sides_of_a_contested_claim_stay() {
        let mut contested = group(7, &["a", "a", "a", "a", "b"], true);
        contested.contested = Some(Contested { passed_on: vec![0, 2, 3, 4], held_off: vec![1] });
        let chosen = Claims::choose(vec![contested]);
        let sides = chosen.shown[0].group.contested.clone().unwrap();
        // The representative, then the one that holds it off, though others are more alike.
        assert_eq!(sides, Contested { passed_on: vec![0, 2], held_off: vec![1] });
    }

    #[test]
    fn members_left_out_are_counted_and_indices_follow() {
        let chosen = Claims::choose(vec![group(7, &["a", "a", "a", "a", "b"], true)]);
        let claim = &chosen.shown[0];
        assert_eq!(claim.left_out["a"], 2);
        // The representative and the likest of the others stay.
        let kept: Vec<&str> =
            claim.group.members.iter().map(|m| m.sentence.article_id.as_str()).collect();
        assert_eq!(kept, ["a0", "a3", "a4"]);
        let sides = claim.group.contested.as_ref().unwrap();
        assert_eq!((sides.passed_on.as_slice(), sides.held_off.as_slice()), (&[0][..], &[2][..]));
    }
}
