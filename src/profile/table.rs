//! What the statistics need of a scored corpus, and no more.
//!
//! All estimates here are ratios of sums over articles, so an article's counts say all
//! that its sentences could: the table holds one row of counts an article (a few bytes a
//! sentence) and no sentence at all.

use std::collections::HashMap;

use ndarray::{Array2, ArrayView1};

use crate::{
    error::{Error, Result},
    model::codebook::{Codebook, Layer, LayerKind},
    scoring::rows::{MentionRow, Scores, SentenceRow},
    text::Role,
};

/// What is known of one article.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct ArticleFacts {
    pub id: String,
    pub outlet: usize,
    pub event: Option<usize>,
    pub month: Option<usize>,
    /// It nearly repeats an earlier article.
    pub duplicate: bool,
}

/// The mentions of one target in one article.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct MentionFacts {
    pub article: usize,
    pub target: usize,
}

/// Label counts of a scored corpus by article, and by article and target.
///
/// Articles are sorted by outlet and id, outlets by name, so nothing computed from it
/// depends on the order in which rows arrived.
#[derive(Debug, Clone, PartialEq)]
pub struct Observations {
    pub(super) sentence_layers: Vec<Layer>,
    pub(super) target_layers: Vec<Layer>,
    pub(super) outlets: Vec<String>,
    pub(super) events: Vec<String>,
    pub(super) months: Vec<String>,
    pub(super) targets: Vec<String>,
    pub(super) articles: Vec<ArticleFacts>,
    /// articles × (labels of all sentence layers, then, if one was ever withheld, for each of them
    /// the sentences in which it was not, then scored sentences).
    pub(super) counts: Array2<u32>,
    pub(super) mentions: Vec<MentionFacts>,
    /// mentions' articles × (labels of all target layers, then, if one was ever withheld, for each
    /// of them the mentions in which it was not, then mentions).
    pub(super) mention_counts: Array2<u32>,
}

impl Observations {
    /// Starts an empty table for rows scored with `codebook`.
    pub fn builder(codebook: &Codebook) -> ObservationsBuilder {
        ObservationsBuilder::new(codebook)
    }

    /// Outlets, sorted by name.
    pub fn outlets(&self) -> &[String] {
        &self.outlets
    }

    /// Number of articles with at least one scored sentence.
    pub fn n_articles(&self) -> usize {
        self.articles.len()
    }

    /// Number of articles that nearly repeat an earlier one.
    pub fn n_duplicates(&self) -> usize {
        self.articles.iter().filter(|a| a.duplicate).count()
    }

    /// Number of scored sentences.
    pub fn n_sentences(&self) -> u64 {
        let last = self.counts.ncols() - 1;
        self.counts.column(last).iter().map(|&n| u64::from(n)).sum()
    }

    /// For each layer how many of its labels were withheld, and of how many sentences or
    /// mentions: layers of one label by sentence, multi layers by label. Layers without such are
    /// left out.
    pub fn withheld(&self) -> Vec<(&str, u64, u64)> {
        let of_sentences = (&self.sentence_layers, &self.counts);
        let of_mentions = (&self.target_layers, &self.mention_counts);
        let mut found = Vec::new();
        for (layers, counts) in [of_sentences, of_mentions] {
            let sum = |column| counts.column(column).iter().map(|&n| u64::from(n)).sum::<u64>();
            let (n_labels, all) = (labels(layers), sum(counts.ncols() - 1));
            if counts.ncols() == n_labels + 1 {
                continue;
            }
            let mut offset = n_labels;
            for layer in layers {
                let n = if layer.kind == LayerKind::Multi { layer.labels.len() } else { 1 };
                let withheld: u64 = (offset..offset + n).map(|c| all.saturating_sub(sum(c))).sum();
                offset += layer.labels.len();
                if withheld > 0 {
                    found.push((layer.name.as_str(), withheld, all));
                }
            }
        }
        found
    }

    /// The counts of one article.
    pub(super) fn article_counts(&self, article: usize) -> ArrayView1<'_, u32> {
        self.counts.row(article)
    }
}

/// Names and the numbers they were given, in order of appearance.
#[derive(Debug, Default)]
struct Names {
    numbers: HashMap<String, usize>,
}

impl Names {
    fn number(&mut self, name: &str) -> usize {
        if let Some(&n) = self.numbers.get(name) {
            return n;
        }
        let n = self.numbers.len();
        self.numbers.insert(name.to_owned(), n);
        n
    }

