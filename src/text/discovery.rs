//! The names that a corpus speaks of most, for when no targets are given. Names are runs
//! of capitalised words; forms of one name are merged by surname and by acronym. It
//! needs no model and makes the mistakes that such rules make: the user sees what was found.

use std::collections::{HashMap, HashSet};

use super::targets::Target;
use super::words::{
    AFTER_TIME, DEMONYMS, NO_SURNAMES, PARTICLES, STARTERS, TITLE_WORDS, TITLES, WHOLE_NAMES,
};
use super::{Role, Sentence};

/// Names kept in mind at most; beyond, the rarest are forgotten.
const MOST_NAMES: usize = 200_000;
/// Words of a name at most.
const LONGEST_NAME: usize = 6;
/// Full names that there must be for each mention of a surname alone, for it to be that person's: "Washington" is
/// seldom George.
const FULL_NAMES: f64 = 0.05;
/// Share of a surname's full mentions that one person must have to be meant by it.
const OWNS_SURNAME: f64 = 0.6;

/// Share of a surname's own mentions that the full name must reach at least: "the Sael Treaty
/// Ketria signed", once, is not who Ketria is.
const VOUCHES_FOR_SURNAME: f64 = 0.04;
/// Words that a sentence may begin with before a name.
const ARTICLES: [&str; 3] = ["A", "An", "The"];

/// Counts names, sentence by sentence.
#[derive(Debug, Default)]
pub struct TargetDiscovery {
    names: HashMap<String, Count>,
    ignored: HashSet<String>,
}

#[derive(Debug, Default, Clone, Copy)]
struct Count {
    all: u64,
    /// Of these, not at the beginning of a sentence, where every word has a capital.
    inside: u64,
}

