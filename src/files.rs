//! Files that appear whole or not at all.

use std::path::Path;

use crate::error::{Error, Result};

/// Writes a file so that it appears whole or not at all: to a temporary file beside it,
/// synced, then renamed.
///
/// # Errors
/// If the folder cannot be written to or the disk is full; no partial file is left.
pub fn write_whole(path: &Path, contents: &[u8]) -> Result<()> {
    use std::io::Write;
    let dir = path.parent().filter(|p| !p.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let mut builder = tempfile::Builder::new();
    // An ordinary file's permissions; a temporary one would be the user's alone.
    #[cfg(unix)]
    builder.permissions(std::os::unix::fs::PermissionsExt::from_mode(0o666));
    let mut file = builder.tempfile_in(dir).map_err(|e| Error::io(path, e))?;
    file.write_all(contents).map_err(|e| Error::io(path, e))?;
    file.as_file().sync_all().map_err(|e| Error::io(path, e))?;
    file.persist(path).map_err(|e| Error::io(path, e.error))?;
    Ok(())
}
