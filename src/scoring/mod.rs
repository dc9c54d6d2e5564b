//! Scoring: articles in, labelled sentence rows out. Batches, workers, sinks, progress.
//! Knows nothing of statistics.

pub mod repeats;
pub mod rows;
pub mod scorer;
pub mod tables;
pub mod window;
