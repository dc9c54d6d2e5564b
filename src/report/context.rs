//! What every page of a report needs to know: names, addresses, colours, and the rows
//! of the tables by key.

use std::collections::{BTreeSet, HashMap};

use super::cues::{CueGroup, Cues};
use super::input::{EvidenceSentence, ReportInput};
use super::palette::{self, Chip};
use super::text::{self, Segment};
use crate::error::Result;
use crate::model::codebook::Layer;
use crate::profile::ProfileRow;

/// An outlet and where its page is.
#[derive(Debug, Clone)]
pub(super) struct Outlet {
    /// The name in the tables.
    pub key: String,
    /// The name for people.
    pub name: String,
    /// Address of its page.
    pub path: String,
    pub n_articles: u64,
    pub n_sentences: u64,
    pub dates: String,
}

/// An event and where its page is.
#[derive(Debug, Clone)]
pub(super) struct Event {
    /// The name in the tables; `None`: articles without one.
    pub key: Option<String>,
    /// The name for people.
    pub name: String,
    /// Address of its page.
    pub path: String,
}

/// Most events with a page each.
const MOST_EVENTS: usize = 100;

/// A sentence layer and the looks of its labels.
#[derive(Debug)]
pub(super) struct SentenceLayer<'a> {
    pub layer: &'a Layer,
    pub chips: Vec<Chip>,
}

type ProfileKey<'a> = (&'a str, &'a str, &'a str);

/// The input, indexed.
#[derive(Debug)]
pub(super) struct Context<'a> {
    pub input: &'a ReportInput,
    pub outlets: Vec<Outlet>,
    pub events: Vec<Event>,
    /// Single and multi layers, in codebook order.
    pub layers: Vec<SentenceLayer<'a>>,
    /// Target layers, in codebook order.
    pub target_layers: Vec<SentenceLayer<'a>>,
    cues: Vec<CueGroup>,
    cue_colours: Vec<Option<usize>>,
    overall: HashMap<ProfileKey<'a>, &'a ProfileRow>,
    places: HashMap<(&'a str, u32), usize>,
}

impl<'a> Context<'a> {
    pub(super) fn new(input: &'a ReportInput) -> Result<Self> {
        let slugs = text::slugs(input.outlets.iter().map(|o| o.name.as_str()));
        let outlets = input
            .outlets
            .iter()
            .zip(slugs)
            .map(|(o, slug)| Outlet {
                key: o.name.clone(),
                name: text::clip(&o.name, 60),
                path: format!("/outlet/{slug}"),
                n_articles: o.n_articles,
                n_sentences: o.n_sentences,
                dates: span(o.first_date.as_deref(), o.last_date.as_deref()),
            })
            .collect();
        let look = |layer: &'a Layer| SentenceLayer { layer, chips: palette::chips(layer) };
        let cues = Cues::shipped()?.groups().to_vec();
        let cue_colours = cues
            .iter()
            .map(|g| palette::colour_of(&input.codebook, g.layer.as_deref()?, g.label.as_deref()?))
            .collect();
        let overall = input
            .profiles
            .iter()
            .filter(|r| r.event.is_none() && r.period.is_none())
            .map(|r| ((r.outlet.as_str(), r.layer.as_str(), r.label.as_str()), r))
            .collect();
        let places = input.evidence.sentences.iter().enumerate();
        Ok(Context {
            input,
            outlets,
            events: events(input),
            places: places.map(|(i, s)| ((s.article_id.as_str(), s.sentence_index), i)).collect(),
            layers: input.codebook.sentence_layers().map(look).collect(),
            target_layers: input.codebook.target_layers().map(look).collect(),
            cues,
            cue_colours,
            overall,
        })
    }

