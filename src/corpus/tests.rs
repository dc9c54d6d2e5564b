//! Reading as a whole: every format, and what bad input gets.

use std::io::Write;
use std::path::{Path, PathBuf};

use super::{Article, Corpus, ReadNotes, ReadOptions};
use crate::error::{Error, Result};

struct Folder(tempfile::TempDir);

impl Folder {
    fn new() -> Self {
        Folder(tempfile::tempdir().expect("there is a temporary folder"))
    }

    fn path(&self) -> &Path {
        self.0.path()
    }

    fn put(&self, name: &str, bytes: impl AsRef<[u8]>) -> PathBuf {
        let path = self.path().join(name);
        std::fs::create_dir_all(path.parent().expect("it has a parent")).expect("it can be made");
        std::fs::write(&path, bytes).expect("it can be written");
        path
    }
}

fn read_with(inputs: &[PathBuf], options: ReadOptions) -> (Vec<Article>, ReadNotes, Option<Error>) {
    let mut corpus = match Corpus::open(inputs, options) {
        Ok(corpus) => corpus,
        Err(e) => return (Vec::new(), ReadNotes::default(), Some(e)),
    };
    let mut articles = Vec::new();
    let mut error = None;
    for item in corpus.by_ref() {
        match item {
            Ok(article) => articles.push(article),
            Err(e) => error = Some(e),
        }
    }
    assert!(corpus.next().is_none());
    let notes = corpus.notes().clone();
    assert_eq!(notes.n_articles, articles.len() as u64);
    assert!(notes.n_skipped >= notes.skipped.len() as u64);
    (articles, notes, error)
}

fn read(input: &Path) -> (Vec<Article>, ReadNotes) {
    let (articles, notes, error) = read_with(&[input.to_owned()], ReadOptions::default());
    assert!(error.is_none(), "{error:?}");
    (articles, notes)
}

fn fails(input: &Path) -> Error {
    read_with(&[input.to_owned()], ReadOptions::default()).2.expect("it is refused")
}

fn reasons(notes: &ReadNotes) -> Vec<String> {
    notes
        .skipped
        .iter()
        .map(|s| format!("{}: {}", s.row.map_or("-".into(), |r| r.to_string()), s.reason))
        .collect()
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
    encoder.write_all(bytes).expect("memory can be written");
    encoder.finish().expect("memory can be written")
}

#[test]
fn a_folder_gives_its_files_in_a_stable_order() {
    let folder = Folder::new();
    folder.put("vale-post/b.txt", "The bridge is shut.");
    folder.put("vale-post/deep/a.txt", "It opens in May.");
    folder.put("holm.txt", "It rained.");
    folder.put("page.html.gz", gzip(PAGE.as_bytes()));
    folder.put("rows.csv", "id,outlet,text\n7,Holm Daily,It is late.\n");
    folder.put("README.md", "not an article");
    folder.put(".hidden/x.txt", "not an article");
    let (articles, notes) = read(folder.path());
    let found: Vec<(&str, &str)> =
        articles.iter().map(|a| (a.outlet.as_str(), &a.text[..9])).collect();
    assert_eq!(found[0], ("holm", "It rained"));
    assert_eq!(found[1].0, "Vale Gazette");
    assert_eq!(
        found[2..],
        [("Holm Daily", "It is lat"), ("vale-post", "The bridg"), ("vale-post", "It opens ")]
    );
    assert_eq!((notes.n_passed_over, notes.n_files, notes.n_skipped), (1, 5, 0));
    assert_eq!(read(folder.path()).0, articles);
}

const PAGE: &str = r#"<html><head><title>Bridge shut | Vale Gazette</title>
<meta property="og:site_name" content="Vale Gazette"><meta property="og:title" content="Bridge shut">
<meta property="article:published_time" content="2022-01-07T10:00:00Z"></head><body>
<nav><a href="/">Home</a><a href="/news">News</a></nav><article><h1>Bridge shut</h1>
<p>The bridge of Vale was shut on Friday, the council said, after a storm had moved two of its piers by a foot.</p>
<p>It had been open since the spring of 1931, and some two thousand people cross it on their way to work, it added.</p>
<p>“We will mend it,” the mayor said, “but it will take until May, and it will take money that we do not have.”</p>
</article><footer>All rights reserved</footer></body></html>"#;

