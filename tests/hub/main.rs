//! Models of the Hub, against a server on the loopback that speaks its protocol.

mod server;

use std::path::{Path, PathBuf};

use assert_cmd::Command;
use candle_core::Device;
use parallax::error::Error;
use parallax::model::checkpoint::CheckpointOptions;
use parallax::model::hub::Settings;
use parallax::model::{Bundle, Model};
use server::{Hub, Oddities, Snapshot, sha256};

const WEIGHTS: &str = "model.safetensors";

fn family(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden/classifiers").join(name)
}

/// A server with one repository, and an empty cache.
fn hub(snapshot: Snapshot) -> (Hub, tempfile::TempDir) {
    let hub = Hub::start();
    hub.serve("lab/model@main", snapshot);
    (hub, tempfile::tempdir().expect("a folder"))
}

fn settings(hub: &Hub, cache: &tempfile::TempDir) -> Settings {
    Settings {
        endpoint: hub.endpoint.clone(),
        cache: cache.path().join("hub"),
        token: None,
        offline: false,
        observer: None,
    }
}

fn open(model: &str, settings: Settings) -> Result<Bundle, Error> {
    Bundle::find(model, &CheckpointOptions::default(), || Ok(settings))
}

fn told(outcome: Result<Bundle, Error>, words: &str) {
    let Err(error) = outcome else { panic!("it opened, and {words:?} was expected") };
    assert!(error.to_string().contains(words), "{error}");
    assert!(error.hint().is_some(), "{error}");
}

#[test]
fn a_checkpoint_is_fetched_once() {
    let (hub, cache) = hub(Snapshot::of(&family("deberta-v3"), 'a'));
    let settings = || settings(&hub, &cache);
    let bundle = open("lab/model", settings()).expect("it opens");
    assert_eq!((bundle.meta.name.as_str(), bundle.meta.version.len()), ("lab/model", 40));
    assert_eq!(bundle.meta.codebook.layers[0].name, "model");
    assert_eq!(bundle.weights, std::fs::read(family("deberta-v3").join(WEIGHTS)).expect("a file"));
    Model::load(&bundle, &Device::Cpu).expect("it loads");
    assert!(hub.requests().iter().any(|r| r.starts_with("cdn GET")));

    // A branch may have moved: one question. A commit cannot: none.
    let again = open("lab/model", settings()).expect("it opens");
    assert_eq!(again.hash(), bundle.hash());
    let asked = hub.requests();
    assert!(asked.iter().all(|r| r.starts_with("HEAD") && r.contains("config.json")), "{asked:?}");
    let pinned = format!("lab/model@{}", bundle.meta.version);
    assert_eq!(open(&pinned, settings()).expect("it opens").hash(), bundle.hash());
    assert_eq!(hub.requests(), Vec::<String>::new());

    let offline = Settings { offline: true, ..settings() };
    assert_eq!(open("lab/model", offline.clone()).expect("it opens").hash(), bundle.hash());
    told(open("lab/other", offline.clone()), "HF_HUB_OFFLINE");
    told(open("lab/model@v2", offline), "HF_HUB_OFFLINE");
    assert_eq!(hub.requests(), Vec::<String>::new());

    // Where nobody answers, the cache does.
    let nobody = Settings { endpoint: "http://127.0.0.1:9".into(), ..settings() };
    assert_eq!(open("lab/model", nobody.clone()).expect("it opens").hash(), bundle.hash());
    told(open("lab/other", nobody), "cannot be reached");
}

#[test]
fn revisions_are_told_apart_and_a_branch_is_followed() {
    let (hub, cache) = hub(Snapshot::of(&family("bert"), 'a'));
    hub.serve("lab/model@refs/pr/3", Snapshot::of(&family("mpnet"), 'b'));
    let open = |model: &str| open(model, settings(&hub, &cache));
    let main = open("lab/model").expect("it opens");
    let proposed = open("lab/model@refs/pr/3").expect("it opens");
    assert_eq!(proposed.meta.version, "b".repeat(40));
    assert_ne!(proposed.hash(), main.hash());
    told(open("lab/model@v9"), "no such revision");
    hub.serve("lab/model@main", Snapshot::of(&family("roberta"), 'c'));
    assert_eq!(open("lab/model").expect("it opens").meta.version, "c".repeat(40));
}

