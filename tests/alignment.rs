//! Alignment against judgements made by hand. Skips where the shared corpora are not
//! beside the checkout; see `tests/alignment/README.md`.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::path::{Path, PathBuf};

use parallax::corpus::ReadOptions;
use parallax::model::predict::Batching;
use parallax::model::{Bundle, Model, PrecisionChoice};
use parallax::pipeline::score::{ScoreOptions, score_corpus};
use parallax::pipeline::{align_folder, measure_folder, read_alignments};
use parallax::profile::alignment::{Clause, Group, SentenceKey, Settings};
use parallax::scoring::tables::Format;
use serde::Deserialize;

type Pair = (SentenceKey, SentenceKey);

#[derive(Deserialize)]
struct Claim {
    claim: String,
    members: Vec<ClaimMember>,
}

#[derive(Deserialize)]
struct ClaimMember {
    article: String,
    sentence: u32,
    start: usize,
    end: usize,
    #[serde(default)]
    passing: bool,
}

#[derive(Deserialize)]
struct Judged {
    a: String,
    i: u32,
    b: String,
    j: u32,
    same: bool,
}

/// Two clauses, as characters of their sentences, judged the same or not.
#[derive(Deserialize)]
struct JudgedClauses {
    corpus: String,
    #[serde(flatten)]
    sentences: Judged,
    a_start: usize,
    a_end: usize,
    b_start: usize,
    b_end: usize,
}

impl JudgedClauses {
    /// Whether one group holds both.
    fn together(&self, groups: &[Group]) -> bool {
        let of = &self.sentences;
        let holds = |g: &Group, article: &str, sentence: u32, from: usize, to: usize| {
            g.members.iter().any(|m| {
                m.sentence.article_id == article
                    && m.sentence.sentence_index == sentence
                    && m.span.start < to
                    && from < m.span.end
            })
        };
        groups.iter().any(|g| {
            holds(g, &of.a, of.i, self.a_start, self.a_end)
                && holds(g, &of.b, of.j, self.b_start, self.b_end)
        })
    }
}

/// A corpus beside the checkout.
fn shared(name: &str) -> Option<PathBuf> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/corpus").join(name);
    if !path.exists() {
        println!("skipped: {} is not there", path.display());
        return None;
    }
    Some(path)
}

fn model() -> Model {
    let bundle = Bundle::open(&Path::new(env!("CARGO_MANIFEST_DIR")).join("models/default"));
    let (devices, precision) = ([candle_core::Device::Cpu], PrecisionChoice::Auto);
    Model::load_for_scoring(&bundle.unwrap(), &devices, precision).unwrap()
}

fn scored(input: PathBuf, model: &Model) -> tempfile::TempDir {
    let out = tempfile::tempdir().unwrap();
    let options = ScoreOptions {
        read: ReadOptions::default(),
        targets: Vec::new(),
        n_targets: 0,
        batching: Batching::for_device(&candle_core::Device::Cpu),
        format: Format::Parquet,
        vectors: true,
        min_confidence: None,
    };
    score_corpus(&[input], model, "test", out.path(), &options, &|_| {}).unwrap();
    out
}

fn aligned(dir: &Path, model: &Model, likeness: Option<f32>) -> Vec<Group> {
    let summary = align_folder(dir, model, &Settings { likeness }).unwrap();
    assert!(summary.with_vectors);
    assert_eq!(read_alignments(dir).unwrap(), summary.groups);
    summary.groups
}

/// Pairs of sentences of different outlets that stand in one group.
fn proposed(groups: &[Group]) -> BTreeSet<Pair> {
    let mut pairs = BTreeSet::new();
    for group in groups {
        for a in &group.members {
            for b in group.members.iter().filter(|b| b.outlet != a.outlet) {
                if a.sentence < b.sentence {
                    pairs.insert((a.sentence.clone(), b.sentence.clone()));
                }
            }
        }
    }
    pairs
}

/// Pairs of the gold table, one outlet an article; without those only named in passing
/// if `reported`.
fn gold(claims: &[Claim], reported: bool) -> BTreeSet<Pair> {
    let key =
        |m: &ClaimMember| SentenceKey { article_id: m.article.clone(), sentence_index: m.sentence };
    let mut pairs = BTreeSet::new();
    for claim in claims {
        for a in &claim.members {
            for b in claim.members.iter().filter(|b| b.article > a.article) {
                if !(reported && (a.passing || b.passing)) {
                    pairs.insert((key(a), key(b)));
                }
            }
        }
    }
    pairs
}