#[test]
fn a_page_gives_its_article_and_what_its_head_says() {
    let folder = Folder::new();
    let (articles, _) = read(&folder.put("x.html", PAGE));
    let article = &articles[0];
    assert_eq!(article.title.as_deref(), Some("Bridge shut"));
    assert_eq!(article.date.as_deref(), Some("2022-01-07"));
    assert!(article.text.contains("two of its piers") && article.text.contains('\n'));
    assert!(!article.text.contains("Home"));
    let (articles, notes) = read(&folder.put("y.html", "<html><body></body></html>"));
    assert!(articles.is_empty() && notes.skipped[0].reason.contains("no article"), "{notes:?}");
}

#[test]
fn deep_and_broken_pages_do_no_harm() {
    let folder = Folder::new();
    for (i, page) in [
        "<div>".repeat(50_000),
        "<p".repeat(10_000),
        "\u{0}<html>&#0;".into(),
        "<table>".repeat(3000),
    ]
    .iter()
    .enumerate()
    {
        folder.put(&format!("{i}.html"), page);
    }
    let (_, notes, error) = read_with(&[folder.path().to_owned()], ReadOptions::default());
    assert!(error.is_none() && notes.n_files == 4);
}

#[test]
fn usual_columns_are_recognised_and_others_pass_through() {
    let folder = Folder::new();
    let path = folder.put(
        "a.jsonl",
        "{\"Headline\":\"Bridge shut\",\"source\":{\"id\":null,\"name\":\"Vale Post\"},\"content\":\"It is shut.\",\"publishedAt\":\"2022-01-07T10:00:00Z\",\"shares\":12,\"tags\":[\"a\",\"b\"],\"by\":null}\n",
    );
    let (articles, notes) = read(&path);
    let article = &articles[0];
    assert_eq!(
        (article.outlet.as_str(), article.date.as_deref()),
        ("Vale Post", Some("2022-01-07"))
    );
    assert_eq!(article.title.as_deref(), Some("Bridge shut"));
    let extra: Vec<(&str, &str)> =
        article.extra.iter().map(|(k, v)| (k.as_str(), v.as_str())).collect();
    assert_eq!(extra, [("shares", "12"), ("tags", "[\"a\",\"b\"]"), ("by", "")]);
    assert_eq!(notes.recognised.len(), 4);
    assert_eq!(article.id.len(), 16);
}

#[test]
fn a_map_names_columns() {
    let folder = Folder::new();
    let path = folder.put("a.csv", "wer;was;text\nVale;It is shut.;x\n");
    let map = |pairs: &[(&str, &str)]| ReadOptions {
        map: pairs.iter().map(|(f, c)| ((*f).to_owned(), (*c).to_owned())).collect(),
        default_event: Some("bridge".into()),
        ..ReadOptions::default()
    };
    let (articles, _, error) =
        read_with(std::slice::from_ref(&path), map(&[("text", "was"), ("outlet", "WER")]));
    assert!(error.is_none());
    assert_eq!((articles[0].text.as_str(), articles[0].outlet.as_str()), ("It is shut.", "Vale"));
    assert_eq!(articles[0].event.as_deref(), Some("bridge"));
    let (_, _, error) = read_with(std::slice::from_ref(&path), map(&[("outlet", "nowhere")]));
    assert!(error.is_some_and(|e| e.to_string().contains("no column \"nowhere\"")));
    let (_, _, error) = read_with(&[path], map(&[("body", "was")]));
    assert!(error.is_some_and(|e| e.hint().is_some_and(|h| h.contains("text"))));
}

#[test]
fn a_missing_text_column_names_the_columns_that_are_there() {
    let folder = Folder::new();
    for (name, content) in [
        ("a.csv", "id,stuff\n1,x\n"),
        ("a.tsv", "id\tstuff\n1\tx\n"),
        ("a.jsonl", "{\"id\":1,\"stuff\":2}\n"),
        ("a.json", "[{\"id\":1,\"stuff\":2}]"),
    ] {
        let error = fails(&folder.put(name, content));
        assert!(error.to_string().contains("the columns are: id, stuff"), "{error}");
        assert!(error.hint().is_some_and(|h| h.contains("--map text=")));
    }
    // In a folder, such a file may be no corpus at all; it is skipped.
    folder.put("b.txt", "It is shut.");
    let (articles, notes) = read(folder.path());
    assert_eq!(articles.len(), 1);
    assert!(notes.n_skipped >= 4);
}