#[test]
fn a_log_in_is_asked_for_and_kept_to_the_hub() {
    let (hub, cache) = hub(Snapshot::of(&family("bert"), 'a'));
    hub.oddities(Oddities { token: Some("secret".into()), ..Default::default() });
    let without = open("lab/model", settings(&hub, &cache));
    assert!(without.as_ref().is_err_and(|e| e.hint().is_some_and(|h| h.contains("HF_TOKEN"))));
    told(without, "log-in");
    let wrong = Settings { token: Some("other".into()), ..settings(&hub, &cache) };
    told(open("lab/model", wrong), "shows no such repository");
    hub.requests();
    let right = Settings { token: Some("secret".into()), ..settings(&hub, &cache) };
    open("lab/model", right).expect("it opens");
    let (elsewhere, here): (Vec<String>, Vec<String>) =
        hub.requests().into_iter().partition(|r| r.starts_with("cdn"));
    assert!(
        !elsewhere.is_empty() && elsewhere.iter().all(|r| !r.contains("secret")),
        "{elsewhere:?}"
    );
    assert!(here.iter().all(|r| r.ends_with("Bearer secret")), "{here:?}");
}

#[test]
fn a_download_is_taken_up_where_it_broke_off() {
    let (hub, cache) = hub(Snapshot::of(&family("bert"), 'a'));
    hub.oddities(Oddities { breaks_off: Some((20_000, 3)), ..Default::default() });
    open("lab/model", settings(&hub, &cache)).expect("it opens");
    let ranges: Vec<String> =
        hub.requests().into_iter().filter(|r| r.starts_with("cdn GET")).collect();
    let starts = ["", "bytes=20000-", "bytes=40000-"];
    for (range, start) in ranges.iter().zip(starts) {
        assert!(range.contains(start), "{ranges:?}");
    }
    assert_eq!(ranges.len(), 3);
}

/// A folder like the cache of a run that was killed: a part of the weights is there.
fn left_behind(cache: &tempfile::TempDir, part: &[u8]) {
    let weights = std::fs::read(family("bert").join(WEIGHTS)).expect("a file");
    let blobs = cache.path().join("hub/models--lab--model/blobs");
    std::fs::create_dir_all(&blobs).expect("a folder");
    std::fs::write(blobs.join(format!("{}.part", sha256(&weights))), part).expect("a file");
}

#[test]
fn what_an_earlier_run_left_is_used_if_it_is_of_the_same_file() {
    let weights = std::fs::read(family("bert").join(WEIGHTS)).expect("a file");
    let too_long = [weights.clone(), vec![1]].concat();
    for (part, first) in [
        (&weights[..30_000], "bytes=30000-"),
        (&[7; 30_000][..], "bytes=30000-"),
        (&too_long[..], ""),
        (&weights[..], "none"),
    ] {
        let (hub, cache) = hub(Snapshot::of(&family("bert"), 'a'));
        left_behind(&cache, part);
        assert_eq!(open("lab/model", settings(&hub, &cache)).expect("it opens").weights, weights);
        let fetched: Vec<String> =
            hub.requests().into_iter().filter(|r| r.starts_with("cdn GET")).collect();
        match fetched.first() {
            Some(request) => assert!(request.contains(first), "{fetched:?}"),
            None => assert_eq!(first, "none"),
        }
    }
    // A server that knows no ranges sends the whole file again.
    let (hub, cache) = hub(Snapshot::of(&family("bert"), 'a'));
    hub.oddities(Oddities { no_ranges: true, ..Default::default() });
    left_behind(&cache, &weights[..30_000]);
    assert_eq!(open("lab/model", settings(&hub, &cache)).expect("it opens").weights, weights);
}

#[test]
fn other_bytes_than_announced_are_refused() {
    let weights = std::fs::read(family("bert").join(WEIGHTS)).expect("a file");
    let mut changed = weights.clone();
    changed[5_000] ^= 1;
    let (hub, cache) = hub(Snapshot::of(&family("bert"), 'a'));
    hub.oddities(Oddities { sends: Some(changed), ..Default::default() });
    told(open("lab/model", settings(&hub, &cache)), "checksum");
    hub.oddities(Oddities { sends: Some([weights, vec![0]].concat()), ..Default::default() });
    told(open("lab/model", settings(&hub, &cache)), "more bytes than announced");
    // Nothing of it stays.
    hub.oddities(Oddities::default());
    let bundle = open("lab/model", settings(&hub, &cache)).expect("it opens");

    // Nor does damage to the cache go unseen.
    let blob = cache.path().join("hub/models--lab--model/blobs").join(&bundle.meta.weights_sha256);
    let mut bytes = std::fs::read(&blob).expect("it is there");
    bytes[1_000] ^= 1;
    std::fs::write(&blob, bytes).expect("it is written");
    told(open("lab/model", settings(&hub, &cache)), "damaged");
}

