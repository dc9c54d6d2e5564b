//! Days as they are named. In the week before and after an article's own day, *January 12*, *12 Jan*
//! and *Wednesday* can be one and the same.
//!
//! Clauses are not matched by them: what happens on one day is not one thing.

use chrono::{Datelike, NaiveDate};

use super::words::{Kind, Word};

#[rustfmt::skip]
const MONTHS: &[&str] = &[
    "january", "february", "march", "april", "may", "june", "july", "august", "september", "october",
    "november", "december",
];
/// In the order of [`chrono::Weekday`].
#[rustfmt::skip]
const WEEKDAYS: &[&str] = &[
    "monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday",
];
/// Days before and after the article's own that a weekday is taken to stand for.
const WEEK: i64 = 7;

/// A day that is named.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Day {
    /// Of a month, both counted from 1.
    OfMonth(u32, u32),
    /// Of the week, counted from Monday as 0.
    OfWeek(usize),
}

impl Day {
    /// As it is compared: `wednesday`, `12 jan`.
    pub(super) fn term(self) -> String {
        match self {
            Day::OfMonth(day, month) => {
                let name = MONTHS.get(month as usize - 1).and_then(|m| m.get(..3)).unwrap_or("");
                format!("{day} {name}")
            }
            Day::OfWeek(day) => WEEKDAYS.get(day).copied().unwrap_or_default().to_owned(),
        }
    }

    /// The weekday of a day that is near the day on which the article came out, `YYYY-MM-DD`.
    pub(super) fn near(self, article: Option<&str>) -> Self {
        let date = article.and_then(|d| d.get(..10)?.parse::<NaiveDate>().ok());
        let (Some(article), Day::OfMonth(day, month)) = (date, self) else { return self };
        // A week may cross the turn of the year.
        (article.year() - 1..=article.year() + 1)
            .filter_map(|year| NaiveDate::from_ymd_opt(year, month, day))
            .find(|date| (*date - article).num_days().abs() <= WEEK)
            .map_or(self, |date| Day::OfWeek(date.weekday().num_days_from_monday() as usize))
    }
}

/// The day that is named at `at`, and its number of words.
pub(super) fn named(words: &[Word], at: usize) -> Option<(Day, usize)> {
    let month = |i: usize| {
        let word = words.get(i).filter(|w| w.capital && w.kind == Kind::Function)?;
        let plain = word.plain.as_str();
        let short = plain.len() == 3 || plain == "sept";
        let month = MONTHS.iter().position(|m| *m == plain || short && m.starts_with(plain))?;
        Some(month as u32 + 1)
    };
    let day = |i: usize| {
        let word = words.get(i).filter(|w| w.kind == Kind::Number)?;
        let digits = word.plain.trim_end_matches(|c: char| c.is_alphabetic());
        digits.parse::<u32>().ok().filter(|d| (1..=31).contains(d))
    };
    if let (Some(month), Some(day)) = (month(at), day(at + 1)) {
        return Some((Day::OfMonth(day, month), 2));
    }
    if let (Some(day), Some(month)) = (day(at), month(at + 1)) {
        return Some((Day::OfMonth(day, month), 2));
    }
    let plain = words.get(at)?.plain.as_str();
    Some((Day::OfWeek(WEEKDAYS.iter().position(|d| *d == plain)?), 1))
}

#[cfg(test)]
mod tests {
    use super::super::words::words;
    use super::*;

    fn days(text: &str, article: Option<&str>) -> Vec<String> {
        let words = words(text);
        (0..words.len())
            .filter_map(|at| named(&words, at))
            .map(|(d, _)| d.near(article).term())
            .collect()
    }

    #[test]
    fn a_day_has_one_name_in_the_week_around_the_article() {
        let friday = Some("2022-01-07");
        for text in
            ["On Wednesday they meet.", "They meet on 12 January.", "On Jan. 12th, they meet."]
        {
            assert_eq!(days(text, friday), ["wednesday"], "{text}");
        }
        assert_eq!(days("They met on 12 December 2021 and on May 1.", friday), ["12 dec", "1 may"]);
        assert_eq!(days("They meet on January 12.", None), ["12 jan"]);
        assert_eq!(days("On January 2, a Sunday.", Some("2021-12-31T10:00")), ["sunday", "sunday"]);
        assert!(days("They may send 12 of 100 tanks; 31 marching bands.", friday).is_empty());
    }
}
