//! The model: a bundle on disk, its encoder and layers in candle, devices and the Hub.
//! Knows nothing of articles or outlets.

pub mod codebook;
