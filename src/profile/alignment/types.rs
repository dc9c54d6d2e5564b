//! What an alignment is made of.

use std::ops::Range;

/// A sentence of the corpus.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SentenceKey {
    /// The article.
    pub article_id: String,
    /// 0-based position of the sentence in the article.
    pub sentence_index: u32,
}

/// A clause: a sentence, or a part of one that reports something by itself.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Clause {
    /// Its sentence.
    pub sentence: SentenceKey,
    /// Unicode characters of the sentence.
    pub span: Range<usize>,
}

/// Two clauses of different sentences, and what was measured on them.
#[derive(Debug, Clone, PartialEq)]
pub struct MeasuredPair {
    /// The clause that stands first in the corpus.
    pub a: Clause,
    /// The other.
    pub b: Clause,
    /// Each measure's name and value.
    pub measures: Vec<(&'static str, f32)>,
}

/// What the members of a group have in common.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum GroupKind {
    /// They report one claim or act.
    Claim,
    /// They quote one utterance, whole, cut or rephrased.
    Quotation,
}

/// What sort of word a [`Mark`] stands on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum MarkKind {
    /// A verb that passes speech on: *said*, *claimed*, *insisted*.
    ReportingVerb,
    /// A word that weakens: *may*, *reportedly*.
    Hedge,
    /// One or a few words in quotation marks that are no quotation of length.
    ScareQuote,
    /// A name for what others in the group call otherwise: *buildup*, *movement of troops*.
    Naming,
    /// A number, with the noun that it counts.
    Figure,
}

/// Words of a member that differ from others of its group.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mark {
    /// First Unicode character, counted into the sentence's text.
    pub start: usize,
    /// One past the last.
    pub end: usize,
    /// What sort of word it is.
    pub kind: MarkKind,
}

/// One sentence, or a clause of one, in a group.
#[derive(Debug, Clone, PartialEq)]
pub struct Member {
    /// The sentence.
    pub sentence: SentenceKey,
    /// Its outlet.
    pub outlet: String,
    /// The part that carries the claim, in Unicode characters of the sentence's text.
    pub span: Range<usize>,
    /// Likeness to the representative, from 0 to 1; the representative's own is 1.
    pub similarity: f32,
    /// The words that differ, in order.
    pub marks: Vec<Mark>,
}

/// Members on the two sides of a contested claim, as indices into [`Group::members`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Contested {
    /// Those that state it or pass it on.
    pub passed_on: Vec<usize>,
    /// Those that hold it at a distance or deny it.
    pub held_off: Vec<usize>,
}

/// What sort of fact differs between members.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum FactKind {
    /// A number of something.
    Number,
    /// A day, month or year.
    Date,
    /// A place.
    Place,
    /// Who acts or speaks.
    Actor,
}

/// A fact on which the members of a group differ.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DifferingFact {
    /// What sort of fact.
    pub what: FactKind,
    /// Each value as it is written, with the members that give it (indices into
    /// [`Group::members`]).
    pub values: Vec<(String, Vec<usize>)>,
}

/// Sentences of different outlets that report one claim, act or quotation.
#[derive(Debug, Clone, PartialEq)]
pub struct Group {
    /// Number of the group, from 0, in order of the corpus.
    pub id: u32,
    /// The event that its articles cover: given, or found.
    pub event: Option<String>,
    /// What the members have in common.
    pub kind: GroupKind,
    /// Sorted by outlet, then article and sentence; at least two outlets.
    pub members: Vec<Member>,
    /// The member whose wording stands for all: an index into `members`.
    pub representative: usize,
    /// Outlets that cover the event and have no member.
    pub absent: Vec<String>,
    /// The two sides, where there are two.
    pub contested: Option<Contested>,
    /// Facts that differ between members.
    pub differing: Vec<DifferingFact>,
}
