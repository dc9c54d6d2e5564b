//! The side folder: the whole articles of a corpus that is too large for one file, as plain
//! pages that the report links to.
//!
//! A page is HTML without any script, so that a link from a report on disk opens it in every
//! browser. Articles are written as they stream past; one page is held at a time.

use std::path::{Path, PathBuf};

use askama::Template;

use super::palette::{self, Chip};
use super::text;
use crate::error::{Error, Result};
use crate::model::codebook::{Codebook, LayerKind};
use crate::scoring::rows::SentenceRow;

/// A page is closed when it holds so many bytes of text.
const PAGE_BYTES: usize = 150_000;
/// Longest sentence on a page, in characters.
const LONGEST: usize = 20_000;

/// What stands above an article.
#[derive(Debug, Clone, Default)]
pub struct ArticleHead {
    /// The outlet.
    pub outlet: String,
    /// The headline.
    pub title: Option<String>,
    /// Its day.
    pub date: Option<String>,
    /// Its address; only `http` and `https` become links.
    pub url: Option<String>,
}

/// Where the whole of an article stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Place {
    file: String,
    article: usize,
}

impl Place {
    /// The address of a sentence, as seen from the report.
    pub fn of(&self, sentence_index: u32) -> String {
        format!("{}#a{}-{sentence_index}", self.file, self.article)
    }
}

#[derive(Template)]
#[template(path = "side.html", whitespace = "minimize")]
struct Page<'a> {
    title: &'a str,
    back: &'a str,
    number: usize,
    style: &'static str,
    articles: &'a [Article],
}

struct Article {
    number: usize,
    outlet: String,
    title: String,
    day: String,
    url: Option<String>,
    sentences: Vec<Sentence>,
}

struct Sentence {
    index: u32,
    text: String,
    role: String,
    labels: Vec<Label>,
}

struct Label {
    chip: Option<Chip>,
    name: String,
    p: String,
}

/// Writes a side folder: all of it, or none.
#[derive(Debug)]
pub struct SideFolder {
    place: PathBuf,
    name: String,
    back: String,
    work: tempfile::TempDir,
    title: String,
    /// Name, kind and looks of each sentence layer.
    layers: Vec<(String, LayerKind, Vec<Chip>)>,
    page: Vec<Article>,
    bytes: usize,
    n_pages: usize,
    n_articles: usize,
}

impl std::fmt::Debug for Article {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "article {} of {} sentences", self.number, self.sentences.len())
    }
}

impl SideFolder {
    /// The side folder of a report: `report-sentences` beside `report.html`.
    pub fn of(report: &Path) -> PathBuf {
        let stem = report.file_stem().unwrap_or_default().to_string_lossy();
        report.with_file_name(format!("{stem}-sentences"))
    }

    /// Starts the side folder of the report that will stand at `report`.
    ///
    /// # Errors
    /// If the folder cannot be written to, or another program's folder has the name.
    pub fn create(report: &Path, title: &str, codebook: &Codebook) -> Result<Self> {
        let place = Self::of(report);
        ours(&place)?;
        let parent = place.parent().filter(|p| !p.as_os_str().is_empty());
        let work = tempfile::Builder::new()
            .prefix(".report-sentences-")
            .tempdir_in(parent.unwrap_or(Path::new(".")))
            .map_err(|e| Error::io(&place, e))?;
        let name = |p: &Path| p.file_name().unwrap_or_default().to_string_lossy().into_owned();
        Ok(SideFolder {
            name: name(&place),
            back: name(report),
            place,
            work,
            title: text::clip(title, 160),
            layers: codebook
                .sentence_layers()
                .map(|l| (text::spaced(&l.name), l.kind, palette::chips(l)))
                .collect(),
            page: Vec::new(),
            bytes: 0,
            n_pages: 1,
            n_articles: 0,
        })
    }

