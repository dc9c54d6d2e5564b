//! The table of sentence vectors: what alignment and framing axes are made from.
//!
//! Half precision: a vector of 384 numbers takes 768 bytes, and a cosine changes by less
//! than 0.001, far below what any threshold on it can mean.

use std::{path::Path, sync::Arc};

use arrow::{
    array::{
        Array, ArrayRef, AsArray, FixedSizeListArray, Float16Array, Int32Array, RecordBatch,
        StringArray,
    },
    datatypes::{DataType, Field, Float16Type, Int32Type, Schema, SchemaRef},
};
use half::f16;

use super::{TableRow, TableWriter, table_schema};
use crate::{
    error::{Error, Result},
    model::codebook::Codebook,
    scoring::rows::VectorRow,
    scoring::tables::Format,
};

/// Name of the table, without the ending.
pub const VECTORS: &str = "vectors";

/// The columns of `vectors` for vectors of `width` numbers.
///
/// # Errors
/// If the codebook cannot be written as JSON or the width is beyond 32 bits.
pub fn vectors_schema(codebook: &Codebook, width: usize) -> Result<SchemaRef> {
    let width = i32::try_from(width).map_err(|e| Error::table(VECTORS, e))?;
    let fields = vec![
        Field::new("article_id", DataType::Utf8, false),
        Field::new("sentence_index", DataType::Int32, false),
        Field::new("vector", DataType::FixedSizeList(item(), width), false),
    ];
    table_schema(fields, codebook)
}

fn item() -> Arc<Field> {
    Arc::new(Field::new_list_field(DataType::Float16, false))
}

impl TableRow for VectorRow {
    /// Numbers in a vector.
    type Layout = i32;

    fn layout(schema: &Schema) -> Result<i32> {
        match schema.field_with_name("vector").map(|f| f.data_type().clone()) {
            Ok(DataType::FixedSizeList(_, width)) => Ok(width),
            _ => Err(Error::table(VECTORS, "its schema holds no vectors")),
        }
    }

    fn encode(rows: &[Self], width: &i32) -> std::result::Result<Vec<ArrayRef>, String> {
        if let Some(row) = rows.iter().find(|r| i32::try_from(r.vector.len()) != Ok(*width)) {
            let n = row.vector.len();
            return Err(format!("a vector holds {n} numbers, but the table {width}"));
        }
        let index: Int32Array = rows.iter().map(|r| i32::try_from(r.sentence_index).ok()).collect();
        let numbers = rows.iter().flat_map(|r| r.vector.iter().map(|&x| f16::from_f32(x)));
        let numbers = Float16Array::from_iter_values(numbers);
        let vectors = FixedSizeListArray::try_new(item(), *width, Arc::new(numbers), None)
            .map_err(|e| e.to_string())?;
        Ok(vec![
            Arc::new(StringArray::from_iter_values(rows.iter().map(|r| r.article_id.as_str()))),
            Arc::new(index),
            Arc::new(vectors),
        ])
    }

    fn text_bytes(&self) -> usize {
        self.article_id.len() + 4 * self.vector.len()
    }
}

/// The rows of a batch of `vectors`.
pub(super) fn decode(batch: &RecordBatch) -> std::result::Result<Vec<VectorRow>, String> {
    let column =
        |name: &str| batch.column_by_name(name).ok_or_else(|| format!("it has no column {name}"));
    let wrong = |name: &str| format!("column {name} holds something else than it should");
    let ids = column("article_id")?.as_string_opt::<i32>().ok_or_else(|| wrong("article_id"))?;
    let index = column("sentence_index")?
        .as_primitive_opt::<Int32Type>()
        .ok_or_else(|| wrong("sentence_index"))?;
    let vectors = column("vector")?.as_fixed_size_list_opt().ok_or_else(|| wrong("vector"))?;
    (0..batch.num_rows())
        .map(|i| {
            let numbers = vectors.value(i);
            let numbers =
                numbers.as_primitive_opt::<Float16Type>().ok_or_else(|| wrong("vector"))?;
            if ids.is_null(i) || index.is_null(i) || vectors.is_null(i) {
                return Err("a cell is empty".to_owned());
            }
            Ok(VectorRow {
                article_id: ids.value(i).to_owned(),
                sentence_index: u32::try_from(index.value(i))
                    .map_err(|_| "sentence_index holds a negative number".to_owned())?,
                vector: numbers.iter().map(|x| x.map_or(0.0, f16::to_f32)).collect(),
            })
        })
        .collect()
}

/// Writes `vectors.parquet` as rows come; the table is opened with the first of them,
/// which tells how wide it is.
pub struct VectorWriter<'a> {
    dir: &'a Path,
    codebook: &'a Codebook,
    table: Option<TableWriter<VectorRow>>,
}

impl<'a> VectorWriter<'a> {
    /// A writer into the folder `dir`; nothing is made before the first row.
    pub fn new(dir: &'a Path, codebook: &'a Codebook) -> Self {
        Self { dir, codebook, table: None }
    }

    /// Appends rows.
    ///
    /// # Errors
    /// If vectors differ in width, or the disk is full or fails.
    pub fn write(&mut self, rows: &[VectorRow]) -> Result<()> {
        let Some(first) = rows.first() else { return Ok(()) };
        let table = match &mut self.table {
            Some(table) => table,
            None => {
                let schema = vectors_schema(self.codebook, first.vector.len())?;
                self.table.insert(TableWriter::create(self.dir, VECTORS, schema, Format::Parquet)?)
            }
        };
        table.write(rows)
    }

    /// Gives the table its name, where there was a row.
    ///
    /// # Errors
    /// If the disk is full or fails.
    pub fn finish(self) -> Result<()> {
        self.table.map(TableWriter::finish).transpose().map(|_| ())
    }
}
