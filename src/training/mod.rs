//! Training, calibrating and measuring a model. Works with the same bundle and the same
//! encoder as scoring; knows nothing of reports.

mod build;
pub mod calibrate;
mod checkpoint;
mod contrast;
pub mod data;
pub mod evaluate;
mod extend;
pub mod loss;
pub mod metrics;
pub mod optimizer;
pub mod recipe;
mod similarity;
mod step;
pub mod teacher;
pub mod trainer;

pub use extend::extend;
