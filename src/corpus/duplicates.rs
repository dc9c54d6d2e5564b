//! Near-duplicates: wire copy that several outlets print. MinHash over word 5-shingles
//! (Broder 1997, "On the resemblance and containment of documents") with sixteen bits
//! kept of each minimum (Li and König 2010, "b-Bit minwise hashing"), found through
//! bands of the signature (Indyk and Motwani 1998).

use std::collections::HashMap;

use super::Article;

/// Words in a shingle of an article.
const SHINGLE: usize = 5;
/// Words in a shingle of a sentence: of twenty words one changed leaves a resemblance of .81.
const SENTENCE_SHINGLE: usize = 2;
/// Bands of the signature.
const BANDS: usize = 18;
/// Hashes in a band. A pair of resemblance s shares a band with probability
/// 1 − (1 − s⁷)¹⁸: .99 at 0.8, .27 at 0.6, .00 at 0.3.
const ROWS: usize = 7;
/// Hashes in a signature; the standard error of the estimate at 0.8 is .036.
const HASHES: usize = BANDS * ROWS;
/// Share of equal hashes from which two articles count as one.
const THRESHOLD: f64 = 0.8;
/// The same for two sentences.
const SENTENCE_THRESHOLD: f64 = 0.7;

/// Finds articles that nearly repeat an earlier one, in one pass, with about 500 bytes
/// of memory for each article that repeats none. The answer depends on the articles and their order alone.
///
/// Two articles count as near-duplicates where the estimated Jaccard resemblance of
/// their sets of word 5-shingles is at least 0.8: wire copy with a new headline, another
/// dateline or a changed sentence. A text that *contains* another and adds much of its
/// own is not found: its resemblance is about the ratio of the two lengths. An article
/// that repeats a near-duplicate is given the first article of the group.
#[derive(Debug)]
pub struct Duplicates {
    shingle: usize,
    threshold: f64,
    articles: Vec<(Box<str>, [u16; HASHES])>,
    /// A hash of band number and band, to the latest article with it. Of a million articles one band in
    /// two hundred and forty meets another's hash, which costs a comparison and now and then one of
    /// eighteen chances: not worth twice the memory.
    bands: HashMap<u32, u32>,
}

impl Default for Duplicates {
    fn default() -> Self {
        Duplicates {
            shingle: SHINGLE,
            threshold: THRESHOLD,
            articles: Vec::new(),
            bands: HashMap::new(),
        }
    }
}

impl Duplicates {
    /// For single sentences instead of articles: pairs of words are compared, because one changed
    /// word would leave too few 5-shingles of a sentence alike, and a resemblance of 0.7 is
    /// enough, so that a sentence of ordinary length is found with a word changed.
    pub fn of_sentences() -> Self {
        Duplicates { shingle: SENTENCE_SHINGLE, threshold: SENTENCE_THRESHOLD, ..Self::default() }
    }

    /// Takes in an article and returns the id of the earlier article that it nearly
    /// repeats, if there is one. Only the text counts.
    pub fn insert(&mut self, article: &Article) -> Option<String> {
        let signature = signature(&article.text, self.shingle)?;
        let keys = keys(&signature);
        if let Some(earlier) = self.like(&signature, &keys) {
            return Some(earlier.to_owned());
        }
        let index = u32::try_from(self.articles.len()).ok()?;
        self.articles.push((article.id.as_str().into(), signature));
        for key in keys {
            self.bands.insert(key, index);
        }
        None
    }

    /// The id of the article taken in that `text` nearly repeats, if there is one.
    pub fn find(&self, text: &str) -> Option<&str> {
        let signature = signature(text, self.shingle)?;
        self.like(&signature, &keys(&signature))
    }

    fn like(&self, signature: &[u16; HASHES], keys: &[u32; BANDS]) -> Option<&str> {
        let mut best: Option<(usize, u32)> = None;
        for key in keys {
            let Some(&candidate) = self.bands.get(key) else { continue };
            let Some((_, other)) = self.articles.get(candidate as usize) else { continue };
            let same = signature.iter().zip(other).filter(|(a, b)| a == b).count();
            // The earliest of the most similar.
            if best.is_none_or(|(s, c)| same > s || same == s && candidate < c) {
                best = Some((same, candidate));
            }
        }
        let (same, candidate) = best?;
        let alike = same as f64 >= self.threshold * HASHES as f64;
        self.articles.get(candidate as usize).filter(|_| alike).map(|(id, _)| &**id)
    }
}

/// The smallest hashes of a text's shingles, `None` for a text without words.
fn signature(text: &str, shingle: usize) -> Option<[u16; HASHES]> {
    let size = shingle.min(SHINGLE);
    let mut minima = [u64::MAX; HASHES];
    let factors: [u64; HASHES] = std::array::from_fn(|i| mix(2 * i as u64 + 1) | 1);
    let mut window = [0_u64; SHINGLE];
    let mut words = 0;
    let mut take = |window: &[u64]| {
        let shingle = window.iter().fold(0x9e37_79b9, |h: u64, w| mix(h ^ w));
        for (minimum, factor) in minima.iter_mut().zip(&factors) {
            *minimum = (*minimum).min(mix_light(shingle, *factor));
        }
    };
    for word in text.split(|c: char| !c.is_alphanumeric()).filter(|w| !w.is_empty()) {
        window.rotate_left(1);
        window[SHINGLE - 1] = hash_word(word);
        words += 1;
        if words >= size {
            take(&window[SHINGLE - size..]);
        }
    }
    if words == 0 {
        return None;
    }
    if words < size {
        take(&window[SHINGLE - words..]);
    }
    Some(minima.map(|m| (m >> 40) as u16))
}

