//! Training, calibrating and measuring a model. Works with the same bundle and the same
//! encoder as scoring; knows nothing of reports.

pub mod breakdown;
mod build;
pub mod calibrate;
mod checkpoint;
mod contrast;
pub mod data;
pub mod evaluate;
mod extend;
pub mod loss;
pub mod metrics;
pub mod mistakes;
pub mod optimizer;
pub mod paired;
pub mod recipe;
pub mod reliability;
mod similarity;
mod step;
pub mod task;
pub mod teacher;
pub mod trainer;
pub mod withheld;
mod zero_shot;

pub use extend::extend;
pub use zero_shot::zero_shot;