impl TargetDiscovery {
    /// Leaves out `names`, such as those of the outlets themselves.
    pub fn ignoring<'a>(names: impl IntoIterator<Item = &'a str>) -> Self {
        let ignored = names.into_iter().map(key).collect();
        TargetDiscovery { names: HashMap::new(), ignored }
    }

    /// Counts the names of a sentence. Headlines, where all words may have capitals, and clutter do not count.
    pub fn add(&mut self, sentence: &Sentence) {
        if matches!(sentence.role, Role::Headline | Role::Boilerplate) {
            return;
        }
        let words: Vec<Word> = words(&sentence.model_text);
        let capitals = words.iter().filter(|w| w.capital).count();
        if capitals * 10 > words.len() * 7 {
            return;
        }
        let mut at = 0;
        while at < words.len() {
            let end = run_end(&words, at);
            if end == at {
                at += 1;
                continue;
            }
            self.count_run(&words[at..end], at == 0);
            at = end;
        }
        if self.names.len() > MOST_NAMES {
            self.forget();
        }
    }

    /// The `n` names mentioned most, most frequent first, each with all its forms as aliases.
    pub fn top(&self, n: usize) -> Vec<Target> {
        let mut groups = self.groups();
        groups.sort_by(|a, b| b.count.cmp(&a.count).then_with(|| a.name.cmp(&b.name)));
        groups
            .into_iter()
            .filter(|g| !g.forms.iter().any(|f| self.ignored.contains(&key(f))))
            .take(n)
            .map(|g| Target { name: g.name, aliases: g.forms })
            .collect()
    }

    fn count_run(&mut self, run: &[Word], initial: bool) {
        // "Foreign Minister Ada Vale": the office is no name, "NATO" before it is one.
        let is_title = |i: usize| {
            TITLE_WORDS.contains(&run[i].text)
                || TITLES.contains(&run[i].text.trim_end_matches('.'))
                || i > 1
                    && run[i - 1].text == "of"
                    && matches!(run[i - 2].text, "Secretary" | "Minister" | "Ministry")
        };
        let first_title = (0..run.len()).find(|&i| is_title(i));
        let last_title = (0..run.len()).rev().find(|&i| is_title(i));
        match (first_title, last_title) {
            (Some(first), Some(last)) => {
                self.count(&run[..first], initial);
                self.count(&run[last + 1..], false);
            }
            _ => self.count(run, initial),
        }
    }

    fn count(&mut self, name: &[Word], initial: bool) {
        let small = |w: &Word| !w.capital;
        let opener = |w: &Word| DEMONYMS.contains(&w.text) || ARTICLES.contains(&w.text);
        let start = name.iter().position(|w| !small(w) && !opener(w));
        let end = name.iter().rposition(|w| !small(w));
        let (Some(start), Some(end)) = (start, end) else { return };
        if end < start {
            return;
        }
        let initial = initial && start == 0;
        let name = &name[start..=end];
        let usable = match name {
            [word] => {
                word.text.chars().filter(|c| c.is_alphabetic()).count() > 1
                    && !STARTERS.contains(&word.text)
                    && !AFTER_TIME.contains(&word.text.trim_end_matches('.'))
                    && !DEMONYMS.contains(&word.text)
                    && (!NO_SURNAMES.contains(&word.text) || WHOLE_NAMES.contains(&word.text))
            }
            // "North Korean" qualifies what follows.
            [.., last] => name.len() <= LONGEST_NAME && !DEMONYMS.contains(&last.text),
            [] => false,
        };
        if !usable {
            return;
        }
        let text = name.iter().map(|w| w.text).collect::<Vec<_>>().join(" ");
        let count = self.names.entry(text).or_default();
        count.all += 1;
        count.inside += u64::from(!initial);
    }

    /// Forgets the rarer half.
    fn forget(&mut self) {
        let mut counts: Vec<u64> = self.names.values().map(|c| c.all).collect();
        let middle = counts.len() / 2;
        let (_, &mut median, _) = counts.select_nth_unstable(middle);
        self.names.retain(|_, c| c.all > median.max(1));
    }

    fn groups(&self) -> Vec<Group> {
        // Forms that differ in points only, U.S. and US, are one.
        let mut by_key: HashMap<String, Group> = HashMap::new();
        for (name, count) in &self.names {
            let single = !name.contains(' ');
            let acronym = is_acronym(name);
            if single && count.inside == 0 && !acronym {
                continue;
            }
            let group = by_key.entry(key(name)).or_default();
            group.count += count.all;
            group.forms.push(name.clone());
            // The form that is most frequent, then first in the alphabet, names the group.
            if (count.all, std::cmp::Reverse(name)) > (group.best, std::cmp::Reverse(&group.name)) {
                group.best = count.all;
                group.name.clone_from(name);
            }
        }
        let mut owners: HashMap<String, Vec<(u64, String)>> = HashMap::new();
        for (key, group) in &by_key {
            for short in short_forms(&group.name) {
                owners.entry(short).or_default().push((group.count, key.clone()));
            }
        }
        let mut merges: Vec<(String, String)> = Vec::new();
        for (short, mut long) in owners {
            let Some(own) = by_key.get(&short).map(|g| g.count) else { continue };
            if !is_acronym(&short) {
                long.retain(|(count, _)| *count as f64 >= VOUCHES_FOR_SURNAME * own as f64);
            }
            long.sort_by(|a, b| b.0.cmp(&a.0).then_with(|| a.1.cmp(&b.1)));
            let all: u64 = long.iter().map(|(count, _)| count).sum();
            if let Some((count, owner)) = long.into_iter().next()
                && owner != short
                && count as f64 >= OWNS_SURNAME * all as f64
                && count as f64 >= FULL_NAMES * by_key.get(&short).map_or(0, |g| g.count) as f64
            {
                merges.push((short, owner));
            }
        }
        merges.sort();
        for (short, owner) in merges {
            if let (true, Some(group)) = (by_key.contains_key(&owner), by_key.remove(&short)) {
                let into = by_key.entry(owner).or_default();
                // "NATO" says more than the words it stands for, "Vale" less than "Ada Vale".
                if is_acronym(&short) && group.count > into.count {
                    into.name = group.name;
                }
                into.count += group.count;
                into.forms.extend(group.forms);
            }
        }
        let mut groups: Vec<Group> = by_key.into_values().collect();
        for group in &mut groups {
            group.forms.sort();
        }
        groups
    }
}

#[derive(Debug, Default)]
struct Group {
    name: String,
    best: u64,
    count: u64,
    forms: Vec<String>,
}

struct Word<'a> {
    text: &'a str,
    capital: bool,
    /// A name cannot go on across what stands before or after the word.
    opens: bool,
    ends: bool,
}

/// The words of a sentence, without the marks around them and without `'s`.
fn words(text: &str) -> Vec<Word<'_>> {
    let mut found = Vec::new();
    for raw in text.split(' ') {
        let left = raw.trim_start_matches(|c: char| !c.is_alphanumeric());
        let opens = left.len() < raw.len();
        let mut word = left.trim_end_matches(|c: char| !c.is_alphanumeric());
        let mut ends = word.len() < left.len();
        // The point of U.S., J. and Mr. belongs to the word.
        if left[word.len()..].starts_with('.') {
            let point = &left[..word.len() + 1];
            let initial = word.chars().count() == 1 || word.contains('.');
            if initial || TITLES.contains(&word) {
                ends = left.len() > point.len();
                word = point;
            }
        }
        if let Some(bare) = word.strip_suffix("'s") {
            word = bare;
            ends = true;
        }
        if !word.is_empty() {
            let capital = word.starts_with(char::is_uppercase);
            found.push(Word { text: word, capital, opens, ends });
        } else if let Some(last) = found.last_mut() {
            last.ends = true;
        }
    }
    found
}