#[test]
fn broken_rows_are_skipped_and_the_rest_is_read() {
    let folder = Folder::new();
    let mut lines: Vec<String> =
        (1..=9).map(|i| format!("{{\"id\":{i},\"text\":\"It is {i}.\"}}")).collect();
    lines[1] = "{\"id\":2,\"text\":null}".into();
    lines[2] = "{\"id\":3,\"text\":\"  \"}".into();
    lines[3] = "{\"id\":4,\"text\":[\"a\"]}".into();
    lines[4] = "[1, 2]".into();
    lines[6] = "{\"id\":7,\"text\":\"It is".into();
    lines[7] = String::new();
    let mut bytes = lines.join("\r\n").into_bytes();
    bytes.extend_from_slice(b"\n{\"text\":\"caf\xe9\"}\n");
    let (articles, notes) = read(&folder.put("a.jsonl", bytes));
    assert_eq!(articles.iter().map(|a| a.id.as_str()).collect::<Vec<_>>(), ["1", "6", "9"]);
    let reasons = reasons(&notes);
    assert_eq!(reasons[0], "2: the text is empty");
    assert_eq!(reasons[1], "3: the text is empty");
    assert_eq!(reasons[2], "4: the text is a list");
    assert!(reasons[3].starts_with("5: holds a list"));
    assert!(reasons[4].starts_with("7: is not valid JSON"));
    assert!(reasons[5].starts_with("10: the line is not UTF-8"), "{reasons:?}");
    assert_eq!(notes.n_skipped, 6);
    // --strict stops at the first of them.
    let strict = ReadOptions { strict: true, ..ReadOptions::default() };
    let (articles, _, error) = read_with(&[folder.path().join("a.jsonl")], strict);
    assert_eq!(articles.len(), 1);
    assert!(error.is_some_and(|e| e.to_string().contains("row 2")));
}

#[test]
fn json_comes_in_several_shapes() {
    let folder = Folder::new();
    let shapes = [
        "[{\"text\":\"a {[\\\"\"}, {\"text\":\"b\"}]",
        "\u{feff}{\"text\":\"a\"}\n{\"text\":\"b\"}",
        "{\"status\":\"ok\",\"articles\":[{\"text\":\"a\"},{\"text\":\"b\"}]}",
        "[{\"text\":\"a\",\"authors\":[{\"name\":\"x\"}]},{\"text\":\"b\"},",
    ];
    for shape in shapes {
        let (articles, notes) = read(&folder.put("a.json", shape));
        assert_eq!(articles.len(), 2, "{shape}: {notes:?}");
    }
    let (articles, notes) =
        read(&folder.put("a.json", "[{\"text\":\"a\"},{\"text\":}, {\"text\":\"b\"}]"));
    assert_eq!((articles.len(), notes.n_skipped), (2, 1));
    let (articles, notes) = read(&folder.put("a.json", "[{\"text\":\"a\"},{\"text\":\"b"));
    assert_eq!((articles.len(), notes.n_skipped), (1, 1));
    assert!(notes.skipped[0].reason.contains("breaks off"));
    for bad in ["nonsense", "[1,2,3]", "\"text\""] {
        let (articles, notes) = read(&folder.put("a.json", bad));
        assert!(articles.is_empty() && notes.n_skipped > 0, "{bad}: {notes:?}");
    }
    let deep = format!("{{\"text\":{}1{}}}", "[".repeat(100_000), "]".repeat(100_000));
    assert_eq!(read(&folder.put("a.json", deep)).1.n_skipped, 1);
}

#[test]
fn encodings_are_read_or_explained() {
    let folder = Folder::new();
    let text = |bytes: &[u8]| read(&folder.put("a.txt", bytes));
    assert_eq!(text(b"\xef\xbb\xbfIt is shut.\r\nSo.").0[0].text, "It is shut.\r\nSo.");
    let wide: Vec<u8> = "\u{feff}It is ö.".encode_utf16().flat_map(u16::to_le_bytes).collect();
    assert_eq!(text(&wide).0[0].text, "It is ö.");
    assert_eq!(text(b"a\0b").0[0].text, "a\0b");
    assert!(text(b"caf\xe9 is").1.skipped[0].reason.contains("not UTF-8 (byte 4"));
    assert!(text(b"\xff\xfea").1.skipped[0].reason.contains("UTF-16"));
    assert!(text(b"").1.skipped[0].reason.contains("empty"));
    assert!(text(b" \n\xc2\xa0").1.skipped[0].reason.contains("empty"));
    for name in ["a.csv", "a.jsonl"] {
        let (articles, notes) = read(&folder.put(name, &wide));
        assert!(articles.is_empty() && notes.skipped[0].reason.contains("UTF-16"), "{notes:?}");
        assert_eq!(read(&folder.put(name, b"")).1.n_skipped, 1);
    }
    let (articles, _) = read(&folder.put("a.csv", "\u{feff}text,outlet\nIt is shut.,Vale\n"));
    assert_eq!((articles[0].text.as_str(), articles[0].outlet.as_str()), ("It is shut.", "Vale"));
}

