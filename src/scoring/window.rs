//! The stream of articles is scored in windows: so many articles that their sentences fill
//! all cores with batches of equal length, and so few that memory stays flat.

use rayon::prelude::*;

use crate::corpus::Article;
use crate::error::Result;
use crate::model::Model;
use crate::model::sentence::Prepared;
use crate::text::targets::{Found, TargetFinder};
use crate::text::{Role, Sentence, split};

/// An article on its way through the scorer.
pub struct Pending {
    /// The article.
    pub article: Article,
    /// The article that it nearly repeats, where there is one.
    pub duplicate_of: Option<String>,
    /// Its sentences in order.
    pub sentences: Vec<PendingSentence>,
}

/// A sentence on its way.
pub struct PendingSentence {
    /// The sentence.
    pub sentence: Sentence,
    /// Mentions of targets in it.
    pub mentions: Vec<Found>,
    /// Cut for the encoder; `None` for boilerplate, which is not scored.
    pub prepared: Option<Prepared>,
}

/// Articles that are scored together.
#[derive(Default)]
pub struct Window {
    /// The articles in input order.
    pub articles: Vec<Pending>,
}

impl Window {
    /// Splits the articles, finds mentions and cuts sentences for the encoder, on all cores.
    ///
    /// # Errors
    /// If the tokenizer fails.
    pub fn prepare(
        articles: Vec<(Article, Option<String>)>,
        model: &Model,
        finder: &TargetFinder,
    ) -> Result<Self> {
        let articles = articles
            .into_par_iter()
            .map(|(article, duplicate_of)| {
                let sentences = split(&article)
                    .into_iter()
                    .map(|sentence| prepare_sentence(sentence, model, finder))
                    .collect::<Result<_>>()?;
                Ok(Pending { article, duplicate_of, sentences })
            })
            .collect::<Result<_>>()?;
        Ok(Window { articles })
    }

    /// The sentences of all articles.
    pub fn sentences(&self) -> impl Iterator<Item = &PendingSentence> {
        self.articles.iter().flat_map(|a| &a.sentences)
    }
}

fn prepare_sentence(
    sentence: Sentence,
    model: &Model,
    finder: &TargetFinder,
) -> Result<PendingSentence> {
    if sentence.role == Role::Boilerplate {
        return Ok(PendingSentence { sentence, mentions: Vec::new(), prepared: None });
    }
    let mentions = finder.find(&sentence);
    let bytes: Vec<_> = mentions.iter().map(|m| m.model_bytes.clone()).collect();
    let prepared = Some(model.prepare(&sentence.model_text, &bytes)?);
    Ok(PendingSentence { sentence, mentions, prepared })
}
