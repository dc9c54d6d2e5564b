//! Chooses the sentences that stand behind the numbers.
//!
//! A small corpus is kept whole. Of a large one, each label of each outlet keeps a few
//! sentences: half of them those of which the model is surest, half by chance, so that
//! a reader sees both the clear case and the usual one. The chance is a hash of the
//! sentence's place, so that the same corpus always gives the same sample.
//!
//! Memory is bounded by outlets × labels × [`Limits::per_label`], whatever the corpus.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::Arc;

use sha2::{Digest, Sha256};

use super::cues::Cues;
use super::input::{EvidenceMention, EvidenceSentence, Moved};
use crate::error::Result;
use crate::model::codebook::Codebook;
use crate::scoring::rows::{ArticleRow, MentionRow, Scores, SentenceRow};
use crate::text::Role;

/// Longest sentence text that a report carries, in characters.
const LONGEST: usize = 1_200;
/// Most words marked in a sentence as those that moved the model's decision.
const MOST_MOVED: usize = 5;

/// How much a report may carry.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// A corpus of at most this many sentences is kept whole; also the most sentences
    /// that are kept of a larger one.
    pub sentences: usize,
    /// Most bytes of sentence text.
    pub bytes: usize,
    /// Most sentences for each label of each outlet, where the corpus is larger.
    pub per_label: usize,
    /// Seed of the sample.
    pub seed: u64,
}

impl Default for Limits {
    fn default() -> Self {
        Limits { sentences: 2_400, bytes: 1_000_000, per_label: 12, seed: 1 }
    }
}

impl Limits {
    /// Half as much.
    pub fn halved(self) -> Self {
        let half = |n: usize| n.div_ceil(2);
        Limits {
            sentences: half(self.sentences),
            bytes: half(self.bytes),
            per_label: half(self.per_label),
            ..self
        }
    }
}

/// The sentences behind the numbers, and of how many they were chosen.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Evidence {
    /// The sentences kept, by outlet, date, article and place.
    pub sentences: Vec<EvidenceSentence>,
    /// Whether these are all scored sentences.
    pub complete: bool,
    /// Number of scored sentences they were chosen from.
    pub total: u64,
    /// Sentences with a label, by outlet, layer (position among the sentence layers) and
    /// label (position in the layer).
    pub counts: BTreeMap<(String, usize, usize), u64>,
}

type Place = (String, u32);
type Bucket = (String, usize, usize);

/// A sentence that is still in the running.
#[derive(Debug)]
struct Candidate {
    row: EvidenceSentence,
    start: Option<u32>,
    /// Its place in a random order.
    lot: u64,
}

/// The sentences in the running for one label of one outlet.
#[derive(Debug, Default)]
struct Running {
    surest: Vec<(f32, u64, Arc<Candidate>)>,
    by_lot: Vec<(u64, Arc<Candidate>)>,
}

impl Running {
    fn offer(&mut self, p: f32, candidate: &Arc<Candidate>, most: usize) {
        let lot = candidate.lot;
        let at = self.surest.partition_point(|(q, l, _)| (*q, lot) > (p, *l));
        if at < most {
            self.surest.insert(at, (p, lot, Arc::clone(candidate)));
            self.surest.truncate(most);
        }
        let at = self.by_lot.partition_point(|(l, _)| *l < lot);
        if at < most {
            self.by_lot.insert(at, (lot, Arc::clone(candidate)));
            self.by_lot.truncate(most);
        }
    }

    /// Up to `n` sentences: half the surest, the rest by lot.
    fn choose(&self, n: usize) -> Vec<&Arc<Candidate>> {
        let sure = n.div_ceil(2);
        let mut chosen: Vec<_> = self.surest.iter().take(sure).map(|(_, _, c)| c).collect();
        for (_, c) in &self.by_lot {
            if chosen.len() >= n {
                break;
            }
            if !chosen.iter().any(|have| Arc::ptr_eq(have, c)) {
                chosen.push(c);
            }
        }
        chosen
    }
}

/// First step: sees every mention, then every sentence.
#[derive(Debug)]
pub struct EvidenceBuilder {
    limits: Limits,
    layers: usize,
    /// Sentences wanted for a target: bottom-k by lot for each outlet, target and label.
    wanted: HashMap<(String, String, usize), Vec<(u64, Place)>>,
    wanted_places: Option<HashSet<Place>>,
    /// Sentences kept in any case.
    kept_places: HashSet<Place>,
    kept: Vec<Arc<Candidate>>,
    all: Option<Vec<Arc<Candidate>>>,
    all_bytes: usize,
    for_targets: Vec<Arc<Candidate>>,
    running: BTreeMap<Bucket, Running>,
    counts: BTreeMap<Bucket, u64>,
    total: u64,
}

impl EvidenceBuilder {
    /// A builder for the layers of `codebook`.
    pub fn new(codebook: &Codebook, limits: Limits) -> Self {
        EvidenceBuilder {
            limits,
            layers: codebook.sentence_layers().count(),
            wanted: HashMap::new(),
            wanted_places: None,
            kept_places: HashSet::new(),
            kept: Vec::new(),
            all: Some(Vec::new()),
            all_bytes: 0,
            for_targets: Vec::new(),
            running: BTreeMap::new(),
            counts: BTreeMap::new(),
            total: 0,
        }
    }

