//! One name for one outlet, however its rows spell it.

use std::collections::{BTreeMap, HashMap};
use std::path::Path;

use serde::Deserialize;

use crate::error::{Error, Result};

/// At most this many spellings are reported; a column with more is no outlet column.
const MOST_REPORTED: usize = 10_000;

/// The names of outlets seen so far.
#[derive(Debug, Default)]
pub(crate) struct Outlets {
    /// Folded spelling to the name used.
    names: HashMap<String, String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct AliasFile {
    outlets: BTreeMap<String, Vec<String>>,
}

impl Outlets {
    /// Reads an alias file: TOML with a table `[outlets]` of `"Name" = ["alias", …]`.
    pub(crate) fn with_aliases(path: Option<&Path>) -> Result<Self> {
        let mut outlets = Outlets::default();
        let Some(path) = path else { return Ok(outlets) };
        let text = std::fs::read_to_string(path).map_err(|e| Error::io(path, e))?;
        let file: AliasFile = toml::from_str(&text).map_err(|e| {
            Error::input(path.display(), e.message())
                .with_hint("an alias file looks like this: [outlets] and below it \"The Vale Post\" = [\"valepost.com\", \"VP\"]")
        })?;
        for (name, aliases) in file.outlets {
            for alias in aliases.iter().chain([&name]) {
                let previous = outlets.names.insert(fold(&tidy(alias)), name.clone());
                if let Some(other) = previous.filter(|p| *p != name) {
                    return Err(Error::input(
                        path.display(),
                        format!("{alias:?} is an alias of both {other:?} and {name:?}"),
                    ));
                }
            }
        }
        Ok(outlets)
    }

    /// The name to use for an outlet found as `found`: the alias file's, else the first
    /// spelling seen that differs in case and spaces only. Noted in `notes`.
    pub(crate) fn name(&mut self, found: &str, notes: &mut BTreeMap<String, String>) -> String {
        let tidy = tidy(found);
        let name = self.names.entry(fold(&tidy)).or_insert(tidy).clone();
        if notes.len() < MOST_REPORTED && !notes.contains_key(found) {
            notes.insert(found.to_owned(), name.clone());
        }
        name
    }
}

/// Without "www.", and without spaces at the ends or in rows.
fn tidy(name: &str) -> String {
    let mut out = String::with_capacity(name.len());
    for word in name.split(|c: char| c.is_whitespace() || c.is_control()) {
        if !word.is_empty() {
            if !out.is_empty() {
                out.push(' ');
            }
            out.push_str(word);
        }
    }
    match out.get(..4) {
        Some(www) if www.eq_ignore_ascii_case("www.") && out.len() > 4 => out[4..].to_owned(),
        _ => out,
    }
}

fn fold(name: &str) -> String {
    name.to_lowercase()
}

/// The host that a URL names, without "www.".
pub(crate) fn host(url: &str) -> Option<String> {
    let rest = url.trim().split_once("://").map_or_else(|| url.trim(), |(_, rest)| rest);
    let host = rest.split(['/', '?', '#']).next()?.rsplit('@').next()?.split(':').next()?;
    let plausible =
        host.contains('.') && host.chars().all(|c| c.is_alphanumeric() || "-._".contains(c));
    plausible.then(|| tidy(&host.to_lowercase()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spellings_are_merged_and_the_first_wins() {
        let mut outlets = Outlets::default();
        let mut notes = BTreeMap::new();
        assert_eq!(outlets.name("  The  Vale\tPost ", &mut notes), "The Vale Post");
        assert_eq!(outlets.name("the vale post", &mut notes), "The Vale Post");
        assert_eq!(outlets.name("www.ValePost.com", &mut notes), "ValePost.com");
        assert_eq!(notes["the vale post"], "The Vale Post");
    }

    #[test]
    fn an_alias_file_renames() -> Result<()> {
        let folder = tempfile::tempdir().map_err(|e| Error::io("temporary folder", e))?;
        let path = folder.path().join("outlets.toml");
        std::fs::write(&path, "[outlets]\n\"The Vale Post\" = [\"valepost.com\", \"VP\"]\n")
            .map_err(|e| Error::io(&path, e))?;
        let mut outlets = Outlets::with_aliases(Some(&path))?;
        let mut notes = BTreeMap::new();
        assert_eq!(outlets.name("vp", &mut notes), "The Vale Post");
        assert_eq!(outlets.name("www.valepost.com", &mut notes), "The Vale Post");
        std::fs::write(&path, "[outlets]\nA = [\"x\"]\nB = [\"X\"]\n")
            .map_err(|e| Error::io(&path, e))?;
        assert!(
            Outlets::with_aliases(Some(&path))
                .is_err_and(|e| e.to_string().contains("alias of both"))
        );
        std::fs::write(&path, "outlets = 3").map_err(|e| Error::io(&path, e))?;
        assert!(Outlets::with_aliases(Some(&path)).is_err_and(|e| e.hint().is_some()));
        Ok(())
    }

    #[test]
    fn a_url_names_its_host() {
        assert_eq!(host("https://www.Vale-Post.com:80/a?b"), Some("vale-post.com".into()));
        assert_eq!(host("valepost.com/a"), Some("valepost.com".into()));
        assert_eq!(host("n/a"), None);
        assert_eq!(host(""), None);
    }
}
