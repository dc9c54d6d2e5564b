//! `parallax train` as a user runs it, on a handful of invented sentences and the default
//! model's own encoder.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use candle_core::Device;
use parallax::model::weights::Storage;
use parallax::model::{Bundle, Model};

/// A codebook, a recipe and labelled rows in a folder of their own.
struct Bench {
    dir: tempfile::TempDir,
}

impl Bench {
    fn new(optimizer: &str, more: &str) -> Self {
        let bench = Bench { dir: tempfile::tempdir().unwrap() };
        let write = |name: &str, text: &str| std::fs::write(bench.at(name), text).unwrap();
        write(
            "codebook.toml",
            "name = \"mine\"\n[[layer]]\nname = \"weather\"\nkind = \"single\"\n\
             labels = [{ name = \"wet\" }, { name = \"dry\" }]\n",
        );
        let recipe = format!(
            "name = \"mine\"\nversion = \"1\"\nbase = \"models/default\"\nlicence = \"CC0-1.0\"\n\
             blocks = 1\ncodebook = \"codebook.toml\"\n[optimizer]\nbatch_size = 8\nfreeze_words = true\n\
             {optimizer}\n[dev]\nshare = 0.3\n{more}\n[[data]]\npath = \"rows.jsonl\"\n"
        );
        write("recipe.toml", &recipe);
        let rows: String = (0..40)
            .map(|i| {
                let (label, what) = [("wet", "Rain fell on"), ("dry", "Drought gripped")][i % 2];
                format!("{{\"text\": \"{what} valley number {i}.\", \"weather\": \"{label}\"}}\n")
            })
            .collect();
        write("rows.jsonl", &rows);
        bench
    }

