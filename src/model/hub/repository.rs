//! A repository of the Hub in the cache: which commit, which files, and whether they are whole.
//!
//! The layout is the Hub's own: `blobs/ETAG` holds a file's bytes, `snapshots/COMMIT/FILE` points
//! there, `refs/REV` holds the commit that a revision was last seen to be, and an empty
//! `.no_exist/COMMIT/FILE` remembers that a commit has no such file. So a commit that is in the
//! cache is opened without a question to the Hub; a branch or tag costs one, to see whether it
//! moved, and is taken from the cache where the Hub does not answer.
//!
//! A name of 64 hexadecimal digits in `blobs` is the SHA-256 of the bytes, one of 40 the SHA-1
//! of git's blob; both are checked whenever a file is read, so that neither a broken download
//! nor a damaged cache gets through. Another ETag (of a mirror, say) is no checksum; of such a
//! file only the length is checked, when it is fetched.

use std::fs::{self, File};
use std::path::{Path, PathBuf};

use hf_hub::{Cache, CacheRepo, Repo, RepoType};
use sha1::Sha1;
use sha2::{Digest, Sha256};

use super::client::{Client, Facts, Refusal};
use super::{HubId, Settings, is_plain};
use crate::error::{Error, Result};
use crate::model::bundle::{hex, read_at_most};

/// A repository at a commit.
pub(super) struct Repository {
    id: HubId,
    commit: String,
    cached: CacheRepo,
    /// Folder of the repository in the cache.
    folder: PathBuf,
    /// `None` where only the cache is looked at.
    client: Option<Client>,
    settings: Settings,
}

impl Repository {
    /// Finds the commit of a revision.
    ///
    /// # Errors
    /// If neither the Hub nor its cache has it.
    pub(super) fn open(id: HubId, settings: Settings) -> Result<Self> {
        let repo = Repo::with_revision(id.name.clone(), RepoType::Model, id.revision.clone());
        let folder = settings.cache.join(repo.folder_name());
        let cached = Cache::new(settings.cache.clone()).repo(repo);
        let client = match settings.offline {
            true => None,
            false => Some(Client::new(&settings, &id.to_string())?),
        };
        let mut repository =
            Repository { id, commit: String::new(), cached, folder, client, settings };
        repository.find_commit()?;
        Ok(repository)
    }

    pub(super) fn id(&self) -> &HubId {
        &self.id
    }

    pub(super) fn commit(&self) -> &str {
        &self.commit
    }

    /// Whether nothing but the cache is looked at.
    pub(super) fn is_offline(&self) -> bool {
        self.client.is_none()
    }

    fn find_commit(&mut self) -> Result<()> {
        let (place, revision) = (self.id.to_string(), self.id.revision.clone());
        let revision = revision.as_str();
        // A commit never moves.
        let is_commit = revision.len() == 40 && revision.bytes().all(|b| b.is_ascii_hexdigit());
        if is_commit && self.cached.pointer_path(revision).is_dir() {
            self.commit = revision.to_owned();
            return Ok(());
        }
        let nothing = match &self.client {
            None => Error::model(&place, "it is not in the cache, and HF_HUB_OFFLINE is set")
                .with_hint("run once without HF_HUB_OFFLINE to fetch it, or give a folder"),
            Some(client) => match client.facts(&self.path("config.json", revision)) {
                Ok(facts) => {
                    let noted = self.cached.create_ref(&facts.commit);
                    noted.map_err(|e| Error::io(&self.folder, e))?;
                    self.commit = facts.commit;
                    return Ok(());
                }
                Err(Refusal::NoFile) => {
                    return Err(Error::model(place, "the Hub has no config.json of it")
                        .with_hint("only models in the layout of transformers can be read"));
                }
                Err(Refusal::Other(error)) => return Err(error),
                Err(Refusal::Unreachable(why)) => {
                    Error::model(&place, format!("the Hub cannot be reached: {why}")).with_hint(
                        "fetch it on a machine with a network and give the folder; there is \
                             no folder of this name here",
                    )
                }
            },
        };
        // Whoever does not answer now is not asked for each file again.
        self.client = None;
        self.commit = self.cached_commit().ok_or(nothing)?;
        Ok(())
    }

    /// The commit that the revision was when it was last looked for.
    fn cached_commit(&self) -> Option<String> {
        let path = self.folder.join("refs").join(&self.id.revision);
        let commit = String::from_utf8(read_at_most(&path, 256).ok()?).ok()?;
        let commit = commit.trim();
        is_plain(commit).then(|| commit.to_owned())
    }

    /// Where a file lies behind the endpoint.
    fn path(&self, file: &str, revision: &str) -> String {
        format!("{}/resolve/{}/{file}", self.id.name, revision.replace('/', "%2F"))
    }

    /// The contents of a file; `None` if the repository has none of this name.
    pub(super) fn read(&self, name: &str, most: u64) -> Result<Option<Vec<u8>>> {
        let snapshot = self.cached.pointer_path(&self.commit).join(name);
        if !snapshot.is_file() {
            let Some((client, facts)) = self.ask(name)? else { return Ok(None) };
            if facts.size > most {
                return Err(Error::model(
                    self.id.to_string(),
                    format!("{name} has {} bytes, more than the {most} that are read", facts.size),
                ));
            }
            self.fetch(client, name, &facts, &snapshot)?;
        }
        // What the cache's link points to is named by its checksum.
        let blob = snapshot.canonicalize().map_err(|e| Error::io(&snapshot, e))?;
        let contents = read_at_most(&blob, most)?;
        let etag = blob.file_name().and_then(|n| n.to_str()).unwrap_or_default();
        if !is_what_it_should_be(&contents, etag) {
            return Err(Error::model(
                self.id.to_string(),
                format!("{name} in the cache is damaged: it does not have its checksum"),
            )
            .with_hint(format!("delete {} and run again", blob.display())));
        }
        Ok(Some(contents))
    }