/// Precision, recall and F1.
fn f1(proposed: &BTreeSet<Pair>, gold: &BTreeSet<Pair>) -> (f64, f64, f64) {
    let both = proposed.intersection(gold).count() as f64;
    let precision = both / proposed.len().max(1) as f64;
    let recall = both / gold.len().max(1) as f64;
    (precision, recall, 2.0 * precision * recall / (precision + recall).max(1e-9))
}

#[test]
fn the_press_conference_is_aligned() {
    let claims: Vec<Claim> = serde_json::from_str(include_str!("alignment/nato.json")).unwrap();
    assert!(claims.len() >= 10);
    for claim in &claims {
        let sound = claim.members.iter().all(|m| m.start < m.end);
        assert!(sound && claim.members.len() > 1, "{}", claim.claim);
    }
    let Some(input) = shared("nato-2022-01-07.jsonl") else { return };
    let model = model();
    let folder = scored(input, &model);
    let (all, reported) = (gold(&claims, false), gold(&claims, true));
    let mut mixing = Vec::new();
    for likeness in [0.55, 0.45, LOOSE] {
        // The loose one is what so few sentences get by themselves.
        let given = (likeness != LOOSE).then_some(likeness);
        let groups = aligned(folder.path(), &model, given);
        if given.is_none() {
            each_claim_has_its_outlets(&claims, &groups);
            let mixed: Vec<u32> =
                groups.iter().filter(|g| mixes(g, &claims)).map(|g| g.id).collect();
            println!(
                "{} of {} groups mix claims of the table: {mixed:?}",
                mixed.len(),
                groups.len()
            );
            mixing = mixed;
        }
        let pairs = proposed(&groups);
        let (p, r, f) = f1(&pairs, &all);
        println!("likeness {likeness}, all claims: precision {p:.3} recall {r:.3} F1 {f:.3}");
        // What is named in passing need not be found, and may be.
        let passing: BTreeSet<Pair> = all.difference(&reported).cloned().collect();
        let judged: BTreeSet<Pair> = pairs.difference(&passing).cloned().collect();
        let (p, r, f) = f1(&judged, &reported);
        println!("likeness {likeness}, reported claims: precision {p:.3} recall {r:.3} F1 {f:.3}");
        match likeness {
            LOOSE => assert!(f >= 0.78, "F1 {f}"),
            0.45 => assert!(p >= 0.85, "precision {p}"),
            _ => assert!(p >= 0.90, "precision {p}"),
        }
    }
    assert!(mixing.is_empty(), "{mixing:?}");
}

/// What a corpus that can be read whole gets.
const LOOSE: f32 = 0.35;

/// For these claims one group holds every outlet that carries them.
fn each_claim_has_its_outlets(claims: &[Claim], groups: &[Group]) {
    for name in [
        "Russia is massing forces at Ukraine's border",
        "Conflict is a real risk",
        "Ready for arms control or talks, but on both sides",
        "No second-class members",
    ] {
        let claim = claims.iter().find(|c| c.claim == name).expect("it is in the table");
        let carries = |m: &&ClaimMember| !m.passing;
        let outlets: BTreeSet<&str> =
            claim.members.iter().filter(carries).map(|m| m.article.as_str()).collect();
        let most = groups.iter().map(|group| {
            let members = group.members.iter().filter(|m| {
                claim.members.iter().any(|c| {
                    c.article == m.sentence.article_id
                        && c.sentence == m.sentence.sentence_index
                        && c.start < m.span.end
                        && m.span.start < c.end
                })
            });
            members.map(|m| m.sentence.article_id.as_str()).collect::<BTreeSet<&str>>()
        });
        let most = most.max_by_key(BTreeSet::len).unwrap_or_default();
        assert_eq!(most, outlets, "{name}");
    }
}

/// Whether the members of a group that are in the table have no claim in common.
fn mixes(group: &Group, claims: &[Claim]) -> bool {
    let of_member = group.members.iter().map(|m| -> BTreeSet<&str> {
        let here = |c: &ClaimMember| {
            c.article == m.sentence.article_id
                && c.sentence == m.sentence.sentence_index
                && c.start < m.span.end
                && m.span.start < c.end
        };
        let carried = claims.iter().filter(|c| c.members.iter().any(here));
        carried.map(|c| c.claim.as_str()).collect()
    });
    let common = of_member.filter(|claims| !claims.is_empty()).reduce(|a, b| &a & &b);
    common.is_some_and(|common| common.is_empty())
}

