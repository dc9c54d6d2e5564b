//! A server on the loopback that speaks the Hub's protocol: small files behind a redirect on the
//! same host, large ones on another host, and the failures that happen.

use std::collections::HashMap;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::sync::{Arc, Mutex};

use sha1::Sha1;
use sha2::{Digest, Sha256};

/// What goes wrong, or is otherwise than usual.
#[derive(Debug, Clone, Default)]
pub struct Oddities {
    /// Only this token opens repositories.
    pub token: Option<String>,
    /// The other host breaks off after so many bytes of an answer, this many times.
    pub breaks_off: Option<(usize, usize)>,
    /// The other host knows no ranges.
    pub no_ranges: bool,
    /// The other host sends these bytes, whatever is asked for.
    pub sends: Option<Vec<u8>>,
    /// ETag and commit of every answer.
    pub etag: Option<String>,
    pub commit: Option<String>,
}

/// A repository at one of its revisions.
#[derive(Debug, Clone, Default)]
pub struct Snapshot {
    pub commit: String,
    pub files: HashMap<String, Vec<u8>>,
}

impl Snapshot {
    /// The files of a folder.
    pub fn of(folder: &Path, commit: char) -> Self {
        let files = std::fs::read_dir(folder).expect("the folder is there").flatten();
        let read = |e: std::fs::DirEntry| {
            (e.file_name().to_string_lossy().into_owned(), std::fs::read(e.path()).expect("a file"))
        };
        Snapshot { commit: commit.to_string().repeat(40), files: files.map(read).collect() }
    }
}

/// Files of this ending lie on the other host.
const LARGE: &str = ".safetensors";

#[derive(Default)]
struct State {
    /// By `ORG/NAME@REV`.
    snapshots: HashMap<String, Snapshot>,
    oddities: Oddities,
    /// `METHOD PATH RANGE TOKEN` of each request, `cdn` before those to the other host.
    requests: Vec<String>,
    other_host: String,
}

/// The server; it runs until the test ends.
pub struct Hub {
    pub endpoint: String,
    state: Arc<Mutex<State>>,
}

impl Hub {
    pub fn start() -> Self {
        let state = Arc::new(Mutex::new(State::default()));
        let listen = |other: bool| {
            let listener = TcpListener::bind("127.0.0.1:0").expect("the loopback is there");
            let port = listener.local_addr().expect("it is bound").port();
            let state = state.clone();
            std::thread::spawn(move || {
                for stream in listener.incoming().flatten() {
                    let state = state.clone();
                    std::thread::spawn(move || answer(stream, &state, other));
                }
            });
            port
        };
        let (hub, cdn) = (listen(false), listen(true));
        state.lock().expect("it is whole").other_host = format!("http://localhost:{cdn}");
        Hub { endpoint: format!("http://127.0.0.1:{hub}"), state }
    }

    pub fn serve(&self, id: &str, snapshot: Snapshot) {
        self.state.lock().expect("it is whole").snapshots.insert(id.to_owned(), snapshot);
    }

    pub fn oddities(&self, oddities: Oddities) {
        self.state.lock().expect("it is whole").oddities = oddities;
    }

    /// The requests since the last call.
    pub fn requests(&self) -> Vec<String> {
        std::mem::take(&mut self.state.lock().expect("it is whole").requests)
    }
}

pub fn sha256(data: &[u8]) -> String {
    Sha256::digest(data).iter().map(|b| format!("{b:02x}")).collect()
}

/// The id of git's blob.
fn git_blob(data: &[u8]) -> String {
    let mut sha = Sha1::new();
    sha.update(format!("blob {}\0", data.len()));
    sha.update(data);
    sha.finalize().iter().map(|b| format!("{b:02x}")).collect()
}

struct Request {
    method: String,
    path: String,
    headers: HashMap<String, String>,
}

fn read(stream: &TcpStream) -> Option<Request> {
    let mut lines = BufReader::new(stream.take(1 << 16)).lines().map_while(Result::ok);
    let first = lines.next()?;
    let mut parts = first.split(' ');
    let (method, path) = (parts.next()?.to_owned(), parts.next()?.to_owned());
    let headers = lines
        .take_while(|l| !l.is_empty())
        .filter_map(|l| l.split_once(": ").map(|(n, v)| (n.to_lowercase(), v.to_owned())))
        .collect();
    Some(Request { method, path, headers })
}

