//! Double coding: a second annotator's answers to some of the rows. Where both say the same it is
//! certain; a label that one of them alone gave is neither right nor wrong in a multi layer, and the
//! second's answer counts as right too in the others.

use std::collections::HashMap;
use std::path::Path;

use serde_json::Value;

use super::row::{Row, plain};
use super::{Answer, Choice, Example};
use crate::corpus::{Record, Records, Skip};
use crate::error::Result;

/// A second annotator's rows, by `id`.
#[derive(Default)]
pub(super) struct Second(HashMap<String, Row>);

impl Second {
    /// Reads the rows of `path`: an `id` and a field for each layer that is answered. Rows that
    /// cannot be used go to `skipped`.
    ///
    /// # Errors
    /// If the file cannot be read.
    pub(super) fn read(path: &Path, skipped: &mut Vec<Skip>) -> Result<Self> {
        let mut rows = HashMap::new();
        for record in Records::open(path)? {
            let Record { number, values } = match record? {
                Ok(record) => record,
                Err(skip) => {
                    skipped.push(skip);
                    continue;
                }
            };
            match values.get("id").and_then(plain) {
                Some(id) => {
                    rows.insert(id, values);
                }
                None => skipped.push(Skip {
                    file: path.display().to_string(),
                    row: number,
                    reason: "field `id` is missing; it tells which row is answered again".into(),
                }),
            }
        }
        Ok(Second(rows))
    }

    /// `row` with the second annotator's answers in place of the first's, if there are any.
    pub(super) fn of(&self, row: &Row) -> Option<Row> {
        let second = self.0.get(&row.get("id").and_then(plain)?)?;
        let mut both = row.clone();
        for (field, value) in second {
            match (both.get_mut(field), value) {
                // The mention stays where the first has it.
                (Some(Value::Object(mine)), Value::Object(theirs)) => {
                    mine.extend(theirs.clone());
                }
                _ => {
                    both.insert(field.clone(), value.clone());
                }
            }
        }
        Some(both)
    }
}

/// Puts a second annotator's answers beside the first's.
pub(super) fn agree(first: &mut Example, second: Example) {
    for (mine, theirs) in first.answers.iter_mut().zip(second.answers) {
        match (mine, theirs) {
            (Answer::Single(mine), Answer::Single(theirs)) => also(mine, theirs),
            (Answer::Multi(mine), Answer::Multi(theirs)) => {
                for (mine, theirs) in mine.iter_mut().zip(theirs) {
                    if *mine != theirs {
                        *mine = None;
                    }
                }
            }
            (Answer::Target(mine), Answer::Target(theirs)) => {
                for (mention, choice) in mine {
                    if let Some((_, theirs)) = theirs.iter().find(|(at, _)| at == mention) {
                        also(choice, *theirs);
                    }
                }
            }
            _ => {}
        }
    }
}

fn also(mine: &mut Choice, theirs: Choice) {
    if mine.label != theirs.label && mine.alternative.is_none() {
        mine.alternative = Some(theirs.label);
    }
}
