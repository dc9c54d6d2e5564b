//! Word lists of the sentence splitter. English newspaper prose.

/// Abbreviations that a name follows, and no sentence ends with.
#[rustfmt::skip]
pub(crate) const TITLES: &[&str] = &[
    "Mr", "Mrs", "Ms", "Dr", "Sen", "Sens", "Rep", "Reps", "Gov", "Govs", "Gen", "Lt", "Col",
    "Maj", "Capt", "Cmdr", "Cdr", "Sgt", "Cpl", "Pvt", "Prof", "Rev", "Hon", "Pres", "St", "Ste",
    "Amb", "Adm", "Sec", "Atty", "Supt", "Msgr", "Insp", "Det", "Brig", "Mme", "Mlle", "Messrs",
    "Mt", "Ft", "vs", "Sr.Lt", "Asst", "Dist", "Rt", "Hon",
];

/// Abbreviations that may stand at the end of a sentence as well as inside it.
#[rustfmt::skip]
pub(crate) const ABBREVIATIONS: &[&str] = &[
    "U.S", "U.S.A", "U.K", "U.N", "E.U", "U.A.E", "D.C", "L.A", "Jr", "Sr", "Inc", "Corp", "Co",
    "Ltd", "etc", "a.m", "p.m", "A.M", "P.M", "Ph.D", "M.D", "B.A", "M.A", "B.C", "A.D", "Dept",
    "Univ", "Bros", "F.B.I", "C.I.A", "N.S.A", "G.O.P", "Ave", "Blvd", "Rd",
];

/// States of the U.S. as newspapers shorten them.
#[rustfmt::skip]
pub(crate) const PLACES: &[&str] = &[
    "Ala", "Ariz", "Ark", "Calif", "Colo", "Conn", "Del", "Fla", "Ga", "Ill", "Ind", "Kan", "Ky",
    "La", "Md", "Mass", "Mich", "Minn", "Miss", "Mo", "Mont", "Neb", "Nev", "N.H", "N.J", "N.M",
    "N.Y", "N.C", "N.D", "Okla", "Ore", "Pa", "R.I", "S.C", "S.D", "Tenn", "Tex", "Vt", "Va",
    "Wash", "W.Va", "Wis", "Wyo", "B.C", "Ont", "Que",
];

/// Ordinary words that look like abbreviations to `sentencex`.
#[rustfmt::skip]
pub(crate) const ORDINARY: &[&str] = &[
    "no", "ill", "art", "fed", "mass", "man", "may", "met", "miss", "id", "ex", "sun", "me", "is",
];

/// What follows a time of day and goes on with the sentence.
#[rustfmt::skip]
pub(crate) const AFTER_TIME: &[&str] = &[
    "Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday", "Mon", "Tue",
    "Tues", "Wed", "Thu", "Thurs", "Fri", "Sat", "Sun", "January", "February", "March", "April",
    "June", "July", "August", "September", "October", "November", "December", "Jan", "Feb", "Mar",
    "Apr", "Jun", "Jul", "Aug", "Sept", "Sep", "Oct", "Nov", "Dec", "ET", "EST", "EDT", "CT",
    "CST", "CDT", "MT", "MST", "MDT", "PT", "PST", "PDT", "GMT", "UTC", "BST", "CET", "CEST",
    "Eastern", "Central", "Pacific", "Mountain", "Moscow", "Kyiv", "London", "Beijing",
];

/// Words that begin a sentence elsewhere, but belong to a name after `U.S.`
#[rustfmt::skip]
pub(crate) const WITH_PLACE: &[&str] = &[
    "New", "First", "Second", "Third", "Fourth", "Fifth", "Sixth", "Seventh", "Eighth", "Ninth",
    "Tenth", "Great", "Open", "Early", "People", "Next", "Right", "Start", "Well", "Public",
    "Special", "Senior", "Deputy", "Secret",
];

/// Parts of names in lower case that may begin a sentence.
#[rustfmt::skip]
pub(crate) const PARTICLES: &[&str] =
    &[
    "de", "von", "van", "der", "den", "al", "el", "bin", "da", "di", "du", "le", "la", "ter",
];

/// Verbs of saying that follow a question or a cry.
#[rustfmt::skip]
pub(crate) const REPORTING: &[&str] = &[
    "said", "says", "asked", "asks", "told", "added", "adds", "wrote", "writes", "tweeted",
    "shouted", "replied", "continued", "answered", "yelled", "cried", "exclaimed", "wondered",
    "quipped", "joked", "demanded", "declared", "argued", "posted",
];

