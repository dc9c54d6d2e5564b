//! The Hub's protocol: what a file is, and its bytes.
//!
//! `HEAD …/resolve/REV/FILE` tells the commit (`X-Repo-Commit`), the size and the checksum
//! (`ETag`, or `X-Linked-ETag` where the bytes lie on another host): SHA-256 of large files, the
//! id of git's blob (a SHA-1) of small ones. `GET` with `Range` fetches the rest of a file of
//! which a part is there.

use std::io::{Read, Seek, SeekFrom, Write};
use std::time::Duration;

use ureq::config::RedirectAuthHeaders;
use ureq::http::{HeaderMap, Response, Uri};
use ureq::{Agent, Body};

use super::Settings;
use crate::error::{Error, Result};

/// Redirects that are followed for one question.
const MOST_REDIRECTS: u32 = 6;
/// Times that a download is taken up again before it is given up.
const MOST_RESUMES: u32 = 4;

/// What the Hub says of a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Facts {
    /// The commit that it belongs to.
    pub commit: String,
    /// Its checksum, or whatever else names its contents; fit to be a file's name.
    pub etag: String,
    /// Its length in bytes.
    pub size: u64,
}

/// Why there are no facts.
#[derive(Debug)]
pub(super) enum Refusal {
    /// The repository has no such file.
    NoFile,
    /// Nobody answered.
    Unreachable(String),
    /// Anything else, in words for people.
    Other(Error),
}

/// Asks an endpoint.
pub(super) struct Client {
    agent: Agent,
    /// Follows redirects on its own, and keeps the token to the endpoint's host.
    following: Agent,
    endpoint: String,
    token: Option<String>,
    /// For messages.
    place: String,
}

impl Client {
    pub(super) fn new(settings: &Settings, place: &str) -> Result<Self> {
        let endpoint = settings.endpoint.trim_end_matches('/').to_owned();
        if !["http://", "https://"].iter().any(|s| endpoint.starts_with(s)) {
            return Err(Error::setting(format!(
                "the Hub's address {endpoint:?} is no http address"
            ))
            .with_hint("HF_ENDPOINT is given as https://HOST"));
        }
        let config = || {
            Agent::config_builder()
                .http_status_as_error(false)
                .user_agent(concat!("parallax/", env!("CARGO_PKG_VERSION")))
                // A compressed answer would have another length than the file.
                .accept_encoding("identity")
                .timeout_resolve(Some(Duration::from_secs(10)))
                .timeout_connect(Some(Duration::from_secs(10)))
                .timeout_recv_response(Some(Duration::from_secs(30)))
                .timeout_per_read(Some(Duration::from_secs(60)))
        };
        let following = config()
            .max_redirects(MOST_REDIRECTS)
            .redirect_auth_headers(RedirectAuthHeaders::SameHost);
        Ok(Client {
            agent: config().max_redirects(0).build().into(),
            following: following.build().into(),
            endpoint,
            token: settings.token.clone(),
            place: place.to_owned(),
        })
    }

    /// The address of a file, given by its path behind the endpoint.
    pub(super) fn url(&self, path: &str) -> String {
        format!("{}/{path}", self.endpoint)
    }

    /// What the Hub says of the file at `path`.
    pub(super) fn facts(&self, path: &str) -> std::result::Result<Facts, Refusal> {
        let other = |message: String| Refusal::Other(Error::model(&self.place, message));
        let mut url = self.url(path);
        let (mut commit, mut etag, mut size) = (None, None, None);
        for _ in 0..MOST_REDIRECTS {
            let mut request = self.agent.head(&url);
            if let Some(token) = self.token.as_ref().filter(|_| self.is_ours(&url)) {
                request = request.header("Authorization", format!("Bearer {token}"));
            }
            let response = request.call().map_err(|e| Refusal::Unreachable(e.to_string()))?;
            let (status, headers) = (response.status(), response.headers());
            if !status.is_success() && !status.is_redirection() {
                return Err(self.refusal(&response));
            }
            let text = |name: &str| header(headers, name);
            commit = commit.or_else(|| text("x-repo-commit"));
            etag = etag.or_else(|| text("x-linked-etag"));
            size = size.or_else(|| text("x-linked-size"));
            let location = text("location").filter(|_| status.is_redirection());
            // Where the bytes lie elsewhere, their host need not be asked as well.
            let known = commit.is_some() && etag.is_some() && size.is_some();
            match location.filter(|_| !known) {
                Some(location) => {
                    url = onward(&url, &location)
                        .ok_or_else(|| other("the Hub's answer points nowhere".into()))?;
                }
                None => {
                    let etag = etag.or_else(|| text("etag")).unwrap_or_default();
                    let size = size.or_else(|| text("content-length")).unwrap_or_default();
                    return facts(commit.unwrap_or_default(), &etag, &size)
                        .ok_or_else(|| other(format!("{url} does not answer as the Hub does")));
                }
            }
        }
        Err(other("the Hub's answer points from one address to the next".into()))
    }

