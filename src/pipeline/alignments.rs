//! The table of alignments: a row is a member of a group, and the groups can be read back
//! from it whole.
//!
//! Lists of marks and facts stand in a row as lists of records. Arrow's own JSON reader
//! and writer turn serde's records into such columns and back.

use std::{collections::BTreeMap, fs::File, path::Path, sync::Arc};

use arrow::{
    array::ArrayRef,
    datatypes::{DataType, Field, Fields, Schema, SchemaRef},
    json::{ArrayWriter, ReaderBuilder},
};
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use serde::{Deserialize, Serialize};

use crate::{
    error::{Error, Result},
    model::codebook::Codebook,
    profile::alignment::{
        Contested, DifferingFact, FactKind, Group, GroupKind, Mark, MarkKind, Member, SentenceKey,
    },
    scoring::tables::{TableRow, table_schema},
};

/// Name of the table, without the ending.
pub(super) const ALIGNMENTS: &str = "alignments";

/// A member of a group: a row of `alignments.parquet`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct AlignmentRow {
    group: u32,
    event: Option<String>,
    kind: String,
    article_id: String,
    outlet: String,
    sentence_index: u32,
    start: u32,
    end: u32,
    similarity: f32,
    representative: bool,
    contested: Option<String>,
    #[serde(default)]
    marks: Vec<MarkRow>,
    #[serde(default)]
    facts: Vec<FactRow>,
    #[serde(default)]
    absent: Vec<String>,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct MarkRow {
    start: u32,
    end: u32,
    kind: String,
}

/// A value that the member gives for a fact on which the group differs.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct FactRow {
    /// Number of the fact within the group.
    fact: u32,
    /// Number of the value within the fact.
    choice: u32,
    what: String,
    value: String,
}

const PASSED_ON: &str = "passed_on";
const HELD_OFF: &str = "held_off";
const KINDS: [(GroupKind, &str); 2] =
    [(GroupKind::Claim, "claim"), (GroupKind::Quotation, "quotation")];
const MARKS: [(MarkKind, &str); 5] = [
    (MarkKind::ReportingVerb, "reporting_verb"),
    (MarkKind::Hedge, "hedge"),
    (MarkKind::ScareQuote, "scare_quote"),
    (MarkKind::Naming, "naming"),
    (MarkKind::Figure, "figure"),
];
const FACTS: [(FactKind, &str); 4] = [
    (FactKind::Number, "number"),
    (FactKind::Date, "date"),
    (FactKind::Place, "place"),
    (FactKind::Actor, "actor"),
];

