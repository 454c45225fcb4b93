//! When what comes back is what went in.

use std::fmt::Debug;

use serde::Serialize;
use serde_json::Value;
use sync_core::{Column, ColumnType, Kind, Record, Timestamp};

use super::fixtures::schemas;

/// A row that came back holds what was put: columns by value, other fields exactly.
pub(super) fn assert_row(kind: &Kind, put: &Record, got: Option<&Record>) {
    let Some(got) = got else {
        panic!("the row is missing: {put:?}");
    };
    let schema = schemas()
        .into_iter()
        .find(|schema| schema.kind == *kind)
        .unwrap();
    for column in schema.synced() {
        let (put, got) = (put.get(&column.field), got.get(&column.field));
        assert!(
            same_in_column(column, put, got),
            "field `{}` was {put:?} and came back as {got:?}",
            column.field
        );
    }
    let beside = |record: &Record| -> Vec<(String, Value)> {
        let fields = record.clone().into_fields().into_iter();
        fields
            .filter(|(field, _)| schema.by_field(field).is_none())
            .collect()
    };
    assert_eq!(
        beside(got),
        beside(put),
        "fields without a column stay as they were"
    );
}

fn same_in_column(column: &Column, put: Option<&Value>, got: Option<&Value>) -> bool {
    let (put, got) = (put.unwrap_or(&Value::Null), got.unwrap_or(&Value::Null));
    match column.ty {
        ColumnType::Real => put.as_f64() == got.as_f64() && put.is_number() == got.is_number(),
        ColumnType::Timestamp if !put.is_null() => {
            match (Timestamp::from_json(put), Timestamp::from_json(got)) {
                (Ok(put), Ok(got)) => put == got,
                _ => put == got,
            }
        }
        _ => put == got,
    }
}

/// Exactly the same when written down, stamps to the letter.
pub(super) fn assert_verbatim<T: Serialize>(got: &T, put: &T) {
    let text = |value: &T| serde_json::to_value(value).unwrap();
    assert_eq!(text(got), text(put));
}

/// Large sets must be equal; a failure names the first difference, not all of both.
pub(super) fn assert_same<T: PartialEq + Debug>(found: &[T], expected: &[T]) {
    assert_eq!(found.len(), expected.len(), "how many there are");
    for (found, expected) in found.iter().zip(expected) {
        assert_eq!(found, expected);
    }
}
