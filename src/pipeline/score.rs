//! From input files to a scored folder.
//!
//! Three threads in a row: one reads and cuts, one runs the model on all cores, one writes.
//! Between them stand at most two windows of articles, so memory does not grow with the corpus.

use std::collections::HashSet;
use std::path::{Path, PathBuf};
use std::time::Instant;

use crossbeam_channel::{Receiver, Sender, bounded};

use super::run::{Counts, RunRecord, Timing};
use crate::corpus::{Article, Corpus, Duplicates, ReadNotes, ReadOptions};
use crate::error::{Error, Result};
use crate::model::Model;
use crate::model::predict::Batching;
use crate::report::Form;
use crate::report::side::{self, SideFolder};
use crate::scoring::repeats::Repeats;
use crate::scoring::rows::{ArticleRow, MentionRow, SentenceRow};
use crate::scoring::scorer::{Rows, score};
use crate::scoring::tables::{
    Format, TableWriter, VECTORS, VectorWriter, articles_schema, extra_columns, mentions_schema,
    sentences_schema, sentences_schema_with_withheld,
};
use crate::scoring::window::Window;
use crate::text::targets::{Target, TargetFinder};
use crate::text::{TargetDiscovery, split};

/// A window ends at this many characters of text …
const WINDOW_CHARS: usize = 1 << 20;
/// … or this many articles.
const WINDOW_ARTICLES: usize = 2000;
/// Targets are looked for in the first so many articles of a stream that cannot be read twice.
const STREAM_SAMPLE: usize = 5000;

/// How a corpus is scored.
#[derive(Debug, Clone)]
pub struct ScoreOptions {
    /// How the input is read.
    pub read: ReadOptions,
    /// Targets whose mentions get a stance; if empty, the most frequent names of the corpus.
    pub targets: Vec<Target>,
    /// How many names to take if none are given; 0 for none.
    pub n_targets: usize,
    /// How batches are made.
    pub batching: Batching,
    /// Format of the tables.
    pub format: Format,
    /// Whether the sentences' vectors are written too (in Parquet, whatever the format).
    pub vectors: bool,
    /// Labels with less than this calibrated probability are withheld.
    pub min_confidence: Option<f32>,
}

/// What happens during a run, for a progress bar.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Progress {
    /// So many more sentences (or windows of long ones) wait for the model.
    Found(usize),
    /// So many more are done.
    Done(usize),
}

/// Scores the articles in `inputs` and writes `sentences`, `mentions`, `articles` and `run.json`
/// into the folder `out`, which must exist.
///
/// # Errors
/// If the input cannot be read at all (or, with `strict`, a row of it), the model fails or the
/// tables cannot be written. What was there before is left alone then.
pub fn score_corpus(
    inputs: &[PathBuf],
    model: &Model,
    model_hash: &str,
    out: &Path,
    options: &ScoreOptions,
    progress: &(dyn Fn(Progress) + Sync),
) -> Result<RunRecord> {
    let started = Instant::now();
    let mut corpus = Corpus::open(inputs, options.read.clone())?;
    let mut buffered = Vec::new();
    let discovered = options.targets.is_empty() && options.n_targets > 0;
    let has_target_layers = model.codebook().target_layers().next().is_some();
    let targets = match (discovered && has_target_layers, inputs) {
        (false, _) => options.targets.clone(),
        (true, inputs) if inputs.iter().any(|p| p.as_os_str() == "-") => {
            for article in corpus.by_ref().take(STREAM_SAMPLE) {
                buffered.push(article?);
            }
            discover(buffered.iter().cloned().map(Ok), options.n_targets)?
        }
        (true, inputs) => {
            // Problems of the input are counted on the second reading.
            let first = Corpus::open(inputs, options.read.clone())?;
            discover(first, options.n_targets)?
        }
    };
    let finder = TargetFinder::new(targets.clone())?;
    let discovery_s = started.elapsed().as_secs_f64();

    let duplicates = Duplicates::default();
    let mut articles = Windows { buffered: buffered.into_iter(), corpus, duplicates };
    let (to_model, from_reader) = bounded::<Window>(1);
    let (to_writer, from_model) = bounded::<Rows>(1);
    let encoding = Instant::now();
    let (read, scored, written) = std::thread::scope(|scope| {
        let reader =
            scope.spawn(|| read_windows(&mut articles, model, &finder, to_model, progress));
        let writer = scope.spawn(|| {
            Tables::new(out, model, options).and_then(|tables| tables.write_all(from_model))
        });
        let scored = score_windows(from_reader, to_writer, model, &targets, options, progress);
        (joined(reader), scored, joined(writer))
    });
    // A reader or writer that fails closes its channel; its own error is the one that tells.
    read?;
    let (tables, mut counts) = written?;
    let (encoder_s, n_repeated) = scored?;
    counts.repeated = n_repeated;
    let seconds = encoding.elapsed().as_secs_f64();
    let timing = Timing {
        discovery_s,
        encoder_s,
        total_s: seconds + discovery_s,
        sentences_per_second: counts.scored as f64 / seconds.max(1e-9),
    };
    let notes: &ReadNotes = articles.corpus.notes();
    if counts.articles == 0 {
        return Err(Error::input(
            inputs.iter().map(|p| p.display().to_string()).collect::<Vec<_>>().join(", "),
            match notes.skipped.first() {
                Some(skip) => format!(
                    "there is no article in it that can be read; {} of its files or rows were passed \
                     over, the first ({}) because: {}",
                    notes.n_skipped, skip.file, skip.reason
                ),
                None => "there is no article in it".to_owned(),
            },
        )
        .with_hint("articles come as .txt, .html, .jsonl, .csv or .parquet files, or folders of them"));
    }
    let record = RunRecord::new(model, model_hash, inputs, notes, options, counts, timing)
        .with_targets(&targets, discovered && has_target_layers);
    tables.finish()?;
    remove_outdated(out, options.vectors)?;
    record.write(out)?;
    Ok(record)
}

