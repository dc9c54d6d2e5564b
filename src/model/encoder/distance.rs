//! MPNet's bias for the distance between two tokens (Song et al. 2020), after T5 (Raffel et
//! al. 2020, section 2.1): near distances have a bucket each, far ones share buckets whose
//! size grows with the logarithm; every head has a number for every bucket, the same in all
//! blocks.

use std::sync::Arc;

use candle_core::{Result, Tensor};

/// Distances from here on share the last bucket.
const FURTHEST: f64 = 128.0;

/// What each head adds to the score of a key at a distance from the query.
#[derive(Debug, Clone)]
pub struct DistanceBias {
    /// The table of the checkpoint: (buckets, heads).
    table: Tensor,
    /// For each head the numbers for distances from `-(longest - 1)` to `longest - 1`.
    heads: Arc<Vec<Vec<f32>>>,
    longest: usize,
}

impl DistanceBias {
    /// Spreads `table` (buckets, heads) over all distances in an input of `longest` tokens.
    ///
    /// # Errors
    /// If the table is no matrix of floats.
    pub fn new(table: Tensor, longest: usize) -> Result<Self> {
        let rows = table.to_dtype(candle_core::DType::F32)?.t()?.to_vec2::<f32>()?;
        let (buckets, _) = table.dims2()?;
        let reach = longest.max(1) as i64 - 1;
        let heads = rows
            .iter()
            .map(|row| (-reach..=reach).map(|d| row[bucket(d, buckets)]).collect())
            .collect();
        Ok(DistanceBias { table, heads: Arc::new(heads), longest: longest.max(1) })
    }

    /// The table of the checkpoint.
    pub fn table(&self) -> &Tensor {
        &self.table
    }

    /// What head number `head` adds to the scores of the query at `place` with the keys of a
    /// sentence of `length` tokens.
    ///
    /// # Panics
    /// If the sentence is longer than the encoder's longest input, which the encoder refuses
    /// before it comes to this.
    pub(super) fn of(&self, head: usize, place: usize, length: usize) -> &[f32] {
        let first = self.longest - 1 - place;
        &self.heads[head][first..first + length]
    }
}

/// The bucket of a key `distance` tokens after the query (negative: before it).
fn bucket(distance: i64, buckets: usize) -> usize {
    let half = buckets / 2;
    let near = half / 2;
    let away = distance.unsigned_abs() as usize;
    let bucket = if away < near {
        away
    } else {
        let share = (away as f64 / near as f64).ln() / (FURTHEST / near as f64).ln();
        (near + (share * (half - near) as f64) as usize).min(half - 1)
    };
    if distance > 0 { half + bucket } else { bucket }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// By `MPNetEncoder.relative_position_bucket` of transformers.
    #[test]
    fn buckets_are_those_of_the_reference() {
        let reference = [
            (0, 0),
            (1, 17),
            (-1, 1),
            (7, 23),
            (8, 24),
            (-8, 8),
            (11, 24),
            (12, 25),
            (-16, 10),
            (31, 27),
            (32, 28),
            (63, 29),
            (64, 30),
            (90, 30),
            (91, 31),
            (127, 31),
            (-500, 15),
        ];
        for (distance, expected) in reference {
            assert_eq!(bucket(distance, 32), expected, "distance {distance}");
        }
    }

    #[test]
    fn rows_of_a_sentence_are_cut_from_one_table() {
        let table = Tensor::arange(0f32, 32.0, &candle_core::Device::Cpu).unwrap();
        let bias = DistanceBias::new(table.reshape((32, 1)).unwrap(), 10).unwrap();
        assert_eq!(bias.of(0, 0, 3), [0.0, 17.0, 18.0]);
        assert_eq!(bias.of(0, 2, 4), [2.0, 1.0, 0.0, 17.0]);
    }
}
