//! The same words, put differently: content words that most outlets share, in sentences
//! that the model labels differently.
//!
//! Done by counting alone. A term (a word stem, or two that stand together) is a
//! candidate if at least three fifths of the outlets use it and few sentences do. It
//! ranks by how evenly the outlets' sentences spread over the labels (entropy), by how rare
//! those labels are, and by how rare the term is. Aligning claims proper is another matter.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::ops::Range;

use super::evidence::Evidence;

/// Most sentences that are looked at.
const MOST_SENTENCES: usize = 8_000;
/// Most words of a sentence that are looked at.
const MOST_WORDS: usize = 120;

/// A term that outlets share, and for each outlet the sentence to show.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct SharedTerm {
    /// The term as it is written most often.
    pub term: String,
    /// The event, where the corpus has several.
    pub event: Option<String>,
    /// Outlets with their sentence: outlet, position in the evidence, characters of the term.
    pub sentences: Vec<(String, usize, Range<usize>)>,
    /// How many sentences of the corpus hold the term.
    pub n_sentences: usize,
    rank: f64,
}

/// Finds at most `most` terms of at least `words` words, the most telling first. `layer` is the
/// position of the single layer whose labels are compared.
pub(super) fn shared_terms(
    evidence: &Evidence,
    layer: usize,
    most: usize,
    words: usize,
) -> Vec<SharedTerm> {
    let mut pools: BTreeMap<Option<&str>, Vec<usize>> = BTreeMap::new();
    for (i, s) in evidence.sentences.iter().enumerate().take(MOST_SENTENCES) {
        pools.entry(s.event.as_deref()).or_default().push(i);
    }
    // A sample of sentences without events holds nothing that was said of the same thing.
    if !evidence.complete {
        pools.remove(&None);
    }
    let several = pools.len() > 1;
    let rarity = label_rarity(evidence, layer);
    let mut terms: Vec<SharedTerm> = pools
        .into_iter()
        .flat_map(|(event, pool)| {
            let event = event.filter(|_| several).map(str::to_owned);
            in_pool(evidence, layer, &pool, &rarity, event)
        })
        .filter(|term| term.term.split_whitespace().count() >= words)
        .collect();
    terms.sort_by(|a, b| b.rank.total_cmp(&a.rank).then_with(|| a.term.cmp(&b.term)));
    let mut kept: Vec<SharedTerm> = Vec::new();
    for term in terms {
        let overlap = |other: &SharedTerm| {
            let theirs: BTreeSet<usize> = other.sentences.iter().map(|s| s.1).collect();
            let same = term.sentences.iter().filter(|s| theirs.contains(&s.1)).count();
            same * 2 >= term.sentences.len().min(theirs.len())
        };
        if kept.len() < most && !kept.iter().any(overlap) {
            kept.push(term);
        }
    }
    kept
}

/// For each label its surprise in this corpus: minus the logarithm of its share.
fn label_rarity(evidence: &Evidence, layer: usize) -> HashMap<usize, f64> {
    let mut n: HashMap<usize, f64> = HashMap::new();
    for ((_, l, label), count) in &evidence.counts {
        if *l == layer {
            *n.entry(*label).or_default() += *count as f64;
        }
    }
    let all: f64 = n.values().sum();
    n.into_iter().map(|(label, k)| (label, -(k / all).ln())).collect()
}

struct Occurrence {
    sentence: usize,
    span: Range<usize>,
}

/// An outlet's sentence with a term.
struct Pick<'a> {
    label: usize,
    p: f32,
    at: &'a Occurrence,
}

fn in_pool(
    evidence: &Evidence,
    layer: usize,
    pool: &[usize],
    rarity: &HashMap<usize, f64>,
    event: Option<String>,
) -> Vec<SharedTerm> {
    let mut outlets = BTreeSet::new();
    let mut found: HashMap<String, Vec<Occurrence>> = HashMap::new();
    for &i in pool {
        let Some(sentence) = evidence.sentences.get(i) else { continue };
        outlets.insert(sentence.outlet.as_str());
        let mut here: HashMap<String, Range<usize>> = HashMap::new();
        for (term, span) in terms(&sentence.text) {
            here.entry(term).or_insert(span);
        }
        for (term, span) in here {
            found.entry(term).or_default().push(Occurrence { sentence: i, span });
        }
    }
    if outlets.len() < 2 {
        return Vec::new();
    }
    let least = (outlets.len() * 3).div_ceil(5).max(2);
    let most_sentences = (pool.len() / 8).max(2 * outlets.len());
    found
        .into_values()
        .filter(|o| o.len() >= least && o.len() <= most_sentences)
        .filter_map(|o| rank(evidence, layer, &o, rarity, least, outlets.len(), pool.len()))
        .map(|term| SharedTerm { event: event.clone(), ..term })
        .collect()
}

