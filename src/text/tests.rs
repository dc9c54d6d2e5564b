//! The room as a whole: hard sentences, properties that hold for any text, and the real pages where they are at hand.

use std::time::{Duration, Instant};

use proptest::prelude::*;

use super::normal::blank_len;
use super::{Role, Sentence, split};
use crate::corpus::Article;

fn article(text: &str) -> Article {
    Article { text: text.to_owned(), ..Article::default() }
}

fn sentences(text: &str) -> Vec<Sentence> {
    split(&article(text))
}

/// Paragraphs and the sentences that they hold, `|` between them.
const HARD: &[(&str, &str)] = &[
    ("abbreviated states", "He came to the U.S. in May. |He left in June."),
    ("a starter after U.S.", "It was made in the U.S. |Critics say it was not."),
    ("a name after U.S.", "He joined the U.S. Senate in 2014. |She did not."),
    ("an ordinal after U.S.", "He sued in the U.S. Second Circuit. |She won."),
    ("a time and a day", "They met at 9 a.m. Monday in Vale. |Nobody came."),
    ("a time at the end", "They met at 9 a.m. |The talks failed."),
    ("a time zone", "It begins at 8 p.m. ET on Friday. |Watch it."),
    ("titles", "Sen. Will Hart met Gov. Mary Lane and Lt. Col. Ed Shaw. |Mr. May did not."),
    ("initials", "J. K. Holm and George W. Vale wrote it. |It sold well."),
    ("numbers", "It is No. 5 on the list. |No. 6 is Vale."),
    ("decimals", "Prices rose 3.5 percent to $4.20. |Wages rose 1.1."),
    ("a plain no", "The council said no. |Vale went ahead."),
    ("a month", "He was born on Jan. 5 in Vale. |She was not."),
    ("an ellipsis that goes on", "We wait... and we hope. |We go."),
    ("an ellipsis character", "We cannot… we will not. |We go."),
    ("an omission", "It is different [...] we cannot go on. |So we stop."),
    ("a quotation before its verb", "“Is it over?” he asked. |“It is.”"),
    ("a question before a name", "“Is it over?” Mayor Vale asked. |Nobody knew."),
    ("a cry before a name", "\"It is over!\" Vale tweeted. |Nobody cared."),
    ("a stop inside the marks", "He said, “We are ready.” |She left."),
    ("a stop outside the marks", "He called it \"a risk\". |She left."),
    ("straight marks", "\"We are ready. |It must be so,\" he said. |\"We wait.\""),
    ("a bracket after the stop", "(She stayed.) |He left. |(They had met before.) |It rained."),
    ("a bracket within", "The bill (H.R. 3. It passed in May) was signed. |It holds."),
    ("a party and state", "Sen. Ada Vale (R-Ind.) voted no. |Rep. Tom Holm, D-Calif., voted yes."),
    ("no space after a mark", "He denied the “build-up”allegedly under way. |She did not."),
    ("no space after a stop", "We go forward.|This is why. |It works."),
    ("an address", "See www.vale.example.com for more. |Write to a.b@vale.example today."),
    ("tokenised marks", "\" We are ready, \" he said. |\" It must be so. \" |Then he left."),
    ("tokenised words", "Kim Jong - un met Mr. Moon. |They spoke of \" peace. \" |It was late."),
    ("nested marks", "“He said, ‘I quit.’ |And he did,” she said. |We knew."),
    ("single marks", "‘We are ready. |It must be so,’ he said. |The workers’ vote is due."),
    ("an apostrophe", "It's the '90s all over, the workers' union said. |That's all."),
    ("a company", "Vale Inc. said so. |Holm Corp. did not. |He runs Vale & Co. |The firm is old."),
    ("a list number", "1. The bridge is shut. |2. The road is open."),
    (
        "a comma after a mark",
        "It must be held with Vale, Holm, as well as the Union.,\" he said. |They agreed.",
    ),
    ("a particle", "He resigned. |de Blasio stayed."),
    ("a volume", "See Vol. 2 of the report. |It is long."),
    ("a state and a starter", "He lives in Vale, Fla. |The house is small."),
    ("versus", "In Vale v. Holm the court split. |It was Vale vs. Holm again."),
];

#[test]
fn hard_sentences_are_cut_where_they_end() {
    let mut alone = 0;
    for (name, case) in HARD {
        let (text, wanted) = wanted(case);
        let found: Vec<String> = sentences(&text).into_iter().map(|s| s.text).collect();
        assert_eq!(found, wanted, "{name}");
        let theirs: Vec<String> =
            sentencex::segment("en", &text).iter().map(|s| s.trim().to_owned()).collect();
        alone += usize::from(theirs == wanted);
    }
    println!("sentencex alone: {alone} of {}", HARD.len());
}

/// The text of a case and its sentences.
fn wanted(case: &str) -> (String, Vec<String>) {
    let text = case.replace('|', "");
    let parts = case.split('|').map(|part| part.trim().to_owned()).collect();
    (text, parts)
}

