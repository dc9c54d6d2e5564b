//! Small things that make numbers, names and sentences fit for a page.

use std::collections::HashSet;

use super::cues::CueGroup;
use super::input::EvidenceSentence;

/// A share as people read it: `34%`, `0.4%`, `0`.
pub(super) fn percent(share: f64) -> String {
    let p = share * 100.0;
    match p {
        p if !p.is_finite() => "–".to_owned(),
        p if p <= 0.0 => "0".to_owned(),
        p if p < 0.05 => "<0.1%".to_owned(),
        p if p < 9.95 => format!("{p:.1}%"),
        p => format!("{p:.0}%"),
    }
}

/// The same without the sign, for intervals: `28`, `0.4`.
pub(super) fn percent_bare(share: f64) -> String {
    let p = share * 100.0;
    match p {
        p if !p.is_finite() => "–".to_owned(),
        0.0 => "0".to_owned(),
        p if p.abs() < 9.95 => format!("{p:.1}"),
        p => format!("{p:.0}"),
    }
}

/// A signed number on [-1, 1]: `+0.31`, `−0.08`, `0.00`.
pub(super) fn signed(x: f64) -> String {
    let rounded = (x * 100.0).round() / 100.0;
    match rounded {
        r if !r.is_finite() => "–".to_owned(),
        r if r > 0.0 => format!("+{r:.2}"),
        r if r < 0.0 => format!("−{:.2}", -r),
        _ => "0.00".to_owned(),
    }
}

/// A difference of shares in percentage points: `+12.3`.
pub(super) fn points(x: f64) -> String {
    let rounded = (x * 1000.0).round() / 10.0;
    match rounded {
        r if !r.is_finite() => "–".to_owned(),
        r if r > 0.0 => format!("+{r:.1}"),
        r if r < 0.0 => format!("−{:.1}", -r),
        _ => "0.0".to_owned(),
    }
}

/// Words after the end of a quotation that only say whose it is: *”, she added.*
const SPEAKERS_WORDS: usize = 4;
/// Words that lead on to what was cut away.
const DANGLING: &[&str] =
    &["that", "and", "but", "or", "who", "which", "noting", "saying", "adding", "with", "as"];

/// Words that join a clause to one before it.
const LEADING: &[&str] = &["and", "but", "or", "that"];

/// A clause as a heading: without the speaker's tag after a quotation, without marks and words that
/// the cut left over.
pub(super) fn headline(clause: &str) -> String {
    let quotes = ['"', '“', '”', '„', '«', '»', '‘'];
    let mut clause = clause.trim();
    let count = |s: &str| s.split_whitespace().count();
    if let Some((quoted, tag)) = clause.rsplit_once(['"', '”', '»'])
        && (1..=SPEAKERS_WORDS).contains(&count(tag))
    {
        // A word or two in quotation marks are no quotation with a tag.
        let quotation = quoted.rsplit_once(quotes).map_or(quoted, |(_, inside)| inside);
        if count(quotation) * 2 > count(clause) {
            clause = quotation;
        }
    }
    loop {
        let before = clause;
        clause = clause.trim_matches(|c: char| {
            c.is_whitespace() || quotes.contains(&c) || matches!(c, ',' | ';' | ':' | '–' | '—')
        });
        if let Some((rest, last)) = clause.rsplit_once(char::is_whitespace)
            && DANGLING.contains(&last)
        {
            clause = rest;
        }
        if let Some((first, rest)) = clause.split_once(char::is_whitespace)
            && LEADING.contains(&first)
        {
            clause = rest;
        }
        if clause == before {
            break;
        }
    }
    let whole = with_both_marks(clause);
    let mut chars = whole.chars();
    chars.next().map(|c| c.to_uppercase().collect::<String>() + chars.as_str()).unwrap_or_default()
}

/// Gives a quotation the closing mark that the cut left out, and takes away one that closes nothing.
fn with_both_marks(clause: &str) -> String {
    let mut open = None;
    let mut whole = String::with_capacity(clause.len());
    for c in clause.chars() {
        match c {
            '“' | '„' => open = Some('”'),
            '«' => open = Some('»'),
            '"' if open.is_none() => open = Some('"'),
            '"' | '”' | '»' if open.take().is_none() => continue,
            _ => {}
        }
        whole.push(c);
    }
    whole.extend(open);
    whole
}

/// A probability: `.87`, `1.0`.
pub(super) fn probability(p: f32) -> String {
    let shown = format!("{p:.2}");
    match shown.strip_prefix('0') {
        Some(rest) => rest.to_owned(),
        None => "1.0".to_owned(),
    }
}

/// A label's name as it stands at a sentence. Labels of single layers other than the first say
/// which layer they are of, for `none` or `quoted` alone say nothing.
pub(super) fn label_name(
    layer: &str,
    kind: crate::model::codebook::LayerKind,
    first: bool,
    label: &str,
) -> String {
    match kind {
        crate::model::codebook::LayerKind::Single if !first => format!("{layer}: {label}"),
        _ => label.to_owned(),
    }
}