#[test]
fn nothing_is_written_outside_the_cache() {
    let (hub, cache) = hub(Snapshot::of(&family("bert"), 'a'));
    for oddities in [
        Oddities { etag: Some("../../../../escaped".into()), ..Default::default() },
        Oddities { commit: Some("../../../escaped".into()), ..Default::default() },
        Oddities { commit: Some("/escaped".into()), ..Default::default() },
        Oddities { etag: Some("..".into()), ..Default::default() },
    ] {
        hub.oddities(oddities);
        let Err(error) = open("lab/model", settings(&hub, &cache)) else { panic!("it opened") };
        assert!(error.to_string().contains("does not answer as the Hub does"), "{error}");
    }
    let mut snapshot = Snapshot::of(&family("bert"), 'a');
    snapshot.files.remove(WEIGHTS);
    let index = br#"{"weight_map": {"x": "../../../escaped.safetensors"}}"#;
    snapshot.files.insert(format!("{WEIGHTS}.index.json"), index.to_vec());
    hub.serve("lab/sharded@main", snapshot);
    hub.oddities(Oddities::default());
    let Err(error) = open("lab/sharded", settings(&hub, &cache)) else { panic!("it opened") };
    assert!(error.to_string().contains("no name of a file"), "{error}");
    let outside: Vec<_> = walkdir::WalkDir::new(cache.path())
        .into_iter()
        .flatten()
        .filter(|e| e.file_name().to_string_lossy().contains("escaped"))
        .collect();
    assert!(outside.is_empty(), "{outside:?}");
    let top: Vec<_> = std::fs::read_dir(cache.path()).expect("it is there").flatten().collect();
    assert_eq!(top.len(), 1);
}

#[test]
fn weights_in_several_files_are_put_together() {
    let folder = family("bert");
    let weights = std::fs::read(folder.join(WEIGHTS)).expect("a file");
    let tensors = safetensors::SafeTensors::deserialize(&weights).expect("it is whole");
    let mut names = tensors.names();
    names.sort_unstable();
    let (first, second) = names.split_at(names.len() / 2);
    let shard = |names: &[&str]| {
        let picked = names.iter().map(|n| (*n, tensors.tensor(n).expect("it is there")));
        safetensors::serialize(picked, None).expect("it is written")
    };
    let place = |n: &&str| if first.contains(n) { "one.safetensors" } else { "two.safetensors" };
    let map: serde_json::Map<String, serde_json::Value> =
        names.iter().map(|n| ((*n).to_owned(), place(n).into())).collect();
    let index = serde_json::json!({"metadata": {}, "weight_map": map}).to_string();
    let mut snapshot = Snapshot::of(&folder, 'a');
    snapshot.files.remove(WEIGHTS);
    snapshot.files.insert("one.safetensors".into(), shard(first));
    snapshot.files.insert("two.safetensors".into(), shard(second));
    snapshot.files.insert(format!("{WEIGHTS}.index.json"), index.into_bytes());
    let (hub, cache) = hub(snapshot.clone());
    let joined = open("lab/model", settings(&hub, &cache)).expect("it opens");
    let whole = open(&folder.display().to_string(), settings(&hub, &cache)).expect("it opens");
    let logits = |bundle: &Bundle| {
        let model = Model::load(bundle, &Device::Cpu).expect("it loads");
        let prepared = model.prepare("The council closed the bridge.", &[]).expect("it is cut");
        model.predict(&[&prepared.units[0]]).expect("it runs")[0].layers.clone()
    };
    assert_eq!(logits(&joined), logits(&whole));
    // A file of them is missing.
    snapshot.files.remove("two.safetensors");
    snapshot.commit = "d".repeat(40);
    hub.serve("lab/half@main", snapshot);
    let half = open("lab/half", settings(&hub, &cache));
    assert!(half.is_err_and(|e| e.to_string().contains("two.safetensors")));
}

#[test]
fn what_cannot_be_read_is_told() {
    let (hub, cache) = hub(Snapshot::of(&family("bert"), 'a'));
    let without = |id: &str, commit: char, missing: &[&str], instead: Option<(&str, &[u8])>| {
        let mut snapshot = Snapshot::of(&family("bert"), commit);
        missing.iter().for_each(|m| drop(snapshot.files.remove(*m)));
        snapshot.files.extend(instead.map(|(name, data)| (name.to_owned(), data.to_vec())));
        hub.serve(&format!("{id}@main"), snapshot);
        open(id, settings(&hub, &cache))
    };
    told(without("a/a", 'b', &[WEIGHTS], Some(("pytorch_model.bin", b"x"))), "pickle");
    told(without("a/b", 'c', &["tokenizer.json"], None), "no tokenizer.json");
    told(without("a/c", 'd', &["config.json"], None), "no config.json");
    let t5 = br#"{"model_type": "t5", "architectures": ["T5ForSequenceClassification"]}"#;
    told(without("a/d", 'e', &[], Some(("config.json", t5))), "\"t5\"");
    let masked = br#"{"model_type": "bert", "architectures": ["BertForMaskedLM"]}"#;
    told(without("a/e", 'f', &[], Some(("config.json", masked))), "BertForMaskedLM");
    told(open("nobody/nothing", settings(&hub, &cache)), "no such repository");
    let bare = without("a/f", '1', &[WEIGHTS], None);
    assert!(bare.is_err_and(|e| e.to_string().contains("it has no model.safetensors")));
    let nonsense = Settings { endpoint: "hub".into(), ..settings(&hub, &cache) };
    told(open("lab/model", nonsense), "no http address");
    // A page that is no Hub's.
    let mut page = Snapshot::of(&family("bert"), '2');
    page.commit = String::new();
    hub.serve("a/g@main", page);
    let other = open("a/g", settings(&hub, &cache));
    assert!(other.is_err_and(|e| e.to_string().contains("does not answer as the Hub does")));
}

