//! Whole runs: the rooms tied together with files. Knows every room below the command
//! line, and is what a program that uses the library calls.

mod profile;
mod tables;

pub use profile::{ProfileOptions, ProfileSummary, profile_folder};
pub use tables::{contrasts_schema, profiles_schema, target_profiles_schema};