/// FNV-1a over the word in lower case.
fn hash_word(word: &str) -> u64 {
    let step = |h: u64, byte: u8| (h ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3);
    if word.is_ascii() {
        return word.bytes().fold(0xcbf2_9ce4_8422_2325, |h, b| step(h, b.to_ascii_lowercase()));
    }
    let mut buffer = [0; 4];
    word.chars()
        .flat_map(char::to_lowercase)
        .fold(0xcbf2_9ce4_8422_2325, |h, c| c.encode_utf8(&mut buffer).bytes().fold(h, step))
}

/// The finaliser of SplitMix64.
fn mix(mut x: u64) -> u64 {
    x = x.wrapping_add(0x9e37_79b9_7f4a_7c15);
    x = (x ^ (x >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    x = (x ^ (x >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    x ^ (x >> 31)
}

/// One of a family of hashes of a value that is mixed already.
fn mix_light(x: u64, factor: u64) -> u64 {
    let y = (x ^ factor).wrapping_mul(factor);
    y ^ (y >> 32)
}

fn keys(signature: &[u16; HASHES]) -> [u32; BANDS] {
    std::array::from_fn(|band| band_key(band, signature))
}

fn band_key(band: usize, signature: &[u16; HASHES]) -> u32 {
    let rows = &signature[band * ROWS..(band + 1) * ROWS];
    let hash = rows.iter().fold(mix(band as u64), |h, &s| mix(h ^ u64::from(s)));
    (hash >> 32) as u32
}

#[cfg(test)]
mod tests {
    use super::*;

    fn article(id: &str, words: impl Iterator<Item = usize>) -> Article {
        let text = words.map(|w| format!("word{w}")).collect::<Vec<_>>().join(" ");
        Article { id: id.into(), text, ..Article::default() }
    }

    #[test]
    fn wire_copy_is_found_and_grouped_under_its_first() {
        let mut seen = Duplicates::default();
        assert_eq!(seen.insert(&article("a", 0..400)), None);
        assert_eq!(seen.insert(&article("b", 1000..1400)), None);
        // A new dateline, and a sentence changed.
        let changed = (2000..2008).chain(8..300).chain(3000..3008).chain(308..400);
        assert_eq!(seen.insert(&article("c", changed)), Some("a".into()));
        assert_eq!(seen.insert(&article("d", 0..400)), Some("a".into()));
    }

    #[test]
    fn less_than_the_threshold_is_no_duplicate() {
        let mut seen = Duplicates::default();
        seen.insert(&article("a", 0..400));
        assert_eq!(seen.insert(&article("half", 0..800)), None);
        assert_eq!(seen.insert(&article("part", (0..240).chain(900..1060))), None);
        assert_eq!(seen.insert(&Article::default()), None);
        assert_eq!(seen.insert(&article("short", 0..3)), None);
        assert_eq!(seen.insert(&article("short again", 0..3)), Some("short".into()));
    }

    #[test]
    fn case_and_punctuation_do_not_matter() {
        let mut seen = Duplicates::default();
        let with = |id: &str, text: &str| Article {
            id: id.into(),
            text: text.into(),
            ..Article::default()
        };
        seen.insert(&with("a", "The bridge is shut, the mayor of Ölund said on Monday."));
        assert!(
            seen.insert(&with("b", "THE BRIDGE IS SHUT — the Mayor of ölund said on Monday"))
                .is_some()
        );
    }

    #[test]
    fn a_sentence_with_a_word_changed_is_found_without_being_taken_in() {
        let sentence = |id: &str, words| article(id, words);
        let mut seen = Duplicates::of_sentences();
        assert_eq!(seen.insert(&sentence("a", 0..24)), None);
        let changed = article("", (0..11).chain([99]).chain(12..24)).text;
        assert_eq!(seen.find(&changed), Some("a"));
        assert_eq!(seen.find(&changed), Some("a"));
        assert_eq!(seen.find(&article("", (0..12).chain(50..62)).text), None);
        assert_eq!(Duplicates::default().find(&changed), None);
    }

    #[test]
    fn the_estimate_is_close_to_the_resemblance() {
        let shared = 700;
        let a = signature(&article("", 0..1000).text, SHINGLE).expect("it has words");
        let b = signature(&article("", (0..shared).chain(5000..5300)).text, SHINGLE)
            .expect("it has words");
        let same = a.iter().zip(&b).filter(|(x, y)| x == y).count() as f64 / HASHES as f64;
        let truth = (shared - 4) as f64 / (2.0 * 996.0 - (shared - 4) as f64);
        assert!((same - truth).abs() < 0.13, "{same} {truth}");
    }
}
