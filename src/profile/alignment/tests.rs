use std::collections::BTreeMap;
use std::collections::BTreeSet;

use proptest::prelude::*;

use super::*;

/// A sentence of an invented event.
fn sentence(article: &str, index: u32, text: &str) -> Sentence {
    Sentence {
        key: SentenceKey { article_id: format!("{article}-1"), sentence_index: index },
        outlet: article.to_owned(),
        date: Some("2023-09-04".into()),
        event: Some("dam".into()),
        text: text.to_owned(),
        quotation: false,
        side: Some(Side::PassedOn),
        vector: Vec::new(),
    }
}

fn corpus() -> Vec<Sentence> {
    let mut sentences = vec![
        sentence("Post", 0, "The old dam above Orsa burst on Sunday night."),
        sentence("Post", 1, "Some 7,000 people fled the flooded valley, the mission said."),
        sentence("Post", 2, "“We will rebuild every single house by the spring,” the mayor said."),
        sentence("Wire", 0, "The dam above Orsa allegedly burst on Sunday night."),
        sentence("Wire", 1, "Officials counted 9,500 people who fled the flooded valley."),
        sentence("Wire", 2, "“We will rebuild every house by the spring,” Mayor Vale promised."),
        sentence("Times", 0, "Growers lose a million crowns a day while the crossing is shut."),
    ];
    if let Some(s) = sentences.get_mut(3) {
        s.side = Some(Side::HeldOff);
    }
    sentences
}

/// Without vectors of sentences or words, likeness is lower.
const LOOSE: Settings = Settings { likeness: Some(0.35) };

fn by_words(sentences: Vec<Sentence>) -> Vec<Group> {
    let none = |_: &str| None;
    align(sentences, &Meanings { words: &none, contexts: None }, &LOOSE).expect("words are enough")
}

#[test]
fn the_same_act_and_quotation_are_found() {
    let groups = by_words(corpus());
    let members = |g: &Group| -> Vec<(String, u32)> {
        g.members.iter().map(|m| (m.outlet.clone(), m.sentence.sentence_index)).collect()
    };
    let all: Vec<_> = groups.iter().map(members).collect();
    for index in 0..3 {
        let expected = vec![("Post".to_owned(), index), ("Wire".to_owned(), index)];
        assert!(all.contains(&expected), "{index}: {all:?}");
    }
    assert!(groups.iter().all(|g| g.absent == ["Times"] && g.event.as_deref() == Some("dam")));
    let of = |index: u32| {
        groups.iter().find(|g| g.members.iter().all(|m| m.sentence.sentence_index == index))
    };
    let burst = of(0).expect("it is there");
    assert_eq!(burst.contested, Some(Contested { passed_on: vec![0], held_off: vec![1] }));
    assert!(
        burst.members.iter().any(|m| m.marks.iter().any(|k| k.kind == MarkKind::ReportingVerb))
    );
    let fled = of(1).expect("it is there");
    let numbers = fled.differing.iter().find(|d| d.what == FactKind::Number).expect("they differ");
    let values: Vec<&str> = numbers.values.iter().map(|(v, _)| v.as_str()).collect();
    assert_eq!(values, ["7000 people", "9500 people"]);
    assert!(fled.contested.is_none());
    assert_eq!(of(2).expect("it is there").kind, GroupKind::Quotation);
}

#[test]
fn numbers_differ_where_they_count_the_same() {
    let numbers = |a: &str, b: &str| -> Vec<Vec<String>> {
        let say = |what: &str| {
            format!("Soldiers on the old bridge at Orsa shot at {what} in the valley.")
        };
        let groups = by_words(vec![sentence("Post", 0, &say(a)), sentence("Wire", 0, &say(b))]);
        assert_eq!(groups.len(), 1, "{a}, {b}");
        let facts = groups.iter().flat_map(|g| &g.differing);
        let numbers = facts.filter(|d| d.what == FactKind::Number);
        numbers.map(|d| d.values.iter().map(|(written, _)| written.clone()).collect()).collect()
    };
    assert_eq!(
        numbers("400 military vehicles", "412 vehicles"),
        [["400 military vehicles", "412 vehicles"]]
    );
    assert_eq!(
        numbers("six border guards", "seven border guards"),
        [["6 border guards", "7 border guards"]]
    );
    let part = numbers("men, two of the dead were border guards", "men, four guards were dead");
    assert_eq!(part, [["2 of the dead were border guards", "4 guards"]]);
    assert!(numbers("400 military vehicles", "400 vehicles").is_empty());
    // Both moved, and it is not known whether they are the same.
    assert!(numbers("20 soldiers moving", "10 vehicles moving").is_empty());
}

#[test]
fn days_differ_only_from_their_own_sort() {
    let days = |a: &str, b: &str| {
        let say = |day: &str| format!("The flooded valley will get its bridge back on {day}.");
        let sentences = vec![sentence("Post", 0, &say(a)), sentence("Wire", 0, &say(b))];
        let groups = by_words(sentences);
        groups.iter().flat_map(|g| &g.differing).any(|d| d.what == FactKind::Date)
    };
    assert!(!days("6 September", "Sept. 6"));
    assert!(!days("Wednesday", "6 September"), "it may be one day, or another's");
    assert!(days("Wednesday", "Thursday"));
    assert!(days("6 October", "7 October"));
}

#[test]
fn a_whole_sentence_heads_the_group() {
    let groups = by_words(vec![
        sentence(
            "Post",
            0,
            "Growers went home unpaid, after the old dam above Orsa burst on Sunday.",
        ),
        sentence("Wire", 0, "The old dam above Orsa burst on Sunday."),
        sentence("Zone", 0, "Nobody slept, because the old dam above Orsa burst on Sunday."),
    ]);
    let [group] = groups.as_slice() else { panic!("{groups:?}") };
    assert_eq!(group.members.len(), 3);
    assert_eq!(group.members[group.representative].outlet, "Wire");
}