/// A p or q value.
pub(super) fn p_value(p: f64) -> String {
    match p {
        p if !p.is_finite() => "–".to_owned(),
        p if p < 0.001 => "<0.001".to_owned(),
        p => format!("{p:.3}"),
    }
}

/// A count with thin spaces between thousands.
pub(super) fn count(n: u64) -> String {
    let digits = n.to_string();
    let mut out = String::new();
    for (i, c) in digits.chars().enumerate() {
        if i > 0 && (digits.len() - i).is_multiple_of(3) && digits.len() > 4 {
            out.push('\u{2009}');
        }
        out.push(c);
    }
    out
}

/// `1 article`, `2 articles`.
pub(super) fn counted(n: u64, one: &str, many: &str) -> String {
    format!("{} {}", count(n), if n == 1 { one } else { many })
}

/// A name or title of at most `most` characters, without control characters.
pub(super) fn clip(text: &str, most: usize) -> String {
    let mut out: String = text.chars().take(most).map(visible).collect();
    if text.chars().nth(most).is_some() {
        out.push('…');
    }
    out
}

/// The same on one line and without the marks that turn the direction of writing: for places
/// that have no means to end what such a mark begins, such as a terminal.
pub(super) fn clip_plain(text: &str, most: usize) -> String {
    let joined = unturned(text).split_whitespace().collect::<Vec<_>>().join(" ");
    clip(&joined, most)
}

/// Text without the marks that turn the direction of writing.
pub(super) fn unturned(text: &str) -> String {
    let turns = |c: &char| {
        matches!(c, '\u{200E}' | '\u{200F}' | '\u{061C}' | '\u{202A}'..='\u{202E}'
            | '\u{2066}'..='\u{2069}')
    };
    text.chars().filter(|c| !turns(c)).collect()
}

/// Said where there is no alignment.
pub(super) const NOT_ALIGNED: &str = "Sentences of different outlets were not aligned: this \
    folder has no alignments.parquet. `parallax align` makes it of a folder that was scored with \
    --vectors (`parallax compare` does both); then make the report again.";

/// Said where words were not counted.
pub(super) const NOT_COUNTED: &str = "Words were not counted: this folder has no words.parquet. \
    `parallax words` makes it; then make the report again.";

/// A label or layer name for people: `_` becomes a space.
pub(super) fn spaced(name: &str) -> String {
    name.replace('_', " ")
}

/// The same with a capital letter.
pub(super) fn capital(name: &str) -> String {
    let mut chars = name.chars();
    chars.next().map_or_else(String::new, |c| c.to_uppercase().chain(chars).collect())
}

/// Control characters have no place on a page; each becomes one visible character, so
/// that offsets hold.
fn visible(c: char) -> char {
    match c {
        '\t' | '\n' | '\r' => ' ',
        c if c.is_control() => '\u{FFFD}',
        c => c,
    }
}

/// The address of an article, where it is safe to link to.
pub(super) fn web_address(url: &str) -> Option<String> {
    let url = url.trim();
    let lower = url.get(..8).unwrap_or(url).to_ascii_lowercase();
    let web = lower.starts_with("http://") || lower.starts_with("https://");
    (web && !url.chars().any(|c| c.is_control() || c.is_whitespace())).then(|| url.to_owned())
}

/// Names that fit an address: letters and digits, unique.
pub(super) fn slugs<'a>(names: impl Iterator<Item = &'a str>) -> Vec<String> {
    let mut taken = HashSet::new();
    names
        .map(|name| {
            let mut slug = String::new();
            for c in name.chars().take(60) {
                match c {
                    c if c.is_alphanumeric() => slug.extend(c.to_lowercase()),
                    _ if slug.ends_with('-') || slug.is_empty() => {}
                    _ => slug.push('-'),
                }
            }
            let slug = slug.trim_end_matches('-').to_owned();
            let slug = if slug.is_empty() { "outlet".to_owned() } else { slug };
            let mut unique = slug.clone();
            let mut n = 2;
            while !taken.insert(unique.clone()) {
                unique = format!("{slug}-{n}");
                n += 1;
            }
            unique
        })
        .collect()
}

/// A piece of a sentence, alike throughout.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Segment {
    pub text: String,
    /// Classes of the mark; empty for plain text.
    pub class: String,
    /// What the mark says.
    pub title: String,
}

/// A span of characters and how it is marked. Of spans that overlap, the one that
/// comes first in the list is shown.
#[derive(Debug, Clone)]
pub(super) struct Mark {
    pub start: usize,
    pub end: usize,
    pub class: String,
    pub title: String,
}

/// The marks of a sentence's devices.
pub(super) fn devices(
    sentence: &EvidenceSentence,
    groups: &[CueGroup],
    colour: impl Fn(&CueGroup) -> Option<usize>,
) -> Vec<Mark> {
    let mark = |d: &super::input::Device| {
        let group = groups.get(d.group)?;
        let class = match colour(group) {
            Some(k) => format!("cue k{k}"),
            None => "cue".to_owned(),
        };
        Some(Mark { start: d.start, end: d.end, class, title: group.description.clone() })
    };
    sentence.devices.iter().filter_map(mark).collect()
}

