//! Many rows in one statement of PostgreSQL: an array a column, however many rows there are.
//!
//! The statement's text does not depend on the number of rows, so it is prepared once.

use guildhall_runtime::{Error, Result};
use sea_orm::{
    ActiveModelTrait, ActiveValue, ColumnTrait, ColumnType, EntityTrait, IdenStatic, Iterable,
    Value, sea_query::ArrayType,
};

/// The values of a statement, in the order of its `$1`, `$2`, ….
#[derive(Debug, Default)]
pub struct Arguments(Vec<Value>);

impl Arguments {
    /// Adds a value; its placeholder.
    pub fn push(&mut self, value: impl Into<Value>) -> String {
        self.0.push(value.into());
        format!("${}", self.0.len())
    }

    /// Adds an array; its placeholder.
    pub fn push_all(&mut self, of: ArrayType, values: Vec<Value>) -> String {
        self.push(Value::Array(of, Some(Box::new(values))))
    }

    /// All values.
    #[must_use]
    pub fn into_values(self) -> Vec<Value> {
        self.0
    }
}

/// `INSERT INTO … SELECT … FROM unnest(…)` of all rows, in their order. A column that the first
/// row does not set is left to its default. In a column that may be NULL, an empty text, empty
/// bytes and 0 become NULL, because an array of the driver holds none.
///
/// # Errors
/// A bug: rows that set different columns, or a column of a type that no table of ours has.
pub fn insert<E: EntityTrait>(
    rows: Vec<E::ActiveModel>,
    arguments: &mut Arguments,
) -> Result<String> {
    let (mut names, mut arrays, mut selected) = (Vec::new(), Vec::new(), Vec::new());
    for column in E::Column::iter() {
        let is_set = |row: &E::ActiveModel| !matches!(row.get(column), ActiveValue::NotSet);
        if !rows.first().is_some_and(is_set) {
            continue;
        }
        let definition = column.def();
        let (of, none) = array_type(definition.get_column_type())?;
        let values = rows.iter().map(|row| value_of::<E>(row, column, &none));
        let values = values.collect::<Result<Vec<_>>>()?;
        let name = column.as_str();
        selected.push(match (definition.is_null(), of == ArrayType::Bytes) {
            (false, _) => name.to_owned(),
            (true, true) => format!(r"NULLIF({name}, '\x'::bytea)"),
            (true, false) if of == ArrayType::String => format!("NULLIF({name}, '')"),
            (true, false) => format!("NULLIF({name}, 0)"),
        });
        arrays.push(arguments.push_all(of, values));
        names.push(name);
    }
    let (table, names) = (E::default().table_name().to_owned(), names.join(", "));
    let (arrays, selected) = (arrays.join(", "), selected.join(", "));
    Ok(format!(
        "INSERT INTO {table} ({names}) SELECT {selected} FROM unnest({arrays}) AS item({names})"
    ))
}

fn value_of<E: EntityTrait>(
    row: &E::ActiveModel,
    column: E::Column,
    none: &Value,
) -> Result<Value> {
    match row.get(column) {
        ActiveValue::Set(value) | ActiveValue::Unchanged(value) if is_none(&value) => {
            Ok(none.clone())
        }
        ActiveValue::Set(value) | ActiveValue::Unchanged(value) => Ok(value),
        ActiveValue::NotSet => Err(Error::bug("rows of one insert set different columns")),
    }
}

fn is_none(value: &Value) -> bool {
    value == &value.as_null()
}

/// The array's type, and what stands for NULL in it.
#[expect(clippy::wildcard_enum_match_arm, reason = "a foreign enum that grows")]
fn array_type(column: &ColumnType) -> Result<(ArrayType, Value)> {
    Ok(match column {
        ColumnType::String(_) | ColumnType::Text => (ArrayType::String, String::new().into()),
        ColumnType::SmallInteger => (ArrayType::SmallInt, 0_i16.into()),
        ColumnType::Integer => (ArrayType::Int, 0_i32.into()),
        ColumnType::BigInteger => (ArrayType::BigInt, 0_i64.into()),
        ColumnType::Boolean => (ArrayType::Bool, false.into()),
        ColumnType::Binary(_) | ColumnType::VarBinary(_) | ColumnType::Blob => {
            (ArrayType::Bytes, Vec::<u8>::new().into())
        }
        other => return Err(Error::bug(format!("no array of {other:?}"))),
    })
}