/// Takes away what an earlier run made from the tables that were just replaced.
fn remove_outdated(out: &Path, vectors_are_new: bool) -> Result<()> {
    let of_words = ["words", "explanations", "axes", "axis_profiles", "axis_contrasts"];
    let derived = ["profiles", "contrasts", "target_profiles", "alignments"]
        .iter()
        .chain(&of_words)
        .flat_map(|name| Format::ALL.map(|f| format!("{name}.{f}")))
        .chain(Form::ALL.map(|form| form.file_name().to_owned()))
        .chain((!vectors_are_new).then(|| format!("{VECTORS}.parquet")));
    for name in derived {
        match std::fs::remove_file(out.join(&name)) {
            Err(e) if e.kind() != std::io::ErrorKind::NotFound => {
                return Err(Error::io(out.join(name), e));
            }
            _ => {}
        }
    }
    // Another program's folder of that name is left alone.
    let side = SideFolder::of(&out.join(Form::Html.file_name()));
    if side::is_ours(&side) { side::remove(&side) } else { Ok(()) }
}

fn joined<T>(handle: std::thread::ScopedJoinHandle<'_, T>) -> T {
    // A panic is a bug of ours; it must not be swallowed.
    handle.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))
}

/// The most frequent names of the articles, the outlets' own left out.
pub(super) fn discover(
    articles: impl Iterator<Item = Result<Article>>,
    n: usize,
) -> Result<Vec<Target>> {
    let mut discovery = TargetDiscovery::default();
    let mut outlets = HashSet::new();
    for article in articles {
        let article = article?;
        for sentence in split(&article) {
            discovery.add(&sentence);
        }
        outlets.insert(article.outlet.to_lowercase());
    }
    let is_outlet = |t: &Target| {
        std::iter::once(&t.name).chain(&t.aliases).any(|a| outlets.contains(&a.to_lowercase()))
    };
    let found = discovery.top(n + outlets.len());
    Ok(found.into_iter().filter(|t| !is_outlet(t)).take(n).collect())
}

/// The corpus in windows.
struct Windows {
    buffered: std::vec::IntoIter<Article>,
    corpus: Corpus,
    duplicates: Duplicates,
}

impl Windows {
    fn next(&mut self) -> Result<Vec<(Article, Option<String>)>> {
        let mut window = Vec::new();
        let mut chars = 0;
        while chars < WINDOW_CHARS && window.len() < WINDOW_ARTICLES {
            let article = match self.buffered.next() {
                Some(article) => article,
                None => match self.corpus.next() {
                    Some(article) => article?,
                    None => break,
                },
            };
            chars += article.text.len();
            let duplicate_of = self.duplicates.insert(&article);
            window.push((article, duplicate_of));
        }
        Ok(window)
    }
}

fn read_windows(
    articles: &mut Windows,
    model: &Model,
    finder: &TargetFinder,
    to_model: Sender<Window>,
    progress: &(dyn Fn(Progress) + Sync),
) -> Result<()> {
    loop {
        let read = articles.next()?;
        if read.is_empty() {
            return Ok(());
        }
        let window = Window::prepare(read, model, finder)?;
        let units = window.sentences().filter_map(|s| s.prepared.as_ref()).map(|p| p.units.len());
        progress(Progress::Found(units.sum()));
        if to_model.send(window).is_err() {
            return Ok(());
        }
    }
}

