//! Invented corpora for the report's tests: rows as scoring would hand them over, with
//! labels set by hand or by lot, and figures from the real statistics.

#![allow(dead_code)] // each test program uses a part of it

use parallax::corpus::Article;
use parallax::model::codebook::{Codebook, Label, Layer, LayerKind};
use parallax::profile::alignment::{
    Contested, DifferingFact, FactKind, Group, GroupKind, Mark, MarkKind, Member, SentenceKey,
};
use parallax::profile::{self, Observations, Settings};
use parallax::report::claims::Claims;
use parallax::report::evidence::{EvidenceBuilder, Limits};
use parallax::report::input::{ModelInfo, OutletInfo, ReportInput, RunInfo, Word};
use parallax::scoring::rows::{ArticleRow, MentionRow, Scores, SentenceRow};
use parallax::text::Role;
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use std::collections::BTreeSet;

/// Rows of an invented corpus.
pub struct Corpus {
    pub codebook: Codebook,
    pub articles: Vec<ArticleRow>,
    pub sentences: Vec<SentenceRow>,
    pub mentions: Vec<MentionRow>,
    pub targets: Vec<String>,
    pub groups: Option<Vec<Group>>,
    pub words: Option<Vec<Word>>,
}

/// A codebook of the default model's shape.
pub fn codebook() -> Codebook {
    let layer = |name: &str, kind, description: &str, labels: &[(&str, &str)]| Layer {
        name: name.into(),
        kind,
        description: description.into(),
        by_description: false,
        labels: labels
            .iter()
            .map(|(n, d)| Label { name: (*n).into(), description: (*d).into(), ..Label::default() })
            .collect(),
    };
    Codebook {
        name: "test".into(),
        layers: vec![
            layer(
                "engagement",
                LayerKind::Single,
                "How the outlet positions itself toward what the sentence passes on.",
                &[
                    ("assert", "stated in the outlet's own voice"),
                    ("entertain", "own voice, hedged"),
                    ("acknowledge", "passed on from a source by a neutral cue"),
                    ("endorse", "passed on by a cue that commits to its truth"),
                    ("distance", "passed on by a cue that withholds agreement"),
                    ("deny", "presented as rejected or false"),
                ],
            ),
            layer(
                "frames",
                LayerKind::Multi,
                "The policy frames that the sentence evokes.",
                &[
                    ("economic", "costs and benefits"),
                    ("capacity_resources", "means, or lack of them"),
                    ("morality", "duty and ethics"),
                    ("legality_constitutionality", "rights and limits by law"),
                    ("security_defense", "threat and protection"),
                    ("external_regulation_reputation", "relations with others"),
                ],
            ),
            layer(
                "loaded",
                LayerKind::Single,
                "Evaluative words where a neutral word would do.",
                &[("none", "none"), ("own_voice", "the outlet's"), ("quoted", "in a quotation")],
            ),
            layer(
                "stance",
                LayerKind::Target,
                "How the sentence shows the target.",
                &[("unfavourable", ""), ("neutral", ""), ("favourable", "")],
            ),
        ],
    }
}

impl Corpus {
    pub fn new(codebook: Codebook) -> Self {
        Corpus {
            codebook,
            articles: Vec::new(),
            sentences: Vec::new(),
            mentions: Vec::new(),
            targets: Vec::new(),
            groups: None,
            words: None,
        }
    }