#[test]
fn uneven_and_endless_rows_of_a_table_are_skipped() {
    let folder = Folder::new();
    let path = folder
        .put("a.csv", "id,text\n1,\"It is, well,\n\"\"shut\"\".\"\n2\n3,b,c\n4,\n5,It rained.\n");
    let (articles, notes) = read(&path);
    assert_eq!(articles[0].text, "It is, well,\n\"shut\".");
    assert_eq!(articles[1].id, "5");
    assert_eq!(
        reasons(&notes),
        [
            "4: the row has 1 values, the header 2 columns",
            "5: the row has 3 values, the header 2 columns",
            "6: the text is empty"
        ]
    );
    let options = ReadOptions { max_text_bytes: 1000, ..ReadOptions::default() };
    let endless = format!("id,text\n1,\"{}", "It is shut.\n".repeat(400_000));
    let (_, notes, _) = read_with(&[folder.put("b.csv", endless)], options);
    assert!(notes.skipped[0].reason.contains("never closed"), "{notes:?}");
}

#[test]
fn what_is_too_large_is_skipped() {
    let folder = Folder::new();
    let options = || ReadOptions { max_text_bytes: 1000, ..ReadOptions::default() };
    let long = "It is shut. ".repeat(200);
    folder.put("a.txt", &long);
    folder.put("b.jsonl", format!("{{\"text\":\"{long}\"}}\n{{\"text\":\"b\"}}\n"));
    folder.put("c.jsonl", format!("{{\"text\":\"{}\"}}\n{{\"text\":\"c\"}}\n", long.repeat(1000)));
    folder
        .put("d.json", format!("[{{\"text\":\"{}\"}},\n{{\"text\":\"d\"}}]\n", long.repeat(1000)));
    let (articles, notes, _) = read_with(&[folder.path().to_owned()], options());
    assert_eq!(
        articles.iter().map(|a| a.text.as_str()).collect::<Vec<_>>(),
        ["b", "c", "d"],
        "{notes:?}"
    );
    assert_eq!(notes.n_skipped, 4);
}

#[test]
fn a_bomb_is_not_unpacked() {
    let folder = Folder::new();
    let zeros = gzip(&vec![b' '; 80 << 20]);
    let mut bomb = Vec::new();
    for _ in 0..3 {
        bomb.extend_from_slice(&zeros);
    }
    for name in ["a.jsonl.gz", "a.csv.gz", "a.txt.gz", "a.json.gz"] {
        let (articles, notes) = read(&folder.put(name, &bomb));
        assert!(articles.is_empty() && notes.n_skipped == 1, "{name}: {notes:?}");
    }
    let (articles, notes) = read(&folder.put("b.jsonl.gz", &gzip(b"{\"text\":\"a\"}\n")[..20]));
    assert!(articles.is_empty() && notes.skipped[0].reason.contains("cannot be read"), "{notes:?}");
    let zst = zstd::encode_all(&b"{\"text\":\"a\"}\n"[..], 0).expect("memory can be written");
    assert_eq!(read(&folder.put("c.ndjson.zst", zst)).0.len(), 1);
    assert_eq!(read(&folder.put("d.jsonl.gz", b"no gzip")).1.n_skipped, 1);
}

#[test]
fn repeated_ids_lose_nothing() {
    let folder = Folder::new();
    let path =
        folder.put("a.csv", "id,outlet,text\n1,V,a\n1,V,b\n1,V,a\n1,V,c\n1-2,V,d\n,V,e\n,V,e\n");
    let (articles, notes) = read(&path);
    let ids: Vec<&str> = articles.iter().map(|a| a.id.as_str()).collect();
    assert_eq!(ids[..4], ["1", "1-2", "1-3", "1-2-2"]);
    assert_eq!(articles.len(), 5);
    assert_eq!((notes.n_skipped, notes.n_duplicate_ids), (2, 4));
    assert_eq!(notes.renamed[0], ("1".to_owned(), "1-2".to_owned()));
}

