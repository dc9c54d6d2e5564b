//! From a window of articles to rows.

use crate::error::Result;
use crate::model::predict::Batching;
use crate::model::sentence::SentenceScores;
use crate::model::{Model, Unit};
use crate::text::targets::Target;

use super::repeats::Repeats;
use super::rows::{ArticleRow, MentionRow, SentenceRow, VectorRow};
use super::window::{Pending, PendingSentence, Window};

/// The rows of some articles.
#[derive(Debug, Default)]
pub struct Rows {
    /// One for each article.
    pub articles: Vec<ArticleRow>,
    /// One for each sentence.
    pub sentences: Vec<SentenceRow>,
    /// One for each mention of a target.
    pub mentions: Vec<MentionRow>,
    /// One for each scored sentence.
    pub vectors: Vec<VectorRow>,
}

impl Rows {
    /// Withholds labels whose probability is below `confidence`; the probabilities stay.
    pub fn withhold(&mut self, confidence: f32) {
        let of_sentences = self.sentences.iter_mut().flat_map(|s| &mut s.layers).flatten();
        let of_mentions = self.mentions.iter_mut().flat_map(|m| &mut m.layers);
        of_sentences.chain(of_mentions).for_each(|scores| scores.withhold(confidence));
    }
}

/// Scores a window; `repeats` knows the sentences of earlier ones. `done` is told the number of
/// units of each finished batch.
///
/// # Errors
/// If the model fails on a batch.
pub fn score(
    window: Window,
    model: &Model,
    targets: &[Target],
    batching: Batching,
    repeats: &mut Repeats,
    done: &(dyn Fn(usize) + Sync),
) -> Result<Rows> {
    let prepared = window.sentences().filter_map(|s| s.prepared.as_ref());
    let units: Vec<&Unit> = prepared.flat_map(|p| &p.units).collect();
    let mut predictions = repeats.predict(model, &units, batching, done)?.into_iter();
    let mut rows = Rows::default();
    for pending in window.articles {
        let scores: Vec<Option<SentenceScores>> = pending
            .sentences
            .iter()
            .map(|s| {
                let prepared = s.prepared.as_ref()?;
                let mine: Vec<_> = predictions.by_ref().take(prepared.units.len()).collect();
                Some(model.scores(prepared, &mine))
            })
            .collect();
        add_article(&mut rows, pending, scores, targets);
    }
    Ok(rows)
}

fn add_article(
    rows: &mut Rows,
    pending: Pending,
    scores: Vec<Option<SentenceScores>>,
    targets: &[Target],
) {
    let Pending { mut article, duplicate_of, sentences } = pending;
    let n_sentences = sentences.len() as u32;
    for (index, (sentence, scores)) in sentences.into_iter().zip(scores).enumerate() {
        let PendingSentence { sentence, mentions, prepared } = sentence;
        for (i, found) in mentions.iter().enumerate() {
            let of_mention = scores.as_ref().and_then(|s| s.mentions.get(i)?.clone());
            let (Some(layers), Some(target)) = (of_mention, targets.get(found.target)) else {
                continue;
            };
            let chars = |bytes: &str| bytes.chars().count();
            let text = sentence.text.as_str();
            let (Some(before), Some(mention)) =
                (text.get(..found.text_bytes.start), text.get(found.text_bytes.clone()))
            else {
                continue;
            };
            let start = sentence.start.map(|s| (s + chars(before)) as u32);
            rows.mentions.push(MentionRow {
                article_id: article.id.clone(),
                outlet: article.outlet.clone(),
                sentence_index: index as u32,
                target: target.name.clone(),
                mention: mention.to_owned(),
                start,
                end: start.map(|s| s + chars(mention) as u32),
                layers,
            });
        }
        if let Some(scores) = scores.as_ref().filter(|s| !s.vector.is_empty()) {
            rows.vectors.push(VectorRow {
                article_id: article.id.clone(),
                sentence_index: index as u32,
                vector: scores.vector.clone(),
            });
        }
        rows.sentences.push(SentenceRow {
            article_id: article.id.clone(),
            outlet: article.outlet.clone(),
            date: article.date.clone(),
            event: article.event.clone(),
            topic: article.topic.clone(),
            sentence_index: index as u32,
            start: sentence.start.map(|s| s as u32),
            end: sentence.end.map(|e| e as u32),
            text: sentence.text,
            role: sentence.role,
            n_tokens: prepared.as_ref().map_or(0, |p| p.n_tokens as u32),
            windowed: prepared.as_ref().is_some_and(|p| p.windowed),
            duplicate_group: duplicate_of.clone().unwrap_or_else(|| article.id.clone()),
            layers: scores.map(|s| s.layers),
        });
    }
    article.text = String::new();
    rows.articles.push(ArticleRow { article, n_sentences, duplicate_of });
}
