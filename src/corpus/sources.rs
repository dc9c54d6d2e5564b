//! Files: finding them, telling their kind, opening and unpacking them within bounds.

use std::fs::File;
use std::io::{self, BufRead, BufReader, Read};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use walkdir::WalkDir;

use crate::error::{Error, Result};

/// What a file's name says it holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Text,
    Html,
    JsonLines,
    Json,
    Csv,
    Tsv,
    Parquet,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Packing {
    None,
    Gzip,
    Zstd,
}

/// One file to read.
#[derive(Debug, Clone)]
pub(crate) struct Source {
    /// `-` is standard input.
    pub path: PathBuf,
    pub kind: Kind,
    packing: Packing,
    /// The first folder below the one that the user named.
    pub folder: Option<String>,
    /// Whether the user named the file itself, and not a folder that it lies in.
    pub named: bool,
}

impl Source {
    /// The file as messages name it.
    pub(crate) fn name(&self) -> String {
        if self.is_stdin() { "standard input".to_owned() } else { self.path.display().to_string() }
    }

    fn is_stdin(&self) -> bool {
        self.path.as_os_str() == "-"
    }

    /// The file's name without its endings.
    pub(crate) fn stem(&self) -> String {
        let name = self.path.file_name().unwrap_or_default().to_string_lossy();
        let name = if self.packing == Packing::None {
            &name[..]
        } else {
            name.rsplit_once('.').map_or(&name[..], |(stem, _)| stem)
        };
        name.rsplit_once('.').map_or(name, |(stem, _)| stem).to_owned()
    }
}

/// Finds the files of the inputs, folders in a stable order. The number is that of files
/// in folders that are of no kind that is read, and of links, which are not followed.
pub(crate) fn find(inputs: &[PathBuf]) -> Result<(Vec<Source>, u64)> {
    let mut sources = Vec::new();
    let mut passed_over = 0;
    for input in inputs {
        if input.as_os_str() == "-" {
            let source = Source {
                path: input.clone(),
                kind: Kind::JsonLines,
                packing: Packing::None,
                folder: None,
                named: true,
            };
            sources.push(source);
        } else if std::fs::metadata(input).map_err(|e| Error::io(input, e))?.is_dir() {
            let before = sources.len();
            find_in(input, &mut sources, &mut passed_over)?;
            if sources.len() == before {
                return Err(Error::input(
                    input.display(),
                    "the folder holds no file that can be read as articles",
                )
                .with_hint(format!("files that are read end in {ENDINGS}")));
            }
        } else {
            let (kind, packing) = kind_of(input).ok_or_else(|| {
                Error::input(input.display(), "cannot tell from its name what the file holds")
                    .with_hint(format!("files that are read end in {ENDINGS}"))
            })?;
            sources.push(Source { path: input.clone(), kind, packing, folder: None, named: true });
        }
    }
    if sources.is_empty() {
        return Err(Error::setting("there is no input").with_hint(
            "name a file or folder of articles, or - for JSON lines on standard input",
        ));
    }
    Ok((sources, passed_over))
}

const ENDINGS: &str =
    ".txt, .html, .jsonl, .json, .csv, .tsv (each also with .gz or .zst) or .parquet";

fn find_in(root: &Path, sources: &mut Vec<Source>, passed_over: &mut u64) -> Result<()> {
    let hidden = |name: &std::ffi::OsStr| name.as_encoded_bytes().first() == Some(&b'.');
    let entries = WalkDir::new(root)
        .sort_by_file_name()
        .into_iter()
        .filter_entry(|e| e.depth() == 0 || !hidden(e.file_name()));
    for entry in entries {
        let entry = entry.map_err(|e| {
            let path = e.path().unwrap_or(root).to_owned();
            Error::io(path, e.into())
        })?;
        if entry.file_type().is_dir() {
            continue;
        }
        let found = if entry.file_type().is_file() { kind_of(entry.path()) } else { None };
        let Some((kind, packing)) = found else {
            *passed_over += 1;
            continue;
        };
        let folder = (entry.depth() > 1)
            .then(|| entry.path().strip_prefix(root).ok()?.components().next())
            .flatten()
            .map(|c| c.as_os_str().to_string_lossy().into_owned());
        sources.push(Source { path: entry.into_path(), kind, packing, folder, named: false });
    }
    Ok(())
}

fn kind_of(path: &Path) -> Option<(Kind, Packing)> {
    let name = path.file_name()?.to_string_lossy().to_lowercase();
    let (name, packing) = match name.rsplit_once('.') {
        Some((rest, "gz")) => (rest, Packing::Gzip),
        Some((rest, "zst")) => (rest, Packing::Zstd),
        _ => (&name[..], Packing::None),
    };
    let kind = match name.rsplit_once('.')?.1 {
        "txt" => Kind::Text,
        "html" | "htm" => Kind::Html,
        "jsonl" | "ndjson" => Kind::JsonLines,
        "json" => Kind::Json,
        "csv" => Kind::Csv,
        "tsv" => Kind::Tsv,
        "parquet" if packing == Packing::None => Kind::Parquet,
        _ => return None,
    };
    Some((kind, packing))
}

/// A byte stream of articles' text.
pub(crate) type Stream = Box<dyn BufRead + Send>;