#[test]
fn outlets_come_from_a_host_or_file_where_no_column_names_them() {
    let folder = Folder::new();
    let path = folder.put("vale.jsonl", "{\"text\":\"a\",\"url\":\"https://www.holm.example/x\"}\n{\"text\":\"b\",\"date\":\"01/02/2022\"}\n");
    let (articles, notes) = read(&path);
    assert_eq!(
        (articles[0].outlet.as_str(), articles[1].outlet.as_str()),
        ("holm.example", "vale")
    );
    assert_eq!((notes.n_unread_dates, notes.unread_dates[0].as_str()), (1, "01/02/2022"));
    assert_eq!(notes.outlets.len(), 2);
}

#[test]
fn language_is_told_where_it_is_certain() {
    let folder = Folder::new();
    let (articles, _) = read(&folder.put("a.txt", "The bridge of Vale was shut on Friday, the council said, after a storm had moved two of its piers."));
    assert_eq!(articles[0].language.as_deref(), Some("eng"));
    assert_eq!(read(&folder.put("b.txt", "12 34")).0[0].language, None);
}

#[test]
fn inputs_that_are_not_there_are_refused() {
    let folder = Folder::new();
    assert!(fails(&folder.path().join("none.csv")).hint().is_some_and(|h| h.contains("spelling")));
    assert!(fails(&folder.put("a.docx", "x")).hint().is_some_and(|h| h.contains(".jsonl")));
    std::fs::remove_file(folder.path().join("a.docx")).expect("it is there");
    assert!(fails(folder.path()).to_string().contains("no file"));
    assert!(Corpus::open(&[], ReadOptions::default()).is_err());
    assert!(matches!(
        fails(&folder.put("b.parquet", "x").parent().expect("it has one").join("c.parquet")),
        Error::Io { .. }
    ));
    assert!(read(&folder.path().join("b.parquet")).1.skipped[0].reason.contains("Parquet"));
}

#[cfg(unix)]
#[test]
fn links_are_not_followed() {
    let folder = Folder::new();
    let outside = Folder::new();
    outside.put("secret.txt", "It is a secret.");
    folder.put("a.txt", "It is shut.");
    std::os::unix::fs::symlink(outside.path(), folder.path().join("link"))
        .expect("links can be made");
    std::os::unix::fs::symlink(outside.path().join("secret.txt"), folder.path().join("b.txt"))
        .expect("links can be made");
    let (articles, notes) = read(folder.path());
    assert_eq!((articles.len(), notes.n_passed_over), (1, 2));
}

#[test]
fn parquet_is_read_with_its_types() -> Result<()> {
    use arrow::array::{Int64Array, RecordBatch, StringArray, TimestampSecondArray};
    use std::sync::Arc;
    let folder = Folder::new();
    let path = folder.path().join("a.parquet");
    let batch = RecordBatch::try_from_iter_with_nullable([
        ("id", Arc::new(Int64Array::from_iter_values(0..100)) as arrow::array::ArrayRef, true),
        (
            "content",
            Arc::new(StringArray::from_iter(
                (0..100).map(|i| (i != 3).then(|| format!("It is {i}."))),
            )) as _,
            true,
        ),
        (
            "published",
            Arc::new(TimestampSecondArray::from_iter_values((0..100).map(|_| 1_641_549_840))) as _,
            true,
        ),
    ])
    .map_err(|e| Error::table("test", e))?;
    let file = std::fs::File::create(&path).map_err(|e| Error::io(&path, e))?;
    let mut writer = parquet::arrow::ArrowWriter::try_new(file, batch.schema(), None)
        .map_err(|e| Error::table("test", e))?;
    writer
        .write(&batch)
        .and_then(|()| writer.close().map(|_| ()))
        .map_err(|e| Error::table("test", e))?;
    let (articles, notes) = read(&path);
    assert_eq!(articles.len(), 99);
    assert_eq!(
        (articles[98].id.as_str(), articles[98].date.as_deref()),
        ("99", Some("2022-01-07"))
    );
    assert_eq!(reasons(&notes), ["4: the text is empty"]);
    Ok(())
}
