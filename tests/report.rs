//! The report as a whole: what it says, that no text of an article can change it, and
//! that a browser opens it.

#[path = "browser/chromium.rs"]
mod chromium;
#[path = "browser/report.rs"]
mod in_a_browser;
#[path = "browser/synthetic.rs"]
mod synthetic;

use std::path::PathBuf;

use parallax::report::evidence::Limits;
use parallax::report::{Form, draw, markdown, render, render_print, terminal};
use sha2::{Digest, Sha256};

fn page(html: &str) -> (tempfile::TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("report.html");
    std::fs::write(&file, html).unwrap();
    (folder, file)
}

/// What a reader reads: the text of a document, one block a line.
fn text_of(html: &str) -> String {
    let end = html.find("<script type=").unwrap_or(html.len());
    let body = &html[html.find("<body>").unwrap()..end];
    let mut out = String::new();
    let mut rest = body;
    while let Some(open) = rest.find('<') {
        out.push_str(&rest[..open]);
        let close = open + rest[open..].find('>').unwrap();
        let tag = &rest[open..close];
        if ["</p", "</h", "</li", "</tr", "</th", "</td", "</dd", "<br"]
            .iter()
            .any(|t| tag.starts_with(t))
        {
            out.push('\n');
        }
        rest = &rest[close + 1..];
    }
    out.push_str(rest);
    let lines = out.lines().map(|l| l.split_whitespace().collect::<Vec<_>>().join(" "));
    lines.filter(|l| !l.is_empty()).collect::<Vec<_>>().join("\n")
}

#[test]
fn says_what_was_observed() {
    let input = synthetic::aligned().input("Lake Velm, 2 May", Limits::default());
    insta::assert_snapshot!(text_of(&render(&input).unwrap()));
}

#[test]
fn the_terminal_and_markdown_say_the_same() {
    let input = synthetic::aligned().input("Lake Velm, 2 May", Limits::default());
    insta::assert_snapshot!("terminal", terminal(&input, 100, false).unwrap());
    insta::assert_snapshot!("markdown", markdown(&input).unwrap());
    // Every figure of the sentence layers stands in all three forms.
    let many = synthetic::many(3, 12, 8).input("Lake", Limits::default());
    let (html, text) = (text_of(&render(&many).unwrap()), terminal(&many, 200, false).unwrap());
    let marked = markdown(&many).unwrap();
    let overall = many.profiles.iter().filter(|r| r.event.is_none() && r.period.is_none());
    for row in overall {
        let (low, high) = (row.low.unwrap() * 100.0, row.high.unwrap() * 100.0);
        let bare = |x: f64| match x {
            0.0 => "0".to_owned(),
            x if x < 9.95 => format!("{x:.1}"),
            x => format!("{x:.0}"),
        };
        let interval = format!("{}–{}", bare(low), bare(high));
        for form in [&html, &text, &marked] {
            assert!(form.contains(&interval), "{} {} {interval}", row.outlet, row.label);
        }
    }
}

#[test]
fn claims_stand_side_by_side() {
    let html = render(&synthetic::aligned().input("Lake", Limits::default())).unwrap();
    let text = text_of(&html);
    assert!(text.contains("2 claims and quotations found in more than one outlet; 1 contested"));
    assert!(text.contains("Stated or passed on by Harbour Post, The Velm Courier; held at a distance or denied in Lakeside News, Valley Radio."));
    assert!(
        text.contains("Numbers differ: two metres (Harbour Post); three metres (Lakeside News).")
    );
    assert!(text.contains("absent: no such sentence was found"));
    assert!(html.contains(
        "<mark class=\"mk naming\" title=\"named otherwise elsewhere\">water grab</mark>"
    ));
    // The contested claim stands on the first screen, before any figure.
    let (claim, figure) = (html.find("class=\"claim\""), html.find("class=\"matrix"));
    assert!(claim.unwrap() < figure.unwrap());
    let without = render(&synthetic::one_event().input("Lake", Limits::default())).unwrap();
    assert!(without.contains("`parallax align` makes it"));
}

#[test]
fn paper_needs_no_script() {
    let html = render_print(&synthetic::aligned().input("Lake", Limits::default())).unwrap();
    assert!(!html.contains("<script") && html.contains("script-src 'none'"));
    assert!(text_of(&html).contains("Farmers claim the pumps"), "the sentences are in it");
    assert!(!html.contains("<details") || html.contains("<details class=\"block\" open>"));
}

#[test]
fn plain_forms_of_hostile_text_stay_plain() {
    let input = synthetic::hostile().input("</title><script>broken()</script>", Limits::default());
    let text = terminal(&input, 80, false).unwrap();
    let odd = |c: char| (c.is_control() && c != '\n') || ('\u{202a}'..='\u{202e}').contains(&c);
    assert!(!text.contains(odd), "{:?}", text.find(odd));
    let text = markdown(&input).unwrap();
    assert!(!text.contains("<script") && !text.contains("<img") && !text.contains(odd));
    let paper = render_print(&input).unwrap();
    assert!(!paper.contains("<script") && !paper.contains("<img"));
}

