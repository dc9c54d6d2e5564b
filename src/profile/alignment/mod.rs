//! Alignment: how each outlet put *this*. Sentences of different outlets that report the
//! same claim, act or quotation are found and grouped. Plain data in and out.

mod types;

pub use types::{
    Contested, DifferingFact, FactKind, Group, GroupKind, Mark, MarkKind, Member, SentenceKey,
};
