//! Columns back to rows. A table may come from anywhere, so nothing about it is taken
//! for granted: a missing column, another type or an unknown label is a clear error.

use arrow::{
    array::{
        Array, ArrayRef, AsArray, BooleanArray, Float32Array, ListArray, RecordBatch, StringArray,
    },
    datatypes::{Float32Type, Int32Type},
};
use serde_json::Value;

use super::{
    OTHER_COLUMN,
    encode::role_name,
    schema::{ARTICLE_COLUMNS, input_names, probability_column, withheld_column},
};
use crate::{
    corpus::Article,
    model::codebook::{Layer, LayerKind},
    scoring::rows::{ArticleRow, MentionRow, Scores, SentenceRow},
    text::Role,
};

/// What is wrong with a table; the reader adds the file's name.
type Result<T> = std::result::Result<T, String>;

fn column<'a>(batch: &'a RecordBatch, name: &str) -> Result<&'a ArrayRef> {
    batch.column_by_name(name).ok_or_else(|| format!("it has no column {name}"))
}

fn wrong_type(name: &str, column: &ArrayRef, expected: &str) -> String {
    format!("column {name} holds {}, not {expected}", column.data_type())
}

fn text<'a>(batch: &'a RecordBatch, name: &str) -> Result<&'a StringArray> {
    let c = column(batch, name)?;
    c.as_string_opt::<i32>().ok_or_else(|| wrong_type(name, c, "text"))
}

fn float<'a>(batch: &'a RecordBatch, name: &str) -> Result<&'a Float32Array> {
    let c = column(batch, name)?;
    c.as_primitive_opt::<Float32Type>().ok_or_else(|| wrong_type(name, c, "32-bit floats"))
}

fn boolean<'a>(batch: &'a RecordBatch, name: &str) -> Result<&'a BooleanArray> {
    let c = column(batch, name)?;
    c.as_boolean_opt().ok_or_else(|| wrong_type(name, c, "booleans"))
}

/// A column of counts or offsets.
fn integers(batch: &RecordBatch, name: &str) -> Result<Vec<Option<u32>>> {
    let c = column(batch, name)?;
    let values =
        c.as_primitive_opt::<Int32Type>().ok_or_else(|| wrong_type(name, c, "32-bit integers"))?;
    values
        .iter()
        .map(|v| v.map(u32::try_from).transpose())
        .collect::<std::result::Result<_, _>>()
        .map_err(|_| format!("column {name} holds a negative number"))
}

fn cell(column: &StringArray, i: usize) -> Option<String> {
    column.is_valid(i).then(|| column.value(i).to_owned())
}

fn required(column: &StringArray, i: usize, name: &str) -> Result<String> {
    cell(column, i).ok_or_else(|| format!("column {name} is empty in a row"))
}

fn number(column: &[Option<u32>], i: usize, name: &str) -> Result<u32> {
    column.get(i).copied().flatten().ok_or_else(|| format!("column {name} is empty in a row"))
}

/// A column of lists of labels, and the labels.
type Lists<'a> = (&'a ListArray, &'a StringArray);

fn lists<'a>(batch: &'a RecordBatch, name: &str) -> Result<Lists<'a>> {
    let c = column(batch, name)?;
    let lists = c.as_list_opt::<i32>().ok_or_else(|| wrong_type(name, c, "lists"))?;
    let values = lists
        .values()
        .as_string_opt::<i32>()
        .ok_or_else(|| wrong_type(name, c, "lists of text"))?;
    Ok((lists, values))
}

/// The columns of one layer.
struct LayerColumns<'a> {
    layer: &'a Layer,
    single: Option<&'a StringArray>,
    multi: Option<Lists<'a>>,
    /// Labels of a multi layer that were withheld, where the table has the column.
    withheld: Option<Lists<'a>>,
    probabilities: Vec<&'a Float32Array>,
}

