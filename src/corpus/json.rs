//! JSON: one object a line, or objects in an array.

use std::io;

use serde_json::{Map, Value};

use super::fields::{Cell, Mapping};
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
        Ok(other) => Err(format!("holds {} where an object is expected", kind(&other))),
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
    /// The columns that the user named; an object that has them is an article. `None`: every
    /// object is a row, whatever lists it holds.
    map: Option<Vec<(String, String)>>,
    started: bool,
}

/// Why there is no object.
enum Broken {
    /// It is too large; the next one can be read.
    Large(String),
    /// There is no telling where the next one would begin.
    Lost(String),
}

impl JsonObjects {
    pub(crate) fn new(stream: Stream, limit: u64, map: Vec<(String, String)>) -> Self {
        JsonObjects { map: Some(map), ..Self::flat(stream, limit) }
    }

    /// The same, where no object stands for a list of rows.
    pub(crate) fn flat(stream: Stream, limit: u64) -> Self {
        let inner = Vec::new().into_iter();
        JsonObjects { stream, number: 0, limit, inner, map: None, started: false }
    }

    /// The list of articles that an object wraps, if it is not an article itself.
    fn unwrap_list(&self, object: &mut Map<String, Value>) -> Option<Vec<Value>> {
        let map = self.map.as_ref()?;
        let columns: Vec<&str> = object.keys().map(String::as_str).collect();
        if Mapping::of(&columns, map).has_text() {
            return None;
        }
        let is_list =
            |v: &Value| v.as_array().is_some_and(|a| a.first().is_some_and(Value::is_object));
        let key = object.iter().find(|(_, v)| is_list(v)).map(|(k, _)| k.clone())?;
        match object.remove(&key) {
            Some(Value::Array(items)) => Some(items),
            _ => None,
        }
    }

    /// The bytes of the next object, brackets and strings balanced. What stands between
    /// objects (the array's brackets, commas) is passed over, what does not belong there is an error.
    fn next_object(&mut self) -> io::Result<Option<Result<Vec<u8>, Broken>>> {
        let mut object = Vec::new();
        let mut length = 0_u64;
        let (mut depth, mut in_string, mut escaped) = (0_u64, false, false);
        loop {
            let buffer = self.stream.fill_buf()?;
            if buffer.is_empty() {
                let broken = depth > 0;
                return Ok(broken.then(|| {
                    Err(Broken::Lost("the file breaks off in the middle of an object".into()))
                }));
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
                                Err(Broken::Large(format!(
                                    "the object is larger than {limit} bytes"
                                )))
                            } else {
                                Ok(std::mem::take(&mut object))
                            });
                            break;
                        }
                    }
                    b'[' | b']' | b',' | b' ' | b'\t' | b'\r' | b'\n' => {}
                    0xef | 0xbb | 0xbf if !self.started => {}
                    _ if depth == 0 => {
                        ended = Some(Err(Broken::Lost(format!(
                            "{:?} stands where an object is expected",
                            char::from(byte)
                        ))));
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
            let number = Some(self.number + 1);
            let bytes = match self.next_object() {
                Ok(None) => return None,
                Ok(Some(Ok(bytes))) => bytes,
                Ok(Some(Err(Broken::Large(reason)))) => {
                    self.number += 1;
                    self.started = true;
                    return Some(Err(Problem::Row(number, reason)));
                }
                Ok(Some(Err(Broken::Lost(reason)))) => {
                    return Some(Err(Problem::File(
                        number,
                        format!("is not valid JSON: {reason}"),
                    )));
                }
                Err(e) => return Some(Err(cannot_read(number, &e))),
            };
            self.started = true;
            match object(&bytes) {
                Ok(mut object) => {
                    if let Some(items) = self.unwrap_list(&mut object) {
                        self.inner = items.into_iter();
                        continue;
                    }
                    self.number += 1;
                    return Some(Ok(row(object, number)));
                }
                Err(reason) => {
                    self.number += 1;
                    return Some(Err(Problem::Row(number, reason)));
                }
            }
        }
    }
}