    /// The names sorted, and for each old number its new one.
    fn sorted(self) -> (Vec<String>, Vec<usize>) {
        let mut pairs: Vec<(String, usize)> = self.numbers.into_iter().collect();
        pairs.sort();
        let mut renumbered = vec![0; pairs.len()];
        for (new, (_, old)) in pairs.iter().enumerate() {
            renumbered[*old] = new;
        }
        (pairs.into_iter().map(|(name, _)| name).collect(), renumbered)
    }
}

/// Fills an [`Observations`] row by row.
#[derive(Debug)]
pub struct ObservationsBuilder {
    sentence_layers: Vec<Layer>,
    target_layers: Vec<Layer>,
    outlets: Names,
    events: Names,
    months: Names,
    targets: Names,
    articles: Vec<ArticleFacts>,
    /// By outlet, then by id: two outlets may use the same ids.
    by_id: Vec<HashMap<String, usize>>,
    counts: Vec<u32>,
    mentions: Vec<MentionFacts>,
    by_mention: HashMap<(usize, usize), usize>,
    mention_counts: Vec<u32>,
}

impl ObservationsBuilder {
    fn new(codebook: &Codebook) -> Self {
        Self {
            sentence_layers: codebook.sentence_layers().cloned().collect(),
            target_layers: codebook.target_layers().cloned().collect(),
            outlets: Names::default(),
            events: Names::default(),
            months: Names::default(),
            targets: Names::default(),
            articles: Vec::new(),
            by_id: Vec::new(),
            counts: Vec::new(),
            mentions: Vec::new(),
            by_mention: HashMap::new(),
            mention_counts: Vec::new(),
        }
    }

    /// Adds a sentence. Boilerplate and sentences without scores are left out.
    ///
    /// # Errors
    /// If the scores do not fit the codebook.
    pub fn push(&mut self, row: &SentenceRow) -> Result<()> {
        let Some(scores) = row.layers.as_ref().filter(|_| row.role != Role::Boilerplate) else {
            return Ok(());
        };
        check(&self.sentence_layers, scores, &row.article_id)?;
        let article = self.article(&row.outlet, &row.article_id);
        let facts = &mut self.articles[article];
        facts.duplicate = row.duplicate_group != row.article_id;
        if let Some(event) = row.event.as_deref().filter(|e| !e.trim().is_empty()) {
            facts.event = Some(self.events.number(event));
        }
        if let Some(month) = row.date.as_deref().and_then(month) {
            facts.month = Some(self.months.number(month));
        }
        let width = width(&self.sentence_layers);
        let counts = &mut self.counts[article * width..(article + 1) * width];
        add(counts, &self.sentence_layers, scores);
        Ok(())
    }

    /// Adds a mention of a target. Push the sentences first: the mentions of an article
    /// none of whose sentences was scored are left out.
    ///
    /// # Errors
    /// If the scores do not fit the codebook.
    pub fn push_mention(&mut self, row: &MentionRow) -> Result<()> {
        check(&self.target_layers, &row.layers, &row.article_id)?;
        let outlet = self.outlets.numbers.get(&row.outlet);
        let known = outlet.and_then(|&o| self.by_id.get(o)?.get(&row.article_id));
        let Some(&article) = known else { return Ok(()) };
        let target = self.targets.number(&row.target);
        let width = width(&self.target_layers);
        let next = self.mentions.len();
        let at = *self.by_mention.entry((article, target)).or_insert(next);
        if at == next {
            self.mentions.push(MentionFacts { article, target });
            self.mention_counts.resize((next + 1) * width, 0);
        }
        let counts = &mut self.mention_counts[at * width..(at + 1) * width];
        add(counts, &self.target_layers, &row.layers);
        Ok(())
    }

    /// The number of an article, new or known.
    fn article(&mut self, outlet: &str, id: &str) -> usize {
        let outlet = self.outlets.number(outlet);
        if outlet == self.by_id.len() {
            self.by_id.push(HashMap::new());
        }
        if let Some(&n) = self.by_id[outlet].get(id) {
            return n;
        }
        let n = self.articles.len();
        self.by_id[outlet].insert(id.to_owned(), n);
        self.articles.push(ArticleFacts {
            id: id.to_owned(),
            outlet,
            event: None,
            month: None,
            duplicate: false,
        });
        self.counts.resize((n + 1) * width(&self.sentence_layers), 0);
        n
    }