    /// Whether there is a file of this name.
    pub(super) fn has(&self, name: &str) -> Result<bool> {
        let cached = self.cached.pointer_path(&self.commit).join(name).is_file();
        Ok(cached || self.ask(name)?.is_some())
    }

    /// What the Hub says of a file that is not in the cache; `None` if there is none.
    fn ask(&self, name: &str) -> Result<Option<(&Client, Facts)>> {
        let known_absent = self.folder.join(".no_exist").join(&self.commit).join(name);
        let Some(client) = self.client.as_ref().filter(|_| !known_absent.is_file()) else {
            return Ok(None);
        };
        match client.facts(&self.path(name, &self.commit)) {
            Ok(facts) => Ok(Some((client, facts))),
            Err(Refusal::NoFile) => {
                let remember = || {
                    fs::create_dir_all(known_absent.parent()?).ok()?;
                    fs::write(&known_absent, b"").ok()
                };
                // If it cannot be remembered it is asked again.
                let _ = remember();
                Ok(None)
            }
            Err(Refusal::Other(error)) => Err(error),
            Err(Refusal::Unreachable(why)) => Err(Error::model(
                self.id.to_string(),
                format!("the Hub cannot be asked for {name}: {why}"),
            )
            .with_hint("try again later; what was fetched is kept")),
        }
    }

    /// Brings a file into the cache.
    fn fetch(&self, client: &Client, name: &str, facts: &Facts, snapshot: &Path) -> Result<()> {
        let blob = self.cached.blob_path(&facts.etag);
        let beside = |ending: &str| blob.with_file_name(format!("{}.{ending}", facts.etag));
        let make = |path: &Path| -> Result<()> {
            let dir = path.parent().unwrap_or(path);
            fs::create_dir_all(dir).map_err(|e| Error::io(dir, e))
        };
        make(&blob)?;
        // Another process may be fetching the same file; then this one waits and finds it.
        let lock = File::create(beside("lock")).map_err(|e| Error::io(beside("lock"), e))?;
        lock.lock().map_err(|e| Error::io(beside("lock"), e))?;
        if fs::metadata(&blob).ok().map(|m| m.len()) != Some(facts.size) {
            let part = beside("part");
            self.fetch_part(client, name, facts, &part)?;
            fs::rename(&part, &blob).map_err(|e| Error::io(&blob, e))?;
        }
        make(snapshot)?;
        point(snapshot, &blob, &facts.etag).map_err(|e| Error::io(snapshot, e))
    }

    /// Fetches a file whole and checks it. A part of an earlier download is taken up, unless it
    /// turns out to be of another file.
    fn fetch_part(&self, client: &Client, name: &str, facts: &Facts, part: &Path) -> Result<()> {
        let io = |e| Error::io(part, e);
        let mut file = File::options()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .open(part)
            .map_err(io)?;
        let done = |n| {
            if let Some(observer) = &self.settings.observer {
                observer(name, n, facts.size);
            }
        };
        let path = self.path(name, &self.commit);
        let mut taken_up = file.metadata().map_err(io)?.len() > 0;
        loop {
            client.fetch(&path, facts.size, &mut file, &done)?;
            file.sync_all().map_err(io)?;
            if is_what_it_should_be(&read_at_most(part, facts.size)?, &facts.etag) {
                return Ok(());
            }
            file.set_len(0).map_err(io)?;
            if !taken_up {
                return Err(Error::model(
                    self.id.to_string(),
                    format!("{name} came with other bytes than its checksum says"),
                )
                .with_hint(
                    "try again; if it stays so, the Hub or its mirror is not to be trusted",
                ));
            }
            taken_up = false;
        }
    }
}

/// Whether `contents` have the checksum that `etag` is, if it is one.
fn is_what_it_should_be(contents: &[u8], etag: &str) -> bool {
    let is_hex = etag.bytes().all(|b| b.is_ascii_hexdigit());
    match etag.len() {
        64 if is_hex => hex(&Sha256::digest(contents)).eq_ignore_ascii_case(etag),
        40 if is_hex => {
            let mut sha = Sha1::new();
            sha.update(format!("blob {}\0", contents.len()));
            sha.update(contents);
            hex(&sha.finalize()).eq_ignore_ascii_case(etag)
        }
        _ => true,
    }
}

/// Makes `snapshots/COMMIT/FILE` lead to `blobs/ETAG`.
fn point(snapshot: &Path, blob: &Path, etag: &str) -> std::io::Result<()> {
    if snapshot.symlink_metadata().is_ok() {
        fs::remove_file(snapshot)?;
    }
    #[cfg(unix)]
    {
        let _ = blob;
        std::os::unix::fs::symlink(Path::new("../../blobs").join(etag), snapshot)
    }
    #[cfg(not(unix))]
    {
        let _ = etag;
        fs::hard_link(blob, snapshot).or_else(|_| fs::copy(blob, snapshot).map(|_| ()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn checksums_of_both_kinds_are_checked() {
        // `printf hello | sha256sum`, `printf hello | git hash-object --stdin`
        let sha256 = "2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824";
        let git = "b6fc4c620b67d95f953a5c1c1230aaab5db5a1b0";
        for etag in [sha256, git] {
            assert!(is_what_it_should_be(b"hello", etag));
            assert!(!is_what_it_should_be(b"hellO", etag));
        }
        assert!(is_what_it_should_be(b"anything", "a-mirrors-own-tag"));
    }
}
