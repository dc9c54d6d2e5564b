//! Scoring: articles in, labelled sentence rows out. Batches, workers, sinks,
//! progress. Knows nothing of statistics.
pub mod rows;
pub mod tables;