impl<'a> LayerColumns<'a> {
    fn new(batch: &'a RecordBatch, layer: &'a Layer) -> Result<Self> {
        let name = &layer.name;
        let (mut single, mut multi, mut withheld) = (None, None, None);
        if layer.kind == LayerKind::Multi {
            multi = Some(lists(batch, name)?);
            let column = withheld_column(name);
            withheld = batch.column_by_name(&column).map(|_| lists(batch, &column)).transpose()?;
        } else {
            single = Some(text(batch, name)?);
        }
        let probabilities = layer
            .label_names()
            .map(|label| float(batch, &probability_column(name, label)))
            .collect::<Result<_>>()?;
        Ok(Self { layer, single, multi, withheld, probabilities })
    }

    /// Whether the layer was scored in row `i`.
    fn scored(&self, i: usize) -> bool {
        self.probabilities.first().is_some_and(|p| p.is_valid(i))
    }

    fn scores(&self, i: usize) -> Result<Scores> {
        let index = |label: &str| {
            let layer = &self.layer.name;
            self.layer.index_of(label).ok_or_else(|| {
                format!("column {layer} holds {label:?}, which is no label of the codebook")
            })
        };
        let mut labels = Vec::new();
        if let Some(column) = self.single.filter(|c| c.is_valid(i)) {
            labels.push(index(column.value(i))?);
        }
        let listed = |lists: Option<Lists>| -> Result<Vec<usize>> {
            let Some((lists, values)) = lists.filter(|(l, _)| l.is_valid(i)) else {
                return Ok(Vec::new());
            };
            let offsets = lists.value_offsets();
            (offsets[i]..offsets[i + 1]).map(|j| index(values.value(j as usize))).collect()
        };
        labels.extend(listed(self.multi)?);
        let withheld = listed(self.withheld)?;
        // A null beside valid probabilities can only come from another program: not a number.
        let p = |c: &&Float32Array| if c.is_valid(i) { c.value(i) } else { f32::NAN };
        Ok(Scores { probabilities: self.probabilities.iter().map(p).collect(), labels, withheld })
    }
}

fn role(name: &str) -> Result<Role> {
    [Role::Headline, Role::Body, Role::Quote, Role::Boilerplate]
        .into_iter()
        .find(|&r| role_name(r) == name)
        .ok_or_else(|| format!("column role holds {name:?}, which is no role"))
}

/// The rows of a batch of `sentences`; `layers` are the codebook's sentence layers.
pub(super) fn sentences(batch: &RecordBatch, layers: &[Layer]) -> Result<Vec<SentenceRow>> {
    let article_id = text(batch, "article_id")?;
    let outlet = text(batch, "outlet")?;
    let (date, event) = (text(batch, "date")?, text(batch, "event")?);
    let topic = text(batch, "topic")?;
    let sentence_index = integers(batch, "sentence_index")?;
    let (start, end) = (integers(batch, "start")?, integers(batch, "end")?);
    let sentence = text(batch, "text")?;
    let roles = text(batch, "role")?;
    let n_tokens = integers(batch, "n_tokens")?;
    let windowed = boolean(batch, "windowed")?;
    let duplicate_group = text(batch, "duplicate_group")?;
    let layers: Vec<_> =
        layers.iter().map(|layer| LayerColumns::new(batch, layer)).collect::<Result<_>>()?;
    (0..batch.num_rows())
        .map(|i| {
            let role = role(&required(roles, i, "role")?)?;
            // A codebook without sentence layers leaves only the role to go by.
            let scored = layers.first().map_or(role != Role::Boilerplate, |l| l.scored(i));
            let scores = || layers.iter().map(|l| l.scores(i)).collect::<Result<_>>();
            Ok(SentenceRow {
                article_id: required(article_id, i, "article_id")?,
                outlet: required(outlet, i, "outlet")?,
                date: cell(date, i),
                event: cell(event, i),
                topic: cell(topic, i),
                sentence_index: number(&sentence_index, i, "sentence_index")?,
                start: start[i],
                end: end[i],
                text: required(sentence, i, "text")?,
                role,
                n_tokens: number(&n_tokens, i, "n_tokens")?,
                windowed: windowed.is_valid(i) && windowed.value(i),
                duplicate_group: required(duplicate_group, i, "duplicate_group")?,
                layers: scored.then(scores).transpose()?,
            })
        })
        .collect()
}

