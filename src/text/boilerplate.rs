//! Page clutter: the lines of a scraped page that are no part of the article. Every rule
//! looks at whole lines and wants a wording, or a place on the page, that a sentence
//! of an article does not have; in doubt the line stays.

use std::sync::LazyLock;

use regex::{Regex, RegexSet};

use super::lines::Line;
use super::normal::model_text;

/// A longer line is an article's.
const LONGEST: usize = 400;
/// After the heading of a comment form, lines up to this many characters are taken to be the form.
const FORM_LINE: usize = 80;
/// Credits and buttons are no longer than this.
const SHORT: usize = 70;

/// Whole lines, in lower case and without final punctuation.
#[rustfmt::skip]
const WHOLE: &[&str] = &[
    "ad", "add a comment", "add comment", "advertisement", "all rights reserved",
    "article continues below", "back", "back to top", "bookmark", "cancel", "click to share",
    "close", "comment", "comments", "comments are closed", "contents", "continue reading",
    "copy link", "copyright", "cookie settings", "download our app", "email", "email this",
    "embed", "enlarge this image", "facebook", "facebook photo", "follow", "follow us",
    "get started", "getty images", "google photo", "hide caption", "home", "image", "instagram",
    "join the discussion", "join the conversation", "leave a comment", "leave a reply",
    "like this", "link copied", "linkedin", "listen", "live", "load more", "load more comments",
    "loading", "log in", "log in to comment", "log out", "login", "main menu", "menu", "more",
    "more from this section", "more stories", "most popular", "most read", "most viewed",
    "my account", "navigation", "newsletter", "newsletters", "next", "next article", "next post",
    "no comments", "no comments yet", "older posts", "newer posts", "photo", "photos",
    "pinterest", "play", "play video", "please enable javascript", "popular", "post a comment",
    "post comment", "previous", "previous article", "previous post", "print", "print this",
    "privacy policy", "read more", "read next", "read full article", "recommended",
    "recommended for you", "reddit", "register", "related", "related articles",
    "related coverage", "related posts", "related stories", "related topics", "reply", "reprints",
    "rss", "save", "search", "see all", "see more", "share", "share on facebook",
    "share on twitter", "share on linkedin", "share on whatsapp", "share this",
    "share this article", "share this post", "share this story", "show caption", "show comments",
    "sign in", "sign out", "sign up", "sign up now", "skip to content", "skip to main content",
    "sponsored", "sponsored content", "story continued below", "story continues below",
    "story continues below advertisement", "advertisement story continues below",
    "story highlights", "subscribe", "subscribe now", "subscribe today", "submit", "tags",
    "telegram", "terms of service", "terms of use", "toggle caption", "top stories", "trending",
    "trending now", "tumblr", "tweet", "tweet this", "twitter", "twitter picture",
    "uncategorized", "video", "view comments", "view gallery", "view this post on instagram",
    "watch live", "watch now", "watch video", "whatsapp", "what's next", "you may also like",
    "you might also like", "youtube", "click to print", "click to email", "post navigation",
    "about the author", "filed under", "write a comment", "loading video", "replay more videos",
];

/// Shapes of lines up to [`LONGEST`], matched against the line in lower case.
static SHAPES: LazyLock<RegexSet> = LazyLock::new(|| {
    set(&[
        // Blogs and comment forms
        r"^design a site like this with",
        r"^your email address will not be",
        r"^required fields are marked",
        r"^fill in your details below or click",
        r"^you are commenting using your",
        r"^you must be (a registered user|logged in|signed in) to",
        r"^connecting to %s",
        r"^%d bloggers like this",
        r"^notify me of (new|follow)",
        r"^save my name, email",
        r"^this site uses akismet",
        r"^share all sharing options",
        // Accounts, newsletters, consent
        r"^(sign up|subscribe|register)( here| now| today)? (for|to)\b[^.]*\b(newsletters?|inbox|emails?|alerts?|updates|top [^.]*stories|podcast)\b[^.]*\.?$",
        r"^[^.]*\bsign up (for|to) (our|the|my) [^.]*newsletters?[^.]*\.?$",
        r"^(already (have an account|a subscriber|a member)|forgot (your )?password|create an account)\b",
        r"^(we|this (web)?site) uses? cookies\b",
        r"^by (using|continuing to use) (this|our) (web)?site\b",
        r"^(please )?(enable|turn on|activate) (javascript|cookies)\b",
        r"^something to consider if you enjoyed this article",
        // Links to other things
        r"^(read more|related|related article|related story|see also|also read|read also|also see|don't miss|most read|more|watch|video|in pictures|view more)\s?: .*[^.]$",
        r"^(click|tap) here (to|for)\b",
        r"^(just watched|must watch)\b.*(replay|must watch|\d\d:\d\d)",
        r"^play video \d{1,2}:\d\d\b",
        r"^follow .+\b(on|at) (twitter|facebook|instagram|x|threads|linkedin)\b",
        // Rights and credits
        r"^(©|\(c\)|copyright\s*(©|\(c\)|\d{4}))",
        r"\ball rights reserved\b",
        r"^(contributing|contributors?)( to this (report|story))?:",
        r"^[^.!?]*\bcontributed to this (report|story|article)\b",
        // Code
        r"^(@media|@import|@font-face|function ?\(|var \w+ ?=|window\.|document\.|<!--|//<!\[cdata)",
        r"^[a-z0-9_.# ,:-]+\{[^}]*\}?$",
        r"^\w+ ?= ?\W*https? ?:",
    ])
});