    /// A claim: the sentences that begin with one of `beginnings`, each with the part that
    /// carries it and the words that differ.
    pub fn claim(
        &mut self,
        id: u32,
        event: Option<&str>,
        wording: &[(&str, &str, &str, MarkKind)],
    ) {
        let mut members: Vec<Member> = wording
            .iter()
            .map(|(beginning, clause, word, kind)| {
                let row = self.sentences.iter().find(|s| s.text.starts_with(beginning)).unwrap();
                let at = |part: &str| {
                    let byte = row.text.find(part).unwrap();
                    let start = row.text[..byte].chars().count();
                    start..start + part.chars().count()
                };
                Member {
                    sentence: SentenceKey {
                        article_id: row.article_id.clone(),
                        sentence_index: row.sentence_index,
                    },
                    outlet: row.outlet.clone(),
                    span: at(clause),
                    similarity: 0.8,
                    marks: vec![Mark { start: at(word).start, end: at(word).end, kind: *kind }],
                }
            })
            .collect();
        members.sort_by(|a, b| (&a.outlet, &a.sentence).cmp(&(&b.outlet, &b.sentence)));
        let label = |m: &Member| {
            let row = self.sentences.iter().find(|s| {
                s.article_id == m.sentence.article_id
                    && s.sentence_index == m.sentence.sentence_index
            });
            row.unwrap().layers.as_ref().unwrap()[0].labels[0]
        };
        let (held_off, passed_on): (Vec<usize>, Vec<usize>) =
            (0..members.len()).partition(|&i| label(&members[i]) >= 4);
        let all: BTreeSet<String> = self.sentences.iter().map(|s| s.outlet.clone()).collect();
        let absent = all.into_iter().filter(|o| !members.iter().any(|m| m.outlet == *o)).collect();
        let contested = (!held_off.is_empty() && !passed_on.is_empty())
            .then_some(Contested { passed_on, held_off });
        let differing = if id == 0 {
            let values = vec![("two metres".into(), vec![0]), ("three metres".into(), vec![1])];
            vec![DifferingFact { what: FactKind::Number, values }]
        } else {
            Vec::new()
        };
        self.groups.get_or_insert_default().push(Group {
            id,
            event: event.map(Into::into),
            kind: GroupKind::Claim,
            members,
            representative: 0,
            absent,
            contested,
            differing,
        });
    }

    /// A word that sets an outlet apart.
    pub fn word(&mut self, outlet: &str, term: &str, target: Option<&str>, log_odds: f64) {
        self.words.get_or_insert_default().push(Word {
            outlet: outlet.into(),
            scope: if target.is_some() { "around" } else { "all" }.into(),
            target: target.map(Into::into),
            term: term.into(),
            count: 9,
            count_rest: 1,
            n_articles: if log_odds > 2.0 { 1 } else { 6 },
            log_odds,
            z: log_odds * 2.1,
            ..Word::default()
        });
    }

    /// Adds an article of sentences, each with the label of every sentence layer.
    pub fn article(
        &mut self,
        outlet: &str,
        title: &str,
        date: Option<&str>,
        event: Option<&str>,
        url: Option<&str>,
        sentences: &[(&str, Vec<Vec<usize>>)],
    ) {
        let id = format!("{outlet}-{}", self.articles.len());
        let mut start = 0;
        for (i, (text, labels)) in sentences.iter().enumerate() {
            let length = text.chars().count() as u32;
            let layers = self.codebook.sentence_layers().zip(labels);
            let layers = layers.map(|(layer, given)| scores(layer, given, i)).collect();
            self.sentences.push(SentenceRow {
                article_id: id.clone(),
                outlet: outlet.into(),
                date: date.map(Into::into),
                event: event.map(Into::into),
                topic: None,
                sentence_index: i as u32,
                start: Some(start),
                end: Some(start + length),
                text: (*text).into(),
                role: if text.starts_with('“') && text.ends_with('”') {
                    Role::Quote
                } else {
                    Role::Body
                },
                n_tokens: length / 4,
                windowed: false,
                duplicate_group: id.clone(),
                layers: Some(layers),
            });
            for target in &self.targets {
                if let Some(byte) = text.find(target.as_str()) {
                    let at = start + text[..byte].chars().count() as u32;
                    let layer = self.codebook.target_layers().next().unwrap();
                    self.mentions.push(MentionRow {
                        article_id: id.clone(),
                        outlet: outlet.into(),
                        sentence_index: i as u32,
                        target: target.clone(),
                        mention: target.clone(),
                        start: Some(at),
                        end: Some(at + target.chars().count() as u32),
                        layers: vec![scores(layer, &[(i + outlet.len()) % 3], i)],
                    });
                }
            }
            start += length + 1;
        }
        self.articles.push(ArticleRow {
            article: Article {
                id,
                outlet: outlet.into(),
                date: date.map(Into::into),
                title: Some(title.into()),
                url: url.map(Into::into),
                event: event.map(Into::into),
                ..Article::default()
            },
            n_sentences: sentences.len() as u32,
            duplicate_of: None,
        });
    }

