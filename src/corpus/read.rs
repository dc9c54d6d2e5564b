//! The corpus as a stream of articles.

use std::collections::{BTreeMap, HashMap, HashSet, VecDeque};
use std::path::PathBuf;

use serde::Serialize;
use sha2::{Digest, Sha256};

use super::dates::{Day, day};
use super::documents::Document;
use super::fields::{Cell, Fields, Mapping, check_map, no_text_column};
use super::json::{JsonLines, JsonObjects};
use super::outlets::{Outlets, host};
use super::rows::{Problem, Row, Rows};
use super::sources::{Kind, Source, find, open};
use super::tables::{Csv, Parquet};
use super::{Article, Skip};
use crate::error::{Error, Result};

/// Skips, renamed ids and file names of which the notes keep the wording.
const MOST_KEPT: usize = 1000;
/// What a row may take beyond its text: other columns, and the escapes of JSON.
const ROW_SLACK: u64 = 1 << 20;
/// Language is told from this much of a text.
const LANGUAGE_SAMPLE: usize = 2000;

/// How to read articles.
#[derive(Debug, Clone)]
pub struct ReadOptions {
    /// Pairs of a field and the column that holds it, before any spelling that is recognised.
    pub map: Vec<(String, String)>,
    /// A TOML file of outlet names: `[outlets]`, and in it `"Name" = ["alias", …]`.
    pub aliases: Option<PathBuf>,
    /// Whether the first row or file that would be skipped stops the run.
    pub strict: bool,
    /// Bytes that one text may have; longer ones are skipped.
    pub max_text_bytes: u64,
    /// The event of articles that name none.
    pub default_event: Option<String>,
}

impl Default for ReadOptions {
    fn default() -> Self {
        ReadOptions {
            map: Vec::new(),
            aliases: None,
            strict: false,
            max_text_bytes: 16 << 20,
            default_event: None,
        }
    }
}

/// What was found while reading: complete once the stream has ended.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct ReadNotes {
    /// The files that were opened, the first thousand of them.
    pub files: Vec<String>,
    /// How many files were opened.
    pub n_files: u64,
    /// Files of folders that are of no kind that is read, and links, which are not followed.
    pub n_passed_over: u64,
    /// Articles given out.
    pub n_articles: u64,
    /// Rows and files skipped, the first thousand of them, with the reason.
    pub skipped: Vec<Skip>,
    /// How many rows and files were skipped.
    pub n_skipped: u64,
    /// Fields that were found under another name than their own: field, column.
    pub recognised: Vec<(String, String)>,
    /// Outlets as found, and the name used for each.
    pub outlets: BTreeMap<String, String>,
    /// Articles whose id another article had before, under the id given instead (the
    /// first thousand): id found, id given.
    pub renamed: Vec<(String, String)>,
    /// How many articles had an id that another article had before.
    pub n_duplicate_ids: u64,
    /// How many dates could not be read, or could be read in two ways.
    pub n_unread_dates: u64,
    /// Some of those dates, as found.
    pub unread_dates: Vec<String>,
}

/// A stream of articles from files of any kind that is read. It holds one article at a
/// time, besides some 40 bytes for each article before (to know repeated ids).
///
/// The items are errors only for what must stop the run: an input that the user named and
/// that cannot be used at all, or, with [`ReadOptions::strict`], anything that would be
/// skipped. After an error the stream has ended.
pub struct Corpus {
    options: ReadOptions,
    sources: VecDeque<Source>,
    current: Option<Current>,
    outlets: Outlets,
    ids: Ids,
    notes: ReadNotes,
    stopped: bool,
}

/// The file being read.
struct Current {
    source: Source,
    rows: Box<dyn Rows>,
    /// Columns of the latest row, and what they hold.
    mapping: Option<(Vec<String>, Mapping)>,
    n_rows: u64,
    n_texts: u64,
}

/// Ids given out so far, as hashes.
#[derive(Default)]
struct Ids {
    /// Id to the number of articles that had it.
    counts: HashMap<u64, u32>,
    /// Id and content together.
    contents: HashSet<u64>,
}

