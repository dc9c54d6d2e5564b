//! The command line: arguments in, calls of the library, words for people out. Holds
//! nothing that a program using the library would miss.

mod align;
mod axes;
mod compare;
mod evaluate;
mod explain;
mod export;
mod figures;
mod model;
mod progress;
mod score;
mod show;
mod train;
mod words;

use std::io::Write;
use std::process::ExitCode;

use clap::{CommandFactory, Parser, Subcommand};

use crate::error::Error;

/// Everything went well.
const OK: u8 = 0;
/// Nothing was produced.
const FAILED: u8 = 1;
/// Results are complete but for input rows that were passed over.
const SKIPPED: u8 = 3;

/// How the news puts it: framing and stance of articles, outlet by outlet.
#[derive(Debug, Parser)]
#[command(name = "parallax", version, about, after_help = EXIT_CODES, max_term_width = 100)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

const EXIT_CODES: &str = "Exit codes: 0 done, 1 failed, 2 wrong usage, \
    3 done, but some input was passed over (see run.json)";

#[derive(Debug, Subcommand)]
enum Command {
    Compare(compare::Args),
    Score(score::Args),
    Profile(compare::ProfileArgs),
    Align(align::Args),
    Report(compare::ReportArgs),
    Words(words::Args),
    Explain(explain::Args),
    Axes(axes::Args),
    Show(show::Args),
    Export(export::Args),
    Train(train::Args),
    Evaluate(evaluate::Args),
    /// Print a completion script for a shell
    #[command(
        after_help = "Example:\n  parallax completions bash > ~/.local/share/bash-completion/completions/parallax"
    )]
    Completions {
        /// The shell
        shell: clap_complete::Shell,
    },
}

/// Parses the arguments, runs the command and turns its outcome into an exit code.
pub fn main() -> ExitCode {
    let cli = Cli::parse();
    // candle's element-wise operations would each wake a pool of threads that wait by spinning;
    // our workers have a core each already.
    if std::env::var_os("CANDLE_NUM_THREADS").is_none() {
        // SAFETY: no other thread has been started yet.
        unsafe { std::env::set_var("CANDLE_NUM_THREADS", "1") };
    }
    let outcome = match cli.command {
        Command::Compare(args) => compare::run(&args),
        Command::Score(args) => score::run(&args),
        Command::Profile(args) => compare::run_profile(&args),
        Command::Align(args) => align::run(&args),
        Command::Report(args) => compare::run_report(&args),
        Command::Words(args) => words::run(&args),
        Command::Explain(args) => explain::run(&args),
        Command::Axes(args) => axes::run(&args),
        Command::Show(args) => show::run(&args),
        Command::Export(args) => export::run(&args),
        Command::Train(args) => train::run(&args),
        Command::Evaluate(args) => evaluate::run(&args),
        Command::Completions { shell } => {
            clap_complete::generate(shell, &mut Cli::command(), "parallax", &mut std::io::stdout());
            Ok(OK)
        }
    };
    match outcome {
        Ok(code) => ExitCode::from(code),
        Err(error) => {
            report(&error);
            ExitCode::from(FAILED)
        }
    }
}

/// A probability as an argument.
fn probability(text: &str) -> Result<f32, String> {
    match text.parse::<f32>() {
        Ok(p) if (0.0..=1.0).contains(&p) => Ok(p),
        _ => Err("write a number from 0 to 1".into()),
    }
}

/// Prints an error, what led to it, and what to do.
fn report(error: &anyhow::Error) {
    let mut out = std::io::stderr().lock();
    // Nothing can be done if standard error is closed.
    let _ = writeln!(out, "error: {error}");
    for cause in error.chain().skip(1) {
        let _ = writeln!(out, "  because: {cause}");
    }
    if let Some(hint) = error.chain().find_map(|e| e.downcast_ref::<Error>()?.hint()) {
        let _ = writeln!(out, "hint: {hint}");
    }
}
