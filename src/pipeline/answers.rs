//! A teacher's answers, written down as they are given: a large one takes hours, and an interrupted
//! run goes on after what was said.

use std::fs::File;
use std::io::{BufRead, BufReader, Seek, SeekFrom, Write};
use std::path::Path;

use crate::error::{Error, Result};
use crate::model::bundle::sha256_hex;
use crate::model::{Codebook, Model};
use crate::training::teacher::{Opinion, Unlabelled, opinions};

/// Sentences that are asked about at a time. So many answers an interruption costs at most.
const AT_A_TIME: usize = 1024;

/// What `teacher`, called `name`, says of the sentences. What the file `kept` holds of it is not asked
/// again. `done` is told how many sentences of how many have an answer, whenever some were given.
///
/// # Errors
/// If the teacher has none of the codebook's layers or fails, or the file cannot be written.
pub(super) fn answers(
    teacher: &Model,
    name: &str,
    codebook: &Codebook,
    sentences: &[Unlabelled],
    kept: &Path,
    done: &dyn Fn(usize, usize),
) -> Result<Vec<Opinion>> {
    let asked = sha256_hex(format!("{name} {codebook:?} {sentences:?}").as_bytes());
    let (mut said, mut file) = reopen(kept, &asked)?;
    said.truncate(sentences.len());
    for some in sentences[said.len()..].chunks(AT_A_TIME) {
        let new = opinions(teacher, codebook, some)?;
        let mut line = serde_json::to_vec(&new)
            .map_err(|e| Error::model(kept.display(), format!("cannot be written: {e}")))?;
        line.push(b'\n');
        file.write_all(&line).and_then(|()| file.sync_data()).map_err(|e| Error::io(kept, e))?;
        said.extend(new);
        done(said.len(), sentences.len());
    }
    Ok(said)
}

/// What the file holds of the answers to what is `asked`, and the file, to go on writing. It is JSON lines:
/// a hash of the teacher and the questions, then lists of answers. A line that was cut off
/// is taken away, and so is everything if it answers something else.
fn reopen(path: &Path, asked: &str) -> Result<(Vec<Opinion>, File)> {
    let failed = |e| Error::io(path, e);
    let mut options = File::options();
    let mut file =
        options.read(true).write(true).create(true).truncate(false).open(path).map_err(failed)?;
    let mut said = Vec::new();
    let mut whole = 0;
    let mut lines = BufReader::new(&file);
    let mut line = Vec::new();
    loop {
        line.clear();
        let length = lines.read_until(b'\n', &mut line).map_err(failed)?;
        let Some(text) = line.strip_suffix(b"\n") else { break };
        if whole == 0 {
            if serde_json::from_slice::<String>(text).ok().as_deref() != Some(asked) {
                break;
            }
        } else {
            let Ok(some) = serde_json::from_slice::<Vec<Opinion>>(text) else { break };
            said.extend(some);
        }
        whole += length as u64;
    }
    file.set_len(whole).map_err(failed)?;
    file.seek(SeekFrom::End(0)).map_err(failed)?;
    if whole == 0 {
        writeln!(file, "{}", serde_json::json!(asked)).map_err(failed)?;
    }
    Ok((said, file))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_said_is_kept_and_what_was_cut_off_is_not() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("answers");
        let opinion = |p: f32| Opinion {
            sentence: vec![Some(vec![p, 1.0 - p]), None],
            mentions: vec![vec![None, Some(vec![0.1])]],
        };
        let line = |some: &[Opinion]| format!("{}\n", serde_json::to_string(some).unwrap());
        let (said, mut file) = reopen(&path, "a").unwrap();
        assert_eq!(said, []);
        let first = [opinion(0.1), opinion(0.3)];
        file.write_all(line(&first).as_bytes()).unwrap();
        file.write_all(&line(&[opinion(0.5)]).as_bytes()[..9]).unwrap();
        drop(file);
        let (said, mut file) = reopen(&path, "a").unwrap();
        assert_eq!(said, first);
        file.write_all(line(&[opinion(0.7)]).as_bytes()).unwrap();
        assert_eq!(reopen(&path, "a").unwrap().0, [opinion(0.1), opinion(0.3), opinion(0.7)]);
        assert_eq!(reopen(&path, "b").unwrap().0, [], "another teacher's");
        assert_eq!(reopen(&path, "a").unwrap().0, [], "they were thrown away");
    }
}