/// The rows of a batch of `mentions`; `layers` are the codebook's target layers.
pub(super) fn mentions(batch: &RecordBatch, layers: &[Layer]) -> Result<Vec<MentionRow>> {
    let article_id = text(batch, "article_id")?;
    let outlet = text(batch, "outlet")?;
    let sentence_index = integers(batch, "sentence_index")?;
    let (target, mention) = (text(batch, "target")?, text(batch, "mention")?);
    let (start, end) = (integers(batch, "start")?, integers(batch, "end")?);
    let layers: Vec<_> =
        layers.iter().map(|layer| LayerColumns::new(batch, layer)).collect::<Result<_>>()?;
    (0..batch.num_rows())
        .map(|i| {
            Ok(MentionRow {
                article_id: required(article_id, i, "article_id")?,
                outlet: required(outlet, i, "outlet")?,
                sentence_index: number(&sentence_index, i, "sentence_index")?,
                target: required(target, i, "target")?,
                mention: required(mention, i, "mention")?,
                start: start[i],
                end: end[i],
                layers: layers.iter().map(|l| l.scores(i)).collect::<Result<_>>()?,
            })
        })
        .collect()
}

/// The rows of a batch of `articles`; the articles' text is not in the table and empty.
pub(super) fn articles(batch: &RecordBatch) -> Result<Vec<ArticleRow>> {
    let id = text(batch, "article_id")?;
    let outlet = text(batch, "outlet")?;
    let (date, event) = (text(batch, "date")?, text(batch, "event")?);
    let (topic, title) = (text(batch, "topic")?, text(batch, "title")?);
    let (url, language) = (text(batch, "url")?, text(batch, "language")?);
    let n_sentences = integers(batch, "n_sentences")?;
    let duplicate_of = text(batch, "duplicate_of")?;
    let schema = batch.schema();
    let extra = input_names(&schema)
        .into_iter()
        .zip(batch.columns().iter().skip(ARTICLE_COLUMNS))
        .map(|(name, c)| match c.as_string_opt::<i32>() {
            Some(values) => Ok((name, values)),
            None => Err(wrong_type(&name, c, "text")),
        })
        .collect::<Result<Vec<_>>>()?;
    (0..batch.num_rows())
        .map(|i| {
            let mut pairs = Vec::new();
            for (name, values) in &extra {
                let Some(value) = cell(values, i) else { continue };
                if name == OTHER_COLUMN {
                    pairs.extend(other_pairs(&value)?);
                } else {
                    pairs.push((name.clone(), value));
                }
            }
            Ok(ArticleRow {
                article: Article {
                    id: required(id, i, "article_id")?,
                    outlet: required(outlet, i, "outlet")?,
                    date: cell(date, i),
                    title: cell(title, i),
                    text: String::new(),
                    url: cell(url, i),
                    event: cell(event, i),
                    topic: cell(topic, i),
                    language: cell(language, i),
                    extra: pairs,
                },
                n_sentences: number(&n_sentences, i, "n_sentences")?,
                duplicate_of: cell(duplicate_of, i),
            })
        })
        .collect()
}

/// The pairs in a cell of [`OTHER_COLUMN`].
fn other_pairs(json: &str) -> Result<Vec<(String, String)>> {
    let Ok(Value::Object(map)) = serde_json::from_str(json) else {
        return Err(format!("column {OTHER_COLUMN} holds something other than a JSON object"));
    };
    let value = |v: Value| if let Value::String(s) = v { s } else { v.to_string() };
    Ok(map.into_iter().map(|(k, v)| (k, value(v))).collect())
}