    /// The finished table.
    pub fn finish(self) -> Observations {
        let (outlets, outlet_numbers) = self.outlets.sorted();
        let (events, event_numbers) = self.events.sorted();
        let (months, month_numbers) = self.months.sorted();
        let (targets, target_numbers) = self.targets.sorted();

        let mut articles = self.articles;
        for a in &mut articles {
            a.outlet = outlet_numbers[a.outlet];
            a.event = a.event.map(|e| event_numbers[e]);
            a.month = a.month.map(|m| month_numbers[m]);
        }
        let mut order: Vec<usize> = (0..articles.len()).collect();
        order.sort_by(|&a, &b| {
            let key = |i: usize| (articles[i].outlet, &articles[i].id);
            key(a).cmp(&key(b))
        });
        let mut renumbered = vec![0; order.len()];
        for (new, &old) in order.iter().enumerate() {
            renumbered[old] = new;
        }

        let mut mentions = self.mentions;
        for m in &mut mentions {
            m.article = renumbered[m.article];
            m.target = target_numbers[m.target];
        }
        let mut mention_order: Vec<usize> = (0..mentions.len()).collect();
        mention_order.sort_by_key(|&i| (mentions[i].article, mentions[i].target));

        Observations {
            counts: rows(&self.counts, &self.sentence_layers, &order),
            mention_counts: rows(&self.mention_counts, &self.target_layers, &mention_order),
            articles: order.iter().map(|&i| articles[i].clone()).collect(),
            mentions: mention_order.iter().map(|&i| mentions[i]).collect(),
            sentence_layers: self.sentence_layers,
            target_layers: self.target_layers,
            outlets,
            events,
            months,
            targets,
        }
    }
}

/// Number of labels of all layers.
pub(super) fn labels(layers: &[Layer]) -> usize {
    layers.iter().map(|l| l.labels.len()).sum()
}

/// Two columns for each label, given and decided, and one for the total.
fn width(layers: &[Layer]) -> usize {
    2 * labels(layers) + 1
}

/// Counts the labels of one sentence or mention.
fn add(counts: &mut [u32], layers: &[Layer], scores: &[Scores]) {
    let (given, rest) = counts.split_at_mut(labels(layers));
    let (decided, total) = rest.split_at_mut(given.len());
    let mut columns = given.iter_mut().zip(decided);
    for (layer, s) in layers.iter().zip(scores) {
        // Where a layer of one label has none, it was withheld: that speaks for no label.
        let any = layer.kind == LayerKind::Multi || !s.labels.is_empty();
        for (j, (given, decided)) in columns.by_ref().take(layer.labels.len()).enumerate() {
            // A label that a table names twice is still one label.
            *given += u32::from(s.labels.contains(&j));
            *decided += u32::from(any && !s.withheld.contains(&j));
        }
    }
    total.iter_mut().for_each(|n| *n += 1);
}

/// The column of the sentences or mentions that a label's share is of, in a table of counts with
/// so many columns.
pub(super) fn denominator(n_columns: usize, n_labels: usize, label: usize) -> usize {
    if n_columns > n_labels + 1 { n_labels + label } else { n_labels }
}

/// The rows of a flat table in a new order. Where nothing was withheld the columns that would
/// tell are left out: resampling costs time by the column.
fn rows(flat: &[u32], layers: &[Layer], order: &[usize]) -> Array2<u32> {
    let (width, n) = (width(layers), labels(layers));
    let whole = |row: &[u32]| row[n..].iter().all(|decided| *decided == row[width - 1]);
    let kept = if flat.chunks_exact(width).all(whole) { n + 1 } else { width };
    let column = |j: usize| if kept == n + 1 && j == n { width - 1 } else { j };
    Array2::from_shape_fn((order.len(), kept), |(i, j)| flat[order[i] * width + column(j)])
}

fn check(layers: &[Layer], scores: &[Scores], article: &str) -> Result<()> {
    let place = || format!("article {article:?}");
    if scores.len() != layers.len() {
        let (given, n) = (scores.len(), layers.len());
        return Err(Error::table(
            place(),
            format!("a row has scores of {given} layers, the codebook has {n}"),
        ));
    }
    for (layer, s) in layers.iter().zip(scores) {
        let n = layer.labels.len();
        if let Some(i) = s.labels.iter().chain(&s.withheld).find(|&&i| i >= n) {
            let message = format!("layer {} has {n} labels, but label {i} was given", layer.name);
            return Err(Error::table(place(), message));
        }
    }
    Ok(())
}

/// `YYYY-MM` of a day `YYYY-MM-DD`, if it is one.
fn month(date: &str) -> Option<&str> {
    chrono::NaiveDate::parse_from_str(date, "%Y-%m-%d").ok()?;
    date.get(..7)
}
