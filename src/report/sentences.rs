//! The sentences of an outlet, article by article, with their labels.

use std::collections::HashMap;

use super::context::{Context, day};
use super::evidence::role_name;
use super::input::EvidenceSentence;
use super::palette::Chip;
use super::text::{self, Segment};
use crate::text::Role;

/// The sentences of one article.
#[derive(Debug)]
pub(super) struct ArticleView {
    pub title: String,
    pub meta: String,
    pub url: Option<String>,
    /// Its day and event as they are filtered by.
    pub date: String,
    pub event: String,
    pub sentences: Vec<SentenceView>,
}

/// A sentence.
#[derive(Debug)]
pub(super) struct SentenceView {
    /// Number in the report.
    pub number: usize,
    /// What it is found by: `LAYER.LABEL:PERCENT` for each label, `tN` for each target.
    pub keys: String,
    /// Where it stands in its article.
    pub address: String,
    pub segments: Vec<Segment>,
    pub role: String,
    pub place: u32,
    pub labels: Vec<Given>,
    pub mentions: Vec<(String, Given)>,
}

/// A label given to a sentence or a mention.
#[derive(Debug)]
pub(super) struct Given {
    /// Its looks, if it has a colour.
    pub chip: Option<Chip>,
    pub name: String,
    pub p: String,
}

/// The articles of some sentences, which stand article by article.
pub(super) fn articles(cx: &Context, sentences: &[(usize, &EvidenceSentence)]) -> Vec<ArticleView> {
    let targets = super::targets::target_names(cx);
    let mut out: Vec<ArticleView> = Vec::new();
    let mut last: Option<&str> = None;
    // The first headline of an article without a title stands for it.
    let mut headlines: HashMap<&str, &str> = HashMap::new();
    for (_, sentence) in sentences.iter().filter(|(_, s)| s.role == role_name(Role::Headline)) {
        headlines.entry(&sentence.article_id).or_insert(&sentence.text);
    }
    for &(number, sentence) in sentences {
        if last != Some(sentence.article_id.as_str()) {
            let id = sentence.article_id.as_str();
            let title = sentence.article_title.as_deref().or(headlines.get(id).copied());
            let title = title.unwrap_or(id);
            let event = sentence.event.as_deref().map(|e| text::clip(e, 60));
            let parts = [sentence.date.as_deref().map(day), event];
            out.push(ArticleView {
                title: text::clip(title, 160),
                meta: parts.into_iter().flatten().collect::<Vec<_>>().join(" · "),
                url: sentence.url.as_deref().and_then(text::web_address),
                date: sentence.date.as_deref().map(|d| text::clip(d, 10)).unwrap_or_default(),
                event: sentence.event.as_deref().map(|e| text::clip(e, 60)).unwrap_or_default(),
                sentences: Vec::new(),
            });
            last = Some(&sentence.article_id);
        }
        if let Some(article) = out.last_mut() {
            article.sentences.push(sentence_view(cx, number, sentence, &targets));
        }
    }
    out
}

fn sentence_view(
    cx: &Context,
    number: usize,
    sentence: &EvidenceSentence,
    targets: &[String],
) -> SentenceView {
    let mut keys: Vec<String> = Vec::new();
    let mut labels = Vec::new();
    for (layer, given) in sentence.labels.iter().enumerate() {
        for &(label, p) in given {
            keys.push(format!("{layer}.{label}:{:.0}", (p * 100.0).clamp(0.0, 100.0)));
            if let (Some(chip), Some(look)) = (cx.chip(layer, label), cx.layers.get(layer)) {
                let (name, kind) = (text::spaced(&look.layer.name), look.layer.kind);
                labels.push(Given {
                    chip: chip.colour.is_some().then(|| chip.clone()),
                    name: text::label_name(&name, kind, layer == 0, &chip.name),
                    p: text::probability(p),
                });
            }
        }
    }
    let mut mentions: Vec<(String, Given)> = Vec::new();
    for mention in &sentence.mentions {
        if let Some(i) = targets.iter().position(|t| *t == mention.target) {
            keys.push(format!("t{i}"));
        }
        for (look, stance) in cx.target_layers.iter().zip(&mention.stance) {
            let Some((chip, p)) = stance.and_then(|(l, p)| Some((look.chips.get(l)?, p))) else {
                continue;
            };
            let name = text::clip(&mention.target, 60);
            let said = Given { chip: None, name: chip.name.clone(), p: text::probability(p) };
            // The same target named twice with one stance is said once.
            if !mentions.iter().any(|(n, g)| *n == name && g.name == said.name) {
                mentions.push((name, said));
            }
        }
    }
    keys.dedup();
    SentenceView {
        number,
        address: cx.address(number),
        keys: keys.join(" "),
        segments: cx.segments(sentence, None, true),
        role: sentence.role.clone(),
        place: sentence.sentence_index + 1,
        labels,
        mentions,
    }
}