#[test]
fn quotations_are_followed_over_sentences_and_paragraphs() {
    let shown = |text: &str| -> Vec<(Role, String)> {
        sentences(text).into_iter().map(|s| (s.role, s.model_text)).collect()
    };
    let quote = |s: &str| (Role::Quote, s.to_owned());
    let body = |s: &str| (Role::Body, s.to_owned());
    assert_eq!(
        shown("“We are ready. It must be so,” he said. It rained."),
        [quote("\"We are ready.\""), body("\"It must be so,\" he said."), body("It rained.")]
    );
    // A paragraph that opens with a mark goes on with the quotation before it.
    assert_eq!(
        shown("“We wait,” he said. “We are ready.\n\n“It must be so,” he added.\n\nIt rained."),
        [
            body("\"We wait,\" he said."),
            quote("\"We are ready.\""),
            body("\"It must be so,\" he added."),
            body("It rained.")
        ]
    );
    // A line break inside, and two kinds of marks.
    assert_eq!(
        shown("“They will meet in Vale.\nAnd then in Holm,\" he said.\n\nIt rained."),
        [
            quote("\"They will meet in Vale.\""),
            body("\"And then in Holm,\" he said."),
            body("It rained.")
        ]
    );
    // An inner quotation does not hide the outer one.
    assert_eq!(
        shown("“He knew it. ‘Go,’ he said. And I went,” she said."),
        [quote("\"He knew it.\""), quote("\"'Go,' he said.\""), body("\"And I went,\" she said.")]
    );
    // A lost closing mark does not make the rest of the page a quotation.
    assert_eq!(
        shown("He said: “We are ready. It rained.\n\nThe town slept.\n\nNobody came."),
        [
            body("He said: \"We are ready.\""),
            body("It rained."),
            body("The town slept."),
            body("Nobody came.")
        ]
    );
    assert_eq!(
        shown("The 6'2\" mayor spoke. It rained. He called it \"late\"."),
        [body("The 6'2\" mayor spoke."), body("It rained."), body("He called it \"late\".")]
    );
    assert_eq!(
        shown("‘We are ready. It must be so,’ he said. The workers’ day."),
        [quote("'We are ready.\""), body("'It must be so,' he said."), body("The workers' day.")]
            .map(|(r, s)| (r, s.replace("ready.\"", "ready.'")))
    );
    assert_eq!(
        shown("There are “bumps in the road “ahead. She said so. “It is late, “he said."),
        [
            body("There are \"bumps in the road \"ahead."),
            body("She said so."),
            body("\"It is late, \"he said.")
        ]
    );
}

#[test]
fn headlines_are_told_from_sentences() {
    let with_title = |title: &str, text: &str| {
        let article = Article { title: Some(title.into()), ..article(text) };
        split(&article).into_iter().map(|s| (s.role, s.start, s.text)).collect::<Vec<_>>()
    };
    let found = with_title("Bridge shut", "It is shut.\n\nWhat the town says\n\nIt is late.");
    assert_eq!(found[0], (Role::Headline, None, "Bridge shut".into()));
    assert_eq!(found[2], (Role::Headline, Some(13), "What the town says".into()));
    assert_eq!(found.len(), 4);
    // The text has the title already, with other marks.
    let found = with_title("Bridge ‘shut’ in Vale.", "Bridge 'shut ' in Vale\n\nIt is shut.");
    assert_eq!(found.iter().filter(|f| f.0 == Role::Headline).count(), 1);
    assert_eq!(found.len(), 2);
    assert_eq!(with_title(" \u{200b}", "It is shut.").len(), 1);
    let found = with_title("It", "It is shut. So it is.");
    assert_eq!((found.len(), found[0].0, found[1].0), (3, Role::Headline, Role::Body));
}

#[test]
fn the_same_words_in_other_type_give_the_same_model_text() {
    let clean = "\"We are ready,\" the mayor of Vale said. It's late in the \"old\" town.";
    let odd = "“We are\u{a0}ready,” the may\u{ad}or of\u{2003}Vale\u{200b} said. It’s late in\u{202f}the ”old”\u{200e} town.";
    let shown = |text: &str| {
        sentences(text).into_iter().map(|s| (s.model_text, s.role)).collect::<Vec<_>>()
    };
    assert_eq!(shown(odd), shown(clean));
}

#[test]
fn a_text_without_end_takes_little_time() {
    let units = [
        "word ",
        "x",
        "“a ",
        "' a ",
        "(",
        "Mr. A. ",
        "a. ",
        "a\n",
        "“a\n",
        "\\n",
        "\u{301}",
        "?!",
        "U.S. The ",
        ").",
        "‘a ’ s ",
        "?! ",
        ". ",
        "“ ",
        "\" ",
        "( ",
        "• ",
        "1. ",
        "… ",
        "A.\n",
        "Leave a Reply\n",
        "‘a b. ",
        "\u{ad}",
        "\u{ad}“",
        "By signing up you agree to ",
    ];
    for unit in units {
        let text = unit.repeat(200_000 / unit.len());
        let start = Instant::now();
        let found = sentences(&text);
        // Linear time is a tenth of a second; quadratic time is minutes, on a busy machine too.
        assert!(start.elapsed() < Duration::from_secs(30), "{unit:?}: {:?}", start.elapsed());
        check(&text, &found);
        println!("200 kB of {unit:?}: {:?}, {} sentences", start.elapsed(), found.len());
    }
}