    /// Keeps a sentence in any case, such as one that a claim's table shows. Comes before the
    /// first sentence.
    pub fn keep(&mut self, article_id: &str, sentence_index: u32) {
        self.kept_places.insert((article_id.to_owned(), sentence_index));
    }

    /// Sees a mention; all mentions come before the first sentence.
    pub fn mention(&mut self, row: &MentionRow) {
        let label = row.layers.first().and_then(|s| s.labels.first()).copied().unwrap_or(0);
        let place = (row.article_id.clone(), row.sentence_index);
        let lot = lot(self.limits.seed, &place);
        let most = self.limits.per_label.div_ceil(2);
        let kept = self.wanted.entry((row.outlet.clone(), row.target.clone(), label)).or_default();
        let at = kept.partition_point(|(l, _)| *l < lot);
        if at < most && !kept.iter().any(|(_, p)| *p == place) {
            kept.insert(at, (lot, place));
            kept.truncate(most);
        }
    }

    /// Sees a sentence. Page clutter and sentences without labels are passed over.
    pub fn sentence(&mut self, row: &SentenceRow) {
        let Some(layers) = row.layers.as_ref().filter(|_| row.role != Role::Boilerplate) else {
            return;
        };
        let wanted = self.wanted_places.get_or_insert_with(|| {
            std::mem::take(&mut self.wanted).into_values().flatten().map(|(_, p)| p).collect()
        });
        self.total += 1;
        let place = (row.article_id.clone(), row.sentence_index);
        let candidate = Arc::new(Candidate {
            row: EvidenceSentence {
                outlet: row.outlet.clone(),
                article_id: row.article_id.clone(),
                date: row.date.clone(),
                event: row.event.clone(),
                sentence_index: row.sentence_index,
                text: beginning(&row.text),
                role: role_name(row.role).to_owned(),
                labels: (0..self.layers).map(|i| chosen(layers.get(i))).collect(),
                ..EvidenceSentence::default()
            },
            start: row.start,
            lot: lot(self.limits.seed, &place),
        });
        for (layer, labels) in candidate.row.labels.iter().enumerate() {
            for &(label, p) in labels {
                let bucket = (row.outlet.clone(), layer, label);
                *self.counts.entry(bucket.clone()).or_default() += 1;
                self.running.entry(bucket).or_default().offer(p, &candidate, self.limits.per_label);
            }
        }
        if self.kept_places.contains(&place) {
            self.kept.push(Arc::clone(&candidate));
        }
        if wanted.contains(&place) && self.for_targets.len() < self.limits.sentences / 2 {
            self.for_targets.push(Arc::clone(&candidate));
        }
        self.all_bytes += candidate.row.text.len();
        if let Some(all) = &mut self.all {
            all.push(candidate);
            if all.len() > self.limits.sentences || self.all_bytes > self.limits.bytes {
                self.all = None;
            }
        }
    }

    /// Fixes which sentences are kept.
    pub fn choose(self) -> Chosen {
        let complete = self.all.is_some();
        let rows = match self.all {
            Some(all) => all,
            None => {
                let most = self.limits;
                (1..=most.per_label.max(1))
                    .rev()
                    .map(|n| sample(&self.running, &self.for_targets, &self.kept, n))
                    .find(|s| {
                        s.len() <= most.sentences
                            && s.iter().map(|c| c.row.text.len()).sum::<usize>() <= most.bytes
                    })
                    .unwrap_or_else(|| {
                        let mut few = sample(&self.running, &[], &self.kept, 1);
                        few.truncate(most.sentences.min(most.bytes / (4 * LONGEST)).max(1));
                        few
                    })
            }
        };
        let mut rows: Vec<_> = rows.iter().map(|c| (c.row.clone(), c.start)).collect();
        rows.sort_by(|(a, _), (b, _)| {
            (&a.outlet, &a.date, &a.article_id, a.sentence_index).cmp(&(
                &b.outlet,
                &b.date,
                &b.article_id,
                b.sentence_index,
            ))
        });
        let mut at_place = HashMap::new();
        let mut of_article: HashMap<String, Vec<usize>> = HashMap::new();
        for (i, (row, _)) in rows.iter().enumerate() {
            at_place.insert((row.article_id.clone(), row.sentence_index), i);
            of_article.entry(row.article_id.clone()).or_default().push(i);
        }
        Chosen { complete, total: self.total, counts: self.counts, rows, at_place, of_article }
    }
}

/// Second step: the sentences are fixed; takes what else is known of them.
#[derive(Debug)]
pub struct Chosen {
    complete: bool,
    total: u64,
    counts: BTreeMap<Bucket, u64>,
    rows: Vec<(EvidenceSentence, Option<u32>)>,
    at_place: HashMap<Place, usize>,
    of_article: HashMap<String, Vec<usize>>,
}