    /// The row of a label over all events and periods.
    pub(super) fn profile(&self, outlet: &str, layer: &str, label: &str) -> Option<&'a ProfileRow> {
        self.overall.get(&(outlet, layer, label)).copied()
    }

    /// Position of the layer by which outlets are compared first: the first that gives
    /// one label to every sentence.
    pub(super) fn lead_layer(&self) -> Option<usize> {
        use crate::model::codebook::LayerKind::Single;
        self.layers.iter().position(|l| l.layer.kind == Single)
    }

    /// The outlet called `key` in the tables.
    pub(super) fn outlet(&self, key: &str) -> Option<&Outlet> {
        self.outlets.iter().find(|o| o.key == key)
    }

    /// The sentence at a place of an article, with its number in the report.
    pub(super) fn sentence(
        &self,
        article: &str,
        index: u32,
    ) -> Option<(usize, &'a EvidenceSentence)> {
        let number = *self.places.get(&(article, index))?;
        Some((number, self.input.evidence.sentences.get(number)?))
    }

    /// Where a sentence stands in its article: in this file, or in the side folder.
    pub(super) fn address(&self, number: usize) -> String {
        let context = self.input.evidence.sentences.get(number).and_then(|s| s.context.clone());
        context.unwrap_or_else(|| format!("#s{number}"))
    }

    /// The chip of a label.
    pub(super) fn chip(&self, layer: usize, label: usize) -> Option<&Chip> {
        self.layers.get(layer)?.chips.get(label)
    }

    /// A sentence in pieces with its devices marked, `extra` on top of them, and below
    /// them its mentions if wanted.
    pub(super) fn segments(
        &self,
        sentence: &EvidenceSentence,
        extra: Option<text::Mark>,
        mentions: bool,
    ) -> Vec<Segment> {
        let colour = |group: &CueGroup| {
            let at = self.cues.iter().position(|g| g.name == group.name)?;
            self.cue_colours.get(at).copied().flatten()
        };
        let mut marks: Vec<text::Mark> = extra.into_iter().collect();
        if sentence.moved.is_empty() {
            marks.extend(text::devices(sentence, &self.cues, colour));
        } else {
            marks.extend(text::moved(sentence, |layer, label| {
                self.chip(layer, label).map(|c| (c.class(), c.name.clone()))
            }));
        }
        if mentions {
            marks.extend(text::mentions(sentence));
        }
        text::segments(&sentence.text, &marks)
    }

    /// The cue lists with the style class of their marks.
    pub(super) fn cue_legend(&self) -> Vec<(String, String, String)> {
        self.cues
            .iter()
            .zip(&self.cue_colours)
            .map(|(g, c)| {
                let class = c.map_or_else(|| "cue".to_owned(), |k| format!("cue k{k}"));
                let example = g.words.first().cloned().unwrap_or_else(|| "“…”".to_owned());
                (class, example, g.description.clone())
            })
            .collect()
    }
}

/// The events of the figures and of the claims, by name.
fn events(input: &ReportInput) -> Vec<Event> {
    let claims = input.claims.iter().flat_map(|c| &c.shown).map(|c| c.group.event.as_deref());
    let named: BTreeSet<&str> =
        input.profiles.iter().map(|r| r.event.as_deref()).chain(claims.clone()).flatten().collect();
    let mut keys: Vec<Option<&str>> = named.iter().copied().map(Some).take(MOST_EVENTS).collect();
    if input.claims.is_some() && (named.is_empty() || claims.clone().any(|e| e.is_none())) {
        keys.push(None);
    }
    let name = |key: &Option<&str>| match key {
        Some(event) => text::clip(event, 60),
        None if named.is_empty() => "Claims side by side".to_owned(),
        None => "Without an event".to_owned(),
    };
    let names: Vec<String> = keys.iter().map(name).collect();
    let slugs = text::slugs(names.iter().map(String::as_str));
    keys.into_iter()
        .zip(names)
        .zip(slugs)
        .map(|((key, name), slug)| Event {
            key: key.map(str::to_owned),
            name,
            path: format!("/event/{slug}"),
        })
        .collect()
}

/// Two days as people read them.
pub(super) fn span(first: Option<&str>, last: Option<&str>) -> String {
    match (first, last) {
        (Some(a), Some(b)) if a != b => format!("{} to {}", day(a), day(b)),
        (Some(a), _) | (_, Some(a)) => day(a),
        _ => String::new(),
    }
}

/// `2022-01-07` as `7 Jan 2022`; anything else as it is.
pub(super) fn day(date: &str) -> String {
    chrono::NaiveDate::parse_from_str(date, "%Y-%m-%d")
        .map_or_else(|_| text::clip(date, 20), |d| d.format("%-d %b %Y").to_string())
}
