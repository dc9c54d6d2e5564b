//! Training, calibrating and measuring a model. Works with the same bundle and the same
//! encoder as scoring; knows nothing of reports.

mod build;
pub mod calibrate;
mod checkpoint;
pub mod data;
pub mod evaluate;
pub mod loss;
pub mod metrics;
pub mod optimizer;
pub mod recipe;
mod step;
pub mod trainer;
