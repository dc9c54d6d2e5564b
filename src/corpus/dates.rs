//! Publication days, from the many ways in which people write them.

use chrono::{DateTime, NaiveDate};

/// What a date field said.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Day {
    /// `YYYY-MM-DD`.
    Known(String),
    /// Day and month cannot be told apart.
    Ambiguous,
    /// No date was recognised.
    Unknown,
}

/// Reads the day that `text` names. The day stands as written; no time zone is applied.
pub(crate) fn day(text: &str) -> Day {
    let text = text.trim();
    if text.len() > 120 {
        return Day::Unknown;
    }
    numeric(text).or_else(|| named(text)).or_else(|| epoch(text)).unwrap_or(Day::Unknown)
}

fn known(year: i64, month: u32, day: u32) -> Option<Day> {
    let year = i32::try_from(year).ok().filter(|y| (1500..=2200).contains(y))?;
    NaiveDate::from_ymd_opt(year, month, day).map(|d| Day::Known(d.to_string()))
}

/// `2022-01-07T…`, `2022/1/7`, `20220107`, `07.01.2022`, `13/01/2022`.
fn numeric(text: &str) -> Option<Day> {
    let head = text.split([' ', 'T', 't', ',']).next()?;
    let parts: Vec<&str> = head.split(['-', '/', '.']).collect();
    let number = |s: &str| s.parse::<u32>().ok().filter(|_| s.bytes().all(|b| b.is_ascii_digit()));
    match parts[..] {
        [whole] if whole.len() == 8 => {
            let n = number(whole)?;
            known(i64::from(n / 10_000), n / 100 % 100, n % 100)
        }
        [y, m, d] if y.len() == 4 && m.len() <= 2 && d.len() <= 2 => {
            known(i64::from(number(y)?), number(m)?, number(d)?)
        }
        [a, b, y] if y.len() == 4 && a.len() <= 2 && b.len() <= 2 => {
            let (a, b, y) = (number(a)?, number(b)?, i64::from(number(y)?));
            match (a, b) {
                // Points are written between day and month only where the day comes first.
                _ if head.contains('.') => known(y, b, a),
                (13.., _) => known(y, b, a),
                (_, 13..) => known(y, a, b),
                _ if a == b => known(y, a, b),
                _ => known(y, a, b).map(|_| Day::Ambiguous),
            }
        }
        _ => None,
    }
}

/// `7 January 2022`, `Jan. 7th, 2022, 10:04 AM`, `Fri, 07 Jan 2022 10:04:00 +0000`.
fn named(text: &str) -> Option<Day> {
    let (mut year, mut month, mut day) = (None, None, None);
    for word in text.split([' ', ',', '-', '/', '\u{a0}']) {
        let word = word.trim_matches('.');
        if word.is_empty() || word.contains([':', '+']) {
            continue;
        }
        if let Some(m) = month_number(word) {
            month = month.or(Some(m));
            continue;
        }
        let digits = word.trim_end_matches(|c: char| c.is_ascii_alphabetic());
        let suffix = word[digits.len()..].to_ascii_lowercase();
        if !matches!(suffix.as_str(), "" | "st" | "nd" | "rd" | "th") {
            continue;
        }
        match (digits.len(), digits.parse::<u32>()) {
            (4, Ok(n)) => year = year.or(Some(n)),
            (1 | 2, Ok(n)) => day = day.or(Some(n)),
            _ => {}
        }
    }
    known(i64::from(year?), month?, day?)
}

fn month_number(word: &str) -> Option<u32> {
    const MONTHS: [&str; 12] = [
        "january",
        "february",
        "march",
        "april",
        "may",
        "june",
        "july",
        "august",
        "september",
        "october",
        "november",
        "december",
    ];
    let word = word.to_ascii_lowercase();
    if word.len() < 3 || !word.is_ascii() {
        return None;
    }
    let at = MONTHS.iter().position(|m| {
        *m == word || &m[..3] == word.as_str() || word == "sept" && *m == "september"
    })?;
    u32::try_from(at + 1).ok()
}

/// Seconds or milliseconds since 1970, in UTC.
fn epoch(text: &str) -> Option<Day> {
    let number: i64 = text.split('.').next()?.parse().ok()?;
    let seconds = match text.split('.').next()?.len() {
        9 | 10 => number,
        12 | 13 => number / 1000,
        _ => return None,
    };
    DateTime::from_timestamp(seconds, 0).map(|t| Day::Known(t.date_naive().to_string()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_are_read_as_people_write_them() {
        for text in [
            "2022-01-07",
            "2022-01-07T23:30:00Z",
            "2022-01-07 10:00:00+02:00",
            "2022/01/07",
            "2022/1/7",
            "20220107",
            "7 January 2022",
            "January 7, 2022",
            "Jan 7, 2022",
            "Jan. 7th, 2022, 10:04 AM ET",
            "Friday, January 7, 2022",
            "Fri, 07 Jan 2022 10:04:00 +0000",
            "07-Jan-2022",
            "07.01.2022",
            "1641549840",
            "1641549840000",
            " 2022-01-07\n",
        ] {
            assert_eq!(day(text), Day::Known("2022-01-07".into()), "{text:?}");
        }
        assert_eq!(day("13/01/2022"), Day::Known("2022-01-13".into()));
        assert_eq!(day("01/13/2022"), Day::Known("2022-01-13".into()));
        assert_eq!(day("Sept 3, 2021"), Day::Known("2021-09-03".into()));
        assert_eq!(day("01/02/2022"), Day::Ambiguous);
        for text in [
            "",
            "soon",
            "2022",
            "January 2022",
            "2022-13-40",
            "31 February 2022",
            "1",
            "9999999999999999999",
            "maybe 7 2022",
        ] {
            assert_eq!(day(text), Day::Unknown, "{text:?}");
        }
    }
}