#[test]
fn a_bundle_on_the_hub_is_opened_as_one() {
    let folder = tempfile::tempdir().expect("a folder");
    let options = CheckpointOptions { layer_name: Some("mood".into()), ..Default::default() };
    let place = family("roberta").display().to_string();
    let made = Bundle::find(&place, &options, || panic!("no Hub")).expect("it opens");
    made.write(folder.path()).expect("it is written");
    let (hub, cache) = hub(Snapshot::of(folder.path(), 'a'));
    let bundle = open("lab/model", settings(&hub, &cache)).expect("it opens");
    assert_eq!((bundle.meta.clone(), bundle.hash()), (made.meta.clone(), made.hash()));
    let named = Bundle::find("lab/model", &options, || Ok(settings(&hub, &cache)));
    told(named, "codebook of its own");
}

/// The program, with the server as its Hub.
fn parallax(hub: &Hub, home: &Path) -> Command {
    let mut command = Command::cargo_bin("parallax").expect("it is built");
    command
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .env_remove("HF_TOKEN")
        .env_remove("HF_HUB_CACHE")
        .env_remove("HF_HUB_OFFLINE")
        .env("HF_ENDPOINT", &hub.endpoint)
        .env("HF_HOME", home);
    command
}

fn read(path: &Path) -> String {
    std::fs::read_to_string(path).unwrap_or_else(|e| panic!("{}: {e}", path.display()))
}

#[test]
fn the_program_scores_with_a_model_of_the_hub() {
    let (hub, home) = hub(Snapshot::of(&family("modernbert"), 'a'));
    let out = home.path().join("scored");
    let score = |offline: &str| {
        let mut command = parallax(&hub, home.path());
        command.args(["score", "demo", "--force", "--format", "jsonl", "--model", "lab/model"]);
        command.args(["--layer-name", "device", "--out"]).arg(&out);
        command.env("HF_HUB_OFFLINE", offline);
        command
    };
    score("0").assert().success();
    let first = read(&out.join("sentences.jsonl"));
    let row: serde_json::Value =
        serde_json::from_str(first.lines().next().expect("a row")).expect("it is JSON");
    assert!(["assert", "doubt", "deny"].contains(&row["device"].as_str().expect("a label")));
    assert!(row["device_p_doubt"].is_number());
    let run: serde_json::Value =
        serde_json::from_str(&read(&out.join("run.json"))).expect("it is JSON");
    assert_eq!(run["model"]["uncalibrated"], serde_json::json!(["device"]));
    assert_eq!(run["model"]["name"], "lab/model");
    assert_eq!(run["model"]["version"], "a".repeat(40));
    assert!(run["model"].get("zero_shot").is_none());
    // The cache is where HF_HOME says, and enough.
    assert!(home.path().join("hub/models--lab--model").is_dir());
    hub.requests();
    score("1").assert().success();
    assert_eq!(read(&out.join("sentences.jsonl")), first);
    assert_eq!(hub.requests(), Vec::<String>::new());
}

#[test]
fn the_program_compares_by_hypotheses() {
    let (hub, home) = hub(Snapshot::of(&family("xlm-roberta"), 'a'));
    let out = home.path().join("compared");
    let mut command = parallax(&hub, home.path());
    command.args(["compare", "demo", "--model", "lab/model", "--top-targets", "2"]);
    command.args(["--hypothesis", "critical=The sentence is critical of {target}."]);
    command.args(["--hypothesis", "money=The text is about money."]);
    command.args(["--resamples", "100", "--permutations", "100", "--out"]).arg(&out);
    command.assert().success();
    let run: serde_json::Value =
        serde_json::from_str(&read(&out.join("run.json"))).expect("it is JSON");
    let hypothesis = "The sentence is critical of {target}.";
    assert_eq!(run["model"]["zero_shot"]["critical"], hypothesis);
    assert!(run["counts"]["mentions"].as_u64().expect("a number") > 0);
    let report = read(&out.join("report.html"));
    assert!(
        report.contains("Zero-shot: critical")
            && report.contains("Not calibrated: critical, money")
    );
}