/// Shapes of lines up to [`SHORT`].
static SHORT_SHAPES: LazyLock<RegexSet> = LazyLock::new(|| {
    set(&[
        r"^no comments yet\b",
        r"^(be the first to|join the) (comment|discussion|conversation)\b",
        r"^\d[\d,]* (comments?|shares?|likes?|replies|views)$",
        r"^(view all posts|more posts|posts|articles) by \S+( \S+)?( \S+)?$",
        r"^(posted|filed) (in|under)\b.*[^.!?]$",
        r"^(share|tweet|email) (this|on|via)\b.*[^.!?]$",
        r"^(get|start) .*\b(in|to) your inbox\b",
        r"^(accept|reject|manage) (all |your )?(cookies|preferences)$",
        r"^(javascript|your browser) (is|does|must)\b.*\b(disabled|support|enabled)\b",
        r"^(play|watch|live) (video |audio |live )?\d{1,2}:\d\d\b",
        r"^(listen|download|duration|video|\d+ of \d+)? ?\(?\d{1,2}:\d\d(:\d\d)?\)?( listen| download| toggle more options)*$",
        r"^download (the|our) .*\bapp\b",
        r"^\((ap|afp|reuters|getty|epa|file)\b[^)]*\)$",
        r"^\(?(photo(graph)?s?|images?|pictures?|illustration|video|credit|source)( by| credit| courtesy( of)?|:)[^.!?]*$",
        r"^[^.!?]*(/|\|| via ) ?(ap photos?|getty( images)?|reuters|afp|epa)[^.!?]*$",
        r"^published by \S+( \S+)?( \S+)?$",
    ])
});

/// A set of constant patterns; a test compiles them. Digits, word characters and word
/// boundaries are those of ASCII: the wordings are English, and matching is several times faster.
fn set(patterns: &[&str]) -> RegexSet {
    let ascii = |p: &&str| {
        p.replace(r"\b", r"(?-u:\b)").replace(r"\d", "[0-9]").replace(r"\w", "[0-9A-Za-z_]")
    };
    RegexSet::new(patterns.iter().map(ascii)).unwrap_or_else(|_| RegexSet::empty())
}

/// Sentences of a line of prose that are none: a photo credit in brackets, the
/// signature under an embedded tweet.
static RESIDUE: LazyLock<RegexSet> = LazyLock::new(|| {
    set(&[
        r"^\((AP|AFP|EPA|Reuters|Getty|Photo)\b[^()]*\)$",
        r"^\([^()]*(/|via) ?(AP|AFP|EPA|Reuters|REUTERS|Getty( Images)?|BBC|Bloomberg|Shutterstock)[^()]*\)$",
        r"^(\S*(pic\.twitter|https?)\S*:? ?\S*)? ?[—-]+ [^.!?]*\(@ ?\w+\) [A-Z][a-z]+ \d{1,2}, \d{4}$",
        r"^(pic\.twitter|https?:)\S*$",
    ])
});

/// Whether a sentence within a line is a credit or signature.
pub(crate) fn is_residue(sentence: &str) -> bool {
    sentence.len() <= 160 && RESIDUE.is_match(sentence)
}