#[test]
fn proposed_pairs_of_newswcl50_are_right() {
    let judged: Vec<Judged> =
        serde_json::from_str(include_str!("alignment/newswcl50.json")).unwrap();
    let Some(input) = shared("newswcl50.jsonl") else { return };
    let model = model();
    let folder = scored(input, &model);
    let groups = aligned(folder.path(), &model, None);
    let pairs = proposed(&groups);
    let key = |article: &str, sentence_index: u32| SentenceKey {
        article_id: article.to_owned(),
        sentence_index,
    };
    let still: Vec<&Judged> =
        judged.iter().filter(|j| pairs.contains(&(key(&j.a, j.i), key(&j.b, j.j)))).collect();
    let right = still.iter().filter(|j| j.same).count();
    let precision = right as f64 / still.len().max(1) as f64;
    println!(
        "{right} of {} judged pairs are right: {precision:.3}; {} proposed",
        still.len(),
        pairs.len()
    );
    assert!(still.len() >= 60, "too few of the judged pairs are still proposed");
    assert!(precision >= 0.90, "precision {precision}");
    let held_out: Vec<JudgedClauses> =
        serde_json::from_str(include_str!("alignment/held_out.json")).unwrap();
    let here = held_out.iter().filter(|j| j.corpus == "newswcl50");
    let (same, different): (Vec<_>, Vec<_>) = here.partition(|j| j.sentences.same);
    let together = |of: &[&JudgedClauses]| of.iter().filter(|j| j.together(&groups)).count();
    let (found, mistaken) = (together(&same), together(&different));
    println!(
        "of doubtful pairs of clauses, {found} of {} that are the same are in one group, and \
         {mistaken} of {} that are not",
        same.len(),
        different.len()
    );
    assert!(mistaken * 10 <= different.len(), "{mistaken} of {}", different.len());
}

/// Writes what alignment measures on the judged pairs of clauses, for `alignment/fit.py`, which
/// says how to run it.
#[test]
#[ignore = "writes the measures that the weights are fitted to"]
fn measures_of_judged_clauses() {
    let Ok(out) = std::env::var("PARALLAX_MEASURES") else {
        panic!("PARALLAX_MEASURES must name the file to write");
    };
    let demo = Path::new(env!("CARGO_MANIFEST_DIR")).join("demo/articles.jsonl");
    let wcl50 = shared("newswcl50.jsonl").expect("the weights are fitted to it");
    let model = model();
    let mut lines = Vec::new();
    for (corpus, input) in [("newswcl50", wcl50), ("demo", demo)] {
        let pairs = measure_folder(scored(input, &model).path(), &model).unwrap();
        let measured: HashMap<(&Clause, &Clause), &[(&str, f32)]> =
            pairs.iter().map(|p| ((&p.a, &p.b), p.measures.as_slice())).collect();
        let mut clauses: Vec<&Clause> = pairs.iter().flat_map(|p| [&p.a, &p.b]).collect();
        clauses.sort_by_key(|c| (&c.sentence, c.span.start, c.span.end));
        // Judged by their characters: the clause that covers most of them.
        let nearest = |article: &str, sentence: u32, start: usize, end: usize| {
            let of = clauses.iter().filter(|c| {
                c.sentence.article_id == article && c.sentence.sentence_index == sentence
            });
            let shared = |c: &Clause| c.span.end.min(end).saturating_sub(c.span.start.max(start));
            of.copied().max_by_key(|c| shared(c) * 1000 / c.span.len().max(end - start).max(1))
        };
        for (name, text) in [
            ("clauses", include_str!("alignment/clauses.json")),
            ("held_out", include_str!("alignment/held_out.json")),
        ] {
            let judged: Vec<JudgedClauses> = serde_json::from_str(text).unwrap();
            for j in judged.iter().filter(|j| j.corpus == corpus) {
                let of = &j.sentences;
                let a = nearest(&of.a, of.i, j.a_start, j.a_end);
                let b = nearest(&of.b, of.j, j.b_start, j.b_end);
                let (Some(a), Some(b)) = (a, b) else { continue };
                let Some(measures) = measured.get(&(a, b)).or_else(|| measured.get(&(b, a))) else {
                    continue;
                };
                let measures: BTreeMap<&str, f32> = measures.iter().copied().collect();
                let line = serde_json::json!({"set": name, "same": of.same, "measures": measures});
                lines.push(line.to_string());
            }
        }
    }
    std::fs::write(out, lines.join("\n") + "\n").unwrap();
}
