//! Days as they are named: *Wednesday*, *January 12*, *12 Jan*.

use super::words::{Kind, Word};

#[rustfmt::skip]
const MONTHS: &[&str] = &[
    "january", "february", "march", "april", "may", "june", "july", "august", "september", "october",
    "november", "december",
];
#[rustfmt::skip]
const WEEKDAYS: &[&str] = &[
    "monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday",
];

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

    fn days(text: &str) -> Vec<String> {
        let words = words(text);
        (0..words.len()).filter_map(|at| named(&words, at)).map(|(day, _)| day.term()).collect()
    }

    #[test]
    fn days_of_months_have_one_form() {
        for text in ["They meet on 12 January.", "On Jan. 12th, they meet.", "January 12, 2022"] {
            assert_eq!(days(text), ["12 jan"], "{text}");
        }
        assert_eq!(days("On Wednesday they met, on May 1 they parted."), ["wednesday", "1 may"]);
        assert!(days("They may send 12 of 100 tanks; 31 marching bands.").is_empty());
    }
}
