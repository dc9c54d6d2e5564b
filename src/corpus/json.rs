//! JSON: one object a line, or objects in an array.

use std::io;

use serde_json::{Map, Value};

use super::fields::Cell;
use super::rows::{Problem, Row, Rows};
use super::sources::{Bounds, Stream, not_utf8, read_line};

/// JSON lines.
pub(crate) struct JsonLines {
    stream: Stream,
    line: Vec<u8>,
    number: u64,
    limit: u64,
}

impl JsonLines {
    pub(crate) fn new(stream: Stream, limit: u64) -> Self {
        JsonLines { stream, line: Vec::new(), number: 0, limit }
    }
}

impl Rows for JsonLines {
    fn next_row(&mut self) -> Option<Result<Row, Problem>> {
        loop {
            let read = read_line(&mut self.stream, &mut self.line, self.limit);
            self.number += 1;
            let number = Some(self.number);
            match read {
                Ok(None) => return None,
                Ok(Some(Bounds::Within(()))) => {}
                Ok(Some(Bounds::Beyond)) => {
                    let reason = format!("the line is longer than {} bytes", self.limit);
                    return Some(Err(Problem::Row(number, reason)));
                }
                Err(e) => return Some(Err(cannot_read(number, &e))),
            }
            let mut line = &self.line[..];
            if self.number == 1 {
                if line.starts_with(b"\xff\xfe") || line.starts_with(b"\xfe\xff") {
                    let reason =
                        "is UTF-16; convert it, for example with: iconv -f UTF-16 -t UTF-8";
                    return Some(Err(Problem::File(None, reason.to_owned())));
                }
                line = line.strip_prefix(b"\xef\xbb\xbf").unwrap_or(line);
            }
            let line = line.trim_ascii();
            if !line.is_empty() {
                return Some(
                    object(line).map(|o| row(o, number)).map_err(|r| Problem::Row(number, r)),
                );
            }
        }
    }
}

fn cannot_read(number: Option<u64>, error: &io::Error) -> Problem {
    Problem::File(number, format!("cannot be read further: {error}"))
}

fn object(bytes: &[u8]) -> Result<Map<String, Value>, String> {
    std::str::from_utf8(bytes).map_err(|e| format!("the line {}", not_utf8(e)))?;
    match serde_json::from_slice(bytes) {
        Ok(Value::Object(object)) => Ok(object),
        Ok(other) => Err(format!("holds {} where an article's object is expected", kind(&other))),
        Err(e) => Err(format!("is not valid JSON: {e}")),
    }
}

fn kind(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "true or false",
        Value::Number(_) => "a number",
        Value::String(_) => "text",
        Value::Array(_) => "a list",
        Value::Object(_) => "an object",
    }
}

fn row(object: Map<String, Value>, number: Option<u64>) -> Row {
    let values = object
        .into_iter()
        .map(|(name, value)| {
            let kind = kind(&value);
            let cell = match value {
                Value::Null => Cell::Null,
                Value::String(text) => Cell::Text(text),
                other => Cell::Other(kind, other.to_string()),
            };
            (name, cell)
        })
        .collect();
    Row { number, values }
}

/// A JSON file: an array of objects, one object, an object that holds such an array
/// (`{"articles": […]}`), or objects one after the other. It is cut into objects as it
/// is read, so that a file of any size takes the memory of one article.
pub(crate) struct JsonObjects {
    stream: Stream,
    number: u64,
    limit: u64,
    /// Objects of an array inside the last object.
    inner: std::vec::IntoIter<Value>,
    started: bool,
}

impl JsonObjects {
    pub(crate) fn new(stream: Stream, limit: u64) -> Self {
        JsonObjects { stream, number: 0, limit, inner: Vec::new().into_iter(), started: false }
    }

