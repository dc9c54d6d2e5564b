use proptest::prelude::*;
use serde_json::{Value, json};

use super::exports::as_plain_row;
use super::row::example;
use super::*;
use crate::model::Codebook;

fn codebook() -> Codebook {
    Codebook::from_toml(
        r#"
        name = "test"
        [[layer]]
        name = "engagement"
        kind = "single"
        labels = [{ name = "assert" }, { name = "deny" }, { name = "mixed" }]
        [[layer]]
        name = "frames"
        kind = "multi"
        labels = [{ name = "economic" }, { name = "political" }, { name = "mixed" }]
        [[layer]]
        name = "stance"
        kind = "target"
        labels = [{ name = "unfavourable" }, { name = "favourable" }]
        "#,
    )
    .unwrap()
}

fn read_value(row: Value) -> Result<Example, String> {
    let Value::Object(row) = row else { panic!("no object") };
    let pattern = regex::Regex::new(r"^(\w+)_\d+").unwrap();
    example(as_plain_row(row, &codebook())?, &codebook(), Some(&pattern))
}

fn single(label: usize) -> Answer {
    Answer::Single(Choice { label, alternative: None })
}

/// The mentions of an example: words and labels.
fn mentions(e: &Example) -> Vec<(&str, usize, Option<usize>)> {
    let Answer::Target(mentions) = &e.answers[2] else { return Vec::new() };
    mentions.iter().map(|(at, c)| (&e.model_text[at.clone()], c.label, c.alternative)).collect()
}

#[test]
fn reads_all_kinds_of_answers() {
    let e = read_value(json!({
        "text": "“A\u{a0}B” rose", "engagement": "assert", "engagement_alt": "deny",
        "frames": ["political"], "frames_optional": ["economic"], "id": "doc_7", "topic": "bridges",
        "target": {"mention": "B", "start": 3, "end": 4, "stance": "favourable"}
    }))
    .unwrap();
    assert_eq!(e.document, "doc");
    assert_eq!(e.fields["topic"], "bridges");
    assert_eq!(e.answers[0], Answer::Single(Choice { label: 0, alternative: Some(1) }));
    assert_eq!(e.answers[1], Answer::Multi(vec![None, Some(true), Some(false)]));
    assert_eq!(mentions(&e), [("B", 1, None)]);
}

#[test]
fn reads_rows_of_newsmtsc() {
    let e = read_value(json!({
        "id": "x", "text": "Ana won", "start": 0, "end": 3, "target": "Ana", "stance": "favourable"
    }))
    .unwrap();
    assert_eq!(mentions(&e), [("Ana", 1, None)]);
    assert_eq!(e.answers[0], Answer::None);
}

#[test]
fn names_the_field_that_is_wrong() {
    let unknown = read_value(json!({"text": "x", "engagement": "assrt"})).unwrap_err();
    assert!(unknown.contains("`engagement`") && unknown.contains("assert, deny"), "{unknown}");
    let target = |target| read_value(json!({"text": "Ana", "target": target})).unwrap_err();
    let outside = target(json!({"start": 3, "end": 9, "stance": "favourable"}));
    assert!(outside.contains("outside the text"), "{outside}");
    let twice = read_value(json!({"text": "x", "engagement": "assert|deny"})).unwrap_err();
    assert!(twice.contains("2 labels") && twice.contains("takes one"), "{twice}");
    let column = read_value(json!({"text": "x", "frames:economic": "maybe"})).unwrap_err();
    assert!(column.contains("`frames:economic`") && column.contains("0 or 1"), "{column}");
    let missing = read_value(json!({"txt": "x", "engagement": "assert"})).unwrap_err();
    assert!(missing.contains("`text` is missing") && missing.contains("txt"), "{missing}");
}