impl Corpus {
    /// Finds the files of `inputs` (files, folders, `-` for JSON lines on standard input)
    /// and makes ready to read them. Nothing is read yet.
    ///
    /// # Errors
    /// If an input does not exist, holds nothing that can be read, or the alias file or
    /// the map is wrong.
    pub fn open(inputs: &[PathBuf], options: ReadOptions) -> Result<Self> {
        check_map(&options.map)?;
        let outlets = Outlets::with_aliases(options.aliases.as_deref())?;
        let (sources, n_passed_over) = find(inputs)?;
        Ok(Corpus {
            options,
            sources: sources.into(),
            current: None,
            outlets,
            ids: Ids::default(),
            notes: ReadNotes { n_passed_over, ..ReadNotes::default() },
            stopped: false,
        })
    }

    /// What was found so far.
    pub fn notes(&self) -> &ReadNotes {
        &self.notes
    }

    /// Opens the next file; `None` when there is none left.
    fn next_file(&mut self) -> Option<Result<()>> {
        let source = self.sources.pop_front()?;
        self.notes.n_files += 1;
        if self.notes.files.len() < MOST_KEPT {
            self.notes.files.push(source.name());
        }
        let row_limit = self.options.max_text_bytes.saturating_mul(2).saturating_add(ROW_SLACK);
        let stream = || open(&source);
        let rows: std::io::Result<Box<dyn Rows>> = match source.kind {
            Kind::Text | Kind::Html => {
                // Opened by itself, so that a file that is not there is told from one that is no text.
                stream().map(|_| {
                    let limit = match source.kind {
                        Kind::Html => row_limit,
                        _ => self.options.max_text_bytes,
                    };
                    Box::new(Document::new(source.clone(), limit)) as Box<dyn Rows>
                })
            }
            Kind::JsonLines => stream().map(|s| Box::new(JsonLines::new(s, row_limit)) as _),
            Kind::Json => {
                let map = self.options.map.clone();
                stream().map(|s| Box::new(JsonObjects::new(s, row_limit, map)) as _)
            }
            Kind::Csv => stream().map(|s| Box::new(Csv::new(s, false, row_limit)) as _),
            Kind::Tsv => stream().map(|s| Box::new(Csv::new(s, true, row_limit)) as _),
            Kind::Parquet => match Parquet::open(&source.path) {
                Ok(rows) => Ok(Box::new(rows) as _),
                Err(reason) => return Some(self.skip(&source, None, reason)),
            },
        };
        match rows {
            Ok(rows) => {
                self.current = Some(Current { source, rows, mapping: None, n_rows: 0, n_texts: 0 });
                Some(Ok(()))
            }
            Err(e) if source.named => Some(Err(Error::io(&source.path, e))),
            Err(e) => Some(self.skip(&source, None, format!("cannot be read: {e}"))),
        }
    }

    /// Notes that a row or file is passed over; with `strict`, stops.
    fn skip(&mut self, source: &Source, row: Option<u64>, reason: String) -> Result<()> {
        if self.options.strict {
            let place = match row {
                Some(row) => format!("{}, row {row}", source.name()),
                None => source.name(),
            };
            return Err(Error::input(place, reason)
                .with_hint("without --strict, this is skipped and noted, and the rest is read"));
        }
        self.notes.n_skipped += 1;
        if self.notes.skipped.len() < MOST_KEPT {
            self.notes.skipped.push(Skip { file: source.name(), row, reason });
        }
        Ok(())
    }

    /// The file has ended.
    fn close(&mut self, current: Current) -> Result<()> {
        let Current { source, mapping, n_rows, n_texts, .. } = current;
        if n_rows == 0 {
            return self.skip(&source, None, "holds no articles".to_owned());
        }
        match mapping {
            Some((columns, _)) if n_texts == 0 && source.named => {
                let columns: Vec<&str> = columns.iter().map(String::as_str).collect();
                Err(no_text_column(source.name(), &columns))
            }
            _ => Ok(()),
        }
    }