/// A byline: "By" and names only.
static BYLINE: LazyLock<Option<Regex>> = LazyLock::new(|| {
    Regex::new(r"^(By|BY|by|Words by|Analysis by|Story by)[:]? (\p{Lu}[\p{L}.'-]*|and|AND|for|FOR|of|the|in|,|\||&|@\w+)([ ,|]+(\p{Lu}[\p{L}.'-]*|and|for|of|the|in|&|@\w+|\d{1,2}|\d{4}|\d{1,2}:\d\d)){1,11}$").ok()
});

/// A place line: "VALE CITY, Fla. —" and nothing more.
static DATELINE: LazyLock<Option<Regex>> = LazyLock::new(|| {
    Regex::new(r"^\p{Lu}[\p{Lu}.' -]+(, [\p{L}. ]{2,20})?( \([^)]{1,20}\))? ?[—–-]+$").ok()
});

/// Headings under which a page keeps its comments.
#[rustfmt::skip]
const FORM_HEADINGS: &[&str] = &[
    "leave a reply", "leave a comment", "post a comment", "add a comment", "write a comment",
    "comments", "no comments", "no comments yet", "join the discussion", "comments are closed",
    "join the conversation",
];

/// Labels that run into the words after them once a page becomes text.
const LABELS: &[&str] = &["Story highlights ", "Story Highlights ", "CLOSE "];

/// What newsletter forms end with, and a word that stands in their beginning.
const NEWSLETTER: (&str, &str) = ("By signing up you agree to", "ign up");

/// Cuts labels and newsletter forms off the lines that they run into. What is cut off
/// has [`Line::cut`].
pub(crate) fn cut_labels(text: &str, lines: Vec<Line>) -> Vec<Line> {
    let mut cut = Vec::with_capacity(lines.len());
    for line in lines {
        let source = &text[line.range.clone()];
        let label = LABELS.iter().find(|label| source.starts_with(**label));
        let (at, label_first) = match (label, newsletter_start(source)) {
            (Some(label), _) => (line.range.start + label.len(), true),
            (_, Some(at)) => (line.range.start + at, false),
            _ => {
                cut.push(line);
                continue;
            }
        };
        let halves = [line.range.start..at, at..line.range.end];
        for (half, is_label) in halves.into_iter().zip([label_first, !label_first]) {
            let range = super::lines::trim(text, half);
            if !range.is_empty() {
                cut.push(Line { range, gap: line.gap, cut: is_label });
            }
        }
    }
    cut
}

/// Where the newsletter form begins that a line ends with: after the last full stop before it.
fn newsletter_start(line: &str) -> Option<usize> {
    let end = line.find(NEWSLETTER.0)?;
    let word = line[..end].find(NEWSLETTER.1).unwrap_or(end);
    let stop = line[..word].rmatch_indices(['.', '!', '?', '”', '"']).find_map(|(i, stop)| {
        let after = i + stop.len();
        line[after..].starts_with(' ').then_some(after)
    });
    Some(stop.unwrap_or(0))
}

/// Which of the lines are clutter.
pub(crate) fn clutter(text: &str, lines: &[Line]) -> Vec<bool> {
    let mut clutter: Vec<bool> = Vec::with_capacity(lines.len());
    let mut headings: Vec<usize> = Vec::new();
    let mut signature: Option<usize> = None;
    for (i, line) in lines.iter().enumerate() {
        let source = &text[line.range.clone()];
        if line.cut {
            clutter.push(true);
            continue;
        }
        if source.len() > LONGEST {
            clutter.push(false);
            continue;
        }
        let shown = model_text(source);
        let key = shown.to_lowercase();
        let bare = key.trim_end_matches(['.', ':', '…', '!', '»', '>', '→', ' ']);
        if FORM_HEADINGS.contains(&bare) || key.starts_with("your email address will not be") {
            headings.push(i);
        }
        if key.starts_with("published by ") && SHORT_SHAPES.is_match(&key) {
            signature = Some(i);
        }
        clutter.push(is_clutter(&shown, &key, bare));
    }
    let mut tail = lines.len();
    while tail > 0 && (clutter[tail - 1] || is_form_line(&text[lines[tail - 1].range.clone()])) {
        tail -= 1;
    }
    if let Some(&from) = headings.iter().find(|&&h| h >= tail) {
        clutter[from..].fill(true);
        // The slogan of the page between its signature and its comment form.
        if let Some(name) = signature.filter(|&s| s < from && from - s <= 4) {
            clutter[name..from].fill(true);
        }
    }
    // Tags stand after the last sentence.
    for i in (0..lines.len()).rev().filter(|&i| i > 0) {
        if clutter[i] {
            continue;
        }
        let source = &text[lines[i].range.clone()];
        if source.len() <= LONGEST && (is_tags(&model_text(source)) || is_signature(source)) {
            clutter[i] = true;
        } else {
            break;
        }
    }
    clutter
}