    /// Fetches the bytes of the file at `path` into `file`, which may hold the beginning of
    /// it. `done` is told how many bytes are there.
    pub(super) fn fetch(
        &self,
        path: &str,
        size: u64,
        file: &mut std::fs::File,
        done: &dyn Fn(u64),
    ) -> Result<()> {
        let mut failure = String::new();
        for attempt in 0..=MOST_RESUMES {
            if attempt > 0 {
                std::thread::sleep(Duration::from_millis(200 << attempt));
            }
            match self.continue_fetching(path, size, file, done)? {
                None => return Ok(()),
                Some(why) => failure = why,
            }
        }
        Err(Error::model(&self.place, format!("the download of {path} broke off: {failure}"))
            .with_hint("run the command again; what was fetched is kept"))
    }

    /// One attempt: `None` when the file is whole, else why it is not.
    fn continue_fetching(
        &self,
        path: &str,
        size: u64,
        file: &mut std::fs::File,
        done: &dyn Fn(u64),
    ) -> Result<Option<String>> {
        let local = |e: std::io::Error| {
            Error::model(&self.place, format!("its files cannot be written to the cache: {e}"))
        };
        let mut have = file.seek(SeekFrom::End(0)).map_err(local)?;
        if have > size {
            have = restart(file).map_err(local)?;
        }
        done(have);
        if have == size {
            return Ok(None);
        }
        let mut request = self.following.get(self.url(path));
        if let Some(token) = &self.token {
            request = request.header("Authorization", format!("Bearer {token}"));
        }
        if have > 0 {
            request = request.header("Range", format!("bytes={have}-"));
        }
        let response = match request.call() {
            Ok(response) => response,
            Err(e) => return Ok(Some(e.to_string())),
        };
        match response.status().as_u16() {
            206 if continues_at(response.headers(), have, size) => {}
            // The whole file, whatever was asked for.
            200 => have = restart(file).map_err(local)?,
            206 | 416 => {
                restart(file).map_err(local)?;
                return Ok(Some("the answer does not continue what is there".into()));
            }
            500.. | 429 => return Ok(Some(format!("it answered {}", response.status()))),
            _ => {
                return Err(match self.refusal(&response) {
                    Refusal::Other(error) => error,
                    _ => Error::model(&self.place, format!("{path} cannot be fetched")),
                });
            }
        }
        // One byte more than announced is enough to know that it is another file.
        let mut body = response.into_body().into_reader().take(size - have + 1);
        let mut buffer = vec![0; 1 << 16];
        loop {
            let n = match body.read(&mut buffer) {
                Ok(0) => break,
                Ok(n) => n,
                Err(e) => return Ok(Some(e.to_string())),
            };
            file.write_all(buffer.get(..n).unwrap_or_default()).map_err(local)?;
            have += n as u64;
            done(have.min(size));
        }
        if have > size {
            restart(file).map_err(local)?;
            return Ok(Some("it has more bytes than announced".into()));
        }
        Ok((have < size).then(|| format!("{have} of {size} bytes came")))
    }

    /// Whether an address is the endpoint's own, so that it may see the token.
    fn is_ours(&self, url: &str) -> bool {
        let origin = |url: &str| {
            let uri: Uri = url.parse().ok()?;
            Some((uri.scheme()?.clone(), uri.authority()?.clone()))
        };
        origin(url).is_some_and(|o| Some(o) == origin(&self.endpoint))
    }