#[test]
fn lists_of_labels_may_be_written_in_many_ways() {
    let both = Answer::Multi(vec![Some(true), Some(true), Some(false)]);
    for frames in [
        json!(["economic", "political"]),
        json!("economic|political"),
        json!(" economic | political "),
        json!(r#"["economic", "political"]"#),
        json!("['economic', 'political']"),
        json!({"choices": ["economic", "political"]}),
        json!(r#"{"choices": ["economic", "political"]}"#),
    ] {
        let e = read_value(json!({"text": "x", "frames": frames})).unwrap();
        assert_eq!(e.answers[1], both, "{frames}");
    }
    for none in [json!([]), json!("[]"), json!("none")] {
        let e = read_value(json!({"text": "x", "frames": none})).unwrap();
        assert_eq!(e.answers[1], Answer::Multi(vec![Some(false); 3]), "{none}");
    }
    let columns = json!({"text": "x", "frames:economic": "1", "frames:political": 0.0,
        "frames:mixed": "", "engagement:assert": false, "engagement:deny": true});
    let e = read_value(columns).unwrap();
    assert_eq!(e.answers[1], Answer::Multi(vec![Some(true), Some(false), None]));
    assert_eq!(e.answers[0], single(1));
}

#[test]
fn a_mention_without_offsets_must_occur_once() {
    let row =
        |text: &str| read_value(json!({"text": text, "mention": "Ana", "stance": "favourable"}));
    assert_eq!(mentions(&row("So Ana won").unwrap()), [("Ana", 1, None)]);
    assert!(row("Ana met Ana").unwrap_err().contains("more than once"));
    assert!(row("Bo won").unwrap_err().contains("does not stand"));
}

#[test]
fn reads_tasks_of_label_studio() {
    let choice = |control: &str, labels: serde_json::Value| json!({"from_name": control, "to_name": "text", "type": "choices", "value": {"choices": labels}});
    // Offsets of a browser: the bicycle takes two units.
    let region = |kind: &str, label: &str| {
        json!({"id": "r1", "from_name": if kind == "labels" { "region" } else { "stance" },
            "to_name": "text", "type": kind,
            "value": {"start": 3, "end": 6, "text": "Ana", kind: [label]}})
    };
    let e = read_value(json!({
        "id": 12, "data": {"text": "🚲 Ana won", "outlet": "The Ferry"},
        "annotations": [
            {"id": 1, "result": [choice("engagement", json!(["deny"])),
                choice("frames", json!(["economic", "mixed"])), region("labels", "Person"),
                region("choices", "favourable")]},
            {"id": 2, "result": [choice("engagement", json!(["assert"])), choice("frames", json!(["mixed"])),
                region("choices", "unfavourable")]},
            {"id": 3, "result": [choice("engagement", json!(["assert"])), region("choices", "favourable")]},
            {"id": 4, "was_cancelled": true, "result": [choice("engagement", json!(["mixed"]))]}
        ]
    }))
    .unwrap();
    assert_eq!(e.answers[0], Answer::Single(Choice { label: 0, alternative: Some(1) }));
    assert_eq!(e.answers[1], Answer::Multi(vec![None, Some(false), Some(true)]));
    assert_eq!(mentions(&e), [("Ana", 1, Some(0))]);
    assert_eq!(e.outlet.as_deref(), Some("The Ferry"));

    let by_choices = json!({"data": {"sentence": "x"}, "annotations": [
        {"result": [choice("what", json!(["deny"]))]}]});
    assert_eq!(read_value(by_choices).unwrap().answers[0], single(1));
    let unknown = json!({"data": {"text": "x"}, "annotations": [
        {"result": [choice("what", json!(["other"]))]}]});
    assert!(read_value(unknown).unwrap_err().contains("call the controls like the layers"));
}

#[test]
fn reads_the_smaller_export_of_label_studio() {
    let e = read_value(json!({"text": "Ana won", "id": 3, "engagement": "deny", "annotator": 1,
        "frames": {"choices": ["economic"]},
        "stance": [{"start": 0, "end": 3, "text": "Ana", "choices": ["favourable"]}]}))
    .unwrap();
    assert_eq!(e.answers[0], single(1));
    assert_eq!(mentions(&e), [("Ana", 1, None)]);
    // As a cell of a table, and with offsets that do not fit.
    let wrong = r#"[{"start": 1, "end": 4, "text": "Ana", "labels": ["favourable"]}]"#;
    let error = read_value(json!({"text": "Ana won", "stance": wrong})).unwrap_err();
    assert!(error.contains("do not cut out"), "{error}");
}

#[test]
fn reads_rows_of_doccano() {
    let rows = [
        json!({"id": 1, "text": "Ana won", "label": ["deny", "economic", "frames:mixed"]}),
        json!({"id": 1, "data": "Ana won", "label": "deny#economic#frames:mixed"}),
        json!({"id": 1, "text": "Ana won", "cats": ["deny", "economic", "frames:mixed"], "entities": []}),
    ];
    for row in rows {
        let e = read_value(row).unwrap();
        assert_eq!(e.answers[0], single(1));
        assert_eq!(e.answers[1], Answer::Multi(vec![Some(true), Some(false), Some(true)]));
    }
    let spans = [
        json!({"text": "Ana won", "label": [[0, 3, "favourable"]]}),
        json!({"text": "Ana won", "entities": [{"id": 4, "start_offset": 0, "end_offset": 3,
            "label": "favourable"}], "relations": []}),
    ];
    for row in spans {
        assert_eq!(mentions(&read_value(row).unwrap()), [("Ana", 1, None)]);
    }
    let error = |label: &str| read_value(json!({"text": "x", "label": [label]})).unwrap_err();
    assert!(error("mixed").contains("LAYER:LABEL"));
    assert!(error("favourable").contains("sentence layers"));
    // A plain row may use the field for its own ends.
    let e = read_value(json!({"text": "x", "label": ["whatever"], "engagement": "deny"})).unwrap();
    assert_eq!(e.answers[0], single(1));
}

/// Any JSON, not too deep.
fn any_json() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        (-3i64..40).prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        prop::sample::select(vec![
            "deny",
            "frames:mixed",
            "economic|",
            "[",
            "{}",
            "favourable",
            "🚲é"
        ])
        .prop_map(Value::from),
        ".{0,12}".prop_map(Value::from),
    ];
    leaf.prop_recursive(4, 24, 4, |inner| {
        let names = prop::sample::select(vec![
            "text",
            "start",
            "end",
            "choices",
            "labels",
            "label",
            "value",
            "result",
            "from_name",
            "stance",
        ]);
        let pairs = prop::collection::vec((names, inner.clone()), 0..4);
        let object =
            |pairs: Vec<(&str, Value)>| pairs.into_iter().map(|(k, v)| (k.to_owned(), v)).collect();
        prop_oneof![
            prop::collection::vec(inner, 0..4).prop_map(Value::from),
            pairs.prop_map(move |pairs| Value::Object(object(pairs))),
        ]
    })
}