    /// Makes an article of a row; `None` if it was skipped.
    fn article(&mut self, current: &mut Current, row: Row) -> Result<Option<Article>> {
        current.n_rows += 1;
        let source = &current.source;
        let number = row.number;
        let changed = current.mapping.as_ref().is_none_or(|(columns, _)| {
            columns.len() != row.values.len()
                || columns.iter().zip(&row.values).any(|(c, (v, _))| c != v)
        });
        if changed {
            let columns: Vec<&str> = row.values.iter().map(|(name, _)| name.as_str()).collect();
            let document = matches!(source.kind, Kind::Text | Kind::Html);
            let map = if document { &[][..] } else { &self.options.map[..] };
            let mapping = Mapping::of(&columns, map);
            for pair in &mapping.recognised {
                if !self.notes.recognised.contains(pair) && self.notes.recognised.len() < MOST_KEPT
                {
                    self.notes.recognised.push(pair.clone());
                }
            }
            let table = matches!(source.kind, Kind::Csv | Kind::Tsv | Kind::Parquet);
            let missing = mapping.missing(map).filter(|(field, _)| table && field != "text");
            if source.named
                && let Some((field, column)) = missing
            {
                return Err(Error::input(
                    source.name(),
                    format!(
                        "there is no column {column:?} to take as {field}; the columns are: {}",
                        columns.join(", ")
                    ),
                )
                .with_hint("check the spelling in --map"));
            }
            if table && !mapping.has_text() && source.named {
                return Err(no_text_column(source.name(), &columns));
            }
            let columns = columns.into_iter().map(str::to_owned).collect();
            current.mapping = Some((columns, mapping));
        }
        let Some((_, mapping)) = &current.mapping else { return Ok(None) };
        if !mapping.has_text() {
            let names: Vec<&str> = row.values.iter().map(|(n, _)| n.as_str()).take(30).collect();
            let reason = format!("no field holds the text; the fields are: {}", names.join(", "));
            return self.skip(&current.source, number, reason).map(|()| None);
        }
        current.n_texts += 1;
        match self.finish(&current.source, mapping.sort(row.values)) {
            Ok(article) => Ok(Some(article)),
            Err(reason) => self.skip(&current.source, number, reason).map(|()| None),
        }
    }

    fn finish(&mut self, source: &Source, fields: Fields) -> std::result::Result<Article, String> {
        let text = match fields.text {
            Some(Cell::Text(text)) if !text.trim().is_empty() => text,
            Some(Cell::Other(kind, _)) => return Err(format!("the text is {kind}")),
            _ => return Err("the text is empty".to_owned()),
        };
        if text.len() as u64 > self.options.max_text_bytes {
            return Err(format!(
                "the text has {} bytes, more than the limit of {}",
                text.len(),
                self.options.max_text_bytes
            ));
        }
        let read = |cell: Option<Cell>| cell.and_then(Cell::into_text);
        let url = read(fields.url);
        let outlet = fields
            .outlet
            .and_then(outlet_name)
            .or_else(|| url.as_deref().and_then(host))
            .or_else(|| source.folder.clone())
            .unwrap_or_else(|| {
                if source.path.as_os_str() == "-" { source.name() } else { source.stem() }
            });
        let outlet = self.outlets.name(&outlet, &mut self.notes.outlets);
        let title = read(fields.title);
        let date = read(fields.date).and_then(|found| match day(&found) {
            Day::Known(day) => Some(day),
            Day::Ambiguous | Day::Unknown => {
                self.notes.n_unread_dates += 1;
                if self.notes.unread_dates.len() < 20 {
                    self.notes.unread_dates.push(found.chars().take(80).collect());
                }
                None
            }
        });
        let content = content_hash(&outlet, title.as_deref().unwrap_or_default(), &text);
        let found_id = read(fields.id).map(|id| id.trim().to_owned());
        let id = self.unique_id(found_id, content)?;
        let language = language(&text);
        let extra = fields
            .extra
            .into_iter()
            .map(|(name, cell)| (name, cell.into_text().unwrap_or_default()))
            .collect();
        Ok(Article {
            id,
            outlet,
            date,
            title,
            text,
            url,
            event: read(fields.event).or_else(|| self.options.default_event.clone()),
            topic: read(fields.topic),
            language,
            extra,
        })
    }

