//! One article a file: plain text and HTML.

use dom_smoothie::{Config, Readability, TextMode};

use super::fields::Cell;
use super::rows::{Problem, Row, Rows};
use super::sources::{Bounds, Kind, Source, decode, open, read_all};

/// More elements than any article's page has; what has more is not laid out but dumped.
const MOST_ELEMENTS: usize = 200_000;

/// Elements inside one another; browsers stop at 512. The time to lay out a page grows with the square.
const DEEPEST: usize = 1000;

/// Elements that have no end tag, or need none.
#[rustfmt::skip]
const UNCLOSED: &[&str] = &[
    "area", "base", "body", "br", "col", "colgroup", "dd", "dt", "embed", "head", "hr", "html", "img", "input", "li", "link",
    "meta", "optgroup", "option", "p", "param", "path", "rp", "rt", "source", "tbody", "td", "tfoot", "th", "thead", "tr", "track", "wbr",
];

/// A file that is an article.
pub(crate) struct Document {
    source: Source,
    limit: u64,
    done: bool,
}

impl Document {
    pub(crate) fn new(source: Source, limit: u64) -> Self {
        Document { source, limit, done: false }
    }

    fn read(&self) -> Result<Row, String> {
        let mut stream = open(&self.source).map_err(|e| format!("cannot be read: {e}"))?;
        let bytes = match read_all(&mut stream, self.limit) {
            Ok(Bounds::Within(bytes)) => bytes,
            Ok(Bounds::Beyond) => return Err(format!("is larger than {} bytes", self.limit)),
            Err(e) => return Err(format!("cannot be read: {e}")),
        };
        if bytes.is_empty() {
            return Err("is empty".to_owned());
        }
        let text = decode(&bytes)?;
        let values = if self.source.kind == Kind::Html {
            self.page(&text)?
        } else {
            let outlet = self.source.folder.clone().unwrap_or_else(|| self.source.stem());
            vec![("outlet", outlet), ("text", text)]
        };
        let values = values.into_iter().map(|(n, v)| (n.to_owned(), Cell::Text(v))).collect();
        Ok(Row { number: None, values })
    }

    /// The main text of a page, and what its head says of it.
    fn page(&self, html: &str) -> Result<Vec<(&'static str, String)>, String> {
        if is_too_deep(html) {
            return Err(format!(
                "is no page of an article: more than {DEEPEST} elements lie one in another"
            ));
        }
        let config = Config {
            text_mode: TextMode::Formatted,
            max_elements_to_parse: MOST_ELEMENTS,
            ..Config::default()
        };
        let article = Readability::new(html, None, Some(config))
            .and_then(|mut page| page.parse())
            .map_err(|e| format!("no article could be found in the page: {e}"))?;
        let text = article.text_content.trim();
        if text.is_empty() {
            return Err("no article could be found in the page".to_owned());
        }
        let mut values = vec![("text", text.to_owned()), ("title", article.title)];
        let outlet = article.site_name.or_else(|| self.source.folder.clone());
        values.extend(outlet.map(|o| ("outlet", o)));
        values.extend(article.published_time.map(|d| ("date", d)));
        values.extend(article.url.map(|u| ("url", u)));
        Ok(values)
    }
}

/// Whether more elements are open at once than in any page that people wrote.
fn is_too_deep(html: &str) -> bool {
    let mut depth = 0_usize;
    for tag in html.split('<').skip(1) {
        let name = tag.trim_start_matches('/');
        let end = name.find(|c: char| !c.is_ascii_alphanumeric()).unwrap_or(name.len());
        let name = &name[..end];
        if name.is_empty() || UNCLOSED.iter().any(|u| name.eq_ignore_ascii_case(u)) {
            continue;
        }
        if tag.starts_with('/') {
            depth = depth.saturating_sub(1);
        } else {
            depth += 1;
        }
        if depth > DEEPEST {
            return true;
        }
    }
    false
}

impl Rows for Document {
    fn next_row(&mut self) -> Option<Result<Row, Problem>> {
        if std::mem::replace(&mut self.done, true) {
            return None;
        }
        Some(self.read().map_err(|reason| Problem::File(None, reason)))
    }
}
