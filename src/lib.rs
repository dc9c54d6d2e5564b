//! parallax: framing and stance analysis of news.
//!
//! Articles go in, labelled sentences, outlet profiles and a report come out. The
//! rooms of the crate stand in the order in which data flows through them, and a
//! room knows only those before it:
//!
//! [`corpus`] → [`text`] → [`model`] → [`training`], [`scoring`] → [`profile`] → [`report`]
//!
//! [`pipeline`] ties them together with files.
//!
//! See `docs/ARCHITECTURE.md` for the map.

#![warn(missing_docs)]

pub mod corpus;
pub mod error;
pub mod model;
pub mod pipeline;
pub mod profile;
pub mod report;
pub mod scoring;
pub mod text;
pub mod training;

pub use error::{Error, Result};

/// Version of the table contract written into every output file's metadata.
pub const SCHEMA_VERSION: &str = "1";