    /// What an answer of another status means.
    fn refusal(&self, response: &Response<Body>) -> Refusal {
        let code = header(response.headers(), "x-error-code").unwrap_or_default();
        let status = response.status();
        let told = |message: String, hint: &str| {
            Refusal::Other(Error::model(&self.place, message).with_hint(hint))
        };
        let log_in = if self.token.is_some() {
            "accept its terms on its page, and check that the token's account may read it"
        } else {
            "check the spelling; if it is private or gated, set HF_TOKEN to a token that may read it"
        };
        match (status.as_u16(), code.as_str()) {
            (404, "EntryNotFound") => Refusal::NoFile,
            (404, "RevisionNotFound") => told(
                "the Hub's repository has no such revision".into(),
                "give a branch, a tag or a commit behind the @",
            ),
            (_, "RepoNotFound") if self.token.is_some() => {
                told("the Hub shows no such repository".into(), log_in)
            }
            (401, _) => told("the Hub has no such repository, or asks for a log-in".into(), log_in),
            (403, _) => told("the Hub does not let this account read it".into(), log_in),
            // A mirror without error codes.
            (404, "") => Refusal::NoFile,
            (404, _) => told("the Hub has no such repository".into(), "check the spelling"),
            _ => Refusal::Unreachable(format!("it answered {status}")),
        }
    }
}

/// Empties a file.
fn restart(file: &mut std::fs::File) -> std::io::Result<u64> {
    file.set_len(0)?;
    file.seek(SeekFrom::Start(0))
}

fn header(headers: &HeaderMap, name: &str) -> Option<String> {
    headers.get(name)?.to_str().ok().map(str::to_owned)
}

/// Whether `Content-Range: bytes HAVE-LAST/SIZE` says what is expected.
fn continues_at(headers: &HeaderMap, have: u64, size: u64) -> bool {
    let range = header(headers, "content-range").unwrap_or_default();
    let numbers = range.trim_start_matches("bytes").trim();
    let read = || {
        let (span, total) = numbers.split_once('/')?;
        let (first, _) = span.split_once('-')?;
        Some((first.parse::<u64>().ok()?, total.parse::<u64>().ok()?))
    };
    read() == Some((have, size))
}

/// The address that a `Location` means, seen from `url`.
fn onward(url: &str, location: &str) -> Option<String> {
    let to: Uri = location.parse().ok()?;
    if to.host().is_some() {
        return matches!(to.scheme_str(), Some("http" | "https")).then(|| location.to_owned());
    }
    let from: Uri = url.parse().ok()?;
    location
        .starts_with('/')
        .then(|| Some(format!("{}://{}{location}", from.scheme_str()?, from.authority()?)))?
}

/// Facts, if they can be what they should be.
fn facts(commit: String, etag: &str, size: &str) -> Option<Facts> {
    let etag = etag.trim_start_matches("W/").trim_matches('"');
    // Both become names of files.
    let fit = super::is_plain(&commit) && super::is_plain(etag);
    Some(Facts { commit, etag: etag.to_owned(), size: size.trim().parse().ok()? }).filter(|_| fit)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn facts_that_would_leave_the_cache_are_refused() {
        let commit = || "0123abcd".to_owned();
        let good = facts(commit(), "W/\"ab12\"", "17").expect("they are fit");
        assert_eq!(good, Facts { commit: commit(), etag: "ab12".into(), size: 17 });
        assert_eq!(facts("../x".into(), "ab12", "17"), None);
        for etag in ["../../ab", "\"a/b\"", "", "\"..\"", "a\\b", ".ssh"] {
            assert_eq!(facts(commit(), etag, "17"), None, "{etag}");
        }
        assert_eq!(facts(commit(), "ab12", "-1"), None);
    }

    #[test]
    fn locations_are_followed_on_the_web_only() {
        let from = "https://hub.test/a/b";
        assert_eq!(onward(from, "/c?d=1").as_deref(), Some("https://hub.test/c?d=1"));
        assert_eq!(onward(from, "http://cdn.test/x").as_deref(), Some("http://cdn.test/x"));
        assert_eq!(onward(from, "file:///etc/passwd"), None);
        assert_eq!(onward(from, "c"), None);
    }
}
