//! Which column holds what.

use crate::error::{Error, Result};

/// The fields of an article, with the spellings that are recognised for each, best first.
/// Case, spaces, points and hyphens in a column's name do not matter.
#[rustfmt::skip]
const SPELLINGS: [(&str, &[&str]); 8] = [
    ("id", &["id", "article_id", "doc_id", "document_id", "docid", "uuid", "guid", "_id"]),
    ("outlet", &[
        "outlet", "source", "publisher", "publication", "newspaper", "media", "site", "outlet_name", "source_name",
        "media_name", "site_name", "news_source", "source_domain", "domain", "medium",
    ]),
    ("date", &[
        "date", "published_at", "publishedat", "publish_date", "pub_date", "pubdate", "published", "publication_date",
        "date_published", "datepublished", "date_publish", "datetime", "publish_time", "timestamp", "day",
    ]),
    ("title", &["title", "headline", "article_title", "heading", "head"]),
    ("text", &[
        "text", "body", "content", "full_text", "fulltext", "article_text", "maintext", "main_text", "article_body",
        "articlebody", "body_text", "plaintext", "article", "story_text",
    ]),
    ("url", &["url", "link", "article_url", "source_url", "href", "permalink", "web_url", "uri"]),
    ("event", &["event", "event_id", "story", "story_id", "cluster", "cluster_id"]),
    ("topic", &["topic", "section", "category", "subject", "desk", "topics"]),
];

/// Position of `text` in [`SPELLINGS`] and in [`Mapping::columns`].
const TEXT: usize = 4;

/// The columns of the fields of one table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Mapping {
    /// Column of each field, in the order of the fields.
    columns: [Option<usize>; 8],
    /// Fields found under another name than their own, which the user did not name.
    pub recognised: Vec<(String, String)>,
}

/// The values of a row, sorted into fields.
#[derive(Debug, Default)]
pub(crate) struct Fields {
    pub id: Option<Cell>,
    pub outlet: Option<Cell>,
    pub date: Option<Cell>,
    pub title: Option<Cell>,
    pub text: Option<Cell>,
    pub url: Option<Cell>,
    pub event: Option<Cell>,
    pub topic: Option<Cell>,
    /// The other columns, in order.
    pub extra: Vec<(String, Cell)>,
}

/// A value of a table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Cell {
    /// Nothing, or nothing but spaces where that means the same.
    Null,
    Text(String),
    /// A value of another type, as JSON would write it.
    Other(&'static str, String),
}

impl Cell {
    /// The value as text, `None` if there is none.
    pub(crate) fn into_text(self) -> Option<String> {
        match self {
            Cell::Null => None,
            Cell::Text(text) | Cell::Other(_, text) => Some(text).filter(|t| !t.trim().is_empty()),
        }
    }
}

/// Checks that the fields of a user's map are fields.
pub(crate) fn check_map(map: &[(String, String)]) -> Result<()> {
    let mut seen = Vec::new();
    for (field, _) in map {
        if !SPELLINGS.iter().any(|(name, _)| name == field) {
            let names: Vec<&str> = SPELLINGS.iter().map(|(name, _)| *name).collect();
            return Err(Error::setting(format!("there is no field {field:?} to map a column to"))
                .with_hint(format!("the fields are {}", names.join(", "))));
        }
        if seen.contains(&field) {
            return Err(Error::setting(format!("the field {field:?} is mapped twice")));
        }
        seen.push(field);
    }
    Ok(())
}

impl Mapping {
    /// Finds the fields among `columns`, first as the user's `map` says, then by their usual spellings. A
    /// column serves one field.
    pub(crate) fn of(columns: &[&str], map: &[(String, String)]) -> Self {
        let folded: Vec<String> = columns.iter().map(|c| fold(c)).collect();
        let mut found = [None; 8];
        let mut recognised = Vec::new();
        let mut taken = vec![false; columns.len()];
        for (i, (field, _)) in SPELLINGS.iter().enumerate() {
            if let Some((_, column)) = map.iter().find(|(f, _)| f == field) {
                found[i] = columns
                    .iter()
                    .position(|c| c == column)
                    .or_else(|| folded.iter().position(|c| *c == fold(column)));
                if let Some(at) = found[i] {
                    taken[at] = true;
                }
            }
        }
        for (i, (field, spellings)) in SPELLINGS.iter().enumerate() {
            if map.iter().any(|(f, _)| f == field) {
                continue;
            }
            let at = spellings
                .iter()
                .find_map(|s| (0..columns.len()).find(|&c| !taken[c] && folded[c] == *s));
            if let Some(at) = at {
                taken[at] = true;
                found[i] = Some(at);
                if columns[at] != *field {
                    recognised.push(((*field).to_owned(), columns[at].to_owned()));
                }
            }
        }
        Mapping { columns: found, recognised }
    }

