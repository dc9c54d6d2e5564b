//! Stand-off labels: rows that say where a sentence stands in an article, and not what it says.
//! So labels can be handed on where the articles cannot: whoever has the articles has the texts.

use std::collections::HashMap;
use std::path::Path;

use super::row::{Parsed, Row, plain};
use crate::corpus::{Corpus, ReadOptions, Record};
use crate::error::Result;
use crate::model::bundle::sha256_hex;

/// Where a sentence stands: its article's id, and offsets in Unicode characters into its text.
type Place = (String, usize, usize);

/// The texts that rows point to.
pub(super) struct Texts(HashMap<Place, String>);

impl Texts {
    /// Looks up the sentences of `records` in the articles of `path`, which are read as `score`
    /// reads them. No more than those sentences is held.
    ///
    /// # Errors
    /// If the articles cannot be read.
    pub(super) fn of(records: &[Record], path: &Path) -> Result<Self> {
        let mut wanted: HashMap<String, Vec<(usize, usize)>> = HashMap::new();
        // Rows that are not understood are told of when they are filled.
        for (id, start, end) in records.iter().filter_map(|r| place(&r.values).ok()) {
            wanted.entry(id).or_default().push((start, end));
        }
        let mut texts = HashMap::new();
        for article in Corpus::open(&[path.to_owned()], ReadOptions::default())? {
            let article = article?;
            let Some(places) = wanted.remove(&article.id) else { continue };
            // The byte that each character begins at, and the end.
            let ends = [article.text.len()];
            let at: Vec<usize> =
                article.text.char_indices().map(|(at, _)| at).chain(ends).collect();
            for (start, end) in places {
                let bytes = at.get(start).zip(at.get(end)).filter(|(from, to)| from < to);
                if let Some(text) = bytes.and_then(|(&from, &to)| article.text.get(from..to)) {
                    texts.insert((article.id.clone(), start, end), text.to_owned());
                }
            }
        }
        Ok(Texts(texts))
    }

    /// Puts the sentence that a row points to into its field `text`, and the article's id into its
    /// field `document` if it has none.
    pub(super) fn fill(&self, row: &mut Row) -> Parsed<()> {
        let place = place(row)?;
        let (id, start, end) = &place;
        let text = self.0.get(&place).ok_or_else(|| {
            format!("the articles have none with the id {id:?} and characters {start} to {end}")
        })?;
        if let Some(sum) = row.remove("text_sha256").as_ref().and_then(plain)
            && !(sum.len() >= 8 && sha256_hex(text.as_bytes()).starts_with(&sum))
        {
            return Err(format!(
                "characters {start} to {end} of article {id:?} are not the text that was labelled: \
                 its checksum does not begin with {sum:?}"
            ));
        }
        row.insert("text".into(), text.clone().into());
        row.entry("document").or_insert_with(|| id.clone().into());
        // Those of a mention have the same names.
        row.remove("start");
        row.remove("end");
        Ok(())
    }
}

fn place(row: &Row) -> Parsed<Place> {
    let value = |name: &str| {
        row.get(name).and_then(plain).ok_or_else(|| {
            format!("field `{name}` is missing; a row needs article_id, start and end")
        })
    };
    let offset = |name: &str| -> Parsed<usize> {
        let text = value(name)?;
        text.parse().map_err(|_| format!("field `{name}` is no offset but {text:?}"))
    };
    Ok((value("article_id")?, offset("start")?, offset("end")?))
}