/// Runs the model over the windows; returns the seconds spent in it and the number of sentences
/// that were equal to an earlier one.
fn score_windows(
    from_reader: Receiver<Window>,
    to_writer: Sender<Rows>,
    model: &Model,
    targets: &[Target],
    options: &ScoreOptions,
    progress: &(dyn Fn(Progress) + Sync),
) -> Result<(f64, u64)> {
    let mut seconds = 0.0;
    let mut repeats = Repeats::new(options.vectors);
    for window in from_reader {
        let started = Instant::now();
        let done = |n| progress(Progress::Done(n));
        let mut rows = score(window, model, targets, options.batching, &mut repeats, &done)?;
        if let Some(confidence) = options.min_confidence {
            rows.withhold(confidence);
        }
        seconds += started.elapsed().as_secs_f64();
        if to_writer.send(rows).is_err() {
            break;
        }
    }
    Ok((seconds, repeats.n_repeated()))
}

/// The three tables of a scored folder.
struct Tables<'a> {
    out: &'a Path,
    model: &'a Model,
    format: Format,
    sentences: TableWriter<SentenceRow>,
    mentions: TableWriter<MentionRow>,
    /// Where they are wanted.
    vectors: Option<VectorWriter<'a>>,
    /// Opened with the first articles, which tell the input's other columns.
    articles: Option<TableWriter<ArticleRow>>,
}

impl<'a> Tables<'a> {
    fn new(out: &'a Path, model: &'a Model, options: &ScoreOptions) -> Result<Self> {
        let (codebook, format) = (model.codebook(), options.format);
        let sentences = match options.min_confidence {
            Some(_) => sentences_schema_with_withheld(codebook)?,
            None => sentences_schema(codebook)?,
        };
        Ok(Tables {
            out,
            model,
            format,
            sentences: TableWriter::create(out, "sentences", sentences, format)?,
            mentions: TableWriter::create(out, "mentions", mentions_schema(codebook)?, format)?,
            vectors: options.vectors.then(|| VectorWriter::new(out, codebook)),
            articles: None,
        })
    }

    fn open_articles(&self, rows: &[ArticleRow]) -> Result<TableWriter<ArticleRow>> {
        let schema = articles_schema(self.model.codebook(), &extra_columns(rows))?;
        TableWriter::create(self.out, "articles", schema, self.format)
    }

    fn write_all(mut self, from_model: Receiver<Rows>) -> Result<(Self, Counts)> {
        let mut counts = Counts::default();
        for rows in from_model {
            if self.articles.is_none() {
                self.articles = Some(self.open_articles(&rows.articles)?);
            }
            if let Some(articles) = &mut self.articles {
                articles.write(&rows.articles)?;
            }
            self.sentences.write(&rows.sentences)?;
            self.mentions.write(&rows.mentions)?;
            if let Some(vectors) = &mut self.vectors {
                vectors.write(&rows.vectors)?;
            }
            counts.count(&rows, self.model.codebook());
        }
        Ok((self, counts))
    }

    /// Gives the tables their names.
    fn finish(self) -> Result<()> {
        let articles = match self.articles {
            Some(articles) => articles,
            None => self.open_articles(&[])?,
        };
        self.sentences.finish()?;
        self.mentions.finish()?;
        self.vectors.map(VectorWriter::finish).transpose()?;
        articles.finish()?;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_an_earlier_run_drew_is_taken_away_and_nothing_else() {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        for form in Form::ALL {
            std::fs::write(at(form.file_name()), "old").unwrap();
        }
        std::fs::create_dir(at("report-sentences")).unwrap();
        std::fs::write(at("report-sentences/1.html"), "old").unwrap();
        std::fs::write(at("notes.md"), "mine").unwrap();
        remove_outdated(folder.path(), true).unwrap();
        let left: Vec<_> = std::fs::read_dir(folder.path()).unwrap().collect();
        assert_eq!(left.len(), 1, "{left:?}");
        // A folder of that name with files of another program stays.
        std::fs::create_dir(at("report-sentences")).unwrap();
        std::fs::write(at("report-sentences/mine.txt"), "mine").unwrap();
        remove_outdated(folder.path(), true).unwrap();
        assert!(at("report-sentences/mine.txt").exists());
    }
}
