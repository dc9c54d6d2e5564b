//! Tables as an SQLite database.

use std::path::{Path, PathBuf};

use arrow::datatypes::{DataType, SchemaRef};
use rusqlite::types::{ToSqlOutput, Value, ValueRef};

use super::super::read::batches;
use super::cells::{Cell, columns};
use super::{persist, temporary};
use crate::error::{Error, Result};

/// Writes the tables, with an index on article and outlet.
pub(super) fn database(tables: &[(&str, PathBuf)], path: &Path) -> Result<()> {
    let failed = |e: rusqlite::Error| Error::table(path.display(), e);
    let file = temporary(path)?;
    {
        let mut db = rusqlite::Connection::open(file.path()).map_err(failed)?;
        // The file is thrown away if the program ends early, so no journal is needed.
        db.pragma_update(None, "journal_mode", "OFF").map_err(failed)?;
        db.pragma_update(None, "synchronous", "OFF").map_err(failed)?;
        for (name, source) in tables {
            let all = db.transaction().map_err(failed)?;
            table(&all, name, source, path)?;
            all.commit().map_err(failed)?;
        }
        db.close().map_err(|(_, e)| failed(e))?;
    }
    persist(file, path)
}

fn table(db: &rusqlite::Connection, name: &str, source: &Path, path: &Path) -> Result<()> {
    let failed = |e: rusqlite::Error| Error::table(path.display(), e);
    let reader = batches(source)?;
    let schema: SchemaRef = arrow::array::RecordBatchReader::schema(&reader);
    let quoted = |name: &str| format!("\"{}\"", name.replace('"', "\"\""));
    let kind = |kind: &DataType| match kind {
        DataType::Float32 | DataType::Float64 => "REAL",
        DataType::Boolean => "INTEGER",
        kind if kind.is_integer() => "INTEGER",
        _ => "TEXT",
    };
    let declared: Vec<String> = schema
        .fields()
        .iter()
        .map(|f| format!("{} {}", quoted(f.name()), kind(f.data_type())))
        .collect();
    let table = quoted(name);
    db.execute(&format!("CREATE TABLE {table} ({})", declared.join(", ")), []).map_err(failed)?;
    let places = vec!["?"; declared.len()].join(", ");
    let mut insert =
        db.prepare(&format!("INSERT INTO {table} VALUES ({places})")).map_err(failed)?;
    for batch in reader {
        let batch = batch.map_err(|e| Error::table(source.display(), e))?;
        let columns = columns(&batch).map_err(|e| Error::table(source.display(), e))?;
        for i in 0..batch.num_rows() {
            let row = columns.iter().map(|c| c.get(i).unwrap_or(&Cell::Null));
            insert.execute(rusqlite::params_from_iter(row)).map_err(failed)?;
        }
    }
    for key in ["article_id", "outlet"] {
        if schema.field_with_name(key).is_ok() {
            let index = quoted(&format!("{name}_{key}"));
            db.execute(&format!("CREATE INDEX {index} ON {table} ({})", quoted(key)), [])
                .map_err(failed)?;
        }
    }
    Ok(())
}

impl rusqlite::ToSql for Cell {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        Ok(match self {
            Cell::Null => ToSqlOutput::Owned(Value::Null),
            Cell::Number(x) => ToSqlOutput::Owned(Value::Real(*x)),
            Cell::Whole(n) => ToSqlOutput::Owned(Value::Integer(*n)),
            Cell::Bool(b) => ToSqlOutput::Owned(Value::Integer((*b).into())),
            Cell::Text(t) => ToSqlOutput::Borrowed(ValueRef::Text(t.as_bytes())),
        })
    }
}
