//! Reading a scored folder back.

use std::{
    fs::File,
    path::{Path, PathBuf},
};

use arrow::array::RecordBatch;
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;

use super::{Format, codebook_of, decode, schema::VERSION_KEY, vectors};
use crate::{
    SCHEMA_VERSION,
    error::{Error, Result},
    model::codebook::{Codebook, Layer},
    scoring::rows::{ArticleRow, MentionRow, SentenceRow, VectorRow},
};

/// Rows that are decoded at a time.
const BATCH_ROWS: usize = 4096;

/// A folder that `parallax score` or `parallax compare` wrote, in Parquet.
#[derive(Debug, Clone)]
pub struct ScoredFolder {
    dir: PathBuf,
    codebook: Codebook,
}

impl ScoredFolder {
    /// Opens a scored folder; only metadata is read.
    ///
    /// # Errors
    /// If the folder holds no scored corpus, holds it in another format than Parquet, or
    /// was written under another version of the table contract.
    pub fn open(dir: impl AsRef<Path>) -> Result<Self> {
        let dir = dir.as_ref().to_owned();
        std::fs::metadata(&dir).map_err(|e| Error::io(&dir, e))?;
        let path = dir.join("sentences.parquet");
        if !path.is_file() {
            return Err(not_scored(&dir));
        }
        let place = path.display();
        let schema = builder(&path)?.schema().clone();
        match schema.metadata().get(VERSION_KEY).map(String::as_str) {
            Some(SCHEMA_VERSION) => {}
            Some(other) => {
                let message = format!(
                    "its tables have schema version {other}, this program reads {SCHEMA_VERSION}"
                );
                return Err(Error::input(place, message).with_hint(
                    "score the articles again with this version, or use the version that wrote them",
                ));
            }
            None => {
                return Err(Error::input(place, "it was not written by parallax score").with_hint(
                    "a table that another program saved again has lost its metadata: \
                     keep the original, or score the articles again",
                ));
            }
        }
        let codebook = codebook_of(&schema).map_err(|e| Error::input(place, e))?;
        Ok(Self { dir, codebook })
    }

    /// The folder.
    pub fn dir(&self) -> &Path {
        &self.dir
    }

    /// The codebook that the sentences were scored with.
    pub fn codebook(&self) -> &Codebook {
        &self.codebook
    }

    /// The sentences, in the file's order, in batches of a few thousand.
    ///
    /// # Errors
    /// If the file cannot be opened; each batch, if it cannot be decoded.
    pub fn sentences(
        &self,
    ) -> Result<impl Iterator<Item = Result<Vec<SentenceRow>>> + Send + use<>> {
        let layers: Vec<Layer> = self.codebook.sentence_layers().cloned().collect();
        batches(self.dir.join("sentences.parquet"), move |b| decode::sentences(b, &layers))
    }

    /// The mentions of targets, likewise; none where the folder has no `mentions.parquet`.
    ///
    /// # Errors
    /// As [`sentences`](Self::sentences).
    pub fn mentions(&self) -> Result<impl Iterator<Item = Result<Vec<MentionRow>>> + Send + use<>> {
        let layers: Vec<Layer> = self.codebook.target_layers().cloned().collect();
        let path = self.dir.join("mentions.parquet");
        let rows = path
            .exists()
            .then(|| batches(path, move |b| decode::mentions(b, &layers)))
            .transpose()?;
        Ok(rows.into_iter().flatten())
    }

    /// The vectors of the scored sentences, likewise; none where the folder was scored
    /// without them.
    ///
    /// # Errors
    /// As [`sentences`](Self::sentences).
    pub fn vectors(&self) -> Result<impl Iterator<Item = Result<Vec<VectorRow>>> + Send + use<>> {
        let path = self.dir.join(format!("{}.parquet", vectors::VECTORS));
        let rows = path.exists().then(|| batches(path, vectors::decode)).transpose()?;
        Ok(rows.into_iter().flatten())
    }

    /// The articles, likewise; their text is empty, for the table does not hold it.
    ///
    /// # Errors
    /// As [`sentences`](Self::sentences).
    pub fn articles(&self) -> Result<impl Iterator<Item = Result<Vec<ArticleRow>>> + Send + use<>> {
        batches(self.dir.join("articles.parquet"), decode::articles)
    }
}

/// Why `dir` cannot be opened: it holds another format, or no scored corpus at all.
fn not_scored(dir: &Path) -> Error {
    let other = [Format::Csv, Format::Jsonl]
        .into_iter()
        .find(|format| dir.join(format!("sentences.{format}")).is_file());
    match other {
        Some(format) => Error::input(
            dir.display(),
            format!("it was scored as {format}, and profiles and reports are made from Parquet"),
        )
        .with_hint("score the articles again without --format, and convert the tables afterwards"),
        None => Error::input(dir.display(), "it holds no scored corpus (no sentences.parquet)")
            .with_hint("run `parallax score INPUT --out DIR` first"),
    }
}

fn builder(path: &Path) -> Result<ParquetRecordBatchReaderBuilder<File>> {
    let file = File::open(path).map_err(|e| Error::io(path, e))?;
    ParquetRecordBatchReaderBuilder::try_new(file).map_err(|e| Error::table(path.display(), e))
}

/// The batches of a file, decoded.
fn batches<T>(
    path: PathBuf,
    decode: impl Fn(&RecordBatch) -> std::result::Result<Vec<T>, String> + Send,
) -> Result<impl Iterator<Item = Result<Vec<T>>> + Send> {
    let reader = builder(&path)?
        .with_batch_size(BATCH_ROWS)
        .build()
        .map_err(|e| Error::table(path.display(), e))?;
    Ok(reader.map(move |batch| {
        let batch = batch.map_err(|e| Error::table(path.display(), e))?;
        decode(&batch).map_err(|message| Error::table(path.display(), message))
    }))
}