fn is_clutter(shown: &str, key: &str, bare: &str) -> bool {
    !shown.chars().any(char::is_alphanumeric)
        || WHOLE.contains(&bare)
        || SHAPES.is_match(key)
        || key.len() <= SHORT && SHORT_SHAPES.is_match(key)
        || shown.ends_with(" Read more")
        || is_date(key)
        || BYLINE.as_ref().is_some_and(|r| r.is_match(shown))
        || DATELINE.as_ref().is_some_and(|r| r.is_match(shown))
}

/// A line that may be part of a comment form: short and no sentence.
fn is_form_line(line: &str) -> bool {
    let sentence = line.ends_with(['.', '!', '?', '"', '”']) && line.split_whitespace().count() > 4;
    !sentence && line.chars().nth(FORM_LINE).is_none()
}

/// A line that holds a date or a time and nothing else.
fn is_date(key: &str) -> bool {
    const WORDS: &[&str] = &[
        "published",
        "updated",
        "posted",
        "modified",
        "last",
        "first",
        "on",
        "at",
        "of",
        "and",
        "the",
        "am",
        "pm",
        "a.m",
        "p.m",
        "et",
        "est",
        "edt",
        "ct",
        "pt",
        "gmt",
        "utc",
        "bst",
        "cet",
        "eastern",
        "local",
        "time",
        "date",
        "st",
        "nd",
        "rd",
        "th",
        "ago",
        "hours",
        "hour",
        "minutes",
        "minute",
        "days",
        "day",
        "min",
        "mins",
        "update",
        "original",
        "originally",
        "h",
        "hrs",
    ];
    const MONTHS: &[&str] =
        &["jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"];
    const DAYS: &[&str] = &["mon", "tue", "wed", "thu", "fri", "sat", "sun"];
    const LONG: &[&str] = &[
        "january",
        "february",
        "march",
        "april",
        "june",
        "july",
        "august",
        "september",
        "sept",
        "october",
        "november",
        "december",
        "monday",
        "tuesday",
        "tues",
        "wednesday",
        "thursday",
        "thurs",
        "friday",
        "saturday",
        "sunday",
    ];
    if key.len() > 80 || !key.contains(|c: char| c.is_ascii_digit()) {
        return false;
    }
    let mut named = false;
    let mut parts = 0;
    for word in key.split(|c: char| c.is_whitespace() || ",:;/-–—|()•·".contains(c)) {
        let word = word.trim_matches('.');
        if word.is_empty() {
            continue;
        }
        parts += 1;
        let calendar = MONTHS.contains(&word) || DAYS.contains(&word) || LONG.contains(&word);
        named |= calendar || WORDS.contains(&word);
        let number = word.trim_end_matches(|c: char| c.is_ascii_lowercase());
        let digits =
            !number.is_empty() && number.len() <= 4 && number.bytes().all(|b| b.is_ascii_digit());
        let suffix = &word[number.len()..];
        let counted = digits && (suffix.is_empty() || WORDS.contains(&suffix));
        if !(calendar || counted || WORDS.contains(&word)) {
            return false;
        }
    }
    // "2022/01/07" has no name, "2019" alone may be a heading.
    named && parts > 1 || parts == 3 && key.len() >= 8
}

/// Three names or more with commas between them.
fn is_tags(shown: &str) -> bool {
    const SMALL: &[&str] = &["of", "the", "and", "for", "in", "on", "de", "von", "van", "al"];
    let body = shown.strip_prefix("Tags:").or_else(|| shown.strip_prefix("TAGS:")).unwrap_or(shown);
    let tag = |item: &str| {
        let words = item.split_whitespace().count();
        (1..=4).contains(&words)
            && item.split_whitespace().all(|w| {
                w.starts_with(|c: char| c.is_uppercase() || c.is_ascii_digit() || c == '#')
                    || SMALL.contains(&w)
            })
    };
    !body.ends_with(['.', '!', '?', ':', '"'])
        && body.split(',').count() >= 3
        && body.split(',').all(|i| tag(i.trim()))
}

