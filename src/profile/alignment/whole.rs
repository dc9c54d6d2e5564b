//! Quotations in one piece: a long one is compared clause by clause, and shown whole.

use std::collections::BTreeMap;

use super::{Group, GroupKind, SentenceKey};

/// Puts groups of one event together that are parts of one quotation: those that quote the very
/// same sentences. The groups keep their order, the whole stands where its first part stood.
pub(super) fn whole_quotations(groups: Vec<Group>) -> Vec<Group> {
    let mut whole: Vec<Group> = Vec::new();
    let mut places: BTreeMap<Vec<SentenceKey>, usize> = BTreeMap::new();
    for group in groups {
        if group.kind == GroupKind::Claim {
            whole.push(group);
            continue;
        }
        let sentences: Vec<SentenceKey> =
            group.members.iter().map(|m| m.sentence.clone()).collect();
        match places.get(&sentences).and_then(|&at| whole.get_mut(at)) {
            Some(first) => join(first, group),
            None => {
                places.insert(sentences, whole.len());
                whole.push(group);
            }
        }
    }
    whole
}

/// Adds a part to a quotation with the same sentences in the same order.
fn join(whole: &mut Group, part: Group) {
    // The longer part's representative speaks for all.
    let length = |g: &Group| g.members.get(g.representative).map_or(0, |m| m.span.len());
    let longer = length(&part) > length(whole);
    if longer {
        whole.representative = part.representative;
    }
    for (member, other) in whole.members.iter_mut().zip(part.members) {
        member.span.start = member.span.start.min(other.span.start);
        member.span.end = member.span.end.max(other.span.end);
        if longer {
            member.similarity = other.similarity;
        }
        member.marks.extend(other.marks);
        member.marks.sort_by_key(|m| (m.start, m.end, m.kind));
        member.marks.dedup();
    }
    for fact in part.differing {
        if !whole.differing.contains(&fact) {
            whole.differing.push(fact);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::{Mark, MarkKind, Member};
    use super::*;

    fn group(kind: GroupKind, spans: &[(&str, usize, usize)], representative: usize) -> Group {
        let member = |&(outlet, start, end): &(&str, usize, usize)| Member {
            sentence: SentenceKey { article_id: outlet.to_owned(), sentence_index: 0 },
            outlet: outlet.to_owned(),
            span: start..end,
            similarity: if start == end { 1.0 } else { 0.5 },
            marks: vec![Mark { start, end: start + 1, kind: MarkKind::Naming }],
        };
        Group {
            id: 0,
            event: None,
            kind,
            members: spans.iter().map(member).collect(),
            representative,
            absent: Vec::new(),
            contested: None,
            differing: Vec::new(),
        }
    }

    #[test]
    fn parts_of_one_quotation_are_one() {
        let parts = vec![
            group(GroupKind::Quotation, &[("a", 0, 9), ("b", 5, 14)], 0),
            group(GroupKind::Claim, &[("a", 0, 9), ("b", 5, 14)], 0),
            group(GroupKind::Quotation, &[("a", 10, 30), ("b", 15, 35)], 1),
            group(GroupKind::Quotation, &[("a", 0, 9), ("c", 5, 14)], 0),
            group(GroupKind::Claim, &[("a", 10, 30), ("b", 15, 35)], 0),
        ];
        let whole = whole_quotations(parts.clone());
        assert_eq!(whole.len(), 4);
        let spans: Vec<_> = whole[0].members.iter().map(|m| m.span.clone()).collect();
        assert_eq!(spans, [0..30, 5..35]);
        assert_eq!(whole[0].representative, 1, "the longer part's");
        assert_eq!(whole[0].members[0].marks.len(), 2);
        assert_eq!(whole[1..], [parts[1].clone(), parts[3].clone(), parts[4].clone()]);
    }
}