/// *The allegations* are what the clause before alleges.
#[test]
fn a_denial_stands_with_what_it_denies() {
    let of = |wire: [&str; 2]| {
        let groups = by_words(vec![
            sentence("Post", 0, "Halvia is massing barges below the old dam above Orsa."),
            sentence("Wire", 0, wire[0]),
            sentence("Wire", 1, wire[1]),
            sentence("Zone", 0, "Growers lose a million crowns a day while the crossing is shut."),
        ]);
        groups.iter().flat_map(|g| &g.members).filter(|m| m.outlet == "Wire").count()
    };
    let alleged = "Ketria says Halvia is massing barges below the old dam above Orsa.";
    assert_eq!(of([alleged, "The allegations have been firmly denied by Halvia."]), 2);
    assert_eq!(of([alleged, "The growers have been firmly turned away by Halvia."]), 1);
}

#[test]
fn who_speaks_is_no_claim() {
    let groups = by_words(vec![
        sentence("Post", 0, "The growers will be paid by spring, said Davin Ruske, the engineer."),
        sentence(
            "Wire",
            0,
            "Nobody saw the gates open, Davin Ruske, the engineer, told reporters.",
        ),
    ]);
    assert!(groups.is_empty(), "{groups:?}");
}

#[test]
fn one_outlet_alone_is_no_group() {
    let mut sentences = corpus();
    sentences.iter_mut().for_each(|s| s.outlet = "Post".into());
    assert!(by_words(sentences).is_empty());
    assert!(by_words(Vec::new()).is_empty());
}

#[test]
fn events_are_found_from_days_and_words() {
    let mut sentences = corpus();
    sentences.iter_mut().for_each(|s| s.event = None);
    let late = |mut s: Sentence| {
        s.key.article_id = "late-1".into();
        s.outlet = "Late".into();
        s.date = Some("2023-12-24".into());
        s
    };
    let copy: Vec<Sentence> = sentences.iter().take(3).cloned().map(late).collect();
    sentences.extend(copy);
    let groups = by_words(sentences);
    assert!(!groups.is_empty());
    for group in &groups {
        assert!(group.event.as_deref().is_some_and(|e| e.starts_with("2023-09-04 ")));
        assert!(group.members.iter().all(|m| m.outlet != "Late"));
    }
}

#[test]
fn odd_input_is_survived() {
    let odd = ["", "   ", "…", "“", "'", "\u{202e}x", "ﬁ ½ 10,,0 1.2.3", "İ’s"];
    let sentences: Vec<Sentence> = odd
        .iter()
        .enumerate()
        .flat_map(|(i, text)| ["a", "b"].map(|o| sentence(o, i as u32, text)))
        .map(|mut s| {
            s.vector = if s.key.sentence_index == 0 { Vec::new() } else { vec![f32::NAN; 2] };
            s.date = Some("not a day".into());
            s
        })
        .collect();
    let contexts = |passages: &[Passage]| {
        let odd = |p: &Passage| ndarray::Array2::from_elem((p.words.len() / 2, 2), f32::NAN);
        Ok(passages.iter().map(odd).collect())
    };
    let meanings = Meanings { words: &|_| Some(vec![0.0; 3]), contexts: Some(&contexts) };
    align(sentences, &meanings, &LOOSE).unwrap();
    let long = "word ".repeat(100_000) + &"x".repeat(100_000);
    by_words(vec![sentence("a", 0, &long), sentence("b", 0, &long)]);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn order_changes_nothing_and_groups_are_sound(
        picks in prop::collection::vec((0usize..7, 0usize..4, 0u32..9), 2..24),
        order in any::<u64>(),
    ) {
        let pool = corpus();
        let outlets = ["Post", "Wire", "Times", "Sun"];
        let picked: BTreeMap<(usize, u32), usize> =
            picks.iter().map(|&(text, outlet, index)| ((outlet, index), text)).collect();
        let sentences: Vec<Sentence> = picked
            .iter()
            .map(|(&(outlet, index), &text)| sentence(outlets[outlet], index, &pool[text].text))
            .collect();
        let mut shuffled = sentences.clone();
        let n = shuffled.len();
        for i in 0..n {
            shuffled.swap(i, (order.rotate_left(i as u32) % n as u64) as usize);
        }
        let groups = by_words(sentences.clone());
        prop_assert_eq!(&groups, &by_words(shuffled));
        for (i, group) in groups.iter().enumerate() {
            prop_assert_eq!(group.id as usize, i);
            let outlets: BTreeSet<&str> = group.members.iter().map(|m| m.outlet.as_str()).collect();
            prop_assert!(outlets.len() > 1);
            prop_assert!(group.absent.iter().all(|o| !outlets.contains(o.as_str())));
            let keys: BTreeSet<&SentenceKey> = group.members.iter().map(|m| &m.sentence).collect();
            prop_assert_eq!(keys.len(), group.members.len());
            prop_assert!(group.members.is_sorted_by_key(|m| (&m.outlet, &m.sentence)));
            prop_assert!(group.representative < group.members.len());
            for member in &group.members {
                let text = sentences.iter().find(|s| s.key == member.sentence);
                let length = text.map_or(0, |s| s.text.chars().count());
                prop_assert!(member.span.start < member.span.end && member.span.end <= length);
                prop_assert!(member.marks.iter().all(|m| m.start < m.end && m.end <= length));
                prop_assert!((0.0..=1.0).contains(&member.similarity));
            }
        }
    }
}
