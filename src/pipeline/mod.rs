//! Whole runs: the rooms tied together with files. Knows every room below the command
//! line, and is what a program that uses the library calls.

mod align;
mod alignments;
mod answers;
pub mod axes;
pub mod explain;
pub mod export;
mod joined;
mod lesson;
mod metrics;
mod profile;
mod read;
pub mod report;
pub mod run;
pub mod score;
mod tables;
pub mod train;
pub mod validate;
pub mod words;

pub use align::{AlignSummary, align_folder, measure_folder};
pub use alignments::{alignments_schema, read_alignments};
pub use metrics::draw_training;
pub use profile::{ProfileOptions, ProfileSummary, profile_folder};

#[cfg(test)]
mod tests;
