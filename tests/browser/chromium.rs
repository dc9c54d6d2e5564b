//! A headless Chromium, where there is one.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

/// The browser: by `PARALLAX_CHROMIUM`, else on the path.
pub fn find() -> Option<PathBuf> {
    if let Some(given) = std::env::var_os("PARALLAX_CHROMIUM") {
        return Some(given.into());
    }
    let names = ["chromium", "chromium-browser", "google-chrome", "chrome"];
    let path = std::env::var_os("PATH")?;
    std::env::split_paths(&path)
        .flat_map(|folder| names.map(|n| folder.join(n)))
        .find(|p| p.is_file())
}

/// What the browser made of a page.
pub struct Opened {
    /// The document after its scripts ran.
    pub dom: String,
    /// Lines that scripts or the page's policy wrote to the console.
    pub console: Vec<String>,
}

/// Time for a browser to finish, and how often it is started. A headless browser now and then
/// hangs for reasons of its own; a page that hangs does so every time.
const PATIENCE: Duration = Duration::from_secs(100);
const STARTS: usize = 3;

/// Opens a file at an address in it (`#/overview`) and waits for its scripts.
pub fn open(browser: &Path, file: &Path, hash: &str, extra: &[&str]) -> Opened {
    for start in 1..=STARTS {
        match open_once(browser, file, hash, extra) {
            Some(opened) => return opened,
            None => println!("start {start}: the browser did not finish in {PATIENCE:?}"),
        }
    }
    panic!("the browser did not finish in {PATIENCE:?}, {STARTS} times")
}

/// `None` if the browser hung and was ended.
fn open_once(browser: &Path, file: &Path, hash: &str, extra: &[&str]) -> Option<Opened> {
    let profile = tempfile::tempdir().unwrap();
    let (out, err) = (profile.path().join("out"), profile.path().join("err"));
    let to = |p: &Path| Stdio::from(std::fs::File::create(p).unwrap());
    let mut child = Command::new(browser)
        .args([
            "--headless",
            "--no-sandbox",
            "--disable-gpu",
            "--disable-quic",
            "--no-first-run",
            "--disable-background-networking",
            "--disable-component-update",
            "--disable-sync",
            "--enable-logging=stderr",
            "--log-level=0",
            "--virtual-time-budget=4000",
        ])
        .arg(format!("--user-data-dir={}", profile.path().join("profile").display()))
        .args(extra)
        .args(if extra.iter().any(|a| a.starts_with("--screenshot")) {
            &[][..]
        } else {
            &["--dump-dom"]
        })
        .arg(format!("file://{}{hash}", file.display()))
        .stdin(Stdio::null())
        .stdout(to(&out))
        .stderr(to(&err))
        .spawn()
        .unwrap();
    let began = Instant::now();
    while child.try_wait().unwrap().is_none() {
        if began.elapsed() > PATIENCE {
            child.kill().unwrap();
            child.wait().unwrap();
            return None;
        }
        std::thread::sleep(Duration::from_millis(50));
    }
    let read = |p: &Path| String::from_utf8_lossy(&std::fs::read(p).unwrap()).into_owned();
    let console = read(&err).lines().filter(|l| l.contains("CONSOLE")).map(Into::into).collect();
    Some(Opened { dom: read(&out), console })
}