/// What must hold for any text.
fn check(text: &str, found: &[Sentence]) {
    let starts: Vec<usize> = text.char_indices().map(|(i, _)| i).chain([text.len()]).collect();
    let mut at = 0;
    for sentence in found {
        let (Some(start), Some(end)) = (sentence.start, sentence.end) else { panic!("no offsets") };
        let (start, end) = (starts[start], starts[end]);
        assert_eq!(&text[start..end], sentence.text);
        assert!(!sentence.text.is_empty());
        assert!(start >= at, "sentences overlap");
        assert!(is_blank(&text[at..start]), "lost: {:?}", &text[at..start]);
        assert_eq!(blank_len(text, start), 0, "not trimmed: {:?}", sentence.text);
        assert!(!sentence.model_text.is_empty());
        assert_eq!(sentence.map.len(), sentence.model_text.len() + 1);
        assert!(sentence.map.is_sorted());
        assert!(
            sentence.map.iter().all(|&b| sentence.text.is_char_boundary(b as usize)
                || (b as usize) < sentence.text.len())
        );
        at = end;
    }
    assert!(is_blank(&text[at..]), "lost: {:?}", &text[at..]);
}

fn is_blank(text: &str) -> bool {
    let mut at = 0;
    while at < text.len() {
        match blank_len(text, at) {
            0 => return false,
            len => at += len,
        }
    }
    true
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(600))]

    #[test]
    fn every_character_lies_in_exactly_one_sentence(text in "\\PC{0,200}") {
        check(&text, &sentences(&text));
    }

    #[test]
    fn so_it_does_in_what_looks_like_news(
        parts in prop::collection::vec(prop::sample::select(vec![
            "The mayor said", " it is late", ".", ". ", "? ", "! ", "…", "... ", "“", "”", "\"", "'", "‘", "’", "''", "(", ")", "[", "]",
            "\n", "\r\n", "\n\n", " \n ", "\\n", "\\n\n", "\u{0}", "\u{ad}", "\u{200f}", "\u{301}", "\u{a0}", "U.S. ", "Mr. ", "9 a.m. ", " \" ",
            "Story highlights ", "CLOSE ", "Leave a Reply", "Comments", "Read more: x", "By signing up you agree to", " Sign up ", "é", "你好。", "— ", "1. ", "J. ",
        ]), 0..40)
    ) {
        let text = parts.concat();
        check(&text, &sentences(&text));
    }

    #[test]
    fn a_title_takes_no_sentence_away(title in "\\PC{0,30}", text in "[A-Za-z .\n“”]{0,80}") {
        let found = split(&Article { title: Some(title), ..article(&text) });
        let of_text: Vec<Sentence> = found.into_iter().filter(|s| s.start.is_some()).collect();
        check(&text, &of_text);
    }
}

/// Beginnings of the lines of the five pages that are clutter, by page.
const CLUTTER: [(&str, &[&str]); 5] = [
    ("outlet-a", &[]),
    (
        "outlet-b",
        &[
            "Design a site like",
            "Get started",
            "Published by",
            "News with a historical perspective",
            "Leave a Reply",
            "Fill in your details below",
            "You are commenting using",
            "Twitter picture",
            "You are commenting using",
            "Facebook photo",
            "You are commenting using",
            "Connecting to",
            "%d bloggers",
        ],
    ),
    ("outlet-c", &["Leave a Comment", "No comments yet", "Leave a Reply", "Your email address"]),
    ("outlet-d", &["Friday, January 7", "No comments", "Post a Comment"]),
    ("outlet-e", &["Stoltenberg, NATO, Russia", "Comments"]),
];

#[test]
fn the_founding_pages_lose_their_clutter_and_nothing_else() {
    let folder =
        std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/corpus/nato-2022-01-07");
    if !folder.is_dir() {
        println!("skipped: the pages are not at hand");
        return;
    }
    for (page, clutter) in CLUTTER {
        let text =
            std::fs::read_to_string(folder.join(format!("{page}.txt"))).expect("the page is there");
        let found = sentences(&text);
        check(&text, &found);
        let cut: Vec<&Sentence> = found.iter().filter(|s| s.role == Role::Boilerplate).collect();
        assert_eq!(cut.len(), clutter.len(), "{page}: {cut:?}");
        for (sentence, begins) in cut.iter().zip(clutter) {
            assert!(sentence.text.starts_with(begins), "{page}: {:?} is no clutter", sentence.text);
        }
        for sentence in found.iter().filter(|s| matches!(s.role, Role::Body | Role::Quote)) {
            assert!(sentence.model_text.len() > 25, "{page}: {sentence:?}");
            assert!(sentence.model_text.matches('"').count() % 2 == 0, "{page}: {sentence:?}");
        }
    }
}