fn answer(mut stream: TcpStream, state: &Mutex<State>, other: bool) -> Option<()> {
    let request = read(&stream)?;
    let header = |name: &str| request.headers.get(name).cloned().unwrap_or_default();
    let mut state = state.lock().ok()?;
    state.requests.push(format!(
        "{}{} {} {} {}",
        if other { "cdn " } else { "" },
        request.method,
        request.path,
        header("range"),
        header("authorization")
    ));
    let (head, body) =
        if other { from_cdn(&mut state, &request)? } else { from_hub(&state, &request) };
    let break_at = state.oddities.breaks_off.filter(|_| other && request.method == "GET");
    drop(state);
    stream.write_all(head.as_bytes()).ok()?;
    if request.method != "HEAD" {
        let sent = break_at.map_or(body.len(), |(at, left)| if left > 0 { at } else { body.len() });
        stream.write_all(&body[..sent.min(body.len())]).ok()?;
    }
    Some(())
}

fn response(status: &str, headers: &[(&str, &str)], body: Vec<u8>) -> (String, Vec<u8>) {
    let headers: String = headers.iter().map(|(n, v)| format!("{n}: {v}\r\n")).collect();
    let length = body.len();
    let head = format!(
        "HTTP/1.1 {status}\r\nContent-Length: {length}\r\nConnection: close\r\n{headers}\r\n"
    );
    (head, body)
}

fn from_hub(state: &State, request: &Request) -> (String, Vec<u8>) {
    let refused = |status: &str, code: &str| response(status, &[("X-Error-Code", code)], vec![]);
    let path = request.path.trim_start_matches("/resolve-cache");
    let redirected = path != request.path;
    let parts: Vec<&str> = path.trim_start_matches('/').split('/').collect();
    let [org, name, "resolve", revision, file] = parts[..] else {
        return refused("404 Not Found", "RepoNotFound");
    };
    let given = request.headers.get("authorization").cloned();
    let wanted = state.oddities.token.as_ref().map(|t| format!("Bearer {t}"));
    let known = state.snapshots.keys().any(|k| k.starts_with(&format!("{org}/{name}@")));
    if !known || (wanted.is_some() && given != wanted) {
        return refused("401 Unauthorized", "RepoNotFound");
    }
    let revision = revision.replace("%2F", "/");
    let of = |id: &str| state.snapshots.get(&format!("{org}/{name}@{id}"));
    let by_commit = state
        .snapshots
        .iter()
        .find(|(id, s)| id.starts_with(&format!("{org}/{name}@")) && s.commit == revision);
    let Some(snapshot) = of(&revision).or(by_commit.map(|(_, s)| s)) else {
        return refused("404 Not Found", "RevisionNotFound");
    };
    let commit = state.oddities.commit.as_ref().unwrap_or(&snapshot.commit);
    let Some(data) = snapshot.files.get(file) else {
        return refused("404 Not Found", "EntryNotFound");
    };
    if file.ends_with(LARGE) {
        let etag = format!("\"{}\"", state.oddities.etag.clone().unwrap_or_else(|| sha256(data)));
        let location = format!("{}/{org}/{name}/{}/{file}", state.other_host, snapshot.commit);
        let headers = [
            ("Location", location.as_str()),
            ("X-Repo-Commit", commit),
            ("X-Linked-ETag", &etag),
            ("X-Linked-Size", &data.len().to_string()),
        ];
        return response("302 Found", &headers, b"Found. Redirecting".to_vec());
    }
    if !redirected {
        let location = format!("/resolve-cache{}", request.path);
        return response("307 Temporary Redirect", &[("Location", location.as_str())], vec![]);
    }
    let etag = format!("\"{}\"", state.oddities.etag.clone().unwrap_or_else(|| git_blob(data)));
    response("200 OK", &[("ETag", &etag), ("X-Repo-Commit", commit)], data.clone())
}

fn from_cdn(state: &mut State, request: &Request) -> Option<(String, Vec<u8>)> {
    let parts: Vec<&str> = request.path.trim_start_matches('/').split('/').collect();
    let snapshot =
        state.snapshots.values().find(|s| Some(s.commit.as_str()) == parts.get(2).copied())?;
    let data = match &state.oddities.sends {
        Some(bytes) => bytes.clone(),
        None => snapshot.files.get(*parts.last()?)?.clone(),
    };
    let range = request.headers.get("range").filter(|_| !state.oddities.no_ranges);
    let start = range
        .and_then(|r| r.strip_prefix("bytes=")?.strip_suffix('-')?.parse::<usize>().ok())
        .unwrap_or(0);
    if let Some((_, left)) = &mut state.oddities.breaks_off {
        *left = left.saturating_sub(1);
    }
    let size = data.len();
    if range.is_none() {
        return Some(response("200 OK", &[], data));
    }
    let range = format!("bytes {start}-{}/{size}", size - 1);
    Some(response("206 Partial Content", &[("Content-Range", &range)], data[start..].to_vec()))
}