#[test]
fn stands_alone_and_runs_only_its_own_script() {
    let html = render(&synthetic::one_event().input("Lake", Limits::default())).unwrap();
    for outside in ["<link", "<img", "<iframe", "@import", "url(", " src=", "srcset"] {
        assert!(!html.contains(outside), "{outside}");
    }
    let script = html.split("<script>").nth(1).unwrap().split("</script>").next().unwrap();
    use base64::Engine;
    let hash = base64::engine::general_purpose::STANDARD.encode(Sha256::digest(script));
    assert!(
        html.contains(&format!("script-src 'sha256-{hash}'")),
        "the policy names another script"
    );
    assert!(!html.contains("javascript:"), "an address that runs became a link");
    assert!(html.contains(r#"<a href="https://post.example/1" rel="noopener noreferrer""#));
}

#[test]
fn never_judges_an_outlet() {
    for corpus in [synthetic::one_event(), synthetic::many(4, 12, 8)] {
        let text =
            text_of(&render(&corpus.input("Lake", Limits::default())).unwrap()).to_lowercase();
        for word in ["biased", "propaganda", "left-wing", "right-wing", "misleading", "unreliable"]
        {
            assert!(!text.contains(word), "{word}");
        }
    }
}

#[test]
fn any_codebook_renders() {
    use parallax::model::codebook::{Codebook, Label, Layer, LayerKind};
    let label = |i: usize| Label { name: format!("code_{i}"), ..Label::default() };
    let layer = |name: &str, kind, n| Layer {
        name: name.into(),
        kind,
        description: String::new(),
        by_description: false,
        labels: (0..n).map(label).collect(),
    };
    for layers in [
        vec![layer("topic", LayerKind::Multi, 30)],
        vec![layer("tone", LayerKind::Single, 12)],
        vec![layer("tone", LayerKind::Single, 2), layer("view", LayerKind::Target, 5)],
    ] {
        let mut corpus = synthetic::Corpus::new(Codebook { name: "own".into(), layers });
        for outlet in ["a", "b"] {
            corpus.article(
                outlet,
                "t",
                None,
                None,
                None,
                &[("One lake.", vec![vec![1]]), ("Two lakes.", vec![vec![0]])],
            );
        }
        let html = render(&corpus.input("Own", Limits::default())).unwrap();
        assert!(html.contains("code 1"));
    }
}

#[test]
fn a_large_corpus_is_sampled_and_stays_small() {
    let corpus = synthetic::many(10, 200, 30);
    let began = std::time::Instant::now();
    let mut input = corpus.input("2,000 articles", Limits::default());
    let built = began.elapsed();
    let html = render(&input).unwrap();
    println!(
        "60,000 sentences: input {built:?}, with page {:?}, {} bytes",
        began.elapsed(),
        html.len()
    );
    assert!(html.len() < 5_000_000, "{} bytes", html.len());
    assert!(!input.evidence.complete);
    assert_eq!(input.evidence.total, 60_000);
    assert!(html.contains("scored sentences are in this file"));
    for ((outlet, layer, label), total) in &input.evidence.counts {
        let has = |s: &&parallax::report::input::EvidenceSentence| {
            s.outlet == *outlet && s.labels[*layer].iter().any(|l| l.0 == *label)
        };
        let kept = input.evidence.sentences.iter().filter(has).count();
        assert!(kept >= 12.min(*total as usize), "{outlet} {layer} {label}: {kept} of {total}");
    }
    let less = corpus.input("2,000 articles", Limits::default().halved());
    let share = render(&less).unwrap().len() as f64 / html.len() as f64;
    assert!((0.3..0.9).contains(&share), "half of the sentences: {share} of the page");
    // The order in which rows come changes nothing.
    let mut turned = corpus;
    turned.sentences.reverse();
    let again = turned.input("2,000 articles", Limits::default());
    input.evidence.sentences.sort_by(|a, b| {
        a.article_id.cmp(&b.article_id).then(a.sentence_index.cmp(&b.sentence_index))
    });
    let mut other = again.evidence.sentences;
    other.sort_by(|a, b| {
        a.article_id.cmp(&b.article_id).then(a.sentence_index.cmp(&b.sentence_index))
    });
    assert_eq!(input.evidence.sentences, other);
}

#[test]
fn hostile_text_stays_text() {
    let html =
        render(&synthetic::hostile().input("</title><script>broken()</script>", Limits::default()))
            .unwrap();
    assert_eq!(html.matches("<script").count(), 2, "the data and our own");
    for markup in ["<img", "<svg onload", "<iframe", "<!--", "onmouseover=\"", "<b>T"] {
        assert!(!html.contains(markup), "{markup}");
    }
    assert!(html.len() < 1_000_000, "a 100 kB word is cut: {} bytes", html.len());
    assert!(!html.contains('\0') && !html.contains('\u{7}'));
}

#[test]
fn every_form_is_drawn_and_nothing_of_nothing() {
    let mut input = synthetic::one_event().input("Lake", Limits::default());
    assert_eq!(draw(&input, Form::Html).unwrap(), render(&input).unwrap());
    assert_eq!(draw(&input, Form::Markdown).unwrap(), markdown(&input).unwrap());
    input.outlets.clear();
    assert!(draw(&input, Form::Html).unwrap_err().hint().is_some());
}