    /// An id that no article had before.
    ///
    /// # Errors
    /// If an article with the same id and content was there before.
    fn unique_id(
        &mut self,
        found: Option<String>,
        content: [u8; 32],
    ) -> std::result::Result<String, String> {
        let own = found.is_none();
        let id = found.unwrap_or_else(|| content[..8].iter().map(|b| format!("{b:02x}")).collect());
        let hash = |parts: &[&[u8]]| first_eight(&digest(parts));
        let key = hash(&[id.as_bytes()]);
        if !self.ids.contents.insert(hash(&[id.as_bytes(), &content])) {
            self.notes.n_duplicate_ids += u64::from(!own);
            return Err(format!("repeats the article {id:?} word for word"));
        }
        let Some(count) = self.ids.counts.get(&key).copied() else {
            self.ids.counts.insert(key, 1);
            return Ok(id);
        };
        let mut n = count;
        let given = loop {
            n = n.saturating_add(1);
            let candidate = format!("{id}-{n}");
            if !self.ids.counts.contains_key(&hash(&[candidate.as_bytes()])) {
                break candidate;
            }
        };
        self.ids.counts.insert(key, n);
        self.ids.counts.insert(hash(&[given.as_bytes()]), 1);
        self.notes.n_duplicate_ids += 1;
        if self.notes.renamed.len() < MOST_KEPT {
            self.notes.renamed.push((id, given.clone()));
        }
        Ok(given)
    }

    fn advance(&mut self) -> Option<Result<Article>> {
        loop {
            let Some(mut current) = self.current.take() else {
                match self.next_file()? {
                    Ok(()) => continue,
                    Err(e) => return Some(Err(e)),
                }
            };
            let skipped = match current.rows.next_row() {
                None => self.close(current),
                Some(Ok(row)) => {
                    let article = self.article(&mut current, row);
                    self.current = Some(current);
                    match article {
                        Ok(Some(article)) => return Some(Ok(article)),
                        Ok(None) => Ok(()),
                        Err(e) => Err(e),
                    }
                }
                Some(Err(Problem::Row(number, reason))) => {
                    current.n_rows += 1;
                    let skipped = self.skip(&current.source, number, reason);
                    self.current = Some(current);
                    skipped
                }
                Some(Err(Problem::File(number, reason))) => {
                    self.skip(&current.source, number, reason)
                }
            };
            if let Err(e) = skipped {
                return Some(Err(e));
            }
        }
    }
}

impl Iterator for Corpus {
    type Item = Result<Article>;

    fn next(&mut self) -> Option<Result<Article>> {
        if self.stopped {
            return None;
        }
        let next = self.advance();
        match &next {
            Some(Ok(_)) => self.notes.n_articles += 1,
            _ => self.stopped = true,
        }
        next
    }
}

/// The name in an outlet column, which news services give as `{"id": …, "name": …}`.
fn outlet_name(cell: Cell) -> Option<String> {
    let named = match &cell {
        Cell::Other("an object", json) => serde_json::from_str::<serde_json::Value>(json)
            .ok()
            .and_then(|v| v.get("name").and_then(|n| n.as_str()).map(str::to_owned)),
        _ => None,
    };
    named.or_else(|| cell.into_text())
}

fn digest(parts: &[&[u8]]) -> [u8; 32] {
    let mut sha = Sha256::new();
    for part in parts {
        // The length first, so that no two lists of parts run together to the same bytes.
        sha.update((part.len() as u64).to_le_bytes());
        sha.update(part);
    }
    sha.finalize().into()
}

fn content_hash(outlet: &str, title: &str, text: &str) -> [u8; 32] {
    digest(&[outlet.as_bytes(), title.as_bytes(), text.as_bytes()])
}

fn first_eight(digest: &[u8; 32]) -> u64 {
    digest[..8].iter().fold(0, |n, &b| n << 8 | u64::from(b))
}

/// ISO 639-3 code of the text's language, where its first part tells it reliably.
fn language(text: &str) -> Option<String> {
    let end = text.char_indices().nth(LANGUAGE_SAMPLE).map_or(text.len(), |(i, _)| i);
    let info = whatlang::detect(&text[..end])?;
    info.is_reliable().then(|| info.lang().code().to_owned())
}