impl Chosen {
    /// Takes title and address of an article.
    pub fn article(&mut self, row: &ArticleRow) {
        for &i in self.of_article.get(&row.article.id).map(Vec::as_slice).unwrap_or_default() {
            if let Some((sentence, _)) = self.rows.get_mut(i) {
                sentence.article_title = row.article.title.as_deref().map(beginning);
                sentence.url = row.article.url.clone().filter(|u| u.len() <= 2_000);
            }
        }
    }

    /// Takes a mention, where its sentence was kept.
    pub fn mention(&mut self, row: &MentionRow) {
        let place = (row.article_id.clone(), row.sentence_index);
        let Some((sentence, base)) = self.at_place.get(&place).and_then(|&i| self.rows.get_mut(i))
        else {
            return;
        };
        let n = sentence.text.chars().count();
        let length = row.mention.chars().count();
        let start = match (row.start, *base) {
            (Some(start), Some(base)) => start.checked_sub(base).map(|s| s as usize),
            _ => sentence
                .text
                .find(&row.mention)
                .and_then(|byte| sentence.text.get(..byte))
                .map(|head| head.chars().count()),
        };
        if let Some(start) = start.filter(|s| length > 0 && s + length <= n) {
            sentence.mentions.push(EvidenceMention {
                target: row.target.clone(),
                start,
                end: start + length,
                stance: row.layers.iter().map(|s| chosen(Some(s)).first().copied()).collect(),
            });
        }
    }

    /// Takes a word that moved the model's decision, where its sentence was kept.
    pub fn explanation(&mut self, article_id: &str, sentence_index: u32, word: Moved) {
        let place = (article_id.to_owned(), sentence_index);
        if let Some((sentence, _)) = self.at_place.get(&place).and_then(|&i| self.rows.get_mut(i))
            && word.start < word.end
            && sentence.moved.len() < MOST_MOVED
        {
            sentence.moved.push(word);
        }
    }

    /// Whether everything that was scored is kept.
    pub fn complete(&self) -> bool {
        self.complete
    }

    /// Number of scored sentences.
    pub fn total(&self) -> u64 {
        self.total
    }

    /// Whether a sentence of the article was kept.
    pub fn has_article(&self, article_id: &str) -> bool {
        self.of_article.contains_key(article_id)
    }

    /// Takes where the whole of an article stands: its file, and the beginning of the names of
    /// its sentences in it.
    pub fn context(&mut self, article_id: &str, place: &super::side::Place) {
        for &i in self.of_article.get(article_id).map(Vec::as_slice).unwrap_or_default() {
            if let Some((sentence, _)) = self.rows.get_mut(i) {
                sentence.context = Some(place.of(sentence.sentence_index));
            }
        }
    }

    /// Marks the devices and hands the evidence over.
    ///
    /// # Errors
    /// If the shipped cue lists cannot be read.
    pub fn finish(self) -> Result<Evidence> {
        let cues = Cues::shipped()?;
        let sentences = self
            .rows
            .into_iter()
            .map(|(mut s, _)| {
                // A sentence that is quotation throughout is the speaker's.
                if s.role != role_name(Role::Quote) {
                    s.devices = cues.mark(&s.text);
                }
                s.mentions.sort_by_key(|m| (m.start, m.end));
                s
            })
            .collect();
        Ok(Evidence { sentences, complete: self.complete, total: self.total, counts: self.counts })
    }
}

fn sample(
    running: &BTreeMap<Bucket, Running>,
    for_targets: &[Arc<Candidate>],
    kept: &[Arc<Candidate>],
    n: usize,
) -> Vec<Arc<Candidate>> {
    let mut seen = HashSet::new();
    // What is kept in any case comes first, so that a shortage does not touch it.
    kept.iter()
        .chain(running.values().flat_map(|r| r.choose(n)))
        .chain(for_targets)
        .filter(|c| seen.insert(Arc::as_ptr(c)))
        .cloned()
        .collect()
}

fn chosen(scores: Option<&Scores>) -> Vec<(usize, f32)> {
    let Some(scores) = scores else { return Vec::new() };
    let p = |label: usize| scores.probabilities.get(label).copied().unwrap_or(0.0);
    scores.labels.iter().map(|&l| (l, p(l))).collect()
}

pub(super) fn role_name(role: Role) -> &'static str {
    match role {
        Role::Headline => "headline",
        Role::Body => "body",
        Role::Quote => "quote",
        Role::Boilerplate => "boilerplate",
    }
}

/// The first [`LONGEST`] characters; an ellipsis says that something was cut.
fn beginning(text: &str) -> String {
    match text.char_indices().nth(LONGEST) {
        None => text.to_owned(),
        Some((cut, _)) => format!("{}…", text.get(..cut).unwrap_or_default()),
    }
}

/// A number that looks random and depends on nothing but seed and place.
fn lot(seed: u64, place: &Place) -> u64 {
    let mut hash = Sha256::new();
    hash.update(seed.to_le_bytes());
    hash.update(place.1.to_le_bytes());
    hash.update(place.0.as_bytes());
    hash.finalize().iter().take(8).fold(0, |n, &b| n << 8 | u64::from(b))
}