/// The marks of a sentence's mentions of targets.
pub(super) fn mentions(sentence: &EvidenceSentence) -> Vec<Mark> {
    let mark = |m: &super::input::EvidenceMention| Mark {
        start: m.start,
        end: m.end,
        class: "men".to_owned(),
        title: format!("mention of {}", clip(&m.target, 80)),
    };
    sentence.mentions.iter().map(mark).collect()
}

/// The marks of the words that moved the model's decision.
pub(super) fn moved(
    sentence: &EvidenceSentence,
    look: impl Fn(usize, usize) -> Option<(String, String)>,
) -> Vec<Mark> {
    let mark = |m: &super::input::Moved| {
        let (class, label) = look(m.layer, m.label)?;
        let title = format!("moved the model to {label}, weight {:.2}", m.weight);
        Some(Mark { start: m.start, end: m.end, class: format!("cue {class}"), title })
    };
    sentence.moved.iter().filter_map(mark).collect()
}

/// Cuts a text into pieces along its marks. Every character of the text is in exactly
/// one piece, in order, whatever the marks.
pub(super) fn segments(text: &str, marks: &[Mark]) -> Vec<Segment> {
    let chars: Vec<char> = text.chars().map(visible).collect();
    let mut owner: Vec<Option<usize>> = vec![None; chars.len()];
    for (i, mark) in marks.iter().enumerate() {
        let end = mark.end.min(chars.len());
        for slot in owner.get_mut(mark.start.min(end)..end).unwrap_or_default() {
            slot.get_or_insert(i);
        }
    }
    let mut out: Vec<Segment> = Vec::new();
    let mut last = None;
    for (c, owner) in chars.into_iter().zip(owner) {
        if last != Some(owner) {
            let mark = owner.and_then(|i| marks.get(i));
            out.push(Segment {
                text: String::new(),
                class: mark.map(|m| m.class.clone()).unwrap_or_default(),
                title: mark.map(|m| m.title.clone()).unwrap_or_default(),
            });
            last = Some(owner);
        }
        if let Some(segment) = out.last_mut() {
            segment.text.push(c);
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_heading_has_no_loose_ends() {
        for (clause, heading) in [
            ("The weir holds,” she added", "The weir holds"),
            ("\" the weir holds well , \" Brandt told", "The weir holds well"),
            ("the committee last week, noting that", "The committee last week"),
            ("The “old weir” holds", "The “old weir” holds"),
            ("He spoke of a “test” today", "He spoke of a “test” today"),
            ("and that the mayor resigned", "The mayor resigned"),
            ("her country “keeps what it signs", "Her country “keeps what it signs”"),
            ("her country \"keeps what it signs\"", "Her country \"keeps what it signs\""),
            ("a large part” of all the troops left", "A large part of all the troops left"),
            ("that", "That"),
            ("“", ""),
        ] {
            assert_eq!(headline(clause), heading, "{clause}");
        }
    }
    use proptest::prelude::*;

    #[test]
    fn numbers_read_well() {
        assert_eq!(
            [percent(0.0), percent(0.0042), percent(0.338), percent(1.0), percent(f64::NAN)],
            ["0", "0.4%", "34%", "100%", "–"]
        );
        assert_eq!([signed(0.314), signed(-0.08), signed(0.001)], ["+0.31", "−0.08", "0.00"]);
        assert_eq!(
            [count(1234), count(12345), count(1234567)],
            ["1234", "12\u{2009}345", "1\u{2009}234\u{2009}567"]
        );
        assert_eq!([p_value(0.0001), p_value(0.04)], ["<0.001", "0.040"]);
    }

    #[test]
    fn only_web_addresses_become_links() {
        assert!(web_address("https://news.example/a?b=1").is_some());
        assert!(web_address("HTTP://news.example").is_some());
        for bad in ["javascript:alert(1)", "data:text/html,x", "//x.example", "https://a b", "é"] {
            assert_eq!(web_address(bad), None, "{bad}");
        }
    }

    #[test]
    fn slugs_are_unique_and_plain() {
        assert_eq!(
            slugs(["The Daily", "the daily", "…", "Öst"].into_iter()),
            ["the-daily", "the-daily-2", "outlet", "öst"]
        );
    }

    proptest! {
        #[test]
        fn segments_lose_nothing(
            text in "\\PC{0,60}",
            spans in prop::collection::vec((0usize..80, 0usize..80), 0..6),
        ) {
            let marks: Vec<Mark> = spans
                .iter()
                .map(|&(start, end)| Mark { start, end, class: "cue".into(), title: String::new() })
                .collect();
            let joined: String = segments(&text, &marks).into_iter().map(|s| s.text).collect();
            prop_assert_eq!(joined, text);
        }
    }
}