proptest! {
    #[test]
    fn any_row_is_read_or_refused(
        text in ".{0,30}",
        fields in prop::collection::vec((prop::sample::select(vec![
            "engagement", "engagement_alt", "engagement:deny", "frames", "frames_optional", "frames:mixed",
            "stance", "target", "mention", "start", "end", "label", "cats", "entities", "data", "annotations",
            "document", "id",
        ]), any_json()), 0..6),
    ) {
        let mut row = serde_json::Map::from_iter([("text".to_owned(), Value::from(text.clone()))]);
        row.extend(fields.into_iter().map(|(name, value)| (name.to_owned(), value)));
        if let Ok(e) = read_value(Value::Object(row)) {
            prop_assert_eq!(e.answers.len(), 3);
            for (words, label, _) in mentions(&e) {
                prop_assert!(!words.is_empty() && label < 2);
            }
        }
    }
}

fn sentence(document: &str, text: &str) -> Example {
    Example {
        text: text.into(),
        model_text: text.into(),
        document: document.into(),
        ..Example::default()
    }
}

#[test]
fn splits_by_document() {
    let example = |i: usize| sentence(&(i / 3).to_string(), &i.to_string());
    let (train, dev) = split((0..900).map(example).collect(), 0.2, 1);
    let of = |part: &[Example]| -> std::collections::HashSet<String> {
        part.iter().map(|e| e.document.clone()).collect()
    };
    assert!(of(&train).is_disjoint(&of(&dev)));
    assert!((120..240).contains(&dev.len()), "{}", dev.len());
}

#[test]
fn what_the_test_data_know_is_left_out_and_counted() {
    let long = "The council of the old harbour town said on Monday that the ferry to the northern \
                islands will not sail before the storm has passed";
    let train = vec![
        sentence("a", "All quiet."),
        sentence("b", "The ferry sank."),
        sentence("b", long.replace("Monday", "Tuesday").as_str()),
        sentence("c", "The bridge stands."),
    ];
    let test =
        [sentence("a", "Nothing else."), sentence("x", "The ferry sank."), sentence("y", long)];
    let expected = Overlap { of_documents: 1, same: 1, near: 1 };
    assert_eq!(overlap(&train, &test), expected);
    let (left, found) = without(train, &test);
    assert_eq!((left.len(), found), (1, expected));
    assert_eq!(left[0].document, "c");
}

