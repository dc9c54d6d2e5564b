//! The tokenizer front end: word pieces with their offsets, and windows over sentences
//! that are longer than the model takes.

use std::ops::Range;

use crate::error::{Error, Result};

/// A sentence's word pieces, special tokens not included.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Tokens {
    /// Vocabulary ids.
    pub ids: Vec<u32>,
    /// The bytes of the input that each token covers.
    pub offsets: Vec<Range<usize>>,
}

impl Tokens {
    /// The tokens that overlap the given bytes of the input; empty if none does.
    pub fn covering(&self, bytes: &Range<usize>) -> Range<usize> {
        let first = self.offsets.partition_point(|o| o.end <= bytes.start);
        let last = self.offsets.partition_point(|o| o.start < bytes.end);
        first..last.max(first)
    }
}

/// A tokenizer read from a `tokenizer.json`.
pub struct Tokenizer {
    inner: tokenizers::Tokenizer,
    /// Special tokens before a sentence (`[CLS]`).
    before: Vec<u32>,
    /// Special tokens after it (`[SEP]`).
    after: Vec<u32>,
    /// How two texts are put together, where the tokenizer can.
    pair: Option<PairTemplate>,
}

/// What stands around two texts that are read together, and the types of the tokens.
struct PairTemplate {
    before: Vec<u32>,
    between: Vec<u32>,
    after: Vec<u32>,
    /// Types of the special tokens before, of the first text, between, of the second, after.
    types: [u32; 5],
}

impl PairTemplate {
    /// As the tokenizer's own post-processor does it.
    fn of(inner: &tokenizers::Tokenizer) -> Option<Self> {
        let pair = inner.encode(("a", "b"), true).ok()?;
        let owners = pair.get_sequence_ids();
        let of_text = |text: usize| {
            let first = owners.iter().position(|o| *o == Some(text))?;
            Some(first..owners.iter().rposition(|o| *o == Some(text))? + 1)
        };
        let (first, second) = (of_text(0)?, of_text(1)?);
        let (ids, types) = (pair.get_ids(), pair.get_type_ids());
        let cut = |range: Range<usize>| ids.get(range).map(<[u32]>::to_vec);
        let kind = |range: Range<usize>| types.get(range).map(|t| t.first().copied().unwrap_or(0));
        let parts = [
            0..first.start,
            first.clone(),
            first.end..second.start,
            second.clone(),
            second.end..ids.len(),
        ];
        let [before, _, between, _, after] = parts.clone().map(cut);
        let [a, b, c, d, e] = parts.map(kind);
        Some(PairTemplate {
            before: before?,
            between: between?,
            after: after?,
            types: [a?, b?, c?, d?, e?],
        })
    }
}

impl Tokenizer {
    /// Reads the contents of a `tokenizer.json`. Truncation and padding set in it are
    /// switched off: sentences are windowed and packed instead.
    ///
    /// # Errors
    /// If the contents are no tokenizer; `place` names them in the message.
    pub fn from_json(json: &[u8], place: &str) -> Result<Self> {
        let wrong = |e: tokenizers::Error| Error::model(place, format!("tokenizer.json: {e}"));
        let mut inner = tokenizers::Tokenizer::from_bytes(json).map_err(wrong)?;
        inner.with_truncation(None).map_err(wrong)?;
        inner.with_padding(None);
        let framed = inner.encode("a", true).map_err(wrong)?;
        let bare = inner.encode("a", false).map_err(wrong)?;
        let ids = framed.get_ids();
        let at = ids
            .windows(bare.len().max(1))
            .position(|w| w == bare.get_ids())
            .ok_or_else(|| Error::model(place, "tokenizer.json: special tokens hide the text"))?;
        let (before, after) = (ids[..at].to_vec(), ids[at + bare.len()..].to_vec());
        if before.is_empty() {
            return Err(Error::model(place, "tokenizer.json adds no token before a sentence"));
        }
        let pair = PairTemplate::of(&inner);
        Ok(Tokenizer { inner, before, after, pair })
    }

    /// Splits `text` into word pieces.
    ///
    /// # Errors
    /// If the tokenizer fails on it, which no known input makes it do.
    pub fn encode(&self, text: &str) -> Result<Tokens> {
        let encoding = self
            .inner
            .encode(text, false)
            .map_err(|e| Error::input("tokenizer", format!("cannot split a sentence: {e}")))?;
        Ok(Tokens {
            ids: encoding.get_ids().to_vec(),
            offsets: encoding.get_offsets().iter().map(|&(from, to)| from..to).collect(),
        })
    }

    /// `ids` between the special tokens.
    pub fn frame(&self, ids: &[u32]) -> Vec<u32> {
        [&self.before, ids, &self.after].concat()
    }

    /// Two texts between the special tokens, with the type of each token; `None` if the tokenizer
    /// puts no two texts together.
    pub fn frame_pair(&self, first: &[u32], second: &[u32]) -> Option<(Vec<u32>, Vec<u32>)> {
        let pair = self.pair.as_ref()?;
        let parts = [&pair.before[..], first, &pair.between, second, &pair.after];
        let types = parts.iter().zip(pair.types);
        let types = types.flat_map(|(part, kind)| std::iter::repeat_n(kind, part.len())).collect();
        Some((parts.concat(), types))
    }

    /// Number of special tokens around two texts; `None` if the tokenizer puts no two together.
    pub fn n_special_of_pair(&self) -> Option<usize> {
        self.pair.as_ref().map(|p| p.before.len() + p.between.len() + p.after.len())
    }

    /// Number of special tokens before a sentence.
    pub fn n_before(&self) -> usize {
        self.before.len()
    }

    /// Number of special tokens around a sentence.
    pub fn n_special(&self) -> usize {
        self.before.len() + self.after.len()
    }

    /// Number of entries of the vocabulary.
    pub fn vocabulary_size(&self) -> usize {
        self.inner.get_vocab_size(true)
    }
}

/// Windows of at most `capacity` tokens over `n` tokens, each overlapping the one before by
/// a quarter, all of nearly the same length. One window if the tokens fit.
pub fn windows(n: usize, capacity: usize) -> Vec<Range<usize>> {
    let capacity = capacity.max(1);
    if n <= capacity {
        return std::iter::once(0..n).collect();
    }
    let stride = (capacity - capacity / 4).max(1);
    let count = (n - capacity).div_ceil(stride) + 1;
    (0..count)
        .map(|i| {
            // Spread evenly, so that the last window is not a short rest.
            let start = i * (n - capacity) / (count - 1);
            start..start + capacity
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn windows_cover_everything(n in 0usize..5000, capacity in 1usize..600) {
            let windows = windows(n, capacity);
            prop_assert_eq!(windows[0].start, 0);
            prop_assert_eq!(windows.last().unwrap().end, n);
            for pair in windows.windows(2) {
                prop_assert!(pair[1].start > pair[0].start && pair[1].start <= pair[0].end);
            }
            prop_assert!(windows.iter().all(|w| w.len() <= capacity));
        }
    }

    #[test]
    fn covering_takes_partly_covered_tokens() {
        let tokens = Tokens { ids: vec![1, 2, 3], offsets: vec![0..2, 2..5, 6..9] };
        assert_eq!(tokens.covering(&(3..7)), 1..3);
        assert_eq!(tokens.covering(&(5..6)), 2..2);
        assert_eq!(tokens.covering(&(20..30)), 3..3);
    }
}