    /// The report's input, with real statistics.
    pub fn input(&self, title: &str, limits: Limits) -> ReportInput {
        let mut observations = Observations::builder(&self.codebook);
        self.sentences.iter().for_each(|s| observations.push(s).unwrap());
        self.mentions.iter().for_each(|m| observations.push_mention(m).unwrap());
        let observations = observations.finish();
        let settings = settings();
        let mut evidence = EvidenceBuilder::new(&self.codebook, limits);
        self.mentions.iter().for_each(|m| evidence.mention(m));
        self.sentences.iter().for_each(|s| evidence.sentence(s));
        let mut evidence = evidence.choose();
        self.articles.iter().for_each(|a| evidence.article(a));
        self.mentions.iter().for_each(|m| evidence.mention(m));
        let outlets = observations.outlets().iter().map(|name| {
            let dates = self.articles.iter().filter(|a| a.article.outlet == *name);
            let dates: Vec<_> = dates.filter_map(|a| a.article.date.clone()).collect();
            OutletInfo {
                name: name.clone(),
                n_articles: self.articles.iter().filter(|a| a.article.outlet == *name).count()
                    as u64,
                n_sentences: self.sentences.iter().filter(|s| s.outlet == *name).count() as u64,
                first_date: dates.iter().min().cloned(),
                last_date: dates.iter().max().cloned(),
            }
        });
        ReportInput {
            title: title.into(),
            generated: "22 November 2026".into(),
            codebook: self.codebook.clone(),
            model: ModelInfo {
                name: "test-model".into(),
                version: "0.1".into(),
                hash: "0".repeat(64),
                licence: "Apache-2.0".into(),
                trained_on: "invented sentences".into(),
                figures: vec![("engagement, macro-F1".into(), "0.86".into())],
            },
            run: RunInfo {
                version: "0.1.0".into(),
                device: "cpu".into(),
                n_articles: self.articles.len() as u64,
                n_sentences: self.sentences.len() as u64,
                n_mentions: self.mentions.len() as u64,
                targets: self.targets.clone(),
                targets_discovered: true,
                ..RunInfo::default()
            },
            outlets: outlets.collect(),
            profiles: profile::profiles(&observations, &settings),
            contrasts: profile::contrasts(&observations, &settings).rows,
            target_profiles: profile::target_profiles(&observations, &settings),
            evidence: evidence.finish().unwrap(),
            claims: self.groups.clone().map(Claims::choose),
            words: self.words.clone(),
            explained: false,
            notes: vec!["The corpus is invented.".into()],
        }
    }
}

/// Settings of the statistics, quick enough for tests.
pub fn settings() -> Settings {
    Settings { resamples: 200, permutations: 199, ..Settings::default() }
}

fn scores(layer: &Layer, given: &[usize], seed: usize) -> Scores {
    let sure = 0.55 + (seed % 9) as f32 * 0.05;
    let other = match layer.kind {
        LayerKind::Multi => 0.1,
        _ => (1.0 - sure) / (layer.labels.len() - 1) as f32,
    };
    let p = |i: usize| if given.contains(&i) { sure } else { other };
    Scores {
        probabilities: (0..layer.labels.len()).map(p).collect(),
        labels: given.to_vec(),
        ..Scores::default()
    }
}

/// Four outlets on one council meeting, one article each.
pub fn one_event() -> Corpus {
    let mut corpus = Corpus::new(codebook());
    corpus.targets = vec!["the council".into(), "Orsa".into()];
    let l = |e: usize, f: &[usize], o: usize| vec![vec![e], f.to_vec(), vec![o]];
    let day = Some("2031-05-02");
    corpus.article("Harbour Post", "Orsa draws down the lake", day, None, Some("https://post.example/1"), &[
        ("Orsa is pumping water out of Lake Velm, and the water grab has cost farmers a harvest.", l(0, &[0, 1], 1)),
        ("Engineers showed the council that the level fell by two metres.", l(3, &[1], 0)),
        ("The council meets again on Friday.", l(0, &[], 0)),
        ("Prices for feed may rise before the summer.", l(1, &[0], 0)),
    ]);
    corpus.article(
        "Lakeside News",
        "Orsa rejects ‘water grab’ charge",
        day,
        None,
        Some("javascript:alert(1)"),
        &[
            ("Opponents spoke of a “water grab”allegedly under way at the lake.", l(4, &[1], 0)),
            ("Orsa denied that any water grab took place.", l(5, &[5], 0)),
            ("“We take what the treaty allows,” its minister said.", l(2, &[3], 0)),
            ("He insisted the pumps stood still.", l(4, &[], 0)),
        ],
    );
    corpus.article(
        "The Velm Courier",
        "Council hears engineers",
        day,
        None,
        None,
        &[
            ("The mayor told the council that a water grab was under way.", l(2, &[1, 4], 0)),
            ("According to the engineers, the level fell by two metres.", l(2, &[1], 0)),
            ("“It is theft, and nothing else.”", l(2, &[2], 2)),
            ("Orsa could answer next week.", l(1, &[5], 0)),
        ],
    );
    corpus.article(
        "Valley Radio",
        "Lake level falls",
        day,
        None,
        None,
        &[
            ("The lake has fallen by two metres since March.", l(0, &[1], 0)),
            ("Farmers claim the pumps are to blame for the water shortage.", l(4, &[0], 0)),
            ("Talks between the council and Orsa go on.", l(0, &[5], 0)),
        ],
    );
    corpus
}