fn rank(
    evidence: &Evidence,
    layer: usize,
    occurrences: &[Occurrence],
    rarity: &HashMap<usize, f64>,
    least: usize,
    n_outlets: usize,
    n_pool: usize,
) -> Option<SharedTerm> {
    let mut spelled: BTreeMap<String, usize> = BTreeMap::new();
    let mut options: BTreeMap<&str, Vec<Pick>> = BTreeMap::new();
    let (mut names, mut n_words) = (0, 1);
    for at in occurrences {
        let sentence = evidence.sentences.get(at.sentence)?;
        let written: String =
            sentence.text.chars().skip(at.span.start).take(at.span.len()).collect();
        // A name says whom a sentence is about, not what.
        let named = |word: &str| word.starts_with(char::is_uppercase);
        names += usize::from(at.span.start > 0 && written.split_whitespace().all(named));
        let written = written.split_whitespace().collect::<Vec<_>>().join(" ").to_lowercase();
        n_words = n_words.max(written.split_whitespace().count());
        *spelled.entry(written).or_default() += 1;
        if let Some(&(label, p)) = sentence.labels.get(layer).and_then(|l| l.first()) {
            options.entry(&sentence.outlet).or_default().push(Pick { label, p, at });
        }
    }
    if names * 2 > occurrences.len() {
        return None;
    }
    let best = most_different(options, rarity);
    if best.len() < least {
        return None;
    }
    let mut labels: BTreeMap<usize, f64> = BTreeMap::new();
    for pick in best.values() {
        *labels.entry(pick.label).or_default() += 1.0 / best.len() as f64;
    }
    let entropy: f64 = labels.values().map(|p| -p * p.ln()).sum();
    if entropy <= 0.0 {
        return None;
    }
    // Labels that are rare in the corpus tell more than those that most sentences have.
    let surprise = best.values().filter_map(|pick| rarity.get(&pick.label)).sum::<f64>();
    let surprise = surprise / best.len() as f64;
    let rare = (n_pool as f64 / occurrences.len() as f64).ln();
    let wide = best.len() as f64 / n_outlets as f64;
    // Two words that stand together say more of what is meant than one.
    let sharp = if n_words > 1 { 1.3 } else { 1.0 };
    let term = spelled.into_iter().max_by_key(|(_, n)| *n).map(|(t, _)| t)?;
    Some(SharedTerm {
        term,
        event: None,
        sentences: best
            .into_iter()
            .map(|(outlet, pick)| (outlet.to_owned(), pick.at.sentence, pick.at.span.clone()))
            .collect(),
        n_sentences: occurrences.len(),
        rank: entropy * surprise * rare.sqrt() * wide * sharp,
    })
}

/// Of each outlet the sentence whose label differs most from those of the other outlets:
/// outlets with the least choice first, each takes the label that was taken least often
/// so far, of those the one that is rarest in the corpus, then the surest sentence.
fn most_different<'a>(
    options: BTreeMap<&'a str, Vec<Pick<'a>>>,
    rarity: &HashMap<usize, f64>,
) -> BTreeMap<&'a str, Pick<'a>> {
    let mut order: Vec<(usize, &str, Vec<Pick>)> = options
        .into_iter()
        .map(|(outlet, picks)| {
            let choice: BTreeSet<usize> = picks.iter().map(|p| p.label).collect();
            (choice.len(), outlet, picks)
        })
        .collect();
    order.sort_by_key(|(choice, outlet, _)| (*choice, *outlet));
    let mut taken: HashMap<usize, usize> = HashMap::new();
    let mut best = BTreeMap::new();
    for (_, outlet, picks) in order {
        let rare = |p: &Pick| rarity.get(&p.label).copied().unwrap_or(0.0);
        let chosen = picks.into_iter().max_by(|a, b| {
            let times = |p: &Pick| taken.get(&p.label).copied().unwrap_or(0);
            times(b)
                .cmp(&times(a))
                .then(rare(a).total_cmp(&rare(b)))
                .then(a.p.total_cmp(&b.p))
                .then(b.at.sentence.cmp(&a.at.sentence))
        });
        if let Some(pick) = chosen {
            *taken.entry(pick.label).or_default() += 1;
            best.insert(outlet, pick);
        }
    }
    best
}

/// The terms of a sentence with the characters they stand on: stems of content words,
/// and pairs of neighbours.
fn terms(text: &str) -> Vec<(String, Range<usize>)> {
    let mut words: Vec<(String, Range<usize>)> = Vec::new();
    let mut word = String::new();
    let mut start = 0;
    for (i, c) in text.chars().chain([' ']).enumerate() {
        if c.is_alphabetic() || (c.is_numeric() && !word.is_empty()) {
            if word.is_empty() {
                start = i;
            }
            word.extend(c.to_lowercase());
        } else if matches!(c, '-' | '\u{2010}' | '\u{2011}') && !word.is_empty() {
            // build-up is buildup
        } else if !word.is_empty() {
            words.push((std::mem::take(&mut word), start..i));
            if words.len() >= MOST_WORDS {
                break;
            }
        }
    }
    let mut out = Vec::new();
    let mut before: Option<(String, Range<usize>)> = None;
    for (word, span) in words {
        if !content(&word) {
            before = None;
            continue;
        }
        let stem = stem(&word);
        if let Some((previous, at)) = &before
            && span.start <= at.end + 3
        {
            // Written as one, so that *water grab* and *water-grab* are the same.
            out.push((format!("{previous}{stem}"), at.start..span.end));
        }
        out.push((stem.clone(), span.clone()));
        before = Some((stem, span));
    }
    out
}