/// One past the last word of the name that starts at `at`.
fn run_end(words: &[Word], at: usize) -> usize {
    let first = words[at].text;
    if !words[at].capital || matches!(first, "A" | "An") || STARTERS.contains(&first) {
        return at;
    }
    let mut end = at + 1;
    while end < words.len() && !words[end - 1].ends && !words[end].opens {
        if words[end].capital {
            end += 1;
            continue;
        }
        // "Bank of England", "Secretary of State", but "Mr. Vale of the council"
        let last = words[end - 1].text;
        let body = NO_SURNAMES.contains(&last) || TITLE_WORDS.contains(&last);
        let joins = |w: &&Word| {
            !w.ends && (PARTICLES.contains(&w.text) || body && matches!(w.text, "of" | "for"))
        };
        let small = words[end..].iter().take(2).take_while(joins).count();
        match words.get(end + small) {
            Some(next) if small > 0 && next.capital && !next.opens => end += small + 1,
            _ => break,
        }
    }
    end
}

/// What a name is compared by: lower case, no points.
fn key(name: &str) -> String {
    let bare: String = name.chars().filter(|c| *c != '.').collect();
    // "US" must stay apart from "us", but not "Vale" from "VALE".
    if is_acronym(&bare) { bare } else { bare.to_lowercase() }
}

fn is_acronym(name: &str) -> bool {
    let letters = name.chars().filter(|c| c.is_alphabetic()).count();
    (2..=6).contains(&letters) && name.chars().all(|c| c.is_uppercase() || c == '.')
}

/// The keys of the shorter names that may stand for a longer one: its initials, and the surname of a person.
fn short_forms(name: &str) -> Vec<String> {
    let words: Vec<&str> = name.split(' ').collect();
    if words.len() < 2 {
        return Vec::new();
    }
    let capitals: Vec<&str> =
        words.iter().copied().filter(|w| w.starts_with(char::is_uppercase)).collect();
    let initials: String = capitals.iter().filter_map(|w| w.chars().next()).collect();
    let mut forms = vec![initials];
    let person = capitals.len() <= 3 && !words.contains(&"of") && !words.contains(&"for");
    if let (true, Some(last)) = (person, words.last())
        && !NO_SURNAMES.contains(last)
        && !words.iter().any(|w| is_acronym(w) && !w.contains('.'))
    {
        let small =
            words.iter().rposition(|w| w.starts_with(char::is_lowercase)).unwrap_or(words.len());
        forms.push(key(last));
        if small < words.len() {
            forms.push(key(&words
                [words.iter().position(|w| w.starts_with(char::is_lowercase)).unwrap_or(small)..]
                .join(" ")));
        }
    }
    forms
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::corpus::Article;
    use crate::text::split;

    fn top(text: &str, n: usize) -> Vec<Target> {
        let mut discovery = TargetDiscovery::ignoring(["Vale Post"]);
        for sentence in split(&Article { text: text.to_owned(), ..Article::default() }) {
            discovery.add(&sentence);
        }
        discovery.top(n)
    }

    #[test]
    fn a_chance_neighbour_is_no_full_name() {
        let mut text = "Under the Sael Treaty Ketria can claim. A Halvian spoke. ".to_owned();
        text += &"They say that Ketria is late, and with Ketria nobody talks. ".repeat(20);
        let found = top(&text, 3);
        assert_eq!(found[0].name, "Ketria", "{found:?}");
        assert!(found.iter().all(|t| !t.name.starts_with("A ")), "{found:?}");
    }

    #[test]
    fn forms_of_a_name_are_one() {
        let found = top(
            "The mayor, Ada Vale, spoke on Monday. She met Mr. Holm of the River Bridge Authority. \
             The plan of Mayor Ada Vale is late, and the RBA knows. It was Vale who asked the RBA. \
             In January the U.S. agreed, as the US had before. However, the United States paid. \
             Meanwhile, critics of Vale's plan told the Vale Post so. The Vale Post asked Vale.",
            3,
        );
        let names: Vec<(&str, usize)> =
            found.iter().map(|t| (t.name.as_str(), t.aliases.len())).collect();
        assert_eq!(
            names,
            [("Ada Vale", 2), ("RBA", 2), ("U.S.", 3)].map(|(n, k)| (n, k)),
            "{found:?}"
        );
    }

    #[test]
    fn common_words_days_and_titles_are_no_names() {
        let found = top(
            "However, the plan failed on Tuesday in March. The President spoke to the Minister. \
             Diplomats agreed. Russian troops left. I saw it. Diplomats left.",
            9,
        );
        assert!(found.is_empty(), "{found:?}");
    }

    #[test]
    fn a_shared_surname_is_nobodys() {
        let found = top("We saw Ada Vale here. We saw Tom Vale here. They asked Vale there.", 9);
        assert_eq!(found.len(), 3);
    }
}