    fn at(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    fn train(&self, out: &str, more: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_parallax"));
        command.arg("train").arg(self.at("recipe.toml"));
        command.arg("--data").arg(self.dir.path()).arg("--out").arg(self.at(out)).args(more);
        command.current_dir(env!("CARGO_MANIFEST_DIR"));
        command.stdout(Stdio::piped()).stderr(Stdio::piped());
        command
    }

    fn bundle(&self, name: &str) -> Bundle {
        Bundle::open(&self.at(name)).unwrap()
    }
}

/// Runs it and returns what it wrote to both streams.
fn run(mut command: Command, code: i32) -> String {
    let output = command.output().unwrap();
    let text = [output.stdout, output.stderr].concat();
    let text = String::from_utf8_lossy(&text).into_owned();
    assert_eq!(output.status.code(), Some(code), "{text}");
    text
}

fn files(folder: &Path) -> Vec<String> {
    let entries = std::fs::read_dir(folder).unwrap();
    let mut names: Vec<String> =
        entries.map(|e| e.unwrap().file_name().to_string_lossy().into_owned()).collect();
    names.sort();
    names
}

#[test]
fn trains_a_layer_of_ones_own() {
    let bench = Bench::new("epochs = 3", "");
    run(bench.train("model", &[]), 0);
    // The bundle can be opened, measured and trained again only with --force.
    let mut evaluate = Command::new(env!("CARGO_BIN_EXE_parallax"));
    evaluate.arg("evaluate").arg(bench.at("model")).arg(bench.at("rows.jsonl"));
    assert!(run(evaluate, 0).contains("weather"));
    assert!(run(bench.train("model", &[]), 1).contains("--force"));
    // One block of the base was asked for; its weights are kept as they are in the base.
    let bundle = bench.bundle("model");
    assert_eq!(Storage::of(&bundle.weights), Storage::of(&Bundle::embedded().unwrap().weights));
    let mut model = Model::load(&bundle, &Device::Cpu).unwrap();
    assert_eq!(model.encoder_depth(), 1);
    assert!(model.parameters_mut().iter().any(|(name, _)| name == "layers.weather.output.bias"));
}

#[test]
fn an_interrupted_run_ends_where_it_would_have() {
    let bench = Bench::new("epochs = 8\npatience = 0", "");
    run(bench.train("whole", &[]), 0);
    let checkpoint = bench.at("halted").join("mine.checkpoint.safetensors");
    let mut child = bench.train("halted", &[]).spawn().unwrap();
    while !checkpoint.exists() {
        assert!(child.try_wait().unwrap().is_none(), "it ended before a checkpoint was seen");
        std::thread::sleep(std::time::Duration::from_millis(2));
    }
    child.kill().unwrap();
    child.wait().unwrap();
    assert!(!bench.at("halted").join("parallax.toml").exists(), "it was done before it was killed");
    assert!(run(bench.train("halted", &[]), 1).contains("--resume"));
    assert!(run(bench.train("halted", &["--resume"]), 0).contains("going on after step"));
    let [whole, halted] = ["whole", "halted"].map(|name| bench.bundle(name).meta.weights_sha256);
    assert_eq!(whole, halted);
    // Nothing of the interruption is left.
    assert_eq!(files(&bench.at("halted")), files(&bench.at("whole")));
}

/// A checkpoint belongs to one recipe.
#[test]
fn a_checkpoint_of_another_run_is_refused() {
    let bench = Bench::new("epochs = 1", "");
    std::fs::create_dir(bench.at("model")).unwrap();
    let checkpoint = bench.at("model").join("mine.checkpoint.safetensors");
    std::fs::write(&checkpoint, "nothing").unwrap();
    let text = run(bench.train("model", &["--resume"]), 1);
    assert!(text.contains("mine.checkpoint.safetensors") && text.contains("--force"), "{text}");
    run(bench.train("model", &["--force"]), 0);
}

#[test]
fn learns_from_a_teacher_and_keeps_the_vectors() {
    let distillation =
        "[distillation]\nunlabelled = [\"articles.jsonl\"]\nsentences = 12\nhints = 1.0\n";
    let bench = Bench::new("epochs = 2\nkeep_vectors = 1.0", distillation);
    let articles: String = (0..10)
        .map(|i| {
            let text =
                format!("Rain fell on the town of Sael {i}. Drought gripped Ketria {i} too.");
            serde_json::json!({"outlet": "Post", "text": text}).to_string() + "\n"
        })
        .collect();
    std::fs::write(bench.at("articles.jsonl"), articles).unwrap();
    assert!(run(bench.train("student", &[]), 1).contains("--teacher"));
    let plain = Bench::new("epochs = 3", "");
    run(plain.train("teacher", &[]), 0);
    let teacher = plain.at("teacher");
    let text = run(bench.train("student", &["--teacher", teacher.to_str().unwrap()]), 0);
    assert!(text.contains("12 unlabelled sentences"), "{text}");
    let student = bench.bundle("student");
    assert_eq!(student.meta.training["n_unlabelled"].as_integer(), Some(12));
    let taught_by = student.meta.training["teacher"].as_str().unwrap();
    assert!(taught_by.contains(&plain.bundle("teacher").meta.weights_sha256), "{taught_by}");
    // The map fits the weights, or the model could not be loaded.
    assert!(student.vector_map.is_some());
    Model::load(&student, &Device::Cpu).unwrap();
    assert!(!files(&bench.at("student")).iter().any(|f| f.contains("teacher")));
}

/// Without epochs the weights stay, and are calibrated on the part kept apart.
#[test]
fn a_recipe_without_epochs_calibrates_what_is_there() {
    let trained = Bench::new("epochs = 3", "");
    run(trained.train("model", &[]), 0);
    let before = trained.bundle("model");
    let again = Bench::new("epochs = 0", "");
    run(again.train("model", &["--base", trained.at("model").to_str().unwrap()]), 0);
    let after = again.bundle("model");
    assert_eq!(after.meta.weights_sha256, before.meta.weights_sha256);
    // The same dev part is drawn, so the same temperature comes out.
    assert_eq!(after.meta.calibration, before.meta.calibration);
    let recorded = &after.meta.training;
    assert_eq!(recorded["n_dev"], before.meta.training["n_dev"]);
    assert!(!recorded.contains_key("n_train"), "nothing was trained on: {recorded:?}");
    assert!(run(again.train("measured", &["--folds", "2"]), 1).contains("nothing to validate"));
    // The default model has other layers: its encoder alone has nothing to calibrate.
    let refused = run(again.train("other", &[]), 1);
    assert!(
        refused.contains("cannot be calibrated") && refused.contains("epochs = 0"),
        "{refused}"
    );
}

/// Rows of the kind that `--codebook` learns from, with another layer's labels.
fn colours(bench: &Bench) -> PathBuf {
    let codebook = "name = \"colours\"\n[[layer]]\nname = \"colour\"\nkind = \"single\"\n\
                    labels = [{ name = \"red\" }, { name = \"green\" }]\n";
    std::fs::write(bench.at("colours.toml"), codebook).unwrap();
    let rows: String = (0..40)
        .map(|i| {
            let (label, what) = [("red", "A red flag flew"), ("green", "Green meadows lay")][i % 2];
            format!("{{\"text\": \"{what} over harbour {i}.\", \"colour\": \"{label}\"}}\n")
        })
        .collect();
    let path = bench.at("colours.jsonl");
    std::fs::write(&path, rows).unwrap();
    path
}

fn without_recipe(bench: &Bench, out: &str, more: &[&str]) -> Command {
    let rows = colours(bench);
    let mut command = Command::new(env!("CARGO_BIN_EXE_parallax"));
    command.arg("train").arg("--codebook").arg(bench.at("colours.toml"));
    command.arg("--labelled").arg(rows).arg("--out").arg(bench.at(out)).args(more);
    command
}

#[test]
fn an_added_layer_leaves_the_others_alone() {
    let bench = Bench::new("epochs = 1", "");
    run(without_recipe(&bench, "extended", &["--add-to", "default"]), 0);
    let (old, new) = (Bundle::embedded().unwrap(), bench.bundle("extended"));
    let layers: Vec<&str> = new.meta.codebook.layers.iter().map(|l| l.name.as_str()).collect();
    assert_eq!(layers.last(), Some(&"colour"));
    let [before, after] = [old, new].map(|b| Model::load(&b, &Device::Cpu).unwrap());
    let text = "The ministry denied that a red flag flew over the harbour.";
    let [before, after] = [before, after].map(|model| {
        let prepared = model.prepare(text, std::slice::from_ref(&(13..21))).unwrap();
        let units: Vec<_> = prepared.units.iter().collect();
        let predictions = model.predict(&units).unwrap();
        model.scores(&prepared, &predictions)
    });
    assert_eq!(before.layers[..], after.layers[..before.layers.len()]);
    assert_eq!((before.mentions, before.vector), (after.mentions, after.vector));
    assert_eq!(after.layers.last().unwrap().labels, [0], "red");
    // The same name again would say two things.
    let extended = bench.at("extended");
    let again = without_recipe(&bench, "again", &["--add-to", extended.to_str().unwrap()]);
    assert!(run(again, 1).contains("\"colour\" already"));
}

#[test]
fn a_layer_fine_tuned_with_the_encoder_hurts_the_others_little() {
    let bench = Bench::new("epochs = 1", "");
    let more = ["--add-to", "default", "--fine-tune", "--epochs", "2"];
    let text = run(without_recipe(&bench, "tuned", &more), 0);
    let stayed = text.lines().find(|l| l.contains("that stayed")).unwrap();
    let share = stayed.split("engagement ").nth(1).unwrap().split('%').next().unwrap();
    assert!(share.parse::<f64>().unwrap() >= 80.0, "{stayed}");
    let (old, new) = (Bundle::embedded().unwrap(), bench.bundle("tuned"));
    assert_eq!(new.meta.calibration["engagement"], old.meta.calibration["engagement"]);
    assert!(new.meta.codebook.layer("colour").is_some() && new.vector_map.is_some());
    Model::load(&new, &Device::Cpu).unwrap();
}

#[test]
fn few_sentences_are_learnt_from_pairs_first() {
    let bench = Bench::new("epochs = 5\nencoder_rate = 0.0", "[contrast]\npairs = 4\n");
    let text = run(bench.train("few", &[]), 0);
    assert!(text.contains("weather"), "{text}");
    let bundle = bench.bundle("few");
    assert!(bundle.meta.training.contains_key("contrast"));
    assert_eq!(bundle.meta.training["contrast_pairs"].as_integer(), Some(4));
    assert!(!bundle.meta.training.contains_key("triplet_accuracy"), "nobody asked");
    // So few to choose by cannot tell epochs apart: the last is taken.
    assert_eq!(bundle.meta.training["best_epoch"].as_integer(), Some(5));
    let model = Model::load(&bundle, &Device::Cpu).unwrap();
    let prepared = model.prepare("Drought gripped the villages beside the road.", &[]).unwrap();
    let predictions = model.predict(&[&prepared.units[0]]).unwrap();
    assert_eq!(model.scores(&prepared, &predictions).layers[0].labels, [1], "dry");
    // What was measured on the way is kept.
    let metrics = std::fs::read_to_string(bench.at("few").join("metrics.jsonl")).unwrap();
    assert!(metrics.lines().any(|l| l.contains("dev_f1")), "{metrics}");
    let drawn = std::fs::read_to_string(bench.at("few").join("training.html")).unwrap();
    assert_eq!(drawn.matches("<svg").count(), 2);
}

#[test]
fn pairs_are_few_where_the_base_tells_the_labels_apart() {
    let bench = Bench::new("epochs = 1\nencoder_rate = 0.0", "[contrast]\n");
    run(bench.train("few", &[]), 0);
    // Rain and drought lie apart in the base already.
    let record = bench.bundle("few").meta.training;
    assert_eq!(record["contrast_pairs"].as_integer(), Some(5));
    assert!(record["triplet_accuracy"].as_float().unwrap() >= 0.6, "{record}");
}

#[test]
fn data_written_for_a_recipe_lie_beside_it() {
    let bench = Bench::new("epochs = 1\nencoder_rate = 0.0", "");
    let elsewhere = tempfile::tempdir().unwrap();
    let mut command = Command::new(env!("CARGO_BIN_EXE_parallax"));
    command.arg("train").arg(bench.at("recipe.toml")).arg("--out").arg(bench.at("model"));
    command.arg("--data").arg(elsewhere.path()).current_dir(env!("CARGO_MANIFEST_DIR"));
    assert!(run(command, 0).contains("weather"));
}

#[test]
fn cross_validation_measures_and_writes_no_model() {
    let bench = Bench::new("epochs = 2\nencoder_rate = 0.0", "");
    let text = run(bench.train("measured", &["--folds", "2", "--curve", "--seeds", "2"]), 0);
    assert!(text.contains("100.0%") && text.contains("12.5%"), "{text}");
    assert_eq!(files(&bench.at("measured")), ["cross_validation.json"]);
    let json = std::fs::read_to_string(bench.at("measured").join("cross_validation.json")).unwrap();
    let json: serde_json::Value = serde_json::from_str(&json).unwrap();
    let trials = json["trials"].as_array().unwrap();
    let whole: Vec<_> = trials.iter().filter(|t| t["share"] == 1.0).collect();
    assert_eq!(whole.len(), 2 * 2);
    assert!(trials.len() > whole.len());
    // Each seed tests every sentence once.
    let of_seed = whole.iter().filter(|t| t["seed"] == 0);
    assert_eq!(of_seed.map(|t| t["n_test"].as_u64().unwrap()).sum::<u64>(), 40);
    assert!(run(bench.train("x", &["--folds", "1"]), 1).contains("cannot be cut into 1 part"));
}

/// Descriptions alone give labels; a layer learnt afterwards can stand beside them.
#[test]
fn a_codebook_alone_gives_a_first_look() {
    let bench = Bench::new("epochs = 1", "");
    let codebook = "name = \"topics\"\n[[layer]]\nname = \"subject\"\nkind = \"single\"\n\
        [[layer.labels]]\nname = \"sport\"\ndescription = \"matches, players, clubs\"\n\
        [[layer.labels]]\nname = \"weather\"\ndescription = \"rain, sun, storms, floods\"\n";
    std::fs::write(bench.at("topics.toml"), codebook).unwrap();
    let mut command = Command::new(env!("CARGO_BIN_EXE_parallax"));
    command.arg("train").arg("--codebook").arg(bench.at("topics.toml"));
    command.args(["--add-to", "default", "--out"]).arg(bench.at("look"));
    assert!(run(command, 0).contains("zero-shot"));
    let articles: String = ["Post", "Echo"]
        .map(|outlet| {
            let text =
                format!("The striker of the {outlet} scored twice. Rain flooded the valley.");
            serde_json::json!({ "outlet": outlet, "text": text }).to_string() + "\n"
        })
        .concat();
    std::fs::write(bench.at("articles.jsonl"), articles).unwrap();
    let mut compare = Command::new(env!("CARGO_BIN_EXE_parallax"));
    compare.arg("compare").arg(bench.at("articles.jsonl")).arg("--model").arg(bench.at("look"));
    compare.arg("--out").arg(bench.at("scored"));
    run(compare, 0);
    let report = std::fs::read_to_string(bench.at("scored").join("report.html")).unwrap();
    assert!(report.contains("subject was not learnt from labelled sentences"));
    let mut export = Command::new(env!("CARGO_BIN_EXE_parallax"));
    export.args(["export", "table"]).arg(bench.at("scored")).args(["--format", "jsonl"]);
    export.arg("--out").arg(bench.at("tables"));
    run(export, 0);
    let rows = std::fs::read_to_string(bench.at("tables").join("sentences.jsonl")).unwrap();
    let subjects: Vec<String> = rows
        .lines()
        .map(|l| serde_json::from_str::<serde_json::Value>(l).unwrap()["subject"].to_string())
        .collect();
    assert_eq!(subjects, ["\"sport\"", "\"weather\"", "\"sport\"", "\"weather\""]);
    // Figures of such a layer say what they are of.
    let labelled = "{\"text\": \"Snow closed the pass.\", \"subject\": \"weather\"}\n";
    std::fs::write(bench.at("labelled.jsonl"), labelled).unwrap();
    let mut evaluate = Command::new(env!("CARGO_BIN_EXE_parallax"));
    evaluate.arg("evaluate").arg(bench.at("look")).arg(bench.at("labelled.jsonl"));
    assert!(run(evaluate, 0).contains("zero-shot: subject was not learnt"));
}
