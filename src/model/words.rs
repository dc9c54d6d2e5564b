//! The encoder's table of words as vectors of single words, out of any context.

use candle_core::DType;

use super::Model;
use crate::error::Result;
use crate::text::tokens::Tokenizer;

/// Vectors of single words: rows of the encoder's table, which fine-tuning hardly moves
/// (recipes freeze it by default), so that near words stay near whatever was trained.
pub struct WordTable<'a> {
    tokenizer: &'a Tokenizer,
    rows: Vec<f32>,
    width: usize,
}

impl Model {
    /// The table of words on the CPU.
    ///
    /// # Errors
    /// If the device fails.
    pub fn word_table(&self) -> Result<WordTable<'_>> {
        let table = self.backbone.words().to_dtype(DType::F32)?;
        let width = table.dim(1)?;
        let rows = table.flatten_all()?.to_vec1::<f32>()?;
        Ok(WordTable { tokenizer: &self.tokenizer, rows, width })
    }
}

impl WordTable<'_> {
    /// The mean of the rows of a word's pieces; `None` if it has none.
    pub fn vector(&self, word: &str) -> Option<Vec<f32>> {
        let pieces = self.tokenizer.encode(word).ok()?.ids;
        let mut sum = vec![0f32; self.width];
        for &piece in &pieces {
            let at = piece as usize * self.width;
            let row = self.rows.get(at..at + self.width)?;
            sum.iter_mut().zip(row).for_each(|(s, x)| *s += x / pieces.len() as f32);
        }
        (!pieces.is_empty()).then_some(sum)
    }
}