    /// Whether there is a column for the text.
    pub(crate) fn has_text(&self) -> bool {
        self.columns[TEXT].is_some()
    }

    /// The user's mappings that name a column which is not there.
    pub(crate) fn missing<'a>(&self, map: &'a [(String, String)]) -> Option<&'a (String, String)> {
        map.iter().find(|(field, _)| {
            SPELLINGS
                .iter()
                .position(|(name, _)| name == field)
                .is_some_and(|i| self.columns[i].is_none())
        })
    }

    /// Sorts a row's values, given in the order of the columns.
    pub(crate) fn sort(&self, values: Vec<(String, Cell)>) -> Fields {
        let mut fields = Fields::default();
        for (at, (name, cell)) in values.into_iter().enumerate() {
            let slot = match self.columns.iter().position(|c| *c == Some(at)) {
                Some(0) => &mut fields.id,
                Some(1) => &mut fields.outlet,
                Some(2) => &mut fields.date,
                Some(3) => &mut fields.title,
                Some(TEXT) => &mut fields.text,
                Some(5) => &mut fields.url,
                Some(6) => &mut fields.event,
                Some(_) => &mut fields.topic,
                None => {
                    fields.extra.push((name, cell));
                    continue;
                }
            };
            *slot = Some(cell);
        }
        fields
    }
}

fn fold(column: &str) -> String {
    column
        .trim()
        .trim_start_matches('\u{feff}')
        .chars()
        .map(|c| if matches!(c, ' ' | '-' | '.') { '_' } else { c })
        .flat_map(char::to_lowercase)
        .collect()
}

/// What to say where no column holds the text.
pub(crate) fn no_text_column(place: impl ToString, columns: &[&str]) -> Error {
    let shown: Vec<&str> = columns.iter().copied().take(30).collect();
    let more = if columns.len() > shown.len() { ", …" } else { "" };
    Error::input(
        place,
        format!(
            "no column holds the text of the articles; the columns are: {}{more}",
            shown.join(", ")
        ),
    )
    .with_hint("name the column that holds it with --map text=COLUMN")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn usual_spellings_are_recognised() {
        let mapping = Mapping::of(
            &["Headline", "Published At", "SOURCE", "content", "url", "section", "shares"],
            &[],
        );
        assert!(mapping.has_text());
        let pairs: Vec<String> =
            mapping.recognised.iter().map(|(f, c)| format!("{f}={c}")).collect();
        assert_eq!(
            pairs,
            [
                "outlet=SOURCE",
                "date=Published At",
                "title=Headline",
                "text=content",
                "topic=section"
            ]
        );
    }

    #[test]
    fn a_map_comes_before_spellings_and_takes_its_column() {
        let map =
            [("text".to_owned(), "story".to_owned()), ("topic".to_owned(), "nowhere".to_owned())];
        let mapping = Mapping::of(&["text", "story", "section"], &map);
        let values = vec![
            ("text".to_owned(), Cell::Text("a".into())),
            ("story".to_owned(), Cell::Text("b".into())),
            ("section".to_owned(), Cell::Null),
        ];
        let fields = mapping.sort(values);
        assert_eq!(fields.text, Some(Cell::Text("b".into())));
        assert_eq!(fields.event, None);
        assert_eq!(fields.extra.len(), 2);
        assert_eq!(mapping.missing(&map), Some(&map[1]));
        assert!(check_map(&map).is_ok());
        assert!(check_map(&[("body".into(), "x".into())]).is_err_and(|e| e.hint().is_some()));
    }
}
