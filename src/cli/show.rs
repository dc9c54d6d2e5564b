//! `parallax show`

use std::io::{IsTerminal, Write};
use std::path::PathBuf;

use super::OK;
use crate::pipeline::report::show_folder;

/// Print a summary of a profiled folder: the report's figures for the terminal
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  parallax show out/demo
  parallax show out/demo | less

Intervals stand in brackets. Nothing is written; the text is plain where it is not a terminal.")]
pub struct Args {
    /// A folder written by `parallax compare`
    folder: PathBuf,
    /// Columns to fill [default: the terminal's, or 100]
    #[arg(long)]
    width: Option<u16>,
}

pub fn run(args: &Args) -> anyhow::Result<u8> {
    let out = std::io::stdout();
    let styled = out.is_terminal() && std::env::var_os("NO_COLOR").is_none();
    let columns = || std::env::var("COLUMNS").ok()?.parse().ok();
    let width = args.width.or_else(columns).unwrap_or(100);
    let text = show_folder(&args.folder, usize::from(width), styled)?;
    match out.lock().write_all(text.as_bytes()) {
        // Whoever reads has seen enough.
        Err(e) if e.kind() == std::io::ErrorKind::BrokenPipe => Ok(OK),
        other => Ok(other.map(|()| OK)?),
    }
}