/// Who wrote it and where to follow them, after the last sentence.
fn is_signature(source: &str) -> bool {
    let key = model_text(source).to_lowercase();
    [
        "follow him on",
        "follow her on",
        "follow them on",
        "follow me on",
        "follow us on",
        "on twitter at @",
        "on twitter: @",
        "on twitter @",
    ]
    .iter()
    .any(|mark| key.contains(mark))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::text::lines::lines;

    fn kept(text: &str) -> Vec<&str> {
        let found = cut_labels(text, lines(text));
        let clutter = clutter(text, &found);
        found.iter().zip(clutter).filter(|(_, c)| !c).map(|(l, _)| &text[l.range.clone()]).collect()
    }

    #[test]
    fn the_patterns_compile() {
        assert!(SHAPES.len() > 20 && SHORT_SHAPES.len() > 10 && RESIDUE.len() == 4);
        assert!(BYLINE.is_some() && DATELINE.is_some());
    }

    #[test]
    fn clutter_goes() {
        for line in [
            "Leave a Reply",
            "LEAVE A COMMENT",
            "No comments:",
            "12 Comments",
            "Share on Facebook",
            "Read more:",
            "Read more: Bridge to stay shut",
            "RELATED: What the bridge cost",
            "Friday, January 7, 2022",
            "2022/01/07",
            "Published 7 Jan 2022 at 10:04 AM ET",
            "Updated 3 hours ago",
            "By Ada Vale",
            "By ADA VALE and Tom Reed, Vale Press",
            "Your email address will not be published. Required fields are marked *",
            "You are commenting using your account. Log\u{a0}Out\u{a0}/\u{a0} Change\u{a0})",
            "Connecting to %s",
            "%d bloggers like this:",
            "(AP Photo/Ada Vale)",
            "Ada Vale/Getty Images",
            "© 2021 Vale Press. All rights reserved.",
            "Sign up for our newsletter",
            "Get the day's news in your inbox",
            "We use cookies to make this site work.",
            "Please enable Javascript to watch this video",
            "@media (max-width: 600px) {",
            ".share { display: none; }",
            "JUST WATCHED Bridge shut Replay More Videos... MUST WATCH Bridge shut 02:11",
            "Why the bridge fell Read more",
            "CLICK HERE TO GET THE VALE APP",
            "Story Continued Below",
            "WEST VALE, Fla. —",
            "* * *",
            "Contributing: Ada Vale, Tom Reed",
            "Ada Vale contributed to this report.",
        ] {
            assert!(
                kept(&format!(
                    "The bridge is shut, the town said.\n\n{line}\n\nIt opens in May, it added."
                ))
                .len()
                    == 2,
                "{line}"
            );
        }
    }

    #[test]
    fn sentences_and_headings_stay() {
        for line in [
            "What is happening next week?",
            "Comments by the minister drew fire.",
            "Share prices fell.",
            "Home to 3,000 people, Vale has one bridge.",
            "Jan 7, 2022: The mayor spoke to reporters in Vale.",
            "By Monday, the bridge was shut.",
            "Subscribe to that view or not, the bridge is shut.",
            "Follow the money, he said.",
            "In 2019.",
            "Vale, Reed, Holm and the coast were cut off.",
            "Bridge shut, town split",
            "The photo by the bridge was taken in 2019.",
            "Advertisement sales rose.",
            "May 2019 was worse, he said.",
            "“Log in,” the page told her.",
            "Related cases are rare.",
            "More: that is what voters want.",
        ] {
            let text = format!("The bridge is shut.\n\n{line}\n\nIt opens in May.");
            assert_eq!(kept(&text).len(), 3, "{line}");
        }
    }

    #[test]
    fn a_comment_form_ends_the_page_only_if_nothing_follows() {
        assert_eq!(kept("It is shut.\n\nPublished by valewatch\n\nNews from the river, every day.\n\nLeave a Reply\nName\nWebsite").len(), 1);
        let long = "The council, which had met all night over the money for the bridge, put the vote off until spring, its chair said.";
        assert_eq!(kept(&format!("It is shut.\nComments\n{long}")).len(), 2);
    }

    #[test]
    fn tags_go_only_at_the_end() {
        assert_eq!(
            kept("The bridge is shut.\n\u{a0} Vale, North Holm, Bridges\nComments"),
            ["The bridge is shut."]
        );
        assert_eq!(kept("The bridge is shut.\nVale, Holm, Reed\nIt opens in May.").len(), 3);
    }

    #[test]
    fn labels_are_cut_off_what_they_run_into() {
        assert_eq!(
            kept("Story highlights Bridge shut after storm\nIt opens in May."),
            ["Bridge shut after storm", "It opens in May."]
        );
    }
}