fn name_of<T: PartialEq>(names: &[(T, &'static str)], kind: &T) -> String {
    names.iter().find(|(k, _)| k == kind).map_or("", |(_, name)| name).to_owned()
}

fn kind_of<T: Copy>(names: &[(T, &str)], name: &str) -> std::result::Result<T, String> {
    let found = names.iter().find(|(_, n)| *n == name).map(|(kind, _)| *kind);
    found.ok_or_else(|| format!("{name:?} is no kind that this program knows"))
}

/// Offsets are far below 2³¹; a table that came from elsewhere is checked when read.
fn small(n: usize) -> u32 {
    u32::try_from(n).unwrap_or(u32::MAX)
}

impl AlignmentRow {
    /// The rows of a group.
    pub(super) fn of(group: &Group) -> Vec<Self> {
        let side = |i: &usize| {
            let sides = group.contested.as_ref()?;
            let side = if sides.held_off.contains(i) {
                HELD_OFF
            } else if sides.passed_on.contains(i) {
                PASSED_ON
            } else {
                return None;
            };
            Some(side.to_owned())
        };
        let facts = |i: usize| {
            let facts = group.differing.iter().enumerate();
            let values = facts.flat_map(|(f, fact)| {
                fact.values.iter().enumerate().map(move |(c, (value, of))| (f, c, fact, value, of))
            });
            let mine = values.filter(|(.., of)| of.contains(&i));
            mine.map(|(f, c, fact, value, _)| FactRow {
                fact: small(f),
                choice: small(c),
                what: name_of(&FACTS, &fact.what),
                value: value.clone(),
            })
            .collect()
        };
        let mark = |m: &Mark| MarkRow {
            start: small(m.start),
            end: small(m.end),
            kind: name_of(&MARKS, &m.kind),
        };
        let row = |(i, m): (usize, &Member)| AlignmentRow {
            group: group.id,
            event: group.event.clone(),
            kind: name_of(&KINDS, &group.kind),
            article_id: m.sentence.article_id.clone(),
            outlet: m.outlet.clone(),
            sentence_index: m.sentence.sentence_index,
            start: small(m.span.start),
            end: small(m.span.end),
            similarity: m.similarity,
            representative: i == group.representative,
            contested: side(&i),
            marks: m.marks.iter().map(mark).collect(),
            facts: facts(i),
            absent: group.absent.clone(),
        };
        group.members.iter().enumerate().map(row).collect()
    }
}

/// The columns of `alignments`.
///
/// # Errors
/// If the codebook cannot be written as JSON.
pub fn alignments_schema(codebook: &Codebook) -> Result<SchemaRef> {
    use DataType::{Boolean, Float32, Int32, Utf8};
    let records = |columns: &[(&str, DataType)]| {
        let fields: Fields =
            columns.iter().map(|(name, kind)| Field::new(*name, kind.clone(), false)).collect();
        DataType::List(Arc::new(Field::new_list_field(DataType::Struct(fields), true)))
    };
    let marks = records(&[("start", Int32), ("end", Int32), ("kind", Utf8)]);
    let facts = records(&[("fact", Int32), ("choice", Int32), ("what", Utf8), ("value", Utf8)]);
    let names = DataType::List(Arc::new(Field::new_list_field(Utf8, true)));
    let columns = [
        ("group", Int32, false),
        ("event", Utf8, true),
        ("kind", Utf8, false),
        ("article_id", Utf8, false),
        ("outlet", Utf8, false),
        ("sentence_index", Int32, false),
        ("start", Int32, false),
        ("end", Int32, false),
        ("similarity", Float32, false),
        ("representative", Boolean, false),
        ("contested", Utf8, true),
        ("marks", marks, false),
        ("facts", facts, false),
        ("absent", names, false),
    ];
    let field = |(name, kind, null)| Field::new(name, kind, null);
    table_schema(columns.into_iter().map(field).collect(), codebook)
}

impl TableRow for AlignmentRow {
    type Layout = SchemaRef;

    fn layout(schema: &Schema) -> Result<SchemaRef> {
        Ok(Arc::new(schema.clone()))
    }

    fn encode(rows: &[Self], schema: &SchemaRef) -> std::result::Result<Vec<ArrayRef>, String> {
        let told = |e: arrow::error::ArrowError| e.to_string();
        let mut decoder = ReaderBuilder::new(schema.clone())
            .with_batch_size(rows.len().max(1))
            .build_decoder()
            .map_err(told)?;
        decoder.serialize(rows).map_err(told)?;
        let batch = decoder.flush().map_err(told)?.ok_or("no rows were given")?;
        Ok(batch.columns().to_vec())
    }

    fn text_bytes(&self) -> usize {
        let absent: usize = self.absent.iter().map(String::len).sum();
        self.article_id.len() + self.outlet.len() + absent + 16 * self.marks.len()
    }
}

/// Reads the groups of a scored folder back; none where it was not aligned.
///
/// # Errors
/// If `alignments.parquet` cannot be read, or was not written by this program.
pub fn read_alignments(dir: &Path) -> Result<Vec<Group>> {
    let path = dir.join(format!("{ALIGNMENTS}.parquet"));
    if !path.is_file() {
        return Ok(Vec::new());
    }
    let at = |e: String| Error::table(path.display(), e);
    let file = File::open(&path).map_err(|e| Error::io(&path, e))?;
    let reader = ParquetRecordBatchReaderBuilder::try_new(file)
        .and_then(|builder| builder.build())
        .map_err(|e| at(e.to_string()))?;
    let mut by_group: BTreeMap<u32, Vec<AlignmentRow>> = BTreeMap::new();
    for batch in reader {
        let mut writer = ArrayWriter::new(Vec::new());
        batch
            .and_then(|batch| writer.write(&batch))
            .and_then(|()| writer.finish())
            .map_err(|e| at(e.to_string()))?;
        let json = writer.into_inner();
        if json.is_empty() {
            continue;
        }
        let rows: Vec<AlignmentRow> =
            serde_json::from_slice(&json).map_err(|e| at(e.to_string()))?;
        for row in rows {
            by_group.entry(row.group).or_default().push(row);
        }
    }
    by_group.into_values().map(|rows| group(rows).map_err(at)).collect()
}

/// The values of a fact by their numbers, each with the members that give it.
type Values = BTreeMap<u32, (String, Vec<usize>)>;

fn group(rows: Vec<AlignmentRow>) -> std::result::Result<Group, String> {
    let first = rows.first().ok_or("a group has no rows")?;
    let on = |side: &str| -> Vec<usize> {
        let of = |row: &AlignmentRow| row.contested.as_deref() == Some(side);
        rows.iter().enumerate().filter(|(_, row)| of(row)).map(|(i, _)| i).collect()
    };
    let (passed_on, held_off) = (on(PASSED_ON), on(HELD_OFF));
    let contested = (!passed_on.is_empty() && !held_off.is_empty())
        .then_some(Contested { passed_on, held_off });
    let mut facts: BTreeMap<u32, (FactKind, Values)> = BTreeMap::new();
    for (i, row) in rows.iter().enumerate() {
        for fact in &row.facts {
            let what = kind_of(&FACTS, &fact.what)?;
            let values = &mut facts.entry(fact.fact).or_insert((what, BTreeMap::new())).1;
            values.entry(fact.choice).or_insert((fact.value.clone(), Vec::new())).1.push(i);
        }
    }
    Ok(Group {
        id: first.group,
        event: first.event.clone(),
        kind: kind_of(&KINDS, &first.kind)?,
        representative: rows.iter().position(|row| row.representative).unwrap_or(0),
        absent: first.absent.clone(),
        contested,
        differing: facts
            .into_values()
            .map(|(what, values)| DifferingFact { what, values: values.into_values().collect() })
            .collect(),
        members: rows.into_iter().map(member).collect::<std::result::Result<_, String>>()?,
    })
}

fn member(row: AlignmentRow) -> std::result::Result<Member, String> {
    let mark = |m: MarkRow| {
        let kind = kind_of(&MARKS, &m.kind)?;
        Ok(Mark { start: m.start as usize, end: m.end as usize, kind })
    };
    Ok(Member {
        sentence: SentenceKey { article_id: row.article_id, sentence_index: row.sentence_index },
        outlet: row.outlet,
        span: row.start as usize..row.end as usize,
        similarity: row.similarity,
        marks: row.marks.into_iter().map(mark).collect::<std::result::Result<_, String>>()?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scoring::tables::{Format, TableWriter};

    fn sample() -> Group {
        let member = |outlet: &str, i: u32| Member {
            sentence: SentenceKey { article_id: format!("{outlet}-1"), sentence_index: i },
            outlet: outlet.to_owned(),
            span: 2..9,
            similarity: 0.5,
            marks: vec![Mark { start: 2, end: 4, kind: MarkKind::Naming }],
        };
        Group {
            id: 3,
            event: None,
            kind: GroupKind::Quotation,
            members: vec![member("a", 0), member("b", 4), member("b", 5)],
            representative: 1,
            absent: vec!["c".into()],
            contested: Some(Contested { passed_on: vec![0], held_off: vec![1, 2] }),
            differing: vec![DifferingFact {
                what: FactKind::Number,
                values: vec![("7,000 barges".into(), vec![0, 2]), ("20 barges".into(), vec![2])],
            }],
        }
    }

    #[test]
    fn groups_are_read_back_as_they_were() {
        let dir = tempfile::tempdir().unwrap();
        assert_eq!(read_alignments(dir.path()).unwrap(), []);
        let codebook =
            "name = \"t\"\n[[layer]]\nname = \"l\"\nkind = \"multi\"\nlabels = [{ name = \"x\" }]";
        let codebook = Codebook::from_toml(codebook).unwrap();
        let mut plain = sample();
        (plain.id, plain.contested, plain.event) = (4, None, Some("a \"storm\"".into()));
        (plain.differing, plain.absent) = (Vec::new(), Vec::new());
        let groups = [sample(), plain];
        let schema = alignments_schema(&codebook).unwrap();
        let mut writer =
            TableWriter::create(dir.path(), ALIGNMENTS, schema, Format::Parquet).unwrap();
        groups.iter().for_each(|g| writer.write(&AlignmentRow::of(g)).unwrap());
        writer.finish().unwrap();
        assert_eq!(read_alignments(dir.path()).unwrap(), groups);
    }
}