/// The same with claims side by side and words.
pub fn aligned() -> Corpus {
    let mut corpus = one_event();
    corpus.claim(
        0,
        None,
        &[
            (
                "Orsa is pumping",
                "the water grab has cost farmers a harvest",
                "water grab",
                MarkKind::Naming,
            ),
            ("Opponents spoke", "“water grab”allegedly under way", "allegedly", MarkKind::Hedge),
            ("The mayor told", "a water grab was under way", "told", MarkKind::ReportingVerb),
            (
                "Farmers claim",
                "the pumps are to blame for the water shortage",
                "claim",
                MarkKind::ReportingVerb,
            ),
        ],
    );
    corpus.claim(
        1,
        None,
        &[
            ("Engineers showed", "the level fell by two metres", "two metres", MarkKind::Figure),
            (
                "According to",
                "the level fell by two metres",
                "According to",
                MarkKind::ReportingVerb,
            ),
            ("The lake has", "fallen by two metres since March", "two metres", MarkKind::Figure),
        ],
    );
    for (outlet, term) in [("Harbour Post", "water grab"), ("Valley Radio", "shortage")] {
        corpus.word(outlet, term, None, 1.4);
        corpus.word(outlet, "harvest", None, 2.2);
        corpus.word(outlet, "pumps", Some("Orsa"), 1.1);
    }
    corpus
}

/// Many articles with claims and words, for the notebook.
pub fn aligned_many() -> Corpus {
    let mut corpus = many(4, 8, 6);
    let first = |outlet: &str| {
        let mine = corpus.sentences.iter().find(|s| s.outlet == outlet);
        mine.unwrap().clone()
    };
    let member = |row: SentenceRow| Member {
        span: 0..row.text.chars().count(),
        sentence: SentenceKey { article_id: row.article_id, sentence_index: row.sentence_index },
        outlet: row.outlet,
        similarity: 1.0,
        marks: vec![Mark { start: 0, end: 3, kind: MarkKind::Naming }],
    };
    let group = |id, outlets: &[&str], contested| Group {
        id,
        event: Some("Lake survey".into()),
        kind: GroupKind::Claim,
        members: outlets.iter().map(|o| member(first(o))).collect(),
        representative: 0,
        absent: Vec::new(),
        contested,
        differing: Vec::new(),
    };
    let sides = Contested { passed_on: vec![0], held_off: vec![1] };
    corpus.groups = Some(vec![
        group(0, &["Outlet A", "Outlet B"], Some(sides)),
        group(1, &["Outlet C", "Outlet D"], None),
    ]);
    corpus.word("Outlet A", "water grab", None, 1.5);
    corpus.word("Outlet A", "pumps", Some("Orsa"), 1.0);
    corpus
}