    /// Adds an article: its sentences in order. Page clutter is left out.
    ///
    /// # Errors
    /// If a page cannot be written.
    pub fn article(&mut self, head: &ArticleHead, rows: &[SentenceRow]) -> Result<Place> {
        if self.bytes > PAGE_BYTES {
            self.flush()?;
        }
        let place = Place {
            file: format!("{}/{:04}.html", self.name, self.n_pages),
            article: self.n_articles,
        };
        let id = rows.first().map(|r| r.article_id.as_str()).unwrap_or_default();
        let sentences: Vec<Sentence> = rows.iter().filter_map(|r| self.sentence(r)).collect();
        self.bytes += sentences.iter().map(|s| s.text.len() + 120).sum::<usize>();
        self.page.push(Article {
            number: self.n_articles,
            outlet: text::clip(&head.outlet, 60),
            title: text::clip(head.title.as_deref().unwrap_or(id), 300),
            day: head.date.as_deref().map(super::context::day).unwrap_or_default(),
            url: head.url.as_deref().filter(|u| u.len() <= 2_000).and_then(text::web_address),
            sentences,
        });
        self.n_articles += 1;
        Ok(place)
    }

    fn sentence(&self, row: &SentenceRow) -> Option<Sentence> {
        let scores = row.layers.as_ref()?;
        let mut labels = Vec::new();
        for (i, ((layer, kind, chips), scores)) in self.layers.iter().zip(scores).enumerate() {
            for &label in &scores.labels {
                let Some(chip) = chips.get(label) else { continue };
                let p = scores.probabilities.get(label).copied().unwrap_or(0.0);
                labels.push(Label {
                    chip: chip.colour.is_some().then(|| chip.clone()),
                    name: text::label_name(layer, *kind, i == 0, &chip.name),
                    p: text::probability(p),
                });
            }
        }
        Some(Sentence {
            index: row.sentence_index,
            text: text::clip(&row.text, LONGEST),
            role: super::evidence::role_name(row.role).to_owned(),
            labels,
        })
    }

    fn flush(&mut self) -> Result<()> {
        let page = Page {
            title: &self.title,
            back: &self.back,
            number: self.n_pages,
            style: include_str!("../../templates/side.css"),
            articles: &self.page,
        };
        let html = page.render().map_err(|e| Error::table("report", e))?;
        let file = self.work.path().join(format!("{:04}.html", self.n_pages));
        std::fs::write(&file, html).map_err(|e| Error::io(&self.place, e))?;
        self.page.clear();
        self.bytes = 0;
        self.n_pages += 1;
        Ok(())
    }

    /// Ends the folder and puts it in the place of an earlier one.
    ///
    /// # Errors
    /// If it cannot be written or moved.
    pub fn finish(mut self) -> Result<()> {
        if !self.page.is_empty() {
            self.flush()?;
        }
        let failed = |e| Error::io(&self.place, e);
        readable(self.work.path()).map_err(failed)?;
        remove(&self.place)?;
        std::fs::rename(self.work.keep(), &self.place).map_err(failed)
    }
}

/// Takes an earlier run's side folder away, where there is one.
///
/// # Errors
/// If it holds files that no report wrote, or cannot be removed.
pub fn remove(place: &Path) -> Result<()> {
    if ours(place)? {
        std::fs::remove_dir_all(place).map_err(|e| Error::io(place, e))?;
    }
    Ok(())
}

/// Whether there is a side folder at `place` that a report wrote.
pub fn is_ours(place: &Path) -> bool {
    ours(place).unwrap_or(false)
}

/// Whether there is a side folder that a report wrote; another folder of the name is an error.
fn ours(place: &Path) -> Result<bool> {
    if !place.exists() {
        return Ok(false);
    }
    let page = |name: &str| {
        name.strip_suffix(".html").is_some_and(|n| n.bytes().all(|b| b.is_ascii_digit()))
    };
    for entry in std::fs::read_dir(place).map_err(|e| Error::io(place, e))? {
        let name = entry.map_err(|e| Error::io(place, e))?.file_name();
        if !name.to_str().is_some_and(page) {
            let message = format!("{} holds files that no report wrote", place.display());
            return Err(Error::setting(message).with_hint("move that folder away"));
        }
    }
    Ok(true)
}

/// A temporary folder is the owner's alone; a report is to be handed round.
#[cfg(unix)]
fn readable(folder: &Path) -> std::io::Result<()> {
    use std::os::unix::fs::PermissionsExt;
    std::fs::set_permissions(folder, std::fs::Permissions::from_mode(0o755))
}

#[cfg(not(unix))]
fn readable(_: &Path) -> std::io::Result<()> {
    Ok(())
}
