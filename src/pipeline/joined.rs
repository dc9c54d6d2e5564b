//! A scored folder's sentences, each with the mentions in it.

use std::iter::Peekable;
use std::ops::Range;

use crate::error::{Error, Result};
use crate::scoring::rows::{MentionRow, SentenceRow};
use crate::scoring::tables::ScoredFolder;

/// A sentence and the mentions of targets in it.
pub(super) struct Joined {
    pub sentence: SentenceRow,
    pub mentions: Vec<MentionRow>,
}

/// Hands each sentence of a folder with its mentions to `each`, in the order of the table.
/// Both tables are read once, side by side: mentions stand in the order of their sentences.
///
/// # Errors
/// If a table cannot be read, mentions are left that belong to no sentence, or `each` fails.
pub(super) fn each_sentence(
    folder: &ScoredFolder,
    mut each: impl FnMut(Joined) -> Result<()>,
) -> Result<()> {
    let mut mentions = flat(folder.mentions()?).peekable();
    for sentence in flat(folder.sentences()?) {
        let sentence = sentence?;
        let mentions = of_sentence(&mut mentions, &sentence)?;
        each(Joined { sentence, mentions })?;
    }
    match mentions.next() {
        None => Ok(()),
        Some(left) => {
            let id = left?.article_id;
            Err(Error::input(
                folder.dir().join("mentions.parquet").display(),
                format!("the mentions do not stand in the order of the sentences (article {id:?})"),
            )
            .with_hint("keep the tables as parallax wrote them, or score the articles again"))
        }
    }
}

/// The rows of a table one by one.
pub(super) fn flat<T>(
    batches: impl Iterator<Item = Result<Vec<T>>>,
) -> impl Iterator<Item = Result<T>> {
    batches.flat_map(|batch| {
        let (rows, error) = match batch {
            Ok(rows) => (rows, None),
            Err(e) => (Vec::new(), Some(Err(e))),
        };
        rows.into_iter().map(Ok).chain(error)
    })
}

fn of_sentence<I: Iterator<Item = Result<MentionRow>>>(
    mentions: &mut Peekable<I>,
    sentence: &SentenceRow,
) -> Result<Vec<MentionRow>> {
    let mine = |m: &Result<MentionRow>| {
        m.as_ref().map_or(true, |m| {
            m.sentence_index == sentence.sentence_index && m.article_id == sentence.article_id
        })
    };
    std::iter::from_fn(|| mentions.next_if(mine)).collect()
}

/// The bytes of the sentence's text that a mention stands on; `None` if it does not stand there.
pub(super) fn place(sentence: &SentenceRow, mention: &MentionRow) -> Option<Range<usize>> {
    let text = sentence.text.as_str();
    let by_offset = || {
        let skip = mention.start?.checked_sub(sentence.start?)? as usize;
        let start = text.char_indices().nth(skip)?.0;
        let bytes = start..start + mention.mention.len();
        (text.get(bytes.clone())? == mention.mention).then_some(bytes)
    };
    // A headline from the title field has no offsets.
    by_offset().or_else(|| text.find(&mention.mention).map(|at| at..at + mention.mention.len()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::text::Role;

    #[test]
    fn a_mention_is_found_by_its_offset_or_its_words() {
        let sentence = SentenceRow {
            article_id: "1".into(),
            outlet: "a".into(),
            date: None,
            event: None,
            topic: None,
            sentence_index: 0,
            start: Some(10),
            end: Some(30),
            text: "Élan, Halvia; Halvia.".into(),
            role: Role::Body,
            n_tokens: 3,
            windowed: false,
            duplicate_group: "1".into(),
            layers: None,
        };
        let mention = |start| MentionRow {
            article_id: "1".into(),
            outlet: "a".into(),
            sentence_index: 0,
            target: "Halvia".into(),
            mention: "Halvia".into(),
            start,
            end: None,
            layers: Vec::new(),
        };
        assert_eq!(place(&sentence, &mention(Some(24))), Some(15..21));
        assert_eq!(place(&sentence, &mention(None)), Some(7..13));
        assert_eq!(place(&sentence, &mention(Some(3))), Some(7..13), "an offset that does not fit");
    }
}