/// Many articles over months and events, labels by lot with a lean for each outlet.
pub fn many(outlets: usize, articles: usize, sentences: usize) -> Corpus {
    const WHO: [&str; 6] =
        ["The council", "A spokesman", "The mayor", "Orsa", "One engineer", "The board"];
    const CUE: [&str; 6] =
        ["will see that", "may find that", "said", "confirmed", "claimed", "denied that"];
    const WHAT: [&str; 8] = [
        "the pumps ran through the night",
        "the lake lost two metres",
        "prices for feed went up",
        "the treaty covers the northern shore",
        "the new pipe is safe",
        "talks with Orsa failed",
        "farmers were paid on time",
        "the survey was kept from the public",
    ];
    let mut rng = ChaCha8Rng::seed_from_u64(7);
    let mut corpus = Corpus::new(codebook());
    corpus.targets = vec!["Orsa".into(), "The council".into(), "farmers".into()];
    for o in 0..outlets {
        for a in 0..articles {
            let rows: Vec<(String, Vec<Vec<usize>>)> = (0..sentences)
                .map(|s| {
                    let lot: f64 = rng.random();
                    let e = if lot < 0.42 {
                        0
                    } else if lot < 0.75 {
                        2
                    } else {
                        (rng.random_range(0..6usize) + usize::from(o % 3 == 0) * 4).min(5)
                    };
                    let text = format!(
                        "{} {} {} on day {s}.",
                        WHO[rng.random_range(0..6)],
                        CUE[e],
                        WHAT[rng.random_range(0..8)]
                    );
                    let frames =
                        (0..6).filter(|f| rng.random_bool(0.08 + 0.04 * ((f + o) % 3) as f64));
                    (text, vec![vec![e], frames.collect(), vec![usize::from(rng.random_bool(0.2))]])
                })
                .collect();
            let rows: Vec<(&str, _)> = rows.iter().map(|(t, l)| (t.as_str(), l.clone())).collect();
            let date = format!("2031-{:02}-{:02}", 1 + a % 6, 1 + a % 27);
            let event = ["Lake survey", "Pipe vote", "Price inquiry"][a % 3];
            corpus.article(
                &format!("Outlet {}", (b'A' + (o % 26) as u8) as char),
                &format!("Report {a} on the lake"),
                Some(&date),
                Some(event),
                Some("https://news.example/a?b=1&c=2"),
                &rows,
            );
        }
    }
    corpus
}

/// Text that wants to be code, markup or a formula.
pub fn hostile() -> Corpus {
    let mut corpus = Corpus::new(codebook());
    corpus.targets = vec!["<b>T</b>".into(), "=1+1".into()];
    let long = "x".repeat(100_000);
    let l = |e: usize| vec![vec![e], vec![0], vec![0]];
    let outlets = [
        "</script><img src=x onerror=broken()>",
        "=HYPERLINK(\"https://x.example\")",
        "a\u{202e}b",
        "\" onmouseover=\"broken()",
    ];
    for outlet in outlets {
        corpus.article(
            outlet,
            "<!-- <svg onload=broken()> -->",
            Some("2031-01-01<script>"),
            Some("e<script>broken()</script>"),
            Some("javascript:broken()"),
            &[
                ("</script><script>broken()</script>", l(0)),
                ("<img src=x onerror=broken()> claimed <!-- that ", l(4)),
                ("]]> --> </style></textarea></title><iframe src=javascript:broken()>", l(1)),
                ("@SUM(1+1)*cmd|' /C calc'!A0 <b>T</b> =1+1", l(2)),
                ("\u{202e}\u{2066}right to left\u{200f} \u{0}\u{7} end\u{2028}line", l(3)),
                (&long, l(5)),
                ("{{ 7*7 }} {% raw %} ${7*7} \\u003cscript\\u003e", l(0)),
            ],
        );
    }
    let event = Some("e<script>broken()</script>");
    let rows: Vec<SentenceRow> = corpus.sentences.clone();
    let member = |row: &SentenceRow| Member {
        sentence: SentenceKey {
            article_id: row.article_id.clone(),
            sentence_index: row.sentence_index,
        },
        outlet: row.outlet.clone(),
        span: 3..1_000_000,
        similarity: f32::NAN,
        marks: vec![Mark { start: 9, end: 2, kind: MarkKind::Hedge }],
    };
    let group = |id: usize| Group {
        id: id as u32,
        event: event.map(Into::into),
        kind: GroupKind::Quotation,
        members: rows.iter().filter(|r| r.sentence_index == id as u32).map(member).collect(),
        representative: 99,
        absent: vec!["<script>broken()</script>".into()],
        contested: Some(Contested { passed_on: vec![0, 77], held_off: vec![1] }),
        differing: vec![DifferingFact {
            what: FactKind::Actor,
            values: vec![("<img src=x onerror=broken()>".into(), vec![0, 99])],
        }],
    };
    corpus.groups = Some((0..7).map(group).collect());
    for term in ["<script>broken()</script>", "=cmd()", "\u{202e}abc"] {
        corpus.word(outlets[0], term, None, 1.0);
        corpus.word(outlets[1], term, Some("<b>T</b>"), f64::NAN);
    }
    corpus
}
