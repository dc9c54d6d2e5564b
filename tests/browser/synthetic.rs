//! Invented corpora for the report's tests: rows as scoring would hand them over, with
//! labels set by hand or by lot, and figures from the real statistics.

#![allow(dead_code)] // each test program uses a part of it

use parallax::corpus::Article;
use parallax::model::codebook::{Codebook, Label, Layer, LayerKind};
use parallax::profile::{self, Observations, Settings};
use parallax::report::evidence::{EvidenceBuilder, Limits};
use parallax::report::input::{ModelInfo, OutletInfo, ReportInput, RunInfo};
use parallax::scoring::rows::{ArticleRow, MentionRow, Scores, SentenceRow};
use parallax::text::Role;
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

/// Rows of an invented corpus.
pub struct Corpus {
    pub codebook: Codebook,
    pub articles: Vec<ArticleRow>,
    pub sentences: Vec<SentenceRow>,
    pub mentions: Vec<MentionRow>,
    pub targets: Vec<String>,
}

/// A codebook of the default model's shape.
pub fn codebook() -> Codebook {
    let layer = |name: &str, kind, description: &str, labels: &[(&str, &str)]| Layer {
        name: name.into(),
        kind,
        description: description.into(),
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
        }
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
        let settings = Settings { resamples: 200, permutations: 199, ..Settings::default() };
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
            notes: vec!["The corpus is invented.".into()],
        }
    }
}

fn scores(layer: &Layer, given: &[usize], seed: usize) -> Scores {
    let sure = 0.55 + (seed % 9) as f32 * 0.05;
    let other = match layer.kind {
        LayerKind::Multi => 0.1,
        _ => (1.0 - sure) / (layer.labels.len() - 1) as f32,
    };
    let p = |i: usize| if given.contains(&i) { sure } else { other };
    Scores { probabilities: (0..layer.labels.len()).map(p).collect(), labels: given.to_vec() }
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
    corpus
}