#[test]
fn stand_off_labels_are_looked_up_in_the_articles() {
    let folder = tempfile::tempdir().unwrap();
    let articles = folder.path().join("articles.jsonl");
    let text = "Ein “Zöllner” zahlt. The mayor denied it. The port is shut.";
    std::fs::write(&articles, json!({"id": "a1", "outlet": "Post", "text": text}).to_string())
        .unwrap();
    let sum = &sha256_hex("The mayor denied it.".as_bytes())[..8];
    let good = json!({
        "article_id": "a1", "start": 21, "end": 41, "text_sha256": sum, "engagement": "deny",
        "target": {"start": 4, "end": 9, "stance": "favourable"}
    });
    let rows = [
        good,
        // Another text stands there; no such article; past its end; no place at all.
        json!({"article_id": "a1", "start": 42, "end": 59, "text_sha256": sum, "engagement": "deny"}),
        json!({"article_id": "a2", "start": 0, "end": 5, "engagement": "deny"}),
        json!({"article_id": "a1", "start": 42, "end": 60, "engagement": "deny"}),
        json!({"article_id": "a1", "engagement": "deny"}),
        json!({"article_id": "a1", "start": 42, "end": 59, "engagement": "assert", "document": "d"}),
    ];
    let path = folder.path().join("labels.jsonl");
    std::fs::write(&path, rows.map(|r| r.to_string()).join("\n")).unwrap();
    let read = read_standoff(&path, &articles, &codebook(), None).unwrap();
    let read_as: Vec<(&str, &str)> =
        read.examples.iter().map(|e| (e.text.as_str(), e.document.as_str())).collect();
    assert_eq!(read_as, [("The mayor denied it.", "a1"), ("The port is shut.", "d")]);
    assert_eq!(mentions(&read.examples[0]), [("mayor", 1, None)]);
    let reasons: Vec<&str> = read.skipped.iter().map(|s| s.reason.as_str()).collect();
    assert_eq!(read.skipped.iter().map(|s| s.row).collect::<Vec<_>>(), [2, 3, 4, 5].map(Some));
    assert!(reasons[0].contains("not the text that was labelled"), "{reasons:?}");
    assert!(reasons[1].contains("\"a2\"") && reasons[2].contains("42 to 60"), "{reasons:?}");
    assert!(reasons[3].contains("`start` is missing"), "{reasons:?}");
}

#[test]
fn a_second_annotator_says_what_is_certain() {
    let folder = tempfile::tempdir().unwrap();
    let write = |name: &str, rows: &[Value]| {
        let rows: Vec<String> = rows.iter().map(Value::to_string).collect();
        std::fs::write(folder.path().join(name), rows.join("\n")).unwrap();
    };
    let row = |id: &str| {
        json!({
            "id": id, "text": format!("The mayor denied it {id}."), "engagement": "deny",
            "frames": ["economic", "political"],
            "target": {"mention": "mayor", "start": 4, "end": 9, "stance": "favourable"}
        })
    };
    write("labels.jsonl", &[row("1"), row("2")]);
    let again = json!({
        "id": "2", "engagement": "assert", "frames": ["political", "mixed"],
        "target": {"stance": "unfavourable"}
    });
    write("second.jsonl", &[again, json!({"engagement": "deny"})]);
    let source = crate::training::recipe::Source {
        path: "labels.jsonl".into(),
        articles: None,
        second: Some("second.jsonl".into()),
        document_pattern: None,
        share: 1.0,
    };
    let read = read_source(&source, &|path| folder.path().join(path), &codebook()).unwrap();
    assert_eq!(read.examples[0].answers[0], single(1));
    assert_eq!(
        read.examples[0].answers[1],
        Answer::Multi(vec![Some(true), Some(true), Some(false)])
    );
    assert_eq!(
        read.examples[1].answers[0],
        Answer::Single(Choice { label: 1, alternative: Some(0) })
    );
    assert_eq!(read.examples[1].answers[1], Answer::Multi(vec![None, Some(true), None]));
    assert_eq!(mentions(&read.examples[1]), [("mayor", 1, Some(0))]);
    assert_eq!(read.skipped.len(), 1, "{:?}", read.skipped);
}