/// Opens a file for reading from its beginning, unpacked.
pub(crate) fn open(source: &Source) -> io::Result<Stream> {
    if source.is_stdin() {
        return Ok(Box::new(BufReader::new(io::stdin())));
    }
    let packed = Arc::new(AtomicU64::new(0));
    let file = Meter { inner: File::open(&source.path)?, read: Arc::clone(&packed) };
    Ok(match source.packing {
        Packing::None => Box::new(BufReader::with_capacity(1 << 16, file)),
        Packing::Gzip => {
            let inner =
                flate2::bufread::MultiGzDecoder::new(BufReader::with_capacity(1 << 16, file));
            Box::new(BufReader::with_capacity(1 << 16, Bounded { inner, packed, unpacked: 0 }))
        }
        Packing::Zstd => {
            let mut inner = zstd::stream::read::Decoder::new(file)?;
            // A frame may ask for a window of gigabytes; 128 MiB is what the zstd tool accepts too.
            inner.window_log_max(27)?;
            Box::new(BufReader::with_capacity(1 << 16, Bounded { inner, packed, unpacked: 0 }))
        }
    })
}

/// Counts what is read from a file.
struct Meter<R> {
    inner: R,
    read: Arc<AtomicU64>,
}

impl<R: Read> Read for Meter<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let n = self.inner.read(buffer)?;
        self.read.fetch_add(n as u64, Ordering::Relaxed);
        Ok(n)
    }
}

/// Text shrinks to a tenth, repetitive text to a hundredth of its size; what unpacks to far more is a bomb.
const MOST_EXPANSION: u64 = 400;
/// Below this size, expansion does no harm.
const HARMLESS: u64 = 64 << 20;

/// Stops unpacking what grows beyond measure.
struct Bounded<R> {
    inner: R,
    packed: Arc<AtomicU64>,
    unpacked: u64,
}

impl<R: Read> Read for Bounded<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let n = self.inner.read(buffer)?;
        self.unpacked += n as u64;
        let packed = self.packed.load(Ordering::Relaxed);
        if self.unpacked > HARMLESS && self.unpacked / MOST_EXPANSION > packed {
            return Err(io::Error::other(format!(
                "unpacks to more than {MOST_EXPANSION} times its size, which no text does"
            )));
        }
        Ok(n)
    }
}

/// What reading up to a limit gave.
pub(crate) enum Bounds<T> {
    Within(T),
    Beyond,
}

/// Reads all of `stream`, or finds that it holds more than `limit` bytes.
pub(crate) fn read_all(stream: &mut dyn Read, limit: u64) -> io::Result<Bounds<Vec<u8>>> {
    let mut bytes = Vec::new();
    stream.take(limit.saturating_add(1)).read_to_end(&mut bytes)?;
    Ok(if bytes.len() as u64 > limit { Bounds::Beyond } else { Bounds::Within(bytes) })
}

/// Reads one line into `line`, without its line feed. A line beyond `limit` is run over,
/// not kept. `None` at the end of the stream.
pub(crate) fn read_line(
    stream: &mut dyn BufRead,
    line: &mut Vec<u8>,
    limit: u64,
) -> io::Result<Option<Bounds<()>>> {
    line.clear();
    let mut length = 0_u64;
    let mut any = false;
    loop {
        let buffer = stream.fill_buf()?;
        if buffer.is_empty() {
            break;
        }
        any = true;
        let end = buffer.iter().position(|&b| b == b'\n');
        let part = &buffer[..end.unwrap_or(buffer.len())];
        length += part.len() as u64;
        if length <= limit {
            line.extend_from_slice(part);
        }
        let used = end.map_or(buffer.len(), |e| e + 1);
        stream.consume(used);
        if end.is_some() {
            break;
        }
    }
    if !any {
        return Ok(None);
    }
    if length > limit {
        *line = Vec::new();
        return Ok(Some(Bounds::Beyond));
    }
    Ok(Some(Bounds::Within(())))
}

/// Text of `bytes`: UTF-8 with or without its mark, or UTF-16 with its mark.
///
/// # Errors
/// Says what the bytes are instead, and how to convert them.
pub(crate) fn decode(bytes: &[u8]) -> std::result::Result<String, String> {
    let wide = |read: fn([u8; 2]) -> u16| {
        let pairs = bytes[2..].chunks_exact(2);
        if !pairs.remainder().is_empty() {
            return Err("is UTF-16, but breaks off in the middle of a character".to_owned());
        }
        char::decode_utf16(pairs.map(|p| read([p[0], p[1]])))
            .collect::<std::result::Result<String, _>>()
            .map_err(|_| "is marked as UTF-16, but is not valid UTF-16".to_owned())
    };
    match bytes {
        [0xff, 0xfe, ..] => wide(u16::from_le_bytes),
        [0xfe, 0xff, ..] => wide(u16::from_be_bytes),
        _ => {
            let bytes = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes);
            std::str::from_utf8(bytes).map(str::to_owned).map_err(not_utf8)
        }
    }
}

/// What to say of bytes that are not UTF-8.
pub(crate) fn not_utf8(error: std::str::Utf8Error) -> String {
    format!(
        "is not UTF-8 (byte {} is wrong); convert it, for example with: iconv -f WINDOWS-1252 -t UTF-8",
        error.valid_up_to() + 1
    )
}