/// Words that begin a sentence when a capital makes them do so after an abbreviation.
#[rustfmt::skip]
pub(crate) const STARTERS: &[&str] = &[
    "The", "This", "That", "These", "Those", "There", "Then", "They", "Their", "He", "She", "It",
    "Its", "His", "Her", "We", "Our", "You", "Your", "I", "My", "But", "And", "Or", "So", "Yet",
    "Nor", "If", "In", "On", "At", "As", "By", "For", "From", "To", "With", "Without", "Within",
    "After", "Before", "Although", "Though", "While", "When", "Where", "Why", "What", "Who",
    "Which", "How", "Since", "Because", "Until", "Unless", "Under", "Over", "Between", "Among",
    "Amid", "Against", "Despite", "During", "Both", "Each", "Every", "Some", "Many", "Most",
    "Several", "Few", "Such", "Other", "Others", "Another", "Any", "All", "Not", "No", "None",
    "Nothing", "Nobody", "Everyone", "Now", "Here", "Once", "Only", "Also", "Even", "Still",
    "Instead", "However", "Meanwhile", "Moreover", "Nevertheless", "Earlier", "Later", "Last",
    "Asked", "Speaking", "According", "About", "Around", "Perhaps", "Maybe", "Yes", "Is", "Are",
    "Was", "Were", "Do", "Does", "Did", "Has", "Have", "Had", "Can", "Could", "Would", "Should",
    "Today", "Yesterday", "Tomorrow", "Critics", "Officials", "Experts", "Analysts", "Lawmakers",
    "Police", "Prosecutors", "Investigators", "Authorities", "Residents", "Protesters",
    "Supporters", "Opponents", "Observers", "Activists", "Advocates", "Researchers", "Scientists",
    "Reporters", "Journalists", "Witnesses", "Diplomats", "Ministers", "Voters", "Polls",
    "Negotiators", "Nearly", "Almost", "More", "Two", "Three", "Four", "Five", "One", "Asking",
];

/// Abbreviations that a number follows.
pub(crate) const NUMBERED: &[&str] =
    &["Vol", "vol", "No", "Nos", "no", "nos", "Fig", "fig", "Ch", "ch", "pp", "Pt", "Art", "Sec"];

/// Words of offices that stand before a name.
#[rustfmt::skip]
pub(crate) const TITLE_WORDS: &[&str] = &[
    "President", "Vice", "Prime", "Minister", "Secretary", "General", "Secretary-General", "Senator", "Representative",
    "Congressman", "Congresswoman", "Governor", "Mayor", "Chancellor", "King", "Queen", "Prince", "Princess", "Pope", "Judge",
    "Justice", "Chief", "Director", "Chairman", "Chairwoman", "Chair", "Speaker", "Leader", "Majority", "Minority", "Attorney",
    "Deputy", "Foreign", "Defense", "Defence", "Former", "Sir", "Lord", "Lady", "Professor", "Ambassador", "Admiral", "Colonel", "Captain",
    "Commander", "Sheriff", "Officer", "Spokesman", "Spokeswoman", "Commissioner", "Premier", "Candidate", "Republican", "Democratic",
    "Democrat", "Mr", "Mrs", "Ms", "Dr", "First", "Acting", "Special", "Counsel", "Reverend", "Bishop", "Cardinal", "Sergeant", "Lieutenant",
];

/// Adjectives and nouns of nationality, which name no actor by themselves.
#[rustfmt::skip]
pub(crate) const DEMONYMS: &[&str] = &[
    "American", "Americans", "Russian", "Russians", "Ukrainian", "Ukrainians", "British", "French", "German", "Germans", "Chinese",
    "Japanese", "Korean", "Koreans", "Iranian", "Iranians", "Iraqi", "Iraqis", "Syrian", "Syrians", "Israeli", "Israelis", "Palestinian",
    "Palestinians", "Turkish", "Saudi", "Egyptian", "Indian", "Pakistani", "Afghan", "Afghans", "Mexican", "Mexicans", "Canadian",
    "Canadians", "Australian", "Italian", "Spanish", "Polish", "Dutch", "Swedish", "Finnish", "Norwegian", "Danish", "European",
    "Europeans", "African", "Asian", "Western", "Eastern", "Soviet", "Arab", "Arabs", "Muslim", "Muslims", "Christian", "Christians",
    "Jewish", "Jews", "Catholic", "Latvian", "Lithuanian", "Estonian", "English", "Scottish", "Irish", "Hispanic", "Latino", "Latinos",
    "African-American", "African-Americans", "Cuban", "Brazilian", "Venezuelan", "Greek", "Belarusian", "Georgian",
];

/// Last words of names that are no surnames.
#[rustfmt::skip]
pub(crate) const NO_SURNAMES: &[&str] = &[
    "House", "Court", "Party", "Department", "States", "Council", "Union", "Nations", "Street", "Journal", "Times", "Post", "News",
    "University", "Committee", "Agency", "Ministry", "Bank", "Office", "City", "County", "Beach", "Korea", "Kingdom", "Zealand",
    "York", "Jersey", "Carolina", "Virginia", "Dakota", "Hampshire", "Mexico", "Africa", "America", "Arabia", "East", "West", "North",
    "South", "Sea", "River", "Bay", "Island", "Islands", "War", "Act", "Law", "Reform", "Deal", "Accord", "Treaty", "Agreement", "Organization",
    "Organisation", "Association", "Group", "Institute", "Center", "Centre", "Foundation", "Company", "Corporation", "Inc", "Corp", "Press",
    "Service", "Guard", "Force", "Army", "Navy", "Air", "Senate", "Congress", "Parliament", "Commission", "Board", "Authority", "Bureau",
    "Administration", "Campaign", "Convention", "Conference", "Summit", "Day", "Eve", "Week", "Year", "Street", "Avenue", "Square", "Hill",
    "Today", "Tonight", "Care", "Security", "Intelligence", "Affairs", "Relations", "Rights", "Network", "Media", "Radio", "Television",
    "Republicans", "Democrats", "Republican", "Democrat", "State", "District", "Border", "Wall", "Coast", "World", "Angeles", "Francisco", "Vegas", "Lanka",
];

/// Those of [`NO_SURNAMES`] that name an actor by themselves.
pub(crate) const WHOLE_NAMES: &[&str] = &[
    "House",
    "Senate",
    "Congress",
    "Parliament",
    "America",
    "Africa",
    "Mexico",
    "Republicans",
    "Democrats",
];
