//! Sentences of equal length run together.
//!
//! So there is no padding whose mask could be wrong, and no sentence sees how long its
//! neighbours are. Batches come sorted by length, so there are few groups in one.

use std::collections::BTreeMap;

use candle_core::{Device, Result, Tensor};

use super::Blocks;
use crate::model::encoder::Packed;

/// The vectors (rows, width) of the tokens of a batch.
///
/// # Errors
/// If a sentence is longer than the model takes, or the device fails.
pub(in crate::model) fn forward(
    blocks: &dyn Blocks,
    batch: &Packed,
    device: &Device,
) -> Result<Tensor> {
    let mut groups: BTreeMap<usize, Vec<usize>> = BTreeMap::new();
    for rows in batch.rows() {
        groups.entry(rows.len()).or_default().push(rows.start);
    }
    let mut places = vec![0u32; batch.ids.len()];
    let mut outputs = Vec::with_capacity(groups.len());
    let mut done = 0;
    for (length, starts) in groups {
        let rows = || starts.iter().flat_map(|start| *start..start + length);
        for row in rows() {
            places[row] = done;
            done += 1;
        }
        let shape = (starts.len(), length);
        let of = |values: &[u32]| -> Result<Tensor> {
            let picked: Vec<u32> =
                rows().map(|r| values.get(r).copied().unwrap_or_default()).collect();
            Tensor::from_vec(picked, shape, device)
        };
        outputs.push(blocks.forward(&of(&batch.ids)?, &of(&batch.types)?)?.flatten_to(1)?);
    }
    match outputs.as_slice() {
        [only] => Ok(only.clone()),
        several => {
            let places = Tensor::from_vec(places, batch.ids.len(), device)?;
            Tensor::cat(several, 0)?.index_select(&places, 0)
        }
    }
}