    /// The bytes of the next object, brackets and strings balanced. What stands between
    /// objects (the array's brackets, commas) is passed over, what does not belong there is an error.
    fn next_object(&mut self) -> io::Result<Option<Result<Vec<u8>, String>>> {
        let mut object = Vec::new();
        let mut length = 0_u64;
        let (mut depth, mut in_string, mut escaped) = (0_u64, false, false);
        loop {
            let buffer = self.stream.fill_buf()?;
            if buffer.is_empty() {
                let broken = depth > 0;
                return Ok(
                    broken.then(|| Err("the file breaks off in the middle of an object".into()))
                );
            }
            let mut used = 0;
            let mut ended = None;
            for &byte in buffer {
                used += 1;
                if depth > 0 {
                    length += 1;
                    if length <= self.limit {
                        object.push(byte);
                    }
                }
                match byte {
                    _ if escaped => escaped = false,
                    b'\\' if in_string => escaped = true,
                    b'"' if depth > 0 => in_string = !in_string,
                    _ if in_string => {}
                    b'{' | b'[' if depth > 0 => depth += 1,
                    b'{' => {
                        depth = 1;
                        length = 1;
                        object.push(byte);
                    }
                    b'}' | b']' if depth > 0 => {
                        depth -= 1;
                        if depth == 0 {
                            let limit = self.limit;
                            ended = Some(if length > limit {
                                Err(format!("the object is larger than {limit} bytes"))
                            } else {
                                Ok(std::mem::take(&mut object))
                            });
                            break;
                        }
                    }
                    b'[' | b']' | b',' | b' ' | b'\t' | b'\r' | b'\n' => {}
                    0xef | 0xbb | 0xbf if !self.started => {}
                    _ if depth == 0 => {
                        ended = Some(Err(format!(
                            "{:?} stands where an object is expected",
                            char::from(byte)
                        )));
                        break;
                    }
                    _ => {}
                }
            }
            self.stream.consume(used);
            if let Some(result) = ended {
                return Ok(Some(result));
            }
        }
    }
}

impl Rows for JsonObjects {
    fn next_row(&mut self) -> Option<Result<Row, Problem>> {
        loop {
            if let Some(value) = self.inner.next() {
                self.number += 1;
                let number = Some(self.number);
                return Some(match value {
                    Value::Object(object) => Ok(row(object, number)),
                    other => Err(Problem::Row(
                        number,
                        format!("holds {} where an object is expected", kind(&other)),
                    )),
                });
            }
            let bytes = match self.next_object() {
                Ok(None) => return None,
                Ok(Some(Ok(bytes))) => bytes,
                // Without a first object there is no telling where the next one would begin.
                Ok(Some(Err(reason))) if !self.started => {
                    return Some(Err(Problem::File(None, format!("is not valid JSON: {reason}"))));
                }
                Ok(Some(Err(reason))) => {
                    self.number += 1;
                    let stop = reason.contains("expected") || reason.contains("breaks off");
                    let number = Some(self.number);
                    return Some(Err(if stop {
                        Problem::File(number, reason)
                    } else {
                        Problem::Row(number, reason)
                    }));
                }
                Err(e) => return Some(Err(cannot_read(Some(self.number + 1), &e))),
            };
            self.started = true;
            match object(&bytes) {
                Ok(mut object) => {
                    let list = object
                        .iter()
                        .find(|(_, v)| {
                            v.as_array().is_some_and(|a| a.first().is_some_and(Value::is_object))
                        })
                        .map(|(k, _)| k.clone());
                    let texts = object
                        .values()
                        .filter(|v| v.as_str().is_some_and(|s| s.len() > 200))
                        .count();
                    // The wrapper of a list of articles, not an article with a list of, say, authors.
                    if let (Some(key), 0, true) = (list, texts, self.number == 0)
                        && let Some(Value::Array(items)) = object.remove(&key)
                    {
                        self.inner = items.into_iter();
                        continue;
                    }
                    self.number += 1;
                    return Some(Ok(row(object, Some(self.number))));
                }
                Err(reason) => {
                    self.number += 1;
                    return Some(Err(Problem::Row(Some(self.number), reason)));
                }
            }
        }
    }
}
