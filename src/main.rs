//! The command `parallax`: see [`parallax::cli`].

use std::process::ExitCode;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// mimalloc's option `purge_delay` (mimalloc.h): milliseconds until freed pages go back to the
/// system, never if negative.
const PURGE_DELAY: libmimalloc_sys::mi_option_t = 15;

fn main() -> ExitCode {
    // A training step takes and frees the same large buffers as the one before. Pages that are
    // given back in between must be filled with zeros again, a fifth of a step's time by `perf`.
    // Scoring keeps its large buffers itself, and its memory should not grow with the corpus.
    if std::env::args_os().nth(1).is_some_and(|command| command == "train") {
        // SAFETY: it sets a number that mimalloc reads; no other thread has been started yet.
        unsafe { libmimalloc_sys::mi_option_set(PURGE_DELAY, -1) };
    }
    parallax::cli::main()
}
