//! What a teacher has to say: sentences drawn from articles, with the names in them as
//! mentions, and its opinions on them and on the labelled ones.

use std::collections::{BTreeMap, HashSet};
use std::path::PathBuf;
use std::sync::atomic::{AtomicUsize, Ordering};

use super::answers::answers;
use super::score::discover;
use crate::corpus::{Corpus, ReadNotes, ReadOptions};
use crate::error::Result;
use crate::model::bundle::sha256_hex;
use crate::model::{Codebook, Layer, Meta, Model};
use crate::text::{Role, TargetFinder, split};
use crate::training::data::Example;
use crate::training::hints::Hints;
use crate::training::recipe::Distillation;
use crate::training::teacher::{Unlabelled, behind, mean, silence};
use crate::training::trainer::Lesson;

/// Mentions of a sentence that are asked about at most.
const MOST_MENTIONS: usize = 3;
/// Words of a sentence that is worth asking about.
const WORDS: std::ops::RangeInclusive<usize> = 4..=80;

/// Draws sentences from the articles in `inputs`, each text once and none of those in `avoid` (in
/// the form that the model reads). Which are drawn depends on their text, `seed` and the settings'
/// `draw` alone.
///
/// # Errors
/// If the articles cannot be read.
pub(super) fn unlabelled_sentences(
    inputs: &[PathBuf],
    settings: &Distillation,
    seed: u64,
    avoid: &HashSet<&str>,
) -> Result<(Vec<Unlabelled>, ReadNotes)> {
    let options = ReadOptions::default();
    let targets = discover(Corpus::open(inputs, options.clone())?, settings.targets)?;
    let finder = TargetFinder::new(targets)?;
    let mut corpus = Corpus::open(inputs, options)?;
    // Those with the lowest hashes, in the order of their hashes: a draw of bounded size.
    let mut drawn: BTreeMap<String, Unlabelled> = BTreeMap::new();
    for article in corpus.by_ref() {
        for sentence in split(&article?) {
            let text = &sentence.model_text;
            if sentence.role == Role::Boilerplate
                || !WORDS.contains(&text.split_whitespace().count())
                || avoid.contains(text.as_str())
            {
                continue;
            }
            let draw = seed.wrapping_add(settings.draw);
            let hash = sha256_hex(format!("{draw} {text}").as_bytes());
            let full = drawn.len() >= settings.sentences;
            if full && drawn.last_key_value().is_none_or(|(last, _)| *last <= hash) {
                continue;
            }
            let found = finder.find(&sentence).into_iter().take(MOST_MENTIONS);
            let mentions = found.map(|m| m.model_bytes).collect();
            drawn.insert(hash, Unlabelled { model_text: sentence.model_text, mentions });
            if drawn.len() > settings.sentences {
                drawn.pop_last();
            }
        }
    }
    Ok((drawn.into_values().collect(), corpus.notes().clone()))
}

/// Asks the teachers about the examples and the unlabelled sentences, and gives the mean of what
/// they say, on each layer of those who are not further than the settings' `margin` behind the best there. The
/// answers of each are kept in the file that `kept` names for its number, so that an interrupted
/// run need not ask again. `done` is told of how many sentences of how many a teacher has spoken.
///
/// # Errors
/// If a teacher has none of the codebook's layers or fails, or a file cannot be written.
pub(super) fn lesson(
    teachers: &[Model],
    settings: &Distillation,
    codebook: &Codebook,
    train: &[Example],
    unlabelled: Vec<Unlabelled>,
    kept: &dyn Fn(usize) -> PathBuf,
    done: &(dyn Fn(usize, usize) + Sync),
) -> Result<Lesson> {
    let sentences: Vec<Unlabelled> =
        train.iter().map(Unlabelled::of).chain(unlabelled.iter().cloned()).collect();
    let mut names = Vec::new();
    let mut all = Vec::new();
    for (number, teacher) in teachers.iter().enumerate() {
        let meta = &teacher.meta;
        let (name, precision) = (&meta.name, teacher.precision().name());
        let name = format!("{name} {} in {precision} ({})", meta.version, meta.weights_sha256);
        all.push(answers(teacher, &name, codebook, &sentences, &kept(number), done)?);
        names.push(name);
    }
    let scores: Vec<Vec<Option<f64>>> =
        teachers.iter().map(|t| development_scores(&t.meta, codebook)).collect();
    silence(&mut all, &behind(&scores, settings.margin));
    let mut said = mean(all).into_iter();
    let labelled = said.by_ref().take(train.len()).collect();
    let layers = teachers.iter().flat_map(|t| &t.codebook().layers).map(|l| l.name.clone());
    let unlabelled = unlabelled.into_iter().zip(said).collect();
    let hints = match teachers.first().filter(|_| settings.hints > 0.0) {
        Some(teacher) => Some(read_along(teacher, &sentences, done)?),
        None => None,
    };
    let (teacher, layers) = (names.join(", "), layers.collect());
    Ok(Lesson { teacher, layers, labelled, unlabelled, hints })
}

/// The teacher's token vectors of the sentences.
fn read_along(
    teacher: &Model,
    sentences: &[Unlabelled],
    done: &(dyn Fn(usize, usize) + Sync),
) -> Result<Hints> {
    let read = AtomicUsize::new(0);
    Hints::of(teacher, sentences, &|n| {
        let before = read.fetch_add(n, Ordering::Relaxed);
        done((before + n).min(sentences.len()), sentences.len());
    })
}

/// The F1 on its development part that a teacher's bundle records for each layer.
fn development_scores(teacher: &Meta, codebook: &Codebook) -> Vec<Option<f64>> {
    let recorded = teacher.evaluation.get("dev_f1");
    let of_layer = |layer: &Layer| recorded?.get(&layer.name)?.as_float();
    codebook.layers.iter().map(of_layer).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_draw_depends_on_the_texts_alone() {
        let folder = tempfile::tempdir().unwrap();
        let texts = [
            "Mayor Ilse Brandt opened the harbour on Monday. Mayor Ilse Brandt thanked the crew.",
            "The ferry was late again this week. Mayor Ilse Brandt blamed the tide for that.",
        ];
        let draw = |order: [usize; 2], n: usize, avoid: &[&str]| {
            let path = folder.path().join("articles.jsonl");
            let line =
                |i: usize| serde_json::json!({"outlet": "Post", "text": texts[i]}).to_string();
            std::fs::write(&path, order.map(line).join("\n")).unwrap();
            let settings = Distillation { sentences: n, ..Distillation::default() };
            let avoid = avoid.iter().copied().collect();
            unlabelled_sentences(&[path], &settings, 1, &avoid).unwrap().0
        };
        let all = draw([0, 1], 10, &[]);
        assert_eq!(all.len(), 4);
        assert_eq!(draw([1, 0], 2, &[]), all[..2]);
        assert_eq!(draw([0, 1], 10, &[all[0].model_text.as_str()]), all[1..]);
        let named = all.iter().filter(|s| s.mentions.len() == 1).count();
        assert_eq!(named, 3, "{all:?}");
    }
}