/// Cuts the commonest English endings; good enough to put *troop* and *troops* together.
fn stem(word: &str) -> String {
    for (ending, instead) in [("ies", "y"), ("sses", "ss"), ("ing", ""), ("ed", ""), ("s", "")] {
        if let Some(head) = word.strip_suffix(ending)
            && head.chars().count() >= 4
            && !head.ends_with('s')
        {
            return format!("{head}{instead}");
        }
    }
    word.to_owned()
}

fn content(word: &str) -> bool {
    const EMPTY: &str = " about above after again against ahead allow along also although among \
        amid another around because become been before being below between both came cannot come \
        could does doing done down during each even ever every following from further going \
        have having here however into itself just keep last later less like made make many \
        might more most much must near next none nothing once only other others over part \
        rather same should since some still such take taken than that their them then there \
        these they thing this those though through together toward towards under until upon very \
        well went were what when where whether which while whom whose will with within without \
        would year years your week month monday tuesday wednesday thursday friday saturday sunday \
        january february march april june july august september october november december \
        said says saying tell told added stated according asked called ";
    word.chars().count() >= 4 && !EMPTY.contains(&format!(" {word} "))
}

#[cfg(test)]
mod tests {
    use super::super::input::EvidenceSentence;
    use super::*;

    fn sentence(outlet: &str, text: &str, label: usize) -> EvidenceSentence {
        EvidenceSentence {
            outlet: outlet.into(),
            text: text.into(),
            labels: vec![vec![(label, 0.9)]],
            ..EvidenceSentence::default()
        }
    }

    fn evidence(sentences: Vec<EvidenceSentence>) -> Evidence {
        let mut counts = BTreeMap::new();
        for s in &sentences {
            *counts.entry((s.outlet.clone(), 0, s.labels[0][0].0)).or_default() += 1;
        }
        Evidence { total: sentences.len() as u64, sentences, complete: true, counts }
    }

    #[test]
    fn finds_what_is_shared_and_put_differently() {
        let mut sentences = vec![
            sentence("a", "The water grab began in spring.", 0),
            sentence("b", "Critics spoke of an alleged “water-grab” upstream.", 4),
            sentence("b", "The water grab, he said, is over.", 2),
            sentence("c", "The ministry denied that any water grabs took place.", 5),
        ];
        for outlet in ["a", "b", "c"] {
            for i in 0..6 {
                let text = format!("The council of {outlet} met for session number{i} in town.");
                sentences.push(sentence(outlet, &text, 0));
            }
        }
        let phrases = shared_terms(&evidence(sentences.clone()), 0, 3, 2);
        assert!(phrases.iter().all(|t| t.term.contains(' ')), "{phrases:?}");
        let found = shared_terms(&evidence(sentences), 0, 3, 1);
        let first = &found[0];
        assert_eq!(first.term, "water grab");
        let outlets: Vec<_> = first.sentences.iter().map(|s| (s.0.as_str(), s.1)).collect();
        assert_eq!(outlets, [("a", 0), ("b", 1), ("c", 3)]);
        assert!(found.iter().all(|t| !t.term.contains("council")), "every sentence has it");
    }

    #[test]
    fn names_are_no_shared_words() {
        let named = vec![
            sentence("a", "So Orsa Holding spoke of rain.", 0),
            sentence("b", "That Orsa Holding claimed as much is odd.", 4),
        ];
        assert!(shared_terms(&evidence(named), 0, 3, 1).is_empty());
    }

    #[test]
    fn agreement_and_single_outlets_give_nothing() {
        let same = vec![sentence("a", "The bridge fell.", 0), sentence("b", "A bridge fell.", 0)];
        assert!(shared_terms(&evidence(same), 0, 3, 1).is_empty());
        let one = vec![sentence("a", "The bridge fell.", 0), sentence("a", "A bridge fell.", 3)];
        assert!(shared_terms(&evidence(one), 0, 3, 1).is_empty());
    }

    #[test]
    fn joins_hyphens_and_inflections() {
        let of = |text: &str| terms(text).into_iter().map(|t| t.0).collect::<Vec<_>>();
        assert_eq!(of("military build-up"), ["military", "militarybuildup", "buildup"]);
        assert_eq!(of("troops"), of("troop"));
    }
}
