//! Training, calibrating and measuring a model. Works with the same bundle and the same
//! encoder as scoring; knows nothing of reports.

pub mod breakdown;
mod build;
pub mod calibrate;
mod checkpoint;
mod contrast;
pub mod data;
mod epochs;
pub mod evaluate;
mod extend;
mod finish;
pub mod hints;
pub mod loss;
pub mod metrics;
pub mod mistakes;
pub mod optimizer;
pub mod paired;
mod prepared;
pub mod recipe;
pub mod reliability;
mod similarity;
mod step;
pub mod task;
pub mod teacher;
pub mod trainer;
pub mod withheld;
mod zero_shot;

pub use extend::{agreement, carried_over, extend};
pub use similarity::bare;
pub use zero_shot::zero_shot;
